//! Folders that must exist on the host before a sandbox is built. They are
//! made with the caller's own rights, beneath a folder that exists, and no
//! link is followed on the way: an earlier run of the application may have
//! put one there.

use std::os::fd::AsFd;

use rustix::fs::{Mode, OFlags};

use crate::host::HostFs;
use crate::model::plan::HostStep;
use crate::report::{Code, Diagnostic};
use crate::sys::Errno;

/// Makes the folder of a step unless it is there.
///
/// # Errors
/// When a part of the way is no folder, or cannot be made.
pub fn make(fs: &HostFs, step: &HostStep) -> Result<(), Diagnostic> {
    walk(fs, step).map_err(|errno| {
        let error =
            Diagnostic::error(Code::StepFailed, format!("cannot make the folder {}", step.folder))
                .at(&step.origin)
                .because(errno);
        match errno {
            Errno::LOOP | Errno::NOTDIR => error
                .hint("a link or file stands where a folder should be; look at it and remove it"),
            _ => error,
        }
    })
}

fn walk(fs: &HostFs, step: &HostStep) -> Result<(), Errno> {
    let as_c = |text: &str| std::ffi::CString::new(text).map_err(|_| Errno::INVAL);
    let path = |text: &str| as_c(if text == "/" { "." } else { &text[1..] });
    let whole = path(step.folder.as_str())?;
    match crate::sys::path::open_object(fs.root_fd(), &whole) {
        Ok(fd) => {
            let identity = crate::sys::path::identity(fd.as_fd())?;
            return if identity.is_folder() { Ok(()) } else { Err(Errno::NOTDIR) };
        }
        Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let mut here = crate::sys::path::open_object(fs.root_fd(), &path(step.base.as_str())?)?;
    let rest = step.folder.relative_to(&step.base).ok_or(Errno::INVAL)?;
    for name in rest.split('/').filter(|name| !name.is_empty()) {
        let name = as_c(name)?;
        match rustix::fs::mkdirat(&here, &name, Mode::from_raw_mode(step.mode)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        here = rustix::fs::openat(
            &here,
            &name,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
    }
    Ok(())
}
