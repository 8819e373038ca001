//! `pinfold show`: what an application may do, in plain language, each with
//! the line that says so.
//!
//! Everything is read off the plan, which is what `pinfold run` carries out;
//! the policy only lends the names of what was asked for. So what is shown
//! cannot differ from what is done.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::model::condition::Unmet;
use crate::model::manifest::Policy;
use crate::model::origin::{Layer, Origin};
use crate::model::permission::Word as _;
use crate::model::plan::Plan;
use crate::report::escape::safe;

use super::layout::wrapped;

mod reading;
mod services;

use reading::{Reading, variable};

/// The version of the shape that [`Shown::json`] gives.
pub const VERSION: u32 = 1;

/// Before a line, and between it and its origin.
const INDENT: usize = 2;
/// Narrower than this nothing is laid out.
const NARROWEST: usize = 40;
/// More things than this from one line of a manifest are told as a number.
const LISTED: usize = 6;
/// As wide as the longest word for what may be done with a file.
const VERB: usize = 18;

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// Something is open.
    Granted,
    /// Something is not open.
    Absent,
    /// How things are; neither a grant nor the lack of one.
    Fact,
    /// What a grant also lets happen.
    Risk,
    /// Something that the plan remarks.
    Note,
}

impl LineKind {
    fn word(self) -> &'static str {
        match self {
            LineKind::Granted => "granted",
            LineKind::Absent => "not-granted",
            LineKind::Fact => "fact",
            LineKind::Risk => "risk",
            LineKind::Note => "note",
        }
    }
}

/// One thing to know, and where it was stated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it says.
    pub kind: LineKind,
    /// In words. Foreign text in it is harmless already.
    pub text: String,
    /// Who stated it; none for what follows from others.
    pub origin: Option<Origin>,
}

/// What belongs together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name in JSON.
    pub key: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// The effective permissions of one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    app: String,
    name: Option<String>,
    files: Vec<(Layer, String)>,
    /// Files that do not count here, and why.
    unmet: Vec<Unmet>,
    /// What lower layers keep from higher ones.
    locked: Vec<(String, Origin)>,
    sections: Vec<Section>,
    /// The home, to be written as `~`.
    home: String,
}

impl Shown {
    /// Reads a plan. `landlock_abi` is what the running kernel has, on which
    /// the plan does not depend and the enforcement does.
    pub fn of(policy: &Policy, plan: &Plan, landlock_abi: u32) -> Shown {
        let home = variable(plan, "HOME").unwrap_or("/").to_owned();
        let mut reading = Reading { policy, plan, home, claimed: vec![false; plan.notes.len()] };
        let mut sections = vec![
            reading.program(),
            reading.home(),
            reading.files(),
            reading.windows(),
            reading.sound(),
            reading.network(),
            reading.devices(),
            reading.services(),
            reading.system_calls(),
            reading.environment(),
            reading.confinement(landlock_abi),
            reading.everybody(),
        ];
        // What no section has taken up.
        sections.push(reading.notes());
        Shown {
            app: safe(policy.id.as_str()).into_owned(),
            name: policy.settings.name.as_ref().map(|name| safe(&name.value).into_owned()),
            files: policy
                .files
                .iter()
                .map(|(layer, file)| (*layer, safe(file).into_owned()))
                .collect(),
            unmet: policy.unmet.clone(),
            locked: policy
                .settings
                .lock
                .items
                .iter()
                .map(|lock| (lock.value.clone(), lock.origin.clone()))
                .collect(),
            sections,
            home: reading.home,
        }
    }

    /// Every line, with what decides whether two of them say the same.
    pub(super) fn statements(&self) -> impl Iterator<Item = (&'static str, &Line)> {
        self.sections
            .iter()
            .flat_map(|section| section.lines.iter().map(|line| (section.key, line)))
    }

    /// What follows the list of files at the top: those that were left out,
    /// and what is locked.
    fn remarks_on_files(&self) -> Vec<String> {
        let unmet = self.unmet.iter().map(|unmet| {
            let Unmet { layer, file, condition, here } = unmet;
            let (fact, wanted) = (condition.value.fact.word(), condition.value.any_of.join(" or "));
            let here = if here.is_empty() { "not known".to_owned() } else { here.join(", ") };
            let (file, here) = (self.shortened(&safe(file)), safe(&here).into_owned());
            format!("not used: {file} ({layer}): it is for {fact} {wanted}; here it is {here}")
        });
        let locked = self
            .locked
            .iter()
            .map(|(key, origin)| format!("locked by {}: {}", self.place(origin), safe(key)));
        unmet.chain(locked).collect()
    }

    /// As lines of at most `width` columns where words can be broken so. It
    /// holds colours: print it through `anstream`.
    pub fn text(&self, width: usize) -> String {
        let width = width.max(NARROWEST);
        let mut out = String::new();
        let bold = Style::new().bold();
        let faint = Style::new().dimmed();
        // Writing to a String cannot fail, here and below.
        let name = self.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
        let _ = writeln!(out, "{bold}{}{bold:#}{name}", self.app);
        for (layer, file) in &self.files {
            let _ = writeln!(out, "{faint}  from {} ({layer}){faint:#}", self.shortened(file));
        }
        for remark in self.remarks_on_files() {
            for piece in folded(&remark, width - INDENT) {
                let _ = writeln!(out, "{faint}  {piece}{faint:#}");
            }
        }
        let is_absent =
            |section: &&Section| section.lines.iter().all(|line| line.kind == LineKind::Absent);
        let (absent, present): (Vec<&Section>, Vec<&Section>) =
            self.sections.iter().filter(|section| !section.lines.is_empty()).partition(is_absent);
        for section in present {
            let _ = writeln!(out, "\n{bold}{}{bold:#}", section.title);
            self.lines(&mut out, section.lines.iter(), width);
        }
        if !absent.is_empty() {
            let _ = writeln!(out, "\n{bold}Not granted{bold:#}");
            self.lines(&mut out, absent.into_iter().flat_map(|section| &section.lines), width);
        }
        out
    }

    fn lines<'a>(&self, out: &mut String, lines: impl Iterator<Item = &'a Line>, width: usize) {
        let mut last: Option<String> = None;
        for line in lines {
            let (style, lead) = match line.kind {
                LineKind::Granted => (Style::new(), ""),
                LineKind::Absent | LineKind::Fact => (Style::new().dimmed(), ""),
                LineKind::Risk => (AnsiColor::Yellow.on_default(), "risk: "),
                LineKind::Note => (AnsiColor::Cyan.on_default(), "note: "),
            };
            let room = width - INDENT;
            let text = format!("{lead}{}", line.text);
            let mut pieces = folded(&text, room);
            let tail = pieces.pop().unwrap_or_default();
            for piece in &pieces {
                let _ = writeln!(out, "{:INDENT$}{style}{piece}{style:#}", "");
            }
            let _ = write!(out, "{:INDENT$}{style}{tail}{style:#}", "");
            let place = line.origin.as_ref().map(|origin| self.place(origin));
            // What comes from the same line as the one above says so once.
            if let Some(place) = place.as_ref().filter(|place| last.as_ref() != Some(*place)) {
                at_the_edge(out, place, tail.chars().count(), room);
            }
            last = place;
            out.push('\n');
        }
    }

    /// The file by its last name, since its whole path stands at the top; the
    /// layer too where several take part.
    fn place(&self, origin: &Origin) -> String {
        let file = safe(&origin.file);
        let short = match self.files.iter().any(|(_, known)| *known == file) {
            true => last_name(&file).to_owned(),
            false => self.shortened(&file),
        };
        let layers = self.files.windows(2).any(|pair| pair[0].0 != pair[1].0);
        let layer = if layers { format!(" ({})", origin.layer) } else { String::new() };
        match (origin.layer, origin.line) {
            (Layer::Builtin, 0) => "default".to_owned(),
            (Layer::CommandLine, 0) => file.into_owned(),
            (_, 0) => format!("{short}{layer}"),
            (_, line) => format!("{short}:{line}{layer}"),
        }
    }

    fn shortened(&self, file: &str) -> String {
        tilde(&self.home, file)
    }

    /// As JSON:
    ///
    /// ```text
    /// { "version": 1, "app": ID, "name": TEXT or null,
    ///   "files": [{ "layer": LAYER, "file": PATH }],
    ///   "unused": [{ "layer": LAYER, "file": PATH, "fact": WORD, "wanted": [WORD],
    ///     "here": [WORD], "origin": ORIGIN }],
    ///   "locked": [{ "key": KEY, "origin": ORIGIN }],
    ///   "sections": [{ "key": KEY, "title": TEXT,
    ///     "lines": [{ "kind": KIND, "text": TEXT, "origin": ORIGIN or null }] }] }
    /// ```
    ///
    /// KIND is `granted`, `not-granted`, `fact`, `risk` or `note`; ORIGIN has
    /// `layer`, `file`, and `line` and `column` where there is a file. The
    /// texts are for people and may change; `pinfold plan --json` is for
    /// programs. A key is never renamed within a version.
    pub fn json(&self) -> serde_json::Value {
        let origin = |origin: &Origin| {
            serde_json::json!(Origin { file: safe(&origin.file).into(), ..origin.clone() })
        };
        let sections: Vec<_> = self
            .sections
            .iter()
            .map(|section| {
                let lines: Vec<_> = section
                    .lines
                    .iter()
                    .map(|line| {
                        serde_json::json!({
                            "kind": line.kind.word(),
                            "text": line.text,
                            "origin": line.origin.as_ref().map(origin),
                        })
                    })
                    .collect();
                serde_json::json!({
                    "key": section.key,
                    "title": section.title,
                    "lines": lines,
                })
            })
            .collect();
        let files: Vec<_> = self
            .files
            .iter()
            .map(|(layer, file)| serde_json::json!({ "layer": layer, "file": file }))
            .collect();
        let unused = self.unmet.iter().map(|unmet| {
            serde_json::json!({
                "layer": unmet.layer,
                "file": safe(&unmet.file),
                "fact": unmet.condition.value.fact,
                "wanted": unmet.condition.value.any_of,
                "here": unmet.here.iter().map(|word| safe(word)).collect::<Vec<_>>(),
                "origin": origin(&unmet.condition.origin),
            })
        });
        let unused: Vec<_> = unused.collect();
        let locked = self
            .locked
            .iter()
            .map(|(key, place)| serde_json::json!({ "key": key, "origin": origin(place) }));
        let locked: Vec<_> = locked.collect();
        serde_json::json!({
            "version": VERSION,
            "app": self.app,
            "name": self.name,
            "files": files,
            "unused": unused,
            "locked": locked,
            "sections": sections,
        })
    }
}

/// Where a line was stated: at the right edge, on a line of its own where
/// there is no room beside the text.
fn at_the_edge(out: &mut String, place: &str, taken: usize, room: usize) {
    let faint = Style::new().dimmed();
    let long = place.chars().count();
    let gap = match room.checked_sub(taken + long) {
        Some(gap) if gap >= INDENT => gap,
        _ => {
            out.push('\n');
            INDENT + room.saturating_sub(long)
        }
    };
    let _ = write!(out, "{:gap$}{faint}{place}{faint:#}", "");
}

/// Breaks a text; what follows the first line stands a little to the right.
fn folded(text: &str, room: usize) -> Vec<String> {
    let mut lines = wrapped(text, room);
    if lines.len() > 1 {
        lines = wrapped(text, room - INDENT);
        for line in &mut lines[1..] {
            line.insert_str(0, "  ");
        }
    }
    lines
}

/// The last name of a path; of a preset with the folder that it is named by.
fn last_name(path: &str) -> &str {
    let cut = path.rfind('/').unwrap_or(0);
    match path[..cut].ends_with("/base") {
        true => &path[cut - "base".len()..],
        false => path[cut..].trim_start_matches('/'),
    }
}

/// A path with the home as `~`.
fn tilde(home: &str, path: &str) -> String {
    match path.strip_prefix(home) {
        Some("") if home != "/" => "~".to_owned(),
        Some(rest) if home != "/" && rest.starts_with('/') => format!("~{rest}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests;
