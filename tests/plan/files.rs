//! What is granted of the host's files, one rule at a time.

use pinfold::model::origin::Layer::{Admin, CommandLine, User, Vendor};
use pinfold::model::plan::{Action, Kind, Plan, Step, Weight};
use pinfold::report::Code;
use pinfold::resolve::protected;

use super::seen::{Seen, link, note, readable, seen, step, writable};
use super::tree::{Host, nothing_more, path, settings};

/// A small host with these folders (a trailing slash) and files.
fn with(entries: &[&str]) -> Host {
    let host = Host::small();
    for entry in entries {
        match entry.strip_suffix('/') {
            Some(folder) => host.tree.folder(folder),
            None => host.tree.file(entry, ""),
        }
    }
    host.tree.own("/home/ada");
    host
}

fn codes(errors: &[pinfold::report::Diagnostic]) -> Vec<Code> {
    errors.iter().filter_map(|error| error.code).collect()
}

/// What can be written to of the host, by its real path.
fn writes(plan: &Plan) -> Vec<&str> {
    plan.writable.iter().map(|path| path.as_str()).collect()
}

#[test]
fn read_write_and_nothing() {
    let host = with(&["/home/ada/in/a", "/home/ada/out/b", "/home/ada/other/c", "/srv/tool"]);
    let text = "[filesystem]\nread = [\"~/in\", \"/srv\"]\nwrite = [\"~/out\"]";
    let plan = host.plan(&[(Vendor, text)]);
    assert_eq!(seen(&plan, "/home/ada/in/a"), readable("/home/ada/in/a"));
    assert_eq!(seen(&plan, "/home/ada/out/b"), writable("/home/ada/out/b"));
    assert_eq!(seen(&plan, "/home/ada/other/c"), Seen::Own);
    // Outside the home, what can be read can be executed.
    let tool = Seen::Host { source: "/srv/tool".to_owned(), write: false, exec: true };
    assert_eq!(seen(&plan, "/srv/tool"), tool);
    assert_eq!(writes(&plan), ["/home/ada/out"]);
}

#[test]
fn exec_is_as_stated() {
    let host = with(&["/home/ada/in/", "/srv/a/", "/home/ada/out/"]);
    let text = "[filesystem]\nread = [{ path = \"~/in\", exec = true }, \
                { path = \"/srv/a\", exec = false }]\nwrite = [{ path = \"~/out\", exec = true }]";
    let plan = host.plan(&[(Vendor, text)]);
    let exec = |at: &str| matches!(seen(&plan, at), Seen::Host { exec: true, .. });
    assert_eq!([exec("/home/ada/in"), exec("/srv/a"), exec("/home/ada/out")], [true, false, true]);
}

#[test]
fn a_missing_path_is_skipped_unless_it_is_required() {
    let host = with(&[]);
    let plan = host.plan(&[(Vendor, "[filesystem]\nread = [\"~/none\"]\nwrite = [\"/none\"]")]);
    assert_eq!(note(&plan, &["/home/ada/none is not there"]), Some(Weight::Notice));
    assert_eq!(seen(&plan, "/home/ada/none"), Seen::Own);
    let text = "[filesystem]\nread = [{ path = \"~/none\", required = true }]";
    let errors = host.refusal(&[(Vendor, text)]);
    assert_eq!(codes(&errors), [Code::PathMissing]);
    assert_eq!(errors[0].labels[0].origin.line, 3);
}

#[test]
fn a_narrower_grant_stands_in_a_broader_one() {
    let host = with(&["/home/ada/a/b/c/"]);
    let text = "[filesystem]\nwrite = [\"~/a\", \"~/a/b/c\"]\nread = [\"~/a/b\"]";
    let plan = host.plan(&[(Vendor, text)]);
    assert_eq!(seen(&plan, "/home/ada/a"), writable("/home/ada/a"));
    assert_eq!(seen(&plan, "/home/ada/a/b"), readable("/home/ada/a/b"));
    assert_eq!(seen(&plan, "/home/ada/a/b/c"), writable("/home/ada/a/b/c"));
    // The same path to read and to write is to write.
    let plan = host.plan(&[(Vendor, "[filesystem]\nread = [\"~/a\"]\nwrite = [\"~/a\"]")]);
    assert_eq!(seen(&plan, "/home/ada/a"), writable("/home/ada/a"));
    // What is shown already is not shown twice.
    let plan = host.plan(&[(Vendor, "[filesystem]\nread = [\"~/a\", \"~/a/b\"]")]);
    assert_eq!(step(&plan, &path("/home/ada/a/b")).unwrap().action.dest().as_str(), "/home/ada/a");
}

#[test]
fn a_single_file_is_shown_with_a_word_about_saving() {
    let host = with(&["/home/ada/list.txt"]);
    let plan = host.plan(&[(Vendor, "[filesystem]\nwrite = [\"~/list.txt\"]")]);
    assert_eq!(seen(&plan, "/home/ada/list.txt"), writable("/home/ada/list.txt"));
    assert_eq!(note(&plan, &["list.txt", "single file"]), Some(Weight::Info));
}

// --- protected paths ---------------------------------------------------------

const BROAD: &str = "[filesystem]\nwrite = [\"~\"]";

#[test]
fn a_grant_of_the_home_keeps_protected_paths_shut() {
    let host = with(&[
        "/home/ada/.ssh/id",
        "/home/ada/.config/app/rc",
        "/home/ada/.config/git/config",
        "/home/ada/.local/share/app/",
        "/home/ada/.local/share/keyrings/",
        "/home/ada/Documents/",
        "/home/ada/note",
    ]);
    for layer in [Vendor, Admin, User, CommandLine] {
        let plan = host.plan(&[(layer, BROAD)]);
        for open in ["Documents", "note", ".config/app", ".local/share/app"] {
            let at = format!("/home/ada/{open}");
            assert_eq!(seen(&plan, &at), writable(&at), "{layer}");
        }
        // Shut while it is there, and never there while it is missing; a
        // name that is new in the way of one stays in the own home.
        for shut in [
            ".ssh",
            ".config/git",
            ".local/share/keyrings",
            ".gnupg",
            ".bashrc",
            ".config/autostart",
            ".local/bin",
            "new",
            ".config/new",
            ".local/share/new",
        ] {
            assert_eq!(seen(&plan, &format!("/home/ada/{shut}")), Seen::Own, "{layer}: {shut}");
        }
        assert_eq!(note(&plan, &["/home/ada is shown as its present entries"]), Some(Weight::Info));
    }
}

#[test]
fn every_protected_path_is_shut_in_a_shared_home() {
    let host = Host::small();
    let facts = host.facts();
    for (path, _) in protected::paths(&facts) {
        if std::fs::symlink_metadata(host.tree.at(path.as_str())).is_err() {
            host.tree.folder(path.as_str());
        }
    }
    host.tree.folder("/home/ada/Documents");
    host.tree.own("/home/ada");
    let plan = host.plan(&[(Vendor, "[home]\nkind = \"shared\"")]);
    assert_eq!(seen(&plan, "/home/ada/Documents"), writable("/home/ada/Documents"));
    for (path, _) in protected::paths(&facts) {
        // Two are shown to be read, whatever the home.
        let looks = path.as_str().contains("/.config/user-dirs.");
        // The runtime folder inside has only its name from the one outside.
        let runtime = facts.runtime_dir.as_ref() == Some(&path);
        let found = seen(&plan, path.as_str());
        assert!(
            found == Seen::Own
                || runtime && found == Seen::Made
                || looks && found == readable(path.as_str()),
            "{path}: {found:?}"
        );
    }
}

#[test]
fn a_protected_path_opens_to_who_may_open_it() {
    let host = with(&["/home/ada/.ssh/id", "/home/ada/.ssh/config"]);
    let text = "[filesystem]\nread = [\"~/.ssh\"]";
    let plan = host.plan(&[(Vendor, text)]);
    assert_eq!(seen(&plan, "/home/ada/.ssh"), Seen::Own);
    assert_eq!(note(&plan, &["/home/ada/.ssh stays shut", "holds secrets"]), Some(Weight::Notice));
    for layer in [Admin, User, CommandLine] {
        let plan = host.plan(&[(layer, text)]);
        assert_eq!(seen(&plan, "/home/ada/.ssh/id"), readable("/home/ada/.ssh/id"));
        // A part of it alone.
        let plan =
            host.plan(&[(Vendor, BROAD), (layer, "[filesystem]\nread = [\"~/.ssh/config\"]")]);
        assert_eq!(seen(&plan, "/home/ada/.ssh/config"), readable("/home/ada/.ssh/config"));
        assert_eq!(seen(&plan, "/home/ada/.ssh/id"), Seen::Own);
    }
}

#[test]
fn a_protected_path_is_shut_behind_links_too() {
    let host = with(&["/home/ada/dots/ssh/id", "/home/ada/dots/note", "/data/cfg/app/"]);
    host.tree.link("/home/ada/.ssh", "dots/ssh");
    host.tree.link("/home/ada/.config", "/data/cfg");
    host.tree.own("/home/ada");
    host.tree.own("/data/cfg");
    let plan = host.plan(&[(Vendor, "[filesystem]\nwrite = [\"~/dots\", \"/data\"]")]);
    assert_eq!(seen(&plan, "/home/ada/dots/note"), writable("/home/ada/dots/note"));
    assert_eq!(seen(&plan, "/home/ada/dots/ssh"), Seen::Own);
    // What is missing behind a link is kept from being made there.
    assert_eq!(seen(&plan, "/data/cfg/app"), writable("/data/cfg/app"));
    assert_eq!(seen(&plan, "/data/cfg/autostart"), Seen::Nothing);
    assert_eq!(seen(&plan, "/data/cfg"), Seen::Made);
    // By its real name it is the same thing.
    let plan = host.plan(&[(Vendor, "[filesystem]\nread = [\"~/dots/ssh\", \"/data/cfg/git\"]")]);
    assert_eq!(seen(&plan, "/home/ada/dots/ssh"), Seen::Own);
    assert!(note(&plan, &["dots/ssh stays shut"]).is_some());
}

#[test]
fn the_links_that_lead_to_a_protected_path_cannot_be_replaced() {
    let host = with(&["/home/ada/b/cfg/app/", "/home/ada/a/note"]);
    host.tree.link("/home/ada/a/cfg", "../b/cfg");
    host.tree.link("/home/ada/.config", "a/cfg");
    host.tree.own("/home/ada");
    let plan = host.plan(&[(Vendor, "[filesystem]\nwrite = [\"~/a\"]")]);
    // ~/a is not shown whole: whoever could put a folder of theirs in the
    // place of ~/a/cfg would have ~/.config.
    assert_eq!(seen(&plan, "/home/ada/a"), Seen::Own);
    assert_eq!(seen(&plan, "/home/ada/a/note"), writable("/home/ada/a/note"));
    // The same for a protected path that is itself the first of the links.
    let host = with(&["/home/ada/b/keys/id", "/home/ada/a/note"]);
    host.tree.link("/home/ada/a/keys", "../b/keys");
    host.tree.link("/home/ada/.ssh", "a/keys");
    host.tree.own("/home/ada");
    let plan = host.plan(&[(Vendor, "[filesystem]\nwrite = [\"~/a\"]")]);
    assert_eq!(seen(&plan, "/home/ada/a"), Seen::Own);
    assert_eq!(seen(&plan, "/home/ada/a/note"), writable("/home/ada/a/note"));
}

#[test]
fn protected_paths_move_with_the_xdg_folders() {
    let mut host = with(&["/srv/cfg/app/", "/srv/share/app/", "/srv/state/", "/srv/cache/app/"]);
    for (name, value) in [
        ("XDG_CONFIG_HOME", "/srv/cfg"),
        ("XDG_DATA_HOME", "/srv/share"),
        ("XDG_STATE_HOME", "/srv/state"),
        ("XDG_CACHE_HOME", "/srv/cache"),
    ] {
        host.set(name, value);
    }
    host.tree.own("/srv");
    let plan = host.plan(&[(Vendor, "[filesystem]\nwrite = [\"/srv\"]")]);
    for open in ["/srv/cfg/app", "/srv/share/app", "/srv/cache/app"] {
        assert_eq!(seen(&plan, open), writable(open));
    }
    for shut in [
        "/srv/cfg/autostart",
        "/srv/cfg/pinfold",
        "/srv/share/keyrings",
        "/srv/share/pinfold",
        "/srv/state/pinfold",
        "/srv/cache/mozilla",
    ] {
        assert_eq!(seen(&plan, shut), Seen::Nothing, "{shut}");
        let folder = path(shut).parent().unwrap();
        assert_eq!(seen(&plan, folder.as_str()), Seen::Made, "{folder}");
    }
}

#[test]
fn the_accounts_other_home_is_protected_too() {
    let mut host = with(&["/home/ada/.ssh/id", "/home/ada/note", "/srv/second/.ssh/id"]);
    host.set("HOME", "/srv/second");
    let plan = host.plan(&[(Vendor, "[filesystem]\nwrite = [\"/home/ada\", \"~\"]")]);
    assert_eq!(seen(&plan, "/home/ada/note"), writable("/home/ada/note"));
    assert_eq!(seen(&plan, "/home/ada/.ssh"), Seen::Nothing);
    assert_eq!(seen(&plan, "/home/ada/.bashrc"), Seen::Nothing);
    assert_eq!(seen(&plan, "/srv/second/.ssh"), Seen::Own);
}

#[test]
fn a_home_inside_a_protected_place_is_a_home() {
    let mut host = with(&["/home/ada/snap/app/1/Documents/", "/home/ada/snap/app/1/.ssh/id"]);
    host.set("HOME", "/home/ada/snap/app/1");
    let plan = host.plan(&[(Vendor, "[filesystem]\nread = [\"xdg-documents\"]\nwrite = [\"~\"]")]);
    let documents = "/home/ada/snap/app/1/Documents";
    assert!(matches!(seen(&plan, documents), Seen::Host { source, .. } if source == documents));
    assert_eq!(seen(&plan, "/home/ada/snap/app/1/.ssh"), Seen::Own);
}

#[test]
fn folders_of_the_search_path_in_the_home_are_protected() {
    let mut host = with(&["/home/ada/tools/run", "/home/ada/note"]);
    host.set("PATH", "/usr/bin:/home/ada/tools:/home/ada/later");
    let plan = host.plan(&[(Vendor, BROAD)]);
    assert_eq!(seen(&plan, "/home/ada/tools"), Seen::Own);
    assert_eq!(seen(&plan, "/home/ada/later"), Seen::Own);
    assert_eq!(seen(&plan, "/home/ada/note"), writable("/home/ada/note"));
}

// --- denials -----------------------------------------------------------------

#[test]
fn a_denial_makes_a_hole() {
    let host = with(&["/home/ada/P/private/x", "/home/ada/P/secret", "/home/ada/P/a"]);
    let text = "[filesystem]\nread = [\"~/P\"]\ndeny = [\"~/P/private\", \"~/P/secret\"]";
    let plan = host.plan(&[(Vendor, text)]);
    assert_eq!(seen(&plan, "/home/ada/P/a"), readable("/home/ada/P/a"));
    assert_eq!(seen(&plan, "/home/ada/P/private/x"), Seen::Closed);
    assert_eq!(seen(&plan, "/home/ada/P/secret"), Seen::Closed);
    let kind = |at: &str| match step(&plan, &path(at)).map(|step| &step.action) {
        Some(Action::Close { kind, .. }) => Some(*kind),
        _ => None,
    };
    assert_eq!(kind("/home/ada/P/private"), Some(Kind::Folder));
    assert_eq!(kind("/home/ada/P/secret"), Some(Kind::File));
    assert_eq!(step(&plan, &path("/home/ada/P/secret")).unwrap().origin.line, 4);
}

#[test]
fn what_is_denied_before_it_exists_cannot_come_into_being() {
    let host = with(&["/home/ada/P/a", "/home/ada/P/sub/b"]);
    let text = "[filesystem]\nwrite = [\"~/P\"]\ndeny = [\"~/P/sub/later\"]";
    let plan = host.plan(&[(Vendor, text)]);
    assert_eq!(seen(&plan, "/home/ada/P/a"), writable("/home/ada/P/a"));
    assert_eq!(seen(&plan, "/home/ada/P/sub/b"), writable("/home/ada/P/sub/b"));
    assert_eq!(seen(&plan, "/home/ada/P/sub/later"), Seen::Own);
    assert_eq!(seen(&plan, "/home/ada/P"), Seen::Own);
}

#[test]
fn a_denial_holds_against_its_own_layer_and_lower_ones() {
    let host = with(&["/home/ada/P/x/y"]);
    let deny = "[filesystem]\ndeny = [\"~/P\"]";
    let read = "[filesystem]\nread = [\"~/P/x\"]";
    for (denies, reads, open) in [
        (Vendor, Vendor, false),
        (User, Vendor, false),
        (User, Admin, false),
        (CommandLine, User, false),
        (Vendor, Admin, true),
        (Admin, User, true),
        (User, CommandLine, true),
    ] {
        let mut layers = [(denies, deny), (reads, read)];
        layers.sort_by_key(|(layer, _)| *layer);
        let plan = host.plan(&layers);
        let want = if open { readable("/home/ada/P/x/y") } else { Seen::Own };
        assert_eq!(seen(&plan, "/home/ada/P/x/y"), want, "{denies} denies, {reads} reads");
    }
}

/// Only the plan can tell: the grant may name the place by another path.
#[test]
fn a_locked_denial_cannot_be_lifted_from_above() {
    let host = with(&["/home/ada/P/private/x"]);
    host.tree.link("/home/ada/Q", "P");
    let deny = "[filesystem]\ndeny = [\"~/P/private\"]";
    let locked = format!("lock = [\"filesystem.deny\"]\n{deny}");
    for (layer, read, place) in [
        (User, "~/P/private", "/home/ada/P/private/x"),
        (User, "~/P/private/x", "/home/ada/P/private/x"),
        (CommandLine, "~/P/private", "/home/ada/P/private/x"),
        (User, "~/Q/private", "/home/ada/Q/private/x"),
    ] {
        let read = format!("[filesystem]\nread = [\"~/P\", \"{read}\"]");
        // The control: without the lock it opens.
        let plan = host.plan(&[(Admin, deny), (layer, &read)]);
        assert_eq!(seen(&plan, place), readable("/home/ada/P/private/x"));
        let errors = host.refusal(&[(Admin, &locked), (layer, &read)]);
        assert_eq!(codes(&errors), [Code::Locked], "{errors:#?}");
        let labels: Vec<_> = errors[0].labels.iter().map(|label| label.origin.layer).collect();
        assert_eq!(labels, [layer, Admin]);
    }
    // A broader grant that does not name it stays as harmless as it was, and
    // the administrator's own grants do not lift their own denial.
    let plan = host.plan(&[(Admin, &locked), (User, "[filesystem]\nread = [\"~/P\"]")]);
    assert_eq!(seen(&plan, "/home/ada/P/private/x"), Seen::Closed);
    // What the lock's own layer may lift of lower layers', it still may.
    let own = "lock = [\"filesystem\"]\n[filesystem]\nread = [\"~/P/private\"]";
    let plan = host.plan(&[(Vendor, deny), (Admin, own)]);
    assert_eq!(seen(&plan, "/home/ada/P/private/x"), readable("/home/ada/P/private/x"));
}

#[test]
fn a_broader_grant_of_a_higher_layer_opens_nothing() {
    let host = with(&["/home/ada/P/private/x", "/home/ada/P/a"]);
    let plan = host.plan(&[
        (Vendor, "[filesystem]\ndeny = [\"~/P/private\"]"),
        (CommandLine, "[filesystem]\nwrite = [\"~/P\"]"),
    ]);
    assert_eq!(seen(&plan, "/home/ada/P/private/x"), Seen::Closed);
    assert_eq!(seen(&plan, "/home/ada/P/a"), writable("/home/ada/P/a"));
}

#[test]
fn a_part_of_what_is_denied_can_be_opened() {
    let host = with(&["/srv/P/private/x/y", "/srv/P/private/z", "/srv/P/a"]);
    let plan = host.plan(&[
        (Vendor, "[filesystem]\nread = [\"/srv/P\"]\ndeny = [\"/srv/P/private\"]"),
        (User, "[filesystem]\nwrite = [\"/srv/P/private/x\"]"),
    ]);
    assert_eq!(seen(&plan, "/srv/P/private/x/y"), writable("/srv/P/private/x/y"));
    assert_eq!(seen(&plan, "/srv/P/private/z"), Seen::Nothing);
    assert!(matches!(seen(&plan, "/srv/P/a"), Seen::Host { write: false, .. }));
    // Nothing can be mounted beneath a cover, so there is none above it.
    let covers = |plan: &Plan| {
        plan.tree.iter().any(|step| {
            matches!(step.action, Action::Close { .. })
                && step.action.dest().as_str().starts_with("/srv")
        })
    };
    assert!(!covers(&plan));
    // Opened as a whole, it is shown in place of its cover.
    let plan = host.plan(&[
        (Vendor, "[filesystem]\nread = [\"/srv/P\"]\ndeny = [\"/srv/P/private\"]"),
        (User, "[filesystem]\nread = [{ path = \"/srv/P/private\", exec = false }]"),
    ]);
    assert_eq!(seen(&plan, "/srv/P/private/z"), readable("/srv/P/private/z"));
}

#[test]
fn the_home_itself_can_be_denied() {
    let host = with(&["/home/ada/a"]);
    let text = "[filesystem]\nread = [\"~\"]\ndeny = [\"~\"]";
    assert_eq!(seen(&host.plan(&[(Vendor, text)]), "/home/ada/a"), Seen::Own);
    let text = "[home]\nkind = \"shared\"\n[filesystem]\ndeny = [\"~\"]";
    assert_eq!(seen(&host.plan(&[(Vendor, text)]), "/home/ada/a"), Seen::Own);
}

#[test]
fn a_denial_reaches_through_links() {
    let host = with(&["/data/docs/private/x", "/data/docs/a", "/data/far/x"]);
    host.tree.link("/home/ada/Documents", "/data/docs");
    host.tree.link("/data/docs/far", "/data/far");
    host.tree.own("/home/ada");
    let deny = "deny = [\"~/Documents/private\", \"~/Documents/later\", \"~/Documents/far\"]";
    for granted in ["~/Documents", "/data/docs"] {
        let text = format!("[filesystem]\nwrite = [\"{granted}\", \"/data/far\"]\n{deny}");
        let plan = host.plan(&[(Vendor, &text)]);
        let at = granted.replace('~', "/home/ada");
        assert_eq!(seen(&plan, &format!("{at}/a")), writable("/data/docs/a"), "{granted}");
        for shut in [format!("{at}/private/x"), format!("{at}/later"), "/data/far/x".to_owned()] {
            let found = seen(&plan, &shut);
            assert!(matches!(found, Seen::Own | Seen::Nothing), "{granted}: {shut}: {found:?}");
        }
    }
    // With nothing missing there are covers, each where the thing really is.
    let text =
        "[filesystem]\nread = [\"/data\"]\ndeny = [\"~/Documents/private\", \"~/Documents/far\"]";
    let plan = host.plan(&[(Vendor, text)]);
    assert_eq!(seen(&plan, "/data/docs/private/x"), Seen::Closed);
    assert_eq!(seen(&plan, "/data/far/x"), Seen::Closed);
    assert!(matches!(seen(&plan, "/data/docs/far"), Seen::Host { .. }));
}

#[test]
fn a_denial_holds_against_what_every_application_is_shown() {
    let host = with(&[
        "/usr/share/secret/x",
        "/usr/lib/data",
        "/etc/fonts/x",
        "/etc/timezone",
        "/home/ada/.config/fontconfig/x",
        "/home/ada/.icons/x",
        "/home/ada/.local/share/icons/x",
    ]);
    let deny = "[filesystem]\ndeny = [\"/usr/share/secret\", \"/etc/fonts\", \"/etc/timezone\", \
                \"~/.config\", \"~/.icons\", \"~/.local\", \"/usr/share/none\"]";
    let plan = host.plan(&[(User, deny)]);
    assert_eq!(seen(&plan, "/usr/share/secret/x"), Seen::Closed);
    assert!(matches!(seen(&plan, "/usr/lib/data"), Seen::Host { .. }));
    assert_eq!(seen(&plan, "/etc/fonts/x"), Seen::Nothing);
    assert_eq!(seen(&plan, "/etc/timezone"), Seen::Nothing);
    for own in [".config/fontconfig/x", ".icons/x", ".local/share/icons/x", "new"] {
        assert_eq!(seen(&plan, &format!("/home/ada/{own}")), Seen::Own, "{own}");
    }
    // Unless a higher layer names it.
    let text = "[filesystem]\nread = [\"/usr/share/secret/x\"]";
    let plan = host.plan(&[(Vendor, deny), (CommandLine, text)]);
    assert!(matches!(seen(&plan, "/usr/share/secret/x"), Seen::Host { exec: true, .. }));
    let secret = path("/usr/share/secret");
    let is_limited = |step: &Step| {
        matches!(step.action, Action::ReadOnly { .. }) && secret.is_within(step.action.dest())
    };
    assert!(!plan.tree.iter().any(is_limited));
    assert_eq!(seen(&plan, "/usr/share/secret"), Seen::Made);
}

#[test]
fn a_denial_in_a_shared_home() {
    let host = with(&["/home/ada/P/private/x", "/home/ada/P/a", "/home/ada/Q/b"]);
    let text = "[home]\nkind = \"shared\"\n[filesystem]\ndeny = [\"~/P/private\", \"~/Q\"]";
    let plan = host.plan(&[(Vendor, text)]);
    assert_eq!(seen(&plan, "/home/ada/P/a"), writable("/home/ada/P/a"));
    assert_eq!(seen(&plan, "/home/ada/P/private/x"), Seen::Closed);
    assert_eq!(seen(&plan, "/home/ada/Q/b"), Seen::Own);
}

// --- taking apart ------------------------------------------------------------

#[test]
fn what_is_no_file_and_no_folder_is_left_out() {
    let host = with(&["/home/ada/a", "/home/ada/deep/x/y/z/", "/mnt/disk/m", "/home/ada/.ssh/id"]);
    host.tree.socket("/home/ada/agent");
    host.tree.link("/home/ada/disk", "/mnt/disk");
    host.tree.link("/home/ada/dead", "/nowhere");
    host.tree.link("/home/ada/up", "/home");
    host.tree.link("/home/ada/all", "/");
    host.tree.link("/home/ada/keys", ".ssh");
    host.tree.link("/home/ada/dev", "/dev");
    host.tree.own("/home/ada");
    let plan = host.plan(&[(Vendor, BROAD)]);
    assert_eq!(seen(&plan, "/home/ada/disk/m"), writable("/mnt/disk/m"));
    assert_eq!(seen(&plan, "/home/ada/deep/x/y/z"), writable("/home/ada/deep/x/y/z"));
    for left_out in ["agent", "dead", "up", "all", "keys", "dev"] {
        assert_eq!(seen(&plan, &format!("/home/ada/{left_out}")), Seen::Own, "{left_out}");
    }
    // A socket that is named is meant.
    let plan = host.plan(&[(Vendor, "[filesystem]\nwrite = [\"~/agent\"]")]);
    assert_eq!(seen(&plan, "/home/ada/agent"), writable("/home/ada/agent"));
}

#[test]
fn links_that_lead_round_do_not_multiply() {
    let host = with(&["/home/ada/.config/app/", "/home/ada/.local/share/app/"]);
    for (at, target) in [
        (".config/one", "../.local"),
        (".config/two", "../.local"),
        (".config/self", "."),
        (".local/three", "../.config"),
        (".local/four", "../.config"),
    ] {
        host.tree.link(&format!("/home/ada/{at}"), target);
    }
    host.tree.own("/home/ada");
    let plan = host.plan(&[(Vendor, BROAD)]);
    let app = "/home/ada/.local/share/app";
    assert_eq!(seen(&plan, "/home/ada/.config/one/share/app"), writable(app));
    assert!(plan.tree.len() < 200, "{}", plan.tree.len());
}

#[test]
fn names_that_no_policy_can_hold_are_counted() {
    let host = with(&["/home/ada/line\nbreak", "/home/ada/a"]);
    let plan = host.plan(&[(Vendor, BROAD)]);
    assert!(note(&plan, &["1 entries of /home/ada have names that are not text"]).is_some());
    assert_eq!(seen(&plan, "/home/ada/a"), writable("/home/ada/a"));
}

// --- patterns ----------------------------------------------------------------

#[test]
fn patterns_match_files_and_folders_and_no_links() {
    let host = with(&["/home/ada/w/a.pdf", "/home/ada/w/b.txt", "/home/ada/w/c.pdf/", "/srv/t"]);
    host.tree.link("/home/ada/w/d.pdf", "/srv/t");
    host.tree.own("/home/ada");
    let plan = host.plan(&[(Vendor, "[filesystem]\nread = [\"~/w/*.pdf\", \"~/w/*.none\"]")]);
    assert_eq!(seen(&plan, "/home/ada/w/a.pdf"), readable("/home/ada/w/a.pdf"));
    assert_eq!(seen(&plan, "/home/ada/w/c.pdf"), readable("/home/ada/w/c.pdf"));
    assert_eq!(seen(&plan, "/home/ada/w/b.txt"), Seen::Own);
    assert_eq!(seen(&plan, "/home/ada/w/d.pdf"), Seen::Own);
    assert_eq!(note(&plan, &["~/w/*.none matches nothing"]), Some(Weight::Info));
}

#[test]
fn a_pattern_names_only_what_stands_before_it() {
    let host = with(&["/home/ada/.ssh/id.pub", "/home/ada/.ssh/id", "/home/ada/.note"]);
    let plan = host.plan(&[(CommandLine, "[filesystem]\nread = [\"~/.*\"]")]);
    assert_eq!(seen(&plan, "/home/ada/.note"), readable("/home/ada/.note"));
    assert_eq!(seen(&plan, "/home/ada/.ssh"), Seen::Own);
    let plan = host.plan(&[(CommandLine, "[filesystem]\nread = [\"~/.ssh/*.pub\"]")]);
    assert_eq!(seen(&plan, "/home/ada/.ssh/id.pub"), readable("/home/ada/.ssh/id.pub"));
    assert_eq!(seen(&plan, "/home/ada/.ssh/id"), Seen::Own);
}

#[test]
fn a_hole_in_a_folder_behind_a_link_is_covered() {
    let host = with(&["/data/docs/private/x", "/data/docs/a"]);
    host.tree.link("/home/ada/Documents", "/data/docs");
    host.tree.own("/home/ada");
    for deny in ["~/Documents/private", "/data/docs/private"] {
        let text = format!("[filesystem]\nwrite = [\"~/Documents\"]\ndeny = [{deny:?}]");
        let plan = host.plan(&[(Vendor, &text)]);
        assert_eq!(seen(&plan, "/home/ada/Documents/a"), writable("/data/docs/a"), "{deny}");
        assert_eq!(seen(&plan, "/home/ada/Documents/private/x"), Seen::Closed, "{deny}");
    }
}

#[test]
fn patterns_are_not_expanded_where_applications_write() {
    let host = with(&["/home/ada/w/a.pdf"]);
    let text = settings(&[(Vendor, "[filesystem]\nread = [\"~/w/*.pdf\"]")]);
    let mut request = nothing_more();
    request.written = vec![path("/home/ada/w")];
    let plan = host.resolve(text, &request).unwrap();
    assert_eq!(seen(&plan, "/home/ada/w/a.pdf"), Seen::Own);
    assert!(note(&plan, &["is not expanded in /home/ada/w"]).is_some());
}

#[test]
fn a_pattern_character_alone_in_a_class_is_itself() {
    let host = with(&["/home/ada/a[1]", "/home/ada/a1", "/home/ada/new/b"]);
    let text = settings(&[(
        CommandLine,
        "[filesystem]\nread = [\"~/a[[]1]\"]\ncreate = [\"~/new/w[*]\"]",
    )]);
    let mut request = nothing_more();
    // No folder has to be looked through for it.
    request.written = vec![path("/home/ada/new")];
    let plan = host.resolve(text, &request).unwrap();
    assert_eq!(seen(&plan, "/home/ada/a[1]"), readable("/home/ada/a[1]"));
    assert_eq!(seen(&plan, "/home/ada/a1"), Seen::Own);
    assert_eq!(seen(&plan, "/home/ada/new/w*"), writable("/home/ada/new/w*"));
}

#[test]
fn a_path_that_gets_too_long_in_the_home_is_in_no_plan() {
    let host = with(&[]);
    let rest = format!("{}{}", format!("{}/", "a".repeat(250)).repeat(16), "b".repeat(78));
    for key in ["read", "create", "deny"] {
        let plan = host.plan(&[(Vendor, &format!("[filesystem]\n{key} = [\"~/{rest}\"]"))]);
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan, "{key}");
    }
}

#[test]
fn a_denial_in_a_denial_is_covered_once() {
    let host = with(&["/home/ada/w/b/c/d/", "/home/ada/w/e"]);
    host.tree.link("/home/ada/l", "w/b");
    host.tree.own("/home/ada");
    for denied in ["~/w/b", "~/l"] {
        let text = format!(
            "[filesystem]\nwrite = [\"~/w\"]\ndeny = [\"{denied}\", \"~/w/b/c\", \"~/w/b/c/d\"]"
        );
        let plan = host.plan(&[(Vendor, &text)]);
        let covers: Vec<&str> = plan
            .tree
            .iter()
            .filter(|step| matches!(step.action, Action::Close { .. }))
            .map(|step| step.action.dest().as_str())
            .filter(|dest| dest.starts_with("/home/ada/w"))
            .collect();
        assert_eq!(covers, ["/home/ada/w/b"], "{denied}");
        assert_eq!(seen(&plan, "/home/ada/w/e"), writable("/home/ada/w/e"));
    }
}

#[test]
fn a_pattern_in_a_denial() {
    let host = with(&["/srv/w/a.key", "/srv/w/b.txt"]);
    let plan =
        host.plan(&[(Vendor, "[filesystem]\nread = [\"/srv/w\"]\ndeny = [\"/srv/w/*.key\"]")]);
    assert_eq!(seen(&plan, "/srv/w/a.key"), Seen::Closed);
    assert!(matches!(seen(&plan, "/srv/w/b.txt"), Seen::Host { .. }));
}

// --- create ------------------------------------------------------------------

#[test]
fn what_create_names_is_made() {
    let host = with(&["/home/ada/there/", "/data/disk/"]);
    host.tree.link("/mnt/disk", "/data/disk");
    let text = "[filesystem]\ncreate = [\"~/Notes/new\", \"~/there\", \"/mnt/disk/new\"]";
    let plan = host.plan(&[(Vendor, text)]);
    assert_eq!(seen(&plan, "/home/ada/Notes/new"), writable("/home/ada/Notes/new"));
    assert_eq!(seen(&plan, "/home/ada/Notes"), Seen::Own);
    assert_eq!(seen(&plan, "/home/ada/there"), writable("/home/ada/there"));
    assert_eq!(seen(&plan, "/data/disk/new"), writable("/data/disk/new"));
    assert_eq!(link(&plan, "/mnt/disk"), Some("/data/disk"));
    let made: Vec<_> = plan
        .host
        .iter()
        .filter(|step| step.mode == 0o755)
        .map(|step| (step.folder.as_str(), step.base.as_str()))
        .collect();
    assert_eq!(made, [("/home/ada/Notes/new", "/home/ada"), ("/data/disk/new", "/data/disk")]);
    assert_eq!(writes(&plan), ["/home/ada/Notes/new", "/home/ada/there", "/data/disk/new"]);
}

#[test]
fn create_opens_no_closed_path() {
    let host = with(&["/home/ada/.ssh/id"]);
    host.tree.link("/home/ada/keys", ".ssh");
    host.tree.link("/home/ada/here", ".");
    host.tree.own("/home/ada");
    for named in ["~/.ssh/new", "~/.gnupg", "~/keys/new", "~/here/.gnupg"] {
        let plan = host.plan(&[(Vendor, &format!("[filesystem]\ncreate = [\"{named}\"]"))]);
        assert!(plan.host.iter().all(|step| step.mode == 0o700), "{named}: {:?}", plan.host);
        assert!(writes(&plan).is_empty(), "{named}");
        assert!(note(&plan, &["stays shut"]).is_some(), "{named}");
        let plan = host.plan(&[(User, &format!("[filesystem]\ncreate = [\"{named}\"]"))]);
        assert_eq!(writes(&plan).len(), 1, "{named}");
    }
}

#[test]
fn a_new_folder_around_closed_paths_is_taken_apart_from_the_start() {
    let host = with(&[]);
    let text = "[filesystem]\ncreate = [\"~/.config\", \"~/N\"]\ndeny = [\"~/N/private\"]";
    let plan = host.plan(&[(Vendor, text)]);
    assert!(plan.host.iter().any(|step| step.folder.as_str() == "/home/ada/.config"));
    for shut in [".config", ".config/autostart", "N", "N/private"] {
        assert_eq!(seen(&plan, &format!("/home/ada/{shut}")), Seen::Own, "{shut}");
    }
    assert!(writes(&plan).is_empty());
}

#[test]
fn create_in_what_is_the_systems_is_refused() {
    let host = with(&["/usr/lib/x/", "/proc/", "/run/x/"]);
    for named in ["/usr/lib/new", "/proc/new", "/run/new", "/dev/shm/new", "/sys/new"] {
        let errors = host.refusal(&[(Vendor, &format!("[filesystem]\ncreate = [\"{named}\"]"))]);
        assert_eq!(codes(&errors), [Code::PathRefused], "{named}");
    }
}

// --- links -------------------------------------------------------------------

#[test]
fn links_of_ones_own_are_followed() {
    let host = with(&["/mnt/data/docs/a", "/var/srv/x"]);
    host.tree.link("/home/ada/Documents", "/mnt/data/docs");
    host.tree.link("/srv", "var/srv");
    host.tree.own("/home/ada");
    let plan = host.plan(&[(Vendor, "[filesystem]\nwrite = [\"xdg-documents\", \"/srv/x\"]")]);
    // In the home the target takes the link's place; outside both names work.
    assert_eq!(seen(&plan, "/home/ada/Documents/a"), writable("/mnt/data/docs/a"));
    assert_eq!(link(&plan, "/home/ada/Documents"), None);
    assert_eq!(link(&plan, "/srv"), Some("var/srv"));
    assert_eq!(seen(&plan, "/var/srv/x"), writable("/var/srv/x"));
    assert_eq!(writes(&plan), ["/mnt/data/docs", "/var/srv/x"]);
}

/// Asks for ~/spot/link, a link to /srv/target, and expects it to be planted.
fn planted(host: &Host, written: &[&str], facts_uid: Option<u32>) {
    let mut request = nothing_more();
    request.written = written.iter().map(|text| path(text)).collect();
    let text = "[filesystem]\nread = [\"~/spot/link\"]";
    let mut facts = host.facts();
    facts.uid = facts_uid.unwrap_or(facts.uid);
    let policy = super::tree::policy(settings(&[(User, text)]));
    let plan = pinfold::resolve::resolve(&policy, &facts, &host.tree.fs(), &request).unwrap();
    assert_eq!(seen(&plan, "/home/ada/spot/link"), Seen::Own);
    assert!(note(&plan, &["/home/ada/spot/link is not granted", "another account"]).is_some());
    let required = "[filesystem]\nread = [{ path = \"~/spot/link\", required = true }]";
    let policy = super::tree::policy(settings(&[(User, required)]));
    let errors = pinfold::resolve::resolve(&policy, &facts, &host.tree.fs(), &request).unwrap_err();
    assert_eq!(codes(&errors), [Code::PathLink]);
}

fn spot() -> Host {
    let host = with(&["/srv/target/x", "/home/ada/spot/"]);
    host.tree.link("/home/ada/spot/link", "/srv/target");
    host.tree.own("/home/ada");
    host
}

#[test]
fn a_link_where_somebody_may_have_planted_it_is_not_followed() {
    // The control: the very same link, where only its owner can write.
    let plan = spot().plan(&[(User, "[filesystem]\nread = [\"~/spot/link\"]")]);
    assert!(matches!(seen(&plan, "/home/ada/spot/link/x"), Seen::Host { .. }));

    planted(&spot(), &["/home/ada/spot"], None);
    planted(&spot(), &["/home/ada"], None);
    let host = spot();
    host.tree.mode("/home/ada/spot", 0o777);
    planted(&host, &[], None);
    let host = spot();
    host.tree.mode("/home/ada/spot", 0o1777);
    planted(&host, &[], None);
    let host = spot();
    let uid = host.tree.foreign("/home/ada/spot");
    planted(&host, &[], Some(uid));
}

#[test]
fn an_applications_own_home_is_no_place_for_links() {
    let host = with(&["/srv/target/x", "/home/ada/.local/share/pinfold/apps/org.example.App/"]);
    let apps = "/home/ada/.local/share/pinfold/apps";
    host.tree.link(&format!("{apps}/org.example.App/link"), "/srv/target");
    host.tree.own("/home/ada");
    let text = format!("[filesystem]\nread = [\"{apps}/org.example.App/link\"]");
    let plan = host.plan(&[(User, &text)]);
    assert!(note(&plan, &["is not granted", "link is a link in a folder where"]).is_some());
    assert_eq!(seen(&plan, "/srv/target/x"), Seen::Nothing);
}

#[test]
fn links_that_lead_round_or_nowhere() {
    let host = with(&[]);
    host.tree.link("/home/ada/a", "b");
    host.tree.link("/home/ada/b", "a");
    host.tree.link("/home/ada/c", "/nowhere");
    host.tree.own("/home/ada");
    let plan = host.plan(&[(User, "[filesystem]\nread = [\"~/a\", \"~/c\"]")]);
    assert!(note(&plan, &["/home/ada/a is not granted", "leads nowhere"]).is_some());
    assert!(note(&plan, &["/home/ada/c is not there"]).is_some());
}

// --- refusals ----------------------------------------------------------------

#[test]
fn what_can_be_granted_to_nobody() {
    let host = with(&["/proc/x", "/sys/x", "/dev/x", "/run/x", "/var/tmp/", "/tmp/", "/data/"]);
    host.tree.link("/data/up", "/home");
    host.tree.link("/data/root", "/");
    host.tree.link("/var/run", "/run");
    for named in [
        "/",
        "/home",
        "/data/up",
        "/data/root",
        "/proc",
        "/proc/x",
        "/sys/x",
        "/dev/x",
        "/run",
        "/var/run/x",
        "/etc",
        "/tmp",
        "/var",
        "/var/tmp",
    ] {
        for layer in [Vendor, CommandLine] {
            let text = format!("[filesystem]\nread = [\"{named}\"]");
            let named = match host.ask(&[(layer, &text)], &nothing_more()) {
                Err(errors) => codes(&errors),
                Ok(_) => panic!("{named} is granted to {layer}"),
            };
            assert_eq!(named, [Code::PathRefused]);
        }
    }
    let errors = host.refusal(&[(User, "[filesystem]\nwrite = [\"/usr/bin\"]")]);
    assert_eq!(codes(&errors), [Code::PathRefused]);
    host.tree.folder("/run/media/ada/disk");
    let plan = host.plan(&[(User, "[filesystem]\nwrite = [\"/run/media/ada/disk\"]")]);
    assert_eq!(seen(&plan, "/run/media/ada/disk"), writable("/run/media/ada/disk"));
}

#[test]
fn xdg_folders_that_are_the_root_or_the_home_are_none() {
    let mut host = with(&["/home/ada/a"]);
    host.tree.file(
        "/home/ada/.config/user-dirs.dirs",
        "XDG_MUSIC_DIR=\"/\"\nXDG_VIDEOS_DIR=\"$HOME\"\nXDG_DOCUMENTS_DIR=\"/home\"\n",
    );
    host.set("XDG_CONFIG_HOME", "/");
    host.tree.own("/home/ada");
    let text =
        "[filesystem]\nwrite = [\"xdg-music\", \"xdg-videos\", \"xdg-documents\", \"xdg-config\"]";
    let plan = host.plan(&[(User, text)]);
    assert!(
        writes(&plan).is_empty() || writes(&plan) == ["/home/ada/.config"],
        "{:?}",
        plan.writable
    );
    for word in ["xdg-music", "xdg-videos", "xdg-documents"] {
        assert!(note(&plan, &[&format!("{word} is skipped")]).is_some());
    }
}

#[test]
fn words_name_the_folders_that_the_account_has() {
    let host = with(&["/home/ada/Dokumente/a", "/data/music/b", "/home/ada/Downloads/c"]);
    host.tree.file(
        "/home/ada/.config/user-dirs.dirs",
        "XDG_DOCUMENTS_DIR=\"$HOME/Dokumente\"\nXDG_MUSIC_DIR=\"/data/music\"\n",
    );
    host.tree.own("/home/ada");
    let text = "[filesystem]\nwrite = [\"xdg-documents\", \"xdg-music\", \"xdg-download\"]";
    let plan = host.plan(&[(Vendor, text)]);
    for at in ["/home/ada/Dokumente/a", "/data/music/b", "/home/ada/Downloads/c"] {
        assert_eq!(seen(&plan, at), writable(at));
    }
}

// --- what is made in between ---------------------------------------------------

#[test]
fn folders_in_between_are_made_and_never_in_a_folder_of_the_host() {
    let host = with(&["/srv/a/b/c", "/home/ada/x/y/z"]);
    let plan = host.plan(&[(Vendor, "[filesystem]\nread = [\"/srv/a/b\", \"~/x/y\"]")]);
    assert_eq!(seen(&plan, "/srv/a"), Seen::Made);
    assert_eq!(seen(&plan, "/home/ada/x"), Seen::Own);
    // An argument beneath a folder that is shown read-only needs no place.
    let mut request = nothing_more();
    request.arguments = vec!["/srv/a/b/c".to_owned(), "/home/ada/x/y/z".to_owned()];
    let text = settings(&[(Vendor, "[filesystem]\nread = [\"/srv/a/b\"]")]);
    let plan = host.resolve(text, &request).unwrap();
    assert_eq!(seen(&plan, "/home/ada/x/y/z"), readable("/home/ada/x/y/z"));
    assert!(matches!(seen(&plan, "/srv/a/b/c"), Seen::Host { write: false, .. }));
}
