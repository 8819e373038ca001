//! Explicit denials: holes in grants.

use crate::tests;
use crate::world::{FIXED, UNSEEN, World};

tests![
    a_hole_in_a_read_grant,
    a_hole_in_a_write_grant,
    a_file_as_a_hole,
    a_hole_that_does_not_exist_yet,
    a_broader_flag_does_not_lift_it,
    a_flag_that_names_it_lifts_it,
    a_users_denial_holds_against_the_manifest,
    a_hole_behind_a_link,
    a_denial_of_the_command_line,
];

fn world() -> World {
    let world = World::new();
    world.file("~/Papers/open/a", "open");
    world.file("~/Papers/private/a", "s3cret");
    world
}

const SHUT: &str = "read ~/Papers/private/a list ~/Papers/private";

fn a_hole_in_a_read_grant() {
    let world = world();
    let grant = "[filesystem]\nread = [\"~/Papers\"]\ndeny = [\"~/Papers/private\"]";
    world.app(SHUT).manifest(grant).run().all_refused(UNSEEN).never_shows("s3cret");
    world.app("read ~/Papers/open/a").manifest(grant).run().all_work();
    // The control: without the denial the grant shows it.
    world.app(SHUT).manifest("[filesystem]\nread = [\"~/Papers\"]").run().all_work();
}

fn a_hole_in_a_write_grant() {
    let world = world();
    let grant = "[filesystem]\nwrite = [\"~/Papers\"]\ndeny = [\"~/Papers/private\"]";
    let acts = format!(
        "{SHUT} write ~/Papers/private/b x rename ~/Papers/private ~/Papers/moved \
         rmdir ~/Papers/private chmod 777 ~/Papers/private \
         exchange ~/Papers/private ~/Papers/open"
    );
    let run = world.app(&acts).manifest(grant).run();
    run.all_refused(&["ENOENT", "EACCES", "EROFS", "EBUSY", "EPERM"]).never_shows("s3cret");
    // The rest of the folder is the real one.
    world.app("write ~/Papers/new x append ~/Papers/open/a !").manifest(grant).run().all_work();
    assert_eq!(world.names("~/Papers"), ["new", "open", "private"]);
    assert_eq!(world.content("~/Papers/open/a"), "open!");
    assert_eq!(world.names("~/Papers/private"), ["a"]);
}

fn a_file_as_a_hole() {
    let world = world();
    let grant = "[filesystem]\nwrite = [\"~/Papers\"]\ndeny = [\"~/Papers/private/a\"]";
    let run = world
        .app(
            "read ~/Papers/private/a append ~/Papers/private/a x unlink ~/Papers/private/a \
             rename ~/Papers/private/a ~/Papers/b truncate ~/Papers/private/a",
        )
        .manifest(grant)
        .run();
    run.all_refused(&["ENOENT", "EACCES", "EROFS", "EBUSY", "EPERM", "EXDEV"])
        .never_shows("s3cret");
    // The folder that holds it may be moved, but not to uncover it.
    let run = world
        .app("rename ~/Papers/private ~/Papers/moved read ~/Papers/moved/a read ~/Papers/private/a")
        .manifest(grant)
        .run();
    run.never_shows("s3cret");
}

fn a_hole_that_does_not_exist_yet() {
    let world = world();
    let grant = "[filesystem]\nwrite = [\"~/Papers\"]\ndeny = [\"~/Papers/later\"]";
    let mut running = world
        .app("mkdir ~/Papers/later say ready wait-for ~/Papers/open/go read ~/Papers/later/a")
        .manifest(grant)
        .start();
    running.await_word("ready");
    assert!(!world.exists("~/Papers/later"), "it could be made");
    world.file("~/Papers/later/a", "s3cret");
    world.file("~/Papers/open/go", "");
    let run = running.finish();
    run.refused(3, UNSEEN).never_shows("s3cret");
}

fn a_broader_flag_does_not_lift_it() {
    let world = world();
    let grant = "[filesystem]\ndeny = [\"~/Papers/private\"]";
    let run = world.app(SHUT).manifest(grant).flags("--read ~/Papers").run();
    run.all_refused(UNSEEN).never_shows("s3cret");
    world.app("read ~/Papers/open/a").manifest(grant).flags("--read ~/Papers").run().all_work();
}

fn a_flag_that_names_it_lifts_it() {
    let world = world();
    let grant = "[filesystem]\nread = [\"~/Papers\"]\ndeny = [\"~/Papers/private\"]";
    world.app(SHUT).manifest(grant).flags("--read ~/Papers/private").run().all_work();
    let run = world
        .app("read ~/Papers/private/a")
        .manifest(grant)
        .flags("--read ~/Papers/private/a")
        .run();
    run.all_work();
}

fn a_users_denial_holds_against_the_manifest() {
    let world = world();
    world.file(
        "~/.config/pinfold/org.example.Probe.toml",
        "schema = 1\n[filesystem]\ndeny = [\"~/Papers/private\"]\n",
    );
    let grant = "[filesystem]\nread = [\"~/Papers\", \"~/Papers/private\"]";
    let run = world.app(SHUT).manifest(grant).run();
    run.all_refused(UNSEEN).never_shows("s3cret");
    world.app("read ~/Papers/open/a").manifest(grant).run().all_work();
    world.app(SHUT).manifest(grant).flags("--read ~/Papers/private").run().all_work();
}

fn a_hole_behind_a_link() {
    let world = world();
    // The same folder has two names; denied is the one that is not granted.
    world.link("Papers/private", "~/alias");
    let grant = "[filesystem]\nread = [\"~/Papers\"]\ndeny = [\"~/alias\"]";
    let run = world.app(SHUT).manifest(grant).run();
    run.all_refused(UNSEEN).never_shows("s3cret");
    let grant = "[filesystem]\nread = [\"~/alias\"]\ndeny = [\"~/Papers/private\"]";
    let run = world.app("read ~/alias/a").manifest(grant).run();
    run.all_refused(UNSEEN).never_shows("s3cret");
    world.outside("read ~/alias/a").all_work();
}

fn a_denial_of_the_command_line() {
    let world = world();
    let run = world
        .app("read ~/Papers/private/a append ~/Papers/open/a x")
        .manifest("[filesystem]\nread = [\"~/Papers\"]")
        .flags("--deny ~/Papers/private")
        .run();
    run.refused(0, UNSEEN).refused(1, FIXED);
}
