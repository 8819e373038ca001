//! What the application is held to by limits that each process carries along.

use crate::model::origin::Sourced;
use crate::model::plan::{Limits, Weight};

use super::Resolution;

/// Since when the kernel counts processes for each user namespace by itself;
/// before, a limit would count all processes of the account.
const COUNTED: (u32, u32) = (5, 14);

/// States the limits.
pub fn resolve(r: &mut Resolution<'_>) -> Limits {
    let settings = r.settings();
    let value = |key: &str| {
        let stated = settings.limits.values.get(key)?;
        bytes(&stated.value)
    };
    let mut limits = Limits {
        open_files: value("open-files"),
        file_size: value("file-size"),
        // A dump holds all that the application had in memory, and lands
        // where others may read it.
        core: Some(value("core").unwrap_or(0)),
        tasks: value("tasks"),
        nice: settings.nice.as_ref().map(|stated| stated.value),
        oom_score: settings.oom_score.as_ref().map(|stated| stated.value),
        timeout: settings.timeout.as_ref().map(|stated| stated.value),
    };
    let Some(tasks) = settings.limits.values.get("tasks").cloned() else { return limits };
    let is_counted = r.facts.kernel.release.is_none_or(|release| release >= COUNTED);
    if !is_counted || r.facts.uid == 0 {
        limits.tasks = None;
        not_held(
            r,
            &tasks,
            match is_counted {
                false => "this kernel counts those of the whole account (use Linux 5.14 or later)",
                true => "root is exempt from it",
            },
        );
    }
    limits
}

fn not_held(r: &mut Resolution<'_>, stated: &Sourced<String>, why: &str) {
    let text = format!("processes are not limited: {why}");
    r.note(Weight::Warning, text, Some(&stated.origin), None);
}

/// A size or a number as a manifest writes it; the grammar has checked it.
fn bytes(text: &str) -> Option<u64> {
    let (digits, scale) = match text.char_indices().last()? {
        (at, 'K') => (&text[..at], 1 << 10),
        (at, 'M') => (&text[..at], 1 << 20),
        (at, 'G') => (&text[..at], 1 << 30),
        (at, 'T') => (&text[..at], 1u64 << 40),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_in_bytes() {
        for (text, wanted) in
            [("0", 0), ("12", 12), ("10K", 10_240), ("2G", 2 << 30), ("1T", 1 << 40)]
        {
            assert_eq!(bytes(text), Some(wanted), "{text}");
        }
        assert_eq!(bytes("99999999999T"), None);
    }
}
