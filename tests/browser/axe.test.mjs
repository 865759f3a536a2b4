// What axe-core finds on every page, in light and dark: nothing serious or critical. And what every page keeps to: its weight, its
// own host, no sideways scroll on a small phone.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { eventually, launchBrowser, startServer } from "./support.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGE_MAX_BYTES = 200_000;
const PAGES = [
  "/", "/pay", "/pay?kind=transfer", "/payments", "/payments?q=status%3A%22declined%22", "/payments?q=amount%3E%3E", "/payments/import", "/wallets", "/wallets/eur",
  "/insights", "/keys", "/requests", "/system", "/how", "/account", "/nowhere",
];
const OUTSIDE = ["/sign-in", "/register"];

let server;
let browser;
let payment;

before(async () => {
  server = await startServer({ demo: true, env: { PAYSTORM__DEMO__LATENCY_MEDIAN_MS: "5" } });
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

// A browser that is signed in to the demo account; its session is kept for all looks.
let session;
async function signedIn(options) {
  const context = await browser.newContext({ ...options, ...(session && { storageState: session }) });
  if (!session) {
    const page = await context.newPage();
    await page.goto(/http:\S+\/start\?t=\S+/.exec(server.printed())[0]);
    await page.waitForURL(`${server.origin}/`);
    session = await context.storageState();
    await eventually("the demo has made payments", async () => {
      await page.goto(`${server.origin}/payments`);
      return (await page.locator("[data-payment-id]").count()) > 15;
    }, 60_000);
    payment = await page.locator('[data-payment-id][data-status="succeeded"]').first().getAttribute("data-payment-id");
    await page.close();
  }
  return context;
}

async function look(context, path, found) {
  const page = await context.newPage();
  const network = await context.newCDPSession(page);
  await network.send("Network.enable");
  await network.send("Network.setCacheDisabled", { cacheDisabled: true });
  const sizes = [];
  const elsewhere = [];
  page.on("response", (response) => sizes.push(response.body().then((body) => body.length, () => 0)));
  page.on("request", (request) => {
    if (!request.url().startsWith(server.origin) && !request.url().startsWith("data:")) elsewhere.push(request.url());
  });
  await page.goto(`${server.origin}${path}`);
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  await page.waitForTimeout(300);
  // Evaluated by the browser itself, not by the page: its policy forbids scripts from elsewhere, rightly.
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => window.axe.run());
  if (passes.length < 10) found.push(`${path}: only ${passes.length} rules had something to look at`);
  for (const { id, impact, nodes } of violations) {
    if (impact === "serious" || impact === "critical") found.push(`${path}: ${id} (${impact}) ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0) found.push(`${path}: ${wide} px wider than the window`);
  if (bytes > PAGE_MAX_BYTES) found.push(`${path}: ${bytes} bytes`);
  if (elsewhere.length > 0) found.push(`${path}: asked ${elsewhere[0]}`);
  await page.close();
}

for (const colorScheme of ["light", "dark"]) {
  for (const viewport of [{ width: 1280, height: 900 }, { width: 360, height: 740 }]) {
    test(`every page is open to everyone, ${colorScheme}, ${viewport.width} px`, { timeout: 240_000 }, async () => {
      const found = [];
      const inside = await signedIn({ colorScheme, viewport });
      for (const path of [...PAGES, `/payments/${payment}`]) await look(inside, path, found);
      const outside = await browser.newContext({ colorScheme, viewport });
      for (const path of OUTSIDE) await look(outside, path, found);
      await inside.close();
      await outside.close();
      assert.deepEqual(found, []);
    });
  }
}
