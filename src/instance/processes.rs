//! The processes of the host, in so far as /proc tells everybody.

use std::collections::BTreeMap;

/// What `/proc/PID/stat` says of a process (`proc_pid_stat(5)`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its id.
    pub pid: i32,
    /// Its name, at most 15 bytes, made by whoever runs there.
    pub name: String,
    /// One letter for what it does: R, S, D, T, Z, ...
    pub state: char,
    /// Its parent's id.
    pub parent: i32,
    /// Processor time so far, its own and the kernel's on its behalf, in clock
    /// ticks.
    pub ticks: u64,
    /// How many threads it has.
    pub threads: u64,
    /// When it began, in clock ticks since the machine did.
    pub began: u64,
    /// Resident pages.
    pub pages: u64,
}

impl Stat {
    /// Reads that of one process; none for one that is gone.
    pub fn of(pid: i32) -> Option<Stat> {
        let bytes = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        Stat::parse(&String::from_utf8_lossy(&bytes))
    }

    fn parse(text: &str) -> Option<Stat> {
        // The name stands in parentheses and may hold some itself.
        let (pid, rest) = text.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Stat {
            pid: pid.parse().ok()?,
            name: name.to_owned(),
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            ticks: number(14)? + number(15)?,
            threads: number(20)?,
            began: number(22)?,
            pages: number(24)?,
        })
    }
}

/// All processes at one time.
pub struct Processes {
    all: Vec<Stat>,
    children: BTreeMap<i32, Vec<usize>>,
}

impl Processes {
    /// Looks once.
    pub fn look() -> Processes {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        Processes::of(pids.filter_map(Stat::of).collect())
    }

    fn of(all: Vec<Stat>) -> Processes {
        let mut children: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (at, stat) in all.iter().enumerate() {
            children.entry(stat.parent).or_default().push(at);
        }
        Processes { all, children }
    }

    /// A process and all that descend from it, itself first. What is orphaned
    /// in a pid namespace becomes a child of its init, so these are all of a
    /// sandbox.
    pub fn beneath(&self, root: i32) -> Vec<&Stat> {
        let mut found: Vec<&Stat> = self.all.iter().filter(|stat| stat.pid == root).collect();
        let mut next = 0;
        while let Some(stat) = found.get(next) {
            let children = self.children.get(&stat.pid).map_or(&[][..], Vec::as_slice);
            found.extend(children.iter().map(|at| &self.all[*at]));
            next += 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pid: i32, name: &str, parent: i32) -> Stat {
        let text = format!(
            "{pid} ({name}) S {parent} 1 1 0 -1 4194560 1 0 0 0 7 5 0 0 20 0 3 0 4711 1000 42 1"
        );
        Stat::parse(&text).unwrap()
    }

    #[test]
    fn a_name_may_hold_anything() {
        let stat = line(12, "a) S 1 (b", 3);
        let wanted = ("a) S 1 (b".to_owned(), 'S', 3, 12, 3, 4711, 42);
        let Stat { name, state, parent, ticks, threads, began, pages, .. } = stat;
        assert_eq!((name, state, parent, ticks, threads, began, pages), wanted);
        assert_eq!(Stat::parse("12 (x"), None);
        assert_eq!(Stat::parse("12 (x) S 1"), None);
        let own = std::process::id() as i32;
        assert_eq!(Stat::of(own).unwrap().pid, own);
    }

    #[test]
    fn descendants_are_found_through_all_generations() {
        let all = [(1, 0), (2, 1), (3, 2), (4, 3), (5, 1), (6, 5)];
        let all = Processes::of(all.map(|(pid, parent)| line(pid, "x", parent)).to_vec());
        let found: Vec<i32> = all.beneath(2).iter().map(|stat| stat.pid).collect();
        assert_eq!(found, [2, 3, 4]);
        assert!(all.beneath(9).is_empty());
    }
}
