//! An answer of `pinfold explain`.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::explain::{Answer, May};
use crate::model::origin::{Layer, Origin};
use crate::report::escape::safe;

use super::layout::wrapped;

/// The version of the shape that [`json()`] gives.
pub const VERSION: u32 = 1;

/// As wide as the widest word at the side.
const SIDE: usize = 12;

/// An answer as lines of about `width` columns. It holds colours: print it
/// through `anstream`.
pub fn text(answer: &Answer, width: usize) -> String {
    let mut out = head(answer);
    let mut side = |word: &str, text: &str| {
        let room = width.saturating_sub(SIDE + 2).max(30);
        for (number, piece) in wrapped(&safe(text), room).into_iter().enumerate() {
            let word = if number == 0 { word } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {word:SIDE$}{piece}");
        }
    };
    for limit in &answer.limits {
        side("", limit);
    }
    for origin in &answer.decided {
        side("decided by", &place(origin));
    }
    for origin in &answer.shadowed {
        side("overrules", &place(origin));
    }
    for lock in &answer.locks {
        side("held by", &format!("{}: {}", lock.by, lock.how));
    }
    for change in &answer.change {
        side("change", change);
    }
    out
}

/// The first line of an answer.
pub fn head(answer: &Answer) -> String {
    let colour = match answer.may {
        May::Yes => AnsiColor::Green,
        May::Partly => AnsiColor::Yellow,
        May::No => AnsiColor::Red,
    };
    let style = colour.on_default().bold();
    let bold = Style::new().bold();
    format!(
        "{bold}{}{bold:#}: {style}{}{style:#}, {}\n",
        safe(&answer.question),
        answer.may.word(),
        safe(&answer.sentence)
    )
}

fn place(origin: &Origin) -> String {
    match (origin.layer, origin.line) {
        (Layer::Builtin, 0) => format!("Pinfold itself ({})", origin.file),
        (Layer::CommandLine, 0) => format!("the flag {}", origin.file),
        _ => origin.to_string(),
    }
}

/// As JSON:
///
/// ```text
/// { "version": 1, "app": ID, "answers": [{ "question": TEXT, "may": MAY,
///   "sentence": TEXT, "limits": [TEXT],
///   "rights": { "source": PATH, "write": BOOL, "exec": BOOL } or null,
///   "decided": [ORIGIN], "shadowed": [ORIGIN],
///   "locks": [{ "by": LAYER, "how": TEXT }], "change": [TEXT] }] }
/// ```
///
/// MAY is `yes`, `partly` or `no`; LAYER `mounts`, `landlock`, `seccomp`, `bus
/// filter` or `network namespace`. The texts are for people and may change.
pub fn json(app: &str, answers: &[Answer]) -> Value {
    let safe_all =
        |texts: &[String]| texts.iter().map(|text| safe(text).into_owned()).collect::<Vec<_>>();
    let origins = |origins: &[Origin]| {
        origins
            .iter()
            .map(|origin| Origin { file: safe(&origin.file).into(), ..origin.clone() })
            .collect::<Vec<_>>()
    };
    let answers: Vec<Value> = answers
        .iter()
        .map(|answer| {
            json!({
                "question": safe(&answer.question),
                "may": answer.may,
                "sentence": safe(&answer.sentence),
                "limits": safe_all(&answer.limits),
                "rights": answer.rights.as_ref().map(|rights| json!({
                    "source": safe(rights.source.as_str()),
                    "write": rights.write,
                    "exec": rights.exec,
                })),
                "decided": origins(&answer.decided),
                "shadowed": origins(&answer.shadowed),
                "locks": answer.locks.iter().map(|lock| json!({
                    "by": lock.by,
                    "how": safe(&lock.how),
                })).collect::<Vec<_>>(),
                "change": safe_all(&answer.change),
            })
        })
        .collect();
    json!({ "version": VERSION, "app": safe(app), "answers": answers })
}
