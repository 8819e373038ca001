//! How well an application can be shut in here.

use rustix::io::Errno;

use super::findings::{Attempt, Findings, MountCall, Namespace};
use super::{Check, Status, Topic, in_words};
use crate::model::plan::Tier;

/// Below this version an abstract socket of the host stays in reach of an
/// application that has the host's network.
const LANDLOCK_WANTED: u32 = 6;

/// What each version of landlock brought and which kernel has it.
const LANDLOCK_STEPS: [(u32, &str, &str); 9] = [
    (2, "5.19", "moving files between folders"),
    (3, "6.2", "truncating files"),
    (4, "6.7", "TCP ports"),
    (5, "6.10", "control calls on devices"),
    (6, "6.12", "signals and abstract sockets"),
    (7, "6.15", "a log of refusals"),
    (8, "7.0", "confining all threads at once"),
    (9, "7.1", "connecting to socket files"),
    (10, "", "UDP ports"),
];

pub(super) fn checks(findings: &Findings) -> Vec<Check> {
    let mut checks = vec![kernel(findings), user_namespaces(findings)];
    // Without the first the others fail for its reason; saying it once will do.
    if works(findings, Namespace::User) {
        checks.push(other_namespaces(findings));
    }
    checks.extend([
        proc(findings),
        mounts(findings),
        seccomp(findings),
        landlock(findings),
        shm(findings),
        cgroup(findings),
    ]);
    if findings.uid == 0 {
        checks.push(root());
    }
    checks.extend(without_namespaces(findings, &checks));
    checks
}

/// What is left where no sandbox can be built: less, and only for who asks.
fn without_namespaces(findings: &Findings, checks: &[Check]) -> Option<Check> {
    let is_blocked = checks.iter().any(|check| check.status == Status::Blocking);
    let has_the_rest = findings.openat2.works()
        && findings.seccomp_filter.works()
        && findings.landlock.is_ok_and(|abi| abi >= Tier::LEAST_LANDLOCK)
        && findings.uid != 0;
    (is_blocked && has_the_rest).then(|| {
        check(
            "without-namespaces",
            Status::Degraded,
            "possible: pinfold run --degraded=landlock",
            "Landlock and the filter of system calls alone, and only for who asks. Applications can then find out which files and processes there are, X11 is not to be had, and some manifests are refused.",
        )
    })
}

fn check(name: &str, status: Status, found: impl Into<String>, means: impl Into<String>) -> Check {
    Check::new(Topic::Isolation, name, status, found, means)
}

fn works(findings: &Findings, kind: Namespace) -> bool {
    findings.namespaces.get(&kind).is_some_and(|attempt| attempt.works())
}

fn kernel(findings: &Findings) -> Check {
    let release = &findings.kernel;
    match findings.openat2.error() {
        None => check(
            "kernel",
            Status::Good,
            release,
            "Paths can be opened without following planted links.",
        ),
        Some(Errno::NOSYS) => check(
            "kernel",
            Status::Blocking,
            format!("{release}, without openat2"),
            "Pinfold cannot open a path without following planted links, so it opens none.",
        )
        .remedy("boot Linux 5.10 or newer"),
        Some(errno) => check(
            "kernel",
            Status::Blocking,
            format!("{release}, openat2 refused: {}", in_words(errno.raw_os_error())),
            "Something around Pinfold filters system calls, and Pinfold cannot open a path safely.",
        )
        .remedy(unfiltered(findings)),
    }
}

fn user_namespaces(findings: &Findings) -> Check {
    const NAME: &str = "user-namespaces";
    match findings.namespaces.get(&Namespace::User) {
        Some(Attempt::Works) => check(
            NAME,
            Status::Good,
            "can be made",
            "A sandbox needs no privilege and no set-user-id program.",
        ),
        Some(Attempt::Fails(errno)) => refusal(NAME, findings, Namespace::User, *errno),
        None => check(NAME, Status::Blocking, "not tried", "Without them no sandbox can be built."),
    }
}

fn other_namespaces(findings: &Findings) -> Check {
    const NAME: &str = "namespaces";
    let refused =
        Namespace::ALL.iter().skip(1).find_map(|(kind, ..)| match findings.namespaces.get(kind) {
            Some(Attempt::Fails(errno)) => Some((*kind, *errno)),
            Some(Attempt::Works) | None => None,
        });
    match refused {
        Some((kind, errno)) => refusal(NAME, findings, kind, errno),
        None => {
            let made: Vec<&str> = Namespace::ALL
                .iter()
                .skip(1)
                .filter(|(kind, ..)| works(findings, *kind))
                .map(|(_, word, _)| *word)
                .collect();
            check(
                NAME,
                Status::Good,
                format!("{} can be made", made.join(", ")),
                "Each application can have files, processes and a network of its own.",
            )
        }
    }
}

/// Why a namespace is refused. Several things answer with the same error, so
/// what is known about the host is asked in the order of how surely it is the
/// cause.
fn refusal(name: &str, findings: &Findings, kind: Namespace, errno: i32) -> Check {
    let error = Errno::from_raw_os_error(errno);
    let (word, limit) = Namespace::ALL
        .iter()
        .find(|(each, ..)| *each == kind)
        .map_or(("", ""), |(_, word, limit)| (*word, *limit));
    let refused = format!("a new {word} namespace is refused: {}", in_words(errno));
    let blocking = |found: String, means: &str| check(name, Status::Blocking, found, means);

    match findings.namespace_limits.get(&kind) {
        Some(0) => {
            return blocking(
                format!("user.{limit} is 0"),
                "The administrator allows no such namespaces, and without them no sandbox can be built.",
            )
            .remedy(sysctl(&format!("user.{limit}"), "15000"));
        }
        Some(limit_is) if error == Errno::NOSPC || error == Errno::USERS => {
            return blocking(
                format!("{refused}; user.{limit} is {limit_is}"),
                "As many as are allowed exist already, or they are nested over 32 deep.",
            )
            .remedy(sysctl(&format!("user.{limit}"), &(limit_is.saturating_mul(2)).to_string()));
        }
        _ => {}
    }
    if error == Errno::INVAL || error == Errno::NOSYS {
        return blocking(
            refused,
            "This kernel was built without such namespaces, and no sandbox can be built.",
        )
        .remedy(format!("boot a kernel with CONFIG_{}_NS=y", config(kind)));
    }
    if findings.unprivileged_userns_clone == Some(0) {
        return blocking(
            "kernel.unprivileged_userns_clone is 0".to_owned(),
            "Only the administrator may make user namespaces here, so no sandbox can be built.",
        )
        .remedy(sysctl("kernel.unprivileged_userns_clone", "1"));
    }
    // AppArmor lets the user namespace be made and takes all power in it away;
    // a container's filter refuses that one already.
    let filtered = findings.container.is_some() && kind == Namespace::User;
    if findings.apparmor_restricts == Some(1) && !filtered {
        return blocking(
            "kernel.apparmor_restrict_unprivileged_userns is 1".to_owned(),
            "AppArmor lets only programs with a profile use user namespaces, and this pinfold has none loaded.",
        )
        .remedy(
            "sudo install -m 644 packaging/apparmor/pinfold /etc/apparmor.d/pinfold\n\
             sudo apparmor_parser -r /etc/apparmor.d/pinfold\n\
             (Pinfold's packages do both; the profile is for /usr/bin/pinfold, not for one elsewhere)\n\
             or, for all programs: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        );
    }
    // The mark of a container outlives it in disk images made from one. Without
    // any filter in force it is not the cause.
    if let Some(container) =
        findings.container.as_ref().filter(|_| findings.seccomp_mode != Some(0))
    {
        return blocking(
            format!("{refused}; running in a container ({container})"),
            "The container does not let programs in it make namespaces, so no sandbox can be built in it.",
        )
        .remedy(unfiltered(findings));
    }
    if findings.selinux_enforcing == Some(true) && error == Errno::ACCESS {
        return blocking(refused, "SELinux's policy forbids it, so no sandbox can be built.")
            .remedy(
                "sudo ausearch -m avc -ts recent    # shows the refusal\n\
             let the policy allow user_namespace create to your domain",
            );
    }
    if findings.seccomp_mode == Some(2) {
        return blocking(
            format!("{refused}; system calls are filtered already"),
            "What started this session forbids namespaces to it, so no sandbox can be built from here.",
        )
        .remedy(unfiltered(findings));
    }
    blocking(
        refused,
        "Without it no sandbox can be built. In a chroot the kernel refuses it always.",
    )
    .remedy("start pinfold outside any chroot; sudo dmesg may name the rule that refuses it")
}

/// How the kernel's configuration names a namespace.
fn config(kind: Namespace) -> &'static str {
    match kind {
        Namespace::User => "USER",
        // There is no kernel without mount namespaces; a configuration without
        // any namespaces lacks this one.
        Namespace::Mount => "USER",
        Namespace::Pid => "PID",
        Namespace::Net => "NET",
        Namespace::Ipc => "IPC",
        Namespace::Uts => "UTS",
        Namespace::Cgroup => "CGROUP",
    }
}

/// Sets a switch of the kernel now and at every start.
fn sysctl(name: &str, value: &str) -> String {
    format!(
        "sudo sysctl -w {name}={value}\n\
         echo '{name}={value}' | sudo tee /etc/sysctl.d/60-pinfold.conf    # to keep it"
    )
}

/// How to be rid of a filter that somebody put around this session.
fn unfiltered(findings: &Findings) -> &'static str {
    match findings.container.as_deref() {
        Some("docker") => {
            "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined ..."
        }
        Some("podman") => "podman run --security-opt seccomp=unconfined ...",
        Some("kubernetes") => {
            "set securityContext.seccompProfile.type to Unconfined for the container"
        }
        Some("lxc") => "lxc config set NAME security.nesting true, and start the container anew",
        Some("flatpak") => "start pinfold from a terminal outside Flatpak",
        Some(_) => "let the container's settings allow its programs to make user namespaces",
        None => {
            "start pinfold from a plain login, not from a service or program that filters system calls"
        }
    }
}

fn proc(findings: &Findings) -> Check {
    const NAME: &str = "proc";
    if !findings.proc_there {
        return check(
            NAME,
            Status::Blocking,
            "/proc is no proc file system",
            "Without one the kernel lets nobody mount a new one, and a sandbox needs its own.",
        )
        .remedy("sudo mount -t proc proc /proc");
    }
    let masks = &findings.proc_masks;
    let named = match masks.len() {
        0..=4 => masks.join(", "),
        more => format!("{} and {} more", masks[..3].join(", "), more - 3),
    };
    match (findings.proc_mount, masks.is_empty()) {
        (Some(Attempt::Works), _) => {
            check(NAME, Status::Good, "a new one can be mounted", "An application sees its own processes only.")
        }
        (None, true) => check(NAME, Status::Good, "nothing covers it", "A sandbox could have its own."),
        (Some(Attempt::Fails(errno)), true) => check(
            NAME,
            Status::Blocking,
            format!("a new one cannot be mounted: {}", in_words(errno)),
            "A sandbox needs a /proc of its own processes.",
        )
        .remedy(unfiltered(findings)),
        (_, false) => check(
            NAME,
            Status::Blocking,
            format!("covered at {named}"),
            "The kernel mounts no new /proc while parts of the old one are hidden, and a sandbox needs its own.",
        )
        .remedy(match findings.container.as_deref() {
            Some("docker") => "docker run --security-opt systempaths=unconfined ...".to_owned(),
            Some("podman") => "podman run --security-opt unmask=ALL ...".to_owned(),
            Some("kubernetes") => "set securityContext.procMount to Unmasked for the container".to_owned(),
            Some(_) => "let the container's settings show the whole of /proc".to_owned(),
            None => masks.iter().map(|mask| format!("sudo umount {mask}")).collect::<Vec<_>>().join("\n"),
        }),
    }
}

fn mounts(findings: &Findings) -> Check {
    const NAME: &str = "mount-calls";
    let failed = |wanted: &dyn Fn(Errno) -> bool| -> Vec<&str> {
        MountCall::ALL
            .iter()
            .filter(|(call, _)| {
                findings
                    .mount_calls
                    .get(call)
                    .and_then(|attempt| attempt.error())
                    .is_some_and(wanted)
            })
            .map(|(_, name)| *name)
            .collect()
    };
    let mut missing = failed(&|errno| errno == Errno::NOSYS);
    // The one that can be done without (`sys::remount`).
    let slow = missing == ["mount_setattr"];
    if slow {
        missing.clear();
    }
    let refused = failed(&|errno| errno != Errno::NOSYS);
    if !missing.is_empty() {
        check(
            NAME,
            Status::Blocking,
            format!("missing: {}", missing.join(", ")),
            "Pinfold cannot put a sandbox's files together without them.",
        )
        .remedy(match findings.container {
            Some(_) => unfiltered(findings),
            None => "boot Linux 5.10 or newer",
        })
    } else if !refused.is_empty() {
        check(
            NAME,
            Status::Blocking,
            format!("refused: {}", refused.join(", ")),
            "Something around Pinfold filters system calls, and a sandbox's files cannot be put together.",
        )
        .remedy(unfiltered(findings))
    } else if slow {
        check(
            NAME,
            Status::Good,
            "there, but for mount_setattr",
            "Whole folders can be shown read-only, one mount after the other, which takes longer where many are in them.",
        )
    } else {
        check(
            NAME,
            Status::Good,
            "there",
            "Whole folders can be shown read-only, with all that is mounted in them.",
        )
    }
}

fn seccomp(findings: &Findings) -> Check {
    const NAME: &str = "seccomp";
    match findings.seccomp_filter {
        Attempt::Works => {
            let found = match findings.seccomp_mode {
                Some(2) => "available, one filter is in force already",
                _ => "available",
            };
            check(
                NAME,
                Status::Good,
                found,
                "System calls that applications have no use for are refused.",
            )
        }
        Attempt::Fails(errno) => check(
            NAME,
            Status::Blocking,
            format!("not available: {}", in_words(errno)),
            "Dangerous system calls could not be refused, so no sandbox is built.",
        )
        .remedy("boot a kernel with CONFIG_SECCOMP_FILTER=y"),
    }
}

fn landlock(findings: &Findings) -> Check {
    const NAME: &str = "landlock";
    let abi = match findings.landlock {
        Ok(0) => return no_landlock(findings, "there is none".to_owned(), Errno::NOSYS),
        Ok(abi) => abi,
        Err(errno) => {
            return no_landlock(
                findings,
                format!("there is none: {}", in_words(errno)),
                Errno::from_raw_os_error(errno),
            );
        }
    };
    let lacking: Vec<String> = LANDLOCK_STEPS
        .iter()
        .filter(|(version, ..)| *version > abi)
        .map(|(version, kernel, what)| match *kernel {
            "" => format!("{what} (version {version})"),
            kernel => format!("{what} (version {version}, Linux {kernel})"),
        })
        .collect();
    let found = format!("version {abi}");
    if lacking.is_empty() {
        return check(
            NAME,
            Status::Good,
            found,
            "A second wall around files, ports, sockets and signals.",
        );
    }
    let lacks = format!("Newer ones add: {}.", lacking.join(", "));
    if abi >= LANDLOCK_WANTED {
        check(
            NAME,
            Status::Good,
            found,
            format!("A second wall around files, TCP ports and signals. {lacks}"),
        )
    } else {
        check(
            NAME,
            Status::Degraded,
            found,
            format!("Applications with the host's network reach abstract sockets, the X server's among them. {lacks}"),
        )
        .remedy("boot Linux 6.12 or newer")
    }
}

fn no_landlock(findings: &Findings, found: String, errno: Errno) -> Check {
    let check = check(
        "landlock",
        Status::Degraded,
        found,
        "Sandboxes lack the second wall: TCP ports cannot be limited, applications with the host's network reach abstract sockets, and manifests with landlock = \"require\" do not start.",
    );
    match errno {
        Errno::OPNOTSUPP => check.remedy(
            "the kernel has it switched off: put landlock first in the list lsm= of the kernel's command line\n\
             cat /sys/kernel/security/lsm    # shows the present list",
        ),
        Errno::NOSYS if findings.container.is_none() => {
            check.remedy("boot Linux 6.12 or newer with CONFIG_SECURITY_LANDLOCK=y")
        }
        _ => check.remedy(unfiltered(findings)),
    }
}

fn shm(findings: &Findings) -> Check {
    const NAME: &str = "shared-memory";
    match findings.shm_bytes {
        0 => check(
            NAME,
            Status::Degraded,
            "/dev/shm is no file system in memory",
            "Each sandbox still has its own, of up to half the memory.",
        )
        .remedy("sudo mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm"),
        bytes => check(
            NAME,
            Status::Good,
            format!("/dev/shm, {} MiB", bytes >> 20),
            "Each sandbox has its own of the same size.",
        ),
    }
}

fn cgroup(findings: &Findings) -> Check {
    const NAME: &str = "limits";
    let missing = |has: &[String]| -> Vec<&str> {
        ["memory", "cpu", "pids"]
            .into_iter()
            .filter(|name| !has.iter().any(|each| each == name))
            .collect()
    };
    match (&findings.cgroup.delegated, findings.cgroup.unified) {
        (Some(controllers), true) => match missing(controllers) {
            lacking if lacking.is_empty() => check(
                NAME,
                Status::Good,
                format!("delegated: {}", controllers.join(", ")),
                "The limits of a manifest can be enforced.",
            ),
            lacking => check(
                NAME,
                Status::Degraded,
                format!("not delegated: {}", lacking.join(", ")),
                "These limits of a manifest cannot be enforced.",
            )
            .remedy(
                "sudo systemctl edit user@.service    # and add:\n\
                 [Service]\n\
                 Delegate=cpu memory pids",
            ),
        },
        (None, true) => check(
            NAME,
            Status::Degraded,
            "no part of the cgroup tree is yours",
            "A manifest's limits on memory, processor and processes cannot be enforced; all else works.",
        )
        .remedy("log in through systemd, so that a user manager of yours runs (systemctl --user status)"),
        (_, false) => check(
            NAME,
            Status::Degraded,
            "/sys/fs/cgroup is not the tree of version 2",
            "A manifest's limits on memory, processor and processes cannot be enforced; all else works.",
        )
        .remedy("boot with systemd.unified_cgroup_hierarchy=1"),
    }
}

fn root() -> Check {
    check(
        "account",
        Status::Degraded,
        "you are root",
        "An application started now is root outside too. It has no capabilities, but what belongs to root is its own.",
    )
    .remedy("run applications from an ordinary account")
}
