//! Places that no grant can open, on whatever host.

use super::path::AbsPath;

/// Sockets of the X server and of its session lie in /tmp, in folders of
/// these names.
const SOCKETS: [&str; 4] =
    ["/tmp/.X11-unix", "/tmp/.ICE-unix", "/tmp/.XIM-unix", "/tmp/.font-unix"];

/// Why the places of sockets are shut.
pub const SESSION: &str =
    "it holds sockets of the session and the system; see [bus], [audio], [display]";

/// Folders of which only what is in them can be granted.
const BROAD: [&str; 4] = ["/etc", "/tmp", "/var/tmp", "/var"];

/// Whether a path is `place` or lies beneath it.
fn within(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Why a real path can be granted to nobody, if so.
pub fn why(path: &AbsPath) -> Option<&'static str> {
    let path = path.as_str();
    if path == "/" {
        return Some("it contains the whole home; grant folders in the home by name");
    }
    if ["/proc", "/sys", "/dev"].iter().any(|place| within(path, place)) {
        return Some("it is the kernel's; see [devices] for devices");
    }
    if within(path, "/run") && !within(path, "/run/media") {
        return Some(SESSION);
    }
    if BROAD.contains(&path) {
        return Some("it is too broad; name what is needed in it");
    }
    if SOCKETS.iter().any(|place| within(path, place)) {
        return Some("it holds sockets of the X server; see [display]");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let refused = |text: &str| why(&AbsPath::new(text).unwrap()).is_some();
        for text in ["/", "/proc/1", "/run", "/run/user/1", "/etc", "/var", "/tmp/.X11-unix/X0"] {
            assert!(refused(text), "{text}");
        }
        for text in ["/procs", "/run/media/x", "/etc/fonts", "/var/lib/x", "/tmp/x", "/runs"] {
            assert!(!refused(text), "{text}");
        }
    }
}
