//! The probe: a program that does what it is told, and says what came of it.
//!
//! Its words are acts with their arguments, done in order; at the end it
//! prints one JSON array with an object for each: `act`, `ok`, `errno` (a
//! name, or null), `value`. The sandbox tests run it inside and outside, so
//! that what is refused inside is known to work elsewhere.
//!
//! It is static, so nothing has to be shown to it but itself.

mod bus;
// The client that misbehaves as it is told; the bus tier uses all of it.
#[allow(dead_code)]
#[path = "../../bus/client.rs"]
mod client;
mod raw;
mod reach;

use std::collections::BTreeMap;
use std::ffi::c_long;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use serde_json::{Value, json};

/// How much of a file is told.
const MOST: u64 = 64 << 10;

/// How long an act waits for another process at most.
const PATIENCE: Duration = Duration::from_secs(300);

/// What an act comes to.
type Answer = Result<Value, std::io::Error>;

/// The words that are left.
struct Words {
    rest: std::vec::IntoIter<String>,
    /// What is kept open until the end.
    kept: Vec<Box<dyn std::any::Any>>,
    /// The connection to a bus that was made last.
    bus: Option<bus::Connection>,
}

impl Words {
    fn next(&mut self) -> String {
        self.rest.next().unwrap_or_else(|| {
            eprintln!("probe: an act lacks an argument");
            std::process::exit(99);
        })
    }

    fn number<T: std::str::FromStr>(&mut self) -> T {
        let word = self.next();
        word.parse().unwrap_or_else(|_| {
            eprintln!("probe: {word:?} is no number");
            std::process::exit(99);
        })
    }

    /// The words up to one that ends them.
    fn until(&mut self, end: &str) -> Vec<String> {
        self.rest.by_ref().take_while(|word| word != end).collect()
    }
}

fn main() -> ExitCode {
    let all: Vec<String> = std::env::args().skip(1).collect();
    let mut words = Words { rest: all.into_iter(), kept: Vec::new(), bus: None };
    let mut results = Vec::new();
    let mut code = 0;
    while let Some(act) = words.rest.next() {
        if act == "exit" {
            code = words.number();
            break;
        }
        let answer = perform(&act, &mut words);
        results.push(match answer {
            Ok(value) => json!({ "act": act, "ok": true, "errno": null, "value": value }),
            Err(error) => json!({
                "act": act,
                "ok": false,
                "errno": named(&error),
                "value": error.to_string(),
            }),
        });
    }
    // Who reads this may have gone, which is not the probe's business.
    let _ = writeln!(std::io::stdout(), "{}", Value::Array(results));
    ExitCode::from(code)
}

/// The name of an error: the kernel's, or the last part of a bus's.
fn named(error: &std::io::Error) -> Option<String> {
    match error.raw_os_error() {
        Some(number) => Some(format!("{:?}", Errno::from_raw(number))),
        None => error.get_ref()?.downcast_ref::<bus::Refusal>().map(|refusal| refusal.0.clone()),
    }
}

fn perform(act: &str, words: &mut Words) -> Answer {
    match act {
        "read" | "list" | "stat" | "lstat" | "readlink" | "open-read" | "exec" | "write"
        | "append" | "open-write" | "create" | "truncate" | "mkdir" | "rmdir" | "unlink"
        | "rename" | "exchange" | "link" | "symlink" | "chmod" | "mknod" | "mkfifo" | "watch" => {
            files(act, words)
        }
        "connect-path" | "listen-path" | "connect-abstract" | "listen-abstract" | "connect-tcp"
        | "listen-tcp" | "loopback" | "send-datagram" => sockets(act, words),
        "status" | "mountinfo" | "fds" | "ns" | "pids" | "env" | "ids" | "cwd" | "args"
        | "interfaces" | "root-by-dots" | "hostname" => sights(act, words),
        "syscall" | "int80" | "unshare" | "tiocsti" | "tiocsti-high" | "tioclinux" => {
            calls(act, words)
        }
        "bus" | "call" | "emit" | "hear" | "heard" | "raw-bus" | "raw-answers" => {
            bus::act(act, words)
        }
        _ => reach::perform(act, || words.next()).unwrap_or_else(|| processes(act, words)),
    }
}

fn files(act: &str, words: &mut Words) -> Answer {
    let path = words.next().replace("/proc/init/", &format!("/proc/{}/", reach::init()));
    let nothing = Value::Null;
    match act {
        "read" => {
            let mut bytes = Vec::new();
            File::open(path)?.take(MOST).read_to_end(&mut bytes)?;
            Ok(json!(String::from_utf8_lossy(&bytes)))
        }
        "open-read" => File::open(path).map(|_| nothing),
        "watch" => {
            use rustix::fs::inotify;
            let watches = inotify::init(inotify::CreateFlags::CLOEXEC)?;
            inotify::add_watch(watches, path, inotify::WatchFlags::CREATE)?;
            Ok(nothing)
        }
        "list" => {
            let mut names = Vec::new();
            for entry in fs::read_dir(path)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort();
            Ok(json!(names))
        }
        "stat" => Ok(told(&fs::metadata(path)?)),
        "lstat" => Ok(told(&fs::symlink_metadata(path)?)),
        "readlink" => Ok(json!(fs::read_link(path)?.to_string_lossy())),
        "exec" => {
            let status = Command::new(path).status()?;
            Ok(json!({ "code": status.code(), "signal": status.signal() }))
        }
        "write" => fs::write(path, words.next()).map(|()| nothing),
        "append" => {
            let text = words.next();
            OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes())?;
            Ok(nothing)
        }
        // Never blocks, and writes nothing: some of these would stop the machine.
        "open-write" => OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map(|_| nothing),
        "create" => OpenOptions::new().write(true).create_new(true).open(path).map(|_| nothing),
        "truncate" => OpenOptions::new().write(true).open(path)?.set_len(0).map(|()| nothing),
        "mkdir" => fs::create_dir(path).map(|()| nothing),
        "rmdir" => fs::remove_dir(path).map(|()| nothing),
        "unlink" => fs::remove_file(path).map(|()| nothing),
        "rename" => fs::rename(path, words.next()).map(|()| nothing),
        "exchange" => {
            let other = words.next();
            let here = rustix::fs::CWD;
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            rustix::fs::renameat_with(here, &path, here, &other, flags)?;
            Ok(nothing)
        }
        "link" => fs::hard_link(path, words.next()).map(|()| nothing),
        "symlink" => std::os::unix::fs::symlink(path, words.next()).map(|()| nothing),
        "chmod" => {
            let mode = u32::from_str_radix(&path, 8)
                .map_err(|_| std::io::Error::other(format!("{path:?} is no mode")))?;
            fs::set_permissions(words.next(), fs::Permissions::from_mode(mode)).map(|()| nothing)
        }
        "mknod" => {
            let null = rustix::fs::makedev(1, 3);
            let mode = rustix::fs::Mode::from_raw_mode(0o666);
            rustix::fs::mknodat(
                rustix::fs::CWD,
                path,
                rustix::fs::FileType::CharacterDevice,
                mode,
                null,
            )?;
            Ok(nothing)
        }
        _ => {
            nix::unistd::mkfifo(path.as_str(), nix::sys::stat::Mode::S_IRWXU)?;
            Ok(nothing)
        }
    }
}

fn told(meta: &fs::Metadata) -> Value {
    let kind = if meta.is_symlink() {
        "link"
    } else if meta.is_dir() {
        "folder"
    } else if meta.is_file() {
        "file"
    } else {
        "other"
    };
    json!({
        "kind": kind,
        "mode": format!("{:o}", meta.mode() & 0o7777),
        "uid": meta.uid(),
        "gid": meta.gid(),
        "size": meta.size(),
        "inode": meta.ino(),
    })
}

fn sockets(act: &str, words: &mut Words) -> Answer {
    let kept: Box<dyn std::any::Any> = match act {
        "send-datagram" => {
            let to = rustix::net::SocketAddrUnix::new(words.next())?;
            // From a socket of a pair, which needs no socket of one's own.
            let (ours, _) = rustix::net::socketpair(
                rustix::net::AddressFamily::UNIX,
                rustix::net::SocketType::DGRAM,
                rustix::net::SocketFlags::CLOEXEC,
                None,
            )?;
            rustix::net::sendto(&ours, b"x", rustix::net::SendFlags::empty(), &to)?;
            Box::new(ours)
        }
        "connect-path" => Box::new(UnixStream::connect(words.next())?),
        "listen-path" => Box::new(UnixListener::bind(words.next())?),
        "connect-abstract" => Box::new(UnixStream::connect_addr(&SocketAddr::from_abstract_name(
            words.next().as_bytes(),
        )?)?),
        "listen-abstract" => Box::new(UnixListener::bind_addr(&SocketAddr::from_abstract_name(
            words.next().as_bytes(),
        )?)?),
        "connect-tcp" => Box::new(TcpStream::connect(words.next())?),
        "listen-tcp" => Box::new(TcpListener::bind(words.next())?),
        _ => {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            Box::new(TcpStream::connect(listener.local_addr()?)?)
        }
    };
    words.kept.push(kept);
    Ok(Value::Null)
}

fn sights(act: &str, words: &mut Words) -> Answer {
    match act {
        "status" => {
            let text = fs::read_to_string("/proc/self/status")?;
            let fields: BTreeMap<&str, &str> = text
                .lines()
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name, value.trim()))
                .collect();
            Ok(json!(fields))
        }
        "mountinfo" => {
            let text = fs::read_to_string("/proc/self/mountinfo")?;
            let mounts: Vec<Value> = text
                .lines()
                .map(|line| {
                    let fields: Vec<&str> = line.split(' ').collect();
                    json!({ "place": fields[4], "options": fields[5], "root": fields[3] })
                })
                .collect();
            Ok(json!(mounts))
        }
        "fds" => {
            let names: Vec<_> = fs::read_dir("/proc/self/fd")?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<_, _>>()?;
            // The descriptor of the listing itself is closed by now.
            let open: BTreeMap<String, String> = names
                .into_iter()
                .filter_map(|path| {
                    let target = fs::read_link(&path).ok()?;
                    let name = path.file_name()?.to_string_lossy().into_owned();
                    Some((name, target.to_string_lossy().into_owned()))
                })
                .collect();
            Ok(json!(open))
        }
        "ns" => {
            let mut all = BTreeMap::new();
            for kind in ["user", "mnt", "pid", "ipc", "uts", "cgroup", "net"] {
                let link = fs::read_link(format!("/proc/self/ns/{kind}"))?;
                all.insert(kind, link.to_string_lossy().into_owned());
            }
            Ok(json!(all))
        }
        "pids" => {
            let mut all = BTreeMap::new();
            for entry in fs::read_dir("/proc")? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.bytes().all(|byte| byte.is_ascii_digit()) {
                    let comm = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
                    all.insert(name, comm.trim().to_owned());
                }
            }
            Ok(json!(all))
        }
        "env" => Ok(json!(std::env::vars().collect::<BTreeMap<String, String>>())),
        "ids" => Ok(json!({
            "uid": rustix::process::getuid().as_raw(),
            "euid": rustix::process::geteuid().as_raw(),
            "gid": rustix::process::getgid().as_raw(),
            "groups": rustix::process::getgroups()?.iter().map(|g| g.as_raw()).collect::<Vec<_>>(),
        })),
        "cwd" => Ok(json!(std::env::current_dir()?.to_string_lossy())),
        "args" => Ok(json!(words.rest.by_ref().collect::<Vec<String>>())),
        "interfaces" => Ok(json!(reach::interfaces()?)),
        "hostname" => Ok(json!(rustix::system::uname().nodename().to_string_lossy())),
        _ => {
            // As far up as folders go, by descriptor, from the one that the
            // launcher was in.
            let mut folder = File::open(".")?;
            for _ in 0..64 {
                let up = rustix::fs::openat(
                    &folder,
                    "..",
                    rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY,
                    rustix::fs::Mode::empty(),
                )?;
                folder = File::from(up);
            }
            let top = format!("/proc/self/fd/{}", folder.as_raw_fd());
            let mut names: Vec<String> = fs::read_dir(top)?
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<Result<_, std::io::Error>>()?;
            names.sort();
            Ok(json!(names))
        }
    }
}

fn calls(act: &str, words: &mut Words) -> Answer {
    const TERMINAL: i32 = 0;
    let answer = match act {
        "syscall" => {
            let number = words.number::<c_long>();
            let mut given = [0; 6];
            for (place, word) in given.iter_mut().zip(words.until("end")) {
                *place = word.parse().map_err(|_| std::io::Error::other(word))?;
            }
            raw::call(number, given)
        }
        "int80" => {
            let number = words.number::<i32>();
            raw::int80(number, [words.number(), words.number(), 0])
        }
        "unshare" => raw::call(libc::SYS_unshare, [words.number(), 0, 0, 0, 0, 0]),
        "tiocsti" => raw::ioctl_byte(TERMINAL, libc::TIOCSTI, b'x'),
        // The kernel looks at the lower half only.
        "tiocsti-high" => raw::ioctl_byte(TERMINAL, 0x123 << 32 | libc::TIOCSTI, b'x'),
        _ => raw::ioctl_byte(TERMINAL, libc::TIOCLINUX, 0),
    };
    Ok(json!(answer?))
}

/// Does acts in a process of their own. It reads what this one reads: where
/// devices are shut there is nothing else that it could read.
fn apart(acts: Vec<String>) -> Answer {
    let output = Command::new("/proc/self/exe")
        .args(acts)
        .env(reach::INIT, reach::init())
        .stdin(Stdio::inherit())
        .output()?;
    let results: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    Ok(json!({
        "code": output.status.code(),
        "signal": output.status.signal(),
        "results": results,
    }))
}

fn processes(act: &str, words: &mut Words) -> Answer {
    match act {
        // A process of its own for acts that may be its last.
        "apart" => apart(words.until("end")),
        // The same, for acts that have an end of their own.
        "case" => apart(words.until("next")),
        // Said at once, for whoever waits for it.
        "say" => {
            let mut out = std::io::stdout();
            writeln!(out, "{}", words.next())?;
            out.flush()?;
            Ok(Value::Null)
        }
        "wait-for" => {
            let path = words.next();
            let since = Instant::now();
            while fs::symlink_metadata(&path).is_err() {
                if since.elapsed() > PATIENCE {
                    return Err(Errno::ETIMEDOUT.into());
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(Value::Null)
        }
        // Long enough for any test, and bounded all the same.
        "linger" => {
            std::thread::sleep(PATIENCE);
            Ok(Value::Null)
        }
        "leave-behind" => {
            let acts = words.until("end");
            let child = Command::new("/proc/self/exe").args(acts).spawn()?;
            Ok(json!(child.id()))
        }
        "signal" => {
            let pid: i32 = words.number();
            let number: i32 = words.number();
            let signal = match number {
                0 => None,
                number => Some(nix::sys::signal::Signal::try_from(number)?),
            };
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal)?;
            Ok(Value::Null)
        }
        "signal-self" => {
            let number: i32 = words.number();
            nix::sys::signal::raise(nix::sys::signal::Signal::try_from(number)?)?;
            Ok(Value::Null)
        }
        // Every process in reach, over and over, until a path is there.
        "stop-all" => {
            let until = words.next();
            while !std::path::Path::new(&until).exists() {
                raw::call(libc::SYS_kill, [-1, libc::SIGSTOP.into(), 0, 0, 0, 0]).ok();
            }
            Ok(Value::Null)
        }
        "take-input" => {
            let mut text = String::new();
            std::io::stdin().take(MOST).read_to_string(&mut text)?;
            Ok(json!(text))
        }
        "block-signal" => {
            let number: i32 = words.number();
            let mut set = nix::sys::signal::SigSet::empty();
            set.add(nix::sys::signal::Signal::try_from(number)?);
            set.thread_block()?;
            Ok(Value::Null)
        }
        // Takes one signal, and tells whether it came a second time.
        "await-signal" => {
            let number: i32 = words.number();
            let mut set = nix::sys::signal::SigSet::empty();
            set.add(nix::sys::signal::Signal::try_from(number)?);
            set.thread_block()?;
            println!("waiting");
            set.wait()?;
            std::thread::sleep(Duration::from_millis(300));
            let text = fs::read_to_string("/proc/self/status")?;
            let pending = text
                .lines()
                .filter_map(|line| line.strip_prefix("SigPnd:").or(line.strip_prefix("ShdPnd:")))
                .filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok())
                .any(|mask| mask >> (number - 1) & 1 == 1);
            Ok(json!(if pending { "twice" } else { "once" }))
        }
        // Descriptors as a careless parent leaves them: open across exec.
        "junk-fds" => {
            let count: usize = words.number();
            let path = words.next();
            for _ in 0..count {
                let flags = rustix::fs::OFlags::RDONLY;
                let fd = rustix::fs::open(&path, flags, rustix::fs::Mode::empty())?;
                words.kept.push(Box::new(fd));
            }
            Ok(json!(count))
        }
        "become" => {
            let program = words.next();
            Err(Command::new(program).args(words.rest.by_ref()).exec())
        }
        other => {
            eprintln!("probe: there is no act {other:?}");
            std::process::exit(99);
        }
    }
}
