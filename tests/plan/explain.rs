//! What `pinfold explain` answers, against trees that are really built.
//!
//! The oracle knows nothing of how answers are found: it carries a plan's
//! steps out one after the other in an empty folder, copying in place of
//! mounting, with a mark in each folder of the host that says which one it is
//! and what the bind allows; then it opens the path, as the kernel would.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use pinfold::explain::{Answer, May, Question, Subject};
use pinfold::host::HostFs;
use pinfold::model::origin::{Layer, Origin};
use pinfold::model::path::AbsPath;
use pinfold::model::plan::{Action, Kind, Plan};
use pinfold::resolve::{Request, resolve};
use proptest::prelude::*;
use tempfile::TempDir;

use super::chance::{base, config, statements, tree};
use super::laws::{NAMES, Stated, ask, grow, plan_of, real, things};
use super::seen::is_own;
use super::tree::{Host, nothing_more, path, policy, settings};

/// The file in a built folder that says where it is from.
const MARK: &str = ".is-from";

/// A tree as the steps of a plan leave it.
struct Built {
    dir: TempDir,
}

impl Built {
    fn new(plan: &Plan, host: &Host) -> Built {
        let built = Built { dir: tempfile::tempdir().unwrap() };
        // An own folder may be behind a link that leads nowhere.
        for made in plan.host.iter().filter(|made| made.mode == 0o755) {
            fs::create_dir_all(host.tree.at(made.folder.as_str())).unwrap();
        }
        for step in &plan.tree {
            let place = built.at(step.action.dest());
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            match &step.action {
                Action::Bind { source, kind, write, exec, .. } => {
                    clear(&place);
                    if is_own(plan, source) {
                        fs::create_dir_all(&place).unwrap();
                        continue;
                    }
                    let rights = format!("{write} {exec}");
                    match kind {
                        Kind::Folder => copy(host, source, &place, &rights),
                        Kind::File => fs::write(&place, mark(source, &rights)).unwrap(),
                    }
                }
                Action::Tmpfs { .. } | Action::Proc { .. } | Action::DevPts { .. } => {
                    clear(&place);
                    fs::create_dir_all(&place).unwrap();
                }
                Action::Close { kind, .. } => {
                    clear(&place);
                    match kind {
                        Kind::Folder => fs::create_dir_all(&place).unwrap(),
                        Kind::File => fs::write(&place, "").unwrap(),
                    }
                }
                Action::Folder { .. } => {
                    // One takes the place of a link of the host's.
                    if place.is_symlink() {
                        clear(&place);
                    }
                    fs::create_dir_all(&place).unwrap();
                }
                Action::Link { target, .. } => {
                    clear(&place);
                    symlink(target, &place).unwrap();
                }
                Action::Text { .. } | Action::Fill { .. } | Action::Listen { .. } => {
                    fs::write(&place, "").unwrap();
                }
                Action::ReadOnly { .. } => {}
            }
        }
        built
    }

    fn at(&self, place: &AbsPath) -> PathBuf {
        self.dir.path().join(place.as_str().trim_start_matches('/'))
    }

    /// The mark of what a path leads to, within the tree as its root; and
    /// whether anything of the host is there or beneath.
    fn found(&self, at: &AbsPath) -> (Option<String>, bool) {
        let fs = HostFs::at(self.dir.path()).unwrap();
        let mark = fs
            .read_text_following(&at.child(MARK), 4096)
            .or_else(|_| fs.read_text_following(at, 4096))
            .ok()
            .filter(|text| !text.is_empty());
        let place = self.at(at);
        let any = mark.is_some() || has_mark(&place);
        (mark, any)
    }
}

fn mark(source: &AbsPath, rights: &str) -> String {
    format!("{source} {rights}")
}

fn clear(place: &Path) {
    match fs::symlink_metadata(place) {
        Ok(about) if about.is_dir() => fs::remove_dir_all(place).unwrap(),
        Ok(_) => fs::remove_file(place).unwrap(),
        Err(_) => {}
    }
}

fn copy(host: &Host, source: &AbsPath, place: &Path, rights: &str) {
    fs::create_dir_all(place).unwrap();
    fs::write(place.join(MARK), mark(source, rights)).unwrap();
    let Ok(entries) = fs::read_dir(host.tree.at(source.as_str())) else { return };
    for entry in entries.map(Result::unwrap) {
        let name = entry.file_name();
        let inner = source.child(name.to_str().unwrap());
        let to = place.join(&name);
        let about = entry.file_type().unwrap();
        if about.is_dir() {
            copy(host, &inner, &to, rights);
        } else if about.is_symlink() {
            symlink(fs::read_link(entry.path()).unwrap(), to).unwrap();
        } else {
            fs::write(to, mark(&inner, rights)).unwrap();
        }
    }
}

fn has_mark(place: &Path) -> bool {
    match fs::symlink_metadata(place) {
        Ok(about) if about.is_dir() => fs::read_dir(place).unwrap().any(|entry| {
            entry.is_ok_and(|entry| entry.file_name() == MARK || has_mark(&entry.path()))
        }),
        Ok(about) if about.is_file() => fs::metadata(place).unwrap().len() > 0,
        _ => false,
    }
}

fn explain(host: &Host, plan: &Plan, text: &str, stated: &[Stated]) -> Answer {
    let texts: Vec<(Layer, String)> = stated.iter().map(|one| (one.layer, one.text())).collect();
    let layers: Vec<(Layer, &str)> =
        texts.iter().map(|(layer, text)| (*layer, text.as_str())).collect();
    let policy = policy(settings(&layers));
    let (facts, fs) = (host.facts(), host.tree.fs());
    let subject = Subject { policy: &policy, plan, facts: &facts, fs: &fs, app: "org.example.App" };
    subject.answer(&Question::parse(text).unwrap())
}

/// An answer about manifests of several layers.
fn about(host: &Host, layers: &[(Layer, &str)], text: &str) -> Answer {
    let policy = policy(settings(layers));
    let (facts, fs) = (host.facts(), host.tree.fs());
    let request = Request { only_looks: true, ..nothing_more() };
    let plan = resolve(&policy, &facts, &fs, &request).unwrap();
    let app = "org.example.App";
    let subject = Subject { policy: &policy, plan: &plan, facts: &facts, fs: &fs, app };
    subject.answer(&Question::parse(text).unwrap())
}

fn places(origins: &[Origin]) -> Vec<(Layer, u32)> {
    origins.iter().map(|origin| (origin.layer, origin.line)).collect()
}

#[test]
fn an_answer_names_the_line_that_decides_and_those_that_it_overrules() {
    let host = Host::small();
    host.tree.folder("/home/ada/a/b");
    host.tree.own("/home/ada");
    let vendor = (Layer::Vendor, "[filesystem]\nread = [\"~/a\"]");
    let answer = about(&host, &[vendor], "~/a/b");
    assert_eq!((answer.may, places(&answer.decided)), (May::Yes, vec![(Layer::Vendor, 3)]));
    assert!(answer.shadowed.is_empty());
    let user = (Layer::User, "[filesystem]\n\ndeny = [\"~/a/b\"]");
    let answer = about(&host, &[vendor, user], "~/a/b");
    assert_eq!((answer.may, places(&answer.decided)), (May::No, vec![(Layer::User, 4)]));
    assert_eq!(places(&answer.shadowed), [(Layer::Vendor, 3)]);
    let above = about(&host, &[vendor, user], "~/a");
    assert_eq!(above.may, May::Partly);
    assert!(above.limits.iter().any(|limit| limit == "but not /home/ada/a/b"), "{above:?}");
    let flag = (Layer::CommandLine, "[filesystem]\nread = [\"~/a/b\"]");
    let answer = about(&host, &[vendor, user, flag], "~/a/b");
    assert_eq!((answer.may, places(&answer.decided)), (May::Yes, vec![(Layer::CommandLine, 3)]));
    assert_eq!(places(&answer.shadowed), [(Layer::Vendor, 3), (Layer::User, 4)]);
}

#[test]
fn a_denial_is_known_by_where_its_links_lead() {
    let host = Host::small();
    host.tree.folder("/srv/data");
    host.tree.link("/home/ada/link", "/srv/data");
    host.tree.own("/home/ada");
    let user = (Layer::User, "[filesystem]\nread = [\"/srv\"]\ndeny = [\"~/link\"]");
    let answer = about(&host, &[user], "/srv/data");
    assert_eq!((answer.may, places(&answer.decided)), (May::No, vec![(Layer::User, 4)]));
}

#[test]
fn what_is_locked_is_offered_to_nobody() {
    let host = Host::small();
    host.tree.folder("/home/ada/a");
    host.tree.own("/home/ada");
    let offers = |layers: &[(Layer, &str)]| {
        let answer = about(&host, layers, "~/a");
        assert_eq!(answer.may, May::No);
        answer.change.join("\n")
    };
    assert!(offers(&[]).contains("run with --read ~/a"));
    assert!(offers(&[]).contains("pinfold override org.example.App --read ~/a"));
    let told = offers(&[(Layer::Admin, "lock = [\"filesystem.read\"]")]);
    assert!(told.contains("`filesystem.read` is locked by admin.toml:2"), "{told}");
    assert!(!told.contains("--read"), "{told}");
    // What the person locks themselves binds the command line alone.
    let told = offers(&[(Layer::User, "lock = [\"filesystem\"]")]);
    assert!(told.contains("is locked by user.toml:2"), "{told}");
}

#[test]
fn networks_devices_and_calls() {
    let host = Host::small();
    let may = |text: &str, what: &str| about(&host, &[(Layer::User, text)], what).may;
    let host_network = "[network]\nmode = \"host\"";
    let limited = "[network]\nmode = \"host\"\nconnect = [443]";
    for (text, what, want) in [
        ("", "host:example.org:443", May::No),
        ("", "localhost:80", May::No),
        (host_network, "host:example.org", May::Yes),
        (limited, "host:example.org:443", May::Yes),
        (limited, "host:example.org:80", May::No),
        (limited, "host:example.org", May::Partly),
        ("", "device:gpu", May::No),
        ("", "syscall:ptrace", May::No),
        ("[syscalls]\nallow = [\"devel\"]", "syscall:ptrace", May::Yes),
        ("", "syscall:clone", May::Partly),
        ("", "syscall:read", May::Yes),
        ("", "portal:print", May::No),
        ("", "bus:org.example.Name", May::No),
        // Granted, and there is no bus.
        ("[portals]\nallow = [\"print\"]", "portal:print", May::No),
        ("[bus.session]\ntalk = [\"org.a.B\"]", "bus:org.a.B", May::No),
    ] {
        assert_eq!(may(text, what), want, "{text}: {what}");
    }
    let answer =
        about(&host, &[(Layer::User, "[bus.session]\ntalk = [\"org.a.B\"]")], "bus:org.a.B");
    assert_eq!(places(&answer.decided), [(Layer::User, 3)]);
    // A kernel without ports in its landlock limits none.
    let mut old = Host::small();
    old.landlock_abi = 3;
    assert_eq!(about(&old, &[(Layer::User, limited)], "host:example.org:80").may, May::Yes);
    // The line that is offered gives the other answer.
    let answer = about(&host, &[], "syscall:ptrace");
    let line = answer.change.iter().find_map(|line| line.split_once("under [syscalls]: "));
    let text = format!("[syscalls]\n{}", line.unwrap().1);
    assert_eq!(may(&text, "syscall:ptrace"), May::Yes);
    // An empty list of a higher layer decides.
    let lower = (Layer::Vendor, "[portals]\nallow = [\"print\"]");
    let answer = about(&host, &[lower, (Layer::User, "[portals]\nallow = []")], "portal:print");
    assert_eq!(places(&answer.decided), [(Layer::User, 3)]);
}

/// Trees are built for each case, which takes its time.
fn fewer() -> ProptestConfig {
    ProptestConfig { cases: config().cases / 3, ..config() }
}

proptest! {
    #![proptest_config(fewer())]

    /// An answer names a thing of the host, and what may be done with it, if
    /// and only if that thing is what a path leads to in the tree that the
    /// plan's steps leave; and it says no if and only if nothing of the host
    /// is there or beneath.
    #[test]
    fn answers_are_what_the_steps_leave(
        entries in tree(), mut stated in statements(), shared: bool
    ) {
        let host = grow(&entries);
        let plan = plan_of(&host, &mut stated, base(shared));
        let built = Built::new(&plan, &host);
        let mut asked = things(&host);
        asked.extend(NAMES.iter().map(|name| path(&name.replace("/*", "").replace('~', "/home/ada"))));
        for at in asked {
            let answer = explain(&host, &plan, at.as_str(), &stated);
            let (mark, any) = built.found(&at);
            let told = answer.rights.as_ref().map(|rights| {
                self::mark(&rights.source, &format!("{} {}", rights.write, rights.exec))
            });
            // What does not exist leaves no mark, and the answer says so.
            let absent = answer.limits.iter().any(|limit| limit.contains("not there at the moment"));
            if absent {
                prop_assert_eq!(&mark, &None, "{}", at);
                continue;
            }
            prop_assert_eq!(&told, &mark, "{}: {:?}", at, answer);
            let is_link = answer.limits.iter().any(|limit| limit.contains("is a link"));
            if !is_link {
                prop_assert_eq!(answer.may != May::No, any, "{}: {:?}", at, answer);
            }
        }
    }

    /// The flag that an answer offers to open a path opens it, and the one
    /// that it offers to shut it shuts it.
    #[test]
    fn what_an_answer_offers_works(entries in tree(), mut stated in statements()) {
        let host = grow(&entries);
        let first = plan_of(&host, &mut stated, "");
        for name in NAMES.iter().copied().filter(|name| !name.contains('*')) {
            let at = path(&name.replace('~', "/home/ada"));
            // A name that a link of the home has is judged by what it leads to.
            let about = fs::symlink_metadata(host.tree.at(at.as_str()));
            let is_thing = about.is_ok_and(|about| !about.is_symlink());
            if real(&host, &at) != at || !is_thing {
                continue;
            }
            let answer = explain(&host, &first, name, &stated);
            for (key, open) in [("read", true), ("deny", false)] {
                let offer = format!("run with --{key} {name}");
                if !answer.change.iter().any(|line| line.contains(&offer)) {
                    continue;
                }
                let mut more = stated.clone();
                more.push(Stated { layer: Layer::CommandLine, key, name });
                let plan = ask(&host, &more, "", &nothing_more());
                let plan = plan.unwrap_or_else(|errors| panic!("{name}: {errors:#?}"));
                let now = explain(&host, &plan, name, &more);
                // All that is in a folder may be protected.
                let is_empty = now.limits.iter().any(|limit| limit.contains("present entries"));
                let is_open = now.may != May::No || (is_empty && open);
                prop_assert_eq!(is_open, open, "{} {}: {:?} {:?}", key, name, answer, now);
            }
        }
    }
}
