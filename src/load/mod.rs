//! Load runs against a server, from outside it.

mod args;
mod report;
mod threshold;

pub use args::{LoadArgs, Mix, Rate, Transport};
pub use report::{Latencies, Report};
pub use threshold::Threshold;
