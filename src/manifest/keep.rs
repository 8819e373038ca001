//! The person's own files written: whole or not at all, and only where they
//! themselves could have meant.
//!
//! The folder is opened once and everything happens beneath its descriptor.
//! No application can write there, since it is a protected path; a link in
//! the place of the folder or of a file is refused all the same, because what
//! it leads to may be no such place.

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::report::{Code, Diagnostic};

/// The name of the folder in the folder of settings.
const FOLDER: &str = "pinfold";

/// The bits of a new file: what a person grants is nobody else's business.
const NEW: u32 = 0o600;

/// The folder of the person's own files, held so that no other command
/// changes one in the meantime.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

/// Why a file is not written.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The folder, or the file, is a link.
    #[error("it is a symbolic link")]
    Link(PathBuf),
    /// Everybody can write to the folder, or somebody else owns it.
    #[error("the folder belongs to user {uid} and has mode {mode:04o}")]
    Untrusted {
        /// The folder.
        folder: PathBuf,
        /// Its owner.
        uid: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// The file's name cannot be one.
    #[error("the name cannot be that of a file")]
    Name(PathBuf),
    /// What the kernel says.
    #[error("{error}")]
    Kernel {
        /// About what.
        path: PathBuf,
        /// What it says.
        error: Errno,
    },
}

impl KeepError {
    /// What a person reads.
    pub fn report(&self) -> Diagnostic {
        let (path, hint) = match self {
            KeepError::Link(path) => {
                (path, Some("edit what it leads to, or put a file or folder of its own there"))
            }
            KeepError::Untrusted { folder, .. } => (
                folder,
                Some("make it yours alone (chown, chmod o-w), after a look at what is in it"),
            ),
            KeepError::Name(path) => (path, None),
            KeepError::Kernel { path, .. } => (path, None),
        };
        let message = format!("cannot write {}", path.display());
        let report = Diagnostic::error(Code::NotWritten, message).because(self);
        hint.into_iter().fold(report, Diagnostic::hint)
    }
}

impl Folder {
    /// Opens the folder, which is made where it is missing, and waits for
    /// others that hold it. `config_home` is the person's own choice, and
    /// links on the way to it are followed.
    ///
    /// # Errors
    /// Why nothing can be written there.
    pub fn hold(config_home: &Path, uid: u32) -> Result<Folder, KeepError> {
        let path = config_home.join(FOLDER);
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| KeepError::Kernel { path, error }
        };
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let above = match rustix::fs::open(config_home, flags | OFlags::PATH, Mode::empty()) {
            Err(Errno::NOENT) => {
                // The mode that the base directory specification asks for.
                use std::os::unix::fs::DirBuilderExt;
                let made =
                    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(config_home);
                made.map_err(|error| KeepError::Kernel {
                    path: config_home.to_owned(),
                    error: Errno::from_io_error(&error).unwrap_or(Errno::IO),
                })?;
                rustix::fs::open(config_home, flags | OFlags::PATH, Mode::empty())
            }
            opened => opened,
        };
        let above = above.map_err(failed(config_home))?;
        match rustix::fs::mkdirat(&above, FOLDER, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(KeepError::Kernel { path, error }),
        }
        let open = rustix::fs::openat(
            &above,
            FOLDER,
            flags | OFlags::NOFOLLOW | OFlags::RDONLY,
            Mode::empty(),
        );
        let fd = match open {
            // With O_DIRECTORY a link that is not followed is no folder.
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(KeepError::Link(path)),
            opened => opened.map_err(failed(&path))?,
        };
        let stat = rustix::fs::fstat(&fd).map_err(failed(&path))?;
        if stat.st_uid != uid || stat.st_mode & 0o002 != 0 {
            let mode = stat.st_mode & 0o7777;
            return Err(KeepError::Untrusted { folder: path, uid: stat.st_uid, mode });
        }
        rustix::fs::flock(&fd, FlockOperation::LockExclusive).map_err(failed(&path))?;
        Ok(Folder { fd, path })
    }

    /// Puts a text in the place of a file's: by a new file that takes its
    /// name when it is whole and on the disk. The file keeps its permission
    /// bits.
    ///
    /// # Errors
    /// Why it was not written; then the file is as it was.
    pub fn write(&self, name: &str, text: &str) -> Result<(), KeepError> {
        let path = self.path.join(name);
        let failed = |error| KeepError::Kernel { path: path.clone(), error };
        let is_name = !name.contains('/') && !matches!(name, "" | "." | "..");
        let (true, Ok(name)) = (is_name, CString::new(name)) else {
            return Err(KeepError::Name(path));
        };
        let mode = match rustix::fs::statat(&self.fd, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if stat.st_mode & libc::S_IFMT != libc::S_IFREG => {
                return Err(KeepError::Link(path));
            }
            Ok(stat) => stat.st_mode & 0o777,
            Err(Errno::NOENT) => NEW,
            Err(error) => return Err(failed(error)),
        };
        // Only the holder of the folder writes here, so that what has this
        // name was left by a command that was cut short.
        let new = c".new";
        match rustix::fs::unlinkat(&self.fd, new, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(failed(error)),
        }
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file =
            rustix::fs::openat(&self.fd, new, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        let written = (|| {
            let mut file = File::from(file);
            file.write_all(text.as_bytes())
                .and_then(|()| file.flush())
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
            rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
            rustix::fs::fsync(&file)?;
            rustix::fs::renameat(&self.fd, new, &self.fd, &name)?;
            rustix::fs::fsync(&self.fd)
        })();
        written.map_err(|error| {
            let _ = rustix::fs::unlinkat(&self.fd, new, AtFlags::empty());
            failed(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn uid() -> u32 {
        rustix::process::getuid().as_raw()
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_new_file_is_ones_own_and_an_old_one_keeps_its_bits() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("not/yet");
        let folder = Folder::hold(&config, uid()).unwrap();
        folder.write("a.toml", "one\n").unwrap();
        let file = config.join("pinfold/a.toml");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\n");
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        // What an earlier command left half done is no hindrance.
        std::fs::write(config.join("pinfold/.new"), "half").unwrap();
        let before = std::fs::metadata(&file).unwrap().ino();
        folder.write("a.toml", "two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "two\n");
        assert_eq!(mode(&file), 0o640);
        assert_ne!(std::fs::metadata(&file).unwrap().ino(), before, "it is another file");
        assert_eq!(std::fs::read_dir(config.join("pinfold")).unwrap().count(), 1);
    }

    #[test]
    fn links_are_not_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        std::fs::write(&target, "mine").unwrap();
        let folder = Folder::hold(dir.path(), uid()).unwrap();
        // The control: without the link it works.
        folder.write("a.toml", "x").unwrap();
        for name in ["b.toml", "dangling.toml"] {
            let to = if name == "b.toml" { target.clone() } else { dir.path().join("none") };
            symlink(&to, dir.path().join("pinfold").join(name)).unwrap();
            let error = folder.write(name, "x").unwrap_err();
            assert!(matches!(error, KeepError::Link(_)), "{error:?}");
        }
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "mine");
        assert!(!dir.path().join("none").exists());
        for name in ["", ".", "..", "../a", "a/b", "a\0b"] {
            assert!(matches!(folder.write(name, "x"), Err(KeepError::Name(_))), "{name:?}");
        }
        drop(folder);

        let other = tempfile::tempdir().unwrap();
        symlink(dir.path().join("pinfold"), other.path().join("pinfold")).unwrap();
        let error = Folder::hold(other.path(), uid()).unwrap_err();
        assert!(matches!(error, KeepError::Link(_)), "{error:?}");
        assert_eq!(error.report().exit().number(), 125);
    }

    #[test]
    fn a_folder_of_others_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(Folder::hold(dir.path(), uid()).unwrap());
        let other = Folder::hold(dir.path(), uid() + 1).unwrap_err();
        assert!(matches!(other, KeepError::Untrusted { .. }), "{other:?}");
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(dir.path().join("pinfold"), open).unwrap();
        let open = Folder::hold(dir.path(), uid()).unwrap_err();
        assert!(matches!(open, KeepError::Untrusted { mode: 0o777, .. }), "{open:?}");
    }

    #[test]
    fn two_commands_take_turns() {
        let dir = tempfile::tempdir().unwrap();
        let first = Folder::hold(dir.path(), uid()).unwrap();
        let again = std::fs::File::open(dir.path().join("pinfold")).unwrap();
        let busy = rustix::fs::flock(&again, FlockOperation::NonBlockingLockExclusive);
        assert_eq!(busy, Err(Errno::WOULDBLOCK));
        drop(first);
        assert_eq!(rustix::fs::flock(&again, FlockOperation::NonBlockingLockExclusive), Ok(()));
    }
}
