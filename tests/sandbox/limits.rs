//! Limits that each process carries along, and single instances.

use std::time::{Duration, Instant};

use crate::tests;
use crate::world::{World, is_root};

tests![
    limits_of_each_process,
    no_core_dumps_by_default,
    a_fork_bomb_is_held,
    a_large_file_is_held,
    a_sandbox_has_its_time,
    a_deaf_sandbox_has_its_time,
    a_second_start_joins_the_first,
];

const SHELL: [&str; 2] = ["/bin/sh", "-c"];

fn limits_of_each_process() {
    let world = World::new();
    let tell = "ulimit -Hn; ulimit -Sn; ulimit -f; nice; cat /proc/self/oom_score_adj; ulimit -c";
    let stated =
        "nice = 7\noom-score = 321\n[limits]\nopen-files = 77\nfile-size = \"1M\"\ncore = \"1M\"";
    let inside = world.program(&[SHELL[0], SHELL[1], tell]).manifest(stated).run();
    assert_eq!(inside.ended_with(0).output, "77\n77\n2048\n7\n321\n2048\n", "{}", inside.told());
    // The control: nothing is stated, and all but the dumps are as outside.
    let plain = world.program(&[SHELL[0], SHELL[1], tell]).run();
    let mut outside = world.command(std::path::Path::new("/bin/sh"));
    outside.args(["-c", tell]);
    let outside = crate::world::finish(outside, None);
    let lines = |text: &str| text.lines().take(5).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&plain.output), lines(&outside.output));
    assert_ne!(lines(&plain.output), lines(&inside.output));
}

fn no_core_dumps_by_default() {
    let world = World::new();
    let run = world.program(&[SHELL[0], SHELL[1], "ulimit -Hc"]).run();
    assert_eq!(run.ended_with(0).output, "0\n");
}

/// Root is exempt from this limit, which the run says.
fn a_fork_bomb_is_held() {
    let world = World::new();
    let bomb =
        "i=0; while [ $i -lt 60 ]; do sleep 3 & i=$((i+1)); done; echo all; kill $(jobs -p); true";
    let tasks = "[limits]\ntasks = 20";
    let held = world.program(&[SHELL[0], SHELL[1], bomb]).manifest(tasks).run();
    if is_root() {
        held.ended_with(0).says("root is exempt");
        return;
    }
    assert!(!held.output.contains("all"), "{}", held.told());
    assert!(held.errors.contains("fork"), "{}", held.told());
    // Another sandbox has its own count, and without a limit all are made.
    let plain = world.program(&[SHELL[0], SHELL[1], bomb]).id("org.example.Other").run();
    assert!(plain.output.contains("all"), "{}", plain.told());
}

fn a_large_file_is_held() {
    let world = World::new();
    let write = "head -c 3000000 /dev/zero > ~/large; echo $?; wc -c < ~/large";
    let words = [SHELL[0], SHELL[1], write];
    let held = world.program(&words).manifest("[limits]\nfile-size = \"1M\"").run();
    assert!(held.output.ends_with("1048576\n"), "{}", held.told());
    let plain = world.program(&words).run();
    assert_eq!(plain.output, "0\n3000000\n", "{}", plain.told());
}

fn a_sandbox_has_its_time() {
    let world = World::new();
    let since = Instant::now();
    world.app("linger").manifest("timeout = 1").run().ended_with(128 + 15);
    assert!(since.elapsed() >= Duration::from_secs(1));
    world.app("stat ~/").manifest("timeout = 60").run().all_work();
    world.assert_nothing_left();
}

fn a_deaf_sandbox_has_its_time() {
    let world = World::new();
    world.app("block-signal 15 linger").manifest("timeout = 1").run().ended_with(128 + 9);
    world.assert_nothing_left();
}

fn a_second_start_joins_the_first() {
    let world = World::new();
    let single = "single-instance = true";
    let mut first = world.app("ns say ready wait-for ~/go").manifest(single).start();
    first.await_word("ready");
    let second = world.app("ns pids write ~/go x exit 4").manifest(single).run();
    second.ended_with(4);
    assert_eq!(second.value(1).as_object().unwrap().len(), 3, "{}", second.told());
    let first = first.finish();
    assert_eq!(first.value(0), second.value(0));
    // Without the word each has its own.
    let mut first = world.app("ns say ready wait-for ~/go2").start();
    first.await_word("ready");
    let second = world.app("ns pids").run();
    assert_eq!(second.value(1).as_object().unwrap().len(), 2, "{}", second.told());
    drop(first);
}
