use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use proptest::prelude::*;

use super::*;
use crate::manifest::parse;
use crate::model::origin::Layer;

/// The schema, compiled by somebody else's program.
struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    fn new(schema: Value) -> Judge {
        let mut schemas = Schemas::new();
        let mut compiler = Compiler::new();
        compiler.add_resource("manifest.json", schema).unwrap();
        let index = compiler.compile("manifest.json", &mut schemas).unwrap();
        Judge { schemas, index }
    }

    fn judge(&self, value: &Value) -> Result<(), String> {
        self.schemas.validate(value, self.index).map_err(|error| format!("{error:#}"))
    }

    /// What is wrong with a text, which has to be TOML.
    fn text(&self, text: &str) -> Result<(), String> {
        let table: toml::Table = toml::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        self.judge(&serde_json::to_value(table).unwrap())
    }
}

fn checkout() -> PathBuf {
    let carried = std::env::var_os("PINFOLD_SRC").map(PathBuf::from);
    carried.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).to_owned())
}

/// A value as TOML writes it on one line.
fn as_toml(value: &Value) -> String {
    match value {
        Value::String(text) => toml_edit::Value::from(text.as_str()).to_string(),
        Value::Array(all) => {
            format!("[{}]", all.iter().map(as_toml).collect::<Vec<_>>().join(", "))
        }
        Value::Object(all) => {
            let all = all.iter().map(|(name, value)| format!("{name} = {}", as_toml(value)));
            format!("{{ {} }}", all.collect::<Vec<_>>().join(", "))
        }
        plain => plain.to_string(),
    }
}

/// What the parser thinks of a text; `lock` and `reset` are the user's.
fn parses(text: &str) -> bool {
    parse(text.as_bytes(), "f", Layer::User).is_ok()
}

#[test]
fn every_table_and_key_has_its_sentence() {
    let told: Vec<&str> = about::KEYS.iter().map(|row| row.0).collect();
    let keys: Vec<String> = KEYS.iter().map(Key::full).collect();
    assert_eq!(told, keys, "as the grammar has them, in its order");
    let told: BTreeSet<&str> = about::TABLES.iter().map(|row| row.0).collect();
    assert_eq!(told, TABLES.iter().copied().collect());
    let texts = about::KEYS.iter().map(|row| row.1).chain(about::TABLES.iter().map(|row| row.1));
    for text in texts {
        assert!(text.ends_with('.'), "{text}");
    }
}

#[test]
fn examples_are_right() {
    for (full, _, example) in about::KEYS {
        let value: Value = serde_json::from_str(example).unwrap_or_else(|e| panic!("{full}: {e}"));
        let toml = as_toml(&value);
        let text = match full.rsplit_once('.') {
            _ if *full == "schema" => format!("schema = {toml}"),
            Some((table, name)) => format!("schema = 1\n[{table}]\n{name} = {toml}"),
            None => format!("schema = 1\n{full} = {toml}"),
        };
        let judged = Judge::new(schema()).text(&text);
        assert!(judged.is_ok(), "{text}: {judged:?}");
        let parsed = parse(text.as_bytes(), "f", Layer::User);
        assert!(parsed.is_ok(), "{text}: {parsed:?}");
    }
}

#[test]
fn the_shipped_schema_is_current() {
    let place = checkout().join("manifests/manifest.schema.json");
    let text = format!("{:#}\n", schema());
    if std::env::var_os("PINFOLD_BLESS").is_some() {
        std::fs::write(&place, &text).unwrap();
    }
    let shipped = std::fs::read_to_string(&place).unwrap_or_default();
    assert!(shipped == text, "write it anew: pinfold schema > {}", place.display());
}

#[test]
fn shipped_manifests_are_valid_and_name_the_schema() {
    let judge = Judge::new(schema());
    let mut count = 0;
    for (folder, directive) in [
        ("manifests", "#:schema ./manifest.schema.json\n"),
        ("manifests/base", "#:schema ../manifest.schema.json\n"),
    ] {
        for entry in std::fs::read_dir(checkout().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "toml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let judged = judge.text(&text);
            assert!(judged.is_ok(), "{}: {judged:?}", path.display());
            assert!(text.starts_with(directive), "{}", path.display());
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}

/// Texts that both refuse: all that a schema can say.
#[rustfmt::skip]
const WRONG: &[&str] = &[
    // Keys.
    "", "schema = 2", "schema = '1'", "schema = 1\nxyzzy = 1", "schema = 1\n[filesytem]",
    "schema = 1\n[home]\nkidn = 'private'", "schema = 1\n[bus]\ntalk = []",
    "schema = 1\n[filesystem]\nread = [{ path = '~', requird = true }]",
    "schema = 1\n[filesystem]\nread = [{ required = true }]",
    "schema = 1\n[agents]\nssh = { key = [] }", "schema = 1\n[when]\ndesktp = 'gnome'",
    // Types.
    "schema = 1\nname = 1", "schema = 1\ncommand = 'evince'", "schema = 1\ncommand = [1]",
    "schema = 1\n[audio]\nplayback = 'true'", "schema = 1\n[audio]\nplayback = 1979-05-27",
    "schema = 1\nnice = 1.5", "schema = 1\ntimeout = true", "schema = 1\nnetwork = 'none'",
    "schema = 1\n[[home]]", "schema = 1\n[filesystem]\ndeny = [{ path = '~' }]",
    "schema = 1\n[filesystem]\nread = [true]", "schema = 1\n[environment]\nset = { A = 1 }",
    "schema = 1\nwhen = 1", "schema = 1\n[agents]\nssh = 'x'", "schema = 1\n[limits]\nmemory = 1.5",
    // Values.
    "schema = 1\nid = 'evince'", "schema = 1\nid = 'a.b.c/../d'", "schema = 1\nid = 'a.1b.c'",
    "schema = 1\nname = ' '", "schema = 1\nname = \"a\\u001b[31m\"", "schema = 1\ncommand = []",
    "schema = 1\ncommand = ['', 'x']", "schema = 1\ncommand = ['a', \"b\\u0007\"]",
    "schema = 1\n[environment]\nset = { 1A = '' }", "schema = 1\n[environment]\npass = ['*']",
    "schema = 1\ndesktop = ['x']", "schema = 1\ndesktop = ['a/b.desktop']",
    "schema = 1\nextends = ['../x']", "schema = 1\nhostname = 'a b'", "schema = 1\nnice = 20",
    "schema = 1\noom-score = -1001", "schema = 1\ntimeout = '5 m'", "schema = 1\ntimeout = '0s'",
    "schema = 1\ntimeout = 0", "schema = 1\nlandlock = 'bset'",
    "schema = 1\n[display]\nx11 = 'falback'", "schema = 1\n[devices]\nallow = ['gpu', 'cam']",
    "schema = 1\n[network]\nconnect = [0]", "schema = 1\n[network]\nconnect = [65536]",
    "schema = 1\n[home]\npersist = ['/x']", "schema = 1\n[home]\npersist = ['~/x']",
    "schema = 1\n[home]\npersist = ['a/../b']", "schema = 1\n[home]\npersist = ['a/*']",
    "schema = 1\n[bus.session]\ntalk = [':1.2']", "schema = 1\n[bus.session]\ntalk = ['one']",
    "schema = 1\n[bus.session]\ncall = ['a.b']", "schema = 1\n[bus.session]\nservices = ['teapot']",
    "schema = 1\n[portals]\nallow = ['file-choser']", "schema = 1\n[filesystem]\nread = ['x']",
    "schema = 1\n[filesystem]\nread = ['']", "schema = 1\n[filesystem]\nread = ['~root/x']",
    "schema = 1\n[filesystem]\nread = ['xdg-nothing']", "schema = 1\n[filesystem]\nread = ['~/..']",
    "schema = 1\n[filesystem]\nread = ['/a//b']", "schema = 1\n[filesystem]\nread = ['~/./x']",
    "schema = 1\n[agents]\nssh = { keys = [] }", "schema = 1\n[agents]\nssh = { keys = ['MD5:a'] }",
    "schema = 1\n[limits]\nmemory = 0", "schema = 1\n[limits]\nmemory = '0G'",
    "schema = 1\n[limits]\nmemory = '2GB'", "schema = 1\n[limits]\ncpu = '150'",
    "schema = 1\n[limits]\ncpu = 150", "schema = 1\n[limits]\ntasks = 0",
    "schema = 1\n[limits]\nio-weight = 10001", "schema = 1\nlock = ['network.mod']",
    "schema = 1\nlock = ['id']", "schema = 1\nreset = ['when.host']",
    "schema = 1\n[when]\ndisplay = 'windows'", "schema = 1\n[when]\ndesktop = 'GNOME'",
    "schema = 1\n[when]\nhost = []", "schema = 1\n[when]\nuser = ['root', 'me']",
];

#[test]
fn what_is_wrong_is_refused_by_both() {
    let judge = Judge::new(schema());
    for text in WRONG {
        assert!(judge.text(text).is_err(), "the schema takes {text:?}");
        assert!(!parses(text), "the parser takes {text:?}");
    }
}

/// Values as people might write them, right ones and wrong ones.
fn scraps() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(vec![
        "~",
        "~/a",
        "/",
        "/srv/x",
        "xdg-documents/a",
        "base/gtk",
        "a.b.c",
        "a.b.*",
        "a.b=c.d.*",
        "gpu",
        "none",
        "host",
        "private",
        "file-chooser",
        "tray",
        "2G",
        "0",
        "50%",
        "30s",
        "LC_*",
        "A",
        "a.desktop",
        ".config/x",
        "",
        "x y",
        "best",
        "gnome",
        "root",
        "network",
        "..",
        "ä",
    ]);
    let text = prop_oneof![word.prop_map(str::to_owned), "[ -~]{0,9}", "\\PC{0,4}"];
    let text = text.prop_map(|text| as_toml(&Value::String(text)));
    let plain = prop_oneof![
        text,
        prop_oneof![
            -2i64..70000,
            proptest::sample::select(vec![
                -1000,
                -20,
                0,
                1,
                19,
                80,
                1000,
                10_000,
                65_535,
                u32::MAX.into()
            ]),
        ]
        .prop_map(|n| n.to_string()),
        any::<bool>().prop_map(|b| b.to_string())
    ];
    let list = proptest::collection::vec(plain.clone(), 0..3);
    let named = proptest::collection::vec(("[A-Za-z]{1,8}", plain.clone()), 0..3);
    prop_oneof![
        plain,
        list.prop_map(|list| format!("[{}]", list.join(", "))),
        named.prop_map(|named| {
            let mut seen = BTreeSet::new();
            let named = named.into_iter().filter(|(name, _)| seen.insert(name.clone()));
            let named: Vec<String> = named.map(|(name, v)| format!("{name} = {v}")).collect();
            format!("{{ {} }}", named.join(", "))
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// An editor must not underline what is right.
    #[test]
    fn the_schema_takes_what_the_parser_takes(scraps in proptest::collection::vec(scraps(), KEYS.len())) {
        let judge = Judge::new(schema());
        for (key, scrap) in KEYS.iter().zip(scraps) {
            let text = match key.table {
                "" if key.name == "schema" => format!("schema = {scrap}"),
                "" => format!("schema = 1\n{} = {scrap}", key.name),
                table => format!("schema = 1\n[{table}]\n{} = {scrap}", key.name),
            };
            if parses(&text) {
                prop_assert_eq!(judge.text(&text), Ok(()), "{}", text);
            }
        }
    }
}
