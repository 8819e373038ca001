//! Acts on a message bus.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pinfold::proxy::wire::Kind;
use serde_json::{Value, json};

use crate::client::{Came, Client, Got, Message, PATIENCE};
use crate::{Answer, Words};

/// How long a peer may take to close a connection that it wants no more.
const SOON: Duration = Duration::from_secs(4);

/// A bus said no: the last part of the error's name.
#[derive(Debug)]
pub struct Refusal(pub String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// A connection, and where it leads.
pub struct Connection {
    client: Client,
    variable: String,
    /// Connections that only write what they are told.
    raw: Vec<JoinHandle<Value>>,
}

/// A socket to the bus that a variable names.
fn socket(variable: &str) -> std::io::Result<Client> {
    let address = std::env::var(variable).map_err(std::io::Error::other)?;
    if let Some(name) = address.strip_prefix("unix:abstract=") {
        // It is known to be there once this has worked.
        UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        Ok(Client::raw_abstract(name))
    } else if let Some(path) = address.strip_prefix("unix:path=") {
        UnixStream::connect(path)?;
        Ok(Client::raw(Path::new(path)))
    } else {
        Err(std::io::Error::other(address))
    }
}

/// A text, unless it is `-`.
fn or_nothing(word: String) -> String {
    if word == "-" { String::new() } else { word }
}

/// Does an act.
pub fn act(act: &str, words: &mut Words) -> Answer {
    if act == "bus" {
        let variable = words.next();
        let client = Client::greeted(socket(&variable)?);
        let name = client.name.clone();
        words.bus = Some(Connection { client, variable, raw: Vec::new() });
        return Ok(json!(name));
    }
    let Some(mut connection) = words.bus.take() else {
        if act == "call" {
            words.until("end");
        }
        return Err(std::io::Error::other("there is no connection"));
    };
    let answer = on(act, words, &mut connection);
    words.bus = Some(connection);
    answer
}

fn on(act: &str, words: &mut Words, connection: &mut Connection) -> Answer {
    let client = &mut connection.client;
    match act {
        // DESTINATION PATH INTERFACE MEMBER ARGUMENT... end; an argument is a
        // text, a number with a # before it, or a text in digits after a =.
        "call" => {
            let [to, path, interface, member] = [(); 4].map(|()| or_nothing(words.next()));
            let mut message = Message::call(&to, &path, &interface, &member);
            for word in words.until("end") {
                message = match (word.strip_prefix('#'), word.strip_prefix('=')) {
                    (Some(number), _) => message.number(number.parse().unwrap_or_default()),
                    (_, Some(digits)) => message.text(&String::from_utf8_lossy(&bytes(digits))),
                    _ => message.text(&word),
                };
            }
            let got = client.call(message);
            match &got.error {
                None => Ok(json!(got.texts)),
                Some(error) => {
                    let last = error.rsplit('.').next().unwrap_or(error);
                    Err(std::io::Error::other(Refusal(last.to_owned())))
                }
            }
        }
        // PATH INTERFACE MEMBER DESTINATION
        "emit" => {
            let signal = Message::signal(&words.next(), &words.next(), &words.next());
            let signal = match or_nothing(words.next()) {
                to if to.is_empty() => signal,
                to => signal.to(&to),
            };
            client.send(signal);
            client.settle();
            Ok(Value::Null)
        }
        // Waits for a signal.
        "hear" => {
            let member = words.next();
            let until = Instant::now() + PATIENCE;
            while !client.aside.iter().any(|got| is_signal(got, &member)) {
                let left = until.saturating_duration_since(Instant::now());
                match client.receive(left) {
                    Came::Message(got) => client.aside.push_back(got),
                    other => return Err(std::io::Error::other(format!("{other:?}"))),
                }
            }
            Ok(Value::Null)
        }
        // All signals so far, but what the bus itself says of our own name.
        "heard" => {
            client.settle();
            let signals = client.aside.iter().filter(|got| {
                got.kind == Kind::Signal && got.member.as_deref() != Some("NameAcquired")
            });
            Ok(signals.map(|got| json!(got.member)).collect())
        }
        // DIGITS COUNT: bytes on a connection of their own, the last so many
        // times more.
        "raw-bus" => {
            let mut bytes = bytes(&words.next());
            let length = bytes.len() + words.number::<usize>();
            bytes.resize(length, bytes.last().copied().unwrap_or_default());
            let mut raw = socket(&connection.variable)?;
            connection.raw.push(std::thread::spawn(move || {
                raw.try_write(&bytes);
                let (back, closed) = raw.all_until(Instant::now() + SOON);
                json!({ "back": String::from_utf8_lossy(&back), "closed": closed })
            }));
            Ok(Value::Null)
        }
        // What came back on each of these, and whether it was closed then.
        _ => Ok(connection.raw.drain(..).map(|thread| thread.join().unwrap_or_default()).collect()),
    }
}

/// What hexadecimal digits say.
fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.filter_map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect()
}

fn is_signal(got: &Got, member: &str) -> bool {
    got.kind == Kind::Signal && got.member.as_deref() == Some(member)
}
