//! The words of the project as pure data. Floor 1: no input, no output, no
//! system calls; everything above speaks in these types.

pub mod app_id;
pub mod barrier;
pub mod bus;
pub mod bus_address;
pub mod condition;
pub mod facts;
pub mod manifest;
pub mod origin;
pub mod path;
pub mod permission;
pub mod plan;
pub mod portal;
pub mod statement;
pub mod ungrantable;

pub use app_id::AppId;
pub use facts::HostFacts;
pub use manifest::{Manifest, Policy, Settings};
pub use origin::{Layer, List, Origin, Sourced};
pub use path::{AbsPath, PathExpr};
pub use plan::Plan;
