//! The one place that turns a diagnostic into what is seen: lines for a
//! terminal, or its twin in JSON. Whatever the text came from, it leaves here
//! without a character that a terminal would act on.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstyle::{AnsiColor, Style};

use super::diagnostic::{Diagnostic, Label, Severity};
use super::escape;

/// How far left the frame of a rendering stands when no line number widens it.
const GUTTER: usize = 2;

/// The longest excerpt in lines. A label further away is pointed at by its
/// own line, without its text.
const LONGEST_EXCERPT: usize = 200;

/// A diagnostic as lines, each ended, with colours or without.
pub fn text(diagnostic: &Diagnostic, colour: bool) -> String {
    let paint = |style: Style| if colour { style } else { Style::new() };
    let severity = paint(match diagnostic.severity {
        Severity::Error => AnsiColor::BrightRed.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        Severity::Note => AnsiColor::BrightGreen.on_default().bold(),
    });
    let bold = paint(Style::new().bold());
    let frame = paint(AnsiColor::BrightBlue.on_default().bold());
    let hint = paint(AnsiColor::BrightCyan.on_default().bold());

    let mut excerpt = Excerpt::of(diagnostic);
    let gutter = excerpt.as_ref().map_or(GUTTER, Excerpt::gutter);
    let mut out = String::new();
    // Writing to a String cannot fail, so the results below say nothing.
    let _ = write!(out, "{severity}{}", word(diagnostic.severity));
    if let Some(code) = diagnostic.code {
        let _ = write!(out, "[{}]", code.text());
    }
    let _ = writeln!(out, "{severity:#}{bold}: {}{bold:#}", escape::safe(&diagnostic.message));
    for label in &diagnostic.labels {
        // Labels inside the excerpt but the first are seen there.
        let first = std::ptr::eq(label, &diagnostic.labels[0]);
        let shown = excerpt.as_ref().is_some_and(|excerpt| excerpt.holds(label));
        if shown && !first && excerpt.as_ref().is_some_and(|excerpt| excerpt.printed) {
            continue;
        }
        let origin = label.origin.to_string();
        let _ = write!(out, "{:gutter$}{frame}-->{frame:#} {}", "", escape::safe(&origin));
        match &mut excerpt {
            Some(excerpt) if shown && !excerpt.printed => {
                let _ = write!(out, "\n{}", excerpt.render(diagnostic, colour));
                excerpt.printed = true;
            }
            _ if !label.text.is_empty() => {
                let _ = write!(out, ": {}", escape::safe(&label.text));
            }
            _ => {}
        }
        out.push('\n');
    }
    for cause in &diagnostic.causes {
        let _ = writeln!(out, "{:gutter$}{bold}because:{bold:#} {}", "", escape::safe(cause));
    }
    for text in &diagnostic.hints {
        let _ = writeln!(out, "{:gutter$}{hint}hint:{hint:#} {}", "", escape::safe(text));
    }
    out
}

/// Writes diagnostics to stderr, coloured where that is a terminal that wants
/// colours.
pub fn print(diagnostics: &[Diagnostic]) {
    let stderr = std::io::stderr();
    let colour = stderr.is_terminal()
        && anstream::AutoStream::choice(&stderr) != anstream::ColorChoice::Never;
    let all: Vec<String> = diagnostics.iter().map(|one| text(one, colour)).collect();
    // Where stderr itself is gone there is nobody left to tell.
    let _ = stderr.lock().write_all(all.join("\n").as_bytes());
}

/// The same as data. Its text is as harmless as that for people, since JSON
/// is read on terminals too and does not itself escape what C1 and bidi
/// control characters do.
pub fn json(diagnostics: &[Diagnostic]) -> serde_json::Value {
    diagnostics.iter().map(one_json).collect()
}

fn one_json(diagnostic: &Diagnostic) -> serde_json::Value {
    let labels: Vec<_> = diagnostic.labels.iter().map(label_json).collect();
    let safe = |texts: &[String]| -> Vec<String> {
        texts.iter().map(|text| escape::safe(text).into_owned()).collect()
    };
    serde_json::json!({
        "severity": word(diagnostic.severity),
        "code": diagnostic.code.map(|code| code.text()),
        "message": escape::safe(&diagnostic.message),
        "labels": labels,
        "causes": safe(&diagnostic.causes),
        "hints": safe(&diagnostic.hints),
    })
}

fn label_json(label: &Label) -> serde_json::Value {
    serde_json::json!({
        "file": escape::safe(&label.origin.file),
        "line": label.origin.line,
        "column": label.origin.column,
        "layer": label.origin.layer,
        "span": label.span,
        "text": escape::safe(&label.text),
    })
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// The lines of the source that are shown, and which labels point into them.
struct Excerpt<'a> {
    source: &'a str,
    file: &'a str,
    /// The byte range of whole lines.
    lines: Range<usize>,
    /// The number of the first of them.
    first: usize,
    /// The number of the last of them.
    last: usize,
    printed: bool,
}

impl<'a> Excerpt<'a> {
    fn of(diagnostic: &'a Diagnostic) -> Option<Excerpt<'a>> {
        let source: &str = diagnostic.source.as_ref()?;
        let decisive = diagnostic.labels.iter().find(|label| label.span.is_some())?;
        let file: &str = &decisive.origin.file;
        let start = floor(source, decisive.span?.0);
        let mut lines = line_around(source, start);
        let mut first = 1 + source[..lines.start].matches('\n').count();
        let mut last = first;
        for label in &diagnostic.labels {
            let Some((start, _)) = label.span else {
                continue;
            };
            if *label.origin.file != *file {
                continue;
            }
            let other = line_around(source, floor(source, start));
            let number = 1 + source[..other.start].matches('\n').count();
            if number.max(last) - number.min(first) < LONGEST_EXCERPT {
                lines = lines.start.min(other.start)..lines.end.max(other.end);
                first = first.min(number);
                last = last.max(number);
            }
        }
        Some(Excerpt { source, file, lines, first, last, printed: false })
    }

    /// The width of the largest line number, so that arrow and frame line up.
    fn gutter(&self) -> usize {
        self.last.ilog10() as usize + 1
    }

    fn holds(&self, label: &Label) -> bool {
        *label.origin.file == *self.file
            && label.span.is_some_and(|(start, _)| {
                let start = floor(self.source, start);
                self.lines.start <= start && start <= self.lines.end
            })
    }

    fn render(&self, diagnostic: &Diagnostic, colour: bool) -> String {
        let clean = Clean::new(&self.source[self.lines.clone()]);
        let mut snippet = Snippet::source(clean.text.as_str()).line_start(self.first);
        let mut kind = AnnotationKind::Primary;
        for label in diagnostic.labels.iter().filter(|label| self.holds(label)) {
            let Some((start, end)) = label.span else {
                continue;
            };
            let start = floor(self.source, start);
            // One line of a longer span says where it is; drawing all of it
            // buries the rest.
            let line = line_around(self.source, start);
            let end = floor(self.source, end).clamp(start, line.end.max(start));
            let span = clean.place(start - self.lines.start)..clean.place(end - self.lines.start);
            let note = escape::safe(&label.text).into_owned();
            let mut annotation = kind.span(span);
            if !note.is_empty() {
                annotation = annotation.label(note);
            }
            snippet = snippet.annotation(annotation);
            kind = AnnotationKind::Context;
        }
        let level = match diagnostic.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[Group::with_level(level).element(snippet)])
    }
}

/// The largest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The line that holds the byte `at`, without its end.
fn line_around(text: &str, at: usize) -> Range<usize> {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    start..end
}

/// An excerpt with its hostile characters written out, and where each of its
/// places went. annotate-snippets replaces some of them by itself, but leaves
/// C1 controls, direction marks and most zero-width characters alone.
struct Clean {
    text: String,
    /// For each character that grew: the byte after it before, and after.
    moved: Vec<(usize, usize)>,
}

impl Clean {
    fn new(text: &str) -> Clean {
        let mut out = String::with_capacity(text.len());
        let mut moved = Vec::new();
        for (at, c) in text.char_indices() {
            // Line ends are the excerpt's own, tabs its indentation.
            let line_end = c == '\r' && text[at + 1..].starts_with('\n');
            if c == '\n' || c == '\t' || line_end {
                out.push(c);
            } else {
                escape::push(&mut out, c);
                if escape::is_hostile(c) {
                    moved.push((at + c.len_utf8(), out.len()));
                }
            }
        }
        Clean { text: out, moved }
    }

    /// Where a character boundary of the old text stands in the new one.
    fn place(&self, at: usize) -> usize {
        let after = self.moved.partition_point(|(old, _)| *old <= at);
        match after.checked_sub(1) {
            Some(last) => self.moved[last].1 + (at - self.moved[last].0),
            None => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::origin::{Layer, Origin};
    use crate::report::Code;

    fn origin(line: u32, column: u32) -> Origin {
        Origin { layer: Layer::Vendor, file: Arc::from("/m/a.toml"), line, column }
    }

    #[test]
    fn with_excerpt() {
        let source: Arc<str> = Arc::from("schema = 1\n\n[filesytem]\nread = []\n");
        let diagnostic = Diagnostic::error(Code::UnknownKey, "unknown key `filesytem`")
            .within(&origin(3, 2), &source, 13..22, "did you mean `filesystem`?")
            .because("the grammar has no such table")
            .hint("write `filesystem`");
        assert_eq!(
            text(&diagnostic, false),
            "error[E0103]: unknown key `filesytem`\n \
             --> /m/a.toml:3:2 (layer: vendor)\n  \
             |\n\
             3 | [filesytem]\n  \
             |  ^^^^^^^^^ did you mean `filesystem`?\n \
             because: the grammar has no such table\n \
             hint: write `filesystem`\n"
        );
    }

    #[test]
    fn two_places_of_one_file() {
        let source: Arc<str> = Arc::from("a = 1\nb = 2\nc = 3\nd = 4\na = 5\n");
        let diagnostic = Diagnostic::error(Code::ManifestSyntax, "`a` stands twice")
            .within(&origin(5, 1), &source, 24..25, "again here")
            .within(&origin(1, 1), &source, 0..1, "first here");
        let shown = text(&diagnostic, false);
        assert_eq!(shown.matches("-->").count(), 1, "{shown}");
        assert!(shown.contains("5 | a = 5\n  | ^ again here"), "{shown}");
        assert!(shown.contains("1 | a = 1\n  | - first here"), "{shown}");
        assert!(!shown.contains("c = 3"), "{shown}");
    }

    #[test]
    fn without_excerpt() {
        let diagnostic =
            Diagnostic::warning("nothing to do").at(&origin(4, 7)).at(&Origin::builtin("defaults"));
        assert_eq!(
            text(&diagnostic, false),
            "warning: nothing to do\n  --> /m/a.toml:4:7 (layer: vendor)\n  --> builtin: defaults\n"
        );
    }

    #[test]
    fn colours_only_when_asked_for() {
        let source: Arc<str> = Arc::from("x = 1\n");
        let diagnostic = Diagnostic::error(Code::UnknownKey, "unknown key `x`").within(
            &origin(1, 1),
            &source,
            0..1,
            "here",
        );
        assert!(text(&diagnostic, true).contains("\u{1b}["));
        assert!(!text(&diagnostic, false).contains('\u{1b}'));
    }

    #[test]
    fn hostile_text_is_harmless_everywhere() {
        let evil = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\u{200e}\u{61c}\u{2028}\u{200b}\r\0";
        let source: Arc<str> = Arc::from(format!("a = '{evil}' # {evil}\n"));
        let origin = Origin { file: Arc::from(evil), ..origin(1, 1) };
        let diagnostic = Diagnostic::error(Code::BadValue, format!("bad {evil}\n"))
            .within(&origin, &source, 4..5, evil)
            .at(&Origin { file: Arc::from(format!("other{evil}")), ..origin.clone() })
            .because(evil)
            .hint(evil);
        let shown = text(&diagnostic, false);
        let bad = shown.chars().find(|&c| c != '\n' && escape::is_hostile(c));
        assert_eq!(bad, None, "{shown}");
        assert!(shown.contains("bad \\u{1b}]0;x\\u{7}\\u{9b}2J\\u{202e}"), "{shown}");
        let data = json(&[diagnostic]).to_string();
        assert!(!data.contains(escape::is_hostile), "{data}");
    }

    #[test]
    fn carets_stay_under_their_text_behind_escapes() {
        let line = "a = '\u{1b}[31m' # \u{202e} bad";
        let source: Arc<str> = Arc::from(line);
        let start = line.find("bad").unwrap();
        let diagnostic = Diagnostic::error(Code::BadValue, "x").within(
            &origin(1, 17),
            &source,
            start..start + 3,
            "this",
        );
        let shown = text(&diagnostic, false);
        let lines: Vec<&str> = shown.lines().collect();
        let text_line = lines.iter().position(|line| line.contains("bad")).unwrap();
        assert_eq!(lines[text_line].find("bad"), lines[text_line + 1].find("^^^ this"), "{shown}");
        assert!(lines[text_line].contains("\\u{1b}[31m"), "{shown}");
    }

    #[test]
    fn odd_spans_do_not_panic() {
        let source: Arc<str> = Arc::from("ä = 'ö\u{1b}'\r\nü = 1");
        for start in 0..=source.len() + 2 {
            for end in start..=source.len() + 2 {
                let diagnostic = Diagnostic::error(Code::BadValue, "x").within(
                    &origin(1, 1),
                    &source,
                    start..end,
                    "y",
                );
                assert!(text(&diagnostic, false).contains("^ y"), "{start}..{end}");
            }
        }
        let empty: Arc<str> = Arc::from("");
        let diagnostic =
            Diagnostic::error(Code::BadValue, "x").within(&origin(1, 1), &empty, 0..0, "y");
        assert!(text(&diagnostic, false).starts_with("error[E0105]: x\n"));
    }

    #[test]
    fn a_far_label_has_its_own_line() {
        let source: Arc<str> = Arc::from("a\n".repeat(1000));
        let diagnostic = Diagnostic::error(Code::BadValue, "x")
            .within(&origin(900, 1), &source, 1798..1799, "near")
            .within(&origin(1, 1), &source, 0..1, "far");
        let shown = text(&diagnostic, false);
        assert!(shown.contains("900 | a\n    | ^ near\n"), "{shown}");
        assert!(shown.contains("--> /m/a.toml:1:1 (layer: vendor): far\n"), "{shown}");
    }

    #[test]
    fn json_has_every_part() {
        let source: Arc<str> = Arc::from("x = 1\n");
        let diagnostic = Diagnostic::error(Code::UnknownKey, "unknown key `x`")
            .within(&origin(1, 1), &source, 0..1, "here")
            .because("why")
            .hint("what");
        assert_eq!(
            json(&[diagnostic, Diagnostic::note("n")]),
            serde_json::json!([
                {
                    "severity": "error",
                    "code": "E0103",
                    "message": "unknown key `x`",
                    "labels": [{
                        "file": "/m/a.toml",
                        "line": 1,
                        "column": 1,
                        "layer": "vendor",
                        "span": [0, 1],
                        "text": "here"
                    }],
                    "causes": ["why"],
                    "hints": ["what"]
                },
                {
                    "severity": "note",
                    "code": null,
                    "message": "n",
                    "labels": [],
                    "causes": [],
                    "hints": []
                }
            ])
        );
    }
}
