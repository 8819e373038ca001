//! Typed reading of values that have parts, or that can be written in several
//! ways.

use toml::de::{DeTable, DeValue};

use crate::model::condition::{Condition, Fact};
use crate::model::manifest::{PathGrant, SshAgent};
use crate::model::origin::Sourced;
use crate::report::Code;

use super::closest::closest;
use super::reader::{Item, MOST_ENTRIES, Reader, alternatives, did_you_mean, shortened};
use super::shape::Shape;
use super::values::{self, Access, Fault};

impl Reader<'_> {
    /// A line of `[when]`: one answer, or several of which one is enough.
    pub fn condition(
        &mut self,
        item: &Item<'_>,
        fact: Fact,
        form: fn(&str) -> Result<String, Fault>,
    ) -> Option<Sourced<Condition>> {
        let words = match item.key.shape {
            Shape::AnswerOf(words) => Some(words()),
            _ => None,
        };
        let answer = |reader: &mut Reader<'_>, entry: &Item<'_>| match &words {
            Some(words) => reader.one_of(entry, words),
            None => reader.text(entry, form),
        };
        let any_of: Vec<String> = match item.value {
            DeValue::String(_) => vec![answer(self, item)?.value],
            DeValue::Array(_) => {
                let list = self.list(item, answer);
                if list.emptied.is_some() {
                    let why = "no answer is named, so that the file would never count";
                    self.bad_value(item, Fault::new(why));
                }
                list.items.into_iter().map(|answer| answer.value).collect()
            }
            _ => {
                self.wrong_type(item, item.key.shape.wants());
                return None;
            }
        };
        Some(self.sourced(item, Condition { fact, any_of }))
    }

    /// The program and its arguments.
    pub fn command(&mut self, item: &Item<'_>) -> Option<Sourced<Vec<String>>> {
        let DeValue::Array(array) = item.value else {
            self.wrong_type(item, item.key.shape.wants());
            return None;
        };
        let Some(program) = array.first() else {
            self.bad_value(item, Fault::new("it names no program"));
            return None;
        };
        if array.len() > MOST_ENTRIES {
            let why = format!("a command has at most {MOST_ENTRIES} words");
            self.bad_value(item, Fault::new(why));
            return None;
        }
        if program.get_ref().as_str() == Some("") {
            self.bad_value(&item.entry(program), Fault::new("the program's name is empty"));
            return None;
        }
        let mut words = Vec::with_capacity(array.len());
        for entry in array {
            // One that is bad is reported; so is each behind it.
            if let Some(word) = self.text(&item.entry(entry), |text| Ok(text.to_owned())) {
                words.push(word.value);
            }
        }
        (words.len() == array.len()).then(|| self.sourced(item, words))
    }

    /// Seconds, plain or as a duration.
    pub fn seconds(&mut self, item: &Item<'_>) -> Option<Sourced<u64>> {
        match item.value {
            DeValue::Integer(_) => self.integer(item, 1..=u32::MAX.into()),
            DeValue::String(_) => self.text(item, values::duration),
            _ => {
                self.wrong_type(item, item.key.shape.wants());
                None
            }
        }
    }

    /// A limit, kept as it was written.
    pub fn limit(
        &mut self,
        item: &Item<'_>,
        read: impl FnOnce(&str) -> Result<String, Fault>,
    ) -> Option<Sourced<String>> {
        let read = match item.value {
            DeValue::String(_) => return self.text(item, read),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_err(|_| Fault::new("the number is too large"))
                .and_then(|number| read(&number.to_string())),
            _ => {
                self.wrong_type(item, item.key.shape.wants());
                return None;
            }
        };
        match read {
            Ok(text) => Some(self.sourced(item, text)),
            Err(fault) => {
                self.bad_value(item, fault);
                None
            }
        }
    }

    /// Reports keys of an inline table that it does not have.
    fn only(&mut self, item: &Item<'_>, table: &DeTable<'_>, known: &'static [&'static str]) {
        for name in table.keys() {
            if known.contains(&&**name.get_ref()) {
                continue;
            }
            let (span, text) = (name.span(), name.get_ref());
            self.report(|source| {
                let message = format!("unknown key `{}` in `{}`", shortened(text), item.name());
                let guess = did_you_mean(closest(text, known.iter().copied()));
                source
                    .error(Code::UnknownKey, span, message, guess)
                    .hint(format!("it may have {}", alternatives(known.iter().copied())))
            });
        }
    }

    /// An entry of a list of paths.
    pub fn grant(&mut self, item: &Item<'_>, access: Access) -> Option<Sourced<PathGrant>> {
        let path = |text: &str| values::path(text, access);
        let DeValue::Table(table) = item.value else {
            let DeValue::String(_) = item.value else {
                self.wrong_type(item, "a path or { path, required, exec }");
                return None;
            };
            let path = self.text(item, path)?;
            let grant = PathGrant { path: path.value, required: false, exec: None };
            return Some(Sourced::new(grant, path.origin));
        };
        self.only(item, table, &["path", "required", "exec"]);
        let required = match table.get("required") {
            Some(value) => self.flag(&item.part("required", value))?.value,
            None => false,
        };
        let exec = match table.get("exec") {
            Some(value) => Some(self.flag(&item.part("exec", value))?.value),
            None => None,
        };
        let Some(value) = table.get("path") else {
            let message = format!("an entry of `{}` has no `path`", item.name());
            let span = item.span.clone();
            self.report(|source| {
                source
                    .error(Code::MissingKey, span, message, "this entry")
                    .hint("write it as in { path = \"~/Papers\", required = true }")
            });
            return None;
        };
        let path = self.text(&item.part("path", value), path)?.value;
        Some(self.sourced(item, PathGrant { path, required, exec }))
    }

    /// `agents.ssh`: true, false or a table.
    pub fn ssh_agent(&mut self, item: &Item<'_>) -> Option<Sourced<SshAgent>> {
        let table = match item.value {
            DeValue::Boolean(enabled) => {
                let agent = SshAgent { enabled: *enabled, keys: Vec::new(), confirm: false };
                return Some(self.sourced(item, agent));
            }
            DeValue::Table(table) => table,
            _ => {
                self.wrong_type(item, item.key.shape.wants());
                return None;
            }
        };
        self.only(item, table, &["keys", "confirm"]);
        let keys = match table.get("keys") {
            Some(value) => {
                let part = item.part("keys", value);
                let list = self.texts(&part, values::fingerprint);
                // In SshAgent no keys mean all of them, which is not what a
                // person means who writes an empty list.
                if list.emptied.is_some() {
                    self.bad_value(&part, Fault::new("no key is named; false refuses them all"));
                    return None;
                }
                list.items.into_iter().map(|key| key.value).collect()
            }
            None => Vec::new(),
        };
        let confirm = match table.get("confirm") {
            Some(value) => self.flag(&item.part("confirm", value))?.value,
            None => false,
        };
        Some(self.sourced(item, SshAgent { enabled: true, keys, confirm }))
    }
}
