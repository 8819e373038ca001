//! The filter of Pinfold's own process before the buses: a list of what it
//! uses, and death for everything else.
//!
//! That process reads bytes of the application's making, so it is built to be
//! of no use to whoever should take it over: it makes connections of unix
//! sockets, passes bytes on, and manages its memory. It cannot open a file,
//! start a program, send a signal or make memory executable.

use std::collections::BTreeMap;

use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use crate::sys::confine::Instruction;

use super::Arch;

/// Calls that pass whatever their arguments.
const PLAIN: [i64; 31] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_recvmsg,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_setsockopt,
    libc::SYS_getsockopt,
    libc::SYS_shutdown,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Those that the other architecture does not have.
#[cfg(target_arch = "x86_64")]
const OLDER: [i64; 1] = [libc::SYS_epoll_wait];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: [i64; 0] = [];

/// The filter; none where there is no table for the architecture.
pub fn program() -> Option<Vec<Instruction>> {
    let arch = match Arch::native()? {
        Arch::X86_64 => TargetArch::x86_64,
        Arch::Aarch64 => TargetArch::aarch64,
        Arch::I386 => return None,
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        PLAIN.into_iter().chain(OLDER).map(|number| (number, Vec::new())).collect();
    let family = condition(0, SeccompCmpOp::Eq, libc::AF_UNIX as u64)?;
    rules.insert(libc::SYS_socket, vec![family]);
    // The standard library of a debug build looks whether what it closes is
    // open.
    rules.insert(libc::SYS_fcntl, vec![condition(1, SeccompCmpOp::Eq, libc::F_GETFD as u64)?]);
    let executable = SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64);
    for number in [libc::SYS_mmap, libc::SYS_mprotect] {
        rules.insert(number, vec![condition(2, executable.clone(), 0)?]);
    }
    let filter =
        SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch).ok()?;
    filter.try_into().ok()
}

fn condition(argument: u8, how: SeccompCmpOp, value: u64) -> Option<SeccompRule> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value).ok()?;
    SeccompRule::new(vec![condition]).ok()
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::interpreter::{Call, run};
    use super::*;

    fn verdict(number: i64, args: [u64; 6]) -> Verdict {
        judged(Arch::native().unwrap(), number as u32, args)
    }

    fn judged(arch: Arch, number: u32, arguments: [u64; 6]) -> Verdict {
        run(&program().unwrap(), &Call { arch: arch.audit(), number, arguments }).verdict
    }

    #[test]
    fn only_what_is_listed_passes() {
        let mut allowed = Vec::new();
        for number in 0..1024 {
            match verdict(number, [u64::from(u32::MAX); 6]) {
                Verdict::Allow => allowed.push(number),
                other => assert_eq!(other, Verdict::KillProcess, "{number}"),
            }
        }
        let mut listed: Vec<i64> = PLAIN.into_iter().chain(OLDER).collect();
        listed.sort_unstable();
        assert_eq!(allowed, listed);
    }

    #[test]
    fn arguments_decide_where_they_are_looked_at() {
        let unix = libc::AF_UNIX as u64;
        assert_eq!(verdict(libc::SYS_socket, [unix, 1, 0, 0, 0, 0]), Verdict::Allow);
        assert_eq!(
            verdict(libc::SYS_socket, [libc::AF_INET as u64, 1, 0, 0, 0, 0]),
            Verdict::KillProcess
        );
        for number in [libc::SYS_mmap, libc::SYS_mprotect] {
            assert_eq!(verdict(number, [0, 4096, 3, 0, 0, 0]), Verdict::Allow);
            assert_eq!(verdict(number, [0, 4096, 7, 0, 0, 0]), Verdict::KillProcess);
            // The kernel looks at the lower half only.
            assert_eq!(verdict(number, [0, 4096, 1 << 32 | 4, 0, 0, 0]), Verdict::KillProcess);
        }
    }

    #[test]
    fn numbers_of_another_kind_are_no_way_in() {
        let native = Arch::native().unwrap();
        let write = libc::SYS_write as u32;
        for arch in [Arch::X86_64, Arch::I386, Arch::Aarch64].into_iter().filter(|a| *a != native) {
            assert_eq!(judged(arch, write, [0; 6]), Verdict::KillProcess);
        }
        let x32 = write | 0x4000_0000;
        assert_eq!(judged(native, x32, [0; 6]), Verdict::KillProcess);
    }
}
