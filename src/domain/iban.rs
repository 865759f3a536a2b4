//! International bank account numbers (ISO 13616), recognised by their country's length and their check digits. Used only so
//! that they are not mistaken for card numbers in text.

/// Countries with the length of their numbers, from the standard's registry.
const COUNTRIES: &str = "\
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 \
    FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 \
    LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 \
    RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 ";
/// Bytes of an entry of [`COUNTRIES`].
const ENTRY: usize = 5;

/// The length in bytes of the IBAN with which the text begins, in one word or in groups with single spaces; 0 if it begins with
/// none.
#[must_use]
pub fn length(text: &[u8]) -> usize {
    let Some((country, rest)) = text.split_first_chunk::<2>() else { return 0 };
    if !rest.first_chunk::<2>().is_some_and(|check| check.iter().all(u8::is_ascii_digit)) {
        return 0;
    }
    let Some(length) = length_in(&country.to_ascii_uppercase()) else { return 0 };
    let (mut number, mut at) = (Vec::with_capacity(length), 0);
    while number.len() < length {
        match text.get(at) {
            Some(byte) if byte.is_ascii_alphanumeric() => number.push(byte.to_ascii_uppercase()),
            // A single space between groups, none before the check digits.
            Some(b' ') if number.len() >= 4 && text.get(at - 1) != Some(&b' ') => {}
            Some(_) | None => return 0,
        }
        at += 1;
    }
    let ends = text.get(at).is_none_or(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric());
    if ends && is_right(&number) { at } else { 0 }
}

/// The length of a country's numbers.
fn length_in(country: &[u8]) -> Option<usize> {
    let mut entries = COUNTRIES.as_bytes().chunks_exact(ENTRY);
    let digits = entries.find_map(|entry| entry.strip_prefix(country))?;
    std::str::from_utf8(digits).ok()?.trim_end().parse().ok()
}

/// Whether the check digits are right: with the first four characters moved to the end, and letters as two digits, the number
/// leaves 1 when divided by 97.
fn is_right(number: &[u8]) -> bool {
    let Some((head, rest)) = number.split_at_checked(4) else { return false };
    let left = rest.iter().chain(head).fold(0_u32, |left, byte| match byte {
        b'0'..=b'9' => (left * 10 + u32::from(byte - b'0')) % 97,
        _ => (left * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97,
    });
    left == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ibans_are_recognised_and_nothing_else_is() {
        assert_eq!(COUNTRIES.len() % ENTRY, 0);
        assert!(
            COUNTRIES.split_whitespace().is_sorted()
                && COUNTRIES.split_whitespace().all(|entry| entry.len() == 4)
        );
        // The registry's own examples.
        for text in [
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "GB29 NWBK 6016 1331 9268 19",
            "gb29nwbk60161331926819",
            "NO9386011117947",
            "BE68 5390 0754 7034",
            "FR14 2004 1010 0505 0001 3M02 606",
            "MT84 MALT 0110 0001 2345 MTLC AST0 01S",
        ] {
            assert_eq!(length(text.as_bytes()), text.len(), "{text}");
            assert_eq!(length(format!("{text}, thanks").as_bytes()), text.len(), "{text}");
            assert_eq!(length(format!("{text} 12").as_bytes()), text.len(), "{text}");
        }
        for text in [
            "",
            "DE",
            "DE88370400440532013000",
            "DE893704004405320130001",
            "DE8937040044053201300",
            "DE89  3704 0044 0532 0130 00",
            "XX89370400440532013000",
            "NO4242424242424242",
        ] {
            assert_eq!(length(text.as_bytes()), 0, "{text}");
        }
    }
}
