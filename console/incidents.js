// Incidents: one card for all sagas that have the same trouble, which unfolds to the sagas.
import * as api from "./api.js";
import { actOnMany } from "./batch.js";
import { h, put } from "./dom.js";
import { number, plural, shortID, since, time } from "./format.js";
import { badge, icon } from "./icons.js";
import { idsOf, knownAs, titleAndID } from "./labels.js";
import { counted } from "./needs.js";
import { act, failed, verbLabel } from "./verbs.js";

const mostSagas = 20;
const tones = { stuck: "bad", held: "bad", overdue: "late", paused: "quiet", retrying: "late" };
// The sagas of the cards that were unfolded: shown until newer ones have come.
const unfolded = new Map();

const address = (incident) => `#/sagas?${api.search({ incident: incident.id })}`;

// Before “all 3”.
const labelOfMany = (verb) => (verb === "extend" ? "Extend" : verbLabel(verb));

/** `undo of allocateStorage · FREEZER_LOCKED` */
const what = ({ step, phase, code }) => [step ? h("strong", phase === "undo" ? "undo of " : "", step) : "the saga as a whole",
  code && [" · ", h("code", code)]];
const whatText = ({ step, phase, code }) => [step && `${phase === "undo" ? "undo of " : ""}${step}`, code].filter(Boolean).join(" · ") || "the saga as a whole";

/** The cards of a page of incidents. `done` is called after an act; `go` shows another page. */
export const incidentCards = (page, { done, go }) => h("ul.cards", page.incidents.map((one) => card(one, page, done, go)));

function card(incident, page, done, go) {
  const alone = incident.sagas === 1 ? incident.samples[0] : null;
  return h("li.card.incident", { class: `tone-${tones[incident.kind] ?? "quiet"}`, "data-row": incident.id },
    h("div.card-head", h("span.count", counted(incident.sagas, page)), badge(incident.kind),
      h("a.card-link", { href: alone ? `#/saga/${alone.id}` : address(incident), "data-row-link": "" },
        // The tube is what a person looks for.
        alone && (alone.title ?? alone.key) && [h("span.saga-title", alone.title ?? alone.key), " · "], what(incident)),
      h("span.quiet", incident.workflow), h("span.grow"), h("span.quiet", "since ", begun(incident.since))),
    !(alone?.title ?? alone?.key) && samples(incident),
    incident.outcome === "unknown" && h("p.why", icon("stop"), " ", h("strong", "The outcome is unknown: "), `${incident.step} may have happened. Look at the participant first, then say what you found. `, "A retry is safe only if the participant knows the idempotency key."),
    api.may("operate") && h("div.actions.left", incident.verbs.map((verb) => h("button", { type: "button", "data-key": `${verb} ${incident.id}`,
      "aria-label": alone ? `${verbLabel(verb)} ${alone.title ?? alone.key ?? shortID(alone.id)}` : `${labelOfMany(verb)} all ${number(incident.sagas)}: ${whatText(incident)}`,
      onclick: () => (alone ? actOnOne(alone.id, verb, done) : actOnAll(incident, verb, go)) },
    alone ? `${verbLabel(verb)} …` : `${labelOfMany(verb)} all ${number(incident.sagas)} …`))),
    incident.verbs.length === 0 && incident.code && h("p.quiet", "The engine takes no verb for them. ", h("a", { href: `/errors/${incident.code}` }, "What to do")),
    !alone && h("details", { "data-key": `incident ${incident.id}`, ontoggle: (event) => { if (event.target.open) unfold(event.target, incident); } },
      h("summary", `The ${plural(incident.sagas, "saga")}`), h("div.unfolded", list(unfolded.get(incident.id) ?? [], incident))));
}

/** The time of day of the last hours, and the day too of what is older. */
const begun = (at) => [time(at, { short: Date.now() - Date.parse(at) < 20 * 3600000 }), ", ", since(at)];

/** The first sagas by name: the tube is what a person looks for. */
function samples(incident) {
  const id = idsOf(incident.samples);
  const named = incident.samples.map((one, index) => [index ? ", " : "", h("a", { href: `#/saga/${one.id}`, title: one.id },
    one.title ?? one.key ?? h("code", id(one.id)))]);
  const more = incident.sagas - incident.samples.length;
  return h("p.why", named, more > 0 && ` and ${number(more)} more`);
}

async function actOnOne(id, verb, done) {
  const saga = await api.saga(id);
  if (await act(saga, verb)) done();
}

async function actOnAll(incident, verb, go) {
  const operation = await actOnMany({ filter: { incident: incident.id } },
    { title: `${labelOfMany(verb)} all: ${whatText(incident)}`, verb, steps: incident.step ? [incident.step] : [], step: incident.step });
  if (operation) go(`#/operation/${operation.id}`);
}

async function unfold(details, incident) {
  const place = details.querySelector(".unfolded");
  try {
    const { sagas } = await api.listSagas({ incident: incident.id, sort: "startedAt", limit: mostSagas });
    unfolded.set(incident.id, sagas);
    put(place, list(sagas, incident));
  } catch (problem) {
    failed(place, problem);
  }
}

const list = (sagas, incident, id = idsOf(sagas)) => sagas.length > 0 && [h("ul.plain-list", sagas.map((saga) => h("li",
  h("a", { href: `#/saga/${saga.id}`, "aria-label": knownAs(saga, id), title: saga.id }, titleAndID(saga, id)),
  saga.title && saga.key && h("span.quiet", ` ${saga.key}`),
  saga.causeCode && saga.status === "stuck" && h("span.quiet", ` turned back because of ${saga.causeStep ? `${saga.causeStep}: ` : ""}`, h("code", saga.causeCode))))),
incident.sagas > sagas.length && h("p", h("a", { href: address(incident) }, `See all ${number(incident.sagas)}`))];
