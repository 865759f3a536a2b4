// One payment: its status at once, the rest of the page anew from the server after each change.

import { operationForms } from "./forms.js";
import { Journey } from "./journey.js";
import { refreshLive } from "./live.js";
import { writeStatus } from "./row.js";
import { fetchRow } from "./rows.js";

export function paymentPage(socket) {
  const root = document.querySelector("[data-payment]");
  if (!root) return;
  const id = root.dataset.paymentId;
  const badge = () => root.querySelector(".payment-head [data-status-badge]");
  const strip = () => root.querySelector("[data-journey]");
  let journey = strip() && new Journey(strip());
  document.addEventListener("live:replaced", () => (journey = strip() && new Journey(strip())));

  const show = (row) => {
    if (row.version <= Number(root.dataset.version)) return;
    if (row.status !== root.dataset.status) writeStatus(badge(), row.status);
    Object.assign(root.dataset, { version: row.version, status: row.status });
    journey?.show(row);
    refreshLive();
  };
  const handle = (frame) => {
    if (frame.type === "progress") {
      journey?.progress(frame);
      if (root.dataset.status === "queued") {
        writeStatus(badge(), "processing");
        root.dataset.status = "processing";
      }
    }
    if (frame.type === "indexed") journey?.indexed(frame);
    for (const row of frame.rows ?? []) if (row.id === id) show(row);
  };
  const resync = (first) => {
    if (!first) return refreshLive();
    fetchRow(id).then(show, () => {});
  };
  socket.subscribe({ topic: "payment", payment_id: id }, handle, resync);
  operationForms(socket, root, id, (row) => {
    show(row);
    refreshLive();
  });
}
