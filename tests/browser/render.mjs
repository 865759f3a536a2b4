// Takes pictures of pages that were rendered to files (PAYSTORM_RENDER_DIR, see src/web/pages/render_tests.rs), without
// a server: node render.mjs DIR [name…] → DIR/*.png, at 1280 and 360 px, light and dark. Fails if a page scrolls sideways.
import { createServer } from "node:http";
import { readFile, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const [dir, ...wanted] = process.argv.slice(2);
const root = resolve(import.meta.dirname, "../../static");
const types = { css: "text/css", js: "text/javascript", svg: "image/svg+xml", html: "text/html; charset=utf-8" };
const server = createServer(async (request, response) => {
  const path = new URL(request.url, "http://x").pathname;
  const asset = /^\/static\/[^/]+\/([\w./-]+)$/.exec(path);
  const file = asset ? join(root, asset[1]) : join(dir, path.slice(1));
  try {
    const body = await readFile(file);
    response.writeHead(200, { "content-type": types[file.split(".").pop()], "content-security-policy": "default-src 'self'" });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const origin = `http://127.0.0.1:${server.address().port}`;
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const files = (await readdir(dir)).filter((name) => name.endsWith(".html"));
let bad = 0;
for (const name of files.map((file) => file.replace(".html", "")).filter((name) => !wanted.length || wanted.includes(name))) {
  for (const [width, colorScheme] of [[1280, "light"], [1280, "dark"], [360, "light"], [360, "dark"]]) {
    const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme });
    page.on("console", (message) => {
      const text = message.text();
      if (message.type() === "error" && !text.includes("/ws")) console.log(`${name}: ${text}`);
    });
    page.on("pageerror", (error) => console.log(`${name}: ${error}`));
    await page.goto(`${origin}/${name}.html`);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > width) {
      bad += 1;
      console.log(`${name} is ${wide} px wide at ${width}`);
    }
    await page.screenshot({ path: join(dir, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    await page.close();
  }
}
await browser.close();
server.close();
process.exitCode = bad ? 1 : 0;
