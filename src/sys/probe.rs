//! Questions to the kernel whose answers `doctor` and the host facts need.

use super::{Errno, Result, checked};

/// The running kernel's release, major and minor.
pub fn kernel_release() -> Option<(u32, u32)> {
    let name = rustix::system::uname();
    let mut parts = name.release().to_str().ok()?.split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The landlock ABI version of the running kernel; 0 where there is none.
pub fn landlock_abi() -> u32 {
    const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with a null attribute, size 0 and this flag the call only
    // returns a number.
    checked(unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    })
    .map_or(0, |version| version as u32)
}

/// A kind of namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Namespace {
    User,
    Mount,
    Pid,
    Ipc,
    Uts,
    Cgroup,
    Network,
}

impl Namespace {
    fn flag(self) -> i32 {
        match self {
            Namespace::User => libc::CLONE_NEWUSER,
            Namespace::Mount => libc::CLONE_NEWNS,
            Namespace::Pid => libc::CLONE_NEWPID,
            Namespace::Ipc => libc::CLONE_NEWIPC,
            Namespace::Uts => libc::CLONE_NEWUTS,
            Namespace::Cgroup => libc::CLONE_NEWCGROUP,
            Namespace::Network => libc::CLONE_NEWNET,
        }
    }
}

/// Runs `attempt` in a short-lived child of its own and gives the errno that
/// it ended with.
///
/// # Errors
/// What `attempt` failed with, or the fork itself; [`Errno::DEADLK`] when the
/// process has threads.
pub fn in_child(attempt: impl FnOnce() -> Result<()>) -> Result<()> {
    if !super::process::is_single_threaded() {
        return Err(Errno::DEADLK);
    }
    // SAFETY: a plain fork of a single-threaded process; the child calls
    // `attempt` and ends without running anything else.
    let pid = checked(unsafe {
        libc::syscall(
            libc::SYS_clone,
            libc::SIGCHLD as libc::c_ulong,
            std::ptr::null_mut::<libc::c_void>(),
            std::ptr::null_mut::<libc::c_void>(),
            std::ptr::null_mut::<libc::c_void>(),
            std::ptr::null_mut::<libc::c_void>(),
        )
    })?;
    if pid == 0 {
        let status = match attempt() {
            Ok(()) => 0,
            Err(errno) => errno.raw_os_error(),
        };
        super::process::exit_now(status);
    }
    let pid = rustix::process::Pid::from_raw(pid as i32);
    let Some((_, status)) = rustix::process::waitpid(pid, rustix::process::WaitOptions::empty())?
    else {
        return Err(Errno::CHILD);
    };
    match status.exit_status() {
        Some(0) => Ok(()),
        Some(errno) => Err(Errno::from_raw_os_error(errno)),
        None => Err(Errno::INTR),
    }
}

/// Whether an unprivileged process can make this kind of namespace (together
/// with a user namespace, without which none can be made).
///
/// # Errors
/// The kernel's refusal.
pub fn try_namespace(kind: Namespace) -> Result<()> {
    in_child(|| {
        // SAFETY: no memory is passed.
        checked(libc::c_long::from(unsafe { libc::unshare(libc::CLONE_NEWUSER | kind.flag()) }))?;
        Ok(())
    })
}

/// Whether `mount_setattr(2)` exists (Linux 5.12): asked with wrong pointers,
/// so that nothing can change.
pub fn has_mount_setattr() -> bool {
    // SAFETY: the kernel refuses the zero size before it reads anything.
    let answer = checked(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            -1,
            std::ptr::null::<libc::c_char>(),
            0,
            std::ptr::null::<libc::c_void>(),
            0usize,
        )
    });
    answer != Err(Errno::NOSYS)
}

/// Whether `open_tree(2)` exists (Linux 5.2).
pub fn has_open_tree() -> bool {
    // SAFETY: the kernel refuses the flags before it reads the path.
    let answer = checked(unsafe {
        libc::syscall(libc::SYS_open_tree, -1, std::ptr::null::<libc::c_char>(), u32::MAX)
    });
    answer != Err(Errno::NOSYS)
}

/// Whether `move_mount(2)` exists (Linux 5.2).
pub fn has_move_mount() -> bool {
    // SAFETY: the kernel refuses the flags before it reads the paths.
    let answer = checked(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            -1,
            std::ptr::null::<libc::c_char>(),
            -1,
            std::ptr::null::<libc::c_char>(),
            u32::MAX,
        )
    });
    answer != Err(Errno::NOSYS)
}

/// Whether a process in new user, mount and pid namespaces can have a /proc
/// of its own, as a sandbox needs.
///
/// # Errors
/// The kernel's refusal.
pub fn try_proc_mount() -> Result<()> {
    in_child(|| {
        // SAFETY: no memory is passed.
        checked(libc::c_long::from(unsafe {
            libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID)
        }))?;
        // The pid namespace begins with the next child.
        in_child(|| super::mount::new_fs(c"proc", &[], super::mount::Attributes::empty()).map(drop))
    })
}

/// Whether a system call filter can be loaded.
///
/// # Errors
/// The kernel's refusal.
pub fn try_filter() -> Result<()> {
    in_child(|| {
        rustix::thread::set_no_new_privs(true)?;
        // RET_ALLOW
        let allow = super::confine::Instruction { code: 0x06, jt: 0, jf: 0, k: 0x7fff_0000 };
        super::confine::load_filter(&[allow])
    })
}

/// Whether a user id has no meaning in this process's user namespace, so that
/// the kernel shows it for every owner from outside: inside a container the
/// host's root looks so.
pub fn is_overflow_user(uid: u32) -> bool {
    const OVERFLOW: u32 = 65534;
    if uid != OVERFLOW {
        return false;
    }
    // Three numbers a line: first id inside, first outside, how many.
    std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| {
        !map.lines().any(|line| {
            let mut numbers = line.split_whitespace().map(str::parse::<u64>);
            match (numbers.next(), numbers.nth(1)) {
                (Some(Ok(first)), Some(Ok(count))) => {
                    (first..first + count).contains(&u64::from(uid))
                }
                _ => true,
            }
        })
    })
}
