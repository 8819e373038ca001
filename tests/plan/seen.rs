//! What a plan comes to: what stands at a path inside, in words that tests
//! compare.

use pinfold::model::plan::{Action, Plan, Weight};
use pinfold::resolve::seen::Seen as Known;

use super::tree::path;

pub use pinfold::resolve::seen::{is_own, step};

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

/// What an application finds at a path, links on the way not followed.
pub fn seen(plan: &Plan, at: &str) -> Seen {
    match pinfold::resolve::seen::at(plan, &path(at)) {
        Known::Host { source, write, exec } => Seen::Host { source: source.into(), write, exec },
        Known::Own => Seen::Own,
        Known::Copy(_) | Known::Made => Seen::Made,
        Known::Closed => Seen::Closed,
        Known::Nothing => Seen::Nothing,
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
