// The title and the labels of a saga, as its workflow gives them.
import * as api from "./api.js";
import { h } from "./dom.js";
import { shortID } from "./format.js";

/** The name by which people know a saga: its title with the id small beside it, or the id alone. */
export const titleAndID = (saga) => [saga.title && [h("span.saga-title", saga.title), " "],
  h("code", { class: saga.title ? "small" : null, title: saga.id }, shortID(saga.id))];

/** The same as one text. A saga without a title has its workflow there. */
export const knownAs = (saga) => `${saga.title ?? saga.workflow} ${shortID(saga.id)}`;

/** The labels of a saga. Each one leads to the list of all sagas that have it. */
export function labelChips(saga) {
  const labels = Object.entries(saga.labels ?? {});
  return labels.length > 0 && h("ul.labels", { "aria-label": "Labels" }, labels.map(([name, value]) =>
    h("li", h("a", { href: `#/sagas?${api.search({ label: `${name}:${value}` })}`, title: `All sagas with the label ${name} ${value}` },
      h("span.quiet", name), " ", value))));
}
