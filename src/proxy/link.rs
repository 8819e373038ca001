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

use super::wire::{self, DESCRIPTORS_MAX, Endian, Malformed};

/// How much room there is for a first read.
const ROOM: usize = 16 * 1024;

/// How much room is kept when nothing waits; more was for one long message.
const ROOM_KEPT: usize = 128 * 1024;

/// How many bytes are collected in one piece of output.
const PIECE: usize = 64 * 1024;

/// From which length on a message is written at once, if nothing waits before
/// it: copying it to collect it with others would cost more.
const LONG: usize = 16 * 1024;

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

    /// Writes a number over four bytes of the message at the front.
    pub fn patch(&mut self, at: usize, endian: Endian, number: u32) {
        if let Some(input) = self.room.get_mut(self.start..self.end) {
            wire::patch(input, at, endian, number);
        }
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
    pub fn push(&mut self, bytes: &[u8], descriptors: Vec<OwnedFd>) {
        let mut bytes = bytes;
        if bytes.len() >= LONG && descriptors.is_empty() && self.pieces.is_empty() && !self.deaf {
            // What goes wrong here will be seen when the rest is written.
            let sent = self.send(bytes, &[]).unwrap_or(0);
            bytes = bytes.get(sent..).unwrap_or_default();
            if bytes.is_empty() {
                return;
            }
        }
        self.waiting += bytes.len();
        match self.pieces.back_mut() {
            Some(last)
                if descriptors.is_empty()
                    && last.descriptors.is_empty()
                    && last.bytes.len() + bytes.len() <= PIECE =>
            {
                last.bytes.extend_from_slice(bytes);
            }
            _ => self.pieces.push_back(Piece { bytes: bytes.to_vec(), sent: 0, descriptors }),
        }
    }

    /// Writes once, without waiting.
    fn send(&self, bytes: &[u8], descriptors: &[OwnedFd]) -> Result<usize, Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(AsFd::as_fd).collect();
        if !borrowed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
            return Err(Errno::TOOMANYREFS);
        }
        rustix::net::sendmsg(
            &self.socket,
            &[IoSlice::new(bytes)],
            &mut control,
            SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
        )
    }

    /// Writes what waits, as far as the other end takes it. When it takes
    /// nothing any more, all is thrown away.
    pub fn flush(&mut self) {
        while let Some(piece) = self.pieces.front()
            && !self.deaf
        {
            let rest = piece.bytes.get(piece.sent..).unwrap_or_default();
            match self.send(rest, &piece.descriptors) {
                Ok(sent) => self.went_out(sent),
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

    /// Bytes of the first piece have gone out, and its descriptors with them.
    fn went_out(&mut self, sent: usize) {
        self.waiting = self.waiting.saturating_sub(sent);
        let Some(piece) = self.pieces.front_mut() else { return };
        piece.sent += sent;
        piece.descriptors.clear();
        if piece.sent >= piece.bytes.len() {
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
