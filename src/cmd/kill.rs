//! `pinfold kill`

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::cli::Kill;
use crate::exec::order::Packet;
use crate::instance::processes::Stat;
use crate::instance::record::Record;
use crate::report::{Code, Diagnostic, ExitCode};
use crate::sys::Errno;

use super::Outcome;
use super::instances::{Running, running};

/// How long a sandbox that was killed may take to be gone.
const END: Duration = Duration::from_secs(10);

/// Ends sandboxes, or sends their applications a signal.
pub fn main(options: &Kill) -> Outcome {
    let running = running()?;
    let records: Vec<&Record> = match &options.instance {
        Some(name) => running.named(name)?,
        None => running.list.iter().collect(),
    };
    let signal = options.signal.as_deref().map(number).transpose().map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    match signal {
        Some(signal) if signal != libc::SIGKILL => {
            for record in records {
                errors.extend(send(&running, record, signal).err());
            }
        }
        _ => {
            let grace = match signal {
                Some(_) => Duration::ZERO,
                None => Duration::from_secs(options.grace),
            };
            errors.extend(end(&running, &records, grace));
        }
    }
    match errors.is_empty() {
        true => Ok(ExitCode::Success.number()),
        false => Err(errors),
    }
}

/// Sends an application a signal, by way of its monitor and its init.
fn send(running: &Running, record: &Record, signal: i32) -> Result<(), Diagnostic> {
    let failed = |errno: Errno| {
        let text = format!("cannot send a signal to {}", record.name());
        Diagnostic::error(Code::StepFailed, text).because(errno)
    };
    let socket = running.connect(record).map_err(|mut errors| errors.remove(0))?;
    Packet::signal(signal).send(socket.as_fd(), &[]).map_err(failed)
}

/// Ends sandboxes: a word first, then force, for all at the same time.
fn end(running: &Running, records: &[&Record], grace: Duration) -> Vec<Diagnostic> {
    let handles: Vec<(&Record, OwnedFd, OwnedFd)> = records
        .iter()
        .filter_map(|record| Some((*record, handle(record)?, monitor(record)?)))
        .collect();
    // A monitor stops with its application, and hears nothing then.
    for (_, _, monitor) in &handles {
        let _ = rustix::process::pidfd_send_signal(monitor, Signal::CONT);
    }
    if grace > Duration::ZERO {
        for (record, ..) in &handles {
            // One that does not hear is ended by force below.
            let _ = send(running, record, libc::SIGTERM);
        }
        let until = Instant::now() + grace;
        for (_, init, _) in &handles {
            is_gone(init, until);
        }
    }
    for (_, init, _) in &handles {
        let _ = rustix::process::pidfd_send_signal(init, Signal::KILL);
    }
    let until = Instant::now() + END;
    let remaining = handles.iter().filter(|(_, init, monitor)| {
        // The record goes with the monitor.
        !(is_gone(init, until) && is_gone(monitor, until))
    });
    remaining
        .map(|(record, ..)| {
            let text = format!("{} does not end", record.name());
            Diagnostic::error(Code::StepFailed, text)
        })
        .collect()
}

/// A handle on the sandbox's init; none when that is gone.
fn handle(record: &Record) -> Option<OwnedFd> {
    let fd = open(record.init)?;
    // The id may have been given anew before the handle was had, not after.
    let is_same = Stat::of(record.init)
        .is_some_and(|stat| stat.began == record.init_began && stat.parent == record.monitor);
    is_same.then_some(fd)
}

/// A handle on the monitor, which lives as long as its init has it for parent.
fn monitor(record: &Record) -> Option<OwnedFd> {
    let fd = open(record.monitor)?;
    Stat::of(record.init).is_some_and(|stat| stat.parent == record.monitor).then_some(fd)
}

fn open(pid: i32) -> Option<OwnedFd> {
    rustix::process::pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

/// Waits for the end of a process.
fn is_gone(handle: &OwnedFd, until: Instant) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout =
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(handle, PollFlags::IN)], Some(&timeout)) {
            Err(Errno::INTR) => {}
            Ok(count) => return count > 0,
            Err(_) => return false,
        }
    }
}

/// A signal by its number or its name, with or without `SIG`.
fn number(text: &str) -> Result<i32, Diagnostic> {
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") { upper.clone() } else { format!("SIG{upper}") };
    let named = name.parse::<nix::sys::signal::Signal>().ok().map(|signal| signal as i32);
    let numbered = text.parse::<i32>().ok().filter(|number| (1..=64).contains(number));
    named.or(numbered).ok_or_else(|| {
        Diagnostic::error(Code::Usage, format!("--signal {text:?} is no signal"))
            .hint("it is a name such as TERM or USR1, or a number from 1 to 64")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, wanted) in [("TERM", 15), ("sigterm", 15), ("9", 9), ("SIGUSR1", 10), ("64", 64)]
        {
            assert_eq!(number(text).unwrap(), wanted, "{text}");
        }
        for text in ["", "0", "65", "-1", "SIG", "NOPE"] {
            number(text).unwrap_err();
        }
    }
}
