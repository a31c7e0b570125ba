// A verb on many sagas: first a preview of which sagas take it, then the operation, which the engine runs at a rate.
import * as api from "./api.js";
import { dialog, field, h, put } from "./dom.js";
import { jsonForm } from "./forms.js";
import { duration, number, plural } from "./format.js";
import { badge, icon } from "./icons.js";
import { nearest } from "./json.js";
import { idsOf, titleAndID } from "./labels.js";
import { later } from "./live.js";
import { actsAs, askUser, problemBox, verbLabel } from "./verbs.js";

const verbs = ["retry", "run-now", "pause", "resume", "extend", "skip", "resolve", "rewind", "compensate", "cancel", "abandon"];
const dangerous = ["compensate", "cancel", "abandon", "rewind"];
const needsStep = ["skip", "resolve", "rewind"];
const takesStep = ["retry", "run-now", "extend", ...needsStep];
const found = [["happened", "It happened"], ["didNotHappen", "It did not happen"], ["undone", "It was undone by hand"]];
const many = 200;

/**
 * Asks for a verb and a reason, and begins the operation.
 * @param target { filter } with the parameters of a list, or { sagas: [ids] }
 * @param steps names of steps to choose from
 * @param step the step of a verb that needs one, where it is known
 * @returns the operation, or nothing
 */
export async function actOnMany(target, { title, steps = [], step = "", verb = "retry" }) {
  if (!(await askUser())) return undefined;
  return dialog(title, (close) => build(target, { steps, step, first: verb }, close), { wide: true });
}

function build(target, { steps, step, first }, close) {
  const select = h("select", { id: "batch-verb", onchange: () => { showMore(); look(); } },
    verbs.map((verb) => h("option", { value: verb, selected: verb === first }, verbLabel(verb))));
  // The verb may change and the fields look the same: each verb has its own.
  const more = h("div.row", { "data-acts": "1" });
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
        required: needsStep.includes(verb), value: needsStep.includes(verb) ? step : "", oninput: changed });
    }
    if (verb === "resolve") {
      parts.outcome = h("select", { id: "batch-outcome", onchange: () => { showOutput(); look(); } },
        h("option", { value: "" }, "Choose …"), found.map(([value, text]) => h("option", { value }, text)));
    }
    if (verb === "extend") parts.by = h("input", { type: "text", id: "batch-by", placeholder: "30m", required: true, autocomplete: "off", oninput: changed });
    const output = h("div.field");
    const showOutput = () => {
      parts.output = verb === "skip" || verb === "resolve" && parts.outcome.value === "happened"
        ? jsonForm("Output for later steps, the same for each saga") : null;
      output.hidden = !parts.output;
      output.replaceChildren(...(parts.output ? [parts.output.element] : []));
      parts.output?.element.querySelector("textarea").addEventListener("input", changed);
    };
    showOutput();
    put(more,
      parts.step && [field(needsStep.includes(verb) ? "Step" : "Step (optional)", parts.step),
        h("datalist", { id: "batch-steps" }, steps.map((one) => h("option", { value: one })))],
      parts.outcome && field("What you found", parts.outcome),
      parts.by && field("By how much", parts.by, "For example 30m or 2h"), (parts.output || parts.outcome) && output);
    button.className = dangerous.includes(verb) ? "danger" : "primary";
    button.textContent = verbLabel(verb);
  };

  /** What a person has to enter before the request is whole. */
  const missing = () => (parts.step?.required && !parts.step.value.trim() ? "Enter a step." : parts.by && !parts.by.value.trim() ? "Enter a duration."
    : parts.outcome?.value === "" ? "Choose what you found." : parts.output?.element.querySelector("textarea").value.trim() === "" ? "Enter the output, {} if there is none." : null);

  /** The body of the request; null while something is missing. */
  const request = () => {
    const body = { verb: select.value, ...target };
    const step = parts.step?.value.trim();
    if (missing()) return null;
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
      put(count, missing() ?? "Checking each saga …");
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
      refuses ? `, ${plural(refuses, "refuses", "refuse")} it now.` : "; none refuses it.");
    const refusing = new Map();
    for (const one of items) if (!one.takes) refusing.set(one.code, [...(refusing.get(one.code) ?? []), one]);
    put(outcome,
      preview.needsApproval && h("p.notice", icon("clock"), " ", h("strong", "A second person must approve it"), " before it begins."),
      refuses > 0 && h("ul.refusals", [...refusing].sort((a, b) => b[1].length - a[1].length).map(([code, list]) =>
        h("li", listing(`${number(list.length)} × ${code}: ${list[0].message}`, list, `refuse ${code}`)))),
      takes > 0 && listing(`Which ${takes === 1 ? "one takes" : `${number(takes)} take`} it`, items.filter((one) => one.takes), "takes"));
    button.textContent = `${verbLabel(preview.verb)} ${plural(takes, "saga")}`;
    button.disabled = takes === 0;
    showTime();
  };

  const showTime = () => {
    const seconds = preview && length(preview.sagas, nearest(rate.value), rampSeconds(ramp.value));
    put(time, Number.isFinite(seconds) && seconds !== null ? `It takes about ${duration(seconds * 1000)}. You can stop it.` : "");
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
    if (!reason.value.trim()) return fail(reason, "Enter a reason. The history of each saga keeps it.");
    if (!(nearest(rate.value) >= 0.01 && nearest(rate.value) <= 1000)) return fail(rate, "The rate is a number from 0.01 to 1000 sagas a second.");
    busy = true;
    button.disabled = true;
    put(problem);
    try {
      const body = { ...preview.body, selection: preview.selection, rate: nearest(rate.value), ramp: ramp.value.trim() || "0s", reason: reason.value.trim() };
      close(await api.beginOperation(body, key(body)));
    } catch (error) {
      put(problem, problemBox(error));
      // The filters find other sagas than the preview showed: make a new preview, and keep the reason.
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
    h("div.row", field("Sagas a second", rate), field("Full rate after", ramp, "The rate rises evenly over this time, for example 30s. With 0s it is full at once.")), time,
    field("Reason", reason, "The history of each saga keeps it, with your name."),
    problem,
    h("div.actions", actsAs(), h("button", { type: "button", onclick: () => close() }, "Not now"), button));
}

/** A list of sagas that unfolds. */
function listing(summary, items, key) {
  const body = h("div.which");
  const id = idsOf(items);
  let shown = 0;
  const show = () => {
    const next = items.slice(shown, shown + many);
    shown += next.length;
    body.querySelector("button")?.remove();
    const list = body.querySelector("ul") ?? body.appendChild(h("ul.plain-list"));
    list.append(...next.map((one) => h("li", h("a", { href: `#/saga/${one.saga}`, target: "_blank", rel: "noopener", title: `${one.saga}, in a new tab` },
      titleAndID({ id: one.saga, title: one.title, key: one.key }, id)), " ", one.workflow, " ", one.status && badge(one.status),
    // The summary has the message of the first saga.
    !one.takes && one.message !== items[0].message && h("span.quiet", ` ${one.message}`))));
    if (shown < items.length) {
      body.append(h("button", { type: "button", onclick: show }, `Show ${number(Math.min(many, items.length - shown))} more of ${number(items.length)}`));
    }
  };
  return h("details", { "data-key": key, ontoggle: () => { if (!shown) show(); } }, h("summary", summary), body);
}

/** The seconds of `30s`, `2m`, `1h` or `500ms`; null for another text, which the engine checks. */
function rampSeconds(text) {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim() || "0s");
  return match ? nearest(match[1]) * { ms: 0.001, s: 1, m: 60, h: 3600 }[match[2]] : null;
}

/** The seconds that an operation takes. While the rate rises, it has acted on `rate · t² / 2·ramp` sagas after t seconds. */
function length(sagas, rate, ramp) {
  if (!(rate > 0) || ramp === null) return null;
  return sagas < (rate * ramp) / 2 ? Math.sqrt((2 * ramp * sagas) / rate) : sagas / rate + ramp / 2;
}
