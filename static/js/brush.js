// Chooses a time range on the histogram, by dragging over its bars or with the arrow keys (Shift extends, Enter chooses,
// Escape cancels). Every bar is a link already; this makes them one stop of the Tab key.

const SVG = "http://www.w3.org/2000/svg";

// Prepares the page's histogram if it is new; `choose(from, until)` receives seconds since the epoch.
export function brush(choose) {
  const svg = document.querySelector("[data-histogram]");
  if (!svg || "ready" in svg.dataset) return;
  svg.dataset.ready = "";
  const hint = document.querySelector("[data-brush-hint]");
  if (hint) hint.hidden = false;
  const bars = [...svg.querySelectorAll("a")];
  const mark = document.createElementNS(SVG, "rect");
  mark.setAttribute("class", "brush");
  mark.setAttribute("y", "0");
  mark.setAttribute("height", svg.viewBox.baseVal.height);
  let anchor = -1;
  let at = bars.findLastIndex((bar) => bar.querySelector(".bar"));
  let dragged = false;

  const rest = () => bars.forEach((bar, n) => bar.setAttribute("tabindex", n === at ? "0" : "-1"));
  const range = () => [Math.min(anchor, at), Math.max(anchor, at)].map((n) => bars[n]);
  const show = () => {
    if (anchor < 0) return mark.remove();
    const [first, last] = range().map((bar) => bar.querySelector(".bar-hit"));
    const x = Number(first.getAttribute("x"));
    mark.setAttribute("x", x);
    mark.setAttribute("width", Number(last.getAttribute("x")) + Number(last.getAttribute("width")) - x);
    svg.append(mark);
  };
  const take = () => {
    const [first, last] = range();
    choose(first.dataset.from, last.dataset.until);
  };
  const barAt = (event) => {
    const box = svg.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    const x = share * svg.viewBox.baseVal.width;
    const n = bars.findIndex((bar) => x < Number(bar.querySelector(".bar-hit").getAttribute("x")) + Number(bar.querySelector(".bar-hit").getAttribute("width")));
    return n === -1 ? bars.length - 1 : Math.max(0, n);
  };

  svg.addEventListener("dragstart", (event) => event.preventDefault());
  svg.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    [anchor, at, dragged] = [barAt(event), barAt(event), false];
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!svg.hasPointerCapture(event.pointerId)) return;
    at = barAt(event);
    dragged ||= at !== anchor;
    if (dragged) show();
  });
  svg.addEventListener("pointerup", (event) => {
    if (!svg.hasPointerCapture(event.pointerId)) return;
    svg.releasePointerCapture(event.pointerId);
    // A press without a move chooses that bar alone.
    take();
  });
  svg.addEventListener("pointercancel", () => {
    anchor = -1;
    show();
  });
  // The pointer is handled above; only the keyboard's Enter arrives as a click without a pointer.
  svg.addEventListener("click", (event) => {
    if (event.detail === 0 && anchor < 0) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.detail === 0) take();
  });
  svg.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -bars.length, End: bars.length };
    if (event.key === "Escape" && anchor >= 0) {
      anchor = -1;
      return show();
    }
    if (!(event.key in steps)) return;
    event.preventDefault();
    if (event.shiftKey && anchor < 0) anchor = at;
    if (!event.shiftKey) anchor = -1;
    at = Math.min(bars.length - 1, Math.max(0, at + steps[event.key]));
    rest();
    bars[at].focus();
    show();
  });
  rest();
}
