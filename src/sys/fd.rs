//! Descriptors.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketType};

use super::{Result, checked};

/// Closes every descriptor from `first` on.
///
/// # Errors
/// ENOSYS before Linux 5.9.
pub fn close_from(first: u32) -> Result<()> {
    close_range(first, u32::MAX)
}

/// Closes the descriptors from `first` to `last`, both included.
///
/// # Errors
/// ENOSYS before Linux 5.9, EINVAL when `first` is above `last`.
pub fn close_range(first: u32, last: u32) -> Result<()> {
    // SAFETY: callers are processes that are about to exec or that own no
    // descriptor object in the range any more; no memory is passed.
    checked(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
    Ok(())
}

/// As many descriptors can be kept by [`close_all_but`] at most.
pub const MOST_KEPT: usize = 40;

/// Closes every descriptor from `first` on but these, at most [`MOST_KEPT`],
/// without allocating.
///
/// # Errors
/// ENOSYS before Linux 5.9; E2BIG for more.
pub fn close_all_but(first: u32, kept: &[BorrowedFd<'_>]) -> Result<()> {
    let mut numbers = [0u32; MOST_KEPT];
    let numbers = numbers.get_mut(..kept.len()).ok_or(super::Errno::TOOBIG)?;
    for (to, from) in numbers.iter_mut().zip(kept) {
        *to = from.as_raw_fd().cast_unsigned();
    }
    numbers.sort_unstable();
    let mut next = first;
    for number in numbers.iter().copied().filter(|number| *number >= first) {
        if number > next {
            close_range(next, number - 1)?;
        }
        next = number + 1;
    }
    close_from(next)
}

/// Puts an open descriptor in the place of the standard ones, from 0 up to but
/// not including `end`.
///
/// # Errors
/// Those of `dup2(2)`.
pub fn stand_in(fd: BorrowedFd<'_>, end: i32) -> Result<()> {
    for number in 0..end.min(3) {
        // SAFETY: no memory is passed. What was open there is closed; the
        // caller is a process that has no use for it, and nothing of ours
        // owns these numbers.
        checked(libc::c_long::from(unsafe { libc::dup2(fd.as_raw_fd(), number) }))?;
    }
    Ok(())
}

/// Puts three open descriptors in the place of the standard ones. They have
/// numbers above 2.
///
/// # Errors
/// Those of `dup2(2)`; EBADF for one that is itself a standard one.
pub fn stand_for_streams(fds: [BorrowedFd<'_>; 3]) -> Result<()> {
    if fds.iter().any(|fd| fd.as_raw_fd() < 3) {
        return Err(super::Errno::BADF);
    }
    for (number, fd) in (0..).zip(fds) {
        // SAFETY: no memory is passed. What was open there is closed; nothing
        // of ours owns these numbers in the child that asks for this.
        checked(libc::c_long::from(unsafe { libc::dup2(fd.as_raw_fd(), number) }))?;
    }
    Ok(())
}

/// The process that holds a lock of `fcntl(2)` on the whole of an open file;
/// none when it could be locked.
///
/// # Errors
/// Those of F_GETLK.
pub fn lock_holder(fd: BorrowedFd<'_>) -> Result<Option<i32>> {
    // SAFETY: an all-zero flock is a valid value of this plain C struct.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: the lock is a live flock, which F_GETLK reads and writes.
    checked(libc::c_long::from(unsafe {
        libc::fcntl(fd.as_raw_fd(), libc::F_GETLK, &raw mut lock)
    }))?;
    Ok((lock.l_type != libc::F_UNLCK as libc::c_short).then_some(lock.l_pid))
}

/// The user namespace that a namespace belongs to.
///
/// # Errors
/// Those of the `NS_GET_USERNS` request of `ioctl_ns(2)`.
pub fn namespace_owner(namespace: BorrowedFd<'_>) -> Result<OwnedFd> {
    const NS_GET_USERNS: libc::Ioctl = 0xb701;
    // SAFETY: the request passes no memory; the kernel refuses it for what is
    // no namespace.
    let fd =
        checked(libc::c_long::from(unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS) }))?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows
    // of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Whether something is open at this number.
pub fn is_open(number: i32) -> bool {
    // SAFETY: F_GETFD changes nothing and passes no memory.
    unsafe { libc::fcntl(number, libc::F_GETFD) >= 0 }
}

/// Writes to a descriptor that the caller of the program named by number.
///
/// # Errors
/// Those of `write(2)`; EBADF when nothing is open there.
pub fn write_to_number(number: i32, bytes: &[u8]) -> Result<()> {
    if number < 0 {
        return Err(super::Errno::BADF);
    }
    let mut rest = bytes;
    while !rest.is_empty() {
        // SAFETY: the pointer and length are those of a live slice, and a
        // number that is not open is refused with EBADF.
        let written =
            checked(unsafe { libc::syscall(libc::SYS_write, number, rest.as_ptr(), rest.len()) })?;
        rest = &rest[written as usize..];
    }
    Ok(())
}

/// Whether a number is open on a connected stream socket of the unix family.
pub fn is_connection(number: i32) -> bool {
    if number < 0 {
        return false;
    }
    // SAFETY: nothing is closed or kept; a number that is not open is refused
    // by each of the calls with EBADF.
    let socket = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::net::sockopt::socket_domain(socket) == Ok(AddressFamily::UNIX)
        && rustix::net::sockopt::socket_type(socket) == Ok(SocketType::STREAM)
        && rustix::net::getpeername(socket).is_ok_and(|peer| peer.is_some())
}

/// Whether a number is open on a socket that can still be led elsewhere: one of
/// the unix family that is not connected, or for datagrams, which can be sent
/// to anybody; and every one of another family.
pub fn is_loose_socket(number: i32) -> bool {
    if number < 0 {
        return false;
    }
    // SAFETY: nothing is closed or kept; a number that is not open is refused
    // by each of the calls with EBADF.
    let socket = unsafe { BorrowedFd::borrow_raw(number) };
    let is_tied = rustix::net::sockopt::socket_type(socket)
        .is_ok_and(|kind| kind == SocketType::STREAM || kind == SocketType::SEQPACKET)
        && rustix::net::getpeername(socket).is_ok_and(|peer| peer.is_some());
    match rustix::net::sockopt::socket_domain(socket) {
        // One of a network can be disconnected, and connected anew.
        Ok(domain) => domain != AddressFamily::UNIX || !is_tied,
        Err(_) => false,
    }
}

/// A descriptor of our own for what the caller of the program named by
/// number. The caller's stays open: it may have been named twice.
///
/// # Errors
/// EBADF when nothing is open there, EMFILE when the table is full.
pub fn duplicate_number(number: i32) -> Result<OwnedFd> {
    // SAFETY: no memory is passed, and a number that is not open is refused.
    let own = checked(unsafe { libc::syscall(libc::SYS_fcntl, number, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows
    // of it.
    Ok(unsafe { OwnedFd::from_raw_fd(own as i32) })
}

/// The width of the terminal that standard output is, in columns.
pub fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}
