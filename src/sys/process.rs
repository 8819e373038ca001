//! Making, replacing and following processes.

use std::ffi::{CStr, CString, c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Errno, Result, checked};

/// The namespaces that a clone can make. User, mount, uts and cgroup are
/// always among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewNamespaces {
    /// A network namespace.
    pub network: bool,
    /// A pid namespace.
    pub processes: bool,
    /// An ipc namespace.
    pub ipc: bool,
}

impl NewNamespaces {
    fn flags(self) -> c_int {
        let asked = |is_asked, flag| if is_asked { flag } else { 0 };
        libc::CLONE_NEWUSER
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP
            | asked(self.network, libc::CLONE_NEWNET)
            | asked(self.processes, libc::CLONE_NEWPID)
            | asked(self.ipc, libc::CLONE_NEWIPC)
    }
}

/// Which side of a fork this is.
pub enum Fork {
    /// The new process.
    Child,
    /// The old one.
    Parent {
        /// The child's id here.
        pid: i32,
        /// A handle on the child.
        pidfd: OwnedFd,
    },
}

/// `struct clone_args` up to its first version's end (`linux/sched.h`).
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// Forks into new namespaces with one call; without any, plainly.
///
/// # Errors
/// Those of `clone3(2)`: EPERM or ENOSPC where the host refuses namespaces,
/// ENOSYS where a filter refuses the call itself. [`Errno::DEADLK`] when the
/// process has threads: the copy would be unsound.
pub fn clone_into(namespaces: Option<NewNamespaces>) -> Result<Fork> {
    clone_with(namespaces.map_or(0, NewNamespaces::flags))
}

/// Forks, with a handle on the child.
///
/// # Errors
/// Those of `clone3(2)`, and [`Errno::DEADLK`] as [`clone_into`].
pub fn fork() -> Result<Fork> {
    clone_with(0)
}

fn clone_with(flags: c_int) -> Result<Fork> {
    if !is_single_threaded() {
        return Err(Errno::DEADLK);
    }
    let mut pidfd: c_int = -1;
    let mut args = CloneArgs {
        flags: flags as u64 | libc::CLONE_PIDFD as u64,
        pidfd: (&raw mut pidfd) as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    // SAFETY: without CLONE_VM the child has a copy of everything, so this is
    // a fork; it is sound because the process has a single thread. `args` is
    // a live struct of the size that is given, `pidfd` outlives the call.
    let pid =
        checked(unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) })?;
    if pid == 0 {
        return Ok(Fork::Child);
    }
    // SAFETY: the kernel has just given this descriptor to us alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Fork::Parent { pid: pid as i32, pidfd })
}

/// Forks into new namespaces by the older `clone(2)`, for where a filter
/// refuses clone3 because it cannot look into its argument.
///
/// # Errors
/// As [`clone_into`].
pub fn clone_into_by_registers(namespaces: Option<NewNamespaces>) -> Result<Fork> {
    if !is_single_threaded() {
        return Err(Errno::DEADLK);
    }
    let mut pidfd: c_int = -1;
    let flags = namespaces.map_or(0, NewNamespaces::flags) | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: as in `clone_into`; a null stack keeps the copy of ours, and
    // the third argument is where CLONE_PIDFD stores the handle on both
    // architectures (the order of the last two differs, and both are null).
    let pid = checked(unsafe {
        libc::syscall(
            libc::SYS_clone,
            flags as libc::c_ulong,
            std::ptr::null_mut::<c_void>(),
            &raw mut pidfd,
            std::ptr::null_mut::<c_void>(),
            std::ptr::null_mut::<c_void>(),
        )
    })?;
    if pid == 0 {
        return Ok(Fork::Child);
    }
    // SAFETY: the kernel has just given this descriptor to us alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Fork::Parent { pid: pid as i32, pidfd })
}

/// Whether the process has one thread only.
///
/// `unshare(CLONE_THREAD)` does nothing for such a process and answers EINVAL
/// for any other: the cheapest way to know. Inside a sandbox, where the filter
/// refuses the call, the folder of the process's tasks tells.
pub fn is_single_threaded() -> bool {
    // SAFETY: this flag changes nothing in a single-threaded process and is
    // refused in another.
    match checked(libc::c_long::from(unsafe { libc::unshare(libc::CLONE_THREAD) })) {
        Ok(_) => true,
        Err(Errno::INVAL) => false,
        // A folder has a link for each folder in it, and two of its own.
        Err(_) => rustix::fs::stat(c"/proc/self/task").is_ok_and(|stat| stat.st_nlink == 3),
    }
}

/// Puts this process into a further user namespace.
///
/// # Errors
/// Those of `unshare(2)`.
pub fn new_user_namespace() -> Result<()> {
    // SAFETY: no memory is passed.
    checked(libc::c_long::from(unsafe { libc::unshare(libc::CLONE_NEWUSER) }))?;
    Ok(())
}

/// The user namespace that owns a namespace (`ioctl_nsfs(2)`).
///
/// # Errors
/// EPERM when that is not within the caller's own.
pub fn owner_of(namespace: BorrowedFd<'_>) -> Result<OwnedFd> {
    /// `NS_GET_USERNS` of `linux/nsfs.h`.
    const NS_GET_USERNS: libc::c_ulong = 0xb701;
    // SAFETY: the request takes no argument.
    let fd = checked(libc::c_long::from(unsafe {
        libc::ioctl(namespace.as_raw_fd(), NS_GET_USERNS as _)
    }))?;
    // SAFETY: the kernel has just given this descriptor, closed on exec, to us
    // alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// A null-terminated array of C strings, as `execve` takes it.
pub struct StringArray {
    /// What `pointers` point at.
    texts: Vec<CString>,
    pointers: Vec<*const libc::c_char>,
}

impl StringArray {
    /// Takes the texts.
    pub fn new(texts: Vec<CString>) -> StringArray {
        let pointers = texts
            .iter()
            .map(|text| text.as_ptr())
            .chain(std::iter::once(std::ptr::null()))
            .collect();
        StringArray { texts, pointers }
    }

    /// The value of a variable, where the texts are an environment.
    pub fn get(&self, name: &CStr) -> Option<&CStr> {
        let start = [name.to_bytes(), b"="].concat();
        let text = self.texts.iter().find(|text| text.to_bytes().starts_with(&start))?;
        CStr::from_bytes_with_nul(&text.to_bytes_with_nul()[start.len()..]).ok()
    }

    /// An environment with another value of one variable; as it is where the
    /// value is empty.
    #[must_use]
    pub fn with(&self, name: &CStr, value: &CStr) -> StringArray {
        let start = [name.to_bytes(), b"="].concat();
        let others = self.texts.iter().filter(|text| !text.to_bytes().starts_with(&start));
        let new = CString::new([&start[..], value.to_bytes()].concat());
        match (value.is_empty(), new) {
            (false, Ok(new)) => StringArray::new(others.cloned().chain([new]).collect()),
            _ => StringArray::new(self.texts.clone()),
        }
    }
}

/// Replaces this process by a program. Comes back only with an error.
pub fn execute(program: &CString, arguments: &StringArray, environment: &StringArray) -> Errno {
    // SAFETY: all three are null-terminated and live across the call; the
    // arrays end with a null pointer by construction.
    let answer = checked(libc::c_long::from(unsafe {
        libc::execve(program.as_ptr(), arguments.pointers.as_ptr(), environment.pointers.as_ptr())
    }));
    match answer {
        Ok(_) => Errno::IO,
        Err(errno) => errno,
    }
}

/// The monotonic clock in nanoseconds, which all processes share.
pub fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Ends this process at once: no destructors, no exit handlers.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit never returns and touches no memory of ours.
    unsafe { libc::_exit(status) }
}

/// Where the kernel has this process's arguments, which every process that
/// sees this one in /proc can read.
#[derive(Clone, Copy)]
pub struct OwnArguments {
    start: *mut u8,
    length: usize,
}

impl OwnArguments {
    /// Finds them.
    pub fn find() -> OwnArguments {
        unsafe extern "C" {
            /// The first argument, as the C library keeps it.
            static program_invocation_name: *mut libc::c_char;
        }
        let length = std::env::args_os().map(|argument| argument.len() + 1).sum();
        // SAFETY: the C library sets this pointer before main and nobody here
        // changes it.
        OwnArguments { start: unsafe { program_invocation_name }.cast::<u8>(), length }
    }

    /// Puts a name in their place. Only in a child that has a copy of the
    /// launcher's memory: there, nothing reads them any longer.
    pub fn replace(self, name: &[u8]) {
        if self.start.is_null() || self.length == 0 {
            return;
        }
        let kept = name.len().min(self.length - 1);
        // SAFETY: the kernel lays the arguments down one after another with
        // their NULs, from the first on, in memory that can be written;
        // `length` is the sum of what the standard library read from there.
        // Nothing borrows that memory: the library hands out copies.
        unsafe {
            std::ptr::write_bytes(self.start, 0, self.length);
            std::ptr::copy_nonoverlapping(name.as_ptr(), self.start, kept);
        }
    }
}

const CHILD_STACK: usize = 64 * 1024;

/// The stack on which a child that shares our memory runs.
#[repr(align(16))]
struct ChildStack([u8; CHILD_STACK]);

/// Starts a child that shares this process's memory while this process
/// waits, until the child execs or exits (the way of `vfork(2)`): a fork of
/// the address space costs five times as much.
///
/// `run` must come to its end by exec or by exit; what it returns becomes the
/// exit status. It must not allocate, lock or panic.
///
/// # Errors
/// Those of `clone(2)`.
pub fn start_sharing<F: FnMut() -> i32>(run: &mut F) -> Result<i32> {
    extern "C" fn enter<F: FnMut() -> i32>(argument: *mut c_void) -> c_int {
        // SAFETY: the argument is the `run` of the caller below, which waits
        // inside clone until this function has ended or exec'd.
        let run = unsafe { &mut *argument.cast::<F>() };
        run()
    }
    let mut stack = ChildStack([0; CHILD_STACK]);
    // SAFETY: the top of the array is one past its end, aligned to 16.
    let top = unsafe { stack.0.as_mut_ptr().add(CHILD_STACK) };
    // SAFETY: CLONE_VFORK holds this thread until the child has stopped using
    // our memory, so `stack` and `run` outlive it. Without CLONE_SIGHAND and
    // CLONE_FILES the child's signal actions and descriptors are its own.
    let pid = checked(libc::c_long::from(unsafe {
        libc::clone(
            enter::<F>,
            top.cast::<c_void>(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            (run as *mut F).cast::<c_void>(),
        )
    }))?;
    Ok(pid as i32)
}

/// Ends, at one blow, every process that this one may signal, but for itself.
/// The kernel holds its list of processes still meanwhile, so that none slips
/// away by a fork.
///
/// Without a landlock domain that keeps signals inside that is every process
/// of the user: only a process that is known to be in one may call this.
pub fn kill_all_in_reach() {
    // SAFETY: no memory is passed. With nobody in reach it answers ESRCH.
    let _ = unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// What became of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It exited with this status.
    Exited(i32),
    /// A signal ended it.
    Killed(i32),
    /// A signal stopped it.
    Stopped(i32),
    /// It goes on.
    Continued,
}

/// Takes one change of any child.
///
/// `Ok(None)`: none waits (only when `block` is false).
///
/// # Errors
/// ECHILD when there is no child left.
pub fn next_change(block: bool) -> Result<Option<(i32, Change)>> {
    let mut status: c_int = 0;
    let flags =
        libc::WUNTRACED | libc::WCONTINUED | libc::__WALL | if block { 0 } else { libc::WNOHANG };
    loop {
        // SAFETY: `status` is a live int; a null rusage is allowed.
        let pid = checked(unsafe {
            libc::syscall(
                libc::SYS_wait4,
                -1,
                &raw mut status,
                flags,
                std::ptr::null_mut::<libc::rusage>(),
            )
        });
        match pid {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(0) => return Ok(None),
            Ok(pid) => return Ok(Some((pid as i32, change(status)))),
        }
    }
}

fn change(status: c_int) -> Change {
    if libc::WIFEXITED(status) {
        Change::Exited(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        Change::Killed(libc::WTERMSIG(status))
    } else if libc::WIFSTOPPED(status) {
        Change::Stopped(libc::WSTOPSIG(status))
    } else {
        Change::Continued
    }
}

/// Whether the kernel started this process with more rights than its caller
/// has (set-user-id, file capabilities): `AT_SECURE` of `getauxval(3)`.
pub fn is_privileged_start() -> bool {
    // SAFETY: getauxval reads the process's own auxiliary vector.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
