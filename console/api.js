// The REST API. An answer with an error status becomes a Problem with the code of the API.
import { read, write } from "./json.js";
import { onTabs, tellTabs } from "./tabs.js";

export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `The server answered ${status}.`);
    this.status = status;
    this.code = body?.code ?? (status ? `http.${status}` : "network");
    this.title = body?.title ?? "";
    // The page that explains the code, on this engine.
    this.page = body?.type?.startsWith("/errors/") ? body.type : null;
    this.allowed = body?.allowed ?? [];
    this.errors = body?.errors ?? [];
  }
}

let user = localStorage.getItem("saga.user") ?? "";
// Another tab has another name.
addEventListener("storage", ({ key, newValue }) => {
  if (key !== "saga.user") return;
  user = newValue ?? "";
  dispatchEvent(new Event("saga-user"));
});
// What the engine says of the caller. Null until it has answered.
let me = null;
/** Whether the engine has said who the caller is. */
export const knowsCaller = () => me !== null;
/** The caller that has signed in; null on an engine without keys. */
export const caller = () => (me && me.signIn !== "notNeeded" ? me : null);
// The roles that have a permission, as in the engine's table. The engine decides; the console offers nothing that it would refuse.
const rolesWith = { start: ["starter", "admin"], signal: ["starter", "operator", "admin"], operate: ["operator", "admin"], approve: ["approver", "admin"], decline: ["operator", "approver", "admin"], administer: ["admin"] };
/** Whether the caller may do this. A role can be limited to workflows, as in `starter:library-prep,store-tube`. */
export const may = (permission, workflow) => !me || me.roles.some((text) => {
  const [role, names = ""] = text.split(/:(.*)/s);
  return rolesWith[permission].includes(role) && (names === "" || names.split(",").includes(workflow));
});
/** The name for the history: the owner of the key, or what the person has entered. */
export const userName = () => caller()?.person ?? user;
export function setUser(name) {
  user = name;
  localStorage.setItem("saga.user", name);
}

// A header has bytes: UTF-8, one character for each byte.
const headerText = (text) => String.fromCharCode(...new TextEncoder().encode(text));

/** The newest `Saga-Seen`: a list with this value shows the effect of the last command. */
let seen = null;
onTabs("seen", (message) => { seen = message.seen; });

let lastAnswer = 0;
/** When the engine answered the last request with what was asked for, in ms. */
export const answeredAt = () => lastAnswer;

async function send(method, path, { body, headers = {}, withStatus = false } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(method === "GET" ? {} : { "Saga-Client": "console", ...(user && !caller() ? { "Saga-User": headerText(user) } : {}) }), ...headers,
      },
      body: body === undefined ? undefined : write(body),
    });
  } catch (error) {
    throw new Problem(0, { code: "network", detail: `The engine cannot be reached (${error.message}).` });
  }
  const text = await response.text();
  let value = null;
  let unread = null;
  try {
    value = text ? read(text) : null;
  } catch (error) {
    // The error page of a proxy is not JSON.
    unread = error;
  }
  if (response.ok && unread) throw new Problem(0, { code: "network", detail: `The answer cannot be read. ${unread.message}` });
  if (!response.ok) {
    const problem = new Problem(response.status, value ?? { detail: text.slice(0, 300) });
    // The session of a person who was signed in has ended.
    if (problem.status === 401 && caller() && !path.startsWith("/v1/session")) dispatchEvent(new Event("saga-signed-out"));
    throw problem;
  }
  lastAnswer = Date.now();
  if (method !== "GET" && response.headers.get("Saga-Seen")) {
    seen = response.headers.get("Saga-Seen");
    tellTabs({ kind: "seen", seen });
  }
  return withStatus ? { status: response.status, value } : value;
}

export const get = (path) => send("GET", path);
export const post = (path, body, headers) => send("POST", path, { body, headers });

let session = 0;
/** Grows when the engine has recognised the caller. A 401 to a question from before that says nothing of now. */
export const sessionCount = () => session;

function recognised(answer) {
  me = answer;
  session += 1;
}

/** Asks the engine who the caller is. An engine with keys answers 401 before the sign-in. */
export async function whoAmI() {
  recognised(await get("/v1/me"));
  return me;
}
export async function signIn(key) {
  recognised(await post("/v1/session", { key }));
  tellTabs({ kind: "session" });
}
/** How people sign in at this engine. */
export const signInOptions = () => get("/v1/session");
/** Begins a sign-in at the OpenID provider. Returns the provider's page. */
export const beginSignIn = async () => (await post("/v1/session/provider", {})).location;
/** Ends it with what the provider has added to the console's address. */
export async function finishSignIn(code, state) {
  recognised(await post("/v1/session/provider/finish", { code, state }));
  tellTabs({ kind: "session" });
}
export async function signOut() {
  await post("/v1/session/end", {});
  tellTabs({ kind: "session", hasEnded: true });
}

const part = encodeURIComponent;

/** The parameters of an address. An array is a parameter that comes several times. */
export function search(parameters) {
  const search = new URLSearchParams();
  for (const [name, values] of Object.entries(parameters)) {
    for (const value of [values].flat()) {
      if (value !== null && value !== undefined && value !== "") search.append(name, value);
    }
  }
  return search;
}

function query(parameters) {
  const text = search(parameters).toString();
  return text ? `?${text}` : "";
}

export const listSagas = (parameters, { facets = false } = {}) =>
  get(`/v1/sagas${query({ ...parameters, facets: facets ? "true" : null, seen })}`);

/** A page of what needs a person, the oldest first. */
export const incidents = (parameters) => get(`/v1/incidents${query({ ...parameters, seen })}`);

export const saga = (id) => get(`/v1/sagas/${part(id)}`);

/** The saga as it was after one of its events. */
export const sagaAt = (id, version) => get(`/v1/sagas/${part(id)}?version=${version}`);

/** The events after a version, no more than the limit. */
export const eventsAfter = async (id, after, limit) => (await get(`/v1/sagas/${part(id)}/events?after=${after}&limit=${limit}`)).events;

/** The timeline, in which a step with forEach has one span for all its items. */
export const timeline = (id) => get(`/v1/sagas/${part(id)}/timeline?items=false`);

/** A page of the items of a step with forEach, in their order. */
export const items = (id, step, parameters) => get(`/v1/sagas/${part(id)}/steps/${part(step)}/items${query(parameters)}`);

/** A page of what a step sent and what was answered, the newest last. */
export const calls = (id, step, cursor) => get(`/v1/sagas/${part(id)}/calls${query({ step, cursor })}`);

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

export const statistics = (name) => get(`/v1/workflows/${part(name)}/statistics`);

/** The keys that have a holder or a waiter, in their order. */
export const turns = (parameters) => get(`/v1/concurrency${query(parameters)}`);

export const tasks = () => get("/v1/tasks?limit=200");
export const stats = () => get("/v1/stats");
export const readiness = () => get("/readyz");

/** A page of what people did, the newest first. */
export const audit = (parameters) => get(`/v1/audit${query({ ...parameters, sort: "-at", limit: 50 })}`);
/** Checks the chains of all events. */
export const verifyAudit = () => post("/v1/audit/verify", {});

export const notices = () => get("/v1/notices");
export const testNotice = (destination) => post("/v1/notices/test", { destination });
/** Sends notices again that were given up: the one with this id, or all. */
export const resendNotices = (destination, id) => post("/v1/notices/resend", { destination, ...(id ? { id } : {}) });

/** How far the lists are behind. */
export const projections = () => get("/v1/projections");
export const rebuildProjections = () => post("/v1/projections/rebuild", {});

/** Returns null when the engine runs without Kafka. The metrics say so; /v1/echo would answer with an error, which the browser logs. */
export async function echo() {
  const metrics = await fetch("/metrics").then((response) => response.text());
  return metrics.includes("\ntracseq_echo_") ? get("/v1/echo") : null;
}

/** The same on an engine that runs with Kafka. */
export const echoState = () => get("/v1/echo");
export const rewindEcho = (body) => post("/v1/echo/rewind", body);

/** Returns a function that gives each body its idempotency key: the same body again is the same request, as after a lost answer. */
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

/** The saga after a verb: { saga }, or { operation } when the verb waits for a second person. */
export async function act(id, verb, body, key) {
  const { status, value } = await send("POST", `/v1/sagas/${part(id)}/${part(verb)}`, { body, headers: key, withStatus: true });
  return status === 202 ? { operation: value } : { saga: value };
}

/** The preview of an operation; it changes nothing. */
export const previewOperation = (body) => post("/v1/operations", { ...body, dryRun: true });
export const beginOperation = (body, key) => post("/v1/operations", body, key);
export const operations = (parameters) => get(`/v1/operations${query(parameters)}`);
export const operation = (id) => get(`/v1/operations/${part(id)}`);
export const operationSagas = (id, parameters) => get(`/v1/operations/${part(id)}/sagas${query(parameters)}`);
/** The operations on this saga alone that wait for a second person, among the 50 newest that wait. */
export async function waitingFor(saga) {
  const { operations: waiting } = await operations({ status: "waiting", limit: 50 });
  const isFor = await Promise.all(waiting.map(async (one) => one.sagas === 1 && (await onlySaga(one.id)) === saga));
  return waiting.filter((one, index) => isFor[index]);
}

// The sagas of an operation never change.
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
