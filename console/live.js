// The live stream: what happens, as it happens. The browser comes back with Last-Event-ID by itself, so nothing is missed.
import { say } from "./dom.js";
import { read } from "./json.js";

const listeners = new Set();
let source = null;
let state = "connecting";
let wait = 1000;
let show = () => {};

const words = {
  connecting: ["Connecting", "The live stream is being opened."],
  live: ["Live", "Changes show as they happen."],
  lost: ["Reconnecting", "The live stream is lost; what you see may be out of date."],
};

/** Shows the state of the connection wherever it is told to. */
export function onState(handler) {
  show = handler;
  show(state, ...words[state]);
}

function become(next) {
  if (next === state) return;
  if (next === "lost") say("The connection to the engine is lost. Reconnecting.");
  if (next === "live" && state === "lost") say("Connected again.");
  state = next;
  show(state, ...words[state]);
}

/** Calls back with each saga's event, and with null when everything may have changed. Returns what ends it. */
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
    // A new stream has no memory of what was missed before it.
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
    // The browser tries again by itself, unless it was refused.
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(connect, wait + Math.random() * 500);
    wait = Math.min(wait * 2, 15000);
  };
}

// A page that is left keeps no stream open.
addEventListener("pagehide", () => source?.close());
addEventListener("pageshow", (event) => { if (event.persisted) connect(); });

/** Runs `work` soon after it is asked for, however often, and never twice at once. */
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
