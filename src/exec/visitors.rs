//! Further processes that init starts in a running sandbox.
//!
//! They are forked by init like the application, and so have its namespaces,
//! its landlock domain, its filter and its lack of capabilities by
//! inheritance. Nothing of them is built anew, so nothing can be forgotten.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use rustix::pty::OpenptFlags;

use crate::freeze::Frozen;
use crate::sys::process::{self, Change, StringArray};
use crate::sys::{Errno, fd};

use super::handshake::{Message, send_with};
use super::launch::Before;
use super::order::Visit;

/// How many there can be at a time.
const MOST: usize = 256;

/// What init knows of them.
#[derive(Default)]
pub struct Visitors {
    /// Process id inside, and the visitor.
    running: Vec<(i32, u32)>,
}

impl Visitors {
    /// Starts one, and tells the monitor what came of it. With a terminal, its
    /// master goes along.
    pub fn start(&mut self, frozen: &Frozen, before: Before, visit: &Visit, monitor: &OwnedFd) {
        let visitor = visit.visitor;
        let started = match frozen.in_place {
            // Each application's process is in a landlock domain of its own
            // there, which cannot be joined.
            Some(_) => Err(Errno::OPNOTSUPP),
            None if self.running.len() >= MOST => Err(Errno::AGAIN),
            None => start(frozen, before, visit),
        };
        match started {
            Ok((pid, master)) => {
                self.running.push((pid, visitor));
                send_with(monitor.as_fd(), Message::Entered(visitor), master.as_ref());
            }
            Err(errno) => send_with(monitor.as_fd(), Message::NotEntered(visitor, errno), None),
        }
    }

    /// Sends one a signal.
    pub fn signal(&self, visitor: u32, number: i32) {
        for (pid, _) in self.running.iter().filter(|(_, other)| *other == visitor) {
            super::init::deliver(*pid, number);
        }
    }

    /// Notes what became of a process; gives what the monitor is to be told if
    /// it is one of these.
    pub fn note(&mut self, pid: i32, change: Change) -> Option<Message> {
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

fn start(frozen: &Frozen, before: Before, visit: &Visit) -> Result<(i32, Option<OwnedFd>), Errno> {
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
    let mut refused = None;
    let pid = process::start_sharing(&mut || {
        refused = Some(become_visitor(frozen, before, &ready, &streams, master.is_some()));
        127
    })?;
    match refused {
        None => Ok((pid, master)),
        Some(errno) => Err(errno),
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

/// Execs the program; comes back only with the reason why it could not. Runs
/// in a child that shares init's memory: it allocates nothing.
fn become_visitor(
    frozen: &Frozen,
    before: Before,
    ready: &Ready,
    streams: &[OwnedFd; 3],
    has_terminal: bool,
) -> Errno {
    match prepare(frozen, before, ready, streams, has_terminal) {
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
    fd::close_from(3)?;
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
