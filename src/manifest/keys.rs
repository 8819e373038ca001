//! The grammar: every key that a manifest can have, one row each, with what
//! its value must be and what is made of it.

use crate::model::app_id::AppId;
use crate::model::condition::{Account, Condition, Fact, SessionDisplay};
use crate::model::manifest::Settings;
use crate::model::origin::{Layer, List, Sourced};
use crate::model::permission::{
    Device, HomeKind, LandlockMode, Nested, NetworkMode, SyscallFeature, X11Mode,
};
use crate::model::portal::{PORTALS, SERVICES};
use crate::model::statement::DENY;

use super::closest::closest;
use super::reader::{Item, Reader, did_you_mean};
use super::shape::{Form, Shape, words};
use super::values::{self, Access, Fault};

/// What a file has said so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Whether `schema` stands in it, right or wrong.
    pub schema: bool,
    pub id: Option<Sourced<AppId>>,
    pub extends: List<String>,
    pub when: Vec<Sourced<Condition>>,
    pub settings: Settings,
}

/// What a key's value becomes.
type Read = fn(&mut Draft, &mut Reader<'_>, &Item<'_>);

/// One key of the grammar.
pub(super) struct Key {
    /// The table that holds it; empty for the top of the file.
    pub table: &'static str,
    pub name: &'static str,
    /// What its value must be.
    pub shape: Shape,
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

    /// Whether an empty list takes back what lower layers state. Of lists
    /// that only add up it says nothing.
    pub fn can_be_emptied(&self) -> bool {
        self.shape.is_list() && !matches!(self.shape, Shape::Keys) && self.full() != DENY
    }
}

const fn key(table: &'static str, name: &'static str, shape: Shape, read: Read) -> Key {
    Key { table, name, shape, read }
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
    "when",
];

/// The grammar.
pub(super) static KEYS: &[Key] = &[
    key("", "schema", Shape::Schema, |to, read, item| {
        to.schema = true;
        schema(read, item);
    }),
    key("", "id", Shape::Text(Form::AppId), |to, read, item| {
        to.id = read.text(item, |text| Ok(text.parse::<AppId>()?));
    }),
    key("", "name", Shape::Text(Form::NotEmpty), |to, read, item| {
        to.settings.name = read.text(item, values::not_empty);
    }),
    key("", "command", Shape::Command, |to, read, item| {
        to.settings.command = read.command(item);
    }),
    key("", "desktop", Shape::Texts(Form::DesktopEntry), |to, read, item| {
        to.settings.desktop = read.texts(item, values::desktop_entry);
    }),
    key("", "extends", Shape::Texts(Form::Preset), |to, read, item| {
        to.extends = read.texts(item, values::preset);
    }),
    key("", "single-instance", Shape::Flag, |to, read, item| {
        to.settings.single_instance = read.flag(item);
    }),
    key("", "hostname", Shape::Text(Form::HostName), |to, read, item| {
        to.settings.hostname = read.text(item, values::host_name);
    }),
    key("", "nice", Shape::Number(-20, 19), |to, read, item| {
        to.settings.nice = read.number(item);
    }),
    key("", "oom-score", Shape::Number(-1000, 1000), |to, read, item| {
        to.settings.oom_score = read.number(item);
    }),
    key("", "timeout", Shape::Duration, |to, read, item| {
        to.settings.timeout = read.seconds(item);
    }),
    key("", "landlock", Shape::Word(words::<LandlockMode>), |to, read, item| {
        to.settings.landlock = read.word(item)
    }),
    key("", "lock", Shape::Keys, |to, read, item| to.settings.lock = key_names(read, item)),
    key("", "reset", Shape::Keys, |to, read, item| to.settings.reset = key_names(read, item)),
    key("home", "kind", Shape::Word(words::<HomeKind>), |to, read, item| {
        to.settings.home.kind = read.word(item)
    }),
    key("home", "persist", Shape::Texts(Form::BeneathHome), |to, read, item| {
        to.settings.home.persist = read.texts(item, values::beneath_home);
    }),
    key("filesystem", "read", Shape::Grants, |to, read, item| {
        to.settings.filesystem.read =
            read.list(item, |read, entry| read.grant(entry, Access::Read));
    }),
    key("filesystem", "write", Shape::Grants, |to, read, item| {
        to.settings.filesystem.write =
            read.list(item, |read, entry| read.grant(entry, Access::Write));
    }),
    key("filesystem", "create", Shape::Grants, |to, read, item| {
        to.settings.filesystem.create =
            read.list(item, |read, entry| read.grant(entry, Access::Write));
    }),
    key("filesystem", "deny", Shape::Paths, |to, read, item| {
        let list = read.texts(item, |text| values::path(text, Access::Deny));
        // Denies only add up, so an empty list says nothing.
        to.settings.filesystem.deny = List { emptied: None, ..list };
    }),
    key("display", "wayland", Shape::Flag, |to, read, item| {
        to.settings.display.wayland = read.flag(item);
    }),
    key("display", "x11", Shape::Word(words::<X11Mode>), |to, read, item| {
        to.settings.display.x11 = read.word(item)
    }),
    key("audio", "playback", Shape::Flag, |to, read, item| {
        to.settings.audio.playback = read.flag(item);
    }),
    key("audio", "record", Shape::Flag, |to, read, item| {
        to.settings.audio.record = read.flag(item)
    }),
    key("devices", "allow", Shape::List(words::<Device>), |to, read, item| {
        to.settings.devices = read.list(item, Reader::word);
    }),
    key("network", "mode", Shape::Word(words::<NetworkMode>), |to, read, item| {
        to.settings.network.mode = read.word(item)
    }),
    key("network", "connect", Shape::Ports, |to, read, item| {
        to.settings.network.connect = ports(read, item);
    }),
    key("network", "listen", Shape::Ports, |to, read, item| {
        to.settings.network.listen = ports(read, item);
    }),
    key("bus.session", "see", Shape::Texts(Form::BusName), |to, read, item| {
        to.settings.session_bus.see = read.texts(item, values::bus_name);
    }),
    key("bus.session", "talk", Shape::Texts(Form::BusName), |to, read, item| {
        to.settings.session_bus.talk = read.texts(item, values::bus_name);
    }),
    key("bus.session", "own", Shape::Texts(Form::BusName), |to, read, item| {
        to.settings.session_bus.own = read.texts(item, values::bus_name);
    }),
    key("bus.session", "call", Shape::Texts(Form::BusRule), |to, read, item| {
        to.settings.session_bus.call = read.texts(item, values::bus_rule);
    }),
    key("bus.session", "broadcast", Shape::Texts(Form::BusRule), |to, read, item| {
        to.settings.session_bus.broadcast = read.texts(item, values::bus_rule);
    }),
    key("bus.session", "services", Shape::List(|| SERVICES.to_vec()), |to, read, item| {
        to.settings.session_bus.services =
            read.list(item, |read, entry| read.one_of(entry, &SERVICES));
    }),
    key("bus.system", "see", Shape::Texts(Form::BusName), |to, read, item| {
        to.settings.system_bus.see = read.texts(item, values::bus_name);
    }),
    key("bus.system", "talk", Shape::Texts(Form::BusName), |to, read, item| {
        to.settings.system_bus.talk = read.texts(item, values::bus_name);
    }),
    key("bus.system", "own", Shape::Texts(Form::BusName), |to, read, item| {
        to.settings.system_bus.own = read.texts(item, values::bus_name);
    }),
    key("bus.system", "call", Shape::Texts(Form::BusRule), |to, read, item| {
        to.settings.system_bus.call = read.texts(item, values::bus_rule);
    }),
    key("bus.system", "broadcast", Shape::Texts(Form::BusRule), |to, read, item| {
        to.settings.system_bus.broadcast = read.texts(item, values::bus_rule);
    }),
    key("portals", "allow", Shape::List(|| PORTALS.to_vec()), |to, read, item| {
        to.settings.portals = read.list(item, |read, entry| read.one_of(entry, &PORTALS));
    }),
    key("portals", "marker", Shape::Flag, |to, read, item| to.settings.marker = read.flag(item)),
    key("accessibility", "enabled", Shape::Flag, |to, read, item| {
        to.settings.accessibility = read.flag(item);
    }),
    key("agents", "ssh", Shape::SshAgent, |to, read, item| {
        to.settings.ssh_agent = read.ssh_agent(item);
    }),
    key("agents", "gpg", Shape::Flag, |to, read, item| to.settings.gpg_agent = read.flag(item)),
    key("environment", "set", Shape::Named(Form::Variable), |to, read, item| {
        to.settings.environment_set = read.named_texts(item, values::variable);
    }),
    key("environment", "pass", Shape::Texts(Form::Variables), |to, read, item| {
        to.settings.environment_pass = read.texts(item, values::variables);
    }),
    key("syscalls", "nested", Shape::Word(words::<Nested>), |to, read, item| {
        to.settings.nested = read.word(item)
    }),
    key("syscalls", "allow", Shape::List(words::<SyscallFeature>), |to, read, item| {
        to.settings.syscalls = read.list(item, Reader::word);
    }),
    key("limits", "memory", Shape::Size(1), |to, read, item| {
        limit(to, read, item, values::some_size)
    }),
    key("limits", "memory-high", Shape::Size(1), |to, read, item| {
        limit(to, read, item, values::some_size);
    }),
    key("limits", "swap", Shape::Size(0), |to, read, item| limit(to, read, item, values::size)),
    key("limits", "cpu", Shape::Share, |to, read, item| {
        limit(to, read, item, values::percentage);
    }),
    key("limits", "io-weight", Shape::Amount(10_000), |to, read, item| {
        limit(to, read, item, values::weight)
    }),
    key("limits", "tasks", Shape::Amount(0xffff_ffff), |to, read, item| {
        limit(to, read, item, values::amount)
    }),
    key("limits", "open-files", Shape::Amount(0xffff_ffff), |to, read, item| {
        limit(to, read, item, values::amount)
    }),
    key("limits", "file-size", Shape::Size(1), |to, read, item| {
        limit(to, read, item, values::some_size)
    }),
    key("limits", "core", Shape::Size(0), |to, read, item| limit(to, read, item, values::size)),
    key("limits", "required", Shape::Flag, |to, read, item| {
        to.settings.limits.required = read.flag(item);
    }),
    key("check", "must-open", Shape::Paths, |to, read, item| {
        to.settings.check_must_open = read.texts(item, |text| values::path(text, Access::Look));
    }),
    key("check", "must-deny", Shape::Paths, |to, read, item| {
        to.settings.check_must_deny = read.texts(item, |text| values::path(text, Access::Look));
    }),
    key("when", "display", Shape::AnswerOf(words::<SessionDisplay>), |to, read, item| {
        to.when.extend(read.condition(item, Fact::Display, values::plain_word));
    }),
    key("when", "desktop", Shape::Answer(Form::LowerWord), |to, read, item| {
        to.when.extend(read.condition(item, Fact::Desktop, values::plain_word));
    }),
    key("when", "host", Shape::Answer(Form::LowerWord), |to, read, item| {
        to.when.extend(read.condition(item, Fact::Host, values::plain_word));
    }),
    key("when", "user", Shape::AnswerOf(words::<Account>), |to, read, item| {
        to.when.extend(read.condition(item, Fact::User, values::plain_word));
    }),
];

/// The dotted name of every key.
pub fn names() -> impl Iterator<Item = String> {
    KEYS.iter().map(Key::full)
}

/// Keys and tables that say what the file is. No layer has a say in another's.
const OF_THE_FILE: &[&str] = &["schema", "id", "extends", "lock", "reset", "when"];

/// The keys and tables that `lock` and `reset` can name.
pub(super) fn nameable() -> Vec<String> {
    let keys = KEYS.iter().filter(|key| !OF_THE_FILE.contains(&key.table)).map(Key::full);
    keys.chain(TABLES.iter().map(|table| (*table).to_owned()))
        .filter(|name| !OF_THE_FILE.contains(&name.as_str()))
        .collect()
}

/// The key with a dotted name.
pub(super) fn named(full: &str) -> Option<&'static Key> {
    let (table, name) = full.rsplit_once('.').unwrap_or(("", full));
    find(table, name)
}

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
    let list = read.texts(item, |text| {
        if item.key.name == "reset" && text == DENY {
            return Err(Fault::new("no layer takes a denial back")
                .hint("grant the path itself, or a path beneath it, and the denial gives way"));
        }
        let known = nameable();
        if known.iter().any(|name| name == text) {
            return Ok(text.to_owned());
        }
        let mut why = "there is no such key".to_owned();
        if let Some(guess) = closest(text, known.iter().map(String::as_str)) {
            why = format!("{why}; {}", did_you_mean(Some(guess)));
        }
        Err(Fault::new(why))
    });
    // Both only add up, so an empty list says nothing.
    List { emptied: None, ..list }
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
        let is_known = |name: &str| seen.contains(name) || TABLES.contains(&name);
        assert!(OF_THE_FILE.iter().all(|name| is_known(name)));
        assert!(nameable().iter().all(|name| !name.starts_with("when")));
        assert!(nameable().iter().any(|name| name == "limits"));
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
