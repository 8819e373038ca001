//! What of a bus passes: what the manifest grants, and nothing else. The bus
//! is a real one, on which everything is allowed to everybody, so the control
//! of each refusal is the same call by a client outside.

use std::path::PathBuf;

use serde_json::json;

use crate::daemon::{Bus, Service};
use crate::tests;
use crate::world::{App, Run, UNSEEN, World, finish};

tests![
    only_itself_is_seen,
    an_application_owns_its_own_names,
    an_id_that_is_a_services_name_is_not_owned,
    levels_and_rules,
    signals,
    a_word_for_a_service,
    no_statement_is_no_bus,
    the_system_bus,
    a_bus_at_an_abstract_name,
    a_bus_behind_a_link,
    addresses_that_are_of_no_use,
    refusals_are_told_once,
];

/// Whom calls to the bus itself are addressed to.
pub const DAEMON: &str = "org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus";

/// Connects to the session bus.
pub const SESSION: &str = "bus DBUS_SESSION_BUS_ADDRESS";

/// Grants the session bus with nothing on it.
pub const EMPTY: &str = "[bus.session]\ntalk = []";

/// The world's session bus, where one is looked for.
pub fn session(world: &World) -> Bus {
    Bus::at(tempfile::tempdir().unwrap(), world.path("%/bus"))
}

/// Runs the probe outside on a bus.
pub fn outside(world: &World, bus: &Bus, acts: &str) -> Run {
    let mut command = world.command(&world.path("@/probe"));
    command
        .args(acts.split_whitespace().map(|word| world.text(word)))
        .env("DBUS_SESSION_BUS_ADDRESS", &bus.address)
        .env("DBUS_SYSTEM_BUS_ADDRESS", &bus.address);
    finish(command, None)
}

/// Services with these names.
pub fn services(bus: &Bus, names: &[&str]) -> Vec<Service> {
    names.iter().map(|name| Service::start(bus, name)).collect()
}

fn only_itself_is_seen() {
    let world = World::new();
    let bus = session(&world);
    let _services = services(&bus, &["org.pinfold.Hidden"]);
    let acts = format!(
        "{SESSION} call {DAEMON} ListNames end call {DAEMON} ListActivatableNames end \
         call {DAEMON} GetNameOwner org.freedesktop.DBus end \
         call {DAEMON} GetNameOwner org.pinfold.Hidden end"
    );
    let control = outside(&world, &bus, &acts);
    control.all_work();
    for (at, name) in [(1, "org.pinfold.Hidden"), (2, "org.pinfold.Hidden.Service")] {
        let names = control.value(at);
        assert!(names.as_array().unwrap().contains(&json!(name)), "{names}");
    }
    let run = world.app(&acts).buses(EMPTY).run();
    run.ended_with(0);
    let own = run.value(0);
    let mut names: Vec<String> = serde_json::from_value(run.value(1)).unwrap();
    names.sort();
    assert_eq!(json!(names), json!([own, "org.freedesktop.DBus"]));
    assert_eq!(run.value(2), json!(["org.freedesktop.DBus"]));
    run.value(3);
    run.refused(4, &["NameHasNoOwner"]);
    run.never_shows("org.pinfold");
}

fn an_application_owns_its_own_names() {
    let world = World::new();
    let bus = session(&world);
    let own = [
        "org.example.Probe",
        "org.example.Probe.Window.One",
        "org.mpris.MediaPlayer2.org.example.Probe",
    ];
    let others = [
        "org.example",
        "org.example.Probes",
        "org.example.Other",
        "org.mpris.MediaPlayer2.vlc",
        "org.mpris.MediaPlayer2.org.example.Probe2",
        "org.freedesktop.portal.Desktop",
    ];
    let request = |names: &[&str]| {
        let all = names.iter().map(|name| format!("call {DAEMON} RequestName {name} #4 end"));
        format!("{SESSION} {}", all.collect::<Vec<_>>().join(" "))
    };
    let acts = request(&[&own[..], &others].concat());
    outside(&world, &bus, &acts).all_work();
    let run = world.app(&acts).buses(EMPTY).run();
    run.ended_with(0);
    for at in 1..=own.len() {
        run.value(at);
    }
    for at in own.len() + 1..=own.len() + others.len() {
        run.refused(at, &["ServiceUnknown"]);
    }
    // They are really owned: others outside see them, and reach it.
    let wait = format!("{} say ready wait-for ~/Share/go", request(&own));
    world.folder("~/Share");
    let mut app = world.app(&wait).buses(EMPTY).flags("--write ~/Share").start();
    app.await_word("ready");
    for name in own {
        outside(&world, &bus, &format!("{SESSION} call {DAEMON} GetNameOwner {name} end"))
            .all_work();
    }
    world.file("~/Share/go", "");
    app.finish().all_work();
}

/// A manifest says what its id is, and the first to own a name is believed.
fn an_id_that_is_a_services_name_is_not_owned() {
    let world = World::new();
    let bus = session(&world);
    for id in ["org.freedesktop.secrets", "org.freedesktop.portal", "org.gnome.Shell"] {
        let acts = format!("{SESSION} call {DAEMON} RequestName {id}.Own #4 end");
        outside(&world, &bus, &acts).all_work();
        let run = world.app(&acts).id(id).buses(EMPTY).run();
        run.says("services of the session").refused(1, &["ServiceUnknown"]);
        let stated = format!("[bus.session]\nown = [\"{id}.*\"]");
        world.app(&acts).id(id).buses(&stated).run().all_work();
    }
}

fn levels_and_rules() {
    let world = World::new();
    let bus = session(&world);
    let names =
        ["Hidden", "See", "Talk", "Call", "Broad"].map(|name| format!("org.pinfold.{name}"));
    let _services = services(&bus, &names.each_ref().map(String::as_str));
    let manifest = "[bus.session]
        see = [\"org.pinfold.See\"]
        talk = [\"org.pinfold.Talk.*\"]
        own = [\"org.pinfold.Own\"]
        call = [
            \"org.pinfold.Call=org.pinfold.I.Allowed@/allowed/*\",
            \"org.pinfold.Call=org.freedesktop.DBus.Properties.Get@/things#org.pinfold.Face\",
        ]
        broadcast = [\"org.pinfold.Broad=org.pinfold.I.*@/allowed/*\"]";
    const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
    let cases = [
        ("org.pinfold.Hidden /x org.pinfold.I Method", "ServiceUnknown"),
        ("org.pinfold.Hidden /x org.freedesktop.DBus.Peer Ping", "ServiceUnknown"),
        (&format!("{DAEMON} GetNameOwner org.pinfold.Hidden"), "NameHasNoOwner"),
        (&format!("{DAEMON} GetConnectionUnixProcessID org.pinfold.Hidden"), "NameHasNoOwner"),
        (&format!("{DAEMON} StartServiceByName org.pinfold.Hidden.Service #0"), "ServiceUnknown"),
        (&format!("{DAEMON} RequestName org.pinfold.Mine #4"), "ServiceUnknown"),
        ("org.pinfold.See /x org.pinfold.I Method", "AccessDenied"),
        (&format!("{DAEMON} GetNameOwner org.pinfold.See"), ""),
        (&format!("{DAEMON} RequestName org.pinfold.See #4"), "AccessDenied"),
        ("org.pinfold.Talk /x org.pinfold.I Method", ""),
        (&format!("{DAEMON} RequestName org.pinfold.Talk #4"), "AccessDenied"),
        (&format!("{DAEMON} StartServiceByName org.pinfold.Talk.Service #0"), "ChildExited"),
        (&format!("{DAEMON} RequestName org.pinfold.Own #4"), ""),
        (&format!("{DAEMON} RequestName org.pinfold.Own.More #4"), "ServiceUnknown"),
        ("org.pinfold.Call /allowed/x org.pinfold.I Allowed", ""),
        ("org.pinfold.Call /allowedx org.pinfold.I Allowed", "AccessDenied"),
        ("org.pinfold.Call /other org.pinfold.I Allowed", "AccessDenied"),
        ("org.pinfold.Call /allowed/x org.pinfold.I Other", "AccessDenied"),
        ("org.pinfold.Call /allowed/x org.pinfold.J Allowed", "AccessDenied"),
        (&format!("org.pinfold.Call /things {PROPERTIES} Get org.pinfold.Face Size"), ""),
        (
            &format!("org.pinfold.Call /things {PROPERTIES} Get org.pinfold.Other Size"),
            "AccessDenied",
        ),
        (
            &format!("org.pinfold.Call /things {PROPERTIES} Set org.pinfold.Face Size"),
            "AccessDenied",
        ),
        (&format!("org.pinfold.Call /else {PROPERTIES} Get org.pinfold.Face Size"), "AccessDenied"),
        ("org.pinfold.Broad /allowed/x org.pinfold.I Method", "AccessDenied"),
        (&format!("{DAEMON} UpdateActivationEnvironment"), "AccessDenied"),
    ];
    let acts: Vec<String> = cases.iter().map(|(call, _)| format!("call {call} end")).collect();
    let acts = format!("{SESSION} {}", acts.join(" "));
    let control = outside(&world, &bus, &acts);
    for (at, (call, _)) in cases.iter().enumerate() {
        // What is started is /bin/false, and the last lacks its argument.
        let error = match call.split(' ').nth(3) {
            Some("StartServiceByName") => "ChildExited",
            Some("UpdateActivationEnvironment") => "InvalidArgs",
            _ => "",
        };
        expect(&control, at + 1, error);
    }
    let run = world.app(&acts).buses(manifest).run();
    run.ended_with(0);
    for (at, (_, error)) in cases.iter().enumerate() {
        expect(&run, at + 1, error);
    }
}

/// Checks that an act worked, or was refused with this error.
#[track_caller]
fn expect(run: &Run, at: usize, error: &str) {
    if error.is_empty() {
        run.value(at);
    } else {
        run.refused(at, &[error]);
    }
}

fn signals() {
    let world = World::new();
    let bus = session(&world);
    let _services = services(&bus, &["org.pinfold.Hidden", "org.pinfold.Broad"]);
    world.folder("~/Share");
    let acts = format!(
        "{SESSION} call {DAEMON} AddMatch interface='org.pinfold.I' end say ready hear Last heard"
    );
    let emit = |service: &str, path: &str, member: &str| {
        let call =
            format!("call {service} / org.pinfold.Control Emit {path} org.pinfold.I {member}");
        outside(&world, &bus, &format!("{SESSION} {call} end")).all_work();
    };
    let emit_all = || {
        emit("org.pinfold.Hidden", "/allowed/x", "Foreign");
        emit("org.pinfold.Broad", "/allowed/x", "Told");
        emit("org.pinfold.Broad", "/other", "Elsewhere");
        emit("org.pinfold.Broad", "/allowed/x", "Other");
        emit("org.pinfold.Broad", "/allowed/x", "Last");
    };
    let manifest = "[bus.session]
        broadcast = [
            \"org.pinfold.Broad=org.pinfold.I.Told@/allowed/*\",
            \"org.pinfold.Broad=org.pinfold.I.Last\",
        ]";
    let mut inside = world.app(&acts).buses(manifest).start();
    inside.await_word("ready");
    // The control listens beside it.
    let mut command = world.command(&world.path("@/probe"));
    command.args(acts.split_whitespace()).env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
    let mut control = crate::world::Running::new(command, None);
    control.await_word("ready");
    emit_all();
    let control = control.finish();
    let all = json!(["Foreign", "Told", "Elsewhere", "Other", "Last"]);
    assert_eq!(control.value(4), all, "{}", control.told());
    let inside = inside.finish();
    assert_eq!(inside.value(4), json!(["Told", "Last"]), "{}", inside.told());
}

fn a_word_for_a_service() {
    let world = World::new();
    let bus = session(&world);
    let watcher = "org.kde.StatusNotifierWatcher";
    let _services = services(&bus, &[watcher]);
    let register = format!("{watcher} /StatusNotifierWatcher {watcher} RegisterStatusNotifierItem");
    let acts = format!(
        "{SESSION} call {DAEMON} RequestName org.kde.StatusNotifierItem-2-1 #4 end \
         call {register} org.kde.StatusNotifierItem-2-1 end \
         call {DAEMON} RequestName org.kde.StatusNotifierItem #4 end \
         call {DAEMON} RequestName org.kde.StatusNotifierHost-2 #4 end \
         call {watcher} /StatusNotifierWatcher {watcher} RegisterStatusNotifierHost x end"
    );
    outside(&world, &bus, &acts).all_work();
    let run = world.app(&acts).buses("[bus.session]\nservices = [\"tray\"]").run();
    run.value(1);
    run.value(2);
    run.refused(3, &["ServiceUnknown"]);
    run.refused(4, &["ServiceUnknown"]);
    run.refused(5, &["AccessDenied"]);
    // Without the word none of it.
    let run = world.app(&acts).buses(EMPTY).run();
    for at in 1..=5 {
        run.refused(at, &["ServiceUnknown"]);
    }
}

fn runtime() -> PathBuf {
    PathBuf::from(format!("/run/user/{}", rustix::process::getuid().as_raw()))
}

fn no_statement_is_no_bus() {
    let world = World::new();
    let bus = session(&world);
    let socket = runtime().join("bus").display().to_string();
    let host = bus.socket.display();
    let acts = format!(
        "env connect-path {socket} lstat {socket} connect-path {host} lstat /.flatpak-info \
         list {} {SESSION}",
        runtime().display()
    );
    outside(&world, &bus, &format!("connect-path {host} {SESSION}")).all_work();
    let run = world.app(&acts).variable("DBUS_SESSION_BUS_ADDRESS", &bus.address).run();
    let environment = run.value(0);
    assert_eq!(environment["DBUS_SESSION_BUS_ADDRESS"], "disabled:");
    assert_eq!(environment["DBUS_SYSTEM_BUS_ADDRESS"], json!(null));
    for at in 1..=4 {
        run.refused(at, UNSEEN);
    }
    // The control for the place: there it is when it is granted.
    let run = world.app(&acts).buses(EMPTY).run();
    let environment = run.value(0);
    assert_eq!(environment["DBUS_SESSION_BUS_ADDRESS"], format!("unix:path={socket}"));
    run.value(1);
    run.value(2);
    // Still not the bus itself, and no marker without portals.
    run.refused(3, UNSEEN);
    run.refused(4, UNSEEN);
    run.value(6);
}

fn the_system_bus() {
    let world = World::new();
    let session = session(&world);
    let system = Bus::at(tempfile::tempdir().unwrap(), world.path("@/system-bus"));
    let _services = services(&system, &["org.pinfold.Talk", "org.pinfold.Hidden"]);
    let _others = services(&session, &["org.pinfold.Talk"]);
    let acts = format!(
        "bus DBUS_SYSTEM_BUS_ADDRESS call org.pinfold.Talk /x org.pinfold.I Method end \
         call org.pinfold.Hidden /x org.pinfold.I Method end \
         call {DAEMON} RequestName org.example.Probe #4 end env {SESSION}"
    );
    outside(&world, &system, &acts).all_work();
    let app = |manifest: &str| {
        world
            .app(&acts)
            .buses(manifest)
            .variable("DBUS_SYSTEM_BUS_ADDRESS", &system.address)
            .variable("DBUS_SESSION_BUS_ADDRESS", &session.address)
            .run()
    };
    let run = app("[bus.system]\ntalk = [\"org.pinfold.Talk\"]");
    run.value(1);
    run.refused(2, &["ServiceUnknown"]);
    // Its own name is one of the session.
    run.refused(3, &["ServiceUnknown"]);
    let environment = run.value(4);
    let place = "unix:path=/run/dbus/system_bus_socket";
    assert_eq!(environment["DBUS_SYSTEM_BUS_ADDRESS"], place);
    assert_eq!(environment["DBUS_SESSION_BUS_ADDRESS"], "disabled:");
    // Portals know nothing of it, as it cannot reach them.
    world.assert_nothing_left();
    // Both, each with its own rules.
    let run = app("[bus.system]\ntalk = [\"org.pinfold.Talk\"]\n[bus.session]\ntalk = []");
    run.value(1);
    run.value(5);
}

/// An application that uses the session bus, with an address of the caller's.
fn with_address<'a>(world: &'a World, address: &str) -> App<'a> {
    let acts = format!("{SESSION} call {DAEMON} GetId end env");
    world.app(&acts).buses(EMPTY).variable("DBUS_SESSION_BUS_ADDRESS", address)
}

fn a_bus_at_an_abstract_name() {
    let world = World::new();
    let bus = Bus::start_abstract();
    let name = bus.address.strip_prefix("unix:abstract=").unwrap();
    world.outside(&format!("connect-abstract {name}")).all_work();
    with_address(&world, &bus.address).run().all_work();
    // The filter is in the host's network; the application is not.
    let acts = format!("{SESSION} connect-abstract {name}");
    let run =
        world.app(&acts).buses(EMPTY).variable("DBUS_SESSION_BUS_ADDRESS", &bus.address).run();
    run.value(0);
    run.refused(1, &["ECONNREFUSED", "EPERM"]);
    world.assert_nothing_left();
}

fn a_bus_behind_a_link() {
    let world = World::new();
    let _bus = session(&world);
    world.link("%/bus", "@/alias");
    with_address(&world, "unix:path=@/alias").run().all_work();
    world.folder("@/real");
    world.link("@/real", "@/linked");
    let _other = Bus::at(tempfile::tempdir().unwrap(), world.path("@/real/bus"));
    with_address(&world, "unix:path=@/linked/bus").run().all_work();
    // A link where an application may write could be its own.
    world.folder("~/Share");
    world.link("%/bus", "~/Share/bus");
    let app = || with_address(&world, "unix:path=~/Share/bus");
    app().run().all_work();
    world.app("stat ~/Share").flags("--write ~/Share").run().all_work();
    let run = app().run();
    run.says("the session bus is not shown");
    assert_eq!(run.value(2)["DBUS_SESSION_BUS_ADDRESS"], "disabled:");
}

fn addresses_that_are_of_no_use() {
    let world = World::new();
    let _bus = session(&world);
    world.file("@/file", "");
    for (address, text) in [
        ("tcp:host=localhost,port=12345", "\"tcp\" is refused"),
        ("unix:path=@/nothing", "where nothing listens"),
        ("unix:path=@/file", "where nothing listens"),
        ("unix:path=relative", "cannot be used"),
        ("autolaunch:", "\"autolaunch\" is refused"),
        ("unix:path=@/nothing;tcp:host=localhost,port=12345", "\"tcp\" is refused"),
    ] {
        let run = with_address(&world, address).run();
        run.ended_with(0).says("the session bus is not shown").says(text);
        // What is stated and of no use is not replaced by a guess.
        assert_eq!(run.value(2)["DBUS_SESSION_BUS_ADDRESS"], "disabled:");
        assert!(run.results()[0]["ok"] == false, "{}", run.told());
    }
    // The first that listens is taken; none stated is the usual place.
    with_address(&world, "unix:path=@/nothing;unix:path=%/bus").run().all_work();
    with_address(&world, "").run().all_work();
    world.assert_nothing_left();
}

fn refusals_are_told_once() {
    let world = World::new();
    let bus = session(&world);
    let _services = services(&bus, &["org.pinfold.Call"]);
    let desktop = "org.freedesktop.portal.Desktop /org/freedesktop/portal/desktop";
    let acts = format!(
        "{SESSION} call org.pinfold.Call /a/b org.pinfold.I Other end \
         call org.pinfold.Call /a/b org.pinfold.I Other end \
         call {DAEMON} RequestName org.pinfold.Mine #4 end \
         call {desktop} org.freedesktop.portal.Screenshot Screenshot x end \
         call {DAEMON} RequestName =1b5d303b7469746c65071b5b324a #4 end \
         call {DAEMON} GetId end"
    );
    let manifest = "[bus.session]\ncall = [\"org.pinfold.Call=org.pinfold.I.Allowed\"]";
    let run = world.app(&acts).buses(manifest).flags("--log-bus").run();
    // One of the names was a title for the terminal, and an order to clear it.
    for (refused, hint) in [
        (
            "call to org.pinfold.Call: org.pinfold.I.Other@/a/b",
            "[bus.session] call = [\"org.pinfold.Call=org.pinfold.I.Other@/a/b\"]",
        ),
        ("RequestName of org.pinfold.Mine", "[bus.session] own = [\"org.pinfold.Mine\"]"),
        ("org.freedesktop.portal.Screenshot.Screenshot", "[portals] allow = [\"screenshot\"]"),
    ] {
        let told = run.errors.lines().filter(|line| line.starts_with("session bus: refused"));
        let count = told.filter(|line| line.contains(refused)).count();
        assert_eq!(count, 1, "{refused}: {}", run.told());
        run.says(&format!("    to allow it: {hint}"));
    }
    assert_eq!(run.errors.matches("refused").count(), 4, "{}", run.told());
    assert!(!run.errors.contains(['\u{1b}', '\u{7}']), "{:?}", run.errors);
    // The line that is given does allow it.
    let allowed = "[bus.session]
        own = [\"org.pinfold.Mine\"]
        call = [\"org.pinfold.Call=org.pinfold.I.Other@/a/b\"]";
    let run = world.app(&acts).buses(allowed).flags("--log-bus").run();
    for at in [1, 2, 3] {
        run.value(at);
    }
    assert_eq!(run.errors.matches("refused").count(), 2, "{}", run.told());
    // Nothing is told unless it is asked for.
    let run = world.app(&acts).buses(manifest).run();
    run.refused(1, &["AccessDenied"]);
    assert!(!run.errors.contains("refused"), "{}", run.told());
}
