// The list of payments while things change: a connection that was cut, payments made while it was cut, a session that ended.
import assert from "node:assert/strict";
import test from "node:test";
import { apiKey, charge, eventually, onServer, person } from "./support.mjs";

const LIVE = '[data-connection][data-state="live"]';
const rowOf = (page, id) => page.locator(`[data-list] [data-payment-id="${id}"]`);

async function apiStatus(origin, key, id) {
  const answer = await fetch(`${origin}/v1/payment_intents/${id}`, { headers: { authorization: `Bearer ${key}` } });
  return (await answer.json()).status;
}

test("a list is right again after the connection was cut", { timeout: 240_000 }, async () => {
  await onServer({ env: { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "2000" } }, async ({ origin }, browser) => {
    const ada = await person(browser, origin, "Ada");
    const key = await apiKey(ada, origin);
    const { page, context } = ada;
    const other = await charge(origin, key);
    await eventually("the other settled", async () => (await apiStatus(origin, key, other)) === "succeeded");
    const id = await charge(origin, key);
    await page.goto(`${origin}/payments`);
    await page.locator(LIVE).waitFor();
    await rowOf(page, id).waitFor();
    await context.setOffline(true);
    await page.locator('[data-connection]:not([data-state="live"])').waitFor();
    assert.notEqual(await rowOf(page, id).getAttribute("data-status"), "succeeded");
    await eventually("it settled unseen", async () => (await apiStatus(origin, key, id)) === "succeeded");
    // What was typed in the meantime counts too.
    await page.getByLabel("Search payments").fill("amount:500");
    await page.waitForTimeout(500);
    await context.setOffline(false);
    await page.locator(LIVE).waitFor({ timeout: 30_000 });
    await page.locator(`[data-list] [data-payment-id="${id}"][data-status="succeeded"]`).waitFor();
    await page.locator('.chip[aria-current="true"], [data-total]:has-text("2 payments")').first().waitFor();
    assert.match(page.url(), /q=amount/);
    await page.getByLabel("Search payments").fill("amount:123456");
    await page.getByText("Nothing matches").waitFor();
  });
});

test("new payments are announced and come when asked for", { timeout: 240_000 }, async () => {
  await onServer({}, async ({ origin }, browser) => {
    const ada = await person(browser, origin, "Ada");
    const key = await apiKey(ada, origin);
    const { page, seen } = ada;
    const first = await charge(origin, key);
    await page.goto(`${origin}/payments`);
    await page.locator(LIVE).waitFor();
    await rowOf(page, first).waitFor();
    const two = [await charge(origin, key), await charge(origin, key)];
    const pill = page.getByRole("button", { name: "Show 2 new" });
    await pill.waitFor();
    assert.equal(await page.locator("[data-list] > li").count(), 1, "nothing moves under the reader");
    await eventually("search is no further behind", async () => {
      if (await pill.isVisible()) await pill.click();
      return (await page.locator("[data-list] > li").count()) === 3;
    });
    for (const id of two) await rowOf(page, id).waitFor();
    assert.ok(await page.locator("[data-list-pill]").isHidden());
    // Escape leaves the field and what it found as they are.
    const field = page.getByLabel("Search payments");
    await field.fill("amount:1");
    await page.getByText("Nothing matches").waitFor();
    await field.press("Escape");
    assert.equal(await field.inputValue(), "amount:1");
    assert.deepEqual(seen.errors, []);
  });
});

test("someone who was signed out is shown it, and led to sign in", { timeout: 240_000 }, async () => {
  await onServer({}, async ({ origin }, browser) => {
    const ada = await person(browser, origin, "Ada");
    const { page, context } = ada;
    const elsewhere = await context.newPage();
    await elsewhere.goto(`${origin}/system`);
    await elsewhere.locator(LIVE).waitFor();
    // The session ends in another tab.
    const third = await context.newPage();
    await third.goto(`${origin}/account`);
    await third.locator("summary", { hasText: "Ada" }).click();
    await third.getByRole("button", { name: "Sign out" }).click();
    await third.waitForURL(`${origin}/sign-in*`);
    await page.locator('[data-connection][data-state="ended"]').waitFor();
    await page.locator("[data-submit]").click();
    await page.getByText("Not sent: you were signed out.").waitFor();
    await elsewhere.getByRole("button", { name: "Pause the workers" }).click();
    await elsewhere.waitForURL(`${origin}/sign-in*`);
  });
});

test("reading the page of a new key again makes no second one", { timeout: 240_000 }, async () => {
  await onServer({}, async ({ origin }, browser) => {
    const { page } = await person(browser, origin, "Ada");
    await page.goto(`${origin}/keys`);
    await page.getByLabel("Name").fill("once");
    await page.getByRole("button", { name: "Make a key" }).click();
    await page.locator("[data-secret]").waitFor();
    await page.reload();
    assert.equal(await page.locator("tbody tr", { hasText: "once" }).count(), 1);
    assert.equal(await page.locator("[data-secret]").count(), 0);
  });
});

test("calls appear in the log by themselves", { timeout: 240_000 }, async () => {
  await onServer({}, async ({ origin }, browser) => {
    const ada = await person(browser, origin, "Ada");
    const key = await apiKey(ada, origin);
    await ada.page.goto(`${origin}/requests`);
    await ada.page.locator(LIVE).waitFor();
    await ada.page.getByText("No calls yet").waitFor();
    // No payment announces this one.
    await apiStatus(origin, key, "pi_nobody");
    await ada.page.locator(".request-path", { hasText: "/v1/payment_intents/pi_nobody" }).waitFor();
    await charge(origin, key);
    await ada.page.locator(".request-path", { hasText: /payment_intents$/ }).waitFor();
    assert.equal(ada.seen.navigations, 3, "without a reload");
  });
});

test("results are read again once search has caught up", { timeout: 240_000 }, async () => {
  await onServer({}, async ({ origin }, browser) => {
    const ada = await person(browser, origin, "Ada");
    const id = await charge(origin, await apiKey(ada, origin));
    const { page } = ada;
    // Pages as they are while search is behind, and then away.
    const notices = ['<p class="notice" data-lag>Search is 4 s behind; the newest may be missing.</p>', '<p class="notice" data-search-failed>Search is away.</p>'];
    const kept = [];
    await page.route(/\/payments\?q=/, async (route) => {
      // While the page itself is on its way, it cannot be asked.
      kept.push(kept.length > 0 ? await page.locator("[data-lag]").count() : 0);
      if (kept.length > notices.length) return route.continue();
      const answer = await route.fetch();
      const results = `<div data-results>${notices[kept.length - 1]}</div></main>`;
      await route.fulfill({ response: answer, body: (await answer.text()).replace(/<div data-results>[\s\S]*<\/main>/, results) });
    });
    await page.goto(`${origin}/payments?q=${encodeURIComponent('kind:"charge"')}`);
    await page.getByText("Search is 4 s behind").waitFor();
    await page.evaluate(() => (window.stayed = true));
    await rowOf(page, id).waitFor();
    assert.equal(await page.getByText("behind").count(), 0);
    assert.deepEqual(kept, [0, 1, 1], "what was there stays until there is an answer");
    assert.ok(await page.evaluate(() => window.stayed), "without a reload");
  });
});
