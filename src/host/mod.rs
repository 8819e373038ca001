//! The host: a read-only view of its files through one descriptor, and the
//! facts about it that a plan depends on. Floor 3.

mod account;
pub mod buses;
pub mod doctor;
pub mod facts;
pub mod fs;
pub mod outlook;
mod session;
pub mod surroundings;
mod user_dirs;

pub use facts::Caller;
pub use fs::{HostFs, Listing, Node, NodeKind};
pub use surroundings::Here;
