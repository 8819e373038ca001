//! The codec beside zbus's: names, messages and match rules that chance makes
//! up. Ours may be stricter, and may read nothing in another way.

use std::num::NonZeroU32;

use libtest_mimic::Trial;
use pinfold::proxy::wire::{Argument, Draft, Endian, Message};
use pinfold::proxy::{auth, grammar};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// What holds for any message and any match rule; the fuzzer asks the same.
#[path = "../corpus/wire.rs"]
mod codec;
#[path = "../corpus/matching.rs"]
mod rules;

/// How often each property is tried.
fn tries() -> u32 {
    if std::env::var("PINFOLD_FULL").is_ok_and(|full| full == "1") { 100_000 } else { 3000 }
}

fn check<S: Strategy>(strategy: S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases: tries(), failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&strategy, property).unwrap_or_else(|error| panic!("{error}"));
}

/// Texts that are nearly names, or are.
fn nearly_names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c9_.:/-]{0,12}",
        "(:1)?(\\.?[a-z_9-]{1,4}){0,5}",
        "(/[a-z9_]{0,3}){0,4}",
        "[aybnqs(){}v]{0,10}",
        "\\PC{0,6}",
        (250usize..260).prop_map(|length| format!("a.{}", "b".repeat(length))),
    ]
}

fn names() {
    check(nearly_names(), |text| {
        let text = text.as_str();
        let pairs = [
            (
                "unique",
                grammar::is_unique_name(text),
                zbus::names::UniqueName::try_from(text).is_ok(),
            ),
            (
                "well-known",
                grammar::is_well_known_name(text),
                zbus::names::WellKnownName::try_from(text).is_ok(),
            ),
            (
                "interface",
                grammar::is_interface(text),
                zbus::names::InterfaceName::try_from(text).is_ok(),
            ),
            ("error", grammar::is_interface(text), zbus::names::ErrorName::try_from(text).is_ok()),
            ("member", grammar::is_member(text), zbus::names::MemberName::try_from(text).is_ok()),
            ("path", grammar::is_object_path(text), zbus::ObjectPath::try_from(text).is_ok()),
        ];
        for (what, ours, theirs) in pairs {
            // Theirs knows the bus's own name as a unique one.
            if what == "unique" && text == "org.freedesktop.DBus" {
                continue;
            }
            prop_assert_eq!(ours, theirs, "{} {:?}", what, text);
        }
        // Theirs takes a signature in parentheses for its contents.
        if grammar::is_signature(text) {
            prop_assert!(zbus::Signature::try_from(text).is_ok(), "signature {:?}", text);
        }
        Ok(())
    });
}

/// A call with fields of all kinds, as zbus writes it.
fn calls() -> impl Strategy<Value = (zbus::message::Message, bool)> {
    let word = "[a-zA-Z_][a-zA-Z0-9_]{0,8}";
    (
        prop::collection::vec(word, 0..4),
        prop::option::of(prop::collection::vec(word, 2..4)),
        word,
        prop::option::of(prop::collection::vec(word, 2..4)),
        1u32..,
        any::<bool>(),
        any::<(String, u32)>(),
    )
        .prop_map(|(path, interface, member, destination, serial, big, body)| {
            let path = format!("/{}", path.join("/"));
            let mut builder = zbus::message::Message::method_call(path, member)
                .serial(NonZeroU32::new(serial).expect("from 1 on"))
                .endian(if big { zbus::wire::Endian::Big } else { zbus::wire::Endian::Little });
            if let Some(interface) = interface {
                builder = builder.interface(interface.join("."));
            }
            if let Some(destination) = destination {
                builder = builder.destination(destination.join("."));
            }
            (builder.build(&body).expect("a message"), big)
        })
}

/// What zbus writes we read, in either byte order and with the same body.
fn messages_of_zbus() {
    check(calls(), |(theirs, big)| {
        let bytes = theirs.data().bytes();
        let message = Message::read(bytes);
        prop_assert!(message.is_ok(), "{:?} for {:?}", message, bytes);
        let Ok(message) = message else { return Ok(()) };
        prop_assert_eq!(message.endian == Endian::Big, big);
        codec::holds(bytes);
        let body: (String, u32) = theirs.body().deserialize().expect("its own body");
        prop_assert_eq!(message.text_and_number(), Some((body.0.as_str(), body.1)));
        Ok(())
    });
}

/// A message with changed bytes: either we refuse it, or zbus reads the same.
fn changed_messages() {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3);
    check((calls(), changes), |((theirs, _), changes)| {
        let mut bytes = theirs.data().bytes().to_vec();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        codec::holds(&bytes);
        Ok(())
    });
}

/// What we write zbus reads, and we read back.
fn our_messages() {
    let text = "[a-z]{1,9}(\\.[a-z]{1,9}){1,3}";
    check((text, text, "\\PC{0,40}", 1u32.., 1u32..), |(interface, to, body, serial, reply)| {
        let draft = Draft {
            interface: Some(&interface),
            destination: Some(&to),
            reply_serial: Some(reply),
            ..Draft::bus_call(serial, 1, "Member", Argument::Text(&body))
        };
        let bytes = draft.write();
        let message = Message::read(&bytes);
        prop_assert!(message.is_ok(), "{:?}", message);
        let Ok(message) = message else { return Ok(()) };
        prop_assert_eq!(message.texts(), Some([body.as_str()]));
        codec::holds(&bytes);
        Ok(())
    });
}

/// A match rule that we pass on means to zbus what the original means, and is
/// its own plain form.
fn match_rules() {
    let pair = prop_oneof![
        "type='?(signal|method_call|error)'?",
        "sender='(:1.5|org.a)'",
        "interface='?org.[a-z]{1,3}'?",
        "member='?[A-Z][a-z]{0,3}'?",
        "path='?(/[a-z]{1,3}){1,3}'?",
        "path_namespace='/a'",
        "arg[0-9]{1,2}='[a-z,= ]{0,6}'",
        "arg[0-9]{1,2}path='/[a-z]{0,3}/?'",
        "arg0namespace='org.a'",
        "[Ee]avesdrop ?='?true'?",
        "[a-z]{1,4} ?= ?'[a-z]{0,3}'",
    ];
    let rules = prop::collection::vec(pair, 0..5).prop_map(|pairs| pairs.join(","));
    check(prop_oneof![rules, "\\PC{0,30}"], |text| {
        rules::holds(text.as_bytes());
        Ok(())
    });
}

/// A handshake of any bytes, split anywhere, ends as it does in one piece.
fn handshakes() {
    let line = prop_oneof![
        Just("AUTH EXTERNAL 30\r\n".to_owned()),
        Just("AUTH EXTERNAL\r\nDATA\r\n".to_owned()),
        Just("NEGOTIATE_UNIX_FD\r\n".to_owned()),
        Just("BEGIN\r\n".to_owned()),
        Just("CANCEL\r\n".to_owned()),
        "[A-Z]{0,5} ?[A-Z0-9]{0,5}\r?\n?",
        "\\PC{0,4}",
    ];
    let input = prop::collection::vec(line, 0..6).prop_map(|lines| format!("\0{}", lines.concat()));
    check((input, any::<prop::sample::Index>()), |(input, split)| {
        let whole = shake(&[input.as_bytes()]);
        let (first, second) = input.as_bytes().split_at(split.index(input.len() + 1));
        prop_assert_eq!(shake(&[first, second]), whole);
        Ok(())
    });
}

/// How a client that writes these pieces ends: what it was answered, and
/// whether it may go on to messages.
fn shake(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool), auth::AuthError> {
    let mut bus = auth::BusAuth::new();
    bus.advance(format!("DATA\r\nOK {}\r\n", "0".repeat(32)).as_bytes())?;
    bus.ask_for_descriptors();
    bus.advance(b"AGREE_UNIX_FD\r\n")?;
    let mut client = auth::ClientAuth::new(0);
    let (mut input, mut answer) = (Vec::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        let (taken, need) = client.advance(&input, &bus, &mut answer)?;
        input.drain(..taken);
        if need == auth::Need::Nothing {
            return Ok((answer, true));
        }
    }
    Ok((answer, false))
}

pub fn trials() -> Vec<Trial> {
    vec![
        crate::trial("oracle::names", names),
        crate::trial("oracle::messages_of_zbus", messages_of_zbus),
        crate::trial("oracle::changed_messages", changed_messages),
        crate::trial("oracle::our_messages", our_messages),
        crate::trial("oracle::match_rules", match_rules),
        crate::trial("oracle::handshakes", handshakes),
    ]
}
