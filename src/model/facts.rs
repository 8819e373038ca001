//! The host as one run sees it, taken once and then only read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::path::{AbsPath, Base, Glob, PathExpr, UserDir};

/// Who runs and where their things are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// The caller's user id, from the kernel.
    pub uid: u32,
    /// The caller's group id, from the kernel.
    pub gid: u32,
    /// The account's name: /etc/passwd, else a validated `$USER`, else `user`.
    pub user: String,
    /// The group's name: /etc/group, else the account's name.
    pub group: String,
    /// The account's shell in /etc/passwd.
    pub shell: AbsPath,
    /// `$HOME` where it is a clean absolute path, else the account's.
    pub home: AbsPath,
    /// The account's home in /etc/passwd, where it differs from `home`. Its
    /// protected paths are shut as well.
    pub account_home: Option<AbsPath>,
    /// `$XDG_CONFIG_HOME` or `~/.config`.
    pub config_home: AbsPath,
    /// `$XDG_DATA_HOME` or `~/.local/share`.
    pub data_home: AbsPath,
    /// `$XDG_STATE_HOME` or `~/.local/state`.
    pub state_home: AbsPath,
    /// `$XDG_CACHE_HOME` or `~/.cache`.
    pub cache_home: AbsPath,
    /// `$XDG_RUNTIME_DIR` where it is a folder of the caller's own, mode 0700.
    pub runtime_dir: Option<AbsPath>,
    /// The folders of `user-dirs.dirs`; one that is the home itself, or that
    /// the file disables, is absent.
    pub user_dirs: BTreeMap<UserDir, AbsPath>,
    /// The caller's environment, in so far as it is UTF-8.
    pub environment: BTreeMap<String, String>,
    /// The working directory, if it can be told.
    pub cwd: Option<AbsPath>,
    /// The Wayland socket that a program outside would connect to.
    pub wayland: Option<WaylandSocket>,
    /// The X display that a program outside would connect to.
    pub x11: Option<XDisplay>,
    /// The PulseAudio socket that a program outside would connect to.
    pub pulse: Option<AbsPath>,
    /// The PipeWire socket that a program outside would connect to.
    pub pipewire: Option<AbsPath>,
    /// The size of the host's /dev/shm in bytes; 0 where it has none.
    pub shm_bytes: u64,
    /// Kernel features.
    pub kernel: KernelFacts,
}

impl HostFacts {
    /// The folder that an expression starts from; none where this account has
    /// no such folder.
    pub fn base(&self, base: Base) -> Option<AbsPath> {
        Some(match base {
            Base::Root => AbsPath::root(),
            Base::Home => self.home.clone(),
            Base::Config => self.config_home.clone(),
            Base::Data => self.data_home.clone(),
            Base::State => self.state_home.clone(),
            Base::Cache => self.cache_home.clone(),
            Base::User(dir) => self.user_dirs.get(&dir)?.clone(),
        })
    }

    /// What an expression names before its first pattern; the whole of it
    /// where it has none.
    pub fn named(&self, expr: &PathExpr) -> Option<AbsPath> {
        let elements = expr.rest.split('/').filter(|element| !element.is_empty());
        let literal = elements.take_while(|element| !Glob::is_pattern(element));
        Some(literal.fold(self.base(expr.base)?, |folder, element| folder.child(element)))
    }
}

/// Where the compositor listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaylandSocket {
    /// A socket file.
    Path(AbsPath),
    /// An already connected descriptor that the caller handed down in
    /// `$WAYLAND_SOCKET`.
    Inherited(i32),
}

/// What `$DISPLAY` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct XDisplay {
    /// As the caller has it.
    pub text: String,
    /// The socket file of a local display; none for one that is reached over
    /// the network (`localhost:10.0` under ssh -X).
    pub socket: Option<AbsPath>,
    /// The display's number.
    pub number: u32,
    /// The screen behind the dot, if one is named.
    pub screen: Option<u32>,
    /// The authority file, if there is one.
    pub authority: Option<AbsPath>,
    /// A display number from 1 up on which nothing listens in the abstract
    /// socket namespace. Under it the socket is shown inside, since libxcb
    /// tries the abstract name first and gives up when landlock refuses it.
    pub free_number: u32,
}

/// What the running kernel can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelFacts {
    /// Landlock's ABI version; 0 where there is none.
    pub landlock_abi: u32,
    /// Its release, major and minor; none where that cannot be told.
    pub release: Option<(u32, u32)>,
}
