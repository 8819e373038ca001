//! What can be asked.

use std::fmt;

use crate::freeze::seccomp::CALLS;
use crate::manifest::closest::closest;
use crate::model::bus::{BusName, BusNameError};
use crate::model::path::{PathError, PathExpr};
use crate::model::permission::{Device, Word};
use crate::model::portal::PORTALS;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// May it see this path, and what may it do there?
    Path(PathExpr),
    /// May it call this name on a bus?
    Bus(String),
    /// May it ask this portal?
    Portal(&'static str),
    /// May it use this device?
    Device(Device),
    /// May it connect to this host?
    Host {
        /// Its name or address.
        name: String,
        /// The TCP port; none is any.
        port: Option<u16>,
    },
    /// May it make this system call?
    Call(&'static str),
}

/// Why a text asks nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// Its shape says nothing.
    #[error("it has no shape by which to tell what is asked")]
    Shape,
    /// Not a word of the list.
    #[error("{0:?} is no such word{1}")]
    Word(String, String),
    /// Not a path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A pattern, which is many paths.
    #[error("one path is asked about at a time, without a pattern")]
    Pattern,
    /// Not a bus name.
    #[error(transparent)]
    Name(#[from] BusNameError),
    /// Not a host.
    #[error("a host is NAME or NAME:PORT")]
    Host,
}

impl Question {
    /// Reads `PATH`, `bus:NAME`, `portal:WORD`, `device:WORD`,
    /// `host:NAME[:PORT]` or `syscall:NAME`. Where no word stands before it,
    /// the shape decides: what starts with `/`, `~` or `xdg-` is a path; a
    /// word that is a device, a portal or a system call is that; a name with
    /// dots that starts as bus names do (`org.`) and has a capital letter is
    /// one; any other with a dot is a host.
    ///
    /// # Errors
    /// When nothing can be asked by it.
    pub fn parse(text: &str) -> Result<Question, NotAsked> {
        match text.split_once(':') {
            Some(("path", rest)) => return path(rest),
            Some(("bus", rest)) => return bus(rest),
            Some(("portal", rest)) => return portal(rest),
            Some(("device", rest)) => return device(rest),
            Some(("host", rest)) => return host(rest),
            Some(("syscall", rest)) => return call(rest),
            _ => {}
        }
        if text.starts_with(['/', '~']) || text.starts_with("xdg-") {
            return path(text);
        }
        if let Ok(question) = device(text).or_else(|_| portal(text)).or_else(|_| call(text)) {
            return Ok(question);
        }
        let is_name = text.contains(|c: char| c.is_ascii_uppercase());
        if is_name && let Ok(question) = bus(text) {
            return Ok(question);
        }
        if text.contains('.') || text.contains(':') || text == "localhost" {
            return host(text);
        }
        Err(NotAsked::Shape)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Question::Path(expr) => write!(f, "{expr}"),
            Question::Bus(name) => write!(f, "bus:{name}"),
            Question::Portal(word) => write!(f, "portal:{word}"),
            Question::Device(device) => write!(f, "device:{}", device.word()),
            Question::Host { name, port: None } => write!(f, "host:{name}"),
            Question::Host { name, port: Some(port) } => write!(f, "host:{name}:{port}"),
            Question::Call(name) => write!(f, "syscall:{name}"),
        }
    }
}

fn path(text: &str) -> Result<Question, NotAsked> {
    let expr = PathExpr::parse(text)?;
    if expr.has_glob() { Err(NotAsked::Pattern) } else { Ok(Question::Path(expr)) }
}

fn bus(text: &str) -> Result<Question, NotAsked> {
    let name = BusName::parse(text)?;
    if name.subtree { Err(NotAsked::Pattern) } else { Ok(Question::Bus(name.name)) }
}

fn no_word<'a>(text: &str, words: impl IntoIterator<Item = &'a str>) -> NotAsked {
    let near = closest(text, words).map_or_else(String::new, |near| format!("; is it {near}?"));
    NotAsked::Word(text.to_owned(), near)
}

fn portal(text: &str) -> Result<Question, NotAsked> {
    let word = PORTALS.into_iter().find(|word| *word == text);
    word.map(Question::Portal).ok_or_else(|| no_word(text, PORTALS))
}

fn device(text: &str) -> Result<Question, NotAsked> {
    let words = Device::WORDS.iter().map(|(word, _)| *word);
    Device::from_word(text).map(Question::Device).ok_or_else(|| no_word(text, words))
}

fn call(text: &str) -> Result<Question, NotAsked> {
    let known = CALLS.iter().copied().find(|name| *name == text);
    known.map(Question::Call).ok_or_else(|| no_word(text, CALLS.iter().copied()))
}

fn host(text: &str) -> Result<Question, NotAsked> {
    // An IPv6 address has colons of its own, and brackets where a port follows.
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, "")) => (name, None),
        Some((name, rest)) => (name, Some(rest.strip_prefix(':').ok_or(NotAsked::Host)?)),
        None => match text.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') => (name, Some(port)),
            _ => (text, None),
        },
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
    if name.is_empty() || !name.chars().all(is_host) {
        return Err(NotAsked::Host);
    }
    let port = port.map(str::parse).transpose().map_err(|_| NotAsked::Host)?;
    Ok(Question::Host { name: name.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_shows_in_its_shape() {
        for (text, want) in [
            ("~/Documents", "~/Documents"),
            ("/etc/passwd", "/etc/passwd"),
            ("xdg-download/x", "xdg-download/x"),
            ("org.freedesktop.Flatpak", "bus:org.freedesktop.Flatpak"),
            ("bus:org.bluez", "bus:org.bluez"),
            ("file-chooser", "portal:file-chooser"),
            ("gpu", "device:gpu"),
            ("camera", "device:camera"),
            ("portal:camera", "portal:camera"),
            ("example.org", "host:example.org"),
            ("example.org:443", "host:example.org:443"),
            ("localhost", "host:localhost"),
            ("host:[::1]:80", "host:::1:80"),
            ("::1", "host:::1"),
            ("ptrace", "syscall:ptrace"),
            ("syscall:read", "syscall:read"),
        ] {
            let asked = Question::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(asked.to_string(), want);
        }
        for text in
            ["", "word", "syscall:ptrce", "portal:camra", "~/*", "~ada/x", "host:a:b", "bus:one"]
        {
            assert!(Question::parse(text).is_err(), "{text}");
        }
        let error = Question::parse("syscall:ptrce").unwrap_err().to_string();
        assert!(error.contains("is it ptrace?"), "{error}");
    }
}
