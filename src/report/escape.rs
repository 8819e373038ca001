//! Foreign text made harmless. A manifest, a file name or a program's
//! arguments can hold bytes that move the cursor, repaint what a terminal
//! already shows, turn the direction of writing or are simply not seen. What
//! a person is shown must be what is there, so each of these is written out.

use std::borrow::Cow;
use std::fmt::Write;

/// Ranges of characters that are not seen as what they are: format and
/// default-ignorable characters, line and paragraph separators. Sorted.
/// Control characters are not in it; `char::is_control` knows those.
const UNSEEN: &[(u32, u32)] = &[
    (0x00ad, 0x00ad),   // soft hyphen
    (0x034f, 0x034f),   // combining grapheme joiner
    (0x0600, 0x0605),   // Arabic number signs
    (0x061c, 0x061c),   // Arabic letter mark
    (0x06dd, 0x06dd),   // Arabic end of ayah
    (0x070f, 0x070f),   // Syriac abbreviation mark
    (0x0890, 0x0891),   // Arabic currency marks above
    (0x08e2, 0x08e2),   // Arabic disputed end of ayah
    (0x115f, 0x1160),   // Hangul fillers
    (0x17b4, 0x17b5),   // Khmer inherent vowels
    (0x180b, 0x180f),   // Mongolian selectors and vowel separator
    (0x200b, 0x200f),   // zero-width characters, direction marks
    (0x2028, 0x202e),   // line and paragraph separators, bidi embeddings
    (0x2060, 0x206f),   // word joiner, invisible operators, bidi isolates
    (0x3164, 0x3164),   // Hangul filler
    (0xfe00, 0xfe0f),   // variation selectors
    (0xfeff, 0xfeff),   // byte order mark
    (0xffa0, 0xffa0),   // halfwidth Hangul filler
    (0xfff0, 0xfffb),   // interlinear annotation and its unassigned neighbours
    (0x110bd, 0x110bd), // Kaithi number sign
    (0x110cd, 0x110cd), // Kaithi number sign above
    (0x13430, 0x1343f), // Egyptian hieroglyph format controls
    (0x1bca0, 0x1bca3), // shorthand format controls
    (0x1d173, 0x1d17a), // musical format controls
    (0xe0000, 0xe0fff), // tags, further variation selectors
];

/// Whether a character must not reach a terminal as it is.
pub fn is_hostile(c: char) -> bool {
    // Nearly all text is printable ASCII; it needs no search.
    if (' '..='~').contains(&c) {
        return false;
    }
    if c.is_control() {
        return true;
    }
    let code = c as u32;
    let after = UNSEEN.partition_point(|(first, _)| *first <= code);
    after > 0 && code <= UNSEEN[after - 1].1
}

/// Appends a character, written out if it is hostile.
pub(super) fn push(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_hostile(c) => {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        }
        c => out.push(c),
    }
}

/// The text as it can be shown on one line of a terminal.
pub fn safe(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(is_hostile) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        push(&mut out, c);
    }
    Cow::Owned(out)
}

/// The same for bytes that need not be UTF-8; one that is not becomes `\xff`.
pub fn safe_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&safe(chunk.valid()));
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_borrowed() {
        for text in ["", "org.gnome.Evince", "Größe – 書類 – Ελληνικά – نص", "a\\b \"c\" 'd'"]
        {
            assert!(matches!(safe(text), Cow::Borrowed(same) if same == text), "{text:?}");
        }
    }

    #[test]
    fn controls_are_written_out() {
        assert_eq!(safe("a\u{1b}[31mred\u{7}"), "a\\u{1b}[31mred\\u{7}");
        assert_eq!(safe("\u{9b}2J\u{90}\u{7f}\0"), "\\u{9b}2J\\u{90}\\u{7f}\\u{0}");
        assert_eq!(safe("a\nb\rc\td"), "a\\nb\\rc\\td");
    }

    #[test]
    fn unseen_characters_are_written_out() {
        let unseen = [
            '\u{ad}',
            '\u{61c}',
            '\u{180e}',
            '\u{200b}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{fffb}',
            '\u{e0041}',
            '\u{e0fff}',
        ];
        for c in unseen {
            let want = format!("x\\u{{{:x}}}y", c as u32);
            assert_eq!(safe(&format!("x{c}y")), want);
        }
    }

    #[test]
    fn neighbours_of_the_unseen_stay() {
        for c in ['\u{ac}', '\u{ae}', '\u{a0}', '\u{2010}', '\u{202f}', '\u{fffd}', '\u{f0000}'] {
            assert!(!is_hostile(c), "{c:?}");
        }
    }

    #[test]
    fn the_table_can_be_searched() {
        assert!(UNSEEN.iter().all(|(first, last)| first <= last));
        assert!(UNSEEN.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[test]
    fn bytes_that_are_no_text() {
        assert_eq!(safe_bytes(b"a\xffb\x1b\xc3"), "a\\xffb\\u{1b}\\xc3");
        assert_eq!(safe_bytes("ü".as_bytes()), "ü");
        assert_eq!(safe_bytes(b"\xed\xa0\x80"), "\\xed\\xa0\\x80");
    }

    #[test]
    fn nothing_hostile_survives() {
        let all: String = (0..=0x10ffff).filter_map(char::from_u32).collect();
        assert!(!safe(&all).contains(is_hostile));
    }
}
