//! The bytes of messages: reading headers that a hostile program wrote, and
//! writing the few messages that are ours.
//!
//! Reading borrows from the message and allocates nothing. It is strict where
//! the specification lets a reader be lenient, because a message that two
//! readers can take differently is how filters are passed by:
//!
//! * a field comes at most once, and a field that we do not know is refused,
//! * padding is zero,
//! * a body has a signature, and a signature has a body,
//! * the path and interface that libraries use for themselves
//!   (`org.freedesktop.DBus.Local`) never come over the wire.

use super::grammar;

/// The bytes of a header that come before its fields.
pub const FIXED_PART: usize = 16;

/// The longest message, header and body.
pub const MESSAGE_MAX: usize = 128 << 20;

/// The longest array, and so the longest run of header fields.
pub const ARRAY_MAX: usize = 64 << 20;

/// How many descriptors a message may carry: what one `sendmsg` takes.
pub const DESCRIPTORS_MAX: usize = 253;

/// The caller wants no reply.
pub const NO_REPLY_EXPECTED: u8 = 1;

/// The bus is not to start a service for this message.
pub const NO_AUTO_START: u8 = 2;

/// Where in every message its serial stands.
pub const SERIAL_AT: usize = 8;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Neither `l` nor `B`.
    #[error("the byte order is neither l nor B")]
    ByteOrder,
    /// Not version 1 of the protocol.
    #[error("the protocol's version is not 1")]
    Version,
    /// A type of message that does not exist.
    #[error("unknown message type {0}")]
    Kind(u8),
    /// More than the specification allows.
    #[error("longer than the specification allows")]
    TooLong,
    /// The serial 0.
    #[error("a serial is zero")]
    Serial,
    /// A length that leads out of the message.
    #[error("a length leads out of the message")]
    Length,
    /// Padding that is not zero.
    #[error("padding is not zero")]
    Padding,
    /// A header field that we do not know.
    #[error("unknown header field {0}")]
    UnknownField(u8),
    /// A header field that comes twice.
    #[error("header field {0} comes twice")]
    DoubleField(u8),
    /// A header field of another type than the specification says.
    #[error("header field {0} has the wrong type")]
    FieldType(u8),
    /// A header field whose value is not valid.
    #[error("header field {0} is not valid")]
    FieldValue(u8),
    /// A header field that this type of message must have.
    #[error("a required header field is missing")]
    MissingField,
    /// A text that is not UTF-8, contains a zero byte or does not end in one.
    #[error("a text is not valid")]
    Text,
    /// A body without a signature or the other way round.
    #[error("body and signature do not go together")]
    Body,
    /// The path or interface that libraries keep for themselves.
    #[error("the local path and interface never travel")]
    Local,
    /// Fewer descriptors came than the header says, or too many.
    #[error("the number of descriptors is not the one that the header says")]
    Descriptors,
}

/// The order of the bytes in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    /// Least significant first.
    Little,
    /// Most significant first.
    Big,
}

impl Endian {
    fn of(mark: u8) -> Result<Endian, Malformed> {
        match mark {
            b'l' => Ok(Endian::Little),
            b'B' => Ok(Endian::Big),
            _ => Err(Malformed::ByteOrder),
        }
    }

    /// Reads a number.
    fn read(self, bytes: [u8; 4]) -> u32 {
        match self {
            Endian::Little => u32::from_le_bytes(bytes),
            Endian::Big => u32::from_be_bytes(bytes),
        }
    }

    /// Writes a number.
    pub fn write(self, number: u32) -> [u8; 4] {
        match self {
            Endian::Little => number.to_le_bytes(),
            Endian::Big => number.to_be_bytes(),
        }
    }
}

/// The four types of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A call of a method.
    Call,
    /// What a method gives back.
    Return,
    /// Why a method gives nothing back.
    Error,
    /// News, to one or to all.
    Signal,
}

impl Kind {
    fn of(code: u8) -> Result<Kind, Malformed> {
        match code {
            1 => Ok(Kind::Call),
            2 => Ok(Kind::Return),
            3 => Ok(Kind::Error),
            4 => Ok(Kind::Signal),
            other => Err(Malformed::Kind(other)),
        }
    }

    fn code(self) -> u8 {
        match self {
            Kind::Call => 1,
            Kind::Return => 2,
            Kind::Error => 3,
            Kind::Signal => 4,
        }
    }
}

/// How long a message is, and where its body begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Byte order.
    endian: Endian,
    /// The end of the header fields.
    fields_end: usize,
    /// Where the body begins.
    body: usize,
    /// All of the message.
    pub total: usize,
}

/// Reads how long the message is that begins here, as soon as its fixed part
/// is there. Bytes that can be no message are refused at the first of them.
///
/// # Errors
/// When no message begins so.
pub fn frame(bytes: &[u8]) -> Result<Option<Frame>, Malformed> {
    let Some(&mark) = bytes.first() else { return Ok(None) };
    let endian = Endian::of(mark)?;
    if let Some(&code) = bytes.get(1) {
        Kind::of(code)?;
    }
    if bytes.get(3).is_some_and(|&version| version != 1) {
        return Err(Malformed::Version);
    }
    let (Some(body), Some(fields)) = (number(bytes, 4, endian), number(bytes, 12, endian)) else {
        return Ok(None);
    };
    if body as usize > MESSAGE_MAX || fields as usize > ARRAY_MAX {
        return Err(Malformed::TooLong);
    }
    let fields_end = FIXED_PART + fields as usize;
    let start = fields_end.next_multiple_of(8);
    let total = start + body as usize;
    if total > MESSAGE_MAX {
        return Err(Malformed::TooLong);
    }
    Ok(Some(Frame { endian, fields_end, body: start, total }))
}

fn number(bytes: &[u8], at: usize, endian: Endian) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(endian.read(four.try_into().ok()?))
}

/// A reply's number, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplySerial {
    /// The serial of the call that is replied to.
    pub serial: u32,
    /// The offset of its four bytes in the message.
    pub at: usize,
}

/// A message, its header read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its byte order.
    pub endian: Endian,
    /// Its type.
    pub kind: Kind,
    /// Its flags, also those that we do not know.
    pub flags: u8,
    /// Its serial, never 0.
    pub serial: u32,
    /// The object.
    pub path: Option<&'a str>,
    /// The interface.
    pub interface: Option<&'a str>,
    /// The method or signal.
    pub member: Option<&'a str>,
    /// The name of the error.
    pub error_name: Option<&'a str>,
    /// What is replied to.
    pub reply_serial: Option<ReplySerial>,
    /// To whom.
    pub destination: Option<&'a str>,
    /// From whom; the bus says so.
    pub sender: Option<&'a str>,
    /// The types of the body.
    pub signature: &'a str,
    /// How many descriptors come with it.
    pub descriptors: u32,
    /// The body, unread.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads the header of a message that is all there.
    ///
    /// # Errors
    /// When anything is not as the specification and the head of this file say.
    pub fn read(bytes: &'a [u8]) -> Result<Message<'a>, Malformed> {
        let frame = frame(bytes)?.ok_or(Malformed::Length)?;
        if bytes.len() != frame.total {
            return Err(Malformed::Length);
        }
        let (Some(&code), Some(&flags)) = (bytes.get(1), bytes.get(2)) else {
            return Err(Malformed::Length);
        };
        let serial = number(bytes, SERIAL_AT, frame.endian).ok_or(Malformed::Length)?;
        if serial == 0 {
            return Err(Malformed::Serial);
        }
        let mut message = Message {
            endian: frame.endian,
            kind: Kind::of(code)?,
            flags,
            serial,
            path: None,
            interface: None,
            member: None,
            error_name: None,
            reply_serial: None,
            destination: None,
            sender: None,
            signature: "",
            descriptors: 0,
            body: bytes.get(frame.body..).ok_or(Malformed::Length)?,
        };
        let fields = bytes.get(..frame.fields_end).ok_or(Malformed::Length)?;
        message.read_fields(Reader { bytes: fields, at: FIXED_PART, endian: frame.endian })?;
        // The padding before the body belongs to no field.
        Reader { bytes, at: frame.fields_end, endian: frame.endian }.align(8)?;
        message.check()?;
        Ok(message)
    }

    fn read_fields(&mut self, mut reader: Reader<'a>) -> Result<(), Malformed> {
        let mut seen = 0u16;
        while !reader.is_empty() {
            reader.align(8)?;
            let code = reader.byte()?;
            let expected = match code {
                1 => b'o',
                2 | 3 | 4 | 6 | 7 => b's',
                5 | 9 => b'u',
                8 => b'g',
                other => return Err(Malformed::UnknownField(other)),
            };
            if seen & (1 << code) != 0 {
                return Err(Malformed::DoubleField(code));
            }
            seen |= 1 << code;
            if (reader.byte()?, reader.byte()?, reader.byte()?) != (1, expected, 0) {
                return Err(Malformed::FieldType(code));
            }
            match expected {
                b'u' => {
                    let value = reader.number()?;
                    let at = reader.at - 4;
                    match code {
                        5 if value == 0 => return Err(Malformed::Serial),
                        5 => self.reply_serial = Some(ReplySerial { serial: value, at }),
                        _ => self.descriptors = value,
                    }
                }
                b'g' => {
                    self.signature = reader.signature()?;
                    if !grammar::is_signature(self.signature) {
                        return Err(Malformed::FieldValue(code));
                    }
                }
                _ => {
                    let text = reader.text()?;
                    let (slot, valid): (_, fn(&str) -> bool) = match code {
                        1 => (&mut self.path, grammar::is_object_path),
                        2 => (&mut self.interface, grammar::is_interface),
                        3 => (&mut self.member, grammar::is_member),
                        4 => (&mut self.error_name, grammar::is_interface),
                        6 => (&mut self.destination, grammar::is_bus_name),
                        _ => (&mut self.sender, grammar::is_bus_name),
                    };
                    if !valid(text) {
                        return Err(Malformed::FieldValue(code));
                    }
                    *slot = Some(text);
                }
            }
        }
        Ok(())
    }

    /// What must be there, and what must not.
    fn check(&self) -> Result<(), Malformed> {
        let complete = match self.kind {
            Kind::Call => self.path.is_some() && self.member.is_some(),
            Kind::Return => self.reply_serial.is_some(),
            Kind::Error => self.reply_serial.is_some() && self.error_name.is_some(),
            Kind::Signal => {
                self.path.is_some() && self.interface.is_some() && self.member.is_some()
            }
        };
        if !complete {
            return Err(Malformed::MissingField);
        }
        if self.path == Some("/org/freedesktop/DBus/Local")
            || self.interface == Some("org.freedesktop.DBus.Local")
        {
            return Err(Malformed::Local);
        }
        if self.signature.is_empty() != self.body.is_empty() {
            return Err(Malformed::Body);
        }
        if self.descriptors as usize > DESCRIPTORS_MAX {
            return Err(Malformed::Descriptors);
        }
        Ok(())
    }

    /// Whether this is a call whose caller waits.
    pub fn wants_reply(&self) -> bool {
        self.kind == Kind::Call && self.flags & NO_REPLY_EXPECTED == 0
    }

    /// The first argument, when it is a text.
    pub fn first_text(&self) -> Option<&'a str> {
        if !self.signature.starts_with('s') {
            return None;
        }
        self.reader().text().ok()
    }

    /// The arguments, when they are texts, as many as asked for, and nothing
    /// else.
    pub fn texts<const N: usize>(&self) -> Option<[&'a str; N]> {
        if self.signature.len() != N || !self.signature.bytes().all(|code| code == b's') {
            return None;
        }
        let mut reader = self.reader();
        let mut found = [""; N];
        for slot in &mut found {
            *slot = reader.text().ok()?;
        }
        reader.is_empty().then_some(found)
    }

    /// The arguments, when they are a text and a number.
    pub fn text_and_number(&self) -> Option<(&'a str, u32)> {
        if self.signature != "su" {
            return None;
        }
        let mut reader = self.reader();
        let found = (reader.text().ok()?, reader.number().ok()?);
        reader.is_empty().then_some(found)
    }

    /// The one argument, when it is a list of texts.
    pub fn text_list(&self) -> Option<Vec<&'a str>> {
        if self.signature != "as" {
            return None;
        }
        let mut reader = self.reader();
        let length = reader.number().ok()? as usize;
        if length > ARRAY_MAX || reader.rest() != length {
            return None;
        }
        let mut found = Vec::new();
        while !reader.is_empty() {
            found.push(reader.text().ok()?);
        }
        Some(found)
    }

    fn reader(&self) -> Reader<'a> {
        // A body begins at a multiple of 8, so offsets in it align as in the
        // message.
        Reader { bytes: self.body, at: 0, endian: self.endian }
    }
}

/// Reads values one after the other and never past the end.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    endian: Endian,
}

impl<'a> Reader<'a> {
    fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn rest(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed::Length)?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed::Length)?;
        self.at = end;
        Ok(taken)
    }

    fn align(&mut self, to: usize) -> Result<(), Malformed> {
        let padding = self.take(self.at.next_multiple_of(to) - self.at)?;
        if padding.iter().any(|&byte| byte != 0) {
            return Err(Malformed::Padding);
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.take(1)?.first().copied().ok_or(Malformed::Length)
    }

    fn number(&mut self) -> Result<u32, Malformed> {
        self.align(4)?;
        let four = self.take(4)?.try_into().map_err(|_| Malformed::Length)?;
        Ok(self.endian.read(four))
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.number()? as usize;
        self.terminated(length)
    }

    fn signature(&mut self) -> Result<&'a str, Malformed> {
        let length = usize::from(self.byte()?);
        self.terminated(length)
    }

    fn terminated(&mut self, length: usize) -> Result<&'a str, Malformed> {
        let bytes = self.take(length)?;
        if self.byte()? != 0 || bytes.contains(&0) {
            return Err(Malformed::Text);
        }
        std::str::from_utf8(bytes).map_err(|_| Malformed::Text)
    }
}

/// The body of a message of ours.
#[derive(Debug, Clone, Copy)]
pub enum Argument<'a> {
    /// No body.
    Nothing,
    /// A text.
    Text(&'a str),
    /// A truth value.
    Truth(bool),
    /// A list of texts.
    Texts(&'a [&'a str]),
}

/// A message of ours, before it is bytes.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Its type.
    pub kind: Kind,
    /// Its flags.
    pub flags: u8,
    /// Its serial, not 0.
    pub serial: u32,
    /// The object.
    pub path: Option<&'a str>,
    /// The interface.
    pub interface: Option<&'a str>,
    /// The method or signal.
    pub member: Option<&'a str>,
    /// The name of the error.
    pub error_name: Option<&'a str>,
    /// What is replied to.
    pub reply_serial: Option<u32>,
    /// To whom.
    pub destination: Option<&'a str>,
    /// From whom.
    pub sender: Option<&'a str>,
    /// The body.
    pub argument: Argument<'a>,
}

impl<'a> Draft<'a> {
    /// A call of a method of the bus itself.
    pub fn bus_call(serial: u32, flags: u8, member: &'a str, argument: Argument<'a>) -> Draft<'a> {
        Draft {
            kind: Kind::Call,
            flags,
            serial,
            path: Some("/org/freedesktop/DBus"),
            interface: Some(super::BUS),
            member: Some(member),
            error_name: None,
            reply_serial: None,
            destination: Some(super::BUS),
            sender: None,
            argument,
        }
    }

    /// A reply that looks as if the bus had written it.
    pub fn bus_reply(
        serial: u32,
        reply_serial: u32,
        destination: Option<&'a str>,
        error_name: Option<&'a str>,
        argument: Argument<'a>,
    ) -> Draft<'a> {
        Draft {
            kind: if error_name.is_some() { Kind::Error } else { Kind::Return },
            flags: NO_REPLY_EXPECTED,
            serial,
            path: None,
            interface: None,
            member: None,
            error_name,
            reply_serial: Some(reply_serial),
            destination,
            sender: Some(super::BUS),
            argument,
        }
    }

    /// The bytes of the message.
    pub fn write(&self) -> Vec<u8> {
        let mut body = Writer { bytes: Vec::new() };
        let signature = match self.argument {
            Argument::Nothing => None,
            Argument::Text(text) => {
                body.text(text);
                Some("s")
            }
            Argument::Truth(truth) => {
                body.number(u32::from(truth));
                Some("b")
            }
            Argument::Texts(texts) => {
                body.number(0);
                for text in texts {
                    body.text(text);
                }
                let length = (body.bytes.len() - 4) as u32;
                body.patch(0, length);
                Some("as")
            }
        };
        let mut writer = Writer { bytes: Vec::with_capacity(256 + body.bytes.len()) };
        writer.bytes.extend_from_slice(&[b'l', self.kind.code(), self.flags, 1]);
        writer.number(body.bytes.len() as u32);
        writer.number(self.serial);
        writer.number(0);
        let texts = [
            (1, b'o', self.path),
            (2, b's', self.interface),
            (3, b's', self.member),
            (4, b's', self.error_name),
            (6, b's', self.destination),
            (7, b's', self.sender),
        ];
        for (code, kind, text) in texts {
            if let Some(text) = text {
                writer.field(code, kind);
                writer.text(text);
            }
        }
        if let Some(serial) = self.reply_serial {
            writer.field(5, b'u');
            writer.number(serial);
        }
        if let Some(signature) = signature {
            writer.field(8, b'g');
            writer.bytes.push(signature.len() as u8);
            writer.bytes.extend_from_slice(signature.as_bytes());
            writer.bytes.push(0);
        }
        let fields = (writer.bytes.len() - FIXED_PART) as u32;
        writer.patch(12, fields);
        writer.align(8);
        writer.bytes.extend_from_slice(&body.bytes);
        writer.bytes
    }
}

struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.bytes.extend_from_slice(&Endian::Little.write(number));
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
    }

    fn field(&mut self, code: u8, kind: u8) {
        self.align(8);
        self.bytes.extend_from_slice(&[code, 1, kind, 0]);
    }

    fn patch(&mut self, at: usize, number: u32) {
        patch(&mut self.bytes, at, Endian::Little, number);
    }
}

/// Writes a number over the four bytes at an offset that a reader gave.
pub fn patch(bytes: &mut [u8], at: usize, endian: Endian, number: u32) {
    for (to, from) in bytes.iter_mut().skip(at).zip(endian.write(number)) {
        *to = from;
    }
}

#[cfg(test)]
mod tests;
