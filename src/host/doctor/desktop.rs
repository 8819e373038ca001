//! What an application can be given of the desktop.

use super::findings::{Attempt, SessionFindings, SocketFinding};
use super::{Check, Status, Topic, in_words};

pub(super) fn checks(session: &SessionFindings) -> Vec<Check> {
    let mut checks = vec![
        runtime_dir(session),
        wayland(session),
        x11(session),
        socket(
            "pulseaudio",
            session.pulse.as_ref(),
            "Applications that are granted audio can play and record.",
            "Applications have no sound by PulseAudio.",
        ),
        socket(
            "pipewire",
            session.pipewire.as_ref(),
            "Cameras and screens can be shared through the portals.",
            "No camera or screen can be shared through the portals.",
        ),
        gpu(session),
        session_bus(session),
        portal(session),
    ];
    if !session.remarks.is_empty() {
        checks.push(check(
            "environment",
            Status::Degraded,
            session.remarks.join("\n"),
            "These variables are left out of account.",
        ));
    }
    checks
}

fn check(name: &str, status: Status, found: impl Into<String>, means: impl Into<String>) -> Check {
    Check::new(Topic::Desktop, name, status, found, means)
}

/// Where a socket is and, if it does not answer, why.
fn place(socket: &SocketFinding) -> (bool, String) {
    match socket.answers {
        None | Some(Attempt::Works) => (true, socket.place.clone()),
        Some(Attempt::Fails(errno)) => (false, format!("{}: {}", socket.place, in_words(errno))),
    }
}

fn socket(name: &str, socket: Option<&SocketFinding>, good: &str, bad: &str) -> Check {
    match socket.map(place) {
        Some((true, found)) => check(name, Status::Good, found, good),
        Some((false, found)) => check(name, Status::Degraded, found, bad),
        None => check(name, Status::Degraded, "not there", bad),
    }
}

fn runtime_dir(session: &SessionFindings) -> Check {
    const NAME: &str = "runtime-dir";
    match &session.runtime_dir {
        Some(folder) => check(NAME, Status::Good, folder, "Sockets of the session are found in it."),
        None => check(
            NAME,
            Status::Degraded,
            "no usable XDG_RUNTIME_DIR",
            "Wayland, sound and the session bus are not found, and running sandboxes leave no record.",
        )
        .remedy("log in through a session manager, or: loginctl enable-linger, and set XDG_RUNTIME_DIR=/run/user/$(id -u)"),
    }
}

fn wayland(session: &SessionFindings) -> Check {
    socket(
        "wayland",
        session.wayland.as_ref(),
        "Applications have windows and cannot watch each other's.",
        "No Wayland windows from here; with x11 = \"fallback\" an application uses X11 instead.",
    )
}

fn x11(session: &SessionFindings) -> Check {
    const NAME: &str = "x11";
    let Some(x11) = &session.x11 else {
        return match &session.wayland {
            Some(_) => check(
                NAME,
                Status::Good,
                "not there",
                "Only applications that know no Wayland need it.",
            ),
            None => check(
                NAME,
                Status::Degraded,
                "not there",
                "Applications have no X11 windows from here.",
            ),
        };
    };
    const WATCH: &str =
        "An application that is granted X11 can watch and drive all other X11 windows.";
    let Some(socket) = &x11.socket else {
        return check(
            NAME,
            Status::Degraded,
            format!("{}, over the network", x11.display),
            format!("It is reached only by applications that have the host's network. {WATCH}"),
        );
    };
    let (answers, found) = place(socket);
    if !answers {
        return check(NAME, Status::Degraded, found, "Applications have no X11 windows from here.");
    }
    match &x11.authority {
        Some(_) => check(NAME, Status::Good, found, WATCH),
        None => check(
            NAME,
            Status::Degraded,
            format!("{found}, no cookie file"),
            format!("The server lets in whom it knows by account only, or nobody. {WATCH}"),
        )
        .remedy("set XAUTHORITY to the file with the server's cookie"),
    }
}

fn gpu(session: &SessionFindings) -> Check {
    const NAME: &str = "gpu";
    let usable: Vec<&str> = session
        .render_nodes
        .iter()
        .filter(|node| node.usable)
        .map(|node| node.place.as_str())
        .collect();
    match (usable.is_empty(), session.render_nodes.first()) {
        (false, _) => check(
            NAME,
            Status::Good,
            usable.join(", "),
            "Applications that are granted it draw by the graphics card.",
        ),
        (true, Some(node)) => check(
            NAME,
            Status::Degraded,
            format!("{} is not open to you", node.place),
            "Applications draw by the processor alone.",
        )
        .remedy("sudo usermod -aG render \"$USER\", and log in anew"),
        (true, None) => check(
            NAME,
            Status::Degraded,
            "no render node",
            "Applications draw by the processor alone.",
        ),
    }
}

fn session_bus(session: &SessionFindings) -> Check {
    const NAME: &str = "session-bus";
    const WITHOUT: &str = "Applications have no portals, notifications or single instance.";
    match &session.session_bus {
        None => check(NAME, Status::Degraded, "not there", WITHOUT),
        Some(bus) => match bus.socket.as_ref().map(place) {
            Some((true, found)) => check(
                NAME,
                Status::Good,
                found,
                "Applications reach the names that their manifests grant, through a filter.",
            ),
            Some((false, found)) => check(NAME, Status::Degraded, found, WITHOUT),
            None => check(
                NAME,
                Status::Degraded,
                format!("{} is no socket of this machine", bus.address),
                WITHOUT,
            )
            .remedy("set DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus"),
        },
    }
}

fn portal(session: &SessionFindings) -> Check {
    const NAME: &str = "portals";
    match &session.portal {
        Some(program) => check(
            NAME,
            Status::Good,
            program,
            "An application can ask you for single files, and gets only these.",
        ),
        None => check(
            NAME,
            Status::Degraded,
            "xdg-desktop-portal is not installed",
            "An application cannot ask for single files; it sees what its manifest grants.",
        )
        .remedy(
            "install xdg-desktop-portal and the backend of your desktop (-gtk, -gnome, -kde, -wlr)",
        ),
    }
}
