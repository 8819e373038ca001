//! One client's conversation with the bus: carries out what [`super::decide`]
//! says, on messages, without a socket.

use std::rc::Rc;

use super::BUS;
use super::calls::{Answerer, Calls, Open, Purpose};
use super::decide::{self, Answer, Reason, Verdict, View, Writer};
use super::grammar;
use super::names::Names;
use super::rules::{Level, Rules};
use super::wire::{Argument, Draft, Kind, Message, NO_REPLY_EXPECTED, SERIAL_AT};

/// A number to be written over one of a message's own: where, and what.
pub type Patch = (usize, u32);

/// What goes on in a message's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Onward {
    /// The message, with this number changed if there is one.
    Itself(Option<Patch>),
    /// Another message.
    Instead(Vec<u8>),
    /// None.
    Nothing,
}

/// What comes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What goes to the other side.
    pub onward: Onward,
    /// What goes back to a client that called.
    pub back: Option<Vec<u8>>,
    /// What we ask the bus ourselves, behind that.
    pub asked: Vec<Vec<u8>>,
}

impl Outcome {
    /// The message goes on as it is: what comes of all where nothing is
    /// filtered.
    pub const UNCHANGED: Outcome =
        Outcome { onward: Onward::Itself(None), back: None, asked: Vec::new() };

    fn of(onward: Onward) -> Outcome {
        Outcome { onward, back: None, asked: Vec::new() }
    }
}

/// The state of one client.
#[derive(Debug)]
pub struct Session {
    rules: Rc<Rules>,
    names: Names,
    calls: Calls,
    greeted: bool,
    /// We wait for the list of all names, to learn who owns those that a
    /// rule with a star is about. Until then the client's calls wait.
    listing: bool,
    /// The serial of the last message that we wrote to the client.
    written: u32,
}

impl Session {
    /// A client that has said nothing yet.
    pub fn new(rules: Rc<Rules>, sloppy: bool) -> Session {
        Session {
            rules,
            names: Names::new(sloppy),
            calls: Calls::default(),
            greeted: false,
            listing: false,
            written: 0,
        }
    }

    /// Whether the client's messages have to wait.
    pub fn is_listing(&self) -> bool {
        self.listing
    }

    /// What becomes of a message; changes nothing.
    pub fn decide(&self, writer: Writer, message: &Message<'_>) -> Verdict {
        let view = View {
            rules: &self.rules,
            names: &self.names,
            calls: &self.calls,
            greeted: self.greeted,
        };
        decide::decide(view, writer, message)
    }

    /// Carries a verdict on a message of the client out.
    ///
    /// # Errors
    /// When the connection has to end.
    pub fn client_wrote(
        &mut self,
        message: &Message<'_>,
        verdict: Verdict,
    ) -> Result<Outcome, Reason> {
        let onward = match verdict {
            Verdict::Forward => self.renumbered(),
            Verdict::Call(purpose) => {
                let hello = purpose == Purpose::Hello;
                let serial = self.call(message, purpose);
                let onward = Onward::Itself(Some((SERIAL_AT, serial)));
                if hello {
                    self.greeted = true;
                    return Ok(Outcome { onward, back: None, asked: self.ask_for_owners() });
                }
                onward
            }
            Verdict::Match(method, rule) => {
                let serial = if message.wants_reply() {
                    self.call(message, Purpose::Client)
                } else {
                    self.calls.next_serial()
                };
                let argument = Argument::Text(&rule);
                let draft = Draft::bus_call(serial, message.flags, method, argument);
                Onward::Instead(draft.write())
            }
            Verdict::Reply => {
                if let (Some(peer), Some(reply)) = (message.destination, message.reply_serial) {
                    self.calls.client_replied(peer, reply.serial);
                }
                self.renumbered()
            }
            Verdict::Answer(answer) => {
                let back = message.wants_reply().then(|| self.answer(message.serial, &answer));
                return Ok(Outcome { back, ..Outcome::of(Onward::Nothing) });
            }
            Verdict::Names(_) | Verdict::Ours | Verdict::Drop(_) => Onward::Nothing,
            Verdict::Close(reason) => return Err(reason),
        };
        Ok(Outcome::of(onward))
    }

    /// The message itself, under a serial of ours.
    fn renumbered(&mut self) -> Onward {
        Onward::Itself(Some((SERIAL_AT, self.calls.next_serial())))
    }

    /// Notes a call of the client; gives its serial on the bus.
    fn call(&mut self, message: &Message<'_>, purpose: Purpose) -> u32 {
        let serial = self.calls.next_serial();
        let answerer = Answerer::of(message.destination);
        self.calls.call(serial, Open { serial: message.serial, answerer, purpose });
        serial
    }

    fn answer(&mut self, reply_serial: u32, answer: &Answer) -> Vec<u8> {
        self.written = self.written.wrapping_add(1).max(1);
        let error = answer.error();
        let (name, argument) = match &error {
            Some((name, text)) => (Some(*name), Argument::Text(text)),
            None => (None, Argument::Truth(false)),
        };
        Draft::bus_reply(self.written, reply_serial, self.names.own(), name, argument).write()
    }

    /// Asks the bus to be told when a name that we have a rule about changes
    /// hands, and then who owns it now: in this order, so that no change is
    /// missed.
    fn ask_for_owners(&mut self) -> Vec<Vec<u8>> {
        let rules = Rc::clone(&self.rules);
        let mut asked = Vec::new();
        for (name, subtree) in rules.names().filter(|(name, _)| *name != BUS) {
            let key = if subtree { "arg0namespace" } else { "arg0" };
            let rule = format!(
                "type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',{key}='{name}'"
            );
            let serial = self.calls.next_serial();
            let argument = Argument::Text(&rule);
            asked.push(Draft::bus_call(serial, NO_REPLY_EXPECTED, "AddMatch", argument).write());
            if subtree {
                self.listing = true;
            } else {
                asked.push(self.ask("GetNameOwner", Argument::Text(name), |name| {
                    Purpose::Owner(name.to_owned())
                }));
            }
        }
        if self.listing {
            asked.push(self.ask("ListNames", Argument::Nothing, |_| Purpose::AllNames));
        }
        asked
    }

    /// A call of ours to the bus.
    fn ask(
        &mut self,
        member: &str,
        argument: Argument<'_>,
        purpose: fn(&str) -> Purpose,
    ) -> Vec<u8> {
        let serial = self.calls.next_serial();
        let name = if let Argument::Text(name) = argument { name } else { "" };
        let open = Open { serial: 0, answerer: Answerer::Bus, purpose: purpose(name) };
        self.calls.call(serial, open);
        Draft::bus_call(serial, 0, member, argument).write()
    }

    /// Carries a verdict on a message from the bus out.
    pub fn bus_wrote(&mut self, message: &Message<'_>, verdict: Verdict) -> Outcome {
        let onward = match verdict {
            Verdict::Forward => {
                self.met(message);
                Onward::Itself(None)
            }
            Verdict::Reply => {
                self.met(message);
                match message
                    .reply_serial
                    .and_then(|reply| self.calls.close(reply.serial).map(|open| (open, reply.at)))
                {
                    Some((open, at)) => {
                        if open.purpose == Purpose::Hello && message.kind == Kind::Return {
                            self.named(message);
                        }
                        Onward::Itself(Some((at, open.serial)))
                    }
                    None => Onward::Nothing,
                }
            }
            Verdict::Names(visible) => match self.close(message) {
                Some(open) => {
                    let visible: Vec<&str> = visible.iter().map(String::as_str).collect();
                    let draft = Draft {
                        flags: message.flags,
                        ..Draft::bus_reply(
                            message.serial,
                            open.serial,
                            message.destination,
                            None,
                            Argument::Texts(&visible),
                        )
                    };
                    Onward::Instead(draft.write())
                }
                None => Onward::Nothing,
            },
            Verdict::Ours => {
                let asked = match self.close(message) {
                    Some(open) => self.learn(message, &open.purpose),
                    None => Vec::new(),
                };
                return Outcome { onward: Onward::Nothing, back: None, asked };
            }
            Verdict::Call(_)
            | Verdict::Match(..)
            | Verdict::Answer(_)
            | Verdict::Drop(_)
            | Verdict::Close(_) => Onward::Nothing,
        };
        Outcome::of(onward)
    }

    fn close(&mut self, reply: &Message<'_>) -> Option<Open> {
        self.calls.close(reply.reply_serial?.serial)
    }

    /// The bus has said Hello.
    fn named(&mut self, reply: &Message<'_>) {
        if let Some([own]) = reply.texts()
            && grammar::is_unique_name(own)
        {
            self.names.set_own(own);
        }
    }

    /// A message goes on to the client: what it tells us.
    fn met(&mut self, message: &Message<'_>) {
        let Some(sender) = message.sender else { return };
        if let Some([name, _, owner]) = decide::owner_change(message) {
            match (name.starts_with(':'), owner.is_empty()) {
                (true, true) => self.names.forget(name),
                (false, false) => self.names.learn_owner(owner, name),
                _ => {}
            }
        }
        if self.names.own() != Some(sender) {
            self.names.meet(sender);
        }
        if message.wants_reply() {
            self.calls.await_client(sender, message.serial);
        }
    }

    /// A reply to a question of ours; gives what we ask next.
    fn learn(&mut self, message: &Message<'_>, purpose: &Purpose) -> Vec<Vec<u8>> {
        let told = message.kind == Kind::Return;
        match purpose {
            Purpose::Owner(name) => {
                if let Some([owner]) = message.texts()
                    && told
                {
                    self.names.learn_owner(owner, name);
                }
                Vec::new()
            }
            Purpose::AllNames => {
                self.listing = false;
                let all = message.text_list().filter(|_| told).unwrap_or_default();
                let mut asked = Vec::new();
                for name in all {
                    if grammar::is_well_known_name(name)
                        && name != BUS
                        && self.rules.level(name) > Level::Hidden
                    {
                        asked.push(self.ask("GetNameOwner", Argument::Text(name), |name| {
                            Purpose::Owner(name.to_owned())
                        }));
                    }
                }
                asked
            }
            Purpose::Client | Purpose::Hello | Purpose::Names => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
