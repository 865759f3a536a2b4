// Search as you type. The server answers with the page it would show anyway, its results replace the old ones, and the
// address follows. Without this script the form, the chips and the pages work the same as a plain form and links.

import { brush } from "./brush.js";

const DEBOUNCE_MS = 180;
// How long search may take to catch up or come back before it is asked again: at first, and at most after doubling each time.
const BEHIND_MS = 2_000;
const BEHIND_MAX_MS = 30_000;
const PARTS = ["[data-results]", "[data-query-error]", "[data-total]"];

export function addressOf(query) {
  return query.trim() ? `/payments?q=${encodeURIComponent(query.trim()).replaceAll("%20", "+")}` : "/payments";
}

// The text without its comparisons of `created`, with new ones. Spaces within quotes separate nothing.
export function withTime(query, from, until) {
  const terms = query.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
  const kept = terms.filter((term) => !/^-?created[:<>]/i.test(term));
  return [...kept, `created>=${from}`, `created<${until}`].join(" ");
}

// Returns the function that reads the current results again; nothing on other pages.
export function search() {
  const form = document.querySelector("[data-search]");
  if (!form) return undefined;
  const input = form.elements.q;
  const results = () => document.querySelector("[data-results]");
  let timer = 0;
  let asked = 0;
  let flying = null;
  // Requested again while an answer was on its way, which may not have the change yet.
  let again = false;

  const swap = (fresh, failed) => {
    document.querySelector("[data-list-pill]").hidden = true;
    const focused = results().contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : undefined;
    const row = results().contains(document.activeElement) ? document.activeElement.closest("[data-payment-id]")?.dataset.paymentId : undefined;
    const onBars = document.activeElement.closest("[data-histogram]");
    for (const place of PARTS) {
      // A rejected query keeps the previous results.
      if (failed && place !== "[data-query-error]") continue;
      const [old, next] = [document.querySelector(place), fresh.querySelector(place)];
      if (old && next && old.innerHTML !== next.innerHTML) old.replaceChildren(...next.childNodes);
    }
    const link = fresh.querySelector("[data-export]");
    if (link) document.querySelector("[data-export]").href = link.getAttribute("href");
    for (const [name, value] of [["aria-invalid", "true"], ["aria-describedby", "q-error"]]) {
      if (failed) input.setAttribute(name, value);
      else input.removeAttribute(name);
    }
    if (focused) results().querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    if (row) results().querySelector(`[data-payment-id="${CSS.escape(row)}"] .row-link`)?.focus({ preventScroll: true });
    document.dispatchEvent(new Event("live:replaced"));
    brush(choose);
    if (onBars) results().querySelector('[data-histogram] a[tabindex="0"]')?.focus();
  };

  const go = async (address) => {
    clearTimeout(timer);
    timer = 0;
    again = false;
    flying?.abort();
    flying = new AbortController();
    const mine = ++asked;
    history.replaceState(null, "", address);
    results().setAttribute("aria-busy", "true");
    try {
      const response = await fetch(address, { headers: { accept: "text/html" }, signal: flying.signal });
      const text = await response.text();
      // An overtaken answer is ignored.
      if (mine !== asked) return;
      if (response.redirected || (!response.ok && response.status !== 400)) return location.assign(address);
      swap(new DOMParser().parseFromString(text, "text/html"), response.status === 400);
    } catch (error) {
      if (error.name === "AbortError") return;
      // The connection indicator shows it; the next key tries again, and so does the page once it is live.
    }
    if (mine !== asked) return;
    flying = null;
    results().removeAttribute("aria-busy");
    if (again) await go(location.pathname + location.search);
    behind();
  };

  // Results may be missing until search has caught up: they are renewed until then, but never while someone reads or uses
  // them, and only an answer replaces them.
  let waiting = 0;
  let wait = BEHIND_MS;
  let hovered = false;
  results().addEventListener("pointerenter", (event) => (hovered = event.pointerType === "mouse"));
  results().addEventListener("pointerleave", () => (hovered = false));
  const busy = () => timer || flying || hovered || document.hidden || results().contains(document.activeElement);
  const behind = () => {
    if (!results().querySelector("[data-lag], [data-search-failed]")) wait = BEHIND_MS;
    else waiting ||= setTimeout(renew, wait);
  };
  const renew = async () => {
    waiting = 0;
    const mine = asked;
    wait = Math.min(2 * wait, BEHIND_MAX_MS);
    try {
      const response = busy() ? undefined : await fetch(location.href, { headers: { accept: "text/html", "x-paystorm-renewal": "1" } });
      if (response?.ok && !response.redirected) {
        const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
        if (mine === asked && !busy() && !fresh.querySelector("[data-search-failed]")) swap(fresh, false);
      }
    } catch {
      // The connection indicator shows it; the next turn tries again.
    }
    behind();
  };

  const choose = (from, until) => {
    // The query that the histogram belongs to: nothing can be added after a half-typed end of the text.
    input.value = withTime(document.querySelector("[data-histogram]").dataset.query, from, until);
    go(addressOf(input.value));
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => go(addressOf(input.value)), DEBOUNCE_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    go(addressOf(input.value));
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-results] a[href]");
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const address = new URL(link.getAttribute("href"), location.href);
    if (address.origin !== location.origin || address.pathname !== "/payments") return;
    event.preventDefault();
    input.value = address.searchParams.get("q") ?? "";
    go(address.pathname + address.search);
    if (link.closest(".pager")) results().scrollIntoView({ block: "nearest" });
  });
  brush(choose);
  behind();
  return async () => {
    if (timer) return go(addressOf(input.value));
    if (!flying) return go(location.pathname + location.search);
    again = true;
  };
}
