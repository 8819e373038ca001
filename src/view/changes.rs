//! What an edit of a manifest changes: its lines, and what they mean.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use crate::report::escape::safe;

use super::show::{LineKind, Shown};

const GONE: Style = AnsiColor::Red.on_default();
const CAME: Style = AnsiColor::Green.on_default();

/// A line that stands in one of two texts only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// Whether it is in the new text.
    pub came: bool,
    /// Its number there, from 1.
    pub number: usize,
    /// The line.
    pub text: String,
}

/// The lines in which two texts differ, in their order.
pub fn lines(old: &str, new: &str) -> Vec<Edited> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // What both begin and end with need not be compared; the rest of a
    // manifest is short.
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - head;
    let tail =
        old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    // The length of the longest common part of what follows.
    let mut common = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] = match a[i] == b[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut edits) = (0, 0, Vec::new());
    let edit =
        |came, at: usize, text: &str| Edited { came, number: head + at + 1, text: text.to_owned() };
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && common[i + 1][j] >= common[i][j + 1]) {
            edits.push(edit(false, i, a[i]));
            i += 1;
        } else {
            edits.push(edit(true, j, b[j]));
            j += 1;
        }
    }
    edits
}

/// The lines as a person reads them.
pub fn text(edits: &[Edited]) -> String {
    let mut out = String::new();
    for edit in edits.iter().filter(|edit| !edit.text.trim().is_empty()) {
        let (style, sign) = if edit.came { (CAME, '+') } else { (GONE, '-') };
        // Writing to a String cannot fail.
        let line = safe(&edit.text);
        let _ = writeln!(out, "  {style}{sign}{:>4}  {line}{style:#}", edit.number);
    }
    out
}

/// What is otherwise between two looks at an application, in the words of
/// `pinfold show`.
pub fn meaning(before: &Shown, after: &Shown) -> String {
    let mut out = String::new();
    let only = |these: &Shown, those: &Shown, style: Style, sign: char, out: &mut String| {
        for (section, line) in these.statements() {
            let is_said = those.statements().any(|(other, same)| {
                other == section && same.kind == line.kind && same.text == line.text
            });
            // How a sandbox is built follows from the rest.
            let is_telling =
                !matches!(section, "confinement" | "everybody") && line.kind != LineKind::Note;
            if is_telling && !is_said {
                let risk = if line.kind == LineKind::Risk { "risk: " } else { "" };
                let _ = writeln!(out, "  {style}{sign} {risk}{}{style:#}", line.text);
            }
        }
    };
    only(before, after, GONE, '-', &mut out);
    only(after, before, CAME, '+', &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(old: &str, new: &str) -> Vec<String> {
        let edits = lines(old, new).into_iter();
        edits
            .map(|e| format!("{}{} {}", if e.came { '+' } else { '-' }, e.number, e.text))
            .collect()
    }

    #[test]
    fn changed_lines() {
        assert_eq!(plain("a\nb\nc\n", "a\nb\nc\n"), [""; 0]);
        assert_eq!(plain("a\nb\nc\n", "a\nx\nc\n"), ["-2 b", "+2 x"]);
        assert_eq!(plain("", "a\n"), ["+1 a"]);
        assert_eq!(plain("a\na\n", "a\n"), ["-2 a"]);
        assert_eq!(plain("a\nb\nc\nd\n", "b\nd\ne\n"), ["-1 a", "-3 c", "+3 e"]);
        let shown = text(&lines("", "x = \"\u{1b}[2J\"\n"));
        assert!(anstream::adapter::strip_str(&shown).to_string().contains("\\u{1b}[2J"), "{shown}");
    }

    proptest! {
        /// Taking out what went and putting in what came makes one of the
        /// other.
        #[test]
        fn the_difference_is_the_difference(old in "[ab\n]{0,12}", new in "[ab\n]{0,12}") {
            let edits = lines(&old, &new);
            let mut made: Vec<&str> = old.lines().collect();
            for edit in edits.iter().rev().filter(|edit| !edit.came) {
                prop_assert_eq!(made.remove(edit.number - 1), edit.text.as_str());
            }
            for edit in edits.iter().filter(|edit| edit.came) {
                made.insert(edit.number - 1, &edit.text);
            }
            prop_assert_eq!(made, new.lines().collect::<Vec<_>>());
        }
    }
}
