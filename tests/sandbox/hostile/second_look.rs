//! Two things that no act of an application can show: the second look at what
//! is shown, and that a release build leaves nothing out.

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::world::{Run, World, pinfold, pinfold_release, until};

/// How long strace holds the launcher between its look at the sources and
/// the child's. In microseconds.
const DELAY: &str = "inject=clone3:delay_enter=1500000:when=1";

/// Runs while the granted folder is exchanged for another between the
/// launcher's look and the child's.
fn exchanged_meanwhile(world: &World, without: &str) -> Run {
    let before = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=clone3", "-e", DELAY];
    let running = world
        .app("say ran read @/share/data/a")
        .manifest("[filesystem]\nread = [\"@/share/data\"]")
        .before(&before)
        .variable("PINFOLD_WITHOUT", without)
        .start();
    let (data, vault) = (world.path("@/share/data"), world.path("@/vault"));
    let clone3 = format!("{} ", libc::SYS_clone3);
    until("the launcher has looked at the folder, and is held", || {
        world.processes().into_iter().any(|pid| {
            let call = std::fs::read_to_string(format!("/proc/{pid}/syscall"));
            call.is_ok_and(|call| call.starts_with(&clone3))
        })
    });
    let exchange = || renameat_with(CWD, &data, CWD, &vault, RenameFlags::EXCHANGE).unwrap();
    exchange();
    let run = running.finish();
    exchange();
    run
}

pub fn the_second_look() {
    let world = World::beside_own_places();
    world.file("@/share/data/a", "open");
    world.file("@/vault/a", "s3cret");
    // It is refused, for the child finds another object than the launcher.
    let run = exchanged_meanwhile(&world, "");
    run.ended_with(125).never_shows("ran").never_shows("s3cret");
    // Without the second look it is mounted, and landlock's rules, which hang
    // on what the launcher saw, do not cover it.
    let run = exchanged_meanwhile(&world, "witnesses");
    run.refused(1, &["EACCES"]).never_shows("s3cret");
    // The control: without both it is read.
    let run = exchanged_meanwhile(&world, "witnesses,landlock");
    assert_eq!(run.value(1), "s3cret", "{}", run.told());
    // Nor is it the delay that does it.
    assert_eq!(world.content("@/share/data/a"), "open");
    let run =
        world.app("read @/share/data/a").manifest("[filesystem]\nread = [\"@/share/data\"]").run();
    assert_eq!(run.value(0), "open");
}

pub fn a_release_build_leaves_nothing_out() {
    let world = World::new();
    world.file("~/secret", "s3cret");
    let all: Vec<&str> =
        pinfold::model::barrier::Barrier::ALL.iter().map(|barrier| barrier.name()).collect();
    let acts = format!("read ~/secret unshare {} status", libc::CLONE_NEWUSER);
    let app = || world.app(&acts).variable("PINFOLD_WITHOUT", &all.join(","));
    // The control: the debug build does, and says so.
    let run = app().run();
    run.says("leaves out: mounts").all_work();
    assert_eq!(run.value(0), "s3cret");
    world.app("stat ~/").variable("PINFOLD_WITHOUT", "moats").run().ended_with(2).says("moats");
    if pinfold_release() == pinfold() {
        crate::skip(
            "hostile::a_release_build_leaves_nothing_out",
            "there is no release build to try (PINFOLD_RELEASE_BIN)",
        );
        return;
    }
    for without in [all.join(","), "moats".to_owned()] {
        let run = world.app(&acts).variable("PINFOLD_WITHOUT", &without).release().run();
        run.refused(0, &["ENOENT", "EACCES"]).refused(1, &["EPERM"]).never_shows("s3cret");
        assert_eq!(run.value(2)["Seccomp"], "2", "{}", run.told());
        assert!(!run.errors.contains("leaves out"), "{}", run.told());
    }
}
