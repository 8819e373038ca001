//! `pinfold plan`

use crate::cli::PlanOf;
use crate::report::{Code, Diagnostic, ExitCode};
use crate::resolve::Request;
use crate::view;

use super::{Outcome, prepare, print};

/// Prints every step that a run would take.
pub fn main(options: &PlanOf) -> Outcome {
    let host = prepare::host()?;
    let prepared = prepare::prepare(&host, &options.app, &options.grants, |written| Request {
        arguments: options.arguments.clone(),
        ..Request::look(written, options.tier.tier())
    })?;
    if options.json {
        let json = serde_json::to_string_pretty(&prepared.plan).map_err(|error| {
            vec![Diagnostic::error(Code::Bug, "cannot write the plan as JSON").because(error)]
        })?;
        print::text(&(json + "\n"))?;
    } else {
        print::text(&view::plan::text(&prepared.plan))?;
    }
    Ok(ExitCode::Success.number())
}
