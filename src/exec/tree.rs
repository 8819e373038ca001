//! Makes a file tree from its frozen steps: what the child's new root is, and
//! that of the process before the buses.
//!
//! Nothing here allocates, formats, locks or panics. Sources are opened again
//! in the child's own mount namespace and compared with what the launcher
//! saw; places are opened beneath the new root, by descriptor, so that nothing
//! that an earlier run left in the application's home leads out of it.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};

use crate::freeze::tree::{FrozenStep, FrozenTree, Operation};
use crate::model::barrier::{Barrier, Barriers};
use crate::sys::mount::{self, Attributes, FsOption};
use crate::sys::{Errno, net, path, remount};

use super::handshake::{self, Failure, In, Outcome, Phase};

/// `PROC_SUPER_MAGIC` of `linux/magic.h`.
const PROC_MAGIC: i64 = 0x9fa0;

/// The tree while it is made.
pub struct Tree<'a> {
    /// What is made.
    frozen: &'a FrozenTree,
    /// What else decides how.
    terms: Terms<'a>,
    /// The host's root in this mount namespace.
    host: BorrowedFd<'a>,
    /// The new root.
    pub root: OwnedFd,
    /// Whether the new root is mounted over the old one already: before Linux
    /// 6.15 nothing can be mounted into a tree that is not.
    pub attached: bool,
    /// The sandbox's own procfs.
    pub proc: Option<OwnedFd>,
    /// Whether the empty covers have been made.
    covers: bool,
    /// The host's procfs, where the kernel (before Linux 5.12) sets attributes
    /// of attached mounts only, and by a path.
    remounts: Option<OwnedFd>,
}

/// How a tree is made, beyond its steps.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Whether no user namespace may be made inside.
    pub locks_user_namespaces: bool,
    /// Whether this is a pid namespace of its own, which alone can have a
    /// /proc.
    pub own_processes: bool,
    /// What a debug build leaves out.
    pub without: Barriers,
    /// Where sockets go that the filter before the buses accepts on.
    pub filter: Option<BorrowedFd<'a>>,
}

/// What is taken from a mount that can only be looked at.
const SEALED: Attributes = Attributes::MOUNT_ATTR_RDONLY
    .union(Attributes::MOUNT_ATTR_NOSUID)
    .union(Attributes::MOUNT_ATTR_NODEV)
    .union(Attributes::MOUNT_ATTR_NOEXEC);

/// Names of the covers in the new root while it is made.
const COVER_FILE: &CStr = c".cover-file";
const COVER_FOLDER: &CStr = c".cover-folder";

impl<'a> Tree<'a> {
    /// Makes the whole tree beneath a root that nothing else can see yet, and
    /// makes that root read-only.
    ///
    /// # Errors
    /// What could not be done.
    pub fn build(
        frozen: &'a FrozenTree,
        terms: Terms<'a>,
        host: BorrowedFd<'a>,
    ) -> Outcome<Tree<'a>> {
        let root = mount::new_fs(
            c"tmpfs",
            &[FsOption { key: c"mode", value: c"0755" }],
            Attributes::MOUNT_ATTR_NOSUID | Attributes::MOUNT_ATTR_NODEV,
        )
        .during(Phase::Root)?;
        let mut tree = Tree {
            frozen,
            terms,
            host,
            root,
            attached: false,
            proc: None,
            covers: false,
            remounts: None,
        };
        tree.make()?;
        tree.shut().during(Phase::ReadOnlyRoot)?;
        Ok(tree)
    }

    fn make(&mut self) -> Outcome {
        let mut parent: Option<(usize, OwnedFd)> = None;
        for (index, step) in self.frozen.steps.iter().enumerate() {
            let fail = |errno| Failure { phase: Phase::Step, step: index as u32, errno };
            // Neighbours share a folder: it is opened once.
            let folder = match parent.take() {
                Some((at, fd)) if at == step.parent => fd,
                _ => path::open_folder_inside(self.root.as_fd(), &self.frozen.parents[step.parent])
                    .map_err(fail)?,
            };
            self.step(step, folder.as_fd()).map_err(fail)?;
            // A mount may now lie over the folder that is open.
            parent = Some((step.parent, folder));
        }
        if self.covers {
            let done = rustix::fs::unlinkat(&self.root, COVER_FILE, AtFlags::empty())
                .and_then(|()| rustix::fs::unlinkat(&self.root, COVER_FOLDER, AtFlags::REMOVEDIR));
            done.during(Phase::ReadOnlyRoot)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &FrozenStep, folder: BorrowedFd<'_>) -> Result<(), Errno> {
        match &step.operation {
            Operation::Tmpfs { mode, size } => {
                let options = [
                    FsOption { key: c"mode", value: mode },
                    FsOption { key: c"size", value: size.as_deref().unwrap_or(c"") },
                ];
                let count = if size.is_some() { 2 } else { 1 };
                let tree = mount::new_fs(
                    c"tmpfs",
                    &options[..count],
                    Attributes::MOUNT_ATTR_NOSUID | Attributes::MOUNT_ATTR_NODEV,
                )?;
                self.place(&tree, step, folder, true)
            }
            Operation::Folder { mode } => {
                self.make_folder(step, folder, Mode::from_raw_mode(*mode)).map(drop)
            }
            Operation::Link { target } => rustix::fs::symlinkat(target, folder, &step.name),
            Operation::Text { mode, content } => write_text(step, folder, *mode, content),
            Operation::Bind { source, folder: is_folder, attributes } => {
                let source = &self.frozen.sources[*source];
                let object = path::open_object(self.host, &source.path)?;
                if path::identity(object.as_fd())? != source.identity
                    && !self.terms.without.has(Barrier::Witnesses)
                {
                    // Somebody put another object in its place since it was
                    // looked at.
                    return Err(Errno::STALE);
                }
                let tree = mount::clone_tree(object.as_fd())?;
                self.limit_detached(&tree, *attributes)?;
                self.place(&tree, step, folder, *is_folder)?;
                self.limit_attached(&tree, *attributes)
            }
            Operation::Close { folder: is_folder } => self.cover(step, folder, *is_folder),
            Operation::Proc => {
                let tree = if self.terms.own_processes {
                    mount::new_fs(
                        c"proc",
                        &[],
                        Attributes::MOUNT_ATTR_NOSUID
                            | Attributes::MOUNT_ATTR_NODEV
                            | Attributes::MOUNT_ATTR_NOEXEC,
                    )?
                } else {
                    // Only who owns a pid namespace may mount its /proc.
                    mount::clone_tree_at(self.host, c"proc")?
                };
                if self.terms.locks_user_namespaces {
                    // One more may be made in this namespace: the inner one.
                    // Nothing inside that can lift the limit.
                    write_own(tree.as_fd(), c"sys/user/max_user_namespaces", b"1")?;
                }
                self.proc = Some(rustix::io::fcntl_dupfd_cloexec(&tree, 3)?);
                self.place(&tree, step, folder, true)
            }
            Operation::ReadOnly => {
                let tree = mount::clone_tree_at(folder, &step.name)?;
                self.put_over(&tree, step, folder)
            }
            Operation::DevPts => {
                let tree = mount::new_fs(
                    c"devpts",
                    &[
                        FsOption { key: c"ptmxmode", value: c"0666" },
                        FsOption { key: c"mode", value: c"0620" },
                    ],
                    Attributes::MOUNT_ATTR_NOSUID | Attributes::MOUNT_ATTR_NOEXEC,
                )?;
                self.place(&tree, step, folder, true)
            }
            Operation::Listen { bus } => {
                // A relative name has no length to run out of, and the folder
                // is the one that was opened.
                rustix::process::fchdir(folder)?;
                let door = net::listen_here(&step.name)?;
                let filter = self.terms.filter.ok_or(Errno::NOTCONN)?;
                handshake::send_door(filter, *bus, door.as_fd())
            }
        }
    }

    /// Mounts a tree in its place, which is made if it is not there.
    fn place(
        &mut self,
        tree: &OwnedFd,
        step: &FrozenStep,
        folder: BorrowedFd<'_>,
        is_folder: bool,
    ) -> Result<(), Errno> {
        let held = if is_folder {
            self.make_folder(step, folder, Mode::from_raw_mode(0o755))?
        } else {
            make_file(step, folder)?
        };
        match self.attach(tree, step, folder, held.as_ref()) {
            Err(errno) if mount::is_refused_detached(errno) && !self.attached => {
                self.attach_root()?;
                self.attach(tree, step, folder, held.as_ref())
            }
            other => other,
        }
    }

    fn attach(
        &self,
        tree: &OwnedFd,
        step: &FrozenStep,
        folder: BorrowedFd<'_>,
        held: Option<&OwnedFd>,
    ) -> Result<(), Errno> {
        match held {
            Some(place) => mount::attach_on(tree.as_fd(), place.as_fd()),
            None => mount::attach(tree.as_fd(), folder, &step.name),
        }
    }

    /// Makes a folder. In the application's own home, where anything may
    /// stand in its place, the folder is given back open, so that what is
    /// mounted on it is what was looked at.
    fn make_folder(
        &self,
        step: &FrozenStep,
        folder: BorrowedFd<'_>,
        mode: Mode,
    ) -> Result<Option<OwnedFd>, Errno> {
        match rustix::fs::mkdirat(folder, &step.name, mode) {
            Ok(()) if !step.in_home => return Ok(None),
            Ok(()) => {}
            Err(Errno::EXIST) if !step.in_home => return Ok(None),
            Err(Errno::EXIST) => {
                if path::type_at(folder, &step.name)? != FileType::Directory {
                    displace(folder, &step.name)?;
                    rustix::fs::mkdirat(folder, &step.name, mode)?;
                } else if matches!(step.operation, Operation::Folder { .. }) {
                    reopen(folder, &step.name)?;
                }
            }
            Err(errno) => return Err(errno),
        }
        held(folder, &step.name, true)
    }

    /// Covers what stands at a place.
    fn cover(
        &mut self,
        step: &FrozenStep,
        folder: BorrowedFd<'_>,
        is_folder: bool,
    ) -> Result<(), Errno> {
        if !self.covers {
            rustix::fs::mkdirat(&self.root, COVER_FOLDER, Mode::empty())?;
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::openat(&self.root, COVER_FILE, flags, Mode::empty())?;
            self.covers = true;
        }
        let name = if is_folder { COVER_FOLDER } else { COVER_FILE };
        let tree = mount::clone_tree_at(self.root.as_fd(), name)?;
        self.put_over(&tree, step, folder)
    }

    /// Mounts a sealed tree over what stands at a place.
    fn put_over(
        &mut self,
        tree: &OwnedFd,
        step: &FrozenStep,
        folder: BorrowedFd<'_>,
    ) -> Result<(), Errno> {
        self.limit_detached(tree, SEALED)?;
        mount::attach(tree.as_fd(), folder, &step.name)?;
        self.limit_attached(tree, SEALED)
    }

    /// Sets attributes of a tree before it is attached, so that it is never
    /// seen without them, if the kernel can.
    fn limit_detached(&mut self, tree: &OwnedFd, attributes: Attributes) -> Result<(), Errno> {
        if self.remounts.is_some() {
            return Ok(());
        }
        match mount::set_attributes(tree.as_fd(), attributes, true) {
            Err(Errno::NOSYS) => {
                self.remounts = Some(open_proc(self.host)?);
                self.attach_root()
            }
            other => other,
        }
    }

    /// Sets attributes of a tree that is attached, where that could not be
    /// done before. Nothing of the application runs yet.
    fn limit_attached(&self, tree: &OwnedFd, attributes: Attributes) -> Result<(), Errno> {
        let Some(proc) = &self.remounts else { return Ok(()) };
        let root = self.root.as_fd();
        remount::set_attributes(proc.as_fd(), root, tree.as_fd(), attributes, true)
    }

    /// Makes the root read-only, once everything is in it.
    fn shut(&self) -> Result<(), Errno> {
        let attributes = Attributes::MOUNT_ATTR_RDONLY
            | Attributes::MOUNT_ATTR_NOSUID
            | Attributes::MOUNT_ATTR_NODEV;
        let root = self.root.as_fd();
        match &self.remounts {
            None => mount::set_attributes(root, attributes, false),
            Some(proc) => remount::set_attributes(proc.as_fd(), root, root, attributes, false),
        }
    }

    fn attach_root(&mut self) -> Result<(), Errno> {
        if !self.attached {
            mount::attach(self.root.as_fd(), rustix::fs::CWD, c"/")?;
            self.attached = true;
        }
        Ok(())
    }
}

/// Opens the procfs of the host, whose root this is.
///
/// # Errors
/// Those of `openat2(2)`; NOTDIR where another file system is in its place.
pub fn open_proc(host: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let proc = path::open_object(host, c"proc")?;
    if rustix::fs::fstatfs(&proc)?.f_type as i64 != PROC_MAGIC {
        return Err(Errno::NOTDIR);
    }
    Ok(proc)
}

/// Lets the application through a folder of its home that an earlier run has
/// shut: what is granted further in has to be seen. The folder is changed by
/// descriptor, so that nothing else can take its place.
fn reopen(folder: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let shut = rustix::fs::openat(folder, name, flags, Mode::empty())?;
    let mode = Mode::from_raw_mode(rustix::fs::fstat(&shut)?.st_mode & 0o7777);
    if !mode.contains(Mode::RWXU) {
        rustix::fs::fchmod(&shut, mode | Mode::RWXU)?;
    }
    Ok(())
}

/// Opens a place in the application's home and checks its kind.
fn held(folder: BorrowedFd<'_>, name: &CStr, is_folder: bool) -> Result<Option<OwnedFd>, Errno> {
    let place = path::open_name(folder, name)?;
    if path::identity(place.as_fd())?.is_folder() != is_folder {
        return Err(Errno::STALE);
    }
    Ok(Some(place))
}

fn make_file(step: &FrozenStep, folder: BorrowedFd<'_>) -> Result<Option<OwnedFd>, Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o644);
    match rustix::fs::openat(folder, &step.name, flags, mode) {
        Ok(_) if !step.in_home => return Ok(None),
        Ok(_) => {}
        Err(Errno::EXIST) if !step.in_home => return Ok(None),
        Err(Errno::EXIST) => {
            if path::type_at(folder, &step.name)? != FileType::RegularFile {
                displace(folder, &step.name)?;
                rustix::fs::openat(folder, &step.name, flags, mode)?;
            }
        }
        Err(errno) => return Err(errno),
    }
    held(folder, &step.name, false)
}

fn write_text(
    step: &FrozenStep,
    folder: BorrowedFd<'_>,
    mode: u32,
    content: &[u8],
) -> Result<(), Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, &step.name, flags, Mode::from_raw_mode(mode))?;
    let mut rest = content;
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest)?;
        rest = &rest[written..];
    }
    Ok(())
}

/// Moves what an earlier run left in a place out of the way: a link goes, and
/// anything else is kept beside it under a free name.
fn displace(folder: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    if path::type_at(folder, name)? == FileType::Symlink {
        return rustix::fs::unlinkat(folder, name, AtFlags::empty());
    }
    const STEM: &[u8] = b".displaced-000-";
    let mut kept = [0u8; 256];
    let tail = name.to_bytes();
    let length = tail.len().min(255 - STEM.len());
    kept[..STEM.len()].copy_from_slice(STEM);
    kept[STEM.len()..STEM.len() + length].copy_from_slice(&tail[..length]);
    for number in 0..1000u32 {
        for (place, scale) in [(11, 100), (12, 10), (13, 1)] {
            kept[place] = b'0' + (number / scale % 10) as u8;
        }
        let Ok(new) = CStr::from_bytes_until_nul(&kept) else { return Err(Errno::INVAL) };
        match rustix::fs::renameat_with(folder, name, folder, new, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            other => return other,
        }
    }
    Err(Errno::EXIST)
}

/// Opens `name` of this process in a checked procfs and writes a line.
///
/// # Errors
/// Those of `openat(2)` and `write(2)`; EIO when not all was taken.
pub fn write_own(proc: BorrowedFd<'_>, name: &CStr, line: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::openat(proc, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::io::write(&file, line)? {
        length if length == line.len() => Ok(()),
        _ => Err(Errno::IO),
    }
}
