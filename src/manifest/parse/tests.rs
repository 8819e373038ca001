use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::model::path::PathExpr;
use crate::model::permission::{
    Device, HomeKind, LandlockMode, Nested, NetworkMode, SyscallFeature, X11Mode,
};
use crate::model::{AppId, List, Origin, Settings, Sourced};
use crate::report::render;

const WHOLE: &str = r#"
schema = 1
id = "org.example.App"
name = "Größe"
command = ["-x", "a b", ""]
desktop = ["org.example.App.desktop"]
extends = ["base/gtk", "base/portal"]
single-instance = true
hostname = "box"
nice = -20
oom-score = 1_000
timeout = "5m"
landlock = "require"

[home]
kind = "ephemeral"
persist = [".config/app", "b/"]

[filesystem]
read = ["xdg-documents", { path = "~/Papers", required = true, exec = true }]
write = [{ path = "/srv/x" }]
create = ["~/Notes"]
deny = ["~/Papers/private", "/usr/share/x"]

[display]
wayland = true
x11 = "fallback"

[audio]
playback = true
record = false

[devices]
allow = ["gpu", "kvm"]

[network]
mode = "none"
connect = [1, 65535]
listen = []

[bus.session]
see = ["a.b"]
talk = ["ca.desrt.dconf"]
own = ["org.example.*"]
call = ["a.b=*"]
broadcast = ["a.b=c.d.E@/x"]
services = ["tray"]
[bus.system]
see = ["a.c"]
talk = ["a.d"]
own = ["a.e"]
call = ["a.f=*"]
broadcast = ["a.g=*"]

[portals]
allow = ["file-chooser"]
marker = true

[accessibility]
enabled = true

[agents]
ssh = { keys = ["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"], confirm = true }
gpg = false

[environment]
set = { GTK_THEME = "Adwaita", EMPTY = "" }
pass = ["LANG", "LC_*"]

[syscalls]
nested = "browser"
allow = ["devel"]

[limits]
memory = "2G"
memory-high = 1048576
swap = 0
cpu = "150%"
io-weight = 100
tasks = "512"
open-files = 1024
file-size = "1T"
core = "0"
required = true

[check]
must-open = ["~/Papers"]
must-deny = ["/proc/kcore"]

[when]
display = "wayland"
desktop = "gnome"
host = ["debian", "fedora"]
user = "ordinary"
"#;

fn read(text: &str) -> Result<Manifest, Vec<Diagnostic>> {
    parse(text.as_bytes(), "/m/a.toml", Layer::Vendor)
}

fn good(text: &str) -> Settings {
    match read(text) {
        Ok(manifest) => manifest.settings,
        Err(reports) => panic!("{text}\n{}", shown(&reports)),
    }
}

fn shown(reports: &[Diagnostic]) -> String {
    reports.iter().map(|report| render::text(report, false)).collect()
}

fn values<T: Clone>(list: &List<T>) -> Vec<T> {
    list.values().cloned().collect()
}

fn paths(texts: &[&str]) -> Vec<PathExpr> {
    texts.iter().map(|text| PathExpr::parse(text).unwrap()).collect()
}

#[test]
fn the_whole_grammar() {
    let when = read(WHOLE).unwrap().when;
    let when: Vec<String> =
        when.iter().map(|c| format!("{:?} {}", c.value.fact, c.value.any_of.join(" "))).collect();
    assert_eq!(when, ["Display wayland", "Desktop gnome", "Host debian fedora", "User ordinary"]);
    let manifest = read(WHOLE).map_err(|reports| shown(&reports)).unwrap();
    assert_eq!(manifest.id.unwrap().value, "org.example.App".parse::<AppId>().unwrap());
    assert_eq!((manifest.layer, manifest.file.as_str()), (Layer::Vendor, "/m/a.toml"));
    let presets: Vec<_> = manifest.extends.iter().map(|preset| preset.value.as_str()).collect();
    assert_eq!(presets, ["base/gtk", "base/portal"]);
    let s = manifest.settings;
    let name = s.name.unwrap();
    assert_eq!(name.value, "Größe");
    assert_eq!((name.origin.line, name.origin.column), (4, 8));
    assert_eq!(s.command.unwrap().value, ["-x", "a b", ""]);
    assert_eq!(values(&s.desktop), ["org.example.App.desktop"]);
    assert!(s.single_instance.unwrap().value);
    assert_eq!(s.hostname.unwrap().value, "box");
    assert_eq!(s.nice.unwrap().value, -20);
    assert_eq!(s.oom_score.unwrap().value, 1000);
    assert_eq!(s.timeout.unwrap().value, 300);
    assert_eq!(s.landlock.unwrap().value, LandlockMode::Require);
    assert_eq!(s.home.kind.unwrap().value, HomeKind::Ephemeral);
    assert_eq!(values(&s.home.persist), [".config/app", "b"]);
    let read = values(&s.filesystem.read);
    assert_eq!(read[0].path.as_str(), "xdg-documents");
    assert_eq!((read[0].required, read[0].exec), (false, None));
    assert_eq!((read[1].required, read[1].exec), (true, Some(true)));
    let entry = &s.filesystem.read.items[1].origin;
    assert_eq!((entry.line, entry.column), (20, 26));
    assert_eq!(values(&s.filesystem.write)[0].path.as_str(), "/srv/x");
    assert_eq!(values(&s.filesystem.create)[0].path.as_str(), "~/Notes");
    assert_eq!(values(&s.filesystem.deny), paths(&["~/Papers/private", "/usr/share/x"]));
    assert!(s.display.wayland.unwrap().value);
    assert_eq!(s.display.x11.unwrap().value, X11Mode::Fallback);
    assert!(s.audio.playback.unwrap().value);
    assert!(!s.audio.record.unwrap().value);
    assert_eq!(values(&s.devices), [Device::Gpu, Device::Kvm]);
    assert_eq!(s.network.mode.unwrap().value, NetworkMode::None);
    assert_eq!(values(&s.network.connect), [1, 65535]);
    assert!(s.network.connect.emptied.is_none());
    assert!(s.network.listen.emptied.is_some() && s.network.listen.items.is_empty());
    let names = |bus: &crate::model::manifest::BusSettings| {
        let names = [&bus.see, &bus.talk, &bus.own];
        let rules = [&bus.call, &bus.broadcast];
        let mut all: Vec<String> =
            names.iter().flat_map(|list| list.values().map(ToString::to_string)).collect();
        all.extend(rules.iter().flat_map(|list| list.values().cloned()));
        all
    };
    let session = ["a.b", "ca.desrt.dconf", "org.example.*", "a.b=*", "a.b=c.d.E@/x"];
    assert_eq!(names(&s.session_bus), session);
    assert_eq!(names(&s.system_bus), ["a.c", "a.d", "a.e", "a.f=*", "a.g=*"]);
    assert_eq!(values(&s.portals), ["file-chooser"]);
    assert!(s.marker.unwrap().value);
    assert!(s.accessibility.unwrap().value);
    let ssh = s.ssh_agent.unwrap().value;
    assert_eq!((ssh.enabled, ssh.confirm, ssh.keys.len()), (true, true, 1));
    assert!(!s.gpg_agent.unwrap().value);
    let set: Vec<_> = s
        .environment_set
        .iter()
        .map(|(name, value)| (name.as_str(), value.value.as_str()))
        .collect();
    assert_eq!(set, [("EMPTY", ""), ("GTK_THEME", "Adwaita")]);
    assert_eq!(values(&s.environment_pass), ["LANG", "LC_*"]);
    assert_eq!(s.nested.unwrap().value, Nested::Browser);
    assert_eq!(values(&s.syscalls), [SyscallFeature::Devel]);
    let limits: Vec<_> =
        s.limits.values.iter().map(|(name, value)| (name.as_str(), value.value.as_str())).collect();
    assert_eq!(
        limits,
        [
            ("core", "0"),
            ("cpu", "150%"),
            ("file-size", "1T"),
            ("io-weight", "100"),
            ("memory", "2G"),
            ("memory-high", "1048576"),
            ("open-files", "1024"),
            ("swap", "0"),
            ("tasks", "512"),
        ]
    );
    assert!(s.limits.required.unwrap().value);
    assert_eq!(values(&s.check_must_open), paths(&["~/Papers"]));
    assert_eq!(values(&s.check_must_deny), paths(&["/proc/kcore"]));
}

/// A key without a row there could be neither locked nor reset.
#[test]
fn every_key_is_a_statement() {
    let keys = || keys::KEYS.iter().map(keys::Key::full);
    let of_the_file = ["schema", "id", "extends", "lock", "reset"];
    let wanted: BTreeSet<String> =
        keys().filter(|k| !of_the_file.contains(&k.as_str()) && !k.starts_with("when.")).collect();
    let mut settings = good(WHOLE);
    let stated: BTreeSet<String> = settings.stated().into_iter().map(|(key, _)| key).collect();
    assert_eq!(stated, wanted);
    // All of them can be taken back but what is denied.
    let mut above = Settings::default();
    for key in wanted {
        above.reset.push(Sourced::new(key, Origin::builtin("test")));
    }
    settings = settings.merge(above);
    let left: Vec<String> = settings.stated().into_iter().map(|(key, _)| key).collect();
    assert_eq!(left, ["filesystem.deny"; 2]);
}

/// The sample above states every key but the two that its layer may not.
#[test]
fn the_sample_is_whole() {
    for key in keys::KEYS.iter().filter(|key| !matches!(key.name, "lock" | "reset")) {
        let stated = WHOLE.lines().any(|line| line.starts_with(&format!("{} = ", key.name)));
        assert!(stated || WHOLE.contains(&format!("[{}]", key.full())), "{}", key.full());
    }
}

#[test]
fn what_is_absent_is_not_stated() {
    assert_eq!(good("schema = 1\n"), Settings::default());
    assert_eq!(
        good("schema = 1\n[filesystem]\ndeny = []\n[home]\n[bus.session]"),
        Settings::default()
    );
    assert_eq!(read("schema = 1").unwrap().id, None);
}

#[test]
fn other_ways_to_write_things() {
    let s = good("schema = 1\ntimeout = 90\nhome.kind = \"shared\"\nfilesystem = { read = ['~'] }");
    assert_eq!(s.timeout.unwrap().value, 90);
    assert_eq!(s.home.kind.unwrap().value, HomeKind::Shared);
    assert_eq!(values(&s.filesystem.read)[0].path.as_str(), "~");
    let s = good("schema = 0x1\n[agents]\nssh = false\n[environment.set]\nA = '1'");
    assert!(!s.ssh_agent.unwrap().value.enabled);
    assert_eq!(s.environment_set["A"].value, "1");
}

#[test]
fn entries_of_a_list_stand_once() {
    let s = good("schema = 1\n[network]\nconnect = [80, 443, 80]");
    assert_eq!(values(&s.network.connect), [80, 443]);
    assert_eq!(s.network.connect.items[0].shadowed.len(), 1);
}

#[test]
fn lock_and_reset_are_for_the_admin_and_the_user() {
    let text = "schema = 1\nlock = ['network.mode', 'bus.session', 'audio']\nreset = ['command']";
    for layer in [Layer::Admin, Layer::User] {
        let manifest = parse(text.as_bytes(), "f", layer).unwrap();
        assert_eq!(values(&manifest.settings.lock), ["network.mode", "bus.session", "audio"]);
        assert_eq!(values(&manifest.settings.reset), ["command"]);
    }
    assert_eq!(read(text).unwrap_err().len(), 2);
    for bad in ["network.mod", "id", "nothing", "", "when", "when.display", "lock"] {
        let text = format!("schema = 1\nlock = ['{bad}']");
        assert_eq!(parse(text.as_bytes(), "f", Layer::Admin).unwrap_err().len(), 1, "{bad}");
    }
    // A denial can be locked, and not be taken back.
    let text = "schema = 1\nlock = ['filesystem.deny']\nreset = ['filesystem']";
    assert!(parse(text.as_bytes(), "f", Layer::Admin).is_ok());
    let text = "schema = 1\nreset = ['filesystem.deny']";
    let errors = parse(text.as_bytes(), "f", Layer::Admin).unwrap_err();
    assert!(shown(&errors).contains("no layer takes a denial back"), "{}", shown(&errors));
}

type Fault = (&'static str, Code, (u32, u32), &'static [&'static str]);

/// One fault each: the line and column of its report, its code, and words of
/// its rendering.
#[test]
fn faults() {
    use Code::*;
    #[rustfmt::skip]
    let cases: &[Fault] = &[
        // Keys.
        ("[filesytem]", UnknownKey, (2, 2), &["unknown key `filesytem`", "did you mean `filesystem`?"]),
        ("[home]\nkidn = 'private'", UnknownKey, (3, 1), &["unknown key `kidn` in [home]", "`kind`"]),
        ("mode = 'none'", UnknownKey, (2, 1), &["it belongs into [network]"]),
        ("[network]\nname = 'x'", UnknownKey, (3, 1), &["it belongs into the top of the file"]),
        ("[bus]\ntalk = []", UnknownKey, (3, 1), &["[bus.session] or [bus.system]"]),
        ("[bus.sesion]", UnknownKey, (2, 6), &["did you mean `session`?"]),
        ("xyzzy = 1", UnknownKey, (2, 1), &["unknown key `xyzzy`"]),
        ("\"\\u001b[2J\" = 1", UnknownKey, (2, 1), &["unknown key `\\u{1b}[2J`"]),
        ("[filesystem]\nread = [{ path = '~', requird = true }]", UnknownKey, (3, 23), &["`required`"]),
        ("[agents]\nssh = { key = [] }", UnknownKey, (3, 9), &["did you mean `keys`?"]),
        // Types.
        ("name = 1", WrongType, (2, 8), &["`name` must be a string, not an integer"]),
        ("command = 'evince'", WrongType, (2, 11), &["a list of strings, not a string", "brackets"]),
        ("command = [1]", WrongType, (2, 12), &["`command`"]),
        ("[audio]\nplayback = 'true'", WrongType, (3, 12), &["write true without quotes"]),
        ("[audio]\nplayback = 1979-05-27", WrongType, (3, 12), &["not a date or time"]),
        ("nice = 1.5", WrongType, (2, 8), &["a whole number, not a float"]),
        ("timeout = true", WrongType, (2, 11), &["`timeout` must be a duration"]),
        ("network = 'none'", WrongType, (2, 1), &["`network` must be a table", "write [network]"]),
        ("[[home]]", WrongType, (2, 3), &["`home` must be a table, not an array"]),
        ("[filesystem]\ndeny = [{ path = '~' }]", WrongType, (3, 9), &["not a table"]),
        ("[filesystem]\nread = [true]", WrongType, (3, 9), &["must be a path or {"]),
        ("[filesystem]\nread = [{ path = '~', exec = 1 }]", WrongType, (3, 30), &["`filesystem.read.exec`"]),
        ("[environment]\nset = { A = 1 }", WrongType, (3, 13), &["`environment.set.A` must be a string"]),
        ("[environment]\nset = []", WrongType, (3, 7), &["a table of strings, not an array"]),
        ("when = 1", WrongType, (2, 1), &["`when` must be a table", "write [when]"]),
        ("[when]\ndisplay = 1", WrongType, (3, 11), &["a string or a list of strings"]),
        ("[when]\ndesktop = ['a', 1]", WrongType, (3, 17), &["`when.desktop` must be a string"]),
        ("[when]\ndesktp = 'gnome'", UnknownKey, (3, 1), &["did you mean `desktop`?"]),
        ("[agents]\nssh = 'x'", WrongType, (3, 7), &["true, false or { keys, confirm }"]),
        ("[limits]\nmemory = 1.5", WrongType, (3, 10), &["`limits.memory`"]),
        // Values.
        ("id = 'evince'", BadValue, (2, 6), &["bad value for `id`", "at least three parts"]),
        ("id = 'a.b.c/../d'", BadValue, (2, 6), &["'/'"]),
        ("name = ' '", BadValue, (2, 8), &["it is empty"]),
        ("command = []", BadValue, (2, 11), &["it names no program"]),
        ("command = ['', 'x']", BadValue, (2, 12), &["the program's name is empty"]),
        ("command = ['a', \"b\\u0000c\"]", BadValue, (2, 17), &["`command`", "control character (U+0000)"]),
        ("name = \"a\\u001b[31m\"", BadValue, (2, 8), &["`name`", "control character (U+001B)"]),
        ("name = \"a\\u009b\"", BadValue, (2, 8), &["control character (U+009B)"]),
        ("[environment]\nset = { A = \"a\\u0000\" }", BadValue, (3, 13), &["`environment.set.A`", "U+0000"]),
        ("[environment]\nset = { 1A = '' }", BadValue, (3, 9), &["a variable's name"]),
        ("[environment]\npass = ['*']", BadValue, (3, 9), &["the whole environment"]),
        ("desktop = ['x']", BadValue, (2, 12), &["ends in .desktop"]),
        ("extends = ['../x']", BadValue, (2, 12), &["base/gtk"]),
        ("hostname = 'a b'", BadValue, (2, 12), &["letters, digits and hyphens"]),
        ("nice = 20", BadValue, (2, 8), &["from -20 to 19"]),
        ("nice = 99999999999999999999", BadValue, (2, 8), &["from -20 to 19"]),
        ("oom-score = -1001", BadValue, (2, 13), &["from -1000 to 1000"]),
        ("timeout = '5 m'", BadValue, (2, 11), &["\"5m\""]),
        ("timeout = 0", BadValue, (2, 11), &["from 1"]),
        ("landlock = 'bset'", BadValue, (2, 12), &["did you mean `best`?", "write best or require"]),
        ("[display]\nx11 = 'falback'", BadValue, (3, 7), &["did you mean `fallback`?", "never, fallback, nested"]),
        ("[devices]\nallow = ['gpu', 'cam']", BadValue, (3, 17), &["`devices.allow` has no word `cam`"]),
        ("[network]\nconnect = [0]", BadValue, (3, 12), &["from 1 to 65535"]),
        ("[network]\nconnect = [65536]", BadValue, (3, 12), &["from 1 to 65535"]),
        ("[home]\npersist = ['/x']", BadValue, (3, 12), &["starts in the home already"]),
        ("[bus.session]\ntalk = [':1.2']", BadValue, (3, 9), &["unique names"]),
        ("[bus.session]\ncall = ['a.b']", BadValue, (3, 9), &["has no ="]),
        ("[portals]\nallow = ['FileChooser']", BadValue, (3, 10), &["`portals.allow` has no word `FileChooser`", "did you mean `file-chooser`?"]),
        ("[portals]\nallow = ['usb', 'screen-shot']", BadValue, (3, 17), &["did you mean `screenshot`?"]),
        ("[portals]\nallow = ['everything']", BadValue, (3, 10), &["write account, background", "or wallpaper"]),
        ("[portals]\nallow = ['tray']", BadValue, (3, 10), &["has no word `tray`"]),
        ("[agents]\nssh = { keys = ['x'] }", BadValue, (3, 17), &["SHA256:", "ssh-add"]),
        ("[agents]\nssh = { keys = [] }", BadValue, (3, 16), &["no key is named"]),
        ("[limits]\nmemory = '2 G'", BadValue, (3, 10), &["\"2G\""]),
        ("[limits]\ntasks = -1", BadValue, (3, 9), &["from 1 up"]),
        ("[limits]\nmemory = 99999999999999999999", BadValue, (3, 10), &["too large"]),
        ("[when]\nDesktop = 'x'", UnknownKey, (3, 1), &["did you mean `desktop`?"]),
        ("[when]\ndesktop = 'GNOME'", BadValue, (3, 11), &["lower-case letters"]),
        ("[when]\ndisplay = 'waylnd'", BadValue, (3, 11), &["did you mean `wayland`?", "wayland, x11 or none"]),
        ("[when]\nuser = 'me'", BadValue, (3, 8), &["root or ordinary"]),
        ("[when]\nhost = []", BadValue, (3, 8), &["the file would never count"]),
        ("[filesystem]\nread = ['x']", BadValue, (3, 9), &["the path is relative"]),
        ("[filesystem]\nread = [{ required = true }]", MissingKey, (3, 9), &["has no `path`"]),
        // Paths.
        ("[filesystem]\nread = ['~/../x']", PathRefused, (3, 9), &["a path in `filesystem.read` is refused", "going up"]),
        ("[filesystem]\nread = ['/proc/1']", PathRefused, (3, 9), &["/proc cannot be granted"]),
        ("[filesystem]\nwrite = [{ path = '/usr/x' }]", PathRefused, (3, 19), &["grant it with `read`"]),
        ("[filesystem]\ncreate = ['/']", PathRefused, (3, 11), &["the whole system"]),
        ("[filesystem]\ndeny = ['/dev']", PathRefused, (3, 9), &["/dev cannot be denied"]),
        ("[home]\npersist = ['../x']", PathRefused, (3, 12), &["\"..\""]),
        // TOML.
        ("name = 'a'\nname = 'b'", ManifestSyntax, (3, 1), &["the key `name` stands twice", "this is the first"]),
        ("[home]\n[audio]\n[home]", ManifestSyntax, (4, 2), &["the table [home] stands twice", "this is the first"]),
        ("name = 'abc", ManifestSyntax, (2, 12), &["this is not TOML"]),
        ("name =", ManifestSyntax, (2, 7), &["a key has no value"]),
        ("name = evince", ManifestSyntax, (2, 8), &["a string has no quotes"]),
        ("name", ManifestSyntax, (2, 5), &["key with no value, expected `=`"]),
        ("name = 'a\u{1b}b'", ManifestSyntax, (2, 10), &["the value of `name` has a control character (U+001B)"]),
        ("command = ['a', 'b\0']", ManifestSyntax, (2, 19), &["the value of `command` has a control character (U+0000)"]),
        ("[home", ManifestSyntax, (2, 6), &["unclosed table"]),
        ("home = {\nkind = 'x'", ManifestSyntax, (2, 8), &["unclosed inline table"]),
        ("[ho me]\nx = 1", ManifestSyntax, (2, 4), &["unclosed table"]),
        ("x = truee", ManifestSyntax, (2, 5), &["expected `true`"]),
        ("[home]\nkind = {\n[audio]\nrecrod = 1", ManifestSyntax, (3, 8), &["it begins here"]),
        ("command = ['a'\nname = 'b'\n[home]\nkind = 'x'", ManifestSyntax, (2, 11), &["unclosed array", "it begins here"]),
    ];
    let mut failures = String::new();
    for (body, code, place, words) in cases {
        let reports = read(&format!("schema = 1\n{body}")).unwrap_err();
        let all = shown(&reports);
        let origin = &reports[0].labels[0].origin;
        let right = reports.len() == 1
            && reports[0].code == Some(*code)
            && (origin.line, origin.column) == *place
            && words.iter().all(|word| all.contains(word));
        if !right {
            failures += &format!("{body:?}\nwants {} {place:?} {words:?}\n{all}\n", code.text());
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn every_portal_of_the_catalogue_is_a_word() {
    for word in crate::model::portal::PORTALS {
        let manifest = read(&format!("schema = 1\n[portals]\nallow = ['{word}']")).unwrap();
        assert_eq!(values(&manifest.settings.portals), [word]);
    }
}

#[test]
fn both_places_of_a_key_that_stands_twice() {
    for (body, first, second) in [
        (
            "name = 'a'\n[home]\nkind = 'shared'\n[audio]\nrecord = true\nrecord = true",
            (6, 1),
            (7, 1),
        ),
        ("home.kind = 'shared'\naudio.record = true\nhome.kind = 'shared'", (2, 6), (4, 6)),
        (
            "[filesystem]\nread = [{ path = '~/a' }, { path = '~/b', path = '~/c' }]",
            (3, 29),
            (3, 43),
        ),
        ("[environment]\nset = { A = '1', B = '2', A = '3' }", (3, 9), (3, 27)),
        ("[ home ]\n[audio]\n[home] # again", (2, 3), (4, 2)),
        ("[bus.session]\nsee = []\n[audio]\n[bus.system]\nsee = []\nsee = []", (6, 1), (7, 1)),
        ("\"name\" = 'a'\nname = 'b'", (2, 1), (3, 1)),
    ] {
        let reports = read(&format!("schema = 1\n{body}")).unwrap_err();
        let all = shown(&reports);
        assert_eq!(reports.len(), 1, "{body}\n{all}");
        let places: Vec<(u32, u32)> = reports[0]
            .labels
            .iter()
            .map(|label| (label.origin.line, label.origin.column))
            .collect();
        assert_eq!(places, [second, first], "{body}\n{all}");
    }
}

#[test]
fn a_table_that_stands_twice_is_judged_all_the_same() {
    let reports =
        read("schema = 1\n[home]\nknd = 1\n[audoi]\n[home]\nkind = 'x'\n[audoi]").unwrap_err();
    let lines: Vec<_> = reports.iter().map(|report| report.labels[0].origin.line).collect();
    assert_eq!(lines, [3, 5, 6, 7, 7], "{}", shown(&reports));
}

#[test]
fn schema_must_be_there_and_be_known() {
    let missing = read("name = 'a'").unwrap_err();
    assert_eq!((missing.len(), missing[0].code), (1, Some(Code::MissingKey)));
    assert_eq!(missing[0].labels[0].origin.line, 1);
    assert_eq!(read("").unwrap_err()[0].code, Some(Code::MissingKey));
    let newer = read("schema = 2").unwrap_err();
    assert_eq!((newer.len(), newer[0].code), (1, Some(Code::BadValue)));
    let swallowed = read("command = [\nschema = 1\n").unwrap_err();
    assert_eq!((swallowed.len(), swallowed[0].code), (1, Some(Code::ManifestSyntax)));
    let broken = read("schema = = 1").unwrap_err();
    assert_eq!((broken.len(), broken[0].code), (1, Some(Code::ManifestSyntax)));
}

#[test]
fn ten_faults_are_ten_reports() {
    let text = "scheme = 1\nid = 'evince'\ncommand = []\nnice = \nhostname = 5\n[home]\nkind = 'own'\n\
                [filesystem]\nread = ['/proc', 'x']\nread = []\n[network]\nconnect = [0]\n";
    let reports = read(text).unwrap_err();
    let all = shown(&reports);
    let found: Vec<_> = reports
        .iter()
        .map(|report| (report.code.unwrap().text(), report.labels[0].origin.line))
        .collect();
    assert_eq!(
        found,
        [
            ("E0103", 1),
            ("E0106", 1),
            ("E0105", 2),
            ("E0105", 3),
            ("E0102", 4),
            ("E0104", 5),
            ("E0105", 7),
            ("E0301", 9),
            ("E0105", 9),
            ("E0102", 10),
            ("E0105", 12),
        ],
        "{all}"
    );
    assert!(reports.iter().all(|report| report.labels[0].origin.column > 0), "{all}");
    assert!(reports.iter().all(|report| report.source.is_some()), "{all}");
}

#[test]
fn bytes_that_are_no_manifest() {
    let large = vec![b'#'; 10 * 1024 * 1024];
    let reports = parse(&large, "f", Layer::User).unwrap_err();
    assert_eq!(reports[0].code, Some(Code::ManifestTooLarge));
    assert_eq!((reports[0].labels[0].origin.line, reports[0].labels[0].origin.column), (1, 1));
    let mut most = b"schema = 1\n#".to_vec();
    most.resize(LARGEST, b'x');
    assert!(parse(&most, "f", Layer::User).is_ok());
    most.push(b'x');
    assert!(parse(&most, "f", Layer::User).is_err());

    let reports = parse(b"schema = 1\nname = 'a\xffb'", "f", Layer::User).unwrap_err();
    assert_eq!((reports.len(), reports[0].code), (1, Some(Code::ManifestSyntax)));
    assert_eq!((reports[0].labels[0].origin.line, reports[0].labels[0].origin.column), (2, 10));
    assert!(shown(&reports).contains("not UTF-8"));

    let reports = read("\u{feff}schema = 1\n").unwrap_err();
    assert_eq!((reports.len(), reports[0].code), (1, Some(Code::ManifestSyntax)));
    assert!(shown(&reports).contains("byte order mark"));
}

#[test]
fn a_flood_of_faults_is_cut() {
    let text: String = (0..4000).map(|n| format!("key{n} = 1\n")).collect();
    let reports = read(&text).unwrap_err();
    assert_eq!(reports.len(), 101);
    assert!(shown(&reports).contains("note: 3901 more errors are not listed"));
    let text = format!("schema = 1\n[network]\nconnect = [{}]", "1,".repeat(2000));
    assert!(shown(&read(&text).unwrap_err()).contains("at most 1024 entries"));
}

/// What the parser must not choke on, near the largest size.
#[test]
fn deep_and_long_texts() {
    for text in [
        "[".repeat(60_000),
        format!("a = {}", "[".repeat(60_000)),
        format!("a = {}", "{a=".repeat(20_000)),
        format!("{}a = 1", "a.".repeat(30_000)),
        format!("[{}a]", "a.".repeat(30_000)),
        format!("a = '{}", "x".repeat(60_000)),
        "a = '\n".repeat(10_000),
        "[a]\n".repeat(16_000),
        "\u{1b}\n".repeat(30_000),
        "ü=[ü]\n".repeat(7_000),
        format!("x = [{}]", "1,".repeat(30_000)),
    ] {
        let reports = read(&text).unwrap_err();
        assert!(!reports.is_empty() && reports.len() <= 101);
        assert!(shown(&reports).len() < 200_000);
    }
}

fn toml_line() -> impl Strategy<Value = String> {
    let full: Vec<String> = keys::KEYS.iter().map(keys::Key::full).collect();
    let short: Vec<String> = keys::KEYS.iter().map(|key| key.name.to_owned()).collect();
    let tables: Vec<String> = keys::TABLES.iter().map(|table| (*table).to_owned()).collect();
    let key = prop_oneof![
        proptest::sample::select(full),
        proptest::sample::select(short),
        "[a-z\"'.-]{1,8}",
    ];
    let value = prop_oneof![
        Just("true".to_owned()),
        Just("[]".to_owned()),
        "-?[0-9]{1,20}",
        "\"[^\"\\\\]{0,6}\"",
        "'[~/a-z*.\\[]{0,8}'",
        "\\[('[~/a-z.]{0,6}', ?){0,3}\\]",
        "\\{ ?(path|a|required) = ('~'|true|1) ?\\}?",
        ".{0,8}",
    ];
    prop_oneof![
        3 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => proptest::sample::select(tables).prop_map(|table| format!("[{table}]")),
        1 => ".{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, "f", Layer::User);
    }

    #[test]
    fn every_error_has_a_place_in_the_text(lines in proptest::collection::vec(toml_line(), 0..12)) {
        let text = lines.join("\n");
        if let Err(reports) = parse(text.as_bytes(), "f", Layer::User) {
            prop_assert!(!reports.is_empty());
            for report in reports {
                let label = &report.labels[0];
                prop_assert!(label.origin.line > 0 && label.origin.column > 0);
                let (start, end) = label.span.unwrap();
                prop_assert!(start <= end && end <= text.len());
                prop_assert!(text.is_char_boundary(start));
                let before = &text[..start];
                let line = before.matches('\n').count() + 1;
                prop_assert_eq!(label.origin.line as usize, line);
                let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
                prop_assert_eq!(label.origin.column as usize, column);
                let shown = render::text(&report, false);
                prop_assert!(!shown.contains(|c| c != '\n' && crate::report::escape::is_hostile(c)));
            }
        }
    }
}
