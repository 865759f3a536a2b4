//! Choices by weight, as `eur=8,usd=2` writes them.

/// Choices of one list.
const CHOICES_MAX: usize = 200;
const WEIGHT_MAX: u32 = 1_000_000;

/// Choices, each with its weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighted<T> {
    /// The sum of all weights; at least 1.
    total: u64,
    /// Each with the sum of the weights up to it.
    choices: Vec<(u64, T)>,
}

/// No choice at all.
impl<T> Default for Weighted<T> {
    fn default() -> Self {
        Self { total: 1, choices: Vec::new() }
    }
}

impl<T: Copy> Weighted<T> {
    /// Nothing but this.
    #[must_use]
    pub fn only(one: T) -> Self {
        Self { total: 1, choices: vec![(1, one)] }
    }

    /// Reads choices with their weights; `name` reads a choice. A choice without a weight has 1.
    ///
    /// # Errors
    /// In words, which name the choice at fault.
    pub fn parse(text: &str, name: impl Fn(&str) -> Result<T, String>) -> Result<Self, String> {
        let (mut total, mut choices) = (0_u64, Vec::new());
        for part in text.split(',') {
            let (choice, weight) = part.split_once('=').unwrap_or((part, "1"));
            let (choice, weight) = (choice.trim(), weight.trim());
            let weight: u32 =
                weight.parse().ok().filter(|weight| *weight <= WEIGHT_MAX).ok_or_else(|| {
                    format!(
                        "the weight of '{choice}' is a whole number up to {WEIGHT_MAX}; it says '{weight}'"
                    )
                })?;
            let choice = name(choice)?;
            if weight > 0 {
                total += u64::from(weight);
                choices.push((total, choice));
            }
        }
        match choices.len() {
            0 => Err("every weight is 0".to_owned()),
            1..=CHOICES_MAX => Ok(Self { total, choices }),
            _ => Err(format!("more than {CHOICES_MAX} choices")),
        }
    }

    /// The choice that a random number stands for; `None` only if there are none.
    #[must_use]
    pub fn pick(&self, bits: u64) -> Option<T> {
        let drawn = bits % self.total;
        let at = self.choices.partition_point(|(until, _)| *until <= drawn);
        self.choices.get(at).map(|(_, choice)| *choice)
    }

    /// All choices.
    pub fn choices(&self) -> impl Iterator<Item = T> {
        self.choices.iter().map(|(_, choice)| *choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::numbers::mixed;

    fn parsed(text: &str) -> Result<Weighted<char>, String> {
        Weighted::parse(text, |name| name.parse().map_err(|_| format!("'{name}' is no letter")))
    }

    #[test]
    fn choices_come_as_often_as_they_weigh() {
        let weighted = parsed("a=70, b=20,c=0,d=10").unwrap();
        assert_eq!(weighted.choices().collect::<String>(), "abd");
        let drawn: Vec<char> = (0..100_000).filter_map(|n| weighted.pick(mixed(1, n, 0))).collect();
        for (choice, expected) in [('a', 70_000), ('b', 20_000), ('c', 0), ('d', 10_000)] {
            let count = drawn.iter().filter(|one| **one == choice).count();
            assert!(count.abs_diff(expected) < 750, "{choice}: {count}");
        }
        assert_eq!(parsed("a").unwrap(), Weighted::only('a'));
    }

    #[test]
    fn what_is_wrong_with_a_list_is_said() {
        for (text, said) in [
            ("", "'' is no letter"),
            ("ab=1", "'ab' is no letter"),
            ("a=many", "the weight of 'a' is a whole number up to 1000000; it says 'many'"),
            ("a=-1", "the weight of 'a'"),
            ("a=1000001", "the weight of 'a'"),
            ("a=0,b=0", "every weight is 0"),
            (&["a"; 201].join(","), "more than 200 choices"),
        ] {
            let error = parsed(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
