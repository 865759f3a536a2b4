//! Tests what `paystorm config` prints.

use super::*;

#[test]
fn each_value_says_where_it_was_set() {
    let file = "data_dir = \"d\"\n[store]\nkind = \"mysql\"\nurl = \"mysql://me:hush@db:3306/p\"\n\
                [search]\npassword = \"hush\"\n";
    let variables = [("PAYSTORM__BROKER__KIND", "rabbitmq"), ("PAYSTORM__TELEMETRY__METRICS_TOKEN", "hush")];
    let Loaded { settings, origins } = loaded(file, &variables).unwrap();
    let shown = show::to_toml_with_origins(&settings, &origins).unwrap();
    for line in [
        "data_dir = \"d\"  # my.toml:1",
        "instances = 1  # built-in default",
        "url = \"mysql://me:***@db:3306/p\"  # my.toml:4",
        "kind = \"rabbitmq\"  # PAYSTORM__BROKER__KIND",
        "url = \"amqp://guest:***@127.0.0.1:5672/%2f\"  # built-in default",
        "password = \"***\"  # my.toml:6",
        "# username is not set",
        "metrics_token = \"***\"  # PAYSTORM__TELEMETRY__METRICS_TOKEN",
        "retry_delays_ms = [1000, 5000, 25000]  # built-in default",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} is not in\n{shown}");
    }
    assert!(!shown.contains("hush"), "{shown}");
    assert!(!show::to_toml(&settings).unwrap().contains("hush"));
}

#[test]
fn what_is_shown_can_be_read_back() {
    let file = "data_dir = \"a \\\"b\\\"\\nc\"\n[accounts]\noperators = [\"a@a.example\"]\n\
                [engine]\nretry_delays_ms = []\n[simulator]\nlatency_median_ms = 5\n";
    let file = Some((file.to_owned(), "odd\nname.toml".to_owned()));
    let Loaded { settings: before, origins } = merge(file, [], []).unwrap();
    let shown = show::to_toml_with_origins(&before, &origins).unwrap();
    let mut after = settings(&shown, &[]).unwrap();
    // The one default that holds a password.
    assert_eq!(after.broker.url.expose(), "amqp://guest:***@127.0.0.1:5672/%2f");
    after.broker.url = before.broker.url.clone();
    assert_eq!(after, before, "{shown}");
}
