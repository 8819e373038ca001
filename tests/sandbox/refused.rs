//! Bad input: one diagnostic with its place, the documented exit code,
//! nothing started.

use crate::tests;
use crate::world::{Run, World, finish, pinfold};

tests![
    bad_manifests,
    bad_grants,
    a_manifest_of_ten_megabytes,
    a_manifest_that_is_no_text,
    a_manifest_that_is_not_there,
    several_errors_are_all_told,
    hostile_texts_are_written_out,
    keys_without_effect_are_refused,
    wrong_usage,
    bad_flags,
    a_manifest_that_others_can_write,
    a_dry_run_changes_nothing,
];

/// Runs a manifest with exactly this text; the command would leave a file.
fn run(world: &World, text: &str) -> Run {
    let path = world.file("@/bad.toml", text);
    start(world, &["run", path.to_str().unwrap()])
}

fn start(world: &World, words: &[&str]) -> Run {
    let mut command = world.command(&pinfold());
    command.args(words).current_dir(world.path("~"));
    finish(command, None)
}

/// Checks that there is one error, at a line and column of the file.
#[track_caller]
fn one_error(world: &World, run: &Run, code: i32, place: &str) {
    run.ended_with(code).says(&format!("bad.toml:{place}"));
    let errors = run.errors.lines().filter(|line| line.starts_with("error")).count();
    assert_eq!(errors, 1, "{}", run.told());
    assert_eq!(run.output, "", "{}", run.told());
    nothing_happened(world);
}

#[track_caller]
fn nothing_happened(world: &World) {
    assert_eq!(world.names("~"), Vec::<String>::new());
    assert_eq!(world.names("%/"), Vec::<String>::new());
}

const START: &str = "schema = 1\nid = \"org.example.Bad\"\ncommand = [\"/bin/echo\", \"ran\"]\n";

fn bad_manifests() {
    let world = World::new();
    let cases = [
        ("an unknown key", "readonly = true", "4:1"),
        ("an unknown key in a table", "[filesystem]\nreed = []", "5:1"),
        ("an unknown table", "[file-system]\nread = []", "4:2"),
        ("a wrong type", "hostname = 3", "4:12"),
        ("a wrong type in a list", "[filesystem]\nread = [\"~/a\", 3]", "5:16"),
        ("a duplicate key", "hostname = \"a\"\nhostname = \"b\"", "5:1"),
        ("a duplicate table", "[home]\nkind = \"private\"\n[home]", "6:2"),
        ("broken TOML", "hostname = \"a", "4:"),
        ("broken TOML, a list", "[filesystem]\nread = [\"~/a\"", "5:"),
        ("an unknown word", "[home]\nkind = \"secret\"", "5:8"),
    ];
    for (what, text, place) in cases {
        let run = run(&world, &format!("{START}{text}\n"));
        eprintln!("{what}");
        one_error(&world, &run, 65, place);
    }
    let said = run(&world, &format!("{START}[filesystem]\nreed = []\n"));
    said.says("did you mean");
    for id in ["bad", "org..bad", "../bad", "org.example.bad/x", "org.exa mple.Bad", "", "1.2.3"] {
        let text = format!("schema = 1\nid = {id:?}\ncommand = [\"true\"]\n");
        one_error(&world, &run(&world, &text), 65, "2:6");
    }
    let none = run(&world, "schema = 1\nid = \"org.example.Bad\"\n");
    one_error(&world, &none, 65, "1:1");
    let empty = run(&world, "schema = 1\nid = \"org.example.Bad\"\ncommand = []\n");
    one_error(&world, &empty, 65, "3:");
    let schema = run(&world, "schema = 2\nid = \"org.example.Bad\"\ncommand = [\"true\"]\n");
    one_error(&world, &schema, 65, "1:10");
    let missing = run(&world, "id = \"org.example.Bad\"\ncommand = [\"true\"]\n");
    missing.ended_with(65);
    nothing_happened(&world);
}

fn bad_grants() {
    let world = World::new();
    let texts = [
        "/",
        "/proc",
        "/proc/self",
        "/sys",
        "/dev",
        "/run",
        "/etc",
        "/tmp",
        "/var",
        "/home/../etc",
        "..",
        "~/..",
        "~/a/../b",
        "a",
        "./a",
        "",
        "~/a//b",
        "~root/a",
        "~/a\\u0000b",
        "~/a\\nb",
        "~/a\\u001bb",
        "~/[a",
        "xdg-nothing",
    ];
    for text in texts {
        for right in ["read", "write", "create"] {
            let bad = run(&world, &format!("{START}[filesystem]\n{right} = [\"{text}\"]\n"));
            eprintln!("{right} {text}");
            one_error(&world, &bad, 65, "5:");
        }
    }
    let long = format!("{START}[filesystem]\nread = [\"/{}\"]\n", "a/".repeat(2100));
    one_error(&world, &run(&world, &long), 65, "5:9");
    let write = format!("{START}[filesystem]\nwrite = [\"/usr/share\"]\n");
    one_error(&world, &run(&world, &write), 65, "5:10");
}

fn a_manifest_of_ten_megabytes() {
    let world = World::new();
    let text = format!("{START}# {}\n", "x".repeat(10 << 20));
    let big = run(&world, &text);
    one_error(&world, &big, 65, "1:1");
    assert!(big.errors.len() < 2000, "{} bytes are said", big.errors.len());
    // One that never ends is not read for ever.
    start(&world, &["run", "/dev/zero"]).ended_with(65);
    nothing_happened(&world);
}

fn a_manifest_that_is_no_text() {
    let world = World::new();
    let path = world.path("@/bad.toml");
    let mut bytes = START.as_bytes().to_vec();
    bytes.extend(b"name = \"\xff\xfe\"\n");
    std::fs::write(&path, &bytes).unwrap();
    one_error(&world, &start(&world, &["run", path.to_str().unwrap()]), 65, "4:9");
    let nul = format!("{START}name = \"a\0b\"\n");
    one_error(&world, &run(&world, &nul), 65, "4:");
    one_error(&world, &run(&world, &format!("\u{feff}{START}")), 65, "1:1");
}

fn a_manifest_that_is_not_there() {
    let world = World::new();
    for file in ["/nowhere/at/all.toml", "missing.toml", "/etc"] {
        let missing = start(&world, &["run", file]);
        // A folder has a slash in its name as well.
        missing.ended_with(65).says(file);
    }
    start(&world, &["run", "org.example.NotInstalled"]).ended_with(65).says("NotInstalled");
    nothing_happened(&world);
}

fn several_errors_are_all_told() {
    let world = World::new();
    let bad = run(&world, &format!("{START}one = 1\nhostname = 2\n[filesystem]\nread = [3]\n"));
    bad.ended_with(65).says("bad.toml:4:1").says("bad.toml:5:12").says("bad.toml:7:9");
    nothing_happened(&world);
}

fn hostile_texts_are_written_out() {
    let world = World::new();
    let hostile = "\u{1b}[2J\u{202e}\u{7}";
    let texts = [
        format!("{START}\"{hostile}\" = 1\n"),
        format!("{START}name = \"{hostile}\" \"x\"\n"),
        format!("{START}hostname = \"\\u001b[2J\\u202e\\u0007\"\n"),
        format!("{START}[filesystem]\nread = [\"~/\\u001b[2J\\u202e\\u0007\"]\n"),
        format!("# {hostile}\n{START}[home]\nkind = \"{hostile}\"\n"),
        "schema = 1\nid = \"\\u001b[2J\\u202e\\u0007\"\ncommand = [\"true\"]\n".to_owned(),
        "schema = 1\nid = \"org.example.Bad\"\ncommand = [\"\\u202e\\u2066no-such\"]\n".to_owned(),
    ];
    for text in texts {
        let bad = run(&world, &text);
        assert!(bad.code != Some(0), "{}", bad.told());
        assert!(!bad.errors.is_empty());
        for c in ['\u{1b}', '\u{7}', '\u{202e}', '\u{2066}'] {
            assert!(!bad.errors.contains(c), "{c:?} reaches the terminal: {:?}", bad.errors);
        }
    }
    for word in ["\u{1b}[2J.toml", "org.\u{1b}[2J", "/\u{202e}x"] {
        let bad = start(&world, &["run", word]);
        assert!(!bad.errors.contains(['\u{1b}', '\u{202e}']), "{:?}", bad.errors);
    }
    let bad = start(&world, &["run", "--read", "\u{1b}[2J", "/x.toml"]);
    assert!(!bad.errors.contains('\u{1b}'), "{:?}", bad.errors);
    // Names of files in notes too.
    world.file("~/Documents/a", "");
    let noted = world.app("stat ~/").manifest("[filesystem]\nread = [\"~/\u{202e}missing\"]").run();
    assert!(!noted.errors.contains('\u{202e}'), "{:?}", noted.errors);
}

fn keys_without_effect_are_refused() {
    let world = World::new();
    for text in [
        "[home]\nkind = \"overlay\"",
        "[display]\nx11 = \"nested\"",
        "[network]\nmode = \"private\"",
        "[devices]\nallow = [\"camera\"]",
        "[agents]\nssh = true",
        "[agents]\ngpg = true",
        "[limits]\nmemory = \"1G\"",
    ] {
        let bad = run(&world, &format!("{START}{text}\n"));
        bad.ended_with(65).says("not supported yet").says("bad.toml:").never_shows("ran");
        nothing_happened(&world);
    }
}

fn wrong_usage() {
    let world = World::new();
    for words in [
        &[][..],
        &["run"],
        &["fly"],
        &["run", "--no-such-flag", "x.toml"],
        &["run", "--home", "mars", "x.toml"],
        &["run", "--share", "everything", "x.toml"],
        &["run", "-v", "-q", "x.toml"],
        &["run", "--no-forward", "--forward-write", "x.toml"],
        &["run", "not an id"],
        &["run", ""],
    ] {
        let bad = start(&world, words);
        bad.ended_with(2);
        assert!(!bad.errors.is_empty() && bad.output.is_empty(), "{}", bad.told());
    }
    start(&world, &["--help"]).ended_with(0);
    start(&world, &["--version"]).ended_with(0);
    nothing_happened(&world);
}

fn bad_flags() {
    let world = World::new();
    let file = world.file("@/good.toml", START);
    let file = file.to_str().unwrap();
    for (flag, value, code) in [
        ("--read", "../x", 2),
        ("--read", "~root", 2),
        ("--read", "", 2),
        ("--write", "/a\nb", 2),
        ("--env", "novalue", 2),
        ("--env", "1A=b", 2),
        ("--read", "/", 65),
        ("--read", "/proc", 65),
        ("--write", "/usr", 65),
        ("--read", "/nowhere", 65),
    ] {
        let bad = start(&world, &["run", flag, value, file]);
        eprintln!("{flag} {value}");
        bad.ended_with(code).says(flag).never_shows("ran");
        nothing_happened(&world);
    }
    start(&world, &["run", "--status-fd", "99", file]).ended_with(2);
    nothing_happened(&world);
}

fn a_manifest_that_others_can_write() {
    let world = World::new();
    let path = world.file("@/bad.toml", START);
    crate::world::set_mode(&path, 0o666);
    let bad = start(&world, &["run", path.to_str().unwrap()]);
    bad.ended_with(65).never_shows("ran");
    nothing_happened(&world);
    crate::world::set_mode(&path, 0o644);
    assert_eq!(start(&world, &["run", path.to_str().unwrap()]).ended_with(0).output, "ran\n");
}

fn a_dry_run_changes_nothing() {
    let world = World::new();
    world.folder("~/Music");
    let run = world
        .app("write ~/Music/ran x")
        .manifest("[filesystem]\nwrite = [\"~/Music\"]\ncreate = [\"~/Notes\"]")
        .flags("--dry-run")
        .run();
    run.ended_with(0);
    assert!(run.output.contains("/home/Music"), "{}", run.told());
    assert_eq!(world.names("~"), ["Music"]);
    assert_eq!(world.names("~/Music"), Vec::<String>::new());
    assert_eq!(world.names("%/"), Vec::<String>::new());
}
