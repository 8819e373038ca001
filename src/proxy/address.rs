//! Where the bus is: `unix:path=…` and `unix:abstract=…`, several separated
//! by `;`.

use rustix::net::SocketAddrUnix;

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
    /// A path that is relative or too long.
    #[error("{0:?} cannot be the path of a socket")]
    Path(String),
}

/// Reads a list of addresses, to be tried in this order.
///
/// # Errors
/// When one of them cannot be used.
pub fn parse(text: &str) -> Result<Vec<SocketAddrUnix>, AddressError> {
    let mut addresses = Vec::new();
    for one in text.split(';').filter(|one| !one.is_empty()) {
        addresses.push(parse_one(one)?);
    }
    if addresses.is_empty() { Err(AddressError::Empty) } else { Ok(addresses) }
}

fn parse_one(text: &str) -> Result<SocketAddrUnix, AddressError> {
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
        (Some(path), None) if path.starts_with(b"/") => {
            SocketAddrUnix::new(path).map_err(|_| wrong())
        }
        (Some(_), None) => Err(wrong()),
        (None, Some(name)) => SocketAddrUnix::new_abstract_name(&name).map_err(|_| wrong()),
        _ => Err(AddressError::Place(text.to_owned())),
    }
}

/// Undoes `%2f`.
fn unescape(text: &str) -> Option<Vec<u8>> {
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
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_their_order() {
        let found = parse("unix:path=/run/a%20b,guid=00;unix:abstract=/tmp/x;").unwrap();
        assert_eq!(found[0].path_bytes(), Some(&b"/run/a b"[..]));
        assert_eq!(found[1].abstract_name(), Some(&b"/tmp/x"[..]));
        assert_eq!(found.len(), 2);
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
            "unix:path=/a,abstract=b",
            &long,
        ] {
            parse(text).expect_err(text);
        }
    }
}
