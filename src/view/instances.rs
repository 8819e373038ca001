//! `pinfold ps`: the sandboxes that run.

use std::fmt::Write;

use anstyle::Style;
use serde_json::{Value, json};

use crate::instance::processes::{Processes, Stat};
use crate::instance::record::{Network, Record};
use crate::report::escape::safe;

/// The version of the shape that [`json`] gives.
pub const VERSION: u32 = 1;

/// One sandbox, with what the kernel says of it now.
pub struct Instance {
    /// What is written down.
    pub record: Record,
    /// Its processes, init first.
    pub processes: Vec<Stat>,
    /// The application's id outside and inside, as long as it runs.
    pub application: Option<(i32, i32)>,
    /// Memory that is its own, and its share of what it shares with others, in
    /// bytes (`Pss` of `proc_pid_smaps(5)`); resident memory where the kernel
    /// does not tell.
    pub memory: u64,
    /// Processor time so far in seconds.
    pub processor: f64,
    /// How long it runs, in seconds.
    pub age: u64,
}

impl Instance {
    /// Looks at one sandbox. `now` is in seconds since 1970, `tick` how many
    /// clock ticks make a second, `page` how many bytes a page.
    pub fn of(record: Record, all: &Processes, now: u64, tick: u64, page: u64) -> Instance {
        let processes: Vec<Stat> = all.beneath(record.init).into_iter().cloned().collect();
        // Init's first child is the application; what comes later has a
        // higher id inside.
        let children = processes.iter().filter(|stat| stat.parent == record.init);
        let application = children
            .filter_map(|stat| Some((stat.pid, inner_pid(stat.pid)?)))
            .min_by_key(|(_, inside)| *inside);
        let memory = processes.iter().map(|stat| share(stat.pid).unwrap_or(stat.pages * page));
        let ticks: u64 = processes.iter().map(|stat| stat.ticks).sum();
        Instance {
            application,
            memory: memory.sum(),
            processor: ticks as f64 / tick.max(1) as f64,
            age: now.saturating_sub(record.started),
            processes,
            record,
        }
    }

    fn tasks(&self) -> u64 {
        self.processes.iter().map(|stat| stat.threads).sum()
    }

    fn confinement(&self) -> String {
        match self.record.degraded.len() {
            0 => "full".to_owned(),
            1 => "lacks 1 part".to_owned(),
            count => format!("lacks {count} parts"),
        }
    }
}

/// A process's id in the innermost pid namespace that it is in.
fn inner_pid(pid: i32) -> Option<i32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ids = text.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    ids.split_ascii_whitespace().last()?.parse().ok()
}

/// A process's share of memory in bytes.
fn share(pid: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let size = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = size.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The table. It holds styles: print it through `anstream`.
pub fn text(instances: &[Instance]) -> String {
    if instances.is_empty() {
        return "No sandbox runs.\n".to_owned();
    }
    const TITLES: [&str; 9] =
        ["INSTANCE", "PID", "INSIDE", "AGE", "MEMORY", "CPU", "TASKS", "NETWORK", "CONFINEMENT"];
    let rows: Vec<[String; 9]> = instances
        .iter()
        .map(|instance| {
            let (pid, inside) = instance.application.map_or_else(
                || ("-".to_owned(), "-".to_owned()),
                |(pid, inside)| (pid.to_string(), inside.to_string()),
            );
            [
                safe(&instance.record.name()).into_owned(),
                pid,
                inside,
                age(instance.age),
                size(instance.memory),
                format!("{:.1}s", instance.processor),
                instance.tasks().to_string(),
                network(instance.record.network).to_owned(),
                instance.confinement(),
            ]
        })
        .collect();
    table(&TITLES, &rows)
}

/// Rows under their titles, each column as wide as its widest cell.
pub fn table<const N: usize>(titles: &[&str; N], rows: &[[String; N]]) -> String {
    let mut widths = titles.map(|title| title.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let bold = Style::new().bold();
    let mut out = String::new();
    let mut line = |cells: [&str; N], style: Style| {
        let mut text = String::new();
        for (cell, width) in cells.into_iter().zip(widths) {
            let _ = write!(text, "{cell:width$}  ");
        }
        let _ = writeln!(out, "{style}{}{style:#}", text.trim_end());
    };
    line(*titles, bold);
    for row in rows {
        line(std::array::from_fn(|at| row[at].as_str()), Style::new());
    }
    out
}

fn network(network: Network) -> &'static str {
    match network {
        Network::None => "none",
        Network::Host => "host",
    }
}

/// Seconds as people say them.
pub fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Bytes as people say them.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// The same for programs.
pub fn json(instances: &[Instance]) -> Value {
    let list: Vec<Value> = instances
        .iter()
        .map(|instance| {
            let Instance { record, application, memory, processor, age, processes } = instance;
            json!({
                "instance": record.name(),
                "app": record.app,
                "monitor": record.monitor,
                "init": record.init,
                "pid": application.map(|(pid, _)| pid),
                "pid-inside": application.map(|(_, inside)| inside),
                "started": record.started,
                "age-seconds": age,
                "memory-bytes": memory,
                "cpu-seconds": processor,
                "tasks": instance.tasks(),
                "processes": processes.iter().map(|stat| stat.pid).collect::<Vec<_>>(),
                "network": record.network,
                "degraded": record.degraded,
                "manifests": record.manifests,
                "portal": record.portal,
            })
        })
        .collect();
    json!({ "version": VERSION, "instances": list })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_say_them() {
        assert_eq!([0, 59, 61, 3700, 90_000].map(age), ["0s", "59s", "1m01s", "1h01m", "1d01h"]);
        assert_eq!([0, 1023, 1024, 1_572_864].map(size), ["0 B", "1023 B", "1.0 KiB", "1.5 MiB"]);
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let rows = [["a".to_owned(), "x".to_owned()], ["long".to_owned(), "y".to_owned()]];
        let text = anstream::adapter::strip_str(&table(&["N", "VALUE"], &rows)).to_string();
        assert_eq!(text, "N     VALUE\na     x\nlong  y\n");
    }
}
