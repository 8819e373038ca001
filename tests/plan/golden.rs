//! Every shipped manifest on every fake host, compared with what was
//! reviewed in `tests/golden/plan`.
//!
//! `<host>/base.json` is the whole plan of an application that is granted
//! nothing, one step a line. What the plan of a manifest has beyond it or
//! less than it is in `<host>/<id>.diff`: together they are the whole plan,
//! and what the manifest grants is all there is to read.
//!
//! `PINFOLD_BLESS=1` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use pinfold::host::Here;
use pinfold::manifest::{Places, Target, policy};
use pinfold::model::origin::{Layer, Origin};
use pinfold::model::plan::Plan;
use pinfold::report::Diagnostic;
use pinfold::resolve::resolve;
use serde_json::Value;

use super::checkout;
use super::distributions::{Distribution, all};
use super::tree::{Tree, nothing_more, settings};

#[test]
fn plans_are_as_reviewed() {
    let bless = std::env::var_os("PINFOLD_BLESS").is_some();
    let golden = checkout().join("tests/golden/plan");
    let mut wrong = Vec::new();
    for host in all() {
        let folder = golden.join(host.name);
        let base = match bare(&host) {
            Ok(plan) => lines(&plan, &host.host.tree),
            Err(errors) => panic!("{}: {errors:#?}", host.name),
        };
        compare(&folder.join("base.json"), &base.join("\n"), bless, &mut wrong);
        for manifest in manifests() {
            let id = manifest.file_stem().unwrap().to_str().unwrap().to_owned();
            let told = match shipped(&host, &manifest) {
                Ok(plan) => differences(&base, &lines(&plan, &host.host.tree)),
                Err(errors) => errors.iter().flat_map(refusal).collect(),
            };
            compare(&folder.join(format!("{id}.diff")), &told.join("\n"), bless, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What was reviewed is about hosts and manifests that exist.
    assert_eq!(fs::read_dir(&golden).unwrap().count(), all().len());
    for host in all() {
        let files = fs::read_dir(golden.join(host.name)).unwrap().count();
        assert_eq!(files, manifests().len() + 1, "{} has files too many", host.name);
    }
}

/// Everything that a plan names must be there: these trees are whole in so
/// far as a plan depends on them.
#[test]
fn the_program_of_every_plan_is_visible_inside() {
    for host in all() {
        for manifest in manifests() {
            let Ok(plan) = shipped(&host, &manifest) else { continue };
            let program = reach(&plan, &host.host.tree, plan.process.program.as_str());
            assert_eq!(program.as_deref(), Ok("file"), "{}: {}", host.name, manifest.display());
            for other in ["/bin/sh", "/etc/passwd", "/etc/localtime", "/proc", "/tmp"] {
                let found = reach(&plan, &host.host.tree, other);
                assert!(found.is_ok(), "{}: {other}: {found:?}", host.name);
            }
            for (name, value) in &plan.process.environment {
                if ["HOME", "SHELL", "XDG_RUNTIME_DIR", "TZDIR", "SSL_CERT_DIR"]
                    .contains(&name.as_str())
                {
                    let found = reach(&plan, &host.host.tree, value);
                    assert!(found.is_ok(), "{}: {name}={value}: {found:?}", host.name);
                }
            }
        }
    }
}

/// What an application of this plan would find at a path, links followed as
/// the kernel follows them inside.
fn reach(plan: &Plan, tree: &Tree, start: &str) -> Result<&'static str, String> {
    use super::seen::{Seen, link, seen};
    let mut left: Vec<String> = start.split('/').rev().map(str::to_owned).collect();
    let mut here = String::new();
    for _ in 0..200 {
        let Some(element) = left.pop() else {
            return match seen(plan, if here.is_empty() { "/" } else { &here }) {
                Seen::Host { source, .. } => match fs::metadata(tree.at(&source)) {
                    Ok(about) if about.is_file() => Ok("file"),
                    Ok(_) => Ok("other"),
                    Err(error) => Err(format!("{here}: {error}")),
                },
                Seen::Own | Seen::Made => Ok("made"),
                other => Err(format!("{here}: {other:?}")),
            };
        };
        match element.as_str() {
            "" | "." => continue,
            ".." => {
                here.truncate(here.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let next = format!("{here}/{element}");
        let target = match (link(plan, &next), seen(plan, &next)) {
            (Some(target), _) => Some(target.to_owned()),
            (None, Seen::Host { source, .. }) => fs::read_link(tree.at(&source))
                .ok()
                .map(|target| target.to_str().unwrap().to_owned()),
            _ => None,
        };
        match target {
            Some(target) => {
                if target.starts_with('/') {
                    here.clear();
                }
                left.extend(target.split('/').rev().map(str::to_owned));
            }
            None => here = next,
        }
    }
    Err(format!("{start}: links lead round"))
}

fn manifests() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(checkout().join("manifests"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    all.sort();
    assert!(all.len() >= 12, "{all:?}");
    all
}

/// An application that is granted nothing.
fn bare(host: &Distribution) -> Result<Plan, Vec<Diagnostic>> {
    let stated = [(Layer::Vendor, "command = [\"true\"]"), (Layer::CommandLine, host.flags)];
    host.host.resolve(settings(&stated), &nothing_more())
}

/// A shipped manifest, through the same stack as a run.
fn shipped(host: &Distribution, manifest: &Path) -> Result<Plan, Vec<Diagnostic>> {
    let places = Places {
        user: PathBuf::from("/nonexistent"),
        admin: PathBuf::from("/nonexistent"),
        vendor: vec![checkout().join("manifests")],
        uid: host.host.tree.uid,
        draft: None,
    };
    let flags = pinfold::manifest::parse(
        format!("schema = 1\n{}", host.flags).as_bytes(),
        "flags",
        Layer::CommandLine,
    )?;
    let (facts, fs) = (host.host.facts(), host.host.tree.fs());
    let here = Here { fs: &fs, facts: &facts };
    let target = Target::File(manifest.to_owned());
    let (policy, warnings) = policy(&target, &places, &here, flags.settings)?;
    assert_eq!(warnings, [], "{}", manifest.display());
    resolve(&policy, &facts, &fs, &nothing_more())
}

/// A plan as JSON, one step a line, origins as people read them, and the ids
/// of whoever runs the tests as if they were 1000.
fn lines(plan: &Plan, tree: &Tree) -> Vec<String> {
    let mut value = serde_json::to_value(plan).unwrap();
    plain(&mut value, tree);
    value["identity"] = serde_json::json!({ "uid": 1000, "gid": 1000 });
    let mut out = String::new();
    spread(&value, 0, &mut out);
    out.lines().map(str::to_owned).collect()
}

fn plain(value: &mut Value, tree: &Tree) {
    match value {
        Value::String(text) => *text = anybody(text, tree),
        Value::Array(all) => all.iter_mut().for_each(|value| plain(value, tree)),
        Value::Object(all) => {
            if let Ok(origin) = serde_json::from_value::<Origin>(Value::Object(all.clone())) {
                *value = Value::String(anybody(&origin.to_string(), tree));
                return;
            }
            all.values_mut().for_each(|value| plain(value, tree));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text without what differs from one run of the tests to the next.
fn anybody(text: &str, tree: &Tree) -> String {
    let (uid, gid) = (tree.uid, tree.gid);
    let here = checkout().to_str().unwrap().to_owned();
    text.replace(&format!("/run/user/{uid}"), "/run/user/1000")
        .replace(&format!("ada:x:{uid}:{gid}:"), "ada:x:1000:1000:")
        .replace(&format!("ada:x:{gid}:"), "ada:x:1000:")
        .replace(&format!("{here}/"), "")
}

fn spread(value: &Value, depth: usize, out: &mut String) {
    use std::fmt::Write;
    let last = |index: usize, length: usize| if index + 1 < length { ",\n" } else { "\n" };
    match value {
        Value::Object(all) if depth < 2 => {
            out.push_str("{\n");
            for (index, (name, value)) in all.iter().enumerate() {
                write!(out, "{name:?}: ").unwrap();
                spread(value, depth + 1, out);
                out.push_str(last(index, all.len()));
            }
            out.push('}');
        }
        Value::Array(all) if depth < 3 && !all.is_empty() => {
            out.push_str("[\n");
            for (index, value) in all.iter().enumerate() {
                write!(out, "{value}{}", last(index, all.len())).unwrap();
            }
            out.push(']');
        }
        other => write!(out, "{other}").unwrap(),
    }
}

fn refusal(error: &Diagnostic) -> Vec<String> {
    let code = error.code.map_or("", |code| code.text());
    let mut all = vec![format!("refused: {code}: {}", error.message)];
    let tidy = |origin: &Origin| {
        origin.to_string().replace(&format!("{}/", checkout().to_str().unwrap()), "")
    };
    all.extend(error.labels.iter().map(|label| format!("  at {}", tidy(&label.origin))));
    all.extend(error.causes.iter().map(|cause| format!("  because {cause}")));
    all.extend(error.hints.iter().map(|hint| format!("  hint: {hint}")));
    all
}

/// The lines that one text has and the other has not, each run of them after
/// the line that both have before it.
fn differences(old: &[String], new: &[String]) -> Vec<String> {
    // `common[i][j]`: how many lines old[i..] and new[j..] have in common.
    let mut common = vec![vec![0u32; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut before: Option<&String> = None;
    let mut out = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            before = Some(&old[i]);
            (i, j) = (i + 1, j + 1);
            continue;
        }
        if let Some(line) = before.take() {
            out.push(format!("  {line}"));
        }
        if j < new.len() && (i == old.len() || common[i][j + 1] > common[i + 1][j]) {
            out.push(format!("+ {}", new[j]));
            j += 1;
        } else {
            out.push(format!("- {}", old[i]));
            i += 1;
        }
    }
    out
}

#[test]
fn differences_tell_both_sides() {
    let text = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(differences(&text("a b c"), &text("a b c")), [""; 0]);
    assert_eq!(
        differences(&text("a b c d"), &text("a x c d e")),
        ["  a", "- b", "+ x", "  d", "+ e"]
    );
}

fn compare(file: &Path, told: &str, bless: bool, wrong: &mut Vec<String>) {
    let told = format!("{told}\n");
    if bless {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, told).unwrap();
        return;
    }
    let reviewed = fs::read_to_string(file).unwrap_or_default();
    if reviewed != told {
        let split = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        wrong.push(format!(
            "{} differs (PINFOLD_BLESS=1 writes it anew):\n{}",
            file.display(),
            differences(&split(&reviewed), &split(&told)).join("\n")
        ));
    }
}
