//! The meaning of a query, free of spelling: the small boolean algebra that each adapter translates to its own query.

use crate::domain::ids::AccountId;

/// A condition on a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// All hold; everything if there are none.
    All(Vec<Self>),
    /// At least one holds; nothing if there are none.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// The field holds exactly this (already folded) value.
    Term {
        /// The field whose values are compared.
        field: TermField,
        /// The indexed form of the value.
        value: String,
    },
    /// The number lies in `from..until`; a missing bound is open. A document without the number does not match.
    Range {
        /// The field whose values are compared.
        field: NumberField,
        /// The smallest value that matches.
        from: Option<i64>,
        /// The smallest value that no longer matches.
        until: Option<i64>,
    },
    /// One of the field's values starts with `prefix` and contains `needle` somewhere behind it.
    Contains {
        /// The field whose values are compared.
        field: TermField,
        /// What the value starts with; empty for any.
        prefix: String,
        /// What it contains, folded.
        needle: String,
    },
    /// These words stand one after another in one of the document's texts.
    Words(Vec<String>),
}

impl Filter {
    /// This filter within what one owner may find. Every search goes through here.
    #[must_use]
    pub fn scoped_to(&self, owner: AccountId) -> Self {
        let owned = Self::term(TermField::Owner, owner.with_prefix(""));
        match self {
            Self::All(filters) => Self::All(std::iter::once(owned).chain(filters.iter().cloned()).collect()),
            Self::Any(_)
            | Self::Not(_)
            | Self::Term { .. }
            | Self::Range { .. }
            | Self::Contains { .. }
            | Self::Words(_) => Self::All(vec![owned, self.clone()]),
        }
    }

    /// The field holds this value.
    #[must_use]
    pub fn term(field: TermField, value: impl Into<String>) -> Self {
        Self::Term { field, value: value.into() }
    }
}

/// A field of exact terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TermField {
    /// Who may see the document.
    Owner,
    /// The payment's id without prefix.
    Payment,
    /// The ids of its refunds without prefix.
    Refund,
    /// The ids of its later charges without prefix; the first has the payment's id.
    Charge,
    /// Its status.
    Status,
    /// Its kind.
    Kind,
    /// Its currency, lower case.
    Currency,
    /// The customer's id.
    Customer,
    /// The receiver's id without prefix.
    Payee,
    /// The load run, folded.
    Run,
    /// The description, folded.
    Description,
    /// `key` + separator + folded value.
    Metadata,
    /// The card's network.
    CardBrand,
    /// Its last four digits.
    CardLast4,
    /// Its first six digits.
    CardFirst6,
    /// Its fingerprint in hexadecimal.
    CardFingerprint,
    /// Why it was declined.
    DeclineCode,
    /// Flags that are set.
    Flag,
    /// Optional fields that have a value.
    Has,
}

impl TermField {
    /// Every field.
    pub const ALL: [Self; 19] = [
        Self::Owner,
        Self::Payment,
        Self::Refund,
        Self::Charge,
        Self::Status,
        Self::Kind,
        Self::Currency,
        Self::Customer,
        Self::Payee,
        Self::Run,
        Self::Description,
        Self::Metadata,
        Self::CardBrand,
        Self::CardLast4,
        Self::CardFirst6,
        Self::CardFingerprint,
        Self::DeclineCode,
        Self::Flag,
        Self::Has,
    ];

    /// Its name in the index.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Payment => "payment",
            Self::Refund => "refund_ids",
            Self::Charge => "charge_ids",
            Self::Status => "status",
            Self::Kind => "kind",
            Self::Currency => "currency",
            Self::Customer => "customer",
            Self::Payee => "payee",
            Self::Run => "run",
            Self::Description => "description",
            Self::Metadata => "metadata",
            Self::CardBrand => "card_brand",
            Self::CardLast4 => "card_last4",
            Self::CardFirst6 => "card_first6",
            Self::CardFingerprint => "card_fingerprint",
            Self::DeclineCode => "decline_code",
            Self::Flag => "flags",
            Self::Has => "has",
        }
    }

    /// Whether its values are ids: 22 digits for 128 bits.
    #[must_use]
    pub const fn is_id(self) -> bool {
        matches!(self, Self::Owner | Self::Payment | Self::Refund | Self::Charge | Self::Payee)
    }

    /// Whether results are counted by it, which needs a column of its values.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        matches!(self, Self::Status | Self::Kind | Self::Currency | Self::CardBrand | Self::DeclineCode)
    }
}

/// A field of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NumberField {
    /// Minor units.
    Amount,
    /// Minor units that arrived; only where something did.
    Received,
    /// Minor units refunded or on their way back.
    Refunded,
    /// Minor units that left the submitter's wallet and have not arrived; only while there are some.
    InTransit,
    /// Microseconds since the epoch.
    Created,
    /// Microseconds since the epoch.
    Updated,
    /// Microseconds since the epoch.
    Settled,
    /// Microseconds from the request to the end; only in the submitter's document.
    Took,
}

impl NumberField {
    /// Every field.
    pub const ALL: [Self; 8] = [
        Self::Amount,
        Self::Received,
        Self::Refunded,
        Self::InTransit,
        Self::Created,
        Self::Updated,
        Self::Settled,
        Self::Took,
    ];

    /// Its name in the index.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::Received => "amount_received",
            Self::Refunded => "amount_refunded",
            Self::InTransit => "in_transit",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Settled => "settled",
            Self::Took => "took",
        }
    }
}
