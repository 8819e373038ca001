//! `pinfold tour`: the main job with no set-up.
//!
//! Three processes take part, all of them this program. The one that a person
//! starts looks around, starts the second, and prints both sides. The second
//! runs the manifest that is built in, by the same way as `pinfold run`. The
//! third is the application of that run: it looks around inside and writes
//! what it sees to its output, which leads to the first.

use std::process::{Command, Stdio};

use crate::cli::{Tour, TourPart};
use crate::host::outlook::{Outlook, Side};
use crate::manifest;
use crate::model::manifest::{Policy, Settings};
use crate::model::origin::{Layer, Origin, Sourced};
use crate::model::plan::Tier;
use crate::report::{Code, Diagnostic, ExitCode};
use crate::resolve::{Forward, Request};
use crate::sys;
use crate::view;

use super::prepare::{self, Host};
use super::{Outcome, doctor, print, run};

const MANIFEST: &str = include_str!("tour.toml");
/// What the manifest is called in reports.
const FILE: &str = "built in: tour.toml";

/// Shows both sides, or is one of the parts that this takes.
pub fn main(options: &Tour) -> Outcome {
    match options.part {
        None => both(options.json),
        Some(TourPart::Sandbox) => sandbox(options.outside),
        Some(TourPart::Report) => report(Outlook::take(Side::Inside, options.outside)),
    }
}

/// Looks around outside, has it done inside, and shows both.
fn both(json: bool) -> Outcome {
    let host = prepare::host()?;
    let own = std::process::id() as i32;
    let outside = Outlook::take(Side::Outside, own);
    let output = Command::new(program()?)
        .args(["tour", "--part", "sandbox", "--outside", &own.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| {
            vec![Diagnostic::error(Code::StepFailed, "cannot start the sandbox").because(error)]
        })?;
    let code = output.status.code().and_then(|code| u8::try_from(code).ok());
    if code != Some(ExitCode::Success.number()) {
        // What went wrong has been said by the part that it went wrong in.
        return without_sandbox(&host, &outside, code, json);
    }
    let inside: Outlook = serde_json::from_slice(&output.stdout).map_err(|error| {
        vec![Diagnostic::error(Code::Bug, "the sandbox gave no report").because(error)]
    })?;
    let sound = view::tour::surprises(&outside, &inside).is_empty();
    if json {
        print::json(&view::tour::json(&outside, &inside))?;
    } else {
        let width = sys::fd::terminal_width().unwrap_or(80);
        print::text(&view::tour::text(&outside, &inside, width))?;
    }
    // The text names what is not as it should be.
    Ok(if sound { ExitCode::Success } else { ExitCode::Bug }.number())
}

/// There is no sandbox: says what the host lacks, as `pinfold doctor` would.
fn without_sandbox(host: &Host, outside: &Outlook, code: Option<u8>, json: bool) -> Outcome {
    let (_, report) = doctor::examine(host);
    let blocked = report.exit() == ExitCode::Host;
    if json {
        let value = serde_json::json!({
            "version": view::tour::VERSION,
            "outside": view::tour::one_side(outside),
            "inside": null,
            "doctor": report,
        });
        print::json(&value)?;
    } else if blocked {
        let width = sys::fd::terminal_width().unwrap_or(80);
        print::aside(&format!("\n{}", view::doctor::blocking(&report, width)));
    }
    Ok(match code {
        _ if blocked => ExitCode::Host.number(),
        Some(code) => code,
        None => ExitCode::SetUp.number(),
    })
}

/// Runs the built-in manifest with this program as the application.
fn sandbox(outside: i32) -> Outcome {
    let host = prepare::host()?;
    run::refuse_folders_as_input()?;
    let policy = policy(&program()?, outside)?;
    let prepared = prepare::resolved(&host, policy, |written| Request {
        arguments: Vec::new(),
        forward: Forward::Nothing,
        shell: false,
        only_looks: false,
        written,
        tier: Tier::Namespaces,
    })?;
    run::execute(&host, &prepared, &run::Terms::default(), run::Timings::begin(false))
}

/// The built-in manifest, with the command on top.
fn policy(program: &str, outside: i32) -> Result<Policy, Vec<Diagnostic>> {
    let manifest = manifest::parse(MANIFEST.as_bytes(), FILE, Layer::Builtin)?;
    let Some(id) = manifest.id else {
        return Err(vec![Diagnostic::error(Code::Bug, "the built-in manifest has no id")]);
    };
    let outside = outside.to_string();
    let command = [program, "tour", "--part", "report", "--outside", &outside];
    let top = Settings {
        command: Some(Sourced::new(
            command.map(str::to_owned).to_vec(),
            Origin::command_line("tour"),
        )),
        ..Settings::default()
    };
    Ok(Policy {
        id: id.value,
        settings: manifest.settings.merge(top),
        files: vec![(Layer::Builtin, FILE.to_owned())],
        unmet: Vec::new(),
    })
}

/// Where this program lies.
fn program() -> Result<String, Vec<Diagnostic>> {
    let failed = |why: String| {
        vec![
            Diagnostic::error(Code::HostEnvironment, "cannot tell where this program lies")
                .because(why),
        ]
    };
    let path = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    path.into_os_string()
        .into_string()
        .map_err(|path| failed(format!("{} is not UTF-8", path.to_string_lossy())))
}

/// Writes what is seen here.
fn report(outlook: Outlook) -> Outcome {
    print::json(&serde_json::json!(outlook))?;
    Ok(ExitCode::Success.number())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::permission::HomeKind;

    #[test]
    fn the_built_in_manifest_grants_nothing() {
        let policy = policy("/usr/bin/pinfold", 7).unwrap();
        let mut rest = policy.settings.clone();
        assert_eq!(rest.home.kind.take().map(|kind| kind.value), Some(HomeKind::Ephemeral));
        assert_eq!(
            rest.command.take().unwrap().value,
            ["/usr/bin/pinfold", "tour", "--part", "report", "--outside", "7"]
        );
        rest.name = None;
        assert_eq!(rest, Settings::default());
    }
}
