//! `pinfold explain`

use crate::cli::Explain;
use crate::explain::{Answer, Question, Subject};
use crate::report::{Code, Diagnostic, ExitCode};
use crate::resolve::Request;
use crate::sys;
use crate::view::explain as view;

use super::{Outcome, grants, prepare, print};

/// What is asked where nothing is said.
const USUAL: [&str; 12] = [
    "~",
    "xdg-documents",
    "xdg-download",
    "~/.ssh",
    "~/.bashrc",
    "/usr/bin",
    "/etc/passwd",
    "host:example.org:443",
    "bus:org.freedesktop.systemd1",
    "portal:file-chooser",
    "device:gpu",
    "syscall:ptrace",
];

/// Answers questions about an application.
pub fn main(options: &Explain) -> Outcome {
    let host = prepare::host()?;
    let usual: Vec<String> = USUAL.iter().map(|text| (*text).to_owned()).collect();
    let asked = if options.what.is_empty() { &usual } else { &options.what };
    let mut questions = Vec::new();
    let mut errors = Vec::new();
    for text in asked {
        let meant = grants::from_here(text, host.facts.cwd.as_ref());
        match Question::parse(&meant) {
            Ok(question) => questions.push(question),
            Err(error) => errors.push(
                Diagnostic::error(Code::Usage, format!("{text:?} asks nothing"))
                    .because(error)
                    .hint("ask for a path, or bus:NAME, portal:WORD, device:WORD, host:NAME[:PORT], syscall:NAME"),
            ),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let prepared = prepare::prepare(&host, &options.app, &options.grants, |written| {
        Request::look(written, options.tier.tier())
    })?;
    let subject = Subject {
        policy: &prepared.policy,
        plan: &prepared.plan,
        facts: &host.facts,
        fs: &host.fs,
        app: &options.app,
    };
    let answers: Vec<Answer> = questions.iter().map(|question| subject.answer(question)).collect();
    if options.json {
        print::json(&view::json(prepared.policy.id.as_str(), &answers))?;
    } else if options.what.is_empty() {
        let heads: Vec<String> = answers.iter().map(view::head).collect();
        print::text(&heads.concat())?;
    } else {
        let width = sys::fd::terminal_width().unwrap_or(80);
        let texts: Vec<String> = answers.iter().map(|answer| view::text(answer, width)).collect();
        print::text(&texts.join("\n"))?;
    }
    Ok(ExitCode::Success.number())
}
