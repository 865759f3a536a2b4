// A person without a mouse: the Tab key, and what can be seen of where one is.
import assert from "node:assert/strict";

const STOPS_MAX = 120;

// Where the keyboard is: its name as a person reads it, its place on the page, whether it shows that it has the focus.
export function focus(page) {
  return page.evaluate(() => {
    const node = document.activeElement;
    if (!node || node === document.body) return { name: "", tag: "body" };
    const label = node.labels?.[0];
    const name = node.getAttribute("aria-label") ?? (label?.querySelector("span") ?? label ?? node).textContent;
    const drawn = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
    // Some show it on what surrounds or follows them: a hidden radio button on its label, a link on its whole row.
    const marks = [node, node.nextElementSibling, node.closest("label")].filter(Boolean).map((each) => getComputedStyle(each));
    const stroke = node instanceof SVGElement && node.querySelector("rect") ? getComputedStyle(node.querySelector("rect")).stroke : "none";
    const shown = [...marks, getComputedStyle(node, "::after")].some(drawn) || stroke !== "none";
    const box = (node.closest("label.verb, .card-choice") ?? node).getBoundingClientRect();
    const inView = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    const place = { top: box.top + scrollY, bottom: box.bottom + scrollY, left: box.left + scrollX, right: box.right + scrollX };
    return { name: name.trim().replace(/\s+/g, " "), tag: node.localName, id: node.id, shown, inView, ...place };
  });
}

function assertSeen(at) {
  assert.ok(at.shown, `"${at.name}" (${at.tag}) does not show that it has the focus`);
  assert.ok(at.inView, `"${at.name}" (${at.tag}) has the focus and is out of view`);
}

// Presses Tab (or Shift+Tab) until something of this name has the focus. Every stop on the way must be visible as one.
export async function tabTo(page, name, key = "Tab") {
  const stops = [];
  while (stops.length < STOPS_MAX) {
    await page.keyboard.press(key);
    const at = await focus(page);
    if (at.tag !== "body") assertSeen(at);
    if (typeof name === "string" ? at.name === name : name.test(at.name)) return at;
    stops.push(at.name);
  }
  throw new Error(`no ${name} on the way of ${key} at ${page.url()}: ${stops.join(" | ")}`);
}

// Goes to something by Tab and presses Enter.
export async function press(page, name, key = "Tab") {
  await tabTo(page, name, key);
  await page.keyboard.press("Enter");
}

// Every stop of the Tab key on a page that was just opened, from its beginning to its end.
export async function stopsOf(page) {
  const stops = [];
  for (;;) {
    await page.keyboard.press("Tab");
    const at = await focus(page);
    // Out of the page, or round it once.
    if (at.tag === "body" || (at.name === stops[0]?.name && at.top === stops[0].top)) return stops;
    assertSeen(at);
    stops.push(at);
    assert.ok(stops.length < STOPS_MAX, `Tab does not get out of ${page.url()}: ${stops.slice(-5).map((stop) => stop.name).join(" | ")}`);
  }
}

// Where Tab leaps back: upwards, and not to a column further right. Reading order, as far as positions show it.
export function leaps(stops) {
  const slack = 12;
  const leapt = ([from, to]) => to.top < from.top - slack && to.left < from.right - slack;
  return stops.slice(1).map((to, n) => [stops[n], to]).filter(leapt).map(([from, to]) => `${from.name} → ${to.name}`);
}
