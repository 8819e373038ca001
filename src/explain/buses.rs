//! May it call this name, or ask this portal?

use crate::catalogue;
use crate::freeze::filter::rules;
use crate::model::origin::Origin;
use crate::model::plan::{Bus, BusAccess, BusPlan, BusRule};
use crate::proxy::BUS;
use crate::proxy::rules::Level;
use crate::resolve::bus::{self, wanted};

use super::{Answer, May, Question, Subject};

/// How many single rules are told.
const LISTED: usize = 6;

/// What holds the buses.
const FILTER: &str = "bus filter";

/// Answers for a name, on whichever bus it may be called.
pub fn name(subject: &Subject<'_>, question: &Question, name: &str) -> Answer {
    let buses = subject.plan.filter.as_ref().map_or(&[][..], |filter| &filter.buses);
    let best = buses.iter().map(|plan| (level(plan, name), plan)).max_by_key(|(level, _)| *level);
    let Some((level, plan)) = best.filter(|(level, _)| *level > Level::Hidden || name == BUS)
    else {
        return hidden(subject, question, name);
    };
    let on = bus::name(plan.bus);
    let about: Vec<&BusRule> = plan.rules.iter().filter(|rule| holds(rule, name)).collect();
    let whole = about.iter().any(|rule| matches!(rule.allow, BusAccess::Talk | BusAccess::Own));
    let (may, text) = match level {
        _ if name == BUS => {
            (May::Partly, format!("the {on} bus itself answers, about what it may see"))
        }
        Level::Own => (May::Yes, format!("it may own the name on the {on} bus, and call it")),
        Level::Talk if whole => (May::Yes, format!("it may call it on the {on} bus")),
        Level::Talk => (May::Partly, format!("single calls of it pass on the {on} bus")),
        Level::See | Level::Hidden => {
            (May::Partly, format!("it sees on the {on} bus that the name is there, and no more"))
        }
    };
    let mut answer = Answer::new(question, may, text);
    if may == May::Partly {
        for rule in about.iter().take(LISTED) {
            answer = answer.limit(said(rule));
        }
        if about.len() > LISTED {
            answer = answer.limit(format!("and {} more rules", about.len() - LISTED));
        }
        answer = open(subject, answer, name, plan.bus);
    }
    for rule in &about {
        answer = answer.decided_by(&rule.origin);
    }
    let stated = about.iter().find(|rule| rule.origin.line > 0 && rule.allow == BusAccess::Talk);
    if let (Some(rule), Bus::Session) = (stated, plan.bus) {
        let (app, name) = (subject.app, &rule.name);
        let shuts = format!("to shut it for good: pinfold override {app} --refuse talk={name}");
        answer = answer.change(shuts);
    } else if about.iter().any(|rule| rule.origin.line > 0) {
        answer = answer.change("to shut it: take the line out");
    }
    answer.lock(FILTER, "a process between the application and the bus lets what fits a rule pass")
}

fn level(plan: &BusPlan, name: &str) -> Level {
    rules(&plan.rules).map_or(Level::Hidden, |rules| rules.level(name))
}

/// Whether a rule is about a name, by the same code as the filter.
fn holds(rule: &BusRule, name: &str) -> bool {
    rules(std::slice::from_ref(rule)).is_ok_and(|rules| rules.level(name) > Level::Hidden)
}

fn said(rule: &BusRule) -> String {
    let name = &rule.name;
    match &rule.allow {
        BusAccess::See => format!("sees {name}"),
        BusAccess::Talk => format!("talks to {name}"),
        BusAccess::Own => format!("owns {name}"),
        BusAccess::Call(rule) => format!("calls {rule}"),
        BusAccess::Broadcast(rule) => format!("hears {rule}"),
    }
}

/// The name does not exist for the application.
fn hidden(subject: &Subject<'_>, question: &Question, name: &str) -> Answer {
    let buses = subject.plan.filter.as_ref().map_or(&[][..], |filter| &filter.buses);
    let asked = wanted(subject.policy);
    // Granted, and the bus is not there.
    let missing = asked.iter().find_map(|wanted| {
        let rule = wanted.rules.iter().find(|rule| holds(rule, name))?;
        let is_there = buses.iter().any(|plan| plan.bus == wanted.bus);
        (!is_there).then_some((wanted, rule))
    });
    if let Some((missing, rule)) = missing {
        let text = format!("it is granted, but the {} bus is not shown", bus::name(missing.bus));
        let answer = Answer::new(question, May::No, text).decided_by(&rule.origin);
        let notes =
            subject.plan.notes.iter().filter(|note| note.origin.as_ref() == Some(&missing.origin));
        return notes.fold(answer, |answer, note| answer.limit(&note.text));
    }
    let text = match buses.is_empty() {
        true => "no bus is granted",
        false => "for the application the name does not exist: no line grants it",
    };
    let nothing = Origin::builtin("no name is seen that no line grants");
    let emptied = subject.policy.settings.session_bus.talk.emptied.as_ref();
    let answer = Answer::new(question, May::No, text).decided_by(emptied.unwrap_or(&nothing));
    let answer = match buses.is_empty() {
        true => answer.lock("mounts", "no socket of a bus is shown"),
        false => answer.lock(FILTER, "what fits no rule is refused"),
    };
    open(subject, answer, name, Bus::Session)
}

/// The lines that would open a name.
fn open(subject: &Subject<'_>, answer: Answer, name: &str, on: Bus) -> Answer {
    if name == BUS {
        return answer;
    }
    let service = catalogue::service_words().find(|word| {
        let opens = catalogue::service(word).map_or(&[][..], |service| &service.opens);
        opens.iter().any(|object| object.bus == name)
    });
    let answer = match service {
        Some(word) => answer.change(format!("to open what programs need of it: --service {word}")),
        None => answer,
    };
    if name == "org.freedesktop.portal.Desktop" {
        return answer.change("portals are granted by word: --portal WORD");
    }
    let line = format!("talk = [\"{name}\"]");
    let system = |answer, to| subject.offer(answer, to, "bus.system.talk", None, &line);
    match on {
        Bus::Session => {
            let flag = format!("--talk {name}");
            let key = "bus.session.talk";
            let answer = subject.offer(answer, "to open it", key, Some(&flag), &line);
            system(answer, "if it is on the system bus")
        }
        Bus::System => system(answer, "to open it"),
        Bus::Accessibility => answer,
    }
}

/// Answers for a portal.
pub fn portal(subject: &Subject<'_>, question: &Question, word: &'static str) -> Answer {
    let settings = &subject.policy.settings;
    let buses = subject.plan.filter.as_ref().map_or(&[][..], |filter| &filter.buses);
    let session = buses.iter().find(|plan| plan.bus == Bus::Session);
    let stated = settings.portals.items.iter().find(|stated| stated.value == word);
    let summary = catalogue::portal(word).map_or("", |portal| &*portal.summary);
    // By the portals' own name each of them can be asked.
    let raw = session.and_then(|plan| {
        let name = "org.freedesktop.portal.Desktop";
        plan.rules.iter().find(|rule| rule.allow == BusAccess::Talk && holds(rule, name))
    });
    let answer = match (stated, session, raw) {
        (_, Some(_), Some(rule)) => {
            Answer::new(question, May::Yes, format!("it may call every portal. {summary}"))
                .decided_by(&rule.origin)
        }
        (Some(stated), Some(_), _) => {
            let mut answer =
                Answer::new(question, May::Yes, format!("it may ask the portal. {summary}"))
                    .decided_by(&stated.origin)
                    .change(format!(
                        "to shut it for good: pinfold override {} --refuse portal={word}",
                        subject.app
                    ));
            answer.shadowed = stated.shadowed.clone();
            answer
        }
        (Some(stated), None, _) => {
            let text = "it is granted, but the session bus is not shown";
            Answer::new(question, May::No, text).decided_by(&stated.origin)
        }
        (None, ..) => {
            // An empty list takes back what lower layers state.
            let nothing = Origin::builtin("no portal is open that no line grants");
            let origin = settings.portals.emptied.as_ref().unwrap_or(&nothing);
            let answer =
                Answer::new(question, May::No, "no line grants the portal").decided_by(origin);
            let flag = format!("--portal {word}");
            subject.offer(answer, "to open it", "portals.allow", Some(&flag), "")
        }
    };
    let answer = match catalogue::portal(word) {
        Some(portal) => answer.limit(&portal.risk),
        None => answer,
    };
    match buses.is_empty() {
        true => answer.lock("mounts", "no socket of a bus is shown"),
        false => answer.lock(FILTER, "only calls of granted portals pass"),
    }
}
