//! A file for each running sandbox, in `$XDG_RUNTIME_DIR/pinfold`.
//!
//! The file is locked as long as its monitor lives: the kernel lets go of the
//! lock however the monitor ends, so a record that can be locked is stale.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::model::app_id::AppId;
use crate::model::path::AbsPath;
use crate::sys::Errno;

/// The folder's name in the runtime folder.
const FOLDER: &str = "pinfold";

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
    /// Seconds since 1970 when it was started.
    pub started: u64,
    /// What of the confinement this host could not give.
    pub degraded: Vec<String>,
}

/// The folder of records.
pub struct Records {
    folder: OwnedFd,
}

/// A record that is held as long as its sandbox runs.
pub struct Held {
    folder: OwnedFd,
    name: CString,
    _lock: OwnedFd,
}

impl Drop for Held {
    fn drop(&mut self) {
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
        let name = CString::new(format!("{}-{}.json", record.app, record.monitor))
            .map_err(|_| Errno::INVAL)?;
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
            if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
                && rustix::fs::fstat(&file)?.st_nlink > 0
            {
                break file;
            }
        };
        let text = serde_json::to_vec(record).map_err(|_| Errno::INVAL)?;
        rustix::io::write(&file, &text)?;
        Ok(Held { folder: self.folder.try_clone().map_err(|_| Errno::MFILE)?, name, _lock: file })
    }

    /// Removes the records of sandboxes that are gone, and gives how many.
    ///
    /// # Errors
    /// The kernel's, of the folder itself.
    pub fn collect(&self) -> Result<usize, Errno> {
        let mut gone = 0;
        for entry in Dir::read_from(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_bytes().starts_with(b".") {
                continue;
            }
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let Ok(file) = rustix::fs::openat(&self.folder, name, flags, Mode::empty()) else {
                continue;
            };
            if rustix::fs::flock(file.as_fd(), FlockOperation::NonBlockingLockExclusive).is_err() {
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
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn record(monitor: i32) -> Record {
        Record {
            version: 1,
            app: "org.example.App".parse().unwrap(),
            monitor,
            init: 2,
            started: 0,
            degraded: Vec::new(),
        }
    }

    fn open(dir: &std::path::Path) -> Result<Records, Errno> {
        let uid = rustix::process::getuid().as_raw();
        Records::open(&AbsPath::new(dir.to_str().unwrap()).unwrap(), uid)
    }

    #[test]
    fn held_records_stay_and_stale_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let records = open(dir.path()).unwrap();
        let held = records.hold(&record(10)).unwrap();
        std::fs::write(dir.path().join("pinfold/org.example.App-11.json"), "{}").unwrap();
        assert_eq!(records.collect(), Ok(1));
        assert!(dir.path().join("pinfold/org.example.App-10.json").exists());
        drop(held);
        assert_eq!(std::fs::read_dir(dir.path().join("pinfold")).unwrap().count(), 0);
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
