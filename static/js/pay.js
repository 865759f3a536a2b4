// New payment: the tabs switch without losing typed text, a test card fills in its number, and payments made here are
// followed live.

import { payAndFollow } from "./follow.js";
import { createRow, findRow, updateRow } from "./row.js";

const MADE_MAX = 20;

function tabs(form) {
  const links = [...form.querySelectorAll("[data-verb-tabs] a")];
  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      form.elements.kind.value = link.dataset.kind;
      for (const other of links) {
        if (other === link) other.setAttribute("aria-current", "page");
        else other.removeAttribute("aria-current");
      }
      const address = new URL(link.href);
      address.searchParams.set("currency", form.elements.currency.value);
      history.replaceState(null, "", address.pathname + address.search);
    });
  }
}

const digits = (text) => text.replace(/\D/g, "");

// The card number is sent, as on a real page; a card without a number is sent by its name.
function cards(form) {
  const { number, expiry, cvc } = form.elements;
  const radios = [...form.querySelectorAll("[data-cards] input")];
  const fill = (radio) => {
    number.value = radio.dataset.number;
    expiry.value = radio.dataset.number ? `12/${String((new Date().getFullYear() + 4) % 100).padStart(2, "0")}` : "";
    cvc.value = radio.dataset.number ? (digits(radio.dataset.number).length === 15 ? "1234" : "123") : "";
  };
  form.querySelector("details:has([name=number])").open = true;
  for (const radio of radios) radio.addEventListener("change", () => fill(radio));
  number.addEventListener("input", () => {
    const typed = digits(number.value);
    for (const radio of radios) radio.checked = typed !== "" && digits(radio.dataset.number) === typed;
  });
  const chosen = radios.find((radio) => radio.checked);
  if (chosen && !number.value) fill(chosen);
}

export function payPage(socket) {
  const page = document.querySelector("[data-pay-page]");
  if (!page) return;
  const form = page.querySelector("[data-pay-form]");
  tabs(form);
  cards(form);
  const made = page.querySelector("[data-made]");
  payAndFollow(socket, (row) => {
    const node = findRow(made, row.id);
    if (node) return updateRow(node, row);
    made.prepend(createRow(row));
    while (made.childElementCount > MADE_MAX) made.lastElementChild.remove();
  });
}
