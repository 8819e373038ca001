//! The barriers between an application and the host, each by its name.
//!
//! A debug build can leave barriers out, so that the hostile cases of the
//! tests can say of each barrier what it stops by itself. A release build
//! cannot: there the set of what is left out is empty whatever is asked for.

use serde::{Deserialize, Serialize};

/// One barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Barrier {
    /// A file tree of the application's own, with the flags of its mounts.
    Mounts,
    /// A pid namespace, and the /proc that belongs to it.
    Processes,
    /// A network namespace.
    Network,
    /// An ipc namespace.
    Ipc,
    /// The limit on further user namespaces.
    UserNamespaces,
    /// The system call filter.
    Syscalls,
    /// Landlock.
    Landlock,
    /// No capabilities, and no way to any.
    Privileges,
    /// A session keyring of its own.
    Keyring,
    /// No descriptors but the standard ones.
    Descriptors,
    /// No variables but those of the plan.
    Environment,
    /// An init whose memory and links are shut.
    Init,
    /// The second look at what is shown, in the sandbox's own mount namespace.
    Witnesses,
}

impl Barrier {
    /// All of them, in the order of the table that the tests print.
    pub const ALL: [Barrier; 13] = [
        Barrier::Mounts,
        Barrier::Processes,
        Barrier::Network,
        Barrier::Ipc,
        Barrier::UserNamespaces,
        Barrier::Syscalls,
        Barrier::Landlock,
        Barrier::Privileges,
        Barrier::Keyring,
        Barrier::Descriptors,
        Barrier::Environment,
        Barrier::Init,
        Barrier::Witnesses,
    ];

    /// The name by which it is left out.
    pub fn name(self) -> &'static str {
        match self {
            Barrier::Mounts => "mounts",
            Barrier::Processes => "processes",
            Barrier::Network => "network",
            Barrier::Ipc => "ipc",
            Barrier::UserNamespaces => "user-namespaces",
            Barrier::Syscalls => "syscalls",
            Barrier::Landlock => "landlock",
            Barrier::Privileges => "privileges",
            Barrier::Keyring => "keyring",
            Barrier::Descriptors => "descriptors",
            Barrier::Environment => "environment",
            Barrier::Init => "init",
            Barrier::Witnesses => "witnesses",
        }
    }
}

/// A set of barriers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Barriers(u16);

impl Barriers {
    /// Whether this build can leave barriers out.
    pub const CAN_BE_LEFT_OUT: bool = cfg!(debug_assertions);

    /// No barrier.
    pub const NONE: Barriers = Barriers(0);

    /// Reads names with commas between them.
    ///
    /// # Errors
    /// The first name that is none.
    pub fn parse(names: &str) -> Result<Barriers, String> {
        names.split(',').filter(|name| !name.is_empty()).try_fold(Barriers::NONE, |set, name| {
            let barrier = Barrier::ALL.into_iter().find(|barrier| barrier.name() == name);
            barrier.map(|barrier| set.with(barrier)).ok_or_else(|| name.to_owned())
        })
    }

    /// The set and one more.
    #[must_use]
    pub const fn with(self, barrier: Barrier) -> Barriers {
        Barriers(self.0 | 1 << barrier as u16)
    }

    /// Whether a barrier is in the set; never in a release build.
    pub const fn has(self, barrier: Barrier) -> bool {
        Barriers::CAN_BE_LEFT_OUT && self.0 & (1 << barrier as u16) != 0
    }

    /// The names of those in the set.
    pub fn names(self) -> Vec<&'static str> {
        Barrier::ALL.into_iter().filter(|one| self.has(*one)).map(Barrier::name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sets_are_the_same() {
        for barrier in Barrier::ALL {
            let set = Barriers::parse(barrier.name()).unwrap();
            assert_eq!(set, Barriers::NONE.with(barrier));
            assert_eq!(set.has(barrier), Barriers::CAN_BE_LEFT_OUT);
        }
        assert_eq!(Barriers::parse(""), Ok(Barriers::NONE));
        assert_eq!(Barriers::parse("mounts,moats"), Err("moats".to_owned()));
        assert_eq!(Barriers::parse("landlock,mounts").unwrap().names(), ["mounts", "landlock"]);
    }
}
