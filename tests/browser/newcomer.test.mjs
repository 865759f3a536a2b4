// The first minute, literally: what the README and the start say, then every item of "First steps", one after the other, as
// someone does who has never been here. In under a minute of waiting, and each item ticks itself.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { LIVE, complaints, onServer, slowness } from "./support.mjs";

const WAITING_MAX_MS = 60_000;

// The address and the command that the start prints.
async function invitation(server) {
  for (let n = 0; n < 1_200; n += 1) {
    const address = /^\s*(http:\S+\/start\?t=\S+)$/m.exec(server.printed());
    const curl = /^\s*(curl .*)$/m.exec(server.printed());
    if (address && curl) return { address: address[1], curl: curl[1] };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no address was printed:\n${server.printed()}`);
}

const step = (page, key) => page.locator(`[data-step="${key}"]`);
const done = (page, key) => page.locator(`[data-step="${key}"].done`).waitFor({ timeout: 240_000 });

async function fillAndPay(page, key) {
  await step(page, key).getByRole("link", { name: "Fill in" }).click();
  await page.locator("[data-submit]").click();
  await done(page, key);
}

// Pause, pay, see the queue grow, resume, see it drain.
async function pauseAndResume(page, origin) {
  await step(page, "pause").getByRole("link").click();
  await page.getByRole("button", { name: /^Pause/ }).first().click();
  await page.getByRole("button", { name: /^Resume/ }).first().waitFor();
  await page.goto(origin);
  await page.locator("[data-submit]").click();
  await page.locator('[data-journey][data-status="queued"]').waitFor();
  await page.waitForTimeout(1_500);
  assert.equal(await page.locator("[data-journey]").getAttribute("data-status"), "queued", "nobody works on it");
  await page.goto(`${origin}/system`);
  await page.getByRole("button", { name: /^Resume/ }).first().click();
  await page.getByRole("button", { name: /^Pause/ }).first().waitFor();
  await page.goto(origin);
  await done(page, "pause");
}

test("a newcomer gets through the first steps in a minute", { timeout: 400_000 }, async () => {
  const slow = slowness();
  const began = Date.now();
  await onServer({ demo: true }, async (server, browser) => {
    const { address, curl } = await invitation(server);
    const readme = await readFile(new URL("../../README.md", import.meta.url), "utf8");
    assert.ok(readme.includes(curl.replace(server.origin, "http://127.0.0.1:8080")), `the README shows another line than\n${curl}`);
    const paid = spawnSync("sh", ["-c", `${curl} -s`], { encoding: "utf8" });
    assert.equal(JSON.parse(paid.stdout).status, "succeeded", paid.stdout + paid.stderr);

    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const errors = complaints(page);
    // Fetched ahead by something that is no person: still good.
    assert.equal((await fetch(address)).status, 200);
    await page.goto(address);
    await page.waitForURL(`${server.origin}/`);
    await page.getByText("Corner Coffee").first().waitFor();
    await page.locator(LIVE).waitFor();
    await page.locator("[data-demo-badge]").waitFor();
    assert.equal((await fetch(address)).status, 410, "it works once");
    // The command from the README was a payment as well.
    await done(page, "pay");

    await fillAndPay(page, "pay");
    await fillAndPay(page, "decline");
    await step(page, "refund").getByRole("link").click();
    await page.getByRole("button", { name: "Refund" }).click();
    await page.getByText("arrived").first().waitFor();
    await page.goto(server.origin);
    await done(page, "refund");
    await step(page, "thousand").getByRole("button").click();
    await done(page, "thousand");
    await page.getByText("all settled after").waitFor({ timeout: 240_000 });
    if (await hasPause(page, server.origin)) await pauseAndResume(page, server.origin);
    await step(page, "search").getByRole("link").click();
    await page.locator('[data-list] [data-status="declined"]').first().waitFor();
    await page.goto(server.origin);
    await done(page, "search");
    const all = (await page.locator("[data-step]").count()) - ((await hasPause(page, server.origin)) ? 0 : 1);
    assert.equal(await page.locator("[data-step].done").count(), all);
    const took = Date.now() - began;
    console.log(`the first steps took ${(took / 1_000).toFixed(1)} s`);
    assert.ok(took < WAITING_MAX_MS * slow(), `it took ${took} ms`);

    // Hidden, and back again.
    await page.getByRole("button", { name: "Hide the first steps" }).click();
    await page.waitForLoadState();
    assert.equal(await page.locator("[data-first]").count(), 0);
    await page.goto(`${server.origin}/account`);
    await page.getByRole("button", { name: "Show the first steps" }).click();
    await page.waitForURL(`${server.origin}/`);
    assert.equal(await page.locator("[data-step].done").count(), all);
    await page.locator("[data-demo-badge] summary").click();
    await page.getByRole("button", { name: "Hide this badge" }).click();
    await page.waitForLoadState();
    assert.equal(await page.locator("[data-demo-badge]").count(), 0);
    assert.deepEqual(errors, []);
  });
});

let pausable;
async function hasPause(page, origin) {
  if (pausable === undefined) {
    const response = await page.request.get(`${origin}/system`);
    pausable = (await response.text()).includes('action="/system/pause"');
  }
  return pausable;
}

test("the first steps work without JavaScript", { timeout: 120_000 }, async () => {
  await onServer({ demo: true, env: { PAYSTORM__DEMO__PAYMENTS: "false", PAYSTORM__DEMO__LATENCY_MEDIAN_MS: "50" } }, async (server, browser) => {
    const { address } = await invitation(server);
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(address);
    await page.getByRole("button", { name: "Go on as Corner Coffee" }).click();
    await page.waitForURL(`${server.origin}/`);
    for (const key of ["pay", "decline"]) {
      await step(page, key).getByRole("link", { name: "Fill in" }).click();
      await page.locator("[data-submit]").click();
      await page.waitForURL(/\/payments\/pi_/);
      for (let n = 0; n < 50 && (await page.goto(server.origin), await page.locator(`[data-step="${key}"].done`).count()) === 0; n += 1) await page.waitForTimeout(200);
      assert.equal(await page.locator(`[data-step="${key}"].done`).count(), 1, key);
    }
    await step(page, "thousand").getByRole("button").click();
    await page.getByText("1,000 payments are queued.").waitFor();
    assert.equal(await page.locator('[data-step="thousand"].done').count(), 1);
  });
});
