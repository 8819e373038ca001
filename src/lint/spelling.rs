//! Bus names that are nearly those of known services.

use std::collections::BTreeSet;

use crate::catalogue;
use crate::manifest::change::Change;
use crate::manifest::closest::within;
use crate::model::bus::BusName;
use crate::model::origin::{List, Sourced};
use crate::model::path::AbsPath;

use super::dangers::{DANGERS, covers};
use super::rules::MISSPELT_NAME;
use super::{Finding, Subject};

/// Where packages state services that are started when called.
const INSTALLED: [&str; 2] = ["/usr/share/dbus-1/services", "/usr/share/dbus-1/system-services"];

/// Names that the catalogue knows.
pub fn catalogued() -> impl Iterator<Item = &'static str> {
    let portals = catalogue::words().filter_map(catalogue::portal);
    let services = catalogue::service_words().filter_map(catalogue::service);
    portals
        .flat_map(|portal| portal.opens().map(|object| object.bus.as_str()))
        .chain(services.flat_map(|service| service.opens.iter().map(|object| object.bus.as_str())))
}

/// Looks at the names of both buses.
pub fn check(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let settings = &subject.policy.settings;
    let (session, system) = (&settings.session_bus, &settings.system_bus);
    let lists: [(&'static str, &List<BusName>); 4] = [
        ("bus.session.see", &session.see),
        ("bus.session.talk", &session.talk),
        ("bus.system.see", &system.see),
        ("bus.system.talk", &system.talk),
    ];
    if lists.iter().all(|(_, list)| list.items.is_empty()) {
        return;
    }
    let known = known(subject);
    for (key, list) in lists {
        for name in &list.items {
            misspelt(key, name, &known, found);
        }
    }
}

fn known(subject: &Subject<'_>) -> BTreeSet<String> {
    let mut known: BTreeSet<String> = catalogued().map(str::to_owned).collect();
    let listed = DANGERS.iter().map(|danger| danger.name.trim_end_matches(['*', '.']));
    known.extend(listed.map(str::to_owned));
    for folder in INSTALLED {
        let Ok(listing) = AbsPath::new(folder).map(|folder| subject.fs.list(&folder)) else {
            continue;
        };
        let names = listing.into_iter().flatten().map(|(name, _)| name);
        known.extend(names.filter_map(|name| Some(name.strip_suffix(".service")?.to_owned())));
    }
    known
}

fn misspelt(
    key: &'static str,
    name: &Sourced<BusName>,
    known: &BTreeSet<String>,
    found: &mut Vec<Finding>,
) {
    let text = name.value.name.as_str();
    let is_known = known.contains(text)
        || DANGERS.iter().any(|danger| covers(danger.name, text))
        || name.value.subtree;
    if is_known {
        return;
    }
    // One slip in a short name, two in a long one.
    let steps = if text.len() < 16 { 1 } else { 2 };
    let Some(meant) = within(text, known.iter().map(String::as_str), steps) else { return };
    found.push(
        Finding::new(
            &MISSPELT_NAME,
            &name.origin,
            format!("no service is known as {text}; there is {meant}"),
        )
        .remedy(format!("write \"{meant}\", if that is meant"))
        .change(Change::Replace { key, entry: text.to_owned(), with: meant.to_owned() }),
    );
}
