// One saga: how it stands, what helps, and everything that has ever happened to it.
import * as api from "./api.js";
import { dialog, fact, h, put, say } from "./dom.js";
import { duration, number, shortID, since, time } from "./format.js";
import { gantt } from "./gantt.js";
import { graph } from "./graph.js";
import { badge, icon, stateWord } from "./icons.js";
import { nearest } from "./json.js";
import { gently, listen } from "./live.js";
import { actOf, sagaAfter, spansOf } from "./model.js";
import { act, payload, problemBox, sendSignal, verbLabel, verbsOf } from "./verbs.js";
import { why } from "./why.js";

const dangerous = ["abandon", "cancel", "compensate", "rewind"];

export function sagaPage(main, { id }) {
  let saga = null;
  let events = [];
  let definition = null;
  let line = null;
  // The event after which the saga is shown; null is now.
  let at = null;
  let shown = null;
  const place = (tag = "div", attributes = {}) => h(tag, { ...attributes });
  const head = place("div");
  const sentence = h("p.why.large", { "aria-live": "polite", id: "why" });
  const waiting = h("div");
  const verbs = h("div.actions.left", { role: "group", "aria-label": "What can be done", "data-acts": "1" });
  const drawing = h("div.scroll.drawing", { "data-acts": "1", tabindex: 0, role: "region", "aria-label": "Graph of the steps" });
  const slider = h("input", { type: "range", min: 1, max: 1, value: 1, id: "when" });
  const sliderText = h("output", { for: "when", id: "when-text" });
  const toNow = h("button", { type: "button", onclick: () => { at = null; showMoment(); } }, "Now");
  const chart = h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Timeline" });
  const chartTable = h("div");
  const steps = h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Steps" });
  const acts = h("div");
  const history = h("div.history");
  const values = h("div");
  const section = (title, ...content) => h("section", { "aria-label": title }, h("h2", title), content);
  put(head, h("h1", "Saga ", h("code", shortID(id))), h("p.quiet.placeholder", "Looking …"));
  main.append(head, sentence, waiting, verbs,
    section("Graph", h("div.slider", h("label", { for: "when" }, "As it was after event"), slider, sliderText, toNow), drawing),
    section("Timeline", chart, chartTable),
    h("div.columns", section("Steps", steps), section("Who did what, and why", acts)),
    section("Events", history), section("Input and output", values));

  const showHead = () => put(head,
    h("div.title-row", h("h1", h("a", { href: `#/workflow/${encodeURIComponent(saga.workflow)}/${saga.version}` }, saga.workflow), " ",
      h("code", { title: saga.id }, shortID(saga.id))), h("span", { id: "status" }, badge(saga.status), saga.paused && badge("paused"),
      saga.overdue && badge("overdue"))),
    h("dl.facts.inline",
      fact("Id", h("code.id", saga.id)), fact("Started", time(saga.startedAt), ` by ${saga.startedBy}`),
      saga.endedAt ? fact("Ended", time(saga.endedAt)) : fact("Deadline", time(saga.deadline), " (", since(saga.deadline), ")"),
      saga.idempotencyKey && fact("Key", saga.idempotencyKey), saga.tags?.length > 0 && fact("Tags", saga.tags.join(", "))));

  const showWaiting = async () => put(waiting, (await api.waitingFor(id).catch(() => [])).map((operation) => h("p.notice", icon("clock"),
    ` ${verbLabel(operation.verb)}, asked for by ${operation.by}, waits for another person: `,
    h("a", { href: `#/operation/${operation.id}` }, "agree or decline"), ".")));

  const showVerbs = () => {
    const signals = saga.steps.filter((one) => one.status === "waiting" && one.waitingFor?.kind === "signal");
    put(verbs,
      signals.map((step) => h("button.primary", { type: "button", "data-key": `signal ${step.waitingFor.name}`, onclick: async () => {
        const schema = definition?.steps?.find((one) => one.id === step.id)?.signal?.schema;
        if (await sendSignal(saga, step.waitingFor.name, schema)) soon();
      } }, `Send ${step.waitingFor.name} …`)),
      verbsOf(saga).map(({ verb }, index) => h("button", { type: "button", "data-key": `verb ${verb}`, "data-verb": verb,
        class: dangerous.includes(verb) ? "danger" : index === 0 && !signals.length && saga.status === "stuck" ? "primary" : "",
        onclick: async () => {
          if (await act(saga, verb)) await load();
        } }, `${verbLabel(verb)} …`)));
  };

  const showGraph = () => {
    put(drawing, graph(shown.steps, { room: drawing.clientWidth || 900, stuck: shown.stuck, onpick: (step) => showStep(step.id) }));
  };

  const showStep = (stepID) => {
    const step = shown.steps.find((one) => one.id === stepID);
    const own = events.filter((one) => one.data.step === stepID && one.version <= (at ?? Infinity));
    dialog(`Step ${stepID}`, () => [
      h("p", badge(step.status), step.undo && h("span.quiet", ` undo ${step.undo.status}`)), step.description && h("p", step.description),
      h("h3", "As it stands"), payload(step), h("h3", `Its events (${own.length})`), h("div.history", own.map(eventLine)),
    ], { wide: true });
  };

  const showSteps = () => put(steps, h("table.list", h("thead", h("tr", ["Step", "State", "Attempts", "Took", "Last error"].map((name, index) =>
    h(`th${index === 2 || index === 3 ? ".num" : ""}`, { scope: "col" }, name)))),
  h("tbody", shown.steps.map((step) => h("tr", h("th", { scope: "row" }, step.id, step.pivot && h("span.quiet", " point of no return")),
    h("td", badge(step.status), step.undo && h("div.quiet", `undo: ${stateWord(step.undo.status)}`)),
    h("td.num", step.undo ? `${step.attempt ?? 0} + ${step.undo.attempt} undo` : number(step.attempt ?? 0)),
    h("td.num", step.startedAt && step.endedAt ? duration(Date.parse(step.endedAt) - Date.parse(step.startedAt)) : "–"),
    h("td.reason", errorText(step.undo?.error ?? step.error), step.progress && h("div.quiet", step.progress.message)))))));

  const showActs = () => {
    const all = events.map(actOf).filter(Boolean);
    put(acts, all.length ? h("ol.acts", all.map((one) => h("li", h("strong", one.by ?? "someone"), " ", one.what,
      one.reason && h("q", one.reason), h("span.quiet", " ", time(one.at))))) : h("p.quiet", "Nobody has acted on it."));
  };

  const eventLine = (event) => h("details.event", { "data-key": `event ${event.version}`, class: at === event.version ? "current" : "" },
    h("summary", h("span.num.version", event.version), h("span.event-type", event.type), h("span.event-step", event.data.step ?? event.data.signal ?? ""),
      h("span.quiet.event-more", more(event)), time(event.data.at ?? event.recordedAt, { short: true })),
    payload(event.data), h("p.hint", "Recorded ", time(event.recordedAt), event.hash && [", hash ", h("code", event.hash.slice(0, 16), "…")],
      event.version > 0 && h("button.plain", { type: "button", onclick: () => { at = event.version; showMoment(); slider.focus(); } }, "Show the saga as it was then")));

  const showHistory = () => put(history, events.map(eventLine),
    events.length < saga.lastEvent && h("p.notice", `The first ${number(events.length)} of ${number(saga.lastEvent)} events are shown; `
      + `saga events ${saga.id} shows all.`));

  const showValues = () => put(values, h("div.columns", h("div", h("h3", "Input"), payload(saga.input)),
    h("div", h("h3", "Output"), saga.output !== undefined ? payload(saga.output) : h("p.quiet", "None yet."),
      saga.outputErrors?.length > 0 && h("p.notice", "These members could not be made, and are null:"),
      saga.outputErrors?.length > 0 && h("ul", saga.outputErrors.map((error) => h("li", h("code", error.path || "the whole output"),
        error.expression !== undefined && [" from ", h("code", "${" + error.expression + "}")], " ", errorText(error)))))));

  const showChart = () => {
    const data = line ?? spansOf(saga, events);
    const { drawing: picture, table } = gantt(data, { width: Math.max(300, chart.clientWidth || 900) });
    put(chart, data.spans?.length ? picture : h("p.quiet", "Nothing has been tried yet."));
    put(chartTable, data.spans?.length > 0 && table);
  };

  const showMoment = async () => {
    const last = saga.lastEvent;
    const version = at ?? last;
    slider.max = last;
    slider.value = version;
    slider.setAttribute("aria-valuetext", `event ${version} of ${last}`);
    const event = events.find((one) => one.version === version);
    put(sliderText, `${version} of ${last}`, event && [" · ", event.type, " ", time(event.data.at ?? event.recordedAt, { short: true })]);
    toNow.disabled = at === null;
    drawing.classList.toggle("past", at !== null);
    shown = at === null ? saga : sagaAfter(saga, events, version);
    if (at !== null) {
      const exact = await api.sagaAt(id, version).catch(() => null);
      if (at !== version) return;
      if (exact) shown = exact;
    }
    put(sentence, at === null ? why(saga) : [h("strong", `As it was after event ${version}: `), why({ ...shown, overdue: false })]);
    showGraph();
    showSteps();
  };

  slider.addEventListener("input", () => {
    const event = nearest(slider.value);
    at = event >= saga.lastEvent ? null : event;
    showMoment();
  });

  const load = async () => {
    try {
      const before = saga?.status;
      const fresh = await api.saga(id);
      const known = events.at(-1)?.version ?? 0;
      if (fresh.lastEvent > known) events.push(...(await api.events(id, known)).filter((one) => one.version > known));
      line = await api.timeline(id);
      saga = fresh;
      definition ??= (await api.workflow(saga.workflow, saga.version).catch(() => null))?.definition ?? null;
      if (before && before !== saga.status) say(`The saga is ${stateWord(saga.status)} now.`);
      showHead();
      showVerbs();
      showWaiting();
      await showMoment();
      showChart();
      showActs();
      showHistory();
      showValues();
    } catch (problem) {
      if (saga) put(sentence, problemBox(problem));
      else put(head, h("h1", "Saga ", h("code", shortID(id))), problemBox(problem));
    }
  };

  const soon = gently(load, 200);
  const ends = listen((event) => { if (!event || event.id === id) soon(); });
  const timer = setInterval(() => { if (saga && !saga.endedAt) { showChart(); if (at === null) put(sentence, why(saga)); } }, 2000);
  const size = new ResizeObserver(() => { if (saga) requestAnimationFrame(() => { if (saga && shown) { showGraph(); showChart(); } }); });
  size.observe(main);
  load();
  return { refresh: soon, leave: () => { ends(); clearInterval(timer); size.disconnect(); } };
}

const errorText = (error) => error && h("span", h("code", error.code), " ", error.message);

function more(event) {
  const data = event.data;
  return [data.phase === "undo" ? "undo" : "", data.attempt ? `attempt ${data.attempt}` : "", data.failure?.code ?? data.reason?.code ?? "",
    data.outcome ?? "", data.by ? `by ${data.by}` : "", typeof data.reason === "string" ? `“${data.reason}”` : ""].filter(Boolean).join(" · ");
}
