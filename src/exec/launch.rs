//! The launcher's last act: one clone into all namespaces.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::freeze::Frozen;
use crate::sys::process::{self, Fork};
use crate::sys::{Errno, signal};

use super::handshake::Mark;
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
}

/// Clones, and lets the child build. The parent comes back at once, so that
/// it can do what is left to it while the child works.
///
/// # Errors
/// When no child could be made.
pub fn start(frozen: &Frozen) -> Result<Building, NotRunning> {
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(NotRunning::Launcher)?;
    let signals = signal::descriptor(monitor::HELD).map_err(NotRunning::Launcher)?;
    let mask = signal::set_mask(monitor::HELD).map_err(NotRunning::Launcher)?;
    let umask = rustix::process::umask(Mode::from_raw_mode(0o077));
    let arguments = process::OwnArguments::find();
    let fork = match process::clone_into(frozen.namespaces) {
        Err(Errno::NOSYS) => process::clone_into_by_registers(frozen.namespaces),
        other => other,
    };
    match fork {
        Ok(Fork::Child) => {
            drop(ours);
            // The application sees this process as pid 1, and its arguments.
            arguments.replace(b"pinfold-init");
            stage::run(frozen, theirs, Before { umask, mask })
        }
        Ok(Fork::Parent { pid, pidfd }) => Ok(Building { init: pid, pidfd, socket: ours, signals }),
        Err(errno) => {
            let _ = signal::set_mask(mask);
            Err(NotRunning::Clone(errno))
        }
    }
}

impl Building {
    /// Waits until the application runs.
    ///
    /// # Errors
    /// When it does not.
    pub fn finish(self) -> Result<Running, NotRunning> {
        let mut marks = Vec::new();
        match monitor::await_start(&self.socket, &mut marks) {
            Start::Running => Ok(Running {
                init: self.init,
                marks,
                pidfd: self.pidfd,
                socket: self.socket,
                signals: self.signals,
            }),
            other => {
                let _ = rustix::process::waitid(
                    rustix::process::WaitId::PidFd(self.pidfd.as_fd()),
                    rustix::process::WaitIdOptions::EXITED,
                );
                Err(NotRunning::Start(other))
            }
        }
    }
}

impl Running {
    /// Stays until the sandbox is gone.
    pub fn attend(self) -> End {
        // The application has its own; held open here, they would keep
        // whoever is at the other end of a pipe waiting.
        let _ = crate::sys::fd::close_range(0, 1);
        monitor::attend(&self.socket, &self.signals, &self.pidfd)
    }
}
