//! What a client may do on the bus: levels for names, and rules for single
//! calls and broadcasts.
//!
//! The rules are what the command line or a manifest says; they never change
//! while the filter runs. Who owns which name does change, and is kept in
//! [`super::names`].

use std::collections::BTreeMap;

use crate::model::bus::{BusName, BusNameError};

use super::grammar;
use super::wire::Message;

/// How much of a name a client gets. Each level contains those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// The name does not exist for the client.
    #[default]
    Hidden,
    /// The client can see that it exists and who owns it.
    See,
    /// The client can call it and hears its broadcasts.
    Talk,
    /// The client can own it.
    Own,
}

/// Whether a rule is about what goes out or what comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Calls that the client makes, and signals that it sends to one peer.
    Call,
    /// Signals to all, that the client hears.
    Broadcast,
}

/// Why a text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// There is no `=` between the name and the rule.
    #[error("a rule is NAME=[METHOD][@PATH][#ARGUMENT], and here is no =")]
    NoName,
    /// The name in front of the `=`.
    #[error(transparent)]
    Name(#[from] BusNameError),
    /// Neither `*`, nor an interface with `.*`, nor a method with its interface.
    #[error("{0:?} is neither *, nor INTERFACE.*, nor INTERFACE.METHOD")]
    Method(String),
    /// Not an object path.
    #[error("{0:?} is no object path, nor one followed by /*")]
    Path(String),
    /// The part after `#` is empty.
    #[error("nothing stands after the #")]
    Argument,
}

/// A value, or a place and all that lies beneath.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    text: String,
    beneath: bool,
}

impl Place {
    /// Reads `text`, or `text` followed by the separator and a star.
    fn parse(text: &str, separator: char) -> Place {
        match text.strip_suffix('*').and_then(|rest| rest.strip_suffix(separator)) {
            Some(place) => Place { text: place.to_owned(), beneath: true },
            None => Place { text: text.to_owned(), beneath: false },
        }
    }

    fn contains(&self, text: &str, separator: u8) -> bool {
        match text.as_bytes().strip_prefix(self.text.as_bytes()) {
            Some([]) => true,
            Some([next, ..]) => self.beneath && *next == separator,
            None => false,
        }
    }
}

/// One rule: every part that is there has to fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    interface: Option<String>,
    member: Option<String>,
    path: Option<Place>,
    argument: Option<Place>,
}

impl Rule {
    /// Reads `[METHOD][@PATH][#ARGUMENT]`: METHOD is `*`, `INTERFACE.*` or
    /// `INTERFACE.METHOD`; PATH is an object path, with `/*` also all beneath
    /// it; ARGUMENT is what the first argument must be, a text, with `.*`
    /// also all beneath it. A part that is left out fits all.
    ///
    /// # Errors
    /// When a part is not of that form.
    pub fn parse(text: &str) -> Result<Rule, RuleError> {
        let (rest, argument) = match text.split_once('#') {
            Some((_, "")) => return Err(RuleError::Argument),
            Some((rest, argument)) => (rest, Some(Place::parse(argument, '.'))),
            None => (text, None),
        };
        let (method, path) = match rest.split_once('@') {
            Some((method, path)) => (method, Some(path)),
            None => (rest, None),
        };
        let mut rule = Rule { argument, ..Rule::default() };
        if let Some(path) = path {
            let place = Place::parse(path, '/');
            let whole = place.beneath && place.text.is_empty();
            if !whole && !grammar::is_object_path(&place.text) {
                return Err(RuleError::Path(path.to_owned()));
            }
            rule.path = Some(place);
        }
        if method.is_empty() || method == "*" {
            return Ok(rule);
        }
        let wrong = || RuleError::Method(method.to_owned());
        let (interface, member) = method.rsplit_once('.').ok_or_else(wrong)?;
        if !grammar::is_interface(interface) || (member != "*" && !grammar::is_member(member)) {
            return Err(wrong());
        }
        rule.interface = Some(interface.to_owned());
        rule.member = (member != "*").then(|| member.to_owned());
        Ok(rule)
    }

    /// Whether a call or signal fits.
    pub fn fits(&self, message: &Message<'_>) -> bool {
        let place = |wanted: &Option<Place>, found: Option<&str>, separator| match wanted {
            Some(place) => found.is_some_and(|found| place.contains(found, separator)),
            None => true,
        };
        (self.interface.is_none() || self.interface.as_deref() == message.interface)
            && (self.member.is_none() || self.member.as_deref() == message.member)
            && place(&self.path, message.path, b'/')
            // The body is read only by rules that ask for an argument.
            && (self.argument.is_none() || place(&self.argument, message.first_text(), b'.'))
    }
}

/// What is said of one name.
#[derive(Debug, Clone, Default)]
struct Entry {
    level: Level,
    calls: Vec<Rule>,
    broadcasts: Vec<Rule>,
}

impl Entry {
    /// A rule about a name means that the client can talk to it, if only
    /// about some things, so it is as visible as one that it may talk to.
    fn visible(&self) -> Level {
        if self.calls.is_empty() && self.broadcasts.is_empty() {
            self.level
        } else {
            self.level.max(Level::Talk)
        }
    }

    fn allows(&self, way: Way, message: &Message<'_>) -> bool {
        let rules = match way {
            Way::Call => &self.calls,
            Way::Broadcast => &self.broadcasts,
        };
        self.level >= Level::Talk || rules.iter().any(|rule| rule.fits(message))
    }
}

/// All that is said of names.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Of names themselves, and of names with all that lies beneath.
    entries: BTreeMap<String, [Entry; 2]>,
    /// Levels of all names that start so. Some programs put their process id
    /// behind a hyphen.
    prefixes: Vec<(String, Level)>,
}

impl Rules {
    fn entry(&mut self, name: &BusName) -> &mut Entry {
        let [exact, subtree] = self.entries.entry(name.name.clone()).or_default();
        if name.subtree { subtree } else { exact }
    }

    /// Gives a name a level. The highest that is said of a name counts.
    pub fn set_level(&mut self, name: &BusName, level: Level) {
        let entry = self.entry(name);
        entry.level = entry.level.max(level);
    }

    /// Gives all names that start with `start` a level.
    pub fn set_prefix(&mut self, start: &str, level: Level) {
        self.prefixes.push((start.to_owned(), level));
    }

    /// Allows what fits a rule.
    pub fn add_rule(&mut self, name: &BusName, way: Way, rule: Rule) {
        let entry = self.entry(name);
        match way {
            Way::Call => entry.calls.push(rule),
            Way::Broadcast => entry.broadcasts.push(rule),
        }
    }

    /// Reads `NAME=RULE` and adds it.
    ///
    /// # Errors
    /// When the text is not of that form.
    pub fn add_text(&mut self, way: Way, text: &str) -> Result<(), RuleError> {
        let (name, rule) = text.split_once('=').ok_or(RuleError::NoName)?;
        let name = BusName::parse(name)?;
        self.add_rule(&name, way, Rule::parse(rule)?);
        Ok(())
    }

    /// What is said of a well-known name, the name itself first, then those
    /// that it lies beneath. `org.a.*` is also about `org.a`.
    fn about<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r Entry> {
        let parents = std::iter::successors(Some(name), |name| {
            name.rsplit_once('.').map(|(parent, _)| parent)
        });
        parents.enumerate().flat_map(|(steps, parent)| {
            let [exact, subtree] = match self.entries.get(parent) {
                Some([exact, subtree]) => [Some(exact).filter(|_| steps == 0), Some(subtree)],
                None => [None, None],
            };
            exact.into_iter().chain(subtree)
        })
    }

    /// The level of a well-known name.
    pub fn level(&self, name: &str) -> Level {
        self.about(name).map(Entry::visible).max().unwrap_or_default().max(self.by_prefix(name))
    }

    /// Whether a call to, or a broadcast from, a well-known name is allowed.
    pub fn allows(&self, name: &str, way: Way, message: &Message<'_>) -> bool {
        self.about(name).any(|entry| entry.allows(way, message))
            || self.by_prefix(name) >= Level::Talk
    }

    fn by_prefix(&self, name: &str) -> Level {
        let fits = self.prefixes.iter().filter(|(start, _)| name.starts_with(start.as_str()));
        fits.map(|(_, level)| *level).max().unwrap_or_default()
    }

    /// Every name that something is said of, and whether also of the names
    /// beneath it.
    pub fn names(&self) -> impl Iterator<Item = (&str, bool)> {
        self.entries
            .iter()
            .map(|(name, [_, subtree])| (name.as_str(), subtree.visible() > Level::Hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::wire::{Argument, Draft};

    fn rules(levels: &[(&str, Level)]) -> Rules {
        let mut rules = Rules::default();
        for (name, level) in levels {
            rules.set_level(&BusName::parse(name).unwrap(), *level);
        }
        rules
    }

    #[test]
    fn a_star_means_the_name_and_all_beneath_it() {
        let rules = rules(&[
            ("org.foo.*", Level::See),
            ("org.foo.bar", Level::Talk),
            ("org.foo.bar.*", Level::See),
            ("org.own.*", Level::Own),
        ]);
        let cases = [
            ("org.foo", Level::See),
            ("org.foo.x", Level::See),
            ("org.foo.x.y", Level::See),
            ("org.foobar", Level::Hidden),
            ("org.foo.bar", Level::Talk),
            ("org.foo.bar.baz", Level::See),
            ("org", Level::Hidden),
            ("org.own.x.y.z", Level::Own),
        ];
        for (name, level) in cases {
            assert_eq!(rules.level(name), level, "{name}");
        }
    }

    #[test]
    fn a_rule_makes_a_name_visible_and_opens_only_what_fits() {
        let mut rules = Rules::default();
        rules.add_text(Way::Call, "org.a=org.i.Get@/x/*").unwrap();
        rules.add_text(Way::Broadcast, "org.b.*=org.i.*").unwrap();
        assert_eq!(rules.level("org.a"), Level::Talk);
        assert_eq!(rules.level("org.b.c"), Level::Talk);
        let cases = [
            ("org.a", Way::Call, "org.i", "Get", "/x", true),
            ("org.a", Way::Call, "org.i", "Get", "/x/y", true),
            ("org.a", Way::Call, "org.i", "Get", "/xy", false),
            ("org.a", Way::Call, "org.i", "Set", "/x", false),
            ("org.a", Way::Call, "org.j", "Get", "/x", false),
            ("org.a", Way::Broadcast, "org.i", "Get", "/x", false),
            ("org.b.c", Way::Broadcast, "org.i", "Any", "/", true),
            ("org.b.c", Way::Broadcast, "org.ij", "Any", "/", false),
            ("org.b.c", Way::Call, "org.i", "Any", "/", false),
        ];
        for (name, way, interface, member, path, allowed) in cases {
            let bytes = call(interface, member, path, Argument::Nothing);
            let message = Message::read(&bytes).unwrap();
            assert_eq!(
                rules.allows(name, way, &message),
                allowed,
                "{name} {way:?} {interface}.{member} at {path}"
            );
        }
    }

    #[test]
    fn a_start_of_names_means_each_of_them() {
        let mut rules = rules(&[("org.kde.Item-1-1", Level::See)]);
        rules.set_prefix("org.kde.Item-", Level::Own);
        assert_eq!(rules.level("org.kde.Item-1-1"), Level::Own);
        assert_eq!(rules.level("org.kde.Item-77"), Level::Own);
        assert_eq!(rules.level("org.kde.Item"), Level::Hidden);
        assert_eq!(rules.level("org.kde.Items-1"), Level::Hidden);
    }

    #[test]
    fn a_rule_can_ask_for_the_first_argument() {
        let rule = Rule::parse("org.i.Read@/p#org.gnome.*").unwrap();
        for (argument, fits) in [
            (Argument::Text("org.gnome"), true),
            (Argument::Text("org.gnome.desktop"), true),
            (Argument::Text("org.gnomes"), false),
            (Argument::Nothing, false),
            (Argument::Texts(&["org.gnome"]), false),
        ] {
            let bytes = call("org.i", "Read", "/p", argument);
            assert_eq!(rule.fits(&Message::read(&bytes).unwrap()), fits, "{argument:?}");
        }
        assert_eq!(Rule::parse("*#"), Err(RuleError::Argument));
    }

    #[test]
    fn a_text_that_is_no_rule_is_refused() {
        for text in ["", "*", "@/", "@/a/*", "@/*", "org.i.*", "org.i.M", "org.i.M@/a", "*@/a#x"] {
            Rule::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        for text in ["M", "*x", "org.*", "org.i.", "@", "@a", "@/a/", "@/a*", "a b.c", "org..M"] {
            Rule::parse(text).expect_err(text);
        }
        let mut rules = Rules::default();
        for text in ["org.a", "=*", ":1.5=*", "org=*", "org.9=*"] {
            rules.add_text(Way::Call, text).expect_err(text);
        }
    }

    fn call(interface: &str, member: &str, path: &str, argument: Argument<'_>) -> Vec<u8> {
        Draft {
            path: Some(path),
            interface: Some(interface),
            destination: None,
            ..Draft::bus_call(1, 0, member, argument)
        }
        .write()
    }
}
