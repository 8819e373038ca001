//! What portals read of a running sandbox beside the file in its filter's
//! root: a folder in `$XDG_RUNTIME_DIR/.flatpak`, named by the number of the
//! run.
//!
//! xdg-desktop-portal reads `bwrapinfo.json` there for the process and the
//! namespaces of the sandbox; `flatpak ps` and `flatpak kill` read it too.
//! Flatpak takes a folder away whose `.ref` it can lock, so ours is locked as
//! Flatpak locks its own: by a record lock of `fcntl(2)`, which belongs to the
//! monitor and goes with it however it ends. A folder that a killed monitor has
//! left is taken away by the next run as well, where there may be no Flatpak to
//! do it. Ours are told from Flatpak's by what is in `.ref`, which is empty in
//! Flatpak's. A folder has a name of ours until it has all that, and who makes
//! one keeps others from collecting meanwhile.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, RenameFlags};
use serde_json::{Map, Value, json};

use crate::model::path::AbsPath;
use crate::sys::Errno;

/// The folder that Flatpak made the place for this.
const FOLDER: &str = ".flatpak";

/// What is in the `.ref` of a folder of ours.
const OURS: &str = "pinfold\n";

/// What the name of a folder begins with while it is made.
const UNFINISHED: &str = "pinfold-";

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

/// Takes away the folders of ours whose monitors are gone. `own` is the number
/// that this process has: its own lock would not keep it out, and opening
/// and closing the file would give the lock up.
///
/// # Errors
/// The kernel's; EPERM for a folder that cannot be trusted.
pub fn collect(runtime_dir: &AbsPath, uid: u32, own: Option<u32>) -> Result<(), Errno> {
    let above = match open_above(runtime_dir, uid) {
        Err(Errno::NOENT) => return Ok(()),
        other => other?,
    };
    // Somebody makes one, or collects: then it is done the next time.
    if rustix::fs::flock(&above, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(());
    }
    for entry in Dir::read_from(&above)? {
        let name = entry?.file_name().to_owned();
        let Ok(text) = name.to_str() else { continue };
        let number = text.parse::<u32>().ok();
        let unfinished = text.starts_with(UNFINISHED);
        if number == own || (number.is_none() && !unfinished) {
            continue;
        }
        let Ok(folder) = rustix::fs::openat(&above, &name, FLAGS, Mode::empty()) else { continue };
        if unfinished || is_left(&folder) {
            remove(&above, &folder, text);
        }
    }
    Ok(())
}

/// Removes a folder of ours.
fn remove(above: &OwnedFd, folder: &OwnedFd, name: &str) {
    empty(folder);
    let _ = rustix::fs::unlinkat(above, name, AtFlags::REMOVEDIR);
}

/// Whether a folder is ours and nobody's.
fn is_left(folder: &OwnedFd) -> bool {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::openat(folder, ".ref", flags, Mode::empty()) else { return false };
    let mut text = [0; OURS.len() + 1];
    let is_ours =
        rustix::io::read(&file, &mut text).is_ok_and(|length| text[..length] == *OURS.as_bytes());
    is_ours && rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// Folders are opened so.
const FLAGS: OFlags =
    OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);

/// The folder of all numbers.
fn open_above(runtime_dir: &AbsPath, uid: u32) -> Result<OwnedFd, Errno> {
    let runtime = rustix::fs::open(runtime_dir.as_str(), FLAGS | OFlags::PATH, Mode::empty())?;
    let above = rustix::fs::openat(&runtime, FOLDER, FLAGS, Mode::empty())?;
    let stat = rustix::fs::fstat(&above)?;
    if stat.st_uid != uid || stat.st_mode & 0o022 != 0 {
        return Err(Errno::PERM);
    }
    Ok(above)
}

impl Drop for Place {
    fn drop(&mut self) {
        remove(&self.above, &self.folder, &self.number.to_string());
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
        let place = runtime_dir.child(FOLDER);
        match rustix::fs::mkdir(place.as_str(), Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        let above = open_above(runtime_dir, uid)?;
        rustix::fs::flock(&above, FlockOperation::LockShared)?;
        let place = make(above)?;
        rustix::fs::flock(&place.above, FlockOperation::Unlock)?;
        Ok(place)
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

/// Makes a folder, under a name of ours until it is locked.
fn make(above: OwnedFd) -> Result<Place, Errno> {
    for _ in 0..TRIES {
        let number = random()?;
        let name = format!("{UNFINISHED}{number}");
        match rustix::fs::mkdirat(&above, &name, Mode::RWXU) {
            Err(Errno::EXIST) => continue,
            other => other?,
        }
        let folder = rustix::fs::openat(&above, &name, FLAGS, Mode::empty())?;
        let lock = create(&folder, ".ref")?;
        rustix::fs::fcntl_lock(&lock, FlockOperation::NonBlockingLockShared)?;
        write(lock.as_fd(), OURS.as_bytes())?;
        let flags = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&above, &name, &above, number.to_string(), flags) {
            Ok(()) => return Ok(Place { above, folder, number, _lock: lock }),
            Err(errno) => {
                remove(&above, &folder, &name);
                if errno != Errno::EXIST {
                    return Err(errno);
                }
            }
        }
    }
    Err(Errno::EXIST)
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

    #[test]
    fn folders_of_others_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let runtime = AbsPath::new(dir.path().to_str().unwrap()).unwrap();
        let uid = rustix::process::getuid().as_raw();
        collect(&runtime, uid, None).unwrap();
        let folder = dir.path().join(FOLDER);
        let make = |name: &str, text: &str| {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            std::fs::write(folder.join(name).join(".ref"), text).unwrap();
        };
        // Flatpak's, ours that is held here, ours that is left, and none.
        for (name, text) in [("1", ""), ("2", "pinfold\n"), ("3", "pinfold\n"), ("x", "pinfold\n")]
        {
            make(name, text);
        }
        std::os::unix::fs::symlink(folder.join("3"), folder.join("4")).unwrap();
        collect(&runtime, uid, Some(2)).unwrap();
        let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["1", "2", "4", "x"]);
        assert!(matches!(collect(&runtime, uid + 1, None), Err(Errno::PERM)));
    }
}
