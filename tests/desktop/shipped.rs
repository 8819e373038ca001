//! Shipped manifests beside a session bus with portals on it: what each program
//! does otherwise than without.

use std::fs;
use std::time::Duration;

use crate::browsers::{self, CHROMIUM, CHROMIUM_FLAGS, FIREFOX};
use crate::desk::{Desk, wait_for};
use crate::portals::{DOCUMENTS, GTK_PORTAL, PORTAL, opened};
use crate::run::{self, App, Window};
use crate::session::Session;
use crate::windows::{CALCULATOR, EOG, GIMP, MOUSEPAD, MPV, Subject, WRITER};
use crate::{Outcome, tests};

tests! {
    gnome_calculator needs [PORTAL, "gdbus", "gnome-calculator"],
    mpv needs [PORTAL, "gdbus", "mpv"],
    gimp needs [PORTAL, "gdbus", "gimp"],
    libreoffice_writer needs [PORTAL, "gdbus", "libreoffice"],
    mousepad_prints needs [PORTAL, GTK_PORTAL, "gdbus", "mousepad"],
    eog_prints needs [PORTAL, GTK_PORTAL, "gdbus", "eog", "convert"],
    each_sandbox_opens_its_own_file needs [PORTAL, "gdbus", "mousepad"],
    without_portals_its_own_dialog needs [DOCUMENTS, "gdbus", "evince"],
    chromium_opens_a_file needs [PORTAL, GTK_PORTAL, DOCUMENTS, "gdbus", "chromium"],
    firefox_opens_a_file needs [PORTAL, GTK_PORTAL, DOCUMENTS, "gdbus", "firefox-esr"],
}

/// Starts an application as it is shipped. It may own every name that it asks
/// for: a program that may not often ends without a window.
fn started(
    session: &Session<'_>,
    subject: &Subject,
    more: &[&str],
    title: &str,
) -> Result<(App, Window), String> {
    let arguments = [&["-q", "--log-bus", subject.id], subject.arguments, more].concat();
    let mut app = session.inside(&arguments);
    let window = app.window(session.desk, &[subject.class], title)?;
    let said = app.errors();
    if said.contains("refused RequestName") || said.contains("is not shown") {
        return Err(format!("it lacks the bus or a name on it: {said}"));
    }
    Ok((app, window))
}

fn shows_its_window(desk: &Desk, subject: &Subject) -> Outcome {
    let session = Session::up(desk)?;
    let (app, window) = started(&session, subject, &[], subject.title)?;
    wait_for(Duration::from_secs(10), || {
        let picture = run::snapshot(desk, &window)?;
        (picture.distinct() > 1 && picture.drawn() >= 10).then_some(())
    })
    .ok_or_else(|| format!("its window is blank: {}", app.errors()))?;
    drop(app);
    run::all_closed(desk)
}

fn gnome_calculator(desk: &Desk) -> Outcome {
    shows_its_window(desk, &CALCULATOR)
}

fn mpv(desk: &Desk) -> Outcome {
    shows_its_window(desk, &MPV)
}

fn gimp(desk: &Desk) -> Outcome {
    shows_its_window(desk, &GIMP)
}

fn libreoffice_writer(desk: &Desk) -> Outcome {
    shows_its_window(desk, &WRITER)
}

/// Opens a file from a folder that is granted and summons the dialog for
/// printing, which the portal draws.
fn prints(session: &Session<'_>, subject: &Subject, file: &str) -> Outcome {
    let path = session.home.join(file);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut app, window) = started(session, subject, &[&path.to_string_lossy()], &name)?;
    let dialog = session.summon(&mut app, &window, "ctrl+p")?;
    if dialog.title != "Print" {
        return Err(format!("another dialog: {dialog:?}"));
    }
    session.desk.ask("xdotool", &["windowactivate", "--sync", &dialog.id, "key", "Escape"]);
    drop(app);
    run::all_closed(session.desk)
}

fn mousepad_prints(desk: &Desk) -> Outcome {
    let session = Session::up(desk)?;
    prints(&session, &MOUSEPAD, "Documents/seen.txt")
}

fn eog_prints(desk: &Desk) -> Outcome {
    let session = Session::up(desk)?;
    let picture = session.home.join("Pictures/one.png");
    session.ask("convert", &["-size", "64x64", "xc:green", &picture.to_string_lossy()]);
    prints(&session, &EOG, "Pictures/one.png")
}

/// A file that is named on the command line is granted to one sandbox. If its
/// program handed the name to one that runs already, in another sandbox, that
/// one could not open it.
fn each_sandbox_opens_its_own_file(desk: &Desk) -> Outcome {
    let session = Session::up(desk)?;
    let mut apps = Vec::new();
    for name in ["first.txt", "second.txt"] {
        let file = session.home.join("secret").join(name);
        fs::write(&file, "text").map_err(|error| error.to_string())?;
        let (mut app, _) = started(&session, &MOUSEPAD, &[&file.to_string_lossy()], name)?;
        if !app.is_running() || !app.place(&file)?.exists() {
            return Err(format!("{name} is opened by another: {}", app.errors()));
        }
        apps.push(app);
    }
    drop(apps);
    run::all_closed(desk)
}

/// Where the bus has no portals, a dialog that asked for them would not come up
/// at all.
fn without_portals_its_own_dialog(desk: &Desk) -> Outcome {
    let session = Session::bare(desk)?;
    let mut app = session.inside(&["-q", "org.gnome.Evince"]);
    let window = app.window(desk, &["Evince"], "")?;
    let mut dialog = Err(String::new());
    for _ in 0..5 {
        desk.ask("xdotool", &["windowactivate", "--sync", &window.id]);
        desk.ask("xdotool", &["key", "--clearmodifiers", "ctrl+o"]);
        let found = || {
            let all = run::windows(desk);
            all.into_iter().find(|(class, other)| class == "Evince" && *other != window)
        };
        dialog = wait_for(Duration::from_secs(3), found).ok_or_else(|| app.errors());
        if dialog.is_ok() {
            break;
        }
    }
    let (_, dialog) = dialog.map_err(|said| format!("no dialog comes up: {said}"))?;
    if dialog.title != "Open Document" {
        return Err(format!("another window: {dialog:?}"));
    }
    drop(app);
    run::all_closed(desk)
}

/// Opens a page by the browser's own dialog, out of a folder that it does not
/// see.
fn opens_a_file(
    desk: &Desk,
    class: &str,
    arguments: &dyn Fn(&Session<'_>) -> Vec<String>,
) -> Outcome {
    let session = Session::up(desk)?;
    let page = session.home.join("secret/page.html");
    fs::write(&page, "<title>Picked page</title>here").map_err(|error| error.to_string())?;
    let arguments = arguments(&session);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (app, _) = opened(&session, &arguments, class, &page, "Picked page")?;
    drop(app);
    run::all_closed(desk)
}

fn chromium_opens_a_file(desk: &Desk) -> Outcome {
    if browsers::is_root("shipped::chromium_opens_a_file") {
        return Ok(());
    }
    opens_a_file(desk, "Chromium", &|_| {
        [&[CHROMIUM], CHROMIUM_FLAGS.as_slice()].concat().into_iter().map(str::to_owned).collect()
    })
}

fn firefox_opens_a_file(desk: &Desk) -> Outcome {
    if browsers::is_root("shipped::firefox_opens_a_file") {
        return Ok(());
    }
    opens_a_file(desk, "firefox-esr", &|session| {
        let profile = browsers::firefox_profile(&session.home).map(|(inside, _)| inside);
        vec![FIREFOX.to_owned(), "--profile".to_owned(), profile.unwrap_or_default()]
    })
}
