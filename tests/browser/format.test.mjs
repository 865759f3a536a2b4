// The browser writes numbers and times exactly as the server does: both read tests/fixtures/format.json.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { ago, count, duration, money, parseAmount } from "../../static/js/format.js";

const vectors = JSON.parse(await readFile(new URL("../fixtures/format.json", import.meta.url)));

test("durations, counts, ages and amounts match the fixture", () => {
  for (const [us, text] of vectors.duration_us) assert.equal(duration(us), text);
  for (const [n, text] of vectors.count) assert.equal(count(n), text);
  for (const [seconds, text] of vectors.ago_seconds) assert.equal(ago(seconds * 1_000, 0), text);
  for (const [minor, currency, text] of vectors.money) assert.equal(money(minor, currency), text);
});

test("what people type is read as the server reads it", () => {
  for (const [text, currency, minor] of vectors.parse_amount) assert.equal(parseAmount(text, currency), minor, text);
});
