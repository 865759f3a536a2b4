// Those who may not, cannot or should not, on both stacks: what signing in and registering say when it does not work, and what is
// shown in place of a page.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { LIVE, PASSWORD, complaints, onEachStack, onServer, pay, person, signIn, waitForStatus } from "./support.mjs";

const GENERIC = "That did not work. Check the e-mail address and the password; if you already have an account, sign in.";
const ATTEMPTS = 5;

const someone = () => `someone-${randomBytes(4).toString("hex")}@example.com`;

// Sends a form with these fields, as they are: what the browser itself would hold back is let through as well.
async function submit(page, fields, button) {
  for (const [label, text] of Object.entries(fields)) await page.getByLabel(label).fill(text);
  await page.locator("main form").evaluate((form) => (form.noValidate = true));
  await page.getByRole("button", { name: button }).click();
}

async function register(browser, origin) {
  const ada = await person(browser, origin, "Ada");
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${origin}/register`);
  const good = { "Name, as others see it": "Eve <b>", "E-mail": someone(), Password: "a broad and silent lake" };
  for (const [wrong, words] of [
    [{ Password: "too short" }, "A password needs 12 to 128 characters."],
    [{ Password: "passwordpassword" }, "This password is too common."],
    [{ "E-mail": "eve at home" }, "Not an e-mail address: write it like ada@example.org."],
    // A name that is taken is answered like a wrong password: nobody learns who has an account.
    [{ "E-mail": ada.email }, GENERIC],
  ]) {
    await submit(page, { ...good, ...wrong }, "Make the account");
    await page.getByText(words).waitFor();
    const fields = { ...good, ...wrong };
    assert.equal(await page.getByLabel("E-mail").inputValue(), fields["E-mail"], "what was typed stays");
    assert.equal(await page.getByLabel("Password").inputValue(), "", "but for the password");
  }
  // The browser says what is missing before anything is sent.
  await page.goto(`${origin}/register`);
  await page.getByRole("button", { name: "Make the account" }).click();
  assert.equal(await page.evaluate(() => document.activeElement.name), "name");
  assert.equal(new URL(page.url()).pathname, "/register");
  await submit(page, good, "Make the account");
  await page.waitForURL(`${origin}/`);
  await page.locator(".menu summary", { hasText: "Eve <b>" }).waitFor();
  // Someone who is signed in has no business there any more.
  await page.goto(`${origin}/register`);
  await page.waitForURL(`${origin}/`);
  return ada;
}

async function wrongPassword(browser, origin, ada) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${origin}/payments?q=status%3Adeclined`);
  await page.waitForURL(/\/sign-in\?next=/);
  for (const email of [ada.email, someone()]) {
    await submit(page, { "E-mail": email, Password: "not the password" }, "Sign in");
    await page.getByText(GENERIC).waitFor();
    assert.equal(await page.getByLabel("E-mail").inputValue(), email);
  }
  // Where one wanted to go is kept through it all.
  await submit(page, { "E-mail": ada.email, Password: PASSWORD }, "Sign in");
  await page.waitForURL(`${origin}/payments?q=status%3Adeclined`);
  assert.equal(await page.getByLabel("Search payments").inputValue(), "status:declined");

  const elsewhere = await (await browser.newContext()).newPage();
  await elsewhere.goto(`${origin}/sign-in?next=//example.com/trap`);
  await submit(elsewhere, { "E-mail": ada.email, Password: PASSWORD }, "Sign in");
  await elsewhere.waitForURL(`${origin}/`);
}

// Guessing is slowed down, and the page says for how long.
async function tooManyAttempts(browser, origin) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${origin}/sign-in`);
  const said = [];
  const email = someone();
  while (said.length <= ATTEMPTS && !said.at(-1)?.startsWith("Too many")) {
    const answer = page.waitForResponse((response) => response.request().method() === "POST");
    await submit(page, { "E-mail": email, Password: "not the password" }, "Sign in");
    const status = (await answer).status();
    await page.waitForLoadState();
    said.push(await page.getByRole("alert").innerText());
    assert.equal(status, said.at(-1) === GENERIC ? 401 : 429);
  }
  assert.deepEqual(said.slice(0, 3), [GENERIC, GENERIC, GENERIC]);
  assert.match(said.at(-1), /^Too many attempts\. Try again in \d+ s\.$/);
}

// Instead of a page: with the navigation for anyone who is signed in, and a way on for everyone.
async function instead(browser, origin, ada) {
  await ada.page.goto(origin);
  const paid = await pay(ada.page, { verb: "Charge a card", amount: "5", card: "pm_card_visa" });
  await waitForStatus(ada.page, paid, "succeeded");
  const eve = await person(browser, origin, "Eve");
  const answers = [];
  eve.page.on("response", (response) => response.request().isNavigationRequest() && answers.push(response.status()));
  for (const path of ["/nowhere", `/payments/${paid}`, `/payments/${paid}/challenge`, "/payments/pi_nothing", "/requests/req_nothing", "/payments/imports/imp_nothing", "/wallets/xyz"]) {
    await eve.page.goto(origin + path);
    await eve.page.getByRole("heading", { name: "Nothing here", level: 1 }).waitFor();
    await eve.page.getByText("There is no such page, or it belongs to another account.").waitFor();
    assert.equal(await eve.page.getByRole("navigation", { name: "Pages" }).count(), 1, path);
    await eve.page.locator(LIVE).waitFor();
  }
  assert.deepEqual([...new Set(answers)], [404]);
  await eve.page.getByRole("main").getByRole("link", { name: "Home" }).click();
  await eve.page.waitForURL(`${origin}/`);

  const nobody = await (await browser.newContext()).newPage();
  await nobody.goto(`${origin}/nowhere`);
  await nobody.getByRole("heading", { name: "Nothing here" }).waitFor();
  assert.equal(await nobody.getByRole("navigation").count(), 0);
  await nobody.getByRole("link", { name: "Home" }).click();
  await nobody.waitForURL(/\/sign-in/);
  return eve;
}

// A form that was left open while its session ended elsewhere does nothing, and says so.
async function oldForm(origin, eve) {
  await eve.page.goto(`${origin}/keys`);
  const other = await eve.context.newPage();
  await other.goto(origin);
  await other.locator(".menu summary").last().click();
  await other.getByRole("button", { name: "Sign out" }).click();
  await other.waitForURL(/\/sign-in/);
  await eve.page.getByText("You were signed out.").waitFor();
  await eve.page.getByRole("button", { name: "Make a key" }).click();
  await eve.page.waitForURL(/\/sign-in/);
  // The same with another session in the same browser: the form was the old one's.
  const back = await eve.context.newPage();
  await signInHere(back, origin, eve.email);
  await back.goto(`${origin}/keys`);
  await back.locator("main form input[name=csrf]").first().evaluate((field) => (field.value = "of another session"));
  await back.getByRole("button", { name: "Make a key" }).click();
  await back.getByRole("heading", { name: "Not allowed" }).waitFor();
  await back.goto(`${origin}/keys`);
  await back.getByText("No keys yet.").waitFor();
}

async function signInHere(page, origin, email) {
  await page.goto(`${origin}/sign-in`);
  await submit(page, { "E-mail": email, Password: PASSWORD }, "Sign in");
  await page.waitForURL(`${origin}/`);
}

onEachStack("who may not", {}, async (server, browser) => {
  const ada = await register(browser, server.origin);
  await wrongPassword(browser, server.origin, ada);
  await tooManyAttempts(browser, server.origin);
  const eve = await instead(browser, server.origin, ada);
  await oldForm(server.origin, eve);
  const unexpected = [...ada.seen.errors, ...eve.seen.errors].filter((error) => !/status of 40[134]/.test(error));
  assert.deepEqual(unexpected, []);
});

test("where nobody may register, the pages say so", { timeout: 240_000 }, async () => {
  await onServer({ env: { PAYSTORM__ACCOUNTS__REGISTRATION: "false" } }, async (server, browser) => {
    const page = await browser.newPage();
    const errors = complaints(page);
    await page.goto(`${server.origin}/sign-in`);
    assert.equal(await page.getByRole("link", { name: "Make an account" }).count(), 0);
    await page.goto(`${server.origin}/register`);
    await page.getByText("Nobody can register here. Ask whoever runs this server for an account.").waitFor();
    assert.deepEqual(errors.filter((error) => !error.includes("status of 403")), []);
    const { page: tried } = await signIn(browser, server.origin, someone());
    await tried.getByText(GENERIC).waitFor();
  });
});
