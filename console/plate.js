// Many things of one kind as a grid of cells: a plate when their names are its wells.
import { h } from "./dom.js";
import { stateIcon, stateTone, stateWord } from "./icons.js";

const rows = [..."ABCDEFGH"];
const columns = Array.from({ length: 12 }, (_, index) => index + 1);
/** The number of cells of a plate, and the most of a grid. */
export const plateSize = rows.length * columns.length;

/** The wells that a text names: `p1_A01` names A1. */
const wellsIn = (text) => [...String(text).matchAll(/(?<![A-Za-z0-9])([A-H])(0?[1-9]|1[0-2])(?![A-Za-z0-9])/g)]
  .map(([, row, column]) => `${row}${column.replace(/^0/, "")}`);

/** The wells of these names, one for each; null when a name has none or two have the same. */
export function wellsOf(names) {
  const found = names.map(wellsIn);
  if (names.length > plateSize || found.some((wells) => wells.length === 0)) return null;
  for (const pick of [(wells) => wells.at(-1), (wells) => wells[0]]) {
    const wells = found.map(pick);
    if (new Set(wells).size === wells.length) return wells;
  }
  return null;
}

/** What tells the names of a list apart: `A1` of p1_A1 and p1_B2. */
function differences(names) {
  if (names.length < 2) return names;
  let start = 0;
  while (names.every((name) => start < name.length && name[start] === names[0][start])) start += 1;
  return names.map((name) => name.slice(start) || name);
}

/**
 * A grid of cells. One cell is a stop of the Tab key; the arrow keys go from cell to cell.
 * @param cells { key, name, status, note, onpick or href }; at most as many as a plate has wells
 * @param label what the grid shows
 */
export function plate(cells, label) {
  const wells = wellsOf(cells.map((one) => one.name));
  const first = Math.max(0, cells.findIndex((one) => ["undoFailed", "stuck", "failed", "backingOff"].includes(one.status)));
  const short = differences(cells.map((one) => one.name));
  const control = (cell, index, ...content) => {
    const says = `${cell.name}: ${stateWord(cell.status)}${cell.note ? `: ${cell.note}` : ""}`;
    const all = { class: `cell tone-${stateTone(cell.status)}`, "data-key": cell.key, "data-cell": index, "aria-label": says, title: says,
      tabindex: index === first ? 0 : -1 };
    return cell.href ? h("a", { ...all, href: cell.href }, stateIcon(cell.status), content)
      : h("button", { ...all, type: "button", onclick: cell.onpick }, stateIcon(cell.status), content);
  };
  let grid;
  if (wells) {
    const at = new Map(wells.map((well, index) => [well, index]));
    grid = h("table.plate", h("caption.sr", label), h("thead", h("tr", h("td"), columns.map((one) => h("th", { scope: "col" }, one)))),
      h("tbody", rows.map((row) => h("tr", h("th", { scope: "row" }, row), columns.map((column) => {
        const index = at.get(`${row}${column}`);
        return h("td", index !== undefined && control(cells[index], index));
      })))));
  } else {
    grid = h(`ul.cells${cells.length === plateSize ? ".in-twelve" : ""}`, { "aria-label": label },
      cells.map((cell, index) => h("li", control(cell, index, h("span", short[index])))));
  }
  grid.addEventListener("keydown", (event) => walk(event, grid));
  grid.addEventListener("focusin", (event) => {
    const now = event.target.closest(".cell");
    if (!now) return;
    for (const one of grid.querySelectorAll(".cell[tabindex='0']")) one.tabIndex = -1;
    now.tabIndex = 0;
  });
  return h("div.scroll.plate-box", grid);
}

/** Moves the focus to the nearest cell in the direction of an arrow key, or to the first or last cell. */
function walk(event, grid) {
  const now = event.target.closest(".cell");
  if (!now) return;
  const cells = [...grid.querySelectorAll(".cell")];
  let next = null;
  if (event.key === "Home") next = cells[0];
  else if (event.key === "End") next = cells.at(-1);
  else {
    const [dx, dy] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key] ?? [];
    if (dx === undefined) return;
    const middle = (one) => { const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; };
    const [x, y] = middle(now);
    let best = Infinity;
    for (const one of cells) {
      const [left, top] = middle(one);
      const [along, across] = dx ? [(left - x) * dx, Math.abs(top - y)] : [(top - y) * dy, Math.abs(left - x)];
      if (along < 2 || across > 8) continue;
      if (along < best) [best, next] = [along, one];
    }
  }
  event.preventDefault();
  next?.focus();
}
