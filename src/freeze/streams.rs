//! The standard streams that an application is given, where one of them would
//! be a way out.

use crate::report::{Code, Diagnostic};
use crate::sys::fd;

/// Refuses a standard stream that is a socket with which more can be reached
/// than its other end. A socket stays in the network, and in the space of
/// abstract names, of whoever has made it.
///
/// # Errors
/// Which of them is one.
pub fn refuse_loose() -> Result<(), Diagnostic> {
    let streams = [(0, "input"), (1, "output"), (2, "error output")];
    match streams.into_iter().find(|(number, _)| fd::is_loose_socket(*number)) {
        None => Ok(()),
        Some((_, name)) => Err(Diagnostic::error(
            Code::HostEnvironment,
            format!("the standard {name} is a socket that is not tied to another"),
        )
        .because("the application could reach the network or other programs outside by it")
        .hint("redirect it from or to a file, a pipe or /dev/null")),
    }
}
