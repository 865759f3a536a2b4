//! The dialect's lists: cursors, limits and pages.

use serde::Serialize;

use crate::domain::card_numbers::shown;
use crate::domain::time::Timestamp;
use crate::intake::error::SHOWN_CHARS_MAX;
use crate::intake::{InputError, Params};

const LIMIT_DEFAULT: u32 = 10;
const LIMIT_MAX: i64 = 100;

/// One page of a list, as the dialect shows it.
#[derive(Debug, Serialize)]
pub struct List<T> {
    object: &'static str,
    data: Vec<T>,
    has_more: bool,
    url: &'static str,
}

impl<T> List<T> {
    /// `data` is already cut to the limit; see [`cut`].
    pub fn new(data: Vec<T>, has_more: bool, url: &'static str) -> Self {
        Self { object: "list", data, has_more, url }
    }
}

/// Reads `limit`, 1 to 100.
///
/// # Errors
/// Out of bounds.
pub fn limit(params: &mut Params<'_>) -> Result<u32, InputError> {
    match params.integer("limit")? {
        None => Ok(LIMIT_DEFAULT),
        Some(limit @ 1..=LIMIT_MAX) => Ok(u32::try_from(limit).unwrap_or(LIMIT_DEFAULT)),
        Some(_) => {
            let message = "Invalid limit: must be between 1 and 100.";
            Err(InputError::new("limit", "parameter_invalid_integer", message))
        }
    }
}

/// The parameter that asks for objects older than the one it names.
pub const STARTING_AFTER: &str = "starting_after";
/// The parameter that asks for objects newer than the one it names.
pub const ENDING_BEFORE: &str = "ending_before";

/// Reads `created`, a second or bounds: the inclusive start and the exclusive end.
///
/// # Errors
/// Not a whole number.
pub fn created(params: &mut Params<'_>) -> Result<(Option<Timestamp>, Option<Timestamp>), InputError> {
    let at = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    let next = |seconds: i64| at(seconds.saturating_add(1));
    let exact = params.integer("created")?;
    let lower = [params.integer("created[gte]")?.map(at), params.integer("created[gt]")?.map(next)];
    let upper = [params.integer("created[lte]")?.map(next), params.integer("created[lt]")?.map(at)];
    Ok((
        lower.into_iter().flatten().chain(exact.map(at)).max(),
        upper.into_iter().flatten().chain(exact.map(next)).min(),
    ))
}

/// Reads `starting_after` and `ending_before`.
///
/// # Errors
/// Both are given.
pub fn cursors(params: &mut Params<'_>) -> Result<(Option<String>, Option<String>), InputError> {
    let before = params.text(STARTING_AFTER)?.map(String::from);
    let after = params.text(ENDING_BEFORE)?.map(String::from);
    if before.is_some() && after.is_some() {
        let message = "You may only specify one of these parameters: starting_after, ending_before.";
        return Err(InputError::new(ENDING_BEFORE, "parameters_exclusive", message));
    }
    Ok((before, after))
}

/// The error for a cursor that names nothing in the list.
#[must_use]
pub fn unknown_cursor(param: &'static str, resource: &str, text: &str) -> InputError {
    let message = format!("No such {resource}: '{}'", shown(text, SHOWN_CHARS_MAX));
    InputError::new(param, "resource_missing", message)
}

/// Cuts what was found, newest first and up to one more than the limit, to a page; also says whether there are more.
/// Backwards, the page is the oldest of the newer objects, so the surplus one is in front.
pub fn cut<T>(mut found: Vec<T>, limit: u32, backwards: bool) -> (Vec<T>, bool) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > limit;
    if has_more && backwards {
        found.drain(..found.len() - limit);
    }
    found.truncate(limit);
    (found, has_more)
}
