// Pages of things that run on a test clock. They refresh each second while the clock advances, and rarely otherwise, since it may have
// been changed elsewhere: clocks are not pushed. time.js makes the clock tick between refreshes.

import { refreshLive } from "./live.js";

const RARELY_MS = 15_000;

export function clockPage() {
  setInterval(() => document.querySelector("[data-clock-advances]") && refreshLive(), 1_000);
  setInterval(refreshLive, RARELY_MS);
  document.addEventListener("visibilitychange", refreshLive);
}
