// The main job with a keyboard and nothing else, on both stacks; and on every page, that Tab gets everywhere, in the order in
// which one reads, and never gets stuck. Nothing here points or clicks: only keys are pressed, and the page is read.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { focus, leaps, press, stopsOf, tabTo } from "./keyboard.mjs";
import { LIVE, PASSWORD, apiKey, charge, complaints, eventually, onEachStack, onServer, pay, person, searchFinds, waitForStatus } from "./support.mjs";

const SETTINGS = { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "60", PAYSTORM__SIMULATOR__LATENCY_SIGMA: "0" };
const VERBS = /^(Charge a card|Add money|Send to a person|Pay out)$/;

const settled = (page) => page.locator('[data-journey][data-status="succeeded"]').waitFor();
const hasFocus = (page, name) => eventually(`the focus on "${name}"`, async () => {
  const at = await focus(page);
  return (at.name === name && at.shown) || at;
});

async function goTo(page, name, path) {
  await press(page, name, "Shift+Tab");
  await page.waitForURL((url) => url.pathname === path);
  await page.locator(LIVE).waitFor();
}

async function register(page, origin, name, email) {
  await page.goto(origin);
  await press(page, "Make an account");
  await page.waitForURL(/\/register/);
  for (const [label, text] of [["Name, as others see it", name], ["E-mail", email], ["Password", PASSWORD]]) {
    await tabTo(page, label);
    await page.keyboard.type(text);
  }
  await press(page, "Make the account");
  await page.waitForURL(`${origin}/`);
  await page.locator(LIVE).waitFor();
}

// Chooses what to do and fills in the form of Home; where the keyboard is decides from where the form is reached.
async function fill(page, verb, fields, key) {
  await tabTo(page, VERBS, key);
  while ((await focus(page)).name !== verb) await page.keyboard.press("ArrowRight");
  for (const [label, text] of fields) {
    await tabTo(page, label);
    await page.keyboard.press("Control+a");
    await page.keyboard.type(text);
  }
  const before = await page.locator("[data-journey]").getAttribute("data-journey");
  await page.keyboard.press("Enter");
  await page.locator(`[data-journey*="_"]:not([data-journey="${before}"])`).waitFor();
  return page.locator("[data-journey]").getAttribute("data-journey");
}

async function payments(page, ben) {
  // Past the navigation, straight to the form.
  await page.keyboard.press("Tab");
  assert.equal((await focus(page)).name, "Skip to the page");
  await page.keyboard.press("Enter");
  assert.equal((await focus(page)).id, "main");
  const charged = await fill(page, "Charge a card", [["Amount", "12.50"]], "Tab");
  await settled(page);
  await fill(page, "Send to a person", [["Amount", "5"], ["To", ben.email]], "Shift+Tab");
  await settled(page);
  await fill(page, "Pay out", [["Amount", "2"]], "Shift+Tab");
  await page.locator('[data-journey^="po_"]').waitFor();
  await eventually("the balance", async () => {
    const seen = await page.locator("[data-balance]").allInnerTexts();
    return seen.join() === "€5.50 EUR" || seen;
  });
  return charged;
}

async function find(page, charged) {
  await goTo(page, "Payments", "/payments");
  await eventually("search knows all three", async () => {
    const found = await page.locator("[data-list] [data-payment-id]").count();
    if (found < 3) await page.reload();
    return found === 3 || found;
  });
  await page.locator(LIVE).waitFor();
  await page.keyboard.press("/");
  await hasFocus(page, "Search payments");
  await page.keyboard.type("kind:charge");
  await page.keyboard.press("Enter");
  await eventually("one hit", async () => (await page.locator("[data-list] [data-payment-id]").count()) === 1);

  // A stretch of time, on the bars.
  await tabTo(page, /payments? from /);
  await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("Enter");
  await eventually("a time is chosen", async () => {
    const query = await page.locator("#q").inputValue();
    return /^kind:charge created>=\d+ created<\d+$/.test(query) || query;
  });
  await eventually("the focus is still on the bars", async () => {
    const at = await focus(page);
    return (/from /.test(at.name) && at.shown) || at;
  });

  // Typing replaces what stands there; j and k go from row to row.
  await page.keyboard.press("/");
  await page.keyboard.type("amount>100");
  await eventually("three hits", async () => {
    const found = await page.locator("[data-list] [data-payment-id]").count();
    // The index follows a moment later: one asks again.
    if (found < 3) await page.keyboard.press("Enter");
    return found === 3 || found;
  });
  await page.keyboard.press("Escape");
  const names = [];
  for (const key of ["j", "j", "k", "k", "k", "j", "j"]) {
    await page.keyboard.press(key);
    const at = await focus(page);
    assert.ok(at.shown && at.inView, at.name);
    names.push(at.name);
  }
  const [first, second, , , , , last] = names;
  assert.deepEqual(names, [first, second, first, first, first, second, last]);
  assert.match(last, /€12\.50 EUR$/, "the oldest is at the end");
  await page.keyboard.press("Enter");
  await page.waitForURL(new RegExp(`/payments/${charged}$`));
  await page.locator(LIVE).waitFor();
}

async function refund(page) {
  await tabTo(page, "Amount to refund");
  await page.keyboard.type("2.50");
  await page.keyboard.press("Enter");
  await page.getByText("Refund of €2.50 EUR arrived").waitFor();
  // What is left to refund is shown, and the keyboard is still there.
  await page.locator("form", { has: page.locator("#do-refund") }).getByText("at most €10.00 EUR").waitFor();
  await hasFocus(page, "Refund");
}

async function pauseAndResume(page) {
  await goTo(page, "System", "/system");
  await press(page, "Pause the workers");
  await page.locator('[data-workers="paused"]').waitFor();
  await hasFocus(page, "Resume the workers");
  await goTo(page, "Home", "/");
  await fill(page, "Charge a card", [["Amount", "3"]], "Tab");
  await page.locator('[data-journey][data-status="queued"]').waitFor();
  // The strip above every page has the switch as well.
  await press(page, "Resume", "Shift+Tab");
  await settled(page);
}

async function menus(page, name) {
  const open = () => page.locator("details.menu[open]").count();
  await tabTo(page, name, "Shift+Tab");
  await page.keyboard.press("Enter");
  await tabTo(page, "Account");
  assert.equal(await open(), 1);
  await page.keyboard.press("Escape");
  assert.equal(await open(), 0);
  assert.equal((await focus(page)).name, name, "back where it was opened");
  // Left without Escape it does not stay open either.
  await page.keyboard.press("Enter");
  assert.equal(await open(), 1);
  await page.keyboard.press("Shift+Tab");
  assert.equal(await open(), 0);
}

// What is being read stays put; what came in the meantime is one key away.
async function readTheFeed(page, origin, key) {
  const rows = page.locator("[data-feed-rows] > li");
  await page.keyboard.press("j");
  const reading = (await focus(page)).name;
  const before = await rows.count();
  for (let n = 0; n < 3; n += 1) await charge(origin, key, 900 + n);
  await page.getByText("Show 3 new").waitFor();
  assert.equal(await rows.count(), before);
  assert.equal((await focus(page)).name, reading);
  await press(page, "Show 3 new", "Shift+Tab");
  await eventually("the new rows", async () => (await rows.count()) === before + 3);
  const newest = await focus(page);
  assert.ok(newest.tag === "a" && newest.shown && newest.name !== reading, newest.name);
  assert.equal(await rows.first().locator("a").getAttribute("aria-label"), newest.name);
}

async function signOutAndIn(page, origin, name, email) {
  await press(page, name, "Shift+Tab");
  await press(page, "Sign out");
  await page.waitForURL(/\/sign-in/);
  await tabTo(page, "E-mail");
  await page.keyboard.type(email);
  await tabTo(page, "Password");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${origin}/`);
}

onEachStack("the main job without a mouse", { env: SETTINGS }, async (server, browser) => {
  const ben = await person(browser, server.origin, "Ben");
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  const errors = complaints(page);
  const email = `kim-${randomBytes(4).toString("hex")}@example.com`;
  await register(page, server.origin, "Kim", email);
  const charged = await payments(page, ben);
  await find(page, charged);
  await refund(page);
  await pauseAndResume(page);
  await menus(page, "Kim");
  await readTheFeed(page, server.origin, await apiKey({ context }, server.origin));
  await signOutAndIn(page, server.origin, "Kim", email);
  assert.deepEqual([...errors, ...ben.seen.errors], []);
});

test("Tab gets everywhere, in reading order, and out again", { timeout: 180_000 }, async () => {
  await onServer({ env: SETTINGS }, async (server, browser) => {
    const { context, page } = await person(browser, server.origin, "Kim");
    const paid = await pay(page, { verb: "Charge a card", amount: "12.50", card: "pm_card_visa" });
    await waitForStatus(page, paid, "succeeded");
    await charge(server.origin, await apiKey({ context }, server.origin));
    await searchFinds(page, server.origin, "kind:charge", 2);
    const paths = [
      "/", "/pay", "/pay?kind=payout", "/payments", "/payments?q=status%3A%22succeeded%22", `/payments/${paid}`, "/payments/import", "/wallets", "/wallets/eur",
      "/insights", "/scenario?example=slow-acquirer", "/keys", "/requests", "/system", "/how", "/how-it-works/retry-storm", "/account", "/nowhere",
    ];
    for (const width of [1280, 360]) {
      await page.setViewportSize({ width, height: 800 });
      for (const path of paths) {
        await page.goto(server.origin + path);
        await page.locator(LIVE).waitFor();
        const stops = await stopsOf(page);
        const controls = await page.locator("main").locator("a[href], button:enabled, input:enabled, select, summary").evaluateAll((all) => all.filter((node) => node.checkVisibility() && node.tabIndex >= 0).length);
        assert.ok(stops.length > 10 && stops.length >= controls / 2, `${path}: ${stops.length} stops for ${controls} controls`);
        assert.deepEqual(leaps(stops), [], `${path} at ${width} px`);
      }
    }
  });
});
