// The order in which the steps of a workflow are drawn, with its groups.
import { nearest } from "./json.js";

/** The steps of a definition, each group before its members, and the steps that each depends on. */
export function stepsOf(definition) {
  const flat = [];
  const visit = (list, group) => list.forEach((step, index) => {
    flat.push({
      ...step, group, kind: kindOf(step), signs: signsOf(step), undoneBy: undoneBy(step), repeats: repeatsOf(step),
      dependsOn: step.dependsOn ?? (index ? [list[index - 1].id] : []),
    });
    visit(step.steps ?? [], step.id);
  });
  visit(definition?.steps ?? [], undefined);
  return flat;
}

/** The signs of a step beside its kind: it has a condition, it has a compensation, it waits for its turn. */
const signsOf = (step) => [step.when && "when", isUndone(step) && "undo",
  step.concurrency && !step.fail && "turn"].filter(Boolean);

/** How often a step with forEach does its action, for a box and as a whole phrase; undefined for every other step. */
export function repeatsOf({ forEach }) {
  if (!forEach) return undefined;
  const [name, most] = [forEach.as ?? "item", nearest(forEach.maxParallel ?? 10)];
  return { short: `for each ${name}, ${most} at once`, long: `for each ${name} (at most ${most} at once)` };
}

/** A child is undone without a word in the file, unless its step is a pivot. */
const isUndone = (step) => (step.compensation ? step.compensation !== "none" : Boolean(step.workflow) && !step.pivot);

/** What undoes a step when it is not a call: `signal taken-out`. */
const undoneBy = ({ workflow, compensation: undo }) => (workflow ? undefined : undo?.signal ? `signal ${undo.signal.name}`
  : undo?.workflow ? `workflow ${undo.workflow.name}` : undefined);

const kindOf = (step) => (step.http ? `${step.http.service} · ${step.poll ? "poll" : "http"}` : step.kafka ? `${step.kafka.service} · kafka`
  : step.workflow ? `${step.workflow.name} · workflow`
  : step.task ? `task ${step.task.queue}` : step.signal ? `signal ${step.signal.name}` : step.delay ? "delay" : step.fail ? `fail ${step.fail.code}` : step.steps ? "group" : "");

/** The steps drawn directly before each step. A group is drawn before its members; what follows it, after its last ones. */
export function drawnBefore(steps) {
  const byID = new Map(steps.map((step) => [step.id, step]));
  const membersOf = new Map();
  for (const step of steps) if (step.group !== undefined) membersOf.set(step.group, [...(membersOf.get(step.group) ?? []), step]);
  const around = (step) => {
    const groups = new Set();
    for (let id = step.group; id !== undefined && byID.has(id); id = byID.get(id).group) groups.add(id);
    return groups;
  };
  const known = (step) => (step.dependsOn ?? []).filter((id) => byID.has(id));
  // The last members of each group, found once.
  const last = new Map();
  const ends = (id) => {
    if (!last.has(id)) {
      const members = membersOf.get(id) ?? [];
      const followed = new Set(members.flatMap(known));
      const open = members.filter((one) => !followed.has(one.id));
      last.set(id, open.length ? open.flatMap((one) => ends(one.id)) : [id]);
    }
    return last.get(id);
  };
  return new Map(steps.map((step) => {
    const groups = around(step);
    const group = byID.get(step.group);
    const inherited = new Set(group ? known(group) : []);
    const own = known(step).filter((id) => !inherited.has(id) && !groups.has(id));
    const begins = group && !own.some((id) => byID.get(id).group === group.id);
    return [step.id, [...new Set([...(begins ? [group.id] : []), ...own.flatMap(ends)])]];
  }));
}
