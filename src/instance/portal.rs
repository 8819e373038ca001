//! What portals read of a running sandbox beside the file in its filter's
//! root: a folder in `$XDG_RUNTIME_DIR/.flatpak`, named by the number of the
//! run.
//!
//! xdg-desktop-portal reads `bwrapinfo.json` there for the process and the
//! namespaces of the sandbox; `flatpak ps` and `flatpak kill` read it too.
//! Flatpak takes a folder away whose `.ref` it can lock, so ours is locked as
//! Flatpak locks its own: by a record lock of `fcntl(2)`, which belongs to the
//! monitor and goes with it however it ends.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};
use serde_json::{Map, Value, json};

use crate::model::path::AbsPath;
use crate::sys::Errno;

/// The folder that Flatpak made the place for this.
const FOLDER: &str = ".flatpak";

/// How often another number is tried when one is taken.
const TRIES: usize = 16;

/// The kinds of namespaces that the sandbox has for its own, by their names in
/// /proc and in the file.
const NAMESPACES: [(&str, &str); 6] = [
    ("cgroup", "cgroup-namespace"),
    ("ipc", "ipc-namespace"),
    ("mnt", "mnt-namespace"),
    ("net", "net-namespace"),
    ("pid", "pid-namespace"),
    ("uts", "uts-namespace"),
];

/// A number that is taken for one run; given back with the value.
pub struct Place {
    above: OwnedFd,
    folder: OwnedFd,
    number: u32,
    _lock: OwnedFd,
}

impl Drop for Place {
    fn drop(&mut self) {
        empty(&self.folder);
        let _ = rustix::fs::unlinkat(&self.above, self.number.to_string(), AtFlags::REMOVEDIR);
    }
}

/// Removes the files of a folder, which has no others beneath it.
fn empty(folder: &OwnedFd) {
    let Ok(entries) = Dir::read_from(folder) else { return };
    let names: Vec<CString> = entries.flatten().map(|entry| entry.file_name().to_owned()).collect();
    for name in names {
        let _ = rustix::fs::unlinkat(folder, &name, AtFlags::empty());
    }
}

impl Place {
    /// Takes a number that nobody has. The folder of all numbers is made where
    /// it is missing; one that is a link, belongs to somebody else or lets
    /// others write is refused.
    ///
    /// # Errors
    /// The kernel's; EPERM for a folder that cannot be trusted.
    pub fn take(runtime_dir: &AbsPath, uid: u32) -> Result<Place, Errno> {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let runtime = rustix::fs::open(runtime_dir.as_str(), flags | OFlags::PATH, Mode::empty())?;
        match rustix::fs::mkdirat(&runtime, FOLDER, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        let above = rustix::fs::openat(&runtime, FOLDER, flags | OFlags::RDONLY, Mode::empty())?;
        let stat = rustix::fs::fstat(&above)?;
        if stat.st_uid != uid || stat.st_mode & 0o022 != 0 {
            return Err(Errno::PERM);
        }
        for _ in 0..TRIES {
            let number = random()?;
            match rustix::fs::mkdirat(&above, number.to_string(), Mode::RWXU) {
                Err(Errno::EXIST) => continue,
                other => other?,
            }
            let folder = rustix::fs::openat(
                &above,
                number.to_string(),
                flags | OFlags::RDONLY,
                Mode::empty(),
            )?;
            let lock = create(&folder, ".ref")?;
            rustix::fs::fcntl_lock(&lock, FlockOperation::NonBlockingLockShared)?;
            return Ok(Place { above, folder, number, _lock: lock });
        }
        Err(Errno::EXIST)
    }

    /// The number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Notes whose sandbox it is: `identity` is what the filter's root has, and
    /// `init` the process id of the sandbox's first process. Its namespaces
    /// are looked up while it can still be looked into.
    ///
    /// # Errors
    /// The kernel's.
    pub fn note(&self, identity: &[u8], init: i32) -> Result<(), Errno> {
        let mut info = Map::new();
        info.insert("child-pid".to_owned(), json!(init));
        for (name, key) in NAMESPACES {
            let stat = rustix::fs::stat(format!("/proc/{init}/ns/{name}"))?;
            info.insert(key.to_owned(), json!(stat.st_ino));
        }
        write(create(&self.folder, "info")?.as_fd(), identity)?;
        let text = Value::Object(info).to_string();
        write(create(&self.folder, "bwrapinfo.json")?.as_fd(), text.as_bytes())
    }
}

fn create(folder: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR)
}

fn write(file: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Errno> {
    match rustix::io::write(file, bytes)? {
        length if length == bytes.len() => Ok(()),
        _ => Err(Errno::IO),
    }
}

fn random() -> Result<u32, Errno> {
    let mut bytes = [0; 4];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())? {
        4 => Ok(u32::from_ne_bytes(bytes)),
        _ => Err(Errno::IO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_there_as_long_as_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = AbsPath::new(dir.path().to_str().unwrap()).unwrap();
        let uid = rustix::process::getuid().as_raw();
        let place = Place::take(&runtime, uid).unwrap();
        place.note(b"[Application]\n", std::process::id() as i32).unwrap();
        let folder = dir.path().join(FOLDER).join(place.number().to_string());
        let text = std::fs::read(folder.join("bwrapinfo.json")).unwrap();
        let info: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(info["child-pid"], std::process::id());
        let pid = rustix::fs::stat("/proc/self/ns/pid").unwrap().st_ino;
        assert_eq!(info["pid-namespace"], pid);
        let other = Place::take(&runtime, uid).unwrap();
        assert_ne!(other.number(), place.number());
        drop((place, other));
        assert_eq!(std::fs::read_dir(dir.path().join(FOLDER)).unwrap().count(), 0);
        assert!(matches!(Place::take(&runtime, uid + 1), Err(Errno::PERM)));
    }
}
