//! What one process sees of the machine, and what it can do to it. Taken
//! outside and inside a sandbox by the same code, the difference is what the
//! sandbox does.
//!
//! Nothing is changed by looking: what is tried in [`Act`] is undone or
//! harmless, with or without a sandbox.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use serde::{Deserialize, Serialize};

use crate::sys::{Errno, acts, probe};

/// Everything that is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outlook {
    /// The processes that /proc lists, in order of their ids.
    pub processes: Vec<Process>,
    /// The number of each namespace that the process is in, by the name that
    /// it has in /proc/self/ns.
    pub namespaces: BTreeMap<String, u64>,
    /// Mounted file systems.
    pub mounts: Mounts,
    /// The machine's name.
    pub hostname: String,
    /// The home that `$HOME` names.
    pub home: Home,
    /// Places that matter to people, in a fixed order.
    pub places: Vec<Place>,
    /// Network interfaces.
    pub interfaces: Vec<String>,
    /// Names in /etc/passwd.
    pub accounts: Vec<String>,
    /// What the kernel lets the process do.
    pub rights: Rights,
    /// Names of the environment's variables.
    pub variables: Vec<String>,
    /// What was tried, in the order of [`Act::ALL`].
    pub acts: Vec<Tried>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its id, as seen from here.
    pub id: i32,
    /// Its name, of at most 15 bytes.
    pub name: String,
}

/// Mounted file systems, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounts {
    /// All.
    pub all: usize,
    /// Those that can be written to, rights permitting.
    pub writable: usize,
    /// Those in which a set-user-id program gives its owner's rights.
    pub setuid: usize,
}

/// A home.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// Where it is.
    pub path: String,
    /// How many entries it has; none when it cannot be listed.
    pub entries: Option<usize>,
    /// Who owns it.
    pub owner: Option<u32>,
    /// The kind of file system that it lies on, as mountinfo names it.
    pub kind: String,
}

/// How far a place is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Openness {
    /// Nothing is there.
    Absent,
    /// Something is there, and cannot be read.
    Shut,
    /// It can be read.
    Readable,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// As people write it, `~` for the home.
    pub path: String,
    /// How far it is open.
    pub openness: Openness,
}

/// The state of the kernel's own restraints, from /proc/self/status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rights {
    /// The real user id.
    pub uid: u32,
    /// Effective capabilities, in hexadecimal.
    pub effective: String,
    /// The capabilities that a program started from here could ever get.
    pub bounding: String,
    /// Whether a program started from here can have more rights than this.
    pub no_new_privs: bool,
    /// 0 none, 1 strict, 2 a filter.
    pub seccomp: u32,
    /// The version of landlock that the kernel offers; 0 where it has none.
    pub landlock_abi: u32,
}

/// Something that is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Open `~/.bashrc` for writing.
    ChangeStartFile,
    /// Open a setting of the kernel's for writing.
    ChangeKernelSetting,
    /// Choose a way to an address outside. Nothing is sent.
    ReachNetwork,
    /// Signal a process that is outside.
    SignalOutside,
    /// Be traced by a debugger.
    Trace,
    /// Type into a terminal.
    TypeIntoTerminal,
    /// Look at the session's keyring.
    Keyring,
    /// Make a user namespace.
    UserNamespace,
    /// Make a file system to be mounted.
    Mount,
    /// Listen to the network.
    PacketSocket,
    /// Make an io_uring.
    Ring,
    /// Make a block device without the right to do so.
    BlockDevice,
}

impl Act {
    /// Every act, in the order in which people see them.
    pub const ALL: [Act; 12] = [
        Act::ChangeStartFile,
        Act::ChangeKernelSetting,
        Act::ReachNetwork,
        Act::SignalOutside,
        Act::Trace,
        Act::TypeIntoTerminal,
        Act::Keyring,
        Act::UserNamespace,
        Act::Mount,
        Act::PacketSocket,
        Act::Ring,
        Act::BlockDevice,
    ];
}

/// How an act went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Which.
    pub act: Act,
    /// The errno of the refusal; none where it was let through.
    pub errno: Option<i32>,
}

/// Places that matter to people: what others would steal or change.
const PLACES: [&str; 12] = [
    "~/.ssh",
    "~/.gnupg",
    "~/.mozilla",
    "~/.config/chromium",
    "~/.local/share/keyrings",
    "~/.bash_history",
    "~/.bashrc",
    "~/Documents",
    "/var/log",
    "/boot",
    "/run/dbus/system_bus_socket",
    "/tmp/.X11-unix",
];

/// Where somebody looks from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// No sandbox is around this process.
    Outside,
    /// One is.
    Inside,
}

impl Outlook {
    /// Looks around. `outside` is the id of a process outside any sandbox.
    pub fn take(side: Side, outside: i32) -> Outlook {
        let home =
            dirs::home_dir().map_or_else(String::new, |home| home.to_string_lossy().into_owned());
        let mounts = text("/proc/self/mountinfo");
        let processes = processes();
        // A process of the sandbox's own can have the same number; to signal
        // that one would prove nothing.
        let numbered_alike =
            side == Side::Inside && processes.iter().any(|process| process.id == outside);
        Outlook {
            acts: Act::ALL
                .into_iter()
                .filter(|act| !(numbered_alike && *act == Act::SignalOutside))
                .map(|act| Tried { act, errno: attempt(act, &home, outside).err() })
                .collect(),
            processes,
            namespaces: namespaces(),
            mounts: count(&mounts),
            hostname: nix::unistd::gethostname()
                .map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned()),
            places: PLACES.into_iter().map(|path| look(path, &home)).collect(),
            interfaces: interfaces(&text("/proc/self/net/dev")),
            accounts: first_fields(&text("/etc/passwd")),
            rights: rights(&text("/proc/self/status")),
            variables: std::env::vars_os()
                .map(|(name, _)| name.to_string_lossy().into_owned())
                .collect(),
            home: Home {
                entries: fs::read_dir(&home).ok().map(Iterator::count),
                owner: fs::metadata(&home).ok().map(|about| about.uid()),
                kind: kind_at(&mounts, &home),
                path: home,
            },
        }
    }
}

/// The text of a file of the kernel's, or nothing.
fn text(path: &str) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut all: Vec<Process> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .map(|id: i32| {
            let name = text(&format!("/proc/{id}/comm")).trim_end_matches('\n').to_owned();
            Process { id, name }
        })
        .collect();
    all.sort_by_key(|process| process.id);
    all
}

fn namespaces() -> BTreeMap<String, u64> {
    let Ok(entries) = fs::read_dir("/proc/self/ns") else { return BTreeMap::new() };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let link = fs::read_link(entry.path()).ok()?;
            Some((name, number(link.to_str()?)?))
        })
        // These two are where a child would be, which is another question.
        .filter(|(name, _)| !name.ends_with("_for_children"))
        .collect()
}

/// The number in `pid:[4026531836]`.
fn number(link: &str) -> Option<u64> {
    link.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

fn count(mountinfo: &str) -> Mounts {
    let mut mounts = Mounts::default();
    for line in mountinfo.lines() {
        let options = |part: &str, field: usize| -> Vec<String> {
            let field = part.split(' ').nth(field).unwrap_or("");
            field.split(',').map(str::to_owned).collect()
        };
        let Some((mount, system)) = line.split_once(" - ") else { continue };
        let here = options(mount, 5);
        let below = options(system, 2);
        let has = |list: &[String], word: &str| list.iter().any(|option| option == word);
        mounts.all += 1;
        // A file system can be read-only below a mount that is not.
        mounts.writable += usize::from(has(&here, "rw") && !has(&below, "ro"));
        mounts.setuid += usize::from(!has(&here, "nosuid"));
    }
    mounts
}

/// The kind of the file system that holds a path.
fn kind_at(mountinfo: &str, path: &str) -> String {
    let mut best = (0, "");
    for line in mountinfo.lines() {
        let Some((mount, system)) = line.split_once(" - ") else { continue };
        let place = mount.split(' ').nth(4).unwrap_or("");
        let kind = system.split(' ').next().unwrap_or("");
        let holds = path
            .strip_prefix(place)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || place == "/");
        // Of two at one place the later one lies on top.
        if holds && place.len() >= best.0 {
            best = (place.len(), kind);
        }
    }
    best.1.to_owned()
}

/// Names in /proc/net/dev.
fn interfaces(table: &str) -> Vec<String> {
    table
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

/// The first field of each line of a file such as /etc/passwd.
fn first_fields(table: &str) -> Vec<String> {
    let names = table.lines().map(|line| line.split(':').next().unwrap_or(""));
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

fn rights(status: &str) -> Rights {
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map_or("", str::trim)
    };
    let first = |name: &str| field(name).split_whitespace().next().unwrap_or("").to_owned();
    Rights {
        uid: first("Uid").parse().unwrap_or(u32::MAX),
        effective: first("CapEff"),
        bounding: first("CapBnd"),
        no_new_privs: field("NoNewPrivs") == "1",
        seccomp: field("Seccomp").parse().unwrap_or(0),
        landlock_abi: probe::landlock_abi(),
    }
}

/// A place as it is written here, with the home put in.
fn at(path: &str, home: &str) -> String {
    match path.strip_prefix('~') {
        Some(rest) => format!("{home}{rest}"),
        None => path.to_owned(),
    }
}

fn look(path: &str, home: &str) -> Place {
    let real = at(path, home);
    let openness = match fs::metadata(&real) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Openness::Shut,
        Err(_) => Openness::Absent,
        Ok(about) if about.is_dir() => match fs::read_dir(&real) {
            Ok(_) => Openness::Readable,
            Err(_) => Openness::Shut,
        },
        Ok(about) if about.is_file() => match fs::File::open(&real) {
            Ok(_) => Openness::Readable,
            Err(_) => Openness::Shut,
        },
        // A socket; whether it would take a connection is not tried.
        Ok(_) => Openness::Readable,
    };
    Place { path: path.to_owned(), openness }
}

fn attempt(act: Act, home: &str, outside: i32) -> Result<(), i32> {
    match act {
        Act::ChangeStartFile => open_to_write(&at("~/.bashrc", home)),
        Act::ChangeKernelSetting => open_to_write("/proc/sys/kernel/core_pattern"),
        Act::ReachNetwork => reach_network(),
        Act::SignalOutside => acts::reach_process(outside),
        Act::Trace => acts::be_traced(),
        Act::TypeIntoTerminal => acts::type_into_terminal(),
        Act::Keyring => acts::look_at_keyring(),
        Act::UserNamespace => acts::make_user_namespace(),
        Act::Mount => acts::make_file_system(),
        Act::PacketSocket => acts::make_packet_socket(),
        Act::Ring => acts::make_ring(),
        Act::BlockDevice => acts::make_block_device(),
    }
    .map_err(Errno::raw_os_error)
}

/// Opens what is there for writing, and writes nothing.
fn open_to_write(path: &str) -> Result<(), Errno> {
    let opened = fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path);
    opened.map(drop).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// Whether there is a way to an address that is kept free for documentation:
/// a datagram socket is told of it and sends nothing.
fn reach_network() -> Result<(), Errno> {
    let reach = || std::net::UdpSocket::bind(("0.0.0.0", 0))?.connect(("192.0.2.1", 9));
    reach().map_err(|error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
21 1 0:19 / / rw,nosuid - tmpfs tmpfs rw
22 21 0:20 / /proc rw,nosuid,nodev - proc proc rw
23 21 8:1 /usr /usr ro,nosuid - ext4 /dev/sda1 rw
24 21 8:2 / /home/ada rw - btrfs /dev/sda2 rw
25 24 0:30 / /home/ada/x rw,nosuid - squashfs /dev/loop0 ro
";

    #[test]
    fn mounts_are_counted_by_what_can_be_done() {
        assert_eq!(count(MOUNTINFO), Mounts { all: 5, writable: 3, setuid: 1 });
        assert_eq!(count("no mountinfo\n"), Mounts::default());
    }

    #[test]
    fn the_file_system_of_a_path_is_the_nearest_above() {
        for (path, kind) in [
            ("/home/ada", "btrfs"),
            ("/home/ada/y", "btrfs"),
            ("/home/ada/x/y", "squashfs"),
            ("/home/adam", "tmpfs"),
        ] {
            assert_eq!(kind_at(MOUNTINFO, path), kind, "{path}");
        }
    }

    #[test]
    fn tables_of_the_kernel() {
        let table = "Inter-|   Receive\n face |bytes\n    lo: 1 2\n  eth0: 3 4\n";
        assert_eq!(interfaces(table), ["lo", "eth0"]);
        assert_eq!(number("pid:[4026531836]"), Some(4026531836));
        assert_eq!(number("pid"), None);
        assert_eq!(first_fields("root:x:0\n# no\n\nada:x:1000\n"), ["root", "ada"]);
    }

    #[test]
    fn rights_come_from_status() {
        let status = "Name:\tx\nUid:\t1000\t1000\nCapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(
            rights(status),
            Rights {
                uid: 1000,
                effective: "0000000000000000".into(),
                bounding: "000001ffffffffff".into(),
                no_new_privs: true,
                seccomp: 2,
                landlock_abi: probe::landlock_abi(),
            }
        );
        // What cannot be read is not taken for the better.
        assert!(!rights("").no_new_privs && rights("").seccomp == 0);
    }

    #[test]
    fn homes_are_put_in_at_the_start_only() {
        assert_eq!(at("~/.ssh", "/home/ada"), "/home/ada/.ssh");
        assert_eq!(at("/a/~", "/home/ada"), "/a/~");
    }
}
