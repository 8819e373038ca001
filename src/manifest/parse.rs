//! One file's text to a manifest, or to everything that is wrong with it.

use toml::de::DeTable;

use crate::model::manifest::Manifest;
use crate::model::origin::{Layer, Origin};
use crate::report::{Code, Diagnostic};

use super::closest::closest;
use super::keys::{self, Draft};
use super::reader::{Item, Reader, did_you_mean, kind_of, shortened};
use super::source::Source;
use super::syntax;

/// The most bytes that a manifest may have. Honest ones have a hundredth.
pub const LARGEST: usize = 64 * 1024;

/// Reads a manifest. `file` is what the file is called in reports.
///
/// # Errors
/// Everything that is wrong with the text, in the order of the file.
pub fn parse(text: &[u8], file: &str, layer: Layer) -> Result<Manifest, Vec<Diagnostic>> {
    if text.len() > LARGEST {
        let origin = Source::new("", file, layer).origin(0);
        return Err(vec![too_large(text.len() as u64, &origin)]);
    }
    let text = match str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => return Err(vec![not_text(text, error.valid_up_to(), file, layer)]),
    };
    let source = Source::new(text, file, layer);
    let mut reader = Reader::new(&source);
    if text.starts_with('\u{feff}') {
        reader.report(|source| {
            source
                .error(Code::ManifestSyntax, 0..3, "the file starts with a byte order mark", "")
                .hint("save it as UTF-8 without one")
        });
    }
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    if !errors.is_empty() {
        syntax::report(&mut reader, table.get_ref(), errors);
    }
    let mut draft = Draft::default();
    walk(&mut draft, &mut reader, "", table.get_ref());
    let schema_is_broken = || {
        let mut lines = reader.broken_lines();
        lines.any(|line| line.trim_start().starts_with("schema"))
    };
    if !draft.schema && !schema_is_broken() {
        reader.report(|source| {
            source
                .error(Code::MissingKey, 0..0, "the manifest has no `schema`", "")
                .hint("write `schema = 1` on its first line")
        });
    }
    let reports = reader.into_reports();
    if !reports.is_empty() {
        return Err(reports);
    }
    Ok(Manifest {
        id: draft.id,
        layer,
        file: file.to_owned(),
        extends: draft.extends.items,
        when: draft.when,
        settings: draft.settings,
    })
}

/// The report on a file that is no honest manifest by its length alone.
pub(super) fn too_large(length: u64, origin: &Origin) -> Diagnostic {
    Diagnostic::error(Code::ManifestTooLarge, format!("the manifest has {length} bytes"))
        .at(origin)
        .hint(format!("a manifest has at most {LARGEST} bytes; is this the right file?"))
}

/// The report on bytes that are no text.
fn not_text(bytes: &[u8], at: usize, file: &str, layer: Layer) -> Diagnostic {
    // Up to the first bad byte the lossy text has the same places.
    let source = Source::new(&String::from_utf8_lossy(bytes), file, layer);
    let remark = format!("the byte {:02x} is no part of a character", bytes[at]);
    let span = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
    source
        .error(Code::ManifestSyntax, span, "the manifest is not UTF-8 text", remark)
        .hint("save it as UTF-8")
}

/// Reads all keys of a table.
fn walk(draft: &mut Draft, reader: &mut Reader<'_>, prefix: &str, table: &DeTable<'_>) {
    for (name, value) in table {
        // What the TOML parser made of a line that it gave up on is no more
        // than a guess; only tables go on behind it.
        let guessed = reader.is_broken(name.span().start) || reader.is_broken(value.span().start);
        let inner = value.get_ref().as_table();
        if let (Some(full), Some(inner)) = (keys::find_table(prefix, name.get_ref()), inner) {
            walk(draft, reader, full, inner);
        } else if guessed {
            continue;
        } else if let Some(key) = keys::find(prefix, name.get_ref()) {
            (key.read)(draft, reader, &Item::new(key, value));
        } else if let Some(full) = keys::find_table(prefix, name.get_ref()) {
            let found = kind_of(value.get_ref());
            reader.report(|source| {
                let message = format!("`{full}` must be a table, not {found}");
                source
                    .error(Code::WrongType, name.span(), message, format!("this is {found}"))
                    .hint(format!("write [{full}] and its keys beneath"))
            });
        } else {
            reader.report(|source| unknown(source, prefix, name.get_ref(), name.span()));
        }
    }
}

/// The report on a key that the grammar does not have.
fn unknown(source: &Source, table: &str, name: &str, span: std::ops::Range<usize>) -> Diagnostic {
    let place = if table.is_empty() { String::new() } else { format!(" in [{table}]") };
    let message = format!("unknown key `{}`{place}", shortened(name));
    let homes = keys::homes_of(name, table);
    if homes.is_empty() {
        let guess = closest(name, keys::names_in(table));
        return source.error(Code::UnknownKey, span, message, did_you_mean(guess));
    }
    let homes: Vec<String> = homes
        .into_iter()
        .map(|home| match home {
            "" => "the top of the file, above all tables".to_owned(),
            home => format!("[{home}]"),
        })
        .collect();
    let remark = format!("it belongs into {}", homes.join(" or "));
    source.error(Code::UnknownKey, span, message, remark)
}

#[cfg(test)]
mod tests;
