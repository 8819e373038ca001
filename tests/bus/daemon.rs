//! A bus of our own, and services on it. The sandbox tier uses it as well.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pinfold::proxy::wire::Kind;

use crate::client::{Came, Client, Message};

/// A running dbus-daemon.
pub struct Bus {
    process: Child,
    folder: tempfile::TempDir,
    pub address: String,
    pub socket: PathBuf,
}

impl Bus {
    /// Starts one that listens on a path.
    pub fn start() -> Bus {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("bus");
        Bus::at(folder, socket)
    }

    /// Starts one that listens on this path; the folder is for its own files.
    pub fn at(folder: tempfile::TempDir, socket: PathBuf) -> Bus {
        let address = format!("unix:path={}", socket.display());
        Bus::listening(folder, socket, address)
    }

    /// Starts one that listens on an abstract name.
    pub fn start_abstract() -> Bus {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("none");
        let address = format!("unix:abstract={}/abstract", folder.path().display());
        Bus::listening(folder, socket, address)
    }

    fn listening(folder: tempfile::TempDir, socket: PathBuf, address: String) -> Bus {
        let services = folder.path().join("services");
        std::fs::create_dir(&services).expect("a folder");
        for name in ["org.pinfold.Hidden.Service", "org.pinfold.Talk.Service"] {
            let text = format!("[D-BUS Service]\nName={name}\nExec=/bin/false\n");
            std::fs::write(services.join(format!("{name}.service")), text).expect("a file");
        }
        // A bus that lets everybody do everything, eavesdropping and replies
        // to nothing included: what is refused is refused by the filter.
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n\
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig><type>session</type><listen>{address}</listen><auth>EXTERNAL</auth>\n\
             <servicedir>{}</servicedir>\n\
             <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\n\
             <allow eavesdrop=\"true\"/><allow own=\"*\"/>\n\
             <allow send_requested_reply=\"false\" send_type=\"method_return\"/>\n\
             <allow send_requested_reply=\"false\" send_type=\"error\"/>\n\
             <allow receive_requested_reply=\"false\" receive_type=\"method_return\"/>\n\
             <allow receive_requested_reply=\"false\" receive_type=\"error\"/></policy>\n\
             <limit name=\"max_incoming_bytes\">1000000000</limit>\n\
             <limit name=\"max_outgoing_bytes\">1000000000</limit>\n\
             <limit name=\"max_message_size\">1000000000</limit>\n\
             <limit name=\"max_completed_connections\">100000</limit>\n\
             <limit name=\"max_connections_per_user\">100000</limit>\n\
             <limit name=\"max_replies_per_connection\">50000</limit></busconfig>\n",
            services.display()
        );
        let configuration = folder.path().join("bus.conf");
        std::fs::write(&configuration, text).expect("a file");
        let mut process = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", configuration.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon starts");
        let mut first = [0];
        let read = process.stdout.as_mut().expect("a pipe").read(&mut first).expect("reading");
        assert_eq!(read, 1, "dbus-daemon ended at once");
        Bus { process, folder, address, socket }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// An unfiltered client.
    pub fn client(&self) -> Client {
        match self.address.strip_prefix("unix:abstract=") {
            Some(name) => Client::greeted(Client::raw_abstract(name)),
            None => Client::new(&self.socket),
        }
    }

    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A service that answers every call, and does what it is told by calls of
/// the interface `org.pinfold.Control`.
pub struct Service {
    pub name: String,
    pub unique: String,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Service {
    pub fn start(bus: &Bus, name: &str) -> Service {
        let mut client = bus.client();
        let reply = client.call(Message::bus("RequestName").text(name).number(0));
        assert!(reply.error.is_none(), "{name} cannot be owned: {reply:?}");
        let unique = client.name.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || serve(&mut client, &stopped));
        Service { name: name.to_owned(), unique, stop, thread: Some(thread) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(client: &mut Client, stop: &AtomicBool) {
    let mut signals = 0u32;
    while !stop.load(Ordering::Relaxed) {
        let got = match client.receive(Duration::from_millis(50)) {
            Came::Message(got) => got,
            Came::Nothing => continue,
            Came::Closed => return,
        };
        if got.kind == Kind::Signal && got.interface.as_deref() == Some("org.pinfold.I") {
            signals += 1;
        }
        if got.kind != Kind::Call {
            continue;
        }
        let sender = got.sender.clone().unwrap_or_default();
        let reply = Message::returned(&sender, got.serial);
        let reply = match (got.interface.as_deref(), got.member.as_deref(), &got.texts[..]) {
            (Some("org.pinfold.Control"), Some("Emit"), [path, interface, member]) => {
                client.send(Message::signal(path, interface, member));
                reply
            }
            (Some("org.pinfold.Control"), Some("Signals"), _) => reply.number(signals),
            (Some("org.pinfold.Control"), Some("SignalTo"), [to, ..]) => {
                client.send(Message::signal("/x", "org.pinfold.I", "Private").to(to));
                reply
            }
            // Tells what became of a call of its own.
            (Some("org.pinfold.Control"), Some("CallBack"), [to, ..]) => {
                let call = Message::call(to, "/x", "org.pinfold.I", "Method");
                let verdict = client.verdict(call);
                reply.text(&verdict)
            }
            _ => reply.text("ok"),
        };
        client.send(reply);
    }
}
