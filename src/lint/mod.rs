//! What is unwise about a policy: where what it grants leads out of the
//! sandbox, past what the person meant, or nowhere. Floor 4.
//!
//! Rules read the policy for what was asked, and the plan for what came of it
//! on this host. They reason along chains (it may write here; something
//! outside runs what lies here; so it can run anything) and a finding tells
//! its chain, link by link. Each rule has a code that never changes its
//! meaning; [`rules`] is the table of them, and each further module holds one
//! family:
//!
//! ```text
//! files     L1xx  what lies where it may write or read
//! buses     L2xx  who it may call
//! session   L3xx  windows, sound, network, devices
//! kernel    L4xx  system calls and sandboxes inside
//! useless   L5xx  what is stated and does nothing
//! checks    L6xx  what the manifest itself says must hold
//! ```

mod buses;
mod checks;
mod dangers;
mod files;
mod kernel;
pub mod remarks;
pub mod rules;
mod session;
mod spelling;
mod useless;
mod verdict;

use crate::host::HostFs;
use crate::manifest::change::Change;
use crate::model::facts::HostFacts;
use crate::model::manifest::{PathGrant, Policy};
use crate::model::origin::{Origin, Sourced};
use crate::model::path::AbsPath;
use crate::model::plan::{Action, Kind, Plan, Step};
use crate::resolve::seen;

pub use rules::{Level, Reach, Rule};
pub use verdict::Verdict;

/// What rules look at. Nothing is changed.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What all layers state together.
    pub policy: &'a Policy,
    /// What came of it on this host.
    pub plan: &'a Plan,
    /// The host.
    pub facts: &'a HostFacts,
    /// Its files.
    pub fs: &'a HostFs,
}

/// One thing that a rule found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// By which rule.
    pub rule: &'static Rule,
    /// How bad it is here.
    pub level: Level,
    /// How far it leads.
    pub reach: Reach,
    /// One sentence, lower case, without a full stop.
    pub message: String,
    /// From the grant to what follows, link by link.
    pub chain: Vec<String>,
    /// The statement that it is about.
    pub origin: Origin,
    /// What can be done, in words.
    pub remedy: String,
    /// The same as a change of the text, where a machine can make it.
    pub change: Option<Change>,
    /// Why it may stay, where the manifest's author says so.
    pub allowed: Option<String>,
}

impl Finding {
    fn new(rule: &'static Rule, origin: &Origin, message: impl Into<String>) -> Finding {
        Finding {
            rule,
            level: rule.level,
            reach: rule.reach,
            message: message.into(),
            chain: Vec::new(),
            origin: origin.clone(),
            remedy: rule.remedy.to_owned(),
            change: None,
            allowed: None,
        }
    }

    fn leads<const N: usize>(mut self, links: [&str; N]) -> Finding {
        self.chain = links.map(str::to_owned).to_vec();
        self
    }

    fn remedy(mut self, text: impl Into<String>) -> Finding {
        self.remedy = text.into();
        self
    }

    fn change(mut self, change: Change) -> Finding {
        self.change = Some(change);
        self
    }

    fn level(mut self, level: Level) -> Finding {
        self.level = level;
        self
    }

    fn reach(mut self, reach: Reach) -> Finding {
        self.reach = reach;
        self
    }
}

/// Everything that the rules find, the worst first.
pub fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    files::check(subject, &mut found);
    buses::check(subject, &mut found);
    session::check(subject, &mut found);
    kernel::check(subject, &mut found);
    useless::check(subject, &mut found);
    spelling::check(subject, &mut found);
    checks::check(subject, &mut found);
    let mut kept: Vec<Finding> = Vec::with_capacity(found.len());
    for finding in found {
        let same = |other: &Finding| {
            other.rule.code == finding.rule.code
                && other.origin == finding.origin
                && other.message == finding.message
        };
        if !kept.iter().any(same) {
            kept.push(finding);
        }
    }
    kept.sort_by_key(|one| (std::cmp::Reverse(one.level), one.rule.code, one.origin.line));
    kept
}

/// A grant of a path.
#[derive(Clone, Copy)]
struct Grant<'a> {
    /// The key that states it.
    key: &'static str,
    /// Whether what is there can be changed.
    write: bool,
    stated: &'a Sourced<PathGrant>,
}

impl Grant<'_> {
    fn text(&self) -> &str {
        self.stated.value.path.as_str()
    }

    fn removal(&self) -> Change {
        Change::Remove { key: self.key, entry: self.text().to_owned() }
    }
}

/// A thing of the host that some statement shows.
#[derive(Clone, Copy)]
struct Shown<'a> {
    source: &'a AbsPath,
    dest: &'a AbsPath,
    kind: Kind,
    write: bool,
    origin: &'a Origin,
}

impl<'a> Subject<'a> {
    fn grants(&self) -> impl Iterator<Item = Grant<'a>> {
        let files = &self.policy.settings.filesystem;
        [
            ("filesystem.read", false, &files.read),
            ("filesystem.write", true, &files.write),
            ("filesystem.create", true, &files.create),
        ]
        .into_iter()
        .flat_map(|(key, write, list)| {
            list.items.iter().map(move |stated| Grant { key, write, stated })
        })
    }

    /// What statements show of the host; not what every application gets, nor
    /// its own folders.
    fn shown(&self) -> impl Iterator<Item = Shown<'a>> {
        let plan = self.plan;
        plan.tree.iter().filter_map(|step| match step {
            Step {
                action: Action::Bind { source, dest, kind, write, device: false, .. },
                origin,
            } if origin.layer != crate::model::origin::Layer::Builtin
                && !seen::is_own(plan, source) =>
            {
                Some(Shown { source, dest, kind: *kind, write: *write, origin })
            }
            _ => None,
        })
    }

    /// The home as a person writes it.
    fn tilde(&self, path: &AbsPath) -> String {
        match path.relative_to(&self.facts.home) {
            Some("") => "~".to_owned(),
            Some(rest) => format!("~/{rest}"),
            None => path.to_string(),
        }
    }
}
