//! The process between the application and the buses.
//!
//! It is cloned from the launcher before the sandbox is, so that both are set
//! up at the same time, and it takes the sockets that the sandbox's child makes
//! for it. By then it is confined: it has a root of its own, in which there is
//! nothing but the sockets of the buses and the file by which portals know
//! whose sandbox this is; no capabilities; landlock; and a filter that kills it
//! for whatever it has no use for.
//!
//! Every connection to a bus is made by this process after that, because the
//! bus keeps the process id that the kernel noted when it was made, and portals
//! look into the root of the process with that id. For the same reason it
//! stays open to be looked into by the user's own processes (`PR_SET_DUMPABLE`).
//!
//! It ends with the sandbox, which it learns from its end of their socket, and
//! the sandbox ends with it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use crate::freeze::Frozen;
use crate::freeze::filter::FrozenFilter;
use crate::model::plan::Bus;
use crate::proxy::event::Observer;
use crate::proxy::relay::{self, Door, Relay};
use crate::sys::{Errno, confine, fd, mount, path, process};

use super::handshake::{self, In, Message, Outcome, Phase};
use super::stage::{map_ids, open_host};
use super::tree::{Terms, Tree};

/// Makes the observer of a bus, if what happens there is to be told.
pub type Observers<'a> = &'a dyn Fn(Bus) -> Option<Observer>;

/// The whole life of the process. `sandbox` leads to the sandbox's child.
pub fn run(frozen: &Frozen, plan: &FrozenFilter, sandbox: &OwnedFd, observers: Observers<'_>) -> ! {
    let relay = match set_up(frozen, plan, sandbox.as_fd(), observers) {
        Ok(relay) => relay,
        Err(failure) => {
            handshake::send(sandbox.as_fd(), Message::Failed(failure));
            process::exit_now(1)
        }
    };
    handshake::send(sandbox.as_fd(), Message::Running);
    let status = match relay.run(Some(sandbox.as_fd())) {
        Ok(()) => 0,
        Err(_) => 1,
    };
    process::exit_now(status)
}

fn set_up(
    frozen: &Frozen,
    plan: &FrozenFilter,
    sandbox: BorrowedFd<'_>,
    observers: Observers<'_>,
) -> Outcome<Relay> {
    rustix::process::umask(Mode::empty());
    let host = open_host().during(Phase::IdMaps)?;
    map_ids(frozen, host.as_fd()).during(Phase::IdMaps)?;
    let nothing = path::open_object(host.as_fd(), c"dev/null")
        .and_then(|_| {
            rustix::fs::openat(&host, c"dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        })
        .during(Phase::Root)?;
    let terms = Terms {
        locks_user_namespaces: false,
        own_processes: false,
        without: frozen.without,
        filter: None,
    };
    let tree = Tree::build(&plan.tree, terms, host.as_fd())?;
    mount::become_root(tree.root.as_fd(), tree.attached).during(Phase::Pivot)?;
    let tells = plan.buses.iter().any(|bus| observers(bus.bus).is_some());
    fd::stand_in(nothing.as_fd(), if tells { 2 } else { 3 }).during(Phase::Root)?;
    // All numbers but the standard ones are closed below, and given anew.
    drop(tree);
    drop((host, nothing));
    confine(plan, sandbox, observers)
}

/// Takes everything from this process that it has no use for, and takes the
/// sockets.
fn confine(
    plan: &FrozenFilter,
    sandbox: BorrowedFd<'_>,
    observers: Observers<'_>,
) -> Outcome<Relay> {
    confine::drop_capabilities().during(Phase::Capabilities)?;
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)
        .during(Phase::Capabilities)?;
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .during(Phase::Lifeline)?;
    rustix::thread::set_no_new_privs(true).during(Phase::NoNewPrivileges)?;
    if let Some(landlock) = &plan.landlock {
        confine::landlock_enter(landlock.ruleset.as_fd()).during(Phase::Landlock)?;
    }
    fd::close_all_but(3, &[sandbox]).during(Phase::Filter)?;
    let mut relay = Relay::new().map_err(errno).during(Phase::Buses)?;
    confine::load_filter(&plan.program).during(Phase::Filter)?;
    for _ in &plan.buses {
        let (bus, door) = handshake::receive_door(sandbox).during(Phase::Buses)?;
        let Some(frozen) = plan.buses.iter().find(|frozen| frozen.bus == bus) else {
            return Err(Errno::PIPE).during(Phase::Buses);
        };
        relay
            .guard(relay::Bus {
                addresses: vec![frozen.address.clone()],
                door: Door::Listening(door),
                rules: Some(frozen.rules.clone()),
                // Programs of the accessibility bus know each other by their
                // unique names only.
                sloppy_names: bus == Bus::Accessibility,
                observer: observers(bus),
            })
            .map_err(errno)
            .during(Phase::Buses)?;
    }
    Ok(relay)
}

fn errno(error: relay::StartError) -> Errno {
    match error {
        relay::StartError::Occupied(_) => Errno::EXIST,
        relay::StartError::Listen(_, errno) | relay::StartError::Wait(errno) => errno,
    }
}
