//! Every system call that the safe crates do not offer, and the only
//! `unsafe` of the project. Floor 0: knows nothing of manifests or plans.
//!
//! What runs in the child between clone and exec obeys one rule: no
//! allocation, no locks, no formatting, no panics. The functions here keep
//! it; `rustix` calls that take a `&CStr` do too.

pub mod acts;
pub mod confine;
pub mod fd;
pub mod mount;
pub mod net;
pub mod path;
pub mod probe;
pub mod process;
pub mod remount;
pub mod signal;

pub use rustix::io::Errno;

/// The result of a system call.
pub type Result<T> = std::result::Result<T, Errno>;

/// Turns the return value of `libc::syscall` into a result.
fn checked(value: libc::c_long) -> Result<libc::c_long> {
    if value < 0 {
        // SAFETY: __errno_location gives this thread's own errno, always valid.
        Err(Errno::from_raw_os_error(unsafe { *libc::__errno_location() }))
    } else {
        Ok(value)
    }
}
