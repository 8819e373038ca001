//! Clients that want out. Each denial has its control: the same act without
//! a filter, or by an honest client.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use libtest_mimic::Trial;
use pinfold::proxy::wire::{Endian, Kind};

use crate::client::{Came, Client, Message, handshake};
use crate::daemon::Service;
use crate::world::{Bus, Make, Proxy, eventually};

fn filtered(bus: &Bus, options: &[&str]) -> Proxy {
    Proxy::start(Make::Ours, bus, &[&["--filter"], options].concat())
}

/// Whether the filter still serves an honest client.
fn serves(proxy: &mut Proxy) {
    proxy.must_live();
    proxy.client().settle();
}

/// How many messages of a kind have come to a peer by now.
fn came(peer: &mut Client, member: &str) -> usize {
    peer.settle();
    peer.aside.iter().filter(|got| got.member.as_deref() == Some(member)).count()
}

fn next_call(client: &mut Client) -> crate::client::Got {
    loop {
        match client.receive(crate::client::PATIENCE) {
            Came::Message(got) if got.kind == Kind::Call => return got,
            Came::Message(_) => {}
            other => panic!("no call came: {other:?}"),
        }
    }
}

/// CVE-2026-94422: anything that quotes a serial was a reply, to anybody.
fn forged_replies() {
    let bus = Bus::start();
    let proxy = filtered(&bus, &[]);
    for filter in [true, false] {
        for kind in [1u8, 2, 3, 4] {
            for right in [true, false] {
                let mut client = if filter { proxy.client() } else { bus.client() };
                let (mut caller, mut other) = (bus.client(), bus.client());
                other.skip_serials();
                let asked = caller.send(Message::call(&client.name, "/", "org.pinfold.I", "M"));
                let call = next_call(&mut client);
                let to = if right { &caller.name } else { &other.name };
                let forged = Message {
                    kind,
                    path: Some("/x".to_owned()),
                    interface: Some("org.pinfold.I".to_owned()),
                    member: Some("Forged".to_owned()),
                    ..Message::failed(to, call.serial)
                };
                client.send(forged.clone().flags(1));
                client.send(forged.flags(1));
                client.settle();
                let what = format!("type {kind} to the right peer: {right}, filter: {filter}");
                let came = (came(&mut caller, "Forged"), came(&mut other, "Forged"));
                let expected = match (filter, kind, right) {
                    // A reply to the caller passes, and only the first.
                    (true, 2 | 3, true) => (1, 0),
                    (true, ..) => (0, 0),
                    // The control: without a filter all of it arrives.
                    (false, _, true) => (2, 0),
                    (false, _, false) => (0, 2),
                };
                assert_eq!(came, expected, "{what}");
                if filter && right && (kind == 2 || kind == 3) {
                    let reply = caller.aside.iter().find(|got| got.reply_serial == Some(asked));
                    assert!(reply.is_some(), "{what}: the caller got its reply");
                }
            }
        }
    }
}

/// A peer that forges a reply to a call which the client made to another.
fn replies_of_the_wrong_peer_do_not_reach_the_client() {
    let bus = Bus::start();
    let mut slow = bus.client();
    slow.call(Message::bus("RequestName").text("org.pinfold.Slow").number(0));
    let proxy = filtered(&bus, &["--talk=org.pinfold.Slow"]);
    let mut client = proxy.client();
    client.settle();
    let asked = client.send(Message::call(&slow.name, "/", "org.pinfold.I", "M"));
    let call = next_call(&mut slow);
    let sender = call.sender.clone().unwrap_or_default();
    let mut forger = bus.client();
    forger.send(Message::returned(&sender, call.serial).text("forged"));
    forger.settle();
    client.settle();
    let forged = |client: &Client| client.aside.iter().any(|got| got.texts == ["forged"]);
    assert!(!forged(&client), "the forged reply came through");
    slow.send(Message::returned(&sender, call.serial).text("true"));
    match client.reply_to(asked, crate::client::PATIENCE) {
        Came::Message(got) => assert_eq!(got.texts, ["true"]),
        other => panic!("{other:?}"),
    }
    // Once more, now that nothing is open.
    slow.send(Message::returned(&sender, call.serial).text("forged"));
    slow.settle();
    client.settle();
    assert!(!forged(&client), "a second reply came through");
    // The control: the bus itself lets such replies through.
    let mut open = bus.client();
    forger.send(Message::returned(&open.name, 12345).text("forged"));
    forger.settle();
    open.settle();
    assert!(forged(&open), "the bus passes replies to nothing");
}

/// CVE-2026-34080: white space between `eavesdrop` and its `=`.
fn eavesdropping() {
    let bus = Bus::start();
    let (mut talker, listener) = (bus.client(), bus.client());
    let proxy = filtered(&bus, &[]);
    let mut rules = Vec::new();
    for key in [
        "eavesdrop",
        "EAVESDROP",
        "eavesdrop ",
        "eavesdrop\t",
        "eavesdrop\r",
        "eavesdrop\n",
        " eavesdrop",
    ] {
        for value in ["true", "'true'", "'t''rue'", r"'true'\''"] {
            for after in ["", ",", ",type='signal'", ", member='Secret'"] {
                rules.push(format!("{key}={value}{after}"));
                rules.push(format!("type='method_call', {key}={value}{after}"));
            }
        }
    }
    let mut client = proxy.client();
    for rule in &rules {
        let verdict = client.verdict(Message::bus("AddMatch").text(rule));
        assert!(verdict != "ok", "{rule:?} was accepted");
    }
    // Without waiting for a reply, too.
    for rule in &rules {
        client.send(Message::bus("AddMatch").text(rule).flags(1));
    }
    let mut open = bus.client();
    open.call(Message::bus("AddMatch").text("eavesdrop='true'"));
    client.settle();
    talker.send(Message::call(&listener.name, "/", "org.pinfold.I", "Secret").flags(1));
    talker.settle();
    assert_eq!(came(&mut client, "Secret"), 0);
    assert_eq!(came(&mut open, "Secret"), 1, "the control hears it");
    for (interface, verdict) in [
        ("org.freedesktop.DBus.Monitoring", "AccessDenied"),
        ("org.freedesktop.DBus", "AccessDenied"),
    ] {
        let call = Message::call(
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            interface,
            "BecomeMonitor",
        );
        assert_eq!(client.verdict(call), verdict);
    }
}

/// CVE-2018-6560 and its kin: what is BEGIN for one reader and not for the
/// other.
fn handshakes_that_two_readers_take_differently() {
    let bus = Bus::start();
    let mut proxy = filtered(&bus, &[]);
    let uid: String = rustix::process::geteuid()
        .as_raw()
        .to_string()
        .bytes()
        .map(|b| format!("{b:02x}"))
        .collect();
    let auth = format!("\0AUTH EXTERNAL {uid}\r\n");
    let hello = Message { serial: 1, ..Message::bus("Hello") }.bytes();
    let forbidden = Message { serial: 2, ..Message::bus("BecomeMonitor") }.bytes();
    for begin in [
        "BEGIN \r\n",
        "BEGIN\t\r\n",
        "\tBEGIN\r\n",
        " BEGIN\r\n",
        "BEGIN\n",
        "BEGIN\r",
        "BEGIN now\r\n",
        "begin\r\n",
        "BEGIN\0\r\n",
        "BEGINBEGIN\r\n",
        "NEGOTIATE_UNIX_FD\nBEGIN\r\n",
        "X\rBEGIN\r\n",
    ] {
        let mut client = Client::raw(&proxy.socket);
        client.try_write(auth.as_bytes());
        client.try_write(begin.as_bytes());
        client.try_write(&hello);
        client.try_write(&forbidden);
        assert!(closes_without_a_message(client), "{begin:?}");
    }
    // Nothing without AUTH, whatever comes first.
    for first in [
        &b"\0BEGIN\r\n"[..],
        b"AUTH EXTERNAL\r\n",
        b"\0\0AUTH EXTERNAL\r\n",
        b"BEGIN\r\n",
        b"l\x01\0\x01",
    ] {
        let mut client = Client::raw(&proxy.socket);
        client.try_write(first);
        client.try_write(&hello);
        assert!(closes_without_a_message(client), "{first:?}");
    }
    // Another user, and no user.
    for name in ["30303030303030", "", "39393939"] {
        let mut client = Client::raw(&proxy.socket);
        client.write(format!("\0AUTH EXTERNAL {name}\r\n").as_bytes());
        assert_eq!(client.line(), "REJECTED EXTERNAL", "{name:?}");
    }
    let mut long = b"\0".to_vec();
    long.resize(17 * 1024, b'A');
    let mut client = Client::raw(&proxy.socket);
    client.try_write(&long);
    assert!(closes_without_a_message(client), "a line of 17 KiB");
    serves(&mut proxy);
}

/// Lines of the handshake may come before the end; a message must not.
fn closes_without_a_message(mut client: Client) -> bool {
    let text = |byte: &u8| (b' '..=b'~').contains(byte) || b"\r\n".contains(byte);
    client.last_bytes().is_some_and(|bytes| bytes.iter().all(text))
}

/// zbus and sd-bus write all of this at once.
fn pipelined_and_split_handshakes() {
    let bus = Bus::start();
    let proxy = filtered(&bus, &["--see=org.pinfold.*"]);
    let mut whole = handshake();
    whole.extend(Message { serial: 1, ..Message::bus("Hello") }.bytes());
    whole.extend(Message { serial: 2, ..Message::bus("GetId") }.bytes());
    let check = |client: &mut Client, how: &str| {
        assert!(client.line().starts_with("OK "), "{how}");
        assert_eq!(client.line(), "AGREE_UNIX_FD", "{how}");
        for serial in [1, 2] {
            match client.reply_to(serial, crate::client::PATIENCE) {
                Came::Message(got) => assert_eq!(got.error, None, "{how}, {serial}"),
                other => panic!("{how}, {serial}: {other:?}"),
            }
        }
    };
    let mut client = Client::raw(&proxy.socket);
    client.write(&whole);
    check(&mut client, "in one write");
    let mut client = Client::raw(&proxy.socket);
    for byte in &whole {
        client.write(&[*byte]);
    }
    check(&mut client, "byte by byte");
    for split in (1..whole.len()).step_by(3) {
        let mut client = Client::raw(&proxy.socket);
        client.write(&whole[..split]);
        std::thread::sleep(Duration::from_millis(1));
        client.write(&whole[split..]);
        check(&mut client, &format!("split at {split}"));
    }
    // As sd-bus does: no name, and nothing waited for.
    let mut client = Client::raw(&proxy.socket);
    client.write(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
    client.hello_after_lines(2);
}

fn big_endian() {
    let bus = Bus::start();
    let service = Service::start(&bus, "org.pinfold.Talk");
    let hidden = Service::start(&bus, "org.pinfold.Hidden");
    let proxy = filtered(&bus, &["--talk=org.pinfold.Talk"]);
    let mut client = Client::authenticated(&proxy.socket);
    client.endian = Endian::Big;
    let big = |message: Message| Message { endian: Endian::Big, ..message };
    let reply = client.call(big(Message::bus("Hello")));
    client.name = reply.texts[0].clone();
    let text = |member: &str, text: &str| {
        Message { endian: Endian::Big, ..Message::bus(member) }.text(text)
    };
    assert_eq!(client.verdict(text("GetNameOwner", &service.name)), "ok");
    assert_eq!(client.verdict(text("GetNameOwner", &hidden.name)), "NameHasNoOwner");
    assert_eq!(client.verdict(text("AddMatch", "eavesdrop='true'")), "AccessDenied");
    assert_eq!(client.verdict(text("AddMatch", "type='signal'")), "ok");
    let call = |name: &str| big(Message::call(name, "/", "org.pinfold.I", "M"));
    assert_eq!(client.verdict(call(&service.name)), "ok");
    assert_eq!(client.verdict(call(&hidden.name)), "ServiceUnknown");
    // A service that answers in the other byte order.
    let mut caller = bus.client();
    let asked = caller.send(Message::call(&client.name, "/", "org.pinfold.I", "M"));
    let got = next_call(&mut client);
    client.send(big(Message::returned(&caller.name, got.serial)).text("big"));
    match caller.reply_to(asked, crate::client::PATIENCE) {
        Came::Message(got) => assert_eq!(got.texts, ["big"]),
        other => panic!("{other:?}"),
    }
}

/// Bytes that are no message end the connection, and only that one.
fn malformed_messages() {
    let bus = Bus::start();
    let mut proxy = filtered(&bus, &[]);
    let good = Message { serial: 9, ..Message::bus("GetId") }.bytes();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let long_path = format!("/{}", "a".repeat(300));
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("byte order", with(&|bytes| bytes[0] = b'L')),
        ("type 0", with(&|bytes| bytes[1] = 0)),
        ("type 5", with(&|bytes| bytes[1] = 5)),
        ("version", with(&|bytes| bytes[3] = 2)),
        (
            "body of 128 MiB",
            with(&|bytes| bytes[4..8].copy_from_slice(&0x0800_0000u32.to_le_bytes())),
        ),
        ("body of 4 GiB", with(&|bytes| bytes[4..8].fill(0xff))),
        ("fields of 4 GiB", with(&|bytes| bytes[12..16].fill(0xff))),
        ("serial 0", with(&|bytes| bytes[8..12].fill(0))),
        ("unknown field", with(&|bytes| bytes[16] = 10)),
        ("field twice", with(&|bytes| bytes[16] = 3)),
        ("text of 4 GiB", with(&|bytes| bytes[20..24].fill(0xff))),
        ("body without signature", {
            let mut message = Message { serial: 9, ..Message::bus("GetId") };
            message.body = vec![0; 8];
            message.bytes()
        }),
        (
            "254 descriptors",
            Message { serial: 9, descriptors: 254, ..Message::bus("GetId") }.bytes(),
        ),
        (
            "descriptors that do not come",
            Message { serial: 9, descriptors: 1, ..Message::bus("GetId") }.bytes(),
        ),
        ("a member of 256 bytes", Message { serial: 9, ..Message::bus(&"a".repeat(256)) }.bytes()),
        (
            "a path with a hyphen",
            Message { serial: 9, path: Some("/a-b".to_owned()), ..Message::bus("GetId") }.bytes(),
        ),
        (
            "the local interface",
            Message {
                serial: 9,
                ..Message::signal("/a", "org.freedesktop.DBus.Local", "Disconnected")
            }
            .bytes(),
        ),
    ];
    for (what, bytes) in &cases {
        let mut client = proxy.client();
        client.try_write(bytes);
        assert!(client.is_closed(), "{what}");
        proxy.must_live();
    }
    // The controls: what is unusual and right.
    let mut client = proxy.client();
    let mut call = Message::bus("GetId");
    call.path = Some(long_path);
    assert_eq!(client.verdict(call), "ok", "a path of 301 bytes");
    assert_eq!(client.verdict(Message::bus("GetId").flags(0xf8)), "ok", "unknown flags");
    serves(&mut proxy);
}

/// The order of messages: Hello first; serials free but for open calls.
fn order_of_messages() {
    let bus = Bus::start();
    let mut slow = bus.client();
    slow.call(Message::bus("RequestName").text("org.pinfold.Slow").number(0));
    let mut proxy = filtered(&bus, &["--talk=org.pinfold.Slow"]);
    let mut early = Client::authenticated(&proxy.socket);
    early.send(Message::bus("GetId"));
    assert!(early.is_closed(), "a call before Hello");
    let mut silent = Client::authenticated(&proxy.socket);
    silent.send(Message::bus("Hello").flags(1));
    assert!(silent.is_closed(), "Hello without reply");
    let mut disguised = Client::authenticated(&proxy.socket);
    let mut hello = Message::bus("Hello");
    hello.reply_serial = Some(1);
    disguised.send(hello);
    assert!(disguised.is_closed(), "Hello that is a reply");

    let mut client = proxy.client();
    for serial in [u32::MAX, 7, 6, 7, 0x8000_0000, 1, 2] {
        let call = Message { serial, ..Message::bus("GetId") };
        assert_eq!(client.verdict(call), "ok", "serial {serial}");
    }
    let call = Message::call("org.pinfold.Slow", "/", "org.pinfold.I", "M");
    client.send(Message { serial: 50, ..call.clone() });
    next_call(&mut slow);
    assert_eq!(client.verdict(Message { serial: 49, ..Message::bus("GetId") }), "ok");
    client.send(Message { serial: 50, ..Message::bus("GetId") });
    assert!(client.is_closed(), "the serial of an open call");
    serves(&mut proxy);
}

/// Messages that end in the middle, and clients that end with them.
fn truncated_messages() {
    let bus = Bus::start();
    let mut proxy = filtered(&bus, &[]);
    let before = proxy.descriptors();
    let mut whole = handshake();
    whole.extend(Message { serial: 1, ..Message::bus("Hello") }.bytes());
    whole.extend(Message { serial: 2, ..Message::bus("NameHasOwner").text("org.a") }.bytes());
    for cut in 0..whole.len() {
        let mut client = Client::raw(&proxy.socket);
        client.write(&whole[..cut]);
    }
    proxy.must_live();
    eventually("all of it is closed", || proxy.descriptors() == before);
    serves(&mut proxy);
}

/// A header that announces much takes no memory until it comes.
fn announced_and_real_size() {
    let bus = Bus::start();
    let mut proxy = filtered(&bus, &[]);
    proxy.client().settle();
    let before = proxy.memory();
    let mut clients = Vec::new();
    for _ in 0..50 {
        let mut client = proxy.client();
        let mut bytes = Message { serial: 9, ..Message::bus("GetId") }.bytes();
        bytes[4..8].copy_from_slice(&(100u32 << 20).to_le_bytes());
        client.write(&bytes);
        clients.push(client);
    }
    for client in &mut clients {
        // More than fits into the room of a first read.
        client.try_write(&[0; 20_000]);
    }
    std::thread::sleep(Duration::from_millis(100));
    proxy.must_live();
    let grown = proxy.memory().saturating_sub(before);
    assert!(grown < 20_000, "5 GiB announced took {grown} KiB");
    drop(clients);
    serves(&mut proxy);
}

/// That the filter waits, and does not ask again and again.
fn sleeps(proxy: &Proxy) {
    let before = proxy.processor_time();
    std::thread::sleep(Duration::from_millis(500));
    let worked = proxy.processor_time() - before;
    assert!(worked < Duration::from_millis(100), "it is awake for {worked:?} of 500 ms");
}

/// A client that calls what is refused, for ever, and reads nothing; and one
/// that is sent more than it reads.
fn floods_are_bounded() {
    let bus = Bus::start();
    let mut proxy = filtered(&bus, &[]);
    proxy.client().settle();
    let before = proxy.memory();
    let mut client = proxy.client();
    client.socket.set_nonblocking(true).expect("nonblocking");
    let refused = Message { serial: 9, ..Message::call("org.pinfold.Nobody", "/", "org.a.B", "M") };
    let flood = refused.bytes().repeat(200);
    let mut written = 0;
    for _ in 0..2000 {
        match std::io::Write::write(&mut client.socket, &flood) {
            Ok(count) => written += count,
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    proxy.must_live();
    let grown = proxy.memory().saturating_sub(before);
    assert!(written < 50 << 20, "{written} bytes were taken from a client that reads nothing");
    assert!(grown < 20_000, "a flood of refused calls took {grown} KiB");
    // The flood still waits in the socket, and the filter sleeps.
    sleeps(&proxy);
    drop(client);
    serves(&mut proxy);

    // A peer that writes to a client which does not read.
    let deaf = proxy.client();
    let mut peer = bus.client();
    let mut signal = Message::signal("/x", "org.pinfold.I", "Big").to(&deaf.name);
    signal = signal.text(&"x".repeat(100_000));
    for _ in 0..500 {
        peer.send(signal.clone());
    }
    peer.settle();
    std::thread::sleep(Duration::from_millis(200));
    let grown = proxy.memory().saturating_sub(before);
    sleeps(&proxy);
    assert!(grown < 20_000, "50 MB for a client that reads nothing took {grown} KiB");
    serves(&mut proxy);
}

/// Descriptors that no message declares are closed, however many come.
fn descriptor_floods() {
    let bus = Bus::start();
    let mut proxy = filtered(&bus, &[]);
    let null = std::fs::File::open("/dev/null").expect("/dev/null");
    let many: Vec<BorrowedFd<'_>> = vec![null.as_fd(); 253];
    let mut client = proxy.client();
    client.settle();
    let before = proxy.descriptors();
    for round in 0..200 {
        let serial = client.next_serial();
        let call = Message { serial, ..Message::bus("GetId") };
        assert!(client.send_with(&call.bytes(), &many), "round {round}");
        match client.reply_to(serial, crate::client::PATIENCE) {
            Came::Message(got) => assert_eq!(got.error, None),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(proxy.descriptors(), before, "undeclared descriptors are closed at once");

    // A message that never ends, with more and more of them.
    let mut hoarder = proxy.client();
    let bytes = Message { serial: 9, ..Message::bus("GetId").text(&"x".repeat(1000)) }.bytes();
    for byte in &bytes[..100] {
        if !hoarder.send_with(&[*byte], &many) {
            break;
        }
    }
    assert!(hoarder.is_closed(), "a hoard of descriptors");
    // And before the handshake is over.
    let mut early = Client::raw(&proxy.socket);
    early.send_with(b"\0", &many);
    early.send_with(b"AUTH", &many);
    early.send_with(b" EXTERNAL\r\n", &many);
    assert_eq!(early.line(), "DATA");
    drop((client, hoarder, early));
    let connected = 2;
    eventually("all of them are closed", || proxy.descriptors() <= before - connected);
    serves(&mut proxy);
}

/// A client that has not asked for descriptors gets none and sends none.
fn descriptors_without_asking() {
    let bus = Bus::start();
    let mut proxy = filtered(&bus, &[]);
    let mut client = Client::raw(&proxy.socket);
    client.write(b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n");
    client.hello_after_lines(2);
    let null = std::fs::File::open("/dev/null").expect("/dev/null");
    let call = Message { serial: 9, descriptors: 1, ..Message::bus("GetId") };
    client.send_with(&call.bytes(), &[null.as_fd()]);
    assert!(client.is_closed());
    serves(&mut proxy);
}

/// Another user may reach the socket, and is not served: not as itself, and
/// not as the user whose bus it is.
fn other_users() {
    use std::os::unix::fs::PermissionsExt;
    let bus = Bus::start();
    let mut proxy = filtered(&bus, &[]);
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    };
    open(bus.folder(), 0o755);
    open(&proxy.socket, 0o777);
    let ask = |uid: &str| {
        std::process::Command::new("setpriv")
            .args(["--reuid", uid, "--clear-groups", "dbus-send", "--print-reply"])
            .arg(format!("--bus=unix:path={}", proxy.socket.display()))
            .args(["--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.GetId"])
            .output()
            .expect("setpriv runs")
            .status
            .success()
    };
    assert!(ask("0"), "the control: the same command as the filter's own user");
    assert!(!ask("65534"), "another user");
    serves(&mut proxy);
}

fn connections_in_a_row() {
    let full = std::env::var("PINFOLD_FULL").is_ok_and(|full| full == "1");
    let rounds = if full { 10_000 } else { 2_000 };
    let bus = Bus::start();
    let mut proxy = filtered(&bus, &["--see=org.pinfold.*", "--talk=org.pinfold.Talk"]);
    let descriptors = proxy.descriptors();
    for _ in 0..200 {
        proxy.client().settle();
    }
    eventually("the first are closed", || proxy.descriptors() == descriptors);
    let memory = proxy.memory();
    for round in 0..rounds {
        // Some leave in the middle.
        match round % 4 {
            0 => drop(Client::raw(&proxy.socket)),
            1 => drop(Client::authenticated(&proxy.socket)),
            _ => proxy.client().settle(),
        }
    }
    proxy.must_live();
    eventually("all are closed", || proxy.descriptors() == descriptors);
    let grown = proxy.memory().saturating_sub(memory);
    println!("{rounds} connections: {descriptors} descriptors, {memory} KiB and {grown} more");
    assert!(grown < 1024, "{rounds} connections took {grown} KiB");
    serves(&mut proxy);
}

/// Single bytes of good messages changed: no bypass is looked for here, only
/// that the filter lives and serves others.
fn changed_bytes() {
    let bus = Bus::start();
    let hidden = Service::start(&bus, "org.pinfold.Hidden");
    let mut proxy = filtered(&bus, &[]);
    let good = Message { serial: 9, ..Message::bus("RequestName").text("org.a").number(1) }.bytes();
    let mut client = proxy.client();
    for at in 0..good.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = good.clone();
            bytes[at] = value;
            if !client.try_write(&bytes) {
                client = proxy.client();
            }
        }
        client = proxy.client();
    }
    assert_eq!(client.verdict(Message::call(&hidden.name, "/", "org.a.B", "M")), "ServiceUnknown");
    serves(&mut proxy);
}

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        crate::trial("hostile::forged_replies", forged_replies),
        crate::trial(
            "hostile::replies_of_the_wrong_peer",
            replies_of_the_wrong_peer_do_not_reach_the_client,
        ),
        crate::trial("hostile::eavesdropping", eavesdropping),
        crate::trial("hostile::handshakes", handshakes_that_two_readers_take_differently),
        crate::trial("hostile::pipelined_and_split_handshakes", pipelined_and_split_handshakes),
        crate::trial("hostile::big_endian", big_endian),
        crate::trial("hostile::malformed_messages", malformed_messages),
        crate::trial("hostile::order_of_messages", order_of_messages),
        crate::trial("hostile::truncated_messages", truncated_messages),
        crate::trial("hostile::announced_and_real_size", announced_and_real_size),
        crate::trial("hostile::floods_are_bounded", floods_are_bounded),
        crate::trial("hostile::descriptor_floods", descriptor_floods),
        crate::trial("hostile::descriptors_without_asking", descriptors_without_asking),
        crate::trial("hostile::connections_in_a_row", connections_in_a_row),
        crate::trial("hostile::changed_bytes", changed_bytes),
    ];
    // Only root can be another user; tests/run runs this tier as root too.
    if rustix::process::geteuid().is_root() {
        trials.push(crate::trial("hostile::other_users", other_users));
    }
    trials
}
