// The pages around payments, with a keyboard and a mouse: searching, choosing a time, paging, paying, importing, looking.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { LIVE, apiKey, charge, eventually, launchBrowser, milliseconds, onEachStack, onServer, pay, person, startServer, waitForStatus } from "./support.mjs";

let server, browser, coffee;
const rows = (page) => page.locator("[data-list] [data-payment-id]");
const open = async (path, page = coffee.page) => {
  await page.goto(server.origin + path);
  await page.locator(LIVE).waitFor();
};

// One after the other on each stack: a test finds what the ones before it made.
for (const stack of ["embedded", "real"]) describe(`payment pages, ${stack} parts`, () => {
  before(async () => {
    server = await startServer({ stack, env: { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "20" } });
    browser = await launchBrowser();
    coffee = await person(browser, server.origin, "Corner Coffee");
    for (const [amount, card, status] of [["12.50", "visa", "succeeded"], ["20", "visa", "succeeded"], ["7", "chargeDeclinedInsufficientFunds", "declined"]]) {
      await waitForStatus(coffee.page, await pay(coffee.page, { verb: "Charge a card", amount, card: `pm_card_${card}` }), status);
    }
    await eventually("search has all", async () => {
      await open("/payments?q=kind%3Acharge");
      return (await rows(coffee.page).count()) === 3 || (await rows(coffee.page).count());
    });
  });

  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  test("search as you type", { timeout: 240_000 }, async () => {
    const { page } = coffee;
    await open("/payments");
    await page.evaluate(() => (window.sameDocument = true));
    await page.keyboard.press("/");
    await page.keyboard.type("status:declined", { delay: 20 });
    await eventually("one hit", async () => (await rows(page).count()) === 1 || (await rows(page).count()));
    assert.equal(new URL(page.url()).search, "?q=status%3Adeclined");
    assert.equal(await page.locator("[data-total]").innerText(), "1 payment");
    assert.match(await page.locator("[data-export]").getAttribute("href"), /^\/payments\.csv\?q=status/);

    // A mistake is shown under the token; what was found before stays.
    await page.keyboard.type(" colour:red");
    await page.locator("[data-query-error] p").waitFor();
    assert.equal(await page.locator("[data-query-error] mark").innerText(), "colour");
    assert.equal(await page.locator("#q").getAttribute("aria-invalid"), "true");
    assert.equal(await rows(page).count(), 1);

    // Answers that were overtaken are dropped: what stands there is what was typed last.
    await page.locator("#q").fill("");
    await page.keyboard.type("amount:1250 unobtainium", { delay: 5 });
    await page.getByText("Nothing matches").waitFor();
    assert.equal(await page.locator("#q").getAttribute("aria-invalid"), null);
    await page.getByRole("link", { name: "Clear" }).click();
    await eventually("everything again", async () => (await rows(page).count()) === 3);
    assert.equal(new URL(page.url()).pathname + new URL(page.url()).search, "/payments");

    // A chip writes the query, and takes it back.
    await page.locator(".chip", { hasText: "succeeded" }).click();
    await eventually("two hits", async () => (await rows(page).count()) === 2);
    assert.equal(await page.locator("#q").inputValue(), 'status:"succeeded"');
    assert.equal(await page.evaluate(() => document.activeElement.className), "chip", "focus stays on the chip");
    await page.locator(".chip[aria-current]", { hasText: "succeeded" }).click();
    await eventually("all hits", async () => (await rows(page).count()) === 3);
    assert.equal(await page.evaluate(() => window.sameDocument), true, "nothing of this left the page");

    // The keyboard moves and opens.
    await page.locator("h1").click();
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    const first = await rows(page).first().getAttribute("data-payment-id");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${server.origin}/payments/${first}`);
  });

  test("a time is chosen on the histogram, by mouse and by keyboard", { timeout: 240_000 }, async () => {
    const { page } = coffee;
    const created = /^created>=(\d+) created<(\d+)$/;
    await open("/payments");
    const box = await page.locator("[data-histogram]").boundingBox();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.8, box.y + 20, { steps: 4 });
    assert.equal(await page.locator(".brush").count(), 1);
    await page.mouse.move(box.x + box.width - 1, box.y + 20);
    await page.mouse.up();
    await eventually("narrowed", async () => created.test(await page.locator("#q").inputValue()));
    await page.locator(".chip-group", { hasText: "Time" }).waitFor();
    assert.equal(await rows(page).count(), 3);
    await page.locator(".chip-group", { hasText: "Time" }).locator("a").click();
    await eventually("wide again", async () => (await page.locator("#q").inputValue()) === "");
    await page.locator(".chip-group", { hasText: "Time" }).waitFor({ state: "detached" });

    await page.locator("[data-histogram] a[tabindex='0']").focus();
    assert.equal(await page.locator("[data-histogram] a[tabindex='0']").count(), 1, "one stop for Tab");
    await page.keyboard.press("Shift+ArrowLeft");
    await page.keyboard.press("Shift+ArrowLeft");
    await page.keyboard.press("Enter");
    await eventually("narrowed", async () => created.test(await page.locator("#q").inputValue()));
    const [, from, to] = created.exec(await page.locator("#q").inputValue());
    assert.equal(Number(to) - Number(from), 30, "three bars of ten seconds");
  });

  test("a query is no error while it is typed, and can be narrowed all the while", { timeout: 240_000 }, async () => {
    const { page } = coffee;
    await open("/payments");
    const input = page.locator("#q");
    for (const half of ["status:succ", "created>2026-0", "-status:dec", "kind:charge or"]) {
      await input.fill(half);
      await page.locator(".query-unfinished code", { hasText: half.split(" ").at(-1) }).waitFor();
      assert.equal(await page.locator(".query-error").count(), 0, half);
    }
    await input.fill("status:succ");
    await page.locator(".query-unfinished code", { hasText: "status:succ" }).waitFor();
    await page.locator("[data-histogram] a[tabindex='0']").focus();
    await page.keyboard.press("Enter");
    await eventually("narrowed", async () => /^created>=\d+ created<\d+$/.test(await input.inputValue()));
    await page.locator(".chip-group", { hasText: "Time" }).waitFor();
    // Nothing can be added to one of several: there are counts, and no links.
    await input.fill("kind:charge or kind:payout");
    await page.locator(".chip.plain").first().waitFor();
    assert.equal(await page.locator("a.chip").count() + (await page.locator(".histogram a").count()), 0);
    assert.ok((await rows(page).count()) > 0);
  });

  test("a new payment, and its wallet", { timeout: 240_000 }, async () => {
    const { page } = coffee;
    await open("/pay");
    await page.getByLabel("Amount", { exact: true }).fill("9.90");
    // The tabs keep what was typed.
    await page.locator("[data-verb-tabs] a", { hasText: "Add money" }).click();
    assert.equal(new URL(page.url()).search, "?kind=topup&currency=eur");
    assert.equal(await page.getByLabel("Amount", { exact: true }).inputValue(), "9.90");
    await page.locator(".card-choice", { hasText: "5555 5555 5555 4444" }).click();
    assert.equal(await page.getByLabel("Card number").inputValue(), "5555 5555 5555 4444");
    await page.getByLabel("Card number").fill("4000000000009995");
    assert.equal(await page.locator(".card-choice", { hasText: "4000 0000 0000 9995" }).locator("input").isChecked(), true);
    await page.locator(".card-choice", { hasText: "5555 5555 5555 4444" }).click();
    // Twice in a row, paid once.
    await page.locator("[data-submit]").dblclick();
    await page.locator('[data-made] [data-status="succeeded"]').waitFor();
    await page.waitForTimeout(500);
    assert.equal(await page.locator("[data-made] li").count(), 1);
    assert.equal(await page.locator("[data-journey]").getAttribute("data-status"), "succeeded");

    await open("/wallets");
    await page.getByRole("link", { name: "Movements" }).click();
    await page.getByRole("heading", { name: "EUR wallet" }).waitFor();
    const cells = page.locator(".movements tbody tr").first().locator("td");
    const [paidIn, paidOut, after] = (await cells.allInnerTexts()).slice(2);
    assert.deepEqual([paidIn, paidOut], ["+9.90", ""]);
    // The running balance ends at the wallet's.
    assert.ok((await page.locator(".wallet-balance").innerText()).includes(after), after);
    assert.match(await cells.nth(1).innerText(), /^Added money\s+Mastercard •••• 4444\s+→\s+Corner Coffee$/);
  });

  test("a file is imported, its mistakes are shown, and it is known again", { timeout: 240_000 }, async () => {
    const { page } = coffee;
    const file = ["key,amount,currency,payment_method"];
    for (let n = 1; n <= 400; n += 1) file.push(`row-${n},${n === 200 ? "a lot" : "1.00"},eur,pm_card_visa`);
    const upload = async () => {
      await open("/payments/import");
      await page.getByLabel("CSV file").setInputFiles({ name: "till.csv", mimeType: "text/csv", buffer: Buffer.from(file.join("\n")) });
      await page.getByRole("button", { name: "Import" }).click();
      await page.waitForURL(/\/payments\/imports\/imp_/);
      return page.locator(".number dd").allInnerTexts();
    };
    assert.deepEqual(await upload(), ["400", "399", "0", "1"]);
    const [line, key, column, wrong] = await page.locator("table tbody td").allInnerTexts();
    assert.deepEqual([line, key, column], ["201", "row-200", "amount"]);
    assert.match(wrong, /amount/);
    assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "till");
    assert.deepEqual(await upload(), ["400", "0", "399", "1"]);
  });

  test("plots share one cursor, and follow the arrows", { timeout: 240_000 }, async () => {
    const { page } = coffee;
    await eventually("plots", async () => {
      await open("/insights");
      return (await page.locator("[data-plot]").count()) >= 4;
    });
    const last = page.locator("[data-plot='latency'] [data-plot-body]");
    await last.focus();
    await page.keyboard.press("End");
    const drawn = await page.locator("[data-cursor]").evaluateAll((all) => all.map((path) => path.getAttribute("d")));
    assert.ok(drawn.length >= 4 && drawn.every((d) => d === drawn[0] && d !== ""), drawn.join());
    assert.match(await page.locator("[data-plot='throughput'] [data-plot-said]").innerText(), /^\d+ \w+ [\d:]+: /);
    await page.keyboard.press("Escape");
    await page.getByRole("link", { name: "Hour" }).click();
    await page.waitForURL(`${server.origin}/insights?range=1h`);
    await page.locator("[data-plot='success'] summary").click();
    assert.equal(await page.locator("[data-plot='success'] tbody tr").count(), 60);
  });

  test("all of it works without JavaScript", { timeout: 240_000 }, async () => {
    const context = await browser.newContext({ javaScriptEnabled: false, storageState: await coffee.context.storageState() });
    const page = await context.newPage();
    await page.goto(`${server.origin}/payments`);
    await page.getByLabel("Search payments").fill("status:declined");
    await page.getByRole("button", { name: "Search" }).click();
    assert.equal(await rows(page).count(), 1);
    await page.locator("[data-histogram] a:has(.bar)").first().click({ force: true });
    assert.match(await page.getByLabel("Search payments").inputValue(), /^status:declined created>=\d+ created<\d+$/);
    await page.goto(`${server.origin}/pay`);
    await page.locator("[data-verb-tabs] a", { hasText: "Charge a card" }).click();
    await page.getByLabel("Amount", { exact: true }).fill("3.30");
    await page.locator(".card-choice", { hasText: "4000 0000 0000 0002" }).click();
    await page.locator("[data-submit]").click();
    await page.waitForURL(/\/payments\/pi_/);
    await page.goto(`${server.origin}/payments/import`);
    const buffer = Buffer.from("key,amount,currency,payment_method\nplain-1,2,eur,pm_card_visa\n");
    await page.getByLabel("CSV file").setInputFiles({ name: "plain.csv", mimeType: "text/csv", buffer });
    await page.getByRole("button", { name: "Import" }).click();
    await page.waitForURL(/\/payments\/imports\/imp_/);
    assert.equal(await page.locator(".number dd").first().innerText(), "1");
    await context.close();
    assert.deepEqual(coffee.seen.errors.filter((error) => !error.includes("400")), []);
  });
});

const took = (page, stage) => page.locator(`[data-stage="${stage}"] [data-stage-took]`).innerText();
const fact = (page, label) => page.locator(".facts > div", { hasText: label }).locator("dd").innerText();
const watch = async (page, origin, id) => {
  await page.goto(`${origin}/payments/${id}`);
  await page.locator(LIVE).waitFor();
  await page.evaluate(() => (window.sameDocument = true));
};
const QUICK = { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "20", PAYSTORM__SIMULATOR__LATENCY_SIGMA: "0" };
const LATER_MS = 1_500;

// What someone took to act is in none of these stages, only in the whole; however slow the machine.
async function waitedOutside(page, stages) {
  const whole = milliseconds(await took(page, "settled"));
  let sum = 0;
  for (const stage of stages) sum += milliseconds(await took(page, stage));
  // Less what is lost where durations are cut to what is shown.
  assert.ok(sum + LATER_MS <= whole + 50, `${sum} ms in ${stages}, ${whole} ms in all`);
}

onEachStack("every part of a payment's page follows it, and its stages are true", { env: QUICK }, async (server, browser) => {
  const { page, ...ben } = await person(browser, server.origin, "Ben");
  const key = await apiKey(ben, server.origin);

  // Captured later, and only in part: the acquirer had it for milliseconds, whatever the whole took.
  await watch(page, server.origin, await charge(server.origin, key, 5_500, { capture_method: "manual" }));
  await page.locator('[data-payment][data-status="requires_capture"]').waitFor();
  assert.equal(await page.getByRole("heading", { name: "Refunds" }).count(), 0);
  await page.waitForTimeout(LATER_MS);
  await page.getByLabel("Amount to capture").fill("20.00");
  await page.getByRole("button", { name: "Capture" }).click();
  await page.getByRole("heading", { name: "€20.00 EUR of €55.00 EUR captured" }).waitFor();
  assert.equal(await fact(page, "API status"), "succeeded");
  await waitedOutside(page, ["processing"]);
  assert.match(await page.locator("[data-journey-besides]").innerText(), /^Settled includes [\d.]+ s waiting for someone to act and .* for the capture\.$/);
  await eventually("found after the end", async () => {
    const seen = [await took(page, "settled"), await took(page, "indexed")].map((text) => parseFloat(text));
    return seen[1] >= seen[0] || seen;
  });
  assert.deepEqual(await page.locator(".stage-total:not(.unknown)").allInnerTexts(), ["in all", "in all"]);
  await page.getByRole("button", { name: "Refund" }).click();
  await page.getByRole("heading", { name: "Refunds" }).waitFor();
  await page.locator(".refunds", { hasText: "succeeded" }).waitFor();

  // Declined while someone looks on: the code stands there too.
  await watch(page, server.origin, await charge(server.origin, key, 700, { payment_method: "pm_card_threeDSecure2Required" }));
  await page.locator('[data-payment][data-status="requires_action"]').waitFor();
  await page.waitForTimeout(LATER_MS);
  await page.getByRole("button", { name: "Complete 3-D Secure" }).click();
  await page.locator('[data-payment][data-status="succeeded"]').waitFor();
  await page.locator("[data-journey-besides]", { hasText: "waiting for someone to act" }).waitFor();
  await waitedOutside(page, ["accepted", "queued", "processing"]);
  const id = await charge(server.origin, key, 700, { payment_method: "pm_card_threeDSecure2Required" });
  await watch(page, server.origin, id);
  await page.getByRole("button", { name: "Fail 3-D Secure" }).click();
  await page.locator(".facts dt", { hasText: "Decline code" }).waitFor();
  assert.equal(await fact(page, "API status"), "requires_payment_method");
  assert.equal(await page.evaluate(() => window.sameDocument), true, "nothing of this loaded the page again");

  // The address that a form without JavaScript leaves behind leads to the payment.
  await page.goto(`${server.origin}/payments/${id}/complete_action`);
  assert.equal(page.url(), `${server.origin}/payments/${id}`);
});

test("a retry is counted down wherever it is shown, and the strip waits with it", { timeout: 240_000 }, async () => {
  await onServer({ env: { ...QUICK, PAYSTORM__ENGINE__RETRY_DELAYS_MS: "30000" } }, async (server, browser) => {
    const { page } = await person(browser, server.origin, "Ben");
    const id = await pay(page, { verb: "Charge a card", amount: "7", card: "pm_card_paystorm_technicalError" });
    await page.locator('[data-stage="queued"]', { hasText: "Waiting" }).waitFor();
    assert.equal(await page.locator(".stage.current").count(), 1, "one stage is under way");
    assert.equal(await took(page, "processing"), "–");
    await watch(page, server.origin, id);
    assert.equal(await page.locator(".stage.current [data-stage-name]").innerText(), "Waiting");
    const texts = () => page.locator("[data-due-ms]").allInnerTexts();
    const left = (text) => Number(/in (\d+) s$/.exec(text)?.[1]);
    const [first] = await texts();
    await eventually("both count down", async () => {
      const seen = await texts();
      return (seen.length === 2 && left(seen[0]) < left(first) && left(seen[0]) === left(seen[1])) || seen;
    });
    assert.match(await page.locator(".sentence").innerText(), /^Will be tried again in \d+ s: the acquirer .*\.$/);
    await eventually("the strip counts from when the wait began", async () => parseFloat(await took(page, "queued")) >= 1 || (await took(page, "queued")));
  });
});

test("the longest names and keys fit into a phone", { timeout: 90_000 }, async () => {
  await onServer({ env: QUICK }, async (server, browser) => {
    const { page } = await person(browser, server.origin, "W".repeat(50));
    const ada = await person(browser, server.origin, "M".repeat(50));
    await waitForStatus(page, await pay(page, { verb: "Add money", amount: "50", card: "pm_card_visa" }), "succeeded");
    const id = await pay(page, { verb: "Send to a person", amount: "12", to: ada.email });
    await waitForStatus(page, id, "succeeded");
    const file = ["key,amount,currency,payment_method", `${"k".repeat(120)},a lot,eur,pm_card_visa`].join("\n");
    await page.goto(`${server.origin}/payments/import`);
    await page.getByLabel("CSV file").setInputFiles({ name: "till.csv", mimeType: "text/csv", buffer: Buffer.from(file) });
    await page.getByRole("button", { name: "Import" }).click();
    await page.waitForURL(/\/payments\/imports\/imp_/);
    const imported = new URL(page.url()).pathname;
    const fits = async (on, path) => {
      await on.goto(server.origin + path);
      await on.setViewportSize({ width: 360, height: 740 });
      assert.equal(await on.evaluate(() => document.documentElement.scrollWidth), 360, path);
    };
    for (const path of [`/payments/${id}`, "/", "/payments", "/wallets", "/wallets/eur", imported]) await fits(page, path);
    await fits(ada.page, `/payments/${id}`);
    // Where there is room, all columns are in sight; who received it sees the cards apart from the head.
    for (const on of [page, ada.page]) {
      await on.setViewportSize({ width: 1_280, height: 900 });
      await on.goto(`${server.origin}/payments/${id}`);
      assert.ok(await on.locator(".ledger").evaluate((table) => table.offsetWidth <= table.parentElement.clientWidth), "the ledger");
      const gap = await on.evaluate(() => {
        const [head, below] = [document.querySelector('[data-live="head"]'), document.querySelector('[data-live="head"] + *')];
        return below.getBoundingClientRect().top - head.getBoundingClientRect().bottom;
      });
      assert.ok(gap >= 10, `a gap of ${gap} px`);
    }
    await page.goto(server.origin + imported);
    assert.ok(await page.locator(".refused-rows").evaluate((table) => table.offsetWidth <= table.parentElement.clientWidth), "refused rows");
  });
});
