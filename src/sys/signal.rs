//! Signals: what the launcher holds back, and what the application starts
//! with.

use std::os::fd::{FromRawFd, OwnedFd};

use super::{Result, checked};

/// A set of signals as the kernel's own calls take it: bit n-1 for signal n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Set(u64);

impl Set {
    /// Every signal; KILL and STOP, which cannot be held, do not mind.
    pub const ALL: Set = Set(u64::MAX);

    /// The set of these signals.
    pub const fn of(signals: &[i32]) -> Set {
        let mut bits = 0;
        let mut index = 0;
        while index < signals.len() {
            bits |= 1 << (signals[index] - 1);
            index += 1;
        }
        Set(bits)
    }
}

/// Sets the mask of blocked signals and gives the one before.
///
/// # Errors
/// None that a right call can meet.
pub fn set_mask(set: Set) -> Result<Set> {
    let mut old: u64 = 0;
    // SAFETY: both pointers are to live 8-byte sets, the size that the kernel
    // is told.
    checked(unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const set.0,
            &raw mut old,
            size_of::<u64>(),
        )
    })?;
    Ok(Set(old))
}

/// A descriptor from which blocked signals are read, closed at exec.
///
/// # Errors
/// Those of `signalfd(2)`.
pub fn descriptor(set: Set) -> Result<OwnedFd> {
    // SAFETY: the pointer is to a live 8-byte set, the size that the kernel
    // is told.
    let fd = checked(unsafe {
        libc::syscall(
            libc::SYS_signalfd4,
            -1,
            &raw const set.0,
            size_of::<u64>(),
            libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
        )
    })?;
    // SAFETY: the kernel has just given this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// One signal that was read from a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Which.
    pub signal: i32,
    /// By which process, as the kernel saw it.
    pub sender: u32,
    /// `SI_USER`, `SI_KERNEL` and so on.
    pub code: i32,
}

/// Reads one signal, or none when none waits.
pub fn receive(fd: &OwnedFd) -> Option<Received> {
    let mut raw = [0u8; size_of::<libc::signalfd_siginfo>()];
    match rustix::io::read(fd, &mut raw) {
        Ok(length) if length == raw.len() => {
            let word =
                |at: usize| u32::from_ne_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
            // struct signalfd_siginfo: signo, errno, code, pid.
            Some(Received { signal: word(0) as i32, code: word(8) as i32, sender: word(12) })
        }
        _ => None,
    }
}

/// `struct sigaction` as the kernel has it on x86-64 and aarch64. Both have
/// the restorer: the kernel writes all four fields.
#[repr(C)]
struct KernelAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

fn action(handler: usize) -> KernelAction {
    KernelAction { handler, flags: 0, restorer: 0, mask: 0 }
}

/// Sets a signal to be ignored or to its default action. Handlers cannot be
/// set: nothing in this project runs in a signal handler.
pub fn set_ignored(signal: i32, ignored: bool) {
    let new = action(if ignored { libc::SIG_IGN } else { libc::SIG_DFL });
    // SAFETY: `new` is a live struct of the kernel's layout that holds no
    // handler, so no code can be run by it. The answer for KILL and STOP,
    // which cannot be set, is of no interest.
    let _ = checked(unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            &raw const new,
            std::ptr::null_mut::<KernelAction>(),
            size_of::<u64>(),
        )
    });
}
