//! D-Bus names and rules, as a manifest writes them.

use serde::{Deserialize, Serialize};

/// A well-known bus name, or all names below one (`org.example.App.*`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BusName {
    /// The name without `.*`.
    pub name: String,
    /// Whether names below it are meant too.
    pub subtree: bool,
}

/// Why a text is no bus name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusNameError {
    /// Empty, over 255 characters, or fewer than two elements.
    #[error(
        "a bus name has at least two parts and at most 255 characters, as in org.example.Service"
    )]
    Shape,
    /// `:1.42`
    #[error("unique names change at every login; name the service's well-known name")]
    Unique,
    /// A character that is not allowed where it stands.
    #[error("the character {0:?} cannot stand in this place of a bus name")]
    Character(char),
}

impl BusName {
    /// Reads `org.example.Name` or `org.example.Name.*`.
    ///
    /// # Errors
    /// By the D-Bus specification's section "Valid Names".
    pub fn parse(text: &str) -> Result<BusName, BusNameError> {
        let (name, subtree) = match text.strip_suffix(".*") {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        if name.starts_with(':') {
            return Err(BusNameError::Unique);
        }
        if name.is_empty() || name.len() > 255 {
            return Err(BusNameError::Shape);
        }
        let mut parts = 0;
        for part in name.split('.') {
            parts += 1;
            let Some(first) = part.chars().next() else {
                return Err(BusNameError::Shape);
            };
            if first.is_ascii_digit() {
                return Err(BusNameError::Character(first));
            }
            if let Some(bad) =
                part.chars().find(|&c| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            {
                return Err(BusNameError::Character(bad));
            }
        }
        if parts < 2 {
            return Err(BusNameError::Shape);
        }
        Ok(BusName { name: name.to_owned(), subtree })
    }
}

impl std::fmt::Display for BusName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.name, if self.subtree { ".*" } else { "" })
    }
}
