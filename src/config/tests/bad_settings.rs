//! Tests bad settings and the exact error of each; docs/bad-settings.md is written from here.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::settings;

/// Bad settings files with the exact error of each.
const BAD_FILES: &[(&str, &str)] = &[
    ("prot = 1", "my.toml:1: prot: there is no such setting; `paystorm config` prints them all"),
    ("[server]\nbnid = \"x\"", "my.toml:2: server.bnid: there is no such setting; did you mean server.bind?"),
    ("[sevrer]\nbind = \"x\"", "my.toml:2: sevrer.bind: there is no such setting; did you mean server.bind?"),
    ("[cache]", "my.toml:1: cache: there is no such setting; `paystorm config` prints them all"),
    ("server = 3", "my.toml:1: server: this is a section; set one of its keys"),
    ("[data_dir]\nx = 1", "my.toml:2: data_dir.x: there is no such setting; did you mean data_dir?"),
    ("data_dir = 3", "my.toml:1: data_dir: expected a string, not a whole number"),
    ("data_dir = \"\"", "my.toml:1: data_dir: must name a directory"),
    ("a = ", "my.toml:1: string values must be quoted, expected literal string"),
    ("[server]\n\nthreads = \"two\"", "my.toml:3: server.threads: expected a whole number, not a string"),
    ("[server]\nthreads = -1", "my.toml:2: server.threads: invalid value: integer `-1`, expected usize"),
    (
        "[server]\nbind = \"80\"",
        "my.toml:2: server.bind: expected ADDRESS:PORT such as 127.0.0.1:8080, not \"80\"",
    ),
    (
        "[server]\nsecure_cookies = 1",
        "my.toml:2: server.secure_cookies: expected true or false, not a whole number",
    ),
    (
        "[server]\npublic_url = \"pay.example\"",
        "my.toml:2: server.public_url: expected https://host or http://host, without a path, not \"pay.example\"",
    ),
    (
        "[server]\npublic_url = \"https://me:hush@a.example\"",
        "my.toml:2: server.public_url: expected https://host or http://host, without a path, not \"https://me:***@a.example/\"",
    ),
    (
        "[server]\npublic_url = \"https://a.example/pay\"",
        "my.toml:2: server.public_url: expected https://host or http://host, without a path, not \"https://a.example/pay\"",
    ),
    (
        "[server]\npublic_url = \"http://a.example\"\nsecure_cookies = true",
        "my.toml:3: server.secure_cookies: browsers drop secure cookies on the http:// of server.public_url",
    ),
    (
        "[server]\nallowed_origins = [\"*\"]",
        "my.toml:2: server.allowed_origins: expected origins such as https://shop.example, not \"*\"",
    ),
    (
        "[server]\nallowed_origins = [1]",
        "my.toml:2: server.allowed_origins: invalid type: integer `1`, expected a string",
    ),
    (
        "[server]\ntrusted_proxies = [\"proxy\"]",
        "my.toml:2: server.trusted_proxies: invalid IP address syntax",
    ),
    ("[server]\nbody_max_bytes = 10", "my.toml:2: server.body_max_bytes: must be at least 1024, not 10"),
    (
        "[server]\nbatch_frame_max_bytes = 2000",
        "my.toml:2: server.batch_frame_max_bytes: must be at least 16384, not 2000",
    ),
    (
        "[server]\nsocket_memory_bytes = 1000000",
        "my.toml:2: server.socket_memory_bytes: must be at least 2097152, not 1000000",
    ),
    (
        "[server]\nbind = \"0.0.0.0:80\"\n[demo]\nenabled = true",
        "my.toml:4: demo.enabled: the demo account is for this machine only, but server.bind is 0.0.0.0:80",
    ),
    (
        "[server]\npublic_url = \"https://pay.example\"\n[demo]\nenabled = true",
        "my.toml:4: demo.enabled: the demo account is for this machine only, but server.public_url is set",
    ),
    (
        "[search]\nkind = \"elasticsearch\"\n[demo]\nenabled = true",
        "my.toml:4: demo.enabled: the demo account needs embedded parts, but search.kind is not",
    ),
    (
        "[demo]\nlatency_median_ms = -1",
        "my.toml:2: demo.latency_median_ms: must be between 0 and 600000, not -1",
    ),
    (
        "[roles]\nweb = false\nworker = false\nindexer = false\nwebhooks = false",
        "my.toml:2: roles.web: every role is off; this process would do nothing",
    ),
    (
        "[roles]\nweb = false\nworker = false\nindexer = false",
        "my.toml:2: roles.web: every role but roles.webhooks is off, and there are no webhooks to deliver yet; this process would do nothing",
    ),
    (
        "[roles]\nworker = false",
        "my.toml:2: roles.worker: cannot be off while store.kind is embedded: no other process can take it over",
    ),
    (
        "[broker]\nkind = \"rabbitmq\"\n[roles]\nweb = false",
        "my.toml:4: roles.web: cannot be off while store.kind is embedded: no other process can take it over",
    ),
    (
        "[store]\nkind = \"mysql\"\nurl = \"mysql://a@b/c\"\n[roles]\nworker = false",
        "my.toml:5: roles.worker: cannot be off while broker.kind is embedded: no other process can take it over",
    ),
    ("instances = 0", "my.toml:1: instances: must be at least 1, not 0"),
    (
        "instances = 2",
        "my.toml:1: instances: 2 instances cannot share an embedded part; set store.kind to mysql",
    ),
    (
        "instances = 2\n[store]\nkind = \"mysql\"\nurl = \"mysql://a@b/c\"",
        "my.toml:1: instances: 2 instances cannot share an embedded part; set broker.kind to rabbitmq",
    ),
    (
        "[store]\nkind = \"postgres\"",
        "my.toml:2: store.kind: unknown variant `postgres`, expected `embedded` or `mysql`",
    ),
    (
        "[store]\nkind = \"mysql\"",
        "built-in defaults: store.url: store.kind is mysql, which needs mysql://user:password@host:port/database",
    ),
    (
        "[store]\nkind = \"mysql\"\nurl = \"postgres://a@b/c\"",
        "my.toml:3: store.url: expected mysql://user:password@host:port/database",
    ),
    (
        "[store]\nkind = \"mysql\"\nurl = \"mysql://a@b\"",
        "my.toml:3: store.url: expected mysql://user:password@host:port/database",
    ),
    ("[store]\nread_connections = 0", "my.toml:2: store.read_connections: must be at least 1, not 0"),
    (
        "[broker]\nkind = \"kafka\"",
        "my.toml:2: broker.kind: unknown variant `kafka`, expected `embedded` or `rabbitmq`",
    ),
    (
        "[broker]\nkind = \"rabbitmq\"\nurl = \"http://a\"",
        "my.toml:3: broker.url: expected amqp://user:password@host:port/vhost",
    ),
    (
        "[broker]\nkind = \"rabbitmq\"\nheartbeat_s = 0",
        "my.toml:3: broker.heartbeat_s: must be at least 1, not 0",
    ),
    (
        "[broker]\nkind = \"rabbitmq\"\nprefetch = 2",
        "my.toml:3: broker.prefetch: must be at least broker.channels, and less than 65535 per channel",
    ),
    ("[broker]\nqueue_capacity = 0", "my.toml:2: broker.queue_capacity: must be at least 1, not 0"),
    (
        "[search]\nkind = \"solr\"",
        "my.toml:2: search.kind: unknown variant `solr`, expected `embedded` or `elasticsearch`",
    ),
    (
        "[search]\nkind = \"elasticsearch\"\nurl = \"localhost:9200\"",
        "my.toml:3: search.url: expected http://host:port or https://host:port",
    ),
    (
        "[search]\nkind = \"elasticsearch\"\nurl = \"http://me:hush@localhost:9200\"",
        "my.toml:3: search.url: must not hold a password: use search.username and search.password",
    ),
    ("[search]\nmemory_mb = 1", "my.toml:2: search.memory_mb: must be between 16 and 1024, not 1"),
    (
        "[engine]\nretry_delays_ms = 5",
        "my.toml:2: engine.retry_delays_ms: expected a list, not a whole number",
    ),
    (
        "[accounts]\ncountry = \"Ireland\"",
        "my.toml:2: accounts.country: invalid value: string \"Ireland\", expected two capital letters of ISO 3166-1, such as IE",
    ),
    (
        "[accounts]\ndefault_currency = \"euro\"",
        "my.toml:2: accounts.default_currency: Invalid currency: euro. Use a three-letter ISO 4217 code such as eur",
    ),
    ("[engine]\nbatch_max = 0", "my.toml:2: engine.batch_max: must be at least 1, not 0"),
    (
        "[simulator]\ntechnical_error_rate = 1.5",
        "my.toml:2: simulator.technical_error_rate: must be between 0 and 1, not 1.5",
    ),
    (
        "[simulator]\nlatency_max_ms = 1",
        "my.toml:2: simulator.latency_max_ms: must not be below latency_median_ms",
    ),
    (
        "[telemetry]\nlog_format = \"xml\"",
        "my.toml:2: telemetry.log_format: unknown variant `xml`, expected `json` or `text`",
    ),
    (
        "[telemetry]\nmetrics_for = \"me\"",
        "my.toml:2: telemetry.metrics_for: unknown variant `me`, expected `everyone` or `loopback`",
    ),
    (
        "[telemetry]\nmetrics_token = \"two words\"",
        "my.toml:2: telemetry.metrics_token: expected at most 256 printable ASCII characters without spaces",
    ),
    ("[server]\nbody_wait_ms = 0", "my.toml:2: server.body_wait_ms: must be at least 1, not 0"),
    (
        "[telemetry]\nlog_level = \"loud=loud\"",
        "my.toml:2: telemetry.log_level: expected error, warn, info, debug or trace, or levels by module, not \"loud=loud\"",
    ),
    ("[accounts]\nsession_hours = 0", "my.toml:2: accounts.session_hours: must be at least 1, not 0"),
];

/// The same for the environment.
const BAD_VARIABLES: &[(&str, &str, &str)] = &[
    (
        "PAYSTORM__SERVER__BIMD",
        "x",
        "PAYSTORM__SERVER__BIMD: server.bimd: there is no such setting; did you mean server.bind?",
    ),
    ("PAYSTORM__SERVER", "x", "PAYSTORM__SERVER: server: this is a section; set one of its keys"),
    (
        "PAYSTORM__SERVER__THREADS",
        "many",
        "PAYSTORM__SERVER__THREADS: server.threads: expected a whole number, not \"many\"",
    ),
    ("PAYSTORM__ROLES__WEB", "yes", "PAYSTORM__ROLES__WEB: roles.web: expected true or false, not \"yes\""),
    (
        "PAYSTORM__SIMULATOR__LATENCY_SIGMA",
        "wide",
        "PAYSTORM__SIMULATOR__LATENCY_SIGMA: simulator.latency_sigma: expected a number, not \"wide\"",
    ),
    (
        "PAYSTORM__SIMULATOR__LATENCY_SIGMA",
        "nan",
        "PAYSTORM__SIMULATOR__LATENCY_SIGMA: simulator.latency_sigma: must be between 0 and 5, not NaN",
    ),
    (
        "PAYSTORM__ENGINE__RETRY_DELAYS_MS",
        "1,soon",
        "PAYSTORM__ENGINE__RETRY_DELAYS_MS: engine.retry_delays_ms: expected a list, separated by commas, not \"1,soon\"",
    ),
    (
        "PAYSTORM__STORE__KIND",
        "mysql",
        "built-in defaults: store.url: store.kind is mysql, which needs mysql://user:password@host:port/database",
    ),
];

#[test]
fn bad_settings_meet_clear_words() {
    let files = BAD_FILES.iter().map(|(file, expected)| (settings(file, &[]), *expected));
    let variables =
        BAD_VARIABLES.iter().map(|(name, value, expected)| (settings("", &[(name, value)]), *expected));
    let wrong: Vec<_> = files
        .chain(variables)
        .filter(|(got, expected)| got.as_ref().err().is_none_or(|got| got != expected))
        .collect();
    assert!(wrong.is_empty(), "got and expected: {wrong:#?}");
}

#[test]
fn bad_settings_are_documented() {
    let mut table = BAD_SETTINGS_HEAD.to_owned();
    let files = BAD_FILES.iter().map(|(file, expected)| (file.replace('\n', " ⏎ "), *expected));
    let variables =
        BAD_VARIABLES.iter().map(|(name, value, expected)| (format!("{name}={value}"), *expected));
    for (set, expected) in files.chain(variables) {
        writeln!(table, "| `{set}` | {} |", expected.replace('|', "\\|")).unwrap();
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/bad-settings.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), table, "run with UPDATE_DOCS=1");
}

const BAD_SETTINGS_HEAD: &str = "# Bad settings

Made from the test cases by `UPDATE_DOCS=1 cargo test --lib bad_settings`; not written by hand. Every one ends the program
before it starts anything, with these words behind `paystorm: `. A file is called `my.toml` here, ⏎ is the end of a line.

| set | said |
|---|---|
";
