// Pages of what goes by a test clock. They look again each second while it is on its way, and now and then besides, since it may have
// been changed elsewhere: a clock pushes nothing. time.js has it tick meanwhile.

import { refreshLive } from "./live.js";

const RARELY_MS = 15_000;

export function clockPage() {
  setInterval(() => document.querySelector("[data-clock-advances]") && refreshLive(), 1_000);
  setInterval(refreshLive, RARELY_MS);
  document.addEventListener("visibilitychange", refreshLive);
}
