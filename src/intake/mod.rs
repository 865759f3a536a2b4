//! The one way in for everything that callers ask for. HTTP, the WebSocket, pages, files and the demo all come through
//! here: [`Params`] → a draft → the engine → the answer.
//!
//! - [`params`]: what was sent, as paths and plain values.
//! - [`drafts`]: what is asked for, read and checked without the store.
//! - `payees`: who receives transfers.
//! - [`details`], [`earlier_terms`]: what is kept beside payments.
//! - [`Intake::submit`], [`Intake::operate`], [`Intake::amend`], [`Intake::change`]: hand a request to the engine, as its
//!   [`Call`] says. Nothing else hands callers' requests to the engine; a test enforces this.
//! - [`Handed`]: a command handed in, to wait for its commit.
//! - [`Outcome`]: its result, for callers that wait longer.
//!
//! May depend on the ports, `accounts`, `engine` and the live hub of `readers`; knows nothing of HTTP, frames or pages. What
//! differs between callers (how long they wait, what they are shown) is part of the call or stays with them.

mod call;
pub mod details;
pub mod drafts;
pub mod earlier_terms;
pub mod error;
mod handed;
mod operate;
mod outcome;
pub mod params;
mod payees;
mod replays;
mod rules;
pub mod settled;
mod submit;

use std::fmt;
use std::sync::Arc;

pub use call::{Call, Wait};
pub use drafts::{
    AMENDMENT_UNSET, Answering, CUSTOMER_UNSET, Canonical, EVIDENCE, OperationDraft, PaymentDraft, Verb,
    check_params, check_text, clock_name, customer, customer_patch, frozen_time, idempotency_key, metadata,
    metadata_patch, payment_patch, run, speed, wrong_outcome,
};
pub use error::{InputError, IntakeError};
pub use handed::Handed;
pub use outcome::Outcome;
pub use params::Params;
pub use rules::{FINGERPRINT_KEY_NAME, InputContext, Rules, fingerprint_key};

use crate::accounts::Directory;
use crate::clock::Wall;
use crate::engine::Engine;
use crate::readers::live::LiveHub;
use crate::store::Store;

/// Hands requests to the engine. Cheap to clone.
#[derive(Clone)]
pub struct Intake {
    /// Apply to everything that is read.
    pub rules: Rules,
    wall: Wall,
    engine: Engine,
    store: Arc<dyn Store>,
    directory: Arc<Directory>,
    hub: Arc<LiveHub>,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Intake {
    /// An intake with these rules, in front of this engine.
    #[must_use]
    pub const fn new(
        rules: Rules,
        wall: Wall,
        engine: Engine,
        store: Arc<dyn Store>,
        directory: Arc<Directory>,
        hub: Arc<LiveHub>,
    ) -> Self {
        Self { rules, wall, engine, store, directory, hub }
    }

    /// The context for reading drafts now. A charge is confirmed at once unless it says otherwise; the dialect's default is
    /// the opposite.
    #[must_use]
    pub fn context(&self) -> InputContext<'_> {
        InputContext { rules: &self.rules, now: self.wall.now(), confirm_default: true }
    }
}
