//! Links of the host: which are followed, and which somebody may have
//! planted.
//!
//! A link is followed only when no application can have made it. That is
//! known from where it lies: not inside a folder in which an application of
//! ours has ever been allowed to write, and not in a folder where other
//! accounts may write, unless it is root's own link in a folder like /tmp,
//! where nobody can take another's place. So `~/Documents -> /mnt/data` and `/home -> /var/home`
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
}

impl<'a> Links<'a> {
    /// `written` are the real folders in which applications may have left
    /// something.
    pub fn new(fs: &'a HostFs, uid: u32, written: Vec<AbsPath>) -> Links<'a> {
        Links { fs, uid, written, seen: RefCell::new(BTreeMap::new()) }
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
            _ => self.walk(path),
        };
        self.seen.borrow_mut().insert(path.clone(), answer.clone());
        answer
    }

    /// Where a path lies in the end, or would lie if what is missing of it were
    /// made, and the links that lead there. Whoever made them: this is for
    /// paths that are to stay shut.
    pub fn end(&self, path: &AbsPath) -> (AbsPath, Vec<AbsPath>) {
        let mut left: VecDeque<String> = path.elements().map(str::to_owned).collect();
        let mut here = AbsPath::root();
        let mut links = Vec::new();
        while let Some(element) = left.pop_front() {
            let next = match element.as_str() {
                "." => continue,
                ".." => here.parent().unwrap_or_else(AbsPath::root),
                name => here.child(name),
            };
            let text = match self.fs.look(&next) {
                Ok(node) if node.kind == NodeKind::Link => self.fs.read_link(&next).ok(),
                _ => None,
            };
            let Some(text) = text.filter(|text| !text.chars().any(char::is_control)) else {
                here = next;
                continue;
            };
            if links.len() >= MOST_LINKS {
                return (path.clone(), links);
            }
            if text.starts_with('/') {
                here = AbsPath::root();
            }
            for part in text.split('/').rev().filter(|part| !part.is_empty()) {
                left.push_front(part.to_owned());
            }
            links.push(next);
        }
        (here, links)
    }

    fn walk(&self, path: &AbsPath) -> Result<Found, NotFound> {
        let mut left: VecDeque<String> = path.elements().map(str::to_owned).collect();
        let mut here = AbsPath::root();
        let mut links = Vec::new();
        let mut node = self.look(&here)?;
        while let Some(element) = left.pop_front() {
            let next = match element.as_str() {
                "." => continue,
                ".." => here.parent().unwrap_or_else(AbsPath::root),
                name => here.child(name),
            };
            let found = self.look(&next)?;
            if found.kind != NodeKind::Link {
                here = next;
                node = found;
                continue;
            }
            if links.len() >= MOST_LINKS {
                return Err(NotFound::Dead(next));
            }
            if !self.is_trusted(&here, &node, &found) {
                return Err(NotFound::Planted(next));
            }
            let text = self.fs.read_link(&next).map_err(|_| NotFound::Dead(next.clone()))?;
            if text.is_empty() || text.chars().any(char::is_control) {
                return Err(NotFound::Dead(next));
            }
            if text.starts_with('/') {
                here = AbsPath::root();
                node = self.look(&here)?;
            }
            for part in text.split('/').rev().filter(|part| !part.is_empty()) {
                left.push_front(part.to_owned());
            }
            links.push((next, text));
        }
        Ok(Found { real: here, node, links })
    }

    /// Whether only the caller or root can have put a link into this folder.
    fn is_trusted(&self, folder: &AbsPath, node: &Node, link: &Node) -> bool {
        let ours =
            node.uid == 0 || node.uid == self.uid || crate::sys::probe::is_overflow_user(node.uid);
        // Under WSL root keeps links to the desktop's sockets in /tmp.
        let roots = node.uid == 0 && node.mode & 0o1000 != 0 && link.uid == 0;
        ours && (node.mode & 0o002 == 0 || roots) && !self.is_written(folder)
    }

    fn look(&self, path: &AbsPath) -> Result<Node, NotFound> {
        self.fs.look(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => NotFound::Unreadable,
            _ => NotFound::Missing,
        })
    }
}
