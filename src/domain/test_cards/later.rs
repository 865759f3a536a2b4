//! Cards that succeed with a later consequence, and cards on which the acquirer fails technically.

use super::Behaviour::{SucceedThen, TechnicalErrors};
use super::FollowUp;
use super::{TestCard, card};
use crate::domain::card_features::Brand::{Mastercard, Visa};

/// Disputes, refunds, funds; then Paystorm's own.
pub(super) const CARDS: &[TestCard] = &[
    card(40, "4000000000000259", &["createDispute"], Visa, "US", SucceedThen(FollowUp::DisputeFraudulent)),
    card(
        41,
        "4000000000002685",
        &["createDisputeProductNotReceived"],
        Visa,
        "US",
        SucceedThen(FollowUp::DisputeNotReceived),
    ),
    card(42, "4000000000001976", &["createDisputeInquiry"], Visa, "US", SucceedThen(FollowUp::Inquiry)),
    card(
        43,
        "4000000000005423",
        &["createIssuerFraudRecord"],
        Visa,
        "US",
        SucceedThen(FollowUp::FraudWarning),
    ),
    card(
        350,
        "4000000404000079",
        &["createMultipleDisputes"],
        Visa,
        "US",
        SucceedThen(FollowUp::MultipleDisputes),
    ),
    card(
        351,
        "4000000404000038",
        &["createCe3EligibleDispute"],
        Visa,
        "US",
        SucceedThen(FollowUp::CompellingEvidenceDispute),
    ),
    card(
        352,
        "4000008400000779",
        &["createComplianceDispute"],
        Visa,
        "US",
        SucceedThen(FollowUp::ComplianceDispute),
    ),
    card(
        353,
        "5105008400000002",
        &["createMastercardComplianceDispute"],
        Mastercard,
        "US",
        SucceedThen(FollowUp::ComplianceDispute),
    ),
    card(
        354,
        "4000000001000043",
        &["createAutoRepresentmentEligibleDispute"],
        Visa,
        "US",
        SucceedThen(FollowUp::SmartDispute),
    ),
    card(
        355,
        "4000000404004816",
        &["createRapidDisputeResolutionDispute"],
        Visa,
        "US",
        SucceedThen(FollowUp::DisputePrevented),
    ),
    card(
        356,
        "4000000404005649",
        &["createCe3BlockDispute"],
        Visa,
        "US",
        SucceedThen(FollowUp::DisputePrevented),
    ),
    card(
        357,
        "5105000300000018",
        &["createEthocaAlert"],
        Mastercard,
        "US",
        SucceedThen(FollowUp::DisputePrevented),
    ),
    card(44, "4000000000007726", &["pendingRefund"], Visa, "US", SucceedThen(FollowUp::RefundPending)),
    card(45, "4000000000005126", &["refundFail"], Visa, "US", SucceedThen(FollowUp::RefundFails)),
    card(46, "4000000000000077", &["bypassPending"], Visa, "US", SucceedThen(FollowUp::InstantFunds)),
    card(
        358,
        "4000003720000278",
        &["bypassPendingInternational"],
        Visa,
        "IE",
        SucceedThen(FollowUp::InstantFunds),
    ),
    card(60, "", &["paystorm_technicalErrorTwice"], Visa, "US", TechnicalErrors(2)),
    card(61, "", &["paystorm_technicalError"], Visa, "US", TechnicalErrors(u16::MAX)),
];
