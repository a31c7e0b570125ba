// The live stream of events. The browser reconnects with Last-Event-ID by itself, so that no event is missed.
import { say } from "./dom.js";
import { read } from "./json.js";

const listeners = new Set();
let source = null;
let state = "connecting";
let wait = 1000;
let show = () => {};

const words = {
  connecting: ["Connecting", "The page is connecting to the live stream."],
  live: ["Live", "The page shows changes as they happen."],
  lost: ["Reconnecting", "The connection is lost. This page may be out of date."],
};

/** Calls the handler with the state of the connection, now and after every change. */
export function onState(handler) {
  show = handler;
  show(state, ...words[state]);
}

function become(next) {
  if (next === state) return;
  if (next === "lost") say("The connection to the engine is lost. The page reconnects.");
  if (next === "live" && state === "lost") say("The connection is back.");
  state = next;
  show(state, ...words[state]);
}

/** Calls the handler with each event of a saga, and with null when every saga may have changed. Returns a function that ends it. */
export function listen(handler) {
  listeners.add(handler);
  return () => listeners.delete(handler);
}

function tell(event) {
  for (const handler of listeners) handler(event);
}

export function connect() {
  source?.close();
  source = new EventSource("/v1/events");
  source.addEventListener("hello", () => {
    const again = state !== "connecting";
    wait = 1000;
    become("live");
    // A new stream does not repeat the events before it.
    if (again) tell(null);
  });
  source.addEventListener("saga", (message) => {
    try {
      tell(read(message.data));
    } catch {
      tell(null);
    }
  });
  source.addEventListener("reset", () => tell(null));
  source.addEventListener("dropped", () => become("lost"));
  source.onerror = () => {
    become("lost");
    // The browser reconnects by itself, unless the engine refused.
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(connect, wait + Math.random() * 500);
    wait = Math.min(wait * 2, 15000);
  };
}

// A page that was left keeps no stream open.
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => { if (event.persisted) connect(); });

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
