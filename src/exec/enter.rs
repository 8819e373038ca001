//! The visitor's side of a further process in a running sandbox: hands over
//! its streams, or relays between its terminal and one in the sandbox, and
//! ends as the process does.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{OptionalActions, Termios};

use crate::sys::{Errno, signal};

use super::handshake::{Message, receive_with};
use super::order::Packet;

/// What a visitor hands on to its process.
const HELD: signal::Set = signal::Set::of(&[
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
]);

/// Why there is no process, or no more word of it.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// The program could not be started.
    #[error("cannot start it in the sandbox")]
    Refused(#[source] Errno),
    /// The sandbox ended meanwhile.
    #[error("the sandbox has ended")]
    Ended,
    /// Something on this side.
    #[error("cannot go on")]
    Own(#[source] Errno),
}

/// Starts a process by its monitor's socket and stays with it; gives its exit
/// status. With both input and output on a terminal it gets one of its own.
///
/// # Errors
/// Why there is none.
pub fn enter(socket: &OwnedFd, folder: &str, arguments: &[String]) -> Result<i32, EnterError> {
    let signals = signal::descriptor(HELD).map_err(EnterError::Own)?;
    signal::set_mask(HELD).map_err(EnterError::Own)?;
    let (input, output, errors) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let terminal = rustix::termios::isatty(&input) && rustix::termios::isatty(&output);
    let size = terminal.then(|| size(&output)).transpose().map_err(EnterError::Own)?;
    let term = if terminal { std::env::var("TERM").unwrap_or_default() } else { String::new() };
    let packet = Packet::enter(size, &term, folder, arguments);
    let streams = [input.as_fd(), output.as_fd(), errors.as_fd()];
    let streams = if terminal { &[][..] } else { &streams[..] };
    packet.send(socket.as_fd(), streams).map_err(EnterError::Own)?;
    let master = match first_word(socket, &signals)? {
        (Some(Message::Entered(_)), master) => master,
        (Some(Message::NotEntered(_, errno)), _) => return Err(EnterError::Refused(errno)),
        _ => return Err(EnterError::Ended),
    };
    let _raw = master.as_ref().map(|_| Raw::set()).transpose().map_err(EnterError::Own)?;
    if let Some(master) = &master {
        rustix::io::ioctl_fionbio(master, true).map_err(EnterError::Own)?;
    }
    Visit { socket, signals, master, input_open: true, typed: Vec::new() }.relay()
}

/// What the monitor says of the start.
fn first_word(
    socket: &OwnedFd,
    signals: &OwnedFd,
) -> Result<(Option<Message>, Option<OwnedFd>), EnterError> {
    loop {
        await_word(socket, signals)?;
        match receive_with(socket.as_fd()).map_err(EnterError::Own)? {
            // A signal has been handed on.
            (Some(Message::Taken), _) => {}
            word => return Ok(word),
        }
    }
}

/// Waits until the monitor says something, and hands signals on meanwhile:
/// a program may be held up before it runs, or run before that is told.
fn await_word(socket: &OwnedFd, signals: &OwnedFd) -> Result<(), EnterError> {
    loop {
        let mut fds = [PollFd::new(socket, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(EnterError::Own(errno)),
        }
        if !fds[0].revents().is_empty() {
            return Ok(());
        }
        while let Some(received) = signal::receive(signals) {
            if received.signal != libc::SIGWINCH {
                let _ = Packet::signal_visitor(received.signal).send(socket.as_fd(), &[]);
            }
        }
    }
}

fn size(fd: impl AsFd) -> Result<(u16, u16), Errno> {
    rustix::termios::tcgetwinsize(fd).map(|size| (size.ws_row, size.ws_col))
}

/// The visitor's terminal in raw mode; as it was before when the value goes.
struct Raw {
    before: Termios,
}

impl Raw {
    fn set() -> Result<Raw, Errno> {
        let input = std::io::stdin();
        let before = rustix::termios::tcgetattr(&input)?;
        let mut raw = before.clone();
        raw.make_raw();
        rustix::termios::tcsetattr(&input, OptionalActions::Drain, &raw)?;
        Ok(Raw { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(std::io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// A process that runs.
struct Visit<'a> {
    socket: &'a OwnedFd,
    signals: OwnedFd,
    master: Option<OwnedFd>,
    input_open: bool,
    /// What has been typed and is not taken yet.
    typed: Vec<u8>,
}

impl Visit<'_> {
    fn relay(&mut self) -> Result<i32, EnterError> {
        let mut left = None;
        loop {
            let input = std::io::stdin();
            let mut fds = vec![
                PollFd::new(self.socket, PollFlags::IN),
                PollFd::new(&self.signals, PollFlags::IN),
            ];
            if left.is_some() {
                fds.clear();
            }
            let always = fds.len();
            if let Some(master) = &self.master {
                let mut wanted = PollFlags::IN;
                wanted.set(PollFlags::OUT, !self.typed.is_empty());
                fds.push(PollFd::new(master, wanted));
                if self.input_open && self.typed.is_empty() && left.is_none() {
                    fds.push(PollFd::new(&input, PollFlags::IN));
                }
            }
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(EnterError::Own(errno)),
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            let is_ready = |at: usize| ready.get(at).copied().unwrap_or(false);
            drop(fds);
            if is_ready(always) {
                self.hands_on();
                if !self.shows() {
                    self.master = None;
                }
            }
            if is_ready(always + 1) {
                self.types(&input);
            }
            if always > 0 && is_ready(1) {
                self.passes_signals();
            }
            if always > 0 && is_ready(0) {
                match receive_with(self.socket.as_fd()) {
                    Ok((Some(Message::Left(_, status)), _)) => left = Some(status),
                    Ok((Some(_), _)) => {}
                    Ok((None, _)) | Err(_) => return Err(EnterError::Ended),
                }
            }
            // What it has said last is still shown.
            match (left, &self.master) {
                (Some(status), None) => return Ok(status),
                (Some(status), Some(_)) if !self.has_more() => return Ok(status),
                _ => {}
            }
        }
    }

    /// Whether more waits to be shown. Something else may hold the terminal
    /// open for ever.
    fn has_more(&self) -> bool {
        let Some(master) = &self.master else { return false };
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut fds = [PollFd::new(master, PollFlags::IN)];
        poll(&mut fds, Some(&now)).is_ok_and(|count| count > 0)
            && fds[0].revents().contains(PollFlags::IN)
    }

    /// From the sandbox's terminal to ours; false at its end.
    fn shows(&self) -> bool {
        let Some(master) = &self.master else { return false };
        let mut buffer = [0; 4096];
        match rustix::io::read(master, &mut buffer) {
            Ok(0) => false,
            Ok(length) => write_all(std::io::stdout(), &buffer[..length]).is_ok(),
            Err(Errno::INTR | Errno::AGAIN) => true,
            // How a terminal tells that nobody has its other end.
            Err(_) => false,
        }
    }

    /// From our terminal to the sandbox's.
    fn types(&mut self, input: &std::io::Stdin) {
        let mut buffer = [0; 4096];
        match rustix::io::read(input, &mut buffer) {
            Ok(length) if length > 0 => {
                self.typed.extend(&buffer[..length]);
                self.hands_on();
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Ok(_) | Err(_) => self.input_open = false,
        }
    }

    /// Hands on what has been typed, as far as it is taken: a program that
    /// reads nothing holds up neither what it shows nor signals.
    fn hands_on(&mut self) {
        let Some(master) = &self.master else { return };
        while !self.typed.is_empty() {
            match rustix::io::write(master, &self.typed) {
                Ok(written) => drop(self.typed.drain(..written)),
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    fn passes_signals(&self) {
        while let Some(received) = signal::receive(&self.signals) {
            if received.signal != libc::SIGWINCH {
                let _ = Packet::signal_visitor(received.signal).send(self.socket.as_fd(), &[]);
                continue;
            }
            if let (Some(master), Ok(size)) =
                (&self.master, rustix::termios::tcgetwinsize(std::io::stdout()))
            {
                let _ = rustix::termios::tcsetwinsize(master, size);
            }
        }
    }
}

fn write_all(to: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(&to, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
