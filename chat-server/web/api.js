/** The way to the server: REST for accounts and searches, one WebSocket for everything live. */
const BASE = "/api/chat";
/** An answer that says no: `code` is for programs, `message` for people. */
export class Refused extends Error {
  constructor({ code = "unreachable", detail, message, title, retryable, retryAfterMs, status }) {
    super(detail ?? message ?? title ?? "The server cannot be reached. Is the network up?");
    Object.assign(this, { code, retryable, retryAfterMs, status });
  }
}
/** One REST call; the cookie says who asks. */
export async function rest(method, path, body = {}) {
  const init = method === "GET" ? {} : { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const unreachable = () => { throw new Refused({}); };
  const response = await fetch(BASE + path, { method, signal: AbortSignal.timeout(15e3), ...init }).catch(unreachable);
  const json = response.status === 204 ? null : await response.json().catch(response.ok ? unreachable : () => ({}));
  if (!response.ok) throw new Refused({ code: "failed", ...json, status: response.status });
  return json;
}
/**
 * A connection that comes back by itself, with exponential backoff and full jitter, and asks for what it missed before
 * anything else: from the cursors that `on.ready(greeting)` returns, until `on.resumed(reply)`. Everything else goes to
 * `on.event(frame)`; `on.status(word, text)` shows where things stand; after `on.ended(reason)` coming back has no use.
 */
export class Connection {
  #on; #socket; #timer; #watch; #waiting = new Map(); #nextId = 1; #attempt = 0; #returnAt = 0;
  #heartbeat = { pingIntervalMs: 10_000, pongTimeoutMs: 10_000 };
  constructor(on) {
    this.#on = on;
    const look = () => (this.#timer ? this.connect() : this.#socket && this.#probe());
    addEventListener("online", look);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());
  }
  connect() {
    this.close();
    this.#on.status("connecting", this.#attempt ? "Reconnecting…" : "");
    const socket = this.#socket = new WebSocket(`${location.origin.replace("http", "ws")}${BASE}/ws`, ["chat.v1"]);
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(JSON.parse(data));
    socket.onclose = ({ code, reason }) => socket === this.#socket && this.#lost(code, reason);
    this.#await(this.#heartbeat.pingIntervalMs, () => this.#probe());
  }
  close() {
    const [socket, waiting] = [this.#socket, this.#waiting];
    [this.#timer, this.#watch].forEach(clearTimeout);
    [this.#socket, this.#timer, this.#waiting] = [undefined, undefined, new Map()];
    socket?.close();
    waiting.forEach((answer) => answer({ payload: {} }));
  }
  /** Sends a command and waits for its answer; rejects with `Refused`. */
  async request(type, payload = {}) {
    if (this.#socket?.readyState !== WebSocket.OPEN) throw new Refused({});
    const id = this.#nextId++;
    this.#socket.send(JSON.stringify({ id, type, payload }));
    const answer = await new Promise((resolve) => { this.#waiting.set(id, resolve); });
    if (answer.type !== "reply") throw new Refused(answer.payload);
    return answer.payload;
  }
  #receive(frame) {
    const { id, type, payload } = frame;
    this.#await(this.#heartbeat.pingIntervalMs, () => this.#probe());
    if (type === "session.ready") {
      this.#heartbeat = payload.heartbeat;
      const resumed = (reply) => { this.#attempt = 0; this.#on.status("online", ""); this.#on.resumed(reply); };
      this.request("session.resume", { cursors: this.#on.ready(payload) })
        .then(resumed, (error) => error.code !== "unreachable" && this.#lost(4004));
    } else if (type === "session.draining") {
      const [from, to] = payload.reconnectAfterMs;
      this.#returnAt = Date.now() + from + Math.random() * (to - from);
    } else if (this.#waiting.has(id)) {
      this.#waiting.get(id)(frame);
      this.#waiting.delete(id);
    } else if (type !== "error") this.#on.event(frame);
  }
  #await(time, act) { clearTimeout(this.#watch); this.#watch = setTimeout(act, time); }
  /** Browsers hide pings: after a silence the page asks, and takes no answer for the end. */
  #probe() {
    this.#await(this.#heartbeat.pongTimeoutMs, () => this.#lost(1006));
    this.request("ping").catch(() => {});
  }
  #lost(code, reason) {
    this.close();
    const ended = code >= 4500 && code < 5000;
    this.#on.status("offline", ended ? "" : "Connection lost. Reconnecting…");
    if (ended) return this.#on.ended(reason);
    const wait = Math.max(Math.random() * Math.min(30_000, 500 * 2 ** this.#attempt++), this.#returnAt - Date.now());
    this.#returnAt = 0;
    // A refused handshake does not tell a page why, so the page first asks whether it is still logged in.
    const refused = ({ status }) => this.#lost(status === 401 ? 4501 : 1006);
    this.#timer = setTimeout(() => rest("GET", "/auth/me").then(() => this.connect(), refused), wait);
  }
}
