// The page of an experiment: draws its plots while it runs, and says what came of it. Without this script the page reloads itself
// and shows the same in words and figures.

import { LivePlot, linkPlots } from "./live-plot.js";
import { signedOut } from "./session.js";

const ASK_EVERY_MS = 250;
const AGAIN_MS = 2_000;

function paragraph(className, text) {
  const node = document.createElement("p");
  node.className = className;
  node.textContent = text;
  return node;
}

function showFindings(root, findings) {
  root.querySelector("[data-experiment-said]").replaceChildren(...findings.sentences.map((sentence) => paragraph("verdict", sentence)));
  const place = root.querySelector("[data-experiment-figures]");
  const body = place.querySelector("tbody");
  body.replaceChildren();
  for (const { label, values } of findings.figures) {
    const row = body.insertRow();
    const title = document.createElement("th");
    title.scope = "row";
    title.textContent = label;
    row.append(title);
    for (const value of values) {
      const cell = row.insertCell();
      cell.className = "num";
      cell.textContent = value;
    }
  }
  place.hidden = false;
}

export function experiment() {
  const root = document.querySelector("[data-experiment]");
  const plots = [...root.querySelectorAll("[data-live-plot]")].map((place) => new LivePlot(place, JSON.parse(place.dataset.livePlot)));
  linkPlots(...plots);
  root.querySelector("form")?.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button.getAttribute("aria-busy") === "true") return event.preventDefault();
    button.setAttribute("aria-busy", "true");
  });
  if (!root.dataset.run) return;
  const progress = root.querySelector("[data-experiment-progress]");
  const lasts = Number(root.dataset.lasts);
  let next = 0;

  const show = ({ points, bands, running, elapsed_s, findings, failed }) => {
    for (const plot of plots) {
      plot.setBands(bands);
      for (const point of points) plot.append(point);
    }
    progress.querySelector("progress").value = elapsed_s;
    progress.querySelector("[data-experiment-left]").textContent = `${elapsed_s} of ${lasts} s`;
    progress.hidden = !running;
    if (running) return;
    root.querySelector("[data-experiment-start]")?.removeAttribute("aria-busy");
    if (findings) showFindings(root, findings);
    else root.querySelector("[data-experiment-said]").replaceChildren(paragraph("notice error", failed));
  };

  // The next question after the answer to the last, so that a slow server is not asked faster than it answers.
  const ask = async () => {
    let wait = ASK_EVERY_MS;
    try {
      const answer = await fetch(`${root.dataset.run}?from=${next}`, { headers: { accept: "application/json" } });
      if (signedOut(answer)) return;
      if (answer.status === 404) {
        root.querySelector("[data-experiment-said]").replaceChildren(paragraph("hint", "This run is no longer known: the server was restarted."));
        progress.hidden = true;
        return;
      }
      const state = await answer.json();
      next = state.next;
      show(state);
      if (!state.running) return;
    } catch {
      wait = AGAIN_MS;
    }
    setTimeout(ask, wait);
  };
  ask();
}
