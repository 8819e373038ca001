//! System calls, their arguments, and the kernel's rarely used parts.

use super::site::Scene;
use super::{Case, Control, acts, elsewhere};

/// Why the filter stands alone before a call.
const SURFACE: &str = "no other barrier speaks of this call; it gives nothing by itself, and is \
                       refused to keep that part of the kernel out of reach";
const TERMINAL: &str = "the terminal is the caller's, and shared with the caller's shell";
const NAMESPACE: &str = "without rights over it nobody enters or makes such a namespace anyway";

const EPERM: &[&str] = &["EPERM"];
const ENOSYS: &[&str] = &["ENOSYS"];
/// What the filter says, or the kernel where it asks for rights first.
const EITHER: &[&str] = &["EPERM", "ENOSYS"];

/// A call by its number, with words that do no harm where it is let through.
fn call(
    id: &'static str,
    tried: &'static str,
    number: i64,
    words: &str,
    stopped: &'static [&'static str],
) -> Case {
    acts(id, tried, format!("syscall {number} {words} end"), stopped)
}

/// A call that nothing but the filter speaks of.
fn surface(
    id: &'static str,
    tried: &'static str,
    number: i64,
    words: &str,
    stopped: &'static [&'static str],
) -> Case {
    call(id, tried, number, words, stopped).single(SURFACE)
}

pub fn cases() -> Vec<Case> {
    [terminal(), namespaces(), architectures(), families(), primitives(), generator()]
        .into_iter()
        .flatten()
        .collect()
}

fn terminal() -> Vec<Case> {
    let on = |case: Case| case.scene(Scene::Terminal).single(TERMINAL);
    vec![
        on(acts("C1", "types into the terminal that started it", "tiocsti", EPERM)),
        on(acts("C2", "the same with a request whose upper half is set", "tiocsti-high", EPERM)),
        elsewhere(
            "C3-paste",
            "pastes the selection of a virtual terminal",
            &[
                "sandbox terminal::nothing_is_typed_into_the_terminal",
                "unit freeze/seccomp/tests::\
                 terminal_requests_are_refused_by_the_word_that_the_kernel_reads",
            ],
        ),
        acts(
            "C3-console",
            "opens a virtual terminal or its memory",
            "open-read /dev/vcs",
            &["ENOENT", "EACCES"],
        )
        .control(Control::Root)
        .root_only(),
    ]
}

fn namespaces() -> Vec<Case> {
    let unshare = |id, tried, flags: i32| acts(id, tried, format!("unshare {flags}"), EITHER);
    let contained = |case: Case| case.control(Control::Contained);
    let user = libc::CLONE_NEWUSER;
    vec![
        unshare("C5-unshare-mount", "makes a mount namespace", libc::CLONE_NEWNS)
            .control(Control::Contained),
        unshare("C5-unshare-net", "makes a network namespace", libc::CLONE_NEWNET)
            .control(Control::Contained),
        unshare("C5-unshare-pid", "makes a pid namespace", libc::CLONE_NEWPID)
            .control(Control::Contained),
        acts(
            "C5-clone",
            "clones into a mount namespace",
            format!("clone {}", libc::CLONE_NEWNS),
            EITHER,
        )
        .control(Control::Contained),
        acts(
            "C5-clone3",
            "the same by the call whose words no filter sees",
            format!("clone3 {}", libc::CLONE_NEWNS),
            EITHER,
        )
        .control(Control::Contained),
        surface(
            "C5-clone3-plain",
            "forks by the call whose words no filter sees",
            libc::SYS_clone3,
            "0 0",
            ENOSYS,
        ),
        surface("C5-setns", "enters a namespace", libc::SYS_setns, "-1 0", EPERM).single(NAMESPACE),
        contained(acts("C5-chroot", "changes its root", "chroot /", EPERM)),
        contained(acts("C5-mount", "mounts a file system", "mount-tmpfs /tmp", EPERM)),
        contained(acts(
            "C5-bind",
            "shows a folder in another place",
            "mount-bind @/vault /tmp",
            EPERM,
        )),
        contained(acts(
            "C5-umount",
            "takes a mount away",
            "mount-tmpfs /tmp umount /tmp",
            &["EPERM", "EINVAL"],
        )),
        contained(acts(
            "C5-remount",
            "makes a mount writable",
            "mount-tmpfs /tmp mount-writable /tmp",
            &["EPERM", "EINVAL"],
        )),
        contained(call("C5-pivot_root", "exchanges the root", libc::SYS_pivot_root, "0 0", EPERM)),
        surface("C5-open_tree", "opens a tree of mounts", libc::SYS_open_tree, "-1 0 0", ENOSYS),
        contained(call(
            "C5-move_mount",
            "moves a mount",
            libc::SYS_move_mount,
            "-1 0 -1 0 99999",
            EITHER,
        )),
        contained(call(
            "C5-fsopen",
            "opens a file system to set it up",
            libc::SYS_fsopen,
            "0 0",
            EITHER,
        )),
        surface("C5-fsconfig", "sets it up", libc::SYS_fsconfig, "-1 0 0 0 0", ENOSYS),
        contained(call("C5-fsmount", "mounts it", libc::SYS_fsmount, "-1 0 0", EITHER)),
        contained(call(
            "C5-fspick",
            "opens a mounted file system to change it",
            libc::SYS_fspick,
            "-1 0 0",
            EITHER,
        )),
        surface(
            "C5-mount_setattr",
            "changes a mount's flags",
            libc::SYS_mount_setattr,
            "-1 0 0 0 0",
            ENOSYS,
        ),
        surface(
            "C5-open_tree_attr",
            "opens a tree of mounts with other flags",
            467,
            "-1 0 0 0 0",
            ENOSYS,
        ),
        acts(
            "C16-unshare",
            "makes a user namespace",
            format!("unshare {user}"),
            &["EPERM", "ENOSPC"],
        ),
        acts(
            "C16-clone",
            "clones into a user namespace",
            format!("clone {user}"),
            &["EPERM", "ENOSPC"],
        ),
        acts(
            "C16-clone3",
            "the same by the call whose words no filter sees",
            format!("clone3 {user}"),
            &["ENOSYS", "ENOSPC"],
        ),
        acts(
            "C16-mount",
            "mounts a file system as root of namespaces of its own",
            format!("unshare {} mount-tmpfs /tmp", user | libc::CLONE_NEWNS),
            EPERM,
        ),
        acts(
            "C16-interface",
            "sets up a network as root of namespaces of its own",
            format!(
                "unshare {} syscall {} 17 3 0 end",
                user | libc::CLONE_NEWNET,
                libc::SYS_socket
            ),
            &["EPERM", "EAFNOSUPPORT"],
        ),
        elsewhere(
            "C16-levels",
            "does what a browser or a container may, at another level",
            &[
                "sandbox syscalls::nested_sandboxes_by_level",
                "sandbox syscalls::further_user_namespaces_have_two_locks",
            ],
        ),
    ]
}

fn architectures() -> Vec<Case> {
    let gate = |id, tried, words: &str| {
        acts(id, tried, format!("int80 {words}"), &["EPERM", "ENOSYS"]).single(
            "the table of the other architecture is closed as a whole; what a call there does is \
             held by the barriers that hold it here",
        )
    };
    vec![
        elsewhere(
            "C6",
            "calls by the numbers of x32",
            &[
                "unit freeze/seccomp/tests::only_the_sandboxs_architectures_live",
                "unit freeze/seccomp/tests::a_number_that_nobody_reviewed_does_not_exist",
            ],
        ),
        gate("C7-getpid", "asks anything by the gate of 32-bit programs", "20 0 0"),
        gate("C7-unshare", "makes a mount namespace by it", "310 0 0"),
        gate("C7-mount", "mounts by it", "21 0 0").control(Control::Contained),
        gate("C7-keyctl", "asks for keys by it", "288 0 -3"),
        gate("C7-clone3", "clones by it", "435 0 0"),
        gate("C7-io_uring", "makes a ring by it", "425 1 0"),
        gate("C7-socketcall", "makes a socket by it", "102 99 0"),
        elsewhere(
            "C7-multiarch",
            "the same where 32-bit programs are granted",
            &["sandbox syscalls::foreign_architectures"],
        ),
    ]
}

fn families() -> Vec<Case> {
    let unsupported: &[&str] = &["EAFNOSUPPORT"];
    vec![
        elsewhere(
            "C12-every-family",
            "makes a socket of any family beyond the five",
            &[
                "sandbox syscalls::socket_families",
                "unit freeze/seccomp/tests::sockets_are_of_few_families",
            ],
        ),
        call(
            "C12-packet",
            "reads every packet",
            libc::SYS_socket,
            "17 3 0",
            &["EAFNOSUPPORT", "EPERM"],
        )
        .control(Control::Contained),
        call(
            "C12-pair",
            "makes a pair of sockets of another family",
            libc::SYS_socketpair,
            "2 1 0 0",
            unsupported,
        )
        .single(SURFACE),
        elsewhere(
            "C13",
            "talks to a virtual machine's host, or by radio or field bus",
            &["sandbox syscalls::socket_families", "sandbox inside::devices_are_the_harmless_ones"],
        ),
    ]
}

fn primitives() -> Vec<Case> {
    let root = |case: Case| case.control(Control::Root);
    vec![
        surface(
            "C14-setup",
            "makes a ring whose work no filter sees",
            libc::SYS_io_uring_setup,
            "1 0",
            ENOSYS,
        ),
        surface("C14-enter", "enters a ring", libc::SYS_io_uring_enter, "-1 0 0 0 0 0", ENOSYS),
        surface(
            "C14-register",
            "registers with a ring",
            libc::SYS_io_uring_register,
            "-1 0 0 0",
            ENOSYS,
        ),
        surface(
            "C15-userfaultfd",
            "halts the kernel in the middle of a copy",
            libc::SYS_userfaultfd,
            "1",
            ENOSYS,
        ),
        surface("C15-bpf", "loads a program into the kernel", libc::SYS_bpf, "99 0 0", EPERM),
        surface(
            "C15-perf",
            "measures other processes",
            libc::SYS_perf_event_open,
            "0 0 -1 -1 0",
            EPERM,
        ),
        surface(
            "C15-kcmp",
            "compares what processes have open",
            libc::SYS_kcmp,
            "0 0 99 0 0",
            &["EPERM", "ENOSYS"],
        ),
        surface(
            "C15-pidfd_getfd",
            "takes descriptors from a process",
            libc::SYS_pidfd_getfd,
            "-1 0 0",
            EPERM,
        ),
        surface(
            "C15-readv",
            "reads another process's memory",
            libc::SYS_process_vm_readv,
            "0 0 0 0 0 0",
            EPERM,
        ),
        surface("C15-writev", "writes it", libc::SYS_process_vm_writev, "0 0 0 0 0 0", EPERM),
        surface(
            "C15-handle",
            "opens a file by its handle, past every path",
            libc::SYS_open_by_handle_at,
            "-1 0 0",
            EPERM,
        ),
        surface(
            "C15-name",
            "asks for the handle of a file",
            libc::SYS_name_to_handle_at,
            "-1 0 0 0 0",
            &["EOPNOTSUPP"],
        ),
        surface("C15-fanotify", "watches every file", libc::SYS_fanotify_init, "-1 0", ENOSYS),
        surface("C15-memfd_secret", "hides memory from the kernel", 447, "-1", ENOSYS),
        surface("C15-statmount", "asks for mounts that are not its own", 457, "0 0 0 0", ENOSYS),
        surface("C15-listmount", "lists mounts that are not its own", 458, "0 0 0 0", ENOSYS),
        acts(
            "C19",
            "connects by sending, which landlock does not see",
            "fast-open {tcp}",
            &["ECONNREFUSED", "ENETUNREACH"],
        )
        .single(
            "to reach an address takes a network; where single ports are granted the filter \
             refuses such sending as well (limited_ports_have_no_way_round)",
        ),
        elsewhere(
            "C19-ports",
            "the same where single ports are granted",
            &["unit freeze/seccomp/tests::limited_ports_have_no_way_round"],
        ),
        root(call("C20-syslog", "reads the kernel's log", libc::SYS_syslog, "10 0 0", EPERM)),
        surface("C20-quotactl", "asks for quotas", libc::SYS_quotactl, "0 0 0 0", EPERM),
        root(call("C20-acct", "turns accounting on", libc::SYS_acct, "1", EPERM)),
        surface(
            "C20-modify_ldt",
            "writes its descriptor table",
            libc::SYS_modify_ldt,
            "99 0 0",
            EPERM,
        ),
        surface("C20-mbind", "binds memory to a node", libc::SYS_mbind, "1 0 0 0 0 0", EPERM),
        surface(
            "C20-set_mempolicy",
            "sets where memory comes from",
            libc::SYS_set_mempolicy,
            "99 0 0",
            EPERM,
        ),
        surface(
            "C20-migrate_pages",
            "moves memory between nodes",
            libc::SYS_migrate_pages,
            "0 0 0 0",
            EPERM,
        ),
        surface(
            "C20-personality",
            "turns address randomization off",
            libc::SYS_personality,
            "262144",
            EPERM,
        ),
        elsewhere(
            "E1-modules",
            "loads modules or another kernel, or talks to ports of the machine",
            &["unit freeze/seccomp/tests::what_flatpak_leaves_open_is_closed"],
        ),
        root(call("E1-reboot", "stops the machine", libc::SYS_reboot, "0 0 0 0", EPERM)),
        root(call("E1-swapon", "swaps to a file of its own", libc::SYS_swapon, "1 0", EPERM)),
        surface("E1-settime", "sets the clock", libc::SYS_clock_settime, "0 0", EPERM),
        call("E1-hostname", "renames the machine", libc::SYS_sethostname, "0 -1", EPERM)
            .control(Control::Contained),
    ]
}

fn generator() -> Vec<Case> {
    vec![
        elsewhere(
            "C4",
            "calls what another sandbox's filter has and this one lacks",
            &[
                "unit freeze/seccomp/tests::everything_that_flatpak_refuses_is_refused",
                "unit freeze/seccomp/tests::what_flatpak_leaves_open_is_closed",
            ],
        ),
        elsewhere(
            "C8",
            "finds a call that the filter's program judges unlike its table",
            &[
                "unit freeze/seccomp/tests::the_program_says_what_the_policy_says",
                "unit freeze/seccomp/tests::the_program_says_what_the_policy_says_to_any_call",
            ],
        ),
        elsewhere(
            "C9",
            "calls what the generator does not know by name",
            &[
                "unit freeze/seccomp/tests::numbers_are_those_of_the_kernel_headers",
                "unit freeze/seccomp/tests::a_number_that_nobody_reviewed_does_not_exist",
            ],
        ),
        elsewhere(
            "C10",
            "gains by a slip in the table",
            &[
                "unit freeze/seccomp/tests::the_table_is_the_one_that_was_read",
                "unit freeze/seccomp/tests::the_table_is_in_order",
            ],
        ),
        elsewhere(
            "C11",
            "changes what the next to join the sandbox is confined by",
            &[
                "sandbox instances::who_enters_is_confined_as_the_application_is",
                "sandbox instances::who_enters_cannot_do_more",
                "sandbox inside::processes_share_their_namespaces",
            ],
        ),
    ]
}
