// Two people in two browsers pay, on both stacks: the main job, watched through the page alone.
import assert from "node:assert/strict";
import { LIVE, eventually, onEachStack, pay, person, recordStatuses, waitForStatus } from "./support.mjs";

const LATENCY = { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "500", PAYSTORM__SIMULATOR__LATENCY_SIGMA: "0" };
const TRAVELLED = ["queued", "processing", "succeeded"];

async function balances(page) {
  return page.locator("[data-balance]").allInnerTexts();
}

onEachStack("two people pay", { env: LATENCY }, async (server, browser) => {
  const ada = await person(browser, server.origin, "Ada");
  const ben = await person(browser, server.origin, "Ben");
  const registered = ada.seen.navigations;
  await recordStatuses(ada.page);

  const topup = await pay(ada.page, { verb: "Add money", amount: "100", card: "pm_card_visa" });
  await waitForStatus(ada.page, topup, "succeeded");
  const transfer = await pay(ada.page, { verb: "Send to a person", amount: "30.25", to: ben.email });
  await waitForStatus(ada.page, transfer, "succeeded");
  const declined = await pay(ada.page, { verb: "Add money", amount: "5", card: "pm_card_chargeDeclinedInsufficientFunds" });
  await waitForStatus(ada.page, declined, "declined");
  const charge = await pay(ada.page, { verb: "Charge a card", amount: "12.50", card: "pm_card_visa" });
  await waitForStatus(ada.page, charge, "succeeded");

  // What was seen, in the order in which it was seen.
  const statuses = await ada.page.evaluate(() => window.statuses);
  assert.deepEqual(statuses[topup], TRAVELLED);
  // Between two wallets there is no network to wait for: it may have settled before the page was notified.
  assert.deepEqual(statuses[transfer], TRAVELLED.slice(-statuses[transfer].length));
  assert.deepEqual(statuses[declined], ["queued", "processing", "declined"]);
  assert.deepEqual(statuses[charge], TRAVELLED);
  const note = ada.page.locator(`[data-payment-id="${declined}"] [data-note]`);
  assert.equal(await note.innerText(), "insufficient funds");

  // Ben sees it arrive without having done anything.
  await waitForStatus(ben.page, transfer, "succeeded");
  await eventually("Ben's balance", async () => {
    const seen = await balances(ben.page);
    return seen.join() === "€30.25 EUR" || seen;
  });

  // One navigation brought Ada to Home; since then one socket, and no asking again and again.
  assert.equal(ada.seen.navigations, registered);
  assert.equal(ada.seen.sockets, 1);
  // The last pushes may still refresh the balances; then it is quiet.
  await eventually("asked while nothing happened", async () => {
    const before = ada.seen.requests.length;
    await ada.page.waitForTimeout(3_000);
    return ada.seen.requests.length === before || ada.seen.requests.slice(before);
  }, 20_000);

  // Search finds the charge within ten seconds.
  await eventually("search", async () => {
    await ada.page.goto(`${server.origin}/payments?q=${encodeURIComponent('kind:"charge" amount:1250')}`);
    const found = await ada.page.locator("[data-list] [data-payment-id]").evaluateAll((rows) => rows.map((row) => row.dataset.paymentId));
    return (found.length === 1 && found[0] === charge) || found;
  });

  // The refund: the page changes in place.
  await ada.page.goto(`${server.origin}/payments/${charge}`);
  await ada.page.locator(LIVE).waitFor();
  const there = ada.seen.navigations;
  assert.equal(await ada.page.getByLabel("Amount to refund").inputValue(), "12.50");
  await ada.page.getByLabel("Amount to refund").fill("2.50");
  await ada.page.getByRole("button", { name: "Refund" }).click();
  await ada.page.getByText("Refund of €2.50 EUR arrived").waitFor();
  assert.equal(ada.seen.navigations, there);
  assert.equal(await ada.page.locator("[data-total-debit]").innerText(), await ada.page.locator("[data-total-credit]").innerText());

  // 100.00 − 30.25 + 12.50 − 2.50
  await ada.page.goto(`${server.origin}/wallets`);
  assert.deepEqual(await balances(ada.page), ["€79.75 EUR"]);
  await ben.page.goto(`${server.origin}/wallets`);
  assert.deepEqual(await balances(ben.page), ["€30.25 EUR"]);
  assert.deepEqual([...ada.seen.errors, ...ben.seen.errors], []);
});
