//! Request bodies on their way in. A body that keeps the server waiting too long is abandoned, even if bytes trickle in. A
//! body that nobody reads closes its connection instead of being read and discarded indefinitely.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io};

use actix_web::HttpMessage as _;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

/// A body earns another second for every so many bytes.
const BYTES_PER_SECOND: u64 = 32 << 10;

type Shared = Rc<RefCell<Payload>>;

/// Watches a request's body, if it has one. `patience` is how long it may keep the server waiting in total, plus a second
/// for each 32 KiB received; `None` if its reader has deadlines of its own. Keep the returned handle until the answer ends.
pub(super) fn watch(request: &mut ServiceRequest, patience: Option<Duration>) -> Option<Handle> {
    let body = match request.take_payload() {
        Payload::None => return None,
        body => Rc::new(RefCell::new(body)),
    };
    let pace = patience.map(|patience| Pace { left: patience, since: None, timer: None });
    let arriving = Arriving { body: Rc::clone(&body), pace };
    request.set_payload(Payload::Stream { payload: Box::pin(arriving) });
    Some(Handle(body))
}

/// Whether reading failed because the body was too slow.
pub(super) fn is_too_slow(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut)
}

struct Arriving {
    body: Shared,
    pace: Option<Pace>,
}

/// How much longer the server waits for a body. Only waiting counts: the sender is not to blame if we read slowly.
struct Pace {
    left: Duration,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    fn received(&mut self, bytes: usize) {
        let waited = self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        let earned = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000_000) / BYTES_PER_SECOND;
        self.left = self.left.saturating_sub(waited).saturating_add(Duration::from_micros(earned));
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let left = self.left;
        let since = *self.since.get_or_insert_with(Instant::now);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(since + left)));
        timer.as_mut().reset(since + left);
        timer.as_mut().poll(cx).is_ready()
    }
}

impl Stream for Arriving {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut *self.body.borrow_mut()).poll_next(cx);
        let Some(pace) = &mut self.pace else { return polled };
        match &polled {
            Poll::Ready(Some(Ok(bytes))) => pace.received(bytes.len()),
            Poll::Ready(_) => {}
            Poll::Pending if pace.is_over(cx) => {
                return Poll::Ready(Some(Err(PayloadError::Io(io::ErrorKind::TimedOut.into()))));
            }
            Poll::Pending => {}
        }
        polled
    }
}

/// Keeps a request's body from being dropped before the answer is complete. The server would read the rest of a dropped
/// chunked body, without bound, to reuse the connection; if the body is held and unread, it closes the connection.
pub(super) struct Handle(Shared);

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&Rc::strong_count(&self.0)).finish()
    }
}
