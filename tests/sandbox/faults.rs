//! Every system call of the set-up made to fail, one at a time: the
//! application does not run, or it runs in the very sandbox that was asked
//! for. The faults are the kernel's own as far as the program can tell:
//! strace puts them in, with no word of it in the program.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::buses::{EMPTY, session};
use crate::tests;
use crate::world::{App, Run, World, is_full};

tests![
    a_failing_step_never_lets_the_application_run,
    a_failing_step_before_a_bus_never_lets_the_application_run,
];

/// Calls by which a sandbox is built and an application shut in it.
const CALLS: [&str; 36] = [
    "bind",
    "capset",
    "chdir",
    "clone",
    "clone3",
    "close_range",
    "epoll_create1",
    "epoll_ctl",
    "fchdir",
    "fsconfig",
    "fsmount",
    "fsopen",
    "ioctl",
    "keyctl",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "listen",
    "mkdirat",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "pivot_root",
    "prctl",
    "recvmsg",
    "renameat2",
    "rt_sigprocmask",
    "seccomp",
    "sendmsg",
    "sethostname",
    "signalfd4",
    "socketpair",
    "symlinkat",
    "umount2",
    "unshare",
    "write",
];

/// What an application tells of its sandbox.
const ACTS: &str = "status mountinfo fds mkdir /usr/x read ~/secret listen-tcp 0";

const MANIFEST: &str = "[filesystem]\nread = [\"~/Papers\"]\ndeny = [\"~/Papers/private\"]";

fn world() -> World {
    let world = World::new();
    world.file("~/secret", "s3cret");
    world.file("~/Papers/a", "text");
    world.file("~/Papers/private/b", "s3cret");
    world
}

/// What of a run has to be the same whatever failed on the way. Numbers of
/// processes, times and the like are not.
fn sandbox(run: &Run) -> Value {
    let results = run.results();
    let status = &results[0]["value"];
    let kept = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Uid"];
    let status: BTreeMap<_, _> = kept.iter().map(|name| (name, &status[name])).collect();
    let descriptors: Vec<&String> = match &results[2]["value"] {
        Value::Object(open) => open.keys().collect(),
        other => panic!("{other}"),
    };
    let rest: Vec<_> = results[3..].iter().map(|result| &result["errno"]).collect();
    // A folder that was covered is deleted when that is known to the kernel.
    let mounts: Vec<_> = results[1]["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| (&mount["place"], &mount["options"]))
        .collect();
    json!({ "status": status, "mounts": mounts, "descriptors": descriptors, "rest": rest })
}

/// How often each call is made by any one process until the application runs.
fn counts(world: &World, app: App<'_>) -> BTreeMap<String, usize> {
    let trace = world.path("@/trace");
    let calls = format!("trace={},execve", CALLS.join(","));
    let before = ["strace", "-f", "-qq", "-o", trace.to_str().unwrap(), "-e", &calls];
    app.before(&before).run().ended_with(0);
    let mut counts: BTreeMap<(u32, String), usize> = BTreeMap::new();
    for line in world.content("@/trace").lines() {
        // "PID CALL(...", and "PID <... CALL resumed>" for the rest of one.
        let mut words = line.split_whitespace();
        let pid = words.next().and_then(|pid| pid.parse().ok());
        let call = words.next().and_then(|word| word.split_once('(')).map(|(call, _)| call);
        if let (Some(pid), Some(call)) = (pid, call) {
            *counts.entry((pid, call.to_owned())).or_default() += 1;
        }
    }
    let mut most: BTreeMap<String, usize> = BTreeMap::new();
    for ((_, call), count) in counts {
        let known = most.entry(call).or_default();
        *known = count.max(*known);
    }
    most
}

/// Runs an application with each fault; of a call that is made often, at most
/// `most` stand for all. Gives how many faults were refused.
fn each_fault<'a>(
    world: &'a World,
    app: impl Fn(&str) -> App<'a>,
    calls: &[&str],
    most: usize,
) -> usize {
    let sound = app(ACTS).run();
    sound.ended_with(0);
    let wanted = sandbox(&sound);
    let counts = counts(world, app(""));
    for call in calls {
        assert!(
            counts.contains_key(*call),
            "{call} is not made; what builds the sandbox? {counts:?}"
        );
    }
    let (mut refused, mut unharmed) = (0, 0);
    for (call, count) in counts.iter().filter(|(call, _)| CALLS.contains(&call.as_str())) {
        let step = if is_full() { 1 } else { count.div_ceil(most) };
        for nth in (1..=*count).step_by(step.max(1)) {
            let inject = format!("inject={call}:error=EPERM:when={nth}");
            let trace = format!("trace={call}");
            let before = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let run = app(ACTS).before(&before).run();
            run.never_shows("s3cret");
            let told = run.told();
            // The fault may come when the application runs already, and end it
            // while it tells.
            if run.output.lines().any(|line| line.starts_with('[') && line.ends_with(']')) {
                assert_eq!(sandbox(&run), wanted, "{call} {nth} failed, and unseen: {told}");
                unharmed += 1;
            } else {
                assert_ne!(run.code, Some(0), "{call} {nth} failed: {told}");
                // Who may not write can say nothing, and each process has its
                // fault: what one has to say may not be heard by the other.
                let says = run.errors.contains("error[") || call == "write" || call == "recvmsg";
                assert!(says, "{call} {nth} failed, and nothing says so: {told}");
                refused += 1;
            }
        }
    }
    println!("{refused} faults were refused, {unharmed} did no harm");
    world.assert_nothing_left();
    refused
}

fn a_failing_step_never_lets_the_application_run() {
    let world = world();
    let calls = ["move_mount", "mount_setattr", "pivot_root", "capset", "seccomp", "clone3"];
    let refused = each_fault(&world, |acts| world.app(acts).manifest(MANIFEST), &calls, 6);
    assert!(refused > 60, "{refused} faults were refused");
}

fn a_failing_step_before_a_bus_never_lets_the_application_run() {
    let world = world();
    let _bus = session(&world);
    let calls = ["bind", "listen", "sendmsg", "recvmsg", "epoll_create1", "epoll_ctl", "renameat2"];
    let app = |acts: &str| {
        let socket = format!("/run/user/{}/bus", rustix::process::getuid().as_raw());
        let acts =
            if acts.is_empty() { String::new() } else { format!("{acts} connect-path {socket}") };
        world.app(&acts).buses(EMPTY)
    };
    let refused = each_fault(&world, app, &calls, 3);
    assert!(refused > 45, "{refused} faults were refused");
}
