//! What a card is, in the dialect's words: its network, how it is funded, what its issuer checks, how risky it looks.

/// A card network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Brand {
    /// Visa.
    Visa,
    /// Mastercard.
    Mastercard,
    /// American Express.
    Amex,
    /// Discover.
    Discover,
    /// JCB.
    Jcb,
    /// Diners Club.
    Diners,
    /// China UnionPay.
    UnionPay,
    /// Carnet, which the dialect has no word for.
    Carnet,
}

impl Brand {
    /// Every network.
    pub const ALL: [Self; 8] = [
        Self::Visa,
        Self::Mastercard,
        Self::Amex,
        Self::Discover,
        Self::Jcb,
        Self::Diners,
        Self::UnionPay,
        Self::Carnet,
    ];

    /// The dialect's name of the network.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Visa => "visa",
            Self::Mastercard => "mastercard",
            Self::Amex => "amex",
            Self::Discover => "discover",
            Self::Jcb => "jcb",
            Self::Diners => "diners",
            Self::UnionPay => "unionpay",
            Self::Carnet => "unknown",
        }
    }

    /// The dialect's name of the network where it is to be displayed, which for some is another.
    #[must_use]
    pub const fn displayed(self) -> &'static str {
        match self {
            Self::Amex => "american_express",
            Self::Diners => "diners_club",
            Self::UnionPay => "union_pay",
            Self::Carnet => "other",
            Self::Visa | Self::Mastercard | Self::Discover | Self::Jcb => self.as_str(),
        }
    }

    /// The name as people write it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Visa => "Visa",
            Self::Mastercard => "Mastercard",
            Self::Amex => "Amex",
            Self::Discover => "Discover",
            Self::Jcb => "JCB",
            Self::Diners => "Diners Club",
            Self::UnionPay => "UnionPay",
            Self::Carnet => "Carnet",
        }
    }
}

/// How a card is funded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Funding {
    /// Paid back later.
    Credit,
    /// Taken from an account at once.
    Debit,
    /// Paid in before.
    Prepaid,
}

impl Funding {
    /// The dialect's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Debit => "debit",
            Self::Prepaid => "prepaid",
        }
    }
}

/// What an issuer says of a detail it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It is right.
    Pass,
    /// It is wrong.
    Fail,
    /// The issuer does not look.
    Unavailable,
}

impl Check {
    /// The dialect's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unavailable => "unavailable",
        }
    }
}

/// What an issuer says of the details sent with a card. What was not sent is not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks {
    /// The security code.
    pub cvc: Check,
    /// The first line of the address.
    pub line1: Check,
    /// The postal code.
    pub postal: Check,
}

impl Checks {
    /// Everything is right.
    pub const PASS: Self = Self { cvc: Check::Pass, line1: Check::Pass, postal: Check::Pass };
}

/// How risky a charge looks before the issuer is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    /// Like most.
    Normal,
    /// Worth a look.
    Elevated,
    /// Most likely fraud.
    Highest,
}

impl Risk {
    /// The dialect's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Elevated => "elevated",
            Self::Highest => "highest",
        }
    }

    /// A score from 0 to 99 within the dialect's bounds of the level (elevated from 65, highest from 75).
    #[must_use]
    pub const fn score(self) -> u8 {
        match self {
            Self::Normal => 20,
            Self::Elevated => 70,
            Self::Highest => 90,
        }
    }
}
