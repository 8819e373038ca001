//! `pinfold lint` by the program itself: exit codes, formats, and changes of a
//! file.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn program() -> PathBuf {
    std::env::var_os("PINFOLD_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_pinfold")), PathBuf::from)
}

/// A home, and a manifest in it.
struct World {
    dir: TempDir,
}

impl World {
    fn new(manifest: &str) -> World {
        // A folder in /tmp is another account's to plant links in.
        let base = std::env::var_os("HOME").map_or_else(|| "/var/tmp".into(), PathBuf::from);
        let dir = tempfile::Builder::new().prefix("pinfold-").tempdir_in(base).unwrap();
        std::fs::create_dir_all(dir.path().join("Music/new")).unwrap();
        let text =
            format!("schema = 1\nid = \"org.example.App\"\ncommand = [\"true\"]\n{manifest}");
        std::fs::write(dir.path().join("app.toml"), text).unwrap();
        World { dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("app.toml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    fn lint(&self, flags: &[&str]) -> Output {
        self.run(&[&["lint"], flags, &[self.file().to_str().unwrap()]].concat())
    }

    fn run(&self, words: &[&str]) -> Output {
        let home: &Path = self.dir.path();
        Command::new(program())
            .env_clear()
            .env("HOME", home)
            .env("PATH", "/usr/bin:/bin")
            .args(words)
            .output()
            .unwrap()
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn shown(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

const WARNED: &str = "[display]\nx11 = \"shared\" # old\n";
const WRONG: &str = "[bus.session]\ntalk = [\"org.freedesktop.systemd1\"]\n";

#[test]
fn the_exit_code_tells_whether_anything_should_be_changed() {
    for (manifest, flags, want) in [
        ("", &["--strict"][..], 0),
        ("[audio]\nplayback = true", &["--strict"], 0),
        (WARNED, &[], 0),
        (WARNED, &["--strict"], 1),
        (WARNED, &["--strict", "--allow", "L301"], 0),
        (WARNED, &["--strict", "--allow", "L302,L201"], 1),
        (WRONG, &[], 1),
        (WRONG, &["--allow", "L201"], 0),
        (WRONG, &["--allow", "L999"], 2),
        ("wrong = true", &[], 65),
    ] {
        let output = World::new(manifest).lint(flags);
        assert_eq!(code(&output), want, "{manifest} {flags:?}: {output:?}");
    }
    let remark = WARNED.replace("# old", "# lint: allow L301 it is old");
    let output = World::new(&remark).lint(&["--strict"]);
    assert_eq!(code(&output), 0, "{output:?}");
    // It is open all the same.
    assert!(shown(&output).contains("leaky"), "{output:?}");
    assert!(shown(&output).contains("allowed: it is old"), "{output:?}");
}

#[test]
fn the_catalogue_is_clean() {
    let output = World::new("").run(&["lint", "--all", "--strict"]);
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(shown(&output).contains("org.gnome.Evince"), "{output:?}");
}

#[test]
fn json_and_sarif_say_the_same() {
    let world = World::new(WRONG);
    let json: Value = serde_json::from_slice(&world.lint(&["--format", "json"]).stdout).unwrap();
    assert_eq!(json["version"], 1);
    assert_eq!(json["apps"][0]["verdict"], "not-a-sandbox");
    let finding = &json["apps"][0]["findings"][0];
    assert_eq!((&finding["code"], &finding["level"]), (&"L201".into(), &"error".into()));
    assert_eq!(finding["origin"]["line"], 5);
    let sarif: Value = serde_json::from_slice(&world.lint(&["--format", "sarif"]).stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let result = &run["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&"L201".into(), &"error".into()));
    let index = result["ruleIndex"].as_u64().unwrap() as usize;
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "L201");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["region"]["startLine"], 5);
    let uri = place["artifactLocation"]["uri"].as_str().unwrap();
    assert_eq!(uri, format!("file://{}", world.file().display()));
}

#[test]
fn fix_changes_what_was_found_and_nothing_else() {
    let world = World::new(
        "# My own.\n[filesystem]\nwrite = [\n    \"~/Music\", # songs\n    \"~/Music/new\",\n]\n\
         [bus.session]\ntalk = [\"org.freedesktop.systemd1\", \"org.example.Kept\"]\n",
    );
    let before = world.text();
    let output = world.lint(&["--fix"]);
    assert_eq!(code(&output), 0, "{output:?}");
    let want = before
        .replace("    \"~/Music/new\",\n", "")
        .replace("[\"org.freedesktop.systemd1\", \"org.example.Kept\"]", "[\"org.example.Kept\"]");
    let bare = |text: &str| text.replace([' ', '\n'], "");
    assert_eq!(bare(&world.text()), bare(&want));
    assert!(world.text().contains("# songs") && world.text().contains("# My own."));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("L502") && told.contains("L201"), "{told}");
    // Nothing is left beside it, and a second time there is nothing to do.
    let names = std::fs::read_dir(world.dir.path()).unwrap().count();
    assert_eq!(names, 2);
    let text = world.text();
    world.lint(&["--fix"]);
    assert_eq!(world.text(), text);
    // An id may be several files.
    assert_eq!(code(&world.run(&["lint", "--fix", "org.gnome.Evince"])), 2);
}
