//! `pinfold import`

use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::cli::{Import, ImportFormat, ReportForm};
use crate::import::{self, Format, Request};
use crate::report::{Code, Diagnostic, ExitCode};
use crate::view;

use super::{Outcome, print};

/// Makes a manifest and tells how true it is.
pub fn main(options: &Import) -> Outcome {
    let id = match options.id.as_deref().map(str::parse).transpose() {
        Ok(id) => id,
        Err(error) => {
            let text = options.id.clone().unwrap_or_default();
            let message = format!("--id {text:?} is no application id");
            return Err(vec![Diagnostic::error(Code::Usage, message).because(error)]);
        }
    };
    let format = match options.format {
        ImportFormat::Flatpak => Format::Flatpak,
        ImportFormat::Firejail => Format::Firejail,
        ImportFormat::Bubblejail => Format::Bubblejail,
        ImportFormat::Snap => Format::Snap,
    };
    let request =
        Request { format, file: options.file.clone(), id, include: options.include_dir.clone() };
    let imported = import::import(&request).map_err(|error| vec![error])?;
    let report = match options.report {
        ReportForm::Text => view::import::text(&imported.report),
        ReportForm::Json => {
            format!("{:#}\n", view::import::json(&imported.report, imported.id.as_str()))
        }
    };
    match &options.output {
        Some(output) => {
            write(output, &imported.manifest).map_err(|error| vec![error])?;
            print::text(&report)?;
        }
        None => {
            print::text(&imported.manifest)?;
            print::aside(&report);
        }
    }
    Ok(ExitCode::Success.number())
}

/// Writes a new file; one that is there is somebody's work.
fn write(output: &Path, manifest: &str) -> Result<(), Diagnostic> {
    let written = File::create_new(output).and_then(|mut file| file.write_all(manifest.as_bytes()));
    written.map_err(|error| {
        let message = format!("cannot write {}", output.display());
        Diagnostic::error(Code::Usage, message).because(error)
    })
}
