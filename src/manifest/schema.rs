//! The grammar as a JSON Schema, for editors.
//!
//! Draft 7, since that is what editors of TOML know. It never refuses what
//! the parser takes; of what the parser refuses it says what a schema can
//! say.

use serde_json::{Map, Value, json};

use crate::model::path::PathExpr;

use super::about;
use super::keys::{KEYS, Key, TABLES, nameable};
use super::shape::{Form, Shape};

/// What no text may have.
const CONTROL: &str = "[\\u0000-\\u001f\\u007f-\\u009f]";

/// The schema of manifest files.
pub fn schema() -> Value {
    let mut root = table("");
    root.insert("required".to_owned(), json!(["schema"]));
    let mut all = Map::new();
    let head = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Pinfold manifest",
        "description": "What a desktop application may do. What is not named is not granted.",
    });
    for part in [head, Value::Object(root)] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    Value::Object(all)
}

/// A table with its keys and the tables in it.
fn table(full: &str) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in KEYS.iter().filter(|key| key.table == full) {
        properties.insert(key.name.to_owned(), Value::Object(statement(key)));
    }
    for inner in TABLES {
        let (holder, name) = inner.rsplit_once('.').unwrap_or(("", inner));
        if holder == full {
            let mut value = table(inner);
            describe(&mut value, about::TABLES.iter().find(|row| row.0 == *inner).map(|row| row.1));
            properties.insert(name.to_owned(), Value::Object(value));
        }
    }
    let mut all = Map::new();
    all.insert("type".to_owned(), json!("object"));
    all.insert("additionalProperties".to_owned(), json!(false));
    all.insert("properties".to_owned(), Value::Object(properties));
    all
}

fn describe(value: &mut Map<String, Value>, text: Option<&str>) {
    value.insert("description".to_owned(), json!(text.unwrap_or_default()));
}

/// A key: its value, with a sentence and an example.
fn statement(key: &Key) -> Map<String, Value> {
    let mut all = match value(key.shape) {
        Value::Object(all) => all,
        _ => Map::new(),
    };
    let full = key.full();
    if let Some((_, text, example)) = about::KEYS.iter().find(|row| row.0 == full) {
        describe(&mut all, Some(text));
        let example: Value = serde_json::from_str(example).unwrap_or_default();
        all.insert("examples".to_owned(), json!([example]));
    }
    all
}

fn value(shape: Shape) -> Value {
    match shape {
        Shape::Schema => json!({ "const": 1 }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Number(least, most) => number(least, most),
        Shape::Duration => json!({ "anyOf": [
            number(1, u32::MAX.into()),
            text_like("^0*[1-9][0-9]*[smh]$"),
        ] }),
        Shape::Text(form) => text(form),
        Shape::Word(words) => json!({ "enum": words() }),
        Shape::Texts(form) => list(&text(form)),
        Shape::List(words) => list(&json!({ "enum": words() })),
        Shape::Command => json!({
            "type": "array",
            "minItems": 1,
            // The first names a program; arguments may be empty.
            "items": [{ "allOf": [text(Form::Plain), { "minLength": 1 }] }],
            "additionalItems": text(Form::Plain),
        }),
        Shape::Paths => list(&path()),
        Shape::Grants => list(&json!({ "anyOf": [
            path(),
            {
                "type": "object",
                "required": ["path"],
                "additionalProperties": false,
                "properties": {
                    "path": path(),
                    "required": {
                        "type": "boolean",
                        "description": "Whether not to start where the path is missing.",
                    },
                    "exec": {
                        "type": "boolean",
                        "description": "Whether programs in it can be executed.",
                    },
                },
            },
        ] })),
        Shape::Ports => list(&number(1, 65535)),
        Shape::Named(form) => json!({
            "type": "object",
            "propertyNames": text(form),
            "additionalProperties": text(Form::Plain),
        }),
        Shape::SshAgent => json!({ "anyOf": [
            { "type": "boolean" },
            {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "keys": {
                        "type": "array",
                        "minItems": 1,
                        "items": text_like("^SHA256:[A-Za-z0-9+/]{43}$"),
                        "description": "Fingerprints, as `ssh-add -l` prints them.",
                    },
                    "confirm": {
                        "type": "boolean",
                        "description": "Whether each use is asked for.",
                    },
                },
            },
        ] }),
        Shape::Size(least) => {
            let digits = if least > 0 { "0*[1-9][0-9]*" } else { "[0-9]+" };
            json!({ "anyOf": [
                { "type": "integer", "minimum": least },
                text_like(&format!("^{digits}[KMGT]?$")),
            ] })
        }
        Shape::Share => text_like("^0*[1-9][0-9]*%$"),
        Shape::Amount(most) => {
            json!({ "anyOf": [number(1, most), text_like("^0*[1-9][0-9]*$")] })
        }
        Shape::Keys => list(&json!({ "enum": nameable() })),
        Shape::Answer(form) => answer(&text(form)),
        Shape::AnswerOf(words) => answer(&json!({ "enum": words() })),
    }
}

fn number(least: i64, most: i64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

fn list(item: &Value) -> Value {
    json!({ "type": "array", "items": item })
}

fn answer(one: &Value) -> Value {
    json!({ "anyOf": [one, { "type": "array", "minItems": 1, "items": one }] })
}

fn text_like(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn text(form: Form) -> Value {
    let name = "[A-Za-z_-][A-Za-z0-9_-]*";
    match form {
        Form::Plain => json!({ "type": "string", "not": { "pattern": CONTROL } }),
        Form::NotEmpty => {
            json!({ "type": "string", "pattern": "\\S", "not": { "pattern": CONTROL } })
        }
        Form::AppId => text_like(
            "^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z_][A-Za-z0-9_]*)+\\.[A-Za-z_-][A-Za-z0-9_-]*$",
        ),
        Form::DesktopEntry => text_like("^[^./][^/]*\\.desktop$"),
        Form::Preset => text_like("^base/[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"),
        Form::HostName => text_like("^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$"),
        Form::BeneathHome => json!({
            "type": "string",
            "pattern": "^[^/]",
            "not": { "pattern": format!("^~(/|$)|(^|/)\\.\\.?(/|$)|//|[*?]|{CONTROL}") },
        }),
        Form::BusName => text_like(&format!("^{name}(\\.{name})+(\\.\\*)?$")),
        Form::BusRule => text_like(&format!("^{name}(\\.{name})+(\\.\\*)?=")),
        Form::Variable => text_like("^[A-Za-z_][A-Za-z0-9_]*$"),
        Form::Variables => text_like("^[A-Za-z_][A-Za-z0-9_]*\\*?$"),
        Form::LowerWord => text_like("^[a-z]([a-z0-9-]*[a-z0-9])?$"),
    }
}

/// A path that starts where paths can start and does not go up.
fn path() -> Value {
    let heads: Vec<&str> = PathExpr::heads().collect();
    json!({
        "type": "string",
        "pattern": format!("^(/|({})(/|$))", heads.join("|")),
        "not": { "pattern": format!("(^|/)\\.\\.?(/|$)|//|{CONTROL}") },
    })
}

#[cfg(test)]
mod tests;
