//! Endings of every kind leave nothing behind.

use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;

use crate::tests;
use crate::world::{Running, World, is_full, send, until};

tests![
    a_plain_end,
    a_killed_launcher,
    a_killed_init,
    a_killed_application,
    a_killed_launcher_while_it_builds,
    a_stale_record_goes_with_the_next_command,
    records_are_shut_to_others,
    many_launches_in_a_row,
    fifty_at_once,
];

/// A sandbox with a child of its application that would go on for long.
fn started(world: &World) -> (Running, i32) {
    world.folder("~/Share");
    let acts = "leave-behind wait-for ~/Share/go end say ready wait-for ~/Share/go";
    let mut running = world.app(acts).flags("--write ~/Share --status-fd 1").start();
    running.await_word("ready");
    // The launcher hears of it a moment later than this test may.
    running.await_word("\"started\"");
    // It is written while the application starts.
    let place = format!("%/pinfold/{}-{}.json", crate::world::APP, running.pid());
    let mut record = serde_json::Value::Null;
    until("there is a record", || {
        let text = std::fs::read_to_string(world.path(&place)).unwrap_or_default();
        record = serde_json::from_str(&text).unwrap_or_default();
        !record.is_null()
    });
    assert_eq!(record["monitor"], running.pid());
    let init = record["init"].as_i64().unwrap() as i32;
    until("launcher, init, application and its child run", || world.processes().len() == 4);
    (running, init)
}

fn application(world: &World) -> i32 {
    let probes = world.processes().into_iter().filter(|pid| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.trim() == "probe"
    });
    probes.min().unwrap()
}

fn a_plain_end() {
    let world = World::new();
    world.app("stat ~/").run().all_work();
    world.assert_nothing_left();
}

fn a_killed_launcher() {
    let world = World::new();
    let (running, _) = started(&world);
    running.signal(Signal::KILL);
    let run = running.finish();
    assert_eq!(run.signal, Some(9), "{}", run.told());
    until("no process is left", || world.processes().is_empty());
    // The record is all that is left, and goes with the next command.
    assert_eq!(world.records().len(), 1);
    world.app("stat ~/").id("org.example.Next").run().all_work();
    world.assert_nothing_left();
}

fn a_killed_init() {
    let world = World::new();
    let (running, init) = started(&world);
    send(init, Signal::KILL);
    running.finish().ended_with(128 + 9);
    world.assert_nothing_left();
}

fn a_killed_application() {
    let world = World::new();
    let mut running = world.app("say ready wait-for @/mark").start();
    running.await_word("ready");
    send(application(&world), Signal::KILL);
    running.finish().ended_with(128 + 9);
    world.assert_nothing_left();
}

fn a_killed_launcher_while_it_builds() {
    let world = World::new();
    for delay in 0..20 {
        let running = world.app("linger @/mark").start();
        std::thread::sleep(std::time::Duration::from_micros(delay * 700));
        running.signal(Signal::KILL);
        assert_eq!(running.finish().signal, Some(9));
    }
    until("no process is left", || world.processes().is_empty());
    world.app("stat ~/").run().all_work();
    world.assert_nothing_left();
}

fn a_stale_record_goes_with_the_next_command() {
    let world = World::new();
    world.app("stat ~/").run().all_work();
    let stale = world.file("%/pinfold/org.example.Gone-1.json", "{}");
    let (running, _) = started(&world);
    until("the stale record is gone", || !stale.exists());
    // What is running is not taken for stale.
    world.app("stat ~/").id("org.example.Next").run().all_work();
    assert_eq!(world.records().len(), 1);
    running.signal(Signal::TERM);
    until("the application is gone, its child not", || world.processes().len() == 3);
    world.file("~/Share/go", "");
    running.finish().ended_with(128 + 15);
    world.assert_nothing_left();
}

fn records_are_shut_to_others() {
    let world = World::new();
    let (running, _) = started(&world);
    let mode =
        |path: &str| std::fs::metadata(world.path(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("%/pinfold"), 0o700);
    assert_eq!(mode(&format!("%/pinfold/{}", world.records()[0])), 0o600);
    drop(running);
    // A folder that others can write is not believed.
    crate::world::set_mode(world.path("%/pinfold"), 0o777);
    // Many times, since it is a matter of who is first whether the application
    // would run if this was looked at too late.
    for _ in 0..20 {
        world.app("say ran").run().ended_with(125).says("cannot keep a record").never_shows("ran");
    }
}

/// Every path in the world, in order.
fn everything(world: &World) -> Vec<String> {
    fn walk(folder: &std::path::Path, all: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            all.push(entry.path().display().to_string());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                walk(&entry.path(), all);
            }
        }
    }
    let mut all = Vec::new();
    walk(world.root(), &mut all);
    all.sort();
    all
}

fn many_launches_in_a_row() {
    let world = World::new();
    world.file("~/Documents/a", "");
    let grant = "[filesystem]\nwrite = [\"~/Documents\"]";
    let launch = || world.app("read ~/Documents/a").manifest(grant).release().run();
    launch().all_work();
    let before = everything(&world);
    for _ in 0..if is_full() { 1000 } else { 100 } {
        launch().ended_with(0);
    }
    world.assert_nothing_left();
    assert_eq!(everything(&world), before);
}

fn fifty_at_once() {
    let world = World::new();
    let app = || world.app("say ready wait-for ~/Share/go").flags("--create ~/Share").release();
    let go = world.file("~/Share/go", "");
    app().run().ended_with(0);
    std::fs::remove_file(&go).unwrap();
    let before = everything(&world);
    let mut all: Vec<Running> = (0..50).map(|_| app().start()).collect();
    for running in &mut all {
        running.await_word("ready");
    }
    until("each has a record", || world.records().len() == 50);
    world.file("~/Share/go", "");
    for running in all {
        running.finish().ended_with(0);
    }
    std::fs::remove_file(go).unwrap();
    world.assert_nothing_left();
    assert_eq!(everything(&world), before);
}
