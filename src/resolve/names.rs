//! Names of the session's own services, which no application owns by being
//! called like one.
//!
//! Every application may own its id on the session bus, and the id is what
//! its manifest says. Whoever is asked for passwords, for permission or to
//! show a window is found by a name as well, and where none of them runs yet,
//! the first to come is believed. Owning such a name has to be stated.

use crate::catalogue;

/// All names beneath one of these.
const SPACES: [&str; 2] = ["org.freedesktop", "org.a11y"];

/// Services of desktops that other programs trust, beside those that the
/// catalogue knows.
const SERVICES: [&str; 17] = [
    "ca.desrt.dconf",
    "com.canonical.Unity",
    "org.fcitx.Fcitx5",
    "org.gnome.Mutter",
    "org.gnome.ScreenSaver",
    "org.gnome.SessionManager",
    "org.gnome.SettingsDaemon",
    "org.gnome.Shell",
    "org.gnome.keyring",
    "org.gtk.vfs",
    "org.kde.KWin",
    "org.kde.kded5",
    "org.kde.kded6",
    "org.kde.ksmserver",
    "org.kde.kwalletd5",
    "org.kde.kwalletd6",
    "org.kde.plasmashell",
];

/// Whether owning an id and what is beneath it would be owning such a name.
pub fn is_of_the_session(id: &str) -> bool {
    let is_beneath = |name: &str, above: &str| {
        name.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if SPACES.iter().any(|space| is_beneath(id, space)) {
        return true;
    }
    let portals = catalogue::words().filter_map(catalogue::portal);
    let portals = portals.flat_map(|portal| portal.opens().map(|object| object.bus.as_str()));
    let services = catalogue::service_words().filter_map(catalogue::service);
    let services = services.flat_map(|service| {
        let owned = service.own.iter().map(|name| name.trim_end_matches(['*', '.', '-']));
        service.opens.iter().map(|object| object.bus.as_str()).chain(owned)
    });
    let mut known = SERVICES.into_iter().chain(portals).chain(services);
    known.any(|name| is_beneath(name, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_trust_is_no_applications_own() {
        for id in [
            "org.freedesktop.portal",
            "org.freedesktop.secrets",
            "org.freedesktop.portal.Desktop",
            "org.a11y.Bus",
            "org.gnome.Shell",
            "org.mpris.MediaPlayer2",
            "org.kde.StatusNotifierWatcher",
        ] {
            assert!(is_of_the_session(id), "{id}");
        }
        for id in ["org.gnome.Evince", "org.freedesktopish.App", "org.kde.kate", "org.gnome.ShellX"]
        {
            assert!(!is_of_the_session(id), "{id}");
        }
    }
}
