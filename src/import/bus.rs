//! Names on the buses, as an import states them. Those of portals become
//! words, since a name alone would open all of them.

use crate::catalogue::{self, Level};
use crate::model::bus::BusName;

use super::draft::{Draft, quoted};
use super::report::{Finding, Place};

/// What a source lets an application do with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// See it.
    See,
    /// Talk to it.
    Talk,
    /// Own it.
    Own,
}

/// Which bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// The session's.
    Session,
    /// The system's.
    System,
}

/// Services that start programs outside of the sandbox for whoever asks.
const WAYS_OUT: [&str; 3] =
    ["org.freedesktop.Flatpak", "org.freedesktop.portal.Flatpak", "org.freedesktop.systemd1"];

/// The words of the portals that ask the person, or risk little: all that a
/// sandbox in which every portal can be asked is given here.
pub fn portals(draft: &mut Draft, place: &Place) -> Finding {
    let mut left_out = Vec::new();
    for word in catalogue::words() {
        let level = catalogue::portal(word).map_or(Level::High, |portal| portal.level);
        if level < Level::High {
            draft.push("portals.allow", quoted(word), place);
        } else {
            left_out.push(word);
        }
    }
    Finding::less(format!(
        "every portal of low or medium risk can be asked; left out: {}",
        left_out.join(", ")
    ))
}

/// States what may be done with a name; tells how far that is possible.
pub fn name(draft: &mut Draft, bus: Bus, name: &str, policy: Policy, place: &Place) -> Finding {
    if bus == Bus::Session
        && policy == Policy::Talk
        && let Some(finding) = portal(draft, name, place)
    {
        return finding;
    }
    let parsed = match BusName::parse(name) {
        Ok(parsed) => parsed,
        Err(error) => {
            return Finding::no_grant(format!("a manifest does not take such a name: {error}"));
        }
    };
    let leads_out = WAYS_OUT.iter().any(|way| {
        *way == parsed.name
            || (parsed.subtree
                && way.strip_prefix(&parsed.name).is_some_and(|rest| rest.starts_with('.')))
    });
    if leads_out && policy == Policy::Talk {
        return Finding::no_grant(
            "by it programs are started outside of the sandbox; state it yourself if you want that",
        );
    }
    let key = match (bus, policy) {
        (Bus::Session, Policy::See) => "bus.session.see",
        (Bus::Session, Policy::Talk) => "bus.session.talk",
        (Bus::Session, Policy::Own) => "bus.session.own",
        (Bus::System, Policy::See) => "bus.system.see",
        (Bus::System, Policy::Talk) => "bus.system.talk",
        (Bus::System, Policy::Own) => "bus.system.own",
    };
    draft.push(key, quoted(name), place);
    Finding::exact("the same name")
}

/// What talking to a name of the portals becomes.
fn portal(draft: &mut Draft, name: &str, place: &Place) -> Option<Finding> {
    let rest = name.strip_prefix("org.freedesktop.portal.")?;
    Some(match rest {
        "Desktop" | "Desktop.*" | "*" => portals(draft, place),
        "Documents" | "Documents.*" => {
            draft.push("portals.allow", quoted("documents"), place);
            Finding::less("the word of this portal; what it does not know stays shut")
        }
        "IBus" | "Fcitx" | "IBus.*" | "Fcitx.*" => {
            draft.push("bus.session.services", quoted("input-method"), place);
            Finding::near("the word for input methods, which opens both of them")
        }
        _ => return None,
    })
}

/// What talking to the whole session bus becomes: a bus cannot be granted
/// whole.
pub fn whole_session(draft: &mut Draft, place: &Place) -> Finding {
    portals(draft, place);
    draft.push("bus.session.services", quoted("tray"), place);
    Finding::less(
        "no bus can be granted whole; the portals of low and medium risk and the tray can be used",
    )
}
