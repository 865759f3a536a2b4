// What axe-core finds on every page, in light and dark: nothing moderate, serious or critical. And what every page keeps to: its
// weight, its own host, a strict policy, no sideways scroll on a small phone, and that it needs no script to be read.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { charge, complaints, eventually, launchBrowser, startServer } from "./support.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TOLERATED = new Set(["minor", null]);
const PAGE_MAX_BYTES = 200_000;
const PAGES = [
  "/", "/pay", "/pay?kind=transfer", "/payments", "/payments?q=status%3A%22declined%22", "/payments?q=amount%3E%3E", "/payments/import", "/wallets", "/wallets/eur",
  "/insights", "/customers", "/clocks", "/scenario", "/scenario?example=slow-acquirer", "/keys", "/requests", "/system", "/how", "/how-it-works/retry-storm", "/account", "/nowhere",
];
const LOOKS = [["light", 1280], ["dark", 1280], ["dark", 360], ["light", 360]];
const OUTSIDE = ["/sign-in", "/register", "/start?t=spent", "/nowhere"];

let turn = 0;
let server;
let browser;
// Pages of their own that only there are once something was done.
let made;
// What the demo account's browser keeps, for all looks.
let session;

before(async () => {
  server = await startServer({ demo: true, env: { PAYSTORM__DEMO__LATENCY_MEDIAN_MS: "5" } });
  browser = await launchBrowser();
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(/http:\S+\/start\?t=\S+/.exec(server.printed())[0]);
  await page.waitForURL(`${server.origin}/`);
  await fetch(`${server.origin}/v1/balance`, { headers: { authorization: "Bearer sk_test_anything" } });
  made = [await refusedRow(page)];
  await eventually("the demo has made payments", async () => {
    await page.goto(`${server.origin}/payments`);
    return (await page.locator("[data-payment-id]").count()) > 15;
  }, 60_000);
  for (const status of ["succeeded", "declined"]) {
    made.push(await page.locator(`[data-status="${status}"] .row-link`).first().getAttribute("href"));
  }
  made.push(`${made[1]}/challenge`);
  await eventually("the call is logged", async () => {
    await page.goto(`${server.origin}/requests`);
    return (await page.locator(".request-path").count()) > 0;
  });
  made.push(await page.locator(".request-path").first().getAttribute("href"));
  await page.goto(`${server.origin}/how`);
  await page.getByRole("button", { name: /Send 2/ }).click();
  await page.locator("[data-verdict]").waitFor();
  made.push(...(await onClock()), ...(await putInForce()));
  session = await context.storageState();
  await context.close();
});

// The pages of a test clock and of what follows it.
async function onClock() {
  const key = "sk_test_anything";
  const post = async (path, fields) => {
    const body = new URLSearchParams(fields);
    const answer = await fetch(server.origin + path, { method: "POST", headers: { authorization: `Bearer ${key}` }, body });
    return (await answer.json()).id;
  };
  const clock = await post("/v1/test_helpers/test_clocks", { frozen_time: "1925024400", name: "Renewals" });
  const customer = await post("/v1/customers", { name: "Grace Hopper", test_clock: clock });
  const held = await charge(server.origin, key, 500, { customer, capture_method: "manual" });
  return [`/clocks/${clock}`, `/customers?clock=${clock}`, `/customers/${customer}`, `/payments/${held}`];
}

// The pages of a scenario that was put in force after another.
async function putInForce() {
  for (const name of ["First", "Second"]) {
    const body = new URLSearchParams({ file: `name = "${name}"\n[[acquirer]]\nname = "northbank"\n` });
    await fetch(`${server.origin}/v1/test_helpers/scenario`, { method: "POST", headers: { authorization: "Bearer sk_test_anything" }, body });
  }
  return ["/scenario?put=2", "/scenario/revisions/1", "/scenario/revisions/2/changes"];
}

// The page of an import with a mistake in it.
async function refusedRow(page) {
  await page.goto(`${server.origin}/payments/import`);
  const buffer = Buffer.from("key,amount,currency,payment_method\nrow-1,a lot,eur,pm_card_visa\n");
  await page.getByLabel("CSV file").setInputFiles({ name: "till.csv", mimeType: "text/csv", buffer });
  await page.getByRole("button", { name: "Import" }).click();
  await page.waitForURL(/\/payments\/imports\/imp_/);
  return new URL(page.url()).pathname;
}

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function wear(page, [colorScheme, width]) {
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize({ width, height: 900 });
}

// What axe-core says of a page as it stands, and whether it is wider than the window.
async function inspect(page, name, found) {
  const { violations, passes } = await page.evaluate(() => window.axe.run({ resultTypes: ["violations"] }));
  if (passes.length < 10) found.push(`${name}: only ${passes.length} rules had something to look at`);
  for (const { id, impact, nodes } of violations) {
    if (!TOLERATED.has(impact)) found.push(`${name}: ${id} (${impact}) ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`).join(" | ")}`);
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0) found.push(`${name}: ${wide} px wider than the window`);
}

async function look(context, path, found) {
  const page = await context.newPage();
  const errors = complaints(page);
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  await network.send("Network.setCacheDisabled", { cacheDisabled: true });
  const sizes = [];
  const elsewhere = [];
  page.on("response", (response) => sizes.push(response.body().then((body) => body.length, () => 0)));
  page.on("request", (request) => {
    if (!request.url().startsWith(server.origin) && !request.url().startsWith("data:")) elsewhere.push(request.url());
  });
  // Each page is loaded as one of the four, and looked at as all of them.
  const looks = LOOKS.map((_, n) => LOOKS[(n + turn) % LOOKS.length]);
  turn += 1;
  await wear(page, looks[0]);
  const response = await page.goto(`${server.origin}${path}`);
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  await page.waitForTimeout(300);
  // That a page of a mistake has the status of one is said on the console as well. Nothing else is.
  const unexpected = errors.filter((error) => response.ok() || !error.includes(`status of ${response.status()}`));
  if (unexpected.length > 0) found.push(`${path}: ${unexpected[0]}`);
  const policy = response.headers()["content-security-policy"] ?? "";
  if (!/^default-src 'self'(;|$)/.test(policy) || /unsafe|\*|http|data:/.test(policy)) found.push(`${path}: its policy is "${policy}"`);
  // Evaluated by the browser itself, not by the page: its policy forbids scripts from elsewhere, rightly.
  await page.evaluate(AXE);
  for (const look of looks) {
    await wear(page, look);
    await inspect(page, `${path}, ${look.join(", ")} px`, found);
  }
  if (bytes > PAGE_MAX_BYTES) found.push(`${path}: ${bytes} bytes`);
  if (elsewhere.length > 0) found.push(`${path}: asked ${elsewhere[0]}`);
  await page.close();
}

// Looks at every page in a browser that is signed in, and at those for everyone in one that is not.
async function everywhere(options, see) {
  const found = [];
  for (const [storageState, paths] of [[session, [...PAGES, ...made]], [undefined, OUTSIDE]]) {
    const context = await browser.newContext({ storageState, ...options });
    for (const path of paths) await see(context, path, found);
    await context.close();
  }
  assert.deepEqual(found, []);
}

// At rest: a row that just came in shines for a second, and a change of colours in that second is nobody's.
test("every page is open to everyone, light and dark, wide and narrow", { timeout: 480_000 }, () => everywhere({ reducedMotion: "reduce" }, look));

const headings = (page) => page.locator("main :is(h1, h2)").allInnerTexts();

// Held back as long as one likes, the scripts change nothing about what is painted first, and little once they are there.
async function paint(context, path, found) {
  const page = await context.newPage();
  let holding = true;
  const held = [];
  await page.route(/\.js$/, (route) => (holding ? held.push(route) : route.continue()));
  await page.goto(server.origin + path, { waitUntil: "commit" });
  await eventually(`${path} is painted`, () => page.evaluate(() => performance.getEntriesByName("first-contentful-paint").length === 1 && document.readyState === "interactive"));
  const said = await headings(page);
  if (held.length === 0) found.push(`${path}: no script was held back`);
  holding = false;
  await Promise.all(held.map((route) => route.continue()));
  await page.waitForLoadState();
  const scripted = await headings(page);
  if (said.length === 0 || said.join() !== scripted.join()) found.push(`${path}: says "${said}" at first, and "${scripted}" in the end`);
  await page.close();
}

test("every page is painted before its scripts are there", { timeout: 120_000 }, () => everywhere({}, paint));

// Without JavaScript a page has its words, and nothing on it is a button that does nothing.
async function read(context, path, found) {
  const page = await context.newPage();
  await page.goto(server.origin + path);
  const words = (await page.locator("main").innerText()).trim();
  if (!(await page.locator("main h1").isVisible()) || words.length < 30) found.push(`${path}: says only "${words}"`);
  for (const dead of await page.locator("button:visible:not(form button)").allInnerTexts()) found.push(`${path}: "${dead}" does nothing`);
  await page.close();
}

test("every page can be read without JavaScript", { timeout: 120_000 }, () => everywhere({ javaScriptEnabled: false }, read));
