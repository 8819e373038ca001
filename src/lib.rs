#![deny(unsafe_op_in_unsafe_fn)]
pub mod host;
pub mod model;
pub mod report;
pub mod view;
