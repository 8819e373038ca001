//! From a plan to what the child can use: C strings, witness descriptors,
//! integers, filter words and landlock rules. Floor 5.
//!
//! Everything that may allocate, format or fail in an interesting way happens
//! here, before the clone. What is left for the child is to walk over the
//! result. The sources of binds are opened here too, but only as witnesses:
//! a descriptor that was opened before the clone belongs to the launcher's
//! mount namespace and can be neither cloned nor bound in the child's
//! (EINVAL). The child opens each source again and compares.

pub mod authority;
pub mod filter;
pub mod folders;
pub mod in_place;
pub mod landlock;
pub mod seccomp;
pub mod streams;
pub mod tree;

use std::ffi::CString;

use crate::host::HostFs;
use crate::model::AppId;
use crate::model::barrier::{Barrier, Barriers};
use crate::model::path::AbsPath;
use crate::model::permission::Nested;
use crate::model::plan::{Action, Kind, Limits, Plan, Tier};
use crate::report::{Code, Diagnostic};
use crate::sys::confine::Instruction;
use crate::sys::process::{NewNamespaces, StringArray};

use filter::FrozenFilter;
use in_place::InPlace;
use landlock::FrozenLandlock;
use tree::FrozenTree;

/// What a plan does not say, because it holds for one run only.
pub struct Here<'a> {
    /// The application.
    pub app: &'a AppId,
    /// The number of this run, by which portals tell it from others.
    pub instance: u32,
    /// Landlock's ABI version; 0 where there is none.
    pub landlock_abi: u32,
    /// What a debug build leaves out.
    pub without: Barriers,
}

/// A plan that is ready for the child.
pub struct Frozen {
    /// What the clone makes; nothing in [`Tier::Landlock`].
    pub namespaces: Option<NewNamespaces>,
    /// Whether no user namespace may be made inside.
    pub locks_user_namespaces: bool,
    /// A line of `uid_map`.
    pub uid_map: Vec<u8>,
    /// A line of `gid_map`.
    pub gid_map: Vec<u8>,
    /// The host name inside.
    pub hostname: Vec<u8>,
    /// The file tree.
    pub tree: FrozenTree,
    /// What stands before the buses, if any are granted.
    pub bus: Option<FrozenFilter>,
    /// The landlock ruleset, where the kernel has one.
    pub landlock: Option<FrozenLandlock>,
    /// The system call filter.
    pub filter: Vec<Instruction>,
    /// What there is in place of namespaces, where there are none.
    pub in_place: Option<InPlace>,
    /// The program.
    pub program: CString,
    /// Its arguments.
    pub arguments: StringArray,
    /// Its environment.
    pub environment: StringArray,
    /// Where it starts.
    pub cwd: CString,
    /// Where it starts when that cannot be entered.
    pub home: CString,
    /// The one descriptor beyond 2 that the application keeps.
    pub kept: Option<i32>,
    /// The line of `oom_score_adj`, where one is stated.
    pub oom_score: Option<Vec<u8>>,
    /// What the application is held to.
    pub limits: Limits,
    /// Whether the child tells the time of each part.
    pub timed: bool,
    /// What is left out; nothing in a release build.
    pub without: Barriers,
}

/// A text for the kernel. Every text of a plan has been checked to hold no
/// NUL; one that does all the same is a bug.
fn c_string(text: &str) -> Result<CString, Diagnostic> {
    CString::new(text)
        .map_err(|_| Diagnostic::error(Code::Bug, format!("a NUL in a text of the plan: {text:?}")))
}

/// Readies a plan, with the barriers that a debug build may leave out.
///
/// # Errors
/// The first thing of the plan that this host does not have as the plan says.
pub fn freeze(plan: &Plan, fs: &HostFs, here: &Here<'_>) -> Result<Frozen, Diagnostic> {
    let own = own_places(plan);
    let (tree, witnesses) = tree::freeze(&plan.tree, fs, &own, here)?;
    let (landlock, in_place) = match plan.tier {
        Tier::Namespaces => {
            let abi = here.landlock_abi;
            if plan.namespaces.network {
                streams::refuse_loose()?;
            }
            (landlock::freeze(&plan.landlock, &witnesses, abi, landlock::ALL_SCOPES)?, None)
        }
        // The tree is not made; what its witnesses are open on is what the
        // rules hang on.
        Tier::Landlock => {
            let (init, place) = in_place::freeze(plan, fs, witnesses, here)?;
            (Some(init), Some(place))
        }
    };
    let process = &plan.process;
    let texts =
        |list: &[String]| list.iter().map(|text| c_string(text)).collect::<Result<Vec<_>, _>>();
    let mut environment = process
        .environment
        .iter()
        .map(|(name, value)| c_string(&format!("{name}={value}")))
        .collect::<Result<Vec<_>, _>>()?;
    let variable = |name: &str| {
        process.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    };
    let mut kept = variable("WAYLAND_SOCKET").map(kept).transpose()?;
    if let Some(number) = in_place.as_ref().and_then(InPlace::connection) {
        environment.push(c_string(&format!("WAYLAND_SOCKET={number}"))?);
        kept = Some(number);
    }
    let Some(arch) = seccomp::Arch::native() else {
        return Err(Diagnostic::error(
            Code::HostKernel,
            "there is no system call filter for this processor, so nothing is started",
        ));
    };
    Ok(Frozen {
        namespaces: (plan.tier == Tier::Namespaces).then(|| NewNamespaces {
            network: plan.namespaces.network && !here.without.has(Barrier::Network),
            processes: !here.without.has(Barrier::Processes),
            ipc: !here.without.has(Barrier::Ipc),
        }),
        locks_user_namespaces: plan.syscalls.nested == Nested::None
            && !here.without.has(Barrier::UserNamespaces),
        uid_map: format!("{0} {0} 1\n", plan.identity.uid).into_bytes(),
        gid_map: format!("{0} {0} 1\n", plan.identity.gid).into_bytes(),
        hostname: plan.namespaces.hostname.clone().into_bytes(),
        landlock,
        in_place,
        filter: seccomp::program(&plan.syscalls, arch),
        tree,
        bus: plan.filter.as_ref().map(|plan| filter::freeze(plan, fs, here)).transpose()?,
        program: c_string(process.program.as_str())?,
        arguments: StringArray::new(texts(&process.arguments)?),
        environment: StringArray::new(environment),
        cwd: c_string(process.cwd.as_str())?,
        home: c_string(variable("HOME").unwrap_or("/"))?,
        kept,
        oom_score: process.limits.oom_score.map(|score| score.to_string().into_bytes()),
        limits: process.limits.clone(),
        timed: false,
        without: here.without,
    })
}

/// The descriptor of a compositor's connection that the caller handed down.
/// Anything else of that number stays shut: a folder would lead out of the
/// sandbox, and what the launcher itself has open is no such connection.
fn kept(number: &str) -> Result<i32, Diagnostic> {
    number
        .parse()
        .ok()
        .filter(|number| *number > 2 && crate::sys::fd::is_connection(*number))
        .ok_or_else(|| {
            Diagnostic::error(
                Code::HostEnvironment,
                format!("WAYLAND_SOCKET is {number}, which is no connection to a compositor"),
            )
            .hint("unset it; WAYLAND_DISPLAY names a compositor by its socket")
        })
}

/// The mode by which a folder of the application's own is told from one that
/// `create` makes for everybody.
const OWN: u32 = 0o700;

/// The places of what outlives runs and is the application's own: its home,
/// or the parts of it that are kept.
fn own_places(plan: &Plan) -> Vec<&AbsPath> {
    let own =
        |source: &AbsPath| plan.host.iter().any(|made| made.mode == OWN && made.folder == *source);
    plan.tree
        .iter()
        .filter_map(|step| match &step.action {
            Action::Bind { dest, source, write: true, kind: Kind::Folder, .. } if own(source) => {
                Some(dest)
            }
            _ => None,
        })
        .collect()
}
