//! Typed reading of the values of a parsed file. Each function takes a value
//! that is what it should be together with its origin, or files a report and
//! returns nothing; the reading always goes on.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::DeValue;

use crate::model::origin::{List, Origin, Sourced};
use crate::model::permission::Word;
use crate::report::{Code, Diagnostic};

use super::closest::closest;
use super::keys::Key;
use super::shape::{FLAG, Shape};
use super::source::Source;
use super::values::Fault;

/// The most reports that one file is worth.
const MOST_REPORTS: usize = 100;

/// The most entries that one list may have. Each is compared with those before
/// it.
pub(super) const MOST_ENTRIES: usize = 1024;

/// The most words that are listed beside a guess.
const SHORT_LIST: usize = 12;

/// What has been found wrong with one file so far.
pub(super) struct Reader<'s> {
    pub source: &'s Source,
    /// Lines, from 0, that the TOML parser could not make out. What it guessed
    /// there is not held against anybody.
    broken: Vec<usize>,
    reports: Vec<Diagnostic>,
    /// How many more there were.
    unlisted: usize,
}

/// One value and what it is called.
pub(super) struct Item<'v> {
    /// The row of the grammar that it belongs to.
    pub key: &'static Key,
    /// The name of a part of it, where it is one.
    part: Option<&'v str>,
    /// The value itself.
    pub value: &'v DeValue<'v>,
    /// Where it stands.
    pub span: Range<usize>,
}

impl<'v> Item<'v> {
    pub fn new(key: &'static Key, value: &'v Spanned<DeValue<'v>>) -> Item<'v> {
        Item { key, part: None, value: value.get_ref(), span: value.span() }
    }

    /// A named part of this value.
    pub(super) fn part<'a>(&self, name: &'a str, value: &'a Spanned<DeValue<'a>>) -> Item<'a> {
        Item { part: Some(name), ..Item::new(self.key, value) }
    }

    /// An entry of this list.
    pub(super) fn entry<'a>(&self, value: &'a Spanned<DeValue<'a>>) -> Item<'a> {
        Item::new(self.key, value)
    }

    /// The dotted name of the key.
    pub(super) fn name(&self) -> String {
        match self.part {
            Some(part) => format!("{}.{part}", self.key.full()),
            None => self.key.full(),
        }
    }
}

/// What kind of value this is, with its article.
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}

/// `a, b or c`.
pub(super) fn alternatives<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// "did you mean `x`?", or nothing.
pub(super) fn did_you_mean(guess: Option<&str>) -> String {
    guess.map_or_else(String::new, |guess| format!("did you mean `{guess}`?"))
}

impl<'s> Reader<'s> {
    pub fn new(source: &'s Source) -> Reader<'s> {
        Reader { source, broken: Vec::new(), reports: Vec::new(), unlisted: 0 }
    }

    /// Files a report that is only worded when it will be shown.
    pub fn report(&mut self, word: impl FnOnce(&Source) -> Diagnostic) {
        if self.reports.len() < MOST_REPORTS {
            self.reports.push(word(self.source));
        } else {
            self.unlisted += 1;
        }
    }

    /// Files a report about broken TOML. One for a line: what follows on the
    /// same line mostly follows from it.
    pub fn report_broken(&mut self, at: usize, word: impl FnOnce(&Source) -> Diagnostic) {
        if self.mark_broken(self.source.line(at)) {
            self.report(word);
        }
    }

    /// Marks a line as one that the TOML parser could not make out; whether
    /// that is new.
    pub fn mark_broken(&mut self, line: usize) -> bool {
        match self.broken.binary_search(&line) {
            Ok(_) => false,
            Err(place) => {
                self.broken.insert(place, line);
                true
            }
        }
    }

    /// Whether the TOML parser gave up somewhere on the line of a byte.
    pub fn is_broken(&self, at: usize) -> bool {
        !self.broken.is_empty() && self.broken.binary_search(&self.source.line(at)).is_ok()
    }

    /// The lines that the TOML parser gave up on.
    pub fn broken_lines(&self) -> impl Iterator<Item = &str> {
        self.broken.iter().map(|line| self.source.line_text(*line))
    }

    /// Everything that was filed, in the order of the file.
    pub fn into_reports(self) -> Vec<Diagnostic> {
        let mut reports = self.reports;
        reports.sort_by_key(|report| {
            report.labels.first().map(|label| (label.origin.line, label.origin.column))
        });
        if self.unlisted > 0 {
            let end = self.source.origin(self.source.text.len());
            reports.push(
                Diagnostic::note(format!("{} more errors are not listed", self.unlisted)).at(&end),
            );
        }
        reports
    }

    fn origin(&self, item: &Item<'_>) -> Origin {
        self.source.origin(item.span.start)
    }

    pub(super) fn sourced<T>(&self, item: &Item<'_>, value: T) -> Sourced<T> {
        Sourced::new(value, self.origin(item))
    }

    /// Reports a value of the wrong type.
    pub fn wrong_type(&mut self, item: &Item<'_>, wanted: &str) {
        let (name, found) = (item.name(), kind_of(item.value));
        let hint = match item.value {
            DeValue::String(text) if wanted == FLAG && matches!(&**text, "true" | "false") => {
                Some(format!("write {text} without quotes"))
            }
            DeValue::String(_) if wanted.starts_with("a list") => {
                Some("put the string into brackets, as in [\"...\"]".to_owned())
            }
            _ => None,
        };
        self.report(|source| {
            let message = format!("`{name}` must be {wanted}, not {found}");
            let error = source.error(
                Code::WrongType,
                item.span.clone(),
                message,
                format!("this is {found}"),
            );
            hint.into_iter().fold(error, Diagnostic::hint)
        });
    }

    /// Reports a value of the right type that means nothing.
    pub fn bad_value(&mut self, item: &Item<'_>, fault: Fault) {
        let name = item.name();
        self.report(|source| {
            let message = match fault.code {
                Code::PathRefused => format!("a path in `{name}` is refused"),
                _ => format!("bad value for `{name}`"),
            };
            let error = source.error(fault.code, item.span.clone(), message, fault.why);
            fault.hint.into_iter().fold(error, Diagnostic::hint)
        });
    }

    /// A string without control characters.
    pub(super) fn string<'v>(&mut self, item: &Item<'v>, wanted: &str) -> Option<&'v str> {
        let DeValue::String(text) = item.value else {
            self.wrong_type(item, wanted);
            return None;
        };
        if let Some(bad) = text.chars().find(|c| c.is_control()) {
            let why = format!("it has a control character (U+{:04X})", u32::from(bad));
            self.bad_value(item, Fault::new(why));
            return None;
        }
        Some(text)
    }

    /// A string that a function makes something of.
    pub fn text<T>(
        &mut self,
        item: &Item<'_>,
        read: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<Sourced<T>> {
        let text = self.string(item, "a string")?;
        match read(text) {
            Ok(value) => Some(self.sourced(item, value)),
            Err(fault) => {
                self.bad_value(item, fault);
                None
            }
        }
    }

    /// One of a list of words.
    pub fn one_of(&mut self, item: &Item<'_>, words: &[&'static str]) -> Option<Sourced<String>> {
        let text = self.string(item, "a string")?;
        if !words.contains(&text) {
            self.no_such_word(item, text, words);
            return None;
        }
        Some(self.sourced(item, text.to_owned()))
    }

    /// One of the words of a closed set.
    pub fn word<W: Word>(&mut self, item: &Item<'_>) -> Option<Sourced<W>> {
        let text = self.string(item, "a string")?;
        let Some(value) = W::from_word(text) else {
            let words: Vec<&str> = W::WORDS.iter().map(|(word, _)| *word).collect();
            self.no_such_word(item, text, &words);
            return None;
        };
        Some(self.sourced(item, value))
    }

    /// Reports a word that is not in the list.
    fn no_such_word(&mut self, item: &Item<'_>, text: &str, words: &[&str]) {
        let name = item.name();
        self.report(|source| {
            let guess = closest(text, words.iter().copied());
            let error = source.error(
                Code::BadValue,
                item.span.clone(),
                format!("`{name}` has no word `{}`", shortened(text)),
                did_you_mean(guess),
            );
            // A long list would bury the guess.
            if guess.is_some() && words.len() > SHORT_LIST {
                return error;
            }
            error.hint(format!("write {}", alternatives(words.iter().copied())))
        });
    }

    /// `true` or `false`.
    pub fn flag(&mut self, item: &Item<'_>) -> Option<Sourced<bool>> {
        let DeValue::Boolean(value) = item.value else {
            self.wrong_type(item, FLAG);
            return None;
        };
        Some(self.sourced(item, *value))
    }

    /// A whole number within bounds.
    pub fn integer<T>(&mut self, item: &Item<'_>, bounds: RangeInclusive<i64>) -> Option<Sourced<T>>
    where
        T: TryFrom<i64>,
    {
        let DeValue::Integer(number) = item.value else {
            self.wrong_type(item, "a whole number");
            return None;
        };
        let value = i64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .filter(|value| bounds.contains(value))
            .and_then(|value| T::try_from(value).ok());
        if value.is_none() {
            let (least, most) = (bounds.start(), bounds.end());
            let why = format!("it must be from {least} to {most}");
            self.bad_value(item, Fault::new(why));
        }
        value.map(|value| self.sourced(item, value))
    }

    /// A whole number within the bounds of its key.
    pub fn number<T: TryFrom<i64>>(&mut self, item: &Item<'_>) -> Option<Sourced<T>> {
        match item.key.shape {
            Shape::Number(least, most) => self.integer(item, least..=most),
            _ => self.integer(item, i64::MIN..=i64::MAX),
        }
    }

    /// A list whose entries a function reads. An empty one takes back what
    /// lower layers stated.
    pub fn list<T: PartialEq>(
        &mut self,
        item: &Item<'_>,
        mut read: impl FnMut(&mut Reader<'s>, &Item<'_>) -> Option<Sourced<T>>,
    ) -> List<T> {
        let mut list = List::default();
        let DeValue::Array(array) = item.value else {
            self.wrong_type(item, item.key.shape.wants());
            return list;
        };
        if array.is_empty() {
            list.emptied = Some(self.origin(item));
        }
        if array.len() > MOST_ENTRIES {
            let why = format!("a list has at most {MOST_ENTRIES} entries");
            self.bad_value(item, Fault::new(why));
            return list;
        }
        for entry in array {
            if !self.is_broken(entry.span().start)
                && let Some(value) = read(self, &item.entry(entry))
            {
                list.push(value);
            }
        }
        list
    }

    /// A list of strings that a function makes something of.
    pub fn texts<T: PartialEq>(
        &mut self,
        item: &Item<'_>,
        read: impl Fn(&str) -> Result<T, Fault>,
    ) -> List<T> {
        self.list(item, |reader, entry| reader.text(entry, &read))
    }

    /// A table of strings with names of its own.
    pub fn named_texts(
        &mut self,
        item: &Item<'_>,
        read_name: impl Fn(&str) -> Result<String, Fault>,
    ) -> BTreeMap<String, Sourced<String>> {
        let mut all = BTreeMap::new();
        let DeValue::Table(table) = item.value else {
            self.wrong_type(item, item.key.shape.wants());
            return all;
        };
        for (name, value) in table {
            if self.is_broken(name.span().start) {
                continue;
            }
            let part = item.part(name.get_ref(), value);
            let checked = match read_name(name.get_ref()) {
                Ok(name) => Some(name),
                Err(fault) => {
                    let at = Item { span: name.span(), ..item.part(name.get_ref(), value) };
                    self.bad_value(&at, fault);
                    None
                }
            };
            let text = self.text(&part, |text| Ok(text.to_owned()));
            if let (Some(name), Some(text)) = (checked, text) {
                all.insert(name, text);
            }
        }
        all
    }
}

/// A text that is quoted in a message, cut where it would bury the message.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((cut, _)) => format!("{}...", &text[..cut]),
        None => text.to_owned(),
    }
}
