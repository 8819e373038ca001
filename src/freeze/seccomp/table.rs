//! The table: which calls are not simply allowed, and why.

use crate::model::permission::{Nested, SyscallFeature};
use crate::model::plan::SyscallPlan;

use super::Arch;
use super::answer::Answer;
use super::arguments;

/// The highest number that was looked at, on every architecture
/// (`rseq_slice_yield`, Linux 7.0).
pub const HIGHEST_REVIEWED: u32 = 471;

/// One call that is not simply allowed.
#[derive(Debug)]
pub struct Row {
    /// The call's name.
    pub name: &'static str,
    /// Its numbers.
    pub numbers: Numbers,
    /// When it is refused, and with what answer.
    pub rule: Rule,
    /// Why.
    pub reason: &'static str,
}

/// The number of one call on each architecture; none where the architecture
/// does not have it.
#[derive(Debug, Clone, Copy)]
pub struct Numbers {
    /// On x86_64.
    pub x86_64: Option<u32>,
    /// On i386.
    pub i386: Option<u32>,
    /// On aarch64.
    pub aarch64: Option<u32>,
}

impl Numbers {
    /// The number on one architecture.
    pub fn on(self, arch: Arch) -> Option<u32> {
        match arch {
            Arch::X86_64 => self.x86_64,
            Arch::I386 => self.i386,
            Arch::Aarch64 => self.aarch64,
        }
    }
}

/// When a call is refused.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// In every sandbox.
    Always(i32),
    /// Unless a group is let through.
    UnlessFeature(SyscallFeature, i32),
    /// Unless further sandboxes of this level or a higher one may be built.
    UnlessNested(Nested, i32),
    /// Where no namespaces separate the application from the host.
    Unseparated(i32),
    /// For what its arguments hold.
    Arguments(fn(&SyscallPlan) -> Answer),
}

impl Rule {
    /// The rule under one policy.
    pub fn answer(self, policy: &SyscallPlan) -> Answer {
        let (open, errno) = match self {
            Rule::Always(errno) => (false, errno),
            Rule::UnlessFeature(feature, errno) => (policy.features.contains(&feature), errno),
            Rule::UnlessNested(level, errno) => (policy.nested >= level, errno),
            Rule::Unseparated(errno) => (policy.unseparated.is_none(), errno),
            Rule::Arguments(answer) => return answer(policy),
        };
        if open { Answer::Allow } else { Answer::Errno(errno) }
    }
}

/// The answer for one number of one architecture.
pub fn answer(policy: &SyscallPlan, arch: Arch, number: u32) -> Answer {
    if !reviewed(arch).iter().any(|&(first, last)| (first..=last).contains(&number)) {
        return Answer::Errno(libc::ENOSYS);
    }
    TABLE
        .iter()
        .find(|row| row.numbers.on(arch) == Some(number))
        .map_or(Answer::Allow, |row| row.rule.answer(policy))
}

/// The numbers that were looked at, first to last. What lies between is not a
/// system call today. It is refused like a number above the highest, because
/// the kernel fills such gaps later (335 and 336 of x86_64 were ones).
pub fn reviewed(arch: Arch) -> &'static [(u32, u32)] {
    match arch {
        Arch::X86_64 => &[(0, 336), (424, HIGHEST_REVIEWED)],
        Arch::I386 => {
            &[(0, 221), (224, 250), (252, 284), (286, 386), (393, 414), (416, HIGHEST_REVIEWED)]
        }
        Arch::Aarch64 => &[(0, 243), (260, 294), (424, HIGHEST_REVIEWED)],
    }
}

/// A row of a call that has the same number on every architecture.
const fn shared(name: &'static str, number: u32, rule: Rule, reason: &'static str) -> Row {
    row(name, [Some(number), Some(number), Some(number)], rule, reason)
}

/// A row; the numbers are those of x86_64, i386 and aarch64.
const fn row(
    name: &'static str,
    [x86_64, i386, aarch64]: [Option<u32>; 3],
    rule: Rule,
    reason: &'static str,
) -> Row {
    Row { name, numbers: Numbers { x86_64, i386, aarch64 }, rule, reason }
}

const DENY: Rule = Rule::Always(libc::EPERM);
const ABSENT: Rule = Rule::Always(libc::ENOSYS);
const DEVEL: Rule = Rule::UnlessFeature(SyscallFeature::Devel, libc::EPERM);
const MULTIARCH: Rule = Rule::UnlessFeature(SyscallFeature::Multiarch, libc::EPERM);
const BROWSER: Rule = Rule::UnlessNested(Nested::Browser, libc::EPERM);
const CONTAINER: Rule = Rule::UnlessNested(Nested::Container, libc::EPERM);
const NAMED: Rule = Rule::Unseparated(libc::EPERM);
const UNMARKED: Rule = Rule::Unseparated(libc::EOPNOTSUPP);
const OLDER: Rule = Rule::Unseparated(libc::ENOSYS);
const MOUNT_API: Rule = Rule::UnlessNested(Nested::Container, libc::ENOSYS);

/// Every call that is not simply allowed, grouped by what it would give away.
#[rustfmt::skip]
pub static TABLE: &[Row] = &[
    // Ways out of the sandbox's namespaces and file tree.
    row("clone", [Some(56), Some(120), Some(220)], Rule::Arguments(arguments::clone), "a new namespace gives capabilities over it, and with them kernel code that is else root's"),
    shared("clone3", 435, ABSENT, "its flags lie behind a pointer; the C library falls back to clone when the call does not exist"),
    row("unshare", [Some(272), Some(310), Some(97)], Rule::Arguments(arguments::unshare), "as clone"),
    row("setns", [Some(308), Some(346), Some(268)], DENY, "enters other namespaces; no nested sandbox needs it"),
    row("chroot", [Some(161), Some(61), Some(51)], BROWSER, "changes what portals read as this process's identity"),
    row("mount", [Some(165), Some(21), Some(40)], CONTAINER, "changes the file tree that the identity is read from"),
    row("umount", [None, Some(22), None], CONTAINER, "as mount"),
    row("umount2", [Some(166), Some(52), Some(39)], CONTAINER, "as mount"),
    row("pivot_root", [Some(155), Some(217), Some(41)], CONTAINER, "as mount"),
    shared("open_tree", 428, MOUNT_API, "as mount"),
    shared("move_mount", 429, MOUNT_API, "as mount"),
    shared("fsopen", 430, MOUNT_API, "as mount"),
    shared("fsconfig", 431, MOUNT_API, "as mount"),
    shared("fsmount", 432, MOUNT_API, "as mount"),
    shared("fspick", 433, MOUNT_API, "as mount"),
    shared("mount_setattr", 442, MOUNT_API, "as mount"),
    shared("open_tree_attr", 467, MOUNT_API, "as mount"),
    shared("statmount", 457, ABSENT, "tells of mounts past the /proc that the sandbox shows; mountinfo is there to fall back to"),
    shared("listmount", 458, ABSENT, "as statmount"),
    shared("listns", 470, ABSENT, "lists namespaces of other sandboxes"),
    row("open_by_handle_at", [Some(304), Some(342), Some(265)], DENY, "opens files by inode, past every mount"),
    row("name_to_handle_at", [Some(303), Some(341), Some(264)], Rule::Always(libc::EOPNOTSUPP), "makes those handles; callers fall back as on a file system without them"),
    row("sethostname", [Some(170), Some(74), Some(161)], CONTAINER, "belongs to who made the uts namespace"),
    row("setdomainname", [Some(171), Some(121), Some(162)], CONTAINER, "as sethostname"),

    // Files with their owner's rights, where the owner would be root.
    row("chmod", [Some(90), Some(15), None], Rule::Arguments(arguments::chmod), "a set-user-id file of root's on the host is root for everybody"),
    row("fchmod", [Some(91), Some(94), Some(52)], Rule::Arguments(arguments::mode_second), "as chmod"),
    row("fchmodat", [Some(268), Some(306), Some(53)], Rule::Arguments(arguments::chmod_at), "as chmod"),
    shared("fchmodat2", 452, Rule::Arguments(arguments::chmod_at), "as chmod"),
    row("creat", [Some(85), Some(8), None], Rule::Arguments(arguments::mode_second), "as chmod"),
    row("open", [Some(2), Some(5), None], Rule::Arguments(arguments::mode_third), "as chmod"),
    row("openat", [Some(257), Some(295), Some(56)], Rule::Arguments(arguments::mode_fourth), "as chmod"),
    shared("openat2", 437, Rule::Arguments(arguments::openat2), "as chmod, with a mode that cannot be looked at"),
    row("mknod", [Some(133), Some(14), None], Rule::Arguments(arguments::mode_second), "as chmod"),
    row("mknodat", [Some(259), Some(297), Some(33)], Rule::Arguments(arguments::mode_third), "as chmod"),

    // What lies outside every grant and is not shut away by namespaces: the marks
    // of files, by their names, and what the user's processes share.
    row("chown", [Some(92), Some(182), None], NAMED, "changes files wherever they lie; landlock does not look"),
    row("chown32", [None, Some(212), None], NAMED, "as chown"),
    row("lchown", [Some(94), Some(16), None], NAMED, "as chown"),
    row("lchown32", [None, Some(198), None], NAMED, "as chown"),
    row("fchownat", [Some(260), Some(298), Some(54)], NAMED, "as chown"),
    row("utime", [Some(132), Some(30), None], NAMED, "as chown"),
    row("utimes", [Some(235), Some(271), None], NAMED, "as chown"),
    row("futimesat", [Some(261), Some(299), None], NAMED, "as chown"),
    row("utimensat", [Some(280), Some(320), Some(88)], Rule::Arguments(arguments::utimensat), "as chown, but for what is open"),
    row("utimensat_time64", [None, Some(412), None], Rule::Arguments(arguments::utimensat), "as utimensat"),
    shared("file_setattr", 469, OLDER, "as chown; callers fall back to an open file"),
    row("setxattr", [Some(188), Some(226), Some(5)], UNMARKED, "as chown, and sets access lists; callers are used to file systems without such marks"),
    row("lsetxattr", [Some(189), Some(227), Some(6)], UNMARKED, "as setxattr"),
    row("removexattr", [Some(197), Some(235), Some(14)], UNMARKED, "as setxattr"),
    row("lremovexattr", [Some(198), Some(236), Some(15)], UNMARKED, "as setxattr"),
    row("getxattr", [Some(191), Some(229), Some(8)], UNMARKED, "reads what is attached to files wherever they lie, such as where a download came from"),
    row("lgetxattr", [Some(192), Some(230), Some(9)], UNMARKED, "as getxattr"),
    row("listxattr", [Some(194), Some(232), Some(11)], UNMARKED, "as getxattr"),
    row("llistxattr", [Some(195), Some(233), Some(12)], UNMARKED, "as getxattr"),
    shared("setxattrat", 463, OLDER, "as setxattr"),
    shared("getxattrat", 464, OLDER, "as getxattr"),
    shared("listxattrat", 465, OLDER, "as getxattr"),
    shared("removexattrat", 466, OLDER, "as setxattr"),
    row("inotify_add_watch", [Some(254), Some(292), Some(27)], Rule::Unseparated(libc::ENOSPC), "tells of every name that appears in any folder of the user's; programs are used to running out of watches"),
    row("shmget", [Some(29), Some(395), Some(194)], OLDER, "shared memory of other programs, with the insides of their windows"),
    row("shmat", [Some(30), Some(397), Some(196)], OLDER, "as shmget"),
    row("shmctl", [Some(31), Some(396), Some(195)], OLDER, "as shmget"),
    row("semget", [Some(64), Some(393), Some(190)], OLDER, "as shmget: locks of other programs"),
    row("semctl", [Some(66), Some(394), Some(191)], OLDER, "as semget"),
    row("semop", [Some(65), None, Some(193)], OLDER, "as semget"),
    row("semtimedop", [Some(220), None, Some(192)], OLDER, "as semget"),
    row("semtimedop_time64", [None, Some(420), None], OLDER, "as semget"),
    row("msgget", [Some(68), Some(399), Some(186)], OLDER, "as shmget: messages of other programs"),
    row("msgctl", [Some(71), Some(402), Some(187)], OLDER, "as msgget"),
    row("msgrcv", [Some(70), Some(401), Some(188)], OLDER, "as msgget"),
    row("msgsnd", [Some(69), Some(400), Some(189)], OLDER, "as msgget"),
    row("ipc", [None, Some(117), None], OLDER, "all of these by one number"),
    row("mq_open", [Some(240), Some(277), Some(180)], OLDER, "messages of other programs; the file system that they lie in is past landlock"),
    row("mq_unlink", [Some(241), Some(278), Some(181)], OLDER, "as mq_open"),
    row("sched_setparam", [Some(142), Some(154), Some(118)], Rule::Arguments(arguments::process_first), "starves other processes of the user's"),
    row("sched_setscheduler", [Some(144), Some(156), Some(119)], Rule::Arguments(arguments::process_first), "as sched_setparam"),
    row("sched_setaffinity", [Some(203), Some(241), Some(122)], Rule::Arguments(arguments::process_first), "as sched_setparam"),
    row("sched_setattr", [Some(314), Some(351), Some(274)], Rule::Arguments(arguments::process_first), "as sched_setparam"),
    row("prlimit64", [Some(302), Some(340), Some(261)], Rule::Arguments(arguments::process_first), "ends other processes of the user's, by limits that they have passed already"),

    // Other processes and their secrets.
    row("ptrace", [Some(101), Some(26), Some(117)], DEVEL, "takes over other processes of the same sandbox, also those that confine themselves further"),
    row("kill", [Some(62), Some(37), Some(129)], Rule::Arguments(arguments::kill), "the process group is the caller's, where landlock does not keep signals inside"),
    row("setpriority", [Some(141), Some(97), Some(140)], Rule::Arguments(arguments::setpriority), "the process group is the caller's"),
    row("ioprio_set", [Some(251), Some(289), Some(30)], Rule::Arguments(arguments::ioprio_set), "as setpriority"),
    row("process_vm_readv", [Some(310), Some(347), Some(270)], DEVEL, "reads other processes' memory, as ptrace does"),
    row("process_vm_writev", [Some(311), Some(348), Some(271)], DEVEL, "writes other processes' memory, as ptrace does"),
    row("kcmp", [Some(312), Some(349), Some(272)], Rule::Arguments(arguments::kcmp), "orders kernel addresses of other processes' insides"),
    shared("process_madvise", 440, DENY, "works on other processes' memory"),
    shared("pidfd_getfd", 438, DENY, "takes open files out of other processes"),
    row("perf_event_open", [Some(298), Some(336), Some(241)], DEVEL, "measures other code, and a steady source of kernel holes"),
    row("personality", [Some(135), Some(136), Some(92)], Rule::Arguments(arguments::personality), "turns off address randomisation and other hardening"),
    row("add_key", [Some(248), Some(286), Some(217)], DENY, "keyrings are not namespaced"),
    row("request_key", [Some(249), Some(287), Some(218)], DENY, "as add_key, and it starts a host program"),
    row("keyctl", [Some(250), Some(288), Some(219)], DENY, "as add_key"),
    row("syslog", [Some(103), Some(103), Some(116)], DENY, "the kernel's log tells of the host and of kernel addresses"),

    // Terminals and sockets.
    row("ioctl", [Some(16), Some(54), Some(29)], Rule::Arguments(arguments::ioctl), "TIOCSTI and TIOCLINUX type into the caller's terminal; TIOCSETD loads line disciplines"),
    row("vhangup", [Some(153), Some(111), Some(58)], DENY, "hangs up the caller's terminal"),
    row("socket", [Some(41), Some(359), Some(198)], Rule::Arguments(arguments::socket), "other families are rarely used kernel code, and some ignore network namespaces"),
    row("socketpair", [Some(53), Some(360), Some(199)], Rule::Arguments(arguments::socketpair), "as socket"),
    row("sendto", [Some(44), Some(369), Some(206)], Rule::Arguments(arguments::sendto), "TCP fast open connects past landlock's ports"),
    row("sendmsg", [Some(46), Some(370), Some(211)], Rule::Arguments(arguments::sendmsg), "as sendto"),
    row("sendmmsg", [Some(307), Some(345), Some(269)], Rule::Arguments(arguments::sendto), "as sendto"),
    row("socketcall", [None, Some(102), None], Rule::Arguments(arguments::socketcall), "hides the family of a new socket behind a pointer"),

    // Kernel code that a desktop application does without.
    shared("io_uring_setup", 425, ABSENT, "its operations pass by this filter"),
    shared("io_uring_enter", 426, ABSENT, "as io_uring_setup, also for a ring that was handed in"),
    shared("io_uring_register", 427, ABSENT, "as io_uring_enter"),
    row("bpf", [Some(321), Some(357), Some(280)], DENY, "loads code into the kernel"),
    row("userfaultfd", [Some(323), Some(374), Some(282)], ABSENT, "stops the kernel at chosen moments, which makes its races winnable"),
    shared("memfd_secret", 447, ABSENT, "takes memory out of the kernel's own map, for good"),
    row("fanotify_init", [Some(300), Some(338), Some(262)], ABSENT, "watches whole file systems, beyond what is shown of them"),
    row("fanotify_mark", [Some(301), Some(339), Some(263)], ABSENT, "as fanotify_init, for a group that was handed in"),
    row("move_pages", [Some(279), Some(317), Some(239)], DENY, "memory placement of other processes, and a source of kernel holes"),
    row("migrate_pages", [Some(256), Some(294), Some(238)], DENY, "as move_pages"),
    row("mbind", [Some(237), Some(274), Some(235)], DENY, "memory placement, a source of kernel holes"),
    row("get_mempolicy", [Some(239), Some(275), Some(236)], DENY, "as mbind"),
    row("set_mempolicy", [Some(238), Some(276), Some(237)], DENY, "as mbind"),
    shared("set_mempolicy_home_node", 450, DENY, "as mbind"),
    row("modify_ldt", [Some(154), Some(123), None], MULTIARCH, "only 16-bit code needs it, and it has leaked kernel memory"),
    row("vm86old", [None, Some(113), None], MULTIARCH, "as modify_ldt"),
    row("vm86", [None, Some(166), None], MULTIARCH, "as modify_ldt"),
    row("uselib", [Some(134), Some(86), None], DENY, "loads libraries as the C library did before 1997"),
    row("lookup_dcookie", [Some(212), Some(253), Some(18)], DENY, "a profiler's way from numbers to paths"),
    row("nfsservctl", [Some(180), Some(169), Some(42)], DENY, "once drove the kernel's NFS server"),
    shared("lsm_set_self_attr", 460, DENY, "changes the security label that the host gave"),

    // The machine. The kernel asks for capabilities in the host's own user
    // namespace, which nobody inside has; here it is not even asked.
    row("acct", [Some(163), Some(51), Some(89)], DENY, "turns process accounting off"),
    row("quotactl", [Some(179), Some(131), Some(60)], DENY, "reads and sets other users' quotas"),
    shared("quotactl_fd", 443, DENY, "as quotactl"),
    row("swapon", [Some(167), Some(87), Some(224)], DENY, "the machine's swap"),
    row("swapoff", [Some(168), Some(115), Some(225)], DENY, "the machine's swap"),
    row("reboot", [Some(169), Some(88), Some(142)], DENY, "stops the machine"),
    row("kexec_load", [Some(246), Some(283), Some(104)], DENY, "starts another kernel"),
    row("kexec_file_load", [Some(320), None, Some(294)], DENY, "as kexec_load"),
    row("init_module", [Some(175), Some(128), Some(105)], DENY, "loads code into the kernel"),
    row("finit_module", [Some(313), Some(350), Some(273)], DENY, "as init_module"),
    row("delete_module", [Some(176), Some(129), Some(106)], DENY, "takes code out of the kernel"),
    row("create_module", [Some(174), Some(127), None], DENY, "as init_module, before Linux 2.6"),
    row("get_kernel_syms", [Some(177), Some(130), None], DENY, "kernel addresses, before Linux 2.6"),
    row("query_module", [Some(178), Some(167), None], DENY, "kernel addresses, before Linux 2.6"),
    row("iopl", [Some(172), Some(110), None], DENY, "drives hardware past the kernel"),
    row("ioperm", [Some(173), Some(101), None], DENY, "as iopl"),
    row("settimeofday", [Some(164), Some(79), Some(170)], DENY, "sets the machine's clock"),
    row("clock_settime", [Some(227), Some(264), Some(112)], DENY, "sets the machine's clock"),
    row("clock_settime64", [None, Some(404), None], DENY, "sets the machine's clock"),
    row("stime", [None, Some(25), None], DENY, "sets the machine's clock"),
];
