//! Policies on made-up hosts: every plan keeps the laws of the plan tier.

use pinfold::model::origin::Layer;

use super::draw::Draw;
use laws::{Case, ENTRIES, Entry, LINKS, NAMES, Stated, TARGETS};

#[path = "../plan/laws.rs"]
mod laws;
#[path = "../plan/seen.rs"]
#[allow(dead_code)] // what other tests of the plan tier ask of a plan
mod seen;
#[path = "../plan/tree.rs"]
#[allow(dead_code)] // hosts of other shapes
mod tree;

const LAYERS: [Layer; 4] = [Layer::Vendor, Layer::Admin, Layer::User, Layer::CommandLine];
const KEYS: [&str; 4] = ["write", "read", "create", "deny"];

/// What a vendor's manifest says beside paths.
const TABLES: [&str; 8] = [
    "[display]\nwayland = true\nx11 = \"fallback\"\n",
    "[audio]\nplayback = true\nrecord = true\n",
    "[devices]\nallow = [\"gpu\"]\n",
    "[network]\nmode = \"host\"\nconnect = [443]\n",
    "[environment]\npass = [\"LC_*\"]\n[environment.set]\nA = \"a b\"\n",
    "[syscalls]\nnested = \"browser\"\nallow = [\"devel\", \"multiarch\"]\n",
    "[home]\nkind = \"shared\"\n",
    "[home]\nkind = \"ephemeral\"\npersist = [\".config/app\", \"a/b\"]\n",
];

pub fn holds(bytes: &[u8]) {
    let mut draw = Draw::new(bytes);
    let [tables] = draw.bytes();
    let base: String = TABLES
        .iter()
        .enumerate()
        // There is one kind of home.
        .filter(|(bit, _)| tables >> bit & 1 == 1 && (*bit < 7 || tables & 0x40 == 0))
        .map(|(_, table)| *table)
        .collect();
    let entries = entries(&mut draw);
    let denied = draw.flag();
    let mut stated = Vec::new();
    while !draw.is_over() && stated.len() < 8 {
        let form = draw.byte();
        stated.push(Stated {
            // Where something is denied for good, no layer comes above it.
            layer: LAYERS[usize::from(form & 3)].min(if denied {
                Layer::User
            } else {
                Layer::CommandLine
            }),
            key: KEYS[usize::from(form >> 2 & 3)],
            name: draw.pick(NAMES),
        });
    }
    let case = Case::new(&entries, stated, &base);
    laws::a_plan_is_determined_and_survives_json(&case);
    laws::steps_can_be_carried_out_in_their_order(&case);
    laws::protected_paths_cannot_be_changed(&case);
    laws::landlock_gives_no_more_than_the_steps(&case);
    // In the home that is one's own there is nothing without namespaces.
    if tables & 0x40 == 0 {
        laws::without_namespaces_no_more_is_open(&case);
    }
    if denied {
        laws::what_is_denied_is_not_seen(&case);
    }
}

/// Links first, so that a folder of the same name gives way.
fn entries(draw: &mut Draw<'_>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for _ in 0..draw.below(5) {
        let link = draw.pick(LINKS);
        let target = draw.pick(TARGETS);
        if entries.iter().all(|(other, _)| *other != link) {
            entries.push((link, Some(target)));
        }
    }
    let there = u16::from_le_bytes(draw.bytes());
    let all = ENTRIES.iter().enumerate();
    entries.extend(all.filter(|(bit, _)| there >> bit & 1 == 1).map(|(_, entry)| (*entry, None)));
    entries
}
