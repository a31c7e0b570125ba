// The events of a saga, page by page. A page is read when it is shown: a saga may have thousands of events.
import * as api from "./api.js";
import { h, put } from "./dom.js";
import { number, time } from "./format.js";
import { payload, problemBox } from "./verbs.js";

const size = 50;
// The most pages that are kept.
const mostKept = 100;
// The most events in which those of one step are looked for.
const mostSearched = 5000;

/**
 * @param go shows the saga after an event
 * @returns { element, show(last, at), at(version), ofStep(step, last) }
 */
export function eventList(id, go) {
  const list = h("div.history");
  const pager = h("nav.pager", { "aria-label": "Pages of the events", "data-acts": "1" });
  const trouble = h("div");
  const element = h("div", trouble, list, pager);
  // The pages by their numbers: page 0 has the events 1 to 50.
  const pages = new Map();
  let last = 0;
  let at = null;
  // How many events are before those that the person has chosen; null shows the newest, or the event of the slider.
  let chosen = null;
  let drawn = "";
  let reading = 0;

  const pageOf = (version) => Math.max(0, Math.floor((version - 1) / size));
  const whole = (page) => Math.min(last, (page + 1) * size) - page * size;

  /** The events of a page, read if they are not known. */
  const read = async (page) => {
    const known = pages.get(page) ?? [];
    if (known.length >= whole(page)) return known;
    const more = await api.eventsAfter(id, page * size + known.length, size - known.length);
    const all = [...known, ...more.filter((one) => !known.some((other) => other.version === one.version))];
    pages.set(page, all);
    if (pages.size > mostKept) pages.delete([...pages.keys()].find((one) => one !== page));
    return all;
  };

  const line = (event) => eventLine(event, at === event.version, go);

  /** Events from a place on: they are in one page, or in two. */
  const part = async (from) => {
    const first = Math.floor(from / size);
    const pages = await Promise.all([read(first), from % size > 0 && (first + 1) * size < last ? read(first + 1) : []]);
    return pages.flat().filter((one) => one.version > from && one.version <= from + size);
  };

  const draw = async () => {
    const mine = ++reading;
    const newest = Math.max(0, last - size);
    const from = Math.min(newest, chosen ?? (at === null ? newest : pageOf(at) * size));
    try {
      const events = await part(from);
      if (mine !== reading) return;
      put(trouble);
      const now = `${from} ${events.length} ${at ?? ""}`;
      if (now !== drawn) put(list, events.map(line));
      drawn = now;
      const turn = (next) => () => { chosen = next; draw(); };
      put(pager, last > size && [
        h("button", { type: "button", disabled: from === 0, "data-key": "events before", onclick: turn(Math.max(0, from - size)) }, "← Before"),
        h("span.num", `${number(from + 1)}–${number(Math.min(last, from + size))} of ${number(last)} events`),
        h("button", { type: "button", disabled: from === newest, "data-key": "events after",
          onclick: turn(from + size >= newest ? null : from + size) }, "After →")]);
    } catch (problem) {
      if (mine === reading) put(trouble, problemBox(problem));
    }
  };

  return {
    element,
    /** Shows the newest page, or that of the event after which the saga is shown. */
    show(newest, version) {
      if (version !== at) chosen = null;
      [last, at] = [newest, version];
      return draw();
    },
    /** An event, if it is known. */
    at: (version) => pages.get(pageOf(version))?.find((one) => one.version === version),
    /** The events of one step up to a version, of the newest thousands. */
    async ofStep(step, version) {
      const end = pageOf(version);
      const found = [];
      for (let page = Math.max(0, end - mostSearched / size + 1); page <= end; page++) {
        found.push(...(await read(page)).filter((one) => one.data.step === step && one.version <= version));
      }
      return found;
    },
    line,
  };
}

function eventLine(event, isCurrent, go) {
  const details = h("details.event", { "data-key": `event ${event.version}`, class: isCurrent ? "current" : "" },
    h("summary", h("span.num.version", event.version), h("span.event-type", event.type), h("span.event-step", event.data.step ?? event.data.signal ?? ""),
      h("span.quiet.event-more", more(event)), time(event.data.at ?? event.recordedAt, { short: true })));
  // What is inside is made when it is first opened.
  details.addEventListener("toggle", () => {
    if (!details.open || details.childElementCount > 1) return;
    details.append(payload(event.data), h("p.hint", "Recorded ", time(event.recordedAt), event.hash && [", hash ", h("code", event.hash.slice(0, 16), "…")],
      event.version > 0 && h("button.plain", { type: "button", onclick: () => go(event.version) }, "Show the saga after this event")));
  });
  return details;
}

function more(event) {
  const data = event.data;
  return [data.phase === "undo" ? "undo" : "", data.attempt ? `attempt ${data.attempt}` : "", data.failure?.code ?? data.reason?.code ?? "",
    data.outcome ?? "", data.by ? `by ${data.by}` : "", typeof data.reason === "string" ? `“${data.reason}”` : ""].filter(Boolean).join(" · ");
}
