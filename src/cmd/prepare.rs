//! What every command that looks at one application does first.

use std::path::{Path, PathBuf};

use crate::cli::Grants;
use crate::host::{Caller, Here, HostFs, buses, facts};
use crate::hostbus::{self, Question};
use crate::instance::written;
use crate::manifest::locate::Places;
use crate::manifest::stack::{self, Target};
use crate::model::facts::{HostFacts, KernelFacts};
use crate::model::manifest::Policy;
use crate::model::path::AbsPath;
use crate::model::plan::{Bus, Note, Plan, Tier, Weight};
use crate::report::{Code, Diagnostic, render};
use crate::resolve::bus::documents_folder;
use crate::resolve::{self, Request};
use crate::sys;

use super::grants;

/// The host, and who asks.
pub struct Host {
    /// The files.
    pub fs: HostFs,
    /// The facts.
    pub facts: HostFacts,
}

impl Host {
    /// What the conditions of manifests are held against.
    pub fn here(&self) -> Here<'_> {
        Here { fs: &self.fs, facts: &self.facts }
    }
}

/// Reads the host.
///
/// # Errors
/// When this process was started in a way in which nothing can be believed.
pub fn host() -> Result<Host, Vec<Diagnostic>> {
    let kernel = KernelFacts {
        landlock_abi: sys::probe::landlock_abi(),
        release: sys::probe::kernel_release(),
    };
    let caller = Caller::from_process(sys::process::is_privileged_start(), kernel)
        .map_err(|error| vec![error])?;
    let fs = HostFs::real().map_err(|error| {
        vec![Diagnostic::error(Code::HostEnvironment, "cannot open the root folder").because(error)]
    })?;
    let facts = facts::read(&fs, caller)?;
    Ok(Host { fs, facts })
}

/// Where manifests lie for this caller.
pub fn places(facts: &HostFacts) -> Places {
    Places::new(Path::new(facts.config_home.as_str()))
}

/// An application that was asked for: what is stated about it, and what that
/// comes to here.
pub struct Prepared {
    /// What all layers state.
    pub policy: Policy,
    /// What follows from it on this host.
    pub plan: Plan,
    /// Folders in which applications may have written before.
    pub written: Vec<AbsPath>,
}

/// Reads the application's manifests, merges them with the flags and
/// resolves. Warnings about the manifests are printed.
///
/// # Errors
/// All that is wrong with either.
pub fn prepare(
    host: &Host,
    app: &str,
    one_off: &Grants,
    request: impl FnOnce(Vec<AbsPath>) -> Request,
) -> Result<Prepared, Vec<Diagnostic>> {
    let facts = &host.facts;
    let flags = grants::settings(one_off, facts.cwd.as_ref())?;
    let places = places(facts);
    let target = target(app, &places)?;
    let (policy, warnings) = stack::policy(&target, &places, &host.here(), flags)?;
    render::print(&warnings);
    resolved(host, policy, request)
}

/// What a policy comes to on this host.
///
/// # Errors
/// Why it cannot be carried out.
pub fn resolved(
    host: &Host,
    policy: Policy,
    request: impl FnOnce(Vec<AbsPath>) -> Request,
) -> Result<Prepared, Vec<Diagnostic>> {
    let facts = &host.facts;
    let written = written::read(&host.fs, facts).map_err(|error| {
        vec![
            Diagnostic::error(
                Code::Record,
                "cannot read the list of folders in which applications may write",
            )
            .because(error)
            .hint("it is pinfold/written in $XDG_STATE_HOME; without it no link could be trusted"),
        ]
    })?;
    let request = request(written);
    if !request.only_looks && request.tier == Tier::Namespaces {
        wake(host, &policy);
    }
    let plan = resolve::resolve(&policy, facts, &host.fs, &request)?;
    Ok(Prepared { policy, plan, written: request.written })
}

/// Starts those services of the session that a plan needs to be there. One
/// that does not start is missed by the plan, which says so.
fn wake(host: &Host, policy: &Policy) {
    let Host { fs, facts } = host;
    let settings = &policy.settings;
    let mut questions = Vec::new();
    if let (Some(runtime_dir), [_, ..]) = (&facts.runtime_dir, &settings.portals.items[..])
        && !fs.is_served(&documents_folder(runtime_dir))
    {
        questions.push(Question::DocumentsMount);
    }
    if settings.accessibility.as_ref().is_some_and(|stated| stated.value)
        && buses::find(fs, facts, Bus::Accessibility).is_err()
    {
        questions.push(Question::AccessibilityAddress);
    }
    if questions.is_empty() {
        return;
    }
    let Ok(session) = buses::find(fs, facts, Bus::Session) else { return };
    for question in questions {
        if let Err(error) = hostbus::ask(&session, question) {
            let name = question.service();
            render::print(&[Diagnostic::note(format!("{name} does not start")).because(error)]);
        }
    }
}

/// Whether an id or a file is meant.
///
/// # Errors
/// When the text is neither; with the ids that it may have meant.
pub fn target(app: &str, places: &Places) -> Result<Target, Vec<Diagnostic>> {
    if app.contains('/') || app.ends_with(".toml") {
        return Ok(Target::File(PathBuf::from(app)));
    }
    app.parse().map(Target::App).map_err(|error| {
        let mut diagnostic =
            Diagnostic::error(Code::Usage, format!("{app:?} is no application id")).because(error);
        let wanted = app.to_ascii_lowercase();
        let near: Vec<String> = places
            .list()
            .into_iter()
            .map(|(id, _)| id.to_string())
            .filter(|id| id.to_ascii_lowercase().contains(&wanted) && !wanted.is_empty())
            .collect();
        diagnostic = match near.as_slice() {
            [] => diagnostic.hint("`pinfold list` shows the ids that have a manifest"),
            near => diagnostic.hint(format!("did you mean {}?", near.join(" or "))),
        };
        vec![diagnostic]
    })
}

/// The notes of a plan as diagnostics, from a weight on.
pub fn notes(plan: &Plan, from: Weight) -> Vec<Diagnostic> {
    plan.notes.iter().filter(|note| note.weight >= from).map(note).collect()
}

fn note(note: &Note) -> Diagnostic {
    let mut diagnostic = match note.weight {
        Weight::Info | Weight::Notice => Diagnostic::note(&note.text),
        Weight::Warning => Diagnostic::warning(&note.text),
    };
    if let Some(origin) = &note.origin {
        diagnostic = diagnostic.at(origin);
    }
    match &note.hint {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}
