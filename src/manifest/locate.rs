//! Where manifests lie, and whether one can be believed.
//!
//! A manifest decides what a program may do, so a file that somebody else
//! could have written is refused, not skipped: skipping it would silently
//! fall back to what a lower layer says.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::app_id::AppId;
use crate::model::origin::{Layer, Origin};
use crate::report::{Code, Diagnostic};

use super::parse::{LARGEST, too_large};

/// The folders that are searched.
#[derive(Debug, Clone)]
pub struct Places {
    /// The caller's own overrides.
    pub user: PathBuf,
    /// The administrator's.
    pub admin: PathBuf,
    /// What is shipped; the first folder that has a file wins.
    pub vendor: Vec<PathBuf>,
    /// The caller's user id: whose files are believed, besides root's.
    pub uid: u32,
    /// A file that is about to be written: it stands for what lies at its
    /// path now.
    pub draft: Option<Found>,
}

/// The name of a layer's file about all applications. An id has two dots or
/// more, so that no application's file is called so.
pub const FOR_ALL: &str = "global.toml";

/// A manifest's text and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whose layer it belongs to.
    pub layer: Layer,
    /// Its place.
    pub path: PathBuf,
    /// What is in it, as yet unread.
    pub text: Vec<u8>,
}

impl Found {
    /// What the file is called in reports.
    pub fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }
}

impl Places {
    /// The usual folders. `config_home` is `$XDG_CONFIG_HOME` or `~/.config`.
    pub fn new(config_home: &Path) -> Places {
        let mut vendor = vec![
            PathBuf::from("/usr/local/share/pinfold/manifests"),
            PathBuf::from("/usr/share/pinfold/manifests"),
        ];
        vendor.extend(std::env::current_exe().ok().and_then(|exe| checkout(&exe)));
        Places {
            user: config_home.join("pinfold"),
            admin: PathBuf::from("/etc/pinfold"),
            vendor,
            uid: rustix::process::getuid().as_raw(),
            draft: None,
        }
    }

    /// The folders of a layer, the one that wins first.
    pub fn folders(&self, layer: Layer) -> &[PathBuf] {
        match layer {
            Layer::Vendor => &self.vendor,
            Layer::Admin => std::slice::from_ref(&self.admin),
            Layer::User => std::slice::from_ref(&self.user),
            Layer::Builtin | Layer::CommandLine => &[],
        }
    }

    /// The files about an application, lowest layer first, each opened once.
    /// Those about all applications are not among them.
    ///
    /// # Errors
    /// Every file that is there and cannot be read or believed.
    pub fn find(&self, id: &AppId) -> Result<Vec<Found>, Vec<Diagnostic>> {
        let mut found = Vec::new();
        let mut errors = Vec::new();
        for layer in [Layer::Vendor, Layer::Admin, Layer::User] {
            match self.in_layer(layer, id) {
                Ok(file) => found.extend(file),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(found) } else { Err(errors) }
    }

    /// The file of one layer about all applications.
    ///
    /// # Errors
    /// When it is there and cannot be read or believed.
    pub fn for_all(&self, layer: Layer) -> Result<Option<Found>, Diagnostic> {
        self.first(layer, layer, FOR_ALL)
    }

    /// The file of one layer about an application.
    ///
    /// # Errors
    /// When it is there and cannot be read or believed.
    pub fn in_layer(&self, layer: Layer, id: &AppId) -> Result<Option<Found>, Diagnostic> {
        self.first(layer, layer, &format!("{id}.toml"))
    }

    /// A preset such as `base/gtk`, read as a part of the layer of the file
    /// that names it. Where no folder has it, the one that is built into the
    /// program serves, so that a manifest works with the bare program too.
    ///
    /// # Errors
    /// When it is there and cannot be read or believed.
    pub fn preset(&self, layer: Layer, name: &str) -> Result<Option<Found>, Diagnostic> {
        let found = self.first(Layer::Vendor, layer, &format!("{name}.toml"))?;
        Ok(found.or_else(|| built_in(layer, name)))
    }

    /// A manifest that was named by its path. It counts as a shipped one. Its
    /// folder is the caller's choice and is not looked at.
    ///
    /// # Errors
    /// When it is not there, or cannot be read or believed.
    pub fn named(&self, path: &Path) -> Result<Found, Diagnostic> {
        self.read(path, Layer::Vendor)
            .map_err(|error| Refusal::Unreadable(error).report(path, Layer::Vendor))?
            .map_err(|refusal| refusal.report(path, Layer::Vendor))
    }

    /// Every application that any layer knows, with its files, lowest layer
    /// first. Folders that cannot be read have none.
    pub fn list(&self) -> Vec<(AppId, Vec<(Layer, PathBuf)>)> {
        let mut all: BTreeMap<AppId, Vec<(Layer, PathBuf)>> = BTreeMap::new();
        for layer in [Layer::Vendor, Layer::Admin, Layer::User] {
            for folder in self.folders(layer) {
                for name in names_in(folder) {
                    let Ok(id) = name.parse::<AppId>() else {
                        continue;
                    };
                    let files = all.entry(id).or_default();
                    if files.iter().all(|(other, _)| *other != layer) {
                        files.push((layer, folder.join(format!("{name}.toml"))));
                    }
                }
            }
        }
        all.into_iter().collect()
    }

    /// The names of all presets, for guesses.
    pub fn presets(&self) -> Vec<String> {
        let folders = self.vendor.iter().map(|folder| folder.join("base"));
        let shipped =
            folders.flat_map(|folder| names_in(&folder)).map(|name| format!("base/{name}"));
        let built_in = PRESETS.iter().map(|(name, _)| (*name).to_owned());
        shipped.chain(built_in).collect()
    }

    /// The first file of this name in the folders of a layer.
    fn first(&self, among: Layer, layer: Layer, name: &str) -> Result<Option<Found>, Diagnostic> {
        for folder in self.folders(among) {
            let path = folder.join(name);
            if let Some(draft) = self.draft.as_ref().filter(|draft| draft.path == path) {
                return Ok(Some(draft.clone()));
            }
            match self.read(&path, layer) {
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(Refusal::Unreadable(error).report(&path, layer)),
                Ok(Err(refusal)) => return Err(refusal.report(&path, layer)),
                Ok(Ok(found)) => {
                    // A preset's folder is base/, so not always `folder`.
                    let holder = path.parent().unwrap_or(folder);
                    let about = fs::metadata(holder)
                        .map_err(|error| Refusal::Unreadable(error).report(holder, layer))?;
                    self.believe(&about)
                        .map_err(|refusal| refusal.report_folder(holder, &path, layer))?;
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// Opens and reads a file. The outer error is that it cannot be opened.
    fn read(&self, path: &Path, layer: Layer) -> io::Result<Result<Found, Refusal>> {
        // Links are followed, since stow and Nix place files by them; what
        // counts is the file that is open in the end. A FIFO must not block.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let about = file.metadata()?;
        Ok(self.check(&about).and_then(|()| {
            let text = contents(file, &about).map_err(Refusal::Unreadable)?;
            Ok(Found { layer, path: path.to_owned(), text })
        }))
    }

    fn check(&self, about: &Metadata) -> Result<(), Refusal> {
        if !about.is_file() {
            return Err(Refusal::NotAFile);
        }
        self.believe(about)?;
        if about.len() > LARGEST as u64 {
            return Err(Refusal::TooLarge(about.len()));
        }
        Ok(())
    }

    /// Whether nobody but root and the caller could have written it.
    fn believe(&self, about: &Metadata) -> Result<(), Refusal> {
        let owner = about.uid();
        if owner != 0 && owner != self.uid && !crate::sys::probe::is_overflow_user(owner) {
            return Err(Refusal::Owner(about.uid()));
        }
        if about.mode() & 0o002 != 0 {
            return Err(Refusal::Mode(about.mode() & 0o7777));
        }
        Ok(())
    }
}

/// The shipped presets.
const PRESETS: [(&str, &str); 3] = [
    ("base/gtk", include_str!("../../manifests/base/gtk.toml")),
    ("base/qt", include_str!("../../manifests/base/qt.toml")),
    ("base/x11", include_str!("../../manifests/base/x11.toml")),
];

/// A preset that is part of the program.
fn built_in(layer: Layer, name: &str) -> Option<Found> {
    let (name, text) = PRESETS.iter().find(|(known, _)| *known == name)?;
    let path = PathBuf::from(format!("built in: manifests/{name}.toml"));
    Some(Found { layer, path, text: text.as_bytes().to_vec() })
}

/// Why a file that is there is not taken.
enum Refusal {
    Unreadable(io::Error),
    NotAFile,
    TooLarge(u64),
    Owner(u32),
    Mode(u32),
}

impl Refusal {
    fn report(self, path: &Path, layer: Layer) -> Diagnostic {
        let shown = shell_word(path);
        let origin = origin(path, layer);
        let unreadable = || Diagnostic::error(Code::ManifestUnreadable, "cannot read the manifest");
        match self {
            Refusal::Unreadable(error) => {
                let report = unreadable().at(&origin).because(&error);
                match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        report.hint("make it readable, or remove it")
                    }
                    _ => report,
                }
            }
            Refusal::NotAFile => unreadable().at(&origin).because("it is no regular file"),
            Refusal::TooLarge(length) => {
                // What is wrong is the whole text, which starts here.
                too_large(length, &Origin { line: 1, column: 1, ..origin })
            }
            Refusal::Owner(uid) => untrusted()
                .at(&origin)
                .because(format!("it belongs to user {uid}, who is neither root nor you"))
                .hint("make it yours, after a look at what is in it"),
            Refusal::Mode(mode) => untrusted()
                .at(&origin)
                .because(format!("everybody can write to it (mode {mode:04o})"))
                .hint(format!("look at what is in it, then run: chmod o-w {shown}")),
        }
    }

    /// The same for the folder that holds a manifest.
    fn report_folder(self, folder: &Path, path: &Path, layer: Layer) -> Diagnostic {
        let origin = origin(path, layer);
        let shown = shell_word(folder);
        let report = untrusted().at(&origin);
        match self {
            Refusal::Owner(uid) => report
                .because(format!("its folder belongs to user {uid}, who is neither root nor you"))
                .hint(format!("make {shown} yours, after a look at what is in it")),
            Refusal::Mode(mode) => report
                .because(format!("everybody can write to its folder (mode {mode:04o})"))
                .hint(format!("look at what is in it, then run: chmod o-w {shown}")),
            other => other.report(folder, layer),
        }
    }
}

/// A path as it can be pasted into a shell.
fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+~".contains(c);
    if text.chars().all(plain) && !text.starts_with(['~', '-']) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn untrusted() -> Diagnostic {
    Diagnostic::error(Code::ManifestUntrusted, "somebody else could have written the manifest")
}

fn origin(path: &Path, layer: Layer) -> Origin {
    Origin { layer, file: Arc::from(path.to_string_lossy()), line: 0, column: 0 }
}

/// Whether opening failed because there is nothing.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    // A file name has at most 255 bytes, an id alone can have as many.
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}

/// All that is in a file, or a byte more than a manifest may have of one that
/// grew in the meantime.
fn contents(file: File, about: &Metadata) -> io::Result<Vec<u8>> {
    let expected = usize::try_from(about.len()).unwrap_or(LARGEST).min(LARGEST);
    let mut text = Vec::with_capacity(expected + 1);
    file.take(LARGEST as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

/// The names of the .toml files in a folder, without the ending.
fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".toml").map(str::to_owned))
        .collect()
}

/// The catalogue of the checkout that a program was built in, which is what
/// holds the folder `target` around it.
fn checkout(exe: &Path) -> Option<PathBuf> {
    let target = exe.ancestors().skip(1).find(|folder| folder.ends_with("target"))?;
    let root = target.parent()?;
    let manifests = root.join("manifests");
    (root.join("Cargo.toml").is_file() && manifests.is_dir()).then_some(manifests)
}

#[cfg(test)]
mod tests;
