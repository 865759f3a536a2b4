//! Checks sources of events: each has the time and version of a change in its payment's history, or of the event of the resource
//! that it shows. Which request it was is stored nowhere else.

use super::events::{Kept, fingerprint};
use super::named::payments_named;
use super::report::{Name, Report};
use super::resources::Known;
use super::statement::Scope;
use crate::domain::announcement::{Announcement, AnnouncementId, of_change};
use crate::domain::payment::Payment;
use crate::domain::resource::States;
use crate::store::{EventSource, Snapshot, StoreError};

/// Sources read at once: each may hold a resource twice. What they are about is looked up together.
const SOURCES: u32 = 100;

/// Checks all of them, after the events.
///
/// # Errors
/// If the store cannot be read.
pub async fn check(
    snapshot: &mut dyn Snapshot,
    kept: &Kept,
    scope: Scope<'_>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = snapshot.sources(after, SOURCES).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.place());
        let payments = page.iter().filter_map(|source| source.subject.payment());
        let payments = payments_named(snapshot, payments).await?;
        let resources = page.iter().map(|source| source.subject);
        let resources: Vec<_> = resources.filter(|subject| subject.kind().is_resource()).collect();
        let found = if resources.is_empty() { Vec::new() } else { snapshot.resources_of(&resources).await? };
        let resources: Known = found.into_iter().map(|row| (row.resource.subject, row)).collect();
        for source in &page {
            let sound = match (source.subject.payment(), &source.states) {
                // A history that is not legal is reported elsewhere.
                (Some(id), None) => payments
                    .get(&id)
                    .is_some_and(|stored| stored.folded.as_ref().map_or(true, |it| began(it, source))),
                (None, Some(states)) => changed(source, states, (&resources, kept), report),
                (Some(_), Some(_)) | (None, None) => false,
            };
            if !sound || !scope.people.is_full(source.owner) {
                let text = format!(
                    "{} of {}, version {}: what is kept of it is not what came of it",
                    source.subject, source.owner, source.version
                );
                report.violation(Name::WrongEvent, text);
            }
        }
    }
    if report.resource_events != report.resource_sources {
        let text = "events of resources, and what is kept beside them, are not alike".to_owned();
        report.violation(Name::MissingEvent, text);
    }
    Ok(())
}

/// Whether a payment has what a source says.
fn began(payment: &Payment, source: &EventSource) -> bool {
    let place = source.version.checked_sub(1).and_then(|place| usize::try_from(place).ok());
    let first = place.and_then(|place| payment.history().get(place));
    payment.owner() == source.owner
        && first.is_some_and(|first| (first.at, first.wall) == (source.at, source.wall))
}

/// Whether a resource was once what a source says, which is noted to be compared with its event.
fn changed(
    source: &EventSource,
    states: &States,
    (known, kept): (&Known, &Kept),
    report: &mut Report,
) -> bool {
    let EventSource { owner, at, subject, version, wall, .. } = *source;
    let Some(kind) = of_change(states.before.as_ref(), states.after.as_ref()) else { return false };
    let event = Announcement { at, id: AnnouncementId { subject, version, n: 0 }, kind, wall };
    if kept.must_have(owner, &event) {
        report.resource_sources = report.resource_sources.wrapping_add(fingerprint(owner, &event));
    }
    known.get(&subject).is_some_and(|row| {
        let resource = &row.resource;
        let now = version == resource.version;
        resource.owner == owner
            && (resource.clock, resource.created) == (states.clock, states.created)
            && version <= resource.version
            && (!now || resource.body == states.after)
    })
}
