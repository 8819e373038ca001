//! The plan without namespaces: what of the ordinary plan it keeps, what it
//! refuses, and what it finds other places for.

use pinfold::model::origin::Layer::{CommandLine, User, Vendor};
use pinfold::model::plan::{Access, Action, Kind, LandlockObject, Plan, Tier, Unseparated, Weight};
use pinfold::report::{Code, Diagnostic};
use pinfold::resolve::Request;

use super::seen::{note, variable};
use super::tree::{Host, nothing_more};

type Layers<'a> = &'a [(pinfold::model::origin::Layer, &'a str)];

fn ask(host: &Host, layers: Layers<'_>) -> Result<Plan, Vec<Diagnostic>> {
    host.ask(layers, &Request { tier: Tier::Landlock, ..nothing_more() })
}

fn plan(host: &Host, layers: Layers<'_>) -> Plan {
    ask(host, layers).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// The only error that a policy meets.
fn refusal(host: &Host, layers: Layers<'_>) -> Diagnostic {
    // With namespaces it is carried out.
    host.plan(layers);
    let mut errors = ask(host, layers).expect_err("it is carried out");
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}

/// What landlock lets through at a place of the host itself.
fn access(plan: &Plan, at: &str) -> Option<Access> {
    let mut rules = plan.landlock.rules.iter();
    let found = rules
        .find(|rule| matches!(&rule.object, LandlockObject::Host(path) if path.as_str() == at));
    found.map(|rule| rule.access)
}

const OWN: &str = "/home/ada/.local/share/pinfold/apps/org.example.App";

#[test]
fn everything_is_used_where_it_lies() {
    let host = Host::small();
    host.tree.folder("/home/ada/Papers");
    host.tree.folder("/home/ada/Work");
    host.tree.file("/etc/fonts/fonts.conf", "");
    host.tree.file("/etc/nsswitch.conf", "files");
    host.tree.file("/etc/shadow", "");
    host.tree.own("/home/ada");
    let text = "[filesystem]\nread = [\"~/Papers\"]\nwrite = [\"~/Work\"]";
    let plan = plan(&host, &[(Vendor, text)]);
    assert_eq!(plan.tier, Tier::Landlock);
    for step in &plan.tree {
        let Action::Bind { source, dest, .. } = &step.action else { panic!("{step:?}") };
        assert_eq!(source, dest);
    }
    for (at, wanted) in [
        ("/usr", Some(Access::ReadExec)),
        ("/home/ada/Papers", Some(Access::Read)),
        ("/home/ada/Work", Some(Access::Write)),
        ("/etc/fonts", Some(Access::Read)),
        ("/etc/nsswitch.conf", Some(Access::Read)),
        ("/etc/passwd", Some(Access::Read)),
        ("/etc/shadow", None),
        ("/etc", None),
        ("/home/ada", None),
        ("/", None),
        ("/proc", None),
        ("/tmp", None),
        (OWN, Some(Access::WriteExec)),
    ] {
        assert_eq!(access(&plan, at), wanted, "{at}");
    }
    // What only a sandbox with a root of its own would have.
    let inside =
        plan.landlock.rules.iter().any(|rule| matches!(rule.object, LandlockObject::Inside(_)));
    assert!(!inside, "{:#?}", plan.landlock.rules);
    assert_eq!(plan.namespaces.hostname, "");
}

#[test]
fn of_proc_no_folder_of_a_process_is_open() {
    let host = Host::small();
    host.tree.file("/proc/meminfo", "");
    host.tree.file("/proc/1/cmdline", "");
    host.tree.file("/proc/net/unix", "");
    let plan = plan(&host, &[]);
    assert_eq!(access(&plan, "/proc/meminfo"), Some(Access::Read));
    let mut own = Vec::new();
    for rule in &plan.landlock.rules {
        match &rule.object {
            LandlockObject::Host(path) if path.as_str().starts_with("/proc") => {
                assert_eq!(path.as_str(), "/proc/meminfo");
            }
            LandlockObject::OwnProcess(name) => own.push(name.as_str()),
            _ => {}
        }
    }
    assert!(own.contains(&"maps") && own.contains(&"fd"), "{own:?}");
    // The sockets of the host are listed in the one, and beneath the other.
    assert!(!own.contains(&"net") && !own.contains(&"task"), "{own:?}");
}

#[test]
fn private_places_lie_in_the_own_home() {
    let host = Host::small();
    let plan = plan(&host, &[]);
    assert_eq!(variable(&plan, "HOME"), Some(OWN));
    assert_eq!(variable(&plan, "TMPDIR"), Some(format!("{OWN}/.cache/tmp").as_str()));
    assert_eq!(variable(&plan, "XDG_RUNTIME_DIR"), Some(format!("{OWN}/.cache/run").as_str()));
    assert_eq!(plan.process.cwd.as_str(), OWN);
    for rest in ["", "/.config", "/.local/share", "/.cache/tmp", "/.cache/run"] {
        let folder = format!("{OWN}{rest}");
        let made = plan.host.iter().find(|step| step.folder.as_str() == folder);
        assert_eq!(made.map(|step| step.mode), Some(0o700), "{folder}");
    }
    let names: Vec<&String> = plan.process.environment.iter().map(|(name, _)| name).collect();
    assert!(names.is_sorted(), "{names:?}");
    // Who states a variable is believed.
    let text = "[environment]\nset = { TMPDIR = \"/elsewhere\" }";
    let plan = self::plan(&host, &[(Vendor, text)]);
    assert_eq!(variable(&plan, "TMPDIR"), Some("/elsewhere"));
}

#[test]
fn a_hole_in_a_grant_is_refused_with_its_line() {
    let host = Host::small();
    host.tree.folder("/home/ada/Papers/taxes/old");
    host.tree.own("/home/ada");
    let text = "[filesystem]\nread = [\"~/Papers\"]\ndeny = [\"~/Papers/taxes\"]";
    let error = refusal(&host, &[(Vendor, text)]);
    assert_eq!(error.code, Some(Code::NotInTier));
    assert_eq!(error.exit().number(), 69);
    assert!(error.message.contains("/home/ada/Papers/taxes"), "{error:#?}");
    assert_eq!((&*error.labels[0].origin.file, error.labels[0].origin.line), ("vendor.toml", 4));
    // Where a part of it is opened again the folder is taken apart anyway.
    let open = "[filesystem]\nread = [\"~/Papers/taxes/old\"]";
    let plan = plan(&host, &[(Vendor, text), (User, open)]);
    assert_eq!(access(&plan, "/home/ada/Papers/taxes/old"), Some(Access::Read));
    assert_eq!(access(&plan, "/home/ada/Papers/taxes"), None);
    assert_eq!(access(&plan, "/home/ada/Papers"), None);
    // And in what everybody sees.
    let text = "[filesystem]\ndeny = [\"/usr/bin/app\"]\nread = []";
    let text = format!("command = [\"other\"]\n{text}");
    host.tree.program("/usr/bin/other");
    let error = refusal(&host, &[(CommandLine, &text)]);
    assert!(error.message.contains("/usr/bin/app"), "{error:#?}");
}

#[test]
fn a_denial_that_needs_no_cover_is_kept() {
    let host = Host::small();
    host.tree.folder("/home/ada/Papers");
    host.tree.folder("/home/ada/.config/app");
    host.tree.folder("/home/ada/.config/autostart");
    host.tree.own("/home/ada");
    // What is denied is not there: the folder is taken apart.
    let text = "[filesystem]\nread = [\"~/Papers\"]\ndeny = [\"~/Papers/taxes\"]";
    assert_eq!(access(&plan(&host, &[(Vendor, text)]), "/home/ada/Papers"), None);
    // As around protected paths.
    let plan = plan(&host, &[(Vendor, "[filesystem]\nwrite = [\"~/.config\"]")]);
    assert_eq!(access(&plan, "/home/ada/.config"), None);
    assert_eq!(access(&plan, "/home/ada/.config/app"), Some(Access::Write));
    assert_eq!(access(&plan, "/home/ada/.config/autostart"), None);
    assert_eq!(note(&plan, &["/home/ada/.config", "cannot be listed"]), Some(Weight::Info));
    // A denial of the whole takes the grant away.
    let text = "[filesystem]\nread = [\"~/Papers\"]\ndeny = [\"~/Papers\"]";
    assert_eq!(access(&self::plan(&host, &[(Vendor, text)]), "/home/ada/Papers"), None);
}

#[test]
fn a_narrower_right_inside_a_grant_is_refused() {
    let host = Host::small();
    host.tree.folder("/home/ada/Work/done/late");
    host.tree.folder("/srv/data/in");
    host.tree.own("/home/ada");
    let work = |inner: &str| format!("[filesystem]\nwrite = [\"~/Work\"]\nread = [\"{inner}\"]");
    let error = refusal(&host, &[(Vendor, &work("~/Work/done"))]);
    assert_eq!((error.code, error.labels[0].origin.line), (Some(Code::NotInTier), 4));
    refusal(&host, &[(Vendor, &work("~/Work/done/late"))]);
    // Files beneath /srv can be executed by who may read it, and those of a
    // folder to write in cannot.
    let text = "[filesystem]\nread = [\"/srv/data\"]\nwrite = [\"/srv/data/in\"]";
    refusal(&host, &[(Vendor, text)]);
    // A wider one is no matter.
    let text = "[filesystem]\nread = [\"~/Work\"]\nwrite = [\"~/Work/done\"]";
    let plan = plan(&host, &[(Vendor, text)]);
    assert_eq!(access(&plan, "/home/ada/Work/done"), Some(Access::Write));
    assert_eq!(access(&plan, "/home/ada/Work"), Some(Access::Read));
}

#[test]
fn what_only_namespaces_give_is_refused_with_its_line() {
    let mut host = Host::small();
    for text in [
        "[home]\nkind = \"ephemeral\"",
        "[home]\nkind = \"shared\"",
        "[syscalls]\nnested = \"browser\"",
    ] {
        let error = refusal(&host, &[(Vendor, text)]);
        assert_eq!((error.code, error.labels[0].origin.line), (Some(Code::NotInTier), 3), "{text}");
    }
    let error = refusal(&host, &[(Vendor, "hostname = \"box\"")]);
    assert_eq!((error.code, error.labels[0].origin.line), (Some(Code::NotInTier), 2));
    host.tree.socket("/tmp/.X11-unix/X0");
    host.tree.mode("/tmp", 0o1777);
    host.set("DISPLAY", ":0");
    let error = refusal(&host, &[(Vendor, "[display]\nx11 = \"fallback\"")]);
    assert_eq!((error.code, error.labels[0].origin.line), (Some(Code::NotInTier), 3));
    // Nobody wants it where there is Wayland.
    let socket = host.runtime("wayland-0");
    host.tree.socket(&socket);
    host.set("WAYLAND_DISPLAY", "wayland-0");
    plan(&host, &[(Vendor, "[display]\nwayland = true\nx11 = \"fallback\"")]);
}

#[test]
fn a_kernel_that_leaves_signals_open_will_not_do() {
    let mut host = Host::small();
    for abi in [0, 1, 3, 5] {
        host.landlock_abi = abi;
        let error = refusal(&host, &[]);
        assert_eq!((error.code, error.exit().number()), (Some(Code::HostKernel), 69), "{abi}");
    }
    for abi in [6, 7, 9, 12] {
        host.landlock_abi = abi;
        assert!(plan(&host, &[]).syscalls.signals_scoped, "{abi}");
    }
}

#[test]
fn the_filter_shuts_what_landlock_does_not_govern() {
    let mut host = Host::small();
    let open = "[network]\nmode = \"host\"";
    for (abi, text, network, unix_sockets) in
        [(6, "", false, false), (8, open, true, false), (9, "", false, true), (9, open, true, true)]
    {
        host.landlock_abi = abi;
        let plan = plan(&host, &[(Vendor, text)]);
        let wanted = Some(Unseparated { network, unix_sockets });
        assert_eq!(plan.syscalls.unseparated, wanted, "{abi} {text}");
        assert_eq!(plan.is_without_network(), !network);
        assert!(!plan.namespaces.network);
    }
    assert_eq!(host.plan(&[]).syscalls.unseparated, None);
}

#[test]
fn sockets_by_the_version_of_landlock() {
    let mut host = Host::small();
    let (wayland, pulse) = (host.runtime("wayland-1"), host.runtime("pulse/native"));
    host.tree.socket(&wayland);
    host.tree.socket(&pulse);
    host.tree.socket("/home/ada/mine");
    host.tree.own("/home/ada");
    host.set("WAYLAND_DISPLAY", "wayland-1");
    let text = "[display]\nwayland = true\n[audio]\nplayback = true\n\
                [filesystem]\nwrite = [\"~/mine\"]";
    host.landlock_abi = 8;
    let alone = plan(&host, &[(Vendor, text)]);
    let compositor = alone.process.compositor.as_ref().map(|path| path.as_str());
    assert_eq!(compositor, Some(wayland.as_str()));
    assert_eq!(note(&alone, &["one connection to the compositor"]), Some(Weight::Notice));
    for name in ["WAYLAND_DISPLAY", "PULSE_SERVER"] {
        assert_eq!(variable(&alone, name), None, "{name}");
    }
    for socket in [&wayland, &pulse, "/home/ada/mine"] {
        assert_eq!(access(&alone, socket), None, "{socket}");
    }
    for socket in [&pulse, "/home/ada/mine"] {
        assert_eq!(note(&alone, &[socket, "is not open"]), Some(Weight::Warning), "{socket}");
    }
    host.landlock_abi = 9;
    let governed = plan(&host, &[(Vendor, text)]);
    assert_eq!(governed.process.compositor, None);
    assert_eq!(variable(&governed, "WAYLAND_DISPLAY"), Some(wayland.as_str()));
    assert_eq!(variable(&governed, "PULSE_SERVER"), Some(format!("unix:{pulse}").as_str()));
    for socket in [&wayland, &pulse, "/home/ada/mine"] {
        assert_eq!(access(&governed, socket), Some(Access::Write), "{socket}");
    }
}

#[test]
fn buses_are_not_to_be_had() {
    let mut host = Host::small();
    let socket = host.runtime("bus");
    host.tree.socket(&socket);
    host.set("DBUS_SESSION_BUS_ADDRESS", &format!("unix:path={socket}"));
    let text =
        "[portals]\nallow = [\"file-chooser\"]\n[bus.session]\ntalk = [\"org.example.Peer\"]";
    let layers: Layers<'_> = &[(Vendor, text)];
    assert!(host.plan(layers).filter.is_some());
    for abi in [6, 9] {
        host.landlock_abi = abi;
        let plan = plan(&host, layers);
        assert_eq!(plan.filter, None);
        assert_eq!(variable(&plan, "DBUS_SESSION_BUS_ADDRESS"), Some("disabled:"));
        assert_eq!(variable(&plan, "GTK_USE_PORTAL"), None);
        assert_eq!(access(&plan, &socket), None);
        assert_eq!(note(&plan, &["session bus is not to be had"]), Some(Weight::Warning));
    }
}

#[test]
fn what_is_missing_is_a_warning_of_every_such_plan() {
    let host = Host::small();
    assert_eq!(note(&plan(&host, &[]), &["no namespaces"]), Some(Weight::Warning));
    assert_eq!(note(&host.plan(&[]), &["no namespaces"]), None);
}

#[test]
fn devices_are_used_where_they_lie() {
    let host = Host::small();
    let plan = plan(&host, &[]);
    for step in &plan.tree {
        if let Action::Bind { dest, kind, device: true, .. } = &step.action {
            assert_eq!((*kind, access(&plan, dest.as_str())), (Kind::File, Some(Access::Use)));
        }
    }
    assert_eq!(access(&plan, "/dev"), None);
    assert_eq!(access(&plan, "/dev/pts"), None);
}
