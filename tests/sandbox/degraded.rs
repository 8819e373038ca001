//! The tier without namespaces. Its tests run on a host where there are none,
//! made as `hosts` makes its own, so that it is known to need none.

use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

use rustix::process::Signal;

use crate::tests;
use crate::world::{App, World, finish, is_root, pinfold, set_mode, until};

tests![
    the_host_of_these_tests_has_no_namespaces,
    files,
    own_places,
    sockets,
    network,
    ports,
    other_processes,
    other_processes_of_the_same_host,
    what_landlock_does_not_govern,
    its_own_process,
    further_user_namespaces,
    exit_codes,
    signals_are_passed_on,
    a_terminals_signals_leave_init_alone,
    a_run_lasts_until_its_last_process,
    nothing_outlives_the_monitor,
    a_connection_to_the_compositor,
    a_stream_that_leads_elsewhere,
    what_it_cannot_keep_is_refused,
    never_by_itself,
    never_silent,
    shown_before_it_is_run,
    root_is_refused,
    a_failing_step_never_lets_the_application_run,
];

/// What the tier answers for a path that nothing grants.
const SHUT: &[&str] = &["EACCES"];

/// A host on which an ordinary account can make no namespace: the one that is
/// allowed is taken by the caller.
const NO_NAMESPACES: [&str; 8] = [
    "/usr/bin/unshare",
    "--user",
    "--map-root-user",
    "/bin/sh",
    "-c",
    "echo 1 >/proc/sys/user/max_user_namespaces && exec unshare --user --map-user=1000 \"$@\"",
    "sh",
    "--",
];

impl App<'_> {
    /// Without namespaces, on a host that has none.
    fn alone(self) -> Self {
        self.before(&NO_NAMESPACES).flags("--degraded=landlock")
    }
}

fn the_host_of_these_tests_has_no_namespaces() {
    let world = World::new();
    let run = world.app("say ran").before(&NO_NAMESPACES).run();
    run.ended_with(69).never_shows("ran");
    world.app("say ran").alone().run().all_work();
}

fn files() {
    let world = World::new();
    world.file("~/secret", "s3cret");
    world.file("~/.ssh/id", "s3cret");
    world.file("~/Papers/a", "text");
    world.file("~/Work/b", "text");
    world.file("@/beside", "s3cret");
    world.folder("~/Empty");
    let grants = "[filesystem]\nread = [\"~/Papers\"]\nwrite = [\"~/Work\"]";
    let shut = "read ~/secret read ~/.ssh/id read @/beside list ~/ list ~/.ssh list / \
                append ~/secret x truncate ~/secret create ~/new mkdir ~/Empty/new \
                append ~/Papers/a x create ~/Papers/new unlink ~/Papers/a \
                link ~/Work/b ~/Empty/c rename ~/Work/b ~/Empty/b";
    let open = "read ~/Papers/a list ~/Papers read ~/Work/b append ~/Work/b x create ~/Work/new \
                mkdir ~/Work/more rename ~/Work/new ~/Work/more/new exec /bin/true list /usr/bin";
    let run = world.app(shut).manifest(grants).alone().run();
    run.all_refused(&["EACCES", "EXDEV"]).never_shows("s3cret");
    let run = world.app(open).manifest(grants).alone().run();
    run.all_work();
    assert_eq!(world.content("~/Work/b"), "textx");
    world.outside(shut).all_work();
}

fn own_places() {
    let world = World::new();
    let run = world.app("env cwd").alone().run();
    let own = world.own("").display().to_string();
    let own = own.trim_end_matches('/');
    assert_eq!(run.value(0)["HOME"], own);
    assert_eq!(run.value(1), own);
    let there =
        "write HOME/kept text create TMPDIR/x create XDG_RUNTIME_DIR/x mkdir HOME/.config/a";
    let place = |text: &str| {
        let environment = run.value(0);
        ["TMPDIR", "XDG_RUNTIME_DIR", "HOME"].iter().fold(text.to_owned(), |text, name| {
            text.replace(&format!("{name}/"), &format!("{}/", environment[name].as_str().unwrap()))
        })
    };
    world.app(&place(there)).alone().run().all_work();
    assert_eq!(std::fs::read_to_string(world.own("kept")).unwrap(), "text");
    // The shared ones are nobody's.
    let shared =
        "list /tmp list /var/tmp list /dev/shm create /tmp/pinfold-x create /dev/shm/pinfold-x";
    world.app(shared).alone().run().all_refused(SHUT);
    world.outside("list /tmp list /var/tmp list /dev/shm").all_work();
}

fn sockets() {
    let world = World::new();
    let _path = UnixListener::bind(world.path("%/bus")).unwrap();
    let datagrams = UnixDatagram::bind(world.path("%/journal")).unwrap();
    datagrams.set_nonblocking(true).unwrap();
    let name = format!("pinfold-{}", std::process::id());
    let address = {
        use std::os::linux::net::SocketAddrExt;
        SocketAddr::from_abstract_name(&name).unwrap()
    };
    let _abstract = UnixListener::bind_addr(&address).unwrap();
    let acts = format!("connect-path %/bus send-datagram %/journal connect-abstract {name}");
    world.outside(&acts).all_work();
    assert!(datagrams.recv(&mut [0; 8]).is_ok());
    // A grant of the folder that they lie in opens none of them.
    for grants in ["", "[network]\nmode = \"host\"", "[filesystem]\nwrite = [\"@/run\"]"] {
        let run = world.app(&acts).manifest(grants).alone().run();
        run.all_refused(&["EAFNOSUPPORT", "EACCES", "EPERM"]);
    }
    assert!(datagrams.recv(&mut [0; 8]).is_err());
}

fn network() {
    let world = World::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // inet, inet6, netlink, by their numbers and kinds.
    let acts = format!(
        "connect-tcp 127.0.0.1:{port} listen-tcp 127.0.0.1:0 syscall {0} 2 2 0 end \
         syscall {0} 10 1 0 end syscall {0} 16 3 0 end",
        libc::SYS_socket
    );
    world.outside(&acts).all_work();
    world.app(&acts).alone().run().all_refused(&["EAFNOSUPPORT"]);
    world.app(&acts).manifest("[network]\nmode = \"host\"").alone().run().all_work();
}

fn ports() {
    let world = World::new();
    let [one, other] = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let port = |listener: &std::net::TcpListener| listener.local_addr().unwrap().port();
    let acts =
        format!("connect-tcp 127.0.0.1:{} connect-tcp 127.0.0.1:{}", port(&one), port(&other));
    let grants = format!("[network]\nmode = \"host\"\nconnect = [{}]", port(&one));
    world.outside(&acts).all_work();
    let run = world.app(&acts).manifest(&grants).alone().run();
    run.value(0);
    run.refused(1, &["EACCES"]);
}

fn other_processes() {
    let world = World::new();
    let other = std::process::id();
    let reads = format!("read /proc/{other}/cmdline read /proc/{other}/status list /proc");
    let signals = format!("signal {other} 0 signal {other} 18");
    let limits = format!(
        "syscall {0} {other} 7 0 0 end syscall {1} 1 {other} 0 end",
        libc::SYS_prlimit64,
        libc::SYS_ioprio_set,
    );
    world.outside(&format!("{reads} {signals}")).all_work();
    world.app(&reads).alone().run().all_refused(SHUT);
    world.app(&signals).alone().run().all_refused(&["EPERM"]);
    // These ask for no change.
    world.outside(&limits).all_work();
    world.app(&limits).alone().run().all_refused(&["EPERM"]);
    // Init is as much outside, though its child is in.
    let shell = "kill -0 $PPID; cat /proc/$PPID/cmdline; kill -9 $PPID; echo still here";
    let run = world.program(&["/bin/sh", "-c", shell]).alone().run();
    assert_eq!(run.output, "still here\n", "{}", run.told());
    // Its own children are not.
    let shell = "sleep 60 & kill $! && wait $!; echo $?";
    let run = world.program(&["/bin/sh", "-c", shell]).alone().run();
    assert_eq!(run.output, "143\n", "{}", run.told());
}

/// Secrets in other processes are out of reach by their user namespace too
/// where there are any, so that landlock is seen only where it is the same.
fn other_processes_of_the_same_host() {
    if is_root() {
        let name = "degraded::other_processes_of_the_same_host";
        return crate::skip(name, "the tier refuses root, and is tried as an ordinary user");
    }
    let world = World::new();
    let mut neighbour = std::process::Command::new("/bin/sleep").arg("300").spawn().unwrap();
    let acts = format!(
        "read /proc/{0}/environ read /proc/{0}/maps readlink /proc/{0}/cwd",
        neighbour.id()
    );
    let outside = world.outside(&acts);
    let run = world.app(&acts).flags("--degraded=landlock").run();
    neighbour.kill().unwrap();
    neighbour.wait().unwrap();
    outside.all_work();
    run.all_refused(SHUT);
}

fn what_landlock_does_not_govern() {
    let world = World::new();
    let place = world.file("~/secret", "s3cret");
    let acts = "chmod 600 ~/secret watch ~/";
    world.outside(acts).all_work();
    let run = world.app(acts).alone().run();
    run.refused(0, &["EPERM"]).refused(1, &["ENOSPC"]);
    // Nothing of this key or name is there, which is a matter for the kernel.
    let calls = format!(
        "syscall {} 1347831395 0 0 end syscall {} 1347831395 0 0 end",
        libc::SYS_shmget,
        libc::SYS_msgget,
    );
    world.outside(&calls).all_refused(&["ENOENT"]);
    world.app(&calls).alone().run().all_refused(&["ENOSYS"]);
    let shell = format!("touch -c -d 2000-01-01 '{0}'; chown $(id -u) '{0}'", place.display());
    let before = std::fs::metadata(&place).unwrap().modified().unwrap();
    world.program(&["/bin/sh", "-c", &shell]).alone().run();
    assert_eq!(std::fs::metadata(&place).unwrap().modified().unwrap(), before);
    let shell = std::process::Command::new("/bin/sh").args(["-c", &shell]).status().unwrap();
    assert!(shell.success());
    assert_ne!(std::fs::metadata(&place).unwrap().modified().unwrap(), before);
}

fn its_own_process() {
    let world = World::new();
    let run =
        world.app("status fds read /proc/meminfo read /proc/self/maps list /usr").alone().run();
    run.all_work();
    let status = run.value(0);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status[set], "0000000000000000", "{set}");
    }
    assert_eq!((&status["NoNewPrivs"], &status["Seccomp"]), (&"1".into(), &"2".into()));
    let open: Vec<String> = run.value(1).as_object().unwrap().keys().cloned().collect();
    assert_eq!(open, ["0", "1", "2"]);
    // What tells of the host, and of the host's sockets.
    let acts = "read /proc/self/net/unix read /proc/net/tcp list /proc/self/task list /proc/self \
                read /proc/mounts/../../1/cmdline";
    world.outside("read /proc/self/net/unix read /proc/net/tcp list /proc/self/task").all_work();
    world.app(acts).alone().run().all_refused(&["EACCES", "ENOTDIR", "ENOENT"]);
}

fn further_user_namespaces() {
    let world = World::new();
    let run = world.app("unshare 268435456").alone().run();
    run.refused(0, &["EPERM"]);
    // Also where the host would allow it, to an account that is not root.
    world.outside("unshare 268435456").all_work();
    let account = ["/usr/bin/unshare", "--user", "--map-user=1000"];
    let app = world.app("unshare 268435456").before(&account);
    app.flags("--degraded=landlock").run().refused(0, &["EPERM"]);
}

fn exit_codes() {
    let world = World::new();
    for code in [0, 1, 65, 126, 255] {
        world.app(&format!("exit {code}")).alone().run().ended_with(code);
    }
    for signal in [6, 9, 15] {
        world.app(&format!("signal-self {signal}")).alone().run().ended_with(128 + signal);
    }
    let bad = world.file("~/bad", "\x7fELF but no program");
    set_mode(&bad, 0o755);
    world.program(&[bad.to_str().unwrap()]).alone().run().ended_with(126).says("cannot execute");
    world.program(&["/nowhere/program"]).alone().run().ended_with(127);
    world.assert_nothing_left();
}

fn signals_are_passed_on() {
    let world = World::new();
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::HUP, "HUP"), (Signal::USR1, "USR1")] {
        let script = format!(
            "trap 'echo got {name}; exit 7' {name}; echo ready; while :; do sleep 0.05; done"
        );
        let mut running = world.program(&["/bin/sh", "-c", &script]).alone().start();
        running.await_word("ready");
        running.signal(signal);
        let run = running.finish();
        assert!(run.output.contains(&format!("got {name}")), "{}", run.told());
        run.ended_with(7);
    }
    world.assert_nothing_left();
}

/// Init's process id, by the record of the only sandbox.
fn init(world: &World) -> i32 {
    until("there is a record", || world.records().len() == 1);
    let record = world.content(&format!("%/pinfold/{}", world.records()[0]));
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert!(record["degraded"].to_string().contains("namespaces: user"), "{record}");
    record["init"].as_i64().unwrap() as i32
}

fn a_terminals_signals_leave_init_alone() {
    let world = World::new();
    let mut running = world.app("say ready wait-for @/go exit 5").manifest("").alone().start();
    running.await_word("ready");
    let init = init(&world);
    for signal in [Signal::INT, Signal::QUIT, Signal::HUP, Signal::TERM, Signal::TSTP] {
        crate::world::send(init, signal);
    }
    world.file("@/go", "");
    running.finish().ended_with(5);
}

fn a_run_lasts_until_its_last_process() {
    let world = World::new();
    world.folder("~/Share");
    let mut running = world
        .app("leave-behind wait-for ~/Share/go write ~/Share/done x end say ready exit 9")
        .manifest("[filesystem]\nwrite = [\"~/Share\"]")
        .alone()
        .start();
    running.await_word("ready");
    init(&world);
    world.file("~/Share/go", "");
    running.finish().ended_with(9);
    assert!(world.exists("~/Share/done"));
    world.assert_nothing_left();
}

fn nothing_outlives_the_monitor() {
    let world = World::new();
    // One process of a session of its own, orphaned, and one that is not.
    let shell = "setsid sh -c 'sleep 300 & sleep 300 & exit' ; sleep 300 & echo ready; sleep 300";
    let mark = format!("{}/mark", world.root().display());
    let script = world.file("@/script", &format!("# {mark}\n{shell}\n"));
    let read = format!("[filesystem]\nread = [{script:?}]");
    let mut running =
        world.program(&["/bin/sh", script.to_str().unwrap()]).manifest(&read).alone().start();
    running.await_word("ready");
    let init = init(&world);
    let sleeping = || {
        let group = descendants(init);
        group.len()
    };
    until("all of it runs", || sleeping() >= 5);
    let all = descendants(init);
    running.signal(Signal::KILL);
    running.finish();
    until("none of it is left", || all.iter().all(|pid| !is_alive(*pid)) && !is_alive(init));
    // The next run drops the record that nobody took away.
    world.app("").alone().run().ended_with(0);
    world.assert_nothing_left();
}

/// The processes beneath one.
fn descendants(top: i32) -> Vec<i32> {
    let mut found = vec![top];
    let mut at = 0;
    while at < found.len() {
        let path = format!("/proc/{0}/task/{0}/children", found[at]);
        let children = std::fs::read_to_string(path).unwrap_or_default();
        found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        at += 1;
    }
    found.split_off(1)
}

fn is_alive(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie that nobody has waited for yet does nothing any more.
    status.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn a_connection_to_the_compositor() {
    let world = World::new();
    let compositor = UnixListener::bind(world.path("%/wayland-7")).unwrap();
    let grant = "[display]\nwayland = true";
    let app = |acts: &str| {
        world.app(acts).manifest(grant).variable("WAYLAND_DISPLAY", "wayland-7").alone()
    };
    let run = app("env fds").run();
    run.all_work();
    compositor.set_nonblocking(true).unwrap();
    compositor.accept().unwrap();
    let environment = run.value(0);
    assert_eq!(environment.get("WAYLAND_DISPLAY"), None);
    let number = environment["WAYLAND_SOCKET"].as_str().unwrap().to_owned();
    let open = run.value(1);
    assert!(open[&number].as_str().unwrap().starts_with("socket:"), "{open}");
    assert_eq!(open.as_object().unwrap().len(), 4, "{open}");
    // It is the launcher's to connect, and nobody else's.
    app("connect-path %/wayland-7").run().refused(0, &["EAFNOSUPPORT"]);
    drop(compositor);
    app("say ran").run().ended_with(69).says("cannot connect to the compositor").never_shows("ran");
}

fn a_stream_that_leads_elsewhere() {
    let world = World::new();
    let loose = UnixDatagram::unbound().unwrap();
    let run = world.app("say ran").input(std::os::fd::OwnedFd::from(loose)).alone().run();
    run.ended_with(69).says("standard input").never_shows("ran");
    let (tied, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    world.app("say ran").input(std::os::fd::OwnedFd::from(tied)).alone().run().all_work();
}

fn what_it_cannot_keep_is_refused() {
    let world = World::new();
    world.file("~/Papers/taxes/a", "s3cret");
    for (text, place) in [
        ("[filesystem]\nread = [\"~/Papers\"]\ndeny = [\"~/Papers/taxes\"]", ".toml:6:"),
        ("[filesystem]\nwrite = [\"~/Papers\"]\nread = [\"~/Papers/taxes\"]", ".toml:6:"),
        ("[home]\nkind = \"ephemeral\"", ".toml:5:"),
        ("[home]\nkind = \"shared\"", ".toml:5:"),
        ("hostname = \"box\"", ".toml:4:"),
        ("[syscalls]\nnested = \"browser\"", ".toml:5:"),
    ] {
        let run = world.app("say ran").manifest(text).alone().run();
        run.ended_with(69).says(place).says("E0505").never_shows("ran");
    }
}

fn never_by_itself() {
    let world = World::new();
    let run = world.app("say ran").before(&NO_NAMESPACES).run();
    run.ended_with(69).says("--degraded=landlock").says("doctor").never_shows("ran");
    let mut command = world.command(std::path::Path::new(NO_NAMESPACES[0]));
    command.args(&NO_NAMESPACES[1..]).arg(pinfold()).arg("doctor");
    let run = finish(command, None);
    run.ended_with(69);
    assert!(run.output.contains("--degraded=landlock"), "{}", run.told());
}

fn never_silent() {
    let world = World::new();
    let run = world.app("say ran").alone().run();
    run.all_work().says("warning: no namespaces");
    let run = world.app("say ran").alone().flags("-q").run();
    run.all_work().says("warning: no namespaces");
    assert_eq!(run.errors.lines().count(), 1, "{}", run.told());
    let run = world.app("say ran").alone().flags("-v").run();
    run.says("/tmp and /var/tmp are shut");
}

fn shown_before_it_is_run() {
    let world = World::new();
    world.folder("~/Papers");
    let app = world.app("").manifest("[filesystem]\nread = [\"~/Papers\"]");
    let manifest = app.write();
    let show = |words: &[&str]| {
        let mut command = world.command(std::path::Path::new(NO_NAMESPACES[0]));
        command.args(&NO_NAMESPACES[1..]).arg(pinfold()).args(words).arg(&manifest);
        let run = finish(command, None);
        run.ended_with(0);
        run.output.clone()
    };
    let shown = show(&["show", "--degraded=landlock"]);
    assert!(shown.contains("no namespaces: landlock and the filter alone"), "{shown}");
    assert!(shown.contains("No network") && shown.contains("Papers"), "{shown}");
    let plan = show(&["plan", "--json", "--degraded=landlock"]);
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["tier"], "landlock");
    let plan = show(&["run", "--dry-run", "--degraded=landlock"]);
    assert!(plan.contains("open where it lies:"), "{plan}");
    assert_eq!(world.names("~"), ["Papers"]);
}

fn root_is_refused() {
    let world = World::new();
    let mut app = world.app("say ran").flags("--degraded=landlock");
    if !is_root() {
        app = app.before(&["/usr/bin/unshare", "--user", "--map-root-user"]);
    }
    app.run().ended_with(69).says("root is not confined without namespaces").never_shows("ran");
}

/// Calls by which the application is shut in here.
const CALLS: [&str; 12] = [
    "capset",
    "chdir",
    "clone",
    "clone3",
    "close_range",
    "kill",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "prctl",
    "rt_sigprocmask",
    "seccomp",
];

fn a_failing_step_never_lets_the_application_run() {
    let world = World::new();
    world.file("~/secret", "s3cret");
    let other = std::process::id();
    let acts = format!("read ~/secret signal {other} 0 connect-path %/x read /proc/{other}/status");
    let shut: &[&str] = &["EACCES", "EPERM", "EAFNOSUPPORT"];
    world.app(&acts).alone().run().all_refused(shut);
    let (mut refused, mut unharmed) = (0, 0);
    for call in CALLS {
        for nth in 1..=6 {
            let inject = format!("inject={call}:error=EINVAL:when={nth}");
            let trace = format!("trace={call}");
            let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let before: Vec<&str> = NO_NAMESPACES.iter().chain(&strace).copied().collect();
            let run = world.app(&acts).before(&before).flags("--degraded=landlock").run();
            run.never_shows("s3cret");
            if run.output.lines().any(|line| line.starts_with('[')) {
                run.all_refused(shut);
                unharmed += 1;
            } else {
                assert_ne!(run.code, Some(0), "{call} {nth} failed: {}", run.told());
                refused += 1;
            }
        }
    }
    assert!(refused > 20, "{refused} faults were refused, {unharmed} did no harm");
    world.assert_nothing_left();
}
