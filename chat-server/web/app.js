/** The page: what is shown, and what a click does. What people wrote only ever becomes text nodes. */
import { Connection, rest } from "./api.js";
import { State } from "./state.js";

let state = null, active = "", stuck = true, drawing = 0, flushing = false, typedAt = 0, idle = 0;
const $ = (id) => document.getElementById(id);
const now = () => state?.conversations.get(active);
const badge = (count) => (count > 99 ? "99+" : String(count));
const day = (time) => new Date(time).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const when = (time) => (day(time) === day(Date.now()) ? clock(time) : new Date(time).toLocaleDateString());
const presence = (userId) => state.presence.get(userId) ?? "offline";
const online = () => document.body.dataset.live === "online";
const below = () => $("scroll").scrollHeight - $("scroll").scrollTop;
// ---- Elements
function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child));
  return node;
}
const button = (kind, onclick, ...children) => Object.assign(h("button", { class: kind }, ...children), { onclick });
/** Makes the children of a node those of `rows` ({key, sign, make}); what has the same sign is left as it is. */
function arrange(parent, rows) {
  const focused = parent.contains(document.activeElement) && document.activeElement.closest("li")?.dataset.key;
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const nodes = new Set(rows.map(({ key, sign, make }) => {
    const node = old.get(key)?.sign === sign ? old.get(key) : Object.assign(make(), { sign });
    node.dataset.key = key;
    return node;
  }));
  for (const node of old.values()) if (!nodes.has(node)) node.remove();
  [...nodes].forEach((node, i) => parent.children[i] !== node && parent.insertBefore(node, parent.children[i] ?? null));
  if (focused) [...nodes].find((node) => node.dataset.key === focused)?.querySelector("button")?.focus();
}
function avatar(name, status) {
  const letters = name.match(/(?<![\p{L}\p{N}])[\p{L}\p{N}]/gu)?.slice(0, 2).join("").toUpperCase() ?? "?";
  const face = h("span", { class: "avatar", "aria-hidden": "true" }, letters, status && h("i", { class: status }));
  face.style.setProperty("--hue", [...name].reduce((hue, c) => (hue * 31 + c.codePointAt(0)) % 360, 7));
  return face;
}
function row(name, status, note, onclick, ...side) {
  const text = h("span", { class: "what" }, h("strong", {}, name), h("span", { class: "muted" }, note));
  const spoken = status && h("span", { class: "unseen" }, status);
  return h("li", {}, button("row", onclick, avatar(name, status), text, spoken, h("span", { class: "side" }, ...side)));
}
function sheet(title, ...content) {
  $("about").textContent = title;
  $("body").replaceChildren(...content);
  $("sheet").showModal();
}
const toast = (text) => { $("toast").hidePopover(); $("toast").textContent = text; $("toast").showPopover(); };
/** Does something for the user, and tells the user when it fails. */
const attempt = (work, tell = toast) => work().catch((error) => tell(error.message));

// ---- Live
const live = new Connection({
  status(word, text) { [document.body.dataset.live, $("status").textContent] = [word, text]; },
  ready: (greeting) => state.ready(greeting),
  resumed({ reset }) {
    for (const id of reset) if (state.conversations.has(id)) state.reset(state.conversations.get(id));
    reset.forEach(learn);
    more();
    load(now());
    flush();
  },
  event(frame) {
    const news = state.event(frame), c = state.conversations.get(frame.payload.conversationId);
    if (news === "unknown") learn(frame.payload.conversationId);
    else if (news) $("heard").textContent = `${name(news.senderId)}: ${c === now() ? news.content : state.title(c)}`;
    if (frame.type === "typing.started") setTimeout(draw, state.limits.typingExpiryMs + 50);
    if (["conversation.created", "member.joined"].includes(frame.type)) who();
    draw();
  },
  ended(reason) { enter(null, reason || "Your login has ended. Please log in again."); },
});
/** Tells something that is worth nothing later. */
const hint = (type, payload) => live.request(type, payload).catch(() => {});
/** Asks who is here: of somebody who newly shares a conversation nothing was told before. */
const who = () => hint("presence.list").then((answer) => { if (answer) state.here(answer.presence); draw(); });
/** Loads one conversation: one that an event told of, or of which too much was missed. */
const learning = new Set();
function learn(conversationId) {
  if (learning.has(conversationId)) return;
  learning.add(conversationId);
  const gone = ({ code }) => { if (code === "not_found") state.conversations.delete(conversationId); };
  live.request("conversation.show", { conversationId }).then((answer) => state.take(answer.conversation), gone)
    .finally(() => { learning.delete(conversationId); load(now()); });
}
/** Loads the rest of the list, from where the greeting ends. */
async function more() {
  let cursor;
  while ((cursor = state?.next)) {
    const page = await live.request("conversation.list", { cursor, limit: state.limits.pageMax }).catch(() => null);
    // A new greeting has a place of its own, from where another call goes on.
    if (!page || cursor !== state?.next) return;
    state.takePage(page.data, page.meta.nextCursor);
    draw();
  }
}
/** All pages of a list, up to a thousand items. */
async function pages(type, payload, all = []) {
  const { data, meta } = await live.request(type, { ...payload, limit: state.limits.pageMax });
  all.push(...data);
  return meta.hasMore && all.length < 1000 ? pages(type, { ...payload, cursor: meta.nextCursor }, all) : all;
}
/** Tells what has come and what has been seen, once for all that came since the last drawing. */
function acknowledge() {
  const watched = stuck && document.visibilityState === "visible" && document.hasFocus() && now();
  for (const c of online() ? state.conversations.values() : []) {
    const read = c === watched && c.loaded && (c.readSeq < c.lastSeq || c.unread > 0);
    if (!read && c.deliveredSeq >= c.lastSeq) continue;
    Object.assign(c, { deliveredSeq: c.lastSeq }, read && { readSeq: c.lastSeq, unread: 0, later: [] });
    hint(read ? "receipt.read" : "receipt.delivered", { conversationId: c.id, seq: c.lastSeq });
  }
}
async function load(c, older) {
  draw();
  if (!c || c.loading || (c.loaded && !(older && c.older))) return;
  c.loading = true;
  const place = { conversationId: c.id, cursor: older ? c.older : undefined };
  const error = await live.request("history.load", place).then((page) => state.page(c, page), (refused) => refused);
  c.loading = false;
  if (error?.code === "not_found") state.conversations.delete(c.id);
  draw();
}
/** The name to show; who is not known yet is looked up once. */
function name(userId) {
  const { users } = state, found = (user) => { users.set(userId, user); draw(); };
  if (!users.has(userId)) rest("GET", `/users/${encodeURIComponent(userId)}`).then(found, () => {});
  if (!users.has(userId)) users.set(userId, { displayName: "…" });
  return users.get(userId).displayName;
}
/** Sends what waits, one after the other so that order holds; what was lost on the way goes again with its id. */
async function flush() {
  const next = !flushing && state?.outbox.find((sent) => !sent.failed);
  if (!next) return;
  const { conversationId, clientId, content } = next;
  flushing = true;
  const error = await live.request("message.send", { conversationId, clientId, content })
    .then(({ message }) => state.arrived(message), (refused) => refused);
  if (error?.retryable) await new Promise((done) => { setTimeout(done, error.retryAfterMs ?? 1000); });
  else if (error && error.code !== "unreachable") next.failed = error.message;
  flushing = false;
  draw();
  if (error?.code !== "unreachable") flush();
}

// ---- What is shown
function draw() {
  drawing ||= setTimeout(() => { drawing = 0; if (state) { acknowledge(); drawList(); drawPane(); } }, 16);
}
function drawList() {
  const query = $("find").value.trim().toLowerCase(), all = state.list(), c = now(), unread = state.unread();
  arrange($("list"), all.filter((one) => state.title(one).toLowerCase().includes(query)).map((one) => {
    const title = state.title(one), status = one.peer && presence(one.peer.id), time = when(one.lastActivityAt);
    const text = one.preview && (one.preview.senderId === state.me.id ? "You: " : "") + one.preview.content;
    const note = typing(one) || text || one.topic || "No messages yet";
    const count = one.unread > 0 && h("b", {}, badge(one.unread), h("span", { class: "unseen" }, " unread"));
    const make = () => row(title, status, note, () => { location.hash = one.id; }, h("time", {}, time), count);
    return { key: one.id, sign: [title, status, one.unread, time, note].join("\n"), make };
  }));
  for (const { dataset, firstChild } of $("list").children) firstChild.ariaCurrent = String(dataset.key === active);
  $("nobody").hidden = all.length > 0 || query !== "";
  document.title = `${unread ? `(${badge(unread)}) ` : ""}${c ? `${state.title(c)} · ` : ""}Chat`;
}
function typing(c) {
  const fresh = [...c.typing].filter(([, at]) => Date.now() - at < state.limits.typingExpiryMs).map(([id]) => name(id));
  return fresh.length ? `${fresh.slice(0, 3).join(", ")} ${fresh[1] ? "are" : "is"} typing…` : "";
}
function rowsOf(c) {
  const rows = [], note = (key, text) => rows.push({ key, sign: text, make: () => h("li", { class: "note" }, text) });
  const waiting = state.outbox.filter((sent) => sent.conversationId === c.id);
  let before = {};
  if (!c.older) note("top", c.loaded ? "This is the beginning." : "Loading…");
  for (const m of [...c.messages, ...waiting.map((sent) => ({ ...sent, senderId: state.me.id }))]) {
    const own = m.senderId === state.me.id, on = day(m.createdAt), key = `${m.senderId} ${m.clientId}`;
    if (on !== before.on) note(`day ${key}`, on === day(Date.now()) ? "Today" : on);
    const joined = before.senderId === m.senderId && before.on === on && Date.parse(m.createdAt) - before.at < 300_000;
    const mark = !own ? "" : m.failed ? "failed" : !m.seq ? "pending" : m.seq <= c.peerReadSeq ? "read"
      : m.seq <= c.peerDeliveredSeq ? "delivered" : "sent";
    const from = own || c.peer ? "" : name(m.senderId);
    rows.push({ key, sign: [joined, mark, from].join(), make: () => bubble(m, own, joined, mark, from) });
    before = { senderId: m.senderId, on, at: Date.parse(m.createdAt) };
  }
  return rows;
}
function bubble(m, own, joined, mark, from) {
  const again = () => { delete state.outbox.find((sent) => sent.clientId === m.clientId).failed; flush(); };
  const meta = h("span", { class: "meta" }, h("time", { datetime: m.createdAt }, clock(m.createdAt)),
    mark && h("span", { class: "mark", role: "img", "aria-label": mark }));
  return h("li", { class: `message ${own ? "own" : ""} ${joined ? "joined" : ""} ${mark}` }, from && avatar(from),
    h("div", { class: "bubble" }, from && !joined && h("strong", {}, from), h("p", { dir: "auto" }, m.content), meta),
    m.failed && h("span", { class: "error" }, `Not sent: ${m.failed}. `, button("link", again, "Try again")));
}
function drawPane() {
  const c = now(), scroll = $("scroll"), messages = $("messages");
  document.body.dataset.pane = c ? "open" : "";
  if (!c) return;
  const status = c.peer && presence(c.peer.id), seen = c.peer && state.users.get(c.peer.id).lastSeenAt;
  const room = `Members: ${c.memberCount}${c.topic ? ` · ${c.topic}` : ""}`;
  $("title").textContent = state.title(c);
  $("whose").replaceChildren(avatar(state.title(c), status));
  $("detail").textContent = status === "offline" && seen ? `last seen ${when(seen)}` : status ?? room;
  $("members").hidden = $("leave").hidden = c.kind !== "room";
  $("typing").textContent = typing(c);
  const first = messages.querySelector(".message"), kept = below();
  arrange(messages, rowsOf(c));
  if (stuck) scroll.scrollTop = scroll.scrollHeight;
  else if (first !== messages.querySelector(".message")) scroll.scrollTop = scroll.scrollHeight - kept;
  [$("jump").hidden, $("jump").textContent] = [stuck, c.unread ? `${badge(c.unread)} new ↓` : "Newest ↓"];
  if (c.older && online() && scroll.scrollTop < 200) load(c, true);
}

// ---- What a click does
const SECRETS = { login: "current-password", register: "new-password" };
const turn = (mode) => { [$("gate").dataset.mode, $("gate").elements.password.autocomplete] = [mode, SECRETS[mode]]; };
/** Lets a user in, or out when there is none. */
function enter(user, reason = "") {
  live.close();
  state = user && new State(user);
  $("sheet").close();
  turn("login");
  [$("gate").hidden, $("app").hidden, $("reason").textContent] = [user, !user, reason];
  if (!user) return;
  $("name").textContent = user.displayName;
  $("face").replaceChildren(avatar(user.displayName));
  live.connect();
}
async function logIn() {
  const fields = [...new FormData($("gate"))].filter(([field, value]) => field !== "displayName" || value);
  const { user } = await rest("POST", `/auth/${$("gate").dataset.mode}`, Object.fromEntries(fields));
  $("gate").reset();
  enter(user);
}
const logOut = async () => { await rest("POST", "/auth/logout"); location.hash = ""; enter(null); };
/** Shows the conversation that the address names. */
function show() {
  stopTyping();
  if (now()) now().draft = $("text").value;
  active = location.hash.slice(1);
  [stuck, $("text").value] = [true, now()?.draft ?? ""];
  load(now());
  if (now() && matchMedia("(min-width: 720px)").matches) setTimeout(() => $("text").focus(), 50);
}
async function open(type, payload) {
  const { conversation } = await live.request(type, payload);
  state.take(conversation);
  [$("find").value, location.hash] = ["", conversation.id];
  $("people").replaceChildren();
  $("sheet").close();
  who();
}
async function rooms() {
  const input = h("input", { placeholder: "Name of a new room", "aria-label": "Name of a new room", required: "" });
  const form = h("form", { class: "tools" }, input, h("button", { class: "primary" }, "Create"));
  submits(form, () => open("conversation.create", { name: input.value, visibility: "public" }));
  const rows = (await pages("room.list")).map((room) => row(room.name, "", room.topic ?? `Members: ${room.memberCount}`,
    () => attempt(() => open("conversation.join", { conversationId: room.id })),
    state.conversations.has(room.id) ? "Open" : "Join"));
  sheet("Rooms", form, h("ul", {}, ...rows));
}
/** Rows of people; a click opens the chat with one. */
const people = (all) => all.map(({ user, role = "" }) => row(user.displayName, presence(user.id), `@${user.username}`,
  () => user.id !== state.me.id && attempt(() => open("conversation.open", { userId: user.id })), role));
async function members() {
  sheet("Members", h("ul", {}, ...people(await pages("conversation.members", { conversationId: active }))));
}
async function leave() {
  if (!confirm("Leave this room?")) return;
  const left = active;
  await live.request("conversation.leave", { conversationId: left }).catch((error) => {
    const lost = "You are the last member. If the room is private, nobody can ever come back to it. Leave it all the same?";
    if (error.code !== "last_member") throw error;
    return confirm(lost) && live.request("conversation.leave", { conversationId: left, confirm: true });
  }).then((answer) => answer && gone(left));
}
function gone(left) {
  state.conversations.delete(left);
  location.hash = "";
}
async function search() {
  draw();
  const query = $("find").value.trim();
  const { data } = query ? await rest("GET", `/users?limit=10&query=${encodeURIComponent(query)}`) : { data: [] };
  const others = data.filter(({ id }) => id !== state.me.id).map((user) => ({ user }));
  if (query === $("find").value.trim()) $("people").replaceChildren(...people(others));
}
function typed() {
  clearTimeout(idle);
  if (!now() || !$("text").value.trim()) return stopTyping();
  idle = setTimeout(stopTyping, state.limits.typingExpiryMs);
  if (Date.now() - typedAt < state.limits.typingResendMs) return;
  typedAt = Date.now();
  hint("typing.start", { conversationId: active });
}
const stopTyping = () => { if (typedAt) hint("typing.stop", { conversationId: active }); typedAt = 0; };
async function send() {
  const text = $("text").value.trim(), over = [...text].length - state.limits.textCharacters;
  if (over > 0) return toast(`The text is too long by ${over}.`);
  if (!text || !now()) return;
  state.compose(active, text);
  [$("text").value, typedAt, stuck] = ["", 0, true];
  flush();
  draw();
}

const on = (node, type, act) => node.addEventListener(type, act);
const submits = (form, act, tell) => on(form, "submit", (submit) => { submit.preventDefault(); attempt(act, tell); });
submits($("gate"), logIn, (text) => { $("reason").textContent = text; });
submits($("composer"), send);
for (const mode of ["login", "register"]) on($(mode), "click", () => turn(mode));
for (const act of [rooms, members, leave, logOut]) on($(act.name), "click", () => attempt(act));
on($("jump"), "click", () => { stuck = true; draw(); });
on($("find"), "input", () => attempt(search));
on($("scroll"), "scroll", () => { stuck = below() - $("scroll").clientHeight < 60; draw(); });
on($("text"), "input", typed);
const sends = ({ key, shiftKey, isComposing }) => key === "Enter" && !shiftKey && !isComposing;
on($("text"), "keydown", (press) => { if (sends(press)) { press.preventDefault(); send(); } });
on(window, "keydown", ({ key }) => { if (key === "Escape" && !$("sheet").open) location.hash = ""; });
on(window, "hashchange", show);
on(window, "focus", draw);
new ResizeObserver(draw).observe($("scroll"));
active = location.hash.slice(1);
rest("GET", "/auth/me").then(enter, (error) => enter(null, error.status === 401 ? "" : error.message));
