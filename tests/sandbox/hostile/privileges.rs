//! Descriptors, /proc, other processes, rights and keys.

use super::site::Scene;
use super::{Case, Control, acts, elsewhere, not_here};

const AWAY: &[&str] = &["ENOENT", "EACCES", "EPERM"];
const EPERM: &[&str] = &["EPERM"];

/// Why init alone guards itself.
const INIT: &str = "init runs in the sandbox that it guards, as the application's own user; what \
                    is in its memory is the plan, which the application sees anyway";

const GROUP: &str = "the group is the caller's, and in no namespace of the sandbox; landlock does \
                     not look at these calls";

pub fn cases() -> Vec<Case> {
    [descriptors(), processes(), rights(), objects()].into_iter().flatten().collect()
}

fn descriptors() -> Vec<Case> {
    vec![
        acts(
            "B1-folder",
            "opens a file through a folder that the caller left open",
            "read-by-fd a",
            &["EBADF", "EACCES", "ENOENT"],
        ),
        acts(
            "B1-file",
            "reads a file that the caller left open",
            "read-open-file",
            &["EBADF", "EACCES"],
        )
        .single(
            "an open file is a right that no later barrier asks for; the launcher closes all but \
             the standard streams, and a folder as one of those is refused",
        ),
        acts("B1-cwd", "opens a file in the folder that the caller was in", "read-by-cwd a", AWAY),
        elsewhere(
            "B1-streams",
            "gets a folder as a standard stream",
            &[
                "sandbox inside::a_folder_as_a_stream_is_refused",
                "sandbox inside::no_descriptor_is_handed_down",
                "sandbox root::init_keeps_nothing_of_the_callers_open",
            ],
        ),
        acts("B4-exe", "opens the launcher by init's link to it", "open-read /proc/init/exe", AWAY)
            .scene(Scene::Init),
        acts(
            "B4-root",
            "reads the machine's files by init's link to its root",
            "read /proc/init/root@/vault/a",
            AWAY,
        )
        .scene(Scene::Init),
        elsewhere(
            "B4-own",
            "writes its own program while it runs",
            &["sandbox processes::a_program_outside_the_system"],
        ),
        elsewhere(
            "B6",
            "makes the launcher set-user-id",
            &[
                "sandbox root::a_set_user_id_launcher_refuses",
                "unit host/facts::raised_rights_are_refused",
            ],
        ),
    ]
}

fn processes() -> Vec<Case> {
    vec![
        acts(
            "B7-traceme",
            "lets a tracer change its calls after the filter saw them",
            format!("syscall {} 0 0 0 0 end", libc::SYS_ptrace),
            EPERM,
        )
        .single(
            "since Linux 4.8 the filter looks again after a tracer; the \
             call is refused to keep its code out of reach",
        ),
        acts("B7-memory", "writes init's memory", "open-write /proc/init/mem", AWAY)
            .scene(Scene::Init)
            .single(INIT),
        acts("B7-environ", "reads init's variables", "read /proc/init/environ", AWAY)
            .scene(Scene::Init)
            .single(INIT),
        elsewhere(
            "B7-descriptors",
            "looks where init's descriptors lead",
            &[
                "sandbox inside::init_is_out_of_reach",
                "sandbox root::init_keeps_nothing_of_the_callers_open",
            ],
        ),
        acts(
            "E2-environ",
            "reads the variables of a process of the user's",
            "read-found {victim} environ",
            &["ESRCH", "EACCES", "EPERM"],
        ),
        acts(
            "E2-words",
            "reads the arguments of a process of the user's",
            "read-found {victim} cmdline",
            &["ESRCH", "EACCES"],
        )
        .single(
            "what others are told to do is in /proc: it takes a pid \
             namespace to leave them out and a file tree to show that \
             /proc",
        ),
        acts(
            "E2-signal",
            "sends a signal to a process of the user's",
            "signal-found {victim}",
            &["ESRCH", "EPERM", "EACCES"],
        ),
        acts(
            "E2-group",
            "sends a signal to the process group of its caller",
            "signal 0 28",
            &["EPERM"],
        )
        .happened(|site| site.was_signalled())
        .single(
            "the group is the caller's, and in no namespace of the sandbox; where landlock \
                 cannot tell, the filter refuses the call \
                 (the_callers_process_group_is_out_of_reach)",
        ),
        acts(
            "E2-priority",
            "slows the process group of its caller down",
            format!("syscall {} 1 0 0 end", libc::SYS_setpriority),
            EPERM,
        )
        .scene(Scene::Init)
        .single(GROUP),
        acts(
            "E2-io",
            "the same for its reading and writing",
            format!("syscall {} 2 0 16388 end", libc::SYS_ioprio_set),
            EPERM,
        )
        .scene(Scene::Init)
        .single(GROUP),
        acts("E2-getenv", "finds a token among its variables", "getenv TOKEN", &["ENOENT"]).single(
            "variables are handed over at the start, or not; nothing \
             later takes them back",
        ),
    ]
}

fn rights() -> Vec<Case> {
    vec![
        acts("B8", "has a capability of any set", "any-capability", &["EPERM", "EACCES"]).single(
            "capabilities in a namespace of one's own are worth what can be done there: the cases \
             C5 say what, and have the filter as well",
        ),
        acts(
            "B9",
            "drops a group that keeps it out",
            format!("syscall {} 0 0 end", libc::SYS_setgroups),
            EPERM,
        )
        .control(Control::Root),
        acts("B10", "writes to the machine's control groups", "open-write {groups}", AWAY)
            .control(Control::Root)
            .root_only(),
        acts(
            "B11",
            "mounts control groups as root of namespaces of its own, to \
             name a program that the kernel runs",
            format!(
                "unshare {} mount-tmpfs /tmp",
                libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWCGROUP
            ),
            EPERM,
        ),
        not_here(
            "B13",
            "gains devices when a service manager rebuilds its control group",
            "no device is kept away by a control group: only the devices that are shown are there",
        ),
        elsewhere(
            "B14",
            "gets a number that a record of an ended run remembers",
            &[
                "sandbox ending::a_stale_record_goes_with_the_next_command",
                "sandbox instances::forged_records_are_not_believed",
                "unit instance/record::what_nobody_holds_goes_and_is_not_believed",
            ],
        ),
    ]
}

fn objects() -> Vec<Case> {
    let shared =
        "objects of System V are the ipc namespace's alone; they have no path and no domain";
    let find = |id, tried, number: i64| {
        acts(id, tried, format!("syscall {number} {{key}} 0 0 end"), &["ENOENT"]).single(shared)
    };
    vec![
        find("E3-messages", "opens a System V message queue of the user's", libc::SYS_msgget),
        find("E3-memory", "opens shared memory of the user's", libc::SYS_shmget),
        find("E3-semaphores", "opens semaphores of the user's", libc::SYS_semget),
        acts(
            "E3-queue",
            "opens a POSIX message queue of the user's",
            "queue-open {queue}",
            &["ENOENT", "EACCES"],
        ),
        acts(
            "E4-read",
            "reads a key of the caller's session",
            "key-read {victim}",
            &["EPERM", "ENOKEY", "EACCES"],
        ),
        acts(
            "E4-add",
            "leaves a key in the caller's session",
            format!("syscall {} 0 0 0 0 0 end", libc::SYS_add_key),
            EPERM,
        )
        .single(
            "a key can be added to the new, empty keyring only; the call \
             is refused to keep its code out of reach",
        ),
        acts(
            "E4-request",
            "has the kernel ask a program of the machine for a key",
            format!("syscall {} 0 0 0 0 end", libc::SYS_request_key),
            EPERM,
        )
        .single("no other barrier speaks of this call"),
    ]
}
