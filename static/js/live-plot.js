// A plot that grows while a run goes on: lines over time in SVG, with one cursor for all lines, by pointer or arrow keys, and the same
// numbers as a table.
//
//   const plot = new LivePlot(element, {
//     title: "Rates", unit: "/s",
//     series: [{ key: "offered", label: "Offered", tone: "muted", dashed: true }, { key: "completed", label: "Completed", tone: "succeeded" }],
//     bands: [{ from_s: 5, to_s: 9, label: "Outage" }],      // `to_s: null` has not ended yet
//     log: false,      // powers of ten, for latencies
//     whole: false,    // counts: ticks are whole numbers
//     end_s: 30,       // where the axis of time ends at least
//   });
//   plot.set([{ t: 0, offered: 100, completed: 0 }]);  plot.append({ t: 0.25, offered: 100, completed: 98 });  plot.setBands([…]);
//   linkPlots(one, two);      // one cursor for several plots
//
// A number is drawn, `null` is a gap, and a key that a point does not have says nothing: so two runs can be shown on the same axis, each
// with points of its own. A point with the time of an earlier one adds to it. `tone` names a colour of static/css/base.css without its
// dashes: muted, accent, queued, processing, action, capture, succeeded, declined, failed, canceled.
//
// Memory is bounded (POINTS_MAX samples of each line, thinned out with their extremes), and a plot is drawn at most once a frame, or
// once a second where people prefer less motion. The element keeps its height, whatever comes.

import { firstFrom, inserted, linear, nearest, pathOf, powers, share, short, thinned, ticks, timeEnd, timeInWords, timeTicks, withUnit } from "./plot-scale.js";

const POINTS_MAX = 1_200;
const HEIGHT = 210;
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 12, 12, 24];
const LEAST_WIDTH = 200;
const PIXELS_PER_TIME_TICK = 70;
const TABLE_ROWS_MAX = 120;
const TABLE_EVERY_MS = 1_000;
const SAID_EVERY_MS = 5_000;
const CALM_MS = 1_000;
const SVG = "http://www.w3.org/2000/svg";

let count = 0;

function svg(name, attributes = {}, text = null) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== null) node.textContent = text;
  return node;
}

function html(name, className = "", text = null) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== null) node.textContent = text;
  return node;
}

function coloured(node, tone) {
  node.style.setProperty("--plot", `var(--${tone ?? "accent"})`);
  return node;
}

// One cursor for these plots.
export function linkPlots(...plots) {
  for (const plot of plots) plot.peers = plots;
}

export class LivePlot {
  // Those that show the cursor together with this one.
  peers = [this];
  #options;
  #lines;
  #bands;
  #parts;
  #width = LEAST_WIDTH;
  #cursor = null;
  #planned = false;
  #drawnAt = -Infinity;
  #tabledAt = -Infinity;
  #saidAt = -Infinity;
  #timer = 0;
  #axes = { x: linear(10), y: linear(1) };

  constructor(element, { title, unit = "", series, bands = [], log = false, whole = false, end_s = 0 }) {
    this.#options = { title, unit, log, whole, end_s };
    this.#lines = series.map((line) => ({ ...line, samples: [] }));
    this.#bands = bands;
    this.#parts = this.#build(element);
    this.#listen();
    new ResizeObserver(([{ contentRect }]) => this.#resize(contentRect.width)).observe(this.#parts.area);
    this.#resize(this.#parts.area.clientWidth);
    this.#draw();
  }

  // Shows these points and no others.
  set(points) {
    for (const line of this.#lines) line.samples = [];
    for (const point of points) this.#add(point);
    this.#plan();
  }

  append(point) {
    this.#add(point);
    this.#plan();
  }

  setBands(bands) {
    this.#bands = bands;
    this.#plan();
  }

  // Moves the cursor to a time; `null` takes it away.
  pointAt(t) {
    this.#cursor = t;
    this.#showCursor();
  }

  #add(point) {
    for (const line of this.#lines) {
      const value = point[line.key];
      if (value === undefined || !Number.isFinite(point.t)) continue;
      inserted(line.samples, point.t, Number.isFinite(value) ? value : null);
      if (line.samples.length > POINTS_MAX) line.samples = thinned(line.samples, POINTS_MAX);
    }
  }

  #build(element) {
    const { title } = this.#options;
    const id = `live-plot-${(count += 1)}`;
    element.classList.add("live-plot");
    const head = html("div", "live-plot-head");
    const heading = html("h3", "live-plot-title", title);
    const legend = html("span", "live-plot-legend");
    for (const line of this.#lines) {
      const key = coloured(html("span", "live-plot-key"), line.tone);
      const swatch = svg("svg", { class: "live-plot-swatch", viewBox: "0 0 18 4", "aria-hidden": "true" });
      swatch.append(svg("path", { d: "M0 2h18", class: line.dashed ? "dashed" : "" }));
      line.latest = html("span", "live-plot-latest num");
      key.append(swatch, html("span", "", line.label), line.latest);
      legend.append(key);
    }
    head.append(heading, legend);
    const area = html("div", "live-plot-area");
    const drawing = svg("svg", { class: "live-plot-svg", height: HEIGHT, tabindex: "0", role: "img", "aria-label": title, "aria-describedby": `${id}-said` });
    const [bands, grid, lines] = ["bands", "axes", "lines"].map((name) => svg("g", { class: `live-plot-${name}` }));
    const cursor = svg("g", { class: "live-plot-cursor" });
    for (const line of this.#lines) {
      line.path = coloured(svg("path", { class: line.dashed ? "line dashed" : "line" }), line.tone);
      line.spots = coloured(svg("path", { class: "spots" }), line.tone);
      lines.append(line.path, line.spots);
    }
    drawing.append(bands, grid, lines, cursor);
    const tip = html("div", "live-plot-tip");
    tip.hidden = true;
    tip.setAttribute("aria-hidden", "true");
    area.append(drawing, tip);
    // Only what the keyboard asks for is spoken at once; the summary is there for whoever asks.
    const [spoken, said] = [html("p", "visually-hidden"), html("p", "visually-hidden")];
    spoken.setAttribute("role", "status");
    said.id = `${id}-said`;
    const details = html("details", "plot-table live-plot-table");
    const scroll = html("div", "scroll");
    Object.entries({ tabindex: "0", role: "region", "aria-label": `${title} as a table` }).forEach(([key, value]) => scroll.setAttribute(key, value));
    details.append(html("summary", "", "As a table"), scroll);
    element.replaceChildren(head, area, spoken, said, details);
    return { area, drawing, bands, grid, cursor, tip, spoken, said, details, scroll };
  }

  #listen() {
    const { drawing, details } = this.#parts;
    drawing.addEventListener("pointermove", (event) => this.#move(this.#timeAt(event.clientX - drawing.getBoundingClientRect().left)));
    drawing.addEventListener("pointerdown", (event) => this.#move(this.#timeAt(event.clientX - drawing.getBoundingClientRect().left)));
    drawing.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.#move(null));
    drawing.addEventListener("focus", () => this.#say(true));
    drawing.addEventListener("blur", () => this.#move(null));
    drawing.addEventListener("keydown", (event) => this.#key(event));
    details.addEventListener("toggle", () => {
      this.#tabledAt = -Infinity;
      this.#fillTable();
    });
  }

  #move(t) {
    for (const plot of this.peers) plot.pointAt(t);
  }

  #key(event) {
    const times = this.#times();
    const last = times.length - 1;
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -Math.ceil(last / 10), PageDown: Math.ceil(last / 10), Home: -times.length, End: times.length };
    if (event.key === "Escape" && this.#cursor !== null) {
      event.preventDefault();
      this.#parts.spoken.textContent = "";
      return this.#move(null);
    }
    if (!(event.key in steps) || last < 0) return;
    event.preventDefault();
    const step = steps[event.key];
    const from = this.#cursor === null ? (step < 0 ? times.length : -1) : firstFrom(times, this.#cursor);
    this.#move(times[Math.min(last, Math.max(0, from + step))][0]);
    this.#parts.spoken.textContent = this.#words(this.#cursor);
  }

  // All times at which a line has a number, in the form of samples.
  #times() {
    const times = new Set(this.#lines.flatMap((line) => line.samples.map(([t]) => t)));
    return [...times].sort((one, two) => one - two).map((t) => [t]);
  }

  // The time under the pointer: that of the nearest sample of any line.
  #timeAt(x) {
    const inside = (x - LEFT) / Math.max(1, this.#width - LEFT - RIGHT);
    const t = Math.min(1, Math.max(0, inside)) * this.#axes.x.to;
    const near = this.#lines.map((line) => nearest(line.samples, t, Infinity)?.[0]).filter((time) => time !== undefined);
    return near.length === 0 ? null : near.reduce((best, time) => (Math.abs(time - t) < Math.abs(best - t) ? time : best));
  }

  // The samples of a line are so far apart that one this near says what it was.
  #valueAt(line, t) {
    const { samples } = line;
    if (samples.length === 0) return null;
    const span = samples[samples.length - 1][0] - samples[0][0];
    return nearest(samples, t, Math.max(0.5, (2 * span) / Math.max(1, samples.length - 1)))?.[1] ?? null;
  }

  #words(t) {
    const values = this.#lines.map((line) => [line.label, this.#valueAt(line, t)]);
    const said = values.filter(([, value]) => value !== null).map(([label, value]) => `${label} ${withUnit(value, this.#options.unit)}`);
    const within = this.#bandsAt(t).map((band) => band.label);
    return `${timeInWords(t, this.#axes.x.to)}: ${[...said, ...within].join(", ") || "nothing"}`;
  }

  #bandsAt(t) {
    return this.#bands.filter((band) => band.from_s <= t && t < (band.to_s ?? Infinity));
  }

  #resize(width) {
    this.#width = Math.max(LEAST_WIDTH, Math.floor(width));
    this.#parts.drawing.setAttribute("viewBox", `0 0 ${this.#width} ${HEIGHT}`);
    this.#plan();
  }

  #plan() {
    if (this.#planned) return;
    this.#planned = true;
    const wait = matchMedia("(prefers-reduced-motion: reduce)").matches ? this.#drawnAt + CALM_MS - performance.now() : 0;
    clearTimeout(this.#timer);
    const draw = () => requestAnimationFrame(() => this.#draw());
    if (wait > 0) this.#timer = setTimeout(draw, wait);
    else draw();
  }

  #draw() {
    this.#planned = false;
    this.#drawnAt = performance.now();
    this.#axes = this.#newAxes();
    this.#drawGrid();
    this.#drawBands();
    for (const line of this.#lines) {
      const { path, alone } = pathOf(line.samples, (t) => this.#x(t), (value) => this.#y(value));
      line.path.setAttribute("d", path);
      line.spots.setAttribute("d", alone.map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join(""));
      const latest = line.samples.findLast(([, value]) => value !== null);
      line.latest.textContent = latest ? withUnit(latest[1], this.#options.unit) : "";
    }
    this.#showCursor();
    this.#fillTable();
    this.#say();
  }

  #newAxes() {
    const { log, whole, end_s } = this.#options;
    let [smallest, largest, last] = [Infinity, 0, 0];
    for (const { samples } of this.#lines) {
      for (const [, value] of samples) {
        if (value === null) continue;
        if (value > 0) smallest = Math.min(smallest, value);
        largest = Math.max(largest, value);
      }
      last = Math.max(last, samples[samples.length - 1]?.[0] ?? 0);
    }
    const end = last > end_s || end_s <= 0 ? timeEnd(Math.max(last, end_s)) : end_s;
    const y = log && smallest < Infinity ? powers(smallest, largest) : linear(largest, whole);
    return { x: { from: 0, to: end, log: false, whole: false }, y };
  }

  #x(t) {
    return LEFT + share(this.#axes.x, t) * (this.#width - LEFT - RIGHT);
  }

  #y(value) {
    return HEIGHT - BOTTOM - share(this.#axes.y, value) * (HEIGHT - TOP - BOTTOM);
  }

  #drawGrid() {
    const { grid } = this.#parts;
    const { unit } = this.#options;
    const end = this.#axes.x.to;
    const right = this.#width - RIGHT;
    // Axes change rarely.
    const shown = `${this.#width} ${end} ${JSON.stringify(this.#axes.y)}`;
    if (grid.dataset.shown === shown) return;
    grid.dataset.shown = shown;
    const nodes = [];
    for (const tick of ticks(this.#axes.y)) {
      const y = this.#y(tick);
      nodes.push(svg("path", { class: "grid", d: `M${LEFT} ${Math.round(y) + 0.5}H${right}` }));
      nodes.push(svg("text", { x: LEFT - 6, y: Math.max(TOP, y + 3.5), "text-anchor": "end" }, short(tick)));
    }
    const times = timeTicks(end, Math.max(2, Math.floor((right - LEFT) / PIXELS_PER_TIME_TICK)));
    for (const tick of times) {
      const [x, isLast] = [this.#x(tick), share(this.#axes.x, tick) > 0.97];
      nodes.push(svg("text", { x: isLast ? right : x, y: HEIGHT - 7, "text-anchor": isLast ? "end" : "middle" }, timeInWords(tick, end)));
    }
    if (unit) nodes.push(svg("text", { class: "unit", x: LEFT + 4, y: TOP + 8 }, unit));
    grid.replaceChildren(...nodes);
  }

  #drawBands() {
    const height = HEIGHT - TOP - BOTTOM;
    const nodes = this.#bands.filter((band) => band.from_s < this.#axes.x.to).flatMap((band) => {
      const [from, to] = [this.#x(band.from_s), this.#x(Math.min(band.to_s ?? Infinity, this.#axes.x.to))];
      const rect = svg("rect", { class: "band", x: from.toFixed(1), y: TOP, width: Math.max(1, to - from).toFixed(1), height });
      rect.append(svg("title", {}, band.label));
      // A name that does not fit would stand over what comes next; the cursor says it.
      const fits = to - from > band.label.length * 6.5 + 8;
      return fits ? [rect, svg("text", { class: "band-name", x: from + 5, y: HEIGHT - BOTTOM - 6 }, band.label)] : [rect];
    });
    this.#parts.bands.replaceChildren(...nodes);
  }

  #showCursor() {
    const { cursor, tip, area } = this.#parts;
    const t = this.#cursor;
    tip.hidden = t === null;
    if (t === null) return cursor.replaceChildren();
    const x = this.#x(t);
    const values = this.#lines.map((line) => ({ line, value: this.#valueAt(line, t) })).filter(({ value }) => value !== null);
    const spot = ({ line, value }) => coloured(svg("circle", { cx: x, cy: this.#y(value), r: 3.5 }), line.tone);
    cursor.replaceChildren(svg("path", { d: `M${Math.round(x) + 0.5} ${TOP}V${HEIGHT - BOTTOM}` }), ...values.map(spot));
    const rows = values.map(({ line, value }) => {
      const row = coloured(html("span", "live-plot-value"), line.tone);
      row.append(html("i"), html("span", "", line.label), html("b", "num", withUnit(value, this.#options.unit)));
      return row;
    });
    const within = this.#bandsAt(t).map((band) => html("span", "hint", band.label));
    tip.replaceChildren(html("span", "num", timeInWords(t, this.#axes.x.to)), ...rows, ...within);
    // Beside the cursor, on the side with more room, and within the plot.
    const [width, whole] = [tip.offsetWidth, area.clientWidth];
    const left = x + 12 + width <= whole ? x + 12 : x - 12 - width;
    tip.style.transform = `translate(${Math.round(Math.min(Math.max(0, left), Math.max(0, whole - width)))}px, ${TOP}px)`;
  }

  // Rows at even times, at most TABLE_ROWS_MAX; only while it is open.
  #fillTable() {
    const { details, scroll } = this.#parts;
    if (!details.open || performance.now() - this.#tabledAt < TABLE_EVERY_MS) return;
    this.#tabledAt = performance.now();
    const times = this.#times();
    const step = Math.max(1, Math.ceil(times.length / TABLE_ROWS_MAX));
    const shown = times.filter((_, n) => n % step === 0 || n === times.length - 1);
    const table = html("table", "plain-table");
    const titles = table.createTHead().insertRow();
    const unit = this.#options.unit ? ` (${this.#options.unit})` : "";
    for (const text of ["Time", ...this.#lines.map((line) => line.label + unit)]) {
      const cell = html("th", text === "Time" ? "" : "num", text);
      cell.scope = "col";
      titles.append(cell);
    }
    const body = table.createTBody();
    for (const [t] of shown) {
      const row = body.insertRow();
      const time = html("th", "", timeInWords(t, this.#axes.x.to));
      time.scope = "row";
      row.append(time);
      for (const line of this.#lines) {
        const value = this.#valueAt(line, t);
        row.append(html("td", "num", value === null ? "–" : short(value)));
      }
    }
    const top = scroll.scrollTop;
    scroll.replaceChildren(table);
    scroll.scrollTop = top;
  }

  // Puts the lines into words, now and then or at once.
  #say(now = false) {
    if (!now && performance.now() - this.#saidAt < SAID_EVERY_MS) return;
    this.#saidAt = performance.now();
    const { unit } = this.#options;
    const lines = this.#lines.filter((line) => line.samples.some(([, value]) => value !== null)).map((line) => {
      const values = line.samples.map(([, value]) => value).filter((value) => value !== null);
      const highest = values.reduce((most, value) => Math.max(most, value), -Infinity);
      return `${line.label}: now ${withUnit(values[values.length - 1], unit)}, highest ${withUnit(highest, unit)}`;
    });
    this.#parts.said.textContent = `${lines.join(". ") || "Nothing yet"}. Arrow keys move a cursor.`;
  }
}
