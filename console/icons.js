// Statuses by colour and by shape: no two have the same shape.
import { h, s } from "./dom.js";

const shapes = {
  // A triangle goes forward, or back.
  play: () => s("path", { d: "M4 2.5v11l9-5.5z", fill: "currentColor" }),
  back: () => s("path", { d: "M12 2.5v11L3 8z", fill: "currentColor" }),
  // An octagon stops.
  stop: () => [
    s("path", { d: "M5.2 1.2h5.6l4 4v5.6l-4 4H5.2l-4-4V5.2z", fill: "currentColor" }),
    s("path.cut", { d: "M8 4v5M8 11v1.6", "stroke-width": 2 }),
  ],
  cross: () => [
    s("rect", { x: 1.5, y: 1.5, width: 13, height: 13, rx: 2, fill: "currentColor" }),
    s("path.cut", { d: "M5 5l6 6M11 5l-6 6", "stroke-width": 2 }),
  ],
  check: () => [
    s("circle", { cx: 8, cy: 8, r: 7, fill: "currentColor" }),
    s("path.cut", { d: "M4.5 8.3l2.4 2.4 4.6-5", "stroke-width": 2 }),
  ],
  undone: () => [
    s("circle", { cx: 8, cy: 8, r: 6.2, fill: "none", stroke: "currentColor", "stroke-width": 1.6 }),
    s("path", { d: "M10.4 4.6v6.8L4.6 8z", fill: "currentColor" }),
  ],
  ring: () => s("circle", {
    cx: 8, cy: 8, r: 6, fill: "none", stroke: "currentColor", "stroke-width": 1.6, "stroke-dasharray": "2.4 2.3" }),
  dash: () => [
    s("circle", { cx: 8, cy: 8, r: 6.2, fill: "none", stroke: "currentColor", "stroke-width": 1.4 }),
    s("path", { d: "M4.8 8h6.4", stroke: "currentColor", "stroke-width": 2 }),
  ],
  over: () => [
    s("circle", { cx: 8, cy: 8, r: 6.2, fill: "none", stroke: "currentColor", "stroke-width": 1.4 }),
    s("rect", { x: 5.6, y: 5.6, width: 4.8, height: 4.8, fill: "currentColor" }),
  ],
  bars: () => s("path", { d: "M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z", fill: "currentColor" }),
  clock: () => [
    s("circle", { cx: 8, cy: 8, r: 6.4, fill: "none", stroke: "currentColor", "stroke-width": 1.7 }),
    s("path", { d: "M8 4.2V8l2.8 1.8", fill: "none", stroke: "currentColor", "stroke-width": 1.7 }),
  ],
  glass: () => s("path", { d: "M3 1.5h10L8.8 8 13 14.5H3L7.2 8z", fill: "currentColor" }),
  diamond: () => [
    s("path", { d: "M8 .8L15.2 8 8 15.2.8 8z", fill: "currentColor" }),
    s("path.cut", { d: "M8 4.6V8.6M8 10.4v1.3", "stroke-width": 1.8 }),
  ],
};

const looks = {
  running: ["play", "run"], paused: ["bars", "quiet"], compensating: ["back", "undo"], stuck: ["stop", "bad"],
  completed: ["check", "good"], compensated: ["undone", "undo"], abandoned: ["cross", "quiet"],
  held: ["bars", "bad"], overdue: ["diamond", "late"], retrying: ["glass", "late"],
  pending: ["ring", "quiet"], backingOff: ["glass", "late"], waiting: ["clock", "wait"], succeeded: ["check", "good"],
  failed: ["cross", "bad"], skipped: ["dash", "quiet"], undoing: ["back", "undo"], undone: ["undone", "undo"],
  undoFailed: ["stop", "bad"],
  // A wait that the saga ended when it turned back: not a failure of its own.
  ended: ["over", "quiet"],
  // Of operations.
  finished: ["check", "good"], stopped: ["cross", "quiet"], declined: ["dash", "quiet"],
};

const words = {
  held: "held back", backingOff: "backing off", undoFailed: "undo failed", retrying: "being tried again",
};

/** The status of a step or an item as it is shown. */
export const shownStatus = ({ status, error }) => (status === "failed" && error?.code === "saga.waitEnded" ? "ended" : status);

export const stateWord = (state) => words[state] ?? state;
export const stateTone = (state) => looks[state]?.[1] ?? "quiet";
export const stateIcon = (state) => icon(looks[state]?.[0] ?? "dash");

export function icon(name) {
  return s("svg.icon", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", focusable: "false" },
    shapes[name]());
}

/** The shape of a status alone, for a place in a larger drawing. */
export function glyph(state, x, y) {
  return s("g", { transform: `translate(${x} ${y})` }, shapes[looks[state]?.[0] ?? "dash"]());
}

/** An icon and a word in the colour of a tone. */
export const sign = (tone, shape, word) => h("span.badge", { class: `tone-${tone}` }, icon(shape), h("span", word));

/** A status as icon and word. */
export function badge(state, extra) {
  return h("span.badge", { class: `tone-${stateTone(state)}` }, stateIcon(state), h("span", stateWord(state)), extra);
}
