// The page of a load run: its plots, and how it is doing four times a second. The series so far comes with the page, so that a page
// reloaded in mid-run goes on. Without this script the page has the same figures and loads itself again.

import { LivePlot, linkPlots } from "./live-plot.js";

const AGAIN_MS = 1_000;

const middle = (point) => point.start_s + point.length_s / 2;

function plots(root) {
  const plot = (options) => {
    const section = document.createElement("section");
    section.className = "card";
    root.append(section);
    return new LivePlot(section, options);
  };
  const all = {
    rates: plot({ title: "Rates", unit: "/s", series: [
      { key: "offered_per_s", label: "Offered", tone: "muted", dashed: true },
      { key: "accepted_per_s", label: "Accepted", tone: "processing" },
      { key: "completed_per_s", label: "Completed", tone: "succeeded" },
    ] }),
    settle: plot({ title: "Settle latency", unit: "ms", log: true, series: [
      { key: "settle_p50_ms", label: "p50", tone: "processing" },
      { key: "settle_p90_ms", label: "p90", tone: "capture" },
      { key: "settle_p99_ms", label: "p99", tone: "action" },
    ] }),
    accept: plot({ title: "Accept latency", unit: "ms", log: true, series: [
      { key: "accept_p50_ms", label: "p50", tone: "processing" },
      { key: "accept_p90_ms", label: "p90", tone: "capture" },
      { key: "accept_p99_ms", label: "p99", tone: "action" },
    ] }),
    outcomes: plot({ title: "Outcomes", unit: "/s", series: [
      { key: "succeeded_per_s", label: "Succeeded", tone: "succeeded" },
      { key: "declined_per_s", label: "Declined", tone: "declined" },
      { key: "failed_per_s", label: "Failed", tone: "failed" },
      { key: "errors_per_s", label: "Refused", tone: "canceled", dashed: true },
    ] }),
    open: plot({ title: "Open payments", whole: true, series: [{ key: "in_flight", label: "Unanswered or open", tone: "queued" }] }),
  };
  linkPlots(...Object.values(all));
  return Object.values(all);
}

const short = (number) => number.toLocaleString("en", { maximumFractionDigits: number < 10 ? 2 : number < 100 ? 1 : 0 });
const ms = (number) => (number >= 1_000 ? `${short(number / 1_000)} s` : `${short(number)} ms`);

function figures(root, live) {
  const shown = {
    Sent: short(live.sent), Accepted: short(live.accepted), Completed: short(live.completed), Open: short(live.open),
    Refused: short(live.errors), "Accept p99": ms(live.accept_ms.p99), "Settle p50": ms(live.settle_ms.p50), "Settle p99": ms(live.settle_ms.p99),
  };
  for (const cell of root.querySelectorAll("[data-load-figure]")) cell.textContent = shown[cell.dataset.loadFigure] ?? cell.textContent;
}

function timeLeft(live) {
  if (live.phase === "preparing") return "preparing";
  if (live.phase === "checking") return "checking what was acknowledged";
  if (live.drain_left_s !== null) return `waiting for what is open, at most ${Math.ceil(live.drain_left_s)} s`;
  return `${Math.max(0, Math.ceil(live.length_s - live.run_s))} s left${live.phase === "paused" ? ", paused" : ""}`;
}

function steps(root, found) {
  const body = root.querySelector("[data-load-steps]");
  if (!body || !found || body.rows.length === found.steps.length) return;
  const cells = (step) => [`${short(step.rate)}/s`, `${short(step.completed_per_s)}/s`, ms(step.settle_p50_ms), ms(step.settle_p99_ms), step.why ?? "holds"];
  const row = (step) => {
    const line = document.createElement("tr");
    cells(step).forEach((text, at) => {
      const cell = line.insertCell();
      if (at < 4) cell.className = "num";
      cell.textContent = text;
    });
    return line;
  };
  body.replaceChildren(...[...found.steps].sort((one, other) => one.rate - other.rate).map(row));
}

export function loadRun() {
  const root = document.querySelector("[data-load-run]");
  const place = root.querySelector("[data-load-plots]");
  const drawn = place ? plots(place) : [];
  const sentence = document.querySelector("[data-load-sentence]");
  const state = document.querySelector("[data-load-state]");
  let points = [];

  function draw(live) {
    points = [...points.slice(0, live.skipped_points ?? 0), ...(live.points ?? [])];
    // A second that is not over would be drawn as if nothing more came in it.
    const isOver = (point) => live.real_s === undefined || point.start_s + live.width_s <= live.real_s;
    const shown = points.filter(isOver).map((point) => ({ ...point, t: middle(point) }));
    const pause = (one) => ({ from_s: one.start_s, to_s: one.start_s + one.length_s, label: "paused" });
    const bands = [...(live.faults ?? []), ...(live.pauses ?? []).map(pause)];
    for (const plot of drawn) {
      plot.set(shown);
      plot.setBands(bands);
    }
  }

  function show(live) {
    draw(live);
    figures(root, live);
    steps(root, live.found);
    if (sentence.textContent !== live.sentence) sentence.textContent = live.sentence;
    const bar = root.querySelector("[data-load-progress]");
    if (bar) bar.value = live.length_s > 0 ? live.run_s / live.length_s : 0;
    root.querySelector("[data-load-left]").textContent = timeLeft(live);
    const pause = root.querySelector("[data-load-pause]");
    const paused = live.phase === "paused";
    state.textContent = paused ? "Paused" : "Running";
    if (pause) [pause.textContent, pause.value] = paused ? ["Resume", "resume"] : ["Pause", "pause"];
  }

  const begun = JSON.parse(root.querySelector("[data-load-data]").textContent);
  if (!("running" in root.dataset)) return draw(begun);
  if (begun.points) show(begun);
  const events = new EventSource(`/load/${root.dataset.loadRun}/live`);
  events.addEventListener("live", ({ data }) => show(JSON.parse(data)));
  events.addEventListener("ended", () => {
    events.close();
    // The report is written at this moment; then the page is another one.
    setTimeout(() => location.reload(), AGAIN_MS);
  });
}
