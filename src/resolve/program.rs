//! What is run, and what it needs to be found.

use crate::host::{HostFs, Node, NodeKind};
use crate::model::origin::Origin;
use crate::model::path::{AbsPath, PathError};
use crate::model::plan::{Action, Kind, Weight};
use crate::report::{Code, Diagnostic};

use super::Resolution;
use super::base::fixed;
use super::links::NotFound;

/// Where a bare name is looked up, first hit first. The caller's `$PATH` has
/// no say: a folder that an application may write could be on it.
pub const SEARCH: [&str; 7] = [
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
    "/usr/games",
    "/usr/local/games",
    "/run/current-system/sw/bin",
    "/run/current-system/profile/bin",
];

/// A resolved command.
pub struct Command {
    /// The program's path inside.
    pub program: AbsPath,
    /// Its arguments, its name first.
    pub arguments: Vec<String>,
    /// Where it was stated.
    pub origin: Origin,
}

/// Finds the program; none when it cannot be run, with the error stated.
pub fn resolve(r: &mut Resolution<'_>) -> Option<Command> {
    if r.request.shell {
        return shell(r);
    }
    let Some(command) = r.settings().command.clone() else {
        let id = r.policy.id.clone();
        let mut error =
            Diagnostic::error(Code::MissingKey, format!("no layer states a command for {id}"))
                .hint("add command = [\"program\"] to the manifest");
        if let Some((layer, file)) = r.policy.files.last() {
            let origin = Origin {
                layer: *layer,
                file: std::sync::Arc::from(file.as_str()),
                line: 1,
                column: 1,
            };
            error = error.at(&origin);
        }
        r.errors.push(error);
        return None;
    };
    let name = command.value.first().map_or("", String::as_str).to_owned();
    let program = locate(r, &name, &command.origin)?;
    let mut arguments = command.value.clone();
    arguments.extend(r.request.arguments.iter().cloned());
    Some(Command { program, arguments, origin: command.origin })
}

/// A shell in the application's place.
fn shell(r: &mut Resolution<'_>) -> Option<Command> {
    let program = r.shell();
    let mut arguments = vec![program.file_name().to_owned()];
    arguments.extend(r.request.arguments.iter().cloned());
    Some(Command { program, arguments, origin: Origin::command_line("--shell") })
}

/// Why a command's program cannot be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRunnable {
    /// It is nowhere: neither in [`SEARCH`] nor at its path, with the reason.
    Missing(String),
    /// It is there and no program.
    NotExecutable(AbsPath),
    /// The text names no program.
    BadName(PathError),
}

/// Where the program of a command is on this host: a bare name is looked up
/// in [`SEARCH`], anything else is an absolute path.
///
/// # Errors
/// When there is no such program.
pub fn find(fs: &HostFs, name: &str) -> Result<AbsPath, NotRunnable> {
    let executable = |node: &Node| node.kind == NodeKind::File && node.mode & 0o111 != 0;
    if name.contains('/') {
        let path = AbsPath::new(name).map_err(NotRunnable::BadName)?;
        return match fs.look_following(&path) {
            Ok(node) if executable(&node) => Ok(path),
            Ok(_) => Err(NotRunnable::NotExecutable(path)),
            Err(error) => Err(NotRunnable::Missing(error.to_string())),
        };
    }
    let mut blocked = None;
    for folder in SEARCH {
        let path = fixed(folder).join(name).map_err(NotRunnable::BadName)?;
        match fs.look_following(&path) {
            Ok(node) if executable(&node) => return Ok(path),
            Ok(_) => blocked = Some(path),
            Err(_) => {}
        }
    }
    Err(match blocked {
        Some(path) => NotRunnable::NotExecutable(path),
        None => NotRunnable::Missing(format!("looked in {}", SEARCH.join(", "))),
    })
}

fn locate(r: &mut Resolution<'_>, name: &str, origin: &Origin) -> Option<AbsPath> {
    match find(r.fs, name) {
        Ok(path) => packaged(r, path, origin),
        Err(NotRunnable::Missing(_)) if r.request.only_looks => {
            let text = format!("the program {name:?} is not installed");
            r.note(Weight::Warning, text, Some(origin), Some("install it before it is run"));
            // Where a distribution would put it.
            AbsPath::new(name).or_else(|_| fixed("/usr/bin").join(name)).ok()
        }
        Err(why) => {
            r.errors.push(refused(name, why).at(origin));
            None
        }
    }
}

fn refused(name: &str, why: NotRunnable) -> Diagnostic {
    match why {
        NotRunnable::NotExecutable(path) => {
            Diagnostic::error(Code::ProgramNotExecutable, format!("{path} cannot be executed"))
        }
        NotRunnable::Missing(reason) if name.contains('/') => {
            Diagnostic::error(Code::ProgramMissing, format!("the program {name} is not there"))
                .because(reason)
        }
        NotRunnable::Missing(reason) => Diagnostic::error(
            Code::ProgramMissing,
            format!("the program {name:?} is not installed"),
        )
        .because(reason)
        .hint("install it, or state its absolute path"),
        NotRunnable::BadName(error) => Diagnostic::error(
            Code::BadValue,
            format!("the command {name:?} is neither a plain name nor a clean absolute path"),
        )
        .because(error),
    }
}

/// Shows the program where it is not part of the system: the folder of its
/// own in /opt, or the single file elsewhere. What is given back is the path
/// that leads to it inside.
fn packaged(r: &mut Resolution<'_>, path: AbsPath, origin: &Origin) -> Option<AbsPath> {
    let found = match r.links.find(&path) {
        Ok(found) => found,
        Err(why) => {
            let mut error =
                Diagnostic::error(Code::PathLink, format!("the program {path} is not run"))
                    .at(origin)
                    .hint("state the path of the program itself");
            if let NotFound::Planted(link) = why {
                error = error.because(format!(
                    "{link} is a link in a folder where an application or another account may write"
                ));
            }
            r.errors.push(error);
            return None;
        }
    };
    if found.real.file_name().to_ascii_lowercase().ends_with(".appimage") {
        // An AppImage mounts itself by FUSE, for which a sandbox has no rights.
        r.environment.insert("APPIMAGE_EXTRACT_AND_RUN".to_owned(), "1".to_owned());
    }
    if r.is_reached(&found) {
        return Some(path);
    }
    let system = ["/usr", "/nix/store", "/gnu/store", "/bin", "/sbin", "/etc/alternatives"];
    if system.iter().any(|root| found.real.is_within(&fixed(root))) {
        // A link in a profile of the caller's own, which is not shown.
        return Some(found.real);
    }
    for (place, text) in &found.links {
        if !r.tree.above(place).is_some_and(|step| matches!(step.action, Action::Bind { .. })) {
            r.tree.put(Action::Link { dest: place.clone(), target: text.clone() }, origin);
        }
    }
    let opt = r.links.find(&fixed("/opt")).map_or_else(|_| fixed("/opt"), |found| found.real);
    let (source, kind) = match found.real.relative_to(&opt).and_then(|rest| rest.split_once('/')) {
        Some((package, _)) => (opt.child(package), Kind::Folder),
        None => (found.real.clone(), Kind::File),
    };
    let text = match kind {
        Kind::Folder => {
            format!("{source} is shown to read and execute, since the program lives there")
        }
        Kind::File => format!("{source} is shown to read and execute"),
    };
    r.note(Weight::Info, text, Some(origin), None);
    r.tree.put(
        Action::Bind {
            source: source.clone(),
            dest: source,
            kind,
            write: false,
            exec: true,
            device: false,
        },
        origin,
    );
    if r.is_reached(&found) { Some(path) } else { Some(found.real) }
}
