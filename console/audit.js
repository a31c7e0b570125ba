// The audit: who did what, when, why, and on what; and the check whether stored events were changed.
import * as api from "./api.js";
import { dialog, h, put, say } from "./dom.js";
import { number, plural, shortID, since, time } from "./format.js";
import { badge, icon } from "./icons.js";
import { fromLocal, toLocal } from "./local-time.js";
import { gently, listen } from "./live.js";
import { enginePages } from "./pages.js";
import { failed, payload, problemBox, verbLabel } from "./verbs.js";

const names = ["by", "verb", "saga", "from", "to"];
// The verbs that the list of the filter offers. Another one may be typed.
const verbs = ["start", "signal", "register", "retry", "resolve", "skip", "compensate", "cancel", "pause", "resume", "abandon", "run-now", "extend",
  "rewind", "migrate", "operation", "approve", "decline", "stop", "echo-rewind", "notices-resend", "notices-test", "projections-rebuild"];
const words = { start: "Start", signal: "Signal", register: "Register", operation: "Begin an operation", approve: "Approve", decline: "Decline",
  stop: "Stop", "echo-rewind": "Rewind the echo", "notices-resend": "Send notices again", "notices-test": "Send a test notice",
  "projections-rebuild": "Rebuild the lists" };
const verbWord = (verb) => words[verb] ?? verbLabel(verb);
const address = (parameters) => {
  const search = api.search(parameters);
  return `#/audit${search.size ? `?${search}` : ""}`;
};

export function auditPage(main, { parameters, go }) {
  const filters = Object.fromEntries(names.map((name) => [name, parameters.get(name) ?? ""]).filter(([, value]) => value));
  const cursor = parameters.get("cursor") ?? "";
  const list = h("div");
  const pager = h("nav.pager", { "aria-label": "Pages of the list" });
  const text = (name, label, more = {}) => h("div.field", { class: more.type ? "long" : "short" }, h("label", { for: `filter-${name}` }, label),
    h("input", { id: `filter-${name}`, name, type: "text", value: filters[name] ?? "", autocomplete: "off", spellcheck: "false", ...more }));
  const when = (name, label) => text(name, label, { type: "datetime-local", value: toLocal(filters[name]) });
  const form = h("form.filters", { onsubmit: (event) => {
    event.preventDefault();
    go(address(Object.fromEntries(names.map((name) => {
      const { value } = form.elements[name];
      if (name !== "from" && name !== "to") return [name, value.trim()];
      // The control shows minutes. A time that was not changed stays as exact as it is in the address.
      return [name, value === toLocal(filters[name]) ? filters[name] ?? "" : fromLocal(value)];
    }))));
  } },
  h("div.row", text("by", "Person"), text("verb", "Verb", { list: "audit-verbs" }), text("saga", "Saga's id"), when("from", "From"), when("to", "Before"),
    h("div.field.buttons", h("button.primary", { type: "submit" }, "Filter"), h("a.button", { href: "#/audit" }, "Clear"))),
  h("datalist", { id: "audit-verbs" }, verbs.map((verb) => h("option", { value: verb }, verbWord(verb)))));
  main.append(h("h1", "Audit"), enginePages("audit"), chains(), form, h("section", { "aria-label": "What people did" }, h("h2", "What people did"), list, pager));
  put(list, h("p.quiet.placeholder", "Loading …"));

  const load = async () => {
    try {
      const { acts, next } = await api.audit({ ...filters, cursor });
      put(list, acts.length === 0 ? h("p.quiet", Object.keys(filters).length > 0 || cursor ? "No act matches these filters." : "There is no act yet.")
        : h("ol.audit", acts.map((one) => line(one, filters))));
      put(pager, cursor && h("a.button", { href: address(filters) }, "← Newest"), next && h("a.button", { href: address({ ...filters, cursor: next }) }, "Older →"));
    } catch (problem) {
      failed(list, problem);
    }
  };
  // A later page shows what is past, which does not change.
  const ends = listen(gently(() => { if (!cursor) load(); }, 1000));
  load();
  return { refresh: load, leave: ends };
}

/** One act: the time, the person, the verb and what it was about; then its reason. */
function line(act, filters) {
  const key = `${act.at} ${act.by} ${act.verb} ${act.saga ?? act.operation ?? act.workflow ?? ""} ${act.version ?? ""}`;
  const before = act.before?.step ?? act.before?.saga;
  const after = act.after?.step ?? act.after?.saga;
  return h("li.audit-act",
    h("div.audit-head", time(act.at), h("a", { href: address({ ...filters, by: act.by }), title: `Everything that ${act.by} did` }, h("strong", act.by)),
      h("a", { href: address({ ...filters, verb: act.verb }), title: `Only: ${verbWord(act.verb)}` }, verbWord(act.verb)), subject(act),
      before && after && before !== after && h("span.change", badge(before), " → ", badge(after)), h("span.grow"),
      h("button.plain", { type: "button", "data-key": `act ${key}`, "aria-label": `Details: ${verbWord(act.verb)} by ${act.by}`, onclick: () => details(act) }, "Details …")),
    act.reason && h("q", act.reason));
}

/** What an act was about, with a link to it. */
function subject(act) {
  const saga = act.saga && h("a", { href: `#/saga/${act.saga}`, title: act.saga }, h("code", shortID(act.saga)));
  const operation = act.operation && h("a", { href: `#/operation/${act.operation}`, title: act.operation }, "operation ", h("code", shortID(act.operation)));
  const step = act.step && h("strong", act.step);
  const workflow = act.workflow && (act.kind === "registration" ? registered(act) : h("span", act.workflow));
  const signal = act.kind === "signal" && act.content?.signal && h("strong", act.content.signal);
  const destination = act.content?.destination && h("span", act.content.destination);
  // A rewind of the echo is an act in each shard.
  const shard = act.content?.shard !== undefined && h("span", `shard ${act.content.shard}, behind position ${act.content.to}`);
  const parts = [step, signal, workflow, saga, operation, destination, shard].filter(Boolean);
  return h("span.subject", parts.map((part, index) => [index ? " · " : "", part]));
}

const registered = ({ workflow, content }) => (content?.workflow ? h("a", { href: `#/workflow/${encodeURIComponent(content.workflow)}/${content.version}` }, workflow)
  : h("span", workflow));

const details = (act) => dialog(verbWord(act.verb), () => [
  h("dl.facts", h("dt", "Who"), h("dd", act.by), h("dt", "When"), h("dd", time(act.at), ", ", since(act.at)),
    act.from && [h("dt", "From"), h("dd", act.from)], act.reason && [h("dt", "Why"), h("dd", h("q", act.reason))],
    act.before && [h("dt", "Before"), h("dd", statuses(act.before))], act.after && [h("dt", "After"), h("dd", statuses(act.after))]),
  h("h3", "What was asked for"), act.content && Object.keys(act.content).length > 0 ? payload(act.content) : h("p.quiet", "Nothing more than that."),
  h("h3", "As it is stored"), payload(act)], { wide: true });

const statuses = ({ saga, step }) => ["saga ", badge(saga), step && [" step ", badge(step)]];

/** The check of the chains, and what it means. */
function chains() {
  const result = h("div", { role: "status" });
  let busy = false;
  const button = h("button", { type: "button", id: "verify", onclick: async () => {
    if (busy) return;
    busy = true;
    put(result, h("p.quiet", "The engine reads every event …"));
    try {
      const report = await api.verifyAudit();
      put(result, verdict(report, new Date().toISOString()));
      say(report.intact ? "The chains are intact." : "The chains are broken.");
    } catch (problem) {
      put(result, problemBox(problem));
    } finally {
      busy = false;
    }
  } }, "Verify the chains");
  return h("section", { "aria-labelledby": "chains-title" }, h("div.title-row", h("h2", { id: "chains-title" }, "Were events changed?"), button),
    h("details", h("summary", "What the check finds"),
      h("p", "Each event is stored with a hash of its content and of the event before it. The check computes all hashes again. It finds an event that was changed, "
        + "removed, added or put in another place, and names the first one of each shard."),
      h("p.hint", "A person who can write to the database can compute all hashes again, or remove the last events. Only a head that was signed earlier shows that: ",
        h("code", "saga audit head --sign-key"), ", then ", h("code", "saga audit verify --head"), ".")),
    result);
}

function verdict(report, at) {
  const used = report.shards.filter((one) => one.events > 0);
  if (report.events === 0 && report.intact) return h("p.quiet", "There is no event yet.");
  const unchained = report.unchained > 0 && h("p.notice", `${plural(report.unchained, "event")} of an earlier version ${report.unchained === 1 ? "has" : "have"} no chain. `
    + "Only the hashes of their own sagas protect them.");
  return [report.intact
    ? h("p.calm", icon("check"), h("span", h("strong", "Intact: "), `${plural(report.events, "event")} ${report.events === 1 ? "is" : "are"} as the engine stored ${report.events === 1 ? "it" : "them"}. Checked `, time(at), "."))
    : h("div.problem", h("p", h("strong", "Changed: "), `the chains of ${plural(report.broken.length, "shard")} do not hold. Checked `, time(at), "."),
      h("ul", report.broken.map((one) => h("li", h("code", one.kind), ` in shard ${one.shard} at position ${number(one.position)}: ${one.why}`,
        one.stream && [" ", h("a", { href: `#/saga/${one.stream}` }, h("code", shortID(one.stream)))])))),
  unchained,
  h("details", { "data-key": "head" }, h("summary", `The head: the last chain of ${plural(used.length, "shard")}`),
    h("p.hint", "Two people who see the same head have the same history. Store ", h("code", report.store), "."),
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": "The head" }, h("table.list",
      h("thead", h("tr", h("th.num", { scope: "col" }, "Shard"), h("th.num", { scope: "col" }, "Events"), h("th", { scope: "col" }, "Chain"))),
      h("tbody", used.map((one) => h("tr", h("th.num", { scope: "row" }, one.shard), h("td.num", number(one.events)), h("td", h("code", one.chain))))))))];
}
