// Whether a response was redirected to the sign-in page: then the session has ended, and the browser goes there.

export function signedOut(response) {
  const over = response.redirected && new URL(response.url).pathname === "/sign-in";
  if (over) location.assign(response.url);
  return over;
}
