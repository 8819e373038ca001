//! The plan for hosts that refuse namespaces: landlock and the system call
//! filter alone. It is made of the ordinary plan, and only for who asks.
//!
//! Nothing is mounted, so everything is used in its own place. What the
//! ordinary plan shows of the host becomes a landlock rule on the thing
//! itself; what it makes up (private places, copies, links) has no place, and
//! either the application finds another by a variable (`HOME`, `TMPDIR`,
//! `XDG_RUNTIME_DIR`) or does without. A plan is refused, never weakened,
//! where landlock cannot say what a manifest does: a hole or a narrower right
//! inside a grant, a home that is gone afterwards, a host name.
//!
//! # What keeps it shut, by the version of landlock
//!
//! | what | below 6 | 6 to 8 | 9 and later |
//! |---|---|---|---|
//! | what is in files and folders | refused | landlock | landlock |
//! | connecting to socket files (the user's systemd is behind one) | refused | filter: no unix sockets but stream pairs | landlock |
//! | connecting to abstract sockets | refused | filter and landlock's scope | landlock's scope |
//! | signals to other processes | refused | landlock's scope | landlock's scope |
//! | memory and secrets of other processes | refused | landlock, filter | landlock, filter |
//! | limits and priorities of other processes | refused | filter | filter |
//! | `mode = "none"` for the network | refused | filter: no inet, no netlink | filter |
//! | `connect`, `listen` | refused | landlock | landlock |
//! | System V and POSIX message queues, semaphores, shared memory | refused | filter | filter |
//! | mode, owner, times, attributes of files, by name | refused | filter | filter |
//! | watching folders (inotify) | refused | filter | filter |
//!
//! Below version 6 (Linux 6.12) nothing is started: a signal is sent by a
//! process number that a filter cannot judge, since raise(3) and every thread
//! library send them too; below 3 any file could be cut short by its name.
//!
//! # What nothing keeps shut
//!
//! - Whether a path exists, its owner, mode, size and times, and where a link
//!   leads: no landlock right is about them.
//! - Which process numbers exist; the mounts, users and name of the host.
//! - Mode and times of what is granted for reading only, by a descriptor: a
//!   read-only mount would refuse that.
//! - The terminal and the process group are the caller's, as in the ordinary
//!   tier, but groups and sessions have their real numbers.
//!
//! What is shut as a whole: X11, whose clients reach it by an abstract socket;
//! the buses, whose filter is told apart by a root of its own; and below
//! version 9 sound, and more than the one connection to the compositor that
//! the launcher makes.
//!
//! The price of the filter's part: chmod, chown, touch by name and extended
//! attributes fail in the application's own home too, as on a memory stick;
//! file choosers do not notice what others change; there is no shared memory
//! in /dev/shm.
//!
//! Only entries of /proc that are stated here can be read. The rule on an
//! entry hangs on its inode, which procfs makes anew when its name has fallen
//! out of the cache; init keeps them open so that it does not. A process's own
//! folder is known when there is the process, so the application's first
//! process gets its rules itself, in a domain within init's; the processes
//! that it starts have none. `net` and `task` are left out of it: the one
//! tells of the host's sockets, the other leads to the one.

use crate::host::{HostFs, NodeKind};
use crate::model::facts::HostFacts;
use crate::model::manifest::Policy;
use crate::model::origin::{Layer, Origin};
use crate::model::path::AbsPath;
use crate::model::permission::{HomeKind, Nested, Word};
use crate::model::plan::{
    Access, Action, HostStep, Kind, LandlockObject, LandlockRule, Note, Plan, Slot, Step, Tier,
    Unseparated, Weight,
};
use crate::report::{Code, Diagnostic};

use super::base::fixed;
use super::tree;

/// The version of landlock that governs connecting to socket files.
const GOVERNS_SOCKETS: u32 = 9;

/// What is missing, in one sentence; printed at every run.
pub const MISSING: &str = "no namespaces separate the application from this host, only landlock and the filter: it can find out which files and processes there are, and how files are named, sized and dated";

/// The rest of it, for who asks.
const IN_FULL: [&str; 6] = [
    "the host's name, mounts and accounts can be seen, and where links lead",
    "mode and times of what may only be read can be changed, as far as you own it",
    "everywhere, its own home included, it cannot change modes, owners, times and attributes of files by their names, nor watch folders, nor use System V or /dev/shm memory",
    "/tmp and /var/tmp are shut; TMPDIR leads into its own home",
    "of /proc it reads a few files about the machine, and its first process about itself",
    "HOME leads to where its own home is kept; fonts, icons and themes of yours are not found there",
];

/// Files of /proc about the machine as a whole.
const PROC: [&str; 8] =
    ["cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "sys", "uptime", "version"];

/// What the application's first process may use of its own folder in /proc:
/// all of it that tells of itself and of nothing else.
const OWN_PROCESS: [(&str, Kind); 15] = [
    ("auxv", Kind::File),
    ("cmdline", Kind::File),
    ("comm", Kind::File),
    ("environ", Kind::File),
    ("fd", Kind::Folder),
    ("fdinfo", Kind::Folder),
    ("limits", Kind::File),
    ("maps", Kind::File),
    ("mountinfo", Kind::File),
    ("mounts", Kind::File),
    ("oom_score_adj", Kind::File),
    ("smaps", Kind::File),
    ("stat", Kind::File),
    ("statm", Kind::File),
    ("status", Kind::File),
];

/// Files that the ordinary plan makes up and that are read where they lie: a
/// program that cannot look up who it runs as does not start.
const REAL: [&str; 2] = ["/etc/group", "/etc/passwd"];

/// Where things in memory have their places instead, in the own home.
const PRIVATE: [(&str, &str); 2] = [("TMPDIR", ".cache/tmp"), ("XDG_RUNTIME_DIR", ".cache/run")];

/// What the ordinary plan was made from.
pub struct Around<'a> {
    /// What is stated.
    pub policy: &'a Policy,
    /// The host.
    pub facts: &'a HostFacts,
    /// Its files.
    pub fs: &'a HostFs,
    /// The place of the home in the ordinary plan.
    pub home: &'a AbsPath,
}

/// Makes the plan of [`Tier::Landlock`].
///
/// # Errors
/// All of the policy that cannot be kept without namespaces, and what the
/// host lacks even for this.
pub fn degraded(plan: Plan, around: &Around<'_>) -> Result<Plan, Vec<Diagnostic>> {
    let mut errors = host(around.facts);
    errors.extend(settings(around, &plan));
    let Some(own) = own_home(&plan, around.home) else { return Err(errors) };
    let mut making = Making {
        around,
        own,
        ordinary: plan.tree.clone(),
        plan: Plan { tree: Vec::new(), tier: Tier::Landlock, ..plan },
        errors,
    };
    making.host_steps();
    making.steps();
    making.variables();
    making.rest();
    if making.errors.is_empty() { Ok(making.plan) } else { Err(making.errors) }
}

fn refused(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(Code::NotInTier, message)
}

/// What of the host makes this tier impossible.
fn host(facts: &HostFacts) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    let abi = facts.kernel.landlock_abi;
    if abi < Tier::LEAST_LANDLOCK {
        let have = match abi {
            0 => "this kernel has none".to_owned(),
            abi => format!("this kernel has version {abi}, which leaves signals open"),
        };
        let text = "confinement without namespaces needs landlock version 6";
        let error = Diagnostic::error(Code::HostKernel, text).because(have);
        errors.push(error.hint("use Linux 6.12 or later, or let this host make namespaces"));
    }
    if facts.uid == 0 {
        let error = refused("root is not confined without namespaces")
            .because("what belongs to root outside would be the application's own")
            .hint("run as the account whose desktop it is");
        errors.push(error);
    }
    errors
}

/// What of the policy is about things that only namespaces give.
fn settings(around: &Around<'_>, plan: &Plan) -> Vec<Diagnostic> {
    let settings = &around.policy.settings;
    let mut errors = Vec::new();
    if let Some(kind) = settings.home.kind.as_ref().filter(|kind| kind.value != HomeKind::Private) {
        let text =
            format!("home.kind = {:?} is not to be had without namespaces", kind.value.word());
        errors.push(
            refused(text).at(&kind.origin).hint("use a private home, as with --home private"),
        );
    }
    if let Some(hostname) = &settings.hostname {
        let text = "a host name of its own is not to be had without namespaces";
        errors.push(
            refused(text).at(&hostname.origin).hint("take the key out; the host's name is seen"),
        );
    }
    if let Some(nested) = settings.nested.as_ref().filter(|nested| nested.value != Nested::None) {
        let text = "sandboxes inside are not to be had where this host refuses namespaces";
        errors.push(refused(text).at(&nested.origin));
    }
    let display = plan.process.environment.iter().any(|(name, _)| name == "DISPLAY")
        && !settings.environment_set.contains_key("DISPLAY");
    if let Some(x11) = settings.display.x11.as_ref().filter(|_| display) {
        let error = refused("X11 is not to be had without namespaces")
            .at(&x11.origin)
            .because("programs reach the X server by an abstract socket, and landlock shuts all of these or none")
            .hint("start from a Wayland session, or state display.x11 = \"never\"");
        errors.push(error);
    }
    errors
}

/// Where the application's own home is kept, and the folder above it from
/// which it is made.
fn own_home(plan: &Plan, home: &AbsPath) -> Option<HostStep> {
    let source = plan.tree.iter().find_map(|step| match &step.action {
        Action::Bind { dest, source, .. } if dest == home => Some(source),
        _ => None,
    });
    // A home in memory has none, and has been refused.
    source.and_then(|source| plan.host.iter().find(|step| step.folder == *source).cloned())
}

/// Whether Pinfold itself states a step for every application.
fn is_for_everybody(origin: &Origin) -> bool {
    origin.layer == Layer::Builtin && origin.line == 0
}

/// The plan while it is made.
struct Making<'a> {
    around: &'a Around<'a>,
    own: HostStep,
    /// The tree of the ordinary plan.
    ordinary: Vec<Step>,
    plan: Plan,
    errors: Vec<Diagnostic>,
}

impl Making<'_> {
    /// Folders of the own home, which nobody makes on the way.
    fn host_steps(&mut self) {
        let home = self.around.home;
        let expected = self.ordinary.iter().filter_map(|step| match &step.action {
            Action::Folder { dest, .. } if is_for_everybody(&step.origin) => {
                Some((dest.relative_to(home)?.to_owned(), step.origin.clone()))
            }
            _ => None,
        });
        let private = Origin::builtin("private places");
        let private = PRIVATE.iter().map(|(_, rest)| ((*rest).to_owned(), private.clone()));
        let made: Vec<HostStep> = expected
            .chain(private)
            .filter_map(|(rest, origin)| {
                let folder = self.own.folder.join(&rest).ok()?;
                Some(HostStep { folder, origin, ..self.own.clone() })
            })
            .collect();
        self.plan.host.extend(made);
    }

    fn steps(&mut self) {
        for step in self.ordinary.clone() {
            match &step.action {
                Action::Bind { .. } => self.bind(&step),
                Action::Fill { slot: Slot::Copy { source }, .. } => {
                    self.open(source.clone(), Kind::File, [false; 3], &step.origin);
                }
                Action::Text { dest, .. } if REAL.contains(&dest.as_str()) => {
                    let node = self.around.fs.look(dest);
                    if node.is_ok_and(|node| node.kind == NodeKind::File) {
                        self.open(dest.clone(), Kind::File, [false; 3], &step.origin);
                    }
                }
                Action::Close { dest, .. } | Action::Tmpfs { dest, .. } => self.hole(dest, &step),
                Action::Text { .. }
                | Action::Fill { .. }
                | Action::Folder { .. }
                | Action::Link { .. }
                | Action::Listen { .. }
                | Action::Proc { .. }
                | Action::ReadOnly { .. }
                | Action::DevPts { .. } => {}
            }
        }
        let origin = Origin::builtin("what the machine tells of itself");
        for name in PROC {
            let path = fixed("/proc").child(name);
            if let Ok(node) = self.around.fs.look(&path) {
                let kind = if node.kind == NodeKind::Folder { Kind::Folder } else { Kind::File };
                self.open(path, kind, [false; 3], &origin);
            }
        }
        self.plan.tree.sort_by(|a, b| a.action.dest().elements().cmp(b.action.dest().elements()));
    }

    fn open(&mut self, path: AbsPath, kind: Kind, rights: [bool; 3], origin: &Origin) {
        let [write, exec, device] = rights;
        let action = Action::Bind { source: path.clone(), dest: path, kind, write, exec, device };
        if !self.plan.tree.iter().any(|step| step.action == action) {
            self.plan.tree.push(Step { action, origin: origin.clone() });
        }
    }

    fn bind(&mut self, step: &Step) {
        let Action::Bind { source, dest, kind, write, exec, device } = &step.action else { return };
        if let Some((around, shown, access)) = self.above(dest)
            && shown == *source
            && !tree::bind_access(*write, *exec, *device).covers(access)
        {
            let error = refused(format!(
                "{source} has fewer rights than {around} around it, which landlock alone cannot keep"
            ));
            self.errors.push(error.at(&step.origin).hint(format!(
                "grant what is needed in {around} by name, with the rights that it needs"
            )));
            return;
        }
        let is_socket = self.around.fs.look(source).is_ok_and(|node| node.kind == NodeKind::Socket);
        if is_socket && !self.socket(source, dest, step) {
            return;
        }
        self.open(source.clone(), *kind, [*write, *exec, *device], &step.origin);
    }

    /// Whether a socket gets a rule.
    fn socket(&mut self, socket: &AbsPath, dest: &AbsPath, step: &Step) -> bool {
        let is_governed = self.around.facts.kernel.landlock_abi >= GOVERNS_SOCKETS;
        let runtime = fixed("/run/user").child(&self.around.facts.uid.to_string());
        match dest.relative_to(&runtime) {
            // Connected to by the launcher; by its path it could be refused.
            Some("wayland-0") if !is_governed => {
                self.unset("WAYLAND_DISPLAY");
                self.plan.process.compositor = Some(socket.clone());
                self.note(
                    Weight::Notice,
                    "one connection to the compositor is handed over: a program that opens a second one, from another process of its own, has no windows".to_owned(),
                    Some(&step.origin),
                    None,
                );
                false
            }
            Some("wayland-0") => {
                self.set("WAYLAND_DISPLAY", socket.as_str().to_owned());
                true
            }
            Some("pulse/native") if is_governed => {
                self.set("PULSE_SERVER", format!("unix:{socket}"));
                true
            }
            Some("pipewire-0") if is_governed => {
                self.set("PIPEWIRE_REMOTE", socket.as_str().to_owned());
                true
            }
            _ if is_governed => true,
            sound => {
                if sound == Some("pulse/native") {
                    self.unset("PULSE_SERVER");
                }
                self.note(
                    Weight::Warning,
                    format!("{socket} is not open: without namespaces, sockets need landlock version {GOVERNS_SOCKETS}"),
                    Some(&step.origin),
                    None,
                );
                false
            }
        }
    }

    /// A cover, or an empty folder in the place of one of the host: fine where
    /// nothing is granted around it.
    fn hole(&mut self, dest: &AbsPath, step: &Step) {
        let Some((around, shown, _)) = self.above(dest) else { return };
        let error = refused(format!(
            "{shown} is to stay shut inside {around}, which landlock alone cannot do"
        ));
        self.errors.push(error.at(&step.origin).hint(format!(
            "grant what is needed in {around} by name, so that nothing in it has to be denied"
        )));
    }

    /// The nearest bind around a place: its source, what of the host the place
    /// would show of it, and its rights.
    fn above(&self, dest: &AbsPath) -> Option<(AbsPath, AbsPath, Access)> {
        let binds = self.ordinary.iter().filter_map(|step| match &step.action {
            Action::Bind { source, dest: at, write, exec, device, .. } if dest.is_beneath(at) => {
                Some((at, source, tree::bind_access(*write, *exec, *device)))
            }
            _ => None,
        });
        let (at, source, access) = binds.max_by_key(|(at, ..)| at.elements().count())?;
        let shown = source.join(dest.relative_to(at)?).ok()?;
        Some((source.clone(), shown, access))
    }

    fn set(&mut self, name: &str, value: String) {
        self.unset(name);
        self.plan.process.environment.push((name.to_owned(), value));
    }

    fn unset(&mut self, name: &str) {
        self.plan.process.environment.retain(|(known, _)| known != name);
    }

    fn variables(&mut self) {
        let own = self.own.folder.clone();
        let stated = &self.around.policy.settings.environment_set;
        if !stated.contains_key("HOME") {
            self.set("HOME", own.as_str().to_owned());
        }
        for (name, rest) in PRIVATE {
            if let Ok(place) = own.join(rest)
                && !stated.contains_key(name)
            {
                self.set(name, place.as_str().to_owned());
            }
        }
        self.plan.process.environment.sort();
        let cwd = &self.plan.process.cwd;
        if *cwd == *self.around.home || *cwd == self.around.facts.home {
            self.plan.process.cwd = own;
        }
    }

    fn rest(&mut self) {
        let is_governed = self.around.facts.kernel.landlock_abi >= GOVERNS_SOCKETS;
        self.plan.syscalls.unseparated =
            Some(Unseparated { network: !self.plan.namespaces.network, unix_sockets: is_governed });
        self.plan.namespaces.network = false;
        self.plan.namespaces.hostname.clear();
        let mut rules = tree::landlock_rules(&self.plan.tree);
        rules.retain(|rule| matches!(rule.object, LandlockObject::Host(_)));
        rules.extend(OWN_PROCESS.map(|(name, kind)| LandlockRule {
            object: LandlockObject::OwnProcess(name.to_owned()),
            kind,
            access: Access::Use,
        }));
        self.plan.landlock.rules = rules;
        for text in IN_FULL {
            self.note(Weight::Info, text.to_owned(), None, None);
        }
        self.note(
            Weight::Warning,
            MISSING.to_owned(),
            Some(&Origin::command_line("--degraded=landlock")),
            Some("`pinfold show --degraded=landlock` tells the rest; `pinfold doctor` tells how to have namespaces"),
        );
        self.plan.notes.sort_by_key(|note| std::cmp::Reverse(note.weight));
    }

    fn note(&mut self, weight: Weight, text: String, origin: Option<&Origin>, hint: Option<&str>) {
        let origin = origin.cloned();
        self.plan.notes.push(Note { weight, text, origin, hint: hint.map(str::to_owned) });
    }
}
