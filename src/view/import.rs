//! What became of an import, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::import::report::{Allows, Entry, Report, Verdict};
use crate::report::escape;

/// The longest statement that is shown whole.
const LONGEST: usize = 60;

/// The report for people. Of included files only those lines are shown that
/// do not mean the same here; the rest is counted.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let counts: Vec<String> = Verdict::ALL
        .iter()
        .map(|verdict| format!("{} {}", report.count(*verdict), verdict.word()))
        .collect();
    let _ = writeln!(out, "{}: {}", escape::safe(&report.file), counts.join(", "));
    let _ = writeln!(
        out,
        "{} of these allow less than the source, {} allow more\n",
        report.compared(Allows::Less),
        report.compared(Allows::More)
    );
    let mut passed_over = 0;
    for entry in &report.entries {
        if *entry.place.file != *report.file && entry.finding.verdict == Verdict::Exact {
            passed_over += 1;
            continue;
        }
        let place = if *entry.place.file == *report.file {
            format!("line {}", entry.place.line)
        } else {
            entry.place.short()
        };
        row(&mut out, &place, entry);
    }
    if passed_over > 0 {
        let _ = writeln!(out, "\n{passed_over} further lines of included files: exact");
    }
    if !report.unsaid.is_empty() {
        out.push_str("\nWhat no line says:\n");
        for entry in &report.unsaid {
            row(&mut out, "", entry);
        }
    }
    out
}

fn row(out: &mut String, place: &str, entry: &Entry) {
    let finding = &entry.finding;
    let allows = match finding.allows {
        Allows::Same => String::new(),
        other => format!(", allows {}", other.word()),
    };
    let safe = escape::safe(&entry.text);
    let mut shown: String = safe.chars().take(LONGEST).collect();
    if shown.len() < safe.len() {
        shown.push_str("...");
    }
    let place = match place {
        "" => String::new(),
        place => format!("{}: ", escape::safe(place)),
    };
    let _ = writeln!(out, "{place}{shown}");
    let _ =
        writeln!(out, "    {}{allows}: {}", finding.verdict.word(), escape::safe(&finding.reason));
}

/// The report for programs.
pub fn json(report: &Report, id: &str) -> Value {
    let entries = |list: &[Entry]| -> Vec<Value> { list.iter().map(entry).collect() };
    json!({
        "file": escape::safe(&report.file),
        "id": id,
        "exact": report.count(Verdict::Exact),
        "approximated": report.count(Verdict::Approximated),
        "dropped": report.count(Verdict::Dropped),
        "less": report.compared(Allows::Less),
        "more": report.compared(Allows::More),
        "lines": entries(&report.entries),
        "unsaid": entries(&report.unsaid),
    })
}

fn entry(entry: &Entry) -> Value {
    json!({
        "file": escape::safe(&entry.place.file),
        "line": entry.place.line,
        "text": escape::safe(&entry.text),
        "verdict": entry.finding.verdict.word(),
        "allows": entry.finding.allows.word(),
        "reason": escape::safe(&entry.finding.reason),
    })
}
