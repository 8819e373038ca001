//! The launcher after the clone: waits for the sandbox to come up, passes
//! signals on, stops and goes on with the application, and ends with its
//! exit code.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, WaitId, WaitIdOptions};

use crate::report::ExitCode;
use crate::sys::{Errno, signal};

use super::handshake::{Failure, Mark, Message, receive, send_signal};

/// What the monitor takes in hand while a sandbox runs. INT and QUIT that a
/// terminal sends reach the application by themselves, as they go to the
/// whole process group; the stop signals are held so that the monitor stops
/// when, and only when, the application has.
pub const HELD: signal::Set = signal::Set::of(&[
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGCONT,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
]);

/// How a sandbox came up.
pub enum Start {
    /// The application runs.
    Running,
    /// It could not be built.
    Failed(Failure),
    /// The process before the buses could not be set up.
    FilterFailed(Failure),
    /// The program could not be executed.
    NotExecuted(Errno),
    /// The child ended without a word.
    Vanished,
}

/// Waits until the application runs or is known not to; keeps the marks that
/// come on the way.
pub fn await_start(socket: &OwnedFd, marks: &mut Vec<(Mark, u64)>) -> Start {
    loop {
        match receive(socket.as_fd()) {
            Ok(Some(Message::Mark(mark, time))) => marks.push((mark, time)),
            Ok(Some(Message::Running)) => return Start::Running,
            Ok(Some(Message::Failed(failure))) => return Start::Failed(failure),
            Ok(Some(Message::FilterFailed(failure))) => return Start::FilterFailed(failure),
            Ok(Some(Message::NotExecuted(errno))) => return Start::NotExecuted(errno),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return Start::Vanished,
        }
    }
}

/// How an application ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It exited with this status.
    Exited(i32),
    /// A signal ended it, or the whole sandbox.
    Killed(i32),
    /// The process before the buses ended, and the sandbox with it.
    FilterGone,
}

impl End {
    /// The code with which Pinfold ends.
    pub fn code(self) -> u8 {
        match self {
            End::Exited(status) => (status & 0xff) as u8,
            End::Killed(signal) => (128 + (signal & 0x7f)) as u8,
            End::FilterGone => ExitCode::Bug.number(),
        }
    }
}

/// Stays with a running sandbox until it is gone.
pub fn attend(socket: &OwnedFd, signals: &OwnedFd, init: &OwnedFd) -> End {
    let mut end = None;
    let mut listening = true;
    loop {
        let mut fds = [
            PollFd::new(init, PollFlags::IN),
            PollFd::new(signals, PollFlags::IN),
            PollFd::new(socket, PollFlags::IN),
        ];
        let count = if listening { 3 } else { 2 };
        match poll(&mut fds[..count], None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => break,
        }
        let ready = [0, 1, 2].map(|at: usize| at < count && !fds[at].revents().is_empty());
        if ready[2] {
            match receive(socket.as_fd()) {
                Ok(Some(Message::Exited(status))) => end = Some(End::Exited(status)),
                Ok(Some(Message::Killed(signal))) => end = Some(End::Killed(signal)),
                Ok(Some(Message::FilterGone)) => end = Some(End::FilterGone),
                Ok(Some(Message::Stopped(_))) => stop_too(),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => listening = false,
            }
            // What the application did comes before what became of init.
            continue;
        }
        if ready[1] {
            while let Some(received) = signal::receive(signals) {
                pass_on(socket, received);
            }
        }
        if ready[0] {
            break;
        }
    }
    let status = loop {
        match rustix::process::waitid(WaitId::PidFd(init.as_fd()), WaitIdOptions::EXITED) {
            Err(Errno::INTR) => {}
            other => break other,
        }
    };
    end.unwrap_or_else(|| match status {
        Ok(Some(status)) => match status.terminating_signal() {
            Some(signal) => End::Killed(signal),
            None => End::Exited(status.exit_status().unwrap_or(1)),
        },
        _ => End::Killed(libc::SIGKILL),
    })
}

/// Stops this process as the application was stopped, so that the shell
/// which started it sees a stopped job. Without a terminal there is nobody who
/// would let it go on: an application that stopped itself, and was let go on
/// from inside, would leave a monitor that never comes to its end.
fn stop_too() {
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::CLOEXEC;
    if rustix::fs::open(c"/dev/tty", flags, Mode::empty()).is_err() {
        return;
    }
    let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
}

fn pass_on(socket: &OwnedFd, received: signal::Received) {
    // What comes from the terminal's driver went to the application as well.
    const SI_KERNEL: i32 = 0x80;
    let is_terminals = received.code == SI_KERNEL;
    match received.signal {
        libc::SIGTTIN | libc::SIGTTOU => {}
        libc::SIGINT | libc::SIGQUIT | libc::SIGTSTP | libc::SIGHUP if is_terminals => {}
        other => send_signal(socket.as_fd(), other),
    }
}
