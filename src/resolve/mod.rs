//! Policy and host to plan. Pure in what it decides: the same policy, facts
//! and files give the same plan, and nothing is changed, opened for writing
//! or executed on the way. Floor 4.
//!
//! One file for each permission; each states its part of the tree, its
//! variables and its notes in the [`Resolution`] that all of them share. The
//! order of the calls in [`resolve`] is the order of the plan's story:
//!
//! ```text
//! base, etc      what every sandbox has
//! home           whose home it is
//! files          what is granted of the host's files, protected paths
//! display, audio, devices, network, bus, syscalls
//! program        what is run, and what it needs to be found
//! arguments      files that were named for this one run
//! files          denials, against all of the above
//! limits         what each process carries along
//! environment    variables, by allow-list
//! tree           parents, order, landlock rules
//! degraded       all of it once more without namespaces, where that is asked
//! ```

mod arguments;
mod audio;
mod base;
pub mod bus;
pub mod degraded;
mod devices;
mod display;
mod environment;
mod etc;
pub mod files;
pub mod home;
mod limits;
pub mod links;
mod names;
mod network;
pub mod program;
pub mod protected;
pub mod seen;
mod session;
mod syscalls;
mod tree;

use std::collections::BTreeMap;

use crate::host::{HostFs, NodeKind};
use crate::model::facts::HostFacts;
use crate::model::manifest::{Policy, Settings};
use crate::model::origin::Origin;
use crate::model::path::AbsPath;
use crate::model::permission::{LandlockMode, Nested, NetworkMode};
use crate::model::plan::{
    Action, FilterPlan, HostStep, Identity, Kind, LandlockPlan, Limits, Namespaces, Note, Plan,
    ProcessPlan, SyscallPlan, Tier, VERSION, Weight,
};
use crate::report::{Code, Diagnostic};

use links::Links;
use tree::Tree;

/// What is done with files that are named as arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forward {
    /// Nothing: the application sees the name only.
    Nothing,
    /// They can be read.
    Read,
    /// They can be changed.
    Write,
}

/// What one run asks for beyond the policy.
#[derive(Debug, Clone)]
pub struct Request {
    /// Arguments after the application.
    pub arguments: Vec<String>,
    /// What is done with those that name files.
    pub forward: Forward,
    /// Whether a shell is run in place of the application.
    pub shell: bool,
    /// Whether the plan is only looked at: then a program that is not
    /// installed is noted and is no error.
    pub only_looks: bool,
    /// Real folders in which applications have been allowed to write before.
    pub written: Vec<AbsPath>,
    /// By which means the application is to be confined.
    pub tier: Tier,
}

impl Request {
    /// One that only looks. `written` is as in the field of that name.
    pub fn look(written: Vec<AbsPath>, tier: Tier) -> Request {
        Request {
            arguments: Vec::new(),
            forward: Forward::Read,
            shell: false,
            only_looks: true,
            written,
            tier,
        }
    }
}

/// A plan under construction.
pub struct Resolution<'a> {
    policy: &'a Policy,
    facts: &'a HostFacts,
    fs: &'a HostFs,
    request: &'a Request,
    links: Links<'a>,
    tree: Tree,
    /// Where the home really is; the place that it has inside too.
    home: AbsPath,
    environment: BTreeMap<String, String>,
    filter: Option<FilterPlan>,
    host: Vec<HostStep>,
    writable: Vec<AbsPath>,
    /// Denied paths that exist.
    denied: Vec<files::Closed>,
    notes: Vec<Note>,
    errors: Vec<Diagnostic>,
}

/// Makes the plan.
///
/// # Errors
/// Every reason for which this policy cannot be carried out on this host.
pub fn resolve(
    policy: &Policy,
    facts: &HostFacts,
    fs: &HostFs,
    request: &Request,
) -> Result<Plan, Vec<Diagnostic>> {
    refuse_without_effect(&policy.settings)?;
    let mut written = request.written.clone();
    let home_links = Links::new(fs, facts.uid, Vec::new());
    let apps = home::apps_folder(facts);
    // Both names: the real one is what a walk meets.
    if let Ok(found) = home_links.find(&apps) {
        written.push(found.real);
    }
    written.push(apps);
    let home = home_links.find(&facts.home).map_or_else(|_| facts.home.clone(), |found| found.real);
    let mut r = Resolution {
        policy,
        facts,
        fs,
        request,
        links: Links::new(fs, facts.uid, written),
        tree: Tree::default(),
        home,
        environment: BTreeMap::new(),
        filter: None,
        host: Vec::new(),
        writable: Vec::new(),
        denied: Vec::new(),
        notes: Vec::new(),
        errors: Vec::new(),
    };
    base::resolve(&mut r);
    etc::resolve(&mut r);
    home::resolve(&mut r);
    files::resolve(&mut r);
    display::resolve(&mut r);
    audio::resolve(&mut r);
    devices::resolve(&mut r);
    network::resolve(&mut r);
    bus::resolve(&mut r);
    syscalls::resolve(&mut r);
    let command = program::resolve(&mut r);
    arguments::resolve(&mut r);
    files::deny(&mut r);
    let cwd = arguments::working_folder(&r);
    environment::resolve(&mut r);
    let limits = limits::resolve(&mut r);
    let Some(command) = command else { return Err(r.errors) };
    let real_home = r.home.clone();
    let plan = r.finish(command, cwd, limits)?;
    match request.tier {
        Tier::Namespaces => Ok(plan),
        Tier::Landlock => {
            let around = degraded::Around { policy, facts, fs, home: &real_home };
            degraded::degraded(plan, &around)
        }
    }
}

/// Refuses keys that are understood but not carried out yet.
fn refuse_without_effect(settings: &Settings) -> Result<(), Vec<Diagnostic>> {
    let refused: Vec<Diagnostic> = settings
        .without_effect()
        .into_iter()
        .map(|(key, origin)| {
            Diagnostic::error(Code::NotSupported, format!("{key} is not supported yet"))
                .at(&origin)
                .hint("take the key out, or use a later version of pinfold")
        })
        .collect();
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

impl Resolution<'_> {
    fn settings(&self) -> &Settings {
        &self.policy.settings
    }

    /// Whose network is seen.
    fn network_mode(&self) -> NetworkMode {
        self.settings().network.mode.as_ref().map_or(NetworkMode::None, |mode| mode.value)
    }

    /// Which further sandboxes may be built inside.
    fn nested(&self) -> Nested {
        self.settings().nested.as_ref().map_or(Nested::None, |nested| nested.value)
    }

    /// The origin of a grant of sound, if there is one.
    fn sound(&self) -> Option<Origin> {
        let audio = &self.settings().audio;
        [&audio.playback, &audio.record]
            .into_iter()
            .flatten()
            .find(|stated| stated.value)
            .map(|stated| stated.origin.clone())
    }

    /// The host name inside.
    fn hostname(&self) -> String {
        self.settings().hostname.as_ref().map_or_else(|| "pinfold".to_owned(), |h| h.value.clone())
    }

    /// The runtime folder inside.
    fn runtime_dir(&self) -> AbsPath {
        base::fixed("/run/user").child(&self.facts.uid.to_string())
    }

    fn note(&mut self, weight: Weight, text: String, origin: Option<&Origin>, hint: Option<&str>) {
        let note = Note { weight, text, origin: origin.cloned(), hint: hint.map(str::to_owned) };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Shows a thing of the system read-only where it exists; a link is made
    /// anew and what it leads to is shown in its own place.
    fn bind_if_there(&mut self, path: &AbsPath, exec: bool, origin: &Origin) {
        let Ok(found) = self.links.find(path) else { return };
        for (place, text) in &found.links {
            self.tree.put(Action::Link { dest: place.clone(), target: text.clone() }, origin);
        }
        if self.tree.shows(&found.real, &found.real, false, exec) {
            return;
        }
        let kind = if found.node.kind == NodeKind::Folder { Kind::Folder } else { Kind::File };
        self.tree.put(
            Action::Bind {
                source: found.real.clone(),
                dest: found.real,
                kind,
                write: false,
                exec,
                device: false,
            },
            origin,
        );
    }

    /// Shows a socket of the session, links to it followed (under WSL there are
    /// some) where nobody can have planted them.
    fn show_socket(&mut self, socket: &AbsPath, dest: AbsPath, origin: &Origin) -> bool {
        let found = match self.links.find(socket) {
            Ok(found) => found,
            Err(why) => {
                let why = match why {
                    links::NotFound::Planted(link) => format!(
                        "{link} is a link in a folder where an application or another account may write"
                    ),
                    links::NotFound::Dead(link) => format!("the link {link} leads nowhere"),
                    links::NotFound::Missing | links::NotFound::Unreadable => {
                        "it is not there".to_owned()
                    }
                };
                let text = format!("the socket {socket} is not shown: {why}");
                self.note(Weight::Notice, text, Some(origin), None);
                return false;
            }
        };
        self.tree.put(
            Action::Bind {
                source: found.real,
                dest,
                kind: Kind::File,
                write: true,
                exec: false,
                device: false,
            },
            origin,
        );
        true
    }

    /// The caller's shell where an application finds it too, else `sh`.
    fn shell(&self) -> AbsPath {
        let shell = &self.facts.shell;
        let fits = self
            .links
            .find(shell)
            .is_ok_and(|found| self.is_reached(&found) && !shell.file_name().ends_with("nologin"));
        if fits { shell.clone() } else { base::fixed("/bin/sh") }
    }

    /// Whether the path of a program leads inside where it leads outside: each
    /// link on the way is shown or made anew, and what it leads to is shown to
    /// be executed.
    fn is_reached(&self, found: &links::Found) -> bool {
        let same = |place: &AbsPath| match self.tree.above(place).map(|step| &step.action) {
            Some(Action::Link { dest, .. }) => dest == place,
            Some(Action::Bind { source, dest, .. }) => source == dest,
            _ => false,
        };
        self.tree.shows(&found.real, &found.real, false, true)
            && found.links.iter().all(|(place, _)| same(place))
    }

    fn finish(
        mut self,
        command: program::Command,
        cwd: AbsPath,
        limits: Limits,
    ) -> Result<Plan, Vec<Diagnostic>> {
        let fs = self.fs;
        let (tree, unplaced) = std::mem::take(&mut self.tree).finish(|dest| fs.look(dest).is_ok());
        for step in unplaced {
            let dest = step.action.dest().clone();
            self.note(
                Weight::Notice,
                format!("{dest} cannot be shown: its place would have to be made in a folder of the host"),
                Some(&step.origin),
                None,
            );
        }
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        let settings = &self.policy.settings;
        let nested = self.nested();
        let rules = tree::landlock_rules(&tree);
        let (mode, origin) = settings.landlock.as_ref().map_or_else(
            || (LandlockMode::Best, Origin::builtin("landlock at its best")),
            |mode| (mode.value, mode.origin.clone()),
        );
        let ports = |list: &crate::model::List<u16>| {
            list.is_stated().then(|| list.values().copied().collect::<Vec<u16>>())
        };
        let network = self.network_mode();
        self.notes.sort_by_key(|note| std::cmp::Reverse(note.weight));
        Ok(Plan {
            version: VERSION,
            app: self.policy.id.clone(),
            tier: Tier::Namespaces,
            identity: Identity { uid: self.facts.uid, gid: self.facts.gid },
            namespaces: Namespaces {
                network: network != NetworkMode::Host,
                network_origin: settings
                    .network
                    .mode
                    .as_ref()
                    .map_or_else(|| Origin::builtin("no network"), |mode| mode.origin.clone()),
                hostname: self.hostname(),
                nested: u32::from(nested != Nested::None),
            },
            host: self.host,
            landlock: LandlockPlan {
                mode,
                origin,
                files: nested != Nested::Container,
                rules: if nested == Nested::Container { Vec::new() } else { rules },
                connect: ports(&settings.network.connect),
                listen: ports(&settings.network.listen),
            },
            syscalls: SyscallPlan {
                nested,
                features: settings.syscalls.values().copied().collect(),
                tcp_limited: settings.network.connect.is_stated()
                    || settings.network.listen.is_stated(),
                signals_scoped: self.facts.kernel.landlock_abi >= 6,
                makes_set_id: self.facts.uid != 0,
                unseparated: None,
            },
            tree,
            process: ProcessPlan {
                program: command.program,
                arguments: command.arguments,
                environment: self.environment.into_iter().collect(),
                cwd,
                compositor: None,
                origin: command.origin,
                limits,
            },
            filter: self.filter,
            writable: self.writable,
            notes: self.notes,
        })
    }
}
