// Times, durations and numbers, for people.
import { h } from "./dom.js";
import { isNumber, nearest } from "./json.js";

const zones = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });
const numbers = new Intl.NumberFormat();

export const number = (value) => (typeof value === "number" ? numbers.format(value) : isNumber(value) ? String(value) : "–");

/** The version of a workflow: `v3`, or `draft 3` for a version below zero. */
export const versionName = (version) => (String(version).startsWith("-") ? `draft ${String(version).slice(1)}` : `v${version}`);

export function duration(ms) {
  if (isNumber(ms)) ms = nearest(ms);
  if (!Number.isFinite(ms)) return "–";
  const sign = ms < 0 ? "−" : "";
  ms = Math.abs(ms);
  if (ms < 1000) return `${sign}${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${sign}${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${sign}${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${sign}${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${sign}${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function ago(moment) {
  const ms = Date.now() - Date.parse(moment);
  if (!Number.isFinite(ms)) return "";
  if (Math.abs(ms) < 1000) return "now";
  const coarse = (value) => {
    const seconds = Math.floor(value / 1000);
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} d`;
  };
  return ms >= 0 ? `${coarse(ms)} ago` : `in ${coarse(-ms)}`;
}

const utc = (moment) => `${new Date(moment).toISOString().replace("T", " ").replace("Z", "")} UTC`;

const two = (value) => String(value).padStart(2, "0");

/** The name of the local zone at a time: `CET`, `GMT+8`, `UTC`. */
export const zone = (date = new Date()) => zones.formatToParts(date).find((part) => part.type === "timeZoneName").value;

const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone(date)}`;
const local = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(date)}`;

/** A time in the local zone, which it names: `2026-11-25 18:41:16 CET`, or short, without the day. Its title has UTC. */
export function time(moment, { short = false } = {}) {
  if (!moment || Number.isNaN(Date.parse(moment))) return "–";
  const date = new Date(moment);
  return h("time.num", { datetime: moment, title: utc(moment) }, (short ? clock : local)(date));
}

/** How long ago a time is, or how far ahead; the text is updated each second. */
export function since(moment) {
  if (!moment || Number.isNaN(Date.parse(moment))) return "–";
  return h("time.num", { datetime: moment, title: `${local(new Date(moment))} · ${utc(moment)}`, "data-since": "" },
    ago(moment));
}

setInterval(() => {
  for (const node of document.querySelectorAll("time[data-since]")) {
    const text = ago(node.dateTime);
    if (node.textContent !== text) node.textContent = text;
  }
}, 1000);

export const shortID = (id) => `${id.slice(0, 8)}…${id.slice(-6)}`;
export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
