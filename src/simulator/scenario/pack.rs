//! Rule packs: sets of rules that come with the program, named in a scenario by `packs`. Here are their names and files; how their
//! rules are read is in `read`.

use crate::domain::listed::listed;

listed! {
    /// A set of rules that comes with the program.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Pack {
        /// Outcomes by amount.
        Amounts,
        /// Outcomes by the cents of the amount: response codes of ISO 8583.
        Cents,
        /// Outcomes by the name of the cardholder.
        HolderNames,
        /// The published test cards, which decide by themselves whether or not a scenario names this pack.
        MagicCards,
    }
}

impl Pack {
    /// Its name in scenarios.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amounts => "amounts",
            Self::Cents => "cents",
            Self::HolderNames => "holder-names",
            Self::MagicCards => "magic-cards",
        }
    }

    /// The pack of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|pack| pack.name() == name)
    }

    /// Its file: a scenario with nothing but rules.
    #[must_use]
    pub const fn file(self) -> &'static str {
        match self {
            Self::Amounts => include_str!("../../../config/packs/amounts.toml"),
            Self::Cents => include_str!("../../../config/packs/cents.toml"),
            Self::HolderNames => include_str!("../../../config/packs/holder-names.toml"),
            Self::MagicCards => include_str!("../../../config/packs/magic-cards.toml"),
        }
    }
}
