//! What is read and tried on a host.

use std::collections::BTreeMap;
use std::os::fd::AsRawFd;

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};

use crate::host::account::is_name;
use crate::host::facts::remarks;
use crate::host::fs::{HostFs, NodeKind};
use crate::model::facts::{HostFacts, WaylandSocket};
use crate::model::path::AbsPath;

/// How something went that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attempt {
    /// It works.
    Works,
    /// The kernel refuses, with this error number.
    Fails(i32),
}

impl Attempt {
    /// Whether it works.
    pub fn works(self) -> bool {
        self == Attempt::Works
    }

    /// The error, if there was one.
    pub fn error(self) -> Option<Errno> {
        match self {
            Attempt::Works => None,
            Attempt::Fails(errno) => Some(Errno::from_raw_os_error(errno)),
        }
    }
}

impl<T> From<Result<T, Errno>> for Attempt {
    fn from(result: Result<T, Errno>) -> Attempt {
        match result {
            Ok(_) => Attempt::Works,
            Err(errno) => Attempt::Fails(errno.raw_os_error()),
        }
    }
}

impl<T> From<std::io::Result<T>> for Attempt {
    fn from(result: std::io::Result<T>) -> Attempt {
        Attempt::from(result.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO)))
    }
}

/// The namespaces that a sandbox is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Namespace {
    User,
    Mount,
    Pid,
    Net,
    Ipc,
    Uts,
    Cgroup,
}

impl Namespace {
    /// Every one, with its word and the name of its limit in /proc/sys/user.
    pub const ALL: [(Namespace, &'static str, &'static str); 7] = [
        (Namespace::User, "user", "max_user_namespaces"),
        (Namespace::Mount, "mount", "max_mnt_namespaces"),
        (Namespace::Pid, "pid", "max_pid_namespaces"),
        (Namespace::Net, "net", "max_net_namespaces"),
        (Namespace::Ipc, "ipc", "max_ipc_namespaces"),
        (Namespace::Uts, "uts", "max_uts_namespaces"),
        (Namespace::Cgroup, "cgroup", "max_cgroup_namespaces"),
    ];
}

/// The calls of the newer mount interface that building a sandbox needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum MountCall {
    OpenTree,
    MoveMount,
    MountSetattr,
}

impl MountCall {
    /// Every one with its name.
    pub const ALL: [(MountCall, &'static str); 3] = [
        (MountCall::OpenTree, "open_tree"),
        (MountCall::MoveMount, "move_mount"),
        (MountCall::MountSetattr, "mount_setattr"),
    ];
}

/// What has to be tried rather than read. Each is tried in a process of its
/// own or changes nothing, and answers what the kernel said.
pub struct Probes<'a> {
    /// Makes a new user namespace and in it, unless it is asked for that one
    /// alone, a new namespace of the kind.
    pub namespace: &'a dyn Fn(Namespace) -> Result<(), Errno>,
    /// Mounts a proc in new user, mount and pid namespaces. Asked only where
    /// these three can be made.
    pub proc_mount: &'a dyn Fn() -> Result<(), Errno>,
    /// Whether the kernel has the call: whatever it says to useless arguments
    /// is a yes, unless it says that there is no such call or refuses all.
    pub mount_call: &'a dyn Fn(MountCall) -> Result<(), Errno>,
    /// The version of landlock's interface.
    pub landlock: &'a dyn Fn() -> Result<u32, Errno>,
    /// Whether a filter of system calls can be installed.
    pub seccomp_filter: &'a dyn Fn() -> Result<(), Errno>,
}

/// A socket of the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketFinding {
    /// Where it is.
    pub place: String,
    /// Whether it takes a connection; none when that was not tried.
    pub answers: Option<Attempt>,
}

/// The X display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct XFinding {
    /// `$DISPLAY`.
    pub display: String,
    /// Its socket, if it is on this machine.
    pub socket: Option<SocketFinding>,
    /// The file with its cookie.
    pub authority: Option<String>,
}

/// The session bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusFinding {
    /// Its address.
    pub address: String,
    /// Its socket, if the address names one by path or by abstract name.
    pub socket: Option<SocketFinding>,
}

/// A device file with which programs draw by the graphics card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderNode {
    /// Where it is.
    pub place: String,
    /// Whether the caller may use it.
    pub usable: bool,
}

/// What there is of cgroups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupFinding {
    /// Whether /sys/fs/cgroup is the one tree of version 2.
    pub unified: bool,
    /// The controllers that the caller's own service manager may hand out;
    /// none when nothing is delegated.
    pub delegated: Option<Vec<String>>,
}

/// What there is of a desktop session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFindings {
    /// What the environment states in vain.
    pub remarks: Vec<String>,
    /// The runtime folder.
    pub runtime_dir: Option<String>,
    /// The Wayland compositor.
    pub wayland: Option<SocketFinding>,
    /// The X server.
    pub x11: Option<XFinding>,
    /// The PulseAudio server.
    pub pulse: Option<SocketFinding>,
    /// PipeWire.
    pub pipewire: Option<SocketFinding>,
    /// The session bus.
    pub session_bus: Option<BusFinding>,
    /// The portal service's program.
    pub portal: Option<String>,
    /// Graphics cards.
    pub render_nodes: Vec<RenderNode>,
}

/// Everything that the judgement depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// Who asks.
    pub uid: u32,
    /// The kernel's release.
    pub kernel: String,
    /// Whether a path can be opened without following links.
    pub openat2: Attempt,
    /// Namespaces that were made.
    pub namespaces: BTreeMap<Namespace, Attempt>,
    /// How many there may be, from /proc/sys/user.
    pub namespace_limits: BTreeMap<Namespace, u64>,
    /// /proc/sys/kernel/unprivileged_userns_clone, a switch of Debian's.
    pub unprivileged_userns_clone: Option<u64>,
    /// /proc/sys/kernel/apparmor_restrict_unprivileged_userns.
    pub apparmor_restricts: Option<u64>,
    /// Whether SELinux is there and enforces its rules.
    pub selinux_enforcing: Option<bool>,
    /// The container that Pinfold runs in.
    pub container: Option<String>,
    /// The line `Seccomp` of /proc/self/status: 2 is filtered already.
    pub seccomp_mode: Option<u64>,
    /// Whether system calls can be filtered.
    pub seccomp_filter: Attempt,
    /// Landlock's version, or why there is none.
    pub landlock: Result<u32, i32>,
    /// The mount interface.
    pub mount_calls: BTreeMap<MountCall, Attempt>,
    /// Whether /proc is a proc file system.
    pub proc_there: bool,
    /// What covers parts of /proc.
    pub proc_masks: Vec<String>,
    /// Whether a proc can be mounted; none when it was not tried.
    pub proc_mount: Option<Attempt>,
    /// The size of /dev/shm; 0 where there is none.
    pub shm_bytes: u64,
    /// cgroups.
    pub cgroup: CgroupFinding,
    /// The desktop session.
    pub session: SessionFindings,
}

impl Findings {
    /// Looks at a host and tries what has to be tried.
    pub fn collect(fs: &HostFs, facts: &HostFacts, probes: &Probes<'_>) -> Findings {
        let namespaces: BTreeMap<Namespace, Attempt> = Namespace::ALL
            .iter()
            .map(|(kind, ..)| (*kind, (probes.namespace)(*kind).into()))
            .collect();
        let for_proc = [Namespace::User, Namespace::Mount, Namespace::Pid];
        let proc_mount = for_proc
            .iter()
            .all(|kind| namespaces.get(kind).is_some_and(|attempt| attempt.works()))
            .then(|| (probes.proc_mount)().into());
        let mounts = Mounts::read(fs);
        Findings {
            uid: facts.uid,
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            openat2: fs.look(&AbsPath::root()).into(),
            namespaces,
            namespace_limits: Namespace::ALL
                .iter()
                .filter_map(|(kind, _, limit)| {
                    Some((*kind, number(fs, &format!("/proc/sys/user/{limit}"))?))
                })
                .collect(),
            unprivileged_userns_clone: number(fs, "/proc/sys/kernel/unprivileged_userns_clone"),
            apparmor_restricts: number(
                fs,
                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            ),
            selinux_enforcing: number(fs, "/sys/fs/selinux/enforce").map(|enforce| enforce == 1),
            container: container(fs, &facts.environment),
            seccomp_mode: seccomp_mode(fs),
            seccomp_filter: (probes.seccomp_filter)().into(),
            landlock: (probes.landlock)().map_err(Errno::raw_os_error),
            mount_calls: MountCall::ALL
                .iter()
                .map(|(call, _)| (*call, (probes.mount_call)(*call).into()))
                .collect(),
            proc_there: mounts.kind_at("/proc") == Some("proc"),
            proc_masks: mounts.over_proc(),
            proc_mount,
            shm_bytes: facts.shm_bytes,
            cgroup: CgroupFinding {
                unified: mounts.kind_at("/sys/fs/cgroup") == Some("cgroup2"),
                delegated: delegated(fs, facts.uid),
            },
            session: session(fs, facts),
        }
    }
}

fn text(fs: &HostFs, path: &str, limit: usize) -> Option<String> {
    fs.read_text_following(&AbsPath::new(path).ok()?, limit).ok()
}

fn number(fs: &HostFs, path: &str) -> Option<u64> {
    text(fs, path, 64)?.trim().parse().ok()
}

fn exists(fs: &HostFs, path: &str) -> bool {
    AbsPath::new(path).is_ok_and(|path| fs.look_following(&path).is_ok())
}

/// The name of the container around this process, as its maker left it.
fn container(fs: &HostFs, environment: &BTreeMap<String, String>) -> Option<String> {
    for (mark, name) in
        [("/run/.containerenv", "podman"), ("/.dockerenv", "docker"), ("/.flatpak-info", "flatpak")]
    {
        if exists(fs, mark) {
            return Some(name.to_owned());
        }
    }
    if environment.contains_key("KUBERNETES_SERVICE_HOST") {
        return Some("kubernetes".to_owned());
    }
    text(fs, "/run/systemd/container", 256)
        .or_else(|| environment.get("container").cloned())
        .map(|name| name.trim().to_owned())
        .filter(|name| is_name(name))
}

fn seccomp_mode(fs: &HostFs) -> Option<u64> {
    let status = text(fs, "/proc/self/status", 64 << 10)?;
    status.lines().find_map(|line| line.strip_prefix("Seccomp:"))?.trim().parse().ok()
}

/// The controllers of the caller's own service manager, where the folder is
/// the caller's, which is what delegating means.
fn delegated(fs: &HostFs, uid: u32) -> Option<Vec<String>> {
    let folder = format!("/sys/fs/cgroup/user.slice/user-{uid}.slice/user@{uid}.service");
    let owner = fs.look_following(&AbsPath::new(&folder).ok()?).ok()?.uid;
    if owner != uid {
        return None;
    }
    let controllers = text(fs, &format!("{folder}/cgroup.controllers"), 4096)?;
    Some(controllers.split_ascii_whitespace().map(str::to_owned).collect())
}

/// /proc/self/mountinfo: where something is mounted and of which kind it is,
/// in the order of mounting.
struct Mounts(Vec<(String, String)>);

impl Mounts {
    fn read(fs: &HostFs) -> Mounts {
        let table = AbsPath::new("/proc/self/mountinfo")
            .ok()
            .and_then(|path| fs.read_bytes_following(&path, 16 << 20).ok())
            .unwrap_or_default();
        let table = String::from_utf8_lossy(&table);
        Mounts(
            table
                .lines()
                .filter_map(|line| {
                    let (place, kind) = line.split_once(" - ")?;
                    let place = place.split(' ').nth(4)?;
                    Some((place.to_owned(), kind.split(' ').next()?.to_owned()))
                })
                .collect(),
        )
    }

    /// The kind of what is seen at a mount point: the last one covers others.
    fn kind_at(&self, place: &str) -> Option<&str> {
        self.0.iter().rev().find(|(at, _)| at == place).map(|(_, kind)| kind.as_str())
    }

    /// Mounts that make the kernel refuse a new proc, since it would show what
    /// they hide. Mounts on the folders that the kernel keeps empty for them
    /// hide nothing.
    fn over_proc(&self) -> Vec<String> {
        const EMPTY: [&str; 2] = ["/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd"];
        let mut masks: Vec<String> = self
            .0
            .iter()
            .map(|(place, _)| place)
            .filter(|place| place.starts_with("/proc/") && !EMPTY.contains(&place.as_str()))
            .cloned()
            .collect();
        masks.sort();
        masks.dedup();
        masks
    }
}

fn session(fs: &HostFs, facts: &HostFacts) -> SessionFindings {
    SessionFindings {
        remarks: remarks(facts).into_iter().map(|remark| remark.message).collect(),
        runtime_dir: facts.runtime_dir.as_ref().map(AbsPath::to_string),
        wayland: facts.wayland.as_ref().map(|socket| match socket {
            WaylandSocket::Path(path) => socket_finding(fs, path),
            WaylandSocket::Inherited(number) => {
                SocketFinding { place: format!("descriptor {number}"), answers: None }
            }
        }),
        x11: facts.x11.as_ref().map(|x11| XFinding {
            display: x11.text.clone(),
            socket: x11.socket.as_ref().map(|path| socket_finding(fs, path)),
            authority: x11.authority.as_ref().map(AbsPath::to_string),
        }),
        pulse: facts.pulse.as_ref().map(|path| socket_finding(fs, path)),
        pipewire: facts.pipewire.as_ref().map(|path| socket_finding(fs, path)),
        session_bus: session_bus(fs, facts),
        portal: portal(fs, facts),
        render_nodes: render_nodes(fs),
    }
}

fn socket_finding(fs: &HostFs, path: &AbsPath) -> SocketFinding {
    SocketFinding { place: path.to_string(), answers: Some(connect(fs, path).into()) }
}

/// Connects to a socket and hangs up. A full queue is an answer too.
fn connect(fs: &HostFs, path: &AbsPath) -> std::io::Result<()> {
    let socket = fs.witness(path)?;
    // Through the descriptor, so that a socket of a fake tree is reached at
    // any depth: socket addresses have no room for long paths.
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}", socket.as_raw_fd()))?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let client = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&client, &address) {
        Err(Errno::AGAIN) => Ok(()),
        other => Ok(other?),
    }
}

fn session_bus(fs: &HostFs, facts: &HostFacts) -> Option<BusFinding> {
    let Some(address) =
        facts.environment.get("DBUS_SESSION_BUS_ADDRESS").filter(|text| !text.is_empty())
    else {
        // Where every library looks when nothing is stated.
        let path = facts.runtime_dir.as_ref()?.child("bus");
        let there = fs.look_following(&path).is_ok_and(|node| node.kind == NodeKind::Socket);
        return there.then(|| BusFinding {
            address: format!("unix:path={path}"),
            socket: Some(socket_finding(fs, &path)),
        });
    };
    let keys = address.split(';').next().and_then(|first| first.strip_prefix("unix:"));
    let socket = keys.into_iter().flat_map(|keys| keys.split(',')).find_map(|key| {
        match key.split_once('=')? {
            ("path", path) => Some(socket_finding(fs, &AbsPath::new(path).ok()?)),
            ("abstract", name) => Some(SocketFinding { place: format!("@{name}"), answers: None }),
            _ => None,
        }
    });
    Some(BusFinding { address: address.clone(), socket })
}

/// The program that the bus starts for the portals' name.
fn portal(fs: &HostFs, facts: &HostFacts) -> Option<String> {
    let stated = facts.environment.get("XDG_DATA_DIRS").filter(|text| !text.is_empty());
    let folders = stated.map_or("/usr/local/share:/usr/share", String::as_str);
    let service = folders.split(':').find_map(|folder| {
        let file = format!(
            "{}/dbus-1/services/org.freedesktop.portal.Desktop.service",
            folder.trim_end_matches('/')
        );
        text(fs, &file, 64 << 10)
    })?;
    let command = service.lines().find_map(|line| line.strip_prefix("Exec="))?;
    let program = command.split_ascii_whitespace().next()?;
    let node = fs.look_following(&AbsPath::new(program).ok()?).ok()?;
    (node.kind == NodeKind::File && node.mode & 0o111 != 0).then(|| program.to_owned())
}

fn render_nodes(fs: &HostFs) -> Vec<RenderNode> {
    let folder = AbsPath::root().child("dev").child("dri");
    fs.list(&folder)
        .unwrap_or_default()
        .into_iter()
        .filter(|(name, _)| name.starts_with("renderD"))
        .map(|(name, _)| {
            let path = folder.child(&name);
            // Only the kernel knows about groups and access lists alike.
            let usable = fs.witness(&path).is_ok_and(|node| {
                let node = format!("/proc/self/fd/{}", node.as_raw_fd());
                rustix::fs::accessat(
                    CWD,
                    node,
                    Access::READ_OK | Access::WRITE_OK,
                    AtFlags::empty(),
                )
                .is_ok()
            });
            RenderNode { place: path.to_string(), usable }
        })
        .collect()
}
