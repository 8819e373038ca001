//! What is written down about a run for others to find: for commands of
//! Pinfold, and for portals.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use crate::freeze::{self, Here, landlock};
use crate::instance::portal::{self, Place};
use crate::instance::processes::Stat;
use crate::instance::record::{self, Held, Network, Record, Records};
use crate::model::permission::NetworkMode;
use crate::model::plan::{Action, Bus, Plan, Slot, Tier};
use crate::report::{Code, Diagnostic};
use crate::sys::{Errno, process};

use super::prepare::{Host, Prepared};

/// The mount namespace's name in /proc.
const MOUNTS: &str = "mnt";

/// Those that are the sandbox's own beside user and mount.
const OTHERS: [&str; 5] = ["pid", "ipc", "uts", "cgroup", "net"];

/// The places where a run will be written down, open.
pub struct Notes {
    records: Option<Records>,
    portal: Option<Place>,
}

/// A run that is written down as long as the value lives.
pub struct Noted {
    record: Option<Held>,
    door: Option<OwnedFd>,
    _portal: Option<Place>,
    _namespaces: Vec<OwnedFd>,
}

impl Notes {
    /// Opens them; without a runtime folder there is no place for records.
    ///
    /// # Errors
    /// When a place cannot be trusted, or what needs one has none.
    pub fn open(host: &Host, plan: &Plan) -> Result<Notes, Vec<Diagnostic>> {
        let portal = portal_place(host, plan)?;
        let records = match &host.facts.runtime_dir {
            None => None,
            Some(dir) => Some(
                Records::open(dir, host.facts.uid)
                    .map_err(|errno| refused(host, "pinfold", errno))?,
            ),
        };
        Ok(Notes { records, portal })
    }

    /// The number by which portals will know the run.
    pub fn portal_number(&self) -> Option<u32> {
        self.portal.as_ref().map(Place::number)
    }

    /// Writes the run down, and drops the records of those that are gone. Its
    /// init waits meanwhile, so it can still be looked into.
    ///
    /// # Errors
    /// The kernel's.
    pub fn note(
        self,
        host: &Host,
        prepared: &Prepared,
        here: &Here<'_>,
        init: i32,
    ) -> Result<Noted, Vec<Diagnostic>> {
        let plan = &prepared.plan;
        let has_namespaces = plan.tier == Tier::Namespaces;
        let portal_number = self.portal_number();
        if let (Some(place), Some(filter)) = (&self.portal, &plan.filter) {
            let network = filter.tree.iter().any(|step| {
                matches!(step.action, Action::Fill { slot: Slot::Identity { network: true }, .. })
            });
            place
                .note(&freeze::tree::identity(here, network), init)
                .map_err(|errno| refused(host, ".flatpak", errno))?;
        }
        let mut noted =
            Noted { record: None, door: None, _portal: self.portal, _namespaces: Vec::new() };
        let Some(records) = self.records else { return Ok(noted) };
        let failed = |errno| refused(host, "pinfold", errno);
        let mut namespaces = BTreeMap::new();
        if has_namespaces {
            for (name, fd) in self::namespaces(init).map_err(failed)? {
                namespaces.insert(name.to_owned(), fd.as_raw_fd());
                noted._namespaces.push(fd);
            }
        }
        records.collect().map_err(failed)?;
        if let Some(runtime_dir) = &host.facts.runtime_dir {
            // What others have left there is no reason not to run.
            let _ = portal::collect(runtime_dir, host.facts.uid, portal_number);
        }
        let started = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let began = Stat::of(init).map(|stat| stat.began).ok_or(Errno::SRCH).map_err(failed)?;
        let mode = prepared.policy.settings.network.mode.as_ref().map(|mode| mode.value);
        let network = if mode == Some(NetworkMode::Host) { Network::Host } else { Network::None };
        let record = Record {
            version: record::VERSION,
            app: plan.app.clone(),
            monitor: std::process::id() as i32,
            init,
            init_began: began,
            started,
            manifests: prepared.policy.files.iter().map(|(_, file)| file.clone()).collect(),
            network,
            degraded: lacking(plan, host.facts.kernel.landlock_abi),
            portal: portal_number,
            namespaces,
        };
        let held = records.hold(&record).map_err(failed)?;
        noted.door = Some(held.listen().map_err(failed)?);
        noted.record = Some(held);
        Ok(noted)
    }
}

impl Noted {
    /// Where commands about the run connect.
    pub fn door(&mut self) -> Option<OwnedFd> {
        self.door.take()
    }
}

/// The namespace of a process; of its user namespaces the one that owns the
/// others. It enters a further one in the course of its set-up.
/// The namespaces of an init, by their names in /proc. Init may have gone on
/// into the inner user namespace by now; the outer one is the owner of the
/// mounts.
fn namespaces(init: i32) -> Result<Vec<(&'static str, OwnedFd)>, Errno> {
    let mounts = namespace(init, MOUNTS)?;
    let mut all = vec![("user", crate::sys::fd::namespace_owner(mounts.as_fd())?)];
    all.push((MOUNTS, mounts));
    for name in OTHERS {
        all.push((name, namespace(init, name)?));
    }
    Ok(all)
}

fn namespace(pid: i32, name: &str) -> Result<OwnedFd, Errno> {
    if name == "user" {
        return process::owner_of(namespace(pid, "mnt")?.as_fd());
    }
    let path = format!("/proc/{pid}/ns/{name}");
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Takes a number for what portals read of a sandbox that they can be asked
/// from.
fn portal_place(host: &Host, plan: &Plan) -> Result<Option<Place>, Vec<Diagnostic>> {
    let asks = plan.filter.iter().flat_map(|filter| &filter.buses);
    if !asks.into_iter().any(|plan| plan.bus == Bus::Session) {
        return Ok(None);
    }
    let Some(runtime_dir) = &host.facts.runtime_dir else {
        return Err(vec![
            Diagnostic::error(
                Code::Record,
                "the session bus is granted, and there is no runtime folder",
            )
            .because("portals could not tell this sandbox from a program outside")
            .hint("set XDG_RUNTIME_DIR to a folder of your own that is shut to others"),
        ]);
    };
    Place::take(runtime_dir, host.facts.uid)
        .map(Some)
        .map_err(|errno| refused(host, ".flatpak", errno))
}

fn refused(host: &Host, name: &str, errno: Errno) -> Vec<Diagnostic> {
    let folder = host.facts.runtime_dir.as_ref().map_or("", |path| path.as_str());
    vec![
        Diagnostic::error(Code::Record, format!("cannot keep a record in {folder}/{name}"))
            .because(errno)
            .hint("it has to be a folder of your own that is shut to others"),
    ]
}

/// What of the confinement there is not.
fn lacking(plan: &Plan, landlock_abi: u32) -> Vec<String> {
    let namespaces = match plan.tier {
        Tier::Namespaces => None,
        Tier::Landlock => {
            Some("namespaces: user, mount, pid, ipc, uts, cgroup, network".to_owned())
        }
    };
    let landlock = landlock::missing(landlock_abi);
    let landlock = landlock.into_iter().map(|what| format!("landlock: {what}"));
    namespaces.into_iter().chain(landlock).collect()
}
