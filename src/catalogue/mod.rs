//! The catalogue: what the words for portals and services open on the session
//! bus, and what a person should know before granting one. Floor 3; imports the
//! model.
//!
//! It is data, one file for each word: `portals/*.toml` for the interfaces of
//! xdg-desktop-portal, `portals/services/*.toml` for services that programs
//! call directly. All are compiled in, and a file is read when its word is
//! first asked for: a run pays for the words that its manifest grants, a mere
//! check of words for none.
//!
//! # What a word opens
//!
//! An [`Object`] names calls and signals, and leaves unsaid what holds for all
//! of them:
//!
//! - The properties are reached by the interface `org.freedesktop.DBus.Properties`
//!   on the same object, whose first argument is the object's own
//!   [`interface`](Object::interface); its signal `PropertiesChanged` likewise.
//! - A path that ends in `/*` means every object beneath it, however deep.
//!
//! # What a file may say
//!
//! The facts are of two grades, see [`Facts`]: what the Debian 12 packages have,
//! on which this version is tried, and what was only read in a newer source. A
//! file says which, and [`Portal::later`] lists the members of an older
//! interface that are of the second grade.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::model::portal;

#[cfg(test)]
mod tests;

/// How much a person risks who grants a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A nuisance at worst, or no more than what a dialog shows each time.
    Low,
    /// Something private can become known, or something can outlast the run.
    Medium,
    /// It sees, hears or commands what is not its own.
    High,
}

/// Where the facts of a file come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Facts {
    /// From the packages of Debian 12.
    Debian,
    /// Only read: in upstream's source, for portals that of release 1.22.0.
    Source,
}

/// An interface of an object on the session bus, and what of it is opened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// The well-known name that is called.
    pub bus: String,
    /// The object; with `/*` behind it, all objects beneath it.
    pub path: String,
    /// The interface.
    pub interface: String,
    /// The methods that may be called.
    pub methods: Vec<String>,
    /// The signals that arrive.
    pub signals: Vec<String>,
    /// The properties that may be read.
    pub properties: Vec<String>,
    /// The properties that may be set. Some of them cannot be read.
    #[serde(default)]
    pub writable: Vec<String>,
}

/// What a word in `portals.allow` stands for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "PortalFile")]
pub struct Portal {
    /// The word.
    pub word: String,
    /// What people call it.
    pub name: String,
    /// What an application can do by it, in one sentence.
    pub summary: String,
    /// What the person risks, in one sentence.
    pub risk: String,
    /// How much that is.
    pub level: Level,
    /// Where the facts are from.
    pub facts: Facts,
    /// The release of xdg-desktop-portal that brought the interface.
    pub since: String,
    /// Words of which one must be granted too, for this one to be of any use.
    pub only_with: Vec<String>,
    /// The portal itself.
    pub object: Object,
    /// What else has to be open for its answers to be had.
    pub with: Vec<Object>,
    /// Its members that the release in Debian 12 does not have, each with the
    /// release that brought it. They were only read.
    pub later: BTreeMap<String, String>,
}

impl Portal {
    /// Everything that the word opens.
    pub fn opens(&self) -> impl Iterator<Item = &Object> {
        std::iter::once(&self.object).chain(&self.with)
    }
}

/// A portal as its file has it: with the object's keys among its own, so that
/// a file is flat but for the rare parts. (serde's `flatten` would not refuse
/// unknown keys.)
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PortalFile {
    #[serde(rename = "schema")]
    _schema: Schema,
    word: String,
    name: String,
    summary: String,
    risk: String,
    level: Level,
    facts: Facts,
    since: String,
    #[serde(default)]
    only_with: Vec<String>,
    bus: String,
    path: String,
    interface: String,
    methods: Vec<String>,
    signals: Vec<String>,
    properties: Vec<String>,
    #[serde(default)]
    with: Vec<Object>,
    #[serde(default)]
    later: BTreeMap<String, String>,
}

impl From<PortalFile> for Portal {
    fn from(file: PortalFile) -> Portal {
        Portal {
            word: file.word,
            name: file.name,
            summary: file.summary,
            risk: file.risk,
            level: file.level,
            facts: file.facts,
            since: file.since,
            only_with: file.only_with,
            object: Object {
                bus: file.bus,
                path: file.path,
                interface: file.interface,
                methods: file.methods,
                signals: file.signals,
                properties: file.properties,
                writable: Vec::new(),
            },
            with: file.with,
            later: file.later,
        }
    }
}

/// What a word for a service that is no portal stands for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    #[serde(rename = "schema")]
    _schema: Schema,
    /// The word.
    pub word: String,
    /// What people call it.
    pub name: String,
    /// What an application can do by it, in one sentence.
    pub summary: String,
    /// What the person risks, in one sentence.
    pub risk: String,
    /// How much that is.
    pub level: Level,
    /// Where the facts are from.
    pub facts: Facts,
    /// The names that the application may own. With `*` behind it, all names
    /// that start so: some programs put their process id into a name behind a
    /// hyphen, where a subtree of names does not reach.
    #[serde(default)]
    pub own: Vec<String>,
    /// What may be called, and what is heard.
    #[serde(default)]
    pub opens: Vec<Object>,
}

/// The number of the format. It is looked at, so that a file of a later format
/// is refused and not half understood, and then has nothing more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
struct Schema;

impl TryFrom<u32> for Schema {
    type Error = String;

    fn try_from(number: u32) -> Result<Schema, String> {
        match number {
            1 => Ok(Schema),
            other => Err(format!("this pinfold reads schema 1, not {other}")),
        }
    }
}

/// One file of the catalogue.
struct File<T: 'static> {
    word: &'static str,
    text: &'static str,
    read: OnceLock<T>,
}

impl<T: DeserializeOwned> File<T> {
    /// What is in it.
    fn get(&'static self) -> &'static T {
        self.read.get_or_init(|| {
            toml::from_str(self.text)
                .unwrap_or_else(|error| panic!("the catalogue's {}: {error}", self.word))
        })
    }
}

macro_rules! files {
    ($folder:literal, $($word:literal,)+) => {
        [$(File {
            word: $word,
            text: include_str!(concat!("../../portals/", $folder, $word, ".toml")),
            read: OnceLock::new(),
        },)+]
    };
}

static PORTALS: [File<Portal>; portal::PORTALS.len()] = files![
    "",
    "account",
    "background",
    "camera",
    "clipboard",
    "documents",
    "dynamic-launcher",
    "email",
    "file-chooser",
    "game-mode",
    "global-shortcuts",
    "inhibit",
    "input-capture",
    "location",
    "memory-monitor",
    "network-monitor",
    "notification",
    "open-uri",
    "power-profile",
    "print",
    "proxy-resolver",
    "realtime",
    "registry",
    "remote-desktop",
    "screencast",
    "screenshot",
    "secret",
    "settings",
    "trash",
    "usb",
    "wallpaper",
];

static SERVICES: [File<Service>; portal::SERVICES.len()] = files![
    "services/",
    "dconf",
    "gamemode",
    "input-method",
    "mpris",
    "notifications",
    "secrets",
    "tray",
];

/// What a word for a portal stands for.
pub fn portal(word: &str) -> Option<&'static Portal> {
    PORTALS.iter().find(|file| file.word == word).map(File::get)
}

/// Every word for a portal. Reads nothing.
pub fn words() -> impl Iterator<Item = &'static str> {
    portal::PORTALS.into_iter()
}

/// What a word for a service stands for.
pub fn service(word: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|file| file.word == word).map(File::get)
}

/// Every word for a service. Reads nothing.
pub fn service_words() -> impl Iterator<Item = &'static str> {
    portal::SERVICES.into_iter()
}
