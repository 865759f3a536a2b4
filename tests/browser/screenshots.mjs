// Pictures of every page, at 1280 and 360 px, light and dark, with payments of every look in them: node screenshots.mjs
// writes to screenshots/ in the project's root, which git ignores. Fails if a page scrolls sideways or complains.
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { apiKey, launchBrowser, pay, person, startServer, waitForStatus } from "./support.mjs";

const OUT = process.argv[2] ?? fileURLToPath(new URL("../../screenshots", import.meta.url));
const TRAFFIC_SECONDS = Number(process.env.PAYSTORM_SCREENSHOTS_TRAFFIC_SECONDS ?? 40);
const SIZES = [
  [1280, "light"],
  [1280, "dark"],
  [360, "light"],
  [360, "dark"],
];
const CARDS = ["visa", "visa", "mastercard", "amex", "discover", "visa_debit", "jcb"];
const DECLINES = ["chargeDeclined", "chargeDeclinedInsufficientFunds", "chargeDeclinedInsufficientFunds", "chargeDeclinedExpiredCard"];
const FILE = `key,kind,amount,currency,payment_method,destination,description
r-1,charge,4.20,eur,pm_card_visa,,Espresso
r-2,charge,12.345,eur,pm_card_visa,,Two flat whites
r-3,charge,3.10,eur,pm_card_unknown,,Tea
r-4,charge,8.00,eur,pm_card_mastercard,,Cake
r-5,transfer,5.00,eur,,nobody@example.com,Tip
,charge,1.00,eur,pm_card_visa,,Water
r-7,charge,¥1200,jpy,pm_card_jcb,,Breakfast
`;

await mkdir(OUT, { recursive: true });
const browser = await launchBrowser();
let complaints = 0;
const complain = (text) => {
  complaints += 1;
  console.log(text);
};

// Every size of one page; `before` acts on the page first.
async function shoot(context, origin, path, name, before = async () => {}) {
  for (const [width, colorScheme] of SIZES) {
    const page = await context.newPage();
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    page.on("pageerror", (error) => complain(`${name}: ${error}`));
    await page.goto(origin + path);
    await before(page);
    await page.waitForTimeout(250);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > width) complain(`${name} is ${wide} px wide at ${width}`);
    await page.screenshot({ path: `${OUT}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    await page.close();
  }
}

async function all(context, origin, pages) {
  for (const [name, path, before] of pages) await shoot(context, origin, path, name, before);
}

// Calls of the API for a while, most of which succeed.
async function traffic(origin, key) {
  const call = (path, fields, method = "POST") =>
    fetch(origin + path, { method, headers: { authorization: `Bearer ${key}`, prefer: "respond-async" }, ...(method === "POST" && { body: new URLSearchParams(fields) }) });
  const until = Date.now() + TRAFFIC_SECONDS * 1_000;
  for (let n = 0; Date.now() < until; n += 1) {
    const card = n % 9 === 4 ? DECLINES[n % DECLINES.length] : CARDS[n % CARDS.length];
    const currency = n % 11 === 0 ? "jpy" : "eur";
    const amount = 250 + ((n * 7_919) % 4_000);
    await call("/v1/payment_intents", { amount, currency, payment_method: `pm_card_${card}`, confirm: "true", "metadata[order]": `A-${1_000 + n}` });
    await new Promise((resolve) => setTimeout(resolve, 60 + 50 * Math.sin(n / 25)));
  }
  await call("/v1/payment_intents", { amount: "12.5", currency: "eur", confirm: "true" });
  await call("/v1/payment_intents", { amount: 500, currency: "eur", "payment_method_data[card][number]": "4111111111111112", confirm: "true" });
  await call("/v1/payment_intents/pi_unknown", {}, "GET");
}

// What the first start shows: the printed address, and Home while the story is told.
async function demo() {
  const first = await startServer({ demo: true });
  try {
    const address = /(http:\S+\/start\?t=\S+)/.exec(first.printed())[1];
    const without = await browser.newContext({ javaScriptEnabled: false });
    await shoot(without, first.origin, address.slice(first.origin.length), "start");
    await shoot(without, first.origin, "/start?t=spent", "start-spent");
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(address);
    await page.waitForURL(`${first.origin}/`);
    await page.waitForTimeout(12_000);
    await all(context, first.origin, [
      ["home-demo", "/"],
      ["payments-demo", "/payments"],
      ["wallets-demo", "/wallets"],
      ["wallet-demo", "/wallets/eur"],
      ["account-demo", "/account"],
    ]);
  } finally {
    await first.stop();
  }
}

// One payment of every look, made on Home: { name: id }.
async function payments(coffee, ada) {
  const card = (token) => ({ verb: "Charge a card", amount: "12.50", card: `pm_card_${token}` });
  const ids = {};
  const make = async (name, status, what) => {
    ids[name] = await pay(coffee.page, what);
    await waitForStatus(coffee.page, ids[name], status);
  };
  await make("topup", "succeeded", { verb: "Add money", amount: "500", card: "pm_card_mastercard" });
  await make("transfer", "succeeded", { verb: "Send to a person", amount: "30.25", to: ada.email });
  await make("payout", "succeeded", { verb: "Pay out", amount: "20", bank: "000123456789" });
  await make("declined", "declined", card("chargeDeclinedInsufficientFunds"));
  await make("secure", "requires_action", card("authenticationRequired"));
  await make("succeeded", "succeeded", card("visa"));
  ids.failing = await pay(coffee.page, card("paystorm_technicalError"));
  return ids;
}

async function everything() {
  const server = await startServer({ env: { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "200" } });
  const { origin } = server;
  try {
    const ada = await person(browser, origin, "Ada");
    const coffee = await person(browser, origin, "Corner Coffee");
    await all(ada.context, origin, [["home-empty", "/"], ["payments-empty", "/payments"], ["wallets-empty", "/wallets"], ["insights-empty", "/insights"], ["requests-empty", "/requests"]]);
    const ids = await payments(coffee, ada);
    await coffee.page.goto(`${origin}/payments/${ids.succeeded}`);
    await coffee.page.locator('[data-connection][data-state="live"]').waitFor();
    await coffee.page.getByLabel("Amount to refund").fill("2.50");
    await coffee.page.getByRole("button", { name: "Refund" }).click();
    await coffee.page.getByText("arrived").waitFor();
    await coffee.page.goto(`${origin}/keys`);
    await coffee.page.getByLabel("Name").fill("test suite");
    await coffee.page.getByRole("button", { name: "Make a key" }).click();
    await coffee.page.locator("[data-secret]").waitFor();
    await coffee.page.screenshot({ path: `${OUT}/key-made-1280-light.png`, fullPage: true });
    await traffic(origin, await apiKey(coffee, origin));
    await coffee.page.goto(`${origin}/payments/import`);
    await coffee.page.getByLabel("Name").fill("Saturday");
    await coffee.page.locator('input[type="file"]').setInputFiles({ name: "saturday.csv", mimeType: "text/csv", buffer: Buffer.from(FILE) });
    await coffee.page.getByRole("button", { name: "Import" }).click();
    await coffee.page.getByText("Refused rows").waitFor();
    const imported = new URL(coffee.page.url()).pathname;
    await coffee.page.goto(`${origin}/requests?status=4`);
    const call = await coffee.page.locator(".request-path").first().getAttribute("href");
    const burst = async (page) => {
      await page.getByRole("button", { name: /and follow it/ }).click();
      await page.locator(".station.done").nth(4).waitFor();
      await page.getByRole("button", { name: /Send 2/ }).click();
      await page.locator(".curves").waitFor();
    };
    const made = async (page) => {
      await page.getByLabel("Amount", { exact: true }).fill("12.50");
      await page.locator(".pay-form [data-submit]").click();
      await page.locator("[data-made] [data-status=succeeded]").waitFor();
    };
    await all(coffee.context, origin, [
      ["home", "/"],
      ["payments", "/payments"],
      ["payments-found", `/payments?q=${encodeURIComponent('status:"declined"')}`],
      ["payments-nothing", "/payments?q=unobtainium"],
      ["payments-error", `/payments?q=${encodeURIComponent('coffee colour:"red"')}`],
      ["challenge", `/payments/${ids.secure}/challenge`],
      ["wallets", "/wallets"],
      ["wallet", "/wallets/eur"],
      ["pay", "/pay"],
      ["pay-made", "/pay", made],
      ["pay-transfer", "/pay?kind=transfer"],
      ["import", "/payments/import"],
      ["import-one", imported],
      ["insights", "/insights"],
      ["scenario", "/scenario?example=slow-acquirer"],
      ["keys", "/keys"],
      ["requests", "/requests"],
      ["request", call],
      ["system", "/system"],
      ["how", "/how"],
      ["how-burst", "/how", burst],
      ["account", "/account"],
      ["missing", "/nowhere"],
      ...Object.entries(ids).map(([name, id]) => [`payment-${name}`, `/payments/${id}`]),
    ]);
    await coffee.page.goto(`${origin}/system`);
    await coffee.page.getByRole("button", { name: "Pause the workers" }).click();
    await coffee.page.locator('[data-workers="paused"]').waitFor();
    await shoot(coffee.context, origin, "/", "home-paused", (page) => pay(page, { verb: "Charge a card", amount: "3", card: "pm_card_visa" }));
    await shoot(coffee.context, origin, "/system", "system-paused", (page) => page.waitForTimeout(2_500));
    const stranger = await browser.newContext();
    await all(stranger, origin, [["sign-in", "/sign-in"], ["register", "/register"]]);
    for (const error of coffee.seen.errors) complain(`console: ${error}`);
  } finally {
    await server.stop();
  }
}

try {
  await everything();
  await demo();
} finally {
  await browser.close();
}
process.exitCode = complaints > 0 ? 1 : 0;
