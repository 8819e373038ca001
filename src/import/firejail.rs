//! Firejail's profiles. What a profile does not limit is granted there: a
//! profile that names nothing of the home shows all of it but for what it
//! blacklists, and one without `net none` shows the network. So an import has
//! two halves: `words` reads what single directives limit, `files` what comes
//! of all paths together; what no line says is filed as unsaid.

mod closed;
mod files;
mod lines;
mod paths;
mod words;

use std::path::{Path, PathBuf};

use crate::report::Diagnostic;

use super::bus;
use super::draft::{Draft, check, quoted};
use super::report::{Finding, Place, Report};
use super::text::Text;
use super::{Read, short};

use files::Files;
use lines::Directive;
use words::{Mode, Words};

/// Whether a directive gives the application something. All others take
/// something away, or do neither.
fn grants_something(word: &str) -> bool {
    matches!(
        word,
        "whitelist"
            | "whitelist-ro"
            | "noblacklist"
            | "read-write"
            | "mkdir"
            | "mkfile"
            | "env"
            | "allow-debuggers"
            | "allusers"
            | "caps.keep"
            | "bind"
    ) || ["keep-", "writable-", "dbus-user.", "dbus-system."]
        .iter()
        .any(|start| word.starts_with(start))
}

/// What is being made of a profile.
struct Reading {
    draft: Draft,
    report: Report,
    files: Files,
    words: Words,
}

/// Reads a profile with its includes.
pub fn read(text: &Text, file: &Path, include: &[PathBuf]) -> Result<Read, Diagnostic> {
    let mut report = Report::new(&file.to_string_lossy());
    let directives = lines::expand(text, file, include, &mut report)?;
    let mut reading = Reading {
        draft: Draft::default(),
        report,
        files: Files::default(),
        words: Words::default(),
    };
    for directive in &directives {
        reading.directive(directive);
    }
    let Reading { mut draft, mut report, files, words } = reading;
    let name = short(file);
    let program = name.strip_suffix(".profile").unwrap_or(&name);
    let place = Place { file: report.file.clone(), line: 0 };
    let value = format!("[{}]", quoted(program));
    if check("command", &value, false).is_ok() {
        draft.set("command", value, &place);
        report.unsaid("command", Finding::near("the program that the profile is named after"));
    }
    let sockets = files.finish(&mut draft, &mut report);
    rest(&mut draft, &mut report, &words, sockets, &place);
    Ok(Read { id: None, draft, report })
}

impl Reading {
    fn directive(&mut self, directive: &Directive) {
        let is_grant = grants_something(&directive.word);
        if directive.condition.is_some() && is_grant {
            // With no grant left the whole home would be shown instead.
            self.files.note_whitelist(directive, self.report.entries.len());
            let less = Finding::less("read as if the condition did not hold");
            self.report.add(&directive.place, &*directive.text, less);
            return;
        }
        let filed = self.report.entries.len();
        if !self.files.take(directive, &mut self.report) {
            let finding = words::read(&mut self.words, &mut self.draft, directive);
            self.report.add(&directive.place, &*directive.text, finding);
        }
        if directive.condition.is_some() {
            for entry in &mut self.report.entries[filed..] {
                if entry.finding.allows == super::report::Allows::Same {
                    let reason = format!("read as if the condition held: {}", entry.finding.reason);
                    entry.finding = Finding::less(reason);
                }
            }
        }
    }
}

/// Which sockets the paths of a profile leave open.
#[derive(Debug, Clone, Copy)]
struct Sockets {
    wayland: bool,
    x11: bool,
    pulse: bool,
    pipewire: bool,
    bus: bool,
}

/// States what follows from what the profile does not limit.
fn rest(draft: &mut Draft, report: &mut Report, words: &Words, sockets: Sockets, place: &Place) {
    if words.has_network() {
        draft.set("network.mode", quoted("host"), place);
        report.unsaid("network", Finding::exact("nothing in the profile takes the network away"));
    } else {
        draft.set("network.mode", quoted("none"), place);
    }
    if sockets.wayland {
        draft.set("display.wayland", "true", place);
        report.unsaid("wayland", Finding::exact("nothing in the profile takes it away"));
    }
    if sockets.x11 && !words.no_x11 {
        draft.set("display.x11", quoted("shared"), place);
        report.unsaid("x11", Finding::exact("nothing in the profile takes it away"));
    }
    if sockets.pulse && !words.no_sound {
        draft.set("audio.playback", "true", place);
        if sockets.pipewire {
            draft.set("audio.record", "true", place);
        }
        let less = Finding::less("the sound server is reached, the sound devices are not");
        report.unsaid("sound", less);
    }
    if !words.no_3d {
        draft.push("devices.allow", quoted("gpu"), place);
        report.unsaid("graphics", Finding::exact("nothing in the profile takes it away"));
    }
    match words.user_bus {
        Mode::Unsaid if !sockets.bus => {}
        Mode::Unsaid => {
            let finding = bus::whole_session(draft, place);
            report.unsaid("session bus", finding);
        }
        Mode::Filter => {
            for (key, value, from) in &words.user_rules {
                draft.push(key, value.clone(), from);
            }
        }
        Mode::None => {}
    }
    match words.system_bus {
        Mode::Unsaid => {
            let less = Finding::no_grant("no bus can be granted whole; name what is needed");
            report.unsaid("system bus", less);
        }
        Mode::Filter => {
            for (key, value, from) in &words.system_rules {
                draft.push(key, value.clone(), from);
            }
        }
        Mode::None => {}
    }
    for (start, mode) in [("dbus-user.", words.user_bus), ("dbus-system.", words.system_bus)] {
        // Rules count only beside `filter`.
        let of_bus = |entry: &&mut super::report::Entry| entry.text.starts_with(start);
        if mode != Mode::Filter {
            for entry in report.entries.iter_mut().filter(of_bus) {
                entry.finding = Finding::moot("without `filter` a rule has no effect");
            }
        }
    }
    if words.nested() {
        draft.set("syscalls.nested", quoted("browser"), place);
        report.unsaid(
            "sandboxes inside",
            Finding::near("the profile leaves open what browsers build theirs with"),
        );
    }
    let others = "cameras, input, optical drives, TV cards and security keys are not shown \
                  by this version, even where the profile leaves them open";
    report.unsaid("other devices", Finding::no_grant(others));
    let elsewhere = "of /etc, /var, /opt, /srv, /mnt, /media and /run only what is granted is \
                     seen, where the profile shows what it does not blacklist";
    report.unsaid("other folders", Finding::no_grant(elsewhere));
}
