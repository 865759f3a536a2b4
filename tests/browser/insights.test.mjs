// Insights and "How it works", on both stacks: the figures are those of the payments that were made, under every range, by
// mouse and as a table; and one payment is followed, and two bursts compared, with numbers that stand up to a second look.
import assert from "node:assert/strict";
import { LIVE, apiKey, charge, eventually, onEachStack, person, searchFinds } from "./support.mjs";

const SETTINGS = { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "40", PAYSTORM__SIMULATOR__LATENCY_SIGMA: "0" };
const BURST = 200;
const SUCCEED = [1_250, 300, 450];
const DECLINE = [700, 900];

const plot = (page, name) => page.locator(`[data-plot="${name}"]`);
const open = async (page, address) => {
  await page.goto(address);
  await page.locator(LIVE).waitFor();
};

// The columns of a plot's table: { header: [cells] }.
function table(page, name) {
  return plot(page, name).evaluate((figure) => {
    const names = [...figure.querySelectorAll("thead th")].map((cell) => cell.textContent);
    const rows = [...figure.querySelectorAll("tbody tr")].map((row) => [...row.children].map((cell) => cell.textContent));
    return Object.fromEntries(names.map((name, n) => [name, rows.map((row) => row[n])]));
  });
}

const sum = (cells) => cells.reduce((total, cell) => total + Number(cell.replace(/[^\d.]/g, "") || 0), 0);

// Where the mouse points is what is said, on every plot at once; the same as stands in the tables.
async function hover(page, at, rows) {
  const box = await plot(page, "throughput").locator("[data-plot-body]").boundingBox();
  await page.mouse.move(box.x + (box.width * (at + 0.5)) / rows, box.y + box.height / 2);
  const texts = await page.locator("[data-plot-said]").allInnerTexts();
  const [times] = Object.values(await table(page, "throughput"));
  for (const words of texts) assert.ok(words.startsWith(`${times[at]}: `), `${words} at ${times[at]}`);
  const cursors = await page.locator("[data-cursor]").evaluateAll((all) => all.map((path) => path.getAttribute("d")));
  assert.ok(cursors.every((d) => d && d === cursors[0]), cursors.join());
  return texts;
}

async function insights(server, { page }, key) {
  await open(page, `${server.origin}/insights`);
  await page.getByText("Nothing happened in this time.").waitFor();
  for (const amount of SUCCEED) await charge(server.origin, key, amount);
  for (const amount of DECLINE) await charge(server.origin, key, amount, { payment_method: "pm_card_chargeDeclinedInsufficientFunds" });
  await searchFinds(page, server.origin, "status:succeeded", SUCCEED.length);
  await searchFinds(page, server.origin, "status:declined", DECLINE.length);

  await open(page, `${server.origin}/insights`);
  for (const [label, range, path] of [["15 minutes", "15m"], ["Hour", "1h"], ["Day", "1d"], ["All", "all"]]) {
    await page.getByRole("navigation", { name: "Time" }).getByRole("link", { name: label }).click();
    await page.waitForURL(`${server.origin}/insights?range=${range}`);
    await page.locator(LIVE).waitFor();
    assert.equal(await page.locator(".ranges [aria-current]").innerText(), label, path);
    assert.equal(await page.locator('[data-live="insights-total"]').innerText(), "5 payments");
    const figures = await table(page, "throughput");
    assert.deepEqual([sum(figures.All), sum(figures.succeeded), sum(figures.declined)], [5, 3, 2], JSON.stringify(figures));
  }
  const { All: all } = await table(page, "throughput");
  const busiest = all.findLastIndex((cell) => Number(cell) > 0);
  const summaries = await page.locator("[data-plot-said]").allInnerTexts();
  const texts = await hover(page, busiest, all.length);
  assert.match(texts[0], new RegExp(`All ${all[busiest]}\\b`));
  assert.match((await hover(page, busiest === 0 ? 1 : 0, all.length))[0], /: /);
  await page.locator("h1").hover();
  assert.deepEqual(await page.locator("[data-plot-said]").allInnerTexts(), summaries, "the mouse has left");

  // Volume is what arrived, and says so; the table can be opened and read.
  await plot(page, "throughput").getByText("As a table").click();
  await plot(page, "throughput").getByRole("rowheader").first().waitFor();
  const volume = page.locator("[data-plot]", { has: page.getByRole("heading", { name: "Volume, EUR" }) });
  assert.match(await volume.locator("[data-plot-said]").innerText(), /^€20\.00 EUR settled in 3 payments$/);
  const reasons = page.getByRole("region", { name: "Declined because" });
  assert.deepEqual(await reasons.locator("tbody td:nth-child(-n+2)").allInnerTexts(), ["insufficient funds", "2"]);
  await reasons.getByRole("link", { name: "insufficient funds" }).click();
  await page.waitForURL(/\/payments\?q=/);
  assert.equal(await page.locator('[data-list] [data-status="declined"]').count(), 2);
}

// Once with motion and once for people who want none.
async function follow(server, { page }) {
  await open(page, `${server.origin}/how`);
  assert.deepEqual(await page.locator("[data-station] h3").allInnerTexts(), ["Writer", "Queue", "Worker", "Ledger", "Index"]);
  for (const reducedMotion of ["no-preference", "reduce"]) {
    await page.emulateMedia({ reducedMotion });
    await page.getByRole("button", { name: /and follow it/ }).click();
    await page.locator('[data-station="writer"].current, [data-station="writer"].done').waitFor();
    assert.equal(await page.locator("[data-how-packet]").isVisible(), reducedMotion !== "reduce", "the dot moves only where it may");
    await page.getByText("Settled, and search finds it.").waitFor();
    assert.equal(await page.locator(".station.done").count(), 5);
    assert.equal(await page.locator("[data-how-packet]").isVisible(), false);
  }
  const worker = await page.locator('[data-station="worker"] [data-station-took]').innerText();
  await page.getByRole("link", { name: "Open the payment" }).click();
  await page.waitForURL(/\/payments\/pi_/);
  assert.equal(await page.locator('[data-stage="processing"] [data-stage-took]').innerText(), worker, "the same time on its own page");
}

// How far into the chart's width a curve is, and how high it climbs.
const span = (points) => {
  const xs = points.split(" ").map((point) => Number(point.split(",")[0]));
  const ys = points.split(" ").map((point) => Number(point.split(",")[1]));
  return { count: xs.length, width: Math.max(...xs) - Math.min(...xs), top: Math.min(...ys), falls: ys.slice(1).some((y, n) => y > ys[n] + 0.05) };
};

async function compare(server, { page }) {
  await open(page, `${server.origin}/how`);
  await page.getByRole("button", { name: `Send 2 × ${BURST} charges` }).click();
  await page.locator("[data-verdict]").waitFor();
  const [atOnce, atEnd] = await Promise.all(["at-once", "at-end"].map(async (curve) => span(await page.locator(`polyline.${curve}`).getAttribute("points"))));
  for (const curve of [atOnce, atEnd]) {
    assert.equal(curve.count, BURST);
    assert.ok(curve.width > 500 && !curve.falls, `from the fastest to the slowest: ${JSON.stringify(curve)}`);
  }
  assert.ok(atEnd.top < atOnce.top, "who waits for the end waits longer");
  const rows = await page.getByRole("region", { name: "The numbers" }).locator("tbody tr").allInnerTexts();
  assert.equal(rows.length, 2);
  for (const row of rows) assert.match(row, /([\d.]+ (µs|ms|s)\s*){5}$/, row);
  assert.equal(await page.locator(".legend > span").count(), 2);
  const made = 2 * BURST + SUCCEED.length + DECLINE.length + 2;
  await eventually("all of them in the list", async () => {
    await page.goto(`${server.origin}/payments`);
    const total = await page.locator("[data-total]").innerText();
    return total === `${made} payments` || total;
  });
}

onEachStack("insights, and how it works", { env: SETTINGS }, async (server, browser) => {
  const ada = await person(browser, server.origin, "Ada");
  const key = await apiKey(ada, server.origin);
  await insights(server, ada, key);
  await follow(server, ada);
  await compare(server, ada);
  assert.deepEqual(ada.seen.errors, []);
});
