//! Services by which a caller gets further than the call seems to say.
//!
//! The list is one place on purpose. A name with `.*` behind it also means
//! those beneath it; with `*` alone, those that start so.

use crate::model::plan::Bus;

use super::rules::Reach;

/// A service that is more than it seems.
pub struct Danger {
    /// On which bus.
    pub bus: Bus,
    /// Its name.
    pub name: &'static str,
    /// The interfaces that make it so; none is all.
    pub interfaces: &'static [&'static str],
    /// How far it leads.
    pub reach: Reach,
    /// What a caller can make of it.
    pub way: &'static str,
}

const fn session(
    name: &'static str,
    interfaces: &'static [&'static str],
    reach: Reach,
    way: &'static str,
) -> Danger {
    Danger { bus: Bus::Session, name, interfaces, reach, way }
}

const fn system(name: &'static str, way: &'static str) -> Danger {
    Danger { bus: Bus::System, name, interfaces: &[], reach: Reach::Leak, way }
}

use Reach::{Escape, Leak};

/// Every one.
#[rustfmt::skip]
pub static DANGERS: &[Danger] = &[
    session("org.freedesktop.systemd1.*", &[], Escape, "it starts any program as a unit of yours"),
    session("org.freedesktop.Flatpak.*", &[], Escape, "its method HostCommand starts any program on the host"),
    session("org.gnome.Shell", &["org.gnome.Shell", "org.gnome.Shell.Extensions"], Escape, "its Eval and its extensions run scripts in the shell itself"),
    session("org.gnome.Shell.Screenshot", &[], Leak, "it takes pictures of the screen"),
    session("org.gnome.Shell.Screencast", &[], Leak, "it records the screen"),
    session("org.gnome.Mutter.RemoteDesktop", &[], Escape, "it types and clicks into every window"),
    session("org.gnome.Mutter.ScreenCast", &[], Leak, "it records the screen"),
    session("org.gnome.Terminal", &[], Escape, "it opens terminals with any command in them"),
    session("org.gnome.Ptyxis", &[], Escape, "it opens terminals with any command in them"),
    session("org.gnome.Console", &[], Escape, "it opens terminals with any command in them"),
    session("org.kde.konsole*", &[], Escape, "it types commands into open terminals"),
    session("org.kde.yakuake", &[], Escape, "it types commands into open terminals"),
    session("com.gexperts.Tilix", &[], Escape, "it opens terminals with any command in them"),
    session("org.xfce.Terminal*", &[], Escape, "it opens terminals with any command in them"),
    session("org.kde.KWin.ScreenShot2", &[], Leak, "it takes pictures of the screen"),
    session("org.kde.KWin", &["org.kde.kwin.Scripting", "org.kde.KWin"], Escape, "it loads scripts into the window manager"),
    session("org.kde.plasmashell", &["org.kde.PlasmaShell"], Escape, "its evaluateScript runs scripts in the desktop itself"),
    session("org.kde.klauncher*", &[], Escape, "it starts any program"),
    session("org.kde.kded*", &[], Leak, "it loads modules into a daemon of the desktop"),
    session("org.kde.krunner", &[], Leak, "it runs what is typed into it"),
    session("org.kde.kglobalaccel", &[], Leak, "it takes keys of the whole desktop"),
    session("org.kde.kwalletd*", &[], Leak, "it hands out stored passwords"),
    session("org.Cinnamon", &[], Escape, "its Eval runs scripts in the desktop itself"),
    session("org.gnome.SessionManager", &[], Leak, "it sets variables of the session and ends it"),
    session("org.xfce.SessionManager", &[], Leak, "it ends the session and saves what it starts"),
    session("org.gnome.SettingsDaemon.MediaKeys", &[], Leak, "it takes keys of the whole desktop"),
    session("ca.desrt.dconf", &["ca.desrt.dconf.Writer"], Escape, "it writes settings of the desktop, and one of them is the command that a key runs"),
    session("org.gtk.vfs.*", &[], Escape, "it reads and writes any file of yours, from outside the sandbox"),
    session("org.freedesktop.impl.portal.*", &[], Escape, "it is what portals ask: permissions can be written there, past any dialog"),
    session("org.freedesktop.portal.Documents", &["org.freedesktop.portal.Documents"], Leak, "it changes which files are handed to which application"),
    session("org.freedesktop.secrets", &[], Leak, "it hands out stored passwords"),
    session("org.gnome.keyring*", &[], Leak, "it hands out stored passwords"),
    session("org.gnome.OnlineAccounts", &[], Leak, "it hands out tokens of your accounts"),
    session("org.gnome.evolution.dataserver.*", &[], Leak, "it hands out mail, calendars and addresses"),
    session("org.freedesktop.Tracker3.*", &[], Leak, "it tells names and content of your files"),
    session("org.freedesktop.FileManager1", &[], Leak, "it opens windows of a program outside, at any place"),
    session("org.a11y.Bus", &["org.a11y.Bus"], Leak, "it gives the address of a bus on which every window can be read and driven"),
    session("org.freedesktop.IBus", &[], Leak, "it sees what is typed, everywhere"),
    system("org.freedesktop.systemd1", "it starts and stops services, where polkit lets you"),
    system("org.freedesktop.login1", "it ends sessions and shuts the machine down, where polkit lets you"),
    system("org.freedesktop.PolicyKit1", "it can be the one who asks you for a password"),
    system("org.freedesktop.PackageKit", "it installs packages, where polkit lets you"),
    system("org.freedesktop.UDisks2", "it mounts and writes disks, where polkit lets you"),
    system("org.freedesktop.NetworkManager*", "it changes networks and tells their passwords"),
    system("org.freedesktop.machine1", "it opens shells in containers and on the host, where polkit lets you"),
    system("org.freedesktop.Accounts", "it changes accounts, where polkit lets you"),
    system("org.bluez", "it pairs devices, keyboards among them"),
];

/// Whether a pattern of names (`a.b`, `a.b.*`, `a.b*`) and another have a name
/// in common.
pub fn meet(one: &str, other: &str) -> bool {
    covers(one, start(other)) || covers(other, start(one))
}

/// A pattern's name without what stands for more.
fn start(pattern: &str) -> &str {
    pattern.strip_suffix(".*").or_else(|| pattern.strip_suffix('*')).unwrap_or(pattern)
}

/// Whether a pattern holds a name.
pub fn covers(pattern: &str, name: &str) -> bool {
    if let Some(parent) = pattern.strip_suffix(".*") {
        return name
            .strip_prefix(parent)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    }
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}
