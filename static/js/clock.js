// Pages of what goes by a test clock: while its time goes on by itself, they look again each second.

import { refreshLive } from "./live.js";

export function clockPage() {
  setInterval(() => document.querySelector("[data-clock-moves]") && refreshLive(), 1_000);
}
