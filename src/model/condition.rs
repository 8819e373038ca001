//! `[when]`: what a manifest file asks of the host before it counts.

use serde::{Deserialize, Serialize};

use super::origin::{Layer, Sourced};
use super::permission::words;

words! {
    /// What can be asked about.
    Fact {
        /// How windows are shown.
        Display = "display",
        /// The desktop environment.
        Desktop = "desktop",
        /// The distribution.
        Host = "host",
        /// Who runs the application.
        User = "user",
    }
}

words! {
    /// The answers about [`Fact::Display`].
    SessionDisplay {
        /// A Wayland compositor, whether or not it has an X server beside it.
        Wayland = "wayland",
        /// An X server and no compositor.
        X11 = "x11",
        /// Neither.
        None = "none",
    }
}

words! {
    /// The answers about [`Fact::User`].
    Account {
        /// The user id 0.
        Root = "root",
        /// Every other.
        Ordinary = "ordinary",
    }
}

/// One line of `[when]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What is asked about.
    pub fact: Fact,
    /// The answers of which one is enough.
    pub any_of: Vec<String>,
}

/// Who answers conditions.
pub trait Surroundings {
    /// The words that hold here. Several where a host is one thing and like
    /// another; none where nothing can be told.
    fn words(&self, fact: Fact) -> Vec<String>;
}

/// A file that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// Whose it is.
    pub layer: Layer,
    /// Its path as shown to people.
    pub file: String,
    /// The first condition that does not hold.
    pub condition: Sourced<Condition>,
    /// What holds instead.
    pub here: Vec<String>,
}

impl Condition {
    /// Whether it holds; if not, what does.
    ///
    /// # Errors
    /// The words that hold instead.
    pub fn hold(&self, here: &dyn Surroundings) -> Result<(), Vec<String>> {
        let words = here.words(self.fact);
        if self.any_of.iter().any(|wanted| words.contains(wanted)) { Ok(()) } else { Err(words) }
    }
}
