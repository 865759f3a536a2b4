//! What a run sends, by weight: kinds of work, currencies, cards; and what its cardholders do when they are asked.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use super::amounts::Amounts;
use super::numbers::{mixed, normal, uniform, whole};
use super::weighted::Weighted;
use crate::domain::currency::Currency;
use crate::domain::test_cards::TestCard;
use crate::setting::duration::parse_duration;

/// Currencies of one run: every wallet is filled in each.
const CURRENCIES_MAX: usize = 16;
/// The standard deviation of the logarithm of the time that cardholders take.
const THINK_SIGMA: f64 = 0.5;
/// No cardholder takes longer than this times the median.
const THINK_FACTOR_MAX: f64 = 5.0;

/// Flags of what is sent.
#[derive(Debug, Clone, Args)]
pub struct Traffic {
    /// What to send, by weight: charge, transfer, refund, topup (added money), payout.
    #[arg(long, value_name = "MIX", default_value = "charge=70,transfer=20,refund=10")]
    pub mix: Mix,
    /// Amounts of charges and added money in the smallest unit: fixed:1250, uniform:100..10000 or
    /// lognormal:median=2500,sigma=0.8,max=100000. Transfers and payouts stay small, so that wallets do not run dry.
    #[arg(long, value_name = "LAW")]
    pub amounts: Option<Amounts>,
    /// Currencies by weight: eur=8,usd=2.
    #[arg(long, value_name = "LIST", default_value = "eur", value_parser = parse_currencies)]
    pub currencies: Weighted<Currency>,
    /// Cards of charges by weight, as test card numbers or names:
    /// visa=90,4000000000009995=5,pm_card_threeDSecureRequired=5.
    #[arg(long, value_name = "LIST", default_value = "visa", value_parser = parse_cards)]
    pub cards: Weighted<&'static TestCard>,
    /// How long cardholders take when 3-D Secure asks them: the median of a lognormal law.
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    pub think: Duration,
    /// How many in a hundred cardholders pass.
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(0..=100))]
    pub pass: u64,
}

impl Default for Traffic {
    fn default() -> Self {
        let visa = TestCard::by_token("pm_card_visa").map(Weighted::only);
        Self {
            mix: Mix { charge: 70, transfer: 20, refund: 10, ..Mix::default() },
            amounts: None,
            currencies: Weighted::only(Currency::EUR),
            cards: visa.unwrap_or_default(),
            think: Duration::from_secs(3),
            pass: 100,
        }
    }
}

/// Weights of the kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mix {
    /// Charges of a card.
    pub charge: u32,
    /// Transfers between wallets.
    pub transfer: u32,
    /// Refunds of earlier charges.
    pub refund: u32,
    /// Money added to a wallet.
    pub topup: u32,
    /// Payouts to a bank account.
    pub payout: u32,
}

impl Mix {
    /// The sum of all weights; at least 1.
    #[must_use]
    pub fn total(&self) -> u64 {
        let Self { charge, transfer, refund, topup, payout } = *self;
        [charge, transfer, refund, topup, payout].into_iter().map(u64::from).sum()
    }

    /// Whether some of it takes money out of wallets, which have to be filled before.
    #[must_use]
    pub const fn takes_from_wallets(&self) -> bool {
        self.transfer > 0 || self.payout > 0
    }
}

impl FromStr for Mix {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || {
            "a mix is written charge=70,transfer=20,refund=10, and may have topup and payout as well"
                .to_owned()
        };
        let mut mix = Self::default();
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').ok_or_else(malformed)?;
            let weight =
                weight.trim().parse().ok().filter(|weight| *weight <= 1_000_000).ok_or_else(malformed)?;
            let slot = match name.trim() {
                "charge" => &mut mix.charge,
                "transfer" => &mut mix.transfer,
                "refund" => &mut mix.refund,
                "topup" => &mut mix.topup,
                "payout" => &mut mix.payout,
                _ => return Err(malformed()),
            };
            *slot = weight;
        }
        match (mix.total(), mix.charge, mix.refund) {
            (0, _, _) => Err(malformed()),
            (_, 0, 1..) => Err("a mix with refunds needs charges to refund".to_owned()),
            _ => Ok(mix),
        }
    }
}

/// Currencies by weight.
///
/// # Errors
/// In words.
pub fn parse_currencies(text: &str) -> Result<Weighted<Currency>, String> {
    let currencies = Weighted::parse(text, |code| code.parse().map_err(|error| format!("{error}")))?;
    match currencies.choices().count() {
        0..=CURRENCIES_MAX => Ok(currencies),
        count => Err(format!("{count} currencies; a run has at most {CURRENCIES_MAX}")),
    }
}

/// Cards by weight, as numbers or names.
///
/// # Errors
/// In words.
pub fn parse_cards(text: &str) -> Result<Weighted<&'static TestCard>, String> {
    Weighted::parse(text, |name| {
        let plain: String = name.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        TestCard::by_number(&plain)
            .or_else(|| TestCard::by_token(name))
            .or_else(|| TestCard::by_token(&format!("pm_card_{name}")))
            .ok_or_else(|| {
                // What looks like a number is not repeated: it may be real.
                let shown =
                    if plain.chars().any(|c| c.is_ascii_digit()) && plain.len() > 8 { "this" } else { name };
                format!("{shown} is none of the test cards, which are in docs/dialect.md")
            })
    })
}

/// What cardholders do whom 3-D Secure asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cardholders {
    /// The seed of their draws.
    pub seed: u64,
    /// The median of the time they take, in microseconds.
    pub think_us: f64,
    /// How many in a hundred pass.
    pub pass: u64,
}

impl Cardholders {
    /// How long the one at this index takes, in microseconds.
    #[must_use]
    pub fn think_us(&self, index: u64) -> u64 {
        let factor = (THINK_SIGMA * normal(mixed(self.seed, index, 6), mixed(self.seed, index, 7))).exp();
        whole(self.think_us * factor.min(THINK_FACTOR_MAX))
    }

    /// Whether the one at this index passes.
    #[must_use]
    pub fn passes(&self, index: u64) -> bool {
        uniform(mixed(self.seed, index, 8)) * 100.0 < super::numbers::approximate(self.pass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixes_read_as_written() {
        let some = Mix { charge: 7, refund: 1, ..Mix::default() };
        assert_eq!("charge=7, refund=1".parse(), Ok(some));
        let all: Mix = "charge=1,transfer=2,refund=3,topup=4,payout=5".parse().unwrap();
        assert!(all.total() == 15 && all.takes_from_wallets() && !some.takes_from_wallets());
        assert!("charge=0".parse::<Mix>().is_err());
    }

    #[test]
    fn currencies_and_cards_read_as_written() {
        let codes: Vec<String> =
            parse_currencies("eur=8, JPY=2").unwrap().choices().map(|one| one.lower()).collect();
        assert_eq!(codes, ["eur", "jpy"]);
        assert!(parse_currencies("eur,xxx").unwrap_err().contains("Invalid currency: xxx"));
        let cards = parse_cards("visa=9,pm_card_threeDSecureRequired,4000 0000 0000 9995").unwrap();
        let tokens: Vec<&str> = cards.choices().map(TestCard::token).collect();
        assert_eq!(tokens.len(), 3);
        assert!(tokens[0] == "visa" && tokens[2] == "chargeDeclinedInsufficientFunds", "{tokens:?}");
        assert!(parse_cards("gold").unwrap_err().contains("gold is none of the test cards"));
        let real = parse_cards("4929939187355598").unwrap_err();
        assert!(real.contains("this is none of") && !real.contains("4929"), "{real}");
    }

    #[test]
    fn cardholders_take_their_time_and_some_fail() {
        let holders = Cardholders { seed: 3, think_us: 2_000_000.0, pass: 90 };
        let mut taken: Vec<u64> = (0..20_000).map(|index| holders.think_us(index)).collect();
        taken.sort_unstable();
        assert!(taken[10_000].abs_diff(2_000_000) < 60_000, "{}", taken[10_000]);
        let passed = (0..20_000).filter(|index| holders.passes(*index)).count();
        assert!(passed.abs_diff(18_000) < 250, "{passed}");
        assert!((0..100).all(|index| Cardholders { pass: 100, ..holders }.passes(index)));
        assert!((0..100).all(|index| !Cardholders { pass: 0, ..holders }.passes(index)));
    }
}
