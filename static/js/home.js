// Home: the form, the journey of the payment just made, and the live feed.

import { Feed } from "./feed.js";
import { payAndFollow } from "./follow.js";
import { refreshLive } from "./live.js";
import { fetchRows } from "./rows.js";

const RESTS = new Set(["succeeded", "declined", "failed", "canceled"]);

export function home(socket) {
  const root = document.querySelector("[data-feed]");
  if (!root) return;
  const feed = new Feed(root);
  const follow = payAndFollow(socket, (row, again) => again || feed.add(row));
  const resync = async () => {
    refreshLive();
    try {
      feed.resync(await fetchRows());
    } catch {
      // The connection indicator shows it; the next reconnect reads again.
    }
    follow.resync();
  };
  const updated = (frame) => {
    follow.seen(frame);
    feed.handle(frame);
    if (frame.skipped > 0 || frame.rows?.some((row) => RESTS.has(row.status))) refreshLive();
  };
  socket.subscribe({ topic: "payments", max_per_second: 20 }, updated, resync);
}
