// News from the engine, for every tab. One tab holds the live stream (stream.js) and passes on what comes; when it closes,
// crashes or freezes, another one goes on after the last event that it knows.
import { say } from "./dom.js";
import { read } from "./json.js";
import { openStream } from "./stream.js";
import { onTabs, tellTabs } from "./tabs.js";

// How often a visible tab looks after the holder, and how long the holder has for an answer.
const lookEvery = 2000;
const patience = 6000;
// The last events by which an event that comes twice is known: after a change of the holder.
const mostSeen = 2000;

const listeners = new Map();
const stateHandlers = new Set();
const beatHandlers = new Set();
let state = "connecting";
// The id of the last event. When (ms) the engine was last heard, when the holder was, and when it was last asked.
let last = null;
let engineHeard = 0;
let heard = 0;
let asked = 0;
// The stream, if this tab holds it.
let stream = null;
let hasJoined = false;
let isAway = false;
let worker = null;
// The number of this tab's last request for the lock, and how it ends.
let turn = 0;
let leaveQueue = () => {};
let letGo = () => {};
// Whether this hidden tab has not passed on an event.
let hasMissed = false;
const seen = new Set();

const words = {
  connecting: ["Connecting", "The page is connecting to the live stream."],
  live: ["Live", "The page shows changes as they happen."],
  lost: ["Reconnecting", "The connection is lost. This page may be out of date."],
};

/** Calls the handler with the state of the connection, now and after every change. */
export function onState(handler) {
  stateHandlers.add(handler);
  handler(state, ...words[state]);
}

/** Calls the handler at each beat of the stream, every 15 s, in the tab that holds it. */
export const onBeat = (handler) => beatHandlers.add(handler);

/** Whether this tab holds the stream, and so asks for all tabs. */
export const holdsStream = () => stream !== null;

/** When the engine was last heard on the stream. */
export const lastHeard = () => engineHeard;

function become(next) {
  // A new holder begins by connecting. A lost connection is lost until it is back.
  if (next === state || next === "connecting" && state === "lost") return;
  const before = state;
  if (next === "lost") say("The connection to the engine is lost. The page reconnects.");
  if (next === "live" && before === "lost") say("The connection is back.");
  if (next === "live") engineHeard = Date.now();
  state = next;
  for (const handler of stateHandlers) handler(state, ...words[state]);
  // What was asked for meanwhile has failed.
  if (next === "live" && before === "lost") tell(null);
}

/**
 * Calls the handler with each event of a saga, and with null when every saga may have changed. A hidden tab is behind: it gets
 * a null at most every 15 s, and when it is shown again. Returns a function that ends it.
 * @param always whether the handler is called in a hidden tab too
 */
export function listen(handler, { always = false } = {}) {
  listeners.set(handler, always);
  return () => listeners.delete(handler);
}

function tell(event) {
  if (event) {
    const name = `${event.id} ${event.version}`;
    if (seen.has(name)) return;
    seen.add(name);
    if (seen.size > mostSeen) seen.delete(seen.keys().next().value);
  }
  if (document.hidden) hasMissed = true;
  for (const [handler, always] of [...listeners]) if (always || !document.hidden) handler(event);
}

/** Passes on, in one, what a hidden tab has not. */
function catchUp() {
  if (!hasMissed) return;
  hasMissed = false;
  for (const [handler, always] of [...listeners]) if (!always) handler(null);
}

// MARK: What the holder says

function take({ is, state: next, text, last: id }) {
  heard = Date.now();
  if (is !== "state" && is !== "refused") engineHeard = heard;
  if (id) last = id;
  if (is === "state") become(next);
  else if (is === "event") {
    try {
      tell(read(text));
    } catch {
      tell(null);
    }
  } else if (is === "reset") tell(null);
  else if (is === "refused") dispatchEvent(new Event("saga-signed-out"));
  else if (is === "beat") {
    if (stream) for (const handler of beatHandlers) handler();
    catchUp();
  }
}

onTabs("stream", (message) => {
  // A tab that has lost its lock may still speak.
  if (hasJoined && !stream) take(message);
});
onTabs("ask", () => {
  stream?.poke();
  stream?.tellState();
});
// The stream has the rights of the session under which it began.
onTabs("session", () => stream?.again());
// A request of a session that has ended: the stream is asked whether it has ended too.
const check = () => { if (state === "live") stream?.again(); };
onTabs("check", check);
addEventListener("saga-signed-out", () => {
  if (stream) check();
  else if (state === "live") tellTabs({ kind: "check" });
});

// MARK: Who holds the stream

/** Takes part in the stream, or begins it again after a sign-in. */
export function connect() {
  if (hasJoined) return stream?.again();
  hasJoined = true;
  heard = Date.now();
  if (navigator.locks) seek();
  else if (globalThis.SharedWorker) worker = new SharedWorker("/console/stream-worker.js", { type: "module" });
  else if (!document.hidden) hold();
  return ask();
}

function ask() {
  asked = Date.now();
  tellTabs({ kind: "ask" });
}

function hold() {
  stream?.close();
  stream = openStream(last, (message) => {
    tellTabs({ kind: "stream", ...message });
    take(message);
  });
}

function drop() {
  stream?.close();
  stream = null;
}

/** Waits for the lock of the holder. A holder that does not answer loses it. */
async function seek({ steals = false } = {}) {
  const mine = ++turn;
  leaveQueue();
  const waiting = new AbortController();
  leaveQueue = () => waiting.abort();
  try {
    await navigator.locks.request("saga.stream", steals ? { steal: true } : { signal: waiting.signal }, () => {
      if (mine !== turn) return undefined;
      hold();
      return new Promise((resolve) => { letGo = resolve; });
    });
  } catch {
    // Another tab has taken the lock, or this one has left the queue.
  }
  if (mine !== turn) return;
  drop();
  setTimeout(() => { if (mine === turn && !isAway) seek(); }, 1000);
}

function leave() {
  isAway = true;
  turn += 1;
  leaveQueue();
  letGo();
  drop();
}

// Events may have come while the tab was frozen, and another person may have signed in.
function comeBack() {
  if (!isAway) return;
  isAway = false;
  if (!hasJoined) return;
  hasJoined = false;
  connect();
  tell(null);
  dispatchEvent(new Event("saga-returned"));
}

addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => { if (event.persisted) comeBack(); });
document.addEventListener("freeze", leave);
document.addEventListener("resume", comeBack);
addEventListener("online", () => stream?.again());

document.addEventListener("visibilitychange", () => {
  if (!hasJoined || isAway) return;
  const sharesNone = !navigator.locks && !worker;
  if (document.hidden) {
    if (sharesNone) drop();
    return;
  }
  if (sharesNone && !stream) hold();
  if (stream) stream.poke();
  else ask();
  catchUp();
});

// A hidden tab does not look after the holder: its timers are late, and no person reads its sign.
setInterval(() => {
  if (!hasJoined || isAway || stream || document.hidden) return;
  if (asked <= heard) {
    if (Date.now() - heard > lookEvery) ask();
  } else if (Date.now() - asked > patience) {
    become("lost");
    if (navigator.locks) seek({ steals: true });
    else {
      worker = null;
      hold();
    }
  }
}, lookEvery);

// MARK: When work is done

/** Returns a function that runs `work` when it has not been called for a while: what a hand still moves can wait. */
export function later(work, ms = 400) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
}

/** Returns a function that runs `work` soon after each call, once for many calls, and never twice at the same time. */
export function gently(work, ms = 250) {
  let timer = null;
  let running = false;
  let again = false;
  const run = async () => {
    timer = null;
    running = true;
    again = false;
    try {
      await work();
    } finally {
      running = false;
      if (again) timer = setTimeout(run, ms);
    }
  };
  return () => {
    if (running) again = true;
    else timer ??= setTimeout(run, ms);
  };
}

/** Runs `work` after a time, but not while the tab is hidden. Returns a function that cancels it. */
export function whenShown(work, ms) {
  const over = new AbortController();
  const timer = setTimeout(() => {
    if (!document.hidden) return work();
    return document.addEventListener("visibilitychange", work, { once: true, signal: over.signal });
  }, ms);
  return () => {
    clearTimeout(timer);
    over.abort();
  };
}

/** Runs `work` again and again, while the tab is shown. Returns a function that ends it. */
export function every(ms, work) {
  let isOver = false;
  let cancel = () => {};
  const next = () => {
    cancel = whenShown(async () => {
      try {
        await work();
      } finally {
        if (!isOver) next();
      }
    }, ms);
  };
  next();
  return () => {
    isOver = true;
    cancel();
  };
}
