//! What `pinfold lint` found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};

use crate::lint::{Finding, Level, Verdict, rules};
use crate::model::origin::{Layer, Origin};
use crate::report::escape::safe;

use super::layout::wrapped;

/// The version of the shape that [`json`] gives.
pub const VERSION: u32 = 1;

/// Before what belongs to a finding.
const INDENT: usize = 2;

/// One application and what was found about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Linted {
    /// The application.
    pub app: String,
    /// The files that took part.
    pub files: Vec<(Layer, String)>,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

impl Linted {
    /// What all of it comes to.
    pub fn verdict(&self) -> Verdict {
        Verdict::of(&self.findings)
    }

    /// How many findings of a level are not allowed by anybody.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|one| one.allowed.is_none() && one.level == level).count()
    }
}

/// As lines of about `width` columns. It holds colours: print it through
/// `anstream`.
pub fn text(linted: &Linted, width: usize) -> String {
    let mut out = String::new();
    let bold = Style::new().bold();
    let faint = Style::new().dimmed();
    let verdict = linted.verdict();
    let colour = match verdict {
        Verdict::Boxed => AnsiColor::Green,
        Verdict::Leaky => AnsiColor::Yellow,
        Verdict::NotASandbox => AnsiColor::Red,
    };
    let style = colour.on_default().bold();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        out,
        "{bold}{}{bold:#}: {style}{}{style:#}: {}",
        safe(&linted.app),
        verdict.word(),
        verdict.sentence()
    );
    for finding in &linted.findings {
        one(&mut out, finding, width.max(40));
    }
    let allowed = linted.findings.iter().filter(|one| one.allowed.is_some()).count();
    let _ = writeln!(
        out,
        "{faint}{}, {}, {}{}{faint:#}",
        counted(linted.count(Level::Error), "error"),
        counted(linted.count(Level::Warning), "warning"),
        counted(linted.count(Level::Note), "note"),
        if allowed > 0 { format!("; {allowed} allowed") } else { String::new() }
    );
    out
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn one(out: &mut String, finding: &Finding, width: usize) {
    let bold = Style::new().bold();
    let faint = Style::new().dimmed();
    let style = match (finding.allowed.is_some(), finding.level) {
        (true, _) => faint,
        (false, Level::Error) => AnsiColor::BrightRed.on_default().bold(),
        (false, Level::Warning) => AnsiColor::Yellow.on_default().bold(),
        (false, Level::Note) => AnsiColor::BrightGreen.on_default().bold(),
    };
    let word = finding.level.word();
    let message = safe(&finding.message);
    let code = finding.rule.code;
    let _ = writeln!(out, "{style}{word}[{code}]{style:#}{bold}: {message}{bold:#}");
    let place = safe(&finding.origin.to_string()).into_owned();
    let _ = writeln!(out, "{:INDENT$}{faint}--> {place}{faint:#}", "");
    let mut line = |lead: &str, text: &str| {
        let room = width.saturating_sub(INDENT + lead.chars().count()).max(20);
        for (number, piece) in wrapped(&safe(text), room).into_iter().enumerate() {
            let lead = if number == 0 { lead.to_owned() } else { " ".repeat(lead.len()) };
            let _ = writeln!(out, "{:INDENT$}{lead}{piece}", "");
        }
    };
    for (number, link) in finding.chain.iter().enumerate() {
        line(if number == 0 { "   " } else { "-> " }, link);
    }
    match &finding.allowed {
        Some(reason) => line("allowed: ", reason),
        None => line("fix: ", &finding.remedy),
    }
    if let Some(change) = finding.change.as_ref().filter(|_| finding.allowed.is_none()) {
        line("--fix: ", &change.text());
    }
}

/// As JSON:
///
/// ```text
/// { "version": 1, "apps": [{ "app": ID, "verdict": VERDICT, "sentence": TEXT,
///   "findings": [{ "code": CODE, "name": NAME, "level": LEVEL, "reach": REACH,
///     "message": TEXT, "chain": [TEXT], "origin": ORIGIN, "fix": TEXT,
///     "change": TEXT or null, "allowed": TEXT or null }] }] }
/// ```
///
/// VERDICT is `boxed`, `leaky` or `not-a-sandbox`; LEVEL `note`, `warning` or
/// `error`; REACH `inside`, `leak` or `escape`. A code never changes its
/// meaning, the texts may.
pub fn json(all: &[Linted]) -> Value {
    let finding = |one: &Finding| {
        json!({
            "code": one.rule.code,
            "name": one.rule.name,
            "level": one.level,
            "reach": one.reach,
            "message": safe(&one.message),
            "chain": one.chain.iter().map(|link| safe(link).into_owned()).collect::<Vec<_>>(),
            "origin": Origin { file: safe(&one.origin.file).into(), ..one.origin.clone() },
            "fix": safe(&one.remedy),
            "change": one.change.as_ref().map(|change| safe(&change.text()).into_owned()),
            "allowed": one.allowed.as_ref().map(|reason| safe(reason).into_owned()),
        })
    };
    let apps: Vec<Value> = all
        .iter()
        .map(|linted| {
            json!({
                "app": safe(&linted.app),
                "verdict": linted.verdict(),
                "sentence": linted.verdict().sentence(),
                "findings": linted.findings.iter().map(finding).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "version": VERSION, "apps": apps })
}

/// As a log of the Static Analysis Results Interchange Format, version 2.1.0
/// (OASIS), which code hosts and editors read.
pub fn sarif(all: &[Linted]) -> Value {
    let indexes: BTreeMap<&str, usize> =
        rules::ALL.iter().enumerate().map(|(index, rule)| (rule.code, index)).collect();
    let listed: Vec<Value> = rules::ALL
        .iter()
        .map(|rule| {
            json!({
                "id": rule.code,
                "name": rule.name,
                "shortDescription": { "text": rule.about },
                "help": { "text": rule.remedy },
                "defaultConfiguration": { "level": rule.level.word() },
            })
        })
        .collect();
    let results: Vec<Value> = all
        .iter()
        .flat_map(|linted| &linted.findings)
        .map(|one| {
            let chain: Vec<String> = one.chain.iter().map(|link| safe(link).into_owned()).collect();
            let because =
                if chain.is_empty() { String::new() } else { format!(": {}", chain.join(" -> ")) };
            let mut result = json!({
                "ruleId": one.rule.code,
                "ruleIndex": indexes[one.rule.code],
                "level": one.level.word(),
                "message": { "text": format!("{}{because}", safe(&one.message)) },
            });
            if one.origin.line > 0 {
                result["locations"] = json!([{ "physicalLocation": {
                    "artifactLocation": { "uri": uri(&one.origin.file) },
                    "region": { "startLine": one.origin.line, "startColumn": one.origin.column },
                } }]);
            }
            if let Some(reason) = &one.allowed {
                let justification = safe(reason);
                result["suppressions"] =
                    json!([{ "kind": "inSource", "justification": justification }]);
            }
            result
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "pinfold",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": listed,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A path as a reference of RFC 3986: what it does not allow is written by its
/// bytes.
fn uri(path: &str) -> String {
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                out.push(char::from(byte));
            }
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}
