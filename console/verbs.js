// What a person can do to a saga: each with what will come of it, and a reason that is kept.
import * as api from "./api.js";
import { dialog, field, h, put, say } from "./dom.js";
import { formFor, jsonForm } from "./forms.js";
import { badge, icon } from "./icons.js";
import { shortID } from "./format.js";
import { pretty } from "./json.js";
import { behind } from "./why.js";

const ends = ["completed", "compensated", "abandoned"];

const labels = {
  retry: "Retry", resolve: "Resolve", skip: "Skip a step", compensate: "Compensate", cancel: "Cancel", pause: "Pause",
  resume: "Resume", abandon: "Abandon", "run-now": "Run now", extend: "Extend a deadline", rewind: "Rewind to a step",
};
export const verbLabel = (verb) => labels[verb] ?? verb;

/** What can be done to a saga now: [{verb, steps}]. An engine that doesn't say it is helped with what every engine has. */
export function verbsOf(saga) {
  if (Array.isArray(saga.verbs)) return saga.verbs.map((one) => (typeof one === "string" ? { verb: one } : one));
  if (ends.includes(saga.status)) return [];
  const steps = (saga.stuck ?? []).map((one) => one.step);
  if (saga.status === "stuck") {
    return [{ verb: "retry", steps }, { verb: "resolve", steps }, { verb: "abandon" },
      ...(saga.turnBack || saga.pivotPassed ? [] : [{ verb: "cancel" }])];
  }
  return saga.turnBack || saga.pivotPassed ? [] : [{ verb: "cancel" }];
}

/** What will come of a verb, as sentences. */
export function preview(saga, verb, { step, outcome, to } = {}) {
  const name = (id) => `“${id}”`;
  const blockers = (saga.stuck ?? []).filter((one) => !step || one.step === step);
  const done = saga.steps.filter((one) => ["succeeded", "running", "backingOff"].includes(one.status)
    || one.error?.outcome === "unknown" && one.status === "failed").map((one) => one.id);
  switch (verb) {
    case "retry":
      return blockers.length ? blockers.flatMap((one) => {
        const rest = one.phase === "undo" ? behind(saga, one.step) : [];
        return [one.phase === "undo" ? `The undo of ${name(one.step)} is tried again, under the same key.`
          : `${name(one.step)} is tried again, under the same key.`,
          rest.length ? `When it succeeds, ${rest.map(name).join(", ")} can be undone too.` : ""];
      }).filter(Boolean) : [step ? `${name(step)} is tried again.` : "What is stuck is tried again."];
    case "resolve":
      if (outcome === "undone") return [`The engine takes your word that ${name(step)} is undone, and calls nobody.`,
        "What waits behind it is undone next."];
      if (outcome === "happened") return [`The engine takes your word that ${name(step)} has happened, and goes on with this output.`];
      return [`The engine takes your word that ${name(step)} has not happened. The saga turns back.`];
    case "skip": return [`${name(step)} is not done. What depends on it goes on with this output.`];
    case "cancel": case "compensate":
      return done.length ? [`The saga turns back. These are undone, in reverse order: ${done.map(name).join(", ")}.`,
        "Attempts in flight settle first."] : ["The saga turns back; nothing has been done yet that would be undone."];
    case "pause": return ["Nothing new starts. Attempts in flight are recorded; backoffs, waits and the timeout stand still."];
    case "resume": return ["The saga goes on where it stood; its clocks run on."];
    case "abandon": {
      const left = saga.steps.filter((one) => ["succeeded", "undoFailed", "undoing"].includes(one.status)).map((one) => one.id);
      return ["The saga ends as it stands. The engine undoes nothing more.",
        left.length ? `Left over in the lab, for you to clear: what ${left.map(name).join(", ")} did.` : ""].filter(Boolean);
    }
    case "run-now": return [`${step ? name(step) : "What backs off or is delayed"} doesn't wait any longer.`];
    case "extend": return ["The deadline moves. Nothing else changes."];
    case "rewind": return [`Everything after ${name(to ?? step)} is undone, then the saga goes on from there, in a new round.`];
    default: return [`The engine does ${verb}.`];
  }
}

/** Asks who acts, once; null when it isn't told. */
export async function askUser({ again = false } = {}) {
  if (api.userName() && !again) return api.userName();
  return dialog("Who are you?", (close) => {
    const input = h("input", { type: "text", id: "user-name", value: api.userName(), maxlength: 200, required: true, autofocus: true,
      autocomplete: "username" });
    return h("form", { onsubmit: (event) => {
      event.preventDefault();
      const name = input.value.trim();
      if (!name) return input.focus();
      api.setUser(name);
      dispatchEvent(new Event("saga-user"));
      close(name);
    } },
    field("Your name or initials", input, "Kept in this browser, and in the history of every saga that you act on."),
    h("div.actions", h("button.primary", { type: "submit" }, "Keep")));
  }).then((name) => name ?? null);
}

/** A problem of the API as people read it. */
export function problemBox(problem) {
  const more = (problem.errors ?? []).filter((one) => one.message && one.message !== problem.message);
  return h("div.problem", { role: "alert" },
    h("p", h("strong", problem.title || "That didn't work"), ": ", problem.message),
    more.length > 0 && h("ul", more.map((one) => h("li", [one.pointer ?? one.parameter, one.message].filter(Boolean).join(": ")))),
    problem.allowed?.length > 0 && h("p", "What can be done now: ", problem.allowed.map((one) => one.verb ?? one).join(", "), "."),
    problem.code && h("p.hint", "Code ", h("code", problem.code), ", explained in docs/errors/", problem.code, ".md"));
}

/** The dialog of a verb. Resolves to the saga after it, to `{ operation }` when it waits for another person, or to nothing. */
export async function act(saga, verb, fixed = {}) {
  if (!(await askUser())) return undefined;
  const offer = verbsOf(saga).find((one) => one.verb === verb) ?? {};
  const steps = offer.steps ?? [];
  const result = await dialog(`${verbLabel(verb)}: ${saga.workflow}`, (close) => {
    const shown = h("ul.preview", { "aria-live": "polite" });
    const problem = h("div");
    const reason = h("textarea", { id: "reason", rows: 2, required: true, maxlength: 1000, "aria-required": "true" });
    const parts = [];
    const choice = {};
    const key = api.keyed();
    const update = () => put(shown, preview(saga, verb, { step: stepID(), outcome: choice.outcome?.value,
      to: choice.step?.value }).map((line) => h("li", line)));
    const needsStep = ["resolve", "skip", "rewind"].includes(verb);
    if (steps.length > 1 || verb === "extend" && steps.length) {
      choice.step = h("select", { id: "verb-step", onchange: () => changed() },
        !needsStep && h("option", { value: "" }, verb === "extend" ? "the saga's own deadline" : `all ${steps.length}`),
        steps.map((one) => h("option", { value: one, selected: one === fixed.step }, one)));
      parts.push(field(verb === "rewind" ? "Go back to" : verb === "extend" ? "What" : "Step", choice.step));
    } else if (steps.length) parts.push(h("p", "Step ", h("strong", steps[0])));
    const stepID = () => choice.step?.value || fixed.step || (steps.length === 1 ? steps[0] : undefined);
    const outcomes = h("div");
    let output = null;
    const changed = () => {
      if (verb === "resolve") {
        const blocker = (saga.stuck ?? []).find((one) => one.step === stepID());
        const options = blocker?.phase === "undo" ? [["undone", "It was undone by hand"]]
          : [["happened", "It happened"], ["didNotHappen", "It did not happen"]];
        if (options.length > 1) {
          choice.outcome = h("select", { id: "verb-outcome", onchange: () => { showOutput(); update(); } },
            options.map(([value, text]) => h("option", { value }, text)));
          put(outcomes, field("What you found", choice.outcome));
        } else {
          choice.outcome = { value: options[0][0] };
          put(outcomes, h("p", "What you found: ", h("strong", options[0][1])));
        }
        showOutput();
      }
      update();
    };
    const outputs = h("div");
    const showOutput = () => {
      const wants = verb === "skip" || verb === "resolve" && choice.outcome?.value === "happened";
      output = wants ? jsonForm({}, "Output, which later steps read") : null;
      put(outputs, output?.element);
    };
    if (verb === "skip") showOutput();
    // An engine that says which verbs it takes can also retry a step with other input.
    const other = verb === "retry" && saga.verbs && (saga.stuck ?? []).some((one) => one.phase === "forward")
      ? jsonForm(saga.input, "What the step reads instead of the saga's input") : null;
    const others = other && h("details", { "data-key": "other-input" }, h("summary", "With other input"), other.element,
      h("p.hint", "It makes a new round, under a new key; name one step."));
    const moment = verb === "extend" ? h("input", { type: "text", id: "verb-by", placeholder: "30m", required: true }) : null;
    changed();
    let busy = false;
    const submit = async (event) => {
      event.preventDefault();
      if (busy) return;
      if (!reason.value.trim()) {
        reason.setAttribute("aria-invalid", "true");
        put(problem, h("p.problem", { role: "alert" }, "Say why: the reason is kept in the saga's history."));
        return reason.focus();
      }
      try {
        const body = { reason: reason.value.trim() };
        const step = stepID();
        if (step) body.step = step;
        if (choice.outcome) body.outcome = choice.outcome.value;
        if (output) body.output = output.read();
        if (others?.open) body.input = other.read();
        if (moment) body.by = moment.value.trim();
        if (saga.verbs) body.expectedVersion = saga.lastEvent;
        busy = true;
        button.disabled = true;
        const { saga: after, operation } = await api.act(saga.id, verb, body, key(body));
        if (operation) return waits(operation);
        say(`${verbLabel(verb)} is done. The saga is ${after?.status ?? "changed"}.`);
        close(after ?? true);
      } catch (error) {
        put(problem, problemBox(error));
      } finally {
        busy = false;
        button.disabled = false;
      }
    };
    const button = h("button", { type: "submit", class: ["abandon", "cancel", "compensate"].includes(verb) ? "danger" : "primary" },
      verbLabel(verb));
    const waits = (operation) => {
      const link = h("a.button.primary", { href: `#/operation/${operation.id}`, onclick: () => close({ operation }) }, "See it");
      form.replaceChildren(...operationWaits(operation), h("div.actions",
        h("button", { type: "button", onclick: () => close({ operation }) }, "Close"), link));
      say(`${verbLabel(verb)} waits for another person.`);
      link.focus();
    };
    const form = h("form", { onsubmit: submit },
      h("p", badge(saga.status), " ", h("code", shortID(saga.id)), `, last event ${saga.lastEvent}`),
      parts, outcomes, outputs, others, moment && field("By how much", moment, "As 30m or 2h"),
      h("h3", "What will happen"), shown,
      field("Reason", reason, "Kept in the saga's history, with your name."),
      problem,
      h("div.actions", h("span.hint", `As ${api.userName()}`),
        h("button", { type: "button", onclick: () => close() }, "Not now"), button));
    return form;
  });
  return result;
}

/** What is said of a verb that another person has to agree to. */
const operationWaits = (operation) => [
  h("p.notice", icon("clock"), h("strong", " It waits for another person.")),
  h("p", `Nothing is done to the saga before somebody other than ${operation.by} agrees. `,
    "It stands in the overview, and among the operations, until then."),
];

/** Sends a signal, by a form made from its schema. */
export async function sendSignal(saga, name, schema) {
  if (!(await askUser())) return undefined;
  return dialog(`Send the signal ${name}`, (close) => {
    const form = formFor(schema);
    const problem = h("div");
    return h("form", { onsubmit: async (event) => {
      event.preventDefault();
      try {
        const answer = await api.signal(saga.id, name, form.read());
        say(`The signal is ${answer.answer}.`);
        close(answer);
      } catch (error) {
        put(problem, problemBox(error));
      }
    } }, form.element, problem, h("div.actions", h("span.hint", `As ${api.userName()}`),
      h("button.primary", { type: "submit" }, "Send")));
  });
}

/** Starts a saga, by a form made from the workflow's input schema. */
export async function startSaga(workflow) {
  if (!(await askUser())) return undefined;
  return dialog(`Start ${workflow.name}`, (close) => {
    const form = formFor(workflow.definition?.inputSchema);
    const key = h("input", { type: "text", autocomplete: "off" });
    const problem = h("div");
    return h("form", { onsubmit: async (event) => {
      event.preventDefault();
      try {
        close(await api.start(workflow.name, { input: form.read(), version: workflow.version }, key.value.trim()));
      } catch (error) {
        put(problem, problemBox(error));
      }
    } }, form.element, field("Key (optional)", key, "Starting twice with one key is starting once."), problem,
    h("div.actions", h("span.hint", `As ${api.userName()}`), h("button.primary", { type: "submit" }, `Start version ${workflow.version}`)));
  }, { wide: true });
}

export const payload = (value) => h("pre", { tabindex: 0 }, pretty(value));
