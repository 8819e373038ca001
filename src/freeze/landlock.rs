//! The landlock ruleset. Rules for objects of the host are added here,
//! through the launcher's witnesses (a rule hangs on the object, not on the
//! way to it); rules for what only the sandbox has are added by the child.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, Scope,
};

use crate::model::permission::LandlockMode;
use crate::model::plan::{Access, Kind, LandlockObject, LandlockPlan};
use crate::report::{Code, Diagnostic};

use super::tree::Witnesses;

/// The newest ABI that is asked for. What the kernel does not have of it is
/// left out, and said.
pub const NEWEST: ABI = ABI::V9;

/// The number of [`NEWEST`].
pub const NEWEST_NUMBER: u32 = 9;

/// Neither abstract sockets nor processes outside are within reach.
pub const ALL_SCOPES: BitFlags<Scope> =
    landlock::make_bitflags!(Scope::{AbstractUnixSocket | Signal});

/// A ruleset ready for the child.
pub struct FrozenLandlock {
    /// The ruleset, with all rules for objects of the host.
    pub ruleset: OwnedFd,
    /// Rules for what only the sandbox has: a path relative to its root, and
    /// the kernel's access bits.
    pub inside: Vec<(CString, u64)>,
    /// Rules for entries of the folder that the process which the ruleset is
    /// for has in /proc.
    pub own_process: Vec<(CString, u64)>,
}

/// What a kernel with this ABI version cannot do of what is asked for.
pub fn missing(abi: u32) -> Vec<&'static str> {
    let parts = [
        (1, "files and folders"),
        (2, "moving files between folders"),
        (3, "truncating files"),
        (4, "TCP ports"),
        (5, "device controls"),
        (6, "abstract sockets and signals"),
        (9, "connecting to socket files"),
    ];
    parts.into_iter().filter(|(since, _)| abi < *since).map(|(_, what)| what).collect()
}

/// The kernel's access rights for a class.
fn rights(access: Access, kind: Kind) -> BitFlags<AccessFs> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let use_ = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::IoctlDev
        | AccessFs::ResolveUnix;
    let change = use_
        | AccessFs::RemoveDir
        | AccessFs::RemoveFile
        | AccessFs::MakeDir
        | AccessFs::MakeReg
        | AccessFs::MakeSock
        | AccessFs::MakeFifo
        | AccessFs::MakeSym
        | AccessFs::Refer;
    let all = match access {
        Access::List => AccessFs::ReadDir.into(),
        Access::Read => read,
        Access::ReadExec => read | AccessFs::Execute,
        Access::Use => use_,
        Access::Write => change,
        Access::WriteExec => change | AccessFs::Execute,
    };
    match kind {
        Kind::Folder => all,
        Kind::File => all & AccessFs::from_file(NEWEST),
    }
}

/// Makes the ruleset; none where the kernel has no landlock, or none of what
/// is asked of it, and the policy does not require it.
///
/// # Errors
/// When the policy requires what the kernel does not have.
pub fn freeze(
    plan: &LandlockPlan,
    witnesses: &Witnesses<'_>,
    abi: u32,
    scopes: BitFlags<Scope>,
) -> Result<Option<FrozenLandlock>, Diagnostic> {
    demands(plan, abi)?;
    // The kernel makes no ruleset of nothing, and nothing is what an old one
    // leaves where files are not governed.
    let ports = abi >= 4 && (plan.connect.is_some() || plan.listen.is_some());
    let scoped = abi >= 6 && !scopes.is_empty();
    if abi == 0 || !plan.files && !ports && !scoped {
        return Ok(None);
    }
    build(plan, witnesses, abi, scopes, None).map(Some).map_err(|error| no_ruleset(plan, error))
}

/// Makes the two rulesets of a sandbox without namespaces: that of init, which
/// may use `proc` as a whole, and that of the application, which is entered
/// within it by the application's process.
///
/// # Errors
/// When the policy requires what the kernel does not have, and without a
/// landlock.
pub fn freeze_both(
    plan: &LandlockPlan,
    witnesses: &Witnesses<'_>,
    abi: u32,
    proc: BorrowedFd<'_>,
) -> Result<(FrozenLandlock, FrozenLandlock), Diagnostic> {
    demands(plan, abi)?;
    let made = |proc| {
        build(plan, witnesses, abi, ALL_SCOPES, proc).map_err(|error| no_ruleset(plan, error))
    };
    Ok((made(Some(proc))?, made(None)?))
}

fn no_ruleset(plan: &LandlockPlan, error: Box<dyn std::error::Error>) -> Diagnostic {
    Diagnostic::error(Code::StepFailed, "cannot make the landlock ruleset")
        .at(&plan.origin)
        .because(error)
}

/// Checks what the policy requires of the kernel.
fn demands(plan: &LandlockPlan, abi: u32) -> Result<(), Diagnostic> {
    let lacking = missing(abi);
    if plan.mode == LandlockMode::Require && !lacking.is_empty() {
        return Err(Diagnostic::error(
            Code::HostKernel,
            "landlock is required, and this kernel cannot do all of it",
        )
        .at(&plan.origin)
        .because(format!("landlock ABI {abi} lacks: {}", lacking.join(", ")))
        .hint("use a later kernel, or state landlock = \"best\""));
    }
    Ok(())
}

/// Lets the standard streams be opened anew by their names in /dev and /proc,
/// as scripts do (`echo failed >/dev/stderr`), with the rights that they are
/// open with and no more. Pipes need no rule.
fn allow_streams(
    mut ruleset: RulesetCreated,
    handled: BitFlags<AccessFs>,
) -> Result<RulesetCreated, Box<dyn std::error::Error>> {
    let (input, output, errors) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    for stream in [input.as_fd(), output.as_fd(), errors.as_fd()] {
        let Some(rights) = stream_rights(stream) else { continue };
        let rights = rights & handled;
        if !rights.is_empty() {
            ruleset = ruleset.add_rule(PathBeneath::new(stream, rights))?;
        }
    }
    Ok(ruleset)
}

/// The rights with which a terminal or a regular file is open.
fn stream_rights(stream: BorrowedFd<'_>) -> Option<BitFlags<AccessFs>> {
    let stat = rustix::fs::fstat(stream).ok()?;
    let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
    let control = match kind {
        rustix::fs::FileType::RegularFile => BitFlags::empty(),
        _ if rustix::termios::isatty(stream) => AccessFs::IoctlDev.into(),
        _ => return None,
    };
    let mode = rustix::fs::fcntl_getfl(stream).ok()? & rustix::fs::OFlags::RWMODE;
    let read = BitFlags::from(AccessFs::ReadFile);
    let write = AccessFs::WriteFile | AccessFs::Truncate;
    Some(
        control
            | match mode {
                rustix::fs::OFlags::WRONLY => write,
                rustix::fs::OFlags::RDWR => read | write,
                _ => read,
            },
    )
}

fn build(
    plan: &LandlockPlan,
    witnesses: &Witnesses<'_>,
    abi: u32,
    scopes: BitFlags<Scope>,
    proc: Option<BorrowedFd<'_>>,
) -> Result<FrozenLandlock, Box<dyn std::error::Error>> {
    let kernel = ABI::from(i32::try_from(abi.min(NEWEST_NUMBER))?);
    let handled =
        if plan.files { AccessFs::from_all(kernel) } else { BitFlags::<AccessFs>::empty() };
    let mut net = BitFlags::<AccessNet>::empty();
    if abi >= 4 {
        if plan.connect.is_some() {
            net |= AccessNet::ConnectTcp;
        }
        if plan.listen.is_some() {
            net |= AccessNet::BindTcp;
        }
    }
    let mut ruleset =
        Ruleset::default().set_compatibility(CompatLevel::BestEffort).scope(scopes)?;
    if plan.files {
        ruleset = ruleset.handle_access(AccessFs::from_all(NEWEST))?;
    }
    if !net.is_empty() {
        ruleset = ruleset.handle_access(net)?;
    }
    let mut ruleset = ruleset.create()?;
    let mut inside = Vec::new();
    let mut own_process = Vec::new();
    if let Some(proc) = proc {
        let rights = rights(Access::Use, Kind::Folder) & handled;
        ruleset = ruleset.add_rule(PathBeneath::new(proc, rights))?;
    }
    for rule in &plan.rules {
        let rights = rights(rule.access, rule.kind) & handled;
        match &rule.object {
            LandlockObject::Host(path) => {
                let Some(witness) = witnesses.get(path) else { continue };
                ruleset = ruleset.add_rule(PathBeneath::new(witness.as_fd(), rights))?;
            }
            LandlockObject::Inside(path) => {
                let path = match path.as_str() {
                    "/" => ".",
                    path => &path[1..],
                };
                inside.push((CString::new(path)?, rights.bits()));
            }
            LandlockObject::OwnProcess(name) => {
                own_process.push((CString::new(name.as_str())?, rights.bits()));
            }
        }
    }
    if plan.files {
        ruleset = allow_streams(ruleset, handled)?;
    }
    for port in plan.connect.iter().flatten().filter(|_| net.contains(AccessNet::ConnectTcp)) {
        ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    for port in plan.listen.iter().flatten().filter(|_| net.contains(AccessNet::BindTcp)) {
        ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::BindTcp))?;
    }
    let ruleset = Option::<OwnedFd>::from(ruleset).ok_or("the kernel gave no ruleset")?;
    Ok(FrozenLandlock { ruleset, inside, own_process })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::origin::Origin;

    #[test]
    fn what_an_old_kernel_has_nothing_of_is_no_ruleset() {
        let plan = |mode| LandlockPlan {
            mode,
            origin: Origin::builtin("test"),
            files: false,
            rules: Vec::new(),
            connect: None,
            listen: None,
        };
        for abi in 0..6 {
            let frozen = freeze(&plan(LandlockMode::Best), &BTreeMap::new(), abi, ALL_SCOPES);
            assert!(frozen.is_ok_and(|landlock| landlock.is_none()), "{abi}");
            let required = freeze(&plan(LandlockMode::Require), &BTreeMap::new(), abi, ALL_SCOPES);
            assert!(required.is_err_and(|error| error.code == Some(Code::HostKernel)), "{abi}");
        }
    }
}
