//! Answers about one application: may it do this, what decides that, what
//! holds it, and which line would change it. Floor 6.
//!
//! Every answer is read off the plan, which is what a run carries out; the
//! policy lends the statements that took part. `question` says what can be
//! asked; each further module answers one kind.

mod buses;
mod calls;
mod devices;
mod network;
mod paths;
mod question;

use serde::Serialize;

use crate::host::HostFs;
use crate::model::facts::HostFacts;
use crate::model::manifest::Policy;
use crate::model::origin::{Layer, Origin};
use crate::model::path::AbsPath;
use crate::model::plan::{Plan, Tier};

pub use question::{NotAsked, Question};

/// Whether it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum May {
    /// It may.
    Yes,
    /// In part, or not the thing itself.
    Partly,
    /// It may not.
    No,
}

impl May {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            May::Yes => "yes",
            May::Partly => "partly",
            May::No => "no",
        }
    }
}

/// What can be done with a thing of the host at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rights {
    /// Which thing of the host.
    pub source: AbsPath,
    /// Whether it can be changed.
    pub write: bool,
    /// Whether programs in it can be executed.
    pub exec: bool,
}

/// A layer of confinement that holds an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// Which.
    pub by: &'static str,
    /// What it does about it.
    pub how: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// What was asked, in full.
    pub question: String,
    /// Whether it may.
    pub may: May,
    /// Why, in one sentence.
    pub sentence: String,
    /// What else is true of it.
    pub limits: Vec<String>,
    /// For a path at which a thing of the host is shown: what can be done.
    pub rights: Option<Rights>,
    /// The statements that decide it.
    pub decided: Vec<Origin>,
    /// Statements that say something about it, and are overruled.
    pub shadowed: Vec<Origin>,
    /// The layers that hold it.
    pub locks: Vec<Lock>,
    /// The lines or flags that would change the answer.
    pub change: Vec<String>,
}

impl Answer {
    fn new(question: &Question, may: May, sentence: impl Into<String>) -> Answer {
        Answer {
            question: question.to_string(),
            may,
            sentence: sentence.into(),
            limits: Vec::new(),
            rights: None,
            decided: Vec::new(),
            shadowed: Vec::new(),
            locks: Vec::new(),
            change: Vec::new(),
        }
    }

    fn limit(mut self, text: impl Into<String>) -> Answer {
        self.limits.push(text.into());
        self
    }

    fn decided_by(mut self, origin: &Origin) -> Answer {
        if !self.decided.contains(origin) {
            self.decided.push(origin.clone());
        }
        self
    }

    fn lock(mut self, by: &'static str, how: impl Into<String>) -> Answer {
        self.locks.push(Lock { by, how: how.into() });
        self
    }

    fn change(mut self, text: impl Into<String>) -> Answer {
        self.change.push(text.into());
        self
    }
}

/// What answers are read off.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What all layers state together.
    pub policy: &'a Policy,
    /// What a run carries out.
    pub plan: &'a Plan,
    /// The host.
    pub facts: &'a HostFacts,
    /// Its files.
    pub fs: &'a HostFs,
    /// How the person names the application: its id, or a file.
    pub app: &'a str,
}

impl Subject<'_> {
    /// Answers a question.
    pub fn answer(&self, question: &Question) -> Answer {
        match question {
            Question::Path(expr) => paths::answer(self, question, expr),
            Question::Bus(name) => buses::name(self, question, name),
            Question::Portal(word) => buses::portal(self, question, word),
            Question::Device(device) => devices::answer(self, question, *device),
            Question::Host { name, port } => network::answer(self, question, name, *port),
            Question::Call(name) => calls::answer(self, question, name),
        }
    }

    /// Where a person states more about an application: a file of their own.
    fn own_file(&self) -> String {
        let file = self.facts.config_home.child("pinfold");
        let file = file.child(&format!("{}.toml", self.plan.app));
        match file.relative_to(&self.facts.home) {
            Some(rest) => format!("~/{rest}"),
            None => file.to_string(),
        }
    }

    /// Adds what changes an answer: by a flag for one run, and for good by a
    /// command or a line; neither where a layer holds the key fast.
    fn offer(&self, answer: Answer, to: &str, key: &str, flag: Option<&str>, line: &str) -> Answer {
        let lock = |layer| self.policy.settings.lock_on(key, layer);
        if let Some(lock) = lock(Layer::CommandLine) {
            return answer.change(format!("`{key}` is locked by {}", lock.origin));
        }
        let answer = match flag {
            Some(flag) => answer.change(format!("{to}: run with {flag}")),
            None => answer,
        };
        if lock(Layer::User).is_some() {
            return answer;
        }
        let table = key.rsplit_once('.').map_or(key, |(table, _)| table);
        answer.change(match flag {
            Some(flag) => format!("{to} for good: pinfold override {} {flag}", self.app),
            None => format!("{to}: in {}, under [{table}]: {line}", self.own_file()),
        })
    }

    fn is_namespaced(&self) -> bool {
        self.plan.tier == Tier::Namespaces
    }

    /// Whether the kernel's landlock governs files here.
    fn is_landlocked(&self) -> bool {
        self.plan.landlock.files && self.facts.kernel.landlock_abi > 0
    }
}
