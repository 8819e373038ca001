//! Where hostile acts are done: a home with secrets in it, and around it all
//! that a careless caller and a lively session leave within reach.

use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use pinfold::model::barrier::Barrier;
use serde_json::Value;

use super::{Acts, Case, How, Verdict};
use crate::world::{Run, World, finish, is_root, set_mode};

/// What is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scene {
    /// Nothing but the folder of the program itself.
    Nothing,
    /// A folder to read and one to write, with a hole in it.
    Folders,
    /// The whole home, to write.
    Home,
    /// The host's network.
    Network,
    /// Nothing, on a terminal.
    Terminal,
    /// Nothing, and acts on init, which has no rights in any of the runs: who
    /// has fewer rights than it cannot look at it nor slow it down.
    Init,
}

impl Scene {
    pub const ALL: [Scene; 6] =
        [Scene::Nothing, Scene::Folders, Scene::Home, Scene::Network, Scene::Terminal, Scene::Init];

    /// The barrier that is never left out here, but alone.
    pub fn kept(self) -> Option<Barrier> {
        (self == Scene::Init).then_some(Barrier::Privileges)
    }

    fn manifest(self) -> String {
        let program = "{ path = \"@/tools\", exec = true }";
        match self {
            Scene::Nothing | Scene::Terminal | Scene::Init => {
                format!("[filesystem]\nread = [{program}]")
            }
            Scene::Folders => format!(
                "[filesystem]\nread = [{program}, {{ path = \"@/papers\", exec = false }}]\n\
                 write = [\"@/music\"]\ndeny = [\"@/music/private\"]"
            ),
            Scene::Home => format!("[filesystem]\nread = [{program}]\nwrite = [\"~\"]"),
            Scene::Network => {
                format!("[filesystem]\nread = [{program}]\n[network]\nmode = \"host\"")
            }
        }
    }
}

/// The key of System V objects, and with the world's name that of others.
const KEY: i64 = 0x70696e66;

/// One site. In acts `{victim}` is a process outside, `{abstract}` an
/// abstract socket, `{tcp}` and `{udp}` addresses, `{key}` a System V key,
/// `{queue}` a POSIX message queue.
pub struct Site {
    pub world: World,
    scene: Scene,
    victim: Child,
    name: String,
    key: i64,
    tcp: TcpListener,
    udp: UdpSocket,
    datagrams: UnixDatagram,
    _listeners: Vec<UnixListener>,
    terminal: Option<(File, File)>,
}

impl Site {
    pub fn new(scene: Scene) -> Site {
        let world = World::beside_own_places();
        world.copy(world.path("@/probe"), "@/tools/probe");
        world.file("@/vault/a", "s3cret");
        world.file("@/papers/a", "open");
        world.file("@/music/a", "open");
        world.copy("/usr/bin/true", "@/papers/program");
        world.file("@/music/private/a", "s3cret");
        let name = world.root().file_name().unwrap().to_string_lossy().into_owned();
        if is_root() {
            make_roots_files(&world);
        }
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let mut listeners = vec![UnixListener::bind_addr(&address).unwrap()];
        for path in ["%/bus", "@/socket"] {
            listeners.push(UnixListener::bind(world.path(path)).unwrap());
        }
        let datagrams = UnixDatagram::bind(world.path("@/datagrams")).unwrap();
        datagrams.set_nonblocking(true).unwrap();
        let victim = world
            .command(&world.path("@/tools/probe"))
            .args(["linger", &name])
            .env("TOKEN", "s3cret")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let answers = udp.try_clone().unwrap();
        answers.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 16];
            // Ends with an empty datagram, which the site sends itself.
            loop {
                match answers.recv_from(&mut buffer) {
                    Ok((0, _)) => return,
                    Ok((_, from)) => drop(answers.send_to(b"s3cret", from)),
                    Err(_) => {}
                }
            }
        });
        let terminal = (scene == Scene::Terminal).then(|| {
            let pty = nix::pty::openpty(None, None).unwrap();
            (File::from(pty.master), File::from(pty.slave))
        });
        let key = KEY + i64::from(victim.id());
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let site = Site {
            world,
            scene,
            victim,
            name,
            key,
            tcp,
            udp,
            datagrams,
            _listeners: listeners,
            terminal,
        };
        let make = libc::IPC_CREAT | 0o600;
        let objects = format!(
            "syscall {} {key} {make} end syscall {} {key} 4096 {make} end syscall {} {key} 1 \
             {make} end queue-make {}",
            libc::SYS_msgget,
            libc::SYS_shmget,
            libc::SYS_semget,
            site.name
        );
        site.world.outside(&objects).all_work();
        site
    }

    /// A text with the site's places put in.
    pub fn text(&self, acts: &str) -> String {
        let udp = self.udp.local_addr().unwrap().to_string();
        let places = [
            ("{victim}", self.name.clone()),
            ("{abstract}", self.name.clone()),
            ("{queue}", self.name.clone()),
            ("{key}", self.key.to_string()),
            ("{groups}", control_group()),
            ("{tcp}", self.tcp.local_addr().unwrap().to_string()),
            ("{udp}", udp),
        ];
        places.iter().fold(self.world.text(acts), |text, (mark, place)| text.replace(mark, place))
    }

    /// The home as every run finds it.
    pub fn reset(&self) {
        let home = self.world.path("~");
        for entry in fs::read_dir(&home).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                fs::remove_dir_all(entry.path()).unwrap();
            } else {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        let _ = fs::remove_file(self.world.path("@/signalled"));
        // A full queue would keep the next who sends waiting.
        while self.datagrams.recv(&mut [0; 16]).is_ok() {}
        self.world.file("~/secret", "s3cret");
        self.world.file("~/.ssh/id", "s3cret");
        self.world.file("~/.profile", "mine");
        self.world.folder("~/.config");
        self.world.folder("~/.local/share");
        let _ = fs::rename(self.world.path("@/music/public"), self.world.path("@/music/private"));
        set_mode(self.world.path("@/music/private"), 0o755);
        set_mode(self.world.path("@/music/a"), 0o644);
    }

    /// The command that leaves within reach what a careless caller leaves.
    pub fn caller(&self) -> Vec<String> {
        let caller = "@/tools/probe keyring-new key-add {victim} junk-fds 3 @/vault \
                      junk-fds 1 @/vault/a become";
        // A session of its own, in which somebody notes that a window changed.
        let session = if self.terminal.is_some() { "--ctty" } else { "--wait" };
        let watch = format!("trap ': >{}' WINCH; \"$@\"", self.text("@/signalled"));
        let words = ["/usr/bin/setsid", "--wait", session, "/bin/sh", "-c", &watch, "sh"];
        let caller = self.text(caller);
        words.into_iter().chain(caller.split_whitespace()).map(str::to_owned).collect()
    }

    /// Whether a signal has come to the caller's process group.
    pub fn was_signalled(&self) -> bool {
        self.world.exists("@/signalled")
    }

    fn words(&self, cases: &[&Case]) -> Vec<String> {
        let mut words = vec![self.text("@/tools/probe")];
        for case in cases {
            let How::Acts(acts) = &case.how else { continue };
            words.push("case".to_owned());
            words.extend(self.text(&acts.acts).split_whitespace().map(str::to_owned));
            words.push("next".to_owned());
        }
        words
    }

    /// Does the acts inside, with some barriers left out.
    pub fn inside(&self, cases: &[&Case], without: &str) -> Vec<Verdict> {
        self.reset();
        let words = self.words(cases);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let before = self.caller();
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        let mut app = self
            .world
            .program(&words)
            .manifest(&self.scene.manifest())
            .before(&before)
            .variable("TOKEN", "s3cret")
            .variable("PINFOLD_WITHOUT", without)
            .cwd("@/vault");
        if let Some((_, terminal)) = &self.terminal {
            app = app.input(terminal.try_clone().unwrap());
        }
        let run = app.run();
        run.ended_with(0);
        self.verdicts(cases, &run)
    }

    /// Does the acts of a case outside, or as root of namespaces of its own.
    pub fn outside(&self, case: &Case, contained: bool) -> Verdict {
        self.verdicts(&[case], &self.run_outside(case, contained)).remove(0)
    }

    fn run_outside(&self, case: &Case, contained: bool) -> Run {
        self.reset();
        let mut words = self.caller();
        if contained {
            let own = "/usr/bin/unshare --user --map-root-user --mount --net --ipc --uts";
            words.extend(own.split(' ').map(str::to_owned));
        }
        words.extend(self.words(&[case]));
        let mut command = self.world.command(Path::new(&words[0]));
        command.args(&words[1..]).env("TOKEN", "s3cret").current_dir(self.world.path("@/vault"));
        let input = self.terminal.as_ref().map(|(_, terminal)| terminal.try_clone().unwrap());
        finish(command, input.map(Stdio::from))
    }

    fn verdicts(&self, cases: &[&Case], run: &Run) -> Vec<Verdict> {
        let results = run.results();
        assert_eq!(results.len(), cases.len(), "{}", run.told());
        let acts = cases.iter().filter_map(|case| match &case.how {
            How::Acts(acts) => Some(acts),
            _ => None,
        });
        acts.zip(results).map(|(acts, result)| self.verdict(acts, &result["value"])).collect()
    }

    fn verdict(&self, acts: &Acts, apart: &Value) -> Verdict {
        if let Some(happened) = acts.happened {
            return if happened(self) { Verdict::Reached } else { Verdict::Stopped };
        }
        if apart["signal"] == libc::SIGSYS {
            return Verdict::Stopped;
        }
        let Some(last) = apart["results"].as_array().and_then(|results| results.last()) else {
            return Verdict::Unclear(apart.to_string());
        };
        let errno = last["errno"].as_str().unwrap_or_default();
        if last["ok"] == true {
            Verdict::Reached
        } else if acts.stopped.contains(&errno) {
            Verdict::Stopped
        } else if last["act"] == "syscall" || last["act"] == "int80" {
            // The kernel's own complaint about the words: the call was made.
            Verdict::Reached
        } else {
            Verdict::Unclear(last.to_string())
        }
    }

    /// Whether the machine does not have what a case tries: that is what it
    /// says outside as well.
    pub fn is_missing(&self, case: &Case) -> bool {
        let results = self.run_outside(case, false).results();
        let last = results[0]["value"]["results"].as_array().and_then(|all| all.last().cloned());
        let answers = ["ENOSYS", "EAFNOSUPPORT", "ENODEV", "EIO", "ENOENT"];
        last.is_some_and(|last| answers.iter().any(|errno| last["errno"] == *errno))
    }
}

/// A file by which processes are put into a control group of the machine's.
fn control_group() -> String {
    let places = ["", "unified/", "systemd/", "memory/"];
    let mut paths = places.map(|place| format!("/sys/fs/cgroup/{place}cgroup.procs")).into_iter();
    paths.find(|path| Path::new(path).exists()).unwrap_or_default()
}

/// What only root can leave lying about.
fn make_roots_files(world: &World) {
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
    let other = world.copy(world.path("@/probe"), "@/tools/other");
    std::os::unix::fs::chown(&other, Some(65534), None).unwrap();
    set_mode(&other, 0o4755);
    let mode = Mode::from_raw_mode(0o666);
    let device = world.path("@/music/device");
    mknodat(CWD, &device, FileType::CharacterDevice, mode, makedev(1, 3)).unwrap();
    set_mode(&device, 0o666);
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        let _ = self.udp.send_to(b"", self.udp.local_addr().unwrap());
        let key = self.key.to_string();
        let _ = std::process::Command::new("/usr/bin/ipcrm")
            .args(["-Q", &key, "-M", &key, "-S", &key])
            .stderr(Stdio::null())
            .status();
        let _ = self.world.outside(&format!("queue-unlink {}", self.name));
    }
}
