//! `pinfold export`

use std::fs;
use std::path::Path;

use crate::cli::{Export, ExportBwrap, ExportFlatpak, ExportTarget};
use crate::export::bwrap::{self, Content, Word};
use crate::export::flatpak;
use crate::model::plan::Tier;
use crate::report::{Code, Diagnostic, ExitCode, escape, render};
use crate::resolve::Request;

use super::prepare::Prepared;
use super::{Outcome, prepare, print};

/// The number of the first descriptor that bubblewrap has to inherit.
const FIRST: usize = 11;

/// Writes what a manifest grants in the terms of another sandbox.
pub fn main(options: &Export) -> Outcome {
    match &options.target {
        ExportTarget::Bwrap(options) => to_bwrap(options),
        ExportTarget::FlatpakOverride(options) => to_flatpak(options),
    }
}

fn prepared(app: &str, grants: &crate::cli::Grants) -> Result<Prepared, Vec<Diagnostic>> {
    let host = prepare::host()?;
    prepare::prepare(&host, app, grants, |written| Request::look(written, Tier::Namespaces))
}

fn to_bwrap(options: &ExportBwrap) -> Outcome {
    let plan = prepared(&options.app, &options.grants)?.plan;
    let mut made = bwrap::arguments(&plan, &[]);
    let mut words: Vec<String> = Vec::new();
    let mut contents = Vec::new();
    if options.files.is_none() {
        without_contents(&mut made);
    }
    for word in made.words {
        match word {
            Word::Text(text) => words.push(text),
            Word::Content(content) => {
                words.push((FIRST + contents.len()).to_string());
                contents.push(content);
            }
        }
    }
    if let Some(folder) = &options.files {
        write(folder, &contents).map_err(|error| vec![error])?;
    }
    if options.json {
        let safe: Vec<_> = words.iter().map(|word| serde_json::json!(word)).collect();
        print::text(&format!("{}\n", harmless(&format!("{:#}", serde_json::json!(safe)))))?;
    } else {
        let lines: Vec<_> = words.iter().map(|word| escape::safe(word)).collect();
        print::text(&format!("{}\n", lines.join("\n")))?;
        if words.iter().any(|word| word.contains(escape::is_hostile)) {
            let note = "some arguments have characters that are written out here; use --json";
            render::print(&[Diagnostic::warning(note)]);
        }
    }
    if let Some(folder) = &options.files {
        let redirections: Vec<String> = (FIRST..FIRST + contents.len())
            .map(|number| format!("{number}<{}", folder.join(number.to_string()).display()))
            .collect();
        let note = Diagnostic::note("bubblewrap has to inherit these files")
            .because(redirections.join(" "));
        render::print(&[note]);
    }
    tell("bubblewrap", &made.left_out);
    Ok(ExitCode::Success.number())
}

/// JSON's own escape for what JSON lets through and a terminal does not.
fn harmless(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && escape::is_hostile(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Takes out what needs an open file, with the options around it.
fn without_contents(made: &mut bwrap::Arguments) {
    let mut kept: Vec<Word> = Vec::new();
    let mut words = std::mem::take(&mut made.words).into_iter();
    while let Some(word) = words.next() {
        let Word::Content(content) = word else {
            kept.push(word);
            continue;
        };
        let option = kept.pop();
        if option == Some(Word::Text("--file".to_owned())) {
            // `--perms MODE --file FD DEST`
            kept.truncate(kept.len().saturating_sub(2));
            let _dest = words.next();
        }
        made.left_out.push(format!("{}: written with --files", content.name));
    }
    made.words = kept;
}

fn write(folder: &Path, contents: &[Content]) -> Result<(), Diagnostic> {
    let cannot = |error: std::io::Error| {
        let message = format!("cannot write to {}", folder.display());
        Diagnostic::error(Code::Usage, message).because(error)
    };
    fs::create_dir(folder).map_err(cannot)?;
    for (number, content) in (FIRST..).zip(contents) {
        fs::write(folder.join(number.to_string()), &content.bytes).map_err(cannot)?;
    }
    Ok(())
}

fn to_flatpak(options: &ExportFlatpak) -> Outcome {
    let policy = prepared(&options.app, &options.grants)?.policy;
    let made = flatpak::overrides(&policy);
    print::text(&made.text)?;
    tell("Flatpak", &made.left_out);
    Ok(ExitCode::Success.number())
}

/// Names what is left out.
fn tell(whose: &str, left_out: &[String]) {
    if left_out.is_empty() {
        return;
    }
    let mut note = Diagnostic::note(format!("left out, since {whose} has no words for it"));
    for what in left_out {
        note = note.because(what);
    }
    render::print(&[note]);
}
