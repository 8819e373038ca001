//! What the texts in a manifest may look like. Pure functions from a text to
//! a value or to the reason why it is none.

use crate::model::bus::BusName;
use crate::model::path::{AbsPath, Base, Glob, PathError, PathExpr};
use crate::report::Code;

/// Why a value means nothing, and what to do about it.
#[derive(Debug)]
pub(super) struct Fault {
    pub code: Code,
    pub why: String,
    pub hint: Option<String>,
}

impl Fault {
    pub fn new(why: impl Into<String>) -> Fault {
        Fault { code: Code::BadValue, why: why.into(), hint: None }
    }

    pub fn hint(self, hint: impl Into<String>) -> Fault {
        Fault { hint: Some(hint.into()), ..self }
    }
}

impl<E: std::error::Error> From<E> for Fault {
    fn from(error: E) -> Fault {
        Fault::new(error.to_string())
    }
}

/// What a path in a manifest is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// `filesystem.read`
    Read,
    /// `filesystem.write` and `filesystem.create`
    Write,
    /// `filesystem.deny`
    Deny,
    /// `check`: looked at, not granted.
    Look,
}

/// How far a refusal reaches.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The folder itself; what lies beneath it can be granted.
    Itself,
    /// The folder and all beneath it.
    Beneath,
    /// The same, but only against writing.
    BeneathForWriting,
}

const OF_OTHERS: &str = "files and sockets of other programs are in it";
const OF_SYSTEM: &str = "the programs of the whole system are in it";
const BENEATH: &str = "name the file or folder beneath it that is needed";

/// Folders that no manifest can grant: how far that goes, why, and what to
/// write in their place.
const REFUSED: &[(&str, Reach, &str, &str)] = &[
    ("", Reach::Itself, "it is the whole system", "name the folders that are needed"),
    ("proc", Reach::Beneath, "the sandbox has a /proc of its own", "leave it out"),
    ("sys", Reach::Beneath, "the sandbox decides what of /sys is seen", "leave it out"),
    (
        "dev",
        Reach::Beneath,
        "the sandbox has a /dev of its own",
        "name the kind of device under [devices]",
    ),
    ("run", Reach::Itself, "the sockets of the system's services are in it", BENEATH),
    ("run/user", Reach::Itself, "the sockets of all sessions are in it", BENEATH),
    ("home", Reach::Itself, "the homes of all accounts are in it", "write ~ for one's own home"),
    ("tmp", Reach::Itself, OF_OTHERS, BENEATH),
    ("var/tmp", Reach::Itself, OF_OTHERS, BENEATH),
    ("etc", Reach::Itself, "the settings of the whole system are in it", BENEATH),
    ("usr", Reach::BeneathForWriting, OF_SYSTEM, "grant it with `read`"),
    // On most systems these are links into /usr.
    ("bin", Reach::BeneathForWriting, OF_SYSTEM, "grant it with `read`"),
    ("sbin", Reach::BeneathForWriting, OF_SYSTEM, "grant it with `read`"),
    ("lib", Reach::BeneathForWriting, OF_SYSTEM, "grant it with `read`"),
    ("lib32", Reach::BeneathForWriting, OF_SYSTEM, "grant it with `read`"),
    ("lib64", Reach::BeneathForWriting, OF_SYSTEM, "grant it with `read`"),
    ("libx32", Reach::BeneathForWriting, OF_SYSTEM, "grant it with `read`"),
];

/// Whether a path or pattern names `place`, or with `beneath` something
/// beneath it. Both are relative to the root.
fn names(rest: &str, place: &str, beneath: bool) -> bool {
    if place.is_empty() {
        return rest.is_empty();
    }
    let mut elements = rest.split('/');
    for wanted in place.split('/') {
        match elements.next() {
            Some(element) if Glob::is_pattern(element) => {
                if !Glob::matches(element, wanted) {
                    return false;
                }
            }
            Some(element) if element == wanted => {}
            _ => return false,
        }
    }
    beneath || elements.next().is_none()
}

/// A path expression that can be granted, denied or looked at.
pub(super) fn path(text: &str, access: Access) -> Result<PathExpr, Fault> {
    let expression = PathExpr::parse(text).map_err(|error| {
        let fault = Fault::from(error.clone());
        match error {
            PathError::Dots("..") => Fault { code: Code::PathRefused, ..fault }
                .hint("write the path as it is without going up"),
            _ => fault,
        }
    })?;
    if expression.base != Base::Root || access == Access::Look {
        return Ok(expression);
    }
    for (place, reach, why, hint) in REFUSED {
        let counts = *reach != Reach::BeneathForWriting || access == Access::Write;
        if counts && names(&expression.rest, place, *reach != Reach::Itself) {
            let verb = if access == Access::Deny { "denied" } else { "granted" };
            let hint = if access == Access::Deny { "leave it out" } else { hint };
            let fault = Fault::new(format!("/{place} cannot be {verb}: {why}")).hint(hint);
            return Err(Fault { code: Code::PathRefused, ..fault });
        }
    }
    Ok(expression)
}

/// A clean path relative to the home.
pub(super) fn beneath_home(text: &str) -> Result<String, Fault> {
    if text.starts_with('/') || text == "~" || text.starts_with("~/") {
        return Err(Fault::new("the path starts in the home already")
            .hint("write it without a leading / or ~, as in \".config/evince\""));
    }
    if text.split('/').any(Glob::is_pattern) {
        return Err(Fault::new("a path that is kept has no pattern in it"));
    }
    if text.is_empty() {
        return Err(PathError::Empty.into());
    }
    match AbsPath::new(&format!("/{text}")) {
        Ok(path) => Ok(path.as_str()[1..].to_owned()),
        Err(error @ PathError::Dots("..")) => {
            Err(Fault { code: Code::PathRefused, ..Fault::from(error) })
        }
        Err(error) => Err(error.into()),
    }
}

/// A text that says something.
pub(super) fn not_empty(text: &str) -> Result<String, Fault> {
    if text.trim().is_empty() { Err(Fault::new("it is empty")) } else { Ok(text.to_owned()) }
}

/// A host name by RFC 1123, as long as the kernel takes one.
pub(super) fn host_name(text: &str) -> Result<String, Fault> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if text.len() > 64 {
        return Err(Fault::new("a host name has at most 64 characters"));
    }
    if !text.split('.').all(label) {
        return Err(Fault::new(
            "a host name has letters, digits and hyphens, the latter not at an end of a part",
        ));
    }
    Ok(text.to_owned())
}

/// The file name of a desktop entry.
pub(super) fn desktop_entry(text: &str) -> Result<String, Fault> {
    match text.strip_suffix(".desktop") {
        Some(stem) if !stem.is_empty() && !stem.starts_with('.') && !stem.contains('/') => {
            Ok(text.to_owned())
        }
        _ => Err(Fault::new("a desktop entry is a file name that ends in .desktop")
            .hint("write it without its folder, as in \"org.gnome.Evince.desktop\"")),
    }
}

/// The name of a preset, `base/gtk`. It becomes part of a file name.
pub(super) fn preset(text: &str) -> Result<String, Fault> {
    let good = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    match text.strip_prefix("base/") {
        Some(name) if good(name) => Ok(text.to_owned()),
        _ => Err(Fault::new("a preset is named base/ and a word")
            .hint("write it as in \"base/gtk\", without .toml")),
    }
}

/// A word of lower-case letters, digits and hyphens: a condition's name.
pub(super) fn plain_word(text: &str) -> Result<String, Fault> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.len() <= 64
        && text.bytes().all(inner)
    {
        Ok(text.to_owned())
    } else {
        Err(Fault::new("such a word has lower-case letters, digits and hyphens")
            .hint("write it as in \"desktop-name\""))
    }
}

/// Seconds from `30s`, `5m` or `2h`.
pub(super) fn duration(text: &str) -> Result<u64, Fault> {
    let shape = || {
        Fault::new("a duration is a whole number with s, m or h behind it")
            .hint("write it as in \"30s\", \"5m\" or \"2h\"")
    };
    let (number, unit) = match text.as_bytes().last() {
        Some(b's') => (&text[..text.len() - 1], 1),
        Some(b'm') => (&text[..text.len() - 1], 60),
        Some(b'h') => (&text[..text.len() - 1], 3600),
        _ => return Err(shape()),
    };
    let number = digits(number).ok_or_else(shape)?;
    match number.checked_mul(unit) {
        Some(0) => Err(Fault::new("a duration is at least one second")),
        Some(seconds) if seconds <= u32::MAX.into() => Ok(seconds),
        _ => Err(Fault::new("the duration is longer than a century")),
    }
}

/// A number of plain digits; `parse` alone would take a sign as well.
fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// Letters, digits and `_`, and no digit in front.
fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The name of an environment variable.
pub(super) fn variable(text: &str) -> Result<String, Fault> {
    if is_identifier(text) {
        Ok(text.to_owned())
    } else {
        Err(Fault::new("a variable's name has letters, digits and _, and no digit in front"))
    }
}

/// A variable's name, or with `*` behind it all names that start so.
pub(super) fn variables(text: &str) -> Result<String, Fault> {
    if text == "*" {
        return Err(Fault::new("it would pass the whole environment")
            .hint("name the variables, or how their names start"));
    }
    variable(text.strip_suffix('*').unwrap_or(text)).map(|_| text.to_owned())
}

/// A bus name or a subtree of them.
pub(super) fn bus_name(text: &str) -> Result<BusName, Fault> {
    Ok(BusName::parse(text)?)
}

/// `NAME=[MEMBER][@PATH][#ARGUMENT]`, the rule of a call or a broadcast.
pub(super) fn bus_rule(text: &str) -> Result<String, Fault> {
    let Some((name, rule)) = text.split_once('=') else {
        return Err(Fault::new("the rule has no =")
            .hint("write it as in \"org.example.Service=org.example.Interface.*@/org/example\""));
    };
    BusName::parse(name)?;
    let (rule, argument) = match rule.split_once('#') {
        Some((rule, argument)) => (rule, Some(argument)),
        None => (rule, None),
    };
    if argument.is_some_and(str::is_empty) {
        return Err(Fault::new("nothing stands behind #")
            .hint("it is what the first argument of the call has to be"));
    }
    let (member, path) = match rule.split_once('@') {
        Some((member, path)) => (member, Some(path)),
        None => (rule, None),
    };
    if !is_member(member) {
        return Err(Fault::new("what stands behind = is no interface and no method").hint(
            "write it as in \"org.example.Interface.Method\" or \"org.example.Interface.*\"",
        ));
    }
    if !path.is_none_or(is_object) {
        return Err(Fault::new("what stands behind @ is no object path"));
    }
    Ok(text.to_owned())
}

/// Nothing, `*`, an interface with `.*`, or an interface and a member.
fn is_member(text: &str) -> bool {
    let interface = text.strip_suffix(".*").unwrap_or(text);
    matches!(text, "" | "*") || (interface.contains('.') && interface.split('.').all(is_identifier))
}

/// An object path, or with `/*` all beneath one.
fn is_object(text: &str) -> bool {
    let word = |element: &str| {
        !element.is_empty()
            && element.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let object = text.strip_suffix("/*").unwrap_or(text);
    let inner = object.strip_prefix('/');
    matches!(text, "/" | "/*") || inner.is_some_and(|inner| inner.split('/').all(word))
}

/// The fingerprint of a key as ssh-add prints it.
pub(super) fn fingerprint(text: &str) -> Result<String, Fault> {
    let good = |hash: &str| {
        hash.len() == 43
            && hash.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
    };
    if text.strip_prefix("SHA256:").is_some_and(good) {
        Ok(text.to_owned())
    } else {
        Err(Fault::new("a key is named by SHA256: and the 43 characters of its hash")
            .hint("copy it from what `ssh-add -l` prints"))
    }
}

/// A number of bytes: `512M`, `2G`, or plain.
pub(super) fn size(text: &str) -> Result<String, Fault> {
    let (number, scale) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        Some(b'T') => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    match digits(number) {
        Some(number) if number.leading_zeros() >= scale => Ok(text.to_owned()),
        Some(_) => Err(Fault::new("the size is too large")),
        None => Err(Fault::new("a size is a whole number, with K, M, G or T behind it")
            .hint("write it as in \"512M\" or \"2G\"")),
    }
}

/// A size that is not zero.
pub(super) fn some_size(text: &str) -> Result<String, Fault> {
    let text = size(text)?;
    if text.trim_end_matches(char::is_alphabetic).bytes().all(|byte| byte == b'0') {
        return Err(Fault::new("nothing runs in zero bytes"));
    }
    Ok(text)
}

/// A share of processor time: `150%`.
pub(super) fn percentage(text: &str) -> Result<String, Fault> {
    match text.strip_suffix('%').and_then(digits) {
        Some(1..=1_000_000) => Ok(text.to_owned()),
        _ => Err(Fault::new("a share is a whole number with % behind it")
            .hint("write it as in \"150%\" for one processor and a half")),
    }
}

/// A count, at least one.
pub(super) fn amount(text: &str) -> Result<String, Fault> {
    match digits(text) {
        Some(1..=0xffff_ffff) => Ok(text.to_owned()),
        _ => Err(Fault::new("it must be a whole number from 1 up")),
    }
}

/// The weight of a control group.
pub(super) fn weight(text: &str) -> Result<String, Fault> {
    match digits(text) {
        Some(1..=10_000) => Ok(text.to_owned()),
        _ => Err(Fault::new("a weight is a whole number from 1 to 10000; 100 is usual")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes<T: std::fmt::Debug>(read: impl Fn(&str) -> Result<T, Fault>, good: &[&str]) {
        for text in good {
            assert!(read(text).is_ok(), "{text:?}: {:?}", read(text));
        }
    }

    fn refuses<T: std::fmt::Debug>(read: impl Fn(&str) -> Result<T, Fault>, bad: &[&str]) {
        for text in bad {
            assert!(read(text).is_err(), "{text:?}: {:?}", read(text));
        }
    }

    fn refused(text: &str, access: Access) -> bool {
        path(text, access).is_err_and(|fault| fault.code == Code::PathRefused)
    }

    #[test]
    fn paths_that_cannot_be_granted() {
        let always = [
            "/",
            "/proc",
            "/proc/self",
            "/sys",
            "/sys/class",
            "/dev",
            "/dev/",
            "/dev/dri/card0",
            "/run",
            "/run/user",
            "/home",
            "/tmp",
            "/var/tmp",
            "/var/tmp/",
            "/etc",
            "/a/../b",
            "~/..",
            "/*",
            "/pro?",
            "/[p]roc/1",
            "/*/x",
            "/run/*",
            "/var/t*",
            "/h*",
        ];
        for text in always {
            for access in [Access::Read, Access::Write, Access::Deny] {
                assert!(refused(text, access), "{text} {access:?}");
            }
        }
        for text in ["/usr", "/usr/share/x", "/bin", "/lib64/x", "/us*/share"] {
            assert!(refused(text, Access::Write), "{text}");
            assert!(!refused(text, Access::Read), "{text}");
            assert!(!refused(text, Access::Deny), "{text}");
        }
        let never = [
            "~",
            "/etc/fonts",
            "/run/pcscd",
            "/run/user/1000/app",
            "/home/a",
            "/tmp/x",
            "/opt",
            "/var",
            "/var/tmp/x",
            "/process",
            "/mnt/*",
            "~/*",
            "xdg-documents",
            "/opt/*/x",
        ];
        for text in never {
            for access in [Access::Read, Access::Write, Access::Deny] {
                assert!(path(text, access).is_ok(), "{text} {access:?}");
            }
        }
        takes(|text| path(text, Access::Look), &["/", "/proc/kcore", "/dev/mem", "/usr"]);
    }

    #[test]
    fn unclean_paths_are_bad_values() {
        for text in ["", "x", "/a//b", "/a/./b", "~root", "xdg-none"] {
            let code = path(text, Access::Read).map_err(|fault| fault.code);
            assert_eq!(code, Err(Code::BadValue), "{text:?}");
        }
    }

    #[test]
    fn paths_beneath_home() {
        assert_eq!(beneath_home(".config/evince/").unwrap(), ".config/evince");
        takes(beneath_home, &["a", ".a b/c"]);
        refuses(beneath_home, &["", "/", "/a", "~", "~/a", "a//b", "./a", "a/../b", "..", "a/*"]);
    }

    #[test]
    fn names_of_hosts_and_files() {
        takes(host_name, &["a", "my-host", "a.b.c", "3com"]);
        let long = "a".repeat(64);
        refuses(host_name, &["", "-a", "a-", "a..b", "a_b", "a b", "ü", ".", &long, "a.b."]);
        takes(desktop_entry, &["a.desktop", "org.gnome.Evince.desktop"]);
        refuses(desktop_entry, &["", ".desktop", "a", "a/b.desktop", "a.desktop ", "..desktop"]);
        takes(preset, &["base/gtk", "base/qt6_x-11"]);
        refuses(
            preset,
            &["gtk", "base/", "base/../x", "base/a/b", "base/.x", "/base/x", "base/a.toml"],
        );
        takes(plain_word, &["file-chooser", "usb2"]);
        refuses(plain_word, &["", "File", "a_b", "-a", "a-", "2a"]);
    }

    #[test]
    fn durations() {
        for (text, want) in [("30s", 30), ("5m", 300), ("2h", 7200)] {
            assert_eq!(duration(text).unwrap(), want);
        }
        let bad = [
            "",
            "s",
            "30",
            "-1s",
            "+1s",
            "1.5h",
            "1d",
            "0m",
            "99999999999999999999s",
            "ü",
            "9999999999999999999h",
        ];
        refuses(duration, &bad);
    }

    #[test]
    fn variables_of_the_environment() {
        takes(variable, &["A", "_", "a1_B"]);
        refuses(variable, &["", "1A", "A=B", "A B", "Ä", "A*"]);
        takes(variables, &["LANG", "LC_*"]);
        refuses(variables, &["", "*", "L*C", "LC_**", "1*"]);
    }

    #[test]
    fn bus_rules() {
        takes(
            bus_rule,
            &[
                "a.b=*",
                "a.b=",
                "a.b=@/",
                "a.b=@/*",
                "a.b=c.d.*",
                "a.b=c.d.E@/x/y_1/*",
                "a.b.*=*@/x",
            ],
        );
        refuses(
            bus_rule,
            &[
                "a.b",
                "a=*",
                ":1.2=*",
                "a.b=c",
                "a.b=c..d",
                "a.b=c.d@x",
                "a.b=*@/x/",
                "a.b=*@//",
                "a.b=*@/*/x",
                "a.b=c d.e",
            ],
        );
    }

    #[test]
    fn fingerprints() {
        let hash = "A".repeat(41) + "+/";
        takes(fingerprint, &[&format!("SHA256:{hash}")]);
        refuses(fingerprint, &["", &hash, "SHA256:", "MD5:aa", &format!("SHA256:{hash}=")]);
    }

    #[test]
    fn limits() {
        takes(size, &["0", "512M", "2G", "1024", "3T", "10K"]);
        refuses(size, &["", "G", "2g", "2 G", "-2G", "1.5G", "2GB", "50%", "99999999999T"]);
        takes(some_size, &["1", "1K"]);
        refuses(some_size, &["0", "0G", "00"]);
        takes(percentage, &["1%", "150%"]);
        refuses(percentage, &["", "%", "0%", "150", "1.5%", "-1%"]);
        takes(amount, &["1", "512"]);
        refuses(amount, &["", "0", "-1", "5G", "4294967296"]);
        takes(weight, &["1", "10000"]);
        refuses(weight, &["0", "10001", "a"]);
    }
}
