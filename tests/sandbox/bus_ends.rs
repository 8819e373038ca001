//! Endings of sandboxes that have a bus: filter, launcher, init and
//! application end together, and leave nothing.

use rustix::process::Signal;

use crate::bus_filter::filter_of;
use crate::buses::{DAEMON, EMPTY, SESSION, session};
use crate::tests;
use crate::world::{Running, World, send, until};

tests![
    a_plain_end,
    a_killed_filter,
    a_killed_launcher,
    a_killed_init,
    a_killed_launcher_while_it_builds,
    a_bus_that_ends,
    fifty_at_once,
];

fn started(world: &World) -> (Running, i32) {
    world.folder("~/Share");
    let acts = format!(
        "{SESSION} leave-behind wait-for ~/Share/go end say ready wait-for ~/Share/go \
         call {DAEMON} GetId end"
    );
    let mut running = world.app(&acts).buses(EMPTY).flags("--write ~/Share").start();
    running.await_word("ready");
    let filter = filter_of(running.pid());
    until("launcher, filter, init, application and its child run", || world.processes().len() == 5);
    (running, filter)
}

fn a_plain_end() {
    let world = World::new();
    let _bus = session(&world);
    let (running, _) = started(&world);
    assert_eq!(world.places().len(), 1);
    world.file("~/Share/go", "");
    running.finish().all_work();
    world.assert_nothing_left();
    assert_eq!(world.names("%/"), [".flatpak", "bus", "pinfold"], "a socket is left");
}

fn a_killed_filter() {
    let world = World::new();
    let _bus = session(&world);
    let (running, filter) = started(&world);
    send(filter, Signal::KILL);
    running
        .finish()
        .ended_with(70)
        .says("the filter before the buses ended unexpectedly")
        .says("the sandbox was ended");
    world.assert_nothing_left();
}

fn a_killed_launcher() {
    let world = World::new();
    let _bus = session(&world);
    let (running, _) = started(&world);
    running.signal(Signal::KILL);
    assert_eq!(running.finish().signal, Some(9));
    until("no process is left", || world.processes().is_empty());
    // What is left for portals goes with the next run, one without a bus too;
    // what is not ours stays.
    assert_eq!(world.places().len(), 1);
    world.file("%/.flatpak/7/.ref", "");
    let (other, _) = started(&world);
    until("the stale one is gone", || world.places().len() == 2);
    world.app("stat ~/").id("org.example.Next").run().all_work();
    assert_eq!(world.places().len(), 2, "one that runs was taken away");
    other.signal(Signal::KILL);
    other.finish();
    until("no process is left", || world.processes().is_empty());
    world.app("stat ~/").id("org.example.Next").run().all_work();
    assert_eq!(world.places(), ["7"]);
    std::fs::remove_dir_all(world.path("%/.flatpak/7")).unwrap();
    world.assert_nothing_left();
}

fn a_killed_init() {
    let world = World::new();
    let _bus = session(&world);
    let (running, _) = started(&world);
    let info = world.content(&format!("%/.flatpak/{}/bwrapinfo.json", world.places()[0]));
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    send(info["child-pid"].as_i64().unwrap() as i32, Signal::KILL);
    running.finish().ended_with(128 + 9);
    world.assert_nothing_left();
}

fn a_killed_launcher_while_it_builds() {
    let world = World::new();
    let _bus = session(&world);
    for delay in 0..20 {
        let running = world.app("linger @/mark").buses(EMPTY).start();
        std::thread::sleep(std::time::Duration::from_micros(delay * 700));
        running.signal(Signal::KILL);
        assert_eq!(running.finish().signal, Some(9));
    }
    until("no process is left", || world.processes().is_empty());
    world.app("stat ~/").buses(EMPTY).run().all_work();
    world.assert_nothing_left();
}

/// The session may end before its programs do.
fn a_bus_that_ends() {
    let world = World::new();
    let mut bus = session(&world);
    world.folder("~/Share");
    let acts = format!("{SESSION} say ready wait-for ~/Share/go {SESSION}");
    let mut running = world.app(&acts).buses(EMPTY).flags("--write ~/Share").start();
    running.await_word("ready");
    bus.kill();
    world.file("~/Share/go", "");
    // It has lost its connection, as it would have outside, and goes on.
    let run = running.finish();
    assert_ne!(run.code, Some(70), "{}", run.told());
    world.assert_nothing_left();
}

fn fifty_at_once() {
    let world = World::new();
    let _bus = session(&world);
    let go = world.file("~/Share/go", "");
    let acts = format!("{SESSION} say ready wait-for ~/Share/go call {DAEMON} GetId end");
    let app = || world.app(&acts).buses(EMPTY).flags("--write ~/Share").release();
    app().run().all_work();
    std::fs::remove_file(&go).unwrap();
    let mut all: Vec<Running> = (0..50).map(|_| app().start()).collect();
    for running in &mut all {
        running.await_word("ready");
    }
    assert_eq!(world.places().len(), 50);
    world.file("~/Share/go", "");
    for running in all {
        running.finish().all_work();
    }
    world.assert_nothing_left();
}
