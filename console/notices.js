// Notices: each destination with what was sent, what waits, and what was given up.
import * as api from "./api.js";
import { codeLink, fact, h, put, say } from "./dom.js";
import { duration, number, plural, since, time } from "./format.js";
import { icon, sign } from "./icons.js";
import { nearest } from "./json.js";
import { every, gently, listen } from "./live.js";
import { enginePages } from "./pages.js";
import { askUser, failed, problemBox } from "./verbs.js";

const signs = { current: ["good", "check", "up to date"], delivering: ["run", "play", "sending"], failing: ["bad", "stop", "failing"],
  gone: ["quiet", "cross", "gets no more"] };
const kinds = { webhook: "webhook", kafka: "Kafka topic" };

export function noticesPage(main) {
  const content = h("div", { "data-acts": "1" });
  // What came of a test or of a resend, by destination: it stays while the page is open.
  const results = new Map();
  main.append(h("h1", "Notices"), enginePages("notices"), content);
  put(content, h("p.quiet.placeholder", "Loading …"));

  const load = async () => {
    try {
      const { destinations } = await api.notices();
      put(content, destinations.length === 0
        ? h("section", h("p", "This engine sends no notices. ", h("code", "saga serve --webhook URL"), " posts them to a pager, a chat or a script, and ",
          h("code", "--kafka"), " writes them to a topic."))
        : destinations.map((one) => destination(one, results, run)));
    } catch (problem) {
      failed(content, problem);
    }
  };

  /** Sends, and shows what came of it beside the destination. */
  const run = async (name, waits, work) => {
    if (results.get(name)?.isBusy || !(await askUser())) return;
    results.set(name, { isBusy: true, shown: h("p.quiet", waits) });
    await load();
    try {
      const [text, shown] = await work();
      results.set(name, { shown });
      say(text);
    } catch (problem) {
      results.set(name, { shown: problemBox(problem) });
    }
    await load();
  };

  const endsAsking = every(5000, load);
  const ends = listen(gently(load, 1000));
  load();
  return { refresh: load, leave: () => { endsAsking(); ends(); } };
}

function destination(one, results, run) {
  const { name, "letters": lost } = one;
  const [tone, shape, word] = signs[one.state] ?? ["quiet", "dash", one.state];
  const mayAct = api.may("operate");
  return h("section", { "aria-label": `Notices to ${name}` },
    h("div.title-row", h("h2", name), sign(tone, shape, word)),
    h("dl.facts.inline", fact("To", kinds[one.kind] ?? one.kind, " ", h("code", one.target)),
      fact("Sent", number(one.delivered), one.lastDeliveredAt && [", the last one ", since(one.lastDeliveredAt)]),
      fact("Waiting", number(one.pending), one.pendingIsMore && " or more", one.oldestPending && [", the oldest one from ", since(one.oldestPending)]),
      fact("Given up", number(one.givenUp), one.lastGivenUpAt && [", the last one ", since(one.lastGivenUpAt)])),
    one.problem && h("div.problem", h("p", icon("diamond"), " ", one.problem.message, " (", codeLink(one.problem.code), "), ", since(one.problem.at), "."),
      one.failingSince && h("p", `${plural(one.failures, "delivery", "deliveries")} failed since `, time(one.failingSince), ".",
        one.nextTryAt && [" The next try is ", since(one.nextTryAt), "."])),
    h("details", { "data-key": `types ${name}` }, h("summary", `It gets ${plural(one.types.length, "type")} of notices`),
      h("ul", one.types.map((type) => h("li", h("code", type))))),
    mayAct && h("div.actions.left",
      h("button", { type: "button", "data-key": `test ${name}`, "data-act": "test", onclick: () => run(name, "A test notice is on its way …", () => test(name)) }, "Send a test notice"),
      one.givenUp > 0 && h("button", { type: "button", "data-key": `resend ${name}`, "data-act": "resend",
        onclick: () => run(name, "The notices are on their way …", () => resend(name)) }, "Send those that were given up again")),
    h("div", { role: "status", "data-result": name }, results.get(name)?.shown),
    lost.length > 0 && [h("h3", lost.length < one.givenUp ? `The last ${lost.length} that were given up` : "Given up"),
      h("ul.cards", lost.map((notice) => givenUp(notice, name, mayAct, run)))]);
}

/** A notice that was given up. */
const givenUp = (notice, name, mayAct, run) => h("li.card.tone-bad",
  h("div.card-head", h("strong", notice.summary), h("span.grow"), since(notice.givenUpAt)),
  h("p.why", h("code", notice.type), " of ", time(notice.at), `, given up after ${plural(notice.attempts, "attempt")}: ${notice.message} (`, codeLink(notice.code), ")"),
  mayAct && h("div.actions.left", h("button", { type: "button", "data-key": `again ${name} ${notice.id}`, "aria-label": `Send again to ${name}: ${notice.summary}`,
    onclick: () => run(name, "The notice is on its way …", () => resend(name, notice.id)) }, "Send again")));

/** Sends a test notice. Returns what to announce, and what to show. */
async function test(name) {
  const { delivered, answer, problem, tookSeconds } = await api.testNotice(name);
  const took = duration(nearest(tookSeconds) * 1000);
  return delivered ? ["The test notice was delivered.", h("p.calm", icon("check"), `The test notice was delivered in ${took}.${answer ? ` The receiver answered: ${answer}` : ""}`)]
    : ["The test notice was not delivered.", h("p.problem", `The test notice was not delivered, after ${took}: ${problem.message} (`, codeLink(problem.code), ")")];
}

/** Sends notices again that were given up: one, or all. */
async function resend(name, id) {
  const { delivered, failed, left } = await api.resendNotices(name, id);
  const rest = left > 0 ? `, ${number(left)} left` : "";
  const text = `${plural(delivered.length, "notice")} delivered, ${number(failed.length)} failed again${rest}.`;
  return [text, failed.length === 0 ? h("p.calm", icon("check"), text)
    : h("div.problem", h("p", text), h("ul", failed.map((one) => h("li", h("code", one.id), `: ${one.problem.message} (`, codeLink(one.problem.code), ")"))))];
}
