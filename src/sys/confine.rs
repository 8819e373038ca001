//! What a process takes from itself: capabilities, keyring, landlock and the
//! system call filter.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};

use super::{Errno, Result, checked};

/// One instruction of a classic BPF program, as `linux/filter.h` has it.
pub type Instruction = seccompiler::sock_filter;

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    len: u16,
    filter: *const Instruction,
}

/// Joins a new, empty session keyring, so that nothing of the caller's
/// keyrings is possessed any longer.
///
/// # Errors
/// Those of `keyctl(2)`; a kernel without keyrings is no error.
pub fn new_session_keyring() -> Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: a null name asks for an anonymous keyring; no memory is passed.
    let done = checked(unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            KEYCTL_JOIN_SESSION_KEYRING,
            std::ptr::null::<libc::c_char>(),
            0,
            0,
            0,
        )
    });
    match done {
        Ok(_) | Err(Errno::NOSYS) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Empties every capability set for good: bounding, ambient, inheritable,
/// permitted and effective; and locks the bits by which uid 0 would get
/// some back at exec.
///
/// # Errors
/// Those of `prctl(2)` and `capset(2)`.
pub fn drop_capabilities() -> Result<()> {
    // Bits beyond the kernel's last capability answer EINVAL: that is the end.
    for bit in 0..64 {
        let Some(one) = CapabilitySet::from_bits(1 << bit) else { break };
        match rustix::thread::remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    rustix::thread::clear_ambient_capability_set()?;
    rustix::thread::set_capabilities_secure_bits(
        CapabilitiesSecureBits::NO_ROOT
            | CapabilitiesSecureBits::NO_ROOT_LOCKED
            | CapabilitiesSecureBits::NO_SETUID_FIXUP
            | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
            | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
            | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED,
    )?;
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )
}

/// Empties the capability sets of a process that has no right to shrink its
/// bounding set. It needs none: for who is not root, and with no_new_privs,
/// no exec fills them again.
///
/// # Errors
/// Those of `prctl(2)` and `capset(2)`.
pub fn drop_own_capabilities() -> Result<()> {
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )
}

/// Loads a system call filter for this process and its children.
///
/// # Errors
/// Those of `seccomp(2)`; EINVAL for a program that the kernel does not take.
pub fn load_filter(program: &[Instruction]) -> Result<()> {
    let Ok(len) = u16::try_from(program.len()) else { return Err(Errno::INVAL) };
    let program = Program { len, filter: program.as_ptr() };
    // SAFETY: `program` points at `len` live instructions, which the kernel
    // copies and checks before it uses them.
    checked(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    })?;
    Ok(())
}

/// `struct landlock_path_beneath_attr`, which is packed.
#[repr(C, packed)]
struct PathBeneath {
    allowed_access: u64,
    parent_fd: i32,
}

/// Adds a rule for the object that `object` is open on to a ruleset. The
/// landlock crate can only add rules where its own types live; the objects
/// that exist only inside the sandbox are added by this call.
///
/// # Errors
/// Those of `landlock_add_rule(2)`.
pub fn landlock_allow(ruleset: BorrowedFd<'_>, object: BorrowedFd<'_>, access: u64) -> Result<()> {
    const LANDLOCK_RULE_PATH_BENEATH: libc::c_int = 1;
    let rule = PathBeneath { allowed_access: access, parent_fd: object.as_raw_fd() };
    // SAFETY: `rule` is a live landlock_path_beneath_attr, which the kernel
    // only reads.
    checked(unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            LANDLOCK_RULE_PATH_BENEATH,
            &raw const rule,
            0,
        )
    })?;
    Ok(())
}

/// Confines this process by a ruleset.
///
/// # Errors
/// Those of `landlock_restrict_self(2)`; EPERM without no_new_privs.
pub fn landlock_enter(ruleset: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: no memory is passed.
    checked(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) })?;
    Ok(())
}
