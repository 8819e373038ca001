//! System calls that the filter refuses, each one also made outside, where
//! the kernel gives another answer.

use crate::tests;
use crate::world::{World, is_root, kernel_before};

tests![
    refused_calls,
    foreign_architectures,
    socket_families,
    further_user_namespaces_have_two_locks,
    nested_sandboxes_by_level,
    unknown_calls,
    what_every_application_needs,
];

/// A call, its words, and the errno that the filter gives.
type Call = (i64, &'static str, &'static str);

/// Calls that the kernel answers differently to anybody.
const EVERYBODY: &[Call] = &[
    (libc::SYS_unshare, "268435456", "EPERM"),
    (libc::SYS_clone3, "0 0", "ENOSYS"),
    (libc::SYS_setns, "-1 0", "EPERM"),
    (libc::SYS_chroot, "0", "EPERM"),
    (libc::SYS_keyctl, "0 -3 0", "EPERM"),
    (libc::SYS_add_key, "0 0 0 0 0", "EPERM"),
    (libc::SYS_request_key, "0 0 0 0", "EPERM"),
    (libc::SYS_ptrace, "0 0 0 0", "EPERM"),
    (libc::SYS_process_vm_readv, "0 0 0 0 0 0", "EPERM"),
    (libc::SYS_process_vm_writev, "0 0 0 0 0 0", "EPERM"),
    (libc::SYS_pidfd_getfd, "-1 0 0", "EPERM"),
    (libc::SYS_io_uring_setup, "1 0", "ENOSYS"),
    (libc::SYS_io_uring_enter, "-1 0 0 0 0 0", "ENOSYS"),
    (libc::SYS_io_uring_register, "-1 0 0 0", "ENOSYS"),
    (libc::SYS_userfaultfd, "1", "ENOSYS"),
    (libc::SYS_personality, "262144", "EPERM"),
    (libc::SYS_open_tree, "-1 0 0", "ENOSYS"),
    (libc::SYS_fsopen, "0 0", "ENOSYS"),
    (libc::SYS_fsmount, "-1 0 0", "ENOSYS"),
    (libc::SYS_fspick, "-1 0 0", "ENOSYS"),
    (libc::SYS_move_mount, "-1 0 -1 0 0", "ENOSYS"),
    (libc::SYS_mount_setattr, "-1 0 0 0 0", "ENOSYS"),
    (libc::SYS_fanotify_init, "-1 0", "ENOSYS"),
    (libc::SYS_name_to_handle_at, "-1 0 0 0 0", "EOPNOTSUPP"),
    (libc::SYS_quotactl, "0 0 0 0", "EPERM"),
    (libc::SYS_mbind, "1 0 0 0 0 0", "EPERM"),
    (libc::SYS_set_mempolicy, "99 0 0", "EPERM"),
];

/// Calls that the kernel refuses an ordinary account with the same errno, so
/// that only root's control tells the filter from the kernel.
const ROOT: &[Call] = &[
    (libc::SYS_unshare, "131072", "EPERM"),
    (libc::SYS_mount, "0 0 0 0 0", "EPERM"),
    (libc::SYS_umount2, "0 0", "EPERM"),
    (libc::SYS_pivot_root, "0 0", "EPERM"),
    (libc::SYS_open_by_handle_at, "-1 0 0", "EPERM"),
    (libc::SYS_sethostname, "0 -1", "EPERM"),
    (libc::SYS_bpf, "99 0 0", "EPERM"),
    (libc::SYS_perf_event_open, "0 0 -1 -1 0", "EPERM"),
    (libc::SYS_syslog, "10 0 0", "EPERM"),
    (libc::SYS_delete_module, "0 0", "EPERM"),
];

fn acts(calls: &[Call]) -> String {
    calls.iter().map(|(number, words, _)| format!("apart syscall {number} {words} end ")).collect()
}

fn errnos(run: &crate::world::Run, count: usize) -> Vec<String> {
    (0..count)
        .map(|at| {
            let apart = run.value(at);
            let result = &apart["results"][0];
            assert!(apart["signal"].is_null(), "act {at} was the last: {}", run.told());
            result["errno"].as_str().unwrap_or("none").to_owned()
        })
        .collect()
}

fn refused_calls() {
    let world = World::new();
    let mut calls = EVERYBODY.to_vec();
    if kernel_before(5, 12) {
        calls.retain(|(number, ..)| *number != libc::SYS_mount_setattr);
    }
    if is_root() {
        calls.extend(ROOT);
    }
    let acts = acts(&calls);
    let inside = errnos(&world.app(&acts).run(), calls.len());
    let outside = errnos(&world.outside(&acts), calls.len());
    let mut wrong = Vec::new();
    for (((number, words, expected), inside), outside) in calls.iter().zip(inside).zip(outside) {
        if inside != *expected {
            wrong.push(format!("{number} {words}: {inside} in place of {expected}"));
        }
        if outside == *expected {
            wrong
                .push(format!("{number} {words}: {outside} outside as well, which proves nothing"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let root = errnos(&world.app(&self::acts(ROOT)).run(), ROOT.len());
    let expected: Vec<&str> = ROOT.iter().map(|(_, _, errno)| *errno).collect();
    assert_eq!(root, expected);
}

fn foreign_architectures() {
    let world = World::new();
    let acts = "apart int80 20 0 0 end apart int80 310 268435456 0 end";
    let outside = world.outside(acts);
    if outside.value(0)["results"][0]["ok"] != true {
        crate::skip(
            "syscalls::foreign_architectures",
            "this kernel has no gate for 32-bit programs",
        );
        return;
    }
    assert_eq!(outside.value(1)["results"][0]["ok"], true, "{}", outside.told());
    let inside = world.app(acts).run();
    for at in 0..2 {
        assert_eq!(inside.value(at)["signal"], libc::SIGSYS, "{}", inside.told());
    }
    // With the feature they are judged by a table of their own.
    let inside = world.app(acts).manifest("[syscalls]\nallow = [\"multiarch\"]").run();
    assert_eq!(inside.value(0)["results"][0]["ok"], true, "{}", inside.told());
    assert_eq!(inside.value(1)["results"][0]["errno"], "EPERM", "{}", inside.told());
}

fn socket_families() {
    let world = World::new();
    let number = libc::SYS_socket;
    let families = 0..46;
    let acts: String =
        families.clone().map(|family| format!("syscall {number} {family} 2 0 end ")).collect();
    let (inside, outside) = (world.app(&acts).run().results(), world.outside(&acts).results());
    let mut refused_here_alone = 0;
    for (family, (inside, outside)) in families.zip(inside.iter().zip(&outside)) {
        match family {
            libc::AF_UNSPEC | libc::AF_UNIX | libc::AF_INET | libc::AF_INET6 | libc::AF_NETLINK => {
                assert_eq!(inside["errno"], outside["errno"], "family {family}");
            }
            _ => {
                assert_eq!(inside["errno"], "EAFNOSUPPORT", "family {family}");
                refused_here_alone += usize::from(outside["errno"] != "EAFNOSUPPORT");
            }
        }
    }
    assert!(refused_here_alone > 0, "the kernel knows no other family: {outside:?}");
}

fn further_user_namespaces_have_two_locks() {
    let world = World::new();
    let new_user = libc::CLONE_NEWUSER;
    world.outside(&format!("unshare {new_user}")).all_work();
    let acts = format!("unshare {new_user} say ready wait-for @/mark");
    let mut running = world.app(&acts).start();
    running.await_word("ready");
    // The second lock, for whom no filter stops: a process from outside that
    // enters the application's user namespace.
    let application = world
        .processes()
        .into_iter()
        .filter(|pid| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.trim() == "probe"
        })
        .max()
        .unwrap();
    let mut command = world.command(std::path::Path::new("/usr/bin/nsenter"));
    command
        .arg(format!("--user=/proc/{application}/ns/user"))
        .arg("--preserve-credentials")
        .arg("--")
        .arg(world.path("@/probe"))
        .args(["ns", "unshare", &new_user.to_string()]);
    let entered = crate::world::finish(command, None);
    let own = world.outside("ns").value(0);
    assert_ne!(entered.value(0)["user"], own["user"], "{}", entered.told());
    entered.refused(1, &["ENOSPC"]);
    running.signal(rustix::process::Signal::TERM);
    drop(running);
    let run = world.app(&format!("unshare {new_user}")).run();
    run.all_refused(&["EPERM"]);
}

fn nested_sandboxes_by_level() {
    let world = World::new();
    let (user, mount) = (libc::CLONE_NEWUSER, libc::SYS_mount);
    let both = user | libc::CLONE_NEWNS;
    let acts = format!(
        "apart unshare {user} status end apart unshare {both} end apart unshare {user} \
         syscall {mount} 0 0 0 0 0 end"
    );
    let level =
        |name: &str| world.app(&acts).manifest(&format!("[syscalls]\nnested = {name:?}")).run();
    let errnos = |run: &crate::world::Run| {
        let at = |act: usize, inner: usize| run.value(act)["results"][inner]["errno"].clone();
        [at(0, 0), at(1, 0), at(2, 1)].map(|errno| errno.as_str().unwrap_or("none").to_owned())
    };
    assert_eq!(errnos(&world.outside(&acts)), ["none", "none", "EFAULT"]);
    assert_eq!(errnos(&level("none")), ["EPERM", "EPERM", "EPERM"]);
    let browser = level("browser");
    assert_eq!(errnos(&browser)[0], "none", "{}", browser.told());
    assert_eq!(errnos(&browser)[2], "EPERM", "{}", browser.told());
    let container = level("container");
    if is_root() {
        container.ended_with(65).says("is refused for root");
    } else {
        assert_eq!(errnos(&container)[..2], ["none", "none"], "{}", container.told());
    }
}

fn unknown_calls() {
    let world = World::new();
    let acts: String = [400, 472, 500, 1000, 0x7fff_ffff, -1]
        .map(|number| format!("syscall {number} end "))
        .concat();
    world.app(&acts).run().all_refused(&["ENOSYS"]);
}

fn what_every_application_needs() {
    let world = World::new();
    // The control of the whole: threads, children, pipes and memory work.
    let script = "a=$(echo through a pipe | cat) && echo \"$a\" && sort </dev/null && \
                  (sleep 0.01 & wait) && date >/dev/null";
    let run = world.program(&["/bin/bash", "-c", script]).run();
    assert_eq!(run.output, "through a pipe\n", "{}", run.told());
    run.ended_with(0);
}
