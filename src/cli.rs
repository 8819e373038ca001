//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A desktop application sandbox that explains itself.
#[derive(Debug, Parser)]
#[command(
    name = "pinfold",
    version,
    about = "Runs desktop applications with just the files, sockets and devices that their manifest grants",
    after_help = "Start with `pinfold tour`, which needs no set-up. Exit codes: the application's own; 2 usage, 65 manifest, 69 the host forbids it, 70 a bug, 125 a set-up step failed, 126 not executable, 127 not found, 128+N ended by signal N.",
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
    Run(Run),
    /// List the applications that have a manifest
    List(List),
    /// Show what an application may do, in plain language
    Show(Show),
    /// Show every step that a run would take
    Plan(PlanOf),
    /// Tell what this host can and cannot enforce
    Doctor(Doctor),
    /// See, side by side, what the host sees and what an application inside sees
    Tour(Tour),
    /// Filter a D-Bus bus; takes the arguments of xdg-dbus-proxy
    #[command(hide = true, disable_help_flag = true)]
    BusProxy {
        /// As xdg-dbus-proxy takes them; see --help
        #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    Man {
        /// The folder to write them to
        #[arg(long, value_name = "DIR")]
        output: PathBuf,
    },
}

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
    /// Keep a path shut
    #[arg(long, value_name = "PATH")]
    pub deny: Vec<String>,
    /// Open something for this run
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub share: Vec<Share>,
    /// Shut something for this run
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub unshare: Vec<Share>,
    /// Set a variable
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Whose home the application finds
    #[arg(long, value_name = "KIND")]
    pub home: Option<HomeWord>,
    /// Start only if the kernel's landlock can do all that is asked
    #[arg(long)]
    pub require_landlock: bool,
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
    /// Do not hand over files that are named as arguments
    #[arg(long)]
    pub no_forward: bool,
    /// Let the application change the files that are named as arguments
    #[arg(long, conflicts_with = "no_forward")]
    pub forward_write: bool,
    /// Run a shell in the sandbox instead of the application
    #[arg(long)]
    pub shell: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Tell where the time went until the application ran
    #[arg(long)]
    pub timings: bool,
    /// Write what happens to this descriptor, one JSON object a line
    #[arg(long, value_name = "FD")]
    pub status_fd: Option<i32>,
    /// Say everything that is worth knowing
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
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `pinfold show`
#[derive(Debug, Args)]
pub struct Show {
    /// One-off grants, to see what they would change
    #[command(flatten)]
    pub grants: Grants,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The application's id, or a manifest file
    #[arg(value_name = "APP|FILE")]
    pub app: String,
}

/// `pinfold plan`
#[derive(Debug, Args)]
pub struct PlanOf {
    /// One-off grants
    #[command(flatten)]
    pub grants: Grants,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The application's id, or a manifest file
    #[arg(value_name = "APP|FILE")]
    pub app: String,
    /// Arguments for the application
    #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<String>,
}

/// `pinfold doctor`
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `pinfold tour`
#[derive(Debug, Args)]
pub struct Tour {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
