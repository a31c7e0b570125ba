// The REST API. Its errors are problems with a code; what this engine can't do yet is found out once and remembered.

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

async function send(method, path, { body, headers = {}, raw = false } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(user && method !== "GET" ? { "Saga-User": headerText(user) } : {}), ...headers,
      },
      body: body === undefined ? undefined : raw ? body : JSON.stringify(body),
    });
  } catch (error) {
    throw new Problem(0, { code: "network", detail: `The engine can't be reached (${error.message}).` });
  }
  const text = await response.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    // What is no JSON is an error page of something in between.
  }
  if (!response.ok) throw new Problem(response.status, value ?? { detail: text.slice(0, 300) });
  if (method !== "GET" && response.headers.get("Saga-Seen")) seen = response.headers.get("Saga-Seen");
  return value;
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

export const act = (id, verb, body) => post(`/v1/sagas/${part(id)}/${part(verb)}`, body);
export const signal = (id, name, body) => post(`/v1/sagas/${part(id)}/signals/${part(name)}`, body);
export const start = (name, body, key) =>
  post(`/v1/workflows/${part(name)}/sagas`, body, key ? { "Idempotency-Key": key } : {});
