//! A first manifest for a program that has none: from its desktop entry, its
//! libraries and nothing else. Floor 4.
//!
//! What the program needs to show itself is granted. What it may want to do
//! its work (files, the network, dialogs) stands there as a comment: to grant
//! it is for the person who reads it. Every guess says what it rests on.

pub mod entry;
pub mod exec;
pub mod libraries;

use toml_edit::{Array, Value};

use crate::model::app_id::{AppId, AppIdError};

use entry::Entry;
use exec::Command;
use libraries::Program;

/// All that is known about a program.
pub struct Known<'a> {
    /// The entry's file name.
    pub file: &'a str,
    /// The entry's path, for the manifest's head.
    pub path: &'a str,
    /// What it says.
    pub entry: &'a Entry,
    /// Its command.
    pub command: &'a Command,
    /// The program itself; none where it is not installed.
    pub program: Option<&'a Program>,
    /// The id to give it; none to make one of the file's name.
    pub id: Option<AppId>,
}

/// A first manifest.
pub struct Starter {
    /// The id in it.
    pub id: AppId,
    /// The text.
    pub text: String,
    /// What was guessed, each with its reason.
    pub guesses: Vec<String>,
}

/// How a program draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Toolkit {
    Gtk,
    Qt,
    X11,
    /// Something that is not known; a window all the same.
    Other,
    /// Nothing: it talks to a terminal.
    Terminal,
}

/// The beginnings of libraries' names.
const LIBRARIES: [(&str, Toolkit); 13] = [
    ("libgtk-4", Toolkit::Gtk),
    ("libgtk-3", Toolkit::Gtk),
    ("libgtk-x11-2", Toolkit::Gtk),
    ("libadwaita-", Toolkit::Gtk),
    ("libQt6", Toolkit::Qt),
    ("libQt5", Toolkit::Qt),
    ("libKF6", Toolkit::Qt),
    ("libKF5", Toolkit::Qt),
    ("libXaw", Toolkit::X11),
    ("libXt.", Toolkit::X11),
    ("libXm.", Toolkit::X11),
    ("libX11.", Toolkit::X11),
    ("libxcb.", Toolkit::X11),
];

/// Libraries that play or record sound.
const SOUND: [&str; 7] =
    ["libpulse", "libpipewire", "libasound", "libcanberra", "libgstreamer", "libjack", "libopenal"];

/// Libraries that can draw without X11 too.
const BOTH: [&str; 3] = ["libwayland-client", "libSDL", "libglfw"];

/// Folders of the desktop, by category.
const FOLDERS: [(&str, &str); 8] = [
    ("Graphics", "xdg-pictures"),
    ("Photography", "xdg-pictures"),
    ("Video", "xdg-videos"),
    ("AudioVideo", "xdg-videos"),
    ("Audio", "xdg-music"),
    ("Office", "xdg-documents"),
    ("Viewer", "xdg-documents"),
    ("TextEditor", "xdg-documents"),
];

/// Categories of programs that are little without a network.
const NETWORK: [&str; 8] = [
    "Network",
    "WebBrowser",
    "Email",
    "Chat",
    "InstantMessaging",
    "IRCClient",
    "FileTransfer",
    "News",
];

/// Makes a first manifest.
///
/// # Errors
/// When no id can be made of the entry's name.
pub fn manifest(known: &Known<'_>) -> Result<Starter, AppIdError> {
    let mut guesses = Vec::new();
    let id = id(known, &mut guesses)?;
    let (toolkit, why) = toolkit(known);
    for dropped in &known.command.dropped {
        guesses.push(format!(
            "the argument {dropped:?} is left out: files are appended to the command, not put \
             into it"
        ));
    }
    let words: Array = known.command.words.iter().map(String::as_str).collect();
    let name: String = known.entry.name.chars().filter(|letter| !letter.is_control()).collect();
    let mut text = format!(
        "# Made from {}.\n\
         # Nothing is granted that no line says. What a comment proposes is a guess; take\n\
         # the sign away where it is right. Then look at it, and try it:\n\
         #     pinfold show ./{id}.toml\n\
         #     pinfold run ./{id}.toml\n\
         schema = 1\n\
         id = {}\nname = {}\ncommand = {}\ndesktop = [{}]\n",
        known.path.escape_default(),
        Value::from(id.as_str()),
        Value::from(name.trim()),
        Value::Array(words),
        Value::from(known.file),
    );
    guesses.push(format!("how it draws: {}, since {why}", toolkit.words()));
    text.push_str(&toolkit.text(&why));
    let categories = &known.entry.categories;
    if let Some(why) = sound(known, categories) {
        guesses.push(format!("it plays sound, since {why}"));
        text.push_str(&format!("\n# Since {why}.\n[audio]\nplayback = true\n"));
    }
    text.push_str(&files(categories));
    if let Some(category) = categories.iter().find(|word| NETWORK.contains(&word.as_str())) {
        guesses.push(format!("it may want the network ({category}), which is left to you"));
        text.push_str(&format!(
            "\n# It is of the category {category}. Without these lines it has no network.\n\
             # [network]\n# mode = \"host\"\n"
        ));
    }
    if known.entry.opens_files && toolkit != Toolkit::Terminal {
        text.push_str(
            "\n# Dialogs of the desktop, through which you pick files that nothing above grants,\n\
             # and the opening of links.\n# [portals]\n# allow = [\"file-chooser\", \"open-uri\"]\n",
        );
    }
    Ok(Starter { id, text, guesses })
}

/// The id: the one that was asked for, the file's name, or a made one.
fn id(known: &Known<'_>, guesses: &mut Vec<String>) -> Result<AppId, AppIdError> {
    let stem = known.file.strip_suffix(".desktop").unwrap_or(known.file);
    if let Some(id) = known.id.clone().or_else(|| stem.parse().ok()) {
        return Ok(id);
    }
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let mut word: String = stem.chars().map(plain).take(200).collect();
    if !word.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        word.insert(0, '_');
    }
    guesses.push(format!(
        "the id local.app.{word}, since {stem:?} has no three parts; --id gives another"
    ));
    format!("local.app.{word}").parse()
}

fn toolkit(known: &Known<'_>) -> (Toolkit, String) {
    if known.entry.terminal {
        return (Toolkit::Terminal, "the entry says Terminal=true".to_owned());
    }
    let mut behind = String::new();
    match known.program {
        Some(Program::Binary(libraries)) => {
            let both = libraries.iter().find(|name| BOTH.iter().any(|own| name.starts_with(own)));
            for (start, toolkit) in LIBRARIES {
                let found = libraries.iter().find(|name| name.starts_with(start));
                match (found, both) {
                    // What draws on Wayland too needs no X server alone.
                    (Some(_), Some(both)) if toolkit == Toolkit::X11 => {
                        return (Toolkit::Other, format!("it is linked with {both}"));
                    }
                    (Some(name), _) => return (toolkit, format!("it is linked with {name}")),
                    (None, _) => {}
                }
            }
            if let Some(both) = both {
                return (Toolkit::Other, format!("it is linked with {both}"));
            }
            behind.push_str("its libraries do not tell");
        }
        Some(Program::Script(line)) => {
            behind = format!("it is a script for {}", line.escape_default());
        }
        Some(Program::Unknown) => behind.push_str("its file is of an unknown kind"),
        None => behind.push_str("it is not installed"),
    }
    let said = |words: &[&str]| {
        let words = known.entry.categories.iter().filter(|word| words.contains(&word.as_str()));
        words.map(String::as_str).next().map(str::to_owned)
    };
    if let Some(word) = said(&["GTK", "GNOME", "XFCE"]) {
        return (Toolkit::Gtk, format!("{behind}, and its category is {word}"));
    }
    if let Some(word) = said(&["Qt", "KDE", "LXQt"]) {
        return (Toolkit::Qt, format!("{behind}, and its category is {word}"));
    }
    (Toolkit::Other, behind)
}

impl Toolkit {
    fn words(self) -> &'static str {
        match self {
            Toolkit::Gtk => "with GTK",
            Toolkit::Qt => "with Qt",
            Toolkit::X11 => "on an X server itself",
            Toolkit::Other => "in a window of an unknown kind",
            Toolkit::Terminal => "in a terminal, with no window",
        }
    }

    fn text(self, why: &str) -> String {
        let preset = |name: &str| format!("# Since {why}.\nextends = [\"base/{name}\"]\n");
        match self {
            Toolkit::Gtk => preset("gtk"),
            Toolkit::Qt => preset("qt"),
            Toolkit::X11 => preset("x11"),
            Toolkit::Other => format!(
                "\n# A window: {why}.\n[display]\nwayland = true\nx11 = \"fallback\"\n\
                 \n[devices]\nallow = [\"gpu\"]\n"
            ),
            Toolkit::Terminal => format!("# No window, since {why}.\n"),
        }
    }
}

fn sound(known: &Known<'_>, categories: &[String]) -> Option<String> {
    if let Some(Program::Binary(libraries)) = known.program
        && let Some(name) =
            libraries.iter().find(|name| SOUND.iter().any(|own| name.starts_with(own)))
    {
        return Some(format!("it is linked with {name}"));
    }
    let words = ["Audio", "Video", "AudioVideo", "Player", "Music", "Game"];
    let word = categories.iter().find(|word| words.contains(&word.as_str()))?;
    Some(format!("its category is {word}"))
}

/// The folders that a category suggests, as a comment.
fn files(categories: &[String]) -> String {
    let mut folders = Vec::new();
    for (word, folder) in FOLDERS {
        if categories.iter().any(|category| category == word) && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    if folders.is_empty() {
        folders.push("xdg-documents");
    }
    let folders: Array = folders.into_iter().collect();
    format!(
        "\n# Files that are named on the command line need no grant. Folders do:\n\
         # [filesystem]\n# read = {}\n# write = []\n",
        Value::Array(folders)
    )
}

#[cfg(test)]
mod tests;
