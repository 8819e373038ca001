//! A file for each running sandbox, in `$XDG_RUNTIME_DIR/pinfold`.
//!
//! The file is locked as long as its monitor lives (`fcntl(2)`, F_SETLK): the
//! kernel lets go of the lock however the monitor ends, so a record that can be
//! locked is stale, and it tells who holds one, so a record is believed only if
//! that is the monitor that it names. Such a lock is not handed down to
//! children, and it would be lost if its holder closed another descriptor of
//! the file, which a monitor never opens.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde::{Deserialize, Serialize};

use crate::model::app_id::AppId;
use crate::model::path::AbsPath;
use crate::sys::Errno;

use super::processes::Stat;

/// The folder's name in the runtime folder.
const FOLDER: &str = "pinfold";

/// How the names of records end, and those of the sockets beside them.
const SUFFIX: &str = ".json";
const SOCKET: &str = ".sock";

/// The version of [`Record`]'s shape.
pub const VERSION: u32 = 1;

/// No record is longer.
const LONGEST: u64 = 64 << 10;

/// How many commands wait for one monitor.
const BACKLOG: i32 = 16;

/// What is written down about a running sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The version of this shape.
    pub version: u32,
    /// The application.
    pub app: AppId,
    /// Its monitor's process id.
    pub monitor: i32,
    /// Its init's process id, outside.
    pub init: i32,
    /// When that process began, in clock ticks since the machine did
    /// (`proc_pid_stat(5)`, field 22): ids are given anew, this pair is not.
    pub init_began: u64,
    /// Seconds since 1970 when it was started.
    pub started: u64,
    /// The files that its policy came from, the lowest layer first.
    pub manifests: Vec<String>,
    /// Whose network it sees.
    pub network: Network,
    /// What of the confinement this host could not give.
    pub degraded: Vec<String>,
    /// The number by which portals know it, where it has the session bus.
    pub portal: Option<u32>,
    /// The descriptors by which its monitor holds its namespaces, by the names
    /// that they have in /proc: init itself cannot be looked into.
    pub namespaces: BTreeMap<String, i32>,
}

/// Whose network a sandbox sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// None but its own loopback interface.
    None,
    /// The host's.
    Host,
}

impl Record {
    /// The name by which this run is told from others of the application.
    pub fn name(&self) -> String {
        format!("{}-{}", self.app, self.monitor)
    }
}

/// The folder of records.
pub struct Records {
    folder: OwnedFd,
}

/// A record that is held as long as its sandbox runs.
pub struct Held {
    folder: OwnedFd,
    name: CString,
    socket: String,
    #[expect(dead_code, reason = "held open for its lock")]
    lock: OwnedFd,
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = rustix::fs::unlinkat(&self.folder, &self.socket, AtFlags::empty());
        let _ = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
    }
}

impl Records {
    /// Opens the folder, which is made where it is missing. One that is a
    /// link, belongs to somebody else or is open to others is refused.
    ///
    /// # Errors
    /// The kernel's; EPERM for a folder that cannot be trusted.
    pub fn open(runtime_dir: &AbsPath, uid: u32) -> Result<Records, Errno> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let above = rustix::fs::open(runtime_dir.as_str(), flags | OFlags::PATH, Mode::empty())?;
        match rustix::fs::mkdirat(&above, FOLDER, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        let folder = rustix::fs::openat(&above, FOLDER, flags | OFlags::RDONLY, Mode::empty())?;
        let stat = rustix::fs::fstat(&folder)?;
        if stat.st_uid != uid || stat.st_mode & 0o077 != 0 {
            return Err(Errno::PERM);
        }
        Ok(Records { folder })
    }

    /// Writes a record and holds it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn hold(&self, record: &Record) -> Result<Held, Errno> {
        let name = CString::new(format!("{}.json", record.name())).map_err(|_| Errno::INVAL)?;
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = loop {
            let file = match rustix::fs::openat(&self.folder, &name, flags, Mode::RUSR | Mode::WUSR)
            {
                // Our own process id: whoever had the name is gone.
                Err(Errno::EXIST) => {
                    rustix::fs::unlinkat(&self.folder, &name, AtFlags::empty())?;
                    continue;
                }
                other => other?,
            };
            // Between its making and its locking another command may have
            // taken it for stale.
            if rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
                && rustix::fs::fstat(&file)?.st_nlink > 0
            {
                break file;
            }
        };
        let text = serde_json::to_vec(record).map_err(|_| Errno::INVAL)?;
        rustix::io::write(&file, &text)?;
        Ok(Held {
            folder: self.folder.try_clone().map_err(|_| Errno::MFILE)?,
            name,
            socket: record.name() + SOCKET,
            lock: file,
        })
    }

    /// The sandboxes that run now, the oldest first. Records of those that are
    /// gone are taken away on the way.
    ///
    /// # Errors
    /// The kernel's, of the folder itself.
    pub fn list(&self) -> Result<Vec<Record>, Errno> {
        self.collect()?;
        let mut found = Vec::new();
        for name in self.names()? {
            if name.to_bytes().ends_with(SUFFIX.as_bytes()) {
                found.extend(self.read(&name));
            }
        }
        found.sort_by_key(|record: &Record| (record.started, record.monitor));
        Ok(found)
    }

    /// A record that is to be believed: whoever holds its lock is the monitor
    /// that it names, and the init that it names is that monitor's child and
    /// began when it says.
    fn read(&self, name: &CStr) -> Option<Record> {
        let file = self.open_record(name).ok()?;
        let mut text = Vec::new();
        let mut whole = std::fs::File::from(file).take(LONGEST);
        whole.read_to_end(&mut text).ok()?;
        let record: Record = serde_json::from_slice(&text).ok()?;
        let holder = crate::sys::fd::lock_holder(whole.get_ref().as_fd()).ok()??;
        let init = Stat::of(record.init)?;
        let is_true = record.version == VERSION
            && holder == record.monitor
            && name.to_bytes() == format!("{}{SUFFIX}", record.name()).as_bytes()
            && init.parent == record.monitor
            && init.began == record.init_began;
        is_true.then_some(record)
    }

    fn open_record(&self, name: &CStr) -> Result<OwnedFd, Errno> {
        // Locked for writing by who holds it, which needs the right to write.
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        rustix::fs::openat(&self.folder, name, flags, Mode::empty())
    }

    fn names(&self) -> Result<Vec<CString>, Errno> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.folder)? {
            let name = entry?.file_name().to_owned();
            if !name.to_bytes().starts_with(b".") {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Connects to the monitor of a run.
    ///
    /// # Errors
    /// The kernel's.
    pub fn connect(&self, record: &Record) -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        rustix::net::connect(&socket, &address(&self.folder, &(record.name() + SOCKET))?)?;
        Ok(socket)
    }

    /// Removes the records of sandboxes that are gone, and gives how many.
    ///
    /// # Errors
    /// The kernel's, of the folder itself.
    pub fn collect(&self) -> Result<usize, Errno> {
        let mut gone = 0;
        let names = self.names()?;
        for name in names.iter().filter(|name| name.to_bytes().ends_with(SUFFIX.as_bytes())) {
            let Ok(file) = self.open_record(name) else { continue };
            let lock = FlockOperation::NonBlockingLockExclusive;
            if rustix::fs::fcntl_lock(file.as_fd(), lock).is_err() {
                continue;
            }
            // Another command may have collected it meanwhile, and a new
            // sandbox may have taken its name.
            let opened = rustix::fs::fstat(&file)?;
            let named = rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW);
            if named
                .is_ok_and(|named| (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino))
                && rustix::fs::unlinkat(&self.folder, name, AtFlags::empty()).is_ok()
            {
                gone += 1;
            }
        }
        // A socket is made after its record and goes before it.
        for name in names {
            let bytes = name.to_bytes();
            let Some(stem) = bytes.strip_suffix(SOCKET.as_bytes()) else { continue };
            let record = [stem, SUFFIX.as_bytes()].concat();
            let there = rustix::fs::statat(&self.folder, record, AtFlags::SYMLINK_NOFOLLOW);
            if matches!(there, Err(Errno::NOENT)) {
                let _ = rustix::fs::unlinkat(&self.folder, &name, AtFlags::empty());
            }
        }
        Ok(gone)
    }
}

impl Held {
    /// Listens for commands about this run, at a socket beside the record.
    ///
    /// # Errors
    /// The kernel's.
    pub fn listen(&self) -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let address = address(&self.folder, &self.socket)?;
        match rustix::net::bind(&socket, &address) {
            // Our own process id: whoever had the name is gone.
            Err(Errno::ADDRINUSE) => {
                rustix::fs::unlinkat(&self.folder, &self.socket, AtFlags::empty())?;
                rustix::net::bind(&socket, &address)?;
            }
            other => other?,
        }
        rustix::net::listen(&socket, BACKLOG)?;
        Ok(socket)
    }
}

/// A name in the folder, through its descriptor: the whole path may be longer
/// than a socket's address can be.
fn address(folder: &OwnedFd, name: &str) -> Result<SocketAddrUnix, Errno> {
    use std::os::fd::AsRawFd;
    SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn record(monitor: i32) -> Record {
        Record {
            version: VERSION,
            app: "org.example.App".parse().unwrap(),
            monitor,
            init: 2,
            init_began: 0,
            started: 0,
            manifests: Vec::new(),
            network: Network::None,
            degraded: Vec::new(),
            portal: None,
            namespaces: BTreeMap::new(),
        }
    }

    fn open(dir: &std::path::Path) -> Result<Records, Errno> {
        let uid = rustix::process::getuid().as_raw();
        Records::open(&AbsPath::new(dir.to_str().unwrap()).unwrap(), uid)
    }

    /// Locks of this kind do not keep their own process out, so what others
    /// hold is tried where there are others, with sandboxes.
    #[test]
    fn what_nobody_holds_goes_and_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let records = open(dir.path()).unwrap();
        let held = records.hold(&record(10)).unwrap();
        let socket = held.listen().unwrap();
        let names = |suffix: &str| {
            let all = std::fs::read_dir(dir.path().join("pinfold")).unwrap();
            all.filter(|entry| {
                entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(suffix)
            })
            .count()
        };
        assert_eq!((names(SUFFIX), names(SOCKET)), (1, 1));
        drop((held, socket));
        assert_eq!((names(SUFFIX), names(SOCKET)), (0, 0));
        let text = serde_json::to_string(&record(11)).unwrap();
        std::fs::write(dir.path().join("pinfold/org.example.App-11.json"), text).unwrap();
        std::fs::write(dir.path().join("pinfold/org.example.App-11.sock"), "").unwrap();
        assert!(records.read(c"org.example.App-11.json").is_none());
        assert_eq!(records.list(), Ok(Vec::new()));
        assert_eq!((names(SUFFIX), names(SOCKET)), (0, 0));
    }

    #[test]
    fn a_folder_that_cannot_be_trusted_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("elsewhere")).unwrap();
        symlink("elsewhere", dir.path().join("pinfold")).unwrap();
        assert!(open(dir.path()).is_err());
        std::fs::remove_file(dir.path().join("pinfold")).unwrap();
        std::fs::create_dir(dir.path().join("pinfold")).unwrap();
        let mode = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(dir.path().join("pinfold"), mode).unwrap();
        assert!(matches!(open(dir.path()), Err(Errno::PERM)));
    }
}
