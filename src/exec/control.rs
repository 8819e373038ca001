//! The monitor's side of commands about its sandbox: who has connected, and
//! what passes between them and init.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::SocketFlags;
use rustix::net::sockopt::socket_peercred;

use crate::sys::Errno;

use super::handshake::{Message, send, send_with};
use super::order::Packet;

/// How many commands can be connected at a time; more wait.
const MOST: usize = 256;

/// A command that has connected.
struct Visitor {
    socket: OwnedFd,
    /// Whether it has asked for a process.
    entered: bool,
}

/// All commands that have connected.
pub struct Control {
    listener: Option<OwnedFd>,
    visitors: BTreeMap<u32, Visitor>,
    count: u32,
}

/// Whom a descriptor of [`Control::descriptors`] belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Somebody wants to connect.
    Door,
    /// This visitor.
    Visitor(u32),
}

impl Control {
    /// Nobody yet. Without a listener nobody ever comes.
    pub fn new(listener: Option<OwnedFd>) -> Control {
        Control { listener, visitors: BTreeMap::new(), count: 0 }
    }

    /// What is to be watched for reading.
    pub fn descriptors(&self) -> Vec<(Owner, &OwnedFd)> {
        let door = self.listener.iter().filter(|_| self.visitors.len() < MOST);
        let visitors = self.visitors.iter();
        door.map(|fd| (Owner::Door, fd))
            .chain(visitors.map(|(number, visitor)| (Owner::Visitor(*number), &visitor.socket)))
            .collect()
    }

    /// Something can be read.
    pub fn serve(&mut self, owner: Owner, init: &OwnedFd) {
        match owner {
            Owner::Door => self.accept(),
            Owner::Visitor(number) => self.hear(number, init),
        }
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        // Nothing waits for a command that does not read what it is told.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let Ok(socket) = rustix::net::accept_with(listener, flags) else { return };
        // The folder lets nobody else through; this is the second lock.
        let own = rustix::process::getuid();
        if socket_peercred(&socket).is_ok_and(|peer| peer.uid == own) {
            self.visitors.insert(self.count, Visitor { socket, entered: false });
            self.count = self.count.wrapping_add(1);
        }
    }

    fn hear(&mut self, number: u32, init: &OwnedFd) {
        let Some(visitor) = self.visitors.get_mut(&number) else { return };
        match Packet::receive(visitor.socket.as_fd()) {
            Ok(mut packet) if packet.is_for_init() => {
                if packet.enters() && visitor.entered {
                    let refused = Message::NotEntered(number, Errno::ALREADY);
                    send(visitor.socket.as_fd(), refused);
                    return;
                }
                visitor.entered |= packet.enters();
                packet.set_visitor(number);
                if !packet.enters() {
                    send(visitor.socket.as_fd(), Message::Taken);
                }
                if let Err(errno) = packet.send(init.as_fd(), &[]) {
                    send(visitor.socket.as_fd(), Message::NotEntered(number, errno));
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(_) | Err(_) => {
                if visitor.entered {
                    let mut gone = Packet::signal_visitor(libc::SIGHUP);
                    gone.set_visitor(number);
                    let _ = gone.send(init.as_fd(), &[]);
                }
                self.visitors.remove(&number);
            }
        }
    }

    /// Hands on what init says of a visitor's process.
    pub fn tell(&mut self, message: Message, fd: Option<&OwnedFd>) {
        let (number, is_last) = match message {
            Message::Entered(number) => (number, false),
            Message::NotEntered(number, _) | Message::Left(number, _) => (number, true),
            _ => return,
        };
        if let Some(visitor) = self.visitors.get(&number) {
            send_with(visitor.socket.as_fd(), message, fd);
        }
        if is_last {
            self.visitors.remove(&number);
        }
    }
}
