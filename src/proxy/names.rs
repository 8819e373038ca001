//! Which peers a client knows of: the unique names that it may see, and what
//! it may do with each, because of the names that they own or because they
//! turned to the client first.

use std::collections::{BTreeMap, VecDeque};

use super::BUS;
use super::rules::{Level, Rules, Way};
use super::wire::Message;

/// How many peers are remembered. The one that was met first is forgotten
/// first, and is then hidden again.
const PEERS_MAX: usize = 4096;

/// How many names are remembered of one peer.
const NAMES_MAX: usize = 256;

/// What one client knows.
#[derive(Debug, Default)]
pub struct Names {
    own: Option<String>,
    /// The well-known names that each unique name has owned. They are kept
    /// when the name changes hands: a call may be on its way when it does.
    peers: BTreeMap<String, Vec<String>>,
    order: VecDeque<String>,
    sloppy: bool,
}

impl Names {
    /// Nobody is known yet. With `sloppy` every unique name's comings and
    /// goings are told.
    pub fn new(sloppy: bool) -> Names {
        Names { sloppy, ..Names::default() }
    }

    /// The client's own unique name, once the bus has told it.
    pub fn own(&self) -> Option<&str> {
        self.own.as_deref()
    }

    /// The bus has named the client.
    pub fn set_own(&mut self, name: &str) {
        self.own = Some(name.to_owned());
    }

    /// A peer has turned to the client, and so shows itself.
    pub fn meet(&mut self, unique: &str) {
        if !unique.starts_with(':') || self.peers.contains_key(unique) {
            return;
        }
        if self.peers.len() >= PEERS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.peers.remove(&oldest);
        }
        self.peers.insert(unique.to_owned(), Vec::new());
        self.order.push_back(unique.to_owned());
    }

    /// A unique name owns a well-known one that something is said of.
    pub fn learn_owner(&mut self, unique: &str, name: &str) {
        self.meet(unique);
        if let Some(names) = self.peers.get_mut(unique)
            && names.len() < NAMES_MAX
            && !names.iter().any(|known| known == name)
        {
            names.push(name.to_owned());
        }
    }

    /// A connection has left the bus. Its name is never given again.
    pub fn forget(&mut self, unique: &str) {
        if self.peers.remove(unique).is_some() {
            self.order.retain(|peer| peer != unique);
        }
    }

    /// The level of any name.
    pub fn level(&self, rules: &Rules, name: &str) -> Level {
        if name == BUS || self.own.as_deref() == Some(name) {
            return Level::Talk;
        }
        if !name.starts_with(':') {
            return rules.level(name);
        }
        match self.peers.get(name) {
            Some(owned) => owned.iter().map(|name| rules.level(name)).fold(Level::See, Level::max),
            None => Level::Hidden,
        }
    }

    /// Whether a call to, or a broadcast from, any name but the bus is
    /// allowed.
    pub fn allows(&self, rules: &Rules, name: &str, way: Way, message: &Message<'_>) -> bool {
        if self.own.as_deref() == Some(name) {
            return true;
        }
        if !name.starts_with(':') {
            return rules.allows(name, way, message);
        }
        self.peers
            .get(name)
            .is_some_and(|owned| owned.iter().any(|name| rules.allows(name, way, message)))
    }

    /// Whether the client is told that a name has a new owner or none.
    pub fn told_of(&self, rules: &Rules, name: &str) -> bool {
        (self.sloppy && name.starts_with(':')) || self.level(rules, name) >= Level::See
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bus::BusName;

    #[test]
    fn a_peer_has_the_levels_of_all_names_it_ever_owned() {
        let mut rules = Rules::default();
        rules.set_level(&BusName::parse("org.see").unwrap(), Level::See);
        rules.set_level(&BusName::parse("org.talk").unwrap(), Level::Talk);
        let mut names = Names::new(false);
        assert_eq!(names.level(&rules, ":1.5"), Level::Hidden);
        names.meet(":1.5");
        assert_eq!(names.level(&rules, ":1.5"), Level::See);
        names.learn_owner(":1.5", "org.see");
        assert_eq!(names.level(&rules, ":1.5"), Level::See);
        names.learn_owner(":1.5", "org.talk");
        assert_eq!(names.level(&rules, ":1.5"), Level::Talk);
        assert_eq!(names.level(&rules, ":1.50"), Level::Hidden);
        names.forget(":1.5");
        assert_eq!(names.level(&rules, ":1.5"), Level::Hidden);
    }

    #[test]
    fn the_bus_and_oneself_can_always_be_talked_to() {
        let rules = Rules::default();
        let mut names = Names::new(false);
        assert_eq!(names.level(&rules, BUS), Level::Talk);
        assert_eq!(names.level(&rules, ":1.9"), Level::Hidden);
        names.set_own(":1.9");
        assert_eq!(names.level(&rules, ":1.9"), Level::Talk);
    }

    #[test]
    fn sloppy_names_tell_of_unique_names_only() {
        let rules = Rules::default();
        assert!(Names::new(true).told_of(&rules, ":1.5"));
        assert!(!Names::new(true).told_of(&rules, "org.hidden"));
        assert!(!Names::new(false).told_of(&rules, ":1.5"));
    }

    #[test]
    fn memory_for_peers_is_bounded_and_the_oldest_is_hidden_again() {
        let rules = Rules::default();
        let mut names = Names::new(false);
        for number in 0..=PEERS_MAX {
            names.meet(&format!(":1.{number}"));
            names.meet(&format!(":1.{number}"));
        }
        assert_eq!(names.peers.len(), PEERS_MAX);
        assert_eq!(names.order.len(), PEERS_MAX);
        assert_eq!(names.level(&rules, ":1.0"), Level::Hidden);
        assert_eq!(names.level(&rules, ":1.1"), Level::See);
    }
}
