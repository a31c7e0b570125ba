// The name by which people know a saga: its title, its labels, its key, and at last its id.
import * as api from "./api.js";
import { h } from "./dom.js";
import { shortID } from "./format.js";

// The fewest characters of an id that are shown.
const shortest = 8;

/** Returns the function that shortens the ids of a list to what tells them apart. */
export function idsOf(sagas) {
  const ids = [...new Set(sagas.map((one) => one.id ?? one.saga ?? one))].sort();
  let length = shortest;
  for (let index = 1; index < ids.length; index++) {
    let same = 0;
    while (same < ids[index].length && ids[index][same] === ids[index - 1][same]) same += 1;
    length = Math.max(length, same + 1);
  }
  return (id) => (id.length > length + 1 ? `${id.slice(0, length)}…` : id);
}

/** The title of a saga with its id small beside it; without a title its key, or the id alone. */
export const titleAndID = (saga, id = shortID) => {
  const name = saga.title ?? saga.key;
  return [name && [h("span.saga-title", name), " "], h("code", { class: name ? "small" : null, title: saga.id }, id(saga.id))];
};

/** The same as one text. A saga without a title or a key has its workflow there. */
export const knownAs = (saga, id = shortID) => `${saga.title ?? saga.key ?? saga.workflow} ${id(saga.id)}`;

/** The labels of a saga. Each one leads to the list of all sagas that have it. */
export function labelChips(saga) {
  const labels = Object.entries(saga.labels ?? {});
  return labels.length > 0 && h("ul.labels", { "aria-label": "Labels" }, labels.map(([name, value]) =>
    h("li", h("a", { href: `#/sagas?${api.search({ label: `${name}:${value}` })}`, title: `All sagas with the label ${name} ${value}` },
      h("span.quiet", name), " ", value))));
}
