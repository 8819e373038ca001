//! What has to work: descriptors both ways, every kind of address, and an end
//! that takes nothing with it.

use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use libtest_mimic::Trial;
use pinfold::proxy::wire::Kind;

use crate::client::{Came, Client, Message, PATIENCE};
use crate::daemon::Service;
use crate::world::{Bus, Make, Proxy, eventually, program};

fn next_call(client: &mut Client) -> crate::client::Got {
    loop {
        match client.receive(PATIENCE) {
            Came::Message(got) if got.kind == Kind::Call => return got,
            Came::Message(_) => {}
            other => panic!("no call came: {other:?}"),
        }
    }
}

/// Descriptors arrive with their message and are the ones that were sent.
fn descriptors_both_ways() {
    let bus = Bus::start();
    let mut peer = bus.client();
    peer.call(Message::bus("RequestName").text("org.pinfold.Peer").number(0));
    for options in [&["--filter", "--talk=org.pinfold.Peer"][..], &[]] {
        let proxy = Proxy::start(Make::Ours, &bus, options);
        let mut client = proxy.client();
        client.settle();
        let before = proxy.descriptors();
        for count in [1, 2, 16] {
            let files: Vec<_> = (0..count)
                .map(|number| {
                    let mut file = tempfile::tempfile().expect("a file");
                    write!(file, "file {number}").expect("writing");
                    file
                })
                .collect();
            let borrowed: Vec<_> = files.iter().map(AsFd::as_fd).collect();
            let serial = client.next_serial();
            let mut call = Message::call("org.pinfold.Peer", "/", "org.pinfold.I", "Take");
            call.serial = serial;
            call.descriptors = count;
            // Another message right behind it, without any.
            let mut bytes = call.bytes();
            bytes.extend(Message { serial: client.next_serial(), ..Message::bus("GetId") }.bytes());
            client.send_with(&bytes, &borrowed);
            let got = next_call(&mut peer);
            same_files(&files, got.descriptors);

            let reply = Message {
                serial: peer.next_serial(),
                descriptors: count,
                ..Message::returned(&got.sender.unwrap_or_default(), got.serial)
            };
            peer.send_with(&reply.bytes(), &borrowed);
            match client.reply_to(serial, PATIENCE) {
                Came::Message(got) => same_files(&files, got.descriptors),
                other => panic!("{other:?}"),
            }
        }
        client.settle();
        assert_eq!(proxy.descriptors(), before, "none stays behind");
    }
}

fn same_files(sent: &[std::fs::File], came: Vec<std::os::fd::OwnedFd>) {
    assert_eq!(sent.len(), came.len());
    for (number, (sent, came)) in sent.iter().zip(came).enumerate() {
        let mut came = std::fs::File::from(came);
        let inode = |file: &std::fs::File| file.metadata().expect("metadata").ino();
        assert_eq!(inode(sent), inode(&came));
        let mut text = String::new();
        came.rewind().expect("seeking");
        came.read_to_string(&mut text).expect("reading");
        assert_eq!(text, format!("file {number}"));
    }
}

/// Descriptors of a message that is refused are closed, and the caller told.
fn descriptors_of_refused_calls() {
    let bus = Bus::start();
    let proxy = Proxy::start(Make::Ours, &bus, &["--filter"]);
    let mut client = proxy.client();
    client.settle();
    let before = proxy.descriptors();
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let serial = client.next_serial();
    let mut call = Message::call("org.pinfold.Nobody", "/", "org.pinfold.I", "Take");
    (call.serial, call.descriptors) = (serial, 1);
    client.send_with(&call.bytes(), &[writer.as_fd()]);
    assert!(matches!(client.reply_to(serial, PATIENCE), Came::Message(_)));
    drop(writer);
    assert_eq!(reader.read(&mut [0]).expect("reading"), 0, "nobody holds the other end");
    assert_eq!(proxy.descriptors(), before);
}

/// `unix:abstract`, a list of addresses, and addresses that are refused.
fn addresses() {
    let bus = Bus::start_abstract();
    let service = Service::start(&bus, "org.pinfold.Talk");
    let proxy = Proxy::start(Make::Ours, &bus, &["--filter", "--talk=org.pinfold.Talk"]);
    let call = || Message::call(&service.name, "/", "org.pinfold.I", "M");
    assert_eq!(proxy.client().verdict(call()), "ok");

    let list = format!("unix:path=/nonexistent;{}", bus.address);
    let socket = bus.folder().join("listed");
    let proxy = Proxy::start_at(Make::Ours, &list, &socket, &["--filter"]);
    proxy.client().settle();

    for address in
        ["tcp:host=127.0.0.1,port=1", "unixexec:path=/bin/true", "autolaunch:", "unix:tmpdir=/tmp"]
    {
        let output = std::process::Command::new(program())
            .args(["bus-proxy", address, "/nonexistent/socket"])
            .output()
            .expect("the filter runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{address}: {said}");
        assert!(said.contains("cannot use the address"), "{address}: {said}");
    }
}

/// A message of a few megabytes, both ways, and many small ones behind it.
fn long_messages() {
    let bus = Bus::start();
    let mut peer = bus.client();
    peer.call(Message::bus("RequestName").text("org.pinfold.Peer").number(0));
    let proxy = Proxy::start(Make::Ours, &bus, &["--filter", "--talk=org.pinfold.Peer"]);
    for length in [10, 16 * 1024, 65_536, 1 << 20, 20 << 20] {
        let mut client = proxy.client();
        client.settle();
        let text: String = ('a'..='z').cycle().take(length).collect();
        let call = Message::call("org.pinfold.Peer", "/", "org.pinfold.I", "M").text(&text);
        // The peer has to read while the client writes.
        let writer = std::thread::spawn(move || {
            let serial = client.send(call);
            client.send(Message::bus("GetId").flags(1));
            (client, serial)
        });
        let got = next_call(&mut peer);
        let (mut client, serial) = writer.join().expect("the client wrote");
        assert!(got.texts == [text.clone()], "{length} bytes arrive as they were");
        let reply = Message::returned(&got.sender.unwrap_or_default(), got.serial).text(&text);
        let reader = std::thread::spawn(move || client.reply_to(serial, PATIENCE));
        peer.send(reply);
        match reader.join().expect("the client read") {
            Came::Message(got) => assert!(got.texts == [text], "{length} bytes come back"),
            other => panic!("{length}: {other:?}"),
        }
    }
}

/// What a client writes before it leaves still arrives; so does what the bus
/// wrote before it died.
fn last_words() {
    let mut bus = Bus::start();
    let mut proxy = Proxy::start(Make::Ours, &bus, &["--filter", "--see=org.pinfold.*"]);
    let before = proxy.descriptors();
    let mut listener = bus.client();
    listener.call(Message::bus("AddMatch").text("type='signal',interface='org.pinfold.I'"));
    let mut client = Client::raw(&proxy.socket);
    let mut whole = crate::client::handshake();
    whole.extend(Message { serial: 1, ..Message::bus("Hello") }.bytes());
    whole.extend(Message { serial: 2, ..Message::signal("/", "org.pinfold.I", "Bye") }.bytes());
    client.write(&whole);
    drop(client);
    loop {
        match listener.receive(PATIENCE) {
            Came::Message(got) if got.member.as_deref() == Some("Bye") => break,
            Came::Message(_) => {}
            other => panic!("the last signal did not come: {other:?}"),
        }
    }
    eventually("its connections are closed", || proxy.descriptors() == before);

    let mut client = proxy.client();
    client.settle();
    bus.kill();
    assert!(client.is_closed(), "the bus has died");
    eventually("its connections are closed", || proxy.descriptors() == before);
    proxy.must_live();
    // Whoever comes now is turned away, and the filter lives on.
    assert!(Client::raw(&proxy.socket).is_closed());
    proxy.must_live();
}

/// The lifeline: a byte when ready, an end when it closes, and no socket left.
fn lifeline() {
    let bus = Bus::start();
    let mut proxy = Proxy::start(Make::Ours, &bus, &["--filter"]);
    let mut client = proxy.client();
    assert!(proxy.socket.exists());
    assert!(proxy.end(), "it ends without an error");
    assert!(!proxy.socket.exists(), "its socket is gone");
    assert!(client.is_closed());

    // What is no socket is not replaced.
    let file = bus.folder().join("file");
    std::fs::write(&file, "precious").expect("writing");
    let output = std::process::Command::new(program())
        .args(["bus-proxy", &bus.address, &file.display().to_string()])
        .output()
        .expect("the filter runs");
    assert_eq!(output.status.code(), Some(125));
    assert_eq!(std::fs::read_to_string(&file).expect("reading"), "precious");
}

/// Two buses by one process, and arguments by a descriptor.
fn groups_and_arguments() {
    let (first, second) = (Bus::start(), Bus::start());
    let seen = Service::start(&first, "org.pinfold.See");
    let socket = second.folder().join("second");
    let address = second.address.clone();
    let options =
        ["--filter", "--see=org.pinfold.See", &address, &socket.display().to_string(), "--filter"];
    let proxy = Proxy::start(Make::Ours, &first, &options);
    let asked = || Message::bus("NameHasOwner").text(&seen.name);
    assert_eq!(proxy.client().call(asked()).body, [1, 0, 0, 0]);
    assert_eq!(Client::new(&socket).call(asked()).body, [0, 0, 0, 0]);

    let mut file = tempfile::tempfile().expect("a file");
    let third = second.folder().join("third");
    write!(file, "{address}\0{}\0--filter\0", third.display()).expect("writing");
    file.rewind().expect("seeking");
    let mut process = std::process::Command::new(program())
        .args(["bus-proxy", "--args=0"])
        .stdin(file)
        .spawn()
        .expect("the filter runs");
    eventually("it listens", || std::os::unix::net::UnixStream::connect(&third).is_ok());
    let verdict = Client::new(&third).verdict(Message::bus("BecomeMonitor"));
    let _ = process.kill();
    let _ = process.wait();
    assert_eq!(verdict, "AccessDenied");
}

/// The clients that people have.
fn common_clients() {
    let bus = Bus::start();
    let talk = Service::start(&bus, "org.pinfold.Talk");
    let proxy = Proxy::start(Make::Ours, &bus, &["--filter", "--talk=org.pinfold.Talk"]);
    let address = format!("unix:path={}", proxy.socket.display());
    let call = "org.freedesktop.DBus.ListNames";
    let commands: [&[&str]; 3] = [
        &["dbus-send", "--print-reply", "--dest=org.freedesktop.DBus", "/", call],
        &["gdbus", "call", "--session", "-d", "org.freedesktop.DBus", "-o", "/", "-m", call],
        &[
            "busctl",
            "--user",
            "call",
            "org.freedesktop.DBus",
            "/",
            "org.freedesktop.DBus",
            "ListNames",
        ],
    ];
    let mut tried = 0;
    for command in commands {
        let output = std::process::Command::new(command[0])
            .args(&command[1..])
            .env("DBUS_SESSION_BUS_ADDRESS", &address)
            .output();
        let Ok(output) = output else { continue };
        tried += 1;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command:?}: {why}");
        assert!(said.contains(&talk.name), "{command:?}: {said}");
    }
    assert!(tried > 0, "dbus-send comes with dbus-daemon");
}

/// zbus writes its handshake and Hello in one piece, and counts serials in its
/// own way.
fn zbus_client() {
    let bus = Bus::start();
    let talk = Service::start(&bus, "org.pinfold.Talk");
    let options = ["--filter", "--talk=org.pinfold.Talk", "--own=org.pinfold.Own", "--see=org.x.*"];
    let proxy = Proxy::start(Make::Ours, &bus, &options);
    let address = format!("unix:path={}", proxy.socket.display());
    let called = |name: &'static str| {
        zbus::block_on(async {
            let connection = zbus::connection::Builder::address(&*address).build().await?;
            connection.request_name("org.pinfold.Own").await?;
            let reply = connection
                .call_method(Some(name), "/", Some("org.pinfold.I"), "M", &("text", 5u32))
                .await?;
            reply.body().deserialize::<String>()
        })
    };
    assert_eq!(called("org.pinfold.Talk").expect("an answer"), "ok");
    let refused = called("org.pinfold.Hidden").expect_err("hidden").to_string();
    assert!(refused.contains("ServiceUnknown"), "{refused}");
    drop(talk);
}

pub fn trials() -> Vec<Trial> {
    vec![
        crate::trial("passing::descriptors_both_ways", descriptors_both_ways),
        crate::trial("passing::descriptors_of_refused_calls", descriptors_of_refused_calls),
        crate::trial("passing::addresses", addresses),
        crate::trial("passing::long_messages", long_messages),
        crate::trial("passing::last_words", last_words),
        crate::trial("passing::lifeline", lifeline),
        crate::trial("passing::groups_and_arguments", groups_and_arguments),
        crate::trial("passing::common_clients", common_clients),
        crate::trial("passing::zbus_client", zbus_client),
    ]
}
