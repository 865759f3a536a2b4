//! Whole pages and fragments as HTML. With `PAYSTORM_RENDER_DIR` set, the pages are also written there, to be looked at
//! without a server.

use askama::Template;

use super::form::{FieldError, PayForm, PayFormInput};
use super::home::HomePage;
use super::journey::Journey;
use super::keys::{KeyLine, KeysPage};
use super::layout::{Layout, Nav};
use super::payment::{ChallengePage, PaymentPage, PaymentView};
use super::payments::{BarText, Chip, ChipGroup, Histogram, PaymentsPage, QueryError, bars};
use super::row::PaymentRow;
use super::samples::{self, START, names, viewer};
use super::sign_in::SignInPage;
use super::system::{PartLine, ReaderLine, SystemPage};
use super::wallets::WalletsPage;
use crate::domain::payment::Payment;

fn layout(title: &str, nav: Nav) -> Layout {
    Layout { now_ms: START.millis(), ..Layout::signed_in(title, nav, "Corner Coffee", "token") }
}

fn rows() -> Vec<PaymentRow> {
    samples::all()
        .iter()
        .map(|(_, payment)| PaymentRow::of(payment, &names(), viewer(), START.plus_ms(12_000)))
        .collect()
}

fn page_of(payment: &Payment) -> PaymentView {
    PaymentView::of(payment, &samples::movements(payment), &names(), viewer(), START.plus_ms(2_000))
}

fn payments(query: &str, error: Option<QueryError>, rows: Vec<PaymentRow>) -> PaymentsPage {
    let chip = |label: &str, on| Chip {
        label: label.to_owned(),
        count: Some("128".to_owned()),
        href: super::payments::address(label),
        on,
    };
    let bucket = |n: u64| BarText {
        count: n * 7 % 23,
        title: format!("{n} payments"),
        href: "/payments".to_owned(),
        seconds: (0, 10),
    };
    let buckets: Vec<_> = (0..40).map(bucket).collect();
    PaymentsPage {
        layout: layout("Payments", Nav::Payments),
        lag: Some("Search is 4 s behind; the newest may be missing.".to_owned()),
        query: query.to_owned(),
        error,
        groups: vec![
            ChipGroup {
                label: "Status",
                chips: vec![chip("succeeded", false), chip("declined", true), chip("failed", false)],
            },
            ChipGroup { label: "Kind", chips: vec![chip("charge", false), chip("transfer", false)] },
        ],
        histogram: Some(Histogram {
            bars: bars(&buckets),
            from: "1 Jan 00:00:00".to_owned(),
            until: "1 Jan 01:00:00".to_owned(),
        }),
        rows,
        total: Some("1,250 payments".to_owned()),
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
        samples::all().first().map_or_else(Journey::empty, |(_, payment)| Journey::of(payment, None));
    let home = HomePage {
        layout: layout("Home", Nav::Home),
        form: form.clone(),
        journey,
        balances: vec!["€12.50 EUR".to_owned(), "¥1250 JPY".to_owned()],
        rows: rows(),
    };
    let failed = FieldError { field: "amount".to_owned(), message: "EUR has 2 decimals".to_owned() };
    let blank = HomePage {
        layout: layout("Home", Nav::Home),
        form: PayForm::new(
            PayFormInput { kind: "transfer".to_owned(), ..PayFormInput::first() },
            "key".to_owned(),
            Some(failed),
        ),
        journey: Journey::empty(),
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
        href: "/payments".to_owned(),
    };
    let insights = super::insights::InsightsPage {
        layout: layout("Insights", Nav::Insights),
        ranges: super::insights::range_links("1h"),
        total: "600 payments".to_owned(),
        plots: super::insights::plots_of(&super::insights::tests::points()),
        reasons: vec![reason("insufficient funds", 40), reason("lost card", 7)],
        most: 40,
    };
    let wallet = |currency: &str, minor, owed: bool| {
        let wallet = crate::domain::ledger::WalletId {
            owner: viewer(),
            currency: currency.parse().expect("currency"),
        };
        let account = if owed {
            crate::domain::ledger::LedgerAccount::Receivable(wallet)
        } else {
            crate::domain::ledger::LedgerAccount::Wallet(wallet)
        };
        crate::store::WalletRecord { account, wallet, balance_minor: minor }
    };
    let records = [
        wallet("EUR", 123_450, false),
        wallet("EUR", 500, true),
        wallet("JPY", 1250, false),
        wallet("KWD", 1250, false),
    ];
    let wallets = WalletsPage {
        layout: layout("Wallets", Nav::Wallets),
        wallets: super::wallets::wallet_lines(&records),
    };
    let part = |name: &str, up| PartLine {
        name: name.into(),
        up,
        detail: if up { "answers" } else { "is away" }.into(),
    };
    let number = |label: &str, value: &str| (label.to_owned(), value.to_owned(), "open".to_owned());
    let system = SystemPage {
        layout: layout("System", Nav::System),
        numbers: vec![
            number("Accepted a second", "1,012"),
            number("In the queue", "312"),
            number("Oldest in the queue", "0.4 s"),
            number("Parked", "1"),
        ],
        parts: vec![part("Store", true), part("Work queue", true), part("Search", false)],
        readers: vec![ReaderLine { name: "index".into(), lag: "3".into(), cursor: "1,250".into() }],
        parked: rows().into_iter().filter(|row| row.badges.contains(&"parked")).collect(),
    };
    let sign_in = |register| SignInPage {
        layout: Layout { now_ms: START.millis(), ..Layout::signed_out("Sign in", "token") },
        register,
        registration: true,
        email: "ada@example.com".into(),
        name: String::new(),
        next: "/".into(),
        error: (!register).then(|| FieldError {
            field: String::new(),
            message: "That e-mail address and password do not fit.".into(),
        }),
    };
    let gone = super::error_page::ErrorPage::new(
        Layout { now_ms: START.millis(), ..Layout::signed_out("Not found", "token") },
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
        render("system", &system),
        render("sign-in", &sign_in(false)),
        render("register", &sign_in(true)),
        render("error", &gone),
    ];
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
    let journey = Journey::of(payment, Some(530_000)).render().expect("renders");
    let assets = super::assets::base_path();
    insta::assert_snapshot!(format!("{row}\n{journey}").replace(&assets, "/static/VERSION"));
}
