//! A world for one test: a fresh home and runtime folder, and what can be run
//! in it, inside a sandbox or outside.
//!
//! In acts, manifests and paths `~/` is the world's home, `@/` the world's
//! folder around it (to which no home belongs), `%/` the runtime folder.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The id of the application that the tests run, unless they say another.
pub const APP: &str = "org.example.Probe";

/// The program under test.
pub fn pinfold() -> PathBuf {
    from_environment("PINFOLD_BIN").unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_pinfold")))
}

/// The program under test as it is shipped, for what is done a thousand
/// times; else the debug build.
pub fn pinfold_release() -> PathBuf {
    from_environment("PINFOLD_RELEASE_BIN").filter(|path| path.exists()).unwrap_or_else(pinfold)
}

fn from_environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The probe, beside the program or where cargo leaves examples.
fn probe() -> PathBuf {
    let beside = pinfold().with_file_name("probe");
    if beside.exists() { beside } else { pinfold().with_file_name("examples").join("probe") }
}

/// Whether the long cases are asked for.
pub fn is_full() -> bool {
    std::env::var("PINFOLD_FULL").is_ok_and(|value| value == "1")
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// Whether the kernel is older than this version.
pub fn kernel_before(major: u32, minor: u32) -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < (major, minor)
}

/// One test's world; gone with the value.
pub struct World {
    dir: tempfile::TempDir,
}

impl World {
    /// A home with nothing in it.
    pub fn new() -> World {
        // Not in /tmp, which every sandbox has for itself: what is not seen
        // must be unseen because it was not granted.
        let base = std::env::var_os("HOME").unwrap_or_else(|| "/var/tmp".into());
        World::at(Path::new(&base))
    }

    /// The same where no sandbox has a folder of its own, as it has one for
    /// /var/tmp, where the home of the tests' root is: what is beneath such a
    /// folder landlock leaves to the application.
    pub fn beside_own_places() -> World {
        if is_root() { World::at(Path::new("/srv")) } else { World::new() }
    }

    fn at(base: &Path) -> World {
        let dir = tempfile::Builder::new().prefix("pinfold-").tempdir_in(base).unwrap();
        let world = World { dir };
        for path in [world.home(), world.runtime()] {
            fs::DirBuilder::new().mode(0o700).create(path).unwrap();
        }
        world.copy(probe(), "@/probe");
        world
    }

    /// The folder of everything; it also marks this world's processes.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    fn runtime(&self) -> PathBuf {
        self.root().join("run")
    }

    fn probe(&self) -> PathBuf {
        self.root().join("probe")
    }

    /// A text with the world's places put in.
    pub fn text(&self, text: &str) -> String {
        let places = [("~/", self.home()), ("@/", self.root().to_owned()), ("%/", self.runtime())];
        places.iter().fold(text.to_owned(), |text, (mark, place)| {
            text.replace(mark, &format!("{}/", place.display()))
        })
    }

    /// A path with the world's places put in; `~` alone is the home.
    pub fn path(&self, path: &str) -> PathBuf {
        if path == "~" { self.home() } else { PathBuf::from(self.text(path)) }
    }

    /// Makes a file, and the folders above it.
    pub fn file(&self, path: &str, content: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Copies a program. Another process does it: a descriptor of ours that
    /// can write would for a moment be open in what other tests start as well,
    /// and the kernel executes no file that somebody may write.
    pub fn copy(&self, from: impl AsRef<Path>, to: &str) -> PathBuf {
        let to = self.path(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let copied = Command::new("/bin/cp").arg(from.as_ref()).arg(&to).status().unwrap();
        assert!(copied.success(), "cannot copy {}", from.as_ref().display());
        set_mode(&to, 0o755);
        to
    }

    /// Makes a folder, and those above it.
    pub fn folder(&self, path: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Makes a link.
    pub fn link(&self, target: &str, path: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(self.text(target), path).unwrap();
    }

    /// What is in a file.
    pub fn content(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Whether a name is taken, by whatever.
    pub fn exists(&self, path: &str) -> bool {
        fs::symlink_metadata(self.path(path)).is_ok()
    }

    /// The names in a folder, in order.
    pub fn names(&self, path: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(path))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The application's own home, as the host sees it.
    pub fn own(&self, rest: &str) -> PathBuf {
        self.path(&format!("~/.local/share/pinfold/apps/{APP}/{rest}"))
    }

    /// An application whose acts are the probe's. `~/` and `@/` work in them.
    pub fn app(&self, acts: &str) -> App<'_> {
        let mut command = vec![self.probe().display().to_string()];
        command.extend(acts.split_whitespace().map(|word| self.text(word)));
        App {
            world: self,
            id: APP.to_owned(),
            command,
            manifest: String::new(),
            flags: Vec::new(),
            arguments: Vec::new(),
            before: Vec::new(),
            variables: Vec::new(),
            cwd: self.home(),
            input: None,
            program: pinfold(),
        }
    }

    /// An application whose command is any program with its arguments.
    pub fn program(&self, command: &[&str]) -> App<'_> {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        App { command, ..self.app("") }
    }

    /// Runs the probe outside, which shows that the acts work there.
    pub fn outside(&self, acts: &str) -> Run {
        let mut command = self.command(&self.probe());
        command.args(acts.split_whitespace().map(|word| self.text(word))).current_dir(self.home());
        finish(command, None)
    }

    /// A command in this world's environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.home())
            .env("USER", "ada")
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("XDG_RUNTIME_DIR", self.runtime())
            .current_dir(self.root());
        command
    }

    /// The processes of this world: those whose words name its folder, and the
    /// inits, which have no words, by their launcher or their application.
    pub fn processes(&self) -> Vec<i32> {
        let mark = self.root().display().to_string();
        let own = std::process::id() as i32;
        let mut found = Vec::new();
        let mut nameless = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok())
            else {
                continue;
            };
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            let status = String::from_utf8_lossy(&read("status")).into_owned();
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_default().trim().to_owned()
            };
            let parent = field("PPid:").parse::<i32>().unwrap_or_default();
            if pid == own {
                continue;
            } else if String::from_utf8_lossy(&read("cmdline")).contains(&mark) {
                found.push((pid, parent));
            } else if field("Name:") == "pinfold" {
                nameless.push((pid, parent));
            }
        }
        nameless.retain(|(pid, parent)| {
            found.iter().any(|(other, above)| other == parent || above == pid)
        });
        found.into_iter().chain(nameless).map(|(pid, _)| pid).collect()
    }

    /// The names of the records of running sandboxes.
    pub fn records(&self) -> Vec<String> {
        let mut names = self.beside_records();
        names.retain(|name| name.ends_with(".json"));
        names
    }

    /// Everything in the folder of records.
    fn beside_records(&self) -> Vec<String> {
        let folder = self.runtime().join("pinfold");
        if folder.exists() { self.names("%/pinfold") } else { Vec::new() }
    }

    /// The numbers under which portals find running sandboxes.
    pub fn places(&self) -> Vec<String> {
        if self.exists("%/.flatpak") { self.names("%/.flatpak") } else { Vec::new() }
    }

    /// Checks that no process, mount, record or control group is left.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        until("the sandbox's processes are gone", || self.processes().is_empty());
        assert_eq!(self.beside_records(), Vec::<String>::new(), "records are left");
        assert_eq!(self.places(), Vec::<String>::new(), "folders for portals are left");
        let mark = self.root().display().to_string();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&mark), "mounts are left:\n{mounts}");
        assert_eq!(control_groups(Path::new("/sys/fs/cgroup"), 0), Vec::<PathBuf>::new());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Folders that a test has shut could not be emptied.
        let path = self.root();
        let _ = Command::new("/bin/chmod")
            .args(["-R", "u+rwX"])
            .arg(path)
            .stderr(Stdio::null())
            .status();
    }
}

/// Control groups with our name.
fn control_groups(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir())) {
        if entry.file_name().to_string_lossy().contains("pinfold") {
            found.push(entry.path());
        }
        if depth < 5 {
            found.extend(control_groups(&entry.path(), depth + 1));
        }
    }
    found
}

/// Waits until something holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One application, about to be run.
pub struct App<'a> {
    world: &'a World,
    id: String,
    command: Vec<String>,
    manifest: String,
    flags: Vec<String>,
    arguments: Vec<String>,
    before: Vec<String>,
    variables: Vec<(String, String)>,
    cwd: PathBuf,
    input: Option<Stdio>,
    program: PathBuf,
}

impl App<'_> {
    /// More of the manifest, after the command. In it `@/` is put in, but not
    /// `~/`, which manifests understand themselves.
    pub fn manifest(mut self, text: &str) -> Self {
        let root = format!("{}/", self.world.root().display());
        self.manifest.push_str(&text.replace("@/", &root));
        self.manifest.push('\n');
        self
    }

    /// More of the manifest, in which nothing is put in: `@/` has a meaning of
    /// its own in the rules of buses.
    pub fn buses(mut self, text: &str) -> Self {
        self.manifest.push_str(text);
        self.manifest.push('\n');
        self
    }

    /// Another id.
    pub fn id(mut self, id: &str) -> Self {
        self.id = id.to_owned();
        self
    }

    /// Flags of `pinfold run`, in words.
    pub fn flags(mut self, flags: &str) -> Self {
        self.flags.extend(flags.split_whitespace().map(|word| self.world.text(word)));
        self
    }

    /// Arguments for the application, in words.
    pub fn arguments(mut self, arguments: &str) -> Self {
        self.arguments.extend(arguments.split_whitespace().map(|word| self.world.text(word)));
        self
    }

    /// A command that the program is handed to.
    pub fn before(mut self, command: &[&str]) -> Self {
        self.before = command.iter().map(|word| self.world.text(word)).collect();
        self
    }

    /// A variable of the caller's.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), self.world.text(value)));
        self
    }

    /// The caller's working folder; the home unless it is said.
    pub fn cwd(mut self, path: &str) -> Self {
        self.cwd = self.world.path(path);
        self
    }

    /// What the application reads.
    pub fn input(mut self, input: impl Into<Stdio>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// The shipped build in place of the debug one.
    pub fn release(mut self) -> Self {
        self.program = pinfold_release();
        self
    }

    /// Writes the manifest; gives its path.
    pub fn write(&self) -> PathBuf {
        let command = serde_json::to_string(&self.command).unwrap();
        let text =
            format!("schema = 1\nid = {:?}\ncommand = {command}\n{}", self.id, self.manifest);
        let place = format!("@/{}.toml", self.id);
        let path = self.world.path(&place);
        // Another run may be reading it.
        if fs::read_to_string(&path).is_ok_and(|there| there == text) {
            return path;
        }
        self.world.file(&place, &text)
    }

    /// The command that runs it, its manifest written.
    pub fn ready(&mut self) -> Command {
        let manifest = self.write();
        let mut words: Vec<String> = self.before.clone();
        words.push(self.program.display().to_string());
        words.push("run".to_owned());
        words.append(&mut self.flags);
        words.push(manifest.display().to_string());
        if !self.arguments.is_empty() {
            words.push("--".to_owned());
            words.append(&mut self.arguments);
        }
        let mut command = self.world.command(Path::new(&words[0]));
        command.args(&words[1..]).current_dir(&self.cwd);
        for (name, value) in &self.variables {
            command.env(name, value);
        }
        command
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn run(mut self) -> Run {
        let command = self.ready();
        finish(command, self.input.take())
    }

    /// Starts it, for a test that does something meanwhile.
    #[track_caller]
    pub fn start(mut self) -> Running {
        let command = self.ready();
        Running::new(command, self.input.take())
    }
}

/// Runs a command to its end, within bounds.
#[track_caller]
pub fn finish(command: Command, input: Option<Stdio>) -> Run {
    Running::new(command, input).finish()
}

/// A run that goes on; ends with the value.
pub struct Running {
    child: Child,
    output: mpsc::Receiver<Vec<u8>>,
    errors: mpsc::Receiver<Vec<u8>>,
    read: String,
    words: String,
}

impl Running {
    /// Starts a command.
    #[track_caller]
    pub fn new(mut command: Command, input: Option<Stdio>) -> Running {
        let words = format!("{command:?}");
        let mut child = command
            .stdin(input.unwrap_or_else(Stdio::null))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{words}: {error}"));
        let output = pump(child.stdout.take().unwrap());
        let errors = pump(child.stderr.take().unwrap());
        Running { child, output, errors, read: String::new(), words }
    }

    /// The launcher's process id.
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// Waits until the application has said a word.
    #[track_caller]
    pub fn await_word(&mut self, word: &str) {
        while !self.read.contains(word) {
            match self.output.recv_timeout(PATIENCE) {
                Ok(bytes) => self.read.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => {
                    let errors: Vec<u8> = self.errors.try_iter().flatten().collect();
                    panic!(
                        "{}: never said {word:?}, but: {}\n{}",
                        self.words,
                        self.read,
                        String::from_utf8_lossy(&errors)
                    );
                }
            }
        }
    }

    /// Sends the launcher a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        send(self.pid(), signal);
    }

    /// Waits for the end.
    #[track_caller]
    pub fn finish(mut self) -> Run {
        let status = self.wait();
        let mut output = std::mem::take(&mut self.read).into_bytes();
        collect(&self.output, &mut output, &self.words);
        let mut errors = Vec::new();
        collect(&self.errors, &mut errors, &self.words);
        Run {
            code: status.code(),
            signal: status.signal(),
            output: String::from_utf8_lossy(&output).into_owned(),
            errors: String::from_utf8_lossy(&errors).into_owned(),
            words: std::mem::take(&mut self.words),
        }
    }

    #[track_caller]
    fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        let words = self.words.clone();
        let child = &mut self.child;
        until(&format!("{words} ends"), || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A sandbox ends with its launcher.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to one process.
pub fn send(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

fn pump(mut from: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (to, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        while let Ok(length) = from.read(&mut buffer) {
            if length == 0 || to.send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Reads to the end, which comes when the last process has closed it.
#[track_caller]
fn collect(from: &mpsc::Receiver<Vec<u8>>, to: &mut Vec<u8>, words: &str) {
    loop {
        match from.recv_timeout(PATIENCE) {
            Ok(bytes) => to.extend(bytes),
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("{words}: something holds its output open after its end")
            }
        }
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub output: String,
    pub errors: String,
    words: String,
}

impl Run {
    /// Everything, for a failure's text.
    pub fn told(&self) -> String {
        format!(
            "{}\ncode {:?}, signal {:?}\n--- output\n{}\n--- errors\n{}",
            self.words, self.code, self.signal, self.output, self.errors
        )
    }

    /// Checks the exit code.
    #[track_caller]
    pub fn ended_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.told());
        self
    }

    /// Checks that a text was reported.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.errors.contains(text), "{text:?} is not said: {}", self.told());
        self
    }

    /// The probe's results.
    #[track_caller]
    pub fn results(&self) -> Vec<Value> {
        let line = self.output.lines().rev().find(|line| line.starts_with('['));
        line.and_then(|line| serde_json::from_str(line).ok())
            .unwrap_or_else(|| panic!("the probe told nothing: {}", self.told()))
    }

    #[track_caller]
    fn result(&self, at: usize) -> Value {
        self.results()
            .get(at)
            .cloned()
            .unwrap_or_else(|| panic!("there is no act {at}: {}", self.told()))
    }

    /// The value of an act that worked.
    #[track_caller]
    pub fn value(&self, at: usize) -> Value {
        let result = self.result(at);
        assert_eq!(result["ok"], true, "act {at}, {result}: {}", self.told());
        result["value"].clone()
    }

    /// Checks that every act worked, and the run with them.
    #[track_caller]
    pub fn all_work(&self) -> &Self {
        for (at, _) in self.results().iter().enumerate() {
            self.value(at);
        }
        self.ended_with(0)
    }

    /// Checks that an act was refused, with one of these errors.
    #[track_caller]
    pub fn refused(&self, at: usize, errors: &[&str]) -> &Self {
        let result = self.result(at);
        let errno = result["errno"].as_str().unwrap_or_default();
        assert!(
            result["ok"] == false && errors.contains(&errno),
            "act {at}, {result}, is not refused with {errors:?}: {}",
            self.told()
        );
        self
    }

    /// Checks that every act was refused, with one of these errors.
    #[track_caller]
    pub fn all_refused(&self, errors: &[&str]) -> &Self {
        for (at, _) in self.results().iter().enumerate() {
            self.refused(at, errors);
        }
        self
    }

    /// Checks that a text is nowhere in what the application found.
    #[track_caller]
    pub fn never_shows(&self, secret: &str) -> &Self {
        assert!(!self.output.contains(secret), "{secret:?} is shown: {}", self.told());
        self
    }
}

/// Errors of a path that is not there for the application.
pub const UNSEEN: &[&str] = &["ENOENT", "EACCES"];

/// Errors of a place that cannot be changed.
pub const FIXED: &[&str] = &["EROFS", "EACCES", "EPERM", "ENOENT"];

/// Changes a file's mode.
pub fn set_mode(path: impl AsRef<OsStr>, mode: u32) {
    let path = Path::new(path.as_ref());
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
