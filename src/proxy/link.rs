//! One socket of the two that a client's connection consists of: what has
//! come in and is not yet judged, and what waits to go out.
//!
//! Memory grows with what has come, never with what a header announces. What
//! waits to go out is bounded by the relay, which stops to read from one side
//! while the other does not take what it has.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use crate::sys::Errno;

use super::wire::{self, DESCRIPTORS_MAX, Malformed};

/// How much room there is for a first read.
const ROOM: usize = 16 * 1024;

/// How much room is kept when nothing waits; more was for one long message.
const ROOM_KEPT: usize = 128 * 1024;

/// How many bytes are collected in one piece of output.
const PIECE: usize = 64 * 1024;

/// How many bytes may wait to go out before the other side is no longer read.
const WAITING_MAX: usize = 256 * 1024;

/// How many descriptors may wait to go out before the other side is no
/// longer read.
const WAITING_DESCRIPTORS_MAX: usize = 64;

/// What a read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// So many bytes.
    Bytes(usize),
    /// Nothing at the moment.
    Nothing,
    /// Nothing ever again.
    End,
}

/// Descriptors that came with one read.
#[derive(Debug)]
struct Batch {
    /// Where in the stream the bytes of that read began and ended.
    began: u64,
    ended: u64,
    descriptors: VecDeque<OwnedFd>,
}

/// Bytes to go out, and the descriptors that go with the first of them.
#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    sent: usize,
    descriptors: Vec<OwnedFd>,
}

/// One socket.
#[derive(Debug)]
pub struct Link {
    socket: OwnedFd,
    /// Room for what comes; of it `start..end` has come and is not judged.
    room: Vec<u8>,
    start: usize,
    end: usize,
    /// How many bytes of the stream lie before `start`.
    passed: u64,
    batches: VecDeque<Batch>,
    pieces: VecDeque<Piece>,
    waiting: usize,
    /// Nothing more will come.
    ended: bool,
    /// Nothing more can go out.
    deaf: bool,
}

impl Link {
    /// A connected socket.
    pub fn new(socket: OwnedFd) -> Link {
        Link {
            socket,
            room: Vec::new(),
            start: 0,
            end: 0,
            passed: 0,
            batches: VecDeque::new(),
            pieces: VecDeque::new(),
            waiting: 0,
            ended: false,
            deaf: false,
        }
    }

    /// The socket.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// What has come and is not yet judged.
    pub fn input(&self) -> &[u8] {
        self.room.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether nothing more will come.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether something waits to go out.
    pub fn has_output(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Whether so much waits that nothing more should be added.
    pub fn is_full(&self) -> bool {
        self.waiting > WAITING_MAX
            || self.pieces.iter().map(|piece| piece.descriptors.len()).sum::<usize>()
                > WAITING_DESCRIPTORS_MAX
    }

    /// The memory that this holds.
    pub fn held(&self) -> usize {
        self.room.len() + self.waiting
    }

    /// Whether the message that is coming in needs more room than `limit`.
    pub fn wants_more_than(&self, limit: usize) -> bool {
        self.room.len() > limit
    }

    /// Reads once.
    ///
    /// # Errors
    /// When what comes is no message, or carries more descriptors than fit.
    pub fn receive(&mut self) -> Result<Received, Malformed> {
        self.make_room()?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let free = self.room.get_mut(self.end..).unwrap_or_default();
        let result = rustix::net::recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(free)],
            &mut control,
            RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC,
        );
        let received = match result {
            Ok(received) => received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(Received::Nothing),
            Err(_) => {
                self.ended = true;
                return Ok(Received::End);
            }
        };
        let mut descriptors = VecDeque::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                descriptors.extend(rights);
            }
        }
        // Descriptors that did not fit into our table are lost, and with them
        // the meaning of the message.
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(Malformed::Descriptors);
        }
        if received.bytes == 0 {
            self.ended = true;
            return Ok(Received::End);
        }
        if !descriptors.is_empty() {
            let began = self.passed + (self.end - self.start) as u64;
            self.batches.push_back(Batch {
                began,
                ended: began + received.bytes as u64,
                descriptors,
            });
        }
        self.end += received.bytes;
        Ok(Received::Bytes(received.bytes))
    }

    /// Whether the last read filled all the room, so that more may wait.
    pub fn is_brimful(&self) -> bool {
        self.end == self.room.len()
    }

    /// Makes room for one read: for the rest of the message that has begun,
    /// but never for more than has come already, or a little.
    fn make_room(&mut self) -> Result<(), Malformed> {
        if self.room.is_empty() {
            self.room.resize(ROOM, 0);
        }
        if self.end < self.room.len() {
            return Ok(());
        }
        if self.start > 0 {
            self.room.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            return Ok(());
        }
        let whole = wire::frame(self.input())?.map_or(0, |frame| frame.total);
        let grown = (2 * self.room.len()).max(2 * PIECE);
        self.room.resize(grown.min(whole.max(self.room.len() + ROOM)), 0);
        Ok(())
    }

    /// The length of the message at the front of the input, once all of it
    /// has come.
    ///
    /// # Errors
    /// When no message begins there.
    pub fn message(&self) -> Result<Option<usize>, Malformed> {
        let input = self.input();
        Ok(wire::frame(input)?.map(|frame| frame.total).filter(|&total| total <= input.len()))
    }

    /// Takes bytes off the front of the input.
    pub fn consume(&mut self, length: usize) {
        let length = length.min(self.end - self.start);
        self.start += length;
        self.passed += length as u64;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.room.len() > ROOM_KEPT {
                self.room = Vec::new();
            }
        }
    }

    /// Takes the descriptors of the message of this length at the front of
    /// the input. Those that came with its bytes and that it does not declare
    /// are closed.
    ///
    /// # Errors
    /// When fewer came than it declares.
    pub fn descriptors(&mut self, length: usize, declared: u32) -> Result<Vec<OwnedFd>, Malformed> {
        let end = self.passed + length as u64;
        let mut taken = Vec::new();
        while let Some(batch) = self.batches.front_mut().filter(|batch| batch.began < end) {
            while taken.len() < declared as usize
                && let Some(descriptor) = batch.descriptors.pop_front()
            {
                taken.push(descriptor);
            }
            // A batch whose last byte lies behind this message may belong to
            // the next one.
            if batch.ended > end && !batch.descriptors.is_empty() {
                break;
            }
            self.batches.pop_front();
        }
        if taken.len() < declared as usize {
            return Err(Malformed::Descriptors);
        }
        Ok(taken)
    }

    /// Whether more descriptors wait for their message than one can have.
    pub fn hoards_descriptors(&self) -> bool {
        self.batches.iter().map(|batch| batch.descriptors.len()).sum::<usize>()
            > 2 * DESCRIPTORS_MAX
    }

    /// Adds what is to go out. Descriptors go with the first byte.
    pub fn push(&mut self, bytes: &[u8], descriptors: Vec<OwnedFd>) -> &mut [u8] {
        self.waiting += bytes.len();
        let joins = descriptors.is_empty()
            && self.pieces.back().is_some_and(|last| {
                last.descriptors.is_empty() && last.bytes.len() + bytes.len() <= PIECE
            });
        if !joins {
            self.pieces.push_back(Piece { bytes: Vec::new(), sent: 0, descriptors });
        }
        let Some(last) = self.pieces.back_mut() else { return &mut [] };
        let start = last.bytes.len();
        last.bytes.extend_from_slice(bytes);
        last.bytes.get_mut(start..).unwrap_or_default()
    }

    /// Writes what waits, as far as the other end takes it. When it takes
    /// nothing any more, all is thrown away.
    pub fn flush(&mut self) {
        while let Some(piece) = self.pieces.front_mut() {
            if self.deaf {
                break;
            }
            let mut space =
                [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let borrowed: Vec<BorrowedFd<'_>> = piece.descriptors.iter().map(AsFd::as_fd).collect();
            if !borrowed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
                self.deaf = true;
                break;
            }
            let rest = piece.bytes.get(piece.sent..).unwrap_or_default();
            let result = rustix::net::sendmsg(
                &self.socket,
                &[IoSlice::new(rest)],
                &mut control,
                SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
            );
            match result {
                Ok(sent) => {
                    piece.sent += sent;
                    piece.descriptors.clear();
                    self.waiting = self.waiting.saturating_sub(sent);
                    if piece.sent >= piece.bytes.len() {
                        self.pieces.pop_front();
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(_) => self.deaf = true,
            }
        }
        if self.deaf {
            self.pieces.clear();
            self.waiting = 0;
        }
    }
}

#[cfg(test)]
mod tests;
