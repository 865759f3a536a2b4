// Adds a copy button beside every id that people copy.

function add(code) {
  if (code.nextElementSibling?.classList.contains("copy")) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  // Keeps the focus when its part of the page is rendered again.
  button.id = `copy-${code.textContent}`;
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${code.textContent}`);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1_500);
  });
  code.after(button);
}

export function enableCopy() {
  // Without a secure context there is no clipboard, and so no button.
  if (!navigator.clipboard) return;
  const all = () => document.querySelectorAll("[data-copy]").forEach(add);
  document.addEventListener("live:replaced", all);
  all();
}
