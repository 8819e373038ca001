//! Importing and exporting by the program itself: what is printed, exit
//! codes, and what hostile files can do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn pinfold(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pinfold"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Imports a file with this content; what is said when that is refused.
fn refused(format: &str, name: &str, content: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), content).unwrap();
    let output = pinfold(folder.path(), &["import", format, name]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{told}");
    assert!(output.stdout.is_empty());
    assert_eq!(told.matches("error[").count(), 1, "{told}");
    assert!(told.contains(&format!("--> {name}:")), "{told}");
    let hostile = |c: char| c != '\n' && pinfold::report::escape::is_hostile(c);
    assert!(!told.contains(hostile), "{told}");
    told
}

#[test]
fn bad_files_are_refused_with_their_place() {
    assert!(refused("flatpak", "f", b"[Context]\nshared\n").contains("f:2:1"));
    assert!(refused("flatpak", "f", b"[Context\n").contains("f:1:1"));
    assert!(refused("flatpak", "f", b"[Context]\nshared=\x1b[31m\n").contains("f:2:8"));
    assert!(refused("flatpak", "f", b"[Application]\nname=a\0b\n").contains("f:2:7"));
    assert!(refused("firejail", "f", b"quiet\nwhitelist ${HOME}/../x\n").contains("f:2:1"));
    assert!(refused("firejail", "f", "caps\u{202e}.drop all\n".as_bytes()).contains("f:1:1"));
    assert!(refused("firejail", "f", b"?HAS_NET quiet\n").contains("f:1:1"));
    assert!(refused("bubblejail", "f", b"[common]\nx = \n").contains("f:2:"));
    assert!(refused("bubblejail", "f", b"common = 1\n[x11]\nx = [").contains("f:3:"));
    assert!(refused("snap", "f", b"name: x\napps: &a b\n").contains("f:2:"));
    assert!(refused("snap", "f", b"apps: {}\n").contains("f:1:1"));
    for format in ["flatpak", "firejail", "bubblejail", "snap"] {
        assert!(refused(format, "f", b"a\xff\n").contains("UTF-8"));
        assert!(refused(format, "f", &vec![b'#'; 10 << 20]).contains("more than"));
    }
}

#[test]
fn what_is_not_seen_is_written_out() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "[Application]\nname=a.b.c\ncommand=x\n[Environment]\nA=\u{202e}b\u{e0041}\n\
                [Context]\nfilesystems=~/\u{2066}x;~/\";\n# \u{202e}\n[\u{200b}]\nx=y\n";
    fs::write(folder.path().join("f"), evil).unwrap();
    for form in ["text", "json"] {
        let output = pinfold(folder.path(), &["import", "flatpak", "f", "--report", form]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let hostile = |c: char| c != '\n' && pinfold::report::escape::is_hostile(c);
        for told in [text(&output.stdout), text(&output.stderr)] {
            assert!(!told.contains(hostile), "{told}");
        }
        assert!(text(&output.stdout).contains("\\U0000202e"));
    }
}

#[test]
fn includes_are_read_only_beside_the_profile_and_where_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["beside", "further", "elsewhere"] {
        fs::create_dir(at(name)).unwrap();
    }
    fs::write(at("elsewhere/secret.inc"), "net none\n").unwrap();
    fs::write(at("further/more.inc"), "net none\n").unwrap();
    fs::write(at("beside/inside.inc"), "nosound\n").unwrap();
    symlink("inside.inc", at("beside/link.inc")).unwrap();
    symlink("../elsewhere/secret.inc", at("beside/out.inc")).unwrap();
    symlink(at("elsewhere/secret.inc"), at("beside/absolute.inc")).unwrap();
    fs::write(at("beside/loop.inc"), "include loop.inc\n").unwrap();
    fs::write(at("beside/good.profile"), "include link.inc\ninclude none.local\n").unwrap();
    let import = |line: &str, more: &[&str]| {
        fs::write(at("beside/one.profile"), format!("quiet\n{line}\n")).unwrap();
        let mut arguments = vec!["import", "firejail", "beside/one.profile"];
        arguments.extend(more);
        pinfold(folder.path(), &arguments)
    };
    for good in ["include link.inc", "include /etc/firejail/inside.inc", "include none.local"] {
        let output = import(good, &[]);
        assert_eq!(output.status.code(), Some(0), "{good}: {}", text(&output.stderr));
    }
    for bad in [
        "include out.inc",
        "include absolute.inc",
        "include ../elsewhere/secret.inc",
        "include /etc/passwd",
        "include missing.inc",
        "include more.inc",
        "include loop.inc",
        "include beside/inside.inc",
    ] {
        let output = import(bad, &[]);
        assert_eq!(output.status.code(), Some(65), "{bad}");
    }
    let output = import("include more.inc", &["--include-dir", "further"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("mode = \"none\""));
}

#[test]
fn a_manifest_is_written_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("app.profile"), "net none\n").unwrap();
    let arguments = ["import", "firejail", "app.profile", "--output", "m.toml", "--report", "json"];
    let output = pinfold(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["id"], "imported.firejail.app");
    assert_eq!(report["exact"], 1);
    assert_eq!(report["lines"][0]["line"], 1);
    assert_eq!(report["lines"][0]["verdict"], "exact");
    let manifest = fs::read_to_string(folder.path().join("m.toml")).unwrap();
    assert!(manifest.contains("mode = \"none\""), "{manifest}");
    let again = pinfold(folder.path(), &arguments);
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(fs::read_to_string(folder.path().join("m.toml")).unwrap(), manifest);
    let named = pinfold(folder.path(), &["import", "firejail", "app.profile", "--id", "x"]);
    assert_eq!(named.status.code(), Some(2));
}

const MANIFEST: &str = "schema = 1\nid = \"org.example.App\"\ncommand = [\"true\"]\n\
    [filesystem]\nread = [\"xdg-music\"]\nwrite = [\"/srv/a;b\"]\ncreate = [\"~/c:d\"]\n\
    deny = [\"xdg-music/x\"]\n[display]\nwayland = true\nx11 = \"fallback\"\n\
    [devices]\nallow = [\"gpu\"]\n[network]\nmode = \"host\"\n\
    [bus.session]\ntalk = [\"org.example.Other\"]\nown = [\"org.example.Own.*\"]\n\
    [environment]\nset = { A = \" b\\\\;c\" }\n[syscalls]\nallow = [\"devel\"]\n";

#[test]
fn overrides_of_flatpak_come_back_as_they_went() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("m.toml"), MANIFEST).unwrap();
    let output = pinfold(folder.path(), &["export", "flatpak-override", "./m.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    fs::write(folder.path().join("org.example.App"), &output.stdout).unwrap();
    let back = pinfold(folder.path(), &["import", "flatpak", "org.example.App"]);
    assert_eq!(back.status.code(), Some(0), "{}", text(&back.stderr));
    let read = |text: &[u8]| {
        let layer = pinfold::model::origin::Layer::User;
        pinfold::manifest::parse(text, "m", layer).unwrap().settings
    };
    let (went, came) = (read(MANIFEST.as_bytes()), read(&back.stdout));
    let values = |list: &pinfold::model::origin::List<pinfold::model::manifest::PathGrant>| {
        list.values().map(|grant| grant.path.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(values(&went.filesystem.read), values(&came.filesystem.read));
    assert_eq!(values(&went.filesystem.write), values(&came.filesystem.write));
    assert_eq!(values(&went.filesystem.create), values(&came.filesystem.create));
    assert_eq!(went.filesystem.deny.items[0].value, came.filesystem.deny.items[0].value);
    assert_eq!(came.environment_set["A"].value, " b\\;c");
    for (one, other) in [(&went, &came), (&came, &went)] {
        assert!(one.session_bus.talk.values().eq(other.session_bus.talk.values()));
        assert!(one.session_bus.own.values().eq(other.session_bus.own.values()));
        assert!(one.devices.values().eq(other.devices.values()));
        assert!(one.syscalls.values().eq(other.syscalls.values()));
        assert_eq!(
            one.display.x11.as_ref().unwrap().value,
            other.display.x11.as_ref().unwrap().value
        );
        assert_eq!(
            one.network.mode.as_ref().unwrap().value,
            other.network.mode.as_ref().unwrap().value
        );
    }
}

#[test]
fn arguments_of_bubblewrap_are_written_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "schema = 1\nid = \"org.example.App\"\n\
                    command = [\"sh\", \"-c\", \"echo $HOME; cat /etc/passwd\"]\n";
    fs::write(folder.path().join("m.toml"), manifest).unwrap();
    let lines = pinfold(folder.path(), &["export", "bwrap", "./m.toml"]);
    assert_eq!(lines.status.code(), Some(0), "{}", text(&lines.stderr));
    let json = pinfold(folder.path(), &["export", "bwrap", "--json", "./m.toml"]);
    let words: Vec<String> = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(text(&lines.stdout).lines().collect::<Vec<_>>(), words);
    assert!(!words.contains(&"--seccomp".to_owned()) && !words.contains(&"--file".to_owned()));
    assert!(text(&lines.stderr).contains("landlock"));
    // With its files: what they are handed over by.
    let with =
        pinfold(folder.path(), &["export", "bwrap", "--json", "--files", "parts", "./m.toml"]);
    assert_eq!(with.status.code(), Some(0), "{}", text(&with.stderr));
    let words: Vec<String> = serde_json::from_slice(&with.stdout).unwrap();
    let count = fs::read_dir(folder.path().join("parts")).unwrap().count();
    let handed = words.windows(2).filter(|pair| ["--file", "--seccomp"].contains(&&*pair[0]));
    let numbers: Vec<&str> = handed.map(|pair| &*pair[1]).collect();
    assert_eq!(numbers.len(), count);
    assert!(count > 3, "{numbers:?}");
    assert!(numbers.iter().all(|number| folder.path().join("parts").join(number).is_file()));
    let again = pinfold(folder.path(), &["export", "bwrap", "--files", "parts", "./m.toml"]);
    assert_eq!(again.status.code(), Some(2));
}
