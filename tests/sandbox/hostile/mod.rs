//! Hostile applications: everything that is known to have broken sandboxes of
//! this kind, and what comes to mind besides, tried here.
//!
//! The cases are tables, one for each class. Their letters and numbers are
//! the project's own list of publicly fixed weaknesses: `A` paths and mounts,
//! `B` descriptors, /proc and rights, `C` system calls, `D` the session, `E`
//! what is on no list. Each number is a test of that name, and none is
//! silently absent: what cannot apply stands in the table with its reason.
//!
//! A case is one of four. *Acts* are done by the application, as the user and
//! with a control outside that shows them to work there; [`matrix`] does them
//! again with barriers left out. A *test* of its own plays an earlier run of
//! the application, or somebody who exchanges paths meanwhile. *Elsewhere*
//! names tests of other tiers and themes, and *not here* says why not.

mod empty;
mod matrix;
mod paths;
mod planted;
mod privileges;
mod second_look;
mod session;
mod site;
mod syscalls;

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Trial;

use crate::world::is_root;
use site::{Scene, Site};

/// The numbers of the list: what was fixed elsewhere, by class.
const LISTED: &str = "A1 A2 A3 A4 A7 A8 A9 A10 A11 A12 A13 A14 A15 A16 A17 A18 A19 A20 A21 A23 A24 \
    A25 A26 A28 A29 A30 A32 B1 B4 B6 B7 B8 B9 B10 B11 B13 B14 C1 C2 C3 C4 C5 C6 C7 C8 C9 C10 C11 \
    C12 C13 C14 C15 C16 C19 C20 D1 D2 D3 D4 D5 D6 D7 D8 D9 D10 D11 D12 D13 D14 D17 D18 D19 D21 \
    D23 D24 D25 D27 D28 D29 D30";

/// One hostile case.
pub struct Case {
    /// Its number, and a word where a number has several.
    pub id: &'static str,
    /// What is tried.
    pub tried: &'static str,
    pub how: How,
}

/// How a case is shown to be stopped.
pub enum How {
    Acts(Acts),
    Test(fn()),
    Elsewhere(&'static [&'static str]),
    NotHere(&'static str),
}

/// Acts of an application, of which the last one must not work.
pub struct Acts {
    pub acts: String,
    /// The errors that count as stopped.
    pub stopped: &'static [&'static str],
    /// Where not the errors tell: whether it has happened.
    pub happened: Option<fn(&Site) -> bool>,
    pub scene: Scene,
    pub control: Control,
    /// Whether only root is stopped by more than the kernel's own rules.
    pub root_only: bool,
    /// Why no second barrier stops it.
    pub single: Option<&'static str>,
}

/// Where the acts are shown to work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Outside, as the same user.
    Outside,
    /// Outside, as root of namespaces that an ordinary user may make.
    Contained,
    /// Outside, as root, when the tests run as root.
    Root,
}

/// A case of acts, in the emptiest scene.
pub fn acts(
    id: &'static str,
    tried: &'static str,
    acts: impl Into<String>,
    stopped: &'static [&'static str],
) -> Case {
    let acts = Acts {
        acts: acts.into(),
        stopped,
        happened: None,
        scene: Scene::Nothing,
        control: Control::Outside,
        root_only: false,
        single: None,
    };
    Case { id, tried, how: How::Acts(acts) }
}

pub fn test(id: &'static str, tried: &'static str, test: fn()) -> Case {
    Case { id, tried, how: How::Test(test) }
}

pub fn elsewhere(id: &'static str, tried: &'static str, tests: &'static [&'static str]) -> Case {
    Case { id, tried, how: How::Elsewhere(tests) }
}

pub fn not_here(id: &'static str, tried: &'static str, reason: &'static str) -> Case {
    Case { id, tried, how: How::NotHere(reason) }
}

impl Case {
    fn with(mut self, change: impl FnOnce(&mut Acts)) -> Case {
        if let How::Acts(acts) = &mut self.how {
            change(acts);
        }
        self
    }

    pub fn scene(self, scene: Scene) -> Case {
        self.with(|acts| acts.scene = scene)
    }

    pub fn control(self, control: Control) -> Case {
        self.with(|acts| acts.control = control)
    }

    pub fn root_only(self) -> Case {
        self.with(|acts| acts.root_only = true)
    }

    pub fn single(self, reason: &'static str) -> Case {
        self.with(|acts| acts.single = Some(reason))
    }

    pub fn happened(self, happened: fn(&Site) -> bool) -> Case {
        self.with(|acts| acts.happened = Some(happened))
    }

    /// The number alone.
    fn number(&self) -> &'static str {
        self.id.split('-').next().unwrap_or(self.id)
    }

    /// The acts that this user can try.
    fn acts(&self) -> Option<&Acts> {
        match &self.how {
            How::Acts(acts) if is_root() || !acts.root_only => Some(acts),
            _ => None,
        }
    }
}

/// All of them, in the order of the list.
pub fn cases() -> Vec<Case> {
    [planted::cases(), paths::cases(), privileges::cases(), syscalls::cases(), session::cases()]
        .into_iter()
        .flatten()
        .collect()
}

/// The tests: one for each number, and those of the whole.
pub fn tests() -> Vec<Trial> {
    let mut numbers: Vec<&str> = Vec::new();
    for case in cases() {
        if !numbers.contains(&case.number()) {
            numbers.push(case.number());
        }
    }
    let whole: [(&str, fn()); 8] = [
        ("every_number_has_a_case", every_number_has_a_case),
        ("what_is_elsewhere_is_there", what_is_elsewhere_is_there),
        ("matrix", matrix::matrix),
        ("the_check_of_the_matrix_can_fail", matrix::the_check_can_fail),
        ("the_second_look", second_look::the_second_look),
        ("a_release_build_leaves_nothing_out", second_look::a_release_build_leaves_nothing_out),
        ("nothing_of_the_user_is_reachable", empty::nothing_of_the_user_is_reachable),
        ("no_socket_of_the_machine_is_reachable", empty::no_socket_of_the_machine_is_reachable),
    ];
    let numbers = numbers.into_iter().map(|number| {
        Trial::test(format!("hostile::{number}"), move || {
            one_number(number);
            Ok(())
        })
    });
    let whole = whole.into_iter().map(|(name, test)| {
        Trial::test(format!("hostile::{name}"), move || {
            test();
            Ok(())
        })
    });
    numbers.chain(whole).collect()
}

/// Everything that a number stands for.
fn one_number(number: &str) {
    let cases: Vec<Case> = cases().into_iter().filter(|case| case.number() == number).collect();
    let mut scenes: BTreeMap<Scene, Vec<&Case>> = BTreeMap::new();
    for case in &cases {
        match &case.how {
            How::Test(test) => test(),
            How::Acts(acts) if case.acts().is_some() => {
                scenes.entry(acts.scene).or_default().push(case);
            }
            _ => {}
        }
    }
    for (scene, cases) in scenes {
        let site = Site::new(scene);
        for (case, verdict) in cases.iter().zip(site.inside(&cases, "")) {
            assert_eq!(verdict, Verdict::Stopped, "{}: {}", case.id, case.tried);
        }
        for case in cases {
            control(&site, case);
        }
    }
}

/// Whether acts came to what they are after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Stopped,
    Reached,
    /// Something that no entry of the table foresees.
    Unclear(String),
}

/// The same acts where nothing stands in their way.
fn control(site: &Site, case: &Case) {
    let How::Acts(acts) = &case.how else { return };
    if acts.control == Control::Root && !is_root() {
        return;
    }
    match site.outside(case, acts.control == Control::Contained) {
        Verdict::Reached => {}
        Verdict::Stopped if site.is_missing(case) => crate::skip(
            &format!("hostile::{}", case.id),
            "this machine does not have what is tried, outside as inside",
        ),
        other => panic!("{}: the control says {other:?}: {}", case.id, acts.acts),
    }
}

fn every_number_has_a_case() {
    let cases = cases();
    let found: BTreeSet<&str> = cases.iter().map(Case::number).collect();
    let listed: BTreeSet<&str> = LISTED.split_whitespace().collect();
    let own: Vec<&&str> = found.difference(&listed).filter(|id| !id.starts_with('E')).collect();
    assert!(own.is_empty(), "on no list: {own:?}");
    let absent: Vec<&&str> = listed.difference(&found).collect();
    assert!(absent.is_empty(), "absent: {absent:?}");
    let ids: BTreeSet<&str> = cases.iter().map(|case| case.id).collect();
    assert_eq!(ids.len(), cases.len(), "a case stands twice");
    for case in &cases {
        assert!(!case.tried.is_empty() && !case.tried.ends_with('.'), "{}", case.id);
    }
}

/// The checkout: `PINFOLD_SRC` where the tests were carried elsewhere.
pub fn checkout() -> std::path::PathBuf {
    std::env::var_os("PINFOLD_SRC")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), std::path::PathBuf::from)
}

/// Whether a test is where a case says that it is: `TIER MODULE::NAME`, or
/// for the tests inside the program `unit FILE::NAME`.
fn is_there(reference: &str, own: &BTreeSet<String>) -> bool {
    let Some((tier, name)) = reference.split_once(' ') else { return false };
    let Some((module, function)) = name.rsplit_once("::") else { return false };
    let text = |path: String| std::fs::read_to_string(checkout().join(path)).unwrap_or_default();
    match tier {
        "sandbox" => own.contains(name),
        "bus" => text(format!("tests/bus/{module}.rs")).contains(&format!("\"{name}\"")),
        "plan" => text(format!("tests/plan/{module}.rs"))
            .contains(&format!("#[test]\nfn {function}() {{")),
        "unit" => {
            let text = text(format!("src/{module}.rs"));
            // Inside a module of tests, or in a file of them.
            text.contains("#[test]") && text.contains(&format!("fn {function}("))
        }
        _ => false,
    }
}

fn what_is_elsewhere_is_there() {
    let own = crate::NAMES.get().unwrap();
    for case in cases() {
        if let How::Elsewhere(tests) = case.how {
            assert!(!tests.is_empty(), "{}", case.id);
            for test in tests {
                assert!(is_there(test, own), "{}: there is no test {test}", case.id);
            }
        }
    }
    assert!(!is_there("sandbox links::a_link_that_nobody_tests", own));
    assert!(!is_there("bus hostile::a_message_that_nobody_sends", own));
    assert!(!is_there("plan files::a_file_that_nobody_grants", own));
    assert!(!is_there("unit host/account::a_line_that_nobody_reads", own));
}
