//! What becomes of a message: one pure function of the rules, of what the
//! client knows and of what is open. It changes nothing; the relay carries
//! the verdict out.

use std::fmt;

use super::BUS;
use super::calls::{Calls, Purpose};
use super::matching::{self, MatchError};
use super::names::Names;
use super::rules::{Level, Rules, Way};
use super::wire::{Kind, Message, NO_AUTO_START};

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// The client, which may be hostile.
    Client,
    /// The bus, for itself or for a peer.
    Bus,
}

/// What a verdict hangs on, beside the message.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// What is allowed.
    pub rules: &'a Rules,
    /// Whom the client knows.
    pub names: &'a Names,
    /// Which replies are due.
    pub calls: &'a Calls,
    /// Whether the client has said Hello.
    pub greeted: bool,
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on as it is, and nothing comes back for it.
    Forward,
    /// A call of the client goes on, and its reply is for this.
    Call(Purpose),
    /// A match rule goes on in its plain form: the method and the rule.
    Match(&'static str, String),
    /// A reply goes on and closes the call that it answers.
    Reply,
    /// A list of names goes on with only these.
    Names(Vec<String>),
    /// A reply to a call of ours; it goes no further.
    Ours,
    /// It goes nowhere, and a caller who waits is told so.
    Answer(Answer),
    /// It goes nowhere.
    Drop(Reason),
    /// The connection ends.
    Close(Reason),
}

/// What a caller is told in place of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nobody owns the name and no service provides it.
    ServiceUnknown(String),
    /// Nobody owns the name.
    NoOwner(String),
    /// Nobody owns the name, as a truth value.
    False,
    /// The name is visible, but this is not allowed.
    Denied,
    /// The arguments are not those of the method.
    Arguments,
    /// The match rule is none.
    MatchRule(MatchError),
    /// Hello was said before.
    Greeted,
    /// Too many calls are open.
    Limit,
}

impl Answer {
    /// The name and the text of the error; none for the answer "false".
    pub fn error(&self) -> Option<(&'static str, String)> {
        // What is said of hidden names is what the reference bus says of
        // names that do not exist.
        Some(match self {
            Answer::ServiceUnknown(name) => (
                "org.freedesktop.DBus.Error.ServiceUnknown",
                format!("The name {name} was not provided by any .service files"),
            ),
            Answer::NoOwner(name) => (
                "org.freedesktop.DBus.Error.NameHasNoOwner",
                format!("Could not get owner of name '{name}': no such name"),
            ),
            Answer::False => return None,
            Answer::Denied | Answer::MatchRule(MatchError::Eavesdrop) => (
                "org.freedesktop.DBus.Error.AccessDenied",
                "this application's sandbox does not allow it".to_owned(),
            ),
            Answer::Arguments => (
                "org.freedesktop.DBus.Error.InvalidArgs",
                "the arguments are not those of the method".to_owned(),
            ),
            Answer::MatchRule(MatchError::Length) => {
                ("org.freedesktop.DBus.Error.LimitsExceeded", MatchError::Length.to_string())
            }
            Answer::MatchRule(error) => {
                ("org.freedesktop.DBus.Error.MatchRuleInvalid", error.to_string())
            }
            Answer::Greeted => {
                ("org.freedesktop.DBus.Error.Failed", "Hello was said before".to_owned())
            }
            Answer::Limit => (
                "org.freedesktop.DBus.Error.LimitsExceeded",
                "too many calls wait for their replies".to_owned(),
            ),
        })
    }
}

/// Why a message goes nowhere, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The peer is hidden from the client.
    Hidden,
    /// The peer is visible, but this is not allowed.
    Denied,
    /// A reply that nobody waits for, or from the wrong peer.
    Unexpected,
    /// A call or signal that says it is a reply.
    StrayReply,
    /// Meant for somebody else.
    NotOurs,
    /// A first message that is not Hello.
    NotGreeted,
    /// The serial of a call that is still open.
    SerialOpen,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Hidden => "hidden",
            Reason::Denied => "denied",
            Reason::Unexpected => "reply to nothing",
            Reason::StrayReply => "says it is a reply and is none",
            Reason::NotOurs => "meant for somebody else",
            Reason::NotGreeted => "Hello must come first",
            Reason::SerialOpen => "the serial of a call that is still open",
        })
    }
}

/// Decides.
pub fn decide(view: View<'_>, writer: Writer, message: &Message<'_>) -> Verdict {
    match writer {
        Writer::Client => view.of_client(message),
        Writer::Bus => view.of_bus(message),
    }
}

impl View<'_> {
    fn level(&self, name: &str) -> Level {
        self.names.level(self.rules, name)
    }

    fn of_client(&self, message: &Message<'_>) -> Verdict {
        if !self.greeted {
            return if is_hello(message) {
                Verdict::Call(Purpose::Hello)
            } else {
                Verdict::Close(Reason::NotGreeted)
            };
        }
        if self.calls.is_open(message.serial) {
            return Verdict::Close(Reason::SerialOpen);
        }
        match (message.kind, message.reply_serial, message.destination) {
            (Kind::Return | Kind::Error, Some(reply), Some(peer))
                if self.calls.is_awaited(peer, reply.serial) =>
            {
                Verdict::Reply
            }
            (Kind::Return | Kind::Error, ..) => Verdict::Drop(Reason::Unexpected),
            // Only the type says what a message is.
            (Kind::Call, Some(_), _) => Verdict::Answer(Answer::Denied),
            (Kind::Signal, Some(_), _) => Verdict::Drop(Reason::StrayReply),
            (Kind::Call, None, None | Some(BUS)) => self.bus_call(message),
            (Kind::Call, None, Some(peer)) => self.peer_call(peer, message),
            (Kind::Signal, None, None) => Verdict::Forward,
            (Kind::Signal, None, Some(BUS)) => Verdict::Drop(Reason::Denied),
            (Kind::Signal, None, Some(peer)) => {
                if self.level(peer) == Level::Hidden {
                    Verdict::Drop(Reason::Hidden)
                } else if self.names.allows(self.rules, peer, Way::Call, message) {
                    Verdict::Forward
                } else {
                    Verdict::Drop(Reason::Denied)
                }
            }
        }
    }

    fn peer_call(&self, peer: &str, message: &Message<'_>) -> Verdict {
        if self.level(peer) == Level::Hidden {
            // The bus knows no services for unique names, and looks for none
            // when it is not to start any.
            return Verdict::Answer(
                if peer.starts_with(':') || message.flags & NO_AUTO_START != 0 {
                    Answer::NoOwner(peer.to_owned())
                } else {
                    Answer::ServiceUnknown(peer.to_owned())
                },
            );
        }
        if self.names.allows(self.rules, peer, Way::Call, message) {
            self.pass(message, Purpose::Client)
        } else {
            Verdict::Answer(Answer::Denied)
        }
    }

    /// A call that may go on.
    fn pass(&self, message: &Message<'_>, purpose: Purpose) -> Verdict {
        if !message.wants_reply() {
            Verdict::Forward
        } else if self.calls.is_full() {
            Verdict::Answer(Answer::Limit)
        } else {
            Verdict::Call(purpose)
        }
    }

    /// A call of a method of the bus; the table is in [`super`].
    fn bus_call(&self, message: &Message<'_>) -> Verdict {
        let member = message.member.unwrap_or_default();
        let passed = || self.pass(message, Purpose::Client);
        match (message.interface, member) {
            // Libraries ask whether anybody is there; nobody is named, so the
            // bus's own connection answers.
            (Some("org.freedesktop.DBus.Peer"), "Ping") if message.destination.is_none() => {
                passed()
            }
            // Some buses take a call to nobody for one to themselves, so
            // the table holds for it too.
            (Some("org.freedesktop.DBus.Introspectable"), "Introspect") => passed(),
            (Some(BUS), "Hello") => Verdict::Answer(Answer::Greeted),
            (Some(BUS), "AddMatch") => self.match_rule("AddMatch", message),
            (Some(BUS), "RemoveMatch") => self.match_rule("RemoveMatch", message),
            (Some(BUS), "GetId") => passed(),
            (Some(BUS), "ListNames" | "ListActivatableNames") => self.pass(message, Purpose::Names),
            (Some(BUS), "NameHasOwner") => self.name(message, Level::See, |_| Answer::False),
            (
                Some(BUS),
                "GetNameOwner"
                | "GetConnectionUnixUser"
                | "GetConnectionUnixProcessID"
                | "GetConnectionCredentials"
                | "GetConnectionSELinuxSecurityContext"
                | "GetAdtAuditSessionData",
            ) => self.name(message, Level::See, Answer::NoOwner),
            (Some(BUS), "ListQueuedOwners") => self.name(message, Level::Own, Answer::NoOwner),
            (Some(BUS), "ReleaseName") => self.name(message, Level::Own, Answer::ServiceUnknown),
            (Some(BUS), "StartServiceByName") => self.name_and_flags(message, Level::Talk),
            (Some(BUS), "RequestName") => self.name_and_flags(message, Level::Own),
            _ => Verdict::Answer(Answer::Denied),
        }
    }

    fn match_rule(&self, method: &'static str, message: &Message<'_>) -> Verdict {
        let Some([rule]) = message.texts() else { return Verdict::Answer(Answer::Arguments) };
        match matching::rewrite(rule) {
            Ok(_) if message.wants_reply() && self.calls.is_full() => {
                Verdict::Answer(Answer::Limit)
            }
            Ok(rule) => Verdict::Match(method, rule),
            Err(error) => Verdict::Answer(Answer::MatchRule(error)),
        }
    }

    fn name(&self, message: &Message<'_>, needed: Level, hidden: fn(String) -> Answer) -> Verdict {
        match message.texts() {
            Some([name]) => self.about(name, message, needed, hidden),
            None => Verdict::Answer(Answer::Arguments),
        }
    }

    fn name_and_flags(&self, message: &Message<'_>, needed: Level) -> Verdict {
        match message.text_and_number() {
            Some((name, _)) => self.about(name, message, needed, Answer::ServiceUnknown),
            None => Verdict::Answer(Answer::Arguments),
        }
    }

    fn about(
        &self,
        name: &str,
        message: &Message<'_>,
        needed: Level,
        hidden: fn(String) -> Answer,
    ) -> Verdict {
        match self.level(name) {
            Level::Hidden => Verdict::Answer(hidden(name.to_owned())),
            level if level >= needed => self.pass(message, Purpose::Client),
            _ => Verdict::Answer(Answer::Denied),
        }
    }

    fn of_bus(&self, message: &Message<'_>) -> Verdict {
        match message.kind {
            Kind::Return | Kind::Error => self.reply(message),
            Kind::Call | Kind::Signal if message.reply_serial.is_some() => {
                Verdict::Drop(Reason::StrayReply)
            }
            Kind::Call => match message.destination {
                Some(destination) if self.is_client(destination) => Verdict::Forward,
                _ => Verdict::Drop(Reason::NotOurs),
            },
            Kind::Signal => self.signal(message),
        }
    }

    /// Whether a destination is the client. It can be a name that it owns:
    /// then the bus has checked that it does.
    fn is_client(&self, destination: &str) -> bool {
        match self.names.own() {
            Some(own) if destination.starts_with(':') => destination == own,
            Some(_) => self.rules.level(destination) == Level::Own,
            None => false,
        }
    }

    fn reply(&self, message: &Message<'_>) -> Verdict {
        let open = message
            .reply_serial
            .and_then(|reply| self.calls.open_call(reply.serial, message.sender));
        match open.map(|open| &open.purpose) {
            None => Verdict::Drop(Reason::Unexpected),
            Some(Purpose::Client | Purpose::Hello) => Verdict::Reply,
            Some(Purpose::Owner(_) | Purpose::AllNames) => Verdict::Ours,
            Some(Purpose::Names) if message.kind == Kind::Error => Verdict::Reply,
            Some(Purpose::Names) => Verdict::Names(
                message
                    .text_list()
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|name| self.level(name) >= Level::See)
                    .map(str::to_owned)
                    .collect(),
            ),
        }
    }

    fn signal(&self, message: &Message<'_>) -> Verdict {
        if message.destination.is_some_and(|destination| !self.is_client(destination)) {
            return Verdict::Drop(Reason::NotOurs);
        }
        let Some(sender) = message.sender else { return Verdict::Drop(Reason::Hidden) };
        if sender == BUS {
            let told = match owner_change(message) {
                Some([name, ..]) => self.names.told_of(self.rules, name),
                // One that cannot be read says nothing to anybody.
                None => message.member != Some("NameOwnerChanged"),
            };
            return if told { Verdict::Forward } else { Verdict::Drop(Reason::Hidden) };
        }
        // What a peer sends to the client alone it sends on purpose; such a
        // peer sits behind a filter of its own if it is not to be trusted.
        if message.destination.is_some()
            || self.names.allows(self.rules, sender, Way::Broadcast, message)
        {
            Verdict::Forward
        } else if self.level(sender) == Level::Hidden {
            Verdict::Drop(Reason::Hidden)
        } else {
            Verdict::Drop(Reason::Denied)
        }
    }
}

fn is_hello(message: &Message<'_>) -> bool {
    message.wants_reply()
        && message.reply_serial.is_none()
        && message.destination == Some(BUS)
        && message.interface == Some(BUS)
        && message.member == Some("Hello")
}

/// The name, the old and the new owner that the bus tells of.
pub fn owner_change<'a>(message: &Message<'a>) -> Option<[&'a str; 3]> {
    let is_one = message.kind == Kind::Signal
        && message.sender == Some(BUS)
        && message.interface == Some(BUS)
        && message.member == Some("NameOwnerChanged");
    if is_one { message.texts() } else { None }
}

#[cfg(test)]
mod tests;
