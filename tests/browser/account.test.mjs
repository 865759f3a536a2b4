// The page of one's own account, in a real browser: another password, sessions seen and ended, and leaving for good.
import assert from "node:assert/strict";
import { LIVE, PASSWORD, onEachStack, pay, person, signIn, waitForStatus } from "./support.mjs";

const NEW = "a short and noisy street";

onEachStack("an account, from another password to its end", {}, async (server, browser) => {
  const ada = await person(browser, server.origin, "Ada");
  const other = await signIn(browser, server.origin, ada.email);
  await other.page.waitForURL(`${server.origin}/`);
  await other.page.locator(LIVE).waitFor();

  // From the menu, by keyboard alone.
  const { page } = ada;
  await page.locator(".menu summary").last().focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForURL(`${server.origin}/account`);
  await page.getByRole("heading", { name: "Account", level: 1 }).waitFor();
  const sessions = page.getByRole("region", { name: "Sessions" }).locator("tbody tr");
  assert.equal(await sessions.count(), 2);
  assert.match(await sessions.first().innerText(), /Chrome on Linux.*this one/s);

  // A wrong password is said beside its field.
  await page.getByLabel("Password now").fill("not the password");
  await page.getByLabel("New password").fill(NEW);
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.getByText("This is not your password.").waitFor();
  assert.equal(await page.getByLabel("Password now").getAttribute("aria-invalid"), "true");
  await page.getByLabel("Password now").fill(PASSWORD);
  await page.getByLabel("New password").fill(NEW);
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.getByText("Your password is changed.").waitFor();
  assert.equal(await sessions.count(), 1);
  // The other browser notices by itself.
  await other.page.getByText("You were signed out.").waitFor({ timeout: 20_000 });

  // Another session, ended by its button.
  const third = await signIn(browser, server.origin, ada.email, NEW);
  await third.page.waitForURL(`${server.origin}/`);
  await page.reload();
  await page.getByRole("button", { name: /^End the session in Chrome/ }).click();
  await page.getByText("The session has ended.").waitFor();
  await third.page.goto(`${server.origin}/wallets`);
  await third.page.waitForURL(/\/sign-in/);

  // Leaving: what stays behind is said first.
  await page.goto(server.origin);
  const topup = await pay(page, { verb: "Add money", amount: "20", card: "pm_card_visa" });
  await waitForStatus(page, topup, "succeeded");
  await page.setViewportSize({ width: 360, height: 800 });
  await page.goto(`${server.origin}/account`);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  await page.getByText("€20.00 EUR").waitFor();
  await page.getByLabel("Your password").fill(NEW);
  await page.getByRole("button", { name: "Delete the account" }).click();
  await page.getByText("Your account is deleted.").waitFor();
  const gone = await signIn(browser, server.origin, ada.email, NEW);
  await gone.page.getByText("That did not work.").waitFor();

  // Nobody can send it money any more.
  const ben = await person(browser, server.origin, "Ben");
  const paid = await pay(ben.page, { verb: "Add money", amount: "20", card: "pm_card_visa" });
  await waitForStatus(ben.page, paid, "succeeded");
  await ben.page.locator(".verb", { hasText: "Send to a person" }).click();
  await ben.page.getByLabel("Amount", { exact: true }).fill("5");
  await ben.page.getByLabel("To", { exact: true }).fill(ada.email);
  await ben.page.locator("[data-submit]").click();
  await ben.page.getByText("There is no account with this e-mail address").waitFor();
  const unexpected = [...ada.seen.errors, ...ben.seen.errors].filter((error) => !error.includes("400"));
  assert.deepEqual(unexpected, []);
});
