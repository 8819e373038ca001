//! What is stated and does nothing.

use crate::catalogue;
use crate::manifest::change::Change;
use crate::model::bus::BusName;
use crate::model::manifest::BusSettings;
use crate::model::origin::List;
use crate::model::path::AbsPath;
use crate::model::permission::{HomeKind, NetworkMode};
use crate::resolve::protected;

use super::dangers::covers;
use super::rules::{
    COVERED, LONELY_PORTAL, MISSING, PERSIST_WITHOUT_EPHEMERAL, PORTS_WITHOUT_NETWORK, STAYS_SHUT,
};
use super::{Finding, Grant, Subject};

/// Looks for statements without effect.
pub fn check(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let settings = &subject.policy.settings;
    let grants: Vec<Grant<'_>> = subject.grants().collect();
    for grant in &grants {
        if let Some(broader) = grants.iter().find(|other| is_covered(subject, grant, other)) {
            found.push(
                Finding::new(
                    &COVERED,
                    &grant.stated.origin,
                    format!("{} is granted already, by {}", grant.text(), broader.text()),
                )
                .change(grant.removal()),
            );
        } else {
            without_effect(subject, grant, found);
        }
    }
    names(&settings.session_bus, "bus.session.see", "bus.session.talk", found);
    names(&settings.system_bus, "bus.system.see", "bus.system.talk", found);
    let network = &settings.network;
    let host = network.mode.as_ref().is_some_and(|mode| mode.value != NetworkMode::None);
    for (ports, key) in [(&network.connect, "connect"), (&network.listen, "listen")] {
        if let Some(first) = ports.items.first().filter(|_| !host) {
            let key = if key == "connect" { "network.connect" } else { "network.listen" };
            let text = format!("{key} is stated, and there is no network");
            found.push(
                Finding::new(&PORTS_WITHOUT_NETWORK, &first.origin, text)
                    .change(Change::Unset { key }),
            );
        }
    }
    let ephemeral = settings.home.kind.as_ref().is_some_and(|k| k.value == HomeKind::Ephemeral);
    if let Some(first) = settings.home.persist.items.first().filter(|_| !ephemeral) {
        let text = "home.persist is stated, and the home is kept whole";
        found.push(
            Finding::new(&PERSIST_WITHOUT_EPHEMERAL, &first.origin, text)
                .change(Change::Unset { key: "home.persist" }),
        );
    }
    for word in &settings.portals.items {
        let Some(portal) = catalogue::portal(&word.value) else { continue };
        let granted = |other: &String| settings.portals.values().any(|word| word == other);
        if !portal.only_with.is_empty() && !portal.only_with.iter().any(granted) {
            let others = portal.only_with.join(" or ");
            let text = format!("the portal {} is of no use without {others}", word.value);
            found.push(
                Finding::new(&LONELY_PORTAL, &word.origin, text)
                    .change(Change::Remove { key: "portals.allow", entry: word.value.clone() }),
            );
        }
    }
}

/// Whether all would be as it is without a grant, because of another one.
fn is_covered(subject: &Subject<'_>, grant: &Grant<'_>, other: &Grant<'_>) -> bool {
    let (value, broad) = (&grant.stated.value, &other.stated.value);
    let is_plain = grant.key != "filesystem.create" && !value.required && !broad.path.has_glob();
    let is_lower = grant.stated.origin.layer < other.stated.origin.layer;
    if std::ptr::eq(grant.stated, other.stated) || !is_plain || is_lower {
        return false;
    }
    let facts = subject.facts;
    let (Some(path), Some(place)) = (facts.named(&value.path), facts.named(&broad.path)) else {
        return false;
    };
    // A path within a closed one has to be named to be open at all.
    let denies = subject.policy.settings.filesystem.deny.values();
    let mut closed = protected::paths(facts)
        .into_iter()
        .map(|(shut, _)| shut)
        .chain(denies.filter_map(|deny| facts.named(deny)));
    if subject.fs.look(&path).is_err() || closed.any(|shut| path.is_within(&shut)) {
        return false;
    }
    if path == place {
        return other.write && !grant.write;
    }
    // A read grant inside a write grant makes a part read-only.
    let executes = |grant: &Grant<'_>, path: &AbsPath| {
        grant.stated.value.exec.unwrap_or(!grant.write && !path.is_within(&facts.home))
    };
    path.is_beneath(&place)
        && grant.write == other.write
        && executes(grant, &path) == executes(other, &place)
}

/// A grant that came to nothing here.
fn without_effect(subject: &Subject<'_>, grant: &Grant<'_>, found: &mut Vec<Finding>) {
    let origin = &grant.stated.origin;
    let expr = &grant.stated.value.path;
    if subject.plan.tree.iter().any(|step| step.origin == *origin)
        || subject.plan.host.iter().any(|made| made.origin == *origin)
    {
        return;
    }
    let Some(path) = subject.facts.named(expr) else {
        let text = format!("{expr}: this account has no such folder");
        found.push(Finding::new(&MISSING, origin, text));
        return;
    };
    let shut = protected::paths(subject.facts).into_iter().find(|(shut, _)| path.is_within(shut));
    let denied =
        subject.policy.settings.filesystem.deny.items.iter().find(|deny| {
            subject.facts.named(&deny.value).is_some_and(|deny| path.is_within(&deny))
        });
    if let Some((_, reason)) = shut.filter(|_| !expr.has_glob()) {
        found.push(
            Finding::new(
                &STAYS_SHUT,
                origin,
                format!("{expr} opens nothing: it {}", reason.text()),
            )
            .leads([
                "a manifest from elsewhere cannot open a protected path",
                "in your own layer the same line would open it",
            ])
            .remedy("take it out; who wants it open names it in their own layer")
            .change(grant.removal()),
        );
    } else if let Some(deny) = denied.filter(|_| !expr.has_glob()) {
        let text = format!("{expr} opens nothing: it is denied by {}", deny.origin);
        found.push(Finding::new(&STAYS_SHUT, origin, text).change(grant.removal()));
    } else if subject.fs.look_following(&path).is_err() {
        found.push(Finding::new(&MISSING, origin, format!("{expr} is not there")));
    }
}

/// Names that others cover.
fn names(bus: &BusSettings, see: &'static str, talk: &'static str, found: &mut Vec<Finding>) {
    let mut covered = |key: &'static str, list: &List<BusName>, broad: &List<BusName>| {
        for name in &list.items {
            let text = name.value.to_string();
            let by = broad.items.iter().find(|other| {
                let same = other.origin == name.origin;
                !same && covers(&other.value.to_string(), text.trim_end_matches(".*"))
            });
            if let Some(by) = by {
                let message = format!("{text} is granted already, by {}", by.value);
                let change = Change::Remove { key, entry: text };
                found.push(Finding::new(&COVERED, &name.origin, message).change(change));
            }
        }
    };
    covered(talk, &bus.talk, &bus.talk);
    covered(see, &bus.see, &bus.see);
    covered(see, &bus.see, &bus.talk);
}
