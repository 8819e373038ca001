//! Running applications, inside and outside, and looking at what they do.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::desk::{Desk, end, wait_for};
use crate::picture::Picture;

/// How long a window may take on a busy machine.
const WINDOW: Duration = Duration::from_secs(30);

/// The program under test.
pub fn pinfold() -> PathBuf {
    std::env::var_os("PINFOLD_BIN")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_pinfold")), PathBuf::from)
}

/// A window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its X id.
    pub id: String,
    /// Its title.
    pub title: String,
}

/// A running application; it ends with this.
pub struct App {
    child: Child,
    /// The folder of its output.
    log: PathBuf,
}

impl App {
    /// Starts `pinfold run` with these arguments.
    pub fn inside(desk: &Desk, home: &Path, arguments: &[&str]) -> App {
        App::inside_with(desk, home, arguments, |_| {})
    }

    /// The same in a changed session.
    pub fn inside_with(
        desk: &Desk,
        home: &Path,
        arguments: &[&str],
        change: impl FnOnce(&mut Command),
    ) -> App {
        let mut command = desk.command(home, &pinfold().to_string_lossy());
        command.args(["run", "--status-fd", "1"]).args(arguments);
        change(&mut command);
        App::start(command, home)
    }

    /// Starts a program as it is.
    pub fn outside(desk: &Desk, home: &Path, command: &[&str]) -> App {
        let mut process = desk.outside(home, command[0]);
        process.args(&command[1..]);
        App::start(process, home)
    }

    fn start(mut command: Command, home: &Path) -> App {
        let log = home.with_extension("log");
        fs::create_dir_all(&log).expect("a folder for the output");
        let file = |name: &str| File::create(log.join(name)).expect("a file for the output");
        command.stdout(file("out")).stderr(file("err"));
        App { child: command.spawn().expect("setpriv starts"), log }
    }

    /// What it has written to its standard output.
    pub fn output(&self) -> String {
        read(&self.log.join("out"))
    }

    /// What it has written to its error output.
    pub fn errors(&self) -> String {
        read(&self.log.join("err"))
    }

    /// Waits for its end and gives its exit code.
    pub fn exit_code(&mut self) -> Result<i32, String> {
        wait_for(WINDOW, || self.child.try_wait().ok().flatten())
            .and_then(|status| status.code())
            .ok_or_else(|| format!("it does not end by itself: {}", self.errors()))
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The process id outside of the application inside: the child of the
    /// sandbox's first process.
    pub fn process(&self) -> Result<i32, String> {
        let init = wait_for(WINDOW, || self.started())
            .ok_or_else(|| format!("it did not start: {}", self.errors()))?;
        wait_for(WINDOW, || child_of(init)).ok_or_else(|| "nothing runs inside".to_owned())
    }

    fn started(&self) -> Option<i64> {
        let output = self.output();
        let event = output.lines().find_map(|line| {
            serde_json::from_str::<serde_json::Value>(line)
                .ok()
                .filter(|value| value["event"] == "started")
        })?;
        event["init"].as_i64()
    }

    /// A place as the application finds it. Who owns the sandbox's outer user
    /// namespace may look into it from outside.
    pub fn place(&self, path: &Path) -> Result<PathBuf, String> {
        let root = PathBuf::from(format!("/proc/{}/root", self.process()?));
        // Without this control, no access at all would pass for a denial.
        if !root.join("usr/bin").is_dir() {
            return Err(format!("cannot look into {}", root.display()));
        }
        Ok(root.join(path.strip_prefix("/").unwrap_or(path)))
    }

    /// Waits for a window of one of these classes whose title holds a text.
    pub fn window(&mut self, desk: &Desk, classes: &[&str], title: &str) -> Result<Window, String> {
        let found = wait_for(WINDOW, || {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(Err(format!("it ended ({status}): {}", self.errors())));
            }
            windows(desk)
                .into_iter()
                .find(|(class, window)| {
                    classes.contains(&class.as_str()) && window.title.contains(title)
                })
                .map(|(_, window)| Ok(window))
        });
        found.unwrap_or_else(|| {
            let all = windows(desk);
            Err(format!("no window of {classes:?} in time, but {all:?}: {}", self.errors()))
        })
    }
}

impl Drop for App {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// A living child of a process.
fn child_of(parent: i64) -> Option<i32> {
    let wanted = format!("PPid:\t{parent}");
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse::<i32>().ok()?;
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        (status.lines().any(|line| line == wanted) && !status.contains("State:\tZ")).then_some(pid)
    })
}

/// The windows that the window manager has, each with its class.
pub fn windows(desk: &Desk) -> Vec<(String, Window)> {
    let list = desk.ask("xprop", &["-root", "_NET_CLIENT_LIST"]);
    let Some((_, ids)) = list.split_once('#') else { return Vec::new() };
    let ids = ids.split(',').map(str::trim).filter(|id| id.starts_with("0x"));
    ids.filter_map(|id| {
        let about = desk.ask("xprop", &["-id", id, "-notype", "WM_CLASS", "WM_NAME"]);
        let value = |name: &str| {
            about.lines().find_map(|line| line.strip_prefix(name)?.split_once(" = ")).map(|x| x.1)
        };
        let class = value("WM_CLASS")?.rsplit('"').nth(1)?.to_owned();
        let title = value("WM_NAME").unwrap_or_default().trim_matches('"').to_owned();
        Some((class, Window { id: id.to_owned(), title }))
    })
    .collect()
}

/// Waits until no window is left.
pub fn all_closed(desk: &Desk) -> Result<(), String> {
    wait_for(WINDOW, || windows(desk).is_empty().then_some(()))
        .ok_or_else(|| format!("windows stay open: {:?}", windows(desk)))
}

/// A picture of a window as it is.
pub fn snapshot(desk: &Desk, window: &Window) -> Option<Picture> {
    let arguments = ["-silent", "-window", &window.id, "-depth", "8", "rgb:-"];
    Picture::from_rgb(&desk.ask_bytes("import", &arguments))
}

/// A picture of a window once something is drawn in it and nothing has
/// changed for a while; the last one where something changes all the time.
pub fn picture(desk: &Desk, window: &Window) -> Result<Picture, String> {
    // Some windows change their size once more after they have come up.
    std::thread::sleep(Duration::from_millis(1500));
    let mut last = None;
    let mut equal = 0;
    wait_for(Duration::from_secs(8), || {
        std::thread::sleep(Duration::from_millis(150));
        let next = snapshot(desk, window);
        equal = if next.is_some() && next == last { equal + 1 } else { 0 };
        last = next;
        let drawn = last.as_ref().is_some_and(|picture| picture.distinct() > 1);
        (drawn && equal >= 3).then_some(())
    });
    last.ok_or_else(|| format!("no picture of {window:?}"))
}

/// Runs a program of the session to its end.
pub fn quiet(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
