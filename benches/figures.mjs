// Measures a stack: payments a second, latencies and memory, with a page open. Medians over rounds, each on fresh data and
// ended by `paystorm verify`.
//
//   node benches/figures.mjs embedded|real [SECONDS=30] [ROUNDS=3]
//
// Needs the release build, Chromium, `npm ci` in tests/browser and, for `real`, eval "$(scripts/services.sh env)".
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launchBrowser, person, startServer } from "../tests/browser/support.mjs";

const BINARY = process.env.PAYSTORM_BIN ?? new URL("../target/release/paystorm", import.meta.url).pathname;
const MIX = "charge=70,transfer=20,refund=10";
const stack = process.argv[2] ?? "embedded";
const seconds = Number(process.argv[3] ?? 30);
const rounds = Number(process.argv[4] ?? 3);

const RUNS = [
  { name: "mix, 10,000 wallets", load: ["--rate", "max", "--wallets", "10000", "--mix", MIX] },
  { name: "mix, one hot wallet", load: ["--rate", "max", "--wallets", "1", "--mix", MIX] },
  { name: "lone payments, 20/s", load: ["--rate", "20", "--wallets", "0", "--mix", "charge=100"], seconds: 10 },
];

// In a child process: the page must go on while the load runs.
function load(words) {
  return new Promise((resolve, reject) => {
    const child = spawn(BINARY, ["load", "--no-progress", ...words], { stdio: ["ignore", "ignore", "inherit"] });
    child.on("error", reject);
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`load ended with ${code}`))));
  });
}

async function round(browser, run, out) {
  const server = await startServer({ stack, env: { PAYSTORM__SIMULATOR__LATENCY_MEDIAN_MS: "0" } });
  try {
    const { page, email, context } = await person(browser, server.origin, "Observer");
    const key = server.command("user", "api-key", email).trim();
    const file = join(out, "report.json");
    await load(["--target", server.origin, "--key", key, "--for", `${run.seconds ?? seconds}s`, "--json", file, ...run.load]);
    const report = JSON.parse(await readFile(file, "utf8"));
    const status = await readFile(`/proc/${server.pid}/status`, "utf8");
    const live = await page.locator('[data-connection][data-state="live"]').count();
    if (live !== 1) throw new Error("the page is not live");
    await context.close();
    const verified = server.command("verify").trim().split("\n").at(-1);
    const figures = {
      stack,
      name: run.name,
      completed_per_s: report.completed_per_s,
      sent: report.sent,
      completed: report.completed,
      errors: report.errors,
      unsettled: report.unsettled,
      drain_s: report.drain_s,
      accept_ms: report.accept_ms,
      settle_ms: report.settle_ms,
      generator_cpu_s: report.generator_cpu_s,
      peak_memory_mb: Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024),
      verified,
    };
    console.log(JSON.stringify(figures));
    return figures;
  } finally {
    await server.stop();
  }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const browser = await launchBrowser();
const out = await mkdtemp(join(tmpdir(), "paystorm-figures-"));
try {
  const lines = [];
  for (const run of RUNS) {
    const all = [];
    for (let i = 0; i < rounds; i += 1) all.push(await round(browser, run, out));
    const of = (pick) => median(all.map(pick));
    const pair = (name) => `${of((each) => each[name].p50).toFixed(1)} / ${of((each) => each[name].p99).toFixed(1)}`;
    const rate = Math.round(of((each) => each.completed_per_s)).toLocaleString("en");
    lines.push(`| ${stack}, ${run.name} | ${rate} | ${pair("accept_ms")} | ${pair("settle_ms")} | ${of((each) => each.peak_memory_mb)} |`);
  }
  console.log("\n| median | payments/s | accept p50 / p99 ms | settle p50 / p99 ms | peak memory MB |\n|---|---|---|---|---|");
  console.log(lines.join("\n"));
} finally {
  await browser.close();
  await rm(out, { recursive: true, force: true });
}
