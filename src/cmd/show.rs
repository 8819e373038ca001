//! `pinfold show`

use crate::cli::Show;
use crate::report::ExitCode;
use crate::resolve::Request;
use crate::sys;
use crate::view;

use super::{Outcome, prepare, print};

/// Shows what an application may do.
pub fn main(options: &Show) -> Outcome {
    let host = prepare::host()?;
    let prepared = prepare::prepare(&host, &options.app, &options.grants, |written| {
        Request::look(written, options.tier.tier())
    })?;
    let abi = host.facts.kernel.landlock_abi;
    let shown = view::show::Shown::of(&prepared.policy, &prepared.plan, abi);
    if options.json {
        print::json(&shown.json())?;
    } else {
        let width = sys::fd::terminal_width().unwrap_or(80);
        print::text(&shown.text(width))?;
    }
    Ok(ExitCode::Success.number())
}
