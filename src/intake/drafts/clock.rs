//! Reads test clocks from parameters.

use crate::domain::clock::{LATEST, Rate, SPEED_MAX};
use crate::domain::time::Timestamp;
use crate::intake::error::InputError;
use crate::intake::params::Params;

/// The most characters of a clock's name.
pub const CLOCK_NAME_CHARS_MAX: usize = 300;

/// Reads `frozen_time`, required, in seconds since 1970.
///
/// # Errors
/// Missing, not a number, or out of bounds.
pub fn frozen_time(params: &mut Params<'_>) -> Result<Timestamp, InputError> {
    let seconds = params.integer("frozen_time")?.ok_or_else(|| InputError::missing("frozen_time"))?;
    if !(0..=LATEST.seconds()).contains(&seconds) {
        let message =
            format!("Invalid frozen_time: must be in seconds from 0 (1970) to {} (2200).", LATEST.seconds());
        return Err(InputError::new("frozen_time", "parameter_invalid_integer", message));
    }
    Ok(Timestamp::from_micros(seconds.saturating_mul(1_000_000)))
}

/// Reads `name`.
///
/// # Errors
/// Too long, or not text.
pub fn clock_name(params: &mut Params<'_>) -> Result<Option<String>, InputError> {
    Ok(params.text_up_to("name", CLOCK_NAME_CHARS_MAX)?.map(String::from))
}

/// Reads `speed`, required; 0 stands still.
///
/// # Errors
/// Missing, not a number, or out of bounds.
pub fn speed(params: &mut Params<'_>) -> Result<Rate, InputError> {
    let speed = params.integer("speed")?.ok_or_else(|| InputError::missing("speed"))?;
    u32::try_from(speed).ok().and_then(Rate::of_speed).ok_or_else(|| {
        let message = format!("Invalid speed: must be from 0, which stands still, to {SPEED_MAX}.");
        InputError::new("speed", "parameter_invalid_integer", message)
    })
}
