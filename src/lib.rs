#![deny(unsafe_op_in_unsafe_fn)]
pub mod cli;
pub mod cmd;
pub mod exec;
pub mod freeze;
pub mod host;
pub mod instance;
pub mod manifest;
pub mod model;
pub mod report;
pub mod resolve;
pub mod sys;
pub mod view;
