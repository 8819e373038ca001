//! The corpus tier: what the fuzzer has found worth keeping, held once more
//! against the same properties.
//!
//! A module here is one property: a function from any bytes that panics where
//! the code under test does not keep its word. `fuzz/targets` hands it what
//! the fuzzer makes up; this tier hands it each file beneath `fuzz/corpus`,
//! among them every input that once broke something, and needs no fuzzer.

mod auth;
mod decide;
mod draw;
mod manifest;
mod matching;
mod paths;
mod plan;
mod seccomp;
mod wire;

use std::panic::catch_unwind;
use std::path::PathBuf;

/// A property.
type Holds = fn(&[u8]);

const PROPERTIES: [(&str, Holds); 8] = [
    ("auth", auth::holds),
    ("decide", decide::holds),
    ("manifest", manifest::holds),
    ("matching", matching::holds),
    ("paths", paths::holds),
    ("plan", plan::holds),
    ("seccomp", seccomp::holds),
    ("wire", wire::holds),
];

/// A folder of the fuzzer.
fn folder(name: &str) -> PathBuf {
    let checkout = std::env::var_os("PINFOLD_SRC")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    checkout.join("fuzz").join(name)
}

/// The names of what lies in a folder, sorted.
fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Holds one property against each file of its corpus.
fn replay(name: &str) {
    let (_, holds) = PROPERTIES.iter().find(|(known, _)| *known == name).unwrap();
    let corpus = folder("corpus").join(name);
    let files = names(&corpus);
    assert!(files.len() >= 12, "{} files in {}", files.len(), corpus.display());
    let broken: Vec<String> = files
        .into_iter()
        .filter(|file| {
            let bytes = std::fs::read(corpus.join(file)).unwrap();
            catch_unwind(|| holds(&bytes)).is_err()
        })
        .collect();
    assert!(broken.is_empty(), "{name} does not hold for {broken:?}");
}

macro_rules! replays {
    ($($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )+
    };
}

mod corpus {
    use super::replay;

    replays! { auth decide manifest matching paths plan seccomp wire }
}

#[test]
fn each_property_has_a_target_and_a_corpus() {
    let properties: Vec<String> = PROPERTIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&folder("corpus")), properties);
    let targets: Vec<String> = properties.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&folder("targets")), targets);
}
