// The one socket of a page: requests with answers, subscriptions that survive a reconnect, and the state of the
// connection. It speaks docs/websocket.md. A hidden tab is subscribed to nothing.

const BACKOFF_MS = [300, 1_000, 2_000, 4_000, 8_000, 15_000];
const PING_EVERY_MS = 25_000;
const ANSWER_WITHIN_MS = 10_000;

function lost(waiting) {
  for (const { reject, timer } of waiting) {
    clearTimeout(timer);
    reject({ code: "disconnected", message: "The connection was lost." });
  }
}

export class Socket extends EventTarget {
  #url;
  #ws = null;
  #next = 1;
  #waiting = new Map();
  #subscriptions = new Set();
  #bySubscription = new Map();
  #failures = 0;
  #timer = 0;
  #ping = 0;

  // "connecting", "live", "reconnecting", "offline" or "ended".
  state = "connecting";
  // When the next attempt starts, in milliseconds since the epoch.
  retryAt = 0;
  everLive = false;

  constructor(url) {
    super();
    this.#url = url;
    addEventListener("online", () => this.#reconnectNow());
    addEventListener("offline", () => this.#ws?.close());
    document.addEventListener("visibilitychange", () => this.#visibility());
    addEventListener("pagehide", () => this.#ws?.close());
    addEventListener("pageshow", (event) => event.persisted && this.#reconnectNow());
  }

  connect() {
    clearTimeout(this.#timer);
    const ws = new WebSocket(this.#url);
    this.#ws = ws;
    ws.addEventListener("open", () => this.#opened());
    ws.addEventListener("message", (event) => this.#received(JSON.parse(event.data)));
    ws.addEventListener("close", (event) => this.#ws === ws && this.#closed(event.code));
  }

  get live() {
    // A closing socket accepts nothing, although the state has not changed yet.
    return this.state === "live" && this.#ws?.readyState === WebSocket.OPEN;
  }

  // Resolves once live; false if that takes longer.
  untilLive(ms) {
    if (this.live) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = () => {
        if (!this.live) return;
        clearTimeout(timer);
        this.removeEventListener("state", done);
        resolve(true);
      };
      const timer = setTimeout(() => {
        this.removeEventListener("state", done);
        resolve(false);
      }, ms);
      this.addEventListener("state", done);
    });
  }

  // Sends a message and resolves with its answer. Rejects with the error in the answer, or with code "disconnected" if it
  // may not have arrived.
  request(message) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      if (!this.live) return reject({ code: "disconnected", message: "There is no connection." });
      const timer = setTimeout(() => this.#ws?.close(), ANSWER_WITHIN_MS);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#ws.send(JSON.stringify({ ...message, id }));
    });
  }

  // `handler(frame)` receives every frame of the subscription; `resync(first)` is called whenever something may have been
  // missed, with `first` if only between the rendering of the page and the first subscription.
  subscribe(message, handler, resync = () => {}) {
    const subscription = { message, handler, resync, id: null, started: false };
    this.#subscriptions.add(subscription);
    if (this.live && !document.hidden) this.#start(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
      this.#stop(subscription);
    };
  }

  #start(subscription) {
    this.request({ type: "subscribe", ...subscription.message }).then(
      (ack) => {
        if (!this.#subscriptions.has(subscription)) return this.#stop({ id: ack.subscription });
        subscription.id = ack.subscription;
        this.#bySubscription.set(ack.subscription, subscription);
        const first = !subscription.started;
        subscription.started = true;
        subscription.resync(first);
      },
      () => {},
    );
  }

  #stop(subscription) {
    if (subscription.id === null || subscription.id === undefined) return;
    this.#bySubscription.delete(subscription.id);
    if (this.live) this.request({ type: "unsubscribe", subscription: subscription.id }).catch(() => {});
    subscription.id = null;
  }

  #visibility() {
    if (!this.live) return document.hidden ? undefined : this.#reconnectNow();
    for (const subscription of this.#subscriptions) {
      if (document.hidden) this.#stop(subscription);
      else if (subscription.id === null) this.#start(subscription);
    }
  }

  #opened() {
    this.#failures = 0;
    this.everLive = true;
    this.#set("live");
    this.#ping = setInterval(() => this.request({ type: "ping" }).catch(() => {}), PING_EVERY_MS);
    if (document.hidden) return;
    for (const subscription of this.#subscriptions) this.#start(subscription);
  }

  #received(frame) {
    const waiting = frame.id !== undefined && frame.id !== null ? this.#waiting.get(frame.id) : undefined;
    if (waiting) {
      this.#waiting.delete(frame.id);
      clearTimeout(waiting.timer);
      if (frame.type === "error") waiting.reject(frame.error);
      else waiting.resolve(frame);
      return;
    }
    const subscription = this.#bySubscription.get(frame.subscription);
    if (!subscription) return;
    if (frame.type === "resync") subscription.resync(false);
    else subscription.handler(frame);
  }

  #closed(code) {
    clearInterval(this.#ping);
    this.#ws = null;
    this.#bySubscription.clear();
    for (const subscription of this.#subscriptions) subscription.id = null;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    if (code === 1008) {
      this.#set("ended");
      return lost(waiting);
    }
    const wait = BACKOFF_MS[Math.min(this.#failures, BACKOFF_MS.length - 1)] * (0.8 + Math.random() * 0.4);
    this.#failures += 1;
    this.retryAt = Date.now() + wait;
    this.#timer = setTimeout(() => this.connect(), wait);
    this.#set(!navigator.onLine || this.#failures > BACKOFF_MS.length ? "offline" : "reconnecting");
    lost(waiting);
  }

  #reconnectNow() {
    if (this.#ws || this.state === "ended") return;
    this.connect();
  }

  #set(state) {
    this.state = state;
    this.dispatchEvent(new Event("state"));
  }
}
