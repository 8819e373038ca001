//! The grammar: every key that a manifest can have, one row each, with what
//! its value must be and what is made of it.

use crate::model::app_id::AppId;
use crate::model::manifest::Settings;
use crate::model::origin::{Layer, List, Sourced};
use crate::model::portal::{PORTALS, SERVICES};

use super::closest::closest;
use super::reader::{FLAG, Item, Reader, did_you_mean};
use super::values::{self, Access, Fault};

/// What a file has said so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Whether `schema` stands in it, right or wrong.
    pub schema: bool,
    pub id: Option<Sourced<AppId>>,
    pub extends: List<String>,
    pub settings: Settings,
}

/// What a key's value becomes.
type Read = fn(&mut Draft, &mut Reader<'_>, &Item<'_>);

/// One key of the grammar.
pub(super) struct Key {
    /// The table that holds it; empty for the top of the file.
    pub table: &'static str,
    pub name: &'static str,
    /// What its value must be, as in "`name` must be ...".
    pub wants: &'static str,
    pub read: Read,
}

impl Key {
    /// The dotted name.
    pub fn full(&self) -> String {
        if self.table.is_empty() {
            self.name.to_owned()
        } else {
            format!("{}.{}", self.table, self.name)
        }
    }
}

const fn key(table: &'static str, name: &'static str, wants: &'static str, read: Read) -> Key {
    Key { table, name, wants, read }
}

/// The tables that hold keys or further tables.
pub(super) const TABLES: &[&str] = &[
    "home",
    "filesystem",
    "display",
    "audio",
    "devices",
    "network",
    "bus",
    "bus.session",
    "bus.system",
    "portals",
    "accessibility",
    "agents",
    "environment",
    "syscalls",
    "limits",
    "check",
];

const TEXT: &str = "a string";
const TEXTS: &str = "a list of strings";
const PATHS: &str = "a list of paths";
const GRANTS: &str = "a list of paths or { path, required, exec }";
const NAMED_TEXTS: &str = "a table of strings";
const NUMBER: &str = "a whole number";
const PORTS: &str = "a list of port numbers";
const SIZE: &str = "a size such as \"2G\", or a number of bytes";

/// The grammar.
pub(super) static KEYS: &[Key] = &[
    key("", "schema", NUMBER, |to, read, item| {
        to.schema = true;
        schema(read, item);
    }),
    key("", "id", TEXT, |to, read, item| {
        to.id = read.text(item, |text| Ok(text.parse::<AppId>()?));
    }),
    key("", "name", TEXT, |to, read, item| {
        to.settings.name = read.text(item, values::not_empty);
    }),
    key("", "command", TEXTS, |to, read, item| {
        to.settings.command = read.command(item);
    }),
    key("", "desktop", TEXTS, |to, read, item| {
        to.settings.desktop = read.texts(item, values::desktop_entry);
    }),
    key("", "extends", TEXTS, |to, read, item| {
        to.extends = read.texts(item, values::preset);
    }),
    key("", "single-instance", FLAG, |to, read, item| {
        to.settings.single_instance = read.flag(item);
    }),
    key("", "hostname", TEXT, |to, read, item| {
        to.settings.hostname = read.text(item, values::host_name);
    }),
    key("", "nice", NUMBER, |to, read, item| {
        to.settings.nice = read.integer(item, -20..=19);
    }),
    key("", "oom-score", NUMBER, |to, read, item| {
        to.settings.oom_score = read.integer(item, -1000..=1000);
    }),
    key("", "timeout", "a duration such as \"30s\", or a number of seconds", |to, read, item| {
        to.settings.timeout = read.seconds(item);
    }),
    key("", "landlock", TEXT, |to, read, item| to.settings.landlock = read.word(item)),
    key("", "lock", TEXTS, |to, read, item| to.settings.lock = key_names(read, item)),
    key("", "reset", TEXTS, |to, read, item| to.settings.reset = key_names(read, item)),
    key("", "when", NAMED_TEXTS, |to, read, item| {
        to.settings.when = read.named_texts(item, values::plain_word);
    }),
    key("home", "kind", TEXT, |to, read, item| to.settings.home.kind = read.word(item)),
    key("home", "persist", TEXTS, |to, read, item| {
        to.settings.home.persist = read.texts(item, values::beneath_home);
    }),
    key("filesystem", "read", GRANTS, |to, read, item| {
        to.settings.filesystem.read =
            read.list(item, |read, entry| read.grant(entry, Access::Read));
    }),
    key("filesystem", "write", GRANTS, |to, read, item| {
        to.settings.filesystem.write =
            read.list(item, |read, entry| read.grant(entry, Access::Write));
    }),
    key("filesystem", "create", GRANTS, |to, read, item| {
        to.settings.filesystem.create =
            read.list(item, |read, entry| read.grant(entry, Access::Write));
    }),
    key("filesystem", "deny", PATHS, |to, read, item| {
        let list = read.texts(item, |text| values::path(text, Access::Deny));
        // Denies only add up, so an empty list says nothing.
        to.settings.filesystem.deny = List { emptied: None, ..list };
    }),
    key("display", "wayland", FLAG, |to, read, item| {
        to.settings.display.wayland = read.flag(item);
    }),
    key("display", "x11", TEXT, |to, read, item| to.settings.display.x11 = read.word(item)),
    key("audio", "playback", FLAG, |to, read, item| {
        to.settings.audio.playback = read.flag(item);
    }),
    key("audio", "record", FLAG, |to, read, item| to.settings.audio.record = read.flag(item)),
    key("devices", "allow", TEXTS, |to, read, item| {
        to.settings.devices = read.list(item, Reader::word);
    }),
    key("network", "mode", TEXT, |to, read, item| to.settings.network.mode = read.word(item)),
    key("network", "connect", PORTS, |to, read, item| {
        to.settings.network.connect = ports(read, item);
    }),
    key("network", "listen", PORTS, |to, read, item| {
        to.settings.network.listen = ports(read, item);
    }),
    key("bus.session", "see", TEXTS, |to, read, item| {
        to.settings.session_bus.see = read.texts(item, values::bus_name);
    }),
    key("bus.session", "talk", TEXTS, |to, read, item| {
        to.settings.session_bus.talk = read.texts(item, values::bus_name);
    }),
    key("bus.session", "own", TEXTS, |to, read, item| {
        to.settings.session_bus.own = read.texts(item, values::bus_name);
    }),
    key("bus.session", "call", TEXTS, |to, read, item| {
        to.settings.session_bus.call = read.texts(item, values::bus_rule);
    }),
    key("bus.session", "broadcast", TEXTS, |to, read, item| {
        to.settings.session_bus.broadcast = read.texts(item, values::bus_rule);
    }),
    key("bus.session", "services", TEXTS, |to, read, item| {
        to.settings.session_bus.services =
            read.list(item, |read, entry| read.one_of(entry, &SERVICES));
    }),
    key("bus.system", "see", TEXTS, |to, read, item| {
        to.settings.system_bus.see = read.texts(item, values::bus_name);
    }),
    key("bus.system", "talk", TEXTS, |to, read, item| {
        to.settings.system_bus.talk = read.texts(item, values::bus_name);
    }),
    key("bus.system", "own", TEXTS, |to, read, item| {
        to.settings.system_bus.own = read.texts(item, values::bus_name);
    }),
    key("bus.system", "call", TEXTS, |to, read, item| {
        to.settings.system_bus.call = read.texts(item, values::bus_rule);
    }),
    key("bus.system", "broadcast", TEXTS, |to, read, item| {
        to.settings.system_bus.broadcast = read.texts(item, values::bus_rule);
    }),
    key("portals", "allow", TEXTS, |to, read, item| {
        to.settings.portals = read.list(item, |read, entry| read.one_of(entry, &PORTALS));
    }),
    key("portals", "marker", FLAG, |to, read, item| to.settings.marker = read.flag(item)),
    key("accessibility", "enabled", FLAG, |to, read, item| {
        to.settings.accessibility = read.flag(item);
    }),
    key("agents", "ssh", "true, false or { keys, confirm }", |to, read, item| {
        to.settings.ssh_agent = read.ssh_agent(item);
    }),
    key("agents", "gpg", FLAG, |to, read, item| to.settings.gpg_agent = read.flag(item)),
    key("environment", "set", NAMED_TEXTS, |to, read, item| {
        to.settings.environment_set = read.named_texts(item, values::variable);
    }),
    key("environment", "pass", TEXTS, |to, read, item| {
        to.settings.environment_pass = read.texts(item, values::variables);
    }),
    key("syscalls", "nested", TEXT, |to, read, item| to.settings.nested = read.word(item)),
    key("syscalls", "allow", TEXTS, |to, read, item| {
        to.settings.syscalls = read.list(item, Reader::word);
    }),
    key("limits", "memory", SIZE, |to, read, item| limit(to, read, item, values::some_size)),
    key("limits", "memory-high", SIZE, |to, read, item| {
        limit(to, read, item, values::some_size);
    }),
    key("limits", "swap", SIZE, |to, read, item| limit(to, read, item, values::size)),
    key("limits", "cpu", "a share such as \"150%\"", |to, read, item| {
        limit(to, read, item, values::percentage);
    }),
    key("limits", "io-weight", NUMBER, |to, read, item| limit(to, read, item, values::weight)),
    key("limits", "tasks", NUMBER, |to, read, item| limit(to, read, item, values::amount)),
    key("limits", "open-files", NUMBER, |to, read, item| limit(to, read, item, values::amount)),
    key("limits", "file-size", SIZE, |to, read, item| limit(to, read, item, values::some_size)),
    key("limits", "core", SIZE, |to, read, item| limit(to, read, item, values::size)),
    key("limits", "required", FLAG, |to, read, item| {
        to.settings.limits.required = read.flag(item);
    }),
    key("check", "must-open", PATHS, |to, read, item| {
        to.settings.check_must_open = read.texts(item, |text| values::path(text, Access::Look));
    }),
    key("check", "must-deny", PATHS, |to, read, item| {
        to.settings.check_must_deny = read.texts(item, |text| values::path(text, Access::Look));
    }),
];

/// The dotted name of every key.
pub fn names() -> impl Iterator<Item = String> {
    KEYS.iter().map(Key::full)
}

/// Keys that say what the file is. No layer has a say in another's.
const OF_THE_FILE: &[&str] = &["schema", "id", "extends", "lock", "reset"];

/// The key of a table with a name.
pub(super) fn find(table: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name && key.table == table)
}

/// The table with a name in a table.
pub(super) fn find_table(table: &str, name: &str) -> Option<&'static str> {
    TABLES.iter().copied().find(|full| split(full) == (table, name))
}

/// The table that holds a table, and its name therein.
fn split(table: &'static str) -> (&'static str, &'static str) {
    table.rsplit_once('.').unwrap_or(("", table))
}

/// Every name that can stand in a table.
pub(super) fn names_in(table: &str) -> impl Iterator<Item = &'static str> {
    let keys = KEYS.iter().filter(move |key| key.table == table).map(|key| key.name);
    let tables = TABLES.iter().map(|full| split(full)).filter(move |(parent, _)| *parent == table);
    keys.chain(tables.map(|(_, name)| name))
}

/// The other tables that have a key or table of this name.
pub(super) fn homes_of(name: &str, table: &str) -> Vec<&'static str> {
    let keys = KEYS.iter().filter(|key| key.name == name).map(|key| key.table);
    let tables = TABLES.iter().map(|full| split(full)).filter(|(_, last)| *last == name);
    keys.chain(tables.map(|(parent, _)| parent)).filter(|other| *other != table).collect()
}

fn schema(read: &mut Reader<'_>, item: &Item<'_>) {
    if let Some(version) = read.integer::<i64>(item, i64::MIN..=i64::MAX)
        && version.value != 1
    {
        let why = format!("this pinfold reads schema 1, not {}", version.value);
        read.bad_value(item, Fault::new(why));
    }
}

fn ports(read: &mut Reader<'_>, item: &Item<'_>) -> List<u16> {
    read.list(item, |read, entry| read.integer(entry, 1..=65535))
}

fn limit(
    to: &mut Draft,
    read: &mut Reader<'_>,
    item: &Item<'_>,
    check: fn(&str) -> Result<String, Fault>,
) {
    if let Some(value) = read.limit(item, check) {
        to.settings.limits.values.insert(item.key.name.to_owned(), value);
    }
}

/// `lock` and `reset`: names of keys or of whole tables.
fn key_names(read: &mut Reader<'_>, item: &Item<'_>) -> List<String> {
    if !matches!(read.source.layer, Layer::Admin | Layer::User) {
        let why = format!(
            "only the administrator's and the user's files have it; this one is of the {} layer",
            read.source.layer
        );
        read.bad_value(item, Fault::new(why));
    }
    read.texts(item, |text| {
        let full: Vec<String> = names().collect();
        let known = || {
            let keys = full.iter().map(String::as_str).chain(TABLES.iter().copied());
            keys.filter(|name| !OF_THE_FILE.contains(name))
        };
        if known().any(|name| name == text) {
            return Ok(text.to_owned());
        }
        let mut why = "there is no such key".to_owned();
        if let Some(guess) = closest(text, known()) {
            why = format!("{why}; {}", did_you_mean(Some(guess)));
        }
        Err(Fault::new(why))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_once_in_a_table_that_exists() {
        let mut seen = std::collections::BTreeSet::new();
        for key in KEYS {
            assert!(seen.insert(key.full()), "{} stands twice", key.full());
            assert!(key.table.is_empty() || TABLES.contains(&key.table), "{}", key.table);
            assert!(find_table(key.table, key.name).is_none(), "{}", key.full());
        }
        assert!(OF_THE_FILE.iter().all(|name| seen.contains(*name)));
    }

    #[test]
    fn names_and_homes() {
        assert_eq!(names_in("bus").collect::<Vec<_>>(), ["session", "system"]);
        assert_eq!(names_in("display").collect::<Vec<_>>(), ["wayland", "x11"]);
        assert!(names_in("").any(|name| name == "filesystem"));
        assert_eq!(homes_of("mode", ""), ["network"]);
        assert_eq!(homes_of("talk", "bus"), ["bus.session", "bus.system"]);
        assert_eq!(homes_of("session", ""), ["bus"]);
        assert_eq!(homes_of("talk", "bus.session"), ["bus.system"]);
        assert_eq!(homes_of("nothing", ""), [""; 0]);
    }
}
