//! What every sandbox has: the system's programs, devices without meaning,
//! /proc, and private places to write.

use crate::host::NodeKind;
use crate::model::origin::Origin;
use crate::model::path::AbsPath;
use crate::model::permission::Nested;
use crate::model::plan::{Action, Kind};

use super::Resolution;

/// Folders at the root that a merged system links into /usr.
const MERGED: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// Places of systems whose programs do not live in /usr: Nix and Guix.
const STORES: [&str; 5] =
    ["/nix/store", "/gnu/store", "/run/current-system", "/run/opengl-driver", "/run/booted-system"];

/// The device files that mean nothing but themselves.
const DEVICES: [&str; 6] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Links in /dev that programs expect.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// Parts of /proc that can change the machine.
const PROC_READ_ONLY: [&str; 2] = ["/proc/sys", "/proc/sysrq-trigger"];

/// Further ones, whose files all belong to root and are shut to others: they
/// are covered where the application has root's user id.
const PROC_READ_ONLY_FOR_ROOT: [&str; 3] = ["/proc/irq", "/proc/bus", "/proc/fs"];

/// Parts of /proc that tell what no application needs to know: the caller's
/// keys and the addresses of the kernel.
const PROC_CLOSED: [(&str, Kind); 2] = [("/proc/keys", Kind::File), ("/proc/kallsyms", Kind::File)];

/// Further ones that only root can read anyway.
const PROC_CLOSED_FOR_ROOT: [(&str, Kind); 6] = [
    ("/proc/kcore", Kind::File),
    ("/proc/kmsg", Kind::File),
    ("/proc/timer_list", Kind::File),
    ("/proc/slabinfo", Kind::File),
    ("/proc/acpi", Kind::Folder),
    ("/proc/scsi", Kind::Folder),
];

/// Caches of the host that decide how long the first window takes.
const CACHES: [&str; 1] = ["/var/cache/fontconfig"];

/// What every process may read of /sys: how many processors there are.
const SYS: &str = "/sys/devices/system/cpu";

/// A path written in this source.
///
/// # Panics
/// When it is not clean, which a test of the tables rules out.
pub fn fixed(path: &str) -> AbsPath {
    AbsPath::new(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// States the system part of the tree.
pub fn resolve(r: &mut Resolution<'_>) {
    programs(r);
    devices(r);
    proc(r);
    let own = Origin::builtin("private places");
    r.tree.put(Action::Tmpfs { dest: fixed("/tmp"), mode: 0o1777, size: 0 }, &own);
    r.tree.put(Action::Tmpfs { dest: fixed("/var/tmp"), mode: 0o1777, size: 0 }, &own);
    r.tree.put(Action::Link { dest: fixed("/var/run"), target: "../run".to_owned() }, &own);
    r.tree.put(Action::Link { dest: fixed("/var/lock"), target: "../run/lock".to_owned() }, &own);
    r.tree.folder(&fixed("/run/lock"), 0o755, &own);
    let runtime = r.runtime_dir();
    r.tree.put(Action::Tmpfs { dest: runtime, mode: 0o700, size: 0 }, &own);
    let caches = Origin::builtin("caches that decide the first window");
    for cache in CACHES {
        r.bind_if_there(&fixed(cache), false, &caches);
    }
    r.bind_if_there(&fixed(SYS), false, &Origin::builtin("number of processors"));
}

fn programs(r: &mut Resolution<'_>) {
    let origin = Origin::builtin("the system's programs");
    r.bind_if_there(&fixed("/usr"), true, &origin);
    for place in MERGED.map(fixed) {
        match r.fs.look(&place) {
            Ok(node) if node.kind == NodeKind::Link => {
                if let Ok(target) = r.fs.read_link(&place) {
                    r.tree.put(Action::Link { dest: place, target }, &origin);
                }
            }
            Ok(node) if node.kind == NodeKind::Folder => r.bind_if_there(&place, true, &origin),
            _ => {}
        }
    }
    for place in STORES.map(fixed) {
        r.bind_if_there(&place, true, &origin);
    }
    // On image-based systems /usr/local is a link out of the read-only /usr.
    // What it leads to is programs of the system all the same.
    if let Ok(found) = r.links.find(&fixed("/usr/local"))
        && !found.links.is_empty()
    {
        r.tree.put(
            Action::Bind {
                source: found.real.clone(),
                dest: found.real,
                kind: Kind::Folder,
                write: false,
                exec: true,
                device: false,
            },
            &origin,
        );
    }
}

fn devices(r: &mut Resolution<'_>) {
    let origin = Origin::builtin("minimal devices");
    r.tree.folder(&fixed("/dev"), 0o755, &origin);
    for device in DEVICES.map(fixed) {
        if r.fs.look(&device).is_ok_and(|node| node.kind == NodeKind::Device) {
            r.tree.put(
                Action::Bind {
                    source: device.clone(),
                    dest: device,
                    kind: Kind::File,
                    write: true,
                    exec: false,
                    device: true,
                },
                &origin,
            );
        }
    }
    for (dest, target) in DEVICE_LINKS {
        r.tree.put(Action::Link { dest: fixed(dest), target: target.to_owned() }, &origin);
    }
    r.tree.put(Action::DevPts { dest: fixed("/dev/pts") }, &origin);
    let size = r.facts.shm_bytes;
    r.tree.put(Action::Tmpfs { dest: fixed("/dev/shm"), mode: 0o1777, size }, &origin);
}

fn proc(r: &mut Resolution<'_>) {
    let origin = Origin::builtin("own /proc");
    r.tree.put(Action::Proc { dest: fixed("/proc") }, &origin);
    if r.nested() == Nested::Container {
        // The kernel mounts no further /proc where a part of this one is
        // covered, and a nested container wants one.
        return;
    }
    let root = r.facts.uid == 0;
    let closed = PROC_CLOSED.iter().chain(PROC_CLOSED_FOR_ROOT.iter().filter(|_| root));
    for (path, kind) in closed {
        if r.fs.look(&fixed(path)).is_ok() {
            r.tree.put(Action::Close { dest: fixed(path), kind: *kind }, &origin);
        }
    }
    let read_only = PROC_READ_ONLY.iter().chain(PROC_READ_ONLY_FOR_ROOT.iter().filter(|_| root));
    for path in read_only {
        if r.fs.look(&fixed(path)).is_ok() {
            r.tree.read_only(fixed(path), &origin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_hold_clean_paths() {
        let links = DEVICE_LINKS.map(|(dest, _)| dest);
        let closed = PROC_CLOSED.map(|(path, _)| path);
        let closed_for_root = PROC_CLOSED_FOR_ROOT.map(|(path, _)| path);
        for path in MERGED
            .iter()
            .chain(&STORES)
            .chain(&DEVICES)
            .chain(&links)
            .chain(&PROC_READ_ONLY)
            .chain(&PROC_READ_ONLY_FOR_ROOT)
            .chain(&closed)
            .chain(&closed_for_root)
            .chain(&CACHES)
            .chain(&[SYS])
        {
            assert_eq!(fixed(path).as_str(), *path);
        }
    }
}
