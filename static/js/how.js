// How it works: follows one live payment from station to station. The dot moves slower than the payment, so that eyes can
// follow; the times are the payment's own. Nothing moves for people who prefer reduced motion.
import { duration } from "./format.js";
import { fetchRow } from "./rows.js";
import { signedOut } from "./session.js";

const STATIONS = ["writer", "queue", "worker", "ledger", "index"];
const SLOWER = 12;
const LEG_MIN_MS = 450;
const LEG_MAX_MS = 2_500;
const UNDER_WAY = new Set(["queued", "processing"]);

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// A value that arrives once, however many wait for it.
function later() {
  let arrive;
  const value = new Promise((resolve) => (arrive = resolve));
  return { value, arrive };
}

export class Way {
  #root;
  #packet;
  #nodes;
  #run = 0;

  constructor(root) {
    this.#root = root;
    this.#packet = root.querySelector("[data-how-packet]");
    this.#nodes = Object.fromEntries(STATIONS.map((key) => [key, root.querySelector(`[data-station="${key}"]`)]));
  }

  // Follows a payment whose times arrive in `times`: one promise of microseconds per station.
  async follow(times) {
    const run = ++this.#run;
    for (const node of Object.values(this.#nodes)) this.#mark(node, "", null);
    this.#packet.hidden = still();
    this.#place(this.#nodes.writer);
    for (const [at, key] of STATIONS.entries()) {
      const node = this.#nodes[key];
      this.#mark(node, "current", null);
      const us = await times[key].value;
      if (run !== this.#run) return;
      this.#mark(node, "done", us);
      const next = this.#nodes[STATIONS[at + 1]];
      if (next) await this.#travel(node, next, us);
      if (run !== this.#run) return;
    }
    this.#packet.hidden = true;
  }

  #mark(node, state, us) {
    node.className = `station ${state}`;
    if (state === "current") node.setAttribute("aria-current", "step");
    else node.removeAttribute("aria-current");
    node.querySelector("[data-station-took]").textContent = us === null ? (state === "current" ? "…" : "–") : duration(Math.round(us));
  }

  #centre(node) {
    const dot = node.querySelector(".station-dot").getBoundingClientRect();
    const way = this.#packet.parentElement.getBoundingClientRect();
    return { x: dot.left - way.left + dot.width / 2, y: dot.top - way.top + dot.height / 2 };
  }

  #place(node) {
    const { x, y } = this.#centre(node);
    this.#packet.style.transform = `translate(${x}px, ${y}px)`;
  }

  async #travel(from, to, us) {
    const ms = Math.min(LEG_MAX_MS, Math.max(LEG_MIN_MS, ((us ?? 0) / 1_000) * SLOWER));
    if (still()) return;
    const [a, b] = [this.#centre(from), this.#centre(to)];
    const frames = [a, b].map(({ x, y }) => ({ transform: `translate(${x}px, ${y}px)` }));
    const moving = this.#packet.animate(frames, { duration: ms, easing: "ease-in-out" });
    await moving.finished.catch(() => {});
    this.#place(to);
  }
}

function travel(socket, root) {
  const way = new Way(root);
  const start = root.querySelector("[data-how-start]");
  const said = root.querySelector("[data-how-said]");
  const link = root.querySelector("[data-how-link]");
  let unfollow = () => {};
  start.hidden = false;
  start.addEventListener("click", async () => {
    if (start.getAttribute("aria-busy") === "true") return;
    start.setAttribute("aria-busy", "true");
    said.textContent = "";
    unfollow();
    const times = Object.fromEntries(STATIONS.map((key) => [key, later()]));
    const seen = (row) => {
      times.writer.arrive(row.queued_us);
      if (UNDER_WAY.has(row.status)) return;
      times.queue.arrive((row.started_us ?? row.settled_us) - row.queued_us);
      times.worker.arrive(row.settled_us - (row.started_us ?? row.settled_us));
      times.ledger.arrive(row.settled_us);
    };
    const handle = (frame) => {
      frame.rows?.forEach(seen);
      if (frame.type === "indexed") times.index.arrive(frame.indexed_us);
    };
    try {
      const payment = { kind: "charge", amount: 1250, currency: "eur", payment_method: "pm_card_visa", description: "How it works" };
      const { payment: row } = await socket.request({ type: "payment.submit", payment });
      // It may settle before the subscription starts; then fetching the row shows it.
      unfollow = socket.subscribe({ topic: "payment", payment_id: row.id }, handle, () => fetchRow(row.id).then(seen, () => {}));
      link.href = `/payments/${row.id}`;
      link.hidden = false;
      seen(row);
      await way.follow(times);
      said.textContent = "Settled, and search finds it.";
    } catch (error) {
      said.textContent = error.message ?? "It could not be sent.";
    } finally {
      start.removeAttribute("aria-busy");
    }
  });
}

function compare(form) {
  const said = form.querySelector("[data-compare-said]");
  const press = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (press.getAttribute("aria-busy") === "true") return;
    press.setAttribute("aria-busy", "true");
    said.textContent = "Sending…";
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (signedOut(answer)) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const [old, next] = [document, fresh].map((from) => from.querySelector('[data-live="compare"]'));
      if (next?.childElementCount > 0) old.replaceChildren(...next.childNodes);
      said.textContent = answer.ok ? "" : (fresh.querySelector(".notice")?.textContent.trim() ?? "It could not be compared.");
    } catch {
      said.textContent = "There is no connection.";
    } finally {
      press.removeAttribute("aria-busy");
    }
  });
}

export function how(socket) {
  const root = document.querySelector("[data-how]");
  if (!root) return;
  travel(socket, root);
  compare(document.querySelector("form[data-compare]"));
}
