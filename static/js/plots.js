// Moves one cursor over all plots of a page, by pointer or arrow keys; the figures under it are read from the tables.

import { refreshLive } from "./live.js";

const REFRESH_EVERY_MS = 5_000;

const plots = () => [...document.querySelectorAll("[data-plot]")];

// The figures of one time slot in words: `14:03:00: All 12 · succeeded 10`.
function wordsOf(plot, at) {
  const names = [...plot.querySelectorAll("thead th")].map((cell) => cell.textContent);
  const cells = [...(plot.querySelectorAll("tbody tr")[at]?.children ?? [])].map((cell) => cell.textContent);
  const figures = cells.slice(1).map((cell, n) => `${names[n + 1]} ${cell}`).filter((text) => !/ (0(\.0+)?|–)$/.test(text));
  return cells.length ? `${cells[0]}: ${figures.join(" · ") || "nothing"}` : "";
}

// Moves the cursor within this part of a page; answers whether it is there.
export function followCursor(root) {
  let at = -1;
  const rows = () => plots()[0]?.querySelectorAll("tbody tr").length ?? 0;

  const show = () => {
    for (const plot of plots()) {
      const body = plot.querySelector("[data-plot-body]");
      const { width, height } = body.viewBox.baseVal;
      const x = ((at + 0.5) * width) / Math.max(1, rows());
      body.querySelector("[data-cursor]").setAttribute("d", at < 0 ? "" : `M${x} 0v${height}`);
      const said = plot.querySelector("[data-plot-said]");
      said.textContent = at < 0 ? said.dataset.summary : wordsOf(plot, at);
    }
  };
  const move = (to) => {
    at = to;
    show();
  };

  root.addEventListener("pointermove", (event) => {
    const body = event.target.closest("[data-plot-body]");
    if (!body) return at >= 0 && !root.contains(document.activeElement) ? move(-1) : undefined;
    const box = body.getBoundingClientRect();
    move(Math.min(rows() - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * rows()))));
  });
  root.addEventListener("pointerleave", () => move(-1));
  root.addEventListener("focusout", () => move(-1));
  root.addEventListener("keydown", (event) => {
    if (!event.target.matches("[data-plot-body]")) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -rows(), End: rows() };
    if (event.key === "Escape") return move(-1);
    if (!(event.key in steps)) return;
    event.preventDefault();
    const from = at < 0 ? (steps[event.key] < 0 ? rows() : -1) : at;
    move(Math.min(rows() - 1, Math.max(0, from + steps[event.key])));
    event.target.setAttribute("aria-label", wordsOf(event.target.closest("[data-plot]"), at));
  });
  return () => at >= 0;
}

export function plotsPage(socket) {
  const root = document.querySelector("[data-insights]");
  if (!root) return;
  const pointed = followCursor(root);

  // Refreshes now and then while payments come in, but never while someone reads or uses the plots.
  let last = Date.now();
  const busy = () => pointed() || root.contains(document.activeElement) || root.querySelector("details[open]");
  socket.subscribe({ topic: "payments", max_per_second: 1 }, () => {
    if (busy() || Date.now() - last < REFRESH_EVERY_MS) return;
    last = Date.now();
    refreshLive();
  });
}
