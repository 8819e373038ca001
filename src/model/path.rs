//! Paths: the clean absolute path that plans are made of, and the expression
//! with which a manifest names one.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest path that the kernel takes, with its final NUL (`PATH_MAX`).
pub const LONGEST: usize = 4096;

/// An absolute path without `.`, `..`, empty elements, a trailing slash, NUL
/// or control characters. `/` itself is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AbsPath(String);

/// Why a text is no path that a policy can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Empty text.
    #[error("the path is empty")]
    Empty,
    /// Does not start with `/`, `~` or an xdg word.
    #[error("the path is relative; start it with /, ~ or an xdg word such as xdg-documents")]
    Relative,
    /// A `.` or `..` element.
    #[error("the path has an element {0:?}; name the place itself")]
    Dots(&'static str),
    /// `//`
    #[error("the path has an empty element (//)")]
    EmptyElement,
    /// A NUL or control character.
    #[error("the path has a control character (U+{0:04X})")]
    Control(u32),
    /// Over `PATH_MAX`, or an element over 255 bytes.
    #[error("the path is longer than the kernel allows")]
    TooLong,
    /// `~name`
    #[error("only one's own home can be named, as ~ or ~/folder")]
    OtherHome,
    /// `xdg-` followed by a word that is none.
    #[error("there is no xdg word {0:?}")]
    UnknownXdg(String),
    /// A glob that is not well-formed.
    #[error("the pattern is not closed: {0:?}")]
    Glob(String),
}

fn check_elements(rest: &str) -> Result<(), PathError> {
    if let Some(bad) = rest.chars().find(|c| c.is_control()) {
        return Err(PathError::Control(bad as u32));
    }
    // With the slash in front and the zero byte behind it.
    if rest.len() + 2 > LONGEST {
        return Err(PathError::TooLong);
    }
    for element in rest.split('/') {
        match element {
            "" => return Err(PathError::EmptyElement),
            "." => return Err(PathError::Dots(".")),
            ".." => return Err(PathError::Dots("..")),
            long if long.len() > 255 => return Err(PathError::TooLong),
            _ => {}
        }
    }
    Ok(())
}

impl AbsPath {
    /// The root folder.
    pub fn root() -> AbsPath {
        AbsPath("/".to_owned())
    }

    /// Checks and takes a path. One trailing slash is dropped.
    ///
    /// # Errors
    /// When the text is no clean absolute path.
    pub fn new(text: &str) -> Result<AbsPath, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PathError::Relative);
        };
        if rest.is_empty() {
            return Ok(AbsPath::root());
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        check_elements(rest)?;
        Ok(AbsPath(format!("/{rest}")))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This path with a clean relative path appended.
    ///
    /// # Errors
    /// When `rest` is not clean and relative.
    pub fn join(&self, rest: &str) -> Result<AbsPath, PathError> {
        check_elements(rest)?;
        let path = if self.0 == "/" { format!("/{rest}") } else { format!("{}/{rest}", self.0) };
        if path.len() >= LONGEST {
            return Err(PathError::TooLong);
        }
        Ok(AbsPath(path))
    }

    /// This path with one element appended that the caller took from a
    /// directory listing or wrote itself.
    pub fn child(&self, name: &str) -> AbsPath {
        debug_assert!(!name.is_empty() && !name.contains('/'));
        if self.0 == "/" {
            AbsPath(format!("/{name}"))
        } else {
            AbsPath(format!("{}/{name}", self.0))
        }
    }

    /// The folder that holds this path; none for `/`.
    pub fn parent(&self) -> Option<AbsPath> {
        let cut = self.0.rfind('/')?;
        match (cut, self.0.len()) {
            (0, 1) => None,
            (0, _) => Some(AbsPath::root()),
            (cut, _) => Some(AbsPath(self.0[..cut].to_owned())),
        }
    }

    /// The last element; empty for `/`.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }

    /// The elements from the root down.
    pub fn elements(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|element| !element.is_empty())
    }

    /// Whether this path is `ancestor` or lies beneath it.
    pub fn is_within(&self, ancestor: &AbsPath) -> bool {
        ancestor.0 == "/"
            || self.0 == ancestor.0
            || (self.0.len() > ancestor.0.len()
                && self.0.starts_with(&ancestor.0)
                && self.0.as_bytes()[ancestor.0.len()] == b'/')
    }

    /// Whether this path lies beneath `ancestor` and is not it.
    pub fn is_beneath(&self, ancestor: &AbsPath) -> bool {
        self != ancestor && self.is_within(ancestor)
    }

    /// What follows `ancestor` in this path, without a leading slash.
    pub fn relative_to(&self, ancestor: &AbsPath) -> Option<&str> {
        if !self.is_within(ancestor) {
            return None;
        }
        let cut = if ancestor.0 == "/" { 1 } else { ancestor.0.len() };
        Some(self.0[cut..].trim_start_matches('/'))
    }
}

impl TryFrom<String> for AbsPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<AbsPath, PathError> {
        AbsPath::new(&text)
    }
}

impl From<AbsPath> for String {
    fn from(path: AbsPath) -> String {
        path.0
    }
}

impl fmt::Display for AbsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folder that a path expression starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// `/`
    Root,
    /// `~`
    Home,
    /// `$XDG_CONFIG_HOME`
    Config,
    /// `$XDG_DATA_HOME`
    Data,
    /// `$XDG_STATE_HOME`
    State,
    /// `$XDG_CACHE_HOME`
    Cache,
    /// A folder of user-dirs.dirs.
    User(UserDir),
}

/// The well-known folders that `user-dirs.dirs` places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum UserDir {
    Desktop,
    Documents,
    Download,
    Music,
    Pictures,
    PublicShare,
    Templates,
    Videos,
}

impl UserDir {
    /// Every one, with its word, its key in `user-dirs.dirs`, and the English
    /// name of the folder where that file does not say.
    pub const ALL: [(UserDir, &'static str, &'static str, &'static str); 8] = [
        (UserDir::Desktop, "xdg-desktop", "XDG_DESKTOP_DIR", "Desktop"),
        (UserDir::Documents, "xdg-documents", "XDG_DOCUMENTS_DIR", "Documents"),
        (UserDir::Download, "xdg-download", "XDG_DOWNLOAD_DIR", "Downloads"),
        (UserDir::Music, "xdg-music", "XDG_MUSIC_DIR", "Music"),
        (UserDir::Pictures, "xdg-pictures", "XDG_PICTURES_DIR", "Pictures"),
        (UserDir::PublicShare, "xdg-public-share", "XDG_PUBLICSHARE_DIR", "Public"),
        (UserDir::Templates, "xdg-templates", "XDG_TEMPLATES_DIR", "Templates"),
        (UserDir::Videos, "xdg-videos", "XDG_VIDEOS_DIR", "Videos"),
    ];
}

const BASES: [(&str, Base); 5] = [
    ("~", Base::Home),
    ("xdg-config", Base::Config),
    ("xdg-data", Base::Data),
    ("xdg-state", Base::State),
    ("xdg-cache", Base::Cache),
];

/// A path as a manifest writes it: `~/Papers`, `xdg-documents/letters`,
/// `/srv/data`, with `*`, `?` and `[...]` in elements after the base.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathExpr {
    /// Where it starts.
    pub base: Base,
    /// What follows the base: a clean relative path, empty for the base.
    pub rest: String,
    /// As it was written.
    text: String,
}

impl PathExpr {
    /// Reads an expression.
    ///
    /// # Errors
    /// When the text is no path expression; the reason names what is wrong.
    pub fn parse(text: &str) -> Result<PathExpr, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if let Some(bad) = text.chars().find(|c| c.is_control()) {
            return Err(PathError::Control(bad as u32));
        }
        let (head, tail) = match text.find('/') {
            Some(cut) => (&text[..cut], &text[cut + 1..]),
            None => (text, ""),
        };
        let base = if head.is_empty() {
            Base::Root
        } else if let Some((_, base)) = BASES.iter().find(|(word, _)| *word == head) {
            *base
        } else if let Some((dir, ..)) = UserDir::ALL.iter().find(|(_, word, ..)| *word == head) {
            Base::User(*dir)
        } else if head.starts_with('~') {
            return Err(PathError::OtherHome);
        } else if head.starts_with("xdg-") {
            return Err(PathError::UnknownXdg(head.to_owned()));
        } else {
            return Err(PathError::Relative);
        };
        let rest = tail.strip_suffix('/').unwrap_or(tail);
        if !rest.is_empty() {
            // How long names may be holds for what is named, not for how.
            let named: Vec<_> = rest
                .split('/')
                .map(|element| Glob::name(element).unwrap_or(Cow::Borrowed(element)))
                .collect();
            check_elements(&named.join("/"))?;
            for element in rest.split('/') {
                if !Glob::is_well_formed(element) {
                    return Err(PathError::Glob(element.to_owned()));
                }
            }
        } else if tail == "/" {
            return Err(PathError::EmptyElement);
        }
        Ok(PathExpr { base, rest: rest.to_owned(), text: text.to_owned() })
    }

    /// Every word that an expression can start with, but for `/`.
    pub fn heads() -> impl Iterator<Item = &'static str> {
        BASES.iter().map(|(word, _)| *word).chain(UserDir::ALL.iter().map(|(_, word, ..)| *word))
    }

    /// The expression for a path that is known already. It names that path and
    /// nothing else: what would be a pattern character is written as a class
    /// of its own, `a[1]` as `a[[]1]`.
    pub fn literal(path: &AbsPath) -> PathExpr {
        let mut text = String::with_capacity(path.as_str().len());
        for c in path.as_str().chars() {
            match c {
                '*' | '?' | '[' => text.extend(['[', c, ']']),
                c => text.push(c),
            }
        }
        PathExpr { base: Base::Root, rest: text.trim_start_matches('/').to_owned(), text }
    }

    /// Whether any element is a pattern, and can stand for several names.
    pub fn has_glob(&self) -> bool {
        self.rest.split('/').any(|element| Glob::name(element).is_none())
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for PathExpr {
    type Error = PathError;

    fn try_from(text: String) -> Result<PathExpr, PathError> {
        PathExpr::parse(&text)
    }
}

impl From<PathExpr> for String {
    fn from(expr: PathExpr) -> String {
        expr.text
    }
}

impl fmt::Display for PathExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Shell-like patterns within one element of a path: `*` any run, `?` any one
/// character, `[a-z]` and `[!a-z]` classes. A leading dot is matched only by
/// a dot, as shells do.
pub struct Glob;

impl Glob {
    /// Whether the element has a pattern character.
    pub fn is_pattern(element: &str) -> bool {
        element.contains(['*', '?', '['])
    }

    /// The one name that an element stands for, if it is no pattern. A pattern
    /// character alone in a class stands for itself: `[*]`, `[?]`, `[[]`.
    pub fn name(element: &str) -> Option<Cow<'_, str>> {
        if !Glob::is_pattern(element) {
            return Some(Cow::Borrowed(element));
        }
        let mut name = String::with_capacity(element.len());
        let mut rest = element;
        while let Some(at) = rest.find(['*', '?', '[']) {
            name.push_str(&rest[..at]);
            let class = rest[at..].strip_prefix('[')?;
            let one = class.chars().next().filter(|c| "*?[".contains(*c))?;
            name.push(one);
            rest = class[one.len_utf8()..].strip_prefix(']')?;
        }
        name.push_str(rest);
        Some(Cow::Owned(name))
    }

    fn is_well_formed(element: &str) -> bool {
        let mut rest = element;
        while let Some(open) = rest.find('[') {
            let body = &rest[open + 1..];
            let body = body.strip_prefix('!').unwrap_or(body);
            let Some(first) = body.chars().next() else { return false };
            match body[first.len_utf8()..].find(']') {
                Some(close) => rest = &body[first.len_utf8() + close + 1..],
                None => return false,
            }
        }
        true
    }

    /// Whether `name` matches `pattern`.
    pub fn matches(pattern: &str, name: &str) -> bool {
        if name.starts_with('.') && !pattern.starts_with('.') {
            return false;
        }
        let pattern: Vec<char> = pattern.chars().collect();
        let name: Vec<char> = name.chars().collect();
        let (mut p, mut n) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            let step = match pattern.get(p) {
                Some('*') => {
                    star = Some((p + 1, n));
                    p += 1;
                    continue;
                }
                Some('?') => Some(p + 1),
                Some('[') => Glob::class(&pattern, p, name[n]),
                Some(&c) if c == name[n] => Some(p + 1),
                _ => None,
            };
            match (step, star) {
                (Some(next), _) => {
                    p = next;
                    n += 1;
                }
                (None, Some((after, at))) => {
                    star = Some((after, at + 1));
                    p = after;
                    n = at + 1;
                }
                (None, None) => return false,
            }
        }
        pattern[p..].iter().all(|&c| c == '*')
    }

    /// The index after the class at `at` if it holds `c`; a class that is not
    /// closed holds nothing.
    fn class(pattern: &[char], at: usize, c: char) -> Option<usize> {
        let mut i = at + 1;
        let negated = pattern.get(i) == Some(&'!');
        if negated {
            i += 1;
        }
        let start = i;
        let mut hit = false;
        while i < pattern.len() && (pattern[i] != ']' || i == start) {
            if pattern.get(i + 1) == Some(&'-') && pattern.get(i + 2).is_some_and(|&e| e != ']') {
                hit |= pattern[i] <= c && c <= pattern[i + 2];
                i += 3;
            } else {
                hit |= pattern[i] == c;
                i += 1;
            }
        }
        (i < pattern.len() && hit != negated).then_some(i + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_paths() {
        assert_eq!(AbsPath::new("/").unwrap().as_str(), "/");
        assert_eq!(AbsPath::new("/a/b/").unwrap().as_str(), "/a/b");
        for bad in
            ["", "a", "/a//b", "//", "/a/../b", "/..", "/a/.", "/a\nb", "/a\0b", "/a\u{1b}[0m"]
        {
            assert!(AbsPath::new(bad).is_err(), "{bad:?}");
        }
        assert!(AbsPath::new(&format!("/{}", "x".repeat(256))).is_err());
        assert!(AbsPath::new(&"/abc".repeat(1100)).is_err());
    }

    #[test]
    fn a_path_is_as_long_as_the_kernel_takes_with_its_zero_byte() {
        let long = format!("{}/{}", format!("/{}", "a".repeat(250)).repeat(16), "b".repeat(78));
        assert_eq!(long.len(), LONGEST - 1);
        assert!(AbsPath::new(&long).is_ok());
        assert_eq!(AbsPath::new(&format!("{long}b")), Err(PathError::TooLong));
        assert_eq!(PathExpr::parse(&format!("{long}b")), Err(PathError::TooLong));
    }

    #[test]
    fn a_literal_path_is_no_pattern() {
        let path = AbsPath::new("/a[1]/b*/c?/[").unwrap();
        let literal = PathExpr::literal(&path);
        assert_eq!(literal.as_str(), "/a[[]1]/b[*]/c[?]/[[]");
        assert!(!literal.has_glob());
        assert_eq!(PathExpr::parse(literal.as_str()), Ok(literal.clone()));
        let names: Vec<_> = literal.rest.split('/').map(|name| Glob::name(name).unwrap()).collect();
        assert_eq!(names, ["a[1]", "b*", "c?", "["]);
        let long = AbsPath::new(&format!("/{}", "*".repeat(255))).unwrap();
        let literal = PathExpr::literal(&long);
        assert_eq!(PathExpr::parse(literal.as_str()), Ok(literal));
        for pattern in ["*", "a?", "[a]", "[[a]", "[!*]", "[*", "[*]*"] {
            assert_eq!(Glob::name(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn relations() {
        let a = AbsPath::new("/a/b").unwrap();
        assert!(AbsPath::new("/a/b/c").unwrap().is_beneath(&a));
        assert!(!AbsPath::new("/a/bc").unwrap().is_within(&a));
        assert!(a.is_within(&a) && !a.is_beneath(&a));
        assert!(a.is_beneath(&AbsPath::root()));
        assert_eq!(AbsPath::new("/a/b/c/d").unwrap().relative_to(&a), Some("c/d"));
        assert_eq!(a.relative_to(&AbsPath::root()), Some("a/b"));
        assert_eq!(a.parent().unwrap().as_str(), "/a");
        assert_eq!(AbsPath::new("/a").unwrap().parent(), Some(AbsPath::root()));
        assert_eq!(AbsPath::root().parent(), None);
    }

    #[test]
    fn expressions() {
        let e = PathExpr::parse("xdg-documents/a b/*.pdf").unwrap();
        assert_eq!(
            (e.base, e.rest.as_str(), e.has_glob()),
            (Base::User(UserDir::Documents), "a b/*.pdf", true)
        );
        assert_eq!(PathExpr::parse("~").unwrap().base, Base::Home);
        assert_eq!(PathExpr::parse("~/").unwrap().rest, "");
        assert_eq!(PathExpr::parse("/").unwrap().base, Base::Root);
        for bad in [
            "",
            "x",
            "./x",
            "~root",
            "~root/x",
            "xdg-nothing",
            "~/../x",
            "~/a//b",
            "~//",
            "~/a\0",
            "~/a\nb",
            "/a/[b",
            "host",
        ] {
            assert!(PathExpr::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn globs() {
        for (pattern, name, want) in [
            ("*.pdf", "a.pdf", true),
            ("*.pdf", ".a.pdf", false),
            (".*", ".a", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("*a*b", "xxaxxb", true),
            ("*a*b", "xxaxx", false),
            ("[]]", "]", true),
            ("*", "", true),
            ("[a", "a", false),
            ("[!b", "a", false),
        ] {
            assert_eq!(Glob::matches(pattern, name), want, "{pattern} {name}");
        }
    }
}
