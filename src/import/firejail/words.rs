//! Directives that do not name files.

use super::super::bus::{self, Bus, Policy};
use super::super::draft::{Draft, check, quoted};
use super::super::flatpak::variable;
use super::super::report::{Finding, Place};
use super::lines::Directive;

/// What a profile does with a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Nothing: all of it is there.
    #[default]
    Unsaid,
    /// Only what rules name.
    Filter,
    /// It is not there.
    None,
}

/// A rule for a bus: its key, its value, its line.
pub type BusRule = (&'static str, String, Place);

/// What is known about a profile.
#[derive(Debug, Default)]
pub struct Words {
    no_network: bool,
    protocols: Option<Vec<String>>,
    pub no_x11: bool,
    pub no_sound: bool,
    pub no_3d: bool,
    pub user_bus: Mode,
    pub user_rules: Vec<BusRule>,
    pub system_bus: Mode,
    pub system_rules: Vec<BusRule>,
    seccomp: bool,
    may_chroot: bool,
    no_namespaces: bool,
}

impl Words {
    /// Whether the network of the host is reached.
    pub fn has_network(&self) -> bool {
        let internet = |list: &Vec<String>| list.iter().any(|word| word.starts_with("inet"));
        !self.no_network && self.protocols.as_ref().is_none_or(internet)
    }

    /// Whether a browser can build its own sandboxes there.
    pub fn nested(&self) -> bool {
        self.may_chroot && !self.no_namespaces
    }
}

fn list(argument: &str) -> impl Iterator<Item = &str> {
    argument.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// Reads a directive; tells what becomes of it.
pub fn read(words: &mut Words, draft: &mut Draft, directive: &Directive) -> Finding {
    let argument = directive.argument.as_str();
    match directive.word.as_str() {
        "caps.drop" | "nonewprivs" | "noroot" | "ipc-namespace" | "private-dev" | "private-tmp"
        | "disable-mnt" | "machine-id" | "caps" => own(&directive.word),
        "nodvd" | "notv" | "nou2f" | "noinput" | "novideo" | "noprinters" | "notpm" => {
            Finding::exact("no application sees such devices")
        }
        "nosound" => {
            words.no_sound = true;
            Finding::exact("no sound")
        }
        "no3d" => {
            words.no_3d = true;
            Finding::exact("no graphics processor")
        }
        "noautopulse" => Finding::moot("no settings of the sound server are made"),
        "x11" => {
            words.no_x11 = true;
            match argument {
                "none" => Finding::exact("no X11"),
                _ => Finding::less("an X server of its own is not there in this version: no X11"),
            }
        }
        "net" | "netns" => {
            words.no_network = true;
            match argument {
                "none" => Finding::exact("no network"),
                _ => Finding::less("a network of its own is not there in this version: no network"),
            }
        }
        "netfilter" | "netfilter6" => {
            Finding::exact("it has an effect only on a network of its own, and there is none")
        }
        "dns" | "hosts-file" | "ip" | "ip6" | "iprange" | "mac" | "mtu" | "netmask"
        | "defaultgw" | "veth-name" | "netlock" => {
            Finding::moot("settings of a network of its own, and there is none")
        }
        "protocol" => protocol(words, draft, directive),
        "hostname" => match check("hostname", &quoted(argument), false) {
            Ok(()) => {
                draft.set("hostname", quoted(argument), &directive.place);
                Finding::exact("the same host name")
            }
            Err(why) => Finding::near(format!("it stays pinfold: {why}")),
        },
        "dbus-user" | "nodbus" | "dbus-system" => bus_mode(words, directive),
        word if word.starts_with("dbus-") => bus_rule(words, directive),
        word if word.starts_with("seccomp") => seccomp(words, directive),
        "restrict-namespaces" => restrict(words, argument),
        "caps.keep" => {
            words.may_chroot |= !words.seccomp && list(argument).any(|cap| cap == "sys_chroot");
            Finding::no_grant("no application has a capability")
        }
        "env" => match argument.split_once('=') {
            Some((name, value)) => variable(draft, name, value, &directive.place),
            None => Finding::no_grant("it sets no variable"),
        },
        "allow-debuggers" => {
            draft.push("syscalls.allow", quoted("devel"), &directive.place);
            Finding::exact("programs in it can trace each other")
        }
        "nice" | "timeout" | "rlimit-nofile" | "rlimit-nproc" | "rlimit-fsize" => {
            limit(draft, directive)
        }
        word => elsewhere(word),
    }
}

/// Limits that each process carries along.
fn limit(draft: &mut Draft, directive: &Directive) -> Finding {
    let argument = directive.argument.as_str();
    let (key, value, is_same) = match directive.word.as_str() {
        "nice" => ("nice", argument.to_owned(), true),
        "timeout" => match seconds(argument) {
            Some(seconds) => ("timeout", seconds.to_string(), true),
            None => return Finding::no_limit("it is no time as in hours:minutes:seconds"),
        },
        "rlimit-nofile" => ("limits.open-files", argument.to_owned(), true),
        "rlimit-fsize" => ("limits.file-size", argument.to_owned(), true),
        _ => ("limits.tasks", argument.to_owned(), false),
    };
    if let Err(why) = check(key, &value, false) {
        return Finding::no_limit(format!("a manifest does not take the value: {why}"));
    }
    draft.set(key, value, &directive.place);
    if is_same {
        Finding::exact("the same limit")
    } else {
        Finding::near("the processes of this application are counted, not those of the account")
    }
}

/// `hours:minutes:seconds`
fn seconds(text: &str) -> Option<u64> {
    let parts: Vec<u64> = text.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [hours, minutes, seconds] = parts[..] else { return None };
    hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)
}

/// What every sandbox has.
fn own(word: &str) -> Finding {
    match word {
        "nonewprivs" => Finding::exact("no program gains privileges"),
        "noroot" => Finding::exact("there is no root inside"),
        "ipc-namespace" => Finding::exact("every application has its own"),
        "private-dev" => Finding::exact("every application has a /dev of its own"),
        "private-tmp" => Finding::exact("every application has a /tmp of its own"),
        "disable-mnt" => Finding::exact("nothing of /mnt, /media and /run/media is granted"),
        "machine-id" => Finding::near("every application sees the same made-up id"),
        _ => Finding::exact("no application has a capability"),
    }
}

/// Directives that have no counterpart: what that means.
fn elsewhere(word: &str) -> Finding {
    match word {
        "quiet"
        | "tab"
        | "warn"
        | "tracelog"
        | "shell"
        | "deterministic-exit-code"
        | "deterministic-shutdown"
        | "name"
        | "join-or-start" => Finding::moot("it is about firejail itself"),
        "nogroups" => Finding::no_limit(
            "the groups of the caller stay: no program without privileges can leave them",
        ),
        "memory-deny-write-execute" => Finding::no_limit("memory can be written to and executed"),
        "private-bin" => Finding::no_limit("all programs of the system are seen"),
        "private-lib" => Finding::no_limit("all libraries of the system are seen"),
        "private-etc" => {
            Finding::more("what is seen of /etc is a list of Pinfold's own, not this one")
        }
        "apparmor" | "apparmor-replace" | "apparmor-stack" => {
            Finding::no_limit("no AppArmor profile is put on")
        }
        "cpu" => Finding::no_limit("every processor can be used"),
        word if word.starts_with("rlimit-") => {
            Finding::no_limit("there is no such limit in a manifest")
        }
        word if word.starts_with("landlock.") => {
            Finding::near("landlock follows from what is granted")
        }
        "rmenv" => Finding::near("only the variables of a short list reach the application"),
        word if word.starts_with("keep-") || word.starts_with("writable-") => {
            Finding::no_grant("the sandbox has a place of its own there")
        }
        "allusers" => Finding::no_grant("the homes of other accounts are not shown"),
        "allow-bwrap" => Finding::no_grant("no bubblewrap can be used inside"),
        "private-cwd" => Finding::near("it starts in the folder of the caller, or in the home"),
        "hostname-randomize" => Finding::near("every application sees the same made-up name"),
        "xephyr-screen" | "xephyr-extra-params" => Finding::moot("there is no X server of its own"),
        _ => Finding::no_limit("the directive is not known here; it may be a limit"),
    }
}

fn protocol(words: &mut Words, draft: &mut Draft, directive: &Directive) -> Finding {
    let families: Vec<String> = list(&directive.argument).map(str::to_owned).collect();
    if families.iter().any(|family| family == "bluetooth") {
        draft.push("syscalls.allow", quoted("bluetooth"), &directive.place);
    }
    let has = |name: &str| families.iter().any(|family| family == name);
    let internet = has("inet") || has("inet6");
    let missing: Vec<&str> = ["unix", "netlink"].into_iter().filter(|name| !has(name)).collect();
    let packet = has("packet");
    let one_of_two = has("inet") != has("inet6");
    words.protocols = Some(families);
    if !missing.is_empty() || one_of_two {
        let missing =
            if missing.is_empty() { "inet, inet6".to_owned() } else { missing.join(", ") };
        return Finding::more(format!("sockets of {missing} can be made all the same"));
    }
    if packet {
        return Finding::less("no sockets of raw packets can be made");
    }
    if internet {
        Finding::exact("the same families of sockets")
    } else {
        Finding::near("there is no network beyond a loopback of its own")
    }
}

fn bus_mode(words: &mut Words, directive: &Directive) -> Finding {
    let mode = match directive.argument.as_str() {
        "none" => Mode::None,
        "filter" => Mode::Filter,
        "allow" => return Finding::exact("the same as if nothing was said"),
        _ if directive.word == "nodbus" => Mode::None,
        _ => return Finding::no_limit("the policy is not known here"),
    };
    let both = directive.word == "nodbus";
    // The narrowest of several counts.
    let narrow = |old: &mut Mode| {
        if *old != Mode::None {
            *old = mode;
        }
    };
    if both || directive.word == "dbus-user" {
        narrow(&mut words.user_bus);
    }
    if both || directive.word == "dbus-system" {
        narrow(&mut words.system_bus);
    }
    Finding::exact(match mode {
        Mode::Filter => "only what is named passes",
        _ => "the bus is not reached",
    })
}

fn bus_rule(words: &mut Words, directive: &Directive) -> Finding {
    let Some((bus, way)) = directive.word.split_once('.') else {
        return Finding::no_limit("the directive is not known here; it may be a limit");
    };
    let (which, is_user) = match bus {
        "dbus-user" => (Bus::Session, true),
        "dbus-system" => (Bus::System, false),
        _ => return Finding::no_limit("the directive is not known here; it may be a limit"),
    };
    let policy = match way {
        "see" => Policy::See,
        "talk" => Policy::Talk,
        "own" => Policy::Own,
        "call" => {
            let key = if is_user { "bus.session.call" } else { "bus.system.call" };
            let value = quoted(&directive.argument);
            if let Err(why) = check(key, &value, true) {
                return Finding::no_grant(format!("a manifest does not take the rule: {why}"));
            }
            let rule = (key, value, directive.place.clone());
            if is_user {
                words.user_rules.push(rule)
            } else {
                words.system_rules.push(rule)
            }
            return Finding::exact("the same calls");
        }
        _ => return Finding::no_grant("such rules are not carried over"),
    };
    // Whether rules count is known only when the policy is; so they are kept.
    let mut kept = Draft::default();
    let finding = bus::name(&mut kept, which, &directive.argument, policy, &directive.place);
    let rules = if is_user { &mut words.user_rules } else { &mut words.system_rules };
    rules.extend(kept.into_lists().map(|(key, value)| (key, value, directive.place.clone())));
    finding
}

fn seccomp(words: &mut Words, directive: &Directive) -> Finding {
    let argument = directive.argument.as_str();
    match directive.word.as_str() {
        "seccomp" => {
            words.seccomp = true;
            let exempt: Vec<&str> =
                list(argument).filter_map(|item| item.strip_prefix('!')).collect();
            let added = list(argument).any(|item| !item.starts_with('!'));
            words.may_chroot = exempt.contains(&"chroot");
            if added {
                Finding::more("the filter is Pinfold's own; further calls cannot be refused")
            } else if exempt.is_empty() {
                Finding::exact("every application has a filter that refuses these calls")
            } else if exempt == ["chroot"] {
                Finding::near("chroot is open where sandboxes inside are")
            } else {
                Finding::less("the filter is Pinfold's own; single calls cannot be let through")
            }
        }
        "seccomp.drop" | "seccomp.32" | "seccomp.32.drop" => {
            words.seccomp = true;
            Finding::more("the filter is Pinfold's own, and no list is added to it")
        }
        "seccomp.keep" | "seccomp.32.keep" => {
            words.seccomp = true;
            Finding::more("the filter is Pinfold's own, and wider than a list of calls to keep")
        }
        "seccomp.block-secondary" => Finding::exact("programs of other architectures are stopped"),
        "seccomp-error-action" => Finding::near("refused calls fail; nothing is stopped by them"),
        _ => Finding::no_limit("the directive is not known here; it may be a limit"),
    }
}

fn restrict(words: &mut Words, argument: &str) -> Finding {
    let listed: Vec<&str> = list(argument).collect();
    let user = listed.is_empty() || listed.contains(&"user");
    words.no_namespaces |= user;
    if user {
        Finding::exact("no namespaces can be made")
    } else {
        words.no_namespaces = true;
        Finding::less("no namespaces can be made, of any kind")
    }
}
