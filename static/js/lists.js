// Lists of payments: the keyboard, and rows that change in place.

import { refreshLive } from "./live.js";
import { findRow, hintProcessing, updateRow } from "./row.js";

function typing(event) {
  return event.target.closest?.("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey;
}

function keys() {
  const search = document.querySelector("[data-search] input[name=q]");
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target === search) return search.blur();
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

export function lists(socket) {
  keys();
  // Search replaces the list; it is looked up each time.
  const rows = () => document.querySelector("[data-live-rows]");
  const wallets = document.querySelector('[data-live="wallets"], [data-live="wallet-balance"]');
  if (!document.querySelector("[data-results], [data-live-rows]") && !wallets) return;
  const handle = (frame) => {
    if (wallets) return frame.type === "payment.updated" ? refreshLive() : undefined;
    const list = rows();
    if (!list) return;
    if (frame.type === "progress") {
      const node = findRow(list, frame.payment_id);
      if (node) hintProcessing(node);
    }
    for (const row of frame.rows ?? []) {
      const node = findRow(list, row.id);
      if (node) updateRow(node, row);
    }
  };
  socket.subscribe({ topic: "payments", max_per_second: 20 }, handle, (first) => wallets && !first && refreshLive());
}
