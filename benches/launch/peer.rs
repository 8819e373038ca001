//! The same sandbox, as far as bubblewrap can build it: its arguments are
//! made from the very plan that Pinfold carries out.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use pinfold::freeze::seccomp;
use pinfold::model::plan::{Action, Kind, Plan, Slot};

use crate::rounds::Command;

/// The command that gives an application the plan of `manifest`, with this
/// filter of system calls or with the plan's own, and this socket in the place
/// of the session bus.
pub fn bubblewrap(
    pinfold: &Path,
    manifest: &str,
    extra: &[&str],
    filter: Option<&[u8]>,
    bus: Option<&str>,
) -> Result<Command, String> {
    let output = std::process::Command::new(pinfold)
        .args(["plan", "--json", manifest])
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let plan: Plan = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let mut words = Words { list: Vec::new(), held: Vec::new(), bus };
    words.plan(&plan, filter)?;
    words.list.extend(extra.iter().map(|word| (*word).to_owned()));
    words.add(["--", plan.process.program.as_str()]);
    let arguments = plan.process.arguments.iter().skip(1).cloned();
    words.list.extend(arguments);
    let mut command = Command::new("bubblewrap", Path::new("/usr/bin/bwrap"), words.list);
    command.held = words.held;
    Ok(command)
}

struct Words<'a> {
    list: Vec<String>,
    held: Vec<OwnedFd>,
    /// The socket that the proxy before the session bus makes.
    bus: Option<&'a str>,
}

impl Words<'_> {
    fn add<const N: usize>(&mut self, words: [&str; N]) {
        self.list.extend(words.map(str::to_owned));
    }

    /// A descriptor that bubblewrap inherits, with this content.
    fn memory(&mut self, content: &[u8]) -> Result<String, String> {
        let fd = rustix::fs::memfd_create("bench", rustix::fs::MemfdFlags::empty())
            .map_err(|errno| errno.to_string())?;
        rustix::io::write(&fd, content).map_err(|errno| errno.to_string())?;
        let number = fd.as_raw_fd().to_string();
        self.held.push(fd);
        Ok(number)
    }

    fn plan(&mut self, plan: &Plan, filter: Option<&[u8]>) -> Result<(), String> {
        self.add([
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
            self.add(["--unshare-net"]);
        }
        for step in &plan.tree {
            self.step(&step.action)?;
        }
        self.add(["--remount-ro", "/", "--clearenv", "--chdir", plan.process.cwd.as_str()]);
        for (name, value) in &plan.process.environment {
            self.add(["--setenv", name, value]);
        }
        let arch = seccomp::Arch::native().ok_or("no filter for this processor")?;
        let own: Vec<u8> = seccomp::program(&plan.syscalls, arch)
            .iter()
            .flat_map(|word| {
                let mut bytes = word.code.to_ne_bytes().to_vec();
                bytes.extend([word.jt, word.jf]);
                bytes.extend(word.k.to_ne_bytes());
                bytes
            })
            .collect();
        let filter = self.memory(filter.unwrap_or(&own))?;
        self.add(["--seccomp", &filter]);
        Ok(())
    }

    fn step(&mut self, action: &Action) -> Result<(), String> {
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
            Action::Text { text, mode, .. } => {
                let fd = self.memory(text.as_bytes())?;
                self.add(["--perms", &format!("{mode:04o}"), "--file", &fd, dest]);
            }
            Action::Fill { slot, mode, .. } => {
                let content = match slot {
                    Slot::Copy { source: path } | Slot::XCookie { authority: path, .. } => {
                        std::fs::read(path.as_str()).unwrap_or_default()
                    }
                    Slot::Identity { .. } => b"[Application]\nname=org.example.App\n".to_vec(),
                };
                let fd = self.memory(&content)?;
                self.add(["--perms", &format!("{mode:04o}"), "--file", &fd, dest]);
            }
            Action::Bind { device: true, source, .. } if !MADE_BY_DEV.contains(&dest) => {
                self.add(["--dev-bind", source.as_str(), dest]);
            }
            Action::Bind { device: false, source, write, .. } => {
                self.add([if *write { "--bind" } else { "--ro-bind" }, source.as_str(), dest]);
            }
            Action::Close { kind: Kind::File, .. } => self.add(["--ro-bind", "/dev/null", dest]),
            Action::Close { kind: Kind::Folder, .. } => {
                self.add(["--tmpfs", dest, "--remount-ro", dest])
            }
            Action::Listen { .. } => {
                if let Some(socket) = self.bus {
                    self.add(["--bind", socket, dest]);
                }
            }
            Action::Proc { .. } => self.add(["--proc", dest]),
            Action::ReadOnly { .. } => self.add(["--ro-bind", dest, dest]),
            Action::Tmpfs { .. }
            | Action::Link { .. }
            | Action::Bind { .. }
            | Action::DevPts { .. } => {}
        }
        Ok(())
    }
}

/// The device files that `--dev` shows.
const MADE_BY_DEV: [&str; 6] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"];
