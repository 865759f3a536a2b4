//! Sources of events: each stands where its account's history has what came of it. Which request it was is kept nowhere else.

use super::named::payments_named;
use super::report::{Name, Report};
use super::statement::Scope;
use crate::domain::payment::Payment;
use crate::store::{EventSource, Snapshot, StoreError};

/// Sources read at once; their payments are looked up together.
const SOURCES: u32 = 1_000;

/// Goes through all of them.
///
/// # Errors
/// If the store cannot be read.
pub async fn check(
    snapshot: &mut dyn Snapshot,
    scope: Scope<'_>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = snapshot.sources(after, SOURCES).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.place());
        let payments = page.iter().filter_map(|source| source.subject.payment());
        let payments = payments_named(snapshot, payments).await?;
        for source in &page {
            let stored = source.subject.payment().and_then(|id| payments.get(&id));
            // A history that is not legal is named elsewhere.
            let sound = stored
                .is_some_and(|stored| stored.folded.as_ref().map_or(true, |payment| began(payment, source)));
            if !sound || !scope.people.is_full(source.owner) {
                let text = format!(
                    "{} of {}, version {}: nothing that a request asked for began then",
                    source.subject, source.owner, source.version
                );
                report.violation(Name::WrongEvent, text);
            }
        }
    }
}

/// Whether a payment has what a source says.
fn began(payment: &Payment, source: &EventSource) -> bool {
    let place = source.version.checked_sub(1).and_then(|place| usize::try_from(place).ok());
    let first = place.and_then(|place| payment.history().get(place));
    payment.owner() == source.owner
        && first.is_some_and(|first| (first.at, first.wall) == (source.at, source.wall))
}
