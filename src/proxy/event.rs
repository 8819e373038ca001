//! What the relay tells of: each message with its verdict, and connections
//! that end.

use std::fmt;

use crate::sys::Errno;

use super::client::EndError;
use super::decide::{Verdict, Writer};
use super::wire::Message;

/// What an observer is told.
#[derive(Debug)]
pub enum Event<'a> {
    /// A message was judged.
    Judged(Writer, &'a Message<'a>, &'a Verdict),
    /// A client's connection was ended by us.
    Ended(EndError),
    /// A client came and the bus cannot be reached.
    NoBus(Errno),
    /// A client came that is another user.
    Stranger(u32),
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Judged(writer, message, verdict) => judged(f, *writer, message, verdict),
            Event::Ended(error) => write!(f, "connection ended: {error}"),
            Event::NoBus(errno) => write!(f, "cannot reach the bus: {errno}"),
            Event::Stranger(uid) => write!(f, "refused a connection of user {uid}"),
        }
    }
}

/// One line on a message: who, what, to whom, and what became of it. All
/// texts in it are names by the specification's grammar, which are safe to
/// print.
fn judged(
    f: &mut fmt::Formatter<'_>,
    writer: Writer,
    message: &Message<'_>,
    verdict: &Verdict,
) -> fmt::Result {
    let (arrow, peer) = match writer {
        Writer::Client => ("->", message.destination.unwrap_or("all")),
        Writer::Bus => ("<-", message.sender.unwrap_or("nobody")),
    };
    write!(f, "{arrow} {peer} {:?} {}", message.kind, message.serial)?;
    if let Some(member) = message.member {
        write!(f, " {}.{member}", message.interface.unwrap_or("*"))?;
    }
    if let Some(path) = message.path {
        write!(f, " at {path}")?;
    }
    if let Some(reply) = message.reply_serial {
        write!(f, " to {}", reply.serial)?;
    }
    match verdict {
        Verdict::Answer(answer) => match answer.error() {
            Some((name, _)) => write!(f, ": refused, {name}"),
            None => write!(f, ": answered no"),
        },
        Verdict::Drop(reason) => write!(f, ": dropped, {reason}"),
        Verdict::Close(reason) => write!(f, ": ends the connection, {reason}"),
        Verdict::Ours => write!(f, ": ours"),
        Verdict::Forward
        | Verdict::Call(_)
        | Verdict::Match(..)
        | Verdict::Reply
        | Verdict::Names(_) => write!(f, ": passed"),
    }
}

/// Who is told what happens.
pub type Observer = Box<dyn FnMut(&Event<'_>)>;
