//! The launcher after the clone: waits for the sandbox to come up, passes
//! signals on, stops and goes on with the application, and ends with its
//! exit code.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, WaitId, WaitIdOptions};

use crate::report::ExitCode;
use crate::sys::{Errno, signal};

use super::control::{Control, Owner};
use super::handshake::{Failure, Mark, Message, receive, receive_with};
use super::order::Packet;

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

/// What the child has said of its failure so far, without waiting for more.
pub fn failure_so_far(socket: &OwnedFd) -> Option<Start> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        let mut fds = [PollFd::new(socket, PollFlags::IN)];
        if !poll(&mut fds, Some(&now)).is_ok_and(|count| count > 0) {
            return None;
        }
        match receive(socket.as_fd()) {
            Ok(Some(Message::Failed(failure))) => return Some(Start::Failed(failure)),
            Ok(Some(Message::FilterFailed(failure))) => return Some(Start::FilterFailed(failure)),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return None,
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
pub fn attend(
    socket: &OwnedFd,
    signals: &OwnedFd,
    init: &OwnedFd,
    mut control: Control,
    timeout: Option<Duration>,
) -> End {
    let mut clock = timeout.map(Clock::new);
    let mut end = None;
    let mut listening = true;
    loop {
        let left = clock.as_mut().and_then(|clock| clock.strike(socket, init));
        let (ready, owners) = match wait(socket, signals, init, &control, listening, left) {
            Ok(ready) => ready,
            Err(Errno::INTR) => continue,
            Err(_) => break,
        };
        if ready.socket {
            match receive_with(socket.as_fd()) {
                Ok((Some(Message::Exited(status)), _)) => end = Some(End::Exited(status)),
                Ok((Some(Message::Killed(signal)), _)) => end = Some(End::Killed(signal)),
                Ok((Some(Message::FilterGone), _)) => end = Some(End::FilterGone),
                Ok((Some(Message::Stopped(_)), _)) => stop_too(),
                Ok((Some(message), fd)) => control.tell(message, fd.as_ref()),
                Ok((None, _)) | Err(_) => listening = false,
            }
            // What the application did comes before what became of init.
            continue;
        }
        if ready.signals {
            while let Some(received) = signal::receive(signals) {
                pass_on(socket, received);
            }
        }
        for owner in owners {
            control.serve(owner, socket);
        }
        if ready.init {
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

/// How long an application has between a word and force.
const GRACE: Duration = Duration::from_secs(5);

/// The time that a sandbox has.
struct Clock {
    until: Instant,
    warned: bool,
}

impl Clock {
    fn new(timeout: Duration) -> Clock {
        Clock { until: Instant::now() + timeout, warned: false }
    }

    /// Does what the time asks for, and gives how long it is until it asks
    /// again; none when there is nothing more to do.
    fn strike(&mut self, socket: &OwnedFd, init: &OwnedFd) -> Option<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return Some(left);
        }
        if self.warned {
            let _ = rustix::process::pidfd_send_signal(init, Signal::KILL);
            return None;
        }
        self.warned = true;
        self.until = Instant::now() + GRACE;
        let _ = Packet::signal(libc::SIGTERM).send(socket.as_fd(), &[]);
        Some(GRACE)
    }
}

/// Which of the descriptors that are always there have something.
struct Ready {
    socket: bool,
    signals: bool,
    init: bool,
}

/// Waits until something is to be done.
fn wait(
    socket: &OwnedFd,
    signals: &OwnedFd,
    init: &OwnedFd,
    control: &Control,
    listening: bool,
    left: Option<Duration>,
) -> Result<(Ready, Vec<Owner>), Errno> {
    let visitors = control.descriptors();
    let always = [init, signals].into_iter();
    let heard = listening.then_some(socket).into_iter();
    let mut fds: Vec<PollFd<'_>> = always
        .chain(visitors.iter().map(|(_, fd)| *fd))
        .chain(heard)
        .map(|fd| PollFd::new(fd, PollFlags::IN))
        .collect();
    let left = left.map(|left| Timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: left.subsec_nanos().into(),
    });
    poll(&mut fds, left.as_ref())?;
    let is_ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
    let owners = visitors.iter().enumerate().filter(|(at, _)| is_ready(2 + at));
    let owners = owners.map(|(_, (owner, _))| *owner).collect();
    let last = 2 + visitors.len();
    let ready =
        Ready { init: is_ready(0), signals: is_ready(1), socket: listening && is_ready(last) };
    Ok((ready, owners))
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
        other => {
            let _ = Packet::signal(other).send(socket.as_fd(), &[]);
        }
    }
}
