//! Rules that look at arguments.
//!
//! Each asks about single 32-bit words, because a word is all that a classic
//! BPF filter can load and because the kernel itself takes most of these
//! arguments as an `int`: a comparison of all 64 bits would miss a value whose
//! upper half is garbage that the kernel throws away.

use super::answer::{Answer, Clause, Half, Test};
use crate::model::permission::{Nested, SyscallFeature};
use crate::model::plan::SyscallPlan;

/// Every flag with which clone(2) makes a namespace. `CLONE_NEWTIME` is not
/// among them: its bit lies in the byte where clone(2) takes the exit signal.
const NEW_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// The namespaces that may be made at a level of nesting.
fn namespaces(nested: Nested) -> u32 {
    let mounts = (libc::CLONE_NEWNS | libc::CLONE_NEWCGROUP) as u32;
    match nested {
        Nested::None => 0,
        Nested::Browser => NEW_NAMESPACES & !mounts,
        Nested::Container => NEW_NAMESPACES,
    }
}

/// clone(2): the kernel looks at the lower word of the flags only.
pub fn clone(policy: &SyscallPlan) -> Answer {
    let refused = NEW_NAMESPACES & !namespaces(policy.nested);
    if refused == 0 {
        return Answer::Allow;
    }
    Answer::Clauses(vec![no_bit(Half::Low, refused)])
}

/// unshare(2). The flags are a full `unsigned long`, so both halves count, and
/// they are an allow-list: a bit to which a later kernel gives a meaning is
/// refused.
pub fn unshare(policy: &SyscallPlan) -> Answer {
    if policy.nested == Nested::None {
        return Answer::Errno(libc::EPERM);
    }
    let plain = (libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SYSVSEM
        | libc::CLONE_SIGHAND
        | libc::CLONE_VM
        | libc::CLONE_THREAD) as u32;
    let refused = !(plain | namespaces(policy.nested));
    Answer::Clauses(vec![no_bit(Half::Low, refused), no_bit(Half::High, u32::MAX)])
}

/// Refuses flags, in the first argument, that have any of these bits.
fn no_bit(half: Half, mask: u32) -> Clause {
    Clause { argument: 0, half, mask, test: Test::NoneOf(vec![0]), errno: libc::EPERM }
}

/// Requests that change the marks of a file that is open for reading only
/// (`linux/fs.h`, `linux/fsverity.h`): FS_IOC_SETFLAGS, the same for 32-bit
/// programs, FS_IOC_FSSETXATTR, FS_IOC_ENABLE_VERITY. A read-only mount
/// refuses them; landlock does not know them.
const FILE_MARKS: [u32; 4] = [0x4008_6602, 0x4004_6602, 0x401c_5820, 0x4080_6685];

/// ioctl(2): the request is an `unsigned int` in the kernel.
pub fn ioctl(policy: &SyscallPlan) -> Answer {
    let requests = [libc::TIOCSTI, libc::TIOCLINUX, libc::TIOCSETD];
    let mut requests = requests.map(|request| request as u32).to_vec();
    if policy.unseparated.is_some() {
        requests.extend(FILE_MARKS);
    }
    Answer::Clauses(vec![Clause::low(1, Test::OneOf(requests), libc::EPERM)])
}

/// personality(2): the value is an `unsigned int` in the kernel, and
/// 0xffffffff only asks which one is set.
pub fn personality(policy: &SyscallPlan) -> Answer {
    const PER_LINUX: u32 = 0;
    const PER_LINUX32: u32 = 8;
    if policy.features.contains(&SyscallFeature::Devel) {
        return Answer::Allow;
    }
    let mut allowed = vec![PER_LINUX, u32::MAX];
    if policy.features.contains(&SyscallFeature::Multiarch) {
        allowed.push(PER_LINUX32);
    }
    Answer::Clauses(vec![Clause::low(0, Test::NoneOf(allowed), libc::EPERM)])
}

/// kcmp(2): comparing two descriptors is what Mesa and Chromium's Wayland
/// backend do with their own; the other kinds compare the insides of processes.
pub fn kcmp(policy: &SyscallPlan) -> Answer {
    const KCMP_FILE: u32 = 0;
    if policy.features.contains(&SyscallFeature::Devel) {
        return Answer::Allow;
    }
    Answer::Clauses(vec![Clause::low(2, Test::NoneOf(vec![KCMP_FILE]), libc::EPERM)])
}

/// The bits of a socket's type that are not flags.
const SOCK_TYPE_MASK: u32 = 0xf;

/// socket(2): the family and the type are `int`s in the kernel. `SOCK_PACKET`
/// is refused in every family because with `AF_INET` it yields a packet socket
/// as `AF_PACKET` does; the type's other bits are flags. MPTCP and SMC carry
/// TCP connections that landlock does not take for such.
pub fn socket(policy: &SyscallPlan) -> Answer {
    const SOCK_PACKET: u32 = 10;
    const IPPROTO_SMC: u32 = 256;
    let mut families = vec![libc::AF_UNSPEC];
    if connects_by_name(policy) {
        families.push(libc::AF_UNIX);
    }
    if policy.unseparated.is_none_or(|unseparated| unseparated.network) {
        families.extend([libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK]);
    }
    for (feature, family) in
        [(SyscallFeature::Canbus, libc::AF_CAN), (SyscallFeature::Bluetooth, libc::AF_BLUETOOTH)]
    {
        if policy.features.contains(&feature) {
            families.push(family);
        }
    }
    let families = families.into_iter().map(|family| family as u32).collect();
    let mut clauses = vec![
        Clause::low(0, Test::NoneOf(families), libc::EAFNOSUPPORT),
        Clause {
            mask: SOCK_TYPE_MASK,
            ..Clause::low(1, Test::OneOf(vec![SOCK_PACKET]), libc::EAFNOSUPPORT)
        },
    ];
    if policy.tcp_limited {
        let protocols = vec![IPPROTO_SMC, libc::IPPROTO_MPTCP as u32];
        clauses.push(Clause::low(2, Test::OneOf(protocols), libc::EPROTONOSUPPORT));
    }
    Answer::Clauses(clauses)
}

/// Whether unix sockets may be made that a name can be given to.
fn connects_by_name(policy: &SyscallPlan) -> bool {
    policy.unseparated.is_none_or(|unseparated| unseparated.unix_sockets)
}

/// kill(2): 0 means the process group. The application shares that of its
/// caller, whose processes are in no namespace of the sandbox and are reached
/// all the same. By number none of them can be named.
pub fn kill(policy: &SyscallPlan) -> Answer {
    if policy.signals_scoped {
        return Answer::Allow;
    }
    Answer::Clauses(vec![Clause::low(0, Test::OneOf(vec![0]), libc::EPERM)])
}

/// Calls whose argument of this number is the mode of a file.
fn no_set_id(policy: &SyscallPlan, mode: u8) -> Answer {
    if policy.makes_set_id {
        return Answer::Allow;
    }
    Answer::Clauses(vec![Clause {
        mask: libc::S_ISUID | libc::S_ISGID,
        ..Clause::low(mode, Test::NoneOf(vec![0]), libc::EPERM)
    }])
}

/// The modes of files are changed by their names, wherever they lie: landlock
/// does not look, and only a mount that is read-only or absent would refuse.
fn by_name(policy: &SyscallPlan, otherwise: fn(&SyscallPlan) -> Answer) -> Answer {
    if policy.unseparated.is_some() { Answer::Errno(libc::EPERM) } else { otherwise(policy) }
}

/// chmod(2)
pub fn chmod(policy: &SyscallPlan) -> Answer {
    by_name(policy, mode_second)
}

/// fchmodat(2) and fchmodat2(2), with which a descriptor that was opened
/// without any right (`O_PATH`) works too.
pub fn chmod_at(policy: &SyscallPlan) -> Answer {
    by_name(policy, mode_third)
}

/// utimensat(2), also of 32-bit programs: with a null path it works on an
/// open descriptor, as futimens(3), and is let through.
pub fn utimensat(policy: &SyscallPlan) -> Answer {
    if policy.unseparated.is_none() {
        return Answer::Allow;
    }
    let null = |half| Clause {
        argument: 1,
        half,
        mask: u32::MAX,
        test: Test::NoneOf(vec![0]),
        errno: libc::EPERM,
    };
    Answer::Clauses(vec![null(Half::Low), null(Half::High)])
}

/// Refuses a process number in an argument, but for 0, which is the caller:
/// without a pid namespace it may be any of the user's.
fn only_own(argument: u8) -> Clause {
    Clause::low(argument, Test::NoneOf(vec![0]), libc::EPERM)
}

/// sched_setaffinity(2) and its like, and prlimit(2): a process of the same
/// user is starved by the one and ended by the other, and landlock does not
/// look at either.
pub fn process_first(policy: &SyscallPlan) -> Answer {
    if policy.unseparated.is_none() {
        return Answer::Allow;
    }
    Answer::Clauses(vec![only_own(0)])
}

/// fchmod(2), creat(2) and mknod(2)
pub fn mode_second(policy: &SyscallPlan) -> Answer {
    no_set_id(policy, 1)
}

/// mknodat(2) and open(2)
pub fn mode_third(policy: &SyscallPlan) -> Answer {
    no_set_id(policy, 2)
}

/// openat(2)
pub fn mode_fourth(policy: &SyscallPlan) -> Answer {
    no_set_id(policy, 3)
}

/// openat2(2): the mode lies behind a pointer; callers fall back to openat.
pub fn openat2(policy: &SyscallPlan) -> Answer {
    if policy.makes_set_id { Answer::Allow } else { Answer::Errno(libc::ENOSYS) }
}

/// setpriority(2): the process group is the caller's, as for [`kill`], and
/// landlock does not look at this call.
pub fn setpriority(policy: &SyscallPlan) -> Answer {
    const PRIO_PGRP: u32 = 1;
    const PRIO_USER: u32 = 2;
    priority(policy, PRIO_PGRP, PRIO_USER)
}

/// A call whose first argument says what its second names: one process, all of
/// a group or all of the user.
fn priority(policy: &SyscallPlan, group: u32, user: u32) -> Answer {
    let refused = |kinds| Clause::low(0, Test::OneOf(kinds), libc::EPERM);
    Answer::Clauses(match policy.unseparated {
        None => vec![refused(vec![group])],
        Some(_) => vec![refused(vec![group, user]), only_own(1)],
    })
}

/// ioprio_set(2): as setpriority.
pub fn ioprio_set(policy: &SyscallPlan) -> Answer {
    const IOPRIO_WHO_PGRP: u32 = 2;
    const IOPRIO_WHO_USER: u32 = 3;
    priority(policy, IOPRIO_WHO_PGRP, IOPRIO_WHO_USER)
}

/// The third argument of sendmsg(2), and the fourth of sendto(2) and
/// sendmmsg(2), where TCP ports are limited: TCP fast open connects within
/// a send, which landlock does not see. The kernel's own answer where fast
/// open is switched off is the same, and callers then connect.
fn no_fast_open(policy: &SyscallPlan, flags: u8) -> Answer {
    if !policy.tcp_limited {
        return Answer::Allow;
    }
    Answer::Clauses(vec![Clause {
        mask: libc::MSG_FASTOPEN as u32,
        ..Clause::low(flags, Test::NoneOf(vec![0]), libc::EOPNOTSUPP)
    }])
}

/// sendmsg(2)
pub fn sendmsg(policy: &SyscallPlan) -> Answer {
    no_fast_open(policy, 2)
}

/// sendto(2) and sendmmsg(2)
pub fn sendto(policy: &SyscallPlan) -> Answer {
    no_fast_open(policy, 3)
}

/// socketpair(2): no other family that is allowed has pairs. A datagram
/// socket of a pair can be sent from to any name all the same, and
/// `SOCK_RAW` yields one; the other kinds stay with their pair.
pub fn socketpair(policy: &SyscallPlan) -> Answer {
    let mut clauses =
        vec![Clause::low(0, Test::NoneOf(vec![libc::AF_UNIX as u32]), libc::EAFNOSUPPORT)];
    if !connects_by_name(policy) {
        let tied = [libc::SOCK_STREAM, libc::SOCK_SEQPACKET].map(|kind| kind as u32).to_vec();
        clauses.push(Clause {
            mask: SOCK_TYPE_MASK,
            ..Clause::low(1, Test::NoneOf(tied), libc::EAFNOSUPPORT)
        });
    }
    Answer::Clauses(clauses)
}

/// socketcall(2), of i386: the family lies behind a pointer, which a filter
/// cannot follow, so sockets are made by the direct calls alone, unless those
/// of every family are let through. Everything that is done with a socket
/// afterwards may come this way, but for sends whose flags have to be looked
/// at.
pub fn socketcall(policy: &SyscallPlan) -> Answer {
    const SYS_SOCKET: u32 = 1;
    const SYS_SOCKETPAIR: u32 = 8;
    const SYS_SENDTO: u32 = 11;
    const SYS_SENDMSG: u32 = 16;
    const SYS_SENDMMSG: u32 = 20;
    if policy.features.contains(&SyscallFeature::MultiarchSockets) && !policy.tcp_limited {
        return Answer::Allow;
    }
    let mut refused = vec![SYS_SOCKET, SYS_SOCKETPAIR];
    if policy.tcp_limited {
        refused.extend([SYS_SENDTO, SYS_SENDMSG, SYS_SENDMMSG]);
    }
    Answer::Clauses(vec![Clause::low(0, Test::OneOf(refused), libc::ENOSYS)])
}
