//! `pinfold completions`

use clap::CommandFactory;

use crate::cli::Cli;
use crate::report::ExitCode;

use super::{Outcome, print};

/// Prints a completion script.
pub fn main(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pinfold", &mut script);
    print::text(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::Success.number())
}
