//! Background tasks: one registry, and one driver that runs them.
//!
//! Depends on `clock`, `outage` and tokio alone. Knows no task: each says what it does and how its errors count.
//!
//! - [`registry`]: which tasks there are, whether each is alive, its last run and its last error.
//! - [`driver`]: runs a [`Step`] repeatedly, after an interval and whenever it is signalled.
//! - [`group`]: tasks that stop together.
//!
//! To add a task: implement [`Step`] (what it does once, and what wakes it), and start it with [`Group::repeat`]. A loop that is
//! a stream of its own (a consumer, a reader of the journal) is started with [`Group::spawn`] instead, which runs it again if it
//! ends. Either way `/readyz` fails while it does not run, and System shows it; its texts are in `web::pages::tasks`.

pub mod driver;
pub mod group;
pub mod registry;

pub use driver::{Next, Schedule, Step, StepError};
pub use group::{Group, Running};
pub use registry::{TaskHandle, TaskStatus, Tasks};
