//! `pinfold lint`

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::cli::{Grants, Lint, LintFormat};
use crate::lint::{self, Finding, Level, Subject, remarks, rules};
use crate::model::origin::{Layer, Origin};
use crate::model::plan::Tier;
use crate::report::{Code, Diagnostic, ExitCode, render};
use crate::resolve::Request;
use crate::sys;
use crate::view::lint::{self as view, Linted};

use super::{Outcome, prepare, print};

/// The largest file that is looked into for remarks, as for manifests.
const LARGEST: u64 = crate::manifest::LARGEST as u64;

/// Tells what is unwise about applications, and mends what a machine can.
pub fn main(options: &Lint) -> Outcome {
    for code in &options.allow {
        if rules::rule(code).is_none() {
            return Err(vec![
                Diagnostic::error(Code::Usage, format!("--allow {code:?} is no code of a rule"))
                    .hint("a code is an L and three digits, as the findings have it"),
            ]);
        }
    }
    let host = prepare::host()?;
    let apps: Vec<String> = match (&options.app, options.all) {
        (Some(app), _) => vec![app.clone()],
        (None, _) => {
            let places = prepare::places(&host.facts);
            places.list().into_iter().map(|(id, _)| id.to_string()).collect()
        }
    };
    if let (true, [app]) = (options.fix, &apps[..]) {
        fix(&host, app, &options.allow)?;
    }
    let mut all = Vec::new();
    let mut broken = Vec::new();
    for app in &apps {
        match one(&host, app, &options.allow) {
            Ok(linted) => all.push(linted),
            Err(errors) => broken.extend(errors),
        }
    }
    match options.format {
        LintFormat::Json => print::json(&view::json(&all))?,
        LintFormat::Sarif => print::json(&view::sarif(&all))?,
        LintFormat::Text => {
            let width = sys::fd::terminal_width().unwrap_or(80);
            let texts: Vec<String> = all.iter().map(|linted| view::text(linted, width)).collect();
            print::text(&texts.join("\n"))?;
        }
    }
    if !broken.is_empty() {
        return Err(broken);
    }
    let errors: usize = all.iter().map(|linted| linted.count(Level::Error)).sum();
    let warnings: usize = all.iter().map(|linted| linted.count(Level::Warning)).sum();
    let is_clean = errors == 0 && (warnings == 0 || !options.strict);
    Ok(if is_clean { ExitCode::Success } else { ExitCode::Findings }.number())
}

fn one(host: &prepare::Host, app: &str, allow: &[String]) -> Result<Linted, Vec<Diagnostic>> {
    let prepared = prepare::prepare(host, app, &Grants::default(), |written| {
        Request::look(written, Tier::Namespaces)
    })?;
    let subject = Subject {
        policy: &prepared.policy,
        plan: &prepared.plan,
        facts: &host.facts,
        fs: &host.fs,
    };
    let mut findings = lint::check(&subject);
    let own = &prepared.policy.files;
    let places: BTreeSet<(Layer, String)> = findings
        .iter()
        .map(|one| (one.origin.layer, one.origin.file.to_string()))
        .chain(own.iter().cloned())
        .collect();
    for (layer, file) in places {
        let is_small = std::fs::metadata(&file).is_ok_and(|about| about.len() <= LARGEST);
        let Some(text) = is_small.then(|| std::fs::read_to_string(&file).ok()).flatten() else {
            continue;
        };
        let preset = !own.iter().any(|(_, known)| *known == file);
        let place = Origin { layer, file: file.into(), line: 0, column: 0 };
        remarks::apply(&text, &place, preset, &mut findings);
    }
    for finding in &mut findings {
        if allow.iter().any(|code| code == finding.rule.code) {
            finding.allowed = Some("by --allow".to_owned());
        }
    }
    Ok(Linted {
        app: prepared.policy.id.to_string(),
        files: prepared.policy.files.clone(),
        findings,
    })
}

/// Makes the changes that findings state in the one file that was named, and
/// says each.
fn fix(host: &prepare::Host, app: &str, allow: &[String]) -> Result<(), Vec<Diagnostic>> {
    if !(app.contains('/') || app.ends_with(".toml")) {
        return Err(vec![
            Diagnostic::error(Code::Usage, "--fix changes one file, and an id may mean several")
                .hint("name the file, as in pinfold lint --fix ./my.toml"),
        ]);
    }
    let path = Path::new(app);
    let failed = |what: &str, error: std::io::Error| {
        let text = format!("cannot {what} {}", path.display());
        vec![Diagnostic::error(Code::ManifestUnreadable, text).because(error)]
    };
    let linted = one(host, app, allow)?;
    let before = std::fs::read_to_string(path).map_err(|error| failed("read", error))?;
    let mut text = before.clone();
    let is_here = |one: &&Finding| {
        one.allowed.is_none() && linted.files.iter().any(|(_, file)| **file == *one.origin.file)
    };
    let mut told = Vec::new();
    for finding in linted.findings.iter().filter(is_here) {
        let Some(change) = &finding.change else { continue };
        // What one change took out the next may ask for again.
        if let Ok(changed) = change.made(&text, host.facts.home.as_str()) {
            let note = format!("{}: {}", finding.rule.code, change.text());
            told.push(Diagnostic::note(note).at(&finding.origin));
            text = changed;
        }
    }
    if text != before {
        replace(path, &text).map_err(|error| failed("write", error))?;
    }
    render::print(&told);
    Ok(())
}

/// Puts a file's new text in the place of the old one, whole or not at all.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let mode = std::fs::metadata(&path)?.permissions().mode() & 0o777;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let fresh = path.with_file_name(name);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&fresh)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.set_permissions(PermissionsExt::from_mode(mode)))
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&fresh, &path));
    if written.is_err() {
        // The error is told; what lies beside the file is of no use.
        let _ = std::fs::remove_file(&fresh);
    }
    written
}
