//! The sandbox tier: real sandboxes with a probe inside.
//!
//! One test for each grant, each denial and each hostile case. A denial is
//! proved together with its control: the same acts, done by the same program
//! in the same world outside, work. The whole runs as an ordinary user and,
//! where it can, once more as root.

// The bus tier uses all of these two.
#[allow(dead_code)]
#[path = "../bus/client.rs"]
mod client;
#[allow(dead_code)]
#[path = "../bus/daemon.rs"]
mod daemon;
mod world;

mod arguments;
mod bus_ends;
mod bus_filter;
mod buses;
mod degraded;
mod denials;
mod ending;
mod environment;
mod explain;
mod faults;
mod grants;
mod homes;
mod hostile;
mod hosts;
mod inside;
mod instances;
mod limits;
mod links;
mod network;
mod old_kernel;
mod processes;
mod protected;
mod real;
mod refused;
mod root;
mod syscalls;
mod terminal;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Trial};

/// Tests as trials, each named by its module and itself.
#[macro_export]
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        /// The tests of this theme.
        pub fn tests() -> Vec<libtest_mimic::Trial> {
            let theme = module_path!().rsplit("::").next().unwrap_or_default();
            vec![$(libtest_mimic::Trial::test(
                format!("{theme}::{}", stringify!($name)),
                || { $name(); Ok(()) },
            )),+]
        }
    };
}

/// Says that a test, or a part of one, is not done here, as `tests/run`
/// counts it.
pub fn skip(name: &str, reason: &str) {
    println!("SKIP sandbox::{name}: {reason}");
}

/// The names of all tests, for those that name others.
pub static NAMES: OnceLock<BTreeSet<String>> = OnceLock::new();

fn main() {
    let arguments = Arguments::from_args();
    let themes: &[fn() -> Vec<Trial>] = &[
        inside::tests,
        grants::tests,
        protected::tests,
        denials::tests,
        links::tests,
        homes::tests,
        network::tests,
        environment::tests,
        arguments::tests,
        processes::tests,
        terminal::tests,
        ending::tests,
        refused::tests,
        syscalls::tests,
        real::tests,
        root::tests,
        faults::tests,
        hosts::tests,
        instances::tests,
        limits::tests,
        old_kernel::tests,
        degraded::tests,
        hostile::tests,
        buses::tests,
        bus_filter::tests,
        bus_ends::tests,
        explain::tests,
    ];
    let trials: Vec<Trial> = themes.iter().flat_map(|tests| tests()).collect();
    NAMES.get_or_init(|| trials.iter().map(|trial| trial.name().to_owned()).collect());
    libtest_mimic::run(&arguments, trials).exit();
}
