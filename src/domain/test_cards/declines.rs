//! Cards that the issuer declines.

use super::Behaviour::{AttachThenDecline, Decline, DeclineIfCvc};
use super::cvc_fails;
use super::{TestCard, card};
use crate::domain::card_features::Brand::Visa;
use crate::domain::card_features::Checks;
use crate::domain::card_features::Funding::Debit;
use crate::domain::decline::DeclineReason;

/// Those that decline at once, then those that attach to a customer and decline when charged.
pub(super) const CARDS: &[TestCard] = &[
    card(
        10,
        "4000000000000002",
        &["chargeDeclined", "visa_chargeDeclined", "visa_chargeDeclinedGenericDecline"],
        Visa,
        "US",
        Decline(DeclineReason::GenericDecline),
    ),
    card(
        11,
        "4000000000009995",
        &["chargeDeclinedInsufficientFunds", "visa_chargeDeclinedInsufficientFunds"],
        Visa,
        "US",
        Decline(DeclineReason::InsufficientFunds),
    ),
    TestCard {
        funding: Debit,
        ..card(
            300,
            "",
            &["visa_debit_chargeDeclinedInsufficientFunds"],
            Visa,
            "US",
            Decline(DeclineReason::InsufficientFunds),
        )
    },
    card(
        12,
        "4000000000009987",
        &["chargeDeclinedLostCard", "visa_chargeDeclinedLostCard"],
        Visa,
        "US",
        Decline(DeclineReason::LostCard),
    ),
    card(
        13,
        "4000000000009979",
        &["chargeDeclinedStolenCard", "visa_chargeDeclinedStolenCard"],
        Visa,
        "US",
        Decline(DeclineReason::StolenCard),
    ),
    card(
        14,
        "4000000000006975",
        &["chargeDeclinedVelocityLimitExceeded", "visa_chargeDeclinedVelocityLimitExceeded"],
        Visa,
        "US",
        Decline(DeclineReason::CardVelocityExceeded),
    ),
    card(
        15,
        "4000000000000069",
        &["chargeDeclinedExpiredCard", "visa_chargeDeclinedExpiredCard"],
        Visa,
        "US",
        Decline(DeclineReason::ExpiredCard),
    ),
    TestCard {
        checks: cvc_fails(Checks::PASS),
        ..card(
            16,
            "4000000000000127",
            &["chargeDeclinedIncorrectCvc", "visa_chargeDeclinedIncorrectCvc"],
            Visa,
            "US",
            DeclineIfCvc,
        )
    },
    card(
        17,
        "4000000000000119",
        &["chargeDeclinedProcessingError", "visa_chargeDeclinedProcessingError"],
        Visa,
        "US",
        Decline(DeclineReason::ProcessingError),
    ),
    card(
        18,
        "4000000000000341",
        &["chargeCustomerFail", "visa_chargeCustomerFail"],
        Visa,
        "US",
        AttachThenDecline(DeclineReason::GenericDecline),
    ),
    card(
        301,
        "",
        &["visa_chargeCustomerFailLostCard"],
        Visa,
        "US",
        AttachThenDecline(DeclineReason::LostCard),
    ),
    card(
        302,
        "",
        &["visa_chargeCustomerFailStolenCard"],
        Visa,
        "US",
        AttachThenDecline(DeclineReason::StolenCard),
    ),
];
