//! A plan read off into the sections of `pinfold show`, one function for each.

use crate::freeze::landlock;
use crate::freeze::seccomp::{Answer, Arch, TABLE};
use crate::model::manifest::Policy;
use crate::model::origin::{Layer, Origin};
use crate::model::path::AbsPath;
use crate::model::permission::{Device, HomeKind, Nested, SyscallFeature, Word, X11Mode};
use crate::model::plan::{Action, Kind, Note, Plan, Slot, Step, Tier, Weight};
use crate::report::escape::safe;

use super::{LISTED, Line, LineKind, Section, VERB, tilde};

pub(super) fn variable<'a>(plan: &'a Plan, name: &str) -> Option<&'a str> {
    let mut environment = plan.process.environment.iter();
    environment.find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// A line whose text may hold anything.
pub(super) fn line(kind: LineKind, text: impl AsRef<str>, origin: Option<&Origin>) -> Line {
    Line { kind, text: safe(text.as_ref()).into_owned(), origin: origin.cloned() }
}

pub(super) fn granted(text: impl AsRef<str>, origin: &Origin) -> Line {
    line(LineKind::Granted, text, Some(origin))
}

pub(super) fn absent(text: impl AsRef<str>, origin: Option<&Origin>) -> Line {
    line(LineKind::Absent, text, origin)
}

/// A grant that comes to nothing on this host; why is a remark of the plan's.
pub(super) fn lacking(what: &str, origin: &Origin) -> Line {
    line(LineKind::Fact, format!("{what}: granted, but not to be had here"), Some(origin))
}

pub(super) fn fact(text: impl AsRef<str>) -> Line {
    line(LineKind::Fact, text, None)
}

pub(super) fn risk(text: impl AsRef<str>, origin: &Origin) -> Line {
    line(LineKind::Risk, text, Some(origin))
}

pub(super) fn section(key: &'static str, title: &'static str, lines: Vec<Line>) -> Section {
    Section { key, title, lines }
}

/// Whether Pinfold itself states a step for every application.
fn is_for_everybody(origin: &Origin) -> bool {
    origin.layer == Layer::Builtin && origin.line == 0
}

/// Binds whose origin is not Pinfold's own.
fn stated_binds(plan: &Plan) -> impl Iterator<Item = (&Step, Bind<'_>)> {
    plan.tree.iter().filter_map(|step| match &step.action {
        Action::Bind { source, dest, kind, write, exec, device }
            if !is_for_everybody(&step.origin) =>
        {
            let (kind, write, exec, device) = (*kind, *write, *exec, *device);
            Some((step, Bind { source, dest, kind, write, exec, device }))
        }
        _ => None,
    })
}

/// A plan while it is read.
pub(super) struct Reading<'a> {
    pub(super) policy: &'a Policy,
    pub(super) plan: &'a Plan,
    pub(super) home: String,
    /// Which notes stand in a section already.
    pub(super) claimed: Vec<bool>,
}

impl<'a> Reading<'a> {
    fn tilde(&self, path: &AbsPath) -> String {
        tilde(&self.home, path.as_str())
    }

    /// The plan's remarks about a statement, which belong beneath it.
    pub(super) fn remarks(&mut self, origin: &Origin) -> Vec<Line> {
        let plan = self.plan;
        let notes = plan.notes.iter().zip(&mut self.claimed);
        notes
            .filter(|(note, claimed)| !**claimed && note.origin.as_ref() == Some(origin))
            .map(|(note, claimed)| {
                *claimed = true;
                remark(note)
            })
            .collect()
    }

    /// The remarks about something that is open and to be had: what is worth
    /// knowing of it is what it also lets happen.
    fn risks(&mut self, origin: &Origin) -> Vec<Line> {
        let mut lines = self.remarks(origin);
        for line in &mut lines {
            line.kind = LineKind::Risk;
        }
        lines
    }

    pub(super) fn program(&mut self) -> Section {
        let process = &self.plan.process;
        let mut text = format!("runs {}", self.tilde(&process.program));
        for argument in process.arguments.iter().skip(1) {
            let is_plain = !argument.is_empty() && !argument.contains([' ', '\'', '"', '\\']);
            match is_plain {
                true => text.push_str(&format!(" {argument}")),
                false => text.push_str(&format!(" {argument:?}")),
            }
        }
        let mut lines = vec![granted(text, &process.origin)];
        lines.extend(self.remarks(&process.origin));
        section("program", "Program", lines)
    }

    pub(super) fn home(&mut self) -> Section {
        let stated = self.policy.settings.home.kind.as_ref();
        let (kind, origin) = stated.map_or_else(
            || (HomeKind::Private, Origin::builtin("a home of its own")),
            |kind| (kind.value, kind.origin.clone()),
        );
        let own = self.plan.tree.iter().find_map(|step| match &step.action {
            Action::Bind { source, .. } if self.is_own_home(source) => Some(self.tilde(source)),
            _ => None,
        });
        let kept = own.map_or_else(String::new, |place| format!(", kept in {place}"));
        let mut lines = match kind {
            HomeKind::Private => vec![granted(format!("a home of its own{kept}"), &origin)],
            HomeKind::Ephemeral => {
                vec![granted("a home of its own in memory, gone after the run", &origin)]
            }
            HomeKind::Overlay => {
                vec![granted("your home, with changes kept apart from it", &origin)]
            }
            HomeKind::Shared => vec![
                granted(
                    "your own home, without its protected paths (keys, passwords, start-up files)",
                    &origin,
                ),
                risk("it can change and delete nearly all of your files", &origin),
                fact(format!("what it adds at the top of the home is its own{kept}")),
            ],
        };
        let persist = &self.policy.settings.home.persist.items;
        if kind == HomeKind::Ephemeral {
            for entry in persist {
                lines.push(granted(format!("~/{} is kept", entry.value), &entry.origin));
            }
        }
        if kind != HomeKind::Shared {
            lines.extend(self.remarks(&origin));
        }
        section("home", "Home", lines)
    }

    /// Whether a host folder is made for the application's own home.
    fn is_own_home(&self, source: &AbsPath) -> bool {
        let home = &self.policy.settings.home;
        let mut makers = home
            .kind
            .iter()
            .map(|kind| &kind.origin)
            .chain(home.persist.items.iter().map(|p| &p.origin));
        self.plan.host.iter().any(|step| {
            step.folder == *source
                && (is_for_everybody(&step.origin) || makers.any(|origin| *origin == step.origin))
        })
    }

    pub(super) fn files(&mut self) -> Section {
        let runtime = format!("/run/user/{}/", self.plan.identity.uid);
        let is_file = |bind: &Bind<'_>| {
            let dest = bind.dest.as_str();
            !bind.device
                && !dest.starts_with(&runtime)
                && !dest.starts_with("/tmp/.X11-unix/")
                && !dest.starts_with("/sys/")
                && !self.is_own_home(bind.source)
        };
        // What one line of a manifest comes to stays together, in the order
        // of the plan.
        let mut groups: Vec<(&'a Origin, Vec<Bind<'a>>)> = Vec::new();
        for (step, bind) in stated_binds(self.plan).filter(|(_, bind)| is_file(bind)) {
            match groups.iter_mut().find(|(origin, group)| {
                **origin == step.origin
                    && group[0].write == bind.write
                    && group[0].exec == bind.exec
            }) {
                Some((_, group)) => group.push(bind),
                None => groups.push((&step.origin, vec![bind])),
            }
        }
        let mut lines = Vec::new();
        for (origin, group) in &groups {
            if group.len() > LISTED {
                let above = common(group.iter().map(|bind| bind.dest));
                let text = format!("{} things in {}", group.len(), self.tilde(&above));
                lines.push(granted(format!("{:VERB$}{text}", group[0].verb()), origin));
            } else {
                for bind in group {
                    lines.push(granted(
                        format!("{:VERB$}{}", bind.verb(), self.described(bind)),
                        origin,
                    ));
                }
            }
            lines.extend(self.remarks(origin));
        }
        // Grants that came to nothing have left only their remarks.
        let settings = &self.policy.settings.filesystem;
        for grant in [&settings.read, &settings.write, &settings.create] {
            lines.extend(grant.items.iter().flat_map(|item| self.remarks(&item.origin)));
        }
        for entry in &settings.deny.items {
            lines.push(line(
                LineKind::Fact,
                format!("{:VERB$}{}", "closed", entry.value),
                Some(&entry.origin),
            ));
            lines.extend(self.remarks(&entry.origin));
        }
        lines.push(match groups.is_empty() {
            true => absent("No files of yours, but for one that is named as an argument", None),
            false => fact("Nothing else of yours, but for a file that is named as an argument"),
        });
        section("files", "Files", lines)
    }

    fn described(&self, bind: &Bind<'_>) -> String {
        let mut text = self.tilde(bind.dest);
        if bind.kind == Kind::Folder {
            text.push('/');
        }
        if bind.source != bind.dest {
            text.push_str(&format!(", which is {}", self.tilde(bind.source)));
        }
        text
    }

    pub(super) fn windows(&mut self) -> Section {
        let display = &self.policy.settings.display;
        let mut lines = Vec::new();
        let shows =
            |part: &str| stated_binds(self.plan).any(|(_, bind)| bind.dest.as_str().contains(part));
        let runtime = format!("/run/user/{}/wayland-", self.plan.identity.uid);
        let wayland = shows(&runtime)
            || variable(self.plan, "WAYLAND_SOCKET").is_some()
            || self.plan.process.compositor.is_some();
        let x11 = shows("/tmp/.X11-unix/")
            || self.plan.tree.iter().any(|step| {
                matches!(&step.action, Action::Fill { slot: Slot::XCookie { .. }, .. })
            });
        if let Some(stated) = display.wayland.as_ref().filter(|stated| stated.value) {
            lines.push(match wayland {
                true => granted("windows by Wayland, which keeps programs apart", &stated.origin),
                false => lacking("windows by Wayland", &stated.origin),
            });
            lines.extend(self.remarks(&stated.origin));
        }
        if let Some(stated) = display.x11.as_ref().filter(|stated| stated.value != X11Mode::Never) {
            let server = variable(self.plan, "DISPLAY").unwrap_or("");
            lines.push(match (x11, stated.value) {
                (true, _) => granted(
                    format!("windows by X11, on the display called {server} inside"),
                    &stated.origin,
                ),
                (false, X11Mode::Fallback) if wayland => {
                    fact("X11 only where there is no Wayland compositor")
                }
                (false, _) => lacking("windows by X11", &stated.origin),
            });
            lines.extend(match x11 {
                true => self.risks(&stated.origin),
                false => self.remarks(&stated.origin),
            });
        }
        if lines.is_empty() {
            let origin = [
                display.wayland.as_ref().map(|stated| &stated.origin),
                display.x11.as_ref().map(|stated| &stated.origin),
            ];
            lines.push(absent("No windows", origin.into_iter().flatten().next()));
        }
        section("windows", "Windows", lines)
    }

    pub(super) fn sound(&mut self) -> Section {
        let audio = &self.policy.settings.audio;
        let shows =
            |end: &str| stated_binds(self.plan).any(|(_, bind)| bind.dest.as_str().ends_with(end));
        let server = shows("/pulse/native") || shows("/pipewire-0");
        let mut lines = Vec::new();
        for (stated, words) in [(&audio.playback, "plays sound"), (&audio.record, "records sound")]
        {
            let Some(stated) = stated.as_ref().filter(|stated| stated.value) else { continue };
            lines.push(match server {
                true => granted(words, &stated.origin),
                false => lacking(words, &stated.origin),
            });
            lines.extend(match server {
                true => self.risks(&stated.origin),
                false => self.remarks(&stated.origin),
            });
        }
        if lines.is_empty() {
            let stated = audio.playback.as_ref().or(audio.record.as_ref());
            lines.push(absent("No sound", stated.map(|stated| &stated.origin)));
        }
        section("sound", "Sound", lines)
    }

    pub(super) fn network(&mut self) -> Section {
        let origin = &self.plan.namespaces.network_origin;
        if self.plan.is_without_network() {
            let stated = (!is_for_everybody(origin)).then_some(origin);
            let mut lines = vec![absent("No network", stated)];
            lines.extend(self.remarks(origin));
            return section("network", "Network", lines);
        }
        let mut lines = vec![granted("the network of this machine", origin)];
        lines.extend(self.risks(origin));
        let settings = &self.policy.settings.network;
        let landlock = &self.plan.landlock;
        for (ports, list, words) in [
            (&landlock.connect, &settings.connect, "connects by TCP"),
            (&landlock.listen, &settings.listen, "listens by TCP"),
        ] {
            let Some(ports) = ports else { continue };
            let origin = list.items.last().map(|item| &item.origin).or(list.emptied.as_ref());
            let numbers: Vec<String> = ports.iter().map(u16::to_string).collect();
            lines.push(match numbers.is_empty() {
                true => line(LineKind::Fact, format!("{words} nowhere"), origin),
                false => {
                    line(LineKind::Fact, format!("{words} only on {}", numbers.join(", ")), origin)
                }
            });
            if let Some(origin) = origin {
                lines.extend(self.remarks(origin));
            }
        }
        section("network", "Network", lines)
    }

    pub(super) fn devices(&mut self) -> Section {
        let mut lines = Vec::new();
        for device in &self.policy.settings.devices.items {
            let origin = &device.origin;
            let nodes: Vec<String> = stated_binds(self.plan)
                .filter(|(step, bind)| bind.device && step.origin == *origin)
                .map(|(_, bind)| bind.dest.as_str().to_owned())
                .collect();
            let (name, danger) = match device.value {
                Device::Gpu => (
                    "the graphics processor",
                    Some("its driver is a large part of the kernel that is open to mistakes"),
                ),
                Device::Kvm => {
                    ("virtual machines", Some("their code runs on the kernel's own hardware gate"))
                }
                other => (other.word(), None),
            };
            if nodes.is_empty() {
                lines.push(lacking(name, origin));
            } else {
                lines.push(granted(format!("{name}: {}", nodes.join(", ")), origin));
                lines.extend(danger.map(|danger| risk(danger, origin)));
            }
            lines.extend(self.remarks(origin));
        }
        if lines.is_empty() {
            let emptied = self.policy.settings.devices.emptied.as_ref();
            lines.push(absent("No devices: no camera, no USB, no graphics processor", emptied));
        }
        section("devices", "Devices", lines)
    }

    pub(super) fn system_calls(&mut self) -> Section {
        let settings = &self.policy.settings;
        let mut lines = Vec::new();
        if self.plan.syscalls.nested != Nested::None
            && let Some(stated) = &settings.nested
        {
            let words = match stated.value {
                Nested::None => "",
                Nested::Browser => "sandboxes of its own, as browsers build them",
                Nested::Container => "containers of its own, with mounts",
            };
            lines.push(granted(words, &stated.origin));
            lines.extend(self.risks(&stated.origin));
        }
        for feature in &settings.syscalls.items {
            let words = match feature.value {
                SyscallFeature::Devel => "debuggers and profilers",
                SyscallFeature::Multiarch => "32-bit programs",
                SyscallFeature::MultiarchSockets => "Sockets of every family",
                SyscallFeature::Bluetooth => "Bluetooth sockets",
                SyscallFeature::Canbus => "CAN bus sockets",
            };
            lines.push(granted(words, &feature.origin));
            lines.extend(self.risks(&feature.origin));
        }
        if lines.is_empty() {
            let stated = settings.nested.as_ref().map(|stated| &stated.origin);
            lines.push(absent("No sandboxes of its own, no debuggers, no 32-bit programs", stated));
        }
        section("system-calls", "System calls", lines)
    }

    pub(super) fn environment(&mut self) -> Section {
        let settings = &self.policy.settings;
        let mut lines = Vec::new();
        for (name, stated) in &settings.environment_set {
            let value = variable(self.plan, name).unwrap_or(&stated.value);
            lines.push(granted(format!("{name}={value}"), &stated.origin));
            lines.extend(self.remarks(&stated.origin));
        }
        for stated in &settings.environment_pass.items {
            let name = &stated.value;
            lines.push(match variable(self.plan, name) {
                _ if name.ends_with('*') => {
                    granted(format!("{name} as you have them"), &stated.origin)
                }
                Some(_) => granted(format!("{name} as you have it"), &stated.origin),
                None => line(
                    LineKind::Fact,
                    format!("{name}, which you do not have"),
                    Some(&stated.origin),
                ),
            });
            lines.extend(self.remarks(&stated.origin));
        }
        if lines.is_empty() {
            lines.push(absent("No variables but the usual ones", None));
        }
        section("environment", "Environment", lines)
    }

    /// What each process carries along.
    fn limits(&self) -> Option<Line> {
        let limits = &self.plan.process.limits;
        let said = [
            limits.tasks.map(|value| format!("{value} processes and threads")),
            limits.open_files.map(|value| format!("{value} open files each")),
            limits.file_size.map(|value| format!("files of {value} bytes")),
            limits.core.filter(|value| *value > 0).map(|value| format!("dumps of {value} bytes")),
            limits.timeout.map(|value| format!("{value} seconds of time")),
        ];
        let said: Vec<String> = said.into_iter().flatten().collect();
        (!said.is_empty()).then(|| fact(format!("held to {}", said.join(", "))))
    }

    pub(super) fn confinement(&mut self, landlock_abi: u32) -> Section {
        let plan = self.plan;
        let network = if plan.namespaces.network { ", net" } else { "" };
        let refused = Arch::native().map_or(0, |arch| {
            let rows = TABLE.iter().filter(|row| row.numbers.on(arch).is_some());
            rows.filter(|row| !matches!(row.rule.answer(&plan.syscalls), Answer::Allow)).count()
        });
        let separation = match plan.tier {
            Tier::Namespaces => fact(format!(
                "namespaces of its own: user, mount, pid, ipc, uts, cgroup{network}; host name {}",
                plan.namespaces.hostname
            )),
            Tier::Landlock => {
                line(LineKind::Risk, "no namespaces: landlock and the filter alone", None)
            }
        };
        let mut lines = vec![
            separation,
            fact("no capabilities, and no way to get any (no_new_privs)"),
            fact(format!("a filter that refuses or checks {refused} system calls")),
        ];
        let missing = landlock::missing(landlock_abi);
        let rules = plan.landlock.rules.len();
        let stated = (!is_for_everybody(&plan.landlock.origin)).then_some(&plan.landlock.origin);
        let mode = plan.landlock.mode.word();
        if landlock_abi == 0 {
            lines.push(line(LineKind::Risk, "this kernel has no landlock", stated));
        } else {
            let text = format!("landlock (ABI {landlock_abi}, {mode}) with {rules} rules");
            lines.push(line(LineKind::Fact, text, stated));
            if !missing.is_empty() {
                let text = format!("this kernel's landlock does not cover: {}", missing.join(", "));
                lines.push(line(LineKind::Risk, text, stated));
            }
        }
        lines.extend(self.limits());
        if !plan.landlock.files {
            lines.push(line(LineKind::Risk, "landlock does not govern its files", stated));
        }
        if let Some(origin) = stated {
            lines.extend(self.remarks(origin));
        }
        section("confinement", "Confinement", lines)
    }

    pub(super) fn everybody(&mut self) -> Section {
        let count = self.plan.tree.iter().filter(|step| is_for_everybody(&step.origin)).count();
        section(
            "everybody",
            "What everybody gets",
            vec![fact(match self.plan.tier {
                Tier::Namespaces => format!(
                    "the system's programs to read, minimal devices, private places to write, \
                     fonts and themes: {count} steps, which `pinfold plan` lists"
                ),
                Tier::Landlock => format!(
                    "the system's programs to read and minimal devices, where they lie: {count} \
                     things, which `pinfold plan` lists"
                ),
            })],
        )
    }

    pub(super) fn notes(&mut self) -> Section {
        let rest = self.plan.notes.iter().zip(&self.claimed).filter(|(_, claimed)| !**claimed);
        section("notes", "Notes", rest.map(|(note, _)| remark(note)).collect())
    }
}

fn remark(note: &Note) -> Line {
    let kind = match note.weight {
        Weight::Info | Weight::Notice => LineKind::Note,
        Weight::Warning => LineKind::Risk,
    };
    let hint = note.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"));
    line(kind, format!("{}{hint}", note.text), note.origin.as_ref())
}

/// A bind step's parts.
#[derive(Clone, Copy)]
struct Bind<'a> {
    source: &'a AbsPath,
    dest: &'a AbsPath,
    kind: Kind,
    write: bool,
    exec: bool,
    device: bool,
}

impl Bind<'_> {
    fn verb(&self) -> &'static str {
        match (self.write, self.exec) {
            (false, false) => "read",
            (false, true) => "read, run",
            (true, false) => "read, write",
            (true, true) => "read, write, run",
        }
    }
}

/// The deepest folder above all of the paths.
fn common<'a>(mut paths: impl Iterator<Item = &'a AbsPath>) -> AbsPath {
    let Some(first) = paths.next() else { return AbsPath::root() };
    let mut above = first.parent().unwrap_or_else(AbsPath::root);
    for path in paths {
        while !path.is_beneath(&above) {
            above = above.parent().unwrap_or_else(AbsPath::root);
        }
    }
    above
}
