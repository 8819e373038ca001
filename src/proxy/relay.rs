//! The loop: listening sockets, clients, and for each client a connection to
//! the bus of its own. One thread, no timers.
//!
//! Every connection to the bus is made by this very process, because the bus
//! and the portals know a program by the credentials that the kernel noted
//! when it connected.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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

use super::client::{Client, EndError};
use super::decide::Writer;
use super::event::{Event, Observer};
use super::link::Link;
use super::rules::Rules;
use super::session::Session;

/// The most clients at a time; fewer where the limit of descriptors is low.
const CLIENTS_MAX: u64 = 1024;

/// How long the bus may take to let a connection into its queue.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A message longer than this is taken only while all that is held in memory
/// for all clients stays below [`HELD_MAX`].
const LONG: usize = 1 << 20;

/// See [`LONG`].
const HELD_MAX: usize = 512 << 20;

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

/// One bus to stand before.
pub struct Bus {
    /// Where it is; the first that answers is taken.
    pub addresses: Vec<SocketAddrUnix>,
    /// Where clients connect.
    pub door: Door,
    /// What they may do; all when there are none.
    pub rules: Option<Rules>,
    /// Whether they are told of all unique names.
    pub sloppy_names: bool,
    /// Who is told of each message.
    pub observer: Option<Observer>,
}

/// Where clients of a bus connect.
pub enum Door {
    /// A socket that is made at this path, and taken away in the end.
    Path(PathBuf),
    /// A socket that listens already, and does not block.
    Listening(OwnedFd),
}

/// A bus with its socket open.
struct Guarded {
    listener: OwnedFd,
    addresses: Vec<SocketAddrUnix>,
    socket: Option<PathBuf>,
    rules: Option<Rc<Rules>>,
    sloppy_names: bool,
    observer: Option<Observer>,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Another may have put its own socket there; then it is gone already
        // for those who look for ours.
        if let Some(socket) = &self.socket {
            let _ = std::fs::remove_file(socket);
        }
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

/// A client, and what the kernel is to wake us for on its behalf.
struct Served {
    client: Client,
    door: usize,
    down_watched: epoll::EventFlags,
    up_watched: epoll::EventFlags,
}

/// All of it.
pub struct Relay {
    epoll: OwnedFd,
    doors: Vec<Guarded>,
    clients: BTreeMap<u64, Served>,
    /// How many clients there ever were. Numbers are not given twice, so an
    /// event of a client that has gone finds nobody.
    count: u64,
    clients_max: usize,
    accepting: bool,
    uid: u32,
}

impl Relay {
    /// Stands before no bus yet. Raises this process's limit of descriptors.
    ///
    /// # Errors
    /// When the kernel refuses what it grants everybody.
    pub fn new() -> Result<Relay, StartError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(StartError::Wait)?;
        Ok(Relay {
            epoll,
            doors: Vec::new(),
            clients: BTreeMap::new(),
            count: 0,
            clients_max: clients_max(),
            accepting: false,
            uid: rustix::process::geteuid().as_raw(),
        })
    }

    /// Stands before one more bus. Its clients wait until [`Relay::run`].
    ///
    /// # Errors
    /// When its socket cannot be made.
    pub fn guard(&mut self, bus: Bus) -> Result<(), StartError> {
        let (listener, socket) = match bus.door {
            Door::Path(path) => (listen(&path)?, Some(path)),
            Door::Listening(listener) => (listener, None),
        };
        self.doors.push(Guarded {
            listener,
            addresses: bus.addresses,
            socket,
            rules: bus.rules.map(Rc::new),
            sloppy_names: bus.sloppy_names,
            observer: bus.observer,
        });
        Ok(())
    }

    /// Runs until the other end of `lifeline` closes; without one, for ever.
    ///
    /// # Errors
    /// Those of waiting; then nothing can go on.
    pub fn run(mut self, lifeline: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        if let Some(lifeline) = &lifeline {
            // No flags: that the other end has closed is always told.
            epoll::add(&self.epoll, lifeline, Token::Lifeline.data(), epoll::EventFlags::empty())?;
        }
        self.accept_more()?;
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
        let served = Served {
            client: Client::new(uid, socket, upstream, session),
            door: index,
            down_watched: epoll::EventFlags::empty(),
            up_watched: epoll::EventFlags::empty(),
        };
        self.clients.insert(number, served);
        self.settle(number, Ok(()));
        Ok(())
    }

    /// Something can be read or written.
    fn serve(&mut self, number: u64, side: Writer, flags: epoll::EventFlags) {
        let Some(Served { client, .. }) = self.clients.get_mut(&number) else { return };
        let readable = epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        let mut result = Ok(());
        if flags.intersects(readable) && client.reads(side) {
            result = client.receive(side);
        }
        if result.is_ok() && client.link(side).wants_more_than(LONG) {
            let held: usize = self.clients.values().map(|served| served.client.held()).sum();
            if held > HELD_MAX {
                result = Err(EndError::Memory);
            }
        }
        self.settle(number, result);
    }

    /// Judges what has come, writes what can be written, and sees to what is
    /// waited for next.
    fn settle(&mut self, number: u64, result: Result<(), EndError>) {
        let Some(served) = self.clients.get_mut(&number) else { return };
        let observer = self.doors.get_mut(served.door).and_then(|door| door.observer.as_mut());
        let mut observer = observer.map(|observer| &mut **observer);
        let result = result.and_then(|()| served.client.pump(&mut observer));
        let over = match result {
            Ok(()) => served.client.is_over() || served.watch(number, &self.epoll).is_err(),
            Err(error) => {
                if let Some(observer) = observer {
                    observer(&Event::Ended(error));
                }
                // What was answered before the breach is still told.
                served.client.tell_the_last();
                true
            }
        };
        if over {
            self.clients.remove(&number);
        }
    }
}

impl Served {
    /// Tells the kernel what to wake us for. A link that nothing is expected
    /// of is not watched at all: that its other end has closed would be told
    /// again and again.
    fn watch(&mut self, number: u64, epoll: &OwnedFd) -> Result<(), Errno> {
        let client = &self.client;
        for (side, token, watched) in [
            (Writer::Client, Token::Client(number), &mut self.down_watched),
            (Writer::Bus, Token::Upstream(number), &mut self.up_watched),
        ] {
            let link = client.link(side);
            let mut wanted = epoll::EventFlags::empty();
            wanted.set(epoll::EventFlags::IN, client.reads(side));
            wanted.set(epoll::EventFlags::OUT, link.has_output());
            change(epoll, link, token, watched, wanted)?;
        }
        Ok(())
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
