// Why a saga is in its current state. The words are the engine's (`why` in GET /v1/sagas/{id}); the console adds the times.
import { h } from "./dom.js";
import { since } from "./format.js";

const ends = { retrying: "next attempt", waiting: "ends", delayed: "ends", polling: "ends", queued: "ends", running: "times out" };

/** The sentence of the engine, and its times as they are now. */
export function whyText(saga) {
  const { kind, sentence, since: from, until, step, phase } = saga.why;
  const undoWaits = phase === "undo" && saga.steps?.find((one) => one.id === step)?.undo?.waitingFor;
  const word = undoWaits ? "the wait ends" : ends[kind];
  const times = saga.endedAt ? [] : [from && ["began ", since(from)], until && word && [`${word} `, since(until)]].filter(Boolean);
  return [sentence, times.length > 0 && h("span.quiet", { "aria-live": "off" }, " (", times.map((one, index) => [index ? "; " : "", one]), ")")];
}
