// The steps of a workflow as a layered graph, from left to right, or from top to bottom on a narrow page.
import { s } from "./dom.js";
import { plural } from "./format.js";
import { glyph, stateTone, stateWord } from "./icons.js";
import { itemsDone, itemsWords } from "./item-words.js";
import { drawnBefore } from "./order.js";

const width = 188;
const height = 46;
const gapAlong = 36;
const gapAcross = 18;

/** The signs of a step in the graph of a workflow: it has a condition, a compensation, or a turn to wait for. */
const signs = {
  when: { shape: "M6 1L11 6L6 11L1 6z", says: "has a condition" },
  undo: { shape: "M10 1v10L2 6z", says: "can be undone" },
  turn: { shape: "M2 1h8L2 11h8z", says: "waits for its turn" },
};

// The most places that edges have in layers between their ends. Above it, edges that others imply are left out.
const mostBends = 5000;

/** Leaves out what other dependencies imply: of a chain that ends in a step after all of its steps, one edge is enough. */
function needed(before) {
  const above = new Map();
  const allAbove = (id) => {
    if (!above.has(id)) {
      const all = new Set(before.get(id));
      above.set(id, all);
      for (const one of before.get(id)) for (const other of allAbove(one)) all.add(other);
    }
    return above.get(id);
  };
  return new Map([...before].map(([id, list]) => [id, list.filter((one) => !list.some((other) =>
    other !== one && allAbove(other).has(one)))]));
}

/** Gives each step a layer by its longest path. Then a few sweeps order each layer by the places of its neighbours. */
export function layout(steps) {
  let before = drawnBefore(steps);
  const after = new Map(steps.map((step) => [step.id, []]));
  for (const [id, list] of before) for (const one of list) after.get(one).push(id);
  const layerOf = new Map();
  const depth = (id, seen = new Set()) => {
    if (layerOf.has(id)) return layerOf.get(id);
    if (seen.has(id)) return 0;
    seen.add(id);
    const layer = before.get(id).reduce((most, one) => Math.max(most, depth(one, seen) + 1), 0);
    layerOf.set(id, layer);
    return layer;
  };
  for (const step of steps) depth(step.id);
  const layers = [];
  for (const step of steps) (layers[layerOf.get(step.id)] ??= []).push({ id: step.id, step });
  const bends = () => [...before].reduce((sum, [id, list]) =>
    sum + list.reduce((all, from) => all + layerOf.get(id) - layerOf.get(from) - 1, 0), 0);
  if (bends() > mostBends) before = needed(before);
  const isBent = bends() <= mostBends;
  // An edge over several layers has a place in each of them, so that it crosses no step.
  const edges = [];
  for (const [id, list] of before) {
    for (const from of list) {
      const path = [from];
      for (let layer = layerOf.get(from) + 1; isBent && layer < layerOf.get(id); layer++) {
        const bend = `${from} → ${id} @${layer}`;
        layers[layer].push({ id: bend, from: path.at(-1), to: null });
        path.push(bend);
      }
      edges.push({ from, to: id, path: [...path, id] });
    }
  }
  const near = { back: new Map(), forth: new Map() };
  for (const { path } of edges) {
    for (let index = 1; index < path.length; index++) {
      (near.back.get(path[index]) ?? near.back.set(path[index], []).get(path[index])).push(path[index - 1]);
      (near.forth.get(path[index - 1]) ?? near.forth.set(path[index - 1], []).get(path[index - 1])).push(path[index]);
    }
  }
  const place = new Map();
  const note = () => layers.forEach((layer) => layer.forEach((node, index) =>
    place.set(node.id, index - (layer.length - 1) / 2)));
  note();
  for (let sweep = 0; sweep < 6; sweep++) {
    const links = sweep % 2 ? near.forth : near.back;
    const order = sweep % 2 ? [...layers].reverse() : layers;
    for (const layer of order) {
      const middle = (node) => {
        const list = links.get(node.id) ?? [];
        return list.length ? list.reduce((sum, id) => sum + place.get(id), 0) / list.length : place.get(node.id);
      };
      const keys = new Map(layer.map((node) => [node.id, middle(node)]));
      layer.sort((a, b) => keys.get(a.id) - keys.get(b.id));
      layer.forEach((node, index) => place.set(node.id, index - (layer.length - 1) / 2));
    }
  }
  return { layers, edges };
}

const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

const pen = document.createElement("canvas").getContext("2d");

/** A name in a box: smaller if it is a little too long, cut at its end if it is much too long. */
function name(text, x, y) {
  const room = width - x - 8;
  pen.font = `600 13px ${getComputedStyle(document.body).fontFamily}`;
  const wide = (one) => pen.measureText(one).width;
  const size = Math.max(11, Math.min(13, 13 * (room / wide(text))));
  let shown = text;
  while (shown.length > 1 && wide(shown) * size > 13.1 * room) shown = `${shown.replace(/…$/, "").slice(0, -1)}…`;
  return s("text.node-name", { x, y, "font-size": `${size.toFixed(1)}px` }, shown);
}

/**
 * A graph as SVG, of which only what is near the place that a person sees has to be in the page: { svg, width, height, places, show }.
 * @param onpick is called with a step that is selected. The steps of a workflow have no status.
 */
export function drawing(steps, { room = 900, onpick, stuck = [], unfolded } = {}) {
  const vertical = room < 620;
  const { layers, edges } = layout(steps);
  const most = Math.max(1, ...layers.map((layer) => layer.length));
  const across = (vertical ? width : height) + gapAcross;
  const along = (vertical ? height : width) + gapAlong;
  const breadth = most * across;
  const at = new Map();
  layers.forEach((layer, depth) => layer.forEach((node, index) => {
    const side = (breadth - layer.length * across) / 2 + index * across + gapAcross / 2;
    const main = 8 + depth * along;
    at.set(node.id, vertical ? { x: side, y: main } : { x: main, y: side });
  }));
  const total = 16 + layers.length * along - gapAlong;
  const [w, h] = vertical ? [breadth, total] : [total, breadth];
  // A graph that is a little too wide is drawn smaller; a much wider one scrolls.
  const scale = w > room && w * 0.78 <= room ? room / w : 1;
  const blocked = new Set(stuck.map((one) => one.step));
  const isBlocked = (step) => blocked.has(step.id) || Boolean(step.fold?.ids.some((id) => blocked.has(id)));
  const states = new Map(steps.map((step) => [step.id, step.status]));
  const part = (points, make) => {
    const [xs, ys] = [points.map((one) => one.x), points.map((one) => one.y)];
    return { left: Math.min(...xs), right: Math.max(...xs) + width, top: Math.min(...ys), bottom: Math.max(...ys) + height, make, element: null };
  };
  const layersOf = [
    edges.map((edge) => part(edge.path.map((id) => at.get(id)), () => line(edge, at, vertical, (id) => states.get(id)))),
    steps.map((step) => part([at.get(step.id)], () => box(step, at.get(step.id), { onpick, blocked: isBlocked(step), isOpen: unfolded?.has(step.id) }))),
  ].map((parts) => ({ parts, place: s("g") }));
  const svg = s("svg.graph", { viewBox: `0 0 ${w} ${h}`, width: w * scale, height: h * scale, role: "group", "aria-label": "Steps and what they depend on" },
    s("defs", null, ["plain", "done", "back"].map((kind) => s("marker", {
      id: `arrow-${kind}`, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 6, markerHeight: 6, orient: "auto-start-reverse" },
      s("path", { class: `arrow-${kind}`, d: "M0 0.5L8 4L0 7.5z" })))),
    layersOf.map((one) => one.place));
  return {
    svg, width: w, height: h, scale, vertical,
    /** The places of the boxes, by the ids of the steps. */
    places: new Map(steps.map((step) => [step.id, { ...at.get(step.id), width, height }])),
    /** Has in the page what touches this part of the graph. The box that has the focus stays. */
    show(left = -Infinity, top = -Infinity, right = Infinity, bottom = Infinity) {
      for (const { parts, place } of layersOf) {
        let next = null;
        for (const one of [...parts].reverse()) {
          const isNear = one.right >= left && one.left <= right && one.bottom >= top && one.top <= bottom;
          if (isNear) {
            one.element ??= one.make();
            if (!one.element.parentNode) place.insertBefore(one.element, next);
          } else if (one.element?.parentNode && !one.element.contains(document.activeElement)) one.element.remove();
          if (one.element?.parentNode) next = one.element;
        }
      }
    },
  };
}

/** The whole graph as SVG. */
export function graph(steps, options) {
  const { svg, show } = drawing(steps, options);
  show();
  return svg;
}

function line(edge, at, vertical, state) {
  const point = (id, isEnd) => {
    const { x, y } = at.get(id);
    return vertical ? [x + width / 2, isEnd ? y : y + height] : [isEnd ? x : x + width, y + height / 2];
  };
  let path = "";
  for (let index = 1; index < edge.path.length; index++) {
    const [x1, y1] = index === 1 ? point(edge.path[0], false) : bend(edge.path[index - 1], at, vertical);
    const [x2, y2] = index === edge.path.length - 1 ? point(edge.path[index], true) : bend(edge.path[index], at, vertical);
    const middle = vertical ? `C${x1} ${(y1 + y2) / 2} ${x2} ${(y1 + y2) / 2}` : `C${(x1 + x2) / 2} ${y1} ${(x1 + x2) / 2} ${y2}`;
    path += `${path ? "L" : "M"}${x1} ${y1}${middle} ${x2} ${y2}`;
  }
  // The arrow of an edge points backwards if the step at its end is being undone, or is undone.
  const back = ["undoing", "undone", "undoFailed"];
  const isBack = back.includes(state(edge.to));
  const isDone = ["succeeded", "skipped"].includes(state(edge.from)) && state(edge.to) && state(edge.to) !== "pending";
  const kind = isBack ? "back" : isDone ? "done" : "plain";
  return s("path.edge", {
    d: path, class: `edge-${kind}`, fill: "none", [isBack ? "marker-start" : "marker-end"]: `url(#arrow-${kind})` });
}

function bend(id, at, vertical) {
  const { x, y } = at.get(id);
  return vertical ? [x + width / 2, y + height / 2] : [x + width / 2, y + height / 2];
}

function box(step, { x, y }, { onpick, blocked, isOpen }) {
  const hasState = step.status !== undefined;
  const undo = step.undo ? `, undo ${stateWord(step.undo.status)}${step.undo.attempt > 0 ? `, attempt ${step.undo.attempt}` : ""}` : "";
  const isGroup = step.kind === "group" || step.action?.kind === "group";
  // A box for many siblings says how many there are.
  const words = step.fold ? plural(step.fold.ids.length, "step") : hasState ? `${isGroup ? "group · " : ""}${stateWord(step.status)}` : step.kind ?? "";
  const attempts = step.undo?.waitingFor ? "undo waits" : step.undo?.attempt > 0 ? `undo ×${step.undo.attempt}` : step.attempt > 1 ? `×${step.attempt}` : "";
  const pick = onpick && (() => onpick(step));
  const signed = Object.keys(signs).filter((one) => step.signs?.includes(one));
  // A step with forEach, and many siblings, are a stack of boxes with three lines.
  const isStack = Boolean(step.repeats || step.fold);
  const more = step.fold ? step.fold.short || step.kind : step.items ? itemsDone(step.items) : step.repeats?.short;
  const lines = isStack ? { name: 15, kind: 28, signs: 18 } : { name: 20, kind: 36, signs: 26 };
  const repeats = step.fold?.long ? `: ${step.fold.long}` : step.repeats ? `, ${step.repeats.long}${step.items ? `, ${itemsWords(step.items)}` : ""}` : "";
  return s("g.node", {
    class: `tone-${hasState ? stateTone(step.status) : "quiet"}${blocked ? " blocked" : ""}${isGroup ? " is-group" : ""}${isStack ? " is-stack" : ""}`,
    transform: `translate(${x} ${y})`, tabindex: pick ? 0 : null, role: pick ? "button" : "img",
    "data-key": `node ${step.id}`, "aria-expanded": step.fold && pick ? String(Boolean(isOpen)) : null,
    "aria-label": `${step.id}: ${words}${undo}${repeats}${step.pivot ? ", pivot" : ""}${signed.map((one) => `, ${one === "undo" && step.undoneBy ? `is undone by ${step.undoneBy}` : signs[one].says}`).join("")}`,
    onclick: pick, onkeydown: pick && ((event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        pick();
      }
    }) },
    s("title", null, `${step.id}${step.description ? `: ${step.description}` : ""}`),
    isStack && [6, 3].map((offset) => s("rect.box", { width, height, rx: 8, transform: `translate(${offset} ${offset})` })),
    s("rect.box", { width, height, rx: 8 }),
    step.pivot && s("path.pivot", { d: `M3 4v${height - 8}M${width - 3} 4v${height - 8}` }),
    hasState && s("g.glyph", null, glyph(step.status, 10, height / 2 - 8)),
    name(step.id, hasState ? 34 : 12, lines.name),
    s("text.node-state", { x: hasState ? 34 : 12, y: lines.kind }, clip([words, attempts].filter(Boolean).join(" · "), 24 - 3 * signed.length)),
    isStack && s("text.node-more", { x: hasState ? 34 : 12, y: 40 }, clip(more ?? "", hasState ? 26 : 30)),
    signed.map((one, index) => s(`path.sign.sign-${one}`, {
      d: signs[one].shape, transform: `translate(${width - 6 - 16 * (signed.length - index)} ${lines.signs})` })));
}
