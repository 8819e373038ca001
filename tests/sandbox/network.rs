//! Networks and sockets.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use crate::tests;
use crate::world::{UNSEEN, World, kernel_before};

tests![
    a_socket_for_a_stream,
    without_a_network,
    the_hosts_network,
    the_network_by_flag,
    abstract_sockets,
    socket_files,
    ports,
];

const HOST: &str = "[network]\nmode = \"host\"";

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn without_a_network() {
    let world = World::new();
    let (_listener, address) = listener();
    world.outside(&format!("connect-tcp {address}")).all_work();
    let run = world.app(&format!("interfaces loopback connect-tcp {address}")).run();
    assert_eq!(run.value(0), serde_json::json!(["lo"]));
    run.value(1);
    run.refused(2, &["ECONNREFUSED", "ENETUNREACH"]);
    let run = world.app("connect-tcp 192.0.2.1:80").run();
    run.all_refused(&["ENETUNREACH"]);
}

fn the_hosts_network() {
    let world = World::new();
    let (_listener, address) = listener();
    let acts = format!("ns interfaces connect-tcp {address}");
    let (inside, outside) = (world.app(&acts).manifest(HOST).run(), world.outside(&acts));
    inside.all_work();
    assert_eq!(inside.value(0)["net"], outside.value(0)["net"]);
    assert_eq!(inside.value(1), outside.value(1));
}

fn the_network_by_flag() {
    let world = World::new();
    let (_listener, address) = listener();
    let acts = format!("connect-tcp {address}");
    world.app(&acts).flags("--share network").run().all_work();
    let run = world.app(&acts).manifest(HOST).flags("--unshare network").run();
    run.all_refused(&["ECONNREFUSED", "ENETUNREACH"]);
}

fn abstract_sockets() {
    let world = World::new();
    let name = format!("pinfold-test{}", world.root().display());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let acts = format!("connect-abstract {name}");
    world.outside(&acts).all_work();
    // Without a network the name is not there; with it landlock refuses.
    world.app(&acts).run().all_refused(&["ECONNREFUSED"]);
    let with = world.app(&acts).manifest(HOST).run();
    if kernel_before(6, 12) {
        with.says("sockets in the abstract namespace").all_work();
        crate::skip("network::abstract_sockets", "this kernel's landlock does not know them");
    } else {
        with.all_refused(&["EPERM"]);
    }
    // Its own work either way.
    let own = format!("listen-abstract {name}-inside connect-abstract {name}-inside");
    world.app(&own).run().all_work();
    world.app(&own).manifest(HOST).run().all_work();
}

fn socket_files() {
    let world = World::new();
    let _listeners =
        ["~/socket", "%/bus", "@/socket"].map(|path| UnixListener::bind(world.path(path)).unwrap());
    let acts = "connect-path ~/socket connect-path %/bus connect-path @/socket";
    world.outside(acts).all_work();
    world.app(acts).run().all_refused(UNSEEN);
    world.app(acts).manifest(HOST).run().all_refused(UNSEEN);
    // A broad grant brings none along, nor does one of the runtime folder.
    let broad = "[filesystem]\nwrite = [\"~\"]";
    world.app("connect-path ~/socket").manifest(broad).run().all_refused(UNSEEN);
    world.app("listen-path ~/own connect-path ~/own").run().all_work();
}

fn ports() {
    let world = World::new();
    let ((_one, open), (_two, shut)) = (listener(), listener());
    let port = open.rsplit(':').next().unwrap();
    let acts = format!("connect-tcp {open} connect-tcp {shut}");
    world.app(&acts).manifest(HOST).run().all_work();
    let run = world.app(&acts).manifest(&format!("{HOST}\nconnect = [{port}]")).run();
    run.value(0);
    if kernel_before(6, 7) {
        run.says("TCP ports are not limited").all_work();
        crate::skip("network::ports", "this kernel's landlock does not know them");
        return;
    }
    run.refused(1, &["EACCES"]);
    let acts = "listen-tcp 127.0.0.1:0";
    world.app(acts).manifest(HOST).run().all_work();
    world.app(acts).manifest(&format!("{HOST}\nlisten = [8080]")).run().all_refused(&["EACCES"]);
}

/// A socket stays in the network of whoever has made it.
fn a_socket_for_a_stream() {
    use std::os::fd::OwnedFd;
    let world = World::new();
    let udp = || OwnedFd::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    let tcp = || OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    for socket in [udp(), tcp()] {
        let run = world.app("say ran").input(socket).run();
        run.ended_with(69).says("the standard input is a socket").never_shows("ran\n");
    }
    world.app("exit 7").flags("--share network").input(udp()).run().ended_with(7);
    let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    world.app("exit 7").input(OwnedFd::from(one)).run().ended_with(7);
}
