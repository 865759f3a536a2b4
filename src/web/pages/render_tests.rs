//! Tests that render whole pages and fragments as HTML. If `PAYSTORM_RENDER_DIR` is set, the pages are also written there, to be viewed
//! without a server.

use askama::Template;

use super::account::{AccountPage, SessionLine};
use super::clock_strip::ClockStrip;
use super::clocks::{ClockInput, ClockPage, ClocksPage};
use super::home::HomePage;
use super::how_it_works::{Burst, Comparison, HowPage};
use super::journey::{Indexed, Journey};
use super::keys::{KeyLine, KeysPage};
use super::layout::{Layout, Nav};
use super::onboarding::{FirstSteps, Step};
use super::pay_form::{FieldError, PayForm, PayFormInput};
use super::payment::{ChallengePage, Now, PaymentPage, PaymentView};
use super::payments::{BarText, Chip, ChipGroup, Histogram, PaymentsPage, QueryError, bars};
use super::requests::{RequestLine, RequestPage, RequestsPage};
use super::row::PaymentRow;
use super::samples::{self, START, names, viewer};
use super::sign_in::SignInPage;
use super::start::StartPage;
use super::system::{Number, SystemPage};
use super::wallets::WalletsPage;
use crate::background::{TaskHandle, TaskStatus};
use crate::clock::Wall;
use crate::domain::payment::Payment;
use crate::readers::system::{QueueSample, ReaderSample, SystemSample, SystemState};
use crate::web::banners::banners;

fn layout(title: &str, nav: Nav) -> Layout {
    Layout { now_ms: Some(START.millis()), ..Layout::signed_in(title, nav, "Corner Coffee", "token") }
}

/// One task that has failed, and one that has not.
fn tasks_of(alive: bool) -> [(&'static str, TaskStatus); 2] {
    let (timers, worker) = (TaskHandle::unlisted("timers", start()), TaskHandle::unlisted("worker", start()));
    timers.ran(std::time::Duration::from_millis(3));
    timers.survived("it panicked: index out of bounds");
    match alive {
        true => timers.survived("it panicked: index out of bounds"),
        false => timers.died("it panicked: index out of bounds"),
    }
    [("timers", timers.status()), ("worker", worker.status())]
}

fn start() -> Wall {
    Wall::new(|| START)
}

fn rows() -> Vec<PaymentRow> {
    samples::all()
        .iter()
        .map(|(_, payment)| PaymentRow::of(payment, &names(), viewer(), START.plus_ms(12_000)))
        .collect()
}

fn page_of(payment: &Payment) -> PaymentView {
    PaymentView::of(
        payment,
        &samples::movements(payment),
        &names(),
        viewer(),
        Now::by_wall(START.plus_ms(2_000)),
    )
}

fn payments(query: &str, error: Option<QueryError>, rows: Vec<PaymentRow>) -> PaymentsPage {
    let chip = |label: &str, on| Chip {
        label: label.to_owned(),
        count: Some(super::format::Count::of(12_800)),
        href: Some(super::payments::address(label)),
        on,
    };
    let bucket = |n: u64| BarText {
        count: n * 7 % 23,
        title: format!("{n} payments"),
        href: Some("/payments".to_owned()),
        seconds: (0, 10),
    };
    let buckets: Vec<_> = (0..40).map(bucket).collect();
    PaymentsPage {
        layout: layout("Payments", Nav::Payments),
        lag: Some("Search is 4 s behind; the newest may be missing.".to_owned()),
        failure: None,
        query: query.to_owned(),
        error,
        unfinished: String::new(),
        groups: vec![
            ChipGroup {
                label: "Status",
                chips: vec![chip("succeeded", false), chip("declined", true), chip("failed", false)],
            },
            ChipGroup { label: "Kind", chips: vec![chip("charge", false), chip("transfer", false)] },
        ],
        histogram: Some(Histogram {
            bars: bars(&buckets),
            query: Some(query.to_owned()),
            from: "1 Jan 00:00:00".to_owned(),
            until: "1 Jan 01:00:00".to_owned(),
        }),
        rows,
        total: Some(super::format::Count::payments(201_450)),
        older: Some("/payments?page=2".to_owned()),
        newer: None,
        first: None,
        export: super::payments::export_address(query),
    }
}

fn pages() -> Vec<(String, String)> {
    let render =
        |name: &str, page: &dyn askama::DynTemplate| (name.to_owned(), page.dyn_render().expect("renders"));
    let form = PayForm::new(PayFormInput::first(), "key".to_owned(), None);
    let journey =
        samples::all().first().map_or_else(Journey::empty, |(_, payment)| Journey::of(payment, Indexed::No));
    let home = HomePage {
        more: true,
        layout: layout("Home", Nav::Home),
        form: form.clone(),
        journey,
        first: Some(FirstSteps::new(&[Step::Paid, Step::Searched], Some("pi_1".to_owned()), true)),
        balances: vec!["€12.50 EUR".to_owned(), "¥1250 JPY".to_owned()],
        rows: rows(),
    };
    let failed = FieldError { field: "amount".to_owned(), message: "EUR has 2 decimals".to_owned() };
    let blank = HomePage {
        more: false,
        layout: layout("Home", Nav::Home),
        form: PayForm::new(
            PayFormInput { kind: "transfer".to_owned(), ..PayFormInput::first() },
            "key".to_owned(),
            Some(failed),
        ),
        journey: Journey::empty(),
        first: Some(FirstSteps::new(&[], None, true)),
        balances: Vec::new(),
        rows: Vec::new(),
    };
    let error = QueryError::new(
        "coffee colour:\"red\"",
        7,
        19,
        "There is no field \"colour\". Fields: amount, created, …",
    );
    let key = |name: &str, revoked_at| crate::store::ApiKey {
        id: crate::domain::ids::ApiKeyId::from_bytes([3; 16]),
        account: viewer(),
        last4: "x7Qz".to_owned(),
        name: name.to_owned(),
        created_at: START,
        revoked_at,
    };
    let keys = KeysPage {
        layout: layout("Keys", Nav::Keys),
        secret: Some("sk_test_0123456789abcdefghijklmnopqrstuvwxyz".to_owned()),
        origin: "http://127.0.0.1:8080".to_owned(),
        keys: [key("test suite", None), key("", Some(START))]
            .iter()
            .map(|key| KeyLine::of(key, START.plus_ms(90_000)))
            .collect(),
    };
    let pay = super::pay::PayPage {
        layout: layout("New payment", Nav::NewPayment),
        form: form.clone().whole_page(),
        journey: Journey::empty(),
    };
    let reason = |label: &str, count| super::insights::Reason {
        label: label.to_owned(),
        count,
        shown: super::format::Count::of(count),
        href: "/payments".to_owned(),
    };
    let insights = super::insights::InsightsPage {
        layout: layout("Insights", Nav::Insights),
        ranges: super::insights::range_links("1h"),
        total: super::format::Count::payments(201_450),
        plots: super::insights::plots_of(&super::insights::points()),
        reasons: vec![reason("insufficient funds", 40), reason("lost card", 7)],
        most: 40,
    };
    let session = |n: u8, user_agent: &str| crate::store::Session {
        id: crate::domain::ids::SessionId::from_bytes([n; 16]),
        account: viewer(),
        created_at: START,
        expires_at: START.plus_ms(1),
        user_agent: user_agent.to_owned(),
        seen_at: START.plus_ms(60_000),
    };
    let account = |email: Option<&str>, error| AccountPage {
        layout: layout("Account", Nav::Account),
        name: "Corner Coffee".to_owned(),
        email: email.map(str::to_owned),
        id: viewer().to_string(),
        created_full: "2026-01-01 00:00:00 UTC".to_owned(),
        has_password: email.is_some(),
        sessions: [session(1, "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"), session(2, "curl/8.5.0")]
            .iter()
            .map(|one| SessionLine::of(one, session(1, "").id, START.plus_ms(90_000)))
            .collect(),
        balances: vec!["€12.50 EUR".to_owned()],
        first_hidden: email.is_some(),
        error,
    };
    let wrong =
        FieldError { field: "current_password".to_owned(), message: "This is not your password.".to_owned() };
    let start = |token: &str| StartPage {
        layout: Layout { now_ms: Some(START.millis()), ..Layout::signed_out("Start", "") },
        token: token.to_owned(),
        name: "Corner Coffee".to_owned(),
        other: None,
    };
    let wallet = |code: &str, balance_minor, owed_minor, pending_minor| crate::store::WalletRecord {
        wallet: crate::domain::wallet::WalletId {
            owner: viewer(),
            currency: code.parse().expect("a currency"),
        },
        holdings: crate::domain::ledger::Holdings { balance_minor, owed_minor, pending_minor },
    };
    let records = [wallet("EUR", 123_450, 500, 0), wallet("JPY", 1250, 0, 0), wallet("KWD", 1250, 0, 250)];
    let wallets = WalletsPage {
        layout: layout("Wallets", Nav::Wallets),
        wallets: super::wallets::wallet_lines(&records),
    };
    let system = |layout, settings: Option<&str>| SystemPage {
        layout,
        paused: settings.map(|_| ("12 s ago".to_owned(), START.millis())),
        queue: super::system::queue_numbers(&QueueSample {
            interactive: Some(312),
            bulk: None,
            in_flight: Some(40),
            open: 352,
            oldest_us: 12_400_000,
        }),
        rates: vec![Number {
            label: "Accepted",
            value: "1,012".into(),
            stat: "per_second.accepted",
            unit: "count",
        }],
        parts: super::system::part_lines(&SystemState { search: false, ..SystemState::default() }),
        failed_tasks: super::tasks::failed_tasks(&tasks_of(settings.is_none()), START.plus_ms(12_000)),
        tasks: super::tasks::task_lines(&tasks_of(settings.is_none()), START.plus_ms(12_000)),
        readers: super::system::reader_lines(&SystemSample {
            readers: [("index".to_owned(), ReaderSample { cursor: 1_250, batches: 3, lag_us: 412_000 })]
                .into_iter()
                .collect(),
            ..SystemSample::default()
        }),
        aside: settings
            .map(|_| super::system::AsideLine {
                subject: "Payment pi_0".to_owned(),
                cause: "It cannot be read: history".to_owned(),
                since: ("1 min ago".to_owned(), START.millis()),
            })
            .into_iter()
            .collect(),
        parked: samples::all()
            .iter()
            .filter(|(_, payment)| payment.is_parked())
            .map(|(_, payment)| super::system::parked_line(payment, &names(), viewer(), START))
            .collect(),
        settings: settings.map(str::to_owned),
    };
    let paused = SystemState { paused_since: Some(START), search: false, ..SystemState::default() };
    let operator = |layout: Layout| Layout { operator: true, banners: banners(&paused), ..layout };
    let record = |status, missed| crate::store::RequestRecord {
        id: crate::domain::ids::RequestId::from_bytes([9; 16]),
        account: viewer(),
        key: Some(crate::domain::ids::ApiKeyId::from_bytes([3; 16])),
        at: START,
        method: "POST".into(),
        path: "/v1/payment_intents/pi_00000000000000000000aa/capture".into(),
        status,
        latency_us: 12_345,
        missed,
        request: Some("{\"amount\":1250,\"card\":{\"number\":\"***\"}}".into()),
        response: Some("{\"id\":\"pi_1\",\"note\":\"<cake>\"}".into()),
    };
    let names_of_keys = [(crate::domain::ids::ApiKeyId::from_bytes([3; 16]), "test suite".to_owned())];
    let line =
        |status, missed| RequestLine::of(&record(status, missed), &names_of_keys, START.plus_ms(9_000));
    let requests = |lines: Vec<RequestLine>| RequestsPage {
        layout: layout("Requests", Nav::Requests),
        logged: true,
        path: "refunds".into(),
        methods: vec![("GET".into(), "GET".into(), true)],
        classes: vec![("4".into(), "4xx".into(), false)],
        keys: vec![("key_1".into(), "test suite".into(), false)],
        filtered: true,
        next: (!lines.is_empty()).then(|| "/requests?before=req_1".to_owned()),
        lines,
    };
    let request = RequestPage {
        layout: layout("Request", Nav::Requests),
        line: line(402, 0),
        request: record(402, 0).request.as_deref().map(super::requests::readable),
        response: record(402, 0).response.as_deref().map(super::requests::readable),
    };
    let burst = |from: u64, step: u64| Burst {
        answered_us: (0..200).map(|n| from + n * n / 60 * step).collect(),
        settled_us: vec![512_000],
        without: 0,
    };
    let how = |comparison| HowPage { layout: layout("How it works", Nav::How), comparison, burst: 200 };
    let compared = Comparison::of(&burst(90_000, 900), &burst(3_000, 20));
    let sign_in = |register| SignInPage {
        layout: Layout { now_ms: Some(START.millis()), ..Layout::signed_out("Sign in", "token") },
        register,
        registration: true,
        email: "ada@example.com".into(),
        name: String::new(),
        next: "/".into(),
        demo: !register,
        error: (!register).then(|| FieldError {
            field: String::new(),
            message: "That e-mail address and password do not fit.".into(),
        }),
    };
    let gone = super::error_page::ErrorPage::new(
        Layout { now_ms: Some(START.millis()), ..Layout::signed_out("Not found", "token") },
        actix_web::http::StatusCode::NOT_FOUND,
        None,
    );
    let mut pages = vec![
        render("home", &home),
        render("home-blank", &blank),
        render("payments", &payments("status:\"declined\"", None, rows())),
        render("payments-error", &payments("coffee colour:\"red\"", Some(error), Vec::new())),
        render("payments-none", &payments("unobtainium", None, Vec::new())),
        render("pay", &pay),
        render("insights", &insights),
        render("keys", &keys),
        render("wallets", &wallets),
        render("system", &system(layout("System", Nav::System), None)),
        render("system-paused", &system(operator(layout("System", Nav::System)), Some("instances = 1\n"))),
        render("requests", &requests(vec![line(200, 0), line(402, 0), line(0, 1_204), line(500, 0)])),
        render("requests-none", &requests(Vec::new())),
        render("request", &request),
        render("how", &how(None)),
        render("how-compared", &how(Some(compared))),
        render("sign-in", &sign_in(false)),
        render("register", &sign_in(true)),
        render("error", &gone),
        render("account", &account(Some("ada@example.com"), Some(("password", wrong)))),
        render("account-demo", &account(None, None)),
        render("start", &start("secret")),
        render("start-spent", &start("")),
    ];
    pages.push(render("clocks", &clocks()));
    pages.push(render("clock", &clock()));
    for (name, page) in super::scenario::samples::pages(layout) {
        pages.push(render(name, page.as_ref()));
    }
    for (name, payment) in samples::all() {
        let page = PaymentPage {
            layout: layout("Payment", Nav::Payments),
            view: page_of(&payment),
            idempotency_key: "key".into(),
            raw_json: "{\n  \"id\": \"pi_…\"\n}".into(),
        };
        pages.push(render(&format!("payment-{name}"), &page));
        if name == "requires_action" {
            let page = ChallengePage {
                layout: layout("3-D Secure", Nav::Payments),
                view: page_of(&payment),
                idempotency_key: "key".into(),
            };
            pages.push(render("challenge", &page));
        }
    }
    pages
}

fn clock_strip() -> ClockStrip {
    ClockStrip {
        id: "clock_0000000000000000000001".to_owned(),
        label: "Renewals <cake>".to_owned(),
        shows: "2031-01-01 09:00:00 UTC".to_owned(),
        shows_ms: 1_925_024_400_000,
        speed: 600,
        advances: false,
        state: "Running at 600× real time".to_owned(),
    }
}

fn clocks() -> ClocksPage {
    ClocksPage {
        layout: layout("Test clocks", Nav::Clocks),
        clocks: vec![clock_strip()],
        most: 100,
        input: ClockInput::default(),
        idempotency_key: "key".into(),
    }
}

fn clock() -> ClockPage {
    let wrong = ("at".to_owned(), "Choose a time after the one the clock shows.".to_owned());
    ClockPage {
        layout: layout("Renewals", Nav::Clocks).by_clock(Some(clock_strip())),
        clock: clock_strip(),
        steps: [("1 day", 86_400); 4],
        speeds: vec![(0, "Frozen".to_owned(), false), (600, "600×".to_owned(), true)],
        input: ClockInput { error: Some(wrong), ..ClockInput::default() },
        idempotency_key: "key".into(),
        deletes_after: "2026-12-29 09:00:00 UTC".to_owned(),
        customers: vec![("cus_1".to_owned(), "Grace <cake>".to_owned())],
        raw_json: "{}".into(),
    }
}

#[test]
fn pages_are_small_safe_and_need_no_other_host() {
    let written = std::env::var_os("PAYSTORM_RENDER_DIR").map(std::path::PathBuf::from);
    for (name, html) in pages() {
        assert!(html.len() < 100_000, "{name} has {} bytes", html.len());
        // The Content-Security-Policy forbids all of these, and no page may need them.
        for forbidden in [" style=", "<style", " onclick", "javascript:", "src=\"http", "href=\"http"] {
            assert!(!html.contains(forbidden), "{name} contains {forbidden}");
        }
        assert!(!html.contains("<cake>"), "{name} does not escape what people type");
        if let Some(dir) = &written {
            std::fs::write(dir.join(format!("{name}.html")), html).expect("written");
        }
    }
}

#[test]
fn rows_read_well() {
    let lines = rows().into_iter().map(|row| {
        format!(
            "{:<18}{:<18}{:>14}  {} → {} | {}",
            row.badges.join(","),
            row.status.word,
            row.amount,
            row.from,
            row.to,
            row.note
        )
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn fragments_are_as_scripts_expect_them() {
    let (_, payment) = &samples::all()[2];
    let row = PaymentRow::of(payment, &names(), viewer(), START.plus_ms(12_000)).render().expect("renders");
    let journey = Journey::of(payment, Indexed::After(530_000)).render().expect("renders");
    let assets = super::assets::base_path();
    insta::assert_snapshot!(format!("{row}\n{journey}").replace(assets, "/static/VERSION"));
}
