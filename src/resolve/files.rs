//! What is granted of the host's files.
//!
//! A grant is a path and a right. Between what it names and what is shown
//! stand the closed paths: the protected ones, and those that some layer
//! denies. A closed path opens only to a grant that names it, or a place
//! beneath it, from a layer that may do so. A grant of a folder in which a
//! closed path lies is taken apart:
//!
//! - An explicit denial of something that exists is covered where it lies, so
//!   that the rest of the folder works as it does outside. The cover is a
//!   private folder in memory where another grant opens a part of it.
//! - For everything else the folder itself is never shown. What takes its
//!   place is a folder of the sandbox, with each present entry of the real
//!   one shown in it but for the closed ones; so a closed path that does not
//!   exist yet cannot be made, and does not appear when somebody makes it.
//!   New names at that level stay in the application's own home.

use crate::host::{Node, NodeKind};
use crate::model::manifest::PathGrant;
use crate::model::origin::{Layer, Origin, Sourced};
use crate::model::path::{AbsPath, Base, Glob, PathExpr};
use crate::model::permission::HomeKind;
use crate::model::plan::{Action, HostStep, Kind, Weight};
use crate::report::{Code, Diagnostic};

use super::links::{Links, NotFound};
use super::protected::{self, Reason};
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
    right: Right,
    exec: bool,
    required: bool,
    origin: Origin,
}

/// Why a path is closed.
#[derive(Debug, Clone, PartialEq)]
enum Why {
    Protected(Reason),
    Denied(Origin),
}

/// A closed path.
#[derive(Debug, Clone)]
struct Closed {
    path: AbsPath,
    /// Where it really is, where it exists behind a link.
    real: Option<AbsPath>,
    exists: bool,
    folder: bool,
    /// Whether a grant opens something in it, for which it needs a place.
    opened: bool,
    why: Why,
}

impl Closed {
    fn holds(&self, path: &AbsPath) -> bool {
        path.is_within(&self.path) || self.real.as_ref().is_some_and(|real| path.is_within(real))
    }

    fn is_at(&self, path: &AbsPath) -> bool {
        *path == self.path || self.real.as_ref() == Some(path)
    }

    fn is_beneath(&self, path: &AbsPath) -> bool {
        self.path.is_beneath(path) || self.real.as_ref().is_some_and(|real| real.is_beneath(path))
    }

    /// Whether a grant of this layer that names the path opens it.
    fn opens_to(&self, layer: Layer) -> bool {
        match &self.why {
            Why::Protected(_) => layer >= Layer::Admin,
            Why::Denied(origin) => layer > origin.layer,
        }
    }
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
    if shared.is_none() && lists.iter().all(|(_, list)| list.is_empty()) {
        return;
    }
    let mut closed = closed(r);
    let mut grants = Vec::new();
    if let Some(origin) = shared {
        let path = r.home.clone();
        grants.push(Grant { path, right: Right::Write, exec: false, required: true, origin });
    }
    for (right, list) in lists {
        for entry in list {
            expand(r, right, &entry, &mut grants);
        }
    }
    for shut in &mut closed {
        shut.opened = grants
            .iter()
            .any(|grant| shut.opens_to(grant.origin.layer) && grant.path.is_beneath(&shut.path));
    }
    // Broader grants first, so that a narrower one can stand inside.
    grants.sort_by(|a, b| a.path.elements().cmp(b.path.elements()).then(a.right.cmp(&b.right)));
    for grant in grants {
        one(r, &grant, &closed);
    }
}

/// Makes the denials hold against what is shown by other keys than those of
/// files, and by every sandbox. Comes after all of them.
pub fn deny(r: &mut Resolution<'_>) {
    let links = Links::new(r.fs, r.facts.uid, Vec::new());
    for entry in r.settings().filesystem.deny.items.clone() {
        for path in paths(r, &entry.value, &entry.origin) {
            let shut = known(&links, path, Why::Denied(entry.origin.clone()));
            if !shut.exists {
                continue;
            }
            let kind = if shut.folder { Kind::Folder } else { Kind::File };
            let real = shut.real.as_ref().unwrap_or(&shut.path);
            let host = &r.host;
            let own = |source: &AbsPath| host.iter().any(|made| made.folder == *source);
            r.tree.deny(real, kind, &entry.origin, own);
        }
    }
}

/// Every closed path.
fn closed(r: &mut Resolution<'_>) -> Vec<Closed> {
    let mut all = Vec::new();
    // A closed path's own link is followed wherever it lies: whoever planted
    // it can only close more by it.
    let links = Links::new(r.fs, r.facts.uid, Vec::new());
    for (path, reason) in protected::paths(r.facts) {
        let path = inside(r, &path);
        all.push(known(&links, path, Why::Protected(reason)));
    }
    for entry in r.settings().filesystem.deny.items.clone() {
        for path in paths(r, &entry.value, &entry.origin) {
            all.push(known(&links, path, Why::Denied(entry.origin.clone())));
        }
    }
    all
}

fn known(links: &Links<'_>, path: AbsPath, why: Why) -> Closed {
    let found = if links.is_missing(&path) { None } else { links.find(&path).ok() };
    match found {
        Some(found) => Closed {
            real: (found.real != path).then_some(found.real),
            path,
            exists: true,
            folder: found.node.kind == NodeKind::Folder,
            opened: false,
            why,
        },
        // What is missing is closed in the place where it would come to be:
        // with ~/.config a link, that is not beneath ~/.config.
        None => Closed {
            real: links.place(&path).filter(|real| *real != path),
            path,
            exists: false,
            folder: false,
            opened: false,
            why,
        },
    }
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
    let facts = r.facts;
    let start = match expr.base {
        Base::Root => AbsPath::root(),
        Base::Home => facts.home.clone(),
        Base::Config => facts.config_home.clone(),
        Base::Data => facts.data_home.clone(),
        Base::State => facts.state_home.clone(),
        Base::Cache => facts.cache_home.clone(),
        Base::User(dir) => match facts.user_dirs.get(&dir) {
            Some(path) => path.clone(),
            None => {
                r.note(
                    Weight::Notice,
                    format!("{expr} is skipped: this account has no such folder"),
                    Some(origin),
                    Some("name it in ~/.config/user-dirs.dirs, or grant a path"),
                );
                return Vec::new();
            }
        },
    };
    let mut at = vec![inside(r, &start)];
    for element in expr.rest.split('/').filter(|element| !element.is_empty()) {
        if Glob::is_pattern(element) {
            at = at.into_iter().flat_map(|folder| matching(r, &folder, element, origin)).collect();
        } else {
            at = at.into_iter().map(|folder| folder.child(element)).collect();
        }
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
        grants.push(Grant {
            path,
            right,
            exec,
            required: value.required,
            origin: entry.origin.clone(),
        });
    }
}

/// Why a real path can be granted to nobody.
pub fn refusal(r: &Resolution<'_>, real: &AbsPath) -> Option<&'static str> {
    let within = |place: &str| real.is_within(&base::fixed(place));
    if real.as_str() == "/" || (r.home.is_beneath(real)) {
        return Some("it contains the whole home; grant folders in the home by name");
    }
    if within("/proc") || within("/sys") || within("/dev") {
        return Some("it is the kernel's; see [devices] for devices");
    }
    if within("/run") && !within("/run/media") {
        return Some(
            "it holds sockets of the session and the system; see [bus], [audio], [display]",
        );
    }
    if [".X11-unix", ".ICE-unix", ".XIM-unix", ".font-unix"]
        .iter()
        .any(|name| real.is_within(&base::fixed("/tmp").child(name)))
    {
        return Some("it holds sockets of the X server; see [display]");
    }
    if real.as_str() == "/etc"
        || real.as_str() == "/tmp"
        || real.as_str() == "/var/tmp"
        || real.as_str() == "/var"
    {
        return Some("it is too broad; name what is needed in it");
    }
    None
}

fn one(r: &mut Resolution<'_>, grant: &Grant, closed: &[Closed]) {
    if let Some(shut) = shutting(r, grant, closed, &grant.path) {
        refused(r, grant, shut);
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
    if let Some(reason) = refusal(r, &found.real) {
        let error = Diagnostic::error(
            Code::PathRefused,
            format!("{} cannot be granted: {reason}", grant.path),
        )
        .at(&grant.origin);
        r.errors.push(error);
        return;
    }
    if let Some(shut) = shutting(r, grant, closed, &found.real) {
        refused(r, grant, shut);
        return;
    }
    if of_the_system(r, grant, &found.real) {
        return;
    }
    // Links outside the home are made anew, so that both names work; in the
    // home, where the application could change them, what they lead to takes
    // the link's place.
    let mut dest = grant.path.clone();
    if !grant.path.is_within(&r.home) {
        for (place, text) in &found.links {
            r.tree.put(Action::Link { dest: place.clone(), target: text.clone() }, &grant.origin);
        }
        dest = found.real.clone();
    }
    place(r, grant, closed, dest, found.real, found.node, 0);
}

/// The closed path that keeps a grant from a place.
fn shutting<'c>(
    r: &Resolution<'_>,
    grant: &Grant,
    closed: &'c [Closed],
    place: &AbsPath,
) -> Option<&'c Closed> {
    closed.iter().find(|shut| {
        // A home in a place that is protected in another home is a home.
        let own = grant.path == r.home && matches!(shut.why, Why::Protected(_));
        shut.holds(place) && !shut.opens_to(grant.origin.layer) && !own
    })
}

/// Refuses to let an application write among the system's programs.
fn of_the_system(r: &mut Resolution<'_>, grant: &Grant, real: &AbsPath) -> bool {
    let refused = grant.right != Right::Read && real.is_within(&base::fixed("/usr"));
    if refused {
        let error =
            Diagnostic::error(Code::PathRefused, format!("{} cannot be written to", grant.path))
                .at(&grant.origin)
                .because("the system's programs are shown read-only to every application");
        r.errors.push(error);
    }
    refused
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
        Why::Denied(origin) => {
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
    if refusal(r, &folder).is_some() {
        absent(r, grant, &NotFound::Unreadable);
        return;
    }
    if let Some(shut) = shutting(r, grant, closed, &folder) {
        refused(r, grant, shut);
        return;
    }
    if of_the_system(r, grant, &folder) {
        return;
    }
    r.host.push(HostStep {
        folder: folder.clone(),
        base: found.real,
        mode: 0o755,
        origin: grant.origin.clone(),
    });
    let dest = if grant.path.is_within(&r.home) { grant.path.clone() } else { folder.clone() };
    if closed.iter().any(|shut| shut.is_beneath(&dest) || shut.is_beneath(&folder)) {
        // As an existing one would be: taken apart, and nothing is in it yet.
        taken_apart(r, grant, &dest);
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

/// How deep a folder is taken apart at most; closed paths lie no deeper.
const DEEPEST: usize = 32;

fn place(
    r: &mut Resolution<'_>,
    grant: &Grant,
    closed: &[Closed],
    dest: AbsPath,
    real: AbsPath,
    node: Node,
    depth: usize,
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
    let takes_apart =
        inner.iter().any(|shut| !shut.exists || matches!(shut.why, Why::Protected(_)));
    if !takes_apart {
        let covers: Vec<Action> = inner
            .iter()
            .filter_map(|shut| {
                // One that is behind a link is covered where it is.
                let place = match &shut.real {
                    Some(path) => path.relative_to(&real),
                    None => shut.path.relative_to(&dest).or_else(|| shut.path.relative_to(&real)),
                }?;
                let dest = dest.join(place).ok()?;
                Some(match (shut.folder, shut.opened) {
                    (true, true) => Action::Tmpfs { dest, mode: 0o755, size: 0 },
                    (true, false) => Action::Close { dest, kind: Kind::Folder },
                    (false, _) => Action::Close { dest, kind: Kind::File },
                })
            })
            .collect();
        show(r, grant, dest, real, kind);
        for cover in covers {
            let origin = inner
                .iter()
                .find(|shut| shut.is_at(cover.dest()))
                .and_then(|shut| match &shut.why {
                    Why::Denied(origin) => Some(origin.clone()),
                    Why::Protected(_) => None,
                })
                .unwrap_or_else(|| grant.origin.clone());
            r.tree.put(cover, &origin);
        }
        return;
    }
    if depth >= DEEPEST {
        return;
    }
    if depth == 0 {
        taken_apart(r, grant, &dest);
    } else {
        r.tree.folder(&dest, 0o755, &grant.origin);
    }
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
                    place(r, grant, closed, entry, source, node, depth + 1);
                }
            }
            NodeKind::Link => {
                let Ok(found) = r.links.find(&source) else { continue };
                let shut = closed.iter().any(|shut| shut.holds(&found.real));
                if shut || refusal(r, &found.real).is_some() || r.home.is_within(&found.real) {
                    continue;
                }
                if matches!(found.node.kind, NodeKind::Folder | NodeKind::File) {
                    place(r, grant, closed, entry, found.real, found.node, depth + 1);
                }
            }
            NodeKind::Socket | NodeKind::Device | NodeKind::Other => {}
        }
    }
}

/// States the folder that stands in the place of one that is taken apart.
fn taken_apart(r: &mut Resolution<'_>, grant: &Grant, dest: &AbsPath) {
    r.note(
        Weight::Info,
        format!(
            "{dest} is shown as its present entries without protected and denied ones; new names at that level stay in the application's own home"
        ),
        Some(&grant.origin),
        None,
    );
    if *dest != r.home {
        r.tree.folder(dest, 0o755, &grant.origin);
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
