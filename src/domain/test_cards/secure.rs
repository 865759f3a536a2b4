//! Cards for 3-D Secure.

use super::Behaviour::{Frictionless, ThreeDSecure, ThreeDSecureLookupError, ThreeDSecureOnRequest};
use super::SetUp;
use super::{TestCard, card};
use crate::domain::card_features::Brand::Visa;
use crate::domain::decline::DeclineReason;

/// In order of the challenge's outcome. The last four differ in a mobile app only.
pub(super) const CARDS: &[TestCard] = &[
    card(
        30,
        "4000002500003155",
        &["authenticationRequiredOnSetup"],
        Visa,
        "FR",
        ThreeDSecure { then: None, set_up: SetUp::Spares },
    ),
    card(
        31,
        "4000002760003184",
        &["authenticationRequired"],
        Visa,
        "DE",
        ThreeDSecure { then: None, set_up: SetUp::NoMatter },
    ),
    card(
        330,
        "4000003800000446",
        &["authenticationRequiredSetupForOffSession"],
        Visa,
        "IT",
        ThreeDSecure { then: None, set_up: SetUp::Done },
    ),
    card(
        32,
        "4000008260003178",
        &["authenticationRequiredChargeDeclinedInsufficientFunds"],
        Visa,
        "GB",
        ThreeDSecure { then: Some(DeclineReason::InsufficientFunds), set_up: SetUp::Spares },
    ),
    card(
        331,
        "4000000000003220",
        &["threeDSecure2Required", "threeDSecureRequired"],
        Visa,
        "IE",
        ThreeDSecure { then: None, set_up: SetUp::NoMatter },
    ),
    card(
        332,
        "4000008400000027",
        &["paystorm_threeDSecureRequired_us"],
        Visa,
        "US",
        ThreeDSecure { then: None, set_up: SetUp::NoMatter },
    ),
    card(
        33,
        "4000008400001629",
        &["threeDSecureRequiredChargeDeclined"],
        Visa,
        "US",
        ThreeDSecure { then: Some(DeclineReason::GenericDecline), set_up: SetUp::NoMatter },
    ),
    card(
        34,
        "4000008400001280",
        &["threeDSecureRequiredProcessingError"],
        Visa,
        "US",
        ThreeDSecureLookupError,
    ),
    card(
        333,
        "4000000000003055",
        &["threeDSecureOptional"],
        Visa,
        "US",
        ThreeDSecureOnRequest { breaks: false },
    ),
    card(
        334,
        "4000000000003097",
        &["threeDSecureOptionalProcessingError"],
        Visa,
        "US",
        ThreeDSecureOnRequest { breaks: true },
    ),
    card(335, "4000000032200000", &["paystorm_threeDSecureFrictionless"], Visa, "US", Frictionless),
    card(
        336,
        "4000582600000094",
        &["paystorm_challenge_outOfBand"],
        Visa,
        "GB",
        ThreeDSecure { then: None, set_up: SetUp::NoMatter },
    ),
    card(
        337,
        "4000582600000045",
        &["paystorm_challenge_passcode"],
        Visa,
        "GB",
        ThreeDSecure { then: None, set_up: SetUp::NoMatter },
    ),
    card(
        338,
        "4000582600000102",
        &["paystorm_challenge_singleSelect"],
        Visa,
        "GB",
        ThreeDSecure { then: None, set_up: SetUp::NoMatter },
    ),
    card(
        339,
        "4000582600000110",
        &["paystorm_challenge_multiSelect"],
        Visa,
        "GB",
        ThreeDSecure { then: None, set_up: SetUp::NoMatter },
    ),
];
