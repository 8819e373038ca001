//! Pid 1 of a sandbox: starts the application, reaps what is orphaned to it,
//! tells the monitor what becomes of the application, and ends when nothing
//! is left. It is confined like the application and deaf to signals from
//! inside, as every pid 1 without handlers is.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Resource, Rlimit};

use crate::freeze::Frozen;
use crate::model::barrier::Barrier;
use crate::model::plan::Limits;
use crate::sys::process::{self, Change};
use crate::sys::{Errno, fd, signal};

use super::handshake::{self, Failure, Mark, Message, Phase, send};
use super::in_place;
use super::launch::Before;
use super::order::{Order, Packet};
use super::visitors::{MOST, Visitors};

/// Signals whose default action is restored for the application; the
/// launcher's runtime and monitor had changed them.
const TOUCHED: [i32; 2] = [libc::SIGPIPE, libc::SIGCHLD];

/// Where in the list of what init watches the visitors begin that are starting.
const FIRST: usize = 3;

/// Starts the application and stays with it.
pub fn run(frozen: &Frozen, monitor: OwnedFd, filter: Option<OwnedFd>, before: Before) -> ! {
    // Pid 1 of a namespace would be deaf without this; a process like others
    // is not.
    let children = match signal::set_mask(signal::Set::ALL)
        .and_then(|_| signal::descriptor(signal::Set::of(&[libc::SIGCHLD])))
    {
        Ok(fd) => fd,
        Err(errno) => fail(&monitor, Phase::Signals, errno),
    };
    let mut refused: Option<NotExecuted> = None;
    let started = process::start_sharing(&mut || {
        refused = Some(become_application(frozen, before));
        127
    });
    let application = match (started, refused) {
        (Ok(pid), None) => pid,
        (Ok(_), Some(NotExecuted::Program(errno))) => {
            send(monitor.as_fd(), Message::NotExecuted(errno));
            process::exit_now(1)
        }
        (Ok(_), Some(NotExecuted::Confinement(errno))) => fail(&monitor, Phase::Landlock, errno),
        (Err(errno), _) => fail(&monitor, Phase::Start, errno),
    };
    super::stage::mark(frozen, monitor.as_fd(), Mark::Executed);
    send(monitor.as_fd(), Message::Running);
    // What init keeps open would stay open for whoever reads or writes at the
    // other end; and what the launcher had open, the host's root among it, is
    // of no use to a process that lives as long as the sandbox.
    let borrowed =
        [Some(monitor.as_fd()), Some(children.as_fd()), filter.as_ref().map(AsFd::as_fd)];
    in_place::close_the_rest(frozen.in_place.as_ref(), application, borrowed);
    let mut life = Life {
        frozen,
        before,
        monitor: &monitor,
        children: &children,
        filter: filter.as_ref(),
        application,
        visitors: Visitors::default(),
    };
    let status = life.attend();
    in_place::end_all(frozen);
    process::exit_now(status)
}

/// Why the application's process did not execute it.
enum NotExecuted {
    /// It could not be confined.
    Confinement(Errno),
    /// The program was refused.
    Program(Errno),
}

fn fail(monitor: &OwnedFd, phase: Phase, errno: Errno) -> ! {
    send(monitor.as_fd(), Message::Failed(Failure { phase, step: 0, errno }));
    process::exit_now(1)
}

/// Execs the application; comes back only with the reason why it could not.
fn become_application(frozen: &Frozen, before: Before) -> NotExecuted {
    if let Some(place) = &frozen.in_place
        && let Err(errno) = in_place::enter_own(place)
    {
        return NotExecuted::Confinement(errno);
    }
    NotExecuted::Program(execute(frozen, before))
}

fn execute(frozen: &Frozen, before: Before) -> Errno {
    if let Err(errno) = restore_signals(before).and_then(|()| limit(&frozen.limits)) {
        return errno;
    }
    // No descriptor of ours is left but 0, 1, 2 and the one that was granted.
    let closed = match frozen.kept {
        _ if frozen.without.has(Barrier::Descriptors) => Ok(()),
        None => fd::close_from(3),
        Some(kept) => {
            let kept = kept as u32;
            let below = if kept > 3 { fd::close_range(3, kept - 1) } else { Ok(()) };
            below.and_then(|()| fd::close_from(kept + 1))
        }
    };
    match closed {
        Ok(()) => process::execute(&frozen.program, &frozen.arguments, &frozen.environment),
        Err(errno) => errno,
    }
}

/// Gives a process back what of the caller's state the launcher has changed.
///
/// # Errors
/// Those of `rt_sigprocmask(2)`.
pub fn restore_signals(before: Before) -> Result<(), Errno> {
    for number in TOUCHED {
        signal::set_ignored(number, false);
    }
    rustix::process::umask(before.umask);
    signal::set_mask(before.mask).map(drop)
}

/// Holds this process and all that it starts to limits.
///
/// # Errors
/// Those of `setrlimit(2)` and `setpriority(2)`.
pub fn limit(limits: &Limits) -> Result<(), Errno> {
    for (resource, value) in [
        (Resource::Fsize, limits.file_size),
        (Resource::Core, limits.core),
        (Resource::Nproc, limits.tasks),
        (Resource::Nofile, limits.open_files),
    ] {
        let Some(value) = value else { continue };
        // No more than the caller has: raising that takes a privilege.
        let most = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let value = Some(value.min(most));
        rustix::process::setrlimit(resource, Rlimit { current: value, maximum: value })?;
    }
    match limits.nice {
        Some(nice) => rustix::process::setpriority_process(None, nice),
        None => Ok(()),
    }
}

/// What init has while the sandbox lives.
struct Life<'a> {
    frozen: &'a Frozen,
    before: Before,
    monitor: &'a OwnedFd,
    children: &'a OwnedFd,
    filter: Option<&'a OwnedFd>,
    application: i32,
    visitors: Visitors,
}

impl Life<'_> {
    /// Waits for children and for the monitor until nothing is left; gives the
    /// status to end with.
    fn attend(&mut self) -> i32 {
        loop {
            let mut fds: [PollFd<'_>; FIRST + MOST] = std::array::from_fn(|at| match at {
                0 => PollFd::new(self.children, PollFlags::IN),
                1 => PollFd::new(self.monitor, PollFlags::IN),
                // Nothing is read from it: it only ends.
                2 => PollFd::new(self.filter.unwrap_or(self.monitor), PollFlags::empty()),
                _ => {
                    let told = self.visitors.starting(at - FIRST);
                    PollFd::new(told.unwrap_or(self.monitor), PollFlags::IN)
                }
            });
            let count = FIRST + self.visitors.count_starting();
            match poll(&mut fds[..count], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return 1,
            }
            let is_ready = |at: usize| !fds[at].revents().is_empty();
            let ready = [is_ready(0), is_ready(1), self.filter.is_some() && is_ready(2)];
            if (FIRST..count).any(is_ready) {
                self.visitors.hear(self.monitor);
            }
            // The monitor is gone: so is the sandbox.
            if ready[1] && self.obey().is_err() {
                return 1;
            }
            if ready[2] {
                // Nobody stands before the buses any more.
                send(self.monitor.as_fd(), Message::FilterGone);
                return 1;
            }
            if ready[0] && !self.reap() {
                return 0;
            }
        }
    }

    /// Takes what the monitor asks for.
    fn obey(&mut self) -> Result<(), Errno> {
        match Packet::receive(self.monitor.as_fd()) {
            Ok(packet) => match packet.order() {
                Some(Order::Signal(number)) => deliver(self.application, number),
                Some(Order::SignalVisitor { visitor, signal }) => {
                    self.visitors.signal(visitor, signal, self.monitor);
                }
                Some(Order::Enter(visit)) => {
                    self.visitors.start(self.frozen, self.before, &visit, self.monitor);
                }
                None => {}
            },
            Err(Errno::AGAIN | Errno::INTR | Errno::MSGSIZE) => {}
            Err(errno) => return Err(errno),
        }
        Ok(())
    }

    /// Takes what became of children; false when none is left.
    fn reap(&mut self) -> bool {
        while signal::receive(self.children).is_some() {}
        loop {
            match process::next_change(false) {
                Ok(Some((pid, change))) if pid == self.application => {
                    handshake::send(self.monitor.as_fd(), told(change));
                    if matches!(change, Change::Exited(_) | Change::Killed(_)) {
                        // The id may be given anew, and then names another.
                        self.application = 0;
                    }
                }
                Ok(Some((pid, change))) => {
                    if let Some(message) = self.visitors.note(pid, change, self.monitor) {
                        handshake::send(self.monitor.as_fd(), message);
                    }
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }
}

fn told(change: Change) -> Message {
    match change {
        Change::Exited(status) => Message::Exited(status),
        Change::Killed(signal) => Message::Killed(signal),
        Change::Stopped(signal) => Message::Stopped(signal),
        Change::Continued => Message::Continued,
    }
}

/// Sends one process a signal.
pub fn deliver(application: i32, number: i32) {
    let pid = rustix::process::Pid::from_raw(application);
    let signal = rustix::process::Signal::from_named_raw(number);
    if let (Some(pid), Some(signal)) = (pid, signal) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}
