//! The sockets of the caller's desktop session, found as the libraries find
//! them that programs outside use: libwayland, libxcb, libpulse, libpipewire.
//!
//! A variable that is set but leads nowhere is never replaced by a default,
//! where the library would not do so either: whoever set it may have meant to
//! hand down less than the whole session.

use std::collections::BTreeMap;

use rustix::io::Errno;

use crate::model::facts::{WaylandSocket, XDisplay};
use crate::model::path::AbsPath;

use super::fs::{HostFs, NodeKind};

/// The folder of the X servers' sockets.
pub(super) const X11_FOLDER: &str = "/tmp/.X11-unix";

/// A session's environment and the folder in which it keeps its sockets.
pub(super) struct Session<'a> {
    pub fs: &'a HostFs,
    pub environment: &'a BTreeMap<String, String>,
    pub runtime_dir: Option<&'a AbsPath>,
    pub home: &'a AbsPath,
    /// What [`free_display`] says.
    pub free_display: u32,
}

impl Session<'_> {
    fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// A path that names a socket. Links are followed: under WSL the session's
    /// sockets are links.
    fn socket(&self, path: AbsPath) -> Option<AbsPath> {
        let node = self.fs.look_following(&path).ok()?;
        (node.kind == NodeKind::Socket).then_some(path)
    }

    /// A socket by its whole path or by its name in `folder`.
    fn socket_in(&self, folder: Option<&AbsPath>, name: &str) -> Option<AbsPath> {
        let path = match name.starts_with('/') {
            true => AbsPath::new(name).ok(),
            false => folder?.join(name).ok(),
        };
        self.socket(path?)
    }

    /// Where the compositor listens.
    pub fn wayland(&self) -> Option<WaylandSocket> {
        if let Some(number) = self.variable("WAYLAND_SOCKET") {
            // 0, 1 and 2 are the application's own input and output.
            let number = decimal(number).and_then(|number| i32::try_from(number).ok())?;
            return (number > 2).then_some(WaylandSocket::Inherited(number));
        }
        let name = match (self.variable("WAYLAND_DISPLAY"), self.variable("XDG_SESSION_TYPE")) {
            (Some(name), _) => name,
            (None, None | Some("" | "wayland")) => "wayland-0",
            // In a session of another kind, over ssh for one, the default name
            // would be the compositor of somebody else's screen.
            (None, Some(_)) => return None,
        };
        self.socket_in(self.runtime_dir, name).map(WaylandSocket::Path)
    }

    /// The display of `$DISPLAY`; none if it is local and nothing listens.
    pub fn x11(&self) -> Option<XDisplay> {
        let text = self.variable("DISPLAY")?;
        let DisplayName { local, number, screen } = DisplayName::parse(text)?;
        let socket = match local {
            true => {
                let folder = AbsPath::new(X11_FOLDER).ok()?;
                Some(self.socket(folder.child(&format!("X{number}")))?)
            }
            false => None,
        };
        let authority = match self.variable("XAUTHORITY") {
            Some(path) => AbsPath::new(path).ok(),
            None => Some(self.home.child(".Xauthority")),
        };
        let authority = authority.filter(|path| {
            self.fs.look_following(path).is_ok_and(|node| node.kind == NodeKind::File)
        });
        Some(XDisplay {
            text: text.to_owned(),
            socket,
            number,
            screen,
            authority,
            free_number: self.free_display,
        })
    }

    /// Where the PulseAudio server listens.
    pub fn pulse(&self) -> Option<AbsPath> {
        if let Some(server) = self.variable("PULSE_SERVER").filter(|server| !server.is_empty()) {
            // A list is tried in order; more than its head cannot be told
            // without trying.
            let first = server.split_ascii_whitespace().next()?;
            // `{machine}address` is for one machine only. Whether it is this
            // one, libpulse asks /etc/machine-id; an address that is not for
            // this machine is a socket that does not exist here.
            let address = match first.strip_prefix('{') {
                Some(rest) => rest.split_once('}')?.1,
                None => first,
            };
            let path = address.strip_prefix("unix:").unwrap_or(address);
            return self.socket(AbsPath::new(path).ok()?);
        }
        if let Some(folder) = self.variable("PULSE_RUNTIME_PATH") {
            return self.socket(AbsPath::new(folder).ok()?.child("native"));
        }
        self.socket_in(self.runtime_dir, "pulse/native")
    }

    /// Where PipeWire listens.
    pub fn pipewire(&self) -> Option<AbsPath> {
        let named = self.variable("PIPEWIRE_RUNTIME_DIR").map(AbsPath::new);
        let folder = match &named {
            Some(folder) => Some(folder.as_ref().ok()?),
            None => self.runtime_dir,
        };
        self.socket_in(folder, self.variable("PIPEWIRE_REMOTE").unwrap_or("pipewire-0"))
    }
}

/// `$DISPLAY` taken apart.
#[derive(Debug, PartialEq, Eq)]
struct DisplayName {
    local: bool,
    number: u32,
    screen: Option<u32>,
}

impl DisplayName {
    /// Reads `[protocol/][host]:number[.screen]` as libxcb does, but for
    /// sockets by their path, which only some systems have.
    fn parse(text: &str) -> Option<DisplayName> {
        if text.starts_with('/') || text.starts_with("unix:/") || text.contains(char::is_control) {
            return None;
        }
        // The host of an IPv6 address has colons itself.
        let (server, numbers) = text.rsplit_once(':')?;
        let (protocol, host) = match server.rsplit_once('/') {
            Some((protocol, host)) => (Some(protocol), host),
            None => (None, server),
        };
        let local = protocol == Some("unix") || host.is_empty() || host == "unix";
        let (number, screen) = match numbers.split_once('.') {
            Some((number, screen)) => (number, Some(decimal(screen)?)),
            None => (numbers, None),
        };
        Some(DisplayName { local, number: decimal(number)?, screen })
    }
}

/// A number of plain digits: no sign, no space.
fn decimal(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The smallest display number from 10 up whose abstract socket nobody has.
/// Lower ones make some programs believe that they share memory with the
/// server.
///
/// Told by taking the name for a moment, which takes a microsecond or two:
/// the kernel's table of sockets costs several hundred on a busy desktop, and
/// a connection could make a compositor start its X server.
pub(super) fn free_display() -> u32 {
    (10..1000).find(|&number| !is_taken(number)).unwrap_or(1000)
}

/// Whether the abstract socket of a display exists. What cannot be told counts
/// as free: a wrong guess costs an X connection, which the library reports.
fn is_taken(number: u32) -> bool {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};
    let name = format!("{X11_FOLDER}/X{number}");
    let bound = SocketAddrUnix::new_abstract_name(name.as_bytes()).and_then(|address| {
        let flags = SocketFlags::CLOEXEC;
        bind(socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?, &address)
    });
    bound == Err(Errno::ADDRINUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    /// A host whose runtime folder is /run/me.
    struct Desk {
        dir: tempfile::TempDir,
        fs: HostFs,
        listeners: Vec<UnixListener>,
    }

    impl Desk {
        fn new(sockets: &[&str]) -> Desk {
            let dir = tempfile::tempdir().unwrap();
            let fs = HostFs::at(dir.path()).unwrap();
            let mut desk = Desk { dir, fs, listeners: Vec::new() };
            for socket in sockets {
                let place = desk.place(socket);
                desk.listeners.push(UnixListener::bind(place).unwrap());
            }
            desk
        }

        /// The real place of a path of the tree, its folder made.
        fn place(&self, path: &str) -> std::path::PathBuf {
            let place = self.dir.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(place.parent().unwrap_or(Path::new("/"))).unwrap();
            place
        }

        fn ask<T>(
            &self,
            variables: &[(&str, &str)],
            question: impl FnOnce(&Session<'_>) -> T,
        ) -> T {
            let environment =
                variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            question(&Session {
                fs: &self.fs,
                environment: &environment,
                runtime_dir: AbsPath::new("/run/me").ok().as_ref(),
                home: &AbsPath::new("/home/ada").unwrap(),
                free_display: 4,
            })
        }
    }

    fn at(path: &str) -> Option<WaylandSocket> {
        Some(WaylandSocket::Path(AbsPath::new(path).unwrap()))
    }

    #[test]
    fn wayland_by_name_path_and_default() {
        let desk = Desk::new(&["/run/me/wayland-0", "/run/me/wayland-7", "/srv/w"]);
        let ask = |variables: &[(&str, &str)]| desk.ask(variables, |session| session.wayland());
        assert_eq!(ask(&[("WAYLAND_DISPLAY", "wayland-7")]), at("/run/me/wayland-7"));
        assert_eq!(ask(&[("WAYLAND_DISPLAY", "/srv/w")]), at("/srv/w"));
        assert_eq!(ask(&[]), at("/run/me/wayland-0"));
        assert_eq!(ask(&[("XDG_SESSION_TYPE", "wayland")]), at("/run/me/wayland-0"));
        assert_eq!(ask(&[("XDG_SESSION_TYPE", "tty")]), None);
        assert_eq!(ask(&[("XDG_SESSION_TYPE", "x11")]), None);
        for nowhere in ["", "wayland-1", "../me/wayland-0", "./wayland-0", "/srv", "/srv/../srv/w"]
        {
            assert_eq!(ask(&[("WAYLAND_DISPLAY", nowhere)]), None, "{nowhere:?}");
        }
    }

    #[test]
    fn wayland_takes_only_sockets_also_behind_links() {
        let desk = Desk::new(&["/mnt/wslg/wayland-0"]);
        std::fs::write(desk.place("/run/me/plain"), "").unwrap();
        symlink("/mnt/wslg/wayland-0", desk.place("/run/me/wayland-0")).unwrap();
        let ask = |variables: &[(&str, &str)]| desk.ask(variables, |session| session.wayland());
        assert_eq!(ask(&[]), at("/run/me/wayland-0"));
        assert_eq!(ask(&[("WAYLAND_DISPLAY", "plain")]), None);
    }

    #[test]
    fn an_inherited_wayland_connection_comes_first() {
        let desk = Desk::new(&["/run/me/wayland-0"]);
        let ask = |fd: &str| desk.ask(&[("WAYLAND_SOCKET", fd)], |session| session.wayland());
        assert_eq!(ask("7"), Some(WaylandSocket::Inherited(7)));
        for bad in ["0", "2", "", "-1", "+7", "7 ", "x", "4294967296"] {
            assert_eq!(ask(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn forms_of_display() {
        let name = |local, number, screen| Some(DisplayName { local, number, screen });
        for (text, want) in [
            (":0", name(true, 0, None)),
            (":1.2", name(true, 1, Some(2))),
            ("unix:3", name(true, 3, None)),
            ("unix/:3", name(true, 3, None)),
            ("unix/host:3", name(true, 3, None)),
            ("host/unix:3", name(true, 3, None)),
            ("localhost:10.0", name(false, 10, Some(0))),
            ("tcp/localhost:10", name(false, 10, None)),
            ("example.org:0", name(false, 0, None)),
            ("[::1]:0", name(false, 0, None)),
            ("/tmp/launch-x/org.xquartz:0", None),
            ("unix:/tmp/.X11-unix/X0", None),
            ("", None),
            (":", None),
            (":x", None),
            (":+1", None),
            (":-1", None),
            (":1.", None),
            (":1.x", None),
            (":99999999999", None),
            ("host\n:1", None),
            ("host", None),
        ] {
            assert_eq!(DisplayName::parse(text), want, "{text:?}");
        }
    }

    #[test]
    fn a_local_display_needs_its_socket_and_a_distant_one_none() {
        let desk = Desk::new(&["/tmp/.X11-unix/X5"]);
        let ask = |variables: &[(&str, &str)]| desk.ask(variables, |session| session.x11());
        let five = ask(&[("DISPLAY", ":5.1")]).unwrap();
        assert_eq!(five.socket, AbsPath::new("/tmp/.X11-unix/X5").ok());
        assert_eq!((five.text.as_str(), five.number, five.screen), (":5.1", 5, Some(1)));
        assert_eq!((five.authority, five.free_number), (None, 4));
        assert_eq!(ask(&[("DISPLAY", ":6")]), None);
        assert_eq!(ask(&[]), None);
        let distant = ask(&[("DISPLAY", "localhost:10.0")]).unwrap();
        assert_eq!((distant.socket, distant.number), (None, 10));
    }

    #[test]
    fn the_authority_file_is_the_named_one_or_the_one_in_the_home() {
        let desk = Desk::new(&["/tmp/.X11-unix/X5"]);
        std::fs::write(desk.place("/home/ada/.Xauthority"), "").unwrap();
        std::fs::write(desk.place("/run/me/cookie"), "").unwrap();
        let ask = |file: Option<&str>| {
            let mut variables = vec![("DISPLAY", ":5")];
            variables.extend(file.map(|file| ("XAUTHORITY", file)));
            desk.ask(&variables, |session| session.x11()).unwrap().authority.map(String::from)
        };
        assert_eq!(ask(None).as_deref(), Some("/home/ada/.Xauthority"));
        assert_eq!(ask(Some("/run/me/cookie")).as_deref(), Some("/run/me/cookie"));
        assert_eq!(ask(Some("/run/me/none")), None);
        assert_eq!(ask(Some("cookie")), None);
        assert_eq!(ask(Some("/run/me")), None);
    }

    #[test]
    fn a_free_display_is_one_that_no_abstract_socket_has() {
        use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, socket};
        let before = free_display();
        let holder = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        let name = format!("{X11_FOLDER}/X{before}");
        bind(&holder, &SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap()).unwrap();
        let during = free_display();
        assert!(during > before, "{during} after {before} was taken");
        drop(holder);
        assert_eq!(free_display(), before);
    }

    #[test]
    fn pulse_by_server_runtime_path_and_default() {
        let desk = Desk::new(&["/run/me/pulse/native", "/srv/pulse", "/srv/run/native"]);
        let ask = |variables: &[(&str, &str)]| {
            desk.ask(variables, |session| session.pulse()).map(String::from)
        };
        assert_eq!(ask(&[]).as_deref(), Some("/run/me/pulse/native"));
        assert_eq!(ask(&[("PULSE_SERVER", "unix:/srv/pulse")]).as_deref(), Some("/srv/pulse"));
        assert_eq!(ask(&[("PULSE_SERVER", "/srv/pulse")]).as_deref(), Some("/srv/pulse"));
        assert_eq!(
            ask(&[("PULSE_SERVER", "{abc}unix:/srv/pulse tcp:h")]).as_deref(),
            Some("/srv/pulse")
        );
        assert_eq!(ask(&[("PULSE_SERVER", "")]).as_deref(), Some("/run/me/pulse/native"));
        assert_eq!(ask(&[("PULSE_RUNTIME_PATH", "/srv/run")]).as_deref(), Some("/srv/run/native"));
        for nowhere in
            ["tcp:localhost", "localhost", "unix:/srv/none", "unix:srv/pulse", " ", "{abc"]
        {
            assert_eq!(ask(&[("PULSE_SERVER", nowhere)]), None, "{nowhere:?}");
        }
    }

    #[test]
    fn pipewire_by_remote_runtime_folder_and_default() {
        let desk = Desk::new(&["/run/me/pipewire-0", "/run/me/pw", "/srv/pipewire-0"]);
        let ask = |variables: &[(&str, &str)]| {
            desk.ask(variables, |session| session.pipewire()).map(String::from)
        };
        assert_eq!(ask(&[]).as_deref(), Some("/run/me/pipewire-0"));
        assert_eq!(ask(&[("PIPEWIRE_REMOTE", "pw")]).as_deref(), Some("/run/me/pw"));
        assert_eq!(
            ask(&[("PIPEWIRE_REMOTE", "/srv/pipewire-0")]).as_deref(),
            Some("/srv/pipewire-0")
        );
        assert_eq!(ask(&[("PIPEWIRE_RUNTIME_DIR", "/srv")]).as_deref(), Some("/srv/pipewire-0"));
        assert_eq!(ask(&[("PIPEWIRE_RUNTIME_DIR", "srv")]), None);
        assert_eq!(ask(&[("PIPEWIRE_REMOTE", "none")]), None);
    }
}
