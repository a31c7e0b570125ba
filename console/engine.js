// The engine itself: whether it is ready, how far the lists are behind, and what goes to Kafka.
import * as api from "./api.js";
import { codeLink, dialog, fact, field, h, put, say } from "./dom.js";
import { duration, number, plural, time } from "./format.js";
import { icon, sign } from "./icons.js";
import { exactNumber, nearest } from "./json.js";
import { every } from "./live.js";
import { enginePages } from "./pages.js";
import { askUser, failed, problemBox } from "./verbs.js";

/** The states of the echo: tone, shape and word. */
const echoSigns = { current: ["good", "check", "current"], catchingUp: ["run", "play", "catching up"], held: ["bad", "stop", "blocked"] };

export function enginePage(main) {
  const place = () => h("div", { "data-acts": "1" }, h("p.quiet.placeholder", "Loading …"));
  const [ready, lists, echo, consumers] = [place(), place(), place(), h("div")];
  const section = (title, id, ...content) => h("section", { "aria-labelledby": id }, h("h2", { id }, title), content);
  const consumerSection = section("What the engine reads from Kafka", "consumers-title", consumers);
  consumerSection.hidden = true;
  main.append(h("h1", "Engine"), enginePages("engine"), section("Ready", "ready-title", ready), section("Lists", "lists-title", lists),
    section("Events to Kafka", "echo-title", echo), consumerSection);
  let hasKafka = null;

  const show = async (part, read, draw) => {
    try {
      put(part, draw(await read()));
    } catch (problem) {
      failed(part, problem);
    }
  };
  const showReady = () => show(ready, async () => api.readiness().catch(notAway), readyText);
  const showLists = () => show(lists, api.projections, (state) => listsState(state, showLists));
  const showEcho = () => show(echo, async () => {
    if (hasKafka === false) return null;
    const state = await (hasKafka ? api.echoState() : api.echo());
    hasKafka = state !== null;
    return state;
  }, (state) => {
    consumerSection.hidden = !state?.consumers.length;
    put(consumers, state && consumerTable(state.consumers));
    return echoState(state, showEcho);
  });
  const load = () => Promise.all([showReady(), showLists(), showEcho()]);
  const ends = every(5000, load);
  load();
  return { refresh: load, leave: ends };
}

// An engine that is not ready answers with an error, which the page shows. One that is away does not answer.
const notAway = (problem) => {
  if (problem.code === "network") throw problem;
  return problem;
};

/** Whether the engine takes requests, and each problem with the page of its code. */
function readyText(answer) {
  if (answer instanceof Error) {
    return [h("p", sign("bad", "stop", "not ready"), " ", answer.message, " ", answer.code && ["(", codeLink(answer.code), ")"])];
  }
  const reasons = answer.reasons ?? [];
  if (reasons.length === 0) return h("p.calm", icon("check"), "The engine takes requests, and nothing is wrong.");
  return [h("p", sign("late", "diamond", answer.status), " The engine takes requests, but something is wrong:"),
    h("ul.plain-list", reasons.map((one) => h("li.problem", one.message, " (", codeLink(one.code), ")")))];
}

const scrolling = (label, names, rows) => h("div.scroll", { tabindex: 0, role: "region", "aria-label": label }, h("table.list",
  h("thead", h("tr", names.map((name, index) => h(`th${index ? ".num" : ""}`, { scope: "col" }, name)))), h("tbody", rows)));

/** How far the lists are behind the events, shard by shard. */
function listsState(state, again) {
  const { rebuild } = state;
  const behind = state.shards.filter((one) => one.lagEvents > 0);
  const used = state.shards.filter((one) => one.head > 0);
  return [
    state.lagEvents === 0 ? h("p.calm", icon("check"), "The lists have every event.")
      : h("p", sign("late", "clock", "behind"), ` The lists lack ${plural(state.lagEvents, "event")} of ${plural(behind.length, "shard")}. The oldest one has waited for ${duration(nearest(state.lagSeconds) * 1000)}.`),
    h("p.hint", "Lists, counts, facets and statistics are read from tables of their own, which follow the events. Sagas never wait for them."),
    h("dl.facts.inline", fact("Kept in", state.store), fact("Generation", number(state.generation))),
    rebuild && h("div", h("p", sign("run", "play", "being built again"), ` ${number(rebuild.events)} of ${plural(rebuild.of, "event")}`, rebuild.since && [", begun ", time(rebuild.since)], "."),
      h("progress.bar-of", { max: Math.max(1, rebuild.of), value: rebuild.events, "aria-label": `Rebuild: ${number(rebuild.events)} of ${plural(rebuild.of, "event")}` })),
    h("details", { "data-key": "list-shards" }, h("summary", used.length === 0 ? "No shard has an event" : `${plural(used.length, "shard")} with events, of ${number(state.shards.length)}`),
      used.length > 0 && scrolling("Lists by shard", ["Shard", "In the lists", "Stored", "Behind"], used.map((one) => h("tr", h("th", { scope: "row" }, one.shard),
        h("td.num", number(one.position)), h("td.num", number(one.head)), h("td.num", number(one.lagEvents)))))),
    api.may("administer") && !rebuild && h("div.actions.left", h("button", { type: "button", id: "rebuild", onclick: async () => { if (await askRebuild()) again(); } }, "Build the lists again …")),
  ];
}

/** What the engine has sent to Kafka, shard by shard. */
function echoState(state, again) {
  if (!state) return h("p.quiet", "Off: this engine runs without Kafka.");
  const [tone, shape, word] = echoSigns[state.state] ?? ["quiet", "dash", state.state];
  const used = state.shards.filter((one) => one.head > 0);
  return [
    h("p", sign(tone, shape, word), state.lagEvents > 0 ? ` ${plural(state.lagEvents, "event")} behind; the oldest one has waited for ${duration(nearest(state.lagSeconds) * 1000)}.` : " Kafka has every event."),
    state.problem && h("div.problem", h("p", state.problem.message, " (", codeLink(state.problem.code), "), since ", time(state.problem.since), ".")),
    h("dl.facts.inline", fact("Topic", h("code", state.topic)), fact("Sent since the start", number(state.delivered)),
      fact("Refused by Kafka", number(state.deadLettered), state.deadLettered > 0 && ": in the topic of dead letters")),
    h("details", { "data-key": "echo-shards" }, h("summary", used.length === 0 ? "No shard has an event" : `${plural(used.length, "shard")} with events, of ${number(state.shards.length)}`),
      used.length > 0 && scrolling("Events to Kafka by shard", ["Shard", "Sent", "Stored", "Behind"], used.map((one) => h("tr", h("th", { scope: "row" }, one.shard),
        h("td.num", number(one.delivered)), h("td.num", number(one.head)), h("td.num", number(one.head - one.delivered)))))),
    api.may("administer") && used.length > 0 && h("div.actions.left", h("button", { type: "button", id: "rewind-echo",
      onclick: async () => { if (await askRewind(used)) again(); } }, "Send events again …")),
  ];
}

const consumerTable = (consumers) => h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Consumers" }, h("table.list",
  h("thead", h("tr", ["Topics", "State", "Behind", "Taken", "Refused", "Partitions"].map((name, index) => h(`th${index > 1 ? ".num" : ""}`, { scope: "col" }, name)))),
  h("tbody", consumers.map((one) => h("tr", { title: one.group }, h("th", { scope: "row" }, one.topics.join(", ")),
    h("td.reason", one.problem ? [sign("bad", "stop", "failing"), " ", one.problem] : sign("good", "check", "reads")), h("td.num", number(one.lag)),
    h("td.num", number(one.handled)), h("td.num", number(one.deadLettered)), h("td.num", number(one.partitions)))))));

/** A dialog that says what will happen, and does it. Resolves to the answer of `work`. */
async function confirm(title, label, { parts, work }) {
  if (!(await askUser())) return undefined;
  return dialog(title, (close) => {
    const wrong = h("div");
    let busy = false;
    return h("form", { novalidate: true, onsubmit: async (event) => {
      event.preventDefault();
      if (busy) return;
      busy = true;
      try {
        const answer = await work();
        if (answer) close(answer);
      } catch (error) {
        put(wrong, error instanceof api.Problem ? problemBox(error) : h("p.problem", { role: "alert" }, error.message));
      } finally {
        busy = false;
      }
    } }, parts, wrong,
    h("div.actions", h("span.hint", `As ${api.userName()}`), h("button", { type: "button", onclick: () => close() }, "Not now"),
      h("button", { type: "submit", class: "primary" }, label)));
  });
}

const askRebuild = () => confirm("Build the lists again", "Build them again", {
  parts: [h("p", "The engine builds the tables of the lists again, from the first event. Meanwhile the present tables answer, and stay up to date. "
    + "Then the new ones take their place. Until then both need room on the disk."),
  h("p", "Sagas go on, and no event changes. The audit keeps who asked for it.")],
  work: async () => {
    const state = await api.rebuildProjections();
    say("The lists are being built again.");
    return state;
  } });

function askRewind(shards) {
  const most = Math.max(...shards.map((one) => one.head));
  const shard = h("select", { id: "rewind-shard" }, h("option", { value: "" }, "all shards"),
    shards.map((one) => h("option", { value: one.shard }, `shard ${one.shard}, ${plural(one.head, "event")}`)));
  const to = h("input", { id: "rewind-to", type: "text", inputmode: "numeric", required: true, autocomplete: "off" });
  const reason = h("textarea", { id: "reason", rows: 2, required: true, maxlength: 1000, "aria-required": "true" });
  const wrong = (control, text) => {
    control.setAttribute("aria-invalid", "true");
    control.focus();
    throw new Error(text);
  };
  return confirm("Send events to Kafka again", "Send them again", {
    parts: [h("p", "The engine sends every event behind a position again. Readers that keep the positions that they have seen find nothing new. Other readers see these events twice."),
      field("Shard", shard), field("Behind the position", to, `0 sends everything again. The largest position is ${number(most)}.`),
      field("Reason", reason, "The audit keeps it, with your name.")],
    work: async () => {
      for (const control of [to, reason]) control.removeAttribute("aria-invalid");
      if (!/^(0|[1-9]\d{0,14})$/.test(to.value.trim())) wrong(to, "Enter the position as a whole number from 0.");
      if (!reason.value.trim()) wrong(reason, "Enter a reason. The audit keeps it.");
      const { events } = await api.rewindEcho({ to: exactNumber(to.value.trim()), ...(shard.value === "" ? {} : { shard: exactNumber(shard.value) }), reason: reason.value.trim() });
      say(`${plural(events, "event")} will be sent again.`);
      return { events };
    } });
}
