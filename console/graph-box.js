// The place of a graph on a page: a box that scrolls, with zoom, and a button to what needs a person.
import { h, put } from "./dom.js";
import { drawing } from "./graph.js";
import { activities, troubles } from "./siblings.js";

const smallest = 0.25;
const largest = 2;
const step = 1.25;
// The space around what is seen that is drawn too, so that scrolling shows no gaps, and Tab finds the next box.
const margin = 1200;

/**
 * @param onpick is called with a step, or a box for many, that is selected; without it boxes are only looked at
 * @returns { element, region, show(nodes, options) }
 */
export function graphBox({ label = "Graph of the steps", onpick } = {}) {
  const region = h("div.scroll.drawing", { "data-acts": "1", tabindex: 0, role: "region", "aria-label": label });
  const button = (key, text, says, act) => h("button", { type: "button", "data-key": `graph ${key}`, "aria-label": says, title: says, onclick: act }, text);
  const scaleText = h("output.num.quiet", { "aria-live": "polite" });
  const toNeeds = h("button", { type: "button", "data-key": "graph needs", hidden: true, onclick: () => toNext() });
  const tools = h("div.graph-tools", { role: "group", "aria-label": "Zoom" },
    button("out", "−", "Smaller (key −)", () => zoom(scale() / step)), button("in", "+", "Larger (key +)", () => zoom(scale() * step)),
    button("fit", "Fit", "Fit into the box (key 0)", () => fit()), button("full", "1:1", "Full size (key 1)", () => zoom(1)), scaleText, toNeeds);
  const element = h("div.graph-box", tools, region);
  let picture = null;
  // The zoom that the person has chosen; null until then.
  let chosen = null;
  let targets = [];
  let target = -1;

  const scale = () => chosen ?? picture?.scale ?? 1;
  const window_ = () => {
    const [one, near] = [scale(), margin / scale()];
    picture.show(region.scrollLeft / one - near, region.scrollTop / one - near,
      (region.scrollLeft + region.clientWidth) / one + near, (region.scrollTop + region.clientHeight) / one + near);
  };
  const size = () => {
    picture.svg.setAttribute("width", picture.width * scale());
    picture.svg.setAttribute("height", picture.height * scale());
    put(scaleText, `${Math.round(scale() * 100)} %`);
  };
  const zoom = (next) => {
    if (!picture) return;
    const before = scale();
    const middle = [(region.scrollLeft + region.clientWidth / 2) / before, (region.scrollTop + region.clientHeight / 2) / before];
    chosen = Math.min(largest, Math.max(smallest, next));
    size();
    region.scrollLeft = middle[0] * chosen - region.clientWidth / 2;
    region.scrollTop = middle[1] * chosen - region.clientHeight / 2;
    window_();
  };
  const fit = () => {
    const most = Math.max(region.clientHeight, innerHeight * 0.7 - 2);
    zoom(Math.min(1, (region.clientWidth - 2) / picture.width, most / picture.height));
  };
  const goTo = (id) => {
    const place = picture.places.get(id);
    if (!place) return;
    region.scrollLeft = (place.x + place.width / 2) * scale() - region.clientWidth / 2;
    region.scrollTop = (place.y + place.height / 2) * scale() - region.clientHeight / 2;
    window_();
  };
  const toNext = () => {
    target = (target + 1) % targets.length;
    goTo(targets[target]);
    region.querySelector(`[data-key="${CSS.escape(`node ${targets[target]}`)}"]`)?.focus({ preventScroll: true });
  };

  region.addEventListener("scroll", () => { if (picture) window_(); }, { passive: true });
  // A fast Tab comes before the event of the scrolling.
  region.addEventListener("focusin", () => { if (picture) window_(); });
  region.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { "+": () => zoom(scale() * step), "=": () => zoom(scale() * step), "-": () => zoom(scale() / step), 0: fit, 1: () => zoom(1) }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  return {
    element, region,
    /**
     * Draws the graph. At first it shows what needs a person, or what is active.
     * @param stuck the blockers of the saga
     * @param unfolded the names of the boxes whose steps are listed below
     */
    show(nodes, { stuck = [], unfolded } = {}) {
      const blocked = new Set(stuck.map((one) => one.step));
      const isOf = (statuses) => nodes.filter((one) => statuses.includes(one.status)).map((one) => one.id);
      const needs = [...new Set([...nodes.filter((one) => blocked.has(one.id) || one.fold?.ids.some((id) => blocked.has(id))).map((one) => one.id),
        ...troubles.flatMap((status) => isOf([status]))])];
      targets = needs.length > 0 ? needs : isOf(activities);
      target = Math.min(target, targets.length - 1);
      put(toNeeds, needs.length > 0 ? "Show what needs you" : "Show what is active");
      const [left, top] = [region.scrollLeft, region.scrollTop];
      const before = picture;
      picture = drawing(nodes, { room: region.clientWidth || 900, stuck, unfolded, onpick });
      size();
      // A box that has the focus is drawn, so that it keeps it.
      const focused = region.contains(document.activeElement) && document.activeElement !== region;
      if (focused) picture.show();
      else picture.show(left / scale() - margin, top / scale() - margin, left / scale() + 2 * margin, top / scale() + 2 * margin);
      put(region, picture.svg);
      [region.scrollLeft, region.scrollTop] = [left, top];
      toNeeds.hidden = targets.length === 0 || region.scrollWidth <= region.clientWidth && region.scrollHeight <= region.clientHeight;
      // Also when the graph now goes down the page, and not across it.
      if (before?.vertical !== picture.vertical && targets.length > 0) goTo(targets[Math.max(0, target)]);
      else window_();
    },
  };
}
