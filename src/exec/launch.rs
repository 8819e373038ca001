//! The launcher's last act: one clone into all namespaces.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::Signal;

use crate::freeze::Frozen;
use crate::freeze::filter::FrozenFilter;
use crate::sys::process::{self, Fork, NewNamespaces, OwnArguments};
use crate::sys::{Errno, signal};

use super::control::Control;
use super::filter::{self, Observers};
use super::handshake::{self, Mark};
use super::monitor::{self, End, Start};
use super::stage;

/// What of the launcher's own state the application gets back.
#[derive(Clone, Copy)]
pub struct Before {
    /// The caller's file mode mask.
    pub umask: Mode,
    /// The caller's signal mask.
    pub mask: signal::Set,
}

/// A sandbox whose application runs.
pub struct Running {
    /// Init's id outside.
    pub init: i32,
    /// When the child was how far, where timings were asked for.
    pub marks: Vec<(Mark, u64)>,
    pidfd: OwnedFd,
    socket: OwnedFd,
    signals: OwnedFd,
    filter: Option<Filter>,
}

/// Why no sandbox runs.
pub enum NotRunning {
    /// The clone itself was refused.
    Clone(Errno),
    /// Something of the launcher's own could not be had.
    Launcher(Errno),
    /// The child could not build it, or not execute the program, or vanished.
    Start(Start),
}

/// A sandbox that is being built.
pub struct Building {
    /// Init's id outside.
    pub init: i32,
    pidfd: OwnedFd,
    socket: OwnedFd,
    signals: OwnedFd,
    filter: Option<Filter>,
}

/// The process before the buses; ended and reaped with the value.
struct Filter {
    pidfd: OwnedFd,
}

impl Drop for Filter {
    fn drop(&mut self) {
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        reap(&self.pidfd);
    }
}

/// Waits for the end of a child.
fn reap(pidfd: &OwnedFd) {
    while let Err(Errno::INTR) = rustix::process::waitid(
        rustix::process::WaitId::PidFd(pidfd.as_fd()),
        rustix::process::WaitIdOptions::EXITED,
    ) {}
}

/// The two ends of a socket between two of our processes.
fn pair() -> Result<(OwnedFd, OwnedFd), NotRunning> {
    rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .map_err(NotRunning::Launcher)
}

fn fork(namespaces: Option<NewNamespaces>) -> Result<Fork, Errno> {
    match process::clone_into(namespaces) {
        Err(Errno::NOSYS) => process::clone_into_by_registers(namespaces),
        other => other,
    }
}

/// Starts the process before the buses; gives it and the sandbox's end of the
/// socket to it.
fn start_filter(
    frozen: &Frozen,
    plan: &FrozenFilter,
    arguments: OwnArguments,
    observers: Observers<'_>,
) -> Result<(Filter, OwnedFd), NotRunning> {
    let (for_sandbox, for_filter) = pair()?;
    match fork(Some(plan.namespaces)) {
        Ok(Fork::Child) => {
            drop(for_sandbox);
            arguments.replace(b"pinfold-bus");
            filter::run(frozen, plan, &for_filter, observers)
        }
        Ok(Fork::Parent { pidfd, .. }) => Ok((Filter { pidfd }, for_sandbox)),
        Err(errno) => Err(NotRunning::Clone(errno)),
    }
}

/// Clones, and lets the child build. The parent comes back at once, so that
/// it can do what is left to it while the child works.
///
/// # Errors
/// When no child could be made.
pub fn start(frozen: &Frozen, observers: Observers<'_>) -> Result<Building, NotRunning> {
    let signals = signal::descriptor(monitor::HELD).map_err(NotRunning::Launcher)?;
    let mask = signal::set_mask(monitor::HELD).map_err(NotRunning::Launcher)?;
    let umask = rustix::process::umask(Mode::from_raw_mode(0o077));
    let arguments = OwnArguments::find();
    let restored = |why| {
        let _ = signal::set_mask(mask);
        why
    };
    let (filter, to_filter) = match &frozen.bus {
        None => (None, None),
        Some(plan) => {
            let (filter, socket) =
                start_filter(frozen, plan, arguments, observers).map_err(restored)?;
            (Some(filter), Some(socket))
        }
    };
    let (ours, theirs) = pair().map_err(restored)?;
    match fork(frozen.namespaces) {
        Ok(Fork::Child) => {
            drop(ours);
            // The copy is not ours to end what it names.
            std::mem::forget(filter);
            // The application sees this process as pid 1, and its arguments.
            arguments.replace(b"pinfold-init");
            stage::run(frozen, theirs, to_filter, Before { umask, mask })
        }
        Ok(Fork::Parent { pid, pidfd }) => {
            Ok(Building { init: pid, pidfd, socket: ours, signals, filter })
        }
        Err(errno) => Err(restored(NotRunning::Clone(errno))),
    }
}

impl Building {
    /// Gives up; the application has not been run. Tells what the child has
    /// failed at, if it has.
    pub fn give_up(self) -> Option<NotRunning> {
        let said = monitor::failure_so_far(&self.socket);
        // Without its monitor the child ends by itself.
        drop(self.socket);
        reap(&self.pidfd);
        said.map(NotRunning::Start)
    }

    /// Waits until the application runs. What the portals are to know of it
    /// has been noted by now.
    ///
    /// # Errors
    /// When it does not.
    pub fn finish(self) -> Result<Running, NotRunning> {
        let mut marks = Vec::new();
        handshake::send_go(self.socket.as_fd());
        match monitor::await_start(&self.socket, &mut marks) {
            Start::Running => Ok(Running {
                init: self.init,
                marks,
                pidfd: self.pidfd,
                socket: self.socket,
                signals: self.signals,
                filter: self.filter,
            }),
            other => {
                reap(&self.pidfd);
                Err(NotRunning::Start(other))
            }
        }
    }
}

impl Running {
    /// Stays until the sandbox is gone. `door` is where commands about it
    /// connect, `timeout` after what time it is ended.
    pub fn attend(self, door: Option<OwnedFd>, timeout: Option<Duration>) -> End {
        // The application has its own; held open here, they would keep
        // whoever is at the other end of a pipe waiting.
        let _ = crate::sys::fd::close_range(0, 1);
        // An init that does not read must not hold up whoever has to end it.
        let _ = rustix::io::ioctl_fionbio(&self.socket, true);
        let end =
            monitor::attend(&self.socket, &self.signals, &self.pidfd, Control::new(door), timeout);
        drop(self.filter);
        end
    }
}
