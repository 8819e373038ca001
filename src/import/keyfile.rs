//! GLib's key files, as far as Flatpak uses them: groups, keys, lists that
//! end in `;`, comments. With the place of every key.

use crate::report::Diagnostic;

use super::report::Place;
use super::text::Text;

/// `key=value` in a group.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The group's name.
    pub group: String,
    /// The key's name.
    pub key: String,
    /// The value as it is written, without blanks around it.
    pub value: String,
    /// Where.
    pub place: Place,
}

/// Reads a key file.
///
/// # Errors
/// The first line that is none of a key file.
pub fn parse(text: &Text) -> Result<Vec<Pair>, Diagnostic> {
    let mut group: Option<String> = None;
    let mut pairs = Vec::new();
    for line in text.lines() {
        let stripped = line.text.trim();
        if stripped.is_empty() || stripped.starts_with('#') {
            continue;
        }
        if let Some(inner) = stripped.strip_prefix('[') {
            let name = inner
                .strip_suffix(']')
                .filter(|name| !name.is_empty() && !name.contains(['[', ']']));
            let Some(name) = name else {
                return Err(text
                    .error(line.span(), "a group's heading is not closed", "here")
                    .hint("write it as in [Context]"));
            };
            group = Some(name.to_owned());
            continue;
        }
        let Some((key, value)) = line.text.split_once('=') else {
            return Err(text
                .error(line.span(), "a line is neither a heading nor a key with a value", "")
                .hint("write it as in shared=network;"));
        };
        if key.trim().is_empty() {
            return Err(text.error(line.span(), "a value has no key", ""));
        }
        let Some(group) = &group else {
            return Err(text
                .error(line.span(), "a key stands before the first heading", "")
                .hint("is this a Flatpak metadata or override file?"));
        };
        pairs.push(Pair {
            group: group.clone(),
            key: key.trim().to_owned(),
            value: value.trim().to_owned(),
            place: line.place,
        });
    }
    Ok(pairs)
}

impl Pair {
    /// The items of a list, GLib's escapes resolved. What is none of them stays
    /// as it is.
    pub fn items(&self) -> Vec<String> {
        let mut items = Vec::new();
        let mut item = String::new();
        let mut letters = self.value.chars();
        while let Some(c) = letters.next() {
            match c {
                ';' => items.push(std::mem::take(&mut item)),
                '\\' => match letters.next() {
                    Some(';') => item.push(';'),
                    Some('s') => item.push(' '),
                    Some('\\') => item.push('\\'),
                    Some(other) => item.extend(['\\', other]),
                    None => item.push('\\'),
                },
                c => item.push(c),
            }
        }
        items.push(item);
        items.iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
    }

    /// The value as one text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut letters = self.value.chars();
        while let Some(c) = letters.next() {
            match (c, c == '\\') {
                (_, true) => match letters.next() {
                    Some('s') => out.push(' '),
                    Some('n') => out.push('\n'),
                    Some('t') => out.push('\t'),
                    Some('r') => out.push('\r'),
                    Some(other) => out.push(other),
                    None => out.push('\\'),
                },
                (c, false) => out.push(c),
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Pair>, Diagnostic> {
        parse(&Text::new(text.as_bytes(), "f").unwrap())
    }

    #[test]
    fn groups_keys_and_lists() {
        let text = "# c\n[A b]\n key = x y \n\n[C]\nlist=a;b\\;c; d ;\nlang[de]=q=r";
        let pairs = read(text).unwrap();
        assert_eq!(pairs.len(), 3);
        assert_eq!((pairs[0].group.as_str(), pairs[0].key.as_str()), ("A b", "key"));
        assert_eq!(pairs[0].value, "x y");
        assert_eq!(pairs[1].items(), ["a", "b;c", "d"]);
        assert_eq!((pairs[2].place.line, pairs[2].value.as_str()), (7, "q=r"));
        assert_eq!(read("[A]\nx=a\\sb\\\\c\\nd").unwrap()[0].text(), "a b\\c\nd");
    }

    #[test]
    fn what_is_no_key_file() {
        for (text, line) in [("x=1\n", 1), ("[A\n", 1), ("[A]\n\nnothing\n", 3), ("[A]\n=1", 2)] {
            let error = read(text).unwrap_err();
            assert_eq!(error.labels[0].origin.line, line, "{text}");
        }
    }
}
