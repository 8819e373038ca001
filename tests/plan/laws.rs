//! What holds for every plan, whatever is granted and whatever the tree.
//!
//! Trees and grants are drawn from small pools of names, so that they meet:
//! grants of links, of folders above and beneath closed paths, of what does
//! not exist. Where a path really lies is told by a walk of its own over the
//! tree (`real`), not by the resolver's. Who draws is another file's business:
//! `chance` here, and the fuzzer.

use std::collections::{BTreeSet, VecDeque};
use std::fs;

use pinfold::model::origin::Layer;
use pinfold::model::path::AbsPath;
use pinfold::model::plan::{Access, Action, Kind, LandlockObject, Plan, Tier};
use pinfold::report::Diagnostic;
use pinfold::resolve::{Request, protected};

use super::seen::{is_own, step};
use super::tree::{Host, nothing_more, path};

/// Folders and files of the home and beside it, each present or not.
pub const ENTRIES: &[&str] = &[
    "/home/ada/a/b/c/",
    "/home/ada/a/file",
    "/home/ada/d/e/",
    "/home/ada/.ssh/id",
    "/home/ada/.config/app/rc",
    "/home/ada/.config/git/config",
    "/home/ada/.config/autostart/",
    "/home/ada/.config/fontconfig/",
    "/home/ada/.local/share/app/",
    "/home/ada/.local/share/fonts/",
    "/home/ada/.local/share/keyrings/k",
    "/home/ada/Documents/private/x",
    "/home/ada/.bashrc",
    "/srv/data/x/y",
    "/srv/cfg/app/",
    "/srv/cfg/git/",
];

/// Names that can be links, and what they can hold. Those of a closed path
/// come first, so that a folder of this name gives way.
pub const LINKS: &[&str] = &[
    "/home/ada/.config",
    "/home/ada/.ssh",
    "/home/ada/.local/share",
    "/home/ada/l1",
    "/home/ada/l2",
    "/home/ada/a/l3",
    "/home/ada/.config/l4",
    "/srv/l5",
    "/srv/cfg/autostart",
];
pub const TARGETS: &[&str] = &[
    ".",
    "..",
    "a",
    "a/b",
    "d",
    "l1",
    "l2",
    "../a",
    ".ssh",
    "/home/ada/.ssh",
    "/home/ada/.config",
    "/home/ada/.local",
    "/home/ada/Documents",
    "/srv/data",
    "/srv/cfg",
    "/srv",
    "/nowhere",
];

/// What grants and denials name.
pub const NAMES: &[&str] = &[
    "~",
    "~/a",
    "~/a/b",
    "~/a/b/c",
    "~/a/*",
    "~/*",
    "~/a/file",
    "~/a/new",
    "~/a/l3",
    "~/d",
    "~/d/e",
    "~/new",
    "~/new/deep",
    "~/.ssh",
    "~/.ssh/id",
    "~/.config",
    "~/.config/app",
    "~/.config/autostart",
    "~/.config/git",
    "~/.config/new",
    "~/.config/l4",
    "~/.local",
    "~/.local/share",
    "~/.local/share/keyrings",
    "~/.local/share/fonts",
    "~/.bashrc",
    "~/Documents",
    "~/Documents/private",
    "~/l1",
    "~/l1/x",
    "~/l1/.ssh",
    "~/l2",
    "~/l2/app",
    "/srv",
    "/srv/data",
    "/srv/data/x",
    "/srv/cfg",
    "/srv/cfg/autostart",
    "/srv/cfg/git",
    "/srv/l5",
    "/srv/new",
];

/// A statement of one layer.
#[derive(Debug, Clone)]
pub struct Stated {
    pub layer: Layer,
    pub key: &'static str,
    pub name: &'static str,
}

/// What stands in the place of a folder or file of the tree: the target of a
/// link, or nothing.
pub type Entry = (&'static str, Option<&'static str>);

impl Stated {
    pub fn text(&self) -> String {
        format!("[filesystem]\n{} = [{:?}]", self.key, self.name)
    }

    /// Whether it opens something in a closed path, by name or in truth.
    fn names(&self, host: &Host, closed: &AbsPath) -> bool {
        let stem = self.name.split("/*").next().unwrap();
        let named = path(&stem.replace('~', "/home/ada"));
        let real_closed = real(host, closed);
        self.key != "deny"
            && (named.is_within(closed)
                || named.is_within(&real_closed)
                || real(host, &named).is_within(&real_closed))
    }
}

pub fn grow(entries: &[Entry]) -> Host {
    let host = Host::small();
    // Something of the system's that can be read but not executed.
    host.tree.folder("/var/cache/fontconfig");
    for (place, target) in entries {
        // What would lie behind a link or beneath a file gives way.
        let above = path(place.trim_end_matches('/'));
        let mut above = above.parent();
        let mut free = fs::symlink_metadata(host.tree.at(place.trim_end_matches('/'))).is_err();
        while let Some(folder) = above {
            let about = fs::symlink_metadata(host.tree.at(folder.as_str()));
            free &= about.is_err() || about.is_ok_and(|about| about.is_dir());
            above = folder.parent();
        }
        match (free, target, place.strip_suffix('/')) {
            (false, ..) => {}
            (true, Some(target), _) => host.tree.link(place, target),
            (true, None, Some(folder)) => host.tree.folder(folder),
            (true, None, None) => host.tree.file(place, ""),
        }
    }
    host.tree.own("/home/ada");
    host
}

/// Where a path lies in the end, or would lie if it were made.
pub fn real(host: &Host, at: &AbsPath) -> AbsPath {
    let mut left: VecDeque<String> = at.elements().map(str::to_owned).collect();
    let mut here = AbsPath::root();
    let mut links = 0;
    while let Some(element) = left.pop_front() {
        let next = match element.as_str() {
            "." => continue,
            ".." => here.parent().unwrap_or_else(AbsPath::root),
            name => here.child(name),
        };
        match fs::read_link(host.tree.at(next.as_str())) {
            // Links that lead round lead nowhere.
            Ok(_) if links > 40 => return at.clone(),
            Ok(target) => {
                links += 1;
                let target = target.to_str().unwrap();
                if target.starts_with('/') {
                    here = AbsPath::root();
                }
                for part in target.split('/').rev().filter(|part| !part.is_empty()) {
                    left.push_front(part.to_owned());
                }
            }
            Err(_) => here = next,
        }
    }
    here
}

/// What the resolver makes of statements on top of a manifest.
pub fn ask(
    host: &Host,
    stated: &[Stated],
    base: &str,
    request: &Request,
) -> Result<Plan, Vec<Diagnostic>> {
    let mut stated = stated.to_vec();
    stated.sort_by_key(|one| one.layer);
    let texts: Vec<(Layer, String)> = stated.iter().map(|one| (one.layer, one.text())).collect();
    let mut layers = vec![(Layer::Vendor, base)];
    layers.extend(texts.iter().map(|(layer, text)| (*layer, text.as_str())));
    host.ask(&layers, request)
}

/// What there is in the home and beside it.
pub fn things(host: &Host) -> Vec<AbsPath> {
    let mut found = vec![path("/home/ada"), path("/srv")];
    let mut at = 0;
    while let Some(folder) = found.get(at).cloned() {
        at += 1;
        let place = host.tree.at(folder.as_str());
        if !fs::symlink_metadata(&place).is_ok_and(|about| about.is_dir()) {
            continue;
        }
        for entry in fs::read_dir(place).unwrap().map(Result::unwrap) {
            // What a link holds is open to everybody.
            if !entry.file_type().unwrap().is_symlink() {
                found.push(folder.child(entry.file_name().to_str().unwrap()));
            }
        }
    }
    found
}

/// The plan of statements on top of a manifest; those that are refused even
/// alone are left out.
pub fn plan_of(host: &Host, stated: &mut Vec<Stated>, base: &str) -> Plan {
    let ask = |stated: &[Stated]| ask(host, stated, base, &nothing_more());
    ask(stated).unwrap_or_else(|_| {
        stated.retain(|one| ask(std::slice::from_ref(one)).is_ok());
        ask(stated).unwrap_or_else(|errors| panic!("{errors:#?}"))
    })
}

/// The binds of a plan that show the host: not those of the application's
/// own folders.
fn shown(plan: &Plan) -> impl Iterator<Item = (&AbsPath, &AbsPath, Kind, bool)> {
    plan.tree.iter().filter_map(|step| match &step.action {
        Action::Bind { source, dest, kind, write, .. } if !is_own(plan, source) => {
            Some((source, dest, *kind, *write))
        }
        _ => None,
    })
}

/// Places in which a thing of the host can be seen, or would be seen once it
/// existed.
fn visible(plan: &Plan, thing: &AbsPath) -> Vec<AbsPath> {
    let mut places = Vec::new();
    for (source, dest, kind, _) in shown(plan) {
        if source.is_within(thing) {
            places.push(dest.clone());
        } else if kind == Kind::Folder && thing.is_within(source) {
            let place = dest.join(thing.relative_to(source).unwrap()).unwrap();
            if step(plan, &place).is_some_and(|step| step.action.dest() == dest) {
                places.push(place);
            }
        }
    }
    places
}

/// A host, what is stated about it, and what comes of that.
pub struct Case {
    host: Host,
    stated: Vec<Stated>,
    plan: Plan,
    base: String,
}

impl Case {
    /// A host with these entries, and statements on top of a vendor's
    /// manifest.
    pub fn new(entries: &[Entry], mut stated: Vec<Stated>, base: &str) -> Case {
        let host = grow(entries);
        let plan = plan_of(&host, &mut stated, base);
        Case { host, stated, plan, base: base.to_owned() }
    }
}

/// The same policy on the same host is the same plan, and a plan is its
/// JSON.
pub fn a_plan_is_determined_and_survives_json(case: &Case) {
    let Case { host, stated, plan, base } = case;
    assert_eq!(&plan_of(host, &mut stated.clone(), base), plan);
    let text = serde_json::to_string(plan).unwrap();
    let again: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(again, *plan);
}

/// The executor makes one step after the other: whatever holds a place is
/// made before it, no place is made twice, and a source is opened without
/// following any link.
pub fn steps_can_be_carried_out_in_their_order(case: &Case) {
    let Case { host, plan, .. } = case;
    let mut made = BTreeSet::new();
    for step in &plan.tree {
        let dest = step.action.dest();
        if matches!(step.action, Action::ReadOnly { .. }) {
            // It takes writing and executing from all that lies beneath.
            for (source, at, ..) in shown(plan) {
                assert!(!at.is_within(dest), "{} would be read-only", source);
            }
            continue;
        }
        assert!(made.insert(dest.clone()), "{} twice", dest);
        let parent = dest.parent().unwrap();
        if made.contains(&parent) || parent == AbsPath::root() {
            let holder = super::seen::step(plan, &parent).map(|step| &step.action);
            let holds = matches!(
                holder,
                None | Some(
                    Action::Tmpfs { .. }
                        | Action::Folder { .. }
                        | Action::Proc { .. }
                        | Action::Bind { kind: Kind::Folder, .. }
                )
            );
            assert!(holds, "{} in {:?}", dest, holder);
        } else {
            // Then it lies deep in a folder of the host, and is there.
            let holder = super::seen::step(plan, &parent).map(|step| &step.action);
            let Some(Action::Bind { source, dest: at, kind: Kind::Folder, .. }) = holder else {
                panic!("{dest} has no parent: {holder:?}");
            };
            assert!(!is_own(plan, source), "{} has no parent", dest);
            let there = source.join(dest.relative_to(at).unwrap()).unwrap();
            let about = fs::symlink_metadata(host.tree.at(there.as_str()));
            assert!(about.is_ok(), "{} is to be made in the host's {}", dest, source);
        }
    }
    for step in &plan.tree {
        if let Action::Bind { source, kind, .. } = &step.action {
            // Where a link leads nowhere on the way to the applications'
            // own homes, the making of the folder says so.
            if is_own(plan, source) {
                continue;
            }
            assert_eq!(&real(host, source), source);
            let about = fs::symlink_metadata(host.tree.at(source.as_str()));
            match about {
                Ok(about) => assert_eq!(about.is_dir(), *kind == Kind::Folder),
                Err(_) => assert!(
                    plan.host.iter().any(|made| made.folder == *source),
                    "{} is not there",
                    source
                ),
            }
        }
    }
    for made in &plan.host {
        assert!(made.folder.is_within(&made.base));
        assert_eq!(&real(host, &made.base), &made.base);
        if made.mode == 0o755 {
            assert_eq!(&real(host, &made.folder), &made.folder);
        }
    }
}

/// No protected path can be changed or come into being, unless a layer
/// that may do so names it; and a folder above one is never shown to be
/// written to, whoever asks.
pub fn protected_paths_cannot_be_changed(case: &Case) {
    let Case { host, stated, plan, .. } = case;
    let writes: Vec<&AbsPath> =
        shown(plan).filter(|(.., write)| *write).map(|(source, ..)| source).collect();
    let facts = host.facts();
    for (shut, _) in protected::paths(&facts) {
        let place = real(host, &shut);
        let opened =
            || stated.iter().any(|one| one.layer >= Layer::Admin && one.names(host, &shut));
        for source in &writes {
            assert!(!place.is_beneath(source), "{} is above {}", source, shut);
            if source.is_within(&place) {
                assert!(opened(), "{} is {}", source, shut);
            }
        }
    }
}

/// What a layer denies is seen nowhere, under no name, by grants of its
/// own or of lower layers; nor when it is made while the application runs.
pub fn what_is_denied_is_not_seen(case: &Case) {
    let Case { host, stated, plan, .. } = case;
    for one in stated.iter().filter(|one| one.key == "deny" && !one.name.contains('*')) {
        let named = path(&one.name.replace('~', "/home/ada"));
        let opened = |other: &Stated| other.layer > one.layer && other.names(host, &named);
        if stated.iter().any(opened) {
            continue;
        }
        let places = visible(plan, &real(host, &named));
        assert!(places.is_empty(), "{} is seen at {:?}", named, places);
    }
}

/// Without namespaces nothing is open that would not be shown with them:
/// where landlock's rules alone reach a thing of the host, or let it be
/// written to or executed, some place of the ordinary plan does so too. A
/// policy for which that cannot be is refused.
pub fn without_namespaces_no_more_is_open(case: &Case) {
    let Case { host, stated, plan: ordinary, base } = case;
    let request = Request { tier: Tier::Landlock, ..nothing_more() };
    let Ok(alone) = ask(host, stated, base, &request) else { return };
    let rights = |access: Access| match access {
        Access::List | Access::Read => (false, false),
        Access::ReadExec => (false, true),
        Access::Use | Access::Write => (true, false),
        Access::WriteExec => (true, true),
    };
    let mut things = things(host);
    things.extend(
        NAMES
            .iter()
            .map(|name| real(host, &path(&name.replace("/*", "").replace('~', "/home/ada")))),
    );
    for thing in things {
        let places = visible(ordinary, &thing);
        let may = |right: fn(&Action) -> bool| {
            places.iter().any(|place| step(ordinary, place).is_some_and(|s| right(&s.action)))
        };
        for rule in &alone.landlock.rules {
            let LandlockObject::Host(object) = &rule.object else { continue };
            if !thing.is_within(object) || is_own(&alone, object) {
                continue;
            }
            let (write, exec) = rights(rule.access);
            assert!(!places.is_empty(), "{} is open by {}", thing, object);
            let writes = may(|action| matches!(action, Action::Bind { write: true, .. }));
            assert!(!write || writes, "{} can be changed by {}", thing, object);
            let executes = may(|action| matches!(action, Action::Bind { exec: true, .. }));
            assert!(!exec || executes, "{} can be executed by {}", thing, object);
        }
    }
}

/// Landlock lets through writing only where a step lets it through too:
/// in the application's own folders, in what only the sandbox has, and in
/// what is shown to be written to. So no such rule hangs on, or above,
/// what the sandbox shows of the system read-only, but for places in its
/// own home and in file systems in memory, where the mount alone holds.
/// (The same is true of a read grant inside a write grant: both are the
/// person's, and the mount holds it.)
pub fn landlock_gives_no_more_than_the_steps(case: &Case) {
    let Case { plan, .. } = case;
    let writes = |access: Access| matches!(access, Access::Write | Access::WriteExec | Access::Use);
    for rule in plan.landlock.rules.iter().filter(|rule| writes(rule.access)) {
        let places: Vec<&AbsPath> = match &rule.object {
            LandlockObject::Inside(place) => {
                let memory = plan.tree.iter().any(|step| {
                    step.action.dest() == place
                        && (matches!(
                            step.action,
                            Action::Tmpfs { .. } | Action::Proc { .. } | Action::DevPts { .. }
                        ) || place.as_str() == "/dev")
                });
                assert!(memory, "{} can be written to", place);
                continue;
            }
            LandlockObject::OwnProcess(name) => panic!("a rule for {name} without need"),
            LandlockObject::Host(object) => plan
                .tree
                .iter()
                .filter_map(|step| match &step.action {
                    Action::Bind { source, dest, write: true, .. } if source == object => {
                        Some(dest)
                    }
                    _ => None,
                })
                .collect(),
        };
        assert!(!places.is_empty(), "{:?} is written to nowhere", rule.object);
        for step in &plan.tree {
            let Action::Bind { source, dest, write: false, .. } = &step.action else { continue };
            if step.origin.layer == Layer::Builtin && !dest.as_str().starts_with("/home/ada/") {
                assert!(!places.iter().any(|place| dest.is_within(place)), "{}", source);
            }
        }
    }
    // Later runs follow no link where this one may write.
    for (source, dest, kind, write) in shown(plan) {
        if write && kind == Kind::Folder && !dest.as_str().starts_with("/dev") {
            let is_known = plan.writable.iter().any(|place| source.is_within(place));
            assert!(is_known, "{} is not remembered", source);
        }
    }
}
