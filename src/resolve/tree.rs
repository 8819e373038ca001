//! The file tree under construction: what stands where inside, each thing
//! with the statement that put it there.
//!
//! A path inside is stated at most once. The finished list is in the order in
//! which things have to be made (a folder before what is in it), with the
//! folders in between added.

use std::collections::BTreeMap;

use crate::model::origin::Origin;
use crate::model::path::AbsPath;
use crate::model::plan::{Access, Action, Kind, LandlockObject, LandlockRule, Slot, Step};

/// The tree under construction.
#[derive(Debug, Default)]
pub struct Tree {
    steps: BTreeMap<AbsPath, Step>,
    read_only: Vec<Step>,
    /// The place inside whose content outlives the run and which the
    /// application may have filled: what is missing there is made.
    home: Option<AbsPath>,
}

impl Tree {
    /// Puts something in its place. What stood there before gives way, but a
    /// bind that can write is not replaced by one of the same source that
    /// cannot.
    pub fn put(&mut self, action: Action, origin: &Origin) {
        let dest = action.dest().clone();
        if let (
            Some(Step {
                action: Action::Bind { source: old, write: true, exec: old_exec, .. },
                ..
            }),
            Action::Bind { source: new, write: false, exec, .. },
        ) = (self.steps.get_mut(&dest), &action)
            && old == new
        {
            *old_exec |= exec;
            return;
        }
        self.steps.insert(dest, Step { action, origin: origin.clone() });
    }

    /// States a folder unless something stands there.
    pub fn folder(&mut self, dest: &AbsPath, mode: u32, origin: &Origin) {
        self.steps.entry(dest.clone()).or_insert_with(|| Step {
            action: Action::Folder { dest: dest.clone(), mode },
            origin: origin.clone(),
        });
    }

    /// Makes what stands at `dest` read-only after all else is in place.
    pub fn read_only(&mut self, dest: AbsPath, origin: &Origin) {
        self.read_only.push(Step { action: Action::ReadOnly { dest }, origin: origin.clone() });
    }

    /// Takes out, or covers, what statements of a layer or of lower ones show of
    /// a denied thing of the host, for which `real` is the place that it has.
    /// What `own` names is the application's, wherever it lies.
    pub fn deny(
        &mut self,
        real: &AbsPath,
        kind: Kind,
        pierced: bool,
        origin: &Origin,
        own: impl Fn(&AbsPath) -> bool,
    ) {
        let mut covers = Vec::new();
        self.steps.retain(|dest, step| {
            let (Action::Bind { source, .. } | Action::Fill { slot: Slot::Copy { source }, .. }) =
                &step.action
            else {
                return true;
            };
            if step.origin.layer > origin.layer || own(source) {
                return true;
            }
            if let Some(Ok(place)) =
                real.relative_to(source).filter(|rest| !rest.is_empty()).map(|rest| dest.join(rest))
            {
                covers.push(place);
            }
            !source.is_within(real)
        });
        for dest in covers {
            if self.steps.contains_key(&dest) {
                continue;
            }
            let action = if pierced && kind == Kind::Folder {
                // An empty folder in which what is opened again can stand. It is
                // not made read-only, since that would hold for what stands in
                // it too.
                Action::Tmpfs { dest, mode: 0o755, size: 0 }
            } else {
                Action::Close { dest, kind }
            };
            self.put(action, origin);
        }
    }

    /// Names the place of the application's own home.
    pub fn set_home(&mut self, home: AbsPath) {
        self.home = Some(home);
    }

    /// The nearest statement at or above a place.
    pub fn above(&self, dest: &AbsPath) -> Option<&Step> {
        let mut at = Some(dest.clone());
        while let Some(path) = at {
            if let Some(step) = self.steps.get(&path) {
                return Some(step);
            }
            at = path.parent();
        }
        None
    }

    /// Whether a place inside shows exactly the host's `source`, with at
    /// least these rights, by a statement that is there already.
    pub fn shows(&self, dest: &AbsPath, source: &AbsPath, write: bool, exec: bool) -> bool {
        match self.above(dest).map(|step| &step.action) {
            Some(Action::Bind { source: root, dest: at, write: w, exec: e, .. }) => {
                let same = match dest.relative_to(at) {
                    Some("") => root == source,
                    Some(rest) => source.relative_to(root) == Some(rest),
                    None => false,
                };
                same && *w == write && (*e || !exec)
            }
            _ => false,
        }
    }

    /// Whether a path names something that exists inside: a statement, a
    /// folder on the way to one, or a thing beneath a bind (which then exists
    /// inside if it exists on the host).
    pub fn is_visible(&self, path: &AbsPath) -> bool {
        if matches!(self.above(path), Some(Step { action: Action::Close { .. }, .. })) {
            return false;
        }
        if self.steps.range(path.clone()..).next().is_some_and(|(dest, _)| dest.is_within(path)) {
            return true;
        }
        if self.steps.keys().any(|dest| dest.is_beneath(path)) {
            return true;
        }
        match self.above(path).map(|step| &step.action) {
            Some(Action::Bind { source, dest, .. }) => {
                // The same path on both sides, so the host's answer holds.
                source == dest && self.home.as_ref() != Some(dest)
            }
            _ => false,
        }
    }

    /// The place in the tree where a missing folder would be made: in memory
    /// or in the application's home, but never in a folder of the host.
    fn can_make(&self, dest: &AbsPath) -> bool {
        match dest.parent().and_then(|parent| self.above(&parent).cloned()) {
            None => true,
            Some(step) => match step.action {
                Action::Bind { dest: at, .. } => self.home.as_ref() == Some(&at),
                Action::Close { .. }
                | Action::Proc { .. }
                | Action::DevPts { .. }
                | Action::Text { .. }
                | Action::Fill { .. }
                | Action::Link { .. }
                | Action::Listen { .. }
                | Action::ReadOnly { .. } => false,
                Action::Tmpfs { .. } | Action::Folder { .. } => true,
            },
        }
    }

    /// The host's path of a place: where it lies in the folder that is shown
    /// around it.
    fn outside(&self, dest: &AbsPath) -> AbsPath {
        let around = dest.parent().and_then(|parent| self.above(&parent));
        match around.map(|step| &step.action) {
            Some(Action::Bind { source, dest: at, .. }) => {
                let rest = dest.relative_to(at).unwrap_or_default();
                source.join(rest).unwrap_or_else(|_| dest.clone())
            }
            _ => dest.clone(),
        }
    }

    /// Keeps the application from moving what a denial or a narrower right
    /// hangs on. A place that something is mounted on cannot be renamed, but
    /// the folders above it can: the next run would find nothing to cover
    /// under the old name, and show all of it under the new one. So those
    /// folders, up to the bind that can be written to, become mounts too.
    fn hold_in_place(&mut self) {
        let mut held = Vec::new();
        for (dest, step) in &self.steps {
            let narrower = match &step.action {
                Action::Close { .. } => None,
                Action::Bind { source, write: false, .. } => Some(source),
                _ => continue,
            };
            let Some(mut folder) = dest.parent() else { continue };
            let Some(above) = self.above(&folder) else { continue };
            let Action::Bind { source, dest: at, kind: Kind::Folder, write: true, exec, device } =
                &above.action
            else {
                continue;
            };
            let is_same = |path: &AbsPath, place: &AbsPath| {
                place.relative_to(at).is_some_and(|rest| path.relative_to(source) == Some(rest))
            };
            if narrower.is_some_and(|path| !is_same(path, dest)) {
                continue;
            }
            while folder.is_beneath(at) {
                let Some(Ok(source)) = folder.relative_to(at).map(|rest| source.join(rest)) else {
                    break;
                };
                let action = Action::Bind {
                    source,
                    dest: folder.clone(),
                    kind: Kind::Folder,
                    write: true,
                    exec: *exec,
                    device: *device,
                };
                held.push(Step { action, origin: step.origin.clone() });
                let Some(above) = folder.parent() else { break };
                folder = above;
            }
        }
        for step in held {
            self.steps.entry(step.action.dest().clone()).or_insert(step);
        }
    }

    /// Leaves covers of what a cover hides already out: an empty folder has no
    /// place for them.
    fn cover_once(&mut self) {
        let is_cover = |step: &Step| matches!(step.action, Action::Close { .. });
        let hidden: Vec<AbsPath> = self
            .steps
            .iter()
            .filter(|(dest, step)| {
                let around = dest.parent().and_then(|parent| self.above(&parent));
                is_cover(step) && around.is_some_and(is_cover)
            })
            .map(|(dest, _)| dest.clone())
            .collect();
        for dest in hidden {
            self.steps.remove(&dest);
        }
    }

    /// The finished steps. What cannot be placed, since a folder of the host
    /// would have to be changed for it, is given back with the rest.
    pub fn finish(mut self, exists: impl Fn(&AbsPath) -> bool) -> (Vec<Step>, Vec<Step>) {
        self.hold_in_place();
        self.cover_once();
        let mut unplaced = Vec::new();
        let dests: Vec<AbsPath> = self.steps.keys().cloned().collect();
        for dest in dests {
            if !self.can_make(&dest) && !exists(&self.outside(&dest)) {
                unplaced.extend(self.steps.remove(&dest));
                continue;
            }
            let origin = self.steps[&dest].origin.clone();
            let mut missing = Vec::new();
            let mut at = dest.parent();
            while let Some(path) = at {
                if self.steps.contains_key(&path) {
                    break;
                }
                at = path.parent();
                missing.push(path);
            }
            for path in missing.into_iter().rev() {
                if path.as_str() != "/" && self.can_make(&path) {
                    self.folder(&path, 0o755, &origin);
                }
            }
        }
        let mut steps: Vec<Step> = self.steps.into_values().collect();
        steps.sort_by(|a, b| a.action.dest().elements().cmp(b.action.dest().elements()));
        steps.extend(self.read_only);
        (steps, unplaced)
    }
}

/// The landlock rules for a finished tree, one for each object that a rule
/// above it does not cover already.
pub fn landlock_rules(steps: &[Step]) -> Vec<LandlockRule> {
    let mut rules = vec![LandlockRule {
        object: LandlockObject::Inside(AbsPath::root()),
        kind: Kind::Folder,
        access: Access::List,
    }];
    let mut places: BTreeMap<AbsPath, Access> = BTreeMap::new();
    for step in steps {
        let (object, kind, access) = match &step.action {
            Action::Tmpfs { dest, .. } => {
                (LandlockObject::Inside(dest.clone()), Kind::Folder, Access::WriteExec)
            }
            Action::Folder { dest, .. } => {
                let access = match dest.as_str() {
                    "/dev" => Access::Use,
                    "/etc" => Access::Read,
                    _ => continue,
                };
                (LandlockObject::Inside(dest.clone()), Kind::Folder, access)
            }
            Action::Text { dest, .. } | Action::Fill { dest, .. } => {
                (LandlockObject::Inside(dest.clone()), Kind::File, Access::Read)
            }
            Action::Bind { source, kind, write, exec, device, .. } => {
                let access = bind_access(*write, *exec, *device);
                (LandlockObject::Host(source.clone()), *kind, access)
            }
            Action::Proc { dest } | Action::DevPts { dest } => {
                (LandlockObject::Inside(dest.clone()), Kind::Folder, Access::Use)
            }
            Action::Listen { dest, .. } => {
                (LandlockObject::Inside(dest.clone()), Kind::File, Access::Use)
            }
            Action::Link { .. } | Action::Close { .. } | Action::ReadOnly { .. } => continue,
        };
        let dest = step.action.dest();
        let mut above = std::iter::successors(Some(dest.clone()), AbsPath::parent);
        if above.any(|place| places.get(&place).is_some_and(|given| given.covers(access))) {
            continue;
        }
        places.insert(dest.clone(), access);
        rules.push(LandlockRule { object, kind, access });
    }
    rules
}

/// What a bind with these rights lets through.
pub fn bind_access(write: bool, exec: bool, device: bool) -> Access {
    match (device, write, exec) {
        (true, ..) => Access::Use,
        (_, true, true) => Access::WriteExec,
        (_, true, false) => Access::Write,
        (_, false, true) => Access::ReadExec,
        (_, false, false) => Access::Read,
    }
}

impl Access {
    /// Whether this lets through all that `other` does.
    pub fn covers(self, other: Access) -> bool {
        use Access::{List, Read, ReadExec, Use, Write, WriteExec};
        match self {
            List => other == List,
            Read => matches!(other, List | Read),
            ReadExec => matches!(other, List | Read | ReadExec),
            Use => matches!(other, List | Read | Use),
            Write => matches!(other, List | Read | Write | Use),
            WriteExec => true,
        }
    }
}
