// Animates the journey strip: the current stage counts up until the server's own figure is known. Accepted, Queued and
// Processing are lengths; Settled and Indexed are totals since the request.

import { duration } from "./format.js";
import { serverNow } from "./time.js";

const ENDS = {
  declined: "Declined",
  failed: "Failed",
  canceled: "Canceled",
  requires_action: "3-D Secure",
  requires_capture: "Authorised",
};
const UNDER_WAY = new Set(["queued", "processing"]);

const between = (from, to) => (from === null || to === null ? null : Math.max(0, to - from));

// `Settled includes 16 min 40 s waiting for someone to act and 400 ms for the capture.`
function sentence(end, otherTime) {
  const parts = otherTime.map(({ words, us }) => `${duration(us)} ${words}`);
  if (parts.length < 2) return parts.length ? `${end} includes ${parts[0]}.` : "";
  return `${end} includes ${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}.`;
}

export class Journey {
  #root;
  #stages;
  #besides;
  #current = null;
  #since = 0;
  #frame = 0;
  #found = null;

  constructor(root) {
    this.#root = root;
    this.#stages = Object.fromEntries([...root.querySelectorAll("[data-stage]")].map((node) => [node.dataset.stage, node]));
    const next = root.nextElementSibling;
    this.#besides = next?.matches("[data-journey-besides]") ? next : null;
    // A stage that was under way when the page was rendered counts from when it began.
    if (this.underWay) this.#run(root.dataset.status, Number(root.dataset.sinceMs));
  }

  get root() {
    return this.#root;
  }

  get id() {
    return this.#root.dataset.journey;
  }

  get underWay() {
    return UNDER_WAY.has(this.#root.dataset.status);
  }

  // The moment the button is pressed.
  begin() {
    this.#forget("");
    this.#run("accepted");
  }

  // The payment was refused: there is no journey.
  abort() {
    this.#forget("");
  }

  // Follows this payment from now on.
  follow(row) {
    this.#root.dataset.journey = row.id;
    this.#root.dataset.version = 0;
    this.#found = null;
    this.show(row);
  }

  show(row) {
    const known = this.#root.dataset;
    if (row.id !== this.id || row.version < Number(known.version)) return;
    const waiting = row.retry_ms !== null;
    // A worker has already taken up this attempt; the row was written earlier or changes something else.
    const held = known.status === "processing" && row.status === "queued" && !waiting && known.queuedUs === String(row.queued_us);
    const status = held ? "processing" : row.status;
    const settledBefore = known.settledUs;
    Object.assign(known, { version: row.version, status, queuedUs: row.queued_us ?? "", settledUs: row.settled_us ?? "" });
    known.waiting = "";
    if (!waiting) delete known.waiting;
    this.#name("queued", waiting ? "Waiting" : "Queued");
    this.#write("accepted", "done", row.accepted_us);
    if (UNDER_WAY.has(status)) return this.#underWay(row, status, held);
    this.#halt();
    const reached = (key, us) => this.#write(key, us === null ? "ahead" : "done", us);
    reached("queued", between(row.queued_us, row.started_us));
    reached("processing", between(row.started_us, row.answered_us));
    reached("settled", row.settled_us);
    const end = ENDS[status] ?? "Settled";
    this.#name("settled", end);
    this.#say(sentence(end, row.other_time));
    if (settledBefore === known.settledUs) return;
    this.#write("indexed", "ahead", null);
    this.#showFound();
  }

  #underWay(row, status, held) {
    for (const key of ["settled", "indexed"]) this.#write(key, "ahead", null);
    this.#name("settled", "Settled");
    this.#say("");
    if (status === "queued") {
      this.#write("processing", "ahead", null);
      return this.#run("queued");
    }
    if (!held) this.#write("queued", "done", between(row.queued_us, row.started_us));
    this.#run("processing");
  }

  // A worker took the payment up; its exact time follows with the answer.
  progress(frame) {
    const known = this.#root.dataset;
    if (frame.payment_id !== this.id || known.status !== "queued" || known.waiting !== undefined) return;
    known.status = "processing";
    const waited = performance.now() - this.#since;
    this.#write("queued", "done", waited * 1_000);
    this.#run("processing");
  }

  // Search can find it now.
  indexed(frame) {
    if (frame.payment_id !== this.id) return;
    this.#found = frame.indexed_us;
    this.#showFound();
  }

  // A find before the end does not count; one that arrives before the page knows the end is kept until then.
  #showFound() {
    const settled = this.#root.dataset.settledUs;
    if (settled && this.#found !== null && this.#found >= Number(settled)) this.#write("indexed", "done", this.#found);
  }

  #forget(id) {
    this.#halt();
    this.#found = null;
    const known = this.#root.dataset;
    Object.assign(known, { journey: id, version: 0, status: "", queuedUs: "", settledUs: "" });
    delete known.waiting;
    for (const key of Object.keys(this.#stages)) this.#write(key, "ahead", null);
    this.#name("queued", "Queued");
    this.#name("settled", "Settled");
    this.#say("");
  }

  #name(key, text) {
    this.#stages[key].querySelector("[data-stage-name]").textContent = text;
  }

  #say(text) {
    if (!this.#besides) return;
    this.#besides.textContent = text;
    this.#besides.hidden = text === "";
  }

  #write(key, state, us) {
    const node = this.#stages[key];
    const unknown = us === null || us === undefined;
    node.className = `stage ${state}`;
    if (state === "current") node.setAttribute("aria-current", "step");
    else node.removeAttribute("aria-current");
    node.querySelector("[data-stage-took]").textContent = unknown ? "–" : duration(Math.round(us));
    node.querySelector("[data-stage-total]")?.classList.toggle("unknown", unknown);
  }

  // Counts up in this stage of this attempt, from now unless the server gives a start.
  #run(key, sinceMs = serverNow()) {
    const { queuedUs, waiting } = this.#root.dataset;
    const current = `${key} ${queuedUs} ${waiting}`;
    if (this.#current === current && this.#frame) return;
    this.#halt();
    this.#current = current;
    this.#since = performance.now() - Math.max(0, serverNow() - sinceMs);
    const took = this.#stages[key].querySelector("[data-stage-took]");
    this.#write(key, "current", null);
    const step = () => {
      // The page was rendered again without this strip.
      if (!this.#root.isConnected) return this.#halt();
      const ms = Math.floor(performance.now() - this.#since);
      took.textContent = ms < 1_000 ? `${ms} ms` : duration(ms * 1_000);
      this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  #halt() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#current = null;
  }
}
