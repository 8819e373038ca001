//! System calls that are refused unless a manifest names them, and what each
//! of them risks.

use crate::model::origin::Origin;
use crate::model::permission::{Nested, SyscallFeature};
use crate::model::plan::Weight;
use crate::report::{Code, Diagnostic};

use super::Resolution;

/// States the risks; the filter itself follows from the plan.
pub fn resolve(r: &mut Resolution<'_>) {
    if let Some(nested) = r.settings().nested.clone() {
        match nested.value {
            Nested::None => {}
            Nested::Browser if r.facts.uid == 0 => r.note(
                Weight::Warning,
                "browsers build no sandbox for root: from Linux 5.12 on a user namespace that knows root's id needs a capability that nothing inside has".to_owned(),
                Some(&nested.origin),
                Some("run as an ordinary user"),
            ),
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
            SyscallFeature::Multiarch if has(r, SyscallFeature::MultiarchSockets) => {
                "32-bit programs run, by a second, older set of system calls"
            }
            SyscallFeature::Multiarch => {
                "32-bit programs run, by a second, older set of system calls; those whose C library makes sockets by socketcall, as Debian's does, have no window and no network (\"multiarch-sockets\" would give them sockets)"
            }
            SyscallFeature::MultiarchSockets => {
                every_family(r, &feature.origin);
                continue;
            }
            SyscallFeature::Bluetooth => "it may open Bluetooth sockets, which know no namespace",
            SyscallFeature::Canbus => "it may open sockets of vehicle buses, CAN",
        };
        r.note(Weight::Info, risk.to_owned(), Some(&feature.origin), None);
    }
}

fn has(r: &Resolution<'_>, feature: SyscallFeature) -> bool {
    r.settings().syscalls.items.iter().any(|item| item.value == feature)
}

/// Sockets by socketcall are sockets of every family, which must not happen
/// where a narrower grant would then mean nothing.
fn every_family(r: &mut Resolution<'_>, origin: &Origin) {
    let ports = &r.settings().network;
    let limited = [&ports.connect, &ports.listen].into_iter().find(|list| list.is_stated());
    let limit = limited.and_then(|list| list.items.first()).map(|port| port.origin.to_string());
    if !has(r, SyscallFeature::Multiarch) {
        let error = Diagnostic::error(
            Code::BadValue,
            "\"multiarch-sockets\" means nothing without \"multiarch\"",
        )
        .at(origin)
        .hint("syscalls.allow = [\"multiarch\", \"multiarch-sockets\"]");
        r.errors.push(error);
    } else if limited.is_some() {
        let error = Diagnostic::error(
            Code::BadValue,
            "TCP ports cannot be limited together with \"multiarch-sockets\"",
        )
        .at(origin)
        .because(match limit {
            Some(place) => {
                format!("{place} limits the ports, and MPTCP and SMC would go past them")
            }
            None => "ports are limited, and MPTCP and SMC would go past them".to_owned(),
        })
        .hint("take out network.connect and network.listen, or \"multiarch-sockets\"");
        r.errors.push(error);
    } else {
        r.note(
            Weight::Warning,
            "sockets of every family can be made, also by its 64-bit programs: AF_ALG and AF_VSOCK, which no namespace keeps inside, and rarely used kernel code".to_owned(),
            Some(origin),
            None,
        );
    }
}
