//! What a plan comes to: what stands at a path inside, told from the steps
//! alone and by other code than the resolver's.

use pinfold::model::path::AbsPath;
use pinfold::model::plan::{Action, Kind, Plan, Step, Weight};

use super::tree::path;

/// What an application finds at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// This path of the host.
    Host { source: String, write: bool, exec: bool },
    /// A place in a home of its own.
    Own,
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
pub fn seen(plan: &Plan, at: &str) -> Seen {
    let at = path(at);
    let Some(step) = step(plan, &at) else { return Seen::Nothing };
    match &step.action {
        Action::Bind { source, dest, kind, write, exec, .. } => {
            if is_own(plan, source) {
                return Seen::Own;
            }
            let rest = at.relative_to(dest).unwrap();
            let source = match (rest, kind) {
                ("", _) => source.clone(),
                (rest, Kind::Folder) => source.join(rest).unwrap(),
                (_, Kind::File) => return Seen::Nothing,
            };
            Seen::Host { source: source.into(), write: *write, exec: *exec }
        }
        Action::Close { .. } => Seen::Closed,
        // A folder that was made holds nothing by itself; one in the
        // application's home is a folder of that home.
        Action::Folder { dest, .. } => {
            let parent = dest.parent().map(|parent| seen(plan, parent.as_str()));
            match (parent, *dest == at) {
                (Some(Seen::Own), _) => Seen::Own,
                (_, true) => Seen::Made,
                (_, false) => Seen::Nothing,
            }
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

/// A thing of the host that can be read at its own path.
pub fn readable(at: &str) -> Seen {
    Seen::Host { source: at.to_owned(), write: false, exec: false }
}

/// A thing of the host that can be changed at its own path.
pub fn writable(at: &str) -> Seen {
    Seen::Host { source: at.to_owned(), write: true, exec: false }
}

/// The target of a link that the plan makes.
pub fn link<'p>(plan: &'p Plan, at: &str) -> Option<&'p str> {
    plan.tree.iter().find_map(|step| match &step.action {
        Action::Link { dest, target } if dest.as_str() == at => Some(target.as_str()),
        _ => None,
    })
}

/// The variable of a plan.
pub fn variable<'p>(plan: &'p Plan, name: &str) -> Option<&'p str> {
    let all = &plan.process.environment;
    all.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// The weight of the only note that has all these words.
pub fn note(plan: &Plan, words: &[&str]) -> Option<Weight> {
    let mut hits =
        plan.notes.iter().filter(|note| words.iter().all(|word| note.text.contains(word)));
    let first = hits.next();
    assert!(hits.next().is_none(), "several notes say {words:?}: {:#?}", plan.notes);
    first.map(|note| note.weight)
}
