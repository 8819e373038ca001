//! `pinfold ps --namespaces`: what a sandbox consists of, as the kernel sees
//! it, and the line by which a person can look in.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use crate::instance::processes::{Processes, Stat};
use crate::instance::record::Record;
use crate::report::escape::safe;

use super::instances::{VERSION, table};

/// What of a sandbox one namespace is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// Its kind, by its name in /proc.
    pub kind: String,
    /// Its number.
    pub inode: u64,
    /// Whether it is the caller's own as well.
    pub shared: bool,
    /// How many of the sandbox's processes are in it, as far as they can be
    /// looked into.
    pub processes: usize,
    /// The first of them.
    pub command: String,
}

/// The namespaces of one sandbox.
pub struct Namespaces {
    /// Its name.
    pub instance: String,
    /// Them, the outer user namespace first and the inner one last.
    pub list: Vec<Namespace>,
    /// The command that enters them.
    pub enter: Option<String>,
}

/// Looks at all sandboxes.
pub fn of(records: &[Record], all: &Processes) -> Vec<Namespaces> {
    records.iter().map(|record| one(record, all)).collect()
}

/// The number of a namespace by a link to it.
fn inode(path: &str) -> Option<u64> {
    std::fs::metadata(path).ok().map(|meta| meta.ino())
}

fn one(record: &Record, all: &Processes) -> Namespaces {
    const ORDER: [&str; 7] = ["user", "mnt", "pid", "ipc", "uts", "cgroup", "net"];
    let processes = all.beneath(record.init);
    let monitor = record.monitor;
    let mut list = Vec::new();
    for kind in ORDER {
        let Some(number) = record.namespaces.get(kind) else { continue };
        let Some(inode) = inode(&format!("/proc/{monitor}/fd/{number}")) else { continue };
        // Init cannot be looked into. It is in all of these but the outer user
        // namespace, which everybody has left and which owns the others.
        let (count, command) = members(&processes, kind, inode);
        let init = usize::from(kind != "user" && !processes.is_empty());
        list.push(Namespace {
            kind: kind.to_owned(),
            inode,
            shared: self::inode(&format!("/proc/self/ns/{kind}")) == Some(inode),
            processes: count + init,
            command: command.unwrap_or_default(),
        });
    }
    // The application's own is a further user namespace in the first, and init
    // is in it too.
    let mut inner: BTreeMap<u64, (usize, String)> = BTreeMap::new();
    let outer = list.first().map(|outer| outer.inode);
    for stat in processes.iter().skip(1) {
        let own = self::inode(&format!("/proc/{}/ns/user", stat.pid));
        if let Some(own) = own.filter(|own| Some(*own) != outer) {
            inner.entry(own).or_insert_with(|| (1, stat.name.clone())).0 += 1;
        }
    }
    list.extend(inner.into_iter().map(|(inode, (processes, command))| Namespace {
        kind: "user".to_owned(),
        inode,
        shared: false,
        processes,
        command,
    }));
    Namespaces { instance: record.name(), list, enter: nsenter(record) }
}

fn members(processes: &[&Stat], kind: &str, inode: u64) -> (usize, Option<String>) {
    let mut found = processes
        .iter()
        .skip(1)
        .filter(|stat| self::inode(&format!("/proc/{}/ns/{kind}", stat.pid)) == Some(inode));
    let first = found.next();
    (usize::from(first.is_some()) + found.count(), first.map(|stat| stat.name.clone()))
}

/// The line for a shell. The namespaces are reached by the monitor's
/// descriptors, since init is shut.
fn nsenter(record: &Record) -> Option<String> {
    const OPTIONS: [(&str, &str); 7] = [
        ("user", "user"),
        ("mnt", "mount"),
        ("pid", "pid"),
        ("ipc", "ipc"),
        ("uts", "uts"),
        ("cgroup", "cgroup"),
        ("net", "net"),
    ];
    let mut line = "nsenter --preserve-credentials".to_owned();
    for (kind, option) in OPTIONS {
        let number = record.namespaces.get(kind)?;
        line.push_str(&format!(" --{option}=/proc/{}/fd/{number}", record.monitor));
    }
    line.push_str(" /bin/sh -c 'cd / && exec /bin/sh'");
    Some(line)
}

/// The tables, one for each sandbox.
pub fn text(all: &[Namespaces]) -> String {
    if all.is_empty() {
        return "No sandbox runs.\n".to_owned();
    }
    let mut out = String::new();
    for (at, namespaces) in all.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        out.push_str(&format!("{}\n", safe(&namespaces.instance)));
        let rows: Vec<[String; 5]> = namespaces
            .list
            .iter()
            .map(|one| {
                [
                    one.inode.to_string(),
                    one.kind.clone(),
                    if one.shared { "the host's" } else { "its own" }.to_owned(),
                    one.processes.to_string(),
                    safe(&one.command).into_owned(),
                ]
            })
            .collect();
        out.push_str(&table(&["NS", "TYPE", "WHOSE", "NPROCS", "COMMAND"], &rows));
        if let Some(line) = &namespaces.enter {
            out.push_str(&format!("look in: {line}\n"));
        }
    }
    out
}

/// The same for programs.
pub fn json(all: &[Namespaces]) -> Value {
    let list: Vec<Value> = all
        .iter()
        .map(|namespaces| {
            let list: Vec<Value> = namespaces
                .list
                .iter()
                .map(|one| {
                    json!({
                        "kind": one.kind,
                        "inode": one.inode,
                        "shared": one.shared,
                        "processes": one.processes,
                        "command": one.command,
                    })
                })
                .collect();
            json!({
                "instance": namespaces.instance,
                "namespaces": list,
                "enter": namespaces.enter,
            })
        })
        .collect();
    json!({ "version": VERSION, "instances": list })
}
