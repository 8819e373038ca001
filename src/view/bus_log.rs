//! What the filter before the buses refused, for the person who writes the
//! manifest: each thing once, with the line that would allow it.

use std::collections::BTreeSet;

use crate::catalogue;
use crate::model::plan::Bus;
use crate::proxy::BUS;
use crate::proxy::decide::{Answer, Verdict, Writer};
use crate::proxy::event::Event;
use crate::proxy::wire::{Kind, Message};
use crate::report::escape::safe;
use crate::resolve::bus;

/// How many different refusals of one bus are told. An application could make
/// up new ones for ever.
const MOST: usize = 500;

/// The methods of the bus that are about another name: what they ask of it.
const ABOUT: [(&str, &str); 7] = [
    ("StartServiceByName", "talk"),
    ("RequestName", "own"),
    ("ReleaseName", "own"),
    ("ListQueuedOwners", "own"),
    ("GetNameOwner", "see"),
    ("NameHasOwner", "see"),
    ("GetConnectionCredentials", "see"),
];

/// What has been told already of one bus.
pub struct BusLog {
    bus: Bus,
    told: BTreeSet<String>,
}

impl BusLog {
    /// Nothing told yet.
    pub fn new(bus: Bus) -> BusLog {
        BusLog { bus, told: BTreeSet::new() }
    }

    /// The lines for an event; none for one that is not news.
    pub fn tell(&mut self, event: &Event<'_>) -> Option<String> {
        let text = match event {
            Event::Judged(Writer::Client, message, verdict) if is_refused(verdict) => {
                self.refusal(message)
            }
            Event::Judged(..) => return None,
            Event::Ended(_) | Event::NoBus(_) | Event::Stranger(_) => {
                format!("{} bus: {event}\n", bus::name(self.bus))
            }
        };
        (self.told.len() < MOST && self.told.insert(text.clone())).then_some(text)
    }

    fn refusal(&self, message: &Message<'_>) -> String {
        let kind = match message.kind {
            Kind::Signal => "signal",
            _ => "call",
        };
        let to = message.destination.unwrap_or(BUS);
        let interface = message.interface.unwrap_or("*");
        let member = message.member.unwrap_or("*");
        let about = ABOUT.iter().find(|(method, _)| to == BUS && member == *method);
        let section = format!("[bus.{}]", bus::name(self.bus));
        let (what, hint) = match (about, message.first_text()) {
            (Some((method, key)), Some(name)) => {
                (format!("{method} of {name}"), self.hint_for_name(name, key, &section))
            }
            _ if to == BUS => (format!("{kind} of the bus: {member}"), String::new()),
            _ => (
                format!("{kind} to {to}: {interface}.{member}{}", at(message)),
                self.hint(message, to, interface, member, &section),
            ),
        };
        let mut text = format!("{} bus: refused {}\n", bus::name(self.bus), safe(&what));
        if !hint.is_empty() {
            text.push_str(&format!("    to allow it: {}\n", safe(&hint)));
        }
        text
    }

    /// The line that would make a name what it has to be. Of names that a word
    /// stands for the word is told: to talk to the portals' name is to have
    /// all of them.
    fn hint_for_name(&self, name: &str, key: &str, section: &str) -> String {
        let words = match self.bus {
            Bus::Session if key != "own" => words_on(name),
            _ => Vec::new(),
        };
        match words.as_slice() {
            [] => format!("{section} {key} = [\"{name}\"]"),
            [word] => word.clone(),
            [_, ..] => "[portals] allow = [...], with the words of those that are meant".to_owned(),
        }
    }

    /// The line that would allow a call: the word of a portal or a service
    /// where there is one, else a rule for this call alone.
    fn hint(
        &self,
        message: &Message<'_>,
        to: &str,
        interface: &str,
        member: &str,
        section: &str,
    ) -> String {
        // Properties are reached through an interface of their own, whose
        // first argument is the one that is meant.
        let meant = message.first_text().filter(|_| interface.ends_with(".Properties"));
        if self.bus == Bus::Session
            && let Some(word) = word_for(meant.unwrap_or(interface))
        {
            return word;
        }
        if to.starts_with(':') {
            return String::new();
        }
        format!("{section} call = [\"{to}={interface}.{member}{}\"]", at(message))
    }
}

fn at(message: &Message<'_>) -> String {
    message.path.map_or_else(String::new, |path| format!("@{path}"))
}

/// The words that open something on a bus name, each with its line.
fn words_on(name: &str) -> Vec<String> {
    if name == "org.a11y.Bus" {
        return vec!["[accessibility] enabled = true".to_owned()];
    }
    let portals = catalogue::words().filter_map(catalogue::portal);
    let portals = portals
        .filter(|portal| portal.object.bus == name)
        .map(|portal| format!("[portals] allow = [\"{}\"]", portal.word));
    let services = catalogue::service_words().filter_map(catalogue::service);
    let services = services
        .filter(|service| service.opens.iter().any(|object| object.bus == name))
        .map(|service| format!("[bus.session] services = [\"{}\"]", service.word));
    portals.chain(services).collect()
}

/// The word of the catalogue that opens an interface.
fn word_for(interface: &str) -> Option<String> {
    let portal = catalogue::words()
        .filter_map(catalogue::portal)
        .find(|portal| portal.object.interface == interface);
    if let Some(portal) = portal {
        return Some(format!("[portals] allow = [\"{}\"]", portal.word));
    }
    let service = catalogue::service_words()
        .filter_map(catalogue::service)
        .find(|service| service.opens.iter().any(|object| object.interface == interface));
    service.map(|service| format!("[bus.session] services = [\"{}\"]", service.word))
}

fn is_refused(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Drop(_) | Verdict::Close(_) => true,
        Verdict::Answer(answer) => match answer {
            Answer::ServiceUnknown(_)
            | Answer::NoOwner(_)
            | Answer::False
            | Answer::Denied
            | Answer::MatchRule(_)
            | Answer::Limit => true,
            Answer::Arguments | Answer::Greeted => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::wire::{Argument, Draft};

    fn told(log: &mut BusLog, to: &str, interface: &str, member: &str, first: &str) -> String {
        let bytes = Draft {
            path: Some("/a/b"),
            interface: Some(interface),
            destination: Some(to),
            ..Draft::bus_call(1, 0, member, Argument::Text(first))
        }
        .write();
        let message = Message::read(&bytes).unwrap();
        let verdict = Verdict::Answer(Answer::Denied);
        log.tell(&Event::Judged(Writer::Client, &message, &verdict)).unwrap_or_default()
    }

    #[test]
    fn each_refusal_is_told_once_with_the_line_that_allows_it() {
        let mut log = BusLog::new(Bus::Session);
        let portal = "org.freedesktop.portal.Desktop";
        let shot = "org.freedesktop.portal.Screenshot";
        let properties = "org.freedesktop.DBus.Properties";
        let tray = "org.kde.StatusNotifierWatcher";
        for (to, interface, member, first, hint) in [
            (portal, shot, "Screenshot", "", "[portals] allow = [\"screenshot\"]"),
            (portal, properties, "Get", shot, "[portals] allow = [\"screenshot\"]"),
            ("org.a.B", "org.a.I", "M", "x", "[bus.session] call = [\"org.a.B=org.a.I.M@/a/b\"]"),
            (BUS, BUS, "RequestName", "org.own.Me", "[bus.session] own = [\"org.own.Me\"]"),
            (BUS, BUS, "GetNameOwner", "org.see.It", "[bus.session] see = [\"org.see.It\"]"),
            (BUS, BUS, "StartServiceByName", "org.a11y.Bus", "[accessibility] enabled = true"),
            (BUS, BUS, "StartServiceByName", portal, "[portals] allow = [...]"),
            (BUS, BUS, "GetNameOwner", tray, "[bus.session] services = [\"tray\"]"),
            (BUS, BUS, "RequestName", portal, "[bus.session] own = [\"org.freedesktop.portal"),
        ] {
            let text = told(&mut log, to, interface, member, first);
            assert!(text.contains(hint), "{text}");
            assert_eq!(told(&mut log, to, interface, member, first), "");
        }
        assert!(!told(&mut log, ":1.5", "org.a.I", "M", "").contains("to allow it"));
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut log = BusLog::new(Bus::System);
        let count = (0..2 * MOST)
            .filter(|number| {
                !told(&mut log, "org.a.B", "org.a.I", &format!("M{number}"), "").is_empty()
            })
            .count();
        assert_eq!(count, MOST);
    }
}
