//! A desktop for the tests: servers, homes, and the session's environment.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

/// Programs that the desktop itself is made of.
pub const REQUIRED: [&str; 6] = ["Xvfb", "openbox", "setpriv", "xprop", "xdotool", "import"];

/// Where programs are looked for.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/games";

/// Whether a program can be found, or a file where its whole path says.
pub fn is_installed(program: &str) -> bool {
    PATH.split(':').any(|folder| Path::new(folder).join(program).exists())
}

/// Waits until something is there, at most so long.
pub fn wait_for<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > end {
            return None;
        }
        sleep(Duration::from_millis(40));
    }
}

/// A program that ends with what holds it, and at the latest with the tests.
pub struct Server(Child);

impl Server {
    /// Starts a server.
    pub fn start(command: &mut Command) -> Option<Server> {
        command.spawn().ok().map(Server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// Ends a process that was started here: asked to first, then made to.
pub fn end(child: &mut Child) {
    if let Ok(None) = child.try_wait() {
        let _ = rustix::process::kill_process(Pid::from_child(child), Signal::TERM);
        if wait_for(Duration::from_secs(3), || child.try_wait().ok().flatten()).is_none() {
            let _ = child.kill();
        }
    }
    let _ = child.wait();
}

/// An X server with its authority file.
pub struct XServer {
    /// Its display number.
    pub number: u32,
    _process: Server,
}

/// The desktop.
pub struct Desk {
    servers: Vec<Server>,
    /// The X server that the session is on.
    pub x11: XServer,
    /// The cookie that opens it.
    pub cookie: [u8; 16],
    homes: AtomicU32,
    folder: TempDir,
}

impl Desk {
    /// Starts the X server and the window manager.
    pub fn up() -> Option<Desk> {
        if REQUIRED.iter().any(|program| !is_installed(program)) {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("pinfold-desktop.").tempdir().ok()?;
        fs::create_dir(folder.path().join("run")).ok()?;
        fs::set_permissions(folder.path().join("run"), fs::Permissions::from_mode(0o700)).ok()?;
        let mut cookie = [0; 16];
        fs::File::open("/dev/urandom").ok()?.read_exact(&mut cookie).ok()?;
        let authority = folder.path().join("server-authority");
        // The server takes every cookie of its file, whatever display it is for.
        private_file(&authority, &record(0, &cookie)).ok()?;
        let x11 = x_server(&["-auth", &authority.to_string_lossy()])?;
        let mut desk = Desk { servers: Vec::new(), x11, cookie, homes: AtomicU32::new(0), folder };
        let other = desk.x11.number + 1;
        let records = [record(desk.x11.number, &cookie), record(other, b"of other display")];
        private_file(&desk.authority(), &records.concat()).ok()?;
        let home = desk.home();
        // It runs this once it manages windows; one that opens before may be
        // lost to it.
        let ready = desk.folder.path().join("managed");
        let mut openbox = desk.outside(&home, "openbox");
        openbox.args(["--sm-disable", "--startup", &format!("touch {}", ready.display())]);
        openbox.stdout(Stdio::null()).stderr(Stdio::null());
        desk.servers.push(Server::start(&mut openbox)?);
        wait_for(Duration::from_secs(10), || ready.exists().then_some(()))?;
        Some(desk)
    }

    /// A second X server, open to everybody.
    pub fn another_x_server(&self) -> Option<XServer> {
        x_server(&["-ac"])
    }

    /// The session's authority file: the cookie of its display, and one of
    /// another.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("Xauthority")
    }

    /// The session's runtime folder.
    pub fn runtime(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    /// A new home with things in it that some applications are granted, and
    /// a secret that none is.
    pub fn home(&self) -> PathBuf {
        let number = self.homes.fetch_add(1, Ordering::Relaxed);
        let home = self.folder.path().join(format!("home-{number}"));
        for (file, text) in FILES {
            let path = home.join(file);
            fs::create_dir_all(path.parent().unwrap_or(&home)).expect("a folder of the home");
            fs::write(path, text).expect("a file of the home");
        }
        home
    }

    /// A command in the session's environment, with nothing of the tests' own.
    pub fn command(&self, home: &Path, program: &str) -> Command {
        let mut command = Command::new("/usr/bin/setpriv");
        // Whatever becomes of the tests, their desktop ends with them.
        command.args(["--pdeathsig", "TERM", program]);
        command
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C.UTF-8")
            .env("USER", "tester")
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", self.runtime())
            .env("DISPLAY", format!(":{}", self.x11.number))
            .env("XAUTHORITY", self.authority())
            .current_dir(home)
            .stdin(Stdio::null());
        command
    }

    /// A program outside of any sandbox. It is told about the missing bus what
    /// Pinfold tells those inside, so that both start alike.
    pub fn outside(&self, home: &Path, program: &str) -> Command {
        let mut command = self.command(home, program);
        command
            .env("XDG_CACHE_HOME", home.join(".cache"))
            .env("DBUS_SESSION_BUS_ADDRESS", "disabled:")
            .env("GSETTINGS_BACKEND", "keyfile")
            .env("NO_AT_BRIDGE", "1")
            .env("GTK_A11Y", "none");
        command
    }

    /// What a small program of the session prints.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&self.ask_bytes(program, arguments)).into_owned()
    }

    /// The same, not text.
    pub fn ask_bytes(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        let output = self
            .outside(self.folder.path(), program)
            .args(arguments)
            .stderr(Stdio::null())
            .output();
        output.map(|output| output.stdout).unwrap_or_default()
    }
}

/// What is in a home.
const FILES: [(&str, &str); 8] = [
    ("Documents/seen.txt", "granted"),
    ("Downloads/seen.txt", "granted"),
    ("Music/seen.txt", "granted"),
    ("Pictures/seen.txt", "granted"),
    ("Templates/seen.txt", "granted"),
    ("Videos/seen.txt", "granted"),
    ("secret/plan.txt", "secret"),
    (".ssh/id_test", "secret"),
];

/// A record of an authority file: a cookie of a display of this machine.
fn record(display: u32, cookie: &[u8]) -> Vec<u8> {
    const FAMILY_LOCAL: u16 = 256;
    let host = rustix::system::uname().nodename().to_bytes().to_vec();
    authority_record(FAMILY_LOCAL, &host, display.to_string().as_bytes(), cookie)
}

/// A record as libXau's `Auth.h` describes it.
pub fn authority_record(family: u16, address: &[u8], number: &[u8], cookie: &[u8]) -> Vec<u8> {
    let mut record = family.to_be_bytes().to_vec();
    for part in [address, number, b"MIT-MAGIC-COOKIE-1", cookie] {
        record.extend((part.len() as u16).to_be_bytes());
        record.extend(part);
    }
    record
}

fn private_file(path: &Path, content: &[u8]) -> std::io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(content)
}

/// Starts an X server on a display number that it finds free itself.
fn x_server(access: &[&str]) -> Option<XServer> {
    let mut command = Command::new("/usr/bin/setpriv");
    command
        .args(["--pdeathsig", "TERM", "Xvfb", "-displayfd", "1", "-nolisten", "tcp"])
        .args(["-screen", "0", "1280x900x24", "-noreset"])
        .args(access)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut process = Server::start(&mut command)?;
    let mut line = String::new();
    // It writes its number when it is ready, and closes the pipe if it fails.
    BufReader::new(process.0.stdout.take()?).read_line(&mut line).ok()?;
    Some(XServer { number: line.trim().parse().ok()?, _process: process })
}
