use super::*;

/// Writes a message field by field, right or wrong, in either byte order.
struct Forge {
    endian: Endian,
    bytes: Vec<u8>,
}

impl Forge {
    fn new(endian: Endian, kind: u8) -> Forge {
        let mark = if endian == Endian::Little { b'l' } else { b'B' };
        let mut bytes = vec![mark, kind, 0, 1];
        bytes.extend(endian.write(0));
        bytes.extend(endian.write(7));
        bytes.extend(endian.write(0));
        Forge { endian, bytes }
    }

    fn align(mut self, to: usize) -> Forge {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Forge {
        self.bytes.extend_from_slice(bytes);
        self
    }

    fn text(self, code: u8, kind: u8, text: &str) -> Forge {
        let length = self.endian.write(text.len() as u32);
        self.align(8).raw(&[code, 1, kind, 0]).raw(&length).raw(text.as_bytes()).raw(&[0])
    }

    fn number(self, code: u8, number: u32) -> Forge {
        let number = self.endian.write(number);
        self.align(8).raw(&[code, 1, b'u', 0]).raw(&number)
    }

    fn signature(self, text: &str) -> Forge {
        self.align(8).raw(&[8, 1, b'g', 0, text.len() as u8]).raw(text.as_bytes()).raw(&[0])
    }

    fn end(mut self, body: &[u8]) -> Vec<u8> {
        let fields = self.endian.write((self.bytes.len() - FIXED_PART) as u32);
        self.bytes[12..16].copy_from_slice(&fields);
        let length = self.endian.write(body.len() as u32);
        self.bytes[4..8].copy_from_slice(&length);
        self.align(8).raw(body).bytes
    }
}

fn call(endian: Endian) -> Forge {
    Forge::new(endian, 1).text(1, b'o', "/a").text(3, b's', "Get")
}

#[test]
fn both_byte_orders_read_alike() {
    for endian in [Endian::Little, Endian::Big] {
        let mut body = endian.write(2).to_vec();
        body.extend(b"hi\0\0");
        body.extend(endian.write(6));
        let bytes = call(endian)
            .text(2, b's', "org.i")
            .text(6, b's', "org.a")
            .text(7, b's', ":1.5")
            .number(5, 99)
            .number(9, 3)
            .signature("su")
            .end(&body);
        let message = Message::read(&bytes).unwrap();
        assert_eq!(message.kind, Kind::Call);
        assert_eq!(message.serial, 7);
        assert_eq!(message.path, Some("/a"));
        assert_eq!(message.interface, Some("org.i"));
        assert_eq!(message.member, Some("Get"));
        assert_eq!(message.destination, Some("org.a"));
        assert_eq!(message.sender, Some(":1.5"));
        assert_eq!(message.descriptors, 3);
        assert_eq!(message.text_and_number(), Some(("hi", 6)));
        assert_eq!(message.first_text(), Some("hi"));
        assert_eq!(message.texts::<1>(), None);
        let reply = message.reply_serial.unwrap();
        assert_eq!(reply.serial, 99);
        let mut patched = bytes.clone();
        patch(&mut patched, reply.at, endian, 0x01020304);
        patch(&mut patched, SERIAL_AT, endian, 5);
        let message = Message::read(&patched).unwrap();
        assert_eq!(message.reply_serial.map(|reply| reply.serial), Some(0x01020304));
        assert_eq!(message.serial, 5);
    }
}

#[test]
fn a_length_is_known_as_soon_as_the_fixed_part_is_there() {
    let bytes = call(Endian::Big).signature("y").end(&[1]);
    for end in 0..FIXED_PART {
        assert_eq!(frame(&bytes[..end]), Ok(None), "{end} bytes");
    }
    for end in FIXED_PART..=bytes.len() {
        assert_eq!(frame(&bytes[..end]).unwrap().unwrap().total, bytes.len(), "{end} bytes");
    }
}

#[test]
fn what_no_message_begins_with_is_refused_at_the_first_byte_that_shows_it() {
    assert_eq!(frame(b"L"), Err(Malformed::ByteOrder));
    assert_eq!(frame(b"\0"), Err(Malformed::ByteOrder));
    assert_eq!(frame(b"l\0"), Err(Malformed::Kind(0)));
    assert_eq!(frame(b"l\x05"), Err(Malformed::Kind(5)));
    assert_eq!(frame(b"l\x01\0\x02"), Err(Malformed::Version));
}

#[test]
fn lengths_beyond_the_specification_are_refused_before_anything_is_kept() {
    let head = |body: u32, fields: u32| {
        let mut bytes = b"l\x01\0\x01".to_vec();
        for number in [body, 1, fields] {
            bytes.extend(number.to_le_bytes());
        }
        frame(&bytes).map(|frame| frame.unwrap().total)
    };
    let (array, message) = (ARRAY_MAX as u32, MESSAGE_MAX as u32);
    assert_eq!(head(0, array), Ok(FIXED_PART + ARRAY_MAX));
    assert_eq!(head(0, array + 1), Err(Malformed::TooLong));
    assert_eq!(head(message - 16, 0), Ok(MESSAGE_MAX));
    assert_eq!(head(message - 15, 0), Err(Malformed::TooLong));
    assert_eq!(head(u32::MAX, u32::MAX), Err(Malformed::TooLong));
}

#[test]
fn what_is_not_as_the_specification_says_is_refused() {
    let le = Endian::Little;
    let good = || call(le);
    let cases: Vec<(&str, Vec<u8>, Malformed)> = vec![
        ("unknown field", good().text(10, b's', "x").end(&[]), Malformed::UnknownField(10)),
        ("field 0", good().text(0, b's', "x").end(&[]), Malformed::UnknownField(0)),
        ("path twice", good().text(1, b'o', "/b").end(&[]), Malformed::DoubleField(1)),
        ("path as s", Forge::new(le, 1).text(1, b's', "/a").end(&[]), Malformed::FieldType(1)),
        ("serial as s", good().text(5, b's', "x").end(&[]), Malformed::FieldType(5)),
        (
            "variant of two types",
            good().align(8).raw(&[6, 2, b's', b's', 0, 0, 0, 0]).end(&[]),
            Malformed::FieldType(6),
        ),
        ("bad destination", good().text(6, b's', "org").end(&[]), Malformed::FieldValue(6)),
        ("bad sender", good().text(7, b's', "").end(&[]), Malformed::FieldValue(7)),
        ("bad interface", good().text(2, b's', "a").end(&[]), Malformed::FieldValue(2)),
        ("bad signature", good().signature("a").end(&[1]), Malformed::FieldValue(8)),
        ("zero in a text", good().text(6, b's', "org.a\0b").end(&[]), Malformed::Text),
        (
            "no zero behind a text",
            good().align(8).raw(&[6, 1, b's', 0, 1, 0, 0, 0, b'a', b'b']).end(&[]),
            Malformed::Text,
        ),
        (
            "not UTF-8",
            good().align(8).raw(&[6, 1, b's', 0, 1, 0, 0, 0, 0xff, 0]).end(&[]),
            Malformed::Text,
        ),
        (
            "text leads out of the fields",
            good().align(8).raw(&[6, 1, b's', 0, 255, 0, 0, 0, b'a', 0]).end(&[0; 300]),
            Malformed::Length,
        ),
        (
            "text longer than memory",
            good().align(8).raw(&[6, 1, b's', 0, 255, 255, 255, 255, b'a', 0]).end(&[]),
            Malformed::Length,
        ),
        ("half a field", good().align(8).raw(&[6]).end(&[]), Malformed::Length),
        ("reply to 0", good().number(5, 0).end(&[]), Malformed::Serial),
        ("254 descriptors", good().number(9, 254).end(&[]), Malformed::Descriptors),
        ("body without signature", good().end(&[1]), Malformed::Body),
        ("signature without body", good().signature("s").end(&[]), Malformed::Body),
        (
            "call without path",
            Forge::new(le, 1).text(3, b's', "Get").end(&[]),
            Malformed::MissingField,
        ),
        (
            "call without member",
            Forge::new(le, 1).text(1, b'o', "/").end(&[]),
            Malformed::MissingField,
        ),
        ("return of nothing", Forge::new(le, 2).end(&[]), Malformed::MissingField),
        ("error without name", Forge::new(le, 3).number(5, 1).end(&[]), Malformed::MissingField),
        (
            "error for nothing",
            Forge::new(le, 3).text(4, b's', "a.b").end(&[]),
            Malformed::MissingField,
        ),
        (
            "signal without interface",
            Forge::new(le, 4).text(1, b'o', "/").text(3, b's', "S").end(&[]),
            Malformed::MissingField,
        ),
        (
            "local path",
            Forge::new(le, 1)
                .text(1, b'o', "/org/freedesktop/DBus/Local")
                .text(3, b's', "Get")
                .end(&[]),
            Malformed::Local,
        ),
        (
            "local interface",
            good().text(2, b's', "org.freedesktop.DBus.Local").end(&[]),
            Malformed::Local,
        ),
    ];
    for (name, bytes, error) in cases {
        assert_eq!(Message::read(&bytes), Err(error), "{name}");
    }
    assert!(Message::read(&good().number(9, 253).end(&[])).is_ok());
}

#[test]
fn padding_that_is_not_zero_is_refused() {
    let good = call(Endian::Little).signature("y").end(&[1]);
    assert!(Message::read(&good).is_ok());
    // "/a" ends at 16 + 8 + 3 = 27, the next field begins at 32.
    for at in 27..32 {
        let mut bytes = good.clone();
        bytes[at] = 1;
        assert_eq!(Message::read(&bytes), Err(Malformed::Padding), "byte {at}");
    }
    // The last byte before the body is padding behind the signature.
    let mut bytes = good.clone();
    let last = bytes.len() - 2;
    bytes[last] = 1;
    assert_eq!(Message::read(&bytes), Err(Malformed::Padding));
}

#[test]
fn a_zero_serial_and_a_cut_or_longer_message_are_refused() {
    let good = call(Endian::Little).end(&[]);
    let mut zero = good.clone();
    zero[8..12].fill(0);
    assert_eq!(Message::read(&zero), Err(Malformed::Serial));
    for end in 0..good.len() {
        assert_eq!(Message::read(&good[..end]), Err(Malformed::Length), "cut at {end}");
    }
    let mut longer = good;
    longer.push(0);
    assert_eq!(Message::read(&longer), Err(Malformed::Length));
}

#[test]
fn our_own_messages_read_back() {
    let bytes = Draft::bus_call(3, NO_REPLY_EXPECTED, "AddMatch", Argument::Text("a='b'")).write();
    let message = Message::read(&bytes).unwrap();
    assert!(!message.wants_reply());
    assert_eq!(message.destination, Some("org.freedesktop.DBus"));
    assert_eq!(message.texts(), Some(["a='b'"]));

    for list in [&[][..], &["a"], &["a", "", "bcd"]] {
        let bytes = Draft::bus_reply(4, 9, Some(":1.5"), None, Argument::Texts(list)).write();
        let message = Message::read(&bytes).unwrap();
        assert_eq!(message.kind, Kind::Return);
        assert_eq!(message.text_list().as_deref(), Some(list));
    }

    let bytes = Draft::bus_reply(4, 9, None, Some("a.Error"), Argument::Text("why")).write();
    let message = Message::read(&bytes).unwrap();
    assert_eq!((message.kind, message.error_name), (Kind::Error, Some("a.Error")));
    assert_eq!(message.first_text(), Some("why"));

    let bytes = Draft::bus_reply(4, 9, None, None, Argument::Truth(true)).write();
    assert_eq!(Message::read(&bytes).unwrap().body, [1, 0, 0, 0]);
}

#[test]
fn arguments_that_lie_about_their_length_are_none() {
    let le = Endian::Little;
    let with = |signature: &str, body: &[u8]| call(le).signature(signature).end(body);
    for (signature, body) in [
        ("s", &b"\x05\0\0\0hi\0"[..]),
        ("s", b"\x02\0\0\0hi\0x"),
        ("s", b"\x02\0\0\0hix"),
        ("s", b"\xff\xff\xff\xffhi\0"),
        ("su", b"\x02\0\0\0hi\0"),
        ("as", b"\xff\0\0\0\x02\0\0\0hi\0"),
        ("as", b"\x07\0\0\0\x09\0\0\0hi\0"),
    ] {
        let bytes = with(signature, body);
        let message = Message::read(&bytes).unwrap();
        assert_eq!(message.texts::<1>(), None, "{body:?}");
        assert_eq!(message.text_and_number(), None, "{body:?}");
        assert_eq!(message.text_list(), None, "{body:?}");
    }
}

#[test]
fn no_single_changed_byte_makes_the_reader_panic() {
    let bytes = call(Endian::Little)
        .text(2, b's', "org.i")
        .text(6, b's', "org.a")
        .number(5, 99)
        .signature("as")
        .end(b"\x07\0\0\0\x02\0\0\0hi\0");
    for at in 0..bytes.len() {
        for value in 0..=255 {
            let mut changed = bytes.clone();
            changed[at] = value;
            if let Ok(message) = Message::read(&changed) {
                let _ = (message.first_text(), message.text_list(), message.text_and_number());
            }
        }
    }
}
