//! The child of a sandbox without namespaces: nothing is built, and what is
//! left of a stage and an init without namespaces is done here.
//!
//! Three things that a pid namespace gives are made up for:
//!
//! - *The sandbox ends as a whole.* Init takes in what is orphaned in the
//!   sandbox (`PR_SET_CHILD_SUBREAPER`), and when the monitor has gone it
//!   sends one signal to all processes in its reach, which landlock has made
//!   those of the sandbox. That this holds is tried on the monitor first. For
//!   the same reason no signal of the kernel's ends init with its monitor, as
//!   it does in a pid namespace: there would be nobody left to end the rest.
//! - *Init is out of the application's reach.* The application is in a domain
//!   of its own within init's, and landlock lets signals and traces go inwards
//!   only.
//! - *Init hears no signals*, of the terminal or of anybody: it holds all of
//!   them back.
//!
//! Whoever ends init from outside with SIGKILL ends the application with it
//! (`PR_SET_PDEATHSIG`), but not what the application has started.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use crate::freeze::Frozen;
use crate::freeze::in_place::{InPlace, MOST_PINS};
use crate::sys::{Errno, confine, fd, process};

use super::handshake::{In, Mark, Outcome, Phase, await_go};
use super::stage::{enter_folder, is_hung_up, mark};
use super::tree::write_own;

/// Confines this process, which then is init.
///
/// # Errors
/// What could not be done.
pub fn confine(frozen: &Frozen, monitor: BorrowedFd<'_>) -> Outcome {
    mark(frozen, monitor, Mark::Born);
    enter_folder(frozen).during(Phase::WorkingFolder)?;
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own)).during(Phase::Lifeline)?;
    if let (Some(line), Some(place)) = (&frozen.oom_score, &frozen.in_place) {
        write_own(place.proc.as_fd(), c"self/oom_score_adj", line).during(Phase::Limits)?;
    }
    confine::new_session_keyring().during(Phase::Keyring)?;
    confine::drop_own_capabilities().during(Phase::Capabilities)?;
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .during(Phase::Capabilities)?;
    await_go(monitor).during(Phase::Lifeline)?;
    mark(frozen, monitor, Mark::Dropped);
    rustix::thread::set_no_new_privs(true).during(Phase::NoNewPrivileges)?;
    // All that is said about files rests on it here.
    let Some(landlock) = &frozen.landlock else {
        return Err(Errno::OPNOTSUPP).during(Phase::Landlock);
    };
    confine::landlock_enter(landlock.ruleset.as_fd()).during(Phase::Landlock)?;
    is_scoped(monitor).during(Phase::Landlock)?;
    confine::load_filter(&frozen.filter).during(Phase::Filter)?;
    mark(frozen, monitor, Mark::Confined);
    Ok(())
}

/// Checks that landlock keeps signals inside: the monitor, whose user is the
/// same, is out of reach. That it lives is seen afterwards, so that it was the
/// monitor that was asked about.
fn is_scoped(monitor: BorrowedFd<'_>) -> Result<(), Errno> {
    let Some(parent) = rustix::process::getppid() else { return Err(Errno::SRCH) };
    match rustix::process::test_kill_process(parent) {
        Err(Errno::PERM) if !is_hung_up(monitor) => Ok(()),
        Err(Errno::PERM) => Err(Errno::PIPE),
        Err(errno) => Err(errno),
        Ok(()) => Err(Errno::NOSYS),
    }
}

/// Puts the application's process, which is about to execute it, into its own
/// domain.
///
/// # Errors
/// What could not be done.
pub fn enter_own(place: &InPlace) -> Result<(), Errno> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let ruleset = place.application.ruleset.as_fd();
    let own = open(place.proc.as_fd(), c"self", OFlags::DIRECTORY)?;
    for (name, rights) in &place.application.own_process {
        match open(own.as_fd(), name, OFlags::NOFOLLOW) {
            Ok(entry) => confine::landlock_allow(ruleset, entry.as_fd(), *rights)?,
            // A kernel may be built without some of them.
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    confine::landlock_enter(ruleset)
}

/// Closes all of init's descriptors but those that it needs and those that
/// keep what rules hang on as it is. The application has executed by now and
/// its names are in the kernel's cache; where one is not there any more, the
/// rule on it is lost and its file is shut.
pub fn close_the_rest(
    place: Option<&InPlace>,
    application: i32,
    needed: [Option<BorrowedFd<'_>>; 3],
) {
    let mut own = [const { None::<OwnedFd> }; MOST_PINS];
    if let Some(place) = place {
        open_own(place, application, &mut own);
    }
    let pins = place.map_or(&[][..], |place| &place.pins).iter().map(AsFd::as_fd);
    let all = needed.into_iter().flatten().chain(pins);
    let mut all = all.chain(own.iter().flatten().map(AsFd::as_fd));
    let Some(first) = all.next() else { return };
    let mut kept = [first; fd::MOST_KEPT];
    let mut count = 1;
    for (to, from) in kept[1..].iter_mut().zip(all) {
        *to = from;
        count += 1;
    }
    let _ = fd::close_all_but(0, &kept[..count]);
    // Open as long as init lives.
    std::mem::forget(own);
}

fn open_own(place: &InPlace, application: i32, own: &mut [Option<OwnedFd>]) {
    let mut name = [0; 12];
    let Some(name) = decimal(application, &mut name) else { return };
    let Ok(folder) = open(place.proc.as_fd(), name, OFlags::DIRECTORY) else { return };
    for ((entry, _), to) in place.application.own_process.iter().zip(own) {
        *to = open(folder.as_fd(), entry, OFlags::NOFOLLOW).ok();
    }
}

fn open(folder: BorrowedFd<'_>, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(folder, name, OFlags::PATH | OFlags::CLOEXEC | flags, Mode::empty())
}

/// A number as a name, without memory of its own.
fn decimal(number: i32, buffer: &mut [u8; 12]) -> Option<&CStr> {
    let mut rest = u32::try_from(number).ok()?;
    let mut at = buffer.len() - 1;
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    CStr::from_bytes_with_nul(&buffer[at..]).ok()
}

/// Ends everything else in the sandbox.
pub fn end_all(frozen: &Frozen) {
    // A pid namespace does it by itself when its init ends.
    if frozen.in_place.is_some() {
        process::kill_all_in_reach();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_names() {
        for number in [0, 7, 10, 4_194_304, i32::MAX] {
            let mut buffer = [0; 12];
            let name = decimal(number, &mut buffer).unwrap();
            assert_eq!(name.to_str().unwrap(), number.to_string());
        }
        assert_eq!(decimal(-1, &mut [0; 12]), None);
    }
}
