// One saga: why it is in its current state, what to do next, and everything that has happened to it.
import * as api from "./api.js";
import { stepCalls } from "./calls.js";
import { copyButton } from "./copy.js";
import { dialog, fact, h, isFresh, put, say } from "./dom.js";
import { childLink, parentLink, showChildren } from "./family.js";
import { duration, number, plural, shortID, since, time, versionName } from "./format.js";
import { gantt } from "./gantt.js";
import { graphBox } from "./graph-box.js";
import { eventList } from "./history.js";
import { badge, icon, shownStatus, stateWord } from "./icons.js";
import { itemsWords } from "./item-words.js";
import { itemList } from "./items.js";
import { nearest } from "./json.js";
import { labelChips } from "./labels.js";
import { gently, later, listen } from "./live.js";
import { stepsOf } from "./order.js";
import { pagesOf } from "./pager.js";
import { plate, plateSize } from "./plate.js";
import { activities, countSigns, countsOf, countWords, folded, foldedNodes, foldedOptions, foldPlan, troubles, worst } from "./siblings.js";
import { taskText } from "./tasks.js";
import { startsSagas, undoSignalButton, undoText } from "./undo.js";
import { failed, nextSteps, payload, problemBox, verbButtons, verbLabel } from "./verbs.js";
import { whyText } from "./why.js";

// How many past states of the saga are kept: each is read once.
const mostPast = 100;
// How many lines of a list are shown.
const pageSize = 40;
const mostRows = 30;
// The most steps of a folded line that have a line of their own because of their trouble.
const mostTroubled = 5;
// The most buttons of what to do next, until the person asks for all.
const mostNext = 10;
const mostActs = 50;
// The engine computes a timeline from the whole history. The page waits this many times as long as the last reading took.
const timelineRest = 19;

const asShown = (steps) => steps.map((step) => ({ ...step, status: shownStatus(step) }));

export function sagaPage(main, { id, kept }) {
  let saga = null;
  let definition = null;
  let line = null;
  // The event after which the saga is shown; null is now.
  let at = kept?.at ?? null;
  let shown = null;
  const past = new Map();
  // The items of the steps with forEach, by the steps' ids, and how often each step of the workflow does its action.
  const itemLists = new Map();
  let repeats = new Map();
  // Which steps are drawn as one, and the names of those that are unfolded below the graph, and in the list of steps.
  let plan = [];
  const unfolded = new Set();
  const listed = new Set();
  const open = { next: false, acts: false };
  const place = (tag = "div", attributes = {}) => h(tag, { ...attributes });
  const head = place("div");
  const sentence = h("p.why.large", { "aria-live": "polite", id: "why" });
  const waiting = h("div");
  const next = h("div", { "data-acts": "1" });
  const verbs = h("div.actions.left", { role: "group", "aria-label": "Other verbs", "data-acts": "1" });
  const box = graphBox({ onpick: (step) => (step.fold ? unfold(step.id) : showStep(step.id)) });
  const plates = h("div", { "data-acts": "1" });
  const slider = h("input", { type: "range", min: 1, max: 1, value: 1, id: "when" });
  const sliderText = h("output", { for: "when", id: "when-text" });
  const toNow = h("button", { type: "button", onclick: () => { at = null; showMoment(); } }, "Now");
  const chart = h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Bars over time" });
  const chartTable = h("div");
  const chartRows = pagesOf("rows", mostRows, () => showChart());
  const steps = h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Table of the steps", "data-acts": "1" });
  const stepPages = pagesOf("steps", pageSize, () => showSteps());
  const acts = h("div");
  const history = eventList(id, (version) => { at = version; showMoment(); slider.focus(); });
  const values = h("div");
  const children = h("div", { "data-acts": "1" });
  const section = (title, ...content) => h("section", { "aria-label": title }, h("h2", title), content);
  const items = section("Items");
  items.hidden = true;
  put(head, h("h1", "Saga ", h("code", shortID(id))), h("p.quiet.placeholder", "Loading …"));
  // A saga that cannot be read has none of this.
  const rest = h("div", { hidden: true }, waiting, next, verbs,
    section("Graph", h("div.slider", h("label", { for: "when" }, "As it was after event"), slider, sliderText, toNow), box.element, plates),
    items,
    section("Timeline", chart, chartRows.element, chartTable),
    h("div.columns", section("Steps", steps, stepPages.element), section("Who did what, and why", acts)),
    children, section("Events", history.element), section("Input and output", values));
  main.append(head, sentence, rest);

  const workflowLink = () => h("a", { href: `#/workflow/${encodeURIComponent(saga.workflow)}/${saga.version}` }, saga.workflow);

  const showHead = () => put(head,
    h("div.title-row", h("h1", saga.title ?? workflowLink(), " ",
      h("code", { class: saga.title ? "small" : null, title: saga.id }, shortID(saga.id))), h("span", { id: "status" }, badge(saga.status), saga.paused && badge("paused"),
      saga.overdue && badge("overdue"))),
    labelChips(saga),
    h("dl.facts.inline",
      (saga.title || saga.draft) && fact("Workflow", workflowLink(), ` ${saga.draft ? versionName(saga.version) : `version ${saga.version}`}`),
      fact("Id", h("code.id", saga.id), copyButton("the id", saga.id, "copy id")), fact("Started", time(saga.startedAt), ` by ${saga.startedBy}`),
      saga.endedAt ? fact("Ended", time(saga.endedAt)) : fact("Deadline", time(saga.deadline), " (", since(saga.deadline), ")"),
      saga.turn && fact("Turn", turnText(saga.turn)), saga.parent && fact("Child of", parentLink({ ...saga.parent, title: parentTitle })), saga.key && fact("Key", saga.key, copyButton("the key", saga.key, "copy key")), saga.tags?.length > 0 && fact("Tags", saga.tags.join(", "))));

  // The title of the parent, once it is read. Without it the link has the id.
  let parentTitle;
  let isParentRead = false;
  const readParent = async () => {
    if (!saga.parent || isParentRead) return;
    isParentRead = true;
    try {
      parentTitle = (await api.saga(saga.parent.id)).title;
      showHead();
    } catch (problem) {
      // The link says enough. The parent's page shows what is wrong.
      if (!(problem instanceof api.Problem)) throw problem;
    }
  };

  const showWaiting = () => api.waitingFor(id).then((all) => put(waiting, all.map((operation) => h("p.notice", icon("clock"),
    ` ${verbLabel(operation.verb)}, requested by ${operation.by}, waits for a second person: `,
    h("a", { href: `#/operation/${operation.id}` }, "approve or decline"), "."))), (problem) => failed(waiting, problem));

  const showVerbs = () => {
    const steps = nextSteps({ ...saga, why: { ...saga.why, next: foldedOptions(saga.why.next) } }, definition, soon);
    const most = open.next || steps.length <= mostNext + 2 ? steps.length : mostNext;
    put(next, steps.length > 0 && [h("h2.next-title", "What to do next"), h("ul.next", steps.slice(0, most)),
      steps.length > most && h("p", h("button", { type: "button", "data-key": "all next", onclick: () => { open.next = true; showVerbs(); } },
        `Show ${number(steps.length - most)} more`))]);
    if (steps.length === 0 && saga.why.next.length > 0) put(next, h("p.quiet", "Your roles do not permit what would help."));
    put(verbs, verbButtons(saga, soon, new Set(saga.why.next.map((one) => one.verb))));
  };

  const showGraph = () => {
    const folds = folded(asShown(shown.steps).map((step) => ({ ...step, repeats: repeats.get(step.id) })), plan);
    box.show(foldedNodes(folds), { stuck: shown.stuck, unfolded });
    showPlates(folds.filter(({ name, steps }) => steps.length > 1 && unfolded.has(name)));
  };

  /** The cells of a part of siblings; the part with what needs a person comes first. */
  const platePages = new Map();
  const pagesOfPlate = (name) => platePages.get(name) ?? platePages.set(name, pagesOf(`steps ${name}`, plateSize, () => showGraph())).get(name);
  const showPlates = (folds) => put(plates, folds.map(({ name, steps }) => {
    const pages = pagesOfPlate(name);
    const part = pages.take(steps, steps.findIndex((step) => troubles.includes(step.status)));
    return h("div.unfolded-steps", { "data-fold": name },
      h("div.title-row", h("h3", name, " ", h("span.quiet", `${plural(steps.length, "step")}: ${countWords(countsOf(steps))}`)),
        h("button.plain", { type: "button", "data-key": `fold ${name}`, "aria-label": `Fold ${name}`, onclick: () => unfold(name) }, "✕")),
      plate(part.map((step) => ({ key: `cell ${step.id}`, name: step.id, status: step.status, note: (step.undo?.error ?? step.error)?.message ?? "",
        onpick: () => showStep(step.id) })), `Steps ${name}`), pages.element);
  }));

  /** Shows the steps behind a box, or hides them. */
  const unfold = (name) => {
    if (unfolded.delete(name)) {
      showGraph();
      showChart();
      return box.region.querySelector(`[data-key="${CSS.escape(`node ${name}`)}"]`)?.focus({ preventScroll: true });
    }
    unfolded.add(name);
    showGraph();
    showChart();
    const place = plates.querySelector(`[data-fold="${CSS.escape(name)}"]`);
    place?.querySelector(".cell[tabindex='0']")?.focus({ preventScroll: true });
    return place?.scrollIntoView({ block: "nearest" });
  };

  const showStep = (stepID) => {
    const step = shown.steps.find((one) => one.id === stepID);
    const own = h("div", h("p.quiet.placeholder", "Loading …"));
    history.ofStep(stepID, at ?? saga.lastEvent).then(
      (events) => put(own, h("h3", `Events (${number(events.length)})`), h("div.history", events.slice(-mostActs).map(history.line))),
      (problem) => put(own, problemBox(problem)));
    dialog(`Step ${stepID}`, (close) => [
      h("p", badge(shownStatus(step)), step.undo && h("span.quiet", ` undo ${stateWord(step.undo.status)}`)), step.description && h("p", step.description),
      undoText(step.undo), at === null && undoSignalButton(saga, definition, step, soon, close),
      step.items ? h("p", itemsWords(step.items), ". The section “Items” of the page lists them.")
        : (["http", "kafka", "task", "workflow"].includes(step.action.kind) || step.undo?.attempt > 0) && [h("h3", "Calls"), stepCalls(id, stepID)],
      h("h3", "Details"), payload(step), own,
    ], { wide: true });
  };

  const stepLine = (step) => h("tr", h("th", { scope: "row" }, step.id, step.pivot && h("span.quiet", " pivot")),
    h("td", badge(step.status), step.undo && h("div.quiet", `undo: ${stateWord(step.undo.status)}`)),
    h("td.num", step.items ? "–" : step.undo ? `${step.attempt ?? 0} + ${step.undo.attempt} undo` : number(step.attempt ?? 0)),
    h("td.num", step.startedAt && step.endedAt ? duration(Date.parse(step.endedAt) - Date.parse(step.startedAt)) : "–"),
    h("td.reason", errorText(step.undo?.error ?? step.error), step.items && h("div.quiet", itemsWords(step.items)), step.progress && h("div.quiet", step.progress.message), pollText(step.poll), turnText(step.turn), taskText(step.task), step.child && childLink(step.child), undoText(step.undo)));

  /** The line of many siblings. */
  const foldLine = ({ name, steps }) => {
    const began = steps.map((step) => Date.parse(step.startedAt)).filter(Number.isFinite);
    const ended = steps.map((step) => Date.parse(step.endedAt)).filter(Number.isFinite);
    const isOver = steps.every((step) => step.endedAt || ["pending", "skipped"].includes(step.status));
    return h("tr.fold", h("th", { scope: "row" }, name, h("span.quiet", ` ${plural(steps.length, "step")}`)),
      h("td", badge(worst(steps))), h("td.num", number(steps.reduce((sum, step) => sum + (step.attempt ?? 0), 0))),
      h("td.num", isOver && began.length > 0 && ended.length > 0 ? duration(Math.max(...ended) - Math.min(...began)) : "–"),
      h("td.reason", h("span", { role: "img", "aria-label": countWords(countsOf(steps)) }, countSigns(countsOf(steps))), " ",
        h("button", { type: "button", "data-key": `lines ${name}`, "aria-expanded": String(listed.has(name)),
          onclick: () => { if (!listed.delete(name)) listed.add(name); showSteps(); } }, listed.has(name) ? "Fold" : "Show each")));
  };

  const showSteps = () => {
    // Each line is made when its page is shown.
    const lines = folded(asShown(shown.steps), plan).flatMap((fold) => {
      if (fold.steps.length === 1) return [{ step: fold.steps[0] }];
      const own = listed.has(fold.name) ? fold.steps : fold.steps.filter((step) => troubles.includes(step.status)).slice(0, mostTroubled);
      return [{ fold }, ...own.map((step) => ({ step }))];
    });
    const first = [troubles, activities].map((statuses) => lines.findIndex(({ step }) => step && statuses.includes(step.status))).find((one) => one >= 0);
    const page = stepPages.take(lines, first ?? 0);
    return put(steps, h("table.list", h("thead", h("tr", ["Step", "Status", "Attempts", "Duration", "Last error"].map((name, index) =>
      h(`th${index === 2 || index === 3 ? ".num" : ""}`, { scope: "col" }, name)))),
    h("tbody", page.map(({ step, fold }) => (step ? stepLine(step) : foldLine(fold))))));
  };

  const showActs = () => {
    const all = line.marks.filter((act) => act.by);
    const most = open.acts ? all.length : mostActs;
    put(acts, all.length ? h("ol.acts", { start: Math.max(1, all.length - most + 1) }, all.slice(-most).map((one) => h("li", h("strong", one.by), ": ", one.what,
      one.reason && h("q", one.reason), h("span.quiet", " ", time(one.at))))) : h("p.quiet", "No person has acted on this saga."),
    h("p", h("a", { href: `#/audit?saga=${id}` }, "See all of it in the audit")), all.length > most && h("button", { type: "button", "data-key": "all acts", onclick: () => { open.acts = true; showActs(); } }, `Show all ${number(all.length)}`));
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
    items.hidden = at !== null || itemLists.size === 0;
  };

  const showValues = () => put(values, h("div.columns", h("div", h("h3", "Input"), payload(saga.input)),
    h("div", h("h3", "Output"), saga.output !== undefined ? payload(saga.output) : h("p.quiet", "None yet."),
      saga.outputErrors?.length > 0 && h("p.notice", "These members are null, because their expressions failed:"),
      saga.outputErrors?.length > 0 && h("ul", saga.outputErrors.map((error) => h("li", h("code", error.path || "the whole output"),
        error.expression !== undefined && [" from ", h("code", "${" + error.expression + "}")], " ", errorText(error)))))));

  const showChart = () => {
    // Siblings have one row until someone unfolds them.
    const rowOf = new Map(plan.filter(({ name, ids }) => ids.length > 1 && !unfolded.has(name)).flatMap(({ name, ids }) => ids.map((one) => [one, name])));
    const take = (rows) => {
      const last = rows.findIndex((one) => one.spans.some((span) => !span.to)
        || (one.steps.size === 1 ? one.spans.slice(-1) : one.spans).some((span) => span.outcome === "failed"));
      return chartRows.take(rows, Math.max(0, last));
    };
    const { drawing: picture, table } = gantt(line, { width: Math.max(300, chart.clientWidth || 900), take, nameOf: (step) => rowOf.get(step) ?? step });
    put(chart, line.spans.length ? picture : h("p.quiet", "No attempt yet."));
    put(chartTable, line.spans.length > 0 && table);
  };

  /** Names the event of the slider, once it is known. */
  const showSlider = () => {
    const version = at ?? saga.lastEvent;
    const event = history.at(version);
    put(sliderText, `${version} of ${saga.lastEvent}`, event && [" · ", event.type, " ", time(event.data.at ?? event.recordedAt, { short: true })]);
  };

  /** Shows where the slider is, and the saga there: at once when it is known, else once the slider rests. */
  const showMoment = () => {
    const last = saga.lastEvent;
    const version = at ?? last;
    slider.max = last;
    slider.value = version;
    slider.setAttribute("aria-valuetext", `event ${version} of ${last}`);
    showSlider();
    toNow.disabled = at === null;
    box.region.classList.toggle("past", at !== null);
    // A past state takes no verb, and the items and what waits are those of now.
    for (const one of [waiting, next, verbs]) one.hidden = at !== null;
    items.hidden = at !== null || itemLists.size === 0;
    const known = at === null ? saga : past.get(at);
    box.region.setAttribute("aria-busy", String(!known));
    if (!known) return readPast();
    shown = known;
    put(sentence, at === null ? whyText(saga) : [h("strong", `As it was after event ${at}: `), known.why.sentence]);
    showGraph();
    showSteps();
    return history.show(last, at).then(showSlider);
  };

  // A saga as it was never changes. An answer that comes after the slider has moved on is kept, and not shown.
  const readPast = later(async () => {
    const version = at;
    if (version === null || past.has(version)) return;
    try {
      const [answer] = await Promise.all([api.sagaAt(id, version), history.show(saga.lastEvent, version)]);
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
      // An operator may have moved the saga to another version.
      if (!saga || String(saga.version) !== String(fresh.version)) {
        definition = (await api.workflow(fresh.workflow, fresh.version)).definition;
        repeats = new Map(stepsOf(definition).map((step) => [step.id, step.repeats]));
        plan = foldPlan(fresh.steps);
      }
      // What is above the verbs comes before them: nothing moves under the mouse.
      if (!saga) await showWaiting();
      saga = fresh;
      line = spans;
      isFresh(main);
      rest.hidden = false;
      if (before && before !== saga.status) say(`The saga is now ${stateWord(saga.status)}.`);
      showHead();
      readParent();
      showVerbs();
      if (before) showWaiting();
      showMoment();
      showItems();
      showChart();
      showActs();
      showValues();
      if (startsSagas(definition)) showChildren(children, id);
    } catch (problem) {
      if (saga) failed(main, problem);
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
  return { refresh: soon, choice: () => ({ at }), leave: () => { at = null; ends(); clearInterval(timer); clearTimeout(laterTimeline); size.disconnect(); } };
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
  const holders = turn.holders.slice(0, 3).map((one) => h("a", { href: `#/saga/${one.saga}`, title: one.saga }, one.title ? h("span.saga-title", one.title) : h("code", shortID(one.saga)), one.step && ` ${one.step}`));
  return h("div.quiet.turn", turn.takenAt ? ["holds its turn of ", h("strong", turn.key), ", ", since(turn.takenAt)]
    : [`waits for ${turn.phase === "undo" ? "the turn of its undo" : "its turn"} of `, h("strong", turn.key),
      turn.ahead !== undefined && `, ${turn.ahead} before it`,
      holders.length > 0 && [", held by ", holders.map((one, index) => [index ? ", " : "", one]),
        turn.holders.length > holders.length && " and others"]]);
}

const errorText = (error) => error && h("span", h("code", error.code), " ", error.message, error.outcome === "unknown" && " It may have happened.");
