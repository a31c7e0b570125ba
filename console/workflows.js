// Workflows: the list, and the page of one with its graph, its statistics and its definition.
import * as api from "./api.js";
import { fact, h, put } from "./dom.js";
import { duration, number, time, versionName } from "./format.js";
import { graphBox } from "./graph-box.js";
import { stepsOf } from "./order.js";
import { pagesOf } from "./pager.js";
import { folded, foldedNodes, foldPlan } from "./siblings.js";
import { failed, payload, problemBox, startSaga } from "./verbs.js";

export function workflowsPage(main) {
  const list = h("div");
  main.append(h("h1", "Workflows"), list);
  put(list, h("p.quiet.placeholder", "Loading …"));
  const load = async () => {
    try {
      const all = await api.workflows();
      put(list, all.length === 0 ? h("section", h("p.quiet", "No workflow is registered. ", h("code", "saga register FILE"), " registers one.")) : h("section", { "aria-label": "List of workflows" }, h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Workflows" },
        h("table.list", h("thead", h("tr", ["Workflow", "Latest", "Versions", "Owner"].map((name) => h("th", { scope: "col" }, name)))),
          h("tbody", all.map((one) => h("tr", { "data-row": one.name }, h("th", { scope: "row" },
            h("a", { href: `#/workflow/${encodeURIComponent(one.name)}`, "data-row-link": "" }, one.name), one.description && h("div.about", one.description)),
          h("td.num", one.draft ? versionName(one.version) : one.version), h("td", one.versions.map((version) => [h("a", {
            href: `#/workflow/${encodeURIComponent(one.name)}/${version}`, "aria-label": `${one.name}, ${String(version).startsWith("-") ? versionName(version) : `version ${version}`}` }, versionName(version)), " "])),
          h("td", one.owner ?? ""))))))));
    } catch (problem) {
      failed(list, problem);
    }
  };
  load();
  return { refresh: load, leave() {} };
}

export function workflowPage(main, { name, version, go }) {
  const head = h("div");
  const box = graphBox();
  const figures = h("div");
  const pages = pagesOf("steps", 50, () => showFigures(known));
  let known = null;
  const text = h("div");
  // A workflow that cannot be read has none of this.
  const rest = h("div", { hidden: true }, h("section", { "aria-label": "Graph" }, h("h2", "Graph"), box.element),
    h("section", { "aria-label": "Statistics" }, h("h2", "Statistics"), figures, pages.element),
    h("section", { "aria-label": "Definition" }, h("h2", "Definition"), text));
  main.append(head, rest);
  put(head, h("h1", name));
  let workflow = null;
  const draw = () => {
    const steps = stepsOf(workflow.definition);
    box.show(foldedNodes(folded(steps, foldPlan(steps))));
  };
  const load = async () => {
    try {
      workflow = await api.workflow(name, version);
      put(head, h("div.title-row", h("h1", workflow.name, " ", h("span.quiet", versionName(workflow.version))),
        api.may("start", workflow.name) && h("button.primary", { type: "button", "data-key": "start", onclick: async () => {
          const saga = await startSaga(workflow);
          if (saga?.id) go(`#/saga/${saga.id}`);
        } }, "Start a saga …")),
      workflow.description && h("p", workflow.description),
      h("dl.facts.inline", fact("Versions", workflow.versions.map((one) => [String(one) === String(workflow.version)
        ? h("strong", { "aria-current": "true" }, versionName(one))
        : h("a", { href: `#/workflow/${encodeURIComponent(name)}/${one}` }, versionName(one)), " "])),
      workflow.owner && fact("Owner", workflow.owner),
      fact("Registered", time(workflow.registeredAt), ` by ${workflow.registeredBy}`),
      fact("Sagas", h("a", { href: `#/sagas?workflow=${encodeURIComponent(name)}` }, "all"), ", ",
        h("a", { href: `#/sagas?${new URLSearchParams({ status: "stuck", workflow: name })}` }, "stuck"))));
      rest.hidden = false;
      draw();
      put(text, h("details", { "data-key": "definition" }, h("summary", "The JSON as it was registered"), payload(workflow.definition)));
      showFigures(await api.statistics(name).catch((error) => error));
    } catch (problem) {
      if (workflow) failed(head, problem);
      else put(head, h("h1", name), problemBox(problem));
    }
  };
  const showFigures = (answer) => {
    known = answer;
    if (answer instanceof Error) return failed(figures, answer);
    if (!answer.steps.length) return put(figures, h("p.quiet", "No step has run yet."));
    const columns = [["started", number], ["succeeded", number], ["failed", number], ["retried", number], ["undone", number],
      ["p50Ms", duration], ["p95Ms", duration], ["p99Ms", duration]];
    return put(figures, h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Table of the steps" }, h("table.list", h("thead", h("tr", h("th", { scope: "col" }, "Step"),
      ["Started", "Succeeded", "Failed", "Retried", "Undone", "50 % within", "95 % within", "99 % within"].map((one) => h("th.num", { scope: "col" }, one)))),
    h("tbody", pages.take(answer.steps).map((one) => h("tr", h("th", { scope: "row" }, one.step), columns.map(([key, show]) =>
      h("td.num", one.total?.[key] === undefined ? "–" : show(one.total[key])))))))));
  };
  const size = new ResizeObserver(() => { if (workflow) requestAnimationFrame(draw); });
  size.observe(main);
  load();
  return { refresh: load, leave: () => size.disconnect() };
}
