//! Logs and metrics. Called once, by the composition root; depends on the engine's counters and on nothing else.

use std::io::IsTerminal as _;
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, Opts, Registry};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogFormat, TelemetrySettings};
use crate::engine::Counters;

/// Starts logging to standard error. A second call in the same process (tests) changes nothing.
///
/// # Errors
/// If the level in the settings cannot be read.
pub fn start_logging(settings: &TelemetrySettings) -> anyhow::Result<()> {
    let filter = filter(&settings.log_level)?;
    let logs = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for people at a terminal; in a file or a journal they are noise.
    let logs = logs.with_ansi(std::io::stderr().is_terminal());
    let started = match settings.log_format {
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
        LogFormat::Text => logs.with_target(false).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(error = %error, "logging was already started");
    }
    Ok(())
}

/// What is logged. The HTTP library calls it an error when a client sends what is no HTTP; what concerns us is told by our own
/// code, so the library is heard only where the settings name it.
fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::try_new(level)?;
    Ok(if level.contains(HTTP) { filter } else { filter.add_directive(format!("{HTTP}=off").parse()?) })
}

/// The module of the HTTP library.
const HTTP: &str = "actix_http";

/// Reads one counter.
type Read = fn(&Counters) -> u64;

/// Shows the engine's counters as Prometheus metrics.
struct CounterCollector {
    counters: Arc<Counters>,
    gauges: Vec<(IntGauge, Read)>,
}

impl Collector for CounterCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges.iter().flat_map(|(gauge, _)| gauge.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (gauge, read) in &self.gauges {
            gauge.set(i64::try_from(read(&self.counters)).unwrap_or(i64::MAX));
        }
        self.gauges.iter().flat_map(|(gauge, _)| gauge.collect()).collect()
    }
}

/// One metric: its name, its help, and where it is read.
type Metric = (&'static str, &'static str, Read);

const METRICS: &[Metric] = &[
    ("paystorm_commits_total", "Transactions of the ordered line.", |counters| counters.commits.get()),
    ("paystorm_commands_total", "Commands decided.", |counters| counters.commands.get()),
    ("paystorm_payments_total", "New payments committed.", |counters| counters.payments.get()),
    ("paystorm_rows_written_total", "Rows written by the ordered line.", |counters| counters.rows.get()),
    ("paystorm_work_published_total", "Messages put into the work queue.", |counters| {
        counters.messages.get()
    }),
    (
        "paystorm_work_sent_again_total",
        "Operations that had been lost on their way to a worker.",
        |counters| counters.belted.get(),
    ),
    ("paystorm_documents_written_total", "Documents written to the search index.", |counters| {
        counters.documents.get()
    }),
];

/// Registers the engine's counters.
///
/// # Errors
/// They are registered there already.
pub fn register_counters(registry: &Registry, counters: &Arc<Counters>) -> Result<(), prometheus::Error> {
    let gauges = METRICS
        .iter()
        .map(|(name, help, read)| Ok((IntGauge::with_opts(Opts::new(*name, *help))?, *read)))
        .collect::<Result<Vec<_>, prometheus::Error>>()?;
    registry.register(Box::new(CounterCollector { counters: Arc::clone(counters), gauges }))
}
