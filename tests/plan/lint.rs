//! What `pinfold lint` finds: of each rule a manifest that breaks it and one,
//! nearly the same, that does not.

use pinfold::lint::{self, Finding, Level, Reach, Subject, Verdict, remarks, rules};
use pinfold::manifest::parse;
use pinfold::model::origin::{Layer, Origin};
use pinfold::resolve::{Request, resolve};

use super::checkout;
use super::distributions::all;
use super::tree::{Host, nothing_more, policy, settings};

/// A host on which every rule can find something.
fn host() -> Host {
    let mut host = Host::small();
    for folder in [
        "/home/ada/.config/autostart",
        "/home/ada/.config/fish",
        "/home/ada/.ssh",
        "/home/ada/.var/app",
        "/home/ada/bin",
        "/home/ada/tools",
        "/home/ada/Documents/letters",
        "/home/ada/Music",
        "/home/ada/code/project/.git",
        "/home/ada/agents",
        "/home/ada/engines",
        "/srv/data",
        "/srv/bin",
        "/etc/xdg",
    ] {
        host.tree.folder(folder);
    }
    host.tree.socket("/home/ada/agents/agent.1");
    host.tree.socket("/home/ada/engines/docker.sock");
    host.tree.file("/home/ada/.ssh/id", "");
    host.tree.file("/usr/share/dbus-1/services/org.example.Printer.service", "");
    host.tree.own("/home/ada");
    host.set("SSH_AUTH_SOCK", "/home/ada/agents/agent.1");
    host.set("DOCKER_HOST", "unix:///home/ada/engines/docker.sock");
    host.set("PATH", "/usr/bin:/srv/bin:/home/ada/tools");
    host.set("XDG_CURRENT_DESKTOP", "sway");
    let socket = host.runtime("wayland-7");
    host.tree.socket(&socket);
    host.set("WAYLAND_DISPLAY", "wayland-7");
    host
}

fn findings(host: &Host, layer: Layer, text: &str) -> Vec<Finding> {
    let policy = policy(settings(&[(layer, text)]));
    let request = Request { only_looks: true, ..nothing_more() };
    let (facts, fs) = (host.facts(), host.tree.fs());
    let plan = resolve(&policy, &facts, &fs, &request).unwrap_or_else(|e| panic!("{text}: {e:#?}"));
    lint::check(&Subject { policy: &policy, plan: &plan, facts: &facts, fs: &fs })
}

/// A code, a manifest that breaks its rule, and one that does not.
const CASES: &[(&str, &str, &str)] = &[
    (
        "L101",
        "[filesystem]\nwrite = [\"~/.config/autostart\"]",
        "[filesystem]\nread = [\"~/.config/autostart\"]",
    ),
    ("L101", "[filesystem]\nwrite = [\"~/tools\"]", "[filesystem]\nwrite = [\"~/Documents\"]"),
    ("L101", "[filesystem]\nwrite = [\"~/.ssh\"]", "[filesystem]\nwrite = [\"~\"]"),
    ("L101", "[filesystem]\nwrite = [\"/etc/xdg\"]", "[filesystem]\nread = [\"/etc/xdg\"]"),
    ("L101", "[filesystem]\nwrite = [\"/srv/bin\"]", "[filesystem]\nwrite = [\"/srv/data\"]"),
    ("L102", "[filesystem]\nwrite = [\"~/.var/app\"]", "[filesystem]\nread = [\"~/.var/app\"]"),
    ("L103", "[filesystem]\nread = [\"~/.ssh/id\"]", "[filesystem]\nread = [\"~/Documents\"]"),
    ("L104", "[filesystem]\nread = [\"~\"]", "[filesystem]\nread = [\"~/Documents\"]"),
    ("L104", "[filesystem]\nread = [\"/srv\"]", "[filesystem]\nread = [\"/srv/data\"]"),
    ("L104", "[home]\nkind = \"shared\"", "[home]\nkind = \"private\""),
    (
        "L105",
        "[filesystem]\nwrite = [{ path = \"~/Music\", exec = true }]",
        "[filesystem]\nread = [{ path = \"~/Music\", exec = true }]",
    ),
    ("L106", "[filesystem]\nwrite = [\"~/code\"]", "[filesystem]\nread = [\"~/code\"]"),
    ("L107", "[filesystem]\nread = [\"~/agents/agent.1\"]", "[filesystem]\nread = [\"~/Music\"]"),
    ("L108", "[filesystem]\nread = [\"~/engines\"]", "[filesystem]\nread = [\"~/Music\"]"),
    ("L109", "[environment]\npass = [\"GITHUB_TOKEN\"]", "[environment]\npass = [\"GITHUB_USER\"]"),
    (
        "L201",
        "[bus.session]\ntalk = [\"org.freedesktop.systemd1\"]",
        "[bus.session]\nsee = [\"org.freedesktop.systemd1\"]",
    ),
    (
        "L201",
        "[bus.session]\ncall = [\"org.gnome.Shell=org.gnome.Shell.Eval@/org/gnome/Shell\"]",
        "[bus.session]\ncall = [\"org.gnome.Shell=org.gnome.Shell.SearchProvider2.*\"]",
    ),
    (
        "L201",
        "[bus.session]\ntalk = [\"org.kde.*\"]",
        "[bus.session]\ntalk = [\"org.kde.StatusNotifierWatcher\"]",
    ),
    ("L201", "[bus.session]\nservices = [\"dconf\"]", "[bus.session]\nservices = [\"tray\"]"),
    (
        "L202",
        "[bus.system]\ntalk = [\"org.freedesktop.login1\"]",
        "[bus.system]\ntalk = [\"org.freedesktop.hostname1\"]",
    ),
    (
        "L203",
        "[bus.session]\nown = [\"org.freedesktop.Notifications\"]",
        "[bus.session]\nown = [\"org.example.Mine\"]",
    ),
    ("L204", "[bus.session]\nservices = [\"secrets\"]", "[bus.session]\nservices = [\"mpris\"]"),
    ("L204", "[portals]\nallow = [\"screencast\"]", "[portals]\nallow = [\"print\"]"),
    (
        "L205",
        "[bus.session]\ntalk = [\"org.gnome.*\"]",
        "[bus.session]\ntalk = [\"org.gnome.Calculator.*\"]",
    ),
    (
        "L206",
        "[bus.session]\ntalk = [\"org.example.Prniter\"]",
        "[bus.session]\ntalk = [\"org.example.Printer\"]",
    ),
    ("L301", "[display]\nx11 = \"shared\"", "[display]\nx11 = \"fallback\""),
    ("L302", "[display]\nx11 = \"fallback\"", "[display]\nx11 = \"never\""),
    ("L303", "[audio]\nplayback = true", "[audio]\nplayback = false"),
    ("L304", "[audio]\nrecord = true", "[audio]\nplayback = true"),
    ("L305", "[network]\nmode = \"host\"", "[network]\nmode = \"none\""),
    ("L307", "[devices]\nallow = [\"kvm\"]", "[devices]\nallow = [\"gpu\"]"),
    ("L308", "[display]\nwayland = true", "[display]\nwayland = false"),
    ("L401", "[syscalls]\nnested = \"container\"", "[syscalls]\nnested = \"browser\""),
    (
        "L402",
        "[syscalls]\nnested = \"browser\"\n[audio]\nrecord = true",
        "[syscalls]\nnested = \"browser\"\n[audio]\nplayback = true",
    ),
    ("L403", "[syscalls]\nallow = [\"devel\"]", ""),
    ("L403", "[syscalls]\nnested = \"browser\"", "[syscalls]\nnested = \"none\""),
    ("L501", "[filesystem]\nread = [\"~/absent\"]", "[filesystem]\nread = [\"~/Music\"]"),
    ("L501", "[filesystem]\nwrite = [\"~/absent\"]", "[filesystem]\ncreate = [\"~/absent\"]"),
    (
        "L502",
        "[filesystem]\nread = [\"~/Documents\", \"~/Documents/letters\"]",
        "[filesystem]\nwrite = [\"~/Documents\"]\nread = [\"~/Documents/letters\"]",
    ),
    (
        "L502",
        "[filesystem]\nread = [\"~/Music\"]\nwrite = [\"~/Music\"]",
        "[filesystem]\nread = [\"~/Documents\"]\nwrite = [\"~/Music\"]",
    ),
    (
        "L502",
        "[bus.session]\ntalk = [\"org.a.*\", \"org.a.b\"]",
        "[bus.session]\ntalk = [\"org.a.b\", \"org.a.c\"]",
    ),
    (
        "L503",
        "[filesystem]\nread = [\"~/Music\"]\ndeny = [\"~/Music\"]",
        "[filesystem]\nread = [\"~/Music\"]\ndeny = [\"~/Documents\"]",
    ),
    (
        "L504",
        "[portals]\nallow = [\"print\"]\n[bus.session]\ntalk = [\"org.freedesktop.portal.Desktop\"]",
        "[portals]\nallow = [\"print\"]",
    ),
    (
        "L504",
        "[bus.session]\ncall = [\"org.freedesktop.portal.*=*@/org/freedesktop/portal/desktop\"]",
        "[bus.session]\ncall = [\"org.freedesktop.portal.Desktop=org.freedesktop.portal.Print.*\"]",
    ),
    ("L505", "[network]\nconnect = [443]", "[network]\nmode = \"host\"\nconnect = [443]"),
    ("L506", "[home]\npersist = [\"a\"]", "[home]\nkind = \"ephemeral\"\npersist = [\"a\"]"),
    (
        "L507",
        "[portals]\nallow = [\"clipboard\"]",
        "[portals]\nallow = [\"clipboard\", \"remote-desktop\"]",
    ),
    (
        "L601",
        "[filesystem]\nread = [\"~/Music\"]\n[check]\nmust-deny = [\"~/Music\"]",
        "[check]\nmust-deny = [\"~/Music\"]",
    ),
    (
        "L602",
        "[check]\nmust-open = [\"~/Music\"]",
        "[filesystem]\nread = [\"~/Music\"]\n[check]\nmust-open = [\"~/Music\"]",
    ),
];

/// Rules that need more than a manifest to be broken, each tried below.
const ELSEWHERE: &[&str] = &["L306", "L901"];

#[test]
fn each_rule_finds_what_it_is_for_and_nothing_else() {
    let host = host();
    for (code, breaks, keeps) in CASES {
        let found = findings(&host, Layer::User, breaks);
        let hit = found.iter().find(|one| one.rule.code == *code);
        let hit = hit.unwrap_or_else(|| panic!("{code} misses {breaks}: {found:#?}"));
        // The line that it points at is one of the manifest's.
        assert_eq!((&*hit.origin.file, hit.origin.line > 1), ("user.toml", true), "{code}");
        let found = findings(&host, Layer::User, keeps);
        assert!(
            !found.iter().any(|one| one.rule.code == *code),
            "{code} finds {keeps}: {found:#?}"
        );
    }
    for rule in rules::ALL {
        let tried = CASES.iter().any(|(code, ..)| *code == rule.code);
        assert!(tried != ELSEWHERE.contains(&rule.code), "{} is tried nowhere", rule.code);
    }
}

#[test]
fn codes_are_in_order_and_unique() {
    let codes: Vec<&str> = rules::ALL.iter().map(|rule| rule.code).collect();
    assert!(codes.windows(2).all(|pair| pair[0] < pair[1]), "{codes:?}");
    assert!(rules::ALL.iter().all(|rule| rules::rule(rule.code) == Some(*rule)));
}

#[test]
fn an_old_kernel_does_not_close_abstract_sockets() {
    let mut host = host();
    let text = "[network]\nmode = \"host\"";
    let has =
        |host: &Host| findings(host, Layer::User, text).iter().any(|one| one.rule.code == "L306");
    assert!(!has(&host));
    host.landlock_abi = 5;
    assert!(has(&host));
}

#[test]
fn a_protected_path_of_a_vendor_stays_shut_and_that_is_said() {
    let host = host();
    let text = "[filesystem]\nwrite = [\"~/.config/autostart\"]";
    let found = findings(&host, Layer::Vendor, text);
    let codes: Vec<&str> = found.iter().map(|one| one.rule.code).collect();
    assert_eq!(codes, ["L503"]);
    assert_eq!(Verdict::of(&found), Verdict::Boxed);
}

#[test]
fn the_verdict_is_that_of_the_worst() {
    let host = host();
    for (text, verdict) in [
        ("", Verdict::Boxed),
        ("[filesystem]\nread = [\"~/Documents\"]\n[audio]\nplayback = true", Verdict::Boxed),
        ("[display]\nx11 = \"shared\"", Verdict::Leaky),
        ("[filesystem]\nread = [\"~/.ssh/id\"]", Verdict::Leaky),
        ("[filesystem]\nwrite = [\"~/bin\"]", Verdict::NotASandbox),
        ("[bus.session]\ntalk = [\"org.freedesktop.Flatpak\"]", Verdict::NotASandbox),
    ] {
        let found = findings(&host, Layer::User, text);
        assert_eq!(Verdict::of(&found), verdict, "{text}: {found:#?}");
    }
}

#[test]
fn a_finding_tells_its_chain() {
    let found = findings(&host(), Layer::User, "[filesystem]\nwrite = [\"~/.config/autostart\"]");
    let hit = found.iter().find(|one| one.rule.code == "L101").unwrap();
    assert_eq!((hit.level, hit.reach), (Level::Error, Reach::Escape));
    assert_eq!(hit.chain[0], "write ~/.config/autostart");
    assert!(hit.chain[1].contains("login"), "{:?}", hit.chain);
    assert!(hit.chain[2].contains("outside"), "{:?}", hit.chain);
    // The line of the second of two entries is its own.
    let text = "[filesystem]\nwrite = [\n\"~/Music\",\n\"~/bin\",\n]";
    let found = findings(&host(), Layer::User, text);
    assert_eq!(found.iter().find(|one| one.rule.code == "L101").unwrap().origin.line, 5);
}

/// Each change that is offered is one that can be made, after which the
/// finding is gone.
#[test]
fn changes_mend_what_was_found() {
    let host = host();
    let mut mended = 0;
    for (code, breaks, _) in CASES {
        let found = findings(&host, Layer::User, breaks);
        let hits = found.iter().filter(|one| one.rule.code == *code);
        let mut text = (*breaks).to_owned();
        let before = hits.clone().count();
        let changes: Vec<_> = hits.filter_map(|one| one.change.clone()).collect();
        for change in &changes {
            // One change may have taken out what another was about.
            if let Ok(changed) = change.made(&text, "/home/ada") {
                text = changed;
            }
        }
        if changes.is_empty() {
            continue;
        }
        assert_ne!(text, *breaks, "{code}: {changes:?}");
        let left = findings(&host, Layer::User, &text);
        let left = left.iter().filter(|one| one.rule.code == *code).count();
        assert_eq!(left, before - changes.len(), "{code}: {text}");
        mended += 1;
    }
    assert!(mended >= 20, "only {mended} cases are mended");
}

#[test]
fn remarks_let_findings_stay() {
    let host = host();
    let with = |remark: &str, alone: bool| {
        let line = "x11 = \"shared\"";
        let text = match alone {
            true => format!("[display]\n{remark}\n{line}"),
            false => format!("[display]\n{line} {remark}"),
        };
        let mut found = findings(&host, Layer::User, &text);
        let place = Origin { layer: Layer::User, file: "user.toml".into(), line: 0, column: 0 };
        remarks::apply(&format!("schema = 1\n{text}"), &place, false, &mut found);
        let hit = found.iter().find(|one| one.rule.code == "L301").unwrap().allowed.clone();
        (hit, found.iter().any(|one| one.rule.code == "L901"), Verdict::of(&found))
    };
    let allowed = (Some("it is old".to_owned()), false, Verdict::Leaky);
    assert_eq!(with("# lint: allow L301 it is old", false), allowed);
    assert_eq!(with("# lint: allow L301 it is old", true), allowed);
    // Without a reason it is none, and for another rule it is one too many.
    assert_eq!(with("# lint: allow L301", false), (None, false, Verdict::Leaky));
    assert_eq!(with("# lint: allow L302 it is old", false), (None, true, Verdict::Leaky));
}

/// The shipped manifests have no warning that their authors do not give a
/// reason for, on no distribution.
#[test]
fn shipped_manifests_are_clean() {
    let mut looked = 0;
    for host in all() {
        for entry in std::fs::read_dir(checkout().join("manifests")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "toml") {
                continue;
            }
            let id = path.file_stem().unwrap().to_str().unwrap();
            let mut all = Default::default();
            let mut texts = Vec::new();
            let text = std::fs::read_to_string(&path).unwrap();
            let main = parse(text.as_bytes(), id, Layer::Vendor).unwrap();
            for preset in main.extends.iter().map(|preset| preset.value.clone()) {
                let place = checkout().join("manifests").join(format!("{preset}.toml"));
                let text = std::fs::read_to_string(place).unwrap();
                let read = parse(text.as_bytes(), &preset, Layer::Vendor).unwrap();
                all = pinfold::model::manifest::Settings::merge(all, read.settings);
                texts.push((preset, text));
            }
            let policy = policy(all.merge(main.settings));
            texts.push((id.to_owned(), text));
            let request = Request { only_looks: true, ..nothing_more() };
            let (facts, fs) = (host.host.facts(), host.host.tree.fs());
            let Ok(plan) = resolve(&policy, &facts, &fs, &request) else { continue };
            let subject = Subject { policy: &policy, plan: &plan, facts: &facts, fs: &fs };
            let mut found = lint::check(&subject);
            for (file, text) in texts {
                let layer = Layer::Vendor;
                let place = Origin { layer, file: file.as_str().into(), line: 0, column: 0 };
                remarks::apply(&text, &place, file != id, &mut found);
            }
            found.retain(|one| one.allowed.is_none() && one.level > Level::Note);
            assert!(found.is_empty(), "{}: {id}: {found:#?}", host.name);
            looked += 1;
        }
    }
    assert!(looked > 24, "only {looked} were looked at");
}
