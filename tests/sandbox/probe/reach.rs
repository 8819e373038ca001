//! Ways out: each of these acts works exactly if it reaches what it is after,
//! and else fails with the kernel's answer.

use std::fs::{self, File};
use std::io::Read;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::mount::{MountFlags, UnmountFlags};
use serde_json::{Value, json};

use super::{Answer, raw};

/// The variable that tells a process of an act which process is init.
pub const INIT: &str = "PROBE_INIT";

/// Init's number in the /proc that is to be seen: the probe is its child.
pub fn init() -> String {
    std::env::var(INIT).unwrap_or_else(|_| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        parent.unwrap_or("1").trim().to_owned()
    })
}

/// Does one of these acts; none is another name.
pub fn perform(act: &str, mut word: impl FnMut() -> String) -> Option<Answer> {
    let answer = match act {
        "read-by-fd" => by_descriptors(&word()),
        "read-open-file" => open_file(),
        "read-by-cwd" => fs::read_to_string(word()).map(Value::from),
        "read-by-dots" => by_dots(&word()),
        "getenv" => std::env::var(word()).map(Value::from).map_err(|_| Errno::ENOENT.into()),
        "find" => find(&word()).map(|pid| json!(pid)),
        "signal-found" => find(&word()).and_then(|pid| {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None)?;
            Ok(Value::Null)
        }),
        "read-found" => {
            let (pid, name) = (find(&word()), word());
            pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/{name}"))).map(Value::from)
        }
        "search" => search(&word(), &word()),
        "any-capability" => any_capability(),
        "other-interface" => other_interface(),
        "clone" => number(&word()).and_then(|flags| told(raw::clone(flags))),
        "clone3" => number(&word()).and_then(|flags| told(raw::clone3(flags as u64))),
        "chroot" => std::os::unix::fs::chroot(word()).map(|()| Value::Null),
        "mount-tmpfs" => {
            let place = word();
            let none: Option<&std::ffi::CStr> = None;
            let done = rustix::mount::mount("none", place, "tmpfs", MountFlags::empty(), none);
            done.map(|()| Value::Null).map_err(Into::into)
        }
        "mount-bind" => done(rustix::mount::mount_bind(word(), word())),
        "mount-writable" => done(rustix::mount::mount_remount(word(), MountFlags::BIND, c"")),
        "umount" => done(rustix::mount::unmount(word(), UnmountFlags::DETACH)),
        "pivot-root" => done(rustix::process::pivot_root(word(), word())),
        "keyring-new" => told(raw::new_keyring()),
        "key-add" => told(raw::add_key(&word())),
        "key-read" => told(raw::read_key(&word())),
        "queue-make" => told(raw::queue(&word(), true)),
        "queue-open" => told(raw::queue(&word(), false)),
        "queue-unlink" => told(raw::unlink_queue(&word())),
        "udp-ask" => udp_ask(&word()),
        "fast-open" => fast_open(&word()),
        "exec-as-other" => exec_as_other(&word()),
        "enter" => File::open(word()).and_then(|file| told(raw::enter(file.as_fd()))),
        _ => return None,
    };
    Some(answer)
}

fn done(result: rustix::io::Result<()>) -> Answer {
    result.map(|()| Value::Null).map_err(Into::into)
}

fn told<T: serde::Serialize>(result: Result<T, Errno>) -> Answer {
    Ok(json!(result?))
}

fn number(word: &str) -> Result<i64, std::io::Error> {
    word.parse().map_err(|_| std::io::Error::other(format!("{word:?} is no number")))
}

/// The descriptors that came with the start, with what they are open on.
fn handed_down() -> Result<Vec<(PathBuf, FileType)>, std::io::Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let number: i32 = entry.file_name().to_string_lossy().parse().unwrap_or(0);
        if number < 3 {
            continue;
        }
        if let Ok(stat) = rustix::fs::stat(entry.path()) {
            found.push((entry.path(), FileType::from_raw_mode(stat.st_mode)));
        }
    }
    Ok(found)
}

/// Reads a file by its name in whatever folder is open.
fn by_descriptors(name: &str) -> Answer {
    let mut last = Errno::EBADF.into();
    for (path, kind) in handed_down()? {
        if kind != FileType::Directory {
            continue;
        }
        match fs::read_to_string(path.join(name)) {
            Ok(text) => return Ok(json!(text)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Reads whatever file is open. Not by its name in /proc, which would be to
/// open it anew: by the descriptor itself.
fn open_file() -> Answer {
    for (path, kind) in handed_down()? {
        let number = path.file_name().and_then(|name| name.to_string_lossy().parse().ok());
        if let (FileType::RegularFile, Some(number)) = (kind, number) {
            return Ok(json!(raw::read_descriptor(number)?));
        }
    }
    Err(Errno::EBADF.into())
}

/// Goes as far up as folders go, and reads a path from there.
fn by_dots(path: &str) -> Answer {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    let mut folder = rustix::fs::open(".", flags, Mode::empty())?;
    for _ in 0..64 {
        folder = rustix::fs::openat(&folder, "..", flags, Mode::empty())?;
    }
    let path = path.trim_start_matches('/');
    let file = rustix::fs::openat(&folder, path, OFlags::RDONLY, Mode::empty())?;
    let mut text = String::new();
    File::from(file).read_to_string(&mut text)?;
    Ok(json!(text))
}

/// Looks for a word in every file beneath a folder that can be read. Left out
/// are what the kernel makes up and the system's programs.
fn search(folder: &str, wanted: &str) -> Answer {
    let mut left = vec![PathBuf::from(folder)];
    let (mut files, mut with) = (0, Vec::new());
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                let system = ["/proc", "/sys", "/usr"].iter().any(|made| path.starts_with(made));
                left.extend((!system).then_some(path));
            } else if kind.is_file() {
                let mut bytes = Vec::new();
                let read = File::open(&path).and_then(|f| f.take(1 << 16).read_to_end(&mut bytes));
                files += usize::from(read.is_ok());
                let mut windows = bytes.windows(wanted.len());
                if windows.any(|window| window == wanted.as_bytes()) {
                    with.push(path.display().to_string());
                }
            }
        }
    }
    Ok(json!({ "files": files, "with": with }))
}

/// The process that lingers under a word.
fn find(word: &str) -> Result<i32, std::io::Error> {
    let end = format!("\0linger\0{word}\0");
    for entry in fs::read_dir("/proc")?.flatten() {
        let pid = entry.file_name().to_string_lossy().parse::<i32>();
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if let (Ok(pid), true) = (pid, words.ends_with(end.as_bytes())) {
            return Ok(pid);
        }
    }
    Err(Errno::ESRCH.into())
}

fn any_capability() -> Answer {
    let status = fs::read_to_string("/proc/self/status")?;
    let sets = status.lines().filter(|line| line.starts_with("Cap"));
    let held: Vec<&str> =
        sets.filter(|line| line.bytes().any(|byte| (b'1'..=b'9').contains(&byte))).collect();
    if held.is_empty() { Err(Errno::EPERM.into()) } else { Ok(json!(held)) }
}

fn other_interface() -> Answer {
    let names = interfaces()?;
    match names.into_iter().find(|name| name != "lo") {
        Some(name) => Ok(json!(name)),
        None => Err(Errno::ENODEV.into()),
    }
}

/// The names of the interfaces of this process's own network.
pub fn interfaces() -> Result<Vec<String>, std::io::Error> {
    let text = fs::read_to_string("/proc/self/net/dev")?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim().to_owned())
        .collect())
}

/// Sends a datagram and waits for an answer.
fn udp_ask(address: &str) -> Answer {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.connect(address)?;
    socket.send(b"ask")?;
    let mut answer = [0; 16];
    let length = socket.recv(&mut answer)?;
    Ok(json!(String::from_utf8_lossy(&answer[..length])))
}

/// Connects by sending, which is no connect call.
fn fast_open(address: &str) -> Answer {
    let address: std::net::SocketAddrV4 =
        address.parse().map_err(|_| std::io::Error::other("no address"))?;
    Ok(json!(raw::fast_open(address)?))
}

/// Executes a set-user-id copy of this program, and looks who it became.
fn exec_as_other(path: &str) -> Answer {
    let output = Command::new(path).arg("ids").stdin(Stdio::inherit()).output()?;
    let ids: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let ids = &ids[0]["value"];
    if ids["euid"] == ids["uid"] { Err(Errno::EPERM.into()) } else { Ok(ids.clone()) }
}
