//! Windows on a Wayland compositor, with no X server to go to.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};

use crate::desk::{Desk, Server, wait_for};
use crate::picture::Picture;
use crate::run::App;
use crate::{Outcome, tests};

tests! {
    gtk3_by_name needs ["weston", "weston-debug", "weston-screenshooter", "evince"],
    gtk4_by_name needs ["weston", "weston-debug", "weston-screenshooter", "gnome-calculator"],
    qt5_by_path needs ["weston", "weston-debug", "weston-screenshooter", "featherpad"],
    gtk3_by_path needs ["weston", "weston-debug", "weston-screenshooter", "mousepad"],
    gtk3_by_inherited_connection needs ["weston", "weston-debug", "weston-screenshooter", "eog"],
    qt5_by_inherited_connection needs ["weston", "weston-debug", "weston-screenshooter", "featherpad"],
}

/// Its socket's name: none that anybody would guess.
const NAME: &str = "pinfold-compositor";

/// A compositor.
struct Compositor<'a> {
    desk: &'a Desk,
    _weston: Server,
}

impl Compositor<'_> {
    fn up(desk: &Desk) -> Result<Compositor<'_>, String> {
        let mut command = desk.outside(&desk.home(), "weston");
        command
            .args(["--backend=headless-backend.so", "--use-pixman", "--debug", "--idle-time=0"])
            .args(["--width=1000", "--height=700", "--socket", NAME])
            .env_remove("DISPLAY")
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let weston = Server::start(&mut command).ok_or("weston does not start")?;
        let compositor = Compositor { desk, _weston: weston };
        wait_for(Duration::from_secs(10), || {
            // Its panel and background, so that they are no news later.
            compositor.scene().contains("background for output").then_some(())
        })
        .ok_or("weston does not get ready")?;
        Ok(compositor)
    }

    fn socket(&self) -> PathBuf {
        self.desk.runtime().join(NAME)
    }

    /// A tool of the compositor's.
    fn tool(&self, program: &str) -> Command {
        let mut command = self.desk.outside(&self.desk.runtime(), "timeout");
        command.args(["5", program]).env("WAYLAND_DISPLAY", NAME).env_remove("DISPLAY");
        command
    }

    /// What the compositor says of the windows that it has.
    fn scene(&self) -> String {
        let output = self.tool("weston-debug").arg("scene-graph").output();
        output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default()
    }

    /// A picture of the whole screen.
    fn picture(&self) -> Option<Picture> {
        let folder = tempfile::tempdir().ok()?;
        self.tool("weston-screenshooter").current_dir(folder.path()).output().ok()?;
        let file = std::fs::read_dir(folder.path()).ok()?.flatten().next()?.path();
        let file = file.to_string_lossy().into_owned();
        Picture::from_rgb(&self.desk.ask_bytes("convert", &[&file, "-depth", "8", "rgb:-"]))
    }
}

/// How the session tells where the compositor is.
enum Told {
    Name,
    Path,
    Connection,
}

/// Runs an application and waits for its window.
fn check(desk: &Desk, id: &str, title: &str, told: &Told) -> Outcome {
    let compositor = Compositor::up(desk)?;
    let empty = compositor.picture().ok_or("no picture of the empty screen")?;
    let socket = compositor.socket();
    let mut connection = None;
    if matches!(told, Told::Connection) {
        let stream = UnixStream::connect(&socket).map_err(|error| error.to_string())?;
        fcntl_setfd(&stream, FdFlags::empty()).map_err(|error| error.to_string())?;
        connection = Some(stream);
    }
    let app = App::inside_with(desk, &desk.home(), &["-q", id], |command| {
        command.env_remove("DISPLAY").env_remove("XAUTHORITY");
        match (told, &connection) {
            (Told::Name, _) => command.env("WAYLAND_DISPLAY", NAME),
            (Told::Path, _) => command.env("WAYLAND_DISPLAY", &socket),
            (Told::Connection, Some(stream)) => {
                command.env("WAYLAND_SOCKET", stream.as_raw_fd().to_string())
            }
            (Told::Connection, None) => command,
        };
    });
    // Its end is the application's alone; an open copy here would keep the
    // connection alive.
    drop(connection);
    let found = wait_for(Duration::from_secs(20), || {
        let scene = compositor.scene();
        scene
            .lines()
            .any(|line| line.contains("top-level window") && line.contains(title))
            .then_some(())
    });
    if found.is_none() {
        return Err(format!("no window {title:?} in {}: {}", compositor.scene(), app.errors()));
    }
    let drawn = wait_for(Duration::from_secs(10), || {
        let picture = compositor.picture()?;
        // A window with text and icons, not a plain rectangle.
        let changed = picture.difference(&empty)?;
        (changed > 50 && picture.distinct() > empty.distinct()).then_some(())
    });
    if drawn.is_none() {
        return Err(format!("the window is blank: {}", app.errors()));
    }
    Ok(())
}

fn gtk3_by_name(desk: &Desk) -> Outcome {
    check(desk, "org.gnome.Evince", "Recent Documents", &Told::Name)
}

fn gtk4_by_name(desk: &Desk) -> Outcome {
    check(desk, "org.gnome.Calculator", "Calculator", &Told::Name)
}

fn qt5_by_path(desk: &Desk) -> Outcome {
    check(desk, "org.featherpad.FeatherPad", "Untitled", &Told::Path)
}

fn gtk3_by_path(desk: &Desk) -> Outcome {
    check(desk, "org.xfce.mousepad", "Untitled", &Told::Path)
}

fn gtk3_by_inherited_connection(desk: &Desk) -> Outcome {
    check(desk, "org.gnome.eog", "Image Viewer", &Told::Connection)
}

fn qt5_by_inherited_connection(desk: &Desk) -> Outcome {
    check(desk, "org.featherpad.FeatherPad", "Untitled", &Told::Connection)
}
