//! All that is said about one application, laid over each other.
//!
//! From the bottom: the shipped manifest, the administrator's file, the
//! person's file, the flags of this run. Beneath each file lie the presets
//! that it names, in their order, each with its own presets beneath it.
//! Beneath the administrator's and the person's file about an application
//! lies the one about all applications.
//!
//! A file whose `[when]` does not hold here is left out with its presets. What
//! a file resets is taken back before its presets are laid. What a layer locks
//! no higher layer can state: that is looked at here, file by file, and is no
//! part of the merging, which thus stays a plain fold.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::app_id::AppId;
use crate::model::condition::{Surroundings, Unmet};
use crate::model::manifest::{Manifest, Policy, Settings};
use crate::model::origin::{Layer, Origin, Sourced};
use crate::model::statement::covers;
use crate::report::{Code, Diagnostic};

use super::closest::closest;
use super::locate::{Found, Places};
use super::parse::parse;

/// How deep presets may build on presets.
const DEEPEST: usize = 8;

/// Which application is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The one with this id, wherever its files lie.
    App(AppId),
    /// The one that this file is about. It stands in place of the shipped
    /// manifest; the administrator's and the user's files still apply.
    File(PathBuf),
}

/// Reads all layers about an application and merges them, the command line's
/// on top. `here` answers the files' conditions. With the policy come
/// warnings.
///
/// # Errors
/// Everything that is wrong in any of the files.
pub fn policy(
    target: &Target,
    places: &Places,
    here: &dyn Surroundings,
    command_line: Settings,
) -> Result<(Policy, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut pile = Pile::new(places, here);
    let id = match target {
        Target::App(id) => {
            let found = places.find(id)?;
            if found.is_empty() {
                return Err(vec![no_manifest(id, places)]);
            }
            for layer in [Layer::Vendor, Layer::Admin, Layer::User] {
                pile.lay_for_all(layer);
                for file in found.iter().filter(|file| file.layer == layer) {
                    pile.lay(file, id);
                }
            }
            id.clone()
        }
        Target::File(path) => {
            let file = places.named(path).map_err(|error| vec![error])?;
            let manifest = parse(&file.text, &file.name(), file.layer)?;
            let id = id_of(&manifest)?;
            pile.warnings.extend(takes_the_place(&manifest, &id, &file, places));
            pile.stack(manifest);
            for layer in [Layer::Admin, Layer::User] {
                pile.lay_for_all(layer);
                match places.in_layer(layer, &id) {
                    Ok(Some(file)) => pile.lay(&file, &id),
                    Ok(None) => {}
                    Err(error) => pile.errors.push(error),
                }
            }
            id
        }
    };
    pile.merge(command_line);
    if pile.errors.is_empty() && pile.settings.command.is_none() {
        pile.errors.push(no_command(&id, &pile.files, &pile.unmet));
    }
    if !pile.errors.is_empty() {
        return Err(pile.errors);
    }
    let Pile { settings, files, unmet, warnings, .. } = pile;
    Ok((Policy { id, settings, files, unmet }, warnings))
}

/// What the files about all applications state. With it come warnings.
///
/// # Errors
/// Everything that is wrong in any of them.
pub fn for_all(
    places: &Places,
    here: &dyn Surroundings,
) -> Result<(Settings, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut pile = Pile::new(places, here);
    for layer in [Layer::Admin, Layer::User] {
        pile.lay_for_all(layer);
    }
    if pile.errors.is_empty() { Ok((pile.settings, pile.warnings)) } else { Err(pile.errors) }
}

/// What has been merged so far.
struct Pile<'p> {
    places: &'p Places,
    here: &'p dyn Surroundings,
    settings: Settings,
    files: Vec<(Layer, String)>,
    unmet: Vec<Unmet>,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
}

impl<'p> Pile<'p> {
    fn new(places: &'p Places, here: &'p dyn Surroundings) -> Pile<'p> {
        Pile {
            places,
            here,
            settings: Settings::default(),
            files: Vec::new(),
            unmet: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Lays the file of a layer about all applications on top, if there is
    /// one.
    fn lay_for_all(&mut self, layer: Layer) {
        let file = match self.places.for_all(layer) {
            Ok(Some(file)) => file,
            Ok(None) => return,
            Err(error) => {
                self.errors.push(error);
                return;
            }
        };
        if let Some(manifest) = self.read(&file) {
            let Manifest { id, settings, .. } = &manifest;
            let stated = [
                ("id", id.as_ref().map(|id| &id.origin)),
                ("name", settings.name.as_ref().map(|name| &name.origin)),
                ("command", settings.command.as_ref().map(|command| &command.origin)),
                ("desktop", settings.desktop.items.first().map(|entry| &entry.origin)),
            ];
            for (key, origin) in stated {
                let Some(origin) = origin else { continue };
                let message = format!("`{key}` is one application's own, and this file is for all");
                self.errors.push(
                    Diagnostic::error(Code::OneApplication, message)
                        .at(origin)
                        .hint("write it into the file that is named by the application's id"),
                );
            }
            self.stack(manifest);
        }
    }

    /// Lays the file of a layer on top, with its presets beneath it.
    fn lay(&mut self, file: &Found, id: &AppId) {
        let Some(manifest) = self.read(file) else {
            return;
        };
        if let Some(stated) = &manifest.id
            && stated.value != *id
        {
            self.errors.push(
                Diagnostic::error(
                    Code::WrongId,
                    format!("the file is about `{}`, not about `{id}`", stated.value),
                )
                .at(&stated.origin)
                .hint(format!("rename the file to {}.toml, or correct its `id`", stated.value)),
            );
        }
        self.stack(manifest);
    }

    /// Lays a manifest on top, with its presets beneath it.
    fn stack(&mut self, mut manifest: Manifest) {
        if !self.counts(&manifest) {
            return;
        }
        // What it resets is what lower layers state, not its own presets.
        let reset = std::mem::take(&mut manifest.settings.reset);
        self.merge(Settings { reset, ..Settings::default() });
        self.presets(&manifest, &mut Vec::new(), &mut BTreeSet::new());
        self.add(manifest);
    }

    /// Whether a file's conditions hold here; one that does not is noted.
    fn counts(&mut self, manifest: &Manifest) -> bool {
        for condition in &manifest.when {
            if let Err(here) = condition.value.hold(self.here) {
                self.unmet.push(Unmet {
                    layer: manifest.layer,
                    file: manifest.file.clone(),
                    condition: condition.clone(),
                    here,
                });
                return false;
            }
        }
        true
    }

    fn read(&mut self, file: &Found) -> Option<Manifest> {
        match parse(&file.text, &file.name(), file.layer) {
            Ok(manifest) => Some(manifest),
            Err(errors) => {
                self.errors.extend(errors);
                None
            }
        }
    }

    fn add(&mut self, manifest: Manifest) {
        self.merge(manifest.settings);
        self.files.push((manifest.layer, manifest.file));
    }

    /// Merges settings on top, after a look at what is locked.
    fn merge(&mut self, higher: Settings) {
        self.refuse_locked(&higher);
        let lower = std::mem::take(&mut self.settings);
        self.settings = lower.merge(higher);
    }

    /// Refuses statements of what a lower layer has locked, one for each key.
    fn refuse_locked(&mut self, higher: &Settings) {
        if self.settings.lock.items.is_empty() {
            return;
        }
        let mut told = BTreeSet::new();
        let stated = higher.stated().into_iter().filter_map(|(key, origin)| {
            let lock = self.settings.lock_on(&key, origin.layer)?;
            Some((format!("`{key}` is locked"), origin, lock))
        });
        let reset = higher.reset.items.iter().filter_map(|reset| {
            let (key, layer) = (&reset.value, reset.origin.layer);
            let lock = self.settings.lock.items.iter().find(|lock| {
                let lies_beneath = covers(key, &lock.value) || covers(&lock.value, key);
                lock.origin.layer < layer && lies_beneath
            })?;
            let locked = if covers(&lock.value, key) { key } else { &lock.value };
            Some((format!("`{locked}` is locked and cannot be reset"), reset.origin.clone(), lock))
        });
        let errors: Vec<Diagnostic> = stated
            .chain(reset)
            .filter(|(message, ..)| told.insert(message.clone()))
            .map(|(message, origin, lock)| locked(message, &origin, lock))
            .collect();
        self.errors.extend(errors);
    }

    /// Lays the presets that a file names. `way` leads from the file to here;
    /// `laid` are the presets that lie beneath the file already, since two
    /// can build on the same third.
    fn presets(&mut self, manifest: &Manifest, way: &mut Vec<String>, laid: &mut BTreeSet<String>) {
        for named in &manifest.extends {
            let name = &named.value;
            if let Some(again) = named.shadowed.first() {
                self.warnings.push(
                    Diagnostic::warning(format!("the preset `{name}` is named twice"))
                        .at(&named.origin)
                        .at(again),
                );
            }
            if way.contains(name) {
                let error = bad_preset(named, format!("the preset `{name}` builds on itself"));
                self.errors.push(error.because(format!("{} > {name}", way.join(" > "))));
            } else if way.len() >= DEEPEST {
                let message = format!("more than {DEEPEST} presets build on each other");
                self.errors.push(bad_preset(named, message).because(way.join(" > ")));
            } else if laid.insert(name.clone()) {
                let Some(preset) = self.preset(manifest.layer, named) else {
                    continue;
                };
                if !self.counts(&preset) {
                    continue;
                }
                way.push(name.clone());
                self.presets(&preset, way, laid);
                way.pop();
                self.add(preset);
            }
        }
    }

    /// Opens and reads the preset that a file names.
    fn preset(&mut self, layer: Layer, named: &Sourced<String>) -> Option<Manifest> {
        let name = &named.value;
        let file = match self.places.preset(layer, name) {
            Ok(Some(file)) => file,
            Ok(None) => {
                let mut error = bad_preset(named, format!("there is no preset `{name}`"));
                for folder in &self.places.vendor {
                    let place = folder.join(format!("{name}.toml"));
                    error = error.because(format!("{} does not exist", place.display()));
                }
                let known = self.places.presets();
                let guess = closest(name, known.iter().map(String::as_str));
                self.errors.push(hint_guess(error, guess));
                return None;
            }
            Err(error) => {
                self.errors.push(error.at(&named.origin));
                return None;
            }
        };
        let preset = self.read(&file)?;
        if let Some(id) = &preset.id {
            self.errors.push(
                Diagnostic::error(Code::BadPreset, "a preset is about no application")
                    .at(&id.origin)
                    .hint("remove its `id`"),
            );
        }
        let Settings { lock, reset, .. } = &preset.settings;
        for (key, list) in [("lock", lock), ("reset", reset)] {
            if let Some(first) = list.items.first() {
                self.errors.push(
                    Diagnostic::error(Code::BadPreset, format!("a preset cannot have `{key}`"))
                        .at(&first.origin)
                        .hint("write it into the file that names the preset"),
                );
            }
        }
        Some(preset)
    }
}

/// The application that is meant.
///
/// # Errors
/// When a file is, and does not say it.
pub fn id(target: &Target, places: &Places) -> Result<AppId, Vec<Diagnostic>> {
    match target {
        Target::App(id) => Ok(id.clone()),
        Target::File(path) => {
            let file = places.named(path).map_err(|error| vec![error])?;
            id_of(&parse(&file.text, &file.name(), file.layer)?)
        }
    }
}

/// Says that a file stands in place of another one that is shipped: what that
/// application has kept, and what was allowed to it, is this one's then.
fn takes_the_place(
    manifest: &Manifest,
    id: &AppId,
    file: &Found,
    places: &Places,
) -> Option<Diagnostic> {
    let shipped = places.in_layer(Layer::Vendor, id).ok()??;
    if shipped.text == file.text {
        return None;
    }
    let message = format!("this manifest takes the place of {}", shipped.name());
    let warning = Diagnostic::warning(message);
    let warning = match &manifest.id {
        Some(id) => warning.at(&id.origin),
        None => warning,
    };
    Some(
        warning
            .because(format!("by its id it gets the home of {id}, your own file about that, and what portals allow it"))
            .hint("give it another id, unless it is a version of that manifest"),
    )
}

/// The id that a file named by its path says that it is about.
fn id_of(manifest: &Manifest) -> Result<AppId, Vec<Diagnostic>> {
    if let Some(id) = &manifest.id {
        return Ok(id.value.clone());
    }
    let file = Arc::from(manifest.file.as_str());
    let message = "the manifest does not say which application it is about";
    Err(vec![
        Diagnostic::error(Code::MissingKey, message)
            .at(&Origin { layer: manifest.layer, file, line: 1, column: 1 })
            .hint("write its id beneath the schema, as in id = \"org.example.App\""),
    ])
}

fn bad_preset(named: &Sourced<String>, message: String) -> Diagnostic {
    Diagnostic::error(Code::BadPreset, message).at(&named.origin)
}

fn hint_guess(error: Diagnostic, guess: Option<&str>) -> Diagnostic {
    match guess {
        Some(guess) => error.hint(format!("did you mean `{guess}`?")),
        None => error,
    }
}

fn no_manifest(id: &AppId, places: &Places) -> Diagnostic {
    let mut error = Diagnostic::error(Code::NoManifest, format!("there is no manifest for `{id}`"));
    for layer in [Layer::User, Layer::Admin, Layer::Vendor] {
        for folder in places.folders(layer) {
            let place = folder.join(format!("{id}.toml"));
            error = error.because(format!("{} does not exist", place.display()));
        }
    }
    let known = places.list();
    let known = || known.iter().map(|(id, _)| id.as_str());
    // People remember an application's name better than its vendor's.
    let last = |id: &str| id.rsplit('.').next().unwrap_or(id).to_lowercase();
    let same_name = || known().find(|other| last(other) == last(id.as_str()));
    hint_guess(error, closest(id.as_str(), known()).or_else(same_name))
}

/// The report on a statement of what a lower layer has locked.
pub fn locked(message: String, stated: &Origin, lock: &Sourced<String>) -> Diagnostic {
    let whose = match lock.origin.layer {
        Layer::Admin => "this machine's administrator".to_owned(),
        Layer::User => "your own file".to_owned(),
        other => format!("the {other} layer"),
    };
    Diagnostic::error(Code::Locked, format!("{message} by {whose}"))
        .at(stated)
        .at(&lock.origin)
        .hint("take the first line out, or the name out of `lock` in the second")
}

fn no_command(id: &AppId, files: &[(Layer, String)], unmet: &[Unmet]) -> Diagnostic {
    let message = format!("no manifest says which program `{id}` is");
    let mut error = Diagnostic::error(Code::MissingKey, message);
    for (layer, file) in files {
        // The whole text lacks it; the start is where it would be written.
        let file = Arc::from(file.as_str());
        error = error.at(&Origin { layer: *layer, file, line: 1, column: 1 });
    }
    for Unmet { condition, .. } in unmet {
        let place = &condition.origin;
        error = error.because(format!("{place}: the file asks for another host than this one"));
    }
    let error = error.hint("write it as in command = [\"evince\"]");
    if unmet.is_empty() && files.iter().all(|(layer, _)| *layer != Layer::Vendor) {
        return error.because("there are only overrides and no shipped manifest beneath them");
    }
    error
}

#[cfg(test)]
mod tests;
