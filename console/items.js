// The items of a step with forEach: a folded row with their counts. Unfolded, it lists a page of them, failed ones first.
import * as api from "./api.js";
import { stepCalls } from "./calls.js";
import { dialog, h, put } from "./dom.js";
import { number } from "./format.js";
import { badge, shownStatus, stateIcon, stateTone, stateWord } from "./icons.js";
import { itemCounts, itemsWords } from "./item-words.js";
import { shownText, write } from "./json.js";
import { childLink } from "./family.js";
import { gently } from "./live.js";
import { plate, plateSize } from "./plate.js";
import { fewest } from "./siblings.js";
import { undoSignalButton, undoText } from "./undo.js";
import { act, payload, problemBox, verbLabel } from "./verbs.js";

const pageSize = plateSize;
// How long a text of an output is in the list. The details have all of it.
const mostOutput = 120;

/** What an item does, or how the saga is that it waits for. */
const statusNow = (item) => (item.status === "waiting" && item.child?.status === "stuck" ? "stuck" : item.status);

/** The key of an item, from its id STEP[KEY]. */
const keyOf = (step, item) => item.id.slice(step.length + 1, -1);

/**
 * The items of one step of a saga: { element, show(step) }. Only the page of items that is unfolded is read, and read again
 * at most once a second while the counts change.
 * @param saga returns the saga as it is now
 * @param done is called after a verb
 * @param definition returns the workflow of the saga
 */
export function itemList(saga, stepID, done, definition) {
  const summary = h("summary");
  const filters = h("div.chips", { role: "group", "aria-label": `Items of ${stepID} by status` });
  const list = h("ul.item-list", { "data-acts": "1" });
  const pager = h("div.pager");
  const trouble = h("div");
  const grid = h("div.grid-place", { "data-acts": "1" });
  const gridPager = h("div.grid-pages");
  const element = h("details.items", { "data-items": stepID }, summary, grid, gridPager, filters, trouble, list, pager);
  let step = null;
  // The status that is listed: "" for every status, "none" while only the grid is shown, null before the first reading.
  let status = null;
  // The cursors of the pages up to the one that is shown.
  let cursors = [undefined];
  let page = null;
  // The number of the last reading that began: an answer to an earlier one is not shown.
  let reading = 0;
  let readFor = null;
  // The cursors of the pages of the grid.
  let gridCursors = [undefined];
  // What the grid shows: the last event, and the page.
  let gridFor = null;

  /** Reads a page of all items for the grid. A few items need none. */
  const readGrid = async () => {
    const cursor = gridCursors.at(-1);
    const version = saga().lastEvent;
    if (step.items.count < fewest || gridFor === `${version} ${cursor}`) return;
    const answer = await api.items(saga().id, stepID, { cursor, limit: pageSize });
    if (cursor !== gridCursors.at(-1)) return;
    gridFor = `${version} ${cursor}`;
    const cells = answer.items.map((item) => ({ key: `cell ${item.id}`, name: keyOf(stepID, item), status: statusNow(item),
      note: (item.undo?.error ?? item.error)?.message ?? "", onpick: () => details(item) }));
    put(grid, cells.length > 0 && plate(cells, `Items of ${stepID}`));
    const turnGrid = (next) => () => { gridCursors = next; read(); };
    put(gridPager, (gridCursors.length > 1 || answer.next !== undefined) && [
      h("button", { type: "button", disabled: gridCursors.length === 1, "data-key": `grid ${stepID} before`,
        onclick: turnGrid(gridCursors.slice(0, -1)) }, "← Before"),
      h("span.num", `${number((gridCursors.length - 1) * pageSize + 1)}–${number((gridCursors.length - 1) * pageSize + cells.length)} of ${number(step.items.count)}`),
      h("button", { type: "button", disabled: answer.next === undefined, "data-key": `grid ${stepID} after`,
        onclick: turnGrid([...gridCursors, answer.next]) }, "After →")]);
  };

  const read = async () => {
    const mine = ++reading;
    const [wanted, version] = [status, saga().lastEvent];
    try {
      const answer = wanted === "none" ? null : await api.items(saga().id, stepID, { status: wanted, cursor: cursors.at(-1), limit: pageSize });
      if (mine !== reading) return;
      [page, readFor] = [answer, version];
      put(trouble);
      if (page) showPage();
      else for (const one of [list, pager]) put(one);
      await readGrid();
    } catch (problem) {
      if (mine === reading) put(trouble, problemBox(problem));
    }
  };
  const soon = gently(read, 1000);
  /** Whether the saga has events that the page does not show. */
  const changed = () => readFor === null || saga().lastEvent > readFor;

  const choose = (next) => {
    status = next;
    cursors = [undefined];
    showFilters();
    return read();
  };
  const turn = (next) => {
    cursors = next;
    return read();
  };

  const showFilters = () => {
    const counts = itemCounts(step.items).filter(([one]) => one !== "pending");
    // The chosen status stays, so that it can be left, also when no item has it any more.
    if (status && status !== "none" && !counts.some(([one]) => one === status)) counts.push([status, 0]);
    const all = counts.reduce((sum, [, count]) => sum + count, 0);
    const chip = (value, content) => h("button.chip", { type: "button", "aria-pressed": String(status === value),
      "data-key": `items ${stepID} ${value}`, onclick: () => choose(value) }, content);
    const pending = step.items.statuses.pending;
    put(filters, counts.map(([one, count]) => chip(one, badge(one, h("span.num", number(count))))),
      chip("", h("span.badge.tone-quiet", "all ", h("span.num", number(all)))),
      pending && h("span.quiet", `${number(pending)} to come`),
      h("span.quiet", `at most ${number(step.items.maxParallel)} at once, ${number(step.items.tolerated)} may fail`));
  };

  const showPage = () => {
    put(list, page.items.length ? page.items.map(entry)
      : h("li.quiet", status ? `No item is ${stateWord(status)} now.` : "No item has begun."));
    const many = cursors.length > 1 || page.next !== undefined;
    put(pager, many && [
      h("button", { type: "button", disabled: cursors.length === 1, "data-key": `items ${stepID} before`,
        onclick: () => turn(cursors.slice(0, -1)) }, "Items before"),
      h("span.num", `page ${number(cursors.length)}`),
      h("button", { type: "button", disabled: page.next === undefined, "data-key": `items ${stepID} after`,
        onclick: () => turn([...cursors, page.next]) }, "Items after"),
    ]);
  };

  const entry = (item) => {
    const error = item.undo?.error ?? item.error;
    const tries = item.undo ? `${number(item.attempt)} + ${number(item.undo.attempt)} undo` : number(item.attempt);
    return h(`li.item.tone-${stateTone(shownStatus(item))}`, { "data-item": item.id },
      h("div.item-head", stateIcon(shownStatus(item)), h("button.plain.item-key", { type: "button", "data-key": `item ${item.id}`,
        "aria-label": `Details of ${item.id}`, onclick: () => details(item) }, keyOf(stepID, item)), h("span.item-state", stateWord(shownStatus(item)))),
      item.action.kind !== "delay" && item.action.kind !== "signal" && h("div.quiet", "attempts ", tries),
      error && h("div.reason", h("code", error.code), " ", error.message,
        item.error?.outcome === "unknown" && " It may have happened."),
      item.child && childLink(item.child), undoText(item.undo), undoSignalButton(saga(), definition(), item, () => { done(); read(); }),
      item.output !== undefined && h("code.item-output", clip(shownText(write(item.output)))),
      api.may("operate") && item.verbs?.length > 0 && h("div.actions.left", item.verbs.map((verb) => h("button", { type: "button", "data-verb": verb,
        "data-key": `item ${item.id} ${verb}`, "aria-label": `${itemVerb(verb)} ${item.id}`,
        onclick: () => use(verb, item) }, `${itemVerb(verb)} …`))));
  };

  const use = async (verb, item) => {
    if (!(await act(saga(), verb, { step: item.id, item }))) return;
    done();
    read();
  };

  const details = (item) => dialog(`Item ${item.id}`, () => [
    h("p", badge(shownStatus(item)), item.undo && h("span.quiet", ` undo ${stateWord(item.undo.status)}`)),
    undoText(item.undo), item.child && h("p", childLink(item.child)),
    (["http", "kafka", "task", "workflow"].includes(item.action.kind) || item.undo?.attempt > 0) && [h("h3", "Calls"), stepCalls(saga().id, item.id)],
    h("h3", "Details"), payload(item),
  ], { wide: true });

  element.addEventListener("toggle", () => {
    if (!element.open) return;
    if (status !== null) return changed() && read();
    const first = ["failed", "undoFailed"].find((one) => step.items.statuses[one]);
    return choose(first ?? (step.items.count < fewest ? "" : "none"));
  });

  return {
    element,
    /** Shows the counts of the step, and reads the unfolded page again if the saga has changed. */
    show(now) {
      step = now;
      put(summary, h("strong", stepID), " ", badge(step.status), " ", h("span", itemsWords(step.items)));
      if (status === null) return;
      showFilters();
      if (element.open && changed()) soon();
    },
  };
}

// On one item a verb needs no other word.
const itemVerb = (verb) => ({ skip: "Skip", extend: "Extend" })[verb] ?? verbLabel(verb);

const clip = (text) => (text.length > mostOutput ? `${text.slice(0, mostOutput - 1)}…` : text);
