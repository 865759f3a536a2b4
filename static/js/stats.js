// Numbers of the System page, from the socket's `stats`.

import { count, grouped } from "./format.js";

export function stats(socket) {
  const places = [...document.querySelectorAll("[data-stat]")].filter((place) => place.dataset.stat);
  if (places.length === 0) return;
  socket.subscribe({ topic: "stats" }, (frame) => {
    for (const place of places) {
      const value = place.dataset.stat.split(".").reduce((at, key) => at?.[key], frame);
      if (typeof value !== "number") continue;
      const whole = Math.round(value);
      place.textContent = count(whole);
      place.title = grouped(whole);
    }
  });
}
