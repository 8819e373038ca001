//! `pinfold doctor`

use crate::cli::Doctor;
use crate::host::doctor::{Findings, MountCall, Namespace, Probes, Report};
use crate::sys::{self, Errno, probe};
use crate::view;

use super::prepare::{self, Host};
use super::{Outcome, print};

/// Tells what this host can and cannot enforce.
pub fn main(options: &Doctor) -> Outcome {
    let host = prepare::host()?;
    let (findings, report) = examine(&host);
    if options.json {
        let value = serde_json::json!({ "version": 1, "report": report, "findings": findings });
        print::json(&value)?;
    } else {
        let width = sys::fd::terminal_width().unwrap_or(80);
        print::text(&view::doctor::text(&report, width))?;
    }
    Ok(report.exit().number())
}

/// Looks at the host, and judges.
pub fn examine(host: &Host) -> (Findings, Report) {
    let probes = Probes {
        namespace: &|kind| probe::try_namespace(namespace(kind)),
        proc_mount: &probe::try_proc_mount,
        mount_call: &|call| {
            let there = match call {
                MountCall::OpenTree => probe::has_open_tree(),
                MountCall::MoveMount => probe::has_move_mount(),
                MountCall::MountSetattr => probe::has_mount_setattr(),
            };
            if there { Ok(()) } else { Err(Errno::NOSYS) }
        },
        landlock: &|| match host.facts.kernel.landlock_abi {
            0 => Err(Errno::NOSYS),
            abi => Ok(abi),
        },
        seccomp_filter: &probe::try_filter,
    };
    let findings = Findings::collect(&host.fs, &host.facts, &probes);
    let report = Report::of(&findings);
    (findings, report)
}

fn namespace(kind: Namespace) -> probe::Namespace {
    match kind {
        Namespace::User => probe::Namespace::User,
        Namespace::Mount => probe::Namespace::Mount,
        Namespace::Pid => probe::Namespace::Pid,
        Namespace::Ipc => probe::Namespace::Ipc,
        Namespace::Uts => probe::Namespace::Uts,
        Namespace::Cgroup => probe::Namespace::Cgroup,
        Namespace::Net => probe::Namespace::Network,
    }
}
