//! `/load`: the runs of an account, and the forms that start one.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::super::error_page::{answer_to, render};
use super::super::format;
use super::super::forms::{self, Fields};
use super::super::frame;
use super::super::layout::{Layout, Nav, Notice, Tone};
use super::super::pay_form::FieldError;
use super::super::responses::{self, PageResult};
use crate::domain::time::Timestamp;
use crate::runs::{Head, Kind, RunSettings, State, ms, thousands};
use crate::scenarios::EXAMPLES;
use crate::setting::Secret;
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// A run in the list.
#[derive(Debug, Clone)]
pub struct RunLine {
    /// Its id.
    pub id: String,
    /// What people call it, or its id.
    pub label: String,
    /// What it is at, in words.
    pub state: &'static str,
    /// The tone of the badge that says so.
    pub tone: &'static str,
    /// Its rate.
    pub rate: String,
    /// How long it measures.
    pub duration: String,
    /// The settle p99.
    pub p99: String,
    /// Its verdict.
    pub verdict: String,
    /// How long ago it was started.
    pub ago: String,
    /// When that was, in full.
    pub full: String,
    /// The same for machines.
    pub iso: String,
    /// The same in milliseconds since the epoch.
    pub ms: i64,
    /// Whether it can be compared.
    pub comparable: bool,
}

impl RunLine {
    /// This run at this time.
    #[must_use]
    pub fn of(head: Head, now: Timestamp) -> Self {
        let (state, tone) = state_words(head.state, head.passed);
        let at = head.created;
        Self {
            id: head.id.to_string(),
            label: if head.name.is_empty() { head.id.to_string() } else { head.name },
            state,
            tone,
            rate: if head.rate.parse::<f64>().is_ok() { format!("{}/s", head.rate) } else { head.rate },
            duration: match head.kind {
                Kind::Run => head.duration,
                Kind::Capacity => format!("{} a step", head.duration),
            },
            p99: head.settle_p99_ms.map(ms).unwrap_or_default(),
            verdict: head.verdict.unwrap_or_default(),
            ago: format::ago(now, at),
            full: format::to_the_second(at),
            iso: format::iso(at),
            ms: at.millis(),
            comparable: head.kind == Kind::Run && matches!(head.state, State::Finished | State::CutOff),
        }
    }
}

/// What a run is at in words, and in what tone.
#[must_use]
pub const fn state_words(state: State, passed: Option<bool>) -> (&'static str, &'static str) {
    match (state, passed) {
        (State::Running, _) => ("Running", "processing"),
        (State::Failed, _) => ("Did not start", "failed"),
        (State::CutOff, _) => ("Cut off", "failed"),
        (State::Finished, Some(false)) => ("Failed", "failed"),
        (State::Finished, _) => ("Passed", "succeeded"),
    }
}

/// A run that is set up at one click.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The name that the address has.
    pub name: &'static str,
    /// The name people see.
    pub label: &'static str,
    /// What it shows.
    pub shows: &'static str,
}

const SAMPLES: &[Sample] = &[
    Sample { name: "steady", label: "Steady", shows: "100 a second for 30 seconds" },
    Sample { name: "ramp", label: "Ramp", shows: "from 20 to 400 a second within a minute" },
    Sample { name: "spike", label: "Spike", shows: "50 a second, and 500 for five seconds" },
    Sample {
        name: "declines",
        label: "Declines and 3-D Secure",
        shows: "cards that are declined or ask their holders",
    },
    Sample {
        name: "outage",
        label: "Issuer outage",
        shows: "technical errors in a window of time, and how it recovers",
    },
];

/// The settings of a sample; those assumed if there is none of this name.
fn sample(name: &str) -> RunSettings {
    let text = str::to_owned;
    let plain = RunSettings::default();
    match name {
        "ramp" => {
            RunSettings { name: text("Ramp"), shape: text("ramp:20..400"), duration: text("60s"), ..plain }
        }
        "spike" => RunSettings {
            name: text("Spike"),
            shape: text("spike:base=50,peak=500,start=10s,length=5s"),
            duration: text("30s"),
            ..plain
        },
        "declines" => RunSettings {
            name: text("Declines and 3-D Secure"),
            mix: text("charge=1"),
            cards: text("visa=80,chargeDeclinedInsufficientFunds=10,threeDSecureRequired=10"),
            ..plain
        },
        "outage" => RunSettings {
            name: text("Issuer outage"),
            rate: text("50"),
            duration: text("60s"),
            mix: text("charge=1"),
            scenario: outage(),
            ..plain
        },
        _ => RunSettings { name: text("Steady"), ..plain },
    }
}

fn outage() -> String {
    let example = EXAMPLES.iter().find(|example| example.name == "issuer-outage");
    example.map_or_else(String::new, |example| example.text.to_owned())
}

/// The page.
#[derive(Template)]
#[template(path = "load.html")]
pub struct LoadPage {
    /// The frame.
    pub layout: Layout,
    /// The runs, latest first.
    pub runs: Vec<RunLine>,
    /// What the forms show.
    pub input: RunSettings,
    /// The field at fault.
    pub error: Option<FieldError>,
    /// Runs at one click.
    pub samples: &'static [Sample],
    /// Whether runs may be started.
    pub offered: bool,
    /// Whether they may go against other servers.
    pub elsewhere: bool,
    /// The bounds, in words.
    pub bounds: String,
    /// Scenarios that come with the program.
    pub scenarios: Vec<(&'static str, String)>,
}

impl LoadPage {
    /// The message about this field; empty if nothing is wrong with it.
    #[must_use]
    pub fn error_of(&self, field: &str) -> &str {
        self.error.as_ref().filter(|error| error.field == field).map_or("", |error| error.message.as_str())
    }

    /// Objectives or thresholds, one a line.
    #[must_use]
    pub fn lines(&self, texts: &[String]) -> String {
        texts.join("\n")
    }

    /// Whether the form of the search is the one that is filled in.
    #[must_use]
    pub fn searches(&self) -> bool {
        self.input.kind == Kind::Capacity
    }
}

fn page(state: &WebState, who: &SignedIn, input: RunSettings) -> LoadPage {
    let rules = state.runs.rules();
    let rate = match rules.rate_max {
        0 => "any rate".to_owned(),
        rate => format!("up to {} a second", thousands(rate.into())),
    };
    let now = state.wall.now();
    LoadPage {
        layout: frame::frame(state, who, "Load", Nav::Load),
        runs: state.runs.list(who.account).into_iter().map(|head| RunLine::of(head, now)).collect(),
        input,
        error: None,
        samples: SAMPLES,
        offered: rules.pages,
        elsewhere: who.operator,
        bounds: format!(
            "Here: {rate}, up to {} s and {} accounts; {} runs at once.",
            thousands(rules.duration_max_s.into()),
            thousands(rules.wallets_max.into()),
            rules.runs_max
        ),
        scenarios: EXAMPLES.iter().map(|example| (example.name, example.title().to_owned())).collect(),
    }
}

/// `GET /load?sample=NAME&scenario=EXAMPLE`.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let fields = Fields::of_query(&request);
    let mut input = sample(fields.get("sample"));
    if let Some(example) = EXAMPLES.iter().find(|example| example.name == fields.get("scenario")) {
        input.scenario = example.text.to_owned();
        input.name = example.title().to_owned();
    }
    Ok(responses::ok(&page(&state, &who, input)))
}

/// `POST /load`: starts a run, as it is filled in or as a sample.
pub async fn start(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    let (input, wrong) = match fields.get("sample") {
        "" => read(&fields),
        name => (sample(name), None),
    };
    if let Some(field) = wrong {
        let message = "a whole number".to_owned();
        return Ok(refused(&state, &who, input, crate::runs::RunError::Field { field, message }));
    }
    match state.runs.start(who.account, input.clone(), who.operator).await {
        Ok(id) => Ok(responses::see_other(&format!("/load/{id}"))),
        Err(error) => Ok(refused(&state, &who, input, error)),
    }
}

fn refused(
    state: &WebState,
    who: &SignedIn,
    input: RunSettings,
    error: crate::runs::RunError,
) -> HttpResponse {
    let message = error.to_string();
    let error = ApiError::from(error);
    let mut page = page(state, who, input);
    page.layout.notices.push(Notice::new(Tone::Error, format!("Not started. {message}")));
    page.error = error.param.as_ref().map(|field| FieldError {
        field: field.to_string(),
        message: message.strip_prefix(&format!("{field}: ")).unwrap_or(&message).to_owned(),
    });
    render(answer_to(&error), &page)
}

/// What a form asks a run to be, and the field that is no number, if one is not.
fn read(fields: &Fields) -> (RunSettings, Option<&'static str>) {
    let text = |name: &str| fields.get(name).trim().to_owned();
    let lines =
        |name: &str| text(name).lines().map(str::to_owned).filter(|line| !line.trim().is_empty()).collect();
    let plain = RunSettings::default();
    let mut wrong = None;
    let mut number = |name: &'static str, default: u64| match text(name).as_str() {
        "" => default,
        digits => digits.parse().unwrap_or_else(|_| {
            wrong.get_or_insert(name);
            default
        }),
    };
    let wallets = u32::try_from(number("wallets", plain.wallets.into())).unwrap_or(u32::MAX);
    let (seed, pass) = (number("seed", plain.seed), number("pass", plain.pass));
    let precision = number("precision", plain.precision);
    let settings = RunSettings {
        name: text("name"),
        kind: if fields.get("kind") == "capacity" { Kind::Capacity } else { Kind::Run },
        target: text("target"),
        key: Secret::from(text("key")),
        transport: text("transport"),
        rate: text("rate"),
        shape: text("shape"),
        duration: text("duration"),
        warmup: text("warmup"),
        drain: text("drain"),
        poisson: fields.get("poisson") == "on",
        seed,
        mix: text("mix"),
        amounts: text("amounts"),
        currencies: text("currencies"),
        cards: text("cards"),
        think: text("think"),
        pass,
        wallets,
        close_wallets: fields.get("close_wallets") == "on",
        scenario: fields.get("scenario").replace("\r\n", "\n"),
        fail_if: lines("fail_if"),
        objectives: lines("objectives"),
        step: text("step"),
        from: text("from"),
        precision,
        limit: text("limit"),
        ..plain
    };
    (settings, wrong)
}
