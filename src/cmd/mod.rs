//! The subcommands: wiring only. Floor 8.

mod bus_proxy;
mod completions;
mod doctor;
mod enter;
mod explain;
mod export;
mod grants;
mod import;
mod instances;
mod kill;
mod lint;
mod list;
mod man;
mod new;
mod notes;
mod overrides;
mod plan;
mod prepare;
mod print;
mod ps;
mod run;
mod schema;
mod show;
mod tour;
mod wishes;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::report::{Diagnostic, ExitCode, render};
use crate::sys::signal;

/// What a subcommand ends with: a code, or what is wrong.
type Outcome = Result<u8, Vec<Diagnostic>>;

/// Reads the command line and does what it says; gives the exit code.
pub fn main() -> u8 {
    // Where the caller ignored it, neither this process nor init would ever
    // hear of a child's end.
    signal::set_ignored(libc::SIGCHLD, false);
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version are no errors; clap prints each where it
            // belongs. A reader that has gone is no error of ours.
            let _ = error.print();
            return match error.exit_code() {
                0 => ExitCode::Success.number(),
                _ => ExitCode::Usage.number(),
            };
        }
    };
    let outcome = match &cli.command {
        Command::Run(options) => run::main(options),
        Command::List(options) => list::main(options),
        Command::Show(options) => show::main(options),
        Command::Ps(options) => ps::main(options),
        Command::Enter(options) => enter::main(options),
        Command::Kill(options) => kill::main(options),
        Command::Tour(options) => tour::main(options),
        Command::Explain(options) => explain::main(options),
        Command::Lint(options) => lint::main(options),
        Command::Plan(options) => plan::main(options),
        Command::Import(options) => import::main(options),
        Command::Export(options) => export::main(options),
        Command::Doctor(options) => doctor::main(options),
        Command::BusProxy { arguments } => bus_proxy::main(arguments),
        Command::Override(options) => overrides::main(options),
        Command::New(options) => new::main(options),
        Command::Schema => schema::main(),
        Command::Completions { shell } => completions::main(*shell),
        Command::Man { output } => man::main(output),
    };
    match outcome {
        Ok(code) => code,
        Err(diagnostics) => {
            render::print(&diagnostics);
            diagnostics.first().map_or(ExitCode::Bug, Diagnostic::exit).number()
        }
    }
}
