//! `pinfold new`

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::cli::New;
use crate::manifest;
use crate::manifest::closest::closest;
use crate::model::app_id::AppId;
use crate::model::facts::HostFacts;
use crate::model::origin::Layer;
use crate::model::path::AbsPath;
use crate::report::{Code, Diagnostic, ExitCode, render};
use crate::resolve::program;
use crate::starter::libraries::{self, Program};
use crate::starter::{self, Known, entry, exec};

use super::prepare::{self, Host};
use super::{Outcome, print};

/// No desktop entry is larger.
const LARGEST: u64 = 1 << 20;

/// Writes a first manifest.
pub fn main(options: &New) -> Outcome {
    let host = prepare::host()?;
    let asked = options.id.as_ref().map(|id| id.parse::<AppId>()).transpose().map_err(|error| {
        let id = options.id.as_deref().unwrap_or_default();
        vec![Diagnostic::error(Code::Usage, format!("{id:?} is no application id")).because(error)]
    })?;
    let path = find(&options.entry, &host.facts)?;
    let unfit = |why: String| {
        let message = format!("no manifest can be made from {}", path.display());
        Diagnostic::error(Code::DesktopEntry, message).because(why)
    };
    let text = read(&path).map_err(|why| vec![unfit(why)])?;
    let entry = entry::read(&text).map_err(|error| vec![unfit(error.to_string())])?;
    let command = exec::read(&entry.exec)
        .map_err(|error| vec![unfit(format!("Exec={}: {error}", entry.exec)).hint(error.hint())])?;
    let (command, program) = looked_at(&host, command);
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let made = starter::manifest(&Known {
        file: file.as_deref().unwrap_or_default(),
        path: &path.to_string_lossy(),
        entry: &entry,
        command: &command,
        program: program.as_ref(),
        id: asked,
    })
    .map_err(|error| vec![unfit(error.to_string())])?;
    // Whatever stood in the entry: what is written is a manifest.
    manifest::parse(made.text.as_bytes(), &format!("{}.toml", made.id), Layer::Vendor)?;
    let notes = made.guesses.iter().map(Diagnostic::note);
    render::print(&notes.collect::<Vec<_>>());
    match &options.output {
        None => print::text(&made.text)?,
        Some(output) => {
            write(output, &made.text)?;
            render::print(&[Diagnostic::note(format!("wrote {}", output.display()))
                .hint(format!("pinfold show {}", as_file(output)))]);
        }
    }
    Ok(ExitCode::Success.number())
}

/// A path that `pinfold show` takes for a file.
fn as_file(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.contains('/') || text.ends_with(".toml") {
        text.into_owned()
    } else {
        format!("./{text}")
    }
}

/// Writes a file that is not there yet.
fn write(output: &Path, text: &str) -> Result<(), Vec<Diagnostic>> {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(output)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| {
            let message = format!("cannot write {}", output.display());
            vec![Diagnostic::error(Code::NotWritten, message).because(error)]
        })
}

/// The text of an entry.
fn read(path: &Path) -> Result<String, String> {
    use std::io::Read;
    // A FIFO must not block.
    let file = std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = file.map_err(|error| error.to_string())?;
    if !file.metadata().is_ok_and(|about| about.is_file() && about.len() <= LARGEST) {
        return Err("it is no file of a desktop entry's size".to_owned());
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

/// The folders of desktop entries, by the base directory specification.
fn folders(facts: &HostFacts) -> Vec<PathBuf> {
    let stated = facts.environment.get("XDG_DATA_DIRS").filter(|dirs| !dirs.is_empty());
    let dirs = stated.map_or("/usr/local/share:/usr/share", String::as_str);
    std::iter::once(facts.data_home.as_str())
        .chain(dirs.split(':'))
        .filter(|dir| dir.starts_with('/'))
        .map(|dir| Path::new(dir).join("applications"))
        .collect()
}

/// The entry that is meant.
fn find(entry: &str, facts: &HostFacts) -> Result<PathBuf, Vec<Diagnostic>> {
    if entry.contains('/') {
        return Ok(PathBuf::from(entry));
    }
    let stem = entry.strip_suffix(".desktop").unwrap_or(entry);
    let name = format!("{stem}.desktop");
    let folders = folders(facts);
    if let Some(found) = folders.iter().map(|dir| dir.join(&name)).find(|path| path.is_file()) {
        return Ok(found);
    }
    let mut error = Diagnostic::error(Code::DesktopEntry, format!("there is no {name}"));
    for folder in &folders {
        error = error.because(format!("{} does not have it", folder.display()));
    }
    let known: Vec<String> = folders
        .iter()
        .filter_map(|dir| std::fs::read_dir(dir).ok())
        .flatten()
        .filter_map(|item| item.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".desktop").map(str::to_owned))
        .collect();
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_lowercase();
    let guess = closest(stem, known.iter().map(String::as_str));
    let guess = guess.or_else(|| known.iter().map(String::as_str).find(|k| last(k) == last(stem)));
    Err(vec![match guess {
        Some(guess) => error.hint(format!("did you mean `{guess}`?")),
        None => error.hint("name its file by a path"),
    }])
}

/// The command with its program by name where that is found, and what the
/// program's file is.
fn looked_at(host: &Host, mut command: exec::Command) -> (exec::Command, Option<Program>) {
    let name = command.words[0].clone();
    let Ok(path) = program::find(&host.fs, &name) else { return (command, None) };
    // The same file, that is: /bin is a link into /usr on most systems.
    let identity = |path: &AbsPath| {
        let node = host.fs.look_following(path).ok()?;
        Some((node.device, node.inode))
    };
    if let Some(bare) = name.rsplit_once('/').map(|(_, bare)| bare)
        && program::find(&host.fs, bare).is_ok_and(|found| identity(&found) == identity(&path))
    {
        command.words[0] = bare.to_owned();
    }
    let file = std::fs::File::open(path.as_str());
    let look = file.and_then(|file| libraries::look(&file));
    (command, look.ok())
}
