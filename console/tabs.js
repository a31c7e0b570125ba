// What the tabs of one browser tell each other. It needs no page: the shared worker of the live stream has it too.

const handlers = new Map();
const channel = new BroadcastChannel("saga");
channel.onmessage = ({ data }) => { for (const handler of handlers.get(data?.kind) ?? []) handler(data); };

/** Sends a message to all other tabs: { kind, … }. */
export const tellTabs = (message) => channel.postMessage(message);

/** Calls the handler with each message of a kind that another tab sends. */
export function onTabs(kind, handler) {
  handlers.set(kind, [...(handlers.get(kind) ?? []), handler]);
}
