//! A manifest's text changed key by key. Comments, order and everything else
//! that a person wrote stay as they are.
//!
//! Nothing here knows what a value means: the caller parses the text that
//! comes out before it is written anywhere.

use toml_edit::{Array, DocumentMut, Item, RawString, Table, TableLike, Value};

use super::keys::{Key, named};

/// A manifest's text that is being changed.
pub struct Document {
    toml: DocumentMut,
    /// The home, so that a path in it is the same by both its names.
    home: String,
}

/// The text is not TOML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the text is not TOML")]
pub struct NotToml;

impl Document {
    /// Reads a text.
    ///
    /// # Errors
    /// When it is not TOML.
    pub fn read(text: &str, home: &str) -> Result<Document, NotToml> {
        let toml = text.parse().map_err(|_| NotToml)?;
        Ok(Document { toml, home: home.trim_end_matches('/').to_owned() })
    }

    /// The text as it is now.
    pub fn text(&self) -> String {
        self.toml.to_string()
    }

    /// Whether anything is stated for a key.
    pub fn states(&self, key: &str) -> bool {
        self.item(key).is_some()
    }

    /// Whether a name stands in `reset`.
    pub fn resets(&self, key: &str) -> bool {
        self.has("reset", &Value::from(key))
    }

    /// Whether a list has an entry.
    pub fn has(&self, key: &str, entry: &Value) -> bool {
        let array = self.item(key).and_then(Item::as_array);
        array.is_some_and(|array| array.iter().any(|old| self.same(old, entry)))
    }

    fn item(&self, key: &str) -> Option<&Item> {
        let mut table: &dyn TableLike = self.toml.as_table();
        let (folders, name) = split(key);
        for folder in folders {
            table = table.get(folder)?.as_table_like()?;
        }
        table.get(name)
    }

    /// The table that holds a key; made where it is missing.
    fn holder(&mut self, key: &str) -> Option<&mut dyn TableLike> {
        let mut table: &mut dyn TableLike = self.toml.as_table_mut();
        let (folders, _) = split(key);
        let last = folders.len();
        for (depth, folder) in folders.into_iter().enumerate() {
            if !table.contains_key(folder) {
                let mut new = Table::new();
                new.set_implicit(depth + 1 < last);
                table.insert(folder, Item::Table(new));
            }
            table = table.get_mut(folder)?.as_table_like_mut()?;
        }
        Some(table)
    }

    /// States a key, in the place of what it said.
    pub fn set(&mut self, key: &str, value: Value) {
        let (_, name) = split(key);
        let Some(table) = self.holder(key) else { return };
        match table.get_mut(name).and_then(Item::as_value_mut) {
            Some(old) if same_value(old, &value) => {}
            Some(old) => {
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            None => insert(table, name, value),
        }
    }

    /// States one name of a table of strings, such as a variable.
    pub fn set_part(&mut self, key: &str, part: &str, value: &str) {
        if !self.states(key) {
            self.set(key, Value::InlineTable(toml_edit::InlineTable::new()));
        }
        let (_, name) = split(key);
        let Some(table) = self.holder(key) else { return };
        let Some(table) = table.get_mut(name).and_then(Item::as_table_like_mut) else { return };
        match table.get_mut(part).and_then(Item::as_value_mut) {
            Some(old) if old.as_str() == Some(value) => {}
            Some(old) => *old = Value::from(value),
            None => insert(table, part, Value::from(value)),
        }
    }

    /// Adds an entry to a list. An empty list took back what lower layers
    /// said, which one with an entry does not: the key is reset instead.
    pub fn add(&mut self, key: &str, entry: Value) {
        if self.has(key, &entry) {
            return;
        }
        if self.item(key).and_then(Item::as_array).is_none() {
            self.set(key, Value::Array(Array::new()));
        } else if self.is_emptied(key) && named(key).is_some_and(Key::can_be_emptied) {
            self.add("reset", Value::from(key));
        }
        let (_, name) = split(key);
        let Some(table) = self.holder(key) else { return };
        if let Some(array) = table.get_mut(name).and_then(Item::as_array_mut) {
            append(array, entry);
        }
    }

    fn is_emptied(&self, key: &str) -> bool {
        self.item(key).and_then(Item::as_array).is_some_and(Array::is_empty)
    }

    /// Takes an entry out of a list; the last one takes the list with it.
    /// Gives whether it was there.
    pub fn remove(&mut self, key: &str, entry: &Value) -> bool {
        let Some(array) = self.item(key).and_then(Item::as_array) else { return false };
        let Some(index) = array.iter().position(|old| self.same(old, entry)) else { return false };
        if array.len() == 1 {
            return self.unset(key);
        }
        let (_, name) = split(key);
        let array = self.holder(key).and_then(|table| table.get_mut(name)?.as_array_mut());
        if let Some(array) = array {
            take_out(array, index);
        }
        true
    }

    /// The entry of a list that means the same as `entry`.
    fn entry(&mut self, key: &str, entry: &Value) -> Option<&mut Value> {
        let array = self.item(key).and_then(Item::as_array)?;
        let index = array.iter().position(|old| self.same(old, entry))?;
        let (_, name) = split(key);
        self.holder(key)?.get_mut(name)?.as_array_mut()?.get_mut(index)
    }

    /// Writes an entry of a list anew. Gives whether it was there.
    pub fn replace(&mut self, key: &str, entry: &Value, with: Value) -> bool {
        let Some(old) = self.entry(key, entry) else { return false };
        let decor = old.decor().clone();
        *old = with;
        *old.decor_mut() = decor;
        true
    }

    /// Takes a name out of an entry that is a table. Gives whether it was
    /// there.
    pub fn strip(&mut self, key: &str, entry: &Value, name: &str) -> bool {
        let entry = self.entry(key, entry).and_then(Value::as_inline_table_mut);
        let Some(table) = entry else { return false };
        let Some(gone) = table.remove(name) else { return false };
        // The space before the closing brace was that of the last one.
        if let Some((_, last)) = table.iter_mut().last()
            && raw(last.decor().suffix()).is_empty()
        {
            last.decor_mut().set_suffix(raw(gone.decor().suffix()));
        }
        true
    }

    /// Takes one name out of a table of strings. Gives whether it was there.
    pub fn remove_part(&mut self, key: &str, part: &str) -> bool {
        let (_, name) = split(key);
        let inner = self.item(key).and_then(Item::as_table_like);
        if !inner.is_some_and(|table| table.contains_key(part)) {
            return false;
        }
        if inner.is_some_and(|table| table.len() == 1) {
            return self.unset(key);
        }
        let table = self.holder(key).and_then(|table| table.get_mut(name));
        table.and_then(Item::as_table_like_mut).and_then(|table| table.remove(part)).is_some()
    }

    /// Makes a key or a whole table unstated, and takes it out of `reset`.
    /// Gives whether anything was there.
    pub fn unset(&mut self, key: &str) -> bool {
        let reset = key != "reset" && self.remove("reset", &Value::from(key));
        if !self.states(key) {
            return reset;
        }
        let left = comments(&self.toml, key);
        let (folders, name) = split(key);
        if let Some(table) = self.holder(key) {
            table.remove(name);
        }
        self.keep(&folders, left);
        self.prune(&folders);
        true
    }

    /// Puts comments that have lost their key before what follows.
    fn keep(&mut self, folders: &[&str], left: Left) {
        let Left { text, next, position } = left;
        if text.is_empty() {
            return;
        }
        let mut table: Option<&mut dyn TableLike> = Some(self.toml.as_table_mut());
        for folder in folders {
            table = table.and_then(|table| table.get_mut(folder)?.as_table_like_mut());
        }
        let key = next.as_deref().and_then(|next| table?.key_mut(next));
        if let Some(mut key) = key {
            let before = raw(key.leaf_decor().prefix());
            key.leaf_decor_mut().set_prefix(format!("{text}{before}"));
        } else if let Some(table) = following(self.toml.as_table_mut(), position) {
            let before = raw(table.decor().prefix());
            table.decor_mut().set_prefix(format!("{text}{before}"));
        } else {
            let before = raw(Some(self.toml.trailing()));
            self.toml.set_trailing(format!("{text}{before}"));
        }
    }

    /// Removes tables that hold nothing any more, unless a person wrote
    /// something about them.
    fn prune(&mut self, folders: &[&str]) {
        for depth in (1..=folders.len()).rev() {
            let mut table: &mut dyn TableLike = self.toml.as_table_mut();
            for folder in &folders[..depth - 1] {
                match table.get_mut(folder).and_then(Item::as_table_like_mut) {
                    Some(inner) => table = inner,
                    None => return,
                }
            }
            let name = folders[depth - 1];
            let above = raw(table.key(name).and_then(|key| key.leaf_decor().prefix()));
            let is_bare = table.get(name).is_some_and(|item| {
                let own = match item {
                    Item::Table(inner) => inner.decor(),
                    Item::Value(value) => value.decor(),
                    Item::None | Item::ArrayOfTables(_) => return false,
                };
                let noted = format!("{above}{}{}", raw(own.prefix()), raw(own.suffix()));
                item.as_table_like().is_some_and(TableLike::is_empty) && !noted.contains('#')
            });
            if !is_bare {
                return;
            }
            table.remove(name);
        }
    }

    /// Whether two entries mean the same: strings as they are, paths by
    /// whichever name, entries with more to them by their path.
    pub fn same(&self, one: &Value, other: &Value) -> bool {
        match (self.path_of(one), self.path_of(other)) {
            (Some(one), Some(other)) => one == other,
            _ => same_value(one, other),
        }
    }

    fn path_of(&self, value: &Value) -> Option<String> {
        let text = match value {
            Value::InlineTable(table) => table.get("path")?.as_str()?,
            other => other.as_str()?,
        };
        let text = if text.len() > 1 { text.strip_suffix('/').unwrap_or(text) } else { text };
        match text.strip_prefix(self.home.as_str()) {
            Some(rest) if !self.home.is_empty() && (rest.is_empty() || rest.starts_with('/')) => {
                Some(format!("~{rest}"))
            }
            _ => Some(text.to_owned()),
        }
    }
}

/// The tables that hold a key, outermost first, and its name in the last.
fn split(key: &str) -> (Vec<&str>, &str) {
    let mut folders: Vec<&str> = key.split('.').collect();
    let name = folders.pop().unwrap_or(key);
    (folders, name)
}

fn raw(text: Option<&RawString>) -> String {
    text.and_then(RawString::as_str).unwrap_or_default().to_owned()
}

/// Adds a key behind the others. In a table on one line the space before the
/// closing brace stays there.
fn insert(table: &mut dyn TableLike, name: &str, mut value: Value) {
    if let Some(last) =
        table.iter_mut().last().and_then(|(_, item)| item.as_value_mut().map(Value::decor_mut))
    {
        let space = raw(last.suffix());
        if !space.is_empty() && space.trim().is_empty() {
            last.set_suffix("");
            value.decor_mut().set_suffix(space);
        }
    }
    table.insert(name, Item::Value(value));
}

/// Whether two values are the same but for how they are written.
fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same_value(a, b))
        }
        (Value::InlineTable(one), Value::InlineTable(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| {
                    other.get(name).is_some_and(|other| same_value(value, other))
                })
        }
        (Value::String(one), Value::String(other)) => one.value() == other.value(),
        (Value::Integer(one), Value::Integer(other)) => one.value() == other.value(),
        (Value::Boolean(one), Value::Boolean(other)) => one.value() == other.value(),
        _ => false,
    }
}

/// Comments on lines of their own above a key that is about to go.
struct Left {
    text: String,
    /// The key that follows in the same table.
    next: Option<String>,
    /// The place of the table in the text.
    position: isize,
}

fn comments(toml: &DocumentMut, key: &str) -> Left {
    let (folders, name) = split(key);
    let mut table: &dyn TableLike = toml.as_table();
    let mut position = 0;
    for folder in folders {
        let Some(item) = table.get(folder) else { break };
        if let Item::Table(inner) = item {
            position = inner.position().unwrap_or(position);
        }
        match item.as_table_like() {
            Some(inner) => table = inner,
            None => break,
        }
    }
    let mut above = table.key(name).map(|key| raw(key.leaf_decor().prefix())).unwrap_or_default();
    if let Some(Item::Table(gone)) = table.get(name) {
        position = gone.position().unwrap_or(position);
        above.push_str(&within(gone));
    }
    let text = if above.contains('#') { above } else { String::new() };
    // Tables further down stand where their headers do.
    let mut rest = table.iter().skip_while(|(other, _)| *other != name).skip(1);
    let next = rest.find(|(_, item)| item.is_value()).map(|(next, _)| next.to_owned());
    Left { text, next: next.filter(|_| table.get(name).is_some_and(Item::is_value)), position }
}

/// The comments on lines of their own in a table.
fn within(table: &Table) -> String {
    let mut all = raw(table.decor().prefix());
    for (name, item) in table {
        match item {
            Item::Table(inner) => all.push_str(&within(inner)),
            _ => all.push_str(&raw(table.key(name).and_then(|key| key.leaf_decor().prefix()))),
        }
    }
    if all.contains('#') { all } else { String::new() }
}

/// The table whose header is the first behind a place.
fn following(table: &mut Table, position: isize) -> Option<&mut Table> {
    fn first(table: &Table, position: isize) -> Option<isize> {
        let inner = table.iter().filter_map(|(_, item)| item.as_table());
        let all = inner.flat_map(|inner| {
            let own = inner.position().filter(|own| *own > position && !inner.is_implicit());
            [own, first(inner, position)].into_iter().flatten()
        });
        all.min()
    }
    fn at(table: &mut Table, position: isize) -> Option<&mut Table> {
        if table.position() == Some(position) && !table.is_implicit() {
            return Some(table);
        }
        let inner = table.iter_mut().filter_map(|(_, item)| item.as_table_mut());
        inner.into_iter().find_map(|inner| at(inner, position))
    }
    let next = first(table, position)?;
    at(table, next)
}

/// Appends an entry in the way in which the others stand.
fn append(array: &mut Array, mut entry: Value) {
    let trailing = raw(Some(array.trailing()));
    let last = array.len().checked_sub(1);
    let Some(before) = last.and_then(|last| array.get_mut(last)) else {
        entry.decor_mut().set_prefix("");
        array.push_formatted(entry);
        return;
    };
    let (prefix, suffix) = (raw(before.decor().prefix()), raw(before.decor().suffix()));
    let indent = prefix.rfind('\n').map(|at| prefix[at..].to_owned());
    // What stands behind the last entry belongs to it: a comment, mostly.
    let behind = format!("{suffix}{trailing}");
    match (indent, behind.rfind('\n')) {
        (indent, Some(end)) => {
            before.decor_mut().set_suffix("");
            let indent = indent.unwrap_or_else(|| "\n    ".to_owned());
            entry.decor_mut().set_prefix(format!("{}{indent}", behind[..end].trim_end()));
            entry.decor_mut().set_suffix("");
            array.set_trailing(&behind[end..]);
            array.set_trailing_comma(true);
        }
        (Some(indent), None) => entry.decor_mut().set_prefix(indent),
        (None, None) => entry.decor_mut().set_prefix(" "),
    }
    array.push_formatted(entry);
}

/// Takes an entry out; comments around it stay.
fn take_out(array: &mut Array, index: usize) {
    let (mut above, mut behind) = (String::new(), String::new());
    if let Some(entry) = array.get(index) {
        above = raw(entry.decor().prefix());
        behind = raw(entry.decor().suffix());
    }
    array.remove(index);
    let noted = if above.contains('#') || behind.contains('#') {
        // Without the indentation of the entry that is gone.
        let end = above.rfind('\n').unwrap_or(above.len());
        format!("{}{}", &above[..end], behind.trim_end())
    } else {
        String::new()
    };
    match array.get_mut(index) {
        Some(next) => {
            let own = raw(next.decor().prefix());
            let own = if index == 0 && !own.contains(['\n', '#']) { above } else { own };
            next.decor_mut().set_prefix(format!("{noted}{own}"));
        }
        None => {
            let own = raw(Some(array.trailing()));
            let own = if own.contains('\n') || noted.is_empty() { own } else { "\n".to_owned() };
            array.set_trailing(format!("{noted}{own}"));
        }
    }
}

#[cfg(test)]
mod tests;
