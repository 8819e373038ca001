//! What all findings together make of an application.

use serde::Serialize;

use super::{Finding, Reach};

/// How much of a sandbox it is. What a manifest's author allows counts all the
/// same: it is still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No way out is known.
    Boxed,
    /// It sees or spoils what is not its own, or gets out with somebody's help.
    Leaky,
    /// It can run what it likes outside.
    NotASandbox,
}

impl Verdict {
    /// The verdict on findings.
    pub fn of(findings: &[Finding]) -> Verdict {
        match findings.iter().map(|finding| finding.reach).max() {
            Some(Reach::Escape) => Verdict::NotASandbox,
            Some(Reach::Leak) => Verdict::Leaky,
            Some(Reach::Inside) | None => Verdict::Boxed,
        }
    }

    /// In a word or three.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Boxed => "boxed",
            Verdict::Leaky => "leaky",
            Verdict::NotASandbox => "not a sandbox",
        }
    }

    /// In one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Verdict::Boxed => "nothing that it may do is known to lead out",
            Verdict::Leaky => {
                "it sees or spoils things that are not its own, or gets out with somebody's help"
            }
            Verdict::NotASandbox => "something that it may do lets it run what it likes outside",
        }
    }
}
