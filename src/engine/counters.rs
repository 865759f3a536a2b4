//! Prometheus counters of what the sequencer and the readers have done since the start. `/metrics` shows them, and tests read them
//! to hold the design's budgets (rows, messages and documents per payment).

use prometheus::{IntCounter, Registry};

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident = $name:literal, $help:literal;)+) => {
        /// The counters of one process.
        #[derive(Debug)]
        pub struct Counters {
            $($(#[$doc])* pub $field: IntCounter,)+
        }

        impl Counters {
            /// All of them at zero.
            ///
            /// # Errors
            /// A name that Prometheus does not take.
            pub fn new() -> Result<Self, prometheus::Error> {
                Ok(Self { $($field: IntCounter::new($name, $help)?,)+ })
            }

            /// Shows them in a registry.
            ///
            /// # Errors
            /// They are registered there already.
            pub fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
                $(registry.register(Box::new(self.$field.clone()))?;)+
                Ok(())
            }
        }
    };
}

counters! {
    /// Transactions of the sequencer that wrote something.
    commits = "paystorm_commits_total", "Transactions of the ordered line.";
    /// Commands decided in them.
    commands = "paystorm_commands_total", "Commands decided.";
    /// New payments committed.
    payments = "paystorm_payments_total", "New payments committed.";
    /// Rows inserted or updated by the sequencer, the journal's own left out.
    rows = "paystorm_rows_written_total", "Rows written by the ordered line.";
    /// Messages put into the work queue.
    messages = "paystorm_work_published_total", "Messages put into the work queue.";
    /// Operations that the redrive sweep put into the work queue once more: any but few mean that messages get lost.
    redriven = "paystorm_work_sent_again_total", "Operations that had been lost on their way to a worker.";
    /// Documents written to the search index.
    documents = "paystorm_documents_written_total", "Documents written to the search index.";
}

/// Adds so many to a counter.
pub fn add(counter: &IntCounter, count: usize) {
    counter.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
}
