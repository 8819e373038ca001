//! System calls that are refused unless a manifest names them, and what each
//! of them risks.

use crate::model::permission::{Nested, SyscallFeature};
use crate::model::plan::Weight;
use crate::report::{Code, Diagnostic};

use super::Resolution;

/// States the risks; the filter itself follows from the plan.
pub fn resolve(r: &mut Resolution<'_>) {
    if let Some(nested) = r.settings().nested.clone() {
        match nested.value {
            Nested::None => {}
            Nested::Browser => r.note(
                Weight::Info,
                "the application may make user namespaces, which opens more of the kernel to it, and change what its own /proc/PID/root shows to services".to_owned(),
                Some(&nested.origin),
                None,
            ),
            Nested::Container if r.facts.uid == 0 => {
                let error = Diagnostic::error(
                    Code::BadValue,
                    "nested = \"container\" is refused for root",
                )
                .at(&nested.origin)
                .because("nothing of /proc could be kept from an application with root's user id")
                .hint("run as an ordinary user");
                r.errors.push(error);
            }
            Nested::Container => r.note(
                Weight::Warning,
                "the application may mount and make namespaces: landlock does not govern its files, nothing of its /proc is covered, and its identity can be forged towards services".to_owned(),
                Some(&nested.origin),
                None,
            ),
        }
    }
    for feature in r.settings().syscalls.items.clone() {
        let risk = match feature.value {
            SyscallFeature::Devel => {
                "its processes may trace each other and use performance counters"
            }
            SyscallFeature::Multiarch => {
                "32-bit programs run, by a second, older set of system calls"
            }
            SyscallFeature::Bluetooth => "it may open Bluetooth sockets, which know no namespace",
            SyscallFeature::Canbus => "it may open sockets of vehicle buses, CAN",
        };
        r.note(Weight::Info, risk.to_owned(), Some(&feature.origin), None);
    }
}
