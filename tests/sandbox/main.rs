//! The sandbox tier: real sandboxes with a probe inside.
//!
//! One test for each grant, each denial and each hostile case. A denial is
//! proved together with its control: the same acts, done by the same program
//! in the same world outside, work. The whole runs as an ordinary user and,
//! where it can, once more as root.

mod world;

mod arguments;
mod degraded;
mod denials;
mod ending;
mod environment;
mod faults;
mod grants;
mod homes;
mod hosts;
mod inside;
mod instances;
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

fn main() {
    let arguments = Arguments::from_args();
    let themes: [fn() -> Vec<Trial>; 21] = [
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
        old_kernel::tests,
        degraded::tests,
    ];
    let trials: Vec<Trial> = themes.iter().flat_map(|tests| tests()).collect();
    libtest_mimic::run(&arguments, trials).exit();
}
