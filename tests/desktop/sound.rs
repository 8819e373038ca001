//! Sound: it is heard, and only the one socket is there.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::desk::{Desk, Server, wait_for};
use crate::run::{App, quiet};
use crate::{Outcome, tests};

tests! {
    a_player_is_heard needs [
        "pipewire", "wireplumber", "pipewire-pulse", "dbus-daemon", "pactl", "parec", "mpv",
    ],
}

/// Starts a sound server whose output can be listened to. The session
/// manager needs a bus; it gets one of its own.
fn servers(desk: &Desk) -> Result<Vec<Server>, String> {
    let home = desk.home();
    let bus = format!("unix:path={}", desk.runtime().join("sound-bus").display());
    let mut servers = Vec::new();
    let mut start = |program: &str, arguments: &[&str], socket: Option<&str>| {
        let mut command = desk.outside(&home, program);
        command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        if program == "wireplumber" {
            command.env("DBUS_SESSION_BUS_ADDRESS", &bus);
        }
        servers.extend(Server::start(&mut command));
        let Some(socket) = socket else { return Ok(()) };
        let path = desk.runtime().join(socket);
        wait_for(Duration::from_secs(10), || UnixStream::connect(&path).ok())
            .map(drop)
            .ok_or_else(|| format!("{program} does not get ready"))
    };
    start(
        "dbus-daemon",
        &["--session", "--nofork", "--nopidfile", "--address", &bus],
        Some("sound-bus"),
    )?;
    start("pipewire", &[], Some("pipewire-0"))?;
    start("wireplumber", &[], None)?;
    start("pipewire-pulse", &[], Some("pulse/native"))?;
    let sink = ["load-module", "module-null-sink", "sink_name=test"];
    wait_for(Duration::from_secs(10), || {
        quiet(desk.outside(&home, "pactl").args(sink)).then_some(())
    })
    .ok_or("no sink can be made")?;
    wait_for(Duration::from_secs(10), || {
        quiet(desk.outside(&home, "pactl").args(["set-default-sink", "test"])).then_some(())
    })
    .ok_or("the sink does not become the default")?;
    Ok(servers)
}

/// The loudest sample of what is played while `play` runs.
fn loudest(desk: &Desk, play: impl FnOnce() -> Outcome) -> Result<u16, String> {
    let home = desk.home();
    let file = home.join("heard.raw");
    let mut command = desk.outside(&home, "parec");
    command
        .args(["--raw", "--format=s16le", "--latency-msec=50", "--device=test.monitor"])
        .stdout(fs::File::create(&file).map_err(|error| error.to_string())?)
        .stderr(Stdio::null());
    let recorder = Server::start(&mut command).ok_or("parec does not start")?;
    wait_for(Duration::from_secs(10), || {
        fs::metadata(&file).is_ok_and(|about| about.len() > 0).then_some(())
    })
    .ok_or("nothing is recorded")?;
    play()?;
    drop(recorder);
    let bytes = fs::read(&file).map_err(|error| error.to_string())?;
    let (samples, _) = bytes.as_chunks::<2>();
    Ok(samples.iter().map(|sample| i16::from_le_bytes(*sample).unsigned_abs()).max().unwrap_or(0))
}

/// A second of a loud tone.
fn tone() -> Vec<u8> {
    const RATE: u32 = 44100;
    let samples: Vec<u8> = (0..RATE)
        .flat_map(|n| if n / 50 % 2 == 0 { 20_000i16 } else { -20_000 }.to_le_bytes())
        .collect();
    let length = samples.len() as u32;
    let mut wave = b"RIFF".to_vec();
    wave.extend((36 + length).to_le_bytes());
    wave.extend(b"WAVEfmt ");
    // PCM, one channel, two bytes a sample.
    wave.extend(16u32.to_le_bytes());
    wave.extend([1, 0, 1, 0]);
    wave.extend(RATE.to_le_bytes());
    wave.extend((RATE * 2).to_le_bytes());
    wave.extend([2, 0, 16, 0]);
    wave.extend(b"data");
    wave.extend(length.to_le_bytes());
    wave.extend(samples);
    wave
}

fn a_player_is_heard(desk: &Desk) -> Outcome {
    let servers = servers(desk)?;
    let play = |flags: &[&str]| {
        let home = desk.home();
        fs::write(home.join("Music/tone.wav"), tone()).map_err(|error| error.to_string())?;
        let file = home.join("Music/tone.wav").to_string_lossy().into_owned();
        let mut arguments = vec!["-q"];
        arguments.extend(flags);
        arguments.extend(["io.mpv.Mpv", "--vo=null", "--force-window=no", "--idle=yes", &file]);
        let mut app = App::inside(desk, &home, &arguments);
        let runtime = format!("/run/user/{}", rustix::process::getuid().as_raw());
        let runtime = app.place(Path::new(&runtime))?;
        let sockets = (runtime.join("pulse/native").exists(), runtime.join("pipewire-0").exists());
        if sockets != (flags.is_empty(), false) {
            return Err(format!("PulseAudio's and PipeWire's sockets inside: {sockets:?}"));
        }
        // Long enough for a second of sound.
        std::thread::sleep(Duration::from_millis(2500));
        if app.is_running() { Ok(()) } else { Err(format!("it ended: {}", app.errors())) }
    };
    let heard = loudest(desk, || play(&[]))?;
    let unheard = loudest(desk, || play(&["--unshare", "audio"]))?;
    drop(servers);
    if heard < 10_000 || unheard > 0 {
        return Err(format!("with the grant {heard} was heard, without {unheard}"));
    }
    Ok(())
}
