// Back and forward: each entry of the browser's history keeps where a person was in the page, and what they had chosen.
import { read, write } from "./json.js";

// The most entries that are kept, and how long a page has to become as long as it was, in ms.
const most = 50;
const patience = 5000;
const stored = "saga.places";

/** The name of an element that is the same when the page is drawn again. */
function nameOf(node) {
  const id = /-\d+$/.test(node.id) ? "" : node.id;
  return node.dataset.key || id || node.dataset.items || node.getAttribute("href") || (node.matches("details") ? node.className : "");
}

function readPlaces() {
  try {
    return new Map(read(sessionStorage.getItem(stored) ?? "[]"));
  } catch {
    return new Map();
  }
}

/**
 * Keeps the places from now on.
 * @param choice returns what the page keeps: a value of JSON, or undefined
 * @param show shows the page of the address, with the choice that was left there; or with null at a new entry
 */
export function keepPlaces(main, choice, show) {
  const places = readPlaces();
  let stop = () => {};
  let key = null;

  /** Names the entry of the history that is shown. Returns what was left there. */
  const enter = () => {
    const known = history.state?.place;
    key = known ?? `${Date.now()} ${Math.random()}`;
    if (!known) history.replaceState({ place: key }, "");
    return known ? places.get(key) ?? null : null;
  };

  const keep = () => {
    stop();
    const active = main.contains(document.activeElement) ? document.activeElement : null;
    places.delete(key);
    places.set(key, { y: Math.round(scrollY), focus: active ? nameOf(active) : "", choice: choice() ?? null,
      open: [...main.querySelectorAll("details[open]")].map(nameOf).filter(Boolean) });
    if (places.size > most) places.delete(places.keys().next().value);
    sessionStorage.setItem(stored, write([...places]));
  };

  /** Unfolds what was unfolded, scrolls and sets the focus, as the parts of the page come, until the person does something. */
  const takeUp = (left) => {
    const over = new AbortController();
    const closed = new Set(left.open);
    let focus = left.focus;
    const look = () => {
      for (const node of main.querySelectorAll("details")) if (closed.delete(nameOf(node))) node.open = true;
      const active = focus && [...main.querySelectorAll("a, button, input, select, summary, [tabindex]")].find((node) => nameOf(node) === focus);
      if (active) {
        active.focus({ preventScroll: true });
        focus = "";
      }
      if (Math.round(scrollY) !== left.y) scrollTo(0, left.y);
    };
    const observer = new MutationObserver(look);
    observer.observe(main, { childList: true, subtree: true });
    const timer = setTimeout(() => stop(), patience);
    stop = () => {
      observer.disconnect();
      clearTimeout(timer);
      over.abort();
    };
    for (const type of ["wheel", "pointerdown", "touchstart", "keydown"]) addEventListener(type, () => stop(), { capture: true, passive: true, signal: over.signal });
    look();
  };

  const open = () => {
    const left = enter();
    show(left?.choice ?? null, left !== null);
    if (left) takeUp(left);
    else scrollTo(0, 0);
  };

  history.scrollRestoration = "manual";
  // The page is still the one that is left.
  addEventListener("hashchange", () => {
    keep();
    open();
  });
  addEventListener("pagehide", keep);
  open();
}
