//! The same rules and the same calls through our filter and through
//! xdg-dbus-proxy: every verdict is compared. Differences have to be listed
//! below, each with its reason, and whatever is listed has to differ.

use std::collections::BTreeMap;
use std::time::Duration;

use libtest_mimic::Trial;

use crate::client::{BUS, Came, Client, Message, verdict_of};
use crate::daemon::Service;
use crate::world::{Bus, Make, Proxy, peer_is_there};

const OPTIONS: [&str; 11] = [
    "--filter",
    "--see=org.pinfold.See",
    "--see=org.pinfold.SeeNobody",
    "--talk=org.pinfold.Talk",
    "--talk=org.pinfold.Talk.Service",
    "--own=org.pinfold.Own",
    "--own=org.pinfold.OwnTree.*",
    "--call=org.pinfold.Call=org.pinfold.I.Allowed@/allowed/*",
    "--broadcast=org.pinfold.Broad=org.pinfold.I.*@/allowed/*",
    "--talk=org.pinfold.Tree.*",
    "--call=org.pinfold.CallAll=*",
];

/// A case, or the start of several with a star; what ours says and what theirs
/// says; why ours is right.
struct Difference(&'static str, &'static str, &'static str, &'static str);

const AS_THE_BUS: &str =
    "hidden is to look like not there, and the bus says so of a name that nobody owns";
const PARSED: &str =
    "stricter: what the bus would have to trim is refused, and nothing is passed on unparsed";
const NEVER_ADDED: &str = "the rule was refused, so both say that it is not there to be removed; ours refuses to parse it";
const TO_NOBODY: &str =
    "stricter: some buses take a call to nobody for one to themselves, so it is judged as one";
const ARGUMENTS: &str =
    "stricter: the call is not passed on, and the caller is told what is wrong with it";

const DIFFERENCES: &[Difference] = &[
    Difference("GetConnectionUnixProcessID of *", "NameHasNoOwner", "ServiceUnknown", AS_THE_BUS),
    Difference("GetConnectionUnixUser of *", "NameHasNoOwner", "ServiceUnknown", AS_THE_BUS),
    Difference("GetConnectionCredentials of *", "NameHasNoOwner", "ServiceUnknown", AS_THE_BUS),
    Difference(
        "GetConnectionSELinuxSecurityContext of *",
        "NameHasNoOwner",
        "ServiceUnknown",
        AS_THE_BUS,
    ),
    Difference("GetAdtAuditSessionData of *", "NameHasNoOwner", "ServiceUnknown", AS_THE_BUS),
    Difference("ListQueuedOwners of *", "NameHasNoOwner", "ServiceUnknown", AS_THE_BUS),
    Difference(
        "bus: second Hello",
        "Failed",
        "nothing",
        "Hello is said once; theirs passes it on and then drops the bus's answer",
    ),
    Difference("bus: GetMachineId to nobody", "AccessDenied", "ok", TO_NOBODY),
    Difference("bus: BecomeMonitor to nobody", "AccessDenied", "UnknownMethod", TO_NOBODY),
    Difference("bus: anything to nobody", "AccessDenied", "UnknownMethod", TO_NOBODY),
    Difference("bus: GetNameOwner without a name", "InvalidArgs", "NameHasNoOwner", ARGUMENTS),
    Difference("bus: GetNameOwner of a number", "InvalidArgs", "NameHasNoOwner", ARGUMENTS),
    Difference(
        "match *",
        "AccessDenied AccessDenied",
        "AccessDenied MatchRuleNotFound",
        NEVER_ADDED,
    ),
    Difference(
        "match \"Eavesdrop='true'\"",
        "AccessDenied AccessDenied",
        "MatchRuleInvalid MatchRuleInvalid",
        "both refuse; ours says why, whatever the case of the letters",
    ),
    Difference(
        "match \"arg0='eavesdrop=true'\"",
        "ok ok",
        "AccessDenied MatchRuleNotFound",
        "the word stands in a value and asks for nothing; theirs looks for the word anywhere",
    ),
    Difference("match \"type ='signal'\"", "MatchRuleInvalid MatchRuleInvalid", "ok ok", PARSED),
    Difference("match \"\\ttype='signal'\"", "MatchRuleInvalid MatchRuleInvalid", "ok ok", PARSED),
];

/// The services that run, below `org.pinfold`.
const SERVICES: [&str; 8] = ["See", "Talk", "Own", "Call", "CallAll", "Broad", "Tree.A", "Hidden"];

/// A bus with services on it.
struct Scene {
    bus: Bus,
    services: BTreeMap<&'static str, Service>,
}

impl Scene {
    fn new() -> Scene {
        let bus = Bus::start();
        let services = SERVICES
            .into_iter()
            .map(|short| (short, Service::start(&bus, &format!("org.pinfold.{short}"))))
            .collect();
        Scene { bus, services }
    }
}

type Case = Box<dyn Fn(&Scene, &mut Client) -> String>;

/// Finds the name that a label stands for.
type Find = fn(&Scene, &str) -> String;

/// Every name that is asked about: a label, and how to find it.
fn targets() -> Vec<(String, Find)> {
    let mut targets: Vec<(String, Find)> = Vec::new();
    for short in SERVICES {
        targets.push((short.to_owned(), |_, label| format!("org.pinfold.{label}")));
        targets.push((format!("owner of {short}"), |scene, label| {
            scene.services[label.trim_start_matches("owner of ")].unique.clone()
        }));
    }
    for short in [
        "SeeNobody",
        "Tree",
        "TreeX",
        "Tree.A.B",
        "OwnTree",
        "OwnTree.X",
        "Nobody",
        "Hidden.Service",
        "Talk.Service",
    ] {
        targets.push((short.to_owned(), |_, label| format!("org.pinfold.{label}")));
    }
    targets.push((":1.99999".to_owned(), |_, label| label.to_owned()));
    targets
}

fn cases() -> Vec<(String, Case)> {
    let mut cases: Vec<(String, Case)> = Vec::new();
    for (label, find) in targets() {
        calls_to(&mut cases, &label, find);
        questions_about(&mut cases, &label, find);
    }
    broadcasts(&mut cases);
    of_the_bus(&mut cases);
    match_rules(&mut cases);
    owner_changes(&mut cases);
    replies(&mut cases);
    cases
}

fn calls_to(cases: &mut Vec<(String, Case)>, label: &str, find: Find) {
    let calls = [
        ("allowed call", "/allowed/x", "org.pinfold.I", "Allowed", 0),
        ("other method", "/allowed/x", "org.pinfold.I", "Other", 0),
        ("other path", "/allowedx", "org.pinfold.I", "Allowed", 0),
        ("other interface", "/allowed", "org.pinfold.J", "Allowed", 0),
        ("no interface", "/allowed", "", "Allowed", 0),
        ("call without start", "/allowed", "org.pinfold.I", "Allowed", 2),
        ("introspection", "/allowed", "org.freedesktop.DBus.Introspectable", "Introspect", 0),
        ("properties", "/allowed", "org.freedesktop.DBus.Properties", "GetAll", 0),
        ("ping", "/allowed", "org.freedesktop.DBus.Peer", "Ping", 0),
    ];
    for (what, path, interface, member, flags) in calls {
        let label = label.to_owned();
        cases.push((
            format!("{what} to {label}"),
            Box::new(move |scene, client| {
                let call = Message::call(&find(scene, &label), path, interface, member);
                client.verdict(call.flags(flags))
            }),
        ));
    }
    let label = label.to_owned();
    // Only services can tell whether a signal came.
    if !SERVICES.contains(&label.trim_start_matches("owner of ")) {
        return;
    }
    cases.push((
        format!("signal to {label}"),
        Box::new(move |scene, client| {
            let short = label.trim_start_matches("owner of ");
            let count = |control: &mut Client| {
                let name = format!("org.pinfold.{short}");
                control.call(Message::call(&name, "/x", "org.pinfold.Control", "Signals")).body
            };
            let mut control = scene.bus.client();
            let before = count(&mut control);
            let signal = Message::signal("/allowed/x", "org.pinfold.I", "Allowed");
            client.send(signal.to(&find(scene, &label)));
            client.settle();
            if before == count(&mut control) { "dropped" } else { "passed" }.to_owned()
        }),
    ));
}

fn questions_about(cases: &mut Vec<(String, Case)>, label: &str, find: Find) {
    for method in [
        "NameHasOwner",
        "GetNameOwner",
        "GetConnectionUnixProcessID",
        "GetConnectionUnixUser",
        "GetConnectionCredentials",
        "GetConnectionSELinuxSecurityContext",
        "GetAdtAuditSessionData",
        "ReleaseName",
        "ListQueuedOwners",
        "StartServiceByName",
        "RequestName",
    ] {
        let label = label.to_owned();
        cases.push((
            format!("{method} of {label}"),
            Box::new(move |scene, client| {
                let question = Message::bus(method).text(&find(scene, &label));
                let got = client.call(match method {
                    "StartServiceByName" | "RequestName" => question.number(0),
                    _ => question,
                });
                match method {
                    "NameHasOwner" => format!("{:?}", got.body.first()),
                    _ => verdict_of(&got),
                }
            }),
        ));
    }
}

/// Whether a signal of a name is heard by a client that asked for all.
fn broadcasts(cases: &mut Vec<(String, Case)>) {
    for short in SERVICES {
        for (what, path, interface) in [
            ("allowed broadcast", "/allowed/x", "org.pinfold.I"),
            ("broadcast of another path", "/allowedx", "org.pinfold.I"),
            ("broadcast of another interface", "/allowed", "org.pinfold.J"),
        ] {
            cases.push((
                format!("{what} from {short}"),
                Box::new(move |scene, client| {
                    client.call(Message::bus("AddMatch").text("type='signal'"));
                    emit(scene, short, path, interface);
                    heard(client, "News")
                }),
            ));
        }
        cases.push((
            format!("signal to the client alone from {short}"),
            Box::new(move |scene, client| {
                let mut control = scene.bus.client();
                let name = format!("org.pinfold.{short}");
                let order = Message::call(&name, "/x", "org.pinfold.Control", "SignalTo");
                control.call(order.text(&client.name).text("").text(""));
                let heard = heard(client, "Private");
                let owner = scene.services[short].unique.clone();
                let after = client.verdict(Message::bus("GetNameOwner").text(&owner));
                format!("{heard}, then its sender is {after}")
            }),
        ));
        cases.push((
            format!("call to the client from {short}"),
            Box::new(move |scene, client| {
                let mut control = scene.bus.client();
                let name = format!("org.pinfold.{short}");
                let order = Message::call(&name, "/x", "org.pinfold.Control", "CallBack");
                let serial = control.send(order.text(&client.name).text("").text(""));
                let Some(call) = wait_for(client, "Method") else { return "no call".to_owned() };
                let peer = call.sender.unwrap_or_default();
                client.send(Message::returned(&peer, call.serial));
                match control.reply_to(serial, Duration::from_secs(2)) {
                    Came::Message(got) => format!("answered, {:?}", got.texts),
                    other => format!("{other:?}"),
                }
            }),
        ));
    }
}

fn emit(scene: &Scene, short: &str, path: &str, interface: &str) {
    let mut control = scene.bus.client();
    let name = format!("org.pinfold.{short}");
    let order = Message::call(&name, "/x", "org.pinfold.Control", "Emit");
    let got = control.call(order.text(path).text(interface).text("News"));
    assert!(got.error.is_none());
}

/// Whether a signal has come by now.
fn heard(client: &mut Client, member: &str) -> String {
    client.settle();
    let came = client.aside.iter().any(|got| got.member.as_deref() == Some(member));
    if came { "heard" } else { "not heard" }.to_owned()
}

fn wait_for(client: &mut Client, member: &str) -> Option<crate::client::Got> {
    loop {
        match client.receive(Duration::from_secs(2)) {
            Came::Message(got) if got.member.as_deref() == Some(member) => return Some(got),
            Came::Message(_) => {}
            _ => return None,
        }
    }
}

fn of_the_bus(cases: &mut Vec<(String, Case)>) {
    for method in ["ListNames", "ListActivatableNames"] {
        cases.push((
            format!("{method} shows"),
            Box::new(move |scene, client| {
                let mut names = client.call(Message::bus(method)).texts;
                for name in &mut names {
                    if *name == client.name {
                        *name = "oneself".to_owned();
                    }
                    if let Some((short, _)) =
                        scene.services.iter().find(|(_, service)| service.unique == *name)
                    {
                        *name = format!("owner of {short}");
                    }
                }
                names.sort();
                names.join(" ")
            }),
        ));
    }
    let bus = "/org/freedesktop/DBus";
    let properties = "org.freedesktop.DBus.Properties";
    let calls: Vec<(&str, Message)> = vec![
        ("GetId", Message::bus("GetId")),
        ("second Hello", Message::bus("Hello")),
        ("GetNameOwner of the bus", Message::bus("GetNameOwner").text(BUS)),
        ("NameHasOwner of the bus", Message::bus("NameHasOwner").text(BUS)),
        ("RequestName of the bus", Message::bus("RequestName").text(BUS).number(0)),
        ("UpdateActivationEnvironment", Message::bus("UpdateActivationEnvironment")),
        ("ReloadConfig", Message::bus("ReloadConfig")),
        ("unknown method", Message::bus("Nonsense")),
        (
            "BecomeMonitor",
            Message::call(BUS, bus, "org.freedesktop.DBus.Monitoring", "BecomeMonitor"),
        ),
        ("BecomeMonitor of the bus's interface", Message::bus("BecomeMonitor")),
        (
            "GetAllMatchRules",
            Message::call(BUS, bus, "org.freedesktop.DBus.Debug.Stats", "GetAllMatchRules"),
        ),
        (
            "Introspect",
            Message::call(BUS, bus, "org.freedesktop.DBus.Introspectable", "Introspect"),
        ),
        ("Ping", Message::call(BUS, bus, "org.freedesktop.DBus.Peer", "Ping")),
        ("GetMachineId", Message::call(BUS, bus, "org.freedesktop.DBus.Peer", "GetMachineId")),
        ("GetAll", Message::call(BUS, bus, properties, "GetAll").text(BUS)),
        ("Get", Message::call(BUS, bus, properties, "Get").text(BUS).text("Features")),
        ("ListNames without interface", Message::call(BUS, bus, "", "ListNames")),
        ("ListNames to nobody", Message::call("", bus, BUS, "ListNames")),
        ("Ping to nobody", Message::call("", bus, "org.freedesktop.DBus.Peer", "Ping")),
        (
            "GetMachineId to nobody",
            Message::call("", bus, "org.freedesktop.DBus.Peer", "GetMachineId"),
        ),
        ("BecomeMonitor to nobody", Message::call("", bus, BUS, "BecomeMonitor")),
        ("anything to nobody", Message::call("", "/", "org.pinfold.I", "Allowed")),
        ("GetNameOwner without a name", Message::bus("GetNameOwner")),
        ("GetNameOwner of two", Message::bus("GetNameOwner").text(BUS).text(BUS)),
        ("GetNameOwner of a number", Message::bus("GetNameOwner").number(1)),
    ];
    for (what, call) in calls {
        cases.push((
            format!("bus: {what}"),
            Box::new(move |_, client| client.verdict(call.clone())),
        ));
    }
    cases.push((
        "broadcast of the client".to_owned(),
        Box::new(|scene, client| {
            let mut listener = scene.bus.client();
            listener.call(Message::bus("AddMatch").text("type='signal'"));
            client.send(Message::signal("/x", "org.pinfold.I", "FromInside"));
            client.settle();
            heard(&mut listener, "FromInside")
        }),
    ));
    cases.push((
        "call to oneself".to_owned(),
        Box::new(|_, client| {
            let own = client.name.clone();
            let serial = client.send(Message::call(&own, "/x", "org.pinfold.I", "Method"));
            let Some(call) = wait_for(client, "Method") else { return "no call".to_owned() };
            client.send(Message::returned(&own, call.serial));
            match client.reply_to(serial, Duration::from_secs(2)) {
                Came::Message(got) => verdict_of(&got),
                other => format!("{other:?}"),
            }
        }),
    ));
}

fn match_rules(cases: &mut Vec<(String, Case)>) {
    for rule in [
        "",
        "type='signal'",
        "type=signal,interface='org.a.B'",
        "type='signal', member='X'",
        "type='signal',",
        "arg0='a,b'",
        r"arg0='it'\''s'",
        "arg63path='/x/'",
        "arg0namespace='org'",
        "path_namespace='/a'",
        "sender=':1.1'",
        "sender='org.pinfold.Hidden'",
        "eavesdrop='true'",
        "eavesdrop='false'",
        "eavesdrop=true",
        "type='signal',eavesdrop='true'",
        "eavesdrop ='true'",
        "eavesdrop\t='true'",
        "eavesdrop\r\n='true'",
        " eavesdrop='true'",
        "\teavesdrop='true'",
        "Eavesdrop='true'",
        "arg0='eavesdrop=true'",
        "type ='signal'",
        "\ttype='signal'",
        "type='signal',type='signal'",
        "type='nonsense'",
        "nonsense='x'",
        "arg64='x'",
        "member='a.b'",
        "type='signal",
    ] {
        cases.push((
            format!("match {rule:?}"),
            Box::new(move |_, client| {
                let added = client.verdict(Message::bus("AddMatch").text(rule));
                let removed = client.verdict(Message::bus("RemoveMatch").text(rule));
                format!("{added} {removed}")
            }),
        ));
    }
}

fn owner_changes(cases: &mut Vec<(String, Case)>) {
    for short in ["SeeNobody", "Tree.New", "TreeX", "Nobody", "OwnTree.X"] {
        cases.push((
            format!("news of {short}"),
            Box::new(move |scene, client| {
                client.call(Message::bus("AddMatch").text("member='NameOwnerChanged'"));
                let mut other = scene.bus.client();
                let name = format!("org.pinfold.{short}");
                other.call(Message::bus("RequestName").text(&name).number(0));
                client.settle();
                let acquired = changes(client);
                let owner = other.name.clone();
                let call = Message::call(&owner, "/", "org.pinfold.I", "X").flags(1);
                client.send(call);
                let known = client.verdict(Message::bus("GetNameOwner").text(&owner));
                drop(other);
                scene.bus.client().settle();
                std::thread::sleep(Duration::from_millis(50));
                client.settle();
                format!("{acquired}, its owner is {known}, then {}", changes(client))
            }),
        ));
    }
}

/// How many NameOwnerChanged came about which kind of names.
fn changes(client: &mut Client) -> String {
    let (mut unique, mut known) = (0, 0);
    for got in client.aside.drain(..) {
        if got.member.as_deref() == Some("NameOwnerChanged") {
            match got.texts.first() {
                Some(name) if name.starts_with(':') => unique += 1,
                _ => known += 1,
            }
        }
    }
    format!("{known} known and {unique} unique")
}

/// A peer calls the client, and the client answers in every wrong way.
fn replies(cases: &mut Vec<(String, Case)>) {
    for kind in [1, 2, 3, 4] {
        for right in [true, false] {
            let word = ["", "call", "return", "error", "signal"][kind as usize];
            let whom = if right { "the caller" } else { "another" };
            cases.push((
                format!("{word} that quotes a serial to {whom}"),
                Box::new(move |scene, client| {
                    let (mut caller, mut other) = (scene.bus.client(), scene.bus.client());
                    other.skip_serials();
                    let target = Message::call(&client.name, "/x", "org.pinfold.I", "Method");
                    caller.send(target);
                    let Some(call) = wait_for(client, "Method") else { return "no call".into() };
                    let to = if right { &caller.name } else { &other.name };
                    let forged = Message {
                        kind,
                        path: Some("/x".to_owned()),
                        interface: Some("org.pinfold.I".to_owned()),
                        member: Some("Forged".to_owned()),
                        ..Message::failed(to, call.serial)
                    };
                    for _ in 0..2 {
                        client.send(forged.clone());
                    }
                    client.settle();
                    format!("{} {}", came(&mut caller), came(&mut other))
                }),
            ));
        }
    }
}

/// How many messages of the client have come.
fn came(peer: &mut Client) -> usize {
    peer.settle();
    peer.aside
        .iter()
        .filter(|got| got.sender.as_deref().is_some_and(|s| s.starts_with(':')))
        .count()
}

fn verdicts(scene: &Scene, make: Make, cases: &[(String, Case)]) -> Vec<String> {
    let proxy = Proxy::start(make, &scene.bus, &OPTIONS);
    cases
        .iter()
        .map(|(_, case)| {
            let mut client = proxy.client();
            // The filters learn who owns what in the background.
            client.settle();
            case(scene, &mut client)
        })
        .collect()
}

fn fits(difference: &Difference, case: &str) -> bool {
    match difference.0.strip_suffix('*') {
        Some(start) => case.starts_with(start),
        None => case == difference.0,
    }
}

fn compare() {
    let scene = Scene::new();
    let cases = cases();
    let ours = verdicts(&scene, Make::Ours, &cases);
    let theirs = verdicts(&scene, Make::Theirs, &cases);
    let (mut wrong, mut used) = (Vec::new(), Vec::new());
    for (((name, _), ours), theirs) in cases.iter().zip(&ours).zip(&theirs) {
        let expected = DIFFERENCES
            .iter()
            .find(|listed| fits(listed, name) && listed.1 == ours && listed.2 == theirs);
        match (ours == theirs, expected) {
            (true, None) => {}
            (false, Some(entry)) => used.push(entry),
            _ => wrong.push(format!("    {name}: ours {ours:?}, theirs {theirs:?}")),
        }
    }
    let stale =
        DIFFERENCES.iter().filter(|entry| !used.iter().any(|used| std::ptr::eq(*used, *entry)));
    wrong.extend(stale.map(|entry| format!("    {}: is listed and does not differ", entry.0)));
    for entry in DIFFERENCES {
        let count = used.iter().filter(|used| std::ptr::eq(**used, entry)).count();
        let Difference(name, ours, theirs, why) = entry;
        println!("{count:2} {name}: ours {ours:?}, theirs {theirs:?}: {why}");
    }
    println!("{} cases, {} differ and are listed", cases.len(), used.len());
    assert!(wrong.is_empty(), "{} verdicts:\n{}", wrong.len(), wrong.join("\n"));
}

/// What the names in the matrix allow without any filter: all. Without this,
/// a denial could be the bus's.
fn control() {
    let scene = Scene::new();
    let proxy = Proxy::start(Make::Ours, &scene.bus, &[]);
    let mut client = proxy.client();
    for short in ["See", "Call", "Broad", "Hidden"] {
        let name = format!("org.pinfold.{short}");
        let call = |path| Message::call(&name, path, "org.pinfold.I", "Other");
        assert_eq!(client.verdict(call("/other")), "ok", "{short}");
        for question in ["GetNameOwner", "GetConnectionUnixProcessID", "ListQueuedOwners"] {
            assert_eq!(client.verdict(Message::bus(question).text(&name)), "ok", "{short}");
        }
        client.call(Message::bus("AddMatch").text("type='signal'"));
        emit(&scene, short, "/other", "org.pinfold.J");
        assert_eq!(heard(&mut client, "News"), "heard", "{short}");
        client.aside.clear();
    }
    let eavesdrop = Message::bus("AddMatch").text("eavesdrop='true'");
    assert_eq!(client.verdict(eavesdrop), "ok");
    let take = Message::bus("RequestName").text("org.pinfold.Nobody").number(0);
    assert_eq!(client.verdict(take), "ok");
    assert!(
        client.call(Message::bus("ListNames")).texts.contains(&"org.pinfold.Hidden".to_owned())
    );
}

pub fn trials() -> Vec<Trial> {
    vec![
        crate::trial_if(
            peer_is_there(),
            "xdg-dbus-proxy is not installed",
            "matrix::same_verdicts_as_xdg_dbus_proxy",
            compare,
        ),
        crate::trial("matrix::without_a_filter_all_of_it_is_allowed", control),
    ]
}
