//! The desktop tier: real applications with real windows.
//!
//! It brings a desktop of its own, an X server and a Wayland compositor
//! without a screen and a window manager, in a folder of its own. What an
//! application shows and sees inside is held against what the same program
//! shows and sees outside, on the same desktop with an equal home.

mod desk;
mod picture;
mod remote;
mod run;
mod session;

mod arguments;
mod browsers;
mod portals;
mod shipped;
mod sound;
mod wayland;
mod windows;
mod x11;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use desk::Desk;

/// What a test comes to; the error is what is wrong, for people.
pub type Outcome = Result<(), String>;

/// A test, or the reason why it cannot be done here.
pub struct Test {
    name: String,
    /// Programs without which it cannot be done.
    needs: &'static [&'static str],
    body: fn(&Desk) -> Outcome,
}

/// Tests, each with what it needs, named by its module and itself.
#[macro_export]
macro_rules! tests {
    ($($name:ident needs $needs:expr),+ $(,)?) => {
        /// The tests of this theme.
        pub fn tests() -> Vec<$crate::Test> {
            let theme = module_path!().rsplit("::").next().unwrap_or_default();
            vec![$($crate::test(format!("{theme}::{}", stringify!($name)), &$needs, $name)),+]
        }
    };
}

/// Makes a test.
pub fn test(name: String, needs: &'static [&'static str], body: fn(&Desk) -> Outcome) -> Test {
    Test { name, needs, body }
}

/// Says that a test is not done here, as `tests/run` counts it.
fn skip(name: &str, reason: &str) {
    println!("SKIP desktop::{name}: {reason}");
}

fn trial(test: Test, desk: &Arc<Option<Desk>>) -> Trial {
    let desk = Arc::clone(desk);
    let Test { name, needs, body } = test;
    Trial::test(name.clone(), move || {
        let absent =
            desk::REQUIRED.iter().chain(needs).find(|program| !desk::is_installed(program));
        match (desk.as_ref(), absent) {
            (_, Some(program)) => skip(&name, &format!("{program} is not installed")),
            (None, None) => return Err("the X server or the window manager did not start".into()),
            (Some(desk), None) => body(desk)?,
        }
        Ok(())
    })
}

fn main() {
    let mut arguments = Arguments::from_args();
    // Windows that lie over one another would spoil each other's pictures.
    arguments.test_threads = Some(1);
    let desk = if arguments.list { None } else { Desk::up() };
    let desk = Arc::new(desk);
    let themes: &[fn() -> Vec<Test>] = &[
        windows::tests,
        x11::tests,
        wayland::tests,
        arguments::tests,
        sound::tests,
        portals::tests,
        shipped::tests,
        browsers::tests,
    ];
    let trials = themes.iter().flat_map(|tests| tests()).map(|test| trial(test, &desk)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Exiting drops nothing, and the desktop is to end with the tests.
    drop(desk);
    conclusion.exit();
}
