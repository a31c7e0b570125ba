// The pages of the console, for the links at the top.
import { h } from "./dom.js";

/** Each page with the first parts of the addresses that belong to it. */
const pages = [["#/", "Overview", [""]], ["#/sagas", "Sagas", ["sagas", "saga"]], ["#/operations", "Operations", ["operations", "operation"]],
  ["#/tasks", "Tasks", ["tasks"]], ["#/workflows", "Workflows", ["workflows", "workflow"]], ["#/engine", "Engine", ["engine", "notices", "audit"]]];

const link = (href, name, isHere) => h("a", { href, "aria-current": isHere ? "page" : null }, name);

/** The links to all pages. `first` is the first part of the address. */
export const pageLinks = (first) => pages.map(([href, name, parts]) => link(href, name, parts.includes(first ?? "")));

/** The links between the pages about the engine itself. */
export const enginePages = (here) => h("nav.pages", { "aria-label": "Pages about the engine" },
  [["engine", "State"], ["notices", "Notices"], ["audit", "Audit"]].map(([part, name]) => link(`#/${part}`, name, part === here)));
