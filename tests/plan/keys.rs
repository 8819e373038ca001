//! A key that is written down and then ignored would be a lie: every key of
//! the grammar has an effect, or a run that meets it is refused.

use std::collections::BTreeSet;

use pinfold::manifest::names;
use pinfold::model::origin::Layer;
use pinfold::model::permission::{
    Device, HomeKind, LandlockMode, Nested, NetworkMode, SyscallFeature, Word, X11Mode,
};
use pinfold::report::Code;

use super::tree::{Host, nothing_more};

/// What a run does with a statement.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    /// It is carried out, or it asks for nothing.
    Taken,
    /// It is not supported yet.
    Refused,
    /// It says what the file is; there is nothing to carry out.
    OfTheFile,
}
use Fate::{OfTheFile, Refused, Taken};

/// Every key with a statement of it, in the order of the grammar. Whoever
/// adds one has to say here what a run does with it.
const KEYS: &[(&str, &str, Fate)] = &[
    ("schema", "1", OfTheFile),
    ("id", "\"org.example.App\"", OfTheFile),
    ("name", "\"App\"", Taken),
    ("command", "[\"app\"]", Taken),
    ("desktop", "[\"app.desktop\"]", Taken),
    ("extends", "[\"base/x11\"]", OfTheFile),
    ("single-instance", "true", Taken),
    ("single-instance", "false", Taken),
    ("hostname", "\"box\"", Taken),
    ("nice", "5", Taken),
    ("oom-score", "5", Taken),
    ("timeout", "\"5s\"", Taken),
    ("landlock", "\"best\"", Taken),
    ("landlock", "\"require\"", Taken),
    // They order the layers; the merging has tests of its own.
    ("lock", "[\"home\"]", Taken),
    ("reset", "[\"home\"]", Taken),
    ("home.kind", "\"private\"", Taken),
    ("home.kind", "\"ephemeral\"", Taken),
    ("home.kind", "\"shared\"", Taken),
    ("home.kind", "\"overlay\"", Refused),
    ("home.persist", "[\"keep\"]", Taken),
    ("filesystem.read", "[\"~/a\"]", Taken),
    ("filesystem.write", "[\"~/a\"]", Taken),
    ("filesystem.create", "[\"~/a\"]", Taken),
    ("filesystem.deny", "[\"~/a\"]", Taken),
    ("display.wayland", "true", Taken),
    ("display.x11", "\"never\"", Taken),
    ("display.x11", "\"fallback\"", Taken),
    ("display.x11", "\"shared\"", Taken),
    ("display.x11", "\"nested\"", Refused),
    ("display.x11", "\"untrusted\"", Refused),
    ("audio.playback", "true", Taken),
    ("audio.record", "true", Taken),
    ("devices.allow", "[\"gpu\"]", Taken),
    ("devices.allow", "[\"kvm\"]", Taken),
    ("devices.allow", "[\"camera\"]", Refused),
    ("devices.allow", "[\"gamepad\"]", Refused),
    ("devices.allow", "[\"printer\"]", Refused),
    ("devices.allow", "[\"smartcard\"]", Refused),
    ("devices.allow", "[\"usb\"]", Refused),
    ("devices.allow", "[\"input\"]", Refused),
    ("network.mode", "\"none\"", Taken),
    ("network.mode", "\"host\"", Taken),
    ("network.mode", "\"private\"", Refused),
    ("network.connect", "[443]", Taken),
    ("network.listen", "[80]", Taken),
    ("bus.session.see", "[\"org.example.A\"]", Taken),
    ("bus.session.talk", "[\"org.example.A\"]", Taken),
    ("bus.session.own", "[\"org.example.A\"]", Taken),
    ("bus.session.call", "[\"org.example.A=org.example.I.Get@/a\"]", Taken),
    ("bus.session.broadcast", "[\"org.example.A=org.example.I.Get@/a\"]", Taken),
    ("bus.session.services", "[\"tray\"]", Taken),
    ("bus.system.see", "[\"org.example.A\"]", Taken),
    ("bus.system.talk", "[\"org.example.A\"]", Taken),
    ("bus.system.own", "[\"org.example.A\"]", Taken),
    ("bus.system.call", "[\"org.example.A=org.example.I.Get@/a\"]", Taken),
    ("bus.system.broadcast", "[\"org.example.A=org.example.I.Get@/a\"]", Taken),
    ("portals.allow", "[\"settings\"]", Taken),
    ("portals.marker", "true", Taken),
    ("portals.marker", "false", Taken),
    ("accessibility.enabled", "true", Taken),
    ("accessibility.enabled", "false", Taken),
    ("agents.ssh", "true", Refused),
    (
        "agents.ssh",
        "{ keys = [\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"], confirm = true }",
        Refused,
    ),
    ("agents.ssh", "false", Taken),
    ("agents.gpg", "true", Refused),
    ("agents.gpg", "false", Taken),
    ("environment.set", "{ A = \"b\" }", Taken),
    ("environment.pass", "[\"A\"]", Taken),
    ("syscalls.nested", "\"none\"", Taken),
    ("syscalls.nested", "\"browser\"", Taken),
    ("syscalls.nested", "\"container\"", Taken),
    ("syscalls.allow", "[\"devel\"]", Taken),
    ("syscalls.allow", "[\"bluetooth\"]", Taken),
    ("syscalls.allow", "[\"canbus\"]", Taken),
    ("syscalls.allow", "[\"multiarch\"]", Taken),
    ("syscalls.allow", "[\"multiarch\", \"multiarch-sockets\"]", Taken),
    ("limits.memory", "\"1G\"", Refused),
    ("limits.memory-high", "\"1G\"", Refused),
    ("limits.swap", "0", Refused),
    ("limits.cpu", "\"50%\"", Refused),
    ("limits.io-weight", "100", Refused),
    ("limits.tasks", "10", Taken),
    ("limits.open-files", "10", Taken),
    ("limits.file-size", "\"1G\"", Taken),
    ("limits.core", "0", Taken),
    ("limits.required", "true", Refused),
    ("limits.required", "false", Taken),
    // Expectations about a run, for `check`; a run itself owes them nothing.
    ("check.must-open", "[\"~/a\"]", Taken),
    ("check.must-deny", "[\"~/a\"]", Taken),
    // Whether the file counts at all.
    ("when.display", "\"wayland\"", OfTheFile),
    ("when.desktop", "\"gnome\"", OfTheFile),
    ("when.host", "[\"debian\", \"fedora\"]", OfTheFile),
    ("when.user", "\"ordinary\"", OfTheFile),
];

#[test]
fn every_key_of_the_grammar_has_its_fate() {
    let placed: BTreeSet<&str> = KEYS.iter().map(|(key, ..)| *key).collect();
    let grammar: Vec<String> = names().collect();
    assert_eq!(placed, grammar.iter().map(String::as_str).collect());
}

/// A new word needs a fate of its own: one may be supported, the next not.
#[test]
fn every_word_has_its_fate() {
    fn check<W: Word>(key: &str) {
        for (word, _) in W::WORDS {
            let quoted = format!("\"{word}\"");
            let told = KEYS.iter().any(|(k, text, _)| *k == key && text.contains(&quoted));
            assert!(told, "{key}: {word}");
        }
    }
    check::<LandlockMode>("landlock");
    check::<HomeKind>("home.kind");
    check::<X11Mode>("display.x11");
    check::<Device>("devices.allow");
    check::<NetworkMode>("network.mode");
    check::<Nested>("syscalls.nested");
    check::<SyscallFeature>("syscalls.allow");
}

#[test]
fn what_has_no_effect_is_refused_and_what_has_one_is_not() {
    let host = Host::small();
    for (key, value, fate) in KEYS {
        if *fate == OfTheFile {
            continue;
        }
        let text = match key.rsplit_once('.') {
            Some((table, name)) => format!("[{table}]\n{name} = {value}"),
            None => format!("{key} = {value}"),
        };
        // `lock` and `reset` are words of this layer.
        match host.ask(&[(Layer::User, &text)], &nothing_more()) {
            Ok(_) => assert_eq!(*fate, Taken, "{text}"),
            Err(errors) => {
                assert_eq!(*fate, Refused, "{text}: {errors:#?}");
                assert_eq!(errors.len(), 1, "{text}: {errors:#?}");
                assert_eq!(errors[0].code, Some(Code::NotSupported), "{text}: {errors:#?}");
                // It is named, and so is its place.
                let name = key.rsplit('.').next().unwrap();
                let table = key.split('.').next().unwrap();
                let said = &errors[0].message;
                assert!(said.contains(name) || said.contains(table), "{text}: {said}");
                assert_eq!(errors[0].labels[0].origin.layer, Layer::User);
                assert!(errors[0].labels[0].origin.line >= 2, "{text}");
            }
        }
    }
}

/// All of them are told at once, not one in each run.
#[test]
fn every_refused_key_is_named() {
    let text = "[agents]\nssh = true\ngpg = true\n[limits]\nmemory = \"1G\"";
    let errors = Host::small().refusal(&[(Layer::Vendor, text)]);
    assert_eq!(errors.len(), 3, "{errors:#?}");
}
