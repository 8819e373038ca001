//! What a host can and cannot enforce, told to a person.
//!
//! Everything that is read or tried goes into [`Findings`] first; every
//! judgement is a pure function of them. So each shape of host, also one that
//! nobody here has, is a value in a test.

mod desktop;
mod findings;
mod isolation;

use serde::{Deserialize, Serialize};

use crate::report::ExitCode;

pub use findings::{
    Attempt, BusFinding, CgroupFinding, Findings, MountCall, Namespace, Probes, RenderNode,
    SessionFindings, SocketFinding, XFinding,
};

/// How well a host does in one respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// As it should be.
    Good,
    /// Sandboxes run, with less than they could have.
    Degraded,
    /// No sandbox can be built.
    Blocking,
}

impl Status {
    /// The status as people read it.
    pub fn word(self) -> &'static str {
        match self {
            Status::Good => "good",
            Status::Degraded => "degraded",
            Status::Blocking => "blocking",
        }
    }
}

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// How well an application can be shut in.
    Isolation,
    /// What an application can be given of the desktop.
    Desktop,
}

/// One respect in which a host was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What is checked, in one word or two joined ones.
    pub name: String,
    /// What it is about.
    pub topic: Topic,
    /// How well the host does.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What that means for the person.
    pub means: String,
    /// What can be done about it, one command or sentence a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    fn new(
        topic: Topic,
        name: &str,
        status: Status,
        found: impl Into<String>,
        means: impl Into<String>,
    ) -> Check {
        Check {
            name: name.to_owned(),
            topic,
            status,
            found: found.into(),
            means: means.into(),
            remedy: None,
        }
    }

    fn remedy(mut self, remedy: impl Into<String>) -> Check {
        self.remedy = Some(remedy.into());
        self
    }
}

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Sandboxes have all that Pinfold can give them.
    Ready,
    /// Sandboxes can be built, and are weaker than they could be.
    Reduced,
    /// No sandbox can be built.
    Impossible,
}

/// All checks and what they come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The sum. A desktop that lacks something does not make a sandbox weaker
    /// and does not count.
    pub verdict: Verdict,
    /// The checks, isolation first.
    pub checks: Vec<Check>,
}

impl Report {
    /// Judges what was found.
    pub fn of(findings: &Findings) -> Report {
        let mut checks = isolation::checks(findings);
        checks.extend(desktop::checks(&findings.session));
        let worst = checks
            .iter()
            .filter(|check| check.topic == Topic::Isolation)
            .map(|check| check.status)
            .max();
        let verdict = match worst {
            None | Some(Status::Good) => Verdict::Ready,
            Some(Status::Degraded) => Verdict::Reduced,
            Some(Status::Blocking) => Verdict::Impossible,
        };
        Report { verdict, checks }
    }

    /// With what `pinfold doctor` ends.
    pub fn exit(&self) -> ExitCode {
        match self.verdict {
            Verdict::Ready | Verdict::Reduced => ExitCode::Success,
            Verdict::Impossible => ExitCode::Host,
        }
    }
}

/// An error number in words.
fn in_words(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_ascii_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
