//! What an application reaches of X11.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::desk::{self, Desk, wait_for};
use crate::run::{App, quiet, snapshot};
use crate::{Outcome, tests};

tests! {
    one_cookie_and_one_socket needs ["xeyes"],
    other_displays_are_out_of_reach needs ["xdpyinfo"],
    works_with_the_hosts_network needs ["xdpyinfo"],
    no_abstract_socket_with_the_hosts_network needs ["xdpyinfo"],
    a_display_over_the_network needs ["xdpyinfo"],
    shared_memory needs ["mpv"],
}

/// A manifest that lets xdpyinfo look at a display.
fn looking_at(home: &Path, display: &str) -> String {
    let file = home.join("look.toml");
    let command = match display {
        "" => "[\"xdpyinfo\"]".to_owned(),
        display => format!("[\"xdpyinfo\", \"-display\", \"{display}\"]"),
    };
    let text = format!(
        "schema = 1\nid = \"org.test.Look\"\ncommand = {command}\n[display]\nx11 = \"shared\"\n"
    );
    fs::write(&file, text).expect("a manifest");
    file.to_string_lossy().into_owned()
}

/// The exit code of xdpyinfo inside, and all that was said.
fn look(desk: &Desk, display: &str, flags: &[&str]) -> Result<(i32, String), String> {
    let home = desk.home();
    let manifest = looking_at(&home, display);
    let mut arguments = vec!["-q"];
    arguments.extend(flags);
    arguments.push(&manifest);
    let mut app = App::inside(desk, &home, &arguments);
    let code = app.exit_code()?;
    Ok((code, app.output() + &app.errors()))
}

fn one_cookie_and_one_socket(desk: &Desk) -> Outcome {
    let mut app = App::inside(desk, &desk.home(), &["-q", "org.x.Xeyes"]);
    app.window(desk, &["XEyes"], "")?;
    let uid = rustix::process::getuid().as_raw();
    let file = app.place(Path::new(&format!("/run/user/{uid}/Xauthority")))?;
    let cookie = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    const FAMILY_WILD: u16 = 65535;
    if cookie != desk::authority_record(FAMILY_WILD, b"", b"", &desk.cookie) {
        return Err(format!("not exactly the one cookie: {cookie:?}"));
    }
    let all = fs::read(desk.authority()).map_err(|error| error.to_string())?;
    if all.len() < 2 * cookie.len() {
        return Err("outside there is no second cookie to leave out".to_owned());
    }
    let folder = app.place(Path::new("/tmp/.X11-unix"))?;
    let sockets: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(|error| error.to_string())?
        .flatten()
        .map(|e| e.path())
        .collect();
    match sockets.as_slice() {
        // mpv's x11 output believes that a lower number shares its memory.
        [one] if one.ends_with(format!("X{}", desk.x11.number.max(10))) => Ok(()),
        other => Err(format!("not exactly the one socket: {other:?}")),
    }
}

fn other_displays_are_out_of_reach(desk: &Desk) -> Outcome {
    let other = desk.another_x_server().ok_or("no second X server")?;
    let name = format!(":{}", other.number);
    if !quiet(desk.outside(&desk.home(), "xdpyinfo").args(["-display", &name])) {
        return Err("the control: the second X server cannot be reached outside".to_owned());
    }
    let (own, said) = look(desk, "", &[])?;
    if own != 0 {
        return Err(format!("the control: its own display cannot be reached: {said}"));
    }
    match look(desk, &name, &[])? {
        (0, _) => Err("the second X server can be reached".to_owned()),
        (_, said) if said.contains("unable to open display") => Ok(()),
        (code, said) => Err(format!("another failure, {code}: {said}")),
    }
}

/// libxcb tries the abstract socket first, which the sandbox keeps shut, so
/// the display must have a number that has none.
fn works_with_the_hosts_network(desk: &Desk) -> Outcome {
    let (code, said) = look(desk, "", &["--share", "network"])?;
    let name = said.lines().find_map(|line| line.strip_prefix("name of display:")).map(str::trim);
    match name {
        Some(name) if code == 0 && name != format!(":{}", desk.x11.number) => Ok(()),
        _ => Err(format!("exit code {code}, display {name:?}: {said}")),
    }
}

fn no_abstract_socket_with_the_hosts_network(desk: &Desk) -> Outcome {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    if (numbers.next(), numbers.next()) < (Some(6), Some(12)) {
        crate::skip(
            "x11::no_abstract_socket_with_the_hosts_network",
            "landlock closes abstract sockets from Linux 6.12 on",
        );
        return Ok(());
    }
    let other = desk.another_x_server().ok_or("no second X server")?;
    let name = format!(":{}", other.number);
    if !quiet(desk.outside(&desk.home(), "xdpyinfo").args(["-display", &name])) {
        return Err("the control: the second X server cannot be reached outside".to_owned());
    }
    match look(desk, &name, &["--share", "network"])? {
        (0, _) => Err("the second X server can be reached by its abstract socket".to_owned()),
        (_, said) if said.contains("unable to open display") => Ok(()),
        (code, said) => Err(format!("another failure, {code}: {said}")),
    }
}

fn a_display_over_the_network(desk: &Desk) -> Outcome {
    let run = |flags: &[&str]| -> Result<(i32, String), String> {
        let home = desk.home();
        let manifest = looking_at(&home, "");
        let mut arguments = flags.to_vec();
        arguments.push(&manifest);
        let mut app = App::inside_with(desk, &home, &arguments, |command| {
            command.env("DISPLAY", "localhost:10.0");
        });
        let code = app.exit_code()?;
        if code == 69 && app.output().contains("started") {
            return Err("something was started all the same".to_owned());
        }
        Ok((code, app.errors()))
    };
    let (code, said) = run(&[])?;
    let errors = said.lines().filter(|line| line.starts_with("error")).count();
    if code != 69 || errors != 1 || !said.contains("localhost:10.0") || !said.contains("network") {
        return Err(format!("not the one diagnostic and exit code 69, but {code}: {said}"));
    }
    // With the network it is tried, and nobody listens.
    match run(&["-q", "--share", "network"])? {
        (1, said) if said.contains("unable to open display") => Ok(()),
        (code, said) => Err(format!("with the network: exit code {code}: {said}")),
    }
}

/// The server cannot attach shared memory of another ipc namespace; a player
/// that draws through X11 alone has to do without, and does.
fn shared_memory(desk: &Desk) -> Outcome {
    const GREEN: [u8; 3] = [18, 200, 58];
    let home = desk.home();
    let image = home.join("Videos/green.ppm");
    let mut ppm = b"P6 320 240 255\n".to_vec();
    ppm.extend(GREEN.repeat(320 * 240));
    fs::write(&image, ppm).map_err(|error| error.to_string())?;
    let image = image.to_string_lossy().into_owned();
    let arguments = ["-q", "io.mpv.Mpv", "--vo=x11", "--loop-file=inf", "--osc=no", &image];
    let mut app = App::inside(desk, &home, &arguments);
    let window = app.window(desk, &["mpv"], "green")?;
    let mut share = 0;
    let found = wait_for(Duration::from_secs(10), || {
        share = snapshot(desk, &window)?.share_of(GREEN);
        (share > 900).then_some(())
    });
    found.ok_or_else(|| format!("{share} thousandths of the window are green: {}", app.errors()))
}
