//! Links: a person's own are followed, planted ones are not.
//!
//! "Planted" is done from outside where the application could have done it
//! in an earlier run, or by the application itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::tests;
use crate::world::{UNSEEN, World, is_full, is_root, set_mode};

tests![
    a_persons_link_is_followed,
    a_link_outside_the_home_keeps_both_names,
    a_home_behind_a_link,
    a_link_where_an_application_wrote_is_not_followed,
    the_ledger_outlives_manifests_and_flags,
    a_link_above_the_granted_path,
    a_link_where_others_may_write,
    a_link_in_the_own_home_leads_nowhere,
    things_planted_at_the_place_of_a_grant,
    things_planted_at_the_place_of_a_file,
    a_link_planted_above_the_place_of_a_grant,
    a_persisted_folder_that_became_a_link,
    a_swap_during_the_launch,
    a_swap_at_the_place_of_a_grant,
    patterns_are_not_expanded_where_an_application_wrote,
];

const OTHER: &str = "org.example.Other";

fn a_persons_link_is_followed() {
    let world = World::new();
    world.file("@/mnt/data/a", "text");
    world.file("@/mnt/other", "s3cret");
    world.link("@/mnt/data", "~/Documents");
    let run = world
        .app("read ~/Documents/a append ~/Documents/a ! list @/mnt")
        .manifest("[filesystem]\nwrite = [\"~/Documents\"]")
        .run();
    assert_eq!(run.value(0), "text");
    run.value(1);
    run.never_shows("other");
    assert_eq!(world.content("@/mnt/data/a"), "text!");
}

fn a_link_outside_the_home_keeps_both_names() {
    let world = World::new();
    world.file("@/mnt/data/a", "text");
    world.link("mnt/data", "@/data");
    let run = world
        .app("read @/data/a read @/mnt/data/a readlink @/data")
        .manifest("[filesystem]\nread = [\"@/data\"]")
        .run();
    run.all_work();
    assert_eq!(run.value(2), "mnt/data");
}

fn a_home_behind_a_link() {
    let world = World::new();
    world.file("~/Documents/a", "text");
    world.file("~/secret", "s3cret");
    world.link("home", "@/alias");
    let acts = "read @/alias/Documents/a read ~/Documents/a env write @/alias/kept x \
                read @/alias/secret";
    let run = world
        .app(acts)
        .manifest("[filesystem]\nread = [\"xdg-documents\"]")
        .variable("HOME", "@/alias")
        .cwd("@/alias/Documents")
        .run();
    assert_eq!((run.value(0), run.value(1)), ("text".into(), "text".into()));
    assert_eq!(run.value(2)["HOME"], world.path("@/alias").display().to_string());
    run.value(3);
    run.refused(4, UNSEEN);
    assert!(world.own("kept").exists());
}

/// A world in which another application has left a link in `~/Projects`.
fn planted() -> World {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    world.file("~/Projects/real/a", "open");
    let run = world
        .app("symlink @/vault ~/Projects/link symlink @/vault/a ~/Projects/file")
        .id(OTHER)
        .manifest("[filesystem]\nwrite = [\"~/Projects\"]")
        .run();
    run.all_work();
    world.outside("read ~/Projects/link/a read ~/Projects/file").all_work();
    world
}

fn a_link_where_an_application_wrote_is_not_followed() {
    let world = planted();
    let run = world
        .app("read ~/Projects/link/a read ~/Projects/file")
        .manifest("[filesystem]\nread = [\"~/Projects/link\", \"~/Projects/file\"]")
        .run();
    run.all_refused(UNSEEN).never_shows("s3cret");
    run.says("link in a folder where an application");
    // What is no link is shown as ever.
    let grant = "[filesystem]\nread = [\"~/Projects/real\"]";
    world.app("read ~/Projects/real/a").manifest(grant).run().all_work();
    // The control: the same link in a folder that no application had.
    world.link("@/vault", "~/Mine/link");
    let grant = "[filesystem]\nread = [\"~/Mine/link\"]";
    world.app("read ~/Mine/link/a").manifest(grant).run().all_work();
}

fn the_ledger_outlives_manifests_and_flags() {
    let world = planted();
    std::fs::remove_file(world.path(&format!("@/{OTHER}.toml"))).unwrap();
    world.app("symlink @/vault ~/Desk/link").flags("--create ~/Desk").run().all_work();
    assert!(world.content("~/.local/state/pinfold/written").contains("/home/Desk\n"));
    for (grant, path) in
        [("~/Projects/link", "~/Projects/link/a"), ("~/Desk/link", "~/Desk/link/a")]
    {
        let run = world
            .app(&format!("read {path}"))
            .manifest(&format!("[filesystem]\nread = [{grant:?}]"))
            .run();
        run.all_refused(UNSEEN).never_shows("s3cret");
    }
    world.outside("read ~/Projects/link/a read ~/Desk/link/a").all_work();
}

fn a_link_above_the_granted_path() {
    let world = planted();
    world.file("@/vault/deep/b", "s3cret");
    let run = world
        .app("read ~/Projects/link/deep/b write ~/Projects/link/new x")
        .manifest(
            "[filesystem]\nread = [\"~/Projects/link/deep\"]\n\
             write = [\"~/Projects/link/deep/b\"]\ncreate = [\"~/Projects/link/new\"]",
        )
        .run();
    run.refused(0, UNSEEN).never_shows("s3cret");
    assert!(!world.exists("@/vault/new"), "a folder was made behind a planted link");
}

fn a_link_where_others_may_write() {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    world.link("@/vault", "@/common/link");
    let grant = "[filesystem]\nread = [\"@/common/link\"]";
    // With the sticky bit, as in /tmp, a link of root's is root's all the same.
    for mode in if is_root() { vec![0o777] } else { vec![0o777, 0o1777] } {
        set_mode(world.path("@/common"), mode);
        let run = world.app("read @/common/link/a").manifest(grant).run();
        run.all_refused(UNSEEN).never_shows("s3cret");
    }
    set_mode(world.path("@/common"), 0o755);
    world.app("read @/common/link/a").manifest(grant).run().all_work();
}

fn a_link_in_the_own_home_leads_nowhere() {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    world.file("~/secret/a", "s3cret");
    let run = world
        .app("symlink @/vault ~/out symlink ~/secret ~/in symlink /proc/1/root ~/root read ~/out/a")
        .run();
    run.refused(3, UNSEEN);
    let run = world.app("read ~/out/a read ~/in/a list ~/root/").run();
    run.all_refused(UNSEEN).never_shows("s3cret");
    // Nor does a grant that names them find anything behind them: what is
    // granted is the real home's, where nothing is.
    let run = world
        .app("read ~/out/a read ~/in/a")
        .manifest("[filesystem]\nread = [\"~/out\", \"~/in\"]")
        .run();
    run.all_refused(UNSEEN).never_shows("s3cret");
}

/// Puts each kind of thing at a place in turn, and gives its name.
fn plants(world: &World, place: &std::path::Path, mut check: impl FnMut(&str)) {
    type Plant = fn(&World, &std::path::Path);
    let kinds: [(&str, Plant); 8] = [
        ("a link to a folder", |world, place| {
            std::os::unix::fs::symlink(world.path("@/vault"), place).unwrap();
        }),
        ("a link to a file", |world, place| {
            std::os::unix::fs::symlink(world.path("@/vault/a"), place).unwrap();
        }),
        ("a link that leads nowhere", |_, place| {
            std::os::unix::fs::symlink("/nowhere", place).unwrap();
        }),
        ("a link to itself", |_, place| std::os::unix::fs::symlink(place, place).unwrap()),
        ("a file", |_, place| std::fs::write(place, "planted").unwrap()),
        ("a fifo", |_, place| nix::unistd::mkfifo(place, nix::sys::stat::Mode::S_IRWXU).unwrap()),
        ("a folder with something in it", |_, place| {
            std::fs::create_dir(place).unwrap();
            std::fs::write(place.join("planted"), "planted").unwrap();
        }),
        ("a folder that is shut", |_, place| {
            std::fs::create_dir(place).unwrap();
            set_mode(place, 0);
        }),
    ];
    for (name, plant) in kinds {
        if place.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            set_mode(place, 0o700);
            std::fs::remove_dir_all(place).unwrap();
        } else {
            let _ = std::fs::remove_file(place);
        }
        plant(world, place);
        check(name);
        assert_eq!(world.names("@/vault"), ["a"], "{name}");
        assert_eq!(world.content("@/vault/a"), "s3cret", "{name}");
    }
    if place.is_dir() {
        set_mode(place, 0o700);
    }
}

fn things_planted_at_the_place_of_a_grant() {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    world.file("~/Documents/a", "open");
    world.app("stat ~/").run().all_work();
    plants(&world, &world.own("Documents"), |kind| {
        let run = world
            .app("read ~/Documents/a list ~/Documents write ~/Documents/a open")
            .manifest("[filesystem]\nwrite = [\"~/Documents\"]")
            .run();
        assert_eq!(run.ended_with(0).value(0), "open", "{kind}");
        run.never_shows("planted").never_shows("s3cret");
        assert_eq!(run.all_work().value(1), serde_json::json!(["a"]), "{kind}");
    });
}

fn things_planted_at_the_place_of_a_file() {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    world.file("~/todo", "open");
    world.app("stat ~/").run().all_work();
    plants(&world, &world.own("todo"), |kind| {
        let run = world
            .app("read ~/todo append ~/todo !")
            .manifest("[filesystem]\nwrite = [\"~/todo\"]")
            .run();
        assert!(run.all_work().value(0).as_str().unwrap().starts_with("open"), "{kind}");
        run.never_shows("planted").never_shows("s3cret");
    });
}

fn a_link_planted_above_the_place_of_a_grant() {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    world.file("~/Work/deep/notes/a", "open");
    world.app("stat ~/").run().all_work();
    plants(&world, &world.own("Work"), |kind| {
        let run = world
            .app("read ~/Work/deep/notes/a")
            .manifest("[filesystem]\nread = [\"~/Work/deep/notes\"]")
            .run();
        assert_eq!(run.all_work().value(0), "open", "{kind}");
    });
}

fn a_persisted_folder_that_became_a_link() {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    let manifest = "[home]\nkind = \"ephemeral\"\npersist = [\".config/app\"]";
    world.app("write ~/.config/app/x kept").manifest(manifest).run().all_work();
    let place = world.own(".config/app");
    std::fs::remove_dir_all(&place).unwrap();
    std::os::unix::fs::symlink(world.path("@/vault"), &place).unwrap();
    let run = world
        .app("say ran read ~/.config/app/a write ~/.config/app/new x")
        .manifest(manifest)
        .run();
    run.never_shows("s3cret");
    run.ended_with(125)
        .says("cannot make the folder")
        .says("a link or file stands")
        .never_shows("ran");
    assert_eq!(world.names("@/vault"), ["a"]);
}

/// Exchanges two names as fast as it can until it is dropped.
pub struct Swapper {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<usize>>,
}

impl Swapper {
    pub fn new(one: std::path::PathBuf, two: std::path::PathBuf) -> Swapper {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut swaps = 0;
            while !told.load(Ordering::Relaxed) {
                if renameat_with(CWD, &one, CWD, &two, RenameFlags::EXCHANGE).is_ok() {
                    swaps += 1;
                }
                std::thread::yield_now();
            }
            swaps
        });
        Swapper { stop, thread: Some(thread) }
    }

    /// How often it has exchanged them.
    pub fn stop(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map_or(0, |thread| thread.join().unwrap())
    }
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// How many launches make a race.
pub fn launches() -> usize {
    if is_full() { 500 } else { 50 }
}

fn a_swap_during_the_launch() {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    // What is looked for behind the link is there.
    world.file("@/vault/deep/a", "s3cret");
    world.file("~/Share/data/deep/a", "open");
    // From now on links in it are not to be believed.
    let write = "[filesystem]\nwrite = [\"~/Share\"]";
    let plant = "symlink @/vault ~/Share/link";
    world.app(plant).id(OTHER).manifest(write).run().all_work();
    let swapper = Swapper::new(world.path("~/Share/data"), world.path("~/Share/link"));
    let mut shown = 0;
    for _ in 0..launches() {
        let run = world
            .app("read ~/Share/data/deep/a write ~/Share/data/deep/b x")
            .manifest("[filesystem]\nwrite = [\"~/Share/data/deep\"]")
            .run();
        run.never_shows("s3cret");
        shown += usize::from(run.output.contains("open"));
        assert!(matches!(run.code, Some(0 | 125)), "{}", run.told());
    }
    let swaps = swapper.stop();
    assert!(swaps > launches(), "{swaps} swaps are no race");
    assert!(shown > 0, "nothing was ever shown, so nothing could go wrong");
    assert_eq!(world.names("@/vault"), ["a", "deep"]);
    assert_eq!(world.names("@/vault/deep"), ["a"]);
}

/// Puts a folder and a link at two names that are being exchanged, whatever a
/// launch has made of them: it takes links out of the way.
pub fn plant_again(world: &World, target: &str, names: [std::path::PathBuf; 2]) {
    for name in &names {
        if std::fs::remove_file(name).is_err() {
            let _ = std::fs::remove_dir_all(name);
        }
    }
    let [folder, link] = names;
    let _ = std::fs::create_dir(folder);
    let _ = std::os::unix::fs::symlink(world.path(target), link);
}

fn a_swap_at_the_place_of_a_grant() {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    // What is looked for behind the link is there.
    world.file("@/vault/deep/a", "s3cret");
    world.file("~/Documents/deep/notes/a", "open");
    world.app("stat ~/").run().all_work();
    let names = || [world.own("Documents"), world.own("other")];
    plant_again(&world, "@/vault", names());
    let [one, other] = names();
    let swapper = Swapper::new(one, other);
    let mut shown = 0;
    for _ in 0..launches() {
        plant_again(&world, "@/vault", names());
        let run = world
            .app("read ~/Documents/deep/notes/a read ~/Documents/deep/a write ~/Documents/deep/notes/b x")
            .manifest("[filesystem]\nwrite = [\"~/Documents/deep/notes\"]")
            .run();
        run.never_shows("s3cret");
        shown += usize::from(run.output.contains("open"));
        assert!(matches!(run.code, Some(0 | 125)), "{}", run.told());
        assert_eq!(world.names("@/vault"), ["a", "deep"], "{}", run.told());
        assert_eq!(world.names("@/vault/deep"), ["a"], "{}", run.told());
    }
    let swaps = swapper.stop();
    assert!(swaps > launches(), "{swaps} swaps are no race");
    assert!(shown > 0, "nothing was ever shown, so nothing could go wrong");
}

fn patterns_are_not_expanded_where_an_application_wrote() {
    let world = planted();
    let run = world
        .app("read ~/Projects/real/a")
        .manifest("[filesystem]\nread = [\"~/Projects/re*\"]")
        .run();
    run.all_refused(UNSEEN).says("is not expanded");
}
