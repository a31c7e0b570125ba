// The list of sagas: filters in the address, facets, saved views, pages, and verbs on many sagas.
import * as api from "./api.js";
import { actOnMany } from "./batch.js";
import { dialog, field, h, put, say } from "./dom.js";
import { number, plural, since, time, versionName, zone } from "./format.js";
import { badge, icon } from "./icons.js";
import { read, write } from "./json.js";
import { idsOf, knownAs, labelChips, titleAndID } from "./labels.js";
import { gently, listen } from "./live.js";
import { fromLocal, toLocal } from "./local-time.js";
import { behindNote } from "./needs.js";
import { failed } from "./verbs.js";

const statuses = ["stuck", "running", "compensating", "completed", "compensated", "abandoned"];
const flags = [["overdue", "Overdue"], ["paused", "Paused"]];
const texts = [
  ["workflow", "Workflow"], ["q", "Text"], ["step", "Step"], ["stepStatus", "Step status"], ["error", "Error code"], ["cause", "Turned back because of"],
  ["incident", "Incident"],
  ["key", "Key"], ["tag", "Tag"], ["parent", "Child of"], ["waitingFor", "Waits for"], ["minAttempts", "Attempts (at least)"], ["version", "Version"],
];
const moments = [
  ["startedAfter", "Started after"], ["startedBefore", "Started before"], ["endedAfter", "Ended after"], ["endedBefore", "Ended before"],
];
const sorts = [["", "newest first"], ["startedAt", "oldest first"], ["-updatedAt", "last changed first"], ["-endedAt", "last ended first"]];
const names = new Set(["status", "sort", "stuck", ...flags.map((f) => f[0]), ...texts.map((f) => f[0]), ...moments.map((f) => f[0])]);

export function sagas(main, { parameters, go, kept }) {
  const filters = Object.fromEntries([...parameters].filter(([name, value]) => names.has(name) && value));
  // A list may be filtered by several labels. The field adds one.
  const labels = [...new Set(parameters.getAll("label").filter(Boolean))];
  if (labels.length > 0) filters.label = labels;
  const cursors = kept?.cursors ?? [parameters.get("cursor") ?? ""];
  const chosen = new Set(kept?.chosen);
  let page = { sagas: [] };
  const chips = h("div.chips", { role: "group", "aria-label": "Status" });
  const views = h("div.views");
  const notice = h("div");
  const list = h("div", { "data-acts": "1" });
  const bar = h("div.batch");
  const pager = h("nav.pager", { "aria-label": "Pages of the list" });

  const open = (changes) => {
    const search = api.search({ ...filters, ...changes });
    go(`#/sagas${search.size ? `?${search}` : ""}`);
  };
  const control = (name, label, type = "text") => h("div.field", h("label", { for: `filter-${name}` }, type === "datetime-local" ? `${label} (${zone()})` : label),
    h("input", { id: `filter-${name}`, name, type, value: type === "datetime-local" ? toLocal(filters[name]) : filters[name] ?? "",
      autocomplete: "off", spellcheck: "false" }));
  const more = texts.slice(2);
  const form = h("form.filters", { onsubmit: (event) => {
    event.preventDefault();
    const changes = {};
    for (const input of form.elements) {
      if (!input.name) continue;
      // The control shows minutes. A time that was not changed stays as exact as it is in the address.
      changes[input.name] = input.type === "datetime-local"
        ? (input.value === toLocal(filters[input.name]) ? filters[input.name] ?? "" : fromLocal(input.value))
        : input.type === "checkbox" ? (input.checked ? "true" : "") : input.value.trim();
    }
    changes.label = [...labels, changes.label];
    open(changes);
  } },
  h("div.row", texts.slice(0, 2).map(([name, label]) => control(name, label)),
    h("div.field", h("label", { for: "filter-sort" }, "Order"), h("select", { id: "filter-sort", name: "sort" },
      sorts.map(([value, label]) => h("option", { value, selected: (filters.sort ?? "") === value }, label)))),
    h("div.field", h("label", { for: "filter-label" }, labels.length > 0 ? "One more label" : "Label"),
      h("input", { id: "filter-label", name: "label", type: "text", placeholder: "name:value", autocomplete: "off", spellcheck: "false" })),
    h("div.field.checks", flags.map(([name, label]) => h("label.check", h("input", { type: "checkbox", name, checked: filters[name] === "true" }), label))),
    h("div.field.buttons", h("button.primary", { type: "submit" }, "Filter"), h("a.button", { href: "#/sagas" }, "Clear"))),
  h("details", { "data-key": "more-filters", open: [...more, ...moments].some(([name]) => filters[name]) }, h("summary", "More filters"),
    h("div.row", more.map(([name, label]) => control(name, label)), moments.map(([name, label]) => control(name, label, "datetime-local")))));

  const without = labels.length > 0 && h("div.chips", { role: "group", "aria-label": "Only with these labels" }, labels.map((label) =>
    h("span.view", label, h("button.plain", { type: "button", "aria-label": `Remove the filter ${label}`, onclick: () =>
      open({ label: labels.filter((one) => one !== label) }) }, "✕"))));

  main.append(h("div.title-row", h("h1", "Sagas"), views), chips, form, without || "", notice, bar,
    h("section", { "aria-label": "List of sagas" }, list), pager);

  const wanted = () => new Set((filters.status ?? "").split(",").filter(Boolean));
  const showChips = (facets) => put(chips, statuses.map((status) => {
    const on = wanted().has(status);
    const count = facets?.status?.[status];
    return h("button.chip", { type: "button", "aria-pressed": String(on), "data-key": `chip ${status}`, onclick: () => {
      const next = wanted();
      if (!next.delete(status)) next.add(status);
      open({ status: [...next].join(",") });
    } }, badge(status), count !== undefined && h("span.num.facet", facets?.atLeast ? "≥ " : "", number(count)));
  }), ["workflow", "error", "cause", "step"].map((name) => facetList(name, facets?.[name])));
  const facetList = (name, values) => values && Object.keys(values).length > 0 && h("details.facet-list", { "data-key": `facet ${name}` },
    h("summary", name), h("ul", Object.entries(values).sort((a, b) => b[1] - a[1]).slice(0, 12).map(([value, count]) =>
      h("li", h("button.plain", { type: "button", onclick: () => open({ [name]: value }) }, value, " ", h("span.num", number(count)))))));

  const load = async () => {
    try {
      const cursor = cursors.at(-1);
      page = await api.listSagas({ ...filters, cursor, limit: 50 }, { facets: true });
      showChips(page.facets);
      put(notice, page.lists && behindNote(page), page.behind && h("p.notice", icon("clock"), " The list does not show the newest events yet."));
      showList();
    } catch (problem) {
      failed(list, problem);
    }
  };

  const showList = () => {
    for (const id of [...chosen]) if (!page.sagas.some((one) => one.id === id)) chosen.delete(id);
    const all = h("input", { type: "checkbox", "aria-label": "Select all on this page", "data-key": "all",
      checked: page.sagas.length > 0 && chosen.size === page.sagas.length, indeterminate: chosen.size > 0 && chosen.size < page.sagas.length,
      onchange: () => {
        if (chosen.size === page.sagas.length) chosen.clear();
        else page.sagas.forEach((one) => chosen.add(one.id));
        showList();
      } });
    const ids = idsOf(page.sagas);
    put(list, page.sagas.length === 0 ? h("p.quiet", Object.keys(filters).length > 0 ? "No saga matches these filters." : ["There is no saga yet. Start one from its ", h("a", { href: "#/workflows" }, "workflow"), "."])
      : h("div.scroll", { tabindex: 0, role: "region", "aria-label": "List of sagas, scrolls sideways" }, h("table.list",
        h("caption.sr", `${plural(page.sagas.length, "saga")} on this page`),
        h("thead", h("tr", api.may("operate") && h("th", { scope: "col" }, all), ["Status", "Saga", "Why", "Workflow", "Started", "Changed"].map((name) =>
          h("th", { scope: "col" }, name)))),
        h("tbody", page.sagas.map((saga) => row(saga, ids))))));
    showBar();
    put(pager, cursors.length > 1 && h("button", { type: "button", "data-key": "prev", onclick: () => { cursors.pop(); chosen.clear(); load(); } }, "← Previous page"),
      (page.next || cursors.length > 1) && h("span.quiet", `Page ${cursors.length}`),
      page.next && h("button", { type: "button", "data-key": "next", onclick: () => { cursors.push(page.next); chosen.clear(); load(); } }, "Next page →"));
  };

  const row = (saga, id) => h("tr", { "data-row": saga.id },
    api.may("operate") && h("td", h("input", { type: "checkbox", "aria-label": `Select ${knownAs(saga, id)}`, "data-key": `choose ${saga.id}`, "data-choose": "",
      checked: chosen.has(saga.id), onchange: (event) => {
        if (event.target.checked) chosen.add(saga.id);
        else chosen.delete(saga.id);
        showList();
      } })),
    h("td", badge(saga.status), saga.paused && badge("paused"), saga.overdue && badge("overdue")),
    h("td", h("a", { href: `#/saga/${saga.id}`, "data-row-link": "", title: saga.id }, titleAndID(saga, id)), labelChips(saga),
      saga.title && saga.key && h("div.quiet.clip", saga.key), saga.tags?.length > 0 && h("div.quiet.clip", saga.tags.join(", "))),
    h("td.reason", saga.failedStep && h("span", saga.failedStep, " "), saga.failureCode && h("code", saga.failureCode),
      // What stops it now is not always what turned it back.
      saga.causeCode && saga.causeCode !== saga.failureCode && h("div.quiet", "turned back because of ", h("code", saga.causeCode)),
      saga.waitingFor?.length > 0 && h("span.quiet", ` waits for ${[saga.waitingFor].flat().join(", ")}`)),
    h("td", saga.workflow, " ", h("span.quiet", versionName(saga.version))),
    h("td", time(saga.startedAt)), h("td", since(saga.updatedAt)));

  const { sort: _, ...finding } = filters;
  const actOn = async (target, count, rows) => {
    const operation = await actOnMany(target, {
      title: `Act on ${count}`, verb: usualVerb(rows, filters),
      steps: [...new Set([...Object.keys(page.facets?.step ?? {}), ...rows.map((one) => one.failedStep)])].filter(Boolean).sort() });
    if (operation) go(`#/operation/${operation.id}`);
  };

  let said = 0;
  const showBar = () => {
    if (chosen.size !== said) say(`${plural(chosen.size, "saga")} selected`);
    said = chosen.size;
    // A verb goes to all sagas that the filters find, or to those that are selected.
    const total = Object.values(page.facets?.status ?? {}).reduce((sum, one) => sum + one, 0);
    const all = `${page.facets?.atLeast ? "≥ " : ""}${number(total)}`;
    const canAll = total > 0 && Object.keys(finding).length > 0;
    if (!api.may("operate")) return put(bar, total > 0 && h("p.quiet", `${all} found.`));
    return put(bar, chosen.size > 0 || canAll ? h("div.bar",
      chosen.size > 0 && [h("strong", plural(chosen.size, "saga"), " selected"),
        h("button.primary", { type: "button", "data-key": "batch", onclick: () =>
          actOn({ sagas: [...chosen] }, plural(chosen.size, "saga"), page.sagas.filter((one) => chosen.has(one.id))) },
        chosen.size === 1 ? "Act on this one …" : `Act on these ${number(chosen.size)} …`),
        h("button", { type: "button", "data-key": "none", onclick: () => { chosen.clear(); showList(); } }, "Clear selection")],
      canAll && h("button", { type: "button", "data-key": "batch-all", onclick: () => actOn({ filter: finding }, `all ${all} found`, page.sagas) },
        `Act on all ${all} found …`))
      : total > 0 && h("p.quiet", `${all} found. To act on many at once, set a filter or select some.`));
  };

  showViews(views, filters);
  showChips(null);
  put(list, h("p.quiet.placeholder", "Loading …"));
  load().then(() => say(`${plural(page.sagas.length, "saga")} on this page`));
  const soon = gently(load, 700);
  const ends = listen(soon);
  return { refresh: soon, choice: () => ({ cursors, chosen: [...chosen] }), leave: ends };
}

/** The verb that the dialog proposes for these sagas. */
function usualVerb(rows, filters) {
  if (filters.paused === "true" || rows.length > 0 && rows.every((one) => one.paused)) return "resume";
  return rows.length > 0 && rows.every((one) => one.status === "running") ? "pause" : "retry";
}

// Filters that a person saved under a name, in this browser.
function readViews() {
  try {
    const views = read(localStorage.getItem("saga.views") ?? "[]");
    return Array.isArray(views) ? views.filter((view) => typeof view?.name === "string" && typeof view?.search === "string") : [];
  } catch {
    return [];
  }
}
const writeViews = (views) => localStorage.setItem("saga.views", write(views));

function showViews(place, filters) {
  const views = readViews();
  put(place,
    views.map((view) => h("span.view", h("a", { href: `#/sagas?${view.search}` }, view.name),
      h("button.plain", { type: "button", "aria-label": `Delete the view ${view.name}`, onclick: () => {
        writeViews(readViews().filter((one) => one.name !== view.name));
        showViews(place, filters);
      } }, "✕"))),
    h("button", { type: "button", onclick: async () => {
      const name = await dialog("Save this view", (close) => {
        const input = h("input", { type: "text", required: true, maxlength: 60, autofocus: true });
        return h("form", { onsubmit: (event) => {
          event.preventDefault();
          if (input.value.trim()) close(input.value.trim());
        } }, field("Name", input, "This browser keeps the filters under this name."),
        h("div.actions", h("button.primary", { type: "submit" }, "Save")));
      });
      if (!name) return;
      writeViews([...readViews().filter((one) => one.name !== name), { name, search: api.search(filters).toString() }]);
      showViews(place, filters);
    } }, "Save view"));
}
