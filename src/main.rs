//! The `pinfold` program.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::from(pinfold::cmd::main())
}
