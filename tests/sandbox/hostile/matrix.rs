//! Which barrier stops what: every case of acts with all barriers, with none,
//! with each alone, and with each left out. `MATRIX.md` keeps the answer;
//! `PINFOLD_BLESS=1` writes it anew, as an ordinary user and then as root.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use pinfold::model::barrier::Barrier;

use super::site::{Scene, Site};
use super::{Case, How, Verdict, cases, checkout};
use crate::world::is_root;

/// Barriers that acts from inside can be held against. The second look has
/// nothing to do with what an application does, and a test of its own.
fn barriers() -> impl Iterator<Item = Barrier> {
    Barrier::ALL.into_iter().filter(|barrier| *barrier != Barrier::Witnesses)
}

/// What stops a case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Row {
    /// Stopped with every barrier left out: by the kernel's own rules for a
    /// process in a user namespace, and by what the launcher never does.
    base: bool,
    /// Barriers that stop it with all others left out.
    alone: BTreeSet<Barrier>,
    /// Barriers without which it is not stopped.
    needed: BTreeSet<Barrier>,
}

impl Row {
    fn cell(&self, barrier: Barrier) -> &'static str {
        match (self.alone.contains(&barrier), self.needed.contains(&barrier)) {
            (true, _) => "●",
            (false, true) => "○",
            (false, false) => "",
        }
    }

    /// Its line; `note` follows the case's name.
    fn line(&self, case: &Case, note: &str) -> String {
        let mut line = format!("| {}{note} | {} |", case.id, case.tried);
        if self.base {
            // What the base stops, the others cannot be asked about.
            line.push_str(" ● |");
            line.push_str(&"  |".repeat(barriers().count()));
            return line;
        }
        line.push_str("  |");
        for barrier in barriers() {
            write!(line, " {} |", self.cell(barrier)).unwrap();
        }
        line
    }
}

/// The landlock column is written for these versions of it.
const LANDLOCK: std::ops::RangeInclusive<u32> = 6..=8;

fn landlock_is_as_written() -> bool {
    let abi = pinfold::sys::probe::landlock_abi();
    if !LANDLOCK.contains(&abi) {
        println!("landlock ABI {abi}: what landlock stops here is not compared");
    }
    LANDLOCK.contains(&abi)
}

fn names(barriers: impl Iterator<Item = Barrier>) -> String {
    barriers.map(Barrier::name).collect::<Vec<_>>().join(",")
}

/// Tries everything that this user can try.
fn measure(cases: &[Case]) -> BTreeMap<&'static str, Row> {
    let mut rows = BTreeMap::new();
    let mut unclear = Vec::new();
    for scene in Scene::ALL {
        let here: Vec<&Case> = cases
            .iter()
            .filter(|case| case.acts().is_some_and(|acts| acts.scene == scene))
            .collect();
        if here.is_empty() {
            continue;
        }
        let site = Site::new(scene);
        let mut run = |without: &str| -> Vec<bool> {
            let verdicts = site.inside(&here, without);
            let told = here.iter().zip(verdicts);
            told.map(|(case, verdict)| {
                if let Verdict::Unclear(what) = &verdict {
                    unclear.push(format!("{} without {without}: {what}", case.id));
                }
                verdict == Verdict::Stopped
            })
            .collect()
        };
        let all = run("");
        let kept = scene.kept();
        let left_out = |barrier: Barrier| {
            let others = Barrier::ALL.into_iter();
            names(others.filter(|other| *other != barrier && Some(*other) != kept))
        };
        // Without acts of its own, the second look stands for none.
        let none = run(&left_out(Barrier::Witnesses));
        let mut here_rows: Vec<Row> =
            none.iter().map(|stopped| Row { base: *stopped, ..Row::default() }).collect();
        for barrier in barriers().filter(|barrier| Some(*barrier) != kept) {
            let (alone, without) = (run(&left_out(barrier)), run(barrier.name()));
            for (at, row) in here_rows.iter_mut().enumerate() {
                if alone[at] {
                    row.alone.insert(barrier);
                }
                if !without[at] {
                    row.needed.insert(barrier);
                }
            }
        }
        for ((case, stopped), row) in here.iter().zip(all).zip(here_rows) {
            assert!(stopped, "{}: not stopped by everything together", case.id);
            // What the kernel does not have tells nothing of the barriers.
            let beyond_the_filter = row.alone.iter().any(|one| *one != Barrier::Syscalls);
            if beyond_the_filter || !site.is_missing(case) {
                rows.insert(case.id, row);
            }
        }
    }
    assert!(unclear.is_empty(), "{unclear:#?}");
    rows
}

/// Nothing of this may hang on one barrier.
const TWICE: [&str; 6] =
    ["C16-unshare", "C16-clone", "C16-clone3", "C16-mount", "C16-interface", "D11"];

/// What is wrong with what stops a case.
fn wrong(case: &Case, row: &Row, compares_landlock: bool) -> Option<String> {
    let How::Acts(acts) = &case.how else { return None };
    let single = acts.single;
    // A reason that an ordinary user needs is no fault where root has more.
    let tells_all = compares_landlock && (acts.root_only || !is_root());
    let count = row.alone.iter().filter(|b| compares_landlock || **b != Barrier::Landlock).count();
    if row.base && !row.needed.is_empty() {
        return Some(format!("{}: a barrier undoes what the kernel does", case.id));
    }
    if row.base {
        let superfluous = single.is_some() && tells_all;
        return superfluous.then(|| format!("{}: the kernel stops it; why the reason", case.id));
    }
    if count >= 2 {
        if !row.needed.is_empty() {
            return Some(format!("{}: several stop it, and it needs {:?}", case.id, row.needed));
        }
        let superfluous = single.is_some() && tells_all;
        return superfluous
            .then(|| format!("{}: has a second barrier, and a reason for none", case.id));
    }
    if TWICE.contains(&case.id) && compares_landlock {
        return Some(format!("{}: must have two barriers, and has {:?}", case.id, row.alone));
    }
    let silent = single.is_none() && compares_landlock;
    silent.then(|| format!("{}: no reason for {:?} alone", case.id, row.alone))
}

/// A line as it is compared: without what depends on the kernel.
fn compared(line: &str, compares_landlock: bool) -> String {
    if compares_landlock {
        return line.to_owned();
    }
    // The id, what is tried, the base, and then the barriers.
    let landlock = 4 + barriers().position(|barrier| barrier == Barrier::Landlock).unwrap_or(0);
    let cells: Vec<&str> = line
        .split('|')
        .enumerate()
        .map(|(at, cell)| if at == landlock { "" } else { cell })
        .collect();
    cells.join("|")
}

const TITLE: &str = "\
# What stops what

Hostile acts of an application, and the barriers that stop them. A row is a
case of `tests/sandbox/hostile/`; the suite does every one of them with all
barriers, with none, with each alone and with each left out, as an ordinary
user and as root (a row of its own where the answer is another).
`PINFOLD_BLESS=1` writes what it finds as either.

- ● stops the act by itself, with every other barrier left out.
- ○ is needed, and stops the act only together with others.
- *base* is what holds with every barrier left out: the kernel's own rules for
  a process in a user namespace that has no rights over the machine.

Landlock is that of ABI 6 to 8 (Linux 6.12 to 7.0).
";

/// The lines of a case: one, and one more where it is different for root. What
/// this user cannot say stays as it is.
fn lines(case: &Case, row: Option<&Row>, old: &str) -> Vec<String> {
    let kept = |note: &str| {
        let start = format!("| {}{note} |", case.id);
        old.lines().find(|line| line.starts_with(&start)).map(str::to_owned)
    };
    let (everybodys, roots) = if is_root() {
        (kept(""), row.map(|row| row.line(case, ROOT)).or_else(|| kept(ROOT)))
    } else {
        (row.map(|row| row.line(case, "")).or_else(|| kept("")), kept(ROOT))
    };
    let same = roots.as_ref().map(|line| line.replacen(ROOT, "", 1)) == everybodys;
    everybodys.into_iter().chain(roots.filter(|_| !same)).collect()
}

/// Marks what is so for root.
const ROOT: &str = " (root)";

/// The file as it should be.
fn document(cases: &[Case], rows: &BTreeMap<&str, Row>, old: &str) -> String {
    let mut text = TITLE.to_owned();
    let head = |text: &mut String, cells: &[&str]| {
        writeln!(text, "\n| {} |\n|{}", cells.join(" | "), "---|".repeat(cells.len())).unwrap();
    };
    text.push_str("\n## Acts\n");
    let mut cells = vec!["case", "tried", "base"];
    cells.extend(barriers().map(Barrier::name));
    head(&mut text, &cells);
    for case in cases.iter().filter(|case| matches!(case.how, How::Acts(_))) {
        for line in lines(case, rows.get(case.id), old) {
            writeln!(text, "{line}").unwrap();
        }
    }
    text.push_str("\n## Why one barrier is enough\n");
    head(&mut text, &["cases", "reason"]);
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for case in cases {
        if let How::Acts(super::Acts { single: Some(reason), .. }) = &case.how {
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, ids)) => ids.push(case.id),
                None => reasons.push((reason, vec![case.id])),
            }
        }
    }
    for (reason, ids) in reasons {
        writeln!(text, "| {} | {reason} |", ids.join(", ")).unwrap();
    }
    text.push_str("\n## Stopped by the launcher, before anything runs, or shown elsewhere\n");
    head(&mut text, &["case", "tried", "shown by"]);
    for case in cases {
        match &case.how {
            How::Test(_) => {
                let number = case.number();
                writeln!(text, "| {} | {} | sandbox hostile::{number} |", case.id, case.tried)
            }
            How::Elsewhere(tests) => {
                writeln!(text, "| {} | {} | {} |", case.id, case.tried, tests.join(", "))
            }
            _ => Ok(()),
        }
        .unwrap();
    }
    text.push_str("\n## What cannot happen here\n");
    head(&mut text, &["case", "tried", "why not"]);
    for case in cases {
        if let How::NotHere(reason) = case.how {
            writeln!(text, "| {} | {} | {reason} |", case.id, case.tried).unwrap();
        }
    }
    text
}

/// Lines of one text that the other does not have.
fn differing(expected: &str, found: &str, compares_landlock: bool) -> Vec<String> {
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(|line| compared(line, compares_landlock)).collect()
    };
    let (expected, found) = (lines(expected), lines(found));
    let missing = expected.iter().filter(|line| !found.contains(line)).map(|l| format!("- {l}"));
    let added = found.iter().filter(|line| !expected.contains(line)).map(|l| format!("+ {l}"));
    missing.chain(added).collect()
}

pub fn matrix() {
    let cases = cases();
    let rows = measure(&cases);
    let compares_landlock = landlock_is_as_written();
    let path = checkout().join("tests/sandbox/MATRIX.md");
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let new = document(&cases, &rows, &old);
    println!("{new}");
    let faults: Vec<String> = cases
        .iter()
        .filter_map(|case| wrong(case, rows.get(case.id)?, compares_landlock))
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    if std::env::var_os("PINFOLD_BLESS").is_some() && compares_landlock {
        std::fs::write(&path, new).unwrap();
        return;
    }
    let differing = differing(&old, &new, compares_landlock);
    assert!(
        differing.is_empty(),
        "tests/sandbox/MATRIX.md is not what is found (PINFOLD_BLESS=1 writes it anew):\n{}",
        differing.join("\n")
    );
}

pub fn the_check_can_fail() {
    let row = |alone: &[Barrier], needed: &[Barrier]| Row {
        base: false,
        alone: alone.iter().copied().collect(),
        needed: needed.iter().copied().collect(),
    };
    let (one, two) = (Barrier::Syscalls, Barrier::Landlock);
    let case = || super::acts("D11", "x", "", &[]);
    let other = || super::acts("E9", "x", "", &[]);
    assert_eq!(wrong(&case(), &row(&[one, two], &[]), true), None);
    assert!(wrong(&case(), &row(&[one], &[one]), true).is_some());
    assert!(wrong(&case().single("x"), &row(&[one], &[one]), true).is_some());
    assert!(wrong(&other(), &row(&[one], &[one]), true).is_some());
    assert_eq!(wrong(&other().single("x"), &row(&[one], &[one]), true), None);
    let reasoned = other().single("x").root_only();
    assert!(wrong(&reasoned, &row(&[one, two], &[]), true).is_some());
    assert!(wrong(&other(), &row(&[one, two], &[one]), true).is_some());
    assert!(wrong(&other(), &Row { base: true, ..row(&[], &[one]) }, true).is_some());
    // Where landlock is another, the rest counts.
    assert_eq!(wrong(&other(), &row(&[one, two], &[one]), false), None);
    let text = |row: &Row| document(&[other()], &BTreeMap::from([("E9", row.clone())]), "");
    let (sound, less, more) = (row(&[one, two], &[]), row(&[two], &[]), row(&[one], &[]));
    assert!(differing(&text(&sound), &text(&sound), true).is_empty());
    assert_eq!(differing(&text(&sound), &text(&less), true).len(), 2);
    assert_eq!(differing(&text(&sound), &text(&more), true).len(), 2);
    assert_eq!(differing(&text(&sound), &text(&less), false).len(), 2);
    assert!(differing(&text(&sound), &text(&more), false).is_empty());
}
