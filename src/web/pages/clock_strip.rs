//! A test clock as pages show it: as a strip above everything that runs on it, and as a line of the list of clocks.

use super::format;
use crate::domain::clock::{Clock, ClockStatus, Rate};
use crate::domain::ids::ClockId;
use crate::domain::resource::Body;
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::web::state::WebState;

/// A test clock at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockStrip {
    /// The clock's id.
    pub id: String,
    /// Its name, else its short id.
    pub label: String,
    /// The time it shows, to the second in UTC.
    pub shows: String,
    /// The same in milliseconds since the epoch.
    pub shows_ms: i64,
    /// How many times as fast as real time it runs now; zero also while it is being advanced.
    pub speed: u32,
    /// Whether it is being advanced, so that the page refreshes itself.
    pub advances: bool,
    /// Whether it is frozen, running or advancing, in words.
    pub state: String,
}

impl ClockStrip {
    /// The clock of this id when the wall clock shows `wall`.
    #[must_use]
    pub fn of(id: &str, clock: &Clock, wall: Timestamp) -> Self {
        let state = match (clock.status(), clock.rate()) {
            (ClockStatus::Advancing { target, .. }, _) => {
                format!("Advancing to {}", format::to_the_second(target))
            }
            (ClockStatus::Ready, Rate::Frozen) => "Frozen".to_owned(),
            (ClockStatus::Ready, Rate::Times(1)) => "Running in real time".to_owned(),
            (ClockStatus::Ready, Rate::Times(speed)) => {
                format!("Running at {}× real time", format::grouped(speed.into()))
            }
        };
        let shows = clock.at(wall);
        Self {
            label: clock.name.clone().unwrap_or_else(|| format::short_id(id)),
            id: id.to_owned(),
            shows: format::to_the_second(shows),
            shows_ms: shows.millis(),
            speed: clock.segment().rate.speed(),
            advances: matches!(clock.status(), ClockStatus::Advancing { .. }),
            state,
        }
    }
}

/// A test clock's strip and the time it shows; `None` for the wall clock and for a deleted clock.
///
/// # Errors
/// The store's.
pub async fn strip(state: &WebState, clock: ClockId) -> Result<Option<(ClockStrip, Timestamp)>, StoreError> {
    if clock.is_wall() {
        return Ok(None);
    }
    let found = state.store.resource_get(clock.into()).await?;
    let wall = state.wall.now();
    let shown = found.as_ref().and_then(|resource| resource.body.as_ref()).and_then(Body::clock);
    Ok(shown.map(|shown| (ClockStrip::of(&clock.to_string(), shown, wall), shown.at(wall))))
}
