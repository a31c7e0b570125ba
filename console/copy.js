// Buttons that copy a text: an id, a key, a command line.
import { h, say } from "./dom.js";

async function copy(text) {
  // Only a secure context has a clipboard; plain HTTP has the older way.
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h("textarea.sr", { value: text, "aria-hidden": "true" });
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (!isCopied) throw new Error("The browser refused it.");
  return undefined;
}

/** @param what the name of the text, such as “the id” */
export const copyButton = (what, text, key) => h("button.plain.copy", { type: "button", "data-key": key, "aria-label": `Copy ${what}`, onclick: async (event) => {
  const button = event.currentTarget;
  try {
    await copy(text);
    button.textContent = "copied";
    say(`${what} is copied.`);
  } catch (error) {
    button.textContent = "not copied";
    say(`${what} could not be copied. ${error.message}`);
  }
  setTimeout(() => { button.textContent = "copy"; }, 2000);
} }, "copy");

/** A text in quotes of the shell. */
export const shellQuoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
