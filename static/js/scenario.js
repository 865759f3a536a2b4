// The editor of a scenario: previews what is typed, puts the cursor where a mistake is, and takes files. Without this script the
// buttons under the text do the same.

import { followCursor } from "./plots.js";
import { signedOut } from "./session.js";

const QUIET_MS = 300;
const AGAIN_MS = 1_000;

// Where a line and a column, both counted from 1, are in a text.
function offsetOf(text, line, column) {
  const lines = text.split("\n");
  const before = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  // Columns count characters, of which some are two units long.
  return Math.min(text.length, before + [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length);
}

function putCursor(area, line, column) {
  const at = offsetOf(area.value, line, column);
  area.focus();
  area.setSelectionRange(at, at);
  area.scrollTop = Math.max(0, (line - 4) * parseFloat(getComputedStyle(area).lineHeight));
}

// Asks for a preview once nothing was typed for a moment, one at a time; answers about a text that has changed since are dropped.
function previews(form, panel) {
  const area = form.elements.file;
  const said = form.querySelector("[data-scenario-said]");
  let timer;
  let asking = false;
  let shown = null;

  const show = (answer) => {
    panel.replaceChildren(...new DOMParser().parseFromString(answer.html, "text/html").body.childNodes);
    if (answer.mistakes.length > 0) area.setAttribute("aria-invalid", "true");
    else area.removeAttribute("aria-invalid");
    said.textContent = panel.querySelector(".preview-said").textContent;
  };

  const ask = async () => {
    const text = area.value;
    if (asking || text === shown) return;
    asking = true;
    panel.setAttribute("aria-busy", "true");
    let wait = 0;
    try {
      const body = new URLSearchParams({ csrf: form.elements.csrf.value, file: text });
      const response = await fetch("/scenario/preview", { method: "POST", body, headers: { accept: "application/json" } });
      if (signedOut(response)) return;
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.error?.message);
      if (area.value === text) {
        shown = text;
        show(answer);
      }
    } catch (error) {
      wait = AGAIN_MS;
      said.textContent = error.message && !(error instanceof TypeError) ? error.message : "No preview: there is no connection.";
    } finally {
      asking = false;
      panel.removeAttribute("aria-busy");
    }
    if (area.value !== shown) later(wait || QUIET_MS);
  };
  const later = (ms = QUIET_MS) => {
    clearTimeout(timer);
    timer = setTimeout(ask, ms);
  };
  area.addEventListener("input", () => later());
  return later;
}

export function scenarioPage() {
  const form = document.querySelector("[data-scenario]");
  const panel = document.querySelector("[data-scenario-preview]");
  followCursor(panel);
  if (!form) return;
  const area = form.elements.file;
  const preview = previews(form, panel);
  const error = form.querySelector("#scenario-error");
  let saved = area.value;
  const changed = () => area.value !== saved;
  const mayReplace = () => !changed() || confirm("Replace your changes?");

  panel.addEventListener("click", (event) => {
    const mistake = event.target.closest("[data-line]");
    if (mistake) putCursor(area, Number(mistake.dataset.line), Number(mistake.dataset.column));
  });
  // What the server wrote for people without scripts cannot be clicked.
  if (panel.querySelector("[data-mistake]")) preview(0);

  document.querySelector("[data-scenario-examples]").addEventListener("submit", (event) => {
    if (!mayReplace()) return event.preventDefault();
    saved = area.value;
  });
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button?.getAttribute("aria-busy") === "true") return event.preventDefault();
    button?.setAttribute("aria-busy", "true");
    saved = area.value;
  });
  addEventListener("pageshow", () => form.querySelectorAll("button").forEach((button) => button.removeAttribute("aria-busy")));
  addEventListener("beforeunload", (event) => changed() && event.preventDefault());

  const chooser = document.querySelector("[data-scenario-import]");
  chooser.hidden = false;
  chooser.querySelector("input").addEventListener("change", async ({ target }) => {
    const [file] = target.files;
    target.value = "";
    if (!file || !mayReplace()) return;
    error.textContent = "";
    try {
      if (file.size > Number(target.dataset.bytesMax)) throw new Error(`${file.name} is larger than ${Number(target.dataset.bytesMax) / 1_024} KiB.`);
      area.value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
      preview(0);
    } catch (problem) {
      error.textContent = problem instanceof TypeError ? `${file.name} is not UTF-8 text.` : problem.message;
    }
  });
}
