//! Bubblejail's services: a TOML file in which a table means that a service is
//! on. Its instances and its profiles have the same tables, the latter beneath
//! `services`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::report::Diagnostic;

use super::Read;
use super::bus::{self, Bus, Policy};
use super::draft::{Draft, check, quoted};
use super::grants::{self, Grant, Right};
use super::report::{Finding, Place, Report};
use super::text::Text;

use crate::model::path::Glob;

struct Reading<'t> {
    text: &'t Text,
    draft: Draft,
    report: Report,
}

/// A key of a service.
struct Key<'k> {
    service: &'k str,
    name: &'k str,
    value: &'k Spanned<DeValue<'k>>,
    place: Place,
}

impl Key<'_> {
    fn text(&self, value: &str) -> String {
        format!("{}.{} = {value}", self.service, self.name)
    }

    fn is_true(&self) -> bool {
        matches!(self.value.get_ref(), DeValue::Boolean(true))
    }
}

/// Reads a file of services.
pub fn read(text: &Text, file: &str) -> Result<Read, Diagnostic> {
    let table = DeTable::parse(text.as_str()).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let message = format!("this is not TOML: {}", error.message());
        text.error(span, message, "")
    })?;
    let mut reading = Reading { text, draft: Draft::default(), report: Report::new(file) };
    for (name, value) in table.get_ref() {
        match (name.get_ref().as_ref(), value.get_ref()) {
            ("services", DeValue::Table(services)) => {
                for (service, value) in services {
                    reading.service(service.get_ref(), service.span().start, value)?;
                }
            }
            (service, DeValue::Table(_)) => {
                reading.service(service, name.span().start, value)?;
            }
            (key, _) => {
                let place = text.place(name.span().start);
                let moot = Finding::moot("it is about bubblejail's own catalogue");
                reading.report.add(&place, key, moot);
            }
        }
    }
    reading.rest();
    Ok(Read { id: None, draft: reading.draft, report: reading.report })
}

impl Reading<'_> {
    fn service(
        &mut self,
        name: &str,
        at: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), Diagnostic> {
        let DeValue::Table(keys) = value.get_ref() else {
            return Err(self.text.error(value.span(), format!("`{name}` is no table"), ""));
        };
        let place = self.text.place(at);
        let finding = self.switch(name, &place);
        self.report.add(&place, format!("[{name}]"), finding);
        for (key, value) in keys {
            let place = self.text.place(key.span().start);
            self.key(&Key { service: name, name: key.get_ref(), value, place });
        }
        Ok(())
    }

    /// What the mere presence of a service's table means.
    fn switch(&mut self, name: &str, place: &Place) -> Finding {
        let draft = &mut self.draft;
        match name {
            "common" | "home_share" | "root_share" | "xdg_desktop_portal" | "gnome_toolkit" => {
                Finding::exact("its keys say what is meant")
            }
            "x11" => {
                draft.set("display.x11", quoted("shared"), place);
                Finding::exact("the same socket")
            }
            "wayland" => {
                draft.set("display.wayland", "true", place);
                Finding::exact("the same socket")
            }
            "network" => {
                draft.set("network.mode", quoted("host"), place);
                Finding::exact("the host's network")
            }
            "slirp4netns" | "pasta_network" => Finding::no_grant(
                "a network of its own is not there in this version, and the host's would be more",
            ),
            "pulse_audio" => {
                draft.set("audio.playback", "true", place);
                Finding::near("the sound server is reached, which lets it record too")
            }
            "pipewire" => {
                draft.set("audio.record", "true", place);
                Finding::near("PipeWire's socket, and beside it that for programs of PulseAudio")
            }
            "direct_rendering" => {
                draft.push("devices.allow", quoted("gpu"), place);
                Finding::exact("the devices of graphics processors")
            }
            "joystick" | "v4l" => Finding::no_grant("this version shows no such devices"),
            "systray" => {
                draft.push("bus.session.services", quoted("tray"), place);
                Finding::near("the word for the tray")
            }
            "notify" => {
                draft.push("bus.session.services", quoted("notifications"), place);
                Finding::near("the word for notifications")
            }
            "gamemode" => {
                draft.push("bus.session.services", quoted("gamemode"), place);
                Finding::near("the word for this service")
            }
            "mpris" => Finding::exact("its player is named beneath"),
            "ibus" | "fcitx" => {
                draft.push("bus.session.services", quoted("input-method"), place);
                Finding::near("the word for input methods, which opens both of them")
            }
            "openjdk" => Finding::exact("it does nothing any more"),
            "namespaces_limits" => Finding::exact("its keys say what is meant"),
            "debug" => Finding::no_grant("raw arguments of other programs mean nothing here"),
            _ => Finding::no_grant("the service is not known here"),
        }
    }

    fn key(&mut self, key: &Key<'_>) {
        match (key.service, key.name) {
            ("home_share", "home_paths") => self.paths(key, "~/", Right::Write),
            ("home_share", "read_only_paths" | "home_read_only_paths") => {
                self.paths(key, "~/", Right::Read);
            }
            ("root_share", "paths") => self.paths(key, "", Right::Write),
            ("root_share", "read_only_paths") => self.paths(key, "", Right::Read),
            ("common", "executable_name") => self.command(key),
            ("common", "dbus_name") => self.name(key, ""),
            ("mpris", "player_name") => self.name(key, "org.mpris.MediaPlayer2."),
            _ => {
                let finding = self.flag(key);
                self.report.add(&key.place, key.text(&shown(key.value.get_ref())), finding);
            }
        }
    }

    fn flag(&mut self, key: &Key<'_>) -> Finding {
        let portal = match (key.service, key.name) {
            ("xdg_desktop_portal", "file_chooser") => Some("file-chooser"),
            ("xdg_desktop_portal", "global_shortcuts") => Some("global-shortcuts"),
            ("xdg_desktop_portal", "inhibit") => Some("inhibit"),
            ("xdg_desktop_portal", "notification") => Some("notification"),
            ("xdg_desktop_portal", "open_uri") => Some("open-uri"),
            ("xdg_desktop_portal", "settings") => Some("settings"),
            ("xdg_desktop_portal", "trash") => Some("trash"),
            ("xdg_desktop_portal", "screen_cast") => Some("screencast"),
            _ => None,
        };
        let (draft, place) = (&mut self.draft, &key.place);
        if !key.is_true() && matches!(key.value.get_ref(), DeValue::Boolean(_)) {
            return Finding::exact("it is off");
        }
        if let Some(word) = portal {
            draft.push("portals.allow", quoted(word), place);
            return Finding::exact("the portal of this word");
        }
        match (key.service, key.name) {
            ("xdg_desktop_portal", "add_flatpak_info") => {
                Finding::near("an application that may ask portals has such a file")
            }
            ("xdg_desktop_portal", "override_xdg_open") => {
                Finding::no_grant("no program of the system is replaced")
            }
            ("gnome_toolkit", "gnome_portal") => bus::portals(draft, place),
            ("gnome_toolkit", "dconf_dbus") => {
                bus::name(draft, Bus::Session, "ca.desrt.dconf", Policy::Talk, place)
            }
            ("gnome_toolkit", "gnome_vfs_dbus") => {
                bus::name(draft, Bus::Session, "org.gtk.vfs.*", Policy::Talk, place)
            }
            ("common", "share_local_time") => Finding::exact("every application has the time zone"),
            ("common", "filter_disk_sync") => Finding::moot("writes reach the disk when asked to"),
            ("namespaces_limits", _) => match key.value.get_ref() {
                DeValue::Integer(number) if number.as_str() == "0" => {
                    Finding::exact("no namespaces can be made")
                }
                _ => Finding::less("no namespaces can be made"),
            },
            ("direct_rendering", _) | ("openjdk", _) => Finding::moot("it does nothing any more"),
            ("slirp4netns" | "pasta_network", _) => {
                Finding::moot("settings of a network of its own, and there is none")
            }
            ("debug", _) => Finding::no_grant("raw arguments of other programs mean nothing here"),
            _ => Finding::no_grant("the key is not known here"),
        }
    }

    /// Each path of a list.
    fn paths(&mut self, key: &Key<'_>, start: &str, right: Right) {
        let DeValue::Array(items) = key.value.get_ref() else {
            let finding = Finding::no_grant("it is no list of paths");
            self.report.add(&key.place, key.text(&shown(key.value.get_ref())), finding);
            return;
        };
        if items.is_empty() {
            self.report.add(&key.place, key.text("[]"), Finding::exact("it states nothing"));
        }
        for item in items {
            let place = self.text.place(item.span().start);
            let finding = match item.get_ref().as_str() {
                None => Finding::no_grant("it is no path"),
                Some(path) if path.split('/').any(Glob::is_pattern) => {
                    Finding::no_grant("it would be a pattern in a manifest, and is none here")
                }
                Some(path) => {
                    let inner = path.trim_start_matches("~/");
                    let path =
                        if start.is_empty() { path.to_owned() } else { format!("{start}{inner}") };
                    let path = if path == "~/" { "~".to_owned() } else { path };
                    grants::state(
                        &mut self.draft,
                        &Grant { path: &path, right, exec: true, place: &place },
                    )
                }
            };
            self.report.add(&place, key.text(&shown(item.get_ref())), finding);
        }
    }

    fn command(&mut self, key: &Key<'_>) {
        let words: Vec<&str> = match key.value.get_ref() {
            DeValue::String(text) => text.split_whitespace().collect(),
            DeValue::Array(items) => {
                items.iter().filter_map(|item| item.get_ref().as_str()).collect()
            }
            _ => Vec::new(),
        };
        let words: Vec<String> = words.into_iter().map(quoted).collect();
        let value = format!("[{}]", words.join(", "));
        let finding = match check("command", &value, false) {
            Ok(()) => {
                self.draft.set("command", value, &key.place);
                Finding::exact("the same program")
            }
            Err(why) => Finding::no_grant(format!("it names no program: {why}")),
        };
        self.report.add(&key.place, key.text(&shown(key.value.get_ref())), finding);
    }

    fn name(&mut self, key: &Key<'_>, start: &str) {
        let finding = match key.value.get_ref().as_str() {
            Some(name) => bus::name(
                &mut self.draft,
                Bus::Session,
                &format!("{start}{name}"),
                Policy::Own,
                &key.place,
            ),
            None => Finding::no_grant("it is no name"),
        };
        self.report.add(&key.place, key.text(&shown(key.value.get_ref())), finding);
    }

    /// What holds for every instance.
    fn rest(&mut self) {
        let report = &mut self.report;
        report.unsaid("home", Finding::near("a home of its own, which begins empty"));
        report.unsaid(
            "system",
            Finding::less(
                "of /opt and /etc only what is granted, or what every program needs, is seen",
            ),
        );
        report.unsaid("system calls", Finding::less("Pinfold's filter refuses more"));
    }
}

/// A value on one line.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| shown(item.get_ref())).collect();
            format!("[{}]", items.join(", "))
        }
        _ => "...".to_owned(),
    }
}
