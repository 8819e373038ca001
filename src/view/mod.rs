//! How policies, plans and reports are shown to people. Floor 7.

pub mod bus_log;
pub mod changes;
pub mod doctor;
pub mod explain;
pub mod import;
pub mod instances;
mod layout;
pub mod lint;
pub mod list;
pub mod namespaces;
pub mod plan;
pub mod show;
pub mod tour;
