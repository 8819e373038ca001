//! `pinfold doctor` as text.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::host::doctor::{Check, Report, Status, Topic, Verdict};
use crate::report::escape::safe;

use super::layout::wrapped;

/// Between the columns, and before a line.
const GAP: usize = 2;
/// As wide as the longest status.
const STATUS_WIDTH: usize = 8;
/// Less than this for the last column is no column any more.
const NARROWEST: usize = 24;

/// The report as lines of at most `width` columns, but for commands, which
/// stay whole so that they can be copied. It holds colours: print it through
/// `anstream`, which takes them out where nobody sees them.
pub fn text(report: &Report, width: usize) -> String {
    let mut out = String::new();
    for (topic, title) in [(Topic::Isolation, "Isolation"), (Topic::Desktop, "Desktop")] {
        let bold = Style::new().bold();
        line(&mut out, format_args!("{bold}{title}{bold:#}"));
        some(&mut out, report, width, |check| check.topic == topic);
        out.push('\n');
    }
    conclusion(&mut out, report, width);
    out
}

/// What keeps sandboxes from being built, with the remedies, in the same
/// shape; nothing else.
pub fn blocking(report: &Report, width: usize) -> String {
    let mut out = String::new();
    some(&mut out, report, width, |check| {
        check.topic == Topic::Isolation && check.status == Status::Blocking
    });
    conclusion(&mut out, report, width);
    out
}

/// The checks that are wanted, in columns that fit all.
fn some(out: &mut String, report: &Report, width: usize, wanted: impl Fn(&Check) -> bool) {
    let names = report.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    let indent = GAP + STATUS_WIDTH + GAP + names + GAP;
    let room = width.saturating_sub(indent).max(NARROWEST);
    for check in report.checks.iter().filter(|check| wanted(check)) {
        one(out, check, names, indent, room);
    }
}

fn conclusion(out: &mut String, report: &Report, width: usize) {
    let style = style(match report.verdict {
        Verdict::Ready => Status::Good,
        Verdict::Reduced => Status::Degraded,
        Verdict::Impossible => Status::Blocking,
    });
    for words in wrapped(&verdict(report), width.max(NARROWEST)) {
        line(out, format_args!("{style}{words}{style:#}"));
    }
}

fn one(out: &mut String, check: &Check, names: usize, indent: usize, room: usize) {
    let style = style(check.status);
    let mut found = check.found.lines().flat_map(|line| wrapped(&safe(line), room));
    let first = found.next().unwrap_or_default();
    let (status, name) = (check.status.word(), &check.name);
    line(out, format_args!("  {style}{status:STATUS_WIDTH$}{style:#}  {name:names$}  {first}"));
    for words in found.chain(wrapped(&safe(&check.means), room)) {
        line(out, format_args!("{:indent$}{words}", ""));
    }
    for (number, command) in check.remedy.iter().flat_map(|remedy| remedy.lines()).enumerate() {
        let lead = if number == 0 { "fix: " } else { "     " };
        line(out, format_args!("{:indent$}{lead}{}", "", safe(command)));
    }
}

fn line(out: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{words}");
}

fn style(status: Status) -> Style {
    match status {
        Status::Good => AnsiColor::Green.on_default(),
        Status::Degraded => AnsiColor::Yellow.on_default(),
        Status::Blocking => AnsiColor::Red.on_default().bold(),
    }
}

fn verdict(report: &Report) -> String {
    let count = |status| {
        report
            .checks
            .iter()
            .filter(|check| check.topic == Topic::Isolation && check.status == status)
            .count()
    };
    match report.verdict {
        Verdict::Ready => {
            "Sandboxes can be built here, with everything that Pinfold can enforce.".to_owned()
        }
        Verdict::Reduced => format!(
            "Sandboxes can be built here; {} less than it could be.",
            things(count(Status::Degraded))
        ),
        Verdict::Impossible => format!(
            "No sandbox can be built here until {} put right.",
            things(count(Status::Blocking))
        ),
    }
}

fn things(count: usize) -> String {
    match count {
        1 => "one thing is".to_owned(),
        more => format!("{more} things are"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdict: Verdict, checks: Vec<Check>) -> Report {
        Report { verdict, checks }
    }

    fn check(name: &str, status: Status, found: &str, remedy: Option<&str>) -> Check {
        Check {
            name: name.to_owned(),
            topic: Topic::Isolation,
            status,
            found: found.to_owned(),
            means: "It means a thing that takes more than one line to be told.".to_owned(),
            remedy: remedy.map(str::to_owned),
        }
    }

    /// The text as it stands in a file.
    fn stripped(report: &Report, width: usize) -> String {
        anstream::adapter::strip_str(&text(report, width)).to_string()
    }

    #[test]
    fn columns_line_up_and_commands_stay_whole() {
        let remedy = "sudo sysctl -w a.rather.long.name.of.a.switch=1\nsecond";
        let report = report(
            Verdict::Impossible,
            vec![
                check("kernel", Status::Good, "6.18", None),
                check("user-namespaces", Status::Blocking, "refused", Some(remedy)),
            ],
        );
        assert_eq!(
            stripped(&report, 66),
            "Isolation\n\
             \x20 good      kernel           6.18\n\
             \x20                            It means a thing that takes more than\n\
             \x20                            one line to be told.\n\
             \x20 blocking  user-namespaces  refused\n\
             \x20                            It means a thing that takes more than\n\
             \x20                            one line to be told.\n\
             \x20                            fix: sudo sysctl -w a.rather.long.name.of.a.switch=1\n\
             \x20                                 second\n\
             \n\
             Desktop\n\
             \n\
             No sandbox can be built here until one thing is put right.\n"
        );
    }

    #[test]
    fn the_hosts_texts_cannot_drive_the_terminal() {
        let hostile =
            report(Verdict::Reduced, vec![check("x", Status::Degraded, "a\u{1b}[2Jb\u{7}", None)]);
        let shown = stripped(&hostile, 80);
        assert!(shown.contains("a\\u{1b}[2Jb\\u{7}"), "{shown:?}");
        assert!(text(&hostile, 80).contains("\u{1b}[33m"), "the status has its colour");
    }

    #[test]
    fn what_blocks_stands_alone_with_its_remedy() {
        let mut desktop = check("wayland", Status::Blocking, "none", Some("no"));
        desktop.topic = Topic::Desktop;
        let report = report(
            Verdict::Impossible,
            vec![
                check("kernel", Status::Good, "6.18", Some("no")),
                check("landlock", Status::Degraded, "none", Some("no")),
                check("proc", Status::Blocking, "covered", Some("uncover it")),
                desktop,
            ],
        );
        let shown = anstream::adapter::strip_str(&blocking(&report, 120)).to_string();
        assert!(shown.starts_with("  blocking  proc      covered\n"), "{shown}");
        assert!(shown.contains("fix: uncover it\n") && !shown.contains("fix: no"), "{shown}");
        assert!(shown.ends_with("No sandbox can be built here until one thing is put right.\n"));
    }

    #[test]
    fn a_narrow_terminal_still_shows_everything() {
        let report = report(Verdict::Ready, vec![check("kernel", Status::Good, "6.18", None)]);
        let words = |text: String| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(stripped(&report, 1)), words(stripped(&report, 200)));
    }
}
