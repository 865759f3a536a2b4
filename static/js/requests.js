// Refreshes the request log as calls come in, but never while someone reads or uses it.

import { refreshLive } from "./live.js";

// The delay before another try while someone reads.
const BUSY_MS = 1_000;
// A call answered by another process is noticed by the payment it made, some time before it is written to the log.
const WRITTEN_AFTER_MS = 1_500;

export function requests(socket) {
  const root = document.querySelector('[data-live="requests"]');
  // Older pages do not refresh.
  if (!root || new URLSearchParams(location.search).has("before")) return;
  let hovered = false;
  let planned = 0;
  root.addEventListener("pointerenter", (event) => (hovered = event.pointerType === "mouse"));
  root.addEventListener("pointerleave", () => (hovered = false));
  const busy = () => hovered || root.contains(document.activeElement) || root.getBoundingClientRect().top < 0;
  const look = () => {
    clearTimeout(planned);
    planned = 0;
    if (busy()) planned = setTimeout(look, BUSY_MS);
    else refreshLive();
  };
  socket.subscribe({ topic: "requests" }, look, look);
  socket.subscribe({ topic: "payments", max_per_second: 1 }, () => (planned ||= setTimeout(look, WRITTEN_AFTER_MS)));
}
