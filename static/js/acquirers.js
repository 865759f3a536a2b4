// The acquirers of the scenario in force: refreshed with the figures of the server, which come several times a second.

import { refreshLive } from "./live.js";

export function acquirers(socket) {
  socket.subscribe({ topic: "stats" }, refreshLive, refreshLive);
}
