// What a step sent to its participant, and what was answered. The engine masks secrets before it answers.
import * as api from "./api.js";
import { h, put } from "./dom.js";
import { copyButton, shellQuoted } from "./copy.js";
import { duration, time } from "./format.js";
import { NotJSON, pretty, read, shownText } from "./json.js";
import { problemBox } from "./verbs.js";

// The word for an outcome, and what follows the time that the call took.
const outcomes = {
  succeeded: ["succeeded"], answered: ["answered", "; the step asks again"], failed: ["failed"], unknown: ["failed", "; it may have happened"],
  notSent: ["not sent"],
};

/** The calls of a step and of its undo, the newest last. They are read when this is shown, page by page. */
export function stepCalls(id, step) {
  const list = h("div.calls");
  const more = h("div");
  const load = async (cursor) => {
    put(more, h("p.quiet.placeholder", "Loading …"));
    try {
      const page = await api.calls(id, step, cursor);
      for (const call of page.calls) list.append(entry(call));
      if (!list.childElementCount) list.append(h("p.quiet", "The step has sent nothing."));
      if (page.next === undefined) list.lastElementChild.open = true;
      put(more, page.next !== undefined && h("button", { type: "button", onclick: () => load(page.next) }, "Show later calls"));
    } catch (problem) {
      put(more, problemBox(problem));
    }
  };
  load();
  return h("div", list, more);
}

function entry(call) {
  const words = [call.phase === "undo" ? "undo" : null, call.attempt && `attempt ${call.attempt}`, call.look && `look ${call.look}`,
    call.round > 1 && `round ${call.round}`].filter(Boolean).join(", ");
  const [word, note] = outcomes[call.outcome] ?? [call.outcome ?? "under way"];
  const took = call.endedAt && ` after ${duration(Date.parse(call.endedAt) - Date.parse(call.at))}`;
  const status = call.answered?.status ? `${call.answered.status} · ` : "";
  return h("details.event.call",
    h("summary", h("span.event-type", words), h("span.event-more", status, word, took, note),
      time(call.at, { short: true })),
    h("h4", "Sent", copies(call)), call.sent ? block(sentLines(call.sent), call.sent.body) : h("p.quiet", call.endedAt ? "Nothing: the attempt ended before the call was made." : "Nothing yet."),
    h("h4", "Answered"), call.answered && block(answeredLines(call.answered), call.answered.body),
    call.error ? h("p", h("code", call.error.code), " ", call.error.message) : !call.answered && h("p.quiet", call.endedAt ? "Nothing." : "Not yet."));
}

/** Copies of the key under which the participant knows the call, and of a command line that sends the same again. */
function copies(call) {
  const sent = call.sent;
  const key = sent?.headers.find(({ name }) => name.toLowerCase() === "idempotency-key")?.value;
  const line = curlLine(sent);
  return [key && ["key", key], line && ["curl", line]].filter(Boolean).map(([name, text]) => h("span.copies", name, copyButton(name === "key" ? "the key" : "the curl line", text)));
}

/**
 * The request as a line for a shell, in which `$SERVICE` is the address of the service. A header whose value is masked is left
 * out. Null for another kind of call, and for a body that is not whole.
 */
function curlLine(sent) {
  if (!sent?.method || sent.kind === "kafka" || sent.body?.cut) return null;
  const service = sent.service.toUpperCase().replace(/[^A-Z0-9]/g, "_");
  const headers = sent.headers.filter(({ value }) => !value.includes("***")).map(({ name, value }) => ` -H ${shellQuoted(`${name}: ${value}`)}`).join("");
  return `curl -X ${sent.method} "$${service}"${shellQuoted(sent.path)}${headers}${sent.body ? ` --data-binary ${shellQuoted(sent.body.text)}` : ""}`;
}

const fields = (headers) => headers.map(({ name, value }) => `${name}: ${value}`);
const sentLines = (sent) => [sent.kind === "kafka" ? `command ${sent.command} to ${sent.service}`
  : sent.kind === "workflow" ? `child saga of ${sent.service}` : sent.kind === "task" ? `task for a worker of queue ${sent.queue}` : `${sent.method} ${sent.path} to ${sent.service}`,
  ...fields(sent.headers)];
const answeredLines = (answered) => [...(answered.status ? [`status ${answered.status}`] : []), ...fields(answered.headers)];

function block(lines, body) {
  const parts = [lines.map(shownText).join("\n"), body && bodyText(body)].filter(Boolean);
  return parts.length > 0 && h("pre", { tabindex: 0 }, parts.join("\n\n"));
}

/** A body as text: JSON with a member a line, if it is whole. */
function bodyText({ text, cut }) {
  if (cut) return `${shownText(text)} …`;
  try {
    return pretty(read(text));
  } catch (problem) {
    if (problem instanceof NotJSON) return shownText(text);
    throw problem;
  }
}
