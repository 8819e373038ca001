//! The manifest parser: it reads any bytes without a panic, what it says of
//! them points into them and can be shown, and what it accepts merges by the
//! laws.

use pinfold::manifest::parse;
use pinfold::model::manifest::{Manifest, Settings};
use pinfold::model::origin::Layer;
use pinfold::report::{Diagnostic, Severity, escape, render};

/// Manifests of three layers, with the byte 0x1e between.
pub fn holds(bytes: &[u8]) {
    let layers = [Layer::Vendor, Layer::Admin, Layer::User];
    let mut read = Vec::new();
    for (text, layer) in bytes.splitn(3, |byte| *byte == 0x1e).zip(layers) {
        match parse(text, &format!("{layer}.toml"), layer) {
            Ok(manifest) => {
                stated(&manifest, text);
                read.push(manifest.settings);
            }
            Err(reports) => {
                let text = String::from_utf8_lossy(text);
                reports.iter().for_each(|report| shown(report, &text));
                // Where there are too many to list, the last one says so.
                let noted = usize::from(reports.len() > 1 && reports.last().is_some_and(is_note));
                let errors = &reports[..reports.len() - noted];
                assert!(!errors.is_empty() && !errors.iter().any(is_note), "{reports:?}");
            }
        }
    }
    laws(read);
}

fn is_note(report: &Diagnostic) -> bool {
    report.severity == Severity::Note
}

/// A report is about a place in this text and can be shown.
fn shown(report: &Diagnostic, text: &str) {
    assert_eq!(report.code.is_some(), report.severity == Severity::Error, "{report:?}");
    assert!(!report.labels.is_empty(), "points nowhere: {report:?}");
    for label in &report.labels {
        let line = label.origin.line as usize;
        let column = label.origin.column as usize;
        assert!((1..=text.split('\n').count()).contains(&line), "{report:?}");
        let written = text.split('\n').nth(line - 1).unwrap_or_default();
        assert!((1..=written.chars().count() + 1).contains(&column), "{report:?}");
        let Some((start, end)) = label.span else { continue };
        assert!(start <= end && end <= text.len(), "{report:?}");
        assert!(text.is_char_boundary(start) && text.is_char_boundary(end), "{report:?}");
        assert_eq!(report.source.as_deref(), Some(text));
        assert_eq!(text[..start].matches('\n').count() + 1, line, "{report:?}");
    }
    for colour in [false, true] {
        let seen = render::text(report, colour);
        let harmless = |c: char| c == '\n' || !escape::is_hostile(c) || (colour && c == '\u{1b}');
        assert!(seen.ends_with('\n') && seen.chars().all(harmless), "{seen:?}");
    }
    let json = render::json(std::slice::from_ref(report)).to_string();
    assert!(!json.contains(escape::is_hostile), "{json:?}");
}

/// What was accepted says where each value stands, and survives JSON.
fn stated(manifest: &Manifest, text: &[u8]) {
    let lines = text.split(|byte| *byte == b'\n').count() as u32;
    for (key, origin) in manifest.settings.without_effect() {
        assert!((1..=lines).contains(&origin.line), "{key} at {origin}");
    }
    let json = serde_json::to_string(manifest).expect("text");
    let again: Manifest = serde_json::from_str(&json).expect("a manifest");
    assert_eq!(again, *manifest);
}

/// Merging is associative, nothing is its neutral element, and twice the same
/// says no more than once.
fn laws(read: Vec<Settings>) {
    for one in &read {
        assert_eq!(one.clone().merge(Settings::default()), *one);
        assert_eq!(Settings::default().merge(one.clone()), *one);
        assert_eq!(values(&one.clone().merge(one.clone())), values(one));
    }
    if let [low, middle, high] = &read[..] {
        let first = low.clone().merge(middle.clone()).merge(high.clone());
        let last = low.clone().merge(middle.clone().merge(high.clone()));
        assert_eq!(first, last);
    }
    if let [low, high] = &read[..] {
        let three = low.clone().merge(high.clone()).merge(low.clone());
        assert_eq!(three, low.clone().merge(high.clone().merge(low.clone())));
        // What a layer denies stays denied, whatever is laid over it.
        let all = low.clone().merge(high.clone());
        for denied in low.filesystem.deny.values().chain(high.filesystem.deny.values()) {
            assert!(all.filesystem.deny.values().any(|one| one == denied), "{denied} is lost");
        }
    }
}

/// Settings without the places where they were stated.
fn values(settings: &Settings) -> serde_json::Value {
    fn strip(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                // A variable of the environment can be called `origin`.
                if fields.get("origin").is_some_and(|origin| origin.get("layer").is_some()) {
                    fields.remove("origin");
                    fields.remove("shadowed");
                }
                if fields.contains_key("emptied") && fields.contains_key("items") {
                    fields.insert("emptied".to_owned(), true.into());
                }
                fields.values_mut().for_each(strip);
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(settings).expect("text");
    strip(&mut value);
    value
}
