//! Each shipped manifest: its application opens a window that looks as it
//! does outside, sees what it is granted, and nothing else of the home.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::desk::{Desk, wait_for};
use crate::picture::Picture;
use crate::run::{self, App, Window};
use crate::{Outcome, Test, test};

/// An application.
pub struct Subject {
    pub id: &'static str,
    /// The same command as the manifest's.
    command: &'static [&'static str],
    /// More arguments for this test.
    pub arguments: &'static [&'static str],
    /// Its window's class.
    pub class: &'static str,
    /// A part of the title of its main window.
    pub title: &'static str,
    /// Folders of the home that it is granted.
    granted: &'static [&'static str],
    /// What may differ from the picture outside, in thousandths: what is
    /// drawn at random or blinks.
    tolerance: usize,
}

/// Folders of a test's home that no manifest here is granted all of.
const FOLDERS: [&str; 6] = ["Documents", "Downloads", "Music", "Pictures", "Templates", "Videos"];

const XEYES: Subject = Subject {
    id: "org.x.Xeyes",
    command: &["xeyes"],
    arguments: &[],
    class: "XEyes",
    title: "xeyes",
    granted: &[],
    tolerance: 0,
};

const XCALC: Subject = Subject {
    id: "org.x.Xcalc",
    command: &["xcalc"],
    arguments: &[],
    class: "XCalc",
    title: "Calculator",
    granted: &[],
    tolerance: 0,
};

const XTERM: Subject = Subject {
    id: "org.x.Xterm",
    command: &["xterm"],
    // Full of text; the shell's prompt would tell the name of the machine.
    arguments: &["-e", "sh", "-c", "seq 3000; exec sleep 100"],
    class: "XTerm",
    title: "",
    granted: &[],
    tolerance: 0,
};

const GALCULATOR: Subject = Subject {
    id: "io.github.galculator.Galculator",
    command: &["galculator"],
    arguments: &[],
    class: "Galculator",
    title: "galculator",
    granted: &[],
    tolerance: 5,
};

pub const CALCULATOR: Subject = Subject {
    id: "org.gnome.Calculator",
    command: &["gnome-calculator"],
    arguments: &[],
    class: "gnome-calculator",
    title: "Calculator",
    granted: &[],
    tolerance: 20,
};

const EVINCE: Subject = Subject {
    id: "org.gnome.Evince",
    command: &["evince"],
    arguments: &[],
    class: "Evince",
    title: "",
    granted: &["Documents", "Downloads"],
    tolerance: 5,
};

pub const EOG: Subject = Subject {
    id: "org.gnome.eog",
    command: &["eog", "--new-instance"],
    arguments: &[],
    class: "Eog",
    title: "Image Viewer",
    granted: &["Downloads", "Pictures"],
    tolerance: 5,
};

pub const MOUSEPAD: Subject = Subject {
    id: "org.xfce.mousepad",
    command: &["mousepad", "--disable-server"],
    arguments: &[],
    class: "Mousepad",
    title: "Untitled",
    granted: &["Documents"],
    tolerance: 5,
};

const FEATHERPAD: Subject = Subject {
    id: "org.featherpad.FeatherPad",
    command: &["featherpad", "--standalone"],
    arguments: &[],
    class: "FeatherPad",
    title: "Untitled",
    granted: &["Documents"],
    tolerance: 5,
};

pub const MPV: Subject = Subject {
    id: "io.mpv.Mpv",
    command: &["mpv", "--player-operation-mode=pseudo-gui"],
    arguments: &[],
    class: "mpv",
    title: "mpv",
    granted: &["Downloads", "Music", "Videos"],
    tolerance: 5,
};

pub const GIMP: Subject = Subject {
    id: "org.gimp.Gimp",
    command: &["gimp", "--new-instance"],
    arguments: &[],
    class: "Gimp",
    title: "GNU Image",
    granted: &["Downloads", "Pictures"],
    tolerance: 20,
};

// A tip of the day, another one each time, lies over a part of it.
pub const WRITER: Subject = Subject {
    id: "org.libreoffice.Writer",
    command: &["libreoffice", "--writer"],
    arguments: &[],
    class: "libreoffice-writer",
    title: "Untitled 1",
    granted: &["Documents", "Downloads", "Templates"],
    tolerance: 120,
};

macro_rules! subjects {
    ($($name:ident: $subject:ident needs $program:literal),+ $(,)?) => {
        $(fn $name(desk: &Desk) -> Outcome { check(desk, &$subject) })+

        /// The tests of this theme.
        pub fn tests() -> Vec<Test> {
            vec![
                $(test(format!("windows::{}", stringify!($name)), &[$program], $name),)+
                test("windows::xterm".to_owned(), &["xterm"], xterm),
                test("windows::settings_are_kept".to_owned(), &["galculator"], settings_are_kept),
            ]
        }
    };
}

/// Root's xterm gives up root's groups before it runs anything, which needs a
/// right that nothing inside has; it ends without a word.
fn xterm(desk: &Desk) -> Outcome {
    if rustix::process::geteuid().is_root() {
        crate::skip("windows::xterm", "root's xterm needs to change its groups");
        return Ok(());
    }
    check(desk, &XTERM)
}

subjects! {
    xeyes: XEYES needs "xeyes",
    xcalc: XCALC needs "xcalc",
    galculator: GALCULATOR needs "galculator",
    gnome_calculator: CALCULATOR needs "gnome-calculator",
    evince: EVINCE needs "evince",
    eog: EOG needs "eog",
    mousepad: MOUSEPAD needs "mousepad",
    featherpad: FEATHERPAD needs "featherpad",
    mpv: MPV needs "mpv",
    gimp: GIMP needs "gimp",
    libreoffice_writer: WRITER needs "libreoffice",
}

fn check(desk: &Desk, subject: &Subject) -> Outcome {
    // Eyes follow the pointer, and buttons under it change their colour.
    desk.ask("xdotool", &["mousemove", "2", "890"]);
    let command = [subject.command, subject.arguments].concat();
    let mut outside = App::outside(desk, &desk.home(), &command);
    let window = outside.window(desk, &[subject.class], subject.title)?;
    let expected = run::picture(desk, &window)?;
    drop(outside);
    run::all_closed(desk)?;
    if expected.distinct() < 2 || expected.drawn() < 10 {
        return Err(format!("the control: blank outside, {} thousandths drawn", expected.drawn()));
    }

    let home = desk.home();
    let arguments = [&["-q", subject.id], subject.arguments].concat();
    let mut inside = App::inside(desk, &home, &arguments);
    let window = inside.window(desk, &[subject.class], subject.title)?;
    looks_like(desk, &window, &expected, subject.tolerance)
        .map_err(|error| format!("{error}: {}", inside.errors()))?;
    grants(&inside, &home, subject.granted)?;
    drop(inside);
    run::all_closed(desk)
}

/// Waits until a window looks as expected: text, icons, colours and all.
fn looks_like(desk: &Desk, window: &Window, expected: &Picture, tolerance: usize) -> Outcome {
    let mut difference = None;
    let found = wait_for(Duration::from_secs(15), || {
        difference = run::snapshot(desk, window)?.difference(expected);
        difference.is_some_and(|share| share <= tolerance).then_some(())
    });
    match (found, difference) {
        (Some(()), _) => Ok(()),
        (None, None) => Err("the window has another size than outside".to_owned()),
        (None, Some(share)) => {
            Err(format!("{share} thousandths of the window look unlike outside"))
        }
    }
}

/// What of the home is there for the application, seen through its root.
pub fn grants(app: &App, home: &Path, folders: &[&str]) -> Outcome {
    let inside = app.place(home)?;
    for folder in FOLDERS {
        let seen = fs::read_to_string(inside.join(folder).join("seen.txt"));
        let granted = folders.contains(&folder);
        if granted != seen.is_ok() {
            return Err(format!("{folder}: granted is {granted}, but inside: {seen:?}"));
        }
    }
    for secret in ["secret/plan.txt", ".ssh/id_test"] {
        // The control: it is there, and who looks may read it.
        fs::read(home.join(secret)).map_err(|error| format!("{secret} outside: {error}"))?;
        if inside.join(secret).symlink_metadata().is_ok() {
            return Err(format!("{secret} can be seen inside"));
        }
    }
    Ok(())
}

/// A program that makes its own folder in ~/.config, but not ~/.config, keeps
/// its settings from run to run.
fn settings_are_kept(desk: &Desk) -> Outcome {
    let home = desk.home();
    let id = GALCULATOR.id;
    let mut app = App::inside(desk, &home, &["-q", id]);
    let window = app.window(desk, &[GALCULATOR.class], GALCULATOR.title)?;
    desk.ask("xdotool", &["windowactivate", "--sync", &window.id, "key", "ctrl+q"]);
    let code = app.exit_code()?;
    let file =
        home.join(".local/share/pinfold/apps").join(id).join(".config/galculator/galculator.conf");
    match fs::metadata(&file) {
        Ok(about) if about.len() > 0 && code == 0 => Ok(()),
        other => Err(format!("{}: {other:?}, exit code {code}: {}", file.display(), app.errors())),
    }
}
