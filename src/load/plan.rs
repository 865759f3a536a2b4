//! Decides what each arrival is, drawn from (seed, index), so that a run can be repeated and a lost frame sent again
//! unchanged.

use super::amounts::{Amounts, fitted, fitted_to_wallets};
use super::args::Keys;
use super::mix::{Cardholders, Mix, Traffic};
use super::numbers::{approximate, mixed};
use super::work::Work;
use crate::domain::currency::Currency;

/// What each wallet is filled with in each currency before a run, in minor units.
pub const FILL_MINOR: u64 = 50_000_000;

/// What the mix asks for at an index. Which charge is refunded depends on what has succeeded by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// This work.
    Work(Work),
    /// A refund of some succeeded charge.
    Refund,
}

/// The plan of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The run's name.
    pub run: String,
    /// The seed of all draws.
    pub seed: u64,
    /// What is sent.
    pub traffic: Traffic,
    /// Whether it fills every account once in each currency, instead of sending the mix.
    pub fills: bool,
    /// The accounts to act for; empty for the key's own.
    pub accounts: Vec<String>,
    /// Whether every payment touches the first account.
    pub hot: bool,
    /// How idempotency keys follow one another.
    pub keys: Keys,
}

/// The idempotency key of a run's index: in the order of the indices, so that stored keys touch few pages. All letters:
/// of a key with as many digits as a card number, the server keeps only a hash, which has no order.
#[must_use]
pub fn key_of(run: &str, index: u64) -> String {
    let hash = blake3::hash(run.as_bytes());
    let run = hash.as_bytes().iter().take(8).fold(0, |value, byte| (value << 8) | u64::from(*byte));
    format!("load-{}-{}", letters(run, 14), letters(index, 8))
}

/// The same in no order, in the form that most programs use.
fn random_key_of(run: &str, index: u64) -> String {
    let hash = blake3::keyed_hash(blake3::hash(run.as_bytes()).as_bytes(), &index.to_be_bytes());
    let mut half = [0; 16];
    half.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    uuid::Builder::from_random_bytes(half).into_uuid().to_string()
}

/// A number as `count` letters, which sort as the number does.
fn letters(mut number: u64, count: usize) -> String {
    let mut letters = vec!['a'; count];
    for slot in letters.iter_mut().rev() {
        *slot = char::from(b'a' + u8::try_from(number % 26).unwrap_or(0));
        number /= 26;
    }
    letters.into_iter().collect()
}

impl Plan {
    fn draw(&self, index: u64, use_of: u64, below: u64) -> u64 {
        mixed(self.seed, index, use_of) % below.max(1)
    }

    /// How many wallets there are to fill, counted in each currency.
    #[must_use]
    pub fn fill_count(&self) -> u64 {
        (self.accounts.len() * self.traffic.currencies.choices().count()) as u64
    }

    /// What the mix asks for at this index.
    #[must_use]
    pub fn wanted(&self, index: u64) -> Wanted {
        if self.fills {
            return Wanted::Work(Work::TopUp);
        }
        let Mix { charge, transfer, refund, topup, payout: _ } = self.traffic.mix;
        let drawn = self.draw(index, 1, self.traffic.mix.total());
        let choices = [
            (charge, Wanted::Work(Work::Charge)),
            (transfer, Wanted::Work(Work::Transfer)),
            (refund, Wanted::Refund),
            (topup, Wanted::Work(Work::TopUp)),
        ];
        let mut until = 0;
        let chosen = choices.into_iter().find(|(weight, _)| {
            until += u64::from(*weight);
            drawn < until
        });
        chosen.map_or(Wanted::Work(Work::Payout), |(_, wanted)| wanted)
    }

    /// The index of the account that this work acts for.
    #[must_use]
    pub fn account(&self, index: u64, work: Work) -> u32 {
        let count = self.accounts.len() as u64;
        let account = match work {
            Work::Refund(charged) => return charged.account,
            Work::TopUp if self.fills => index % count.max(1),
            _ if self.hot => 0,
            Work::TopUp | Work::Charge | Work::Transfer | Work::Payout | Work::Answer { .. } => {
                self.draw(index, 2, count)
            }
        };
        u32::try_from(account).unwrap_or(0)
    }

    /// The name of the account at this index; `None` for the key's own.
    #[must_use]
    pub fn account_name(&self, account: u32) -> Option<&str> {
        self.accounts.get(usize::try_from(account).ok()?).map(String::as_str)
    }

    /// The account that a transfer goes to.
    #[must_use]
    pub fn payee(&self, index: u64, from: u32) -> Option<&str> {
        let count = self.accounts.len() as u64;
        // Any but the sender's.
        let step = 1 + if self.hot { 0 } else { self.draw(index, 3, count.saturating_sub(1)) };
        let payee = (u64::from(from) + step) % count.max(1);
        self.accounts.get(usize::try_from(payee).ok()?).map(String::as_str)
    }

    /// The currency of this work.
    #[must_use]
    pub fn currency(&self, index: u64, work: Work) -> Currency {
        let currencies = &self.traffic.currencies;
        let currency = match work {
            Work::Refund(charged) => Some(charged.currency),
            Work::TopUp if self.fills => {
                let nth = index / (self.accounts.len() as u64).max(1);
                currencies.choices().nth(usize::try_from(nth).unwrap_or(0))
            }
            Work::TopUp | Work::Charge | Work::Transfer | Work::Payout | Work::Answer { .. } => {
                currencies.pick(mixed(self.seed, index, 10))
            }
        };
        currency.unwrap_or(Currency::EUR)
    }

    /// How much, in minor units of this currency.
    #[must_use]
    pub fn amount_minor(&self, index: u64, work: Work, currency: Currency) -> u64 {
        let charged = || self.traffic.amounts.unwrap_or(Amounts::CHARGES).draw(self.seed, index);
        match work {
            Work::TopUp if self.fills => FILL_MINOR,
            Work::Refund(charged) => charged.amount_minor,
            Work::TopUp | Work::Charge => fitted(charged(), currency),
            Work::Transfer | Work::Payout => {
                fitted_to_wallets(Amounts::FROM_WALLETS.draw(self.seed, index), currency)
            }
            Work::Answer { .. } => 0,
        }
    }

    /// The name of the card that is charged at this index.
    #[must_use]
    pub fn card(&self, index: u64, work: Work) -> &'static str {
        let card = self.traffic.cards.pick(mixed(self.seed, index, 11)).filter(|_| work == Work::Charge);
        card.map_or("visa", |card| card.token())
    }

    /// What the cardholders do whom 3-D Secure asks.
    #[must_use]
    pub fn cardholders(&self) -> Cardholders {
        let think_us = u64::try_from(self.traffic.think.as_micros()).unwrap_or(u64::MAX);
        Cardholders { seed: self.seed, think_us: approximate(think_us), pass: self.traffic.pass }
    }

    /// The idempotency key of a piece of work.
    #[must_use]
    pub fn key(&self, index: u64) -> String {
        match self.keys {
            Keys::Counted => key_of(&self.run, index),
            Keys::Random => random_key_of(&self.run, index),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::digits;

    #[test]
    fn keys_are_in_the_order_of_their_indices_and_without_digits() {
        let keys: Vec<_> = (0..20_000).map(|index| key_of("run-1767225600-a1b2", index)).collect();
        assert!(keys.is_sorted_by(|one, next| one < next));
        assert!(keys.iter().all(|key| digits::count(key) == 0 && key.len() == keys[0].len()));
        let random: BTreeSet<_> = (0..2_000).map(|index| random_key_of("r1", index)).collect();
        assert!(
            random.len() == 2_000 && random.contains(&random_key_of("r1", 7)),
            "the same when it is sent again"
        );
        assert!(!(0..2_000).map(|index| random_key_of("r1", index)).is_sorted());
        assert!(key_of("r1", 7) < key_of("r1", 9_999_999_999) && key_of("r1", 7) != key_of("r2", 7));
    }
}
