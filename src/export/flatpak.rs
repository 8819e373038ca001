//! A file of overrides that gives a Flatpak application what a policy grants,
//! and takes from it what the policy does not.

use std::collections::BTreeMap;

use crate::catalogue;
use crate::model::manifest::{BusSettings, PathGrant, Policy, Settings};
use crate::model::origin::List;
use crate::model::path::{Base, PathExpr};
use crate::model::permission::{
    Device, HomeKind, Nested, NetworkMode, SyscallFeature, Word, X11Mode,
};

/// The file, and what of the policy has no words in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Override {
    /// The key file.
    pub text: String,
    /// What is left out.
    pub left_out: Vec<String>,
}

/// A text as an item of a list in a key file.
fn item(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;")
}

/// A text as a value in a key file.
fn value(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    let text = text.replace('\t', "\\t").replace('\r', "\\r");
    match text.strip_prefix(' ') {
        Some(rest) => format!("\\s{rest}"),
        None => text,
    }
}

/// A name, taken back where it is not granted.
fn granted(name: &str, is: bool) -> String {
    if is { name.to_owned() } else { format!("!{name}") }
}

/// Makes the file.
pub fn overrides(policy: &Policy) -> Override {
    let settings = &policy.settings;
    let mut left_out = Vec::new();
    let mut text = String::from("[Context]\n");
    let mut line = |key: &str, items: Vec<String>| {
        if !items.is_empty() {
            text.push_str(&format!("{key}={};\n", items.join(";")));
        }
    };
    line("shared", shared(settings, &mut left_out));
    line("sockets", sockets(settings));
    line("devices", devices(settings, &mut left_out));
    line("features", features(settings, &mut left_out));
    line("filesystems", files(settings, &mut left_out));
    buses(settings, &mut text, &mut left_out);
    if !settings.environment_set.is_empty() {
        text.push_str("\n[Environment]\n");
        for (name, stated) in &settings.environment_set {
            text.push_str(&format!("{name}={}\n", value(&stated.value)));
        }
    }
    rest(settings, &mut left_out);
    Override { text, left_out }
}

fn shared(settings: &Settings, left_out: &mut Vec<String>) -> Vec<String> {
    let mode = settings.network.mode.as_ref().map(|mode| mode.value);
    if settings.network.connect.is_stated() || settings.network.listen.is_stated() {
        left_out.push("network.connect and network.listen: Flatpak limits no ports".to_owned());
    }
    vec![granted("network", mode == Some(NetworkMode::Host)), "!ipc".to_owned()]
}

fn sockets(settings: &Settings) -> Vec<String> {
    let on = |flag: &Option<crate::model::origin::Sourced<bool>>| {
        flag.as_ref().is_some_and(|flag| flag.value)
    };
    let x11 = settings.display.x11.as_ref().map(|mode| mode.value);
    let sound = on(&settings.audio.playback) || on(&settings.audio.record);
    let mut list = vec![
        granted("x11", x11 == Some(X11Mode::Shared)),
        granted("fallback-x11", x11 == Some(X11Mode::Fallback)),
        granted("wayland", on(&settings.display.wayland)),
        granted("pulseaudio", sound),
    ];
    let never = ["session-bus", "system-bus", "ssh-auth", "pcsc", "cups", "gpg-agent"];
    list.extend(never.map(|name| granted(name, false)));
    list
}

fn devices(settings: &Settings, left_out: &mut Vec<String>) -> Vec<String> {
    let has = |device| settings.devices.values().any(|other| *other == device);
    for device in settings.devices.values() {
        if !matches!(device, Device::Gpu | Device::Kvm) {
            left_out.push(format!("devices.allow: {}", device.word()));
        }
    }
    vec![
        "!all".to_owned(),
        granted("dri", has(Device::Gpu)),
        granted("kvm", has(Device::Kvm)),
        "!shm".to_owned(),
    ]
}

/// The groups of system calls that Flatpak has by the same word.
const FEATURES: [SyscallFeature; 4] = [
    SyscallFeature::Devel,
    SyscallFeature::Multiarch,
    SyscallFeature::Bluetooth,
    SyscallFeature::Canbus,
];

fn features(settings: &Settings, left_out: &mut Vec<String>) -> Vec<String> {
    for feature in settings.syscalls.values().filter(|feature| !FEATURES.contains(feature)) {
        left_out.push(format!("syscalls.allow: {}", feature.word()));
    }
    FEATURES
        .iter()
        .map(|feature| {
            granted(feature.word(), settings.syscalls.values().any(|other| other == feature))
        })
        .collect()
}

fn files(settings: &Settings, left_out: &mut Vec<String>) -> Vec<String> {
    // The last of equal places counts, so the widest comes last.
    let mut modes: BTreeMap<String, &str> = BTreeMap::new();
    let files = &settings.filesystem;
    let mut grant = |list: &List<PathGrant>, mode: &'static str| {
        for entry in list.values() {
            match token(&entry.path) {
                Some(token) => drop(modes.insert(token, mode)),
                None => left_out
                    .push(format!("{}: Flatpak has no patterns and no such words", entry.path)),
            }
        }
    };
    grant(&files.read, ":ro");
    grant(&files.write, "");
    grant(&files.create, ":create");
    if settings.home.kind.as_ref().is_some_and(|kind| kind.value == HomeKind::Shared) {
        modes.insert("home".to_owned(), "");
    }
    let mut list = vec!["!host:reset".to_owned()];
    list.extend(modes.iter().map(|(token, mode)| format!("{}{mode}", item(&literal(token)))));
    for entry in files.deny.values() {
        match token(entry) {
            Some(token) => list.push(format!("!{}", item(&literal(&token)))),
            None => left_out.push(format!("the denial of {entry}: Flatpak has no patterns")),
        }
    }
    list
}

/// A token in which no colon begins a mode.
fn literal(token: &str) -> String {
    token.replace('\\', "\\\\").replace(':', "\\:")
}

/// A path as a token, unless Flatpak has none for it.
fn token(path: &PathExpr) -> Option<String> {
    if path.has_glob() || path.base == Base::State {
        return None;
    }
    let text = path.as_str().trim_end_matches('/');
    if text == "~" { Some("home".to_owned()) } else { Some(text.to_owned()) }
}

fn buses(settings: &Settings, text: &mut String, left_out: &mut Vec<String>) {
    let mut session = names(&settings.session_bus);
    for word in settings.session_bus.services.values() {
        if let Some(service) = catalogue::service(word) {
            left_out.push(format!(
                "bus.session.services: {word}: Flatpak opens the whole name, not what is needed of it"
            ));
            for object in &service.opens {
                session.entry(object.bus.clone()).or_insert("talk");
            }
        }
    }
    let system = names(&settings.system_bus);
    for (group, names) in [("Session Bus Policy", session), ("System Bus Policy", system)] {
        if names.is_empty() {
            continue;
        }
        text.push_str(&format!("\n[{group}]\n"));
        for (name, policy) in names {
            text.push_str(&format!("{name}={policy}\n"));
        }
    }
    for (bus, settings) in [("session", &settings.session_bus), ("system", &settings.system_bus)] {
        if settings.call.is_stated() || settings.broadcast.is_stated() {
            left_out.push(format!("bus.{bus}.call and broadcast: Flatpak knows names only"));
        }
    }
}

fn names(bus: &BusSettings) -> BTreeMap<String, &'static str> {
    let mut names = BTreeMap::new();
    for (list, policy) in [(&bus.see, "see"), (&bus.talk, "talk"), (&bus.own, "own")] {
        for name in list.values() {
            names.insert(name.to_string(), policy);
        }
    }
    names
}

fn rest(settings: &Settings, left_out: &mut Vec<String>) {
    let mut say = |is: bool, what: &str| {
        if is {
            left_out.push(what.to_owned());
        }
    };
    say(settings.portals.is_stated(), "portals.allow: Flatpak lets every portal be asked");
    say(
        settings.nested.as_ref().is_some_and(|nested| nested.value != Nested::None),
        "syscalls.nested: sandboxes inside go through Flatpak's own portal",
    );
    say(settings.environment_pass.is_stated(), "environment.pass: Flatpak passes nearly all");
    say(
        settings.home.kind.as_ref().is_some_and(|kind| kind.value == HomeKind::Ephemeral),
        "home.kind: Flatpak keeps the application's home",
    );
    say(
        settings.filesystem.read.values().any(|grant| grant.exec.is_some()),
        "exec: programs in every folder that is granted can be started",
    );
    say(settings.command.is_some(), "command: the bundle's own program is run");
}
