//! The processes of one run. Floor 6.
//!
//! ```text
//! launcher ──clone3──> stage ──becomes──> init (pid 1) ──vfork──> the application
//!    │  becomes          │                  │
//! monitor <──────────────┴── one socket ────┘
//! ```
//!
//! The launcher clones once, with all namespaces. The child builds the tree
//! from the frozen plan, confines itself, and only then forks the
//! application, which inherits everything. Both sides talk over one
//! sequenced-packet socket in messages of 16 bytes; its end tells each side
//! that the other is gone.
//!
//! Where there are no namespaces, by a person's express wish, the same
//! processes do the same, and `in_place` has what is different.

pub mod control;
pub mod enter;
pub mod filter;
pub mod handshake;
pub mod in_place;
pub mod init;
pub mod launch;
pub mod monitor;
pub mod order;
pub mod stage;
pub mod tree;
pub mod visitors;
