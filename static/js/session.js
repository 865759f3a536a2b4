// Whether an answer came from the page to sign in: then the session has ended, and that page is where to go on.

export function signedOut(response) {
  const over = response.redirected && new URL(response.url).pathname === "/sign-in";
  if (over) location.assign(response.url);
  return over;
}
