//! The entries of a list as a manifest would write them.

use toml_edit::{InlineTable, Value};

use crate::model::manifest::{BusSettings, PathGrant, Settings};
use crate::model::origin::List;
use crate::model::permission::Word;

fn texts<T: ToString>(list: &List<T>) -> Vec<Value> {
    list.values().map(|text| Value::from(text.to_string())).collect()
}

fn words<W: Word>(list: &List<W>) -> Vec<Value> {
    list.values().map(|word| Value::from(word.word())).collect()
}

fn ports(list: &List<u16>) -> Vec<Value> {
    list.values().map(|port| Value::from(i64::from(*port))).collect()
}

fn grants(list: &List<PathGrant>) -> Vec<Value> {
    let grant = |grant: &PathGrant| {
        if !grant.required && grant.exec.is_none() {
            return Value::from(grant.path.as_str());
        }
        let mut table = InlineTable::new();
        table.insert("path", Value::from(grant.path.as_str()));
        if grant.required {
            table.insert("required", Value::from(true));
        }
        if let Some(exec) = grant.exec {
            table.insert("exec", Value::from(exec));
        }
        Value::InlineTable(table)
    };
    list.values().map(grant).collect()
}

fn bus(settings: &BusSettings, name: &str) -> Option<Vec<Value>> {
    Some(match name {
        "see" => texts(&settings.see),
        "talk" => texts(&settings.talk),
        "own" => texts(&settings.own),
        "call" => texts(&settings.call),
        "broadcast" => texts(&settings.broadcast),
        "services" => texts(&settings.services),
        _ => return None,
    })
}

/// What is in force of a list to which layers add and which one can take
/// back; none for every other key.
pub fn entries(settings: &Settings, key: &str) -> Option<Vec<Value>> {
    Some(match key {
        "desktop" => texts(&settings.desktop),
        "home.persist" => texts(&settings.home.persist),
        "filesystem.read" => grants(&settings.filesystem.read),
        "filesystem.write" => grants(&settings.filesystem.write),
        "filesystem.create" => grants(&settings.filesystem.create),
        "devices.allow" => words(&settings.devices),
        "network.connect" => ports(&settings.network.connect),
        "network.listen" => ports(&settings.network.listen),
        "portals.allow" => texts(&settings.portals),
        "environment.pass" => texts(&settings.environment_pass),
        "syscalls.allow" => words(&settings.syscalls),
        "check.must-open" => texts(&settings.check_must_open),
        "check.must-deny" => texts(&settings.check_must_deny),
        _ => match key.strip_prefix("bus.session.") {
            Some(name) => bus(&settings.session_bus, name)?,
            None => bus(&settings.system_bus, key.strip_prefix("bus.system.")?)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::keys::KEYS;
    use crate::manifest::parse;
    use crate::model::origin::Layer;

    #[test]
    fn every_list_that_can_be_emptied_has_its_entries() {
        for key in KEYS {
            let full = key.full();
            let known = entries(&Settings::default(), &full).is_some();
            // A preset is no statement of its own.
            let wanted = key.can_be_emptied() && full != "extends";
            assert_eq!(known, wanted, "{full}");
        }
    }

    #[test]
    fn entries_read_back_as_they_were() {
        let text = "schema = 1\n[filesystem]\nread = [\"~/a\", { path = \"~/b\", required = true, \
                    exec = false }]\n[network]\nconnect = [80, 443]\n[devices]\nallow = [\"gpu\"]\n\
                    [bus.session]\nown = [\"a.b.*\"]\ncall = [\"a.b=c.d.*\"]\n";
        let settings = parse(text.as_bytes(), "f", Layer::User).unwrap().settings;
        let shown = |key: &str| {
            let all = entries(&settings, key).unwrap();
            format!("{key} = {}", all.into_iter().collect::<toml_edit::Array>())
        };
        for key in ["filesystem.read", "network.connect", "devices.allow", "bus.session.own"] {
            let text = format!("schema = 1\n{}", shown(key));
            let again = parse(text.as_bytes(), "f", Layer::User).unwrap().settings;
            let values = |settings: &Settings| {
                let all = entries(settings, key).unwrap();
                all.iter().map(Value::to_string).collect::<Vec<_>>()
            };
            assert_eq!(values(&again), values(&settings));
            assert!(!values(&again).is_empty());
        }
    }
}
