//! Paths that a profile closes.

use crate::model::path::PathExpr;

use super::super::draft::Draft;
use super::super::grants;
use super::super::overlap;
use super::super::report::{Finding, Place, Verdict};
use super::paths::may_hold;

/// Folders of programs that are blacklisted whole, since programs in them are
/// the administrator's. On many systems they are links to those of everybody.
const ADMINISTRATOR: [&str; 3] = ["/sbin", "/usr/sbin", "/usr/local/sbin"];

/// A path that is granted.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The path.
    pub path: PathExpr,
    /// Whether it can be changed.
    pub writable: bool,
}

impl Granted {
    /// Whether a path can be in it, or it in the path.
    pub fn meets(&self, path: &PathExpr) -> bool {
        overlap::may_hold(&self.path, path) || overlap::may_hold(path, &self.path)
    }
}

/// Whether something is granted that can be in a path, or the path in it.
pub fn is_met(path: &str, granted: &[Granted]) -> bool {
    PathExpr::parse(path).is_ok_and(|path| granted.iter().any(|grant| grant.meets(&path)))
}

/// What a blacklisted path comes to.
pub fn deny(draft: &mut Draft, path: &str, place: &Place, granted: &[Granted]) -> Finding {
    let within = |place: &str| may_hold(place, path);
    if is_met(path, granted) {
        return close(draft, path, place, granted);
    }
    if !path.starts_with('/') {
        return Finding::exact("nothing of it is granted");
    }
    if ADMINISTRATOR.contains(&path) {
        return Finding::no_limit(
            "programs of the administrator can be started, but have no more rights than others",
        );
    }
    if within("/proc") {
        return Finding::no_limit("what the sandbox's own /proc has of it can be read");
    }
    if ["/dev", "/sys", "/run", "/tmp", "/var/tmp", "/boot"].iter().any(|place| within(place)) {
        return Finding::exact("nothing of the host is seen there unless it is granted by kind");
    }
    grants::deny(draft, path, place)
}

/// Denies a path of which something is granted. Where a manifest cannot deny
/// it as a whole, each grant in it is denied.
pub fn close(draft: &mut Draft, path: &str, place: &Place, granted: &[Granted]) -> Finding {
    let finding = grants::deny(draft, path, place);
    if finding.verdict == Verdict::Exact {
        return finding;
    }
    for grant in granted.iter().filter(|grant| may_hold(path, grant.path.as_str())) {
        grants::deny(draft, grant.path.as_str(), place);
    }
    Finding::near("denied with what is granted in it")
}
