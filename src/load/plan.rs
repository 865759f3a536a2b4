//! Decides what each arrival is, drawn from (seed, index), so that a run can be repeated and a lost frame sent again
//! unchanged.

use std::fmt::Write as _;

use super::args::{Keys, Mix};
use super::numbers::mixed;
use crate::domain::ids::PaymentId;

/// The currency of every payment.
pub const CURRENCY: &str = "eur";
/// Largest charge, in minor units.
const CHARGE_MAX: u64 = 10_000;
/// Largest transfer: small against what wallets are filled with, so that funds never run out in a run.
const TRANSFER_MAX: u64 = 500;
/// What each wallet is filled with before a run, in minor units.
pub const FILL_MINOR: u64 = 50_000_000;

/// One piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Fill a wallet.
    TopUp,
    /// Charge a card.
    Charge,
    /// Move money between wallets.
    Transfer,
    /// Give a charge back.
    Refund {
        /// The charge.
        payment: PaymentId,
        /// The account it belongs to, as an index.
        account: u32,
        /// Its version when it had succeeded.
        version: u32,
        /// Its amount, all of which is given back, in minor units.
        amount_minor: u64,
    },
}

impl Work {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopUp => "topup",
            Self::Charge => "charge",
            Self::Transfer => "transfer",
            Self::Refund { .. } => "refund",
        }
    }
}

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
    /// The mix; `None` fills every account once.
    pub mix: Option<Mix>,
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

    /// What the mix asks for at this index.
    #[must_use]
    pub fn wanted(&self, index: u64) -> Wanted {
        let Some(mix) = self.mix else { return Wanted::Work(Work::TopUp) };
        let drawn = self.draw(index, 1, mix.total());
        if drawn < u64::from(mix.charge) {
            Wanted::Work(Work::Charge)
        } else if drawn < u64::from(mix.charge) + u64::from(mix.transfer) {
            Wanted::Work(Work::Transfer)
        } else {
            Wanted::Refund
        }
    }

    /// The index of the account that this work acts for.
    #[must_use]
    pub fn account(&self, index: u64, work: Work) -> u32 {
        let count = self.accounts.len() as u64;
        let account = match work {
            Work::Refund { account, .. } => return account,
            Work::TopUp => index,
            Work::Charge | Work::Transfer if self.hot => 0,
            Work::Charge | Work::Transfer => self.draw(index, 2, count),
        };
        u32::try_from(account).unwrap_or(0)
    }

    /// The name of the account at this index; `None` for the key's own.
    #[must_use]
    pub fn account_name(&self, account: u32) -> Option<&str> {
        self.accounts.get(usize::try_from(account).ok()?).map(String::as_str)
    }

    fn payee(&self, index: u64, from: u32) -> Option<&str> {
        let count = self.accounts.len() as u64;
        // Any but the sender's.
        let step = 1 + if self.hot { 0 } else { self.draw(index, 3, count.saturating_sub(1)) };
        let payee = (u64::from(from) + step) % count.max(1);
        self.accounts.get(usize::try_from(payee).ok()?).map(String::as_str)
    }

    /// How much, in minor units.
    #[must_use]
    pub fn amount_minor(&self, index: u64, work: Work) -> u64 {
        match work {
            Work::TopUp => FILL_MINOR,
            Work::Refund { amount_minor, .. } => amount_minor,
            Work::Charge => 100 + self.draw(index, 4, CHARGE_MAX),
            Work::Transfer => 1 + self.draw(index, 4, TRANSFER_MAX),
        }
    }

    /// The idempotency key of a piece of work.
    #[must_use]
    pub fn key(&self, index: u64) -> String {
        match self.keys {
            Keys::Counted => key_of(&self.run, index),
            Keys::Random => random_key_of(&self.run, index),
        }
    }

    /// Writes the object that `payment.submit_batch` takes. Names and ids need no escapes: they are letters, digits and
    /// `-_.` throughout.
    pub fn write_payment(&self, out: &mut String, index: u64, work: Work) {
        let kind = work.name();
        let amount = self.amount_minor(index, work);
        let account = self.account(index, work);
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            r#"{{"kind":"{kind}","amount":{amount},"currency":"{CURRENCY}","lane":"bulk","draw_key":{index}"#
        );
        let _ = write!(out, r#","run":"{}","idempotency_key":"{}""#, self.run, self.key(index));
        if let Some(account) = self.account_name(account) {
            let _ = write!(out, r#","account":"{account}""#);
        }
        let _ = match (work, self.payee(index, account)) {
            (Work::Transfer, Some(payee)) => write!(out, r#","destination":"{payee}"}}"#),
            _ => write!(out, r#","payment_method":"pm_card_visa"}}"#),
        };
    }

    /// Writes the fields of `operation.submit` for a refund, after its type and id.
    pub fn write_refund(&self, out: &mut String, index: u64, payment: PaymentId, account: u32) {
        let _ = write!(
            out,
            r#","payment_id":"{payment}","operation":"refund","idempotency_key":"{}""#,
            self.key(index)
        );
        if let Some(account) = self.account_name(account) {
            let _ = write!(out, r#","account":"{account}""#);
        }
        out.push('}');
    }

    /// Path and JSON body of the same over HTTP.
    #[must_use]
    pub fn http_request(&self, index: u64, work: Work) -> (&'static str, String) {
        let amount = self.amount_minor(index, work);
        let common = format!(r#""lane":"bulk","draw_key":{index},"run":"{}""#, self.run);
        match work {
            Work::Refund { payment, .. } => ("/v1/refunds", format!(r#"{{"payment_intent":"{payment}"}}"#)),
            Work::Charge => (
                "/v1/payment_intents",
                format!(
                    r#"{{"amount":{amount},"currency":"{CURRENCY}","payment_method":"pm_card_visa","confirm":true,{common}}}"#
                ),
            ),
            Work::TopUp => (
                "/v1/topups",
                format!(r#"{{"amount":{amount},"currency":"{CURRENCY}","source":"pm_card_visa",{common}}}"#),
            ),
            Work::Transfer => {
                let payee = self.payee(index, self.account(index, work)).unwrap_or_default();
                (
                    "/v1/transfers",
                    format!(
                        r#"{{"amount":{amount},"currency":"{CURRENCY}","destination":"{payee}",{common}}}"#
                    ),
                )
            }
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
