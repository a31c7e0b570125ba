// The sagas above a saga, and the sagas that it has started. A long list is folded.
import * as api from "./api.js";
import { h, put } from "./dom.js";
import { plural, shortID } from "./format.js";
import { badge, stateWord } from "./icons.js";
import { problemBox } from "./verbs.js";

// More children than this are folded until someone opens them.
const mostOpen = 12;

const sagaLink = (id, ...content) => h("a", { href: `#/saga/${id}`, title: id }, content);

/** The link from a saga to the one that started it. */
export const parentLink = (parent) => [sagaLink(parent.id, h("code", shortID(parent.id))), `, step ${parent.step}`];

/** The link from a step to its child. */
export const childLink = (child) => h("div", badge(child.status ?? "unknown"), " ", sagaLink(child.id, child.workflow, " ", h("code", shortID(child.id))));

/** `91 completed, 5 stuck` */
const counts = (facets) => Object.entries(facets?.status ?? {}).map(([status, count]) => `${count} ${stateWord(status)}`).join(", ");

const line = (one) => h("li", badge(one.status), one.paused && badge("paused"), " ",
  sagaLink(one.id, one.title ?? `${one.workflow} ${shortID(one.id)}`), one.failedStep && h("span.quiet", ` at ${one.failedStep}`));

/** Fills a place with the children of a saga, the newest page first read; nothing when it has none. */
export async function showChildren(place, id) {
  try {
    const page = await api.listSagas({ parent: id, sort: "startedAt", limit: 200 }, { facets: true });
    if (page.sagas.length === 0) return put(place);
    const open = place.querySelector("details")?.open ?? page.sagas.length <= mostOpen;
    const items = page.sagas.map((one) => {
      const inner = h("div");
      const more = h("button.plain", { type: "button", onclick: () => { more.remove(); showChildren(inner, one.id); } }, "its children");
      const item = line(one);
      item.append(" ", more, inner);
      return item;
    });
    const total = Object.values(page.facets?.status ?? {}).reduce((sum, count) => sum + count, 0);
    return put(place, h("details.family", { open }, h("summary", `${plural(total, "child saga")}: ${counts(page.facets)}`), h("ul", items),
      page.next && h("p.hint", "The first 200 are shown. “saga show ", h("code", id), " --tree” shows all.")));
  } catch (problem) {
    return put(place, problemBox(problem));
  }
}
