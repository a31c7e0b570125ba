// What needs a person: asked for once for all parts of the page, after events and now and then.
import * as api from "./api.js";
import { h, put } from "./dom.js";
import { duration, number, plural, time } from "./format.js";
import { icon } from "./icons.js";
import { nearest, read, write } from "./json.js";
import { every, gently, holdsStream, lastHeard, listen, onBeat, onState } from "./live.js";
import { onTabs, tellTabs } from "./tabs.js";

/** The most incidents that the overview shows. */
export const mostIncidents = 50;
// The lists have a new event within a second. A short delay is normal, and gives no warning.
const patience = 3;

// How long a tab waits for the answer of the one that holds the live stream, in ms.
const mostWait = 2500;
// The lists have a new event a little later: the answer is then asked for again.
const catchUp = 1000;

const listeners = new Set();
let known = null;
// When the last answer was asked for, and when a newer one was last wanted, in ms.
let asked = 0;
let wanted = 0;
let waiting = null;
let isLost = false;

/** Whether the lists lack events for so long that their numbers are not the true ones. */
export const isBehind = ({ lists }) => lists.lagEvents > 0 && (lists.behind === true || lists.lagSeconds > patience);

/** When the lists had every event. */
const asOf = (page) => new Date(Date.parse(page.at) - nearest(page.lists.lagSeconds) * 1000).toISOString();

/** Says that the numbers beside it are those of an earlier time; null when they are the true ones. `page` has `lists`, and `at` or the time now. */
export const behindNote = (page) => (isBehind(page) ? h("p.quiet.behind-note", icon("clock"), " As of ", time(asOf({ ...page, at: page.at ?? new Date().toISOString() })),
  `: ${plural(page.lists.lagEvents, "event")} behind.`) : null);

/** `57`, or `≥ 50,000`. */
export const counted = (count, page) => `${page.atLeast ? "≥ " : ""}${number(count)}`;

/** Calls the handler with { page, problem } now, when something is known, and after each answer. Returns a function that ends it. */
export function onNeeds(handler) {
  listeners.add(handler);
  if (known) handler(known);
  return () => listeners.delete(handler);
}

async function ask() {
  const at = Date.now();
  try {
    const page = await api.incidents({ limit: mostIncidents });
    tellTabs({ kind: "needs", at, text: write(page) });
    know(at, { page, problem: null });
    if (page.lists.lagEvents > 0) setTimeout(askNeeds, catchUp);
  } catch (problem) {
    know(at, { page: null, problem });
  }
}

/** Keeps an answer, unless it is older than the one that is shown. What was known stays when there is none. */
function know(at, { page, problem }) {
  if (at < asked) return;
  asked = at;
  known = { page: page ?? known?.page ?? null, problem };
  show();
  for (const handler of listeners) handler(known);
}

/** Asks again soon. */
export const askNeeds = gently(ask, 500);

/**
 * The numbers may have changed. One tab asks for all of the browser; another one asks itself when no answer has come. With a
 * lost connection each tab tries.
 */
function want() {
  wanted = Date.now();
  if (holdsStream() || isLost) return askNeeds();
  waiting ??= setTimeout(() => {
    waiting = null;
    if (asked < wanted) askNeeds();
  }, mostWait * (1 + Math.random()));
  return undefined;
}

/** The title of the tab and the warning above every page. */
function show() {
  const { page, problem } = known ?? { page: null, problem: null };
  const isOld = problem || isLost;
  const count = page && (page.needsPerson || isBehind(page) || isOld)
    ? `(${page.atLeast ? "≥" : ""}${page.needsPerson}${isBehind(page) || isOld ? "?" : ""}) ` : "";
  document.title = `${count}Sagas`;
  const heard = Math.max(lastHeard(), api.answeredAt());
  const place = document.getElementById("behind");
  put(place, page && isBehind(page) && !isLost && h("p.notice", icon("clock"), " As of ", time(asOf(page)), ": the lists are ",
    h("strong", plural(page.lists.lagEvents, "event")), ` behind (${duration(page.lists.lagSeconds * 1000)}). All counts are of that time.`),
  isLost ? h("p.notice", icon("diamond"), heard > 0 && [" As of ", time(new Date(heard).toISOString()), ":"],
    ` ${heard > 0 ? "the" : "The"} connection to the engine is lost. What is grey was known then. The page reconnects.`)
    : page && problem && h("p.notice", icon("diamond"), " As of ", time(page.at), `: ${problem.message}`));
}

/** Begins to ask. */
export function watchNeeds() {
  listen(want, { always: true });
  onBeat(want);
  every(15000, want);
  onTabs("needs", ({ at, text }) => know(at, { page: read(text), problem: null }));
  onState((state) => {
    if (isLost === (state === "lost")) return;
    isLost = !isLost;
    show();
    if (isLost) want();
  });
  ask();
}
