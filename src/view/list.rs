//! `pinfold list`: the applications that have a manifest.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::host::HostFs;
use crate::model::app_id::AppId;
use crate::model::manifest::Policy;
use crate::model::origin::Layer;
use crate::report::escape::safe;
use crate::resolve::program::{self, NotRunnable};

/// The version of the shape that [`json`] gives.
pub const VERSION: u32 = 1;

/// How it stands with an application's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is at this path.
    Installed(String),
    /// It is not on this machine.
    NotInstalled,
    /// The manifests cannot be read, so nobody knows.
    Broken,
}

impl State {
    fn word(&self) -> &'static str {
        match self {
            State::Installed(_) => "installed",
            State::NotInstalled => "not installed",
            State::Broken => "bad manifest",
        }
    }
}

/// One application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: AppId,
    /// Its name for people, if a manifest has one.
    pub name: Option<String>,
    /// The files that state something about it, lowest layer first.
    pub files: Vec<(Layer, String)>,
    /// The command's first word; none where no manifest could be read.
    pub command: Option<String>,
    /// How it stands with its program.
    pub state: State,
}

impl Entry {
    /// An application whose manifests make a policy.
    pub fn of(policy: &Policy, fs: &HostFs) -> Entry {
        let settings = &policy.settings;
        let command = settings.command.as_ref().and_then(|command| command.value.first());
        let state = match command.map(|name| program::find(fs, name)) {
            Some(Ok(path)) => State::Installed(path.as_str().to_owned()),
            None | Some(Err(NotRunnable::Missing(_) | NotRunnable::NotExecutable(_))) => {
                State::NotInstalled
            }
            Some(Err(NotRunnable::BadName(_))) => State::Broken,
        };
        Entry {
            id: policy.id.clone(),
            name: settings.name.as_ref().map(|name| name.value.clone()),
            files: policy.files.clone(),
            command: command.cloned(),
            state,
        }
    }

    /// An application whose manifests are wrong.
    pub fn broken(id: AppId, files: Vec<(Layer, String)>) -> Entry {
        Entry { id, name: None, files, command: None, state: State::Broken }
    }

    /// The layers that say something, each once.
    fn layers(&self) -> String {
        let mut words: Vec<&str> = self.files.iter().map(|(layer, _)| layer.word()).collect();
        words.dedup();
        words.join(", ")
    }
}

/// The table, in at most `width` columns where ids allow it: names are cut.
/// It holds colours: print it through `anstream`.
pub fn text(entries: &[Entry], width: usize) -> String {
    if entries.is_empty() {
        return "No application has a manifest. `pinfold run FILE` runs one from a file of your \
                own.\n"
            .to_owned();
    }
    let rows: Vec<[String; 4]> = entries
        .iter()
        .map(|entry| {
            [
                safe(entry.id.as_str()).into_owned(),
                entry.state.word().to_owned(),
                entry.layers(),
                safe(entry.name.as_deref().unwrap_or("")).into_owned(),
            ]
        })
        .collect();
    let titles = ["ID", "PROGRAM", "LAYERS", "NAME"];
    let widest = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([titles[column].len()]).max().unwrap_or(0)
    };
    let (id, program, layers) = (widest(0), widest(1), widest(2));
    let room = width.saturating_sub(id + program + layers + 6).max(titles[3].len());
    let mut out = String::new();
    let bold = Style::new().bold();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        out,
        "{bold}{:id$}  {:program$}  {:layers$}  {}{bold:#}",
        titles[0], titles[1], titles[2], titles[3]
    );
    for (entry, row) in entries.iter().zip(&rows) {
        let style = match entry.state {
            State::Installed(_) => AnsiColor::Green.on_default(),
            State::NotInstalled => Style::new().dimmed(),
            State::Broken => AnsiColor::Red.on_default(),
        };
        let name = shortened(&row[3], room);
        let lead = format!(
            "{:id$}  {style}{:program$}{style:#}  {:layers$}  {name}",
            row[0], row[1], row[2]
        );
        let _ = writeln!(out, "{}", lead.trim_end());
    }
    out
}

/// A text of at most `room` characters, with dots for what is cut off.
fn shortened(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

/// The same as JSON: `version`, and `applications`, each with `id`, `name`
/// (or null), `command` (or null), `program` (its path, or null when it is not
/// installed), `state` (`installed`, `not-installed` or `broken`) and `files`,
/// each with `layer` and `file`. Texts are written out where they would drive
/// a terminal.
pub fn json(entries: &[Entry]) -> serde_json::Value {
    let applications: Vec<_> = entries
        .iter()
        .map(|entry| {
            let files: Vec<_> = entry
                .files
                .iter()
                .map(|(layer, file)| serde_json::json!({ "layer": layer, "file": safe(file) }))
                .collect();
            let (state, program) = match &entry.state {
                State::Installed(path) => ("installed", Some(safe(path))),
                State::NotInstalled => ("not-installed", None),
                State::Broken => ("broken", None),
            };
            serde_json::json!({
                "id": safe(entry.id.as_str()),
                "name": entry.name.as_deref().map(safe),
                "command": entry.command.as_deref().map(safe),
                "program": program,
                "state": state,
                "files": files,
            })
        })
        .collect();
    serde_json::json!({ "version": VERSION, "applications": applications })
}

#[cfg(test)]
mod tests;
