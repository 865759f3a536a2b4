//! The rule packs that come with the program, with their files.

use std::sync::LazyLock;

use crate::simulator::Scenario;
use crate::simulator::scenario::Pack;

/// A rule pack.
#[derive(Debug, Clone)]
pub struct PackFile {
    /// Its name in scenarios.
    pub name: &'static str,
    /// What it does.
    pub description: String,
    /// How many rules it has.
    pub rules: usize,
    /// Its file.
    pub text: &'static str,
}

static PACKS: LazyLock<Vec<PackFile>> = LazyLock::new(read_all);

/// All of them, in the order in which they are offered.
#[must_use]
pub fn pack_files() -> &'static [PackFile] {
    &PACKS
}

fn read_all() -> Vec<PackFile> {
    let read = |pack: Pack| {
        let text = pack.file();
        let scenario = Scenario::parse(text.as_bytes()).ok()?;
        let (description, rules) = (scenario.description, scenario.rules.len());
        Some(PackFile { name: pack.name(), description, rules, text })
    };
    Pack::ALL.into_iter().filter_map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::Scenarios;

    #[test]
    fn every_pack_is_offered_and_its_file_can_be_put_in_force() {
        let packs = pack_files();
        assert_eq!(packs.len(), Pack::ALL.len());
        for pack in packs {
            assert!(Scenarios::read(pack.text).is_ok(), "{}", pack.name);
            assert!(!pack.description.is_empty());
        }
    }
}
