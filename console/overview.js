// The first page. What needs a person comes first.
import * as api from "./api.js";
import { h, put, say } from "./dom.js";
import { duration, number, plural, shortID, since } from "./format.js";
import { badge, icon } from "./icons.js";
import { knownAs } from "./labels.js";
import { gently, listen } from "./live.js";
import { operationBar, operationCounts, operationName } from "./operations.js";
import { act, problemBox, verbLabel } from "./verbs.js";
import { whyText } from "./why.js";

const most = 20;
// How many of the holders, and of the waiters, of a key are named.
const mostClaims = 3;
const statuses = ["running", "compensating", "stuck", "completed", "compensated", "abandoned"];

export function overview(main) {
  const needs = h("div", { "data-acts": "1" });
  const counts = h("div");
  const turns = h("div");
  const state = h("div");
  main.append(h("h1", "Overview"),
    h("section.needs", { "aria-labelledby": "needs-title" }, h("h2", { id: "needs-title" }, "Needs a person"), needs),
    h("section", { "aria-labelledby": "counts-title" }, h("h2", { id: "counts-title" }, "All sagas"), counts),
    h("section", { "aria-labelledby": "turns-title" }, h("h2", { id: "turns-title" }, "Turns"), turns),
    h("section", { "aria-labelledby": "state-title" }, h("h2", { id: "state-title" }, "The engine"), state));
  put(needs, h("p.quiet.placeholder", "Loading …"));
  const ended = [];
  let lastStuck = null;
  let seenOperations = null;

  const showNeeds = async () => {
    try {
      const [groups, { waiting, running }] = await Promise.all([need(), openOperations()]);
      const lists = groups.map((group) => group.sagas.length > 0 && groupList(group, showNeeds));
      lists.splice(1, 0, waiting.length > 0 && waitingList(waiting));
      put(needs, lists.some(Boolean) ? lists
        : h("p.calm", icon("check"), "No saga is stuck, overdue or paused, and no operation waits for a second person. You have nothing to do."),
      running.map(runningLine));
      seenOperations = operationsKey({ waiting, running });
      const stuck = groups[0].total;
      if (lastStuck !== null && stuck !== lastStuck) say(`${plural(stuck, "saga")} stuck`);
      lastStuck = stuck;
      document.title = stuck ? `(${stuck}) Sagas` : "Sagas";
    } catch (problem) {
      put(needs, problemBox(problem));
    }
  };

  const showCounts = async () => {
    try {
      const { sagas } = await api.stats();
      put(counts, h("ul.tiles", statuses.map((status) => h("li", h("a.tile", { href: `#/sagas?status=${status}` },
        h("span.tile-number", number(sagas[status] ?? 0)), badge(status))))),
      h("p.quiet", `${plural(perMinute(ended), "saga")} ended in the last minute while this page was open.`));
    } catch (problem) {
      put(counts, problemBox(problem));
    }
  };

  const showTurns = async () => {
    try {
      const { keys, next } = await api.turns({ limit: most });
      put(turns, keys.length ? [h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Turns" },
        h("table.list", h("thead", h("tr", ["Key", "Held by", "Waiting"].map((name) => h("th", { scope: "col" }, name)))),
          h("tbody", keys.map((one) => h("tr", { "data-key": `turn ${one.key}` }, h("th", { scope: "row" }, one.key),
            h("td", claimList(one.holders, one.held)),
            h("td", number(one.waiting), one.waiting > 0 && ": ", claimList(one.waiters, one.waiting))))))),
      next && h("p.quiet", "These are the first keys. “saga locks” shows all.")]
        : h("p.quiet", "No step and no saga holds a turn or waits for one."));
    } catch (problem) {
      put(turns, problemBox(problem));
    }
  };

  const showState = async () => {
    const [ready, echo] = await Promise.all([api.readiness().catch((e) => e), api.echo().catch((e) => e)]);
    put(state, h("dl.facts",
      h("dt", "Engine"), h("dd", ready instanceof Error ? ["not ready: ", ready.message]
        : ready.status === "degraded" ? ["ready, but ", (ready.reasons ?? []).map((one) => `${one.message} (${one.code})`).join(" ")]
          : "ready"),
      h("dt", "Event publisher"), h("dd", echo instanceof Error ? echo.message : !echo ? "off: the engine runs without Kafka"
        : [echoWord(echo), `, ${plural(echo.lagEvents, "event")} behind`,
          echo.lagSeconds ? ` (${duration(echo.lagSeconds * 1000)})` : "",
          echo.problem ? `: ${echo.problem.message} (${echo.problem.code})` : ""])));
  };

  const soon = gently(async () => { await Promise.all([showNeeds(), showCounts(), showTurns()]); }, 400);
  const ends = listen((event) => {
    if (event && ["sagaCompleted", "sagaCompensated", "sagaAbandoned"].includes(event.type)) ended.push(Date.now());
    soon();
  });
  const timer = setInterval(() => { showState(); soon(); }, 15000);
  // The live stream has the events of sagas alone: operations are asked for.
  const often = setInterval(async () => {
    const now = await openOperations().catch(() => null);
    if (now && seenOperations !== null && operationsKey(now) !== seenOperations) soon();
  }, 3000);
  showNeeds();
  showCounts();
  showTurns();
  showState();
  return { refresh: soon, leave: () => { ends(); clearInterval(timer); clearInterval(often); document.title = "Sagas"; } };
}

/** The first holders or waiters of a key, in their order. A holder has the time since when it holds. */
const claimList = (claims, count) => [claims.slice(0, mostClaims).map((claim, index) => [index ? ", " : "",
  h("a", { href: `#/saga/${claim.saga}` }, claim.step ?? claim.workflow, " ", h("code", shortID(claim.saga))),
  claim.takenAt && [" ", since(claim.takenAt)], claim.paused && [" ", badge("paused")]]),
count > mostClaims && ` and ${number(count - mostClaims)} more`];

function perMinute(ended) {
  while (ended.length && ended[0] < Date.now() - 60000) ended.shift();
  return ended.length;
}

const echoWord = (echo) => ({ current: "current", catchingUp: "catching up", held: "blocked" })[echo.state] ?? echo.state;

/** Stuck first, then overdue, then paused: each group with its sagas in full, because a list does not say why. */
async function need() {
  const ask = async (title, parameters, tone) => {
    const page = await api.listSagas({ ...parameters, limit: most + 1 });
    const sagas = await Promise.all(page.sagas.slice(0, most).map((one) => api.saga(one.id).catch((problem) => ({ ...one, problem }))));
    return { title, tone, sagas, total: page.sagas.length, more: page.sagas.length > most || page.next, parameters };
  };
  const stuck = await ask("Stuck", { status: "stuck" }, "bad");
  const [overdue, paused] = await Promise.all([
    ask("Overdue", { overdue: "true" }, "late"), ask("Paused", { paused: "true" }, "quiet")]);
  const seen = new Set(stuck.sagas.map((one) => one.id));
  for (const group of [overdue, paused]) {
    group.sagas = group.sagas.filter((one) => !seen.has(one.id) && !one.endedAt);
    group.sagas.forEach((one) => seen.add(one.id));
  }
  return [stuck, overdue, paused];
}

/** Operations that wait for a second person, and those that run. */
async function openOperations() {
  const [waiting, running] = await Promise.all(["waiting", "running"].map((status) => api.operations({ status, limit: most })));
  return { waiting: waiting.operations, running: running.operations };
}
const operationsKey = ({ waiting, running }) => [...waiting, ...running].map((one) => `${one.id} ${one.status} ${one.left}`).join();

function waitingList(waiting) {
  return h("div.group.tone-wait",
    h("h3", "Waits for a second person ", h("span.count", waiting.length === most ? `${most}+` : number(waiting.length)),
      h("a.more", { href: "#/operations?status=waiting" }, "See all")),
    h("ul.cards", waiting.map((one) => h("li.card", { "data-row": one.id },
      h("div.card-head", badge(one.status), h("a.card-link", { href: `#/operation/${one.id}`, "data-row-link": "" }, operationName(one)),
        h("span.grow"), since(one.startedAt)),
      h("p.why", one.by === api.userName() ? "You requested it, so a second person must approve it: " : `${one.by} requests it: `, h("q", one.reason))))));
}

const runningLine = (one) => h("p.quiet.running-line", h("a", { href: `#/operation/${one.id}` }, operationName(one)), ` by ${one.by} is running: `,
  operationBar(one), " ", h("span.num", operationCounts(one)));

function groupList(group, again) {
  const search = new URLSearchParams(group.parameters).toString();
  return h("div.group", { class: `tone-${group.tone}` },
    h("h3", `${group.title} `, h("span.count", group.more ? `${most}+` : number(group.sagas.length)),
      h("a.more", { href: `#/sagas?${search}` }, `See all ${group.title.toLowerCase()}`)),
    h("ul.cards", group.sagas.map((saga) => card(saga, again))));
}

/** @param saga in full, or its line in the list with the problem that came instead. */
function card(saga, again) {
  const helpful = new Set((saga.why?.next ?? []).map((one) => one.verb).filter((verb) => ["retry", "resolve", "resume"].includes(verb)));
  return h("li.card", { "data-row": saga.id },
    h("div.card-head", badge(saga.status), h("a.card-link", { href: `#/saga/${saga.id}`, "data-row-link": "" },
      saga.title ?? saga.workflow, " ", h("code", { class: saga.title ? "small" : null }, shortID(saga.id))),
    saga.title && h("span.quiet", saga.workflow), saga.key && h("span.quiet.clip", saga.key), h("span.grow")),
    saga.problem ? problemBox(saga.problem) : h("p.why", whyText(saga)),
    h("div.actions.left", [...helpful].map((verb) => h("button", {
      type: "button", "data-key": `${verb} ${saga.id}`, "aria-label": `${verbLabel(verb)} ${knownAs(saga)}`,
      onclick: async () => { if (await act(saga, verb)) again(); } }, `${verbLabel(verb)} …`))));
}
