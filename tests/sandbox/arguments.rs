//! Files that are named as arguments.

use crate::tests;
use crate::world::{FIXED, UNSEEN, World};

tests![
    a_named_file_is_shown_and_nothing_beside_it,
    relative_names_and_uris,
    options_and_other_uris_name_nothing,
    no_forward,
    forward_write,
    folders_are_not_handed_over,
    a_persons_link_as_an_argument,
    a_planted_link_as_an_argument,
    arguments_arrive_as_they_are,
];

fn a_named_file_is_shown_and_nothing_beside_it() {
    let world = World::new();
    world.file("~/Papers/a.txt", "text");
    world.file("~/Papers/b.txt", "s3cret");
    world.file("@/else/c.txt", "more");
    let acts =
        "read ~/Papers/a.txt append ~/Papers/a.txt x read ~/Papers/b.txt read @/else/c.txt args";
    let run = world.app(acts).arguments("~/Papers/a.txt @/else/c.txt").run();
    assert_eq!((run.value(0), run.value(3)), ("text".into(), "more".into()));
    run.refused(1, FIXED).refused(2, UNSEEN).never_shows("s3cret");
    // It was shown to that run alone; its place may be left, with nothing in it.
    world.app("read ~/Papers/a.txt").run().never_shows("text");
}

fn relative_names_and_uris() {
    let world = World::new();
    world.file("~/Papers/a.txt", "one");
    world.file("~/b.txt", "two");
    world.file("~/with space.txt", "three");
    let run = world
        .app("read ~/Papers/a.txt read ~/b.txt args")
        .cwd("~/Papers")
        .arguments("a.txt ../b.txt")
        .run();
    run.all_work();
    let run = world.app("read ~/b.txt args").arguments("file://~/b.txt").run();
    run.all_work();
    let run = world.app("list ~/ args").arguments("file://~/with%20space.txt").run();
    assert!(run.value(0).to_string().contains("with space.txt"), "{}", run.told());
}

fn options_and_other_uris_name_nothing() {
    let world = World::new();
    world.file("~/a.txt", "s3cret");
    for argument in ["--file=~/a.txt", "-o~/a.txt", "https://localhost~/a.txt", "~/missing"] {
        let run = world.app("read ~/a.txt args").arguments(argument).run();
        run.refused(0, UNSEEN).never_shows("s3cret");
        assert_eq!(run.value(1)[0], world.text(argument));
    }
}

fn no_forward() {
    let world = World::new();
    world.file("~/a.txt", "s3cret");
    let run = world.app("read ~/a.txt args").flags("--no-forward").arguments("~/a.txt").run();
    run.refused(0, UNSEEN).never_shows("s3cret");
    world.app("read ~/a.txt args").arguments("~/a.txt").run().all_work();
}

fn forward_write() {
    let world = World::new();
    world.file("~/a.txt", "text");
    let run =
        world.app("append ~/a.txt ! args").flags("--forward-write").arguments("~/a.txt").run();
    run.all_work();
    assert_eq!(world.content("~/a.txt"), "text!");
}

fn folders_are_not_handed_over() {
    let world = World::new();
    world.file("~/Papers/a.txt", "s3cret");
    let run = world.app("read ~/Papers/a.txt list ~/Papers args").arguments("~/Papers").run();
    run.refused(0, UNSEEN).refused(1, UNSEEN).never_shows("s3cret");
    let run = world.app("read ~/Papers/a.txt args").arguments("~ . /").run();
    run.refused(0, UNSEEN);
}

fn a_persons_link_as_an_argument() {
    let world = World::new();
    world.file("@/mnt/a.txt", "text");
    world.link("@/mnt/a.txt", "~/a.txt");
    let run = world.app("read ~/a.txt args").arguments("~/a.txt").run();
    assert_eq!(run.value(0), "text", "{}", run.told());
}

fn a_planted_link_as_an_argument() {
    let world = World::new();
    world.file("@/vault/a.txt", "s3cret");
    world.folder("~/Share");
    world
        .app("symlink @/vault/a.txt ~/Share/a.txt symlink @/vault ~/Share/folder")
        .id("org.example.Other")
        .manifest("[filesystem]\nwrite = [\"~/Share\"]")
        .run()
        .all_work();
    world.outside("read ~/Share/a.txt read ~/Share/folder/a.txt").all_work();
    for path in ["~/Share/a.txt", "~/Share/folder/a.txt"] {
        let run = world.app(&format!("read {path} args")).arguments(path).run();
        run.refused(0, UNSEEN).never_shows("s3cret").says("is not handed over");
    }
}

fn arguments_arrive_as_they_are() {
    let world = World::new();
    let hostile = "; $(id) `id` --help -- --read=/ * ~ 'x \"y \\";
    let run = world.app("args").arguments(hostile).run();
    let words: Vec<String> = hostile.split_whitespace().map(str::to_owned).collect();
    assert_eq!(run.value(0), serde_json::json!(words));
}
