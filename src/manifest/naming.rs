//! The words of the command line as keys, entries and values of a manifest.

use toml_edit::{Array, Value};

use super::keys::{KEYS, Key, nameable, named};
use super::shape::Shape;

/// What a name on the command line means.
#[derive(Debug, Clone, PartialEq)]
pub enum Named {
    /// A key.
    Key(String),
    /// A whole table.
    Table(String),
    /// One entry of a list, or one name of a table of strings.
    Entry(String, String),
}

/// Short names of keys, as the flags of `pinfold run` have them.
const SHORT: &[(&str, &str, Option<&str>)] = &[
    ("read", "filesystem.read", None),
    ("write", "filesystem.write", None),
    ("create", "filesystem.create", None),
    ("deny", "filesystem.deny", None),
    ("portal", "portals.allow", None),
    ("service", "bus.session.services", None),
    ("talk", "bus.session.talk", None),
    ("own", "bus.session.own", None),
    ("env", "environment.set", None),
    ("device", "devices.allow", None),
    ("wayland", "display.wayland", None),
    ("x11", "display.x11", None),
    ("gpu", "devices.allow", Some("gpu")),
    ("kvm", "devices.allow", Some("kvm")),
];

/// Every name that [`name`] knows, for guesses.
pub fn known_names() -> Vec<String> {
    let short = SHORT.iter().map(|(word, ..)| (*word).to_owned());
    let own = ["lock", "reset", "extends", "when"].map(str::to_owned);
    let when = KEYS.iter().filter(|key| key.table == "when").map(Key::full);
    short.chain(nameable()).chain(own).chain(when).collect()
}

/// Reads `read=~/Scans`, `gpu`, `network.mode` or `network`.
///
/// # Errors
/// The word that nothing is called by.
pub fn name(text: &str) -> Result<Named, String> {
    let (word, entry) = match text.split_once('=') {
        Some((word, entry)) => (word, Some(entry.to_owned())),
        None => (text, None),
    };
    let is_nameable = known_names().iter().any(|known| known == word);
    let (key, own) = match SHORT.iter().find(|(short, ..)| *short == word) {
        Some((_, key, own)) => (*key, own.map(str::to_owned)),
        None if is_nameable => (word, None),
        None => return Err(word.to_owned()),
    };
    match (own.or(entry), named(key).is_some()) {
        (Some(entry), true) => Ok(Named::Entry(key.to_owned(), entry)),
        (None, true) => Ok(Named::Key(key.to_owned())),
        (None, false) => Ok(Named::Table(key.to_owned())),
        // A table has no entries.
        (Some(_), false) => Err(text.to_owned()),
    }
}

/// Whether a key holds strings by names, such as variables.
pub fn is_named(key: &str) -> bool {
    named(key).is_some_and(|key| key.shape.is_named())
}

/// Reads what stands behind `=` for a key: TOML where it looks like it, else
/// what the key wants. Entries of a list are parted by commas.
///
/// # Errors
/// What is wrong with it as TOML.
pub fn value(key: &str, text: &str) -> Result<Value, String> {
    let shape = named(key).map(|key| key.shape);
    if text.starts_with(['[', '{', '"', '\'']) {
        return text.parse::<Value>().map_err(|error| error.message().to_owned());
    }
    let one = |text: &str| match text.parse::<i64>() {
        Ok(number) if shape.is_none_or(|shape| shape.takes_numbers()) => Value::from(number),
        _ => Value::from(text),
    };
    let is_list = |shape: Shape| {
        shape.is_list() || shape.is_command() || (shape.is_answer() && text.contains(','))
    };
    if shape.is_some_and(is_list) {
        let mut array = Array::new();
        text.split(',').filter(|entry| !entry.is_empty()).for_each(|entry| array.push(one(entry)));
        return Ok(Value::Array(array));
    }
    match text {
        "true" | "false" if shape.is_some_and(|shape| shape.takes_flags()) => {
            Ok(Value::from(text == "true"))
        }
        _ => Ok(one(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let entry = |key: &str, entry: &str| Named::Entry(key.to_owned(), entry.to_owned());
        assert_eq!(name("read=~/a=b"), Ok(entry("filesystem.read", "~/a=b")));
        assert_eq!(name("gpu"), Ok(entry("devices.allow", "gpu")));
        assert_eq!(name("portals.allow=print"), Ok(entry("portals.allow", "print")));
        assert_eq!(name("wayland"), Ok(Named::Key("display.wayland".to_owned())));
        assert_eq!(name("network.mode"), Ok(Named::Key("network.mode".to_owned())));
        assert_eq!(name("network"), Ok(Named::Table("network".to_owned())));
        assert_eq!(name("reset=network"), Ok(entry("reset", "network")));
        for bad in ["raed=~/x", "schema", "id", "", "network=host", "when.hots"] {
            assert!(name(bad).is_err(), "{bad}");
        }
        // Every short name leads to a key.
        assert!(SHORT.iter().all(|(_, key, _)| named(key).is_some()));
    }

    #[test]
    fn values() {
        for (key, text, want) in [
            ("network.mode", "host", "\"host\""),
            ("audio.record", "true", "true"),
            ("hostname", "true", "\"true\""),
            ("nice", "-5", "-5"),
            ("hostname", "5", "\"5\""),
            ("limits.memory", "2G", "\"2G\""),
            ("limits.tasks", "5", "5"),
            ("network.connect", "443,80", "[443, 80]"),
            ("devices.allow", "gpu", "[\"gpu\"]"),
            ("devices.allow", "", "[]"),
            ("devices.allow", "['gpu']", "['gpu']"),
            ("command", "evince,-f", "[\"evince\", \"-f\"]"),
            ("agents.ssh", "{ confirm = true }", "{ confirm = true }"),
            ("agents.ssh", "false", "false"),
            ("when.desktop", "kde", "\"kde\""),
            ("when.desktop", "kde,gnome", "[\"kde\", \"gnome\"]"),
        ] {
            assert_eq!(value(key, text).unwrap().to_string(), want, "{key}={text}");
        }
        assert!(value("devices.allow", "['gpu'").is_err());
    }
}
