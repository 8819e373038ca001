//! Portals: real ones, asked from inside by programs that were not told about
//! them. The person's part is done by keys in the real dialogs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::desk::{Desk, Server, wait_for};
use crate::run::{self, App, Window};
use crate::session::Session;
use crate::{Outcome, arguments, tests};

tests! {
    a_file_is_opened_by_gtk3 needs [PORTAL, GTK_PORTAL, DOCUMENTS, "gdbus", "python3", GTK3],
    a_file_is_opened_by_gtk4 needs [PORTAL, GTK_PORTAL, DOCUMENTS, "gdbus", "python3", GTK4],
    a_file_is_opened_by_qt5 needs [PORTAL, GTK_PORTAL, DOCUMENTS, "gdbus", "featherpad", QT5],
    a_document_is_opened_by_evince needs [PORTAL, GTK_PORTAL, DOCUMENTS, "gdbus", "evince"],
    a_file_is_saved needs [PORTAL, GTK_PORTAL, DOCUMENTS, "gdbus", "python3", GTK3],
    round_trips needs [PORTAL, GTK_PORTAL, "gdbus", "dunst", "dunstctl", "update-desktop-database"],
    flatpak_knows_it needs ["flatpak", "dbus-daemon", "gdbus"],
    accessibility needs ["gdbus", "python3", GTK3, ATSPI, "/usr/libexec/at-spi-bus-launcher"],
}

pub const PORTAL: &str = "/usr/libexec/xdg-desktop-portal";
pub const GTK_PORTAL: &str = "/usr/libexec/xdg-desktop-portal-gtk";
pub const DOCUMENTS: &str = "fusermount3";
const GTK3: &str = "/usr/lib/x86_64-linux-gnu/girepository-1.0/Gtk-3.0.typelib";
const GTK4: &str = "/usr/lib/x86_64-linux-gnu/girepository-1.0/Gtk-4.0.typelib";
const ATSPI: &str = "/usr/lib/x86_64-linux-gnu/girepository-1.0/Atspi-2.0.typelib";
const QT5: &str = "/usr/lib/x86_64-linux-gnu/qt5/plugins/platformthemes/libqxdgdesktopportal.so";

/// The interface through which all portals are asked.
const DESKTOP: [&str; 2] = ["org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"];

/// Shows a file dialog as any program does, and tells what came of it.
const PROGRAM: &str = r#"
import os, sys
import gi
version, act = sys.argv[1:]
gi.require_version("Gtk", version + ".0")
from gi.repository import GLib, Gtk

saving = act == "save"
action = Gtk.FileChooserAction.SAVE if saving else Gtk.FileChooserAction.OPEN
loop = GLib.MainLoop()
if version == "3":
    window = Gtk.Window(title="within")
    window.show()
else:
    Gtk.init()
    window = Gtk.Window(title="within")
    window.present()

def chosen(dialog, response):
    if response != Gtk.ResponseType.ACCEPT:
        print("no file", response, flush=True)
        loop.quit()
        return
    path = dialog.get_file().get_path()
    print("picked", path, flush=True)
    if saving:
        open(path, "w").write("written inside")
    else:
        print("content", open(path).read(), flush=True)
        try:
            open(path, "a").write(" and changed inside")
            print("changed", flush=True)
        except OSError as error:
            print("fixed", error, flush=True)
        print("beside", os.listdir(os.path.dirname(path)), flush=True)
        print("above", os.listdir(os.path.dirname(os.path.dirname(path))), flush=True)
    loop.quit()

dialog = Gtk.FileChooserNative.new("Choose", window, action, None, None)
dialog.connect("response", chosen)
dialog.show()
loop.run()
"#;

const FILES: &str = "[portals]\nallow = [\"file-chooser\", \"settings\"]\n";

/// A manifest of the program.
fn program(session: &Session<'_>, version: &str, act: &str, portals: &str) -> String {
    fs::write(session.home.join("program.py"), PROGRAM).expect("a program");
    let file = session.home.join("program.py").to_string_lossy().into_owned();
    let rest = format!(
        "extends = [\"base/gtk\"]\n[display]\nx11 = \"shared\"\n\
         [filesystem]\nread = [\"~/program.py\"]\n{portals}"
    );
    session.manifest("org.example.Chooser", &["/usr/bin/python3", &file, version, act], &rest)
}

/// Files of the person, next to one another.
fn files(session: &Session<'_>) {
    for (name, text) in [("picked.txt", "outside"), ("neighbour.txt", "secret")] {
        fs::write(session.home.join("secret").join(name), text).expect("a file");
    }
}

/// What the document portal has noted for an application.
fn documents(session: &Session<'_>, id: &str) -> String {
    let documents = "org.freedesktop.portal.Documents";
    let path = "/org/freedesktop/portal/documents";
    session.call(documents, path, "org.freedesktop.portal.Documents.List", &[id])
}

fn open_by_gtk(desk: &Desk, version: &str) -> Outcome {
    let session = Session::up(desk)?;
    files(&session);
    let picked = session.home.join("secret/picked.txt");
    for marker in ["", "marker = false\n"] {
        fs::write(&picked, "outside").map_err(|error| error.to_string())?;
        let manifest = program(&session, version, "open", &format!("{FILES}{marker}"));
        let mut app = session.inside(&[&manifest]);
        let dialog = session.dialog(&mut app)?;
        // The control: what is picked could not be had before.
        let inside = app.place(&session.home)?;
        if inside.join("secret").exists() {
            return Err("the folder is there without being picked".to_owned());
        }
        let is_marked = app.place(Path::new("/.flatpak-info"))?.exists();
        if is_marked != marker.is_empty() {
            return Err(format!("with {marker:?} the marker is there: {is_marked}"));
        }
        session.pick(&dialog, &picked, false)?;
        let code = app.exit_code()?;
        let told = app.output();
        let name = told.lines().find_map(|line| line.strip_prefix("picked ")).unwrap_or_default();
        let shown = Path::new(name);
        let folder = shown.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
        let is_document = shown.ends_with("picked.txt") && folder.ends_with("doc");
        if code != 0
            || !is_document
            || !told.contains("content outside\n")
            || !told.contains("beside ['picked.txt']\n")
        {
            return Err(format!("exit code {code}: {told}{}", app.errors()));
        }
        // The dialog has no box to open it for reading only.
        if !told.contains("changed\n")
            || fs::read_to_string(&picked).ok().as_deref() != Some("outside and changed inside")
        {
            return Err(format!("what was written did not get through: {told}"));
        }
        let id = shown.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        // Documents of other applications are not among what it sees.
        if !told.contains(&format!("above ['{id}']\n")) {
            return Err(format!("more is shown than {id}: {told}"));
        }
        let noted = documents(&session, "org.example.Chooser");
        let other = documents(&session, "org.example.Another");
        if !noted.contains(&*id) || other.contains(&*id) {
            return Err(format!("{id} is noted for it: {noted}; for another: {other}"));
        }
    }
    Ok(())
}

fn a_file_is_opened_by_gtk3(desk: &Desk) -> Outcome {
    open_by_gtk(desk, "3")
}

fn a_file_is_opened_by_gtk4(desk: &Desk) -> Outcome {
    open_by_gtk(desk, "4")
}

/// Starts an application as it is shipped, and opens a file by its own menu.
/// Gives its window once the title holds a text.
pub fn opened(
    session: &Session<'_>,
    arguments: &[&str],
    class: &str,
    file: &Path,
    title: &str,
) -> Result<(App, Window), String> {
    let mut app = session.inside(&[&["-q"], arguments].concat());
    let window = app.window(session.desk, &[class], "")?;
    // The control: the file is not there before.
    if app.place(file)?.exists() {
        return Err("the file is there without being picked".to_owned());
    }
    let dialog = session.summon(&mut app, &window, "ctrl+o")?;
    session.pick(&dialog, file, false)?;
    let window = app.window(session.desk, &[class], title)?;
    Ok((app, window))
}

fn a_file_is_opened_by_qt5(desk: &Desk) -> Outcome {
    let session = Session::up(desk)?;
    files(&session);
    let picked = session.home.join("secret/picked.txt");
    let (app, window) =
        opened(&session, &["org.featherpad.FeatherPad"], "FeatherPad", &picked, "picked.txt")?;
    // It has it, and can change it.
    desk.ask("xdotool", &["windowactivate", "--sync", &window.id]);
    desk.ask("xdotool", &["key", "--clearmodifiers", "ctrl+End"]);
    desk.ask("xdotool", &["type", "--delay", "8", " and typed"]);
    desk.ask("xdotool", &["key", "--clearmodifiers", "ctrl+s"]);
    let text = || fs::read_to_string(&picked).unwrap_or_default();
    wait_for(Duration::from_secs(10), || (text().trim() == "outside and typed").then_some(()))
        .ok_or_else(|| format!("it has not written to the file: {:?}", text()))?;
    drop(app);
    run::all_closed(desk)
}

fn a_document_is_opened_by_evince(desk: &Desk) -> Outcome {
    let session = Session::up(desk)?;
    let picked = session.home.join("secret/picked.pdf");
    fs::write(&picked, arguments::one_page()).map_err(|error| error.to_string())?;
    let (app, window) = opened(&session, &["org.gnome.Evince"], "Evince", &picked, "picked.pdf")?;
    let mut share = 0;
    wait_for(Duration::from_secs(10), || {
        share = run::snapshot(desk, &window)?.share_of(arguments::COLOUR);
        (share > 100).then_some(())
    })
    .ok_or_else(|| format!("{share} thousandths are its colour: {}", app.errors()))?;
    drop(app);
    run::all_closed(desk)
}

fn a_file_is_saved(desk: &Desk) -> Outcome {
    let session = Session::up(desk)?;
    files(&session);
    let saved = session.home.join("secret/saved.txt");
    let manifest = program(&session, "3", "save", FILES);
    let mut app = session.inside(&["-q", &manifest]);
    let dialog = session.dialog(&mut app)?;
    session.pick(&dialog, &saved, true)?;
    let code = app.exit_code()?;
    match fs::read_to_string(&saved) {
        Ok(text) if text == "written inside" && code == 0 => Ok(()),
        other => Err(format!("{other:?}, exit code {code}: {}{}", app.output(), app.errors())),
    }
}

/// A call from inside by a program that people have.
fn call(session: &Session<'_>, rest: &str, method: &str, arguments: &[&str]) -> (i32, String) {
    let [to, path] = DESKTOP;
    let method = format!("org.freedesktop.portal.{method}");
    let command = ["/usr/bin/gdbus", "call", "--session", "-d", to, "-o", path, "-m", &method];
    let manifest = session.manifest("org.example.Caller", &[&command, arguments].concat(), rest);
    session.told(&manifest).unwrap_or_else(|error| (-1, error))
}

fn round_trips(desk: &Desk) -> Outcome {
    let session = Session::up(desk)?;
    let mut command = session.command("dunst");
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let dunst = Server::start(&mut command).ok_or("dunst does not start")?;
    let shown = || session.ask("dunstctl", &["count", "displayed"]).trim().parse::<u32>().ok();
    wait_for(Duration::from_secs(10), || (shown() == Some(0)).then_some(()))
        .ok_or("dunst does not come up")?;
    let handler = session.home.join(".local/share/applications/handler.desktop");
    let opened = session.home.join("opened");
    fs::create_dir_all(handler.parent().unwrap_or(&handler)).map_err(|error| error.to_string())?;
    fs::write(
        session.home.join("handler"),
        format!("#!/bin/sh\necho \"$1\" >{}\n", opened.display()),
    )
    .map_err(|error| error.to_string())?;
    let exec = session.home.join("handler");
    fs::set_permissions(&exec, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .map_err(|error| error.to_string())?;
    let text = format!(
        "[Desktop Entry]\nType=Application\nName=Handler\nExec={} %u\n\
         MimeType=x-scheme-handler/pinfold-test;\n",
        exec.display()
    );
    fs::write(&handler, text).map_err(|error| error.to_string())?;
    session.ask("update-desktop-database", &[&handler.with_file_name("").to_string_lossy()]);

    let read = ["org.gnome.desktop.interface", "gtk-theme"];
    let note = ["one", "{'title': <'Told'>, 'body': <'from inside'>}"];
    let link = ["", "pinfold-test:here", "{}"];
    let all = [
        ("settings", "Settings.Read", &read[..]),
        ("notification", "Notification.AddNotification", &note[..]),
        ("open-uri", "OpenURI.OpenURI", &link[..]),
    ];
    for (_, method, arguments) in all {
        // With another portal than the one that is asked.
        let (code, said) = call(&session, "[portals]\nallow = [\"inhibit\"]", method, arguments);
        if code == 0 || !said.contains("AccessDenied") {
            return Err(format!("{method} without the grant: {code}, {said}"));
        }
    }
    std::thread::sleep(Duration::from_millis(300));
    if shown() != Some(0) || opened.exists() {
        return Err("what was refused was done all the same".to_owned());
    }
    for (word, method, arguments) in all {
        let rest = format!("[portals]\nallow = [\"{word}\"]");
        let (code, said) = call(&session, &rest, method, arguments);
        if code != 0 {
            return Err(format!("{method}: {code}, {said}"));
        }
        if word == "settings" && !said.contains('\'') {
            return Err(format!("no theme is told: {said}"));
        }
    }
    wait_for(Duration::from_secs(10), || (shown() == Some(1)).then_some(()))
        .ok_or_else(|| format!("{:?} notifications are shown", shown()))?;
    wait_for(Duration::from_secs(10), || {
        (fs::read_to_string(&opened).ok()?.trim() == "pinfold-test:here").then_some(())
    })
    .ok_or("the link was not opened")?;
    drop(dunst);
    Ok(())
}

fn flatpak_knows_it(desk: &Desk) -> Outcome {
    let session = Session::up(desk)?;
    let manifest = session.manifest(
        "org.example.Sleeper",
        &["/usr/bin/sleep", "60"],
        "[bus.session]\ntalk = []",
    );
    let columns = ["ps", "--columns=application"];
    let listed = || session.ask("flatpak", &columns).contains("org.example.Sleeper");
    if listed() {
        return Err("the control: it is listed before it runs".to_owned());
    }
    let mut app = session.inside(&["-q", &manifest]);
    app.process()?;
    wait_for(Duration::from_secs(10), || listed().then_some(()))
        .ok_or_else(|| format!("flatpak does not list it: {}", session.ask("flatpak", &["ps"])))?;
    let said = session.ask("flatpak", &["kill", "org.example.Sleeper"]);
    let code = app.exit_code()?;
    let left = fs::read_dir(desk.runtime().join(".flatpak")).into_iter().flatten().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    if code != 128 + 9 || !left.is_empty() || listed() {
        return Err(format!("flatpak kill: {said}; exit code {code}, left {left:?}"));
    }
    Ok(())
}

/// A window with a button that is to be pressed.
const BUTTON: &str = r#"
import gi
gi.require_version("Gtk", "3.0")
from gi.repository import Gtk
window = Gtk.Window(title="within")
button = Gtk.Button(label="Press")
button.connect("clicked", lambda _: (print("pressed", flush=True), Gtk.main_quit()))
window.add(button)
window.show_all()
Gtk.main()
"#;

/// A client of assistive technologies: lists the programs, and presses the
/// button of one.
const READER: &str = r#"
import sys
import gi
gi.require_version("Atspi", "2.0")
from gi.repository import Atspi
Atspi.init()

def walk(node):
    yield node
    for at in range(node.get_child_count()):
        child = node.get_child_at_index(at)
        if child:
            yield from walk(child)

desktop = Atspi.get_desktop(0)
programs = [desktop.get_child_at_index(at) for at in range(desktop.get_child_count())]
print("programs", sorted(program.get_name() for program in programs if program))
for program in programs:
    if program and program.get_name() == sys.argv[1]:
        for node in walk(program):
            if node.get_name() == "Press":
                print("found", node.get_role_name())
                node.get_action_iface().do_action(0)
                break
"#;

/// Calls a method of the root of a program's tree, with no question before.
const CALLER: &str = r#"
import sys
from gi.repository import Gio, GLib
address, name, method = sys.argv[1:]
flags = Gio.DBusConnectionFlags
bus = Gio.DBusConnection.new_for_address_sync(
    address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None)
try:
    root, interface = "/org/a11y/atspi/accessible/root", "org.a11y.atspi.Accessible"
    print(bus.call_sync(name, root, interface, method, None, None, 0, 5000, None).print_(False))
except GLib.Error as error:
    print("refused", error.message)
"#;

fn accessibility(desk: &Desk) -> Outcome {
    let session = Session::up(desk)?;
    let programs =
        [("button.py", BUTTON), ("other.py", BUTTON), ("reader.py", READER), ("caller.py", CALLER)];
    for (name, text) in programs {
        fs::write(session.home.join(name), text).map_err(|error| error.to_string())?;
    }
    let path = |name: &str| session.home.join(name).to_string_lossy().into_owned();
    let (button, reader) = (path("button.py"), path("reader.py"));
    let look = |name: &str| session.ask("/usr/bin/python3", &[&reader, name]);
    // Another program outside, whose tree is not for the application.
    let mut command = session.command("/usr/bin/python3");
    command.arg(path("other.py")).stdout(std::process::Stdio::null());
    let other = Server::start(&mut command).ok_or("python3 does not start")?;
    wait_for(Duration::from_secs(20), || look("").contains("'other.py'").then_some(()))
        .ok_or_else(|| format!("the control: no tree outside: {}", look("")))?;
    let rest = |more: &str| {
        format!(
            "extends = [\"base/gtk\"]\n[display]\nx11 = \"shared\"\n\
             [filesystem]\nread = [\"~/button.py\", \"~/reader.py\", \"~/caller.py\"]\n{more}"
        )
    };
    let granted = rest("[accessibility]\nenabled = true");
    let run = |command: &[&str], rest: &str| -> App {
        let manifest = session.manifest("org.example.Button", command, rest);
        session.inside(&["-q", &manifest])
    };
    // Not granted: it is not there.
    let mut app = run(&["/usr/bin/python3", &button], &rest("[bus.session]\ntalk = []"));
    app.window(desk, &["button.py", "Button.py"], "within")?;
    std::thread::sleep(Duration::from_secs(1));
    let told = look("button.py");
    if told.contains("'button.py'") || !told.contains("'other.py'") {
        return Err(format!("without the grant: {told}"));
    }
    drop(app);
    // Granted: it is found, and its button pressed.
    let mut app = run(&["/usr/bin/python3", &button], &granted);
    app.window(desk, &["button.py", "Button.py"], "within")?;
    wait_for(Duration::from_secs(15), || look("button.py").contains("found").then_some(()))
        .ok_or_else(|| format!("it is not found: {}{}", look("button.py"), app.errors()))?;
    let code = app.exit_code()?;
    if code != 0 || !app.output().contains("pressed") {
        return Err(format!("not pressed: {code}, {}{}", app.output(), app.errors()));
    }
    // A client inside sees no other program.
    let mut app = run(&["/usr/bin/python3", &reader, "other.py"], &granted);
    let code = app.exit_code()?;
    let told = app.output() + &app.errors();
    if told.contains("'other.py'") || told.contains("found") {
        return Err(format!("it sees other programs: {code}, {told}"));
    }
    // Nor does it reach one whose name on that bus it has guessed.
    let address = session.call("org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus.GetAddress", &[]);
    let address = address.split('\'').nth(1).unwrap_or_default().to_owned();
    let caller = path("caller.py");
    let call = |address: &str, name: &str, method: &str| {
        session.ask("/usr/bin/python3", &[&caller, address, name, method])
    };
    const REGISTRY: &str = "org.a11y.atspi.Registry";
    // "([(':1.3', '/org/a11y/atspi/accessible/root')],)"
    let told = call(&address, REGISTRY, "GetChildren");
    let guessed = told.split('\'').find(|part| part.starts_with(":1.")).unwrap_or_default();
    let inside = format!("unix:path=/run/user/{}/at-spi/bus", rustix::process::getuid().as_raw());
    for (name, method) in
        [(guessed, "GetChildren"), (guessed, "GetRoleName"), (REGISTRY, "GetChildren")]
    {
        let told = call(&address, name, method);
        if !told.starts_with('(') {
            return Err(format!("the control: {method} of {name} outside: {told}"));
        }
        let mut app = run(&["/usr/bin/python3", &caller, &inside, name, method], &granted);
        let code = app.exit_code()?;
        let told = app.output() + &app.errors();
        let refused = ["AccessDenied", "NameHasNoOwner"].iter().any(|error| told.contains(error));
        if code != 0 || !told.contains("refused GDBus.Error") || !refused {
            return Err(format!("{method} of {name}: {code}, {told}"));
        }
    }
    drop(other);
    run::all_closed(desk)
}
