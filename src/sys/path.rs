//! Opening things without following what somebody may have planted.

use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};

use super::Result;

/// What makes an object the same object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Device of the file system.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// The file type bits of its mode.
    pub kind: u32,
}

impl Identity {
    /// Whether it is a folder.
    pub fn is_folder(self) -> bool {
        self.kind == libc::S_IFDIR
    }

    /// Whether it is a socket.
    pub fn is_socket(self) -> bool {
        self.kind == libc::S_IFSOCK
    }
}

/// Opens the object at `path` beneath `root` as a handle (`O_PATH`), with no
/// link anywhere in the path and none of /proc's magic ones.
///
/// # Errors
/// Those of `openat2(2)`: ELOOP where a link stands in the way.
pub fn open_object(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd> {
    rustix::fs::openat2(
        root,
        path,
        OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
}

/// Opens a folder inside a tree of our own: `path` cannot leave `root`, and
/// no link in it is followed.
///
/// # Errors
/// Those of `openat2(2)`.
pub fn open_folder_inside(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd> {
    rustix::fs::openat2(
        root,
        path,
        OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::DIRECTORY,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::BENEATH,
    )
}

/// Opens the object at `path` in a tree of our own, whose root is `root` also
/// for a path that begins with a slash; no link in it is followed.
///
/// # Errors
/// Those of `openat2(2)`.
pub fn open_object_inside(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd> {
    rustix::fs::openat2(
        root,
        path,
        OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
        ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::IN_ROOT,
    )
}

/// Opens a file for reading; neither `path` nor a link in it can lead out of
/// `root`. One that blocks, as a FIFO does, is opened without waiting.
///
/// # Errors
/// Those of `openat2(2)`: EXDEV where a link leads out.
pub fn open_file_inside(root: BorrowedFd<'_>, path: &CStr) -> Result<OwnedFd> {
    rustix::fs::openat2(
        root,
        path,
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS,
    )
}

/// Opens `name` in `dir` as a handle; a link is opened itself, not followed.
///
/// # Errors
/// Those of `openat(2)`.
pub fn open_name(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd> {
    rustix::fs::openat(dir, name, OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())
}

/// The identity of what `fd` is open on.
///
/// # Errors
/// Those of `fstat(2)`.
pub fn identity(fd: BorrowedFd<'_>) -> Result<Identity> {
    let stat = rustix::fs::fstat(fd)?;
    Ok(Identity { device: stat.st_dev, inode: stat.st_ino, kind: stat.st_mode & libc::S_IFMT })
}

/// The type of what stands at `name` in `dir`, links not followed.
///
/// # Errors
/// Those of `fstatat(2)`.
pub fn type_at(dir: BorrowedFd<'_>, name: &CStr) -> Result<FileType> {
    let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}
