//! What `pinfold explain` says, against what a probe inside finds.

use serde_json::Value;

use crate::buses::{SESSION, outside, services, session};
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

fn bus_names_are_as_explained() {
    let world = World::new();
    let bus = session(&world);
    let names = [
        ("org.pinfold.Talk", "yes"),
        ("org.pinfold.See", "partly"),
        ("org.pinfold.Hidden", "no"),
        ("org.pinfold.tree.Leaf", "yes"),
        ("org.pinfold.treetop.Leaf", "no"),
    ];
    let listed: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    let _services = services(&bus, &listed);
    let manifest = "[bus.session]\nsee = [\"org.pinfold.See\"]\n\
                    talk = [\"org.pinfold.Talk\", \"org.pinfold.tree.*\"]";
    let calls: String =
        listed.iter().map(|name| format!("call {name} /x org.pinfold.I Method end ")).collect();
    let acts = format!("{SESSION} {calls}");
    outside(&world, &bus, &acts).all_work();
    let results = world.app(&acts).buses(manifest).run().results();
    let asked: Vec<String> = listed.iter().map(|name| format!("bus:{name}")).collect();
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    let answers = explain(&world, manifest, &asked);
    for (at, ((name, may), answer)) in names.iter().zip(&answers).enumerate() {
        assert_eq!(answer["may"], *may, "{name}: {answer:#}");
        let reached = results[at + 1]["ok"] == true;
        assert_eq!(reached, *may == "yes", "{name}: {}", results[at + 1]);
        // One that is seen and cannot be called is refused otherwise than one
        // that does not exist.
        let hidden = results[at + 1]["errno"] == "ServiceUnknown";
        assert_eq!(hidden, *may == "no", "{name}: {}", results[at + 1]);
    }
}
