// The sagas above a saga, and the sagas that it has started. A long list is folded.
import * as api from "./api.js";
import { h, put } from "./dom.js";
import { plural, shortID } from "./format.js";
import { badge, stateWord } from "./icons.js";
import { nearest } from "./json.js";
import { problemBox } from "./verbs.js";

// More children than this are folded until someone opens them.
const mostOpen = 12;

const sagaLink = (id, ...content) => h("a", { href: `#/saga/${id}`, title: id }, content);

/** The link from a saga to the one that started it. */
export const parentLink = (parent) => [sagaLink(parent.id, h("code", shortID(parent.id))), `, ${parent.phase === "undo" ? "undo of step" : "step"} ${parent.step}`];

/** The link from a step to its child. */
export const childLink = (child) => h("div", badge(child.status ?? "unknown"), " ", sagaLink(child.id, child.workflow, " ", h("code", shortID(child.id))));

/** `91 completed, 5 stuck` */
const counts = (facets) => Object.entries(facets?.status ?? {}).map(([status, count]) => `${count} ${stateWord(status)}`).join(", ");

const line = (one) => h("li", badge(one.status), one.paused && badge("paused"), " ",
  sagaLink(one.id, one.title ?? `${one.workflow} ${shortID(one.id)}`), one.failedStep && h("span.quiet", ` at ${one.failedStep}`));

// The sagas whose own children are shown in the list, so that they stay there when the list is drawn again.
const opened = new Set();

/** The children of a saga in the list: its line, and its own children once someone asks for them. */
function branch(one) {
  const inner = h("div");
  const item = line(one);
  const open = () => { opened.add(one.id); showChildren(inner, one.id, { isInner: true }); };
  if (opened.has(one.id)) open();
  else {
    const more = h("button.plain", { type: "button", "data-key": `children ${one.id}`, onclick: () => { more.remove(); open(); } }, "its children");
    item.append(" ", more);
  }
  item.append(inner);
  return item;
}

/** Fills a place with the children of a saga, the oldest first. A saga without children leaves it empty, except inside a list. */
export async function showChildren(place, id, { isInner = false } = {}) {
  try {
    const page = await api.listSagas({ parent: id, sort: "startedAt", limit: 200 }, { facets: true });
    if (page.sagas.length === 0) return put(place, isInner && h("p.quiet", "It has started no saga."));
    const open = place.querySelector("details")?.open ?? page.sagas.length <= mostOpen;
    const total = Object.values(page.facets?.status ?? {}).reduce((sum, count) => sum + nearest(count), 0);
    return put(place, h("details.family", { open }, h("summary", `${plural(total, "child saga")}: ${counts(page.facets)}`), h("ul", page.sagas.map(branch)),
      page.next && h("p.hint", "The first 200 are shown. “saga show ", h("code", id), " --tree” shows all.")));
  } catch (problem) {
    return put(place, problemBox(problem));
  }
}
