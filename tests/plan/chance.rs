//! The laws, held against trees and grants that chance makes up.

use pinfold::model::origin::Layer;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::laws::{self, Case, ENTRIES, Entry, LINKS, NAMES, Stated, TARGETS};

pub fn tree() -> impl Strategy<Value = Vec<Entry>> {
    let links = subsequence(LINKS, 0..=4).prop_flat_map(|links| {
        links
            .into_iter()
            .map(|link| (Just(link), select(TARGETS).prop_map(Some)))
            .collect::<Vec<_>>()
    });
    let entries = subsequence(ENTRIES, 0..=ENTRIES.len());
    (links, entries).prop_map(|(links, entries)| {
        links.into_iter().chain(entries.into_iter().map(|entry| (entry, None))).collect()
    })
}

fn statement(layers: &'static [Layer]) -> impl Strategy<Value = Stated> {
    let keys: &[&str] = &["read", "write", "write", "create", "deny"];
    (select(layers), select(keys), select(NAMES)).prop_map(|(layer, key, name)| Stated {
        layer,
        key,
        name,
    })
}

const ALL: &[Layer] = &[Layer::Vendor, Layer::Admin, Layer::User, Layer::CommandLine];

pub fn statements() -> impl Strategy<Value = Vec<Stated>> {
    prop::collection::vec(statement(ALL), 0..6)
}

pub fn base(shared: bool) -> &'static str {
    if shared { "[home]\nkind = \"shared\"" } else { "" }
}

pub fn config() -> ProptestConfig {
    let full = std::env::var("PINFOLD_FULL").is_ok_and(|full| full == "1");
    ProptestConfig {
        cases: if full { 1024 } else { 128 },
        failure_persistence: None,
        max_shrink_iters: 256,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_plan_keeps_the_laws(
        entries in tree(), stated in statements(), shared: bool
    ) {
        let case = Case::new(&entries, stated, base(shared));
        laws::a_plan_is_determined_and_survives_json(&case);
        laws::steps_can_be_carried_out_in_their_order(&case);
        laws::protected_paths_cannot_be_changed(&case);
        laws::landlock_gives_no_more_than_the_steps(&case);
        if !shared {
            laws::without_namespaces_no_more_is_open(&case);
        }
    }

    #[test]
    fn what_is_denied_is_not_seen(
        entries in tree(), mut stated in statements(), denied in select(NAMES), shared: bool
    ) {
        for one in &mut stated {
            one.layer = one.layer.min(Layer::User);
        }
        stated.push(Stated { layer: Layer::User, key: "deny", name: denied });
        laws::what_is_denied_is_not_seen(&Case::new(&entries, stated, base(shared)));
    }
}
