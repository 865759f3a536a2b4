// Home: the form, the journey of the payment just made, and the feed.

import { Feed } from "./feed.js";
import { payForm } from "./forms.js";
import { Journey } from "./journey.js";
import { refreshLive } from "./live.js";
import { fetchRow, fetchRows } from "./rows.js";

const RESTS = new Set(["succeeded", "declined", "failed", "canceled"]);

export function home(socket) {
  const root = document.querySelector("[data-feed]");
  if (!root) return;
  const feed = new Feed(root);
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
    refreshLive();
    try {
      feed.resync(await fetchRows());
      if (journey.id) journey.show(await fetchRow(journey.id));
    } catch {
      // The connection is what tells; the next reconnect reads again.
    }
  };
  const updated = (frame) => {
    seen(frame);
    feed.handle(frame);
    if (frame.rows?.some((row) => RESTS.has(row.status))) refreshLive();
  };
  socket.subscribe({ topic: "payments", max_per_second: 20 }, updated, resync);

  const accepted = (row) => {
    journey.follow(row);
    feed.add(row);
    link.href = `/payments/${row.id}`;
    link.hidden = false;
    hint.textContent = `${row.amount_text}, ${row.from} → ${row.to}`;
    // The feed may be sampled; this one payment never is.
    unfollow();
    unfollow = socket.subscribe({ topic: "payment", payment_id: row.id }, (frame) => {
      seen(frame);
      for (const fresh of frame.rows ?? []) feed.add(fresh);
    });
  };
  const callbacks = { begin: () => journey.begin(), failed: () => journey.abort(), accepted };
  payForm(socket, document.querySelector("[data-pay-form]"), callbacks);
}
