//! The columns of a file, and a row of it as parameters for the intake.

use std::borrow::Cow;

use csv::StringRecord;

use super::{KEY_CHARS_MAX, fault, shortened};
use crate::domain::card_numbers::masked;
use crate::domain::currency::Currency;
use crate::domain::idempotency::RequestKey;
use crate::domain::money::Money;
use crate::domain::payment_kind::PaymentKind;
use crate::domain::text::misleads;
use crate::intake::error::param_shown;
use crate::intake::{InputContext, InputError, Params, PaymentDraft, Rules, check_text};
use crate::store::RowFault;

/// Every column: its name and its description.
pub const COLUMNS: [(&str, &str); 15] = [
    ("key", "Required. Names the row: the same key under the same name of import pays once."),
    ("kind", "charge (default), topup, transfer or payout."),
    ("amount", "As people write it: 12.50. This or amount_minor."),
    ("amount_minor", "In the smallest unit of the currency: 1250."),
    ("currency", "Required. Three letters."),
    ("payment_method", "A test card by its name, such as pm_card_visa (charge, topup)."),
    ("card_number", "Or by its number. Only published test numbers are taken."),
    ("exp_month", "With a number."),
    ("exp_year", "With a number, four digits."),
    ("cvc", "With a number; may be left out."),
    ("destination", "E-mail address or acct_… (transfer)."),
    ("bank_account", "A test account (payout); the good one if left out."),
    ("description", "Up to 1,000 characters."),
    ("capture_method", "automatic (default) or manual (charge)."),
    ("metadata[…]", "Any name between the brackets; as many columns as you like."),
];

/// A sample file for download.
pub const SAMPLE: &str = "\
key,kind,amount,currency,payment_method,card_number,exp_month,exp_year,cvc,destination,bank_account,description,capture_method,metadata[order]
order-1001,charge,12.50,eur,pm_card_visa,,,,,,,Two flat whites,,1001
order-1002,charge,4.20,eur,,5555555555554444,12,2034,123,,,Espresso and cake,,1002
order-1003,charge,180,jpy,pm_card_jcb,,,,,,,,manual,1003
order-1004,charge,9.90,eur,pm_card_chargeDeclinedInsufficientFunds,,,,,,,Declined on purpose,,1004
order-1005,topup,50.00,eur,pm_card_mastercard,,,,,,,,,1005
order-1006,payout,5.00,eur,,,,,,,000123456789,,,1006
";

/// Where a column's value goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    Key,
    Kind,
    Amount,
    AmountMinor,
    Currency,
    /// A parameter of the intake under this name.
    Param(&'static str),
    /// `metadata[…]`.
    Metadata(String),
}

/// The columns of one file, in order.
#[derive(Debug, Clone)]
pub(super) struct Columns(Vec<(String, Role)>);

/// A row that makes no payment: its key, as far as it could be read, and the reason.
pub(super) struct Refused {
    pub key: String,
    pub fault: RowFault,
}

fn role(name: &str) -> Option<Role> {
    Some(match name {
        "key" => Role::Key,
        "kind" => Role::Kind,
        "amount" => Role::Amount,
        "amount_minor" => Role::AmountMinor,
        "currency" => Role::Currency,
        "payment_method" => Role::Param("payment_method"),
        "card_number" => Role::Param("card[number]"),
        "exp_month" => Role::Param("card[exp_month]"),
        "exp_year" => Role::Param("card[exp_year]"),
        "cvc" => Role::Param("card[cvc]"),
        "destination" => Role::Param("destination"),
        "bank_account" => Role::Param("bank_account"),
        "description" => Role::Param("description"),
        "capture_method" => Role::Param("capture_method"),
        other => {
            let key = other.strip_prefix("metadata[")?.strip_suffix(']')?;
            let plain = !key.is_empty() && !key.contains(['[', ']']);
            Role::Metadata(plain.then(|| key.to_owned())?)
        }
    })
}

/// A column's name in canonical form. Names of metadata keep their case.
fn plain(name: &str) -> Cow<'_, str> {
    match name.starts_with("metadata[") {
        true => name.into(),
        false => name.to_ascii_lowercase().into(),
    }
}

/// Whether a column can have this name.
pub(super) fn is_column(name: &str) -> bool {
    role(&plain(name)).is_some()
}

/// The number of fields up to the last that is not empty.
fn filled(record: &StringRecord) -> usize {
    record.iter().enumerate().filter(|(_, field)| !field.is_empty()).last().map_or(0, |(last, _)| last + 1)
}

impl Columns {
    /// Reads the first row of a file.
    pub(super) fn read(header: &StringRecord, rules: &Rules) -> Result<Self, String> {
        let mut columns: Vec<(String, Role)> = Vec::with_capacity(header.len());
        for name in header.iter().take(filled(header)) {
            let name = plain(name).into_owned();
            let known = role(&name).ok_or_else(|| unknown(&name))?;
            if check_text("metadata", &name, rules).is_err() {
                return Err("A card number seems to stand in the name of a column in line 1: leave it out."
                    .to_owned());
            }
            if columns.iter().any(|(_, role)| *role == known) {
                return Err(format!("The column {name:?} is there twice in line 1."));
            }
            columns.push((name, known));
        }
        let has = |wanted: &[Role]| columns.iter().any(|(_, role)| wanted.contains(role));
        for (wanted, words) in [
            ([Role::Key, Role::Key], "key"),
            ([Role::Amount, Role::AmountMinor], "amount (or amount_minor)"),
            ([Role::Currency, Role::Currency], "currency"),
        ] {
            if !has(&wanted) {
                return Err(format!("Line 1 names the columns, and {words} is missing there."));
            }
        }
        Ok(Self(columns))
    }

    /// A row as a payment, with its key.
    pub(super) fn draft(
        &self,
        record: &StringRecord,
        scope: &str,
        context: &InputContext<'_>,
    ) -> Result<(String, PaymentDraft), Refused> {
        let key = self.value(record, &Role::Key).to_owned();
        let checked = check_text("key", &key, context.rules);
        let refused = |column: &str, message: Cow<'static, str>| Refused {
            key: shortened(
                if checked.is_err() { masked(&key) } else { key.as_str().into() }.as_ref(),
                KEY_CHARS_MAX,
            ),
            fault: fault(column, &message),
        };
        let fields = record.len().min(self.0.len().max(filled(record)));
        if fields != self.0.len() {
            let message = format!("This row has {fields} fields; line 1 has {}.", self.0.len());
            return Err(refused("", message.into()));
        }
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX || key.chars().any(misleads) {
            let message = format!("A key of 1 to {KEY_CHARS_MAX} printable characters was expected.");
            return Err(refused("key", message.into()));
        }
        if let Err(error) = &checked {
            return Err(refused("key", error.message.clone()));
        }
        let by_input = |error: InputError| {
            let param = error.param.as_deref().unwrap_or_default();
            refused(self.column_of(param), error.message.clone())
        };
        let kind = match self.value(record, &Role::Kind) {
            "" => PaymentKind::Charge,
            name => PaymentKind::parse(name).ok_or_else(|| {
                refused("kind", "One of charge, topup, transfer or payout was expected.".into())
            })?,
        };
        let mut params = self.params(record).map_err(by_input)?;
        params.add_text("lane", Some("bulk".into()));
        let mut draft = PaymentDraft::read(&mut params, kind, context).map_err(by_input)?;
        if let Some(lapsed) = draft.lapsed_mut() {
            let column = self.column_of(lapsed.param.as_deref().unwrap_or_default()).to_owned();
            lapsed.param = Some(Cow::Owned(column));
        }
        params.finish().map_err(|error| {
            let column = self.column_of(error.param.as_deref().unwrap_or_default());
            let message = format!("Leave this empty: it does not belong to a {}.", self.kind_words(record));
            refused(column, message.into())
        })?;
        draft.key = Some(RequestKey::Row { import: scope.to_owned(), key: key.clone() });
        Ok((key, draft))
    }

    fn kind_words<'r>(&self, record: &'r StringRecord) -> &'r str {
        match self.value(record, &Role::Kind) {
            "" => "charge",
            name => name,
        }
    }

    fn value<'r>(&self, record: &'r StringRecord, wanted: &Role) -> &'r str {
        let at = self.0.iter().position(|(_, role)| role == wanted);
        at.and_then(|at| record.get(at)).unwrap_or_default()
    }

    /// The column that a parameter comes from.
    fn column_of<'s>(&'s self, param: &'s str) -> &'s str {
        let fills = |role: &Role| match role {
            Role::Param(name) => {
                *name == param || param.strip_prefix(name).is_some_and(|rest| rest.starts_with('['))
            }
            Role::Metadata(key) => param == param_shown(&format!("metadata[{key}]")),
            Role::Key | Role::Kind | Role::Amount | Role::AmountMinor | Role::Currency => false,
        };
        let amount = |role: &Role| matches!(role, Role::Amount | Role::AmountMinor);
        let found = self.0.iter().find(|(_, role)| fills(role) || (param == "amount" && amount(role)));
        found.map_or(param, |(name, _)| name.as_str())
    }

    fn params<'r>(&self, record: &'r StringRecord) -> Result<Params<'r>, InputError> {
        let mut params = Params::default();
        let currency = self.value(record, &Role::Currency);
        params.add_text("currency", Some(currency.into()));
        let minor = match (self.value(record, &Role::Amount), self.value(record, &Role::AmountMinor)) {
            (_, "") => match currency.parse::<Currency>() {
                Ok(currency) => Some(decimal(self.value(record, &Role::Amount), currency)?),
                // The intake reports what is wrong with the currency.
                Err(_) => Some(1),
            },
            ("", minor) => {
                params.add_text("amount", Some(minor.into()));
                None
            }
            (_, _) => {
                let message = "Fill in amount or amount_minor, not both.";
                return Err(InputError::new("amount", "parameter_invalid_integer", message));
            }
        };
        params.add_integer("amount", minor);
        for ((_, role), value) in self.0.iter().zip(record).filter(|(_, value)| !value.is_empty()) {
            match role {
                Role::Param(name) => params.add_text(name, Some(value.into())),
                Role::Metadata(key) => params.add_path(format!("metadata[{key}]"), value),
                Role::Key | Role::Kind | Role::Amount | Role::AmountMinor | Role::Currency => {}
            }
        }
        Ok(params)
    }
}

fn unknown(name: &str) -> String {
    let known: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    match name {
        "" => "A column in line 1 has no name.".to_owned(),
        name => format!(
            "There is no column {:?} in line 1. Columns are {}; commas, semicolons or tabs separate them.",
            shortened(&masked(name), 40),
            known.join(", ")
        ),
    }
}

fn decimal(text: &str, currency: Currency) -> Result<i64, InputError> {
    if text.is_empty() {
        return Err(InputError::missing("amount"));
    }
    let money = Money::parse_decimal(text, currency);
    let money =
        money.map_err(|error| InputError::new("amount", "parameter_invalid_integer", error.to_string()))?;
    Ok(money.amount_minor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn context(rules: &Rules) -> InputContext<'_> {
        let now = Timestamp::from_micros(1_767_225_600_000_000);
        InputContext { rules, now, confirm_default: true }
    }

    fn rules() -> Rules {
        Rules::new([7; 32], true)
    }

    fn header(names: &str) -> Result<Columns, String> {
        Columns::read(&StringRecord::from(names.split(',').collect::<Vec<_>>()), &rules())
    }

    fn draft(columns: &Columns, line: &str) -> Result<String, String> {
        let record = StringRecord::from(line.split(',').collect::<Vec<_>>());
        match columns.draft(&record, "shop", &context(&rules())) {
            Ok((key, draft)) => {
                let name = RequestKey::Row { import: "shop".to_owned(), key: key.clone() };
                Ok(format!("{key} {:?}", draft.key.filter(|key| *key == name)))
            }
            Err(refused) => {
                Err(format!("{} | {} | {}", refused.key, refused.fault.column, refused.fault.message))
            }
        }
    }

    #[test]
    fn the_sample_is_good() {
        let mut reader = csv::Reader::from_reader(SAMPLE.as_bytes());
        let columns = Columns::read(reader.headers().unwrap(), &rules()).unwrap();
        for record in reader.records() {
            let record = record.unwrap();
            let read = columns.draft(&record, "sample", &context(&rules()));
            assert!(read.is_ok(), "{record:?}");
        }
    }

    #[test]
    fn every_mistake_names_its_column() {
        let header = "key,kind,amount,amount_minor,currency,payment_method,card_number,exp_month,exp_year,destination,metadata[order]";
        let columns = self::header(header).unwrap();
        let lines = [
            "a,,12.50,,eur,pm_card_visa,,,,,42",
            "a,charge,,1250,eur,pm_card_visa,,,,,",
            "a,charge,12.50",
            ",charge,12.50,,eur,pm_card_visa,,,,,",
            "a,chrage,12.50,,eur,pm_card_visa,,,,,",
            "a,charge,12.505,,eur,pm_card_visa,,,,,",
            "a,charge,,,eur,pm_card_visa,,,,,",
            "a,charge,1,100,eur,pm_card_visa,,,,,",
            "a,charge,,x,eur,pm_card_visa,,,,,",
            "a,charge,0,,eur,pm_card_visa,,,,,",
            "a,charge,1,,euros,pm_card_visa,,,,,",
            "a,charge,1,,eur,pm_card_vista,,,,,",
            "a,charge,1,,eur,,4111111111111111,12,2034,,",
            "a,charge,1,,eur,,4242424242424242,13,2034,,",
            "a,topup,1,,eur,,,,,,",
            "a,transfer,1,,eur,,,,,,",
            "a,transfer,1,,eur,,,,,nobody,",
            "a,payout,1,,eur,pm_card_visa,,,,,",
            // Empty fields after the last column are ignored; others are an error.
            "a,,12.50,,eur,pm_card_visa,,,,,42,,,",
            "a,,12.50,,eur,pm_card_visa,,,,,42,,x",
            "a,charge,1.250,,kwd,pm_card_visa,,,,,",
            "4242 4242 4242 4242,charge,1,,eur,pm_card_visa,,,,,",
            "a,charge,1,,eur,pm_card_visa,,,,,paid with 4242-4242-4242-4242",
            "a,charge,,4242424242424242 and more 1234567,eur,pm_card_visa,,,,,",
            "a,transfer,1,,eur,,,,,4242424242424242@example.org,",
        ];
        let read: Vec<_> =
            lines.iter().map(|line| format!("{line}\n    {:?}", draft(&columns, line))).collect();
        insta::assert_snapshot!(read.join("\n"));
        for wrong in [
            "key,amount",
            "key,amount,currency,colour",
            "key,key,amount,currency",
            "amount,currency",
            "key,amount,,currency",
        ] {
            assert!(self::header(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn empty_columns_at_the_end_are_ignored_and_no_name_holds_a_card_number() {
        assert_eq!(header("key,amount,currency,,,").unwrap().0.len(), 3);
        let words = |names| header(names).unwrap_err();
        assert!(words("key,amount,currency,4242424242424242").contains("There is no column \"***\""));
        let named = words("key,amount,currency,metadata[4242 4242 4242 4242]");
        assert!(named.contains("card number") && !named.contains("4242"), "{named}");
    }

    #[test]
    fn text_with_a_card_number_can_be_allowed() {
        let rules = Rules::new([7; 32], false);
        let names = StringRecord::from(vec!["key", "amount", "currency", "description"]);
        let columns = Columns::read(&names, &rules).unwrap();
        let record = StringRecord::from(vec!["4242424242424242", "1", "eur", "4242424242424242"]);
        let read = columns.draft(&record, "shop", &context(&rules)).map_err(|refused| refused.fault);
        assert_eq!(read.unwrap().0, "4242424242424242");
    }
}
