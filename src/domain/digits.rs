//! Decimal digits of any script (Unicode category Nd): people write numbers in their own script.

/// The zero of each script, followed by its other nine digits (Unicode 14 and earlier).
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50,
    0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
    0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066,
    0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950,
    0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
    0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

/// The value of a digit, whatever its script.
#[must_use]
pub fn digit(c: char) -> Option<u8> {
    if c.is_ascii() {
        return u8::try_from(c).ok().filter(u8::is_ascii_digit).map(|byte| byte - b'0');
    }
    let code = u32::from(c);
    let before = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?;
    let value = code - ZEROS.get(before)?;
    u8::try_from(value).ok().filter(|value| *value < 10)
}

/// How many digits a text has.
#[must_use]
pub fn count(text: &str) -> usize {
    text.chars().filter(|c| digit(*c).is_some()).count()
}

/// The length of the longest run of digits, which only letters interrupt.
#[must_use]
pub fn longest_run(text: &str) -> usize {
    let (mut run, mut longest) = (0, 0);
    for c in text.chars() {
        if digit(c).is_some() {
            run += 1;
            longest = run.max(longest);
        } else if c.is_alphabetic() {
            run = 0;
        }
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_any_script_are_read() {
        assert!(ZEROS.is_sorted());
        for (text, value) in [("7", 7), ("７", 7), ("٧", 7), ("७", 7), ("𝟟", 7), ("0", 0), ("９", 9)]
        {
            assert_eq!(text.chars().map(digit).collect::<Vec<_>>(), [Some(value)], "{text}");
        }
        for c in ['a', '/', ':', '½', '²', '一', 'Ⅷ', '\u{0}', '\u{10ffff}'] {
            assert_eq!(digit(c), None, "{c:?}");
        }
        assert_eq!(count("a1b２c٣"), 3);
    }

    #[test]
    fn letters_alone_end_a_run_of_digits() {
        for (text, run) in [
            ("", 0),
            ("abc", 0),
            ("12 34-56", 6),
            ("12a345", 3),
            ("1２_٣", 3),
            ("677a3112-fbad-4804-ba61", 4),
        ] {
            assert_eq!(longest_run(text), run, "{text}");
        }
    }
}
