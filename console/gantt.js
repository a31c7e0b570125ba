// A saga's timeline: attempts, waits, turns, delays, polls and backoffs as bars, what happened at one time as marks.
import { h, s } from "./dom.js";
import { duration } from "./format.js";

const row = 26;
const left = 150;
const head = 26;

const kinds = {
  attempt: "attempt", wait: "waiting", delay: "delay", poll: "polling", backoff: "backoff", group: "group", items: "items",
  turn: "waiting for its turn",
};

/** @param data {start, end?, spans, marks} as GET /v1/sagas/{id}/timeline gives it. */
export function gantt(data, { width = 900, now = Date.now() } = {}) {
  const start = Date.parse(data.start);
  // A span under way lasts until now.
  const marks = data.marks ?? [];
  const moments = [...data.spans.map((span) => span.to ?? span.from), ...marks.map((mark) => mark.at)].map(Date.parse);
  const open = data.end ? Date.parse(data.end) : data.spans.some((span) => !span.to) ? now : start;
  const end = Math.max(start + 1, open, ...moments);
  const room = Math.max(120, width - left - 12);
  const x = (moment) => left + ((Date.parse(moment) - start) / (end - start)) * room;
  const rows = [];
  for (const span of data.spans) {
    if (!rows.some((one) => one.step === span.step && one.phase === span.phase)) {
      rows.push({ step: span.step, phase: span.phase });
    }
  }
  const tall = head + rows.length * row + 8;
  const y = (span) => head + rows.findIndex((one) => one.step === span.step && one.phase === span.phase) * row;
  const ticks = tickStep(end - start, room);
  const drawing = s("svg.gantt", { viewBox: `0 0 ${width} ${tall}`, width, height: tall, role: "img",
    "aria-label": `Timeline over ${duration(end - start)}; the table below has the same data` },
    Array.from({ length: Math.floor((end - start) / ticks) + 1 }, (_, index) => {
      const at = left + ((index * ticks) / (end - start)) * room;
      const label = duration(index * ticks);
      // The last label would be cut at the right; a character is at most 8 wide.
      const isLast = at + label.length * 4 > width;
      return s("g", null, s("path.tick", { d: `M${at} ${head - 6}V${tall}` }),
        s("text.tick-label", { x: isLast ? width - 2 : at, y: 13, "text-anchor": !index ? "start" : isLast ? "end" : "middle" }, label));
    }),
    rows.map((one, index) => s("g", null,
      index % 2 === 0 && s("rect.stripe", { x: 0, y: head + index * row, width, height: row }),
      s("text.row-name", { x: 4, y: head + index * row + 17 },
        s("title", null, one.step), `${one.phase === "undo" ? "↶ " : ""}${one.step.length > 19 ? `${one.step.slice(0, 18)}…` : one.step}`))),
    data.spans.map((span) => {
      const from = x(span.from);
      const to = span.to ? x(span.to) : x(new Date(end).toISOString());
      const kind = span.kind === "attempt" ? `attempt ${span.outcome ?? "running"}` : span.kind;
      return s("g.span", { class: `${kind} ${span.phase}` },
        s("title", null, describe(span)),
        s("rect", { x: from, y: y(span) + 5, width: Math.max(3, to - from), height: row - 10, rx: 3 }),
        span.kind === "attempt" && to - from > 22 && s("text", { x: from + 5, y: y(span) + 17 }, sign(span)));
    }),
    marks.map((mark) => s("g.mark", null,
      s("title", null, `${mark.by ?? ""} ${mark.what}${mark.reason ? `: ${mark.reason}` : ""}`),
      s("path", { d: `M${x(mark.at)} ${head - 5}V${tall}` }),
      s("path.flag", { d: `M${x(mark.at)} ${head - 5}l-4 -6h8z` }))));
  const table = h("details", { "data-key": "gantt-table" }, h("summary", "As a table"),
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Timeline as a table" }, h("table",
      h("thead", h("tr", ["Step", "Phase", "Span", "Result", "Starts after", "Duration"].map((name, index) =>
        h(`th${index > 3 ? ".num" : ""}`, { scope: "col" }, name)))),
      h("tbody", data.spans.map((span) => h("tr", h("th", { scope: "row" }, span.step), h("td", span.phase),
        h("td", span.kind === "attempt" ? `attempt ${span.attempt}` : kinds[span.kind]),
        h("td", result(span)),
        h("td.num", duration(Date.parse(span.from) - start)),
        h("td.num", span.to ? duration(Date.parse(span.to) - Date.parse(span.from)) : "–")))))));
  return { drawing, table };
}

const sign = (span) => ({ succeeded: "✓", failed: "✕", unknown: "?" })[span.outcome] ?? "…";

const words = { over: "ended", cut: "cut off by the end of the saga", notMade: "not made" };
const result = (span) => (span.outcome ? [words[span.outcome] ?? span.outcome, span.code].filter(Boolean).join(" ") : "under way");

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
