//! Windows: the Wayland and the X11 socket.

use crate::model::facts::{WaylandSocket, XDisplay};
use crate::model::origin::Origin;
use crate::model::permission::{NetworkMode, X11Mode};
use crate::model::plan::{Action, Slot, Weight};
use crate::report::{Code, Diagnostic};

use super::Resolution;
use super::base::fixed;

/// The first display number that stands for a server on another machine, as
/// ssh hands them out. Programs of MPlayer's line draw through shared memory
/// with any lower one, and do not notice that the server could not attach it:
/// their windows stay black.
const FIRST_DISTANT: u32 = 10;

/// States the sockets and the variables that lead to them.
pub fn resolve(r: &mut Resolution<'_>) {
    let wayland = wayland(r);
    let Some(x11) = r.settings().display.x11.clone() else { return };
    let wanted = match x11.value {
        X11Mode::Never => false,
        X11Mode::Fallback => !wayland,
        // The modes between are refused before anything is resolved.
        X11Mode::Shared | X11Mode::Nested | X11Mode::Untrusted => true,
    };
    if wanted {
        match r.facts.x11.clone() {
            Some(display) => show_x11(r, &display, &x11.origin),
            None if wayland => {}
            None => r.note(
                Weight::Notice,
                "no display: neither a Wayland compositor nor an X server is to be seen".to_owned(),
                Some(&x11.origin),
                Some("start from a graphical session, or set WAYLAND_DISPLAY or DISPLAY"),
            ),
        }
    }
}

/// Whether a Wayland socket is granted and there.
fn wayland(r: &mut Resolution<'_>) -> bool {
    let there = wayland_socket(r);
    if there {
        // Qt 5 goes to X11 by itself, whatever else there is, and ends where
        // there is none. Its Wayland plugin may not be installed.
        r.environment.insert("QT_QPA_PLATFORM".to_owned(), "wayland;xcb".to_owned());
    }
    there
}

fn wayland_socket(r: &mut Resolution<'_>) -> bool {
    let Some(stated) = r.settings().display.wayland.clone().filter(|stated| stated.value) else {
        return false;
    };
    match r.facts.wayland.clone() {
        Some(WaylandSocket::Path(socket)) => {
            let dest = r.runtime_dir().child("wayland-0");
            if !r.show_socket(&socket, dest, &stated.origin) {
                return false;
            }
            r.environment.insert("WAYLAND_DISPLAY".to_owned(), "wayland-0".to_owned());
            true
        }
        Some(WaylandSocket::Inherited(fd)) => {
            r.environment.insert("WAYLAND_SOCKET".to_owned(), fd.to_string());
            true
        }
        None => false,
    }
}

fn show_x11(r: &mut Resolution<'_>, display: &XDisplay, origin: &Origin) {
    let host_network = r.network_mode() == NetworkMode::Host;
    let Some(socket) = &display.socket else {
        if !host_network {
            let error = Diagnostic::error(
                Code::DisplayUnreachable,
                format!(
                    "the display {} is reached over the network, which is not granted",
                    display.text
                ),
            )
            .at(origin)
            .because("ssh -X and remote X servers are plain network connections")
            .hint("run with --share network, or on a display of this machine");
            r.errors.push(error);
            return;
        }
        r.environment.insert("DISPLAY".to_owned(), display.text.clone());
        cookie(r, display, origin);
        return;
    };
    // With a network namespace of its own the application finds no abstract
    // socket, and libxcb goes on to the file of the same number.
    let number = if host_network { display.free_number } else { display.number };
    let number = number.max(FIRST_DISTANT);
    r.tree.put(
        Action::Tmpfs { dest: fixed("/tmp"), mode: 0o1777, size: 0 },
        &Origin::builtin("private places"),
    );
    let dest = fixed("/tmp/.X11-unix").child(&format!("X{number}"));
    if !r.show_socket(socket, dest, origin) {
        return;
    }
    let screen = display.screen.map_or_else(String::new, |screen| format!(".{screen}"));
    r.environment.insert("DISPLAY".to_owned(), format!(":{number}{screen}"));
    // The server cannot attach shared memory of another ipc namespace; mpv
    // tells by the number, Qt has to be told, and GTK 3 would fetch windows
    // back through the socket to draw into them, which costs an office
    // program a second at its start. It draws in its own memory instead, as
    // it does on Wayland.
    r.environment.insert("QT_X11_NO_MITSHM".to_owned(), "1".to_owned());
    r.environment.insert("GDK_RENDERING".to_owned(), "image".to_owned());
    cookie(r, display, origin);
    r.note(
        Weight::Info,
        "X11 isolates nothing: the application can watch the keyboard and the windows of every other X11 program".to_owned(),
        Some(origin),
        None,
    );
}

fn cookie(r: &mut Resolution<'_>, display: &XDisplay, origin: &Origin) {
    let Some(authority) = display.authority.clone() else { return };
    let dest = r.runtime_dir().child("Xauthority");
    r.environment.insert("XAUTHORITY".to_owned(), dest.as_str().to_owned());
    r.tree.put(
        Action::Fill {
            dest,
            mode: 0o600,
            slot: Slot::XCookie { authority, display: display.number },
        },
        origin,
    );
}
