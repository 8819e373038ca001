//! `pinfold ps`

use std::time::Duration;

use crate::cli::Ps;
use crate::instance::processes::Processes;
use crate::report::ExitCode;
use crate::view::instances::{self, Instance};
use crate::view::namespaces;

use super::instances::{Running, running};
use super::{Outcome, print};

/// How often a list that is watched is made anew.
const PERIOD: Duration = Duration::from_secs(1);

/// Clears the screen and goes to its first line (`ECMA-48`, ED and CUP).
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Lists the sandboxes that run.
pub fn main(options: &Ps) -> Outcome {
    loop {
        let running = running()?;
        if options.watch {
            print::text(CLEAR)?;
        }
        show(options, running)?;
        if !options.watch {
            return Ok(ExitCode::Success.number());
        }
        std::thread::sleep(PERIOD);
    }
}

fn show(options: &Ps, running: Running) -> Result<(), Vec<crate::report::Diagnostic>> {
    let all = Processes::look();
    if options.namespaces {
        let rows = namespaces::of(&running.list, &all);
        return match options.json {
            true => print::json(&namespaces::json(&rows)),
            false => print::text(&namespaces::text(&rows)),
        };
    }
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (tick, page) = (rustix::param::clock_ticks_per_second(), rustix::param::page_size() as u64);
    let list: Vec<Instance> = running
        .list
        .into_iter()
        .map(|record| Instance::of(record, &all, now, tick, page))
        .collect();
    match options.json {
        true => print::json(&instances::json(&list)),
        false => print::text(&instances::text(&list)),
    }
}
