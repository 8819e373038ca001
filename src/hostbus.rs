//! Questions to services of the caller's own session. Floor 5, and the only
//! user of zbus.
//!
//! zbus starts threads, and a launcher with threads can no longer be cloned
//! soundly. So each question is asked by a child of its own, which gives the
//! answer as a line and is gone. Nothing that an application controls takes
//! part in it.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, WaitId, WaitIdOptions};

use crate::model::bus_address::BusAddress;
use crate::sys::Errno;
use crate::sys::process::{self, Fork};

/// How long a service may take to start and answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// No answer is longer.
const LONGEST: u64 = 4096;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Where the document portal has its files; starts it.
    DocumentsMount,
    /// Where the accessibility bus listens; starts it.
    AccessibilityAddress,
}

impl Question {
    /// The name of the service that is asked.
    pub fn service(self) -> &'static str {
        self.call()[0]
    }

    /// Destination, path, interface and method.
    fn call(self) -> [&'static str; 4] {
        match self {
            Question::DocumentsMount => [
                "org.freedesktop.portal.Documents",
                "/org/freedesktop/portal/documents",
                "org.freedesktop.portal.Documents",
                "GetMountPoint",
            ],
            Question::AccessibilityAddress => {
                ["org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress"]
            }
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The child that was to ask could not be made or heard.
    #[error("cannot ask")]
    Child(#[source] Errno),
    /// The service did not answer in time.
    #[error("there was no answer in {} seconds", PATIENCE.as_secs())]
    Late,
    /// The bus or the service said no.
    #[error("{0}")]
    Refused(String),
}

/// Asks, and waits for the answer.
///
/// # Errors
/// Why there is none.
pub fn ask(address: &BusAddress, question: Question) -> Result<String, NoAnswer> {
    let (reader, writer) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(NoAnswer::Child)?;
    match process::fork().map_err(NoAnswer::Child)? {
        Fork::Child => {
            drop(reader);
            process::exit_now(answer(address, question, &writer))
        }
        Fork::Parent { pidfd, .. } => {
            drop(writer);
            let text = read(reader);
            // A child that is late has nothing more to say.
            let _ = rustix::process::pidfd_send_signal(&pidfd, Signal::KILL);
            while let Err(Errno::INTR) =
                rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)
            {
            }
            let text = text?;
            match text.split_at_checked(1) {
                Some(("+", answer)) => Ok(answer.to_owned()),
                Some((_, reason)) => Err(NoAnswer::Refused(reason.to_owned())),
                None => Err(NoAnswer::Child(Errno::PIPE)),
            }
        }
    }
}

/// All that the child writes.
fn read(reader: OwnedFd) -> Result<String, NoAnswer> {
    let until = Instant::now() + PATIENCE;
    let mut text = Vec::new();
    let mut file = std::fs::File::from(reader);
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout =
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Err(NoAnswer::Late),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(NoAnswer::Child(errno)),
        }
        match (&mut file).take(LONGEST).read_to_end(&mut text) {
            Ok(_) => return Ok(String::from_utf8_lossy(&text).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Err(NoAnswer::Child(Errno::IO)),
        }
    }
}

/// The child's whole life; gives its exit status.
fn answer(address: &BusAddress, question: Question, writer: &OwnedFd) -> i32 {
    let result = zbus::block_on(called(address, question));
    let (mark, text) = match result {
        Ok(text) => ('+', text),
        Err(error) => ('-', error.to_string()),
    };
    let line = format!("{mark}{text}");
    match rustix::io::write(writer, &line.as_bytes()[..line.len().min(LONGEST as usize)]) {
        Ok(_) => 0,
        Err(_) => 1,
    }
}

async fn called(address: &BusAddress, question: Question) -> zbus::Result<String> {
    let connection = zbus::connection::Builder::address(address.dbus().as_str()).build().await?;
    let [destination, path, interface, method] = question.call();
    let reply =
        connection.call_method(Some(destination), path, Some(interface), method, &()).await?;
    let body = reply.body();
    Ok(match question {
        // An array of bytes with a zero at its end.
        Question::DocumentsMount => {
            let bytes: Vec<u8> = body.deserialize()?;
            let path = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
            String::from_utf8_lossy(path).into_owned()
        }
        Question::AccessibilityAddress => body.deserialize()?,
    })
}
