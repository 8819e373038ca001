//! One client: its socket, its connection to the bus, and what passes between
//! them.

use std::os::fd::OwnedFd;

use super::auth::{AuthError, BusAuth, ClientAuth, Need};
use super::decide::{Reason, Writer};
use super::event::Event;
use super::link::{Link, Received};
use super::session::{Onward, Outcome, Session};
use super::wire::{Malformed, Message};

/// How many reads one link gets in a row.
const READS: u32 = 4;

/// Why a client's connection ended, unless one side just left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndError {
    /// It was not let in.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// It wrote what is no message.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It broke the order of messages.
    #[error("{0}")]
    Order(Reason),
    /// All that is held for all clients is too much.
    #[error("too much waits in memory")]
    Memory,
}

enum Phase {
    Handshake { client: ClientAuth, bus: BusAuth, waits_for_bus: bool },
    Messages { descriptors: bool },
}

/// A client and its connection to the bus.
pub struct Client {
    down: Link,
    up: Link,
    phase: Phase,
    /// None when all passes.
    session: Option<Session>,
}

/// Who is told of each message.
pub type Tell<'o> = Option<&'o mut (dyn FnMut(&Event<'_>) + 'static)>;

impl Client {
    /// A client that is this user, and has said nothing yet.
    pub fn new(uid: u32, socket: OwnedFd, upstream: OwnedFd, session: Option<Session>) -> Client {
        let mut up = Link::new(upstream);
        up.push(BusAuth::OPENING, Vec::new());
        Client {
            down: Link::new(socket),
            up,
            phase: Phase::Handshake {
                client: ClientAuth::new(uid),
                bus: BusAuth::new(),
                waits_for_bus: false,
            },
            session,
        }
    }

    /// The link to one side.
    pub fn link(&self, side: Writer) -> &Link {
        match side {
            Writer::Client => &self.down,
            Writer::Bus => &self.up,
        }
    }

    /// The memory that this holds.
    pub fn held(&self) -> usize {
        self.down.held() + self.up.held()
    }

    /// Whether what the client writes has to wait for the bus.
    fn client_waits(&self) -> bool {
        match &self.phase {
            Phase::Handshake { waits_for_bus, .. } => *waits_for_bus,
            Phase::Messages { .. } => self.session.as_ref().is_some_and(Session::is_listing),
        }
    }

    /// Whether a side is to be read. One that writes faster than the other
    /// takes is not; nor is a client that does not take its answers.
    pub fn reads(&self, side: Writer) -> bool {
        !self.link(side).has_ended() && self.passes(side)
    }

    /// Reads what a side has written.
    ///
    /// # Errors
    /// When it is no message, or too many descriptors come.
    pub fn receive(&mut self, side: Writer) -> Result<(), EndError> {
        let link = match side {
            Writer::Client => &mut self.down,
            Writer::Bus => &mut self.up,
        };
        for _ in 0..READS {
            match link.receive()? {
                Received::Bytes(_) if link.is_brimful() => {}
                _ => break,
            }
        }
        if link.hoards_descriptors() { Err(Malformed::Descriptors.into()) } else { Ok(()) }
    }

    /// Judges all that has come and can be judged, and writes.
    ///
    /// # Errors
    /// When the connection has to end.
    pub fn pump(&mut self, tell: &mut Tell<'_>) -> Result<(), EndError> {
        loop {
            self.shake_hands()?;
            if let Phase::Messages { descriptors } = self.phase {
                self.pass(Writer::Bus, descriptors, tell)?;
                self.pass(Writer::Client, descriptors, tell)?;
            }
            let full = self.up.is_full() || self.down.is_full();
            self.up.flush();
            self.down.flush();
            // What was full may have drained, and messages may wait for that.
            if !full || self.up.is_full() || self.down.is_full() {
                return Ok(());
            }
        }
    }

    fn shake_hands(&mut self) -> Result<(), EndError> {
        let Phase::Handshake { client, bus, waits_for_bus } = &mut self.phase else {
            return Ok(());
        };
        let taken = bus.advance(self.up.input())?;
        self.up.consume(taken);
        let mut answer = Vec::new();
        let (taken, need) = client.advance(self.down.input(), bus, &mut answer)?;
        self.down.consume(taken);
        // Descriptors have no place here; those that came are closed.
        self.down.descriptors(0, 0)?;
        self.up.descriptors(0, 0)?;
        if !answer.is_empty() {
            self.down.push(&answer, Vec::new());
        }
        *waits_for_bus = matches!(need, Need::Bus | Need::Descriptors);
        match need {
            Need::Input | Need::Bus => {}
            Need::Descriptors => {
                if bus.ask_for_descriptors() {
                    self.up.push(BusAuth::NEGOTIATE, Vec::new());
                }
            }
            Need::Nothing => {
                let descriptors = bus.descriptors() == Some(true);
                self.up.push(BusAuth::BEGIN, Vec::new());
                self.phase = Phase::Messages { descriptors };
            }
        }
        Ok(())
    }

    /// Whether a message of this side can be judged now.
    fn passes(&self, writer: Writer) -> bool {
        match writer {
            Writer::Client => !self.client_waits() && !self.up.is_full() && !self.down.is_full(),
            Writer::Bus => !self.down.is_full(),
        }
    }

    /// Judges the messages of one side and carries the verdicts out.
    fn pass(
        &mut self,
        writer: Writer,
        descriptors: bool,
        tell: &mut Tell<'_>,
    ) -> Result<(), EndError> {
        while self.passes(writer) {
            let (from, to) = match writer {
                Writer::Client => (&mut self.down, &mut self.up),
                Writer::Bus => (&mut self.up, &mut self.down),
            };
            let Some(length) = from.message()? else { break };
            let message = Message::read(from.input().get(..length).unwrap_or_default())?;
            let (endian, declared) = (message.endian, message.descriptors);
            if declared > 0 && !descriptors {
                return Err(Malformed::Descriptors.into());
            }
            let outcome = match &mut self.session {
                Some(session) => {
                    let verdict = session.decide(writer, &message);
                    if let Some(tell) = tell {
                        tell(&Event::Judged(writer, &message, &verdict));
                    }
                    match writer {
                        Writer::Client => {
                            session.client_wrote(&message, verdict).map_err(EndError::Order)?
                        }
                        Writer::Bus => session.bus_wrote(&message, verdict),
                    }
                }
                None => Outcome::UNCHANGED,
            };
            let passed = from.descriptors(length, declared)?;
            match outcome.onward {
                Onward::Itself(patch) => {
                    if let Some((at, number)) = patch {
                        from.patch(at, endian, number);
                    }
                    to.push(from.input().get(..length).unwrap_or_default(), passed);
                }
                Onward::Instead(instead) => to.push(&instead, Vec::new()),
                Onward::Nothing => {}
            }
            from.consume(length);
            if let Some(back) = outcome.back {
                self.down.push(&back, Vec::new());
            }
            for asked in outcome.asked {
                self.up.push(&asked, Vec::new());
            }
        }
        Ok(())
    }

    /// Writes what the client can still be told.
    pub fn tell_the_last(&mut self) {
        self.down.flush();
    }

    /// Whether nothing more can come of this. What one side wrote before it
    /// left is still passed on.
    pub fn is_over(&self) -> bool {
        (self.up.has_ended() && !self.down.has_output())
            || (self.down.has_ended() && !self.up.has_output() && !self.client_waits())
    }
}
