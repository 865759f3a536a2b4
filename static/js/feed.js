// The live feed: at most ten new rows per second and two hundred on the page, frozen while someone reads it.

import { catchUp } from "./catchup.js";
import { count, grouped } from "./format.js";
import { createRow, findRow, hintProcessing, place, updateRow } from "./row.js";

const NEW_PER_SECOND = 10;
const SUMMARY_EVERY_MS = 5_000;

const placeOf = (node) => place(node.dataset.paymentId);

export class Feed {
  #root;
  #list;
  #pill;
  #limit;
  #pending = [];
  #pendingIds = new Set();
  #missed = 0;
  #leftOut = 0;
  #hovered = false;
  #shown = [];
  #seen = [];
  #catchUp = catchUp(() => this.#list);
  #summary = { succeeded: 0, declined: 0, failed: 0, fresh: 0 };

  constructor(root) {
    this.#root = root;
    this.#list = root.querySelector("[data-feed-rows]");
    this.#pill = root.querySelector("[data-feed-pill]");
    this.#limit = Number(root.dataset.feedLimit);
    const byMouse = (over) => (event) => {
      if (event.pointerType === "mouse") this.#hovered = over;
      this.#drain();
    };
    // On the whole section, so that moving to the pill does not unfreeze it.
    root.addEventListener("pointerenter", byMouse(true));
    root.addEventListener("pointerleave", byMouse(false));
    // A click without a pointer is the keyboard's: reading goes on from the newest row.
    this.#pill.addEventListener("click", (event) => this.#showAll(event.detail === 0));
    setInterval(() => this.#tick(), 100);
    setInterval(() => this.#say(), SUMMARY_EVERY_MS);
  }

  // Frames of the subscription.
  handle(frame) {
    if (frame.type === "progress") {
      const node = findRow(this.#list, frame.payment_id);
      if (node) hintProcessing(node);
      for (const row of this.#pending) if (row.id === frame.payment_id && row.status === "queued") row.status = "processing";
    }
    if (frame.type !== "payment.updated") return;
    if (frame.skipped > 0) this.#catchUp();
    const skipped = frame.skipped_payments ?? 0;
    this.#missed += this.frozen ? skipped : 0;
    this.#leaveOut(skipped);
    const fresh = frame.rows.filter((row) => this.add(row)).length;
    this.#seen.push({ at: performance.now(), n: fresh + skipped, skipped });
  }

  // Adds a row or updates it if it is on the page; true if its payment is new here.
  add(row) {
    const node = findRow(this.#list, row.id);
    if (row.status in this.#summary) this.#summary[row.status] += 1;
    if (node) {
      updateRow(node, row);
      return false;
    }
    if (this.#pendingIds.has(row.id)) {
      const at = this.#pending.findIndex((pending) => pending.id === row.id);
      if (this.#pending[at].version < row.version) this.#pending[at] = row;
      return false;
    }
    // A payment older than every row does not belong in the feed but in the lists.
    const oldest = this.#list.lastElementChild;
    if (oldest && place(row.id) < placeOf(oldest)) return false;
    this.#summary.fresh += 1;
    this.#pending.push(row);
    this.#pendingIds.add(row.id);
    if (this.#pending.length > this.#limit) {
      this.#pendingIds.delete(this.#pending.shift().id);
      this.#missed += 1;
      this.#leaveOut(1);
    }
    this.#drain();
    return true;
  }

  // Takes in the state read again after something was missed: `rows`, newest first.
  resync(rows) {
    const unknown = rows.filter((row) => {
      const node = findRow(this.#list, row.id);
      if (node) updateRow(node, row);
      return !node && !this.#pendingIds.has(row.id);
    });
    for (const row of unknown.reverse()) this.add(row);
  }

  get frozen() {
    const scrolled = this.#list.childElementCount > 0 && this.#list.getBoundingClientRect().top < 0;
    return this.#hovered || scrolled || this.#root.contains(document.activeElement);
  }

  #drain() {
    if (this.frozen) return this.#offer();
    const since = performance.now() - 1_000;
    this.#shown = this.#shown.filter((at) => at > since);
    while (this.#shown.length < NEW_PER_SECOND && this.#pending.length > 0) this.#insert(this.#pending.shift());
    if (this.#pending.length === 0) this.#missed = 0;
    this.#offer();
  }

  #insert(row) {
    this.#pendingIds.delete(row.id);
    const node = createRow(row);
    node.classList.add("fresh");
    // Newest first, even for rows that were missed and are read later.
    const older = [...this.#list.children].find((other) => placeOf(other) < place(row.id));
    this.#list.insertBefore(node, older ?? null);
    this.#shown.push(performance.now());
    while (this.#list.childElementCount > this.#limit) {
      this.#list.lastElementChild.remove();
      const more = this.#root.querySelector("[data-feed-more]");
      if (more) more.hidden = false;
    }
    const empty = this.#root.querySelector("[data-feed-empty]");
    if (empty) empty.hidden = true;
  }

  // Counts payments that will never be rows here below the list, beside the link to them.
  #leaveOut(payments) {
    if (payments === 0) return;
    this.#leftOut += payments;
    const more = this.#root.querySelector("[data-feed-more]");
    if (!more) return;
    more.hidden = false;
    more.querySelector("[data-feed-left-out]").textContent = `${grouped(this.#leftOut)} more were made since this page was opened.`;
  }

  #showAll(byKeyboard) {
    for (const row of this.#pending.splice(0)) this.#insert(row);
    this.#missed = 0;
    this.#hovered = false;
    if (byKeyboard) this.#list.querySelector(".row-link")?.focus();
    this.#root.scrollIntoView({ block: "nearest" });
    this.#offer();
  }

  #offer() {
    const waiting = this.#pending.length + this.#missed;
    this.#pill.hidden = !(this.frozen && waiting > 0);
    if (!this.#pill.hidden) this.#pill.textContent = `Show ${grouped(waiting)} new`;
  }

  #tick() {
    const since = performance.now() - 1_000;
    this.#seen = this.#seen.filter((frame) => frame.at > since);
    const total = this.#seen.reduce((sum, frame) => sum + frame.n, 0);
    const sampled = this.#seen.some((frame) => frame.skipped > 0);
    const rate = sampled ? `showing ${this.#shown.length} of ${count(total)}/s` : "";
    const place = this.#root.querySelector("[data-feed-rate]");
    if (place.textContent !== rate) place.textContent = rate;
    this.#drain();
  }

  #say() {
    const { fresh, succeeded, declined, failed } = this.#summary;
    if (fresh > 0) {
      const said = `${fresh} new payments; ${succeeded} succeeded, ${declined} declined, ${failed} failed.`;
      this.#root.querySelector("[data-feed-summary]").textContent = said;
    }
    this.#summary = { succeeded: 0, declined: 0, failed: 0, fresh: 0 };
  }
}
