//! A plan, step by step.

use std::fmt::Write;

use crate::model::permission::Word;
use crate::model::plan::{Action, Kind, LandlockObject, Plan, Slot, Tier, Weight};
use crate::report::escape::safe;

/// What a step does, to be read after "cannot" or as a line of a list.
pub fn sentence(action: &Action) -> String {
    match action {
        Action::Tmpfs { dest, .. } => format!("mount an empty file system in memory at {dest}"),
        Action::Folder { dest, .. } => format!("make the folder {dest}"),
        Action::Link { dest, target } => format!("make the link {dest} -> {}", safe(target)),
        Action::Text { dest, .. } => format!("write {dest}"),
        Action::Fill { dest, slot: Slot::Copy { source }, .. } => {
            if source == dest {
                format!("copy {dest}")
            } else {
                format!("copy {source} to {dest}")
            }
        }
        Action::Fill { dest, slot: Slot::XCookie { display, .. }, .. } => {
            format!("write the cookie of display {display} to {dest}")
        }
        Action::Bind { source, dest, kind, write, exec, device } => {
            let what = match (kind, device) {
                (_, true) => "device",
                (Kind::Folder, _) => "folder",
                (Kind::File, _) => "file",
            };
            let how = match (write, exec) {
                (false, false) => "to read",
                (false, true) => "to read and execute",
                (true, false) => "to read and write",
                (true, true) => "to read, write and execute",
            };
            if source == dest {
                format!("show the {what} {dest} {how}")
            } else {
                format!("show the {what} {source} at {dest} {how}")
            }
        }
        Action::Fill { dest, slot: Slot::Identity { .. }, .. } => {
            format!("write the application's id and the run's number to {dest}")
        }
        Action::Listen { dest, bus } => {
            format!("listen at {dest} for the {} bus", crate::resolve::bus::name(*bus))
        }
        Action::Close { dest, .. } => format!("cover {dest}"),
        Action::Proc { dest } => format!("mount a /proc of the sandbox's own at {dest}"),
        Action::ReadOnly { dest } => format!("make {dest} read-only"),
        Action::DevPts { dest } => format!("mount terminals of the sandbox's own at {dest}"),
    }
}

fn namespaces(plan: &Plan, line: &mut impl FnMut(String)) {
    let network = if plan.namespaces.network { "new network" } else { "the host's network" };
    line(format!(
        "namespaces: new user (twice), mount, pid, ipc, uts, cgroup; {network} ({})",
        plan.namespaces.network_origin
    ));
    line(format!("host name: {}", plan.namespaces.hostname));
}

/// The whole plan.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "{}", safe(&text));
    };
    line(format!("plan for {}", plan.app));
    line(format!("user {}, group {}, no capabilities", plan.identity.uid, plan.identity.gid));
    if plan.tier == Tier::Namespaces {
        namespaces(plan, &mut line);
    } else {
        let network = if plan.is_without_network() { "no network" } else { "the host's network" };
        line(format!(
            "namespaces: none; landlock and the filter alone; {network} ({})",
            plan.namespaces.network_origin
        ));
    }
    for step in &plan.host {
        line(format!(
            "on the host: make the folder {} if it is missing ({})",
            step.folder, step.origin
        ));
    }
    if let Some(socket) = &plan.process.compositor {
        line(format!("on the host: connect to {socket}, and hand the connection over"));
    }
    line(match plan.tier {
        Tier::Namespaces => "file tree:".to_owned(),
        Tier::Landlock => "open where it lies:".to_owned(),
    });
    for (number, step) in plan.tree.iter().enumerate() {
        line(format!("{:>4}. {} ({})", number + 1, sentence(&step.action), step.origin));
    }
    line(format!("landlock ({}):", plan.landlock.mode.word()));
    for rule in &plan.landlock.rules {
        let place = match &rule.object {
            LandlockObject::Host(path) => format!("the host's {path}"),
            LandlockObject::Inside(path) => path.to_string(),
            LandlockObject::OwnProcess(name) => format!("its own process's /proc/self/{name}"),
        };
        line(format!("      {:?}: {place}", rule.access));
    }
    let features: Vec<&str> = plan.syscalls.features.iter().map(|feature| feature.word()).collect();
    line(format!(
        "system calls: nested sandboxes {}, also allowed: {}",
        plan.syscalls.nested.word(),
        if features.is_empty() { "nothing".to_owned() } else { features.join(", ") }
    ));
    line(format!(
        "run: {} in {} ({})",
        plan.process.program, plan.process.cwd, plan.process.origin
    ));
    for argument in &plan.process.arguments {
        line(format!("      argument {argument:?}"));
    }
    for (name, value) in &plan.process.environment {
        line(format!("      {name}={value}"));
    }
    for note in &plan.notes {
        let weight = match note.weight {
            Weight::Info => "note",
            Weight::Notice => "notice",
            Weight::Warning => "warning",
        };
        line(format!("{weight}: {}", note.text));
    }
    out
}
