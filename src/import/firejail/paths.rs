//! Paths of profiles: macros, and where they lead in a manifest.

use crate::model::path::{Glob, PathExpr};

use super::super::overlap;

/// Where a path of a profile lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// In the home, as a manifest names it: `~/...` or an xdg word.
    Home(String),
    /// Anywhere else, from the root.
    Root(String),
    /// A program in one of the folders of programs.
    Program(String),
    /// In the runtime folder of the session, relative to it.
    Runtime(String),
}

/// Macros of folders in the home.
const XDG: [(&str, &str); 8] = [
    ("${DESKTOP}", "xdg-desktop"),
    ("${DOCUMENTS}", "xdg-documents"),
    ("${DOWNLOADS}", "xdg-download"),
    ("${MUSIC}", "xdg-music"),
    ("${PICTURES}", "xdg-pictures"),
    ("${VIDEOS}", "xdg-videos"),
    ("${TEMPLATES}", "xdg-templates"),
    ("${PUBLICSHARE}", "xdg-public-share"),
];

/// Reads a path.
///
/// # Errors
/// Why a manifest has no such path.
pub fn read(text: &str) -> Result<Where, String> {
    let text = fold(text);
    let behind = |start: &str| {
        text.strip_prefix(start).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let found = if let Some(rest) = behind("${HOME}").or(behind("~")) {
        Where::Home(format!("~{rest}"))
    } else if let Some(rest) = behind("${RUNUSER}") {
        Where::Runtime(rest.trim_start_matches('/').to_owned())
    } else if let Some(rest) = behind("${PATH}") {
        Where::Program(rest.trim_start_matches('/').to_owned())
    } else if let Some(rest) = behind("${CFG}") {
        Where::Root(format!("/etc/firejail{rest}"))
    } else if let Some((rest, word)) =
        XDG.iter().find_map(|(name, word)| Some((behind(name)?, *word)))
    {
        Where::Home(format!("{word}{rest}"))
    } else if let Some(rest) = behind("/var/run").or(behind("/var/lock")) {
        Where::Root(format!("/run{rest}"))
    } else if text.starts_with('/') {
        Where::Root(text.clone())
    } else if text.starts_with("${") {
        return Err("the macro is not known here".to_owned());
    } else {
        return Err("the path is relative".to_owned());
    };
    match &found {
        Where::Home(path) | Where::Root(path) => {
            if path.contains("[:") || path.contains('{') {
                return Err("a manifest has no such patterns".to_owned());
            }
            PathExpr::parse(path).map_err(|error| error.to_string())?;
        }
        Where::Program(name) if name.contains('/') || name.is_empty() => {
            return Err("it names no program".to_owned());
        }
        Where::Program(_) | Where::Runtime(_) => {}
    }
    Ok(found)
}

/// The path without empty and `.` elements and without a slash at its end.
fn fold(text: &str) -> String {
    let kept: Vec<&str> = text.split('/').filter(|element| !matches!(*element, "" | ".")).collect();
    let root = if text.starts_with('/') { "/" } else { "" };
    format!("{root}{}", kept.join("/"))
}

/// Whether a path can be at or beneath another; see `overlap`.
pub fn may_hold(outer: &str, inner: &str) -> bool {
    match (PathExpr::parse(outer), PathExpr::parse(inner)) {
        (Ok(outer), Ok(inner)) => overlap::may_hold(&outer, &inner),
        _ => false,
    }
}

/// Whether a pattern certainly matches the whole of what another path names.
pub fn matches(pattern: &str, path: &str) -> bool {
    if pattern == path {
        return true;
    }
    let (left, right) = (pattern.split('/').count(), path.split('/').count());
    left == right
        && pattern.split('/').zip(path.split('/')).all(|(wanted, element)| {
            wanted == element || (!Glob::is_pattern(element) && Glob::matches(wanted, element))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros() {
        assert_eq!(read("${HOME}/.a b"), Ok(Where::Home("~/.a b".to_owned())));
        assert_eq!(read("~/x//y/"), Ok(Where::Home("~/x/y".to_owned())));
        assert_eq!(read("${DOWNLOADS}"), Ok(Where::Home("xdg-download".to_owned())));
        assert_eq!(read("${RUNUSER}/wayland-?"), Ok(Where::Runtime("wayland-?".to_owned())));
        assert_eq!(read("${PATH}/gcc*"), Ok(Where::Program("gcc*".to_owned())));
        assert_eq!(read("/var/run/x"), Ok(Where::Root("/run/x".to_owned())));
        for bad in ["${PROJECTS}/x", "x", "~x/y", "/a/[[:xdigit:]]", "${HOME}x", ""] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn matching() {
        assert!(matches("~/.a*", "~/.ab") && !matches("~/.a", "~/.a*") && !matches("~/*", "~/a/b"));
    }
}
