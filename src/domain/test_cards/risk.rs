//! Cards with a level of risk, and cards whose checks fail. Paystorm adds no rules of its own: what the dialect blocks by
//! default is blocked, everything else succeeds and shows its level and checks.

use super::Behaviour::{Blocked, Succeed};
use super::cvc_fails;
use super::{TestCard, card};
use crate::domain::card_features::Brand::Visa;
use crate::domain::card_features::{Check, Checks, Risk};

const ZIP_FAILS: Checks = Checks { postal: Check::Fail, ..Checks::PASS };

/// Risk first, then checks, then those that show a captcha.
pub(super) const CARDS: &[TestCard] = &[
    TestCard {
        risk: Risk::Highest,
        ..card(
            19,
            "4100000000000019",
            &["chargeDeclinedFraudulent", "visa_chargeDeclinedFraudulent", "radarBlock"],
            Visa,
            "US",
            Blocked,
        )
    },
    TestCard {
        risk: Risk::Highest,
        ..card(310, "4000000000004954", &["riskLevelHighest"], Visa, "US", Blocked)
    },
    TestCard {
        risk: Risk::Elevated,
        ..card(311, "4000000000009235", &["riskLevelElevated"], Visa, "US", Succeed)
    },
    card(312, "4000008400000407", &["highFraudDisputeScore"], Visa, "US", Succeed),
    card(313, "4000008400000159", &["highEfwScore"], Visa, "US", Succeed),
    card(314, "4000008400001017", &["radarDynamicRiskThreshold"], Visa, "US", Succeed),
    card(315, "4000008405600003", &["adaptive3dsChallenge"], Visa, "US", Succeed),
    TestCard {
        checks: cvc_fails(Checks::PASS),
        ..card(316, "4000000000000101", &["cvcCheckFail"], Visa, "US", Succeed)
    },
    TestCard { checks: ZIP_FAILS, ..card(317, "4000000000000036", &["avsZipFail"], Visa, "US", Succeed) },
    TestCard {
        risk: Risk::Elevated,
        checks: cvc_fails(Checks::PASS),
        ..card(318, "4000058400307872", &["cvcCheckFailElevatedRisk"], Visa, "US", Succeed)
    },
    TestCard {
        risk: Risk::Elevated,
        checks: ZIP_FAILS,
        ..card(319, "4000058400306072", &["avsZipFailElevatedRisk"], Visa, "US", Succeed)
    },
    TestCard {
        checks: Checks { line1: Check::Fail, ..Checks::PASS },
        ..card(320, "4000000000000028", &["avsLine1Fail"], Visa, "US", Succeed)
    },
    TestCard {
        checks: Checks { line1: Check::Fail, ..ZIP_FAILS },
        ..card(321, "4000000000000010", &["avsFail"], Visa, "US", Succeed)
    },
    TestCard {
        checks: Checks { line1: Check::Unavailable, postal: Check::Unavailable, ..Checks::PASS },
        ..card(322, "4000000000000044", &["avsUnchecked"], Visa, "US", Succeed)
    },
    card(323, "4000000000001208", &["paystorm_captcha"], Visa, "US", Succeed),
    card(324, "4000000000003725", &["paystorm_captcha_second"], Visa, "US", Succeed),
];
