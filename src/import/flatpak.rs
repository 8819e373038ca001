//! Flatpak's metadata and overrides: key files with the same groups. What an
//! application has without asking is stated for metadata; an override states
//! only the difference.

mod files;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::app_id::AppId;
use crate::report::Diagnostic;

use super::bus::{self, Bus, Policy};
use super::draft::{Draft, check, quoted};
use super::keyfile::{self, Pair};
use super::report::{Finding, Report};
use super::text::Text;
use super::{Format, Read, id_of};

/// One item of a list of sockets, devices and the like.
struct Item {
    /// As it was written.
    text: String,
    /// Whether it takes something back.
    negated: bool,
    name: String,
    /// The condition behind `if:NAME:`.
    condition: Option<String>,
}

impl Item {
    fn parse(text: &str) -> Item {
        let (negated, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let conditional = rest.strip_prefix("if:").and_then(|rest| rest.split_once(':'));
        let (name, condition) = match conditional {
            Some((name, condition)) => (name, Some(condition.to_owned())),
            None => (rest, None),
        };
        Item { text: text.to_owned(), negated, name: name.to_owned(), condition }
    }
}

struct Reading {
    draft: Draft,
    report: Report,
    id: Option<AppId>,
    /// Whether the file is about an application, and not a difference.
    is_whole: bool,
    /// Variables that the application is not to have.
    unset: BTreeSet<String>,
}

/// Reads a metadata or override file.
pub fn read(text: &Text, file: &str) -> Result<Read, Diagnostic> {
    let pairs = keyfile::parse(text)?;
    let is_whole =
        pairs.iter().any(|pair| matches!(pair.group.as_str(), "Application" | "Runtime"));
    let unset = pairs
        .iter()
        .filter(|pair| pair.group == "Context" && pair.key == "unset-environment")
        .flat_map(Pair::items)
        .collect();
    let mut reading =
        Reading { draft: Draft::default(), report: Report::new(file), id: None, is_whole, unset };
    // GLib takes the last of several equal keys.
    let mut last: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (at, pair) in pairs.iter().enumerate() {
        last.insert((&pair.group, &pair.key), at);
    }
    for (at, pair) in pairs.iter().enumerate() {
        if last[&(pair.group.as_str(), pair.key.as_str())] == at {
            reading.pair(pair);
        } else {
            let moot = Finding::moot("a later line states the same key anew");
            reading.report.add(&pair.place, statement(pair), moot);
        }
    }
    if is_whole {
        reading.unsaid();
    }
    let id = match (reading.id, is_whole) {
        (None, false) => override_of(file),
        (id, _) => id,
    };
    Ok(Read { id, draft: reading.draft, report: reading.report })
}

/// Override files are named by the application's id.
fn override_of(file: &str) -> Option<AppId> {
    file.rsplit('/').next().and_then(|name| name.parse().ok())
}

fn statement(pair: &Pair) -> String {
    format!("{}={}", pair.key, pair.value)
}

impl Reading {
    fn add(&mut self, pair: &Pair, finding: Finding) {
        self.report.add(&pair.place, statement(pair), finding);
    }

    fn pair(&mut self, pair: &Pair) {
        match pair.group.as_str() {
            "Application" => self.application(pair),
            "Context" => self.context(pair),
            "Session Bus Policy" => self.policy(pair, Bus::Session),
            "System Bus Policy" => self.policy(pair, Bus::System),
            "Environment" => self.environment(pair),
            "USB Devices" => self.add(
                pair,
                if pair.key == "hidden-devices" {
                    Finding::exact("no USB device is shown")
                } else {
                    Finding::no_grant("this version shows no USB devices")
                },
            ),
            group
                if group.starts_with("Extension") || group == "Extra Data" || group == "Build" =>
            {
                self.add(
                    pair,
                    Finding::moot("it is about the bundle, and programs here have none"),
                );
            }
            "Runtime" => self.add(pair, Finding::moot("it is about a runtime; there is none here")),
            "Instance" => self.add(pair, Finding::moot("it is about one run of the application")),
            group if group.starts_with("Policy ") => {
                self.add(pair, Finding::no_grant("a policy of a subsystem that is not known here"));
            }
            "X-DConf" => self.add(
                pair,
                Finding::no_grant(
                    "settings are not carried over; the application begins with its own",
                ),
            ),
            _ => self.add(pair, Finding::no_grant("the group is not known here")),
        }
    }

    fn application(&mut self, pair: &Pair) {
        let finding = match pair.key.as_str() {
            "name" => match pair.text().parse() {
                Ok(id) => {
                    self.id = Some(id);
                    Finding::exact("the same id")
                }
                Err(_) => {
                    self.id = id_of(Format::Flatpak, &pair.text());
                    Finding::near("it is no id here; one was made from it")
                }
            },
            "command" => {
                let text = pair.text();
                let program = text.rsplit('/').next().unwrap_or_default().trim();
                let value = format!("[{}]", quoted(program));
                match check("command", &value, false) {
                    Ok(()) => {
                        self.draft.set("command", value, &pair.place);
                        Finding::near(
                            "the system's program of this name is run, and not the bundle's",
                        )
                    }
                    Err(why) => Finding::no_grant(format!("it names no program: {why}")),
                }
            }
            "runtime" | "sdk" | "base" => {
                Finding::moot("there is no runtime: the system's programs and libraries are used")
            }
            _ => Finding::moot("it is about the bundle, and programs here have none"),
        };
        self.add(pair, finding);
    }

    fn context(&mut self, pair: &Pair) {
        match pair.key.as_str() {
            "filesystems" => files::read(self, pair),
            "persistent" => {
                let kept = "the application's own home keeps it, as it keeps all";
                self.each(pair, |_, _| Finding::exact(kept));
            }
            "unset-environment" => self.each(pair, |_, _| {
                Finding::near(
                    "only the variables of a short list reach the application; \
                     one on that list cannot be taken from it",
                )
            }),
            "shared" | "sockets" | "devices" | "features" => {
                let items: Vec<Item> = pair.items().iter().map(|item| Item::parse(item)).collect();
                for item in &items {
                    let finding = self.item(pair, &items, item);
                    self.report.add(&pair.place, format!("{}={}", pair.key, item.text), finding);
                }
                self.nothing(pair, items.is_empty());
            }
            _ => self.add(pair, Finding::no_grant("the key is not known here")),
        }
    }

    /// A list without items states nothing.
    fn nothing(&mut self, pair: &Pair, is_empty: bool) {
        if is_empty {
            self.add(pair, Finding::exact("it states nothing"));
        }
    }

    /// Files one finding for each item.
    fn each(&mut self, pair: &Pair, judge: impl Fn(&mut Draft, &str) -> Finding) {
        let items = pair.items();
        for item in &items {
            let finding = judge(&mut self.draft, item);
            self.report.add(&pair.place, format!("{}={item}", pair.key), finding);
        }
        self.nothing(pair, items.is_empty());
    }

    fn item(&mut self, pair: &Pair, items: &[Item], item: &Item) -> Finding {
        let later = items
            .iter()
            .skip_while(|other| !std::ptr::eq(*other, item))
            .skip(1)
            .any(|other| other.name == item.name && other.condition.is_none());
        if later && item.condition.is_none() {
            return Finding::moot("the same name stands again in this line");
        }
        let conditional = items
            .iter()
            .any(|other| other.name == item.name && other.condition.is_some() && !other.negated);
        if conditional && item.condition.is_none() && !item.negated {
            return Finding::moot("only older versions of Flatpak read it; the condition counts");
        }
        let is_fallback = item.name == "x11" && item.condition.as_deref() == Some("!has-wayland");
        if item.condition.is_some() && !is_fallback {
            return Finding::no_grant("such a condition cannot be stated here");
        }
        match pair.key.as_str() {
            "shared" => self.shared(pair, item),
            "sockets" => self.socket(pair, items, item),
            "devices" => self.device(pair, item),
            _ => self.feature(pair, item),
        }
    }

    fn shared(&mut self, pair: &Pair, item: &Item) -> Finding {
        let (draft, place) = (&mut self.draft, &pair.place);
        match (item.name.as_str(), item.negated) {
            ("network", negated) => {
                let mode = if negated { "none" } else { "host" };
                draft.set("network.mode", quoted(mode), place);
                Finding::exact("the same network")
            }
            ("ipc", false) => Finding::no_grant(
                "no application shares the memory segments and semaphores of the session",
            ),
            ("ipc", true) => Finding::exact("no application shares them"),
            (_, true) => Finding::exact("nothing of this name is granted"),
            (_, false) => Finding::no_grant("the name is not known here"),
        }
    }

    fn socket(&mut self, pair: &Pair, items: &[Item], item: &Item) -> Finding {
        let (draft, place) = (&mut self.draft, &pair.place);
        let fallback = items.iter().rfind(|other| other.name == "fallback-x11");
        let fallback = fallback.is_some_and(|other| !other.negated);
        match (item.name.as_str(), item.negated) {
            ("x11", false) if fallback || item.condition.is_some() => {
                draft.set("display.x11", quoted("fallback"), place);
                Finding::exact("X11 only where there is no Wayland")
            }
            ("x11", negated) => {
                let fallen = negated && fallback;
                let mode = if fallen {
                    "fallback"
                } else if negated {
                    "never"
                } else {
                    "shared"
                };
                draft.set("display.x11", quoted(mode), place);
                Finding::exact("the same socket")
            }
            ("fallback-x11", false) => {
                draft.set("display.x11", quoted("fallback"), place);
                Finding::exact("X11 only where there is no Wayland")
            }
            ("fallback-x11", true) => {
                if !draft.states("display.x11") {
                    draft.set("display.x11", quoted("never"), place);
                }
                Finding::exact("no X11 as a fallback")
            }
            ("wayland", negated) => {
                draft.set("display.wayland", (!negated).to_string(), place);
                Finding::exact("the same socket")
            }
            ("pulseaudio", true) => {
                draft.set("audio.playback", "false", place);
                draft.set("audio.record", "false", place);
                Finding::exact("no sound")
            }
            ("pulseaudio", false) => {
                draft.set("audio.playback", "true", place);
                Finding::less(
                    "the sound server is reached, which lets it record too; \
                     the sound devices themselves are not",
                )
            }
            ("session-bus", false) => bus::whole_session(draft, place),
            (_, true) => Finding::exact("it is not granted"),
            ("system-bus", false) => Finding::no_grant(
                "no bus can be granted whole; name what is needed under [bus.system]",
            ),
            ("ssh-auth" | "gpg-agent", false) => {
                Finding::no_grant("this version reaches no agents")
            }
            ("cups" | "pcsc", false) => {
                Finding::no_grant("this version reaches no printers and no smart cards")
            }
            _ => Finding::no_grant("no such socket is known here"),
        }
    }

    fn device(&mut self, pair: &Pair, item: &Item) -> Finding {
        let place = &pair.place;
        match (item.name.as_str(), item.negated) {
            ("dri", false) => {
                self.draft.push("devices.allow", quoted("gpu"), place);
                Finding::exact("the devices of graphics processors")
            }
            ("kvm", false) => {
                self.draft.push("devices.allow", quoted("kvm"), place);
                Finding::exact("the same device")
            }
            ("all", false) => {
                self.draft.push("devices.allow", quoted("gpu"), place);
                self.draft.push("devices.allow", quoted("kvm"), place);
                Finding::less("of all devices those that this version can show: gpu, kvm")
            }
            (_, true) if self.is_whole => Finding::exact("it is not granted"),
            (_, true) => {
                self.draft.empty("devices.allow");
                Finding::less("all devices of lower layers are taken back, not only this kind")
            }
            ("shm", false) => Finding::no_grant("every application has a /dev/shm of its own"),
            _ => Finding::no_grant("this version shows no such devices"),
        }
    }

    fn feature(&mut self, pair: &Pair, item: &Item) -> Finding {
        let place = &pair.place;
        match (item.name.as_str(), item.negated) {
            ("devel" | "multiarch" | "bluetooth" | "canbus", false) => {
                self.draft.push("syscalls.allow", quoted(&item.name), place);
                Finding::exact("the same group of system calls")
            }
            ("per-app-dev-shm", false) => {
                Finding::exact("every application has a /dev/shm of its own")
            }
            (_, true) if self.is_whole => Finding::exact("it is not granted"),
            (_, true) => {
                self.draft.empty("syscalls.allow");
                Finding::less("all groups of lower layers are taken back, not only this one")
            }
            _ => Finding::no_grant("the feature is not known here"),
        }
    }

    fn policy(&mut self, pair: &Pair, bus: Bus) {
        let (draft, place) = (&mut self.draft, &pair.place);
        let finding = match pair.text().as_str() {
            "own" => {
                // Who may own a name may talk to it as well.
                bus::name(draft, bus, &pair.key, Policy::Own, place)
            }
            "talk" => bus::name(draft, bus, &pair.key, Policy::Talk, place),
            "see" => bus::name(draft, bus, &pair.key, Policy::See, place),
            "none" if self.is_whole => Finding::exact("it is not granted"),
            "none" => Finding::no_limit(
                "a single name of a lower layer cannot be taken back; \
                 state the whole list in its place",
            ),
            _ => Finding::no_grant("the policy is not known here"),
        };
        self.add(pair, finding);
    }

    fn environment(&mut self, pair: &Pair) {
        let value = pair.text();
        let finding = if self.unset.contains(&pair.key) {
            Finding::moot("unset-environment takes it back")
        } else {
            variable(&mut self.draft, &pair.key, &value, &pair.place)
        };
        self.add(pair, finding);
    }

    /// What every Flatpak application has, and what none has.
    fn unsaid(&mut self) {
        let place = super::report::Place { file: self.report.file.clone(), line: 0 };
        let portals = bus::portals(&mut self.draft, &place);
        self.report.unsaid("portals", portals);
        self.draft.set("accessibility.enabled", "true", &place);
        self.report.unsaid(
            "accessibility",
            Finding::exact("screen readers and their like can use its windows"),
        );
        self.report.unsaid(
            "runtime",
            Finding::near("it sees the system's programs and libraries in place of a runtime's"),
        );
        self.report.unsaid(
            "system calls",
            Finding::less("all that Flatpak's filter refuses is refused, and more"),
        );
    }
}

/// States a variable; tells whether that is possible.
pub fn variable(
    draft: &mut Draft,
    name: &str,
    value: &str,
    place: &super::report::Place,
) -> Finding {
    if name == "WAYLAND_SOCKET" {
        return Finding::no_grant("it would name an open descriptor of the caller");
    }
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Finding::no_grant("a variable's name has letters, digits and _");
    }
    draft.name("environment.set", name, quoted(value), place);
    Finding::exact("the same variable")
}
