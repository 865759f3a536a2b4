// Lists of payments: keyboard navigation, rows that change in place, and the pill that counts new payments.

import { catchUp } from "./catchup.js";
import { grouped } from "./format.js";
import { refreshLive } from "./live.js";
import { findRow, hintProcessing, place, updateRow } from "./row.js";

// New payments that are counted one by one.
const KNOWN_MAX = 1_000;
// Recently updated rows that are remembered.
const RECENT_MAX = 200;

function typing(event) {
  return event.target.closest?.("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey;
}

function keys() {
  const search = document.querySelector("[data-search] input[name=q]");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target === search) {
      // A browser would clear the field but leave the results.
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

// Shows how many payments were made since the list was read; pressing it reads the list again. Only on the first page
// without a query, where new payments would be on top.
function newPill(again) {
  const pill = document.querySelector("[data-list-pill]");
  const known = new Set();
  let missed = 0;
  pill.addEventListener("click", async (event) => {
    known.clear();
    missed = 0;
    await again();
    // A click without a pointer is the keyboard's: reading goes on from the newest row.
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
  // Search replaces the list element, so it is looked up each time.
  const rows = () => document.querySelector("[data-live-rows]");
  const announce = newPill(again);
  const later = catchUp(rows);
  const recent = new Map();
  const show = (row) => {
    const node = rows() && findRow(rows(), row.id);
    if (node) updateRow(node, row);
  };
  // A list that the server rendered before these updates may be swapped in after them.
  document.addEventListener("live:replaced", () => recent.forEach(show));
  const handle = (frame) => {
    if (frame.type === "progress") {
      const node = rows() && findRow(rows(), frame.payment_id);
      if (node) hintProcessing(node);
    }
    if (frame.type !== "payment.updated") return;
    for (const row of frame.rows) {
      recent.delete(row.id);
      recent.set(row.id, row);
      if (recent.size > RECENT_MAX) recent.delete(recent.keys().next().value);
      show(row);
    }
    announce(rows(), frame);
    if (frame.skipped > 0) later();
  };
  // Payments under way when the page was rendered may have ended before it subscribed.
  const resync = (first) => (first ? later() : again());
  socket.subscribe({ topic: "payments", max_per_second: 20 }, handle, resync);
}

// `again` reads the search results again; it is only set on the page that has them.
export function lists(socket, again) {
  keys();
  if (again) return payments(socket, again);
  if (!document.querySelector('[data-live="wallets"], [data-live="wallet-balance"]')) return;
  const handle = (frame) => frame.type === "payment.updated" && refreshLive();
  // Also the first time: something may have happened between the page and its subscription.
  socket.subscribe({ topic: "payments", max_per_second: 20 }, handle, refreshLive);
}
