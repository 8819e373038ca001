//! The filter's verdicts over whole conversations, beside a model that keeps
//! its own books: what the client may name, which calls are open, who waits
//! for it.
//!
//! Held are the promises of the module's first page. To the bus go, after one
//! Hello, only calls and signals to names that are allowed, methods of the
//! table there, plain match rules, and replies that a peer waits for. To the
//! client go only replies to its own open calls, from whom it called and once
//! each; what is meant for it; and what allowed names tell everybody. All
//! messages on either side can be read.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use pinfold::model::bus::BusName;
use pinfold::proxy::decide::{Verdict, Writer};
use pinfold::proxy::rules::{Level, Rule, Rules, Way};
use pinfold::proxy::session::{Onward, Session};
use pinfold::proxy::wire::{self, Argument, Draft, Endian, Kind, Message};
use pinfold::proxy::{BUS, matching};

use super::draw::Draw;

const OWN: &str = ":1.9";
const PEERS: [&str; 6] = [":1.1", ":1.2", ":1.3", OWN, BUS, ":1.99"];
const SERVICES: [&str; 8] = ["a.b", "a.b.c", "a.b.c.d", "a.bc", "x.y", "x.y.z", "q.q", BUS];
const PATTERNS: [&str; 8] = ["a.b", "a.b.*", "a.b.c", "a.b.c.*", "x.y", "x.y.*", "a.bc", "a.b.c.d"];
const SINGLE: [&str; 6] = ["a.I.M@/p", "a.I.*", "*@/p/*", "a.I.M#a.b", "@/", "*"];
const PATHS: [&str; 4] = ["/p", "/p/q", "/", "/org/freedesktop/DBus"];
const INTERFACES: [&str; 5] = [
    "a.I",
    BUS,
    "org.freedesktop.DBus.Peer",
    "org.freedesktop.DBus.Introspectable",
    "org.freedesktop.DBus.Properties",
];
const MEMBERS: [&str; 20] = [
    "M",
    "Hello",
    "Ping",
    "Introspect",
    "AddMatch",
    "RemoveMatch",
    "ListNames",
    "ListActivatableNames",
    "GetNameOwner",
    "NameHasOwner",
    "StartServiceByName",
    "RequestName",
    "ReleaseName",
    "ListQueuedOwners",
    "GetConnectionCredentials",
    "NameOwnerChanged",
    "UpdateActivationEnvironment",
    "BecomeMonitor",
    "GetId",
    "NameAcquired",
];
const MATCHES: [&str; 3] = ["type='signal'", "eavesdrop=true", "type=signal, member=M"];

pub fn holds(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let mut model = Model::new(&mut draw);
    let mut session = Session::new(Rc::clone(&model.rules), model.sloppy);
    for _ in 0..200 {
        if draw.is_over() {
            return;
        }
        let bytes = message(&mut draw, &model);
        let message = Message::read(&bytes).expect("a message");
        // The relay lets the client wait while names are listed.
        if draw.flag() && !session.is_listing() {
            if !model.client_writes(&mut session, &message, &bytes) {
                return;
            }
        } else {
            model.bus_writes(&mut session, &message, &bytes);
        }
    }
}

/// A message out of the pools.
fn message(draw: &mut Draw<'_>, model: &Model) -> Vec<u8> {
    let form = draw.byte();
    let name = |draw: &mut Draw<'_>| {
        if draw.flag() { draw.pick(&PEERS) } else { draw.pick(&SERVICES) }
    };
    let kind = [Kind::Call, Kind::Signal, Kind::Return, Kind::Error][usize::from(form & 3)];
    let is_reply = matches!(kind, Kind::Return | Kind::Error);
    let open: Vec<u32> = model.open.keys().chain(model.ours.keys()).copied().collect();
    let reply_serial = if form & 4 == 4 && !open.is_empty() {
        open[draw.below(open.len().min(256))]
    } else {
        u32::from(draw.byte() % 12) + 1
    };
    let (destination, sender) = (name(draw), name(draw));
    let texts = [name(draw), name(draw), name(draw)];
    let argument = match draw.below(8) {
        0 => Argument::Nothing,
        1 => Argument::Texts(&texts),
        2 => Argument::Text(draw.pick(&MATCHES)),
        3 => Argument::Truth(true),
        _ => Argument::Text(texts[0]),
    };
    let draft = Draft {
        kind,
        flags: draw.byte() & 3,
        serial: u32::from(draw.byte() % 8) + 1,
        path: Some(draw.pick(&PATHS)),
        interface: Some(draw.pick(&INTERFACES)),
        member: Some(draw.pick(&MEMBERS)),
        error_name: Some("a.E"),
        reply_serial: (is_reply || form & 0x18 == 0x18).then_some(reply_serial),
        destination: (form & 0x20 == 0).then_some(destination),
        sender: (form & 0x40 == 0).then_some(sender),
        argument,
    };
    let bytes = draft.write();
    match (argument, form & 0x80, draft.member) {
        (Argument::Text(text), 0x80, Some("NameOwnerChanged")) => {
            further(bytes, "sss", &[text, texts[1], if draw.flag() { "" } else { texts[2] }])
        }
        (Argument::Text(text), 0x80, _) => further(bytes, "su", &[text]),
        _ => bytes,
    }
}

/// The message with another body: these texts, and a number if the signature
/// ends in one.
fn further(mut bytes: Vec<u8>, signature: &str, texts: &[&str]) -> Vec<u8> {
    let number = |at: usize, bytes: &[u8]| {
        u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
    };
    // The signature of one text is the last field, and ends it: 1, s, 0.
    let end = wire::FIXED_PART + number(12, &bytes) - 3;
    bytes.truncate(end);
    bytes.push(signature.len() as u8);
    bytes.extend_from_slice(signature.as_bytes());
    bytes.push(0);
    let fields = (bytes.len() - wire::FIXED_PART) as u32;
    wire::patch(&mut bytes, 12, Endian::Little, fields);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let start = bytes.len();
    for text in texts {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
    }
    if signature.ends_with('u') {
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend_from_slice(&4u32.to_le_bytes());
    }
    let body = (bytes.len() - start) as u32;
    wire::patch(&mut bytes, 4, Endian::Little, body);
    bytes
}

/// A call of the client that waits for its reply.
struct Open {
    serial: u32,
    to: Option<String>,
    is_hello: bool,
    lists_names: bool,
}

/// What the filter has to know, kept by other code than the filter's.
struct Model {
    rules: Rc<Rules>,
    sloppy: bool,
    levels: Vec<(BusName, Level)>,
    single: Vec<(BusName, Way, Rule)>,
    own: Option<String>,
    /// Peers that the client has heard of, and the names that each has owned.
    peers: BTreeMap<String, BTreeSet<String>>,
    /// The client's open calls, by their serial on the bus.
    open: BTreeMap<u32, Open>,
    /// The filter's own, and the name that was asked about.
    ours: BTreeMap<u32, String>,
    awaited: Vec<(String, u32)>,
    greeted: bool,
}

fn covers(pattern: &BusName, name: &str) -> bool {
    let rest = name.strip_prefix(pattern.name.as_str());
    rest.is_some_and(|rest| rest.is_empty() || (pattern.subtree && rest.starts_with('.')))
}

impl Model {
    fn new(draw: &mut Draw<'_>) -> Model {
        let mut rules = Rules::default();
        let (mut levels, mut single) = (Vec::new(), Vec::new());
        for _ in 0..draw.below(5) {
            let name = BusName::parse(draw.pick(&PATTERNS)).expect("a name");
            let level = draw.pick(&[Level::See, Level::Talk, Level::Own]);
            rules.set_level(&name, level);
            levels.push((name, level));
        }
        for _ in 0..draw.below(4) {
            let name = BusName::parse(draw.pick(&PATTERNS)).expect("a name");
            let way = draw.pick(&[Way::Call, Way::Broadcast]);
            let rule = Rule::parse(draw.pick(&SINGLE)).expect("a rule");
            rules.add_rule(&name, way, rule.clone());
            single.push((name, way, rule));
        }
        Model {
            rules: Rc::new(rules),
            sloppy: draw.flag(),
            levels,
            single,
            own: None,
            peers: BTreeMap::new(),
            open: BTreeMap::new(),
            ours: BTreeMap::new(),
            awaited: Vec::new(),
            greeted: false,
        }
    }

    fn level(&self, name: &str) -> Level {
        if name == BUS || self.own.as_deref() == Some(name) {
            return Level::Talk;
        }
        if let Some(owned) = self.peers.get(name) {
            return owned.iter().map(|name| self.level(name)).fold(Level::See, Level::max);
        }
        let stated = self.levels.iter().filter(|(pattern, _)| covers(pattern, name));
        let stated = stated.map(|(_, level)| *level).max().unwrap_or_default();
        let is_named = self.single.iter().any(|(pattern, ..)| covers(pattern, name));
        if is_named { stated.max(Level::Talk) } else { stated }
    }

    fn allows(&self, name: &str, way: Way, message: &Message<'_>) -> bool {
        if self.own.as_deref() == Some(name) {
            return true;
        }
        if name.starts_with(':') {
            let owned = self.peers.get(name).into_iter().flatten();
            return owned.into_iter().any(|name| self.allows(name, way, message));
        }
        let level =
            |(pattern, level): &(BusName, Level)| covers(pattern, name) && *level >= Level::Talk;
        let rule = |(pattern, of, rule): &(BusName, Way, Rule)| {
            covers(pattern, name) && *of == way && rule.fits(message)
        };
        self.levels.iter().any(level) || self.single.iter().any(rule)
    }

    /// Hands in a message of the client. Gives whether the connection goes on.
    fn client_writes(
        &mut self,
        session: &mut Session,
        message: &Message<'_>,
        bytes: &[u8],
    ) -> bool {
        let verdict = session.decide(Writer::Client, message);
        assert_eq!(session.decide(Writer::Client, message), verdict, "a verdict changes nothing");
        let closes = matches!(verdict, Verdict::Close(_));
        let Ok(outcome) = session.client_wrote(message, verdict) else {
            assert!(closes);
            return false;
        };
        let passed = onward(outcome.onward, bytes);
        if let Some(back) = outcome.back {
            assert!(passed.is_none() && message.wants_reply());
            let back = Message::read(&back).expect("an answer");
            assert!(matches!(back.kind, Kind::Return | Kind::Error));
            assert_eq!(back.reply_serial.map(|reply| reply.serial), Some(message.serial));
            assert_eq!(back.sender, Some(BUS));
            self.hides(message, &back);
        } else if passed.is_none() {
            assert!(!message.wants_reply(), "nobody answers {message:?}");
        }
        if let Some(passed) = passed {
            self.sent(message, &Message::read(&passed).expect("a message to the bus"));
        }
        self.asked(outcome.asked);
        true
    }

    /// Who calls a hidden name is told what the bus says of names that do not
    /// exist.
    fn hides(&self, message: &Message<'_>, back: &Message<'_>) {
        let Some(peer) = message.destination else { return };
        if self.level(peer) == Level::Hidden && message.reply_serial.is_none() {
            let (name, text) = match back.error_name {
                Some("org.freedesktop.DBus.Error.ServiceUnknown") => {
                    ("", format!("The name {peer} was not provided by any .service files"))
                }
                other => (
                    other.unwrap_or_default(),
                    format!("Could not get owner of name '{peer}': no such name"),
                ),
            };
            assert!(matches!(name, "" | "org.freedesktop.DBus.Error.NameHasNoOwner"), "{name}");
            assert_eq!(back.texts(), Some([text.as_str()]));
        }
    }

    /// A message of the client goes to the bus.
    fn sent(&mut self, written: &Message<'_>, message: &Message<'_>) {
        let taken = self.open.contains_key(&message.serial);
        assert!(!taken && !self.ours.contains_key(&message.serial), "{message:?}");
        let said_hello = message.interface == Some(BUS) && message.member == Some("Hello");
        assert_eq!(self.greeted, !(said_hello && message.destination == Some(BUS)));
        self.greeted = true;
        match (message.kind, message.destination) {
            (Kind::Return | Kind::Error, peer) => {
                let serial = message.reply_serial.expect("a reply").serial;
                let call = self
                    .awaited
                    .iter()
                    .position(|(waits, call)| Some(waits.as_str()) == peer && *call == serial);
                self.awaited.remove(call.unwrap_or_else(|| panic!("nobody waits: {message:?}")));
                return;
            }
            (Kind::Call, None | Some(BUS)) => self.method(message),
            (Kind::Signal, None) => {}
            (Kind::Signal, Some(BUS)) => panic!("a signal to the bus: {message:?}"),
            (Kind::Call | Kind::Signal, Some(peer)) => {
                assert!(self.level(peer) > Level::Hidden, "{peer} is hidden: {message:?}");
                assert!(self.allows(peer, Way::Call, message), "{message:?}");
            }
        }
        assert_eq!(message.reply_serial, None, "{message:?}");
        if message.wants_reply() {
            let serial = written.serial;
            assert!(self.open.values().all(|open| open.serial != serial), "{serial} is open");
            let to = message.destination.map(str::to_owned);
            let member = message.member.unwrap_or_default();
            let of_bus =
                matches!(message.destination, None | Some(BUS)) && message.interface == Some(BUS);
            let open = Open {
                serial,
                to,
                is_hello: of_bus && member == "Hello",
                lists_names: of_bus && ["ListNames", "ListActivatableNames"].contains(&member),
            };
            self.open.insert(message.serial, open);
        }
    }

    /// A call of a method of the bus.
    fn method(&self, message: &Message<'_>) {
        let member = message.member.unwrap_or_default();
        let needed = match (message.interface, member) {
            (Some("org.freedesktop.DBus.Peer"), "Ping") if message.destination.is_none() => return,
            (Some("org.freedesktop.DBus.Introspectable"), "Introspect") => return,
            (Some(BUS), "Hello" | "GetId" | "ListNames" | "ListActivatableNames") => return,
            (Some(BUS), "AddMatch" | "RemoveMatch") => {
                let [rule] = message.texts().expect("a rule");
                assert_eq!(matching::rewrite(rule).as_deref(), Ok(rule));
                return;
            }
            (Some(BUS), "NameHasOwner" | "GetNameOwner" | "GetConnectionCredentials") => Level::See,
            (Some(BUS), "StartServiceByName") => Level::Talk,
            (Some(BUS), "RequestName" | "ReleaseName" | "ListQueuedOwners") => Level::Own,
            _ => panic!("not for the client: {message:?}"),
        };
        let name = message.first_text().expect("a name");
        assert!(self.level(name) >= needed, "{member} of {name}");
    }

    /// The filter asks the bus.
    fn asked(&mut self, asked: Vec<Vec<u8>>) {
        for bytes in asked {
            let message = Message::read(&bytes).expect("a question");
            assert_eq!((message.destination, message.interface), (Some(BUS), Some(BUS)));
            let member = message.member.unwrap_or_default();
            assert!(["AddMatch", "GetNameOwner", "ListNames"].contains(&member), "{member}");
            if message.wants_reply() {
                let about = message.first_text().unwrap_or_default().to_owned();
                assert!(!self.open.contains_key(&message.serial));
                assert!(self.ours.insert(message.serial, about).is_none());
            }
        }
    }

    /// Hands in a message from the bus.
    fn bus_writes(&mut self, session: &mut Session, message: &Message<'_>, bytes: &[u8]) {
        let verdict = session.decide(Writer::Bus, message);
        let outcome = session.bus_wrote(message, verdict);
        assert_eq!(outcome.back, None);
        let passed = onward(outcome.onward, bytes);
        let reply = message.reply_serial.map_or(0, |reply| reply.serial);
        let is_reply = matches!(message.kind, Kind::Return | Kind::Error);
        let of_bus = matches!(message.sender, None | Some(BUS));
        if is_reply && of_bus && self.ours.contains_key(&reply) {
            assert_eq!(passed, None, "the client hears what it did not ask");
            let about = self.ours.remove(&reply).unwrap_or_default();
            if let Some([owner]) = message.texts()
                && message.kind == Kind::Return
                && !about.is_empty()
            {
                self.learn(owner, Some(&about));
            }
        } else if is_reply {
            let due = self.open.get(&reply).is_some_and(|open| match open.to.as_deref() {
                None | Some(BUS) => of_bus,
                Some(peer) if peer.starts_with(':') => {
                    message.sender == Some(peer) || message.sender == Some(BUS)
                }
                Some(_) => message.sender.is_some(),
            });
            assert_eq!(passed.is_some(), due, "{message:?}");
        }
        if let Some(passed) = passed {
            self.heard(message, &Message::read(&passed).expect("a message to the client"));
        }
        self.asked(outcome.asked);
    }

    /// A message from the bus goes to the client.
    fn heard(&mut self, written: &Message<'_>, message: &Message<'_>) {
        let is_own = |name: &str| {
            self.own.as_deref().is_some_and(|own| {
                own == name || (!name.starts_with(':') && self.level(name) == Level::Own)
            })
        };
        match message.kind {
            Kind::Return | Kind::Error => self.answered(written, message),
            Kind::Call => {
                assert!(message.destination.is_some_and(is_own), "{message:?}");
                assert_eq!(message.reply_serial, None, "{message:?}");
            }
            Kind::Signal => {
                assert!(message.destination.is_none_or(is_own), "{message:?}");
                assert_eq!(message.reply_serial, None, "{message:?}");
                let sender = message.sender.expect("a sender");
                if sender == BUS {
                    if message.interface == Some(BUS) && message.member == Some("NameOwnerChanged")
                    {
                        let [name, ..] = message.texts::<3>().expect("three names");
                        let told = self.sloppy && name.starts_with(':');
                        assert!(told || self.level(name) >= Level::See, "{name}");
                    }
                } else if message.destination.is_none() {
                    assert!(self.allows(sender, Way::Broadcast, message), "{message:?}");
                }
            }
        }
        let Some(sender) = message.sender else { return };
        if sender == BUS
            && message.kind == Kind::Signal
            && message.interface == Some(BUS)
            && message.member == Some("NameOwnerChanged")
            && let Some([name, _, owner]) = message.texts()
        {
            match (name.starts_with(':'), owner.is_empty()) {
                (true, true) => drop(self.peers.remove(name)),
                (false, false) => self.learn(owner, Some(name)),
                _ => {}
            }
        }
        // A list of names is the filter's own text by then.
        if self.own.as_deref() != Some(sender) {
            self.learn(sender, None);
        }
        if message.wants_reply() {
            self.awaited.push((sender.to_owned(), message.serial));
        }
    }

    /// An open call of the client is answered.
    fn answered(&mut self, written: &Message<'_>, message: &Message<'_>) {
        let serial = written.reply_serial.expect("a reply").serial;
        let open = self.open.remove(&serial).expect("an open call");
        assert_eq!(message.reply_serial.map(|reply| reply.serial), Some(open.serial));
        assert_eq!(message.kind, written.kind);
        // An error is the bus's own word and no list.
        if open.lists_names && message.kind == Kind::Return {
            for name in message.text_list().into_iter().flatten() {
                assert!(self.level(name) >= Level::See, "{name} is listed");
            }
        }
        if open.is_hello
            && let Some([own]) = message.texts()
            && message.kind == Kind::Return
            && own.starts_with(':')
        {
            self.own = Some(own.to_owned());
        }
    }

    /// A peer is heard of, or a name of its own.
    fn learn(&mut self, unique: &str, name: Option<&str>) {
        if unique.starts_with(':') {
            self.peers.entry(unique.to_owned()).or_default().extend(name.map(str::to_owned));
        }
    }
}

/// The bytes that go on.
fn onward(onward: Onward, bytes: &[u8]) -> Option<Vec<u8>> {
    match onward {
        Onward::Itself(patch) => {
            let mut bytes = bytes.to_vec();
            if let Some((at, number)) = patch {
                wire::patch(&mut bytes, at, Endian::Little, number);
            }
            Some(bytes)
        }
        Onward::Instead(instead) => Some(instead),
        Onward::Nothing => None,
    }
}
