//! `pinfold enter`

use std::os::fd::OwnedFd;

use crate::cli::Enter;
use crate::exec::enter::{self, EnterError};
use crate::report::{Code, Diagnostic};
use crate::sys::Errno;

use super::Outcome;
use super::instances::running;
use super::run::refuse_folders_as_input;

/// Runs a further process in a running sandbox.
pub fn main(options: &Enter) -> Outcome {
    refuse_folders_as_input()?;
    crate::freeze::streams::refuse_loose().map_err(|error| vec![error])?;
    let running = running()?;
    let record = running.one(&options.instance)?;
    let shell = [String::from("/bin/sh")];
    let arguments = if options.command.is_empty() { &shell[..] } else { &options.command };
    let socket = running.connect(record)?;
    inside(&socket, options.folder.as_deref().unwrap_or_default(), arguments)
}

/// Runs a program in the sandbox whose monitor is at the other end, and gives
/// its exit code.
///
/// # Errors
/// Why it could not be started or followed.
pub fn inside(socket: &OwnedFd, folder: &str, arguments: &[String]) -> Outcome {
    enter::enter(socket, folder, arguments)
        .map(|status| (status & 0xff) as u8)
        .map_err(|error| vec![explain(arguments.first().map_or("", String::as_str), &error)])
}

fn explain(program: &str, error: &EnterError) -> Diagnostic {
    match error {
        EnterError::Refused(errno @ (Errno::NOENT | Errno::NOTDIR)) => {
            Diagnostic::error(Code::ProgramMissing, format!("there is no {program} in the sandbox"))
                .because(errno)
        }
        EnterError::Refused(errno @ Errno::OPNOTSUPP) => {
            Diagnostic::error(Code::StepFailed, "a sandbox without namespaces cannot be entered")
                .because(errno)
        }
        EnterError::Refused(errno) => Diagnostic::error(
            Code::ProgramNotExecutable,
            format!("cannot execute {program} in the sandbox"),
        )
        .because(errno),
        EnterError::Ended => Diagnostic::error(Code::NotRunning, error.to_string()),
        EnterError::Own(errno) => {
            Diagnostic::error(Code::StepFailed, error.to_string()).because(errno)
        }
    }
}
