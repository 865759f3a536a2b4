// The connection indicator in the corner: Live, Reconnecting (n s), Offline. Unless live, the page's numbers turn grey.

import { notice } from "./notice.js";

const TEXTS = { connecting: "Connecting", live: "Live", offline: "Offline", ended: "Signed out" };

export function showConnection(socket) {
  const place = document.querySelector("[data-connection]");
  if (!place) return;
  const text = place.querySelector("[data-connection-text]");
  let countdown = 0;
  const show = () => {
    const left = Math.max(0, Math.ceil((socket.retryAt - Date.now()) / 1_000));
    const words = socket.state === "reconnecting" ? `Reconnecting (${left} s)` : TEXTS[socket.state];
    if (text.textContent !== words) text.textContent = words;
    place.dataset.state = socket.state;
    place.hidden = false;
    document.body.classList.toggle("stale", socket.everLive && !socket.live);
  };
  socket.addEventListener("state", () => {
    clearInterval(countdown);
    if (socket.state === "reconnecting") countdown = setInterval(show, 500);
    if (socket.state === "ended") notice("warning", "You were signed out. Reload the page to sign in again.");
    show();
  });
  show();
}
