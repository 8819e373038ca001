//! Whose network the application sees.

use crate::model::permission::NetworkMode;
use crate::model::plan::Weight;

use super::Resolution;

/// States the notes of the network grant; the namespace itself and the files
/// in /etc follow from the mode.
pub fn resolve(r: &mut Resolution<'_>) {
    if r.network_mode() != NetworkMode::Host {
        return;
    }
    let origin = r.settings().network.mode.as_ref().map(|mode| mode.origin.clone());
    r.note(
        Weight::Info,
        "the host's network is open, its loopback services included".to_owned(),
        origin.as_ref(),
        None,
    );
    if r.facts.kernel.landlock_abi < 6 {
        r.note(
            Weight::Warning,
            "sockets in the abstract namespace, X11's among them, can be reached: this kernel's landlock cannot close them while the host's network is shared".to_owned(),
            origin.as_ref(),
            Some("use Linux 6.12 or later, or network.mode = \"none\""),
        );
    }
    let ports = &r.settings().network;
    if (ports.connect.is_stated() || ports.listen.is_stated()) && r.facts.kernel.landlock_abi < 4 {
        let origin =
            ports.connect.items.first().or(ports.listen.items.first()).map(|p| p.origin.clone());
        r.note(
            Weight::Warning,
            "TCP ports are not limited: this kernel's landlock cannot do it".to_owned(),
            origin.as_ref(),
            Some("use Linux 6.7 or later"),
        );
    }
}
