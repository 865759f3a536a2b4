//! The one integration-test crate: a module per area.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic: that is how it fails; clippy.toml covers test functions, not what they call"
)]

mod account;
mod account_scenario;
mod amendments;
mod api;
mod arrows;
mod aside;
mod background;
mod bad_input;
mod broker;
mod browser;
mod budget;
mod busy_acquirer;
mod card_numbers;
mod charges;
mod clock_crash;
mod clocks;
mod closed;
mod corruption;
mod crash;
mod crash_disputes;
mod crash_import;
mod customers;
mod demo;
mod dialect;
mod dialect_lists;
mod disputes;
mod durability;
mod edge;
mod engine;
mod events;
mod every_column;
mod experiments;
mod faults;
mod gate;
mod health;
mod index_fields;
mod index_often;
mod instances;
mod load_page;
mod load_restart;
mod load_run;
mod losses;
mod maybe_done;
mod memory;
mod not_there;
mod open_work;
mod outage;
mod outage_log;
mod past;
mod pause;
mod payment_pages;
mod pressure;
mod redrive;
mod reindex;
mod replay;
mod replays;
mod requests;
mod scenario;
mod scenario_outage;
mod scenario_page;
mod scenario_rules;
mod search;
mod session;
mod shutdown;
mod skew;
mod statement;
mod store;
mod stored_form;
mod support;
mod websocket;
