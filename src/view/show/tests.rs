//! What is shown of one sample, as people have read it, and that no text of
//! a manifest's reaches a terminal as it is.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::{env, fs};

use super::*;
use crate::host::HostFs;
use crate::manifest;
use crate::model::condition::{Condition, Fact};
use crate::model::facts::{HostFacts, KernelFacts, WaylandSocket, XDisplay};
use crate::model::manifest::Settings;
use crate::model::origin::Sourced;
use crate::model::path::{AbsPath, UserDir};
use crate::model::permission::{Device, HomeKind};
use crate::model::plan::{Action, Kind, Note, Step, Tier, Weight};
use crate::report::escape::is_hostile;
use crate::resolve::{self, Forward, Request};

/// Ends a title, moves the cursor, turns the direction of writing, is unseen.
const EVIL: &str = "x\u{1b}]0;y\u{7}\u{9b}2J\u{202e}\u{2066}\u{200b}\u{ad}z";

const SHIPPED: &str = r#"schema = 1
id = "org.example.Viewer"
name = "Example Viewer"
command = ["viewer", "--two words", "-x"]

[filesystem]
read = ["xdg-documents", "~/Missing"]
write = ["~/Scans"]
create = ["~/Exports"]

[display]
wayland = true
x11 = "shared"

[audio]
playback = true

[devices]
allow = ["gpu"]

[environment]
set = { VIEWER_MODE = "plain" }
pass = ["VIEWER_THEME", "VIEWER_NONE"]
"#;

const OWN: &str = r#"schema = 1

[filesystem]
deny = ["~/Scans/private"]

[network]
mode = "host"
connect = [443]

[syscalls]
allow = ["devel"]
"#;

fn abs(path: &str) -> AbsPath {
    AbsPath::new(path).unwrap()
}

fn facts() -> HostFacts {
    let variables = [("HOME", "/home/ada"), ("VIEWER_THEME", "dark"), ("SECRET", "s")];
    HostFacts {
        uid: 1000,
        gid: 1000,
        user: "ada".to_owned(),
        group: "ada".to_owned(),
        shell: abs("/bin/sh"),
        home: abs("/home/ada"),
        account_home: None,
        config_home: abs("/home/ada/.config"),
        data_home: abs("/home/ada/.local/share"),
        state_home: abs("/home/ada/.local/state"),
        cache_home: abs("/home/ada/.cache"),
        runtime_dir: Some(abs("/run/user/1000")),
        user_dirs: BTreeMap::from([(UserDir::Documents, abs("/home/ada/Papers"))]),
        environment: variables.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
        cwd: Some(abs("/home/ada")),
        wayland: Some(WaylandSocket::Path(abs("/run/user/1000/wayland-1"))),
        x11: Some(XDisplay {
            text: ":0".to_owned(),
            socket: Some(abs("/tmp/.X11-unix/X0")),
            number: 0,
            screen: None,
            authority: Some(abs("/home/ada/.Xauthority")),
            free_number: 1,
        }),
        pulse: Some(abs("/run/user/1000/pulse/native")),
        pipewire: None,
        shm_bytes: 1 << 30,
        kernel: KernelFacts { landlock_abi: 7, ..KernelFacts::default() },
    }
}

fn policy() -> Policy {
    let own = "/home/ada/.config/pinfold/org.example.Viewer.toml";
    let shipped = "/usr/share/pinfold/manifests/org.example.Viewer.toml";
    let lower = manifest::parse(SHIPPED.as_bytes(), shipped, Layer::Vendor).unwrap();
    let upper = manifest::parse(OWN.as_bytes(), own, Layer::User).unwrap();
    Policy {
        id: lower.id.unwrap().value,
        settings: lower.settings.merge(upper.settings),
        files: vec![(Layer::Vendor, shipped.to_owned()), (Layer::User, own.to_owned())],
        unmet: Vec::new(),
    }
}

/// A policy resolved on a small host.
fn resolved(policy: &Policy) -> Plan {
    let root = tempfile::tempdir().unwrap();
    for folder in [
        "home/ada/Papers",
        "home/ada/Scans/private",
        "home/ada/.ssh",
        "dev/dri",
        "usr/bin",
        "run/user/1000/pulse",
        "tmp/.X11-unix",
    ] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    for socket in ["run/user/1000/wayland-1", "tmp/.X11-unix/X0", "run/user/1000/pulse/native"] {
        std::os::unix::net::UnixListener::bind(root.path().join(socket)).unwrap();
    }
    let program = root.path().join("usr/bin/viewer");
    fs::write(&program, "").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let request = Request {
        arguments: Vec::new(),
        forward: Forward::Read,
        shell: false,
        only_looks: false,
        written: Vec::new(),
        tier: Tier::Namespaces,
    };
    let host = HostFs::at(root.path()).unwrap();
    resolve::resolve(policy, &facts(), &host, &request).unwrap()
}

fn stripped(shown: &Shown, width: usize) -> String {
    anstream::adapter::strip_str(&shown.text(width)).to_string()
}

/// The text against the file that people have read. How many system calls
/// the filter knows depends on the processor.
fn golden(name: &str, found: &str) {
    let mut lines: Vec<&str> = found.lines().collect();
    let count = lines.iter().position(|line| line.starts_with("  a filter that refuses"));
    lines[count.unwrap()] = "  a filter that refuses or checks N system calls";
    let found = lines.join("\n") + "\n";
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if env::var_os("PINFOLD_BLESS").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{path} differs; PINFOLD_BLESS=1 writes it:\n{found}");
}

#[test]
fn a_sample_is_shown_as_people_have_read_it() {
    let policy = policy();
    let plan = resolved(&policy);
    golden("show.txt", &stripped(&Shown::of(&policy, &plan, 7), 80));
}

#[test]
fn nothing_granted_is_said_in_one_line_each() {
    let mut policy = policy();
    let command = policy.settings.command.take();
    policy.settings = Settings { command, ..Settings::default() };
    let plan = resolved(&policy);
    golden("show-nothing.txt", &stripped(&Shown::of(&policy, &plan, 9), 80));
}

#[test]
fn what_is_granted_and_not_there_is_not_shown_as_granted() {
    let policy = policy();
    let mut plan = resolved(&policy);
    plan.tree.retain(|step| {
        let dest = step.action.dest().as_str();
        !dest.starts_with("/tmp/.X11-unix") && !dest.starts_with("/run/user/1000/")
    });
    plan.tree.retain(|step| !step.action.dest().is_within(&abs("/dev/dri")));
    plan.landlock.files = false;
    let text = stripped(&Shown::of(&policy, &plan, 7), 80);
    for what in ["windows by Wayland", "windows by X11", "plays sound", "the graphics processor"] {
        assert!(text.contains(&format!("  {what}: granted, but not to be had here")), "{text}");
    }
    assert!(text.contains("risk: landlock does not govern its files"), "{text}");
}

#[test]
fn every_line_fits_where_words_allow_it() {
    let policy = policy();
    let shown = Shown::of(&policy, &resolved(&policy), 7);
    for width in [60, 80, 120] {
        let text = stripped(&shown, width);
        let long: Vec<&str> = text
            .lines()
            .filter(|line| line.chars().count() > width && line.trim_start().contains(' '))
            .filter(|line| !line.starts_with("  from "))
            .collect();
        assert_eq!(long, Vec::<&str>::new(), "{width}");
    }
}

#[test]
fn each_grant_names_its_line() {
    let policy = policy();
    let json = Shown::of(&policy, &resolved(&policy), 7).json();
    let mut named = Vec::new();
    for section in json["sections"].as_array().unwrap() {
        for line in section["lines"].as_array().unwrap() {
            if line["kind"] == "granted" && line["origin"]["layer"] != "builtin" {
                let lines = if line["origin"]["layer"] == "user" { OWN } else { SHIPPED };
                let number = line["origin"]["line"].as_u64().unwrap() as usize;
                named.push(lines.lines().nth(number - 1).unwrap().to_owned());
            }
        }
    }
    for statement in [
        "command =",
        "read =",
        "write =",
        "create =",
        "wayland =",
        "x11 =",
        "playback =",
        "allow = [\"gpu\"]",
        "set =",
        "pass =",
        "mode = \"host\"",
        "allow = [\"devel\"]",
    ] {
        assert!(named.iter().any(|line| line.starts_with(statement)), "{statement}: {named:?}");
    }
}

#[test]
fn a_note_stands_once() {
    let policy = policy();
    let plan = resolved(&policy);
    let text = stripped(&Shown::of(&policy, &plan, 7), 4000);
    assert!(plan.notes.len() >= 3, "{:?}", plan.notes);
    for note in &plan.notes {
        assert_eq!(text.matches(&note.text).count(), 1, "{}\n{text}", note.text);
    }
}

#[test]
fn hostile_text_is_written_out_in_every_field() {
    let mut policy = policy();
    let mut plan = resolved(&policy);
    let evil = || EVIL.to_owned();
    let origin = Origin { layer: Layer::User, file: EVIL.into(), line: 1, column: 1 };
    let flag = Origin { layer: Layer::CommandLine, file: EVIL.into(), line: 0, column: 0 };
    policy.settings.name = Some(Sourced::new(evil(), origin.clone()));
    policy.files.push((Layer::User, evil()));
    let condition = Condition { fact: Fact::Desktop, any_of: vec!["gnome".to_owned()] };
    policy.unmet.push(Unmet {
        layer: Layer::User,
        file: evil(),
        condition: Sourced::new(condition, origin.clone()),
        here: vec![evil()],
    });
    policy.settings.lock.push(Sourced::new("nice".to_owned(), origin.clone()));
    policy.settings.environment_set.insert(evil(), Sourced::new(evil(), flag.clone()));
    policy.settings.environment_pass.push(Sourced::new(evil(), origin.clone()));
    policy.settings.home.kind = Some(Sourced::new(HomeKind::Ephemeral, flag.clone()));
    policy.settings.home.persist.push(Sourced::new(evil(), origin.clone()));
    // Paths cannot hold control characters, but the others they can.
    let unseen = abs("/home/ada/\u{202e}\u{200b}\u{2028}x");
    let bind = |source: &AbsPath, dest: &AbsPath, device| Step {
        action: Action::Bind {
            source: source.clone(),
            dest: dest.clone(),
            kind: Kind::Folder,
            write: false,
            exec: false,
            device,
        },
        origin: origin.clone(),
    };
    plan.tree.push(bind(&unseen, &abs("/home/ada/y"), false));
    plan.tree.push(bind(&abs("/home/ada/z"), &unseen, false));
    plan.tree.push(bind(&unseen, &unseen, true));
    policy.settings.devices.push(Sourced::new(Device::Kvm, origin.clone()));
    policy
        .settings
        .filesystem
        .deny
        .push(Sourced::new(crate::model::path::PathExpr::literal(&unseen), origin.clone()));
    plan.process.arguments.push(evil());
    plan.process.program = unseen;
    plan.process.origin = flag;
    plan.process.environment.push(("DISPLAY".to_owned(), evil()));
    plan.process.environment.retain(|(name, value)| name != "DISPLAY" || value == EVIL);
    plan.process.environment.push((evil(), evil()));
    plan.namespaces.hostname = evil();
    plan.namespaces.network_origin = origin.clone();
    plan.landlock.origin = origin.clone();
    for origin in [None, Some(origin)] {
        plan.notes.push(Note { weight: Weight::Warning, text: evil(), origin, hint: Some(evil()) });
    }
    let shown = Shown::of(&policy, &plan, 0);
    let text = stripped(&shown, 4000);
    let bad = text.chars().find(|&c| c != '\n' && is_hostile(c));
    assert_eq!(bad, None, "{text}");
    assert!(text.matches("\\u{1b}]0;y").count() >= 14, "{text}");
    assert!(text.matches("\\u{202e}\\u{200b}\\u{2028}x").count() >= 5, "{text}");
    let data = shown.json().to_string();
    assert_eq!(data.chars().find(|&c| is_hostile(c)), None, "{data}");
    assert!(!data.contains("\\u001b"), "{data}");
}

#[test]
fn files_that_do_not_count_and_locks_stand_at_the_top() {
    let mut policy = policy();
    let plan = resolved(&policy);
    let origin = |layer, file: &str| Origin { layer, file: file.into(), line: 3, column: 9 };
    let own = "/home/ada/.config/pinfold/global.toml";
    let condition =
        Condition { fact: Fact::Desktop, any_of: vec!["gnome".to_owned(), "kde".to_owned()] };
    policy.unmet.push(Unmet {
        layer: Layer::User,
        file: own.to_owned(),
        condition: Sourced::new(condition, origin(Layer::User, own)),
        here: vec!["sway".to_owned()],
    });
    let admin = "/etc/pinfold/global.toml";
    policy.files.insert(1, (Layer::Admin, admin.to_owned()));
    policy.settings.lock.push(Sourced::new("network".to_owned(), origin(Layer::Admin, admin)));
    let shown = Shown::of(&policy, &plan, 7);
    let text = stripped(&shown, 120);
    let lines: Vec<&str> = text.lines().skip(4).take(2).collect();
    assert_eq!(
        lines,
        [
            "  not used: ~/.config/pinfold/global.toml (user): it is for desktop gnome or kde; \
             here it is sway",
            "  locked by global.toml:3 (admin): network",
        ]
    );
    let json = shown.json();
    assert_eq!(json["unused"][0]["wanted"], serde_json::json!(["gnome", "kde"]));
    assert_eq!(json["locked"][0]["origin"]["line"], 3);
}

#[test]
fn short_names() {
    assert_eq!(last_name("/usr/share/pinfold/manifests/org.a.B.toml"), "org.a.B.toml");
    assert_eq!(last_name("built in: manifests/base/gtk.toml"), "base/gtk.toml");
    assert_eq!(last_name("a.toml"), "a.toml");
    assert_eq!(tilde("/home/ada", "/home/ada/x"), "~/x");
    assert_eq!(tilde("/home/ada", "/home/adam"), "/home/adam");
    assert_eq!(tilde("/", "/x"), "/x");
}
