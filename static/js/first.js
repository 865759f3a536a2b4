// The first steps on Home: links that fill the form, and the button that sends a thousand payments over the socket.

import { grouped } from "./format.js";
import { refreshLive } from "./live.js";

const THOUSAND = 1_000;
const BATCH = 100;
const RESTS = new Set(["succeeded", "declined", "failed", "canceled", "requires_action", "requires_capture"]);

// Puts the values of a link's query into the form, as if they had been typed.
function fill(form, params) {
  for (const [name, value] of params) {
    const field = form.elements[name];
    if (!field) continue;
    if (field instanceof RadioNodeList) field.value = value;
    else if (field.type !== "hidden") field.value = value;
  }
  form.dispatchEvent(new Event("input", { bubbles: true }));
  form.scrollIntoView({ block: "nearest" });
  form.querySelector("[data-submit]").focus({ preventScroll: true });
}

// Every tenth is declined, so that there is something to see. src/web/pages/onboarding.rs sends the same.
function payment(run, n) {
  const card = n % 10 === 9 ? "chargeDeclinedInsufficientFunds" : "visa";
  const rest = { lane: "bulk", run, description: "One of 1,000", idempotency_key: `${run}-${String(n).padStart(4, "0")}` };
  return { kind: "charge", amount: 100 + ((n * 37) % 1_900), currency: "eur", payment_method: `pm_card_${card}`, ...rest };
}

async function sendThousand(socket, run, { accepted, settled }) {
  const resting = new Set();
  const end = socket.subscribe({ topic: "run", run }, (frame) => {
    for (const row of frame.rows ?? []) if (RESTS.has(row.status)) resting.add(row.id);
    settled(resting.size);
    if (resting.size >= THOUSAND) end();
  });
  let count = 0;
  for (let from = 0; from < THOUSAND; from += BATCH) {
    const payments = Array.from({ length: BATCH }, (_, n) => payment(run, from + n));
    const ack = await socket.request({ type: "payment.submit_batch", payments });
    const refused = ack.results.find((result) => result.error);
    if (refused) throw refused.error;
    count += ack.results.length;
    accepted(count);
  }
  return end;
}

function thousand(socket, root) {
  const place = root.querySelector("[data-thousand-progress]");
  const bar = root.querySelector("[data-thousand-bar]");
  const said = root.querySelector("[data-thousand-said]");
  let busy = false;
  root.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-thousand]");
    // Without a socket, the plain form is sent.
    if (!form || !socket.live) return;
    event.preventDefault();
    if (busy) return;
    busy = true;
    place.hidden = false;
    bar.value = 0;
    said.textContent = "Sending 1,000 payments…";
    const began = performance.now();
    const run = `first-${crypto.getRandomValues(new Uint32Array(2)).join("")}`;
    let took = "";
    const settled = (count) => {
      bar.value = count;
      if (!took) return;
      const words = count >= THOUSAND ? `all settled after ${seconds()}.` : `${grouped(count)} settled.`;
      said.textContent = `1,000 accepted in ${took}; ${words}`;
      if (count >= THOUSAND) busy = false;
      if (count >= THOUSAND) refreshLive();
    };
    const seconds = () => `${((performance.now() - began) / 1_000).toFixed(1)} s`;
    let last = 0;
    try {
      await sendThousand(socket, run, {
        accepted: (count) => took || (said.textContent = `${grouped(count)} of 1,000 accepted…`),
        settled: (count) => settled((last = count)),
      });
      took = seconds();
      settled(last);
      refreshLive();
      // The count is only for display: another thousand may be sent before the last of these has settled.
      setTimeout(() => (busy = false), 5_000);
    } catch (error) {
      said.textContent = `Not all were sent: ${error.message}`;
      busy = false;
    }
  });
}

export function firstSteps(socket) {
  const root = document.querySelector("[data-first]");
  if (!root) return;
  root.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-fill]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    fill(document.querySelector("[data-pay-form]"), new URL(link.href).searchParams);
  });
  thousand(socket, root);
}
