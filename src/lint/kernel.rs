//! System calls, and sandboxes inside the sandbox.

use crate::model::permission::{Nested, SyscallFeature, Word};

use super::rules::{FORGED_IDENTITY, MORE_KERNEL, NESTED_CONTAINER};
use super::{Finding, Level, Subject};

/// Looks at `[syscalls]`.
pub fn check(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let settings = &subject.policy.settings;
    if let Some(nested) = settings.nested.as_ref().filter(|nested| nested.value != Nested::None) {
        let word = nested.value.word();
        match nested.value {
            Nested::Container => found.push(
                Finding::new(&NESTED_CONTAINER, &nested.origin, "it may build containers inside")
                    .leads([
                        "it may mount, which a process under Landlock cannot",
                        "so Landlock does not govern its files",
                        "one lock less stands between it and the host",
                    ]),
            ),
            _ => found.push(
                Finding::new(&MORE_KERNEL, &nested.origin, "it may make user namespaces").leads([
                    "in its own namespace it has capabilities",
                    "kernel code that is else root's is open to it",
                ]),
            ),
        }
        if let Some(portal) = settings.portals.items.first() {
            found.push(
                Finding::new(
                    &FORGED_IDENTITY,
                    &nested.origin,
                    format!("nested = \"{word}\" beside portals ({})", portal.value),
                )
                .leads([
                    "it may change what its own /proc/PID/root shows",
                    "portals read there whose sandbox calls them",
                    "it can ask in another application's name, or as one that is in no sandbox",
                ]),
            );
        }
    }
    for feature in &settings.syscalls.items {
        let opens = match feature.value {
            SyscallFeature::Devel => "tracing and performance counters",
            SyscallFeature::Multiarch => "a second, older set of system calls",
            SyscallFeature::MultiarchSockets => "sockets of whichever family, by an old call",
            SyscallFeature::Bluetooth => "Bluetooth sockets, which know no namespace",
            SyscallFeature::Canbus => "CAN bus sockets",
        };
        let text = format!("it reaches {opens}");
        let finding = Finding::new(&MORE_KERNEL, &feature.origin, text);
        found.push(match feature.value {
            // The filter cannot tell which family is asked for.
            SyscallFeature::MultiarchSockets => finding.level(Level::Warning),
            _ => finding,
        });
    }
}
