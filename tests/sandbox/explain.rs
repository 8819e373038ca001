//! What `pinfold explain` says, against what a probe inside finds.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::tests;
use crate::world::{World, finish, pinfold};

tests![paths_are_as_explained, calls_are_as_explained, bus_names_are_as_explained];

/// The answers about an application whose manifest is written.
fn explain(world: &World, manifest: &str, what: &[&str]) -> Vec<Value> {
    let place = world.app("").manifest(manifest).write();
    let mut command = world.command(&pinfold());
    command.args(["explain", "--json"]).arg(place);
    command.args(what.iter().map(|word| world.text(word)));
    let run = finish(command, None);
    run.ended_with(0);
    let told: Value = serde_json::from_str(&run.output).unwrap();
    let answers = told["answers"].as_array().unwrap().clone();
    assert_eq!(answers.len(), what.len());
    answers
}

fn paths_are_as_explained() {
    let manifest = "[filesystem]\n\
         read = [\"~/Documents\", \"~/.ssh\", \"~/link\", \"@/granted\"]\n\
         write = [\"~/Music\", \"~/Documents/drafts\"]\n\
         deny = [\"~/Documents/taxes\"]";
    // Each file and whether it is open, for reading and for writing: what is
    // expected is written by hand, so that two wrongs do not agree.
    let files = [
        ("~/Documents/a", "r"),
        ("~/Documents/drafts/b", "rw"),
        ("~/Documents/taxes/c", ""),
        ("~/Music/d", "rw"),
        ("~/Music/deep/e", "rw"),
        ("~/other/f", ""),
        ("~/.ssh/id", ""),
        ("~/.bashrc", ""),
        ("~/behind/g", ""),
        ("~/link/g", "r"),
        ("@/granted/h", "r"),
        ("@/elsewhere/i", ""),
    ];
    let world = World::new();
    for (file, _) in files.iter().filter(|(file, _)| !file.starts_with("~/link")) {
        world.file(file, "text");
    }
    world.link("behind", "~/link");
    let manifest = world.text(manifest).replace(&world.text("~/"), "~/");
    let names: Vec<&str> = files.iter().map(|(file, _)| *file).collect();
    let acts: String =
        names.iter().map(|file| format!("open-read {file} open-write {file} ")).collect();
    world.outside(&acts).all_work();
    let results = world.app(&acts).manifest(&manifest).run().results();
    let answers = explain(&world, &manifest, &names);
    for (at, ((file, open), answer)) in files.iter().zip(&answers).enumerate() {
        let read = results[2 * at]["ok"] == true;
        let write = results[2 * at + 1]["ok"] == true;
        assert_eq!((read, write), (open.contains('r'), open.contains('w')), "{file}");
        assert_eq!(answer["rights"].is_object(), read, "{file}: {answer:#}");
        assert_eq!(answer["rights"]["write"] == true, write, "{file}: {answer:#}");
        assert_eq!(answer["may"] != "no", read, "{file}: {answer:#}");
        assert_ne!(answer["change"], serde_json::json!([]), "{file}: {answer:#}");
    }
    // The flag that is offered to open a path opens it.
    let shut: Vec<&str> =
        files.iter().filter(|(_, open)| open.is_empty()).map(|(file, _)| *file).collect();
    let acts: String = shut.iter().map(|file| format!("open-read {file} ")).collect();
    let flags: String = shut.iter().map(|file| format!("--read {file} ")).collect();
    let flags = world.text(&flags);
    world.app(&acts).manifest(&manifest).flags(&flags).run().all_work();
}

fn calls_are_as_explained() {
    let calls: &[(&str, i64, &str)] = &[
        ("getpid", libc::SYS_getpid, ""),
        ("sched_yield", libc::SYS_sched_yield, ""),
        ("setns", libc::SYS_setns, "-1 0"),
        ("keyctl", libc::SYS_keyctl, "0 -3 0"),
        ("ptrace", libc::SYS_ptrace, "0 0 0 0"),
        ("chroot", libc::SYS_chroot, "0"),
        ("userfaultfd", libc::SYS_userfaultfd, "1"),
        ("io_uring_setup", libc::SYS_io_uring_setup, "1 0"),
        ("fsopen", libc::SYS_fsopen, "0 0"),
        ("name_to_handle_at", libc::SYS_name_to_handle_at, "-1 0 0 0 0"),
    ];
    let acts: String = calls
        .iter()
        .map(|(_, number, words)| format!("apart syscall {number} {words} end "))
        .collect();
    let errno = |results: &[Value], at: usize| {
        let result = &results[at]["value"]["results"][0];
        result["errno"].as_str().unwrap_or("none").to_owned()
    };
    let world = World::new();
    let outside = world.outside(&acts).results();
    for manifest in ["", "[syscalls]\nallow = [\"devel\"]", "[syscalls]\nnested = \"browser\""] {
        let results = world.app(&acts).manifest(manifest).run().results();
        let names: Vec<String> = calls.iter().map(|(name, ..)| format!("syscall:{name}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut refused = 0;
        for (at, answer) in explain(&world, manifest, &names).iter().enumerate() {
            let found = errno(&results, at);
            let told = answer["sentence"].as_str().unwrap();
            if answer["may"] == "no" {
                refused += 1;
                assert!(told.ends_with(&found), "{}: {found}, and: {told}", names[at]);
                assert_ne!(found, errno(&outside, at), "{} is refused outside too", names[at]);
            } else {
                // It comes to the kernel, which answers as it does outside.
                assert_eq!(found, errno(&outside, at), "{}: {told}", names[at]);
            }
        }
        assert_eq!(refused, if manifest.is_empty() { 8 } else { 7 }, "{manifest}");
    }
}

/// A bus in a world's runtime folder, with services that cannot start: a call
/// that reaches it is answered otherwise than one of which it never hears.
struct Bus(Child);

impl Bus {
    fn start(world: &World, names: &[&str]) -> Bus {
        for name in names {
            let text = format!("[D-BUS Service]\nName={name}\nExec=/bin/false\n");
            world.file(&format!("@/services/{name}.service"), &text);
        }
        let configuration = world.file(
            "@/bus.conf",
            &world.text(
                "<busconfig><type>session</type><listen>unix:path=%/bus</listen>\
                 <auth>EXTERNAL</auth><servicedir>@/services</servicedir>\
                 <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
                 <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
            ),
        );
        let mut child = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", configuration.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon starts");
        let read = child.stdout.as_mut().unwrap().read(&mut [0]).unwrap();
        assert_eq!(read, 1, "dbus-daemon ended at once");
        Bus(child)
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bus_names_are_as_explained() {
    let world = World::new();
    let names = [
        ("org.example.Talk", "yes"),
        ("org.example.See", "partly"),
        ("org.example.Hidden", "no"),
        ("org.example.tree.Leaf", "yes"),
        ("org.example.treetop.Leaf", "no"),
    ];
    let listed: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    let _bus = Bus::start(&world, &listed);
    let manifest = "[bus.session]\nsee = [\"org.example.See\"]\n\
                    talk = [\"org.example.Talk\", \"org.example.tree.*\"]";
    let asked: Vec<String> = listed.iter().map(|name| format!("bus:{name}")).collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let answers = explain(&world, manifest, &asked);
    for ((name, may), answer) in names.iter().zip(&answers) {
        assert_eq!(answer["may"], *may, "{name}: {answer:#}");
        let call = [
            "dbus-send",
            "--session",
            "--print-reply",
            &format!("--dest={name}"),
            "/x",
            "org.example.Interface.Member",
        ];
        let mut outside = world.command("/usr/bin/dbus-send".as_ref());
        outside.args(&call[1..]);
        outside.env("DBUS_SESSION_BUS_ADDRESS", world.text("unix:path=%/bus"));
        finish(outside, None).says("Spawn.ChildExited");
        let inside = world.program(&call).manifest(manifest).run();
        let reached = inside.errors.contains("Spawn.ChildExited");
        assert_eq!(reached, *may == "yes", "{name}: {}", inside.told());
    }
}
