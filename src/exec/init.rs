//! Pid 1 of a sandbox: starts the application, reaps what is orphaned to it,
//! tells the monitor what becomes of the application, and ends when nothing
//! is left. It is confined like the application and deaf to signals from
//! inside, as every pid 1 without handlers is.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};

use crate::freeze::Frozen;
use crate::model::barrier::Barrier;
use crate::sys::process::{self, Change};
use crate::sys::{Errno, fd, signal};

use super::handshake::{self, Failure, Mark, Message, Phase, receive_signal, send};
use super::in_place;
use super::launch::Before;

/// Signals whose default action is restored for the application; the
/// launcher's runtime and monitor had changed them.
const TOUCHED: [i32; 2] = [libc::SIGPIPE, libc::SIGCHLD];

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
    // What init keeps open would stay open for whoever reads or writes at the
    // other end; and what the launcher had open, the host's root among it, is
    // of no use to a process that lives as long as the sandbox.
    let borrowed =
        [Some(monitor.as_fd()), Some(children.as_fd()), filter.as_ref().map(AsFd::as_fd)];
    in_place::close_the_rest(frozen.in_place.as_ref(), application, borrowed);
    send(monitor.as_fd(), Message::Running);
    let status = attend(&monitor, &children, filter.as_ref(), application);
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
    for number in TOUCHED {
        signal::set_ignored(number, false);
    }
    rustix::process::umask(before.umask);
    if let Err(errno) = signal::set_mask(before.mask) {
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

/// Waits for children and for the monitor until nothing is left; gives the
/// status to end with.
fn attend(
    monitor: &OwnedFd,
    children: &OwnedFd,
    filter: Option<&OwnedFd>,
    application: i32,
) -> i32 {
    loop {
        let mut fds = [
            PollFd::new(children, PollFlags::IN),
            PollFd::new(monitor, PollFlags::IN),
            PollFd::new(filter.unwrap_or(monitor), PollFlags::empty()),
        ];
        let count = if filter.is_some() { 3 } else { 2 };
        match poll(&mut fds[..count], None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return 1,
        }
        if !fds[1].revents().is_empty() {
            match receive_signal(monitor.as_fd()) {
                Ok(Some(number)) => deliver(application, number),
                Ok(None) | Err(Errno::AGAIN | Errno::INTR) => {}
                // The monitor is gone: so is the sandbox.
                Err(_) => return 1,
            }
        }
        if count == 3 && !fds[2].revents().is_empty() {
            // Nobody stands before the buses any more.
            send(monitor.as_fd(), Message::FilterGone);
            return 1;
        }
        if !fds[0].revents().is_empty() {
            while signal::receive(children).is_some() {}
            loop {
                match process::next_change(false) {
                    Ok(Some((pid, change))) if pid == application => {
                        handshake::send(monitor.as_fd(), told(change));
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => return 0,
                }
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

fn deliver(application: i32, number: i32) {
    let pid = rustix::process::Pid::from_raw(application);
    let signal = rustix::process::Signal::from_named_raw(number);
    if let (Some(pid), Some(signal)) = (pid, signal) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}
