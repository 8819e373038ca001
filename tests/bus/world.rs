//! Filters before a bus of our own.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::client::Client;
pub use crate::daemon::Bus;

/// Waits for something that must happen.
pub fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !happened() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Which filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Make {
    Ours,
    Theirs,
}

/// A running filter.
pub struct Proxy {
    pub process: Child,
    pub socket: PathBuf,
    lifeline: Option<OwnedFd>,
}

impl Proxy {
    pub fn start(make: Make, bus: &Bus, options: &[&str]) -> Proxy {
        let socket = bus.folder().join(format!("proxy-{}", unique()));
        Proxy::start_at(make, &bus.address, &socket, options)
    }

    pub fn start_at(make: Make, address: &str, socket: &Path, options: &[&str]) -> Proxy {
        let (ours, theirs) = rustix::net::socketpair(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .expect("a socket pair");
        rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty()).expect("inheritable");
        let mut command = match make {
            Make::Ours => {
                let mut command = Command::new(program());
                command.arg("bus-proxy");
                command
            }
            Make::Theirs => Command::new("xdg-dbus-proxy"),
        };
        let process = command
            .arg(format!("--fd={}", theirs.as_raw_fd()))
            .args([address, &socket.display().to_string()])
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the filter starts");
        drop(theirs);
        let mut ready = [0];
        let read = rustix::io::read(&ours, &mut ready).expect("reading");
        assert_eq!((read, ready), (1, *b"x"), "the filter says that it is ready");
        Proxy { process, socket: socket.to_owned(), lifeline: Some(ours) }
    }

    pub fn client(&self) -> Client {
        Client::new(&self.socket)
    }

    /// Lets the filter end by itself; gives whether it did so without error.
    pub fn end(&mut self) -> bool {
        self.lifeline = None;
        self.process.wait().is_ok_and(|status| status.success())
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.process.id());
        std::fs::read_dir(folder).expect("the filter runs").count()
    }

    /// How much memory it uses, in KiB.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))
            .expect("the filter runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// How long it has run on a processor.
    pub fn processor_time(&self) -> Duration {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", self.process.id()))
            .expect("the filter runs");
        let first = text.split_whitespace().next().and_then(|first| first.parse().ok());
        Duration::from_nanos(first.expect("a number"))
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.process.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Fails the test if the filter has ended, which it may do only when told.
    pub fn must_live(&mut self) {
        assert!(self.is_alive(), "the filter ended: {:?}", self.process.try_wait());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.lifeline = None;
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn unique() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The program that is tested.
pub fn program() -> std::ffi::OsString {
    std::env::var_os("PINFOLD_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_pinfold").into())
}

/// Whether xdg-dbus-proxy is installed.
pub fn peer_is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| Command::new("xdg-dbus-proxy").arg("--version").output().is_ok())
}
