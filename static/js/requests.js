// The log of calls follows what comes in. Never under someone's eyes or fingers.

import { refreshLive } from "./live.js";

// The log is read again at most so often.
const LEAST_BETWEEN_MS = 1_000;

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
    if (busy()) planned = setTimeout(look, LEAST_BETWEEN_MS);
    else refreshLive();
  };
  socket.subscribe({ topic: "requests" }, () => (planned ||= setTimeout(look, 0)), look);
}
