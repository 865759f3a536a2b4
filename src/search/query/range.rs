//! Ranges: comparisons of numbers and times.

use std::ops::Range;

use super::filter::{Filter, NumberField};
use super::syntax::Operator;

/// Compares with a value that stands for a half-open range: "above" starts behind it, "at most" ends with it.
pub(super) fn range(field: NumberField, operator: Operator, value: Range<i64>) -> Filter {
    let (from, until) = match operator {
        Operator::Above => (Some(value.end), None),
        Operator::AtLeast => (Some(value.start), None),
        Operator::Below => (None, Some(value.start)),
        Operator::AtMost => (None, Some(value.end)),
        Operator::Is | Operator::Contains => (Some(value.start), Some(value.end)),
    };
    Filter::Range { field, from, until }
}
