//! `pinfold man`

use std::path::Path;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::report::{Code, Diagnostic, ExitCode};

use super::Outcome;

/// Writes the manual pages: one for the program, one for each subcommand.
pub fn main(output: &Path) -> Outcome {
    std::fs::create_dir_all(output)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), output))
        .map_err(|error| {
            vec![
                Diagnostic::error(
                    Code::Usage,
                    format!("cannot write manual pages to {}", output.display()),
                )
                .because(error),
            ]
        })?;
    Ok(ExitCode::Success.number())
}
