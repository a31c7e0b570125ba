// A verb on many sagas, as the engine does it: all of them, and one with what came of it.
import * as api from "./api.js";
import { copyButton } from "./copy.js";
import { dialog, fact, field, h, isFresh, put, say } from "./dom.js";
import { duration, number, plural, shortID, time } from "./format.js";
import { badge, icon } from "./icons.js";
import { pretty } from "./json.js";
import { idsOf, titleAndID } from "./labels.js";
import { gently, listen, whenShown } from "./live.js";
import { actsAs, askUser, failed, problemBox, verbLabel } from "./verbs.js";

const statuses = ["waiting", "running", "finished", "stopped", "declined"];
const sagaStatuses = ["running", "compensating", "stuck", "completed", "compensated", "abandoned"];
const ended = ["completed", "compensated", "abandoned"];
const isOpen = (one) => one.status === "waiting" || one.status === "running";

/** The verb and the number of sagas: `Retry: 37 sagas`. */
export const operationName = (one) => `${verbLabel(one.verb)}: ${plural(one.sagas, "saga")}`;
const address = (one) => `#/operation/${one.id}`;

/** The progress as a bar, with its numbers for a screen reader. */
export function operationBar(one, id) {
  return h("progress.bar-of", { id, max: one.sagas, value: one.done + one.refused,
    "aria-label": `${one.done + one.refused} of ${plural(one.sagas, "saga")} acted on` });
}
export const operationCounts = (one) => `${number(one.done)} done, ${number(one.refused)} refused, ${number(one.left)} left`;

/** The address of the list of sagas that an operation's filter finds. */
function sagasAddress(filter, more = {}) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...filter, ...more })) {
    // Each label is a parameter of its own: a value may have a comma.
    if (name === "label") for (const one of [value].flat()) search.append(name, one);
    else search.set(name, [value].flat().join(","));
  }
  return `#/sagas${search.size ? `?${search}` : ""}`;
}

export function operationsPage(main, { parameters, go, kept }) {
  const status = statuses.includes(parameters.get("status")) ? parameters.get("status") : "";
  const list = h("div");
  const pager = h("nav.pager", { "aria-label": "Pages of the list" });
  const cursors = kept?.cursors ?? [""];
  main.append(h("h1", "Operations"),
    h("div.chips", { role: "group", "aria-label": "Status" }, ["", ...statuses].map((one) =>
      h("button.chip", { type: "button", "aria-pressed": String(one === status), "data-key": `chip ${one || "all"}`,
        onclick: () => go(one && one !== status ? `#/operations?status=${one}` : "#/operations") }, one ? badge(one) : h("span.badge.tone-quiet", "all")))),
    h("section", { "aria-label": "List of operations" }, list), pager);
  put(list, h("p.quiet.placeholder", "Loading …"));
  let cancel = () => {};
  let isLeft = false;

  const load = async () => {
    cancel();
    try {
      const page = await api.operations({ status, cursor: cursors.at(-1), limit: 50 });
      if (isLeft) return;
      put(list, page.operations.length === 0
        ? h("p.quiet", status ? `No operation is ${status}.` : ["There is no operation yet. Start one from the list of ", h("a", { href: "#/sagas?status=stuck" }, "sagas"), "."])
        : h("div.scroll", { tabindex: 0, role: "region", "aria-label": "List of operations, scrolls sideways" }, h("table.list",
          h("thead", h("tr", ["Status", "Operation", "Reason", "By", "Started", "Progress"].map((name) => h("th", { scope: "col" }, name)))),
          h("tbody", page.operations.map(row)))));
      const turn = (by) => () => { by(); load(); };
      put(pager, cursors.length > 1 && h("button", { type: "button", "data-key": "prev", onclick: turn(() => cursors.pop()) }, "← Previous page"),
        (page.next || cursors.length > 1) && h("span.quiet", `Page ${cursors.length}`),
        page.next && h("button", { type: "button", "data-key": "next", onclick: turn(() => cursors.push(page.next)) }, "Next page →"));
      // A running operation shows its progress each second; a new one appears within 4 seconds.
      cancel = whenShown(load, page.operations.some((one) => one.status === "running") ? 1000 : 4000);
    } catch (problem) {
      if (isLeft) return;
      failed(list, problem);
      cancel = whenShown(load, 4000);
    }
  };
  const row = (one) => h("tr", { "data-row": one.id },
    h("td", badge(one.status)),
    h("td", h("a", { href: address(one), "data-row-link": "", title: one.id }, operationName(one)), one.request?.step && h("div.quiet", one.request.step)),
    h("td.reason", one.reason), h("td", one.by), h("td", time(one.startedAt)),
    h("td", operationBar(one), h("div.quiet.num", operationCounts(one))));

  load();
  return { refresh: load, choice: () => ({ cursors }), leave() { isLeft = true; cancel(); } };
}

export function operationPage(main, { id, kept }) {
  let one = null;
  let cancel = () => {};
  let isLeft = false;
  const head = h("div");
  const acts = h("div.actions.left", { role: "group", "aria-label": "What can be done" });
  const progress = h("progress.bar-of", { id: "progress", max: 1, value: 0, "aria-label": "Acted on" });
  const counts = h("p.counts", { id: "counts", "aria-live": "polite" });
  const pace = h("p.quiet");
  const standing = h("div");
  const refusals = h("section", { "aria-label": "Refused", hidden: true });
  const refusedList = h("div");
  const refusedTitle = h("p");
  const list = h("div");
  const section = (title, ...content) => h("section", { "aria-label": title }, h("h2", title), content);
  put(head, h("h1", "Operation ", h("code", shortID(id))), h("p.quiet.placeholder", "Loading …"));
  refusals.append(h("h2", "Refused"), refusedTitle, refusedList);
  const outcome = h("select", { id: "outcome", onchange: () => sagas.reset(outcome.value) },
    [["", "all"], ["done", "done"], ["refused", "refused"], ["left", "left"]].map(([value, text]) => h("option", { value, selected: value === kept?.outcome }, text)));
  const rest = h("div", { hidden: true }, section("Progress", progress, counts, pace),
    section("Current statuses of its sagas", standing), refusals,
    section("Sagas", h("div.row.narrow", field("Outcome", outcome)), list));
  main.append(head, acts, rest);
  const refused = rowsOf(refusedList, id, "refused");
  const sagas = rowsOf(list, id, "");
  if (outcome.value) sagas.reset(outcome.value);

  const showHead = () => {
    const request = Object.entries(one.request ?? {}).filter(([name]) => name !== "verb");
    const word = (name, verb) => one[name] && fact(verb, one[name].by, one[name].reason && [": ", h("q", one[name].reason)], " ", time(one[name].at));
    put(head,
      h("div.title-row", h("h1", operationName(one)), h("span", { id: "status" }, badge(one.status))),
      h("p.why.large", { id: "why" }, one.by, ": ", h("q", one.reason)),
      h("dl.facts.inline",
        fact("Id", h("code.id", one.id), copyButton("the id", one.id, "copy id")), fact("Started", time(one.startedAt)), one.endedAt && fact("Ended", time(one.endedAt)),
        one.from && fact("From", one.from),
        fact("Sagas", one.filter ? h("a", { href: sagasAddress(one.filter) }, Object.entries(one.filter).map(([name, value]) => `${name} = ${[value].flat().join(", ")}`).join("; "))
          : one.sagas === 1 ? "one" : `${number(one.sagas)}, selected one by one`),
        request.map(([name, value]) => fact(requestName(name), requestValue(name, value))),
        word("approved", "Approved"), word("declined", "Declined"), word("stopped", "Stopped")));
  };

  const showActs = () => {
    const isMine = one.by === api.userName();
    const button = (word, label, more = {}) => h("button", { type: "button", "data-key": word, "data-word": word, onclick: () => decide(word), ...more }, `${label} …`);
    put(acts,
      one.status === "waiting" && [
        h("p.notice.wide-notice", { id: "waits" }, icon("clock"), " ", h("strong", "A second person must approve it."),
          isMine ? ` You requested it, ${one.by}, so you cannot approve it. You can withdraw it.` : ` ${one.by} requests it. The engine does nothing until another person approves it.`),
        api.may("approve") && button("approve", "Approve", { class: "primary", disabled: isMine, "aria-describedby": "waits" }),
        api.may("decline") && button("decline", isMine ? "Withdraw" : "Decline", { class: "danger" })],
      one.status === "running" && api.may("operate") && button("stop", "Stop", { class: "danger" }));
  };

  const decide = async (word) => {
    if (!(await askUser())) return;
    const label = { approve: "Approve", decline: one.by === api.userName() ? "Withdraw" : "Decline", stop: "Stop" }[word];
    const answer = await dialog(`${label}: ${operationName(one)}`, (close) => {
      const reason = h("textarea", { id: "reason", rows: 2, required: true, maxlength: 1000, "aria-required": "true" });
      const wrong = h("div");
      let busy = false;
      return h("form", { novalidate: true, onsubmit: async (event) => {
        event.preventDefault();
        if (busy) return;
        if (!reason.value.trim()) {
          reason.setAttribute("aria-invalid", "true");
          put(wrong, h("p.problem", { role: "alert" }, "Enter a reason. The operation keeps it."));
          return reason.focus();
        }
        busy = true;
        try {
          close(await api.decideOperation(id, word, reason.value.trim()));
        } catch (error) {
          put(wrong, problemBox(error));
        } finally {
          busy = false;
        }
      } },
      h("p", { approve: `It begins at once, on ${plural(one.sagas, "saga")}.`, decline: "The engine does nothing to its sagas.",
        stop: "What is done stays done. The operation does not act on its other sagas." }[word]),
      field("Reason", reason, "The operation keeps it, with your name."), wrong,
      h("div.actions", actsAs(), h("button", { type: "button", onclick: () => close() }, "Not now"),
        h("button", { type: "submit", class: word === "approve" ? "primary" : "danger" }, label)));
    });
    if (answer) load();
  };

  const showProgress = () => {
    const acted = one.done + one.refused;
    progress.max = one.sagas;
    progress.value = acted;
    progress.setAttribute("aria-label", `Acted on ${number(acted)} of ${plural(one.sagas, "saga")}`);
    put(counts, h("strong", operationCounts(one)), ` of ${plural(one.sagas, "saga")}.`);
    put(pace, `${number(one.rate)} sagas a second`, one.rampSeconds > 0 && `, reached within ${duration(one.rampSeconds * 1000)}`,
      one.endedAt && one.status !== "declined" && `; duration ${duration(Date.parse(one.endedAt) - Date.parse(one.approved?.at ?? one.startedAt))}`, ".");
  };

  const showStanding = () => put(standing, h("ul.tiles.few", sagaStatuses.filter((status) => one.standing?.[status]).map((status) =>
    h("li", h("a.tile", { href: sagasAddress(withoutStatus(one.filter), { status }), "aria-label": `${one.standing[status]} ${status}` },
      h("span.tile-number", number(one.standing[status])), badge(status))))),
  h("p.hint", one.filter ? "Each number links to all sagas with this status that the filter finds now." : "Each number links to all sagas with this status, not only to these."));

  const showRefused = () => {
    refusals.hidden = one.refused === 0;
    put(refusedTitle, Object.entries(one.refusals).sort((a, b) => b[1] - a[1]).map(([code, count], index) =>
      [index ? ", " : "", `${number(count)} × `, h("code", code)]));
    if (one.refused) refused.load(`${one.refused}`);
  };

  const load = async () => {
    cancel();
    try {
      const before = one?.status;
      one = await api.operation(id);
      if (isLeft) return;
      isFresh(rest);
      showHead();
      showActs();
      showProgress();
      showStanding();
      showRefused();
      sagas.load(`${one.done} ${one.refused}`);
      rest.hidden = false;
      if (before && before !== one.status) say(`The operation is ${one.status}: ${operationCounts(one)}.`);
    } catch (error) {
      if (isLeft) return;
      if (one) failed(rest, error);
      else put(head, h("h1", "Operation ", h("code", shortID(id))), problemBox(error));
      if (error.status >= 400 && error.status < 500) return;
    }
    if (!one || isOpen(one)) cancel = whenShown(load, 1000);
  };

  // The sagas of an operation continue after its end.
  const soon = gently(() => load(), 1000);
  const ends = listen(() => {
    if (one && !isOpen(one) && Object.keys(one.standing ?? {}).some((status) => !ended.includes(status))) soon();
  });
  const again = () => { if (one) showActs(); };
  addEventListener("saga-user", again);
  load();
  return { refresh: load, choice: () => ({ outcome: outcome.value }), leave() {
    isLeft = true;
    cancel();
    ends();
    removeEventListener("saga-user", again);
  } };
}

const withoutStatus = (filter) => Object.fromEntries(Object.entries(filter ?? {}).filter(([name]) => name !== "status" && name !== "stuck"));

const requestName = (name) => ({ step: "Step", resolution: "Outcome", output: "Output", input: "Input", byMs: "By", until: "Until" })[name] ?? name;
const requestValue = (name, value) => (name === "byMs" ? duration(value) : typeof value === "string" ? value : h("code", pretty(value)));

/** The sagas of an operation with their results. The list is read again when `state` has changed. */
function rowsOf(place, id, first) {
  const size = 100;
  let outcome = first;
  let wanted = size;
  let state = "";
  let known = null;
  let running = false;
  const key = () => `${state} ${outcome} ${wanted}`;

  const load = async (next) => {
    state = next;
    if (running || key() === known) return;
    running = true;
    try {
      // What changed during the request is read again.
      while (key() !== known) {
        const asked = key();
        const rows = [];
        let cursor;
        do {
          const page = await api.operationSagas(id, { outcome, cursor, limit: Math.min(1000, wanted - rows.length) });
          rows.push(...page.sagas);
          cursor = page.next;
        } while (cursor && rows.length < wanted && asked === key());
        if (asked !== key()) continue;
        known = asked;
        show(rows, cursor);
      }
    } catch (error) {
      failed(place, error);
    } finally {
      running = false;
    }
  };

  const show = (rows, more) => {
    if (!rows.length) return put(place, h("p.quiet", outcome ? `No saga is ${outcome}.` : "No saga."));
    // Only a refusal has a code and a message.
    const speaks = rows.some((row) => row.code);
    const short = idsOf(rows);
    return put(place,
      h("div.scroll", { tabindex: 0, role: "region", "aria-label": first ? "Refused sagas" : "Sagas of the operation" }, h("table.list",
        h("thead", h("tr", ["Saga", "Outcome", ...(speaks ? ["Code", "Message"] : [])].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", rows.map((row) => h("tr", first ? null : { "data-row": row.saga },
          h("td", h("a", { href: `#/saga/${row.saga}`, "data-row-link": first ? null : "", title: row.saga }, titleAndID({ id: row.saga, title: row.title, key: row.key }, short))),
          h("td", outcomeWord(row)), speaks && [h("td.code-cell", row.code && h("code", row.code)), h("td.reason", row.message ?? "")]))))),
      more && h("button", { type: "button", "data-key": "more", onclick: () => { wanted += 500; load(state); } }, "Show more"));
  };
  return { load, reset(next) {
    outcome = next;
    wanted = size;
    load(state);
  } };
}

const outcomeWord = (row) => ({ done: h("span.badge.tone-good", icon("check"), "done"), refused: h("span.badge.tone-late", icon("cross"), "refused"),
  left: h("span.badge.tone-quiet", icon("ring"), "left") })[row.outcome];
