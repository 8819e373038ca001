//! Whose home the application finds.

use std::os::unix::fs::PermissionsExt;

use crate::tests;
use crate::world::{UNSEEN, World};

tests![
    a_private_home_is_kept,
    a_private_home_is_the_applications_alone,
    a_private_home_where_data_lies_elsewhere,
    an_ephemeral_home_is_gone,
    an_ephemeral_home_keeps_what_persists,
    a_shared_home,
    a_home_by_flag,
    looks_are_shown_read_only,
    other_homes_of_pinfold_are_out_of_reach,
];

fn a_private_home_is_kept() {
    let world = World::new();
    let run = world.app("write ~/kept text mkdir ~/.folder env").run();
    run.all_work();
    assert_eq!(run.value(2)["HOME"], world.path("~").display().to_string());
    world.app("read ~/kept list ~/.folder").run().all_work();
    assert_eq!(std::fs::read_to_string(world.own("kept")).unwrap(), "text");
    assert!(!world.exists("~/kept"));
    let mode = std::fs::metadata(world.own("")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o700);
}

fn a_private_home_is_the_applications_alone() {
    let world = World::new();
    world.app("write ~/kept s3cret").run().all_work();
    let run = world.app("read ~/kept").id("org.example.Other").run();
    run.all_refused(UNSEEN).never_shows("s3cret");
}

fn a_private_home_where_data_lies_elsewhere() {
    let world = World::new();
    world.folder("@/data");
    world.app("write ~/kept text").variable("XDG_DATA_HOME", "@/data").run().all_work();
    assert_eq!(world.content("@/data/pinfold/apps/org.example.Probe/kept"), "text");
    assert!(!world.exists("~/.local/share"));
}

fn an_ephemeral_home_is_gone() {
    let world = World::new();
    let manifest = "[home]\nkind = \"ephemeral\"";
    world.app("write ~/gone text read ~/gone").manifest(manifest).run().all_work();
    world.app("read ~/gone").manifest(manifest).run().all_refused(UNSEEN);
    assert!(!world.own("gone").exists());
}

fn an_ephemeral_home_keeps_what_persists() {
    let world = World::new();
    let manifest = "[home]\nkind = \"ephemeral\"\npersist = [\".config/app\"]";
    world
        .app("write ~/.config/app/kept text write ~/.config/gone text")
        .manifest(manifest)
        .run()
        .all_work();
    let run = world.app("read ~/.config/app/kept read ~/.config/gone").manifest(manifest).run();
    assert_eq!(run.value(0), "text");
    run.refused(1, UNSEEN);
}

fn a_shared_home() {
    let world = World::new();
    world.file("~/Documents/a", "text");
    world.file("~/note", "text");
    let run = world
        .app("append ~/Documents/a ! append ~/note ! write ~/Documents/new x")
        .manifest("[home]\nkind = \"shared\"")
        .run();
    run.all_work();
    assert_eq!(world.content("~/note"), "text!");
    assert_eq!(world.content("~/Documents/new"), "x");
}

fn a_home_by_flag() {
    let world = World::new();
    world.file("~/note", "text");
    world.app("read ~/note").flags("--home shared").run().all_work();
    world.app("write ~/gone x").flags("--home ephemeral").run().all_work();
    assert!(!world.own("gone").exists());
}

fn looks_are_shown_read_only() {
    let world = World::new();
    world.file("~/.local/share/fonts/a.ttf", "font");
    world.file("~/.config/fontconfig/fonts.conf", "conf");
    let run = world
        .app(
            "read ~/.local/share/fonts/a.ttf read ~/.config/fontconfig/fonts.conf \
             write ~/.local/share/fonts/a.ttf x create ~/.config/fontconfig/new",
        )
        .run();
    assert_eq!((run.value(0), run.value(1)), ("font".into(), "conf".into()));
    run.refused(2, &["EROFS", "EACCES"]).refused(3, &["EROFS", "EACCES"]);
}

fn other_homes_of_pinfold_are_out_of_reach() {
    let world = World::new();
    let other = "~/.local/share/pinfold/apps/org.example.Other/kept";
    world.app("write ~/kept s3cret").id("org.example.Other").run().all_work();
    world.outside(&format!("read {other}")).all_work();
    // Nor can it take back what is remembered about where it may write.
    let ledger = "~/.local/state/pinfold/written";
    world.app("stat ~/").flags("--create ~/Share").run().all_work();
    world.outside(&format!("read {ledger}")).all_work();
    let run = world
        .app(&format!("truncate {ledger}"))
        .manifest("[filesystem]\nwrite = [\"~\", \"~/.local/state\", \"~/.local/state/pinfold\"]")
        .run();
    run.all_refused(UNSEEN);
    assert_ne!(world.content(ledger), "");
    for manifest in [
        "[filesystem]\nread = [\"~\"]",
        "[filesystem]\nwrite = [\"~/.local/share\"]",
        "[filesystem]\nread = [\"~/.local/share/pinfold\"]",
        "[filesystem]\nread = [\"~/.local/share/pinfold/apps/org.example.Other\"]",
        "[home]\nkind = \"shared\"",
    ] {
        let run = world.app(&format!("read {other}")).manifest(manifest).run();
        run.all_refused(UNSEEN).never_shows("s3cret");
    }
}
