// The page of the address that the start printed: goes on by itself once someone looks at it. A page that a browser only
// fetches or draws ahead is not looked at, and does not use the address up.

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
