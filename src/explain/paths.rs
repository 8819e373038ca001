//! May it see this path?

use crate::model::origin::{Layer, Origin, Sourced};
use crate::model::path::{AbsPath, PathExpr};
use crate::model::plan::{Access, Action, LandlockObject, Slot};
use crate::model::statement::DENY;
use crate::resolve::files::refusal;
use crate::resolve::links::Links;
use crate::resolve::protected;
use crate::resolve::seen::{self, Reached, Seen};

use super::{Answer, May, Question, Rights, Subject};

/// How many of several things are told by name.
const LISTED: usize = 4;

/// Answers.
pub fn answer(subject: &Subject<'_>, question: &Question, expr: &PathExpr) -> Answer {
    let Some(path) = subject.facts.named(expr) else {
        let text = format!("this account has no such folder as {expr} names");
        return Answer::new(question, May::No, text);
    };
    let reached = seen::reach(subject.plan, subject.fs, &path);
    let links = Links::new(subject.fs, subject.facts.uid, Vec::new());
    let real = links.end(&path).0;
    let asked = Asked { subject, question, path: &path, name: expr.as_str(), real, links };
    let mut answer = match &reached.seen {
        Seen::Host { source, write, exec } => asked.shown(&reached, source, *write, *exec),
        Seen::Copy(source) => asked
            .in_place(&reached, format!("it reads a copy of {source}, made when it starts"))
            .lock("mounts", "a file of the sandbox's own stands there, read-only"),
        Seen::Made => asked.made(&reached),
        Seen::Own => {
            let text = match asked.own(&reached.place) {
                Some(place) => format!("it finds a home of its own there, kept at {place}"),
                None => "it finds a home of its own there".to_owned(),
            };
            asked.around(&reached, &text)
        }
        Seen::Closed => asked.shut(&reached, "an empty cover lies over it"),
        Seen::Nothing if subject.is_namespaced() => {
            asked.around(&reached, "nothing of the host's is there")
        }
        Seen::Nothing => asked.around(&reached, "it is there and cannot be opened"),
    };
    if let Some(link) = reached.links.last() {
        answer.limits.push(format!("{link} is a link; the path leads to {}", reached.place));
    }
    let decided = &answer.decided;
    let stated = asked.statements();
    let mut shadowed: Vec<Origin> = stated
        .iter()
        .flat_map(|(origin, lower)| lower.iter().chain(std::iter::once(origin)))
        .filter(|origin| !decided.contains(origin))
        .cloned()
        .collect();
    shadowed.dedup();
    answer.shadowed = shadowed;
    answer
}

struct Asked<'a> {
    subject: &'a Subject<'a>,
    question: &'a Question,
    path: &'a AbsPath,
    /// As the person wrote it.
    name: &'a str,
    /// Where it lies on the host in the end.
    real: AbsPath,
    links: Links<'a>,
}

impl Asked<'_> {
    /// A thing of the host is shown.
    fn shown(&self, reached: &Reached, source: &AbsPath, write: bool, exec: bool) -> Answer {
        let plan = self.subject.plan;
        let verbs = match (write, exec) {
            (false, false) => "read",
            (false, true) => "read and run",
            (true, false) => "read and change",
            (true, true) => "read, change and run",
        };
        let inner = |action: &Action| match action {
            Action::Close { dest, .. } | Action::Tmpfs { dest, .. } => {
                dest.is_beneath(&reached.place)
            }
            _ => false,
        };
        let covers: Vec<&AbsPath> = plan
            .tree
            .iter()
            .filter(|step| inner(&step.action))
            .map(|step| step.action.dest())
            .collect();
        let fixed: Vec<&AbsPath> = plan
            .tree
            .iter()
            .filter_map(|step| match &step.action {
                Action::Bind { dest, write: false, .. } if write => Some(dest),
                _ => None,
            })
            .filter(|dest| dest.is_beneath(&reached.place))
            .collect();
        let may = if covers.is_empty() && fixed.is_empty() { May::Yes } else { May::Partly };
        let mut answer = Answer::new(self.question, may, format!("it may {verbs} it"));
        if source != self.path {
            answer = answer.limit(format!("what it finds there is {source}"));
        }
        if !covers.is_empty() {
            answer = answer.limit(format!("but not {}", listed(&covers)));
        }
        if !fixed.is_empty() {
            answer = answer.limit(format!("but it may not change {}", listed(&fixed)));
        }
        if self.subject.fs.look(source).is_err() {
            let is_made = plan.host.iter().any(|made| made.folder.is_within(source));
            answer = answer.limit(match is_made {
                true => "it is made when the application starts",
                false => "it is not there at the moment",
            });
        }
        answer = answer.limit("the rights of the file itself hold as they do outside");
        answer.rights = Some(Rights { source: source.clone(), write, exec });
        if let Some(step) = seen::step(plan, &reached.place) {
            answer = answer.decided_by(&step.origin);
        }
        if self.subject.is_namespaced() {
            let how = match (write, exec) {
                (false, false) => "a mount that is read-only and runs nothing",
                (false, true) => "a mount that is read-only",
                (true, false) => "a mount that runs nothing",
                (true, true) => "a mount",
            };
            answer = answer.lock("mounts", how);
        }
        answer = self.landlock(answer, &reached.place, write);
        let (subject, name) = (self.subject, self.name);
        if !write && !source.is_within(&AbsPath::root().child("usr")) {
            let flag = format!("--write {name}");
            answer = subject.offer(answer, "to let it change", "filesystem.write", Some(&flag), "");
        }
        if answer.decided.first().is_some_and(|origin| origin.layer > Layer::Builtin) {
            let flag = format!("--deny {name}");
            answer = subject.offer(answer, "to shut it", DENY, Some(&flag), "");
        }
        answer
    }

    /// Something of the sandbox's own is there.
    fn made(&self, reached: &Reached) -> Answer {
        let plan = self.subject.plan;
        let step = seen::step(plan, &reached.place);
        let here = step.filter(|step| *step.action.dest() == reached.place);
        let text = match step.map(|step| &step.action) {
            Some(Action::Text { .. }) if here.is_some() => "a file of Pinfold's own stands there",
            Some(Action::Fill { slot: Slot::XCookie { .. }, .. }) => {
                "a file stands there that holds the cookie of the one display"
            }
            Some(Action::Fill { .. }) => "a file stands there that tells which sandbox this is",
            Some(Action::Proc { .. }) => "a /proc of its own, with its own processes only",
            Some(Action::DevPts { .. }) => "terminals of its own",
            Some(Action::Listen { .. }) => "the socket of the filter before the bus",
            Some(Action::Tmpfs { .. }) => {
                return self.around(reached, "a place of its own in memory is there");
            }
            _ => return self.around(reached, "a folder of the sandbox's own is there"),
        };
        self.in_place(reached, text).lock("mounts", "what the host has there is not shown")
    }

    /// A place of the sandbox's own, in which something of the host may stand.
    fn around(&self, reached: &Reached, instead: &str) -> Answer {
        let plan = self.subject.plan;
        let inside: Vec<&AbsPath> = plan
            .tree
            .iter()
            .filter(|step| {
                matches!(&step.action, Action::Bind { source, .. } if !seen::is_own(plan, source))
            })
            .map(|step| step.action.dest())
            .filter(|dest| dest.is_beneath(&reached.place))
            .collect();
        if inside.is_empty() {
            return self.shut(reached, instead);
        }
        let text = format!("{instead}, with {} in it", listed(&inside));
        let answer = self.in_place(reached, text);
        match self.subject.is_namespaced() {
            true => answer.lock("mounts", "of the host, nothing else is there"),
            false => answer.lock("landlock", "no rule reaches the rest"),
        }
    }

    fn in_place(&self, reached: &Reached, text: impl Into<String>) -> Answer {
        let answer = Answer::new(self.question, May::Partly, text);
        match seen::step(self.subject.plan, &reached.place) {
            Some(step) => answer.decided_by(&step.origin),
            None => answer,
        }
    }

    /// The thing of the host is not there. `instead` says what is.
    fn shut(&self, reached: &Reached, instead: &str) -> Answer {
        let subject = self.subject;
        let name = self.name;
        let home = subject.plan.process.environment.iter().find(|(key, _)| key == "HOME");
        let home = home
            .and_then(|(_, home)| AbsPath::new(home).ok())
            .unwrap_or_else(|| subject.facts.home.clone());
        let settings = &subject.policy.settings;
        let covers = |place: &AbsPath| self.is_held_by(place);
        let deny = settings
            .filesystem
            .deny
            .items
            .iter()
            .filter(|deny| subject.facts.named(&deny.value).is_some_and(|place| covers(&place)))
            .max_by_key(|deny| deny.origin.layer);
        let shut = protected::paths(subject.facts).into_iter().find(|(place, _)| covers(place));
        let flag = format!("--read {name}");
        let opened =
            |answer| subject.offer(answer, "to open it", "filesystem.read", Some(&flag), "");
        let answer = if let Some(deny) = deny {
            let answer = Answer::new(self.question, May::No, format!("it is denied; {instead}"))
                .decided_by(&deny.origin);
            match settings.lock_on(DENY, Layer::CommandLine) {
                Some(lock) => answer.change(format!("`{DENY}` is locked by {}", lock.origin)),
                None if is_flag(&deny.origin) => answer.change("to open it: leave the flag out"),
                // A denial gives way to a grant of a higher layer that names it.
                None => answer.change(format!("to open it: run with {flag}")),
            }
        } else if let Some(why) = refusal(subject.facts, &home, self.path) {
            Answer::new(self.question, May::No, format!("nobody may: {why}; {instead}"))
                .decided_by(&Origin::builtin("what can be granted to nobody"))
                .change("no line opens it as it is")
        } else if let Some((place, reason)) = shut {
            let text = format!("{place} is protected: it {}; {instead}", reason.text());
            opened(
                Answer::new(self.question, May::No, text)
                    .decided_by(&Origin::builtin("protected paths")),
            )
        } else {
            let text = format!("no line grants it; {instead}");
            let answer = Answer::new(self.question, May::No, text)
                .decided_by(&Origin::builtin("nothing is shown that no line grants"));
            match subject.fs.look_following(self.path) {
                Ok(_) => opened(answer),
                Err(_) => answer
                    .limit("the host has nothing there either")
                    .change(format!("once it is there: run with {flag}"))
                    .change(format!("to have it made as a folder: run with --create {name}")),
            }
        };
        let notes = subject.plan.notes.iter().filter(|note| {
            let about = |(origin, _): &(Origin, Vec<Origin>)| note.origin.as_ref() == Some(origin);
            self.statements().iter().any(about)
        });
        let answer = notes.fold(answer, |answer, note| answer.limit(&note.text));
        let answer = match subject.is_namespaced() {
            true => answer.lock("mounts", "the host's thing is in no mount of the sandbox"),
            false => answer.limit("without namespaces its name, size and dates can be seen"),
        };
        // Landlock asks on the way up from where a thing is reached, so that it
        // knows nothing of a cover.
        let is_reached = subject.plan.landlock.rules.iter().any(|rule| {
            matches!(&rule.object, LandlockObject::Host(object) if self.path.is_within(object))
        });
        match subject.is_landlocked() && !is_reached && reached.seen != Seen::Closed {
            true => answer.lock("landlock", "no rule reaches it"),
            false => answer,
        }
    }

    /// Whether a place holds the path, by name or by where links lead.
    fn is_held_by(&self, place: &AbsPath) -> bool {
        self.path.is_within(place) || self.real.is_within(&self.links.end(place).0)
    }

    /// What landlock lets through at a place: the sum of the rules on the way
    /// up from it, through all mounts (landlock(7)).
    fn landlock(&self, answer: Answer, place: &AbsPath, write: bool) -> Answer {
        if !self.subject.is_landlocked() {
            return answer;
        }
        let plan = self.subject.plan;
        let above = plan.tree.iter().filter(|step| place.is_within(step.action.dest()));
        let given: Vec<Access> = above
            .filter_map(|step| {
                let is_its = |object: &LandlockObject| match (object, &step.action) {
                    (LandlockObject::Host(object), Action::Bind { source, .. }) => object == source,
                    (LandlockObject::Inside(object), action) => object == action.dest(),
                    _ => false,
                };
                let rule = plan.landlock.rules.iter().find(|rule| is_its(&rule.object))?;
                Some(rule.access)
            })
            .collect();
        let gives = |access: Access| given.iter().any(|one| one.covers(access));
        if !gives(Access::Read) {
            return answer;
        }
        if gives(Access::Write) && !write {
            // A narrower right inside a wider one, which landlock cannot state.
            return answer.limit("only the mount keeps it from being changed, not Landlock");
        }
        let mut what = vec!["reading"];
        if gives(Access::Write) || gives(Access::Use) {
            what.push("changing");
        }
        if gives(Access::ReadExec) {
            what.push("executing");
        }
        answer.lock("landlock", format!("rules let no more through than {}", what.join(", ")))
    }

    /// Where a place in the application's own home lies on the host.
    fn own(&self, place: &AbsPath) -> Option<AbsPath> {
        let plan = self.subject.plan;
        plan.tree
            .iter()
            .filter_map(|step| match &step.action {
                Action::Bind { source, dest, .. } if seen::is_own(plan, source) => {
                    Some((source, dest, place.relative_to(dest)?))
                }
                _ => None,
            })
            .max_by_key(|(_, dest, _)| dest.elements().count())
            .and_then(|(source, _, rest)| source.join(rest).ok())
    }

    /// The statements about files that hold the path, with the lower ones that
    /// each replaces.
    fn statements(&self) -> Vec<(Origin, Vec<Origin>)> {
        let files = &self.subject.policy.settings.filesystem;
        let holds = |expr: &PathExpr| {
            self.subject.facts.named(expr).is_some_and(|place| self.is_held_by(&place))
        };
        fn both<T>(stated: &Sourced<T>) -> (Origin, Vec<Origin>) {
            (stated.origin.clone(), stated.shadowed.clone())
        }
        let grants = [&files.read, &files.write, &files.create];
        let grants = grants.into_iter().flat_map(|list| &list.items);
        let mut all: Vec<_> = grants.filter(|stated| holds(&stated.value.path)).map(both).collect();
        all.extend(files.deny.items.iter().filter(|stated| holds(&stated.value)).map(both));
        all
    }
}

fn is_flag(origin: &Origin) -> bool {
    origin.layer == Layer::CommandLine
}

fn listed(paths: &[&AbsPath]) -> String {
    let mut names: Vec<String> = paths.iter().take(LISTED).map(ToString::to_string).collect();
    if paths.len() > LISTED {
        names.push(format!("{} more", paths.len() - LISTED));
    }
    names.join(", ")
}
