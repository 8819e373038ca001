//! A file tree that is ready to be made.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::OwnedFd;

use crate::host::HostFs;
use crate::model::origin::Origin;
use crate::model::path::AbsPath;
use crate::model::plan::{Action, Bus, Kind, Slot, Step};
use crate::report::{Code, Diagnostic};
use crate::sys::mount::Attributes;
use crate::sys::path::Identity;

use super::{Here, authority, c_string};

/// The sources of a tree's binds by their places on the host, open.
pub type Witnesses<'a> = BTreeMap<&'a AbsPath, OwnedFd>;

/// A host object that is shown, as the launcher saw it.
pub struct Source {
    /// Its path relative to the host's root.
    pub path: CString,
    /// What it was when the plan was frozen.
    pub identity: Identity,
}

/// One step of the tree, ready to be carried out.
pub struct FrozenStep {
    /// The folder that holds the place: an index into [`FrozenTree::parents`].
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
        /// Index into [`FrozenTree::sources`].
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
    /// A socket that the filter before a bus accepts on.
    Listen {
        /// Which bus.
        bus: Bus,
    },
}

/// A file tree.
pub struct FrozenTree {
    /// What is shown of the host.
    pub sources: Vec<Source>,
    /// Folders of the tree that hold places, relative to its root.
    pub parents: Vec<CString>,
    /// The steps; index for index those of the plan.
    pub steps: Vec<FrozenStep>,
}

/// A path of the host from its root.
pub(super) fn relative(path: &AbsPath) -> Result<CString, Diagnostic> {
    match path.as_str() {
        "/" => c_string("."),
        path => c_string(&path[1..]),
    }
}

/// Readies the steps of a tree. `own` are the places of what outlives runs and
/// is the application's own.
///
/// # Errors
/// The first thing that this host does not have as the plan says.
pub fn freeze<'a>(
    tree: &'a [Step],
    fs: &HostFs,
    own: &[&AbsPath],
    here: &Here<'_>,
) -> Result<(FrozenTree, Witnesses<'a>), Diagnostic> {
    let mut sources = Vec::new();
    let mut witnesses: Witnesses<'a> = BTreeMap::new();
    let mut parents: Vec<CString> = Vec::new();
    let mut known: BTreeMap<AbsPath, usize> = BTreeMap::new();
    let mut steps = Vec::with_capacity(tree.len());
    for step in tree {
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
                    Slot::Identity { network } => identity(here, *network),
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
            Action::Listen { bus, .. } => Operation::Listen { bus: *bus },
        };
        steps.push(FrozenStep {
            parent,
            name: c_string(dest.file_name())?,
            in_home: own.iter().any(|place| dest.is_beneath(place)),
            operation,
        });
    }
    Ok((FrozenTree { sources, parents, steps }, witnesses))
}

/// What portals read of a sandbox, in the form that Flatpak gave it
/// (`flatpak-metadata(5)`, and `xdp-app-info` of xdg-desktop-portal).
pub fn identity(here: &Here<'_>, network: bool) -> Vec<u8> {
    let shared = if network { "network;" } else { "" };
    format!(
        "[Application]\nname={}\n\n[Instance]\ninstance-id={}\n\n[Context]\nshared={shared}\n",
        here.app, here.instance
    )
    .into_bytes()
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
