//! Rounds of whole processes.

use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Rounds that are not counted.
const WARM_UP: usize = 5;

/// A command under measurement.
pub struct Command {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Option<Vec<(String, String)>>,
    /// Descriptors that the command inherits; kept open as long as it is used.
    pub held: Vec<OwnedFd>,
    /// A filter before a bus that has to be ready first.
    pub proxy: Option<Proxy>,
}

/// xdg-dbus-proxy, started before a command and ended after it.
pub struct Proxy {
    /// Its arguments after the descriptor.
    pub arguments: Vec<String>,
}

impl Proxy {
    /// Starts it and waits until it is ready. It ends when the pipe closes.
    fn start(&self) -> Result<(std::process::Child, OwnedFd), String> {
        let (ours, theirs) = rustix::pipe::pipe().map_err(|errno| errno.to_string())?;
        rustix::io::fcntl_setfd(&ours, rustix::io::FdFlags::CLOEXEC)
            .map_err(|errno| errno.to_string())?;
        let child = std::process::Command::new("/usr/bin/xdg-dbus-proxy")
            .arg(format!("--fd={}", theirs.as_raw_fd()))
            .args(&self.arguments)
            .spawn()
            .map_err(|error| format!("xdg-dbus-proxy: {error}"))?;
        drop(theirs);
        match rustix::io::read(&ours, &mut [0; 1]) {
            Ok(1) => Ok((child, ours)),
            _ => Err("xdg-dbus-proxy did not become ready".to_owned()),
        }
    }
}

impl Command {
    /// A command with this process's environment.
    pub fn new(name: &str, program: &Path, arguments: Vec<String>) -> Command {
        Command {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments,
            environment: None,
            held: Vec::new(),
            proxy: None,
        }
    }

    /// What is started, with all that it reads from the beginning.
    fn process(&self) -> Result<std::process::Command, String> {
        for fd in &self.held {
            rustix::fs::seek(fd, rustix::fs::SeekFrom::Start(0))
                .map_err(|errno| errno.to_string())?;
        }
        let mut command = std::process::Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(environment) = &self.environment {
            command.env_clear().envs(environment.iter().cloned());
        }
        Ok(command)
    }

    /// Gives it another name in tables.
    pub fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// Its name in tables.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs once; gives what it writes.
    pub fn output(&self) -> Result<String, String> {
        let output = self.process()?.output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} ended with {}: {why}", self.name, output.status));
        }
        String::from_utf8(output.stdout).map_err(|error| error.to_string())
    }

    /// Runs once: nanoseconds to the first instruction and to the end.
    pub fn once(&self) -> Result<(u64, u64), String> {
        let mut command = self.process()?;
        let begin = now();
        let proxy = self.proxy.as_ref().map(Proxy::start).transpose()?;
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", self.name))?;
        let mut stamp = [0; 8];
        let read = child.stdout.take().map(|mut pipe| pipe.read_exact(&mut stamp));
        let status = child.wait().map_err(|error| error.to_string())?;
        if let Some((mut child, pipe)) = proxy {
            drop(pipe);
            child.wait().map_err(|error| error.to_string())?;
        }
        let end = now();
        if !status.success() || !matches!(read, Some(Ok(()))) {
            let mut why = String::new();
            if let Some(mut pipe) = child.stderr.take() {
                let _ = pipe.read_to_string(&mut why);
            }
            return Err(format!("{} ended with {status}: {why}", self.name));
        }
        Ok((u64::from_ne_bytes(stamp).saturating_sub(begin), end - begin))
    }
}

fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What was measured of one command.
pub struct Figures {
    name: String,
    start: Vec<u64>,
    total: Vec<u64>,
    ratios: Vec<f64>,
}

impl Figures {
    /// A row of the table.
    pub fn row(&self) -> String {
        format!(
            "| {} | {:.2} | {:.2} | {:.2} .. {:.2} | {:.2} |",
            self.name,
            ms(quantile(&self.start, 0.5)),
            ms(quantile(&self.total, 0.5)),
            ms(quantile(&self.start, 0.1)),
            ms(quantile(&self.start, 0.9)),
            middle(&self.ratios),
        )
    }

    /// The same for machines.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "command": self.name,
            "start_ms": ms(quantile(&self.start, 0.5)),
            "start_p10_ms": ms(quantile(&self.start, 0.1)),
            "start_p90_ms": ms(quantile(&self.start, 0.9)),
            "total_ms": ms(quantile(&self.total, 0.5)),
            "ratio": middle(&self.ratios),
        })
    }
}

fn ms(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

fn quantile(values: &[u64], part: f64) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[((sorted.len() - 1) as f64 * part).round() as usize]
}

/// The median.
pub fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// An order that is another one in each round, and the same ones at every
/// call.
pub struct Order {
    order: Vec<usize>,
    seed: u64,
}

impl Order {
    /// An order of so many.
    pub fn of(count: usize) -> Order {
        Order { order: (0..count).collect(), seed: 7 }
    }

    /// The order of the next round.
    pub fn next(&mut self) -> &[usize] {
        for at in (1..self.order.len()).rev() {
            self.seed = self
                .seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            self.order.swap(at, (self.seed >> 33) as usize % (at + 1));
        }
        &self.order
    }
}

/// Runs all commands in rounds; ratios are to the first.
pub fn run(commands: &[Command], rounds: usize) -> Result<Vec<Figures>, String> {
    let mut figures: Vec<Figures> = commands
        .iter()
        .map(|command| Figures {
            name: command.name.clone(),
            start: Vec::new(),
            total: Vec::new(),
            ratios: Vec::new(),
        })
        .collect();
    let mut order = Order::of(commands.len());
    for round in 0..WARM_UP + rounds {
        let mut times = vec![(0, 0); commands.len()];
        for &at in order.next() {
            times[at] = commands[at].once()?;
        }
        if round < WARM_UP {
            continue;
        }
        for (figure, (start, total)) in figures.iter_mut().zip(&times) {
            figure.start.push(*start);
            figure.total.push(*total);
            figure.ratios.push(*start as f64 / times[0].0 as f64);
        }
    }
    Ok(figures)
}
