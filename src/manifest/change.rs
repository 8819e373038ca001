//! Changes of a manifest that a reader of it proposes, as values that can be
//! told and made.

use toml_edit::Value;

use super::edit::Document;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Takes an entry out of a list.
    Remove {
        /// The list's key, with dots.
        key: &'static str,
        /// The entry, or the `path` of one that is a table.
        entry: String,
    },
    /// Writes an entry of a list anew.
    Replace {
        /// The list's key, with dots.
        key: &'static str,
        /// The entry.
        entry: String,
        /// What takes its place.
        with: String,
    },
    /// Takes `exec` out of an entry of a list.
    WithoutExec {
        /// The list's key, with dots.
        key: &'static str,
        /// The entry's `path`.
        entry: String,
    },
    /// Gives a key another word.
    Set {
        /// The key, with dots.
        key: &'static str,
        /// The word.
        with: String,
    },
    /// Takes a key out.
    Unset {
        /// The key, with dots.
        key: &'static str,
    },
}

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// The text is no TOML.
    #[error("the text is not TOML")]
    NotToml,
    /// What is to be changed does not stand in this text; a preset or another
    /// layer may have it.
    #[error("{0} does not stand in this file")]
    NotHere(String),
}

impl Change {
    /// The change in words.
    pub fn text(&self) -> String {
        match self {
            Change::Remove { key, entry } => format!("take {entry:?} out of {key}"),
            Change::Replace { key, entry, with } => {
                format!("write {with:?} for {entry:?} in {key}")
            }
            Change::WithoutExec { key, entry } => format!("take exec out of {entry:?} in {key}"),
            Change::Set { key, with } => format!("write {key} = {with:?}"),
            Change::Unset { key } => format!("take {key} out"),
        }
    }

    /// The text with the change made. `home` is the person's, so that a path
    /// in it is the same by both its names.
    ///
    /// # Errors
    /// When there is no such thing in the text.
    pub fn made(&self, text: &str, home: &str) -> Result<String, NotChanged> {
        let mut document = Document::read(text, home).map_err(|_| NotChanged::NotToml)?;
        let is_made = match self {
            Change::Remove { key, entry } => document.remove(key, &Value::from(entry.as_str())),
            Change::Replace { key, entry, with } => {
                document.replace(key, &Value::from(entry.as_str()), Value::from(with.as_str()))
            }
            Change::WithoutExec { key, entry } => {
                document.strip(key, &Value::from(entry.as_str()), "exec")
            }
            Change::Set { key, with } => {
                let is_there = document.states(key);
                if is_there {
                    document.set(key, Value::from(with.as_str()));
                }
                is_there
            }
            Change::Unset { key } => document.states(key) && document.unset(key),
        };
        if is_made { Ok(document.text()) } else { Err(NotChanged::NotHere(self.text())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Above all.
schema = 1
[filesystem]
read = [
    \"~/a\", # the first
    \"~/b\",
    { path = \"~/c\", exec = true },
]
write = [\"~/only\"] # alone
[display]
x11 = \"shared\" # why
";

    fn made(change: &Change) -> String {
        change.made(TEXT, "/home/ada").unwrap()
    }

    #[test]
    fn the_rest_stays_as_it_was_written() {
        let remove = |entry: &str| Change::Remove { key: "filesystem.read", entry: entry.into() };
        assert_eq!(made(&remove("~/b")), TEXT.replace("    \"~/b\",\n", ""));
        assert_eq!(made(&remove("/home/ada/b")), made(&remove("~/b")));
        let text = made(&remove("~/c"));
        assert!(!text.contains("~/c") && text.contains("# the first"), "{text}");
        let text = made(&Change::Remove { key: "filesystem.write", entry: "~/only".into() });
        assert!(!text.contains("write") && text.contains("# Above all."), "{text}");
        let text = made(&Change::Set { key: "display.x11", with: "never".into() });
        assert_eq!(text, TEXT.replace("\"shared\"", "\"never\""));
        let text = made(&Change::WithoutExec { key: "filesystem.read", entry: "~/c".into() });
        assert_eq!(text, TEXT.replace(", exec = true", ""));
        let (key, with) = ("filesystem.read", "~/z".to_owned());
        let text = made(&Change::Replace { key, entry: "~/a".into(), with });
        assert_eq!(text, TEXT.replace("\"~/a\"", "\"~/z\""));
        assert!(!made(&Change::Unset { key: "display.x11" }).contains("x11"));
    }

    #[test]
    fn what_is_not_there_cannot_be_changed() {
        let with = "x".to_owned();
        for change in [
            Change::Remove { key: "filesystem.read", entry: "~/none".into() },
            Change::Remove { key: "bus.session.talk", entry: "a.b".into() },
            Change::Replace { key: "filesystem.read", entry: "~/none".into(), with },
            Change::WithoutExec { key: "filesystem.read", entry: "~/a".into() },
            Change::Set { key: "home.kind", with: "private".into() },
            Change::Unset { key: "network.connect" },
        ] {
            let told = change.made(TEXT, "/home/ada");
            assert!(matches!(told, Err(NotChanged::NotHere(_))), "{change:?}");
        }
        let change = Change::Unset { key: "display.x11" };
        assert_eq!(change.made("= [", "/"), Err(NotChanged::NotToml));
    }
}
