// The entry point of every page: one socket, and what the page at hand needs of it.

import { showConnection } from "./connection.js";
import { enableCopy } from "./copy.js";
import { firstSteps } from "./first.js";
import { home } from "./home.js";
import { importPage } from "./import.js";
import { menus } from "./menu.js";
import { payPage } from "./pay.js";
import { paymentPage } from "./payment.js";
import { how } from "./how.js";
import { lists } from "./lists.js";
import { plotsPage } from "./plots.js";
import { requests } from "./requests.js";
import { search } from "./search.js";
import { Socket } from "./socket.js";
import { startPage } from "./start.js";
import { stats } from "./stats.js";
import { system } from "./system.js";
import { keepTime } from "./time.js";

enableCopy();
keepTime();
menus();
const searchAgain = search();
importPage();
startPage();
// A page that shows a new secret is the answer to a form: reading it again must not send the form again.
if (document.querySelector("[data-secret]")) history.replaceState(null, "", location.pathname);

if ("signedIn" in document.documentElement.dataset) {
  const socket = new Socket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
  showConnection(socket);
  home(socket);
  payPage(socket);
  firstSteps(socket);
  paymentPage(socket);
  lists(socket, searchAgain);
  stats(socket);
  plotsPage(socket);
  requests(socket);
  system(socket);
  how(socket);
  socket.connect();
}
