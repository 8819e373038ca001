//! What the TOML parser found, in our words: where a key was stated before,
//! where an array began that has no end, what a character is that is not seen.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::report::{Code, Diagnostic};

use super::reader::{Reader, shortened};
use super::source::Source;

type Table<'t> = DeTable<'t>;
type Value<'t> = Spanned<DeValue<'t>>;

/// Files a report for every error that the parser found.
pub(super) fn report(reader: &mut Reader<'_>, table: &Table<'_>, errors: Vec<Error>) {
    let source = reader.source;
    let end = source.text.len();
    let errors: Vec<(Range<usize>, Error)> = errors
        .into_iter()
        .map(|error| {
            let span = error.span().unwrap_or(0..0);
            (span.start.min(end)..span.end.min(end), error)
        })
        .collect();
    // What has no end swallows the rest of the file, and every line of the
    // rest is then one more error. Only its beginning is worth a report.
    let open = errors
        .iter()
        .filter(|(_, error)| error.message().starts_with("unclosed "))
        .filter_map(|(span, error)| Some((opening(source, table, span.start)?, error)))
        .min_by_key(|(span, _)| span.start);
    if let Some((start, error)) = &open {
        reader.report_broken(start.start, |source| {
            let message = format!("this is not TOML: {}", error.message());
            source.error(Code::ManifestSyntax, start.clone(), message, "it begins here")
        });
    }
    for (span, error) in &errors {
        if open.as_ref().is_some_and(|(start, _)| span.start >= start.start) {
            continue;
        }
        if error.message() == "duplicate key" {
            // The line is well understood, and so is the rest of it.
            reader.report(|source| twice(source, table, span.clone()));
            continue;
        }
        reader.report_broken(span.start, |source| {
            let (message, remark) = wording(source, table, span, error.message());
            source.error(Code::ManifestSyntax, span.clone(), message, remark)
        });
    }
    // The lines that were swallowed are not judged either.
    if let Some((start, _)) = open {
        for line in source.line(start.start)..=source.line(end) {
            reader.mark_broken(line);
        }
    }
}

/// Where the outermost array or inline table begins that reaches up to `at`.
fn opening(source: &Source, table: &Table<'_>, at: usize) -> Option<Range<usize>> {
    for (_, value) in table {
        let span = value.span();
        let bracket = source.text.as_bytes().get(span.start);
        match value.get_ref() {
            DeValue::Array(_) if bracket == Some(&b'[') && span.end >= at => {
                return Some(span.start..span.start + 1);
            }
            DeValue::Table(_) if bracket == Some(&b'{') && span.end >= at => {
                return Some(span.start..span.start + 1);
            }
            DeValue::Table(inner) => {
                if let Some(found) = opening(source, inner, at) {
                    return Some(found);
                }
            }
            _ => {}
        }
    }
    None
}

/// What to say about an error, and what beneath the place.
fn wording(
    source: &Source,
    table: &Table<'_>,
    span: &Range<usize>,
    message: &str,
) -> (String, String) {
    let bad = source.text.get(span.start..).and_then(|rest| rest.chars().next());
    if let Some(bad) = bad
        && bad.is_control()
        && !matches!(bad, '\n' | '\r' | '\t')
    {
        let where_to = key_around(table, span.start, "")
            .map_or_else(|| "the file".to_owned(), |key| format!("the value of `{key}`"));
        let message = format!("{where_to} has a control character (U+{:04X})", u32::from(bad));
        return (message, "this is it".to_owned());
    }
    if message.starts_with("string values must be quoted") {
        return if span.is_empty() {
            ("a key has no value".to_owned(), "something must stand here".to_owned())
        } else {
            ("a string has no quotes".to_owned(), "put this into quotes".to_owned())
        };
    }
    (format!("this is not TOML: {message}"), String::new())
}

/// The dotted name of the key whose value holds the byte `at`.
fn key_around(table: &Table<'_>, at: usize, prefix: &str) -> Option<String> {
    for (key, value) in table {
        let name = || format!("{prefix}{}", shortened(key.get_ref()));
        if let DeValue::Table(inner) = value.get_ref()
            && let Some(found) = key_around(inner, at, &format!("{}.", name()))
        {
            return Some(found);
        }
        if value.span().contains(&at) && !value.get_ref().is_table() {
            return Some(name());
        }
    }
    None
}

/// A key or table that stands twice, with both places.
fn twice(source: &Source, table: &Table<'_>, span: Range<usize>) -> Diagnostic {
    let name = shortened(&source.text[span.clone()]);
    let line = source.line(span.start);
    let is_header = source.line_text(line).trim_start().starts_with('[');
    let first =
        if is_header { header_before(source, line) } else { key_before(source, table, &span) };
    let message = if is_header {
        let header = source.line_text(line).trim();
        let header = header.split_once('#').map_or(header, |(header, _)| header.trim_end());
        format!("the table {} stands twice", shortened(header))
    } else {
        format!("the key `{name}` stands twice")
    };
    let error = source
        .error(Code::ManifestSyntax, span, message, "this is the second")
        .hint("keep one of them");
    match first {
        Some(first) => {
            let origin = source.origin(first.start);
            error.within(&origin, &source.text, first, "this is the first")
        }
        None => error,
    }
}

/// The name in a line that is a table's header, and where it starts therein.
fn header(line: &str) -> Option<(usize, &str)> {
    let start = line.find(|c: char| !c.is_whitespace())?;
    let inner = line[start..].strip_prefix('[')?;
    let name = &inner[..inner.find(']')?];
    let blank = name.len() - name.trim_start().len();
    Some((start + 1 + blank, name.trim()))
}

/// The header of the same table above a line. The parsed table knows only the
/// last of its headers.
fn header_before(source: &Source, line: usize) -> Option<Range<usize>> {
    let (_, name) = header(source.line_text(line))?;
    (0..line).find_map(|earlier| {
        let (start, other) = header(source.line_text(earlier))?;
        let start = source.line_start(earlier) + start;
        (other == name).then(|| start..start + name.len())
    })
}

/// The first statement of a key that is stated again at `span`.
fn key_before(source: &Source, root: &Table<'_>, span: &Range<usize>) -> Option<Range<usize>> {
    let bytes = source.text.as_bytes();
    let at = span.start;
    // The table of the header above, then inwards through what is around.
    let mut table = root;
    let mut best = 0;
    header_above(bytes, root, at, &mut best, &mut table);
    let mut start = source.line_start(source.line(at));
    while let Some((value, inner)) = table.iter().find_map(|(_, value)| around(value, at)) {
        start = value.start + 1;
        table = inner;
    }
    // What stands before the key on its line, or behind the last comma, is
    // the path of a dotted key.
    let before = source.text.get(start..at)?;
    let before = before.rsplit([',', '{', '\n']).next().unwrap_or(before);
    for part in before.split('.').map(|part| part.trim().trim_matches(['"', '\''])) {
        if part.is_empty() {
            continue;
        }
        table = table.get(part)?.get_ref().as_table()?;
    }
    let name = source.text.get(span.clone())?.trim_matches(['"', '\'']);
    let first = table.get_key_value(name)?.0.span();
    (first.start < at).then_some(first)
}

/// Finds the table whose header is the last before `at`.
fn header_above<'a, 't>(
    bytes: &[u8],
    table: &'a Table<'t>,
    at: usize,
    best: &mut usize,
    found: &mut &'a Table<'t>,
) {
    for (_, value) in table {
        let start = value.span().start;
        if let DeValue::Table(inner) = value.get_ref()
            && bytes.get(start) != Some(&b'{')
        {
            if bytes.get(start) == Some(&b'[') && (*best..at).contains(&start) {
                *best = start;
                *found = inner;
            }
            header_above(bytes, inner, at, best, found);
        }
    }
}

/// The inline table in or at a value that holds the byte `at`.
fn around<'a, 't>(value: &'a Value<'t>, at: usize) -> Option<(Range<usize>, &'a Table<'t>)> {
    match value.get_ref() {
        DeValue::Table(inner) if value.span().contains(&at) => Some((value.span(), inner)),
        // A dotted key's table has the span of a part of the key.
        DeValue::Table(inner) => inner.iter().find_map(|(_, value)| around(value, at)),
        DeValue::Array(array) if value.span().contains(&at) => {
            array.iter().find_map(|value| around(value, at))
        }
        _ => None,
    }
}
