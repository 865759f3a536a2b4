// Many payments as a file, on both stacks: the sample works as it is, mistakes are shown row by row, progress is visible, the
// results come back as a file, and sending a file again pays nothing twice. And the list of payments as a file.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { LIVE, eventually, onEachStack, person, searchFinds } from "./support.mjs";

const SETTINGS = { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "5" };
const MANY = 2_500;
const NUMBERS = ["Rows read", "Queued", "Known from before", "Refused"];

// Each mistake with the column that is named for it, and a word of what is said.
const MISTAKES = [
  ["bad-1,charge,a lot,eur,pm_card_visa,,", "amount", "not an amount: write it like 12.50"],
  ["bad-2,charge,1.005,eur,pm_card_visa,,", "amount", "EUR has 2 decimals"],
  ["bad-3,charge,1.00,euro,pm_card_visa,,", "currency", "three-letter"],
  ["bad-4,chrage,1.00,eur,pm_card_visa,,", "kind", "One of charge, topup, transfer or payout"],
  ["bad-5,charge,1.00,eur,pm_card_vista,,", "payment_method", "No such PaymentMethod"],
  ["bad-6,transfer,1.00,eur,,,", "destination", "Missing"],
  [",charge,1.00,eur,pm_card_visa,,", "key", "A key of 1 to 120"],
  ["bad-8,charge,1.00", "–", "This row has 3 fields; line 1 has 7."],
];

// Fields of a file without line breaks within them.
function parse(text) {
  const fields = (line) => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain);
  assert.equal(text[0], "\ufeff", "spreadsheets know UTF-8 by this mark");
  const [header, ...rows] = text.slice(1).trimEnd().split(/\r?\n/).map(fields);
  return rows.map((row) => Object.fromEntries(header.map((name, n) => [name, row[n]])));
}

async function download(page, name) {
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name }).click()]);
  return { name: file.suggestedFilename(), text: await readFile(await file.path(), "utf8") };
}

async function choose(page, origin, text, name) {
  await page.goto(`${origin}/payments/import`);
  await page.locator(LIVE).waitFor();
  await page.getByLabel("CSV file").setInputFiles({ name, mimeType: "text/csv", buffer: Buffer.from(text) });
}

// Sends a file as a person does; resolves with the four numbers of its page.
async function send(page, origin, text, name) {
  await choose(page, origin, text, name);
  await page.getByRole("button", { name: "Import" }).click();
  await page.waitForURL(/\/payments\/imports\/imp_/);
  await page.locator(".sentence", { hasText: /Every row was read(, \d+ refused)?\./ }).waitFor();
  assert.deepEqual(await page.locator(".number dt").allInnerTexts(), NUMBERS);
  return page.locator(".number dd").allInnerTexts();
}

const balance = async (page, origin) => {
  await page.goto(`${origin}/wallets`);
  return page.locator("[data-balance]").allInnerTexts();
};

async function sample({ page }, origin) {
  await page.goto(`${origin}/payments/import`);
  const { name, text } = await download(page, "Sample file");
  assert.equal(name, "payments-sample.csv");
  const rows = parse(text);
  assert.deepEqual(await send(page, origin, text, name), [String(rows.length), String(rows.length), "0", "0"]);
  await page.getByRole("heading", { name: "payments-sample", level: 1 }).waitFor();
  // What became of each row is in the results, once it is settled: one is declined on purpose, one only authorised.
  let results;
  await eventually("every row is at rest", async () => {
    results = parse((await download(page, "Results as CSV")).text);
    return results.every((row) => !["queued", "processing"].includes(row.status) || row.key === "order-1006") || results;
  });
  assert.deepEqual(results.map((row) => row.key), rows.map((row) => row.key));
  const statusOf = Object.fromEntries(results.map((row) => [row.key, row.status]));
  assert.deepEqual([statusOf["order-1001"], statusOf["order-1003"], statusOf["order-1004"]], ["succeeded", "requires_capture", "declined"]);
  assert.equal(results.find((row) => row.key === "order-1004").decline_code, "insufficient_funds");
  await page.goto(`${origin}/payments/${results[0].payment}`);
  await page.getByText("Two flat whites").first().waitFor();
}

async function mistakes({ page }, origin) {
  const good = ["good-1,charge,4.00,eur,pm_card_visa,,=1+1", "good-2,topup,6.00,eur,pm_card_mastercard,,"];
  const file = (bad) => ["key,kind,amount,currency,payment_method,destination,description", good[0], ...bad, good[1]].join("\n");
  const before = await balance(page, origin);
  assert.deepEqual(await send(page, origin, file(MISTAKES.map(([row]) => row)), "till.csv"), ["10", "2", "0", "8"]);
  const import_page = page.url();
  const cells = await page.locator("table tbody tr").evaluateAll((rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText)));
  for (const [n, [row, column, words]] of MISTAKES.entries()) {
    assert.deepEqual(cells[n].slice(0, 3), [String(n + 3), row.split(",")[0], column], words);
    assert.match(cells[n][3], new RegExp(words, "i"));
  }
  const results = parse((await download(page, "Results as CSV")).text);
  assert.equal(results.length, 10);
  assert.deepEqual([results[1].line, results[1].key, results[1].payment, results[1].column], ["3", "bad-1", "", "amount"]);
  assert.match(results[9].payment, /^tu_/);

  // Corrected and sent again under its name: only what was wrong is new. A third time, nothing is.
  await searchFinds(page, origin, "kind:topup amount:600 status:succeeded", 1);
  const paid = await balance(page, origin);
  assert.notDeepEqual(paid, before);
  const corrected = file(MISTAKES.map((_, n) => `bad-${n + 1},charge,0.50,eur,pm_card_visa,,`));
  assert.deepEqual(await send(page, origin, corrected, "till.csv"), ["10", "8", "2", "0"]);
  assert.deepEqual(await send(page, origin, corrected, "till.csv"), ["10", "0", "10", "0"]);
  await searchFinds(page, origin, "kind:charge amount:50 status:succeeded", 8);
  await searchFinds(page, origin, "kind:topup amount:600", 1);
  await page.goto(`${origin}/payments/import`);
  const listed = await page.getByRole("region", { name: "Imports so far" }).locator("tbody tr").first().innerText();
  assert.match(listed, /^till\s+Every row was read\s+10\s+0\s+10\s+0\s/);
  return import_page;
}

// What is no such file at all is said on the page, and nothing is made.
async function refused({ page }, origin) {
  for (const [text, words] of [["", /Choose a CSV file/], ["key,amount,currency\n", /no rows below line 1/], ["colour,size\nred,3\n", /There is no column "colour" in line 1/], ["amount,currency\n1,eur\n", /key is missing/]]) {
    await choose(page, origin, text, "broken.csv");
    await page.getByRole("button", { name: "Import" }).click();
    await page.getByText(words).first().waitFor();
  }
  await page.goto(`${origin}/payments/import`);
  await page.getByRole("button", { name: "Import" }).click();
  assert.equal(await page.getByLabel("CSV file").evaluate((input) => input.validity.valueMissing), true);
  assert.equal(new URL(page.url()).pathname, "/payments/import");
}

// A long file over a slow connection: progress is visible before it ends.
async function progress({ context, page }, origin) {
  const rows = Array.from({ length: MANY }, (_, n) => `many-${n},0.${(n % 50) + 50},eur,pm_card_visa`);
  await choose(page, origin, ["key,amount,currency,payment_method", ...rows].join("\n"), "many.csv");
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  await network.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 30_000 });
  await page.evaluate(() => {
    window.said = [];
    const [words, bar] = [document.querySelector("[data-import-said]"), document.querySelector("[data-import] progress")];
    new MutationObserver(() => window.said.push([words.textContent, bar.value / bar.max, bar.checkVisibility()])).observe(words, { childList: true });
    addEventListener("pagehide", () => sessionStorage.setItem("said", JSON.stringify(window.said)));
  });
  await page.getByRole("button", { name: "Import" }).click();
  await page.waitForURL(/\/payments\/imports\/imp_/, { timeout: 240_000 });
  await network.detach();
  assert.deepEqual(await page.locator(".number dd").allInnerTexts(), ["2,500", "2,500", "0", "0"]);
  const said = await page.evaluate(() => JSON.parse(sessionStorage.getItem("said")));
  const underWay = said.filter(([words, share, visible]) => /^[\d,]+ rows read · [\d,]+ queued$/.test(words) && share > 0 && share < 1 && visible);
  assert.ok(underWay.length >= 2, `one could not see how far it was: ${JSON.stringify(said)}`);
}

async function exported({ page }, origin) {
  await eventually("all settled and found", async () => {
    await page.goto(`${origin}/payments?q=status%3Asucceeded+amount%3C100`);
    const total = await page.locator("[data-total]").innerText();
    return total === `${(MANY + 8).toLocaleString("en")} payments` || total;
  }, 60_000);
  const some = await download(page, "Export CSV");
  assert.match(some.name, /^payments-\d{4}-\d\d-\d\d\.csv$/);
  const few = parse(some.text);
  assert.equal(few.length, MANY + 8);
  assert.ok(few.every((row) => row.status === "succeeded" && Number(row.amount_minor) < 100 && row.currency.toLowerCase() === "eur"));
  assert.equal(new Set(few.map((row) => row.id)).size, few.length, "none twice");
  await page.goto(`${origin}/payments`);
  const all = parse((await download(page, "Export CSV")).text);
  assert.equal(all.length, MANY + 8 + 2 + 6);
  const guarded = all.find((row) => row.amount_minor === "400");
  assert.equal(guarded.description, "'=1+1", "no program may take it for a formula");
}

onEachStack("payments as files", { env: SETTINGS, timeout: 240_000 }, async (server, browser) => {
  const ada = await person(browser, server.origin, "Ada");
  await sample(ada, server.origin);
  const theirs = await mistakes(ada, server.origin);
  await refused(ada, server.origin);
  await progress(ada, server.origin);
  await exported(ada, server.origin);
  const ben = await person(browser, server.origin, "Ben");
  await ben.page.goto(theirs);
  await ben.page.getByRole("heading", { name: "Nothing here" }).waitFor();
  const unexpected = [...ada.seen.errors, ...ben.seen.errors].filter((error) => !/status of 40[04]/.test(error));
  assert.deepEqual(unexpected, []);
});
