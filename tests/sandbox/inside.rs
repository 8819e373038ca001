//! What every sandbox is from inside, whatever is granted.

use std::fs::File;

use serde_json::Value;

use crate::tests;
use crate::world::{FIXED, UNSEEN, World, is_root};

tests![
    only_its_own_processes,
    every_namespace_is_new,
    processes_share_their_namespaces,
    no_right_is_left,
    no_descriptor_is_handed_down,
    a_folder_as_a_stream_is_refused,
    mounts_are_without_suid_and_devices,
    the_system_is_read_only,
    the_callers_ids,
    devices_are_the_harmless_ones,
    init_is_out_of_reach,
    parts_of_proc_are_shut,
    landlock_can_be_required,
];

fn only_its_own_processes() {
    let world = World::new();
    let outside = world.outside("pids");
    assert!(outside.value(0).as_object().unwrap().len() > 2, "{}", outside.told());
    let run = world.app("pids").run();
    let pids = run.value(0);
    let comms: Vec<&str> = pids.as_object().unwrap().values().filter_map(Value::as_str).collect();
    assert_eq!(comms.len(), 2, "init and the probe: {}", run.told());
    assert!(comms.contains(&"probe"), "{}", run.told());
    assert!(pids.get("1").is_some(), "{}", run.told());
}

fn every_namespace_is_new() {
    let world = World::new();
    let (outside, inside) = (world.outside("ns").value(0), world.app("ns").run().value(0));
    for (kind, id) in outside.as_object().unwrap() {
        assert_ne!(&inside[kind], id, "the {kind} namespace is the host's");
    }
    assert_eq!(outside.as_object().unwrap().len(), 7);
}

fn processes_share_their_namespaces() {
    let world = World::new();
    let run = world.app("ns apart ns status end").run();
    let (first, second) = (run.value(0), run.value(1));
    assert_eq!(first, second["results"][0]["value"], "{}", run.told());
    assert_eq!(second["results"][1]["value"]["Seccomp"], "2", "{}", run.told());
}

fn no_right_is_left() {
    let world = World::new();
    let run = world.app("status").run();
    let status = run.value(0);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set], "0000000000000000", "{set}: {}", run.told());
    }
    assert_eq!(status["NoNewPrivs"], "1", "{}", run.told());
    assert_eq!(status["Seccomp"], "2", "{}", run.told());
    // Outside even an ordinary account has a bounding set.
    let outside = world.outside("status").value(0);
    assert_ne!(outside["CapBnd"], "0000000000000000");
    assert_eq!(outside["Seccomp"], "0");
}

fn no_descriptor_is_handed_down() {
    let world = World::new();
    let probe = world.path("@/probe");
    let junk = [probe.to_str().unwrap(), "junk-fds", "200", "/etc", "become"];
    let inside = world.app("fds").before(&junk).run();
    let mut fds: Vec<String> = inside.value(0).as_object().unwrap().keys().cloned().collect();
    fds.sort();
    assert_eq!(fds, ["0", "1", "2"], "{}", inside.told());
    // The control: without a sandbox between they arrive.
    let outside = world.outside("junk-fds 200 /etc become @/probe fds");
    assert!(outside.value(0).as_object().unwrap().len() > 200, "{}", outside.told());
}

fn a_folder_as_a_stream_is_refused() {
    let world = World::new();
    let run = world.app("say ran").input(File::open("/etc").unwrap()).run();
    run.ended_with(69).says("the standard input is a folder").never_shows("ran");
    let run = world.app("say ran").input(File::open("/etc/passwd").unwrap()).run();
    run.all_work();
    for (redirect, stream) in [("1</etc", "output"), ("2</etc", "error output")] {
        let script = format!("exec \"$@\" {redirect}");
        let run = world
            .app("write ~/ran yes")
            .manifest("[filesystem]\nwrite = [\"~\"]")
            .before(&["/bin/sh", "-c", &script, "sh"])
            .run();
        run.ended_with(69);
        assert!(!world.own("ran").exists(), "it ran with a folder as its standard {stream}");
    }
}

fn mounts_are_without_suid_and_devices() {
    let world = World::new();
    world.file("~/Documents/a", "");
    world.file("~/Music/a", "");
    let run = world
        .app("mountinfo")
        .manifest("[filesystem]\nread = [\"~/Documents\", \"/etc/hosts\"]\nwrite = [\"~/Music\"]")
        .run();
    let mounts = run.value(0);
    assert!(mounts.as_array().unwrap().len() > 10, "{}", run.told());
    for mount in mounts.as_array().unwrap() {
        let place = mount["place"].as_str().unwrap();
        let options: Vec<&str> = mount["options"].as_str().unwrap().split(',').collect();
        assert!(options.contains(&"nosuid"), "{place} has set-user-id: {}", run.told());
        let is_device = place.starts_with("/dev/");
        assert!(is_device || options.contains(&"nodev"), "{place} has devices: {}", run.told());
    }
    let outside = world.outside("mountinfo");
    let plain = outside
        .value(0)
        .as_array()
        .unwrap()
        .iter()
        .any(|mount| !mount["options"].as_str().unwrap().contains("nosuid"));
    assert!(plain, "the host's own mounts are all nosuid: {}", outside.told());
}

fn the_system_is_read_only() {
    let world = World::new();
    let run = world
        .app(
            "create /new mkdir /new create /etc/new open-write /etc/passwd create /usr/new \
             create /usr/bin/new unlink /etc/passwd rename /etc /etd create /home/new \
             create /run/new create /dev/new mkdir /proc/new chmod 777 / symlink x /etc/link",
        )
        .run();
    run.all_refused(FIXED);
    let run = world
        .app(
            "create /tmp/new create /var/tmp/new create /dev/shm/new create ~/new read /etc/passwd",
        )
        .run();
    run.all_work();
    // The control: the same kinds of acts, where somebody may.
    world
        .outside(
            "create @/new mkdir @/folder create @/folder/new open-write @/new unlink @/new \
             rename @/folder @/moved chmod 777 @/moved symlink x @/link",
        )
        .all_work();
}

fn the_callers_ids() {
    let world = World::new();
    let (inside, outside) = (world.app("ids stat ~/").run(), world.outside("ids"));
    for id in ["uid", "gid"] {
        assert_eq!(inside.value(0)[id], outside.value(0)[id], "{}", inside.told());
    }
    assert_eq!(inside.value(1)["uid"], outside.value(0)["uid"], "{}", inside.told());
}

fn devices_are_the_harmless_ones() {
    let world = World::new();
    let run = world.app("list /dev list /dev/pts read /dev/null").run();
    let known = [
        "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty",
        "urandom", "zero",
    ];
    for name in run.value(0).as_array().unwrap() {
        assert!(known.contains(&name.as_str().unwrap()), "{name}: {}", run.told());
    }
    assert_eq!(run.value(1), serde_json::json!(["ptmx"]), "{}", run.told());
    run.all_work();
}

fn init_is_out_of_reach() {
    let world = World::new();
    // Outside the launcher's counterpart, one's own parent, can be looked at.
    world.outside("list /proc/self/fd readlink /proc/self/exe read /proc/self/environ").all_work();
    let run = world
        .app(
            "readlink /proc/1/fd/0 readlink /proc/1/exe read /proc/1/environ open-write /proc/1/exe \
             list /proc/1/root read /proc/1/maps open-write /proc/1/mem",
        )
        .run();
    run.all_refused(&["EACCES", "EPERM", "ENOENT"]);
    // Pid 1 is deaf to what comes from inside.
    let run = world.app("signal 1 9 signal 1 15 pids").run();
    assert!(run.value(2).get("1").is_some(), "{}", run.told());
    run.ended_with(0);
}

fn parts_of_proc_are_shut() {
    let world = World::new();
    let mut acts = "open-read /proc/kcore open-read /proc/keys open-read /proc/timer_list \
                    open-read /proc/kallsyms open-read /proc/kmsg "
        .to_owned();
    if is_root() {
        // Nobody else finds anything in these.
        acts.push_str("list /proc/acpi list /proc/scsi");
    }
    let outside = world.outside(&acts);
    assert!(outside.results().iter().any(|result| result["ok"] == true), "{}", outside.told());
    world.app(&acts).run().all_refused(UNSEEN);
    world.app("read /proc/cpuinfo read /proc/meminfo read /proc/stat").run().all_work();
}

fn landlock_can_be_required() {
    let world = World::new();
    let run = world.app("say ran").flags("--require-landlock").run();
    if run.code == Some(0) {
        run.all_work();
    } else {
        run.ended_with(69).says("landlock is required").says("lacks: ").never_shows("ran");
    }
}
