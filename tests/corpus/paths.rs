//! Paths and the expressions that name them: what is accepted is clean, is
//! its own text, and patterns match what a plain matcher says.

use std::borrow::Cow;

use pinfold::model::path::{AbsPath, Glob, LONGEST, PathExpr};

/// The first line of the input is a path, the second is put behind it, and is
/// held against it as a pattern.
pub fn holds(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (text, second) = text.split_once('\n').unwrap_or((&text, ""));
    if let Ok(path) = AbsPath::new(text) {
        absolute(&path);
        assert_eq!(
            text.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(text),
            path.as_str()
        );
        if let Ok(joined) = path.join(second) {
            absolute(&joined);
            assert!(joined.is_beneath(&path));
            assert_eq!(joined.relative_to(&path), Some(second));
        }
        literal(&path);
    }
    for text in [text, second] {
        if let Ok(expression) = PathExpr::parse(text) {
            expressed(&expression, text);
        }
        matches(text, second);
    }
}

fn clean(relative: &str) {
    for element in relative.split('/') {
        assert!(!matches!(element, "" | "." | ".."), "{relative:?}");
        assert!(element.len() <= 255, "{relative:?} has a name that is too long");
    }
    assert!(!relative.contains(char::is_control), "{relative:?}");
}

fn absolute(path: &AbsPath) {
    let text = path.as_str();
    // The kernel counts the zero byte at the end.
    assert!(text.len() < LONGEST, "{} bytes", text.len());
    let relative = text.strip_prefix('/').expect("absolute");
    if !relative.is_empty() {
        clean(relative);
    }
    assert_eq!(AbsPath::new(text).as_ref(), Ok(path));
    let json = serde_json::to_string(path).expect("text");
    assert_eq!(serde_json::from_str::<AbsPath>(&json).expect("a path"), *path);
    assert!(path.is_within(path) && path.is_within(&AbsPath::root()) && !path.is_beneath(path));
    assert_eq!(path.elements().collect::<Vec<_>>().join("/"), relative);
    match path.parent() {
        None => assert_eq!(text, "/"),
        Some(parent) => {
            assert!(path.is_beneath(&parent) && !parent.is_within(path));
            assert_eq!(path.relative_to(&parent), Some(path.file_name()));
            assert_eq!(parent.child(path.file_name()), *path);
        }
    }
}

fn expressed(expression: &PathExpr, text: &str) {
    if !expression.rest.is_empty() {
        let name = |element| Glob::name(element).unwrap_or(Cow::Borrowed(element));
        let named: Vec<_> = expression.rest.split('/').map(name).collect();
        clean(&named.join("/"));
        assert!(named.join("/").len() + 1 < LONGEST);
    }
    assert_eq!(expression.to_string(), text);
    assert_eq!(PathExpr::parse(&expression.to_string()).as_ref(), Ok(expression));
    let json = serde_json::to_string(expression).expect("text");
    assert_eq!(serde_json::from_str::<PathExpr>(&json).expect("an expression"), *expression);
    assert!(!expression.has_glob() || expression.rest.contains(['*', '?', '[']));
}

/// A path that is known already names itself and nothing else, and survives
/// being written.
fn literal(path: &AbsPath) {
    let expression = PathExpr::literal(path);
    expressed(&expression, expression.as_str());
    let mut patterns = expression.rest.split('/').filter(|element| !element.is_empty());
    for element in path.elements() {
        let pattern = patterns.next().expect("as many elements");
        assert_eq!(Glob::name(pattern).as_deref(), Some(element));
        assert!(Glob::matches(pattern, element), "{pattern:?} is not {element:?}");
        assert!(!Glob::matches(pattern, &format!("{element}1")), "{pattern:?} is more");
    }
    assert_eq!(patterns.next(), None);
}

/// A pattern of one element against names made of the other text.
fn matches(pattern: &str, name: &str) {
    if pattern.len() > 64 || name.len() > 64 || pattern.contains('/') {
        return;
    }
    let found = Glob::matches(pattern, name);
    if !Glob::is_pattern(pattern) {
        assert_eq!(found, pattern == name, "{pattern:?} on {name:?}");
    } else if PathExpr::parse(&format!("/{pattern}")).is_ok() {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        let hidden = name.starts_with('.') && !pattern.starts_with('.');
        let wanted = !hidden && plain(&letters(pattern), &letters(name));
        assert_eq!(found, wanted, "{pattern:?} on {name:?}");
    }
}

/// The plainest matcher: tries every length for each star, row by row.
fn plain(pattern: &[char], name: &[char]) -> bool {
    let mut ends = vec![false; name.len() + 1];
    ends[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let (length, step): (usize, Box<dyn Fn(char) -> bool>) = match pattern[at] {
            '*' => {
                if let Some(first) = ends.iter().position(|end| *end) {
                    ends[first..].fill(true);
                }
                at += 1;
                continue;
            }
            '?' => (1, Box::new(|_| true)),
            '[' => {
                let negated = pattern.get(at + 1) == Some(&'!');
                let start = at + 1 + usize::from(negated);
                let close = (start + 1..pattern.len()).find(|close| pattern[*close] == ']');
                let set = &pattern[start..close.expect("well-formed")];
                (close.expect("well-formed") + 1 - at, Box::new(move |c| within(set, c) != negated))
            }
            letter => (1, Box::new(move |c| c == letter)),
        };
        for end in (0..name.len()).rev() {
            ends[end + 1] = ends[end] && step(name[end]);
        }
        ends[0] = false;
        at += length;
    }
    ends[name.len()]
}

/// Whether a set of letters and ranges holds a letter.
fn within(set: &[char], c: char) -> bool {
    match set {
        [] => false,
        [low, '-', high, rest @ ..] => (*low <= c && c <= *high) || within(rest, c),
        [one, rest @ ..] => *one == c || within(rest, c),
    }
}
