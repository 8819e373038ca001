//! The calls that no safe crate offers: the only `unsafe` of the tests.

use std::ffi::c_long;

use nix::errno::Errno;

/// A system call by number, with up to six words.
///
/// The callers pass numbers and small words only, or a call that the filter
/// or the kernel refuses before it looks at an address.
pub fn call(number: c_long, words: [c_long; 6]) -> Result<i64, Errno> {
    let [a, b, c, d, e, f] = words;
    // SAFETY: no word is a pointer that the kernel would write through: the
    // probe is given numbers by the tests, and null where an address belongs.
    Errno::result(unsafe { libc::syscall(number, a, b, c, d, e, f) })
}

/// An `ioctl` whose argument is one byte that the kernel reads.
pub fn ioctl_byte(fd: i32, request: u64, byte: u8) -> Result<i64, Errno> {
    // SAFETY: `byte` outlives the call, and both requests that the probe
    // makes (TIOCSTI, TIOCLINUX) read through the pointer.
    let answer =
        unsafe { libc::syscall(libc::SYS_ioctl, c_long::from(fd), request, &raw const byte) };
    Errno::result(answer)
}

/// A system call of 32-bit programs, by the gate that 64-bit ones have too.
#[cfg(target_arch = "x86_64")]
pub fn int80(number: i32, words: [i32; 3]) -> Result<i64, Errno> {
    let mut answer: i64 = i64::from(number);
    let [a, b, c] = words;
    // SAFETY: the gate keeps every register but rax on the kernels that have
    // it, and r8 to r11 are named as lost for those that do not; rbx, which
    // the compiler keeps to itself, is put back.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {first}",
            "int 0x80",
            "xchg rbx, {first}",
            first = inout(reg) i64::from(a) => _,
            inout("rax") answer,
            in("rcx") i64::from(b),
            in("rdx") i64::from(c),
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
        );
    }
    let answer = i64::from(answer as i32);
    if (-4095..0).contains(&answer) {
        return Err(Errno::from_raw(-answer as i32));
    }
    Ok(answer)
}

/// There is no such gate on other architectures.
#[cfg(not(target_arch = "x86_64"))]
pub fn int80(_number: i32, _words: [i32; 3]) -> Result<i64, Errno> {
    Err(Errno::ENOSYS)
}

/// Ends the child of a clone, and waits for it in the parent.
fn ended(answer: c_long) -> Result<i64, Errno> {
    if answer == 0 {
        // SAFETY: the child of a clone without shared memory; it leaves
        // without running anything of the parent's.
        unsafe { libc::_exit(0) }
    }
    let pid = Errno::result(answer)?;
    // SAFETY: a null status is allowed.
    unsafe { libc::waitpid(pid as i32, std::ptr::null_mut(), 0) };
    Ok(pid)
}

/// A child by `clone(2)` with some flags, which ends at once.
pub fn clone(flags: i64) -> Result<i64, Errno> {
    let flags = flags | i64::from(libc::SIGCHLD);
    // SAFETY: without CLONE_VM and with null for the stack this is a fork, of
    // a process with one thread.
    ended(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })
}

/// The same by `clone3(2)`.
pub fn clone3(flags: u64) -> Result<i64, Errno> {
    let arguments = [flags, 0, 0, 0, libc::SIGCHLD as u64, 0, 0, 0];
    // SAFETY: `arguments` is a struct clone_args of the first version, whose
    // size is given; it asks for a fork.
    ended(unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments)) })
}

/// Enters a namespace that is open.
pub fn enter(namespace: std::os::fd::BorrowedFd<'_>) -> Result<i64, Errno> {
    use std::os::fd::AsRawFd as _;
    // SAFETY: no memory is passed.
    Errno::result(unsafe { libc::syscall(libc::SYS_setns, namespace.as_raw_fd(), 0) })
}

/// Reads from a descriptor by its number, from the start.
pub fn read_descriptor(number: i32) -> Result<String, Errno> {
    let mut buffer = [0u8; 64];
    // SAFETY: the kernel writes at most the length of the live buffer.
    let length =
        Errno::result(unsafe { libc::pread(number, buffer.as_mut_ptr().cast(), buffer.len(), 0) })?;
    Ok(String::from_utf8_lossy(&buffer[..length as usize]).into_owned())
}

const SESSION_KEYRING: i32 = -3;

/// Joins a new session keyring.
pub fn new_keyring() -> Result<i64, Errno> {
    const JOIN: c_long = 1;
    // SAFETY: a null name asks for one without a name.
    Errno::result(unsafe { libc::syscall(libc::SYS_keyctl, JOIN, 0, 0, 0, 0) })
}

/// Puts a key that holds its own name into the session keyring.
pub fn add_key(name: &str) -> Result<i64, Errno> {
    let text = std::ffi::CString::new(name).map_err(|_| Errno::EINVAL)?;
    // SAFETY: both strings end with NUL and live; the payload's length is its own.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_add_key,
            c"user".as_ptr(),
            text.as_ptr(),
            text.as_ptr(),
            name.len(),
            SESSION_KEYRING,
        )
    })
}

/// Looks for a key from the session keyring on, and reads it.
pub fn read_key(name: &str) -> Result<String, Errno> {
    const SEARCH: c_long = 10;
    const READ: c_long = 11;
    let text = std::ffi::CString::new(name).map_err(|_| Errno::EINVAL)?;
    // SAFETY: both strings end with NUL and live.
    let key = Errno::result(unsafe {
        let kind = c"user".as_ptr();
        libc::syscall(libc::SYS_keyctl, SEARCH, SESSION_KEYRING, kind, text.as_ptr(), 0)
    })?;
    let mut buffer = [0u8; 64];
    // SAFETY: the kernel writes at most the length of the live buffer.
    let length = Errno::result(unsafe {
        libc::syscall(libc::SYS_keyctl, READ, key, buffer.as_mut_ptr(), buffer.len())
    })?;
    Ok(String::from_utf8_lossy(&buffer[..(length as usize).min(buffer.len())]).into_owned())
}

/// Opens a message queue by its name without the slash; makes it if asked to.
pub fn queue(name: &str, make: bool) -> Result<i64, Errno> {
    let text = std::ffi::CString::new(name).map_err(|_| Errno::EINVAL)?;
    let flags = if make { libc::O_RDWR | libc::O_CREAT } else { libc::O_RDWR };
    // SAFETY: the name ends with NUL and lives; null asks for the default size.
    Errno::result(unsafe { libc::syscall(libc::SYS_mq_open, text.as_ptr(), flags, 0o600, 0) })
}

/// Takes a message queue away.
pub fn unlink_queue(name: &str) -> Result<i64, Errno> {
    let text = std::ffi::CString::new(name).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the name ends with NUL and lives.
    Errno::result(unsafe { libc::syscall(libc::SYS_mq_unlink, text.as_ptr()) })
}

/// Connects by sending (TCP Fast Open).
pub fn fast_open(to: std::net::SocketAddrV4) -> Result<i64, Errno> {
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*to.ip()).to_be() },
        sin_zero: [0; 8],
    };
    // SAFETY: no memory is passed.
    let socket = Errno::result(unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) })?;
    // SAFETY: the data and the address live, and their sizes are given.
    Errno::result(unsafe {
        libc::sendto(
            socket,
            c"x".as_ptr().cast(),
            1,
            libc::MSG_FASTOPEN,
            (&raw const address).cast(),
            size_of_val(&address) as u32,
        )
    })
    .map(|sent| sent as i64)
}
