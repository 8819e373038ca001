//! /etc as an allow-list: nothing of it is shown but what stands here, and
//! what a manifest names by path.

use crate::host::NodeKind;
use crate::model::origin::Origin;
use crate::model::path::AbsPath;
use crate::model::permission::{Device, NetworkMode};
use crate::model::plan::{Action, Kind, Slot, Tier, Weight};

use super::Resolution;
use super::base::fixed;

/// When an entry is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    /// With the host's network.
    Network,
    /// With sound.
    Sound,
    /// With a graphics processor.
    Gpu,
}

/// The entries: what, when, and why.
const ENTRIES: [(&str, When, &str); 53] = [
    ("ld.so.cache", When::Always, "the loader finds libraries by it"),
    ("ld.so.conf", When::Always, "ldconfig -p and some launchers read it"),
    ("ld.so.conf.d", When::Always, "included by ld.so.conf"),
    ("alternatives", When::Always, "links in /usr lead through it on Debian"),
    ("static", When::Always, "NixOS: what other entries here lead to"),
    ("os-release", When::Always, "programs adapt to the distribution"),
    ("lsb-release", When::Always, "the same, older"),
    ("debian_version", When::Always, "the same, Debian"),
    ("localtime", When::Always, "the time zone"),
    ("zoneinfo", When::Always, "NixOS: the time zones"),
    ("timezone", When::Always, "the time zone's name"),
    ("adjtime", When::Always, "whether the clock runs in local time"),
    ("locale.alias", When::Always, "names of locales"),
    ("locale.conf", When::Always, "the system's language"),
    ("default/locale", When::Always, "the system's language, Debian"),
    ("nsswitch.conf", When::Always, "how names of users and hosts are looked up"),
    ("host.conf", When::Always, "how names of hosts are looked up"),
    ("protocols", When::Always, "numbers of network protocols"),
    ("services", When::Always, "numbers of network services"),
    ("ethertypes", When::Always, "numbers of link protocols"),
    ("fonts", When::Always, "which fonts there are and how they look"),
    ("pango", When::Always, "text layout"),
    ("gtk-2.0", When::Always, "GTK 2's settings"),
    ("gtk-3.0", When::Always, "GTK 3's settings"),
    ("gtk-4.0", When::Always, "GTK 4's settings"),
    ("xdg", When::Always, "the desktop's defaults: menus, Qt, KDE"),
    ("dconf", When::Always, "the system's defaults of GNOME settings"),
    ("mime.types", When::Always, "types of files by their ending"),
    ("magic", When::Always, "types of files by their content"),
    ("papersize", When::Always, "the default paper"),
    ("paperspecs", When::Always, "sizes of papers"),
    ("X11", When::Always, "resources of X programs"),
    ("inputrc", When::Always, "keys of readline"),
    ("terminfo", When::Always, "terminals"),
    ("bash.bashrc", When::Always, "interactive shells"),
    ("shells", When::Always, "terminals check the shell by it"),
    ("ssl", When::Always, "certificate authorities, OpenSSL's settings"),
    ("pki", When::Always, "certificate authorities on Fedora and openSUSE"),
    ("ca-certificates", When::Always, "certificate authorities on Arch"),
    ("crypto-policies", When::Always, "which ciphers may be used, Fedora"),
    ("gai.conf", When::Network, "order of network addresses"),
    ("resolv.conf", When::Network, "which name server to ask"),
    ("hosts", When::Network, "names of hosts"),
    ("pulse", When::Sound, "PulseAudio's client settings"),
    ("alsa", When::Sound, "ALSA's settings"),
    ("asound.conf", When::Sound, "ALSA's settings"),
    ("pipewire", When::Sound, "PipeWire's client settings"),
    ("openal", When::Sound, "OpenAL's settings"),
    ("OpenCL", When::Gpu, "which OpenCL drivers there are"),
    ("vulkan", When::Gpu, "which Vulkan drivers there are"),
    ("glvnd", When::Gpu, "which OpenGL drivers there are"),
    ("drirc", When::Gpu, "Mesa's settings for single programs"),
    ("vdpau_wrapper.cfg", When::Gpu, "settings of decoding video by graphics processors"),
];

/// A file up to this size is copied; a larger one is shown.
const COPIED: u64 = 16 << 10;

/// Files that change while applications run, and are therefore shown.
const LIVE: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];

/// Roots that are shown as a whole: a link into one is simply made anew.
const SHOWN: [&str; 3] = ["/usr", "/nix/store", "/gnu/store"];

/// The machine id that every application sees. The real one would tell
/// machines apart and is of no use without the host's services.
const MACHINE_ID: &str = "70696e666f6c64000000000000000001";

/// States /etc.
pub fn resolve(r: &mut Resolution<'_>) {
    let etc = fixed("/etc");
    r.tree.folder(&etc, 0o755, &Origin::builtin("/etc as an allow-list"));
    let network = r.network_mode() == NetworkMode::Host;
    let sound = r.sound().is_some();
    let gpu = r.settings().devices.values().any(|device| *device == Device::Gpu);
    for (name, when, why) in ENTRIES {
        let wanted = match when {
            When::Always => true,
            When::Network => network,
            When::Sound => sound,
            When::Gpu => gpu,
        };
        if !wanted {
            continue;
        }
        if let Ok(place) = etc.join(name) {
            entry(r, &place, &Origin::builtin(&format!("/etc/{name}: {why}")));
        }
    }
    if network && r.request.tier == Tier::Namespaces {
        r.note(
            Weight::Info,
            "names of hosts are looked up as /etc/resolv.conf says when the run begins; a change of network that replaces the file is not seen".to_owned(),
            None,
            Some("start the application again after the network has changed"),
        );
    }
    accounts(r);
    let origin = Origin::builtin("made up for every application");
    let text = |r: &mut Resolution<'_>, dest: &str, text: String| {
        r.tree.put(Action::Text { dest: fixed(dest), mode: 0o444, text }, &origin);
    };
    text(r, "/etc/machine-id", format!("{MACHINE_ID}\n"));
    let hostname = r.hostname();
    text(r, "/etc/hostname", format!("{hostname}\n"));
    if !network {
        text(
            r,
            "/etc/hosts",
            format!("127.0.0.1 localhost {hostname}\n::1 localhost ip6-localhost\n"),
        );
    }
    r.tree.put(
        Action::Link { dest: fixed("/etc/mtab"), target: "../proc/self/mounts".to_owned() },
        &origin,
    );
}

fn entry(r: &mut Resolution<'_>, place: &AbsPath, origin: &Origin) {
    let Ok(found) = r.links.find(place) else { return };
    let in_system = SHOWN.iter().any(|root| found.real.is_within(&fixed(root)));
    if !found.links.is_empty() && in_system {
        // Programs read the time zone's name from where the link leads.
        let target = found.real.as_str().to_owned();
        r.tree.put(Action::Link { dest: place.clone(), target }, origin);
        return;
    }
    let kind = match found.node.kind {
        NodeKind::Folder => Kind::Folder,
        NodeKind::File
            if found.node.size <= COPIED
                && found.node.mode & 0o004 != 0
                && !LIVE.contains(&place.as_str()) =>
        {
            let slot = Slot::Copy { source: found.real };
            r.tree.put(Action::Fill { dest: place.clone(), mode: 0o444, slot }, origin);
            return;
        }
        NodeKind::File => Kind::File,
        NodeKind::Link | NodeKind::Socket | NodeKind::Device | NodeKind::Other => return,
    };
    r.tree.put(
        Action::Bind {
            source: found.real,
            dest: place.clone(),
            kind,
            write: false,
            exec: false,
            device: false,
        },
        origin,
    );
}

/// passwd and group with the caller, root and nobody: enough for every
/// program that asks who it is, and no list of the machine's accounts.
fn accounts(r: &mut Resolution<'_>) {
    let facts = r.facts;
    let origin = Origin::builtin("the caller, root and nobody only");
    let mut passwd = String::new();
    let mut group = String::new();
    if facts.uid != 0 {
        passwd.push_str("root:x:0:0:root:/root:/usr/sbin/nologin\n");
    }
    passwd.push_str(&format!(
        "{}:x:{}:{}:{}:{}:{}\n",
        facts.user,
        facts.uid,
        facts.gid,
        facts.user,
        facts.home,
        r.shell()
    ));
    passwd.push_str("nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
    if facts.gid != 0 {
        group.push_str("root:x:0:\n");
    }
    group.push_str(&format!("{}:x:{}:\n", facts.group, facts.gid));
    group.push_str("nogroup:x:65534:\n");
    r.tree.put(Action::Text { dest: fixed("/etc/passwd"), mode: 0o444, text: passwd }, &origin);
    r.tree.put(Action::Text { dest: fixed("/etc/group"), mode: 0o444, text: group }, &origin);
}
