// The banners above every page, which follow the socket. Also the switch that pauses the workers, and the System page's
// parked operations.
import { refreshLive } from "./live.js";
import { icon } from "./notice.js";
import { signedOut } from "./session.js";

function button(action) {
  const form = document.createElement("form");
  form.method = "post";
  form.action = action[0];
  form.dataset.switch = "";
  const csrf = document.createElement("input");
  csrf.type = "hidden";
  csrf.name = "csrf";
  csrf.value = document.querySelector("input[name=csrf]").value;
  const press = document.createElement("button");
  press.textContent = action[1];
  form.append(csrf, press);
  return form;
}

function line(banner) {
  const node = document.createElement("div");
  node.className = "notice warning";
  node.dataset.banner = banner.key;
  const text = document.createElement("span");
  text.textContent = banner.text;
  node.append(icon("warning"), text);
  if (banner.action && "operator" in document.documentElement.dataset) node.append(button(banner.action));
  return node;
}

// Adds new banners and removes old ones; a banner that stays is not touched, so it keeps the focus.
function show(place, banners) {
  const before = [...place.children].map((node) => node.dataset.banner).join();
  const wanted = new Set(banners.map((banner) => banner.key));
  for (const node of [...place.children]) if (!wanted.has(node.dataset.banner)) node.remove();
  for (const [at, banner] of banners.entries()) {
    if (place.children[at]?.dataset.banner !== banner.key) place.insertBefore(line(banner), place.children[at] ?? null);
  }
  return before !== banners.map((banner) => banner.key).join();
}

// Sends the switch's form without leaving the page: its effect arrives over the socket.
function switches() {
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-switch]");
    if (!form) return;
    event.preventDefault();
    const press = form.querySelector("button");
    if (press.getAttribute("aria-busy") === "true") return;
    press.setAttribute("aria-busy", "true");
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.action, { method: "POST", body });
      if (!signedOut(answer) && !answer.ok) form.submit();
    } catch {
      // The connection indicator shows why; pressing again is harmless.
    } finally {
      press.removeAttribute("aria-busy");
    }
  });
}

function replays(socket, place) {
  place.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-replay]");
    if (!form || !socket.live) return;
    event.preventDefault();
    try {
      const idempotency_key = form.elements.idempotency_key.value;
      await socket.request({ type: "operation.submit", payment_id: form.dataset.replay, operation: "replay", idempotency_key });
      refreshLive();
    } catch (error) {
      form.querySelector("[data-error]").textContent = error.message;
    }
  });
  // A payment is newly parked, or a listed one has changed.
  const mine = (row) => row.parked || place.querySelector(`[data-payment-id="${CSS.escape(row.id)}"]`);
  const handle = (frame) => (frame.skipped > 0 || frame.rows?.some(mine)) && refreshLive();
  socket.subscribe({ topic: "payments", max_per_second: 20 }, handle, refreshLive);
}

export function system(socket) {
  const place = document.querySelector("[data-banners]");
  const page = document.querySelector('[data-live="workers"]');
  switches();
  const parked = document.querySelector("[data-parked]");
  if (parked) replays(socket, parked);
  socket.subscribe({ topic: "system" }, (frame) => {
    if (show(place, frame.banners) && page) refreshLive();
  });
}
