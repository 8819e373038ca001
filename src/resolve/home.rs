//! Whose home the application finds.

use crate::host::NodeKind;
use crate::model::facts::HostFacts;
use crate::model::origin::Origin;
use crate::model::path::AbsPath;
use crate::model::permission::HomeKind;
use crate::model::plan::{Action, HostStep, Kind};

use super::Resolution;

/// What of the real home shapes how text and icons look: shown read-only
/// where it exists, whatever the home.
const LOOKS: [(&str, &str); 9] = [
    (".local/share/fonts", "fonts"),
    (".local/share/icons", "icons and cursors"),
    (".local/share/themes", "themes"),
    (".fonts", "fonts"),
    (".icons", "icons and cursors"),
    (".themes", "themes"),
    (".config/fontconfig", "how fonts look"),
    (".config/user-dirs.dirs", "names of the well-known folders"),
    (".config/user-dirs.locale", "names of the well-known folders"),
];

/// What programs expect to find in a home that has been used before: some
/// make their own folder in these, but not these themselves.
const EXPECTED: [&str; 4] = [".cache", ".config", ".local/share", ".local/state"];

/// The host folder that holds the applications' own homes.
pub fn apps_folder(facts: &HostFacts) -> AbsPath {
    facts.data_home.child("pinfold").child("apps")
}

/// States the home.
pub fn resolve(r: &mut Resolution<'_>) {
    let (kind, origin) = r
        .settings()
        .home
        .kind
        .as_ref()
        .map_or((HomeKind::Private, Origin::builtin("a home of its own")), |kind| {
            (kind.value, kind.origin.clone())
        });
    let home = r.home.clone();
    // Links above the home, as /home -> /var/home, are made anew.
    if let Ok(found) = r.links.find(&r.facts.home) {
        for (place, target) in found.links {
            r.tree.put(Action::Link { dest: place, target }, &origin);
        }
    }
    match kind {
        HomeKind::Private | HomeKind::Shared | HomeKind::Overlay => {
            let own = own_folder(r, "", &origin);
            r.tree.put(bind(own, home.clone()), &origin);
        }
        HomeKind::Ephemeral => {
            r.tree.put(Action::Tmpfs { dest: home.clone(), mode: 0o700, size: 0 }, &origin);
            let kept: Vec<_> = r.settings().home.persist.items.clone();
            for entry in kept {
                if let Ok(dest) = home.join(&entry.value) {
                    let own = own_folder(r, &entry.value, &entry.origin);
                    r.tree.put(bind(own, dest), &entry.origin);
                }
            }
        }
    }
    if kind != HomeKind::Ephemeral {
        r.tree.set_home(home.clone());
    }
    let expected = Origin::builtin("folders that every home has");
    for rest in EXPECTED {
        if let Ok(folder) = home.join(rest) {
            r.tree.folder(&folder, 0o700, &expected);
        }
    }
    looks(r);
}

fn bind(source: AbsPath, dest: AbsPath) -> Action {
    Action::Bind { source, dest, kind: Kind::Folder, write: true, exec: true, device: false }
}

/// The host folder in which this application's home, or the part of it at
/// `rest`, is kept; made before the run where it is missing.
fn own_folder(r: &mut Resolution<'_>, rest: &str, origin: &Origin) -> AbsPath {
    let apps = apps_folder(r.facts);
    let app = apps.child(r.policy.id.as_str());
    let folder = if rest.is_empty() { app } else { app.join(rest).unwrap_or(app) };
    // What exists of the way may lead through links of the person's own;
    // from the first missing folder on, and inside the application's own,
    // none is followed.
    let mut base = apps;
    let real = loop {
        match r.links.find(&base) {
            Ok(found) => break found.real,
            Err(_) => match base.parent() {
                Some(parent) => base = parent,
                None => break AbsPath::root(),
            },
        }
    };
    let rest = folder.relative_to(&base).unwrap_or_default().to_owned();
    let folder = real.join(&rest).unwrap_or(folder);
    r.host.push(HostStep {
        folder: folder.clone(),
        base: real,
        mode: 0o700,
        origin: origin.clone(),
    });
    folder
}

/// Fonts, icons, themes and the names of folders.
fn looks(r: &mut Resolution<'_>) {
    for (rest, why) in LOOKS {
        let Some(path) = outside(r.facts, rest) else { continue };
        let Ok(dest) = r.home.join(rest) else { continue };
        let Ok(found) = r.links.find(&path) else { continue };
        let kind = match found.node.kind {
            NodeKind::Folder => Kind::Folder,
            NodeKind::File => Kind::File,
            NodeKind::Link | NodeKind::Socket | NodeKind::Device | NodeKind::Other => continue,
        };
        let origin = Origin::builtin(why);
        r.tree.put(
            Action::Bind {
                source: found.real,
                dest,
                kind,
                write: false,
                exec: false,
                device: false,
            },
            &origin,
        );
    }
}

/// Where the caller has a path of the home, the xdg folders moved or not.
/// Inside they are in their usual places.
fn outside(facts: &HostFacts, rest: &str) -> Option<AbsPath> {
    let moved = [(".config/", &facts.config_home), (".local/share/", &facts.data_home)];
    let (folder, rest) = moved
        .into_iter()
        .find_map(|(usual, folder)| Some((folder, rest.strip_prefix(usual)?)))
        .unwrap_or((&facts.home, rest));
    folder.join(rest).ok()
}
