//! The text of a file that is to be imported: read with a bound, and refused
//! as a whole where it is no plain text.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use crate::manifest::source::Source;
use crate::model::origin::{Layer, Origin};
use crate::report::{Code, Diagnostic};

use super::report::Place;

/// The most bytes that one file may have. The largest honest one has a tenth.
pub const LARGEST: usize = 1 << 20;

/// One file's text.
pub struct Text {
    source: Source,
}

/// One line of a text, without its end.
#[derive(Debug, Clone)]
pub struct Line {
    /// Where it stands.
    pub place: Place,
    /// The byte at which it starts.
    pub start: usize,
    /// What is in it.
    pub text: String,
}

/// An error about a file as a whole.
pub fn unreadable(file: &str, why: impl std::fmt::Display) -> Diagnostic {
    let origin = Origin { layer: Layer::CommandLine, file: Arc::from(file), line: 0, column: 0 };
    Diagnostic::error(Code::ImportUnreadable, format!("cannot read {file}"))
        .at(&Origin { line: 1, column: 1, ..origin })
        .because(why)
}

impl Text {
    /// Reads the file that a person has named.
    ///
    /// # Errors
    /// When it cannot be read, is too large, or is no plain text.
    pub fn read(path: &Path) -> Result<Text, Diagnostic> {
        let name = path.to_string_lossy();
        // A FIFO must not block.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = File::options()
            .read(true)
            .custom_flags(flags)
            .open(path)
            .map_err(|error| unreadable(&name, error))?;
        Text::of(file.into(), &name)
    }

    /// Reads an open file.
    ///
    /// # Errors
    /// As [`Text::read`].
    pub fn of(file: OwnedFd, name: &str) -> Result<Text, Diagnostic> {
        let file = File::from(file);
        let about = file.metadata().map_err(|error| unreadable(name, error))?;
        if !about.is_file() {
            return Err(unreadable(name, "it is no regular file"));
        }
        let mut bytes = Vec::new();
        file.take(LARGEST as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(name, error))?;
        Text::new(&bytes, name)
    }

    /// Takes bytes that are there already.
    ///
    /// # Errors
    /// When they are too many or no plain text.
    pub fn new(bytes: &[u8], name: &str) -> Result<Text, Diagnostic> {
        if bytes.len() > LARGEST {
            return Err(unreadable(name, format!("it has more than {LARGEST} bytes")));
        }
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let at = error.valid_up_to();
                let lossy = Text::wrap(&String::from_utf8_lossy(bytes), name);
                let remark = format!("the byte {:02x} is no part of a character", bytes[at]);
                return Err(lossy.error(at..at + 3, "the file is not UTF-8 text", remark));
            }
        };
        let wrapped = Text::wrap(text, name);
        let hostile = text.char_indices().find(|(_, c)| c.is_control() && !"\n\r\t".contains(*c));
        if let Some((at, bad)) = hostile {
            let message = format!("the file has a control character (U+{:04X})", u32::from(bad));
            return Err(wrapped.error(at..at + bad.len_utf8(), message, "this is it"));
        }
        Ok(wrapped)
    }

    fn wrap(text: &str, name: &str) -> Text {
        Text { source: Source::new(text, name, Layer::CommandLine) }
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.source.text
    }

    /// Its lines.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        let mut start = 0;
        (1..).zip(self.as_str().split('\n')).map(move |(number, text)| {
            let place = Place { file: self.source.file.clone(), line: number };
            let line = Line { place, start, text: text.trim_end_matches('\r').to_owned() };
            start += text.len() + 1;
            line
        })
    }

    /// The line of a byte.
    pub fn place(&self, at: usize) -> Place {
        let origin = self.source.origin(at);
        Place { file: origin.file, line: origin.line }
    }

    /// An error about a part of the text.
    pub fn error(
        &self,
        span: std::ops::Range<usize>,
        message: impl Into<String>,
        remark: impl Into<String>,
    ) -> Diagnostic {
        self.source.error(Code::ImportSyntax, span, message, remark)
    }
}

impl Line {
    /// The bytes of the line in its file.
    pub fn span(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_plain_text_is_refused_with_its_place() {
        for (bytes, line, column) in [
            (&b"a\nb\0c\n"[..], 2, 2),
            (b"a\nb \x1b[31m\n", 2, 3),
            (b"\xff", 1, 1),
            ("x\u{9b}y".as_bytes(), 1, 2),
        ] {
            let error = Text::new(bytes, "f").err().unwrap();
            let origin = &error.labels[0].origin;
            assert_eq!((origin.line, origin.column), (line, column), "{bytes:?}");
            assert_eq!(error.exit().number(), 65);
        }
        assert!(Text::new(&vec![b'a'; LARGEST + 1], "f").is_err());
        assert!(Text::new(&vec![b'a'; LARGEST], "f").is_ok());
    }

    #[test]
    fn lines_have_their_bytes() {
        let text = Text::new(b"a\r\nbc\n\nd", "f").unwrap();
        let lines: Vec<Line> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        for line in &lines {
            assert_eq!(&text.as_str()[line.span()], line.text);
        }
        assert_eq!(lines[3].place.line, 4);
    }
}
