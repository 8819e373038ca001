//! From a plan to what the child can use: C strings, witness descriptors,
//! integers, filter words and landlock rules. Floor 5.
//!
//! Everything that may allocate, format or fail in an interesting way happens
//! here, before the clone. What is left for the child is to walk over the
//! result. The sources of binds are opened here too, but only as witnesses:
//! a descriptor that was opened before the clone belongs to the launcher's
//! mount namespace and can be neither cloned nor bound in the child's
//! (EINVAL). The child opens each source again and compares.

pub mod authority;
pub mod folders;
pub mod landlock;
pub mod seccomp;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::OwnedFd;

use crate::host::HostFs;
use crate::model::barrier::{Barrier, Barriers};
use crate::model::origin::Origin;
use crate::model::path::AbsPath;
use crate::model::permission::Nested;
use crate::model::plan::{Action, Kind, Plan, Slot};
use crate::report::{Code, Diagnostic};
use crate::sys::confine::Instruction;
use crate::sys::mount::Attributes;
use crate::sys::path::Identity;
use crate::sys::process::{NewNamespaces, StringArray};

use landlock::FrozenLandlock;

/// A host object that is shown, as the launcher saw it.
pub struct Source {
    /// Its path relative to the host's root.
    pub path: CString,
    /// What it was when the plan was frozen.
    pub identity: Identity,
}

/// One step of the tree, ready to be carried out.
pub struct FrozenStep {
    /// The folder that holds the place: an index into [`Frozen::parents`].
    pub parent: usize,
    /// The place's name in that folder.
    pub name: CString,
    /// Whether the place lies in the application's own home, where an earlier
    /// run may have left anything.
    pub in_home: bool,
    /// What to do.
    pub operation: Operation,
}

/// What a step does.
pub enum Operation {
    /// A file system in memory.
    Tmpfs {
        /// `mode=` in octal.
        mode: CString,
        /// `size=` in bytes; none for the kernel's default.
        size: Option<CString>,
    },
    /// A folder.
    Folder {
        /// Its mode.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// What it holds.
        target: CString,
    },
    /// A file of Pinfold's own.
    Text {
        /// Its mode.
        mode: u32,
        /// Its content.
        content: Vec<u8>,
    },
    /// A thing of the host.
    Bind {
        /// Index into [`Frozen::sources`].
        source: usize,
        /// Whether it is a folder.
        folder: bool,
        /// What is taken away from it.
        attributes: Attributes,
    },
    /// An empty, unreadable cover.
    Close {
        /// Whether it covers a folder.
        folder: bool,
    },
    /// /proc.
    Proc,
    /// Read-only from here down.
    ReadOnly,
    /// Pseudo-terminals.
    DevPts,
}

/// A plan that is ready for the child.
pub struct Frozen {
    /// What the clone makes.
    pub namespaces: NewNamespaces,
    /// Whether no user namespace may be made inside.
    pub locks_user_namespaces: bool,
    /// A line of `uid_map`.
    pub uid_map: Vec<u8>,
    /// A line of `gid_map`.
    pub gid_map: Vec<u8>,
    /// The host name inside.
    pub hostname: Vec<u8>,
    /// What is shown of the host.
    pub sources: Vec<Source>,
    /// Folders of the tree that hold places, relative to its root.
    pub parents: Vec<CString>,
    /// The steps; index for index those of [`Plan::tree`].
    pub steps: Vec<FrozenStep>,
    /// The landlock ruleset, where the kernel has one.
    pub landlock: Option<FrozenLandlock>,
    /// The system call filter.
    pub filter: Vec<Instruction>,
    /// The program.
    pub program: CString,
    /// Its arguments.
    pub arguments: StringArray,
    /// Its environment.
    pub environment: StringArray,
    /// Where it starts.
    pub cwd: CString,
    /// Where it starts when that cannot be entered.
    pub home: CString,
    /// The one descriptor beyond 2 that the application keeps.
    pub kept: Option<i32>,
    /// Whether the child tells the time of each part.
    pub timed: bool,
    /// What is left out; nothing in a release build.
    pub without: Barriers,
}

/// A text for the kernel. Every text of a plan has been checked to hold no
/// NUL; one that does all the same is a bug.
fn c_string(text: &str) -> Result<CString, Diagnostic> {
    CString::new(text)
        .map_err(|_| Diagnostic::error(Code::Bug, format!("a NUL in a text of the plan: {text:?}")))
}

fn relative(path: &AbsPath) -> Result<CString, Diagnostic> {
    match path.as_str() {
        "/" => c_string("."),
        path => c_string(&path[1..]),
    }
}

/// Readies a plan, with the barriers that a debug build may leave out.
///
/// # Errors
/// The first thing of the plan that this host does not have as the plan says.
pub fn freeze(
    plan: &Plan,
    fs: &HostFs,
    landlock_abi: u32,
    without: Barriers,
) -> Result<Frozen, Diagnostic> {
    let mut sources = Vec::new();
    let mut witnesses: BTreeMap<&AbsPath, OwnedFd> = BTreeMap::new();
    let mut parents: Vec<CString> = Vec::new();
    let mut known: BTreeMap<AbsPath, usize> = BTreeMap::new();
    let mut steps = Vec::with_capacity(plan.tree.len());
    let own = own_places(plan);
    for step in &plan.tree {
        let dest = step.action.dest();
        let parent_path = dest.parent().unwrap_or_else(AbsPath::root);
        let parent = match known.get(&parent_path) {
            Some(parent) => *parent,
            None => {
                parents.push(relative(&parent_path)?);
                known.insert(parent_path, parents.len() - 1);
                parents.len() - 1
            }
        };
        let operation = match &step.action {
            Action::Tmpfs { mode, size, .. } => Operation::Tmpfs {
                mode: c_string(&format!("{mode:o}"))?,
                size: if *size == 0 { None } else { Some(c_string(&size.to_string())?) },
            },
            Action::Folder { mode, .. } => Operation::Folder { mode: *mode },
            Action::Link { target, .. } => Operation::Link { target: c_string(target)? },
            Action::Text { mode, text, .. } => {
                Operation::Text { mode: *mode, content: text.clone().into_bytes() }
            }
            Action::Fill { mode, slot, .. } => {
                let content = match slot {
                    Slot::XCookie { authority, display } => {
                        authority::cookie(fs, authority, *display)
                    }
                    Slot::Copy { source } => copy(fs, source, &step.origin)?,
                };
                Operation::Text { mode: *mode, content }
            }
            Action::Bind { source, kind, write, exec, device, .. } => {
                let (identity, witness) = witness(fs, source, *kind, &step.origin)?;
                sources.push(Source { path: relative(source)?, identity });
                witnesses.insert(source, witness);
                // Devices and sockets are used all the same on a read-only
                // mount; their mode, owner and times are then out of reach.
                // The owner may else shut the compositor's socket to all.
                let write = *write && !*device && !identity.is_socket();
                let mut attributes = Attributes::MOUNT_ATTR_NOSUID;
                attributes.set(Attributes::MOUNT_ATTR_RDONLY, !write);
                attributes.set(Attributes::MOUNT_ATTR_NOEXEC, !exec);
                attributes.set(Attributes::MOUNT_ATTR_NODEV, !device);
                Operation::Bind {
                    source: sources.len() - 1,
                    folder: *kind == Kind::Folder,
                    attributes,
                }
            }
            Action::Close { kind, .. } => Operation::Close { folder: *kind == Kind::Folder },
            Action::Proc { .. } => Operation::Proc,
            Action::ReadOnly { .. } => Operation::ReadOnly,
            Action::DevPts { .. } => Operation::DevPts,
        };
        steps.push(FrozenStep {
            parent,
            name: c_string(dest.file_name())?,
            in_home: own.iter().any(|place| dest.is_beneath(place)),
            operation,
        });
    }
    let process = &plan.process;
    let texts =
        |list: &[String]| list.iter().map(|text| c_string(text)).collect::<Result<Vec<_>, _>>();
    let environment = process
        .environment
        .iter()
        .map(|(name, value)| c_string(&format!("{name}={value}")))
        .collect::<Result<Vec<_>, _>>()?;
    let variable = |name: &str| {
        process.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    };
    let Some(arch) = seccomp::Arch::native() else {
        return Err(Diagnostic::error(
            Code::HostKernel,
            "there is no system call filter for this processor, so nothing is started",
        ));
    };
    Ok(Frozen {
        namespaces: NewNamespaces {
            network: plan.namespaces.network && !without.has(Barrier::Network),
            processes: !without.has(Barrier::Processes),
            ipc: !without.has(Barrier::Ipc),
        },
        locks_user_namespaces: plan.syscalls.nested == Nested::None
            && !without.has(Barrier::UserNamespaces),
        uid_map: format!("{0} {0} 1\n", plan.identity.uid).into_bytes(),
        gid_map: format!("{0} {0} 1\n", plan.identity.gid).into_bytes(),
        hostname: plan.namespaces.hostname.clone().into_bytes(),
        landlock: landlock::freeze(&plan.landlock, &witnesses, landlock_abi)?,
        filter: seccomp::program(&plan.syscalls, arch),
        sources,
        parents,
        steps,
        program: c_string(process.program.as_str())?,
        arguments: StringArray::new(texts(&process.arguments)?),
        environment: StringArray::new(environment),
        cwd: c_string(process.cwd.as_str())?,
        home: c_string(variable("HOME").unwrap_or("/"))?,
        kept: variable("WAYLAND_SOCKET").map(kept).transpose()?,
        timed: false,
        without,
    })
}

/// No file that is copied is larger.
const LARGEST_COPY: usize = 1 << 20;

/// What a file of the system holds.
fn copy(fs: &HostFs, source: &AbsPath, origin: &Origin) -> Result<Vec<u8>, Diagnostic> {
    fs.read_bytes(source, LARGEST_COPY).map_err(|error| {
        Diagnostic::error(Code::StepFailed, format!("cannot copy {source}"))
            .at(origin)
            .because(error)
    })
}

/// The descriptor of a compositor's connection that the caller handed down.
/// Anything else of that number stays shut: a folder would lead out of the
/// sandbox, and what the launcher itself has open is no such connection.
fn kept(number: &str) -> Result<i32, Diagnostic> {
    number
        .parse()
        .ok()
        .filter(|number| *number > 2 && crate::sys::fd::is_connection(*number))
        .ok_or_else(|| {
            Diagnostic::error(
                Code::HostEnvironment,
                format!("WAYLAND_SOCKET is {number}, which is no connection to a compositor"),
            )
            .hint("unset it; WAYLAND_DISPLAY names a compositor by its socket")
        })
}

/// Opens a source and remembers what it is.
fn witness(
    fs: &HostFs,
    source: &AbsPath,
    kind: Kind,
    origin: &Origin,
) -> Result<(Identity, OwnedFd), Diagnostic> {
    let failed = |errno: crate::sys::Errno| {
        Diagnostic::error(Code::StepFailed, format!("cannot open {source} to show it"))
            .at(origin)
            .because(errno)
    };
    let fd = crate::sys::path::open_object(fs.root_fd(), &relative(source)?).map_err(failed)?;
    let identity = crate::sys::path::identity(std::os::fd::AsFd::as_fd(&fd)).map_err(failed)?;
    if identity.is_folder() != (kind == Kind::Folder) {
        return Err(Diagnostic::error(
            Code::StepFailed,
            format!("{source} has changed its kind while the sandbox was planned"),
        )
        .at(origin));
    }
    Ok((identity, fd))
}

/// The mode by which a folder of the application's own is told from one that
/// `create` makes for everybody.
const OWN: u32 = 0o700;

/// The places of what outlives runs and is the application's own: its home,
/// or the parts of it that are kept.
fn own_places(plan: &Plan) -> Vec<&AbsPath> {
    let own =
        |source: &AbsPath| plan.host.iter().any(|made| made.mode == OWN && made.folder == *source);
    plan.tree
        .iter()
        .filter_map(|step| match &step.action {
            Action::Bind { dest, source, write: true, kind: Kind::Folder, .. } if own(source) => {
                Some(dest)
            }
            _ => None,
        })
        .collect()
}
