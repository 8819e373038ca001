//! What a program is linked with: the names in its dynamic section, by the
//! System V ABI. Nothing is loaded or executed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// `PT_LOAD`, `PT_DYNAMIC`; `DT_NEEDED`, `DT_STRTAB`, `DT_STRSZ`.
const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const NEEDED: u64 = 1;
const STRTAB: u64 = 5;
const STRSZ: u64 = 10;

/// No honest table is larger.
const MOST: u64 = 16 << 20;

/// What a program's file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A script, for this interpreter.
    Script(String),
    /// A binary, with the libraries that it names.
    Binary(Vec<String>),
    /// Neither, or of a kind that is not read here.
    Unknown,
}

/// Looks into a program's file.
///
/// # Errors
/// When it cannot be read.
pub fn look(file: &File) -> io::Result<Program> {
    let mut head = [0u8; 256];
    let length = file.read_at(&mut head, 0)?;
    let head = &head[..length];
    if let Some(rest) = head.strip_prefix(b"#!") {
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        return Ok(Program::Script(line.trim().to_owned()));
    }
    Ok(needed(file, head)?.map_or(Program::Unknown, Program::Binary))
}

struct Segment {
    kind: u32,
    offset: u64,
    address: u64,
    size: u64,
}

/// The libraries of a 64-bit little-endian binary.
fn needed(file: &File, head: &[u8]) -> io::Result<Option<Vec<String>>> {
    // Magic, ELFCLASS64, ELFDATA2LSB.
    if head.len() < 64 || !head.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let (offset, size, count) = (long(head, 32), short(head, 54), short(head, 56));
    let Some(table) = (size == 56).then(|| part(file, offset, u64::from(size) * u64::from(count)))
    else {
        return Ok(None);
    };
    let Some(table) = table? else { return Ok(None) };
    let segments: Vec<Segment> = table
        .chunks_exact(56)
        .map(|row| Segment {
            kind: short(row, 0).into(),
            offset: long(row, 8),
            address: long(row, 16),
            size: long(row, 32),
        })
        .collect();
    let Some(dynamic) = segments.iter().find(|segment| segment.kind == DYNAMIC) else {
        // A static program names none.
        return Ok(Some(Vec::new()));
    };
    let Some(dynamic) = part(file, dynamic.offset, dynamic.size)? else { return Ok(None) };
    let entries: Vec<(u64, u64)> = dynamic
        .chunks_exact(16)
        .map(|row| (long(row, 0), long(row, 8)))
        .take_while(|(tag, _)| *tag != 0)
        .collect();
    let value = |wanted| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    let (Some(address), Some(size)) = (value(STRTAB), value(STRSZ)) else { return Ok(None) };
    let holder = segments.iter().find(|segment| {
        let inside = address.checked_sub(segment.address);
        segment.kind == LOAD && inside.is_some_and(|inside| inside < segment.size)
    });
    let Some(place) = holder.and_then(|s| (address - s.address).checked_add(s.offset)) else {
        return Ok(None);
    };
    let Some(texts) = part(file, place, size)? else { return Ok(None) };
    let name = |at: u64| {
        let text = texts.get(usize::try_from(at).ok()?..)?;
        let text = text.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    };
    let names = entries.iter().filter(|(tag, _)| *tag == NEEDED);
    Ok(Some(names.filter_map(|(_, at)| name(*at)).collect()))
}

/// A part of a file; none where it cannot be one.
fn part(file: &File, offset: u64, size: u64) -> io::Result<Option<Vec<u8>>> {
    let end = offset.checked_add(size);
    if size > MOST || end.is_none_or(|end| end > i64::MAX as u64) {
        return Ok(None);
    }
    let mut bytes = vec![0; size as usize];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn short(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let eight = bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok());
    eight.map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn of(bytes: &[u8]) -> Program {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        look(&file).unwrap()
    }

    /// A program that names these, with nothing else in it.
    fn binary(names: &[&str]) -> Vec<u8> {
        let mut texts = vec![0u8];
        let mut rows: Vec<(u64, u64)> = Vec::new();
        for name in names {
            rows.push((NEEDED, texts.len() as u64));
            texts.extend(name.bytes().chain([0]));
        }
        let (table, dynamic) = (64, 64 + 2 * 56);
        let strings = dynamic + (rows.len() as u64 + 3) * 16;
        rows.extend([(STRTAB, 0x1000 + strings), (STRSZ, texts.len() as u64), (0, 0)]);
        let mut out = b"\x7fELF\x02\x01".to_vec();
        out.resize(64, 0);
        out[32..40].copy_from_slice(&u64::to_le_bytes(table));
        out[54..56].copy_from_slice(&56u16.to_le_bytes());
        out[56..58].copy_from_slice(&2u16.to_le_bytes());
        for (kind, offset, address, size) in
            [(LOAD, 0, 0x1000, 0x1000), (DYNAMIC, dynamic, 0, rows.len() as u64 * 16)]
        {
            let mut row = vec![0u8; 56];
            row[0..4].copy_from_slice(&kind.to_le_bytes());
            row[8..16].copy_from_slice(&u64::to_le_bytes(offset));
            row[16..24].copy_from_slice(&u64::to_le_bytes(address));
            row[32..40].copy_from_slice(&u64::to_le_bytes(size));
            out.extend(row);
        }
        for (tag, value) in rows {
            out.extend(tag.to_le_bytes());
            out.extend(value.to_le_bytes());
        }
        out.extend(texts);
        out
    }

    #[test]
    fn scripts_binaries_and_others() {
        let names = ["libgtk-3.so.0", "libc.so.6"];
        let names: Vec<String> = names.map(str::to_owned).to_vec();
        assert_eq!(of(&binary(&["libgtk-3.so.0", "libc.so.6"])), Program::Binary(names));
        assert_eq!(of(b"#! /bin/sh -e\nexit\n"), Program::Script("/bin/sh -e".to_owned()));
        assert_eq!(of(b""), Program::Unknown);
        assert_eq!(of(b"MZ"), Program::Unknown);
        // This very program is linked with something, or with nothing.
        let own = File::open(std::env::current_exe().unwrap()).unwrap();
        assert!(matches!(look(&own).unwrap(), Program::Binary(_)));
        let shell = File::open("/bin/sh").unwrap();
        let Program::Binary(libraries) = look(&shell).unwrap() else { panic!("no binary") };
        assert!(libraries.iter().any(|name| name.starts_with("libc.so")), "{libraries:?}");
    }

    proptest! {
        /// Whoever wrote the file.
        #[test]
        fn hostile_files_do_no_harm(
            at in proptest::collection::vec((0usize..300, any::<u8>()), 0..12),
            cut in 0usize..400,
        ) {
            let mut bytes = binary(&["liba.so", "libb.so"]);
            let length = bytes.len();
            for (place, byte) in at {
                bytes[place % length] = byte;
            }
            bytes.truncate(cut.max(8));
            of(&bytes);
        }
    }
}
