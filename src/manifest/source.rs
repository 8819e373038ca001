//! A file's text and the places in it.

use std::ops::Range;
use std::sync::Arc;

use crate::model::origin::{Layer, Origin};
use crate::report::{Code, Diagnostic};

/// How many bytes are counted at once; a column costs at most two counts of
/// this length however long its line is.
const BLOCK: usize = 64;

/// One file's text, with an index of its lines that is made once.
pub(crate) struct Source {
    pub text: Arc<str>,
    pub file: Arc<str>,
    pub layer: Layer,
    /// Where each line starts.
    starts: Vec<usize>,
    /// How many characters start before each block; empty for plain ASCII,
    /// where bytes are characters.
    characters: Vec<usize>,
}

/// How many characters start in these bytes of UTF-8.
fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

impl Source {
    pub fn new(text: &str, file: &str, layer: Layer) -> Source {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(end, _)| end + 1)).collect();
        let mut characters = Vec::new();
        if !text.is_ascii() {
            let mut sum = 0;
            for block in text.as_bytes().chunks(BLOCK) {
                characters.push(sum);
                sum += count(block);
            }
            characters.push(sum);
        }
        Source { text: Arc::from(text), file: Arc::from(file), layer, starts, characters }
    }

    /// The index of the line that holds a byte, from 0.
    pub fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at) - 1
    }

    /// The text of the line with an index, without its end.
    pub fn line_text(&self, line: usize) -> &str {
        let end = self.starts.get(line + 1).map_or(self.text.len(), |next| next - 1);
        &self.text[self.starts[line]..end]
    }

    /// The byte at which the line with an index starts.
    pub fn line_start(&self, line: usize) -> usize {
        self.starts[line]
    }

    fn characters_before(&self, at: usize) -> usize {
        match self.characters.get(at / BLOCK) {
            Some(sum) => sum + count(&self.text.as_bytes()[at / BLOCK * BLOCK..at]),
            None => at,
        }
    }

    /// The place of a byte as people count.
    pub fn origin(&self, at: usize) -> Origin {
        let at = at.min(self.text.len());
        let line = self.line(at);
        let column = self.characters_before(at) - self.characters_before(self.starts[line]);
        let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        Origin {
            layer: self.layer,
            file: self.file.clone(),
            line: number(line),
            column: number(column),
        }
    }

    /// An error about a part of the text, with a remark beneath it.
    pub fn error(
        &self,
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        remark: impl Into<String>,
    ) -> Diagnostic {
        let origin = self.origin(span.start);
        Diagnostic::error(code, message).within(&origin, &self.text, span, remark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) {
        let source = Source::new(text, "f", Layer::User);
        let (mut line, mut column) = (1, 1);
        for (at, c) in text.char_indices() {
            let origin = source.origin(at);
            assert_eq!((origin.line, origin.column), (line, column), "byte {at} of {text:?}");
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        let origin = source.origin(text.len() + 7);
        assert_eq!((origin.line, origin.column), (line, column), "end of {text:?}");
    }

    #[test]
    fn lines_and_columns() {
        places("");
        places("a");
        places("\n\na\n");
        places("ä = 'ö'\r\nü = 書類\n");
        places(&"0123456789ü\n".repeat(40));
        places(&"é".repeat(500));
    }

    #[test]
    fn text_of_lines() {
        let source = Source::new("a\nbc\n", "f", Layer::User);
        assert_eq!([0, 1, 2].map(|line| source.line_text(line)), ["a", "bc", ""]);
        assert_eq!(source.line_start(1), 2);
    }
}
