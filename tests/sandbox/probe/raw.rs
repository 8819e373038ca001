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
