//! A read-only view of a host's files through one descriptor of its root.
//!
//! Every path is walked by the kernel from that descriptor and cannot leave
//! it, so a test can hand in a folder that only looks like a host. No call but
//! those that say "following" passes a symbolic link: the caller is told
//! (`ELOOP`) and decides for itself.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use crate::model::path::AbsPath;

/// How often a walk is begun anew when a rename elsewhere disturbs it.
const ATTEMPTS: usize = 16;

/// How statfs names the file system in memory (`TMPFS_MAGIC`).
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

/// `FUSE_SUPER_MAGIC` of `linux/magic.h`.
const FUSE: rustix::fs::FsWord = 0x6573_5546;

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeKind {
    /// A folder.
    Folder,
    /// A regular file.
    File,
    /// A symbolic link.
    Link,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
    /// Anything else, such as a pipe.
    Other,
}

impl From<FileType> for NodeKind {
    fn from(kind: FileType) -> NodeKind {
        match kind {
            FileType::Directory => NodeKind::Folder,
            FileType::RegularFile => NodeKind::File,
            FileType::Symlink => NodeKind::Link,
            FileType::Socket => NodeKind::Socket,
            FileType::CharacterDevice | FileType::BlockDevice => NodeKind::Device,
            _ => NodeKind::Other,
        }
    }
}

/// What is known about one object of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// The permission bits with set-id and sticky, without the kind.
    pub mode: u32,
    /// Its size in bytes.
    pub size: u64,
    /// The device that it lies on.
    pub device: u64,
    /// Its number on that device.
    pub inode: u64,
}

impl From<&Stat> for Node {
    fn from(stat: &Stat) -> Node {
        Node {
            kind: FileType::from_raw_mode(stat.st_mode).into(),
            uid: stat.st_uid,
            gid: stat.st_gid,
            mode: stat.st_mode & 0o7777,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}

/// What a folder holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Names and kinds, in order of name, without `.` and `..`.
    pub entries: Vec<(String, NodeKind)>,
    /// How many names were left out because no path of a policy can hold
    /// them: they are not UTF-8 or have a control character.
    pub skipped: usize,
}

impl IntoIterator for Listing {
    type Item = (String, NodeKind);
    type IntoIter = std::vec::IntoIter<(String, NodeKind)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// A read-only view of a host.
#[derive(Debug)]
pub struct HostFs {
    root: OwnedFd,
    /// The folder that was looked into last. Neighbours are asked about one
    /// after the other, and each then costs one call in place of three.
    last: RefCell<Option<(AbsPath, OwnedFd)>>,
}

/// What a walk does at a symbolic link.
#[derive(Clone, Copy)]
enum Links {
    Refuse,
    /// Follows them; an absolute target starts at the root of the view.
    Follow,
}

impl HostFs {
    /// The host that this process runs on.
    ///
    /// # Errors
    /// When `/` cannot be opened.
    pub fn real() -> io::Result<HostFs> {
        HostFs::at(Path::new("/"))
    }

    /// The folder `root` as if it were a host's root.
    ///
    /// # Errors
    /// When it cannot be opened or is no folder.
    pub fn at(root: &Path) -> io::Result<HostFs> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, root, flags, Mode::empty())?;
        Ok(HostFs { root, last: RefCell::new(None) })
    }

    /// The descriptor of the root.
    pub fn root_fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Looks at what a path names. A link as the last element is not followed:
    /// it is the answer.
    ///
    /// # Errors
    /// The kernel's; `ELOOP` when an element before the last is a link.
    pub fn look(&self, path: &AbsPath) -> io::Result<Node> {
        let Some(parent) = path.parent() else {
            return Ok(Node::from(&rustix::fs::fstat(&self.root)?));
        };
        let mut last = self.last.borrow_mut();
        let folder = match last.take() {
            Some((known, folder)) if known == parent => folder,
            _ => self.open(&parent, OFlags::PATH | OFlags::DIRECTORY, Links::Refuse)?,
        };
        let stat = rustix::fs::statat(&folder, path.file_name(), AtFlags::SYMLINK_NOFOLLOW);
        *last = Some((parent, folder));
        Ok(Node::from(&stat?))
    }

    /// Looks at what a path names in the end, links inside the view followed.
    ///
    /// # Errors
    /// The kernel's.
    pub fn look_following(&self, path: &AbsPath) -> io::Result<Node> {
        let node = self.witness(path)?;
        Ok(Node::from(&rustix::fs::fstat(node)?))
    }

    /// What a symbolic link holds, unchecked.
    ///
    /// # Errors
    /// The kernel's; `EINVAL` when the path is no link, `InvalidData` when what
    /// it holds is not UTF-8.
    pub fn read_link(&self, path: &AbsPath) -> io::Result<String> {
        let link = self.open(path, OFlags::PATH | OFlags::NOFOLLOW, Links::Refuse)?;
        // An empty path means the link itself; on anything else but a link the
        // kernel answers ENOENT, which would read as if nothing were there.
        let target = rustix::fs::readlinkat(link, c"", Vec::new())
            .map_err(|errno| if errno == Errno::NOENT { Errno::INVAL } else { errno })?;
        target.into_string().map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
    }

    /// The names in a folder. The path may have no link in it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn list(&self, path: &AbsPath) -> io::Result<Listing> {
        let folder = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY, Links::Refuse)?;
        let mut listing = Listing::default();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Some(text) = name.to_str().ok().filter(|text| !text.chars().any(char::is_control))
            else {
                listing.skipped += 1;
                continue;
            };
            let kind = match entry.file_type() {
                // Some file systems do not tell while listing.
                FileType::Unknown => {
                    match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                        Ok(stat) => Node::from(&stat).kind,
                        Err(Errno::NOENT) => continue,
                        Err(errno) => return Err(errno.into()),
                    }
                }
                known => known.into(),
            };
            listing.entries.push((text.to_owned(), kind));
        }
        listing.entries.sort_unstable();
        Ok(listing)
    }

    /// The text of a regular file of at most `limit` bytes. The path may have
    /// no link in it.
    ///
    /// # Errors
    /// The kernel's; `InvalidInput` for what is no regular file,
    /// `FileTooLarge`, and `InvalidData` for what is not UTF-8.
    pub fn read_text(&self, path: &AbsPath, limit: usize) -> io::Result<String> {
        text(self.read(path, limit, Links::Refuse)?)
    }

    /// As [`HostFs::read_text`], with links inside the view followed.
    ///
    /// # Errors
    /// As [`HostFs::read_text`].
    pub fn read_text_following(&self, path: &AbsPath, limit: usize) -> io::Result<String> {
        text(self.read(path, limit, Links::Follow)?)
    }

    /// As [`HostFs::read_text`], for files that hold bytes of any kind.
    ///
    /// # Errors
    /// As [`HostFs::read_text`], without `InvalidData`.
    pub fn read_bytes(&self, path: &AbsPath, limit: usize) -> io::Result<Vec<u8>> {
        self.read(path, limit, Links::Refuse)
    }

    /// As [`HostFs::read_text_following`], for files that others fill with
    /// bytes of any kind.
    ///
    /// # Errors
    /// As [`HostFs::read_text`], without `InvalidData`.
    pub fn read_bytes_following(&self, path: &AbsPath, limit: usize) -> io::Result<Vec<u8>> {
        self.read(path, limit, Links::Follow)
    }

    /// The size in bytes of the file system in memory that a path lies on,
    /// links followed; none when it lies on a file system of another kind.
    ///
    /// # Errors
    /// The kernel's.
    pub fn memory_size(&self, path: &AbsPath) -> io::Result<Option<u64>> {
        let node = self.witness(path)?;
        let system = rustix::fs::fstatfs(node)?;
        let block = u64::try_from(system.f_frsize).unwrap_or(0);
        Ok((system.f_type == TMPFS).then(|| system.f_blocks.saturating_mul(block)))
    }

    /// Whether a path lies on a file system that a program serves (FUSE).
    pub fn is_served(&self, path: &AbsPath) -> bool {
        let system = self.witness(path).and_then(|node| Ok(rustix::fs::fstatfs(node)?));
        system.is_ok_and(|system| system.f_type == FUSE)
    }

    /// A descriptor that only names what a path leads to, links followed.
    pub(super) fn witness(&self, path: &AbsPath) -> io::Result<OwnedFd> {
        self.open(path, OFlags::PATH, Links::Follow)
    }

    fn read(&self, path: &AbsPath, limit: usize, links: Links) -> io::Result<Vec<u8>> {
        // A pipe that nobody writes to must not hold us up, and a terminal
        // must not become ours, before the kind is known.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = self.open(path, flags, links)?;
        let node = Node::from(&rustix::fs::fstat(&file)?);
        if node.kind != NodeKind::File {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // The size is only a first guess: files of /proc say 0.
        let guess = usize::try_from(node.size).unwrap_or(limit).min(limit);
        let mut bytes = Vec::with_capacity(guess.max(1024) + 1);
        loop {
            match rustix::io::read(&file, rustix::buffer::spare_capacity(&mut bytes)) {
                Ok(0) => return Ok(bytes),
                Ok(_) if bytes.len() > limit => return Err(io::ErrorKind::FileTooLarge.into()),
                Ok(_) if bytes.len() == bytes.capacity() => bytes.reserve(bytes.len()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn open(&self, path: &AbsPath, flags: OFlags, links: Links) -> io::Result<OwnedFd> {
        let relative = match path.as_str().trim_start_matches('/') {
            "" => ".",
            relative => relative,
        };
        let resolve = ResolveFlags::IN_ROOT
            | match links {
                Links::Refuse => ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
                Links::Follow => ResolveFlags::NO_MAGICLINKS,
            };
        let flags = flags | OFlags::CLOEXEC;
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            match rustix::fs::openat2(&self.root, relative, flags, Mode::empty(), resolve) {
                // The kernel gives up on a `..` in a link when any rename on
                // the machine could have moved what it stands on.
                Err(Errno::AGAIN | Errno::INTR) if attempts > 0 => {}
                other => return Ok(other?),
            }
        }
    }
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn path(text: &str) -> AbsPath {
        AbsPath::new(text).unwrap()
    }

    fn tree() -> (tempfile::TempDir, HostFs) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("var/home/ada")).unwrap();
        fs::write(dir.path().join("var/home/ada/note"), "hello").unwrap();
        symlink("var/home", dir.path().join("home")).unwrap();
        symlink("/var/home/ada/note", dir.path().join("absolute")).unwrap();
        symlink("../../../../etc/passwd", dir.path().join("var/outside")).unwrap();
        let host = HostFs::at(dir.path()).unwrap();
        (dir, host)
    }

    fn errno(result: io::Result<impl std::fmt::Debug>) -> Option<Errno> {
        Errno::from_io_error(&result.unwrap_err())
    }

    #[test]
    fn looks_at_what_is_there() {
        let (dir, host) = tree();
        let note = host.look(&path("/var/home/ada/note")).unwrap();
        let real = fs::metadata(dir.path().join("var/home/ada/note")).unwrap();
        assert_eq!((note.kind, note.size), (NodeKind::File, 5));
        assert_eq!((note.device, note.inode), (real.dev(), real.ino()));
        assert_eq!((note.uid, note.gid), (real.uid(), real.gid()));
        assert_eq!(note.mode, real.permissions().mode() & 0o7777);
        assert_eq!(host.look(&AbsPath::root()).unwrap().kind, NodeKind::Folder);
        assert_eq!(errno(host.look(&path("/nothing"))), Some(Errno::NOENT));
    }

    #[test]
    fn a_link_at_the_end_is_the_answer_and_before_it_an_error() {
        let (_dir, host) = tree();
        assert_eq!(host.look(&path("/home")).unwrap().kind, NodeKind::Link);
        assert_eq!(errno(host.look(&path("/home/ada"))), Some(Errno::LOOP));
        assert_eq!(errno(host.list(&path("/home"))), Some(Errno::LOOP));
        assert_eq!(errno(host.read_text(&path("/absolute"), 100)), Some(Errno::LOOP));
    }

    #[test]
    fn following_stays_inside_the_root() {
        let (dir, host) = tree();
        assert_eq!(host.read_text_following(&path("/absolute"), 100).unwrap(), "hello");
        assert_eq!(host.read_text_following(&path("/home/ada/note"), 100).unwrap(), "hello");
        assert_eq!(host.look_following(&path("/home/ada")).unwrap().kind, NodeKind::Folder);
        // The real /etc/passwd exists; that of the tree does not yet.
        assert_eq!(
            errno(host.read_text_following(&path("/var/outside"), 1 << 20)),
            Some(Errno::NOENT)
        );
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::write(dir.path().join("etc/passwd"), "inside").unwrap();
        assert_eq!(host.read_text_following(&path("/var/outside"), 100).unwrap(), "inside");
    }

    #[test]
    fn reads_links() {
        let (_dir, host) = tree();
        assert_eq!(host.read_link(&path("/home")).unwrap(), "var/home");
        assert_eq!(errno(host.read_link(&path("/var"))), Some(Errno::INVAL));
        assert_eq!(errno(host.read_link(&path("/var/home/ada/note"))), Some(Errno::INVAL));
        assert_eq!(errno(host.read_link(&path("/nothing"))), Some(Errno::NOENT));
    }

    #[test]
    fn lists_in_order_and_counts_what_it_leaves_out() {
        let (dir, host) = tree();
        let folder = dir.path().join("var");
        fs::write(folder.join("b"), "").unwrap();
        fs::write(folder.join("a"), "").unwrap();
        fs::write(folder.join("line\nbreak"), "").unwrap();
        fs::write(folder.join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.join("s")).unwrap();
        let listing = host.list(&path("/var")).unwrap();
        assert_eq!(listing.skipped, 2);
        let want = [
            ("a", NodeKind::File),
            ("b", NodeKind::File),
            ("home", NodeKind::Folder),
            ("outside", NodeKind::Link),
            ("s", NodeKind::Socket),
        ];
        assert_eq!(listing.entries, want.map(|(name, kind)| (name.to_owned(), kind)));
        assert_eq!(errno(host.list(&path("/var/a"))), Some(Errno::NOTDIR));
    }

    #[test]
    fn reads_only_regular_files_within_the_limit() {
        let (dir, host) = tree();
        let note = path("/var/home/ada/note");
        assert_eq!(host.read_text(&note, 5).unwrap(), "hello");
        assert_eq!(host.read_text(&note, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(
            host.read_text(&path("/var"), 100).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        let big = "0123456789".repeat(1000);
        fs::write(dir.path().join("big"), &big).unwrap();
        assert_eq!(host.read_text(&path("/big"), 10_000).unwrap(), big);
        fs::write(dir.path().join("bytes"), [0xff]).unwrap();
        assert_eq!(
            host.read_text(&path("/bytes"), 10).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
        assert_eq!(host.read_bytes_following(&path("/bytes"), 10).unwrap(), [0xff]);
        // Would wait forever if it were opened in the plain way.
        rustix::fs::mkfifoat(CWD, dir.path().join("pipe"), Mode::RUSR).unwrap();
        assert_eq!(
            host.read_text(&path("/pipe"), 10).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }

    #[test]
    fn only_a_file_system_in_memory_has_a_memory_size() {
        let host = HostFs::real().unwrap();
        assert_eq!(host.memory_size(&path("/proc")).unwrap(), None);
        let shm = host.memory_size(&path("/dev/shm")).unwrap().unwrap();
        let blocks = rustix::fs::statvfs("/dev/shm").unwrap();
        assert_eq!(shm, blocks.f_blocks * blocks.f_frsize);
        assert_eq!(errno(host.memory_size(&path("/nothing/here"))), Some(Errno::NOENT));
    }

    #[test]
    fn reads_files_that_hide_their_size() {
        let host = HostFs::real().unwrap();
        let status = host.read_text_following(&path("/proc/self/status"), 1 << 16).unwrap();
        assert!(status.contains("\nUid:"), "{status}");
    }
}
