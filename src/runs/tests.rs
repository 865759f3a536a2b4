//! What is kept of runs, and what may be asked for.

use super::record::Record;
use super::reports::{Bounds, Reports};
use super::*;
use crate::domain::time::Timestamp;
use crate::load::Report;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn record(owner: AccountId, number: u64, state: State) -> Record {
    let settings = RunSettings { name: format!("run {number}"), ..RunSettings::default() };
    let report =
        Report { verdict: "Kept up.".to_owned(), accepted_all: 9, ended_all: 7, ..Report::default() };
    let id = LoadRunId::numbered(NOW.plus_ms(number), number);
    Record { state, report: Some(report), ..Record::new(id, owner, NOW.plus_ms(number), settings) }
}

fn bounds(each_max: usize) -> Bounds {
    Bounds { each_max, bytes_max: 1_000_000 }
}

fn owners() -> [AccountId; 2] {
    [1, 2].map(|number| AccountId::numbered(NOW, number))
}

#[test]
fn reports_outlive_the_server_and_runs_that_it_cut_off_say_so() {
    let directory = tempfile::tempdir().unwrap();
    let [ada, ben] = owners();
    let open = || Reports::open(Some(directory.path().join("load")), bounds(10), NOW.plus_ms(99)).unwrap();
    let reports = open();
    let (done, running) = (record(ada, 1, State::Finished), record(ada, 2, State::Running));
    reports.put(&done, true).unwrap();
    reports.put(&running, false).unwrap();
    reports.put(&record(ben, 3, State::Finished), true).unwrap();
    assert_eq!(reports.heads(ada).iter().map(|head| head.id).collect::<Vec<_>>(), [running.id, done.id]);
    let reports = open();
    assert_eq!(reports.get(done.id).unwrap(), Some(done));
    let cut = reports.get(running.id).unwrap().unwrap();
    assert_eq!((cut.state, cut.ended, cut.passed()), (State::CutOff, Some(NOW.plus_ms(99)), Some(false)));
    assert!(cut.verdict().unwrap().contains("Of 9 acknowledged by then, 7 had come to rest"), "{cut:?}");
    assert_eq!(reports.heads(ben).len(), 1);
    assert_eq!(open().get(running.id).unwrap(), Some(cut), "and stays as it is");
}

#[test]
fn torn_and_unfinished_files_are_put_aside() {
    let directory = tempfile::tempdir().unwrap();
    let [ada, _] = owners();
    let open = || Reports::open(Some(directory.path().to_owned()), bounds(10), NOW).unwrap();
    let (torn, whole) = (record(ada, 1, State::Finished), record(ada, 2, State::Finished));
    let reports = open();
    reports.put(&torn, true).unwrap();
    reports.put(&whole, true).unwrap();
    let path = directory.path().join(format!("{}.json", torn.id));
    let text = std::fs::read(&path).unwrap();
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    std::fs::write(directory.path().join(format!("{}.part", whole.id)), "{").unwrap();
    let reports = open();
    assert_eq!(reports.heads(ada).iter().map(|head| head.id).collect::<Vec<_>>(), [whole.id]);
    let mut names: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        [format!("{}.json.damaged", torn.id), format!("{}.json", whole.id)]
            .map(Into::<std::ffi::OsString>::into)
    );
}

#[test]
fn reports_are_bounded_in_number_and_in_bytes() {
    let [ada, ben] = owners();
    for directory in [None, Some(tempfile::tempdir().unwrap())] {
        let path = directory.as_ref().map(|directory| directory.path().to_owned());
        let reports = Reports::open(path, bounds(3), NOW).unwrap();
        reports.put(&record(ben, 0, State::Finished), true).unwrap();
        // One under way is never let go of.
        reports.put(&record(ada, 1, State::Running), true).unwrap();
        (2..8).for_each(|number| reports.put(&record(ada, number, State::Finished), true).unwrap());
        let names: Vec<String> = reports.heads(ada).into_iter().map(|head| head.name).collect();
        assert_eq!(names, ["run 7", "run 6", "run 1"]);
        assert_eq!(reports.heads(ben).len(), 1, "another's are no matter");
        assert!(reports.get(LoadRunId::numbered(NOW.plus_ms(3), 3)).unwrap().is_none());
        assert_eq!(
            reports.get(record(ada, 7, State::Finished).id).unwrap(),
            Some(record(ada, 7, State::Finished))
        );
    }
    let size = serde_json::to_string(&record(ada, 1, State::Finished)).unwrap().len() as u64;
    let reports = Reports::open(None, Bounds { each_max: 99, bytes_max: size * 4 }, NOW).unwrap();
    reports.put(&record(ben, 0, State::Finished), true).unwrap();
    (1..9).for_each(|number| reports.put(&record(ada, number, State::Finished), true).unwrap());
    assert_eq!((reports.heads(ada).len(), reports.heads(ben).len()), (3, 1), "who has the most gives way");
}

#[test]
fn what_cannot_be_used_is_named_by_its_field() {
    let rules =
        LoadSettings { rate_max: 500, duration_max_s: 60, wallets_max: 50, ..LoadSettings::default() };
    let good = || RunSettings { wallets: 20, ..RunSettings::default() };
    let text = |text: &str| text.to_owned();
    let flags =
        |settings: RunSettings| settings.flags("http://a".parse().unwrap(), Secret::from("k"), &rules);
    assert!(
        flags(good()).is_ok() && flags(RunSettings { kind: Kind::Capacity, ..good() }).is_err(),
        "20m are too long"
    );
    for (settings, at, said) in [
        (RunSettings { rate: text("501"), ..good() }, "rate", "the highest rate here is 500"),
        (RunSettings { rate: text("max"), ..good() }, "rate", "not bounded"),
        (RunSettings { rate: text("many"), ..good() }, "rate", "a rate is a number"),
        (RunSettings { rate: text(" "), ..good() }, "rate", "say how many"),
        (RunSettings { shape: text("ramp:1..600"), ..good() }, "shape", "the highest rate here is 500"),
        (RunSettings { shape: text("hump:1"), ..good() }, "shape", ""),
        (RunSettings { duration: text("50s"), warmup: text("11s"), ..good() }, "duration", "at most 60 s"),
        (RunSettings { duration: text("soon"), ..good() }, "duration", "a duration is"),
        (RunSettings { duration: text(""), ..good() }, "duration", "is missing"),
        (RunSettings { mix: text("refund=1"), ..good() }, "mix", "charges to refund"),
        (RunSettings { amounts: text("fixed"), ..good() }, "amounts", ""),
        (RunSettings { currencies: text("xxx"), ..good() }, "currencies", "xxx"),
        (RunSettings { cards: text("gold"), ..good() }, "cards", "none of the test cards"),
        (RunSettings { wallets: 51, ..good() }, "wallets", "51 is not between 0 and 50"),
        (RunSettings { wallets: 0, ..good() }, "wallets", "of the run's own"),
        (RunSettings { connections: 0, ..good() }, "connections", "0 is not between"),
        (RunSettings { pass: 101, ..good() }, "pass", "101"),
        (RunSettings { transport: text("udp"), ..good() }, "transport", "ws or http"),
        (RunSettings { drain: text("1h"), ..good() }, "drain", "at most 10m"),
        (RunSettings { fail_if: vec![text("speed>1")], ..good() }, "fail_if", "a threshold is written"),
        (
            RunSettings { kind: Kind::Capacity, objectives: Vec::new(), ..good() },
            "objectives",
            "say what has to hold",
        ),
        (RunSettings { kind: Kind::Capacity, step: text("1ms"), ..good() }, "step", "500ms"),
        (RunSettings { kind: Kind::Capacity, from: text("900"), ..good() }, "from", "at most 500"),
    ] {
        let error = flags(settings.clone()).err().unwrap_or_else(|| panic!("{at}: {said}: {settings:?}"));
        let RunError::Field { field, message } = &error else { panic!("{error}") };
        assert!(*field == at && message.contains(said), "{at}: {said}: {error}");
    }
}

#[test]
fn numbers_of_test_cards_are_kept_as_names() {
    let settings = RunSettings { cards: "visa=9,4000 0000 0000 9995=1".to_owned(), ..RunSettings::default() };
    assert_eq!(settings.tidied().unwrap().cards, "visa=9,chargeDeclinedInsufficientFunds=1");
    let named = RunSettings { name: "4242 4242 4242 4242".to_owned(), ..RunSettings::default() };
    assert!(matches!(named.tidied(), Err(RunError::Field { field: "name", .. })));
}

#[test]
fn two_runs_are_compared_figure_by_figure() {
    let [ada, _] = owners();
    let (mut a, mut b) = (record(ada, 1, State::Finished), record(ada, 2, State::Finished));
    a.report = Some(Report { completed_per_s: 100.0, errors: 0, ..Report::default() });
    b.report = Some(Report { completed_per_s: 150.0, errors: 3, ..Report::default() });
    let compared = compare(&a, &b).unwrap();
    let figure = |label: &str| compared.iter().find(|one| one.label == label).unwrap().clone();
    assert_eq!((figure("Completed").percent, figure("Refused").percent), (Some(50.0), None));
    assert!(compared.iter().all(|one| one.label != "Sent"), "what is nothing in both is left out");
    b.report = None;
    assert!(compare(&a, &b).is_err());
}

#[test]
fn what_a_kind_of_run_does_not_read_is_not_stored() {
    let unread = || "4242424242424242".to_owned();
    let asked = RunSettings { step: unread(), limit: unread(), ..RunSettings::default() };
    assert_eq!(asked.tidied().unwrap(), RunSettings::default());
    let search = RunSettings { kind: Kind::Capacity, ..RunSettings::default() };
    let asked = RunSettings { shape: unread(), warmup: unread(), fail_if: vec![unread()], ..search.clone() };
    assert_eq!(asked.tidied().unwrap(), search);
}
