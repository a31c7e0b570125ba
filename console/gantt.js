// A saga's timeline: attempts, waits, turns, delays, polls and backoffs as bars, what happened at one time as marks.
import { partsOf, placed, scaleOf } from "./breaks.js";
import { h, put, s } from "./dom.js";
import { duration, plural } from "./format.js";

const row = 26;
const left = 150;
const head = 26;

const kinds = {
  attempt: "attempt", wait: "waiting", delay: "delay", poll: "polling", backoff: "backoff", group: "group", items: "items",
  turn: "waiting for its turn",
};

/**
 * A page of the rows of a timeline.
 * @param data {start, end?, spans, marks} as GET /v1/sagas/{id}/timeline gives it
 * @param take returns the rows of the page that is shown, of all rows
 * @param nameOf returns the name of the row of a step: many siblings have one
 */
export function gantt(data, { width = 900, now = Date.now(), take = (rows) => rows, nameOf = (step) => step } = {}) {
  const start = Date.parse(data.start);
  // A span under way lasts until now.
  const acts = data.marks ?? [];
  const times = [...data.spans.flatMap((span) => [span.from, span.to ?? span.from]), ...acts.map((act) => act.at)].map(Date.parse);
  const open = data.end ? Date.parse(data.end) : data.spans.some((span) => !span.to) ? now : start;
  const end = times.reduce((most, one) => Math.max(most, one), Math.max(start + 1, open));
  const room = Math.max(120, width - left - 12);
  const places = placed(partsOf(start, end, times), left, room);
  const x = scaleOf(places);
  const known = new Map();
  for (const span of data.spans) {
    const name = nameOf(span.step);
    const key = `${span.phase} ${name}`;
    if (!known.has(key)) known.set(key, { step: name, phase: span.phase, steps: new Set(), spans: [] });
    known.get(key).steps.add(span.step);
    known.get(key).spans.push(span);
  }
  const rows = take([...known.values()]);
  const tall = head + rows.length * row + 8;
  const breaks = places.filter((one) => one.isBreak);
  const drawing = s("svg.gantt", { viewBox: `0 0 ${width} ${tall}`, width, height: tall, role: "img",
    "aria-label": `Timeline over ${duration(end - start)}${breaks.length ? `, with ${plural(breaks.length, "gap")} in which nothing happened left out` : ""}; the table below has the same data` },
    rows.map((one, index) => s("g", null,
      index % 2 === 0 && s("rect.stripe", { x: 0, y: head + index * row, width, height: row }),
      s("text.row-name", { x: 4, y: head + index * row + 17 },
        s("title", null, one.steps.size > 1 ? `${one.step}, ${plural(one.steps.size, "step")}` : one.step), `${one.phase === "undo" ? "↶ " : ""}${one.step.length > 19 ? `${one.step.slice(0, 18)}…` : one.step}`))),
    axis(places, width, tall, start),
    rows.map((one, index) => bars(one, head + index * row, x, end)),
    breaks.map((one) => zigzag(one, tall)),
    flags(acts, x, tall));
  // The table is made when it is opened.
  const inside = h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Timeline as a table" });
  const fill = (details) => {
    if (details.open && !inside.firstChild) put(inside, tableOf(rows.flatMap((one) => one.spans), start));
  };
  const table = h("details", { "data-key": "gantt-table", ontoggle: (event) => fill(event.target) }, h("summary", "As a table"), inside);
  return { drawing, table };
}

// What went wrong is drawn above the rest.
const layer = (span) => ["failed", "unknown"].includes(span.outcome) ? 2 : span.kind === "attempt" ? 1 : 0;

/** The bars of a row. Of those of one kind that would be drawn on the same place only the first is. */
function bars({ spans, steps }, y, x, end) {
  const drawn = new Map();
  const isFold = steps.size > 1;
  const ordered = isFold ? [...spans].sort((a, b) => layer(a) - layer(b) || Date.parse(a.from) - Date.parse(b.from)) : spans;
  return ordered.map((span) => {
    const from = x(Date.parse(span.from));
    const to = span.to ? x(Date.parse(span.to)) : x(end);
    // The bar of all items of a step has the colour of what came of them.
    const isWork = span.kind === "attempt" || span.kind === "items";
    const kind = isWork ? `attempt ${span.outcome ?? "running"}` : span.kind;
    if (to < (drawn.get(kind) ?? -1) + 1) return null;
    drawn.set(kind, Math.max(from + 3, to));
    return s("g.span", { class: `${kind} ${span.phase}` },
      s("title", null, describe(span)),
      s("rect", { x: from, y: y + 5, width: Math.max(3, to - from), height: row - 10, rx: 3 }),
      !isFold && isWork && to - from > 22 && s("text", { x: from + 5, y: y + 17 }, sign(span)));
  });
}

/** What people did, as flags. */
function flags(acts, x, tall) {
  let last = -Infinity;
  return acts.map((act) => {
    const at = x(Date.parse(act.at));
    if (at < last + 3) return null;
    last = at;
    return s("g.mark", null,
      s("title", null, `${act.by ?? ""} ${act.what}${act.reason ? `: ${act.reason}` : ""}`),
      s("path", { d: `M${at} ${head - 5}V${tall}` }),
      s("path.flag", { d: `M${at} ${head - 5}l-4 -6h8z` }));
  });
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

/**
 * The lines of the axis. In the first part they say how long after the start; behind a break the first says the time of day, and the
 * others how long after that.
 */
function axis(places, width, tall, start) {
  const scaled = places.filter((one) => !one.isBreak);
  const length = scaled.reduce((sum, one) => sum + one.to - one.from, 0);
  const ticks = tickStep(length, scaled.reduce((sum, one) => sum + one.width, 0));
  const date = new Date(start).toDateString();
  // Where the last label ends; labels do not overlap.
  let free = -Infinity;
  const label = (at, text, isFirst, end) => {
    const half = text.length * 4;
    // The last label would be cut at the right; a character is at most 8 wide.
    const isLast = at + (isFirst ? 2 * half : half) > width;
    const [from, to] = isLast ? [width - 2 - 2 * half, width - 2] : isFirst ? [at, at + 2 * half] : [at - half, at + half];
    if (from < free || to > end) return null;
    free = to + 6;
    return s("text.tick-label", { x: isLast ? width - 2 : at, y: 13, "text-anchor": isLast ? "end" : isFirst ? "start" : "middle" }, text);
  };
  return places.map((part, index) => {
    if (part.isBreak) {
      free = Math.max(free, part.x + part.width, part.x + part.width / 2 + breakText(part).length * 4);
      return null;
    }
    const next = places[index + 1];
    // The label of the break behind the part needs its room.
    const end = next ? next.x + next.width / 2 - breakText(next).length * 4 : width;
    const lines = Math.floor((part.to - part.from) / ticks) + 1;
    const began = new Date(part.from);
    const name = index === 0 ? duration(0) : `${began.toDateString() === date ? "" : `${day.format(began)} `}${clock.format(began)}`;
    return Array.from({ length: lines }, (_, count) => {
      const at = part.x + (count * ticks) / Math.max(1, part.to - part.from) * part.width;
      return s("g", null, s("path.tick", { d: `M${at} ${head - 6}V${tall}` }),
        label(at, count === 0 ? name : `${index === 0 ? "" : "+"}${duration(count * ticks)}`, count === 0, end));
    });
  });
}

const breakText = (part) => `⌁ ${duration(part.to - part.from)}`;

/** A break: two zigzag lines, and between them how long nothing happened. */
function zigzag(part, tall) {
  const line = (at) => {
    let path = `M${at} ${head - 6}`;
    for (let y = head - 6, side = 3; y < tall; y += 6, side = -side) path += `L${at + side} ${y + 6}`;
    return path;
  };
  const [from, to] = [part.x + part.width * 0.3, part.x + part.width * 0.7];
  return s("g.break", null, s("title", null, `Nothing happened for ${duration(part.to - part.from)}`),
    s("rect", { x: from, y: head - 6, width: to - from, height: tall - head + 6 }), s("path", { d: line(from) }), s("path", { d: line(to) }),
    s("text.tick-label", { x: part.x + part.width / 2, y: 13, "text-anchor": "middle" }, breakText(part)));
}

const exact = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
const exactTime = (at) => h("time.num", { datetime: at, title: at }, exact.format(new Date(at)));

// The most lines of the table.
const mostLines = 500;

const tableOf = (spans, start) => [h("table",
  h("thead", h("tr", ["Step", "Phase", "Span", "Result", "Began", "Ended", "Starts after", "Duration"].map((name, index) =>
    h(`th${index > 3 ? ".num" : ""}`, { scope: "col" }, name)))),
  h("tbody", spans.slice(0, mostLines).map((span) => h("tr", h("th", { scope: "row" }, span.step), h("td", span.phase),
    h("td", span.kind === "attempt" ? `attempt ${span.attempt}` : kinds[span.kind]),
    h("td", result(span)), h("td.num", exactTime(span.from)), h("td.num", span.to ? exactTime(span.to) : "–"),
    h("td.num", duration(Date.parse(span.from) - start)),
    h("td.num", span.to ? duration(Date.parse(span.to) - Date.parse(span.from)) : "–"))))),
spans.length > mostLines && h("p.hint", `The first ${mostLines} of ${spans.length} spans are shown.`)];

const sign = (span) => ({ succeeded: "✓", failed: "✕", unknown: "?" })[span.outcome] ?? "…";

const words = { over: "ended", cut: "cut off by the end of the saga", notMade: "not made" };
const result = (span) => (span.code === "saga.waitEnded" ? "ended: the saga turned back" : span.outcome ? [words[span.outcome] ?? span.outcome, span.code].filter(Boolean).join(" ") : "under way");

function describe(span) {
  const what = span.kind === "attempt" ? `attempt ${span.attempt}` : kinds[span.kind];
  const length = span.to ? `, ${duration(Date.parse(span.to) - Date.parse(span.from))}` : "";
  return `${span.step}, ${span.phase}: ${what}, ${result(span)}${length}`;
}

function tickStep(ms, room) {
  const most = Math.max(2, Math.floor(room / 110));
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 18e5, 36e5, 72e5,
    216e5, 432e5, 864e5];
  return steps.find((step) => ms / step <= most) ?? Math.ceil(ms / most / 864e5) * 864e5;
}
