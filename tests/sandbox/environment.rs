//! Variables, the working folder, and what a start hands on besides.

use crate::tests;
use crate::world::World;

tests![
    variables_by_allow_list,
    variables_by_manifest_and_flag,
    hostile_variables_do_not_touch_the_launcher,
    the_working_folder_is_kept_where_it_is_seen,
    the_working_folder_else_is_the_home,
    no_way_up_from_the_working_folder,
    a_host_name_of_its_own,
    masks_and_signals_are_the_callers,
    an_appimage_is_told_to_unpack,
];

fn variables_by_allow_list() {
    let world = World::new();
    let secret = [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "SSH_AUTH_SOCK",
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "XAUTHORITY",
        "DISPLAY",
        "PYTHONPATH",
        "TMPDIR",
        "MY_OWN",
    ];
    let mut app = world.app("env").variable("LANG", "de_DE.UTF-8").variable("LC_TIME", "C");
    app = app.variable("TERM", "xterm").variable("TZ", "Europe/Vienna");
    for name in secret {
        app = app.variable(name, "/s3cret");
    }
    let run = app.run();
    let env = run.value(0);
    for (name, value) in [
        ("LANG", "de_DE.UTF-8"),
        ("LC_TIME", "C"),
        ("TERM", "xterm"),
        ("TZ", "Europe/Vienna"),
        ("DBUS_SESSION_BUS_ADDRESS", "disabled:"),
        ("GSETTINGS_BACKEND", "keyfile"),
        ("NO_AT_BRIDGE", "1"),
        ("GTK_A11Y", "none"),
    ] {
        assert_eq!(env[name], value, "{name}: {}", run.told());
    }
    for name in secret {
        assert!(env.get(name).is_none(), "{name}: {}", run.told());
    }
    run.never_shows("s3cret");
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(env["XDG_RUNTIME_DIR"], format!("/run/user/{uid}"));
    assert_eq!(env["HOME"], world.path("~").display().to_string());
}

fn variables_by_manifest_and_flag() {
    let world = World::new();
    let run = world
        .app("env")
        .manifest("[environment]\nset = { LANG = \"C\", MINE = \"a $HOME\" }\npass = [\"PASS_*\"]")
        .variable("PASS_ME", "passed")
        .variable("PASTA", "not")
        .flags("--env FLAG=one=two")
        .run();
    let env = run.value(0);
    assert_eq!((&env["LANG"], &env["MINE"]), (&"C".into(), &"a $HOME".into()));
    assert_eq!((&env["PASS_ME"], &env["FLAG"]), (&"passed".into(), &"one=two".into()));
    assert!(env.get("PASTA").is_none());
}

fn hostile_variables_do_not_touch_the_launcher() {
    let world = World::new();
    let mut app = world.app("read /etc/passwd");
    for name in ["LD_PRELOAD", "LD_AUDIT", "GCONV_PATH", "LD_DEBUG", "MALLOC_TRACE", "RUST_LOG"] {
        app = app.variable(name, "@/hostile");
    }
    app.run().all_work();
    assert!(!world.exists("@/hostile"));
}

fn the_working_folder_is_kept_where_it_is_seen() {
    let world = World::new();
    let folder = world.folder("~/Work/deep");
    let grant = "[filesystem]\nread = [\"~/Work\"]";
    let run = world.app("cwd").manifest(grant).cwd("~/Work/deep").run();
    assert_eq!(run.value(0), folder.display().to_string());
    let run = world.app("cwd").cwd("/usr/bin").run();
    assert_eq!(run.value(0), "/usr/bin");
}

fn the_working_folder_else_is_the_home() {
    let world = World::new();
    world.folder("~/Work");
    let home = world.path("~").display().to_string();
    for cwd in ["~/Work", "@/run", "@/", "/proc", "/etc/ssl"] {
        let run = world.app("cwd").cwd(cwd).run();
        let kept = world.path(cwd).display().to_string();
        let found = run.value(0);
        let is_seen = world.app(&format!("list {cwd}")).run().results()[0]["ok"] == true;
        assert!(found == home || is_seen && found == kept.trim_end_matches('/'), "{}", run.told());
    }
    assert_eq!(world.app("cwd").cwd("~/Work").run().value(0), home);
}

fn no_way_up_from_the_working_folder() {
    let world = World::new();
    world.folder("~/Work");
    world.file("~/secret", "");
    let outside = world.outside("list / root-by-dots");
    assert_eq!(outside.value(0), outside.value(1));
    for cwd in ["~/Work", "~", "/usr", "@/"] {
        let run = world
            .app("list / root-by-dots readlink /proc/self/cwd")
            .manifest("[filesystem]\nread = [\"~/Work\"]")
            .cwd(cwd)
            .run();
        run.all_work();
        assert_eq!(run.value(0), run.value(1), "{cwd}");
        assert_ne!(run.value(1), outside.value(0), "{cwd}");
        run.never_shows("unreachable");
    }
}

fn a_host_name_of_its_own() {
    let world = World::new();
    assert_eq!(world.app("hostname").run().value(0), "pinfold");
    let run = world.app("hostname").manifest("hostname = \"desk\"").run();
    assert_eq!(run.value(0), "desk");
    assert_ne!(world.outside("hostname").value(0), "desk");
}

fn masks_and_signals_are_the_callers() {
    let world = World::new();
    let shell = ["/bin/sh", "-c", "umask 027; exec \"$@\"", "sh"];
    let run = world.app("status create ~/new stat ~/new").before(&shell).run();
    let (inside, outside) = (run.value(0), world.outside("status").value(0));
    for set in ["SigBlk", "SigIgn"] {
        assert_eq!(inside[set], outside[set], "{set}: {}", run.told());
    }
    assert_eq!(run.value(2)["mode"], "640", "{}", run.told());
}

fn an_appimage_is_told_to_unpack() {
    let world = World::new();
    let image = world.copy(world.path("@/probe"), "~/Apps/Tool.AppImage");
    let run = world.program(&[image.to_str().unwrap(), "env"]).run();
    assert_eq!(run.value(0)["APPIMAGE_EXTRACT_AND_RUN"], "1", "{}", run.told());
    assert!(world.app("env").run().value(0).get("APPIMAGE_EXTRACT_AND_RUN").is_none());
}
