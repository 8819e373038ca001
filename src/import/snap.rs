//! snap.yaml and snapcraft.yaml: the plugs of the snap's main program.

use crate::model::path::Glob;
use crate::report::Diagnostic;

use super::bus::{self, Bus, Policy};
use super::draft::{Draft, check, quoted};
use super::flatpak::variable;
use super::grants::{self, Grant, Right};
use super::report::{Finding, Place, Report};
use super::text::Text;
use super::yaml::{self, Node, Value};
use super::{Format, Read, id_of};

struct Reading {
    draft: Draft,
    report: Report,
    name: String,
    connects: bool,
    listens: bool,
    network: Option<Place>,
}

/// Reads the file.
pub fn read(text: &Text, file: &str) -> Result<Read, Diagnostic> {
    let root = yaml::parse(text)?;
    let Some(name) = root.get("name").and_then(Node::scalar).filter(|name| !name.is_empty()) else {
        return Err(text
            .error(0..0, "the file has no `name`", "")
            .hint("is this a snap.yaml or snapcraft.yaml?"));
    };
    let mut reading = Reading {
        draft: Draft::default(),
        report: Report::new(file),
        name: name.to_owned(),
        connects: false,
        listens: false,
        network: None,
    };
    let empty = Node { value: Value::Nothing, place: text.place(0), lines: 0 };
    let declared = root.get("plugs").unwrap_or(&empty);
    for (key, node) in root.map() {
        match key.as_str() {
            "name" => reading.add(node, key, Finding::exact("the id is made from it")),
            "title" => {
                let value = quoted(node.scalar().unwrap_or_default());
                if check("name", &value, false).is_ok() {
                    reading.draft.set("name", value, &node.place);
                }
                reading.add(node, key, Finding::exact("the same name"));
            }
            "apps" => reading.apps(node, declared),
            "plugs" => reading.declared(node, &root),
            "slots" => reading.slots(node),
            "environment" => reading.environment(node),
            "confinement" => {
                let finding = match node.scalar() {
                    Some("classic") => Finding::no_grant("nothing is granted for want of plugs"),
                    _ => Finding::exact("what is not granted is not there"),
                };
                reading.add(node, key, finding);
            }
            "layout" => {
                let less = Finding::no_grant("nothing is shown in another place than its own");
                reading.all(node, key, &less);
            }
            _ => {
                let moot = Finding::moot("it is about the package, and programs here have none");
                reading.all(node, key, &moot);
            }
        }
    }
    reading.finish();
    let id = id_of(Format::Snap, &reading.name);
    Ok(Read { id, draft: reading.draft, report: reading.report })
}

fn line(key: &str, node: &Node) -> String {
    match &node.value {
        Value::Scalar(text) => format!("{key}: {text}"),
        Value::List(list) => {
            let items: Vec<&str> = list.iter().filter_map(Node::scalar).collect();
            format!("{key}: [{}]", items.join(", "))
        }
        Value::Nothing | Value::Map(_) => format!("{key}:"),
    }
}

impl Reading {
    fn add(&mut self, node: &Node, key: &str, finding: Finding) {
        self.report.add(&node.place, line(key, node), finding);
    }

    /// Files the same about a node and all within it.
    fn all(&mut self, node: &Node, key: &str, finding: &Finding) {
        self.add(node, key, finding.clone());
        for (name, inner) in node.map() {
            self.all(inner, &format!("{key}.{name}"), finding);
        }
        for inner in node.list().iter().filter(|inner| inner.place != node.place) {
            self.all(inner, &format!("{key} -"), finding);
        }
    }

    /// The program that has the snap's name, or the first.
    fn apps(&mut self, node: &Node, declared: &Node) {
        let apps = node.map();
        let main = apps.iter().find(|(name, _)| *name == self.name).or(apps.first());
        let main = main.map(|(name, _)| name.clone());
        for (name, app) in apps {
            if Some(name) != main.as_ref() {
                let moot = Finding::no_grant("only the snap's main program is imported");
                self.all(app, name, &moot);
                continue;
            }
            for (key, node) in app.map() {
                match key.as_str() {
                    "command" => {
                        let finding = self.command(node);
                        self.add(node, key, finding);
                    }
                    "plugs" if node.list().is_empty() => {
                        self.all(node, key, &Finding::no_grant("it is no list of plugs"));
                    }
                    "plugs" => {
                        for plug in node.list() {
                            let name = plug.scalar().unwrap_or_default().to_owned();
                            let finding = self.plug(&name, declared, &plug.place);
                            self.report.add(&plug.place, format!("plugs: {name}"), finding);
                        }
                    }
                    "environment" => self.environment(node),
                    "slots" => {
                        let exact = Finding::exact("see where the slots are declared");
                        self.all(node, key, &exact);
                    }
                    _ => {
                        let moot = Finding::moot("it is about how snapd starts the program");
                        self.all(node, key, &moot);
                    }
                }
            }
        }
    }

    fn command(&mut self, node: &Node) -> Finding {
        let text = node.scalar().unwrap_or_default();
        let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if let Some(first) = words.first_mut() {
            *first = first.rsplit('/').next().unwrap_or_default().to_owned();
        }
        let is_plain = words.iter().all(|word| !word.contains(['$', '"', '\'', '\\']));
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let value = format!("[{}]", words.join(", "));
        if !is_plain || check("command", &value, false).is_err() {
            return Finding::no_grant("it names no program that could be looked up");
        }
        self.draft.set("command", value, &node.place);
        Finding::near("the system's program of this name is run, and not the snap's")
    }

    /// Attributes of plugs: read where the plug is used.
    fn declared(&mut self, node: &Node, root: &Node) {
        let apps = root.get("apps").map(Node::map).unwrap_or_default();
        let used = |plug: &str| {
            apps.iter().any(|(_, app)| {
                let plugs = app.get("plugs").map(Node::list).unwrap_or_default();
                plugs.iter().any(|item| item.scalar() == Some(plug))
            })
        };
        for (name, plug) in node.map() {
            let finding = if used(name) {
                Finding::exact("read where a program uses the plug")
            } else {
                Finding::moot("no program uses the plug by name")
            };
            self.all(plug, name, &finding);
        }
        for item in node.list() {
            let moot = Finding::no_grant("only plugs of the main program are imported");
            self.add(item, "plugs", moot);
        }
    }

    fn slots(&mut self, node: &Node) {
        for (name, slot) in node.map() {
            let interface = slot.get("interface").and_then(Node::scalar).unwrap_or(name);
            let owned = match interface {
                "dbus" => slot.get("name").and_then(Node::scalar).map(str::to_owned),
                "mpris" => {
                    let own = slot.get("name").and_then(Node::scalar).unwrap_or(&self.name);
                    Some(format!("org.mpris.MediaPlayer2.{own}"))
                }
                _ => None,
            };
            let bus = match slot.get("bus").and_then(Node::scalar) {
                Some("system") => Bus::System,
                _ => Bus::Session,
            };
            let finding = match owned {
                Some(owned) => bus::name(&mut self.draft, bus, &owned, Policy::Own, &slot.place),
                None => Finding::no_grant("nothing is offered to other programs"),
            };
            self.all(slot, name, &finding);
        }
    }

    fn environment(&mut self, node: &Node) {
        for (name, value) in node.map() {
            let text = value.scalar().unwrap_or_default();
            let finding = if text.contains('$') {
                Finding::no_grant("a manifest does not put variables into values")
            } else {
                variable(&mut self.draft, name, text, &value.place)
            };
            self.add(value, name, finding);
        }
    }

    fn plug(&mut self, name: &str, declared: &Node, place: &Place) -> Finding {
        let attributes = declared.get(name);
        let interface = attributes
            .and_then(|node| node.get("interface"))
            .and_then(Node::scalar)
            .unwrap_or(name);
        let flag = |key: &str| {
            attributes.and_then(|node| node.get(key)).and_then(Node::scalar) == Some("true")
        };
        let draft = &mut self.draft;
        match interface {
            "home" => {
                let grant = Grant { path: "~/*", right: Right::Write, exec: true, place };
                grants::state(draft, &grant);
                Finding::less(
                    "all of the home that is not hidden, but for protected places; programs in it cannot be started",
                )
            }
            "removable-media" => {
                for path in ["/media", "/run/media", "/mnt"] {
                    grants::state(draft, &Grant { path, right: Right::Write, exec: true, place });
                }
                Finding::less("the same folders; programs in them cannot be started")
            }
            "personal-files" | "system-files" => self.files(attributes, place),
            "network" => {
                self.connects = true;
                self.network = Some(place.clone());
                Finding::near("the host's network")
            }
            "network-bind" => {
                self.listens = true;
                self.network = Some(place.clone());
                Finding::near("the host's network")
            }
            "x11" => {
                draft.set("display.x11", quoted("shared"), place);
                Finding::exact("the same socket")
            }
            "wayland" => {
                draft.set("display.wayland", "true", place);
                Finding::exact("the same socket")
            }
            "opengl" => {
                draft.push("devices.allow", quoted("gpu"), place);
                Finding::exact("the devices of graphics processors")
            }
            "kvm" => {
                draft.push("devices.allow", quoted("kvm"), place);
                Finding::exact("the same device")
            }
            "audio-playback" | "pulseaudio" => {
                draft.set("audio.playback", "true", place);
                Finding::near("the sound server is reached; to keep recording apart is its part")
            }
            "audio-record" => {
                draft.set("audio.playback", "true", place);
                Finding::less("the sound server is reached; PipeWire's own socket is not")
            }
            "desktop" => {
                draft.set("accessibility.enabled", "true", place);
                bus::portals(draft, place)
            }
            "desktop-legacy" => {
                draft.set("accessibility.enabled", "true", place);
                draft.push("bus.session.services", quoted("input-method"), place);
                Finding::less("screen readers and input methods; nothing else of the session")
            }
            "unity7" => {
                draft.push("bus.session.services", quoted("tray"), place);
                draft.push("bus.session.services", quoted("notifications"), place);
                Finding::less("the tray and notifications; nothing else of the session")
            }
            "gsettings" => {
                draft.push("bus.session.services", quoted("dconf"), place);
                Finding::less("settings can be changed; what they are is not seen as a file")
            }
            "password-manager-service" => {
                draft.push("bus.session.services", quoted("secrets"), place);
                Finding::less("the keyring of the desktop; not that of KDE")
            }
            "browser-support" if flag("allow-sandbox") => {
                draft.set("syscalls.nested", quoted("browser"), place);
                Finding::near("what browsers build their own sandboxes with")
            }
            "browser-support" => Finding::near("shared memory is every application's own"),
            "screen-inhibit-control" => {
                draft.push("portals.allow", quoted("inhibit"), place);
                Finding::less("by the portal that keeps the screen on")
            }
            "ssh-keys" => {
                grants::state(
                    draft,
                    &Grant { path: "~/.ssh", right: Right::Read, exec: false, place },
                );
                Finding::less("the keys as files; the agent is not reached")
            }
            "gpg-keys" => {
                grants::state(
                    draft,
                    &Grant { path: "~/.gnupg", right: Right::Read, exec: false, place },
                );
                Finding::less("the keys as files, for reading; the agent is not reached")
            }
            "bluez" => bus::name(draft, Bus::System, "org.bluez", Policy::Talk, place),
            "content" => {
                Finding::moot("the system's own files stand in place of those of other snaps")
            }
            _ => Finding::no_grant("the interface has no counterpart here"),
        }
    }

    /// `read` and `write` of a plug for files.
    fn files(&mut self, attributes: Option<&Node>, place: &Place) -> Finding {
        let mut is_whole = true;
        let mut any = false;
        for (key, right) in [("read", Right::Read), ("write", Right::Write)] {
            let list =
                attributes.and_then(|node| node.get(key)).map(Node::list).unwrap_or_default();
            for path in list.iter().filter_map(Node::scalar) {
                let path = match path.strip_prefix("$HOME") {
                    Some(rest) => format!("~{rest}"),
                    None => path.to_owned(),
                };
                let is_pattern = path.split('/').any(Glob::is_pattern) || path.contains('$');
                let finding = if is_pattern {
                    Finding::no_grant("")
                } else {
                    let grant = Grant { path: &path, right, exec: false, place };
                    grants::state(&mut self.draft, &grant)
                };
                any = true;
                is_whole &= finding.verdict == super::report::Verdict::Exact;
            }
        }
        match (any, is_whole) {
            (true, true) => Finding::exact("the same files"),
            (true, false) => Finding::less("those of its files that a manifest can grant"),
            (false, _) => Finding::exact("it names no files"),
        }
    }

    /// The network follows from two plugs together.
    fn finish(&mut self) {
        if let Some(place) = self.network.clone() {
            self.draft.set("network.mode", quoted("host"), &place);
            if !self.listens {
                self.draft.empty("network.listen");
            }
            if !self.connects {
                self.draft.empty("network.connect");
            }
        }
        let report = &mut self.report;
        report.unsaid(
            "runtime",
            Finding::near("it sees the system's programs and libraries in place of the snap's"),
        );
        report.unsaid("home", Finding::near("a home of its own, which begins empty"));
    }
}
