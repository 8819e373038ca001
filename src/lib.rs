#![deny(unsafe_op_in_unsafe_fn)]
pub mod manifest;
pub mod model;
pub mod report;
