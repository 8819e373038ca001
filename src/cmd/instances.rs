//! Running sandboxes, found and told apart.

use std::os::fd::OwnedFd;

use crate::instance::record::{Record, Records};
use crate::report::{Code, Diagnostic};
use crate::sys::Errno;

use super::prepare;

/// The folder of records, and the sandboxes of which there is one.
pub struct Running {
    records: Option<Records>,
    /// The records, the oldest first.
    pub list: Vec<Record>,
}

/// Looks which sandboxes run. Records that a crash has left are taken away on
/// the way.
///
/// # Errors
/// When the folder of records cannot be trusted or read.
pub fn running() -> Result<Running, Vec<Diagnostic>> {
    let host = prepare::host()?;
    let failed = |errno: Errno| {
        vec![
            Diagnostic::error(Code::Record, "cannot read the records of running sandboxes")
                .because(errno)
                .hint("they lie in $XDG_RUNTIME_DIR/pinfold, a folder that is shut to others"),
        ]
    };
    let records = match &host.facts.runtime_dir {
        None => None,
        Some(dir) => Some(Records::open(dir, host.facts.uid).map_err(failed)?),
    };
    let list = records.as_ref().map_or(Ok(Vec::new()), Records::list).map_err(failed)?;
    Ok(Running { records, list })
}

impl Running {
    /// Those that a name means: one run by its whole name, or all runs of an
    /// application by its id.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(&self, name: &str) -> Result<Vec<&Record>, Vec<Diagnostic>> {
        let whole = self.list.iter().find(|record| record.name() == name);
        let found: Vec<&Record> = match whole {
            Some(record) => vec![record],
            None => self.list.iter().filter(|record| record.app.as_str() == name).collect(),
        };
        if !found.is_empty() {
            return Ok(found);
        }
        let error = Diagnostic::error(Code::NotRunning, format!("no sandbox {name:?} runs"));
        Err(vec![match &self.list[..] {
            [] => error.hint("no sandbox runs at all"),
            _ => error.hint("`pinfold ps` shows which ones do"),
        }])
    }

    /// The one that a name means.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn one(&self, name: &str) -> Result<&Record, Vec<Diagnostic>> {
        match &self.named(name)?[..] {
            [one] => Ok(one),
            several => {
                let names: Vec<String> = several.iter().map(|record| record.name()).collect();
                Err(vec![
                    Diagnostic::error(Code::Usage, format!("{name} runs {} times", several.len()))
                        .hint(format!("name one of them: {}", names.join(", "))),
                ])
            }
        }
    }

    /// Connects to the monitor of a run.
    ///
    /// # Errors
    /// When it does not listen.
    pub fn connect(&self, record: &Record) -> Result<OwnedFd, Vec<Diagnostic>> {
        let socket = self.records.as_ref().map_or(Err(Errno::NOENT), |all| all.connect(record));
        socket.map_err(|errno| {
            let text = format!("cannot reach the monitor of {}", record.name());
            vec![Diagnostic::error(Code::NotRunning, text).because(errno)]
        })
    }
}
