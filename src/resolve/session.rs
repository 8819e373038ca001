//! Where the caller's session can be reached: its runtime folder, and the
//! sockets and keys that its environment names elsewhere.
//!
//! Most of them lie in /run, which is never granted. Where a host has put one
//! into a home or under /tmp, a broad grant would show it, and with it the bus
//! without its filter, the keys of an agent, or the sockets by which Pinfold
//! itself is told what to run in other sandboxes.

use crate::host::buses;
use crate::model::bus_address::{self, BusAddress};
use crate::model::facts::HostFacts;
use crate::model::path::AbsPath;
use crate::model::plan::Bus;

/// Variables that hold a path, or several things with one in front.
const PATHS: [&str; 9] = [
    "SSH_AUTH_SOCK",
    "GNOME_KEYRING_CONTROL",
    "WAYLAND_DISPLAY",
    "PIPEWIRE_REMOTE",
    "XAUTHORITY",
    "SWAYSOCK",
    "I3SOCK",
    "NIRI_SOCKET",
    "TMUX",
];

/// All of them.
pub fn places(facts: &HostFacts) -> Vec<AbsPath> {
    let mut all: Vec<AbsPath> = facts.runtime_dir.iter().cloned().collect();
    let variable = |name: &str| facts.environment.get(name).map_or("", String::as_str);
    for bus in [Bus::Session, Bus::System, Bus::Accessibility] {
        for address in bus_address::parse(variable(buses::variable(bus))).unwrap_or_default() {
            if let BusAddress::Path(path) = address {
                all.extend(AbsPath::new(&path).ok());
            }
        }
    }
    // tmux adds the server's id and the session's number.
    let first = |text: &'static str| variable(text).split(',').next().unwrap_or_default();
    all.extend(PATHS.into_iter().filter_map(|name| AbsPath::new(first(name)).ok()));
    let pulse = variable("PULSE_SERVER").split_ascii_whitespace();
    let pulse = pulse.map(|server| server.strip_prefix("unix:").unwrap_or(server));
    all.extend(pulse.filter_map(|path| AbsPath::new(path).ok()));
    all
}

/// Whether a place lies in the runtime folder. One around a home is none that
/// could be kept shut.
pub fn is_runtime(facts: &HostFacts, home: &AbsPath, place: &AbsPath) -> bool {
    let own = facts.runtime_dir.iter().filter(|folder| !home.is_within(folder));
    own.into_iter().any(|folder| place.is_within(folder))
}
