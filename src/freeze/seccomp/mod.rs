//! The system call filter of the application.
//!
//! # What it is
//!
//! A deny table over a bounded space. A call that is not in [`TABLE`] and whose
//! number was reviewed is allowed; a number that was not reviewed does not
//! exist. So an application that runs on an older kernel runs here, and what
//! later kernels add is out of reach until somebody has looked at it.
//!
//! A refusal is an errno, never a signal: desktop libraries probe for what the
//! kernel has and fall back. The one exception is an architecture that the
//! sandbox does not have at all, since nothing legitimate gets there.
//!
//! # In which order it decides
//!
//! 1. **Architecture.** The native one; with the feature `multiarch`, i386 on
//!    x86_64. All else is killed: the numbers mean other calls there, so a table
//!    for the wrong architecture is no table. There is none for 32-bit ARM.
//! 2. **Number.** One that is not in [`reviewed`]'s spans is `ENOSYS`. The
//!    comparison is unsigned, so it also ends every number with the x32 bit
//!    (0x40000000), by which each call of x86_64 has a second number, and the
//!    negative ones.
//! 3. **Row.** At most one row of the table has the number. It allows or refuses
//!    on its own, or
//! 4. **Arguments.** it asks about argument words, and the first clause that
//!    holds refuses.
//!
//! No path that ends before step 4 loads an argument. The kernel (5.11) finds
//! out at load time which calls are allowed whatever their arguments, and does
//! not run the filter for them again.
//!
//! # What is refused
//!
//! | what | answer | let through by |
//! |---|---|---|
//! | new namespaces: clone, unshare | `EPERM` | `nested`, as far as its level goes |
//! | chroot | `EPERM` | `nested = "browser"` |
//! | mount, umount, pivot_root, sethostname | `EPERM` | `nested = "container"` |
//! | the mount calls of Linux 5.2 and later | `ENOSYS` | `nested = "container"` |
//! | setns, clone3 | `EPERM`, `ENOSYS` | nothing |
//! | ptrace, process_vm_*, perf_event_open, personality, kcmp | `EPERM` | `devel` |
//! | modify_ldt, vm86 | `EPERM` | `multiarch` |
//! | socket families but unix, inet, inet6, netlink | `EAFNOSUPPORT` | `bluetooth`, `canbus` for theirs |
//! | socketcall that makes sockets (i386) | `ENOSYS` | `multiarch-sockets`, of every family |
//! | MPTCP, SMC, TCP fast open, where TCP ports are limited | `EPROTONOSUPPORT`, `EOPNOTSUPP` | unlimited ports |
//! | priorities of the whole process group | `EPERM` | nothing |
//! | kill of the whole process group | `EPERM` | a landlock that scopes signals |
//! | marks of files by name, watches on folders, System V and POSIX message and memory sharing, limits and priorities of other processes | `EPERM`, `EOPNOTSUPP`, `ENOSPC`, `ENOSYS` | namespaces |
//! | sockets of the network, or that can be connected by name | `EAFNOSUPPORT` | namespaces, or a grant and a landlock that governs them |
//! | ioctl TIOCSTI, TIOCLINUX, TIOCSETD | `EPERM` | nothing |
//! | io_uring, userfaultfd, fanotify, memfd_secret, statmount and its like | `ENOSYS` | nothing |
//! | keyrings, bpf, memory placement, file handles, and what belongs to the machine | `EPERM` | nothing |
//!
//! `ENOSYS` is the answer where callers are known to try an older call next,
//! or where a kernel built without the call is common; `EPERM` elsewhere. All
//! of Flatpak's refusals are among these, with its errnos, but for two values of
//! personality: 0xffffffff, which asks and sets nothing, and, with `multiarch`,
//! that of 32-bit programs.
//!
//! # What it does not cover
//!
//! * Whatever lies behind a pointer. That is why clone3 does not exist here,
//!   and why `socketcall` of i386 makes no sockets: let through, it makes them
//!   of every family, also for 64-bit code of the same application. The price:
//!   a C library that was built to start on kernels older than 4.3, such as
//!   Debian 12's for i386 (its ABI note says 3.2.0), makes each socket so, and
//!   programs that use it have neither a window nor the network. Who needs such
//!   a program more than the fence around families says `multiarch-sockets`.
//!   `AF_ALG`, `AF_VSOCK` and whatever else the kernel has built in are then in
//!   reach. It does not go together with limited TCP ports, past which MPTCP
//!   and SMC would lead.
//! * `adjtimex` and `clock_adjtime` read the clock or set it by a field behind
//!   a pointer. They stay, for the kernel asks for `CAP_SYS_TIME` in the host's
//!   user namespace before it sets anything.
//! * Protocols within a family, such as netlink's kinds.
//! * Descriptors: a ring, a fanotify group or a mount that is handed in is
//!   closed to the calls above, but `read`, `write` and `ioctl` reach whatever
//!   stands behind a descriptor.
//! * The kernel's own holes in calls that every application needs.

mod answer;
mod arguments;
mod assemble;
#[cfg(test)]
mod interpreter;
mod known;
pub mod strict;
mod table;
#[cfg(test)]
mod tests;

use seccompiler::sock_filter;

use crate::model::permission::SyscallFeature;
use crate::model::plan::SyscallPlan;

pub use answer::{Answer, Clause, Half, Test};
pub use known::CALLS;
pub use table::{HIGHEST_REVIEWED, Numbers, Row, Rule, TABLE, reviewed};

/// An architecture that there is a table for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit PCs.
    X86_64,
    /// 32-bit PCs, and 32-bit programs on 64-bit ones.
    I386,
    /// 64-bit ARM, little-endian.
    Aarch64,
}

impl Arch {
    /// The one that Pinfold was built for, if there is a table for it.
    pub fn native() -> Option<Arch> {
        // x32 counts as x86_64 to the compiler and to the kernel, but all of
        // its calls are refused here.
        if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
            Some(Arch::X86_64)
        } else if cfg!(target_arch = "x86") {
            Some(Arch::I386)
        } else if cfg!(all(
            target_arch = "aarch64",
            target_endian = "little",
            target_pointer_width = "64"
        )) {
            Some(Arch::Aarch64)
        } else {
            None
        }
    }

    /// What the kernel calls it in `seccomp_data.arch` (`AUDIT_ARCH_*`): the
    /// ELF machine, and bits for 64 bits and little-endian.
    pub fn audit(self) -> u32 {
        match self {
            Arch::X86_64 => 0xc000_003e,
            Arch::I386 => 0x4000_0003,
            Arch::Aarch64 => 0xc000_00b7,
        }
    }
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is made.
    Allow,
    /// It fails with this errno.
    Errno(i32),
    /// The process dies of `SIGSYS`.
    KillProcess,
}

/// What the policy says to one call: the meaning of the filter, which
/// [`program`] is tested against. `audit_arch`, `number` and `args` are the
/// fields of the kernel's `struct seccomp_data`.
pub fn judge(
    policy: &SyscallPlan,
    native: Arch,
    audit_arch: u32,
    number: u32,
    args: &[u64; 6],
) -> Verdict {
    accepted(policy, native)
        .find(|arch| arch.audit() == audit_arch)
        .map_or(Verdict::KillProcess, |arch| table::answer(policy, arch, number).verdict(args))
}

/// The filter, as the kernel loads it.
pub fn program(policy: &SyscallPlan, native: Arch) -> Vec<sock_filter> {
    assemble::program(policy, native)
}

/// The architectures whose calls are looked at, the native one first.
fn accepted(policy: &SyscallPlan, native: Arch) -> impl DoubleEndedIterator<Item = Arch> {
    let multiarch = policy.features.contains(&SyscallFeature::Multiarch);
    let second = (multiarch && native == Arch::X86_64).then_some(Arch::I386);
    [Some(native), second].into_iter().flatten()
}
