//! The handshake: bytes of the client and of the bus, in pieces of any size
//! and in any order between the two, end as they do in one piece; and no more
//! of them waits than one line.

use pinfold::proxy::auth::{AuthError, BusAuth, ClientAuth, Need};

use super::draw::Draw;

/// The longest line, with its end.
const LINE_MAX: usize = 16 * 1024;

/// Who the client is.
const UID: u32 = 1000;

/// How a conversation ended: what the client was answered, how much of what
/// it wrote was taken, and what it waits for.
type End = (Vec<u8>, usize, Need);

pub fn holds(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let passes_descriptors = draw.flag();
    let cuts: Vec<u16> = (0..draw.below(16)).map(|_| u16::from_le_bytes(draw.bytes())).collect();
    // Of the bus's answers, so many come after each piece of the client's.
    let pace = draw.byte();
    let input = longer(draw.rest());
    let whole = talk(&[&input], u8::MAX, passes_descriptors);
    assert_eq!(talk(&pieces(&input, &cuts), pace, passes_descriptors), whole);
    if let Ok((answer, taken, Need::Nothing)) = &whole {
        let said = &input[..*taken];
        assert!(said.ends_with(b"\r\nBEGIN\r\n"), "{said:?}");
        assert!(answer.windows(4).any(|four| four == b"\nOK ") || answer.starts_with(b"OK "));
        let named = said.windows(8).any(|eight| eight == b"31303030");
        assert!(
            named
                || said.windows(7).any(|seven| seven == b"DATA\r\nB" || seven == b"DATA\r\nN")
                || said.windows(6).any(|six| six == b"DATA\r\n"),
            "{said:?}"
        );
    }
    of_the_bus(&input, &cuts);
}

/// Long lines out of short inputs: a byte that no line can hold stands for a
/// thousand that one can.
fn longer(bytes: &[u8]) -> Vec<u8> {
    let mut input = Vec::new();
    for &byte in bytes {
        match byte {
            0xff if input.len() < 1 << 18 => input.extend([b'A'; 1021]),
            other => input.push(other),
        }
    }
    input
}

fn pieces<'a>(input: &'a [u8], cuts: &[u16]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> =
        cuts.iter().map(|cut| usize::from(*cut) % (input.len() + 1)).collect();
    cuts.push(0);
    cuts.push(input.len());
    cuts.sort_unstable();
    cuts.windows(2).map(|two| &input[two[0]..two[1]]).collect()
}

/// A client that writes these pieces, before a bus that writes its answers at
/// this pace.
fn talk(pieces: &[&[u8]], pace: u8, passes_descriptors: bool) -> Result<End, AuthError> {
    let guid = "0123456789abcdef0123456789abcdef";
    let mut due = format!("DATA\r\nOK {guid}\r\n").into_bytes();
    let mut of_bus = Vec::new();
    let mut bus = BusAuth::new();
    let mut client = ClientAuth::new(UID);
    let (mut input, mut answer, mut all) = (Vec::new(), Vec::new(), 0);
    let mut pieces = pieces.iter();
    loop {
        let piece = pieces.next();
        input.extend_from_slice(piece.unwrap_or(&&[][..]));
        // At the end the bus says all that it has to say.
        let now = if piece.is_some() { usize::from(pace) } else { due.len() };
        of_bus.extend(due.drain(..now.min(due.len())));
        let taken = bus.advance(&of_bus)?;
        of_bus.drain(..taken);
        let (taken, need) = client.advance(&input, &bus, &mut answer)?;
        input.drain(..taken);
        all += taken;
        match need {
            Need::Nothing => return Ok((answer, all, need)),
            Need::Input => {
                assert!(input.len() < LINE_MAX, "{} bytes wait", input.len());
                if piece.is_none() && due.is_empty() {
                    return Ok((answer, all, need));
                }
            }
            // Asked once, the bus answers once.
            Need::Descriptors => {
                if bus.ask_for_descriptors() {
                    let said: &[u8] =
                        if passes_descriptors { b"AGREE_UNIX_FD\r\n" } else { b"ERROR\r\n" };
                    due.extend_from_slice(said);
                }
            }
            Need::Bus => assert_eq!(bus.guid(), None, "the bus has answered"),
        }
    }
}

/// The bytes as if the bus had written them.
fn of_the_bus(input: &[u8], cuts: &[u16]) {
    let read = |pieces: &[&[u8]]| {
        let mut bus = BusAuth::new();
        let mut held = Vec::new();
        for piece in pieces {
            held.extend_from_slice(piece);
            let taken = bus.advance(&held)?;
            held.drain(..taken);
            assert!(held.len() < LINE_MAX, "{} bytes wait", held.len());
        }
        Ok::<_, AuthError>((bus.guid().map(str::to_owned), bus.descriptors(), held))
    };
    assert_eq!(read(&pieces(input, cuts)), read(&[input]));
}
