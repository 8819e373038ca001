//! `filesystems`: tokens with modes.

use crate::model::path::{Base, Glob, PathExpr};

use super::super::draft::quoted;
use super::super::grants::{self, Grant, Right};
use super::super::keyfile::Pair;
use super::super::overlap;
use super::super::report::Finding;
use super::Reading;

/// Places where Flatpak itself grants nothing.
const NEVER: [&str; 8] =
    ["/.flatpak-info", "/app", "/dev", "/etc", "/proc", "/run/flatpak", "/run/host", "/usr"];

/// What `host` is here, besides the home.
const HOST: [&str; 6] = ["~", "/media", "/mnt", "/opt", "/srv", "/run/media"];

/// What a token names.
enum Named {
    /// Paths as a manifest has them.
    Paths(Vec<String>),
    /// Nothing that a manifest could state.
    Nothing(Finding),
}

/// One item of the list.
struct Token {
    text: String,
    negated: bool,
    /// The token without `!` and mode, the same for names of the same place.
    key: String,
    named: Named,
    right: Right,
    resets: bool,
    unknown_mode: bool,
}

impl Token {
    fn parse(text: &str) -> Token {
        let (negated, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (token, mode) = split(rest);
        let resets = negated && (token == "host-reset" || (token == "host" && mode == "reset"));
        let right = match mode.as_str() {
            "ro" => Right::Read,
            "create" => Right::Create,
            _ => Right::Write,
        };
        let unknown_mode = !matches!(mode.as_str(), "" | "rw" | "ro" | "create" | "reset");
        let named = named(&token);
        let key = match &named {
            Named::Paths(paths) => paths.join(":"),
            Named::Nothing(_) => token,
        };
        Token { text: text.to_owned(), negated, key, named, right, resets, unknown_mode }
    }

    fn paths(&self) -> &[String] {
        match &self.named {
            Named::Paths(paths) => paths,
            Named::Nothing(_) => &[],
        }
    }
}

/// The token and its mode: parted by the first colon that is not escaped.
fn split(text: &str) -> (String, String) {
    let mut token = String::new();
    let mut letters = text.chars();
    while let Some(c) = letters.next() {
        match c {
            '\\' => token.extend(letters.next()),
            ':' => return (token, letters.collect()),
            c => token.push(c),
        }
    }
    (token, String::new())
}

fn named(token: &str) -> Named {
    let nothing = |finding| Named::Nothing(finding);
    if token.split('/').any(Glob::is_pattern) {
        return nothing(Finding::no_grant("it would be a pattern in a manifest, and is none here"));
    }
    match token {
        "host" => return Named::Paths(HOST.iter().map(|path| (*path).to_owned()).collect()),
        "host-os" => {
            return nothing(Finding::less(
                "the system's programs are seen at their own place, not beneath /run/host",
            ));
        }
        "host-etc" => {
            return nothing(Finding::no_grant(
                "only what every application needs is seen of /etc; name what is needed beyond",
            ));
        }
        "host-root" | "host-reset" => {
            return nothing(Finding::no_grant("the whole system cannot be granted"));
        }
        _ => {}
    }
    if let Some(rest) = token.strip_prefix("xdg-run/") {
        return nothing(Finding::no_grant(format!(
            "the runtime folder holds sockets of the session; {rest} in it cannot be granted",
        )));
    }
    let path = match token {
        "home" => "~".to_owned(),
        token => match token.strip_prefix("home/") {
            Some(rest) => format!("~/{rest}"),
            None => token.to_owned(),
        },
    };
    // Equal to what was written, but for empty and `.` elements.
    let (root, rest) = match path.strip_prefix('/') {
        Some(rest) => ("/", rest),
        None => ("", path.as_str()),
    };
    let kept: Vec<&str> = rest.split('/').filter(|element| !matches!(*element, "" | ".")).collect();
    let path = format!("{root}{}", kept.join("/"));
    let reserved = |place: &str| {
        path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if path == "/" || NEVER.iter().any(|place| reserved(place)) {
        return nothing(Finding::moot("Flatpak grants nothing there either"));
    }
    match PathExpr::parse(&path) {
        Ok(expr) if expr.base == Base::State => {
            nothing(Finding::no_grant("Flatpak knows no such word, and grants nothing by it"))
        }
        Ok(_) => Named::Paths(vec![path]),
        Err(error) => nothing(Finding::no_grant(format!("it cannot be granted: {error}"))),
    }
}

/// Whether `inner` can be at or beneath `outer`.
fn may_hold(outer: &str, inner: &str) -> bool {
    match (PathExpr::parse(outer), PathExpr::parse(inner)) {
        (Ok(outer), Ok(inner)) => overlap::may_hold(&outer, &inner),
        _ => false,
    }
}

/// Whether `inner` is at or beneath `outer` on most hosts.
fn holds(outer: &str, inner: &str) -> bool {
    match (PathExpr::parse(outer), PathExpr::parse(inner)) {
        (Ok(outer), Ok(inner)) => {
            overlap::may_hold(&outer, &inner) && !overlap::by_choice(&outer, &inner)
        }
        _ => false,
    }
}

/// Reads the list.
pub fn read(reading: &mut Reading, pair: &Pair) {
    let tokens: Vec<Token> = pair.items().iter().map(|item| Token::parse(item)).collect();
    let granted: Vec<&str> = tokens
        .iter()
        .enumerate()
        .filter(|(at, token)| !token.negated && !stands_again(&tokens, *at))
        .flat_map(|(_, token)| token.paths().iter().map(String::as_str))
        .collect();
    for (at, token) in tokens.iter().enumerate() {
        let finding = if stands_again(&tokens, at) {
            Finding::moot("the same place stands again in this line, and the last one counts")
        } else if token.resets {
            reset(reading, &granted)
        } else if token.negated {
            negated(reading, pair, token, &granted)
        } else {
            let writable: Vec<&str> = tokens
                .iter()
                .enumerate()
                .filter(|(other, token)| {
                    !token.negated && token.right != Right::Read && !stands_again(&tokens, *other)
                })
                .flat_map(|(_, token)| token.paths().iter().map(String::as_str))
                .collect();
            grant(reading, pair, token, &writable)
        };
        reading.report.add(&pair.place, format!("filesystems={}", token.text), finding);
    }
    if tokens.is_empty() {
        reading.add(pair, Finding::exact("it states nothing"));
    }
}

fn stands_again(tokens: &[Token], at: usize) -> bool {
    let same = |other: &Token| other.key == tokens[at].key && !other.resets;
    !tokens[at].resets && tokens[at + 1..].iter().any(same)
}

fn grant(reading: &mut Reading, pair: &Pair, token: &Token, writable: &[&str]) -> Finding {
    let paths = match &token.named {
        Named::Paths(paths) => paths,
        Named::Nothing(finding) => return finding.clone(),
    };
    if token.unknown_mode {
        return Finding::no_grant("the mode behind the colon is not known here");
    }
    // Of a folder that is granted for writing no part can be read-only.
    let is_inside = |path: &String| writable.iter().any(|outer| holds(outer, path));
    if token.right == Right::Read && paths.iter().any(is_inside) {
        for path in paths.iter().filter(|path| is_inside(path)) {
            grants::deny(&mut reading.draft, path, &pair.place);
        }
        return Finding::less(
            "denied: a part of a folder that is granted for writing cannot be read-only",
        );
    }
    let mut findings: Vec<Finding> = Vec::new();
    for path in paths {
        let grant = Grant { path, right: token.right, exec: true, place: &pair.place };
        findings.push(grants::state(&mut reading.draft, &grant));
    }
    if findings.len() > 1 {
        return Finding::less(format!(
            "of the host what can be granted: {}, but for protected places",
            HOST.join(", ")
        ));
    }
    findings.swap_remove(0)
}

fn negated(reading: &mut Reading, pair: &Pair, token: &Token, granted: &[&str]) -> Finding {
    let parent;
    let paths = match &token.named {
        Named::Paths(paths) => paths,
        Named::Nothing(_) => match before_pattern(&token.key) {
            Some(folder) => {
                parent = [folder];
                &parent[..]
            }
            None => return Finding::exact("nothing of it is granted"),
        },
    };
    let is_inside = granted.iter().any(|outer| paths.iter().any(|path| may_hold(outer, path)));
    if reading.is_whole && !is_inside {
        return Finding::exact("nothing is granted that it would be in");
    }
    let narrower: Vec<String> = granted
        .iter()
        .filter(|inner| paths.iter().any(|path| holds(path, inner)))
        .map(|inner| quoted(inner))
        .collect();
    for path in paths {
        grants::deny(&mut reading.draft, path, &pair.place);
    }
    if matches!(token.named, Named::Nothing(_)) {
        Finding::less("denied with the folder that holds it: its name would be a pattern")
    } else if narrower.is_empty() {
        Finding::exact("denied")
    } else {
        let narrower = narrower.join(", ");
        Finding::less(format!("denied with all that is in it; {narrower} would stay open there"))
    }
}

/// The folder that holds what a token names, where its name would be a
/// pattern here.
fn before_pattern(token: &str) -> Option<String> {
    let literal = token.split('/').position(Glob::is_pattern)?;
    let folder = token.split('/').take(literal).collect::<Vec<_>>().join("/");
    match named(&folder) {
        Named::Paths(paths) => paths.into_iter().next(),
        Named::Nothing(_) => None,
    }
}

/// Takes back every grant of lower layers.
fn reset(reading: &mut Reading, granted: &[&str]) -> Finding {
    if reading.is_whole {
        return Finding::exact("nothing lies beneath it that could be taken back");
    }
    let keys = ["filesystem.read", "filesystem.write", "filesystem.create"];
    if !granted.is_empty() {
        return Finding::no_limit(
            "lower layers' grants stay: a list either takes them back or has entries of its own",
        );
    }
    for key in keys {
        reading.draft.empty(key);
    }
    Finding::exact("the lists of lower layers are taken back")
}
