//! The order of the house: what no compiler checks, and what reviews forget.
//!
//! Each rule is a function from a text to what is wrong with it, is held
//! against the whole source, and is shown to fail on a text that breaks it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The checkout.
fn root() -> PathBuf {
    let stated = std::env::var_os("PINFOLD_SRC").or_else(|| std::env::var_os("CARGO_MANIFEST_DIR"));
    PathBuf::from(stated.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into()))
}

/// Every Rust file beneath a folder of the checkout, by its path there.
fn sources(folder: &str) -> BTreeMap<String, String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let root = root();
    let mut found = Vec::new();
    walk(&root.join(folder), &mut found);
    assert!(!found.is_empty(), "there is no source in {}", root.join(folder).display());
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Holds a rule against files; all that is wrong is told at once.
#[track_caller]
fn hold(files: &BTreeMap<String, String>, rule: impl Fn(&str, &str) -> Vec<String>) {
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|(name, text)| rule(name, text).into_iter().map(move |w| format!("{name}: {w}")))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

// --- reading Rust, as far as it is needed here -------------------------------

/// A source text without its comments and without what is in its strings.
fn code(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let starts = |at: usize, what: &str| {
        what.chars().enumerate().all(|(offset, c)| letters.get(at + offset) == Some(&c))
    };
    while at < letters.len() {
        if starts(at, "//") {
            while at < letters.len() && letters[at] != '\n' {
                at += 1;
            }
        } else if starts(at, "/*") {
            while at < letters.len() && !starts(at, "*/") {
                at += 1;
            }
            at += 2;
        } else if let Some(end) = raw_string_end(&letters, at) {
            out.push_str("\"\"");
            at = end;
        } else if letters[at] == '"' {
            out.push_str("\"\"");
            at += 1;
            while at < letters.len() && letters[at] != '"' {
                at += if letters[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if letters[at] == '\'' && letters.get(at + 1) == Some(&'\\') {
            // An escaped character; it ends at the next quote but one of its own.
            at += 3;
            while at < letters.len() && letters[at] != '\'' {
                at += 1;
            }
            at += 1;
        } else if letters[at] == '\'' && letters.get(at + 2) == Some(&'\'') {
            at += 3;
        } else {
            out.push(letters[at]);
            at += 1;
        }
    }
    out
}

/// Where a raw string that starts here ends.
fn raw_string_end(letters: &[char], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).map(|at| letters[at]);
    if letters[at] != 'r' || before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let hashes = letters[at + 1..].iter().take_while(|c| **c == '#').count();
    let open = at + 1 + hashes;
    if letters.get(open) != Some(&'"') {
        return None;
    }
    let closes = |end: usize| {
        letters[end] == '"'
            && letters[end + 1..].iter().take_while(|c| **c == '#').count() >= hashes
    };
    (open + 1..letters.len()).find(|end| closes(*end)).map(|end| end + 1 + hashes)
}

/// The identifiers of a code, in order.
fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

// --- the floors ----------------------------------------------------------------

/// The floor of each module, as the table in `src/lib.rs` has it.
fn floors(lib: &str) -> BTreeMap<String, u32> {
    let mut floors = BTreeMap::new();
    for line in lib.lines() {
        let Some(row) = line.strip_prefix("//! |") else { continue };
        let mut cells = row.split('|').map(str::trim);
        let Some(floor) = cells.next().and_then(|cell| cell.parse::<u32>().ok()) else { continue };
        for name in cells.next().unwrap_or_default().split(',') {
            let name = name.trim().trim_start_matches("[`").trim_end_matches("`]");
            floors.insert(name.to_owned(), floor);
        }
    }
    floors
}

/// The module at the top of the house that a file belongs to.
fn module(file: &str) -> &str {
    let rest = file.strip_prefix("src/").unwrap_or(file);
    rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs")
}

/// The modules that a text names by `crate::`, by a group of them too.
fn uses(text: &str) -> BTreeSet<String> {
    let code = code(text);
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => found.extend(identifiers(rest).next().map(str::to_owned)),
            Some(group) => {
                let mut depth = 0;
                let mut fresh = true;
                let mut word = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => fresh = true,
                        c if c.is_alphanumeric() || c == '_' => {
                            if fresh {
                                word.push(c);
                            }
                            continue;
                        }
                        _ => {}
                    }
                    if fresh && !word.is_empty() {
                        found.insert(std::mem::take(&mut word));
                        fresh = false;
                    }
                    word.clear();
                }
                if fresh && !word.is_empty() {
                    found.insert(word);
                }
            }
        }
    }
    found
}

/// What a file uses that does not lie beneath it, or on its own floor.
fn above(floors: &BTreeMap<String, u32>, file: &str, text: &str) -> Vec<String> {
    let own = module(file);
    if own == "lib" || own == "main" {
        return Vec::new();
    }
    let Some(floor) = floors.get(own) else {
        return vec![format!("{own} has no floor in src/lib.rs")];
    };
    uses(text)
        .into_iter()
        .filter(|used| used != own)
        .filter_map(|used| match floors.get(&used) {
            Some(other) if other > floor => {
                Some(format!("uses {used} of floor {other}, from floor {floor}"))
            }
            _ => None,
        })
        .collect()
}

/// Modules of one floor that use each other, in one step or several.
fn circles(floors: &BTreeMap<String, u32>, files: &BTreeMap<String, String>) -> Vec<String> {
    let mut beside: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in files {
        let own = module(file);
        let same = uses(text).into_iter().filter(|used| {
            used != own && floors.contains_key(own) && floors.get(used) == floors.get(own)
        });
        beside.entry(own).or_default().extend(same);
    }
    let reaches = |from: &str| {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut left: Vec<String> = beside.get(from).into_iter().flatten().cloned().collect();
        while let Some(next) = left.pop() {
            if seen.insert(next.clone()) {
                left.extend(beside.get(next.as_str()).into_iter().flatten().cloned());
            }
        }
        seen
    };
    beside.keys().filter(|own| reaches(own).contains(**own)).map(|own| (*own).to_owned()).collect()
}

#[test]
fn modules_use_lower_floors() {
    let files = sources("src");
    let floors = floors(&files["src/lib.rs"]);
    assert!(floors.len() >= 12, "the table in src/lib.rs is not read: {floors:?}");
    hold(&files, |file, text| above(&floors, file, text));
    assert_eq!(circles(&floors, &files), Vec::<String>::new());
}

#[test]
fn the_check_of_floors_can_fail() {
    let table = "//! | floor | module | job |\n//! |---|---|---|\n\
                 //! | 0 | [`sys`] | x |\n//! | 1 | [`one`], [`two`] | y |\n//! | 2 | [`top`] | z |\n";
    let floors = floors(table);
    assert_eq!(floors["sys"], 0);
    assert_eq!((floors["one"], floors["two"], floors["top"]), (1, 1, 2));
    let wrong = |file: &str, text: &str| above(&floors, file, text).len();
    assert_eq!(wrong("src/one/a.rs", "use crate::sys::x;\nuse crate::one::b;"), 0);
    assert_eq!(wrong("src/one.rs", "use crate::top::x;"), 1);
    assert_eq!(wrong("src/one.rs", "use crate::{\n    sys::{a, b},\n    top,\n};"), 1);
    assert_eq!(wrong("src/one.rs", "fn f() { crate::top::x() }"), 1);
    assert_eq!(wrong("src/one.rs", "// use crate::top::x;\nlet s = \"crate::top\";"), 0);
    assert_eq!(wrong("src/new/a.rs", ""), 1);
    assert_eq!(wrong("src/main.rs", "use crate::top;"), 0);
    let names = ["src/one.rs", "src/two/a.rs"].map(str::to_owned);
    let files =
        |texts: [&str; 2]| names.clone().into_iter().zip(texts.map(str::to_owned)).collect();
    assert!(circles(&floors, &files(["use crate::two::x;", "use crate::sys;"])).is_empty());
    assert_eq!(circles(&floors, &files(["use crate::two::x;", "use crate::one;"])).len(), 2);
}

// --- unsafe ---------------------------------------------------------------------

/// Where `unsafe` may stand.
const UNSAFE: [&str; 2] = ["src/sys/", "tests/sandbox/probe/"];

fn unsafe_outside(file: &str, text: &str) -> Vec<String> {
    let allowed = UNSAFE.iter().any(|place| file.starts_with(place));
    let found = identifiers(&code(text)).any(|word| word == "unsafe");
    if found && !allowed { vec!["has unsafe code".to_owned()] } else { Vec::new() }
}

#[test]
fn unsafe_code_is_in_one_place() {
    hold(&sources("src"), unsafe_outside);
    hold(&sources("tests"), unsafe_outside);
}

#[test]
fn the_check_of_unsafe_code_can_fail() {
    assert_eq!(unsafe_outside("src/exec/a.rs", "fn f() { unsafe { g() } }").len(), 1);
    assert_eq!(unsafe_outside("src/system/a.rs", "unsafe fn f() {}").len(), 1);
    assert_eq!(unsafe_outside("src/sys/a.rs", "unsafe fn f() {}").len(), 0);
    let harmless = "//! no `unsafe`\n#![deny(unsafe_op_in_unsafe_fn)]\nlet s = \"unsafe\";";
    assert_eq!(unsafe_outside("src/lib.rs", harmless).len(), 0);
}

// --- between clone and exec --------------------------------------------------------

/// Files whose code runs in the child, which must not allocate, format, lock
/// or panic.
const MUTE: [&str; 2] = ["src/exec/stage.rs", "src/exec/init.rs"];

/// Words that do one of these.
const LOUD: [&str; 35] = [
    "Vec",
    "String",
    "Box",
    "Rc",
    "Arc",
    "BTreeMap",
    "CString",
    "PathBuf",
    "Mutex",
    "format",
    "vec",
    "print",
    "println",
    "eprint",
    "eprintln",
    "dbg",
    "panic",
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "todo",
    "unreachable",
    "unimplemented",
    "unwrap",
    "expect",
    "to_owned",
    "to_string",
    "to_vec",
    "into_owned",
    "clone",
    "collect",
    "join",
    "concat",
    "write_fmt",
];

fn loud(_file: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let found: BTreeSet<&str> = identifiers(&code).filter(|word| LOUD.contains(word)).collect();
    found.into_iter().map(|word| format!("{word} in the child")).collect()
}

#[test]
fn the_child_is_mute() {
    let all = sources("src");
    let files: BTreeMap<String, String> =
        all.into_iter().filter(|(name, _)| MUTE.contains(&name.as_str())).collect();
    assert_eq!(files.len(), MUTE.len(), "a file of the child has moved");
    hold(&files, loud);
}

#[test]
fn the_check_of_the_child_can_fail() {
    for bad in [
        "let v: Vec<u8>;",
        "let s = String::new();",
        "format!(\"{x}\")",
        "vec![1]",
        "Box::new(1)",
        "x.to_owned()",
        "x.to_string()",
        "x.clone()",
        "println!()",
        "panic!()",
        "x.unwrap()",
        "x.expect(\"\")",
        "'\"'; vec![1]; '\"'",
        "r#\"\"\"#; vec![]",
        "'\\''; vec![]; b'\\\\'",
    ] {
        assert_eq!(loud("", bad).len(), 1, "{bad}");
    }
    for good in [
        "// Vec\nx.unwrap_or(1)",
        "/* String */",
        "\"panic! \\\" Vec\"",
        "r#\"Vec \" Vec\"#",
        "clone_tree()",
    ] {
        assert_eq!(loud("", good), Vec::<String>::new(), "{good}");
    }
}

// --- names and notes -------------------------------------------------------------

/// Names that say nothing.
const EMPTY: [&str; 9] =
    ["util", "utils", "helper", "helpers", "manager", "managers", "common", "misc", "stuff"];

fn says_nothing(file: &str, _text: &str) -> Vec<String> {
    let names = file.trim_end_matches(".rs").split(['/', '_', '-']);
    names.filter(|name| EMPTY.contains(name)).map(|name| format!("{name} says nothing")).collect()
}

fn unfinished(_file: &str, text: &str) -> Vec<String> {
    let marks = ["TODO", "FIXME", "XXX", "HACK"];
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| identifiers(line).any(|word| marks.contains(&word)))
        .map(|(number, line)| format!("{}: {}", number + 1, line.trim()))
        .collect()
}

#[test]
fn files_have_names() {
    hold(&sources("src"), says_nothing);
}

#[test]
fn nothing_is_left_for_later() {
    hold(&sources("src"), unfinished);
}

#[test]
fn the_checks_of_names_and_notes_can_fail() {
    assert_eq!(says_nothing("src/exec/path_util.rs", "").len(), 1);
    assert_eq!(says_nothing("src/helpers/a.rs", "").len(), 1);
    assert_eq!(says_nothing("src/common.rs", "").len(), 1);
    assert_eq!(says_nothing("src/exec/utilities.rs", "").len(), 0);
    assert_eq!(unfinished("", "fn f() {} // TODO: later\n").len(), 1);
    assert_eq!(unfinished("", "/* FIXME */").len(), 1);
    assert_eq!(unfinished("", "XDG_TODOS").len(), 0);
}
