// Uploads a CSV file and shows the server's progress. Without this script the form is a plain one that leads to the same page.

import { grouped } from "./format.js";

const LOOK_EVERY_MS = 500;

// Estimates the rows of the file from its line breaks, some of which may be inside fields.
async function countRows(file) {
  let lines = 0;
  const reader = file.stream().getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    for (const byte of part.value) if (byte === 10) lines += 1;
  }
  return Math.max(1, lines - 1);
}

export function importPage() {
  const form = document.querySelector("[data-import]");
  if (!form) return;
  const part = (name) => form.querySelector(`[data-import-${name}]`);
  const button = form.querySelector("button");
  const bar = form.querySelector("progress");

  const look = async (id) => {
    const response = await fetch(`/payments/imports/${id}/state`, { headers: { accept: "application/json" } });
    if (!response.ok) return;
    const now = await response.json();
    bar.value = now.rows_read;
    const refused = now.refused > 0 ? ` · ${grouped(now.refused)} refused` : "";
    const known = now.known > 0 ? ` · ${grouped(now.known)} known from before` : "";
    part("said").textContent = `${grouped(now.rows_read)} rows read · ${grouped(now.accepted)} queued${known}${refused}`;
  };

  form.addEventListener("submit", async (event) => {
    const [file] = form.elements.file.files;
    if (!file) return;
    event.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    part("error").textContent = "";
    part("progress").hidden = false;
    part("said").textContent = "Sending…";
    const id = form.elements.import.value;
    const body = new FormData(form);
    countRows(file).then((rows) => (bar.max = rows), () => {});
    const timer = setInterval(() => look(id).catch(() => {}), LOOK_EVERY_MS);
    try {
      const response = await fetch(form.action, { method: "POST", body, headers: { accept: "application/json" } });
      const answer = response.headers.get("content-type")?.includes("json") ? await response.json() : null;
      if (response.ok && answer) return location.assign(`/payments/imports/${answer.id}`);
      const text = answer ? answer.error?.message : new DOMParser().parseFromString(await response.text(), "text/html").querySelector("main p:not([class])")?.textContent;
      part("error").textContent = text ?? "The file was not taken.";
    } catch {
      part("error").textContent = "The connection was lost. Send the same file again under the same name to go on; nothing is paid twice.";
    } finally {
      clearInterval(timer);
      button.removeAttribute("aria-busy");
      part("progress").hidden = true;
    }
  });
}
