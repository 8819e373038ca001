//! How policies, plans and reports are shown to people. Floor 7.

pub mod doctor;
pub mod plan;
