// The verbs on a saga: each with its preview, and with a reason that the history keeps.
import * as api from "./api.js";
import { dialog, field, forget, h, isStale, put, say } from "./dom.js";
import { formFor, jsonForm } from "./forms.js";
import { badge, icon } from "./icons.js";
import { time, versionName } from "./format.js";
import { titleAndID } from "./labels.js";
import { pretty } from "./json.js";
import { stepsOf } from "./order.js";
import { stepList } from "./siblings.js";

const mostNamed = 8;
const dangerous = ["abandon", "cancel", "compensate", "rewind"];

const labels = {
  retry: "Retry", resolve: "Resolve", skip: "Skip a step", compensate: "Compensate", cancel: "Cancel", pause: "Pause",
  resume: "Resume", abandon: "Abandon", "run-now": "Run now", extend: "Extend a deadline", rewind: "Rewind to a step",
  migrate: "Move to another version",
};
export const verbLabel = (verb) => labels[verb] ?? verb;

/** The buttons of all verbs that the saga takes now and the caller may use, but for those in `without`. */
export const verbButtons = (saga, done, without = new Set()) => saga.verbs.filter(({ verb }) => api.may("operate") && !without.has(verb)).map(({ verb }) =>
  h("button", { type: "button", "data-key": `verb ${verb}`, "data-verb": verb, class: dangerous.includes(verb) ? "danger" : "",
    onclick: async () => { if (await act(saga, verb)) done(); } }, `${verbLabel(verb)} …`));

/** The signal, as the workflow has it, for which a step or an item, or its undo, waits. */
const signalAction = (saga, definition, id, name) => {
  const stepID = id.split("[")[0];
  const step = stepsOf(definition).find((one) => one.id === stepID);
  const undo = step?.compensation?.signal;
  // A step that is being undone no longer waits for a signal of its own.
  const isUndo = undo?.name === name && (step.signal?.name !== name || saga.steps.find((one) => one.id === stepID)?.undo);
  return isUndo ? undo : step?.signal;
};
export const signalSchema = (...names) => signalAction(...names)?.schema;

/** Why the person may not send a signal; null when they may. An engine without keys compares no roles. */
export const signalBar = (...names) => {
  const roles = signalAction(...names)?.roles ?? [];
  const me = api.caller();
  return !me || roles.length === 0 || roles.some((role) => me.labRoles?.includes(role)) ? null
    : `Only for the laboratory role ${roles.join(" or ")}.`;
};

/** What the engine says would help, in its words: a button for each option that the caller may use, with its purpose. */
export const nextSteps = (saga, definition, done) => saga.why.next
  .filter(({ verb }) => (verb === "signal" ? api.may("signal", saga.workflow) : api.may("operate"))).map((option, index) => {
  const { verb, step, signal: name, outcome, purpose } = option;
  const act_ = () => (verb === "signal" ? sendSignal(saga, name, signalSchema(saga, definition, step, name))
    : act(saga, verb, { step }));
  const bar = verb === "signal" ? signalBar(saga, definition, step, name) : null;
  // Of two answers to what happened, none is proposed.
  const first = index === 0 && (verb === "signal" || saga.status === "stuck" && saga.why.outcome !== "unknown");
  return h("li", h("button", { type: "button", "data-key": verb === "signal" ? `signal ${name}` : `next ${verb} ${step ?? ""} ${outcome ?? ""}`,
    "data-verb": verb, class: dangerous.includes(verb) ? "danger" : first ? "primary" : "", disabled: bar !== null,
    onclick: async () => { if (await act_()) done(); } }, verb === "signal" ? `Send ${name} …` : `${verbLabel(verb)} …`),
  h("span", purpose, bar && h("span.quiet", " ", bar)));
});

/** The steps before this one that are undone after it. */
function behind(saga, step) {
  const before = new Set();
  const visit = (id) => {
    const members = saga.steps.filter((other) => other.group === id).map((other) => other.id);
    for (const one of [...saga.steps.find((other) => other.id === id)?.dependsOn ?? [], ...members]) {
      if (!before.has(one)) {
        before.add(one);
        visit(one);
      }
    }
  };
  visit(step);
  return saga.steps.filter((one) => before.has(one.id) && one.status === "succeeded").map((one) => one.id);
}

/** The preview of a verb, as sentences. */
export function preview(saga, verb, { step, outcome, to, item } = {}) {
  const name = (id) => `“${id}”`;
  // A few steps are named one by one; of a plate, what their names have in common.
  const named = (ids) => (ids.length <= mostNamed ? ids.map(name).join(", ") : stepList(ids));
  const blockers = (saga.stuck ?? []).filter((one) => !step || one.step === step);
  const done = saga.steps.filter((one) => ["succeeded", "running", "backingOff"].includes(one.status)
    || one.error?.outcome === "unknown" && one.status === "failed").map((one) => one.id);
  switch (verb) {
    case "retry":
      if (blockers.length > mostNamed) return [`The engine tries these steps again, with the same idempotency keys: ${named(blockers.map((one) => one.step))}.`];
      return blockers.length ? blockers.flatMap((one) => {
        const rest = one.phase === "undo" ? behind(saga, one.step) : [];
        return [one.phase === "undo" ? `The engine tries the undo of ${name(one.step)} again, with the same idempotency key.`
          : `The engine tries ${name(one.step)} again, with the same idempotency key.`,
          rest.length ? `Then it can undo ${named(rest)}.` : ""];
      }).filter(Boolean) : [step ? `The engine tries ${name(step)} again.` : "The engine tries all stuck steps again."];
    case "resolve":
      if (outcome === "undone") return [`The engine records that you have undone ${name(step)} by hand. It calls no service.`,
        "Then it undoes the steps that wait for this one."];
      if (outcome === "happened") return [`The engine records that ${name(step)} happened, and continues with this output.`];
      return [`The engine records that ${name(step)} did not happen. ${item ? "The item stays failed, and is not undone." : "Compensation starts."}`];
    case "skip": return [`The engine does not run ${name(step)}. Later steps read this output.`,
      item ? "A skipped item does not count as failed." : ""].filter(Boolean);
    case "cancel": case "compensate":
      return done.length ? [`Compensation starts. The engine undoes these steps, in reverse order: ${named(done)}.`,
        "Attempts under way end first."] : ["Compensation starts. No step has anything to undo."];
    case "pause": return ["No new attempt starts. The engine records the results of attempts under way.", "Backoffs, waits and the timeout stop until you resume the saga."];
    case "resume": return ["The saga continues where it was. Its clock runs again."];
    case "abandon": {
      const left = saga.steps.filter((one) => ["succeeded", "undoFailed", "undoing"].includes(one.status)).map((one) => one.id);
      return ["The saga ends as it is. The engine undoes nothing more.",
        left.length ? `You must clear by hand what these steps did: ${named(left)}.` : ""].filter(Boolean);
    }
    case "run-now": return [step ? `${name(step)} no longer waits for its next attempt or look, or for the end of its delay.`
      : "The steps no longer wait for their next attempt or look, or for the end of their delay."];
    case "extend": return ["The deadline becomes later. Nothing else changes."];
    case "rewind": return [`The engine undoes ${name(to ?? step)} and all steps after it. Then the saga begins again there, in a new round.`];
    default: return [];
  }
}

/** The name under which a dialog acts. It stays the true one when another tab signs in under another name. */
export const actsAs = () => h("span.hint", { "data-acts-as": "" }, `As ${api.userName()}`);

/** Asks for the name of the person, once; null when the dialog is closed without one. */
export async function askUser({ again = false } = {}) {
  if (api.caller() || (api.userName() && !again)) return api.userName();
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
    field("Your name or initials", input, "This browser keeps it, and so does the history of every saga that you act on."),
    h("div.actions", h("button.primary", { type: "submit" }, "Save")));
  }).then((name) => name ?? null);
}

/**
 * Shows that a part of the page could not be read: what was known stays, grey, "as of" its time. Without it, the part shows the
 * problem alone.
 */
export function failed(place, problem) {
  // The banner above the page says that the engine is away.
  const isAway = problem.code === "network";
  const isNothing = !place.firstChild;
  if (isAway && isNothing) return;
  const isKept = !isNothing && isStale(place, (at) => [h("p.quiet", "As of ", time(at, { short: true })), !isAway && problemBox(problem)]);
  if (isKept) return;
  put(place, problemBox(problem));
  // The problem is not what is known of this part.
  forget(place);
}

/** An error of the API, for people. */
export function problemBox(problem) {
  const more = (problem.errors ?? []).filter((one) => one.message && one.message !== problem.message);
  return h("div.problem", { role: "alert" },
    h("p", h("strong", problem.title || (problem instanceof api.Problem ? "The request failed" : "Nothing was sent")), ": ", problem.message),
    more.length > 0 && h("ul", more.map((one) => h("li", [one.pointer ?? one.parameter, one.message].filter(Boolean).join(": ")))),
    problem.allowed?.length > 0 && h("p", "The saga takes now: ", problem.allowed.map((one) => one.verb ?? one).join(", "), "."),
    problem.code && h("p.hint", "Code ", problem.page ? h("a", { href: problem.page, target: "_blank", rel: "noopener" }, h("code", problem.code)) : h("code", problem.code)));
}

/**
 * The dialog of a verb. Resolves to the saga after it, to `{ operation }` when it waits for a second person, or to nothing.
 * @param fixed { step } to begin with; { step, item } for one item of a step with forEach
 */
export async function act(saga, verb, fixed = {}) {
  if (!(await askUser())) return undefined;
  const offer = saga.verbs.find((one) => one.verb === verb) ?? {};
  const steps = offer.steps ?? [];
  const result = await dialog(`${verbLabel(verb)}: ${saga.workflow}`, (close) => {
    const shown = h("ul.preview", { "aria-live": "polite" });
    const problem = h("div");
    const reason = h("textarea", { id: "reason", rows: 2, required: true, maxlength: 1000, "aria-required": "true" });
    const parts = [];
    const choice = {};
    const key = api.keyed();
    const update = () => put(shown, missing() ? h("li", missing()) : preview(saga, verb, { step: stepID(), outcome: choice.outcome?.value,
      to: choice.step?.value, item: fixed.item }).map((line) => h("li", line)));
    const needsStep = ["resolve", "skip", "rewind"].includes(verb);
    /** What a person has to choose before the preview can say what will happen. */
    const missing = () => (needsStep && choice.step && !choice.step.value ? "Choose a step." : choice.outcome?.value === "" ? "Choose what you found." : null);
    if (fixed.item) parts.push(h("p", "Item ", h("strong", fixed.step)));
    else if (steps.length > 1 || verb === "extend" && steps.length) {
      choice.step = h("select", { id: "verb-step", required: needsStep, onchange: () => changed() },
        h("option", { value: "" }, needsStep ? "Choose …" : verb === "extend" ? "the saga's deadline" : `all ${steps.length}`),
        steps.map((one) => h("option", { value: one, selected: one === fixed.step }, one)));
      parts.push(field(verb === "rewind" ? "Go back to" : verb === "extend" ? "What" : "Step", choice.step));
    } else if (steps.length) parts.push(h("p", "Step ", h("strong", steps[0])));
    const stepID = () => choice.step?.value || fixed.step || (steps.length === 1 ? steps[0] : undefined);
    const outcomes = h("div");
    let output = null;
    const changed = () => {
      if (verb === "resolve") {
        const blocker = (saga.stuck ?? []).find((one) => one.step === stepID());
        // What a person found is theirs to say: nothing is chosen before.
        const options = blocker?.phase === "undo" || fixed.item?.status === "undoFailed" ? [["undone", "You have undone it by hand"]]
          : [["happened", "It happened"], ...(fixed.item && fixed.item.error?.outcome !== "unknown" ? [] : [["didNotHappen", "It did not happen"]])];
        choice.outcome = h("select", { id: "verb-outcome", required: true, onchange: () => { showOutput(); update(); } },
          h("option", { value: "" }, "Choose …"), options.map(([value, text]) => h("option", { value }, text)));
        put(outcomes, field("What you found", choice.outcome));
        showOutput();
      }
      update();
    };
    const outputs = h("div");
    const showOutput = () => {
      const wants = verb === "skip" || verb === "resolve" && choice.outcome?.value === "happened";
      output = wants ? jsonForm("Output for later steps") : null;
      put(outputs, output?.element);
    };
    if (verb === "skip") showOutput();
    const takesInput = fixed.item ? fixed.item.status === "failed" && fixed.item.error?.outcome !== "unknown"
      : (saga.stuck ?? []).some((one) => one.phase === "forward");
    const other = verb === "retry" && takesInput
      ? jsonForm(`Input of the ${fixed.item ? "item" : "step"}, instead of the saga's input`, { value: fixed.item?.input ?? saga.input }) : null;
    const others = other && h("details", { "data-key": "other-input" }, h("summary", "With other input"), other.element,
      h("p.hint", fixed.item ? "The item begins a new round with a new key." : "The step begins a new round with a new key. Choose one step."));
    const moment = verb === "extend" ? h("input", { type: "text", id: "verb-by", placeholder: "30m", required: true }) : null;
    changed();
    let busy = false;
    const submit = async (event) => {
      event.preventDefault();
      if (busy) return;
      if (!reason.value.trim()) {
        reason.setAttribute("aria-invalid", "true");
        put(problem, h("p.problem", { role: "alert" }, "Enter a reason. The saga's history keeps it."));
        return reason.focus();
      }
      try {
        const body = { reason: reason.value.trim() };
        const step = stepID();
        if (step) body.step = step;
        if (missing()) throw new Error(missing());
        if (choice.outcome) body.outcome = choice.outcome.value;
        if (output) body.output = output.read();
        if (others?.open) body.input = other.read();
        if (moment) body.by = moment.value.trim();
        body.expectedVersion = saga.lastEvent;
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
    const button = h("button", { type: "submit", class: dangerous.includes(verb) ? "danger" : "primary" },
      verbLabel(verb));
    const waits = (operation) => {
      const link = h("a.button.primary", { href: `#/operation/${operation.id}`, onclick: () => close({ operation }) }, "See it");
      form.replaceChildren(...operationWaits(operation), h("div.actions",
        h("button", { type: "button", onclick: () => close({ operation }) }, "Close"), link));
      say(`${verbLabel(verb)} waits for a second person.`);
      link.focus();
    };
    const form = h("form", { onsubmit: submit },
      h("p", badge(saga.status), " ", titleAndID(saga), `, last event ${saga.lastEvent}`),
      parts, outcomes, outputs, others, moment && field("By how much", moment, "For example 30m or 2h"),
      h("h3", "What will happen"), shown,
      field("Reason", reason, "The saga's history keeps it, with your name."),
      problem,
      h("div.actions", actsAs(),
        h("button", { type: "button", onclick: () => close() }, "Not now"), button));
    return form;
  });
  return result;
}

/** What the dialog says when a verb needs a second person. */
const operationWaits = (operation) => [
  h("p.notice", icon("clock"), h("strong", " A second person must approve it.")),
  h("p", `The engine does nothing to the saga until a person other than ${operation.by} approves it. `,
    "Until then the operation is in the overview and under Operations."),
];

/** Asks for a signal's body, with a form made from its schema, and sends it. */
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
    } }, form.element, problem, h("div.actions", actsAs(),
      h("button.primary", { type: "submit" }, "Send")));
  });
}

/** Asks for the input, with a form made from the workflow's input schema, and starts a saga. */
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
    } }, form.element, field("Key (optional)", key, "Two starts with the same key start one saga."), problem,
    h("div.actions", actsAs(), h("button.primary", { type: "submit" }, workflow.draft ? `Start ${versionName(workflow.version)}` : `Start version ${workflow.version}`)));
  }, { wide: true });
}

export const payload = (value) => h("pre", { tabindex: 0 }, pretty(value));
