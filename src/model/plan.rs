//! The plan: the whole truth about one sandbox, explicit and in order.
//!
//! Nothing in it is left to a default and nothing in it belongs to one run
//! only: no descriptors, process ids, times or random values. `show`,
//! `plan --json` and the executor read the same value.

use serde::{Deserialize, Serialize};

use super::app_id::AppId;
use super::bus_address::BusAddress;
use super::origin::Origin;
use super::path::AbsPath;
use super::permission::{LandlockMode, Nested, SyscallFeature};

/// Everything that the executor will do, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of this shape.
    pub version: u32,
    /// The application.
    pub app: AppId,
    /// By which means it is confined.
    pub tier: Tier,
    /// Whose ids the application has.
    pub identity: Identity,
    /// Namespaces.
    pub namespaces: Namespaces,
    /// Folders and files that must exist on the host before anything is
    /// bound, made where they are missing.
    pub host: Vec<HostStep>,
    /// The file tree, outermost first. In [`Tier::Landlock`], where nothing is
    /// mounted, binds are all it has, each with the host's path as its place:
    /// they say what is open where it lies.
    pub tree: Vec<Step>,
    /// Landlock.
    pub landlock: LandlockPlan,
    /// The system call filter.
    pub syscalls: SyscallPlan,
    /// What is executed and with what around it.
    pub process: ProcessPlan,
    /// The filter before the buses; none when no bus is granted.
    pub filter: Option<FilterPlan>,
    /// Host folders in which the application may write. Links inside them are
    /// never followed by later runs of any application.
    pub writable: Vec<AbsPath>,
    /// What was skipped, narrowed or is risky, for people.
    pub notes: Vec<Note>,
}

impl Plan {
    /// Whether the application is kept from every network but a loopback
    /// interface of its own, if it has that.
    pub fn is_without_network(&self) -> bool {
        match &self.syscalls.unseparated {
            None => self.namespaces.network,
            Some(unseparated) => !unseparated.network,
        }
    }
}

/// The means by which an application is confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Namespaces, and landlock and the filter behind them.
    Namespaces,
    /// Landlock and the filter alone, on hosts that refuse namespaces and
    /// only where the person asks for it.
    Landlock,
}

impl Tier {
    /// The version of landlock below which [`Tier::Landlock`] is impossible:
    /// the first that keeps signals inside.
    pub const LEAST_LANDLOCK: u32 = 6;
}

/// The version of [`Plan`]'s JSON.
pub const VERSION: u32 = 1;

/// The ids inside, which are those outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

/// Which namespaces are new. User (twice), mount, pid, ipc, uts and cgroup
/// always are, but for [`Tier::Landlock`], which has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespaces {
    /// Whether the network namespace is new, with only a loopback interface.
    pub network: bool,
    /// Where that was decided.
    pub network_origin: Origin,
    /// The host name inside; empty where the host's is left, in
    /// [`Tier::Landlock`].
    pub hostname: String,
    /// How many user namespaces may be made inside: 0 locks it.
    pub nested: u32,
}

/// A thing that is made on the host, by the caller's own rights, before the
/// sandbox is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStep {
    /// The folder, made with its missing parents.
    pub folder: AbsPath,
    /// The folder that already exists and that the walk starts from; nothing
    /// above it is made, and no link beneath it is followed.
    pub base: AbsPath,
    /// Its mode when it is made.
    pub mode: u32,
    /// Whose wish it is.
    pub origin: Origin,
}

/// One step of the tree and the statement that asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What to do.
    #[serde(flatten)]
    pub action: Action,
    /// Whose wish it is.
    pub origin: Origin,
}

/// File or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A folder.
    Folder,
    /// Anything else: a regular file, a socket, a device.
    File,
}

/// A content that is looked up when the plan is frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// What a small file of the system holds when the run begins. A copy costs
    /// a third of what a mount does.
    Copy {
        /// The host's path, without any link in it.
        source: AbsPath,
    },
    /// What tells a portal whose sandbox this is: the application's id, and
    /// the number of the run.
    Identity {
        /// Whether it has the host's network.
        network: bool,
    },
    /// An X authority file that holds nothing but the cookie of one display.
    XCookie {
        /// The caller's authority file.
        authority: AbsPath,
        /// The display's number outside.
        display: u32,
    },
}

/// What a step does. A closed list: whoever adds a kind has to say what it
/// means everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Action {
    /// Mounts an empty file system in memory.
    Tmpfs {
        /// Where.
        dest: AbsPath,
        /// Mode of its root.
        mode: u32,
        /// Size in bytes; 0 is the kernel's default, half of the memory.
        size: u64,
    },
    /// Makes a folder.
    Folder {
        /// Where.
        dest: AbsPath,
        /// Its mode.
        mode: u32,
    },
    /// Makes a symbolic link.
    Link {
        /// Where.
        dest: AbsPath,
        /// What it holds.
        target: String,
    },
    /// Writes a file of Pinfold's own.
    Text {
        /// Where.
        dest: AbsPath,
        /// Its mode.
        mode: u32,
        /// What is in it.
        text: String,
    },
    /// Writes a file whose content belongs to one run only and is therefore
    /// no part of the plan.
    Fill {
        /// Where.
        dest: AbsPath,
        /// Its mode.
        mode: u32,
        /// What is put in.
        slot: Slot,
    },
    /// Shows a thing of the host.
    Bind {
        /// The host's path, without any link in it.
        source: AbsPath,
        /// Where.
        dest: AbsPath,
        /// What it is.
        kind: Kind,
        /// Whether it can be changed.
        write: bool,
        /// Whether programs in it can be executed.
        exec: bool,
        /// Whether device files in it work.
        device: bool,
    },
    /// Covers a thing with an empty read-only one of the same kind.
    Close {
        /// What is covered.
        dest: AbsPath,
        /// What it is.
        kind: Kind,
    },
    /// Mounts a proc of the sandbox's own pid namespace.
    Proc {
        /// Where.
        dest: AbsPath,
    },
    /// Makes what stands at a path of the tree read-only with all beneath it.
    ReadOnly {
        /// What.
        dest: AbsPath,
    },
    /// Mounts pseudo-terminals of the sandbox's own.
    DevPts {
        /// Where.
        dest: AbsPath,
    },
    /// Makes the socket behind which the filter stands before a bus.
    Listen {
        /// Where.
        dest: AbsPath,
        /// Which bus.
        bus: Bus,
    },
}

impl Action {
    /// The path inside that the action is about.
    pub fn dest(&self) -> &AbsPath {
        match self {
            Action::Tmpfs { dest, .. }
            | Action::Folder { dest, .. }
            | Action::Link { dest, .. }
            | Action::Text { dest, .. }
            | Action::Fill { dest, .. }
            | Action::Bind { dest, .. }
            | Action::Close { dest, .. }
            | Action::Proc { dest }
            | Action::ReadOnly { dest }
            | Action::DevPts { dest }
            | Action::Listen { dest, .. } => dest,
        }
    }
}

/// What landlock lets through beneath an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// List folders.
    List,
    /// Read files and list folders.
    Read,
    /// The same, and execute.
    ReadExec,
    /// Everything but executing and making devices.
    Write,
    /// Everything but making devices.
    WriteExec,
    /// Use what is there: read, write and control devices and /proc, list
    /// folders; make and remove nothing.
    Use,
}

/// An object that a landlock rule hangs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LandlockObject {
    /// A source of a bind, by its place on the host.
    Host(AbsPath),
    /// A thing that only the sandbox has, by its place inside.
    Inside(AbsPath),
    /// An entry of the folder that the application's own process has in the
    /// host's /proc.
    OwnProcess(String),
}

/// One landlock rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandlockRule {
    /// The object.
    pub object: LandlockObject,
    /// File or folder.
    pub kind: Kind,
    /// What is allowed at and beneath it.
    pub access: Access,
}

/// The landlock ruleset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LandlockPlan {
    /// Whether less than all of it is accepted.
    pub mode: LandlockMode,
    /// Where that was stated.
    pub origin: Origin,
    /// Whether files and folders are governed at all. They are not where
    /// containers may be nested inside, since a landlocked process cannot
    /// mount.
    pub files: bool,
    /// The rules.
    pub rules: Vec<LandlockRule>,
    /// TCP ports that may be connected to; none stated is all.
    pub connect: Option<Vec<u16>>,
    /// TCP ports that may be bound; none stated is all.
    pub listen: Option<Vec<u16>>,
}

/// What the system call filter lets through beyond its core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyscallPlan {
    /// Which further sandboxes may be built inside.
    pub nested: Nested,
    /// Groups that are let through.
    pub features: Vec<SyscallFeature>,
    /// Whether landlock limits TCP ports, so that the ways past its check have
    /// to be shut.
    pub tcp_limited: bool,
    /// Whether landlock keeps signals inside. Where it does not, the call that
    /// reaches processes outside, those of the caller's process group, is
    /// refused.
    pub signals_scoped: bool,
    /// Whether files that give others their owner's rights when executed may
    /// be made. Not where the owner would be root, since the mounts on which
    /// such a file is harmless are only those of the sandbox.
    pub makes_set_id: bool,
    /// What has to be shut because no namespace separates the application
    /// from the host; none where namespaces do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseparated: Option<Unseparated>,
}

/// What the filter has to know of an application that has no namespaces. It
/// then refuses by itself what reaches other processes, shared memory and the
/// marks of files by name, and sockets as far as they are not stated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unseparated {
    /// Whether sockets of the host's network may be made.
    pub network: bool,
    /// Whether unix sockets may be made that can be connected by name. Only
    /// where landlock governs which.
    pub unix_sockets: bool,
}

/// A message bus of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bus {
    /// The one of the caller's desktop session.
    Session,
    /// The one of the whole system.
    System,
    /// The one of screen readers and their like.
    Accessibility,
}

/// What a rule lets through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BusAccess {
    /// The name is visible.
    See,
    /// The name can be talked to.
    Talk,
    /// The name can be owned.
    Own,
    /// Calls that fit: `[METHOD][@PATH][#ARGUMENT]`.
    Call(String),
    /// Signals that fit, by the same grammar.
    Broadcast(String),
}

/// One thing that the filter lets through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusRule {
    /// A well-known name; with `.*` behind it that and all names beneath it,
    /// with `*` alone all names that start so.
    pub name: String,
    /// What of it.
    pub allow: BusAccess,
    /// Whose wish it is.
    pub origin: Origin,
}

/// A bus and what the application may do there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusPlan {
    /// Which bus.
    pub bus: Bus,
    /// Where the filter reaches it, seen from its own root.
    pub address: BusAddress,
    /// What passes; everything else is refused.
    pub rules: Vec<BusRule>,
    /// Who granted the bus.
    pub origin: Origin,
}

/// The process that stands between the application and the buses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterPlan {
    /// Its own root, in which there is nothing else.
    pub tree: Vec<Step>,
    /// Whether it keeps the host's network namespace, to which abstract
    /// addresses belong.
    pub host_network: bool,
    /// The buses.
    pub buses: Vec<BusPlan>,
}

/// What is executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessPlan {
    /// The program's path inside.
    pub program: AbsPath,
    /// Its arguments, its name first.
    pub arguments: Vec<String>,
    /// Its whole environment, in order of name.
    pub environment: Vec<(String, String)>,
    /// The folder that it starts in.
    pub cwd: AbsPath,
    /// The compositor's socket, where the launcher itself connects to it and
    /// hands the connection over in `WAYLAND_SOCKET`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compositor: Option<AbsPath>,
    /// Where the command was stated.
    pub origin: Origin,
    /// What it and all that it starts are held to.
    pub limits: Limits,
}

/// Limits that each process carries along, by `setrlimit(2)` and its like. No
/// value is the caller's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Open descriptors of each process.
    pub open_files: Option<u64>,
    /// The size in bytes of each file that is written.
    pub file_size: Option<u64>,
    /// The size in bytes of a core dump.
    pub core: Option<u64>,
    /// Processes and threads of the whole sandbox: the kernel counts them for
    /// each user namespace (Linux 5.14).
    pub tasks: Option<u64>,
    /// How nice it is to others, from -20 to 19.
    pub nice: Option<i32>,
    /// How readily the kernel ends it when memory runs out, from -1000 to 1000.
    pub oom_score: Option<i32>,
    /// After how many seconds the sandbox is ended.
    pub timeout: Option<u64>,
}

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Worth knowing when one looks for it (`show`, `-v`).
    Info,
    /// Said at every run.
    Notice,
    /// Said at every run, as a warning.
    Warning,
}

/// Something that a person should be able to learn about this plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// How much it matters.
    pub weight: Weight,
    /// One sentence.
    pub text: String,
    /// The statement that it is about.
    pub origin: Option<Origin>,
    /// What can be done about it.
    pub hint: Option<String>,
}
