//! The messages between the monitor, init and the process before the buses:
//! 16 bytes each, in one packet, so that none is ever seen in part.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use crate::model::plan::Bus;
use crate::sys::Errno;

/// A part of building the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Phase {
    IdMaps = 1,
    Loopback,
    Root,
    /// A step of the tree; the message carries its index.
    Step,
    ReadOnlyRoot,
    Pivot,
    HostName,
    InnerUser,
    InnerIdMaps,
    Keyring,
    Capabilities,
    WorkingFolder,
    Limits,
    Lifeline,
    NoNewPrivileges,
    Landlock,
    Filter,
    /// The process before the buses is waited for.
    Buses,
    Signals,
    Start,
}

impl Phase {
    /// Every phase, in the order in which they happen.
    pub const ALL: [Phase; 20] = [
        Phase::IdMaps,
        Phase::Loopback,
        Phase::Root,
        Phase::Step,
        Phase::ReadOnlyRoot,
        Phase::Pivot,
        Phase::HostName,
        Phase::InnerUser,
        Phase::InnerIdMaps,
        Phase::Keyring,
        Phase::Capabilities,
        Phase::WorkingFolder,
        Phase::Limits,
        Phase::Lifeline,
        Phase::NoNewPrivileges,
        Phase::Landlock,
        Phase::Filter,
        Phase::Buses,
        Phase::Signals,
        Phase::Start,
    ];

    /// What is being done, to be read after "cannot".
    pub fn text(self) -> &'static str {
        match self {
            Phase::IdMaps => "map the user and group id",
            Phase::Loopback => "bring the loopback interface up",
            Phase::Root => "mount the new root",
            Phase::Step => "carry out a step of the file tree",
            Phase::ReadOnlyRoot => "make the new root read-only",
            Phase::Pivot => "enter the new root",
            Phase::HostName => "set the host name",
            Phase::InnerUser => "enter the inner user namespace",
            Phase::InnerIdMaps => "map the ids of the inner user namespace",
            Phase::Keyring => "leave the caller's keyring",
            Phase::Capabilities => "drop all capabilities",
            Phase::WorkingFolder => "enter the working folder",
            Phase::Limits => "set the limits",
            Phase::Lifeline => "tie the sandbox to its monitor",
            Phase::NoNewPrivileges => "set no_new_privs",
            Phase::Landlock => "apply the landlock ruleset",
            Phase::Filter => "load the system call filter",
            Phase::Buses => "have the filter before the buses",
            Phase::Signals => "set up signals",
            Phase::Start => "start the program",
        }
    }
}

/// What went wrong in the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// In which part.
    pub phase: Phase,
    /// In which step of the tree, for [`Phase::Step`].
    pub step: u32,
    /// The kernel's answer.
    pub errno: Errno,
}

/// What a part of the set-up comes to.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Marks the errors of a part.
pub trait In<T> {
    /// Says in which part an error arose.
    ///
    /// # Errors
    /// The one that there was.
    fn during(self, phase: Phase) -> Outcome<T>;
}

impl<T> In<T> for Result<T, Errno> {
    fn during(self, phase: Phase) -> Outcome<T> {
        self.map_err(|errno| Failure { phase, step: 0, errno })
    }
}

/// A moment in the child's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The child runs.
    Born = 1,
    /// The ids are mapped, the loopback interface is up.
    Mapped,
    /// The tree stands.
    Tree,
    /// The new root is entered and the old one gone.
    Entered,
    /// The inner user namespace is entered, capabilities are gone.
    Dropped,
    /// Landlock and the filter are in force.
    Confined,
    /// The application has been executed.
    Executed,
}

impl Mark {
    /// Every mark, in the order in which they happen.
    pub const ALL: [Mark; 7] = [
        Mark::Born,
        Mark::Mapped,
        Mark::Tree,
        Mark::Entered,
        Mark::Dropped,
        Mark::Confined,
        Mark::Executed,
    ];

    /// What took the time that ends at this mark.
    pub fn text(self) -> &'static str {
        match self {
            Mark::Born => "clone, into new namespaces if any",
            Mark::Mapped => "id maps and loopback",
            Mark::Tree => "file tree",
            Mark::Entered => "enter the new root, let go of the old",
            Mark::Dropped => "inner user namespace, capabilities",
            Mark::Confined => "landlock and filter",
            Mark::Executed => "fork and exec",
        }
    }
}

/// What the child says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// The sandbox could not be built, and nothing was run.
    Failed(Failure),
    /// The process before the buses could not be set up, and nothing was run.
    FilterFailed(Failure),
    /// The process before the buses is gone, and the sandbox with it.
    FilterGone,
    /// The program could not be executed.
    NotExecuted(Errno),
    /// The application runs; of the process before the buses, that it is
    /// confined and accepts connections.
    Running,
    /// The application was stopped by this signal.
    Stopped(i32),
    /// The application goes on.
    Continued,
    /// The application exited with this status.
    Exited(i32),
    /// A signal ended the application.
    Killed(i32),
    /// A process for this visitor runs; with a terminal, its master goes along.
    Entered(u32),
    /// No process for this visitor could be started.
    NotEntered(u32, Errno),
    /// The process of this visitor ended with this status, 128+N by signal N.
    Left(u32, i32),
    /// A signal has been handed on.
    Taken,
    /// A part is done, at this time of the monotonic clock in nanoseconds;
    /// sent only when timings are asked for.
    Mark(Mark, u64),
}

/// Length of a message.
const LENGTH: usize = 16;

fn encode(words: [u32; 4]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    for (to, from) in bytes.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&from.to_ne_bytes());
    }
    bytes
}

fn decode(bytes: &[u8; LENGTH]) -> [u32; 4] {
    let mut words = [0; 4];
    for (to, from) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *to = u32::from_ne_bytes([from[0], from[1], from[2], from[3]]);
    }
    words
}

/// Sends a message. An answer that cannot be sent means that the other side
/// is gone, which its end of the socket tells anyway.
pub fn send(socket: BorrowedFd<'_>, message: Message) {
    let _ = rustix::net::send(socket, &encode(words(message)), SendFlags::NOSIGNAL);
}

/// The same, with a descriptor beside it.
pub fn send_with(socket: BorrowedFd<'_>, message: Message, fd: Option<&OwnedFd>) {
    match fd {
        None => send(socket, message),
        Some(fd) => {
            let _ = send_fd(socket, &encode(words(message)), fd.as_fd());
        }
    }
}

fn send_fd(socket: BorrowedFd<'_>, bytes: &[u8], fd: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    if !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(Errno::NOBUFS);
    }
    let parts = [std::io::IoSlice::new(bytes)];
    rustix::net::sendmsg(socket, &parts, &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}

/// Takes 16 bytes and the descriptor beside them, if there is one; fewer bytes
/// at the end.
fn receive_fd(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8; LENGTH],
) -> Result<(usize, Option<OwnedFd>), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let length = loop {
        let mut parts = [std::io::IoSliceMut::new(bytes)];
        match rustix::net::recvmsg(socket, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            // The other side has gone without having read all that it was
            // sent. That is told once, ahead of what it has said before.
            Err(Errno::INTR | Errno::CONNRESET) => {}
            Err(errno) => return Err(errno),
            Ok(got) => break got.bytes,
        }
    };
    let fd = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    Ok((length, fd))
}

fn words(message: Message) -> [u32; 4] {
    let failed = |kind, failure: Failure| {
        [kind, failure.phase as u32, failure.step, failure.errno.raw_os_error() as u32]
    };
    match message {
        Message::Failed(failure) => failed(1, failure),
        Message::NotExecuted(errno) => [2, errno.raw_os_error() as u32, 0, 0],
        Message::Running => [3, 0, 0, 0],
        Message::Stopped(signal) => [4, signal as u32, 0, 0],
        Message::Continued => [5, 0, 0, 0],
        Message::Exited(status) => [6, status as u32, 0, 0],
        Message::Killed(signal) => [7, signal as u32, 0, 0],
        Message::Mark(mark, time) => [8, mark as u32, time as u32, (time >> 32) as u32],
        Message::FilterFailed(failure) => failed(9, failure),
        Message::FilterGone => [10, 0, 0, 0],
        Message::Entered(visitor) => [11, visitor, 0, 0],
        Message::NotEntered(visitor, errno) => [12, visitor, errno.raw_os_error() as u32, 0],
        Message::Left(visitor, status) => [13, visitor, status as u32, 0],
        Message::Taken => [14, 0, 0, 0],
    }
}

fn errno(word: u32) -> Errno {
    Errno::from_raw_os_error(word as i32)
}

fn failure(phase: u32, step: u32, word: u32) -> Option<Failure> {
    let phase = Phase::ALL.into_iter().find(|known| *known as u32 == phase)?;
    Some(Failure { phase, step, errno: errno(word) })
}

/// Takes the next message; none at the end, and none for what is no message.
///
/// # Errors
/// Those of `recv(2)`.
pub fn receive(socket: BorrowedFd<'_>) -> Result<Option<Message>, Errno> {
    receive_with(socket).map(|(message, _)| message)
}

/// The same, with the descriptor beside it.
///
/// # Errors
/// Those of `recvmsg(2)`.
pub fn receive_with(socket: BorrowedFd<'_>) -> Result<(Option<Message>, Option<OwnedFd>), Errno> {
    let mut bytes = [0; LENGTH];
    let (length, fd) = receive_fd(socket, &mut bytes)?;
    let message = if length == LENGTH { message(decode(&bytes)) } else { None };
    Ok((message, fd))
}

fn message([kind, a, b, c]: [u32; 4]) -> Option<Message> {
    match kind {
        1 => failure(a, b, c).map(Message::Failed),
        2 => Some(Message::NotExecuted(errno(a))),
        3 => Some(Message::Running),
        4 => Some(Message::Stopped(a as i32)),
        5 => Some(Message::Continued),
        6 => Some(Message::Exited(a as i32)),
        7 => Some(Message::Killed(a as i32)),
        8 => Mark::ALL
            .into_iter()
            .find(|mark| *mark as u32 == a)
            .map(|mark| Message::Mark(mark, u64::from(b) | u64::from(c) << 32)),
        9 => failure(a, b, c).map(Message::FilterFailed),
        10 => Some(Message::FilterGone),
        11 => Some(Message::Entered(a)),
        12 => Some(Message::NotEntered(a, errno(b))),
        13 => Some(Message::Left(a, b as i32)),
        14 => Some(Message::Taken),
        _ => None,
    }
}

/// Lets the child start the application.
pub fn send_go(socket: BorrowedFd<'_>) {
    let _ = rustix::net::send(socket, &encode([0x101, 0, 0, 0]), SendFlags::NOSIGNAL);
}

/// Waits until the application may be started.
///
/// # Errors
/// [`Errno::PIPE`] when the monitor is gone or says something else.
pub fn await_go(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut bytes = [0; LENGTH];
    loop {
        match rustix::net::recv(socket, &mut bytes[..], RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok((LENGTH, _)) => match decode(&bytes) {
                [0x101, 0, 0, 0] => return Ok(()),
                // A signal that came before the application: it would have
                // ended it.
                [0x100, ..] => return Err(Errno::INTR),
                _ => return Err(Errno::PIPE),
            },
            Ok(_) => return Err(Errno::PIPE),
        }
    }
}

/// Hands a listening socket to the process before the buses.
///
/// # Errors
/// Those of `sendmsg(2)`.
pub fn send_door(socket: BorrowedFd<'_>, bus: Bus, door: BorrowedFd<'_>) -> Result<(), Errno> {
    send_fd(socket, &encode([0x200, bus as u32, 0, 0]), door)
}

/// Takes a listening socket.
///
/// # Errors
/// Those of `recvmsg(2)`, and [`Errno::PIPE`] at the end.
pub fn receive_door(socket: BorrowedFd<'_>) -> Result<(Bus, OwnedFd), Errno> {
    let mut bytes = [0; LENGTH];
    let (length, door) = receive_fd(socket, &mut bytes)?;
    let [kind, bus, ..] = decode(&bytes);
    let bus = [Bus::Session, Bus::System, Bus::Accessibility]
        .into_iter()
        .find(|known| *known as u32 == bus);
    match (length, kind, bus, door) {
        (LENGTH, 0x200, Some(bus), Some(door)) => Ok((bus, door)),
        _ => Err(Errno::PIPE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    #[test]
    fn messages_arrive_as_sent() {
        let (a, b) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .unwrap();
        let mut all = vec![
            Message::NotExecuted(Errno::NOENT),
            Message::Running,
            Message::FilterGone,
            Message::NotEntered(5, Errno::NOENT),
            Message::Left(6, 130),
            Message::Taken,
            Message::Stopped(20),
            Message::Continued,
            Message::Exited(255),
            Message::Killed(9),
            Message::Mark(Mark::Tree, u64::MAX - 7),
        ];
        for phase in Phase::ALL {
            let failure = Failure { phase, step: 300, errno: Errno::PERM };
            all.extend([Message::Failed(failure), Message::FilterFailed(failure)]);
        }
        for message in all {
            send(a.as_fd(), message);
            assert_eq!(receive(b.as_fd()), Ok(Some(message)));
        }
        send_go(b.as_fd());
        assert_eq!(await_go(a.as_fd()), Ok(()));
        rustix::net::send(&b, b"short", rustix::net::SendFlags::empty()).unwrap();
        assert_eq!(receive(a.as_fd()), Ok(None));
        send_with(b.as_fd(), Message::Entered(3), Some(&a.try_clone().unwrap()));
        let (message, fd) = receive_with(a.as_fd()).unwrap();
        assert_eq!((message, fd.is_some()), (Some(Message::Entered(3)), true));
        drop(b);
        assert_eq!(receive(a.as_fd()), Ok(None));
    }
}
