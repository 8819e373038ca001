//! Message buses: which ones, what passes the filter before them, and what
//! the filter's own root holds.
//!
//! The application never gets a bus's socket. Where a bus is granted, a socket
//! of ours stands in its place, and a process of ours behind it. What that
//! process sees is stated here as well, since it is part of the whole truth:
//! the sockets of the buses, and the file by which portals know whose sandbox
//! it is.

use crate::catalogue::{self, Object};
use crate::host::buses;
use crate::model::bus::BusName;
use crate::model::bus_address::BusAddress;
use crate::model::manifest::{BusSettings, Policy};
use crate::model::origin::{List, Origin};
use crate::model::path::AbsPath;
use crate::model::permission::{Nested, NetworkMode};
use crate::model::plan::{
    Action, Bus, BusAccess, BusPlan, BusRule, FilterPlan, Kind, Slot, Step, Tier, Weight,
};

use super::Resolution;
use super::base::fixed;
use super::links::NotFound;
use super::names;

/// The interface by which properties are read.
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// By which an object tells what it has. Bindings of scripting languages ask
/// before they call.
const INTROSPECT: &str = "org.freedesktop.DBus.Introspectable.Introspect";

/// The file by which portals know a sandbox (`xdp-app-info`).
pub const MARKER: &str = "/.flatpak-info";

/// What passes to the registry of accessible programs: that one enters its
/// tree there, and learns which events anybody waits for. Nothing of other
/// programs' trees is among it.
const REGISTRY: [(&str, &str, &str); 8] = [
    ("call", "/org/a11y/atspi/accessible/root", "org.a11y.atspi.Socket.Embed"),
    ("call", "/org/a11y/atspi/accessible/root", "org.a11y.atspi.Socket.Unembed"),
    ("call", "/org/a11y/atspi/registry", "org.a11y.atspi.Registry.GetRegisteredEvents"),
    (
        "call",
        "/org/a11y/atspi/registry/deviceeventcontroller",
        "org.a11y.atspi.DeviceEventController.GetKeystrokeListeners",
    ),
    (
        "call",
        "/org/a11y/atspi/registry/deviceeventcontroller",
        "org.a11y.atspi.DeviceEventController.GetDeviceEventListeners",
    ),
    (
        "call",
        "/org/a11y/atspi/registry/deviceeventcontroller",
        "org.a11y.atspi.DeviceEventController.NotifyListenersSync",
    ),
    (
        "call",
        "/org/a11y/atspi/registry/deviceeventcontroller",
        "org.a11y.atspi.DeviceEventController.NotifyListenersAsync",
    ),
    ("broadcast", "/org/a11y/atspi/registry", "org.a11y.atspi.Registry.*"),
];

/// A bus that a policy asks for, wherever it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which bus.
    pub bus: Bus,
    /// What may pass.
    pub rules: Vec<BusRule>,
    /// Who granted it.
    pub origin: Origin,
}

/// The buses that a policy asks for and what may pass there, words of the
/// catalogue taken apart. The host has no say in it.
pub fn wanted(policy: &Policy) -> Vec<Wanted> {
    let settings = &policy.settings;
    let mut wanted = Vec::new();
    let mut session = Rules::default();
    session.stated(&settings.session_bus);
    for word in &settings.portals.items {
        if let Some(portal) = catalogue::portal(&word.value) {
            portal.opens().for_each(|object| session.object(object, &word.origin));
        }
    }
    for word in &settings.session_bus.services.items {
        if let Some(service) = catalogue::service(&word.value) {
            service.opens.iter().for_each(|object| session.object(object, &word.origin));
            for name in &service.own {
                session.add(name, BusAccess::Own, &word.origin);
            }
        }
    }
    let accessible = settings.accessibility.as_ref().filter(|stated| stated.value);
    if let Some(accessible) = accessible {
        session.status_of_accessibility(&accessible.origin);
    }
    let portal = settings.portals.items.first().map(|word| word.origin.clone());
    let granted = stated_at(&settings.session_bus).or(portal);
    if let Some(origin) = granted.or_else(|| accessible.map(|stated| stated.origin.clone())) {
        let id = policy.id.as_str();
        if !names::is_of_the_session(id) {
            session.own_names(id);
        }
        wanted.push(Wanted { bus: Bus::Session, rules: session.list, origin });
    }
    if let Some(origin) = stated_at(&settings.system_bus) {
        let mut system = Rules::default();
        system.stated(&settings.system_bus);
        wanted.push(Wanted { bus: Bus::System, rules: system.list, origin });
    }
    if let Some(accessible) = accessible {
        let mut rules = Rules::default();
        rules.registry(&accessible.origin);
        let origin = accessible.origin.clone();
        wanted.push(Wanted { bus: Bus::Accessibility, rules: rules.list, origin });
    }
    wanted
}

/// States the buses.
pub fn resolve(r: &mut Resolution<'_>) {
    let mut wanted = wanted(r.policy);
    let id = r.policy.id.to_string();
    let session = wanted.iter().find(|wanted| wanted.bus == Bus::Session);
    if let Some(origin) = session.map(|wanted| wanted.origin.clone())
        && names::is_of_the_session(&id)
    {
        let text = format!(
            "{id} is a name that services of the session have; the application does not own it"
        );
        let hint = format!("where that is meant, state own = [\"{id}.*\"] in [bus.session]");
        r.note(Weight::Warning, text, Some(&origin), Some(&hint));
    }
    if r.request.tier == Tier::Landlock {
        // The filter has a root of its own, by which portals know whose calls
        // it hands on, and a socket that the application would connect to.
        for Wanted { bus, origin, .. } in wanted.drain(..) {
            let text = format!("the {} bus is not to be had without namespaces", name(bus));
            r.note(Weight::Warning, text, Some(&origin), None);
        }
    }
    let plans: Vec<BusPlan> = wanted.into_iter().filter_map(|wanted| one(r, wanted)).collect();
    let has_documents = plans.iter().any(|plan| plan.bus == Bus::Session) && documents(r);
    marker(r, has_documents);
    if !plans.is_empty() {
        r.filter = Some(filter(r, plans));
    }
}

/// The folder of the document portal, in the caller's runtime folder.
pub fn documents_folder(runtime_dir: &AbsPath) -> AbsPath {
    runtime_dir.child("doc")
}

/// Shows the application its own view of the document portal, where files that
/// the person picks appear. The portal names them by the place where it has
/// them outside, so they are there inside as well, also where the runtime
/// folder is another than the one inside. Says whether it is there.
fn documents(r: &mut Resolution<'_>) -> bool {
    let words = &r.settings().portals.items;
    let chooses = words.iter().any(|word| word.value == "file-chooser");
    let Some(origin) = words.first().map(|word| word.origin.clone()) else { return false };
    let Some(runtime_dir) = &r.facts.runtime_dir else { return false };
    let source = documents_folder(runtime_dir).child("by-app").child(r.policy.id.as_str());
    if !r.request.only_looks && r.fs.look(&source).is_err() {
        let text = match chooses {
            true => "file dialogs are the application's own, and show what is granted",
            false => "files that a portal hands over cannot be opened",
        };
        let text = format!("the document portal does not run: {text}");
        r.note(Weight::Notice, text, Some(&origin), None);
        return false;
    }
    let dest = documents_folder(runtime_dir);
    let usual = documents_folder(&r.runtime_dir());
    if usual != dest {
        r.tree.put(Action::Link { dest: usual, target: dest.to_string() }, &origin);
    }
    r.tree.put(
        Action::Bind { source, dest, kind: Kind::Folder, write: true, exec: false, device: false },
        &origin,
    );
    true
}

/// The first statement about a bus, an empty list among them: that one grants
/// the bus and nothing on it.
fn stated_at(bus: &BusSettings) -> Option<Origin> {
    fn at<T>(list: &List<T>) -> Option<Origin> {
        let item = list.items.first().map(|item| item.origin.clone());
        item.or_else(|| list.emptied.clone())
    }
    at(&bus.see)
        .or_else(|| at(&bus.talk))
        .or_else(|| at(&bus.own))
        .or_else(|| at(&bus.call))
        .or_else(|| at(&bus.broadcast))
        .or_else(|| at(&bus.services))
}

/// Finds a bus and states the socket that stands for it inside.
fn one(r: &mut Resolution<'_>, wanted: Wanted) -> Option<BusPlan> {
    let Wanted { bus, rules, origin } = wanted;
    let address = match buses::find(r.fs, r.facts, bus) {
        Ok(address) => address,
        Err(why) => {
            let name = name(bus);
            let mut text = format!("the {name} bus is not shown: {why}");
            if let Some(cause) = std::error::Error::source(&why) {
                text.push_str(&format!(": {cause}"));
            }
            r.note(Weight::Notice, text, Some(&origin), None);
            return None;
        }
    };
    let dest = match bus {
        Bus::Session => r.runtime_dir().child("bus"),
        Bus::System => fixed("/run/dbus/system_bus_socket"),
        Bus::Accessibility => r.runtime_dir().child("at-spi").child("bus"),
    };
    r.environment.insert(buses::variable(bus).to_owned(), format!("unix:path={dest}"));
    r.tree.put(Action::Listen { dest, bus }, &origin);
    Some(BusPlan { bus, address, rules, origin })
}

/// What people call a bus.
pub fn name(bus: Bus) -> &'static str {
    match bus {
        Bus::Session => "session",
        Bus::System => "system",
        Bus::Accessibility => "accessibility",
    }
}

/// States what tells toolkits to ask portals, and the marker in the
/// application's own root.
///
/// With the marker toolkits believe that they run in Flatpak: they ask portals
/// for everything, and some of them start programs through a service that only
/// Flatpak has. So it is there only where the dialogs that it leads to are. Those
/// take the document portal as well: without it a file that is picked could not
/// be opened, while a dialog of the application's own still shows what is granted.
fn marker(r: &mut Resolution<'_>, has_dialogs: bool) {
    let settings = r.settings();
    let chooser = settings.portals.items.iter().find(|word| word.value == "file-chooser");
    let stated = settings.marker.clone();
    let usual = r.nested() == Nested::None && has_dialogs;
    let origin = match (&stated, chooser) {
        (Some(stated), _) if !stated.value => None,
        (Some(stated), _) => Some(stated.origin.clone()),
        (None, chooser) => chooser.filter(|_| usual).map(|word| word.origin.clone()),
    };
    let asks = chooser.is_some() && has_dialogs;
    if let Some(origin) = origin {
        r.tree.put(identity(r.network_mode() == NetworkMode::Host), &origin);
    }
    if asks {
        for (name, value) in [
            ("GTK_USE_PORTAL", "1"),
            ("GDK_DEBUG", "portals"),
            ("QT_QPA_PLATFORMTHEME", "xdgdesktopportal"),
        ] {
            r.environment.insert(name.to_owned(), value.to_owned());
        }
    }
}

fn identity(network: bool) -> Action {
    Action::Fill { dest: fixed(MARKER), mode: 0o444, slot: Slot::Identity { network } }
}

/// The process before the buses, and its root.
fn filter(r: &mut Resolution<'_>, mut buses: Vec<BusPlan>) -> FilterPlan {
    let origin = buses[0].origin.clone();
    let network = r.network_mode() == NetworkMode::Host;
    let mut tree = vec![Step { action: identity(network), origin }];
    let mut host_network = false;
    buses.retain_mut(|plan| {
        let BusAddress::Path(path) = &plan.address else {
            host_network = true;
            return true;
        };
        let found = AbsPath::new(path).map_err(|_| NotFound::Missing);
        let Ok(found) = found.and_then(|path| r.links.find(&path)) else {
            let text =
                format!("the {} bus is not shown: {path} cannot be followed", name(plan.bus));
            r.note(Weight::Notice, text, Some(&plan.origin), None);
            return false;
        };
        let dest = AbsPath::root().child(name(plan.bus));
        plan.address = BusAddress::Path(dest.to_string());
        tree.push(Step {
            action: Action::Bind {
                source: found.real,
                dest,
                kind: Kind::File,
                write: true,
                exec: false,
                device: false,
            },
            origin: plan.origin.clone(),
        });
        true
    });
    FilterPlan { tree, host_network, buses }
}

/// The rules of one bus under construction.
#[derive(Default)]
struct Rules {
    list: Vec<BusRule>,
}

impl Rules {
    fn add(&mut self, name: &str, allow: BusAccess, origin: &Origin) {
        let is_there = self.list.iter().any(|rule| rule.name == name && rule.allow == allow);
        if !is_there {
            self.list.push(BusRule { name: name.to_owned(), allow, origin: origin.clone() });
        }
    }

    /// What a manifest states by names.
    fn stated(&mut self, bus: &BusSettings) {
        let levels: [(&List<BusName>, BusAccess); 3] =
            [(&bus.see, BusAccess::See), (&bus.talk, BusAccess::Talk), (&bus.own, BusAccess::Own)];
        for (names, allow) in levels {
            for name in &names.items {
                self.add(&name.value.to_string(), allow.clone(), &name.origin);
            }
        }
        for (rules, allow) in [
            (&bus.call, BusAccess::Call as fn(String) -> BusAccess),
            (&bus.broadcast, BusAccess::Broadcast),
        ] {
            for rule in &rules.items {
                if let Some((name, rest)) = rule.value.split_once('=') {
                    self.add(name, allow(rest.to_owned()), &rule.origin);
                }
            }
        }
    }

    /// What a word of the catalogue opens.
    fn object(&mut self, object: &Object, origin: &Origin) {
        let Object { bus, path, interface, .. } = object;
        for method in &object.methods {
            self.add(bus, BusAccess::Call(format!("{interface}.{method}@{path}")), origin);
        }
        for signal in &object.signals {
            self.add(bus, BusAccess::Broadcast(format!("{interface}.{signal}@{path}")), origin);
        }
        if !object.properties.is_empty() {
            for (way, member) in [
                (BusAccess::Call as fn(String) -> BusAccess, "Get"),
                (BusAccess::Call, "GetAll"),
                (BusAccess::Broadcast, "PropertiesChanged"),
            ] {
                let rule = format!("{PROPERTIES}.{member}@{path}#{interface}");
                self.add(bus, way(rule), origin);
            }
        }
        if !object.writable.is_empty() {
            let rule = format!("{PROPERTIES}.Set@{path}#{interface}");
            self.add(bus, BusAccess::Call(rule), origin);
        }
        self.add(bus, BusAccess::Call(format!("{INTROSPECT}@{path}")), origin);
    }

    /// Names that every application may own: single-instance programs of GTK
    /// and Qt end when they cannot own theirs.
    fn own_names(&mut self, id: &str) {
        let origin = Origin::builtin("an application's own name");
        self.add(&format!("{id}.*"), BusAccess::Own, &origin);
        self.add(&format!("org.mpris.MediaPlayer2.{id}"), BusAccess::Own, &origin);
    }

    /// Whether anybody wants accessibility, which Qt asks on the session bus.
    fn status_of_accessibility(&mut self, origin: &Origin) {
        let status = "@/org/a11y/bus#org.a11y.Status";
        for member in ["Get", "GetAll"] {
            let rule = format!("{PROPERTIES}.{member}{status}");
            self.add("org.a11y.Bus", BusAccess::Call(rule), origin);
        }
        let rule = format!("{PROPERTIES}.PropertiesChanged{status}");
        self.add("org.a11y.Bus", BusAccess::Broadcast(rule), origin);
    }

    /// What an accessible program says to the registry.
    fn registry(&mut self, origin: &Origin) {
        for (way, path, member) in REGISTRY {
            let rule = format!("{member}@{path}");
            let allow = match way {
                "call" => BusAccess::Call(rule),
                _ => BusAccess::Broadcast(rule),
            };
            self.add("org.a11y.atspi.Registry", allow, origin);
        }
    }
}
