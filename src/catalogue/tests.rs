use std::fs;
use std::path::Path;

use super::*;
use crate::model::bus::BusName;

/// The release of xdg-desktop-portal in Debian 12.
const DEBIAN: [u32; 3] = [1, 16, 0];

fn portals() -> impl Iterator<Item = &'static Portal> {
    words().map(|word| portal(word).unwrap())
}

fn services() -> impl Iterator<Item = &'static Service> {
    service_words().map(|word| service(word).unwrap())
}

/// The names of the files in a folder of the catalogue, without `.toml`.
fn files_in(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("portals").join(folder);
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .map(|name| name.strip_suffix(".toml").expect(&name).to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn every_file_is_compiled_in_under_its_word() {
    assert_eq!(files_in(""), portal::PORTALS);
    assert_eq!(files_in("services"), portal::SERVICES);
    assert_eq!(PORTALS.each_ref().map(|file| file.word), portal::PORTALS);
    assert_eq!(SERVICES.each_ref().map(|file| file.word), portal::SERVICES);
    for word in words() {
        assert_eq!(portal(word).unwrap().word, word);
    }
    for word in service_words() {
        assert_eq!(service(word).unwrap().word, word);
    }
}

#[test]
fn no_word_means_two_things() {
    let mut all: Vec<&str> = words().chain(service_words()).collect();
    all.sort_unstable();
    let many = all.len();
    all.dedup();
    assert_eq!(all.len(), many);
    let mut interfaces: Vec<&str> =
        portals().map(|portal| portal.object.interface.as_str()).collect();
    interfaces.sort_unstable();
    interfaces.dedup();
    assert_eq!(interfaces.len(), words().count());
}

#[test]
fn words_that_are_none() {
    for word in ["", "File-Chooser", "file", "file-chooser ", "tray"] {
        assert_eq!(portal(word), None, "{word}");
    }
    for word in ["", "Tray", "file-chooser"] {
        assert_eq!(service(word), None, "{word}");
    }
}

/// Why a text is not one plain sentence, if so.
fn is_no_sentence(text: &str) -> Option<&'static str> {
    let Some(body) = text.strip_suffix('.') else {
        return Some("has no full stop at its end");
    };
    if text.chars().count() > 120 {
        Some("is too long")
    } else if text.chars().any(char::is_control) {
        Some("has a control character")
    } else if !body.starts_with(char::is_uppercase) || body.contains(". ") || body.ends_with('.') {
        Some("is not one sentence")
    } else {
        None
    }
}

#[test]
fn sentences() {
    assert_eq!(is_no_sentence("It can do this."), None);
    let long = format!("A{}.", "b".repeat(119));
    for text in ["", "A", "a.", "A. B.", "A..", "A\u{1b}.", &long] {
        assert!(is_no_sentence(text).is_some(), "{text:?}");
    }
    let of_portals = portals().map(|p| (&p.word, &p.name, &p.summary, &p.risk));
    let of_services = services().map(|s| (&s.word, &s.name, &s.summary, &s.risk));
    for (word, name, summary, risk) in of_portals.chain(of_services) {
        for text in [summary, risk] {
            assert_eq!(is_no_sentence(text), None, "{word}: {text}");
        }
        assert_eq!(is_no_sentence(&format!("{name}.")), None, "{word}: {name}");
        assert!(name.len() <= 40, "{word}: {name}");
    }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_interface(text: &str) -> bool {
    text.len() <= 255 && text.contains('.') && text.split('.').all(is_identifier)
}

fn is_bus_name(text: &str) -> bool {
    BusName::parse(text).is_ok_and(|name| !name.subtree)
}

/// An object path, or with `/*` all beneath one.
fn is_path(text: &str) -> bool {
    let element = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let path = text.strip_suffix("/*").unwrap_or(text);
    path.strip_prefix('/').is_some_and(|path| path.split('/').all(element))
}

/// The specification says nothing of a property's name; GLib writes hyphens.
fn is_property(text: &str) -> bool {
    is_identifier(&text.replace('-', "_"))
}

/// What is wrong with an object.
fn faults(object: &Object) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |kind: &str, text: &str, right: fn(&str) -> bool| {
        if !right(text) {
            faults.push(format!("{kind} {text:?}"));
        }
    };
    check("bus", &object.bus, is_bus_name);
    check("path", &object.path, is_path);
    check("interface", &object.interface, is_interface);
    for (kind, names, right) in [
        ("method", &object.methods, is_identifier as fn(&str) -> bool),
        ("signal", &object.signals, is_identifier),
        ("property", &object.properties, is_property),
        ("writable property", &object.writable, is_property),
    ] {
        for (at, name) in names.iter().enumerate() {
            check(kind, name, right);
            if names[..at].contains(name) {
                check("twice", name, |_| false);
            }
        }
    }
    if [&object.methods, &object.signals, &object.properties].iter().all(|names| names.is_empty()) {
        check("nothing of", &object.interface, |_| false);
    }
    faults
}

#[test]
fn names_on_the_bus() {
    let good = portal("print").unwrap().object.clone();
    assert_eq!(faults(&good), [""; 0]);
    let bad = Object {
        bus: "org.example.*".to_owned(),
        path: "/a//b".to_owned(),
        interface: "org.example-x.Y".to_owned(),
        methods: vec!["A.B".to_owned(), "C".to_owned(), "C".to_owned()],
        signals: vec!["1".to_owned()],
        properties: vec!["a b".to_owned()],
        writable: vec![String::new()],
    };
    assert_eq!(
        faults(&bad),
        [
            "bus \"org.example.*\"",
            "path \"/a//b\"",
            "interface \"org.example-x.Y\"",
            "method \"A.B\"",
            "twice \"C\"",
            "signal \"1\"",
            "property \"a b\"",
            "writable property \"\"",
        ]
    );
    let empty = Object { methods: vec![], signals: vec![], properties: vec![], ..good };
    assert_eq!(faults(&empty).len(), 1);

    for portal in portals() {
        for object in portal.opens() {
            assert_eq!(faults(object), [""; 0], "{}", portal.word);
        }
    }
    for service in services() {
        for object in &service.opens {
            assert_eq!(faults(object), [""; 0], "{}", service.word);
        }
        for name in &service.own {
            let start = name.strip_suffix('*').unwrap_or(name);
            assert!(is_bus_name(start.trim_end_matches('.')), "{}: {name}", service.word);
        }
        assert!(!service.opens.is_empty() || !service.own.is_empty(), "{}", service.word);
    }
}

#[test]
fn portals_are_called_by_the_portals_names_only() {
    for portal in portals() {
        for object in portal.opens() {
            let place = (object.bus.as_str(), object.path.as_str());
            let known = matches!(
                place,
                (
                    "org.freedesktop.portal.Desktop",
                    "/org/freedesktop/portal/desktop"
                        | "/org/freedesktop/portal/desktop/request/*"
                        | "/org/freedesktop/portal/desktop/session/*"
                ) | ("org.freedesktop.portal.Documents", "/org/freedesktop/portal/documents")
            );
            assert!(known, "{}: {place:?}", portal.word);
            assert!(object.writable.is_empty(), "{}: no portal is set", portal.word);
        }
    }
}

/// A release, as in `1.16.0`.
fn release(text: &str) -> [u32; 3] {
    let numbers: Vec<u32> = text.split('.').map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

#[test]
fn what_was_only_read_is_marked() {
    for portal in portals() {
        let since = release(&portal.since);
        let read = since > DEBIAN;
        assert_eq!(portal.facts == Facts::Source, read, "{}", portal.word);
        for (member, brought) in &portal.later {
            let object = &portal.object;
            let mut members =
                object.methods.iter().chain(&object.signals).chain(&object.properties);
            assert!(members.any(|known| known == member), "{}: {member}", portal.word);
            assert!(release(brought) > since.max(DEBIAN), "{}: {member}", portal.word);
        }
    }
    assert_eq!(portal("usb").unwrap().facts, Facts::Source);
    assert_eq!(portal("global-shortcuts").unwrap().facts, Facts::Debian);
    assert_eq!(portal("settings").unwrap().later["ReadOne"], "1.17.1");
}

#[test]
fn companions_are_words() {
    for portal in portals() {
        for other in &portal.only_with {
            assert!(other != &portal.word && words().any(|word| word == other), "{other}");
        }
    }
    assert_eq!(portal("clipboard").unwrap().only_with, ["remote-desktop", "input-capture"]);
}

#[test]
fn what_the_file_chooser_opens() {
    let portal = portal("file-chooser").unwrap();
    assert_eq!((portal.level, portal.facts), (Level::Low, Facts::Debian));
    let opens: Vec<_> = portal
        .opens()
        .map(|object| (object.path.as_str(), &object.methods[..], &object.signals[..]))
        .collect();
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        opens,
        [
            (
                "/org/freedesktop/portal/desktop",
                &strings(&["OpenFile", "SaveFile", "SaveFiles"])[..],
                &[][..],
            ),
            (
                "/org/freedesktop/portal/desktop/request/*",
                &strings(&["Close"])[..],
                &strings(&["Response"])[..],
            ),
        ]
    );
}

#[test]
fn files_that_are_refused() {
    let text = PORTALS[0].text;
    assert!(toml::from_str::<Portal>(text).is_ok());
    for (from, to, why) in [
        ("schema = 1", "schema = 2", "schema 1, not 2"),
        ("schema = 1\n", "", "missing field `schema`"),
        ("risk = ", "rsik = ", "unknown field `rsik`"),
        ("level = \"medium\"", "level = \"some\"", "unknown variant `some`"),
        ("[[with]]", "[[with]]\nx = 1", "unknown field `x`"),
    ] {
        let changed = text.replacen(from, to, 1);
        let error = toml::from_str::<Portal>(&changed).unwrap_err().to_string();
        assert!(error.contains(why), "{to}: {error}");
    }
    let text = SERVICES[0].text;
    let changed = text.replacen("schema = 1", "schema = 2", 1);
    assert!(toml::from_str::<Service>(text).is_ok());
    assert!(toml::from_str::<Service>(&changed).is_err());
}
