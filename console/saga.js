// One saga: why it is in its current state, what to do next, and everything that has happened to it.
import * as api from "./api.js";
import { stepCalls } from "./calls.js";
import { dialog, fact, h, put, say } from "./dom.js";
import { childLink, parentLink, showChildren } from "./family.js";
import { duration, number, shortID, since, time, versionName } from "./format.js";
import { gantt } from "./gantt.js";
import { graph } from "./graph.js";
import { badge, icon, stateWord } from "./icons.js";
import { itemsWords } from "./item-words.js";
import { itemList } from "./items.js";
import { nearest } from "./json.js";
import { labelChips } from "./labels.js";
import { gently, later, listen } from "./live.js";
import { stepsOf } from "./order.js";
import { taskText } from "./tasks.js";
import { startsSagas, undoSignalButton, undoText } from "./undo.js";
import { nextSteps, payload, problemBox, verbButtons, verbLabel } from "./verbs.js";
import { whyText } from "./why.js";

// How many past states of the saga are kept: each is read once.
const mostPast = 100;
// The engine computes a timeline from the whole history. The page waits this many times as long as the last reading took.
const timelineRest = 19;

export function sagaPage(main, { id }) {
  let saga = null;
  let events = [];
  let definition = null;
  let line = null;
  // The event after which the saga is shown; null is now.
  let at = null;
  let shown = null;
  const past = new Map();
  // The items of the steps with forEach, by the steps' ids, and how often each step of the workflow does its action.
  const itemLists = new Map();
  let repeats = new Map();
  const place = (tag = "div", attributes = {}) => h(tag, { ...attributes });
  const head = place("div");
  const sentence = h("p.why.large", { "aria-live": "polite", id: "why" });
  const waiting = h("div");
  const next = h("div", { "data-acts": "1" });
  const verbs = h("div.actions.left", { role: "group", "aria-label": "Other verbs", "data-acts": "1" });
  const drawing = h("div.scroll.drawing", { "data-acts": "1", tabindex: 0, role: "region", "aria-label": "Graph of the steps" });
  const slider = h("input", { type: "range", min: 1, max: 1, value: 1, id: "when" });
  const sliderText = h("output", { for: "when", id: "when-text" });
  const toNow = h("button", { type: "button", onclick: () => { at = null; showMoment(); } }, "Now");
  const chart = h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Timeline" });
  const chartTable = h("div");
  const steps = h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Steps" });
  const acts = h("div");
  const history = h("div.history");
  const historyRest = h("div");
  let historyShown = "";
  const values = h("div");
  const children = h("div", { "data-acts": "1" });
  const section = (title, ...content) => h("section", { "aria-label": title }, h("h2", title), content);
  const items = section("Items");
  items.hidden = true;
  put(head, h("h1", "Saga ", h("code", shortID(id))), h("p.quiet.placeholder", "Loading …"));
  main.append(head, sentence, waiting, next, verbs,
    section("Graph", h("div.slider", h("label", { for: "when" }, "As it was after event"), slider, sliderText, toNow), drawing),
    items,
    section("Timeline", chart, chartTable),
    h("div.columns", section("Steps", steps), section("Who did what, and why", acts)),
    children, section("Events", history, historyRest), section("Input and output", values));

  const workflowLink = () => h("a", { href: `#/workflow/${encodeURIComponent(saga.workflow)}/${saga.version}` }, saga.workflow);

  const showHead = () => put(head,
    h("div.title-row", h("h1", saga.title ?? workflowLink(), " ",
      h("code", { class: saga.title ? "small" : null, title: saga.id }, shortID(saga.id))), h("span", { id: "status" }, badge(saga.status), saga.paused && badge("paused"),
      saga.overdue && badge("overdue"))),
    labelChips(saga),
    h("dl.facts.inline",
      (saga.title || saga.draft) && fact("Workflow", workflowLink(), ` ${saga.draft ? versionName(saga.version) : `version ${saga.version}`}`),
      fact("Id", h("code.id", saga.id)), fact("Started", time(saga.startedAt), ` by ${saga.startedBy}`),
      saga.endedAt ? fact("Ended", time(saga.endedAt)) : fact("Deadline", time(saga.deadline), " (", since(saga.deadline), ")"),
      saga.turn && fact("Turn", turnText(saga.turn)), saga.parent && fact("Child of", parentLink(saga.parent)), saga.key && fact("Key", saga.key), saga.tags?.length > 0 && fact("Tags", saga.tags.join(", "))));

  const showWaiting = () => api.waitingFor(id).then((all) => put(waiting, all.map((operation) => h("p.notice", icon("clock"),
    ` ${verbLabel(operation.verb)}, requested by ${operation.by}, waits for a second person: `,
    h("a", { href: `#/operation/${operation.id}` }, "approve or decline"), "."))), (problem) => put(waiting, problemBox(problem)));

  const showVerbs = () => {
    const steps = nextSteps(saga, definition, soon);
    put(next, steps.length > 0 && [h("h2.next-title", "What to do next"), h("ul.next", steps)]);
    put(verbs, verbButtons(saga, soon, new Set(saga.why.next.map((one) => one.verb))));
  };

  const showGraph = () => {
    put(drawing, graph(shown.steps.map((step) => ({ ...step, repeats: repeats.get(step.id) })), { room: drawing.clientWidth || 900, stuck: shown.stuck, onpick: (step) => showStep(step.id) }));
  };

  const showStep = (stepID) => {
    const step = shown.steps.find((one) => one.id === stepID);
    const own = events.filter((one) => one.data.step === stepID && one.version <= (at ?? Infinity));
    dialog(`Step ${stepID}`, (close) => [
      h("p", badge(step.status), step.undo && h("span.quiet", ` undo ${stateWord(step.undo.status)}`)), step.description && h("p", step.description),
      undoText(step.undo), at === null && undoSignalButton(saga, definition, step, soon, close),
      step.items ? h("p", itemsWords(step.items), ". The section “Items” of the page lists them.")
        : (["http", "kafka", "task", "workflow"].includes(step.action.kind) || step.undo?.attempt > 0) && [h("h3", "Calls"), stepCalls(id, stepID)],
      h("h3", "Details"), payload(step), h("h3", `Events (${own.length})`), h("div.history", own.map(eventLine)),
    ], { wide: true });
  };

  const showSteps = () => put(steps, h("table.list", h("thead", h("tr", ["Step", "Status", "Attempts", "Duration", "Last error"].map((name, index) =>
    h(`th${index === 2 || index === 3 ? ".num" : ""}`, { scope: "col" }, name)))),
  h("tbody", shown.steps.map((step) => h("tr", h("th", { scope: "row" }, step.id, step.pivot && h("span.quiet", " pivot")),
    h("td", badge(step.status), step.undo && h("div.quiet", `undo: ${stateWord(step.undo.status)}`)),
    h("td.num", step.items ? "–" : step.undo ? `${step.attempt ?? 0} + ${step.undo.attempt} undo` : number(step.attempt ?? 0)),
    h("td.num", step.startedAt && step.endedAt ? duration(Date.parse(step.endedAt) - Date.parse(step.startedAt)) : "–"),
    h("td.reason", errorText(step.undo?.error ?? step.error), step.items && h("div.quiet", itemsWords(step.items)), step.progress && h("div.quiet", step.progress.message), pollText(step.poll), turnText(step.turn), taskText(step.task), step.child && childLink(step.child), undoText(step.undo)))))));

  const showActs = () => {
    const all = line.marks.filter((mark) => mark.by);
    put(acts, all.length ? h("ol.acts", all.map((one) => h("li", h("strong", one.by), ": ", one.what,
      one.reason && h("q", one.reason), h("span.quiet", " ", time(one.at))))) : h("p.quiet", "No person has acted on this saga."));
  };

  const eventLine = (event) => h("details.event", { "data-key": `event ${event.version}`, class: at === event.version ? "current" : "" },
    h("summary", h("span.num.version", event.version), h("span.event-type", event.type), h("span.event-step", event.data.step ?? event.data.signal ?? ""),
      h("span.quiet.event-more", more(event)), time(event.data.at ?? event.recordedAt, { short: true })),
    payload(event.data), h("p.hint", "Recorded ", time(event.recordedAt), event.hash && [", hash ", h("code", event.hash.slice(0, 16), "…")],
      event.version > 0 && h("button.plain", { type: "button", onclick: () => { at = event.version; showMoment(); slider.focus(); } }, "Show the saga after this event")));

  const showHistory = () => {
    put(historyRest, events.length < saga.lastEvent && h("p.notice", `This page shows the first ${number(events.length)} of ${number(saga.lastEvent)} events. `
      + `“saga events ${saga.id}” shows all.`));
    // Thousands of lines are drawn again only when there are more of them.
    const now = `${events.length} ${at ?? ""}`;
    if (now === historyShown) return;
    historyShown = now;
    put(history, events.map(eventLine));
  };

  const showItems = () => {
    for (const step of saga.steps.filter((one) => one.items)) {
      if (!itemLists.has(step.id)) {
        const list = itemList(() => saga, step.id, soon, () => definition);
        itemLists.set(step.id, list);
        items.append(list.element);
      }
      itemLists.get(step.id).show(step);
    }
    items.hidden = itemLists.size === 0;
  };

  const showValues = () => put(values, h("div.columns", h("div", h("h3", "Input"), payload(saga.input)),
    h("div", h("h3", "Output"), saga.output !== undefined ? payload(saga.output) : h("p.quiet", "None yet."),
      saga.outputErrors?.length > 0 && h("p.notice", "These members are null, because their expressions failed:"),
      saga.outputErrors?.length > 0 && h("ul", saga.outputErrors.map((error) => h("li", h("code", error.path || "the whole output"),
        error.expression !== undefined && [" from ", h("code", "${" + error.expression + "}")], " ", errorText(error)))))));

  const showChart = () => {
    const { drawing: picture, table } = gantt(line, { width: Math.max(300, chart.clientWidth || 900) });
    put(chart, line.spans.length ? picture : h("p.quiet", "No attempt yet."));
    put(chartTable, line.spans.length > 0 && table);
  };

  /** Shows where the slider is, and the saga there: at once when it is known, else once the slider rests. */
  const showMoment = () => {
    const last = saga.lastEvent;
    const version = at ?? last;
    slider.max = last;
    slider.value = version;
    slider.setAttribute("aria-valuetext", `event ${version} of ${last}`);
    const event = events.find((one) => one.version === version);
    put(sliderText, `${version} of ${last}`, event && [" · ", event.type, " ", time(event.data.at ?? event.recordedAt, { short: true })]);
    toNow.disabled = at === null;
    drawing.classList.toggle("past", at !== null);
    const known = at === null ? saga : past.get(at);
    drawing.setAttribute("aria-busy", String(!known));
    if (!known) return readPast();
    shown = known;
    put(sentence, at === null ? whyText(saga) : [h("strong", `As it was after event ${at}: `), known.why.sentence]);
    showGraph();
    return showSteps();
  };

  // A saga as it was never changes. An answer that comes after the slider has moved on is kept, and not shown.
  const readPast = later(async () => {
    const version = at;
    if (version === null || past.has(version)) return;
    try {
      const answer = await api.sagaAt(id, version);
      if (past.size >= mostPast) past.delete(past.keys().next().value);
      past.set(version, answer);
      if (at === version) showMoment();
    } catch (problem) {
      if (at === version) put(sentence, problemBox(problem));
    }
  }, 150);

  slider.addEventListener("input", () => {
    const event = nearest(slider.value);
    at = event >= saga.lastEvent ? null : event;
    showMoment();
  });

  let nextTimeline = 0;
  let laterTimeline = null;
  const readTimeline = async () => {
    const now = performance.now();
    if (line && now < nextTimeline) {
      laterTimeline ??= setTimeout(() => { laterTimeline = null; soon(); }, nextTimeline - now);
      return line;
    }
    const spans = await api.timeline(id);
    nextTimeline = performance.now() + timelineRest * (performance.now() - now);
    return spans;
  };

  const load = async () => {
    try {
      const before = saga?.status;
      const [fresh, spans] = await Promise.all([api.saga(id), readTimeline()]);
      // A newer answer may have come first.
      if (saga && saga.lastEvent > fresh.lastEvent) return;
      const known = () => events.at(-1)?.version ?? 0;
      if (fresh.lastEvent > known() && events.length < api.mostEvents) {
        const more = await api.events(id, known(), api.mostEvents - events.length);
        events.push(...more.filter((one) => one.version > known()));
      }
      // An operator may have moved the saga to another version.
      if (!saga || String(saga.version) !== String(fresh.version)) {
        definition = (await api.workflow(fresh.workflow, fresh.version)).definition;
        repeats = new Map(stepsOf(definition).map((step) => [step.id, step.repeats]));
      }
      saga = fresh;
      line = spans;
      if (before && before !== saga.status) say(`The saga is now ${stateWord(saga.status)}.`);
      showHead();
      showVerbs();
      showWaiting();
      showMoment();
      showItems();
      showChart();
      showActs();
      showHistory();
      showValues();
      if (startsSagas(definition)) showChildren(children, id);
    } catch (problem) {
      if (saga) put(sentence, problemBox(problem));
      else put(head, h("h1", "Saga ", h("code", shortID(id))), problemBox(problem));
    }
  };

  const soon = gently(load, 200);
  const soonChildren = gently(() => showChildren(children, id), 1000);
  const ends = listen((event) => {
    if (!event || event.id === id) soon();
    else if (children.querySelector(`a[href="#/saga/${event.id}"]`)) soonChildren();
  });
  const timer = setInterval(() => { if (saga && !saga.endedAt) showChart(); }, 2000);
  const size = new ResizeObserver(() => { if (saga) requestAnimationFrame(() => { if (saga && shown) { showGraph(); showChart(); } }); });
  size.observe(main);
  load();
  return { refresh: soon, leave: () => { at = null; ends(); clearInterval(timer); clearTimeout(laterTimeline); size.disconnect(); } };
}

/** What a polling step does: `asks every 5 min, last answer running, next look in 3 min`. */
function pollText(poll) {
  if (poll?.look === undefined) return null;
  // The looks follow a timetable, so the next one is known also when the page was read before the last one.
  const every = nearest(poll.everyMs);
  let next = poll.nextLook && Date.parse(poll.nextLook);
  if (next < Date.now()) next += Math.ceil((Date.now() - next) / every) * every;
  return h("div.quiet.poll", `asks every ${duration(every)}`,
    poll.answer && [", last answer ", h("strong", poll.answer.shown ?? String(poll.answer.status)), " since ", since(poll.answer.since)],
    next && [", next look ", since(new Date(next).toISOString())]);
}

/** The turn that a step, or the saga itself, waits for or holds: `waits for its turn of HiSeq-1, 2 before it, held by …`. */
function turnText(turn) {
  if (!turn) return null;
  const holders = turn.holders.slice(0, 3).map((one) => h("a", { href: `#/saga/${one.saga}` }, h("code", shortID(one.saga)), one.step && ` ${one.step}`));
  return h("div.quiet.turn", turn.takenAt ? ["holds its turn of ", h("strong", turn.key), ", ", since(turn.takenAt)]
    : [`waits for ${turn.phase === "undo" ? "the turn of its undo" : "its turn"} of `, h("strong", turn.key),
      turn.ahead !== undefined && `, ${turn.ahead} before it`,
      holders.length > 0 && [", held by ", holders.map((one, index) => [index ? ", " : "", one]),
        turn.holders.length > holders.length && " and others"]]);
}

const errorText = (error) => error && h("span", h("code", error.code), " ", error.message);

function more(event) {
  const data = event.data;
  return [data.phase === "undo" ? "undo" : "", data.attempt ? `attempt ${data.attempt}` : "", data.failure?.code ?? data.reason?.code ?? "",
    data.outcome ?? "", data.by ? `by ${data.by}` : "", typeof data.reason === "string" ? `“${data.reason}”` : ""].filter(Boolean).join(" · ");
}
