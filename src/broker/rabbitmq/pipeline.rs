//! Sends many frames without a wait between them. Depends on nothing in the crate.

use std::future::Future;
use std::pin::Pin;

use futures_util::future::{MaybeDone, maybe_done};

/// Starts every future in order, then waits for each and returns their outputs in order. lapin queues a frame at the first poll of the
/// future that sends it, so the frames leave in this order, and a batch costs one wait instead of one per frame.
pub(super) async fn all_in_order<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut started: Vec<Pin<Box<MaybeDone<F>>>> =
        futures.into_iter().map(|future| Box::pin(maybe_done(future))).collect();
    std::future::poll_fn(|context| {
        for future in &mut started {
            // One that is not ready is polled again below.
            let _ = future.as_mut().poll(context);
        }
        std::task::Poll::Ready(())
    })
    .await;
    let mut outputs = Vec::with_capacity(started.len());
    for mut future in started {
        future.as_mut().await;
        outputs.extend(future.as_mut().take_output());
    }
    outputs
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[tokio::test]
    async fn all_start_in_order_before_any_is_awaited() {
        let log = Mutex::new(Vec::new());
        let step = async |n: u32| {
            log.lock().push(n);
            tokio::task::yield_now().await;
            log.lock().push(n + 10);
            n
        };
        assert_eq!(all_in_order([1, 2, 3].map(step)).await, [1, 2, 3]);
        assert_eq!(log.lock()[..3], [1, 2, 3]);
    }
}
