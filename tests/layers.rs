//! The person's own layer, by the program itself on real files: `pinfold
//! override`, and what comes of it in `show`, `plan` and `run`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const APP: &str = "org.gnome.eog";

/// A home of its own, and the shipped manifests.
struct Home {
    dir: tempfile::TempDir,
}

struct Told {
    code: i32,
    out: String,
    err: String,
}

impl Home {
    fn new() -> Home {
        let home = Home { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(home.at("Scans")).unwrap();
        home
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn own(&self) -> PathBuf {
        self.at(".config/pinfold").join(format!("{APP}.toml"))
    }

    fn text(&self) -> String {
        fs::read_to_string(self.own()).unwrap_or_default()
    }

    fn write(&self, text: &str) {
        fs::create_dir_all(self.at(".config/pinfold")).unwrap();
        fs::write(self.own(), text).unwrap();
        fs::set_permissions(self.own(), fs::Permissions::from_mode(0o644)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program =
            std::env::var_os("PINFOLD_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_pinfold").into());
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.dir.path())
            .env("PATH", "/usr/bin:/bin")
            .env("XDG_CURRENT_DESKTOP", "Ada:GNOME")
            .current_dir(self.dir.path())
            .stdin(Stdio::null());
        command
    }

    fn pinfold(&self, arguments: &[&str]) -> Told {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        Told {
            code: status.code().unwrap(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }

    /// `pinfold override` that works.
    #[track_caller]
    fn change(&self, arguments: &[&str]) -> Told {
        let told = self.pinfold(&[&["override", APP], arguments].concat());
        assert_eq!(told.code, 0, "{arguments:?}\n{}{}", told.out, told.err);
        told
    }

    /// One that is refused, and leaves the file as it was.
    #[track_caller]
    fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let before = (self.text(), self.own().metadata().map(|about| about.ino()).ok());
        let told = self.pinfold(&[&["override", APP], arguments].concat());
        assert_eq!(told.code, code, "{arguments:?}\n{}{}", told.out, told.err);
        let after = (self.text(), self.own().metadata().map(|about| about.ino()).ok());
        assert_eq!(before, after, "{arguments:?}");
        assert!(!self.at(".config/pinfold/.new").exists());
        told.err
    }

    fn show(&self) -> String {
        let told = self.pinfold(&["show", APP]);
        assert_eq!(told.code, 0, "{}", told.err);
        told.out
    }
}

#[test]
fn the_flags_of_run_are_kept() {
    let home = Home::new();
    assert!(!home.show().contains("~/Scans"), "{}", home.show());
    let scans = home.at("Scans");
    let told = home.change(&["--read", scans.to_str().unwrap(), "--share", "network"]);
    assert!(told.out.starts_with("made ~/.config/pinfold/org.gnome.eog.toml\n"), "{}", told.out);
    assert!(told.out.contains("+   5  read = [\"~/Scans\"]\n"), "{}", told.out);
    assert!(told.out.contains("  - No network\n"), "{}", told.out);
    assert!(told.out.contains("  + the network of this machine\n"), "{}", told.out);
    let want = "schema = 1\nid = \"org.gnome.eog\"\n\n[filesystem]\nread = [\"~/Scans\"]\n\n\
                [network]\nmode = \"host\"\n";
    assert_eq!(home.text(), want);
    assert_eq!(home.own().metadata().unwrap().mode() & 0o7777, 0o600);
    assert_eq!(home.at(".config/pinfold").metadata().unwrap().mode() & 0o7777, 0o700);
    let shown = home.show();
    assert!(shown.contains("~/Scans") && shown.contains("the network of this machine"), "{shown}");

    // The same again, by other names of the same things: nothing is written.
    let inode = home.own().metadata().unwrap().ino();
    let told = home.change(&["--read", "Scans/", "--set", "network.mode=host"]);
    assert_eq!(told.out, "~/.config/pinfold/org.gnome.eog.toml: nothing to change\n");
    assert_eq!((home.text().as_str(), home.own().metadata().unwrap().ino()), (want, inode));

    home.change(&["--unset", "read=Scans", "--unset", "network"]);
    assert_eq!(home.text(), "schema = 1\nid = \"org.gnome.eog\"\n");
    assert!(!home.show().contains("~/Scans"));
    let told = home.change(&["--unset", "read=~/Scans"]);
    assert!(told.err.contains("your file states nothing about read=~/Scans"), "{}", told.err);
}

#[test]
fn each_thing_is_on_off_or_not_stated() {
    let home = Home::new();
    for (flags, line) in [
        (&["--share", "wayland,audio"][..], "wayland = true\nplayback = true\n"),
        (&["--unshare", "wayland,audio"], "wayland = false\nplayback = false\nrecord = false\n"),
        (&["--unset", "wayland", "--unset", "audio.playback"], "record = false\n"),
        (&["--unset", "audio"], ""),
        (&["--set", "audio.record=true"], "record = true\n"),
        (&["--set", "audio.record=false"], "record = false\n"),
        (&["--unset", "audio.record"], ""),
        (&["--set", "network.connect=443,80"], "connect = [443, 80]\n"),
        (&["--set", "network.connect="], "connect = []\n"),
        (&["--unset", "network"], ""),
        (
            &["--env", "A=b c", "--env", "B=", "--home", "ephemeral"],
            "set = { A = \"b c\", B = \"\" }\nkind = \"ephemeral\"\n",
        ),
        (&["--unset", "env=A", "--unset", "home.kind"], "set = { B = \"\" }\n"),
        (&["--unset", "env=B"], ""),
        (
            &["--talk", "org.a.B", "--own", "org.a.C.*", "--service", "tray"],
            "services = [\"tray\"]\ntalk = [\"org.a.B\"]\nown = [\"org.a.C.*\"]\n",
        ),
        (&["--unset", "bus"], ""),
    ] {
        home.change(flags);
        let text = home.text();
        let is_stated = |line: &&str| !line.is_empty() && !line.starts_with('[');
        let lines: Vec<&str> = text.lines().skip(2).filter(is_stated).collect();
        assert_eq!(lines, line.lines().collect::<Vec<_>>(), "{flags:?}\n{text}");
    }
}

#[test]
fn one_of_several_things_can_be_shut() {
    let home = Home::new();
    assert!(!home.show().contains("No devices"), "the control: {}", home.show());
    home.change(&["--refuse", "gpu"]);
    assert!(home.text().contains("allow = []\n"), "{}", home.text());
    assert!(home.show().contains("No devices"), "{}", home.show());
    // Something more, and the shipped one stays shut.
    home.change(&["--share", "kvm"]);
    assert!(home.text().contains("reset = [\"devices.allow\"]\n"), "{}", home.text());
    assert!(home.text().contains("allow = [\"kvm\"]\n"), "{}", home.text());
    home.change(&["--unset", "device"]);
    assert_eq!(home.text(), "schema = 1\nid = \"org.gnome.eog\"\n");
    // Several at once, of what the person and others granted.
    home.write(
        "schema = 1\n[bus.session]\nservices = [\"tray\", \"mpris\", \"notifications\"] # mine\n",
    );
    home.change(&["--refuse", "service=tray", "--refuse", "service=mpris", "--refuse", "gpu"]);
    assert!(home.text().contains("services = [\"notifications\"] # mine\n"), "{}", home.text());
    let told = home.change(&["--refuse", "service=tray"]);
    assert!(told.err.contains("service=tray is not granted as it is"), "{}", told.err);
    let told = home.change(&["--refuse", "read=~/Nothing"]);
    assert!(told.err.contains("not granted"), "{}", told.err);
}

#[test]
fn a_grant_and_a_denial_of_one_path_take_turns() {
    let home = Home::new();
    home.change(&["--deny", "Scans"]);
    assert!(home.text().contains("deny = [\"~/Scans\"]"), "{}", home.text());
    home.change(&["--write", "Scans"]);
    assert!(!home.text().contains("deny"), "{}", home.text());
    assert!(home.text().contains("write = [\"~/Scans\"]"), "{}", home.text());
    home.change(&["--deny", "Scans"]);
    assert!(!home.text().contains("write"), "{}", home.text());
}

#[test]
fn what_a_person_wrote_stays() {
    let home = Home::new();
    let text = "# Mine.\nschema = 1\n\n# At home only.\n[network]\nmode = \"host\"   # for now\n\n\
                [filesystem]\nread = [\n    \"~/a\", # a\n    \"~/b\", # b\n]\n# End.\n";
    home.write(text);
    home.change(&["--read", "Scans", "--unset", "read=~/a", "--set", "audio.record=false"]);
    let want = "# Mine.\nschema = 1\n\n# At home only.\n[network]\nmode = \"host\"   # for now\n\n\
                [filesystem]\nread = [ # a\n    \"~/b\", # b\n    \"~/Scans\",\n]\n\
                \n[audio]\nrecord = false\n# End.\n";
    assert_eq!(home.text(), want);
    assert_eq!(home.own().metadata().unwrap().mode() & 0o7777, 0o644, "the bits stay");
}

#[test]
fn what_makes_no_policy_is_not_written() {
    let home = Home::new();
    home.change(&["--share", "network"]);
    for (code, flags, said) in [
        (65, &["--set", "audio.record=maybe"][..], "must be true or false"),
        (65, &["--set", "home.kind=privat"], "did you mean `private`?"),
        (65, &["--set", "limits.memory=2G"], "not supported yet"),
        (65, &["--set", "extends=base/nothing"], "there is no preset"),
        (65, &["--reset", "filesystem.deny"], "no layer takes a denial back"),
        (65, &["--set", "command="], "it names no program"),
        (65, &["--read", "/proc"], "the sandbox has a /proc of its own"),
        (2, &["--set", "netwrok.mode=none"], "did you mean `network.mode`?"),
        (2, &["--set", "audio"], "no KEY=VALUE"),
        (2, &["--set", "network=none"], "no single key"),
        (2, &["--set", "network.connect=[443"], "cannot be read"),
        (2, &["--unset", "raed=~/x"], "did you mean `read`?"),
        (2, &["--reset", "read=~/x"], "--refuse read=~/x this one"),
        (2, &["--refuse", "network.mode"], "names no single entry"),
        (2, &["--refuse", "deny=~/x"], "a denial cannot be refused"),
        (2, &["--portal", "teapot"], "is no such word"),
        (2, &["--show", "--share", "network"], "go with no other change"),
    ] {
        let err = home.refused(code, flags);
        assert!(err.contains(said), "{flags:?}: {err}");
        assert_eq!(err.contains("is as it was"), code == 65, "{flags:?}: {err}");
    }
    let told = home.pinfold(&["override", "org.nothing.App", "--share", "network"]);
    assert_eq!(told.code, 65);
    assert!(!home.at(".config/pinfold/org.nothing.App.toml").exists());
    // A file that is wrong already can be put right.
    home.write("schema = 1\nhostname = \"a b\"\n");
    assert!(home.refused(65, &["--share", "network"]).contains("`hostname`"));
    home.change(&["--unset", "hostname"]);
    assert_eq!(home.text(), "schema = 1\n");
    home.write("schema = \n");
    home.refused(65, &["--share", "network"]);
}

#[test]
fn nothing_is_written_through_a_link() {
    let home = Home::new();
    // The control: without the link it works.
    home.change(&["--share", "network"]);
    fs::rename(home.own(), home.at("elsewhere")).unwrap();
    symlink(home.at("elsewhere"), home.own()).unwrap();
    let err = home.refused(125, &["--share", "audio"]);
    assert!(err.contains("it is a symbolic link"), "{err}");
    fs::remove_file(home.own()).unwrap();
    fs::rename(home.at(".config/pinfold"), home.at("folder")).unwrap();
    symlink(home.at("folder"), home.at(".config/pinfold")).unwrap();
    let err = home.refused(125, &["--share", "audio"]);
    assert!(err.contains("it is a symbolic link"), "{err}");
    assert_eq!(fs::read_dir(home.at("folder")).unwrap().count(), 0);
}

#[test]
fn out_and_in_again() {
    let home = Home::new();
    let told = home.change(&["--export"]);
    assert!(told.out.is_empty() && told.err.contains("there is no"), "{}", told.err);
    home.change(&["--read", "Scans", "--unshare", "gpu"]);
    let text = home.text();
    assert_eq!(home.change(&["--export"]).out, text);
    fs::write(home.at("kept.toml"), format!("# kept\n{text}")).unwrap();
    home.change(&["--unset", "filesystem", "--unset", "devices"]);
    home.change(&["--import", "kept.toml"]);
    assert_eq!(home.text(), format!("# kept\n{text}"));
    let shown = home.change(&[]).out;
    assert!(shown.contains("read = [\"~/Scans\"]") && shown.contains("~/Scans/\n"), "{shown}");
    assert!(!shown.contains("schema"), "{shown}");
    fs::write(home.at("bad.toml"), "schema = 1\nid = \"org.other.App\"\n").unwrap();
    assert!(home.refused(65, &["--import", "bad.toml"]).contains("not about `org.gnome.eog`"));
    home.refused(65, &["--import", "none.toml"]);
    let mut piped = home.command(&["override", APP, "--import", "-"]);
    let piped = piped.stdin(Stdio::from(fs::File::open(home.at("Scans")).unwrap()));
    assert_eq!(piped.output().unwrap().status.code(), Some(65));
}

#[test]
fn for_all_applications() {
    let home = Home::new();
    let told = home.pinfold(&["override", "--global", "--deny", "~/Scans"]);
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(told.out.contains("that goes for all applications"), "{}", told.out);
    let global = home.at(".config/pinfold/global.toml");
    assert_eq!(
        fs::read_to_string(&global).unwrap(),
        "schema = 1\n\n[filesystem]\ndeny = [\"~/Scans\"]\n"
    );
    let shown = home.show();
    assert!(shown.contains("global.toml (user)"), "{shown}");
    assert!(shown.contains("~/Scans"), "{shown}");
    for flags in
        [&["--set", "command=x"][..], &["--set", "name=x"], &["--set", "desktop=a.desktop"]]
    {
        let told = home.pinfold(&[&["override", "--global"], flags].concat());
        assert_eq!(told.code, 65, "{}", told.err);
        assert!(told.err.contains("is one application's own"), "{}", told.err);
    }
    assert_eq!(home.pinfold(&["override", "--global", "--refuse", "gpu"]).code, 2);
    assert_eq!(home.pinfold(&["override", "--global", APP]).code, 2);
    assert_eq!(home.pinfold(&["override"]).code, 2);
    // It has to suit every application that is known: here one locks a key.
    home.write("schema = 1\nlock = [\"network.mode\"]\n");
    let told = home.pinfold(&["override", "--global", "--share", "network"]);
    assert_eq!(told.code, 0, "a person's own layer is one: {}", told.err);
}

#[test]
fn what_is_wrong_for_all_is_said_once() {
    let home = Home::new();
    fs::create_dir_all(home.at(".config/pinfold")).unwrap();
    fs::write(home.at(".config/pinfold/global.toml"), "schema = 1\nnicee = 1\n").unwrap();
    let told = home.pinfold(&["list"]);
    assert_eq!(told.err.matches("unknown key `nicee`").count(), 1, "{}", told.err);
    // And can be put right, by the same command.
    let told = home.pinfold(&["override", "--global", "--import", "-"]);
    assert_eq!(told.code, 65, "nothing is no manifest: {}", told.err);
    fs::write(home.at("good.toml"), "schema = 1\n").unwrap();
    let told = home.pinfold(&["override", "--global", "--import", "good.toml"]);
    assert_eq!(told.code, 0, "{}", told.err);
}

#[test]
fn a_lock_holds_against_flags() {
    let home = Home::new();
    // The control: without the lock the flag counts.
    assert_eq!(home.pinfold(&["plan", "--share", "network", APP]).code, 0);
    home.change(&["--set", "lock=network.mode,filesystem"]);
    for command in ["plan", "show", "run"] {
        let told = home.pinfold(&[command, "--share", "network", APP]);
        assert_eq!(told.code, 65, "{command}: {}", told.err);
        assert!(told.err.contains("`network.mode` is locked by your own file"), "{}", told.err);
        assert!(told.err.contains("command line: --share network"), "{}", told.err);
        assert!(told.err.contains("org.gnome.eog.toml:3:9 (layer: user)"), "{}", told.err);
    }
    assert_eq!(home.pinfold(&["plan", "--read", "Scans", APP]).code, 65);
    assert_eq!(home.pinfold(&["plan", "--share", "audio", APP]).code, 0);
    assert!(home.show().contains("locked by org.gnome.eog.toml:3 (user): network.mode"));
}

#[test]
fn conditions_decide_whether_a_file_counts() {
    let home = Home::new();
    home.change(&["--read", "Scans", "--set", "when.desktop=gnome"]);
    assert!(home.show().contains("~/Scans"), "{}", home.show());
    let told = home.change(&["--set", "when.desktop=kde"]);
    assert!(told.out.contains("the file's [when] does not hold here"), "{}", told.out);
    let shown = home.show();
    assert!(!shown.contains("~/Scans"), "{shown}");
    assert!(shown.contains("not used: ~/.config/pinfold/org.gnome.eog.toml (user)"), "{shown}");
    let plain = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plain.contains("it is for desktop kde; here it is ada, gnome"), "{shown}");
    home.change(&["--set", "when.desktop=kde,gnome"]);
    assert!(home.show().contains("~/Scans"), "{}", home.show());
    let told = home.pinfold(&["override", APP, "--set", "when.desktp=kde"]);
    assert!(told.code == 2 && told.err.contains("did you mean `when.desktop`?"), "{}", told.err);
}

#[test]
fn a_first_manifest_lints_and_plans() {
    let home = Home::new();
    let entries = home.at(".local/share/applications");
    fs::create_dir_all(&entries).unwrap();
    let write = |name: &str, exec: &str| {
        let text = format!(
            "[Desktop Entry]\nType=Application\nName=A shell\nExec={exec}\nCategories=Network;\n"
        );
        fs::write(entries.join(name), text).unwrap();
    };
    write("org.example.Shell.desktop", "/bin/sh -x %F");
    let told = home.pinfold(&["new", "org.example.Shell", "--output", "shell.toml"]);
    assert_eq!(told.code, 0, "{}", told.err);
    let text = fs::read_to_string(home.at("shell.toml")).unwrap();
    assert!(text.contains("command = [\"sh\", \"-x\"]\n"), "{text}");
    assert!(text.contains("# mode = \"host\"\n"), "{text}");
    assert!(told.err.contains("in a window of an unknown kind"), "{}", told.err);
    let printed = home.pinfold(&["new", "./.local/share/applications/org.example.Shell.desktop"]);
    assert_eq!(
        printed.out.lines().skip(1).collect::<Vec<_>>(),
        text.lines().skip(1).collect::<Vec<_>>()
    );
    for command in ["show", "plan"] {
        let told = home.pinfold(&[command, "./shell.toml"]);
        assert_eq!(told.code, 0, "{}", told.err);
    }
    // What is there is not written over.
    assert_eq!(home.pinfold(&["new", "org.example.Shell", "--output", "shell.toml"]).code, 125);
    for (exec, said) in [
        ("env A=b app", "[environment], set ="),
        ("sh -c \"a && b\"", "it is a script for sh"),
        ("app 'x'", "only a shell would understand"),
        ("pkexec app", "more rights"),
        ("flatpak run org.a.B", "sandbox of its own"),
    ] {
        write("org.example.Bad.desktop", exec);
        let told = home.pinfold(&["new", "org.example.Bad"]);
        assert_eq!((told.code, told.out.as_str()), (65, ""), "{exec}");
        assert!(told.err.contains(said), "{exec}: {}", told.err);
    }
    let told = home.pinfold(&["new", "org.example.Shel"]);
    assert_eq!(told.code, 65);
    assert!(told.err.contains("did you mean `org.example.Shell`?"), "{}", told.err);
    write("plain.desktop", "sh");
    assert!(home.pinfold(&["new", "plain"]).out.contains("id = \"local.app.plain\"\n"));
    let told = home.pinfold(&["new", "plain", "--id", "org.example.Plain"]);
    assert!(told.out.contains("id = \"org.example.Plain\"\n"));
    assert_eq!(home.pinfold(&["new", "plain", "--id", "Plain"]).code, 2);
}

#[test]
fn the_schema_is_the_shipped_one() {
    let source =
        std::env::var_os("PINFOLD_SRC").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let shipped = PathBuf::from(source).join("manifests/manifest.schema.json");
    let told = Home::new().pinfold(&["schema"]);
    assert_eq!((told.code, told.out), (0, fs::read_to_string(shipped).unwrap()));
}
