//! Cards that succeed with a later consequence, and cards on which the acquirer fails technically.

use super::Behaviour::{SucceedThen, TechnicalErrors};
use super::{Consequence, TestCard, card};
use crate::domain::card_features::Brand::{Mastercard, Visa};

/// Disputes, refunds, funds; then Paystorm's own.
pub(super) const CARDS: &[TestCard] = &[
    card(40, "4000000000000259", &["createDispute"], Visa, "US", SucceedThen(Consequence::DisputeFraudulent)),
    card(
        41,
        "4000000000002685",
        &["createDisputeProductNotReceived"],
        Visa,
        "US",
        SucceedThen(Consequence::DisputeNotReceived),
    ),
    card(42, "4000000000001976", &["createDisputeInquiry"], Visa, "US", SucceedThen(Consequence::Inquiry)),
    card(
        43,
        "4000000000005423",
        &["createIssuerFraudRecord"],
        Visa,
        "US",
        SucceedThen(Consequence::FraudWarning),
    ),
    card(
        350,
        "4000000404000079",
        &["createMultipleDisputes"],
        Visa,
        "US",
        SucceedThen(Consequence::MultipleDisputes),
    ),
    card(
        351,
        "4000000404000038",
        &["createCe3EligibleDispute"],
        Visa,
        "US",
        SucceedThen(Consequence::CompellingEvidenceDispute),
    ),
    card(
        352,
        "4000008400000779",
        &["createComplianceDispute"],
        Visa,
        "US",
        SucceedThen(Consequence::ComplianceDispute),
    ),
    card(
        353,
        "5105008400000002",
        &["createMastercardComplianceDispute"],
        Mastercard,
        "US",
        SucceedThen(Consequence::ComplianceDispute),
    ),
    card(
        354,
        "4000000001000043",
        &["createAutoRepresentmentEligibleDispute"],
        Visa,
        "US",
        SucceedThen(Consequence::SmartDispute),
    ),
    card(
        355,
        "4000000404004816",
        &["createRapidDisputeResolutionDispute"],
        Visa,
        "US",
        SucceedThen(Consequence::DisputePrevented),
    ),
    card(
        356,
        "4000000404005649",
        &["createCe3BlockDispute"],
        Visa,
        "US",
        SucceedThen(Consequence::DisputePrevented),
    ),
    card(
        357,
        "5105000300000018",
        &["createEthocaAlert"],
        Mastercard,
        "US",
        SucceedThen(Consequence::DisputePrevented),
    ),
    card(44, "4000000000007726", &["pendingRefund"], Visa, "US", SucceedThen(Consequence::RefundPending)),
    card(45, "4000000000005126", &["refundFail"], Visa, "US", SucceedThen(Consequence::RefundFails)),
    card(46, "4000000000000077", &["bypassPending"], Visa, "US", SucceedThen(Consequence::InstantFunds)),
    card(
        358,
        "4000003720000278",
        &["bypassPendingInternational"],
        Visa,
        "IE",
        SucceedThen(Consequence::InstantFunds),
    ),
    card(60, "", &["paystorm_technicalErrorTwice"], Visa, "US", TechnicalErrors(2)),
    card(61, "", &["paystorm_technicalError"], Visa, "US", TechnicalErrors(u16::MAX)),
];
