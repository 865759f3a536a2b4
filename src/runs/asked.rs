//! What a run is asked to be, as people write it: the same small languages as the flags of `paystorm load`.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::error::RunError;
use super::settings::LoadSettings;
use crate::domain::card_numbers::holds_card_number;
use crate::domain::test_cards::TestCard;
use crate::domain::text::misleads;
use crate::load::{LoadArgs, Offer, Rate, Transport, parse_cards, parse_currencies, parse_target};
use crate::setting::Secret;
use crate::setting::duration::parse_duration;

/// The longest name of a run, in characters.
const NAME_CHARS_MAX: usize = 80;
/// The longest of the small languages, in bytes.
const FIELD_BYTES_MAX: usize = 2_000;
/// Thresholds of one run.
const THRESHOLDS_MAX: usize = 20;
/// How long may be waited for what is open, at most.
const DRAIN_MAX: Duration = Duration::from_secs(600);
/// Connections of one run.
const CONNECTIONS_MAX: u16 = 16;

/// What is wanted of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A measurement at a rate, or at one that changes.
    #[default]
    Run,
    /// The highest rate that holds what is asked for.
    Capacity,
}

/// What a run is asked to be. Empty text stands for what `paystorm load` assumes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSettings {
    /// What people call it.
    pub name: String,
    /// What is wanted of it.
    pub kind: Kind,
    /// The address of the server; empty is this one.
    pub target: String,
    /// A key of that server. Used, and stored nowhere.
    #[serde(skip)]
    pub key: Secret,
    /// `ws` or `http`.
    pub transport: String,
    /// Payments a second.
    pub rate: String,
    /// A rate that changes, instead.
    pub shape: String,
    /// How long is measured.
    pub duration: String,
    /// The time before that.
    pub warmup: String,
    /// How long what is open is waited for.
    pub drain: String,
    /// Whether payments arrive at random moments.
    pub poisson: bool,
    /// What everything is drawn from.
    pub seed: u64,
    /// Kinds by weight.
    pub mix: String,
    /// The law of amounts.
    pub amounts: String,
    /// Currencies by weight.
    pub currencies: String,
    /// Cards by weight.
    pub cards: String,
    /// How long cardholders take.
    pub think: String,
    /// How many in a hundred of them pass.
    pub pass: u64,
    /// Throw-away accounts.
    pub wallets: u32,
    /// Whether they are closed at the end.
    pub close_wallets: bool,
    /// Connections that send.
    pub connections: u16,
    /// A scenario file in force for the run; empty leaves what is in force.
    pub scenario: String,
    /// Thresholds that fail the run.
    pub fail_if: Vec<String>,
    /// What a rate has to hold, in a search.
    pub objectives: Vec<String>,
    /// How long each rate is measured, in a search.
    pub step: String,
    /// The first rate of a search.
    pub from: String,
    /// How exact its answer has to be, in percent.
    pub precision: u64,
    /// No step of it begins after this time.
    pub limit: String,
}

impl Default for RunSettings {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            name: String::new(),
            kind: Kind::Run,
            target: String::new(),
            key: Secret::default(),
            transport: text("ws"),
            rate: text("100"),
            shape: String::new(),
            duration: text("30s"),
            warmup: text("0s"),
            drain: text("30s"),
            poisson: false,
            seed: 42,
            mix: text("charge=70,transfer=20,refund=10"),
            amounts: String::new(),
            currencies: text("eur"),
            cards: text("visa"),
            think: text("3s"),
            pass: 100,
            wallets: 100,
            close_wallets: true,
            connections: 2,
            scenario: String::new(),
            fail_if: Vec::new(),
            objectives: vec![text("settle.p99<1s"), text("errors<1")],
            step: text("10s"),
            from: text("50"),
            precision: 2,
            limit: text("20m"),
        }
    }
}

/// Reads a field, unless it is empty.
fn read<T>(
    field: &'static str,
    text: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, RunError> {
    match text.trim() {
        "" => Ok(None),
        long if long.len() > FIELD_BYTES_MAX => {
            Err(RunError::field(field, format!("longer than {FIELD_BYTES_MAX} bytes")))
        }
        text => parse(text).map(Some).map_err(|message| RunError::field(field, message)),
    }
}

fn parsed<T: FromStr<Err = String>>(text: &str) -> Result<T, String> {
    text.parse()
}

fn bounded(field: &'static str, value: u64, from: u64, to: u64) -> Result<(), RunError> {
    if (from..=to).contains(&value) {
        Ok(())
    } else {
        Err(RunError::field(field, format!("{value} is not between {from} and {to}")))
    }
}

impl RunSettings {
    /// Whether it goes against another server.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        !self.target.trim().is_empty()
    }

    /// Cleans up what is stored and shown: no numbers of cards, no blanks around names, nothing that this kind of run does not read.
    ///
    /// # Errors
    /// A name that cannot be shown or stored.
    pub fn tidied(mut self) -> Result<Self, RunError> {
        self.name = self.name.trim().to_owned();
        if self.name.chars().count() > NAME_CHARS_MAX || self.name.chars().any(misleads) {
            return Err(RunError::field(
                "name",
                format!("at most {NAME_CHARS_MAX} characters that can be seen"),
            ));
        }
        if holds_card_number(&self.name) {
            return Err(RunError::field("name", "holds a card number, and names are stored"));
        }
        if self.cards.len() <= FIELD_BYTES_MAX {
            self.cards = named_cards(&self.cards);
        }
        Ok(self.of_its_kind())
    }

    /// This with defaults in place of what only the other kind reads: nothing that was never looked at is stored.
    fn of_its_kind(self) -> Self {
        let plain = Self::default();
        match self.kind {
            Kind::Run => Self {
                objectives: plain.objectives,
                step: plain.step,
                from: plain.from,
                precision: plain.precision,
                limit: plain.limit,
                ..self
            },
            Kind::Capacity => Self {
                rate: plain.rate,
                shape: plain.shape,
                duration: plain.duration,
                warmup: plain.warmup,
                fail_if: plain.fail_if,
                ..self
            },
        }
    }

    /// The flags of this run against a server, within what the settings of this one allow.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn flags(&self, target: Url, key: Secret, rules: &LoadSettings) -> Result<LoadArgs, RunError> {
        let mut args = LoadArgs::against(target, key);
        args.in_process = !self.is_elsewhere();
        args.transport = match self.transport.trim() {
            "" | "ws" => Transport::Ws,
            "http" => Transport::Http,
            _ => return Err(RunError::field("transport", "ws or http")),
        };
        self.what(&mut args)?;
        args.drain = read("drain", &self.drain, parse_duration)?.unwrap_or(args.drain);
        if args.drain > DRAIN_MAX {
            return Err(RunError::field("drain", "at most 10m"));
        }
        bounded("wallets", self.wallets.into(), 0, rules.wallets_max.into())?;
        bounded("connections", self.connections.into(), 1, CONNECTIONS_MAX.into())?;
        (args.wallets, args.connections) = (self.wallets, self.connections);
        if self.wallets == 0 && args.traffic.mix.takes_from_wallets() {
            let message =
                "transfers and payouts need accounts of the run's own: at least 1, or a mix without them";
            return Err(RunError::field("wallets", message));
        }
        (args.poisson, args.seed, args.close_wallets) = (self.poisson, self.seed, self.close_wallets);
        args.scenario_text = Some(self.scenario.clone()).filter(|text| !text.trim().is_empty());
        match self.kind {
            Kind::Run => self.when(&mut args, rules)?,
            Kind::Capacity => self.search(&mut args, rules)?,
        }
        Ok(args)
    }

    /// What is sent.
    fn what(&self, args: &mut LoadArgs) -> Result<(), RunError> {
        let traffic = &mut args.traffic;
        traffic.mix = read("mix", &self.mix, parsed)?.unwrap_or(traffic.mix);
        traffic.amounts = read("amounts", &self.amounts, parsed)?;
        if let Some(currencies) = read("currencies", &self.currencies, parse_currencies)? {
            traffic.currencies = currencies;
        }
        if let Some(cards) = read("cards", &self.cards, parse_cards)? {
            traffic.cards = cards;
        }
        traffic.think = read("think", &self.think, parse_duration)?.unwrap_or(traffic.think);
        bounded("pass", self.pass, 0, 100)?;
        traffic.pass = self.pass;
        Ok(())
    }

    /// When it is sent.
    fn when(&self, args: &mut LoadArgs, rules: &LoadSettings) -> Result<(), RunError> {
        args.shape = read("shape", &self.shape, parsed)?;
        // A shape goes before the rate that a form has filled in.
        args.rate = if args.shape.is_some() { None } else { read("rate", &self.rate, parsed)? };
        if args.rate.is_none() && args.shape.is_none() {
            return Err(RunError::field("rate", "say how many payments a second, or give a shape"));
        }
        if args.rate == Some(Rate::Max) && rules.rate_max > 0 {
            let message = format!(
                "as many as the server takes are not bounded; the highest rate here is {} a second",
                rules.rate_max
            );
            return Err(RunError::field("rate", message));
        }
        args.duration = read("duration", &self.duration, parse_duration)?;
        args.warmup = read("warmup", &self.warmup, parse_duration)?.unwrap_or_default();
        let wrong = |field| {
            move |message: String| {
                RunError::field(field, message.replace("--for", "duration").replace("--shape: ", ""))
            }
        };
        let measured = args.measured().map_err(wrong("duration"))?;
        let longest = Duration::from_secs(rules.duration_max_s.into());
        if args.warmup + measured > longest {
            let message = format!(
                "a run takes at most {} s here, warm-up included (load.duration_max_s)",
                rules.duration_max_s
            );
            return Err(RunError::field("duration", message));
        }
        let field = if args.shape.is_some() { "shape" } else { "rate" };
        if let Offer::Open { profile, .. } = args.offer().map_err(wrong(field))?
            && rules.rate_max > 0
            && profile.highest() > f64::from(rules.rate_max)
        {
            let message = format!("the highest rate here is {} a second (load.rate_max)", rules.rate_max);
            return Err(RunError::field(field, message));
        }
        args.fail_if = thresholds("fail_if", &self.fail_if)?;
        Ok(())
    }

    /// How its capacity is searched.
    fn search(&self, args: &mut LoadArgs, rules: &LoadSettings) -> Result<(), RunError> {
        let search = &mut args.search;
        search.find_capacity = true;
        search.objective = thresholds("objectives", &self.objectives)?;
        if search.objective.is_empty() {
            return Err(RunError::field("objectives", "say what has to hold, such as settle.p99<1s"));
        }
        search.step = read("step", &self.step, parse_duration)?.unwrap_or(search.step);
        if !(Duration::from_millis(500)..=Duration::from_secs(600)).contains(&search.step) {
            return Err(RunError::field("step", "a step takes 500ms to 10m"));
        }
        let highest = if rules.rate_max > 0 { f64::from(rules.rate_max) } else { 1_000_000.0 };
        let from = read("from", &self.from, |text| {
            text.parse::<f64>().map_err(|_| "a number per second".to_owned())
        })?;
        search.from = from.unwrap_or(search.from);
        if !(search.from > 0.0 && search.from <= highest) {
            return Err(RunError::field("from", format!("more than 0 and at most {highest} a second")));
        }
        bounded("precision", self.precision, 1, 50)?;
        search.precision = self.precision;
        search.limit = read("limit", &self.limit, parse_duration)?.unwrap_or(search.limit);
        if search.limit > Duration::from_secs(rules.duration_max_s.into()) {
            let message =
                format!("a search takes at most {} s here (load.duration_max_s)", rules.duration_max_s);
            return Err(RunError::field("limit", message));
        }
        search.highest = Some(highest);
        Ok(())
    }

    /// The address of another server, and a key of it.
    ///
    /// # Errors
    /// If either cannot be used.
    pub fn elsewhere(&self) -> Result<(Url, Secret), RunError> {
        let target = read("target", &self.target, parse_target)?;
        let target =
            target.ok_or_else(|| RunError::field("target", "an address such as http://127.0.0.1:8080"))?;
        if self.key.expose().trim().is_empty() {
            return Err(RunError::field("key", "another server needs an API key of its own"));
        }
        Ok((target, Secret::from(self.key.expose().trim())))
    }
}

fn thresholds(field: &'static str, texts: &[String]) -> Result<Vec<crate::load::Threshold>, RunError> {
    if texts.len() > THRESHOLDS_MAX {
        return Err(RunError::field(field, format!("at most {THRESHOLDS_MAX}")));
    }
    let one = |text: &String| read(field, text, parsed);
    texts.iter().filter_map(|text| one(text).transpose()).collect()
}

/// The list of cards with names in place of the numbers of test cards.
fn named_cards(list: &str) -> String {
    let named = |part: &str| {
        let (name, weight) = part.split_once('=').map_or((part, None), |(name, weight)| (name, Some(weight)));
        let digits: String = name.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let name = TestCard::by_number(&digits).map_or(name, |card| card.token());
        weight.map_or_else(|| name.to_owned(), |weight| format!("{name}={weight}"))
    };
    list.split(',').map(named).collect::<Vec<_>>().join(",")
}
