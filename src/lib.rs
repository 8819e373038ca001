#![deny(unsafe_op_in_unsafe_fn)]
pub mod freeze;
pub mod model;
pub mod report;
