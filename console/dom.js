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

/** Replaces the content of an element, unless it is the same. The keyboard focus stays on the same control. */
export function put(place, ...children) {
  const fresh = document.createElement(place.tagName);
  append(fresh, children);
  if (fresh.childNodes.length === place.childNodes.length && !place.dataset.acts) {
    const same = [...fresh.childNodes].every((node, index) => node.isEqualNode(place.childNodes[index]));
    if (same) return;
  }
  const active = place.contains(document.activeElement) ? document.activeElement : null;
  const key = active && (active.id || active.dataset.key || active.getAttribute("href"));
  const open = new Set([...place.querySelectorAll("details[open][data-key]")].map((node) => node.dataset.key));
  place.replaceChildren(...fresh.childNodes);
  for (const node of place.querySelectorAll("details[data-key]")) if (open.has(node.dataset.key)) node.open = true;
  if (!key) return;
  const again = [...place.querySelectorAll("[id],[data-key],[href]")].find(
    (node) => node.id === key || node.dataset.key === key || node.getAttribute("href") === key);
  again?.focus({ preventScroll: true });
}

/** A name and its value, for a list of facts. */
export const fact = (name, ...content) => h("div", h("dt", name), h("dd", content));

/** Announces a change to a screen reader. */
export function say(text) {
  const place = document.getElementById("said");
  if (place.textContent !== text) place.textContent = text;
}

let count = 0;
export const newID = (prefix = "id") => `${prefix}-${++count}`;

/** A modal dialog. `build(close)` returns its content. Afterwards the focus returns to where it was. */
export function dialog(title, build, { wide = false } = {}) {
  const before = document.activeElement;
  const id = newID("title");
  const element = h("dialog", { "aria-labelledby": id, class: wide ? "wide" : "" });
  let result;
  const close = (value) => {
    result = value;
    element.close();
  };
  element.append(
    h("div.dialog-head", h("h2", { id }, title),
      h("button.plain", { type: "button", "aria-label": "Close", onclick: () => close() }, "✕")));
  append(element, [build(close)]);
  document.body.append(element);
  element.showModal();
  (element.querySelector("[autofocus]") ?? element.querySelector("input,textarea,select,button:not(.plain)"))?.focus();
  return new Promise((resolve) => {
    element.addEventListener("close", () => {
      element.remove();
      // A list that was drawn again meanwhile has another element for the same thing.
      const key = before?.dataset.key;
      const again = before?.isConnected ? before : key && document.querySelector(`[data-key="${CSS.escape(key)}"]`);
      again?.focus();
      resolve(result);
    });
  });
}

/** A labelled control. */
export function field(label, control, hint) {
  control.id ||= newID("field");
  const hintID = hint ? newID("hint") : null;
  if (hintID) control.setAttribute("aria-describedby", hintID);
  return h("div.field", h("label", { for: control.id }, label), control, hint && h("p.hint", { id: hintID }, hint));
}
