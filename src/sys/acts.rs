//! Acts that a sandbox is there to refuse, tried for the tour. Each is done
//! by a short-lived child, and whether it is refused or not, nothing of it is
//! left when the child has ended.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use rustix::net::{AddressFamily, SocketType};

use super::mount::Attributes;
use super::probe::in_child;
use super::{Errno, Result, checked, confine};

/// Makes a user namespace.
///
/// # Errors
/// The refusal.
pub fn make_user_namespace() -> Result<()> {
    in_child(super::process::new_user_namespace)
}

/// Makes a file system in memory, ready to be mounted, with the rights that a
/// user namespace of its own gives where one can be made.
///
/// # Errors
/// The refusal.
pub fn make_file_system() -> Result<()> {
    in_child(|| {
        // SAFETY: no memory is passed. When it is refused, what follows is
        // tried with the rights that there are.
        let _ = unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) };
        super::mount::new_fs(c"tmpfs", &[], Attributes::empty()).map(drop)
    })
}

/// Types a letter into a terminal as if a person had (`TIOCSTI`). The
/// terminal is one of the child's own, which nobody reads.
///
/// # Errors
/// The refusal; EIO where the kernel itself keeps unprivileged programs from
/// it.
pub fn type_into_terminal() -> Result<()> {
    in_child(|| {
        rustix::process::setsid()?;
        let (master, terminal) = terminal()?;
        // Closed before the child ends, it would hang up on the child.
        std::mem::forget(master);
        // SAFETY: the ioctl takes a number in place of a pointer.
        checked(libc::c_long::from(unsafe {
            libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0)
        }))?;
        let letter = b'x';
        // SAFETY: the kernel reads the one byte that is pointed at.
        checked(libc::c_long::from(unsafe {
            libc::ioctl(terminal.as_raw_fd(), libc::TIOCSTI, &raw const letter)
        }))?;
        Ok(())
    })
}

/// A new terminal, both ends.
fn terminal() -> Result<(OwnedFd, OwnedFd)> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let master = rustix::fs::open(c"/dev/ptmx", flags, Mode::empty())?;
    let unlocked: libc::c_int = 0;
    // SAFETY: the kernel reads the one int that is pointed at.
    checked(libc::c_long::from(unsafe {
        libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &raw const unlocked)
    }))?;
    // SAFETY: the ioctl takes flags in place of a pointer.
    let number = checked(libc::c_long::from(unsafe {
        libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags.bits() as libc::c_int)
    }))?;
    // SAFETY: the kernel has just given this descriptor to us alone.
    let terminal = unsafe { OwnedFd::from_raw_fd(number as i32) };
    Ok((master, terminal))
}

/// Lets itself be traced, which is the half of a debugger's work that no
/// host's settings forbid.
///
/// # Errors
/// The refusal.
pub fn be_traced() -> Result<()> {
    in_child(|| {
        // SAFETY: this request takes no further argument.
        checked(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) })?;
        Ok(())
    })
}

/// Makes a ring of `io_uring(7)`.
///
/// # Errors
/// The refusal.
pub fn make_ring() -> Result<()> {
    in_child(|| {
        /// `struct io_uring_params` has 120 bytes.
        #[repr(C, align(8))]
        struct Parameters([u8; 120]);
        let mut parameters = Parameters([0; 120]);
        // SAFETY: the struct has the size and alignment that the kernel reads
        // and writes; the descriptor ends with the child.
        checked(unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, &raw mut parameters) })?;
        Ok(())
    })
}

/// Asks for the number of the session's keyring.
///
/// # Errors
/// The refusal.
pub fn look_at_keyring() -> Result<()> {
    const KEYCTL_GET_KEYRING_ID: libc::c_int = 0;
    const KEY_SPEC_SESSION_KEYRING: libc::c_int = -3;
    in_child(|| {
        // SAFETY: no memory is passed; the final 0 asks to make nothing.
        checked(unsafe {
            libc::syscall(
                libc::SYS_keyctl,
                KEYCTL_GET_KEYRING_ID,
                KEY_SPEC_SESSION_KEYRING,
                0,
                0,
                0,
            )
        })?;
        Ok(())
    })
}

/// Makes a socket that sees whole packets of the network.
///
/// # Errors
/// The refusal.
pub fn make_packet_socket() -> Result<()> {
    in_child(|| rustix::net::socket(AddressFamily::PACKET, SocketType::RAW, None).map(drop))
}

/// Makes a block device, without the capability to do so. Landlock answers
/// EACCES, and the kernel without landlock EPERM: this is how to tell from
/// inside whether landlock is on.
///
/// # Errors
/// The refusal.
pub fn make_block_device() -> Result<()> {
    in_child(|| {
        // Without this root could make one. Who is not root has none to drop.
        let _ = confine::drop_capabilities();
        let place = CString::new(format!("/dev/shm/pinfold-tour-{}", std::process::id()))
            .map_err(|_| Errno::INVAL)?;
        let place: &CStr = &place;
        rustix::fs::mknodat(CWD, place, FileType::BlockDevice, Mode::empty(), 0)?;
        rustix::fs::unlinkat(CWD, place, AtFlags::empty())
    })
}

/// Asks whether a process could be signalled, without a signal.
///
/// # Errors
/// The refusal; ESRCH where there is no such process.
pub fn reach_process(id: i32) -> Result<()> {
    let id = rustix::process::Pid::from_raw(id).ok_or(Errno::SRCH)?;
    rustix::process::test_kill_process(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_can_be_reached() {
        assert_eq!(reach_process(std::process::id() as i32), Ok(()));
        assert_eq!(reach_process(i32::MAX), Err(Errno::SRCH));
        assert_eq!(reach_process(0), Err(Errno::SRCH));
    }
}
