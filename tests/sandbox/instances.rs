//! Running sandboxes seen, entered and ended by other commands.

use std::io::Write;
use std::process::Stdio;

use rustix::fs::FlockOperation;
use serde_json::Value;

use crate::terminal::Terminal;
use crate::tests;
use crate::world::{App, Run, Running, World, finish, is_full, is_root, pinfold, until};

tests![
    a_list_of_what_runs,
    namespaces_are_those_of_the_kernel,
    a_person_looks_in_by_nsenter,
    who_enters_is_confined_as_the_application_is,
    who_enters_cannot_do_more,
    pipes_and_exit_codes_pass,
    signals_reach_who_entered,
    a_terminal_of_its_own,
    who_enters_ends_with_the_sandbox,
    who_is_stopped_before_the_start_holds_up_nobody,
    who_does_not_listen_holds_up_nobody,
    an_application_that_has_stopped_is_ended,
    a_name_means_one_run,
    a_word_first_and_then_force,
    a_signal_and_no_more,
    all_are_ended_at_once,
    forged_records_are_not_believed,
];

/// A command of Pinfold beside the runs of a world.
fn command(world: &World, words: &str) -> Run {
    let mut command = world.command(&pinfold());
    command.args(words.split_whitespace().map(|word| world.text(word)));
    finish(command, None)
}

fn waiting(world: &World) -> App<'_> {
    world.folder("~/Share");
    world.file("~/secret", "s3cret");
    world
        .app("status ns say ready wait-for ~/Share/go")
        .manifest("[filesystem]\nwrite = [\"~/Share\"]")
}

fn started(app: App<'_>) -> Running {
    let mut running = app.start();
    running.await_word("ready");
    running
}

fn name(running: &Running) -> String {
    format!("{}-{}", crate::world::APP, running.pid())
}

fn listed(world: &World) -> Vec<Value> {
    let run = command(world, "ps --json");
    let value: Value = serde_json::from_str(&run.ended_with(0).output).unwrap();
    value["instances"].as_array().unwrap().clone()
}

/// Acts of the probe, done by who enters.
fn entering(world: &World, running: &Running, acts: &str) -> Run {
    command(world, &format!("enter {} -- @/probe {acts}", name(running)))
}

fn a_list_of_what_runs() {
    let world = World::new();
    assert_eq!(listed(&world), Vec::<Value>::new());
    assert!(command(&world, "ps").output.contains("No sandbox runs"));
    let running = started(waiting(&world));
    let list = listed(&world);
    assert_eq!(list.len(), 1);
    let one = &list[0];
    assert_eq!(one["instance"], name(&running));
    assert_eq!(one["app"], crate::world::APP);
    assert_eq!(one["monitor"], running.pid());
    assert_eq!(one["pid-inside"], 2);
    assert_eq!(one["network"], "none");
    assert_eq!(one["tasks"], 2);
    assert!(one["memory-bytes"].as_u64().unwrap() > 4096, "{one}");
    let pid = one["pid"].as_i64().unwrap();
    let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    assert_eq!(comm.trim(), "probe");
    let files = one["manifests"].as_array().unwrap();
    assert!(files.iter().any(|file| file.as_str().unwrap().ends_with("Probe.toml")), "{one}");
    let table = command(&world, "ps");
    assert!(table.output.contains(&name(&running)), "{}", table.told());
    world.file("~/Share/go", "");
    running.finish().ended_with(0);
    assert_eq!(listed(&world), Vec::<Value>::new());
}

fn namespaces_are_those_of_the_kernel() {
    let world = World::new();
    let running = started(waiting(&world));
    let pid = listed(&world)[0]["pid"].as_i64().unwrap();
    let shown = command(&world, "ps --namespaces --json");
    let shown: Value = serde_json::from_str(&shown.ended_with(0).output).unwrap();
    let list = shown["instances"][0]["namespaces"].as_array().unwrap();
    let mut lsns = world.command(std::path::Path::new("/usr/bin/lsns"));
    lsns.args(["--json", "--task", &pid.to_string()]);
    let lsns = finish(lsns, None);
    let lsns: Value = serde_json::from_str(&lsns.ended_with(0).output).unwrap();
    let number = |value: &Value| -> u64 {
        value.as_u64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_default()
    };
    let mut compared = 0;
    for one in lsns["namespaces"].as_array().unwrap() {
        if one["type"] == "time" {
            continue;
        }
        let (kind, inode) = (&one["type"], number(&one["ns"]));
        let ours = list.iter().find(|ours| ours["kind"] == *kind && ours["inode"] == inode);
        let ours = ours.unwrap_or_else(|| panic!("{kind} {inode} is not in {list:#?}"));
        assert_eq!(ours["shared"], false, "{kind}");
        // Only root's lsns can look into init.
        let init = u64::from(!is_root());
        assert_eq!(ours["processes"], number(&one["nprocs"]) + init, "{kind}");
        compared += 1;
    }
    assert_eq!(compared, 7);
    // The outer user namespace, which the application is not in.
    assert_eq!(list.len(), 8);
    drop(running);
}

fn a_person_looks_in_by_nsenter() {
    let world = World::new();
    let running = started(waiting(&world));
    let shown = command(&world, "ps --namespaces --json");
    let shown: Value = serde_json::from_str(&shown.output).unwrap();
    let line = shown["instances"][0]["enter"].as_str().unwrap();
    let mut shell = world.command(std::path::Path::new("/bin/sh"));
    shell.args(["-c", line]).stdin(Stdio::piped());
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"cat /proc/1/comm; ls /proc | grep -c '^[0-9]*$'; hostname\n").unwrap();
    drop(writer);
    let inside = finish(shell, Some(reader.into()));
    let lines: Vec<&str> = inside.ended_with(0).output.lines().collect();
    // Init, the application, the shell, ls and grep.
    assert_eq!(lines[0], "pinfold", "{}", inside.told());
    assert!(lines[1].parse::<u32>().unwrap() <= 6, "{}", inside.told());
    assert_eq!(lines[2], "pinfold", "{}", inside.told());
    drop(running);
}

fn who_enters_is_confined_as_the_application_is() {
    let world = World::new();
    let running = started(waiting(&world));
    let entered = entering(&world, &running, "status ns ids fds hostname");
    entered.all_work();
    world.file("~/Share/go", "");
    let application = running.finish();
    for field in [
        "CapInh",
        "CapPrm",
        "CapEff",
        "CapBnd",
        "CapAmb",
        "NoNewPrivs",
        "Seccomp",
        "Seccomp_filters",
        "Uid",
        "Gid",
        "Groups",
    ] {
        assert_eq!(entered.value(0)[field], application.value(0)[field], "{field}");
    }
    assert_eq!(entered.value(1), application.value(1));
    let open: Vec<String> = entered.value(3).as_object().unwrap().keys().cloned().collect();
    assert_eq!(open, ["0", "1", "2"]);
}

fn who_enters_cannot_do_more() {
    let world = World::new();
    let running = started(waiting(&world));
    world.file("~/Share/a", "text");
    let acts = "read ~/secret read @/home/secret mkdir /usr/x mkdir ~/Share/../x listen-path /run/x \
                unshare 268435456 unshare 131072 signal 1 9";
    // The control: outside, the first two are possible.
    world.outside("read ~/secret mkdir ~/x").all_work();
    let run = entering(&world, &running, acts);
    for (at, errors) in [
        (0, &["ENOENT"][..]),
        (1, &["ENOENT"]),
        (2, &["EROFS", "EACCES"]),
        (4, &["EROFS", "EACCES"]),
        (5, &["EPERM"]),
        (6, &["EPERM"]),
    ] {
        run.refused(at, errors);
    }
    run.never_shows("s3cret");
    // It is with the application: in its domain, it can be seen and ended by
    // it and the other way round.
    let inside = entering(&world, &running, "read ~/Share/a signal 2 0 pids");
    inside.all_work();
    // The signal to init changed nothing.
    assert_eq!(listed(&world).len(), 1);
}

fn pipes_and_exit_codes_pass() {
    let world = World::new();
    let running = started(waiting(&world));
    let mut cat = world.command(&pinfold());
    cat.args(["enter", &name(&running), "--", "cat"]);
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"through and through").unwrap();
    drop(writer);
    let run = finish(cat, Some(reader.into()));
    assert_eq!(run.ended_with(0).output, "through and through");
    entering(&world, &running, "exit 7").ended_with(7);
    entering(&world, &running, "signal-self 9").ended_with(128 + 9);
    command(&world, &format!("enter {} -- nonsense", name(&running)))
        .ended_with(127)
        .says("no nonsense in the sandbox");
    command(&world, &format!("enter {} -- /etc/passwd", name(&running))).ended_with(126);
    // The folder is one inside.
    let folder = command(&world, &format!("enter --folder /usr/share {} -- pwd", name(&running)));
    assert_eq!(folder.ended_with(0).output, "/usr/share\n");
    let mut folder = world.command(&pinfold());
    folder.args(["enter", &name(&running), "--", "true"]);
    let here = std::fs::File::open(world.root()).unwrap();
    finish(folder, Some(here.into())).ended_with(69).says("standard input is a folder");
}

fn signals_reach_who_entered() {
    let world = World::new();
    let running = started(waiting(&world));
    let words = format!("enter {} -- @/probe say inside await-signal 12 exit 5", name(&running));
    let mut command = world.command(&pinfold());
    command.args(words.split_whitespace().map(|word| world.text(word)));
    let mut visitor = Running::new(command, None);
    visitor.await_word("waiting");
    visitor.signal(rustix::process::Signal::USR2);
    visitor.finish().ended_with(5);
    // Who goes away takes its process along.
    let mut command = world.command(&pinfold());
    let words = format!("enter {} -- @/probe say inside linger", name(&running));
    command.args(words.split_whitespace().map(|word| world.text(word)));
    let mut visitor = Running::new(command, None);
    visitor.await_word("inside");
    assert_eq!(listed(&world)[0]["tasks"], 3);
    visitor.signal(rustix::process::Signal::KILL);
    visitor.finish();
    until("its process is gone", || listed(&world)[0]["tasks"] == 2);
}

fn a_terminal_of_its_own() {
    let world = World::new();
    let running = started(waiting(&world));
    let words = ["enter", &name(&running), "--", "/bin/sh"].map(str::to_owned);
    let program = pinfold().display().to_string();
    let command: Vec<String> = std::iter::once(program).chain(words).collect();
    let mut terminal = Terminal::new(&world, &command);
    terminal.type_in("echo on=$(tty) t=$TERM\n");
    terminal.await_text("on=/dev/pts/0 t=dumb");
    terminal.resize(33, 77);
    // It is told of by a signal, which takes its way.
    until("the size arrives", || {
        terminal.type_in("stty size\n");
        std::thread::sleep(std::time::Duration::from_millis(100));
        terminal.has("33 77")
    });
    // Job control: an interrupt ends what runs there, and not the shell.
    terminal.type_in("sleep 300; echo code=$?\n");
    std::thread::sleep(std::time::Duration::from_millis(300));
    terminal.type_in("\u{3}");
    terminal.type_in("echo still=here\n");
    terminal.await_text("still=here\r\n");
    terminal.type_in("exit 3\n");
    terminal.finish();
    assert_eq!(listed(&world)[0]["tasks"], 2);
}

fn who_enters_ends_with_the_sandbox() {
    let world = World::new();
    let running = started(waiting(&world));
    let mut command = world.command(&pinfold());
    let words = format!("enter {} -- @/probe say inside linger", name(&running));
    command.args(words.split_whitespace().map(|word| world.text(word)));
    let mut visitor = Running::new(command, None);
    visitor.await_word("inside");
    self::command(&world, &format!("kill --signal KILL {}", name(&running))).ended_with(0);
    visitor.finish().ended_with(127).says("the sandbox has ended");
    running.finish().ended_with(128 + 9);
    world.assert_nothing_left();
}

/// The application stops every process of its sandbox, over and over, and so
/// also one that is about to become what a person asked for.
fn who_is_stopped_before_the_start_holds_up_nobody() {
    let world = World::new();
    world.folder("~/Share");
    let running = started(
        world
            .app("say ready wait-for ~/Share/go stop-all ~/Share/enough exit 5")
            .manifest("[filesystem]\nwrite = [\"~/Share\"]"),
    );
    entering(&world, &running, "exit 7").ended_with(7);
    world.file("~/Share/go", "");
    std::thread::sleep(std::time::Duration::from_millis(200));
    // Some slip through; one that is still there a while later has not.
    let mut visitors = Vec::new();
    let stopped = |visitors: &mut Vec<Running>| {
        let mut command = world.command(&pinfold());
        command.args(["enter", &name(&running), "--", "/bin/true"]);
        visitors.push(Running::new(command, None));
        std::thread::sleep(std::time::Duration::from_millis(200));
        listed(&world)[0]["tasks"].as_u64().is_some_and(|tasks| tasks > 2)
    };
    until("two are stopped", || stopped(&mut visitors) && stopped(&mut visitors));
    // Init still does what is asked of it.
    world.file("~/Share/enough", "");
    for (at, visitor) in visitors.into_iter().enumerate() {
        // By an end of the command, and by an interrupt that it hands on.
        let signal = [rustix::process::Signal::KILL, rustix::process::Signal::INT][at % 2];
        visitor.signal(signal);
        if at % 2 == 0 {
            visitor.finish();
        }
    }
    running.finish().ended_with(5);
    world.assert_nothing_left();
}

/// A command that asks and asks and reads no answer.
fn who_does_not_listen_holds_up_nobody() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
    let world = World::new();
    let running = started(waiting(&world));
    let place = world.path(&format!("%/pinfold/{}.sock", name(&running)));
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    let flags = SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, kind, flags, None).unwrap();
    rustix::net::connect(&socket, &SocketAddrUnix::new(&place).unwrap()).unwrap();
    // SIGCONT, which does nothing.
    let packet: Vec<u8> = [0x100, 18, 0, 0].into_iter().flat_map(u32::to_ne_bytes).collect();
    let since = std::time::Instant::now();
    let mut sent = 0;
    while sent < 4000 && since.elapsed().as_secs() < 3 {
        match rustix::net::send(&socket, &packet, rustix::net::SendFlags::NOSIGNAL) {
            Ok(_) => sent += 1,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    }
    assert!(sent > 500, "{sent}");
    // Init may still be busy with all that.
    until("another is heard", || entering(&world, &running, "exit 7").code == Some(7));
    running.signal(rustix::process::Signal::TERM);
    running.finish().ended_with(128 + 15);
}

/// With a terminal its monitor has stopped with it.
fn an_application_that_has_stopped_is_ended() {
    let world = World::new();
    let ready = world.app("say ready signal-self 19 linger").ready();
    let words: Vec<String> = std::iter::once(ready.get_program())
        .chain(ready.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut terminal = Terminal::new(&world, &words);
    terminal.await_text("ready");
    until("the monitor has stopped", || {
        let monitor = listed(&world)[0]["monitor"].as_i64().unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{monitor}/stat")).unwrap();
        stat.contains(") T ")
    });
    command(&world, "kill --all").ended_with(0);
    terminal.finish();
    world.assert_nothing_left();
}

fn a_name_means_one_run() {
    let world = World::new();
    command(&world, "enter org.example.Nobody").ended_with(127).says("no sandbox runs at all");
    let first = started(waiting(&world));
    command(&world, "enter org.example.Nobody -- true").ended_with(127).says("`pinfold ps`");
    command(&world, &format!("enter {} -- true", crate::world::APP)).ended_with(0);
    let second = started(waiting(&world));
    assert_eq!(listed(&world).len(), 2);
    command(&world, &format!("enter {} -- true", crate::world::APP))
        .ended_with(2)
        .says("runs 2 times")
        .says(&name(&first));
    command(&world, &format!("enter {} -- true", name(&second))).ended_with(0);
    command(&world, &format!("kill {}", crate::world::APP)).ended_with(0);
    first.finish().ended_with(128 + 15);
    second.finish().ended_with(128 + 15);
    world.assert_nothing_left();
}

fn a_word_first_and_then_force() {
    let world = World::new();
    let deaf = "block-signal 15 say ready linger";
    let running = started(world.app(deaf));
    let since = std::time::Instant::now();
    command(&world, &format!("kill --grace 1 {}", name(&running))).ended_with(0);
    assert!(since.elapsed() >= std::time::Duration::from_secs(1));
    running.finish().ended_with(128 + 9);
    world.assert_nothing_left();
}

fn a_signal_and_no_more() {
    let world = World::new();
    let mut running = world.app("await-signal 10 say heard linger").start();
    running.await_word("waiting");
    command(&world, &format!("kill --signal usr1 {}", name(&running))).ended_with(0);
    running.await_word("heard");
    assert_eq!(listed(&world).len(), 1);
    command(&world, "kill --signal NOPE --all").ended_with(2).says("is no signal");
}

fn all_are_ended_at_once() {
    let world = World::new();
    let count = if is_full() { 200 } else { 20 };
    let mut all: Vec<Running> = (0..count).map(|_| waiting(&world).start()).collect();
    for running in &mut all {
        running.await_word("ready");
    }
    let list = listed(&world);
    assert_eq!(list.len(), count);
    let mut monitors: Vec<i64> = list.iter().map(|one| one["monitor"].as_i64().unwrap()).collect();
    let mut pids: Vec<i64> = all.iter().map(|running| running.pid().into()).collect();
    monitors.sort_unstable();
    pids.sort_unstable();
    assert_eq!(monitors, pids);
    command(&world, "kill --all").ended_with(0);
    for running in all {
        running.finish().ended_with(128 + 15);
    }
    world.assert_nothing_left();
}

fn forged_records_are_not_believed() {
    let world = World::new();
    let running = started(waiting(&world));
    let record = world.content(&format!("%/pinfold/{}.json", name(&running)));
    let mut value: Value = serde_json::from_str(&record).unwrap();
    let own = std::process::id();
    // Held by this process, which is no monitor of the init that it names.
    for (field, forged) in [("monitor", own.into()), ("app", Value::from("org.example.Other"))] {
        value[field] = forged;
        let forged =
            format!("%/pinfold/{}-{}.json", value["app"].as_str().unwrap(), value["monitor"]);
        let path = world.file(&forged, &value.to_string());
        let file = std::fs::File::options().write(true).open(path).unwrap();
        rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        let list = listed(&world);
        assert_eq!(list.len(), 1, "{list:#?}");
        assert_eq!(list[0]["instance"], name(&running));
        drop(file);
    }
    // Nobody's, and no record at all: gone with the next command.
    world.file("%/pinfold/org.example.X-1.json", "{\"version\": 1}");
    assert_eq!(listed(&world).len(), 1);
    assert_eq!(world.records().len(), 1);
}
