//! What became of each line of what was imported.

use std::sync::Arc;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named.
    pub file: Arc<str>,
    /// The line, from 1; 0 for what no line says.
    pub line: u32,
}

impl Place {
    /// The file's own name, with the line: short enough for a comment.
    pub fn short(&self) -> String {
        let name = self.file.rsplit('/').next().unwrap_or_default();
        if self.line == 0 { name.to_owned() } else { format!("{name}:{}", self.line) }
    }
}

/// How true the import is to a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It means the same here.
    Exact,
    /// Something near to it stands in its place.
    Approximated,
    /// Nothing stands in its place.
    Dropped,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Verdict; 3] = [Verdict::Exact, Verdict::Approximated, Verdict::Dropped];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Exact => "exact",
            Verdict::Approximated => "approximated",
            Verdict::Dropped => "dropped",
        }
    }
}

/// What the application may do here, compared with the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allows {
    /// As much.
    Same,
    /// Less: a grant of the source is missing or narrower.
    Less,
    /// More: a limit of the source is missing or wider.
    More,
}

impl Allows {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Allows::Same => "same",
            Allows::Less => "less",
            Allows::More => "more",
        }
    }
}

/// A judgement of one statement, with its reason as one plain sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How true the import is.
    pub verdict: Verdict,
    /// What that allows.
    pub allows: Allows,
    /// Why.
    pub reason: String,
}

impl Finding {
    fn new(verdict: Verdict, allows: Allows, reason: impl Into<String>) -> Finding {
        Finding { verdict, allows, reason: reason.into() }
    }

    /// The same here.
    pub fn exact(reason: impl Into<String>) -> Finding {
        Finding::new(Verdict::Exact, Allows::Same, reason)
    }

    /// Near to it, and as much.
    pub fn near(reason: impl Into<String>) -> Finding {
        Finding::new(Verdict::Approximated, Allows::Same, reason)
    }

    /// Near to it, and less.
    pub fn less(reason: impl Into<String>) -> Finding {
        Finding::new(Verdict::Approximated, Allows::Less, reason)
    }

    /// Near to it, but a limit is wider.
    pub fn more(reason: impl Into<String>) -> Finding {
        Finding::new(Verdict::Approximated, Allows::More, reason)
    }

    /// Left out, and without meaning for what the application may do.
    pub fn moot(reason: impl Into<String>) -> Finding {
        Finding::new(Verdict::Dropped, Allows::Same, reason)
    }

    /// A grant that is left out.
    pub fn no_grant(reason: impl Into<String>) -> Finding {
        Finding::new(Verdict::Dropped, Allows::Less, reason)
    }

    /// A limit that is left out.
    pub fn no_limit(reason: impl Into<String>) -> Finding {
        Finding::new(Verdict::Dropped, Allows::More, reason)
    }
}

/// One statement of the source and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands; line 0 where the source grants something unsaid.
    pub place: Place,
    /// The statement, or the item of it that this is about.
    pub text: String,
    /// What became of it.
    pub finding: Finding,
}

/// What became of everything in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The file that was imported.
    pub file: Arc<str>,
    /// One entry or more for each line that states something, in the order
    /// in which the lines are read.
    pub entries: Vec<Entry>,
    /// What the source grants or limits without a line that says so.
    pub unsaid: Vec<Entry>,
}

impl Report {
    /// An empty report on a file.
    pub fn new(file: &str) -> Report {
        Report { file: Arc::from(file), entries: Vec::new(), unsaid: Vec::new() }
    }

    /// Files what became of a statement.
    pub fn add(&mut self, place: &Place, text: impl Into<String>, finding: Finding) {
        self.entries.push(Entry { place: place.clone(), text: text.into(), finding });
    }

    /// Files what became of something that no line says.
    pub fn unsaid(&mut self, text: impl Into<String>, finding: Finding) {
        let place = Place { file: self.file.clone(), line: 0 };
        self.unsaid.push(Entry { place, text: text.into(), finding });
    }

    /// How many entries have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.entries.iter().filter(|entry| entry.finding.verdict == verdict).count()
    }

    /// How many entries, and things unsaid, compare so with the source.
    pub fn compared(&self, allows: Allows) -> usize {
        let all = self.entries.iter().chain(&self.unsaid);
        all.filter(|entry| entry.finding.allows == allows).count()
    }
}
