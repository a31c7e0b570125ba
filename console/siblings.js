// Steps that do the same side by side, as the wells of a plate: one box of the graph, one line of a list.
import { number, plural } from "./format.js";
import { stateWord } from "./icons.js";

/** The fewest siblings that are drawn as one. The command line has the same number. */
export const fewest = 9;
// The most boxes that siblings of one kind become, when their names have several beginnings.
const mostNames = 8;

const signs = {
  succeeded: "✓", running: "▸", backingOff: "↻", waiting: "◌", failed: "✗", skipped: "–", undoing: "↶", undone: "↩", undoFailed: "!",
  ended: "–", pending: "·", completed: "✓", compensating: "↶", compensated: "↩", stuck: "!", abandoned: "×",
};
const urgency = ["undoFailed", "stuck", "failed", "undoing", "compensating", "backingOff", "running", "waiting", "pending"];
/** The statuses of a step that need a person or will soon, the worst first. */
export const troubles = ["undoFailed", "failed", "backingOff"];
/** The statuses of a step that does something now. */
export const activities = ["undoing", "running", "waiting"];

const numbered = (values) => {
  const known = new Map();
  return values.map((value) => {
    if (!known.has(value)) known.set(value, known.size);
    return known.get(value);
  });
};

/**
 * Gives each step a number. Steps have the same number when they do the same kind of action, follow steps of the same kinds, and are
 * followed by steps of the same kinds.
 */
function kindsOf(steps) {
  const index = new Map(steps.map((step, place) => [step.id, place]));
  const before = steps.map((step) => (step.dependsOn ?? []).map((id) => index.get(id)).filter((one) => one !== undefined));
  const after = steps.map(() => []);
  before.forEach((list, place) => list.forEach((one) => after[one].push(place)));
  const groups = steps.map((step) => index.get(step.group));
  // Siblings are equally far from the start. With that, the steps of a chain differ at once.
  const far = [];
  const depth = (place) => (far[place] ??= before[place].reduce((most, one) => Math.max(most, depth(one) + 1), 0));
  let kinds = numbered(steps.map((step, place) =>
    `${step.action?.kind ?? step.kind} ${Boolean(step.pivot)} ${Boolean(step.items ?? step.repeats)} ${depth(place)}`));
  let count = new Set(kinds).size;
  const around = (list) => [...new Set(list.map((one) => kinds[one]))].sort((a, b) => a - b).join();
  // Each round tells more steps apart, so this ends.
  for (;;) {
    const next = numbered(steps.map((_, place) =>
      `${kinds[place]}|${around(before[place])}|${around(after[place])}|${groups[place] === undefined ? "" : kinds[groups[place]]}`));
    const more = new Set(next).size;
    if (more === count) return kinds;
    [kinds, count] = [next, more];
  }
}

/** Splits siblings by the beginnings of their ids, as two plates p1_… and p2_…, when that gives a few large groups. */
function byName(ids) {
  const groups = new Map();
  for (const id of ids) {
    const end = Math.max(id.lastIndexOf("_"), id.lastIndexOf("-"), id.lastIndexOf("."));
    const name = id.slice(0, Math.max(0, end));
    groups.set(name, [...(groups.get(name) ?? []), id]);
  }
  const lists = [...groups.values()];
  return lists.length <= mostNames && lists.every((one) => one.length >= fewest) ? lists : [ids];
}

/** What all ids have in common, with a star for the rest: `w*_read` of w1_read and w2_read. */
export function commonName(ids) {
  const shared = (texts) => texts.reduce((most, text) => {
    let length = 0;
    while (length < most.length && most[length] === text[length]) length += 1;
    return most.slice(0, length);
  });
  const reversed = (text) => [...text].reverse().join("");
  const start = shared(ids);
  const end = reversed(shared(ids.map((id) => reversed(id.slice(start.length)))));
  // A digit that all numbers happen to share is part of the number.
  return `${start}*${/^\d/.test(end) ? end.replace(/^[\p{L}\d]+/u, "") : end}`;
}

/**
 * Which steps are drawn as one: a list of { name, ids }, in the order of the steps. It depends on the workflow alone, so it is made once.
 * A step without siblings is alone.
 */
export function foldPlan(steps) {
  const kinds = kindsOf(steps);
  const members = new Map();
  steps.forEach((step, place) => members.set(kinds[place], [...(members.get(kinds[place]) ?? []), step.id]));
  const lists = [...members.values()].flatMap((ids) => (ids.length < fewest ? ids.map((id) => [id]) : byName(ids)));
  const place = new Map(steps.map((step, index) => [step.id, index]));
  return lists.sort((a, b) => place.get(a[0]) - place.get(b[0])).map((ids) => ({ name: ids.length > 1 ? commonName(ids) : ids[0], ids }));
}

/** The steps of a saga, folded by a plan: [{ name, steps }]. A step that the plan does not know is alone. */
export function folded(steps, plan) {
  const byID = new Map(steps.map((step) => [step.id, step]));
  const known = new Set(plan.flatMap((one) => one.ids));
  return [...plan.map(({ name, ids }) => ({ name, steps: ids.map((id) => byID.get(id)).filter(Boolean) })).filter((one) => one.steps.length > 0),
    ...steps.filter((step) => !known.has(step.id)).map((step) => ({ name: step.id, steps: [step] }))];
}

/** The statuses of some things with their counts, what is done first: [["succeeded", 90], ["failed", 1]]. */
export function countsOf(all) {
  const counts = new Map(Object.keys(signs).map((status) => [status, 0]));
  for (const { status } of all) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].filter(([, count]) => count > 0);
}

/** `90 ✓ 5 ▸ 1 ✗` */
export const countSigns = (counts) => counts.map(([status, count]) => `${number(count)} ${signs[status] ?? "?"}`).join(" ");
/** `90 succeeded, 5 running, 1 failed` */
export const countWords = (counts) => counts.map(([status, count]) => `${number(count)} ${stateWord(status)}`).join(", ");

/** The status that says most about all of them: what went wrong, then what is under way. */
export const worst = (all) => urgency.find((status) => all.some((one) => one.status === status)) ?? all[0]?.status;

/** The nodes of a graph: a step, or a box for many. */
export function foldedNodes(folds) {
  const place = new Map(folds.flatMap(({ name, steps }) => steps.map((step) => [step.id, name])));
  return folds.map(({ name, steps }) => {
    const dependsOn = [...new Set(steps.flatMap((step) => step.dependsOn ?? []).map((id) => place.get(id) ?? id))];
    const group = place.get(steps[0].group);
    if (steps.length === 1) return { ...steps[0], dependsOn, group };
    const hasState = steps[0].status !== undefined;
    const counts = hasState ? countsOf(steps) : [];
    return {
      id: name, dependsOn, group, status: hasState ? worst(steps) : undefined, kind: steps[0].kind, action: steps[0].action, signs: steps[0].signs,
      fold: { ids: steps.map((step) => step.id), short: countSigns(counts), long: countWords(counts) },
    };
  });
}

/** Some steps by name, of many siblings one name: `seal, 90 steps p1_* and 2 more`. */
export function stepList(ids, most = 6) {
  const groups = new Map();
  for (const id of ids) {
    const stem = id.replace(/[A-Za-z]?\d+/g, "*");
    groups.set(stem, [...(groups.get(stem) ?? []), id]);
  }
  const names = [...groups.values()].flatMap((one) => (one.length < fewest ? one.map((id) => [id, 1])
    : [[`${plural(one.length, "step")} ${commonName(one)}`, one.length]]));
  const rest = names.slice(most).reduce((sum, [, count]) => sum + count, 0);
  return names.slice(0, most).map(([name]) => name).join(", ") + (rest ? ` and ${number(rest)} more` : "");
}

/**
 * What to do next, with one option for what helps at many steps: its dialog asks for the step, or takes all.
 * @param options as `why.next` has them
 */
export function foldedOptions(options) {
  const groups = new Map();
  for (const option of options) {
    const key = option.verb === "signal" || !option.step ? Symbol("alone") : `${option.verb} ${option.outcome ?? ""}`;
    groups.set(key, [...(groups.get(key) ?? []), option]);
  }
  return [...groups.values()].flatMap((all) => {
    if (all.length < fewest) return all;
    const [first] = all;
    return [{ ...first, step: undefined, purpose: `${first.purpose.replace(`step ${first.step}`, stepList(all.map((one) => one.step)))} `
      + (first.verb === "retry" ? "Choose one, or take all." : "Choose the step.") }];
  });
}
