use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::report::render;

/// Folders of their own in a place that is gone afterwards.
struct Tree {
    root: tempfile::TempDir,
    places: Places,
}

impl Tree {
    fn new() -> Tree {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let places = Places {
            user: at("user"),
            admin: at("admin"),
            vendor: vec![at("local"), at("vendor")],
            uid: fs::metadata(root.path()).unwrap().uid(),
            draft: None,
        };
        Tree { root, places }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        self.mode(name, 0o644);
        path
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Layer and content of what is found for `a.b.C`.
    fn found(&self) -> Vec<(Layer, String)> {
        let found = self.places.find(&id("a.b.C")).unwrap();
        found.into_iter().map(|file| (file.layer, String::from_utf8(file.text).unwrap())).collect()
    }

    fn refusal(&self) -> (Code, String) {
        let errors = self.places.find(&id("a.b.C")).unwrap_err();
        assert_eq!(errors.len(), 1);
        (errors[0].code.unwrap(), render::text(&errors[0], false))
    }
}

fn id(text: &str) -> AppId {
    text.parse().unwrap()
}

#[test]
fn usual_places() {
    let places = Places::new(Path::new("/c"));
    assert_eq!(places.user, Path::new("/c/pinfold"));
    assert_eq!(places.admin, Path::new("/etc/pinfold"));
    assert_eq!(places.vendor[0], Path::new("/usr/local/share/pinfold/manifests"));
    assert_eq!(places.vendor[1], Path::new("/usr/share/pinfold/manifests"));
    assert_eq!(places.folders(Layer::CommandLine), [""; 0].map(PathBuf::from));
}

#[test]
fn the_catalogue_of_a_checkout() {
    let tree = Tree::new();
    let exe = tree.at("target/x/debug/pinfold");
    assert_eq!(checkout(&exe), None);
    tree.write("Cargo.toml", "");
    assert_eq!(checkout(&exe), None);
    fs::create_dir(tree.at("manifests")).unwrap();
    assert_eq!(checkout(&exe), Some(tree.at("manifests")));
    assert_eq!(checkout(&tree.at("bin/pinfold")), None);
    assert_eq!(checkout(&tree.at("target")), None);
}

#[test]
fn lowest_layer_first_and_the_first_vendor_folder_wins() {
    let tree = Tree::new();
    assert_eq!(tree.found(), []);
    tree.write("user/a.b.C.toml", "u");
    tree.write("vendor/a.b.C.toml", "v");
    let both = [(Layer::Vendor, "v".to_owned()), (Layer::User, "u".to_owned())];
    assert_eq!(tree.found(), both);
    tree.write("local/a.b.C.toml", "l");
    tree.write("admin/a.b.C.toml", "a");
    let all = [Layer::Vendor, Layer::Admin, Layer::User].into_iter();
    let all: Vec<_> = all.zip(["l", "a", "u"].map(str::to_owned)).collect();
    assert_eq!(tree.found(), all);
}

#[test]
fn a_file_that_others_could_have_written_is_refused() {
    for name in ["vendor/a.b.C.toml", "admin/a.b.C.toml", "user/a.b.C.toml"] {
        let tree = Tree::new();
        tree.write(name, "");
        tree.mode(name, 0o646);
        let (code, text) = tree.refusal();
        assert_eq!(code, Code::ManifestUntrusted);
        assert!(text.contains("(mode 0646)") && text.contains("chmod o-w"), "{text}");
        tree.mode(name, 0o664);
        assert_eq!(tree.found().len(), 1);
        let folder = name.split('/').next().unwrap();
        tree.mode(folder, 0o1777);
        let (code, text) = tree.refusal();
        assert_eq!(code, Code::ManifestUntrusted);
        assert!(text.contains("its folder (mode 1777)"), "{text}");
    }
}

#[test]
fn a_file_of_another_user_is_refused() {
    let mut tree = Tree::new();
    let path = tree.write("user/a.b.C.toml", "");
    if tree.places.uid == 0 {
        std::os::unix::fs::chown(&path, Some(4242), None).unwrap();
    } else {
        tree.places.uid += 1;
    }
    let (code, text) = tree.refusal();
    assert_eq!(code, Code::ManifestUntrusted);
    assert!(text.contains("who is neither root nor you"), "{text}");
    tree.places.uid = fs::metadata(&path).unwrap().uid();
    if tree.places.uid == 4242 {
        // Now the file is the caller's and the folder root's.
        assert_eq!(tree.found().len(), 1);
        std::os::unix::fs::chown(tree.at("user"), Some(4243), None).unwrap();
        assert!(tree.refusal().1.contains("its folder belongs to user 4243"));
    }
}

#[test]
fn links_are_followed_to_a_file_that_is_looked_at() {
    let tree = Tree::new();
    tree.write("store/real.toml", "r");
    fs::create_dir(tree.at("vendor")).unwrap();
    symlink(tree.at("store/real.toml"), tree.at("vendor/a.b.C.toml")).unwrap();
    assert_eq!(tree.found(), [(Layer::Vendor, "r".to_owned())]);
    tree.mode("store/real.toml", 0o666);
    assert_eq!(tree.refusal().0, Code::ManifestUntrusted);
    // A link to nothing is nothing; one to itself is an error.
    fs::remove_file(tree.at("store/real.toml")).unwrap();
    assert_eq!(tree.found(), []);
    fs::remove_file(tree.at("vendor/a.b.C.toml")).unwrap();
    symlink("a.b.C.toml", tree.at("vendor/a.b.C.toml")).unwrap();
    assert_eq!(tree.refusal().0, Code::ManifestUnreadable);
}

#[test]
fn what_is_no_file_or_too_large() {
    let tree = Tree::new();
    fs::create_dir_all(tree.at("admin/a.b.C.toml")).unwrap();
    let (code, text) = tree.refusal();
    assert_eq!(code, Code::ManifestUnreadable);
    assert!(text.contains("no regular file"), "{text}");
    fs::remove_dir(tree.at("admin/a.b.C.toml")).unwrap();
    let pipe = tree.at("admin/a.b.C.toml");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o644.into(), 0)
        .unwrap();
    assert_eq!(tree.refusal().0, Code::ManifestUnreadable);
    fs::remove_file(&pipe).unwrap();
    tree.write("admin/a.b.C.toml", "");
    File::options().write(true).open(&pipe).unwrap().set_len(10 << 20).unwrap();
    let (code, text) = tree.refusal();
    assert_eq!(code, Code::ManifestTooLarge);
    assert!(text.contains("10485760 bytes"), "{text}");
}

#[test]
fn an_id_too_long_for_a_file_name_is_not_found() {
    let tree = Tree::new();
    fs::create_dir(tree.at("user")).unwrap();
    let long = id(&format!("a.b.{}", "c".repeat(251)));
    assert_eq!(tree.places.find(&long).unwrap(), []);
}

#[test]
fn every_refusal_of_a_search_is_reported() {
    let tree = Tree::new();
    for name in ["vendor/a.b.C.toml", "user/a.b.C.toml"] {
        tree.write(name, "");
        tree.mode(name, 0o666);
    }
    assert_eq!(tree.places.find(&id("a.b.C")).unwrap_err().len(), 2);
}

#[test]
fn named_files() {
    let tree = Tree::new();
    let path = tree.write("x/some.toml", "s");
    tree.mode("x", 0o1777);
    let found = tree.places.named(&path).unwrap();
    assert_eq!((found.layer, found.text), (Layer::Vendor, b"s".to_vec()));
    tree.mode("x/some.toml", 0o606);
    let error = tree.places.named(&path).unwrap_err();
    assert_eq!(error.code, Some(Code::ManifestUntrusted));
    assert!(error.hints[0].contains(&format!("chmod o-w {}", path.display())));
    let error = tree.places.named(&tree.at("none")).unwrap_err();
    assert_eq!(error.code, Some(Code::ManifestUnreadable));
}

#[test]
fn listing() {
    let tree = Tree::new();
    assert_eq!(tree.places.list(), []);
    for name in [
        "vendor/d.e.F.toml",
        "vendor/a.b.C.toml",
        "local/a.b.C.toml",
        "user/a.b.C.toml",
        "vendor/base/gtk.toml",
        "vendor/README.md",
        "vendor/evince.toml",
        "admin/a.b.C.toml~",
    ] {
        tree.write(name, "");
    }
    assert_eq!(
        tree.places.list(),
        [
            (
                id("a.b.C"),
                vec![
                    (Layer::Vendor, tree.at("local/a.b.C.toml")),
                    (Layer::User, tree.at("user/a.b.C.toml")),
                ],
            ),
            (id("d.e.F"), vec![(Layer::Vendor, tree.at("vendor/d.e.F.toml"))]),
        ]
    );
    assert_eq!(tree.places.presets(), ["base/gtk", "base/gtk", "base/qt", "base/x11"]);
}

#[test]
fn presets_lie_in_vendor_folders_and_take_the_layer_of_who_names_them() {
    let tree = Tree::new();
    tree.write("user/base/gtk.toml", "u");
    let found = tree.places.preset(Layer::User, "base/gtk").unwrap().unwrap();
    assert!(found.name().starts_with("built in: "), "{}", found.name());
    assert_eq!(tree.places.preset(Layer::User, "base/none").unwrap(), None);
    tree.write("vendor/base/gtk.toml", "v");
    let found = tree.places.preset(Layer::User, "base/gtk").unwrap().unwrap();
    assert_eq!((found.layer, found.text), (Layer::User, b"v".to_vec()));
    tree.mode("vendor/base", 0o777);
    let error = tree.places.preset(Layer::User, "base/gtk").unwrap_err();
    assert_eq!(error.code, Some(Code::ManifestUntrusted));
}

#[test]
fn paths_that_can_be_pasted() {
    for (path, want) in [
        ("/etc/pinfold/a.b.C.toml", "/etc/pinfold/a.b.C.toml"),
        ("/a b/$(x).toml", "'/a b/$(x).toml'"),
        ("/it's", "'/it'\\''s'"),
        ("~x", "'~x'"),
    ] {
        assert_eq!(shell_word(Path::new(path)), want);
    }
}

#[test]
fn every_shipped_preset_is_built_in_and_parses() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/base");
    let mut shipped: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| format!("base/{}", name.strip_suffix(".toml").unwrap()))
        .collect();
    shipped.sort();
    assert_eq!(shipped, PRESETS.map(|(name, _)| name));
    for (name, text) in PRESETS {
        assert!(super::super::parse::parse(text.as_bytes(), name, Layer::Vendor).is_ok(), "{name}");
    }
}
