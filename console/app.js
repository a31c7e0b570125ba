// The frame: which page is shown, the keys, the colours, and the name of the person.
import * as api from "./api.js";
import { dialog, h, put, say } from "./dom.js";
import { icon } from "./icons.js";
import { connect, onState } from "./live.js";
import { askNeeds, watchNeeds } from "./needs.js";
import { operationPage, operationsPage } from "./operations.js";
import { overview } from "./overview.js";
import { sagaPage } from "./saga.js";
import { sagas } from "./sagas.js";
import { account, returnFromProvider, signInAgain, signInPage } from "./signin.js";
import { tasksPage } from "./tasks.js";
import { askUser } from "./verbs.js";
import { workflowPage, workflowsPage } from "./workflows.js";

const main = document.getElementById("main");
const pages = [["#/", "Overview"], ["#/sagas", "Sagas"], ["#/operations", "Operations"], ["#/tasks", "Tasks"], ["#/workflows", "Workflows"]];
let page = null;
// No page is shown before the engine has said who the caller is.
let isAdmitted = false;

const go = (hash) => { if (location.hash === hash) show(); else location.hash = hash; };

function show() {
  if (!isAdmitted) return;
  page?.leave?.();
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
  else if (parts[0] === "sagas") page = sagas(main, { parameters, go });
  else if (parts[0] === "saga" && parts[1]) page = sagaPage(main, { id: parts[1] });
  else if (parts[0] === "operations") page = operationsPage(main, { parameters, go });
  else if (parts[0] === "operation" && parts[1]) page = operationPage(main, { id: parts[1] });
  else if (parts[0] === "tasks") page = tasksPage(main);
  else if (parts[0] === "workflows") page = workflowsPage(main);
  else if (parts[0] === "workflow" && parts[1]) page = workflowPage(main, { name: parts[1], version: parts[2], go });
  else {
    main.append(h("h1", "Page not found"), h("p", h("a", { href: "#/" }, "Go to the overview")));
    page = {};
  }
  const here = !parts.length ? "#/" : ["sagas", "operations"].map((one) => `#/${one}`).find((one) => one.startsWith(`#/${parts[0]}`)) ?? "#/workflows";
  put(document.getElementById("nav"), pages.map(([href, name]) => h("a", { href, "aria-current": href === here ? "page" : null }, name)));
  say(main.querySelector("h1")?.textContent ?? "");
}

// After a link the focus is at the start of the page, so that a screen reader reads from there.
addEventListener("hashchange", () => {
  show();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});

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
  userButton.setAttribute("aria-label",
    api.caller() ? `You are signed in as ${api.userName()}.` : api.userName() ? `You act as ${api.userName()}. Change.` : "Enter your name");
};
userButton.addEventListener("click", () => {
  if (isAdmitted) (api.caller() ? account() : askUser({ again: true }));
});
addEventListener("saga-user", showUser);
showUser();

const keys = [["/", "find"], ["j / k", "next, previous saga in a list"], ["Enter", "open it"], ["x", "select it"],
  ["g then o, s, p, w", "overview, sagas, operations, workflows"], ["r", "the first action that helps"], ["Esc", "close, or leave a field"], ["?", "this list"]];
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
  const act = chord ? { o: () => go("#/"), s: () => go("#/sagas"), p: () => go("#/operations"), w: () => go("#/workflows") }[event.key] : {
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

onState((state, word, title) => {
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
const needSignIn = (isNeeded) => { for (const id of ["user", "live"]) document.getElementById(id).hidden = isNeeded; };

function admit() {
  isAdmitted = true;
  needSignIn(false);
  showUser();
  show();
  connect();
  watchNeeds();
}

// The page behind stays as it is, with what was entered.
addEventListener("saga-signed-out", () => signInAgain(() => {
  showUser();
  connect();
  askNeeds();
}));

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
