// The journey strip, moving as it happens: the current stage counts up, and gets the server's own figure once known.

import { duration } from "./format.js";

const ENDS = {
  declined: "Declined",
  failed: "Failed",
  canceled: "Canceled",
  requires_action: "3-D Secure",
  requires_capture: "Authorised",
};
const UNDER_WAY = new Set(["queued", "processing"]);

export class Journey {
  #root;
  #stages;
  #current = null;
  #since = 0;
  #frame = 0;

  constructor(root) {
    this.#root = root;
    this.#stages = Object.fromEntries([...root.querySelectorAll("[data-stage]")].map((node) => [node.dataset.stage, node]));
  }

  get id() {
    return this.#root.dataset.journey;
  }

  get underWay() {
    return UNDER_WAY.has(this.#root.dataset.status);
  }

  // The moment the button is pressed.
  begin() {
    this.#root.dataset.journey = "";
    this.#root.dataset.version = 0;
    this.#root.dataset.status = "";
    for (const node of Object.values(this.#stages)) this.#write(node, "ahead", null);
    this.#stages.settled.querySelector("[data-stage-name]").textContent = "Settled";
    this.#run("accepted");
  }

  // It was refused: there is no journey.
  abort() {
    this.#halt();
    for (const node of Object.values(this.#stages)) this.#write(node, "ahead", null);
  }

  // Follows this payment from now on.
  follow(row) {
    this.#root.dataset.journey = row.id;
    this.#root.dataset.version = 0;
    this.show(row);
  }

  show(row) {
    if (row.id !== this.id || row.version < Number(this.#root.dataset.version)) return;
    this.#root.dataset.version = row.version;
    const status = row.status === "queued" && this.#root.dataset.status === "processing" && row.started_us === null ? "processing" : row.status;
    this.#root.dataset.status = status;
    const { queued_us: queued, started_us: started, settled_us: settled } = row;
    const between = (from, to) => (from === null || to === null ? null : Math.max(0, to - from));
    if (UNDER_WAY.has(status)) {
      this.#write(this.#stages.accepted, "done", queued);
      if (status === "queued") return this.#run("queued");
      this.#write(this.#stages.queued, "done", between(queued, started));
      return this.#run("processing");
    }
    this.#halt();
    this.#write(this.#stages.accepted, "done", queued);
    this.#write(this.#stages.queued, "done", between(queued, started));
    this.#write(this.#stages.processing, "done", between(started, settled));
    this.#write(this.#stages.settled, "done", settled);
    this.#stages.settled.querySelector("[data-stage-name]").textContent = ENDS[status] ?? "Settled";
  }

  // A worker took it up; its own time follows with the answer.
  progress(frame) {
    if (frame.payment_id !== this.id || this.#root.dataset.status !== "queued") return;
    this.#root.dataset.status = "processing";
    const waited = performance.now() - this.#since;
    this.#write(this.#stages.queued, "done", waited * 1_000);
    this.#run("processing");
  }

  // Search can find it now.
  indexed(frame) {
    if (frame.payment_id !== this.id) return;
    this.#write(this.#stages.indexed, "done", frame.indexed_us ?? (frame.ms ?? 0) * 1_000);
  }

  #write(node, state, us) {
    node.className = `stage ${state}`;
    if (state === "current") node.setAttribute("aria-current", "step");
    else node.removeAttribute("aria-current");
    node.querySelector("[data-stage-took]").textContent = us === null || us === undefined ? "–" : duration(Math.round(us));
  }

  #run(key) {
    if (this.#current === key && this.#frame) return;
    this.#halt();
    this.#current = key;
    this.#since = performance.now();
    const took = this.#stages[key].querySelector("[data-stage-took]");
    this.#write(this.#stages[key], "current", null);
    const step = () => {
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
