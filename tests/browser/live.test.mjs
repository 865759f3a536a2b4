// How pages behave while much happens: the live feed's bounds under load, a hidden tab, a connection that is cut.
//
// PAYSTORM_LIVE_SECONDS (15) and PAYSTORM_LIVE_RATE (1000 payments a second) set the load. What the machine could not hold is
// said, and the bounds are checked at what it held.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { BINARY, LIVE, apiKey, charge, eventually, onServer, pay, person, slowness, waitForStatus } from "./support.mjs";

const SECONDS = Number(process.env.PAYSTORM_LIVE_SECONDS ?? 15);
const RATE = Number(process.env.PAYSTORM_LIVE_RATE ?? 1_000);

// Runs `paystorm load` on the account of this key; resolves with its report.
async function load(origin, key) {
  const dir = await mkdtemp(join(tmpdir(), "paystorm-live-"));
  const report = join(dir, "report.json");
  const args = ["load", "--target", origin, "--key", key, "--rate", String(RATE), "--for", `${SECONDS}s`, "--drain", "60s"];
  const child = spawn(BINARY, [...args, "--wallets", "0", "--mix", "charge=100", "--no-progress", "--json", report], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => (said += chunk));
  const code = await new Promise((resolve) => child.on("exit", resolve));
  assert.equal(code, 0, said);
  const json = JSON.parse(await readFile(report, "utf8"));
  await rm(dir, { recursive: true });
  return json;
}

// Watches the live feed from inside the page: rows, new rows a second, long tasks.
function observe(page) {
  return page.evaluate(() => {
    const list = document.querySelector("[data-feed-rows]");
    const seen = { rowsMax: 0, perSecondMax: 0, long: [], added: [] };
    window.observed = seen;
    const known = new Set([...list.children].map((row) => row.dataset.paymentId));
    // The moment of the insertion itself: an observer is notified later, by as much as the page is busy.
    const insertBefore = list.insertBefore;
    list.insertBefore = (row, older) => {
      insertBefore.call(list, row, older);
      const now = performance.now();
      if (!known.has(row.dataset.paymentId)) seen.added.push(now);
      known.add(row.dataset.paymentId);
      seen.added = seen.added.filter((at) => at > now - 1_000);
      seen.perSecondMax = Math.max(seen.perSecondMax, seen.added.length);
      // One more for the moment between an insertion and the removal of the oldest.
      seen.rowsMax = Math.max(seen.rowsMax, list.childElementCount - 1);
    };
    new PerformanceObserver((entries) => entries.getEntries().forEach((entry) => seen.long.push(entry.duration))).observe({ type: "longtask" });
  });
}

async function heap(session) {
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  return metrics.find((metric) => metric.name === "JSHeapUsedSize").value;
}

test("the live feed keeps its bounds under load", { timeout: 120_000 + SECONDS * 2_000 }, async () => {
  await onServer({}, async (server, browser) => {
    const ada = await person(browser, server.origin, "Ada");
    const key = await apiKey(ada, server.origin);
    const session = await ada.context.newCDPSession(ada.page);
    await session.send("Performance.enable");
    const slow = slowness();
    await observe(ada.page);
    const running = load(server.origin, key);
    await ada.page.locator("[data-feed-rate]", { hasText: "showing" }).waitFor();
    await ada.page.waitForTimeout((SECONDS * 1_000) / 3);
    // The middle of some looks: a moment's stall bunches what comes after it.
    const rates = [];
    for (let n = 0; n < 5; n += 1) {
      rates.push(await ada.page.locator("[data-feed-rate]").innerText());
      await ada.page.waitForTimeout(500);
    }
    const rateOf = (text) => Number(/of ([\d,]+)\/s/.exec(text)?.[1].replaceAll(",", "") ?? 0);
    const rate = rates.sort((a, b) => rateOf(a) - rateOf(b))[2];
    const before = await heap(session);
    const report = await running;
    const after = await heap(session);
    const { rowsMax, perSecondMax, long } = await ada.page.evaluate(() => window.observed);
    long.sort((a, b) => a - b);
    const p95 = long[Math.max(0, Math.ceil(long.length * 0.95) - 1)] ?? 0;
    const held = report.accepted / SECONDS;
    console.log(
      `asked for ${RATE}/s for ${SECONDS} s, accepted ${held.toFixed(0)}/s; the page said "${rate}"; ` +
        `at most ${perSecondMax} new rows a second and ${rowsMax} rows; ${long.length} long tasks, p95 ${p95.toFixed(0)} ms; ` +
        `heap ${(before / 1e6).toFixed(1)} → ${(after / 1e6).toFixed(1)} MB`,
    );
    if (held < RATE * 0.95) console.log("this machine did not hold the rate with a browser beside it");
    assert.ok(rateOf(rate) > 0 && rateOf(rate) < RATE * 1.6, `payments, not their rows: ${rates.join("; ")}`);
    assert.ok(perSecondMax <= 10, `${perSecondMax} new rows in a second`);
    assert.ok(rowsMax <= 200, `${rowsMax} rows`);
    assert.ok(p95 < 100 * slow(), `long tasks: p95 ${p95} ms`);
    assert.ok(after < before * 1.25 + 1e6, `the heap grew from ${before} to ${after}`);
    assert.equal(report.accepted, report.sent);
    assert.deepEqual(ada.seen.errors, []);
  });
});

test("the live feed stays newest first, whatever is read again", { timeout: 240_000 }, async () => {
  await onServer({}, async (server, browser) => {
    const ada = await person(browser, server.origin, "Ada");
    const key = await apiKey(ada, server.origin);
    const made = [];
    for (let n = 0; n < 60; n += 1) made.push(await charge(server.origin, key, 100 + n));
    await ada.page.reload();
    await ada.page.locator(LIVE).waitFor();
    const last = await charge(server.origin, key, 999);
    await waitForStatus(ada.page, last, "succeeded");
    // Longer than rows that were wrongly taken for new would need to come in, ten a second.
    await ada.page.waitForTimeout(3_000);
    const shown = await ada.page.locator("[data-feed-rows] > [data-payment-id]").evaluateAll((rows) => rows.map((row) => row.dataset.paymentId));
    const expected = [...made, last].reverse();
    assert.deepEqual(shown, expected.slice(0, shown.length));
    // An old one that changes is no news.
    const refunding = await fetch(`${server.origin}/v1/refunds`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}` },
      body: new URLSearchParams({ payment_intent: made[0] }),
    });
    assert.equal(refunding.status, 200, await refunding.text());
    await ada.page.waitForTimeout(1_000);
    assert.equal(await ada.page.locator(`[data-feed-rows] > [data-payment-id="${made[0]}"]`).count(), 0);
    assert.deepEqual(ada.seen.errors, []);
  });
});

test("after a burst the sums and every row are right, though most of it was left out", { timeout: 240_000 }, async () => {
  await onServer({ env: { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "700" } }, async (server, browser) => {
    const ada = await person(browser, server.origin, "Ada");
    const key = await apiKey(ada, server.origin);
    const burst = (count) => Promise.all(Array.from({ length: count }, () => charge(server.origin, key, 100)));
    await burst(40);
    // Some of these rows were under way when the page was made.
    await ada.page.goto(`${server.origin}/`);
    await ada.page.locator(LIVE).waitFor();
    await burst(160);
    await ada.page.locator("[data-balance]", { hasText: "€200.00 EUR" }).waitFor();
    const open = () => ada.page.locator("[data-feed-rows] > :is([data-status=queued], [data-status=processing])").count();
    await eventually("no row is left behind", async () => (await open()) === 0 || open());
    assert.deepEqual(ada.seen.errors, []);
  });
});

test("a hidden tab receives nothing", { timeout: 240_000 }, async () => {
  await onServer({}, async (server, browser) => {
    const ada = await person(browser, server.origin, "Ada");
    const key = await apiKey(ada, server.origin);
    const frames = [];
    const sockets = [];
    const unanswered = new Set();
    ada.page.on("websocket", (socket) => {
      sockets.push(socket);
      socket.on("framesent", ({ payload }) => unanswered.add(JSON.parse(payload).id));
      socket.on("framereceived", ({ payload }) => {
        frames.push(JSON.parse(payload));
        unanswered.delete(frames.at(-1).id);
      });
    });
    await ada.page.reload();
    await ada.page.locator(LIVE).waitFor();
    const first = await charge(server.origin, key);
    await waitForStatus(ada.page, first, "succeeded");
    assert.ok(frames.some((frame) => frame.type === "payment.updated"));
    // What the browser reports to a page whose tab is left and come back to.
    const turn = (hidden) =>
      ada.page.evaluate((hidden) => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    await turn(true);
    await ada.page.waitForTimeout(500);
    await eventually("the server knows", async () => unanswered.size === 0);
    frames.length = 0;
    const meanwhile = [];
    for (let n = 0; n < 10; n += 1) meanwhile.push(await charge(server.origin, key));
    await ada.page.waitForTimeout(2_000);
    assert.deepEqual(frames.map((frame) => frame.type), [], "while hidden");
    await turn(false);
    for (const id of meanwhile) await waitForStatus(ada.page, id, "succeeded");
    assert.equal(sockets.length, 1, "on the same socket");
  });
});

// Notes every state that the connection's indicator shows.
async function watchConnection(page) {
  await page.evaluate(() => {
    const place = document.querySelector("[data-connection]");
    window.states = [place.dataset.state];
    const note = () => window.states.at(-1) !== place.dataset.state && window.states.push(place.dataset.state);
    new MutationObserver(note).observe(place, { attributes: true });
  });
}

async function restarted(stack) {
  const env = { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "50" };
  await onServer({ stack, env }, async (server, browser) => {
    const ada = await person(browser, server.origin, "Ada");
    const key = await apiKey(ada, server.origin);
    const other = await ada.context.newPage();
    await other.goto(`${server.origin}/system`);
    await other.getByRole("button", { name: "Pause the workers" }).click();
    await ada.page.locator('[data-banner="workers"]').waitFor();
    const waiting = await pay(ada.page, { verb: "Charge a card", amount: "12.50", card: "pm_card_visa" });
    await waitForStatus(ada.page, waiting, "queued");
    await watchConnection(ada.page);
    const { navigations } = ada.seen;
    const meanwhile = [];
    await server.restart(() => ada.page.locator('[data-connection]:not([data-state="live"])').waitFor());
    // The page may not be back yet.
    for (let n = 0; n < 5; n += 1) meanwhile.push(await charge(server.origin, key));
    await other.goto(`${server.origin}/system`);
    await other.getByRole("button", { name: "Resume the workers" }).click();
    await ada.page.locator(LIVE).waitFor({ timeout: 30_000 });
    for (const id of [waiting, ...meanwhile]) {
      await waitForStatus(ada.page, id, "succeeded").catch(async (error) => {
        const answer = await fetch(`${server.origin}/v1/payment_intents/${id}`, { headers: { authorization: `Bearer ${key}` } });
        const rows = await ada.page.locator("[data-feed-rows] > li").evaluateAll((all) => all.map((row) => `${row.dataset.paymentId} ${row.dataset.status} ${row.dataset.version}`));
        throw new Error(`${id} of ${[waiting, ...meanwhile]} is ${(await answer.json()).status}; the page shows ${rows.join(", ")}: ${error.message}`);
      });
    }
    await ada.page.locator('[data-banner="workers"]').waitFor({ state: "detached" });
    await eventually("the journey has ended", async () => (await ada.page.locator("[data-journey]").getAttribute("data-status")) === "succeeded");
    const states = await ada.page.evaluate(() => window.states);
    console.log(`${stack}: ${states.join(" → ")}`);
    assert.ok(states.includes("reconnecting") && states.at(-1) === "live", states.join());
    assert.equal(ada.seen.navigations, navigations, "without a reload");
  });
}

test("a server that restarts is found again, embedded parts", { timeout: 120_000 }, () => restarted("embedded"));
test("a server that restarts is found again, real parts", { timeout: 180_000 }, () => restarted("real"));

test("a network that drops comes back to the right state", { timeout: 240_000 }, async () => {
  await onServer({}, async (server, browser) => {
    const ada = await person(browser, server.origin, "Ada");
    const key = await apiKey(ada, server.origin);
    await watchConnection(ada.page);
    const { navigations } = ada.seen;
    await ada.context.setOffline(true);
    await ada.page.locator('[data-connection]:not([data-state="live"])').waitFor();
    const meanwhile = [];
    for (let n = 0; n < 5; n += 1) meanwhile.push(await charge(server.origin, key));
    await ada.page.waitForTimeout(1_500);
    assert.equal(await ada.page.locator(`[data-payment-id="${meanwhile[0]}"]`).count(), 0);
    assert.ok(await ada.page.locator("body.stale").count(), "old numbers are grey");
    await ada.context.setOffline(false);
    await ada.page.locator(LIVE).waitFor({ timeout: 30_000 });
    for (const id of meanwhile) await waitForStatus(ada.page, id, "succeeded");
    const states = await ada.page.evaluate(() => window.states);
    console.log(states.join(" → "));
    assert.equal(ada.seen.navigations, navigations, "without a reload");
  });
});

// Two hundred payments of one moment: they share their milliseconds, and only their ids say which is the newest.
test("a burst is newest first, and the live feed says what it leaves out", { timeout: 120_000 }, async () => {
  await onServer({}, async (server, browser) => {
    const { page } = await person(browser, server.origin, "Ada");
    await page.goto(server.origin);
    await page.locator(LIVE).waitFor();
    const made = await page.evaluate(async () => {
      const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`);
      await new Promise((resolve) => socket.addEventListener("open", resolve));
      const payments = Array.from({ length: 200 }, (_, n) => ({ kind: "charge", amount: 100 + n, currency: "eur", payment_method: "pm_card_visa" }));
      const answer = new Promise((resolve) => socket.addEventListener("message", ({ data }) => JSON.parse(data).results && resolve(JSON.parse(data))));
      socket.send(JSON.stringify({ type: "payment.submit_batch", id: 1, payments }));
      const { results } = await answer;
      socket.close();
      return results.map((result) => result.payment.id);
    });
    const newestFirst = made.toSorted().reverse();
    const more = page.locator("[data-feed-more]");
    await more.getByText("more were made since this page was opened.").waitFor();
    await page.reload();
    await page.locator(LIVE).waitFor();
    await more.getByText("Only the newest are listed here.").waitFor();
    // Long enough for everything that was read again to slide in.
    await page.waitForTimeout(4_000);
    const shown = await page.locator("[data-feed-rows] > li").evaluateAll((rows) => rows.map((row) => row.dataset.paymentId));
    assert.deepEqual(shown, newestFirst.slice(0, shown.length));
    assert.equal(await more.getByRole("link", { name: "See all payments" }).getAttribute("href"), "/payments");
  });
});
