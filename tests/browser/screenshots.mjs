// Pictures of every page, at 1280 and 360 px, light and dark, with payments of every look in them: node screenshots.mjs
// writes to screenshots/ in the project's root, which git ignores. Fails if a page scrolls sideways or complains.
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { launchBrowser, pay, person, startServer, waitForStatus } from "./support.mjs";

const OUT = process.argv[2] ?? fileURLToPath(new URL("../../screenshots", import.meta.url));
const SIZES = [
  [1280, "light"],
  [1280, "dark"],
  [360, "light"],
  [360, "dark"],
];

await mkdir(OUT, { recursive: true });
const server = await startServer({ env: { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "200" } });
const browser = await launchBrowser();
let complaints = 0;
const complain = (text) => {
  complaints += 1;
  console.log(text);
};

async function shoot(context, path, name, origin = server.origin) {
  for (const [width, colorScheme] of SIZES) {
    const page = await context.newPage();
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    page.on("pageerror", (error) => complain(`${name}: ${error}`));
    await page.goto(origin + path);
    await page.waitForTimeout(250);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > width) complain(`${name} is ${wide} px wide at ${width}`);
    await page.screenshot({ path: `${OUT}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    await page.close();
  }
}

// What the first start shows: the printed address, and Home while the story is told.
async function demo() {
  const first = await startServer({ demo: true });
  try {
    const address = /(http:\S+\/start\?t=\S+)/.exec(first.printed())[1];
    const without = await browser.newContext({ javaScriptEnabled: false });
    await shoot(without, address.slice(first.origin.length), "start", first.origin);
    await shoot(without, "/start?t=spent", "start-spent", first.origin);
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(address);
    await page.waitForURL(`${first.origin}/`);
    await page.waitForTimeout(12_000);
    await shoot(context, "/", "home-demo", first.origin);
    await shoot(context, "/account", "account-demo", first.origin);
  } finally {
    await first.stop();
  }
}

try {
  const ada = await person(browser, server.origin, "Ada");
  const coffee = await person(browser, server.origin, "Corner Coffee");
  const card = (token) => ({ verb: "Charge a card", amount: "12.50", card: `pm_card_${token}` });
  const ids = {};
  const make = async (name, status, what) => {
    ids[name] = await pay(coffee.page, what);
    await waitForStatus(coffee.page, ids[name], status);
  };
  await shoot(ada.context, "/", "home-empty");
  await shoot(ada.context, "/payments", "payments-empty");
  await make("topup", "succeeded", { verb: "Add money", amount: "500", card: "pm_card_mastercard" });
  await make("transfer", "succeeded", { verb: "Send to a person", amount: "30.25", to: ada.email });
  await make("payout", "succeeded", { verb: "Pay out", amount: "20", bank: "000123456789" }).catch((error) => complain(`payout: ${error}`));
  await make("declined", "declined", card("chargeDeclinedInsufficientFunds"));
  await make("secure", "requires_action", card("authenticationRequired"));
  await make("succeeded", "succeeded", card("visa"));
  ids.failing = await pay(coffee.page, card("paystorm_technicalError"));
  await coffee.page.goto(`${server.origin}/payments/${ids.succeeded}`);
  await coffee.page.locator('[data-connection][data-state="live"]').waitFor();
  await coffee.page.getByLabel("Amount to refund").fill("2.50");
  await coffee.page.getByRole("button", { name: "Refund" }).click();
  await coffee.page.getByText("arrived").waitFor();
  await coffee.page.goto(`${server.origin}/keys`);
  await coffee.page.getByLabel("Name").fill("test suite");
  await coffee.page.getByRole("button", { name: "Make a key" }).click();
  await coffee.page.locator("[data-secret]").waitFor();
  await coffee.page.screenshot({ path: `${OUT}/key-made-1280-light.png`, fullPage: true });
  await coffee.page.waitForTimeout(1_500);
  const pages = {
    home: "/",
    payments: "/payments",
    "payments-found": `/payments?q=${encodeURIComponent('status:"declined"')}`,
    "payments-nothing": "/payments?q=unobtainium",
    "payments-error": `/payments?q=${encodeURIComponent('coffee colour:"red"')}`,
    challenge: `/payments/${ids.secure}/challenge`,
    wallets: "/wallets",
    wallet: "/wallets/eur",
    pay: "/pay",
    "pay-transfer": "/pay?kind=transfer",
    import: "/payments/import",
    insights: "/insights",
    keys: "/keys",
    requests: "/requests",
    system: "/system",
    how: "/how",
    account: "/account",
    missing: "/nowhere",
  };
  for (const [name, id] of Object.entries(ids)) pages[`payment-${name}`] = `/payments/${id}`;
  for (const [name, path] of Object.entries(pages)) await shoot(coffee.context, path, name);
  const stranger = await browser.newContext();
  await shoot(stranger, "/sign-in", "sign-in");
  await shoot(stranger, "/register", "register");
  await demo();
  for (const error of coffee.seen.errors) complain(`console: ${error}`);
} finally {
  await browser.close();
  await server.stop();
}
process.exitCode = complaints > 0 ? 1 : 0;
