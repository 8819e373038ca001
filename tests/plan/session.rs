//! Everything but files: the display, sound, devices, the network, the
//! command and the environment.

use pinfold::host::{Caller, HostFs, facts};
use pinfold::model::facts::KernelFacts;
use pinfold::model::origin::Layer::{CommandLine, User, Vendor};
use pinfold::model::plan::{Action, Plan, Slot, Weight};
use pinfold::report::{Code, Diagnostic};
use pinfold::resolve::{Forward, Request, resolve};

use super::seen::{Seen, link, note, readable, seen, step, variable, writable};
use super::tree::{Host, nothing_more, path, policy, settings};

fn codes(errors: &[Diagnostic]) -> Vec<Code> {
    errors.iter().filter_map(|error| error.code).collect()
}

/// The host's end of a bind, by its end inside.
fn source<'p>(plan: &'p Plan, at: &str) -> Option<&'p str> {
    match step(plan, &path(at)).map(|step| &step.action) {
        Some(Action::Bind { source, dest, write: true, .. }) if dest.as_str() == at => {
            Some(source.as_str())
        }
        _ => None,
    }
}

// --- display -----------------------------------------------------------------

const FALLBACK: &str = "[display]\nwayland = true\nx11 = \"fallback\"";
const SHARED: &str = "[display]\nwayland = true\nx11 = \"shared\"";
const X: &str = "/tmp/.X11-unix/X0";
/// Where it is shown: under a number that stands for another machine.
const INSIDE: &str = "/tmp/.X11-unix/X10";

/// A small host with these of: wayland, x11.
fn desk(wayland: bool, x11: bool) -> Host {
    let mut host = Host::small();
    if wayland {
        let socket = host.runtime("wayland-1");
        host.tree.socket(&socket);
        host.set("WAYLAND_DISPLAY", "wayland-1");
    }
    if x11 {
        host.tree.socket(X);
        host.tree.mode("/tmp", 0o1777);
        host.set("DISPLAY", ":0.1");
    }
    host
}

#[test]
fn x11_is_a_fallback() {
    for (wayland, x11, text, want_wayland, want_x11) in [
        (true, true, FALLBACK, true, false),
        (true, false, FALLBACK, true, false),
        (false, true, FALLBACK, false, true),
        (true, true, SHARED, true, true),
        (true, true, "[display]\nwayland = true\nx11 = \"never\"", true, false),
        (true, true, "[display]\nwayland = false\nx11 = \"fallback\"", false, true),
        (true, true, "", false, false),
        (false, true, "[display]\nx11 = \"never\"", false, false),
    ] {
        let host = desk(wayland, x11);
        let plan = host.plan(&[(Vendor, text)]);
        let socket = source(&plan, &host.runtime("wayland-0")).map(str::to_owned);
        assert_eq!(socket.is_some(), want_wayland, "{wayland} {x11} {text}");
        assert_eq!(variable(&plan, "WAYLAND_DISPLAY").is_some(), want_wayland, "{text}");
        assert_eq!(source(&plan, INSIDE).is_some(), want_x11, "{wayland} {x11} {text}");
        assert_eq!(variable(&plan, "DISPLAY").is_some(), want_x11, "{text}");
        if want_wayland {
            assert_eq!(socket, Some(host.runtime("wayland-1")));
        }
        assert_eq!(note(&plan, &["X11 isolates nothing"]).is_some(), want_x11);
    }
}

#[test]
fn no_display_is_said_once() {
    let host = desk(false, false);
    for text in [FALLBACK, SHARED] {
        let plan = host.plan(&[(Vendor, text)]);
        assert_eq!(note(&plan, &["no display"]), Some(Weight::Notice));
    }
    assert_eq!(note(&host.plan(&[(Vendor, "")]), &["no display"]), None);
    let plan = desk(true, false).plan(&[(Vendor, SHARED)]);
    assert_eq!(note(&plan, &["no display"]), None);
}

#[test]
fn an_inherited_wayland_connection_is_kept() {
    let mut host = desk(false, true);
    host.set("WAYLAND_SOCKET", "5");
    let plan = host.plan(&[(Vendor, FALLBACK)]);
    assert_eq!(variable(&plan, "WAYLAND_SOCKET"), Some("5"));
    assert_eq!(source(&plan, X), None);
    assert_eq!(variable(&host.plan(&[(Vendor, "")]), "WAYLAND_SOCKET"), None);
}

#[test]
fn another_display_number_only_beside_the_hosts_sockets() {
    let host = desk(false, true);
    let plan = host.plan(&[(Vendor, SHARED)]);
    assert_eq!(variable(&plan, "DISPLAY"), Some(":10.1"));
    assert_eq!(source(&plan, INSIDE), Some(X));
    let plan = host.plan(&[(Vendor, SHARED), (User, "[network]\nmode = \"host\"")]);
    assert_eq!(variable(&plan, "DISPLAY"), Some(":17.1"));
    assert_eq!(source(&plan, "/tmp/.X11-unix/X17"), Some(X));
    assert_eq!(source(&plan, X), None);
}

#[test]
fn the_cookie_is_that_of_the_display_outside() {
    let mut host = desk(false, true);
    let cookie = |host: &Host, plan: &Plan| {
        let at = host.runtime("Xauthority");
        match step(plan, &path(&at)).map(|step| &step.action) {
            Some(Action::Fill {
                mode: 0o600, slot: Slot::XCookie { authority, display }, ..
            }) => Some((authority.to_string(), *display)),
            _ => None,
        }
    };
    let plan = host.plan(&[(Vendor, SHARED)]);
    assert_eq!((cookie(&host, &plan), variable(&plan, "XAUTHORITY")), (None, None));
    host.tree.file("/home/ada/.Xauthority", "");
    let network = (User, "[network]\nmode = \"host\"");
    let plan = host.plan(&[(Vendor, SHARED), network]);
    assert_eq!(cookie(&host, &plan), Some(("/home/ada/.Xauthority".to_owned(), 0)));
    assert_eq!(variable(&plan, "XAUTHORITY"), Some(host.runtime("Xauthority").as_str()));
    host.tree.file("/home/ada/auth", "");
    host.set("XAUTHORITY", "/home/ada/auth");
    let plan = host.plan(&[(Vendor, SHARED)]);
    assert_eq!(cookie(&host, &plan), Some(("/home/ada/auth".to_owned(), 0)));
}

#[test]
fn a_display_over_the_network_needs_the_network() {
    let mut host = desk(false, false);
    host.set("DISPLAY", "localhost:10.0");
    host.tree.file("/home/ada/.Xauthority", "");
    for text in [FALLBACK, SHARED] {
        let errors = host.refusal(&[(Vendor, text)]);
        assert_eq!(codes(&errors), [Code::DisplayUnreachable]);
        assert!(errors[0].message.contains("localhost:10.0"), "{}", errors[0].message);
        assert!(errors[0].hints[0].contains("--share network"), "{:?}", errors[0].hints);
        let plan = host.plan(&[(Vendor, text), (CommandLine, "[network]\nmode = \"host\"")]);
        assert_eq!(variable(&plan, "DISPLAY"), Some("localhost:10.0"));
        assert!(variable(&plan, "XAUTHORITY").is_some());
    }
    // Who asks for no X11 is not bothered.
    host.plan(&[(Vendor, "[display]\nwayland = true")]);
}

#[test]
fn sockets_behind_links_are_shown_from_where_they_are() {
    // As under WSL: links to /mnt/wslg, root's own in /tmp.
    let mut host = Host::small();
    host.tree.socket("/mnt/wslg/X0");
    host.tree.socket("/mnt/wslg/wayland-0");
    host.tree.socket("/mnt/wslg/native");
    host.tree.folder("/tmp");
    host.tree.link("/tmp/.X11-unix/X0", "/mnt/wslg/X0");
    let (wayland, pulse) = (host.runtime("wayland-0"), host.runtime("pulse/native"));
    host.tree.link(&wayland, "/mnt/wslg/wayland-0");
    host.tree.link(&pulse, "/mnt/wslg/native");
    host.tree.own(&host.runtime("pulse"));
    host.set("DISPLAY", ":0");
    let text = format!("{SHARED}\n[audio]\nplayback = true");
    let plan = host.plan(&[(Vendor, &text)]);
    assert_eq!(source(&plan, INSIDE), Some("/mnt/wslg/X0"));
    assert_eq!(source(&plan, &wayland), Some("/mnt/wslg/wayland-0"));
    assert_eq!(source(&plan, &pulse), Some("/mnt/wslg/native"));
    // Where anybody could have put the link, the socket may be another one.
    host.tree.mode("/tmp/.X11-unix", 0o777);
    let plan = host.plan(&[(Vendor, SHARED)]);
    assert_eq!(source(&plan, X), None);
    assert_eq!(variable(&plan, "DISPLAY"), None);
    assert!(note(&plan, &["/tmp/.X11-unix/X0 is not shown"]).is_some());
}

// --- sound -------------------------------------------------------------------

#[test]
fn sound() {
    let playback = "[audio]\nplayback = true";
    let both = "[audio]\nplayback = true\nrecord = true";
    let host = Host::small();
    let plan = host.plan(&[(Vendor, playback)]);
    assert_eq!(note(&plan, &["no sound"]), Some(Weight::Notice));
    let (pulse, pipewire) = (host.runtime("pulse/native"), host.runtime("pipewire-0"));
    host.tree.socket(&pulse);
    host.tree.socket(&pipewire);
    for (text, want_pulse, want_pipewire) in [
        ("", false, false),
        (playback, true, false),
        (both, true, true),
        ("[audio]\nplayback = false", false, false),
        ("[audio]\nrecord = true", true, true),
    ] {
        let plan = host.plan(&[(Vendor, text)]);
        assert_eq!(source(&plan, &pulse).is_some(), want_pulse, "{text}");
        assert_eq!(source(&plan, &pipewire).is_some(), want_pipewire, "{text}");
        let server = variable(&plan, "PULSE_SERVER").map(str::to_owned);
        assert_eq!(server, want_pulse.then(|| format!("unix:{pulse}")), "{text}");
        assert_eq!(note(&plan, &["no sound"]), None);
        assert_eq!(note(&plan, &["lets an application record"]).is_some(), text == playback);
    }
}

// --- devices -----------------------------------------------------------------

#[test]
fn a_graphics_card_and_none() {
    let gpu = "[devices]\nallow = [\"gpu\"]";
    let host = Host::small();
    host.tree.folder("/dev");
    let plan = host.plan(&[(Vendor, gpu)]);
    assert_eq!(note(&plan, &["no graphics device"]), Some(Weight::Info));
    for folder in ["/dev/dri", "/dev/input", "/sys/class/drm", "/sys/class/net", "/sys/devices"] {
        host.tree.folder(folder);
    }
    let plan = host.plan(&[(Vendor, gpu)]);
    assert_eq!(source(&plan, "/dev/dri"), Some("/dev/dri"));
    assert_eq!(seen(&plan, "/sys/class/drm"), readable("/sys/class/drm"));
    assert_eq!(seen(&plan, "/dev/input"), Seen::Nothing);
    assert_eq!(seen(&plan, "/sys/class/net"), Seen::Nothing);
    assert_eq!(note(&plan, &["no graphics device"]), None);
    let plan = host.plan(&[(Vendor, "")]);
    assert_eq!(seen(&plan, "/dev/dri"), Seen::Nothing);
    let plan = host.plan(&[(Vendor, "[devices]\nallow = [\"kvm\"]")]);
    assert_eq!(note(&plan, &["kvm is granted", "/dev/kvm"]), Some(Weight::Notice));
}

/// The one question that a fake tree cannot answer, since only root can make
/// device nodes.
#[test]
fn devices_of_the_real_host() {
    let fs = HostFs::real().unwrap();
    let caller =
        Caller::from_process(false, KernelFacts { landlock_abi: 6, ..KernelFacts::default() })
            .unwrap();
    let mut facts = facts::read(&fs, caller).unwrap();
    facts.account_home = None;
    let mut request = nothing_more();
    request.shell = true;
    let plan = resolve(&policy(settings(&[])), &facts, &fs, &request).unwrap();
    for device in ["null", "zero", "full", "random", "urandom", "tty"] {
        let at = path(&format!("/dev/{device}"));
        match step(&plan, &at).map(|step| &step.action) {
            Some(Action::Bind { source, dest, write: true, exec: false, device: true, .. }) => {
                assert_eq!((source, dest), (&at, &at));
            }
            other => panic!("{at}: {other:?}"),
        }
    }
    // Nothing else of the host's /dev, and no other device anywhere.
    let devices =
        plan.tree.iter().filter(|step| matches!(step.action, Action::Bind { device: true, .. }));
    assert_eq!(devices.count(), 6);
    let shm = plan.tree.iter().find(|step| step.action.dest().as_str() == "/dev/shm").unwrap();
    assert!(matches!(shm.action, Action::Tmpfs { size, .. } if size == facts.shm_bytes));
}

// --- network -----------------------------------------------------------------

#[test]
fn the_network_and_its_files() {
    let mut host = Host::small();
    host.tree.file("/run/systemd/resolve/stub-resolv.conf", "");
    host.tree.link("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf");
    host.tree.file("/etc/hosts", "");
    let plan = host.plan(&[(Vendor, "[network]\nmode = \"none\"")]);
    assert!(plan.namespaces.network);
    assert_eq!(seen(&plan, "/etc/resolv.conf"), Seen::Nothing);
    assert_eq!(seen(&plan, "/etc/hosts"), Seen::Made);
    let network = "hostname = \"box\"\n[network]\nmode = \"host\"\nconnect = [443]";
    let plan = host.plan(&[(Vendor, network)]);
    assert!(!plan.namespaces.network);
    assert_eq!(plan.namespaces.network_origin.line, 4);
    // Files that change are shown, not copied.
    assert_eq!(seen(&plan, "/etc/resolv.conf"), readable("/run/systemd/resolve/stub-resolv.conf"));
    assert_eq!(seen(&plan, "/etc/hosts"), readable("/etc/hosts"));
    assert_eq!(
        (plan.landlock.connect.clone(), plan.landlock.listen.clone()),
        (Some(vec![443]), None)
    );
    assert_eq!(plan.namespaces.hostname, "box");
    for (abi, abstract_names, ports) in [(6, false, false), (5, true, false), (3, true, true)] {
        host.landlock_abi = abi;
        let plan = host.plan(&[(Vendor, network)]);
        let said = |words| note(&plan, &[words]) == Some(Weight::Warning);
        assert_eq!(said("abstract namespace"), abstract_names, "{abi}");
        assert_eq!(said("TCP ports are not limited"), ports, "{abi}");
    }
}

// --- command -----------------------------------------------------------------

fn command(program: &str) -> String {
    format!("command = [\"{program}\", \"--flag\"]")
}

#[test]
fn a_program_is_looked_up_in_the_systems_folders() {
    let mut host = Host::small();
    host.tree.program("/home/ada/bin/app");
    host.set("PATH", "/home/ada/bin:/usr/bin");
    let plan = host.plan(&[(Vendor, &command("app"))]);
    assert_eq!(plan.process.program.as_str(), "/usr/bin/app");
    assert_eq!(plan.process.arguments, ["app", "--flag"]);
    host.tree.program("/usr/local/bin/app");
    assert_eq!(host.plan(&[(Vendor, "")]).process.program.as_str(), "/usr/local/bin/app");
    assert_eq!(codes(&host.refusal(&[(Vendor, &command("none"))])), [Code::ProgramMissing]);
    assert_eq!(codes(&host.refusal(&[(Vendor, &command("/none"))])), [Code::ProgramMissing]);
    // Who only looks is told, and sees the rest.
    let looks = Request { only_looks: true, ..nothing_more() };
    for (name, place) in [("none", "/usr/bin/none"), ("/none", "/none")] {
        let plan = host.ask(&[(Vendor, &command(name))], &looks).unwrap();
        assert_eq!(plan.process.program.as_str(), place);
        let note = plan.notes.iter().find(|note| note.text.contains("is not installed")).unwrap();
        assert_eq!(note.weight, Weight::Warning);
    }
    host.tree.file("/usr/bin/data", "");
    for named in ["data", "/usr/bin/data", "/usr/bin"] {
        let errors = host.refusal(&[(Vendor, &command(named))]);
        assert_eq!(codes(&errors), [Code::ProgramNotExecutable], "{named}");
    }
}

fn executable(at: &str) -> Seen {
    Seen::Host { source: at.to_owned(), write: false, exec: true }
}

#[test]
fn a_program_in_opt_brings_its_folder() {
    let host = Host::small();
    host.tree.program("/opt/x/lib/x");
    host.tree.file("/opt/x/data", "");
    host.tree.program("/opt/y");
    host.tree.link("/usr/bin/x", "/opt/x/lib/x");
    for named in ["/opt/x/lib/x", "x", "/usr/bin/x"] {
        let plan = host.plan(&[(Vendor, &command(named))]);
        assert_eq!(seen(&plan, "/opt/x/data"), executable("/opt/x/data"), "{named}");
        assert_eq!(seen(&plan, "/opt/y"), Seen::Nothing);
        let want = if named == "x" { "/usr/bin/x" } else { named };
        assert_eq!(plan.process.program.as_str(), want);
        assert_eq!(note(&plan, &["/opt/x is shown to read and execute"]), Some(Weight::Info));
    }
    let plan = host.plan(&[(Vendor, &command("/opt/y"))]);
    assert_eq!(seen(&plan, "/opt/y"), executable("/opt/y"));
    assert_eq!(seen(&plan, "/opt/x"), Seen::Nothing);
    // As on ostree.
    let host = Host::small();
    host.tree.program("/var/opt/x/x");
    host.tree.link("/opt", "var/opt");
    let plan = host.plan(&[(Vendor, &command("/opt/x/x"))]);
    assert_eq!((link(&plan, "/opt"), plan.process.program.as_str()), (Some("var/opt"), "/opt/x/x"));
    assert_eq!(seen(&plan, "/var/opt/x/x"), executable("/var/opt/x/x"));
}

#[test]
fn an_appimage_is_shown_alone_and_extracts_itself() {
    let host = Host::small();
    host.tree.program("/home/ada/Downloads/Tool.AppImage");
    host.tree.file("/home/ada/Downloads/other", "");
    host.tree.own("/home/ada");
    let named = command("/home/ada/Downloads/Tool.AppImage");
    let tool = "/home/ada/Downloads/Tool.AppImage";
    let plan = host.plan(&[(Vendor, &named)]);
    assert_eq!(variable(&plan, "APPIMAGE_EXTRACT_AND_RUN"), Some("1"));
    assert_eq!(seen(&plan, tool), executable(tool));
    assert_eq!(seen(&plan, "/home/ada/Downloads/other"), Seen::Own);
    // Granted already to be read but not executed, and to be executed.
    for exec in [false, true] {
        let text =
            format!("{named}\n[filesystem]\nread = [{{ path = \"~/Downloads\", exec = {exec} }}]");
        let plan = host.plan(&[(Vendor, &text)]);
        assert_eq!(seen(&plan, tool), executable(tool));
        assert_eq!(variable(&plan, "APPIMAGE_EXTRACT_AND_RUN"), Some("1"));
    }
    assert_eq!(variable(&host.plan(&[]), "APPIMAGE_EXTRACT_AND_RUN"), None);
}

#[test]
fn a_program_of_a_profile_is_run_by_its_place_in_the_store() {
    let host = Host::small();
    host.tree.program("/gnu/store/x/bin/x");
    host.tree.link("/var/guix/profile", "/gnu/store/x");
    host.tree.link("/home/ada/.guix-profile", "/var/guix/profile");
    host.tree.own("/home/ada");
    let plan = host.plan(&[(Vendor, &command("/home/ada/.guix-profile/bin/x"))]);
    assert_eq!(plan.process.program.as_str(), "/gnu/store/x/bin/x");
    assert_eq!(seen(&plan, "/gnu/store/x/bin/x"), executable("/gnu/store/x/bin/x"));
}

#[test]
fn a_program_behind_a_planted_link_is_not_run() {
    let host = Host::small();
    host.tree.folder("/srv/open");
    host.tree.mode("/srv/open", 0o777);
    host.tree.link("/srv/open/x", "/usr/bin/app");
    let errors = host.refusal(&[(Vendor, &command("/srv/open/x"))]);
    assert_eq!(codes(&errors), [Code::PathLink]);
}

#[test]
fn a_shell_in_the_applications_place() {
    let host = Host::small();
    let mut request = nothing_more();
    request.shell = true;
    request.arguments = vec!["-c".to_owned(), "true".to_owned()];
    // The account's is bash, which is not there; then it is.
    let plan = host.ask(&[], &request).unwrap();
    assert_eq!(plan.process.program.as_str(), "/bin/sh");
    assert_eq!(variable(&plan, "SHELL"), Some("/bin/sh"));
    host.tree.program("/usr/bin/bash");
    let plan = host.ask(&[], &request).unwrap();
    assert_eq!(plan.process.program.as_str(), "/bin/bash");
    assert_eq!(variable(&plan, "SHELL"), Some("/bin/bash"));
    assert_eq!(plan.process.arguments, ["bash", "-c", "true"]);
}

// --- arguments, the working folder, the environment --------------------------

#[test]
fn arguments_that_name_files_are_shown_alone() {
    let mut host = Host::small();
    for file in ["/home/ada/P/one.pdf", "/home/ada/P/two.pdf", "/home/ada/.ssh/id", "/proc/x"] {
        host.tree.file(file, "");
    }
    host.tree.own("/home/ada");
    host.cwd = Some(path("/home/ada/P"));
    let mut request = nothing_more();
    request.arguments =
        ["one.pdf", "--file=two.pdf", "https://x/two.pdf", "/home/ada/P", "/proc/x", "none"]
            .map(str::to_owned)
            .to_vec();
    let plan = host.ask(&[], &request).unwrap();
    assert_eq!(seen(&plan, "/home/ada/P/one.pdf"), readable("/home/ada/P/one.pdf"));
    assert_eq!(seen(&plan, "/home/ada/P/two.pdf"), Seen::Own);
    assert_eq!(plan.process.arguments.len(), 7);
    assert_eq!(seen(&plan, "/proc/x"), Seen::Made);
    request.forward = Forward::Write;
    let plan = host.ask(&[], &request).unwrap();
    assert_eq!(seen(&plan, "/home/ada/P/one.pdf"), writable("/home/ada/P/one.pdf"));
    // Where writing is locked, the flag that lets them be changed is refused;
    // to read them is what naming them means.
    let lock = [(User, "lock = [\"filesystem\"]")];
    let errors = host.ask(&lock, &request).unwrap_err();
    assert_eq!(codes(&errors), [Code::Locked]);
    assert_eq!(errors[0].labels[0].origin.layer, CommandLine);
    request.forward = Forward::Read;
    let plan = host.ask(&lock, &request).unwrap();
    assert_eq!(seen(&plan, "/home/ada/P/one.pdf"), readable("/home/ada/P/one.pdf"));
    request.forward = Forward::Nothing;
    let plan = host.ask(&[], &request).unwrap();
    assert_eq!(seen(&plan, "/home/ada/P/one.pdf"), Seen::Own);
    assert_eq!(plan.process.arguments[1], "one.pdf");
}

#[test]
fn the_working_folder_is_kept_where_it_is_visible() {
    let mut host = Host::small();
    for folder in ["/home/ada/P/sub", "/srv/x", "/usr/share"] {
        host.tree.folder(folder);
    }
    let text = "[filesystem]\nread = [\"~/P\"]\ndeny = [\"~/P/sub\"]";
    for (cwd, want) in [
        ("/home/ada/P", "/home/ada/P"),
        ("/home/ada/P/sub", "/home/ada"),
        ("/home/ada", "/home/ada"),
        ("/srv/x", "/home/ada"),
        ("/usr/share", "/usr/share"),
        ("/", "/"),
    ] {
        host.cwd = Some(path(cwd));
        assert_eq!(host.plan(&[(Vendor, text)]).process.cwd.as_str(), want, "{cwd}");
    }
    host.cwd = None;
    assert_eq!(host.plan(&[]).process.cwd.as_str(), "/home/ada");
}

#[test]
fn the_environment_is_what_is_allowed_and_stated() {
    let mut host = Host::small();
    for (name, value) in [("LANG", "C"), ("TOKEN", "x"), ("MY_A", "1"), ("SSH_AUTH_SOCK", "/s")] {
        host.set(name, value);
    }
    let plan = host.plan(&[(Vendor, "")]);
    assert_eq!(variable(&plan, "LANG"), Some("C"));
    for secret in ["TOKEN", "MY_A", "SSH_AUTH_SOCK"] {
        assert_eq!(variable(&plan, secret), None);
    }
    let text = "[environment]\npass = [\"MY_*\"]\nset = { LANG = \"de\", NEW = \"n\" }";
    let plan = host.plan(&[(Vendor, text)]);
    let all = ["LANG", "MY_A", "NEW", "TOKEN"].map(|name| variable(&plan, name));
    assert_eq!(all, [Some("de"), Some("1"), Some("n"), None]);
    assert!(plan.process.environment.is_sorted());
}

#[test]
fn looks_come_from_moved_xdg_folders() {
    let mut host = Host::small();
    for folder in ["/srv/share/fonts", "/srv/cfg/fontconfig", "/home/ada/.icons"] {
        host.tree.folder(folder);
    }
    host.tree.folder("/home/ada/.local/share/fonts");
    host.tree.own("/home/ada");
    let plan = host.plan(&[]);
    let fonts = "/home/ada/.local/share/fonts";
    assert_eq!(seen(&plan, fonts), readable(fonts));
    host.set("XDG_DATA_HOME", "/srv/share");
    host.set("XDG_CONFIG_HOME", "/srv/cfg");
    let plan = host.plan(&[]);
    assert_eq!(seen(&plan, fonts), readable("/srv/share/fonts"));
    assert_eq!(seen(&plan, "/home/ada/.config/fontconfig"), readable("/srv/cfg/fontconfig"));
    assert_eq!(seen(&plan, "/home/ada/.icons"), readable("/home/ada/.icons"));
}

// --- the home ----------------------------------------------------------------

#[test]
fn kinds_of_homes() {
    let host = Host::small();
    host.tree.file("/home/ada/a", "");
    host.tree.own("/home/ada");
    let private = host.plan(&[(Vendor, "[home]\nkind = \"private\"")]);
    assert_eq!(seen(&private, "/home/ada/a"), Seen::Own);
    assert_eq!(private.host.len(), 1);
    let text = "[home]\nkind = \"ephemeral\"\npersist = [\".config/app\"]";
    let ephemeral = host.plan(&[(Vendor, text)]);
    assert_eq!(seen(&ephemeral, "/home/ada/a"), Seen::Made);
    assert_eq!(seen(&ephemeral, "/home/ada/.config/app/x"), Seen::Own);
    assert_eq!(
        ephemeral.host[0].folder.as_str(),
        "/home/ada/.local/share/pinfold/apps/org.example.App/.config/app"
    );
    let shared = host.plan(&[(Vendor, "[home]\nkind = \"shared\"")]);
    assert_eq!(seen(&shared, "/home/ada/a"), writable("/home/ada/a"));
}

#[test]
fn the_applications_home_may_lie_behind_links_of_ones_own() {
    let host = Host::small();
    host.tree.folder("/data/share");
    host.tree.link("/home/ada/.local/share", "/data/share");
    host.tree.own("/home/ada");
    let plan = host.plan(&[]);
    assert_eq!(plan.host[0].folder.as_str(), "/data/share/pinfold/apps/org.example.App");
    assert_eq!(plan.host[0].base.as_str(), "/data/share");
    assert_eq!(seen(&plan, "/home/ada/x"), Seen::Own);
}
