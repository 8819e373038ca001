use std::cell::Cell;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use rustix::io::Errno;

use super::*;
use crate::host::facts::{self, Caller};
use crate::host::fs::HostFs;
use crate::model::facts::KernelFacts;

const EPERM: i32 = 1;
const EACCES: i32 = 13;
const EINVAL: i32 = 22;
const ENOSPC: i32 = 28;
const ENOSYS: i32 = 38;
const EOPNOTSUPP: i32 = 95;

/// A host that has everything.
fn good() -> Findings {
    let works = |place: &str| {
        Some(SocketFinding { place: place.to_owned(), answers: Some(Attempt::Works) })
    };
    Findings {
        uid: 1000,
        kernel: "7.1.0".to_owned(),
        openat2: Attempt::Works,
        namespaces: Namespace::ALL.iter().map(|(kind, ..)| (*kind, Attempt::Works)).collect(),
        namespace_limits: Namespace::ALL.iter().map(|(kind, ..)| (*kind, 60_000)).collect(),
        unprivileged_userns_clone: None,
        apparmor_restricts: None,
        selinux_enforcing: None,
        container: None,
        seccomp_mode: Some(0),
        seccomp_filter: Attempt::Works,
        landlock: Ok(9),
        mount_calls: MountCall::ALL.iter().map(|(call, _)| (*call, Attempt::Works)).collect(),
        proc_there: true,
        proc_masks: Vec::new(),
        proc_mount: Some(Attempt::Works),
        shm_bytes: 8 << 30,
        cgroup: CgroupFinding {
            unified: true,
            delegated: Some(["cpu", "memory", "pids"].map(str::to_owned).to_vec()),
        },
        session: SessionFindings {
            remarks: Vec::new(),
            runtime_dir: Some("/run/user/1000".to_owned()),
            wayland: works("/run/user/1000/wayland-0"),
            x11: Some(XFinding {
                display: ":0".to_owned(),
                socket: works("/tmp/.X11-unix/X0"),
                authority: Some("/home/ada/.Xauthority".to_owned()),
            }),
            pulse: works("/run/user/1000/pulse/native"),
            pipewire: works("/run/user/1000/pipewire-0"),
            session_bus: Some(BusFinding {
                address: "unix:path=/run/user/1000/bus".to_owned(),
                socket: works("/run/user/1000/bus"),
            }),
            portal: Some("/usr/libexec/xdg-desktop-portal".to_owned()),
            render_nodes: vec![RenderNode {
                place: "/dev/dri/renderD128".to_owned(),
                usable: true,
            }],
        },
    }
}

/// A host on which nobody may make namespaces of any kind.
fn without_namespaces(errno: i32) -> Findings {
    Findings {
        namespaces: Namespace::ALL
            .iter()
            .map(|(kind, ..)| (*kind, Attempt::Fails(errno)))
            .collect(),
        proc_mount: None,
        ..good()
    }
}

fn find(report: &Report, name: &str) -> Check {
    let found: Vec<&Check> = report.checks.iter().filter(|check| check.name == name).collect();
    assert_eq!(found.len(), 1, "checks named {name} in {report:#?}");
    found[0].clone()
}

/// The names of the checks that are not good.
fn bad(report: &Report) -> Vec<&str> {
    report
        .checks
        .iter()
        .filter(|check| check.status != Status::Good)
        .map(|check| check.name.as_str())
        .collect()
}

/// The one thing that blocks, with its remedy.
fn blocking(findings: &Findings) -> (String, String, String) {
    let report = Report::of(findings);
    assert_eq!((report.verdict, report.exit()), (Verdict::Impossible, ExitCode::Host));
    let found: Vec<&Check> =
        report.checks.iter().filter(|check| check.status == Status::Blocking).collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    (found[0].name.clone(), found[0].found.clone(), found[0].remedy.clone().unwrap())
}

#[test]
fn a_host_that_has_everything() {
    let report = Report::of(&good());
    assert_eq!(bad(&report), Vec::<&str>::new());
    assert_eq!((report.verdict, report.exit()), (Verdict::Ready, ExitCode::Success));
    assert!(find(&report, "namespaces").found.contains("mount, pid, net, ipc, uts, cgroup"));
}

#[test]
fn ubuntu_with_apparmors_restriction_refuses_what_follows_the_user_namespace() {
    let mut findings = good();
    findings.apparmor_restricts = Some(1);
    assert_eq!(Report::of(&findings).verdict, Verdict::Ready, "with the profile loaded");
    for (kind, attempt) in &mut findings.namespaces {
        if *kind != Namespace::User {
            *attempt = Attempt::Fails(EPERM);
        }
    }
    findings.proc_mount = None;
    let (name, found, remedy) = blocking(&findings);
    assert_eq!(
        (name.as_str(), found.as_str()),
        ("namespaces", "kernel.apparmor_restrict_unprivileged_userns is 1")
    );
    assert!(remedy.contains("apparmor_parser -r /etc/apparmor.d/pinfold"), "{remedy}");
}

#[test]
fn debians_switch() {
    let findings = Findings { unprivileged_userns_clone: Some(0), ..without_namespaces(EPERM) };
    let (name, _, remedy) = blocking(&findings);
    assert_eq!(name, "user-namespaces");
    assert!(remedy.starts_with("sudo sysctl -w kernel.unprivileged_userns_clone=1\n"), "{remedy}");
}

#[test]
fn limits_are_named_by_their_own_switch() {
    let mut findings = without_namespaces(ENOSPC);
    let (_, found, remedy) = blocking(&findings);
    assert!(found.ends_with("user.max_user_namespaces is 60000"), "{found}");
    assert!(remedy.contains("user.max_user_namespaces=120000"), "{remedy}");
    findings.namespace_limits.insert(Namespace::User, 0);
    let (_, found, remedy) = blocking(&findings);
    assert_eq!(found, "user.max_user_namespaces is 0");
    assert!(remedy.contains("user.max_user_namespaces=15000"), "{remedy}");

    let mut findings = good();
    findings.namespaces.insert(Namespace::Net, Attempt::Fails(ENOSPC));
    findings.namespace_limits.insert(Namespace::Net, 0);
    let (name, found, _) = blocking(&findings);
    assert_eq!((name.as_str(), found.as_str()), ("namespaces", "user.max_net_namespaces is 0"));
}

#[test]
fn causes_of_the_same_error_are_told_apart() {
    let mut kernel = good();
    kernel.namespaces.insert(Namespace::Cgroup, Attempt::Fails(EINVAL));
    assert!(blocking(&kernel).2.contains("CONFIG_CGROUP_NS=y"));

    let docker = Findings {
        container: Some("docker".to_owned()),
        apparmor_restricts: Some(1),
        seccomp_mode: Some(2),
        ..without_namespaces(EPERM)
    };
    let (_, found, remedy) = blocking(&docker);
    assert!(found.contains("container (docker)"), "{found}");
    assert!(remedy.contains("--security-opt seccomp=unconfined"), "{remedy}");
    let mut apparmor = docker;
    apparmor.namespaces.insert(Namespace::User, Attempt::Works);
    assert!(blocking(&apparmor).2.contains("apparmor_parser"));
    let leftover = Findings { container: apparmor.container, ..without_namespaces(EPERM) };
    assert!(blocking(&leftover).2.contains("chroot"));

    let selinux = Findings { selinux_enforcing: Some(true), ..without_namespaces(EACCES) };
    assert!(blocking(&selinux).2.contains("ausearch"));

    let filtered = Findings { seccomp_mode: Some(2), ..without_namespaces(EPERM) };
    assert!(blocking(&filtered).1.contains("filtered already"));

    assert!(blocking(&without_namespaces(EPERM)).2.contains("chroot"));
}

#[test]
fn docker_and_podman_cover_proc() {
    let masks = ["/proc/acpi", "/proc/bus", "/proc/fs", "/proc/kcore", "/proc/keys"]
        .map(str::to_owned)
        .to_vec();
    for (container, option) in
        [("docker", "systempaths=unconfined"), ("podman", "unmask=ALL"), ("kubernetes", "Unmasked")]
    {
        let findings = Findings {
            container: Some(container.to_owned()),
            proc_masks: masks.clone(),
            proc_mount: Some(Attempt::Fails(EPERM)),
            ..good()
        };
        let (name, found, remedy) = blocking(&findings);
        assert_eq!(
            (name.as_str(), found.as_str()),
            ("proc", "covered at /proc/acpi, /proc/bus, /proc/fs and 2 more")
        );
        assert!(remedy.contains(option), "{remedy}");
    }
    // What was tried counts for more than what was read.
    let works = Findings { proc_masks: masks, ..good() };
    assert_eq!(Report::of(&works).verdict, Verdict::Ready);
    let one = Findings {
        proc_masks: vec!["/proc/kcore".to_owned()],
        proc_mount: Some(Attempt::Fails(EPERM)),
        ..good()
    };
    assert_eq!(blocking(&one).2, "sudo umount /proc/kcore");
    let none = Findings { proc_there: false, proc_mount: Some(Attempt::Fails(EPERM)), ..good() };
    assert!(blocking(&none).2.contains("mount -t proc"));
}

#[test]
fn linux_5_10_has_no_landlock_and_can_do_without_one_mount_call() {
    let mut findings = Findings { kernel: "5.10.0".to_owned(), landlock: Err(ENOSYS), ..good() };
    let report = Report::of(&findings);
    assert_eq!((report.verdict, report.exit()), (Verdict::Reduced, ExitCode::Success));
    assert_eq!(bad(&report), ["landlock"]);
    assert!(find(&report, "landlock").remedy.unwrap().contains("6.12"));
    findings.mount_calls.insert(MountCall::MountSetattr, Attempt::Fails(ENOSYS));
    let report = Report::of(&findings);
    assert_eq!(bad(&report), ["landlock"]);
    assert_eq!(find(&report, "mount-calls").found, "there, but for mount_setattr");
    // Refused by something around, it is no old kernel's.
    findings.mount_calls.insert(MountCall::MountSetattr, Attempt::Fails(EPERM));
    assert_eq!(blocking(&findings).1, "refused: mount_setattr");
    findings.mount_calls.insert(MountCall::MountSetattr, Attempt::Fails(ENOSYS));
    findings.mount_calls.insert(MountCall::MoveMount, Attempt::Fails(ENOSYS));
    let (name, found, remedy) = blocking(&findings);
    assert_eq!(name, "mount-calls");
    assert_eq!(found, "missing: move_mount, mount_setattr");
    assert_eq!(remedy, "boot Linux 5.10 or newer");
}

#[test]
fn landlock_by_version() {
    let at = |landlock| find(&Report::of(&Findings { landlock, ..good() }), "landlock");
    let off = at(Err(EOPNOTSUPP));
    assert_eq!(off.status, Status::Degraded);
    assert!(off.remedy.unwrap().contains("lsm="));
    assert_eq!(at(Ok(0)).status, Status::Degraded);
    let five = at(Ok(5));
    assert_eq!((five.status, five.found.as_str()), (Status::Degraded, "version 5"));
    assert!(
        five.means.contains("signals and abstract sockets (version 6, Linux 6.12)"),
        "{}",
        five.means
    );
    assert!(!five.means.contains("control calls"), "{}", five.means);
    assert_eq!(at(Ok(6)).status, Status::Good);
    let seven = at(Ok(7));
    assert_eq!(seven.status, Status::Good);
    assert!(
        seven.means.contains("socket files (version 9") && !seven.means.contains("version 7"),
        "{}",
        seven.means
    );
    assert!(!at(Ok(10)).means.contains("version"));
}

#[test]
fn filters_and_calls_that_something_refuses() {
    let seccomp = Findings { seccomp_filter: Attempt::Fails(EINVAL), ..good() };
    assert_eq!(blocking(&seccomp).0, "seccomp");
    let openat2 =
        Findings { openat2: Attempt::Fails(EPERM), container: Some("docker".to_owned()), ..good() };
    assert!(blocking(&openat2).2.contains("seccomp=unconfined"));
    let mut mounts = good();
    mounts.mount_calls.insert(MountCall::OpenTree, Attempt::Fails(EPERM));
    assert_eq!(blocking(&mounts).1, "refused: open_tree");
}

#[test]
fn what_makes_a_sandbox_weaker_does_not_stop_it() {
    let findings = Findings {
        uid: 0,
        shm_bytes: 0,
        cgroup: CgroupFinding { unified: true, delegated: Some(vec!["pids".to_owned()]) },
        ..good()
    };
    let report = Report::of(&findings);
    assert_eq!(report.verdict, Verdict::Reduced);
    assert_eq!(bad(&report), ["shared-memory", "limits", "account"]);
    assert_eq!(find(&report, "limits").found, "not delegated: memory, cpu");
    for cgroup in [CgroupFinding { unified: true, delegated: None }, CgroupFinding::default()] {
        assert_eq!(bad(&Report::of(&Findings { cgroup, ..good() })), ["limits"]);
    }
}

#[test]
fn a_machine_without_a_desktop_is_no_weaker() {
    let report = Report::of(&Findings { session: SessionFindings::default(), ..good() });
    assert_eq!(report.verdict, Verdict::Ready);
    assert_eq!(
        bad(&report),
        [
            "runtime-dir",
            "wayland",
            "x11",
            "pulseaudio",
            "pipewire",
            "gpu",
            "session-bus",
            "portals"
        ]
    );
}

#[test]
fn shades_of_a_desktop() {
    let shade = |change: &dyn Fn(&mut SessionFindings)| {
        let mut findings = good();
        change(&mut findings.session);
        Report::of(&findings)
    };
    let dead = SocketFinding { place: "/s".to_owned(), answers: Some(Attempt::Fails(111)) };
    let report = shade(&|session| session.wayland = Some(dead.clone()));
    assert_eq!(bad(&report), ["wayland"]);
    assert_eq!(find(&report, "wayland").found, "/s: connection refused");
    let x11 =
        |change: &dyn Fn(&mut XFinding)| shade(&|session| change(session.x11.as_mut().unwrap()));
    assert_eq!(bad(&x11(&|x11| x11.socket = Some(dead.clone()))), ["x11"]);
    assert_eq!(bad(&x11(&|x11| x11.authority = None)), ["x11"]);
    assert!(find(&x11(&|x11| x11.socket = None), "x11").found.ends_with("over the network"));
    assert_eq!(bad(&shade(&|session| session.x11 = None)), Vec::<&str>::new());
    assert_eq!(bad(&shade(&|session| session.render_nodes[0].usable = false)), ["gpu"]);
    let tcp = BusFinding { address: "tcp:host=h".to_owned(), socket: None };
    assert_eq!(bad(&shade(&|session| session.session_bus = Some(tcp.clone()))), ["session-bus"]);
    assert_eq!(
        bad(&shade(&|session| session.remarks.push("HOME is ignored".to_owned()))),
        ["environment"]
    );
}

#[test]
fn findings_and_reports_survive_json() {
    let findings = Findings { landlock: Err(ENOSYS), ..without_namespaces(EPERM) };
    let text = serde_json::to_string(&findings).unwrap();
    assert_eq!(serde_json::from_str::<Findings>(&text).unwrap(), findings);
    let report = Report::of(&findings);
    let value = serde_json::to_value(&report).unwrap();
    assert_eq!(value["verdict"], "impossible");
    assert_eq!(value["checks"][1]["status"], "blocking");
    assert_eq!(serde_json::from_value::<Report>(value).unwrap(), report);
}

/// A fake host with what each finding is read from.
struct Tree(tempfile::TempDir);

impl Tree {
    fn write(&self, path: &str, text: &str) {
        let place = self.0.path().join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
    }

    fn collect(&self, probes: &Probes<'_>, variables: &[(&str, &str)]) -> Findings {
        self.collect_for(rustix::process::getuid().as_raw(), probes, variables)
    }

    fn collect_for(&self, uid: u32, probes: &Probes<'_>, variables: &[(&str, &str)]) -> Findings {
        let fs = HostFs::at(self.0.path()).unwrap();
        let mut environment: BTreeMap<String, String> =
            variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        environment.insert("HOME".to_owned(), "/home/ada".to_owned());
        let caller = Caller {
            uid,
            gid: 0,
            environment,
            cwd: None,
            free_display: 1,
            kernel: KernelFacts::default(),
        };
        Findings::collect(&fs, &facts::read(&fs, caller).unwrap(), probes)
    }
}

#[test]
fn findings_come_from_the_tree_and_the_probes() {
    let tree = Tree(tempfile::tempdir().unwrap());
    let uid = rustix::process::getuid().as_raw();
    tree.write("proc/sys/user/max_user_namespaces", "7\n");
    tree.write("proc/sys/kernel/unprivileged_userns_clone", "0\n");
    tree.write("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
    tree.write("sys/fs/selinux/enforce", "1");
    tree.write("run/.containerenv", "");
    tree.write("proc/self/status", "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n");
    tree.write(
        "proc/self/mountinfo",
        "1 0 0:1 / / rw - ext4 /dev/a rw\n\
         2 1 0:2 / /proc rw shared:3 - proc proc rw\n\
         3 2 0:3 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n\
         4 2 0:4 /null /proc/kcore rw - tmpfs tmpfs rw\n\
         5 1 0:5 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n",
    );
    let slice =
        format!("sys/fs/cgroup/user.slice/user-{uid}.slice/user@{uid}.service/cgroup.controllers");
    tree.write(&slice, "cpu memory\n");
    tree.write(
        "usr/share/dbus-1/services/org.freedesktop.portal.Desktop.service",
        "[D-BUS Service]\nExec=/usr/libexec/portal --x\n",
    );
    tree.write("usr/libexec/portal", "");
    std::fs::set_permissions(
        tree.0.path().join("usr/libexec/portal"),
        PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    tree.write("dev/dri/renderD128", "");
    tree.write("dev/dri/card0", "");
    tree.write("run/me/none", "");
    std::fs::set_permissions(tree.0.path().join("run/me"), PermissionsExt::from_mode(0o700))
        .unwrap();
    let _bus = UnixListener::bind(tree.0.path().join("run/me/bus")).unwrap();
    drop(UnixListener::bind(tree.0.path().join("run/me/wayland-0")).unwrap());

    let tried = Cell::new(0);
    let probes = Probes {
        namespace: &|kind| {
            tried.set(tried.get() + 1);
            if kind == Namespace::Pid { Err(Errno::PERM) } else { Ok(()) }
        },
        proc_mount: &|| unreachable!("a proc needs a pid namespace"),
        mount_call: &|call| {
            if call == MountCall::MountSetattr { Err(Errno::NOSYS) } else { Ok(()) }
        },
        landlock: &|| Err(Errno::OPNOTSUPP),
        seccomp_filter: &|| Err(Errno::INVAL),
    };
    let found = tree.collect(&probes, &[("XDG_RUNTIME_DIR", "/run/me")]);
    assert_eq!(tried.get(), 7);
    assert_eq!(found.namespaces[&Namespace::Pid], Attempt::Fails(EPERM));
    assert_eq!(found.namespaces[&Namespace::User], Attempt::Works);
    assert_eq!(found.namespace_limits, BTreeMap::from([(Namespace::User, 7)]));
    assert_eq!((found.unprivileged_userns_clone, found.apparmor_restricts), (Some(0), Some(1)));
    assert_eq!((found.selinux_enforcing, found.container.as_deref()), (Some(true), Some("podman")));
    assert_eq!((found.seccomp_mode, found.seccomp_filter), (Some(2), Attempt::Fails(EINVAL)));
    assert_eq!((found.landlock, found.proc_mount), (Err(EOPNOTSUPP), None));
    assert_eq!(found.mount_calls[&MountCall::MountSetattr], Attempt::Fails(ENOSYS));
    assert_eq!((found.proc_there, found.proc_masks), (true, vec!["/proc/kcore".to_owned()]));
    assert!(found.cgroup.unified);
    assert_eq!(found.cgroup.delegated, Some(vec!["cpu".to_owned(), "memory".to_owned()]));
    assert_eq!(found.session.portal.as_deref(), Some("/usr/libexec/portal"));
    let node = RenderNode { place: "/dev/dri/renderD128".to_owned(), usable: true };
    assert_eq!(found.session.render_nodes, [node]);
    let bus = found.session.session_bus.unwrap();
    assert_eq!(bus.address, "unix:path=/run/me/bus");
    assert_eq!(bus.socket.unwrap().answers, Some(Attempt::Works));
    assert_eq!(found.session.wayland.unwrap().answers, Some(Attempt::Fails(111)));
}

#[test]
fn what_is_not_the_callers_or_cannot_be_run_does_not_count() {
    let tree = Tree(tempfile::tempdir().unwrap());
    let other = rustix::process::getuid().as_raw() + 1;
    let slice = format!(
        "sys/fs/cgroup/user.slice/user-{other}.slice/user@{other}.service/cgroup.controllers"
    );
    tree.write(&slice, "cpu memory\n");
    tree.write(
        "data/dbus-1/services/org.freedesktop.portal.Desktop.service",
        "Exec=/usr/libexec/portal\n",
    );
    tree.write("usr/libexec/portal", "");
    let probes = Probes {
        namespace: &|_| Ok(()),
        proc_mount: &|| Ok(()),
        mount_call: &|_| Ok(()),
        landlock: &|| Ok(7),
        seccomp_filter: &|| Ok(()),
    };
    let found = tree.collect_for(other, &probes, &[("XDG_DATA_DIRS", "/none:/data/")]);
    assert_eq!((found.cgroup.delegated, found.session.portal), (None, None));
    let program = tree.0.path().join("usr/libexec/portal");
    std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).unwrap();
    let found = tree.collect(&probes, &[("XDG_DATA_DIRS", "/none:/data/")]);
    assert_eq!(found.session.portal.as_deref(), Some("/usr/libexec/portal"));
}

#[test]
fn an_empty_tree_is_read_without_a_guess() {
    let tree = Tree(tempfile::tempdir().unwrap());
    let probes = Probes {
        namespace: &|_| Ok(()),
        proc_mount: &|| Err(Errno::PERM),
        mount_call: &|_| Ok(()),
        landlock: &|| Ok(7),
        seccomp_filter: &|| Ok(()),
    };
    let found = tree.collect(
        &probes,
        &[("container", "lxc"), ("DBUS_SESSION_BUS_ADDRESS", "unix:abstract=/x,guid=1")],
    );
    assert_eq!((found.proc_there, found.proc_mount), (false, Some(Attempt::Fails(EPERM))));
    assert_eq!(
        (found.container.as_deref(), found.cgroup.clone()),
        (Some("lxc"), CgroupFinding::default())
    );
    assert_eq!((found.landlock, found.seccomp_mode), (Ok(7), None));
    let bus = found.session.session_bus.unwrap().socket.unwrap();
    assert_eq!(bus, SocketFinding { place: "@/x".to_owned(), answers: None });
}
