//! The mount calls by descriptor (Linux 5.2 and 5.12): nothing here takes a
//! path of the host that could be walked a second time.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};

use super::{Errno, Result, checked};

/// Mount attributes; the numbers are those of `mount_setattr(2)`.
pub type Attributes = MountAttrFlags;

/// The attributes as `struct mount_attr` (`linux/mount.h`) has them.
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

const MS_PRIVATE: u64 = 1 << 18;

/// Clones the mount tree that is at `fd` into a detached one. Always with all
/// mounts beneath: a clone that would leave out locked mounts is refused by
/// the kernel (EINVAL).
///
/// # Errors
/// Those of `open_tree(2)`; EINVAL when `fd` belongs to another mount
/// namespace.
pub fn clone_tree(fd: BorrowedFd<'_>) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    rustix::mount::open_tree(fd, c"", flags)
}

/// Clones what stands at `name` in the folder `dir`, without following a
/// link, into a detached tree.
///
/// # Errors
/// Those of `open_tree(2)`.
pub fn clone_tree_at(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_SYMLINK_NOFOLLOW
        | OpenTreeFlags::AT_RECURSIVE;
    rustix::mount::open_tree(dir, name, flags)
}

/// Sets attributes of the mount at `fd`, and of all beneath it when
/// `recursive`; the tree also leaves every peer group.
///
/// # Errors
/// Those of `mount_setattr(2)`; ENOSYS before Linux 5.12.
pub fn set_attributes(fd: BorrowedFd<'_>, set: Attributes, recursive: bool) -> Result<()> {
    let attr = MountAttr {
        attr_set: u64::from(set.bits()),
        attr_clr: 0,
        propagation: MS_PRIVATE,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a static C string, `attr` is a live struct
    // mount_attr of the size that is given, and the kernel only reads both.
    checked(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    })?;
    Ok(())
}

/// Attaches a detached tree at `name` in the folder `dir`; a link in that
/// place is not followed.
///
/// # Errors
/// Those of `move_mount(2)`; EINVAL before Linux 6.15 when `dir` is in a
/// detached tree itself.
pub fn attach(tree: BorrowedFd<'_>, dir: BorrowedFd<'_>, name: &CStr) -> Result<()> {
    rustix::mount::move_mount(tree, c"", dir, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Attaches a detached tree on what `place` is open on.
///
/// # Errors
/// As [`attach`].
pub fn attach_on(tree: BorrowedFd<'_>, place: BorrowedFd<'_>) -> Result<()> {
    rustix::mount::move_mount(
        tree,
        c"",
        place,
        c"",
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH,
    )
}

/// An option of a new file system.
#[derive(Debug, Clone, Copy)]
pub struct FsOption<'a> {
    /// Its key.
    pub key: &'a CStr,
    /// Its value.
    pub value: &'a CStr,
}

/// Makes a file system of a kind that needs no source and gives its detached
/// mount.
///
/// # Errors
/// Those of `fsopen(2)`, `fsconfig(2)` and `fsmount(2)`.
pub fn new_fs(kind: &CStr, options: &[FsOption<'_>], attributes: Attributes) -> Result<OwnedFd> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for option in options {
        rustix::mount::fsconfig_set_string(context.as_fd(), option.key, option.value)?;
    }
    rustix::mount::fsconfig_create(context.as_fd())?;
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Attaches the finished tree over the old root, makes it the root and lets
/// go of everything that was mounted before.
///
/// # Errors
/// Those of `move_mount(2)`, `pivot_root(2)` and `umount2(2)`.
pub fn become_root(tree: BorrowedFd<'_>, attached: bool) -> Result<()> {
    if !attached {
        attach(tree, CWD, c"/")?;
    }
    rustix::process::fchdir(tree)?;
    // The new root is stacked on the old one, so both arguments name the same
    // place; the kernel then puts the old root beneath the new one's top.
    rustix::process::pivot_root(c".", c".")?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
    rustix::process::chdir(c"/")
}

/// Whether the kernel can mount into a tree that is itself not attached
/// (Linux 6.15) is only known by trying: this tells the refusal apart.
pub fn is_refused_detached(errno: Errno) -> bool {
    errno == Errno::INVAL
}
