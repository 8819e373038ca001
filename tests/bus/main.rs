//! The filter before a real bus: beside xdg-dbus-proxy, with hostile clients,
//! and with descriptors. Needs dbus-daemon; where xdg-dbus-proxy is missing
//! the comparison is skipped.

mod client;
mod daemon;
mod hostile;
mod matrix;
mod oracle;
mod passing;
mod world;

fn main() -> std::process::ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let mut trials = Vec::new();
    trials.extend(matrix::trials());
    trials.extend(hostile::trials());
    trials.extend(passing::trials());
    trials.extend(oracle::trials());
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test that fails by panicking.
pub fn trial(name: &str, test: fn()) -> libtest_mimic::Trial {
    libtest_mimic::Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// The same, skipped with a word where it cannot run.
pub fn trial_if(able: bool, reason: &str, name: &str, test: fn()) -> libtest_mimic::Trial {
    if !able {
        println!("SKIP bus::{name}: {reason}");
    }
    trial(name, test).with_ignored_flag(!able)
}
