//! The session around the application: sockets, buses, names, arguments and
//! variables.

use std::os::unix::net::UnixListener;

use super::site::Scene;
use super::{Case, acts, elsewhere, not_here, test};
use crate::world::{App, FIXED, World};

const UNSEEN: &[&str] = &["ENOENT", "EACCES"];
const UNREACHED: &[&str] = &["ECONNREFUSED", "ENETUNREACH", "EACCES", "EPERM"];

/// Landlock has a word for this since ABI 9.
const SOCKET_FILES: &str = "landlock knows socket files from ABI 9 (Linux 7.1) on; before, a file \
                            tree without them is all there is";
const NO_NETWORK: &str = "without a network there is none; landlock knows ports and no addresses, \
                          and is not asked where none is granted";

pub fn cases() -> Vec<Case> {
    [buses(), sockets(), texts()].into_iter().flatten().collect()
}

fn buses() -> Vec<Case> {
    vec![
        elsewhere(
            "D1",
            "forges a reply to a call that others made",
            &["bus hostile::forged_replies", "bus hostile::replies_of_the_wrong_peer"],
        ),
        elsewhere("D2", "hides eavesdropping in a match rule", &["bus hostile::eavesdropping"]),
        elsewhere(
            "D3",
            "hears broadcasts that a narrow rule leaves out",
            &[
                "bus matrix::same_verdicts_as_xdg_dbus_proxy",
                "bus matrix::without_a_filter_all_of_it_is_allowed",
            ],
        ),
        elsewhere(
            "D4",
            "has two readers take its handshake differently",
            &["bus hostile::handshakes", "bus hostile::pipelined_and_split_handshakes"],
        ),
        elsewhere(
            "D5",
            "breaks the parser by lengths, serials and early errors",
            &[
                "bus hostile::malformed_messages",
                "bus hostile::order_of_messages",
                "bus hostile::announced_and_real_size",
                "bus hostile::changed_bytes",
            ],
        ),
        elsewhere(
            "D6",
            "sends the other byte order, bad signatures, or descriptors in masses",
            &[
                "bus hostile::big_endian",
                "bus hostile::descriptor_floods",
                "bus hostile::descriptors_without_asking",
                "bus hostile::truncated_messages",
            ],
        ),
        elsewhere(
            "D7",
            "has a service of the session run a program",
            &[
                "bus matrix::same_verdicts_as_xdg_dbus_proxy",
                "bus matrix::without_a_filter_all_of_it_is_allowed",
            ],
        ),
        elsewhere(
            "D8",
            "learns the names of others on the bus",
            &[
                "bus matrix::same_verdicts_as_xdg_dbus_proxy",
                "bus matrix::without_a_filter_all_of_it_is_allowed",
            ],
        ),
        test(
            "D9",
            "is taken for another by who asks the bus for its process",
            who_a_bus_is_told_of,
        ),
    ]
}

fn sockets() -> Vec<Case> {
    vec![
        acts(
            "D10-runtime",
            "connects to a socket in the runtime folder",
            "connect-path %/bus",
            UNSEEN,
        )
        .single(SOCKET_FILES),
        acts("D10-path", "connects to a socket elsewhere", "connect-path @/socket", UNSEEN)
            .single(SOCKET_FILES),
        acts(
            "D10-datagram",
            "sends to a socket that takes datagrams",
            "send-datagram @/datagrams",
            UNSEEN,
        )
        .single(SOCKET_FILES),
        acts("D10-network", "the same with the host's network", "connect-path %/bus", UNSEEN)
            .scene(Scene::Network)
            .single(SOCKET_FILES),
        acts("D11", "connects to an abstract socket", "connect-abstract {abstract}", UNREACHED),
        acts(
            "D11-network",
            "the same with the host's network",
            "connect-abstract {abstract}",
            UNREACHED,
        )
        .scene(Scene::Network)
        .single(
            "abstract sockets belong to the network, which is granted \
             here; landlock's scope is the one thing that tells them \
             apart",
        ),
        acts("E5-tcp", "connects to a service of the machine", "connect-tcp {tcp}", UNREACHED)
            .single(NO_NETWORK),
        acts("E5-udp", "asks a service of the machine by datagram", "udp-ask {udp}", UNREACHED)
            .single(NO_NETWORK),
        acts(
            "E5-interfaces",
            "finds an interface of the machine",
            "other-interface",
            &["ENODEV", "EACCES"],
        )
        .single(NO_NETWORK),
        elsewhere("D12", "has the sound server load a module", &["sandbox network::socket_files"]),
        not_here(
            "D13",
            "records by a socket that was granted for playing",
            "beyond a granted socket the service's own policy holds, and nobody here \
             has a say in it",
        ),
        not_here(
            "D28",
            "uses what a compositor keeps for trusted clients",
            "what a compositor lets its clients do is its own policy; its socket is \
             shown as it is",
        ),
        test(
            "D29",
            "changes the file by which services tell applications apart",
            the_marker_cannot_be_changed,
        ),
    ]
}

fn texts() -> Vec<Case> {
    vec![
        elsewhere(
            "D14",
            "has the launcher load a library by a variable",
            &[
                "sandbox environment::hostile_variables_do_not_touch_the_launcher",
                "sandbox environment::variables_by_allow_list",
            ],
        ),
        elsewhere(
            "D17",
            "is named like an option",
            &[
                "sandbox processes::programs_that_are_not_there",
                "sandbox arguments::arguments_arrive_as_they_are",
            ],
        ),
        elsewhere(
            "D18",
            "hides an option of the launcher among its arguments",
            &["sandbox arguments::arguments_arrive_as_they_are"],
        ),
        elsewhere(
            "D19",
            "has a shell take its arguments apart",
            &["sandbox arguments::arguments_arrive_as_they_are"],
        ),
        elsewhere(
            "D21",
            "is shown otherwise than it is applied",
            &[
                "sandbox refused::a_manifest_that_is_no_text",
                "sandbox refused::bad_manifests",
                "sandbox refused::hostile_texts_are_written_out",
                "plan golden::plans_are_as_reviewed",
            ],
        ),
        not_here(
            "D23",
            "has a link opened outside by a program of its choice",
            "nothing of ours opens anything outside; a portal that is granted does, and asks",
        ),
        not_here(
            "D24",
            "guesses a token",
            "there are no tokens: rights are descriptors and mounts, and the number of an instance is \
             a name",
        ),
        elsewhere(
            "D25",
            "writes lines of its own into a file that is generated",
            &[
                "unit host/account::names",
                "sandbox refused::bad_grants",
                "unit host/account::entries_that_cannot_be_used_are_left_out_field_by_field",
            ],
        ),
        elsewhere(
            "D27",
            "runs although a step of its confinement failed",
            &[
                "sandbox faults::a_failing_step_never_lets_the_application_run",
                "sandbox inside::landlock_can_be_required",
            ],
        ),
        elsewhere(
            "D30",
            "asks in its manifest for more than a manifest may",
            &[
                "sandbox protected::shut_to_a_manifest_from_elsewhere",
                "sandbox refused::bad_grants",
                "sandbox denials::a_users_denial_holds_against_the_manifest",
                "plan keys::every_key_of_the_grammar_has_its_fate",
            ],
        ),
    ]
}

/// An application with a filtered bus, and the file by which portals know it.
fn on_a_bus<'a>(world: &'a World, acts: &str) -> App<'a> {
    world
        .app(acts)
        .manifest("[portals]\nmarker = true\n[bus.session]\ntalk = [\"org.example.Service\"]")
        .variable("DBUS_SESSION_BUS_ADDRESS", "unix:path=%/bus")
}

const MARKER: &str = "/.flatpak-info";

/// What a service finds that asks the bus for a caller's process.
fn who_a_bus_is_told_of() {
    let world = World::new();
    let bus = UnixListener::bind(world.path("%/bus")).unwrap();
    let uid = rustix::process::getuid().as_raw();
    world.folder("~/Share");
    let acts = format!(
        "pids connect-path /run/user/{uid}/bus say ready wait-for ~/Share/go read {MARKER}"
    );
    let mut running = on_a_bus(&world, &acts).flags("--write ~/Share").start();
    running.await_word("ready");
    let (connection, _) = bus.accept().unwrap();
    let peer = rustix::net::sockopt::socket_peercred(&connection).unwrap().pid;
    let root = format!("/proc/{}/root", peer.as_raw_nonzero());
    let told = std::fs::read_to_string(format!("{root}{MARKER}")).unwrap();
    assert!(told.contains("name=org.example.Probe\n"), "{told}");
    // The way to the buses, and nothing else.
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 2);
    world.file("~/Share/go", "");
    let run = running.finish();
    run.all_work();
    // The application sees its own processes, and the same file.
    assert_eq!(run.value(0).as_object().unwrap().len(), 2, "{}", run.told());
    assert_eq!(run.value(4), told);
}

fn the_marker_cannot_be_changed() {
    let world = World::new();
    let _bus = UnixListener::bind(world.path("%/bus")).unwrap();
    let change = |file: &str| {
        format!(
            "write {file} x append {file} x truncate {file} chmod 666 {file} \
             rename {file} /tmp/old symlink /tmp/old {file} link {file} /tmp/new unlink {file}"
        )
    };
    let run = on_a_bus(&world, &change(MARKER)).run();
    let errors: Vec<&str> = FIXED.iter().copied().chain(["EXDEV", "EEXIST"]).collect();
    run.all_refused(&errors);
    // By what would show something else in its place.
    let acts = format!(
        "create /tmp/x mount-bind /tmp/x {MARKER} umount {MARKER} mount-tmpfs / chroot /tmp \
         exchange / /tmp read {MARKER}"
    );
    let run = on_a_bus(&world, &acts).run();
    for at in 1..6 {
        run.refused(at, &["EPERM", "EBUSY", "EROFS", "EXDEV"]);
    }
    assert!(run.value(6).as_str().unwrap().contains("name=org.example.Probe\n"));
    // The control: a file of its own.
    let run = on_a_bus(&world, &format!("create /tmp/mine {}", change("/tmp/mine"))).run();
    assert!(run.results()[1..6].iter().all(|result| result["ok"] == true), "{}", run.told());
}
