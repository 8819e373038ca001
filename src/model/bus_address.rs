//! Where a bus is: `unix:path=…` and `unix:abstract=…`, several separated
//! by `;`.

use serde::{Deserialize, Serialize};

/// The longest name of a unix socket, `sun_path` less its end (`unix(7)`).
const LONGEST: usize = 107;

/// Where one bus listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BusAddress {
    /// A socket file, by its absolute path.
    Path(String),
    /// An abstract name, which belongs to the host's network namespace.
    Abstract(String),
}

impl BusAddress {
    /// As the D-Bus specification writes addresses: bytes that mean something
    /// there are written as `%2c`.
    pub fn dbus(&self) -> String {
        let (key, value) = match self {
            BusAddress::Path(path) => ("path", path),
            BusAddress::Abstract(name) => ("abstract", name),
        };
        let mut text = format!("unix:{key}=");
        for byte in value.bytes() {
            match byte {
                b'-' | b'_' | b'/' | b'.' | b'\\' => text.push(byte.into()),
                _ if byte.is_ascii_alphanumeric() => text.push(byte.into()),
                _ => text.push_str(&format!("%{byte:02x}")),
            }
        }
        text
    }
}

impl std::fmt::Display for BusAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BusAddress::Path(path) => write!(f, "{path}"),
            BusAddress::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

/// Why a text is no address that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No address at all.
    #[error("there is no address")]
    Empty,
    /// Not `transport:key=value,…`.
    #[error("{0:?} is not of the form unix:path=... or unix:abstract=...")]
    Syntax(String),
    /// Another transport than unix sockets. The bus knows a program on the
    /// other end of a unix socket for sure, and only there.
    #[error("the transport {0:?} is refused; only unix:path= and unix:abstract= are used")]
    Transport(String),
    /// Neither a path nor an abstract name, or both.
    #[error("{0:?} needs either path= or abstract=")]
    Place(String),
    /// A path that is relative, too long or no text.
    #[error("{0:?} cannot be the path of a socket")]
    Path(String),
}

/// Reads a list of addresses, to be tried in this order.
///
/// # Errors
/// When one of them cannot be used.
pub fn parse(text: &str) -> Result<Vec<BusAddress>, AddressError> {
    let mut addresses = Vec::new();
    for one in text.split(';').filter(|one| !one.is_empty()) {
        addresses.push(parse_one(one)?);
    }
    if addresses.is_empty() { Err(AddressError::Empty) } else { Ok(addresses) }
}

fn parse_one(text: &str) -> Result<BusAddress, AddressError> {
    let syntax = || AddressError::Syntax(text.to_owned());
    let (transport, pairs) = text.split_once(':').ok_or_else(syntax)?;
    if transport != "unix" {
        return Err(AddressError::Transport(transport.to_owned()));
    }
    let (mut path, mut abstracted) = (None, None);
    for pair in pairs.split(',').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(syntax)?;
        let value = unescape(value).ok_or_else(syntax)?;
        match key {
            "path" => path = Some(value),
            "abstract" => abstracted = Some(value),
            // The identity of the bus, which it tells itself, and what is
            // said for those that listen.
            _ => {}
        }
    }
    let wrong = || AddressError::Path(text.to_owned());
    match (path, abstracted) {
        (Some(path), None) if path.starts_with('/') && path.len() <= LONGEST => {
            Ok(BusAddress::Path(path))
        }
        (Some(_), None) => Err(wrong()),
        // The zero byte in front of the name takes the place of the end.
        (None, Some(name)) if name.len() <= LONGEST => Ok(BusAddress::Abstract(name)),
        (None, Some(_)) => Err(wrong()),
        _ => Err(AddressError::Place(text.to_owned())),
    }
}

/// Undoes `%2f`. A zero byte would end a path early.
fn unescape(text: &str) -> Option<String> {
    let mut plain = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'%' {
            let (digits, after) = after.split_at_checked(2)?;
            let digits = std::str::from_utf8(digits).ok()?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            plain.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            plain.push(byte);
            rest = after;
        }
    }
    String::from_utf8(plain).ok().filter(|plain| !plain.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_their_order() {
        let found = parse("unix:path=/run/a%20b,guid=00;unix:abstract=/tmp/x;").unwrap();
        let wanted =
            [BusAddress::Path("/run/a b".to_owned()), BusAddress::Abstract("/tmp/x".to_owned())];
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_is_written_is_read_again() {
        for address in [
            BusAddress::Path("/run/a b,c;d=e%f\u{e4}".to_owned()),
            BusAddress::Abstract("/tmp/dbus-X,guid=1".to_owned()),
        ] {
            assert_eq!(parse(&address.dbus()), Ok(vec![address]));
        }
    }

    #[test]
    fn what_is_no_unix_socket_is_refused_by_name() {
        let long = format!("unix:path=/{}", "x".repeat(200));
        for text in [
            "tcp:host=localhost,port=1",
            "unixexec:path=/bin/sh",
            "autolaunch:",
            "launchd:env=X",
            "unix:path=/a;tcp:host=b",
        ] {
            assert!(matches!(parse(text), Err(AddressError::Transport(_))), "{text}");
        }
        for text in [
            "",
            ";",
            "/run/bus",
            "unix:",
            "unix:dir=/tmp",
            "unix:runtime=yes",
            "unix:path",
            "unix:path=run",
            "unix:path=/%2",
            "unix:path=/%+1",
            "unix:path=/a%00b",
            "unix:path=/%ff",
            "unix:path=/a,abstract=b",
            &long,
        ] {
            parse(text).expect_err(text);
        }
    }
}
