//! The manifest that is written: statements with the lines of the source that
//! they come from, and their text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::manifest::parse;
use crate::model::app_id::AppId;
use crate::model::origin::Layer;
use crate::report::escape;

use super::report::Place;

/// The keys that an import can state, in the order in which they are written.
const KEYS: [&str; 36] = [
    "name",
    "command",
    "hostname",
    "nice",
    "timeout",
    "home.kind",
    "filesystem.read",
    "filesystem.write",
    "filesystem.create",
    "filesystem.deny",
    "display.wayland",
    "display.x11",
    "audio.playback",
    "audio.record",
    "devices.allow",
    "network.mode",
    "network.connect",
    "network.listen",
    "bus.session.see",
    "bus.session.talk",
    "bus.session.own",
    "bus.session.call",
    "bus.session.services",
    "bus.system.see",
    "bus.system.talk",
    "bus.system.own",
    "bus.system.call",
    "portals.allow",
    "accessibility.enabled",
    "environment.pass",
    "environment.set",
    "syscalls.nested",
    "syscalls.allow",
    "limits.open-files",
    "limits.file-size",
    "limits.tasks",
];

/// Lists of more entries than this that are not read one by one are written
/// many to a line.
const LONG: usize = 24;

/// A statement: the value as TOML, and the lines that it comes from.
#[derive(Debug, Clone)]
struct Stated {
    value: String,
    places: Vec<Place>,
}

/// What is stated under one key.
#[derive(Debug, Clone)]
enum Value {
    One(Stated),
    List(Vec<Stated>),
    Named(BTreeMap<String, Stated>),
}

/// A manifest under construction.
#[derive(Debug, Default)]
pub struct Draft {
    values: BTreeMap<&'static str, Value>,
}

/// A text as a TOML string in which nothing is hidden.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Writing to a String cannot fail.
            c if escape::is_hostile(c) => drop(write!(out, "\\U{:08x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether the manifest's grammar takes a value, and if not, why.
///
/// # Errors
/// The grammar's reason.
pub fn check(key: &'static str, value: &str, is_list: bool) -> Result<(), String> {
    let value = if is_list { format!("[{value}]") } else { value.to_owned() };
    let text = format!("schema = 1\n{key} = {value}\n");
    match parse(text.as_bytes(), "import", Layer::Vendor) {
        Ok(_) => Ok(()),
        Err(reports) => Err(reports.into_iter().next().map_or_else(String::new, |report| {
            let remark = report.labels.into_iter().map(|label| label.text).find(|t| !t.is_empty());
            remark.unwrap_or(report.message)
        })),
    }
}

impl Draft {
    /// States a key that has one value; a later statement takes its place.
    pub fn set(&mut self, key: &'static str, value: impl Into<String>, place: &Place) {
        debug_assert!(KEYS.contains(&key), "{key}");
        let stated = Stated { value: value.into(), places: vec![place.clone()] };
        self.values.insert(key, Value::One(stated));
    }

    /// Whether a key is stated.
    pub fn states(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// How many entries a list has.
    pub fn length(&self, key: &str) -> usize {
        if let Some(Value::List(list)) = self.values.get(key) { list.len() } else { 0 }
    }

    /// States a list as empty, unless it has entries.
    pub fn empty(&mut self, key: &'static str) {
        self.values.entry(key).or_insert_with(|| Value::List(Vec::new()));
    }

    /// Adds an entry to a list; one that is there already gets a further line.
    pub fn push(&mut self, key: &'static str, value: impl Into<String>, place: &Place) {
        debug_assert!(KEYS.contains(&key), "{key}");
        let value = value.into();
        let entry = self.values.entry(key).or_insert_with(|| Value::List(Vec::new()));
        let Value::List(list) = entry else { return };
        match list.iter_mut().find(|stated| stated.value == value) {
            Some(stated) if stated.places.contains(place) => {}
            Some(stated) => stated.places.push(place.clone()),
            None => list.push(Stated { value, places: vec![place.clone()] }),
        }
    }

    /// Adds a named value.
    pub fn name(&mut self, key: &'static str, name: &str, value: String, place: &Place) {
        let entry = self.values.entry(key).or_insert_with(|| Value::Named(BTreeMap::new()));
        let Value::Named(map) = entry else { return };
        map.insert(name.to_owned(), Stated { value, places: vec![place.clone()] });
    }

    /// The entries of all lists, for a draft that is only part of another.
    pub fn into_lists(self) -> impl Iterator<Item = (&'static str, String)> {
        self.values.into_iter().flat_map(|(key, value)| {
            let list = if let Value::List(list) = value { list } else { Vec::new() };
            list.into_iter().map(move |stated| (key, stated.value))
        })
    }

    /// The manifest's text.
    pub fn text(&self, id: &AppId, head: &[String]) -> String {
        let mut out = String::new();
        for line in head {
            let _ = writeln!(out, "# {}", escape::safe(line));
        }
        let _ = writeln!(out, "schema = 1\nid = {}", quoted(id.as_str()));
        let mut table = "";
        for key in KEYS {
            let Some(value) = self.values.get(key) else { continue };
            let (of, name) = key.rsplit_once('.').unwrap_or(("", key));
            if let Value::Named(map) = value {
                let _ = writeln!(out, "\n[{key}]");
                table = key;
                for (name, stated) in map {
                    let _ = writeln!(out, "{name} = {}{}", stated.value, stated.comment());
                }
                continue;
            }
            if of != table {
                let _ = writeln!(out, "\n[{of}]");
                table = of;
            }
            match value {
                Value::One(stated) => {
                    let _ = writeln!(out, "{name} = {}{}", stated.value, stated.comment());
                }
                Value::List(list) if list.is_empty() => {
                    let _ = writeln!(out, "{name} = []");
                }
                Value::List(list) => {
                    let _ = writeln!(out, "{name} = [");
                    if list.len() > LONG && matches!(name, "deny" | "allow") {
                        packed(&mut out, list);
                    } else {
                        for stated in list {
                            let _ = writeln!(out, "    {},{}", stated.value, stated.comment());
                        }
                    }
                    out.push_str("]\n");
                }
                Value::Named(_) => {}
            }
        }
        out
    }
}

impl Stated {
    fn comment(&self) -> String {
        let places: Vec<String> = self.places.iter().take(3).map(Place::short).collect();
        let more = if self.places.len() > 3 { ", ..." } else { "" };
        format!("  # {}{more}", escape::safe(&places.join(", ")))
    }
}

/// Writes a long list, what comes from one file together.
fn packed(out: &mut String, list: &[Stated]) {
    let file = |stated: &Stated| stated.places[0].file.clone();
    for group in list.chunk_by(|a, b| file(a) == file(b)) {
        let lines = group.iter().map(|stated| stated.places[0].line);
        let (first, last) = (lines.clone().min().unwrap_or(0), lines.max().unwrap_or(0));
        let mut name = Place { file: file(&group[0]), line: first }.short();
        if first != last {
            let _ = write!(name, "-{last}");
        }
        let _ = write!(out, "    # {}", escape::safe(&name));
        let mut width = usize::MAX;
        for stated in group {
            if width > 90 {
                out.push_str("\n   ");
                width = 0;
            }
            let _ = write!(out, " {},", stated.value);
            width += stated.value.len() + 2;
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn place(line: u32) -> Place {
        Place { file: Arc::from("/x/one.profile"), line }
    }

    #[test]
    fn strings_are_toml_and_hide_nothing() {
        let evil = "a\"b\\c\nd\u{202e}e\u{1b}\u{7f}\u{e0041}\t";
        let text = quoted(evil);
        assert!(!text.contains(escape::is_hostile), "{text}");
        let table: toml::Table = toml::from_str(&format!("x = {text}")).unwrap();
        assert_eq!(table["x"].as_str(), Some(evil));
    }

    #[test]
    fn text_parses_and_names_lines() {
        let mut draft = Draft::default();
        draft.set("network.mode", "\"host\"", &place(7));
        draft.push("filesystem.read", "\"~/a\"", &place(2));
        draft.push("filesystem.read", "\"~/a\"", &place(3));
        draft.name("environment.set", "A", "\"1\"".to_owned(), &place(9));
        draft.set("syscalls.nested", "\"browser\"", &place(10));
        let id: AppId = "a.b.c".parse().unwrap();
        let text = draft.text(&id, &["from \u{1b}x".to_owned()]);
        assert!(text.contains("\"~/a\",  # one.profile:2, one.profile:3\n"), "{text}");
        assert!(text.starts_with("# from \\u{1b}x\n"), "{text}");
        let manifest = parse(text.as_bytes(), "m", Layer::Vendor).unwrap();
        assert_eq!(manifest.settings.environment_set["A"].value, "1");
        assert_eq!(manifest.settings.filesystem.read.items.len(), 1);
    }

    #[test]
    fn the_grammar_is_asked() {
        assert_eq!(check("filesystem.read", "\"~/a\"", true), Ok(()));
        let why = check("filesystem.write", "\"/proc/x\"", true).unwrap_err();
        assert!(why.contains("/proc"), "{why}");
    }
}
