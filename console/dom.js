// Elements from values. Every value goes in as text: nothing here reads HTML.
import { ExactNumber } from "./json.js";

/** An element: h("a.button", { href, onclick }, "text", child, [more]). Null and false are left out. */
export function h(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElement(name || "div"), classes, attributes, children);
}

/** The same in SVG. */
export function s(tag, attributes, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), classes, attributes, children);
}

function fill(element, classes, attributes, children) {
  const isChild = attributes instanceof Node || attributes instanceof ExactNumber || Array.isArray(attributes);
  if (isChild || attributes !== null && attributes !== undefined && typeof attributes !== "object") {
    children = [attributes, ...children];
    attributes = null;
  }
  if (classes.length) element.classList.add(...classes);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.classList.add(...value.split(" ").filter(Boolean));
    else if (name === "value" || name === "checked" || name === "selected" || name === "indeterminate") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) append(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

// What a control is called: the same name after its place was drawn again is the same control.
const nameOf = (node) => node.id || node.dataset.key || node.getAttribute("href")
  || (node.localName === "summary" && node.parentElement.dataset.key && `summary ${node.parentElement.dataset.key}`)
  || (node.hasAttribute("tabindex") && node.getAttribute("aria-label"));

/** The place of a control in a part of the page, to find it again after the part was drawn again. */
function placeOf(node, part) {
  const name = nameOf(node);
  const path = [];
  for (let one = node; one !== part; one = one.parentElement) path.unshift([...one.parentElement.children].indexOf(one));
  const same = name ? namesakes(part, name) : [];
  return { name, order: same.indexOf(node), path, tag: node.localName };
}
const namesakes = (part, name) => [...part.querySelectorAll("[id],[data-key],[href],summary,[tabindex]")].filter((node) => nameOf(node) === name);

/** Focuses the control that was at a place; when there is none any more, the part itself, so that the keyboard stays near. */
function focusAgain(part, { name, order, path, tag }) {
  let found = null;
  if (name) {
    const same = namesakes(part, name);
    found = same[order] ?? same.at(-1);
  } else {
    found = path.reduce((node, index) => node?.children[index], part);
    if (found?.localName !== tag) found = null;
  }
  found?.focus({ preventScroll: true });
  if (found && document.activeElement === found) return;
  part.tabIndex = -1;
  part.focus({ preventScroll: true });
}

// What a person presses is drawn again when they have let go. A click needs the press and the release on the same element.
const longestPress = 1000;
let pressed = null;
let limit = null;
const drawnLater = new Map();

function letGo() {
  pressed = null;
  clearTimeout(limit);
  const all = [...drawnLater];
  drawnLater.clear();
  for (const [place, children] of all) put(place, ...children);
}
addEventListener("pointerdown", (event) => {
  pressed = event.target;
  clearTimeout(limit);
  limit = setTimeout(letGo, longestPress);
}, true);
// The click comes first, and what its handler draws is drawn at once.
addEventListener("click", () => { pressed = null; }, true);
for (const type of ["pointerup", "pointercancel"]) addEventListener(type, () => setTimeout(letGo), true);

/** Replaces the content of an element, unless it is the same. The keyboard focus stays on the same control. */
export function put(place, ...children) {
  if (pressed && place.contains(pressed)) return void drawnLater.set(place, children);
  drawnLater.delete(place);
  const fresh = document.createElement(place.tagName);
  append(fresh, children);
  if (fresh.querySelector(".placeholder")) knownAt.delete(place);
  else isFresh(place);
  if (fresh.childNodes.length === place.childNodes.length && !place.dataset.acts) {
    const same = [...fresh.childNodes].every((node, index) => node.isEqualNode(place.childNodes[index]));
    if (same) return;
  }
  const active = document.activeElement;
  const where = active !== place && place.contains(active) ? placeOf(active, place) : null;
  const open = new Set([...place.querySelectorAll("details[open][data-key]")].map((node) => node.dataset.key));
  place.replaceChildren(...fresh.childNodes);
  for (const node of place.querySelectorAll("details[data-key]")) if (open.has(node.dataset.key)) node.open = true;
  if (where) focusAgain(place, where);
}

// When the parts of the page were last known, by their elements, in ms. A part that is still loading is not known.
const knownAt = new WeakMap();

/** Notes that a part of the page is as the engine has it now. */
export function isFresh(place) {
  knownAt.set(place, Date.now());
  place.classList.remove("stale");
  if (place.previousElementSibling?.matches(".as-of")) place.previousElementSibling.remove();
}

/** Notes that nothing is known of a part of the page, though it has content. */
export const forget = (place) => knownAt.delete(place);

/**
 * Shows that a part of the page could not be read again. What was known stays, grey, with its time; a part of which nothing
 * was known shows the problem.
 * @param note the time and the problem, as elements
 */
export function isStale(place, note) {
  const at = knownAt.get(place);
  if (at === undefined) return false;
  if (place.previousElementSibling?.matches(".as-of")) place.previousElementSibling.remove();
  place.classList.add("stale");
  place.before(h("div.as-of", note(new Date(at).toISOString())));
  return true;
}

/** A name and its value, for a list of facts. */
export const fact = (name, ...content) => h("div", h("dt", name), h("dd", content));

/** An error code, with a link to the page that explains it. */
export const codeLink = (code) => h("a", { href: `/errors/${encodeURIComponent(code)}`, target: "_blank", rel: "noopener" }, h("code", code));

/** Announces a change to a screen reader. */
export function say(text) {
  const place = document.getElementById("said");
  if (place.textContent !== text) place.textContent = text;
}

let count = 0;
export const newID = (prefix = "id") => `${prefix}-${++count}`;

/** Closes the dialogs of a page that is left. */
export function closeDialogs() {
  for (const one of document.querySelectorAll("dialog[open]:not([data-stays])")) one.close();
}

/**
 * A modal dialog. `build(close)` returns its content. Afterwards the focus returns to where it was.
 * @param stays whether it stays open when the page behind it changes
 */
export function dialog(title, build, { wide = false, stays = false } = {}) {
  const before = document.activeElement;
  const part = document.getElementById("main");
  const where = part.contains(before) && before !== part ? placeOf(before, part) : null;
  const id = newID("title");
  const element = h("dialog", { "aria-labelledby": id, class: wide ? "wide" : "", "data-stays": stays });
  let result;
  let over = () => {};
  // A hidden tab gets its close event when it is shown.
  const close = (value) => {
    result = value;
    element.close();
    over();
  };
  element.append(
    h("div.dialog-head", h("h2", { id }, title),
      h("button.plain", { type: "button", "aria-label": "Close", onclick: () => close() }, "✕")));
  append(element, [build(close)]);
  document.body.append(element);
  element.showModal();
  (element.querySelector("[autofocus]") ?? element.querySelector("input,textarea,select,button:not(.plain)"))?.focus();
  return new Promise((resolve) => {
    over = () => {
      if (!element.isConnected) return;
      element.remove();
      // The page behind may have been drawn again meanwhile.
      if (before?.isConnected && before !== document.body) before.focus();
      else if (where) focusAgain(part, where);
      if (document.activeElement === document.body) part.focus({ preventScroll: true });
      resolve(result);
    };
    element.addEventListener("close", over);
  });
}

/** A labelled control. */
export function field(label, control, hint) {
  control.id ||= newID("field");
  const hintID = hint ? newID("hint") : null;
  if (hintID) control.setAttribute("aria-describedby", hintID);
  return h("div.field", h("label", { for: control.id }, label), control, hint && h("p.hint", { id: hintID }, hint));
}
