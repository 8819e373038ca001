//! Further processes that init starts in a running sandbox.
//!
//! They are forked by init like the application, and so have its namespaces,
//! its landlock domain, its filter and its lack of capabilities by
//! inheritance. Nothing of them is built anew, so nothing can be forgotten.
//!
//! Unlike the application they are started beside processes that may be
//! hostile, and that may stop a process of the same user for ever before it
//! has executed its program. So init does not wait for that: the child tells
//! by a pipe, which its program closes.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::PipeFlags;
use rustix::pty::OpenptFlags;

use crate::freeze::Frozen;
use crate::sys::process::{self, Change, Fork, StringArray};
use crate::sys::{Errno, fd};

use super::handshake::{Message, send, send_with};
use super::launch::Before;
use super::order::Visit;

/// How many there can be at a time.
pub const MOST: usize = 256;

/// What init knows of them.
#[derive(Default)]
pub struct Visitors {
    starting: Vec<Starting>,
    /// Process id inside, and the visitor.
    running: Vec<(i32, u32)>,
}

/// One whose program is not executed yet.
struct Starting {
    pid: i32,
    visitor: u32,
    /// Where it says why its program was refused; its end means that it runs.
    told: OwnedFd,
    /// The master of its terminal.
    master: Option<OwnedFd>,
}

impl Visitors {
    /// Starts one. What comes of it is told to the monitor.
    pub fn start(&mut self, frozen: &Frozen, before: Before, visit: &Visit, monitor: &OwnedFd) {
        let visitor = visit.visitor;
        let started = match frozen.in_place {
            // Each application's process is in a landlock domain of its own
            // there, which cannot be joined.
            Some(_) => Err(Errno::OPNOTSUPP),
            None if self.running.len() + self.starting.len() >= MOST => Err(Errno::AGAIN),
            None => start(frozen, before, visit),
        };
        match started {
            Ok(starting) => self.starting.push(starting),
            Err(errno) => send(monitor.as_fd(), Message::NotEntered(visitor, errno)),
        }
    }

    /// How many are starting.
    pub fn count_starting(&self) -> usize {
        self.starting.len()
    }

    /// What is to be watched for reading, for [`Visitors::hear`].
    pub fn starting(&self, at: usize) -> Option<&OwnedFd> {
        self.starting.get(at).map(|starting| &starting.told)
    }

    /// Takes what those say that are starting, and tells the monitor; with a
    /// terminal, its master goes along.
    pub fn hear(&mut self, monitor: &OwnedFd) {
        for starting in std::mem::take(&mut self.starting) {
            let mut word = [0; 4];
            match rustix::io::read(&starting.told, &mut word) {
                Err(Errno::AGAIN | Errno::INTR) => self.starting.push(starting),
                Ok(4) => {
                    let errno = Errno::from_raw_os_error(i32::from_ne_bytes(word));
                    send(monitor.as_fd(), Message::NotEntered(starting.visitor, errno));
                }
                Ok(_) | Err(_) => {
                    self.running.push((starting.pid, starting.visitor));
                    let entered = Message::Entered(starting.visitor);
                    send_with(monitor.as_fd(), entered, starting.master.as_ref());
                }
            }
        }
    }

    /// Sends one a signal.
    pub fn signal(&mut self, visitor: u32, number: i32, monitor: &OwnedFd) {
        // What has been executed meanwhile is heard of first.
        self.hear(monitor);
        for (pid, _) in self.running.iter().filter(|(_, other)| *other == visitor) {
            super::init::deliver(*pid, number);
            if number == libc::SIGHUP {
                // As the kernel does where a terminal goes away: one that is
                // stopped would else not hear of it.
                super::init::deliver(*pid, libc::SIGCONT);
            }
        }
        // One that has been stopped before its program runs hears nothing else.
        let ends = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM].contains(&number);
        for starting in self.starting.iter().filter(|starting| starting.visitor == visitor) {
            super::init::deliver(starting.pid, if ends { libc::SIGKILL } else { number });
        }
    }

    /// Notes what became of a process; gives what the monitor is to be told if
    /// it is one of these.
    pub fn note(&mut self, pid: i32, change: Change, monitor: &OwnedFd) -> Option<Message> {
        // One may be gone before it was heard that it runs.
        if self.starting.iter().any(|starting| starting.pid == pid) {
            self.hear(monitor);
        }
        let at = self.running.iter().position(|(running, _)| *running == pid)?;
        let (_, visitor) = self.running[at];
        let message = match change {
            Change::Exited(status) => Message::Left(visitor, status),
            Change::Killed(signal) => Message::Left(visitor, 128 + signal),
            Change::Stopped(_) | Change::Continued => return None,
        };
        self.running.swap_remove(at);
        Some(message)
    }
}

/// Everything that the child needs, made before it is.
struct Ready {
    programs: Vec<CString>,
    arguments: StringArray,
    environment: StringArray,
    folder: CString,
}

fn start(frozen: &Frozen, before: Before, visit: &Visit) -> Result<Starting, Errno> {
    let environment = frozen.environment.with(c"TERM", &visit.term);
    let ready = Ready {
        programs: programs(&visit.arguments[0], environment.get(c"PATH")),
        arguments: StringArray::new(visit.arguments.clone()),
        environment,
        folder: if visit.folder.is_empty() { frozen.cwd.clone() } else { visit.folder.clone() },
    };
    let (streams, master) = match visit.terminal {
        None => {
            let [input, output, errors] = &visit.streams[..] else { return Err(Errno::INVAL) };
            ([above(input)?, above(output)?, above(errors)?], None)
        }
        Some((rows, columns)) => {
            let (master, slave) = terminal(rows, columns)?;
            ([above(&slave)?, above(&slave)?, above(&slave)?], Some(master))
        }
    };
    let (told, tells) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let tells = above(&tells)?;
    match fork()? {
        Fork::Child => {
            let refused =
                become_visitor(frozen, before, &ready, &streams, master.is_some(), &tells);
            let _ = rustix::io::write(&tells, &refused.raw_os_error().to_ne_bytes());
            process::exit_now(127)
        }
        Fork::Parent { pid, .. } => Ok(Starting { pid, visitor: visit.visitor, told, master }),
    }
}

/// A copy of init: one that shared its memory would have to be waited for.
fn fork() -> Result<Fork, Errno> {
    match process::fork() {
        // What the sandbox's own filter answers.
        Err(Errno::NOSYS) => process::clone_into_by_registers(None),
        other => other,
    }
}

/// The same with a number above those of the standard streams, which init has
/// free and the kernel therefore gives first.
fn above(fd: &OwnedFd) -> Result<OwnedFd, Errno> {
    rustix::io::fcntl_dupfd_cloexec(fd, 3)
}

/// A terminal of the sandbox's own: its master, and the end for the process.
fn terminal(rows: u16, columns: u16) -> Result<(OwnedFd, OwnedFd), Errno> {
    let master =
        rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::unlockpt(&master)?;
    let size =
        rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    rustix::termios::tcsetwinsize(&master, size)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
    Ok((master, slave))
}

/// Where a program may lie: the path itself, or its name in each folder of
/// `PATH`.
fn programs(name: &CStr, path: Option<&CStr>) -> Vec<CString> {
    let name = name.to_bytes();
    if name.contains(&b'/') {
        return CString::new(name).into_iter().collect();
    }
    let folders = path.map_or(&b"/usr/bin:/bin"[..], CStr::to_bytes);
    folders
        .split(|byte| *byte == b':')
        .filter(|folder| folder.starts_with(b"/"))
        .filter_map(|folder| CString::new([folder, b"/", name].concat()).ok())
        .collect()
}

/// Execs the program; comes back only with the reason why it could not.
fn become_visitor(
    frozen: &Frozen,
    before: Before,
    ready: &Ready,
    streams: &[OwnedFd; 3],
    has_terminal: bool,
    tells: &OwnedFd,
) -> Errno {
    match prepare(frozen, before, ready, streams, has_terminal, tells) {
        Err(errno) => errno,
        Ok(()) => {
            let mut refused = Errno::NOENT;
            for program in &ready.programs {
                match process::execute(program, &ready.arguments, &ready.environment) {
                    Errno::NOENT | Errno::NOTDIR => {}
                    errno @ Errno::ACCESS => refused = errno,
                    errno => return errno,
                }
            }
            refused
        }
    }
}

fn prepare(
    frozen: &Frozen,
    before: Before,
    ready: &Ready,
    streams: &[OwnedFd; 3],
    has_terminal: bool,
    tells: &OwnedFd,
) -> Result<(), Errno> {
    // In a session of its own it has no terminal but the one that it is given.
    rustix::process::setsid()?;
    fd::stand_for_streams(streams.each_ref().map(AsFd::as_fd))?;
    if has_terminal {
        rustix::process::ioctl_tiocsctty(&streams[0])?;
    }
    super::init::restore_signals(before)?;
    if rustix::process::chdir(&ready.folder).is_err() {
        rustix::process::chdir(&frozen.home)?;
    }
    // This one goes when the program is executed.
    fd::close_all_but(3, &[tells.as_fd()])?;
    super::init::limit(&frozen.limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_for_where_path_says() {
        let found = |name: &CStr, path: Option<&CStr>| {
            let all = programs(name, path);
            all.iter().map(|path| path.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found(c"sh", Some(c"/usr/bin::here:/bin")), ["/usr/bin/sh", "/bin/sh"]);
        assert_eq!(found(c"./x", Some(c"/bin")), ["./x"]);
        assert_eq!(found(c"sh", None), ["/usr/bin/sh", "/bin/sh"]);
    }
}
