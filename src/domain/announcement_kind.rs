//! The kinds of announcements: the event types of the dialect, with what each shows. Data only; what announces which of them
//! is decided in [`super::announcement`].

/// The object that an announcement shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownObject {
    /// The payment, as the dialect's resource of its kind.
    Payment,
    /// The charge of one of the payment's attempts.
    Charge,
    /// The refund that it is about.
    Refund,
    /// The dispute that it is about.
    Dispute,
    /// The early fraud warning that it is about.
    FraudWarning,
    /// The plain resource that changed.
    Resource,
}

/// Whether an announcement shows what those attributes of its object were before that changed: the dialect's
/// `previous_attributes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviousAttributes {
    /// They are left out.
    Omitted,
    /// They stand beside the object.
    Shown,
}

macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $dialect:literal, $object:ident, $previous:ident;)+) => {
        /// The kinds of announcements: the event types of the dialect.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AnnouncementKind {
            $($(#[$meta])* $name,)+
        }

        impl AnnouncementKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The number stored. Never changed.
            #[must_use]
            pub const fn to_code(self) -> i16 {
                match self { $(Self::$name => $code,)+ }
            }

            /// The dialect's `type`.
            #[must_use]
            pub const fn dialect(self) -> &'static str {
                match self { $(Self::$name => $dialect,)+ }
            }

            /// The object shown.
            #[must_use]
            pub const fn object(self) -> ShownObject {
                match self { $(Self::$name => ShownObject::$object,)+ }
            }

            /// Whether the previous attributes are shown as well.
            #[must_use]
            pub const fn previous_attributes(self) -> PreviousAttributes {
                match self { $(Self::$name => PreviousAttributes::$previous,)+ }
            }
        }
    };
}

// Each with the number stored, the dialect's type, the object shown, and whether its previous attributes are shown.
kinds! {
    /// A charge was created.
    IntentCreated = 1, "payment_intent.created", Payment, Omitted;
    /// The charge was accepted outside and settles later.
    IntentProcessing = 2, "payment_intent.processing", Payment, Omitted;
    /// The cardholder has to authenticate.
    IntentRequiresAction = 3, "payment_intent.requires_action", Payment, Omitted;
    /// The amount is held.
    IntentCapturable = 4, "payment_intent.amount_capturable_updated", Payment, Omitted;
    /// The money has arrived.
    IntentSucceeded = 5, "payment_intent.succeeded", Payment, Omitted;
    /// An attempt failed.
    IntentFailed = 6, "payment_intent.payment_failed", Payment, Omitted;
    /// The charge was canceled.
    IntentCanceled = 7, "payment_intent.canceled", Payment, Omitted;
    /// The issuer approved.
    ChargeSucceeded = 8, "charge.succeeded", Charge, Omitted;
    /// The issuer declined, or could not be asked.
    ChargeFailed = 9, "charge.failed", Charge, Omitted;
    /// The amount held was captured.
    ChargeCaptured = 10, "charge.captured", Charge, Shown;
    /// The authorization lapsed.
    ChargeExpired = 11, "charge.expired", Charge, Omitted;
    /// A refund began.
    ChargeRefunded = 12, "charge.refunded", Charge, Shown;
    /// A refund was created.
    RefundCreated = 13, "refund.created", Refund, Omitted;
    /// A refund changed.
    RefundUpdated = 14, "refund.updated", Refund, Shown;
    /// A refund could not be made.
    RefundFailed = 15, "refund.failed", Refund, Omitted;
    /// Adding money began.
    TopUpCreated = 16, "topup.created", Payment, Omitted;
    /// The added money has arrived.
    TopUpSucceeded = 17, "topup.succeeded", Payment, Omitted;
    /// The added money did not arrive.
    TopUpFailed = 18, "topup.failed", Payment, Omitted;
    /// Adding money was canceled.
    TopUpCanceled = 19, "topup.canceled", Payment, Omitted;
    /// A transfer was created.
    TransferCreated = 20, "transfer.created", Payment, Omitted;
    /// A payout was created.
    PayoutCreated = 21, "payout.created", Payment, Omitted;
    /// The bank accepted the payout.
    PayoutUpdated = 22, "payout.updated", Payment, Shown;
    /// The payout has arrived.
    PayoutPaid = 23, "payout.paid", Payment, Omitted;
    /// The payout came back.
    PayoutFailed = 24, "payout.failed", Payment, Omitted;
    /// The payout was canceled.
    PayoutCanceled = 25, "payout.canceled", Payment, Omitted;
    /// A customer was created.
    CustomerCreated = 26, "customer.created", Resource, Omitted;
    /// A customer changed.
    CustomerUpdated = 27, "customer.updated", Resource, Shown;
    /// A customer was deleted.
    CustomerDeleted = 28, "customer.deleted", Resource, Omitted;
    /// A test clock was created.
    ClockCreated = 29, "test_helpers.test_clock.created", Resource, Omitted;
    /// A test clock is being advanced.
    ClockAdvancing = 30, "test_helpers.test_clock.advancing", Resource, Omitted;
    /// A test clock has been advanced.
    ClockReady = 31, "test_helpers.test_clock.ready", Resource, Omitted;
    /// A test clock was deleted.
    ClockDeleted = 32, "test_helpers.test_clock.deleted", Resource, Omitted;
    /// A refund that had succeeded came back.
    ChargeRefundUpdated = 33, "charge.refund.updated", Refund, Shown;
    /// A charge was disputed.
    DisputeCreated = 34, "charge.dispute.created", Dispute, Omitted;
    /// A dispute changed.
    DisputeUpdated = 35, "charge.dispute.updated", Dispute, Shown;
    /// A dispute was decided.
    DisputeClosed = 36, "charge.dispute.closed", Dispute, Omitted;
    /// A dispute took money.
    DisputeFundsWithdrawn = 37, "charge.dispute.funds_withdrawn", Dispute, Omitted;
    /// The money of a dispute came back.
    DisputeFundsReinstated = 38, "charge.dispute.funds_reinstated", Dispute, Omitted;
    /// An issuer warned of fraud.
    FraudWarningCreated = 39, "radar.early_fraud_warning.created", FraudWarning, Omitted;
}

impl AnnouncementKind {
    /// The kind stored under this number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.to_code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_numbers_and_types_of_their_own() {
        for kind in AnnouncementKind::ALL {
            assert_eq!(AnnouncementKind::from_code(kind.to_code()), Some(*kind));
            let same_type = AnnouncementKind::ALL.iter().filter(|other| other.dialect() == kind.dialect());
            assert_eq!(same_type.count(), 1, "{}", kind.dialect());
        }
    }

    #[test]
    fn a_type_begins_with_its_object() {
        for kind in AnnouncementKind::ALL {
            let mut parts = kind.dialect().split('.');
            let object = match parts.next() {
                Some("charge") => match parts.next() {
                    Some("dispute") => ShownObject::Dispute,
                    Some("refund") => ShownObject::Refund,
                    _ => ShownObject::Charge,
                },
                Some("radar") => ShownObject::FraudWarning,
                Some("refund") => ShownObject::Refund,
                Some("customer" | "test_helpers") => ShownObject::Resource,
                _ => ShownObject::Payment,
            };
            assert_eq!(kind.object(), object, "{}", kind.dialect());
        }
    }

    #[test]
    fn the_documentation_lists_what_shows_previous_attributes() {
        let page = include_str!("../../docs/dialect.md").split_whitespace().collect::<Vec<_>>().join(" ");
        let shown = |kind: &&AnnouncementKind| kind.previous_attributes() == PreviousAttributes::Shown;
        let types: Vec<_> = AnnouncementKind::ALL.iter().filter(shown).map(|kind| kind.dialect()).collect();
        let listed = page.split("`previous_attributes` stand with ").nth(1).expect("the sentence");
        let listed = listed.split(". ").next().expect("its end");
        assert_eq!(listed.matches('`').count(), 2 * types.len(), "{listed}");
        for wanted in types {
            assert!(listed.contains(&format!("`{wanted}`")), "{wanted}");
        }
    }
}
