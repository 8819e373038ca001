//! Round trips through the filter beside xdg-dbus-proxy, on the same bus and
//! to the same service.
//!
//! Each round measures every way once, in an order that changes, so that a
//! machine which gets slower or faster does so for all; ratios are taken
//! within a round. `direct` is the bus without a filter.
//!
//! `cargo bench --bench bus -- [--rounds N] [--calls N]`; needs dbus-daemon
//! and xdg-dbus-proxy.

#[path = "../../tests/bus/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../../tests/bus/daemon.rs"]
#[allow(dead_code)]
mod daemon;
#[path = "../../tests/bus/world.rs"]
#[allow(dead_code)]
mod world;

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use client::{Client, Message};
use pinfold::proxy::wire;
use world::{Bus, Make, Proxy};

/// What a desktop application is usually given, so that the rules are as many
/// as in use.
const OPTIONS: [&str; 8] = [
    "--filter",
    "--talk=org.pinfold.Echo",
    "--talk=ca.desrt.dconf",
    "--talk=org.freedesktop.Notifications",
    "--own=org.gnome.Example.*",
    "--see=org.gnome.Shell",
    "--call=org.freedesktop.portal.*=*",
    "--broadcast=org.freedesktop.portal.*=@/org/freedesktop/portal/*",
];

const WAYS: [&str; 3] = ["direct", "ours", "theirs"];

/// Reads messages off a socket, without the checks of the tests' client.
struct Reader {
    bytes: Vec<u8>,
    filled: usize,
}

impl Reader {
    fn new() -> Reader {
        Reader { bytes: vec![0; 256 * 1024], filled: 0 }
    }

    /// The next message; none when the other side has gone.
    fn next(&mut self, socket: &mut impl Read) -> Option<Vec<u8>> {
        loop {
            let frame = wire::frame(&self.bytes[..self.filled]).ok()?;
            if let Some(total) = frame.map(|f| f.total).filter(|&total| total <= self.filled) {
                let message = self.bytes[..total].to_vec();
                self.bytes.copy_within(total..self.filled, 0);
                self.filled -= total;
                return Some(message);
            }
            match socket.read(&mut self.bytes[self.filled..]) {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.filled += read,
            }
        }
    }
}

/// A service that sends back what it gets.
fn echo(bus: &Bus) {
    let mut client = bus.client();
    client.call(Message::bus("RequestName").text("org.pinfold.Echo").number(0));
    client.settle();
    client.socket.set_read_timeout(None).expect("no timeout");
    std::thread::spawn(move || {
        let mut reader = Reader::new();
        while let Some(bytes) = reader.next(&mut client.socket) {
            let Ok(call) = wire::Message::read(&bytes) else { return };
            let (Some(sender), wire::Kind::Call) = (call.sender, call.kind) else { continue };
            let mut reply = Message::returned(sender, call.serial);
            reply.serial = client.next_serial();
            reply.signature = call.signature.to_owned();
            reply.body = call.body.to_vec();
            if client.socket.write_all(&reply.bytes()).is_err() {
                return;
            }
        }
    });
}

/// The median and the whole of so many calls.
fn calls(client: &mut Client, count: usize, length: usize) -> (Duration, Duration) {
    let mut call =
        Message::call("org.pinfold.Echo", "/", "org.pinfold.I", "M").text(&"x".repeat(length));
    let mut reader = Reader::new();
    let mut times = Vec::with_capacity(count);
    client.socket.set_read_timeout(None).expect("no timeout");
    let all = Instant::now();
    for _ in 0..count {
        call.serial = client.next_serial();
        let bytes = call.bytes();
        let start = Instant::now();
        client.socket.write_all(&bytes).expect("writing");
        loop {
            let got = reader.next(&mut client.socket).expect("a reply");
            let got = wire::Message::read(&got).expect("a message");
            if got.reply_serial.is_some_and(|reply| reply.serial == call.serial) {
                assert!(got.error_name.is_none(), "{got:?}");
                break;
            }
        }
        times.push(start.elapsed());
    }
    times.sort();
    (times[times.len() / 2], all.elapsed())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> ExitCode {
    let (mut rounds, mut count) = (15, 2000);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok());
        match argument.as_str() {
            "--rounds" => rounds = number().unwrap_or(rounds),
            "--calls" => count = number().unwrap_or(count),
            // What `cargo bench` itself adds.
            "--bench" => {}
            other => {
                eprintln!("unknown argument {other}");
                return ExitCode::from(2);
            }
        }
    }
    if !world::peer_is_there() {
        eprintln!("xdg-dbus-proxy is not installed");
        return ExitCode::from(69);
    }
    let bus = Bus::start();
    echo(&bus);
    for (what, length, count) in [("small calls", 10, count), ("64 KiB calls", 65_536, count / 4)] {
        round_trips(&bus, what, length, count, rounds);
    }
    starts(&bus, rounds * 4);
    memory(&bus);
    ExitCode::SUCCESS
}

fn round_trips(bus: &Bus, what: &str, length: usize, count: usize, rounds: usize) {
    let proxies = [Make::Ours, Make::Theirs].map(|make| Proxy::start(make, bus, &OPTIONS));
    let mut clients = [bus.client(), proxies[0].client(), proxies[1].client()];
    for client in &mut clients {
        calls(client, count / 4, length);
    }
    let mut latencies = [const { Vec::new() }; 3];
    let mut rates = [const { Vec::new() }; 3];
    let before = proxies.each_ref().map(Proxy::processor_time);
    for round in 0..rounds {
        for step in 0..3 {
            let way = (round + step) % 3;
            let (latency, all) = calls(&mut clients[way], count, length);
            latencies[way].push(latency.as_secs_f64() * 1e6);
            rates[way].push(count as f64 / all.as_secs_f64());
        }
    }
    let mut ratios: Vec<f64> =
        latencies[1].iter().zip(&latencies[2]).map(|(ours, theirs)| ours / theirs).collect();
    println!("{what}, {rounds} rounds of {count}:");
    for (way, (latencies, rates)) in WAYS.iter().zip(latencies.iter_mut().zip(&mut rates)) {
        println!("  {way:7} {:7.1} us {:9.0} calls/s", median(latencies), median(rates));
    }
    println!("  ours / theirs: {:.3}", median(&mut ratios));
    // Others on the machine disturb this less than time on the clock.
    let [ours, theirs] = [0, 1].map(|index: usize| {
        (proxies[index].processor_time() - before[index]).as_secs_f64() * 1e6
            / (rounds * count) as f64
    });
    println!("  processor time a call: ours {ours:.1} us, theirs {theirs:.1} us");
}

/// From the start of the program to the byte that says it listens.
fn starts(bus: &Bus, rounds: usize) {
    let mut times = [const { Vec::new() }; 2];
    for round in 0..rounds {
        for step in 0..2 {
            let way = (round + step) % 2;
            let start = Instant::now();
            let proxy = Proxy::start([Make::Ours, Make::Theirs][way], bus, &OPTIONS);
            times[way].push(start.elapsed().as_secs_f64() * 1e3);
            drop(proxy);
        }
    }
    let mut ratios: Vec<f64> = times[0].iter().zip(&times[1]).map(|(o, t)| o / t).collect();
    let [ours, theirs] = &mut times;
    println!("start to ready, {rounds} rounds:");
    println!("  ours {:.2} ms, theirs {:.2} ms", median(ours), median(theirs));
    println!("  ours / theirs: {:.3}", median(&mut ratios));
}

fn memory(bus: &Bus) {
    println!("resident memory:");
    for (make, way) in [(Make::Ours, "ours"), (Make::Theirs, "theirs")] {
        let proxy = Proxy::start(make, bus, &OPTIONS);
        let idle = proxy.memory();
        let mut clients: Vec<Client> = (0..20).map(|_| proxy.client()).collect();
        for client in &mut clients {
            calls(client, 100, 10);
        }
        println!("  {way:7} idle {idle} KiB, with 20 clients {} KiB", proxy.memory());
    }
}
