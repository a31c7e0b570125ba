// A verb on many sagas: which of them take it is looked at first, and shown; then the engine does it, at a rate.
import * as api from "./api.js";
import { dialog, field, h, put } from "./dom.js";
import { jsonForm } from "./forms.js";
import { duration, number, plural, shortID } from "./format.js";
import { badge, icon } from "./icons.js";
import { nearest } from "./json.js";
import { askUser, problemBox, verbLabel } from "./verbs.js";

const verbs = ["retry", "run-now", "pause", "resume", "extend", "skip", "resolve", "rewind", "compensate", "cancel", "abandon"];
const dangerous = ["compensate", "cancel", "abandon", "rewind"];
const needsStep = ["skip", "resolve", "rewind"];
const takesStep = ["retry", "run-now", "extend", ...needsStep];
const found = [["happened", "It happened"], ["didNotHappen", "It did not happen"], ["undone", "It was undone by hand"]];
const many = 200;

/**
 * Asks what to do with many sagas, and begins it.
 * @param target { filter } as lists take it, or { sagas: [ids] }
 * @param steps names of steps to choose from
 * @returns the operation, or nothing
 */
export async function actOnMany(target, { title, steps = [], verb = "retry" }) {
  if (!(await askUser())) return undefined;
  return dialog(title, (close) => build(target, steps, verb, close), { wide: true });
}

function build(target, steps, first, close) {
  const select = h("select", { id: "batch-verb", onchange: () => { showMore(); look(); } },
    verbs.map((verb) => h("option", { value: verb, selected: verb === first }, verbLabel(verb))));
  const more = h("div.row");
  const outcome = h("div", { id: "batch-preview" });
  const count = h("p.batch-count", { "aria-live": "polite" });
  const rate = h("input", { type: "number", id: "batch-rate", min: 0.01, max: 1000, step: "any", value: 10, required: true, oninput: () => showTime() });
  const ramp = h("input", { type: "text", id: "batch-ramp", value: "0s", autocomplete: "off", oninput: () => showTime() });
  const time = h("p.hint", { "aria-live": "polite" });
  const reason = h("textarea", { id: "reason", rows: 2, required: true, maxlength: 1000, "aria-required": "true" });
  const problem = h("div");
  const button = h("button.primary", { type: "submit", disabled: true }, "Begin");
  const key = api.keyed();
  let parts = {};
  let preview = null;
  let asked = 0;
  let busy = false;

  const showMore = () => {
    const verb = select.value;
    const changed = later(look);
    parts = {};
    if (takesStep.includes(verb)) {
      parts.step = h("input", { type: "text", id: "batch-step", list: "batch-steps", autocomplete: "off", spellcheck: "false",
        required: needsStep.includes(verb), oninput: changed });
    }
    if (verb === "resolve") {
      parts.outcome = h("select", { id: "batch-outcome", onchange: () => { showOutput(); look(); } }, found.map(([value, text]) => h("option", { value }, text)));
    }
    if (verb === "extend") parts.by = h("input", { type: "text", id: "batch-by", placeholder: "30m", required: true, autocomplete: "off", oninput: changed });
    const output = h("div.field");
    const showOutput = () => {
      parts.output = verb === "skip" || verb === "resolve" && parts.outcome.value === "happened"
        ? jsonForm({}, "Output, which later steps read; the same for each saga") : null;
      put(output, parts.output?.element);
      parts.output?.element.querySelector("textarea").addEventListener("input", changed);
    };
    showOutput();
    put(more,
      parts.step && [field(needsStep.includes(verb) ? "Step" : "Step (optional)", parts.step),
        h("datalist", { id: "batch-steps" }, steps.map((one) => h("option", { value: one })))],
      parts.outcome && field("What you found", parts.outcome),
      parts.by && field("By how much", parts.by, "As 30m or 2h"), parts.output && output);
    button.className = dangerous.includes(verb) ? "danger" : "primary";
    button.textContent = verbLabel(verb);
  };

  /** What the verb says; null while something is missing. */
  const request = () => {
    const body = { verb: select.value, ...target };
    const step = parts.step?.value.trim();
    if (parts.step?.required && !step || parts.by && !parts.by.value.trim()) return null;
    if (step) body.step = step;
    if (parts.outcome) body.outcome = parts.outcome.value;
    if (parts.by) body.by = parts.by.value.trim();
    if (parts.output) {
      body.output = parts.output.read();
      parts.output.element.querySelector("textarea").removeAttribute("aria-invalid");
    }
    return body;
  };

  const look = async ({ keepsProblem = false } = {}) => {
    const turn = ++asked;
    preview = null;
    button.disabled = true;
    put(time);
    if (!keepsProblem) put(problem);
    try {
      const body = request();
      put(outcome);
      put(count, body ? "Looking at each of them …" : parts.by ? "Say by how much." : "Name the step.");
      if (!body) return;
      const answer = await api.previewOperation(body);
      if (turn !== asked || !count.isConnected) return;
      preview = { body, ...answer };
      show();
    } catch (error) {
      if (turn !== asked) return;
      put(count);
      put(outcome, problemBox(error));
    }
  };

  const show = () => {
    const { takes, refuses, items } = preview;
    put(count, h("strong", `${plural(takes, "saga takes", "sagas take")} it`),
      refuses ? `, ${plural(refuses, "refuses", "refuse")} it as ${refuses === 1 ? "it stands" : "they stand"}.` : "; none refuses it.");
    const refusing = new Map();
    for (const one of items) if (!one.takes) refusing.set(one.code, [...(refusing.get(one.code) ?? []), one]);
    put(outcome,
      preview.needsApproval && h("p.notice", icon("clock"), " ", h("strong", "Another person has to agree"), " before anything is done."),
      refuses > 0 && h("ul.refusals", [...refusing].sort((a, b) => b[1].length - a[1].length).map(([code, list]) =>
        h("li", listing(`${number(list.length)} × ${code}: ${list[0].message}`, list, `refuse ${code}`)))),
      takes > 0 && listing(`Which ${takes === 1 ? "one takes" : `${number(takes)} take`} it`, items.filter((one) => one.takes), "takes"));
    button.textContent = `${verbLabel(preview.verb)} ${plural(takes, "saga")}`;
    button.disabled = takes === 0;
    showTime();
  };

  const showTime = () => {
    const seconds = preview && length(preview.sagas, nearest(rate.value), rampSeconds(ramp.value));
    put(time, Number.isFinite(seconds) && seconds !== null ? `It takes about ${duration(seconds * 1000)}, and can be stopped.` : "");
  };

  const fail = (input, text) => {
    input.setAttribute("aria-invalid", "true");
    put(problem, h("p.problem", { role: "alert" }, text));
    input.focus();
  };

  const begin = async (event) => {
    event.preventDefault();
    if (busy || !preview) return;
    for (const input of [rate, ramp, reason]) input.removeAttribute("aria-invalid");
    if (!reason.value.trim()) return fail(reason, "Say why: the reason is kept with each saga.");
    if (!(nearest(rate.value) >= 0.01 && nearest(rate.value) <= 1000)) return fail(rate, "The rate is a number from 0.01 to 1000 sagas a second.");
    busy = true;
    button.disabled = true;
    put(problem);
    try {
      const body = { ...preview.body, selection: preview.selection, rate: nearest(rate.value), ramp: ramp.value.trim() || "0s", reason: reason.value.trim() };
      close(await api.beginOperation(body, key(body)));
    } catch (error) {
      put(problem, problemBox(error));
      // Other sagas are found than were shown: they are looked at again, and the reason stays.
      if (error.code === "operation.changed") await look({ keepsProblem: true });
      button.disabled = !preview?.takes;
    } finally {
      busy = false;
    }
  };

  showMore();
  look();
  return h("form", { onsubmit: begin, novalidate: true },
    field("What to do", select), more, h("h3", "What will happen"), count, outcome,
    h("div.row", field("Sagas a second", rate), field("Reached within", ramp, "The rate rises evenly, as within 30s; 0s is at once.")), time,
    field("Reason", reason, "One reason, kept with each saga, with your name."),
    problem,
    h("div.actions", h("span.hint", `As ${api.userName()}`), h("button", { type: "button", onclick: () => close() }, "Not now"), button));
}

/** Exactly which, once somebody wants to see it. */
function listing(summary, items, key) {
  const body = h("div.which");
  let shown = 0;
  const show = () => {
    const next = items.slice(shown, shown + many);
    shown += next.length;
    body.querySelector("button")?.remove();
    const list = body.querySelector("ul") ?? body.appendChild(h("ul.plain-list"));
    list.append(...next.map((one) => h("li", h("a", { href: `#/saga/${one.saga}`, target: "_blank", rel: "noopener", title: `${one.saga}, in a new tab` },
      h("code", shortID(one.saga))), " ", one.workflow, " ", one.status && badge(one.status),
    // What the summary says of the first needn't be said again.
    !one.takes && one.message !== items[0].message && h("span.quiet", ` ${one.message}`))));
    if (shown < items.length) {
      body.append(h("button", { type: "button", onclick: show }, `Show ${number(Math.min(many, items.length - shown))} more of ${number(items.length)}`));
    }
  };
  return h("details", { "data-key": key, ontoggle: () => { if (!shown) show(); } }, h("summary", summary), body);
}

/** Seconds of `30s`, `2m`, `1h` or `500ms`; null for what the engine may know better. */
function rampSeconds(text) {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim() || "0s");
  return match ? nearest(match[1]) * { ms: 0.001, s: 1, m: 60, h: 3600 }[match[2]] : null;
}

/** How long so many sagas take: while the rate rises, `rate · t² / 2·ramp` have had their turn. */
function length(sagas, rate, ramp) {
  if (!(rate > 0) || ramp === null) return null;
  return sagas < (rate * ramp) / 2 ? Math.sqrt((2 * ramp * sagas) / rate) : sagas / rate + ramp / 2;
}

function later(work, ms = 400) {
  let timer = null;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, ms);
  };
}
