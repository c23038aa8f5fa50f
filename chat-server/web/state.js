/** What the page knows. No DOM and no network: frames in, state out. */
// The time and 128 random bits: ids that grow are cheaper to store. `crypto.randomUUID` is missing where a
// page comes over plain HTTP.
const newId = () => [Date.now(), ...crypto.getRandomValues(new Uint32Array(4))].map((n) => n.toString(36)).join("-");
/** The later of two times, however many digits they have. */
const later = (a, b) => (Date.parse(a) > Date.parse(b) ? a : b);
export class State {
  limits = {}; next = null; listed = new Set(); users = new Map(); presence = new Map(); versions = new Map();
  conversations = new Map();
  constructor(me) {
    this.me = me;
    /** Sends that are not acknowledged, in order: `{clientId, conversationId, content, createdAt, failed}`. */
    this.outbox = JSON.parse(sessionStorage.getItem(`outbox ${me.id}`)) ?? [];
  }
  list() { return [...this.conversations.values()].sort((a, b) => b.activity - a.activity); }
  title(c) { return c.peer?.displayName ?? c.name; }
  unread() { return this.list().reduce((sum, c) => sum + c.unread, 0); }
  here(online) {
    this.presence = new Map();
    online.forEach((entry) => this.#appear(entry));
  }
  /** Takes what was told of somebody's presence, unless something later was told. */
  #appear(entry) {
    const { userId, status, version } = entry;
    if (version < this.versions.get(userId)) return;
    this.versions.set(userId, version);
    this.presence.set(userId, status);
    if (this.users.has(userId)) Object.assign(this.users.get(userId), entry);
  }
  /** Takes the greeting; returns from which change of which conversation to resume. */
  ready({ user, limits, conversations, nextCursor, presence }) {
    Object.assign(this, { me: user, limits, listed: new Set() });
    this.here(presence);
    for (const c of this.conversations.values()) c.typing.clear();
    this.takePage(conversations, nextCursor);
    return Object.fromEntries(this.list().filter((c) => c.loaded).map((c) => [c.id, c.cursor]));
  }
  /**
   * Takes a page of the list, which goes on at `next`. The list moves while it is read, so what is gone from it is
   * known only at its end: what neither a page nor an event has told of since the greeting.
   */
  takePage(summaries, next) {
    summaries.forEach((summary) => this.take(summary));
    this.next = next;
    if (!next) for (const id of this.conversations.keys()) if (!this.listed.has(id)) this.conversations.delete(id);
  }
  /** Takes a summary. Its unread count includes all up to `counted`, of which events may still be on their way. */
  take(summary) {
    this.listed.add(summary.id);
    if (summary.peer) this.users.set(summary.peer.id, summary.peer);
    const known = this.conversations.get(summary.id);
    if (known && summary.changeSeq < known.changeSeq) return;
    const c = Object.assign(known ?? this.reset({ typing: new Map(), later: [] }), summary, { counted: summary.lastSeq });
    c.later = c.later.filter((seq) => seq > summary.lastSeq);
    if (!c.loaded && !c.loading) c.cursor = summary.changeSeq;
    this.conversations.set(c.id, c);
  }
  /** Drops what was loaded, as when too much was missed to replay it. */
  reset(c) {
    return Object.assign(c, { messages: [], loaded: false, loading: false, older: null, cursor: c.changeSeq });
  }
  /** Takes a page of messages, each once, whatever came in between. */
  page(c, { data, meta }) {
    data.forEach((message) => this.#insert(c, message));
    Object.assign(c, { loaded: true, loading: false, older: meta.nextCursor });
  }
  #insert(c, message) {
    const at = c.messages.findLastIndex((m) => m.seq <= message.seq);
    if (c.messages[at]?.seq !== message.seq) c.messages.splice(at + 1, 0, message);
  }
  /** Takes an event; returns the message if it is a new one of somebody else, or "unknown" for an unknown place. */
  event({ type, payload }) {
    const c = this.conversations.get(payload.conversationId), { userId, seq } = payload;
    if (payload.changeSeq) return c ? this.#change(c, payload, type) : "unknown";
    if (type === "conversation.created") this.take(payload.conversation);
    else if (type === "presence.changed") this.#appear(payload);
    else if (type.startsWith("typing.")) this.#type(c, payload, type === "typing.started");
    else if (type.startsWith("receipt.") && c && userId === c.peer?.id) {
      c.peerDeliveredSeq = Math.max(c.peerDeliveredSeq, seq);
      if (type === "receipt.read") c.peerReadSeq = Math.max(c.peerReadSeq, seq);
    } else if (type === "unread.changed" && c) this.#count(c, payload);
    return null;
  }
  #type(c, { userId, version }, typing) {
    const key = `${c?.id} ${userId}`;
    if (!c || version < this.versions.get(key)) return;
    this.versions.set(key, version);
    if (typing) c.typing.set(userId, Date.now());
    else c.typing.delete(userId);
  }
  /** Takes a count of what is unread, to which the messages add that have come since. */
  #count(c, { readSeq, throughSeq, unread }) {
    if (readSeq < c.readSeq || (readSeq === c.readSeq && throughSeq < c.through)) return;
    const later = c.later.filter((seq) => seq > throughSeq);
    const counted = Math.max(c.counted, throughSeq);
    Object.assign(c, { readSeq, through: throughSeq, later, counted, unread: Math.min(100, unread + later.length) });
  }
  #change(c, { changeSeq, message, member }, type) {
    this.listed.add(c.id);
    if (changeSeq <= c.cursor) return null;
    const own = (message?.senderId ?? member.userId) === this.me.id;
    Object.assign(c, { cursor: changeSeq, changeSeq: Math.max(c.changeSeq, changeSeq) });
    if (message) {
      const news = !own && message.seq > c.counted;
      this.arrived(message);
      if (news) Object.assign(c, { counted: message.seq, later: [...c.later, message.seq].slice(-100), unread: Math.min(100, c.unread + 1) });
      return news && message;
    }
    this.users.set(member.userId, member.user);
    if (type === "member.updated") return null;
    if (!own) c.memberCount += member.state === "joined" ? 1 : -1;
    else if (member.state === "left") this.conversations.delete(c.id);
    return null;
  }
  /** Takes a message, from an event or from the answer to a send; the other of the two then changes nothing. */
  arrived(message) {
    const c = this.conversations.get(message.conversationId);
    if (message.senderId === this.me.id) this.settle(message.clientId);
    if (!c) return;
    if (c.loaded || c.loading) this.#insert(c, message);
    c.typing.delete(message.senderId);
    if (message.seq <= c.lastSeq) return;
    const activity = 1 + Math.max(...this.list().map((other) => other.activity));
    const lastActivityAt = later(c.lastActivityAt, message.createdAt);
    Object.assign(c, { lastSeq: message.seq, preview: message, lastActivityAt, activity });
  }
  /** Keeps a message to be sent, over a reload of the page too; its client id makes sending it again safe. */
  compose(conversationId, content) {
    this.#keep([...this.outbox, { clientId: newId(), conversationId, content, createdAt: new Date().toISOString() }]);
  }
  settle(clientId) { this.#keep(this.outbox.filter((sent) => sent.clientId !== clientId)); }
  #keep(outbox) {
    this.outbox = outbox;
    sessionStorage.setItem(`outbox ${this.me.id}`, JSON.stringify(outbox));
  }
}
