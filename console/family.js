// The sagas above a saga, and the sagas that it has started. Many are a plate, or a list by pages.
import * as api from "./api.js";
import { h, put } from "./dom.js";
import { number, plural, shortID } from "./format.js";
import { badge, stateWord } from "./icons.js";
import { nearest } from "./json.js";
import { idsOf, labelChips } from "./labels.js";
import { plate, plateSize } from "./plate.js";
import { failed } from "./verbs.js";

// More children than this are a grid of cells.
const mostLines = 12;

const sagaLink = (id, ...content) => h("a", { href: `#/saga/${id}`, title: id }, content);

/** The link from a saga to the one that started it. */
export const parentLink = (parent) => [sagaLink(parent.id, parent.title && [h("span.saga-title", parent.title), " "], h("code", shortID(parent.id))),
  `, ${parent.phase === "undo" ? "undo of step" : "step"} ${parent.step}`];

/** The link from a step to its child. */
export const childLink = (child) => h("div", badge(child.status ?? "unknown"), " ",
  sagaLink(child.id, child.title ? h("span.saga-title", child.title) : child.workflow, " ", h("code.small", shortID(child.id))));

/** `91 completed, 5 stuck` */
const counts = (facets) => Object.entries(facets?.status ?? {}).map(([status, count]) => `${number(count)} ${stateWord(status)}`).join(", ");

const line = (one, id) => h("li", badge(one.status), one.paused && badge("paused"), " ",
  sagaLink(one.id, one.title ?? one.key ?? one.workflow, " ", h("code.small", id(one.id))), one.failedStep && h("span.quiet", ` at ${one.failedStep}`), labelChips(one));

// The sagas whose own children are shown in the list, so that they stay there when the list is drawn again.
const opened = new Set();
// The cursors of the pages of each list of children, and whether it is a list although there are many.
const places = new Map();
const placeOf = (id) => places.get(id) ?? places.set(id, { cursors: [undefined], isList: false }).get(id);

/** The children of a saga in the list: its line, and its own children once someone asks for them. */
function branch(one, id) {
  const inner = h("div");
  const item = line(one, id);
  const open = () => { opened.add(one.id); showChildren(inner, one.id, { isInner: true }); };
  if (opened.has(one.id)) open();
  else {
    const more = h("button.plain", { type: "button", "data-key": `children ${one.id}`, onclick: () => { more.remove(); open(); } }, "its children");
    item.append(" ", more);
  }
  item.append(inner);
  return item;
}

const cell = (one) => ({ key: `child ${one.id}`, name: one.title ?? one.key ?? shortID(one.id), status: one.paused && one.status !== "stuck" ? "paused" : one.status,
  note: [one.failedStep, one.failureCode].filter(Boolean).join(" · "), href: `#/saga/${one.id}` });

/** Fills a place with the children of a saga, the oldest first. A saga without children leaves it empty, except inside a list. */
export async function showChildren(place, id, { isInner = false } = {}) {
  const here = placeOf(id);
  const again = () => showChildren(place, id, { isInner });
  try {
    const page = await api.listSagas({ parent: id, sort: "startedAt", limit: plateSize, cursor: here.cursors.at(-1) }, { facets: true });
    const { sagas } = page;
    if (sagas.length === 0 && here.cursors.length === 1) return put(place, isInner && h("p.quiet", "It has started no saga."));
    const total = Object.values(page.facets?.status ?? {}).reduce((sum, count) => sum + nearest(count), 0);
    const isMany = total > mostLines;
    const turn = (cursors) => () => { here.cursors = cursors; again(); };
    const first = (here.cursors.length - 1) * plateSize;
    const pager = (here.cursors.length > 1 || page.next) && h("div.pager",
      h("button", { type: "button", disabled: here.cursors.length === 1, "data-key": `children ${id} before`, onclick: turn(here.cursors.slice(0, -1)) }, "← Before"),
      h("span.num", `${number(first + 1)}–${number(first + sagas.length)} of ${number(total)}`),
      h("button", { type: "button", disabled: !page.next, "data-key": `children ${id} after`, onclick: turn([...here.cursors, page.next]) }, "After →"));
    const stuck = page.facets?.status?.stuck ?? 0;
    const tools = isMany && h("p", h("button", { type: "button", "aria-pressed": String(here.isList), "data-key": `children ${id} list`,
      onclick: () => { here.isList = !here.isList; again(); } }, "As a list"), " ",
    h("a", { href: `#/sagas?${api.search({ parent: id })}` }, `See all ${number(total)} among the sagas`),
    nearest(stuck) > 0 && [", ", h("a", { href: `#/sagas?${api.search({ parent: id, status: "stuck" })}` }, `the ${number(stuck)} stuck`)]);
    const known = place.querySelector("details");
    return put(place, h("details.family", { open: known?.open ?? true }, h("summary", `${plural(total, "child saga")}: ${counts(page.facets)}`), tools,
      isMany && !here.isList ? plate(sagas.map(cell), "Child sagas") : h("ul", sagas.map((one) => branch(one, idsOf(sagas)))), pager));
  } catch (problem) {
    return failed(place, problem);
  }
}
