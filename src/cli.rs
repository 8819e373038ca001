//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::plan::Tier;
use crate::report::ExitCode;

/// What stands beneath the list of subcommands.
fn exit_codes() -> String {
    let mut text = "Start with `pinfold tour`, which needs no set-up.\n\n\
                    Exit codes: `pinfold run` ends with the application's own, or 128+N when \
                    signal N ended it. Pinfold's own:"
        .to_owned();
    for code in ExitCode::ALL {
        text.push_str(&format!("\n  {:>3}  {}", code.number(), code.meaning()));
    }
    text
}

/// A desktop application sandbox that explains itself.
#[derive(Debug, Parser)]
#[command(
    name = "pinfold",
    version,
    about = "Runs desktop applications with just the files, sockets and devices that their manifest grants",
    after_help = exit_codes(),
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an application in its sandbox
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// List the applications that have a manifest, and whether each is installed
    #[command(after_help = LIST_EXAMPLES)]
    List(List),
    /// Show what an application may do, in plain language, and which line says so
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Show),
    /// Tell whether an application may do one thing, why, and what would change that
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// Tell what in a manifest leads out of the sandbox, or does nothing
    #[command(after_help = LINT_EXAMPLES)]
    Lint(Lint),
    /// Change what you yourself state about an application, or about all of them
    #[command(after_help = OVERRIDE_EXAMPLES)]
    Override(Override),
    /// Write a first manifest for a program, from its desktop entry
    #[command(after_help = NEW_EXAMPLES)]
    New(New),
    /// Show every step that a run would take
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(PlanOf),
    /// List the sandboxes that run
    #[command(after_help = PS_EXAMPLES)]
    Ps(Ps),
    /// Run a further program in a sandbox that runs
    #[command(after_help = ENTER_EXAMPLES)]
    Enter(Enter),
    /// End sandboxes, or send their applications a signal
    #[command(after_help = KILL_EXAMPLES)]
    Kill(Kill),
    /// Make a manifest from what another sandbox has, and tell how true to it that is
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(Import),
    /// Write what a manifest grants in the terms of another sandbox
    Export(Export),
    /// Tell what this host can and cannot enforce, and how to mend it
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(Doctor),
    /// See, side by side, what a program sees outside and inside a sandbox
    #[command(after_help = TOUR_EXAMPLES)]
    Tour(Tour),
    /// Filter a D-Bus bus; takes the arguments of xdg-dbus-proxy
    #[command(hide = true, disable_help_flag = true)]
    BusProxy {
        /// As xdg-dbus-proxy takes them; see --help
        #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manifest grammar as a JSON Schema, for editors
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema,
    /// Write the manual pages
    #[command(after_help = MAN_EXAMPLES)]
    Man {
        /// The folder to write them to, made where it is missing
        #[arg(long, value_name = "DIR")]
        output: PathBuf,
    },
}

const RUN_EXAMPLES: &str = "\
Examples:
  pinfold run org.gnome.Evince ~/Papers/one.pdf
      The program can read this one file, beside what its manifest grants.
  pinfold run --share network --write ~/Downloads org.gnome.Evince
      More for this one run: its network, and a folder to write to.
  pinfold run --shell org.gnome.Evince
      A shell in the same sandbox, to look around.
  pinfold run ./my.toml
      A manifest file of your own.

The options of pinfold stand before APP; what follows APP is the program's.";

const LIST_EXAMPLES: &str = "\
Examples:
  pinfold list
  pinfold list --json

Manifests lie in /usr/share/pinfold/manifests (vendor), /etc/pinfold (admin)
and ~/.config/pinfold (user).";

const SHOW_EXAMPLES: &str = "\
Examples:
  pinfold show org.gnome.Evince
  pinfold show --share network org.gnome.Evince
      What would be different with these flags of `pinfold run`.
  pinfold show ./my.toml";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  pinfold explain org.gnome.Evince ~/Documents/one.pdf
  pinfold explain org.gnome.Evince bus:org.freedesktop.systemd1
  pinfold explain org.gnome.Evince portal:camera
  pinfold explain org.gnome.Evince device:gpu
  pinfold explain org.gnome.Evince host:example.org:443
  pinfold explain org.gnome.Evince syscall:ptrace
  pinfold explain --read ~/Scans org.gnome.Evince ~/Scans
      What would be different with these flags of `pinfold run`.
  pinfold explain org.gnome.Evince
      The questions that are asked most.

What is asked is guessed from its shape where no word stands before it.";

const LINT_EXAMPLES: &str = "\
Examples:
  pinfold lint ./my.toml
  pinfold lint --strict --all
      Every manifest that is found; warnings count too.
  pinfold lint --fix ./my.toml
      Makes the changes that are told after `--fix:`; comments stay.
  pinfold lint --format sarif ./my.toml > my.sarif
      For code hosts and editors.

Each finding has a code that never changes its meaning. In a manifest, a
comment on the same line or the line above lets one stay, with a reason:

  x11 = \"shared\"   # lint: allow L301 it speaks no Wayland

It is told all the same and counts for the verdict: `boxed`, `leaky` or `not a
sandbox`. Ends with 0 where nothing should be changed and with 1 where there
are errors, or with --strict warnings, that nobody allows.";

const PLAN_EXAMPLES: &str = "\
Examples:
  pinfold plan org.gnome.Evince
  pinfold plan --json org.gnome.Evince ~/Papers/one.pdf
      The very plan that a run with this argument would carry out.";

const IMPORT_EXAMPLES: &str = "\
Examples:
  pinfold import flatpak /var/lib/flatpak/app/org.example.App/current/active/metadata
  pinfold import firejail /etc/firejail/vlc.profile --output ~/.config/pinfold/imported.firejail.vlc.toml
  pinfold import firejail ./my.profile --include-dir /etc/firejail
  pinfold import bubblejail ~/.local/share/bubblejail/instances/one/services.toml --id org.example.One
  pinfold import snap /snap/one/current/meta/snap.yaml --report json

Without --output the manifest is printed, and the report goes to the error
output. Nothing is granted that the source does not grant; what had to be left
out or narrowed is in the report, and so are limits that are wider here.";

const EXPORT_BWRAP_EXAMPLES: &str = "\
Examples:
  pinfold export bwrap org.gnome.Evince
  pinfold export bwrap --json org.gnome.Evince
  pinfold export bwrap --files ./parts org.gnome.Evince
      With the files that Pinfold writes itself, and the system call filter.

What bubblewrap has no words for, such as landlock and the filter before the
buses, is named on the error output.";

const EXPORT_FLATPAK_EXAMPLES: &str = "\
Examples:
  pinfold export flatpak-override org.gnome.Evince > override
      What `flatpak override` would write to
      ~/.local/share/flatpak/overrides/org.gnome.Evince

What Flatpak has no words for is named on the error output.";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  pinfold doctor
  pinfold doctor --json

Ends with 0 where sandboxes can be built and with 69 where none can.";

const PS_EXAMPLES: &str = "\
Examples:
  pinfold ps
  pinfold ps --watch
  pinfold ps --namespaces
      What each sandbox is made of, and the line by which nsenter looks in.";

const ENTER_EXAMPLES: &str = "\
Examples:
  pinfold enter org.gnome.Evince
      A shell beside the application, with the same rights and no more.
  pinfold enter org.gnome.Evince -- ls -l /
  pinfold enter org.gnome.Evince-4711 -- id
      One of several runs, by the name that `pinfold ps` shows.

Ends with the program's own exit code.";

const KILL_EXAMPLES: &str = "\
Examples:
  pinfold kill org.gnome.Evince
      All runs of it: a word first (TERM), then force after the time of --grace.
  pinfold kill --all
  pinfold kill --signal USR1 org.gnome.Evince-4711";

const TOUR_EXAMPLES: &str = "\
Examples:
  pinfold tour
  pinfold tour | less -R

It needs no set-up and no privilege, tries nothing that would change this
machine, and leaves nothing behind. Ends with 0 where the sandbox worked and
with 69 where this host allows none.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  pinfold completions bash > ~/.local/share/bash-completion/completions/pinfold
  pinfold completions fish > ~/.config/fish/completions/pinfold.fish";

const OVERRIDE_EXAMPLES: &str = "\
Examples:
  pinfold override org.gnome.eog --read ~/Scans --unshare network
      The flags of `pinfold run`, kept: from now on it can read ~/Scans, and has
      no network.
  pinfold override org.gnome.eog --unset read=~/Scans
      Says nothing about ~/Scans any more; what the shipped manifest says holds.
  pinfold override org.gnome.eog --refuse portal=print --set audio.record=false
      Shuts one of several things that are granted; states any other key.
  pinfold override org.gnome.eog --reset network
      Takes back all that the shipped manifest says about the network.
  pinfold override --global --deny ~/Private
      For every application.
  pinfold override org.gnome.eog
      What your file changes.

Each thing is stated on (--share, --read, --set audio.playback=true), stated off
(--unshare, --deny, --refuse, --set audio.playback=false), or not stated
(--unset), and then lower layers decide.

WHAT is the name of a flag (read=~/Scans, portal=print, talk=org.example.Name,
env=NAME, gpu, wayland, ...), a key of the manifest (network.mode) or a whole
table of it (network).

Only ~/.config/pinfold/APP.toml is changed (with --global: global.toml there).
Comments and order stay. What would not make a valid policy is not written.";

const NEW_EXAMPLES: &str = "\
Examples:
  pinfold new org.gnome.eog
  pinfold new /usr/share/applications/mousepad.desktop --output ./mousepad.toml
  pinfold new mousepad --id org.xfce.mousepad

It asks nothing: it reads the desktop entry and the names of the libraries that
the program is linked with, says what it made of them, and grants a window and
sound at most. Folders, the network and dialogs stand there as comments.";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  pinfold schema > manifest.schema.json
      and as the first line of a manifest: #:schema ./manifest.schema.json

Editors that know TOML then complete keys and underline mistakes. The package
has the file beside the manifests, in /usr/share/pinfold/manifests.";

const MAN_EXAMPLES: &str = "\
Examples:
  pinfold man --output ./man && man ./man/pinfold-run.1";

/// What one run can be given beyond the manifest. Each flag is a statement of
/// the topmost layer.
#[derive(Debug, Clone, Default, Args)]
pub struct Grants {
    /// Let the application read a path
    #[arg(long, value_name = "PATH")]
    pub read: Vec<String>,
    /// Let the application change what is at a path
    #[arg(long, value_name = "PATH")]
    pub write: Vec<String>,
    /// Make a folder if it is missing, and let the application change what is in it
    #[arg(long, value_name = "PATH")]
    pub create: Vec<String>,
    /// Keep a path shut, whatever lower layers grant
    #[arg(long, value_name = "PATH")]
    pub deny: Vec<String>,
    /// Open something; several are joined by commas
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub share: Vec<Share>,
    /// Shut something; several are joined by commas
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub unshare: Vec<Share>,
    /// Let the application ask a portal, by its word: file-chooser, notification, ...
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    pub portal: Vec<String>,
    /// Let the application use a service of the session, by its word: tray, mpris, ...
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    pub service: Vec<String>,
    /// Let the application talk to a name on the session bus
    #[arg(long, value_name = "NAME")]
    pub talk: Vec<String>,
    /// Let the application own a name on the session bus
    #[arg(long, value_name = "NAME")]
    pub own: Vec<String>,
    /// Set a variable for the application
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Which home the application finds
    #[arg(long, value_name = "KIND")]
    pub home: Option<HomeWord>,
    /// Start only where the kernel's landlock can enforce all that is asked
    #[arg(long)]
    pub require_landlock: bool,
}

/// How much is asked of the host.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct TierChoice {
    /// Do without what this host refuses, by the lesser means that is named
    ///
    /// For hosts that let nobody make namespaces. With `landlock` nothing is
    /// mounted and no namespace made: landlock (version 6, Linux 6.12, or
    /// later) governs files, signals, TCP ports and, from version 9 on,
    /// sockets; the system call filter shuts what it does not govern. The
    /// application can then find out which files and processes there are, and
    /// how files are named, sized and dated. There are no X11
    /// and no D-Bus, and below version 9 no sound and one Wayland connection;
    /// chmod and the like fail. A manifest that landlock
    /// alone cannot keep (a denial inside a grant, a home that is gone
    /// afterwards) is refused. Never chosen by itself, and said at every run:
    /// with --quiet, in one line.
    #[arg(long, value_name = "MEANS")]
    pub degraded: Option<DegradedWord>,
}

impl TierChoice {
    /// The tier that is asked for.
    pub fn tier(self) -> Tier {
        match self.degraded {
            None => Tier::Namespaces,
            Some(DegradedWord::Landlock) => Tier::Landlock,
        }
    }
}

/// Lesser means of confinement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DegradedWord {
    /// Landlock and the system call filter, without namespaces
    Landlock,
}

/// Things that can be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Share {
    /// The host's network
    Network,
    /// The Wayland socket
    Wayland,
    /// The X11 socket
    X11,
    /// Sound
    Audio,
    /// The graphics device
    Gpu,
    /// Hardware virtualisation
    Kvm,
}

/// Kinds of homes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HomeWord {
    /// Its own, kept
    Private,
    /// Its own, gone afterwards
    Ephemeral,
    /// The real one, but for protected paths
    Shared,
}

/// `pinfold run`
#[derive(Debug, Args)]
pub struct Run {
    /// One-off grants
    #[command(flatten)]
    pub grants: Grants,
    /// How much is asked of the host
    #[command(flatten)]
    pub tier: TierChoice,
    /// Do not hand over files that are named as arguments
    #[arg(long)]
    pub no_forward: bool,
    /// Let the application change the files that are named as arguments
    #[arg(long, conflicts_with = "no_forward")]
    pub forward_write: bool,
    /// Run a shell in the sandbox instead of the application
    #[arg(long)]
    pub shell: bool,
    /// Print the plan, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Tell where the time went until the application ran
    #[arg(long)]
    pub timings: bool,
    /// Tell each call to a bus that is refused, and the line that would allow it
    #[arg(long)]
    pub log_bus: bool,
    /// Write what happens to this descriptor, one JSON object a line
    #[arg(long, value_name = "FD")]
    pub status_fd: Option<i32>,
    /// Say everything that is worth knowing about this run
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// The application's id, or a manifest file (with a / or ending in .toml)
    #[arg(value_name = "APP|FILE")]
    pub app: String,
    /// Arguments for the application
    #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

/// `pinfold list`
#[derive(Debug, Args)]
pub struct List {
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// `pinfold show`
#[derive(Debug, Args)]
pub struct Show {
    /// One-off grants, to see what they would change
    #[command(flatten)]
    pub grants: Grants,
    /// How much is asked of the host
    #[command(flatten)]
    pub tier: TierChoice,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
    /// The application's id, or a manifest file (with a / or ending in .toml)
    #[arg(value_name = "APP|FILE")]
    pub app: String,
}

/// `pinfold explain`
#[derive(Debug, Args)]
pub struct Explain {
    /// One-off grants, to see what they would change
    #[command(flatten)]
    pub grants: Grants,
    /// How much is asked of the host
    #[command(flatten)]
    pub tier: TierChoice,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
    /// The application's id, or a manifest file (with a / or ending in .toml)
    #[arg(value_name = "APP|FILE")]
    pub app: String,
    /// A path, bus:NAME, portal:WORD, device:WORD, host:NAME[:PORT] or syscall:NAME
    #[arg(value_name = "WHAT")]
    pub what: Vec<String>,
}

/// `pinfold lint`
#[derive(Debug, Args)]
pub struct Lint {
    /// How the findings are printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: LintFormat,
    /// End with 1 for warnings too
    #[arg(long)]
    pub strict: bool,
    /// Let the findings of a rule stay, by its code; several are joined by commas
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// Change the manifest file where a machine can mend what was found
    #[arg(long, requires = "app", conflicts_with = "all")]
    pub fix: bool,
    /// Look at every application that has a manifest
    #[arg(long, conflicts_with = "app")]
    pub all: bool,
    /// The application's id, or a manifest file (with a / or ending in .toml)
    #[arg(value_name = "APP|FILE", required_unless_present = "all")]
    pub app: Option<String>,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    /// Lines for people
    Text,
    /// JSON of this program's own
    Json,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
}

/// `pinfold override`
#[derive(Debug, Args)]
pub struct Override {
    /// What is stated
    #[command(flatten)]
    pub grants: Grants,
    /// State any key: KEY=true, KEY=word, KEY=one,two for lists
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Take one entry out of what is granted: portal=print, read=~/Music, ...
    #[arg(long, value_name = "WHAT")]
    pub refuse: Vec<String>,
    /// State nothing about it any more
    #[arg(long, value_name = "WHAT")]
    pub unset: Vec<String>,
    /// Take back all that lower layers state about a key or table
    #[arg(long, value_name = "WHAT")]
    pub reset: Vec<String>,
    /// Tell what your file changes
    #[arg(long, conflicts_with_all = ["export", "import"])]
    pub show: bool,
    /// Print your file
    #[arg(long, conflicts_with = "import")]
    pub export: bool,
    /// Put this file in the place of yours; - is the standard input
    #[arg(long, value_name = "FILE")]
    pub import: Option<PathBuf>,
    /// State it for all applications
    #[arg(long)]
    pub global: bool,
    /// The application's id, or a manifest file (with a / or ending in .toml)
    #[arg(value_name = "APP|FILE", required_unless_present = "global", conflicts_with = "global")]
    pub app: Option<String>,
}

/// `pinfold new`
#[derive(Debug, Args)]
pub struct New {
    /// The file to write, which must not be there yet; else it is printed
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The application's id, where not that of the desktop entry
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// The desktop entry: its file, or its name without .desktop
    #[arg(value_name = "ENTRY")]
    pub entry: String,
}

/// `pinfold plan`
#[derive(Debug, Args)]
pub struct PlanOf {
    /// One-off grants
    #[command(flatten)]
    pub grants: Grants,
    /// How much is asked of the host
    #[command(flatten)]
    pub tier: TierChoice,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
    /// The application's id, or a manifest file (with a / or ending in .toml)
    #[arg(value_name = "APP|FILE")]
    pub app: String,
    /// Arguments for the application
    #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

/// `pinfold ps`
#[derive(Debug, Args)]
pub struct Ps {
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
    /// Show the list anew each second, until interrupted
    #[arg(long, conflicts_with = "json")]
    pub watch: bool,
    /// Show the namespaces of each sandbox
    #[arg(long)]
    pub namespaces: bool,
}

/// `pinfold enter`
#[derive(Debug, Args)]
pub struct Enter {
    /// The folder to start in, inside; the application's own unless it is said
    #[arg(long, value_name = "DIR")]
    pub folder: Option<String>,
    /// The name of a run, or the id of an application that runs once
    #[arg(value_name = "INSTANCE|APP")]
    pub instance: String,
    /// The program and its arguments; a shell unless it is said
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<String>,
}

/// `pinfold kill`
#[derive(Debug, Args)]
pub struct Kill {
    /// The name of a run, or the id of an application: all its runs
    #[arg(value_name = "INSTANCE|APP", required_unless_present = "all")]
    pub instance: Option<String>,
    /// All sandboxes that run
    #[arg(long, conflicts_with = "instance")]
    pub all: bool,
    /// Send the application this signal, and do no more
    #[arg(long, value_name = "SIGNAL")]
    pub signal: Option<String>,
    /// Seconds between a word and force
    #[arg(long, value_name = "SECONDS", default_value_t = 5, conflicts_with = "signal")]
    pub grace: u64,
}

/// `pinfold import`
#[derive(Debug, Args)]
pub struct Import {
    /// Whose file it is
    pub format: ImportFormat,
    /// The file
    pub file: PathBuf,
    /// Write the manifest to this file, which must not exist
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How to tell what became of each line
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub report: ReportForm,
    /// The application's id, in place of that of the file or of one made from its name
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
    /// A folder in which included profiles may lie, beside that of the file
    #[arg(long, value_name = "DIR")]
    pub include_dir: Vec<PathBuf>,
}

/// What can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// Metadata of a Flatpak application, or a file of overrides
    Flatpak,
    /// A firejail profile
    Firejail,
    /// The services of a bubblejail instance, or a bubblejail profile
    Bubblejail,
    /// snap.yaml or snapcraft.yaml
    Snap,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    /// For people
    Text,
    /// For programs
    Json,
}

/// `pinfold export`
#[derive(Debug, Args)]
pub struct Export {
    /// In whose terms
    #[command(subcommand)]
    pub target: ExportTarget,
}

/// What can be exported to.
#[derive(Debug, Subcommand)]
pub enum ExportTarget {
    /// The arguments of bubblewrap, one a line
    #[command(after_help = EXPORT_BWRAP_EXAMPLES)]
    Bwrap(ExportBwrap),
    /// A file of overrides of Flatpak
    #[command(after_help = EXPORT_FLATPAK_EXAMPLES)]
    FlatpakOverride(ExportFlatpak),
}

/// `pinfold export bwrap`
#[derive(Debug, Args)]
pub struct ExportBwrap {
    /// One-off grants
    #[command(flatten)]
    pub grants: Grants,
    /// Print the arguments as a JSON array
    #[arg(long)]
    pub json: bool,
    /// Write what is handed over as open files into this folder, which is made
    #[arg(long, value_name = "DIR")]
    pub files: Option<PathBuf>,
    /// The application's id, or a manifest file (with a / or ending in .toml)
    #[arg(value_name = "APP|FILE")]
    pub app: String,
}

/// `pinfold export flatpak-override`
#[derive(Debug, Args)]
pub struct ExportFlatpak {
    /// One-off grants
    #[command(flatten)]
    pub grants: Grants,
    /// The application's id, or a manifest file (with a / or ending in .toml)
    #[arg(value_name = "APP|FILE")]
    pub app: String,
}

/// `pinfold doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// `pinfold tour`
#[derive(Debug, Args)]
pub struct Tour {
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
    /// Be one of the processes that a tour takes
    #[arg(long, hide = true, requires = "outside", conflicts_with = "json")]
    pub part: Option<TourPart>,
    /// The process that the person started
    #[arg(long, hide = true, default_value_t = 0, requires = "part")]
    pub outside: i32,
}

/// The processes of a tour that `pinfold tour` itself starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TourPart {
    /// The launcher of the sandbox.
    Sandbox,
    /// The application in it: tells what it sees. It does nothing that any
    /// program could not do, wherever it is run.
    Report,
}
