//! Load runs against a server, from outside it: an honest stopwatch.
//!
//! Depends on `domain` for ids and statuses only; talks to the server over WebSocket and HTTP like any client. It must not
//! know the server's insides, and must stay cheap: it often shares the machine with what it measures.
//!
//! - [`schedule`]: arrivals fixed ahead; latency counts from the intended start.
//! - [`plan`]: what each arrival is, drawn from seed and index.
//! - [`shared`], [`ws`], [`http`]: connections that send what is due, and send again what was lost.
//! - [`tracker`]: what became of it. [`report`]: what that amounts to. [`threshold`]: whether it is good enough.
//! - [`runner`]: a run from end to end.

mod args;
mod http;
mod plan;
mod report;
mod runner;
mod schedule;
mod setup;
mod shared;
mod threshold;
mod tracker;
mod wire;
mod ws;

#[cfg(test)]
mod tests;

pub use args::{LoadArgs, Mix, Rate, Transport};
pub use report::{Latencies, Report};
pub use runner::run;
pub use threshold::Threshold;
