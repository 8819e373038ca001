//! The folders in which any application has ever been allowed to write.
//!
//! In such a folder an application can have left a link for a later run to
//! follow, so no link in it is followed by any run of any application. The
//! list is kept from what was really granted, one path to a line: a manifest
//! that was changed or taken away since, and a `--write` of the command line,
//! count as well as what is installed now.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

use crate::host::HostFs;
use crate::model::facts::HostFacts;
use crate::model::path::AbsPath;

/// No list is longer.
const LIMIT: usize = 4 << 20;

fn place(facts: &HostFacts) -> AbsPath {
    facts.state_home.child("pinfold").child("written")
}

/// The folders that are known.
///
/// # Errors
/// When the list exists and cannot be read: without it nothing is safe to
/// follow.
pub fn read(fs: &HostFs, facts: &HostFacts) -> std::io::Result<Vec<AbsPath>> {
    match fs.read_text_following(&place(facts), LIMIT) {
        Ok(text) => Ok(text.lines().filter_map(|line| AbsPath::new(line).ok()).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Adds the folders that are not known yet. Has to be done before the
/// application that may write there is started.
///
/// # Errors
/// When the list cannot be written.
pub fn add(facts: &HostFacts, known: &[AbsPath], new: &[AbsPath]) -> std::io::Result<()> {
    // Begins a line of its own, whatever a run that was cut short has left.
    let mut text = String::from("\n");
    for path in new {
        if !known.iter().any(|place| path.is_within(place)) {
            text.push_str(path.as_str());
            text.push('\n');
        }
    }
    if text.len() == 1 {
        return Ok(());
    }
    let file = place(facts);
    if let Some(folder) = file.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.as_str())?;
    }
    let mut list =
        std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(file.as_str())?;
    list.write_all(text.as_bytes())
}
