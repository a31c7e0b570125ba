// A saga from its events: how it stood after any of them, and what it spent its time on.

const failure = (data) => (data.failure ? { code: data.failure.code, message: data.failure.message } : undefined);

/** The saga as it was after the first `version` events, in the words of the API. Used where the engine doesn't say it. */
export function sagaAfter(saga, events, version) {
  const steps = saga.steps.map((step) => ({
    id: step.id, description: step.description, dependsOn: step.dependsOn, action: step.action, pivot: step.pivot,
    maxAttempts: step.maxAttempts, status: "pending", attempt: 0 }));
  const find = (id) => steps.find((step) => step.id === id) ?? {};
  const state = { ...saga, steps, status: "running", stuck: [], turnBack: undefined, paused: undefined, endedAt: undefined, output: undefined,
    outputErrors: undefined, pivotPassed: false, abandoned: undefined, lastEvent: version };
  const unblock = (step) => { state.stuck = state.stuck.filter((one) => one.step !== step); };
  for (const event of events) {
    if (event.version > version) break;
    const data = event.data;
    const at = data.at ?? event.recordedAt;
    const step = find(data.step);
    const isUndo = data.phase === "undo";
    state.at = at;
    switch (event.type) {
      case "stepSkipped": step.status = "skipped"; step.endedAt = at; break;
      case "waitStarted":
        Object.assign(step, { status: "waiting", startedAt: at, until: data.until,
          waitingFor: data.signal ? { kind: "signal", name: data.signal } : { kind: "delay" } });
        break;
      case "attemptStarted":
        if (isUndo) {
          Object.assign(step, { status: "undoing", undo: { status: "running", attempt: data.attempt, startedAt: at } });
        } else Object.assign(step, { status: "running", attempt: data.attempt, startedAt: step.startedAt ?? at });
        break;
      case "attemptFailed": case "attemptNotMade":
        if (isUndo) step.undo = { ...step.undo, status: "backingOff", retryAt: data.retryAt, error: failure(data) };
        else Object.assign(step, { status: "backingOff", retryAt: data.retryAt, error: failure(data) });
        break;
      case "stepSucceeded":
        Object.assign(step, { status: "succeeded", endedAt: at, output: data.output, error: undefined });
        if (data.pivot) state.pivotPassed = true;
        break;
      case "stepFailed":
        Object.assign(step, { status: "failed", endedAt: at, error: { ...failure(data), outcome: data.outcome } });
        if (data.consequence === "blocks") state.stuck.push({ step: data.step, phase: "forward", since: at, ...failure(data) });
        break;
      case "turnedBack":
        state.turnBack = { ...data.reason, at };
        state.stuck = state.stuck.filter((one) => one.phase === "undo");
        for (const one of steps) if (one.status === "waiting") one.status = "pending";
        break;
      case "undoSucceeded":
        step.status = "undone";
        step.undo = { ...step.undo, status: "undone", endedAt: at, how: data.how, error: undefined };
        unblock(data.step);
        break;
      case "undoFailed":
        step.status = "undoFailed";
        step.undo = { ...step.undo, status: "failed", endedAt: at, error: failure(data) };
        if (data.blocks) state.stuck.push({ step: data.step, phase: "undo", since: at, ...failure(data) });
        break;
      case "operatorRetried": unblock(data.step); break;
      case "operatorSkipped":
        unblock(data.step);
        Object.assign(step, { status: "skipped", endedAt: at, output: data.output });
        if (data.pivot) state.pivotPassed = true;
        break;
      case "rewindFinished":
        for (const one of steps) if ((data.steps ?? []).includes(one.id)) Object.assign(one, { status: "pending", attempt: 0, undo: undefined });
        break;
      case "sagaPaused": state.paused = { since: at, by: data.by, reason: data.reason }; break;
      case "sagaResumed": state.paused = undefined; break;
      case "operatorResolved":
        unblock(data.step);
        if (data.pivot && data.resolution === "happened") state.pivotPassed = true;
        step.status = data.resolution === "happened" ? "succeeded" : data.resolution === "undone" ? "undone" : "failed";
        break;
      case "sagaCompleted":
        state.status = "completed"; state.endedAt = at; state.output = data.output;
        // Histories of older versions have one failure for the whole output.
        state.outputErrors = data.outputErrors ?? (data.outputProblem && [{ path: "", ...data.outputProblem }]);
        break;
      case "sagaCompensated": state.status = "compensated"; state.endedAt = at; break;
      case "sagaAbandoned":
        state.status = "abandoned"; state.endedAt = at; state.abandoned = { by: data.by, reason: data.reason, at };
        break;
    }
  }
  if (!state.endedAt) state.status = state.stuck.length ? "stuck" : state.turnBack ? "compensating" : "running";
  return state;
}

/** What the saga spent its time on: attempts, waits, backoffs; and what people did. */
export function spansOf(saga, events) {
  const spans = [];
  const marks = [];
  const open = new Map();
  const begin = (key, span) => { end(key, span.from); open.set(key, span); spans.push(span); };
  const end = (key, to, more) => {
    const span = open.get(key);
    if (!span) return;
    Object.assign(span, { to, ...more });
    open.delete(key);
  };
  for (const event of events) {
    const data = event.data;
    const at = data.at ?? event.recordedAt;
    const undo = data.phase === "undo" || event.type.startsWith("undo");
    const phase = undo ? "undo" : "forward";
    const key = `${data.step} ${phase}`;
    switch (event.type) {
      case "attemptStarted":
        begin(key, { step: data.step, phase, kind: "attempt", attempt: data.attempt, from: at });
        break;
      case "attemptFailed": case "attemptNotMade":
        end(key, at, { outcome: data.unknown ? "unknown" : "failed", code: data.failure?.code });
        if (data.retryAt) begin(key, { step: data.step, phase, kind: "backoff", from: at, planned: data.retryAt });
        break;
      case "waitStarted":
        begin(key, { step: data.step, phase, kind: data.signal ? "wait" : "delay", from: at, planned: data.until });
        break;
      case "stepSucceeded": case "undoSucceeded": end(key, at, { outcome: "succeeded" }); break;
      case "stepFailed": case "undoFailed":
        end(key, at, { outcome: data.outcome === "unknown" ? "unknown" : "failed", code: data.failure?.code });
        break;
      case "turnedBack":
        marks.push({ at, what: "turned back", by: data.reason?.by, reason: data.reason?.reason ?? data.reason?.message });
        for (const [name, span] of open) if (span.kind !== "attempt") end(name, at, { outcome: "cancelled" });
        break;
    }
    const act = actOf(event);
    if (act && event.type !== "turnedBack") marks.push({ at, what: act.what, by: act.by, reason: act.reason });
  }
  const last = saga.endedAt ?? null;
  if (last) for (const key of [...open.keys()]) end(key, last);
  return { start: saga.startedAt, end: saga.endedAt, spans, marks };
}

/** Who did what and why, when an event is a person's act; else null. */
export function actOf(event) {
  const data = event.data;
  const at = data.at ?? event.recordedAt;
  const by = data.by ?? data.reason?.by ?? data.saga?.by ?? data.actor;
  const reason = typeof data.reason === "string" ? data.reason : data.reason?.reason;
  const base = { at, by, reason, version: event.version };
  switch (event.type) {
    case "sagaStarted": return { ...base, what: "started the saga", reason: undefined };
    case "signalReceived":
      return { ...base, what: `sent the signal ${data.signal}${data.step ? `, which ${data.step} took` : ""}`, reason: undefined };
    case "signalRefused": return { ...base, what: `sent the signal ${data.signal}, which was refused (${data.code})`, reason: undefined };
    case "operatorRetried": return { ...base, what: `retried ${data.phase === "undo" ? "the undo of " : ""}${data.step}` };
    case "operatorResolved": return { ...base, what: `resolved ${data.step} as ${data.resolution}` };
    case "operatorSkipped": return { ...base, what: `skipped ${data.step}` };
    case "operatorRanNow": return { ...base, what: `ran ${(data.steps ?? []).join(", ")} now` };
    case "operatorExtended": return { ...base, what: `put off ${data.step ?? "the deadline"} to ${data.until}` };
    case "rewindStarted": return { ...base, what: `rewound the saga to ${data.step}` };
    case "sagaPaused": return { ...base, what: "paused the saga" };
    case "sagaResumed": return { ...base, what: "resumed the saga" };
    case "sagaAbandoned": return { ...base, what: "abandoned the saga" };
    case "turnBackRequested": case "turnedBack":
      return data.reason?.by ? { ...base, what: event.type === "turnedBack" ? "turned the saga back" : "asked to turn back" }
        : null;
    default:
      // An act that this console has no words for yet.
      return by && reason ? { ...base, what: event.type + (data.step ? ` ${data.step}` : "") } : null;
  }
}
