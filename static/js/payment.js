// One payment: its status is updated at once, the rest of the page from the server after each change.

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
  // Known from the socket only: that a worker took up the version shown, and when search found the payment.
  let taken = null;
  let found = null;
  document.addEventListener("live:replaced", () => {
    if (!strip() || journey?.root === strip()) return;
    journey = new Journey(strip());
    if (taken?.version === root.dataset.version) processing(taken.frame);
    if (found) journey.indexed(found);
  });
  const processing = (frame) => {
    journey?.progress(frame);
    if (root.dataset.status !== "queued") return;
    writeStatus(badge(), "processing");
    root.dataset.status = "processing";
  };

  const show = (row) => {
    if (row.version <= Number(root.dataset.version)) return;
    if (row.status !== root.dataset.status) writeStatus(badge(), row.status);
    Object.assign(root.dataset, { version: row.version, status: row.status });
    journey?.show(row);
    refreshLive();
  };
  const handle = (frame) => {
    if (frame.type === "progress") {
      taken = { frame, version: root.dataset.version };
      processing(frame);
    }
    if (frame.type === "indexed") {
      found = frame;
      journey?.indexed(frame);
    }
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
