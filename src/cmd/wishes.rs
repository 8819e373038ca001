//! The flags of `pinfold override` as changes of a manifest's text.

use toml_edit::Value;

use crate::cli::{HomeWord, Override, Share};
use crate::manifest::closest::closest;
use crate::manifest::edit::Document;
use crate::manifest::entries::entries;
use crate::manifest::naming::{self, Named};
use crate::model::facts::HostFacts;
use crate::model::permission::{HomeKind, LandlockMode, NetworkMode, Word, X11Mode};
use crate::model::statement::DENY;
use crate::report::{Code, Diagnostic};

use super::grants;
use super::overrides::Own;

/// The lists of paths.
const PATHS: [&str; 4] = ["filesystem.read", "filesystem.write", "filesystem.create", DENY];

/// Whether the flags ask for any change.
pub(super) fn any(options: &Override) -> bool {
    let Override { grants, set, refuse, unset, reset, .. } = options;
    let lists = [
        &grants.read,
        &grants.write,
        &grants.create,
        &grants.deny,
        &grants.portal,
        &grants.service,
        &grants.talk,
        &grants.own,
        &grants.env,
        set,
        refuse,
        unset,
        reset,
    ];
    lists.iter().any(|list| !list.is_empty())
        || !grants.share.is_empty()
        || !grants.unshare.is_empty()
        || grants.home.is_some()
        || grants.require_landlock
}

/// Makes the changes. What takes away comes before what adds. Gives what is
/// worth knowing.
///
/// # Errors
/// Every flag that means nothing.
pub(super) fn grant(
    document: &mut Document,
    options: &Override,
    own: &Own<'_>,
) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
    let facts = &own.host().facts;
    let grants = &options.grants;
    // One-off flags and kept ones take the same words.
    let mut errors = grants::settings(grants, facts.cwd.as_ref()).err().unwrap_or_default();
    let mut wishes = Wishes { document, own, facts, remarks: Vec::new() };
    for text in &options.unset {
        errors.extend(wishes.unset(text).err());
    }
    for text in &options.reset {
        errors.extend(wishes.reset(text).err());
    }
    for text in &options.refuse {
        errors.extend(wishes.refuse(text).err());
    }
    for text in &options.set {
        errors.extend(wishes.set(text).err());
    }
    for (key, list) in PATHS.iter().zip([&grants.read, &grants.write, &grants.create, &grants.deny])
    {
        for text in list {
            wishes.path(key, text);
        }
    }
    for (key, list) in [
        ("portals.allow", &grants.portal),
        ("bus.session.services", &grants.service),
        ("bus.session.talk", &grants.talk),
        ("bus.session.own", &grants.own),
    ] {
        for text in list {
            wishes.document.add(key, Value::from(text.as_str()));
        }
    }
    for text in &grants.env {
        if let Some((name, value)) = text.split_once('=') {
            wishes.document.set_part("environment.set", name, value);
        }
    }
    for (list, on) in [(&grants.share, true), (&grants.unshare, false)] {
        for word in list {
            errors.extend(wishes.share(*word, on).err());
        }
    }
    if let Some(home) = grants.home {
        let kind = match home {
            HomeWord::Private => HomeKind::Private,
            HomeWord::Ephemeral => HomeKind::Ephemeral,
            HomeWord::Shared => HomeKind::Shared,
        };
        wishes.document.set("home.kind", Value::from(kind.word()));
    }
    if grants.require_landlock {
        wishes.document.set("landlock", Value::from(LandlockMode::Require.word()));
    }
    if errors.is_empty() { Ok(wishes.remarks) } else { Err(errors) }
}

struct Wishes<'a> {
    document: &'a mut Document,
    own: &'a Own<'a>,
    facts: &'a HostFacts,
    remarks: Vec<Diagnostic>,
}

fn usage(message: String) -> Diagnostic {
    Diagnostic::error(Code::Usage, message)
}

/// What a name means, or which one may have been meant.
fn name(flag: &str, text: &str) -> Result<Named, Diagnostic> {
    naming::name(text).map_err(|word| {
        let error = usage(format!("{flag} {text:?}: nothing is called {word:?}"));
        let known = naming::known_names();
        match closest(&word, known.iter().map(String::as_str)) {
            Some(guess) => error.hint(format!("did you mean `{guess}`?")),
            None => error.hint("it is the name of a flag, or a key or table of the manifest"),
        }
    })
}

impl Wishes<'_> {
    /// A path as it is written down: by `~` where it lies in the home, so
    /// that the file is of use elsewhere too.
    fn tilde(&self, text: &str) -> String {
        let Ok(path) = grants::expression(text, self.facts.cwd.as_ref()) else {
            return text.to_owned();
        };
        let path = path.as_str();
        let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
        match path.strip_prefix(self.facts.home.as_str()) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
            _ => path.to_owned(),
        }
    }

    /// An entry of a list as its key has it.
    fn entry(&self, key: &str, text: &str) -> Value {
        if PATHS.contains(&key) {
            return Value::from(self.tilde(text));
        }
        let one = naming::value(key, text).ok();
        let one = one.and_then(|value| match value {
            Value::Array(array) if array.len() == 1 => array.get(0).cloned(),
            _ => None,
        });
        let mut entry = one.unwrap_or_else(|| Value::from(text));
        entry.decor_mut().clear();
        entry
    }

    /// A grant and a denial of one path cannot stand in one file: the denial
    /// would win.
    fn path(&mut self, key: &str, text: &str) {
        let entry = self.entry(key, text);
        for other in PATHS.iter().filter(|other| (**other == DENY) != (key == DENY)) {
            self.document.remove(other, &entry);
        }
        self.document.add(key, entry);
    }

    fn share(&mut self, word: Share, on: bool) -> Result<(), Diagnostic> {
        match word {
            Share::Network => {
                let mode = if on { NetworkMode::Host } else { NetworkMode::None };
                self.document.set("network.mode", Value::from(mode.word()));
            }
            Share::Wayland => self.document.set("display.wayland", Value::from(on)),
            Share::X11 => {
                let mode = if on { X11Mode::Shared } else { X11Mode::Never };
                self.document.set("display.x11", Value::from(mode.word()));
            }
            Share::Audio => {
                self.document.set("audio.playback", Value::from(on));
                if !on {
                    self.document.set("audio.record", Value::from(false));
                }
            }
            Share::Gpu | Share::Kvm => {
                let device = if word == Share::Gpu { "gpu" } else { "kvm" };
                if !on {
                    return self.refuse(device);
                }
                self.document.add("devices.allow", Value::from(device));
            }
        }
        Ok(())
    }

    fn set(&mut self, text: &str) -> Result<(), Diagnostic> {
        let Some((word, value)) = text.split_once('=') else {
            return Err(usage(format!("--set {text:?} is no KEY=VALUE")));
        };
        let key = match name("--set", word)? {
            Named::Key(key) => key,
            Named::Table(_) | Named::Entry(..) => {
                return Err(usage(format!("--set {text:?}: {word:?} is no single key")));
            }
        };
        let value = naming::value(&key, value).map_err(|why| {
            usage(format!("--set {text:?}: the value cannot be read")).because(why)
        })?;
        self.document.set(&key, value);
        Ok(())
    }

    fn unset(&mut self, text: &str) -> Result<(), Diagnostic> {
        let named = name("--unset", text)?;
        let was_there = match &named {
            Named::Key(key) | Named::Table(key) => self.document.unset(key),
            Named::Entry(key, entry) if naming::is_named(key) => {
                self.document.remove_part(key, entry)
            }
            Named::Entry(key, entry) => {
                let entry = self.entry(key, entry);
                self.document.remove(key, &entry)
            }
        };
        if !was_there {
            let note = Diagnostic::note(format!("your file states nothing about {text}"));
            let note = match &named {
                Named::Entry(key, _) if self.document.resets(key) => note.hint(format!(
                    "it takes back all that lower layers say about `{key}`; \
                     --unset {key} makes it say nothing"
                )),
                _ => note,
            };
            self.remarks.push(note);
        }
        Ok(())
    }

    fn reset(&mut self, text: &str) -> Result<(), Diagnostic> {
        match name("--reset", text)? {
            Named::Key(key) | Named::Table(key) => {
                self.document.add("reset", Value::from(key));
                Ok(())
            }
            Named::Entry(key, _) => Err(usage(format!("--reset {text:?} names a single entry"))
                .hint(format!("--reset {key} takes back the whole, --refuse {text} this one"))),
        }
    }

    /// Shuts one thing of a list: from then on the file says all that is in
    /// it, since there is no way to say what is not.
    fn refuse(&mut self, text: &str) -> Result<(), Diagnostic> {
        let Named::Entry(key, entry) = name("--refuse", text)? else {
            return Err(usage(format!("--refuse {text:?} names no single entry"))
                .hint("write it as in portal=print; --set states a whole key"));
        };
        if key == DENY {
            return Err(usage(format!("--refuse {text:?}: a denial cannot be refused"))
                .hint("grant the path itself, and the denial of lower layers gives way"));
        }
        let entry = self.entry(&key, &entry);
        if self.document.resets(&key) {
            // The file says all that is in it already.
            if self.document.remove(&key, &entry) && !self.document.states(&key) {
                self.document.unset(&key);
                self.document.set(&key, Value::Array(toml_edit::Array::new()));
            }
            return Ok(());
        }
        let layers = self.own.layers();
        let of = |settings| entries(settings, &key);
        let Some((now, below)) = layers.as_ref().and_then(|(now, below)| of(now).zip(of(below)))
        else {
            return Err(usage(format!("--refuse {text:?} is not possible here")).hint(match self
                .own
                .id
            {
                None => "it is about one application; --global --set states a whole key",
                Some(_) => "it is about entries of lists; --set states a whole key",
            }));
        };
        let is_it = |other: &Value| self.document.same(other, &entry);
        if !now.iter().any(is_it) {
            self.remarks.push(Diagnostic::note(format!("{text} is not granted as it is")));
            return Ok(());
        }
        let is_below = below.iter().any(is_it);
        let rest: Vec<Value> = now.into_iter().filter(|other| !is_it(other)).collect();
        if !is_below {
            self.document.remove(&key, &entry);
            return Ok(());
        }
        if rest.is_empty() {
            self.document.unset(&key);
            self.document.set(&key, Value::Array(toml_edit::Array::new()));
            return Ok(());
        }
        self.document.remove(&key, &entry);
        self.document.add("reset", Value::from(key.as_str()));
        for other in rest {
            self.document.add(&key, other);
        }
        let note = format!("from now on your file alone says what is in `{key}`");
        self.remarks.push(
            Diagnostic::note(note).hint(format!("--unset {key} gives it back to lower layers")),
        );
        Ok(())
    }
}
