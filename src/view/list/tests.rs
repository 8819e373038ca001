use std::os::unix::fs::PermissionsExt;
use std::{env, fs};

use super::*;
use crate::model::manifest::Settings;
use crate::model::origin::{Origin, Sourced};
use crate::report::escape::is_hostile;

const EVIL: &str = "x\u{1b}[2J\u{9b}2J\u{202e}\u{200b}z";

fn policy(id: &str, name: Option<&str>, command: &str, layers: &[Layer]) -> Policy {
    let origin = Origin::builtin("test");
    Policy {
        id: id.parse().unwrap(),
        settings: Settings {
            name: name.map(|name| Sourced::new(name.to_owned(), origin.clone())),
            command: Some(Sourced::new(vec![command.to_owned()], origin)),
            ..Settings::default()
        },
        files: layers.iter().map(|layer| (*layer, format!("/{layer}/{id}.toml"))).collect(),
        unmet: Vec::new(),
    }
}

/// Some applications on a host that has one program.
fn entries() -> Vec<Entry> {
    let root = tempfile::tempdir().unwrap();
    for (place, mode) in
        [("usr/games/chess", 0o755), ("opt/draw/draw", 0o755), ("usr/bin/x", 0o644)]
    {
        let place = root.path().join(place);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, "").unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(mode)).unwrap();
    }
    let host = HostFs::at(root.path()).unwrap();
    let of = |policy: Policy| Entry::of(&policy, &host);
    vec![
        of(policy("org.example.Chess", Some("Chess"), "chess", &[Layer::Vendor])),
        of(policy(
            "org.example.Draw",
            Some("Drawings for people who have a great deal of room to draw in"),
            "/opt/draw/draw",
            &[Layer::Vendor, Layer::Vendor, Layer::User],
        )),
        of(policy("org.example.Missing", None, "missing", &[Layer::Admin])),
        of(policy("org.example.NoProgram", Some("No program"), "x", &[Layer::Vendor])),
        of(policy("org.example.Odd", Some("Odd"), "../odd", &[Layer::Vendor])),
        Entry::broken(
            "org.example.Broken".parse().unwrap(),
            vec![(Layer::User, "/user/org.example.Broken.toml".to_owned())],
        ),
    ]
}

#[test]
fn a_sample_is_listed_as_people_have_read_it() {
    let found = anstream::adapter::strip_str(&text(&entries(), 80)).to_string();
    let path = format!("{}/tests/golden/list.txt", env!("CARGO_MANIFEST_DIR"));
    if env::var_os("PINFOLD_BLESS").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{path} differs; PINFOLD_BLESS=1 writes it:\n{found}");
}

#[test]
fn programs_are_found_where_a_run_would_find_them() {
    let entries = entries();
    assert_eq!(entries[0].state, State::Installed("/usr/games/chess".to_owned()));
    assert_eq!(entries[1].state, State::Installed("/opt/draw/draw".to_owned()));
    // One without the right to be executed is no program.
    assert_eq!(entries[3].state, State::NotInstalled);
    assert_eq!(entries[4].state, State::Broken);
}

#[test]
fn hostile_text_is_written_out_in_every_field() {
    let mut entries = entries();
    entries[0].name = Some(EVIL.to_owned());
    entries[0].command = Some(EVIL.to_owned());
    entries[0].state = State::Installed(EVIL.to_owned());
    entries[0].files = vec![(Layer::User, EVIL.to_owned())];
    let shown = anstream::adapter::strip_str(&text(&entries, 200)).to_string();
    assert_eq!(shown.chars().find(|&c| c != '\n' && is_hostile(c)), None, "{shown}");
    assert!(shown.contains("x\\u{1b}[2J\\u{9b}2J\\u{202e}\\u{200b}z"), "{shown}");
    let data = json(&entries).to_string();
    assert_eq!(data.chars().find(|&c| is_hostile(c)), None, "{data}");
    assert!(!data.contains("\\u001b"), "{data}");
    assert_eq!(data.matches("\\\\u{202e}").count(), 4, "{data}");
}

#[test]
fn an_empty_list_says_what_to_do() {
    assert!(text(&[], 80).contains("pinfold run FILE"));
    assert_eq!(json(&[])["applications"], serde_json::json!([]));
}
