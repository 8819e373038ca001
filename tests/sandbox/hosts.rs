//! Hosts on which no sandbox can be built, and what a host costs: made from
//! this one with unshare(1) and mount(8), as containers make theirs.

use std::path::Path;

use crate::tests;
use crate::world::{World, finish, kernel_before, pinfold};

tests![
    a_proc_with_covered_parts,
    no_user_namespaces,
    inside_a_container_that_lets_one_be_built,
    the_table_of_mounts_is_never_read,
];

/// Runs a line of a shell as root of a namespace of its own; `$P` is the
/// program and `$M` a manifest.
pub fn contained(world: &World, options: &str, line: &str) -> crate::world::Run {
    let mut app = world.app("ids");
    let _ = app.ready();
    let manifest = app.write();
    let mut command = world.command(Path::new("/usr/bin/unshare"));
    command
        .args(options.split_whitespace())
        .args(["/bin/sh", "-c", line])
        .env("P", pinfold())
        .env("M", manifest);
    finish(command, None)
}

/// Options by which it is a container's root.
pub const CONTAINER: &str = "--user --map-root-user --mount --pid --fork --mount-proc";

/// Covered as container engines cover it.
const COVER: &str = "mount --bind /dev/null /proc/kallsyms && ";

fn a_proc_with_covered_parts() {
    let world = World::new();
    let run = contained(&world, CONTAINER, &format!("{COVER} exec \"$P\" run \"$M\""));
    run.ended_with(69).says("/proc of its own").says("pinfold doctor");
    let run = contained(&world, CONTAINER, &format!("{COVER} exec \"$P\" doctor"));
    run.ended_with(69);
    assert!(run.output.contains("/proc/kallsyms"), "{}", run.told());
    let run = contained(&world, CONTAINER, &format!("{COVER} exec \"$P\" tour"));
    run.ended_with(69);
    assert!(run.told().contains("/proc/kallsyms"), "{}", run.told());
}

fn no_user_namespaces() {
    let world = World::new();
    let off = "echo 1 >/proc/sys/user/max_user_namespaces && exec unshare --user --map-root-user";
    let run = contained(&world, "--user --map-root-user", &format!("{off} \"$P\" run \"$M\""));
    run.ended_with(69).says("namespaces").says("pinfold doctor");
    for command in ["doctor", "tour"] {
        let run = contained(&world, "--user --map-root-user", &format!("{off} \"$P\" {command}"));
        run.ended_with(69);
        assert!(run.told().contains("max_user_namespaces"), "{}", run.told());
    }
}

/// The control: the same container with nothing covered.
fn inside_a_container_that_lets_one_be_built() {
    let world = World::new();
    let run = contained(&world, CONTAINER, "exec \"$P\" run \"$M\"");
    run.ended_with(0).all_work();
    contained(&world, CONTAINER, "exec \"$P\" doctor").ended_with(0);
}

fn the_table_of_mounts_is_never_read() {
    if kernel_before(5, 12) {
        let reason = "this kernel has no call for all mounts of a tree";
        crate::skip("hosts::the_table_of_mounts_is_never_read", reason);
        return;
    }
    let world = World::new();
    world.file("~/Papers/a", "text");
    let trace = world.path("@/trace");
    let before = ["strace", "-f", "-qq", "-o", trace.to_str().unwrap(), "-e", "trace=%file"];
    let app = world.app("mountinfo").manifest("[filesystem]\nwrite = [\"~\"]");
    app.before(&before).run().all_work();
    let trace = world.content("@/trace");
    let opened: Vec<&str> = trace
        .lines()
        .filter(|line| line.contains(" open"))
        .filter(|line| line.contains("mountinfo\"") || line.contains("/mounts\""))
        .collect();
    // The probe's own look, which shows that the trace would tell.
    assert_eq!(opened.len(), 1, "{opened:?}");
}
