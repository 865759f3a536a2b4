// A payment as a row: the same markup as templates/parts/row.html, built from the socket's rows and changed in place.

import { WORDS, ago, shortId } from "./format.js";
import { icon } from "./notice.js";
import { serverNow } from "./time.js";

function element(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

export function badgesOf(row) {
  const badges = row.captured_text ? [`${row.captured_text} captured`] : [];
  if (row.refunded > 0) badges.push(row.refunded >= row.received ? "refunded" : "partly refunded");
  if (row.parked) badges.push("parked");
  return badges;
}

// Writes a status into a badge. The word is the first thing that changes, so that observers see each status in turn.
export function writeStatus(badge, status) {
  badge.querySelector("[data-status-text]").textContent = WORDS[status] ?? status;
  badge.className = `status s-${status}`;
  badge.querySelector("svg").replaceWith(icon(status));
  badge.querySelector(".status-detail")?.remove();
}

function fill(node, row) {
  const status = node.querySelector("[data-status-badge]");
  if (node.dataset.status !== row.status) writeStatus(status, row.status);
  node.dataset.status = row.status;
  node.dataset.version = row.version;
  node.querySelector(".from").textContent = row.from;
  node.querySelector("[data-note]").textContent = row.decline?.words || row.description || "";
  node.querySelector("[data-badges]").replaceChildren(...badgesOf(row).map((text) => element("span", "badge", text)));
}

export function createRow(row) {
  const node = element("li", "row");
  node.dataset.paymentId = row.id;
  const status = element("span", `status s-${row.status}`);
  status.dataset.statusBadge = "";
  const word = element("span", "word", WORDS[row.status] ?? row.status);
  word.dataset.statusText = "";
  status.append(icon(row.status), word);
  node.dataset.status = row.status;
  const way = element("span", "row-way");
  const arrow = element("span", "arrow", "→");
  arrow.setAttribute("role", "img");
  arrow.setAttribute("aria-label", "to");
  way.append(element("span", "from", row.from), " ", arrow, " ", element("span", "to", row.to));
  const note = element("span", "row-note");
  const badges = element("span", "badges");
  badges.dataset.badges = "";
  const words = element("span");
  words.dataset.note = "";
  note.append(badges, words);
  const created = new Date(row.created_ms);
  const time = element("time", "row-time num", ago(serverNow(), row.created_ms));
  time.dateTime = created.toISOString();
  time.title = `${created.toISOString().replace("T", " ").replace("Z", "")} UTC`;
  time.dataset.ms = row.created_ms;
  const link = element("a", "row-link");
  link.href = `/payments/${row.id}`;
  link.setAttribute("aria-label", `Payment ${shortId(row.id)}, ${row.amount_text}`);
  link.append(element("code", "", shortId(row.id)));
  node.append(status, element("span", "row-amount num", row.amount_text), way, note, time, link);
  fill(node, row);
  return node;
}

// Whether `row` is newer than the row on the page.
export function isNews(node, row) {
  return row.version > Number(node.dataset.version);
}

// Changes a row in place. A queued payment that has settled went through the acquirer, however fast: it passes through
// "processing" here too, so that anyone who watches the page sees every status once and in order.
export function updateRow(node, row) {
  if (!isNews(node, row)) return;
  const skipped = node.dataset.status === "queued" && row.status !== "queued" && row.started_us !== null;
  if (!skipped) return fill(node, row);
  hintProcessing(node);
  queueMicrotask(() => isNews(node, row) && fill(node, row));
}

// Shows a hint without a version: a worker took the payment up.
export function hintProcessing(node) {
  if (node.dataset.status !== "queued") return;
  writeStatus(node.querySelector("[data-status-badge]"), "processing");
  node.dataset.status = "processing";
}

// The sort key of a payment: ids are in the order in which payments were made, even within a millisecond. The prefix only
// names the kind.
export function place(id) {
  return id.slice(id.indexOf("_") + 1);
}

export function findRow(scope, id) {
  return scope.querySelector(`[data-payment-id="${CSS.escape(id)}"]`);
}
