//! Trees that look like a host, and questions to the resolver about them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use pinfold::host::{Caller, HostFs, facts};
use pinfold::manifest::parse;
use pinfold::model::app_id::AppId;
use pinfold::model::facts::{HostFacts, KernelFacts};
use pinfold::model::manifest::{Policy, Settings};
use pinfold::model::origin::Layer;
use pinfold::model::path::AbsPath;
use pinfold::model::plan::{Plan, Tier};
use pinfold::report::Diagnostic;
use pinfold::resolve::{Forward, Request, resolve};
use tempfile::TempDir;

/// A path of a policy.
pub fn path(text: &str) -> AbsPath {
    AbsPath::new(text).unwrap()
}

/// A host as a folder. Where the tests run as root its account is made up;
/// otherwise it is whoever runs them, since only root can give files away.
pub struct Tree {
    dir: TempDir,
    /// The account's ids.
    pub uid: u32,
    pub gid: u32,
    as_root: bool,
}

impl Tree {
    pub fn new() -> Tree {
        let dir = tempfile::tempdir().unwrap();
        let about = fs::metadata(dir.path()).unwrap();
        let as_root = about.uid() == 0;
        let (uid, gid) = if as_root { (1000, 1000) } else { (about.uid(), about.gid()) };
        Tree { dir, uid, gid, as_root }
    }

    /// Where a path of the tree really is.
    pub fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    /// A folder, with those above it. Modes never depend on the umask: a
    /// folder that others can write means something to the resolver.
    pub fn folder(&self, path: &str) {
        let place = self.at(path);
        let above: Vec<&Path> =
            place.ancestors().take_while(|folder| *folder != self.dir.path()).collect();
        for folder in above.into_iter().rev() {
            if fs::symlink_metadata(folder).is_err() {
                fs::create_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
                fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
            }
        }
    }

    fn folder_of(&self, path: &str) {
        let above = Path::new(path).parent().and_then(Path::to_str).unwrap_or("/");
        self.folder(above);
    }

    pub fn file(&self, path: &str, text: &str) {
        self.folder_of(path);
        fs::write(self.at(path), text).unwrap_or_else(|e| panic!("{path}: {e}"));
        self.mode(path, 0o644);
    }

    pub fn program(&self, path: &str) {
        self.file(path, "");
        self.mode(path, 0o755);
    }

    pub fn link(&self, path: &str, target: &str) {
        self.folder_of(path);
        symlink(target, self.at(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    }

    /// A socket on which nobody listens any more: the name stays.
    pub fn socket(&self, path: &str) {
        self.folder_of(path);
        drop(UnixListener::bind(self.at(path)).unwrap_or_else(|e| panic!("{path}: {e}")));
    }

    pub fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), PermissionsExt::from_mode(mode)).unwrap();
    }

    /// Gives a path and all beneath it to the account.
    pub fn own(&self, path: &str) {
        if self.as_root {
            give(&self.at(path), self.uid, self.gid);
        }
    }

    /// Makes a folder look as if a third account had it, in the eyes of a
    /// caller whose id is given back: only root can give a folder away, and
    /// everybody else becomes a stranger in the tree.
    pub fn foreign(&self, path: &str) -> u32 {
        if self.as_root {
            lchown(self.at(path), Some(4242), Some(4242)).unwrap();
            self.uid
        } else {
            self.uid + 1
        }
    }

    pub fn fs(&self) -> HostFs {
        HostFs::at(self.dir.path()).unwrap()
    }
}

fn give(place: &Path, uid: u32, gid: u32) {
    lchown(place, Some(uid), Some(gid)).unwrap();
    if place.is_dir() && !place.is_symlink() {
        for entry in fs::read_dir(place).unwrap() {
            give(&entry.unwrap().path(), uid, gid);
        }
    }
}

/// A host and who asks on it.
pub struct Host {
    pub tree: Tree,
    pub environment: BTreeMap<String, String>,
    pub cwd: Option<AbsPath>,
    pub landlock_abi: u32,
}

impl Host {
    /// A tree with nothing in it but ada's account and one program, `app`.
    pub fn small() -> Host {
        let tree = Tree::new();
        tree.program("/usr/bin/app");
        tree.link("/bin", "usr/bin");
        let host = Host::of(tree, "/home/ada");
        host.tree.own("/home/ada");
        host
    }

    /// Ada's account with this home, a runtime folder and nothing else.
    pub fn of(tree: Tree, home: &str) -> Host {
        let (uid, gid) = (tree.uid, tree.gid);
        tree.file(
            "/etc/passwd",
            &format!("root:x:0:0:root:/root:/bin/bash\nada:x:{uid}:{gid}:Ada:{home}:/bin/bash\n"),
        );
        tree.file("/etc/group", &format!("root:x:0:\nada:x:{gid}:\n"));
        let runtime = format!("/run/user/{uid}");
        tree.folder(home);
        tree.folder(&runtime);
        tree.mode(&runtime, 0o700);
        tree.own(&runtime);
        let mut host =
            Host { tree, environment: BTreeMap::new(), cwd: Some(path(home)), landlock_abi: 6 };
        host.set("HOME", home);
        host.set("XDG_RUNTIME_DIR", &runtime);
        host
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// A path in the runtime folder.
    pub fn runtime(&self, rest: &str) -> String {
        format!("/run/user/{}/{rest}", self.tree.uid)
    }

    pub fn facts(&self) -> HostFacts {
        let caller = Caller {
            uid: self.tree.uid,
            gid: self.tree.gid,
            environment: self.environment.clone(),
            cwd: self.cwd.clone(),
            free_display: 17,
            kernel: KernelFacts { landlock_abi: self.landlock_abi, ..KernelFacts::default() },
        };
        let mut facts = facts::read(&self.tree.fs(), caller).unwrap();
        // The size of a file system is the one fact that a folder cannot fake,
        // and where the folder lies must not show in a plan.
        facts.shm_bytes = 1 << 30;
        facts
    }

    pub fn resolve(&self, settings: Settings, request: &Request) -> Result<Plan, Vec<Diagnostic>> {
        let policy = policy(settings);
        resolve(&policy, &self.facts(), &self.tree.fs(), request)
    }

    /// The plan that follows from manifests of the layers.
    pub fn plan(&self, layers: &[(Layer, &str)]) -> Plan {
        self.ask(layers, &nothing_more()).unwrap_or_else(|errors| panic!("{errors:#?}"))
    }

    pub fn refusal(&self, layers: &[(Layer, &str)]) -> Vec<Diagnostic> {
        match self.ask(layers, &nothing_more()) {
            Ok(plan) => panic!("not refused: {:#?}", plan.notes),
            Err(errors) => errors,
        }
    }

    pub fn ask(
        &self,
        layers: &[(Layer, &str)],
        request: &Request,
    ) -> Result<Plan, Vec<Diagnostic>> {
        self.resolve(try_settings(layers)?, request)
    }
}

/// What manifests of several layers state together. The command is there
/// unless one of them states another.
pub fn settings(layers: &[(Layer, &str)]) -> Settings {
    try_settings(layers).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// As [`settings`], where the grammar itself may refuse.
pub fn try_settings(layers: &[(Layer, &str)]) -> Result<Settings, Vec<Diagnostic>> {
    let mut all = read(Layer::Builtin, "command = [\"app\"]")?;
    for (layer, text) in layers {
        all = all.merge(read(*layer, text)?);
    }
    Ok(all)
}

fn read(layer: Layer, text: &str) -> Result<Settings, Vec<Diagnostic>> {
    let text = format!("schema = 1\n{text}");
    Ok(parse(text.as_bytes(), &format!("{layer}.toml"), layer)?.settings)
}

pub fn policy(settings: Settings) -> Policy {
    let id: AppId = "org.example.App".parse().unwrap();
    let files = vec![(Layer::Vendor, "vendor.toml".to_owned())];
    Policy { id, settings, files, unmet: Vec::new() }
}

/// A run without arguments, on a host where no application ran before.
pub fn nothing_more() -> Request {
    Request {
        arguments: Vec::new(),
        forward: Forward::Read,
        shell: false,
        only_looks: false,
        written: Vec::new(),
        tier: Tier::Namespaces,
    }
}
