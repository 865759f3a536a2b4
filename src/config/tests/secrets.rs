//! Tests that no secret is printed, whatever prints it.

use super::*;
use crate::search::SearchSettings;
use crate::setting::SecretUrl;

/// Part of every secret in the settings under test.
const HUSH: &str = "hush";

/// Every setting that can hold a secret holds one.
fn secretive() -> Loaded {
    let file = "[store]\nkind = \"mysql\"\nurl = \"mysql://me:store-hush@db:3306/p\"\n\
                [broker]\nkind = \"rabbitmq\"\nurl = \"amqp://me:broker-hush@mq:5672/%2f\"\n\
                [search]\nurl = \"http://me:url-hush@es:9200\"\nusername = \"username-hush\"\n\
                [telemetry]\nmetrics_token = \"token-hush\"\n";
    loaded(file, &[("PAYSTORM__SEARCH__PASSWORD", "password-hush")]).unwrap()
}

#[test]
fn no_secret_is_in_debug_output() {
    let Loaded { settings, origins } = secretive();
    let held = [
        settings.store.url.expose(),
        settings.broker.url.expose(),
        settings.search.url.expose(),
        settings.search.username.as_ref().unwrap().expose(),
        settings.search.password.as_ref().unwrap().expose(),
        settings.telemetry.metrics_token.expose(),
    ];
    assert!(held.iter().all(|secret| secret.contains(HUSH)), "the test sets each of them");
    let Settings { store, broker, search, telemetry, .. } = &settings;
    let printed = [
        format!("{settings:?} {settings:#?}"),
        format!("{store:?}"),
        format!("{broker:?}"),
        format!("{search:?}"),
        format!("{telemetry:?}"),
        format!("{:?}", Loaded { settings: settings.clone(), origins }),
    ];
    for text in printed {
        assert!(!text.contains(HUSH), "{text}");
    }
}

/// Anyone who adds a setting that is text has to decide whether it can hold a secret.
#[test]
fn every_text_is_a_secret_or_known_to_be_none() {
    const NO_SECRETS: &[&str] = &[
        "accounts.country",
        "accounts.default_currency",
        "broker.kind",
        "broker.prefix",
        "data_dir",
        "load.directory",
        "search.kind",
        "search.path",
        "search.prefix",
        "server.bind",
        // Refused with a user name or a password in it.
        "server.public_url",
        "simulator.scenario",
        "store.kind",
        "telemetry.log_format",
        "telemetry.log_level",
        "telemetry.metrics_for",
    ];
    let shown = Table::try_from(secretive().settings).unwrap();
    let mut undecided = BTreeSet::new();
    flatten("", &shown, &mut |key, value| {
        let masked = value.as_str().is_none_or(|text| text.contains("***"));
        if !masked && !NO_SECRETS.contains(&key.as_str()) {
            undecided.insert(key);
        }
    });
    assert!(undecided.is_empty(), "neither masked nor listed as no secret: {undecided:?}");
}

#[test]
fn no_secret_is_in_a_layer_or_an_error() {
    let defaults: Table = toml::from_str(DEFAULTS).unwrap();
    let schema = Schema::of(&defaults);
    let layer = Layer::from_toml("[search]\npassword = \"hush\"", "my.toml", &schema).unwrap();
    assert_eq!(format!("{layer:?}"), "{\"search.password\": \"my.toml:2\"}");
    for file in [
        "[search]\npassword = \"hush\"oh",
        "[search]\npasword = \"hush\"",
        "[search]\npassword = [\"hush\"]",
        "[store]\nkind = \"mysql\"\nurl = \"postgres://me:hush@db/p\"",
        "[broker]\nkind = \"rabbitmq\"\nurl = \"http://me:hush@mq\"",
        "[search]\nkind = \"elasticsearch\"\nurl = \"http://me:hush@es:9200\"",
        "[server]\npublic_url = \"https://me:hush@pay.example\"",
        "[server]\nallowed_origins = [\"https://me:hush@pay.example\"]",
        "[telemetry]\nmetrics_token = \"hush hush\"",
    ] {
        let file = Some((file.to_owned(), "my.toml".to_owned()));
        let error = merge(file, [], []).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(HUSH), "{error}");
    }
}

#[test]
fn no_secret_is_in_an_error_of_a_section() {
    let url = || SecretUrl::from("ftp://me:hush@host:1/x");
    let mut settings = Settings::default();
    settings.store.kind = StoreKind::Mysql;
    settings.store.url = url();
    settings.broker.kind = BrokerKind::RabbitMq;
    settings.broker.url = url();
    settings.search = SearchSettings { kind: SearchKind::Elasticsearch, url: url(), ..settings.search };
    let errors = [settings.store.validate(), settings.broker.validate(), settings.search.validate()];
    for error in errors.map(Result::unwrap_err) {
        assert!(!format!("{error} {error:?}").contains(HUSH), "{error}");
    }
}
