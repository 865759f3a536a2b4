//! All keys of a scenario file by table, and the words that are allowed as values, for the test that compares them with the schema.

use super::{acquirer, aftermath, conditions, latency, rule, shares, verdict, window};
use crate::domain::card::Brand;
use crate::domain::decline::DeclineReason;
use crate::domain::dispute::DisputeReason;
use crate::domain::forced::Fault;
use crate::domain::payment::OperationName;
use crate::simulator::scenario::{Method, Pack};

/// The keys of each table, by its name in the schema; that of the whole file is empty.
pub fn tables() -> Vec<(&'static str, Vec<&'static str>)> {
    let of = |keys: &[&'static str]| keys.to_vec();
    vec![
        ("", of(&super::KEYS)),
        ("acquirer", of(&acquirer::KEYS)),
        ("breaker", of(&acquirer::BREAKER_KEYS)),
        ("route", of(&conditions::ROUTE_KEYS)),
        ("conditions", of(&conditions::MATCH_KEYS)),
        ("range", of(&conditions::RANGE_KEYS)),
        ("latency", of(&latency::KEYS)),
        ("percentiles", latency::PERCENTILES.iter().map(|(key, _)| *key).collect()),
        ("error", of(&shares::ERROR_KEYS)),
        ("outcome", of(&shares::OUTCOME_KEYS)),
        ("rule", of(&rule::KEYS)),
        ("then", of(&aftermath::KEYS)),
        ("window", of(&window::KEYS)),
    ]
}

/// The words of each kind, by its name in the schema.
pub fn words() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        ("packName", Pack::ALL.map(Pack::name).to_vec()),
        ("errorKind", Fault::WORDS.map(|(word, _)| word).to_vec()),
        ("outcomeName", verdict::OUTCOMES.map(|(word, _)| word).to_vec()),
        ("declineCode", DeclineReason::ALL.map(DeclineReason::decline_code).to_vec()),
        ("disputeReason", DisputeReason::ALL.map(DisputeReason::as_str).to_vec()),
        ("refundCourse", aftermath::COURSES.map(|(word, _)| word).to_vec()),
        ("kind", conditions::KINDS.map(|(word, _)| word).to_vec()),
        ("operation", OperationName::ALL.map(OperationName::as_str).to_vec()),
        ("brand", Brand::ALL.map(Brand::as_str).to_vec()),
        ("method", Method::ALL.map(Method::as_str).to_vec()),
    ]
}
