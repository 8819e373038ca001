use super::*;
use crate::manifest::parse;
use crate::model::manifest::Manifest;
use crate::model::origin::Layer;

fn made(entry: &str, file: &str, program: Option<Program>) -> (Manifest, Starter) {
    let entry = entry::read(&format!("[Desktop Entry]\nType=Application\n{entry}")).unwrap();
    let command = exec::read(&entry.exec).unwrap();
    let path = format!("/usr/share/applications/{file}");
    let known = Known {
        file,
        path: &path,
        entry: &entry,
        command: &command,
        program: program.as_ref(),
        id: None,
    };
    let starter = manifest(&known).unwrap();
    let read = parse(starter.text.as_bytes(), "f", Layer::Vendor);
    (read.unwrap_or_else(|errors| panic!("{}\n{errors:#?}", starter.text)), starter)
}

fn linked(names: &[&str]) -> Option<Program> {
    Some(Program::Binary(names.iter().map(|name| (*name).to_owned()).collect()))
}

/// The text with every proposal taken up.
fn taken_up(text: &str) -> String {
    let mut lines = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') || rest.contains(" = ") => rest.to_owned(),
        _ => line.to_owned(),
    });
    let lines: Vec<String> = lines.by_ref().collect();
    lines.join("\n")
}

#[test]
fn a_viewer() {
    let (manifest, starter) = made(
        "Name=Image Viewer\nExec=eog %U\nCategories=GNOME;GTK;Graphics;\nMimeType=image/png;\n",
        "org.gnome.eog.desktop",
        linked(&["libeog.so", "libgtk-3.so.0", "libc.so.6"]),
    );
    let want = "\
# Made from /usr/share/applications/org.gnome.eog.desktop.
# Nothing is granted that no line says. What a comment proposes is a guess; take
# the sign away where it is right. Then look at it, and try it:
#     pinfold show ./org.gnome.eog.toml
#     pinfold run ./org.gnome.eog.toml
schema = 1
id = \"org.gnome.eog\"
name = \"Image Viewer\"
command = [\"eog\"]
desktop = [\"org.gnome.eog.desktop\"]
# Since it is linked with libgtk-3.so.0.
extends = [\"base/gtk\"]

# Files that are named on the command line need no grant. Folders do:
# [filesystem]
# read = [\"xdg-pictures\"]
# write = []

# Dialogs of the desktop, through which you pick files that nothing above grants,
# and the opening of links.
# [portals]
# allow = [\"file-chooser\", \"open-uri\"]
";
    assert_eq!(starter.text, want);
    assert_eq!(starter.guesses, ["how it draws: with GTK, since it is linked with libgtk-3.so.0"]);
    assert!(manifest.settings.network.mode.is_none());
    assert!(!manifest.settings.filesystem.read.is_stated());
}

#[test]
fn proposals_are_right_as_they_stand() {
    let (_, starter) = made(
        "Name=Mail\nExec=mail\nCategories=Network;Email;Audio;Office;\nMimeType=a/b;\n",
        "org.a.Mail.desktop",
        linked(&["libQt5Widgets.so.5"]),
    );
    let text = taken_up(&starter.text);
    let manifest = parse(text.as_bytes(), "f", Layer::Vendor);
    let settings = manifest.unwrap_or_else(|errors| panic!("{text}\n{errors:#?}")).settings;
    assert!(settings.network.mode.is_some() && settings.audio.playback.is_some(), "{text}");
    assert_eq!(settings.filesystem.read.items.len(), 2, "{text}");
    assert_eq!(settings.portals.items.len(), 2, "{text}");
}

#[test]
fn how_it_draws() {
    let of = |categories: &str, program: Option<Program>| {
        let entry = format!("Name=X\nExec=x\nCategories={categories}\n");
        let (manifest, _) = made(&entry, "a.b.C.desktop", program);
        let preset = manifest.extends.first().map(|preset| preset.value.clone());
        (preset, manifest.settings.display.wayland.is_some())
    };
    let preset = |name: &str| (Some(format!("base/{name}")), false);
    assert_eq!(of("", linked(&["libgtk-4.so.1"])), preset("gtk"));
    assert_eq!(of("GTK;", linked(&["libQt6Core.so.6", "libX11.so.6"])), preset("qt"));
    assert_eq!(of("", linked(&["libX11.so.6"])), preset("x11"));
    assert_eq!(of("", linked(&["libX11.so.6", "libwayland-client.so.0"])), (None, true));
    assert_eq!(of("", linked(&["libSDL2-2.0.so.0"])), (None, true));
    assert_eq!(of("GTK;", linked(&[])), preset("gtk"));
    assert_eq!(of("KDE;", Some(Program::Script("/bin/sh".to_owned()))), preset("qt"));
    assert_eq!(of("", Some(Program::Unknown)), (None, true));
    assert_eq!(of("", None), (None, true));
    let (manifest, _) =
        made("Name=X\nExec=x\nTerminal=true\n", "a.b.C.desktop", linked(&["libgtk-3.so.0"]));
    assert!(manifest.extends.is_empty() && manifest.settings.display.wayland.is_none());
}

#[test]
fn ids_names_and_hostile_words() {
    let (manifest, starter) = made("Name=Mouse\\npad\nExec=m\n", "mouse pad.desktop", None);
    assert_eq!(starter.id.as_str(), "local.app.mouse_pad");
    assert_eq!(manifest.settings.name.unwrap().value, "Mousepad");
    assert!(starter.guesses[0].contains("--id gives another"), "{:?}", starter.guesses);
    let (_, starter) = made("Name=X\nExec=x --a=%f b\n", "7zip.desktop", None);
    assert_eq!(starter.id.as_str(), "local.app._7zip");
    assert!(starter.guesses[1].contains("\"--a=%f\" is left out"), "{:?}", starter.guesses);
    let evil = "Name=\"]\\nx = 1\nExec=\"a\\\\\"b\" \"c]\"\nCategories=Network\u{1b};\n";
    let (manifest, _) = made(evil, "a.b.C.desktop", Some(Program::Script("\n[x]\n".to_owned())));
    assert_eq!(manifest.settings.command.unwrap().value, ["a\"b", "c]"]);
}
