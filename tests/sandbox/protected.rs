//! Protected paths: shut inside every broad grant, whether they exist or not.

use std::process::Command;

use crate::tests;
use crate::world::{FIXED, UNSEEN, World};

tests![
    shut_inside_a_broad_read,
    shut_inside_a_broad_write,
    shut_in_a_shared_home,
    cannot_be_made_while_missing,
    cannot_be_created_by_a_manifest,
    shut_when_made_during_the_run,
    nothing_new_in_the_real_home,
    bash_still_reads_its_profile,
    open_to_the_command_line,
    shut_to_a_manifest_from_elsewhere,
    open_to_the_users_own_layer,
    protected_behind_a_link,
    where_the_session_can_be_reached,
    a_runtime_folder_in_the_home,
    a_broad_grant_shows_the_rest,
];

/// Some of each kind.
const FILES: [&str; 9] = [
    ".ssh/id_ed25519",
    ".gnupg/secring",
    ".profile",
    ".bashrc",
    ".config/autostart/x.desktop",
    ".config/systemd/user/x.service",
    ".local/bin/tool",
    ".local/share/applications/x.desktop",
    ".mozilla/firefox/cookies",
];

fn world() -> World {
    let world = World::new();
    for path in FILES {
        world.file(&format!("~/{path}"), "s3cret");
    }
    world.file("~/Documents/a", "open");
    world.file("~/.config/app/a", "open");
    world.file("~/.local/share/app/a", "open");
    world
}

fn each(act: &str, end: &str) -> String {
    FILES.map(|path| format!("{act} ~/{path} {end}")).join(" ")
}

fn stays_shut(world: &World, manifest: &str) {
    let read = each("read", "");
    world.outside(&read).all_work();
    let run = world.app(&read).manifest(manifest).run();
    run.all_refused(UNSEEN).never_shows("s3cret");
    // Whatever can be written at those names stays in the private home.
    world.app(&each("write", "mine")).manifest(manifest).run();
    for path in FILES {
        assert_eq!(world.content(&format!("~/{path}")), "s3cret", "{path}");
    }
}

fn shut_inside_a_broad_read() {
    stays_shut(&world(), "[filesystem]\nread = [\"~\"]");
}

fn shut_inside_a_broad_write() {
    stays_shut(&world(), "[filesystem]\nwrite = [\"~\"]");
}

fn shut_in_a_shared_home() {
    stays_shut(&world(), "[home]\nkind = \"shared\"");
}

fn a_broad_grant_shows_the_rest() {
    let world = world();
    let acts = "read ~/Documents/a read ~/.config/app/a read ~/.local/share/app/a";
    for manifest in [
        "[filesystem]\nread = [\"~\"]",
        "[filesystem]\nwrite = [\"~\"]",
        "[home]\nkind = \"shared\"",
    ] {
        world.app(acts).manifest(manifest).run().all_work();
    }
    let run = world
        .app("append ~/Documents/a ! append ~/.config/app/a ! write ~/Documents/new x")
        .manifest("[filesystem]\nwrite = [\"~\"]")
        .run();
    run.all_work();
    assert_eq!(world.content("~/.config/app/a"), "open!");
    assert_eq!(world.content("~/Documents/new"), "x");
    let run = world.app("append ~/Documents/a x").manifest("[filesystem]\nread = [\"~\"]").run();
    run.all_refused(FIXED);
}

fn cannot_be_made_while_missing() {
    let world = World::new();
    world.file("~/Documents/a", "");
    world.folder("~/.config/app");
    world.folder("~/.local/share/app");
    let before = [world.names("~"), world.names("~/.config"), world.names("~/.local")];
    let acts = "mkdir ~/.ssh write ~/.ssh/authorized_keys x write ~/.bashrc x write ~/.profile x \
                mkdir ~/.config/autostart write ~/.config/autostart/x.desktop x \
                mkdir ~/.local/bin write ~/.local/bin/ls x mkdir ~/bin write ~/bin/ls x \
                mkdir ~/.config/pinfold write ~/.config/pinfold/org.example.Probe.toml x \
                rename ~/.config ~/.confug exchange ~/.config ~/.local";
    for manifest in ["[filesystem]\nwrite = [\"~\"]", "[home]\nkind = \"shared\""] {
        world.app(acts).manifest(manifest).run();
        let after = [world.names("~"), world.names("~/.config"), world.names("~/.local")];
        // Pinfold's own data is all that is added, by Pinfold.
        let known = |names: &[String]| -> Vec<String> {
            names.iter().filter(|name| *name != "state").cloned().collect()
        };
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(known(before), known(after), "{manifest}");
        }
    }
    world.outside("mkdir ~/.ssh write ~/.ssh/authorized_keys x write ~/.bashrc x").all_work();
}

fn cannot_be_created_by_a_manifest() {
    let world = World::new();
    world.folder("~/Papers");
    let run = world
        .app("write ~/.ssh/rc x write ~/.config/autostart/x x write ~/Papers/private/a x")
        .manifest(
            "[filesystem]\ncreate = [\"~/.ssh\", \"~/.config/autostart\", \"~/Papers/private\"]\n\
             deny = [\"~/Papers/private\"]",
        )
        .run();
    run.says(".ssh stays shut").says("autostart stays shut");
    for path in ["~/.ssh", "~/.config", "~/Papers/private"] {
        assert!(!world.exists(path), "{path}: {}", run.told());
    }
    // Who names one on the command line gets it.
    world.app("write ~/.ssh/rc x").flags("--create ~/.ssh").run().all_work();
    assert_eq!(world.content("~/.ssh/rc"), "x");
}

fn shut_when_made_during_the_run() {
    let world = World::new();
    world.file("~/Documents/a", "");
    for manifest in [
        "[filesystem]\nread = [\"~\"]",
        "[filesystem]\nwrite = [\"~\"]",
        "[home]\nkind = \"shared\"",
    ] {
        let mut running = world
            .app(
                "say ready wait-for ~/Documents/go read ~/.ssh/id read ~/.netrc \
                 read ~/.config/autostart/x",
            )
            .manifest(manifest)
            .start();
        running.await_word("ready");
        for path in ["~/.ssh/id", "~/.netrc", "~/.config/autostart/x", "~/Documents/go"] {
            world.file(path, "s3cret");
        }
        let run = running.finish();
        run.value(1);
        for act in 2..5 {
            run.refused(act, UNSEEN);
        }
        run.never_shows("s3cret");
        world.outside("read ~/.ssh/id read ~/.netrc read ~/.config/autostart/x").all_work();
        for path in [".ssh", ".config/autostart"] {
            std::fs::remove_dir_all(world.path(&format!("~/{path}"))).unwrap();
        }
        for path in ["~/.netrc", "~/Documents/go"] {
            std::fs::remove_file(world.path(path)).unwrap();
        }
    }
}

fn nothing_new_in_the_real_home() {
    let world = World::new();
    world.file("~/Documents/a", "");
    world.folder("~/.config/app");
    world.app("stat ~/").run().all_work();
    let levels = ["~", "~/.config", "~/.local", "~/.local/share"];
    let before = levels.map(|level| world.names(level));
    let acts = "write ~/new x mkdir ~/folder write ~/.config/new x mkdir ~/.config/folder \
                write ~/.local/new x write ~/.local/share/new x";
    for manifest in ["[filesystem]\nwrite = [\"~\"]", "[home]\nkind = \"shared\""] {
        let run = world.app(acts).manifest(manifest).run();
        run.value(0);
        let after = levels.map(|level| world.names(level));
        // The ledger is Pinfold's, and lies where every sandbox is shut.
        let without_state =
            after.map(|names| names.into_iter().filter(|name| name != "state").collect::<Vec<_>>());
        assert_eq!(before, without_state, "{manifest}");
        assert_eq!(std::fs::read_to_string(world.own("new")).unwrap(), "x");
        // The application finds it again.
        world.app("read ~/new").manifest(manifest).run().all_work();
        std::fs::remove_dir_all(world.own("")).unwrap();
    }
}

fn bash_still_reads_its_profile() {
    let world = World::new();
    world.file("~/.profile", "echo profile was read\n");
    world
        .app("write ~/.bash_profile x write ~/.bash_login x write ~/.profile x unlink ~/.profile")
        .manifest("[filesystem]\nwrite = [\"~\"]")
        .run();
    let output = Command::new("/bin/bash")
        .args(["--login", "-c", "true"])
        .env_clear()
        .env("HOME", world.path("~"))
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("profile was read"), "{said}");
}

fn open_to_the_command_line() {
    let world = world();
    let run = world.app("read ~/.ssh/id_ed25519").flags("--read ~/.ssh").run();
    run.all_work();
    assert_eq!(run.value(0), "s3cret");
    let run = world.app("append ~/.bashrc !").flags("--write ~/.bashrc").run();
    run.all_work();
    assert_eq!(world.content("~/.bashrc"), "s3cret!");
    // A broad flag names nothing.
    let run = world.app("read ~/.ssh/id_ed25519").flags("--read ~").run();
    run.all_refused(UNSEEN);
}

fn shut_to_a_manifest_from_elsewhere() {
    let world = world();
    let run = world
        .app("read ~/.ssh/id_ed25519 read ~/.mozilla/firefox/cookies")
        .manifest("[filesystem]\nread = [\"~/.ssh\"]\nwrite = [\"~/.mozilla\"]")
        .run();
    run.all_refused(UNSEEN).never_shows("s3cret");
    run.says(".ssh stays shut").says("--read");
}

fn open_to_the_users_own_layer() {
    let world = world();
    world.file(
        "~/.config/pinfold/org.example.Probe.toml",
        "schema = 1\n[filesystem]\nread = [\"~/.ssh\"]\n",
    );
    world.app("read ~/.ssh/id_ed25519").run().all_work();
}

fn protected_behind_a_link() {
    let world = World::new();
    // A person keeps dot files elsewhere; the name is a link.
    world.file("~/dotfiles/ssh/id", "s3cret");
    world.file("~/dotfiles/readme", "open");
    world.link("dotfiles/ssh", "~/.ssh");
    for manifest in ["[filesystem]\nread = [\"~\"]", "[filesystem]\nread = [\"~/dotfiles\"]"] {
        let run = world
            .app("read ~/.ssh/id read ~/dotfiles/ssh/id read ~/dotfiles/readme")
            .manifest(manifest)
            .run();
        run.refused(0, UNSEEN).refused(1, UNSEEN).never_shows("s3cret");
        run.value(2);
    }
    world.outside("read ~/.ssh/id").all_work();
}

fn where_the_session_can_be_reached() {
    let world = World::new();
    world.folder("~/deep");
    let place = world.path("~/deep/socket");
    let _socket = std::os::unix::net::UnixListener::bind(&place).unwrap();
    let app = || {
        let app = world.app("connect-path ~/deep/socket");
        app.manifest("[filesystem]\nwrite = [\"~/deep\"]")
    };
    app().run().all_work();
    let bus = format!("unix:path={}", place.display());
    let pulse = format!("unix:{}", place.display());
    let path = place.display().to_string();
    let tmux = format!("{path},12,0");
    for (name, value) in [
        ("DBUS_SESSION_BUS_ADDRESS", &bus),
        ("AT_SPI_BUS_ADDRESS", &bus),
        ("SSH_AUTH_SOCK", &path),
        ("WAYLAND_DISPLAY", &path),
        ("PULSE_SERVER", &pulse),
        ("TMUX", &tmux),
    ] {
        world.outside("connect-path ~/deep/socket").all_work();
        app().variable(name, value).run().all_refused(UNSEEN);
    }
}

fn a_runtime_folder_in_the_home() {
    use std::os::unix::fs::DirBuilderExt;
    let world = World::new();
    let folder = world.path("~/run");
    std::fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
    let folder = folder.display().to_string();
    world.file("~/Documents/a", "open");
    let open = world.app("list ~/run").manifest("[filesystem]\nwrite = [\"~\"]");
    open.run().all_work();
    let run = world
        .app("list ~/run/pinfold read ~/Documents/a write ~/run/x y")
        .manifest("[filesystem]\nwrite = [\"~\"]")
        .variable("XDG_RUNTIME_DIR", &folder)
        .run();
    run.refused(0, UNSEEN);
    run.value(1);
    assert!(world.exists("~/run/pinfold") && !world.exists("~/run/x"));
    // It holds the sockets by which other sandboxes are told what to run.
    let run = world.app("list ~/run").flags("--read ~/run").variable("XDG_RUNTIME_DIR", &folder);
    run.run().ended_with(65).says("cannot be granted");
}
