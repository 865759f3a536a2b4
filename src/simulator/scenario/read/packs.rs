//! `packs`: which rule packs a scenario has, and the rules of each. They are read once for all scenarios.

use std::sync::{Arc, LazyLock};

use toml::de::DeTable;

use super::problems::Problems;
use super::rule;
use super::section::Section;
use crate::simulator::scenario::{Pack, Rule};

/// The rules of each pack, in the order of [`Pack::ALL`].
static READ: LazyLock<[Arc<[Rule]>; Pack::ALL.len()]> = LazyLock::new(|| Pack::ALL.map(read));

/// The packs that a scenario names.
pub(super) fn packs(root: &Section<'_>) -> Vec<Pack> {
    let known = Pack::ALL.map(|pack| (pack.name(), pack));
    let mut packs = Vec::new();
    for field in root.get("packs").and_then(|packs| packs.list()).unwrap_or_default() {
        match field.word("pack", &known) {
            Some(pack) if packs.contains(&pack) => field.refuse("is named twice"),
            pack => packs.extend(pack),
        }
    }
    packs
}

/// The rules of a pack.
pub(super) fn rules(pack: Pack) -> Arc<[Rule]> {
    let place = Pack::ALL.iter().position(|known| *known == pack);
    place.and_then(|place| READ.get(place)).map(Arc::clone).unwrap_or_default()
}

/// Reads the rules in a pack's file. A test reads the whole file as a scenario, so that none has a mistake.
fn read(pack: Pack) -> Arc<[Rule]> {
    let problems = Problems::default();
    let (document, _) = DeTable::parse_recoverable(pack.file());
    rule::rules(&Section::root(document.get_ref(), &super::KEYS, &problems)).own()
}
