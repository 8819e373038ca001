//! The handshake before the first message, spoken by us on both sides.
//!
//! Nothing that a client writes here reaches the bus, and nothing that the bus
//! writes reaches the client: each side's lines end here and are answered, or
//! asked, in words of ours. So there is no line that the client, the filter
//! and the bus could read in three ways, and no byte after BEGIN that the bus
//! could still take for a line.
//!
//! To the client we are a server that knows one mechanism, EXTERNAL, for one
//! user: the one that this process runs as, as the kernel says it. To the bus
//! we are a client that says EXTERNAL without naming a user, which is right in
//! every user namespace.
//!
//! Lines end in CR LF, begin with a capital letter and are printable ASCII;
//! BEGIN stands alone. Anything else ends the connection.

/// The longest line, with its end.
const LINE_MAX: usize = 16 * 1024;

/// How many lines a client may write before BEGIN.
const LINES_MAX: u32 = 64;

/// Why a handshake ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The first byte is not zero.
    #[error("the handshake does not begin with a zero byte")]
    FirstByte,
    /// No end within 16 KiB.
    #[error("a line of the handshake is too long")]
    LineLength,
    /// More lines than any client needs.
    #[error("the handshake has too many lines")]
    Lines,
    /// A character that has no place in the handshake, or a line end that is
    /// not CR LF.
    #[error("a line of the handshake is not plain text")]
    Character,
    /// BEGIN before it was allowed, or with something behind it.
    #[error("BEGIN out of place")]
    Begin,
    /// The bus does not let us in, or says what it should not.
    #[error("the bus refused the handshake")]
    Bus,
}

/// Takes one line off the front of `input`, without its end. Gives how many
/// bytes it took.
fn line(input: &[u8]) -> Result<Option<(&str, usize)>, AuthError> {
    let searched = input.get(..LINE_MAX).unwrap_or(input);
    let Some(end) = searched.iter().position(|&byte| !(b' '..=b'~').contains(&byte)) else {
        return if input.len() >= LINE_MAX { Err(AuthError::LineLength) } else { Ok(None) };
    };
    match searched.get(end..) {
        Some([b'\r']) if searched.len() < LINE_MAX => return Ok(None),
        Some([b'\r']) => return Err(AuthError::LineLength),
        Some([b'\r', b'\n', ..]) => {}
        _ => return Err(AuthError::Character),
    }
    let text = searched.get(..end).and_then(|line| std::str::from_utf8(line).ok());
    match text {
        Some(text) if text.starts_with(|first: char| first.is_ascii_uppercase()) => {
            Ok(Some((text, end + 2)))
        }
        _ => Err(AuthError::Character),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The zero byte has not come.
    First,
    /// AUTH has not succeeded.
    Mechanism,
    /// AUTH EXTERNAL came without a name; DATA brings it or nothing.
    Data,
    /// BEGIN may come.
    Begin,
}

/// What the relay has to do for a client's handshake to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// More bytes from the client.
    Input,
    /// The bus's answer to AUTH, to go on with what has come already.
    Bus,
    /// The bus has to be asked whether it passes descriptors.
    Descriptors,
    /// Nothing: messages follow.
    Nothing,
}

/// The handshake with a client.
#[derive(Debug)]
pub struct ClientAuth {
    turn: Turn,
    lines: u32,
    uid: u32,
}

impl ClientAuth {
    /// A client that the kernel says is this user.
    pub fn new(uid: u32) -> ClientAuth {
        ClientAuth { turn: Turn::First, lines: 0, uid }
    }

    /// Takes what it can off the front of `input`, and writes answers. Gives
    /// how many bytes it took and what it needs to go on.
    ///
    /// # Errors
    /// When the connection has to end.
    pub fn advance(
        &mut self,
        input: &[u8],
        bus: &BusAuth,
        answer: &mut Vec<u8>,
    ) -> Result<(usize, Need), AuthError> {
        let mut taken = 0;
        loop {
            let rest = input.get(taken..).unwrap_or_default();
            if self.turn == Turn::First {
                match rest.first() {
                    None => return Ok((taken, Need::Input)),
                    Some(0) => taken += 1,
                    Some(_) => return Err(AuthError::FirstByte),
                }
                self.turn = Turn::Mechanism;
                continue;
            }
            let Some((line, length)) = line(rest)? else { return Ok((taken, Need::Input)) };
            // The answer to AUTH has the bus's identity in it, and whether
            // descriptors pass is for the bus to say.
            let Some(guid) = bus.guid() else { return Ok((taken, Need::Bus)) };
            let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
            if word == "NEGOTIATE_UNIX_FD" && self.turn == Turn::Begin && argument.is_empty() {
                match bus.descriptors() {
                    None => return Ok((taken, Need::Descriptors)),
                    Some(true) => answer.extend_from_slice(b"AGREE_UNIX_FD\r\n"),
                    Some(false) => answer.extend_from_slice(b"ERROR\r\n"),
                }
                taken += length;
                self.count()?;
                continue;
            }
            taken += length;
            self.count()?;
            if line.starts_with("BEGIN") {
                return if line == "BEGIN" && self.turn == Turn::Begin {
                    Ok((taken, Need::Nothing))
                } else {
                    Err(AuthError::Begin)
                };
            }
            self.answer(word, argument, guid, answer);
        }
    }

    fn count(&mut self) -> Result<(), AuthError> {
        self.lines += 1;
        if self.lines > LINES_MAX { Err(AuthError::Lines) } else { Ok(()) }
    }

    fn answer(&mut self, word: &str, argument: &str, guid: &str, answer: &mut Vec<u8>) {
        let (turn, text) = match (word, self.turn) {
            ("AUTH", Turn::Mechanism) => match argument.split_once(' ') {
                Some(("EXTERNAL", name)) => self.judge(name, guid),
                None if argument == "EXTERNAL" => (Turn::Data, "DATA".to_owned()),
                _ => (Turn::Mechanism, "REJECTED EXTERNAL".to_owned()),
            },
            ("DATA", Turn::Data) if argument.is_empty() => (Turn::Begin, format!("OK {guid}")),
            ("DATA", Turn::Data) => self.judge(argument, guid),
            ("CANCEL" | "ERROR", Turn::Data | Turn::Begin) => {
                (Turn::Mechanism, "REJECTED EXTERNAL".to_owned())
            }
            (_, turn) => (turn, "ERROR".to_owned()),
        };
        self.turn = turn;
        answer.extend_from_slice(text.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }

    /// Whether the user that the client says it is, in hexadecimal digits of
    /// decimal digits, is the one that the kernel says it is.
    fn judge(&self, name: &str, guid: &str) -> (Turn, String) {
        let own: String =
            self.uid.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        if name == own {
            (Turn::Begin, format!("OK {guid}"))
        } else {
            (Turn::Mechanism, "REJECTED EXTERNAL".to_owned())
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    /// The bus has not answered AUTH.
    Mechanism,
    /// It has let us in.
    In,
    /// It was asked whether it passes descriptors.
    Asked,
    /// It has said whether it does.
    Told(bool),
}

/// The handshake with the bus.
#[derive(Debug)]
pub struct BusAuth {
    progress: Progress,
    guid: Option<String>,
}

impl BusAuth {
    /// What is sent first: the zero byte, EXTERNAL without a name, and the
    /// empty name when it is asked for.
    pub const OPENING: &'static [u8] = b"\0AUTH EXTERNAL\r\nDATA\r\n";

    /// What asks for descriptors.
    pub const NEGOTIATE: &'static [u8] = b"NEGOTIATE_UNIX_FD\r\n";

    /// What ends the handshake.
    pub const BEGIN: &'static [u8] = b"BEGIN\r\n";

    /// The opening has been sent.
    pub fn new() -> BusAuth {
        BusAuth { progress: Progress::Mechanism, guid: None }
    }

    /// The identity of the bus, once it has let us in.
    pub fn guid(&self) -> Option<&str> {
        self.guid.as_deref()
    }

    /// Whether the bus passes descriptors, once it has said so.
    pub fn descriptors(&self) -> Option<bool> {
        match self.progress {
            Progress::Told(answer) => Some(answer),
            _ => None,
        }
    }

    /// [`BusAuth::NEGOTIATE`] is to be sent: true the first time.
    pub fn ask_for_descriptors(&mut self) -> bool {
        let first = self.progress == Progress::In;
        if first {
            self.progress = Progress::Asked;
        }
        first
    }

    /// Takes the bus's answers off the front of `input`; gives how many bytes
    /// it took.
    ///
    /// # Errors
    /// When the bus refuses, or says what was not asked.
    pub fn advance(&mut self, input: &[u8]) -> Result<usize, AuthError> {
        let mut taken = 0;
        while let Some((line, length)) = line(input.get(taken..).unwrap_or_default())? {
            taken += length;
            let (word, argument) = line.split_once(' ').unwrap_or((line, ""));
            match (&self.progress, word) {
                (Progress::Mechanism, "DATA") if argument.is_empty() => {}
                (Progress::Mechanism, "OK") if is_guid(argument) => {
                    self.guid = Some(argument.to_owned());
                    self.progress = Progress::In;
                }
                (Progress::Asked, "AGREE_UNIX_FD") => self.progress = Progress::Told(true),
                (Progress::Asked, "ERROR") => self.progress = Progress::Told(false),
                _ => return Err(AuthError::Bus),
            }
        }
        Ok(taken)
    }
}

impl Default for BusAuth {
    fn default() -> BusAuth {
        BusAuth::new()
    }
}

fn is_guid(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "0123456789abcdef0123456789abcdef";

    /// A bus that has let us in and passes descriptors.
    fn bus() -> BusAuth {
        BusAuth { progress: Progress::Told(true), guid: Some(GUID.to_owned()) }
    }

    /// What a client that is user 1000 gets for what it writes.
    fn talk(input: &[u8]) -> Result<(usize, Need, String), AuthError> {
        let mut answer = Vec::new();
        let (taken, need) = ClientAuth::new(1000).advance(input, &bus(), &mut answer)?;
        Ok((taken, need, String::from_utf8(answer).unwrap()))
    }

    const WHOLE: &[u8] = b"\0AUTH EXTERNAL 31303030\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";

    #[test]
    fn a_whole_handshake_in_one_write_leaves_the_messages_behind_it() {
        let mut input = WHOLE.to_vec();
        input.extend_from_slice(b"l\x01BEGIN\r\n");
        let (taken, need, answer) = talk(&input).unwrap();
        assert_eq!((taken, need), (WHOLE.len(), Need::Nothing));
        assert_eq!(answer, format!("OK {GUID}\r\nAGREE_UNIX_FD\r\n"));
    }

    #[test]
    fn a_handshake_split_anywhere_goes_the_same_way() {
        let (_, _, whole) = talk(WHOLE).unwrap();
        for split in 0..WHOLE.len() {
            let mut auth = ClientAuth::new(1000);
            let mut answer = Vec::new();
            let (taken, need) = auth.advance(&WHOLE[..split], &bus(), &mut answer).unwrap();
            assert_eq!(need, Need::Input, "split at {split}");
            let (rest, need) = auth.advance(&WHOLE[taken..], &bus(), &mut answer).unwrap();
            assert_eq!((taken + rest, need), (WHOLE.len(), Need::Nothing), "split at {split}");
            assert_eq!(answer, whole.as_bytes(), "split at {split}");
        }
    }

    #[test]
    fn only_the_user_that_the_kernel_names_gets_in() {
        for (line, expected) in [
            ("AUTH EXTERNAL 31303030", format!("OK {GUID}")),
            ("AUTH EXTERNAL 30", "REJECTED EXTERNAL".to_owned()),
            ("AUTH EXTERNAL 313030", "REJECTED EXTERNAL".to_owned()),
            ("AUTH EXTERNAL 3130303030", "REJECTED EXTERNAL".to_owned()),
            ("AUTH EXTERNAL  31303030", "REJECTED EXTERNAL".to_owned()),
            ("AUTH EXTERNAL 31303030 ", "REJECTED EXTERNAL".to_owned()),
            ("AUTH external 31303030", "REJECTED EXTERNAL".to_owned()),
            ("AUTH DBUS_COOKIE_SHA1 31303030", "REJECTED EXTERNAL".to_owned()),
            ("AUTH ANONYMOUS", "REJECTED EXTERNAL".to_owned()),
            ("AUTH", "REJECTED EXTERNAL".to_owned()),
            ("AUTH EXTERNAL\r\nDATA", format!("DATA\r\nOK {GUID}")),
            ("AUTH EXTERNAL\r\nDATA 31303030", format!("DATA\r\nOK {GUID}")),
            ("AUTH EXTERNAL\r\nDATA 30", "DATA\r\nREJECTED EXTERNAL".to_owned()),
            ("AUTH EXTERNAL\r\nCANCEL", "DATA\r\nREJECTED EXTERNAL".to_owned()),
            ("DATA", "ERROR".to_owned()),
            ("NEGOTIATE_UNIX_FD", "ERROR".to_owned()),
            ("XYZZY", "ERROR".to_owned()),
        ] {
            let (_, need, answer) = talk(format!("\0{line}\r\n").as_bytes()).unwrap();
            assert_eq!((need, answer), (Need::Input, format!("{expected}\r\n")), "{line:?}");
        }
    }

    #[test]
    fn what_is_no_line_ends_the_connection() {
        let first = AuthError::FirstByte;
        let character = AuthError::Character;
        for (input, error) in [
            (&b"AUTH EXTERNAL\r\n"[..], first),
            (b"\0\0AUTH\r\n", character),
            (b"\0 AUTH\r\n", character),
            (b"\0\tAUTH\r\n", character),
            (b"\0auth\r\n", character),
            (b"\0\r\n", character),
            (b"\0AUTH\n", character),
            (b"\0AUTH\rX", character),
            (b"\0AUTH\tEXTERNAL\r\n", character),
            (b"\0AUTH \x80\r\n", character),
            (b"\0BEGIN\r\n", AuthError::Begin),
            (b"\0AUTH EXTERNAL 31303030\r\nBEGIN \r\n", AuthError::Begin),
            (b"\0AUTH EXTERNAL 31303030\r\nBEGIN now\r\n", AuthError::Begin),
            (b"\0AUTH EXTERNAL 31303030\r\nBEGINNING\r\n", AuthError::Begin),
            (b"\0AUTH EXTERNAL 31303030\r\nBEGIN\n", character),
            (b"\0AUTH EXTERNAL 31303030\r\n BEGIN\r\n", character),
            (b"\0AUTH EXTERNAL\r\nBEGIN\r\n", AuthError::Begin),
            (b"\0AUTH EXTERNAL 31303030\r\nCANCEL\r\nBEGIN\r\n", AuthError::Begin),
        ] {
            assert_eq!(talk(input), Err(error), "{:?}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn a_line_is_limited_and_so_are_lines() {
        let long = |length: usize| {
            let mut input = b"\0".to_vec();
            input.resize(1 + length, b'A');
            input
        };
        assert_eq!(talk(&long(LINE_MAX - 1)).map(|(_, need, _)| need), Ok(Need::Input));
        assert_eq!(talk(&long(LINE_MAX)), Err(AuthError::LineLength));
        let mut many = b"\0".to_vec();
        many.extend(b"X\r\n".repeat(LINES_MAX as usize));
        assert!(talk(&many).is_ok());
        many.extend(b"X\r\n");
        assert_eq!(talk(&many), Err(AuthError::Lines));
    }

    #[test]
    fn nothing_is_answered_before_the_bus_has_let_us_in() {
        let mut answer = Vec::new();
        let mut bus = BusAuth::new();
        let mut client = ClientAuth::new(1000);
        assert_eq!(client.advance(WHOLE, &bus, &mut answer), Ok((1, Need::Bus)));
        assert!(answer.is_empty());
        let greeting = format!("DATA\r\nOK {GUID}\r\n");
        assert_eq!(bus.advance(greeting.as_bytes()), Ok(greeting.len()));
        let (taken, need) = client.advance(&WHOLE[1..], &bus, &mut answer).unwrap();
        assert_eq!(need, Need::Descriptors);
        assert!(bus.ask_for_descriptors());
        assert!(!bus.ask_for_descriptors());
        assert_eq!(bus.advance(b"ERROR\r\n"), Ok(7));
        let (rest, need) = client.advance(&WHOLE[1 + taken..], &bus, &mut answer).unwrap();
        assert_eq!((1 + taken + rest, need), (WHOLE.len(), Need::Nothing));
        assert_eq!(answer, format!("OK {GUID}\r\nERROR\r\n").as_bytes());
    }

    #[test]
    fn a_bus_that_says_anything_else_is_left() {
        for input in [
            &b"REJECTED EXTERNAL\r\n"[..],
            b"ERROR\r\n",
            b"OK\r\n",
            b"OK 0123\r\n",
            b"AGREE_UNIX_FD\r\n",
            b"DATA 00\r\n",
        ] {
            assert_eq!(BusAuth::new().advance(input), Err(AuthError::Bus));
        }
        let twice = format!("OK {GUID}\r\nOK {GUID}\r\n");
        assert_eq!(BusAuth::new().advance(twice.as_bytes()), Err(AuthError::Bus));
    }
}
