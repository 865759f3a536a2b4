// The entry point of every page: one socket, and whatever the current page needs.

import { showConnection } from "./connection.js";
import { enableCopy } from "./copy.js";
import { home } from "./home.js";
import { menus } from "./menu.js";
import { payPage } from "./pay.js";
import { paymentPage } from "./payment.js";
import { lists } from "./lists.js";
import { search } from "./search.js";
import { Socket } from "./socket.js";
import { stats } from "./stats.js";
import { system } from "./system.js";
import { keepTime } from "./time.js";

enableCopy();
keepTime();
menus();
const searchAgain = search();
// Modules that a single page needs are not fetched by the others.
const onPage = async (mark, module, start) => document.querySelector(mark) && start(await import(`./${module}.js`));
onPage("[data-import]", "import", (page) => page.importPage());
onPage("[data-clock-ms]", "clock", (page) => page.clockPage());
onPage("[data-scenario-preview]", "scenario", (page) => page.scenarioPage());
onPage("[data-experiment]", "experiment", (page) => page.experiment());
onPage("[data-load-run]", "load", (page) => page.loadRun());
onPage("[data-start]", "start", (page) => page.startPage());
// A page that shows a new secret is the answer to a form: reloading it must not send the form again.
if (document.querySelector("[data-secret]")) history.replaceState(null, "", location.pathname);

if ("signedIn" in document.documentElement.dataset) {
  const socket = new Socket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  showConnection(socket);
  home(socket);
  payPage(socket);
  onPage("[data-first]", "first", (page) => page.firstSteps(socket));
  paymentPage(socket);
  lists(socket, searchAgain);
  stats(socket);
  onPage("[data-insights]", "plots", (page) => page.plotsPage(socket));
  onPage('[data-live="requests"]', "requests", (page) => page.requests(socket));
  system(socket);
  onPage('[data-live="acquirers"]', "acquirers", (page) => page.acquirers(socket));
  onPage("[data-how]", "how", (page) => page.how(socket));
  socket.connect();
}
