//! Application ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A reverse-DNS application id such as `org.gnome.Evince`.
///
/// The rule is that of D-Bus well-known names as Flatpak and the portals
/// narrow it: at least three elements parted by dots, letters, digits, `_`
/// and (in the last element only) `-`, no element starting with a digit, at
/// most 255 characters. So an id is always a safe file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppId(String);

/// Why a text is no application id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppIdError {
    /// Empty text.
    #[error("an application id cannot be empty")]
    Empty,
    /// Over 255 characters.
    #[error("an application id has at most 255 characters")]
    TooLong,
    /// Fewer than three elements.
    #[error("an application id has at least three parts, as in org.example.App")]
    TooFewParts,
    /// `a..b`, or a dot at an end.
    #[error("a part of the id between two dots is empty")]
    EmptyPart,
    /// A part starts with a digit.
    #[error("the part {0:?} starts with a digit")]
    DigitFirst(String),
    /// A character that ids do not have.
    #[error("the character {0:?} cannot stand in this place of an id")]
    Character(char),
}

impl AppId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppId {
    type Err = AppIdError;

    fn from_str(text: &str) -> Result<AppId, AppIdError> {
        if text.is_empty() {
            return Err(AppIdError::Empty);
        }
        if text.len() > 255 {
            return Err(AppIdError::TooLong);
        }
        let parts: Vec<&str> = text.split('.').collect();
        for (index, part) in parts.iter().enumerate() {
            let last = index + 1 == parts.len();
            let Some(first) = part.chars().next() else {
                return Err(AppIdError::EmptyPart);
            };
            if let Some(bad) = part
                .chars()
                .find(|&c| !(c.is_ascii_alphanumeric() || c == '_' || (c == '-' && last)))
            {
                return Err(AppIdError::Character(bad));
            }
            if first.is_ascii_digit() {
                return Err(AppIdError::DigitFirst((*part).to_owned()));
            }
            if first == '-' {
                return Err(AppIdError::Character('-'));
            }
        }
        if parts.len() < 3 {
            return Err(AppIdError::TooFewParts);
        }
        Ok(AppId(text.to_owned()))
    }
}

impl TryFrom<String> for AppId {
    type Error = AppIdError;

    fn try_from(text: String) -> Result<AppId, AppIdError> {
        text.parse()
    }
}

impl From<AppId> for String {
    fn from(id: AppId) -> String {
        id.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ids() {
        for id in ["org.gnome.Evince", "a.b.c", "org.kde.kate-1", "io.github._x.Y_z"] {
            assert_eq!(id.parse::<AppId>().map(|id| id.to_string()), Ok(id.to_owned()));
        }
    }

    #[test]
    fn bad_ids() {
        let long = format!("a.b.{}", "c".repeat(252));
        for id in [
            "", "evince", "a.b", "a..b.c", ".a.b.c", "a.b.c.", "a.1b.c", "a-b.c.d", "a.b.c/d",
            "../a.b.c", "a.b.-c", "a.b.c\n", "a.b.ü", &long,
        ] {
            assert!(id.parse::<AppId>().is_err(), "{id:?}");
        }
    }
}
