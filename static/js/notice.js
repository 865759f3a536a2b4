// Notices above the page, and the icons of the sprite.

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${document.documentElement.dataset.assets}/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

// Shows a notice, replacing one with the same key; the text is never treated as markup.
export function notice(tone, text, key = text) {
  const place = document.querySelector("[data-notices]");
  for (const old of place.querySelectorAll("[data-key]")) if (old.dataset.key === key) old.remove();
  if (!text) return;
  const line = document.createElement("p");
  line.className = `notice ${tone}`;
  line.dataset.key = key;
  line.setAttribute("role", tone === "error" ? "alert" : "status");
  line.append(icon(tone), text);
  place.append(line);
}
