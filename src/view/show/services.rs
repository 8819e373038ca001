//! The part of `pinfold show` about portals, services and buses.

use crate::catalogue;
use crate::model::plan::{Bus, BusAccess, BusPlan, BusRule};
use crate::resolve::bus::{MARKER, name};

use super::reading::{Reading, absent, fact, granted, lacking, line, risk, section};
use super::{LineKind, Section};

impl Reading<'_> {
    /// What the application reaches beyond its sandbox by calls.
    pub(super) fn services(&mut self) -> Section {
        let buses = self.plan.filter.as_ref().map_or(&[][..], |filter| &filter.buses);
        let session = buses.iter().find(|plan| plan.bus == Bus::Session);
        let mut lines = Vec::new();
        let settings = &self.policy.settings;
        let portals = settings.portals.items.iter().filter_map(|word| {
            let portal = catalogue::portal(&word.value)?;
            Some((format!("portal: {}", portal.name), &*portal.summary, &*portal.risk, word))
        });
        let services = settings.session_bus.services.items.iter().filter_map(|word| {
            let service = catalogue::service(&word.value)?;
            Some((format!("service: {}", service.name), &*service.summary, &*service.risk, word))
        });
        let mut words = Vec::new();
        for (what, summary, danger, word) in portals.chain(services) {
            words.push(&word.origin);
            if session.is_none() {
                lines.push(lacking(&what, &word.origin));
                continue;
            }
            lines.push(granted(format!("{what}. {summary}"), &word.origin));
            lines.push(risk(danger, &word.origin));
        }
        let accessible = settings.accessibility.as_ref().filter(|stated| stated.value);
        if let Some(stated) = accessible {
            words.push(&stated.origin);
            let what = "screen readers and their like can use its windows";
            lines.push(match buses.iter().any(|plan| plan.bus == Bus::Accessibility) {
                true => granted(what, &stated.origin),
                false => lacking(what, &stated.origin),
            });
        }
        for plan in buses {
            let rules = plan.rules.iter().filter(|rule| !words.contains(&&rule.origin));
            lines.extend(rules.map(|rule| match rule.origin.line {
                0 => line(LineKind::Fact, said(plan, rule), None),
                _ => granted(said(plan, rule), &rule.origin),
            }));
        }
        let origins: Vec<_> = lines.iter().filter_map(|line| line.origin.clone()).collect();
        for origin in origins.iter().chain(buses.iter().map(|plan| &plan.origin)) {
            lines.extend(self.remarks(origin));
        }
        if self.plan.tree.iter().any(|step| step.action.dest().as_str() == MARKER) {
            lines.push(fact(format!("{MARKER} makes toolkits ask portals")));
        }
        if lines.is_empty() {
            lines.push(absent("No services of the desktop or the system (D-Bus)", None));
        }
        section("services", "Services", lines)
    }
}

/// A rule as a sentence.
fn said(plan: &BusPlan, rule: &BusRule) -> String {
    let BusRule { name: peer, allow, .. } = rule;
    let what = match allow {
        BusAccess::See => format!("sees {peer}"),
        BusAccess::Talk => format!("talks to {peer}"),
        BusAccess::Own => format!("can own the name {peer}"),
        BusAccess::Call(rule) if rule.is_empty() => format!("calls {peer}"),
        BusAccess::Call(rule) => format!("calls {rule} of {peer}"),
        BusAccess::Broadcast(rule) if rule.is_empty() => format!("hears {peer}"),
        BusAccess::Broadcast(rule) => format!("hears {rule} of {peer}"),
    };
    format!("{what} ({} bus)", name(plan.bus))
}
