//! `pinfold tour` as text: what is seen outside and inside, side by side.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::host::outlook::{Act, Openness, Outlook};
use crate::report::escape::safe;

use super::layout::{cut, wrapped};

/// The version of the shape that [`json`] gives.
pub const VERSION: u32 = 1;

/// Before a row.
const INDENT: usize = 2;
/// The column that says what is looked at.
const LABEL: usize = 22;
/// Between the columns.
const GAP: usize = 2;
/// Wider lines would tear the columns apart, narrower ones hold nothing.
const WIDTHS: std::ops::RangeInclusive<usize> = 60..=100;
/// As many processes are named; of more only the number is told.
const NAMED: usize = 4;

/// How a value inside is to be taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// It differs from outside by the sandbox's work.
    Kept,
    /// Nothing to say about it.
    Plain,
    /// The sandbox should have changed it.
    Surprise,
}

/// One line of a block, possibly broken.
struct Row {
    label: String,
    outside: String,
    inside: String,
    mark: Mark,
}

/// One thing that is looked at.
struct Block {
    title: &'static str,
    sentence: String,
    rows: Vec<Row>,
}

fn row(label: &str, outside: String, inside: String, mark: Mark) -> Row {
    Row { label: label.to_owned(), outside, inside, mark }
}

/// Kept where the sandbox did its work, else a surprise.
fn kept(good: bool) -> Mark {
    if good { Mark::Kept } else { Mark::Surprise }
}

/// The whole tour at a width of about `width` columns. It holds colours: print
/// it through `anstream`.
pub fn text(outside: &Outlook, inside: &Outlook, width: usize) -> String {
    let width = width.clamp(*WIDTHS.start(), *WIDTHS.end());
    let column = (width - INDENT - LABEL - 2 * GAP) / 2;
    let bold = Style::new().bold();
    let faint = Style::new().dimmed();
    let mut out = String::new();
    // Writing to a String cannot fail, here and below.
    let opening = "The same program looks around twice: once as any program of yours, and once \
                   inside a sandbox whose manifest grants nothing.";
    paragraph(&mut out, opening, width, Style::new());
    for block in blocks(outside, inside) {
        let _ = writeln!(out, "\n{bold}{}{bold:#}", block.title);
        paragraph(&mut out, &block.sentence, width, faint);
        let _ = writeln!(
            out,
            "{:INDENT$}{:LABEL$}{:GAP$}{faint}{:column$}{:GAP$}inside{faint:#}",
            "", "", "", "outside", ""
        );
        for row in &block.rows {
            columns(&mut out, row, column);
        }
    }
    closing(&mut out, outside, inside, width);
    out
}

fn paragraph(out: &mut String, text: &str, width: usize, style: Style) {
    for line in wrapped(text, width) {
        let _ = writeln!(out, "{style}{line}{style:#}");
    }
}

fn columns(out: &mut String, row: &Row, column: usize) {
    let cells = [
        cut(&safe(&row.label), LABEL),
        cut(&safe(&row.outside), column),
        cut(&safe(&row.inside), column),
    ];
    let style = match row.mark {
        Mark::Kept => AnsiColor::Green.on_default(),
        Mark::Plain => Style::new(),
        Mark::Surprise => AnsiColor::Red.on_default().bold(),
    };
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        let cell = |at: usize| cells[at].get(line).map_or("", String::as_str);
        let (label, outside, inside) = (cell(0), cell(1), cell(2));
        let mut text =
            format!("{:INDENT$}{label:LABEL$}{:GAP$}{outside:column$}{:GAP$}", "", "", "");
        if inside.is_empty() {
            text.truncate(text.trim_end().len());
        } else {
            let _ = write!(text, "{style}{inside}{style:#}");
        }
        let _ = writeln!(out, "{text}");
    }
}

fn closing(out: &mut String, outside: &Outlook, inside: &Outlook, width: usize) {
    let bold = Style::new().bold();
    let surprises = surprises(outside, inside);
    out.push('\n');
    if !surprises.is_empty() {
        let red = AnsiColor::Red.on_default().bold();
        let text = format!(
            "Not as it should be: {}. `pinfold doctor` says what this host lacks.",
            surprises.join(", ")
        );
        paragraph(out, &safe(&text), width, red);
        out.push('\n');
    }
    let _ = writeln!(out, "{bold}What to try next{bold:#}");
    for (command, what) in [
        ("pinfold list", "the applications that have a manifest"),
        ("pinfold show APP", "what one may do, and which line says so"),
        ("pinfold run APP", "run it"),
        ("pinfold doctor", "how much of this your host can enforce"),
    ] {
        let _ = writeln!(out, "  {command:18}{what}");
    }
}

/// What the sandbox should have changed and did not, in words. Empty when all
/// is well.
pub fn surprises(outside: &Outlook, inside: &Outlook) -> Vec<String> {
    blocks(outside, inside)
        .into_iter()
        .flat_map(|block| block.rows)
        .filter(|row| row.mark == Mark::Surprise)
        .map(|row| row.label)
        .collect()
}

/// Both sides as JSON: `version`, `outside` and `inside`, each an
/// [`Outlook`], and `surprises`, the labels of what the sandbox should have
/// changed and did not. Names that others chose are written out where they
/// would drive a terminal.
pub fn json(outside: &Outlook, inside: &Outlook) -> serde_json::Value {
    let surprises: Vec<String> = surprises(outside, inside);
    serde_json::json!({
        "version": VERSION,
        "outside": harmless(serde_json::json!(outside)),
        "inside": harmless(serde_json::json!(inside)),
        "surprises": surprises,
    })
}

/// One side alone, for a host on which there is no other.
pub fn one_side(outside: &Outlook) -> serde_json::Value {
    harmless(serde_json::json!(outside))
}

/// The value with every text in it made safe.
fn harmless(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(safe(&text).into_owned()),
        Value::Array(items) => items.into_iter().map(harmless).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, harmless(value))).collect()
        }
        other => other,
    }
}

fn blocks(outside: &Outlook, inside: &Outlook) -> Vec<Block> {
    vec![
        processes(outside, inside),
        namespaces(outside, inside),
        files(outside, inside),
        machine(outside, inside),
        rights(outside, inside),
        acts(outside, inside),
    ]
}

fn processes(outside: &Outlook, inside: &Outlook) -> Block {
    let names = |side: &Outlook| {
        let named: Vec<&str> =
            side.processes.iter().take(NAMED).map(|process| process.name.as_str()).collect();
        match side.processes.len().saturating_sub(NAMED) {
            0 => named.join(", "),
            more => format!("{} and {more} more", named.join(", ")),
        }
    };
    let alone = inside.processes.len() <= 2 && !inside.processes.is_empty();
    Block {
        title: "Processes",
        sentence: "What `ps` lists. A program inside finds itself and its init, nobody else."
            .to_owned(),
        rows: vec![
            row(
                "processes",
                outside.processes.len().to_string(),
                inside.processes.len().to_string(),
                kept(alone),
            ),
            row("their names", names(outside), names(inside), Mark::Plain),
        ],
    }
}

fn namespaces(outside: &Outlook, inside: &Outlook) -> Block {
    const ORDER: [(&str, &str); 8] = [
        ("user", "user: ids, rights"),
        ("mnt", "mnt: files"),
        ("pid", "pid: processes"),
        ("net", "net: network"),
        ("ipc", "ipc: shared memory"),
        ("uts", "uts: host name"),
        ("cgroup", "cgroup: limits"),
        ("time", "time: clock offsets"),
    ];
    let rows = ORDER.into_iter().filter_map(|(name, label)| {
        let numbers = (outside.namespaces.get(name)?, inside.namespaces.get(name)?);
        let same = numbers.0 == numbers.1;
        let (word, mark) = match (same, name) {
            // Nothing is hidden by clock offsets.
            (true, "time") => ("same", Mark::Plain),
            (true, _) => ("same", Mark::Surprise),
            (false, _) => ("different", Mark::Kept),
        };
        Some(row(label, numbers.0.to_string(), format!("{} {word}", numbers.1), mark))
    });
    Block {
        title: "Namespaces",
        sentence: "The kernel's partitions, by the numbers that `lsns` shows. A different number \
                   is a partition of the sandbox's own."
            .to_owned(),
        rows: rows.collect(),
    }
}

fn files(outside: &Outlook, inside: &Outlook) -> Block {
    let mut rows = vec![
        row("mounts", outside.mounts.all.to_string(), inside.mounts.all.to_string(), Mark::Plain),
        row(
            "writable mounts",
            outside.mounts.writable.to_string(),
            inside.mounts.writable.to_string(),
            Mark::Plain,
        ),
        row(
            "with set-user-id",
            outside.mounts.setuid.to_string(),
            inside.mounts.setuid.to_string(),
            kept(inside.mounts.setuid == 0),
        ),
        row("home", outside.home.path.clone(), inside.home.path.clone(), Mark::Plain),
        row("what the home is", home(outside), home(inside), kept(inside.home.kind == "tmpfs")),
        row("entries in it", entries(outside), entries(inside), Mark::Plain),
    ];
    for place in &outside.places {
        let Some(other) = inside.places.iter().find(|other| other.path == place.path) else {
            continue;
        };
        if place.openness == Openness::Absent && other.openness == Openness::Absent {
            continue;
        }
        let mark = match (place.path.as_str(), other.openness) {
            (_, Openness::Absent) => Mark::Kept,
            // This program may lie there, and is shown.
            ("~/Documents", _) => Mark::Plain,
            (path, _) if path.starts_with('~') => Mark::Surprise,
            _ => Mark::Plain,
        };
        let word = |openness| match openness {
            Openness::Absent => "not there",
            Openness::Shut => "there, and shut",
            Openness::Readable => "readable",
        };
        rows.push(row(
            &place.path,
            word(place.openness).to_owned(),
            word(other.openness).to_owned(),
            mark,
        ));
    }
    Block {
        title: "Files",
        sentence: "The system's programs are shown read-only. Of your own files there is what a \
                   manifest grants, and here it grants none."
            .to_owned(),
        rows,
    }
}

fn home(side: &Outlook) -> String {
    let kind = match side.home.kind.as_str() {
        "tmpfs" => "in memory, gone afterwards".to_owned(),
        "" => "not there".to_owned(),
        kind => format!("on {kind}"),
    };
    match side.home.owner {
        Some(owner) if owner == side.rights.uid => format!("yours, {kind}"),
        Some(owner) => format!("user {owner}'s, {kind}"),
        None => kind,
    }
}

fn entries(side: &Outlook) -> String {
    side.home.entries.map_or_else(|| "cannot be listed".to_owned(), |count| count.to_string())
}

fn machine(outside: &Outlook, inside: &Outlook) -> Block {
    let count = |names: &[String]| match names.len() {
        0 => "none".to_owned(),
        count if count <= NAMED => names.join(", "),
        count => format!("{} and {} more", names[..NAMED].join(", "), count - NAMED),
    };
    let passed = inside.variables.iter().filter(|name| outside.variables.contains(name)).count();
    let alone = inside.interfaces.iter().all(|name| name == "lo");
    Block {
        title: "Machine",
        sentence: "What tells one machine, and one person, from another.".to_owned(),
        rows: vec![
            row("host name", outside.hostname.clone(), inside.hostname.clone(), Mark::Plain),
            row(
                "network interfaces",
                count(&outside.interfaces),
                count(&inside.interfaces),
                kept(alone),
            ),
            row(
                "accounts",
                outside.accounts.len().to_string(),
                format!("{}: {}", inside.accounts.len(), count(&inside.accounts)),
                Mark::Plain,
            ),
            row(
                "your variables",
                outside.variables.len().to_string(),
                passed.to_string(),
                Mark::Plain,
            ),
        ],
    }
}

fn rights(outside: &Outlook, inside: &Outlook) -> Block {
    let capabilities = |set: &str| match u64::from_str_radix(set, 16) {
        Ok(0) => "none".to_owned(),
        Ok(bits) => format!("{} ({:#x})", bits.count_ones(), bits),
        Err(_) => "unknown".to_owned(),
    };
    let set = |label, outside: &str, inside: &str| {
        let none = capabilities(inside) == "none";
        row(label, capabilities(outside), capabilities(inside), kept(none))
    };
    let privileges = |side: &Outlook| match side.rights.no_new_privs {
        true => "impossible".to_owned(),
        false => "possible".to_owned(),
    };
    let filter = |side: &Outlook| match side.rights.seccomp {
        0 => "off".to_owned(),
        2 => "on".to_owned(),
        mode => format!("mode {mode}"),
    };
    let landlock = |side: &Outlook| match errno_of(side, Act::BlockDevice) {
        _ if outside.rights.landlock_abi == 0 => "not in this kernel",
        Some(Some(libc::EACCES)) => "on",
        _ => "off",
    };
    Block {
        title: "Rights",
        sentence: "What the kernel would let the process do. Each is given up before the program \
                   starts, and cannot be had back."
            .to_owned(),
        rows: vec![
            row(
                "user id",
                outside.rights.uid.to_string(),
                inside.rights.uid.to_string(),
                Mark::Plain,
            ),
            set("capabilities", &outside.rights.effective, &inside.rights.effective),
            set("ever to be had", &outside.rights.bounding, &inside.rights.bounding),
            row(
                "more by sudo and su",
                privileges(outside),
                privileges(inside),
                kept(inside.rights.no_new_privs),
            ),
            row(
                "system call filter",
                filter(outside),
                filter(inside),
                kept(inside.rights.seccomp == 2),
            ),
            row(
                "landlock",
                landlock(outside).to_owned(),
                landlock(inside).to_owned(),
                kept(landlock(inside) != "off"),
            ),
        ],
    }
}

fn acts(outside: &Outlook, inside: &Outlook) -> Block {
    let rows = Act::ALL.into_iter().filter_map(|act| {
        let (before, after) = (errno_of(outside, act)?, errno_of(inside, act)?);
        Some(row(label(act), went(before), went(after), kept(after.is_some())))
    });
    Block {
        title: "Forbidden acts",
        sentence: "What is tried, and what the kernel answers. An act that is refused outside too \
                   is refused by your host."
            .to_owned(),
        rows: rows.collect(),
    }
}

fn label(act: Act) -> &'static str {
    match act {
        Act::ChangeStartFile => "change ~/.bashrc",
        Act::ChangeKernelSetting => "set the kernel",
        Act::ReachNetwork => "reach the network",
        Act::SignalOutside => "signal a program",
        Act::Trace => "debug a program",
        Act::TypeIntoTerminal => "type into a terminal",
        Act::Keyring => "open the keyring",
        Act::UserNamespace => "new user namespace",
        Act::Mount => "make a file system",
        Act::PacketSocket => "listen to packets",
        Act::Ring => "make an io_uring",
        Act::BlockDevice => "make a block device",
    }
}

/// How an act went on one side; none where it was not tried.
fn errno_of(side: &Outlook, act: Act) -> Option<Option<i32>> {
    side.acts.iter().find(|tried| tried.act == act).map(|tried| tried.errno)
}

fn went(errno: Option<i32>) -> String {
    let Some(errno) = errno else { return "works".to_owned() };
    let (name, words) = match errno {
        libc::EPERM => ("EPERM", "not permitted"),
        libc::EACCES => ("EACCES", "access denied"),
        libc::ENOENT => ("ENOENT", "no such file"),
        libc::ESRCH => ("ESRCH", "no such process"),
        libc::EROFS => ("EROFS", "read-only"),
        libc::ENOSYS => ("ENOSYS", "no such call"),
        libc::EIO => ("EIO", "the kernel refuses"),
        libc::ENOSPC => ("ENOSPC", "no more allowed"),
        libc::ENETUNREACH => ("ENETUNREACH", "no way there"),
        libc::EAFNOSUPPORT => ("EAFNOSUPPORT", "no such"),
        other => return format!("refused (errno {other})"),
    };
    format!("{words} ({name})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::outlook::{Home, Mounts, Place, Process, Rights, Tried};

    const EVIL: &str = "a\u{1b}[2J\u{202e}b";

    fn side(inside: bool) -> Outlook {
        let own = u64::from(inside);
        let errno = if inside { Some(libc::EACCES) } else { None };
        Outlook {
            processes: vec![Process { id: 1, name: "init".into() }],
            namespaces: ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"]
                .into_iter()
                .map(|name| (name.to_owned(), 4_026_531_836 + own))
                .chain([("time".to_owned(), 4_026_531_834)])
                .collect(),
            mounts: Mounts { all: 30, writable: 5, setuid: usize::from(!inside) },
            hostname: "host".into(),
            home: Home {
                path: "/home/ada".into(),
                entries: Some(3),
                owner: Some(1000),
                kind: if inside { "tmpfs" } else { "ext4" }.into(),
            },
            places: vec![Place {
                path: "~/.ssh".into(),
                openness: if inside { Openness::Absent } else { Openness::Readable },
            }],
            interfaces: vec!["lo".into()],
            accounts: vec!["root".into(), "ada".into()],
            rights: Rights {
                uid: 1000,
                effective: "0".into(),
                bounding: if inside { "0" } else { "1ff" }.into(),
                no_new_privs: inside,
                seccomp: if inside { 2 } else { 0 },
                landlock_abi: 7,
            },
            variables: vec!["HOME".into()],
            acts: Act::ALL.into_iter().map(|act| Tried { act, errno }).collect(),
        }
    }

    fn stripped(outside: &Outlook, inside: &Outlook, width: usize) -> String {
        anstream::adapter::strip_str(&text(outside, inside, width)).to_string()
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        for width in [60, 80, 100] {
            let shown = stripped(&side(false), &side(true), width);
            let widest = shown.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(width), "{width}: {widest:?}\n{shown}");
        }
    }

    #[test]
    fn a_sound_sandbox_has_no_surprises() {
        assert_eq!(surprises(&side(false), &side(true)), Vec::<String>::new());
        assert!(!stripped(&side(false), &side(true), 80).contains("Not as it should be"));
    }

    #[test]
    fn every_hole_is_a_surprise() {
        type Hole = fn(&mut Outlook);
        let holes: [(&str, Hole); 10] = [
            ("pid: processes", |inside| {
                inside.namespaces.insert("pid".into(), 4_026_531_836);
            }),
            ("processes", |inside| inside.processes.resize(3, inside.processes[0].clone())),
            ("with set-user-id", |inside| inside.mounts.setuid = 1),
            ("what the home is", |inside| inside.home.kind = "ext4".into()),
            ("~/.ssh", |inside| inside.places[0].openness = Openness::Shut),
            ("network interfaces", |inside| inside.interfaces.push("eth0".into())),
            ("capabilities", |inside| inside.rights.effective = "1".into()),
            ("more by sudo and su", |inside| inside.rights.no_new_privs = false),
            ("system call filter", |inside| inside.rights.seccomp = 0),
            ("debug a program", |inside| {
                let tried = inside.acts.iter_mut().find(|tried| tried.act == Act::Trace);
                tried.unwrap().errno = None;
            }),
        ];
        for (label, hole) in holes {
            let mut inside = side(true);
            hole(&mut inside);
            assert_eq!(surprises(&side(false), &inside), [label]);
            assert!(stripped(&side(false), &inside, 80).contains("Not as it should be"));
        }
        // Without landlock the block device is refused by the kernel alone.
        let mut inside = side(true);
        for tried in &mut inside.acts {
            tried.errno = Some(libc::EPERM);
        }
        assert_eq!(surprises(&side(false), &inside), ["landlock"]);
        let mut outside = side(false);
        outside.rights.landlock_abi = 0;
        assert_eq!(surprises(&outside, &inside), Vec::<String>::new());
        assert!(stripped(&outside, &inside, 80).contains("not in this kernel"));
    }

    #[test]
    fn hostile_names_are_written_out() {
        let mut outside = side(false);
        outside.processes[0].name = EVIL.into();
        outside.hostname = EVIL.into();
        outside.home.path = EVIL.into();
        outside.home.kind = EVIL.into();
        outside.interfaces = vec![EVIL.into()];
        outside.places[0].path = EVIL.into();
        let mut inside = outside.clone();
        inside.accounts = vec![EVIL.into()];
        inside.places[0].openness = Openness::Absent;
        let shown = stripped(&outside, &inside, 80);
        let raw = text(&outside, &inside, 80);
        assert!(!raw.contains("\u{1b}[2J") && !raw.contains('\u{202e}'), "{raw:?}");
        // Names, host name, home twice, kind, interface, place, account; the
        // first four and the interface on both sides.
        assert!(shown.matches("\\u{1b}[2J").count() >= 11, "{shown}");
        let data = json(&outside, &inside).to_string();
        assert!(!data.contains("\u{202e}") && !data.contains("\\u001b"), "{data}");
    }

    #[test]
    fn a_place_that_is_nowhere_is_not_spoken_of() {
        let mut outside = side(false);
        outside.places[0].openness = Openness::Absent;
        assert!(!stripped(&outside, &side(true), 80).contains("~/.ssh"));
    }
}
