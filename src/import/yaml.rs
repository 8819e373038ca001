//! The part of YAML that snaps are written in: nested mappings and lists by
//! indentation, plain and quoted scalars, lists in brackets, and blocks of
//! text. What goes beyond it is refused, so that nothing is half understood.

use crate::report::Diagnostic;

use super::report::Place;
use super::text::{Line, Text};

/// How deep mappings and lists may be nested.
const DEEPEST: usize = 32;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing stands there.
    Nothing,
    /// A text, a number, a word.
    Scalar(String),
    /// `- a` beneath each other, or `[a, b]`.
    List(Vec<Node>),
    /// `key: value`.
    Map(Vec<(String, Node)>),
}

/// A value and where it, or its key, stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where.
    pub place: Place,
    /// How many lines it has, for what is not looked into.
    pub lines: u32,
}

impl Node {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.map().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The keys, if it is a mapping.
    pub fn map(&self) -> &[(String, Node)] {
        if let Value::Map(map) = &self.value { map } else { &[] }
    }

    /// The items, if it is a list.
    pub fn list(&self) -> &[Node] {
        if let Value::List(list) = &self.value { list } else { &[] }
    }

    /// The text, if it is a scalar.
    pub fn scalar(&self) -> Option<&str> {
        if let Value::Scalar(text) = &self.value { Some(text) } else { None }
    }
}

/// A line with its indentation, remarks and blank lines left out.
struct Row {
    line: Line,
    indent: usize,
    text: String,
}

struct Parser<'t> {
    text: &'t Text,
    rows: Vec<Row>,
    at: usize,
}

/// Reads a document.
///
/// # Errors
/// The first line that is beyond the subset.
pub fn parse(text: &Text) -> Result<Node, Diagnostic> {
    let mut rows = Vec::new();
    let mut block: Option<usize> = None;
    for line in text.lines() {
        let indent = line.text.len() - line.text.trim_start_matches(' ').len();
        let content = line.text[indent..].trim_end().to_owned();
        // In a block of text everything further in is text.
        if block.is_some_and(|outer| content.is_empty() || indent > outer) {
            continue;
        }
        block = None;
        if content.is_empty() || content.starts_with('#') || (rows.is_empty() && content == "---") {
            continue;
        }
        if content.starts_with('\t') {
            return Err(text.error(line.span(), "a line is indented with a tab", ""));
        }
        let content = without_remark(&content).to_owned();
        if opens_block(&content) {
            block = Some(indent);
        }
        rows.push(Row { line, indent, text: content });
    }
    let mut parser = Parser { text, rows, at: 0 };
    let first = parser.rows.first().map_or(0, |row| row.indent);
    let root = parser.node(first, 0)?;
    match parser.rows.get(parser.at) {
        Some(row) => Err(parser.error(row, "the line is indented in no way that could be read")),
        None => Ok(root),
    }
}

/// Whether a block of text begins behind the line.
fn opens_block(content: &str) -> bool {
    let value = content.rsplit_once(": ").map_or(content, |(_, value)| value);
    let value = value.trim_start_matches("- ");
    matches!(value, "|" | "|-" | "|+" | ">" | ">-" | ">+")
}

fn without_remark(content: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in content.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') && matches!(before, ' ' | '[' | ',' | '{') => {
                quote = Some(c);
            }
            None if c == '#' && before == ' ' => return content[..at].trim_end(),
            None => {}
        }
        before = c;
    }
    content
}

/// The key of a row and what stands behind it.
fn key(content: &str) -> Option<(String, &str)> {
    for quote in ['"', '\''] {
        if let Some(rest) = content.strip_prefix(quote) {
            let (name, rest) = rest.split_once(quote)?;
            let rest = rest.trim_start().strip_prefix(':')?;
            return Some((name.to_owned(), rest.trim()));
        }
    }
    if content.starts_with(['[', '{', '&', '*', '!', '?', '%', '@', '`', '|', '>']) {
        return None;
    }
    let at = content
        .match_indices(':')
        .map(|(at, _)| at)
        .find(|at| content[at + 1..].is_empty() || content[at + 1..].starts_with(' '))?;
    Some((content[..at].trim().to_owned(), content[at + 1..].trim()))
}

impl Parser<'_> {
    fn error(&self, row: &Row, message: &str) -> Diagnostic {
        self.text.error(row.line.start + row.indent..row.line.span().end, message, "")
    }

    /// The mapping or list whose rows have this indentation.
    fn node(&mut self, indent: usize, depth: usize) -> Result<Node, Diagnostic> {
        let Some(row) = self.rows.get(self.at) else {
            let place = self.text.place(0);
            return Ok(Node { value: Value::Nothing, place, lines: 0 });
        };
        if depth > DEEPEST {
            return Err(self.error(row, "mappings are nested too deeply"));
        }
        let place = row.line.place.clone();
        let begin = self.at;
        let is_list = row.text == "-" || row.text.starts_with("- ");
        let value = if is_list { self.list(indent, depth)? } else { self.map(indent, depth)? };
        Ok(Node { value, place, lines: u32::try_from(self.at - begin).unwrap_or(u32::MAX) })
    }

    fn map(&mut self, indent: usize, depth: usize) -> Result<Value, Diagnostic> {
        let mut map: Vec<(String, Node)> = Vec::new();
        while let Some(row) = self.rows.get(self.at).filter(|row| row.indent == indent) {
            if row.text == "-" || row.text.starts_with("- ") {
                break;
            }
            let Some((name, rest)) = key(&row.text) else {
                return Err(self.error(row, "the line is no key with a value"));
            };
            if map.iter().any(|(other, _)| *other == name) {
                return Err(self.error(row, "the key stands twice"));
            }
            let place = row.line.place.clone();
            let rest = rest.to_owned();
            let begin = self.at;
            self.at += 1;
            let value = self.behind(&rest, indent, begin, depth)?;
            let lines = u32::try_from(self.at - begin).unwrap_or(u32::MAX);
            map.push((name, Node { value, place, lines }));
        }
        Ok(Value::Map(map))
    }

    fn list(&mut self, indent: usize, depth: usize) -> Result<Value, Diagnostic> {
        let mut list = Vec::new();
        while let Some(row) = self.rows.get_mut(self.at).filter(|row| row.indent == indent) {
            let Some(rest) =
                row.text.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' '))
            else {
                break;
            };
            let inner = rest.trim_start().to_owned();
            let place = row.line.place.clone();
            let begin = self.at;
            if key(&inner).is_some() {
                // A mapping in the list: its first key stands behind the dash.
                row.indent += row.text.len() - inner.len();
                row.text = inner;
                let deeper = row.indent;
                list.push(self.node(deeper, depth + 1)?);
                continue;
            }
            self.at += 1;
            let value = self.behind(&inner, indent, begin, depth)?;
            let lines = u32::try_from(self.at - begin).unwrap_or(u32::MAX);
            list.push(Node { value, place, lines });
        }
        Ok(Value::List(list))
    }

    /// The value behind a key or a dash, or beneath it.
    fn behind(
        &mut self,
        rest: &str,
        indent: usize,
        row: usize,
        depth: usize,
    ) -> Result<Value, Diagnostic> {
        if rest.is_empty() {
            let deeper = self.rows.get(self.at).filter(|next| {
                next.indent > indent
                    || (next.indent == indent
                        && is_item(&next.text)
                        && !is_item(&self.rows[row].text))
            });
            return match deeper.map(|next| next.indent) {
                Some(deeper) => Ok(self.node(deeper, depth + 1)?.value),
                None => Ok(Value::Nothing),
            };
        }
        if opens_block(rest) {
            return Ok(Value::Scalar(String::new()));
        }
        let row = &self.rows[row];
        let mut rest = rest.to_owned();
        if rest.starts_with('[') {
            // A list in brackets can go on over several lines.
            while !rest.ends_with(']') {
                let Some(next) = self.rows.get(self.at) else {
                    return Err(self.error(row, "a list in brackets is not closed"));
                };
                rest.push(' ');
                rest.push_str(&next.text);
                self.at += 1;
            }
            let inner = rest[1..rest.len() - 1].trim();
            if inner.contains(['[', '{', '&', '*']) {
                return Err(self.error(row, "nothing is nested in a list in brackets"));
            }
            let items = inner.split(',').map(str::trim).filter(|item| !item.is_empty());
            let place = row.line.place.clone();
            return Ok(Value::List(
                items
                    .map(|item| Node {
                        value: Value::Scalar(unquoted(item)),
                        place: place.clone(),
                        lines: 1,
                    })
                    .collect(),
            ));
        }
        if rest == "{}" {
            return Ok(Value::Map(Vec::new()));
        }
        if rest.starts_with(['{', '&', '*', '!', '%', '@', '`', '|', '>']) {
            return Err(self.error(row, "such values of YAML are not read here"));
        }
        // A plain scalar can go on in lines that are further in.
        while self.rows.get(self.at).is_some_and(|next| next.indent > indent) {
            let next = &self.rows[self.at];
            if key(&next.text).is_some() && !rest.starts_with(['"', '\'']) {
                return Err(self.error(next, "a key stands beneath a value"));
            }
            rest.push(' ');
            rest.push_str(&next.text);
            self.at += 1;
        }
        Ok(Value::Scalar(unquoted(&rest)))
    }
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

fn unquoted(text: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.to_owned();
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, Diagnostic> {
        parse(&Text::new(text.as_bytes(), "f").unwrap())
    }

    #[test]
    fn nesting() {
        let node = read(
            "# c\nname: x # remark\napps:\n  one:\n    command: bin/one --a=b\n    plugs: [home, 'x11']\n  two:\n    plugs:\n    - network\n    - \"wayland\"\ndescription: |\n  text: [\n\n  more\nplugs:\n  files:\n    interface: personal-files\n    read:\n      - $HOME/.a\nlist:\n- a: 1\n  b: 2\n- c\nlong: [a,\n  b]\n",
        )
        .unwrap();
        assert_eq!(node.get("name").unwrap().scalar(), Some("x"));
        let one = node.get("apps").unwrap().get("one").unwrap();
        assert_eq!(one.get("command").unwrap().scalar(), Some("bin/one --a=b"));
        let plugs = one.get("plugs").unwrap();
        assert_eq!(plugs.list()[1].scalar(), Some("x11"));
        assert_eq!(plugs.place.line, 6);
        let two = node.get("apps").unwrap().get("two").unwrap().get("plugs").unwrap();
        assert_eq!(two.list().len(), 2);
        assert_eq!(two.list()[1].place.line, 10);
        let files = node.get("plugs").unwrap().get("files").unwrap();
        assert_eq!(files.get("read").unwrap().list()[0].scalar(), Some("$HOME/.a"));
        assert_eq!(node.get("list").unwrap().list()[0].get("b").unwrap().scalar(), Some("2"));
        assert_eq!(node.get("list").unwrap().list()[1].scalar(), Some("c"));
        assert_eq!(node.get("long").unwrap().list().len(), 2);
    }

    #[test]
    fn what_is_beyond_is_refused() {
        for text in [
            "a: &x 1",
            "a: *x",
            "a: !t 1",
            "a: {b: c}",
            "nothing",
            "a: 1\na: 2",
            "a:\n\t- b",
            "a: [b",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let deep: String = (0..100).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert!(read(&deep).is_err());
    }
}
