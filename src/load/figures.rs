//! Figures as people read them.

/// A count with its thousands apart.
#[must_use]
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with three digits that say something, without decimals if it is whole, and with its thousands apart.
#[must_use]
pub fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 99.95 || number.fract() == 0.0 => {
            let sign = if number < 0.0 { "-" } else { "" };
            format!("{sign}{}", thousands(super::numbers::whole(size.round())))
        }
        size if size >= 9.995 => format!("{number:.1}"),
        size if size >= 0.01 => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    }
}

/// A rate.
#[must_use]
pub fn per_s(rate: f64) -> String {
    format!("{}/s", short(rate))
}

/// A latency given in milliseconds.
#[must_use]
pub fn ms(ms: f64) -> String {
    if ms >= 10_000.0 { format!("{} s", short(ms / 1_000.0)) } else { format!("{} ms", short(ms)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        let numbers = [0.0, 0.004, 0.5, 5.0, 9.99, 99.94, 99.96, 1_234.6, -250.0];
        assert_eq!(numbers.map(short), ["0", "0.0040", "0.50", "5", "9.99", "99.9", "100", "1,235", "-250"]);
        assert_eq!(
            (per_s(2_000.0), ms(12.34), ms(12_340.0)),
            ("2,000/s".into(), "12.3 ms".into(), "12.3 s".into())
        );
    }
}
