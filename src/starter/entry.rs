//! Desktop entries, in so far as they tell what a program is: the keys of
//! `[Desktop Entry]` by the Desktop Entry Specification, version 1.5.

use std::collections::BTreeMap;

/// What an entry says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// `Name`, not translated.
    pub name: String,
    /// `Exec`, its escapes read and its quotes not.
    pub exec: String,
    /// `Categories`
    pub categories: Vec<String>,
    /// Whether it has a `MimeType`.
    pub opens_files: bool,
    /// `Terminal`
    pub terminal: bool,
}

/// Why a text is no entry of an application.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// No such group.
    #[error("it has no group [Desktop Entry]")]
    NoGroup,
    /// A line in the group that is none.
    #[error("line {0} is no key with a value")]
    Line(usize),
    /// A key twice.
    #[error("line {0} states {1} again")]
    Twice(usize, String),
    /// Not an application.
    #[error("its Type is {0:?}, not Application")]
    Type(String),
    /// Taken away by a person.
    #[error("it is Hidden, which is as if it had been removed")]
    Hidden,
    /// A key without which nothing can be made of it.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A backslash before something else than the specification has.
    #[error("{0} has the unknown escape \\{1}")]
    Escape(&'static str, String),
}

/// Reads a desktop entry.
///
/// # Errors
/// Why it is none of an application.
pub fn read(text: &str) -> Result<Entry, EntryError> {
    let keys = group(text)?;
    let raw = |key: &str| keys.get(key).map(String::as_str);
    match raw("Type") {
        Some("Application") => {}
        Some(other) => return Err(EntryError::Type(other.to_owned())),
        None => return Err(EntryError::Missing("Type")),
    }
    if raw("Hidden") == Some("true") {
        return Err(EntryError::Hidden);
    }
    let text = |key: &'static str| {
        unescaped(key, raw(key).filter(|value| !value.is_empty()).ok_or(EntryError::Missing(key))?)
    };
    let list = raw("Categories").unwrap_or_default().split(';');
    Ok(Entry {
        name: text("Name")?,
        exec: text("Exec")?,
        categories: list.filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        opens_files: raw("MimeType").is_some_and(|types| !types.trim().is_empty()),
        terminal: raw("Terminal") == Some("true"),
    })
}

/// The keys of the group that counts.
fn group(text: &str) -> Result<BTreeMap<String, String>, EntryError> {
    let mut keys = BTreeMap::new();
    let mut is_inside = false;
    let mut was_inside = false;
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end()))
    {
        if line.trim_start().starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if line.starts_with('[') {
            is_inside = line == "[Desktop Entry]";
            was_inside |= is_inside;
            continue;
        }
        if !is_inside {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or(EntryError::Line(number))?;
        let (key, value) = (key.trim_end().to_owned(), value.trim_start().to_owned());
        if keys.insert(key.clone(), value).is_some() {
            return Err(EntryError::Twice(number, key));
        }
    }
    if was_inside { Ok(keys) } else { Err(EntryError::NoGroup) }
}

/// A value of the type string.
fn unescaped(key: &'static str, value: &str) -> Result<String, EntryError> {
    let mut out = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('s') => out.push(' '),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('\\') => out.push('\\'),
            // Many write those of Exec once where they have to stand twice.
            Some(other @ ('"' | '`' | '$' | ';')) => {
                out.push('\\');
                out.push(other);
            }
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(EntryError::Escape(key, other));
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EOG: &str = "# comment\n[Desktop Entry]\nName=Image Viewer\nName[de]=Bildbetrachter\n\
        Exec=eog %U\nType = Application\nTerminal=false\n\
        Categories=GNOME;GTK;Graphics;2DGraphics;\nMimeType=image/png;\n\n\
        [Desktop Action new]\nExec=eog --new-instance\nName=New\n";

    #[test]
    fn an_entry_as_they_are() {
        let entry = read(EOG).unwrap();
        assert_eq!((entry.name.as_str(), entry.exec.as_str()), ("Image Viewer", "eog %U"));
        assert_eq!(entry.categories, ["GNOME", "GTK", "Graphics", "2DGraphics"]);
        assert!(entry.opens_files && !entry.terminal);
    }

    #[test]
    fn escapes() {
        let with = |exec: &str| {
            read(&format!("[Desktop Entry]\nType=Application\nName=a\\sb\nExec={exec}\n"))
        };
        let entry = with(r#"a "b\\\\c" \s\t"#).unwrap();
        assert_eq!((entry.name.as_str(), entry.exec.as_str()), ("a b", "a \"b\\\\c\"  \t"));
        assert_eq!(with(r#"a "\"""#).unwrap().exec, r#"a "\"""#);
        assert_eq!(with(r"a \x"), Err(EntryError::Escape("Exec", "x".to_owned())));
        assert_eq!(with("a \\"), Err(EntryError::Escape("Exec", String::new())));
    }

    #[test]
    fn what_is_no_application() {
        let head = "[Desktop Entry]\n";
        for (text, want) in [
            (String::new(), EntryError::NoGroup),
            ("[desktop entry]\nType=Application".to_owned(), EntryError::NoGroup),
            (format!("{head}Name=x"), EntryError::Missing("Type")),
            (format!("{head}Type=Link\nName=x\nURL=y"), EntryError::Type("Link".to_owned())),
            (format!("{head}Type=Application\nName=x"), EntryError::Missing("Exec")),
            (format!("{head}Type=Application\nExec=x\nName="), EntryError::Missing("Name")),
            (format!("{head}Type=Application\nHidden=true"), EntryError::Hidden),
            (format!("{head}Type=Application\nnonsense"), EntryError::Line(3)),
            (
                format!("{head}Type=Application\nExec=a\nExec=b"),
                EntryError::Twice(4, "Exec".to_owned()),
            ),
        ] {
            assert_eq!(read(&text), Err(want), "{text}");
        }
    }
}
