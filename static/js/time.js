// Ages and countdowns on the server's clock; ages on a test clock where the page follows one.

import { ago, toTheSecond, until } from "./format.js";

// A signed-out page has no server time.
const shownAt = Date.now();
const offset = Number(document.documentElement.dataset.nowMs ?? shownAt) - shownAt;
// When each test clock appeared on the page.
const since = new WeakMap();

export function serverNow() {
  return Date.now() + offset;
}

// The time that a test clock shows now.
function shownBy(clock) {
  if (!since.has(clock)) since.set(clock, performance.now());
  return Number(clock.dataset.clockMs) + (performance.now() - since.get(clock)) * Number(clock.dataset.clockSpeed);
}

function clocks() {
  for (const clock of document.querySelectorAll('[data-clock-ms]:not([data-clock-speed="0"])')) {
    clock.textContent = toTheSecond(shownBy(clock));
  }
}

function tick() {
  clocks();
  const own = document.querySelector(".clock-strip [data-clock-ms]");
  const shown = own ? shownBy(own) : serverNow();
  for (const time of document.querySelectorAll("time[data-ms]")) {
    const text = ago(shown, Number(time.dataset.ms));
    if (time.textContent !== text) time.textContent = text;
  }
  for (const due of document.querySelectorAll("[data-due-ms]")) {
    const left = until((Number(due.dataset.dueMs) - serverNow()) / 1_000);
    const text = due.textContent.replace(/(in \d+ \w+|now)$/, left);
    if (due.textContent !== text) due.textContent = text;
  }
}

export function keepTime() {
  clocks();
  document.addEventListener("live:replaced", clocks);
  setInterval(() => document.hidden || tick(), 1_000);
}
