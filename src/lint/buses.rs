//! Who the application may call, and as whom it may be called.
//!
//! What is asked for is looked at, not what this host has: a manifest is no
//! better for a bus that does not run at the moment.

use crate::catalogue::{self, Level as Risk};
use crate::manifest::change::Change;
use crate::model::origin::{Origin, Sourced};
use crate::model::plan::{Bus, BusAccess, BusRule};
use crate::resolve::bus::{self, wanted};

use super::dangers::{DANGERS, Danger, covers, meet};
use super::rules::{
    BROAD_NAMES, BUS_ESCAPE, BUS_LEAK, IMPERSONATION, Level, PAST_PORTALS, RISKY_WORD, Reach,
};
use super::{Finding, Subject};

/// The portals' own name.
const PORTALS: &str = "org.freedesktop.portal.Desktop";

/// Looks at `[bus]`, `[portals]` and the words of the catalogue.
pub fn check(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    for asked in wanted(subject.policy) {
        for rule in &asked.rules {
            if rule.origin.line == 0 && rule.origin.layer == crate::model::origin::Layer::Builtin {
                continue;
            }
            one(subject, asked.bus, rule, found);
        }
    }
    past_portals(subject, found);
    words(subject, found);
}

fn one(subject: &Subject<'_>, bus: Bus, rule: &BusRule, found: &mut Vec<Finding>) {
    let verb = match &rule.allow {
        BusAccess::See | BusAccess::Broadcast(_) => return,
        BusAccess::Talk => "talk to",
        BusAccess::Own => "own",
        BusAccess::Call(_) => "call",
    };
    let on = bus::name(bus);
    let dangers = DANGERS.iter().filter(|danger| {
        danger.bus == bus && meet(&rule.name, danger.name) && opens(&rule.allow, danger)
    });
    // Of a broad name the worst is told, which is bad enough.
    let worst = dangers.max_by_key(|danger| danger.reach);
    let change = removal(subject, bus, rule);
    let finding = match worst {
        Some(danger) if rule.allow == BusAccess::Own => {
            let text = format!("it may own {} on the {on} bus", rule.name);
            Finding::new(&IMPERSONATION, &rule.origin, text)
                .leads([
                    format!("others take it for {}", danger.name).as_str(),
                    "they tell it what they would tell the service, and believe its answers",
                ])
                .level(Level::Error)
        }
        Some(danger) => {
            let kind = if danger.reach == Reach::Escape { &BUS_ESCAPE } else { &BUS_LEAK };
            let text = format!("it may {verb} {} on the {on} bus", rule.name);
            let first = format!("{verb} {}", danger.name);
            let last = match danger.reach {
                Reach::Escape => "that runs outside the sandbox, with all your rights",
                _ => "that is more than its own business",
            };
            Finding::new(kind, &rule.origin, text).leads([first.as_str(), danger.way, last])
        }
        None if rule.allow == BusAccess::Own && is_service(&rule.name) => {
            let text = format!("it may own {} on the {on} bus", rule.name);
            Finding::new(&IMPERSONATION, &rule.origin, text)
                .leads(["others take it for the service of that name"])
        }
        None => return broad(rule, found),
    };
    found.push(match change {
        Some(change) => finding.change(change),
        None => finding,
    });
    broad(rule, found);
}

/// Whether a right reaches what makes a service dangerous.
fn opens(allow: &BusAccess, danger: &Danger) -> bool {
    let BusAccess::Call(rule) = allow else { return true };
    let method = rule.split(['@', '#']).next().unwrap_or_default();
    let Some((interface, _)) = method.rsplit_once('.') else { return true };
    match danger.interfaces {
        // Properties and introspection alone command nothing.
        [] => !interface.starts_with("org.freedesktop.DBus."),
        named => named.contains(&interface),
    }
}

/// Names of the desktop's own that programs have no business to own.
fn is_service(name: &str) -> bool {
    let harmless = ["org.mpris.MediaPlayer2.", "org.kde.StatusNotifierItem"];
    if harmless.iter().any(|start| name.starts_with(start)) {
        return false;
    }
    super::spelling::catalogued().any(|known| covers(name, known))
}

fn broad(rule: &BusRule, found: &mut Vec<Finding>) {
    let Some(parent) = rule.name.strip_suffix(".*") else { return };
    let shared = ["freedesktop", "gnome", "kde", "xfce", "mate", "gtk", "cinnamon"];
    let mut parts = parent.split('.');
    let last = parts.nth(1).unwrap_or_default();
    if rule.allow != BusAccess::See && parts.next().is_none() && shared.contains(&last) {
        let text = format!("{} means every service of that beginning", rule.name);
        found.push(Finding::new(&BROAD_NAMES, &rule.origin, text));
    }
}

/// The change that takes a rule back, where a line states it as such and no
/// word of the catalogue does.
fn removal(subject: &Subject<'_>, bus: Bus, rule: &BusRule) -> Option<Change> {
    let settings = &subject.policy.settings;
    let (stated, see, talk, own, call): (_, _, _, _, _) = match bus {
        Bus::Session => (
            &settings.session_bus,
            "bus.session.see",
            "bus.session.talk",
            "bus.session.own",
            "bus.session.call",
        ),
        Bus::System => (
            &settings.system_bus,
            "bus.system.see",
            "bus.system.talk",
            "bus.system.own",
            "bus.system.call",
        ),
        Bus::Accessibility => return None,
    };
    let (key, origins): (_, Vec<&Origin>) = match &rule.allow {
        BusAccess::See => (see, origins(&stated.see.items)),
        BusAccess::Talk => (talk, origins(&stated.talk.items)),
        BusAccess::Own => (own, origins(&stated.own.items)),
        BusAccess::Call(_) => (call, origins(&stated.call.items)),
        BusAccess::Broadcast(_) => return None,
    };
    if !origins.contains(&&rule.origin) {
        return None;
    }
    let entry = match &rule.allow {
        BusAccess::Call(text) => format!("{}={text}", rule.name),
        _ => rule.name.clone(),
    };
    Some(Change::Remove { key, entry })
}

fn origins<T>(items: &[Sourced<T>]) -> Vec<&Origin> {
    items.iter().map(|item| &item.origin).collect()
}

/// The portals' own name beside the list of portals.
fn past_portals(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let asked = wanted(subject.policy);
    let rules = asked.iter().filter(|asked| asked.bus == Bus::Session).flat_map(|a| &a.rules);
    for rule in rules.filter(|rule| covers(&rule.name, PORTALS)) {
        let is_whole = match &rule.allow {
            BusAccess::Talk | BusAccess::Own => true,
            BusAccess::Call(call) => {
                matches!(call.split(['@', '#']).next(), None | Some("" | "*"))
            }
            BusAccess::See | BusAccess::Broadcast(_) => false,
        };
        if !is_whole {
            continue;
        }
        let name = &rule.name;
        let message = match subject.policy.settings.portals.items.len() {
            0 => format!("{name} opens every portal"),
            _ => format!("{name} opens every portal, also those that are not listed"),
        };
        let finding = Finding::new(&PAST_PORTALS, &rule.origin, message)
            .remedy("take the name out, and list the portals under portals.allow");
        found.push(match removal(subject, Bus::Session, rule) {
            Some(change) => finding.change(change),
            None => finding,
        });
    }
}

/// Words of the catalogue, with the risks that it states.
fn words(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let settings = &subject.policy.settings;
    for word in &settings.portals.items {
        let Some(portal) = catalogue::portal(&word.value) else { continue };
        if portal.level == Risk::High {
            // A portal asks, each time or once: with the person's help.
            let text = format!("it may ask for: {}", portal.name);
            found.push(
                Finding::new(&RISKY_WORD, &word.origin, text)
                    .leads([portal.risk.trim_end_matches('.')])
                    .level(Level::Note),
            );
        }
    }
    for word in &settings.session_bus.services.items {
        let Some(service) = catalogue::service(&word.value) else { continue };
        if service.level == Risk::High {
            let text = format!("it may use: {}", service.name);
            let entry = word.value.clone();
            found.push(
                Finding::new(&RISKY_WORD, &word.origin, text)
                    .leads([service.risk.trim_end_matches('.')])
                    .change(Change::Remove { key: "bus.session.services", entry }),
            );
        }
    }
}
