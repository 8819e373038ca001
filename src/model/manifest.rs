//! What a manifest says. The same shape serves one file as it was written
//! and the policy that all layers make together, so that merging is a plain
//! associative fold.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::app_id::AppId;
use super::bus::BusName;
use super::condition::{Condition, Unmet};
use super::origin::{Layer, List, Origin, Sourced, merge_option};
use super::path::PathExpr;
use super::permission::{
    Device, HomeKind, LandlockMode, Nested, NetworkMode, SyscallFeature, X11Mode,
};

/// One manifest file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The application it is about; presets have none.
    pub id: Option<Sourced<AppId>>,
    /// Whose layer the file belongs to.
    pub layer: Layer,
    /// The file's path as shown to people.
    pub file: String,
    /// Presets that it builds on, lowest first.
    pub extends: Vec<Sourced<String>>,
    /// What has to hold for the file to count.
    pub when: Vec<Sourced<Condition>>,
    /// Everything else.
    pub settings: Settings,
}

/// The merged truth about one application, still in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// The application.
    pub id: AppId,
    /// What all layers state together.
    pub settings: Settings,
    /// The files that took part, lowest layer first.
    pub files: Vec<(Layer, String)>,
    /// The files that were left out, since they ask for another host.
    pub unmet: Vec<Unmet>,
}

/// An entry of `filesystem.read`, `.write` or `.create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathGrant {
    /// Which path.
    pub path: PathExpr,
    /// Whether the run is refused when the path is missing.
    pub required: bool,
    /// Whether programs in it may be executed. `None`: not stated, which is
    /// yes outside the home for `read` and no everywhere else.
    pub exec: Option<bool>,
}

/// `[home]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HomeSettings {
    /// `kind`
    pub kind: Option<Sourced<HomeKind>>,
    /// `persist`: paths relative to the home that outlive an ephemeral home.
    pub persist: List<String>,
}

/// `[filesystem]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FileSettings {
    /// `read`
    pub read: List<PathGrant>,
    /// `write`
    pub write: List<PathGrant>,
    /// `create`
    pub create: List<PathGrant>,
    /// `deny`; an empty list takes nothing back.
    pub deny: List<PathExpr>,
}

/// `[display]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DisplaySettings {
    /// `wayland`
    pub wayland: Option<Sourced<bool>>,
    /// `x11`
    pub x11: Option<Sourced<X11Mode>>,
}

/// `[audio]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AudioSettings {
    /// `playback`
    pub playback: Option<Sourced<bool>>,
    /// `record`
    pub record: Option<Sourced<bool>>,
}

/// `[network]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkSettings {
    /// `mode`
    pub mode: Option<Sourced<NetworkMode>>,
    /// `connect`: TCP ports that may be connected to; not stated is all.
    pub connect: List<u16>,
    /// `listen`: TCP ports that may be bound; not stated is all.
    pub listen: List<u16>,
}

/// `[bus.session]` and `[bus.system]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BusSettings {
    /// `see`
    pub see: List<BusName>,
    /// `talk`
    pub talk: List<BusName>,
    /// `own`
    pub own: List<BusName>,
    /// `call`: `NAME=[METHOD][@PATH]`
    pub call: List<String>,
    /// `broadcast`: `NAME=[SIGNAL][@PATH]`
    pub broadcast: List<String>,
    /// `services`: words of the catalogue. They are services of the session,
    /// so `[bus.system]` has no such key.
    pub services: List<String>,
}

/// `agents.ssh`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshAgent {
    /// Whether the agent is reachable at all.
    pub enabled: bool,
    /// Fingerprints of the keys that may be used; empty is all.
    pub keys: Vec<String>,
    /// Whether each use is asked for.
    pub confirm: bool,
}

/// `[limits]`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitSettings {
    /// The limits by key (`memory`, `cpu`, `tasks`, ...), as written.
    pub values: BTreeMap<String, Sourced<String>>,
    /// `required`
    pub required: Option<Sourced<bool>>,
}

/// Every key of the grammar but `schema`, `id`, `extends` and `[when]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the field names are the manifest's keys
pub struct Settings {
    pub name: Option<Sourced<String>>,
    pub command: Option<Sourced<Vec<String>>>,
    pub desktop: List<String>,
    pub single_instance: Option<Sourced<bool>>,
    pub hostname: Option<Sourced<String>>,
    pub nice: Option<Sourced<i32>>,
    pub oom_score: Option<Sourced<i32>>,
    /// Seconds of wall clock.
    pub timeout: Option<Sourced<u64>>,
    pub landlock: Option<Sourced<LandlockMode>>,
    pub home: HomeSettings,
    pub filesystem: FileSettings,
    pub display: DisplaySettings,
    pub audio: AudioSettings,
    pub devices: List<Device>,
    pub network: NetworkSettings,
    pub session_bus: BusSettings,
    pub system_bus: BusSettings,
    pub portals: List<String>,
    pub marker: Option<Sourced<bool>>,
    pub accessibility: Option<Sourced<bool>>,
    pub ssh_agent: Option<Sourced<SshAgent>>,
    pub gpg_agent: Option<Sourced<bool>>,
    pub environment_set: BTreeMap<String, Sourced<String>>,
    pub environment_pass: List<String>,
    pub nested: Option<Sourced<Nested>>,
    pub syscalls: List<SyscallFeature>,
    pub limits: LimitSettings,
    pub check_must_open: List<PathExpr>,
    pub check_must_deny: List<PathExpr>,
    /// Keys, or whole tables, that higher layers cannot state.
    pub lock: List<String>,
    /// Keys, or whole tables, whose lower statements are taken back.
    pub reset: List<String>,
}

fn merge_map(
    mut lower: BTreeMap<String, Sourced<String>>,
    higher: BTreeMap<String, Sourced<String>>,
) -> BTreeMap<String, Sourced<String>> {
    for (key, value) in higher {
        let value = match lower.remove(&key) {
            Some(low) => value.over(low),
            None => value,
        };
        lower.insert(key, value);
    }
    lower
}

/// Denies and locks only ever add up: a layer cannot take back another's by
/// an empty list. What lifts a deny is a grant of a higher layer that names it.
fn add_up<T: PartialEq>(lower: List<T>, higher: List<T>) -> List<T> {
    let mut all = List { emptied: None, items: lower.items };
    for item in higher.items {
        all.push(item);
    }
    all
}

impl BusSettings {
    fn merge(self, higher: BusSettings) -> BusSettings {
        BusSettings {
            see: self.see.merge(higher.see),
            talk: self.talk.merge(higher.talk),
            own: self.own.merge(higher.own),
            call: self.call.merge(higher.call),
            broadcast: self.broadcast.merge(higher.broadcast),
            services: self.services.merge(higher.services),
        }
    }
}

impl Settings {
    /// These settings with a higher layer's on top. Associative, with
    /// `Settings::default()` as its neutral element.
    ///
    /// What the higher layer resets is taken back first. Its own statements of
    /// these keys stand, and so do those of layers above it.
    pub fn merge(mut self, higher: Settings) -> Settings {
        self.take_back(&higher.reset);
        Settings {
            name: merge_option(self.name, higher.name),
            command: merge_option(self.command, higher.command),
            desktop: self.desktop.merge(higher.desktop),
            single_instance: merge_option(self.single_instance, higher.single_instance),
            hostname: merge_option(self.hostname, higher.hostname),
            nice: merge_option(self.nice, higher.nice),
            oom_score: merge_option(self.oom_score, higher.oom_score),
            timeout: merge_option(self.timeout, higher.timeout),
            landlock: merge_option(self.landlock, higher.landlock),
            home: HomeSettings {
                kind: merge_option(self.home.kind, higher.home.kind),
                persist: self.home.persist.merge(higher.home.persist),
            },
            filesystem: FileSettings {
                read: self.filesystem.read.merge(higher.filesystem.read),
                write: self.filesystem.write.merge(higher.filesystem.write),
                create: self.filesystem.create.merge(higher.filesystem.create),
                deny: add_up(self.filesystem.deny, higher.filesystem.deny),
            },
            display: DisplaySettings {
                wayland: merge_option(self.display.wayland, higher.display.wayland),
                x11: merge_option(self.display.x11, higher.display.x11),
            },
            audio: AudioSettings {
                playback: merge_option(self.audio.playback, higher.audio.playback),
                record: merge_option(self.audio.record, higher.audio.record),
            },
            devices: self.devices.merge(higher.devices),
            network: NetworkSettings {
                mode: merge_option(self.network.mode, higher.network.mode),
                connect: self.network.connect.merge(higher.network.connect),
                listen: self.network.listen.merge(higher.network.listen),
            },
            session_bus: self.session_bus.merge(higher.session_bus),
            system_bus: self.system_bus.merge(higher.system_bus),
            portals: self.portals.merge(higher.portals),
            marker: merge_option(self.marker, higher.marker),
            accessibility: merge_option(self.accessibility, higher.accessibility),
            ssh_agent: merge_option(self.ssh_agent, higher.ssh_agent),
            gpg_agent: merge_option(self.gpg_agent, higher.gpg_agent),
            environment_set: merge_map(self.environment_set, higher.environment_set),
            environment_pass: self.environment_pass.merge(higher.environment_pass),
            nested: merge_option(self.nested, higher.nested),
            syscalls: self.syscalls.merge(higher.syscalls),
            limits: LimitSettings {
                values: merge_map(self.limits.values, higher.limits.values),
                required: merge_option(self.limits.required, higher.limits.required),
            },
            check_must_open: self.check_must_open.merge(higher.check_must_open),
            check_must_deny: self.check_must_deny.merge(higher.check_must_deny),
            lock: add_up(self.lock, higher.lock),
            reset: add_up(self.reset, higher.reset),
        }
    }

    /// The keys that are stated here but have no effect yet, each with its
    /// origin. A run that meets one is refused: a permission that is written
    /// down and then ignored would be a lie.
    pub fn without_effect(&self) -> Vec<(&'static str, Origin)> {
        let mut found = Vec::new();
        macro_rules! flag {
            ($key:literal, $field:expr) => {
                if let Some(stated) = &$field
                    && stated.value
                {
                    found.push(($key, stated.origin.clone()));
                }
            };
        }
        macro_rules! granted {
            ($key:literal, $field:expr, $nothing:pat) => {
                if let Some(stated) = &$field
                    && !matches!(stated.value, $nothing)
                {
                    found.push(($key, stated.origin.clone()));
                }
            };
        }
        granted!(
            "home.kind = \"overlay\"",
            self.home.kind,
            HomeKind::Private | HomeKind::Ephemeral | HomeKind::Shared
        );
        granted!(
            "display.x11",
            self.display.x11,
            X11Mode::Never | X11Mode::Fallback | X11Mode::Shared
        );
        granted!(
            "network.mode = \"private\"",
            self.network.mode,
            NetworkMode::None | NetworkMode::Host
        );
        for device in &self.devices.items {
            match device.value {
                Device::Gpu | Device::Kvm => {}
                Device::Camera => found.push(("devices.allow: camera", device.origin.clone())),
                Device::Gamepad => found.push(("devices.allow: gamepad", device.origin.clone())),
                Device::Printer => found.push(("devices.allow: printer", device.origin.clone())),
                Device::Smartcard => {
                    found.push(("devices.allow: smartcard", device.origin.clone()))
                }
                Device::Usb => found.push(("devices.allow: usb", device.origin.clone())),
                Device::Input => found.push(("devices.allow: input", device.origin.clone())),
            }
        }
        if let Some(ssh) = &self.ssh_agent
            && ssh.value.enabled
        {
            found.push(("agents.ssh", ssh.origin.clone()));
        }
        flag!("agents.gpg", self.gpg_agent);
        for (key, name) in [
            ("memory", "limits.memory"),
            ("memory-high", "limits.memory-high"),
            ("swap", "limits.swap"),
            ("cpu", "limits.cpu"),
            ("io-weight", "limits.io-weight"),
        ] {
            if let Some(limit) = self.limits.values.get(key) {
                found.push((name, limit.origin.clone()));
            }
        }
        flag!("limits.required", self.limits.required);
        found
    }
}
