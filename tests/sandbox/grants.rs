//! What is granted of the host's files, each grant with its limits.

use crate::tests;
use crate::world::{APP, FIXED, UNSEEN, World, finish, is_root, pinfold, set_mode};

tests![
    nothing_of_the_home_is_seen,
    read_shows_and_keeps,
    write_changes_the_host,
    create_makes_the_folder,
    words_of_the_desktop,
    patterns,
    single_files,
    absolute_paths,
    a_missing_grant_is_noted,
    a_missing_required_grant_is_refused,
    flags_are_grants,
    what_is_stated_by_override_is_kept,
    execution_in_the_home_needs_a_word,
    a_folder_that_nobody_may_enter,
];

fn nothing_of_the_home_is_seen() {
    let world = World::new();
    world.file("~/Documents/secret.txt", "s3cret");
    world.file("~/notes", "s3cret");
    world.file("@/elsewhere", "s3cret");
    let acts = "read ~/Documents/secret.txt read ~/notes read @/elsewhere list ~/Documents";
    world.outside(acts).all_work();
    let run = world.app(acts).run();
    run.all_refused(UNSEEN).never_shows("s3cret");
    let run = world.app("list ~/ list @/").run();
    run.never_shows("notes").never_shows("elsewhere");
}

fn read_shows_and_keeps() {
    let world = World::new();
    world.file("~/Documents/a/b.txt", "text");
    let grant = "[filesystem]\nread = [\"~/Documents\"]";
    let run = world.app("read ~/Documents/a/b.txt list ~/Documents/a").manifest(grant).run();
    run.all_work();
    assert_eq!(run.value(0), "text");
    let acts = "append ~/Documents/a/b.txt x create ~/Documents/new mkdir ~/Documents/dir \
                chmod 777 ~/Documents/a/b.txt rename ~/Documents/a ~/Documents/c \
                unlink ~/Documents/a/b.txt symlink x ~/Documents/link truncate ~/Documents/a/b.txt";
    world.app(acts).manifest(grant).run().all_refused(FIXED);
    assert_eq!(world.content("~/Documents/a/b.txt"), "text");
    assert_eq!(world.names("~/Documents"), ["a"]);
    world
        .outside(
            "append ~/Documents/a/b.txt x create ~/Documents/new mkdir ~/Documents/dir \
             chmod 777 ~/Documents/a/b.txt truncate ~/Documents/a/b.txt unlink ~/Documents/a/b.txt",
        )
        .all_work();
}

fn write_changes_the_host() {
    let world = World::new();
    world.file("~/Music/old", "old");
    let run = world
        .app(
            "write ~/Music/new text append ~/Music/old er mkdir ~/Music/dir \
             rename ~/Music/new ~/Music/dir/moved link ~/Music/old ~/Music/dir/hard \
             symlink old ~/Music/soft chmod 600 ~/Music/old truncate ~/Music/dir/moved \
             mkfifo ~/Music/fifo listen-path ~/Music/socket",
        )
        .manifest("[filesystem]\nwrite = [\"~/Music\"]")
        .run();
    run.all_work();
    assert_eq!(world.content("~/Music/old"), "older");
    assert_eq!(world.names("~/Music"), ["dir", "fifo", "old", "socket", "soft"]);
    assert_eq!(world.names("~/Music/dir"), ["hard", "moved"]);
    let run = world
        .app("mknod ~/Music/device rename ~/Music/old ~/old link ~/Music/old ~/old")
        .manifest("[filesystem]\nwrite = [\"~/Music\"]")
        .run();
    run.all_refused(&["EPERM", "EACCES", "EXDEV"]);
}

fn create_makes_the_folder() {
    let world = World::new();
    let run = world
        .app("write ~/Notes/deep/a text list ~/Notes")
        .manifest("[filesystem]\ncreate = [\"~/Notes/deep\"]")
        .run();
    run.all_work();
    assert_eq!(world.content("~/Notes/deep/a"), "text");
    // A second run finds it.
    let run = world
        .app("read ~/Notes/deep/a")
        .manifest("[filesystem]\ncreate = [\"~/Notes/deep\"]")
        .run();
    run.all_work();
}

fn words_of_the_desktop() {
    let world = World::new();
    world.file("~/Papiere/a", "one");
    world.file("~/Downloads/b", "two");
    world.file("~/Downloads/app/c", "three");
    world.file("~/.config/user-dirs.dirs", "XDG_DOCUMENTS_DIR=\"$HOME/Papiere\"\n");
    let run = world
        .app("read ~/Papiere/a append ~/Downloads/app/c ! read ~/Downloads/app/c")
        .manifest("[filesystem]\nread = [\"xdg-documents\"]\nwrite = [\"xdg-download/app\"]")
        .run();
    run.all_work();
    assert_eq!(run.value(2), "three!");
    let run = world
        .app("read ~/Downloads/b")
        .manifest("[filesystem]\nwrite = [\"xdg-download/app\"]")
        .run();
    run.all_refused(UNSEEN);
}

fn patterns() {
    let world = World::new();
    world.file("~/pictures-2025/a", "one");
    world.file("~/pictures-2026/a", "two");
    world.file("~/private-2026/a", "s3cret");
    world.file("@/outside/a", "s3cret");
    world.link("@/outside", "~/pictures-link");
    let grant = "[filesystem]\nread = [\"~/pictures-*\"]";
    let run = world.app("read ~/pictures-2025/a read ~/pictures-2026/a").manifest(grant).run();
    run.all_work();
    let run = world.app("read ~/private-2026/a read ~/pictures-link/a").manifest(grant).run();
    run.all_refused(UNSEEN).never_shows("s3cret");
    world.outside("read ~/private-2026/a read ~/pictures-link/a").all_work();
}

fn single_files() {
    let world = World::new();
    world.file("~/todo.txt", "milk");
    world.file("~/list.txt", "eggs");
    world.file("~/other.txt", "s3cret");
    let grant = "[filesystem]\nread = [\"~/todo.txt\"]\nwrite = [\"~/list.txt\"]";
    let run = world.app("read ~/todo.txt append ~/list.txt !").manifest(grant).run();
    run.all_work();
    assert_eq!(world.content("~/list.txt"), "eggs!");
    let run =
        world.app("append ~/todo.txt x read ~/other.txt unlink ~/list.txt").manifest(grant).run();
    run.all_refused(&["EROFS", "EACCES", "ENOENT", "EBUSY"]);
}

fn absolute_paths() {
    let world = World::new();
    world.file("@/data/a", "one");
    world.file("@/private/a", "s3cret");
    let run = world
        .app("read @/data/a read @/private/a append @/data/a x")
        .manifest("[filesystem]\nread = [\"@/data\"]")
        .run();
    assert_eq!(run.value(0), "one");
    run.refused(1, UNSEEN).refused(2, FIXED).never_shows("s3cret");
    world.outside("read @/private/a append @/data/a x").all_work();
}

fn a_missing_grant_is_noted() {
    let world = World::new();
    let run = world
        .app("stat ~/ create ~/x")
        .manifest("[filesystem]\nread = [\"~/Nowhere\"]\nwrite = [\"~/Neither\"]")
        .run();
    run.all_work().says("Nowhere is not there; skipped").says("Neither is not there; skipped");
    assert!(run.errors.contains(".toml:5:"), "no place is named: {}", run.told());
    assert!(!world.exists("~/Nowhere") && !world.exists("~/Neither"));
    let grant = "[filesystem]\nread = [\"~/Nowhere\"]";
    let quiet = world.app("stat ~/").manifest(grant).flags("-q").run();
    assert_eq!(quiet.all_work().errors, "");
}

fn a_missing_required_grant_is_refused() {
    let world = World::new();
    let run = world
        .app("say ran")
        .manifest("[filesystem]\nread = [{ path = \"~/Nowhere\", required = true }]")
        .run();
    run.ended_with(65).says("Nowhere is not there").never_shows("ran");
}

fn flags_are_grants() {
    let world = World::new();
    world.file("~/a/x", "one");
    world.file("~/b/x", "two");
    world.file("@/c/x", "three");
    let acts = "read ~/a/x append ~/b/x ! read @/c/x write ~/d/x new";
    let run = world.app(acts).flags("--read ~/a --write b --read @/c/x --create ~/d").run();
    run.all_work();
    assert_eq!(world.content("~/b/x"), "two!");
    assert_eq!(world.content("~/d/x"), "new");
    world.app("say ran").flags("--read ~/nothing").run().ended_with(65).never_shows("ran");
}

fn what_is_stated_by_override_is_kept() {
    let world = World::new();
    world.file("~/Documents/a", "text");
    let acts = "read ~/Documents/a";
    world.outside(acts).all_work();
    let manifest = world.app(acts).write().display().to_string();
    let state = |flags: &[&str], code: i32| {
        let mut command = world.command(&pinfold());
        command.args(["override", &manifest]).args(flags);
        finish(command, None).ended_with(code);
    };
    world.app(acts).run().all_refused(UNSEEN);
    let path = world.path("~/Documents").display().to_string();
    state(&["--read", &path], 0);
    world.app(acts).run().all_work();
    // A denial of the same path takes its place; flags of one run go above it,
    // unless the key is locked.
    state(&["--deny", &path], 0);
    world.app(acts).run().all_refused(UNSEEN);
    let flags = "--read ~/Documents";
    world.app(acts).flags(flags).run().all_work();
    state(&["--set", "lock=filesystem.deny"], 0);
    let run = world.app(acts).flags(flags).run();
    run.ended_with(65).says("`filesystem.deny` is locked").never_shows("text");
    state(&["--unset", "filesystem", "--unset", "lock"], 0);
    world.app(acts).run().all_refused(UNSEEN);
    state(&["--set", "audio.playback=perhaps"], 65);
    let own = world.content(&format!("~/.config/pinfold/{APP}.toml"));
    assert!(!own.contains("playback"), "{own}");
}

fn execution_in_the_home_needs_a_word() {
    let world = World::new();
    world.copy("/usr/bin/true", "~/tools/true");
    world.outside("exec ~/tools/true").all_work();
    let run = world.app("exec ~/tools/true").manifest("[filesystem]\nread = [\"~/tools\"]").run();
    run.all_refused(&["EACCES"]);
    let run = world
        .app("exec ~/tools/true")
        .manifest("[filesystem]\nread = [{ path = \"~/tools\", exec = true }]")
        .run();
    run.all_work();
}

fn a_folder_that_nobody_may_enter() {
    let world = World::new();
    world.file("~/shut/a", "s3cret");
    set_mode(world.path("~/shut"), 0);
    let run = world.app("list ~/shut").manifest("[filesystem]\nread = [\"~/shut\"]").run();
    set_mode(world.path("~/shut"), 0o700);
    if is_root() {
        // Root inside has no capability that would open it.
        run.never_shows("s3cret");
    }
    run.all_refused(&["EACCES", "ENOENT"]);
}
