//! The one X cookie that an application gets.
//!
//! An authority file is a row of records: family (2 bytes), then address,
//! display number, method and data, each with a 2-byte length, all big-endian
//! (Xauth's `AuFileName` format, libXau's `Auth.h`). The cookie of the one
//! display is written anew for any address and any number, since inside the
//! display may have another number.

use crate::host::HostFs;
use crate::model::path::AbsPath;

/// Matches every address.
const FAMILY_WILD: u16 = 65535;

/// No authority file is larger.
const LIMIT: usize = 1 << 20;

struct Record<'a> {
    number: &'a [u8],
    method: &'a [u8],
    data: &'a [u8],
    family: u16,
}

/// An authority file with the cookies of `display`; empty when there is none.
pub fn cookie(fs: &HostFs, authority: &AbsPath, display: u32) -> Vec<u8> {
    let bytes = fs.read_bytes_following(authority, LIMIT).unwrap_or_default();
    only(&bytes, display)
}

fn only(bytes: &[u8], display: u32) -> Vec<u8> {
    let wanted = display.to_string();
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(record) = next(&mut rest) {
        // 0 is FamilyInternet: a cookie for a display over the network.
        let matches = record.number.is_empty() || record.number == wanted.as_bytes();
        if matches && (record.family >= 254 || record.family == 0 || record.family == 6) {
            out.extend(FAMILY_WILD.to_be_bytes());
            for part in [&b""[..], b"", record.method, record.data] {
                out.extend((part.len() as u16).to_be_bytes());
                out.extend(part);
            }
        }
    }
    out
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let family = number(rest)?;
    let _address = part(rest)?;
    Some(Record { family, number: part(rest)?, method: part(rest)?, data: part(rest)? })
}

fn number(rest: &mut &[u8]) -> Option<u16> {
    let (head, tail) = rest.split_first_chunk::<2>()?;
    *rest = tail;
    Some(u16::from_be_bytes(*head))
}

fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(number(rest)?);
    if rest.len() < length {
        return None;
    }
    let (head, tail) = rest.split_at(length);
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(family: u16, address: &str, number: &str, data: &[u8]) -> Vec<u8> {
        let mut out = family.to_be_bytes().to_vec();
        for part in [address.as_bytes(), number.as_bytes(), b"MIT-MAGIC-COOKIE-1", data] {
            out.extend((part.len() as u16).to_be_bytes());
            out.extend(part);
        }
        out
    }

    #[test]
    fn takes_the_one_display_and_nothing_else() {
        let file = [
            record(256, "host", "0", b"zero"),
            record(256, "host", "7", b"seven"),
            record(256, "host", "77", b"other"),
        ]
        .concat();
        assert_eq!(only(&file, 7), record(65535, "", "", b"seven"));
        assert_eq!(only(&file, 8), b"");
    }

    #[test]
    fn a_broken_file_ends_where_it_breaks() {
        let good = record(256, "host", "7", b"seven");
        for cut in 0..good.len() {
            assert_eq!(only(&good[..cut], 7), b"");
        }
        let long = [&good[..], &[0, 1, 255, 255, 1]].concat();
        assert_eq!(only(&long, 7), record(65535, "", "", b"seven"));
    }
}
