//! Files that are named as arguments of this one run, and the folder that the
//! application starts in.

use crate::host::NodeKind;
use crate::manifest::stack::locked;
use crate::model::origin::{Layer, Origin};
use crate::model::path::AbsPath;
use crate::model::plan::{Action, Kind, Weight};

use super::links::NotFound;
use super::{Forward, Resolution, files};

/// The key of what can be changed.
const WRITE: &str = "filesystem.write";

/// Shows each regular file that an argument names, singly, in its own place.
pub fn resolve(r: &mut Resolution<'_>) {
    if r.request.forward == Forward::Nothing {
        return;
    }
    // A flag that lets files be changed states as much as `filesystem.write`.
    if r.request.forward == Forward::Write
        && let Some(lock) = r.settings().lock_on(WRITE, Layer::CommandLine)
    {
        let flag = Origin::command_line("--forward-write");
        r.errors.push(locked(format!("`{WRITE}` is locked"), &flag, lock));
        return;
    }
    for argument in &r.request.arguments {
        if let Some(path) = named(argument, r.facts.cwd.as_ref()) {
            forward(r, argument, &path);
        }
    }
}

/// The path that an argument names. Options never do, nor do other URIs.
fn named(argument: &str, cwd: Option<&AbsPath>) -> Option<AbsPath> {
    if argument.is_empty() || argument.starts_with('-') {
        return None;
    }
    if let Some(uri) = argument.strip_prefix("file://") {
        let path = uri.strip_prefix("localhost").unwrap_or(uri);
        return clean(&decode(path)?);
    }
    if argument.contains("://") {
        return None;
    }
    if argument.starts_with('/') {
        return clean(argument);
    }
    clean(&format!("{}/{argument}", cwd?))
}

/// An absolute path with `.`, `..` and `//` taken out by text, which is right
/// because no link is followed where somebody could have planted it.
fn clean(text: &str) -> Option<AbsPath> {
    let mut elements: Vec<&str> = Vec::new();
    for element in text.split('/') {
        match element {
            "" | "." => {}
            ".." => {
                elements.pop();
            }
            name => elements.push(name),
        }
    }
    AbsPath::new(&format!("/{}", elements.join("/"))).ok()
}

/// Percent signs of a URI.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn forward(r: &mut Resolution<'_>, argument: &str, path: &AbsPath) {
    let origin = Origin::command_line(argument);
    let found = match r.links.find(path) {
        Ok(found) => found,
        Err(NotFound::Planted(link)) => {
            r.note(
                Weight::Notice,
                format!("{path} is not handed over: {link} is a link in a folder where an application or another account may write"),
                Some(&origin),
                Some("name the file that it leads to"),
            );
            return;
        }
        Err(_) => return,
    };
    if found.node.kind != NodeKind::File || files::refusal(r.facts, &r.home, &found.real).is_some()
    {
        return;
    }
    let write = r.request.forward == Forward::Write;
    let mut dest = path.clone();
    if let Some(rest) = path.relative_to(&r.facts.home)
        && let Ok(real) = r.home.join(rest)
    {
        dest = real;
    } else if !path.is_within(&r.home) {
        for (place, text) in &found.links {
            if !r.tree.above(place).is_some_and(|step| matches!(step.action, Action::Bind { .. })) {
                r.tree.put(Action::Link { dest: place.clone(), target: text.clone() }, &origin);
            }
        }
        dest = found.real.clone();
    }
    // A grant that shows it already stays as it is, whatever its right; the
    // system's files need no hand-over.
    if r.tree.shows(&dest, &found.real, true, false)
        || r.tree.shows(&dest, &found.real, false, false) && !write
    {
        return;
    }
    if write {
        r.writable.push(found.real.clone());
    }
    r.note(
        Weight::Info,
        format!("{dest} is handed over to {}", if write { "read and change" } else { "read" }),
        Some(&origin),
        None,
    );
    r.tree.put(
        Action::Bind {
            source: found.real,
            dest,
            kind: Kind::File,
            write,
            exec: false,
            device: false,
        },
        &origin,
    );
}

/// The caller's working folder where it is visible inside, else the home.
pub fn working_folder(r: &Resolution<'_>) -> AbsPath {
    let home = r.facts.home.clone();
    let Some(cwd) = &r.facts.cwd else { return home };
    let is_own_private_home = *cwd == r.home || *cwd == home;
    if is_own_private_home || r.tree.is_visible(cwd) { cwd.clone() } else { home }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_arguments_name_files() {
        let cwd = AbsPath::new("/home/ada").unwrap();
        let name = |text: &str| named(text, Some(&cwd)).map(|path| path.as_str().to_owned());
        assert_eq!(name("a.pdf").as_deref(), Some("/home/ada/a.pdf"));
        assert_eq!(name("../b/./c").as_deref(), Some("/home/b/c"));
        assert_eq!(name("/x//y").as_deref(), Some("/x/y"));
        assert_eq!(name("file:///a%20b").as_deref(), Some("/a b"));
        assert_eq!(name("file://localhost/a").as_deref(), Some("/a"));
        for not in [
            "",
            "-x",
            "--file=/etc/passwd",
            "https://example.org/a",
            "file:///a%0",
            "file:///%00",
            "a\nb",
        ] {
            assert_eq!(name(not), None, "{not}");
        }
        assert_eq!(named("a", None), None);
    }
}
