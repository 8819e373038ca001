//! What an earlier run of the application, or another one, has left where the
//! launcher works, and what is exchanged while it does.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use super::{Case, elsewhere, not_here, test};
use crate::hosts::{CONTAINER, contained};
use crate::links::{Swapper, launches, plant_again};
use crate::world::{Run, UNSEEN, World, finish, is_root, pinfold, set_mode};

/// What an earlier run, or another application, has left.
pub fn cases() -> Vec<Case> {
    vec![
        elsewhere(
            "A1",
            "leaves a link where a folder of its home is kept",
            &[
                "sandbox links::a_persisted_folder_that_became_a_link",
                "sandbox links::a_link_in_the_own_home_leads_nowhere",
            ],
        ),
        elsewhere(
            "A2",
            "exchanges a folder and a link while it is launched",
            &["sandbox links::a_swap_during_the_launch", "sandbox hostile::the_second_look"],
        ),
        test("A3", "leaves links where the launcher makes folders by itself", folders_by_itself),
        not_here(
            "A4",
            "asks for a sandbox of its own and names paths for it",
            "no application can ask for another sandbox",
        ),
        test("A7", "leaves links on the way to where something is mounted", on_the_way),
        elsewhere(
            "A8",
            "is refused what is honest, as links of the system's own",
            &[
                "sandbox links::a_home_behind_a_link",
                "sandbox links::a_link_outside_the_home_keeps_both_names",
                "plan golden::plans_are_as_reviewed",
            ],
        ),
        elsewhere(
            "A9",
            "names paths with dots, NULs and line ends in its manifest",
            &["sandbox refused::bad_grants", "plan files::what_can_be_granted_to_nobody"],
        ),
        not_here(
            "A10",
            "has a file deleted in place of another",
            "nothing of ours deletes or moves anything outside on an application's word",
        ),
        not_here(
            "A11",
            "proposes a file name that leads elsewhere",
            "nothing of ours saves a file outside on an application's word",
        ),
        elsewhere(
            "A12",
            "keeps a part of what a denial takes away",
            &[
                "sandbox denials::a_hole_in_a_write_grant",
                "sandbox denials::a_broader_flag_does_not_lift_it",
                "sandbox denials::a_users_denial_holds_against_the_manifest",
                "plan files::a_broader_grant_of_a_higher_layer_opens_nothing",
            ],
        ),
        test("A13", "exchanges paths for its own second instance", two_at_once),
        test(
            "A14",
            "has the launcher write its id maps to a /proc that is none",
            a_proc_that_is_none,
        ),
        elsewhere(
            "A16",
            "exchanges a terminal for a link",
            // It is opened by its other end, by no name.
            &["sandbox instances::a_terminal_of_its_own"],
        ),
        not_here(
            "A17",
            "brings a file tree in which /dev is a link",
            "an application brings no file tree: the root is a new one",
        ),
        elsewhere(
            "A18",
            "has folders made behind a link",
            &[
                "sandbox links::a_link_above_the_granted_path",
                "sandbox links::a_link_planted_above_the_place_of_a_grant",
            ],
        ),
        elsewhere(
            "A19",
            "exchanges the place of a mount for a link",
            &["sandbox links::a_swap_at_the_place_of_a_grant"],
        ),
        elsewhere(
            "A20",
            "leaves a link at the place of a mount",
            &[
                "sandbox links::things_planted_at_the_place_of_a_grant",
                "sandbox links::things_planted_at_the_place_of_a_file",
            ],
        ),
        elsewhere(
            "A21",
            "makes the folder of records before the launcher does",
            &[
                "sandbox ending::records_are_shut_to_others",
                "unit instance/record::a_folder_that_cannot_be_trusted_is_refused",
            ],
        ),
        elsewhere(
            "A23",
            "gains by a launcher with more rights than its caller",
            &["sandbox root::a_set_user_id_launcher_refuses"],
        ),
        test("A24", "finds files of the launcher that others may write", modes_of_what_is_made),
        elsewhere(
            "A25-absent",
            "makes the folder of manifests that is not there",
            &["sandbox protected::cannot_be_made_while_missing"],
        ),
        test("A26", "leaves links and fifos for commands that run outside", commands_outside),
        test("A29", "leaves fifos and devices where files are read", files_that_are_none),
        test("E6", "moves the desktop's folders to where secrets are", moved_folders),
        test("E7", "leaves names that break lists and terminals", hostile_names),
        test("E12", "is started with as little as a caller may have", scarce),
        test("E13", "opens its standard input anew, to write to it", streams_opened_anew),
        test("E14", "fills a folder that is taken apart for a denial", a_full_folder),
        test("E8", "shuts its own home", a_home_that_is_shut),
    ]
}

/// Runs where everything that may go wrong is refused or shows what is honest.
#[track_caller]
fn honest(world: &World, run: &Run) {
    run.never_shows("s3cret");
    assert!(matches!(run.code, Some(0 | 125)), "{}", run.told());
    assert_eq!(world.names("@/vault"), ["a"], "{}", run.told());
    assert_eq!(world.content("@/vault/a"), "s3cret");
}

fn folders_by_itself() {
    let world = World::new();
    // Whatever is asked for behind a link is there: nothing fails by lacking.
    for place in ["", "app/", "app/tmp/", "tmp/", "share/app/"] {
        world.file(&format!("@/vault/{place}a"), "s3cret");
    }
    let vault = modes(&world.path("@/vault"));
    let manifest = "[home]\nkind = \"ephemeral\"\n\
                    persist = [\".cache/app/tmp\", \".config/app\", \".local/share/app\"]";
    let acts = ["read ~/FOLDER/a", "write ~/FOLDER/new x"]
        .iter()
        .flat_map(|act| {
            [".cache/app/tmp", ".config/app", ".local/share/app"]
                .map(|folder| act.replace("FOLDER", folder))
        })
        .collect::<Vec<_>>()
        .join(" ");
    world.app("stat ~/").manifest(manifest).run().all_work();
    let absolute = world.path("@/vault");
    for place in [
        ".cache",
        ".cache/app",
        ".cache/app/tmp",
        ".config",
        ".config/app",
        ".local",
        ".local/share",
    ] {
        for target in [absolute.clone(), up(&world.own(place), &absolute)] {
            let place = world.own(place);
            let aside = place.with_extension("aside");
            std::fs::rename(&place, &aside).unwrap();
            symlink(&target, &place).unwrap();
            assert_eq!(std::fs::read_to_string(place.join("a")).unwrap(), "s3cret");
            let run = world.app(&acts).manifest(manifest).run();
            run.never_shows("s3cret");
            run.ended_with(125).says("cannot make the folder");
            assert_eq!(modes(&absolute), vault, "{}", run.told());
            std::fs::remove_file(&place).unwrap();
            std::fs::rename(&aside, &place).unwrap();
        }
    }
    // The control: with the folders in their places it runs, and writes there.
    let run = world.app(&acts).manifest(manifest).run();
    run.value(3);
    assert!(world.own(".local/share/app/new").exists());
}

/// A relative way from beside a place up to the root and down to a target.
fn up(place: &Path, target: &Path) -> std::path::PathBuf {
    let ups = "../".repeat(place.components().count());
    Path::new(&format!("{ups}{}", target.strip_prefix("/").unwrap().display())).to_owned()
}

fn on_the_way() {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    world.file("~/Work/deep/notes/a", "open");
    world.app("stat ~/").run().all_work();
    let vault = world.path("@/vault").display().to_string();
    let place = world.own("Work");
    let targets = [
        vault.clone(),
        format!("/oldroot{vault}"),
        format!("/proc/self/root{vault}"),
        format!("/proc/1/root{vault}"),
        format!("/proc/thread-self/root{vault}"),
        format!("/dev/fd/../root{vault}"),
        up(&place, Path::new(&vault)).display().to_string(),
    ];
    for target in targets {
        for below in ["Work", "Work/deep"] {
            let place = world.own(below);
            let _ = std::fs::remove_dir_all(world.own("Work"));
            let _ = std::fs::remove_file(world.own("Work"));
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            symlink(&target, &place).unwrap();
            let run = world
                .app("read ~/Work/deep/notes/a write ~/Work/deep/notes/b x read ~/Work/a")
                .manifest("[filesystem]\nwrite = [\"~/Work/deep/notes\"]")
                .run();
            honest(&world, &run);
            assert_eq!(run.value(0), "open", "{target}");
        }
    }
    assert_eq!(world.names("~/Work/deep/notes"), ["a", "b"]);
}

fn two_at_once() {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    world.file("~/Work/deep/notes/a", "open");
    world.app("stat ~/").run().all_work();
    let names = || [world.own("Work"), world.own("other")];
    world.file("@/aside/deep/a", "s3cret");
    plant_again(&world, "@/aside", names());
    let [one, other] = names();
    let swapper = Swapper::new(one, other);
    let mut shown = 0;
    for _ in 0..launches() / 2 {
        plant_again(&world, "@/aside", names());
        let app = || {
            world
                .app(
                    "read ~/Work/deep/notes/a read ~/Work/a write ~/Work/deep/notes/b x \
                     exchange ~/Work ~/other",
                )
                .manifest("[filesystem]\nwrite = [\"~/Work/deep/notes\"]")
                .start()
        };
        let both = [app(), app()];
        for run in both.map(crate::world::Running::finish) {
            honest(&world, &run);
            assert_eq!(world.names("@/aside/deep"), ["a"], "{}", run.told());
            shown += usize::from(run.output.contains("open"));
        }
    }
    assert!(swapper.stop() > launches(), "no race");
    assert!(shown > 0, "nothing was ever shown, so nothing could go wrong");
}

fn a_proc_that_is_none() {
    let world = World::new();
    let plant = "mount -t tmpfs none /proc && mkdir -p /proc/self/fd /proc/sys/user && \
                 touch /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups \
                 /proc/sys/user/max_user_namespaces &&";
    let run = contained(&world, CONTAINER, &format!("{plant} exec \"$P\" run \"$M\""));
    assert!(run.code.is_some_and(|code| code >= 65), "{}", run.told());
    assert!(!run.output.contains("\"act\""), "it ran: {}", run.told());
    // The control: the same host with its own /proc.
    contained(&world, CONTAINER, "exec \"$P\" run \"$M\"").ended_with(0).all_work();
}

fn modes_of_what_is_made() {
    let world = World::new();
    let before = [".", "home", "run"].map(|folder| (folder, modes(&world.path("@/").join(folder))));
    let shell = ["/bin/sh", "-c", "umask 000; exec \"$@\"", "sh"];
    let mut running = world
        .app("mkdir ~/Notes/mine say ready wait-for ~/Notes/go")
        .manifest(
            "[filesystem]\ncreate = [\"~/Notes\"]\n[home]\nkind = \
             \"ephemeral\"\npersist = [\".config/app\"]",
        )
        .before(&shell)
        .start();
    running.await_word("ready");
    let mut made = 0;
    for (folder, before) in before {
        for (path, mode) in modes(&world.path("@/").join(folder)) {
            let is_new = !before.iter().any(|(other, _)| *other == path);
            let is_the_applications = path.ends_with("/Notes/mine") || path.ends_with(".toml");
            if !is_new || is_the_applications {
                continue;
            }
            made += 1;
            let own = rustix::process::getuid().as_raw();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            assert_eq!(meta.uid(), own, "{path}");
            assert_eq!(mode & 0o022, 0, "{path} has mode {mode:o}");
            assert!(
                !path.contains("/pinfold")
                    || !path.contains(".local/share/pinfold/apps/")
                    || mode & 0o077 == 0
                    || meta.is_symlink(),
                "{path} has mode {mode:o}"
            );
        }
    }
    assert!(made > 5, "{made} things were made");
    world.file("~/Notes/go", "");
    running.finish().ended_with(0);
}

/// Everything beneath a folder with its mode.
fn modes(folder: &Path) -> Vec<(String, u32)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let meta = std::fs::symlink_metadata(entry.path()).unwrap();
        all.push((entry.path().display().to_string(), meta.mode() & 0o7777));
        if meta.is_dir() {
            all.extend(modes(&entry.path()));
        }
    }
    all
}

/// Runs a command outside, in the world's environment.
fn outside(world: &World, words: &[&str]) -> Run {
    let mut command = world.command(&pinfold());
    command.args(words).current_dir(world.path("~"));
    finish(command, None)
}

fn fifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
}

fn commands_outside() {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    world.app("stat ~/").run().all_work();
    let own = world.own("");
    symlink(world.path("@/vault"), own.join("link")).unwrap();
    symlink("/dev/zero", own.join("zero")).unwrap();
    fifo(&own.join("fifo"));
    // Another application, whose home is a link that a third has left.
    symlink(world.path("@/vault"), own.with_file_name("org.example.Linked")).unwrap();
    fifo(&own.with_file_name("org.example.Fifo"));
    let manifest = world.app("stat ~/").write();
    let manifest = manifest.to_str().unwrap();
    for words in [
        &["list"][..],
        &["list", "--json"],
        &["show", manifest],
        &["plan", manifest],
        &["doctor"],
        &["run", "--dry-run", manifest],
    ] {
        let run = outside(&world, words);
        run.never_shows("s3cret");
        assert!(!run.errors.contains("s3cret"), "{}", run.told());
        assert!(run.code.is_some_and(|code| code < 70), "{}", run.told());
    }
    for id in ["org.example.Linked", "org.example.Fifo"] {
        let run = world.app("read ~/a write ~/new x").id(id).run();
        honest(&world, &run);
    }
}

fn files_that_are_none() {
    let world = World::new();
    world.file("@/vault/a", "s3cret");
    let places = [
        "~/.config/user-dirs.dirs",
        "~/.config/pinfold/org.example.Probe.toml",
        "~/.local/share/pinfold/manifests/org.example.Probe.toml",
        "~/.local/state/pinfold/written",
        "~/.config/gtk-3.0/settings.ini",
        "~/.config/fontconfig/fonts.conf",
    ];
    for place in places {
        let path = world.path(place);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        for kind in ["fifo", "endless", "folder", "secret"] {
            let _ = std::fs::remove_file(&path);
            match kind {
                "fifo" => fifo(&path),
                "endless" => symlink("/dev/zero", &path).unwrap(),
                "folder" => std::fs::create_dir(&path).unwrap(),
                _ => symlink(world.path("@/vault/a"), &path).unwrap(),
            }
            let run = world
                .app("read ~/Documents/a list ~/")
                .manifest("[filesystem]\nread = [\"xdg-documents\"]")
                .run();
            // It ends, and tells nothing of what it was led to.
            run.never_shows("s3cret");
            assert!(run.code.is_some(), "{place}, {kind}: {}", run.told());
            if kind == "folder" {
                std::fs::remove_dir(&path).unwrap();
            }
        }
        let _ = std::fs::remove_file(&path);
    }
}

fn moved_folders() {
    let world = World::new();
    world.file("~/.ssh/id", "s3cret");
    world.file("@/vault/a", "s3cret");
    world.file("~/Documents/a", "open");
    let lines = "XDG_DOCUMENTS_DIR=\"$HOME/.ssh\"\nXDG_MUSIC_DIR=\"$HOME/\"\n\
                 XDG_VIDEOS_DIR=\"/\"\nXDG_PICTURES_DIR=\"$HOME/../../..\"\n\
                 XDG_DOWNLOAD_DIR=\"@/vault\"\n";
    // The application itself does it, where it was given the folder to write.
    world.folder("~/.config");
    let plant = world.file("@/plant", &world.text(lines));
    let other = world
        .app("write ~/.config/mark x")
        .id("org.example.Other")
        .manifest("[filesystem]\nwrite = [\"~/.config\"]")
        .run();
    other.ended_with(0);
    std::fs::copy(plant, world.path("~/.config/user-dirs.dirs")).unwrap();
    let run = world
        .app("read ~/.ssh/id list / list ~/.ssh append ~/.ssh/id x")
        .manifest(
            "[filesystem]\nwrite = [\"xdg-documents\", \"xdg-music\", \
             \"xdg-videos\", \"xdg-pictures\"]",
        )
        .run();
    run.never_shows("s3cret");
    assert_eq!(world.content("~/.ssh/id"), "s3cret", "{}", run.told());
    // What looks are shown to everybody is not found behind a link that an
    // application leaves there, where it can.
    for looks in [".config/fontconfig", ".config/gtk-3.0", ".themes", ".local/share/fonts"] {
        for grant in ["~", "~/.config", "~/.local/share"] {
            world
                .app(&format!("symlink @/vault ~/{looks}"))
                .id("org.example.Other")
                .manifest(&format!("[filesystem]\nwrite = [{grant:?}]"))
                .run()
                .ended_with(0);
            let run = world.app(&format!("read ~/{looks}/a")).run();
            run.never_shows("s3cret");
            run.all_refused(UNSEEN);
        }
    }
}

fn hostile_names() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::new();
    world.file("~/Share/a", "open");
    world.app("stat ~/").run().all_work();
    let long = "x".repeat(255);
    let names: [&[u8]; 6] = [
        long.as_bytes(),
        b"line\nwarning: all is well",
        b"\x1b[2J\x1b]0;title\x07",
        b"\xff\xfe",
        b" ",
        "\u{202e}txt".as_bytes(),
    ];
    for folder in [world.own(""), world.path("~/Share"), world.path("~")] {
        for name in names {
            let path = folder.join(std::ffi::OsStr::from_bytes(name));
            std::fs::create_dir_all(&path).unwrap();
            let deep = path.join(&long).join(&long).join(&long);
            std::fs::create_dir_all(deep).unwrap();
        }
    }
    for manifest in [
        "[filesystem]\nwrite = [\"~/Share\"]",
        "[filesystem]\nread = [\"~/Share/*\"]",
        "[filesystem]\nwrite = [\"~\"]",
        "[home]\nkind = \"shared\"",
    ] {
        let run = world.app("read ~/Share/a").manifest(manifest).flags("-v").run();
        run.ended_with(0);
        assert!(!run.errors.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{:?}", run.errors);
        assert!(!run.errors.lines().any(|line| line == "warning: all is well"), "{}", run.told());
    }
}

fn a_home_that_is_shut() {
    let world = World::new();
    world.file("~/Documents/a", "open");
    world.app("write ~/.config/kept x chmod 000 ~/.config chmod 000 ~/").run().all_work();
    let run =
        world.app("read ~/Documents/a").manifest("[filesystem]\nread = [\"~/Documents\"]").run();
    assert!(matches!(run.code, Some(0 | 125)), "{}", run.told());
    if run.code == Some(125) && !is_root() {
        run.says("error");
    }
    set_mode(world.own(""), 0o700);
    let run =
        world.app("read ~/Documents/a").manifest("[filesystem]\nread = [\"~/Documents\"]").run();
    run.all_work();
}

fn scarce() {
    let world = World::new();
    world.file("~/secret", "s3cret");
    let mut ran = 0;
    let mut limits: Vec<String> =
        ["-f 0", "-u 1", "-v 20000", "-d 2000", "-s 128", "-c 0", "-l 0"].map(str::to_owned).into();
    limits.extend((3..40).step_by(3).map(|files| format!("-n {files}")));
    for limit in limits {
        let script = format!("trap '' CHLD HUP PIPE; ulimit {limit}; exec \"$@\"");
        let before = ["/bin/bash", "-c", &script, "bash"];
        let run = world.app("status fds mountinfo read ~/secret").before(&before).run();
        // It is as shut as ever, or it does not run.
        run.never_shows("s3cret");
        if run.output.lines().any(|line| line.starts_with('[')) {
            let status = run.value(0);
            assert_eq!(
                (&status["Seccomp"], &status["CapEff"]),
                (&"2".into(), &"0000000000000000".into())
            );
            assert_eq!(run.value(1).as_object().unwrap().len(), 3, "{limit}: {}", run.told());
            run.refused(3, UNSEEN);
            ran += 1;
        } else {
            assert_ne!(run.code, Some(0), "{limit}: {}", run.told());
        }
    }
    assert!(ran > 2, "{ran} ran");
    world.assert_nothing_left();
}

fn streams_opened_anew() {
    let world = World::new();
    let path = world.file("@/input", "mine");
    let run = |without: &str| {
        world
            .app("open-write /proc/self/fd/0 append /dev/stdin x take-input")
            .input(std::fs::File::open(&path).unwrap())
            .variable("PINFOLD_WITHOUT", without)
            .run()
    };
    let shut = run("");
    shut.refused(0, &["EACCES"]).refused(1, &["EACCES"]);
    assert_eq!(shut.value(2), "mine");
    assert_eq!(world.content("@/input"), "mine");
    // Nothing but landlock does that: the file is the user's, and the way to
    // it is the kernel's own link.
    run("landlock").all_work();
    assert_eq!(world.content("@/input"), "minex");
}

fn a_full_folder() {
    let world = World::new();
    world.file("~/Share/private/a", "s3cret");
    let manifest =
        "[filesystem]\nwrite = [\"~/Share\"]\ndeny = [\"~/Share/private/a\", \"~/Share/later\"]";
    world.app("mkdir ~/Share/deep").manifest(manifest).run().ended_with(0);
    for number in 0..3000 {
        std::fs::write(world.path(&format!("~/Share/{number}")), "").unwrap();
    }
    let run = world
        .app(
            "read ~/Share/private/a mkdir ~/Share/later rename \
             ~/Share/private ~/Share/deep/x read ~/Share/deep/x/a",
        )
        .manifest(manifest)
        .run();
    honest_hole(&world, &run);
    // More than the launcher can hold open: it says so and runs nothing.
    let few = ["/bin/bash", "-c", "ulimit -n 256; exec \"$@\"", "bash"];
    let run = world.app("say ran").manifest(manifest).before(&few).run();
    run.ended_with(125).says("Too many open files").never_shows("ran");
    honest_hole(&world, &run);
}

#[track_caller]
fn honest_hole(world: &World, run: &Run) {
    run.never_shows("s3cret");
    assert!(!world.exists("~/Share/later"), "{}", run.told());
    assert_eq!(world.content("~/Share/private/a"), "s3cret");
}
