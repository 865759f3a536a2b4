// Formats statuses, money, counts and times. The server writes the same text (src/web/pages/format.rs); both are checked against
// tests/fixtures/format.json.

export const WORDS = {
  requires_payment_method: "needs a card",
  requires_confirmation: "needs confirmation",
  queued: "queued",
  processing: "processing",
  requires_action: "needs 3-D Secure",
  requires_capture: "authorised",
  succeeded: "succeeded",
  declined: "declined",
  failed: "failed",
  canceled: "canceled",
};

const ZERO = new Set("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(" "));
const THREE = new Set("BHD IQD JOD KWD LYD OMR TND".split(" "));
const SYMBOLS = { EUR: "€", USD: "$", GBP: "£", JPY: "¥", INR: "₹", KRW: "₩" };

export function decimals(currency) {
  const code = currency.toUpperCase();
  return ZERO.has(code) ? 0 : THREE.has(code) ? 3 : 2;
}

export function decimal(minor, currency) {
  const width = decimals(currency);
  if (width === 0) return String(minor);
  const digits = String(Math.abs(minor)).padStart(width + 1, "0");
  return `${minor < 0 ? "-" : ""}${digits.slice(0, -width)}.${digits.slice(-width)}`;
}

export function money(minor, currency) {
  const code = currency.toUpperCase();
  const [whole, fraction] = decimal(minor, code).split(".");
  return `${SYMBOLS[code] ?? ""}${/\d{5}/.test(whole) ? grouped(whole) : whole}${fraction ? `.${fraction}` : ""} ${code}`;
}

// A typed amount in minor units; null if it is not an amount of that currency, or ambiguous: a comma before three digits groups
// thousands for some people and begins the decimals for others.
export function parseAmount(text, currency) {
  if (/,\d{3}$/.test(text.trim())) return null;
  const match = /^(\d+)(?:[.,](\d+))?$/.exec(text.trim());
  const width = decimals(currency);
  if (!match || (match[2] ?? "").length > width) return null;
  const minor = Number(match[1] + (match[2] ?? "").padEnd(width, "0"));
  return Number.isSafeInteger(minor) ? minor : null;
}

export function duration(us) {
  const hundredths = (unit) => `${Math.floor(us / unit / 100)}.${String(Math.floor(us / unit) % 100).padStart(2, "0")}`;
  if (us < 1_000) return `${hundredths(10)} ms`;
  if (us < 10_000) return `${Math.floor(us / 1_000)}.${Math.floor((us % 1_000) / 100)} ms`;
  if (us < 1_000_000) return `${Math.floor(us / 1_000)} ms`;
  if (us < 60_000_000) return `${hundredths(10_000)} s`;
  if (us < 3_600_000_000) return `${Math.floor(us / 60_000_000)} min ${Math.floor((us % 60_000_000) / 1_000_000)} s`;
  if (us < 86_400_000_000) return `${Math.floor(us / 3_600_000_000)} h ${Math.floor((us % 3_600_000_000) / 60_000_000)} min`;
  return `${Math.floor(us / 86_400_000_000)} d ${Math.floor((us % 86_400_000_000) / 3_600_000_000)} h`;
}

function span(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

// How far another machine's clock may be ahead, and the age from which a date says more (30 days).
const AHEAD_S = 60;
const OLD_S = 30 * 86_400;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

function day(ms) {
  const at = new Date(ms);
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
}

export function ago(nowMs, thenMs) {
  const seconds = Math.trunc((nowMs - thenMs) / 1_000);
  if (seconds <= -AHEAD_S || seconds >= OLD_S) return day(thenMs);
  return seconds < 2 ? "just now" : `${span(seconds)} ago`;
}

// The time to the second, as test clocks show it.
export function toTheSecond(ms) {
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

export function until(seconds) {
  return seconds < 1 ? "now" : `in ${span(Math.floor(seconds))}`;
}

export function grouped(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function count(n) {
  if (n < 10_000) return grouped(n);
  if (n < 1_000_000) return `${Math.floor(n / 1_000)}.${Math.floor((n % 1_000) / 100)}k`;
  return `${Math.floor(n / 1_000_000)}.${Math.floor((n % 1_000_000) / 100_000)}M`;
}

export function shortId(id) {
  const at = id.indexOf("_");
  return `${id.slice(0, at + 1)}…${id.slice(at + 1).slice(-6)}`;
}
