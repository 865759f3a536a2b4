//! Cards that succeed, by network, including co-branded cards, health accounts and cards for terminals.

use super::Behaviour::Succeed;
use super::{TestCard, card};
use crate::domain::card_features::Brand::{Amex, Diners, Discover, Jcb, Mastercard, UnionPay, Visa};
use crate::domain::card_features::Funding::{Debit, Prepaid};

/// One of each kind. The dialect's in-person cards are ordinary cards here.
pub(super) const CARDS: &[TestCard] = &[
    card(1, "4242424242424242", &["visa", "us"], Visa, "US", Succeed),
    TestCard { funding: Debit, ..card(2, "4000056655665556", &["visa_debit"], Visa, "US", Succeed) },
    card(3, "5555555555554444", &["mastercard"], Mastercard, "US", Succeed),
    card(100, "2223003122003222", &["paystorm_mastercard_2series"], Mastercard, "US", Succeed),
    TestCard {
        funding: Debit,
        ..card(101, "5200828282828210", &["mastercard_debit"], Mastercard, "US", Succeed)
    },
    TestCard {
        funding: Prepaid,
        ..card(102, "5105105105105100", &["mastercard_prepaid"], Mastercard, "US", Succeed)
    },
    card(4, "378282246310005", &["amex", "amex_threeDSecureNotSupported"], Amex, "US", Succeed),
    card(103, "371449635398431", &["paystorm_amex_second"], Amex, "US", Succeed),
    card(5, "6011111111111117", &["discover"], Discover, "US", Succeed),
    card(104, "6011000990139424", &["paystorm_discover_second"], Discover, "US", Succeed),
    TestCard {
        funding: Debit,
        ..card(105, "6011981111111113", &["paystorm_discover_debit"], Discover, "US", Succeed)
    },
    card(106, "3056930009020004", &["diners"], Diners, "US", Succeed),
    card(107, "36227206271667", &["paystorm_diners_14"], Diners, "US", Succeed),
    card(108, "6555900000604105", &["paystorm_bccard"], Discover, "KR", Succeed),
    card(6, "3566002020360505", &["jcb"], Jcb, "JP", Succeed),
    card(109, "6200000000000005", &["unionpay"], UnionPay, "CN", Succeed),
    TestCard {
        funding: Debit,
        ..card(110, "6200000000000047", &["paystorm_unionpay_debit"], UnionPay, "CN", Succeed)
    },
    card(111, "6205500000000000004", &["paystorm_unionpay_19"], UnionPay, "CN", Succeed),
    TestCard {
        co_brand: Some("cartes_bancaires"),
        ..card(112, "4000002500001001", &["visa_cartesBancaires"], Visa, "FR", Succeed)
    },
    TestCard {
        co_brand: Some("cartes_bancaires"),
        ..card(113, "5555552500001001", &["mastercard_cartesBancaires"], Mastercard, "FR", Succeed)
    },
    TestCard {
        funding: Debit,
        co_brand: Some("eftpos_au"),
        ..card(114, "4000050360000001", &["visa_debit_eftposAuCoBranded"], Visa, "AU", Succeed)
    },
    TestCard {
        funding: Debit,
        co_brand: Some("eftpos_au"),
        ..card(115, "5555050360000080", &["mastercard_debit_eftposAuCoBranded"], Mastercard, "AU", Succeed)
    },
    TestCard {
        funding: Debit,
        ..card(
            116,
            "4000051230000072",
            &["debit_visaFsaProductCode", "debit_visaHsaProductCode"],
            Visa,
            "US",
            Succeed,
        )
    },
    TestCard {
        funding: Debit,
        ..card(
            117,
            "5200828282828897",
            &["mastercard_debit_mastercardFsaProductCode"],
            Mastercard,
            "US",
            Succeed,
        )
    },
    card(370, "4001007020000002", &["paystorm_offlinePin"], Visa, "SG", Succeed),
    card(371, "4000008260000075", &["paystorm_offlinePinRetry"], Visa, "GB", Succeed),
    card(372, "4001000360000005", &["paystorm_onlinePin"], Visa, "AU", Succeed),
    card(373, "4000002760000008", &["paystorm_onlinePinRetry"], Visa, "DE", Succeed),
];
