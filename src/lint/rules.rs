//! The table of rules.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Should be looked at: it leads further than it seems, or does nothing.
    Warning,
    /// Should not be there.
    Error,
}

impl Level {
    /// The level as people read it.
    pub fn word(self) -> &'static str {
        match self {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// How far what was found leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// Not out of the sandbox.
    Inside,
    /// It sees or spoils what is not its own, or gets out with somebody's help.
    Leak,
    /// It can run what it likes outside.
    Escape,
}

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its code, for ever.
    pub code: &'static str,
    /// Its name, for reports.
    pub name: &'static str,
    /// How bad what it finds is, as a rule.
    pub level: Level,
    /// How far that leads, as a rule.
    pub reach: Reach,
    /// What it looks for, in one sentence.
    pub about: &'static str,
    /// What can be done, where nothing more precise can be said.
    pub remedy: &'static str,
}

macro_rules! rules {
    ($($const:ident $code:literal $name:literal $level:ident $reach:ident $about:literal, $remedy:literal;)+) => {
        $(#[doc = $about] pub static $const: Rule = Rule {
            code: $code,
            name: $name,
            level: Level::$level,
            reach: Reach::$reach,
            about: $about,
            remedy: $remedy,
        };)+

        /// Every rule, in order of code.
        pub static ALL: &[&Rule] = &[$(&$const,)+];
    };
}

rules! {
    RUNS_OUTSIDE "L101" "runs-outside" Error Escape
        "It may write where something outside the sandbox runs or obeys what lies there.",
        "take the grant out, or grant a narrower folder";
    OTHER_SANDBOXES "L102" "other-sandboxes" Error Escape
        "It may write what decides over sandboxes, its own among them, or what they keep.",
        "take the grant out";
    SECRETS "L103" "secrets" Warning Leak
        "It may read keys, passwords, sessions or other sandboxes' data.",
        "take the grant out, or grant the one file that is needed";
    BROAD "L104" "broad" Warning Leak
        "It is granted a whole home, or a whole folder of the root.",
        "grant the folders that it works in";
    WRITE_AND_RUN "L105" "write-and-run" Warning Inside
        "It may execute what it has written outside its own home.",
        "leave `exec` out";
    REPOSITORY "L106" "repository" Note Leak
        "It may write a folder in which build tools or git run what lies there.",
        "grant a folder that holds only what it works on";
    AGENT_SOCKET "L107" "agent-socket" Error Leak
        "It reaches an SSH or GPG agent, which signs whatever it is asked to.",
        "take the grant out";
    ENGINE_SOCKET "L108" "engine-socket" Error Escape
        "It reaches a container engine, which starts containers with any folder of the host in them.",
        "take the grant out";
    SECRET_VARIABLE "L109" "secret-variable" Warning Leak
        "It is given a variable whose name says that it holds a secret.",
        "leave the variable out";
    BUS_ESCAPE "L201" "bus-escape" Error Escape
        "It may call a service that runs programs, or obeys, outside the sandbox.",
        "leave the name out, or state the single calls that are needed under `call`";
    BUS_LEAK "L202" "bus-leak" Warning Leak
        "It may call a service that tells or does more than is its own business.",
        "leave the name out, or state the single calls that are needed under `call`";
    IMPERSONATION "L203" "impersonation" Warning Leak
        "It may own the name of a service, and so be taken for it.",
        "leave the name out; its own id and names beneath it are granted anyway";
    RISKY_WORD "L204" "risky-word" Warning Leak
        "It is granted a portal or service of high risk.",
        "leave the word out where the program does without";
    BROAD_NAMES "L205" "broad-names" Warning Leak
        "It may call all names that a whole desktop shares a beginning with.",
        "name the services that are needed one by one";
    MISSPELT_NAME "L206" "misspelt-name" Warning Inside
        "A bus name is nearly that of a known service.",
        "write the name as the service has it";
    X11 "L301" "x11" Warning Leak
        "It reaches an X server, on which every program watches and drives every other.",
        "x11 = \"fallback\" with wayland = true, or \"never\"";
    X11_FALLBACK "L302" "x11-fallback" Note Inside
        "It reaches an X server where there is no Wayland compositor.",
        "x11 = \"never\", where it speaks Wayland";
    SOUND "L303" "sound" Note Inside
        "It plays through the sound server's own socket, which records too.",
        "leave `playback` out where it does without";
    RECORD "L304" "record" Warning Leak
        "It records, and reaches the streams of other programs.",
        "leave `record` out where it does without";
    HOST_NETWORK "L305" "host-network" Note Inside
        "It is in the host's network, loopback services included.",
        "leave `mode` out, or limit `connect` and `listen`";
    ABSTRACT_SOCKETS "L306" "abstract-sockets" Note Leak
        "It is in the host's network, and this kernel cannot keep it from abstract sockets.",
        "use Linux 6.12 or later, or leave the network out";
    KVM "L307" "kvm" Warning Inside
        "It may run virtual machines, by a large gate into the kernel.",
        "leave \"kvm\" out";
    OPEN_COMPOSITOR "L308" "open-compositor" Note Leak
        "The compositor gives every client protocols to watch the screen and type.",
        "use a compositor that keeps them from sandboxes";
    NESTED_CONTAINER "L401" "nested-container" Warning Leak
        "It may mount, so Landlock does not govern its files.",
        "nested = \"browser\" where that is enough";
    FORGED_IDENTITY "L402" "forged-identity" Warning Leak
        "It may forge what the sound server takes for its identity.",
        "leave either `nested` or `record` out";
    MORE_KERNEL "L403" "more-kernel" Note Inside
        "It reaches rarely used parts of the kernel.",
        "leave it out where the program does without";
    MISSING "L501" "missing" Note Inside
        "A granted path is not there.",
        "make it, or grant it under `create`";
    COVERED "L502" "covered" Warning Inside
        "A grant says nothing that another one does not say already.",
        "take it out";
    STAYS_SHUT "L503" "stays-shut" Warning Inside
        "A grant opens nothing: the path is protected, or denied.",
        "take it out";
    PAST_PORTALS "L504" "past-portals" Warning Leak
        "It may call the portals' own name, so that the list of portals says nothing.",
        "take the name out";
    PORTS_WITHOUT_NETWORK "L505" "ports-without-network" Warning Inside
        "Ports are stated, and there is no network.",
        "take the ports out, or state network.mode = \"host\"";
    PERSIST_WITHOUT_EPHEMERAL "L506" "persist-without-ephemeral" Warning Inside
        "`persist` is stated for a home that is kept anyway.",
        "take `persist` out, or state home.kind = \"ephemeral\"";
    LONELY_PORTAL "L507" "lonely-portal" Warning Inside
        "A portal is granted that is of no use without another.",
        "grant the other one too, or take it out";
    MUST_DENY "L601" "must-deny" Error Leak
        "What the manifest says must be shut is open.",
        "take the grant out that opens it, or deny it";
    MUST_OPEN "L602" "must-open" Error Inside
        "What the manifest says must be open is shut.",
        "grant it";
    UNUSED_ALLOWANCE "L901" "unused-allowance" Note Inside
        "A remark allows a finding that there is not.",
        "take the remark out";
}

/// The rule of a code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.code == code)
}
