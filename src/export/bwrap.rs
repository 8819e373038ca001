//! The same sandbox, as far as bubblewrap can build it: arguments made from
//! the very plan that Pinfold carries out.

use crate::freeze::seccomp;
use crate::model::app_id::AppId;
use crate::model::plan::{Action, Kind, Plan, Slot};

/// One argument of bubblewrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// A text.
    Text(String),
    /// The number of a descriptor that bubblewrap inherits, with this content.
    Content(Content),
}

/// What a descriptor has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// What it is for: a path inside, or the filter.
    pub name: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// The arguments, up to and with the program and its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The words in their order.
    pub words: Vec<Word>,
    /// What of the plan bubblewrap has no words for.
    pub left_out: Vec<String>,
}

/// What the content for `--seccomp` is called.
pub const FILTER: &str = "the system call filter";

/// The device files that `--dev` shows.
const MADE_BY_DEV: [&str; 6] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];

/// Makes the arguments that give an application a plan. `extra` are further
/// options.
pub fn arguments(plan: &Plan, extra: &[&str]) -> Arguments {
    let mut all = Arguments::default();
    all.add([
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup",
        "--die-with-parent",
        "--hostname",
        &plan.namespaces.hostname,
    ]);
    if plan.namespaces.network {
        all.add(["--unshare-net"]);
    }
    for step in &plan.tree {
        all.step(&step.action, &plan.app);
    }
    all.add(["--remount-ro", "/", "--clearenv", "--chdir", plan.process.cwd.as_str()]);
    for (name, value) in &plan.process.environment {
        all.add(["--setenv", name, value]);
    }
    match seccomp::Arch::native() {
        Some(arch) => {
            all.add(["--seccomp"]);
            all.content(FILTER, filter(plan, arch));
        }
        None => all.left_out.push("the system call filter: none for this processor".to_owned()),
    }
    all.words.extend(extra.iter().map(|word| Word::Text((*word).to_owned())));
    all.add(["--", plan.process.program.as_str()]);
    all.words.extend(plan.process.arguments.iter().skip(1).cloned().map(Word::Text));
    all.rest(plan);
    all
}

/// The filter as the kernel takes it (`struct sock_filter`).
fn filter(plan: &Plan, arch: seccomp::Arch) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in seccomp::program(&plan.syscalls, arch) {
        bytes.extend(word.code.to_ne_bytes());
        bytes.extend([word.jt, word.jf]);
        bytes.extend(word.k.to_ne_bytes());
    }
    bytes
}

impl Arguments {
    fn add<const N: usize>(&mut self, words: [&str; N]) {
        self.words.extend(words.map(|word| Word::Text(word.to_owned())));
    }

    fn content(&mut self, name: &str, bytes: Vec<u8>) {
        self.words.push(Word::Content(Content { name: name.to_owned(), bytes }));
    }

    fn file(&mut self, dest: &str, mode: u32, bytes: Vec<u8>) {
        self.add(["--perms", &format!("{mode:04o}"), "--file"]);
        self.content(dest, bytes);
        self.add([dest]);
    }

    fn step(&mut self, action: &Action, app: &AppId) {
        let dest = action.dest().as_str();
        // `--dev` makes all that the plan has in /dev, but for real devices.
        let in_dev = dest.starts_with("/dev/");
        match action {
            Action::Folder { .. } if dest == "/dev" => self.add(["--dev", "/dev"]),
            Action::Folder { .. } => self.add(["--dir", dest]),
            Action::Link { target, .. } if !in_dev => self.add(["--symlink", target, dest]),
            Action::Tmpfs { mode, .. } if !in_dev => {
                self.add(["--perms", &format!("{mode:04o}"), "--tmpfs", dest]);
            }
            Action::Text { text, mode, .. } => self.file(dest, *mode, text.as_bytes().to_vec()),
            Action::Fill { slot, mode, .. } => {
                let bytes = match slot {
                    // A file that has gone since the plan was made is empty,
                    // as it is in a run.
                    Slot::Copy { source } => std::fs::read(source.as_str()).unwrap_or_default(),
                    // All cookies of the caller are more than the plan has.
                    Slot::XCookie { .. } => {
                        let what = "the cookie of the X server: an empty file stands in its place";
                        self.left_out.push(what.to_owned());
                        Vec::new()
                    }
                    Slot::Identity { .. } => format!("[Application]\nname={app}\n").into_bytes(),
                };
                self.file(dest, *mode, bytes);
            }
            Action::Bind { device: true, source, .. } if !MADE_BY_DEV.contains(&dest) => {
                self.add(["--dev-bind", source.as_str(), dest]);
            }
            Action::Bind { device: false, source, write, .. } => {
                self.add([if *write { "--bind" } else { "--ro-bind" }, source.as_str(), dest]);
            }
            Action::Close { kind: Kind::File, .. } => self.add(["--ro-bind", "/dev/null", dest]),
            Action::Close { kind: Kind::Folder, .. } => {
                self.add(["--tmpfs", dest, "--remount-ro", dest]);
            }
            Action::Proc { .. } => self.add(["--proc", dest]),
            Action::ReadOnly { .. } => self.add(["--ro-bind", dest, dest]),
            // The filter before a bus makes it; see `rest`.
            Action::Listen { .. }
            | Action::Tmpfs { .. }
            | Action::Link { .. }
            | Action::Bind { .. }
            | Action::DevPts { .. } => {}
        }
    }

    /// What bubblewrap has no words for.
    fn rest(&mut self, plan: &Plan) {
        self.left_out.push("landlock".to_owned());
        self.left_out.push("limits that processes carry along, such as on core dumps".to_owned());
        if plan.filter.is_some() {
            let what = "the buses: `pinfold bus-proxy` or xdg-dbus-proxy has to make their sockets";
            self.left_out.push(what.to_owned());
        }
        let unexecutable = |step: &&crate::model::plan::Step| {
            matches!(step.action, Action::Bind { exec: false, .. })
        };
        if plan.tree.iter().any(|step| unexecutable(&step)) {
            self.left_out.push("that programs in some folders cannot be started".to_owned());
        }
    }
}
