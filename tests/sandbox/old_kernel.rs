//! Kernels before Linux 5.12, which have no mount_setattr(2): the sandbox is
//! the same. strace answers for them; `tests/run vm` runs one.

use std::path::Path;

use crate::tests;
use crate::world::{Run, World, finish, kernel_before, pinfold};

tests![the_same_sandbox, mounts_beneath_a_grant, a_failing_mount_never_lets_the_application_run];

/// What Pinfold is handed to, so that the call does not exist; on a kernel
/// that does not have it a strace may not know it.
fn without() -> Vec<&'static str> {
    let mut before = vec!["strace", "-f", "-qq", "-o", "/dev/null"];
    before.extend(match kernel_before(5, 12) {
        true => ["-e", "trace=mount"].as_slice(),
        false => &["-e", "trace=mount_setattr,mount", "-e", "inject=mount_setattr:error=ENOSYS"],
    });
    before
}

const MANIFEST: &str = "[filesystem]\nread = [\"~/Papers\"]\nwrite = [\"~/Notes\"]\n\
                        deny = [\"~/Papers/private\"]";

fn world() -> World {
    let world = World::new();
    world.file("~/Papers/a", "text");
    world.file("~/Papers/private/b", "s3cret");
    world.file("~/Notes/c", "text");
    world
}

/// Each mount's place, options and peers, without numbers.
fn mounts(run: &Run) -> Vec<String> {
    run.ended_with(0);
    let told: Vec<String> = run
        .output
        .lines()
        .filter_map(|line| {
            let (place, rest) = (line.split(' ').nth(4)?, line.split(' ').skip(5));
            let rest: Vec<&str> = rest.take_while(|word| *word != "-").collect();
            Some(format!("{place} {}", rest.join(" ")))
        })
        .collect();
    assert!(told.len() > 15, "{}", run.told());
    told
}

/// Checks that two runs had the same mounts, but for some that are covered.
#[track_caller]
fn same(old: &Run, now: &Run, covered: &[&str]) {
    let (old, now) = (mounts(old), mounts(now));
    assert_eq!(old.len(), now.len());
    let extra: Vec<&String> = old.iter().filter(|mount| !now.contains(mount)).collect();
    assert_eq!(extra, covered);
    let differ = old.iter().zip(&now).filter(|(old, now)| old != now).count();
    assert_eq!(differ, covered.len());
}

fn the_same_sandbox() {
    let world = world();
    let look = ["/bin/cat", "/proc/self/mountinfo"];
    let now = world.program(&look).manifest(MANIFEST).run();
    let old = world.program(&look).manifest(MANIFEST).before(&without()).run();
    same(&old, &now, &[]);
    let acts = "create /usr/x create ~/Papers/x read ~/Papers/private/b create ~/Notes/x";
    let old = world.app(acts).manifest(MANIFEST).before(&without()).run();
    old.refused(0, &["EROFS", "EACCES"]).refused(1, &["EROFS", "EACCES"]);
    old.refused(2, &["ENOENT", "EACCES"]);
    old.value(3);
}

/// What is mounted in a granted folder comes with it, as read-only as it.
fn mounts_beneath_a_grant() {
    let world = world();
    // One in another, one with a blank, two in one place, one with peers, one
    // that is more limited than is asked, a file.
    let host = "cd \"$HOME/Papers\" && mkdir one 'a blank' twice peers tight && touch file && \
                mount -t tmpfs none one && mkdir one/deep && mount -t tmpfs none one/deep && \
                mount -t tmpfs none 'a blank' && \
                mount -t tmpfs none twice && mount -t tmpfs none twice && \
                mount -t tmpfs none peers && mount --make-shared peers && \
                mount -t tmpfs -o noexec,nosuid,nodev,noatime none tight && \
                mount --bind a file && \
                touch one/x one/deep/x 'a blank/x' twice/x peers/x tight/x file && ";
    let script = "for place in one one/deep 'a blank' twice peers tight; do \
                  test -e \"$HOME/Papers/$place/x\" || echo \"no $place\" >&2; \
                  touch \"$HOME/Papers/$place/y\" 2>/dev/null && echo \"wrote $place\" >&2; \
                  done; echo >\"$HOME/Papers/file\" && echo 'wrote file' >&2; \
                  cat /proc/self/mountinfo";
    let run = |before: &str| {
        // More than one of the mounts allows.
        let manifest = MANIFEST.replace("\"~/Papers\"", "{ path = \"~/Papers\", exec = true }");
        let mut app = world.program(&["/bin/sh", "-c", script]).manifest(&manifest);
        let _ = app.ready();
        let mut command = world.command(Path::new("/usr/bin/unshare"));
        let line = format!("{host} exec {before} \"$P\" run \"$M\"");
        command
            .args("--user --map-root-user --mount --pid --fork --mount-proc".split(' '))
            .args(["/bin/sh", "-c", &line])
            .env("P", pinfold())
            .env("M", app.write());
        let run = finish(command, None);
        for folder in ["one", "a blank", "twice", "peers", "tight", "file"] {
            let path = world.path(&format!("~/Papers/{folder}"));
            let _ = std::fs::remove_dir(&path).or_else(|_| std::fs::remove_file(&path));
        }
        run
    };
    let (now, old) = (run(""), run(&without().join(" ")));
    // The lower of the two in one place keeps what it has: no path leads there,
    // for the set-up no more than for the application.
    let lower = world.path("~/Papers/twice").display().to_string() + " rw,relatime";
    let covered: &[&str] = if kernel_before(5, 12) { &[] } else { &[&lower] };
    same(&old, &now, covered);
    for run in [&now, &old] {
        assert!(!run.errors.contains("wrote"), "{}", run.told());
        // They are all there, which is the control.
        assert!(!run.errors.lines().any(|line| line.starts_with("no ")), "{}", run.told());
        let beneath = run.output.lines().filter(|line| line.contains("/Papers/")).count();
        assert_eq!(beneath, 9, "{}", run.told());
        assert!(!run.output.contains(" master:"), "{}", run.told());
    }
}

fn a_failing_mount_never_lets_the_application_run() {
    let world = world();
    // The first of each mount's two calls, and the second.
    for nth in [1, 2, 3, 8, 15, 20] {
        let inject = format!("inject=mount:error=EPERM:when={nth}");
        let before = [without().as_slice(), &["-e", &inject]].concat();
        let run = world.app("ids").manifest(MANIFEST).before(&before).run();
        assert!(!run.output.contains('['), "{nth}: {}", run.told());
        assert_ne!(run.code, Some(0), "{nth}: {}", run.told());
    }
    // The control: the same with no fault.
    world.app("ids").manifest(MANIFEST).before(&without()).run().all_work();
}
