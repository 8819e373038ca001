//! What a person sees when something is wrong or worth knowing: one shape of
//! diagnostic, one place that renders it, one table of exit codes. Floor 2.

pub mod diagnostic;
pub mod escape;
pub mod exit_code;
pub mod render;

pub use diagnostic::{Code, Diagnostic, Label, Severity};
pub use exit_code::ExitCode;
