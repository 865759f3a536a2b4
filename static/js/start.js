// The page behind the address printed at startup: sends its form once someone sees the page. A page that a browser only
// prefetches or prerenders is not seen, and so does not use up the address.

export function startPage() {
  const form = document.querySelector("form[data-start]");
  if (!form) return;
  const go = () => {
    if (document.prerendering || document.hidden || form.dataset.sent) return;
    form.dataset.sent = "yes";
    form.requestSubmit();
  };
  document.addEventListener("prerenderingchange", go);
  document.addEventListener("visibilitychange", go);
  go();
}
