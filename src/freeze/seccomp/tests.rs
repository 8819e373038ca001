//! The program against the policy function, the policy function against what
//! is promised, and both against a table that people have read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::{env, fs};

use proptest::prelude::*;

use super::interpreter::{Call, admissible, run};
use super::table::answer;
use super::{
    Answer, Arch, Clause, HIGHEST_REVIEWED, Half, Numbers, Rule, TABLE, Test, Verdict, accepted,
    judge, program, reviewed,
};
use crate::model::permission::{Nested, SyscallFeature, Word};
use crate::model::plan::{SyscallPlan, Unseparated};

const ARCHES: [Arch; 3] = [Arch::X86_64, Arch::I386, Arch::Aarch64];

/// ELF machine 40: 32-bit ARM, which no table is for.
const ARM: u32 = 0x4000_0028;

const GARBAGE: u64 = 0xdead_beef << 32;

fn policy(nested: Nested, features: &[SyscallFeature]) -> SyscallPlan {
    SyscallPlan {
        nested,
        features: features.to_vec(),
        tcp_limited: false,
        signals_scoped: true,
        makes_set_id: true,
        unseparated: None,
    }
}

/// The same without namespaces.
fn unseparated(policy: SyscallPlan, network: bool, unix_sockets: bool) -> SyscallPlan {
    SyscallPlan { unseparated: Some(Unseparated { network, unix_sockets }), ..policy }
}

/// The same where TCP ports are limited.
fn limited(policy: SyscallPlan) -> SyscallPlan {
    SyscallPlan { tcp_limited: true, ..policy }
}

fn strictest() -> SyscallPlan {
    policy(Nested::None, &[])
}

/// The same where landlock does not keep signals inside.
fn unscoped(policy: SyscallPlan) -> SyscallPlan {
    SyscallPlan { signals_scoped: false, ..policy }
}

/// The same for root.
fn of_root(policy: SyscallPlan) -> SyscallPlan {
    SyscallPlan { makes_set_id: false, ..policy }
}

/// Every level with every set of features.
fn policies() -> Vec<SyscallPlan> {
    let mut policies = Vec::new();
    for (_, nested) in Nested::WORDS {
        for set in 0..1 << SyscallFeature::WORDS.len() {
            let features = SyscallFeature::WORDS.iter().enumerate();
            let features = features.filter(|(bit, _)| set >> bit & 1 == 1);
            let features: Vec<_> = features.map(|(_, (_, feature))| *feature).collect();
            policies.push(policy(*nested, &features));
        }
    }
    policies.extend([
        unscoped(strictest()),
        of_root(strictest()),
        of_root(policy(Nested::None, &[SyscallFeature::Multiarch])),
        limited(strictest()),
        limited(policy(Nested::None, &[SyscallFeature::Multiarch])),
        unseparated(strictest(), false, false),
        unseparated(policy(Nested::None, &[SyscallFeature::Multiarch]), true, false),
        unseparated(limited(strictest()), true, true),
        limited(policy(
            Nested::None,
            &[SyscallFeature::Multiarch, SyscallFeature::MultiarchSockets],
        )),
    ]);
    policies
}

/// Numbers around everything that a filter tells apart.
fn numbers() -> impl Iterator<Item = u32> {
    let x32 = (0..=600).map(|number| number | 0x4000_0000);
    let extremes = [0x3fff_ffff, 0x7fff_ffff, 0x8000_0000, 0xc000_0000, u32::MAX - 1, u32::MAX];
    (0..=1100).chain(x32).chain(extremes)
}

/// Argument words that some rule looks for, their neighbours, and each bit.
fn words() -> Vec<u64> {
    let mut words: Vec<u64> = (0..=50).collect();
    words.extend((0..64).map(|bit| 1 << bit));
    words.extend([0x5411, 0x5412, 0x5413, 0x541b, 0x541c, 0x541d, 0x5422, 0x5423, 0x5424]);
    words.extend([0x7e02_0000, 0x7e00_0000, 0x6c00_0000, 0x0202_0000, 0x1002_0011, 0x7e02_0091]);
    words.extend([0x0004_0000, 0x0040_0008, 0x0008_080a, 0x0008_0001, 0x0000_0801, 0x1a]);
    words.extend([0xffff_fffe, 0xffff_ffff, u64::MAX]);
    words.extend(words.clone().into_iter().map(|word| word | GARBAGE));
    words
}

/// Argument lists with those words in the places where rules look.
fn argument_lists() -> Vec<[u64; 6]> {
    let (inet, packet) = (2, 10);
    words()
        .into_iter()
        .flat_map(|word| {
            [
                [word, 0, 0, 0, 0, 0],
                [0, word, 0, 0, 0, 0],
                [0, 0, word, 0, 0, 0],
                [word; 6],
                [inet, word, 0, 0, 0, 0],
                [word, packet, 0, 0, 0, 0],
            ]
        })
        .collect()
}

#[test]
fn the_program_says_what_the_policy_says() {
    let lists = argument_lists();
    let plain = [[0; 6], [u64::MAX; 6], [0x5412_7e02_0000_000a; 6]];
    for policy in policies() {
        for native in ARCHES {
            let program = program(&policy, native);
            for audit in ARCHES.map(Arch::audit).into_iter().chain([ARM]) {
                let arch = accepted(&policy, native).find(|arch| arch.audit() == audit);
                for number in numbers() {
                    let asks = arch.is_some_and(|arch| {
                        matches!(answer(&policy, arch, number), Answer::Clauses(_))
                    });
                    let lists = if asks { &lists[..] } else { &plain[..] };
                    for arguments in lists {
                        let call = Call { arch: audit, number, arguments: *arguments };
                        let run = run(&program, &call);
                        let wanted = judge(&policy, native, audit, number, arguments);
                        assert_eq!(run.verdict, wanted, "{policy:?} on {native:?}: {call:x?}");
                        assert_eq!(run.read_arguments, asks, "{policy:?} on {native:?}: {call:x?}");
                        let most = if policy.unseparated.is_some() { 13 } else { 12 };
                        assert!(asks || run.steps <= most, "{} steps: {call:x?}", run.steps);
                    }
                }
            }
        }
    }
}

fn any_policy() -> impl Strategy<Value = SyscallPlan> {
    prop::sample::select(policies())
}

fn any_arch() -> impl Strategy<Value = Arch> {
    prop::sample::select(&ARCHES[..])
}

fn any_number() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..=HIGHEST_REVIEWED + 8, 1 => any::<u32>()]
}

fn any_arguments() -> impl Strategy<Value = [u64; 6]> {
    let word = prop_oneof![prop::sample::select(words()), any::<u64>()];
    prop::collection::vec(word, 6).prop_map(|words| words.try_into().expect("six words"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn the_program_says_what_the_policy_says_to_any_call(
        policy in any_policy(),
        native in any_arch(),
        arch in prop_oneof![8 => any_arch().prop_map(Arch::audit), 1 => any::<u32>()],
        number in any_number(),
        arguments in any_arguments(),
    ) {
        let run = run(&program(&policy, native), &Call { arch, number, arguments });
        prop_assert_eq!(run.verdict, judge(&policy, native, arch, number, &arguments));
    }

    #[test]
    fn a_grant_takes_nothing_away(
        policy in any_policy(),
        feature in prop::sample::select(SyscallFeature::WORDS),
        arch in any_arch(),
        number in any_number(),
        arguments in any_arguments(),
    ) {
        let verdict = |policy: &SyscallPlan| judge(policy, arch, arch.audit(), number, &arguments);
        let mut wider = policy.clone();
        wider.features.push(feature.1);
        wider.nested = match policy.nested {
            Nested::None => Nested::Browser,
            Nested::Browser | Nested::Container => Nested::Container,
        };
        if verdict(&policy) == Verdict::Allow {
            prop_assert_eq!(verdict(&wider), Verdict::Allow);
        }
    }
}

#[test]
fn the_kernel_would_load_every_program() {
    let mut largest = [0; 2];
    for policy in policies() {
        for native in ARCHES {
            let program = program(&policy, native);
            assert!(admissible(&program), "{policy:?} on {native:?}");
            assert_eq!(program[1].k, native.audit(), "the native architecture comes first");
            let largest = &mut largest[usize::from(policy.unseparated.is_some())];
            *largest = program.len().max(*largest);
        }
    }
    assert!(largest[0] < 640 && largest[1] < 800, "{largest:?} instructions");
}

#[test]
fn the_table_is_in_order() {
    assert_eq!(TABLE.len(), 142, "rows were lost or added");
    let mut seen = BTreeMap::new();
    for row in TABLE {
        assert!(!row.reason.is_empty(), "{} is refused without a reason", row.name);
        assert!(seen.insert(row.name.to_owned(), row).is_none(), "{} twice", row.name);
        for arch in ARCHES {
            let Some(number) = row.numbers.on(arch) else { continue };
            let key = format!("{arch:?} {number}");
            assert!(seen.insert(key, row).is_none(), "{} has another's number", row.name);
            assert!(
                reviewed(arch).iter().any(|(first, last)| (*first..=*last).contains(&number)),
                "{} was not reviewed on {arch:?}",
                row.name
            );
        }
        if let Rule::Always(errno) | Rule::UnlessFeature(_, errno) | Rule::UnlessNested(_, errno) =
            row.rule
        {
            assert!([libc::EPERM, libc::ENOSYS, libc::EOPNOTSUPP].contains(&errno), "{}", row.name);
        }
    }
}

/// The numbers that a kernel header defines, by name.
fn header(path: &str) -> Option<BTreeMap<String, u32>> {
    let text = fs::read_to_string(path).ok()?;
    let defined = text.lines().filter_map(|line| {
        let mut parts = line.strip_prefix("#define __NR_")?.split_whitespace();
        Some((parts.next()?.to_owned(), parts.next()?.parse().ok()?))
    });
    Some(defined.filter(|(name, _): &(String, _)| name != "syscalls").collect())
}

#[test]
fn numbers_are_those_of_the_kernel_headers() {
    let headers = [
        (Arch::X86_64, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        (Arch::I386, "/usr/include/x86_64-linux-gnu/asm/unistd_32.h"),
        (Arch::Aarch64, "/usr/include/asm-generic/unistd.h"),
    ];
    for (arch, path) in headers {
        let Some(header) = header(path) else {
            eprintln!("{path} is not here: the numbers of {arch:?} were not compared");
            continue;
        };
        let newest = header.values().max().copied().unwrap_or_default();
        for row in TABLE {
            let number = row.numbers.on(arch).filter(|number| *number <= newest);
            // The generic header also has calls that only 32-bit systems take.
            let defined = header.get(row.name).copied();
            let defined =
                defined.filter(|number| arch != Arch::Aarch64 || !(403..424).contains(number));
            assert_eq!(number, defined, "{} on {arch:?}", row.name);
        }
        for (name, number) in &header {
            let only_32_bit = arch == Arch::Aarch64
                && ((403..424).contains(number) || name == "arch_specific_syscall");
            let known =
                reviewed(arch).iter().any(|(first, last)| (*first..=*last).contains(number));
            assert_eq!(known, !only_32_bit, "{name} ({number}) on {arch:?}");
        }
    }
}

/// The row of a call.
fn row(name: &str) -> Numbers {
    TABLE.iter().find(|row| row.name == name).map(|row| row.numbers).expect(name)
}

/// Asserts the verdict on a call by name on every architecture that has it.
fn expect(policy: &SyscallPlan, name: &str, arguments: &[u64], wanted: Verdict) {
    let mut words = [0; 6];
    words[..arguments.len()].copy_from_slice(arguments);
    for arch in ARCHES {
        if let Some(number) = row(name).on(arch) {
            let verdict = judge(policy, arch, arch.audit(), number, &words);
            assert_eq!(verdict, wanted, "{name}{arguments:x?} on {arch:?} under {policy:?}");
        }
    }
}

const EPERM: Verdict = Verdict::Errno(libc::EPERM);
const ENOSYS: Verdict = Verdict::Errno(libc::ENOSYS);
const EAFNOSUPPORT: Verdict = Verdict::Errno(libc::EAFNOSUPPORT);

#[test]
fn everything_that_flatpak_refuses_is_refused() {
    let eperm = "syslog uselib acct quotactl add_key keyctl request_key move_pages mbind \
        get_mempolicy set_mempolicy migrate_pages unshare setns mount umount umount2 pivot_root \
        chroot modify_ldt perf_event_open ptrace";
    let enosys = "clone3 open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr";
    for name in eperm.split_whitespace() {
        expect(&strictest(), name, &[], EPERM);
    }
    for name in enosys.split_whitespace() {
        expect(&strictest(), name, &[], ENOSYS);
    }
    expect(&strictest(), "personality", &[0x0040_0000], EPERM);
    expect(&strictest(), "clone", &[0x1000_0000], EPERM);
    expect(&strictest(), "ioctl", &[0, 0x5412], EPERM);
    expect(&strictest(), "ioctl", &[0, 0x541c], EPERM);
}

#[test]
fn what_flatpak_leaves_open_is_closed() {
    let eperm = "bpf pidfd_getfd process_vm_readv process_vm_writev process_madvise \
        open_by_handle_at kexec_load kexec_file_load init_module finit_module delete_module \
        reboot swapon swapoff iopl ioperm vhangup settimeofday clock_settime clock_settime64 \
        stime quotactl_fd sethostname setdomainname lsm_set_self_attr set_mempolicy_home_node";
    let enosys = "io_uring_setup io_uring_enter io_uring_register open_tree_attr statmount \
        listmount listns memfd_secret fanotify_init fanotify_mark userfaultfd";
    for name in eperm.split_whitespace() {
        expect(&strictest(), name, &[], EPERM);
    }
    for name in enosys.split_whitespace() {
        expect(&strictest(), name, &[], ENOSYS);
    }
    expect(&strictest(), "name_to_handle_at", &[], Verdict::Errno(libc::EOPNOTSUPP));
}

#[test]
fn what_applications_confine_themselves_with_stays() {
    // seccomp, landlock_*, mseal, prctl, memfd_create (for its seals), capset.
    let calls = [
        (Arch::X86_64, [317, 444, 445, 446, 462, 157, 319, 126]),
        (Arch::I386, [354, 444, 445, 446, 462, 172, 356, 185]),
        (Arch::Aarch64, [277, 444, 445, 446, 462, 167, 279, 91]),
    ];
    for (arch, numbers) in calls {
        for number in numbers {
            let verdict = judge(&strictest(), arch, arch.audit(), number, &[u64::MAX; 6]);
            assert_eq!(verdict, Verdict::Allow, "{number} on {arch:?}");
        }
    }
}

#[test]
fn terminal_requests_are_refused_by_the_word_that_the_kernel_reads() {
    for policy in policies() {
        for request in [0x5412, 0x541c, 0x5423] {
            expect(&policy, "ioctl", &[0, request], EPERM);
            expect(&policy, "ioctl", &[0, request | GARBAGE], EPERM);
            expect(&policy, "ioctl", &[0, request | 1 << 32], EPERM);
            expect(&policy, "ioctl", &[request, 0, request], Verdict::Allow);
        }
        // TCGETS, TIOCGWINSZ, FIONREAD.
        for request in [0x5401, 0x5413, 0x541b] {
            expect(&policy, "ioctl", &[0, request], Verdict::Allow);
        }
    }
}

#[test]
fn sockets_are_of_few_families() {
    for policy in policies() {
        let has = |feature| policy.features.contains(&feature);
        for family in 0..=60 {
            let (network, unix) =
                policy.unseparated.map_or((true, true), |has| (has.network, has.unix_sockets));
            let allowed = match family {
                0 => true,
                1 => unix,
                2 | 10 | 16 => network,
                29 => has(SyscallFeature::Canbus),
                31 => has(SyscallFeature::Bluetooth),
                _ => false,
            };
            let wanted = if allowed { Verdict::Allow } else { EAFNOSUPPORT };
            expect(&policy, "socket", &[family, 0x0008_0001], wanted);
            expect(&policy, "socket", &[family | GARBAGE, 1], wanted);
            expect(&policy, "socket", &[family, 0x0008_000a], EAFNOSUPPORT);
            let wanted = if family == 1 { Verdict::Allow } else { EAFNOSUPPORT };
            expect(&policy, "socketpair", &[family | GARBAGE, 1], wanted);
        }
        for call in 0..=20 {
            let sends = policy.tcp_limited && matches!(call, 11 | 16 | 20);
            let makes = (policy.tcp_limited || !has(SyscallFeature::MultiarchSockets))
                && matches!(call, 1 | 8);
            let wanted = if makes || sends { ENOSYS } else { Verdict::Allow };
            expect(&policy, "socketcall", &[call], wanted);
        }
    }
}

#[test]
fn namespaces_are_made_as_far_as_the_level_goes() {
    let (mount, cgroup) = (0x0002_0000, 0x0200_0000);
    let browser = [0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000];
    let [none, browsers, container] =
        [Nested::None, Nested::Browser, Nested::Container].map(|nested| policy(nested, &[]));
    let sigchld = 0x11;
    let fork = 0x0120_0000 | sigchld;
    let thread = 0x003d_0f00;
    for plan in [&none, &browsers, &container] {
        expect(plan, "clone", &[fork], Verdict::Allow);
        expect(plan, "clone", &[thread], Verdict::Allow);
        expect(plan, "clone", &[GARBAGE | fork], Verdict::Allow);
        // In this byte clone takes a signal.
        expect(plan, "clone", &[0x80], Verdict::Allow);
        expect(plan, "clone3", &[0], ENOSYS);
        expect(plan, "setns", &[0], EPERM);
        // CLONE_NEWTIME, a bit of no meaning yet, one of the upper half.
        for flags in [0x80, 0x0010_0000, 1 << 37] {
            expect(plan, "unshare", &[flags], EPERM);
        }
    }
    for flag in browser {
        for flags in [flag, flag | sigchld, flag | GARBAGE] {
            expect(&none, "clone", &[flags], EPERM);
            expect(&browsers, "clone", &[flags], Verdict::Allow);
        }
        for mounts in [mount, cgroup] {
            expect(&browsers, "clone", &[flag | mounts], EPERM);
            expect(&browsers, "unshare", &[flag | mounts], EPERM);
            expect(&container, "clone", &[flag | mounts | sigchld], Verdict::Allow);
            expect(&container, "unshare", &[flag | mounts], Verdict::Allow);
        }
        expect(&none, "unshare", &[flag], EPERM);
        expect(&browsers, "unshare", &[flag], Verdict::Allow);
    }
    expect(&none, "chroot", &[], EPERM);
    expect(&browsers, "chroot", &[], Verdict::Allow);
    let mounting = ["mount", "umount", "umount2", "pivot_root", "sethostname", "setdomainname"];
    for name in mounting {
        expect(&none, name, &[], EPERM);
        expect(&browsers, name, &[], EPERM);
        expect(&container, name, &[], Verdict::Allow);
    }
    for name in ["open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "open_tree_attr"] {
        expect(&browsers, name, &[], ENOSYS);
        expect(&container, name, &[], Verdict::Allow);
    }
}

#[test]
fn the_callers_process_group_is_out_of_reach() {
    let unscoped = unscoped(strictest());
    for nothing in [0, GARBAGE] {
        expect(&unscoped, "kill", &[nothing, 15], EPERM);
        expect(&strictest(), "kill", &[nothing, 15], Verdict::Allow);
    }
    expect(&strictest(), "setpriority", &[1 | GARBAGE, 0, 19], EPERM);
    expect(&strictest(), "setpriority", &[0, 0, 19], Verdict::Allow);
    expect(&strictest(), "ioprio_set", &[2, 0], EPERM);
    expect(&strictest(), "ioprio_set", &[1, 0], Verdict::Allow);
    for inside in [1, 2, u64::MAX, -2i64 as u64] {
        expect(&unscoped, "kill", &[inside, 15], Verdict::Allow);
    }
}

#[test]
fn limited_ports_have_no_way_round() {
    let limited = limited(strictest());
    let (stream, mptcp, smc) = (libc::SOCK_STREAM as u64, 262, 256);
    let unsupported = Verdict::Errno(libc::EPROTONOSUPPORT);
    for family in [libc::AF_INET, libc::AF_INET6].map(|family| family as u64) {
        for protocol in [mptcp, smc, mptcp | GARBAGE] {
            expect(&limited, "socket", &[family, stream, protocol], unsupported);
            expect(&strictest(), "socket", &[family, stream, protocol], Verdict::Allow);
        }
        for protocol in [0, libc::IPPROTO_TCP as u64] {
            expect(&limited, "socket", &[family, stream, protocol], Verdict::Allow);
        }
    }
    let fast = 0x2000_4000 | GARBAGE;
    for (name, flags) in [("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)] {
        let mut arguments = [0; 6];
        arguments[flags] = fast;
        expect(&limited, name, &arguments, Verdict::Errno(libc::EOPNOTSUPP));
        expect(&strictest(), name, &arguments, Verdict::Allow);
        arguments[flags] = 0x4000;
        expect(&limited, name, &arguments, Verdict::Allow);
    }
}

#[test]
fn features_open_what_they_name_and_no_more() {
    let devel = policy(Nested::None, &[SyscallFeature::Devel]);
    let multiarch = policy(Nested::None, &[SyscallFeature::Multiarch]);
    for name in ["ptrace", "perf_event_open", "process_vm_readv", "process_vm_writev"] {
        expect(&devel, name, &[], Verdict::Allow);
        expect(&multiarch, name, &[], EPERM);
    }
    expect(&multiarch, "modify_ldt", &[], Verdict::Allow);
    expect(&devel, "modify_ldt", &[], EPERM);
    expect(&devel, "pidfd_getfd", &[], EPERM);
    expect(&devel, "bpf", &[], EPERM);

    expect(&strictest(), "personality", &[0], Verdict::Allow);
    expect(&strictest(), "personality", &[0xffff_ffff | GARBAGE], Verdict::Allow);
    expect(&strictest(), "personality", &[8], EPERM);
    expect(&multiarch, "personality", &[8], Verdict::Allow);
    expect(&multiarch, "personality", &[0x0004_0008], EPERM);
    expect(&devel, "personality", &[0x0004_0000], Verdict::Allow);

    let (file, memory) = (0, 1);
    expect(&strictest(), "kcmp", &[1, 1, file], Verdict::Allow);
    expect(&strictest(), "kcmp", &[1, 1, memory], EPERM);
    expect(&devel, "kcmp", &[1, 1, memory], Verdict::Allow);
}

#[test]
fn only_the_sandboxs_architectures_live() {
    let getpid = [
        (Arch::X86_64, 0xc000_003e, 39),
        (Arch::I386, 0x4000_0003, 20),
        (Arch::Aarch64, 0xc000_00b7, 172),
    ];
    for policy in policies() {
        let multiarch = policy.features.contains(&SyscallFeature::Multiarch);
        for native in ARCHES {
            for (arch, audit, number) in getpid {
                let lives =
                    arch == native || multiarch && (native, arch) == (Arch::X86_64, Arch::I386);
                let wanted = if lives { Verdict::Allow } else { Verdict::KillProcess };
                let verdict = judge(&policy, native, audit, number, &[0; 6]);
                assert_eq!(verdict, wanted, "{arch:?} on {native:?} under {policy:?}");
            }
            for audit in [0, ARM, u32::MAX] {
                let verdict = judge(&policy, native, audit, 0, &[0; 6]);
                assert_eq!(verdict, Verdict::KillProcess);
            }
        }
    }
}

#[test]
fn a_number_that_nobody_reviewed_does_not_exist() {
    for policy in policies() {
        for arch in ARCHES {
            let verdict = |number| judge(&policy, arch, arch.audit(), number, &[0; 6]);
            assert_eq!(verdict(HIGHEST_REVIEWED), Verdict::Allow);
            assert_eq!(verdict(HIGHEST_REVIEWED + 1), ENOSYS);
            for number in 0..=HIGHEST_REVIEWED {
                assert_eq!(verdict(number | 0x4000_0000), ENOSYS, "x32 {number}");
            }
            assert_eq!(verdict(u32::MAX), ENOSYS);
        }
        for (arch, gap) in [(Arch::X86_64, 400), (Arch::I386, 390), (Arch::Aarch64, 250)] {
            assert_eq!(judge(&policy, arch, arch.audit(), gap, &[0; 6]), ENOSYS);
        }
    }
}

fn errno_word(errno: i32) -> &'static str {
    match errno {
        libc::EPERM => "EPERM",
        libc::ENOSYS => "ENOSYS",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        libc::EPROTONOSUPPORT => "EPROTONOSUPPORT",
        libc::ENOSPC => "ENOSPC",
        _ => panic!("errno {errno} in the table"),
    }
}

fn clause_words(clause: &Clause) -> String {
    let half = match clause.half {
        Half::Low => "low",
        Half::High => "high",
    };
    let mask = match clause.mask {
        u32::MAX => String::new(),
        mask => format!(" & {mask:#x}"),
    };
    let (relation, values) = match &clause.test {
        Test::OneOf(values) => ("is", values),
        Test::NoneOf(values) => ("is not", values),
    };
    let values: Vec<String> = values.iter().map(|value| format!("{value:#x}")).collect();
    let (errno, values) = (errno_word(clause.errno), values.join(" or "));
    format!("{errno} if arg{}.{half}{mask} {relation} {values}", clause.argument)
}

fn line(policy: &SyscallPlan, arch: Arch, number: u32) -> String {
    let name = TABLE.iter().find(|row| row.numbers.on(arch) == Some(number));
    let name = name.map_or("", |row| row.name);
    let words = match answer(policy, arch, number) {
        Answer::Allow => "allow".to_owned(),
        Answer::Errno(errno) => errno_word(errno).to_owned(),
        Answer::Clauses(clauses) => clauses.iter().map(clause_words).collect::<Vec<_>>().join("; "),
    };
    format!("{number:>3} {name:<24}{words}\n")
}

/// The whole table under the strictest policy, then what each single grant
/// changes in it.
fn decoded(arch: Arch) -> String {
    let all = |policy: &SyscallPlan| -> Vec<String> {
        (0..=HIGHEST_REVIEWED + 1).map(|number| line(policy, arch, number)).collect()
    };
    let strictest = all(&strictest());
    let mut text = format!("# nested = none, no feature\n{}", strictest.concat());
    let levels = Nested::WORDS.iter().filter(|(_, nested)| *nested != Nested::None);
    let levels = levels.map(|(word, nested)| (format!("nested = {word}"), policy(*nested, &[])));
    let features = SyscallFeature::WORDS
        .iter()
        .map(|(word, feature)| (format!("feature {word}"), policy(Nested::None, &[*feature])));
    let host = [
        ("TCP ports limited".to_owned(), limited(self::strictest())),
        ("landlock without signals".to_owned(), unscoped(self::strictest())),
        ("no namespaces, nothing".to_owned(), unseparated(self::strictest(), false, false)),
        ("no namespaces, all sockets".to_owned(), unseparated(self::strictest(), true, true)),
    ];
    for (title, policy) in levels.chain(features).chain(host) {
        write!(text, "\n# {title} changes\n").expect("a string takes text");
        let changed = all(&policy).into_iter().zip(&strictest).filter(|(new, old)| new != *old);
        text.extend(changed.map(|(line, _)| line));
    }
    text
}

#[test]
fn the_table_is_the_one_that_was_read() {
    for (arch, name) in [(Arch::X86_64, "x86_64"), (Arch::I386, "i386"), (Arch::Aarch64, "aarch64")]
    {
        let path = format!("{}/tests/golden/seccomp-{name}.txt", env!("CARGO_MANIFEST_DIR"));
        let decoded = decoded(arch);
        if env::var_os("PINFOLD_BLESS").is_some() {
            fs::write(&path, &decoded).expect("the golden file can be written");
        }
        let golden = fs::read_to_string(&path).expect("the golden file is there");
        let mut lines = golden.lines().zip(decoded.lines());
        assert_eq!(
            lines.find(|(golden, now)| golden != now),
            None,
            "{path}; PINFOLD_BLESS=1 writes it"
        );
        assert_eq!(golden.lines().count(), decoded.lines().count(), "{path}");
    }
}

#[test]
fn root_makes_no_file_with_its_owners_rights() {
    let root = of_root(strictest());
    for (name, at) in [
        ("chmod", 1),
        ("fchmod", 1),
        ("fchmodat", 2),
        ("fchmodat2", 2),
        ("creat", 1),
        ("open", 2),
        ("openat", 3),
        ("mknod", 1),
        ("mknodat", 2),
    ] {
        for (mode, verdict) in [
            (0o755, Verdict::Allow),
            (0o1777, Verdict::Allow),
            (0o4755, Verdict::Errno(libc::EPERM)),
            (0o2755, Verdict::Errno(libc::EPERM)),
            (GARBAGE | 0o4000, Verdict::Errno(libc::EPERM)),
        ] {
            let mut arguments = vec![0; at];
            arguments.push(mode);
            expect(&root, name, &arguments, verdict);
            expect(&strictest(), name, &arguments, Verdict::Allow);
        }
    }
    expect(&root, "openat2", &[], Verdict::Errno(libc::ENOSYS));
    expect(&strictest(), "openat2", &[], Verdict::Allow);
}

#[test]
fn what_no_namespace_shuts_away_is_refused() {
    let alone = unseparated(strictest(), false, false);
    let refused = [
        ("EPERM", "chmod fchmodat fchmodat2 chown chown32 lchown fchownat utime utimes futimesat"),
        ("EOPNOTSUPP", "setxattr lsetxattr removexattr lremovexattr getxattr lgetxattr listxattr"),
        ("ENOSPC", "inotify_add_watch"),
        (
            "ENOSYS",
            "shmget shmat shmctl semget semctl semop semtimedop msgget msgctl msgrcv msgsnd",
        ),
        ("ENOSYS", "ipc mq_open mq_unlink file_setattr setxattrat getxattrat listxattrat"),
    ];
    for (errno, names) in refused {
        for name in names.split_whitespace() {
            for arch in ARCHES {
                let Some(number) = row(name).on(arch) else { continue };
                let verdict =
                    |policy: &SyscallPlan| judge(policy, arch, arch.audit(), number, &[0; 6]);
                assert_eq!(verdict(&strictest()), Verdict::Allow, "{name} on {arch:?}");
                let Verdict::Errno(told) = verdict(&alone) else { panic!("{name} on {arch:?}") };
                assert_eq!(errno_word(told), errno, "{name} on {arch:?}");
            }
        }
    }
    // What is open already may be changed: it was opened by a right.
    expect(&alone, "fchmod", &[3, 0o600], Verdict::Allow);
    expect(&alone, "utimensat", &[3, 0, 0], Verdict::Allow);
    for path in [0x1000, 0x7f00_0000_0000, 1 << 32] {
        expect(&alone, "utimensat", &[3, path, 0], EPERM);
        expect(&strictest(), "utimensat", &[3, path, 0], Verdict::Allow);
    }
    for name in "sched_setparam sched_setscheduler sched_setaffinity sched_setattr prlimit64"
        .split_whitespace()
    {
        expect(&alone, name, &[GARBAGE, 1, 1], Verdict::Allow);
        expect(&alone, name, &[77, 1, 1], EPERM);
        expect(&strictest(), name, &[77, 1, 1], Verdict::Allow);
    }
    for (name, process, user) in [("setpriority", 0, 2), ("ioprio_set", 1, 3)] {
        expect(&alone, name, &[process, 0], Verdict::Allow);
        expect(&alone, name, &[process, 77], EPERM);
        expect(&alone, name, &[user, 0], EPERM);
        expect(&strictest(), name, &[process, 77], Verdict::Allow);
    }
    for request in [0x4008_6602, 0x4004_6602, 0x401c_5820, 0x4080_6685] {
        expect(&alone, "ioctl", &[3, request], EPERM);
        expect(&strictest(), "ioctl", &[3, request], Verdict::Allow);
    }
}

#[test]
fn no_socket_of_a_pair_reaches_a_name() {
    let (stream, datagram, raw, packets) = (1, 2, 3, 5);
    let alone = unseparated(strictest(), false, false);
    for flags in [0, 0x0008_0000, 0x0000_0800, GARBAGE] {
        for kind in [stream, packets] {
            expect(&alone, "socketpair", &[1, kind | flags], Verdict::Allow);
        }
        for kind in [datagram, raw] {
            expect(&alone, "socketpair", &[1, kind | flags], EAFNOSUPPORT);
            expect(&strictest(), "socketpair", &[1, kind | flags], Verdict::Allow);
            let governed = unseparated(strictest(), false, true);
            expect(&governed, "socketpair", &[1, kind | flags], Verdict::Allow);
        }
    }
}
