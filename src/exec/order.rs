//! What a running sandbox can be asked for from outside: the packets between
//! a command, the monitor and init.
//!
//! A command connects to its monitor's socket and sends one packet: a head of
//! 16 bytes, then texts that each end in a zero byte, with descriptors beside
//! it. The monitor reads the head, puts the visitor's number into it, and
//! hands the rest on to init as it is. Answers come as messages of 16 bytes.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use crate::sys::Errno;

/// No packet is longer: the kernel's own limit for one of this kind lies
/// somewhat above (`net.core.wmem_default`).
pub const LONGEST: usize = 128 << 10;

/// The descriptors of a visitor without a terminal: its standard ones.
const STREAMS: usize = 3;

/// What a packet is about; the first word of its head.
const SIGNAL: u32 = 0x100;
const ENTER: u32 = 0x300;
const SIGNAL_VISITOR: u32 = 0x301;

/// What is asked.
#[derive(Debug)]
pub enum Order {
    /// A signal for the application.
    Signal(i32),
    /// A further process.
    Enter(Visit),
    /// A signal for a process that was asked for.
    SignalVisitor {
        /// Its visitor.
        visitor: u32,
        /// The signal.
        signal: i32,
    },
}

/// A further process in the sandbox.
#[derive(Debug)]
pub struct Visit {
    /// By which the monitor tells visitors apart.
    pub visitor: u32,
    /// Rows and columns of the terminal that it gets; none for one that uses
    /// the visitor's own streams.
    pub terminal: Option<(u16, u16)>,
    /// The kind of terminal, as `TERM` has it; may be empty.
    pub term: CString,
    /// Where it starts; may be empty.
    pub folder: CString,
    /// The program and its arguments; never empty.
    pub arguments: Vec<CString>,
    /// The visitor's standard streams.
    pub streams: Vec<OwnedFd>,
}

/// One packet.
pub struct Packet {
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

impl Packet {
    /// A signal for the application.
    pub fn signal(number: i32) -> Packet {
        Packet::head([SIGNAL, number as u32, 0, 0])
    }

    /// A signal for the process of the visitor who sends it.
    pub fn signal_visitor(number: i32) -> Packet {
        Packet::head([SIGNAL_VISITOR, 0, number as u32, 0])
    }

    /// A further process. `terminal` are rows and columns of one of its own.
    pub fn enter(
        terminal: Option<(u16, u16)>,
        term: &str,
        folder: &str,
        arguments: &[String],
    ) -> Packet {
        let size = terminal.map_or(0, |(rows, columns)| u32::from(rows) << 16 | u32::from(columns));
        let mut packet = Packet::head([ENTER, 0, u32::from(terminal.is_some()), size]);
        for text in [term, folder].into_iter().chain(arguments.iter().map(String::as_str)) {
            packet.bytes.extend(text.bytes());
            packet.bytes.push(0);
        }
        packet
    }

    fn head(words: [u32; 4]) -> Packet {
        let bytes = words.into_iter().flat_map(u32::to_ne_bytes).collect();
        Packet { bytes, fds: Vec::new() }
    }

    fn word(&self, at: usize) -> u32 {
        let bytes = self.bytes.get(4 * at..4 * at + 4);
        bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_ne_bytes)
    }

    /// Whether it is one that a visitor may send.
    pub fn is_for_init(&self) -> bool {
        self.bytes.len() >= 16 && matches!(self.word(0), SIGNAL | ENTER | SIGNAL_VISITOR)
    }

    /// Whether it asks for a further process.
    pub fn enters(&self) -> bool {
        self.word(0) == ENTER
    }

    /// Puts the visitor's number in.
    pub fn set_visitor(&mut self, visitor: u32) {
        if self.word(0) != SIGNAL
            && let Some(place) = self.bytes.get_mut(4..8)
        {
            place.copy_from_slice(&visitor.to_ne_bytes());
        }
    }

    /// Sends it, with further descriptors.
    ///
    /// # Errors
    /// Those of `sendmsg(2)`.
    pub fn send(&self, socket: BorrowedFd<'_>, streams: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let fds: Vec<BorrowedFd<'_>> =
            self.fds.iter().map(AsFd::as_fd).chain(streams.iter().copied()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STREAMS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(Errno::NOBUFS);
        }
        let parts = [std::io::IoSlice::new(&self.bytes)];
        rustix::net::sendmsg(socket, &parts, &mut ancillary, SendFlags::NOSIGNAL).map(drop)
    }

    /// Takes the next packet.
    ///
    /// # Errors
    /// Those of `recvmsg(2)`; [`Errno::PIPE`] at the end, [`Errno::MSGSIZE`]
    /// for one that is too long.
    pub fn receive(socket: BorrowedFd<'_>) -> Result<Packet, Errno> {
        let mut bytes = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STREAMS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let got = loop {
            let mut parts = [std::io::IoSliceMut::new(&mut bytes)];
            match rustix::net::recvmsg(socket, &mut parts, &mut ancillary, flags) {
                // As in the handshake: told once, ahead of what was said.
                Err(Errno::CONNRESET) => {}
                other => break other?,
            }
        };
        let fds = ancillary
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(fds) => Some(fds),
                _ => None,
            })
            .flatten()
            .collect();
        if got.flags.contains(rustix::net::ReturnFlags::TRUNC) {
            return Err(Errno::MSGSIZE);
        }
        if got.bytes == 0 {
            return Err(Errno::PIPE);
        }
        bytes.truncate(got.bytes);
        Ok(Packet { bytes, fds })
    }

    /// What it asks; none for what means nothing.
    pub fn order(self) -> Option<Order> {
        let signal =
            |word: u32| i32::try_from(word).ok().filter(|signal| (1..=64).contains(signal));
        match self.word(0) {
            SIGNAL => signal(self.word(1)).map(Order::Signal),
            SIGNAL_VISITOR => signal(self.word(2))
                .map(|signal| Order::SignalVisitor { visitor: self.word(1), signal }),
            ENTER => self.visit().map(Order::Enter),
            _ => None,
        }
    }

    fn visit(self) -> Option<Visit> {
        let size = self.word(3);
        let terminal = (self.word(2) == 1).then_some(((size >> 16) as u16, size as u16));
        if terminal.is_none() && self.fds.len() != STREAMS {
            return None;
        }
        let texts = self.bytes.get(16..)?.strip_suffix(&[0])?;
        let mut texts = texts.split(|byte| *byte == 0).map(CString::new);
        let (term, folder) = (texts.next()?.ok()?, texts.next()?.ok()?);
        let arguments: Vec<CString> = texts.collect::<Result<_, _>>().ok()?;
        if arguments.first()?.is_empty() {
            return None;
        }
        let visitor = self.word(1);
        Some(Visit { visitor, terminal, term, folder, arguments, streams: self.fds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    fn passed(mut packet: Packet, streams: &[BorrowedFd<'_>]) -> Option<Order> {
        let (a, b) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .unwrap();
        packet.set_visitor(7);
        packet.send(a.as_fd(), streams).unwrap();
        let received = Packet::receive(b.as_fd()).unwrap();
        assert!(received.is_for_init());
        drop(a);
        assert!(matches!(Packet::receive(b.as_fd()), Err(Errno::PIPE)));
        received.order()
    }

    #[test]
    fn orders_arrive_as_sent() {
        assert!(matches!(passed(Packet::signal(15), &[]), Some(Order::Signal(15))));
        assert!(matches!(
            passed(Packet::signal_visitor(2), &[]),
            Some(Order::SignalVisitor { visitor: 7, signal: 2 })
        ));
        let arguments = ["sh".to_owned(), String::new(), "-c".to_owned()];
        let enter = || Packet::enter(None, "", "/tmp", &arguments);
        let null = std::fs::File::open("/dev/null").unwrap();
        let streams = [null.as_fd(); 3];
        let Some(Order::Enter(visit)) = passed(enter(), &streams) else { panic!("no visit") };
        assert_eq!((visit.visitor, visit.terminal, visit.streams.len()), (7, None, 3));
        assert_eq!((visit.term.as_c_str(), visit.folder.as_c_str()), (c"", c"/tmp"));
        assert_eq!(visit.arguments, [c"sh".to_owned(), c"".to_owned(), c"-c".to_owned()]);
        // Without its streams it would get those of init.
        assert!(passed(enter(), &[]).is_none());
        let terminal = Packet::enter(Some((24, 80)), "xterm", "", &arguments);
        let Some(Order::Enter(visit)) = passed(terminal, &[]) else { panic!("no visit") };
        assert_eq!(visit.terminal, Some((24, 80)));
    }

    #[test]
    fn what_means_nothing_is_no_order() {
        assert!(passed(Packet::signal(0), &[]).is_none());
        assert!(passed(Packet::signal(65), &[]).is_none());
        assert!(passed(Packet::enter(Some((1, 1)), "", "", &[]), &[]).is_none());
        assert!(passed(Packet::enter(Some((1, 1)), "", "", &[String::new()]), &[]).is_none());
        assert!(!Packet::head([9, 0, 0, 0]).is_for_init());
        assert!(!Packet { bytes: vec![1], fds: Vec::new() }.is_for_init());
    }
}
