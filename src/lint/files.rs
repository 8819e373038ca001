//! What lies where the application may write or read.

use std::collections::BTreeSet;

use crate::host::NodeKind;
use crate::manifest::change::Change;
use crate::model::path::AbsPath;
use crate::model::permission::HomeKind;
use crate::model::plan::Kind;
use crate::resolve::links::Links;
use crate::resolve::protected::{self, Reason};

use super::rules::{
    AGENT_SOCKET, BROAD, ENGINE_SOCKET, OTHER_SANDBOXES, REPOSITORY, RUNS_OUTSIDE, SECRET_VARIABLE,
    SECRETS, WRITE_AND_RUN,
};
use super::{Finding, Shown, Subject};

/// What happens outside to what lies in a protected place, by the beginning
/// of its path in the home. The first that fits is told.
const FATES: &[(&[&str], &str)] = &[
    (
        &[".config/autostart", ".config/plasma-workspace", ".config/lxsession", ".xsession"],
        "the session runs it at the next login",
    ),
    (&[".config/systemd", ".local/share/systemd"], "systemd runs it as a unit of yours"),
    (&[".local/share/dbus-1"], "the session bus starts what it names when anybody calls it"),
    (
        &[".local/share/applications", ".config/mimeapps.list", ".local/share/mime", ".mailcap"],
        "the desktop runs what it names when you open a file or click in the menu",
    ),
    (&[".config/environment.d", ".pam_environment"], "every program of the session gets it"),
    (&["bin", ".bin", ".local/bin"], "it is found in $PATH, before the system's own"),
    (
        &[
            ".bash",
            ".profile",
            ".zsh",
            ".zlog",
            ".zprofile",
            ".zenv",
            ".kshrc",
            ".cshrc",
            ".tcshrc",
            ".login",
            ".logout",
            ".inputrc",
            ".config/fish",
            ".config/zsh",
            ".config/bash",
            ".oh-my-zsh",
            ".config/nushell",
        ],
        "every new shell runs it",
    ),
    (&[".gitconfig", ".config/git"], "git runs the commands that it names"),
    (&[".ssh", ".kube", ".aws", ".docker"], "your tools run the commands that it names"),
    (&[".config/dconf"], "keys of the desktop run what it says"),
    (&[".vim", ".exrc", ".emacs", ".config/nvim", ".config/emacs"], "the editor runs it"),
];

/// Folders outside the home from which the system runs what it finds.
const SYSTEM: [&str; 5] = ["/etc", "/opt", "/boot", "/var/spool/cron", "/var/lib/systemd"];

/// Files in a folder from which tools run what they find, and by what.
const TOOLS: [(&str, &str); 6] = [
    (".git", "git runs the hooks in it"),
    (".hg", "Mercurial runs the hooks in it"),
    (".envrc", "direnv runs it"),
    ("Makefile", "make runs it"),
    ("package.json", "npm runs the scripts in it"),
    ("Cargo.toml", "cargo runs build scripts"),
];

/// How many entries of a granted folder are looked into.
const LOOKED_INTO: usize = 256;

/// Sockets of SSH and GPG agents in the runtime folder and in the home.
const AGENTS: [&str; 8] = [
    "@/ssh-agent",
    "@/ssh-agent.socket",
    "@/openssh_agent",
    "@/keyring/ssh",
    "@/gcr/ssh",
    "@/gnupg",
    "~/.gnupg",
    "~/.ssh/agent",
];

/// Sockets of container engines.
const ENGINES: [&str; 10] = [
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "@/docker.sock",
    "@/podman/podman.sock",
    "~/.docker/run/docker.sock",
    "~/.docker/desktop/docker.sock",
    "~/.colima/default/docker.sock",
];

/// Looks at `[filesystem]`, `[home]` and variables.
pub fn check(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    protected_places(subject, found);
    system_places(subject, found);
    broad(subject, found);
    sockets(subject, found);
    for shown in subject.shown().filter(|shown| shown.write && shown.kind == Kind::Folder) {
        repositories(subject, shown, found);
    }
    for grant in subject.grants().filter(|grant| grant.write) {
        if grant.stated.value.exec == Some(true) {
            let entry = grant.text().to_owned();
            found.push(
                Finding::new(
                    &WRITE_AND_RUN,
                    &grant.stated.origin,
                    format!("it may write {entry} and execute what it wrote"),
                )
                .leads([
                    "whatever takes the program over can bring programs of its own",
                    "they stay there, and may be run outside by mistake",
                ])
                .change(Change::WithoutExec { key: grant.key, entry }),
            );
        }
    }
    for name in &subject.policy.settings.environment_pass.items {
        let word = name.value.to_ascii_uppercase();
        let secret = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "CREDENTIAL"];
        if secret.iter().any(|part| word.contains(part)) || word == "*" {
            let entry = name.value.clone();
            let text = match entry.as_str() {
                "*" => "it is given every variable that you have".to_owned(),
                _ => format!("it is given {entry}, which sounds like a secret"),
            };
            let change = Change::Remove { key: "environment.pass", entry };
            found.push(Finding::new(&SECRET_VARIABLE, &name.origin, text).change(change));
        }
    }
}

/// Grants that open a protected place.
fn protected_places(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let links = Links::new(subject.fs, subject.facts.uid, Vec::new());
    let places: Vec<(AbsPath, AbsPath, Reason)> = protected::paths(subject.facts)
        .into_iter()
        .map(|(path, reason)| (links.end(&path).0, path, reason))
        .collect();
    for shown in subject.shown() {
        // Of several, the innermost says most about what lies there.
        let hit = places
            .iter()
            .filter(|(real, path, _)| shown.source.is_within(real) || shown.dest.is_within(path))
            .max_by_key(|(_, path, _)| path.elements().count());
        let Some((_, path, reason)) = hit else { continue };
        let name = subject.tilde(shown.dest);
        let verb = if shown.write { "write" } else { "read" };
        let start = format!("{verb} {name}");
        let finding = match (reason, shown.write) {
            (Reason::Runs, false) => continue,
            // Sockets that a permission of their own grants have rules of
            // their own.
            (Reason::Session, _) => continue,
            (Reason::Sandbox, true) => {
                Finding::new(&OTHER_SANDBOXES, shown.origin, format!("it may write {name}")).leads(
                    [
                        start.as_str(),
                        "policies, homes and data of sandboxes lie there",
                        "it can give itself, or another sandbox, any permission",
                    ],
                )
            }
            (_, true) => {
                let fate = fate(subject, path);
                Finding::new(&RUNS_OUTSIDE, shown.origin, format!("it may write {name}")).leads([
                    start.as_str(),
                    fate,
                    "that runs outside the sandbox, with all your rights",
                ])
            }
            (_, false) => {
                let text = format!("it may read {name}, which {}", reason.text());
                Finding::new(&SECRETS, shown.origin, text)
                    .leads([start.as_str(), "what it reads it can send, or keep for a later run"])
            }
        };
        let grant = subject.grants().find(|grant| grant.stated.origin == *shown.origin);
        found.push(match grant {
            Some(grant) => finding.change(grant.removal()),
            None => finding,
        });
    }
}

/// Grants of the system's own places, which matter where the caller may write
/// there.
fn system_places(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let path = subject.facts.environment.get("PATH").map_or("", String::as_str);
    let folders: Vec<AbsPath> = path.split(':').filter_map(|f| AbsPath::new(f).ok()).collect();
    for shown in subject.shown().filter(|shown| shown.write) {
        let is_within = |place: &str| AbsPath::new(place).is_ok_and(|p| shown.source.is_within(&p));
        let meets =
            |folder: &AbsPath| folder.is_within(shown.source) || shown.source.is_within(folder);
        let fate = if shown.source.is_within(&subject.facts.home) {
            continue;
        } else if folders.iter().any(meets) {
            "it is found in $PATH"
        } else if SYSTEM.iter().any(|place| is_within(place)) {
            "the system runs it, or does as it says"
        } else {
            continue;
        };
        let name = shown.dest.as_str();
        let start = format!("write {name}");
        found.push(
            Finding::new(&RUNS_OUTSIDE, shown.origin, format!("it may write {name}")).leads([
                start.as_str(),
                fate,
                "that runs outside the sandbox, wherever you may write there",
            ]),
        );
    }
}

/// What happens outside to what lies in a protected place.
fn fate(subject: &Subject<'_>, path: &AbsPath) -> &'static str {
    let facts = subject.facts;
    let folders = facts.environment.get("PATH").map_or("", String::as_str).split(':');
    if folders.into_iter().any(|folder| folder == path.as_str()) {
        return "it is found in $PATH, before the system's own";
    }
    let rest = path.relative_to(&facts.home).unwrap_or_default();
    FATES
        .iter()
        .find(|(starts, _)| starts.iter().any(|start| rest.starts_with(start)))
        .map_or("programs outside run it, or do as it says", |(_, fate)| fate)
}

fn broad(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let settings = &subject.policy.settings;
    if let Some(kind) = settings.home.kind.as_ref().filter(|kind| kind.value == HomeKind::Shared) {
        let with = "private".to_owned();
        found.push(
            Finding::new(&BROAD, &kind.origin, "its home is your own")
                .leads([
                    "all but the protected paths can be read and changed",
                    "what you work on is among it, and so are programs that keep their settings in places that nobody thought of",
                ])
                .remedy("home.kind = \"private\", and grants for what it works on")
                .change(Change::Set { key: "home.kind", with }),
        );
    }
    for grant in subject.grants() {
        let Some(path) = subject.facts.named(&grant.stated.value.path) else { continue };
        let whole = path == subject.facts.home;
        let top = path.elements().count() == 1 && path.as_str() != "/usr";
        if !whole && !top {
            continue;
        }
        let verb = if grant.write { "write" } else { "read" };
        let text = format!("it may {verb} all of {}", grant.text());
        let finding = Finding::new(&BROAD, &grant.stated.origin, text);
        found.push(match (whole, grant.write) {
            (true, true) => finding.leads([
                "all but the protected paths can be changed",
                "that holds sources, documents, and settings in places that nobody thought of",
            ]),
            (true, false) => finding.leads(["all but the protected paths can be read"]),
            (false, _) => finding.leads(["whatever is ever put there is granted too"]),
        });
    }
}

/// Sockets by which others do what the application asks.
fn sockets(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let links = Links::new(subject.fs, subject.facts.uid, Vec::new());
    let environment = |name: &str| subject.facts.environment.get(name).map(String::as_str);
    let place = |text: &str| {
        let path = match (text.strip_prefix("@/"), text.strip_prefix("~/")) {
            (Some(rest), _) => subject.facts.runtime_dir.as_ref()?.join(rest).ok()?,
            (_, Some(rest)) => subject.facts.home.join(rest).ok()?,
            _ => AbsPath::new(text).ok()?,
        };
        Some(links.end(&path).0)
    };
    let agents = AGENTS.into_iter().chain(environment("SSH_AUTH_SOCK"));
    let docker = environment("DOCKER_HOST").and_then(|host| host.strip_prefix("unix://"));
    let engines = ENGINES.into_iter().chain(docker);
    let agents: BTreeSet<AbsPath> = agents.filter_map(place).collect();
    let engines: BTreeSet<AbsPath> = engines.filter_map(place).collect();
    for shown in subject.shown() {
        let reached = |socket: &AbsPath| {
            shown.source == socket
                || shown.source.is_within(socket)
                || (socket.is_within(shown.source) && subject.fs.look(socket).is_ok())
        };
        if let Some(socket) = agents.iter().find(|socket| reached(socket)) {
            let socket = subject.tilde(socket);
            found.push(
                Finding::new(
                    &AGENT_SOCKET,
                    shown.origin,
                    format!("it reaches an agent at {socket}"),
                )
                .leads([
                    "the agent signs what anybody asks it to",
                    "it logs in wherever your keys do, and from there anything follows",
                ]),
            );
        }
        if let Some(socket) = engines.iter().find(|socket| reached(socket)) {
            let text = format!("it reaches a container engine at {}", subject.tilde(socket));
            found.push(Finding::new(&ENGINE_SOCKET, shown.origin, text).leads([
                "the engine starts containers for whoever asks",
                "a container can have any folder of the host in it, to be written to",
                "what it writes there runs outside the sandbox",
            ]));
        }
    }
}

/// Folders whose content tools run when the person works with it.
fn repositories(subject: &Subject<'_>, shown: Shown<'_>, found: &mut Vec<Finding>) {
    let tool = |folder: &AbsPath| {
        TOOLS.into_iter().find(|(name, _)| subject.fs.look(&folder.child(name)).is_ok())
    };
    let mut hit = tool(shown.source).map(|tool| (shown.dest.clone(), tool));
    if hit.is_none()
        && let Ok(listing) = subject.fs.list(shown.source)
    {
        hit = listing
            .into_iter()
            .filter(|(_, kind)| *kind == NodeKind::Folder)
            .take(LOOKED_INTO)
            .find_map(|(name, _)| {
                Some((shown.dest.child(&name), tool(&shown.source.child(&name))?))
            });
    }
    let Some((folder, (file, runs))) = hit else { return };
    let folder = subject.tilde(&folder);
    found.push(
        Finding::new(&REPOSITORY, shown.origin, format!("it may write {folder}, in which {runs}"))
            .leads([
                format!("write {folder}/{file}").as_str(),
                "you work in that folder, as you do each day",
                "what it wrote there runs outside the sandbox",
            ]),
    );
}
