//! `pinfold schema`

use crate::manifest;
use crate::report::ExitCode;

use super::{Outcome, print};

/// Prints the grammar as a JSON Schema.
pub fn main() -> Outcome {
    print::json(&manifest::schema())?;
    Ok(ExitCode::Success.number())
}
