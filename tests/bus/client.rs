//! A D-Bus client that writes whatever it is told to, byte by byte if need
//! be. It shares no code with the filter for writing; for reading it uses the
//! filter's strict reader, so that all that comes out of the filter is held
//! against it too.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use pinfold::proxy::wire::{self, Endian, Kind};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

/// How long a reply may take.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The name of the bus.
pub const BUS: &str = "org.freedesktop.DBus";

/// A message to be written.
#[derive(Debug, Clone)]
pub struct Message {
    pub endian: Endian,
    pub kind: u8,
    pub flags: u8,
    pub serial: u32,
    pub path: Option<String>,
    pub interface: Option<String>,
    pub member: Option<String>,
    pub error: Option<String>,
    pub reply_serial: Option<u32>,
    pub destination: Option<String>,
    pub descriptors: u32,
    pub signature: String,
    pub body: Vec<u8>,
}

impl Message {
    fn new(kind: u8) -> Message {
        Message {
            endian: Endian::Little,
            kind,
            flags: 0,
            serial: 0,
            path: None,
            interface: None,
            member: None,
            error: None,
            reply_serial: None,
            destination: None,
            descriptors: 0,
            signature: String::new(),
            body: Vec::new(),
        }
    }

    pub fn call(destination: &str, path: &str, interface: &str, member: &str) -> Message {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Message {
            destination: some(destination),
            path: some(path),
            interface: some(interface),
            member: some(member),
            ..Message::new(1)
        }
    }

    pub fn bus(member: &str) -> Message {
        Message::call(BUS, "/org/freedesktop/DBus", BUS, member)
    }

    pub fn signal(path: &str, interface: &str, member: &str) -> Message {
        Message { kind: 4, ..Message::call("", path, interface, member) }
    }

    pub fn returned(destination: &str, reply_serial: u32) -> Message {
        Message {
            destination: Some(destination.to_owned()),
            reply_serial: Some(reply_serial),
            ..Message::new(2)
        }
    }

    pub fn failed(destination: &str, reply_serial: u32) -> Message {
        Message {
            kind: 3,
            error: Some("org.pinfold.Error".to_owned()),
            ..Message::returned(destination, reply_serial)
        }
    }

    pub fn flags(mut self, flags: u8) -> Message {
        self.flags = flags;
        self
    }

    pub fn to(mut self, destination: &str) -> Message {
        self.destination = Some(destination.to_owned());
        self
    }

    pub fn text(mut self, text: &str) -> Message {
        self.signature.push('s');
        self.number_in_body(text.len() as u32);
        self.body.extend_from_slice(text.as_bytes());
        self.body.push(0);
        self
    }

    pub fn number(mut self, number: u32) -> Message {
        self.signature.push('u');
        self.number_in_body(number);
        self
    }

    fn number_in_body(&mut self, number: u32) {
        self.body.resize(self.body.len().next_multiple_of(4), 0);
        self.body.extend(self.endian.write(number));
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![if self.endian == Endian::Little { b'l' } else { b'B' }];
        out.extend([self.kind, self.flags, 1]);
        out.extend(self.endian.write(self.body.len() as u32));
        out.extend(self.endian.write(self.serial));
        out.extend([0; 4]);
        let texts = [
            (1, b'o', &self.path),
            (2, b's', &self.interface),
            (3, b's', &self.member),
            (4, b's', &self.error),
            (6, b's', &self.destination),
        ];
        for (code, kind, text) in texts {
            if let Some(text) = text {
                out.resize(out.len().next_multiple_of(8), 0);
                out.extend([code, 1, kind, 0]);
                out.extend(self.endian.write(text.len() as u32));
                out.extend(text.as_bytes());
                out.push(0);
            }
        }
        for (code, number) in [(5, self.reply_serial.unwrap_or(0)), (9, self.descriptors)] {
            if number != 0 {
                out.resize(out.len().next_multiple_of(8), 0);
                out.extend([code, 1, b'u', 0]);
                out.extend(self.endian.write(number));
            }
        }
        if !self.signature.is_empty() {
            out.resize(out.len().next_multiple_of(8), 0);
            out.extend([8, 1, b'g', 0, self.signature.len() as u8]);
            out.extend(self.signature.as_bytes());
            out.push(0);
        }
        let fields = (out.len() - 16) as u32;
        out[12..16].copy_from_slice(&self.endian.write(fields));
        out.resize(out.len().next_multiple_of(8), 0);
        out.extend(&self.body);
        out
    }
}

/// A message that came.
#[derive(Debug)]
pub struct Got {
    pub kind: Kind,
    pub serial: u32,
    pub reply_serial: Option<u32>,
    pub interface: Option<String>,
    pub member: Option<String>,
    pub error: Option<String>,
    pub sender: Option<String>,
    /// The texts of the body, if it is made of texts.
    pub texts: Vec<String>,
    pub body: Vec<u8>,
    pub descriptors: Vec<OwnedFd>,
}

/// What waiting gave.
#[derive(Debug)]
pub enum Came {
    Message(Got),
    Nothing,
    Closed,
}

/// A connection.
pub struct Client {
    pub socket: UnixStream,
    pub name: String,
    pub endian: Endian,
    serial: u32,
    buffer: Vec<u8>,
    descriptors: VecDeque<OwnedFd>,
    /// What came while something else was waited for.
    pub aside: VecDeque<Got>,
}

impl Client {
    /// A bare socket, to misbehave on from the first byte.
    pub fn raw(path: &Path) -> Client {
        let socket = UnixStream::connect(path)
            .unwrap_or_else(|error| panic!("cannot connect to {}: {error}", path.display()));
        Client::on(socket)
    }

    /// The same for an abstract name.
    pub fn raw_abstract(name: &str) -> Client {
        let address = SocketAddr::from_abstract_name(name).expect("a name");
        Client::on(UnixStream::connect_addr(&address).expect("connecting"))
    }

    fn on(socket: UnixStream) -> Client {
        Client {
            socket,
            name: String::new(),
            endian: Endian::Little,
            serial: 0,
            buffer: Vec::new(),
            descriptors: VecDeque::new(),
            aside: VecDeque::new(),
        }
    }

    /// A client that has shaken hands and said nothing yet.
    pub fn authenticated(path: &Path) -> Client {
        Client::raw(path).shake_hands()
    }

    /// Shakes hands one line at a time: xdg-dbus-proxy 0.1.4 takes no
    /// handshake in one piece.
    fn shake_hands(mut self) -> Client {
        let handshake = handshake();
        let mut lines = handshake.split_inclusive(|&byte| byte == b'\n');
        self.write(lines.next().unwrap_or_default());
        let answer = self.line();
        assert!(answer.starts_with("OK "), "AUTH was answered {answer:?}");
        self.write(lines.next().unwrap_or_default());
        assert_eq!(self.line(), "AGREE_UNIX_FD");
        self.write(lines.next().unwrap_or_default());
        self
    }

    /// A client that has said Hello.
    pub fn new(path: &Path) -> Client {
        Client::greeted(Client::raw(path))
    }

    /// Shakes hands on a bare socket and says Hello.
    pub fn greeted(client: Client) -> Client {
        let mut client = client.shake_hands();
        client.hello();
        client
    }

    /// Says Hello after so many lines of a handshake that was written.
    pub fn hello_after_lines(&mut self, lines: usize) {
        for _ in 0..lines {
            assert!(!self.line().is_empty(), "the handshake was answered");
        }
        self.hello();
    }

    /// All that comes until the other side closes; none if it does not.
    pub fn last_bytes(&mut self) -> Option<Vec<u8>> {
        let (bytes, closed) = self.all_until(Instant::now() + PATIENCE);
        closed.then_some(bytes)
    }

    /// All that comes until then, and whether the other side has closed.
    pub fn all_until(&mut self, deadline: Instant) -> (Vec<u8>, bool) {
        while self.read_once(deadline) {}
        (std::mem::take(&mut self.buffer), Instant::now() < deadline)
    }

    pub fn hello(&mut self) {
        let reply = self.call(Message::bus("Hello"));
        self.name = reply.texts.first().expect("Hello gives a name").clone();
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("writing to the socket");
    }

    /// Writes, and does not mind that nobody reads any more.
    pub fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).is_ok()
    }

    /// A line of the handshake.
    pub fn line(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
                self.buffer.drain(..end + 2);
                return line;
            }
            if !self.read_once(deadline) {
                return String::new();
            }
        }
    }

    /// Goes on with serials that nobody else uses: what a forger quotes is
    /// then not taken for a reply to a call of ours.
    pub fn skip_serials(&mut self) {
        self.serial += 1000;
    }

    pub fn next_serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    /// Sends a message under the next serial, unless it has one.
    pub fn send(&mut self, mut message: Message) -> u32 {
        message.endian = self.endian;
        if message.serial == 0 {
            message.serial = self.next_serial();
        }
        let _ = self.try_write(&message.bytes());
        message.serial
    }

    /// Sends bytes with descriptors.
    pub fn send_with(&mut self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> bool {
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
        match rustix::net::sendmsg(
            &self.socket,
            &[IoSlice::new(bytes)],
            &mut control,
            SendFlags::NOSIGNAL,
        ) {
            Ok(sent) => self.try_write(&bytes[sent..]),
            Err(_) => false,
        }
    }

    /// Reads once; false when nothing comes in time or ever again.
    fn read_once(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        self.socket.set_read_timeout(Some(left)).expect("a timeout");
        let mut bytes = vec![0; 64 * 1024];
        let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let result = rustix::net::recvmsg(
            self.socket.as_fd(),
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        );
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                self.descriptors.extend(rights);
            }
        }
        match result {
            Ok(received) if received.bytes > 0 => {
                self.buffer.extend_from_slice(&bytes[..received.bytes]);
                true
            }
            _ => false,
        }
    }

    /// The next message.
    pub fn receive(&mut self, patience: Duration) -> Came {
        let deadline = Instant::now() + patience;
        loop {
            let frame = wire::frame(&self.buffer).expect("what the filter writes is a message");
            if let Some(total) = frame.map(|frame| frame.total).filter(|&t| t <= self.buffer.len())
            {
                let bytes: Vec<u8> = self.buffer.drain(..total).collect();
                return Came::Message(self.read(&bytes));
            }
            if !self.read_once(deadline) {
                return if Instant::now() >= deadline { Came::Nothing } else { Came::Closed };
            }
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Got {
        let message = wire::Message::read(bytes).expect("what the filter writes is a message");
        let own = |text: Option<&str>| text.map(str::to_owned);
        let texts = message
            .text_list()
            .or_else(|| message.texts::<3>().map(|texts| texts.to_vec()))
            .or_else(|| message.first_text().map(|text| vec![text]))
            .unwrap_or_default();
        let count = (message.descriptors as usize).min(self.descriptors.len());
        assert_eq!(count, message.descriptors as usize, "descriptors come with their message");
        Got {
            kind: message.kind,
            serial: message.serial,
            reply_serial: message.reply_serial.map(|reply| reply.serial),
            interface: own(message.interface),
            member: own(message.member),
            error: own(message.error_name),
            sender: own(message.sender),
            texts: texts.into_iter().map(str::to_owned).collect(),
            body: message.body.to_vec(),
            descriptors: self.descriptors.drain(..count).collect(),
        }
    }

    /// The reply to a call; what else comes is put aside.
    pub fn reply_to(&mut self, serial: u32, patience: Duration) -> Came {
        let deadline = Instant::now() + patience;
        loop {
            match self.receive(deadline.saturating_duration_since(Instant::now())) {
                Came::Message(got) => {
                    let reply = matches!(got.kind, Kind::Return | Kind::Error);
                    if reply && got.reply_serial == Some(serial) {
                        return Came::Message(got);
                    }
                    self.aside.push_back(got);
                }
                other => return other,
            }
        }
    }

    /// Calls, and has to get an answer of some kind.
    pub fn call(&mut self, message: Message) -> Got {
        let serial = self.send(message.clone());
        match self.reply_to(serial, PATIENCE) {
            Came::Message(got) => got,
            other => panic!("{:?} of {:?}: {other:?}", message.member, message.destination),
        }
    }

    /// Calls; gives `ok`, the name of the error, `nothing` or `closed`.
    pub fn verdict(&mut self, message: Message) -> String {
        let serial = self.send(message);
        match self.reply_to(serial, Duration::from_secs(3)) {
            Came::Message(got) => verdict_of(&got),
            Came::Nothing => "nothing".to_owned(),
            Came::Closed => "closed".to_owned(),
        }
    }

    /// Waits until all that was under way to this client has come.
    pub fn settle(&mut self) {
        self.call(Message::bus("GetId"));
    }

    /// Whether the connection is closed by the other side, and soon.
    pub fn is_closed(&mut self) -> bool {
        loop {
            match self.receive(PATIENCE) {
                Came::Message(_) => {}
                Came::Closed => return true,
                Came::Nothing => return false,
            }
        }
    }
}

/// What a reply says, in a word.
pub fn verdict_of(got: &Got) -> String {
    match &got.error {
        None => "ok".to_owned(),
        Some(error) => error.rsplit('.').next().unwrap_or(error).to_owned(),
    }
}

/// The handshake of a client that is this process's user, in one write.
pub fn handshake() -> Vec<u8> {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let hex: String = uid.bytes().map(|digit| format!("{digit:02x}")).collect();
    format!("\0AUTH EXTERNAL {hex}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n").into_bytes()
}
