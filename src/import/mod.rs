//! Manifests from what other sandboxes have. Floor 3; imports the model, the
//! reports, and of its own floor the manifest's grammar and the catalogue.
//!
//! One file for each format reads its grammar and says, statement by
//! statement, what becomes of it: a [`Finding`](report::Finding) is exact, an
//! approximation or nothing, and tells whether the application can do less or
//! more than it could there. Nothing is left out in silence.
//!
//! # The rule
//!
//! An import never grants what the source does not. Where a grant cannot be
//! said in a manifest, what comes out is narrower. What can come out wider are
//! limits of another kind than grants, such as which programs of the system
//! can be started; each of them is reported as allowing more.
//!
//! `text` reads files and refuses what is no plain text; `draft` writes the
//! manifest; `grants` knows which grants of files a manifest can hold, `overlap`
//! which of them can lie in others;
//! `keyfile` and `yaml` are the grammars that have no parser here otherwise.

mod bubblejail;
mod bus;
mod draft;
mod firejail;
mod flatpak;
mod grants;
mod keyfile;
mod overlap;
pub mod report;
mod snap;
mod text;
mod yaml;

use std::path::{Path, PathBuf};

use crate::manifest::parse;
use crate::model::app_id::AppId;
use crate::model::origin::{Layer, Origin};
use crate::report::{Code, Diagnostic};

use draft::Draft;
use report::Report;
use text::Text;

/// What is imported from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Metadata of a Flatpak application, or overrides of one.
    Flatpak,
    /// A firejail profile.
    Firejail,
    /// The services of a bubblejail instance, or a bubblejail profile.
    Bubblejail,
    /// snap.yaml or snapcraft.yaml.
    Snap,
}

impl Format {
    /// What people call it.
    pub fn word(self) -> &'static str {
        match self {
            Format::Flatpak => "flatpak",
            Format::Firejail => "firejail",
            Format::Bubblejail => "bubblejail",
            Format::Snap => "snap",
        }
    }
}

/// What is to be imported, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// The format of the file.
    pub format: Format,
    /// The file.
    pub file: PathBuf,
    /// The id of the application, where the file's own, or one made from its
    /// name, is not wanted.
    pub id: Option<AppId>,
    /// Folders in which included files are looked for, beside the file's own.
    pub include: Vec<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The application.
    pub id: AppId,
    /// The manifest's text.
    pub manifest: String,
    /// What became of each line.
    pub report: Report,
}

/// What a format's reader makes of a file.
struct Read {
    /// The id that the file says, if it does.
    id: Option<AppId>,
    draft: Draft,
    report: Report,
}

/// Imports a file.
///
/// # Errors
/// What is wrong with it: one finding, with its place.
pub fn import(request: &Request) -> Result<Imported, Diagnostic> {
    let text = Text::read(&request.file)?;
    let file = request.file.to_string_lossy();
    let read = match request.format {
        Format::Flatpak => flatpak::read(&text, &file)?,
        Format::Firejail => firejail::read(&text, &request.file, &request.include)?,
        Format::Bubblejail => bubblejail::read(&text, &file)?,
        Format::Snap => snap::read(&text, &file)?,
    };
    let id = match request.id.clone().or(read.id) {
        Some(id) => id,
        None => made_up(request.format, &request.file)?,
    };
    let head = [
        format!("Imported from {}, a file of {}.", short(&request.file), request.format.word()),
        "Behind each statement: the line that it comes from.".to_owned(),
        "Protected paths that are named here open only when this file lies in".to_owned(),
        "~/.config/pinfold or /etc/pinfold.".to_owned(),
    ];
    let manifest = read.draft.text(&id, &head);
    // What is written has to be read again; anything else is a bug of ours or
    // too much for one manifest.
    if let Err(reports) = parse(manifest.as_bytes(), "the imported manifest", Layer::Vendor) {
        let why = reports.into_iter().next().map_or_else(String::new, |report| report.message);
        let origin =
            Origin { layer: Layer::CommandLine, file: file.as_ref().into(), line: 1, column: 1 };
        return Err(Diagnostic::error(Code::ImportResult, "no manifest can be made of this file")
            .at(&origin)
            .because(why));
    }
    Ok(Imported { id, manifest, report: read.report })
}

fn short(file: &Path) -> String {
    file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// An id from a file's name: `vlc.profile` of firejail becomes
/// `imported.firejail.vlc`.
fn made_up(format: Format, file: &Path) -> Result<AppId, Diagnostic> {
    let name = short(file);
    let stem = match name.split_once('.') {
        // Bubblejail and snaps name the folder, and not the file.
        Some(("services" | "snap" | "snapcraft" | "metadata", _)) | None => {
            let folder = file.parent().map(short).unwrap_or_default();
            if name.contains('.') && !folder.is_empty() { folder } else { name.clone() }
        }
        Some(_) if format == Format::Firejail => {
            name.strip_suffix(".profile").unwrap_or(&name).to_owned()
        }
        Some((stem, _)) => stem.to_owned(),
    };
    id_of(format, &stem).ok_or_else(|| {
        Diagnostic::error(Code::Usage, format!("no application id can be made from {name}"))
            .hint("give one with --id, as in --id org.example.App")
    })
}

/// The id of an application that has only a plain name.
fn id_of(format: Format, name: &str) -> Option<AppId> {
    let letter = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' };
    let mut word: String = name.chars().map(letter).collect();
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        word.insert(0, '_');
    }
    format!("imported.{}.{word}", format.word()).parse().ok()
}
