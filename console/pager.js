// Long lists by pages: a page of thousands of lines is slow to show and hard to read.
import { h, put } from "./dom.js";
import { number } from "./format.js";

/**
 * The pages of a list that is known whole.
 * @param name what the list has: `steps`
 * @param draw is called when the person turns the page
 */
export function pagesOf(name, size, draw) {
  const element = h("nav.pager", { "aria-label": `Pages of the ${name}`, "data-acts": "1" });
  // The page that the person has chosen; null until then.
  let chosen = null;
  const turn = (page) => () => {
    chosen = page;
    draw();
  };
  return {
    element,
    /** Begins again with the page of `first`. */
    reset() { chosen = null; },
    /**
     * The part of the list that is shown.
     * @param first the number of a line that is shown until the person turns the page
     */
    take(list, first = 0) {
      const pages = Math.max(1, Math.ceil(list.length / size));
      const page = Math.min(pages - 1, chosen ?? Math.floor(Math.max(0, first) / size));
      const from = page * size;
      put(element, pages > 1 && [
        h("button", { type: "button", disabled: page === 0, "data-key": `${name} before`, onclick: turn(page - 1) }, "← Before"),
        h("span.num", `${number(from + 1)}–${number(Math.min(list.length, from + size))} of ${number(list.length)} ${name}`),
        h("button", { type: "button", disabled: page === pages - 1, "data-key": `${name} after`, onclick: turn(page + 1) }, "After →")]);
      return list.slice(from, from + size);
    },
  };
}
