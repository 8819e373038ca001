//! What all paths of a profile come to together.

use crate::model::path::PathExpr;

use super::super::draft::Draft;
use super::super::grants::{self, Grant, Right};
use super::super::report::{Finding, Place, Report, Verdict};
use super::Sockets;
use super::closed::{Granted, close, deny, is_met};
use super::lines::Directive;
use super::paths::{self, Where, matches, may_hold};

/// What of a home that is shown whole is granted: all that is not hidden.
const VISIBLE: &str = "~/*";

/// The most denials: a list in a manifest has at most 1024 entries.
const MOST_DENIED: usize = 1000;

/// A path, where it stands, and its entry in the report.
#[derive(Debug, Clone)]
struct Named {
    path: String,
    place: Place,
    entry: usize,
}

/// The paths of a profile.
#[derive(Debug, Default)]
pub struct Files {
    noblacklist: Vec<Named>,
    blacklist: Vec<Named>,
    whitelist: Vec<(Named, bool)>,
    nowhitelist: Vec<String>,
    read_only: Vec<Named>,
    /// What may have to be read-only, by a condition that may hold.
    perhaps_read_only: Vec<Named>,
    read_write: Vec<Named>,
    mkdir: Vec<Named>,
    /// Patterns in the runtime folder that are shown, if not all of it is.
    runtime_shown: Option<Vec<String>>,
    runtime_hidden: Vec<String>,
    x11_hidden: bool,
    no_exec: bool,
    private_cache: Option<Named>,
    /// Where the home is made one of its own.
    private: Option<Place>,
    /// Whether that one is empty, and gone afterwards.
    is_empty: bool,
    /// Whether some of the home is whitelisted, so that the rest is not shown.
    narrowed: bool,
}

/// Whether a path without patterns is another, or certainly holds it.
fn surely_holds(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a pattern of the runtime folder means a socket.
fn meets(pattern: &str, name: &str) -> bool {
    may_hold(&format!("~/{pattern}"), &format!("~/{name}"))
}

impl Files {
    /// Notes that the home is narrowed, if this directive would do so.
    pub fn note_whitelist(&mut self, directive: &Directive, entry: usize) {
        if directive.word.starts_with("whitelist") {
            if let Ok(Where::Home(path) | Where::Root(path)) = paths::read(&directive.argument)
                && directive.word == "whitelist-ro"
            {
                let place = directive.place.clone();
                self.perhaps_read_only.push(Named { path, place, entry });
            }
            match paths::read(&directive.argument) {
                Ok(Where::Runtime(_)) => drop(self.runtime_shown.get_or_insert_default()),
                Ok(Where::Home(_)) | Err(_) => self.narrowed = true,
                Ok(_) => {}
            }
        }
    }

    /// Takes a directive that is about paths; whether it is one.
    pub fn take(&mut self, directive: &Directive, report: &mut Report) -> bool {
        let argument = directive.argument.as_str();
        let place = &directive.place;
        let mut file = |finding| report.add(place, &*directive.text, finding);
        match directive.word.as_str() {
            "private" => {
                self.private = Some(place.clone());
                self.is_empty = argument.is_empty();
                file(if argument.is_empty() {
                    Finding::exact("a home of its own that is gone afterwards")
                } else {
                    Finding::less("a home of its own that is kept, not the one that is named")
                });
                return true;
            }
            "private-cache" => {
                let entry = report.entries.len();
                self.private_cache =
                    Some(Named { path: "~/.cache".to_owned(), place: place.clone(), entry });
                report.add(place, &*directive.text, Finding::exact("a cache of its own"));
                return true;
            }
            "private-opt" | "private-srv" => {
                let top = if directive.word == "private-opt" { "/opt" } else { "/srv" };
                for name in argument.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                    self.add_whitelist(&format!("{top}/{name}"), false, directive, report);
                }
                return true;
            }
            "private-home" => {
                self.private = Some(place.clone());
                file(Finding::less("a home of its own, without copies of these files"));
                return true;
            }
            "noexec" => {
                file(self.noexec(argument));
                return true;
            }
            "whitelist" | "whitelist-ro" => {
                self.add_whitelist(argument, directive.word == "whitelist-ro", directive, report);
                return true;
            }
            "tmpfs" => {
                self.add(argument, directive, report, |files| &mut files.blacklist);
                return true;
            }
            "bind" => {
                file(Finding::no_grant("nothing is shown in another place than its own"));
                return true;
            }
            _ => {}
        }
        let list: fn(&mut Files) -> &mut Vec<Named> = match directive.word.as_str() {
            "noblacklist" => |files| &mut files.noblacklist,
            "blacklist" | "blacklist-nolog" => |files| &mut files.blacklist,
            "read-only" => |files| &mut files.read_only,
            "read-write" => |files| &mut files.read_write,
            "mkdir" | "mkfile" => |files| &mut files.mkdir,
            "nowhitelist" => {
                let exact = match paths::read(argument) {
                    Ok(Where::Home(path) | Where::Root(path)) => {
                        self.nowhitelist.push(path);
                        Finding::exact("it is not granted by what follows")
                    }
                    Ok(Where::Runtime(name)) => {
                        self.runtime_hidden.push(name);
                        Finding::exact("it is not shown")
                    }
                    Ok(Where::Program(_)) | Err(_) => Finding::exact("it grants nothing"),
                };
                report.add(place, &*directive.text, exact);
                return true;
            }
            _ => return false,
        };
        self.add(argument, directive, report, list);
        true
    }

    /// Keeps a path for the end; its finding is made then.
    fn add(
        &mut self,
        argument: &str,
        directive: &Directive,
        report: &mut Report,
        list: fn(&mut Files) -> &mut Vec<Named>,
    ) {
        let place = &directive.place;
        let entry = report.entries.len();
        let is_limit = directive.word.starts_with("blacklist") || directive.word == "tmpfs";
        let exempt = |files: &Files, path: &str| {
            files.noblacklist.iter().any(|exempt| matches(&exempt.path, path))
        };
        let named = |path: String| Named { path, place: place.clone(), entry };
        let finding = match paths::read(argument) {
            Err(why) if is_limit => Finding::no_limit(format!("it cannot be denied: {why}")),
            Err(why) => Finding::no_grant(format!("it cannot be named: {why}")),
            Ok(Where::Runtime(name)) if is_limit => {
                self.runtime_hidden.push(name);
                Finding::exact("it is not shown")
            }
            Ok(Where::Runtime(_)) => Finding::near("the runtime folder is the sandbox's own"),
            Ok(Where::Program(name)) => {
                let folders = ["/usr/*bin", "/usr/local/*bin", "/*bin", "/usr/games"];
                let all: Vec<String> =
                    folders.iter().map(|folder| format!("{folder}/{name}")).collect();
                if is_limit && all.iter().any(|path| exempt(self, path)) {
                    Finding::exact("a noblacklist further up exempts it")
                } else {
                    list(self).extend(all.into_iter().map(named));
                    Finding::exact("programs of this name")
                }
            }
            Ok(Where::Home(path) | Where::Root(path)) => {
                if is_limit && exempt(self, &path) {
                    Finding::exact("a noblacklist further up exempts it")
                } else {
                    if is_limit && may_hold(&path, "/tmp/.X11-unix") {
                        self.x11_hidden = true;
                    }
                    list(self).push(named(path));
                    Finding::exact("it changes nothing that is granted")
                }
            }
        };
        report.add(place, &*directive.text, finding);
    }

    fn add_whitelist(
        &mut self,
        argument: &str,
        read_only: bool,
        directive: &Directive,
        report: &mut Report,
    ) {
        let place = &directive.place;
        let entry = report.entries.len();
        let finding = match paths::read(argument) {
            Err(why) => {
                // What else is in the home is not shown all the same.
                self.narrowed = true;
                if argument.starts_with("${RUNUSER}") {
                    self.runtime_shown.get_or_insert_default();
                }
                Finding::no_grant(format!("it cannot be granted: {why}"))
            }
            Ok(Where::Runtime(name)) => {
                self.runtime_shown.get_or_insert_default().push(name);
                Finding::near(
                    "the runtime folder is the sandbox's own; known sockets are granted by their kind",
                )
            }
            Ok(Where::Program(_)) => Finding::more("all programs of the system are seen"),
            Ok(Where::Home(path) | Where::Root(path)) => {
                if !path.starts_with('/') {
                    self.narrowed = true;
                }
                let taken = |not: &String| may_hold(not, &path) && may_hold(&path, not);
                if self.nowhitelist.iter().any(taken) {
                    if read_only {
                        self.perhaps_read_only.push(Named { path, place: place.clone(), entry });
                    }
                    Finding::exact("a nowhitelist further up takes it out")
                } else {
                    let named = Named { path, place: place.clone(), entry };
                    self.whitelist.push((named, read_only));
                    Finding::exact("granted")
                }
            }
        };
        report.add(place, &*directive.text, finding);
    }

    fn noexec(&mut self, argument: &str) -> Finding {
        match paths::read(argument) {
            Ok(Where::Home(path)) if path == "~" => {
                self.no_exec = true;
                Finding::more(
                    "nothing that is granted in the home can be started; what the application \
                     puts into its own home can",
                )
            }
            Ok(Where::Runtime(_)) => Finding::more(
                "what the application puts into its own runtime folder can be started",
            ),
            Ok(Where::Root(path)) if !may_hold("/usr", &path) => Finding::more(
                "nothing granted there can be changed and started; what the \
                               application puts into a place of its own can be started",
            ),
            _ => Finding::no_limit("programs in it can be started"),
        }
    }

    /// States all that is granted and denied; tells which sockets are open.
    pub fn finish(&self, draft: &mut Draft, report: &mut Report) -> Sockets {
        let mut granted: Vec<Granted> = Vec::new();
        self.home(draft, report, &mut granted);
        for (named, read_only) in &self.whitelist {
            let is_home = !named.path.starts_with('/');
            report.entries[named.entry].finding = if is_home && self.private.is_some() {
                Finding::exact("the home is its own, and empty: there is nothing to be seen")
            } else {
                self.grant(draft, named, *read_only, &mut granted)
            };
        }
        self.made(draft, report, &mut granted);
        for named in &self.perhaps_read_only {
            self.keep_unchanged(draft, named, &granted);
        }
        for (named, _) in self.whitelist.iter().filter(|(_, read_only)| *read_only) {
            let finding = self.keep_unchanged(draft, named, &granted);
            if finding.verdict != Verdict::Exact {
                report.entries[named.entry].finding = finding;
            }
        }
        for named in &self.read_only {
            report.entries[named.entry].finding = self.keep_unchanged(draft, named, &granted);
        }
        for named in &self.read_write {
            report.entries[named.entry].finding =
                Finding::near("what is granted for writing is not narrowed by it");
        }
        // What is granted has to be closed; the rest as far as there is room.
        let (met, others): (Vec<&Named>, Vec<&Named>) =
            self.blacklist.iter().partition(|named| is_met(&named.path, &granted));
        for named in met.into_iter().chain(others) {
            let has_room = draft.length("filesystem.deny") < MOST_DENIED;
            let is_needed = !named.path.starts_with('/') || is_met(&named.path, &granted);
            report.entries[named.entry].finding = if is_needed || has_room {
                deny(draft, &named.path, &named.place, &granted)
            } else {
                Finding::no_limit("the list of what is denied is full")
            };
        }
        if let Some(cache) = &self.private_cache
            && granted.iter().any(|grant| may_hold(grant.path.as_str(), &cache.path))
        {
            grants::deny(draft, &cache.path, &cache.place);
            report.entries[cache.entry].finding = Finding::less("the cache is closed");
        }
        self.sockets()
    }

    /// What of the home is shown where nothing of it is whitelisted.
    fn home(&self, draft: &mut Draft, report: &mut Report, granted: &mut Vec<Granted>) {
        if let Some(place) = &self.private
            && self.is_empty
        {
            draft.set("home.kind", "\"ephemeral\"", place);
        }
        let is_broad = self.private.is_none() && !self.narrowed;
        if !is_broad {
            if self.private.is_none() {
                let kept = "what it writes elsewhere in its home is kept for the next run";
                report.unsaid("home", Finding::near(kept));
            }
            for named in &self.noblacklist {
                report.entries[named.entry].finding =
                    Finding::exact("it is exempt from what is blacklisted further down");
            }
            return;
        }
        let place = Place { file: report.file.clone(), line: 0 };
        let grant = Grant { path: VISIBLE, right: Right::Write, exec: false, place: &place };
        grants::state(draft, &grant);
        granted.extend(PathExpr::parse(VISIBLE).map(|path| Granted { path, writable: true }));
        report.unsaid(
            "home",
            Finding::less(
                "broad: the profile shows the whole home but for what it blacklists; what is \
                 granted here is all that is not hidden, and what a noblacklist names",
            ),
        );
        for named in &self.noblacklist {
            let is_in_home = named.path.starts_with("~/");
            let finding = if is_in_home && !may_hold(VISIBLE, &named.path) {
                self.grant(draft, named, false, granted)
            } else {
                Finding::exact("it is exempt from what is blacklisted further down")
            };
            report.entries[named.entry].finding = finding;
        }
    }

    /// Grants a path that a profile shows.
    fn grant(
        &self,
        draft: &mut Draft,
        named: &Named,
        read_only: bool,
        granted: &mut Vec<Granted>,
    ) -> Finding {
        let path = named.path.as_str();
        if ["/tmp/.X11-unix", "/run", "/dev", "/var/tmp", "/var/cache/fontconfig"]
            .iter()
            .any(|place| may_hold(place, path))
        {
            return Finding::near(
                "the sandbox has a place of its own there, or shows it by its kind",
            );
        }
        if may_hold("/usr", path) {
            return Finding::more("all of /usr is seen, not only this");
        }
        if ["/proc", "/sys"].iter().any(|place| may_hold(place, path)) {
            return Finding::near("the sandbox decides what is seen there");
        }
        let only = self.whitelist.iter().filter(|(_, only)| *only).map(|(named, _)| named);
        // Of two that meet, the later counts.
        let given_back = |limit: &Named| {
            let later = self.read_write.iter().filter(|other| other.entry > limit.entry);
            later.into_iter().any(|outer| surely_holds(&outer.path, path))
        };
        let read_only = read_only
            || only.into_iter().any(|outer| may_hold(&outer.path, path))
            || self.perhaps_read_only.iter().any(|outer| may_hold(&outer.path, path))
            || self.read_only.iter().any(|outer| may_hold(&outer.path, path) && !given_back(outer));
        // Only the administrator writes there.
        let is_system = path.starts_with('/')
            && ["/var", "/etc", "/opt"].iter().any(|place| may_hold(place, path));
        let is_read_only = is_system || read_only;
        let makes = self.mkdir.iter().any(|made| made.path == path);
        let right = match (is_read_only, makes) {
            (true, _) => Right::Read,
            (false, true) => Right::Create,
            (false, false) => Right::Write,
        };
        let exec = path.starts_with('/') || !self.no_exec;
        let finding = grants::state(draft, &Grant { path, right, exec, place: &named.place });
        if finding.verdict != Verdict::Dropped {
            let writable = right != Right::Read;
            granted.extend(PathExpr::parse(path).map(|path| Granted { path, writable }));
        }
        finding
    }

    /// Folders and files that are made where they are missing.
    fn made(&self, draft: &mut Draft, report: &mut Report, granted: &mut Vec<Granted>) {
        for named in &self.mkdir {
            let is_file = report.entries[named.entry].text.starts_with("mkfile");
            let whole = self.whitelist.iter().any(|(other, _)| other.path == named.path);
            let inside = granted.iter().any(|grant| surely_holds(grant.path.as_str(), &named.path));
            report.entries[named.entry].finding = if is_file {
                Finding::less("a file is not made; it is granted where it is there")
            } else if whole {
                Finding::exact("it is granted with `create`")
            } else if inside {
                self.grant(draft, named, false, granted)
            } else {
                Finding::near(
                    "nothing of the host is granted there; the application can make it in its own home",
                )
            };
        }
    }

    /// What a path that may only be read comes to.
    fn keep_unchanged(&self, draft: &mut Draft, named: &Named, granted: &[Granted]) -> Finding {
        let path = named.path.as_str();
        let later = self.read_write.iter().filter(|other| other.entry > named.entry);
        if later.into_iter().any(|other| surely_holds(&other.path, path)) {
            return Finding::near("a read-write takes it back");
        }
        // What lies beneath it is granted for reading only. Of what holds it a
        // part cannot be kept from being changed.
        let Ok(expr) = PathExpr::parse(path) else {
            return Finding::no_limit("it cannot be named in a manifest");
        };
        let mut met = granted.iter().filter(|grant| grant.meets(&expr)).peekable();
        if met.peek().is_none() {
            return Finding::exact("nothing of it is granted for writing");
        }
        if met.any(|grant| grant.writable) {
            close(draft, path, &named.place, granted);
            return Finding::less(
                "denied: a part of a folder that is granted for writing cannot be read-only",
            );
        }
        Finding::exact("what is granted of it is granted for reading")
    }

    fn sockets(&self) -> Sockets {
        let open = |name: &str| {
            let shown = self
                .runtime_shown
                .as_ref()
                .is_none_or(|shown| shown.iter().any(|pattern| meets(pattern, name)));
            shown && !self.runtime_hidden.iter().any(|pattern| meets(pattern, name))
        };
        Sockets {
            wayland: open("wayland-0"),
            x11: !self.x11_hidden,
            pulse: open("pulse/native"),
            pipewire: open("pipewire-0"),
            bus: open("bus"),
        }
    }
}
