// Lists of payments: the keyboard, rows that change in place, and word of new ones.

import { catchUp } from "./catchup.js";
import { grouped } from "./format.js";
import { refreshLive } from "./live.js";
import { findRow, hintProcessing, place, updateRow } from "./row.js";

// New payments that are counted one by one.
const KNOWN_MAX = 1_000;
// Rows that were heard of lately.
const HEARD_MAX = 200;

function typing(event) {
  return event.target.closest?.("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey;
}

function keys() {
  const search = document.querySelector("[data-search] input[name=q]");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target === search) {
      // A browser would empty the field and leave the results.
      event.preventDefault();
      return search.blur();
    }
    if (typing(event)) return;
    if (event.key === "/" && search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
    if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
  });
}

function move(step) {
  const links = [...document.querySelectorAll(".rows .row-link")];
  if (links.length === 0) return;
  const at = links.indexOf(document.activeElement);
  const to = at === -1 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step));
  links[to].focus();
  links[to].scrollIntoView({ block: "nearest" });
}

// Says how many payments were made since the list was read; pressing it reads the list again. Only where new ones would
// stand on top: on the first page, with nothing asked for.
function word(again) {
  const pill = document.querySelector("[data-list-pill]");
  const known = new Set();
  let missed = 0;
  pill.addEventListener("click", async (event) => {
    known.clear();
    missed = 0;
    await again();
    // Without a pointer it was pressed by keyboard: who reads on does so from the newest row.
    if (event.detail === 0) document.querySelector("[data-live-rows] .row-link")?.focus();
  });
  return (list, frame) => {
    if (location.search !== "") return;
    if (pill.hidden) {
      known.clear();
      missed = 0;
    }
    const newest = place(list?.querySelector("[data-payment-id]")?.dataset.paymentId ?? "_");
    for (const row of frame.rows) if (place(row.id) > newest && known.size < KNOWN_MAX) known.add(row.id);
    missed += frame.skipped_payments ?? 0;
    if (known.size === 0) return;
    pill.textContent = missed > 0 || known.size === KNOWN_MAX ? "Show the newest" : `Show ${grouped(known.size)} new`;
    pill.hidden = false;
  };
}

function payments(socket, again) {
  // Search replaces the list; it is looked up each time.
  const rows = () => document.querySelector("[data-live-rows]");
  const tell = word(again);
  const later = catchUp(rows);
  const heard = new Map();
  const show = (row) => {
    const node = rows() && findRow(rows(), row.id);
    if (node) updateRow(node, row);
  };
  // A list that was made before these rows came may be put in place after them.
  document.addEventListener("live:replaced", () => heard.forEach(show));
  const handle = (frame) => {
    if (frame.type === "progress") {
      const node = rows() && findRow(rows(), frame.payment_id);
      if (node) hintProcessing(node);
    }
    if (frame.type !== "payment.updated") return;
    for (const row of frame.rows) {
      heard.delete(row.id);
      heard.set(row.id, row);
      if (heard.size > HEARD_MAX) heard.delete(heard.keys().next().value);
      show(row);
    }
    tell(rows(), frame);
    if (frame.skipped > 0) later();
  };
  // What was under way when the page was made may have ended before it listened.
  const resync = (first) => (first ? later() : again());
  socket.subscribe({ topic: "payments", max_per_second: 20 }, handle, resync);
}

// `again` reads the results of search anew, on the page that has some.
export function lists(socket, again) {
  keys();
  if (again) return payments(socket, again);
  if (!document.querySelector('[data-live="wallets"], [data-live="wallet-balance"]')) return;
  const handle = (frame) => frame.type === "payment.updated" && refreshLive();
  // Also the first time: something may have happened between the page and its subscription.
  socket.subscribe({ topic: "payments", max_per_second: 20 }, handle, refreshLive);
}
