//! `pinfold override`: the person's own file, changed by a command.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::Override;
use crate::manifest;
use crate::manifest::LARGEST;
use crate::manifest::edit::Document;
use crate::manifest::keep::Folder;
use crate::manifest::locate::{FOR_ALL, Found, Places};
use crate::manifest::stack::{self, Target};
use crate::model::app_id::AppId;
use crate::model::manifest::{Policy, Settings};
use crate::model::origin::Layer;
use crate::model::plan::Tier;
use crate::report::{Code, Diagnostic, ExitCode, render};
use crate::resolve::Request;
use crate::view::changes;
use crate::view::show::Shown;

use super::prepare::{self, Host};
use super::{Outcome, print, wishes};

/// Which file is meant, and what is in it now.
pub(super) struct Own<'h> {
    host: &'h Host,
    places: Places,
    /// The application, by its id or a manifest file; none for the file about
    /// all of them.
    target: Option<Target>,
    /// Its id.
    pub id: Option<AppId>,
    /// The file's name in the folder.
    name: String,
    path: PathBuf,
    /// What is in it; none where there is no file.
    text: Option<String>,
}

/// Changes the person's file, or tells about it.
pub fn main(options: &Override) -> Outcome {
    let host = prepare::host()?;
    let changes = wishes::any(options);
    let looks = options.show || options.export || (!changes && options.import.is_none());
    if changes && (options.show || options.export || options.import.is_some()) {
        return Err(vec![Diagnostic::error(
            Code::Usage,
            "--show, --export and --import go with no other change",
        )]);
    }
    if looks {
        let own = Own::find(&host, options)?;
        return if options.export { own.export() } else { own.show() };
    }
    // Held until the end, so that two commands cannot lose each other's work.
    let config_home = Path::new(host.facts.config_home.as_str());
    let folder = Folder::hold(config_home, host.facts.uid).map_err(|error| vec![error.report()])?;
    let own = Own::find(&host, options)?;
    let text = match &options.import {
        Some(file) => import(file)?,
        None => {
            let text = own.text.clone().unwrap_or_else(|| own.head());
            let home = host.facts.home.as_str();
            let mut document = Document::read(&text, home).map_err(|error| {
                let broken = manifest::parse(text.as_bytes(), &own.shown(), Layer::User).err();
                broken.unwrap_or_else(|| {
                    vec![Diagnostic::error(Code::ManifestSyntax, error.to_string())]
                })
            })?;
            let remarks = wishes::grant(&mut document, options, &own)?;
            render::print(&remarks);
            document.text()
        }
    };
    let is_new = own.text.is_none();
    if own.text.as_ref() == Some(&text) || (is_new && text == own.head()) {
        print::text(&format!("{}: nothing to change\n", own.shown()))?;
        return Ok(ExitCode::Success.number());
    }
    let meaning = own.weigh(&text).map_err(|mut errors| {
        let place = own.shown();
        let state = if is_new { "was not made" } else { "is as it was" };
        errors.push(
            Diagnostic::note(format!("{place} {state}"))
                .because("with this change it would make no valid policy"),
        );
        errors
    })?;
    folder.write(&own.name, &text).map_err(|error| vec![error.report()])?;
    let edits = changes::lines(own.text.as_deref().unwrap_or_default(), &text);
    let verb = if is_new { "made" } else { "changed" };
    print::text(&format!("{verb} {}\n{}{meaning}", own.shown(), changes::text(&edits)))?;
    Ok(ExitCode::Success.number())
}

/// Reads what is to stand in the file's place.
fn import(file: &Path) -> Result<String, Vec<Diagnostic>> {
    let unreadable = |why: String| {
        let message = format!("cannot read {}", file.display());
        vec![Diagnostic::error(Code::ManifestUnreadable, message).because(why)]
    };
    let limit = LARGEST as u64 + 1;
    let mut text = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().take(limit).read_to_end(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(limit).read_to_end(&mut text))
    };
    read.map_err(|error| unreadable(error.to_string()))?;
    // The parser says what is wrong with one that is too long.
    String::from_utf8(text).map_err(|_| unreadable("it is not UTF-8 text".to_owned()))
}

impl<'h> Own<'h> {
    fn find(host: &'h Host, options: &Override) -> Result<Own<'h>, Vec<Diagnostic>> {
        let places = prepare::places(&host.facts);
        let target = match &options.app {
            Some(app) => Some(prepare::target(app, &places)?),
            None => None,
        };
        let id = match &target {
            Some(target) => Some(stack::id(target, &places)?),
            None => None,
        };
        let found = match &id {
            Some(id) => places.in_layer(Layer::User, id),
            None => places.for_all(Layer::User),
        };
        let name = id.as_ref().map_or_else(|| FOR_ALL.to_owned(), |id| format!("{id}.toml"));
        let path = places.user.join(&name);
        let text = match found.map_err(|error| vec![error])? {
            Some(found) => Some(String::from_utf8(found.text).map_err(|error| {
                let broken =
                    manifest::parse(error.as_bytes(), &path.to_string_lossy(), Layer::User);
                broken.err().unwrap_or_default()
            })?),
            None => None,
        };
        Ok(Own { host, places, target, id, name, path, text })
    }

    /// The file's path with the home as `~`.
    fn shown(&self) -> String {
        let path = self.path.to_string_lossy();
        match path.strip_prefix(self.host.facts.home.as_str()) {
            Some(rest) if rest.starts_with('/') => format!("~{rest}"),
            _ => path.into_owned(),
        }
    }

    /// How a file begins that is not there yet.
    fn head(&self) -> String {
        match &self.id {
            Some(id) => format!("schema = 1\nid = \"{id}\"\n"),
            None => "schema = 1\n".to_owned(),
        }
    }

    fn export(&self) -> Outcome {
        match &self.text {
            Some(text) => print::text(text)?,
            None => render::print(&[Diagnostic::note(format!("there is no {}", self.shown()))]),
        }
        Ok(ExitCode::Success.number())
    }

    fn show(&self) -> Outcome {
        let Some(text) = &self.text else {
            print::text(&format!("there is no {}: you state nothing yourself\n", self.shown()))?;
            return Ok(ExitCode::Success.number());
        };
        let mut out = format!("{}\n", self.shown());
        let says = |line: &str| {
            let line = line.trim();
            let is_head = ["#", "schema =", "id ="].iter().any(|head| line.starts_with(head));
            !line.is_empty() && !is_head
        };
        let edits = changes::lines("", text).into_iter().filter(|edit| says(&edit.text));
        out.push_str(&changes::text(&edits.collect::<Vec<_>>()));
        if let Some(target) = &self.target {
            let with = self.policy(target, text)?;
            // Where there is nothing beneath, there is nothing to compare.
            if let Ok(without) = self.policy(target, &self.head()) {
                out.push_str(&self.words(without, with)?);
            }
        }
        print::text(&out)?;
        Ok(ExitCode::Success.number())
    }

    /// The places as if this stood in the file.
    fn with(&self, text: &str) -> Places {
        let (layer, path) = (Layer::User, self.path.clone());
        let draft = Found { layer, path, text: text.as_bytes().to_vec() };
        Places { draft: Some(draft), ..self.places.clone() }
    }

    /// What all layers would state about an application with this in the
    /// file.
    fn policy(&self, target: &Target, text: &str) -> Result<Policy, Vec<Diagnostic>> {
        let here = self.host.here();
        let (policy, _) = stack::policy(target, &self.with(text), &here, Settings::default())?;
        Ok(policy)
    }

    /// What all layers state together now, and what they would without this
    /// file; only for an application, and only where that makes a policy.
    pub fn layers(&self) -> Option<(Settings, Settings)> {
        let target = self.target.as_ref()?;
        let now = self.policy(target, self.text.as_deref().unwrap_or(&self.head())).ok()?;
        let below = self.policy(target, &self.head()).ok()?;
        Some((now.settings, below.settings))
    }

    /// The host.
    pub fn host(&self) -> &Host {
        self.host
    }

    /// What a text in the file's place would mean, in words.
    ///
    /// # Errors
    /// Why it cannot stand there.
    fn weigh(&self, text: &str) -> Result<String, Vec<Diagnostic>> {
        let Some(target) = &self.target else { return self.weigh_for_all(text) };
        let after = self.policy(target, text)?;
        let now = self.text.clone().unwrap_or_else(|| self.head());
        let before = self.policy(target, &now).ok();
        let unmet = after.unmet.iter().any(|unmet| Path::new(&unmet.file) == self.path);
        let shown = match self.look(&after) {
            Ok(shown) => shown,
            Err(errors) => {
                // What cannot be carried out before and after is no fault of
                // this change.
                let was_sound = before.as_ref().is_none_or(|before| self.look(before).is_ok());
                if was_sound {
                    return Err(errors);
                }
                render::print(&errors);
                return Ok(String::new());
            }
        };
        if unmet {
            let id = &after.id;
            return Ok(format!("for {id}, nothing: the file's [when] does not hold here\n"));
        }
        let Some(before) = before.and_then(|before| self.look(&before).ok()) else {
            return Ok(String::new());
        };
        Ok(said(&after.id, &changes::meaning(&before, &shown)))
    }

    /// The same for the file about all applications: it has to suit each that
    /// is known.
    fn weigh_for_all(&self, text: &str) -> Result<String, Vec<Diagnostic>> {
        let here = self.host.here();
        stack::for_all(&self.with(text), &here)?;
        let now = self.text.clone().unwrap_or_else(|| self.head());
        let mut count = 0;
        for (id, _) in self.places.list() {
            let target = Target::App(id);
            if self.policy(&target, &now).is_ok() {
                self.policy(&target, text)?;
                count += 1;
            }
        }
        Ok(format!("that goes for all applications; {count} are known here\n"))
    }

    fn look(&self, policy: &Policy) -> Result<Shown, Vec<Diagnostic>> {
        let prepared = prepare::resolved(self.host, policy.clone(), |written| {
            Request::look(written, Tier::Namespaces)
        })?;
        let abi = self.host.facts.kernel.landlock_abi;
        Ok(Shown::of(&prepared.policy, &prepared.plan, abi))
    }

    fn words(&self, before: Policy, after: Policy) -> Result<String, Vec<Diagnostic>> {
        let meaning = changes::meaning(&self.look(&before)?, &self.look(&after)?);
        Ok(said(&after.id, &meaning))
    }
}

fn said(id: &AppId, meaning: &str) -> String {
    match meaning {
        "" => format!("for {id}, nothing is otherwise\n"),
        meaning => format!("for {id}, that is\n{meaning}"),
    }
}
