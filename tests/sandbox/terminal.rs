//! Terminals: job control, and what cannot be typed into them.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc;

use crate::buses::{DAEMON, EMPTY, SESSION, session};
use crate::tests;
use crate::world::{App, PATIENCE, World, until};

tests![
    a_job_stops_and_goes_on,
    a_terminals_interrupt,
    a_terminals_interrupt_spares_the_bus,
    nothing_is_typed_into_the_terminal,
];

/// A terminal with a program in a session of its own on it.
pub struct Terminal {
    keyboard: File,
    screen: mpsc::Receiver<Vec<u8>>,
    seen: String,
    child: Child,
}

impl Terminal {
    pub fn new(world: &World, command: &[String]) -> Terminal {
        let pty = nix::pty::openpty(None, None).unwrap();
        let (ours, theirs) = (File::from(pty.master), File::from(pty.slave));
        let child = world
            .command(std::path::Path::new("/usr/bin/setsid"))
            .args(["--ctty", "--wait"])
            .args(command)
            .env("TERM", "dumb")
            .env("PS1", "$ ")
            .stdin(Stdio::from(theirs.try_clone().unwrap()))
            .stdout(Stdio::from(theirs.try_clone().unwrap()))
            .stderr(Stdio::from(theirs))
            .spawn()
            .unwrap();
        let (to, screen) = mpsc::channel();
        let mut from = ours.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = from.read(&mut buffer) {
                if length == 0 || to.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal { keyboard: ours, screen, seen: String::new(), child }
    }

    pub fn type_in(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Waits for a text after all that was waited for before; gives what came
    /// in between.
    #[track_caller]
    pub fn await_text(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.seen.find(text) {
                return self.seen.drain(..at + text.len()).collect();
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("{text:?} never appeared, but: {}", self.seen),
            }
        }
    }

    /// Whether a text has appeared.
    pub fn has(&mut self, text: &str) -> bool {
        while let Ok(bytes) = self.screen.try_recv() {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        self.seen.contains(text)
    }

    /// Gives the window another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size =
            rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.keyboard, size).unwrap();
    }

    pub fn finish(mut self) {
        let child = &mut self.child;
        until("the terminal's program ends", || child.try_wait().unwrap().is_some());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // What else runs on the terminal is hung up with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An interactive shell, and the line that runs a sandbox in it.
fn shell(world: &World, app: &mut App<'_>) -> (Terminal, String) {
    let command = app.ready();
    let line: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let bash = ["/bin/bash", "--norc", "--noprofile", "-i"].map(str::to_owned);
    (Terminal::new(world, &bash), line.join(" "))
}

fn states(world: &World) -> Vec<String> {
    world
        .processes()
        .into_iter()
        .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok())
        .filter_map(|stat| Some(stat.rsplit(')').next()?.split_whitespace().next()?.to_owned()))
        .collect()
}

fn a_job_stops_and_goes_on() {
    let world = World::new();
    let mark = world.text("@/mark");
    let script = format!(": {mark}; echo rea''dy; read line; echo \"g\"ot \"$line\"; exit 5");
    let mut job = world.program(&["/bin/sh", "-c", &script]);
    let (mut terminal, line) = shell(&world, &mut job);
    terminal.type_in(&format!("{line}\n"));
    terminal.await_text("ready\r\n");
    terminal.type_in("\x1a");
    terminal.await_text("Stopped");
    // The launcher and the application; init goes on, for it has work to do.
    until("two are stopped", || states(&world).iter().filter(|state| *state == "T").count() == 2);
    terminal.type_in("fg\n");
    until("none is stopped", || states(&world).iter().all(|state| state != "T"));
    terminal.type_in("hello\n");
    terminal.await_text("got hello");
    terminal.type_in("echo co''de $?\n");
    terminal.await_text("code 5\r\n");
    terminal.type_in("exit\n");
    terminal.finish();
    world.assert_nothing_left();
}

fn a_terminals_interrupt() {
    let world = World::new();
    // It must arrive once, not by the terminal and by the launcher as well.
    let probe = world.text("@/probe");
    let mut command = world.program(&[&probe, "await-signal", "2", "exit", "6"]);
    let (mut terminal, line) = shell(&world, &mut command);
    terminal.type_in(&format!("{line}\n"));
    terminal.await_text("waiting\r\n");
    terminal.type_in("\x03");
    terminal.type_in("echo co''de $?\n");
    let told = terminal.await_text("code 6\r\n");
    assert!(told.contains("\"once\""), "{told}");
    // One that nobody catches ends the application, and the shell is told.
    let mut job = world.program(&["/bin/sh", "-c", "echo rea''dy; exec sleep 60"]);
    let (mut terminal, line) = shell(&world, &mut job);
    terminal.type_in(&format!("{line}\n"));
    terminal.await_text("ready\r\n");
    terminal.type_in("\x03");
    terminal.type_in("echo co''de $?\n");
    terminal.await_text("code 130\r\n");
    world.assert_nothing_left();
}

/// The signals of a terminal go to its whole foreground, to the filter before
/// a bus as well, which an application that goes on still needs.
fn a_terminals_interrupt_spares_the_bus() {
    let world = World::new();
    let _bus = session(&world);
    for (key, number) in [("\x03", 2), ("\x1c", 3)] {
        let acts = format!("{SESSION} await-signal {number} call {DAEMON} GetId end exit 6");
        let mut app = world.app(&acts).buses(EMPTY);
        let (mut terminal, line) = shell(&world, &mut app);
        terminal.type_in(&format!("{line}\n"));
        terminal.await_text("waiting\r\n");
        terminal.type_in(key);
        terminal.type_in("echo co''de $?\n");
        let told = terminal.await_text("code 6\r\n");
        assert!(!told.contains("\"ok\":false"), "{told}");
        terminal.type_in("exit\n");
        terminal.finish();
        world.assert_nothing_left();
    }
}

fn nothing_is_typed_into_the_terminal() {
    let world = World::new();
    let acts = "tiocsti tiocsti-high";
    let probe = world.text("@/probe");
    let mut outside = vec![probe];
    outside.extend(acts.split(' ').map(str::to_owned));
    let mut terminal = Terminal::new(&world, &outside);
    terminal.await_text("]");
    if terminal.seen.contains("EIO") {
        crate::skip(
            "terminal::nothing_is_typed_into_the_terminal",
            "this kernel lets nobody type into a terminal (dev.tty.legacy_tiocsti = 0)",
        );
        return;
    }
    terminal.finish();
    let command = world.app(&format!("{acts} tioclinux say told")).ready();
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let mut terminal = Terminal::new(&world, &words);
    terminal.await_text("told");
    for act in ["tiocsti", "tiocsti-high", "tioclinux"] {
        terminal.await_text(&format!("\"act\":\"{act}\",\"errno\":\"EPERM\",\"ok\":false"));
    }
    terminal.finish();
}
