//! A session: a bus with everything on it that a desktop has there, portals
//! among it, and what is shown of notifications.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::desk::{Desk, Server, wait_for};
use crate::run::{self, App, Window};

/// Services that the bus starts when they are called, and nobody ends.
const SERVICES: [&str; 5] = [
    "org.freedesktop.portal.Desktop",
    "org.freedesktop.impl.portal.desktop.gtk",
    "org.freedesktop.portal.Documents",
    "org.freedesktop.impl.portal.PermissionStore",
    "org.a11y.Bus",
];

/// The class of the windows that the portals show.
const DIALOG: [&str; 2] = ["xdg-desktop-portal-gtk", "Xdg-desktop-portal-gtk"];

/// How long a dialog may take to come up, and an answer to arrive.
const PATIENCE: Duration = Duration::from_secs(25);

/// The settings of a bus that knows no services.
const BARE: &str = r#"<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A running session.
pub struct Session<'a> {
    pub desk: &'a Desk,
    /// The home of who is logged in.
    pub home: PathBuf,
    address: String,
    _bus: Server,
}

impl Session<'_> {
    /// Starts a bus. What is on it starts when it is called.
    pub fn up(desk: &Desk) -> Result<Session<'_>, String> {
        Session::with(desk, |_| vec!["--session".to_owned()])
    }

    /// Starts a bus on which nothing can be started, portals neither.
    pub fn bare(desk: &Desk) -> Result<Session<'_>, String> {
        Session::with(desk, |home| {
            let file = home.join("bus.conf");
            std::fs::write(&file, BARE).expect("a bus's settings");
            vec![format!("--config-file={}", file.display())]
        })
    }

    fn with(
        desk: &Desk,
        settings: impl FnOnce(&Path) -> Vec<String>,
    ) -> Result<Session<'_>, String> {
        let home = desk.home();
        let socket = desk.runtime().join("bus");
        let address = format!("unix:path={}", socket.display());
        let _ = std::fs::remove_file(&socket);
        let mut command = environment(desk.command(&home, "dbus-daemon"), &address);
        command
            .args(settings(&home))
            .args(["--nofork", "--nopidfile", "--address", &address])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let bus = Server::start(&mut command).ok_or("dbus-daemon does not start")?;
        wait_for(PATIENCE, || socket.exists().then_some(())).ok_or("the bus does not come up")?;
        Ok(Session { desk, home, address, _bus: bus })
    }

    /// A program of the session, outside of any sandbox.
    pub fn command(&self, program: &str) -> Command {
        environment(self.desk.command(&self.home, program), &self.address)
    }

    /// What a program of the session prints, and its errors after that.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output();
        output.map_or_else(
            |error| error.to_string(),
            |output| {
                let text = [output.stdout, output.stderr].concat();
                String::from_utf8_lossy(&text).into_owned()
            },
        )
    }

    /// Calls a method from outside: destination, path, interface.method and
    /// arguments.
    pub fn call(&self, to: &str, path: &str, method: &str, arguments: &[&str]) -> String {
        let call = ["call", "--session", "-d", to, "-o", path, "-m", method];
        self.ask("gdbus", &[&call, arguments].concat())
    }

    /// Writes a manifest into the home; gives its path.
    pub fn manifest(&self, id: &str, command: &[&str], rest: &str) -> String {
        let file = self.home.join(format!("{id}.toml"));
        let command = serde_json::to_string(command).expect("texts");
        let text = format!("schema = 1\nid = \"{id}\"\ncommand = {command}\n{rest}\n");
        std::fs::write(&file, text).expect("a manifest");
        file.to_string_lossy().into_owned()
    }

    /// Runs what a manifest says, or an application by its id.
    pub fn inside(&self, arguments: &[&str]) -> App {
        let address = self.address.clone();
        App::inside_with(self.desk, &self.home, arguments, |command| {
            command.env("DBUS_SESSION_BUS_ADDRESS", address);
        })
    }

    /// The exit code of what a manifest says, and all that it said.
    pub fn told(&self, manifest: &str) -> Result<(i32, String), String> {
        let mut app = self.inside(&["-q", manifest]);
        let code = app.exit_code()?;
        Ok((code, app.output() + &app.errors()))
    }

    /// Waits for the dialog of a portal, which no application draws.
    pub fn dialog(&self, app: &mut App) -> Result<Window, String> {
        let window = app.window(self.desk, &DIALOG, "")?;
        wait_for(PATIENCE, || {
            let picture = run::snapshot(self.desk, &window)?;
            (picture.distinct() > 8).then_some(())
        });
        Ok(window)
    }

    /// Presses a key in a window until the dialog of a portal comes up.
    pub fn summon(&self, app: &mut App, window: &Window, key: &str) -> Result<Window, String> {
        for _ in 0..5 {
            self.desk.ask("xdotool", &["windowactivate", "--sync", &window.id]);
            std::thread::sleep(Duration::from_millis(500));
            self.desk.ask("xdotool", &["key", "--clearmodifiers", key]);
            let is_up = || {
                run::windows(self.desk)
                    .into_iter()
                    .any(|(class, _)| DIALOG.contains(&class.as_str()))
            };
            if wait_for(Duration::from_secs(5), || is_up().then_some(())).is_some() {
                break;
            }
        }
        self.dialog(app)
    }

    /// Types a path into a file dialog and takes it. One for saving has a place
    /// for the name already. Keys that come too early are lost, so this is
    /// tried until the dialog is gone.
    pub fn pick(&self, window: &Window, path: &Path, saving: bool) -> Result<(), String> {
        let path = path.to_string_lossy();
        let pause = || std::thread::sleep(Duration::from_millis(250));
        let keys = |keys: &str| {
            self.desk.ask("xdotool", &["key", "--clearmodifiers", keys]);
            pause();
        };
        for _ in 0..5 {
            pause();
            self.desk.ask("xdotool", &["windowactivate", "--sync", &window.id]);
            if !saving {
                keys("ctrl+l");
            }
            keys("ctrl+a");
            self.desk.ask("xdotool", &["type", "--delay", "8", &path]);
            pause();
            keys("Return");
            let is_gone = || run::windows(self.desk).iter().all(|(_, other)| other != window);
            if wait_for(Duration::from_secs(3), || is_gone().then_some(())).is_some() {
                return Ok(());
            }
        }
        Err("the dialog does not go away".to_owned())
    }
}

/// What programs of the session know of it.
fn environment(mut command: Command, address: &str) -> Command {
    command
        .env("DBUS_SESSION_BUS_ADDRESS", address)
        .env("DBUS_SYSTEM_BUS_ADDRESS", "disabled:")
        .env("XDG_CURRENT_DESKTOP", "GNOME")
        .env("XDG_SESSION_TYPE", "x11")
        .env("GSETTINGS_BACKEND", "memory");
    command
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        // They would end with the bus, but nobody knows when.
        let bus = "org.freedesktop.DBus";
        let mut pids = Vec::new();
        for name in SERVICES {
            let method = "org.freedesktop.DBus.GetConnectionUnixProcessID";
            let told = self.call(bus, "/org/freedesktop/DBus", method, &[name]);
            let number = told.strip_prefix("(uint32 ").and_then(|rest| rest.strip_suffix(",)\n"));
            pids.extend(number.and_then(|number| number.parse().ok()).and_then(Pid::from_raw));
        }
        for pid in &pids {
            let _ = rustix::process::kill_process(*pid, Signal::TERM);
        }
        wait_for(Duration::from_secs(5), || {
            let gone = |pid: &&Pid| {
                let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
                stat.map_or(true, |stat| stat.contains(") Z "))
            };
            (pids.iter().filter(gone).count() == pids.len()).then_some(())
        });
        let folder = self.desk.runtime().join("doc");
        let _ = Command::new("fusermount3")
            .arg("-uzq")
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}
