// The arithmetic of plots: scales, ticks, thinning, numbers in words. Pure, for static/js/live-plot.js. Scales and ticks are those of
// the report's plots (src/load/plot/scale.rs), so that a run looks the same while it goes and afterwards.

const DAY_S = 86_400;

// One, two or five times a power of ten, not below this number.
export function roundUp(number) {
  const power = 10 ** Math.floor(Math.log10(number));
  return ([1, 2, 5].find((factor) => factor * power >= number * (1 - 1e-9)) ?? 10) * power;
}

// An axis from zero to a little above the largest number; of whole numbers only, if `whole`.
export function linear(largest, whole = false) {
  const most = largest > 0 && Number.isFinite(largest) ? Math.max(largest, 1e-6) : 1;
  const step = roundUp(most / 4);
  const to = Math.ceil(most / step - 1e-9) * step;
  return { from: 0, to: whole ? Math.max(1, Math.ceil(to - 1e-9)) : to, log: false, whole };
}

// An axis over the powers of ten around these numbers, which are above zero.
export function powers(smallest, largest) {
  const from = 10 ** Math.floor(Math.log10(Math.max(smallest, 1e-6)) + 1e-9);
  const to = 10 ** Math.ceil(Math.log10(Math.max(largest, smallest, 1e-6)) - 1e-9);
  return { from, to: to > from ? to : from * 10, log: true, whole: false };
}

// Where a number stands on an axis, from 0 to 1; what is beyond stands at the edge.
export function share({ from, to, log }, number) {
  const at = log ? Math.log10(Math.max(number, from) / from) / Math.log10(to / from) : (number - from) / (to - from);
  return Math.min(1, Math.max(0, at));
}

// The numbers that are named: round ones, at most about eight.
export function ticks({ from, to, log, whole }) {
  const last = to * (1 + 1e-9);
  const named = [];
  if (log) {
    for (let tick = from; tick <= last && named.length < 16; tick *= 10) named.push(tick);
    return named;
  }
  const step = Math.max(roundUp((to - from) / 5), whole ? 1 : 0);
  for (let n = 0; from + n * step <= last && n <= 10; n += 1) named.push(from + n * step);
  return named;
}

// The steps in which an axis of time is divided, in seconds: each a round time of its kind.
const TIME_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, DAY_S];

// The times that are named on an axis that ends there, at most `most` and the zero.
export function timeTicks(end, most) {
  const step = TIME_STEPS.find((step) => end / step <= most) ?? Math.ceil(end / most / DAY_S) * DAY_S;
  return Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, n) => Math.round(n * step * 10) / 10);
}

// Where the axis of time ends: it grows by steps, so that a plot that goes on is not moved by every point. At least ten seconds.
export function timeEnd(last) {
  if (!(last > 10)) return 10;
  const step = TIME_STEPS.find((step) => step >= last / 10) ?? DAY_S;
  return Math.ceil(last / step - 1e-9) * step;
}

// `0.25 s`, `12 s`, `2:05`, `1:00:00`: a time on the axis. `end` is where the axis ends: it decides about the form for all.
export function timeInWords(seconds, end) {
  if (end <= 180) return `${Math.round(seconds * 100) / 100} s`;
  const whole = Math.round(seconds);
  const two = (n) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60];
  return hours > 0 || end >= 3_600 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

// `0.034`, `12.4`, `1,250`, `12.5k`: three figures are enough to read, and four where they are whole.
export function short(number) {
  const size = Math.abs(number);
  if (!Number.isFinite(number)) return "–";
  if (size >= 1e6) return `${trimmed(number / 1e6, 2)}M`;
  if (size >= 1e4) return `${trimmed(number / 1e3, 1)}k`;
  if (size >= 100) return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, ",");
  if (size >= 10) return trimmed(number, 1);
  return size >= 1 || size === 0 ? trimmed(number, 2) : String(Number(number.toPrecision(2)));
}

const trimmed = (number, decimals) => String(Number(number.toFixed(decimals)));

// Number and unit: `12 ms`, but `2.4 s` from a thousand on; `120/s`, `5%`.
export function withUnit(number, unit) {
  if (unit === "ms" && Math.abs(number) >= 1_000) return `${short(number / 1_000)} s`;
  return /^[A-Za-zµ]/.test(unit) ? `${short(number)} ${unit}` : `${short(number)}${unit}`;
}

// How wide a slot is when samples over this span are thinned out: a power of two, so that slots of one width fill those of the next.
export function slotWidth(span, most) {
  return 2 ** Math.ceil(Math.log2(Math.max(span, 1e-3) / (most / 4)));
}

// At most about three quarters of `most` of these samples `[t, value|null]` in order of time: of each slot the smallest and the largest value, and a
// gap if there was one. The first and the last sample stay. All slots are of one width, so that old samples do not fade.
export function thinned(samples, most) {
  if (samples.length <= most) return samples;
  const last = samples.length - 1;
  const width = slotWidth(samples[last][0] - samples[0][0], most);
  const kept = [];
  for (let from = 0; from <= last; ) {
    const slot = Math.floor(samples[from][0] / width);
    const of = { min: -1, max: -1, gap: -1 };
    let at = from;
    for (; at <= last && Math.floor(samples[at][0] / width) === slot; at += 1) {
      const value = samples[at][1];
      if (value === null) of.gap = of.gap < 0 ? at : of.gap;
      else {
        if (of.min < 0 || value < samples[of.min][1]) of.min = at;
        if (of.max < 0 || value > samples[of.max][1]) of.max = at;
      }
    }
    const ends = [from === 0 ? 0 : -1, at > last ? last : -1];
    const chosen = new Set([of.min, of.max, of.gap, ...ends].filter((n) => n >= 0));
    kept.push(...[...chosen].sort((one, two) => one - two).map((n) => samples[n]));
    from = at;
  }
  return kept;
}

// The place of the first sample not before `t`.
export function firstFrom(samples, t) {
  let [low, high] = [0, samples.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (samples[middle][0] < t) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Puts a sample in its place by time; one of the same time is replaced.
export function inserted(samples, t, value) {
  const at = samples.length === 0 || samples[samples.length - 1][0] < t ? samples.length : firstFrom(samples, t);
  if (samples[at]?.[0] === t) samples[at] = [t, value];
  else if (at === samples.length) samples.push([t, value]);
  else samples.splice(at, 0, [t, value]);
}

// The sample nearest to a time, if there is one within `reach`.
export function nearest(samples, t, reach) {
  const at = firstFrom(samples, t);
  const near = [samples[at - 1], samples[at]].filter(Boolean).sort((one, two) => Math.abs(one[0] - t) - Math.abs(two[0] - t))[0];
  return near && Math.abs(near[0] - t) <= reach ? near : null;
}

// A path through samples, broken at gaps, and the samples that stand alone between two gaps, as points.
export function pathOf(samples, x, y) {
  let path = "";
  const alone = [];
  samples.forEach(([t, value], n) => {
    if (value === null) return;
    const [before, after] = [samples[n - 1]?.[1] ?? null, samples[n + 1]?.[1] ?? null];
    const place = `${x(t).toFixed(1)} ${y(value).toFixed(1)}`;
    if (before === null && after === null) alone.push([x(t), y(value)]);
    else path += before === null ? `M${place}` : `L${place}`;
  });
  return { path, alone };
}
