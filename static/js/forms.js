// Sends payment forms over the socket. Without JavaScript or a socket they are plain forms.

import { decimal, money, parseAmount } from "./format.js";

const TRIES = 3;

// Retries until there is an answer: the idempotency key makes sending twice harmless.
async function deliver(socket, message, say) {
  for (let n = 1; ; n += 1) {
    try {
      return await socket.request(message);
    } catch (error) {
      if (socket.state === "ended") throw { message: "Not sent: you were signed out. Reload the page to sign in again." };
      if (error.code !== "disconnected" || n === TRIES) throw error;
      say("Waiting for the connection…");
      if (!(await socket.untilLive(15_000))) throw { message: "Not sent: there is no connection. Press again once it is back; nothing is paid twice." };
    }
  }
}

function clearErrors(form) {
  for (const place of form.querySelectorAll("[data-error-for]")) place.textContent = "";
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

// Maps the API's parameters to the form fields that fill them.
const FIELDS = { exp_month: "expiry", exp_year: "expiry", card: "number", amount_to_capture: "amount", bank_account: "" };

function showError(form, error) {
  const param = (error.param ?? "").replace(/^card[.[]?/, "").replace(/\]$/, "");
  let name = FIELDS[param] ?? param;
  if (name === "number" && form.elements.number && !form.elements.number.value) name = "payment_method";
  const place = form.querySelector(`[data-error-for="${CSS.escape(name)}"]`) ?? form.querySelector('[data-error-for=""]');
  // People see no idempotency key; the form keeps the one it was sent with.
  place.textContent = error.maybe_done
    ? "The store went away before it answered: this may or may not have been done. Press again: it will not be done twice."
    : error.message;
  place.setAttribute("role", "alert");
  const field = name && form.elements[name];
  if (!field?.setAttribute) return;
  field.setAttribute("aria-invalid", "true");
  const more = field.closest("details");
  if (more) more.open = true;
  field.focus();
}

function card(form) {
  const number = form.elements.number.value.trim();
  if (!number) return { payment_method: form.elements.payment_method.value };
  const [, month, year] = /^\s*(\d{1,2})\s*[/-]\s*(\d{2}|\d{4})\s*$/.exec(form.elements.expiry.value) ?? [];
  if (!month) throw { param: "exp_month", message: "Write the expiry like 12/34." };
  const cvc = form.elements.cvc.value.trim();
  const exp_year = Number(year) + (year.length === 2 ? 2000 : 0);
  return { card: { number, exp_month: Number(month), exp_year, ...(cvc && { cvc }) } };
}

function amountOf(form, currency) {
  const minor = parseAmount(form.elements.amount.value, currency);
  if (minor === 0) throw { param: "amount", message: "Must be more than zero." };
  if (minor === null) throw { param: "amount", message: `Not an amount of ${currency.toUpperCase()}: write it like ${decimal(1250, currency)}.` };
  return minor;
}

function payment(form) {
  const kind = form.elements.kind.value;
  const currency = form.elements.currency.value;
  const message = { kind, amount: amountOf(form, currency), currency, idempotency_key: form.elements.idempotency_key.value };
  if (kind === "charge" || kind === "topup") Object.assign(message, card(form));
  if (kind === "transfer") message.destination = form.elements.destination.value.trim();
  if (message.destination === "") throw { param: "destination", message: "Who gets it? An e-mail address or an account's id." };
  if (kind === "payout") message.bank_account = form.elements.bank_account.value;
  if (kind === "charge" && form.elements.capture_method.checked) message.capture_method = "manual";
  const description = form.elements.description.value.trim();
  if (description) message.description = description;
  return message;
}

function operation(form, id) {
  const message = { payment_id: id, operation: form.dataset.operation, idempotency_key: form.elements.idempotency_key.value };
  if (form.elements.amount) message.amount = amountOf(form, form.elements.currency.value);
  if (form.elements.passed) message.passed = form.elements.passed.value === "true";
  for (const name of ["dispute", "refund", "reason"]) if (form.elements[name]) message[name] = form.elements[name].value;
  if (form.elements.type) message.dispute_type = form.elements.type.value;
  return message;
}

// Sends the message that `build` makes, with the button busy until it is answered. Falls back to the plain form if there never was a socket.
async function submit(socket, form, build, { begin, done, failed }) {
  const button = form.querySelector("button:not([type=button])");
  if (button.getAttribute("aria-busy") === "true") return;
  const said = form.querySelector("[data-said]");
  const say = (text) => said && (said.textContent = text);
  clearErrors(form);
  let message;
  try {
    message = build();
  } catch (error) {
    return showError(form, error);
  }
  button.setAttribute("aria-busy", "true");
  try {
    if (!socket.live && !socket.everLive && !(await socket.untilLive(2_000))) return form.submit();
    begin?.();
    say("Sending…");
    const ack = await deliver(socket, message, say);
    // The next press is another payment.
    form.elements.idempotency_key.value = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
    say("");
    done(ack, say);
  } catch (error) {
    say("");
    failed?.();
    showError(form, error);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

export function payForm(socket, form, { begin, accepted, failed }) {
  const label = form.querySelector("[data-submit-amount]");
  const relabel = () => {
    const minor = parseAmount(form.elements.amount.value, form.elements.currency.value);
    label.textContent = minor ? money(minor, form.elements.currency.value) : "";
  };
  form.addEventListener("input", relabel);
  relabel();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const build = () => ({ type: "payment.submit", payment: payment(form) });
    const done = (ack, say) => {
      say(ack.replayed ? "That was made before." : "Queued.");
      accepted(ack.payment);
    };
    submit(socket, form, build, { begin, done, failed });
  });
}

export function operationForms(socket, scope, id, accepted) {
  scope.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-operation]");
    if (!form) return;
    event.preventDefault();
    const build = () => ({ type: "operation.submit", ...operation(form, id) });
    const done = (ack) => {
      // Moves the focus off the field, or the refresh would leave this part of the page alone.
      if (form.contains(document.activeElement)) form.querySelector("button").focus({ preventScroll: true });
      accepted(ack.payment);
    };
    submit(socket, form, build, { done });
  });
}
