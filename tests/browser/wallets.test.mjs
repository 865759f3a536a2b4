// Wallets and their movements, on both stacks: every way in which money comes and goes stands there once, adds up to the balance,
// and what is not there any more cannot be given back.
import assert from "node:assert/strict";
import { LIVE, apiKey, charge, eventually, onEachStack, pay, person, waitForStatus } from "./support.mjs";

const SETTINGS = { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "5" };
const PAGE = 50;

const home = async (page, origin) => {
  await page.goto(origin);
  await page.locator(LIVE).waitFor();
};

async function movements(page, origin, currency) {
  await page.goto(`${origin}/wallets/${currency}`);
  return page.locator(".movements tbody tr").evaluateAll((rows) => rows.map((row) => [...row.cells].slice(1).map((cell) => cell.innerText.replace(/\s+/g, " ").trim())));
}

const wallet = (page, code) => page.locator(`.wallet[data-currency="${code}"]`);
const shows = (page, code, amount) => eventually(`${amount} in the wallet`, async () => {
  const seen = await wallet(page, code).locator("[data-balance]").allInnerTexts();
  return seen.join() === amount || seen;
});

async function refundAll(page, origin, id) {
  await page.goto(`${origin}/payments/${id}`);
  await page.locator(LIVE).waitFor();
  await page.getByRole("button", { name: "Refund" }).click();
  await page.getByText("arrived").first().waitFor();
}

async function everyWay(server, ada, ben) {
  const { page } = ada;
  await page.goto(`${server.origin}/wallets`);
  await page.getByText("No money yet").waitFor();
  await home(page, server.origin);
  await waitForStatus(page, await pay(page, { verb: "Add money", amount: "100", card: "pm_card_mastercard" }), "succeeded");
  const charged = await pay(page, { verb: "Charge a card", amount: "12.50", card: "pm_card_visa" });
  await waitForStatus(page, charged, "succeeded");
  await waitForStatus(page, await pay(page, { verb: "Send to a person", amount: "30.25", to: ben.email }), "succeeded");
  const payout = await pay(page, { verb: "Pay out", amount: "20", bank: "000123456789" });
  await page.locator(`[data-feed-rows] [data-payment-id="${payout}"]`).waitFor();
  await waitForStatus(page, await pay(page, { verb: "Charge a card", amount: "9", card: "pm_card_chargeDeclinedInsufficientFunds" }), "declined");
  await refundAll(page, server.origin, charged);

  // The newest movement first, whatever the age of its payment.
  const lines = await movements(page, server.origin, "eur");
  assert.deepEqual(lines.map(([what, money_in, money_out]) => [what.split(" ")[0], money_in, money_out]), [
    ["Refund", "", "−12.50"],
    ["Payout", "", "−20.00"],
    ["Transfer", "", "−30.25"],
    ["Charge", "+12.50", ""],
    ["Added", "+100.00", ""],
  ]);
  // The balance after each, ending at the wallet's.
  assert.deepEqual(lines.map(([, , , balance]) => balance), ["49.75", "62.25", "82.25", "112.50", "100.00"]);
  assert.match(lines.find(([what]) => what.startsWith("Transfer"))[0], /^Transfer Ada → Ben$/);
  assert.match(lines.find(([what]) => what.startsWith("Refund"))[0], /^Refund Ada → Visa •••• 4242$/);
  assert.equal(await page.locator('[data-live="wallet-balance"]').innerText(), "€49.75 EUR");
  await page.getByRole("link", { name: "Transfer" }).click();
  await page.waitForURL(/\/payments\/tr_/);
  assert.deepEqual(await movements(ben.page, server.origin, "eur"), [["Received Ada → Ben", "+30.25", "", "30.25"]]);
}

// Currencies have their own decimals, and every wallet leads to what can be done with it.
async function currencies(server, { page, context }) {
  const key = await apiKey({ context }, server.origin);
  await page.goto(`${server.origin}/wallets`);
  await page.locator(LIVE).waitFor();
  // They come while one looks.
  await charge(server.origin, key, 1_800, { currency: "jpy" });
  await charge(server.origin, key, 3_750, { currency: "kwd" });
  await shows(page, "JPY", "¥1800 JPY");
  await shows(page, "KWD", "3.750 KWD");
  assert.deepEqual(await page.locator(".wallet-code").allInnerTexts(), ["EUR", "JPY", "KWD"]);
  await wallet(page, "JPY").getByRole("link", { name: "Pay out" }).click();
  await page.waitForURL(`${server.origin}/pay?kind=payout&currency=jpy`);
  assert.equal(await page.getByLabel("Currency").inputValue(), "jpy");
  assert.equal(await page.locator(".verb[aria-current]").innerText(), "Pay out");
  await page.goto(`${server.origin}/wallets`);
  await wallet(page, "KWD").getByRole("link", { name: "Payments" }).click();
  await page.waitForURL(/\/payments\?q=currency/);
  await eventually("search has it", async () => (await page.reload(), (await page.locator("[data-list] [data-payment-id]").count()) === 1));
  assert.deepEqual(await movements(page, server.origin, "usd"), []);
  await page.getByText("No money has moved in USD yet.").waitFor();
  return key;
}

// What was sent on cannot be given back, and the page says what would help.
async function notCovered(server, { page }, ben) {
  await home(page, server.origin);
  const charged = await pay(page, { verb: "Charge a card", amount: "10", card: "pm_card_visa" });
  await waitForStatus(page, charged, "succeeded");
  await waitForStatus(page, await pay(page, { verb: "Send to a person", amount: "10", to: ben.email }), "succeeded");
  await page.goto(`${server.origin}/payments/${charged}`);
  await page.locator(LIVE).waitFor();
  await page.getByRole("button", { name: "Refund" }).click();
  await page.getByText("Your EUR wallet cannot cover this refund. Add money first.").waitFor();
  await home(page, server.origin);
  await waitForStatus(page, await pay(page, { verb: "Add money", amount: "25", card: "pm_card_visa" }), "succeeded");
  await refundAll(page, server.origin, charged);
  await page.goto(`${server.origin}/wallets`);
  await shows(page, "EUR", "€15.00 EUR");
}

// More than a page of movements: older ones are a link away, none twice and none missing.
async function pages(server, { page }, key) {
  await Promise.all(Array.from({ length: PAGE + 10 }, (_, n) => charge(server.origin, key, 100 + n, { currency: "chf" })));
  const total = ((PAGE + 10) * (200 + PAGE + 9)) / 2 / 100;
  await page.goto(`${server.origin}/wallets`);
  await shows(page, "CHF", `${total.toFixed(2)} CHF`);
  const seen = (await movements(page, server.origin, "chf")).map(([, money_in]) => money_in);
  assert.equal(await page.getByRole("link", { name: "Newest" }).count(), 0);
  while ((await page.getByRole("link", { name: "Older" }).count()) > 0) {
    await page.getByRole("link", { name: "Older" }).click();
    await page.waitForURL((url) => url.searchParams.has("before"));
    await page.waitForLoadState();
    seen.push(...(await page.locator(".movements .money-in").allInnerTexts()));
    if (seen.length > 200) break;
  }
  assert.equal(seen.length, PAGE + 10);
  assert.equal(new Set(seen).size, seen.length);
  await page.getByRole("link", { name: "Newest" }).click();
  await page.waitForURL(`${server.origin}/wallets/chf`);
}

onEachStack("wallets and what moved in them", { env: SETTINGS }, async (server, browser) => {
  const ada = await person(browser, server.origin, "Ada");
  const ben = await person(browser, server.origin, "Ben");
  await everyWay(server, ada, ben);
  const key = await currencies(server, ben);
  await notCovered(server, await person(browser, server.origin, "Cleo"), ben);
  await pages(server, ben, key);
  assert.deepEqual([...ada.seen.errors, ...ben.seen.errors], []);
});
