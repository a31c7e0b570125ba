// The first page. What needs a person comes first.
import * as api from "./api.js";
import { codeLink, h, put, say } from "./dom.js";
import { duration, number, plural, since } from "./format.js";
import { badge, icon } from "./icons.js";
import { incidentCards } from "./incidents.js";
import { idsOf } from "./labels.js";
import { every, gently, listen, whenShown } from "./live.js";
import { askNeeds, behindNote, counted, isBehind, onNeeds } from "./needs.js";
import { operationBar, operationCounts, operationName } from "./operations.js";
import { failed } from "./verbs.js";

const most = 20;
// How many of the holders, and of the waiters, of a key are named.
const mostClaims = 3;
const statuses = ["running", "compensating", "stuck", "completed", "compensated", "abandoned"];

export function overview(main, { go }) {
  const needs = h("div", { "data-acts": "1" });
  const counts = h("div");
  const turns = h("div");
  const state = h("div");
  main.append(h("h1", "Overview"),
    h("section.needs", { "aria-labelledby": "needs-title" }, h("h2", { id: "needs-title" }, "Needs a person"), needs),
    h("section", { "aria-labelledby": "counts-title" }, h("h2", { id: "counts-title" }, "All sagas"), counts),
    h("section", { "aria-labelledby": "turns-title" }, h("h2", { id: "turns-title" }, "Turns"), turns),
    h("section", { "aria-labelledby": "state-title" }, h("div.title-row", h("h2", { id: "state-title" }, "The engine"), h("a.more", { href: "#/engine" }, "See more")), state));
  put(needs, h("p.quiet.placeholder", "Loading …"));
  const ended = [];
  let lastNeeded = null;
  let needed = null;
  let seenOperations = null;

  const showNeeds = async () => {
    if (!needed) return;
    const { page, problem } = needed;
    if (problem) return failed(needs, problem);
    try {
      const { waiting, running } = await openOperations();
      seenOperations = operationsKey({ waiting, running });
      put(needs, waiting.length > 0 && waitingList(waiting), summary(page),
        page.incidents.length > 0 && incidentCards(page, { done: askNeeds, go }),
        page.next && h("p.quiet", "These are the oldest incidents. “saga incidents” shows all."),
        waiting.length === 0 && page.incidents.length === 0 && calm(page), running.map(runningLine));
    } catch (error) {
      failed(needs, error);
    }
    if (lastNeeded !== null && page.needsPerson !== lastNeeded) say(`${plural(page.needsPerson, "saga")} in need of a person`);
    lastNeeded = page.needsPerson;
    return undefined;
  };

  const showCounts = async () => {
    try {
      const { sagas, ...rest } = await api.stats();
      const behind = behindNote(rest);
      // Lists that catch up change without an event.
      if (behind) setTimeout(soon, 2000);
      put(counts, behind, h("ul.tiles", statuses.map((status) => h("li", h("a.tile", { href: `#/sagas?status=${status}` },
        h("span.tile-number", number(sagas[status] ?? 0), behind && "?"), badge(status))))),
      h("p.quiet", `${plural(perMinute(ended), "saga")} ended in the last minute while this page was open.`));
    } catch (problem) {
      failed(counts, problem);
    }
  };

  const showTurns = async () => {
    try {
      const { keys, next } = await api.turns({ limit: most });
      put(turns, keys.length ? [h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Table of the keys" },
        h("table.list", h("thead", h("tr", ["Key", "Held by", "Waiting"].map((name) => h("th", { scope: "col" }, name)))),
          h("tbody", keys.map((one, _, all, id = idsOf(all.flatMap((key) => [...key.holders, ...key.waiters]).map((claim) => claim.saga))) => h("tr", { "data-key": `turn ${one.key}` }, h("th", { scope: "row" }, one.key),
            h("td", claimList(one.holders, one.held, id)),
            h("td", number(one.waiting), one.waiting > 0 && ": ", claimList(one.waiters, one.waiting, id))))))),
      next && h("p.quiet", "These are the first keys. “saga locks” shows all.")]
        : h("p.quiet", "No step and no saga holds a turn or waits for one."));
    } catch (problem) {
      failed(turns, problem);
    }
  };

  const showState = async () => {
    const [ready, echo] = await Promise.all([api.readiness().catch((e) => e), api.echo().catch((e) => e)]);
    if (ready.code === "network") return failed(state, ready);
    return put(state, h("dl.facts",
      h("dt", "Engine"), h("dd", ready instanceof Error ? ["not ready: ", ready.message]
        : ready.status === "degraded" ? ["ready, but ", (ready.reasons ?? []).map((one) => [one.message, " (", codeLink(one.code), ") "])]
          : "ready"),
      h("dt", "Event publisher"), h("dd", echo instanceof Error ? echo.message : !echo ? "off: the engine runs without Kafka"
        : [echoWord(echo), `, ${plural(echo.lagEvents, "event")} behind`,
          echo.lagSeconds ? ` (${duration(echo.lagSeconds * 1000)})` : "",
          echo.problem ? `: ${echo.problem.message} (${echo.problem.code})` : ""])));
  };

  const soon = gently(async () => { await Promise.all([showCounts(), showTurns()]); }, 400);
  const needsSoon = gently(showNeeds, 100);
  let cancel = () => {};
  const ends = [() => cancel(), listen((event) => {
    soon();
    if (!event) needsSoon();
  }), listen((event) => {
    if (event && ["sagaCompleted", "sagaCompensated", "sagaAbandoned"].includes(event.type)) ended.push(Date.now());
  }, { always: true }),
  every(15000, () => { showState(); soon(); }),
  // The live stream has the events of sagas alone: operations are asked for.
  every(3000, async () => {
    const now = await openOperations().catch(() => null);
    if (now && seenOperations !== null && operationsKey(now) !== seenOperations) needsSoon();
  }),
  onNeeds((now) => {
    needed = now;
    cancel();
    // A hidden tab has its title. The cards follow when it is shown.
    if (lastNeeded === null) needsSoon();
    else cancel = whenShown(needsSoon, 0);
  })];
  askNeeds();
  showCounts();
  showTurns();
  showState();
  return { refresh: () => { askNeeds(); soon(); showState(); }, leave: () => { for (const end of ends) end(); } };
}

/** The first holders or waiters of a key, in their order. A holder has the time since when it holds. */
const claimList = (claims, count, id) => [claims.slice(0, mostClaims).map((claim, index) => [index ? ", " : "",
  h("a", { href: `#/saga/${claim.saga}`, title: claim.saga }, claim.title && [h("span.saga-title", claim.title), " "], claim.step ?? claim.workflow, " ",
    h("code", { class: claim.title ? "small" : null }, id(claim.saga))),
  claim.takenAt && [" ", since(claim.takenAt)], claim.paused && [" ", badge("paused")]]),
count > mostClaims && ` and ${number(count - mostClaims)} more`];

function perMinute(ended) {
  while (ended.length && ended[0] < Date.now() - 60000) ended.shift();
  return ended.length;
}

const echoWord = (echo) => ({ current: "current", catchingUp: "catching up", held: "blocked" })[echo.state] ?? echo.state;

/** How many sagas need a person, and how many may soon. */
function summary(page) {
  const { retrying } = page.sagas;
  if (page.needsPerson === 0 && !retrying) return null;
  return h("p.summary", page.needsPerson > 0 && h("strong", counted(page.needsPerson, page), page.needsPerson === 1 ? " saga needs a person. " : " sagas need a person. "),
    retrying > 0 && `${counted(retrying, page)} ${retrying === 1 ? "is" : "are"} failing and being tried again.`);
}

/** That there is nothing to do is said only when the lists have every event. */
const calm = (page) => (isBehind(page) ? h("p.quiet", `The lists lack ${plural(page.lists.lagEvents, "event")}. Whether a saga needs a person is not known yet.`)
  : h("p.calm", icon("check"), "No saga is stuck, held back, overdue, paused or being tried again, and no operation waits for a second person. You have nothing to do."));

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
