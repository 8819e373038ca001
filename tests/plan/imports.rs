//! What is imported: the manifests, what is told about each line, and that
//! the manifests plan on every fake host.
//!
//! The sources lie in `tests/import`, what was reviewed of them in
//! `tests/golden/import`; `PINFOLD_BLESS=1` writes it anew.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pinfold::import::report::{Allows, Verdict};
use pinfold::import::{Format, Imported, Request, import};
use pinfold::manifest::parse;
use pinfold::model::manifest::Policy;
use pinfold::model::origin::Layer;
use pinfold::report::Code;
use pinfold::resolve::resolve;
use pinfold::view;

use super::checkout;
use super::distributions::{Distribution, all};
use super::tree::nothing_more;

const SOURCES: [(Format, &str); 7] = [
    (Format::Flatpak, "flatpak/org.example.Player.metadata"),
    (Format::Flatpak, "flatpak/org.example.Viewer"),
    (Format::Firejail, "firejail/player.profile"),
    (Format::Firejail, "firejail/editor.profile"),
    (Format::Firejail, "firejail/empty.profile"),
    (Format::Bubblejail, "services.toml"),
    (Format::Snap, "snap.yaml"),
];

fn imported(format: Format, file: &Path) -> Imported {
    let request = Request { format, file: file.to_owned(), id: None, include: Vec::new() };
    import(&request).unwrap_or_else(|error| panic!("{}: {error:#?}", file.display()))
}

fn source(name: &str) -> PathBuf {
    checkout().join("tests/import").join(name)
}

#[test]
fn imports_are_as_reviewed() {
    let bless = std::env::var_os("PINFOLD_BLESS").is_some();
    let golden = checkout().join("tests/golden/import");
    let mut wrong = Vec::new();
    for (format, name) in SOURCES {
        let imported = imported(format, &source(name));
        let folder = source("").display().to_string();
        let report = view::import::text(&imported.report).replace(&folder, "");
        let stem = name.replace('/', "-");
        for (ending, text) in [("toml", imported.manifest), ("txt", report)] {
            let file = golden.join(format!("{stem}.{ending}"));
            if bless {
                fs::write(&file, &text).unwrap();
            } else if fs::read_to_string(&file).unwrap_or_default() != text {
                wrong.push(format!("{} differs", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(fs::read_dir(&golden).unwrap().count(), 2 * SOURCES.len());
}

/// The lines of a file that state something.
fn statements(format: Format, text: &str) -> BTreeSet<u32> {
    let states = |line: &str| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return false;
        }
        match format {
            Format::Flatpak => !line.starts_with('['),
            Format::Firejail => true,
            // Of lists over several lines the items count.
            Format::Bubblejail => {
                line.trim_end_matches(['[', ']', ' ']).contains(['"', '=', ']'])
                    || line.starts_with('[')
            }
            Format::Snap => {
                line.starts_with("- ") || line.split_once(": ").is_some_and(|(_, v)| !v.is_empty())
            }
        }
    };
    (1..).zip(text.lines()).filter(|(_, line)| states(line)).map(|(number, _)| number).collect()
}

#[test]
fn every_line_that_states_something_is_in_the_report() {
    let mut seen = 0;
    for (format, name) in SOURCES {
        let file = source(name);
        let mut told = imported(format, &file).report;
        if name.ends_with("yaml") {
            // A block of text is one value.
            told.entries.retain(|entry| entry.place.line != 5);
        }
        let text = fs::read_to_string(&file).unwrap();
        let mut wanted = statements(format, &text);
        if format == Format::Snap {
            wanted.retain(|line| !(5..=8).contains(line));
        }
        if format == Format::Bubblejail {
            // The lines that open a list of several lines.
            let opens = |line: &u32| text.lines().nth(*line as usize - 1).unwrap().ends_with("= [");
            wanted.retain(|line| !opens(line));
        }
        let own = |entry: &&pinfold::import::report::Entry| *entry.place.file == *told.file;
        let lines: BTreeSet<u32> = told.entries.iter().filter(own).map(|e| e.place.line).collect();
        let lost: Vec<&u32> = wanted.difference(&lines).collect();
        assert!(lost.is_empty(), "{name}: nothing is said about the lines {lost:?}");
        assert!(told.entries.iter().all(|entry| !entry.finding.reason.is_empty()));
        seen += wanted.len();
    }
    assert!(seen > 120, "{seen}");
}

fn plans(imported: &Imported, host: &Distribution, layer: Layer) -> Result<(), String> {
    let manifest = parse(imported.manifest.as_bytes(), "imported.toml", layer)
        .map_err(|errors| format!("{errors:#?}"))?;
    let mut settings = manifest.settings;
    // An override says nothing about the program.
    if settings.command.is_none() {
        let text = b"schema = 1\ncommand = [\"true\"]\n";
        settings = settings.merge(parse(text, "x", Layer::User).unwrap().settings);
    }
    let policy = Policy {
        id: imported.id.clone(),
        settings,
        files: vec![(layer, "imported.toml".to_owned())],
        unmet: Vec::new(),
    };
    let mut request = nothing_more();
    request.only_looks = true;
    resolve(&policy, &host.host.facts(), &host.host.tree.fs(), &request)
        .map(drop)
        .map_err(|errors| format!("{errors:#?}"))
}

#[test]
fn imports_plan_on_every_host() {
    let hosts = all();
    for (format, name) in SOURCES {
        let imported = imported(format, &source(name));
        for host in &hosts {
            for layer in [Layer::Vendor, Layer::User] {
                let outcome = plans(&imported, host, layer);
                assert!(outcome.is_ok(), "{name} on {}: {outcome:?}", host.name);
            }
        }
    }
}

/// Profiles as a distribution has them, where they are installed: a dozen,
/// with `PINFOLD_FULL` a hundred, with `PINFOLD_PROFILES=all` every one, which
/// takes minutes. (Debian's firejail-profiles brings a set-user-id program
/// with it, so the tests do not install it by themselves.)
#[test]
fn installed_profiles_import_and_plan() {
    let Ok(entries) = fs::read_dir("/etc/firejail") else {
        let why = "firejail's profiles are not installed";
        println!("SKIP plan::imports::installed_profiles_import_and_plan: {why}");
        return;
    };
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "profile"))
        .collect();
    files.sort();
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|is| is == value);
    let wanted = if is("PINFOLD_PROFILES", "all") {
        files.len()
    } else if is("PINFOLD_FULL", "1") {
        100
    } else {
        12
    };
    let step = (files.len() / wanted.max(1)).max(1);
    let hosts = all();
    let (mut verdicts, mut allows, mut count, mut refused) = ([0; 3], [0; 3], 0, 0);
    let mut reasons: std::collections::BTreeMap<String, usize> = Default::default();
    for (at, file) in files.iter().step_by(step).enumerate() {
        let request =
            Request { format: Format::Firejail, file: file.clone(), id: None, include: Vec::new() };
        let imported = match import(&request) {
            Ok(imported) => imported,
            // A few include what their package does not have.
            Err(error) => {
                assert_eq!(error.code, Some(Code::ImportInclude), "{}: {error:#?}", file.display());
                let name = error.message.split('`').nth(1).unwrap();
                assert!(!Path::new("/etc/firejail").join(name).exists(), "{name}");
                println!("refused: {}: {}", file.display(), error.message);
                refused += 1;
                continue;
            }
        };
        let host = &hosts[at % hosts.len()];
        let outcome = plans(&imported, host, Layer::User);
        assert!(outcome.is_ok(), "{} on {}: {outcome:?}", file.display(), host.name);
        for (sum, verdict) in verdicts.iter_mut().zip(Verdict::ALL) {
            *sum += imported.report.count(verdict);
        }
        for (sum, all) in allows.iter_mut().zip([Allows::Same, Allows::Less, Allows::More]) {
            *sum += imported.report.compared(all);
        }
        for entry in &imported.report.entries {
            if entry.finding.verdict != Verdict::Exact {
                let of = if entry.place.file == imported.report.file { "own" } else { "included" };
                let key =
                    format!("{of}: {}: {}", entry.finding.verdict.word(), entry.finding.reason);
                *reasons.entry(key).or_default() += 1;
            }
        }
        count += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    println!("{count} profiles import and plan; lines exact, approximated, dropped: {verdicts:?}");
    println!("of these, and of what is unsaid, as much, less, more: {allows:?}");
    for (reason, count) in reasons.iter().take(30) {
        println!("{count:>6}  {reason}");
    }
    assert!(count >= 1 && refused * 50 <= count, "{refused} are refused");
}
