// Fetches unfinished rows one by one, a while after `max_per_second` left out updates: they may have ended among those.

import { updateRow } from "./row.js";
import { fetchRow } from "./rows.js";

const AFTER_MS = 1_500;
const ROWS_MAX = 75;
const OPEN = ":scope > :is([data-status=queued], [data-status=processing])";

// `list()` is the element whose children are rows, if there is one. Returns the function to call whenever updates were left out.
export function catchUp(list) {
  let planned = 0;
  let running = false;
  const run = async () => {
    planned = 0;
    if (running) return later();
    running = true;
    for (const node of [...(list()?.querySelectorAll(OPEN) ?? [])].slice(0, ROWS_MAX)) {
      const row = await fetchRow(node.dataset.paymentId).catch(() => undefined);
      if (row) updateRow(node, row);
    }
    running = false;
  };
  const later = () => {
    planned ||= setTimeout(run, AFTER_MS);
  };
  return later;
}
