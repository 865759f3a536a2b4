//! The flags of a load run, and the small languages in them.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use url::Url;

use super::mix::Traffic;
use super::profile::Profile;
use super::search::Search;
use super::shape::{self, Shape};
use super::threshold::Threshold;
use crate::setting::Secret;
use crate::setting::duration::parse_duration;

/// Flags of `load`.
#[derive(Debug, Clone, Args)]
pub struct LoadArgs {
    /// The server, such as http://127.0.0.1:8080.
    #[arg(long, value_name = "URL", value_parser = parse_target)]
    pub target: Url,
    /// An API key of the account to act as.
    #[arg(long, value_name = "KEY", env = "PAYSTORM_KEY", hide_env_values = true)]
    pub key: Secret,
    /// Payments a second, or `max`: as many as the server takes.
    #[arg(long, value_name = "N|max", required_unless_present_any = ["shape", "find_capacity"])]
    pub rate: Option<Rate>,
    /// A rate that changes: ramp:100..2000, spike:base=100,peak=1000,start=10s,length=5s, steps:100:10s,200:10s, or
    /// constant:500. A warm-up keeps its first rate.
    #[arg(long, value_name = "SHAPE", conflicts_with = "rate")]
    pub shape: Option<Shape>,
    /// How long to measure: 30s, 5m. Steps say it themselves.
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration, required_unless_present_any = ["shape", "find_capacity"])]
    pub duration: Option<Duration>,
    /// How payments are sent.
    #[arg(long, value_enum, default_value_t = Transport::Ws)]
    pub transport: Transport,
    /// Write each acknowledged payment to this file as it is acknowledged: id, kind, amount and currency in a line, and once
    /// more with its outcome when that is known. `verify` compares them.
    #[arg(long, value_name = "FILE")]
    pub acks: Option<PathBuf>,
    /// Write the report to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the report to this file as a page that stands alone.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Ask the server again for so many of what it acknowledged, drawn evenly, once the run has ended; 0 asks for none.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(0..=200_000))]
    pub audit: u32,
    /// Put this scenario in force on the server for the run, and what was in force before afterwards. Its windows begin with the run.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// The same as text, for runs within a program.
    #[arg(skip)]
    pub scenario_text: Option<String>,
    /// Whether the server is this process itself.
    #[arg(skip)]
    pub in_process: bool,
    /// Close the throw-away accounts once the run has ended.
    #[arg(long)]
    pub close_wallets: bool,
    /// What is sent.
    #[command(flatten)]
    pub traffic: Traffic,
    /// Throw-away accounts to spread the payments over. 0 uses the account of the key alone, which rules transfers out;
    /// 1 makes one wallet hot: every payment touches it.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub wallets: u32,
    /// Connections to send over.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub connections: u16,
    /// Payments in flight per connection when the rate is `max`.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub in_flight: u32,
    /// Time before the measurement begins, at the same rate.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    pub warmup: Duration,
    /// How long to wait for what is still open at the end.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub drain: Duration,
    /// The search for the capacity.
    #[command(flatten)]
    pub search: Search,
    /// Arrivals at random moments (a Poisson process) rather than at even distances.
    #[arg(long)]
    pub poisson: bool,
    /// Idempotency keys that count up, as this program's own, or that have no order, as most programs'.
    #[arg(long, value_enum, default_value_t = Keys::Counted)]
    pub keys: Keys,
    /// What amounts, kinds and arrivals are drawn from.
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// The run's name, shown on its payments; made up by default.
    #[arg(long, value_name = "NAME", value_parser = parse_run)]
    pub run: Option<String>,
    /// Exit with an error if this holds, such as 'settle.p99>2s' or 'errors>0'. May be given several times.
    #[arg(long, value_name = "THRESHOLD")]
    pub fail_if: Vec<Threshold>,
    /// No progress bar.
    #[arg(long)]
    pub no_progress: bool,
}

/// How much arrives, and when.
#[derive(Debug, Clone, PartialEq)]
pub enum Offer {
    /// At these rates, whatever the server does.
    Open {
        /// The rates, warm-up included.
        profile: Profile,
        /// The same in words.
        words: String,
    },
    /// As much as the server takes.
    Max,
}

impl LoadArgs {
    /// The flags that are assumed where none are given, against this server, at no rate yet.
    #[must_use]
    pub fn against(target: Url, key: Secret) -> Self {
        Self {
            target,
            key,
            rate: None,
            shape: None,
            duration: None,
            transport: Transport::Ws,
            acks: None,
            json: None,
            html: None,
            audit: 1_000,
            scenario: None,
            scenario_text: None,
            in_process: false,
            close_wallets: false,
            traffic: Traffic::default(),
            wallets: 100,
            connections: 2,
            in_flight: 1_000,
            warmup: Duration::ZERO,
            drain: Duration::from_secs(30),
            search: Search::default(),
            poisson: false,
            keys: Keys::default(),
            seed: 42,
            run: None,
            fail_if: Vec::new(),
            no_progress: true,
        }
    }

    /// How long is measured.
    ///
    /// # Errors
    /// In words that name the flag, if nothing says it.
    pub fn measured(&self) -> Result<Duration, String> {
        let length = self.duration.or_else(|| self.shape.as_ref()?.length());
        let length = length.ok_or("--for is missing: this --shape does not say how long it takes")?;
        if length.is_zero() {
            Err("--for: nothing can be measured in no time".to_owned())
        } else {
            Ok(length)
        }
    }

    /// What arrives.
    ///
    /// # Errors
    /// In words that name the flag at fault.
    pub fn offer(&self) -> Result<Offer, String> {
        let measured = self.measured()?;
        let shape = match (&self.shape, self.rate) {
            (Some(shape), _) => shape.clone(),
            (None, Some(Rate::PerSecond(rate))) => Shape::Constant(rate),
            (None, Some(Rate::Max)) => return Ok(Offer::Max),
            (None, None) => return Err("--rate or --shape is missing".to_owned()),
        };
        let profile = shape.profile(self.warmup, measured).map_err(|error| format!("--shape: {error}"))?;
        let words = shape.to_string() + if self.poisson { ", at random moments" } else { "" };
        Ok(Offer::Open { profile, words })
    }
}

/// How payments travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// `payment.submit_batch` frames on WebSockets.
    Ws,
    /// One POST per payment, answered as soon as it is accepted.
    Http,
}

impl Transport {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Http => "http",
        }
    }
}

/// How idempotency keys follow one another. The server keeps those that count up in their order, which touches few pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Keys {
    /// In the order of the payments.
    #[default]
    Counted,
    /// In no order.
    Random,
}

/// How often payments arrive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// So many a second, whatever the server does.
    PerSecond(f64),
    /// A fixed number in flight.
    Max,
}

impl FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => Ok(Self::Max),
            _ => shape::rate(text)
                .filter(|rate| *rate > 0.0)
                .map(Self::PerSecond)
                .ok_or_else(|| "a rate is a number per second, or max".to_owned()),
        }
    }
}

/// The address of a server.
///
/// # Errors
/// In words, if it is none that can be loaded.
pub fn parse_target(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok().filter(|url| url.has_host() && !url.cannot_be_a_base());
    let url = url.ok_or_else(|| "the target is an address such as http://127.0.0.1:8080".to_owned())?;
    if url.scheme() == "http" { Ok(url) } else { Err("only http:// targets can be loaded so far".to_owned()) }
}

fn parse_run(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=40).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a run's name has 1 to 40 letters, digits, - _ or .".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn programs_assume_what_the_command_line_does() {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            args: LoadArgs,
        }
        let line =
            ["load", "--target", "http://a", "--key", "k", "--rate", "5", "--for", "3s", "--no-progress"];
        let args = Line::try_parse_from(line).unwrap().args;
        let mut own = LoadArgs::against("http://a".parse().unwrap(), Secret::from("k"));
        (own.rate, own.duration) = (args.rate, args.duration);
        assert_eq!(format!("{own:?}"), format!("{args:?}"));
    }

    #[test]
    fn run_names_stay_plain() {
        assert!(parse_run("black-friday.1").is_ok());
        assert!(parse_run("a b").is_err() && parse_run("").is_err() && parse_run(&"x".repeat(41)).is_err());
    }
}
