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
        // Portals look into the root of the process before the bus, which the
        // application cannot change; a sound server looks into its own.
        if let Some(record) = settings.audio.record.as_ref().filter(|stated| stated.value) {
            found.push(
                Finding::new(
                    &FORGED_IDENTITY,
                    &record.origin,
                    format!("it may record, and nested = \"{word}\""),
                )
                .leads([
                    "it may change what its own /proc/PID/root shows",
                    "the sound server reads there whose sandbox a client is in",
                    "it can pass for another application, or for one that is in no sandbox",
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
