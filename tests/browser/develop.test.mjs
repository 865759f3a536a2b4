// The pages for those who write programs, on both stacks: keys are made, seen once and revoked; the log of calls can be narrowed
// down, shows what was sent and answered without anyone's secrets, and belongs to one account.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { LIVE, apiKey, charge, eventually, onEachStack, person } from "./support.mjs";

const SETTINGS = { PAYSTORM__REQUESTS__PER_SECOND: "1000", PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "5" };
const PAGE = 50;

const lines = (page) => page.locator(".request");
const keyRow = (page, name) => page.getByRole("region", { name: "Keys" }).locator("tbody tr", { hasText: name });

// Calls the API as a program does; resolves with the status, the body and the id of the request.
async function call(origin, key, method, path, { json, form } = {}) {
  const body = json ? JSON.stringify(json) : form && new URLSearchParams(form);
  const headers = { authorization: `Bearer ${key}`, ...(json && { "content-type": "application/json" }) };
  const answer = await fetch(origin + path, { method, headers, body });
  return { status: answer.status, body: await answer.json(), id: answer.headers.get("request-id") };
}

async function makeKey(page, name) {
  await page.getByLabel("Name").fill(name);
  await page.getByRole("button", { name: "Make a key" }).click();
  return page.locator("[data-secret]").innerText();
}

async function keys(server, { context, page }) {
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.origin });
  await page.goto(`${server.origin}/keys`);
  await page.getByText("No keys yet.").waitFor();
  const till = await makeKey(page, "till <1>");
  assert.match(till, /^sk_test_\w{20,}$/);
  await page.getByRole("button", { name: `Copy ${till}` }).click();
  await page.getByText("Copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), till);
  // The command beside it works as it stands.
  const line = await page.locator(".secret pre").innerText();
  const run = spawnSync("sh", ["-c", `${line} -s`], { encoding: "utf8" });
  assert.equal(JSON.parse(run.stdout).amount, 1_250, run.stdout + run.stderr);

  const shop = await makeKey(page, "shop");
  await page.goto(`${server.origin}/keys`);
  assert.equal((await page.content()).includes(till), false, "shown once");
  assert.equal(await keyRow(page, "till <1>").locator("code").innerText(), `sk_test_…${till.slice(-4)}`);
  await keyRow(page, "till <1>").getByRole("button", { name: "Revoke" }).click();
  await keyRow(page, "till <1>").getByText("revoked").waitFor();
  assert.equal(await keyRow(page, "till <1>").getByRole("button").count(), 0);
  const refused = await call(server.origin, till, "GET", "/v1/balance");
  assert.equal(refused.status, 401);
  assert.match(refused.body.error.message, /key/i);
  assert.equal((await call(server.origin, shop, "GET", "/v1/balance")).status, 200, "the other one still works");
  return shop;
}

// Narrows the log down as a person does; resolves with the lines that are left.
async function show(page, fields) {
  await page.getByRole("link", { name: "Requests", exact: true }).click();
  for (const [label, value] of Object.entries(fields)) {
    const field = page.getByLabel(label);
    await (label === "Path or request id" ? field.fill(value) : field.selectOption(value));
  }
  await page.getByRole("button", { name: "Show" }).click();
  return lines(page).locator(".request-path").allInnerTexts();
}

async function log(server, { page }, shop, till) {
  const paid = await charge(server.origin, shop);
  await call(server.origin, shop, "GET", `/v1/payment_intents/${paid}`);
  await call(server.origin, till, "POST", "/v1/refunds", { form: { payment_intent: "pi_nobody" } });
  await call(server.origin, till, "DELETE", "/v1/test_helpers/accounts/acct_nobody");
  await eventually("all calls in the log", async () => {
    await page.goto(`${server.origin}/requests`);
    // With the one of the printed line and the one that looked at the balance; what a revoked key asked is nobody's.
    return (await lines(page).count()) === 6 || lines(page).allInnerTexts();
  });
  const newest = lines(page).first();
  assert.equal(await newest.locator(".request-path").innerText(), "/v1/test_helpers/accounts/acct_nobody");
  assert.equal(await newest.locator(".request-method").innerText(), "DELETE");
  assert.equal(await newest.locator(".request-status").innerText(), "404");
  assert.match(await newest.locator(".request-key").innerText(), /^browser test \((sk_test_)?…\w{4}\)$/);
  assert.match(await newest.locator(".request-latency").innerText(), /^[\d.]+ (µs|ms|s)$/);

  assert.deepEqual(await show(page, { Method: "GET" }), [`/v1/payment_intents/${paid}`, "/v1/balance"]);
  assert.deepEqual(await show(page, { Status: "4xx" }), ["/v1/test_helpers/accounts/acct_nobody", "/v1/refunds"]);
  assert.deepEqual(await show(page, { Status: "4xx", Method: "POST" }), ["/v1/refunds"]);
  assert.equal(await page.getByLabel("Method").inputValue(), "POST", "what was chosen stays chosen");
  assert.deepEqual(await show(page, { "Path or request id": "balance" }), ["/v1/balance"]);
  const ofShop = await page.getByLabel("Key").locator("option", { hasText: "shop (" }).innerText();
  assert.equal((await show(page, { Key: ofShop })).length, 3);
  assert.deepEqual(await show(page, { Status: "5xx" }), []);
  await page.getByText("Nothing fits.").waitFor();
  await page.getByRole("link", { name: "Show all" }).click();
  assert.equal(await lines(page).count(), 6);
}

const CARD = { number: "4242424242424242", exp_month: 12, exp_year: 2034, cvc: "987" };

// What was sent and answered, readable; of secrets and card data nothing.
async function masked(server, { page }, shop) {
  const json = { amount: 4_200, currency: "eur", confirm: true, card: CARD, description: `for ${shop}`, metadata: { order: "1001", api_key: shop } };
  const sent = await call(server.origin, shop, "POST", "/v1/payment_intents", { json });
  assert.equal(sent.status, 200, JSON.stringify(sent.body));
  // A card number in text is refused, and the refusal is logged without it.
  const refused = await call(server.origin, shop, "POST", "/v1/payment_intents", { json: { amount: 1, currency: "eur", description: "5555 5555 5555 4444" } });
  assert.deepEqual([refused.status, refused.body.error.param], [400, "description"]);
  await eventually("the call in the log", async () => {
    await page.goto(`${server.origin}/requests`);
    return (await page.locator(`a[href="/requests/${sent.id}"]`).count()) === 1;
  });
  await page.locator(`a[href="/requests/${sent.id}"]`).click();
  await page.getByRole("heading", { name: "POST /v1/payment_intents" }).waitFor();
  const part = (name) => page.getByRole("region", { name }).innerText();
  const [details, request, answer] = [await part("Details"), await part("Sent"), await part("Answered")];
  for (const word of ["200", sent.id, "shop ("]) assert.ok(details.includes(word), `${word} in ${details}`);
  for (const word of ['"amount": 4200', '"order": "1001"', '"number": "***"', '"cvc": "***"', '"api_key": "***"']) assert.ok(request.includes(word), `${word} in ${request}`);
  assert.ok(answer.includes(`"id": "${sent.body.id}"`), answer);
  const html = await page.content();
  // Any three digits may stand in a time or an id, but not between quotes.
  const cvc = [`"${CARD.cvc}"`, `&quot;${CARD.cvc}&quot;`, `&#34;${CARD.cvc}&#34;`];
  for (const secret of [CARD.number, "5555 5555", ...cvc, shop, sent.body.client_secret].filter(Boolean)) assert.ok(!html.includes(secret), `${secret} is on the page`);
  await page.goto(`${server.origin}/requests/${refused.id}`);
  await page.getByRole("heading", { name: "POST /v1/payment_intents" }).waitFor();
  // Four of its digits may stand in a time or an id; two groups of them are the number.
  const left = /.{0,80}5555[ -]?5555.{0,80}/s.exec(await page.content());
  assert.equal(left, null, "masked");
  return sent.id;
}

// Older calls are a page further.
async function older(server, { page }, shop) {
  let last;
  for (let n = 0; n <= PAGE; n += 1) last = await call(server.origin, shop, "GET", "/v1/balance");
  // The last one as well: a line that comes later would push others to the next page.
  await eventually("more than a page", async () => {
    await page.goto(`${server.origin}/requests`);
    const seen = [await page.locator(".requests > li").count(), await page.getByRole("link", { name: "Older" }).count()];
    const newest = await page.locator(".request-path").first().getAttribute("href");
    return (seen[0] === PAGE && seen[1] === 1 && newest === `/requests/${last.id}`) || [seen, newest];
  });
  const links = () => page.locator(".request-path").evaluateAll((all) => all.map((link) => link.getAttribute("href")));
  const newest = await links();
  await page.getByRole("link", { name: "Older" }).click();
  await page.waitForURL(/before=req_/);
  const found = await links();
  assert.ok(found.length > 0 && !found.some((link) => newest.includes(link)), found.join());
}

onEachStack("keys and the log of their calls", { env: SETTINGS }, async (server, browser) => {
  const ada = await person(browser, server.origin, "Ada");
  await ada.page.goto(`${server.origin}/requests`);
  await ada.page.getByText("No calls yet.").waitFor();
  const shop = await keys(server, ada);
  const till = await apiKey(ada, server.origin);
  await log(server, ada, shop, till);
  const request = await masked(server, ada, shop);

  const ben = await person(browser, server.origin, "Ben");
  await ben.page.goto(`${server.origin}/requests/${request}`);
  await ben.page.getByRole("heading", { name: "Nothing here" }).waitFor();
  await ben.page.goto(`${server.origin}/requests`);
  await ben.page.locator(LIVE).waitFor();
  assert.equal(await lines(ben.page).count(), 0);

  await older(server, ada, shop);
  assert.deepEqual([...ada.seen.errors, ...ben.seen.errors.filter((error) => !error.includes("404"))], []);
});

// A flood costs nothing, and the log says what it left out. With one call a second to be logged, calls made at once are too many however
// slow the machine.
onEachStack("a flood of calls is counted", { env: { ...SETTINGS, PAYSTORM__REQUESTS__PER_SECOND: "1" } }, async (server, browser) => {
  const { page, ...ada } = await person(browser, server.origin, "Ada");
  const key = await apiKey(ada, server.origin);
  await Promise.all(Array.from({ length: 100 }, () => call(server.origin, key, "GET", "/v1/balance")));
  await eventually("it says that some were left out", async () => {
    await page.goto(`${server.origin}/requests`);
    return (await page.locator(".request-gap").count()) > 0;
  });
  assert.match(await page.locator(".request-gap").first().innerText(), /^[\d,]+ requests were not logged between .* too many at once\.$/);
});
