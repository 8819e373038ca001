//! Lines and columns.

/// Breaks a text at spaces; a word that is too long stands alone.
pub fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The same, and a word that is longer than a line is cut, so that no line is
/// longer than `room`.
pub fn cut(text: &str, room: usize) -> Vec<String> {
    let room = room.max(1);
    wrapped(text, room)
        .into_iter()
        .flat_map(|line| {
            let letters: Vec<char> = line.chars().collect();
            let pieces = letters.chunks(room).map(|piece| piece.iter().collect());
            if letters.is_empty() { vec![String::new()] } else { pieces.collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a longerthanseven b", 7), ["a", "longerthanseven", "b"]);
        assert_eq!(cut("a longerthanseven b", 7), ["a", "longert", "hanseve", "n", "b"]);
        assert_eq!(cut("", 7), [""]);
    }
}
