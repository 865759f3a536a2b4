// Refreshes the parts of a page marked `[data-live]` with a new rendering from the server, at most once a second. It has no
// timer of its own: a caller asks for it after a push. `[data-live-from]` names an address with those parts alone.

const LEAST_BETWEEN_MS = 1_000;
let last = 0;
let planned = 0;
let running = false;
// Requested again while an answer was on its way, which may not have the change yet.
let again = false;

export function refreshLive() {
  if (planned || document.hidden) return;
  if (running) {
    again = true;
    return;
  }
  const wait = Math.max(60, last + LEAST_BETWEEN_MS - Date.now());
  planned = setTimeout(run, wait);
}

async function run() {
  planned = 0;
  running = true;
  again = false;
  last = Date.now();
  try {
    const from = document.querySelector("[data-live-from]")?.dataset.liveFrom ?? location.href;
    const response = await fetch(from, { headers: { accept: "text/html" } });
    if (response.ok) replace(new DOMParser().parseFromString(await response.text(), "text/html"));
  } catch {
    // The connection indicator shows it already; the next push or reconnect tries again.
  } finally {
    running = false;
    if (again) refreshLive();
  }
}

function replace(fresh) {
  let focused = "";
  for (const old of document.querySelectorAll("[data-live]")) {
    const name = CSS.escape(old.dataset.live);
    const next = fresh.querySelector(`[data-live="${name}"]`);
    // A part that someone is typing into stays as it is.
    const busy = old.contains(document.activeElement) && document.activeElement.matches("input, select");
    if (!next || busy || old.innerHTML === next.innerHTML) continue;
    // Keyboard users keep their place.
    if (old.contains(document.activeElement)) focused = document.activeElement.id;
    old.replaceChildren(...next.childNodes);
  }
  const scope = document.querySelector("[data-payment]");
  const news = fresh.querySelector("[data-payment]");
  if (scope && news) Object.assign(scope.dataset, { version: news.dataset.version, status: news.dataset.status });
  document.dispatchEvent(new Event("live:replaced"));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}
