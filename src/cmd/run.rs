//! `pinfold run`

use std::os::fd::AsFd;

use crate::cli::Run;
use crate::exec::handshake::{Failure, Mark, Phase};
use crate::exec::launch::{self, NotRunning};
use crate::exec::monitor::{End, Start};
use crate::freeze::{self, Here, folders, landlock};
use crate::host::facts;
use crate::instance::written;
use crate::model::barrier::{Barrier, Barriers};
use crate::model::plan::{Action, Bus, Plan, Tier, Weight};
use crate::proxy::event::Observer;
use crate::report::{Code, Diagnostic, ExitCode, render};
use crate::resolve::{Forward, Request, degraded};
use crate::sys::{Errno, process};
use crate::view;
use crate::view::bus_log::BusLog;

use super::instances;
use super::notes::Notes;
use super::prepare::{self, Host, Prepared};
use super::{Outcome, print};

/// Runs an application. What becomes of it, a failure before it ran included,
/// is written to the status descriptor as well: an application's own exit code
/// can be any of ours.
pub fn main(options: &Run) -> Outcome {
    if let Some(fd) = options.status_fd
        && !crate::sys::fd::is_open(fd)
    {
        return Err(vec![
            Diagnostic::error(Code::Usage, format!("--status-fd {fd} is not open"))
                .hint("open it before, as a shell does with 3>file"),
        ]);
    }
    let outcome = run(options);
    if let Err(diagnostics) = &outcome
        && let Some(first) = diagnostics.first()
    {
        Status::new(options.status_fd).failed(first);
    }
    outcome
}

fn run(options: &Run) -> Outcome {
    let mut timings = Timings::begin(options.timings);
    let host = prepare::host()?;
    timings.note("read the host");
    refuse_folders_as_input()?;
    let prepared = prepare::prepare(&host, &options.app, &options.grants, |written| Request {
        arguments: options.arguments.clone(),
        forward: match (options.no_forward, options.forward_write) {
            (true, _) => Forward::Nothing,
            (_, true) => Forward::Write,
            (_, false) => Forward::Read,
        },
        shell: options.shell,
        only_looks: false,
        written,
        tier: options.tier.tier(),
    })?;
    timings.note("read the manifests, resolve");
    say(options, &host, &prepared.plan);
    if options.dry_run {
        print::text(&view::plan::text(&prepared.plan))?;
        return Ok(ExitCode::Success.number());
    }
    let single = &prepared.policy.settings.single_instance;
    if single.as_ref().is_some_and(|stated| stated.value)
        && let Some(outcome) = join(&prepared.plan)?
    {
        return Ok(outcome);
    }
    let terms = Terms { status_fd: options.status_fd, log_bus: options.log_bus };
    execute(&host, &prepared, &terms, timings)
}

/// Starts the application in the sandbox of it that runs already, if one does.
fn join(plan: &Plan) -> Result<Option<u8>, Vec<Diagnostic>> {
    let running = instances::running()?;
    let Some(record) = running.list.iter().find(|record| record.app == plan.app) else {
        return Ok(None);
    };
    let socket = running.connect(record)?;
    let mut arguments = plan.process.arguments.clone();
    if let Some(program) = arguments.first_mut() {
        *program = plan.process.program.to_string();
    }
    super::enter::inside(&socket, plan.process.cwd.as_str(), &arguments).map(Some)
}

/// A folder open as one of the standard streams would be a way out of the
/// sandbox, by `openat` relative to it.
///
/// # Errors
/// Which of them is one.
pub fn refuse_folders_as_input() -> Result<(), Vec<Diagnostic>> {
    let streams = [
        ("input", std::io::stdin().as_fd().try_clone_to_owned()),
        ("output", std::io::stdout().as_fd().try_clone_to_owned()),
        ("error output", std::io::stderr().as_fd().try_clone_to_owned()),
    ];
    for (name, stream) in streams {
        let Ok(stream) = stream else { continue };
        if crate::sys::path::identity(stream.as_fd())
            .is_ok_and(crate::sys::path::Identity::is_folder)
        {
            return Err(vec![
                Diagnostic::error(
                    Code::HostEnvironment,
                    format!("the standard {name} is a folder"),
                )
                .because("an application could reach everything in it, and above it")
                .hint("redirect it from or to a file, or /dev/null"),
            ]);
        }
    }
    Ok(())
}

/// Says what a person should know before the application runs.
fn say(options: &Run, host: &Host, plan: &Plan) {
    let is_degraded = plan.tier == Tier::Landlock;
    if options.quiet {
        // Less than a sandbox is never silent.
        if is_degraded {
            render::print(&[Diagnostic::warning(degraded::MISSING)]);
        }
        return;
    }
    let mut said = Vec::new();
    if host.facts.uid == 0 {
        said.push(
            Diagnostic::warning(
                "running as root: the application has root's user id, without its capabilities",
            )
            .hint("run as the account whose desktop it is"),
        );
    }
    if options.verbose {
        said.extend(facts::remarks(&host.facts));
    }
    said.extend(prepare::notes(plan, if options.verbose { Weight::Info } else { Weight::Notice }));
    let lacking = landlock::missing(host.facts.kernel.landlock_abi);
    // What only the newest kernels have is not worth a word at every run.
    if options.verbose || host.facts.kernel.landlock_abi < 6 {
        said.extend((!lacking.is_empty()).then(|| {
            Diagnostic::note(format!(
                "landlock on this kernel does not cover: {}",
                lacking.join(", ")
            ))
        }));
    }
    render::print(&said);
}

/// What one run asks for that changes nothing of the sandbox.
#[derive(Default)]
pub struct Terms {
    /// Where to write what happens.
    pub status_fd: Option<i32>,
    /// Whether refused calls to the buses are told.
    pub log_bus: bool,
}

/// Builds the sandbox, runs the application and stays with it.
pub fn execute(host: &Host, prepared: &Prepared, terms: &Terms, mut timings: Timings) -> Outcome {
    let without = left_out()?;
    let mut open = None;
    if without.has(Barrier::Environment) {
        let plan = open.insert(prepared.plan.clone());
        plan.process.environment.extend(host.facts.environment.clone());
    }
    let plan = open.as_ref().unwrap_or(&prepared.plan);
    for step in &plan.host {
        folders::make(&host.fs, step).map_err(|error| vec![error])?;
    }
    written::add(&host.facts, &prepared.written, &plan.writable).map_err(|error| {
        vec![
            Diagnostic::error(Code::Record, "cannot note where the application may write")
                .because(error)
                .hint("the list is pinfold/written in $XDG_STATE_HOME"),
        ]
    })?;
    // Whether a record can be kept is known before anything runs.
    let notes = Notes::open(host, plan)?;
    let here = Here {
        app: &plan.app,
        instance: notes.portal_number().unwrap_or(0),
        landlock_abi: host.facts.kernel.landlock_abi,
        without,
    };
    let mut frozen = freeze::freeze(plan, &host.fs, &here).map_err(|error| vec![error])?;
    frozen.timed = timings.asked;
    timings.note("freeze the plan");
    let log_bus = terms.log_bus;
    let observers = |bus| log_bus.then(|| observer(bus));
    let building =
        launch::start(&frozen, &observers).map_err(|why| vec![explain(host, plan, &why)])?;
    let mut status = Status::new(terms.status_fd);
    // The child works on another processor meanwhile.
    let mut noted = match notes.note(host, prepared, &here, building.init) {
        Ok(noted) => noted,
        // A child that has ended cannot be written down.
        Err(errors) => {
            let why = building.give_up();
            return Err(why.map_or(errors, |why| vec![explain(host, plan, &why)]));
        }
    };
    let init = building.init;
    let running = building.finish().map_err(|why| vec![explain(host, plan, &why)])?;
    status.started(init);
    timings.print(&running.marks);
    let timeout = plan.process.limits.timeout.map(std::time::Duration::from_secs);
    let end = running.attend(noted.door(), timeout);
    drop(noted);
    status.ended(end);
    if end == End::FilterGone {
        return Err(vec![
            Diagnostic::error(Code::Bug, "the filter before the buses ended unexpectedly").because(
                "nobody stood between the application and the buses, so the sandbox was ended",
            ),
        ]);
    }
    Ok(end.code())
}

/// What a debug build is told to leave out, which it says.
fn left_out() -> Result<Barriers, Vec<Diagnostic>> {
    const VARIABLE: &str = "PINFOLD_WITHOUT";
    if !Barriers::CAN_BE_LEFT_OUT {
        return Ok(Barriers::NONE);
    }
    let names = std::env::var(VARIABLE).unwrap_or_default();
    let without = Barriers::parse(&names).map_err(|name| {
        vec![Diagnostic::error(Code::Usage, format!("{VARIABLE} names no barrier by {name:?}"))]
    })?;
    if without != Barriers::NONE {
        let names = without.names().join(", ");
        render::print(&[Diagnostic::warning(format!("this debug build leaves out: {names}"))]);
    }
    Ok(without)
}

/// Tells what the filter before a bus refuses.
fn observer(bus: Bus) -> Observer {
    let mut log = BusLog::new(bus);
    Box::new(move |event| {
        if let Some(text) = log.tell(event) {
            // A reader that has gone is no reason to stop filtering.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
        }
    })
}

/// What a refusal means, and what else could be done where it is one of
/// namespaces.
fn explain(host: &Host, plan: &Plan, why: &NotRunning) -> Diagnostic {
    let diagnostic = refusal(plan, why);
    let is_of_namespaces = matches!(diagnostic.code, Some(Code::HostNamespaces | Code::HostProc));
    let is_possible = host.facts.uid != 0 && host.facts.kernel.landlock_abi >= Tier::LEAST_LANDLOCK;
    if !is_of_namespaces || !is_possible {
        return diagnostic;
    }
    diagnostic.hint(
        "`pinfold run --degraded=landlock` does without namespaces: the names and dates of all files and the presence of processes are then open to the application, and X11 is not to be had",
    )
}

fn refusal(plan: &Plan, why: &NotRunning) -> Diagnostic {
    match why {
        NotRunning::Clone(errno) if plan.tier == Tier::Landlock => {
            Diagnostic::error(Code::StepFailed, "cannot make a process").because(errno)
        }
        NotRunning::Clone(errno) => Diagnostic::error(
            Code::HostNamespaces,
            "this host does not let an ordinary program make namespaces",
        )
        .because(errno)
        .hint("`pinfold doctor` names the setting and how to change it"),
        NotRunning::Launcher(errno) => {
            Diagnostic::error(Code::StepFailed, "cannot set up the launcher").because(errno)
        }
        NotRunning::Start(Start::Failed(failure)) => failed(plan, failure),
        NotRunning::Start(Start::FilterFailed(failure)) => filter_failed(plan, failure),
        NotRunning::Start(Start::NotExecuted(errno)) => {
            let code = match *errno {
                Errno::NOENT | Errno::NOTDIR => Code::ProgramMissing,
                _ => Code::ProgramNotExecutable,
            };
            Diagnostic::error(code, format!("cannot execute {}", plan.process.program))
                .at(&plan.process.origin)
                .because(errno)
        }
        NotRunning::Start(Start::Vanished | Start::Running) => Diagnostic::error(
            Code::StepFailed,
            "the sandbox ended while it was being built; the application did not run",
        ),
    }
}

/// What went wrong in the process before the buses.
fn filter_failed(plan: &Plan, failure: &Failure) -> Diagnostic {
    let Failure { phase, step, errno } = *failure;
    let steps = plan.filter.as_ref().map_or(&[][..], |filter| &filter.tree);
    let (what, origin) = match steps.get(step as usize).filter(|_| phase == Phase::Step) {
        Some(step) => (view::plan::sentence(&step.action), Some(&step.origin)),
        None => (phase.text().to_owned(), steps.first().map(|step| &step.origin)),
    };
    let diagnostic = Diagnostic::error(
        Code::StepFailed,
        format!("cannot {what} for the filter before the buses; the application did not run"),
    )
    .because(errno);
    match origin {
        Some(origin) => diagnostic.at(origin),
        None => diagnostic,
    }
}

fn failed(plan: &Plan, failure: &Failure) -> Diagnostic {
    let Failure { phase, step, errno } = *failure;
    let refused = matches!(errno, Errno::PERM | Errno::ACCESS | Errno::NOSPC | Errno::USERS);
    if phase == Phase::Step
        && let Some(step) = plan.tree.get(step as usize)
    {
        if matches!(step.action, Action::Proc { .. }) && refused {
            return Diagnostic::error(Code::HostProc, "this host does not let a sandbox have a /proc of its own")
                .because(errno)
                .because("the kernel refuses it where parts of the visible /proc are covered, as in a container")
                .hint("`pinfold doctor` names the covered parts and how to uncover them");
        }
        let mut diagnostic = Diagnostic::error(
            Code::StepFailed,
            format!("cannot {}; the application did not run", view::plan::sentence(&step.action)),
        )
        .at(&step.origin)
        .because(errno);
        if errno == Errno::STALE {
            diagnostic = diagnostic
                .because("another object has taken its place since it was looked at")
                .hint("find out what moves things there, and start again");
        }
        return diagnostic;
    }
    let inner = matches!(phase, Phase::InnerUser | Phase::InnerIdMaps | Phase::IdMaps);
    let code = match phase {
        Phase::IdMaps if errno == Errno::NOTDIR || errno == Errno::NOENT => Code::HostProc,
        _ if inner && refused => Code::HostNamespaces,
        _ => Code::StepFailed,
    };
    let diagnostic =
        Diagnostic::error(code, format!("cannot {}; the application did not run", phase.text()))
            .because(errno);
    match phase {
        Phase::Landlock => diagnostic.at(&plan.landlock.origin),
        Phase::Loopback => diagnostic.at(&plan.namespaces.network_origin),
        Phase::WorkingFolder => diagnostic.because(format!("it is {}", plan.process.cwd)),
        _ if code == Code::HostNamespaces => {
            diagnostic.hint("`pinfold doctor` names the setting and how to change it")
        }
        _ => diagnostic,
    }
}

/// Where the time goes until the application runs.
pub struct Timings {
    asked: bool,
    start: u64,
    parts: Vec<(&'static str, u64)>,
}

impl Timings {
    /// Begins to take the time, if that is asked for.
    pub fn begin(asked: bool) -> Timings {
        let start = if asked { process::now() } else { 0 };
        Timings { asked, start, parts: Vec::new() }
    }

    fn note(&mut self, part: &'static str) {
        if self.asked {
            self.parts.push((part, process::now()));
        }
    }

    fn print(mut self, marks: &[(Mark, u64)]) {
        if !self.asked {
            return;
        }
        self.parts.extend(marks.iter().map(|(mark, time)| (mark.text(), *time)));
        let mut last = self.start;
        for (part, time) in &self.parts {
            eprintln!("{:>8.3} ms  {part}", time.saturating_sub(last) as f64 / 1e6);
            last = *time;
        }
        eprintln!(
            "{:>8.3} ms  from the first line of pinfold to the application",
            last.saturating_sub(self.start) as f64 / 1e6
        );
    }
}

/// What happens, one JSON object a line, for whoever started us.
struct Status {
    fd: Option<i32>,
}

impl Status {
    fn new(fd: Option<i32>) -> Status {
        Status { fd }
    }

    fn write(&mut self, value: &serde_json::Value) {
        let Some(fd) = self.fd else { return };
        let mut line = value.to_string();
        line.push('\n');
        if crate::sys::fd::write_to_number(fd, line.as_bytes()).is_err() {
            self.fd = None;
        }
    }

    fn started(&mut self, init: i32) {
        self.write(&serde_json::json!({ "event": "started", "init": init }));
    }

    fn failed(&mut self, diagnostic: &Diagnostic) {
        self.write(&serde_json::json!({
            "event": "failed",
            "code": diagnostic.code.map(Code::text),
            "exit": diagnostic.exit().number(),
            "message": diagnostic.message,
        }));
    }

    fn ended(&mut self, end: End) {
        let value = match end {
            End::Exited(status) => serde_json::json!({ "event": "exited", "status": status }),
            End::Killed(signal) => serde_json::json!({ "event": "killed", "signal": signal }),
            End::FilterGone => serde_json::json!({ "event": "filter-gone" }),
        };
        self.write(&value);
    }
}
