// The connection to the live stream. One tab holds it for all tabs of the browser, because a browser opens six connections
// to an engine, and a stream needs one as long as it lasts. `fetch` and not `EventSource`: the tab that takes over goes on
// after the last event that it knows, and a beat shows that the connection is alive.

// The engine sends a beat every 15 s. A connection that is silent for longer is dead.
const mostSilence = 40000;
const mostWait = 5000;
// The most characters of one message: a longer one is not of this stream.
const mostText = 1 << 20;

/**
 * Opens the stream, and opens it again whenever it ends.
 * @param last the id of the last event that is known, or null
 * @param tell is called with { is: "state", state }, { is: "event", text }, { is: "reset" } when every saga may have changed,
 *   { is: "beat" }, and { is: "refused" } when the engine wants a sign-in; each with `last`
 */
export function openStream(last, tell) {
  let state = "connecting";
  let connection = null;
  let isOver = false;
  let needsSignIn = false;
  let timer = null;
  let wait = 1000;
  // When the next attempt is due, and when the connection had its last byte, in ms.
  let due = 0;
  let heard = 0;

  const send = (message) => { if (!isOver) tell({ ...message, last }); };
  const become = (next) => {
    state = next;
    send({ is: "state", state });
  };

  const connect = async () => {
    clearTimeout(timer);
    const own = connection = new AbortController();
    const isCurrent = () => !isOver && connection === own;
    heard = Date.now();
    try {
      const answer = await fetch("/v1/events", { headers: last ? { "Last-Event-ID": last } : {}, cache: "no-store", signal: own.signal });
      if (!isCurrent()) return;
      needsSignIn = answer.status === 401;
      if (needsSignIn) send({ is: "refused" });
      // The id of another store.
      if (answer.status === 400) last = null;
      if (answer.ok) await readMessages(answer.body, take, () => { heard = Date.now(); }, isCurrent);
    } catch {
      // The engine is away, or the connection was cut. Both are shown as a lost connection.
    }
    own.abort();
    if (isCurrent()) retry();
  };

  const retry = () => {
    connection = null;
    become("lost");
    due = needsSignIn ? Infinity : Date.now() + wait + Math.random() * 500;
    wait = Math.min(wait * 2, mostWait);
    if (!needsSignIn) timer = setTimeout(poke, due - Date.now());
  };

  const take = ({ event, data, id }) => {
    const goesOn = last !== null;
    if (id) last = id;
    if (event === "beat") return send({ is: "beat" });
    if (event === "saga") return send({ is: "event", text: data });
    if (event === "reset") return send({ is: "reset" });
    if (event !== "hello") return undefined;
    wait = 1000;
    become("live");
    // A stream without a last id does not have the events before it.
    return goesOn ? undefined : send({ is: "reset" });
  };

  /** Connects if an attempt is due, and ends a dead connection. A hidden tab's timers may be late. */
  const poke = () => {
    if (isOver) return;
    if (connection) {
      if (Date.now() - heard > mostSilence) connection.abort();
    } else if (Date.now() >= due) connect();
  };
  const watch = setInterval(poke, 10000);
  become("connecting");
  connect();

  return {
    poke,
    /** Tells the state again. */
    tellState: () => send({ is: "state", state }),
    /** Ends the connection and opens another one, as after a sign-in or when the network is back. */
    again() {
      needsSignIn = false;
      wait = 1000;
      connection?.abort();
      connect();
    },
    close() {
      isOver = true;
      clearTimeout(timer);
      clearInterval(watch);
      connection?.abort();
    },
  };
}

/** Reads server-sent events until the stream ends: { event, data, id }, and { event: "beat", id } for a comment. */
async function readMessages(body, take, onBytes, isCurrent) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let message = { event: "message", data: "" };
  for (;;) {
    const { done, value } = await reader.read();
    if (done || !isCurrent()) return;
    onBytes();
    text += value;
    if (text.length > mostText) throw new Error("The stream is not one of events.");
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines) {
      const [, name, content] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
      if (line === "") {
        if (message.data !== "" || message.event === "beat") take(message);
        message = { event: "message", data: "" };
      } else if (name === "") message.event = "beat";
      else if (name === "data") message.data += message.data ? `\n${content}` : content;
      else if (name === "event" || name === "id") message[name] = content;
    }
  }
}
