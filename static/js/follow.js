// The form that pays, and the journey of the payment it made, live.

import { payForm } from "./forms.js";
import { Journey } from "./journey.js";
import { fetchRow } from "./rows.js";

// `onRow(row, again)` receives every state of the payments made here; `again` if it was fetched because something may have been
// missed. Returns the journey and the functions that show frames in it and read it again.
export function payAndFollow(socket, onRow) {
  const journey = new Journey(document.querySelector("[data-journey]"));
  const link = document.querySelector("[data-journey-link]");
  const hint = document.querySelector("[data-journey-hint]");
  const said = document.querySelector("[data-said]");
  let unfollow = () => {};

  const seen = (frame) => {
    if (frame.type === "progress") journey.progress(frame);
    if (frame.type === "indexed") journey.indexed(frame);
    for (const row of frame.rows ?? []) journey.show(row);
    if (!journey.underWay && said.textContent === "Queued.") said.textContent = "";
  };
  const resync = async () => {
    try {
      if (!journey.id) return;
      const row = await fetchRow(journey.id);
      seen({ rows: [row] });
      onRow(row, true);
    } catch {
      // The connection indicator shows it; the next reconnect reads again.
    }
  };
  const accepted = (row) => {
    journey.follow(row);
    onRow(row);
    link.href = `/payments/${row.id}`;
    link.hidden = false;
    hint.textContent = `${row.amount_text}, ${row.from} → ${row.to}`;
    // The live feed may be sampled; this one payment never is.
    unfollow();
    const each = (frame) => {
      seen(frame);
      for (const fresh of frame.rows ?? []) onRow(fresh);
    };
    unfollow = socket.subscribe({ topic: "payment", payment_id: row.id }, each, resync);
  };
  payForm(socket, document.querySelector("[data-pay-form]"), { begin: () => journey.begin(), failed: () => journey.abort(), accepted });
  return { journey, seen, resync };
}
