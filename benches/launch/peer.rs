//! The same sandbox, as far as bubblewrap can build it: its arguments are
//! made from the very plan that Pinfold carries out.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use pinfold::export::bwrap::{self, Word};
use pinfold::model::plan::Plan;

use crate::rounds::Command;

/// The command that gives an application the plan of `manifest`, with this
/// filter of system calls or with the plan's own.
pub fn bubblewrap(
    pinfold: &Path,
    manifest: &str,
    extra: &[&str],
    filter: Option<&[u8]>,
) -> Result<Command, String> {
    let output = std::process::Command::new(pinfold)
        .args(["plan", "--json", manifest])
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let plan: Plan = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let mut list = Vec::new();
    let mut held = Vec::new();
    for word in bwrap::arguments(&plan, extra).words {
        match word {
            Word::Text(text) => list.push(text),
            Word::Content(content) => {
                let other = filter.filter(|_| content.name == bwrap::FILTER);
                let fd = memory(other.unwrap_or(&content.bytes))?;
                list.push(fd.as_raw_fd().to_string());
                held.push(fd);
            }
        }
    }
    let mut command = Command::new("bubblewrap", Path::new("/usr/bin/bwrap"), list);
    command.held = held;
    Ok(command)
}

/// A descriptor that bubblewrap inherits, with this content.
fn memory(content: &[u8]) -> Result<OwnedFd, String> {
    let fd = rustix::fs::memfd_create("bench", rustix::fs::MemfdFlags::empty())
        .map_err(|errno| errno.to_string())?;
    rustix::io::write(&fd, content).map_err(|errno| errno.to_string())?;
    Ok(fd)
}
