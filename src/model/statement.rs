//! Settings seen key by key: what is stated, and the taking back of it.

use std::collections::BTreeMap;

use super::manifest::Settings;
use super::origin::{Layer, List, Origin, Sourced};

/// What one key can state.
trait Statement {
    /// Where it is stated; empty where it is not.
    fn origins(&self) -> Vec<&Origin>;
    /// Makes it unstated.
    fn take_back(&mut self);
}

impl<T> Statement for Option<Sourced<T>> {
    fn origins(&self) -> Vec<&Origin> {
        self.iter().map(|stated| &stated.origin).collect()
    }

    fn take_back(&mut self) {
        *self = None;
    }
}

impl<T> Statement for List<T> {
    fn origins(&self) -> Vec<&Origin> {
        self.emptied.iter().chain(self.items.iter().map(|item| &item.origin)).collect()
    }

    fn take_back(&mut self) {
        *self = List::default();
    }
}

impl Statement for BTreeMap<String, Sourced<String>> {
    fn origins(&self) -> Vec<&Origin> {
        self.values().map(|stated| &stated.origin).collect()
    }

    fn take_back(&mut self) {
        self.clear();
    }
}

/// Every key with its field, by reference or by mutable reference. The single
/// limits, which share a field, are not among them; nor are denies where
/// something is taken back, since nothing takes one back.
macro_rules! fields {
    ($settings:ident $(, $mutable:tt)?) => {
        vec![
            ("name", &$($mutable)? $settings.name as &$($mutable)? dyn Statement),
            ("command", &$($mutable)? $settings.command),
            ("desktop", &$($mutable)? $settings.desktop),
            ("single-instance", &$($mutable)? $settings.single_instance),
            ("hostname", &$($mutable)? $settings.hostname),
            ("nice", &$($mutable)? $settings.nice),
            ("oom-score", &$($mutable)? $settings.oom_score),
            ("timeout", &$($mutable)? $settings.timeout),
            ("landlock", &$($mutable)? $settings.landlock),
            ("home.kind", &$($mutable)? $settings.home.kind),
            ("home.persist", &$($mutable)? $settings.home.persist),
            ("filesystem.read", &$($mutable)? $settings.filesystem.read),
            ("filesystem.write", &$($mutable)? $settings.filesystem.write),
            ("filesystem.create", &$($mutable)? $settings.filesystem.create),
            (DENY, &$($mutable)? $settings.filesystem.deny),
            ("display.wayland", &$($mutable)? $settings.display.wayland),
            ("display.x11", &$($mutable)? $settings.display.x11),
            ("audio.playback", &$($mutable)? $settings.audio.playback),
            ("audio.record", &$($mutable)? $settings.audio.record),
            ("devices.allow", &$($mutable)? $settings.devices),
            ("network.mode", &$($mutable)? $settings.network.mode),
            ("network.connect", &$($mutable)? $settings.network.connect),
            ("network.listen", &$($mutable)? $settings.network.listen),
            ("bus.session.see", &$($mutable)? $settings.session_bus.see),
            ("bus.session.talk", &$($mutable)? $settings.session_bus.talk),
            ("bus.session.own", &$($mutable)? $settings.session_bus.own),
            ("bus.session.call", &$($mutable)? $settings.session_bus.call),
            ("bus.session.broadcast", &$($mutable)? $settings.session_bus.broadcast),
            ("bus.session.services", &$($mutable)? $settings.session_bus.services),
            ("bus.system.see", &$($mutable)? $settings.system_bus.see),
            ("bus.system.talk", &$($mutable)? $settings.system_bus.talk),
            ("bus.system.own", &$($mutable)? $settings.system_bus.own),
            ("bus.system.call", &$($mutable)? $settings.system_bus.call),
            ("bus.system.broadcast", &$($mutable)? $settings.system_bus.broadcast),
            ("portals.allow", &$($mutable)? $settings.portals),
            ("portals.marker", &$($mutable)? $settings.marker),
            ("accessibility.enabled", &$($mutable)? $settings.accessibility),
            ("agents.ssh", &$($mutable)? $settings.ssh_agent),
            ("agents.gpg", &$($mutable)? $settings.gpg_agent),
            ("environment.set", &$($mutable)? $settings.environment_set),
            ("environment.pass", &$($mutable)? $settings.environment_pass),
            ("syscalls.nested", &$($mutable)? $settings.nested),
            ("syscalls.allow", &$($mutable)? $settings.syscalls),
            ("limits.required", &$($mutable)? $settings.limits.required),
            ("check.must-open", &$($mutable)? $settings.check_must_open),
            ("check.must-deny", &$($mutable)? $settings.check_must_deny),
        ]
    };
}

/// The key of denies.
pub const DENY: &str = "filesystem.deny";

/// Whether a name of `lock` or `reset` means this key: the key itself, or a
/// table that holds it.
pub fn covers(named: &str, key: &str) -> bool {
    key.strip_prefix(named).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Settings {
    /// Every key that is stated, with the place of each statement that is in
    /// force. `lock` and `reset` themselves are not among them.
    pub fn stated(&self) -> Vec<(String, Origin)> {
        let fields = fields!(self);
        let fields = fields.iter().flat_map(|(key, field)| {
            field.origins().into_iter().map(|origin| ((*key).to_owned(), origin.clone()))
        });
        let limits = self.limits.values.iter();
        fields
            .chain(limits.map(|(name, limit)| (format!("limits.{name}"), limit.origin.clone())))
            .collect()
    }

    /// Makes every key unstated that these names mean. Denies stay: nothing
    /// but a grant that names the path lifts one.
    pub(super) fn take_back(&mut self, named: &List<String>) {
        if named.items.is_empty() {
            return;
        }
        let is_named = |key: &str| named.values().any(|name| covers(name, key));
        for (key, field) in fields!(self, mut) {
            if key != DENY && is_named(key) {
                field.take_back();
            }
        }
        self.limits.values.retain(|name, _| !is_named(&format!("limits.{name}")));
    }

    /// The statement by which a key cannot be changed from a layer, if there
    /// is one.
    pub fn lock_on(&self, key: &str, layer: Layer) -> Option<&Sourced<String>> {
        self.lock.items.iter().find(|lock| lock.origin.layer < layer && covers(&lock.value, key))
    }
}
