// Ages and countdowns, by the server's clock.

import { ago, until } from "./format.js";

// A page for nobody in particular says no time.
const shownAt = Date.now();
const offset = Number(document.documentElement.dataset.nowMs ?? shownAt) - shownAt;

export function serverNow() {
  return Date.now() + offset;
}

function tick() {
  const now = serverNow();
  for (const time of document.querySelectorAll("time[data-ms]")) {
    const text = ago(Math.max(0, Math.floor((now - Number(time.dataset.ms)) / 1_000)));
    if (time.textContent !== text) time.textContent = text;
  }
  for (const due of document.querySelectorAll("[data-due-ms]")) {
    const left = until((Number(due.dataset.dueMs) - now) / 1_000);
    const text = due.textContent.replace(/(in \d+ \w+|now)$/, left);
    if (due.textContent !== text) due.textContent = text;
  }
}

export function keepTime() {
  setInterval(() => document.hidden || tick(), 1_000);
}
