// Customers on their pages, on both stacks: one is created, found in the list, seen with a payment, changed and deleted, at the width of a
// desk and of a phone. PAYSTORM_PICTURES names a directory for pictures.
import assert from "node:assert/strict";
import { apiKey, charge, fits, onEachStack, person } from "./support.mjs";

async function customers(server, browser) {
  const someone = await person(browser, server.origin, "Ada Shop");
  const { page, seen } = someone;
  const key = await apiKey(someone, server.origin);
  await page.getByRole("link", { name: "Customers" }).first().click();
  await page.getByText("No customers yet.").waitFor();
  await fits(page, "customers-empty");
  await page.getByLabel("Name").fill("Grace <Hopper>");
  await page.getByLabel("Email").fill("grace@example.org");
  await page.getByLabel("Phone").fill("+1 202 555 0123");
  await page.getByText("Address", { exact: true }).click();
  await page.getByLabel("Address line 1").fill("1 Navy Yard");
  await page.getByLabel("City").fill("Arlington");
  await page.getByRole("button", { name: "Create customer" }).click();
  await page.getByRole("heading", { name: "Grace <Hopper>", level: 1 }).waitFor();
  const id = page.url().split("/").at(-1);
  assert.match(id, /^cus_\w{22}$/);
  const paid = await charge(server.origin, key, 1_234, { customer: id, description: "A nanosecond" });
  await page.reload();
  await page.locator(`[data-payment-id="${paid}"]`).waitFor();
  assert.equal(await page.getByLabel("City").inputValue(), "Arlington");
  await fits(page, "customer");
  await page.getByLabel("Name").fill("Grace Brewster Hopper");
  await page.getByLabel("Phone").fill("");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByRole("heading", { name: "Grace Brewster Hopper", level: 1 }).waitFor();
  assert.equal(await page.getByLabel("Phone").inputValue(), "");
  await page.goto(`${server.origin}/customers`);
  const row = page.getByRole("region", { name: "Customers" }).locator("tbody tr");
  assert.equal(await row.count(), 1);
  await fits(page, "customers");
  await row.getByRole("link", { name: "Grace Brewster Hopper" }).click();
  await page.getByRole("button", { name: "Delete customer" }).click();
  await page.getByText("No customers yet.").waitFor();
  assert.deepEqual(seen.errors, []);
}

onEachStack("customers are created, changed and deleted", {}, customers);
