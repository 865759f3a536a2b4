//! Bad input on every entrance: the API, the WebSocket, the forms, the command line. `docs/bad-input.md` is made from the
//! cases. Settings have a table of their own, beside their code.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::support::server::{Server, Stack, with};

/// Status, type, code, parameter.
type Expected = (u16, &'static str, &'static str, &'static str);
/// What is wrong, how it is sent, its body, and what comes back.
type Case = (&'static str, &'static str, &'static str, Expected);

/// What is wrong, how it is sent, and what comes back: status (0 for frames), type, code, parameter or field of the form.
/// `docs/bad-input.md` is made of it.
const BAD_INPUT: &[Case] = &[
    (
        "No amount",
        "POST /v1/payment_intents",
        "currency=eur",
        (400, "invalid_request_error", "parameter_missing", "amount"),
    ),
    (
        "An amount of zero",
        "POST /v1/payment_intents",
        "amount=0&currency=eur",
        (400, "invalid_request_error", "parameter_invalid_integer", "amount"),
    ),
    (
        "A negative amount",
        "POST /v1/payment_intents",
        "amount=-5&currency=eur",
        (400, "invalid_request_error", "parameter_invalid_integer", "amount"),
    ),
    (
        "An amount with decimals",
        "POST /v1/payment_intents",
        "amount=12.50&currency=eur",
        (400, "invalid_request_error", "parameter_invalid_integer", "amount"),
    ),
    (
        "An amount beyond 64 bits",
        "POST /v1/payment_intents",
        r#"{"amount":1e30,"currency":"eur"}"#,
        (400, "invalid_request_error", "parameter_invalid_integer", "amount"),
    ),
    (
        "An amount beyond the limit",
        "POST /v1/payment_intents",
        "amount=100000000&currency=eur",
        (400, "invalid_request_error", "amount_too_large", "amount"),
    ),
    (
        "No currency",
        "POST /v1/payment_intents",
        "amount=100",
        (400, "invalid_request_error", "parameter_missing", "currency"),
    ),
    (
        "An unknown currency",
        "POST /v1/payment_intents",
        "amount=100&currency=xxx",
        (400, "invalid_request_error", "parameter_invalid_currency", "currency"),
    ),
    (
        "An unknown parameter",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&amout=1",
        (400, "invalid_request_error", "parameter_unknown", "amout"),
    ),
    (
        "A parameter that is not offered",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&on_behalf_of=acct_1",
        (400, "invalid_request_error", "parameter_not_offered", "on_behalf_of"),
    ),
    (
        "A customer who is not there",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&customer=cus_1",
        (400, "invalid_request_error", "resource_missing", "customer"),
    ),
    (
        "Confirmed without a card",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&confirm=true",
        (400, "invalid_request_error", "payment_intent_unexpected_state", "payment_method"),
    ),
    (
        "An unknown alias",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&payment_method=pm_card_nope",
        (400, "invalid_request_error", "resource_missing", "payment_method"),
    ),
    (
        "A number that fails the check digit",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&card[number]=4242424242424241&card[exp_month]=12&card[exp_year]=2040",
        (402, "card_error", "incorrect_number", "card[number]"),
    ),
    (
        "A number that may be a real card",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&card[number]=4111111111111111&card[exp_month]=12&card[exp_year]=2040",
        (402, "card_error", "card_declined", "card[number]"),
    ),
    (
        "A thirteenth month",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&card[number]=4242424242424242&card[exp_month]=13&card[exp_year]=2040",
        (402, "card_error", "invalid_expiry_month", "card[exp_month]"),
    ),
    (
        "A year that is past",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=2001",
        (402, "card_error", "invalid_expiry_year", "card[exp_year]"),
    ),
    (
        "A two-digit security code",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=2040&card[cvc]=12",
        (402, "card_error", "invalid_cvc", "card[cvc]"),
    ),
    (
        "Two cards at once",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&payment_method=pm_card_visa&card[number]=4242424242424242",
        (400, "invalid_request_error", "parameters_exclusive", "card"),
    ),
    (
        "A capture method that does not exist",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&capture_method=later",
        (400, "invalid_request_error", "parameter_invalid_enum", "capture_method"),
    ),
    (
        "A boolean that is none",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&confirm=yes",
        (400, "invalid_request_error", "parameter_invalid_boolean", "confirm"),
    ),
    (
        "A card number in a description",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&description=4242-4242-4242-4242",
        (400, "invalid_request_error", "card_number_in_text", "description"),
    ),
    (
        "A card number in metadata",
        "POST /v1/payment_intents",
        r#"{"amount":100,"currency":"eur","metadata":{"card":4111111111111111}}"#,
        (400, "invalid_request_error", "card_number_in_text", "metadata[card]"),
    ),
    (
        "A card number as the name of metadata",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&metadata[4242424242424242]=x",
        (400, "invalid_request_error", "card_number_in_text", "metadata"),
    ),
    (
        "An outcome that cannot be forced",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&metadata[paystorm_outcome]=maybe",
        (400, "invalid_request_error", "parameter_invalid_string", "metadata[paystorm_outcome]"),
    ),
    (
        "A card number as the name of an account",
        "POST /v1/test_helpers/accounts",
        "name=5555+5555+5555+4444",
        (400, "invalid_request_error", "card_number_in_text", "name"),
    ),
    (
        "A country in words",
        "POST /v1/test_helpers/accounts",
        "country=France",
        (400, "invalid_request_error", "parameter_invalid_string", "country"),
    ),
    (
        "A default currency that is none",
        "POST /v1/test_helpers/accounts",
        "default_currency=euro",
        (400, "invalid_request_error", "parameter_invalid_currency", "default_currency"),
    ),
    (
        "A NUL in a description",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&description=a%00b",
        (400, "invalid_request_error", "parameter_invalid_string", "description"),
    ),
    (
        "An escape sequence in metadata",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&metadata[note]=%1B[31mred",
        (400, "invalid_request_error", "parameter_invalid_string", "metadata[note]"),
    ),
    (
        "A line break in a description",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&description=a%0D%0Ab",
        (400, "invalid_request_error", "parameter_invalid_string", "description"),
    ),
    (
        "A line break in metadata",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&metadata[note]=a%0Ab",
        (400, "invalid_request_error", "parameter_invalid_string", "metadata[note]"),
    ),
    (
        "A line break in the name of metadata",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&metadata[a%0Ab]=1",
        (400, "invalid_request_error", "parameter_invalid_string", "metadata[ab]"),
    ),
    (
        "A control character in JSON",
        "POST /v1/payment_intents",
        r#"{"amount":100,"currency":"eur","description":"a\u0007b"}"#,
        (400, "invalid_request_error", "parameter_invalid_string", "description"),
    ),
    (
        "A line break in the name of a run",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&run=a%0Ab",
        (400, "invalid_request_error", "parameter_invalid_string", "run"),
    ),
    (
        "A line break in billing details",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&confirm=true&payment_method_data[type]=card&payment_method_data[card][token]=tok_visa&payment_method_data[billing_details][name]=a%0Ab",
        (
            400,
            "invalid_request_error",
            "parameter_invalid_string",
            "payment_method_data[billing_details][name]",
        ),
    ),
    (
        "A card number in billing details",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&confirm=true&payment_method_data[type]=card&payment_method_data[card][token]=tok_visa&payment_method_data[billing_details][address][line1]=4242+4242+4242+4242",
        (
            400,
            "invalid_request_error",
            "card_number_in_text",
            "payment_method_data[billing_details][address][line1]",
        ),
    ),
    (
        "A tab in a payee",
        "POST /v1/transfers",
        "amount=100&currency=eur&destination=a%09b@example.org",
        (400, "invalid_request_error", "parameter_invalid_string", "destination"),
    ),
    (
        "A control character in a refund's metadata",
        "POST /v1/refunds",
        "payment_intent=pi_0000000000000000000000&metadata[note]=a%7Fb",
        (400, "invalid_request_error", "parameter_invalid_string", "metadata[note]"),
    ),
    (
        "A card number in a refund's metadata",
        "POST /v1/refunds",
        "payment_intent=pi_0000000000000000000000&metadata[note]=4242424242424242",
        (400, "invalid_request_error", "card_number_in_text", "metadata[note]"),
    ),
    (
        "A reason for a refund that is none",
        "POST /v1/refunds",
        "payment_intent=pi_0000000000000000000000&reason=mood",
        (400, "invalid_request_error", "parameter_invalid_enum", "reason"),
    ),
    (
        "A control character in the name of an account",
        "POST /v1/test_helpers/accounts",
        "name=a%01b",
        (400, "invalid_request_error", "parameter_invalid_string", "name"),
    ),
    (
        "A line break in a search",
        "GET /v1/payment_intents/search?query=a%0Ab",
        "",
        (400, "invalid_request_error", "parameter_invalid_string", "query"),
    ),
    (
        "Bytes that are no text",
        "GET /v1/payment_intents?starting_after=%FF",
        "",
        (400, "invalid_request_error", "url_invalid", ""),
    ),
    (
        "A refund's list with two cursors",
        "GET /v1/refunds?starting_after=re_0000000000000000000000&ending_before=re_0000000000000000000000",
        "",
        (400, "invalid_request_error", "parameters_exclusive", "ending_before"),
    ),
    (
        "A time that is none",
        "GET /v1/refunds?created[gte]=yesterday",
        "",
        (400, "invalid_request_error", "parameter_invalid_integer", "created[gte]"),
    ),
    (
        "What narrows no list here",
        "GET /v1/payouts?status=paid",
        "",
        (400, "invalid_request_error", "parameter_not_offered", "status"),
    ),
    (
        "Metadata without a key",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&metadata=x",
        (400, "invalid_request_error", "parameter_invalid_string", "metadata"),
    ),
    (
        "JSON that breaks off",
        "POST /v1/payment_intents",
        r#"{"amount":100"#,
        (400, "invalid_request_error", "body_invalid", ""),
    ),
    ("A JSON list", "POST /v1/payment_intents", "[1]", (400, "invalid_request_error", "body_invalid", "")),
    (
        "A property that cannot be expanded",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&expand[]=customer",
        (400, "invalid_request_error", "property_not_expandable", "expand"),
    ),
    (
        "An id that does not exist",
        "GET /v1/payment_intents/pi_nope",
        "",
        (404, "invalid_request_error", "resource_missing", "id"),
    ),
    (
        "A path that is not offered",
        "GET /v1/subscriptions",
        "",
        (404, "invalid_request_error", "url_unrecognized", ""),
    ),
    (
        "A limit out of bounds",
        "GET /v1/payment_intents?limit=101",
        "",
        (400, "invalid_request_error", "parameter_invalid_integer", "limit"),
    ),
    (
        "Two cursors",
        "GET /v1/payment_intents?starting_after=pi_0000000000000000000000&ending_before=pi_0000000000000000000000",
        "",
        (400, "invalid_request_error", "parameters_exclusive", "ending_before"),
    ),
    (
        "A search that cannot be read",
        "GET /v1/payment_intents/search?query=amount%3E%3E",
        "",
        (400, "invalid_request_error", "search_query_invalid", "query"),
    ),
    (
        "A transfer to nobody",
        "POST /v1/transfers",
        "amount=100&currency=eur&destination=nobody@example.org",
        (400, "invalid_request_error", "resource_missing", "destination"),
    ),
    (
        "A transfer to oneself",
        "POST /v1/transfers",
        "amount=100&currency=eur&destination=shop@example.org",
        (400, "invalid_request_error", "transfer_to_self", "destination"),
    ),
    (
        "A bank account that is no test account",
        "POST /v1/payouts",
        "amount=100&currency=eur&bank_account=1",
        (400, "invalid_request_error", "bank_account_unknown", "bank_account"),
    ),
    (
        "Added money without a card",
        "POST /v1/topups",
        "amount=100&currency=eur",
        (400, "invalid_request_error", "parameter_missing", "payment_method"),
    ),
    (
        "A refund of nothing",
        "POST /v1/refunds",
        "amount=100",
        (400, "invalid_request_error", "parameter_missing", "payment_intent"),
    ),
    (
        "Too many accounts",
        "POST /v1/test_helpers/accounts",
        "count=10001",
        (400, "invalid_request_error", "parameter_invalid_integer", "count"),
    ),
    ("A frame that is no JSON", "WS", "hello", (0, "invalid_request_error", "body_invalid", "")),
    ("A frame without a type", "WS", "{}", (0, "invalid_request_error", "parameter_invalid_enum", "type")),
    (
        "A field that no message has",
        "WS",
        r#"{"type":"ping","colour":"red"}"#,
        (0, "invalid_request_error", "body_invalid", ""),
    ),
    (
        "A message without its payment",
        "WS",
        r#"{"type":"payment.submit"}"#,
        (0, "invalid_request_error", "parameter_missing", "payment"),
    ),
    (
        "An unknown kind of payment",
        "WS",
        r#"{"type":"payment.submit","payment":{"kind":"gift","amount":1,"currency":"eur"}}"#,
        (0, "invalid_request_error", "parameter_invalid_enum", "kind"),
    ),
    (
        "An amount with decimals in a frame",
        "WS",
        r#"{"type":"payment.submit","payment":{"kind":"charge","amount":12.5,"currency":"eur","payment_method":"pm_card_visa"}}"#,
        (0, "invalid_request_error", "parameter_invalid_integer", "amount"),
    ),
    (
        "A real card in a frame",
        "WS",
        r#"{"type":"payment.submit","payment":{"kind":"charge","amount":1,"currency":"eur","card":{"number":"4111111111111111","exp_month":12,"exp_year":2040}}}"#,
        (0, "card_error", "card_declined", "card[number]"),
    ),
    (
        "A card number in the text of a frame",
        "WS",
        r#"{"type":"payment.submit","payment":{"kind":"charge","amount":1,"currency":"eur","payment_method":"pm_card_visa","description":"3782 822463 10005"}}"#,
        (0, "invalid_request_error", "card_number_in_text", "description"),
    ),
    (
        "A control character in a frame",
        "WS",
        r#"{"type":"payment.submit","payment":{"kind":"charge","amount":100,"currency":"eur","payment_method":"pm_card_visa","description":"a\u001bb"}}"#,
        (0, "invalid_request_error", "parameter_invalid_string", "description"),
    ),
    (
        "A transfer without a payee",
        "WS",
        r#"{"type":"payment.submit","payment":{"kind":"transfer","amount":1,"currency":"eur"}}"#,
        (0, "invalid_request_error", "parameter_missing", "destination"),
    ),
    (
        "A payment of someone else's account",
        "WS",
        r#"{"type":"payment.submit","account":"acct_0000000000000000000000","payment":{"kind":"charge","amount":1,"currency":"eur","payment_method":"pm_card_visa"}}"#,
        (0, "invalid_request_error", "account_invalid", "account"),
    ),
    (
        "An unknown operation",
        "WS",
        r#"{"type":"operation.submit","payment_id":"pi_0000000000000000000000","operation":"forget"}"#,
        (0, "invalid_request_error", "parameter_invalid_enum", "operation"),
    ),
    (
        "An operation on nothing",
        "WS",
        r#"{"type":"operation.submit","payment_id":"pi_nope","operation":"refund"}"#,
        (0, "invalid_request_error", "resource_missing", "payment_id"),
    ),
    (
        "An unknown topic",
        "WS",
        r#"{"type":"subscribe","topic":"everything"}"#,
        (0, "invalid_request_error", "parameter_invalid_enum", "topic"),
    ),
    (
        "The topic of a payment that does not exist",
        "WS",
        r#"{"type":"subscribe","topic":"payment","payment_id":"pi_0000000000000000000000"}"#,
        (0, "invalid_request_error", "resource_missing", "payment_id"),
    ),
    (
        "The end of a subscription that was none",
        "WS",
        r#"{"type":"unsubscribe","subscription":9}"#,
        (0, "invalid_request_error", "resource_missing", "subscription"),
    ),
    ("A form without an amount", "FORM /payments", "kind=charge&currency=eur", (400, "", "", "amount")),
    (
        "A form with too many decimals",
        "FORM /payments",
        "kind=charge&amount=12.505&currency=eur&payment_method=pm_card_visa",
        (400, "", "", "amount"),
    ),
    (
        "A form with words for an amount",
        "FORM /payments",
        "kind=charge&amount=ten&currency=eur&payment_method=pm_card_visa",
        (400, "", "", "amount"),
    ),
    (
        "A form with half a yen",
        "FORM /payments",
        "kind=charge&amount=1.5&currency=jpy&payment_method=pm_card_visa",
        (400, "", "", "amount"),
    ),
    (
        "A form with a comma that may group thousands",
        "FORM /payments",
        "kind=charge&amount=1,250&currency=kwd&payment_method=pm_card_visa",
        (400, "", "", "amount"),
    ),
    (
        "A form with a card number in its description",
        "FORM /payments",
        "kind=charge&amount=1&currency=eur&payment_method=pm_card_visa&description=my+4242424242424242",
        (400, "", "", "description"),
    ),
    (
        "A form with a control character in its description",
        "FORM /payments",
        "kind=charge&amount=1&currency=eur&payment_method=pm_card_visa&description=a%07b",
        (400, "", "", "description"),
    ),
    (
        "Another password with a character that shows nothing",
        "FORM /account/password",
        "current_password=a+password+of+some+length&password=twelve%E2%80%8Bcharacters",
        (400, "", "", "password"),
    ),
    (
        "A form with an unknown currency",
        "FORM /payments",
        "kind=charge&amount=1&currency=xxx&payment_method=pm_card_visa",
        (400, "", "", "currency"),
    ),
    (
        "A form with a wrong card number",
        "FORM /payments",
        "kind=charge&amount=1&currency=eur&number=4242424242424241&expiry=12/40&cvc=123",
        (402, "", "", "number"),
    ),
    (
        "A form with an expiry that is none",
        "FORM /payments",
        "kind=charge&amount=1&currency=eur&number=4242424242424242&expiry=soon&cvc=123",
        (400, "", "", "expiry"),
    ),
    (
        "A form with a past expiry",
        "FORM /payments",
        "kind=charge&amount=1&currency=eur&number=4242424242424242&expiry=12/01&cvc=123",
        (402, "", "", "expiry"),
    ),
    (
        "A form with a short security code",
        "FORM /payments",
        "kind=charge&amount=1&currency=eur&number=4242424242424242&expiry=12/40&cvc=1",
        (402, "", "", "cvc"),
    ),
    (
        "A form that pays nobody",
        "FORM /payments",
        "kind=transfer&amount=1&currency=eur&destination=nobody@example.org",
        (400, "", "", "destination"),
    ),
    (
        "A form that pays oneself",
        "FORM /payments",
        "kind=transfer&amount=1&currency=eur&destination=shop@example.org",
        (400, "", "", "destination"),
    ),
    (
        "Another password without the right one",
        "FORM /account/password",
        "current_password=a+guess&password=twelve+characters",
        (400, "", "", "current_password"),
    ),
    (
        "Another password that is too short",
        "FORM /account/password",
        "current_password=a+password+of+some+length&password=short",
        (400, "", "", "password"),
    ),
    (
        "Another password that everybody tries first",
        "FORM /account/password",
        "current_password=a+password+of+some+length&password=password1234",
        (400, "", "", "password"),
    ),
];

const HEAD: &str = "# Bad input

Made from the test cases by `UPDATE_DOCS=1 cargo test --test it bad_input`; not written by hand. `WS` is a frame on the
WebSocket, `FORM` a form of the pages, where the field at fault is marked.

| what | sent | body | status | type | code | param |
|---|---|---|---|---|---|---|
";

/// What is wrong, the arguments, what is on standard input, and what is said on standard error.
const BAD_COMMANDS: &[(&str, &str, &str, &str)] = &[
    ("A subcommand that does not exist", "frobnicate", "", "unrecognized subcommand 'frobnicate'"),
    ("A flag that does not exist", "serve --port 80", "", "unexpected argument '--port' found"),
    (
        "An address without a port",
        "serve --bind nowhere",
        "",
        "--bind: server.bind: expected ADDRESS:PORT such as 127.0.0.1:8080, not \"nowhere\"",
    ),
    (
        "A file of settings that is not there",
        "serve --config nope.toml",
        "",
        "--config: cannot read nope.toml: No such file or directory",
    ),
    (
        "A user without an address",
        "user add nobody",
        "a good long password",
        "Not an e-mail address: write it like ada@example.org.",
    ),
    ("A short password", "user add ada@example.org", "short", "A password needs 12 to 128 characters."),
    ("No password", "user add ada@example.org", "", "A password needs 12 to 128 characters."),
    ("A key for nobody", "user api-key ada@example.org", "", "there is no user ada@example.org"),
    (
        "Acknowledgements that are not there",
        "verify --acks nope",
        "",
        "cannot read nope: No such file or directory",
    ),
    (
        "A target that is no web address",
        "load --target ftp://x --key k --rate 1 --for 1s",
        "",
        "invalid value 'ftp://x' for '--target <URL>'",
    ),
    (
        "A load without a key",
        "load --target http://127.0.0.1:1 --rate 1 --for 1s",
        "",
        "the following required arguments were not provided: --key <KEY>",
    ),
    (
        "A rate that is no number",
        "load --target http://127.0.0.1:1 --key k --rate fast --for 1s",
        "",
        "invalid value 'fast' for '--rate <N|max>'",
    ),
    (
        "A duration without a unit",
        "load --target http://127.0.0.1:1 --key k --rate 1 --for 5",
        "",
        "a duration is a number with ms, s, m or h, such as 30s or 1h30m, and at most a week",
    ),
    (
        "A mix of words",
        "load --target http://127.0.0.1:1 --key k --rate 1 --for 1s --mix charge=x",
        "",
        "a mix is written charge=70,transfer=20,refund=10",
    ),
    (
        "A server that is not there",
        "load --target http://127.0.0.1:1 --key k --rate 1 --for 1s",
        "",
        "cannot reach http://127.0.0.1:1/",
    ),
];

const COMMANDS_HEAD: &str = "
On the command line the program ends with an exit code that is not zero:

| what | command | standard input | standard error, in part |
|---|---|---|---|
";

/// Runs a command in an empty directory; it must fail in words, at once.
fn command(arguments: &str, input: &str, said: &str) -> Option<String> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut child = Command::new(env!("CARGO_BIN_EXE_paystorm"))
        .args(arguments.split(' '))
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    // Who does not read its input may be gone by now.
    drop(child.stdin.take().expect("piped").write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("ended");
    let text = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    let good = !output.status.success() && text.contains(said) && !text.contains("panicked");
    (!good).then(|| format!("{}: {text}", output.status))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_answered_as_documented() {
    with(Stack::Embedded, |_| {}, every_case).await;
}

async fn every_case(server: Arc<Server>) {
    let cookie = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&cookie).await;
    let (mut table, mut wrong) = (HEAD.to_owned(), Vec::new());
    for (what, target, body, expected) in BAD_INPUT {
        let (status, kind, code, param) = expected;
        let problem = match target.split_once(' ') {
            None => frame(&server, body, expected).await,
            Some(("FORM", path)) => form(&server, (&cookie, &csrf), path, body, expected).await,
            Some((method, path)) => {
                let answer = server.send(method, path, body, &[]).await;
                (answer.error() != *expected).then(|| format!("{answer:?}"))
            }
        };
        wrong.extend(problem.map(|problem| format!("{what}: {problem}")));
        let status = if *status == 0 { "–".to_owned() } else { status.to_string() };
        writeln!(table, "| {what} | `{target}` | `{body}` | {status} | {kind} | {code} | {param} |")
            .expect("written");
    }
    table.push_str(COMMANDS_HEAD);
    for (what, arguments, input, said) in BAD_COMMANDS {
        wrong.extend(command(arguments, input, said).map(|problem| format!("{what}: {problem}")));
        writeln!(table, "| {what} | `paystorm {arguments}` | `{input}` | {said} |").expect("written");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (_, list) = server.get("/v1/topups").await;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(0), "bad input made something");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/bad-input.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &table).expect("written");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), table, "run with UPDATE_DOCS=1");
}

/// Sends a frame; the socket must stay open and say what is wrong.
async fn frame(server: &Server, text: &str, expected: &Expected) -> Option<String> {
    let request = server.upgrade(&[("authorization", &format!("Bearer {}", server.key))]);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("let in");
    socket.send(Message::text(text)).await.expect("sent");
    socket.send(Message::text(r#"{"type":"ping","id":"after"}"#)).await.expect("sent");
    let mut answers = Vec::new();
    while answers.len() < 2 {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => {
                answers.push(serde_json::from_str::<Value>(&text).expect("JSON"))
            }
            Some(Ok(_)) => {}
            other => return Some(format!("the socket ended: {other:?} after {answers:?}")),
        }
    }
    socket.close(None).await.expect("closed");
    // What is handed in is answered when it is committed, and so maybe after the ping.
    let Some(error) = answers.iter().find(|answer| answer["type"] == "error") else {
        return Some(format!("no error: {answers:?}"));
    };
    let text = |name: &str| error["error"][name].as_str().unwrap_or_default();
    let said = (text("type"), text("code"), text("param"));
    let ponged = answers.iter().any(|answer| answer["type"] == "pong");
    (said != (expected.1, expected.2, expected.3) || !ponged).then(|| format!("{answers:?}"))
}

/// Sends a form; the answer must be the page again, with the field marked.
async fn form(
    server: &Server,
    (cookie, csrf): (&str, &str),
    path: &str,
    body: &str,
    expected: &Expected,
) -> Option<String> {
    let mut fields: Vec<(String, String)> =
        url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    fields.push(("csrf".to_owned(), csrf.to_owned()));
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let response = server.post_form(path, cookie, &[("origin", &server.url)], &fields).await;
    let status = response.status().as_u16();
    let page = response.text().await.expect("text");
    let mark = format!("data-error-for=\"{}\">", expected.3);
    let message = page.split_once(&mark).and_then(|(_, rest)| rest.split('<').next()).unwrap_or_default();
    (status != expected.0 || message.trim().is_empty()).then(|| format!("{status}, marked: {message:?}"))
}
