//! The process before the buses, ready to be started: its root, its rules as
//! the proxy takes them, and what it is confined by.

use rustix::net::SocketAddrUnix;

use landlock::{BitFlags, Scope};

use crate::host::HostFs;
use crate::model::bus::BusName;
use crate::model::permission::LandlockMode;
use crate::model::plan::{
    Access, Action, Bus, BusAccess, BusPlan, BusRule, FilterPlan, Kind, LandlockObject,
    LandlockPlan, LandlockRule,
};
use crate::proxy::address;
use crate::proxy::rules::{Level, Rules, Way};
use crate::report::{Code, Diagnostic};
use crate::sys::confine::Instruction;
use crate::sys::process::NewNamespaces;

use super::landlock::{self as ruleset, FrozenLandlock};
use super::tree::{self, FrozenTree};
use super::{Here, seccomp};

/// A bus as the proxy takes it.
pub struct FrozenBus {
    /// Which bus.
    pub bus: Bus,
    /// Where it is, seen from the process's own root.
    pub address: SocketAddrUnix,
    /// What passes.
    pub rules: Rules,
}

/// The process before the buses.
pub struct FrozenFilter {
    /// What its clone makes.
    pub namespaces: NewNamespaces,
    /// Its root.
    pub tree: FrozenTree,
    /// Its landlock ruleset, where the kernel has one.
    pub landlock: Option<FrozenLandlock>,
    /// Its system call filter.
    pub program: Vec<Instruction>,
    /// The buses.
    pub buses: Vec<FrozenBus>,
}

/// Readies the process before the buses.
///
/// # Errors
/// The first thing that this host does not have as the plan says, and a rule
/// that is none.
pub fn freeze(plan: &FilterPlan, fs: &HostFs, here: &Here<'_>) -> Result<FrozenFilter, Diagnostic> {
    let (tree, witnesses) = tree::freeze(&plan.tree, fs, &[], here)?;
    let sockets = plan.tree.iter().filter_map(|step| match &step.action {
        Action::Bind { source, .. } => Some(LandlockRule {
            object: LandlockObject::Host(source.clone()),
            kind: Kind::File,
            access: Access::Use,
        }),
        _ => None,
    });
    let mut scopes: BitFlags<Scope> = Scope::Signal.into();
    if !plan.host_network {
        scopes |= Scope::AbstractUnixSocket;
    }
    let landlock = LandlockPlan {
        mode: LandlockMode::Best,
        origin: crate::model::Origin::builtin("the filter before the buses"),
        files: true,
        rules: sockets.collect(),
        connect: Some(Vec::new()),
        listen: Some(Vec::new()),
    };
    let program = seccomp::strict::program().ok_or_else(|| {
        Diagnostic::error(
            Code::HostKernel,
            "there is no system call filter for the process before the buses on this processor",
        )
    })?;
    Ok(FrozenFilter {
        namespaces: NewNamespaces { network: !plan.host_network, processes: false, ipc: false },
        landlock: ruleset::freeze(&landlock, &witnesses, here.landlock_abi, scopes)?,
        tree,
        program,
        buses: plan.buses.iter().map(frozen).collect::<Result<_, _>>()?,
    })
}

fn frozen(plan: &BusPlan) -> Result<FrozenBus, Diagnostic> {
    let address = address::socket(&plan.address).map_err(|errno| {
        Diagnostic::error(Code::StepFailed, format!("cannot use the address {}", plan.address))
            .at(&plan.origin)
            .because(errno)
    })?;
    Ok(FrozenBus { bus: plan.bus, address, rules: rules(&plan.rules)? })
}

/// The rules of a bus as the filter goes by them.
///
/// # Errors
/// When one of them is none.
pub fn rules(stated: &[BusRule]) -> Result<Rules, Diagnostic> {
    let mut rules = Rules::default();
    for rule in stated {
        add(&mut rules, rule).map_err(|error| {
            Diagnostic::error(Code::BusRule, format!("no rule for {} can be made", rule.name))
                .at(&rule.origin)
                .because(error)
        })?;
    }
    Ok(rules)
}

fn add(rules: &mut Rules, rule: &BusRule) -> Result<(), crate::proxy::rules::RuleError> {
    let level = match &rule.allow {
        BusAccess::See => Level::See,
        BusAccess::Talk => Level::Talk,
        BusAccess::Own => Level::Own,
        BusAccess::Call(text) => {
            return rules.add_text(Way::Call, &format!("{}={text}", rule.name));
        }
        BusAccess::Broadcast(text) => {
            return rules.add_text(Way::Broadcast, &format!("{}={text}", rule.name));
        }
    };
    match rule.name.strip_suffix('*').filter(|start| !start.ends_with('.')) {
        Some(start) => rules.set_prefix(start, level),
        None => rules.set_level(&BusName::parse(&rule.name)?, level),
    }
    Ok(())
}
