// Starts the program and browsers for the tests of the pages.
//
// PAYSTORM_BIN names the binary (target/release/paystorm by default). The real parts are those of scripts/services.sh:
// PAYSTORM_TEST_MYSQL_URL, PAYSTORM_TEST_AMQP_URL, PAYSTORM_TEST_ELASTICSEARCH_URL.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const BINARY = process.env.PAYSTORM_BIN ?? join(ROOT, "target/release/paystorm");
const START_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 20_000;
// Where a page says that its numbers are the latest.
export const LIVE = '[data-connection][data-state="live"]';
const PICTURES = process.env.PAYSTORM_PICTURES;
export const PASSWORD = "a long and quiet river";

function needed(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run scripts/services.sh up and eval "$(scripts/services.sh env)"`);
  return value;
}

// The settings of one stack, and what removes its traces. On the real one every test has its own names.
function stackOf(kind) {
  if (kind === "embedded") return { args: [], env: {}, remove: async () => {} };
  const name = `paystorm_test_browser_${randomBytes(4).toString("hex")}`;
  const mysql = new URL(needed("PAYSTORM_TEST_MYSQL_URL"));
  mysql.pathname = `/${name}`;
  const elasticsearch = needed("PAYSTORM_TEST_ELASTICSEARCH_URL");
  const env = {
    PAYSTORM__STORE__URL: mysql.href,
    PAYSTORM__BROKER__URL: needed("PAYSTORM_TEST_AMQP_URL"),
    PAYSTORM__BROKER__PREFIX: name,
    PAYSTORM__SEARCH__URL: elasticsearch,
    PAYSTORM__SEARCH__PREFIX: name,
  };
  return { args: ["--config", join(ROOT, "config/real.toml")], env, remove: () => removeTraces(name, mysql, elasticsearch) };
}

async function removeTraces(name, mysql, elasticsearch) {
  const login = ["-h", mysql.hostname, "-P", mysql.port || "3306", "-u", mysql.username, `-p${mysql.password}`];
  spawnSync("mysql", [...login, "-e", `DROP DATABASE IF EXISTS \`${name}\``]);
  const indices = await (await fetch(`${elasticsearch}/_cat/indices/${name}*?h=index&expand_wildcards=all`)).text();
  for (const index of indices.split("\n").filter(Boolean)) await fetch(`${elasticsearch}/${index}`, { method: "DELETE" });
  if (!process.env.PAYSTORM_TEST_AMQP_ADMIN_URL) return;
  const admin = new URL(process.env.PAYSTORM_TEST_AMQP_ADMIN_URL);
  const headers = { authorization: `Basic ${btoa(`${admin.username}:${admin.password}`)}` };
  for (const kind of ["queues", "exchanges"]) {
    const all = await (await fetch(`${admin.origin}/api/${kind}/%2F`, { headers })).json();
    const ours = all.filter((each) => each.name.startsWith(`${name}.`));
    for (const each of ours) await fetch(`${admin.origin}/api/${kind}/%2F/${each.name}`, { method: "DELETE", headers });
  }
}

// A running server: { origin, pid, stop(), restart(between), output(), command(…) }. `env` adds settings; `command` runs the program
// on the same parts. It keeps its port and its data when it is restarted; `between` runs while it is down.
// The demo account is off unless `demo` leaves it as it is for everyone.
export async function startServer({ stack = "embedded", env = {}, demo = false } = {}) {
  const data = await mkdtemp(join(tmpdir(), "paystorm-browser-"));
  const { args, env: stackEnv, remove } = stackOf(stack);
  let output = "";
  // What a person sees first, whatever is logged afterwards.
  let printed = "";
  let child;
  const launch = (port) => {
    child = spawn(BINARY, ["serve", ...args, "--bind", `127.0.0.1:${port}`, "--data-dir", data], {
      env: { ...process.env, ...(!demo && { PAYSTORM__DEMO__ENABLED: "false" }), ...stackEnv, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return new Promise((resolve, reject) => {
      let own = "";
      const timer = setTimeout(() => reject(new Error(`no address within ${START_WITHIN_MS} ms:\n${output}`)), START_WITHIN_MS);
      const read = (chunk) => {
        output = (output + chunk).slice(-20_000);
        own = (own + chunk).slice(-20_000);
        const found = /Paystorm is at (http:\/\/127\.0\.0\.1:\d+)/.exec(own);
        if (!found) return;
        clearTimeout(timer);
        resolve(found[1]);
      };
      child.stdout.on("data", (chunk) => (printed = (printed + chunk).slice(0, 10_000)));
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      const failed = (error) => {
        clearTimeout(timer);
        reject(error);
      };
      child.on("error", failed);
      child.on("exit", (code) => failed(new Error(`${BINARY} ended with ${code}:\n${output}`)));
    });
  };
  const end = async () => {
    const ending = child;
    const ended = new Promise((resolve) => (ending.exitCode === null ? ending.on("exit", resolve) : resolve()));
    ending.kill("SIGTERM");
    const timer = setTimeout(() => ending.kill("SIGKILL"), STOP_WITHIN_MS);
    await ended;
    clearTimeout(timer);
  };
  const origin = await launch(0);
  const restart = async (between = async () => {}) => {
    await end();
    await between();
    await launch(new URL(origin).port);
  };
  const stop = async () => {
    await end();
    await rm(data, { recursive: true, force: true });
    await remove();
  };
  const command = (...words) => {
    const run = spawnSync(BINARY, [...words, ...args, "--data-dir", data], { env: { ...process.env, ...stackEnv, ...env }, encoding: "utf8" });
    if (run.status !== 0) throw new Error(`${words.join(" ")} ended with ${run.status}: ${run.stderr}${run.stdout}`);
    return run.stdout;
  };
  return { origin, stop, restart, output: () => output, printed: () => printed, command, get pid() { return child.pid; } };
}

export function launchBrowser() {
  return chromium.launch({ executablePath: process.env.PAYSTORM_CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
}

// Runs a test with a server and a browser of its own; shows the end of the server's output where it fails.
export async function onServer(options, test) {
  const server = await startServer(options);
  const browser = await launchBrowser();
  try {
    await test(server, browser);
  } catch (error) {
    console.error(server.output().slice(-4_000));
    throw error;
  } finally {
    await browser.close();
    await server.stop();
  }
}

// The same test on both stacks, each with a server and a browser of its own.
export function onEachStack(name, { timeout = 180_000, ...options }, body) {
  for (const stack of ["embedded", "real"]) {
    test(`${name}, ${stack} parts`, { timeout }, () => onServer({ stack, ...options }, body));
  }
}

// What a page complains about, from now on.
export function complaints(page) {
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  return errors;
}

// Fails if the page is wider than a desk's window or a phone's. PAYSTORM_PICTURES names a directory for pictures of both.
export async function fits(page, name) {
  for (const [width, colorScheme] of [[1280, "light"], [360, "dark"]]) {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= width, `${name} is ${wide} px wide at ${width}`);
    if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}-${width}.png`, fullPage: true });
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: "light" });
}

// Sends the form of the sign-in page in a browser of its own, whatever comes of it.
export async function signIn(browser, origin, email, password = PASSWORD) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${origin}/sign-in`);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  return { context, page };
}

// A person with a browser of their own, registered and on Home. Counts what the page does on the network.
export async function person(browser, origin, name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const seen = { navigations: 0, sockets: 0, requests: [], errors: complaints(page) };
  page.on("framenavigated", (frame) => frame === page.mainFrame() && (seen.navigations += 1));
  page.on("websocket", () => (seen.sockets += 1));
  page.on("request", (request) => seen.requests.push(request.url()));
  const email = `${name.toLowerCase().replaceAll(" ", "-")}-${randomBytes(4).toString("hex")}@example.com`;
  await page.goto(`${origin}/register`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Make the account" }).click();
  await page.waitForURL(`${origin}/`);
  await page.locator(LIVE).waitFor();
  // Away from where the button was: a mouse over the live feed would hold it.
  await page.mouse.move(0, 0);
  return { context, page, email, name, seen };
}

// Makes an API key on the Keys page, in a tab of its own.
export async function apiKey({ context }, origin) {
  const page = await context.newPage();
  await page.goto(`${origin}/keys`);
  await page.getByLabel("Name").fill("browser test");
  await page.getByRole("button", { name: "Make a key" }).click();
  const key = await page.locator("[data-secret]").innerText();
  await page.close();
  return key;
}

// Charges a card over the API; resolves with the payment's id once it is accepted. `more` are further parameters.
export async function charge(origin, key, amount = 500, more = {}) {
  const body = new URLSearchParams({ amount, currency: "eur", payment_method: "pm_card_visa", confirm: "true", ...more });
  const headers = { authorization: `Bearer ${key}`, prefer: "respond-async" };
  const answer = await fetch(`${origin}/v1/payment_intents`, { method: "POST", headers, body });
  if (!answer.ok) throw new Error(`charge: ${answer.status} ${await answer.text()}`);
  return (await answer.json()).id;
}

const QUIET_WORK_MS = 20;

// Times a fixed piece of work, again and again, until it is asked how much longer it took than on a quiet machine of a usual
// kind: what bounds on durations have to be stretched by on this one, as busy as it is.
export function slowness() {
  const work = () => {
    const began = performance.now();
    let sum = 0;
    for (let n = 0; n < 6_000_000; n += 1) sum += Math.sqrt(n);
    return sum > 0 ? performance.now() - began : 0;
  };
  for (let n = 0; n < 5; n += 1) work();
  const took = [work()];
  const timer = setInterval(() => took.push(work()), 500);
  return () => {
    clearInterval(timer);
    const slow = took.sort((a, b) => a - b)[Math.floor(took.length * 0.9)] / QUIET_WORK_MS;
    console.log(`the machine was ${slow.toFixed(1)} times as slow as a quiet one`);
    return Math.max(1, slow);
  };
}

// A duration as pages write it, in milliseconds.
export function milliseconds(text) {
  const units = { µs: 0.001, ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };
  const parts = [...text.matchAll(/([\d.]+) (µs|ms|s|min|h|d)\b/g)];
  assert.ok(parts.length > 0, `no duration: ${text}`);
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * units[unit], 0);
}

// Waits until a check answers true; fails with what it answered last.
export async function eventually(what, check, within_ms = 60_000) {
  const until = Date.now() + within_ms;
  for (;;) {
    const last = await check();
    if (last === true) return;
    if (Date.now() > until) throw new Error(`${what}: not within ${within_ms} ms, last seen: ${JSON.stringify(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

// Records every word that the status of the newest row of the live feed has, in order: { id: [words] }.
export function recordStatuses(page) {
  return page.evaluate(() => {
    window.statuses = {};
    const note = () => {
      for (const row of document.querySelectorAll("[data-feed-rows] > [data-payment-id]")) {
        const words = (window.statuses[row.dataset.paymentId] ??= []);
        const word = row.querySelector("[data-status-text]").textContent;
        if (words.at(-1) !== word) words.push(word);
      }
    };
    note();
    new MutationObserver(note).observe(document.querySelector("[data-feed-rows]"), { subtree: true, childList: true, characterData: true, attributes: true });
  });
}

// Fills and sends the form of Home; resolves with the id of the payment once the journey has begun.
export async function pay(page, { verb, amount, card, to, bank }) {
  const before = await page.locator("[data-journey]").getAttribute("data-journey");
  await page.locator(".verb", { hasText: verb }).click();
  await page.getByLabel("Amount", { exact: true }).fill(amount);
  if (card) await page.getByLabel("Test card").selectOption(card);
  if (to) await page.getByLabel("To", { exact: true }).fill(to);
  if (bank) await page.getByLabel("Bank account").selectOption(bank);
  await page.locator("[data-submit]").click();
  const strip = page.locator(`[data-journey^="p"]:not([data-journey="${before}"]), [data-journey^="t"]:not([data-journey="${before}"])`);
  await strip.waitFor({ timeout: 60_000 });
  return strip.getAttribute("data-journey");
}

// Waits until the live feed's row of this payment has a status.
export function waitForStatus(page, id, status) {
  return page.locator(`[data-feed-rows] [data-payment-id="${id}"][data-status="${status}"]`).waitFor({ timeout: 60_000 });
}

// Waits until search finds so many payments; leaves the page on what it found.
export function searchFinds(page, origin, query, count) {
  return eventually(`search finds ${count} for "${query}"`, async () => {
    await page.goto(`${origin}/payments?q=${encodeURIComponent(query)}`);
    const found = await page.locator("[data-list] [data-payment-id]").count();
    return found === count || found;
  });
}
