//! The loop: listening sockets, clients, and for each client a connection to
//! the bus of its own. One thread, no timers.
//!
//! Every connection to the bus is made by this very process, because the bus
//! and the portals know a program by the credentials that the kernel noted
//! when it connected.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType,
    sockopt::{self, Timeout},
};
use rustix::process::{Resource, Rlimit};

use crate::sys::Errno;

use super::auth::{AuthError, BusAuth, ClientAuth, Need};
use super::decide::{Reason, Verdict, Writer};
use super::link::{Link, Received};
use super::rules::Rules;
use super::session::{Onward, Outcome, Session};
use super::wire::{Malformed, Message};

/// The most clients at a time; fewer where the limit of descriptors is low.
const CLIENTS_MAX: u64 = 1024;

/// How long the bus may take to let a connection into its queue.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A message longer than this is taken only while all that is held in memory
/// for all clients stays below [`HELD_MAX`].
const LONG: usize = 1 << 20;

/// See [`LONG`].
const HELD_MAX: usize = 512 << 20;

/// How many reads one link gets in a row.
const READS: u32 = 4;

/// How long to wait before accepting again when descriptors ran out.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Why a relay cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A thing that is no socket stands where the socket is to be.
    #[error("{} exists and is no socket", .0.display())]
    Occupied(PathBuf),
    /// The socket cannot be made.
    #[error("cannot listen on {}", .0.display())]
    Listen(PathBuf, #[source] Errno),
    /// The kernel refused something that it grants everybody.
    #[error("cannot wait for connections")]
    Wait(#[source] Errno),
}

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

/// One bus to stand before.
pub struct Bus {
    /// Where it is; the first that answers is taken.
    pub addresses: Vec<SocketAddrUnix>,
    /// Where clients connect.
    pub socket: PathBuf,
    /// What they may do; all when there are none.
    pub rules: Option<Rules>,
    /// Whether they are told of all unique names.
    pub sloppy_names: bool,
    /// Who is told of each message.
    pub observer: Option<Observer>,
}

struct Door {
    listener: OwnedFd,
    addresses: Vec<SocketAddrUnix>,
    socket: PathBuf,
    rules: Option<Rc<Rules>>,
    sloppy_names: bool,
    observer: Option<Observer>,
}

impl Drop for Door {
    fn drop(&mut self) {
        // Another may have put its own socket there; then it is gone already
        // for those who look for ours.
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// What an event of the kernel is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Client(u64),
    Upstream(u64),
    Door(usize),
    Lifeline,
}

impl Token {
    fn data(self) -> epoll::EventData {
        epoll::EventData::new_u64(match self {
            Token::Client(number) => number << 2,
            Token::Upstream(number) => number << 2 | 1,
            Token::Door(index) => (index as u64) << 2 | 2,
            Token::Lifeline => 3,
        })
    }

    fn of(data: u64) -> Token {
        match data & 3 {
            0 => Token::Client(data >> 2),
            1 => Token::Upstream(data >> 2),
            2 => Token::Door((data >> 2) as usize),
            _ => Token::Lifeline,
        }
    }
}

/// All of it.
pub struct Relay {
    epoll: OwnedFd,
    doors: Vec<Door>,
    clients: BTreeMap<u64, Client>,
    /// How many clients there ever were. Numbers are not given twice, so an
    /// event of a client that has gone finds nobody.
    count: u64,
    clients_max: usize,
    accepting: bool,
    uid: u32,
}

impl Relay {
    /// Listens.
    ///
    /// # Errors
    /// When a socket cannot be made.
    pub fn new(buses: Vec<Bus>) -> Result<Relay, StartError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(StartError::Wait)?;
        let mut relay = Relay {
            epoll,
            doors: Vec::new(),
            clients: BTreeMap::new(),
            count: 0,
            clients_max: clients_max(),
            accepting: false,
            uid: rustix::process::geteuid().as_raw(),
        };
        for bus in buses {
            let listener = listen(&bus.socket)?;
            relay.doors.push(Door {
                listener,
                addresses: bus.addresses,
                socket: bus.socket,
                rules: bus.rules.map(Rc::new),
                sloppy_names: bus.sloppy_names,
                observer: bus.observer,
            });
        }
        relay.accept_more().map_err(StartError::Wait)?;
        Ok(relay)
    }

    /// Runs until the other end of `lifeline` closes; without one, for ever.
    ///
    /// # Errors
    /// Those of waiting; then nothing can go on.
    pub fn run(mut self, lifeline: Option<OwnedFd>) -> Result<(), Errno> {
        if let Some(lifeline) = &lifeline {
            // No flags: that the other end has closed is always told.
            epoll::add(&self.epoll, lifeline, Token::Lifeline.data(), epoll::EventFlags::empty())?;
        }
        let mut events = Vec::with_capacity(64);
        loop {
            events.clear();
            let timeout = (!self.accepting).then_some(&PAUSE);
            let spare = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&self.epoll, spare, timeout) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
            for event in &events {
                let epoll::Event { flags, data } = *event;
                match Token::of(data.u64()) {
                    Token::Lifeline => return Ok(()),
                    Token::Door(index) => self.accept(index)?,
                    Token::Client(number) => self.serve(number, Writer::Client, flags),
                    Token::Upstream(number) => self.serve(number, Writer::Bus, flags),
                }
            }
            if !self.accepting && self.clients.len() < self.clients_max {
                self.accept_more()?;
            }
        }
    }

    fn accept_more(&mut self) -> Result<(), Errno> {
        for (index, door) in self.doors.iter().enumerate() {
            let data = Token::Door(index).data();
            epoll::add(&self.epoll, &door.listener, data, epoll::EventFlags::IN)?;
        }
        self.accepting = true;
        Ok(())
    }

    fn accept_no_more(&mut self) -> Result<(), Errno> {
        for door in &self.doors {
            epoll::delete(&self.epoll, &door.listener)?;
        }
        self.accepting = false;
        Ok(())
    }

    fn accept(&mut self, index: usize) -> Result<(), Errno> {
        // Others may have used up the room since the event was told.
        if !self.accepting {
            return Ok(());
        }
        if self.clients.len() >= self.clients_max {
            return self.accept_no_more();
        }
        let Some(door) = self.doors.get_mut(index) else { return Ok(()) };
        let socket = match rustix::net::accept_with(&door.listener, SocketFlags::CLOEXEC) {
            Ok(socket) => socket,
            // The table of descriptors is full; a client that leaves makes
            // room.
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                return self.accept_no_more();
            }
            Err(_) => return Ok(()),
        };
        let mut tell = |event: Event<'_>| {
            if let Some(observer) = &mut door.observer {
                observer(&event);
            }
        };
        let uid = sockopt::socket_peercred(&socket)?.uid.as_raw();
        if uid != self.uid {
            tell(Event::Stranger(uid));
            return Ok(());
        }
        let upstream = match connect(&door.addresses) {
            Ok(upstream) => upstream,
            Err(errno) => {
                tell(Event::NoBus(errno));
                return Ok(());
            }
        };
        let session =
            door.rules.as_ref().map(|rules| Session::new(Rc::clone(rules), door.sloppy_names));
        let number = self.count;
        self.count += 1;
        self.clients.insert(number, Client::new(number, index, uid, socket, upstream, session));
        self.settle(number, Ok(()));
        Ok(())
    }

    /// Something can be read or written.
    fn serve(&mut self, number: u64, side: Writer, flags: epoll::EventFlags) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        let readable = epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        let mut result = Ok(());
        if flags.intersects(readable) && client.reads(side) {
            result = client.receive(side);
        }
        if result.is_ok() && client.link(side).wants_more_than(LONG) {
            let held: usize = self.clients.values().map(Client::held).sum();
            if held > HELD_MAX {
                result = Err(EndError::Memory);
            }
        }
        self.settle(number, result);
    }

    /// Judges what has come, writes what can be written, and sees to what is
    /// waited for next.
    fn settle(&mut self, number: u64, result: Result<(), EndError>) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        let observer = self.doors.get_mut(client.door).and_then(|door| door.observer.as_mut());
        let mut observer = observer.map(|observer| &mut **observer);
        let result = result.and_then(|()| client.pump(&mut observer));
        let over = match result {
            Ok(()) => client.is_over() || client.watch(&self.epoll).is_err(),
            Err(error) => {
                if let Some(observer) = observer {
                    observer(&Event::Ended(error));
                }
                // What was answered before the breach is still told.
                client.down.flush();
                true
            }
        };
        if over {
            self.clients.remove(&number);
        }
    }
}

/// As many clients as the limit of descriptors bears, which is raised as far
/// as may be.
fn clients_max() -> usize {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = match rustix::process::setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    // Two for each client, and as many again for what they pass.
    let bearable = current.map_or(CLIENTS_MAX, |current| current.saturating_sub(32) / 4);
    bearable.clamp(8, CLIENTS_MAX) as usize
}

fn listen(path: &Path) -> Result<OwnedFd, StartError> {
    let failed = |errno| StartError::Listen(path.to_owned(), errno);
    match rustix::fs::lstat(path) {
        Ok(found) if rustix::fs::FileType::from_raw_mode(found.st_mode).is_socket() => {
            rustix::fs::unlink(path).map_err(failed)?;
        }
        Ok(_) => return Err(StartError::Occupied(path.to_owned())),
        Err(Errno::NOENT) => {}
        Err(errno) => return Err(failed(errno)),
    }
    let address = SocketAddrUnix::new(path).map_err(failed)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(failed)?;
    rustix::net::bind(&socket, &address).map_err(failed)?;
    rustix::net::listen(&socket, 128).map_err(failed)?;
    Ok(socket)
}

/// Connects to the first address that answers.
fn connect(addresses: &[SocketAddrUnix]) -> Result<OwnedFd, Errno> {
    let mut result = Err(Errno::NOENT);
    for address in addresses {
        result = connect_one(address);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn connect_one(address: &SocketAddrUnix) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // A bus whose queue is full makes connect wait.
    sockopt::set_socket_timeout(&socket, Timeout::Send, Some(CONNECT_TIMEOUT))?;
    rustix::net::connect(&socket, address)?;
    Ok(socket)
}

enum Phase {
    Handshake { client: ClientAuth, bus: BusAuth, waits_for_bus: bool },
    Messages { descriptors: bool },
}

/// A client and its connection to the bus.
struct Client {
    number: u64,
    door: usize,
    down: Link,
    up: Link,
    down_watched: epoll::EventFlags,
    up_watched: epoll::EventFlags,
    phase: Phase,
    /// None when all passes.
    session: Option<Session>,
}

type Tell<'o> = Option<&'o mut (dyn FnMut(&Event<'_>) + 'static)>;

impl Client {
    fn new(
        number: u64,
        door: usize,
        uid: u32,
        socket: OwnedFd,
        upstream: OwnedFd,
        session: Option<Session>,
    ) -> Client {
        let mut up = Link::new(upstream);
        up.push(BusAuth::OPENING, Vec::new());
        Client {
            number,
            door,
            down: Link::new(socket),
            up,
            down_watched: epoll::EventFlags::empty(),
            up_watched: epoll::EventFlags::empty(),
            phase: Phase::Handshake {
                client: ClientAuth::new(uid),
                bus: BusAuth::new(),
                waits_for_bus: false,
            },
            session,
        }
    }

    fn link(&mut self, side: Writer) -> &mut Link {
        match side {
            Writer::Client => &mut self.down,
            Writer::Bus => &mut self.up,
        }
    }

    fn held(&self) -> usize {
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
    fn reads(&self, side: Writer) -> bool {
        let ended = match side {
            Writer::Client => self.down.has_ended(),
            Writer::Bus => self.up.has_ended(),
        };
        !ended && self.passes(side)
    }

    fn receive(&mut self, side: Writer) -> Result<(), EndError> {
        let link = self.link(side);
        for _ in 0..READS {
            match link.receive()? {
                Received::Bytes(_) if link.is_brimful() => {}
                _ => break,
            }
        }
        if link.hoards_descriptors() { Err(Malformed::Descriptors.into()) } else { Ok(()) }
    }

    /// Judges all that has come and can be judged, and writes.
    fn pump(&mut self, tell: &mut Tell<'_>) -> Result<(), EndError> {
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

    /// Whether nothing more can come of this. What one side wrote before it
    /// left is still passed on.
    fn is_over(&self) -> bool {
        (self.up.has_ended() && !self.down.has_output())
            || (self.down.has_ended() && !self.up.has_output() && !self.client_waits())
    }

    /// Tells the kernel what to wake us for. A link that nothing is expected
    /// of is not watched at all: that its other end has closed would be told
    /// again and again.
    fn watch(&mut self, epoll: &OwnedFd) -> Result<(), Errno> {
        let wanted = |reads: bool, writes: bool| {
            let mut flags = epoll::EventFlags::empty();
            flags.set(epoll::EventFlags::IN, reads);
            flags.set(epoll::EventFlags::OUT, writes);
            flags
        };
        let down = wanted(self.reads(Writer::Client), self.down.has_output());
        let up = wanted(self.reads(Writer::Bus), self.up.has_output());
        let token = Token::Client(self.number);
        change(epoll, &self.down, token, &mut self.down_watched, down)?;
        let token = Token::Upstream(self.number);
        change(epoll, &self.up, token, &mut self.up_watched, up)
    }
}

fn change(
    epoll: &OwnedFd,
    link: &Link,
    token: Token,
    watched: &mut epoll::EventFlags,
    wanted: epoll::EventFlags,
) -> Result<(), Errno> {
    if *watched != wanted {
        let socket = link.socket();
        match (watched.is_empty(), wanted.is_empty()) {
            (true, _) => epoll::add(epoll, socket.as_fd(), token.data(), wanted)?,
            (false, true) => epoll::delete(epoll, socket.as_fd())?,
            (false, false) => epoll::modify(epoll, socket.as_fd(), token.data(), wanted)?,
        }
        *watched = wanted;
    }
    Ok(())
}
