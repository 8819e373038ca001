//! Remarks by which a manifest's author lets a finding stay:
//!
//! ```text
//! x11 = "shared"   # lint: allow L301 it speaks no Wayland
//! ```
//!
//! A remark stands in a comment of the line that the finding is about, or of
//! the line above, and gives a reason. It is a comment since it is about the
//! reading of a manifest and changes nothing of what is run. What is allowed
//! is told all the same, and counts for the verdict: who is handed a manifest
//! learns both what is open and why its author thought that right.

use crate::model::origin::Origin;

use super::Finding;
use super::rules::UNUSED_ALLOWANCE;

/// A remark.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Remark {
    /// The line that it stands in, from 1.
    line: u32,
    /// Whether nothing but the comment stands there.
    alone: bool,
    code: String,
    reason: String,
}

/// Applies the remarks of a file to findings, and adds a finding for each that
/// allows nothing. `place` is an origin in the file. Of a `preset` not all may
/// be in force, so that none of its remarks is one too many.
pub fn apply(text: &str, place: &Origin, preset: bool, findings: &mut Vec<Finding>) {
    let mut unused = Vec::new();
    for remark in remarks(text) {
        let mut used = false;
        for finding in findings.iter_mut() {
            let line = finding.origin.line;
            let fits = finding.origin.file == place.file
                && finding.rule.code == remark.code
                && (line == remark.line || (remark.alone && line == remark.line + 1));
            if fits {
                finding.allowed = Some(remark.reason.clone());
                used = true;
            }
        }
        if !used && !preset {
            let origin = Origin { line: remark.line, column: 1, ..place.clone() };
            let text = format!("{} is allowed here, and nothing is found", remark.code);
            unused.push(Finding::new(&UNUSED_ALLOWANCE, &origin, text));
        }
    }
    findings.append(&mut unused);
}

fn remarks(text: &str) -> Vec<Remark> {
    let mut all = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let Some((before, rest)) = line.split_once("# lint: allow ") else { continue };
        let (code, reason) = rest.trim().split_once(' ').unwrap_or((rest.trim(), ""));
        if reason.trim().is_empty() {
            continue;
        }
        all.push(Remark {
            line: number,
            alone: before.trim().is_empty(),
            code: code.to_owned(),
            reason: reason.trim().to_owned(),
        });
    }
    all
}
