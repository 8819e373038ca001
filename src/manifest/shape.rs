//! What the values of the grammar's keys are made of: as the reports word it
//! and as the JSON Schema says it.

use crate::model::permission::Word;

/// What a key's value must be.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// The grammar's version.
    Schema,
    /// `true` or `false`.
    Flag,
    /// A whole number from the first to the second.
    Number(i64, i64),
    /// Seconds, or a number with a unit.
    Duration,
    /// A string.
    Text(Form),
    /// One of these words.
    Word(Words),
    /// A list of strings.
    Texts(Form),
    /// A list of some of these words.
    List(Words),
    /// The program and its arguments.
    Command,
    /// A list of paths.
    Paths,
    /// A list of paths, each with what may be done in it.
    Grants,
    /// A list of TCP ports.
    Ports,
    /// Strings by names of such a form.
    Named(Form),
    /// `agents.ssh`
    SshAgent,
    /// A number of bytes from the smallest on.
    Size(i64),
    /// A share of processor time.
    Share,
    /// A number from one to the largest, which may be written as a string.
    Amount(i64),
    /// Names of keys and tables.
    Keys,
    /// An answer to a condition, or several.
    Answer(Form),
    /// The same, of a closed set.
    AnswerOf(Words),
}

/// The words of a closed set, in the order in which people see them.
pub(super) type Words = fn() -> Vec<&'static str>;

/// The words of a type.
pub(super) fn words<W: Word>() -> Vec<&'static str> {
    W::WORDS.iter().map(|(word, _)| *word).collect()
}

/// The form of a string.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// No control characters; every string has at least this form.
    Plain,
    /// Not blank either.
    NotEmpty,
    /// An application id.
    AppId,
    /// The file name of a desktop entry.
    DesktopEntry,
    /// The name of a preset.
    Preset,
    /// A host name.
    HostName,
    /// A path beneath the home.
    BeneathHome,
    /// A name on a bus.
    BusName,
    /// A rule for calls or broadcasts.
    BusRule,
    /// The name of a variable.
    Variable,
    /// The same, or with `*` how names begin.
    Variables,
    /// A word of lower-case letters, digits and hyphens.
    LowerWord,
}

/// What a flag must be, in words.
pub(super) const FLAG: &str = "true or false";

impl Shape {
    /// As in "`name` must be ...".
    pub fn wants(self) -> &'static str {
        match self {
            Shape::Schema | Shape::Number(..) | Shape::Amount(_) => "a whole number",
            Shape::Flag => FLAG,
            Shape::Duration => "a duration such as \"30s\", or a number of seconds",
            Shape::Text(_) | Shape::Word(_) => "a string",
            Shape::Texts(_) | Shape::List(_) | Shape::Command | Shape::Keys => "a list of strings",
            Shape::Paths => "a list of paths",
            Shape::Grants => "a list of paths or { path, required, exec }",
            Shape::Ports => "a list of port numbers",
            Shape::Named(_) => "a table of strings",
            Shape::SshAgent => "true, false or { keys, confirm }",
            Shape::Size(_) => "a size such as \"2G\", or a number of bytes",
            Shape::Share => "a share such as \"150%\"",
            Shape::Answer(_) | Shape::AnswerOf(_) => "a string or a list of strings",
        }
    }

    /// Whether it can be written as a number.
    pub fn takes_numbers(self) -> bool {
        matches!(
            self,
            Shape::Schema
                | Shape::Number(..)
                | Shape::Duration
                | Shape::Ports
                | Shape::Size(_)
                | Shape::Amount(_)
        )
    }

    /// Whether it can be written as `true` or `false`.
    pub fn takes_flags(self) -> bool {
        matches!(self, Shape::Flag | Shape::SshAgent)
    }

    /// Whether it holds strings by names.
    pub fn is_named(self) -> bool {
        matches!(self, Shape::Named(_))
    }

    /// Whether it is a program with its arguments.
    pub fn is_command(self) -> bool {
        matches!(self, Shape::Command)
    }

    /// Whether it answers a condition, alone or with others.
    pub fn is_answer(self) -> bool {
        matches!(self, Shape::Answer(_) | Shape::AnswerOf(_))
    }

    /// Whether layers add to it entry by entry.
    pub fn is_list(self) -> bool {
        matches!(
            self,
            Shape::Texts(_)
                | Shape::List(_)
                | Shape::Paths
                | Shape::Grants
                | Shape::Ports
                | Shape::Keys
        )
    }
}
