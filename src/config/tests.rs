//! Tests layers, origins, and the file of defaults.

mod bad_settings;
mod secrets;
mod shown;

use std::collections::BTreeSet;
use std::path::PathBuf;

use toml::Table;

use super::schema::{OPTIONAL, flatten};
use super::*;
use crate::broker::settings::BrokerKind;
use crate::search::SearchKind;
use crate::store::StoreKind;

/// What this file text and these variables make, or the error in words.
fn loaded(file: &str, environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let file = Some((file.to_owned(), "my.toml".to_owned()));
    let variables = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    merge(file, variables, []).map_err(|error| error.to_string())
}

/// The settings alone.
fn settings(file: &str, environment: &[(&str, &str)]) -> Result<Settings, String> {
    loaded(file, environment).map(|loaded| loaded.settings)
}

fn keys(table: &Table) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    flatten("", table, &mut |key, _| {
        keys.insert(key);
    });
    keys
}

#[test]
fn the_file_of_defaults_is_the_defaults() {
    assert_eq!(settings("", &[]).unwrap(), Settings::default());
    let file: Table = toml::from_str(DEFAULTS).unwrap();
    let code = Table::try_from(Settings::default()).unwrap();
    assert_eq!(keys(&file), keys(&code), "config/default.toml must name every setting");
}

#[test]
fn the_demo_is_on_where_only_this_machine_can_come() {
    assert!(settings("", &[]).unwrap().demo_is_on());
    for elsewhere in [
        "[server]\nbind = \"0.0.0.0:8080\"",
        "[server]\npublic_url = \"https://pay.example\"",
        "[server]\ntrusted_proxies = [\"10.0.0.1\"]",
        "[server]\nallowed_origins = [\"https://shop.example\"]",
        "[server]\nsecure_cookies = true",
        "[broker]\nkind = \"rabbitmq\"",
        "[search]\nkind = \"elasticsearch\"",
        "[demo]\nenabled = false",
    ] {
        assert!(!settings(elsewhere, &[]).unwrap().demo_is_on(), "{elsewhere}");
    }
}

#[test]
fn every_setting_is_explained() {
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    for pair in lines.windows(2) {
        if pair[1].contains(" = ") && !pair[1].starts_with('#') {
            assert!(pair[0].starts_with("# "), "no comment above {}", pair[1]);
        }
    }
    for key in OPTIONAL {
        let name = key.rsplit('.').next().unwrap();
        assert!(DEFAULTS.contains(&format!("\n# {name} = ")), "{key} is not mentioned");
    }
}

#[test]
fn the_shipped_file_for_real_parts_loads() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/real.toml");
    let flags = Flags { config: Some(path), ..Flags::default() };
    let settings = load_from(&flags, []).unwrap().settings;
    assert_eq!(settings.store.kind, StoreKind::Mysql);
    assert_eq!(settings.broker.kind, BrokerKind::RabbitMq);
    assert_eq!(settings.search.kind, SearchKind::Elasticsearch);
}

#[test]
fn later_layers_win() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my.toml");
    std::fs::write(&path, "[server]\nbind = \"127.0.0.1:1\"\nthreads = 3\n[simulator]\nseed = 7\n").unwrap();
    let flags =
        Flags { config: Some(path), data_dir: Some("d".into()), bind: Some("127.0.0.1:3".to_owned()) };
    let environment =
        [("PAYSTORM__SERVER__BIND", "127.0.0.1:2"), ("PAYSTORM__SIMULATOR__SEED", "8"), ("HOME", "/")];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let Loaded { settings, origins } = load_from(&flags, environment).unwrap();
    assert_eq!(settings.server.bind, "127.0.0.1:3");
    assert_eq!(settings.simulator.seed, 8);
    assert_eq!(settings.server.threads, 3);
    assert_eq!(settings.data_dir, PathBuf::from("d"));
    assert_eq!(origins.of("server.bind"), "--bind");
    assert_eq!(origins.of("simulator.seed"), "PAYSTORM__SIMULATOR__SEED");
    assert!(origins.of("server.threads").ends_with("my.toml:3"), "{origins:?}");
    assert_eq!(origins.of("server.ping_ms"), "built-in defaults");
}

#[test]
fn a_value_is_refused_though_a_later_layer_overrides_it() {
    let refused = settings("[server]\nthreads = \"two\"", &[("PAYSTORM__SERVER__THREADS", "2")]).unwrap_err();
    assert_eq!(refused, "my.toml:2: server.threads: expected a whole number, not a string");
}

#[test]
fn a_list_is_replaced_as_a_whole() {
    let file = "[engine]\nretry_delays_ms = [1, 2, 3, 4, 5]";
    let settings = settings(file, &[("PAYSTORM__ENGINE__RETRY_DELAYS_MS", "7")]).unwrap();
    assert_eq!(settings.engine.retry_delays_ms, [7]);
}

#[test]
fn the_environment_speaks_every_type() {
    let settings = settings(
        "",
        &[
            ("PAYSTORM__DATA_DIR", "/var/lib/paystorm"),
            ("PAYSTORM__SERVER__TRUSTED_PROXIES", "10.0.0.1, ::1"),
            ("PAYSTORM__SERVER__ALLOWED_ORIGINS", "[\"https://a.example\"]"),
            ("PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS", "5"),
            ("PAYSTORM__ACCOUNTS__REGISTRATION", "false"),
            ("PAYSTORM__ENGINE__RETRY_DELAYS_MS", "1,2"),
            ("PAYSTORM__TELEMETRY__LOG_FORMAT", "json"),
            ("PAYSTORM__SEARCH__PASSWORD", "hush"),
        ],
    )
    .unwrap();
    assert_eq!(settings.data_dir, PathBuf::from("/var/lib/paystorm"));
    assert_eq!(settings.server.trusted_proxies.len(), 2);
    assert_eq!(settings.server.allowed_origins, ["https://a.example"]);
    assert_eq!(settings.simulator.latency_median_ms.to_bits(), 5.0_f64.to_bits());
    assert!(!settings.accounts.registration);
    assert_eq!(settings.engine.retry_delays_ms, [1, 2]);
    assert_eq!(settings.telemetry.log_format, LogFormat::Json);
    assert_eq!(settings.search.password.unwrap().expose(), "hush");
}

#[test]
fn mysql_alone_may_split_only_with_a_real_broker() {
    let real = "[store]\nkind = \"mysql\"\nurl = \"mysql://a@b/c\"\n[broker]\nkind = \"rabbitmq\"\n[roles]\nworker = false\n";
    assert!(!settings(real, &[]).unwrap().roles.worker);
    let all = "instances = 3\n[store]\nkind = \"mysql\"\nurl = \"mysql://a@b/c\"\n[broker]\nkind = \"rabbitmq\"\n\
               [search]\nkind = \"elasticsearch\"\n";
    assert_eq!(settings(all, &[]).unwrap().instances, 3);
}

#[test]
fn a_missing_file_is_named() {
    let flags = Flags { config: Some("/nowhere/my.toml".into()), ..Flags::default() };
    let error = load_from(&flags, []).unwrap_err().to_string();
    assert_eq!(error, "--config: cannot read /nowhere/my.toml: No such file or directory (os error 2)");
}

#[test]
fn bad_flags_are_named() {
    let flags = Flags { bind: Some("8080".to_owned()), ..Flags::default() };
    let error = load_from(&flags, []).unwrap_err().to_string();
    assert_eq!(error, "--bind: server.bind: expected ADDRESS:PORT such as 127.0.0.1:8080, not \"8080\"");
}
