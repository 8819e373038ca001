//! What holds for every import: it grants nothing that the source does not.
//!
//! What a source grants of a path is worked out here once more, by rules of
//! the source's own and on one made-up account, and compared with what the
//! imported manifest grants of the same path. Names are drawn from small
//! pools, so that they meet.

use std::path::PathBuf;

use pinfold::import::{Format, Request, import};
use pinfold::manifest::parse;
use pinfold::model::manifest::{PathGrant, Settings};
use pinfold::model::origin::{Layer, List};
use pinfold::model::path::{Base, Glob, PathExpr, UserDir};
use pinfold::model::permission::{HomeKind, NetworkMode, X11Mode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What may be done with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum May {
    Nothing,
    Read,
    Write,
}

const HOME: &str = "/home/ada";

/// The paths that are asked about.
const PROBES: [&str; 19] = [
    "/home/ada/a",
    "/home/ada/a/b",
    "/home/ada/a/b/c",
    "/home/ada/ab",
    "/home/ada/.a",
    "/home/ada/.a/b",
    "/home/ada/.ab",
    "/home/ada/.config/x",
    "/home/ada/.config/x/y",
    "/home/ada/Music",
    "/home/ada/Music/x",
    "/home/ada/Videos/x",
    "/srv/a",
    "/srv/a/b",
    "/media/x",
    "/etc/a",
    "/var/a",
    "/tmp/a/b",
    "/opt/a",
];

fn user_dir(dir: UserDir) -> &'static str {
    UserDir::ALL.iter().find(|(other, ..)| *other == dir).map(|(.., name)| *name).unwrap()
}

/// Where an expression leads on the made-up account.
fn place(expr: &PathExpr) -> String {
    let start = match expr.base {
        Base::Root => String::new(),
        Base::Home => HOME.to_owned(),
        Base::Config => format!("{HOME}/.config"),
        Base::Data => format!("{HOME}/.local/share"),
        Base::State => format!("{HOME}/.local/state"),
        Base::Cache => format!("{HOME}/.cache"),
        Base::User(dir) => format!("{HOME}/{}", user_dir(dir)),
    };
    if expr.rest.is_empty() { start } else { format!("{start}/{}", expr.rest) }
}

/// Whether a pattern names a path or something above it.
fn covers(pattern: &str, path: &str) -> bool {
    let mut elements = path.split('/');
    pattern.split('/').all(|wanted| {
        elements.next().is_some_and(|element| wanted == element || Glob::matches(wanted, element))
    })
}

/// What a manifest grants of a path.
fn granted(settings: &Settings, path: &str) -> May {
    let files = &settings.filesystem;
    if files.deny.values().any(|expr| covers(&place(expr), path)) {
        return May::Nothing;
    }
    let has = |list: &List<PathGrant>| list.values().any(|grant| covers(&place(&grant.path), path));
    let shared = settings.home.kind.as_ref().is_some_and(|kind| kind.value == HomeKind::Shared);
    if has(&files.write) || has(&files.create) || (shared && path.starts_with(HOME)) {
        May::Write
    } else if has(&files.read) {
        May::Read
    } else {
        May::Nothing
    }
}

fn settings(format: Format, name: &str, text: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join(name);
    std::fs::write(&file, text).unwrap();
    let request = Request { format, file, id: None, include: Vec::new() };
    let imported = import(&request).unwrap_or_else(|error| panic!("{error:#?}\n{text}"));
    parse(imported.manifest.as_bytes(), "m", Layer::User).unwrap().settings
}

// --- Flatpak --------------------------------------------------------------------

const TOKENS: [&str; 26] = [
    "home",
    "~",
    "host",
    "~/a",
    "~/a/b",
    "home/ab",
    "~/.a",
    "xdg-music",
    "xdg-music/x",
    "xdg-videos",
    "xdg-config",
    "xdg-config/x",
    "/srv/a",
    "/srv",
    "/media",
    "/etc",
    "/etc/a",
    "/home/ada/a",
    "/home/ada",
    "/var",
    "/tmp",
    "/tmp/a",
    "~/a?",
    "~/*",
    "~/a/../..",
    "/opt//a/",
];

/// Where a token leads, if Flatpak grants anything by it.
fn flatpak_places(token: &str) -> Vec<String> {
    let clean: Vec<&str> = token.split('/').filter(|part| !part.is_empty()).collect();
    if clean.contains(&"..") {
        return Vec::new();
    }
    let rest =
        |from: usize| clean[from..].iter().map(|part| format!("/{part}")).collect::<String>();
    if token.starts_with('/') {
        let path = rest(0);
        return if covers("/etc", &path) || path.is_empty() { Vec::new() } else { vec![path] };
    }
    let start = match clean[0] {
        "host" => return ["/home", "/srv", "/media", "/mnt", "/opt"].map(str::to_owned).into(),
        "home" | "~" => HOME.to_owned(),
        "xdg-music" => format!("{HOME}/Music"),
        "xdg-videos" => format!("{HOME}/Videos"),
        "xdg-config" => format!("{HOME}/.config"),
        other => panic!("{other}"),
    };
    vec![format!("{start}{}", rest(1))]
}

/// What Flatpak grants of a path: the closest of its places decides, and of
/// those the last, unless another word for the same place differs: then the
/// least of them.
fn flatpak_grants(tokens: &[(bool, &str, &str)], path: &str) -> May {
    let mut best: Option<(usize, May)> = None;
    for (at, (negated, token, mode)) in tokens.iter().enumerate() {
        if tokens[at + 1..].iter().any(|(_, later, _)| later == token) {
            continue;
        }
        let may = match (negated, *mode) {
            (true, _) => May::Nothing,
            (false, ":ro") => May::Read,
            (false, _) => May::Write,
        };
        for place in flatpak_places(token) {
            // No patterns there: names are compared as they are.
            let holds =
                path.strip_prefix(&place).is_some_and(|r| r.is_empty() || r.starts_with('/'));
            let length = place.len();
            if holds {
                best = match best {
                    Some((other, _)) if other > length => best,
                    Some((other, least)) if other == length => Some((length, least.max(may))),
                    _ => Some((length, may)),
                };
            }
        }
    }
    best.map_or(May::Nothing, |(_, may)| may)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn flatpak_never_widens(
        tokens in vec((any::<bool>(), select(&TOKENS[..]), select(&["", ":ro", ":create", ":rw"][..])), 0..6),
        sockets in vec((any::<bool>(), select(&["x11", "wayland", "fallback-x11", "pulseaudio"][..])), 0..4),
        network in select(&["", "network;", "!network;", "network;!network;"][..]),
    ) {
        let list: Vec<String> = tokens
            .iter()
            .map(|(negated, token, mode)| if *negated { format!("!{token}") } else { format!("{token}{mode}") })
            .collect();
        let items: Vec<String> =
            sockets.iter().map(|(negated, name)| format!("{}{name}", if *negated { "!" } else { "" })).collect();
        let text = format!(
            "[Application]\nname=a.b.c\n[Context]\nshared={network}\nsockets={};\nfilesystems={};\n",
            items.join(";"), list.join(";"),
        );
        let settings = settings(Format::Flatpak, "metadata", &text);
        for path in PROBES {
            let (here, there) = (granted(&settings, path), flatpak_grants(&tokens, path));
            prop_assert!(here <= there, "{path}: {here:?} here, {there:?} there\n{text}");
        }
        let last = |name: &str| sockets.iter().rfind(|(_, other)| *other == name).is_some_and(|(no, _)| !no);
        let mode = settings.network.mode.map(|mode| mode.value);
        prop_assert_eq!(mode == Some(NetworkMode::Host), network == "network;");
        let x11 = settings.display.x11.map_or(X11Mode::Never, |mode| mode.value);
        let widest = match (last("x11"), last("fallback-x11")) {
            (_, true) => &[X11Mode::Never, X11Mode::Fallback][..],
            (true, false) => &[X11Mode::Never, X11Mode::Fallback, X11Mode::Shared][..],
            (false, false) => &[X11Mode::Never][..],
        };
        prop_assert!(widest.contains(&x11), "{x11:?}\n{text}");
        let on = |flag: &Option<pinfold::model::Sourced<bool>>| flag.as_ref().is_some_and(|flag| flag.value);
        prop_assert!(!on(&settings.display.wayland) || last("wayland"), "{text}");
        prop_assert!(!on(&settings.audio.playback) || last("pulseaudio"), "{text}");
    }
}

// --- firejail ---------------------------------------------------------------------

const PATHS: [&str; 22] = [
    "${HOME}",
    "${HOME}/a",
    "${HOME}/a/b",
    "${HOME}/a*",
    "${HOME}/*",
    "${HOME}/.a",
    "${HOME}/.a*",
    "${HOME}/.a/b",
    "${HOME}/.config/x",
    "${HOME}/.config/*",
    "${MUSIC}",
    "${MUSIC}/x",
    "~/Music/x",
    "/srv/a",
    "/srv",
    "/var/a",
    "/tmp/a",
    "/tmp",
    "/media/x",
    "/opt/a",
    "/srv/*",
    "${HOME}/.config",
];

const WORDS: [&str; 8] = [
    "whitelist",
    "blacklist",
    "noblacklist",
    "read-only",
    "read-write",
    "mkdir",
    "nowhitelist",
    "whitelist-ro",
];

fn firejail_place(path: &str) -> String {
    path.replace("${HOME}", HOME).replace("${MUSIC}", "/home/ada/Music").replace('~', HOME)
}

/// One line: whether it has a condition, whether it is an `ignore`.
type Line = (bool, bool, &'static str, &'static str);

/// The lines that count when the condition holds or not.
fn counting(lines: &[Line], holds: bool) -> Vec<&Line> {
    let mut ignored: Vec<String> = Vec::new();
    let mut left = Vec::new();
    for line in lines {
        let (conditional, ignore, word, path) = line;
        let text = format!("{word} {path}");
        if (*conditional && !holds)
            || (!ignore && ignored.iter().any(|start| text.starts_with(start)))
        {
            continue;
        }
        if *ignore { ignored.push(text) } else { left.push(line) }
    }
    left
}

/// What firejail grants of a path.
fn firejail_grants(lines: &[Line], holds: bool, private: bool, path: &str) -> May {
    let lines = counting(lines, holds);
    let is_home = path.starts_with(HOME);
    if private && is_home {
        return May::Nothing;
    }
    let (mut exempt, mut not) = (Vec::new(), Vec::new());
    let (mut narrowed, mut shown, mut hidden) = (false, false, false);
    let (mut read_only, mut whole) = (false, false);
    for (_, _, word, name) in lines {
        let place = firejail_place(name);
        let same_top = place.starts_with(HOME) == is_home
            && (is_home || place.split('/').nth(1) == path.split('/').nth(1));
        let at = covers(&place, path);
        match *word {
            "noblacklist" => exempt.push(place),
            "nowhitelist" => not.push(place),
            "blacklist" if at => {
                // A pattern that is exempt in part hides the rest; what of it
                // the path is in is the element at its depth.
                let depth = place.split('/').count();
                let met = path.split('/').take(depth).collect::<Vec<_>>().join("/");
                hidden |= !exempt
                    .iter()
                    .any(|pattern| pattern.split('/').count() == depth && covers(pattern, &met));
            }
            "whitelist" | "whitelist-ro" => {
                let depth = place.split('/').count();
                let met = path.split('/').take(depth).collect::<Vec<_>>().join("/");
                let taken = not.iter().any(|pattern: &String| {
                    pattern.split('/').count() == depth && covers(pattern, &met)
                });
                narrowed |= same_top;
                shown |= at && !taken;
                read_only |= at && *word == "whitelist-ro";
            }
            "read-only" if at => (read_only, whole) = (true, false),
            "read-write" if at => whole = true,
            _ => {}
        }
    }
    match (hidden, narrowed && !shown, read_only && !whole) {
        (true, _, _) | (_, true, _) => May::Nothing,
        (_, _, true) => May::Read,
        _ => May::Write,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn firejail_never_widens(
        lines in vec((prop::bool::weighted(0.15), prop::bool::weighted(0.1), select(&WORDS[..]), select(&PATHS[..])), 0..9),
        private in prop::bool::weighted(0.1),
    ) {
        let mut text = String::from(if private { "private\n" } else { "" });
        for (conditional, ignore, word, path) in &lines {
            let condition = if *conditional { "?HAS_X11: " } else { "" };
            let ignore = if *ignore { "ignore " } else { "" };
            text.push_str(&format!("{condition}{ignore}{word} {path}\n"));
        }
        let settings = settings(Format::Firejail, "app.profile", &text);
        for path in PROBES {
            let here = granted(&settings, path);
            for holds in [false, true] {
                let there = firejail_grants(&lines, holds, private, path);
                prop_assert!(here <= there, "{path}: {here:?} here, {there:?} there ({holds})\n{text}");
            }
        }
    }

    /// Whatever stands in a file: no panic, and an error has its place.
    #[test]
    fn any_text_is_read_or_refused(text in "[ -~\n\\[\\]=:;\"'#\u{202e}\u{0}é-]{0,120}") {
        for (format, name) in [
            (Format::Flatpak, "metadata"),
            (Format::Firejail, "app.profile"),
            (Format::Bubblejail, "services.toml"),
            (Format::Snap, "snap.yaml"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(name);
            std::fs::write(&file, &text).unwrap();
            let id = Some("a.b.c".parse().unwrap());
            match import(&Request { format, file, id, include: Vec::new() }) {
                Ok(imported) => {
                    let hostile = |c: char| c != '\n' && pinfold::report::escape::is_hostile(c);
                    prop_assert!(!imported.manifest.contains(hostile), "{}", imported.manifest);
                }
                Err(error) => {
                    prop_assert_eq!(error.exit().number(), 65);
                    prop_assert!(error.labels[0].origin.line > 0, "{error:?}");
                }
            }
        }
    }
}
