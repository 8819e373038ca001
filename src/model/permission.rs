//! The words with which a manifest grants something.

use serde::{Deserialize, Serialize};

/// A closed set of words in a manifest. One table per type: parsing, printing
/// and the "did you mean" of diagnostics all read it.
pub trait Word: Copy + PartialEq + Sized + 'static {
    /// Every word with its value, in the order in which people see them.
    const WORDS: &'static [(&'static str, Self)];

    /// The value that a word stands for.
    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
    }

    /// The word for this value.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(name, _)| name)
    }
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $word)] $variant,)+
        }

        impl $crate::model::permission::Word for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, $name::$variant),)+];
        }
    };
}

pub(super) use words;

words! {
    /// What the application finds as its home.
    HomeKind {
        /// A home of its own that is kept from run to run.
        Private = "private",
        /// A home of its own that is gone after the run, but for `persist`.
        Ephemeral = "ephemeral",
        /// The real home below, changes kept apart.
        Overlay = "overlay",
        /// The real home, but for protected paths.
        Shared = "shared",
    }
}

words! {
    /// How the application reaches an X server.
    X11Mode {
        /// Not at all.
        Never = "never",
        /// Only where no Wayland socket is granted and present.
        Fallback = "fallback",
        /// In an X server of its own.
        Nested = "nested",
        /// With an untrusted cookie.
        Untrusted = "untrusted",
        /// As any other client: can watch and drive all other X clients.
        Shared = "shared",
    }
}

words! {
    /// Whose network the application sees.
    NetworkMode {
        /// A loopback interface of its own and nothing else.
        None = "none",
        /// The host's.
        Host = "host",
        /// Its own, with a user-mode stack to the outside.
        Private = "private",
    }
}

words! {
    /// A kind of device.
    Device {
        /// Render nodes under /dev/dri and their like.
        Gpu = "gpu",
        /// Video capture.
        Camera = "camera",
        /// Joysticks and gamepads.
        Gamepad = "gamepad",
        /// Printers.
        Printer = "printer",
        /// Smart-card readers.
        Smartcard = "smartcard",
        /// Hardware virtualisation.
        Kvm = "kvm",
        /// Raw USB.
        Usb = "usb",
        /// Every input device.
        Input = "input",
    }
}

words! {
    /// Which further sandboxes the application may build inside its own.
    Nested {
        /// None.
        None = "none",
        /// What browsers need: user namespaces and chroot, no mounts.
        Browser = "browser",
        /// What bubblewrap needs: mounts too.
        Container = "container",
    }
}

words! {
    /// Groups of system calls that are refused unless they are named.
    SyscallFeature {
        /// ptrace, performance counters, personality.
        Devel = "devel",
        /// 32-bit programs.
        Multiarch = "multiarch",
        /// Sockets of 32-bit programs that know no way but socketcall.
        MultiarchSockets = "multiarch-sockets",
        /// Bluetooth sockets.
        Bluetooth = "bluetooth",
        /// CAN bus sockets.
        Canbus = "canbus",
    }
}

words! {
    /// What to do when the kernel's landlock cannot do all that is asked.
    LandlockMode {
        /// Use what there is, and say what is missing.
        Best = "best",
        /// Do not start the application.
        Require = "require",
    }
}
