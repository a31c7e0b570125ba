// The frame: which page is shown, the keys, the colours, and the name of the person.
import * as api from "./api.js";
import { auditPage } from "./audit.js";
import { closeDialogs, dialog, forget, h, isFresh, put, say } from "./dom.js";
import { enginePage } from "./engine.js";
import { icon } from "./icons.js";
import { connect, onState } from "./live.js";
import { askNeeds, watchNeeds } from "./needs.js";
import { noticesPage } from "./notices.js";
import { operationPage, operationsPage } from "./operations.js";
import { overview } from "./overview.js";
import { keepPlaces } from "./places.js";
import { pageLinks } from "./pages.js";
import { sagaPage } from "./saga.js";
import { sagas } from "./sagas.js";
import { account, returnFromProvider, signInAgain, signInPage } from "./signin.js";
import { onTabs } from "./tabs.js";
import { tasksPage } from "./tasks.js";
import { askUser } from "./verbs.js";
import { workflowPage, workflowsPage } from "./workflows.js";

const main = document.getElementById("main");
let page = null;
// No page is shown before the engine has said who the caller is.
let isAdmitted = false;

const go = (hash) => { if (location.hash === hash) show(); else location.hash = hash; };

/** Shows the page of the address. `kept` is the choice that a person left there. */
function show(kept = null) {
  page?.leave?.();
  closeDialogs();
  isFresh(main);
  forget(main);
  const [path, search = ""] = (location.hash.slice(1) || "/").split(/\?(.*)/s);
  const parts = path.split("/").filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  main.replaceChildren();
  const parameters = new URLSearchParams(search);
  if (!parts.length) page = overview(main, { go });
  else if (parts[0] === "sagas") page = sagas(main, { parameters, go, kept });
  else if (parts[0] === "saga" && parts[1]) page = sagaPage(main, { id: parts[1], kept });
  else if (parts[0] === "operations") page = operationsPage(main, { parameters, go, kept });
  else if (parts[0] === "operation" && parts[1]) page = operationPage(main, { id: parts[1], kept });
  else if (parts[0] === "tasks") page = tasksPage(main);
  else if (parts[0] === "workflows") page = workflowsPage(main);
  else if (parts[0] === "workflow" && parts[1]) page = workflowPage(main, { name: parts[1], version: parts[2], go });
  else if (parts[0] === "engine") page = enginePage(main);
  else if (parts[0] === "notices") page = noticesPage(main);
  else if (parts[0] === "audit") page = auditPage(main, { parameters, go });
  else {
    main.append(h("h1", "Page not found"), h("p", h("a", { href: "#/" }, "Go to the overview")));
    page = {};
  }
  put(document.getElementById("nav"), pageLinks(parts[0]));
  say(main.querySelector("h1")?.textContent ?? "");
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = document.getElementById("search-text");
  const text = input.value.trim();
  if (!text) return;
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text)) go(`#/saga/${text.toLowerCase()}`);
  else go(`#/sagas?${new URLSearchParams({ q: text })}`);
});

// Light, dark, or as in the system.
const themes = ["system", "light", "dark"];
const themeButton = document.getElementById("theme");
addEventListener("storage", ({ key }) => { if (key === "saga.theme") showTheme(); });
function showTheme() {
  const theme = themes.includes(localStorage.getItem("saga.theme")) ? localStorage.getItem("saga.theme") : "system";
  document.documentElement.dataset.theme = theme;
  themeButton.textContent = { system: "◐", light: "☀", dark: "☾" }[theme];
  themeButton.setAttribute("aria-label", `Colours: ${theme}`);
  themeButton.title = `Colours: ${theme}`;
  return theme;
}
themeButton.addEventListener("click", () => {
  localStorage.setItem("saga.theme", themes[(themes.indexOf(showTheme()) + 1) % themes.length]);
  say(`Colours: ${showTheme()}`);
});
showTheme();

const userButton = document.getElementById("user");
const showUser = () => {
  userButton.textContent = api.userName() || "Who are you?";
  for (const node of document.querySelectorAll("[data-acts-as]")) node.textContent = `As ${api.userName()}`;
  userButton.setAttribute("aria-label",
    api.caller() ? `You are signed in as ${api.userName()}.` : api.userName() ? `You act as ${api.userName()}. Change.` : "Enter your name");
};
userButton.addEventListener("click", () => {
  if (isAdmitted) (api.caller() ? account() : askUser({ again: true }));
});
addEventListener("saga-user", showUser);
showUser();

const keys = [["/", "find"], ["j / k", "next, previous saga in a list"], ["Enter", "open it"], ["x", "select it"],
  ["g then o, s, p, t, w", "overview, sagas, operations, tasks, workflows"], ["g then e, n, a", "engine, notices, audit"], ["r", "the first action that helps"], ["Esc", "close, or leave a field"], ["?", "this list"]];
const help = () => dialog("Keys", () => h("dl.keys", keys.map(([key, what]) => [h("dt", h("kbd", key)), h("dd", what)])));
document.getElementById("help").addEventListener("click", help);

let chord = false;
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const active = document.activeElement;
  if (event.key === "Escape") {
    if (active !== document.body) active.blur();
    return;
  }
  if (active.matches("input:not([type=checkbox]):not([type=range]), textarea, select")) return;
  const act = chord ? { o: () => go("#/"), s: () => go("#/sagas"), p: () => go("#/operations"), t: () => go("#/tasks"), w: () => go("#/workflows"),
    e: () => go("#/engine"), n: () => go("#/notices"), a: () => go("#/audit") }[event.key] : {
    "/": () => document.getElementById("search-text").focus(),
    "?": help,
    j: () => move(1), k: () => move(-1), g: () => {},
    x: () => active.closest("[data-row]")?.querySelector("[data-choose]")?.click(),
    r: () => (active.closest("[data-row]") ?? main).querySelector(".next button, .actions button")?.click(),
  }[event.key];
  chord = event.key === "g" && !chord;
  if (!act) return;
  event.preventDefault();
  act();
});

function move(by) {
  const links = [...main.querySelectorAll("[data-row-link]")];
  if (!links.length) return;
  const at = links.findIndex((link) => link.closest("[data-row]").contains(document.activeElement));
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))];
  next.focus();
  next.closest("[data-row]").scrollIntoView({ block: "nearest" });
}

let wasLost = false;
onState((state, word, title) => {
  // What the page shows was true when the connection was lost.
  document.body.classList.toggle("is-away", state === "lost");
  if (state === "live" && wasLost) {
    page?.refresh?.();
    if (!api.knowsCaller()) lookWhoIsHere();
  }
  wasLost = state === "lost" || wasLost && state !== "live";
  const place = document.getElementById("live");
  place.className = `live live-${state}`;
  place.title = title;
  put(place, icon({ live: "check", lost: "diamond", connecting: "ring" }[state]), h("span", word));
});

// An error that no page caught is announced, not hidden.
addEventListener("unhandledrejection", (event) => {
  say(`Something went wrong in the console: ${event.reason?.message ?? event.reason}`);
});

// Before the sign-in there is no name and no live stream.
const needSignIn = (isNeeded) => { for (const id of ["user", "live", "search"]) document.getElementById(id).hidden = isNeeded; };

function admit() {
  if (isAdmitted) return;
  isAdmitted = true;
  needSignIn(false);
  showUser();
  let isFirst = true;
  keepPlaces(main, () => page?.choice?.(), (kept) => {
    show(kept);
    // After a link the focus is at the start of the page, so that a screen reader reads from there.
    if (!isFirst) main.focus({ preventScroll: true });
    isFirst = false;
  });
  connect();
  watchNeeds();
}

/** Goes on after a sign-in, in this tab or another one. The page stays, with what was entered, and is read again. */
function afterSignIn() {
  showUser();
  connect();
  page?.refresh?.();
  askNeeds();
}

let isChecking = false;
addEventListener("saga-signed-out", async () => {
  if (!api.caller() || isChecking) return;
  isChecking = true;
  const before = api.sessionCount();
  try {
    // A late answer is of the session before.
    await api.whoAmI();
  } catch (error) {
    // So is this one, when somebody has signed in meanwhile.
    if (error.status === 401 && api.sessionCount() === before) signInAgain(afterSignIn);
  } finally {
    isChecking = false;
  }
});

/** Asks who is signed in, since that may have changed in another tab. */
async function lookWhoIsHere() {
  const before = api.userName();
  try {
    await api.whoAmI();
  } catch {
    // The dialog asks; another error is that of the page.
    return;
  }
  if (!isAdmitted) return admit();
  dispatchEvent(new Event("saga-signed-in"));
  if (before !== api.userName()) say(`You are signed in as ${api.userName()}.`);
  dispatchEvent(new Event("saga-user"));
  return afterSignIn();
}
// A tab shows nothing more after a sign-out in another one.
onTabs("session", ({ hasEnded }) => (hasEnded ? location.reload() : lookWhoIsHere()));
addEventListener("saga-returned", () => { if (api.caller()) lookWhoIsHere(); });

const failure = await returnFromProvider();
try {
  if (failure) throw failure;
  await api.whoAmI();
  admit();
} catch (error) {
  // Another error is that of the page, which says it and tries again.
  if (failure || error.status === 401) {
    needSignIn(true);
    signInPage(main, admit, failure);
  } else admit();
}
