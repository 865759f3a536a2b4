// Load runs from the page, on both stacks: started from the form, watched live, paused, reloaded in mid-run, stopped; the report with its
// audit; what is wrong with a setting is said at its field.
import assert from "node:assert/strict";
import { eventually, fits, onEachStack, person } from "./support.mjs";

const SETTINGS = { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "5" };

const heading = (page, name) => page.getByRole("heading", { name, level: 1 }).waitFor();
const state = (page) => page.locator("[data-load-state]").innerText();
const press = (page, name) => page.getByRole("button", { name, exact: true }).click();

async function wrongRate(page) {
  await page.locator("#run [name=rate]").fill("many");
  await press(page, "Start load run");
  const field = page.locator("#run [name=rate]");
  await page.locator("#run [name=rate][aria-invalid=true]").waitFor();
  assert.equal(await field.inputValue(), "many");
  assert.match(await page.locator("#e-run-rate").innerText(), /a rate is a number/);
}

async function runs(page, origin) {
  await page.goto(`${origin}/load`);
  await heading(page, "Load");
  await fits(page, "load");
  await wrongRate(page);
  await page.locator("#run [name=name]").fill("From the page");
  await page.locator("#run [name=rate]").fill("20");
  await page.locator("#run [name=duration]").fill("10m");
  await press(page, "Start load run");
  await page.waitForURL(/\/load\/lr_/);
  await heading(page, "From the page");
  const drawn = () => page.locator(".live-plot .line").first().getAttribute("d").then((d) => (d ?? "").length);
  await eventually("lines grow", async () => (await drawn()) > 20);
  assert.equal(await state(page), "Running");
  await fits(page, "load-run");

  await press(page, "Pause");
  await eventually("paused", async () => (await state(page)) === "Paused" || state(page));
  // A page reloaded in mid-run goes on.
  await page.reload();
  await press(page, "Resume");
  await eventually("running", async () => (await state(page)) === "Running" || state(page));
  assert.ok((await drawn()) > 20, "what was drawn before is there");

  await press(page, "Stop");
  await page.getByRole("button", { name: "Delete" }).waitFor();
  assert.match(await page.locator("[data-load-audit]").innerText(), /^Audit: of \d+ payments .* 0 missing, 0 different, 0 not answered\./);
  await fits(page, "load-report");
  await page.goto(`${origin}/load`);
  assert.match(await page.locator(".load-runs tbody").innerText(), /From the page/);
}

onEachStack("load runs start, pause, go on and report", { env: SETTINGS }, async ({ origin }, browser) => {
  const someone = await person(browser, origin, "Loader");
  await runs(someone.page, origin);
  // The browser says of the one form that was refused that it was.
  assert.deepEqual(someone.seen.errors.filter((error) => !error.includes("400")), []);
});
