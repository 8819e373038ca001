//! Where a value came from. No value of a policy or plan is without its
//! origin: `explain`, `lint` and every error message live on it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Who stated a value. The order of the variants is the precedence: a later
/// one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// What Pinfold itself does for every application.
    Builtin,
    /// The manifest that a distribution, the catalogue or an upstream ships,
    /// and a manifest file that is named on the command line.
    Vendor,
    /// The administrator's, in `/etc/pinfold`.
    Admin,
    /// The person's own, in `$XDG_CONFIG_HOME/pinfold`.
    User,
    /// Flags of this one run.
    CommandLine,
}

impl Layer {
    /// The layer's name as people read it.
    pub fn word(self) -> &'static str {
        match self {
            Layer::Builtin => "builtin",
            Layer::Vendor => "vendor",
            Layer::Admin => "admin",
            Layer::User => "user",
            Layer::CommandLine => "command line",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The place where a value was stated.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// Who stated it.
    pub layer: Layer,
    /// The file, or for values without one what stands in its place
    /// (`builtin`, `command line`).
    pub file: Arc<str>,
    /// Line in the file, from 1; 0 where there is no file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub line: u32,
    /// Column in characters, from 1; 0 where there is no file.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub column: u32,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Origin {
    /// A value that Pinfold itself supplies; `why` names the part that does.
    pub fn builtin(why: &str) -> Origin {
        Origin { layer: Layer::Builtin, file: Arc::from(why), line: 0, column: 0 }
    }

    /// A flag of this run, as it was written.
    pub fn command_line(flag: &str) -> Origin {
        Origin { layer: Layer::CommandLine, file: Arc::from(flag), line: 0, column: 0 }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.layer, self.line) {
            (Layer::Builtin, 0) => write!(f, "builtin: {}", self.file),
            (Layer::CommandLine, 0) => write!(f, "command line: {}", self.file),
            (layer, 0) => write!(f, "{} (layer: {layer})", self.file),
            (layer, line) => write!(f, "{}:{line}:{} (layer: {layer})", self.file, self.column),
        }
    }
}

/// A value, where it was stated, and the statements of lower layers that it
/// replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sourced<T> {
    /// The value in force.
    pub value: T,
    /// Where it was stated.
    pub origin: Origin,
    /// Lower statements of the same thing, lowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadowed: Vec<Origin>,
}

impl<T> Sourced<T> {
    /// A value stated once.
    pub fn new(value: T, origin: Origin) -> Sourced<T> {
        Sourced { value, origin, shadowed: Vec::new() }
    }

    /// This value over a lower statement of the same thing.
    pub fn over(mut self, lower: Sourced<T>) -> Sourced<T> {
        let mut shadowed = lower.shadowed;
        shadowed.push(lower.origin);
        shadowed.append(&mut self.shadowed);
        self.shadowed = shadowed;
        self
    }
}

/// Merges two optional statements; the higher one wins where both exist.
pub fn merge_option<T>(
    lower: Option<Sourced<T>>,
    higher: Option<Sourced<T>>,
) -> Option<Sourced<T>> {
    match (lower, higher) {
        (Some(low), Some(high)) => Some(high.over(low)),
        (low, high) => high.or(low),
    }
}

/// A list that layers add to. An empty list means "none": it takes back what
/// lower layers stated. An absent list states nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T> {
    /// Where an empty list was stated, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emptied: Option<Origin>,
    /// The entries, lowest layer first, each value once.
    #[serde(default = "Vec::new")]
    pub items: Vec<Sourced<T>>,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List { emptied: None, items: Vec::new() }
    }
}

impl<T> List<T> {
    /// Whether any layer stated this list.
    pub fn is_stated(&self) -> bool {
        self.emptied.is_some() || !self.items.is_empty()
    }

    /// The values in force.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.items.iter().map(|item| &item.value)
    }
}

impl<T: PartialEq> List<T> {
    /// Adds an entry; an equal one that stands already is shadowed by it.
    pub fn push(&mut self, item: Sourced<T>) {
        match self.items.iter_mut().find(|old| old.value == item.value) {
            Some(old) => {
                let lower = std::mem::replace(old, item);
                let higher = old;
                let mut shadowed = lower.shadowed;
                shadowed.push(lower.origin);
                shadowed.append(&mut higher.shadowed);
                higher.shadowed = shadowed;
            }
            None => self.items.push(item),
        }
    }

    /// This list with a higher layer's list on top.
    pub fn merge(mut self, higher: List<T>) -> List<T> {
        if higher.emptied.is_some() {
            return higher;
        }
        for item in higher.items {
            self.push(item);
        }
        self
    }
}
