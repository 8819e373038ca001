use super::*;
use crate::model::bus::BusName;
use crate::proxy::calls::{Answerer, Open};
use crate::proxy::wire::{Argument, Draft, NO_REPLY_EXPECTED};

const OWN: &str = ":1.9";

/// A client that has said Hello, knows the owners of some names, has calls
/// open and is called.
struct World {
    rules: Rules,
    names: Names,
    calls: Calls,
    greeted: bool,
}

impl World {
    fn new() -> World {
        let mut rules = Rules::default();
        for (name, level) in
            [("a.see", Level::See), ("a.talk", Level::Talk), ("a.own.*", Level::Own)]
        {
            rules.set_level(&BusName::parse(name).unwrap(), level);
        }
        rules.add_text(Way::Call, "a.call=a.I.M@/p").unwrap();
        rules.add_text(Way::Broadcast, "a.cast=a.I.M@/p").unwrap();
        let mut names = Names::new(false);
        names.set_own(OWN);
        for (unique, name) in
            [(":1.1", "a.see"), (":1.2", "a.talk"), (":1.3", "a.call"), (":1.4", "a.cast")]
        {
            names.learn_owner(unique, name);
        }
        names.meet(":1.5");
        let mut calls = Calls::default();
        let open = |serial, destination, purpose| Open {
            serial,
            answerer: Answerer::of(Some(destination)),
            purpose,
        };
        calls.call(11, open(71, ":1.2", Purpose::Client));
        calls.call(12, open(72, BUS, Purpose::Names));
        calls.call(13, open(0, BUS, Purpose::AllNames));
        calls.call(14, open(0, BUS, Purpose::Owner("a.see".to_owned())));
        calls.await_client(":1.5", 55);
        World { rules, names, calls, greeted: true }
    }

    fn decide(&self, writer: Writer, bytes: &[u8]) -> Verdict {
        let World { rules, names, calls, greeted } = self;
        let view = View { rules, names, calls, greeted: *greeted };
        decide(view, writer, &Message::read(bytes).unwrap())
    }
}

/// A call of `a.I.M` at `/p`.
fn call(destination: &str) -> Draft<'_> {
    Draft {
        path: Some("/p"),
        interface: Some("a.I"),
        destination: (!destination.is_empty()).then_some(destination),
        ..Draft::bus_call(1, 0, "M", Argument::Nothing)
    }
}

/// A signal `a.I.M` at `/p`.
fn signal(destination: &str) -> Draft<'_> {
    Draft { kind: Kind::Signal, ..call(destination) }
}

fn reply(kind: Kind, destination: &str, reply_serial: u32) -> Draft<'_> {
    Draft {
        kind,
        sender: None,
        ..Draft::bus_reply(1, reply_serial, Some(destination), Some("a.E"), Argument::Nothing)
    }
}

fn bus(member: &'static str, argument: Argument<'static>) -> Draft<'static> {
    Draft::bus_call(1, 0, member, argument)
}

fn no_owner(name: &str) -> Verdict {
    Verdict::Answer(Answer::NoOwner(name.to_owned()))
}

fn unknown(name: &str) -> Verdict {
    Verdict::Answer(Answer::ServiceUnknown(name.to_owned()))
}

const PASSES: Verdict = Verdict::Call(Purpose::Client);
const DENIED: Verdict = Verdict::Answer(Answer::Denied);

#[test]
fn calls_of_the_client() {
    let world = World::new();
    let elsewhere = |destination| Draft { path: Some("/q"), ..call(destination) };
    for (draft, verdict) in [
        (call("a.hidden"), unknown("a.hidden")),
        (Draft { flags: NO_AUTO_START, ..call("a.hidden") }, no_owner("a.hidden")),
        (call(":1.77"), no_owner(":1.77")),
        (call("a.see"), DENIED),
        (call(":1.1"), DENIED),
        (call(":1.5"), DENIED),
        (call("a.talk"), PASSES),
        (call(":1.2"), PASSES),
        (call("a.own"), PASSES),
        (call("a.own.x.y"), PASSES),
        (call("a.call"), PASSES),
        (call(":1.3"), PASSES),
        (elsewhere("a.call"), DENIED),
        (elsewhere(":1.3"), DENIED),
        (call("a.cast"), DENIED),
        (call(":1.4"), DENIED),
        (call(OWN), PASSES),
        (Draft { flags: NO_REPLY_EXPECTED, ..call("a.talk") }, Verdict::Forward),
        (Draft { reply_serial: Some(55), ..call("a.talk") }, DENIED),
        (Draft { serial: 71, ..call("a.talk") }, Verdict::Close(Reason::SerialOpen)),
        (call(""), DENIED),
        (call(BUS), DENIED),
    ] {
        assert_eq!(world.decide(Writer::Client, &draft.write()), verdict, "{draft:?}");
    }
}

#[test]
fn signals_of_the_client() {
    let world = World::new();
    for (draft, verdict) in [
        (signal(""), Verdict::Forward),
        (signal("a.hidden"), Verdict::Drop(Reason::Hidden)),
        (signal("a.see"), Verdict::Drop(Reason::Denied)),
        (signal("a.talk"), Verdict::Forward),
        (signal("a.call"), Verdict::Forward),
        (Draft { path: Some("/q"), ..signal("a.call") }, Verdict::Drop(Reason::Denied)),
        (signal("a.cast"), Verdict::Drop(Reason::Denied)),
        (signal(BUS), Verdict::Drop(Reason::Denied)),
        (Draft { reply_serial: Some(55), ..signal(":1.5") }, Verdict::Drop(Reason::StrayReply)),
    ] {
        assert_eq!(world.decide(Writer::Client, &draft.write()), verdict, "{draft:?}");
    }
}

#[test]
fn replies_of_the_client() {
    let world = World::new();
    for kind in [Kind::Return, Kind::Error] {
        for (destination, serial, verdict) in [
            (":1.5", 55, Verdict::Reply),
            (":1.5", 56, Verdict::Drop(Reason::Unexpected)),
            (":1.2", 55, Verdict::Drop(Reason::Unexpected)),
            (":1.77", 55, Verdict::Drop(Reason::Unexpected)),
            ("a.talk", 55, Verdict::Drop(Reason::Unexpected)),
        ] {
            let bytes = reply(kind, destination, serial).write();
            assert_eq!(world.decide(Writer::Client, &bytes), verdict, "{destination} {serial}");
        }
        let nobody = Draft { destination: None, ..reply(kind, "", 55) };
        let verdict = world.decide(Writer::Client, &nobody.write());
        assert_eq!(verdict, Verdict::Drop(Reason::Unexpected));
    }
}

#[test]
fn methods_of_the_bus() {
    let world = World::new();
    let names = Verdict::Call(Purpose::Names);
    let text = Argument::Text;
    let mut table = vec![
        (bus("Hello", Argument::Nothing), Verdict::Answer(Answer::Greeted)),
        (bus("GetId", Argument::Nothing), PASSES),
        (bus("ListNames", Argument::Nothing), names.clone()),
        (bus("ListActivatableNames", Argument::Nothing), names),
        (bus("NameHasOwner", text("a.hidden")), Verdict::Answer(Answer::False)),
        (bus("NameHasOwner", text("a.see")), PASSES),
        (bus("ListQueuedOwners", text("a.hidden")), no_owner("a.hidden")),
        (bus("ListQueuedOwners", text("a.talk")), DENIED),
        (bus("ListQueuedOwners", text("a.own.x")), PASSES),
        (bus("ReleaseName", text("a.hidden")), unknown("a.hidden")),
        (bus("ReleaseName", text("a.talk")), DENIED),
        (bus("ReleaseName", text("a.own")), PASSES),
        // These take a number too.
        (bus("RequestName", text("a.own")), Verdict::Answer(Answer::Arguments)),
        (bus("StartServiceByName", text("a.talk")), Verdict::Answer(Answer::Arguments)),
        (bus("AddMatch", Argument::Nothing), Verdict::Answer(Answer::Arguments)),
        (
            bus("AddMatch", text("type=signal")),
            Verdict::Match("AddMatch", "type='signal'".to_owned()),
        ),
        (
            bus("RemoveMatch", text("type=signal")),
            Verdict::Match("RemoveMatch", "type='signal'".to_owned()),
        ),
        (
            bus("AddMatch", text("eavesdrop =true")),
            Verdict::Answer(Answer::MatchRule(MatchError::Eavesdrop)),
        ),
        (
            Draft {
                interface: Some("org.freedesktop.DBus.Introspectable"),
                ..bus("Introspect", Argument::Nothing)
            },
            PASSES,
        ),
        (
            Draft {
                interface: Some("org.freedesktop.DBus.Peer"),
                destination: None,
                ..bus("Ping", Argument::Nothing)
            },
            PASSES,
        ),
        (Draft { interface: None, ..bus("ListNames", Argument::Nothing) }, DENIED),
        (Draft { destination: None, ..bus("BecomeMonitor", Argument::Nothing) }, DENIED),
        (
            Draft { destination: None, ..bus("GetNameOwner", text("a.hidden")) },
            no_owner("a.hidden"),
        ),
        (
            Draft { flags: NO_REPLY_EXPECTED, ..bus("ListNames", Argument::Nothing) },
            Verdict::Forward,
        ),
    ];
    for interface in [
        "org.freedesktop.DBus.Peer",
        "org.freedesktop.DBus.Properties",
        "org.freedesktop.DBus.Monitoring",
        "org.freedesktop.DBus.Debug.Stats",
        "org.freedesktop.DBus.Verbose",
        "org.freedesktop.DBus.Containers1",
        BUS,
    ] {
        for member in ["Ping", "Get", "Set", "GetAll", "BecomeMonitor", "GetStats", "AddServer"] {
            let draft = Draft { interface: Some(interface), ..bus(member, Argument::Nothing) };
            table.push((draft, DENIED));
        }
    }
    for member in ["UpdateActivationEnvironment", "ReloadConfig", "GetMachineId", "Nonsense"] {
        table.push((bus(member, Argument::Nothing), DENIED));
    }
    for member in [
        "GetNameOwner",
        "GetConnectionUnixUser",
        "GetConnectionUnixProcessID",
        "GetConnectionCredentials",
        "GetConnectionSELinuxSecurityContext",
        "GetAdtAuditSessionData",
    ] {
        for name in ["a.hidden", ":1.77"] {
            table.push((bus(member, text(name)), no_owner(name)));
        }
        for name in ["a.see", ":1.1", ":1.5", "a.call", "a.cast", OWN, BUS] {
            table.push((bus(member, text(name)), PASSES));
        }
        table.push((bus(member, Argument::Nothing), Verdict::Answer(Answer::Arguments)));
    }
    for (draft, verdict) in table {
        assert_eq!(world.decide(Writer::Client, &draft.write()), verdict, "{draft:?}");
    }
}

/// A call of a method with a name and a number.
fn name_and_number(member: &'static str, name: &'static str) -> Vec<u8> {
    let mut bytes = bus(member, Argument::Text(name)).write();
    let signature = bytes.windows(4).position(|four| four == [1, b's', 0, 0]);
    // The signature is the last field, so that there is room behind it.
    let at = signature.expect("the signature is there");
    bytes[at] = 2;
    bytes[at + 2] = b'u';
    bytes.resize(bytes.len().next_multiple_of(4) + 4, 0);
    let fields = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) + 1;
    bytes[12..16].copy_from_slice(&fields.to_le_bytes());
    let body = bytes.len() - (16 + fields as usize).next_multiple_of(8);
    bytes[4..8].copy_from_slice(&(body as u32).to_le_bytes());
    bytes
}

#[test]
fn owning_and_starting_names() {
    let world = World::new();
    for (member, name, verdict) in [
        ("RequestName", "a.own", PASSES),
        ("RequestName", "a.own.x", PASSES),
        ("RequestName", "a.ownx", unknown("a.ownx")),
        ("RequestName", "a.talk", DENIED),
        ("RequestName", "a.see", DENIED),
        ("RequestName", "a.hidden", unknown("a.hidden")),
        ("RequestName", BUS, DENIED),
        ("StartServiceByName", "a.own", PASSES),
        ("StartServiceByName", "a.talk", PASSES),
        ("StartServiceByName", "a.call", PASSES),
        ("StartServiceByName", "a.see", DENIED),
        ("StartServiceByName", "a.hidden", unknown("a.hidden")),
    ] {
        let bytes = name_and_number(member, name);
        assert_eq!(world.decide(Writer::Client, &bytes), verdict, "{member} {name}");
    }
}

#[test]
fn hello_comes_first() {
    let world = World { greeted: false, ..World::new() };
    let hello = bus("Hello", Argument::Nothing);
    let close = Verdict::Close(Reason::NotGreeted);
    for (draft, verdict) in [
        (hello, Verdict::Call(Purpose::Hello)),
        (Draft { flags: NO_REPLY_EXPECTED, ..hello }, close.clone()),
        (Draft { reply_serial: Some(1), ..hello }, close.clone()),
        (Draft { destination: None, ..hello }, close.clone()),
        (Draft { interface: None, ..hello }, close.clone()),
        (bus("GetId", Argument::Nothing), close.clone()),
        (signal(""), close.clone()),
        (reply(Kind::Return, ":1.5", 55), close),
    ] {
        assert_eq!(world.decide(Writer::Client, &draft.write()), verdict, "{draft:?}");
    }
}

#[test]
fn calls_beyond_the_limit_are_refused_and_those_without_reply_are_not() {
    let mut world = World::new();
    for serial in 100..100 + super::super::calls::OPEN_MAX as u32 {
        let answerer = Answerer::Bus;
        world.calls.call(serial, Open { serial, answerer, purpose: Purpose::Client });
    }
    let limit = Verdict::Answer(Answer::Limit);
    for (draft, verdict) in [
        (call("a.talk"), limit.clone()),
        (bus("GetId", Argument::Nothing), limit.clone()),
        (bus("AddMatch", Argument::Text("")), limit),
        (Draft { flags: NO_REPLY_EXPECTED, ..call("a.talk") }, Verdict::Forward),
        (signal(""), Verdict::Forward),
    ] {
        assert_eq!(world.decide(Writer::Client, &draft.write()), verdict, "{draft:?}");
    }
}

/// A draft as the bus delivers it.
fn from<'a>(sender: &'a str, draft: Draft<'a>) -> Vec<u8> {
    Draft { sender: (!sender.is_empty()).then_some(sender), ..draft }.write()
}

#[test]
fn calls_and_signals_to_the_client() {
    let world = World::new();
    let dropped = Verdict::Drop;
    for (sender, draft, verdict) in [
        (":1.77", call(OWN), Verdict::Forward),
        (":1.77", call("a.own.x"), Verdict::Forward),
        (":1.77", call(":1.8"), dropped(Reason::NotOurs)),
        (":1.77", call("a.talk"), dropped(Reason::NotOurs)),
        (":1.77", call(""), dropped(Reason::NotOurs)),
        (":1.77", Draft { reply_serial: Some(11), ..call(OWN) }, dropped(Reason::StrayReply)),
        (":1.77", signal(OWN), Verdict::Forward),
        (":1.77", signal(":1.8"), dropped(Reason::NotOurs)),
        (":1.77", Draft { reply_serial: Some(11), ..signal(OWN) }, dropped(Reason::StrayReply)),
        (":1.77", signal(""), dropped(Reason::Hidden)),
        ("", signal(""), dropped(Reason::Hidden)),
        (":1.5", signal(""), dropped(Reason::Denied)),
        (":1.1", signal(""), dropped(Reason::Denied)),
        (":1.2", signal(""), Verdict::Forward),
        (":1.3", signal(""), dropped(Reason::Denied)),
        (":1.4", signal(""), Verdict::Forward),
        (":1.4", Draft { path: Some("/q"), ..signal("") }, dropped(Reason::Denied)),
        (OWN, signal(""), Verdict::Forward),
        (BUS, signal(""), Verdict::Forward),
    ] {
        let bytes = from(sender, draft);
        assert_eq!(world.decide(Writer::Bus, &bytes), verdict, "{sender}: {draft:?}");
    }
}

#[test]
fn nothing_comes_before_the_client_has_a_name() {
    let world = World { names: Names::new(false), ..World::new() };
    for draft in [call(OWN), call("a.own"), signal(OWN)] {
        let verdict = world.decide(Writer::Bus, &from(":1.2", draft));
        assert_eq!(verdict, Verdict::Drop(Reason::NotOurs));
    }
}

#[test]
fn replies_to_the_client() {
    let world = World::new();
    let unexpected = || Verdict::Drop(Reason::Unexpected);
    for (sender, serial, verdict) in [
        (":1.2", 11, Verdict::Reply),
        (BUS, 11, Verdict::Reply),
        (":1.5", 11, unexpected()),
        ("", 11, unexpected()),
        (":1.2", 99, unexpected()),
        (":1.2", 12, unexpected()),
        (BUS, 12, Verdict::Reply),
        (BUS, 13, Verdict::Ours),
        (BUS, 14, Verdict::Ours),
        (":1.2", 14, unexpected()),
    ] {
        let bytes = from(sender, reply(Kind::Error, OWN, serial));
        assert_eq!(world.decide(Writer::Bus, &bytes), verdict, "{sender} {serial}");
    }
}

#[test]
fn lists_of_names_lose_what_is_hidden() {
    let world = World::new();
    let all = [BUS, OWN, ":1.1", ":1.5", ":1.77", "a.see", "a.hidden", "a.own.x", "a"];
    let list = Draft::bus_reply(1, 12, Some(OWN), None, Argument::Texts(&all));
    let seen = [BUS, OWN, ":1.1", ":1.5", "a.see", "a.own.x"].map(str::to_owned);
    assert_eq!(world.decide(Writer::Bus, &list.write()), Verdict::Names(seen.to_vec()));
    let strange = Draft::bus_reply(1, 12, Some(OWN), None, Argument::Text("a.hidden"));
    assert_eq!(world.decide(Writer::Bus, &strange.write()), Verdict::Names(Vec::new()));
}

/// NameOwnerChanged for a name.
fn change(name: &str, old: &str, new: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for text in [name, old, new] {
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend((text.len() as u32).to_le_bytes());
        body.extend(text.as_bytes());
        body.push(0);
    }
    let draft = Draft {
        interface: Some(BUS),
        member: Some("NameOwnerChanged"),
        sender: Some(BUS),
        argument: Argument::Text(""),
        ..signal("")
    };
    // The signature s becomes sss; it is the last field.
    let mut bytes = draft.write();
    let at = bytes.windows(4).position(|four| four == [1, b's', 0, 0]);
    let at = at.expect("the signature is there");
    bytes.truncate(at);
    bytes.extend([3, b's', b's', b's', 0]);
    let fields = (bytes.len() - 16) as u32;
    bytes[12..16].copy_from_slice(&fields.to_le_bytes());
    bytes[4..8].copy_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(body);
    bytes
}

#[test]
fn changes_of_hidden_names_are_not_told() {
    let world = World::new();
    let hidden = Verdict::Drop(Reason::Hidden);
    for (name, verdict) in [
        ("a.hidden", hidden.clone()),
        (":1.77", hidden.clone()),
        ("a.see", Verdict::Forward),
        ("a.call", Verdict::Forward),
        (":1.5", Verdict::Forward),
        (OWN, Verdict::Forward),
    ] {
        assert_eq!(world.decide(Writer::Bus, &change(name, "", ":1.2")), verdict, "{name}");
    }
    let sloppy = World { names: Names::new(true), ..World::new() };
    assert_eq!(sloppy.decide(Writer::Bus, &change(":1.77", "", "")), Verdict::Forward);
    assert_eq!(sloppy.decide(Writer::Bus, &change("a.hidden", "", "")), hidden);
    // One that cannot be read, and one that a peer made up.
    let odd = Draft { interface: Some(BUS), member: Some("NameOwnerChanged"), ..signal("") };
    assert_eq!(world.decide(Writer::Bus, &from(BUS, odd)), hidden);
    assert_eq!(world.decide(Writer::Bus, &from(":1.77", odd)), hidden);
}
