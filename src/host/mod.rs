//! The host: a read-only view of its files through one descriptor, and the
//! facts about it that a plan depends on. Floor 3.

pub mod fs;

pub use fs::{HostFs, Listing, Node, NodeKind};
