//! What is granted of the host's files.
//!
//! A grant is a path and a right. Between what it names and what is shown
//! stand the closed paths: the protected ones, and those that some layer
//! denies. A closed path opens only to a grant that names it, or a place
//! beneath it, from a layer that may do so. A grant of a folder in which a
//! closed path lies is taken apart:
//!
//! - An explicit denial of something that exists is covered where it lies, so
//!   that the rest of the folder works as it does outside.
//! - For everything else the folder itself is never shown. What takes its
//!   place is a folder of the sandbox, with each present entry of the real
//!   one shown in it but for the closed ones; so a closed path that does not
//!   exist yet cannot be made, and does not appear when somebody makes it.
//!   New names at that level stay in the application's own home.

use std::collections::BTreeMap;

use crate::host::{HostFs, Node, NodeKind};
use crate::manifest::stack::locked;
use crate::model::facts::HostFacts;
use crate::model::manifest::PathGrant;
use crate::model::origin::{Layer, Origin, Sourced};
use crate::model::path::{AbsPath, Glob, PathExpr};
use crate::model::permission::HomeKind;
use crate::model::plan::{Action, HostStep, Kind, Tier, Weight};
use crate::model::statement::DENY;
use crate::model::ungrantable;
use crate::report::{Code, Diagnostic};

use super::links::{Links, NotFound};
use super::protected::{self, Reason};
use super::session;
use super::{Resolution, base};

/// What a grant lets the application do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Right {
    Read,
    Write,
    Create,
}

/// One grant, its patterns expanded.
struct Grant {
    /// The path as named, with the home in its real place.
    path: AbsPath,
    /// The path without what a pattern has found: so much of it is named.
    named: AbsPath,
    right: Right,
    exec: bool,
    required: bool,
    origin: Origin,
}

/// Why a path is closed.
#[derive(Debug, Clone, PartialEq)]
enum Why {
    Protected(Reason),
    /// By a layer; with the lock that keeps higher layers from lifting it.
    Denied(Origin, Option<Sourced<String>>),
}

/// A closed path.
#[derive(Debug, Clone)]
pub struct Closed {
    path: AbsPath,
    /// Where it really is, or would be, where links lead there.
    real: Option<AbsPath>,
    /// Those links: who can put others in their place decides what the path
    /// is.
    links: Vec<AbsPath>,
    exists: bool,
    folder: bool,
    why: Why,
    /// Whether a grant opens something beneath it.
    pierced: bool,
}

impl Closed {
    fn holds(&self, path: &AbsPath) -> bool {
        path.is_within(&self.path) || self.real.as_ref().is_some_and(|real| path.is_within(real))
    }

    fn is_at(&self, path: &AbsPath) -> bool {
        *path == self.path || self.real.as_ref() == Some(path)
    }

    fn is_beneath(&self, path: &AbsPath) -> bool {
        self.path.is_beneath(path)
            || self.real.iter().chain(&self.links).any(|place| place.is_beneath(path))
    }

    /// Whether a grant that leads here opens the path: it has to be of a layer
    /// that may do so, and a pattern names only what stands before it.
    fn opens_to(&self, grant: &Grant) -> bool {
        let layer = grant.origin.layer;
        let may = match &self.why {
            Why::Protected(_) => layer >= Layer::Admin,
            Why::Denied(origin, lock) => layer > origin.layer && !is_against(lock, grant),
        };
        may && self.is_named_by(grant)
    }

    fn is_named_by(&self, grant: &Grant) -> bool {
        grant.named == grant.path || self.holds(&grant.named)
    }
}

/// Whether a lock on the denials keeps a grant from opening what is denied.
fn is_against(lock: &Option<Sourced<String>>, grant: &Grant) -> bool {
    lock.as_ref().is_some_and(|lock| grant.origin.layer > lock.origin.layer)
}

/// States the file grants.
pub fn resolve(r: &mut Resolution<'_>) {
    let settings = r.settings();
    let shared = settings
        .home
        .kind
        .as_ref()
        .filter(|kind| kind.value == HomeKind::Shared)
        .map(|kind| kind.origin.clone());
    let lists = [
        (Right::Read, settings.filesystem.read.items.clone()),
        (Right::Write, settings.filesystem.write.items.clone()),
        (Right::Create, settings.filesystem.create.items.clone()),
    ];
    let grants_none = shared.is_none() && lists.iter().all(|(_, list)| list.is_empty());
    if grants_none && settings.filesystem.deny.items.is_empty() {
        return;
    }
    let mut closed = closed(r);
    let mut grants = Vec::new();
    if let Some(origin) = shared {
        let path = r.home.clone();
        let named = path.clone();
        grants.push(Grant {
            path,
            named,
            right: Right::Write,
            exec: false,
            required: true,
            origin,
        });
    }
    for (right, list) in lists {
        for entry in list {
            expand(r, right, &entry, &mut grants);
        }
    }
    // Broader grants first, so that a narrower one can stand inside.
    grants.sort_by(|a, b| a.path.elements().cmp(b.path.elements()).then(a.right.cmp(&b.right)));
    for shut in &mut closed {
        shut.pierced = grants.iter().any(|grant| {
            shut.holds(&grant.path) && !shut.is_at(&grant.path) && shut.opens_to(grant)
        });
    }
    let is_denied = |shut: &&Closed| shut.exists && matches!(shut.why, Why::Denied(..));
    r.denied = closed.iter().filter(is_denied).cloned().collect();
    deny(r);
    for grant in grants {
        one(r, &grant, &closed);
    }
}

/// Makes the denials hold against what is shown by other keys than those of
/// files, and by every sandbox: before the grants, so that one can open a part
/// again, and once more when all is stated.
pub fn deny(r: &mut Resolution<'_>) {
    for shut in &r.denied {
        let Why::Denied(origin, _) = &shut.why else { continue };
        let kind = if shut.folder { Kind::Folder } else { Kind::File };
        let real = shut.real.as_ref().unwrap_or(&shut.path);
        let host = &r.host;
        // The application's own folders lie in the home too, and are not meant.
        let own = |source: &AbsPath| host.iter().any(|made| made.folder == *source);
        r.tree.deny(real, kind, shut.pierced, origin, own);
    }
}

/// Every closed path.
fn closed(r: &mut Resolution<'_>) -> Vec<Closed> {
    let mut all = Vec::new();
    let mut denied = Vec::new();
    let lock = r.settings().lock_on(DENY, Layer::CommandLine).cloned();
    for entry in r.settings().filesystem.deny.items.clone() {
        let paths = paths(r, &entry.value, &entry.origin);
        denied.extend(paths.into_iter().map(|path| (path, entry.origin.clone())));
    }
    // A closed path's own links are followed wherever they lie: whoever
    // planted one can only close more by it.
    let links = Links::new(r.fs, r.facts.uid, Vec::new());
    let mut folders = BTreeMap::new();
    let mut known = |path, why| known(r.fs, &links, &mut folders, path, why);
    for (path, reason) in protected::paths(r.facts) {
        let path = inside(r, &path);
        // A home within a protected place of the account's home, as snaps
        // have it, is a home all the same.
        if !r.home.is_within(&path) {
            all.push(known(path, Why::Protected(reason)));
        }
    }
    for (path, origin) in denied {
        // Denials of layers above the lock's are their own to lift.
        let lock = lock.clone().filter(|lock| origin.layer <= lock.origin.layer);
        all.push(known(path, Why::Denied(origin, lock)));
    }
    all
}

/// What is known about a folder that holds closed paths.
struct Holder {
    /// Where it lies in the end, or would lie.
    place: AbsPath,
    /// The links that lead there.
    links: Vec<AbsPath>,
    /// What is in it, in order of name; nothing where it is missing. None
    /// where it cannot be listed.
    entries: Option<Vec<(String, NodeKind)>>,
}

impl Holder {
    fn new(fs: &HostFs, links: &Links<'_>, folder: &AbsPath) -> Holder {
        let (place, links) = links.end(folder);
        let entries = match fs.list(&place) {
            Ok(listing) => Some(listing.entries),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Vec::new()),
            Err(_) => None,
        };
        Holder { place, links, entries }
    }

    /// What has this name in it, if anything has.
    fn kind(&self, fs: &HostFs, name: &str) -> Option<NodeKind> {
        match &self.entries {
            Some(entries) => entries
                .binary_search_by(|(entry, _)| entry.as_str().cmp(name))
                .ok()
                .map(|at| entries[at].1),
            None => fs.look(&self.place.child(name)).ok().map(|node| node.kind),
        }
    }
}

/// `folders` remembers the folders that hold closed paths. There are hundreds
/// of these in a few of those, so that listing a folder once is cheaper than
/// asking for each.
fn known(
    fs: &HostFs,
    links: &Links<'_>,
    folders: &mut BTreeMap<AbsPath, Holder>,
    path: AbsPath,
    why: Why,
) -> Closed {
    let parent = path.parent().unwrap_or_else(AbsPath::root);
    let holder = folders.entry(parent).or_insert_with_key(|parent| Holder::new(fs, links, parent));
    let mut place = holder.place.child(path.file_name());
    let mut way = holder.links.clone();
    let mut kind = holder.kind(fs, path.file_name());
    if kind == Some(NodeKind::Link) {
        let (end, further) = links.end(&place);
        place = end;
        way.extend(further);
        kind = fs.look(&place).ok().map(|node| node.kind);
    }
    let exists = kind.is_some_and(|kind| kind != NodeKind::Link);
    let is_folder = kind == Some(NodeKind::Folder);
    let real = (place != path).then_some(place);
    Closed { path, real, links: way, exists, folder: is_folder, why, pierced: false }
}

/// A path of the host with the home in its real place.
fn inside(r: &Resolution<'_>, path: &AbsPath) -> AbsPath {
    match path.relative_to(&r.facts.home) {
        Some("") => r.home.clone(),
        Some(rest) => r.home.join(rest).unwrap_or_else(|_| path.clone()),
        None => path.clone(),
    }
}

/// The paths that an expression names on this host, home in its real place.
fn paths(r: &mut Resolution<'_>, expr: &PathExpr, origin: &Origin) -> Vec<AbsPath> {
    let Some(start) = r.facts.base(expr.base) else {
        r.note(
            Weight::Notice,
            format!("{expr} is skipped: this account has no such folder"),
            Some(origin),
            Some("name it in ~/.config/user-dirs.dirs, or grant a path"),
        );
        return Vec::new();
    };
    let mut at = vec![inside(r, &start)];
    for element in expr.rest.split('/').filter(|element| !element.is_empty()) {
        at = match Glob::name(element) {
            Some(name) => at.into_iter().map(|folder| folder.child(&name)).collect(),
            None => {
                at.into_iter().flat_map(|folder| matching(r, &folder, element, origin)).collect()
            }
        };
    }
    if at.is_empty() && expr.has_glob() {
        r.note(Weight::Info, format!("{expr} matches nothing"), Some(origin), None);
    }
    at
}

/// The entries of a folder that match a pattern: only where applications
/// cannot have written, and never a link.
fn matching(
    r: &mut Resolution<'_>,
    folder: &AbsPath,
    pattern: &str,
    origin: &Origin,
) -> Vec<AbsPath> {
    let Ok(found) = r.links.find(folder) else { return Vec::new() };
    if r.links.is_written(&found.real) {
        r.note(
            Weight::Notice,
            format!(
                "the pattern {pattern} is not expanded in {folder}: applications may write there"
            ),
            Some(origin),
            Some("name the paths one by one"),
        );
        return Vec::new();
    }
    let Ok(listing) = r.fs.list(&found.real) else { return Vec::new() };
    listing
        .into_iter()
        .filter(|(name, kind)| {
            matches!(kind, NodeKind::Folder | NodeKind::File) && Glob::matches(pattern, name)
        })
        .map(|(name, _)| folder.child(&name))
        .collect()
}

fn expand(
    r: &mut Resolution<'_>,
    right: Right,
    entry: &Sourced<PathGrant>,
    grants: &mut Vec<Grant>,
) {
    let value = &entry.value;
    for path in paths(r, &value.path, &entry.origin) {
        let exec = value.exec.unwrap_or(right == Right::Read && !path.is_within(&r.home));
        let mut named = path.clone();
        for _ in value.path.rest.split('/').skip_while(|element| Glob::name(element).is_some()) {
            named = named.parent().unwrap_or(named);
        }
        grants.push(Grant {
            path,
            named,
            right,
            exec,
            required: value.required,
            origin: entry.origin.clone(),
        });
    }
}

/// Why a real path can be granted to nobody.
pub fn refusal(facts: &HostFacts, home: &AbsPath, real: &AbsPath) -> Option<&'static str> {
    if home.is_beneath(real) {
        return Some("it contains the whole home; grant folders in the home by name");
    }
    if session::is_runtime(facts, home, real) {
        return Some(ungrantable::SESSION);
    }
    ungrantable::why(real)
}

fn one(r: &mut Resolution<'_>, grant: &Grant, closed: &[Closed]) {
    if is_shut(r, grant, closed, &grant.path) {
        return;
    }
    let found = match r.links.find(&grant.path) {
        Ok(found) => found,
        Err(NotFound::Missing) if grant.right == Right::Create => {
            create(r, grant, closed);
            return;
        }
        Err(why) => {
            absent(r, grant, &why);
            return;
        }
    };
    if is_refused(r, grant, &found.real) || is_shut(r, grant, closed, &found.real) {
        return;
    }
    let dest = place_inside(r, grant, &found.links, &found.real);
    place(r, grant, closed, dest, found.real, found.node, Depth::default());
}

/// Whether a closed path holds a place that a grant names or leads to; said.
fn is_shut(r: &mut Resolution<'_>, grant: &Grant, closed: &[Closed], at: &AbsPath) -> bool {
    let shut = closed.iter().find(|shut| shut.holds(at) && !shut.opens_to(grant));
    if let Some(shut) = shut {
        refused(r, grant, shut);
    }
    shut.is_some()
}

/// Whether a real place can be granted to nobody in this way; said.
fn is_refused(r: &mut Resolution<'_>, grant: &Grant, real: &AbsPath) -> bool {
    let error = if let Some(reason) = refusal(r.facts, &r.home, real) {
        let text = format!("{} cannot be granted: {reason}", grant.path);
        Diagnostic::error(Code::PathRefused, text).at(&grant.origin)
    } else if grant.right != Right::Read && real.is_within(&base::fixed("/usr")) {
        Diagnostic::error(Code::PathRefused, format!("{} cannot be written to", grant.path))
            .at(&grant.origin)
            .because("the system's programs are shown read-only to every application")
    } else {
        return false;
    };
    r.errors.push(error);
    true
}

/// The place inside of what a grant leads to. Links outside the home are made
/// anew, so that both names work; in the home, where the application could
/// change them, what they lead to takes the link's place.
fn place_inside(
    r: &mut Resolution<'_>,
    grant: &Grant,
    links: &[(AbsPath, String)],
    real: &AbsPath,
) -> AbsPath {
    if grant.path.is_within(&r.home) {
        return grant.path.clone();
    }
    for (place, text) in links {
        r.tree.put(Action::Link { dest: place.clone(), target: text.clone() }, &grant.origin);
    }
    real.clone()
}

fn refused(r: &mut Resolution<'_>, grant: &Grant, shut: &Closed) {
    match &shut.why {
        Why::Protected(reason) => {
            let flag = if grant.right == Right::Read { "--read" } else { "--write" };
            let text = format!(
                "{} stays shut: {} {}, and a manifest from elsewhere cannot open it",
                grant.path,
                shut.path,
                reason.text()
            );
            let hint = format!(
                "to open it all the same, name it in your own layer, or run with {flag} {}",
                grant.path
            );
            r.note(Weight::Notice, text, Some(&grant.origin), Some(&hint));
        }
        Why::Denied(_, Some(lock))
            if shut.is_named_by(grant) && grant.origin.layer > lock.origin.layer =>
        {
            let message = format!("{} is denied, and `{DENY}` is locked", grant.path);
            r.errors.push(locked(message, &grant.origin, lock));
        }
        Why::Denied(origin, _) => {
            let text = format!("{} stays shut: it is denied by {origin}", grant.path);
            r.note(Weight::Info, text, Some(&grant.origin), None);
        }
    }
}

fn absent(r: &mut Resolution<'_>, grant: &Grant, why: &NotFound) {
    let (code, text, hint) = match why {
        NotFound::Missing => (
            Code::PathMissing,
            format!("{} is not there", grant.path),
            "make it, or grant it under `create`",
        ),
        NotFound::Planted(link) => (
            Code::PathLink,
            format!(
                "{} is not granted: {link} is a link in a folder where an application or another account may write",
                grant.path
            ),
            "name the place that it leads to",
        ),
        NotFound::Dead(link) => (
            Code::PathLink,
            format!("{} is not granted: the link {link} leads nowhere", grant.path),
            "name the place itself",
        ),
        NotFound::Unreadable => (
            Code::PathMissing,
            format!("{} cannot be looked at", grant.path),
            "look at the rights of the folders above it",
        ),
    };
    if grant.required {
        r.errors.push(Diagnostic::error(code, text).at(&grant.origin).hint(hint));
    } else {
        r.note(Weight::Notice, format!("{text}; skipped"), Some(&grant.origin), Some(hint));
    }
}

/// A folder that is to be made. Its nearest existing parent is where the
/// walk starts; from there on no link is followed.
fn create(r: &mut Resolution<'_>, grant: &Grant, closed: &[Closed]) {
    let mut base = grant.path.parent();
    let found = loop {
        match base.as_ref().map(|path| (path, r.links.find(path))) {
            Some((path, Ok(found))) => break Some((path.clone(), found)),
            Some((path, Err(NotFound::Missing))) => base = path.parent(),
            Some((_, Err(why))) => {
                absent(r, grant, &why);
                return;
            }
            None => break None,
        }
    };
    let Some((above, found)) = found else { return };
    if found.node.kind != NodeKind::Folder {
        absent(r, grant, &NotFound::Missing);
        return;
    }
    let rest = grant.path.relative_to(&above).unwrap_or_default();
    let Ok(folder) = found.real.join(rest) else { return };
    // What is in the way and was not found is a link that leads nowhere.
    let first = found.real.child(rest.split('/').next().unwrap_or(rest));
    if r.fs.look(&first).is_ok() {
        absent(r, grant, &NotFound::Dead(first));
        return;
    }
    if is_refused(r, grant, &folder) || is_shut(r, grant, closed, &folder) {
        return;
    }
    r.host.push(HostStep {
        folder: folder.clone(),
        base: found.real,
        mode: 0o755,
        origin: grant.origin.clone(),
    });
    let dest = place_inside(r, grant, &found.links, &folder);
    if closed.iter().any(|shut| shut.is_beneath(&dest) || shut.is_beneath(&folder)) {
        // As every folder in which closed paths lie, and with no entry yet.
        apart(r, grant, &dest);
        return;
    }
    r.writable.push(folder.clone());
    r.tree.put(
        Action::Bind {
            source: folder,
            dest,
            kind: Kind::Folder,
            write: true,
            exec: grant.exec,
            device: false,
        },
        &grant.origin,
    );
}

/// Puts a folder of the sandbox in the place of one that is never shown.
fn apart(r: &mut Resolution<'_>, grant: &Grant, dest: &AbsPath) {
    if *dest != r.home {
        r.tree.folder(dest, 0o755, &grant.origin);
    }
}

/// How deep a folder is taken apart at most; closed paths lie no deeper.
const DEEPEST: usize = 32;

/// How far a grant has been taken apart.
#[derive(Debug, Clone, Copy, Default)]
struct Depth {
    folders: usize,
    /// Links that were passed on the way.
    links: usize,
}

fn place(
    r: &mut Resolution<'_>,
    grant: &Grant,
    closed: &[Closed],
    dest: AbsPath,
    real: AbsPath,
    node: Node,
    depth: Depth,
) {
    let kind = match node.kind {
        NodeKind::Folder => Kind::Folder,
        NodeKind::File | NodeKind::Socket => Kind::File,
        NodeKind::Link | NodeKind::Device | NodeKind::Other => {
            r.note(
                Weight::Notice,
                format!("{dest} is neither a file nor a folder; skipped"),
                Some(&grant.origin),
                None,
            );
            return;
        }
    };
    let inner: Vec<&Closed> =
        closed.iter().filter(|shut| shut.is_beneath(&dest) || shut.is_beneath(&real)).collect();
    let takes_apart = inner
        .iter()
        .any(|shut| !shut.exists || shut.pierced || matches!(shut.why, Why::Protected(_)));
    if !takes_apart {
        let covers: Vec<(Action, Origin)> = inner
            .iter()
            .filter_map(|shut| {
                let rest = shut.real.as_ref().unwrap_or(&shut.path).relative_to(&real)?;
                let kind = if shut.folder { Kind::Folder } else { Kind::File };
                let origin = match &shut.why {
                    Why::Denied(origin, _) => origin.clone(),
                    Why::Protected(_) => grant.origin.clone(),
                };
                Some((Action::Close { dest: dest.join(rest).ok()?, kind }, origin))
            })
            .collect();
        show(r, grant, dest, real, kind);
        for (cover, origin) in covers {
            r.tree.put(cover, &origin);
        }
        return;
    }
    // Links between such folders can lead round and multiply what is shown:
    // behind a second one nothing is taken apart any more.
    if depth.folders >= DEEPEST || depth.links > 1 {
        return;
    }
    if depth.folders == 0 {
        // Who writes into such a folder should know where it goes.
        let is_surprise = grant.right != Right::Read
            && inner.iter().any(|shut| !shut.exists && matches!(shut.why, Why::Denied(..)));
        let (weight, hint) = match is_surprise {
            true => (Weight::Notice, Some("make the denied path, and the rest is shown whole")),
            false => (Weight::Info, None),
        };
        let text = match r.request.tier {
            Tier::Namespaces => format!(
                "{dest} is shown as its present entries without protected and denied ones; new names at that level stay in the application's own home"
            ),
            Tier::Landlock => format!(
                "of {dest} only its present entries are open, without protected and denied ones; it cannot be listed, and there can be no new names at that level"
            ),
        };
        r.note(weight, text, Some(&grant.origin), hint);
    }
    apart(r, grant, &dest);
    let Ok(listing) = r.fs.list(&real) else {
        r.note(
            Weight::Notice,
            format!("{dest} cannot be listed; nothing in it is shown"),
            Some(&grant.origin),
            None,
        );
        return;
    };
    if listing.skipped > 0 {
        r.note(
            Weight::Notice,
            format!("{} entries of {dest} have names that are not text; skipped", listing.skipped),
            Some(&grant.origin),
            None,
        );
    }
    for (name, kind) in listing {
        let entry = dest.child(&name);
        let source = real.child(&name);
        if closed.iter().any(|shut| shut.is_at(&entry) || shut.is_at(&source)) {
            continue;
        }
        match kind {
            NodeKind::Folder | NodeKind::File => {
                if let Ok(node) = r.fs.look(&source) {
                    let depth = Depth { folders: depth.folders + 1, ..depth };
                    place(r, grant, closed, entry, source, node, depth);
                }
            }
            NodeKind::Link => {
                let Ok(found) = r.links.find(&source) else { continue };
                let shut = closed.iter().any(|shut| shut.holds(&found.real));
                if shut
                    || refusal(r.facts, &r.home, &found.real).is_some()
                    || r.home.is_within(&found.real)
                {
                    continue;
                }
                if matches!(found.node.kind, NodeKind::Folder | NodeKind::File) {
                    let depth = Depth { folders: depth.folders + 1, links: depth.links + 1 };
                    place(r, grant, closed, entry, found.real, found.node, depth);
                }
            }
            NodeKind::Socket | NodeKind::Device | NodeKind::Other => {}
        }
    }
}

/// Shows one thing, whole.
fn show(r: &mut Resolution<'_>, grant: &Grant, dest: AbsPath, real: AbsPath, kind: Kind) {
    let write = grant.right != Right::Read;
    if write {
        r.writable.push(real.clone());
    }
    if r.tree.shows(&dest, &real, write, grant.exec) {
        return;
    }
    if write && kind == Kind::File && dest == grant.path {
        r.note(
            Weight::Info,
            format!("{dest} is a single file: programs that save by replacing it will be refused"),
            Some(&grant.origin),
            Some("grant the folder that holds it"),
        );
    }
    r.tree.put(
        Action::Bind { source: real, dest, kind, write, exec: grant.exec, device: false },
        &grant.origin,
    );
}
