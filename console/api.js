// The REST API. Its errors are problems with a code; what this engine can't do yet is found out once and remembered.
import { read, write } from "./json.js";

export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `The server answered ${status}.`);
    this.status = status;
    this.code = body?.code ?? (status ? `http.${status}` : "network");
    this.title = body?.title ?? "";
    this.allowed = body?.allowed ?? [];
    this.errors = body?.errors ?? [];
  }
}

let user = localStorage.getItem("saga.user") ?? "";
export const userName = () => user;
export function setUser(name) {
  user = name;
  localStorage.setItem("saga.user", name);
}

// A header holds bytes: UTF-8, one character a byte.
const headerText = (text) => String.fromCharCode(...new TextEncoder().encode(text));

/** The newest `Saga-Seen`: a list that is asked with it shows what was done before. */
let seen = null;

async function send(method, path, { body, headers = {}, withStatus = false } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(method === "GET" ? {} : { "Saga-Client": "console", ...(user ? { "Saga-User": headerText(user) } : {}) }), ...headers,
      },
      body: body === undefined ? undefined : write(body),
    });
  } catch (error) {
    throw new Problem(0, { code: "network", detail: `The engine can't be reached (${error.message}).` });
  }
  const text = await response.text();
  let value = null;
  let unread = null;
  try {
    value = text ? read(text) : null;
  } catch (error) {
    // An error page of something in between is no JSON.
    unread = error;
  }
  if (response.ok && unread) throw new Problem(0, { code: "network", detail: `The answer can't be read. ${unread.message}` });
  if (!response.ok) throw new Problem(response.status, value ?? { detail: text.slice(0, 300) });
  if (method !== "GET" && response.headers.get("Saga-Seen")) seen = response.headers.get("Saga-Seen");
  return withStatus ? { status: response.status, value } : value;
}

export const get = (path) => send("GET", path);
export const post = (path, body, headers) => send("POST", path, { body, headers });

const part = encodeURIComponent;

function query(parameters) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") search.append(name, value);
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}

// What this engine can do, from its own description: nothing is tried that it would refuse.
let described = null;
function description() {
  described ??= get("/openapi.json").then((document) => document.paths ?? {}).catch((error) => {
    described = null;
    throw error;
  });
  return described;
}

const has = async (path) => path in (await description());

async function takes(path, parameter) {
  const list = (await description())[path]?.get?.parameters ?? [];
  // What is referred to is the list's own: cursor and limit.
  return list.some((one) => one.name === parameter || one.$ref?.toLowerCase().endsWith(`/${parameter.toLowerCase()}`));
}

/** Whether sagas can be listed by this. */
export const canFilter = (name) => takes("/v1/sagas", name);

/** Asks with the parameters that the engine knows; the others are named in `dropped`. */
async function getKnowing(path, parameters) {
  const known = {};
  const dropped = [];
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null || value === undefined || value === "") continue;
    if (await takes(path, name)) known[name] = value;
    else dropped.push(name);
  }
  return { ...(await get(path + query(known))), dropped };
}

export async function listSagas(parameters, { facets = false } = {}) {
  const all = { ...parameters, ...(facets ? { facets: "true" } : {}), ...(seen ? { seen } : {}) };
  const page = await getKnowing("/v1/sagas", all);
  page.dropped = page.dropped.filter((name) => name !== "facets" && name !== "seen");
  return page;
}

export const saga = (id) => get(`/v1/sagas/${part(id)}`);

/** The saga after one of its events, by the engine; null when it can't say. */
export const sagaAt = async (id, version) =>
  (await takes("/v1/sagas/{id}", "version")) ? get(`/v1/sagas/${part(id)}?version=${version}`) : null;

/** All events after a version, page by page, up to a bound that a browser can show. */
export async function events(id, after = 0, most = 5000) {
  const all = [];
  for (let next = after; next !== undefined && all.length < most;) {
    const page = await get(`/v1/sagas/${part(id)}/events?after=${next}&limit=1000`);
    all.push(...page.events);
    next = page.next;
  }
  return all;
}

/** Null when the engine has no timelines. */
export const timeline = async (id) =>
  (await has("/v1/sagas/{id}/timeline")) ? get(`/v1/sagas/${part(id)}/timeline`) : null;

export async function workflows() {
  const all = [];
  for (let cursor = ""; cursor !== undefined;) {
    const page = await get(`/v1/workflows${query({ limit: 200, cursor })}`);
    all.push(...page.workflows);
    cursor = page.next;
  }
  return all;
}

export const workflow = (name, version) =>
  get(`/v1/workflows/${part(name)}${version ? `/${part(version)}` : ""}`);

/** Null when the engine keeps no statistics. */
export const statistics = async (name) =>
  (await has("/v1/workflows/{name}/statistics")) ? get(`/v1/workflows/${part(name)}/statistics`) : null;

export const stats = () => get("/v1/stats");
export const readiness = () => get("/readyz");

/** Null when the engine runs without Kafka, which its metrics tell without an error. */
export async function echo() {
  const metrics = await fetch("/metrics").then((response) => response.text());
  return metrics.includes("\ntracseq_echo_") ? get("/v1/echo") : null;
}

/** Names a request: sent again with the same body, as after a lost answer, it is the same request. */
export function keyed() {
  let last = null;
  let key = null;
  return (body) => {
    const text = write(body);
    if (text !== last) key = [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
    last = text;
    return { "Idempotency-Key": key };
  };
}

/** The saga after a verb: { saga }, or { operation } where the verb waits for another person. */
export async function act(id, verb, body, key) {
  const { status, value } = await send("POST", `/v1/sagas/${part(id)}/${part(verb)}`, { body, headers: key, withStatus: true });
  return status === 202 ? { operation: value } : { saga: value };
}

/** What an operation would do; changes nothing. */
export const previewOperation = (body) => post("/v1/operations", { ...body, dryRun: true });
export const beginOperation = (body, key) => post("/v1/operations", body, key);
export const operations = (parameters) => get(`/v1/operations${query(parameters)}`);
export const operation = (id) => get(`/v1/operations/${part(id)}`);
export const operationSagas = (id, parameters) => get(`/v1/operations/${part(id)}/sagas${query(parameters)}`);
/** The verbs for this saga alone that wait for another person; of the newest that wait. */
export async function waitingFor(saga) {
  const { operations: waiting } = await operations({ status: "waiting", limit: 50 });
  const isFor = await Promise.all(waiting.map(async (one) => one.sagas === 1 && (await onlySaga(one.id)) === saga));
  return waiting.filter((one, index) => isFor[index]);
}

// An operation's sagas never change.
const known = new Map();
async function onlySaga(id) {
  if (!known.has(id)) known.set(id, (await operationSagas(id, { limit: 1 })).sagas[0]?.saga);
  return known.get(id);
}

/** @param word approve, decline or stop */
export const decideOperation = (id, word, reason) => post(`/v1/operations/${part(id)}/${word}`, { reason });

export const signal = (id, name, body) => post(`/v1/sagas/${part(id)}/signals/${part(name)}`, body);
export const start = (name, body, key) =>
  post(`/v1/workflows/${part(name)}/sagas`, body, key ? { "Idempotency-Key": headerText(key) } : {});
