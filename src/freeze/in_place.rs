//! What a sandbox without namespaces takes beside its filter: a second
//! landlock domain for the application, entries of /proc that have to stay
//! open, and a connection to the compositor.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::host::HostFs;
use crate::model::barrier::Barriers;
use crate::model::path::AbsPath;
use crate::model::plan::Plan;
use crate::report::{Code, Diagnostic};
use crate::sys::Errno;

use super::Here;
use super::landlock::{self, FrozenLandlock};
use super::tree::{Witnesses, relative};

/// `PROC_SUPER_MAGIC` of `linux/magic.h`.
const PROC_MAGIC: i64 = 0x9fa0;

/// As many entries of /proc can be kept open at most, the application's own
/// among them.
pub const MOST_PINS: usize = 32;

// Beside them init keeps three.
const _: () = assert!(MOST_PINS + 3 <= crate::sys::fd::MOST_KEPT);

/// What there is in place of namespaces.
pub struct InPlace {
    /// The application's own domain, within init's.
    pub application: FrozenLandlock,
    /// The host's /proc.
    pub proc: OwnedFd,
    /// Things of /proc that rules hang on. Closed, they could fall out of the
    /// kernel's cache, and their rules with them.
    pub pins: Vec<OwnedFd>,
    connection: Option<OwnedFd>,
}

impl InPlace {
    /// The number on which the compositor's connection is open.
    pub fn connection(&self) -> Option<i32> {
        self.connection.as_ref().map(AsRawFd::as_raw_fd)
    }
}

/// Readies it; gives init's domain too.
///
/// # Errors
/// Where something is lacking without which the application would be less
/// confined than the plan says.
pub fn freeze(
    plan: &Plan,
    fs: &HostFs,
    witnesses: Witnesses<'_>,
    here: &Here<'_>,
) -> Result<(FrozenLandlock, InPlace), Diagnostic> {
    // Each barrier is the only one here: signals to the whole sandbox, for one,
    // are safe by landlock alone.
    if here.without != Barriers::NONE {
        let text = "no barrier can be left out where there are no namespaces";
        return Err(Diagnostic::error(Code::Usage, text));
    }
    // A rule on something else would let through what nobody granted.
    let proc = crate::sys::path::open_object(fs.root_fd(), c"proc")
        .and_then(|proc| match rustix::fs::fstatfs(&proc)?.f_type as i64 {
            PROC_MAGIC => Ok(proc),
            _ => Err(Errno::NOTDIR),
        })
        .map_err(|errno| {
            Diagnostic::error(Code::HostProc, "/proc is no proc file system").because(errno)
        })?;
    let governs_sockets =
        plan.syscalls.unseparated.is_some_and(|unseparated| unseparated.unix_sockets);
    if !governs_sockets {
        super::streams::refuse_loose()?;
    }
    let (init, application) =
        landlock::freeze_both(&plan.landlock, &witnesses, here.landlock_abi, proc.as_fd())?;
    let pins: Vec<OwnedFd> = witnesses
        .into_iter()
        .filter(|(path, _)| path.elements().next() == Some("proc"))
        .map(|(_, witness)| witness)
        .collect();
    if pins.len() + application.own_process.len() > MOST_PINS {
        return Err(Diagnostic::error(Code::Bug, "too many entries of /proc are to be kept open"));
    }
    let connection = plan.process.compositor.as_ref().map(|socket| connect(fs, socket));
    let connection = connection.transpose()?;
    Ok((init, InPlace { application, proc, pins, connection }))
}

/// Connects to a compositor. The socket is opened first, with no link on the
/// way, and connected to as what was opened.
fn connect(fs: &HostFs, socket: &AbsPath) -> Result<OwnedFd, Diagnostic> {
    let connected = || -> Result<OwnedFd, Errno> {
        let object = crate::sys::path::open_object(
            fs.root_fd(),
            &relative(socket).map_err(|_| Errno::INVAL)?,
        )?;
        let name = SocketAddrUnix::new(format!("/proc/self/fd/{}", object.as_raw_fd()))?;
        // Not closed at exec: the application gets it by its number.
        let ours = rustix::net::socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::empty(),
            None,
        )?;
        rustix::net::connect(&ours, &name)?;
        Ok(ours)
    };
    connected().map_err(|errno| {
        Diagnostic::error(
            Code::DisplayUnreachable,
            format!("cannot connect to the compositor at {socket}"),
        )
        .because(errno)
    })
}
