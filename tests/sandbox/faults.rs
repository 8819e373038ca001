//! Every system call of the set-up made to fail, one at a time: the
//! application does not run, or it runs in the very sandbox that was asked
//! for. The faults are the kernel's own as far as the program can tell:
//! strace puts them in, with no word of it in the program.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::tests;
use crate::world::{Run, World, is_full};

tests![a_failing_step_never_lets_the_application_run];

/// Calls by which a sandbox is built and an application shut in it.
const CALLS: [&str; 29] = [
    "capset",
    "chdir",
    "clone",
    "clone3",
    "close_range",
    "fchdir",
    "fsconfig",
    "fsmount",
    "fsopen",
    "ioctl",
    "keyctl",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "mkdirat",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "pivot_root",
    "prctl",
    "rt_sigprocmask",
    "seccomp",
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
fn counts(world: &World) -> BTreeMap<String, usize> {
    let trace = world.path("@/trace");
    let calls = format!("trace={},execve", CALLS.join(","));
    let before = ["strace", "-f", "-qq", "-o", trace.to_str().unwrap(), "-e", &calls];
    world.app("").manifest(MANIFEST).before(&before).run().ended_with(0);
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

fn a_failing_step_never_lets_the_application_run() {
    let world = world();
    let sound = world.app(ACTS).manifest(MANIFEST).run();
    sound.ended_with(0);
    let wanted = sandbox(&sound);
    let counts = counts(&world);
    for call in ["move_mount", "mount_setattr", "pivot_root", "capset", "seccomp", "clone3"] {
        assert!(
            counts.contains_key(call),
            "{call} is not made; what builds the sandbox? {counts:?}"
        );
    }
    let (mut refused, mut unharmed) = (0, 0);
    for (call, count) in counts.iter().filter(|(call, _)| CALLS.contains(&call.as_str())) {
        // Of a call that is made for every mount, some stand for all.
        let step = if is_full() { 1 } else { count.div_ceil(6) };
        for nth in (1..=*count).step_by(step.max(1)) {
            let inject = format!("inject={call}:error=EPERM:when={nth}");
            let trace = format!("trace={call}");
            let before = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
            let run = world.app(ACTS).manifest(MANIFEST).before(&before).run();
            run.never_shows("s3cret");
            let told = run.told();
            if run.output.lines().any(|line| line.starts_with('[')) {
                assert_eq!(sandbox(&run), wanted, "{call} {nth} failed, and unseen: {told}");
                unharmed += 1;
            } else {
                assert_ne!(run.code, Some(0), "{call} {nth} failed: {told}");
                refused += 1;
            }
        }
    }
    assert!(refused > 60, "{refused} faults were refused, {unharmed} did no harm");
    world.assert_nothing_left();
}
