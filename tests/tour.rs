//! The tour, by the program itself.

use std::process::{Command, Output};

use pinfold::host::outlook::{Act, Outlook};

fn pinfold(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pinfold")).args(arguments).output().unwrap()
}

/// What of the tour's is in the folder where it tries to make a device.
fn leftovers() -> Vec<String> {
    let entries = std::fs::read_dir("/dev/shm").unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("pinfold-tour")).collect()
}

#[test]
fn the_tour_shows_a_sound_sandbox_or_says_why_there_is_none() {
    let output = pinfold(&["tour", "--json"]);
    let told = String::from_utf8(output.stderr).unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    match output.status.code() {
        Some(0) => {
            assert_eq!(shown["version"], 1);
            assert_eq!(told, "");
            assert_eq!(shown["surprises"], serde_json::json!([]));
            let outside: Outlook = serde_json::from_value(shown["outside"].clone()).unwrap();
            let inside: Outlook = serde_json::from_value(shown["inside"].clone()).unwrap();
            assert_eq!(inside.processes.len(), 2, "{:?}", inside.processes);
            assert_eq!(inside.interfaces, ["lo"]);
            let refusals = [
                (Act::ChangeStartFile, libc::ENOENT),
                (Act::SignalOutside, libc::ESRCH),
                (Act::Trace, libc::EPERM),
                (Act::TypeIntoTerminal, libc::EPERM),
                (Act::Keyring, libc::EPERM),
                (Act::UserNamespace, libc::EPERM),
                (Act::Mount, libc::ENOSYS),
                (Act::PacketSocket, libc::EAFNOSUPPORT),
                (Act::Ring, libc::ENOSYS),
            ];
            for (act, errno) in refusals {
                let tried = inside.acts.iter().find(|tried| tried.act == act).unwrap();
                assert_eq!(tried.errno, Some(errno), "{act:?}");
            }
            assert_eq!(inside.acts.iter().filter(|tried| tried.errno.is_none()).count(), 0);
            // The control: without a sandbox, the same acts do go through.
            let works = |act| outside.acts.iter().any(|t| t.act == act && t.errno.is_none());
            assert!(works(Act::Trace) && works(Act::SignalOutside), "{:?}", outside.acts);
        }
        Some(69) => {
            assert!(told.contains("error["), "{told}");
            let checks = shown["doctor"]["checks"].as_array().unwrap();
            let blocking = checks.iter().filter(|check| check["status"] == "blocking");
            assert!(blocking.count() > 0, "{shown}");
        }
        code => panic!("{code:?}: {told}"),
    }
    assert_eq!(leftovers(), Vec::<String>::new());
}

#[test]
fn the_text_fits_an_ordinary_terminal() {
    let output = pinfold(&["tour"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let long: Vec<&str> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert_eq!(long, Vec::<&str>::new());
    assert!(!text.contains('\u{1b}'), "colours have no place in a pipe");
}

#[test]
fn looking_around_leaves_nothing() {
    let output = pinfold(&["tour", "--part", "report", "--outside", "2147483647"]);
    let outlook: Outlook = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(outlook.acts.len(), Act::ALL.len());
    assert_eq!(leftovers(), Vec::<String>::new());
}

#[test]
fn the_parts_are_not_offered_and_take_no_more_than_they_need() {
    let help = String::from_utf8(pinfold(&["tour", "--help"]).stdout).unwrap();
    assert!(help.contains("--json") && !help.contains("--part"), "{help}");
    for wrong in [
        &["tour", "--part", "report"][..],
        &["tour", "--part", "report", "--outside", "1", "--json"],
        &["tour", "--outside", "1"],
        &["tour", "--part", "sandbox", "--outside", "1", "/bin/sh"],
    ] {
        assert_eq!(pinfold(wrong).status.code(), Some(2), "{wrong:?}");
    }
}
