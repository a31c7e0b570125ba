// `console/why.js`. A test holds the two together and, with RENEW_COPIES=1 in its environment, writes this file again.
extension ConsoleText {
  static let whyJs = #"""
    // How a saga stands, in one sentence.
    import { ago, duration } from "./format.js";

    const name = (step) => `“${step}”`;
    const list = (items) => (items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`);
    const because = (error) => (error?.code ? ` (${error.code}: ${(error.message ?? "").replace(/\.$/, "")})` : "");

    /** The steps that can only be undone after this one: what was done before it. */
    export function behind(saga, step) {
      const after = new Set();
      const visit = (id) => {
        for (const before of saga.steps.find((one) => one.id === id)?.dependsOn ?? []) {
          if (!after.has(before)) {
            after.add(before);
            visit(before);
          }
        }
      };
      visit(step);
      return saga.steps.filter((one) => after.has(one.id) && ["succeeded", "undoing"].includes(one.status)).map((one) => one.id);
    }

    /** @param dated whether it says how long ago; false where that stands beside it. */
    export function why(saga, { dated = true } = {}) {
      if (saga.status === "stuck") return (saga.stuck ?? []).map((blocker) => stuck(saga, blocker, dated)).join(" ");
      if (saga.paused) return paused(saga);
      switch (saga.status) {
        case "completed": return `Everything was done${took(saga)}.`;
        case "compensated": return `Everything that had been done is undone: ${turned(saga)}.`;
        case "abandoned": {
          const end = saga.abandoned ?? {};
          return `${end.by ?? "Someone"} gave it up: ${end.reason ?? "no reason is kept"}. Something may be left over in the lab.`;
        }
        case "compensating": return `It turned back: ${turned(saga)}. ${late(saga)}${moving(saga)}`;
        default: return `${late(saga)}${moving(saga)}`;
      }
    }

    /** The steps that take longer than was expected of them, and whether its own time is up. */
    function late(saga) {
      if (!saga.overdue) return "";
      const steps = (saga.steps ?? []).filter((step) => step.overdue).map((step) => {
        const { phase, since, expectedMs, samples } = step.overdue;
        const did = phase === "undo" ? `Undoing ${name(step.id)} has taken` : `${name(step.id)} has ${step.status === "waiting" ? "waited" : "taken"}`;
        const taken = (saga.paused?.since ? Date.parse(saga.paused.since) : Date.now()) - Date.parse(since) + expectedMs;
        return `${did} ${duration(taken)}; ${duration(expectedMs)} were expected (${samples ? `learned from ${samples} runs` : "declared"}). `;
      });
      return steps.join("") || "It has taken longer than it should. ";
    }

    function took(saga) {
      const ms = Date.parse(saga.endedAt) - Date.parse(saga.startedAt);
      return Number.isFinite(ms) ? ` in ${duration(ms)}` : "";
    }

    function paused(saga) {
      const by = saga.paused?.by;
      return `Paused${by ? ` by ${by}` : ""}${saga.paused?.reason ? `: ${saga.paused.reason}` : ""}. Nothing new starts until it is resumed. ${late(saga)}`.trim();
    }

    function stuck(saga, blocker, dated) {
      const step = saga.steps.find((one) => one.id === blocker.step) ?? {};
      const since = dated && blocker.since ? `, ${ago(blocker.since)}` : "";
      if (blocker.phase === "undo") {
        const rest = behind(saga, blocker.step);
        const waits = rest.length ? ` ${list(rest.map(name))} can't be undone before it.` : "";
        const back = saga.turnBack ? ` It had turned back: ${turned(saga)}.` : "";
        return `Undoing ${name(blocker.step)} has failed for good${because(blocker)}${since}.${waits}${back}`;
      }
      if (step.pivot && step.error?.outcome === "unknown") {
        return `Nobody knows whether ${name(blocker.step)}, the point of no return, has happened${because(blocker)}${since}. Look, and say so.`;
      }
      return `${name(blocker.step)} has failed for good${because(blocker)}${since}, and nothing may be undone any more.`;
    }

    function turned(saga) {
      const back = saga.turnBack ?? {};
      switch (back.cause) {
        case "cancel": case "cancelled": return `${back.by ?? "someone"} cancelled it: ${back.reason ?? back.message ?? ""}`;
        case "timeout": return "its time was up";
        default: return `${back.step ? `${name(back.step)} failed` : "it failed"}${because(back)}`;
      }
    }

    function moving(saga) {
      const parts = [];
      for (const step of saga.steps ?? []) {
        const undo = step.undo;
        if (step.status === "running") parts.push(`${name(step.id)} is being done, attempt ${step.attempt}`);
        else if (step.status === "backingOff") {
          parts.push(`${name(step.id)} failed${because(step.error)} and is tried again ${step.retryAt ? ago(step.retryAt) : "soon"}`);
        } else if (step.status === "waiting") {
          const what = step.waitingFor?.kind === "signal" ? `the signal ${name(step.waitingFor.name)}` : "its time";
          parts.push(`${name(step.id)} waits for ${what}${step.until ? `, at most until ${new Date(step.until).toLocaleString()}` : ""}`);
        } else if (step.status === "undoing" && undo) {
          parts.push(undo.status === "backingOff"
            ? `undoing ${name(step.id)} failed${because(undo.error)} and is tried again ${undo.retryAt ? ago(undo.retryAt) : "soon"}`
            : `${name(step.id)} is being undone, attempt ${undo.attempt}`);
        }
      }
      const text = list(parts);
      return text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "It goes on in a moment.";
    }

    """#
}
