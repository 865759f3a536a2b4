// Test clocks on their pages, on both stacks: one is created with a customer, a payment held on it lapses as the clock is advanced,
// it runs, is frozen and deleted. PAYSTORM_PICTURES names a directory for pictures.
import assert from "node:assert/strict";
import { apiKey, charge, complaints, eventually, fits, onEachStack, person } from "./support.mjs";

// That a page of a mistake has the status of one is said on the console as well.
const unexpected = (errors) => errors.filter((error) => !/status of 40[04]/.test(error));

// What the clock's own page says.
const says = (page, ...texts) => texts.reduce((found, hasText) => found.filter({ hasText }), page.locator('[data-live="clock"]')).waitFor();

// Sends a form twice at once, as a double click may; resolves with where each led.
function sendTwice(page, button) {
  return page.getByRole("button", { name: button }).evaluate((submitter) => {
    const { form } = submitter;
    const body = () => new URLSearchParams(new FormData(form, submitter));
    const send = async () => (await fetch(form.action, { method: "POST", body: body() })).url;
    return Promise.all([send(), send()]);
  });
}

// Creates the clock and a customer on it; resolves with the clock's address and the customer's id.
async function create(page) {
  await page.getByRole("link", { name: "Test clocks" }).click();
  await page.getByText("No test clocks yet.").waitFor();
  await fits(page, "clocks-empty");
  await page.getByLabel("Name").fill("Renewals <2031>");
  await page.getByLabel("Start time").fill("2031-01-01T09:00");
  const [clock, again] = await sendTwice(page, "Create test clock");
  assert.equal(clock, again);
  await page.goto(clock);
  await page.getByRole("heading", { name: "Renewals <2031>", level: 1 }).waitFor();
  await says(page, "2031-01-01 09:00:00 UTC", "Frozen");
  await fits(page, "clock");
  await page.getByRole("link", { name: "Create one on this clock" }).click();
  await page.getByText("No customers on this clock yet.").waitFor();
  await fits(page, "clock-customers");
  await page.getByLabel("Name").fill("Grace Hopper");
  await page.getByRole("button", { name: "Create customer" }).click();
  await page.getByRole("heading", { name: "Grace Hopper", level: 1 }).waitFor();
  await page.locator(".clock-strip", { hasText: "2031-01-01 09:00:00 UTC" }).waitFor();
  return { clock, customer: page.url().split("/").at(-1) };
}

// A payment seen in a tab of its own lapses there as the clock is advanced here.
async function lapse({ page, context }, origin, clock, held) {
  const watched = await context.newPage();
  const errors = complaints(watched);
  await watched.goto(`${origin}/payments/${held}`);
  await watched.locator('[data-payment][data-status="requires_capture"]').waitFor();
  await watched.locator(".sentence", { hasText: "Capture it by 8 Jan 2031" }).waitFor();
  await fits(watched, "clock-payment-held");
  await page.goto(clock);
  await sendTwice(page, "7 days");
  await page.reload();
  await says(page, "2031-01-08 09:00:00 UTC", "Frozen");
  await watched.locator('[data-payment][data-status="canceled"]').waitFor();
  await page.getByRole("button", { name: "1 day" }).click();
  await says(page, "2031-01-09 09:00:00 UTC", "Frozen");
  const lapsed = watched.locator(".event").last();
  await lapsed.filter({ hasText: "Authorization expired" }).waitFor();
  assert.equal(await lapsed.locator(".offset").innerText(), "+7 d 0 h");
  assert.match(await lapsed.locator(".offset").getAttribute("title"), /^2031-01-08 09:00:00.000 UTC/);
  // Clocks push nothing: pages look again by themselves.
  await watched.locator(".clock-strip", { hasText: "2031-01-09 09:00:00 UTC" }).waitFor({ timeout: 60_000 });
  await fits(watched, "clock-payment-expired");
  assert.deepEqual(errors, []);
  await watched.close();
}

// Lets the clock run, freezes it again, and tries to take it back.
async function run(page) {
  await page.getByLabel("Speed").selectOption({ label: "600× (10 minutes per second)" });
  await page.getByRole("button", { name: "Set speed" }).click();
  await says(page, "Running at 600× real time");
  const shown = () => page.locator(".clock-shows").innerText();
  const before = await shown();
  assert.ok(before >= "2031-01-09 09:00:00 UTC", before);
  await eventually("the clock runs", async () => (await shown()) > before);
  await fits(page, "clock-running");
  await page.getByLabel("Speed").selectOption({ label: "Frozen" });
  await page.getByRole("button", { name: "Set speed" }).click();
  await says(page, "Frozen");
  const frozen = await shown();
  await page.reload();
  assert.equal(await shown(), frozen);
  await page.getByLabel("Advance to").fill("2030-01-01T00:00:01");
  await page.getByRole("button", { name: "Advance", exact: true }).click();
  await page.locator("#e-at", { hasText: "Choose a time after the one the clock shows." }).waitFor();
  assert.equal(await page.getByLabel("Advance to").inputValue(), "2030-01-01T00:00:01");
  await fits(page, "clock-backwards");
}

async function clocks(server, browser) {
  const someone = await person(browser, server.origin, "Ada Shop");
  const { page, seen } = someone;
  const key = await apiKey(someone, server.origin);
  const { clock, customer } = await create(page);
  const held = await charge(server.origin, key, 4_200, { customer, capture_method: "manual" });
  await lapse(someone, server.origin, clock, held);
  await run(page);
  await page.goto(`${server.origin}/customers/${customer}`);
  await page.locator(`[data-payment-id="${held}"][data-status="canceled"]`).waitFor();
  await fits(page, "clock-customer");
  await page.goto(`${server.origin}/payments`);
  await page.locator(`[data-payment-id="${held}"] time`, { hasText: "1 Jan 2031" }).waitFor();
  await page.goto(`${server.origin}/clocks`);
  await fits(page, "clocks");
  await page.getByRole("link", { name: "Renewals <2031>" }).click();
  await page.getByRole("button", { name: "Delete test clock" }).click();
  await page.getByText("No test clocks yet.").waitFor();
  await page.goto(clock);
  await page.getByText("This test clock was deleted.").waitFor();
  await page.goto(`${server.origin}/payments/${held}`);
  await page.locator('[data-payment][data-status="canceled"]').waitFor();
  assert.equal(await page.locator(".clock-strip").count(), 0);
  assert.deepEqual(unexpected(seen.errors), []);
}

onEachStack("what follows a test clock is shown", {}, clocks);
