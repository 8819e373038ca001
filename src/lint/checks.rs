//! `[check]`: what a manifest itself says must hold.

use crate::resolve::seen::{Seen, reach};

use super::rules::{MUST_DENY, MUST_OPEN};
use super::{Finding, Subject};

/// Holds the manifest's own claims against the plan. One with a pattern in it
/// is held for what stands before the pattern.
pub fn check(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let settings = &subject.policy.settings;
    for (claims, rule, open) in [
        (&settings.check_must_open, &MUST_OPEN, true),
        (&settings.check_must_deny, &MUST_DENY, false),
    ] {
        for claim in &claims.items {
            let Some(path) = subject.facts.named(&claim.value) else { continue };
            let is_open = match reach(subject.plan, subject.fs, &path).seen {
                Seen::Host { source, .. } => !open || subject.fs.look(&source).is_ok(),
                Seen::Copy(_) => true,
                Seen::Own | Seen::Made | Seen::Closed | Seen::Nothing => false,
            };
            // A folder of the sandbox in the place of one that was taken apart
            // is open in so far as anything of the host stands in it.
            let is_open = is_open || subject.shown().any(|shown| shown.dest.is_beneath(&path));
            if is_open != open {
                let word = if open { "shut" } else { "open" };
                let text = format!("{} is {word}", claim.value);
                found.push(Finding::new(rule, &claim.origin, text));
            }
        }
    }
}
