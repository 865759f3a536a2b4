// The page of the scenario, on both stacks: an example is loaded and previewed, mistakes are shown while they are typed and lead to their
// place, what is put in force answers the next payment, files go out and come in, revisions are compared. PAYSTORM_PICTURES names a
// directory for pictures.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { apiKey, eventually, fits, onEachStack, onServer, person } from "./support.mjs";

const SETTINGS = { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "5" };
const BY_AMOUNT = `name = "By amount <1>"

[[acquirer]]
name = "northbank"
latency = { median_ms = 20, sigma = 0.4, max_ms = 400 }
outcomes = [{ share = 0.25, decline = "lost_card" }]

[[rule]]
match = { amount_minor = 1051 }
decline = "insufficient_funds"

[[rule]]
match = { amount_minor = { min = 1 } }
outcome = "approved"
`;

const editor = (page) => page.getByLabel("Scenario file");
const said = (page, hasText) => page.locator(".preview-said", { hasText }).waitFor();

// The outcome of a charge: its decline code, or its status.
async function outcome(origin, key, amount) {
  const body = new URLSearchParams({ amount, currency: "eur", payment_method: "pm_card_visa", confirm: "true" });
  const answer = await (await fetch(`${origin}/v1/payment_intents`, { method: "POST", headers: { authorization: `Bearer ${key}` }, body })).json();
  return answer.error?.decline_code ?? answer.status;
}

async function loadExample(page) {
  await page.getByRole("link", { name: "Scenario", exact: true }).click();
  await page.locator("[data-in-force]", { hasText: "No scenario has been put in force yet." }).waitFor();
  await fits(page, "scenario-empty");
  await page.getByLabel("Example").selectOption({ label: "Slow acquirer" });
  // Nothing was typed: nothing is asked.
  await page.getByRole("button", { name: "Load example" }).click();
  await page.waitForURL(/example=slow-acquirer/);
  assert.match(await editor(page).inputValue(), /\[\[acquirer\]\]/);
  await said(page, "No mistakes: 2 acquirers");
  assert.equal(await page.locator("[data-scenario-preview] .plot").count(), 2);
  await fits(page, "scenario-example");
}

// Mistakes come and go while one types, and a press leads to their place.
async function mistakes(page) {
  const asked = [];
  page.on("request", (request) => request.url().endsWith("/scenario/preview") && asked.push(request));
  await editor(page).fill(BY_AMOUNT.replace("amount_minor = 1051", "amuont_minor = 1051"));
  await said(page, "1 mistake");
  const mistake = page.locator("button.mistake", { hasText: "did you mean" });
  assert.match(await mistake.innerText(), /Line 9, column 11/);
  assert.equal(await editor(page).getAttribute("aria-invalid"), "true");
  await fits(page, "scenario-mistakes");
  await mistake.click();
  const at = await editor(page).evaluate((area) => area === document.activeElement && area.value.slice(area.selectionStart).split("\n")[0]);
  assert.equal(at, "amuont_minor = 1051 }");
  // The cursor is where the mistake is: mend it by the keyboard.
  for (let n = 0; n < 12; n += 1) await page.keyboard.press("Delete");
  await page.keyboard.type("amount_minor", { delay: 20 });
  await said(page, "No mistakes: 1 acquirer, 2 rules");
  assert.equal(await editor(page).inputValue(), BY_AMOUNT);
  // Twenty-four keys were pressed, one preview was asked for at a time and not for each.
  assert.ok(asked.length < 12, `${asked.length} previews`);
  await page.locator(".outcomes tr", { hasText: "Approved" }).filter({ hasText: "100%" }).waitFor();
}

// Asks before it throws away what was typed.
async function asks(page) {
  const questions = [];
  const answer = (dialog) => {
    questions.push(dialog.message());
    dialog.dismiss();
  };
  page.on("dialog", answer);
  await page.getByRole("button", { name: "Load example" }).click();
  await eventually("it asked", () => questions.length === 1 || questions);
  assert.deepEqual(questions, ["Replace your changes?"]);
  assert.equal(await editor(page).inputValue(), BY_AMOUNT);
  page.off("dialog", answer);
}

async function putInForce(page, origin, key) {
  assert.equal(await outcome(origin, key, 1051), "succeeded");
  await page.getByRole("button", { name: "Put in force" }).click();
  await page.locator(".notice", { hasText: "Revision 1, By amount <1>, is in force" }).waitFor();
  await page.locator("[data-in-force] strong", { hasText: "By amount <1>" }).waitFor();
  assert.deepEqual([await outcome(origin, key, 1051), await outcome(origin, key, 1052)], ["insufficient_funds", "succeeded"]);
  await fits(page, "scenario-in-force");
}

// What is exported and imported again is the same.
async function exportAndImport(page) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export TOML" }).click()]);
  assert.equal(download.suggestedFilename(), "by-amount-1.toml");
  const text = await readFile(await download.path(), "utf8");
  assert.equal(text, BY_AMOUNT);
  const chooser = page.getByLabel("Import from a file");
  const file = (content) => ({ name: "mine.toml", mimeType: "application/toml", buffer: Buffer.from(content) });
  await chooser.setInputFiles(file(Buffer.alloc(256 * 1_024 + 1, "#")));
  await page.locator("#scenario-error", { hasText: "mine.toml is larger than 256 KiB." }).waitFor();
  await chooser.setInputFiles(file(Buffer.from([0x6e, 0xff, 0xfe])));
  await page.locator("#scenario-error", { hasText: "mine.toml is not UTF-8 text." }).waitFor();
  await chooser.setInputFiles(file(text.replace("1051", "1052")));
  await eventually("the file is in the editor", async () => (await editor(page).inputValue()) === BY_AMOUNT.replace("1051", "1052"));
  await said(page, "No mistakes");
}

async function revisions(page, origin, key) {
  await page.getByRole("button", { name: "Put in force" }).click();
  await page.locator(".notice", { hasText: "Revision 2" }).waitFor();
  assert.deepEqual([await outcome(origin, key, 1051), await outcome(origin, key, 1052)], ["succeeded", "insufficient_funds"]);
  await page.getByRole("link", { name: "Compare revision 2 with 1" }).click();
  await page.locator(".sentence", { hasText: "1 line added, 1 line removed." }).waitFor();
  assert.match(await page.locator(".diff .removed").innerText(), /−\s*removed:\s*match = \{ amount_minor = 1051 \}/);
  assert.match(await page.locator(".diff .added").innerText(), /\+\s*added:\s*match = \{ amount_minor = 1052 \}/);
  await fits(page, "scenario-changes");
  await page.locator(".hint a", { hasText: "revision 1" }).click();
  await page.getByRole("heading", { name: "By amount <1>", level: 1 }).waitFor();
  await fits(page, "scenario-revision");
  await page.getByRole("button", { name: "Put in force again" }).click();
  await page.locator(".notice", { hasText: "Revision 3" }).waitFor();
  assert.equal(await outcome(origin, key, 1051), "insufficient_funds");
  await page.getByText("Back to the settings").click();
  await page.getByRole("button", { name: "Return to the settings" }).click();
  await page.locator(".notice", { hasText: "settings are in force again (revision 4)" }).waitFor();
  assert.equal(await outcome(origin, key, 1051), "succeeded");
  await fits(page, "scenario-revisions");
}

onEachStack("a scenario is edited, previewed, put in force and taken back", { env: SETTINGS }, async (server, browser) => {
  const someone = await person(browser, server.origin, "Corner Coffee");
  const { page } = someone;
  const key = await apiKey(someone, server.origin);
  await loadExample(page);
  await mistakes(page);
  await asks(page);
  await putInForce(page, server.origin, key);
  await exportAndImport(page);
  await revisions(page, server.origin, key);
  assert.deepEqual(someone.seen.errors, []);
});

// A phone of 390 pixels, light and dark, for the eye.
test("the scenario on a phone", { timeout: 120_000 }, async () => {
  await onServer({ env: SETTINGS }, async (server, browser) => {
    const { page, seen } = await person(browser, server.origin, "Kim");
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [390, 1280]) {
        await page.setViewportSize({ width, height: 844 });
        await page.emulateMedia({ colorScheme });
        await page.goto(`${server.origin}/scenario?example=flaky-network`);
        await said(page, "No mistakes");
        const boxes = await Promise.all(["[data-scenario]", "[data-scenario-preview]"].map((each) => page.locator(each).boundingBox()));
        assert.equal(boxes[1].y > boxes[0].y + boxes[0].height, width === 390, "the preview stands below the editor on a phone, else beside it");
        if (process.env.PAYSTORM_PICTURES) await page.screenshot({ path: `${process.env.PAYSTORM_PICTURES}/scenario-${colorScheme}-${width}.png`, fullPage: true });
      }
    }
    assert.deepEqual(seen.errors, []);
  });
});

test("without JavaScript the buttons do the same", { timeout: 120_000 }, async () => {
  await onServer({ env: SETTINGS }, async (server, browser) => {
    const { context } = await person(browser, server.origin, "Kim");
    const storageState = await context.storageState();
    const page = await (await browser.newContext({ storageState, javaScriptEnabled: false })).newPage();
    await page.goto(`${server.origin}/scenario`);
    await page.getByLabel("Example").selectOption({ label: "Happy day" });
    await page.getByRole("button", { name: "Load example" }).click();
    await said(page, "No mistakes");
    await editor(page).fill("name = 1\n");
    await page.getByRole("button", { name: "Check" }).click();
    await page.locator(".mistake", { hasText: "Line 1" }).waitFor();
    assert.equal(await editor(page).inputValue(), "name = 1\n");
    await editor(page).fill(BY_AMOUNT);
    await page.getByRole("button", { name: "Put in force" }).click();
    await page.locator(".notice", { hasText: "Revision 1" }).waitFor();
    assert.equal(await editor(page).inputValue(), BY_AMOUNT);
  });
});
