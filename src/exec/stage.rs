//! The child between clone and the application's start: it walks over the
//! frozen plan and makes it true.
//!
//! Nothing here allocates, formats, locks or panics; what fails is sent to
//! the monitor as a phase, a step and an errno, and the child ends. The order
//! is forced by the kernel:
//!
//! - ids are mapped first, through a /proc that is checked to be one, before
//!   any path that an application could have touched is looked at;
//! - mounting ends before landlock begins, which refuses it;
//! - the inner user namespace comes after the last mount, since mounts belong
//!   to the outer one; that is what puts them out of the application's reach;
//! - capabilities go before no_new_privs, landlock and the filter, which need
//!   none;
//! - the filter comes last of all, as it would refuse most of this.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use crate::freeze::Frozen;
use crate::model::barrier::Barrier;
use crate::sys::{Errno, confine, mount, net, path, process};

use super::handshake::{self, In, Mark, Message, Outcome, Phase, send};
use super::tree::{Terms, Tree, open_proc, write_own};

/// Tells the time to whoever asked for timings.
pub fn mark(frozen: &Frozen, monitor: BorrowedFd<'_>, mark: Mark) {
    if frozen.timed {
        send(monitor, Message::Mark(mark, crate::sys::process::now()));
    }
}

/// Builds the sandbox around this process. On success the caller is pid 1 of
/// it, confined, with nothing left to do but to start the application.
///
/// # Errors
/// What could not be done.
pub fn build(frozen: &Frozen, monitor: BorrowedFd<'_>, filter: Option<BorrowedFd<'_>>) -> Outcome {
    mark(frozen, monitor, Mark::Born);
    rustix::process::umask(Mode::empty());
    let host = open_host().during(Phase::IdMaps)?;
    map_ids(frozen, host.as_fd()).during(Phase::IdMaps)?;
    if frozen.namespaces.is_some_and(|new| new.network) {
        net::loopback_up().during(Phase::Loopback)?;
    }
    mark(frozen, monitor, Mark::Mapped);
    let terms = Terms {
        locks_user_namespaces: frozen.locks_user_namespaces,
        own_processes: frozen.namespaces.is_some_and(|new| new.processes),
        without: frozen.without,
        filter,
    };
    let tree = Tree::build(&frozen.tree, terms, host.as_fd())?;
    mark(frozen, monitor, Mark::Tree);
    if !frozen.without.has(Barrier::Mounts) {
        mount::become_root(tree.root.as_fd(), tree.attached).during(Phase::Pivot)?;
    }
    mark(frozen, monitor, Mark::Entered);
    rustix::system::sethostname(&frozen.hostname).during(Phase::HostName)?;
    enter_inner_user(frozen, tree.proc.as_ref())?;
    enter_folder(frozen).during(Phase::WorkingFolder)?;
    if let (Some(line), Some(proc)) = (&frozen.oom_score, &tree.proc) {
        write_own(proc.as_fd(), c"self/oom_score_adj", line).during(Phase::Limits)?;
    }
    if let Some(filter) = filter {
        await_filter(filter, monitor)?;
    }
    // By now the monitor has noted whose sandbox this is, for the portals and
    // for other commands, and holds what can only be had as long as this
    // process can be looked into.
    handshake::await_go(monitor).during(Phase::Lifeline)?;
    confine_self(frozen, tree.root.as_fd(), monitor)
}

/// The host's root in this mount namespace.
pub(super) fn open_host() -> Result<OwnedFd, Errno> {
    rustix::fs::open(c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Maps the caller's ids, through a /proc that is one.
pub(super) fn map_ids(frozen: &Frozen, host: BorrowedFd<'_>) -> Result<(), Errno> {
    let proc = open_proc(host)?;
    write_maps(proc.as_fd(), frozen)
}

fn write_maps(proc: BorrowedFd<'_>, frozen: &Frozen) -> Result<(), Errno> {
    write_own(proc, c"self/uid_map", &frozen.uid_map)?;
    // A group map needs this first, since a process without rights could
    // otherwise drop a group that is there to keep it out.
    write_own(proc, c"self/setgroups", b"deny")?;
    write_own(proc, c"self/gid_map", &frozen.gid_map)
}

/// Waits until the process before the buses is confined and has its sockets.
fn await_filter(filter: BorrowedFd<'_>, monitor: BorrowedFd<'_>) -> Outcome {
    match handshake::receive(filter).during(Phase::Buses)? {
        Some(Message::Running) => Ok(()),
        Some(Message::Failed(failure)) => {
            send(monitor, Message::FilterFailed(failure));
            process::exit_now(1)
        }
        _ => Err(Errno::PIPE).during(Phase::Buses),
    }
}

fn enter_inner_user(frozen: &Frozen, proc: Option<&OwnedFd>) -> Outcome {
    process::new_user_namespace().during(Phase::InnerUser)?;
    let Some(proc) = proc else {
        return Err(Errno::NOENT).during(Phase::InnerIdMaps);
    };
    // setgroups is denied by inheritance, and denying it again is refused.
    write_own(proc.as_fd(), c"self/uid_map", &frozen.uid_map)
        .and_then(|()| write_own(proc.as_fd(), c"self/gid_map", &frozen.gid_map))
        .during(Phase::InnerIdMaps)
}

/// Enters the working folder.
pub(super) fn enter_folder(frozen: &Frozen) -> Result<(), Errno> {
    rustix::process::chdir(&frozen.cwd).or_else(|_| rustix::process::chdir(&frozen.home))
}

/// Takes everything from this process that the application must not have.
fn confine_self(frozen: &Frozen, root: BorrowedFd<'_>, monitor: BorrowedFd<'_>) -> Outcome {
    if !frozen.without.has(Barrier::Keyring) {
        confine::new_session_keyring().during(Phase::Keyring)?;
    }
    if !frozen.without.has(Barrier::Privileges) {
        confine::drop_capabilities().during(Phase::Capabilities)?;
    }
    // From here on nobody inside can look into this process, whose memory
    // holds the whole plan.
    let look = match frozen.without.has(Barrier::Init) {
        false => rustix::process::DumpableBehavior::NotDumpable,
        true => rustix::process::DumpableBehavior::Dumpable,
    };
    rustix::process::set_dumpable_behavior(look).during(Phase::Capabilities)?;
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .during(Phase::Lifeline)?;
    // The monitor may have gone before that was set; then its end of the
    // socket is closed.
    if is_hung_up(monitor) {
        return Err(Errno::PIPE).during(Phase::Lifeline);
    }
    mark(frozen, monitor, Mark::Dropped);
    if !frozen.without.has(Barrier::Privileges) {
        rustix::thread::set_no_new_privs(true).during(Phase::NoNewPrivileges)?;
    }
    if let Some(landlock) = &frozen.landlock
        && !frozen.without.has(Barrier::Landlock)
    {
        for (place, access) in &landlock.inside {
            path::open_object(root, place)
                .and_then(|object| {
                    confine::landlock_allow(landlock.ruleset.as_fd(), object.as_fd(), *access)
                })
                .during(Phase::Landlock)?;
        }
        confine::landlock_enter(landlock.ruleset.as_fd()).during(Phase::Landlock)?;
    }
    if !frozen.without.has(Barrier::Syscalls) {
        confine::load_filter(&frozen.filter).during(Phase::Filter)?;
    }
    mark(frozen, monitor, Mark::Confined);
    Ok(())
}

/// Whether the other end of a socket is gone.
pub(super) fn is_hung_up(socket: BorrowedFd<'_>) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let _ = poll(&mut fds, Some(&now));
    fds[0].revents().contains(PollFlags::HUP)
}

/// The whole life of the child.
pub fn run(
    frozen: &Frozen,
    monitor: OwnedFd,
    filter: Option<OwnedFd>,
    before: super::launch::Before,
) -> ! {
    let built = match frozen.in_place {
        None => build(frozen, monitor.as_fd(), filter.as_ref().map(AsFd::as_fd)),
        Some(_) => super::in_place::confine(frozen, monitor.as_fd()),
    };
    match built {
        Ok(()) => super::init::run(frozen, monitor, filter, before),
        Err(failure) => {
            send(monitor.as_fd(), Message::Failed(failure));
            process::exit_now(1)
        }
    }
}
