//! The process between an application and the buses: who it is for others,
//! and what it has.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::buses::{DAEMON, EMPTY, SESSION, outside, session};
use crate::client::{Message, handshake};
use crate::daemon::Service;
use crate::tests;
use crate::world::{FIXED, Running, World, until};

tests![
    its_root_names_the_application,
    it_is_confined,
    the_bus_knows_it,
    the_application_cannot_reach_it,
    the_marker_cannot_be_changed,
    clients_that_misbehave,
];

/// The file by which portals know a sandbox.
const MARKER: &str = "/.flatpak-info";

/// The filter of a launcher.
pub fn filter_of(launcher: i32) -> i32 {
    let mut found = None;
    until("there is a filter", || {
        let all = fs::read_dir("/proc").unwrap().flatten();
        let mut pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        found = pids.find(|pid| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.starts_with(b"pinfold-bus") && field(*pid, "PPid") == launcher.to_string()
        });
        found.is_some()
    });
    found.unwrap()
}

fn field(pid: i32, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_default().trim().to_owned()
}

/// An application that has the session bus and waits; its connection's name,
/// and the filter before it.
fn started(world: &World, acts: &str, manifest: &str) -> (Running, i32) {
    world.folder("~/Share");
    let acts = format!("{SESSION} {acts} say ready wait-for ~/Share/go");
    let mut running = world.app(&acts).buses(manifest).flags("--write ~/Share").start();
    running.await_word("ready");
    let filter = filter_of(running.pid());
    (running, filter)
}

fn its_root_names_the_application() {
    let world = World::new();
    let _bus = session(&world);
    for (network, shared) in [("", ""), ("[network]\nmode = \"host\"", "network;")] {
        let _ = fs::remove_file(world.path("~/Share/go"));
        let (running, filter) = started(&world, "", &format!("{EMPTY}\n{network}"));
        let root = format!("/proc/{filter}/root");
        let places = world.places();
        assert_eq!(places.len(), 1, "{places:?}");
        let number = &places[0];
        let wanted = format!(
            "[Application]\nname=org.example.Probe\n\n[Instance]\ninstance-id={number}\n\n\
             [Context]\nshared={shared}\n"
        );
        let marker = format!("{root}{MARKER}");
        assert_eq!(fs::read_to_string(&marker).unwrap(), wanted);
        assert!(fs::symlink_metadata(&marker).unwrap().is_file());
        let mut names: Vec<_> =
            fs::read_dir(&root).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".flatpak-info", "session"]);
        // What else portals look at.
        let place = format!("%/.flatpak/{number}");
        assert_eq!(world.names(&place), [".ref", "bwrapinfo.json", "info"]);
        assert_eq!(world.content(&format!("{place}/info")), wanted);
        let info: Value =
            serde_json::from_str(&world.content(&format!("{place}/bwrapinfo.json"))).unwrap();
        let init = info["child-pid"].as_i64().unwrap() as i32;
        assert_eq!(field(init, "PPid"), running.pid().to_string());
        let application = application(&world, init);
        for (key, kind) in
            [("pid-namespace", "pid"), ("net-namespace", "net"), ("mnt-namespace", "mnt")]
        {
            let inode = fs::metadata(format!("/proc/{application}/ns/{kind}")).unwrap().ino();
            assert_eq!(info[key], inode, "{key}");
        }
        world.file("~/Share/go", "");
        running.finish().all_work();
        world.assert_nothing_left();
    }
}

/// The child of a sandbox's first process.
fn application(world: &World, init: i32) -> i32 {
    let mut all = world.processes().into_iter();
    all.find(|pid| field(*pid, "PPid") == init.to_string()).unwrap()
}

fn it_is_confined() {
    let world = World::new();
    let _bus = session(&world);
    // As careless as a caller can be.
    world.folder("~/Share");
    let acts = format!("{SESSION} say ready wait-for ~/Share/go");
    let before = ["@/probe", "junk-fds", "30", "/etc", "become"];
    let mut running =
        world.app(&acts).buses(EMPTY).flags("--write ~/Share").before(&before).start();
    running.await_word("ready");
    let filter = filter_of(running.pid());
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(field(filter, set), "0000000000000000", "{set}");
    }
    assert_eq!(field(filter, "NoNewPrivs"), "1");
    assert_eq!(field(filter, "Seccomp"), "2");
    assert_eq!(field(filter, "Seccomp_filters"), "1");
    assert_eq!(field(filter, "Threads"), "1");
    let open = |pid: i32| -> Vec<(String, u64)> {
        let all = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let told = all.map(|entry| {
            let name = fs::read_link(entry.path()).unwrap().display().to_string();
            (name, fs::metadata(entry.path()).map_or(0, |about| about.rdev()))
        });
        told.collect()
    };
    // The control: the caller had folders open.
    assert_eq!(open(running.pid()).iter().filter(|(name, _)| name == "/etc").count(), 30);
    for (name, device) in open(filter) {
        let is_null = device == rustix::fs::makedev(1, 3);
        let is_own = name.starts_with("socket:") || name.starts_with("anon_inode:");
        assert!(is_null || is_own, "{:?}", open(filter));
    }
    let ns = |pid: &str, kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
    let record: Value =
        serde_json::from_str(&world.content(&format!("%/pinfold/{}", world.records()[0]))).unwrap();
    let application = application(&world, record["init"].as_i64().unwrap() as i32);
    for kind in ["user", "mnt", "net"] {
        let own = ns(&filter.to_string(), kind);
        assert_ne!(own, ns("self", kind), "{kind} is the host's");
        assert_ne!(own, ns(&application.to_string(), kind), "{kind} is the application's");
    }
    // Nothing of the host is mounted but the bus's socket.
    let mounts = fs::read_to_string(format!("/proc/{filter}/mountinfo")).unwrap();
    let places: Vec<&str> = mounts.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    assert_eq!(places, ["/", "/session"], "{mounts}");
    world.file("~/Share/go", "");
    running.finish().all_work();
}

fn the_bus_knows_it() {
    let world = World::new();
    let bus = session(&world);
    let acts = format!("call {DAEMON} RequestName org.example.Probe #4 end");
    let (running, filter) = started(&world, &acts, EMPTY);
    let mut client = bus.client();
    let process = |client: &mut crate::client::Client, name: &str| {
        let got = client.call(Message::bus("GetConnectionUnixProcessID").text(name));
        u32::from_le_bytes(got.body[..4].try_into().unwrap())
    };
    let own = client.name.clone();
    assert_eq!(process(&mut client, &own), std::process::id());
    assert_eq!(process(&mut client, "org.example.Probe"), filter as u32);
    world.file("~/Share/go", "");
    running.finish().all_work();
}

fn the_application_cannot_reach_it() {
    let world = World::new();
    let _bus = session(&world);
    world.folder("~/Share");
    let acts = format!("{SESSION} pids say ready wait-for ~/Share/go call {DAEMON} GetId end");
    let mut running = world.app(&acts).buses(EMPTY).flags("--write ~/Share").start();
    running.await_word("ready");
    let filter = filter_of(running.pid());
    // The control: who is outside reaches it, by the same acts.
    let reach = format!("signal {filter} 0 read /proc/{filter}/status list /proc/{filter}/fd");
    world.outside(&reach).all_work();
    world.file("~/Share/go", "");
    let run = running.finish();
    run.all_work();
    for (pid, name) in run.value(1).as_object().unwrap() {
        assert!(["pinfold", "probe"].contains(&name.as_str().unwrap()), "{pid} is {name}");
    }
    assert_eq!(run.value(1).as_object().unwrap().len(), 2, "{}", run.told());
    // Who guesses the number reaches nothing by it.
    fs::remove_file(world.path("~/Share/go")).unwrap();
    let (running, filter) = started(&world, "", EMPTY);
    let reach = format!("signal {filter} 0 signal {filter} 9 read /proc/{filter}/status");
    world.app(&reach).buses(EMPTY).run().all_refused(&["ESRCH", "EPERM", "ENOENT"]);
    world.file("~/Share/go", "");
    running.finish().all_work();
}

fn the_marker_cannot_be_changed() {
    let world = World::new();
    let _bus = session(&world);
    let acts = |marker: &str, other: &str| {
        format!(
            "open-write {marker} truncate {marker} chmod 666 {marker} \
             rename {other} {marker} exchange {other} {marker} rename {marker} {other} \
             unlink {marker} create {marker} symlink /etc/passwd {marker}"
        )
    };
    // Outside, on a file like it, each act works by itself.
    let control = |act: &str| {
        world.file("~/control/marker", "text");
        world.file("~/control/other", "other");
        world.outside(act).all_work();
    };
    let (marker, other) = ("~/control/marker", "~/control/other");
    for act in [
        format!("open-write {marker}"),
        format!("truncate {marker}"),
        format!("chmod 666 {marker}"),
        format!("rename {other} {marker}"),
        format!("exchange {other} {marker}"),
        format!("rename {marker} {other}"),
        format!("unlink {marker} create {marker} unlink {marker} symlink /etc/passwd {marker}"),
    ] {
        control(&act);
    }
    // A mount over it, a root of its own, and namespaces in which either
    // would be allowed. SYS_mount 165, SYS_chroot 161, SYS_pivot_root 155.
    let more = "unshare 268435456 unshare 131072 syscall 165 0 0 0 4096 0 end \
                syscall 161 0 end syscall 155 0 0 end";
    let manifest = "[portals]\nallow = [\"file-chooser\"]";
    // It leads to dialogs of the document portal, and is there only with that.
    let look = format!("lstat {MARKER}");
    world.app(&look).buses(manifest).run().refused(0, &["ENOENT"]);
    world.folder("%/doc/by-app/org.example.Probe");
    world.folder("~/Share");
    world.file("~/Share/other", "other");
    let acts = format!("read {MARKER} {} {more} read {MARKER}", acts(MARKER, "~/Share/other"));
    let run = world.app(&acts).buses(manifest).flags("--write ~/Share").run();
    let count = run.results().len();
    for at in 1..count - 1 {
        run.refused(at, &[FIXED, &["EXDEV", "EBUSY", "EEXIST", "EFAULT", "ENOSYS"]].concat());
    }
    let marker = run.value(0);
    assert_eq!(marker, run.value(count - 1));
    assert!(marker.as_str().unwrap().contains("name=org.example.Probe\n"), "{marker}");
    // It can be told to be absent, and to be there.
    let off = format!("{manifest}\nmarker = false");
    world.app(&look).buses(&off).run().refused(0, &["ENOENT"]);
    world.app(&look).buses(EMPTY).run().refused(0, &["ENOENT"]);
    world.app(&look).buses(&format!("{EMPTY}\n[portals]\nmarker = true")).run().value(0);
}

/// Bytes as the probe takes them.
fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a real bus, outside, does with the bytes of a client is the control:
/// it obeys, or at least it does not mind.
fn clients_that_misbehave() {
    let world = World::new();
    let bus = session(&world);
    let service = Service::start(&bus, "org.pinfold.Hidden");
    let hello = Message { serial: 1, ..Message::bus("Hello") }.bytes();
    let after = |messages: &[Message]| {
        let mut bytes = [handshake(), hello.clone()].concat();
        for (at, message) in messages.iter().enumerate() {
            bytes.extend(Message { serial: at as u32 + 2, ..message.clone() }.bytes());
        }
        bytes
    };
    let hidden = Message::call("org.pinfold.Hidden", "/x", "org.pinfold.I", "Method");
    // By its unique name, which nobody told it.
    let guessed = Message { destination: Some(service.unique.clone()), ..hidden.clone() };
    let reply = Message::returned(&service.unique, 77).text("forged");
    let rule = |text: &str| Message::bus("AddMatch").text(text);
    let uid = format!("{}", rustix::process::geteuid().as_raw());
    let user = digits(uid.as_bytes());
    let smuggled = |begin: &str| {
        let start = format!("\0AUTH EXTERNAL {user}\r\n{begin}\r\n");
        [start.into_bytes(), hello.clone(), Message { serial: 2, ..hidden.clone() }.bytes()]
            .concat()
    };
    // Each with a text that only obedience would bring back.
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("a hidden name", after(std::slice::from_ref(&hidden)), "\0ok\0"),
        ("a unique name that was guessed", after(&[guessed]), "\0ok\0"),
        ("a forged reply", after(&[reply, hidden.clone()]), "\0ok\0"),
        (
            "a monitor",
            after(&[Message::call(
                "org.freedesktop.DBus",
                "/",
                "org.freedesktop.DBus.Monitoring",
                "BecomeMonitor",
            )]),
            "no such control",
        ),
        (
            "eavesdropping",
            after(&[rule("eavesdrop='true'"), rule("eavesdrop ='true',type='method_call'")]),
            "no such control",
        ),
        ("a call in the handshake", smuggled("BEGIN"), "\0ok\0"),
        ("a second BEGIN", smuggled("BEGIN\r\nBEGIN"), "\0ok\0"),
        ("white space before BEGIN", smuggled("\tBEGIN"), "\0ok\0"),
        ("white space after BEGIN", smuggled("BEGIN "), "\0ok\0"),
        ("no handshake", hello.clone(), "\0ok\0"),
        (
            "another user",
            [b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n".to_vec(), hello.clone(), hidden.bytes()].concat(),
            "\0ok\0",
        ),
        (
            "no Hello",
            [handshake(), Message { serial: 1, ..hidden.clone() }.bytes()].concat(),
            "\0ok\0",
        ),
        ("no message", [handshake(), vec![0xff; 64]].concat(), "\0ok\0"),
        (
            "a message of 4 GiB",
            [handshake(), b"l\x01\0\x01\xff\xff\xff\xff\x01\0\0\0\xff\xff\xff\xff".to_vec()]
                .concat(),
            "\0ok\0",
        ),
        ("a line without an end", [b"\0AUTH ".to_vec(), vec![b'A'; 40]].concat(), "\0ok\0"),
    ];
    let acts: Vec<String> = cases
        .iter()
        .map(|(name, bytes, _)| {
            let more = if name.contains("without an end") { 20_000 } else { 0 };
            format!("raw-bus {} {more}", digits(bytes))
        })
        .collect();
    let honest = format!("call {DAEMON} GetId end");
    let acts = format!("{SESSION} {} raw-answers {honest}", acts.join(" "));
    let control = outside(&world, &bus, &acts).value(cases.len() + 1);
    for at in [0, 1, 2, 5] {
        let (name, _, text) = &cases[at];
        let back = control[at]["back"].as_str().unwrap().to_owned();
        assert!(back.contains(text), "{name}: the bus itself does not obey: {back:?}");
    }
    let run = world.app(&acts).buses(EMPTY).run();
    run.all_work();
    let answers = run.value(cases.len() + 1);
    for (at, (name, _, text)) in cases.iter().enumerate() {
        let value = &answers[at];
        let back = value["back"].as_str().unwrap();
        assert!(!back.contains(text), "{name}: {value}");
        let obeyed = back.contains("org.pinfold") && !back.contains("not provided");
        assert!(!obeyed, "{name}: {value}");
    }
    let closed: Vec<&str> = cases
        .iter()
        .enumerate()
        .filter(|(at, _)| answers[*at]["closed"] == true)
        .map(|(_, case)| case.0)
        .collect();
    for name in
        ["no handshake", "no Hello", "no message", "a message of 4 GiB", "a line without an end"]
    {
        assert!(closed.contains(&name), "{name} is not closed: {closed:?}");
    }
    outside(&world, &bus, &format!("{SESSION} {honest}")).all_work();
    world.assert_nothing_left();
}
