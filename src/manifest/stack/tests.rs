use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use proptest::prelude::*;

use super::*;
use crate::model::condition::Fact;
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
            draft: None,
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
        policy(target, &self.places, &here(), command_line)
            .map_err(|errors| shown(&errors))
            .unwrap()
    }

    fn policy(&self) -> Policy {
        self.of(&app("a.b.C"), Settings::default()).0
    }

    fn files(&self, policy: &Policy) -> Vec<(Layer, String)> {
        policy.files.iter().map(|(layer, file)| (*layer, self.short(file))).collect()
    }

    /// Codes and text of what is wrong.
    fn errors(&self, target: &Target) -> (Vec<Code>, String) {
        let errors = policy(target, &self.places, &here(), Settings::default()).unwrap_err();
        let codes = errors.iter().map(|error| error.code.unwrap()).collect();
        (codes, self.short(&shown(&errors)))
    }
}

/// An ordinary person's GNOME on Wayland, on a distribution like Debian.
fn here() -> BTreeMap<Fact, Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    BTreeMap::from([
        (Fact::Display, words(&["wayland"])),
        (Fact::Desktop, words(&["ubuntu", "gnome"])),
        (Fact::Host, words(&["linuxmint", "ubuntu", "debian"])),
        (Fact::User, words(&["ordinary"])),
    ])
}

impl Surroundings for BTreeMap<Fact, Vec<String>> {
    fn words(&self, fact: Fact) -> Vec<String> {
        self.get(&fact).cloned().unwrap_or_default()
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
    let (policy, warnings) = tree.of(&target, Settings::default());
    let text = shown(&warnings);
    assert!(text.contains("vendor/a.b.C.toml") && text.contains("the home of a.b.C"), "{text}");
    let itself = Target::File(tree.at("vendor/a.b.C.toml"));
    fs::write(tree.at("vendor/a.b.C.toml"), "schema = 1\nid = 'a.b.C'\ncommand = ['vendor']")
        .unwrap();
    assert!(tree.of(&itself, Settings::default()).1.is_empty());
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

#[test]
fn what_is_locked_cannot_be_stated_above() {
    let shipped = ("vendor/a.b.C.toml", "command = ['c']\nnice = 1\n[network]\nmode = 'host'");
    let admin = ("admin/a.b.C.toml", "nice = 2\nlock = ['nice', 'network', 'limits.cpu']");
    let with = |user: &str| Tree::new(&[shipped, admin, ("user/a.b.C.toml", user)]);
    // The control: other keys, and below the lock everything, can be stated.
    let policy = with("oom-score = 1\n[limits]\nmemory = '1G'").policy();
    assert_eq!(policy.settings.nice.unwrap().value, 2);
    assert_eq!(policy.settings.network.mode.unwrap().value, NetworkMode::Host);

    let (codes, text) =
        with("nice = 3\nreset = ['network.connect']\n[limits]\ncpu = '9%'").errors(&app("a.b.C"));
    assert_eq!(codes, [Code::Locked; 3]);
    assert!(text.contains("`nice` is locked by this machine's administrator"), "{text}");
    assert!(text.contains("user/a.b.C.toml:2:8 (layer: user)"), "{text}");
    assert!(text.contains("admin/a.b.C.toml:3:9 (layer: admin)"), "{text}");
    assert!(text.contains("`network.connect` is locked and cannot be reset"), "{text}");
    assert!(text.contains("`limits.cpu` is locked"), "{text}");
    // A reset of the whole table that holds it, and a preset.
    let (codes, text) = with("reset = ['limits']").errors(&app("a.b.C"));
    assert_eq!(codes, [Code::Locked]);
    assert!(text.contains("`limits.cpu` is locked and cannot be reset"), "{text}");
    let tree = Tree::new(&[
        shipped,
        admin,
        ("user/a.b.C.toml", "extends = ['base/x']"),
        ("vendor/base/x.toml", "nice = 0"),
    ]);
    let (codes, text) = tree.errors(&app("a.b.C"));
    assert_eq!(codes, [Code::Locked]);
    assert!(text.contains("vendor/base/x.toml:2:8 (layer: user)"), "{text}");

    // Flags too; and the same layer may.
    let tree = with("");
    let flags = Settings { nice: Some(Sourced::new(4, origin("--nice 4"))), ..Settings::default() };
    let errors = policy_of(&tree, flags).unwrap_err();
    assert_eq!(errors[0].code, Some(Code::Locked));
    assert_eq!(errors[0].exit().number(), 65);
    let tree = Tree::new(&[shipped, admin, ("admin/global.toml", "nice = 5\nlock = ['nice']")]);
    assert_eq!(tree.policy().settings.nice.unwrap().value, 2);
    // A person's own lock holds against flags.
    let tree = Tree::new(&[shipped, ("user/a.b.C.toml", "lock = ['nice']")]);
    let flags = Settings { nice: Some(Sourced::new(4, origin("--nice 4"))), ..Settings::default() };
    let text = shown(&policy_of(&tree, flags).unwrap_err());
    assert!(text.contains("locked by your own file"), "{text}");
}

fn policy_of(tree: &Tree, flags: Settings) -> Result<(Policy, Vec<Diagnostic>), Vec<Diagnostic>> {
    policy(&app("a.b.C"), &tree.places, &here(), flags)
}

#[test]
fn a_reset_takes_back_what_lower_layers_state() {
    let tree = Tree::new(&[
        (
            "vendor/a.b.C.toml",
            "command = ['c']\nnice = 1\n[devices]\nallow = ['gpu', 'usb']\n\
             [filesystem]\nread = ['~/a']\ndeny = ['~/b']",
        ),
        (
            "user/a.b.C.toml",
            "reset = ['devices.allow', 'filesystem', 'nice']\nextends = ['base/x']\n\
             [devices]\nallow = ['kvm']",
        ),
        ("vendor/base/x.toml", "nice = 7"),
    ]);
    let settings = tree.policy().settings;
    let devices: Vec<Device> = settings.devices.values().copied().collect();
    assert_eq!(devices, [Device::Kvm]);
    assert!(!settings.filesystem.read.is_stated());
    assert_eq!(settings.filesystem.deny.items.len(), 1, "a denial stays");
    // The file's own preset lies above the reset, and nothing shadows it.
    let nice = settings.nice.unwrap();
    assert_eq!((nice.value, nice.shadowed), (7, vec![]));
}

#[test]
fn a_file_for_all_applications() {
    let tree = Tree::new(&[
        ("vendor/a.b.C.toml", "command = ['c']\nnice = 1"),
        ("admin/global.toml", "nice = 2\noom-score = 2"),
        ("admin/a.b.C.toml", "nice = 3"),
        ("user/global.toml", "nice = 4\n[audio]\nplayback = true"),
        ("user/a.b.C.toml", "nice = 5"),
    ]);
    let policy = tree.policy();
    let nice = policy.settings.nice.clone().unwrap();
    assert_eq!((nice.value, nice.shadowed.len()), (5, 4));
    assert_eq!(policy.settings.oom_score.as_ref().unwrap().value, 2);
    let files: Vec<String> = tree.files(&policy).into_iter().map(|(_, file)| file).collect();
    assert_eq!(
        files,
        [
            "vendor/a.b.C.toml",
            "admin/global.toml",
            "admin/a.b.C.toml",
            "user/global.toml",
            "user/a.b.C.toml",
        ]
    );
    let (settings, _) = for_all(&tree.places, &here()).unwrap();
    assert_eq!(settings.nice.unwrap().value, 4);
    // It makes no application of an id that nobody knows, and applies to a
    // manifest that is named by its path.
    assert_eq!(tree.errors(&app("x.y.Z")).0, [Code::NoManifest]);
    let tree = Tree::new(&[
        ("x/some.toml", "id = 'a.b.C'\ncommand = ['x']"),
        ("admin/global.toml", "nice = 2"),
    ]);
    let (policy, _) = tree.of(&Target::File(tree.at("x/some.toml")), Settings::default());
    assert_eq!(policy.settings.nice.unwrap().value, 2);

    let own = "id = 'a.b.C'\nname = 'C'\ncommand = ['c']\ndesktop = ['c.desktop']";
    let tree = Tree::new(&[("vendor/a.b.C.toml", "command = ['c']"), ("user/global.toml", own)]);
    let (codes, text) = tree.errors(&app("a.b.C"));
    assert_eq!(codes, [Code::OneApplication; 4]);
    assert!(text.contains("`command` is one application's own"), "{text}");
}

#[test]
fn a_file_counts_where_its_conditions_hold() {
    let counts = |when: &str| {
        let text = format!("nice = 2\nextends = ['base/x']\n[when]\n{when}");
        let tree = Tree::new(&[
            ("vendor/a.b.C.toml", "command = ['c']\nnice = 1"),
            ("user/a.b.C.toml", &text),
            ("vendor/base/x.toml", "oom-score = 3"),
        ]);
        let policy = tree.policy();
        let counts = policy.settings.nice.unwrap().value == 2;
        assert_eq!(counts, policy.settings.oom_score.is_some(), "its presets go with it");
        assert_eq!(counts, policy.unmet.is_empty());
        if let Some(unmet) = policy.unmet.first() {
            assert_eq!(tree.short(&unmet.file), "user/a.b.C.toml");
            assert_eq!(unmet.condition.origin.line, 5);
        }
        counts
    };
    for when in [
        "display = 'wayland'",
        "desktop = 'gnome'",
        "host = 'debian'",
        "host = ['fedora', 'ubuntu']",
        "user = 'ordinary'",
        "user = 'ordinary'\ndesktop = 'ubuntu'",
        "",
    ] {
        assert!(counts(when), "{when}");
    }
    for when in [
        "display = 'x11'",
        "desktop = 'kde'\nuser = 'ordinary'",
        "host = 'fedora'",
        "user = 'root'",
    ] {
        assert!(!counts(when), "{when}");
    }
    // A lock of a file that does not count locks nothing.
    let tree = Tree::new(&[
        ("vendor/a.b.C.toml", "command = ['c']"),
        ("admin/a.b.C.toml", "lock = ['nice']\n[when]\nuser = 'root'"),
        ("user/a.b.C.toml", "nice = 3"),
    ]);
    assert_eq!(tree.policy().settings.nice.unwrap().value, 3);
    // Nor is a preset laid whose own conditions do not hold.
    let tree = Tree::new(&[
        ("vendor/a.b.C.toml", "command = ['c']\nextends = ['base/x']"),
        ("vendor/base/x.toml", "nice = 3\n[when]\ndisplay = 'none'"),
    ]);
    let policy = tree.policy();
    assert_eq!((policy.settings.nice, policy.unmet.len()), (None, 1));
    // The only file with a command.
    let tree = Tree::new(&[("vendor/a.b.C.toml", "command = ['c']\n[when]\nhost = 'arch'")]);
    let (codes, text) = tree.errors(&app("a.b.C"));
    assert_eq!(codes, [Code::MissingKey]);
    assert!(text.contains("vendor/a.b.C.toml:4:8"), "{text}");
    assert!(text.contains("asks for another host than this one"), "{text}");
}

#[test]
fn a_draft_stands_for_what_lies_at_its_path() {
    let mut tree = Tree::new(&[
        ("vendor/a.b.C.toml", "command = ['c']\nnice = 1"),
        ("user/a.b.C.toml", "nice = 2"),
    ]);
    let path = tree.at("user/a.b.C.toml");
    let text = b"schema = 1\nnice = 3\n".to_vec();
    tree.places.draft = Some(Found { layer: Layer::User, path, text });
    assert_eq!(tree.policy().settings.nice.unwrap().value, 3);
}

#[test]
fn presets_lock_and_reset_nothing() {
    let tree = Tree::new(&[
        ("vendor/a.b.C.toml", "command = ['c']"),
        ("user/a.b.C.toml", "extends = ['base/x']"),
        ("vendor/base/x.toml", "lock = ['nice']\nreset = ['nice']"),
    ]);
    let (codes, text) = tree.errors(&app("a.b.C"));
    assert_eq!(codes, [Code::BadPreset; 2]);
    assert!(text.contains("a preset cannot have `reset`"), "{text}");
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

fn key() -> impl Strategy<Value = String> + Clone {
    let keys = ["nice", "devices", "network.connect", "filesystem", "environment.set", "limits"];
    proptest::sample::select(keys.map(str::to_owned).to_vec())
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
        (list(key()), list(key())),
    )
        .prop_map(|(nice, devices, connect, read, deny, set, (reset, lock))| {
            let mut settings =
                Settings { nice, devices, environment_set: set, ..Settings::default() };
            // Nor emptied lists of these.
            settings.reset = List { emptied: None, ..reset };
            settings.lock = List { emptied: None, ..lock };
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
    fn an_empty_list_clears_and_a_later_one_adds(a in settings(), mut b in settings()) {
        b.reset = List::default();
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
    fn what_is_reset_is_as_if_it_had_never_been_stated(a in settings(), b in settings()) {
        let named: Vec<String> = b.reset.values().cloned().collect();
        let merged = a.clone().merge(b.clone());
        let is_reset = |key: &str| named.iter().any(|name| covers(name, key));
        let (lower, higher) = (a.stated(), b.stated());
        for (key, origin) in merged.stated() {
            let own = higher.contains(&(key.clone(), origin.clone()));
            let from_below = lower.contains(&(key.clone(), origin));
            prop_assert!(own || (from_below && (!is_reset(&key) || key == "filesystem.deny")));
        }
        // And no shadow is left of it.
        if is_reset("nice") {
            prop_assert_eq!(merged.nice, b.nice);
        }
    }

    #[test]
    fn the_highest_value_wins_and_remembers_the_others(a in settings(), mut b in settings()) {
        b.reset = List::default();
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
