// What needs a person: asked for once for all parts of the page, after events and now and then.
import * as api from "./api.js";
import { h, put } from "./dom.js";
import { duration, number, plural, time } from "./format.js";
import { icon } from "./icons.js";
import { nearest } from "./json.js";
import { gently, listen } from "./live.js";

/** The most incidents that the overview shows. */
export const mostIncidents = 50;
// The lists have a new event within a second. A short delay is normal, and gives no warning.
const patience = 3;

const listeners = new Set();
let known = null;

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
  try {
    known = { page: await api.incidents({ limit: mostIncidents }), problem: null };
  } catch (problem) {
    // What was known stays.
    known = { page: known?.page ?? null, problem };
  }
  show(known);
  // Lists that catch up change without an event.
  if (known.page && isBehind(known.page)) setTimeout(askNeeds, 2000);
  for (const handler of listeners) handler(known);
}

/** Asks again soon. */
export const askNeeds = gently(ask, 500);

/** The title of the tab and the warning above every page. */
function show({ page, problem }) {
  const count = page && (page.needsPerson || isBehind(page) || problem)
    ? `(${page.atLeast ? "≥" : ""}${page.needsPerson}${isBehind(page) || problem ? "?" : ""}) ` : "";
  document.title = `${count}Sagas`;
  const place = document.getElementById("behind");
  put(place, page && isBehind(page) && h("p.notice", icon("clock"), " As of ", time(asOf(page)), ": the lists are ",
    h("strong", plural(page.lists.lagEvents, "event")), ` behind (${duration(page.lists.lagSeconds * 1000)}). All counts are of that time.`),
  page && problem && h("p.notice", icon("diamond"), " As of ", time(page.at), `: ${problem.message}`));
}

/** Begins to ask. */
export function watchNeeds() {
  listen(askNeeds);
  setInterval(askNeeds, 15000);
  askNeeds();
}
