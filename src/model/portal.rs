//! The words for portals and for well-known services of the session bus. Only
//! the words: what each of them opens is data, which the catalogue reads. A
//! manifest can thus be checked without reading any of it.

/// Every word that `portals.allow` can have, in alphabetical order.
pub const PORTALS: [&str; 30] = [
    "account",
    "background",
    "camera",
    "clipboard",
    "documents",
    "dynamic-launcher",
    "email",
    "file-chooser",
    "game-mode",
    "global-shortcuts",
    "inhibit",
    "input-capture",
    "location",
    "memory-monitor",
    "network-monitor",
    "notification",
    "open-uri",
    "power-profile",
    "print",
    "proxy-resolver",
    "realtime",
    "registry",
    "remote-desktop",
    "screencast",
    "screenshot",
    "secret",
    "settings",
    "trash",
    "usb",
    "wallpaper",
];

/// Every word for a service that is no portal, in alphabetical order.
pub const SERVICES: [&str; 7] =
    ["dconf", "gamemode", "input-method", "mpris", "notifications", "secrets", "tray"];
