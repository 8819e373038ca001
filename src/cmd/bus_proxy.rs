//! `pinfold bus-proxy`, with the command line of xdg-dbus-proxy.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use crate::model::bus::BusName;
use crate::model::bus_address;
use crate::proxy::address;
use crate::proxy::event::{Event, Observer};
use crate::proxy::relay::{Bus, Door, Relay};
use crate::proxy::rules::{Level, Rules, Way};
use crate::report::{Code, Diagnostic, ExitCode};
use crate::sys::fd;

use super::Outcome;

/// The most that is read of one `--args`.
const ARGUMENTS_MAX: u64 = 16 << 20;

const USAGE: &str = "\
Usage: pinfold bus-proxy [OPTION...] [ADDRESS PATH [OPTION...]...]

Listens on PATH and passes on to the D-Bus bus at ADDRESS what is allowed.

      --help                    print this
      --version                 print the version
      --fd=FD                   write a byte to FD when ready, end when its other end closes
      --args=FD                 read further arguments, each ended by a zero byte

For the address before them:
      --filter                  pass only what is allowed
      --log                     print what becomes of each message
      --sloppy-names            tell of all unique names
      --see=NAME                NAME can be seen
      --talk=NAME               NAME can be talked to
      --own=NAME                NAME can be owned
      --call=NAME=RULE          the calls to NAME that fit RULE are allowed
      --broadcast=NAME=RULE     the signals of NAME that fit RULE are heard

A NAME may end in .*; a RULE is [METHOD][@PATH][#ARGUMENT], where METHOD is *,
INTERFACE.* or INTERFACE.METHOD, PATH may end in /*, and ARGUMENT, what the
first argument must be, in .*
";

/// What the command line asks for.
#[derive(Default)]
struct Asked {
    ready: Option<OwnedFd>,
    buses: Vec<Group>,
}

/// One address with its options.
struct Group {
    bus: Bus,
    rules: Rules,
    filter: bool,
    log: bool,
}

/// Runs the filter until it is told to end.
pub fn main(arguments: &[OsString]) -> Outcome {
    let Some(asked) = parse(arguments).map_err(|error| vec![error])? else {
        return Ok(ExitCode::Success.number());
    };
    let failed = |message: &str, cause: &dyn std::error::Error| {
        let mut diagnostic = Diagnostic::error(Code::StepFailed, message).because(cause);
        let mut source = cause.source();
        while let Some(cause) = source {
            diagnostic = diagnostic.because(cause);
            source = cause.source();
        }
        vec![diagnostic]
    };
    let cannot_start = |error| failed("cannot start the bus filter", &error);
    let mut relay = Relay::new().map_err(cannot_start)?;
    for group in asked.buses {
        relay.guard(group.finish()).map_err(cannot_start)?;
    }
    if let Some(ready) = &asked.ready {
        rustix::io::write(ready, b"x")
            .map_err(|errno| failed("cannot say that the bus filter is ready", &errno))?;
    }
    relay
        .run(asked.ready.as_ref().map(AsFd::as_fd))
        .map_err(|errno| failed("the bus filter cannot go on", &errno))?;
    Ok(ExitCode::Success.number())
}

impl Group {
    fn finish(self) -> Bus {
        let log = self.log;
        let observer: Observer = Box::new(move |event: &Event<'_>| match event {
            // A reader that has gone is no reason to stop filtering.
            Event::Judged(..) | Event::Ended(_) if log => {
                let _ =
                    std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{event}\n"));
            }
            Event::Judged(..) | Event::Ended(_) => {}
            Event::NoBus(_) | Event::Stranger(_) => {
                let _ = std::io::Write::write_fmt(
                    &mut std::io::stderr(),
                    format_args!("pinfold bus-proxy: {event}\n"),
                );
            }
        });
        Bus { rules: self.filter.then_some(self.rules), observer: Some(observer), ..self.bus }
    }
}

fn wrong(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(Code::Usage, message).hint("see pinfold bus-proxy --help")
}

/// Reads the command line; none when it only asked for help.
fn parse(arguments: &[OsString]) -> Result<Option<Asked>, Diagnostic> {
    let mut rest = VecDeque::new();
    for argument in arguments {
        let text = argument
            .to_str()
            .ok_or_else(|| wrong(format!("the argument {argument:?} is not UTF-8")))?;
        rest.push_back(text.to_owned());
    }
    let mut asked = Asked::default();
    while let Some(argument) = rest.pop_front() {
        match argument.split_once('=') {
            _ if !argument.starts_with('-') => asked.buses.push(group(&argument, &mut rest)?),
            None if argument == "--help" => {
                print!("{USAGE}");
                return Ok(None);
            }
            None if argument == "--version" => {
                println!("pinfold bus-proxy {}", env!("CARGO_PKG_VERSION"));
                return Ok(None);
            }
            Some(("--fd", number)) => asked.ready = Some(descriptor(number)?),
            Some(("--args", number)) => {
                for further in read_arguments(number)?.into_iter().rev() {
                    rest.push_front(further);
                }
            }
            option => {
                let known = match asked.buses.last_mut() {
                    Some(group) => group.option(&argument, option)?,
                    None => false,
                };
                if !known {
                    return Err(wrong(format!("unknown argument {argument}")));
                }
            }
        }
    }
    if asked.buses.is_empty() {
        return Err(wrong("no bus is given"));
    }
    Ok(Some(asked))
}

fn group(address: &str, rest: &mut VecDeque<String>) -> Result<Group, Diagnostic> {
    let failed = |cause: &dyn std::fmt::Display| {
        wrong(format!("cannot use the address {address}")).because(cause.to_string())
    };
    let addresses = bus_address::parse(address)
        .map_err(|error| failed(&error))?
        .iter()
        .map(|one| address::socket(one).map_err(|errno| failed(&errno)))
        .collect::<Result<_, _>>()?;
    let socket = rest
        .pop_front()
        .filter(|path| !path.starts_with('-'))
        .ok_or_else(|| wrong(format!("no socket path is given for {address}")))?;
    Ok(Group {
        bus: Bus {
            addresses,
            door: Door::Path(PathBuf::from(socket)),
            rules: None,
            sloppy_names: false,
            observer: None,
        },
        rules: Rules::default(),
        filter: false,
        log: false,
    })
}

impl Group {
    /// Takes one option; false when it is none of ours.
    fn option(&mut self, whole: &str, option: Option<(&str, &str)>) -> Result<bool, Diagnostic> {
        let mut level = |name: &str, level| {
            let parsed = BusName::parse(name)
                .map_err(|error| wrong(format!("{name} is no bus name")).because(error))?;
            self.rules.set_level(&parsed, level);
            Ok(())
        };
        match option {
            None => match whole {
                "--filter" => self.filter = true,
                "--log" => self.log = true,
                "--sloppy-names" => self.bus.sloppy_names = true,
                _ => return Ok(false),
            },
            Some(("--see", name)) => level(name, Level::See)?,
            Some(("--talk", name)) => level(name, Level::Talk)?,
            Some(("--own", name)) => level(name, Level::Own)?,
            Some((option @ ("--call" | "--broadcast"), text)) => {
                let way = if option == "--call" { Way::Call } else { Way::Broadcast };
                self.rules
                    .add_text(way, text)
                    .map_err(|error| wrong(format!("cannot use {whole}")).because(error))?;
            }
            Some(_) => return Ok(false),
        }
        Ok(true)
    }
}

/// The descriptor that the caller named by number.
fn descriptor(number: &str) -> Result<OwnedFd, Diagnostic> {
    let invalid = || wrong(format!("{number} is not the number of an open descriptor"));
    // parse would also take a sign.
    let plain = number.bytes().all(|digit| digit.is_ascii_digit());
    let parsed = number.parse().ok().filter(|_| plain).ok_or_else(invalid)?;
    fd::duplicate_number(parsed).map_err(|errno| invalid().because(errno))
}

fn read_arguments(number: &str) -> Result<Vec<String>, Diagnostic> {
    let failed = |cause: String| {
        wrong(format!("cannot read arguments from descriptor {number}")).because(cause)
    };
    let file = std::fs::File::from(descriptor(number)?);
    let mut text = String::new();
    file.take(ARGUMENTS_MAX + 1)
        .read_to_string(&mut text)
        .map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > ARGUMENTS_MAX {
        return Err(failed("there are too many".to_owned()));
    }
    Ok(text.strip_suffix('\0').unwrap_or(&text).split('\0').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Option<Asked>, Diagnostic> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        parse(&arguments)
    }

    #[test]
    fn each_address_has_its_own_options() {
        let asked = parsed(&[
            "unix:path=/a",
            "/x",
            "--filter",
            "--see=org.a",
            "--call=org.b=*",
            "unix:abstract=b",
            "/y",
            "--log",
            "--sloppy-names",
        ])
        .ok()
        .flatten()
        .unwrap();
        let [first, second] = &asked.buses[..] else { panic!("two groups") };
        assert!(first.filter && !first.log && !first.bus.sloppy_names);
        assert_eq!(first.rules.level("org.a"), Level::See);
        assert_eq!(first.rules.level("org.b"), Level::Talk);
        assert!(!second.filter && second.log && second.bus.sloppy_names);
        assert_eq!(second.rules.level("org.a"), Level::Hidden);
        assert!(asked.ready.is_none());
    }

    #[test]
    fn arguments_come_from_a_descriptor_in_their_place() {
        let (reader, writer) = std::io::pipe().unwrap();
        std::io::Write::write_all(&mut { writer }, b"/x\0--filter\0").unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&reader);
        let further = read_arguments(&number.to_string()).unwrap();
        assert_eq!(further, ["/x", "--filter"]);
    }

    #[test]
    fn what_is_wrong_is_said_by_name() {
        for (arguments, part) in [
            (&[][..], "no bus is given"),
            (&["--filter"], "unknown argument --filter"),
            (&["--nonsense"], "unknown argument --nonsense"),
            (&["unix:path=/a"], "no socket path"),
            (&["unix:path=/a", "--filter"], "no socket path"),
            (&["tcp:host=x", "/x"], "cannot use the address tcp:host=x"),
            (&["unix:path=/a", "/x", "--talk=:1.5"], ":1.5 is no bus name"),
            (&["unix:path=/a", "/x", "--call=org.a"], "cannot use --call=org.a"),
            (&["unix:path=/a", "/x", "--talk"], "unknown argument --talk"),
            (&["--fd=-1"], "-1 is not the number"),
            (&["--fd=+1"], "+1 is not the number"),
            (&["--fd=99999"], "99999 is not the number"),
            (&["--args=99999"], "99999 is not the number"),
        ] {
            let error = parsed(arguments).err().unwrap_or_else(|| panic!("{arguments:?}"));
            assert!(error.message.contains(part), "{arguments:?}: {}", error.message);
            assert_eq!(error.exit(), ExitCode::Usage);
        }
    }
}
