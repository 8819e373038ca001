//! Attributes of mounts on kernels that have no mount_setattr(2), those
//! before Linux 5.12: by mount(2), one mount after the other.
//!
//! mount(2) differs in three ways. It takes a path, so it is given that of a
//! descriptor in a procfs that was checked to be one. It works on mounts of
//! this mount namespace only, so a tree has to be attached first; nobody else
//! is in that namespace while it is made. And it knows no recursion, so the
//! mounts beneath are looked up in mountinfo, until a look finds no other.
//! What cannot be told for sure is an error.
//!
//! Like everything between clone and exec this allocates nothing.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags, StatVfsMountFlags, StatxFlags};

use super::mount::Attributes;
use super::{Errno, Result, checked, path};

/// How many mounts one tree may have.
const MOST: usize = 1024;

/// Room for a path, its end included (`PATH_MAX` of `linux/limits.h`).
const PATH_MAX: usize = 4096;

/// Sets attributes of the attached mount at `tree`, and of all beneath it when
/// `recursive`; each also leaves its peer group. `proc` is a procfs that shows
/// this process, `root` the root of the tree that everything is attached in.
/// Changes the working folder.
///
/// # Errors
/// Those of `mount(2)`; E2BIG where more mounts are beneath than are followed;
/// BUSY where one beneath cannot be reached and nothing covers it; NOSYS
/// before Linux 5.8, which does not tell the number of a mount.
pub fn set_attributes(
    proc: BorrowedFd<'_>,
    root: BorrowedFd<'_>,
    tree: BorrowedFd<'_>,
    set: Attributes,
    recursive: bool,
) -> Result<()> {
    rustix::process::fchdir(proc)?;
    set_one(tree, set)?;
    // On a file nothing else is mounted.
    if !recursive || !path::identity(tree)?.is_folder() {
        return Ok(());
    }
    let mut known = [0u64; MOST];
    known[0] = mount_id(tree)?;
    let mut count = 1;
    let mut line = Line::empty();
    loop {
        let before = count;
        let mut lines = mounts(proc)?;
        while lines.next(&mut line)? {
            let seen = known.get(..count).ok_or(Errno::TOOBIG)?;
            if !seen.contains(&line.parent) || seen.contains(&line.id) {
                continue;
            }
            *known.get_mut(count).ok_or(Errno::TOOBIG)? = line.id;
            count += 1;
            set_beneath(proc, root, &line, set)?;
        }
        // A child may be told before its parent, and the host may mount
        // something into a tree until it has left its peer group.
        if count == before {
            return Ok(());
        }
    }
}

/// Sets attributes of a mount beneath, by its path in the new root.
fn set_beneath(
    proc: BorrowedFd<'_>,
    root: BorrowedFd<'_>,
    line: &Line,
    set: Attributes,
) -> Result<()> {
    let found = path::open_object_inside(root, line.place()?);
    if let Ok(found) = &found
        && mount_id(found.as_fd())? == line.id
    {
        return set_one(found.as_fd(), set);
    }
    // Under another mount in the same place it is out of everybody's reach.
    let mut other = Line::empty();
    let mut lines = mounts(proc)?;
    while lines.next(&mut other)? {
        if other.parent == line.id && other.place()? == line.place()? {
            return Ok(());
        }
    }
    Err(found.err().unwrap_or(Errno::BUSY))
}

/// Sets attributes of one mount, keeps those that it has, and takes it out of
/// its peer group.
fn set_one(mount: BorrowedFd<'_>, set: Attributes) -> Result<()> {
    let mut place = [0u8; 24];
    let place = descriptor_path(mount.as_raw_fd(), &mut place)?;
    change(place, libc::MS_PRIVATE)?;
    let has = rustix::fs::fstatvfs(mount)?.f_flag;
    let mut flags = libc::MS_REMOUNT | libc::MS_BIND;
    for (attribute, shown, flag) in [
        (Attributes::MOUNT_ATTR_RDONLY, StatVfsMountFlags::RDONLY, libc::MS_RDONLY),
        (Attributes::MOUNT_ATTR_NOSUID, StatVfsMountFlags::NOSUID, libc::MS_NOSUID),
        (Attributes::MOUNT_ATTR_NODEV, StatVfsMountFlags::NODEV, libc::MS_NODEV),
        (Attributes::MOUNT_ATTR_NOEXEC, StatVfsMountFlags::NOEXEC, libc::MS_NOEXEC),
    ] {
        if set.contains(attribute) || has.contains(shown) {
            flags |= flag;
        }
    }
    // Without a word about access times a mount keeps what it has.
    change(place, flags)
}

/// mount(2) with flags alone.
fn change(place: &CStr, flags: libc::c_ulong) -> Result<()> {
    // SAFETY: `place` is a C string, and the kernel reads none of the three
    // null pointers with these flags.
    checked(libc::c_long::from(unsafe {
        libc::mount(std::ptr::null(), place.as_ptr(), std::ptr::null(), flags, std::ptr::null())
    }))?;
    Ok(())
}

/// `self/fd/N`, a path from a procfs to what a descriptor is open on.
fn descriptor_path(fd: i32, room: &mut [u8; 24]) -> Result<&CStr> {
    const STEM: &[u8] = b"self/fd/";
    let mut number = u32::try_from(fd).map_err(|_| Errno::BADF)?;
    let mut digits = [0u8; 10];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let digits = &digits[first..];
    room[..STEM.len()].copy_from_slice(STEM);
    room[STEM.len()..STEM.len() + digits.len()].copy_from_slice(digits);
    CStr::from_bytes_until_nul(room).map_err(|_| Errno::NAMETOOLONG)
}

/// The number by which mountinfo knows the mount that `fd` is on.
fn mount_id(fd: BorrowedFd<'_>) -> Result<u64> {
    let told = rustix::fs::statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    if told.stx_mask & StatxFlags::MNT_ID.bits() == 0 {
        return Err(Errno::NOSYS);
    }
    Ok(told.stx_mnt_id)
}

/// The mounts of this namespace.
fn mounts(proc: BorrowedFd<'_>) -> Result<Lines<impl FnMut(&mut [u8]) -> Result<usize>>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file: OwnedFd = rustix::fs::openat(proc, c"self/mountinfo", flags, Mode::empty())?;
    Ok(Lines::new(move |room: &mut [u8]| rustix::io::read(&file, room)))
}

/// What a line of mountinfo says (`proc_pid_mountinfo(5)`), as far as it
/// matters here.
struct Line {
    id: u64,
    parent: u64,
    place: [u8; PATH_MAX],
    length: usize,
}

impl Line {
    fn empty() -> Line {
        Line { id: 0, parent: 0, place: [0; PATH_MAX], length: 0 }
    }

    /// Where it is mounted, from the root of who asks.
    fn place(&self) -> Result<&CStr> {
        CStr::from_bytes_until_nul(&self.place).map_err(|_| Errno::NAMETOOLONG)
    }

    fn push(&mut self, byte: u8) -> Result<()> {
        // The last byte stays zero.
        if self.length + 1 >= PATH_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        self.place[self.length] = byte;
        self.length += 1;
        Ok(())
    }
}

/// Reads lines from a source that gives what is next, and 0 at the end.
struct Lines<R> {
    read: R,
    bytes: [u8; 1024],
    at: usize,
    end: usize,
}

impl<R: FnMut(&mut [u8]) -> Result<usize>> Lines<R> {
    fn new(read: R) -> Lines<R> {
        Lines { read, bytes: [0; 1024], at: 0, end: 0 }
    }

    fn byte(&mut self) -> Result<Option<u8>> {
        if self.at == self.end {
            self.at = 0;
            self.end = (self.read)(&mut self.bytes)?;
        }
        let byte = self.bytes.get(self.at).copied().filter(|_| self.at < self.end);
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    /// Reads the next line; false at the end.
    fn next(&mut self, line: &mut Line) -> Result<bool> {
        const ID: usize = 0;
        const PARENT: usize = 1;
        const PLACE: usize = 4;
        *line = Line::empty();
        let mut field = 0;
        while let Some(byte) = self.byte()? {
            match (byte, field) {
                (b'\n', _) if field > PLACE => return Ok(true),
                (b'\n', _) => return Err(Errno::INVAL),
                (b' ', _) => field += 1,
                (_, ID) => line.id = digit(line.id, byte, 10)?,
                (_, PARENT) => line.parent = digit(line.parent, byte, 10)?,
                // Blanks and the like are written as three octal digits.
                (b'\\', PLACE) => {
                    let mut value = 0;
                    for _ in 0..3 {
                        value = digit(value, self.byte()?.ok_or(Errno::INVAL)?, 8)?;
                    }
                    line.push(u8::try_from(value).map_err(|_| Errno::INVAL)?)?;
                }
                (_, PLACE) => line.push(byte)?,
                _ => {}
            }
        }
        if field == 0 && line.id == 0 { Ok(false) } else { Err(Errno::INVAL) }
    }
}

/// A number with one more digit.
fn digit(number: u64, byte: u8, base: u64) -> Result<u64> {
    let digit = u64::from(byte.wrapping_sub(b'0'));
    if digit >= base {
        return Err(Errno::INVAL);
    }
    number.checked_mul(base).and_then(|number| number.checked_add(digit)).ok_or(Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a text that comes in pieces of some length.
    fn lines(text: &[u8], piece: usize) -> Result<Vec<(u64, u64, Vec<u8>)>> {
        let mut rest = text;
        let mut lines = Lines::new(|room: &mut [u8]| {
            let length = rest.len().min(piece).min(room.len());
            room[..length].copy_from_slice(&rest[..length]);
            rest = &rest[length..];
            Ok(length)
        });
        let mut line = Line::empty();
        let mut all = Vec::new();
        while lines.next(&mut line)? {
            all.push((line.id, line.parent, line.place()?.to_bytes().to_vec()));
        }
        Ok(all)
    }

    #[test]
    fn lines_of_mountinfo() {
        let text = b"36 35 98:0 /a\\040b / rw,noatime master:1 - ext3 /dev/root rw\n\
            4294967296 36 0:5 / /with\\040blank\\134and\\012line rw - tmpfs none rw,lowerdir=x:y\n";
        for piece in [1, 2, 7, 4096] {
            let found = lines(text, piece).unwrap();
            assert_eq!(
                found,
                [(36, 35, b"/".to_vec()), (4_294_967_296, 36, b"/with blank\\and\nline".to_vec())]
            );
        }
        assert_eq!(lines(b"", 9), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_mountinfo_is_an_error() {
        for text in [
            &b"36 35 98:0 /\n"[..],
            b"36 35 98:0 / /place rw - ext3",
            b"x 35 98:0 / /place rw\n",
            b"36 -1 98:0 / /place rw\n",
            b"36 35 98:0 / /pl\\9ace rw\n",
            b"36 35 98:0 / /pl\\777 rw\n",
            b"\n",
            b"99999999999999999999999 35 98:0 / /place rw\n",
        ] {
            assert_eq!(lines(text, 3), Err(Errno::INVAL), "{}", String::from_utf8_lossy(text));
        }
        let long = [b"36 35 98:0 / /".as_slice(), &[b'a'; PATH_MAX], b" rw\n"].concat();
        assert_eq!(lines(&long, 512), Err(Errno::NAMETOOLONG));
    }

    #[test]
    fn paths_of_descriptors() {
        for (fd, wanted) in
            [(0, c"self/fd/0"), (37, c"self/fd/37"), (i32::MAX, c"self/fd/2147483647")]
        {
            assert_eq!(descriptor_path(fd, &mut [0; 24]), Ok(wanted));
        }
        assert_eq!(descriptor_path(-1, &mut [0; 24]), Err(Errno::BADF));
    }
}
