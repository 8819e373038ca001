//! The codec of messages beside zbus's. What ours accepts theirs accepts, and
//! reads the same in it.
//!
//! The other way round ours is stricter; [`refused`] lists how, and why.

use pinfold::proxy::wire::{self, Argument, Draft, Endian, Kind, Malformed, Message};
use zbus::wire::serialized::{Context, Data};

pub fn holds(bytes: &[u8]) {
    let whole = wire::frame(bytes);
    frames_grow(bytes, &whole);
    // Readers of a stream cut it where the frame says.
    let bytes = match whole {
        Ok(Some(frame)) => bytes.get(..frame.total).unwrap_or(bytes),
        _ => bytes,
    };
    match Message::read(bytes) {
        Ok(message) => {
            agrees(&message, bytes);
            body_agrees(&message);
            changes_nothing_else(&message, bytes);
            writes_itself(&message);
        }
        Err(error) => refused(error, bytes),
    }
}

/// A longer prefix of a stream says no other than a shorter one.
fn frames_grow(bytes: &[u8], whole: &Result<Option<wire::Frame>, Malformed>) {
    for length in 0..bytes.len().min(wire::FIXED_PART) {
        match wire::frame(&bytes[..length]) {
            Ok(None) => {}
            Ok(Some(_)) => panic!("a frame of {length} bytes"),
            Err(_) => assert!(whole.is_err(), "{length} bytes are refused, all are not"),
        }
    }
    if let Ok(Some(frame)) = whole {
        assert!((wire::FIXED_PART..=wire::MESSAGE_MAX).contains(&frame.total));
    }
}

/// What zbus reads of a header: the fixed part, and each field as text.
type Header = (u8, u8, u8, u8, u32, u32, Vec<(u8, zbus::OwnedVariant)>);

fn context(bytes: &[u8]) -> Option<Context> {
    match bytes.first()? {
        b'l' => Some(Context::new(zbus::wire::Endian::Little, 0)),
        b'B' => Some(Context::new(zbus::wire::Endian::Big, 0)),
        _ => None,
    }
}

fn theirs(bytes: &[u8]) -> Option<Header> {
    let data = Data::new(bytes, context(bytes)?);
    data.deserialize::<Header>().ok().map(|(header, _)| header)
}

fn field(header: &Header, code: u8) -> Option<String> {
    let (_, value) = header.6.iter().find(|(found, _)| *found == code)?;
    let text = match &**value {
        zbus::Variant::Str(text) => text.to_string(),
        zbus::Variant::ObjectPath(path) => path.to_string(),
        zbus::Variant::Signature(signature) => signature.to_string_no_parens(),
        zbus::Variant::U32(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    Some(text)
}

/// What we read of a header is what zbus reads.
fn agrees(message: &Message<'_>, bytes: &[u8]) {
    let header = theirs(bytes).unwrap_or_else(|| panic!("zbus reads no header of {bytes:?}"));
    let own = |text: Option<&str>| text.map(str::to_owned);
    let signature = Some(message.signature).filter(|text| !text.is_empty());
    let pairs = [
        (1, own(message.path)),
        (2, own(message.interface)),
        (3, own(message.member)),
        (4, own(message.error_name)),
        (5, message.reply_serial.map(|reply| reply.serial.to_string())),
        (6, own(message.destination)),
        (7, own(message.sender)),
        (8, own(signature)),
        (9, Some(message.descriptors.to_string()).filter(|_| message.descriptors > 0)),
    ];
    for (code, ours) in pairs {
        let theirs = field(&header, code).filter(|text| !text.is_empty());
        let theirs = theirs.filter(|text| code != 9 || text != "0");
        // Theirs takes a signature in parentheses for its contents.
        let ours = match (&ours, code) {
            (Some(text), 8) => {
                let plain = zbus::Signature::try_from(text.as_str()).expect("a signature");
                Some(plain.to_string_no_parens())
            }
            _ => ours,
        };
        assert_eq!(ours, theirs, "field {code}");
    }
    for code in [1, 2, 3, 4, 6, 7] {
        let text = field(&header, code);
        assert!(text.is_none_or(|text| is_name(code, &text)), "field {code}");
    }
    assert_eq!((code(message.kind), message.flags, 1), (header.1, header.2, header.3));
    assert_eq!(message.body.len() as u32, header.4);
    assert_eq!(message.serial, header.5);
}

fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Call => 1,
        Kind::Return => 2,
        Kind::Error => 3,
        Kind::Signal => 4,
    }
}

/// What we read of a body is what zbus reads.
fn body_agrees(message: &Message<'_>) {
    let endian = match message.endian {
        Endian::Little => zbus::wire::Endian::Little,
        Endian::Big => zbus::wire::Endian::Big,
    };
    let data = Data::new(message.body, Context::new(endian, 0));
    if let Some([text]) = message.texts() {
        let (read, length) = data.deserialize::<&str>().expect("a text");
        assert_eq!((read, length), (text, message.body.len()));
    }
    if let Some([first, second, third]) = message.texts() {
        let (read, length) = data.deserialize::<(&str, &str, &str)>().expect("three texts");
        assert_eq!((read, length), ((first, second, third), message.body.len()));
    }
    if let Some(pair) = message.text_and_number() {
        let (read, length) = data.deserialize::<(&str, u32)>().expect("a text and a number");
        assert_eq!((read, length), (pair, message.body.len()));
    }
    if let Some(list) = message.text_list() {
        let (read, length) = data.deserialize::<Vec<&str>>().expect("a list");
        assert_eq!((read, length), (list, message.body.len()));
    }
    if let Some(text) = message.first_text() {
        let (read, _) = data.deserialize::<&str>().expect("a text");
        assert_eq!(read, text);
    }
}

/// New serials change serials and nothing else.
fn changes_nothing_else(message: &Message<'_>, bytes: &[u8]) {
    let mut changed = bytes.to_vec();
    wire::patch(&mut changed, wire::SERIAL_AT, message.endian, 0x1234_5678);
    let mut wanted = *message;
    wanted.serial = 0x1234_5678;
    if let Some(reply) = &mut wanted.reply_serial {
        wire::patch(&mut changed, reply.at, message.endian, 0x9abc_def0);
        reply.serial = 0x9abc_def0;
    }
    assert_eq!(Message::read(&changed), Ok(wanted));
}

/// Written anew, a message without a body, or with one text, is the same, and
/// written from that once more it has the same bytes.
fn writes_itself(message: &Message<'_>) {
    let argument = match (message.signature, message.texts()) {
        ("", _) => Argument::Nothing,
        (_, Some([text])) => Argument::Text(text),
        _ => return,
    };
    let draft = |message: &Message<'_>, argument| {
        Draft {
            kind: message.kind,
            flags: message.flags,
            serial: message.serial,
            path: message.path,
            interface: message.interface,
            member: message.member,
            error_name: message.error_name,
            reply_serial: message.reply_serial.map(|reply| reply.serial),
            destination: message.destination,
            sender: message.sender,
            argument,
        }
        .write()
    };
    let bytes = draft(message, argument);
    let again = Message::read(&bytes).expect("our own message");
    let at = again.reply_serial.map_or(0, |reply| reply.at);
    let wanted = Message {
        endian: Endian::Little,
        descriptors: 0,
        body: again.body,
        reply_serial: message.reply_serial.map(|reply| wire::ReplySerial { at, ..reply }),
        ..*message
    };
    assert_eq!(again, wanted);
    assert_eq!(again.texts::<1>(), message.texts::<1>());
    assert_eq!(draft(&again, argument), bytes);
}

/// Where ours refuses what zbus reads, zbus sees the reason too.
///
/// | ours refuses | why zbus's reader does not |
/// |---|---|
/// | another version, unknown types, the serial 0 | to it these are plain numbers |
/// | lengths that are not those of the message | it stops behind the header fields |
/// | padding that is not zero behind the fields | the same |
/// | a text or a signature that does not end in a zero byte | it steps over that byte |
/// | unknown fields, and fields of other types | the specification lets a reader pass over them; two readers could know different ones |
/// | a field that comes twice | it keeps both, and the first or the last could be taken |
/// | names and paths that are none | they are checked where they are used |
/// | missing fields, the local path and interface | its messages check these, its reader does not |
/// | a body without a signature | nobody could read it |
/// | more than 253 descriptors | no socket takes that many |
fn refused(error: Malformed, bytes: &[u8]) {
    let Some(header) = theirs(bytes) else { return };
    let (_, kind, _, version, body, serial, fields) = &header;
    let count = |code: u8| fields.iter().filter(|(found, _)| *found == code).count();
    let text = |code: u8| field(&header, code).unwrap_or_default();
    let seen = match error {
        Malformed::ByteOrder => false,
        Malformed::Version => *version != 1,
        Malformed::Kind(code) => *kind == code && !(1..=4).contains(&code),
        Malformed::Serial => *serial == 0 || (count(5) > 0 && text(5) == "0"),
        Malformed::UnknownField(code) => count(code) > 0 && !(1..=9).contains(&code),
        Malformed::DoubleField(code) => count(code) > 1,
        Malformed::FieldValue(code) => count(code) > 0 && !is_name(code, &text(code)),
        Malformed::MissingField => {
            let needed: &[u8] = [&[1, 3][..], &[5], &[4, 5], &[1, 2, 3]][usize::from(*kind) - 1];
            needed.iter().any(|code| count(*code) == 0)
        }
        Malformed::Local => {
            text(1) == "/org/freedesktop/DBus/Local" || text(2) == "org.freedesktop.DBus.Local"
        }
        Malformed::Body => (*body == 0) != text(8).is_empty(),
        Malformed::Descriptors => text(9).parse::<u32>().is_ok_and(|count| count > 253),
        // What lies behind the fields, and the end of a text or of a
        // signature, it does not see.
        Malformed::TooLong
        | Malformed::Length
        | Malformed::Padding
        | Malformed::Text
        | Malformed::FieldType(_) => true,
    };
    assert!(seen, "{error}, but zbus reads {header:?}");
}

/// Whether zbus takes a text for what a header field of this number holds.
fn is_name(code: u8, text: &str) -> bool {
    match code {
        1 => zbus::ObjectPath::try_from(text).is_ok(),
        2 => zbus::names::InterfaceName::try_from(text).is_ok(),
        3 => zbus::names::MemberName::try_from(text).is_ok(),
        4 => zbus::names::ErrorName::try_from(text).is_ok(),
        _ => zbus::names::BusName::try_from(text).is_ok(),
    }
}
