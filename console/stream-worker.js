// Holds the live stream for all tabs of a browser that has no Web Locks: outside a secure context, as with plain HTTP.
import { openStream } from "./stream.js";
import { onTabs, tellTabs } from "./tabs.js";

const stream = openStream(null, (message) => tellTabs({ kind: "stream", ...message }));
onTabs("ask", () => {
  stream.poke();
  stream.tellState();
});
onTabs("session", () => stream.again());
onTabs("check", () => stream.again());
