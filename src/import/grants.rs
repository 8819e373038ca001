//! Grants of files as an import states them: never one that the manifest's
//! grammar or the resolver would refuse.

use crate::model::path::{AbsPath, Base, Glob, PathExpr};
use crate::model::ungrantable;

use super::draft::{Draft, check, quoted};
use super::report::{Finding, Place};

/// What a source lets an application do with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Read it.
    Read,
    /// Change it.
    Write,
    /// Make the folder where it is missing, and change it.
    Create,
}

impl Right {
    fn key(self) -> &'static str {
        match self {
            Right::Read => "filesystem.read",
            Right::Write => "filesystem.write",
            Right::Create => "filesystem.create",
        }
    }
}

/// What is granted of a source's file.
#[derive(Debug, Clone)]
pub struct Grant<'g> {
    /// The path as a manifest has it.
    pub path: &'g str,
    /// What may be done.
    pub right: Right,
    /// Whether the source lets programs in it be started.
    pub exec: bool,
    /// Where the source grants it.
    pub place: &'g Place,
}

/// States a grant as far as it can be stated; tells how far that is.
pub fn state(draft: &mut Draft, grant: &Grant<'_>) -> Finding {
    let Grant { path, right, exec, place } = *grant;
    let expr = match PathExpr::parse(path) {
        Ok(expr) => expr,
        Err(error) => return Finding::no_grant(format!("no such path can be granted: {error}")),
    };
    if let Some(why) = never(&expr) {
        return Finding::no_grant(why);
    }
    let in_system = expr.base == Base::Root && is_system(&expr.rest);
    if in_system {
        return match right {
            Right::Read => Finding::exact("the system's programs are seen by every application"),
            _ => Finding::less("the system's programs are seen, but only for reading"),
        };
    }
    if let Err(why) = check(right.key(), &quoted(path), true) {
        return Finding::no_grant(format!("the manifest does not take it: {why}"));
    }
    let outside = expr.base == Base::Root;
    let mut value = quoted(path);
    // Reading outside the home includes starting programs unless it is said
    // otherwise; nothing else does.
    let by_default = right == Right::Read && outside;
    if by_default && !exec {
        value = format!("{{ path = {value}, exec = false }}");
    }
    draft.push(right.key(), value, place);
    let is_broad = !matches!(expr.base, Base::Root | Base::User(_)) && expr.rest.is_empty();
    if is_broad {
        return Finding::less(
            "granted but for protected places, and what appears at its top level during a run",
        );
    }
    if exec && !by_default {
        return Finding::less("granted, but programs in it cannot be started");
    }
    Finding::exact("granted")
}

/// Why nothing at or behind an expression may be granted, if so.
fn never(expr: &PathExpr) -> Option<String> {
    if expr.base != Base::Root {
        return None;
    }
    let mut literal = AbsPath::root();
    let mut has_pattern = false;
    for element in expr.rest.split('/').filter(|element| !element.is_empty()) {
        if Glob::is_pattern(element) {
            has_pattern = true;
            break;
        }
        literal = literal.child(element);
    }
    // What a pattern finds in these is the host's to say: a socket, another
    // account's home.
    let shared = ["/", "/tmp", "/var", "/run", "/home"].contains(&literal.as_str());
    if has_pattern && shared {
        return Some(format!("a pattern in {literal} could match what cannot be granted"));
    }
    let is_home_of_others = literal.as_str() == "/var/home" || literal.as_str() == "/home";
    if is_home_of_others {
        return Some("the homes of all accounts are in it".to_owned());
    }
    let why = ungrantable::why(&literal)?;
    (!has_pattern || literal.as_str() != "/etc").then(|| why.to_owned())
}

/// Whether a path relative to the root is shown to every application.
fn is_system(rest: &str) -> bool {
    let first = rest.split('/').next().unwrap_or_default();
    ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"].contains(&first)
}

/// States that a path is closed; tells how far that is possible.
pub fn deny(draft: &mut Draft, path: &str, place: &Place) -> Finding {
    if let Err(why) = check("filesystem.deny", &quoted(path), true) {
        return Finding::near(format!("needs no denial here: {why}"));
    }
    draft.push("filesystem.deny", quoted(path), place);
    Finding::exact("denied")
}
