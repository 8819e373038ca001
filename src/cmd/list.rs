//! `pinfold list`

use crate::cli::List;
use crate::manifest::stack::{self, Target};
use crate::model::manifest::Settings;
use crate::report::{ExitCode, render};
use crate::sys;
use crate::view::list::{self, Entry};

use super::{Outcome, prepare, print};

/// Lists the applications that have a manifest.
pub fn main(options: &List) -> Outcome {
    let host = prepare::host()?;
    let places = prepare::places(&host.facts);
    let mut entries = Vec::new();
    let mut broken = Vec::new();
    for (id, files) in places.list() {
        match stack::policy(&Target::App(id.clone()), &places, &host.here(), Settings::default()) {
            Ok((policy, warnings)) => {
                broken.extend(warnings);
                entries.push(Entry::of(&policy, &host.fs));
            }
            Err(errors) => {
                let files = files
                    .into_iter()
                    .map(|(layer, path)| (layer, path.to_string_lossy().into_owned()))
                    .collect();
                entries.push(Entry::broken(id, files));
                // What is wrong with a file for all is wrong for each.
                for error in errors {
                    if !broken.contains(&error) {
                        broken.push(error);
                    }
                }
            }
        }
    }
    if options.json {
        print::json(&list::json(&entries))?;
    } else {
        let width = sys::fd::terminal_width().unwrap_or(80);
        print::text(&list::text(&entries, width))?;
    }
    render::print(&broken);
    Ok(ExitCode::Success.number())
}
