//! Links of the host: which are followed, and which somebody may have
//! planted.
//!
//! A link is followed only when no application can have made it. That is
//! known from where it lies: not inside a folder in which an application of
//! ours has ever been allowed to write, and not in a folder where other
//! accounts may write. So `~/Documents -> /mnt/data` and `/home -> /var/home`
//! work, and a link that an application left in its own home does not.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use crate::host::{HostFs, Node, NodeKind};
use crate::model::path::AbsPath;

/// How many links one path may lead through (as the kernel has it).
const MOST_LINKS: usize = 40;

/// A thing of the host that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it really is: no link in it.
    pub real: AbsPath,
    /// What it is.
    pub node: Node,
    /// The links that led there, each with its own real place and its text.
    pub links: Vec<(AbsPath, String)>,
}

/// Why a thing was not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFound {
    /// Nothing is there.
    Missing,
    /// A link lies where somebody may have planted it.
    Planted(AbsPath),
    /// Links that lead round, or to what no policy can hold.
    Dead(AbsPath),
    /// The caller may not look.
    Unreadable,
}

/// Follows paths on the host.
pub struct Links<'a> {
    fs: &'a HostFs,
    uid: u32,
    /// Real folders in which applications have written.
    written: Vec<AbsPath>,
    seen: RefCell<BTreeMap<AbsPath, Result<Found, NotFound>>>,
    folders: RefCell<BTreeMap<AbsPath, Above>>,
}

/// What is known about the folder that holds a path.
#[derive(Debug, Clone)]
struct Above {
    /// Where it is, or would be.
    place: Option<AbsPath>,
    is_missing: bool,
}

impl<'a> Links<'a> {
    /// `written` are the real folders in which applications may have left
    /// something.
    pub fn new(fs: &'a HostFs, uid: u32, written: Vec<AbsPath>) -> Links<'a> {
        Links { fs, uid, written, seen: RefCell::default(), folders: RefCell::default() }
    }

    /// Whether applications may have written in this real folder.
    pub fn is_written(&self, folder: &AbsPath) -> bool {
        self.written.iter().any(|place| folder.is_within(place))
    }

    /// Finds what `path` leads to.
    ///
    /// # Errors
    /// Why it cannot be found.
    pub fn find(&self, path: &AbsPath) -> Result<Found, NotFound> {
        if let Some(known) = self.seen.borrow().get(path) {
            return known.clone();
        }
        let answer = match self.fs.look(path) {
            Ok(node) if node.kind != NodeKind::Link => {
                Ok(Found { real: path.clone(), node, links: Vec::new() })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(NotFound::Missing),
            _ => self.walk(path).map_err(|(why, _)| why),
        };
        self.seen.borrow_mut().insert(path.clone(), answer.clone());
        answer
    }

    /// Where `path` is, or would be once somebody made what is missing of it:
    /// also behind a link that leads nowhere yet. None where that cannot be
    /// told.
    pub fn place(&self, path: &AbsPath) -> Option<AbsPath> {
        if !self.is_missing(path) {
            return match self.walk(path) {
                Ok(found) => Some(found.real),
                Err((NotFound::Missing, place)) => Some(place),
                Err(_) => None,
            };
        }
        let above = self.above(&path.parent()?);
        Some(above.place?.child(path.file_name()))
    }

    /// Whether nothing is at a path. Asks once for each folder that is missing
    /// itself, whatever is looked for in it.
    pub fn is_missing(&self, path: &AbsPath) -> bool {
        let nothing = path.parent().is_some_and(|parent| self.above(&parent).is_missing);
        nothing || self.fs.is_missing(path)
    }

    fn above(&self, folder: &AbsPath) -> Above {
        if let Some(known) = self.folders.borrow().get(folder) {
            return known.clone();
        }
        let answer = match self.find(folder) {
            Ok(found) => Above { place: Some(found.real), is_missing: false },
            Err(why) => Above { place: self.place(folder), is_missing: why == NotFound::Missing },
        };
        self.folders.borrow_mut().insert(folder.clone(), answer.clone());
        answer
    }

    /// Walks element by element. With the reason for which it ends comes the
    /// place where it ended, with what was left of the way.
    fn walk(&self, path: &AbsPath) -> Result<Found, (NotFound, AbsPath)> {
        let mut left: VecDeque<String> = path.elements().map(str::to_owned).collect();
        let mut here = AbsPath::root();
        let mut links = Vec::new();
        let mut node = self.look(&here).map_err(|why| (why, here.clone()))?;
        while let Some(element) = left.pop_front() {
            let next = match element.as_str() {
                "." => continue,
                ".." => here.parent().unwrap_or_else(AbsPath::root),
                name => here.child(name),
            };
            let found = self.look(&next).map_err(|why| (why, onwards(&next, &left)))?;
            if found.kind != NodeKind::Link {
                here = next;
                node = found;
                continue;
            }
            if links.len() >= MOST_LINKS {
                return Err((NotFound::Dead(next.clone()), next));
            }
            if !self.is_trusted(&here, &node) {
                return Err((NotFound::Planted(next.clone()), next));
            }
            let dead = || (NotFound::Dead(next.clone()), next.clone());
            let text = self.fs.read_link(&next).map_err(|_| dead())?;
            if text.is_empty() || text.chars().any(char::is_control) {
                return Err(dead());
            }
            if text.starts_with('/') {
                here = AbsPath::root();
                node = self.look(&here).map_err(|why| (why, here.clone()))?;
            }
            for part in text.split('/').rev().filter(|part| !part.is_empty()) {
                left.push_front(part.to_owned());
            }
            links.push((next, text));
        }
        Ok(Found { real: here, node, links })
    }

    /// Whether only the caller or root can have put a link into this folder.
    fn is_trusted(&self, folder: &AbsPath, node: &Node) -> bool {
        let ours =
            node.uid == 0 || node.uid == self.uid || crate::sys::probe::is_overflow_user(node.uid);
        ours && node.mode & 0o002 == 0 && !self.is_written(folder)
    }

    fn look(&self, path: &AbsPath) -> Result<Node, NotFound> {
        self.fs.look(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => NotFound::Unreadable,
            _ => NotFound::Missing,
        })
    }
}

/// A place with the rest of a way after it, by text.
fn onwards(place: &AbsPath, rest: &VecDeque<String>) -> AbsPath {
    let mut at = place.clone();
    for element in rest {
        at = match element.as_str() {
            "." => continue,
            ".." => at.parent().unwrap_or_else(AbsPath::root),
            name => at.child(name),
        };
    }
    at
}
