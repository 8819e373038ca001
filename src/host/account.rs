//! Accounts as /etc/passwd and /etc/group have them. The files are read by
//! hand: a C library's look-up may start plug-ins, threads and network calls,
//! none of which a launcher can afford before the sandbox is there.

use crate::model::path::AbsPath;

use super::fs::HostFs;

/// Both files together stay far beneath this on any host that does not keep
/// its accounts in a directory service.
const LIMIT: usize = 4 << 20;

/// One line of /etc/passwd, in so far as it can be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Account {
    pub name: Option<String>,
    pub home: Option<AbsPath>,
    pub shell: Option<AbsPath>,
}

/// The first entry for a user id. An account of a directory service has none,
/// which is an empty answer like that of an unreadable file.
pub(super) fn account(fs: &HostFs, uid: u32) -> Account {
    let bytes = read(fs, "/etc/passwd");
    let Some(fields) = entry(&bytes, uid) else {
        return Account::default();
    };
    let field =
        |index: usize| fields.get(index).copied().and_then(|field| std::str::from_utf8(field).ok());
    Account {
        name: field(0).filter(|name| is_name(name)).map(str::to_owned),
        home: field(5).and_then(folder),
        shell: field(6).and_then(folder),
    }
}

/// The name of a group id.
pub(super) fn group(fs: &HostFs, gid: u32) -> Option<String> {
    let bytes = read(fs, "/etc/group");
    let name = std::str::from_utf8(entry(&bytes, gid)?.first()?).ok()?;
    is_name(name).then(|| name.to_owned())
}

/// Whether a text can stand for an account in a file like /etc/passwd and in
/// an environment. Directory services have `name@domain`.
pub(super) fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'@'))
        && !text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// A clean absolute path other than `/`, which as anybody's own folder would
/// make everything theirs.
pub(super) fn folder(text: &str) -> Option<AbsPath> {
    AbsPath::new(text).ok().filter(|path| *path != AbsPath::root())
}

fn read(fs: &HostFs, path: &str) -> Vec<u8> {
    AbsPath::new(path)
        .ok()
        .and_then(|path| fs.read_bytes_following(&path, LIMIT).ok())
        .unwrap_or_default()
}

/// The fields of the first line whose third field is `id`.
fn entry(bytes: &[u8], id: u32) -> Option<Vec<&[u8]>> {
    let wanted = id.to_string();
    bytes.split(|&b| b == b'\n').find_map(|line| {
        let third = line.split(|&b| b == b':').nth(2)?;
        (third == wanted.as_bytes()).then(|| line.split(|&b| b == b':').collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(passwd: &[u8], group: &[u8]) -> (tempfile::TempDir, HostFs) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/passwd"), passwd).unwrap();
        std::fs::write(dir.path().join("etc/group"), group).unwrap();
        let fs = HostFs::at(dir.path()).unwrap();
        (dir, fs)
    }

    #[test]
    fn the_first_entry_counts() {
        let passwd = b"root:x:0:0:root:/root:/bin/bash\n#no:x\n\nada:x:1001:1001:Ad\xe4,,,:/home/ada:/usr/bin/zsh\nbob:x:1001:1:::\n";
        let (_dir, fs) = host(passwd, b"root:x:0:\nstaff:x:1001:ada,bob\n");
        let ada = account(&fs, 1001);
        assert_eq!(ada.name.as_deref(), Some("ada"));
        assert_eq!(ada.home, AbsPath::new("/home/ada").ok());
        assert_eq!(ada.shell, AbsPath::new("/usr/bin/zsh").ok());
        assert_eq!(group(&fs, 1001).as_deref(), Some("staff"));
        assert_eq!(account(&fs, 100), Account::default());
        assert_eq!(group(&fs, 100), None);
    }

    #[test]
    fn entries_that_cannot_be_used_are_left_out_field_by_field() {
        let (_dir, fs) = host(b"a b:x:1:1::home:/bin/sh\nc:x:2:2::/:\nd:x:3\n", b"a\x1bb:x:1:\n");
        let first = account(&fs, 1);
        assert_eq!((first.name, first.home), (None, None));
        assert_eq!(first.shell, AbsPath::new("/bin/sh").ok());
        let second = account(&fs, 2);
        assert_eq!((second.name.as_deref(), second.home, second.shell), (Some("c"), None, None));
        let third = account(&fs, 3);
        assert_eq!((third.name.as_deref(), third.home), (Some("d"), None));
        assert_eq!(group(&fs, 1), None);
    }

    #[test]
    fn no_files_are_no_accounts() {
        let dir = tempfile::tempdir().unwrap();
        let fs = HostFs::at(dir.path()).unwrap();
        assert_eq!(account(&fs, 0), Account::default());
    }

    #[test]
    fn names() {
        for good in ["ada", "_apt", "systemd-network", "ada.l", "ada@EXAMPLE.ORG", "0ad"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-rf", "a:b", "a b", "a\nb", "a/b", "..", "0", "ü", &"a".repeat(256)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
