//! The plan tier: what is decided, with nothing done.
//!
//! Every fake host is a real small tree with real links, read through the
//! same descriptor as a real host; nothing is mocked. `distributions` builds
//! whole hosts, and `golden` compares the plan of every shipped manifest on
//! each of them with what was reviewed. `files`, `session` and `keys` ask one
//! rule at a time; `laws` states what holds for all grants and all trees, and
//! `chance` makes such grants and trees up.

mod chance;
mod degraded;
mod distributions;
mod explain;
mod files;
mod golden;
mod imports;
mod imports_laws;
mod keys;
mod laws;
mod lint;
mod seen;
mod session;
mod tree;

use std::path::PathBuf;

/// The checkout: `PINFOLD_SRC` where the tests were carried elsewhere.
fn checkout() -> PathBuf {
    std::env::var_os("PINFOLD_SRC")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}
