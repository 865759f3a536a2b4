// The log of calls follows what comes in: payments tell that there were calls. Never under someone's eyes or fingers.

import { refreshLive } from "./live.js";

// A call is written to the log up to a second after it was answered.
const WRITTEN_AFTER_MS = 1_500;

export function requests(socket) {
  const root = document.querySelector('[data-live="requests"]');
  // Older pages stand still.
  if (!root || new URLSearchParams(location.search).has("before")) return;
  let hovered = false;
  let planned = 0;
  root.addEventListener("pointerenter", (event) => (hovered = event.pointerType === "mouse"));
  root.addEventListener("pointerleave", () => (hovered = false));
  const busy = () => hovered || root.contains(document.activeElement) || root.getBoundingClientRect().top < 0;
  const look = () => {
    planned = 0;
    if (busy()) planned = setTimeout(look, WRITTEN_AFTER_MS);
    else refreshLive();
  };
  const news = () => (planned ||= setTimeout(look, WRITTEN_AFTER_MS));
  socket.subscribe({ topic: "payments", max_per_second: 1 }, news, news);
}
