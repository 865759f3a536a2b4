// The numbers of the System page, from the socket's `stats`, and the queue's depth over the last minute.
import { count, duration, grouped } from "./format.js";

const SPARK_MAX = 240;

function at(frame, path) {
  return path.split(".").reduce((value, key) => value?.[key], frame);
}

function write(place, value) {
  if (value === undefined) return;
  const whole = typeof value === "number" ? Math.round(value) : null;
  const written = { count, duration, exact: grouped }[place.dataset.unit ?? "count"];
  const none = whole === null || (whole === 0 && place.dataset.unit === "duration");
  const text = none ? "–" : written(whole);
  if (place.textContent !== text) place.textContent = text;
  if (whole !== null && place.dataset.unit === "count") place.title = grouped(whole);
}

// Draws the sum of some numbers as a line that moves from right to left.
function sparkline(svg) {
  const paths = svg.dataset.spark.split(" ");
  const line = svg.querySelector("polyline");
  const label = svg.parentElement.querySelector("[data-spark-label]");
  const values = [];
  return (frame) => {
    const sum = paths.reduce((total, path) => total + (at(frame, path) ?? 0), 0);
    values.push(sum);
    if (values.length > SPARK_MAX) values.shift();
    const top = Math.max(10, ...values);
    const from = SPARK_MAX - values.length;
    line.setAttribute("points", values.map((value, n) => `${from + n},${(38 - (value / top) * 36).toFixed(1)}`).join(" "));
    label.textContent = `The last minute, at most ${grouped(Math.max(...values))} waiting`;
    svg.hidden = label.hidden = false;
    svg.removeAttribute("hidden");
  };
}

export function stats(socket) {
  const places = [...document.querySelectorAll("[data-stat]")].filter((place) => place.dataset.stat);
  if (places.length === 0) return;
  const sparks = [...document.querySelectorAll("[data-spark]")].map(sparkline);
  socket.subscribe({ topic: "stats" }, (frame) => {
    for (const place of places) write(place, at(frame, place.dataset.stat));
    for (const spark of sparks) spark(frame);
  });
}
