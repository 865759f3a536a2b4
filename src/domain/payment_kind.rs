//! The four kinds of payment without their data, for whatever is stored, indexed, listed and filtered by kind. The data of each
//! kind is in [`Kind`](super::submission::Kind).

/// A kind of payment without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PaymentKind {
    /// *Charge a card*: a customer's card → the merchant's wallet.
    Charge,
    /// *Add money*: own card → own wallet.
    TopUp,
    /// *Send to a person*: own wallet → another user's wallet.
    Transfer,
    /// *Pay out*: own wallet → a bank account.
    Payout,
}

impl PaymentKind {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Charge, Self::TopUp, Self::Transfer, Self::Payout];

    /// The name on the WebSocket and in files, queries, documents and live updates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::TopUp => "topup",
            Self::Transfer => "transfer",
            Self::Payout => "payout",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The number stored in the database. Never renumbered.
    #[must_use]
    pub const fn to_code(self) -> i16 {
        match self {
            Self::Charge => 1,
            Self::TopUp => 2,
            Self::Transfer => 3,
            Self::Payout => 4,
        }
    }

    /// The kind stored under this number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.to_code() == code)
    }

    /// The prefix under which the dialect shows such a payment's id.
    #[must_use]
    pub const fn id_prefix(self) -> &'static str {
        match self {
            Self::Charge => "pi_",
            Self::TopUp => "tu_",
            Self::Transfer => "tr_",
            Self::Payout => "po_",
        }
    }

    /// Whether the submitter brings a card.
    #[must_use]
    pub const fn takes_card(self) -> bool {
        match self {
            Self::Charge | Self::TopUp => true,
            Self::Transfer | Self::Payout => false,
        }
    }

    /// Whether the money comes out of the submitter's wallet.
    #[must_use]
    pub const fn takes_from_wallet(self) -> bool {
        !self.takes_card()
    }
}

#[cfg(test)]
mod tests {
    use super::PaymentKind;

    #[test]
    fn kinds_read_back() {
        let stored = PaymentKind::ALL.map(|kind| (kind.as_str(), kind.id_prefix(), kind.to_code()));
        assert_eq!(
            stored,
            [("charge", "pi_", 1), ("topup", "tu_", 2), ("transfer", "tr_", 3), ("payout", "po_", 4)]
        );
        for kind in PaymentKind::ALL {
            assert_eq!(PaymentKind::parse(kind.as_str()), Some(kind));
            assert_eq!(PaymentKind::from_code(kind.to_code()), Some(kind));
        }
        assert_eq!((PaymentKind::parse("refund"), PaymentKind::from_code(0)), (None, None));
    }
}
