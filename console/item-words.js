// The items of a step with forEach, in words: how many have which status. The engine counts them.
import { number, plural } from "./format.js";
import { stateWord } from "./icons.js";

// What needs a person comes first.
const order = ["failed", "undoFailed", "running", "backingOff", "waiting", "undoing", "succeeded", "skipped", "undone", "pending"];

/** The statuses that some items have, with their counts: [["failed", 2], ["succeeded", 90]]. */
export const itemCounts = (items) => order.filter((status) => items.statuses[status]).map((status) => [status, items.statuses[status]]);

/** `96 items: 1 failed, 5 running, 90 succeeded` */
export function itemsWords(items) {
  const counts = itemCounts(items).map(([status, count]) => `${number(count)} ${stateWord(status)}`);
  return plural(items.count, "item") + (counts.length ? `: ${counts.join(", ")}` : "");
}

/** What a box of the graph has room for: `90 of 96, 1 failed` */
export function itemsDone(items) {
  const of = (...statuses) => statuses.reduce((sum, status) => sum + (items.statuses[status] ?? 0), 0);
  const bad = of("failed", "undoFailed");
  const done = of("undone", "undoing", "undoFailed") ? `${number(of("undone"))} undone of ${number(items.count)}`
    : `${number(of("succeeded", "skipped"))} of ${number(items.count)}`;
  return done + (bad ? `, ${number(bad)} failed` : "");
}
