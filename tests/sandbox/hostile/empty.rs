//! With an empty manifest nothing of the user is reachable: one run looks
//! everywhere that anything of the user or of the session is to be found.

use std::collections::BTreeSet;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::site::{Scene, Site};
use crate::world::{Run, World, is_root};

/// Every variable that a start without a word about variables may hand on.
const VARIABLES: [&str; 22] = [
    "COLORTERM",
    "DBUS_SESSION_BUS_ADDRESS",
    "GSETTINGS_BACKEND",
    "GTK_A11Y",
    "HOME",
    "LANG",
    "LOGNAME",
    "NO_AT_BRIDGE",
    "PATH",
    "SHELL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TZ",
    "USER",
    "XDG_CONFIG_DIRS",
    "XDG_DATA_DIRS",
    "XDG_RUNTIME_DIR",
    "XDG_CURRENT_DESKTOP",
    "XDG_SESSION_TYPE",
    "LANGUAGE",
    "TZDIR",
];

/// A file that goes with the value.
struct Left(PathBuf);

impl Left {
    fn new(path: String) -> Left {
        std::fs::write(&path, "s3cret").unwrap();
        Left(path.into())
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Runs acts inside with nothing granted, after a careless caller.
fn inside(site: &Site, acts: &[String]) -> Run {
    let before = site.caller();
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    let probe = site.world.path("@/probe").display().to_string();
    let mut words = vec![probe.as_str()];
    words.extend(acts.iter().map(String::as_str));
    let hostile = [
        ("TOKEN", "s3cret"),
        ("SSH_AUTH_SOCK", "%/bus"),
        ("LD_PRELOAD", "@/vault/a"),
        ("BASH_ENV", "@/vault/a"),
        ("DISPLAY", ":0"),
        ("WAYLAND_DISPLAY", "wayland-0"),
        ("DBUS_SESSION_BUS_ADDRESS", "unix:path=%/bus"),
        ("PULSE_SERVER", "unix:%/bus"),
    ];
    let mut app = site.world.program(&words).before(&before).cwd("@/vault");
    for (name, value) in hostile {
        app = app.variable(name, value);
    }
    app.run()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

pub fn nothing_of_the_user_is_reachable() {
    let site = Site::new(Scene::Nothing);
    site.reset();
    let own = rustix::process::getuid().as_raw();
    let name = site.world.root().file_name().unwrap().to_string_lossy().into_owned();
    let _left =
        ["/tmp", "/var/tmp", "/dev/shm"].map(|folder| Left::new(format!("{folder}/{name}")));
    let acts = words(&site.text(&format!(
        "search / s3cret list ~/ list @/ fds env pids interfaces hostname list /dev list /dev/pts \
         list /dev/shm list /sys list /sys/devices list /sys/devices/system list /run/user/{own} \
         read /proc/sysvipc/msg read /proc/sysvipc/shm read /proc/sysvipc/sem \
         connect-tcp {{tcp}} udp-ask {{udp}} connect-abstract {{abstract}} connect-path %/bus \
         connect-path @/socket key-read {{victim}} queue-open {{queue}} find {{victim}} \
         read-by-fd a read-open-file read-by-cwd a read-by-dots @/vault/a cwd"
    )));
    let run = inside(&site, &acts);
    // No content of any file that can be read has it. (The name of the act's
    // own argument is not among the results.)
    let found = run.value(0);
    assert_eq!(found["with"], json!([]), "{}", run.told());
    assert!(found["files"].as_u64().unwrap() > 20, "what was searched? {}", run.told());
    run.never_shows("s3cret");
    let text = |at: usize| run.value(at).to_string();
    assert!(!text(1).contains("secret") && !text(1).contains("ssh"), "{}", run.told());
    // The way to the home and to the program are folders of the sandbox's.
    assert!(
        ["[\"home\",\"probe\"]", "[\"home\",\"probe\",\"run\"]"].contains(&text(2).as_str()),
        "{}",
        run.told()
    );
    let keys = |at: usize| -> BTreeSet<String> {
        run.value(at).as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(keys(3), ["0", "1", "2"].map(str::to_owned).into(), "{}", run.told());
    let variables = keys(4);
    let known: BTreeSet<String> = VARIABLES.map(str::to_owned).into();
    let more: Vec<&String> = variables.difference(&known).collect();
    assert!(more.is_empty(), "{more:?} are handed on");
    assert_eq!(run.value(4)["DBUS_SESSION_BUS_ADDRESS"], "disabled:");
    assert_eq!(keys(5).len(), 2, "init and the probe: {}", run.told());
    assert_eq!(run.value(6), json!(["lo"]));
    let hostname = site.world.outside("hostname").value(0);
    assert_ne!(run.value(7), hostname);
    let devices: Vec<Value> = [
        "fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty",
        "urandom", "zero",
    ]
    .map(Value::from)
    .into();
    assert_eq!(run.value(8), json!(devices), "{}", run.told());
    assert_eq!((run.value(9), run.value(10)), (json!(["ptmx"]), json!([])));
    assert_eq!((run.value(11), run.value(12)), (json!(["devices"]), json!(["system"])));
    assert_eq!(run.value(13), json!(["cpu"]));
    assert_eq!(run.value(14), json!([]), "the runtime folder: {}", run.told());
    for at in 15..18 {
        let table = run.value(at);
        assert_eq!(table.as_str().unwrap().lines().count(), 1, "System V: {}", run.told());
    }
    let stopped: [&[&str]; 12] = [
        &["ECONNREFUSED"],
        &["ECONNREFUSED"],
        &["ECONNREFUSED"],
        &["ENOENT"],
        &["ENOENT"],
        &["EPERM"],
        &["ENOENT"],
        &["ESRCH"],
        &["EBADF", "ENOENT"],
        &["EBADF"],
        &["ENOENT"],
        &["ENOENT"],
    ];
    for (at, errors) in stopped.into_iter().enumerate() {
        run.refused(18 + at, errors);
    }
    assert_eq!(run.value(30), site.world.path("~").display().to_string());
    // The controls: outside, all of it is there.
    let acts = site.text(
        "search @/ s3cret connect-tcp {tcp} udp-ask {udp} connect-abstract {abstract} \
         connect-path %/bus connect-path @/socket queue-open {queue} find {victim} interfaces \
         read /proc/sysvipc/msg",
    );
    let outside = site.world.outside(&acts);
    outside.all_work();
    assert!(outside.value(0)["with"].as_array().unwrap().len() > 3, "{}", outside.told());
    assert!(outside.value(9).as_str().unwrap().lines().count() > 1, "{}", outside.told());
}

/// Sockets of the machine's: their names, and whether they are abstract.
fn sockets() -> Vec<(String, bool)> {
    let table = std::fs::read_to_string("/proc/net/unix").unwrap();
    let mut found: Vec<(String, bool)> = table
        .lines()
        .skip(1)
        .filter_map(|line| {
            // Seven fields, and the rest is the name, whatever is in it.
            let mut rest = line;
            for _ in 0..7 {
                rest = rest.trim_start().split_once(' ')?.1;
            }
            match rest.strip_prefix('@') {
                Some(name) => Some((name.to_owned(), true)),
                None if rest.starts_with('/') => Some((rest.to_owned(), false)),
                None => None,
            }
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

pub fn no_socket_of_the_machine_is_reachable() {
    let site = Site::new(Scene::Nothing);
    let world = &site.world;
    let name = world.root().file_name().unwrap().to_string_lossy().into_owned();
    // What a session has, in case this machine has none.
    let mut paths = vec![
        world.path("~/socket"),
        world.path("%/wayland-0"),
        PathBuf::from(format!("/tmp/{name}-socket")),
        PathBuf::from(format!("/var/tmp/{name}-socket")),
    ];
    if is_root() {
        paths.push(PathBuf::from(format!("/run/{name}-socket")));
    }
    let _listeners: Vec<UnixListener> =
        paths.iter().map(|path| UnixListener::bind(path).unwrap()).collect();
    let _datagrams = UnixDatagram::bind(world.path("%/notify")).unwrap();
    let abstracts = [format!("/tmp/.X11-unix/{name}"), format!("{name}-datagrams")];
    let _abstract =
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(&abstracts[0]).unwrap()).unwrap();
    let _other =
        UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&abstracts[1]).unwrap()).unwrap();
    let sockets = sockets();
    for path in &paths {
        assert!(sockets.contains(&(path.display().to_string(), false)), "{}", path.display());
    }
    for name in abstracts {
        assert!(sockets.contains(&(name.clone(), true)), "{name}");
    }
    let acts: Vec<String> = sockets
        .iter()
        .flat_map(|(name, is_abstract)| {
            let act = if *is_abstract { "connect-abstract" } else { "connect-path" };
            [act.to_owned(), name.clone()]
        })
        .collect();
    let run = inside(&site, &acts);
    let outside = connects(world, &acts);
    let mut reached_outside = 0;
    for ((socket, inside), outside) in sockets.iter().zip(run.results()).zip(outside.results()) {
        let errors: &[&str] =
            if socket.1 { &["ECONNREFUSED", "EPERM"] } else { &["ENOENT", "EACCES"] };
        let errno = inside["errno"].as_str().unwrap_or_default();
        assert!(inside["ok"] == false && errors.contains(&errno), "{socket:?}: {inside}");
        // A socket of another type is there, too.
        reached_outside += usize::from(outside["ok"] == true || outside["errno"] == "EPROTOTYPE");
    }
    for path in paths.iter().filter(|path| !path.starts_with(world.root())) {
        let _ = std::fs::remove_file(path);
    }
    assert!(reached_outside >= 7, "{reached_outside}: {}", outside.told());
}

fn connects(world: &World, acts: &[String]) -> Run {
    let mut command = world.command(Path::new(&world.path("@/probe")));
    command.args(acts);
    crate::world::finish(command, None)
}
