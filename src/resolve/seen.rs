//! What stands at a path inside, told from the steps of a plan.
//!
//! The steps are what a run carries out, so this is what its application
//! finds, but for the rights of the files themselves, which the kernel asks
//! as it does outside.

use std::collections::VecDeque;

use crate::host::{HostFs, NodeKind};
use crate::model::path::AbsPath;
use crate::model::plan::{Action, Kind, Plan, Slot, Step};

/// More links than this lead round, as for the kernel (path_resolution(7)).
const LINKS_MAX: usize = 40;

/// What an application finds at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// This thing of the host, if it exists.
    Host {
        /// Its path on the host.
        source: AbsPath,
        /// Whether it can be changed.
        write: bool,
        /// Whether programs in it can be executed.
        exec: bool,
    },
    /// A place in a home of its own.
    Own,
    /// A copy of a small file of the host's.
    Copy(AbsPath),
    /// Something that only the sandbox has.
    Made,
    /// A cover.
    Closed,
    /// Nothing.
    Nothing,
}

/// The step that decides what is at a path: the nearest at or above it.
pub fn step<'p>(plan: &'p Plan, at: &AbsPath) -> Option<&'p Step> {
    plan.tree
        .iter()
        .filter(|step| !matches!(step.action, Action::ReadOnly { .. }))
        .filter(|step| at.is_within(step.action.dest()))
        .max_by_key(|step| step.action.dest().elements().count())
}

/// Whether a folder of the host is one of the application's own.
pub fn is_own(plan: &Plan, source: &AbsPath) -> bool {
    plan.host.iter().any(|made| made.mode == 0o700 && made.folder == *source)
}

/// What an application finds at a path, links on the way not followed.
pub fn at(plan: &Plan, at: &AbsPath) -> Seen {
    let Some(step) = step(plan, at) else { return Seen::Nothing };
    match &step.action {
        Action::Bind { source, dest, kind, write, exec, .. } => {
            if is_own(plan, source) {
                return Seen::Own;
            }
            let source = match (at.relative_to(dest), kind) {
                (Some("") | None, _) => source.clone(),
                (Some(rest), Kind::Folder) => match source.join(rest) {
                    Ok(source) => source,
                    Err(_) => return Seen::Nothing,
                },
                (Some(_), Kind::File) => return Seen::Nothing,
            };
            Seen::Host { source, write: *write, exec: *exec }
        }
        Action::Close { .. } => Seen::Closed,
        // A folder that was made holds nothing by itself; one in the
        // application's home is a folder of that home.
        Action::Folder { dest, .. } => {
            let parent = dest.parent().map(|parent| self::at(plan, &parent));
            match (parent, dest == at) {
                (Some(Seen::Own), _) => Seen::Own,
                (_, true) => Seen::Made,
                (_, false) => Seen::Nothing,
            }
        }
        Action::Fill { slot: Slot::Copy { source }, dest, .. } if dest == at => {
            Seen::Copy(source.clone())
        }
        Action::Tmpfs { .. }
        | Action::Link { .. }
        | Action::Text { .. }
        | Action::Fill { .. }
        | Action::Proc { .. }
        | Action::ReadOnly { .. }
        | Action::Listen { .. }
        | Action::DevPts { .. } => Seen::Made,
    }
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The place inside in the end.
    pub place: AbsPath,
    /// The links that lead there, each by its place inside.
    pub links: Vec<AbsPath>,
    /// What is there; nothing where the links lead round.
    pub seen: Seen,
}

/// What an application reaches by a path, links followed as the kernel follows
/// them inside: those that the plan makes, and those of the host that are
/// shown.
pub fn reach(plan: &Plan, fs: &HostFs, path: &AbsPath) -> Reached {
    let mut left: VecDeque<String> = path.elements().map(str::to_owned).collect();
    let mut here = AbsPath::root();
    let mut links = Vec::new();
    while let Some(element) = left.pop_front() {
        let next = match element.as_str() {
            "." => continue,
            ".." => {
                here = here.parent().unwrap_or(here);
                continue;
            }
            name => here.child(name),
        };
        let Some(target) = link(plan, fs, &next) else {
            here = next;
            continue;
        };
        links.push(next);
        if links.len() > LINKS_MAX {
            return Reached { place: here, links, seen: Seen::Nothing };
        }
        if target.starts_with('/') {
            here = AbsPath::root();
        }
        for part in target.split('/').rev().filter(|part| !part.is_empty()) {
            left.push_front(part.to_owned());
        }
    }
    let seen = at(plan, &here);
    Reached { place: here, links, seen }
}

/// What the link at a path inside holds, if there is one.
fn link(plan: &Plan, fs: &HostFs, at: &AbsPath) -> Option<String> {
    if let Some(Step { action: Action::Link { dest, target }, .. }) = step(plan, at)
        && dest == at
    {
        return Some(target.clone());
    }
    let Seen::Host { source, .. } = self::at(plan, at) else { return None };
    let is_link = fs.look(&source).is_ok_and(|node| node.kind == NodeKind::Link);
    if is_link { fs.read_link(&source).ok() } else { None }
}
