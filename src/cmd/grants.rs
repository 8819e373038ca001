//! One-off flags as statements of the topmost layer.

use crate::cli::{Grants, HomeWord, Share};
use crate::model::bus::BusName;
use crate::model::manifest::{PathGrant, Settings};
use crate::model::origin::{Origin, Sourced};
use crate::model::path::{AbsPath, PathExpr};
use crate::model::permission::{Device, HomeKind, LandlockMode, NetworkMode, X11Mode};
use crate::model::portal::{PORTALS, SERVICES};
use crate::report::{Code, Diagnostic};

/// Reads the flags. A relative path is meant from the working folder.
///
/// # Errors
/// Every flag whose value means nothing.
pub fn settings(grants: &Grants, cwd: Option<&AbsPath>) -> Result<Settings, Vec<Diagnostic>> {
    let mut settings = Settings::default();
    let mut errors = Vec::new();
    let mut path = |flag: &str, text: &str| {
        let origin = Origin::command_line(&format!("{flag} {text}"));
        match expression(text, cwd) {
            Ok(expr) => Some((expr, origin)),
            Err(error) => {
                errors.push(
                    Diagnostic::error(
                        Code::Usage,
                        format!("{flag} {text:?} is no path that can be granted"),
                    )
                    .because(error),
                );
                None
            }
        }
    };
    let files = &mut settings.filesystem;
    for (flag, texts, list) in [
        ("--read", &grants.read, &mut files.read),
        ("--write", &grants.write, &mut files.write),
        ("--create", &grants.create, &mut files.create),
    ] {
        for text in texts {
            if let Some((expr, origin)) = path(flag, text) {
                // Who names a path on the command line wants to know when it
                // is not there.
                let required = flag != "--create";
                let grant = PathGrant { path: expr, required, exec: None };
                list.push(Sourced::new(grant, origin));
            }
        }
    }
    for text in &grants.deny {
        if let Some((expr, origin)) = path("--deny", text) {
            files.deny.push(Sourced::new(expr, origin));
        }
    }
    buses(grants, &mut settings, &mut errors);
    for text in &grants.env {
        let origin = Origin::command_line(&format!("--env {text}"));
        let name_is_good = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        match text.split_once('=') {
            Some((name, value)) if name_is_good(name) => {
                settings
                    .environment_set
                    .insert(name.to_owned(), Sourced::new(value.to_owned(), origin));
            }
            _ => errors.push(
                Diagnostic::error(Code::Usage, format!("--env {text:?} is no NAME=VALUE"))
                    .hint("a name has letters, digits and _, and does not start with a digit"),
            ),
        }
    }
    for (flag, list, on) in
        [("--share", &grants.share, true), ("--unshare", &grants.unshare, false)]
    {
        for word in list {
            share(&mut settings, flag, *word, on);
        }
    }
    if let Some(home) = grants.home {
        let kind = match home {
            HomeWord::Private => HomeKind::Private,
            HomeWord::Ephemeral => HomeKind::Ephemeral,
            HomeWord::Shared => HomeKind::Shared,
        };
        settings.home.kind = Some(Sourced::new(kind, Origin::command_line("--home")));
    }
    if grants.require_landlock {
        let origin = Origin::command_line("--require-landlock");
        settings.landlock = Some(Sourced::new(LandlockMode::Require, origin));
    }
    if errors.is_empty() { Ok(settings) } else { Err(errors) }
}

/// The flags about buses and portals.
fn buses(grants: &Grants, settings: &mut Settings, errors: &mut Vec<Diagnostic>) {
    for (flag, words, known, list) in [
        ("--portal", &grants.portal, &PORTALS[..], &mut settings.portals),
        ("--service", &grants.service, &SERVICES[..], &mut settings.session_bus.services),
    ] {
        for word in words {
            if known.contains(&word.as_str()) {
                let origin = Origin::command_line(&format!("{flag} {word}"));
                list.push(Sourced::new(word.clone(), origin));
            } else {
                errors.push(
                    Diagnostic::error(Code::Usage, format!("{flag} {word:?} is no such word"))
                        .hint(format!("the words are {}", known.join(", "))),
                );
            }
        }
    }
    for (flag, names, list) in [
        ("--talk", &grants.talk, &mut settings.session_bus.talk),
        ("--own", &grants.own, &mut settings.session_bus.own),
    ] {
        for text in names {
            match BusName::parse(text) {
                Ok(name) => {
                    let origin = Origin::command_line(&format!("{flag} {text}"));
                    list.push(Sourced::new(name, origin));
                }
                Err(error) => errors.push(
                    Diagnostic::error(Code::Usage, format!("{flag} {text:?} is no bus name"))
                        .because(error),
                ),
            }
        }
    }
}

/// A path that starts with a dot, as one from the root; all else as it is.
pub fn from_here(text: &str, cwd: Option<&AbsPath>) -> String {
    if text != "." && !text.starts_with("./") {
        return text.to_owned();
    }
    expression(text, cwd).map_or_else(|_| text.to_owned(), |expr| expr.as_str().to_owned())
}

/// A path as a flag names it. A relative one is meant from the working folder.
///
/// # Errors
/// Why it is none.
pub fn expression(
    text: &str,
    cwd: Option<&AbsPath>,
) -> Result<PathExpr, crate::model::path::PathError> {
    match PathExpr::parse(text) {
        Err(crate::model::path::PathError::Relative) => match cwd {
            Some(cwd) => {
                let rest = text.strip_prefix("./").unwrap_or(text);
                let rest = rest.strip_suffix('/').unwrap_or(rest);
                let path =
                    if rest.is_empty() || rest == "." { cwd.clone() } else { cwd.join(rest)? };
                Ok(PathExpr::literal(&path))
            }
            None => Err(crate::model::path::PathError::Relative),
        },
        other => other,
    }
}

fn share(settings: &mut Settings, flag: &str, word: Share, on: bool) {
    let name = clap::ValueEnum::to_possible_value(&word)
        .map_or_else(String::new, |value| value.get_name().to_owned());
    let origin = Origin::command_line(&format!("{flag} {name}"));
    match word {
        Share::Network => {
            let mode = if on { NetworkMode::Host } else { NetworkMode::None };
            settings.network.mode = Some(Sourced::new(mode, origin));
        }
        Share::Wayland => settings.display.wayland = Some(Sourced::new(on, origin)),
        Share::X11 => {
            let mode = if on { X11Mode::Shared } else { X11Mode::Never };
            settings.display.x11 = Some(Sourced::new(mode, origin));
        }
        Share::Audio => {
            if !on {
                settings.audio.record = Some(Sourced::new(false, origin.clone()));
            }
            settings.audio.playback = Some(Sourced::new(on, origin));
        }
        Share::Gpu | Share::Kvm => {
            let device = if word == Share::Gpu { Device::Gpu } else { Device::Kvm };
            if on {
                settings.devices.push(Sourced::new(device, origin));
            } else {
                // The list is one: shutting one device shuts all that lower
                // layers opened, which is the safe reading.
                settings.devices.emptied = Some(origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_start_at_the_working_folder() {
        let cwd = AbsPath::new("/home/ada/work").unwrap();
        let grants = Grants {
            read: vec!["x".into(), "./y/".into(), ".".into(), "~/z".into(), "a[1].pdf".into()],
            ..Grants::default()
        };
        let settings = settings(&grants, Some(&cwd)).unwrap();
        let read: Vec<&str> = settings.filesystem.read.values().map(|g| g.path.as_str()).collect();
        let named = "/home/ada/work/a[[]1].pdf";
        assert_eq!(read, ["/home/ada/work/x", "/home/ada/work/y", "/home/ada/work", "~/z", named]);
    }

    #[test]
    fn bad_values_are_all_told() {
        let grants = Grants {
            read: vec!["../x".into(), "/a\nb".into()],
            env: vec!["novalue".into(), "1X=2".into()],
            portal: vec!["screenshot".into(), "screen".into()],
            service: vec!["teapot".into()],
            talk: vec![":1.5".into()],
            own: vec!["single".into()],
            ..Grants::default()
        };
        let cwd = AbsPath::new("/home/ada").unwrap();
        assert_eq!(settings(&grants, Some(&cwd)).unwrap_err().len(), 8);
    }
}
