//! Device files.

use crate::host::NodeKind;
use crate::model::origin::Origin;
use crate::model::path::{AbsPath, Glob};
use crate::model::permission::Device;
use crate::model::plan::{Action, Kind, Weight};

use super::Resolution;
use super::base::fixed;

/// Device files of graphics processors, as patterns within /dev.
const GPU: [&str; 12] = [
    "dri",
    "nvidia[0-9]*",
    "nvidiactl",
    "nvidia-modeset",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "mali",
    "mali[0-9]*",
    "umplock",
    "kfd",
    "dma_heap",
    "udmabuf",
];

/// What graphics drivers read of /sys to find their device.
const GPU_SYS: [&str; 5] =
    ["/sys/dev/char", "/sys/devices", "/sys/class/drm", "/sys/bus/pci", "/sys/module/nvidia"];

/// States the device files.
pub fn resolve(r: &mut Resolution<'_>) {
    for device in r.settings().devices.items.clone() {
        let origin = &device.origin;
        match device.value {
            Device::Gpu => gpu(r, origin),
            Device::Kvm => {
                if !show(r, &fixed("/dev/kvm"), origin) {
                    missing(r, "kvm", "/dev/kvm", origin);
                }
            }
            // Not carried out yet: `Settings::without_effect` has refused
            // these before anything is resolved.
            Device::Camera
            | Device::Gamepad
            | Device::Printer
            | Device::Smartcard
            | Device::Usb
            | Device::Input => {}
        }
    }
}

fn gpu(r: &mut Resolution<'_>, origin: &Origin) {
    let Ok(listing) = r.fs.list(&fixed("/dev")) else { return };
    let mut any = false;
    for (name, _) in listing {
        if GPU.iter().any(|pattern| Glob::matches(pattern, &name)) {
            any |= show(r, &fixed("/dev").child(&name), origin);
        }
    }
    if !any {
        r.note(
            Weight::Info,
            "this host has no graphics device; programs draw in software".to_owned(),
            Some(origin),
            None,
        );
        return;
    }
    for place in GPU_SYS {
        r.bind_if_there(&fixed(place), false, origin);
    }
}

fn show(r: &mut Resolution<'_>, path: &AbsPath, origin: &Origin) -> bool {
    let Ok(node) = r.fs.look(path) else { return false };
    let kind = match node.kind {
        NodeKind::Folder => Kind::Folder,
        NodeKind::Device => Kind::File,
        NodeKind::File | NodeKind::Link | NodeKind::Socket | NodeKind::Other => return false,
    };
    r.tree.put(
        Action::Bind {
            source: path.clone(),
            dest: path.clone(),
            kind,
            write: true,
            exec: false,
            device: true,
        },
        origin,
    );
    true
}

fn missing(r: &mut Resolution<'_>, word: &str, path: &str, origin: &Origin) {
    r.note(
        Weight::Notice,
        format!("{word} is granted, but this host has no {path}"),
        Some(origin),
        None,
    );
}
