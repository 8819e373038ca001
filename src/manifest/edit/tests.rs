use proptest::prelude::*;

use super::*;
use crate::manifest::naming::value;

/// A file as a person may have written it.
const OWN: &str = r#"# What I changed.
schema = 1
id = "org.example.App"   # the id

# Only at home.
[network]
# The office has a proxy.
mode = "none"
connect = [443]          # https

[filesystem]
read = [
    "~/Papers",          # letters
    # scans come here
    "~/Scans",
    { path = "/srv/data", required = true },
]
deny = ["~/Papers/private"]

# At the end.
"#;

fn own() -> Document {
    Document::read(OWN, "/home/ada").unwrap()
}

/// The lines that came and went.
fn changes(document: &Document) -> (Vec<String>, Vec<String>) {
    let text = document.text();
    let (old, new): (Vec<&str>, Vec<&str>) = (OWN.lines().collect(), text.lines().collect());
    let only = |these: &[&str], those: &[&str]| {
        let only = these.iter().filter(|line| !those.contains(line));
        only.map(|line| (*line).to_owned()).collect()
    };
    (only(&old, &new), only(&new, &old))
}

#[test]
fn what_is_not_changed_keeps_every_byte() {
    let mut document = own();
    assert_eq!(document.text(), OWN);
    document.set("network.mode", Value::from("none"));
    document.add("network.connect", Value::from(443));
    document.add("filesystem.read", Value::from("/home/ada/Papers/"));
    document.add("filesystem.read", Value::from("/srv/data"));
    assert!(!document.unset("audio.playback"));
    assert!(!document.remove("filesystem.write", &Value::from("~/x")));
    assert_eq!(document.text(), OWN);
}

#[test]
fn single_values() {
    let mut document = own();
    document.set("network.mode", Value::from("host"));
    document.set("hostname", Value::from("box"));
    document.set("audio.playback", Value::from(true));
    document.set("bus.session.talk", value("bus.session.talk", "org.a.b").unwrap());
    let (gone, came) = changes(&document);
    assert_eq!(gone, ["mode = \"none\""]);
    assert_eq!(
        came,
        [
            "hostname = \"box\"",
            "mode = \"host\"",
            "[audio]",
            "playback = true",
            "[bus.session]",
            "talk = [\"org.a.b\"]"
        ]
    );
    assert!(document.text().ends_with("# At the end.\n"));
}

#[test]
fn entries_stand_as_their_neighbours_do() {
    let mut document = own();
    document.add("filesystem.read", Value::from("~/New"));
    document.add("network.connect", Value::from(80));
    let (gone, added) = changes(&document);
    assert_eq!(gone, ["connect = [443]          # https"]);
    assert_eq!(added, ["connect = [443, 80]          # https", "    \"~/New\","]);

    // A comment behind the last entry stays behind it.
    for text in [
        "schema = 1\nhome.persist = [\n  \"a\", # one\n  \"b\", # two\n]\n",
        "schema = 1\nhome.persist = [\n  \"a\", # one\n  \"b\" # two\n]\n",
    ] {
        let mut document = Document::read(text, "/home/ada").unwrap();
        document.add("home.persist", Value::from("c"));
        let lines: Vec<String> = document.text().lines().map(str::to_owned).collect();
        assert_eq!(lines[2..], ["  \"a\", # one", "  \"b\", # two", "  \"c\",", "]"], "{text}");
    }
}

#[test]
fn an_entry_that_goes_leaves_the_comments() {
    let mut document = own();
    assert!(document.remove("filesystem.read", &Value::from("/home/ada/Scans")));
    let (gone, added) = changes(&document);
    assert_eq!((gone, added), (vec!["    \"~/Scans\",".to_owned()], vec![]), "{}", document.text());
    assert!(document.remove("filesystem.read", &Value::from("/srv/data")));
    assert!(document.remove("filesystem.read", &Value::from("~/Papers")));
    let text = document.text();
    assert!(!document.states("filesystem.read"), "{text}");
    for comment in ["# letters", "# scans come here"] {
        // They went with the list that held them and nothing else.
        assert!(!text.contains(comment), "{text}");
    }
    let mut document = Document::read("schema = 1\nx.y = ['a', 'b', 'c']\n", "").unwrap();
    assert!(document.remove("x.y", &Value::from("a")));
    assert!(document.remove("x.y", &Value::from("c")));
    assert_eq!(document.text(), "schema = 1\nx.y = ['b']\n");
}

#[test]
fn what_is_unset_leaves_what_was_written_about_it() {
    let mut document = own();
    assert!(document.unset("network.mode"));
    let (gone, _) = changes(&document);
    assert_eq!(gone, ["mode = \"none\""]);
    assert!(document.unset("network.connect"));
    let text = document.text();
    // The header has a comment above it, so it stays.
    assert!(text.contains("# Only at home.\n[network]\n"), "{text}");
    assert!(text.contains("# The office has a proxy.\n"), "{text}");
    assert!(document.unset("filesystem"));
    let text = document.text();
    assert!(!text.contains("[filesystem]"), "{text}");
    assert!(text.contains("# At the end."), "{text}");
    let mut document = own();
    assert!(document.unset("network"));
    let text = document.text();
    for comment in ["# Only at home.", "# The office has a proxy."] {
        assert!(text.contains(comment), "{text}");
    }
    assert!(!text.contains("[network]"), "{text}");
}

#[test]
fn an_empty_table_goes_with_its_last_key() {
    let text = "schema = 1\n\n[audio]\nplayback = true\n\n[bus.session]\ntalk = ['a.b']\n";
    let mut document = Document::read(text, "").unwrap();
    assert!(document.unset("audio.playback"));
    assert!(document.remove("bus.session.talk", &Value::from("a.b")));
    assert_eq!(document.text(), "schema = 1\n");
}

#[test]
fn an_emptied_list_is_reset_when_something_is_added() {
    let text = "schema = 1\n[devices]\nallow = []\n[filesystem]\ndeny = []\n";
    let mut document = Document::read(text, "").unwrap();
    document.add("devices.allow", Value::from("gpu"));
    document.add("filesystem.deny", Value::from("~/x"));
    let want = "schema = 1\nreset = [\"devices.allow\"]\n[devices]\nallow = [\"gpu\"]\n\
                [filesystem]\ndeny = [\"~/x\"]\n";
    assert_eq!(document.text(), want);
    // Unsetting the key takes the reset along.
    assert!(document.unset("devices.allow"));
    assert_eq!(document.text(), "schema = 1\n[filesystem]\ndeny = [\"~/x\"]\n");
}

#[test]
fn other_ways_of_writing_are_kept() {
    let text = "schema = 1\nnetwork.mode = 'none'\naudio = { playback = true }\n";
    let mut document = Document::read(text, "").unwrap();
    document.set("network.connect", value("network.connect", "443,80").unwrap());
    document.set("audio.record", Value::from(false));
    document.set_part("environment.set", "A", "1");
    document.set_part("environment.set", "B", "2");
    document.set_part("environment.set", "A", "3");
    let text = document.text();
    assert!(text.contains("network.connect = [443, 80]\n"), "{text}");
    assert!(text.contains("audio = { playback = true, record = false }\n"), "{text}");
    assert!(text.contains("[environment]\nset = { A = \"3\", B = \"2\" }\n"), "{text}");
    assert!(document.remove_part("environment.set", "A"));
    assert!(!document.remove_part("environment.set", "A"));
    assert!(document.remove_part("environment.set", "B"));
    assert!(!document.text().contains("environment"), "{}", document.text());
    let text = "schema = 1\n[environment.set]\n# why\nA = '1'\n";
    let mut document = Document::read(text, "").unwrap();
    document.set_part("environment.set", "B", "2");
    assert_eq!(document.text(), format!("{text}B = \"2\"\n"));
    assert!(document.unset("environment.set"));
    assert!(document.text().contains("# why"), "{}", document.text());
}

/// What a person or a command may do to a document.
#[derive(Debug, Clone)]
enum Act {
    Set(&'static str, bool),
    Add(&'static str, u8),
    Remove(&'static str, u8),
    Unset(&'static str),
}

fn act() -> impl Strategy<Value = Act> {
    let flags =
        || proptest::sample::select(vec!["audio.playback", "display.wayland", "agents.gpg"]);
    let lists = || proptest::sample::select(vec!["home.persist", "bus.session.own", "desktop"]);
    let all = || {
        proptest::sample::select(vec![
            "audio.playback",
            "audio",
            "home.persist",
            "bus",
            "bus.session.own",
            "desktop",
            "home",
        ])
    };
    prop_oneof![
        (flags(), any::<bool>()).prop_map(|(key, on)| Act::Set(key, on)),
        (lists(), 0u8..4).prop_map(|(key, entry)| Act::Add(key, entry)),
        (lists(), 0u8..4).prop_map(|(key, entry)| Act::Remove(key, entry)),
        all().prop_map(Act::Unset),
    ]
}

const ODD: &[&str] = &[
    "# top\nschema = 1\n",
    "schema = 1\n# end",
    "schema = 1\n\n# one\n[audio]\n# two\nplayback = true # three\n# four\n[home]\n# five\nkind = 'private'\n",
    "schema = 1\ndesktop = [ # a\n 'e0', # b\n # c\n 'e1' # d\n # e\n]\n# f\n[bus.session]\n# g\nown = ['e1','e2']\n# h\n",
    "schema=1\nbus.session.own=['e0' , 'e1']\n# x\naudio = {playback=false}\n",
    "schema = 1\r\n# dos\r\n[audio]\r\nplayback = false\r\n",
    "schema = 1\n# w\nbus = { session = { own = ['e1'] } }\n# v\n[environment.set]\n# u\nA = 'x'\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is done: the text stays TOML, says what was stated, loses no
    /// comment that stands on a line of its own, and doing it again changes
    /// nothing.
    #[test]
    fn edits_keep_what_is_not_theirs(
        start in proptest::sample::select(ODD),
        acts in proptest::collection::vec(act(), 1..8),
    ) {
        let mut document = Document::read(start, "/home/ada").unwrap();
        for act in acts {
            let before = document.text();
            let entry = |n: u8| Value::from(format!("e{n}"));
            let run = |document: &mut Document| match &act {
                Act::Set(key, on) => document.set(key, Value::from(*on)),
                Act::Add(key, n) => document.add(key, entry(*n)),
                Act::Remove(key, n) => { document.remove(key, &entry(*n)); }
                Act::Unset(key) => { document.unset(key); }
            };
            run(&mut document);
            let text = document.text();
            let read = Document::read(&text, "/home/ada");
            prop_assert!(read.is_ok(), "{act:?}\n{before}\n---\n{text}");
            document = read.unwrap();
            match &act {
                Act::Set(key, on) => {
                    let value = document.item(key).and_then(Item::as_bool);
                    prop_assert_eq!(value, Some(*on), "{}", text);
                }
                Act::Add(key, n) => prop_assert!(document.has(key, &entry(*n)), "{text}"),
                Act::Remove(key, n) => prop_assert!(!document.has(key, &entry(*n)), "{text}"),
                Act::Unset(key) => prop_assert!(!document.states(key), "{key}\n{text}"),
            }
            for line in before.lines().filter(|line| line.starts_with('#')) {
                prop_assert!(text.contains(line.trim_end()), "{act:?}\n{before}\n---\n{text}");
            }
            run(&mut document);
            prop_assert_eq!(&document.text(), &text);
        }
    }
}
