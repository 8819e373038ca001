use super::*;
use crate::model::bus::BusName;
use crate::proxy::rules::Way;

fn session(levels: &[(&str, Level)]) -> Session {
    let mut rules = Rules::default();
    for (name, level) in levels {
        rules.set_level(&BusName::parse(name).unwrap(), *level);
    }
    Session::new(Rc::new(rules), false)
}

/// Hands in a message of the client.
fn client(session: &mut Session, draft: Draft<'_>) -> Result<Outcome, Reason> {
    let bytes = draft.write();
    let message = Message::read(&bytes).unwrap();
    let verdict = session.decide(Writer::Client, &message);
    session.client_wrote(&message, verdict)
}

/// Hands in a message from the bus.
fn bus(session: &mut Session, draft: Draft<'_>) -> Outcome {
    let bytes = draft.write();
    let message = Message::read(&bytes).unwrap();
    let verdict = session.decide(Writer::Bus, &message);
    session.bus_wrote(&message, verdict)
}

fn hello(serial: u32) -> Draft<'static> {
    Draft::bus_call(serial, 0, "Hello", Argument::Nothing)
}

/// What a message asks: the method and its first argument.
fn asks(bytes: &[u8]) -> (String, String) {
    let message = Message::read(bytes).unwrap();
    (message.member.unwrap().to_owned(), message.first_text().unwrap_or_default().to_owned())
}

/// A session that has said Hello and is `:1.9`.
fn greeted(levels: &[(&str, Level)]) -> (Session, Vec<Vec<u8>>) {
    let mut session = session(levels);
    let outcome = client(&mut session, hello(500)).unwrap();
    assert_eq!(outcome.onward, Onward::Itself(Some((SERIAL_AT, 1))));
    let named = Draft::bus_reply(1, 1, Some(":1.9"), None, Argument::Text(":1.9"));
    let reply = bus(&mut session, named);
    assert!(matches!(reply.onward, Onward::Itself(Some((_, 500)))));
    assert_eq!(session.names.own(), Some(":1.9"));
    (session, outcome.asked)
}

#[test]
fn owners_are_asked_for_behind_hello_after_the_matches() {
    let (mut session, asked) = greeted(&[("a.b", Level::See), ("a.c.*", Level::Talk)]);
    let asked: Vec<_> = asked.iter().map(|bytes| asks(bytes)).collect();
    let rule = |key: &str| {
        format!("type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',{key}")
    };
    let expected = [
        ("AddMatch", rule("arg0='a.b'")),
        ("GetNameOwner", "a.b".to_owned()),
        ("AddMatch", rule("arg0namespace='a.c'")),
        ("ListNames", String::new()),
    ]
    .map(|(method, text)| (method.to_owned(), text));
    assert_eq!(asked, expected);
    // Until the list has come the client waits.
    assert!(session.is_listing());
    let list = ["a.c", "a.c.d", "a.x", ":1.5", BUS];
    let listed = Draft::bus_reply(9, 5, Some(":1.9"), None, Argument::Texts(&list));
    let outcome = bus(&mut session, listed);
    assert!(!session.is_listing());
    assert_eq!(outcome.onward, Onward::Nothing);
    let asked: Vec<_> = outcome.asked.iter().map(|bytes| asks(bytes).1).collect();
    assert_eq!(asked, ["a.c", "a.c.d"]);
    // The answers make the owners known.
    let owner = Draft::bus_reply(9, 6, Some(":1.9"), None, Argument::Text(":1.5"));
    assert_eq!(bus(&mut session, owner).onward, Onward::Nothing);
    assert_eq!(session.names.level(&session.rules, ":1.5"), Level::Talk);
}

#[test]
fn a_list_that_is_refused_lets_the_client_go_on() {
    let (mut session, _) = greeted(&[("a.c.*", Level::Talk)]);
    assert!(session.is_listing());
    let refused = Draft::bus_reply(9, 3, Some(":1.9"), Some("a.Error"), Argument::Nothing);
    bus(&mut session, refused);
    assert!(!session.is_listing());
}

#[test]
fn replies_find_their_calls_by_serials_that_the_client_does_not_see() {
    let (mut session, _) = greeted(&[("a.b", Level::Talk)]);
    let call = |serial| Draft {
        destination: Some("a.b"),
        interface: Some("a.I"),
        ..Draft::bus_call(serial, 0, "M", Argument::Nothing)
    };
    let Onward::Itself(Some((SERIAL_AT, serial))) = client(&mut session, call(7)).unwrap().onward
    else {
        panic!("the call goes on")
    };
    assert_eq!(client(&mut session, call(7)), Err(Reason::SerialOpen));
    let reply = Draft {
        sender: Some(":1.5"),
        ..Draft::bus_reply(3, serial, Some(":1.9"), None, Argument::Nothing)
    };
    let bytes = reply.write();
    let at = Message::read(&bytes).unwrap().reply_serial.unwrap().at;
    assert_eq!(bus(&mut session, reply).onward, Onward::Itself(Some((at, 7))));
    // Whoever answers is seen from then on.
    assert_eq!(session.names.level(&session.rules, ":1.5"), Level::See);
    assert_eq!(bus(&mut session, reply).onward, Onward::Nothing, "only once");
    assert!(client(&mut session, call(7)).is_ok(), "the serial is free again");
}

#[test]
fn refused_calls_are_answered_unless_nobody_waits() {
    let (mut session, _) = greeted(&[]);
    let call = Draft { destination: Some("a.b"), ..Draft::bus_call(8, 0, "M", Argument::Nothing) };
    let outcome = client(&mut session, call).unwrap();
    assert_eq!(outcome.onward, Onward::Nothing);
    let back = outcome.back.unwrap();
    let answer = Message::read(&back).unwrap();
    assert_eq!(answer.kind, Kind::Error);
    assert_eq!(answer.error_name, Some("org.freedesktop.DBus.Error.ServiceUnknown"));
    assert_eq!(answer.reply_serial.map(|reply| reply.serial), Some(8));
    assert_eq!((answer.sender, answer.destination), (Some(BUS), Some(":1.9")));
    let silent = client(&mut session, Draft { flags: NO_REPLY_EXPECTED, ..call }).unwrap();
    assert_eq!(silent, Outcome::of(Onward::Nothing));
}

#[test]
fn match_rules_go_on_rewritten_and_their_replies_come_back() {
    let (mut session, _) = greeted(&[]);
    let add = Draft::bus_call(8, 0, "AddMatch", Argument::Text("type=signal, member=X"));
    let Onward::Instead(bytes) = client(&mut session, add).unwrap().onward else {
        panic!("the rule is rewritten")
    };
    assert_eq!(asks(&bytes), ("AddMatch".to_owned(), "type='signal',member='X'".to_owned()));
    let serial = Message::read(&bytes).unwrap().serial;
    let reply = Draft::bus_reply(3, serial, Some(":1.9"), None, Argument::Nothing);
    assert!(matches!(bus(&mut session, reply).onward, Onward::Itself(Some((_, 8)))));
}

#[test]
fn lists_are_rewritten_under_the_clients_serial() {
    let (mut session, _) = greeted(&[("a.b", Level::See)]);
    let list = Draft::bus_call(8, 0, "ListNames", Argument::Nothing);
    let Onward::Itself(Some((_, serial))) = client(&mut session, list).unwrap().onward else {
        panic!("the call goes on")
    };
    let all = ["a.b", "a.hidden"];
    let reply = Draft::bus_reply(77, serial, Some(":1.9"), None, Argument::Texts(&all));
    let Onward::Instead(bytes) = bus(&mut session, reply).onward else { panic!("rewritten") };
    let message = Message::read(&bytes).unwrap();
    assert_eq!(message.text_list(), Some(vec!["a.b"]));
    assert_eq!(message.serial, 77);
    assert_eq!(message.reply_serial.map(|reply| reply.serial), Some(8));
    assert_eq!(message.destination, Some(":1.9"));
}

#[test]
fn peers_that_call_are_seen_and_answered_once() {
    let (mut session, _) = greeted(&[]);
    let call = Draft {
        sender: Some(":1.5"),
        destination: Some(":1.9"),
        ..Draft::bus_call(55, 0, "M", Argument::Nothing)
    };
    assert_eq!(bus(&mut session, call).onward, Onward::Itself(None));
    assert_eq!(session.names.level(&session.rules, ":1.5"), Level::See);
    let reply =
        Draft { sender: None, ..Draft::bus_reply(3, 55, Some(":1.5"), None, Argument::Nothing) };
    assert!(matches!(client(&mut session, reply).unwrap().onward, Onward::Itself(_)));
    assert_eq!(client(&mut session, reply).unwrap().onward, Onward::Nothing);
    // A call that wants no reply gets none.
    bus(&mut session, Draft { flags: NO_REPLY_EXPECTED, ..call });
    assert_eq!(client(&mut session, reply).unwrap().onward, Onward::Nothing);
}

#[test]
fn a_rule_on_the_bus_itself_asks_nothing() {
    let mut rules = Rules::default();
    rules.add_text(Way::Call, "org.freedesktop.DBus=*").unwrap();
    let mut session = Session::new(Rc::new(rules), false);
    assert!(client(&mut session, hello(1)).unwrap().asked.is_empty());
}
