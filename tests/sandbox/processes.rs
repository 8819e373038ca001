//! Exit codes, streams, signals and the status descriptor.

use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use crate::tests;
use crate::world::{World, set_mode, until};

tests![
    exit_codes,
    ended_by_signals,
    programs_that_cannot_be_executed,
    programs_that_are_not_there,
    streams,
    a_reader_that_goes_away,
    signals_are_passed_on,
    a_run_lasts_until_its_last_process,
    the_status_descriptor,
    the_status_descriptor_of_failures,
    a_program_outside_the_system,
    a_shell_in_place_of_the_program,
];

fn exit_codes() {
    let world = World::new();
    for code in [0, 1, 2, 65, 69, 70, 100, 125, 126, 127, 128, 137, 254, 255] {
        world.app(&format!("exit {code}")).run().ended_with(code);
    }
}

fn ended_by_signals() {
    let world = World::new();
    for signal in [1, 2, 6, 9, 10, 14, 15, 31] {
        world.app(&format!("signal-self {signal}")).run().ended_with(128 + signal);
    }
}

fn programs_that_cannot_be_executed() {
    let world = World::new();
    // Refused before anything is built.
    let plain = world.file("~/plain", "text");
    world.program(&[plain.to_str().unwrap()]).run().ended_with(126).says("cannot be executed");
    // Found out by the kernel alone.
    let bad = world.file("~/bad", "\x7fELF but no program");
    set_mode(&bad, 0o755);
    world.program(&[bad.to_str().unwrap()]).run().ended_with(126).says("cannot execute");
    let orphan = world.file("~/orphan", "#!/nowhere/interpreter\n");
    set_mode(&orphan, 0o755);
    world.program(&[orphan.to_str().unwrap()]).run().ended_with(127).says("cannot execute");
    world.assert_nothing_left();
}

fn programs_that_are_not_there() {
    let world = World::new();
    // What looks like an option is a program's name all the same.
    for command in ["/nowhere/program", "pinfold-has-no-such-program", "--bind", "-v"] {
        let run = world.program(&[command]).run();
        run.ended_with(127).says(command).says(".toml:3:");
    }
    // The caller's path has no say.
    world.copy("/usr/bin/true", "~/bin/only-mine");
    let run = world.program(&["only-mine"]).variable("PATH", "~/bin:/usr/bin").run();
    run.ended_with(127);
}

fn streams() {
    let world = World::new();
    world.file("@/input", "what is read");
    let input = std::fs::File::open(world.path("@/input")).unwrap();
    let run = world.app("take-input").input(input).run();
    assert_eq!(run.value(0), "what is read");
    let run = world.program(&["/bin/sh", "-c", "echo out; echo err >&2"]).run();
    assert_eq!(run.output, "out\n", "{}", run.told());
    run.says("err\n").ended_with(0);
    // The closed input of a pipe is its end.
    let input = std::process::Command::new("/bin/echo")
        .arg("through a pipe")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = input;
    let run = world.app("take-input").input(child.stdout.take().unwrap()).run();
    child.wait().unwrap();
    assert_eq!(run.value(0), "through a pipe\n");
}

fn a_reader_that_goes_away() {
    let world = World::new();
    let shell = ["/bin/bash", "-c", "\"$@\" | head -n 1; echo ${PIPESTATUS[0]}", "bash"];
    let run = world.program(&["/usr/bin/yes"]).before(&shell).run();
    assert_eq!(run.output, "y\n141\n", "{}", run.told());
    world.assert_nothing_left();
}

/// A shell inside that says which signal it got, and ends with 7.
fn trap(signals: &str) -> String {
    let traps: Vec<String> = signals
        .split(' ')
        .map(|signal| format!("trap 'echo got {signal}; exit 7' {signal};"))
        .collect();
    format!("{} echo ready; while :; do sleep 0.05; done", traps.concat())
}

fn signals_are_passed_on() {
    let world = World::new();
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
    ] {
        let script = trap(name);
        let mut running = world.program(&["/bin/sh", "-c", &script]).start();
        running.await_word("ready");
        running.signal(signal);
        let run = running.finish();
        assert!(run.output.contains(&format!("got {name}")), "{}", run.told());
        run.ended_with(7);
    }
    // One that the application does not catch ends it.
    let mut running = world.app("say ready linger").start();
    running.await_word("ready");
    running.signal(Signal::TERM);
    running.finish().ended_with(128 + 15);
}

fn a_run_lasts_until_its_last_process() {
    let world = World::new();
    world.folder("~/Share");
    let mut running = world
        .app("leave-behind wait-for ~/Share/go write ~/Share/done x end say ready exit 9")
        .manifest("[filesystem]\nwrite = [\"~/Share\"]")
        .start();
    running.await_word("ready");
    until("there is a record", || world.records().len() == 1);
    world.file("~/Share/go", "");
    running.finish().ended_with(9);
    assert!(world.exists("~/Share/done"));
    world.assert_nothing_left();
}

fn a_shell_in_place_of_the_program() {
    let world = World::new();
    world.file("~/secret", "");
    let run = world.app("say probe").flags("--shell").arguments("-c id;ls").run();
    run.ended_with(0).never_shows("probe").never_shows("secret");
    assert!(run.output.starts_with("uid="), "{}", run.told());
}

/// Runs with the status descriptor on a file; gives its lines.
fn status(world: &World, app: crate::world::App<'_>) -> (crate::world::Run, Vec<Value>) {
    let shell = ["/bin/sh", "-c", "exec \"$@\" 3>@/status", "sh"];
    let run = app.before(&shell).flags("--status-fd 3").run();
    let lines = world.content("@/status");
    let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (run, lines)
}

fn the_status_descriptor() {
    let world = World::new();
    let (run, lines) = status(&world, world.app("fds exit 65"));
    run.ended_with(65);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0]["event"], "started");
    assert!(lines[0]["init"].as_i64().unwrap() > 1);
    assert_eq!(lines[1], serde_json::json!({ "event": "exited", "status": 65 }));
    // It is the launcher's, not the application's.
    assert_eq!(run.value(0).as_object().unwrap().len(), 3, "{}", run.told());
    let (_, lines) = status(&world, world.app("signal-self 9"));
    assert_eq!(lines[1], serde_json::json!({ "event": "killed", "signal": 9 }));
}

fn the_status_descriptor_of_failures() {
    let world = World::new();
    let bad = world.file("~/bad", "\x7fELF but no program");
    set_mode(&bad, 0o755);
    let (run, lines) = status(&world, world.program(&[bad.to_str().unwrap()]));
    run.ended_with(126);
    assert_eq!((&lines[0]["event"], &lines[0]["exit"]), (&"failed".into(), &126.into()));
    // What fails before anything is built is told in the same way.
    let (run, lines) = status(&world, world.app("say ran").manifest("unknown = 1"));
    run.ended_with(65);
    let failed = lines.first().cloned().unwrap_or_default();
    assert_eq!((&failed["event"], &failed["exit"]), (&"failed".into(), &65.into()), "{lines:?}");
}

fn a_program_outside_the_system() {
    let world = World::new();
    world.file("@/apps/neighbour", "s3cret");
    let program = world.copy(world.path("@/probe"), "@/apps/tool");
    let neighbour = world.text("@/apps/neighbour");
    let words = [program.to_str().unwrap(), "read", &neighbour, "open-write", "/proc/self/exe"];
    let run = world.program(&words).run();
    run.refused(0, &["ENOENT", "EACCES"]);
    run.refused(1, &["ETXTBSY", "EROFS", "EACCES"]);
    until("it is over", || world.processes().is_empty());
}
