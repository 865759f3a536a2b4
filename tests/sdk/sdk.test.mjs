// The official SDKs, Node's here and Python's in python_sdk.py, through whatever is offered.
//
// PAYSTORM_BIN names the binary, PAYSTORM_SDK_PYTHON a Python that has the packages of requirements.txt.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import Stripe from "stripe";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const BINARY = process.env.PAYSTORM_BIN ?? join(HERE, "../../target/release/paystorm");
const START_WITHIN_MS = 60_000;
const FOUND_WITHIN_MS = 60_000;
const CHARGE = { amount: 2000, currency: "usd", payment_method: "pm_card_visa", confirm: true, automatic_payment_methods: { enabled: true, allow_redirects: "never" } };

let data, server, origin, key, stripe;

before(async () => {
  data = await mkdtemp(join(tmpdir(), "paystorm-sdk-"));
  const settings = { ...process.env, PAYSTORM__DEMO__ENABLED: "false" };
  const command = (words, input) => {
    const run = spawnSync(BINARY, [...words, "--data-dir", data], { env: settings, input, encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
    return run.stdout.trim();
  };
  command(["user", "add", "sdk@example.org"], "a long and quiet river\n");
  key = command(["user", "api-key", "sdk@example.org"]).split("\n").at(-1);
  server = spawn(BINARY, ["serve", "--bind", "127.0.0.1:0", "--data-dir", data], { env: settings, stdio: ["ignore", "pipe", "inherit"] });
  origin = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no address in time")), START_WITHIN_MS);
    let printed = "";
    server.stdout.on("data", (chunk) => {
      printed += chunk;
      const found = /Paystorm is at (http:\/\/127\.0\.0\.1:\d+)/.exec(printed);
      if (!found) return;
      clearTimeout(timer);
      resolve(found[1]);
    });
    server.on("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  stripe = client(key);
});

after(async () => {
  if (server) {
    const ended = new Promise((resolve) => server.on("exit", resolve));
    server.kill("SIGTERM");
    await ended;
  }
  await rm(data, { recursive: true, force: true });
});

function client(secret, options = {}) {
  const { hostname, port } = new URL(origin);
  return new Stripe(secret, { host: hostname, port: Number(port), protocol: "http", maxNetworkRetries: 0, telemetry: false, ...options });
}

const charge = (more = {}, options) => stripe.paymentIntents.create({ ...CHARGE, ...more }, options);

// What an SDK throws for a call that must fail.
async function refused(type, call, expected = {}) {
  const error = await call().then(() => assert.fail("no error"), (thrown) => thrown);
  assert.equal(error.type, type, error.message);
  for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value, `${name} of ${error.message}`);
  return error;
}

async function all(list) {
  const ids = [];
  for await (const { id } of list) ids.push(id);
  return ids;
}

// Forwards by the SDK's own paging, and backwards from the last: the same.
async function pagedBothWays(resource, more = {}) {
  const forwards = await all(resource.list({ limit: 2, ...more }));
  assert.ok(forwards.length >= 5, `${forwards.length}`);
  assert.equal(new Set(forwards).size, forwards.length);
  const backwards = await all(resource.list({ limit: 2, ending_before: forwards.at(-1), ...more }));
  assert.deepEqual(backwards.reverse(), forwards.slice(0, -1));
}

test("customers follow test clocks", async () => {
  const [begin, day] = [1_577_836_800, 86_400];
  const clocks = stripe.testHelpers.testClocks;
  const clock = await clocks.create({ frozen_time: begin, name: "node" });
  const customer = await stripe.customers.create({ name: "Ann", test_clock: clock.id });
  assert.equal(customer.created, begin);
  const held = await stripe.paymentIntents.create({ ...CHARGE, capture_method: "manual", customer: customer.id });
  assert.deepEqual([held.status, held.created], ["requires_capture", begin]);
  assert.equal((await clocks.advance(clock.id, { frozen_time: begin + 8 * day })).status, "advancing");
  const deadline = Date.now() + FOUND_WITHIN_MS;
  while ((await clocks.retrieve(clock.id)).status !== "ready") {
    assert.ok(Date.now() < deadline, "it does not arrive");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal((await stripe.paymentIntents.retrieve(held.id)).canceled_at, begin + 7 * day);
  await assert.rejects(clocks.advance(clock.id, { frozen_time: begin }), { code: "test_clock_backwards" });
  const changed = await stripe.customers.update(customer.id, { metadata: { plan: "gold" } });
  assert.equal(changed.metadata.plan, "gold");
  assert.equal((await clocks.del(clock.id)).deleted, true);
  assert.equal((await stripe.customers.retrieve(customer.id)).deleted, true);
});

test("charges: create, confirm, capture, cancel, retrieve", async () => {
  const paid = await charge({ description: "one line", metadata: { order: "42" }, expand: ["latest_charge", "payment_method"] });
  assert.equal(paid.status, "succeeded");
  assert.equal(paid.description, "one line");
  assert.equal(paid.metadata.order, "42");
  assert.equal(paid.latest_charge.payment_method_details.card.last4, "4242");
  const line = await stripe.balanceTransactions.retrieve(paid.latest_charge.balance_transaction);
  assert.deepEqual([line.source, line.amount, line.type], [paid.latest_charge.id, 2000, "charge"]);
  assert.equal(paid.payment_method.card.brand, "visa");
  assert.ok(paid.lastResponse.requestId.startsWith("req_"));
  const open = await stripe.paymentIntents.create({ amount: 1000, currency: "eur", payment_method_types: ["card"] });
  assert.equal(open.status, "requires_payment_method");
  assert.equal((await stripe.paymentIntents.confirm(open.id, { payment_method: "pm_card_visa" })).status, "succeeded");
  const held = await charge({ capture_method: "manual" });
  assert.equal((await stripe.paymentIntents.capture(held.id, { amount_to_capture: 500 })).amount_received, 500);
  const other = await charge({ capture_method: "manual" });
  const canceled = await stripe.paymentIntents.cancel(other.id, { cancellation_reason: "duplicate" });
  assert.deepEqual([canceled.status, canceled.cancellation_reason], ["canceled", "duplicate"]);
  assert.equal((await stripe.paymentIntents.retrieve(other.id)).status, "canceled");
});

test("events say which request they came from", async () => {
  const idempotencyKey = "events-1";
  const customer = await stripe.customers.create({ name: "Ada" }, { idempotencyKey });
  const paid = await charge({ customer: customer.id });
  const changed = await stripe.customers.update(customer.id, { name: "Ada L." });
  const { data } = await stripe.events.list({ types: ["customer.created", "customer.updated", "payment_intent.succeeded"], limit: 3 });
  const wanted = [
    ["customer.updated", changed.lastResponse.requestId],
    ["payment_intent.succeeded", paid.lastResponse.requestId],
    ["customer.created", customer.lastResponse.requestId],
  ];
  assert.deepEqual(data.map((event) => [event.type, event.request.id]), wanted);
  assert.equal(data[2].request.idempotency_key, idempotencyKey);
  assert.deepEqual(data[0].data.previous_attributes, { name: "Ada" });
  assert.equal((await stripe.events.retrieve(data[0].id)).data.object.name, "Ada L.");
});

test("a second attempt is a second charge", async () => {
  const { payment_intent: declined } = await refused("StripeCardError", () => charge({ payment_method: "pm_card_visa_chargeDeclined" }));
  assert.equal(declined.payment_method, null);
  assert.equal(declined.last_payment_error.payment_method.card.last4, "0002");
  const paid = await stripe.paymentIntents.confirm(declined.id, { payment_method: "pm_card_mastercard" });
  const [second, first] = (await stripe.charges.list({ payment_intent: declined.id })).data;
  assert.deepEqual([first.id, second.id], [declined.latest_charge, paid.latest_charge]);
  assert.deepEqual([first.status, first.failure_code, first.outcome.type], ["failed", "card_declined", "issuer_declined"]);
  assert.deepEqual([second.status, second.payment_method_details.card.brand], ["succeeded", "mastercard"]);
  const shown = await stripe.charges.retrieve(second.id, { expand: ["payment_intent"] });
  assert.equal(shown.payment_intent.latest_charge, second.id);
  const refund = await stripe.refunds.create({ charge: second.id, amount: 100 });
  assert.deepEqual([refund.charge, refund.payment_intent], [second.id, paid.id]);
});

test("errors have the classes of the SDK", async () => {
  const declined = await refused("StripeCardError", () => charge({ payment_method: "pm_card_visa_chargeDeclinedInsufficientFunds" }), {
    code: "card_declined",
    decline_code: "insufficient_funds",
    statusCode: 402,
  });
  assert.equal(declined.payment_intent.status, "requires_payment_method");
  assert.equal(declined.payment_method.object, "payment_method");
  assert.ok(declined.charge.startsWith("ch_"));
  await refused("StripeInvalidRequestError", () => charge({ amount: -1 }), { param: "amount", statusCode: 400 });
  await refused("StripeInvalidRequestError", () => stripe.paymentIntents.retrieve("pi_nope"), { code: "resource_missing", statusCode: 404 });
  await refused("StripeInvalidRequestError", () => charge({ on_behalf_of: "acct_1" }), { code: "parameter_not_offered" });
  await refused("StripeInvalidRequestError", () => charge({ customer: "cus_1" }), { code: "resource_missing", param: "customer" });
  await refused("StripeAuthenticationError", () => client("sk_test_wrong").balance.retrieve(), { statusCode: 401 });
});

test("a key does a thing once", async () => {
  const key = { idempotencyKey: "order-1" };
  const [one, again] = [await charge({}, key), await charge({}, key)];
  assert.equal(one.id, again.id);
  assert.equal(again.lastResponse.idempotencyKey, "order-1");
  assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
  await refused("StripeIdempotencyError", () => charge({ amount: 2001 }, key), { statusCode: 400 });
  // At once: one payment, and a caller who is too early is answered so.
  const early = await Promise.allSettled([1, 2, 3, 4].map(() => charge({}, { idempotencyKey: "order-2" })));
  const made = early.filter(({ status }) => status === "fulfilled").map(({ value }) => value.id);
  assert.equal(new Set(made).size, 1);
  for (const { reason } of early.filter(({ status }) => status === "rejected")) assert.equal(reason.code, "idempotency_key_in_use");
});

test("3-D Secure without a browser", async () => {
  const asked = { payment_method: "pm_card_threeDSecure2Required", automatic_payment_methods: undefined, return_url: "https://shop.example/done" };
  const passes = await charge(asked);
  assert.equal(passes.status, "requires_action");
  const form = { method: "POST", body: new URLSearchParams({ passed: "true" }), redirect: "manual" };
  const led = await fetch(passes.next_action.redirect_to_url.url, form);
  assert.equal(led.status, 303);
  assert.ok(led.headers.get("location").startsWith("https://shop.example/done?payment_intent="));
  assert.equal((await stripe.paymentIntents.retrieve(passes.id)).status, "succeeded");
  const fails = await charge(asked);
  await stripe.rawRequest("POST", `/v1/test_helpers/payment_intents/${fails.id}/authenticate`, { passed: false }).catch((error) => error);
  const failed = await stripe.paymentIntents.retrieve(fails.id);
  assert.equal(failed.last_payment_error.code, "payment_intent_authentication_failure");
  await refused("StripeCardError", () => charge({ payment_method: "pm_card_authenticationRequired", off_session: true }), { code: "authentication_required" });
});

test("refunds, and lists in both directions", async () => {
  for (let n = 0; n < 5; n += 1) await stripe.refunds.create({ payment_intent: (await charge()).id, amount: 100 + n });
  const whole = await charge();
  const refund = await stripe.refunds.create({ charge: whole.latest_charge, reason: "requested_by_customer", metadata: { a: "b" }, expand: ["payment_intent"] });
  assert.deepEqual([refund.status, refund.amount, refund.payment_intent.id], ["succeeded", 2000, whole.id]);
  await refused("StripeInvalidRequestError", () => stripe.refunds.create({ payment_intent: whole.id }), { code: "charge_already_refunded" });
  assert.equal((await stripe.refunds.retrieve(refund.id)).metadata.a, "b");
  await pagedBothWays(stripe.paymentIntents);
  await pagedBothWays(stripe.charges);
  await pagedBothWays(stripe.refunds);
  const { data } = await stripe.refunds.list({ created: { gte: refund.created, lte: refund.created } });
  assert.ok(data.some(({ id }) => id === refund.id));
});

test("search by pages", async () => {
  for (let n = 0; n < 5; n += 1) await charge({ metadata: { batch: "search" } });
  const query = "metadata['batch']:'search' AND status:'succeeded'";
  const deadline = Date.now() + FOUND_WITHIN_MS;
  let found = [];
  while (found.length < 5 && Date.now() < deadline) found = await all(stripe.paymentIntents.search({ query, limit: 2 }));
  assert.equal(new Set(found).size, 5);
  assert.equal((await stripe.paymentIntents.search({ query, limit: 1, expand: ["total_count"] })).total_count, 5);
  await refused("StripeInvalidRequestError", () => stripe.paymentIntents.search({ query: "amount>>" }), { code: "search_query_invalid" });
});

test("wallets: money in, sent and out", async () => {
  const ben = await stripe.rawRequest("POST", "/v1/test_helpers/accounts", { name: "Ben" });
  await stripe.topups.create({ amount: 90000, currency: "eur", source: "tok_visa" });
  for (let n = 0; n < 5; n += 1) {
    await stripe.topups.create({ amount: 1000, currency: "eur", source: "tok_visa" });
    assert.equal((await stripe.transfers.create({ amount: 100, currency: "eur", destination: ben.id })).object, "transfer");
    assert.equal((await stripe.payouts.create({ amount: 100, currency: "eur" })).object, "payout");
  }
  for (const resource of [stripe.topups, stripe.transfers, stripe.payouts]) {
    await pagedBothWays(resource);
    const { data: [one] } = await resource.list({ limit: 1 });
    assert.equal((await resource.retrieve(one.id)).id, one.id);
  }
  const { available } = await stripe.balance.retrieve({}, { stripeAccount: ben.id });
  assert.equal(available[0].amount, 500);
  await refused("StripeInvalidRequestError", () => stripe.transfers.create({ amount: 100, currency: "gbp", destination: ben.id }), { code: "balance_insufficient" });
});

test("the SDK for Python", async () => {
  const python = process.env.PAYSTORM_SDK_PYTHON;
  assert.ok(python, "PAYSTORM_SDK_PYTHON is not set: make a venv with tests/sdk/requirements.txt");
  const child = spawn(python, [join(HERE, "python_sdk.py"), origin, key], { stdio: "inherit" });
  assert.equal(await new Promise((resolve) => child.on("exit", resolve)), 0);
});
