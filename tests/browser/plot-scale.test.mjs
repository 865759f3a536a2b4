// The arithmetic of the live plots, without a browser: scales, ticks, thinning, cursor.
import assert from "node:assert/strict";
import test from "node:test";
import {
  firstFrom, inserted, linear, nearest, pathOf, powers, roundUp, share, short, thinned, ticks, timeEnd, timeInWords, timeTicks, withUnit,
} from "../../static/js/plot-scale.js";

// The same every time; xorshift.
function random(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

test("ticks are round, as in the report of a run", () => {
  assert.deepEqual(ticks(linear(2_000)), [0, 500, 1_000, 1_500, 2_000]);
  assert.deepEqual(ticks(powers(3, 450)), [1, 10, 100, 1_000]);
  assert.deepEqual([0.03, 1, 7, 12, 980].map(roundUp), [0.05, 1, 10, 20, 1_000]);
  assert.deepEqual([share(powers(1, 100), 10), share(linear(4), 9), share(linear(4), -1)], [0.5, 1, 0]);
});

test("ticks of counts are whole", () => {
  for (const largest of [0, 1, 2, 3, 4, 5, 7, 11, 99, 1_234]) {
    const axis = linear(largest, true);
    const named = ticks(axis);
    assert.ok(named.every(Number.isInteger), `${largest}: ${named}`);
    assert.ok(axis.to >= largest && new Set(named).size === named.length && named.length >= 2, `${largest}: ${named}`);
  }
});

test("every axis names a few numbers and holds its largest", () => {
  const next = random(7);
  for (let n = 0; n < 2_000; n += 1) {
    const largest = 10 ** (next() * 12 - 4);
    const axis = n % 2 ? linear(largest) : powers(largest * next() + 1e-5, largest);
    const named = ticks(axis).length;
    assert.ok(named >= 2 && named <= 16 && axis.to >= largest * 0.999_999, `${largest}: ${JSON.stringify(axis)} ${named}`);
  }
  for (const odd of [NaN, Infinity, -5, 0]) assert.deepEqual(linear(odd), { from: 0, to: 1, log: false, whole: false });
});

test("the axis of time grows by steps and names round times", () => {
  assert.deepEqual([0, 3, 10, 10.25, 11, 29.9, 61, 3_590].map(timeEnd), [10, 10, 10, 12, 12, 30, 70, 3_600]);
  assert.deepEqual(timeTicks(10, 8), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(timeTicks(3_600, 8), [0, 600, 1_200, 1_800, 2_400, 3_000, 3_600]);
  assert.deepEqual(timeTicks(0.5, 8), [0, 0.1, 0.2, 0.3, 0.4, 0.5]);
  assert.deepEqual([timeInWords(0.25, 10), timeInWords(12, 60), timeInWords(125, 600), timeInWords(125, 3_600)], ["0.25 s", "12 s", "2:05", "0:02:05"]);
  for (let last = 0.1; last < 1e6; last *= 1.3) assert.ok(timeEnd(last) >= last && timeTicks(timeEnd(last), 8).length <= 9, `${last}`);
});

test("numbers are short and have their unit", () => {
  assert.deepEqual([0, 0.034_2, 1.239, 12.44, 100.4, 1_250, 12_540, 2_345_678, NaN].map(short), ["0", "0.034", "1.24", "12.4", "100", "1,250", "12.5k", "2.35M", "–"]);
  assert.deepEqual([withUnit(12, "ms"), withUnit(2_400, "ms"), withUnit(120, "/s"), withUnit(5, "%"), withUnit(3, "")], ["12 ms", "2.4 s", "120/s", "5%", "3"]);
});

test("an hour at four points a second stays bounded, with its extremes, and does not fade", () => {
  const next = random(11);
  let samples = [];
  let most = 0;
  for (let n = 0; n < 4 * 3_600; n += 1) {
    const spike = n === 400 || n === 9_001;
    inserted(samples, n / 4, spike ? 5_000 + n : 100 + next() * 10);
    if (samples.length > 1_200) samples = thinned(samples, 1_200);
    most = Math.max(most, samples.length);
  }
  assert.ok(most <= 1_200, `${most}`);
  const values = samples.map(([, value]) => value);
  assert.ok(values.includes(5_400) && values.includes(14_001), "both spikes are there");
  assert.deepEqual([samples[0][0], samples[samples.length - 1][0]], [0, 3_599.75]);
  assert.ok(samples.every(([t], n) => n === 0 || t > samples[n - 1][0]), "in order");
  const quarters = [0, 1, 2, 3].map((n) => samples.filter(([t]) => t >= n * 900 && t < (n + 1) * 900).length);
  assert.ok(Math.min(...quarters) > 100, `every quarter of an hour is there: ${quarters}`);
});

test("thinning keeps gaps, and leaves few samples alone", () => {
  const samples = Array.from({ length: 2_000 }, (_, n) => [n, n > 900 && n < 1_100 ? null : n % 10]);
  const left = thinned(samples, 1_200);
  assert.ok(left.length < 700 && left.some(([t, value]) => value === null && t > 900 && t < 1_100), `${left.length}`);
  assert.equal(thinned(samples, 2_000), samples);
  const same = Array.from({ length: 50 }, (_, n) => [5 + n / 1e9, n]);
  assert.ok(thinned(same, 20).length <= 4, "all in one slot");
});

test("samples are put in by time and found by it", () => {
  const samples = [];
  for (const [t, value] of [[1, 10], [3, 30], [2, 20], [3, 33], [0, null]]) inserted(samples, t, value);
  assert.deepEqual(samples, [[0, null], [1, 10], [2, 20], [3, 33]]);
  assert.deepEqual([firstFrom(samples, 1.5), firstFrom(samples, 9), firstFrom([], 1)], [2, 4, 0]);
  assert.deepEqual([nearest(samples, 1.4, 1)?.[0], nearest(samples, 9, 1), nearest([], 1, 1)], [1, null, null]);
});

test("a line breaks at gaps, and what stands alone is a spot", () => {
  const same = (number) => number;
  const { path, alone } = pathOf([[0, 1], [1, 2], [2, null], [3, 5], [4, null], [5, 6], [6, 7]], same, same);
  assert.deepEqual([path, alone], ["M0.0 1.0L1.0 2.0M5.0 6.0L6.0 7.0", [[3, 5]]]);
  assert.deepEqual(pathOf([], same, same), { path: "", alone: [] });
});
