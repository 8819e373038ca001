//! Windows, sound, network and devices.

use crate::manifest::change::Change;
use crate::model::permission::{Device, NetworkMode, X11Mode};

use super::rules::{
    ABSTRACT_SOCKETS, HOST_NETWORK, KVM, OPEN_COMPOSITOR, RECORD, SOUND, X11, X11_FALLBACK,
};
use super::{Finding, Reach, Subject};

/// The least version of landlock that scopes abstract sockets
/// (landlock(7), `LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET`).
const SCOPES_SOCKETS: u32 = 6;

/// Compositors that offer screen copies and virtual keyboards to whoever
/// connects, by the beginning of what `XDG_CURRENT_DESKTOP` has.
const OPEN: [&str; 8] =
    ["sway", "hyprland", "river", "wayfire", "labwc", "wlroots", "niri", "cosmic"];

/// Looks at `[display]`, `[audio]`, `[network]` and `[devices]`.
pub fn check(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    windows(subject, found);
    let settings = &subject.policy.settings;
    let record = settings.audio.record.as_ref().filter(|stated| stated.value);
    if let Some(record) = record {
        found.push(Finding::new(&RECORD, &record.origin, "it may record").leads([
            "PipeWire's socket is shown whole",
            "it reaches every stream there: other programs' sound, cameras where they run",
        ]));
    } else if let Some(playback) = settings.audio.playback.as_ref().filter(|stated| stated.value) {
        let text = "it may play, and the sound server lets whoever plays record too";
        found.push(Finding::new(&SOUND, &playback.origin, text));
    }
    for device in settings.devices.items.iter().filter(|device| device.value == Device::Kvm) {
        found.push(Finding::new(&KVM, &device.origin, "it may run virtual machines"));
    }
    network(subject, found);
}

fn windows(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let display = &subject.policy.settings.display;
    let wayland = display.wayland.as_ref().filter(|stated| stated.value);
    let is_there = subject.plan.process.environment.iter().any(|(name, _)| name == "DISPLAY");
    match &display.x11 {
        Some(x11) if x11.value == X11Mode::Shared => {
            let mut finding =
                Finding::new(&X11, &x11.origin, "it reaches the X server as any other program")
                    .leads([
                        "it can read the keys that are typed into other X windows",
                        "it can type into them, a terminal among them",
                    ]);
            if wayland.is_some() {
                let with = "fallback".to_owned();
                finding = finding.change(Change::Set { key: "display.x11", with });
            }
            found.push(finding);
        }
        Some(x11) if x11.value == X11Mode::Fallback => {
            let (text, reach) = match is_there {
                true => ("it reaches the X server: here is no Wayland compositor", Reach::Leak),
                false => ("it reaches an X server where there is no Wayland", Reach::Inside),
            };
            found.push(Finding::new(&X11_FALLBACK, &x11.origin, text).reach(reach));
        }
        _ => {}
    }
    let desktop = subject.facts.environment.get("XDG_CURRENT_DESKTOP");
    let desktop = desktop.map_or_else(String::new, |name| name.to_ascii_lowercase());
    if let (Some(wayland), Some(_)) = (wayland, &subject.facts.wayland)
        && OPEN.iter().any(|name| desktop.split(':').any(|word| word.starts_with(name)))
    {
        found.push(
            Finding::new(
                &OPEN_COMPOSITOR,
                &wayland.origin,
                "this compositor does not keep its powers from sandboxes",
            )
            .leads([
                "every client may copy the screen and make a virtual keyboard",
                "it can watch other windows and type into them",
            ]),
        );
    }
}

fn network(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let Some(mode) = &subject.policy.settings.network.mode else { return };
    if mode.value != NetworkMode::Host {
        return;
    }
    found.push(Finding::new(&HOST_NETWORK, &mode.origin, "it is in the host's network").leads([
        "it reaches what listens on localhost",
        "much of that asks for no password, since only you could reach it",
    ]));
    // Of the host more than of the manifest: `run` warns of it each time, and
    // here it counts for the verdict.
    if subject.facts.kernel.landlock_abi < SCOPES_SOCKETS {
        found.push(
            Finding::new(
                &ABSTRACT_SOCKETS,
                &mode.origin,
                "this kernel's Landlock cannot close abstract sockets",
            )
            .leads([
                "abstract sockets belong to the network namespace, which is the host's",
                "the X server and, on some systems, the session bus listen on them",
                "whoever is let in there without a password drives what is outside",
            ]),
        );
    }
}
