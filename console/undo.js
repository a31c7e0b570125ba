// The undo of a step that a person confirms, or that another saga does.
import * as api from "./api.js";
import { h } from "./dom.js";
import { childLink } from "./family.js";
import { plural, since } from "./format.js";
import { stepsOf } from "./order.js";
import { sendSignal, signalBar, signalSchema } from "./verbs.js";

/** What an undo waits for, and the saga that does it: `waits for signal taken-out to confirm the undo, ends in 3 d`. */
export function undoText(undo) {
  if (!undo) return null;
  const { waitingFor, until, child } = undo;
  return [waitingFor && h("div.quiet.undo-wait",
    waitingFor.signal !== undefined ? ["waits for signal ", h("strong", waitingFor.signal), " to confirm the undo"] : "waits for the saga that undoes it",
    until && [", ends ", since(until)], waitingFor.reminders !== undefined && `, ${plural(waitingFor.reminders, "reminder")} so far`),
  child && h("div.undo-child", h("span.quiet", "undone by"), childLink(child))];
}

/**
 * The button for the signal that an undo waits for; null for every other undo.
 * @param done is called when the signal was sent
 * @param before is called before the form opens
 */
export function undoSignalButton(saga, definition, step, done, before = () => {}) {
  const name = step.undo?.waitingFor?.signal;
  if (name === undefined || !api.may("signal", saga.workflow)) return null;
  const send = async () => {
    before();
    if (await sendSignal(saga, name, signalSchema(saga, definition, step.id, name))) done();
  };
  const bar = signalBar(saga, definition, step.id, name);
  return [h("button", { type: "button", "data-key": `undo signal ${step.id}`, disabled: bar !== null, onclick: send }, `Send ${name} …`),
    bar && h("span.quiet", " ", bar)];
}

/** Whether sagas of a workflow start others: to do a step, or to undo one. */
export const startsSagas = (definition) => stepsOf(definition).some((step) => step.workflow || step.compensation?.workflow);
