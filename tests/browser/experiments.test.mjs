// The guided experiments and the acquirers of a scenario as they stand now, on both stacks: one press runs an experiment, its plots grow
// and can be read by pointer, keyboard and as a table, a reload in mid-run goes on, two sentences say what was seen. A breaker that
// opens is shown on the page of the scenario by itself. PAYSTORM_PICTURES names a directory for pictures.
import assert from "node:assert/strict";
import { test } from "node:test";
import { apiKey, charge, eventually, fits, onEachStack, onServer, person } from "./support.mjs";

const SETTINGS = { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "5" };
const BREAKING = `name = "Breaking"

[[acquirer]]
name = "north"
latency = { fixed_ms = 5 }
capacity_per_s = 200
breaker = { errors = 0.5, of = 4, open_ms = 3000, probes = 1 }
`;

const open = async (page, title) => {
  await page.getByRole("link", { name: "How it works", exact: true }).first().click();
  await page.getByRole("link", { name: title, exact: true }).click();
  await page.getByRole("heading", { name: title, level: 1 }).waitFor();
};
const verdicts = (page) => page.locator("[data-experiment-said] .verdict");
const ended = async (page) => {
  await eventually("two sentences", async () => (await verdicts(page).count()) === 2 || page.locator("[data-experiment-said]").innerText(), 120_000);
  return verdicts(page).allInnerTexts();
};

async function idempotency(page) {
  await open(page, "Idempotency keys");
  await fits(page, "experiment-before");
  await page.getByRole("button", { name: "Run the experiment" }).click();
  await page.waitForURL(/run=\d+/);
  const [same, none] = await ended(page);
  assert.match(same, /^With one idempotency key 100 requests at once made one payment, asked the acquirer once/);
  assert.match(none, /^Without a key the same 100 requests made \d+ payments/);
  assert.equal(await page.locator(".live-plot .line").count(), 4);
  await fits(page, "experiment-idempotency");
}

// By keyboard and as a table, as well as by eye.
async function readable(page) {
  const plot = page.locator(".live-plot").first();
  const drawing = plot.locator("svg.live-plot-svg");
  assert.equal(await drawing.getAttribute("aria-label"), "Requests answered");
  await drawing.focus();
  await page.keyboard.press("End");
  assert.match(await plot.locator("[role=status]").innerText(), /s: .*100/);
  assert.ok(await plot.locator(".live-plot-tip").isVisible());
  // One cursor for both plots.
  assert.equal(await page.locator(".live-plot-tip:visible").count(), 2);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(".live-plot-tip:visible").count(), 0);
  await plot.locator("summary").click();
  await plot.locator("tbody tr").first().waitFor();
  assert.match(await plot.locator("thead").innerText(), /Same key\s+No key/);
  await plot.locator("summary").click();
}

// Two at once; a page reloaded in mid-run goes on.
async function loads(page, tab) {
  await open(page, "Retry storm");
  await page.getByRole("button", { name: "Run the experiment" }).click();
  await page.waitForURL(/run=\d+/);
  await open(tab, "Circuit breaker");
  await tab.getByRole("button", { name: "Run the experiment" }).click();
  await tab.waitForURL(/run=\d+/);
  const drawn = async (of) => ((await of.locator(".live-plot .line").first().getAttribute("d")) ?? "").length;
  await eventually("lines grow", async () => (await drawn(page)) > 40);
  const height = await page.evaluate(() => document.querySelector(".experiment-plots").offsetHeight);
  await page.reload();
  await eventually("lines are there again", async () => (await drawn(page)) > 40);
  assert.equal(await page.evaluate(() => document.querySelector(".experiment-plots").offsetHeight), height, "nothing moves");
  const [storm, breaker] = await Promise.all([ended(page), ended(tab)]);
  console.log([...storm, ...breaker].join("\n"));
  assert.match(storm[0], /^Retrying at once turned 20 customers a second into up to \d+ attempts a second/);
  assert.match(breaker[0], /^With a circuit breaker \d+ of \d+ customers left/);
  assert.ok((await page.locator("[data-experiment-figures] tbody tr").count()) > 3);
  assert.ok((await page.locator(".live-plot .band").count()) === 3);
  await fits(page, "experiment-retry-storm");
  await fits(tab, "experiment-circuit-breaker");
}

async function breakerOnThePage(page, origin, key) {
  await page.getByRole("link", { name: "Scenario", exact: true }).click();
  await page.getByLabel("Scenario file").fill(BREAKING);
  await page.getByRole("button", { name: "Put in force" }).click();
  await page.locator(".breaker.closed", { hasText: "Closed" }).waitFor();
  for (let n = 0; n < 4; n += 1) await charge(origin, key, 500, { "metadata[paystorm_outcome]": "error:refused,approved" });
  // Without a reload.
  await page.locator(".breaker.open").waitFor();
  await fits(page, "scenario-breaker-open");
  await eventually("it closes", async () => {
    await charge(origin, key);
    return (await page.locator(".breaker.closed").count()) === 1;
  });
}

onEachStack("experiments run, are drawn and end in two sentences", { env: SETTINGS, timeout: 300_000 }, async ({ origin }, browser) => {
  const someone = await person(browser, origin, "Teacher");
  await idempotency(someone.page);
  await readable(someone.page);
  const tab = await someone.context.newPage();
  await tab.goto(origin);
  await loads(someone.page, tab);
  await breakerOnThePage(someone.page, origin, await apiKey(someone, origin));
  assert.deepEqual(someone.seen.errors, []);
});

test("without JavaScript an experiment starts and its figures are shown", { timeout: 120_000 }, () =>
  onServer({ env: SETTINGS }, async ({ origin }, browser) => {
    const { context, page } = await person(browser, origin, "Plain");
    const cookies = await context.cookies();
    const plain = await browser.newContext({ javaScriptEnabled: false });
    await plain.addCookies(cookies);
    const tab = await plain.newPage();
    await tab.goto(`${origin}/how-it-works/idempotency`);
    await tab.getByRole("button", { name: "Run the experiment" }).click();
    await eventually("the page reloads itself until there are findings", async () => (await tab.locator(".verdict").count()) === 2);
    assert.match(await tab.locator("[data-experiment-figures]").innerText(), /Payments\s+1\s/);
    await page.close();
  }));
