use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use proptest::prelude::*;

use super::*;
use crate::model::origin::List;
use crate::model::path::PathExpr;
use crate::model::permission::{Device, NetworkMode};
use crate::report::render;

struct Tree {
    root: tempfile::TempDir,
    places: Places,
}

impl Tree {
    fn new(files: &[(&str, &str)]) -> Tree {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let places = Places {
            user: at("user"),
            admin: at("admin"),
            vendor: vec![at("local"), at("vendor")],
            uid: fs::metadata(root.path()).unwrap().uid(),
        };
        for (name, text) in files {
            let path = at(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("schema = 1\n{text}")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        Tree { root, places }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn short(&self, file: &str) -> String {
        let root = format!("{}/", self.root.path().display());
        file.replace(&root, "")
    }

    fn of(&self, target: &Target, command_line: Settings) -> (Policy, Vec<Diagnostic>) {
        policy(target, &self.places, command_line).map_err(|errors| shown(&errors)).unwrap()
    }

    fn policy(&self) -> Policy {
        self.of(&app("a.b.C"), Settings::default()).0
    }

    fn files(&self, policy: &Policy) -> Vec<(Layer, String)> {
        policy.files.iter().map(|(layer, file)| (*layer, self.short(file))).collect()
    }

    /// Codes and text of what is wrong.
    fn errors(&self, target: &Target) -> (Vec<Code>, String) {
        let errors = policy(target, &self.places, Settings::default()).unwrap_err();
        let codes = errors.iter().map(|error| error.code.unwrap()).collect();
        (codes, self.short(&shown(&errors)))
    }
}

fn app(id: &str) -> Target {
    Target::App(id.parse().unwrap())
}

fn shown(reports: &[Diagnostic]) -> String {
    reports.iter().map(|report| render::text(report, false)).collect()
}

fn origin(file: &str) -> Origin {
    Origin { layer: Layer::CommandLine, file: Arc::from(file), line: 0, column: 0 }
}

#[test]
fn layers_over_each_other() {
    let tree = Tree::new(&[
        (
            "vendor/a.b.C.toml",
            "id = 'a.b.C'\ncommand = ['c']\nnice = 1\n[network]\nmode = 'host'\nconnect = [80]",
        ),
        ("admin/a.b.C.toml", "nice = 2\n[network]\nmode = 'none'\nconnect = [443]"),
        ("user/a.b.C.toml", "nice = 3\n[network]\nconnect = []"),
    ]);
    let flags = Settings { nice: Some(Sourced::new(4, origin("--nice 4"))), ..Settings::default() };
    let (policy, warnings) = tree.of(&app("a.b.C"), flags);
    assert_eq!(warnings, []);
    assert_eq!(policy.id.as_str(), "a.b.C");
    assert_eq!(
        tree.files(&policy),
        [
            (Layer::Vendor, "vendor/a.b.C.toml".to_owned()),
            (Layer::Admin, "admin/a.b.C.toml".to_owned()),
            (Layer::User, "user/a.b.C.toml".to_owned()),
        ]
    );
    let nice = policy.settings.nice.unwrap();
    assert_eq!(nice.value, 4);
    let shadowed: Vec<_> = nice.shadowed.iter().map(|origin| (origin.layer, origin.line)).collect();
    assert_eq!(shadowed, [(Layer::Vendor, 4), (Layer::Admin, 2), (Layer::User, 2)]);
    assert_eq!(policy.settings.network.mode.unwrap().value, NetworkMode::None);
    let connect = policy.settings.network.connect;
    assert!(connect.items.is_empty());
    assert_eq!(connect.emptied.unwrap().layer, Layer::User);
}

#[test]
fn a_file_of_one_layer_alone() {
    let tree = Tree::new(&[("user/a.b.C.toml", "command = ['c']")]);
    assert_eq!(tree.files(&tree.policy()), [(Layer::User, "user/a.b.C.toml".to_owned())]);
    let tree = Tree::new(&[("user/a.b.C.toml", "nice = 1")]);
    let (codes, text) = tree.errors(&app("a.b.C"));
    assert_eq!(codes, [Code::MissingKey]);
    assert!(text.contains("no shipped manifest beneath"), "{text}");
    assert!(text.contains("--> user/a.b.C.toml:1:1 (layer: user)"), "{text}");
}

#[test]
fn a_named_file_stands_for_the_shipped_one() {
    let tree = Tree::new(&[
        ("x/some.toml", "id = 'a.b.C'\ncommand = ['x']\nextends = ['base/p']"),
        ("vendor/a.b.C.toml", "command = ['vendor']\nnice = 1"),
        ("vendor/base/p.toml", "[audio]\nplayback = true"),
        ("user/a.b.C.toml", "[audio]\nrecord = true"),
        ("x/none.toml", "command = ['x']"),
    ]);
    let target = Target::File(tree.at("x/some.toml"));
    let (policy, _) = tree.of(&target, Settings::default());
    assert_eq!(policy.id.as_str(), "a.b.C");
    assert_eq!(policy.settings.command.unwrap().value, ["x"]);
    assert_eq!(policy.settings.nice, None);
    assert!(policy.settings.audio.record.unwrap().value);
    assert_eq!(policy.settings.audio.playback.unwrap().origin.layer, Layer::Vendor);

    let (codes, text) = tree.errors(&Target::File(tree.at("x/none.toml")));
    assert_eq!(codes, [Code::MissingKey]);
    assert!(text.contains("x/none.toml:1:1"), "{text}");
    let (codes, _) = tree.errors(&Target::File(tree.at("x/absent.toml")));
    assert_eq!(codes, [Code::ManifestUnreadable]);
    fs::set_permissions(tree.at("x/some.toml"), fs::Permissions::from_mode(0o666)).unwrap();
    let (codes, text) = tree.errors(&target);
    assert_eq!(codes, [Code::ManifestUntrusted]);
    assert!(text.contains("chmod o-w x/some.toml"), "{text}");
}

#[test]
fn presets_lie_beneath_the_file_that_names_them() {
    let tree = Tree::new(&[
        ("vendor/a.b.C.toml", "command = ['c']\nextends = ['base/one', 'base/two']\nnice = 5"),
        ("vendor/base/one.toml", "extends = ['base/common']\nnice = 1\noom-score = 1"),
        ("vendor/base/two.toml", "extends = ['base/common']\nnice = 2\n[audio]\nrecord = true"),
        ("vendor/base/common.toml", "nice = 0\noom-score = 0"),
        ("user/a.b.C.toml", "extends = ['base/three']"),
        ("local/base/three.toml", "nice = 3"),
    ]);
    let policy = tree.policy();
    let files: Vec<_> = tree.files(&policy);
    let files: Vec<_> = files.iter().map(|(layer, file)| (*layer, file.as_str())).collect();
    assert_eq!(
        files,
        [
            (Layer::Vendor, "vendor/base/common.toml"),
            (Layer::Vendor, "vendor/base/one.toml"),
            (Layer::Vendor, "vendor/base/two.toml"),
            (Layer::Vendor, "vendor/a.b.C.toml"),
            (Layer::User, "local/base/three.toml"),
            (Layer::User, "user/a.b.C.toml"),
        ]
    );
    let nice = policy.settings.nice.unwrap();
    assert_eq!((nice.value, nice.origin.layer), (3, Layer::User));
    // Common lies beneath one alone, so that two does not bring it back.
    assert_eq!(policy.settings.oom_score.unwrap().value, 1);
    assert!(policy.settings.audio.record.unwrap().value);
}

#[test]
fn bad_presets() {
    let with = |body: &str, presets: &[(&str, &str)]| {
        let main = format!("command = ['c']\n{body}");
        let mut files = vec![("vendor/a.b.C.toml", main.as_str())];
        files.extend(presets);
        Tree::new(&files).errors(&app("a.b.C"))
    };
    let (codes, text) =
        with("extends = ['base/gkt', 'base/zzzzz']", &[("vendor/base/gtk.toml", "")]);
    assert_eq!(codes, [Code::BadPreset, Code::BadPreset]);
    assert!(text.contains("vendor/a.b.C.toml:3:12"), "{text}");
    assert!(text.contains("hint: did you mean `base/gtk`?"), "{text}");
    assert!(text.contains("because: local/base/gkt.toml does not exist"), "{text}");

    let ring = [
        ("vendor/base/x.toml", "extends = ['base/y']"),
        ("vendor/base/y.toml", "extends = ['base/x']"),
    ];
    let (codes, text) = with("extends = ['base/x']", &ring);
    assert_eq!(codes, [Code::BadPreset]);
    assert!(text.contains("because: base/x > base/y > base/x"), "{text}");
    assert!(text.contains("vendor/base/y.toml:2:12"), "{text}");

    let names: Vec<(String, String)> = (0..10)
        .map(|n| (format!("vendor/base/p{n}.toml"), format!("extends = ['base/p{}']", n + 1)))
        .collect();
    let chain: Vec<(&str, &str)> =
        names.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let (codes, text) = with("extends = ['base/p0']", &chain);
    assert_eq!(codes, [Code::BadPreset]);
    assert!(text.contains("more than 8 presets"), "{text}");

    let (codes, _) = with("extends = ['base/x']", &[("vendor/base/x.toml", "id = 'a.b.C'")]);
    assert_eq!(codes, [Code::BadPreset]);
    let (codes, text) = with("extends = ['base/x']", &[("vendor/base/x.toml", "nice = 99\nx = 1")]);
    assert_eq!(codes, [Code::BadValue, Code::UnknownKey]);
    assert!(text.contains("vendor/base/x.toml:2:8"), "{text}");
}

#[test]
fn a_preset_that_is_named_twice_is_a_warning() {
    let tree = Tree::new(&[
        ("vendor/a.b.C.toml", "command = ['c']\nextends = ['base/x', 'base/x']"),
        ("vendor/base/x.toml", ""),
    ]);
    let (policy, warnings) = tree.of(&app("a.b.C"), Settings::default());
    assert_eq!(policy.files.len(), 2);
    assert_eq!(warnings.len(), 1);
    assert!(shown(&warnings).starts_with("warning: the preset `base/x` is named twice"));
}

#[test]
fn no_manifest_at_all() {
    let tree = Tree::new(&[("vendor/org.gnome.Evince.toml", ""), ("user/x.y.Z.toml", "")]);
    let (codes, text) = tree.errors(&app("org.gnome.Evnice"));
    assert_eq!(codes, [Code::NoManifest]);
    assert!(text.contains("did you mean `org.gnome.Evince`?"), "{text}");
    for place in ["user", "admin", "local", "vendor"] {
        let cause = format!("because: {place}/org.gnome.Evnice.toml does not exist");
        assert!(text.contains(&cause), "{text}");
    }
    let (_, text) = tree.errors(&app("com.example.evince"));
    assert!(text.contains("did you mean `org.gnome.Evince`?"), "{text}");
    let (_, text) = tree.errors(&app("com.example.Nothing"));
    assert!(!text.contains("did you mean"), "{text}");
}

#[test]
fn the_id_must_be_that_of_the_file() {
    let tree = Tree::new(&[
        ("vendor/a.b.C.toml", "id = 'a.b.D'\ncommand = ['c']"),
        ("user/a.b.C.toml", "id = 'a.b.C'"),
    ]);
    let (codes, text) = tree.errors(&app("a.b.C"));
    assert_eq!(codes, [Code::WrongId]);
    assert!(text.contains("vendor/a.b.C.toml:2:6"), "{text}");
}

#[test]
fn errors_of_all_files_at_once() {
    let tree = Tree::new(&[
        ("vendor/a.b.C.toml", "command = []"),
        ("admin/a.b.C.toml", "nice = 'x'"),
        ("user/a.b.C.toml", "id = 'a.b.D'\nextends = ['base/none']"),
    ]);
    let (codes, _) = tree.errors(&app("a.b.C"));
    assert_eq!(codes, [Code::BadValue, Code::WrongType, Code::WrongId, Code::BadPreset]);
}

fn sourced<T: std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Sourced<T>> {
    (value, "[a-z]{1,3}").prop_map(|(value, file)| Sourced::new(value, origin(&file)))
}

/// As parsing makes them: absent, emptied, or with entries.
fn list<T>(value: impl Strategy<Value = T> + Clone + 'static) -> impl Strategy<Value = List<T>>
where
    T: PartialEq + Clone + std::fmt::Debug + 'static,
{
    let entries = proptest::collection::vec(sourced(value), 1..4).prop_map(|entries| {
        let mut list = List::default();
        entries.into_iter().for_each(|entry| list.push(entry));
        list
    });
    let emptied =
        "[a-z]{1,3}".prop_map(|file| List { emptied: Some(origin(&file)), items: Vec::new() });
    prop_oneof![Just(List::default()), emptied, entries]
}

fn place() -> impl Strategy<Value = PathExpr> + Clone {
    proptest::sample::select(vec!["~/a", "~/b", "~/c"])
        .prop_map(|text| PathExpr::parse(text).unwrap())
}

fn settings() -> impl Strategy<Value = Settings> {
    let device = proptest::sample::select(vec![Device::Gpu, Device::Kvm, Device::Usb]);
    let grant = place().prop_map(|path| crate::model::manifest::PathGrant {
        path,
        required: false,
        exec: None,
    });
    (
        proptest::option::of(sourced(0..3)),
        list(device),
        list(1u16..4),
        list(grant),
        list(place()),
        proptest::collection::btree_map("[A-B]", sourced("[0-9]"), 0..3),
        list("[a-b]"),
    )
        .prop_map(|(nice, devices, connect, read, deny, set, reset)| {
            let mut settings =
                Settings { nice, devices, environment_set: set, reset, ..Settings::default() };
            settings.network.connect = connect;
            settings.filesystem.read = read;
            // The grammar has no emptied list of denies.
            settings.filesystem.deny = List { emptied: None, ..deny };
            settings
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_is_associative(a in settings(), b in settings(), c in settings()) {
        let left = a.clone().merge(b.clone()).merge(c.clone());
        let right = a.merge(b.merge(c));
        prop_assert_eq!(left, right);
    }

    #[test]
    fn no_settings_change_nothing(a in settings()) {
        prop_assert_eq!(a.clone().merge(Settings::default()), a.clone());
        prop_assert_eq!(Settings::default().merge(a.clone()), a);
    }

    #[test]
    fn an_empty_list_clears_and_a_later_one_adds(a in settings(), b in settings()) {
        let mut empty = Settings::default();
        empty.devices.emptied = Some(origin("none"));
        let cleared = a.merge(empty);
        prop_assert!(cleared.devices.items.is_empty());
        let later: Vec<_> = b.devices.values().copied().collect();
        let all: Vec<_> = cleared.merge(b).devices.values().copied().collect();
        prop_assert_eq!(all, later);
    }

    #[test]
    fn no_layer_takes_a_deny_back(a in settings(), b in settings()) {
        let denied: Vec<PathExpr> = a.filesystem.deny.values().cloned().collect();
        let mut above = b;
        above.filesystem.deny.emptied = Some(origin("none"));
        let merged = a.merge(above);
        for path in denied {
            prop_assert!(merged.filesystem.deny.values().any(|kept| *kept == path));
        }
    }

    #[test]
    fn the_highest_value_wins_and_remembers_the_others(a in settings(), b in settings()) {
        let (low, high) = (a.nice.clone(), b.nice.clone());
        let merged = a.merge(b).nice;
        match (low, high) {
            (Some(low), Some(high)) => {
                let merged = merged.unwrap();
                prop_assert_eq!(merged.value, high.value);
                prop_assert_eq!(merged.shadowed, vec![low.origin]);
            }
            (low, high) => prop_assert_eq!(merged, high.or(low)),
        }
    }
}
