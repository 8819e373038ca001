//! Which replies are due. A reply passes only if a call is open that it can
//! be the answer to, and it closes that call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::BUS;

/// How many calls of one client can be open at once.
pub const OPEN_MAX: usize = 16_384;

/// How many calls of others can wait for the client. Beyond that the oldest
/// is given up; its reply will not pass.
const WAITING_MAX: usize = 4096;

/// Who can answer a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answerer {
    /// The bus itself.
    Bus,
    /// One connection, or the bus on its behalf.
    Unique(Box<str>),
    /// Whoever owns the well-known name; only the bus knows who that is at
    /// the moment, and lets nobody else answer.
    Owner,
}

impl Answerer {
    /// Who answers what is sent to a destination.
    pub fn of(destination: Option<&str>) -> Answerer {
        match destination {
            None | Some(BUS) => Answerer::Bus,
            Some(unique) if unique.starts_with(':') => Answerer::Unique(unique.into()),
            Some(_) => Answerer::Owner,
        }
    }

    fn accepts(&self, sender: Option<&str>) -> bool {
        match (self, sender) {
            // The reference bus signs no reply to a call that names nobody.
            (Answerer::Bus, sender) => sender.is_none_or(|sender| sender == BUS),
            (_, None) => false,
            (_, Some(BUS)) | (Answerer::Owner, Some(_)) => true,
            (Answerer::Unique(unique), Some(sender)) => **unique == *sender,
        }
    }
}

/// What is done with a reply from the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// The client gets it as it is.
    Client,
    /// It also tells the client's unique name.
    Hello,
    /// The client gets the names that it may see.
    Names,
    /// It is for us: the owner of this name.
    Owner(String),
    /// It is for us: all names.
    AllNames,
}

/// An open call to the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The serial that the client knows the call by; 0 for a call of ours.
    pub serial: u32,
    /// Who can answer.
    pub answerer: Answerer,
    /// What the answer is for.
    pub purpose: Purpose,
}

/// The open calls of one client, in both directions.
#[derive(Debug, Default)]
pub struct Calls {
    last: u32,
    open: BTreeMap<u32, Open>,
    serials: BTreeSet<u32>,
    waiting: VecDeque<(Box<str>, u32)>,
}

impl Calls {
    /// A serial for the next message to the bus. The client's own serials
    /// stay between it and us, so it can use any, in any order.
    pub fn next_serial(&mut self) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1);
            if self.last != 0 && !self.open.contains_key(&self.last) {
                return self.last;
            }
        }
    }

    /// Whether the client has a call open under this serial.
    pub fn is_open(&self, serial: u32) -> bool {
        self.serials.contains(&serial)
    }

    /// Whether no further call of the client can be remembered.
    pub fn is_full(&self) -> bool {
        self.open.len() >= OPEN_MAX
    }

    /// A call went to the bus under `serial`.
    pub fn call(&mut self, serial: u32, open: Open) {
        if open.serial != 0 {
            self.serials.insert(open.serial);
        }
        self.open.insert(serial, open);
    }

    /// The open call that a reply from `sender` would answer.
    pub fn open_call(&self, reply_serial: u32, sender: Option<&str>) -> Option<&Open> {
        self.open.get(&reply_serial).filter(|open| open.answerer.accepts(sender))
    }

    /// Closes a call.
    pub fn close(&mut self, reply_serial: u32) -> Option<Open> {
        let open = self.open.remove(&reply_serial)?;
        self.serials.remove(&open.serial);
        Some(open)
    }

    /// A peer has called the client and waits.
    pub fn await_client(&mut self, peer: &str, serial: u32) {
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back((peer.into(), serial));
    }

    /// Whether a reply of the client to `peer` is due.
    pub fn is_awaited(&self, peer: &str, serial: u32) -> bool {
        self.position(peer, serial).is_some()
    }

    /// The client has replied.
    pub fn client_replied(&mut self, peer: &str, serial: u32) {
        if let Some(position) = self.position(peer, serial) {
            self.waiting.remove(position);
        }
    }

    fn position(&self, peer: &str, serial: u32) -> Option<usize> {
        self.waiting.iter().position(|(known, call)| *call == serial && **known == *peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(serial: u32, destination: &str) -> Open {
        Open { serial, answerer: Answerer::of(Some(destination)), purpose: Purpose::Client }
    }

    #[test]
    fn only_the_one_that_was_called_can_answer_and_only_once() {
        let mut calls = Calls::default();
        calls.call(1, open(77, ":1.5"));
        calls.call(2, open(78, BUS));
        calls.call(3, open(79, "org.a"));
        for (serial, sender, accepted) in [
            (1, Some(":1.5"), true),
            (1, Some(":1.6"), false),
            (1, Some(BUS), true),
            (1, None, false),
            (2, Some(BUS), true),
            (2, None, true),
            (2, Some(":1.5"), false),
            (3, Some(":1.5"), true),
            (3, Some(BUS), true),
            (3, None, false),
            (4, Some(BUS), false),
        ] {
            assert_eq!(calls.open_call(serial, sender).is_some(), accepted, "{serial} {sender:?}");
        }
        assert!(calls.is_open(77));
        assert_eq!(calls.close(1).map(|open| open.serial), Some(77));
        assert!(!calls.is_open(77));
        assert!(calls.open_call(1, Some(":1.5")).is_none());
        assert!(calls.close(1).is_none());
    }

    #[test]
    fn serials_to_the_bus_are_never_zero_nor_taken() {
        let mut calls = Calls { last: u32::MAX - 1, ..Calls::default() };
        calls.call(1, open(5, BUS));
        assert_eq!(calls.next_serial(), u32::MAX);
        assert_eq!(calls.next_serial(), 2);
    }

    #[test]
    fn a_peers_call_is_answered_once_and_by_its_serial() {
        let mut calls = Calls::default();
        calls.await_client(":1.5", 9);
        calls.await_client(":1.6", 9);
        assert!(calls.is_awaited(":1.5", 9));
        assert!(!calls.is_awaited(":1.5", 10));
        assert!(!calls.is_awaited(":1.7", 9));
        calls.client_replied(":1.5", 9);
        assert!(!calls.is_awaited(":1.5", 9));
        assert!(calls.is_awaited(":1.6", 9));
    }

    #[test]
    fn memory_for_waiting_peers_is_bounded() {
        let mut calls = Calls::default();
        for serial in 1..=WAITING_MAX as u32 + 1 {
            calls.await_client(":1.5", serial);
        }
        assert_eq!(calls.waiting.len(), WAITING_MAX);
        assert!(!calls.is_awaited(":1.5", 1));
        assert!(calls.is_awaited(":1.5", 2));
    }
}
