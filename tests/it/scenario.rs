//! Scenario files: checked on the command line, refused at the start, in force on a running server.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::binary::program;
use crate::support::server::{Stack, with};

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).expect("written");
}

fn run(dir: &Path, arguments: &[&str], scenario: &str) -> Output {
    let mut command = Command::new(program());
    command.current_dir(dir).args(arguments).env_remove("RUST_LOG");
    command.env("PAYSTORM__SIMULATOR__SCENARIO", scenario).output().expect("the program runs")
}

#[test]
fn check_says_what_is_in_a_file_or_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write(dir.path(), "good.toml", "name = \"A day\"\n[[acquirer]]\nname = \"a\"\n");
    write(dir.path(), "bad.toml", "name = \"A day\"\nseed = -1\n[[rule]]\nshare = 1\n");
    let good = run(dir.path(), &["scenario", "check", "good.toml"], "");
    assert!(good.status.success(), "{good:?}");
    let both = run(dir.path(), &["scenario", "check", "good.toml", "bad.toml"], "");
    assert_eq!(both.status.code(), Some(1), "{both:?}");
    assert_eq!(
        String::from_utf8_lossy(&both.stdout),
        "good.toml: A day, 1 acquirer, 0 rules\n\
         bad.toml:2:8: seed: must be between 0 and 9223372036854775807, not -1\n\
         bad.toml:3:1: rule[1]: does nothing; it needs delay_ms, outcome, decline, error or sequence\n"
    );
    let none = run(dir.path(), &["scenario", "check", "nowhere.toml"], "");
    assert_eq!(none.status.code(), Some(2), "{none:?}");
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(said.contains("cannot read nowhere.toml"), "{said}");
}

#[test]
fn a_scenario_with_mistakes_ends_the_start_before_anything_is_made() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write(dir.path(), "bad.toml", "name = \"A day\"\nseed = -1\n");
    let serve = ["serve", "--data-dir", "data", "--bind", "127.0.0.1:0"];
    for (scenario, expected) in [
        ("bad.toml", "simulator.scenario: bad.toml cannot be used\nbad.toml:2:8: seed: must be between"),
        ("nowhere.toml", "simulator.scenario: cannot read nowhere.toml"),
    ] {
        let output = run(dir.path(), &serve, scenario);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!dir.path().join("data").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_answers_by_its_scenario() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let rule = "[[rule]]\nmatch = { amount_minor = 1051 }\ndecline = \"insufficient_funds\"\n";
    write(dir.path(), "s.toml", &format!("name = \"By amount\"\n{rule}"));
    let path = dir.path().join("s.toml");
    with(
        Stack::Embedded,
        |settings| settings.simulator.scenario = path,
        |server| async move {
            let form = "currency=eur&payment_method=pm_card_visa&confirm=true";
            let pay = async |amount: u32| {
                server.post("/v1/payment_intents", &format!("{form}&amount={amount}")).await
            };
            let (status, body) = pay(1051).await;
            assert_eq!((status, body["error"]["decline_code"].as_str()), (402, Some("insufficient_funds")));
            let (status, body) = pay(1052).await;
            assert_eq!((status, body["status"].as_str()), (200, Some("succeeded")), "{body}");
        },
    )
    .await;
}
