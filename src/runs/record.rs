//! A run as it is kept: what was asked for, what it is at, and its report.

use serde::{Deserialize, Serialize};

use super::asked::{Kind, RunSettings};
use crate::domain::ids::{AccountId, LoadRunId};
use crate::domain::time::Timestamp;
use crate::load::{Found, Report};

/// What a run is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Under way.
    Running,
    /// Came to its end, or was stopped and came to rest.
    Finished,
    /// Could not begin.
    Failed,
    /// The server ended before it did.
    CutOff,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::CutOff => "cut_off",
        }
    }
}

/// A run as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its id, which is also the name that its payments carry.
    pub id: LoadRunId,
    /// The account that started it; nobody else sees it.
    pub owner: AccountId,
    /// What it is at.
    pub state: State,
    /// When it was started.
    pub created: Timestamp,
    /// When it ended.
    #[serde(default)]
    pub ended: Option<Timestamp>,
    /// What it was asked to be.
    pub settings: RunSettings,
    /// The report; of a run under way, what it had when this was written.
    #[serde(default)]
    pub report: Option<Report>,
    /// The same of a search.
    #[serde(default)]
    pub found: Option<Found>,
    /// Why it could not begin.
    #[serde(default)]
    pub error: Option<String>,
}

/// A line of the list of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Its id.
    pub id: LoadRunId,
    /// The account that started it.
    pub owner: AccountId,
    /// What it is at.
    pub state: State,
    /// When it was started.
    pub created: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What people call it.
    pub name: String,
    /// What is wanted of it.
    pub kind: Kind,
    /// The rate that was asked for, in words.
    pub rate: String,
    /// How long is measured, in words.
    pub duration: String,
    /// All but one in a hundred settled within so many milliseconds.
    pub settle_p99_ms: Option<f64>,
    /// The verdict, or why it could not begin.
    pub verdict: Option<String>,
    /// Whether it passed; `None` as long as that is open.
    pub passed: Option<bool>,
}

impl Record {
    /// A run that begins.
    #[must_use]
    pub const fn new(id: LoadRunId, owner: AccountId, created: Timestamp, settings: RunSettings) -> Self {
        let (report, found, error) = (None, None, None);
        Self { id, owner, state: State::Running, created, ended: None, settings, report, found, error }
    }

    /// Its verdict, or why it could not begin.
    #[must_use]
    pub fn verdict(&self) -> Option<&str> {
        let report = self.report.as_ref().map(|report| report.verdict.as_str());
        let found = self.found.as_ref().map(|found| found.verdict.as_str());
        self.error.as_deref().or(found).or(report).filter(|verdict| !verdict.is_empty())
    }

    /// Whether it passed; `None` as long as that is open.
    #[must_use]
    pub fn passed(&self) -> Option<bool> {
        match self.state {
            State::Running => None,
            State::Failed | State::CutOff => Some(false),
            State::Finished => {
                let found = self.found.as_ref().map(Found::passed);
                found.or_else(|| self.report.as_ref().map(Report::passed))
            }
        }
    }

    /// Its line in the list.
    #[must_use]
    pub fn head(&self) -> Head {
        let settings = &self.settings;
        let (rate, duration) = match settings.kind {
            Kind::Run if !settings.shape.trim().is_empty() => (settings.shape.trim(), &settings.duration),
            Kind::Run => (settings.rate.trim(), &settings.duration),
            Kind::Capacity => ("search", &settings.step),
        };
        let measured = self.report.as_ref().filter(|report| report.settle_ms.count > 0);
        Head {
            id: self.id,
            owner: self.owner,
            state: self.state,
            created: self.created,
            ended: self.ended,
            name: settings.name.clone(),
            kind: settings.kind,
            rate: rate.to_owned(),
            duration: duration.clone(),
            settle_p99_ms: measured.map(|report| report.settle_ms.p99),
            verdict: self.verdict().map(str::to_owned),
            passed: self.passed(),
        }
    }

    /// Ends it where its server has ended, with what it had.
    pub fn cut_off(&mut self, at: Timestamp) {
        self.state = State::CutOff;
        self.ended.get_or_insert(at);
        let said = match (&self.report, &self.found) {
            (_, Some(found)) => {
                format!("Cut off: the server ended after {} of its steps.", found.steps.len())
            }
            (Some(report), None) => format!(
                "Cut off: the server ended {:.0} s into the measurement. Of {} acknowledged by then, {} had come to rest; they were not \
                 asked for again.",
                report.duration_s, report.accepted_all, report.ended_all
            ),
            (None, None) => "Cut off: the server ended before it had begun.".to_owned(),
        };
        match (&mut self.report, &mut self.found) {
            (_, Some(found)) => found.verdict = said,
            (Some(report), None) => report.verdict = said,
            (None, None) => self.error = Some(said),
        }
    }
}
